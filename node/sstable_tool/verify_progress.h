// How far long work has come: a line on standard error, once a second, if a person looks at it.
#ifndef NODE_SSTABLE_TOOL_VERIFY_PROGRESS_H
#define NODE_SSTABLE_TOOL_VERIFY_PROGRESS_H

#include "base/env.h"

struct verify_progress {
    struct env *env;
    const char *what;
    bool is_shown, was_shown;
    uint64_t begun_ns, next_ns;
};

void verify_progress_begin(struct verify_progress *progress, struct env *env);
void verify_progress_step(struct verify_progress *progress, const char *what, uint64_t done,
                          uint64_t total);
void verify_progress_end(struct verify_progress *progress);

#endif
