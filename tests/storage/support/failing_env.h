// An env whose n-th file operation fails: what sweeps over all of them use. Everything else is the
// env's below it.
#ifndef TESTS_STORAGE_SUPPORT_FAILING_ENV_H
#define TESTS_STORAGE_SUPPORT_FAILING_ENV_H

#include "base/env_ops.h"

// What can fail. OPEN is of a file that is there, CREATE of a new one.
// clang-format off
#define FAILING_MAP(X)                                                                             \
    X(OPEN, "open") X(CREATE, "create") X(READ, "read") X(WRITE, "write") X(SYNC, "sync")          \
    X(TRUNCATE, "truncate") X(SIZE, "size") X(RENAME, "rename") X(LINK, "link")                    \
    X(REMOVE, "remove") X(MAKE_DIR, "make directory") X(REMOVE_DIR, "remove directory")            \
    X(SYNC_DIR, "sync directory") X(LIST, "list") X(EXISTS, "exists") X(TIME, "time")              \
    X(LOCK, "lock")
// clang-format on

enum failing_kind {
#define X(kind, text) FAILING_##kind,
    FAILING_MAP(X)
#undef X
        FAILING_KIND_COUNT
};

const char *failing_kind_text(enum failing_kind kind);

struct failing_env {
    struct env base;
    struct env *below;
    struct env_ops ops;
    uint64_t countdown; // Of operations; the one that takes it to 0 fails. 0: none fails.
    enum status status; // What it fails with.
    uint32_t kinds;     // Bits of those that count. 0: as `reads_only` says.
    bool reads_only;    // Only reads count, else only changes, syncs and questions about names.
    bool for_good;      // All that come behind it fail too.
    bool has_failed;
};

// The env to use is `&env->base`. It has clock, randomness, timers, tasks, jobs and files; no
// sockets, no processes. Jobs work with the env below in their hands (`job->env`), and whoever made
// them with this one.
void failing_env_init(struct failing_env *env, struct env *below);

#endif
