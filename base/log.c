#include "base/log.h"

#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { US_PER_S = 1000 * 1000, US_PER_MS = 1000 };
#define NS_PER_S (1000ull * 1000 * 1000)

static const char *const log_level_names[] = {"error", "warn", "info", "debug"};
static const char *const log_level_titles[] = {"ERROR", "WARN ", "INFO ", "DEBUG"};

void log_init(struct log *log, struct env *env, enum log_level level)
{
    *log = (struct log){.env = env, .level = level};
}

bool log_level_parse(const char *text, enum log_level *level)
{
    for (int i = 0; i <= LOG_DEBUG; i++) {
        if (strcmp(text, log_level_names[i]) != 0) continue;
        *level = (enum log_level)i;
        return true;
    }
    return false;
}

// The time and the level; returns the size.
static size_t log_put_head(char *line, size_t capacity, struct env *env, enum log_level level)
{
    int64_t now = env_wall_us(env);
    time_t seconds = (time_t)(now / US_PER_S);
    struct tm parts;
    if (now < 0 || gmtime_r(&seconds, &parts) == NULL) parts = (struct tm){.tm_mday = 1};
    size_t size = strftime(line, capacity, "%Y-%m-%dT%H:%M:%S", &parts);
    int milliseconds = now < 0 ? 0 : (int)(now % US_PER_S / US_PER_MS);
    int more =
        snprintf(line + size, capacity - size, ".%03dZ %s ", milliseconds, log_level_titles[level]);
    return size + (size_t)more;
}

static void log_put_line(struct log *log, enum log_level level, const char *format,
                         va_list arguments)
{
    char line[LOG_LINE_SIZE_MAX];
    size_t head = log_put_head(line, sizeof line, log->env, level);
    // One byte is kept for the line's end, which takes the place of the NUL.
    int length = vsnprintf(line + head, sizeof line - head, format, arguments);
    size_t size = head + (length < 0 ? 0 : (size_t)length);
    if (size > sizeof line - 1) size = sizeof line - 1;
    for (size_t i = head; i < size; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) line[i] = '?';
    }
    line[size++] = '\n';
    if (log->write != NULL)
        log->write(log->context, slice_make(line, size));
    else
        (void)fwrite(line, 1, size, stderr);
}

static void log_put_format(struct log *log, enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_put_line(log, level, format, arguments);
    va_end(arguments);
}

// Whether the present second has room for a line.
static bool log_has_room(struct log *log)
{
    uint64_t now = env_monotonic_ns(log->env);
    if (log->written_count == 0 || now - log->second_start_ns >= NS_PER_S) {
        log->second_start_ns = now;
        log->written_count = 0;
    }
    if (log->written_count >= LOG_LINES_PER_SECOND_MAX) return false;
    log->written_count++;
    return true;
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
    if (level > log->level) return;
    if (!log_has_room(log)) {
        log->skipped_count++;
        return;
    }
    if (log->skipped_count > 0) {
        log_put_format(log, LOG_WARN, "log: %llu lines were too many and are not shown",
                       (unsigned long long)log->skipped_count);
        log->skipped_count = 0;
    }
    va_list arguments;
    va_start(arguments, format);
    log_put_line(log, level, format, arguments);
    va_end(arguments);
}
