// The stream jobs that the metadata log knows (exactly-once.md §2.1): what is submitted, which
// batches are recorded, how far all is done. A state machine: each record either holds and moves it
// on, or changes nothing and is a CONFLICT.
//
// Invariants: E1 records of a job form a chain (number = last + 1, from = last to); `done_through`
// only grows; what a finished batch was is forgotten, last_batch, last_to and done_through never
// are.
#ifndef RING_JOBS_H
#define RING_JOBS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"
#include "base/error.h"
#include "storage/uuid.h"

#include <stdbool.h>

enum {
    JOB_SOURCES_MAX = 16,
    JOB_NAME_SIZE_MAX = 256, // With its NUL.
    JOB_OUTPUTS_MAX = 16,
    JOB_BATCHES_MAX = 64,    // Recorded and not known to be done: the largest `depth`.
    JOBS_MAX = 10000,        // Remembered. At the limit the oldest that is not open is forgotten.
    JOB_NOTE_SIZE_MAX = 256, // With its NUL; a longer one is cut.
    JOB_SCRIPT_SIZE_MAX = 64 * 1024,
    JOB_ARGUMENTS_SIZE_MAX = 16 * 1024,
    // Of all scripts. At the limit those of jobs that have ended are forgotten, then a submission
    // conflicts.
    JOB_SCRIPTS_SIZE_MAX = 4 * 1024 * 1024,
};

enum job_state { JOB_OPEN, JOB_FINISHED, JOB_SEALED, JOB_BROKEN, JOB_STATE_COUNT };

// "open", "finished", "stopped", "broken".
const char *jobs_state_text(enum job_state state);

struct job_offset {
    uint64_t from, to; // Bytes of the source (or of its intake file): [from, to).
};

struct job_batch {
    uint64_t number;
    int64_t timestamp_us;
    struct job_offset offsets[JOB_SOURCES_MAX];
    uint64_t input_hash;     // Of the bytes read: a replay that differs has another source.
    uint64_t sums_hash_done; // Of the sums of batch `done_through`; 0 if there is none.
};

// Where a job writes: nobody else may delete there while it is open (rule 13).
struct job_output {
    struct uuid table;    // Its id: one that is dropped and made anew is another table.
    uint64_t column_hash; // jobs_hash_column() of the counter's name.
};

// A job that was submitted to be run by the nodes themselves.
struct job_script {
    struct slice file_name, text;
    struct slice directory; // Where its arguments' paths begin: that of who submitted it.
    struct slice arguments; // vbytes each.
    uint64_t batch_size, batch_records; // As struct stream_run_options has them.
};

struct job {
    struct uuid id; // Never used again; counter ids are made from it and an output's ordinal.
    struct uuid submission_id;    // Chosen by the client: submitting it twice gives the same job.
    char name[JOB_NAME_SIZE_MAX]; // "" for an unnamed one.
    uint64_t code_hash;
    enum job_state state;
    uint32_t source_count;
    uint64_t source_hash; // What the sources are (paths, sizes, urls): a resume compares it.
    uint32_t output_count;
    struct job_output outputs[JOB_OUTPUTS_MAX];
    uint64_t last_batch;
    uint64_t last_to[JOB_SOURCES_MAX];
    int64_t last_timestamp_us;
    uint64_t done_through;
    uint64_t grand_total;            // Sum of all totals after done_through, modulo 2^64.
    uint64_t sums_hash;              // Of the sums of batch done_through; 0: not known.
    const struct job_script *script; // NULL: its workers are started by hand.
    bool is_halted;                  // Open, but the nodes do not run it.
    char note[JOB_NOTE_SIZE_MAX];    // Why it is halted or broken; "".
    const struct job_batch *batches; // done_through + 1 … last_batch, `batch_count` of them.
    size_t batch_count;
};

struct jobs;

struct jobs *jobs_create(void);
void jobs_destroy(struct jobs *jobs);

// NULL when there is none. Valid until the next record is applied.
const struct job *jobs_find(const struct jobs *jobs, struct uuid id);
// The newest of this name; NULL when there is none or the name is "".
const struct job *jobs_find_by_name(const struct jobs *jobs, const char *name);
// All, oldest first; NULL behind the last.
const struct job *jobs_at(const struct jobs *jobs, size_t index);

// Those that are open, in no order; NULL behind the last. Cheap when few are.
const struct job *jobs_open_at(const struct jobs *jobs, size_t index);

// An open job that writes this table; NULL when there is none. Cheap when few jobs are open.
const struct job *jobs_find_writer(const struct jobs *jobs, struct uuid table);
uint64_t jobs_hash_column(struct slice name);
bool jobs_writes_column(const struct job *job, struct uuid table, struct slice column);
// An open job that does; NULL when there is none.
const struct job *jobs_find_column_writer(const struct jobs *jobs, struct uuid table,
                                          struct slice column);

// A script's bytes. False: malformed or too large; slices point into the bytes.
void jobs_put_script(struct buffer *bytes, const struct job_script *script);
MUST_USE bool jobs_take_script(struct cursor *bytes, struct job_script *script);

// The three records. `depth` is how many batches may be recorded ahead of done_through.
void jobs_put_submission(struct buffer *record, const struct job *job);
void jobs_put_batch(struct buffer *record, struct uuid job, const struct job_batch *batch,
                    uint32_t source_count, uint64_t done_through, uint64_t grand_total,
                    uint64_t depth);
void jobs_put_done(struct buffer *record, struct uuid job, uint64_t done_through,
                   uint64_t grand_total, enum job_state state);
// The last one with all that it may say.
struct job_mark {
    struct uuid job;
    uint64_t done_through, grand_total, sums_hash;
    enum job_state state;
    enum { JOB_MARK_RUNS_AS_BEFORE, JOB_MARK_HALTS, JOB_MARK_GOES_ON } run;
    const char *note; // NULL: as before.
};
void jobs_put_mark(struct buffer *record, const struct job_mark *mark);

// Apply one. OK, or CONFLICT: its condition does not hold (or it can not be read) and nothing
// changed. Submission (rule 12): a known submission_id is OK and changes nothing; the name of an
// open job is taken, lest two workers that begin at once count all twice. Batch (rule 1):
// job OPEN and number = last_batch + 1 and from = last_to and timestamp >= last + 2 and number <=
// done_through + depth; carries done_through, merged by max (rule 2). Done: job known and
// done_through <= last_batch; an OPEN job takes the state too.
//
// A batch or mark that has another sum or hash of the very batch that is done than the log has: the
// job's code does not give the same for the same input. It is BROKEN then, and that is a CONFLICT.
MUST_USE enum status jobs_apply_submission(struct jobs *jobs, struct cursor *record);
MUST_USE enum status jobs_apply_batch(struct jobs *jobs, struct cursor *record);
MUST_USE enum status jobs_apply_done(struct jobs *jobs, struct cursor *record);

// The whole state, and back (into jobs that are empty). CORRUPT.
void jobs_put_all(struct buffer *state, const struct jobs *jobs);
MUST_USE enum status jobs_get_all(struct jobs *jobs, struct cursor *state, struct error *error);

#endif
