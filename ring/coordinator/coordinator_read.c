// Reads that this node answers alone: in a ring of one, or when one answer is enough and we are a
// replica of all that is wanted. Any other is a remote_read.h.
#include "ring/coordinator/coordinator_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "ring/coordinator/remote_piece.h"
#include "storage/engine/engine_index.h"

static void read_let_go(struct coordinator_read *read)
{
    read_pins_release(&read->pins);
    coordinator_give_arena(read->coordinator, &read->arena);
}

static void read_task_run(struct env_task *task)
{
    struct coordinator_read *read = CONTAINER_OF(task, struct coordinator_read, task);
    read->done(read, &read->result);
}

static void read_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct coordinator_read *read = CONTAINER_OF(waiter, struct coordinator_read, waiter);
    if (status == STATUS_OK)
        read->result.received = 1;
    else
        coordinator_result_fail(&read->result, status);
    read->done(read, &read->result);
}

static void read_tell(const struct coordinator_read *read)
{
    const struct table *table = read->table;
    if (read->keys != NULL)
        trace_add(read->trace, TRACE_THREAD_READ, "Executing single-partition query on %.*s",
                  TRACE_NAME(table->name));
    else
        trace_add(read->trace, TRACE_THREAD_READ, "Executing seq scan on %.*s",
                  TRACE_NAME(table->name));
}

static enum status read_keys(struct coordinator_read *read)
{
    bool enough = false;
    for (size_t i = 0; i < read->key_count && !enough; i++) {
        struct partition_iterator *partition = NULL;
        enum status status =
            engine_read(read->coordinator->engine, read->table, &read->keys[i], &read->filter,
                        &read->pins, &read->arena, &partition, &read->position);
        if (status != STATUS_OK) return status;
        if (partition == NULL) continue;
        status = read->consume(read, partition, &enough);
        partition_iterator_close(partition);
        if (status != STATUS_OK && status != STATUS_END) return status;
    }
    return STATUS_OK;
}

static enum status open_scan(struct coordinator_read *read, struct scan_iterator **scan)
{
    struct engine *engine = read->coordinator->engine;
    if (slice_is_null(read->index_key))
        return engine_scan(engine, read->table, &read->range, &read->filter, &read->pins,
                           &read->arena, scan, &read->position);
    struct engine_index_query query = {read->index, read->index_key, read->now_s};
    return engine_index_scan(engine, read->table, &query, &read->range, &read->filter, &read->pins,
                             &read->arena, scan, &read->position);
}

static enum status read_range(struct coordinator_read *read)
{
    struct scan_iterator *scan = NULL;
    enum status status = open_scan(read, &scan);
    if (status != STATUS_OK) return status;
    bool enough = false;
    while (status == STATUS_OK && !enough) {
        struct partition_iterator *partition = NULL;
        status = scan_iterator_next(scan, &partition);
        if (status != STATUS_OK) break;
        status = read->consume(read, partition, &enough);
        partition_iterator_close(partition);
        if (status == STATUS_END) status = STATUS_OK;
    }
    scan_iterator_close(scan);
    return status == STATUS_END ? STATUS_OK : status;
}

static void read_loaded(struct engine_load *load, enum status status);

// True: it is over, `result` says how. False: something is waited for, then `done` is called.
static bool read_step(struct coordinator_read *read)
{
    struct coordinator *coordinator = read->coordinator;
    arena_reset(&read->arena);
    if (read->trace != NULL) read_tell(read);
    read->restart(read);
    enum status status = read->keys != NULL ? read_keys(read) : read_range(read);
    if (status == STATUS_WOULD_BLOCK) {
        env_mark(coordinator->env, ENV_MARK_READ_LOADING);
        trace_add(read->trace, TRACE_THREAD_READ, "Waiting for data from disk");
        engine_load(coordinator->engine, &read->load, &read->pins, read_loaded);
        return false;
    }
    read_let_go(read);
    if (status != STATUS_OK) {
        coordinator_result_fail(&read->result, status);
        return true;
    }
    // Invariant 3: nothing is shown that a crash could take back. Mostly it is synced already.
    if (read->position > engine_synced_position(coordinator->engine)) {
        env_mark(coordinator->env, ENV_MARK_READ_SYNCING);
        engine_wait_synced(coordinator->engine, &read->waiter, read->position, read_synced);
        return false;
    }
    read->result.received = 1;
    return true;
}

static void read_loaded(struct engine_load *load, enum status status)
{
    struct coordinator_read *read = CONTAINER_OF(load, struct coordinator_read, load);
    if (status == STATUS_OK) {
        if (read_step(read)) env_task_post(read->coordinator->env, &read->task, read_task_run);
        return;
    }
    coordinator_result_fail(&read->result, status);
    read_let_go(read);
    read->done(read, &read->result);
}

// Paxos has done its part before it reads (ring/paxos).
static enum consistency read_consistency(enum consistency consistency)
{
    if (consistency == CONSISTENCY_SERIAL) return CONSISTENCY_QUORUM;
    return consistency == CONSISTENCY_LOCAL_SERIAL ? CONSISTENCY_LOCAL_QUORUM : consistency;
}

// Enough replicas live; sets `read->result` in either case.
static bool read_plan(struct coordinator *coordinator, struct coordinator_read *read,
                      enum consistency consistency, bool *is_local)
{
    const struct coordinator_options *options = &coordinator->options;
    *is_local = true;
    bool is_ring = options->messaging != NULL && options->placement != NULL &&
                   placement_topology(options->placement) != NULL;
    bool is_enough = is_ring ? remote_plan_check(coordinator, read, consistency, is_local)
                             : coordinator_replicas_suffice(coordinator, read->table, consistency,
                                                            &read->result);
    return is_enough;
}

bool coordinator_read_try(struct coordinator *coordinator, struct coordinator_read *read,
                          enum consistency consistency,
                          void (*done)(struct coordinator_read *read,
                                       const struct coordinator_result *result))
{
    env_mark(coordinator->env, ENV_MARK_READ_STARTED);
    read->done = done;
    read->coordinator = coordinator;
    read->position = 0;
    read->trace = coordinator->trace;
    read->goes_on = false;
    read->remote = NULL;
    read->task = (struct env_task){0};
    read->waiter = (struct commit_log_waiter){0};
    read_pins_init(&read->pins);
    arena_init(&read->arena, COORDINATOR_ARENA_BLOCK_SIZE);
    bool is_local;
    enum consistency level = read_consistency(consistency);
    bool is_enough = read_plan(coordinator, read, level, &is_local);
    read->result.consistency = consistency;
    if (!is_enough) return true;
    if (!is_local) return remote_read_start(coordinator, read, level);
    coordinator_take_arena(coordinator, &read->arena);
    coordinator->counts.local_reads++;
    return read_step(read);
}

void coordinator_read_start(struct coordinator *coordinator, struct coordinator_read *read,
                            enum consistency consistency,
                            void (*done)(struct coordinator_read *read,
                                         const struct coordinator_result *result))
{
    if (coordinator_read_try(coordinator, read, consistency, done))
        env_task_post(coordinator->env, &read->task, read_task_run);
}

void coordinator_read_abandon(struct coordinator_read *read)
{
    if (read->coordinator == NULL) return; // It was not started.
    if (read->remote != NULL) remote_read_abandon(read->remote);
    read_pins_release(&read->pins);
    arena_deinit(&read->arena);
}
