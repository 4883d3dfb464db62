// What a node tells the person who runs it: one line for each event, with time and level.
//
//     2026-03-01T12:00:00.123Z WARN  commit log: 127.0.0.1: no space left on the device
//
// Each line is written at once, to standard error unless the owner takes the lines itself. Bytes of
// clients may be in it, so control characters are shown as "?" and a line has a largest size. At
// most LOG_LINES_PER_SECOND_MAX come in a second; the next line that does tells how many did not.
// For the thread of the env; work() functions return what they have to say.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/env.h"
#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
    struct env *env;
    enum log_level level; // Lines of higher levels are not written.
    // Takes a line, with its "\n". NULL: standard error.
    void (*write)(void *context, struct slice line);
    void *context;
    uint64_t second_start_ns; // The present second of counting, and its lines.
    uint32_t written_count;
    uint64_t skipped_count; // Since the last line that told.
};

void log_init(struct log *log, struct env *env, enum log_level level);
void log_write(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// "error", "warn", "info", "debug". False for anything else.
bool log_level_parse(const char *text, enum log_level *level);

#define LOG_ERROR(log, ...) log_write((log), LOG_ERROR, __VA_ARGS__)
#define LOG_WARN(log, ...)  log_write((log), LOG_WARN, __VA_ARGS__)
#define LOG_INFO(log, ...)  log_write((log), LOG_INFO, __VA_ARGS__)
#define LOG_DEBUG(log, ...) log_write((log), LOG_DEBUG, __VA_ARGS__)

#endif
