#include "node/sstable_tool/verify_progress.h"

#include <stdio.h>
#include <unistd.h>

#define STEP_NS 1000000000ull

void verify_progress_begin(struct verify_progress *progress, struct env *env)
{
    *progress = (struct verify_progress){.env = env, .is_shown = isatty(STDERR_FILENO) == 1};
    progress->begun_ns = env_monotonic_ns(env);
    progress->next_ns = progress->begun_ns + STEP_NS;
}

void verify_progress_step(struct verify_progress *progress, const char *what, uint64_t done,
                          uint64_t total)
{
    if (!progress->is_shown) return;
    uint64_t now = env_monotonic_ns(progress->env);
    if (now < progress->next_ns) return;
    progress->next_ns = now + STEP_NS;
    double seconds = (double)(now - progress->begun_ns) / 1e9;
    (void)fprintf(stderr, "\r%s: %3.0f %%, %.1f of %.1f MB, %.0f s \033[K", what,
                  total == 0 ? 100.0 : 100.0 * (double)done / (double)total, (double)done / 1e6,
                  (double)total / 1e6, seconds);
    progress->was_shown = true;
}

void verify_progress_end(struct verify_progress *progress)
{
    if (progress->was_shown) (void)fprintf(stderr, "\r\033[K");
}
