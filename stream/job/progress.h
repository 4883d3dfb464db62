// What a running job shows on standard error: one line, rewritten on a terminal, else one a second;
// and the summary at its end.
//
//     1,204,113 tweets, 38 batches, 612,000 tweets/s, delay 31 ms
#ifndef STREAM_PROGRESS_H
#define STREAM_PROGRESS_H

#include "base/env.h"
#include "stream/source/json.h"

struct progress {
    struct env *env;
    bool is_quiet, is_terminal, has_line;
    uint64_t begin_ns, shown_ns, shown_records;
    uint64_t records, batches, faults[JSON_FAULT_COUNT];
    double rate, delay_s;
};

void progress_begin(struct progress *progress, struct env *env, bool is_quiet);
// A batch is done, `delay_s` after its first line was read.
void progress_add(struct progress *progress, uint64_t records,
                  const uint64_t faults[static JSON_FAULT_COUNT], double delay_s);
// Shows the line, if it is time.
void progress_show(struct progress *progress);
// A line of its own.
void progress_say(struct progress *progress, const char *text);
void progress_end(struct progress *progress, const char *how);

#endif
