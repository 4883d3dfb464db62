// Appending and writing. Two batches change places: one gathers records on the loop while the log's
// thread writes and syncs the other.
//
//     append -> gathering ... end of turn -> writing (thread) -> synced -> waiters
//                   ^----------------- meanwhile ----------------|
#include "storage/commit_log/commit_log.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "storage/commit_log/commit_log_format.h"
#include "storage/commit_log/commit_log_internal.h"
#include "storage/commit_log/commit_log_replay.h"
#include "storage/new_directory.h"

#include <stdlib.h>

// What a buffer may keep of its memory after a large write.
enum { BUFFER_KEPT_MAX = 1 << 20, PERIODIC_SIZE_MAX = 8 << 20 };
// Fewer records in a write are of few writers: it is not waited for more of them.
enum { GROUP_COUNT_MIN = 16 };

// ---- Writing: the log's thread -----------------------------------------------------------------

static enum status write_parts(struct commit_log *log, struct commit_log_batch *batch)
{
    struct error *error = &log->job_error;
    bool directory_changed = false;
    for (size_t i = 0; i < batch->part_count; i++) {
        struct commit_log_part *part = &batch->parts[i];
        // Nothing is added to a segment that has a successor.
        if (log->open_segment != NULL && log->open_segment != part->segment)
            commit_log_segment_close(log->open_segment);
        log->open_segment = part->segment;
        struct slice bytes = slice_make(batch->bytes.data + part->start, part->size);
        enum status status =
            commit_log_segment_write(log->env, log->directory, part->segment, part->offset, bytes,
                                     &directory_changed, error);
        if (status == STATUS_OK) status = env_file_sync(part->segment->file, error);
        if (status != STATUS_OK) return status;
    }
    return directory_changed ? env_sync_dir(log->env, log->directory, error) : STATUS_OK;
}

// One by one and each durable, so that no crash leaves an old segment without those behind it.
static enum status remove_segments(struct commit_log *log, struct commit_log_batch *batch)
{
    struct commit_log_segment *segment = batch->removals;
    for (; segment != NULL; segment = segment->next) {
        if (segment == log->open_segment) log->open_segment = NULL;
        enum status status =
            commit_log_segment_remove(log->env, log->directory, segment, &log->job_error);
        if (status == STATUS_OK) status = env_sync_dir(log->env, log->directory, &log->job_error);
        if (status != STATUS_OK) return status;
        env_mark(log->env, ENV_MARK_LOG_SEGMENT_REMOVED);
    }
    return STATUS_OK;
}

static void write_work(struct env_job *job)
{
    struct commit_log *log = CONTAINER_OF(job, struct commit_log, job);
    log->job_status = write_parts(log, log->writing);
    if (log->job_status == STATUS_OK) log->job_status = remove_segments(log, log->writing);
}

// ---- Writing: the loop -------------------------------------------------------------------------

static void fire_timer(struct env_timer *timer)
{
    commit_log_write(CONTAINER_OF(timer, struct commit_log, timer));
}

static void batch_clear(struct commit_log_batch *batch)
{
    while (batch->removals != NULL) {
        struct commit_log_segment *next = batch->removals->next;
        commit_log_segment_destroy(batch->removals);
        batch->removals = next;
    }
    batch->part_count = 0;
    buffer_clear(&batch->bytes);
    if (batch->bytes.capacity > BUFFER_KEPT_MAX) buffer_deinit(&batch->bytes);
}

static void run_drained(struct env_task *task)
{
    struct commit_log *log = CONTAINER_OF(task, struct commit_log, drained_task);
    if (log->ready != NULL) { // Those who only wait for their call come first.
        env_task_post(log->env, &log->drained_task, run_drained);
        return;
    }
    void (*drained)(void *context) = log->drained;
    log->drained = NULL;
    drained(log->drained_context);
}

static bool is_drained(const struct commit_log *log)
{
    return log->writing == NULL && !commit_log_archive_is_busy(&log->archive) &&
           (log->gathering->part_count == 0 || log->failed != STATUS_OK);
}

// ---- The archive -------------------------------------------------------------------------------

// A write that has not ended names the segment: its file cannot become another's yet.
static bool is_being_written(const struct commit_log *log, const struct commit_log_segment *segment)
{
    for (int i = 0; i < 2; i++) {
        for (size_t part = 0; part < log->batches[i].part_count; part++) {
            if (log->batches[i].parts[part].segment == segment) return true;
        }
    }
    return false;
}

static struct commit_log_segment *first_to_archive(struct commit_log_segment *segment)
{
    while (segment != NULL && segment->is_archived)
        segment = segment->next;
    return segment;
}

// The oldest complete segment that was not archived.
static void archive_next(struct commit_log *log)
{
    if (!commit_log_archive_is_on(&log->archive) || log->drained != NULL) return;
    struct commit_log_segment *segment = first_to_archive(log->clean);
    if (segment == NULL) segment = first_to_archive(log->segments);
    if (segment == NULL || (segment == log->last && !log->last_is_old)) return;
    if (!is_being_written(log, segment)) commit_log_archive_start(&log->archive, segment);
}

static void archive_ended(void *context)
{
    struct commit_log *log = context;
    if (log->drained != NULL && is_drained(log))
        env_task_post(log->env, &log->drained_task, run_drained);
    archive_next(log);
}

// ---- Writing: the loop, again ------------------------------------------------------------------

// With many writers more are on their way: those of the last write are being answered, and those
// of other nodes come in groups. As many as the last time are waited for, but not for long.
static bool is_worth_waiting(const struct commit_log *log, uint64_t now_ns)
{
    uint64_t gathered = log->last_position - log->synced_position;
    return log->sync == COMMIT_LOG_SYNC_GROUP && log->written_count >= GROUP_COUNT_MIN &&
           gathered < log->written_count && now_ns < log->written_ns + COMMIT_LOG_GROUP_GAP_NS;
}

static void run_write(struct env_task *task)
{
    struct commit_log *log = CONTAINER_OF(task, struct commit_log, write_task);
    if (log->writing != NULL || log->gathering->part_count == 0) return;
    uint64_t now_ns = env_monotonic_ns(log->env);
    if (!is_worth_waiting(log, now_ns)) {
        commit_log_write(log);
    } else if (!env_timer_is_started(&log->timer)) {
        env_mark(log->env, ENV_MARK_LOG_GAP);
        env_timer_start(log->env, &log->timer, log->written_ns + COMMIT_LOG_GROUP_GAP_NS - now_ns,
                        fire_timer);
    }
}

static void write_done(struct env_job *job)
{
    struct commit_log *log = CONTAINER_OF(job, struct commit_log, job);
    struct commit_log_batch *batch = log->writing;
    log->writing = NULL;
    if (log->job_status == STATUS_OK) {
        log->synced_position = batch->last_position;
    } else {
        log->failed = log->job_status;
        if (log->archive.log != NULL)
            LOG_ERROR(log->archive.log,
                      "commit log: %s: nothing is written any more, until the next start",
                      log->job_error.text);
        env_mark(log->env, ENV_MARK_LOG_FAILED);
    }
    batch_clear(batch);
    // At the end of the turn, with what else has come in it. PERIODIC: unless its time is still to
    // come; it may be over, if this one took long.
    if (log->sync != COMMIT_LOG_SYNC_PERIODIC || log->drained != NULL || log->waiters != NULL ||
        (log->gathering->part_count > 0 && !env_timer_is_started(&log->timer)))
        env_task_post(log->env, &log->write_task, run_write);
    if (log->drained != NULL && is_drained(log))
        env_task_post(log->env, &log->drained_task, run_drained);
    archive_next(log);
    commit_log_wake(log);
}

// Gives files that are no longer needed to the batch: some stay for use again. One, and one for
// each segment that the batch begins: each is a sync more for those who wait for this write, and
// what a large flush has freed goes all the same.
static void collect_removals(struct commit_log *log, struct commit_log_batch *batch)
{
    struct commit_log_segment **end = &batch->removals;
    bool is_on = commit_log_archive_is_on(&log->archive);
    for (size_t i = 0;
         i < batch->part_count && log->clean_count > (is_on ? 0 : COMMIT_LOG_CLEAN_MAX); i++) {
        struct commit_log_segment *segment = log->clean;
        if (is_on && !segment->is_archived) return;
        log->clean = segment->next;
        log->clean_count--;
        segment->next = NULL;
        *end = segment;
        end = &segment->next;
    }
}

void commit_log_write(struct commit_log *log)
{
    if (log->writing != NULL || log->failed != STATUS_OK || log->gathering->part_count == 0) return;
    struct commit_log_batch *batch = log->gathering;
    log->gathering = batch == &log->batches[0] ? &log->batches[1] : &log->batches[0];
    log->writing = batch;
    batch->last_position = log->last_position;
    log->written_count = log->last_position - log->synced_position;
    log->written_ns = env_monotonic_ns(log->env);
    collect_removals(log, batch);
    env_timer_stop(log->env, &log->timer);
    env_mark(log->env, ENV_MARK_LOG_WRITE);
    if (log->written_count > 1) env_mark(log->env, ENV_MARK_LOG_GROUP);
    env_offload(log->env, &log->job, ENV_LANE_LOG, write_work, write_done);
}

static void schedule_write(struct commit_log *log)
{
    if (log->sync == COMMIT_LOG_SYNC_PERIODIC && log->gathering->bytes.size < PERIODIC_SIZE_MAX) {
        if (!env_timer_is_started(&log->timer))
            env_timer_start(log->env, &log->timer, log->period_ns, fire_timer);
    } else if (log->writing == NULL) {
        env_task_post(log->env, &log->write_task, run_write);
    }
}

// ---- Appending ---------------------------------------------------------------------------------

// Puts one record (or mark) behind the last one of the last segment.
static void put_record(struct commit_log *log, uint64_t position, enum commit_log_kind kind,
                       struct slice bytes)
{
    struct commit_log_batch *batch = log->gathering;
    struct commit_log_segment *segment = log->last;
    size_t size = commit_log_format_size(bytes.size);
    struct commit_log_part *part =
        batch->part_count == 0 ? NULL : &batch->parts[batch->part_count - 1];
    if (part == NULL || part->segment != segment) {
        ASSERT(batch->part_count < COMMIT_LOG_PARTS_MAX);
        part = &batch->parts[batch->part_count++];
        *part = (struct commit_log_part){segment, segment->size, batch->bytes.size, 0};
    }
    uint8_t *at = buffer_reserve(&batch->bytes, size);
    ASSERT(at != NULL);
    commit_log_format_put(at, segment->id, segment->size, position, log->synced_position, kind,
                          bytes);
    part->size += size;
    segment->size += size;
    segment->last_position = position;
}

static void add_segment(struct commit_log *log, struct commit_log_segment *segment)
{
    if (log->last == NULL) {
        log->segments = segment;
    } else {
        log->last->next = segment;
    }
    log->last = segment;
    log->segment_count++;
}

static void begin_segment(struct commit_log *log, size_t record_size)
{
    uint64_t id = ++log->last_segment_id;
    size_t needed = record_size + COMMIT_LOG_HEADER_SIZE;
    struct commit_log_segment *segment = log->clean;
    if (segment != NULL && needed <= COMMIT_LOG_SEGMENT_SIZE &&
        !commit_log_archive_is_on(&log->archive) && !is_being_written(log, segment)) {
        log->clean = segment->next;
        log->clean_count--;
        commit_log_segment_renew(segment, id);
        env_mark(log->env, ENV_MARK_LOG_SEGMENT_REUSED);
    } else {
        segment = commit_log_segment_create(
            id, needed > COMMIT_LOG_SEGMENT_SIZE ? needed : COMMIT_LOG_SEGMENT_SIZE);
        env_mark(log->env, ENV_MARK_LOG_SEGMENT_NEW);
    }
    add_segment(log, segment);
    log->last_is_old = false;
    put_record(log, log->last_position, COMMIT_LOG_MARK, slice_make(NULL, 0));
}

enum status commit_log_append(struct commit_log *log, struct slice record, uint64_t *position)
{
    if (log->failed != STATUS_OK) return STATUS_IO;
    if (record.size > MUTATION_SIZE_MAX) return STATUS_INVALID;
    size_t size = commit_log_format_size(record.size);
    size_t pending =
        log->gathering->bytes.size + (log->writing != NULL ? log->writing->bytes.size : 0);
    if (pending + size > COMMIT_LOG_PENDING_MAX) return STATUS_OVERLOADED;
    if (log->last == NULL || log->last_is_old || log->last->size + size > log->last->capacity)
        begin_segment(log, size);
    *position = ++log->last_position;
    put_record(log, *position, COMMIT_LOG_RECORD, record);
    schedule_write(log);
    return STATUS_OK;
}

enum status commit_log_append_for(struct commit_log *log, struct uuid table, struct slice record,
                                  uint64_t *position)
{
    enum status status = commit_log_append(log, record, position);
    if (status == STATUS_OK) commit_log_segment_note(log->last, table, *position);
    return status;
}

uint64_t commit_log_synced_position(const struct commit_log *log)
{
    return log->synced_position;
}

uint64_t commit_log_last_position(const struct commit_log *log)
{
    return log->last_position;
}

// ---- Segments that are needed no more ----------------------------------------------------------

// Segments leave from the oldest on, and the last one stays: it tells the position.
static void free_clean_segments(struct commit_log *log)
{
    while (log->segments != log->last && log->segments->dirt_count == 0) {
        struct commit_log_segment *segment = log->segments;
        log->segments = segment->next;
        log->segment_count--;
        segment->next = NULL;
        struct commit_log_segment **end = &log->clean;
        while (*end != NULL)
            end = &(*end)->next;
        *end = segment;
        log->clean_count++;
    }
}

void commit_log_mark_flushed(struct commit_log *log, struct uuid table, uint64_t position)
{
    for (struct commit_log_segment *segment = log->segments; segment != NULL;
         segment = segment->next)
        commit_log_segment_forget(segment, table, position);
    free_clean_segments(log);
}

void commit_log_mark_dirty(struct commit_log *log, struct uuid table, uint64_t first, uint64_t last)
{
    for (struct commit_log_segment *segment = log->segments; segment != NULL;
         segment = segment->next) {
        if (segment->last_position < first) continue;
        commit_log_segment_note(segment, table,
                                last < segment->last_position ? last : segment->last_position);
        if (segment->last_position >= last) return;
    }
}

bool commit_log_is_long(const struct commit_log *log, struct uuid *table)
{
    if (log->segment_count <= log->segment_count_max || log->segments->dirt_count == 0)
        return false;
    *table = commit_log_segment_any_table(log->segments);
    return true;
}

bool commit_log_is_full(const struct commit_log *log)
{
    // Not for those that wait for the archive command alone.
    return log->segment_count >= COMMIT_LOG_FULL_FACTOR * log->segment_count_max &&
           log->segments->dirt_count > 0;
}

// ---- Opening and closing -----------------------------------------------------------------------

static size_t segment_count_of(uint64_t size)
{
    uint64_t count = size / COMMIT_LOG_SEGMENT_SIZE;
    if (count < COMMIT_LOG_SEGMENTS_MIN) return COMMIT_LOG_SEGMENTS_MIN;
    return count > COMMIT_LOG_SEGMENTS_MAX ? COMMIT_LOG_SEGMENTS_MAX : (size_t)count;
}

enum status commit_log_open(struct env *env, const struct commit_log_options *options,
                            commit_log_replayer *replay, void *replay_context,
                            struct commit_log **log, struct error *error)
{
    enum status status = new_directory_make(env, options->directory, error);
    if (status != STATUS_OK) return status;
    struct commit_log_replayed replayed;
    status = commit_log_replay(env, options, replay, replay_context, &replayed, error);
    if (status != STATUS_OK) return status;

    struct commit_log *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->env = env;
    opened->directory = strdup(options->directory);
    ASSERT(opened->directory != NULL);
    opened->sync = options->sync;
    opened->period_ns = options->period_ns;
    opened->segment_count_max = segment_count_of(options->size_max);
    opened->loss = replayed.loss;
    opened->last_segment_id = replayed.last_segment_id;
    opened->last_position = opened->synced_position = replayed.last_position;
    opened->last_is_old = true;
    opened->gathering = &opened->batches[0];
    opened->waiters_end = &opened->waiters;
    opened->ready_end = &opened->ready;
    for (int i = 0; i < 2; i++)
        buffer_init(&opened->batches[i].bytes, COMMIT_LOG_PENDING_MAX + MIB);
    while (replayed.segments != NULL) {
        struct commit_log_segment *segment = replayed.segments;
        replayed.segments = segment->next;
        segment->next = NULL;
        add_segment(opened, segment);
    }
    commit_log_archive_init(&opened->archive, env, options->log, options->archive_command,
                            opened->directory, archive_ended, opened);
    *log = opened;
    return STATUS_OK;
}

const struct commit_log_loss *commit_log_loss(const struct commit_log *log)
{
    return &log->loss;
}

void commit_log_drain(struct commit_log *log, void (*drained)(void *context), void *context)
{
    ASSERT(log->drained == NULL);
    log->drained = drained;
    log->drained_context = context;
    commit_log_archive_stop(&log->archive);
    commit_log_write(log);
    if (is_drained(log)) env_task_post(log->env, &log->drained_task, run_drained);
}

static void free_segments(struct commit_log_segment *segment)
{
    while (segment != NULL) {
        struct commit_log_segment *next = segment->next;
        commit_log_segment_destroy(segment);
        segment = next;
    }
}

void commit_log_abandon(struct commit_log *log)
{
    free_segments(log->segments);
    free_segments(log->clean);
    for (int i = 0; i < 2; i++) {
        free_segments(log->batches[i].removals);
        buffer_deinit(&log->batches[i].bytes);
    }
    commit_log_archive_deinit(&log->archive);
    free(log->directory);
    free(log);
}

void commit_log_close(struct commit_log *log)
{
    ASSERT(log->writing == NULL);
    ASSERT(log->waiters == NULL && log->ready == NULL);
    env_timer_stop(log->env, &log->timer);
    env_task_cancel(log->env, &log->write_task);
    env_task_cancel(log->env, &log->ready_task);
    env_task_cancel(log->env, &log->drained_task);
    if (log->failed == STATUS_OK) {
        struct commit_log_batch *batch = log->gathering;
        log->writing = batch;
        if (write_parts(log, batch) == STATUS_OK) log->synced_position = log->last_position;
        batch_clear(batch);
        // A last mark tells the next start that all before it was synced.
        if (log->last != NULL && !log->last_is_old && log->synced_position == log->last_position &&
            log->last->size + COMMIT_LOG_HEADER_SIZE <= log->last->capacity) {
            put_record(log, log->last_position, COMMIT_LOG_MARK, slice_make(NULL, 0));
            (void)!write_parts(log, batch);
        }
    }
    commit_log_abandon(log);
}
