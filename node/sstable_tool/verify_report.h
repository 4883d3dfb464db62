// What a verification finds: faults, each with its file and offset.
#ifndef NODE_SSTABLE_TOOL_VERIFY_REPORT_H
#define NODE_SSTABLE_TOOL_VERIFY_REPORT_H

#include "base/arena.h"
#include "base/error.h"
#include "node/sstable_tool/tool_input.h"

enum { VERIFY_FAULTS_MAX = 100 };

struct verify_fault {
    const char *text; // "FILE: offset N: what".
};

struct verify_report {
    const struct tool_input *input;
    struct arena arena;
    struct verify_fault faults[VERIFY_FAULTS_MAX];
    size_t count;      // Kept.
    bool has_more;     // Some were not kept.
    size_t note_count; // What could not be checked, and is no fault.
    const char *notes[16];
    uint64_t partitions, rows, bytes;
};

void verify_report_init(struct verify_report *report, const struct tool_input *input);
void verify_report_deinit(struct verify_report *report);
// A fault at a byte of a component.
void verify_report_at(struct verify_report *report, enum sstable_component component,
                      uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// One that an error tells, with file and offset in its text.
void verify_report_error(struct verify_report *report, const struct error *error);
void verify_report_note(struct verify_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool verify_report_is_full(const struct verify_report *report);

#endif
