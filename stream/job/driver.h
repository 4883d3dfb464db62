// `helenus stream run`: runs a job's script in this process and drives its batches.
//
//     source -> blocks of lines -> graph -> cells -> node          one batch is mapped while the
//       (thread)        (thread)         (loop)                    one before it settles
//
//     READY --recorded--> PARTS --taken--> TASK --report--> DONE      a batch, seen from the loop
//
// What is recorded and not done is run again after a crash of either side (exactly-once.md §2.3):
// the record names the bytes, the node refuses to add twice.
#ifndef STREAM_DRIVER_H
#define STREAM_DRIVER_H

#include "base/env.h"
#include "storage/uuid.h"
#include "stream/job/progress.h"

struct stream_run_options {
    const char *script_path;
    const char *const *arguments; // Behind the script's path.
    size_t argument_count;
    const char *name; // NULL: unnamed, never resumed.
    struct env_address ring;
    const char *spool_directory; // Where streams that can not be read again are kept; exists.
    uint64_t batch_size;         // Bytes, about; 0: 32 MiB.
    uint64_t batch_records;      // Lines; 0: no maximum.
    uint64_t timeout_ns;         // Without an answer of the node; 0: 60 s.
    uint64_t call_timeout_ns;    // One call of a job's function; 0: 10 s.
    bool quiet;                  // No progress on standard error.
    // Submit the job with its script, for the nodes to run, and end. Paths begin at `directory`.
    bool is_submit;
    const char *directory;
    // Run a job that was submitted: its script's text, instead of a file, and its submission.
    struct slice script;
    // NULL: a new one. With one that is known, its job goes on; finished, it is not begun anew.
    const struct uuid *submission_id;
};

struct driver;
struct driver_result {
    enum status status;
    struct error error; // When it is not OK.
    uint64_t records, batches;
    // CONFLICT: another worker recorded something first, and this one nothing. Begin anew, with the
    // job's submission: by its name alone one that ended meanwhile would be counted once more.
    bool may_begin_anew;
    struct uuid submission_id; // Of the job, when there is one; else that was to make it.
};
// `done` comes once, in a later turn.
struct driver *driver_start(struct env *env, const struct stream_run_options *options,
                            void (*done)(void *context, const struct driver_result *result),
                            void *context);
// A thread still works for it: a call of the job that does not end, or a read that waits.
bool driver_is_busy(const struct driver *driver);
// After `done`, when it is not busy.
void driver_destroy(struct driver *driver);
// Frees the memory alone, whatever is under way: what a crash leaves (simulator).
void driver_abandon(struct driver *driver);
struct progress *driver_progress(struct driver *driver);
// The job when it was submitted and is not finished; else NULL.
const struct uuid *driver_unfinished_job(const struct driver *driver);

// All of it on env_uv, with progress and summary. Returns the exit code.
int stream_run_main(struct env *env, const struct stream_run_options *options);
// `helenus stream submit`: prints the job's id.
int stream_submit_main(struct env *env, const struct stream_run_options *options);
// A worker that a node started for a job that was submitted: the job says what to run, `options`
// has the ring and the spool's directory. Goes into the directory of who submitted it.
int stream_worker_main(struct env *env, const struct stream_run_options *options,
                       const struct uuid *job);

#endif
