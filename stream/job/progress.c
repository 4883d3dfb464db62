#include "stream/job/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_TERMINAL_NS (200 * (uint64_t)1000000)
#define PROGRESS_LINE_NS     (1000 * (uint64_t)1000000)

// "1,204,113".
static const char *progress_number(uint64_t number, char text[static 32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *at = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return text;
}

void progress_begin(struct progress *progress, struct env *env, bool is_quiet)
{
    *progress = (struct progress){.env = env, .is_quiet = is_quiet};
    progress->is_terminal = isatty(STDERR_FILENO) == 1;
    progress->begin_ns = progress->shown_ns = env_monotonic_ns(env);
}

void progress_add(struct progress *progress, uint64_t records,
                  const uint64_t faults[static JSON_FAULT_COUNT], double delay_s)
{
    progress->records += records;
    progress->batches++;
    progress->delay_s = delay_s;
    for (int i = 0; i < JSON_FAULT_COUNT; i++)
        progress->faults[i] += faults[i];
}

void progress_show(struct progress *progress)
{
    uint64_t now = env_monotonic_ns(progress->env), since = now - progress->shown_ns;
    if (progress->is_quiet ||
        since < (progress->is_terminal ? PROGRESS_TERMINAL_NS : PROGRESS_LINE_NS))
        return;
    bool has_changed = progress->records != progress->shown_records || progress->is_terminal;
    progress->rate = (double)(progress->records - progress->shown_records) / ((double)since / 1e9);
    progress->shown_ns = now;
    progress->shown_records = progress->records;
    if (!has_changed) return;
    char records[32], batches[32], rate[32];
    (void)fprintf(stderr, "%s%s tweets, %s batches, %s tweets/s, delay %.0f ms%s",
                  progress->is_terminal ? "\r\033[K" : "",
                  progress_number(progress->records, records),
                  progress_number(progress->batches, batches),
                  progress_number((uint64_t)progress->rate, rate), progress->delay_s * 1e3,
                  progress->is_terminal ? "" : "\n");
    progress->has_line = progress->is_terminal;
    (void)fflush(stderr);
}

void progress_say(struct progress *progress, const char *text)
{
    if (progress->is_quiet) return;
    (void)fprintf(stderr, "%s%s\n", progress->has_line ? "\r\033[K" : "", text);
    progress->has_line = false;
}

void progress_end(struct progress *progress, const char *how)
{
    if (progress->is_quiet) return;
    double seconds = (double)(env_monotonic_ns(progress->env) - progress->begin_ns) / 1e9;
    char records[32], rate[32], fault[32];
    uint64_t fault_count = 0;
    (void)fprintf(stderr, "%s%s: %s tweets in %" PRIu64 " batches, %.2f s, %s tweets/s\n",
                  progress->has_line ? "\r\033[K" : "", how,
                  progress_number(progress->records, records), progress->batches, seconds,
                  progress_number((uint64_t)((double)progress->records / seconds), rate));
    for (int i = 1; i < JSON_FAULT_COUNT; i++)
        fault_count += progress->faults[i];
    if (fault_count == 0) return;
    (void)fprintf(stderr, "%s lines of no use:", progress_number(fault_count, fault));
    const char *separator = "";
    for (int i = 1; i < JSON_FAULT_COUNT; i++) {
        if (progress->faults[i] == 0) continue;
        (void)fprintf(stderr, "%s %" PRIu64 " %s", separator, progress->faults[i],
                      json_fault_text((enum json_fault)i));
        separator = ",";
    }
    (void)fprintf(stderr, "\n");
}
