// What was not removed in time is carried out by whoever stored it.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/batch_log_internal.h"

#include <stdlib.h>

enum { BATCHES_WALKED_MAX = 256 }; // Partitions of the table that one turn passes.

static void replay_step(struct batch_log *batch_log);

static void replay_task_run(struct env_task *task)
{
    replay_step(CONTAINER_OF(task, struct batch_log, replay.task));
}

static void replay_go_on(struct batch_log *batch_log)
{
    batch_log->replay.state = REPLAY_LOOKING;
    if (!batch_log->is_stopped)
        env_task_post(batch_log->env, &batch_log->replay.task, replay_task_run);
}

// ---- What is due --------------------------------------------------------------------------------

static void replay_add_due(struct batch_replay *replay, struct uuid id)
{
    if (replay->due_count == replay->due_capacity) {
        replay->due_capacity = replay->due_capacity == 0 ? 16 : 2 * replay->due_capacity;
        replay->due = realloc(replay->due, replay->due_capacity * sizeof *replay->due);
        ASSERT(replay->due != NULL);
    }
    replay->due[replay->due_count++] = id;
}

// All whose coordinator has had its time; all that an earlier life left.
static void replay_gather_due(struct batch_log *batch_log, bool is_first)
{
    int64_t now_us = env_wall_us(batch_log->env);
    int64_t patience_us = 2 * (int64_t)(batch_log->options.write_timeout_ns / 1000);
    batch_log->replay.due_count = 0;
    for (size_t i = 0; i < BATCH_BUCKETS; i++) {
        for (const struct live_batch *b = batch_log->buckets[i]; b != NULL; b = b->next) {
            int64_t age_us = now_us - b->made_us;
            if (is_first || age_us > patience_us || age_us < 0)
                replay_add_due(&batch_log->replay, b->id);
        }
    }
}

static void replay_fire(struct env_timer *timer)
{
    struct batch_log *batch_log = CONTAINER_OF(timer, struct batch_log, replay.timer);
    if (batch_log->replay.has_walked) {
        replay_gather_due(batch_log, false);
        batch_log_tidy(batch_log, 1);
    }
    replay_step(batch_log);
}

static void replay_rest(struct batch_log *batch_log, uint64_t delay_ns)
{
    struct batch_replay *replay = &batch_log->replay;
    replay->state = REPLAY_RESTING;
    read_pins_release(&replay->pins);
    arena_reset(&replay->arena);
    if (!batch_log->is_stopped)
        env_timer_start(batch_log->env, &replay->timer, delay_ns, replay_fire);
}

// ---- Writing ------------------------------------------------------------------------------------

static void replay_written(struct coordinator_write *write, const struct coordinator_result *result)
{
    struct batch_log *batch_log = CONTAINER_OF(write, struct batch_log, replay.write);
    if (result->outcome == COORDINATOR_OK) {
        env_mark(batch_log->env, ENV_MARK_LOGGED_REPLAYED);
        batch_log_remove(batch_log, batch_log->replay.last);
    } else {
        env_mark(batch_log->env, ENV_MARK_LOGGED_KEPT);
    }
    replay_go_on(batch_log);
}

// What was truncated since does not come back; nor does anything, once a tombstone that took one of
// them may be gone. Whoever begins a batch need not look: it is written at once. Returns how many
// are left.
static size_t replay_leave_out(const struct batch_log *batch_log, struct mutation *mutations,
                               size_t count)
{
    const struct batch_replay *replay = &batch_log->replay;
    int64_t age_us = env_wall_us(batch_log->env) - replay->made_us;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct table *table = mutations[i].table;
        if (age_us > (int64_t)table->params.gc_grace_seconds * 1000000) return 0;
        if (replay->stored_at > engine_truncated_position(batch_log->options.engine, table->id))
            mutations[kept++] = mutations[i];
    }
    return kept;
}

static void replay_write(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    struct mutation *mutations;
    size_t count;
    arena_reset(&replay->arena);
    batch_log_decode(batch_log, buffer_slice(&replay->records), &replay->arena, &mutations, &count);
    count = replay_leave_out(batch_log, mutations, count);
    if (count == 0) {
        batch_log_remove(batch_log, replay->last);
        replay_go_on(batch_log);
        return;
    }
    replay->state = REPLAY_WRITING;
    coordinator_write_start(batch_log->coordinator, &replay->write, mutations, count,
                            CONSISTENCY_QUORUM, replay_written);
}

static void replay_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct batch_log *batch_log = CONTAINER_OF(waiter, struct batch_log, replay.waiter);
    if (batch_log->is_stopped) return;
    if (status != STATUS_OK) { // The next start finds it, or nobody has anything of it.
        env_mark(batch_log->env, ENV_MARK_LOGGED_KEPT);
        replay_go_on(batch_log);
    } else if (batch_log_find_live(batch_log, batch_log->replay.last) == NULL) {
        replay_go_on(batch_log); // Its end came meanwhile.
    } else {
        replay_write(batch_log);
    }
}

static void replay_sync(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    replay->state = REPLAY_SYNCING;
    engine_wait_durable(batch_log->options.engine, &replay->waiter, replay->position,
                        replay_synced);
}

// ---- Looking ------------------------------------------------------------------------------------

static const struct clustering_range all_rows = {{BOUND_INCL_START, {0, NULL}},
                                                 {BOUND_INCL_END, {0, NULL}}};
static const struct partition_filter all_of_it = {.ranges = &all_rows, .range_count = 1};

// The records of a partition of the table; none if it was removed.
static enum status replay_take(struct batch_log *batch_log, struct partition_iterator *partition)
{
    struct batch_replay *replay = &batch_log->replay;
    struct unfiltered unfiltered;
    buffer_clear(&replay->records);
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        for (uint32_t i = 0; !unfiltered.is_marker && i < unfiltered.row->cell_count; i++) {
            const struct cell *cell = &unfiltered.row->cells[i];
            if (cell->column != batch_log->mutations_column || cell_is_tombstone(cell)) continue;
            replay->made_us = cell->timestamp;
            if (cell->path.size == sizeof(struct uuid))
                replay->stored_at = bytes_get_u64(cell->path.data + BATCH_PLACE_POSITION);
            buffer_put_vint_bytes(&replay->records, cell->value);
        }
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status replay_walk_one(struct batch_log *batch_log, struct scan_iterator *scan)
{
    struct batch_replay *replay = &batch_log->replay;
    struct partition_iterator *partition;
    enum status status = scan_iterator_next(scan, &partition);
    if (status != STATUS_OK) return status;
    status = replay_take(batch_log, partition);
    if (status == STATUS_OK && partition->key.bytes.size == sizeof replay->last.bytes) {
        replay->has_last = true;
        replay->last_token = partition->key.token;
        replay->last = uuid_from_bytes(partition->key.bytes.data);
        if (replay->records.size > 0)
            batch_log_add_live(batch_log, replay->last, replay->made_us);
        else
            batch_log->removed_count++;
    }
    partition_iterator_close(partition);
    return status;
}

// The next piece of the first walk. END behind the last.
static enum status replay_walk(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    struct scan_range range = SCAN_RANGE_ALL;
    struct uuid last = replay->last; // The walk moves on, the range does not.
    if (replay->has_last)
        range.start = (struct scan_bound){replay->last_token,
                                          slice_make(last.bytes, sizeof last.bytes), false};
    struct scan_iterator *scan;
    uint64_t position = 0;
    arena_reset(&replay->arena);
    enum status status = engine_scan(batch_log->options.engine, batch_log->options.table, &range,
                                     &all_of_it, &replay->pins, &replay->arena, &scan, &position);
    if (status != STATUS_OK) return status;
    for (int i = 0; i < BATCHES_WALKED_MAX && status == STATUS_OK; i++)
        status = replay_walk_one(batch_log, scan);
    scan_iterator_close(scan);
    return status;
}

// The records of the next one that is due and not over. END: there is none.
static enum status replay_read(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    while (replay->due_count > 0 &&
           batch_log_find_live(batch_log, replay->due[replay->due_count - 1]) == NULL)
        replay->due_count--;
    if (replay->due_count == 0) return STATUS_END;
    replay->last = replay->due[replay->due_count - 1];
    struct partition_key key =
        partition_key_make(slice_make(replay->last.bytes, sizeof replay->last.bytes));
    struct partition_iterator *partition = NULL;
    arena_reset(&replay->arena);
    buffer_clear(&replay->records);
    replay->position = 0;
    enum status status =
        engine_read(batch_log->options.engine, batch_log->options.table, &key, &all_of_it,
                    &replay->pins, &replay->arena, &partition, &replay->position);
    if (status == STATUS_OK && partition != NULL) status = replay_take(batch_log, partition);
    if (partition != NULL) partition_iterator_close(partition);
    if (status == STATUS_OK) replay->due_count--;
    return status;
}

static void replay_loaded(struct engine_load *load, enum status status)
{
    struct batch_log *batch_log = CONTAINER_OF(load, struct batch_log, replay.load);
    if (batch_log->is_stopped)
        read_pins_release(&batch_log->replay.pins);
    else if (status == STATUS_OK)
        replay_step(batch_log);
    else
        replay_rest(batch_log, batch_log->options.replay_interval_ns);
}

static void replay_walk_is_over(struct batch_log *batch_log)
{
    batch_log->replay.has_walked = true;
    replay_gather_due(batch_log, true);
    replay_go_on(batch_log);
}

static void replay_step(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    if (batch_log->is_stopped) return;
    bool is_walk = !replay->has_walked;
    replay->state = REPLAY_LOOKING;
    enum status status = is_walk ? replay_walk(batch_log) : replay_read(batch_log);
    if (status == STATUS_WOULD_BLOCK) {
        replay->state = REPLAY_LOADING;
        engine_load(batch_log->options.engine, &replay->load, &replay->pins, replay_loaded);
        return;
    }
    read_pins_release(&replay->pins);
    if (is_walk && status == STATUS_END)
        replay_walk_is_over(batch_log);
    else if (is_walk && status == STATUS_OK)
        replay_go_on(batch_log);
    else if (status == STATUS_OK)
        replay_sync(batch_log);
    else // None is left, or a fault: again later.
        replay_rest(batch_log, batch_log->options.replay_interval_ns);
}

// ---- The life -----------------------------------------------------------------------------------

void batch_log_replay_begin(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    read_pins_init(&replay->pins);
    arena_init(&replay->arena, 4096);
    buffer_init(&replay->records, TRANSPORT_MESSAGE_SIZE_MAX);
    // Others have to be known first.
    replay_rest(batch_log, batch_log->options.messaging == NULL ? 0 : 1000000000ull);
}

void batch_log_replay_stop(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    env_timer_stop(batch_log->env, &replay->timer);
    env_task_cancel(batch_log->env, &replay->task);
    engine_cancel_wait(batch_log->options.engine, &replay->waiter);
    if (replay->state != REPLAY_LOADING) read_pins_release(&replay->pins);
}

void batch_log_replay_deinit(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    arena_deinit(&replay->arena);
    buffer_deinit(&replay->records);
    free(replay->due);
}
