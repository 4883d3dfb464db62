#include "ring/coordinator.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"

#include <stdlib.h>

enum {
    ARENA_BLOCK_SIZE = 16384,
    FREE_ARENAS_MAX = 16,
    KEPT_ARENA_SIZE_MAX = 65536, // A larger one is not kept for the next operation.
};

struct coordinator {
    struct env *env;
    struct engine *engine;
    const struct schema *schema;
    // An operation needs its arena only while it reads or applies, so one or two serve for all.
    struct arena free_arenas[FREE_ARENAS_MAX];
    size_t free_arena_count;
};

struct coordinator *coordinator_create(struct env *env, struct engine *engine,
                                       const struct schema *schema)
{
    struct coordinator *coordinator = calloc(1, sizeof *coordinator);
    ASSERT(coordinator != NULL);
    coordinator->env = env;
    coordinator->engine = engine;
    coordinator->schema = schema;
    return coordinator;
}

void coordinator_destroy(struct coordinator *coordinator)
{
    if (coordinator == NULL) return;
    while (coordinator->free_arena_count > 0)
        arena_deinit(&coordinator->free_arenas[--coordinator->free_arena_count]);
    free(coordinator);
}

// ---- Arenas -------------------------------------------------------------------------------------

static void take_arena(struct coordinator *coordinator, struct arena *arena)
{
    if (coordinator->free_arena_count > 0)
        *arena = coordinator->free_arenas[--coordinator->free_arena_count];
    else
        arena_init(arena, ARENA_BLOCK_SIZE);
}

// The arena is empty afterwards, and may be given back again.
static void give_arena(struct coordinator *coordinator, struct arena *arena)
{
    if (arena->blocks == NULL) return;
    arena_reset(arena);
    if (arena_size(arena) > KEPT_ARENA_SIZE_MAX ||
        coordinator->free_arena_count == FREE_ARENAS_MAX) {
        arena_deinit(arena);
        return;
    }
    coordinator->free_arenas[coordinator->free_arena_count++] = *arena;
    arena_init(arena, ARENA_BLOCK_SIZE);
}

static int number_of_text(struct slice text)
{
    int number = 0;
    for (size_t i = 0; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        if (number > 1000000) break;
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

// Every option but the class is a factor: SimpleStrategy's one, or one for each data centre.
int coordinator_replication_factor(const struct keyspace *keyspace)
{
    int factor = 0;
    bool local = false;
    for (size_t i = 0; i < keyspace->replication.count; i++) {
        const struct option *option = &keyspace->replication.items[i];
        if (!slice_equals(option->key, slice_of_text("class"))) {
            factor += number_of_text(option->value);
            continue;
        }
        struct slice strategy = slice_of_text("org.apache.cassandra.locator.LocalStrategy");
        local = slice_equals(option->value, strategy);
    }
    return local ? 1 : factor;
}

// The only node alive is this one, and it is a replica of every key as soon as there is one at all.
static bool replicas_suffice(const struct coordinator *coordinator, const struct table *table,
                             enum consistency consistency, struct coordinator_result *result)
{
    const struct keyspace *keyspace = schema_find_keyspace(coordinator->schema, table->keyspace);
    int factor = keyspace == NULL ? 1 : coordinator_replication_factor(keyspace);
    int alive = factor > 0 ? 1 : 0;
    int required = consistency_required(consistency, factor);
    *result = (struct coordinator_result){
        .outcome = alive >= required ? COORDINATOR_OK : COORDINATOR_UNAVAILABLE,
        .consistency = consistency,
        .required = required,
        .alive = alive,
    };
    return alive >= required;
}

// How a fault of the local engine looks from outside. WOULD_BLOCK never comes here.
static void result_fail(struct coordinator_result *result, enum status status)
{
    result->outcome = status == STATUS_OVERLOADED ? COORDINATOR_OVERLOADED : COORDINATOR_FAILED;
    result->failures = 1;
}

// ---- Writes -------------------------------------------------------------------------------------

static void write_task_run(struct env_task *task)
{
    struct coordinator_write *write = CONTAINER_OF(task, struct coordinator_write, task);
    write->done(write, &write->result);
}

static void write_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct coordinator_write *write = CONTAINER_OF(waiter, struct coordinator_write, waiter);
    if (status == STATUS_OK)
        write->result.received = 1;
    else
        result_fail(&write->result, status);
    write->done(write, &write->result);
}

void coordinator_write_start(struct coordinator *coordinator, struct coordinator_write *write,
                             const struct mutation *mutations, size_t count,
                             enum consistency consistency,
                             void (*done)(struct coordinator_write *write,
                                          const struct coordinator_result *result))
{
    write->done = done;
    write->coordinator = coordinator;
    write->task = (struct env_task){0};
    write->waiter = (struct commit_log_waiter){0};
    write->result = (struct coordinator_result){.consistency = consistency};
    uint64_t position = 0;
    env_mark(coordinator->env, ENV_MARK_WRITE_STARTED);
    // Whoever can not be served is found before anything is written.
    for (size_t i = 0; i < count && write->result.outcome == COORDINATOR_OK; i++) {
        if (i > 0 && mutations[i].table == mutations[i - 1].table) continue;
        (void)replicas_suffice(coordinator, mutations[i].table, consistency, &write->result);
    }
    for (size_t i = 0; i < count && write->result.outcome == COORDINATOR_OK; i++) {
        enum status status = engine_apply(coordinator->engine, &mutations[i], &position);
        if (status != STATUS_OK) result_fail(&write->result, status);
    }
    if (write->result.outcome == COORDINATOR_OK && count > 0) {
        env_mark(coordinator->env, ENV_MARK_WRITE_SYNCING);
        engine_wait_synced(coordinator->engine, &write->waiter, position, write_synced);
    } else {
        env_mark(coordinator->env, ENV_MARK_WRITE_REFUSED);
        env_task_post(coordinator->env, &write->task, write_task_run);
    }
}

// ---- Increments ---------------------------------------------------------------------------------

static void increment_let_go(struct coordinator_increment *increment)
{
    read_pins_release(&increment->pins);
    give_arena(increment->coordinator, &increment->arena);
}

static void increment_end(struct coordinator_increment *increment)
{
    increment_let_go(increment);
    increment->done(increment, &increment->result);
}

static void increment_task_run(struct env_task *task)
{
    increment_end(CONTAINER_OF(task, struct coordinator_increment, task));
}

static void increment_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct coordinator_increment *increment =
        CONTAINER_OF(waiter, struct coordinator_increment, waiter);
    if (status == STATUS_OK)
        increment->result.received = 1;
    else
        result_fail(&increment->result, status);
    increment_end(increment);
}

static void increment_loaded(struct engine_load *load, enum status status);

// Applies what is left, in one turn of the loop for each partition (invariant 8). A part that
// misses the cache is loaded and tried again; what was applied before it is not applied twice.
static void increment_step(struct coordinator_increment *increment)
{
    struct coordinator *coordinator = increment->coordinator;
    while (increment->applied_count < increment->update_count) {
        const struct counter_update *update = &increment->updates[increment->applied_count];
        enum status status = engine_increment(coordinator->engine, update, &increment->pins,
                                              &increment->arena, NULL, &increment->position);
        if (status == STATUS_WOULD_BLOCK) {
            env_mark(coordinator->env, ENV_MARK_INCREMENT_LOADING);
            engine_load(coordinator->engine, &increment->load, &increment->pins, increment_loaded);
            return;
        }
        if (status != STATUS_OK) {
            result_fail(&increment->result, status);
            env_task_post(coordinator->env, &increment->task, increment_task_run);
            return;
        }
        increment->applied_count++;
    }
    env_mark(coordinator->env, ENV_MARK_INCREMENT_SYNCING);
    engine_wait_synced(coordinator->engine, &increment->waiter, increment->position,
                       increment_synced);
}

static void increment_loaded(struct engine_load *load, enum status status)
{
    struct coordinator_increment *increment =
        CONTAINER_OF(load, struct coordinator_increment, load);
    if (status == STATUS_OK) {
        increment_step(increment);
        return;
    }
    result_fail(&increment->result, status);
    increment_end(increment);
}

void coordinator_increment_start(
    struct coordinator *coordinator, struct coordinator_increment *increment,
    const struct counter_update *updates, size_t count, enum consistency consistency,
    void (*done)(struct coordinator_increment *increment, const struct coordinator_result *result))
{
    increment->done = done;
    increment->coordinator = coordinator;
    increment->updates = updates;
    increment->update_count = count;
    increment->applied_count = 0;
    increment->position = 0;
    increment->task = (struct env_task){0};
    increment->waiter = (struct commit_log_waiter){0};
    increment->result = (struct coordinator_result){.consistency = consistency};
    read_pins_init(&increment->pins);
    take_arena(coordinator, &increment->arena);
    for (size_t i = 0; i < count && increment->result.outcome == COORDINATOR_OK; i++) {
        if (i > 0 && updates[i].table == updates[i - 1].table) continue;
        (void)replicas_suffice(coordinator, updates[i].table, consistency, &increment->result);
    }
    env_mark(coordinator->env, ENV_MARK_INCREMENT_STARTED);
    if (increment->result.outcome == COORDINATOR_OK && count > 0)
        increment_step(increment);
    else
        env_task_post(coordinator->env, &increment->task, increment_task_run);
}

// ---- Reads --------------------------------------------------------------------------------------

static void read_let_go(struct coordinator_read *read)
{
    read_pins_release(&read->pins);
    give_arena(read->coordinator, &read->arena);
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
        result_fail(&read->result, status);
    read->done(read, &read->result);
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

static enum status read_range(struct coordinator_read *read)
{
    struct scan_iterator *scan = NULL;
    enum status status =
        engine_scan(read->coordinator->engine, read->table, &read->range, &read->filter,
                    &read->pins, &read->arena, &scan, &read->position);
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
    read->restart(read);
    enum status status = read->keys != NULL ? read_keys(read) : read_range(read);
    if (status == STATUS_WOULD_BLOCK) {
        env_mark(coordinator->env, ENV_MARK_READ_LOADING);
        engine_load(coordinator->engine, &read->load, &read->pins, read_loaded);
        return false;
    }
    read_let_go(read);
    if (status != STATUS_OK) {
        result_fail(&read->result, status);
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
    result_fail(&read->result, status);
    read_let_go(read);
    read->done(read, &read->result);
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
    read->task = (struct env_task){0};
    read->waiter = (struct commit_log_waiter){0};
    read_pins_init(&read->pins);
    if (!replicas_suffice(coordinator, read->table, consistency, &read->result)) {
        arena_init(&read->arena, ARENA_BLOCK_SIZE);
        return true;
    }
    take_arena(coordinator, &read->arena);
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

// ---- The end of a simulated crash ---------------------------------------------------------------

void coordinator_read_abandon(struct coordinator_read *read)
{
    if (read->coordinator == NULL) return; // It was not started.
    read_pins_release(&read->pins);
    arena_deinit(&read->arena);
}

void coordinator_increment_abandon(struct coordinator_increment *increment)
{
    if (increment->coordinator == NULL) return; // It was not started.
    read_pins_release(&increment->pins);
    arena_deinit(&increment->arena);
}
