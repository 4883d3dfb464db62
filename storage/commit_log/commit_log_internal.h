// What commit_log.c and commit_log_wait.c share: the log itself.
#ifndef STORAGE_COMMIT_LOG_INTERNAL_H
#define STORAGE_COMMIT_LOG_INTERNAL_H

#include "base/buffer.h"
#include "storage/commit_log/commit_log.h"
#include "storage/commit_log/commit_log_archive.h"
#include "storage/commit_log/commit_log_segment.h"

// Segments that one write can touch: any two neighbours hold more than COMMIT_LOG_SEGMENT_SIZE
// together, and the write is bounded by COMMIT_LOG_PENDING_MAX.
enum { COMMIT_LOG_PARTS_MAX = 24 };

// A piece of a write, in one segment.
struct commit_log_part {
    struct commit_log_segment *segment;
    uint64_t offset;    // In the segment.
    size_t start, size; // In the bytes.
};

// What gathers while another is written.
struct commit_log_batch {
    struct buffer bytes;
    struct commit_log_part parts[COMMIT_LOG_PARTS_MAX];
    size_t part_count;
    uint64_t last_position;
    struct commit_log_segment *removals; // Files to remove afterwards, the oldest first.
};

struct commit_log {
    struct env *env;
    char *directory;
    enum commit_log_sync sync;
    uint64_t period_ns;
    struct commit_log_segment *segments; // The oldest first; records go to the last.
    struct commit_log_segment *last;
    struct commit_log_segment *clean; // To be used again, the oldest first.
    size_t segment_count, clean_count;
    size_t segment_count_max; // More, and it is long.
    bool last_is_old;         // The last segment is of an earlier run: nothing is added to it.
    uint64_t last_segment_id, last_position, synced_position;
    enum status failed; // OK, or why nothing is taken any more.
    struct commit_log_batch batches[2];
    struct commit_log_batch *gathering, *writing; // `writing` is NULL when no job runs.
    struct env_job job;
    struct commit_log_segment *open_segment; // The thread's: whose file is open, or NULL.
    enum status job_status;
    struct error job_error;
    uint64_t written_count, written_ns; // Of the last write: its records, when it began.
    struct env_task write_task;         // Starts a write at the end of the turn, or the timer.
    struct env_timer timer;             // When the next write begins.
    struct commit_log_archive archive;
    struct commit_log_loss loss;
    struct commit_log_waiter *waiters, **waiters_end; // By position.
    struct commit_log_waiter *ready, **ready_end;     // To be called by the task.
    struct env_task ready_task;
    void (*drained)(void *context);
    void *drained_context;
    struct env_task drained_task;
};

// Begins to write what has gathered, unless a write is under way: then it is the next.
void commit_log_write(struct commit_log *log);
// commit_log_wait.c: calls those whose position is synced, or all if the log has failed.
void commit_log_wake(struct commit_log *log);

#endif
