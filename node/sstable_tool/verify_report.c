#include "node/sstable_tool/verify_report.h"

#include "base/limits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void verify_report_init(struct verify_report *report, const struct tool_input *input)
{
    *report = (struct verify_report){.input = input};
    arena_init(&report->arena, 4 * KIB);
}

void verify_report_deinit(struct verify_report *report)
{
    arena_deinit(&report->arena);
}

bool verify_report_is_full(const struct verify_report *report)
{
    return report->has_more;
}

static void add(struct verify_report *report, const char *text)
{
    if (report->count == VERIFY_FAULTS_MAX) {
        report->has_more = true;
        return;
    }
    // One fault is often met twice, on different ways.
    for (size_t i = 0; i < report->count; i++)
        if (strcmp(report->faults[i].text, text) == 0) return;
    report->faults[report->count++].text = arena_copy_text(&report->arena, text);
}

void verify_report_at(struct verify_report *report, enum sstable_component component,
                      uint64_t offset, const char *format, ...)
{
    char what[ERROR_TEXT_SIZE], path[SSTABLE_PATH_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    tool_input_path(path, report->input, component);
    struct arena arena;
    arena_init(&arena, 4 * KIB);
    add(report, arena_format(&arena, "%s: offset %" PRIu64 ": %s", path, offset, what));
    arena_deinit(&arena);
}

void verify_report_error(struct verify_report *report, const struct error *error)
{
    add(report, error->text);
}

void verify_report_note(struct verify_report *report, const char *format, ...)
{
    char what[ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (report->note_count < sizeof report->notes / sizeof *report->notes)
        report->notes[report->note_count++] = arena_copy_text(&report->arena, what);
}
