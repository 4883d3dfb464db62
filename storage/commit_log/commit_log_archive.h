// Complete segments are given to a command of the user's before their files go
// (org.apache.cassandra.db.commitlog.CommitLogArchiver).
//
//     segment: waiting -> its command runs -> archived (its file may go)
//                 ^------ after a while ---- failed
//
// One command at a time, the oldest segment first. Its child's descriptor 3 tells how it ended.
// With an archive no file is used again: the command may have made a link to it.
#ifndef STORAGE_COMMIT_LOG_ARCHIVE_H
#define STORAGE_COMMIT_LOG_ARCHIVE_H

#include "base/log.h"
#include "storage/commit_log/commit_log_segment.h"

struct commit_log_archive {
    struct env *env;
    struct log *log;
    char *command; // NULL: nothing is archived.
    const char *directory;
    struct commit_log_segment *running; // Whose command runs, or NULL.
    int pid;
    bool has_succeeded; // The child said so.
    struct env_timer retry;
    void (*ended)(void *context); // A command has ended: one more may begin, files may go.
    void *context;
};

// `directory` and the archive itself stay where they are.
void commit_log_archive_init(struct commit_log_archive *archive, struct env *env, struct log *log,
                             const char *command, const char *directory,
                             void (*ended)(void *context), void *context);
void commit_log_archive_deinit(struct commit_log_archive *archive); // Only when nothing runs.

static inline bool commit_log_archive_is_busy(const struct commit_log_archive *archive)
{
    return archive->running != NULL;
}
static inline bool commit_log_archive_is_on(const struct commit_log_archive *archive)
{
    return archive->command != NULL;
}

// Begins the command of this segment: complete and synced, not archived yet. Nothing while another
// runs or a failed one waits.
void commit_log_archive_start(struct commit_log_archive *archive,
                              struct commit_log_segment *segment);
// Ends the running command early: `ended` comes.
void commit_log_archive_stop(struct commit_log_archive *archive);

#endif
