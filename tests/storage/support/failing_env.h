// An env whose n-th file operation fails: what sweeps over all of them use. Everything else is the
// env's below it.
#ifndef TESTS_STORAGE_SUPPORT_FAILING_ENV_H
#define TESTS_STORAGE_SUPPORT_FAILING_ENV_H

#include "base/env_ops.h"

struct failing_env {
    struct env base;
    struct env *below;
    struct env_ops ops;
    uint64_t countdown; // Of operations; the one that takes it to 0 fails. 0: none fails.
    enum status status; // What it fails with.
    bool reads_only;    // Only reads count, else only changes, syncs and questions about names.
    bool for_good;      // All that come behind it fail too.
    bool has_failed;
};

// The env to use is `&env->base`. It has clock, randomness and files, nothing else.
void failing_env_init(struct failing_env *env, struct env *below);

#endif
