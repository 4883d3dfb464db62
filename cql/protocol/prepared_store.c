#include "cql/protocol/prepared_store.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/system/system_row.h"
#include "cql/system/system_tables.h"

#include <stdlib.h>

enum { ARENA_BLOCK_SIZE = 4096, PREPARED_IN_A_TURN = 32 };

struct stored {
    struct slice id, keyspace, text;
};

struct prepared_store {
    struct prepared_keeper keeper;
    struct query_processor *processor;
    const struct table *table;
    struct arena scratch; // Of one change.
    int64_t last_us;      // Of the last change: the next is later.
    // While it loads.
    bool is_loading, is_reading;
    struct coordinator_read read;
    struct arena loaded;
    struct stored *items;
    size_t count, capacity, next, size;
    struct env_task task;
    void (*found)(void *context, struct slice id, struct slice keyspace, struct slice text);
    void (*done)(void *context);
    void *context;
};

struct prepared_store *prepared_store_create(struct query_processor *processor)
{
    struct engine_table_stats stats;
    if (processor->engine == NULL || processor->coordinator == NULL ||
        processor->system_tables == NULL)
        return NULL;
    const struct table *table =
        schema_find_table(system_tables_schema(processor->system_tables), slice_of_text("system"),
                          slice_of_text("prepared_statements"));
    if (table == NULL || !engine_table_stats(processor->engine, table->id, &stats)) return NULL;
    struct prepared_store *store = calloc(1, sizeof *store);
    ASSERT(store != NULL);
    store->processor = processor;
    store->table = table;
    arena_init(&store->scratch, ARENA_BLOCK_SIZE);
    arena_init(&store->loaded, ARENA_BLOCK_SIZE);
    return store;
}

void prepared_store_destroy(struct prepared_store *store)
{
    if (store == NULL) return;
    env_task_cancel(store->processor->env, &store->task);
    if (store->is_reading) coordinator_read_abandon(&store->read);
    arena_deinit(&store->scratch);
    arena_deinit(&store->loaded);
    free(store);
}

bool prepared_store_is_loading(const struct prepared_store *store)
{
    return store != NULL && store->is_loading;
}

// ---- Changes -----------------------------------------------------------------------------------

// What is not written is prepared again by clients.
static void apply(struct prepared_store *store, const struct mutation *mutation)
{
    uint64_t position;
    enum status status = engine_apply(store->processor->engine, mutation, &position);
    (void)status;
    arena_reset(&store->scratch);
}

static void begin_row(struct prepared_store *store, struct slice id, struct system_row *row)
{
    int64_t now_us = env_wall_us(store->processor->env);
    store->last_us = now_us > store->last_us ? now_us : store->last_us + 1;
    system_row_begin(row, store->table, NULL, &store->scratch, store->last_us);
    system_row_set(row, "prepared_id", id);
}

static void keeper_put(struct prepared_keeper *keeper, struct slice id, struct slice keyspace,
                       struct slice text)
{
    struct prepared_store *store = CONTAINER_OF(keeper, struct prepared_store, keeper);
    if (text.size > PREPARED_STORE_TEXT_MAX) return;
    struct mutation mutation = {.table = store->table, .deletion = DELETION_NONE, .row_count = 1};
    struct system_row row;
    begin_row(store, id, &row);
    if (keyspace.size > 0) system_row_set(&row, "logged_keyspace", keyspace);
    system_row_set(&row, "query_string", text);
    struct row stored = system_row_take(&row, &mutation.key);
    mutation.rows = &stored;
    apply(store, &mutation);
}

void prepared_store_remove(struct prepared_store *store, struct slice id)
{
    struct system_row row;
    begin_row(store, id, &row);
    struct mutation mutation = {
        .table = store->table,
        .deletion = {row.timestamp, (int32_t)(row.timestamp / 1000000)},
    };
    (void)system_row_take(&row, &mutation.key);
    apply(store, &mutation);
}

static void keeper_remove(struct prepared_keeper *keeper, struct slice id)
{
    prepared_store_remove(CONTAINER_OF(keeper, struct prepared_store, keeper), id);
}

struct prepared_keeper *prepared_store_keeper(struct prepared_store *store)
{
    store->keeper = (struct prepared_keeper){keeper_put, keeper_remove};
    return &store->keeper;
}

// ---- Loading -----------------------------------------------------------------------------------

static struct slice value_of(const struct prepared_store *store, const struct row *row,
                             const char *name)
{
    const struct column *column = table_find_column(store->table, slice_of_text(name));
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (row->cells[i].column == column->index && !cell_is_tombstone(&row->cells[i]))
            return row->cells[i].value;
    return slice_make("", 0);
}

static bool is_newer(const struct row *row, const struct partition_iterator *partition)
{
    return row->liveness.timestamp != TIMESTAMP_NONE &&
           !deletion_deletes(partition->deletion, row->liveness.timestamp);
}

static void keep(struct prepared_store *store, const struct partition_iterator *partition,
                 const struct row *row)
{
    struct slice text = value_of(store, row, "query_string");
    if (!is_newer(row, partition) || text.size == 0 || store->count == CQL_PREPARED_MAX ||
        store->size + text.size > CQL_PREPARED_SIZE_MAX)
        return;
    if (store->count == store->capacity) {
        size_t capacity = store->capacity == 0 ? 64 : store->capacity * 2;
        struct stored *items = ARENA_NEW_ARRAY(&store->loaded, struct stored, capacity);
        if (store->count > 0) memcpy(items, store->items, store->count * sizeof *items);
        store->items = items;
        store->capacity = capacity;
    }
    store->size += text.size;
    store->items[store->count++] = (struct stored){
        arena_copy(&store->loaded, partition->key.bytes),
        arena_copy(&store->loaded, value_of(store, row, "logged_keyspace")),
        arena_copy(&store->loaded, text),
    };
}

static void restart(struct coordinator_read *read)
{
    struct prepared_store *store = CONTAINER_OF(read, struct prepared_store, read);
    arena_reset(&store->loaded);
    store->items = NULL;
    store->count = store->capacity = store->size = 0;
}

static enum status consume(struct coordinator_read *read, struct partition_iterator *partition,
                           bool *enough)
{
    struct prepared_store *store = CONTAINER_OF(read, struct prepared_store, read);
    (void)enough;
    for (;;) {
        struct unfiltered unfiltered;
        enum status status = partition_iterator_next(partition, &unfiltered);
        if (status != STATUS_OK) return status;
        if (!unfiltered.is_marker) keep(store, partition, unfiltered.row);
    }
}

static void end_loading(struct prepared_store *store)
{
    store->is_loading = false;
    arena_deinit(&store->loaded);
    arena_init(&store->loaded, ARENA_BLOCK_SIZE);
    store->done(store->context);
}

static void run_task(struct env_task *task)
{
    struct prepared_store *store = CONTAINER_OF(task, struct prepared_store, task);
    for (int i = 0; i < PREPARED_IN_A_TURN && store->next < store->count; i++) {
        const struct stored *item = &store->items[store->next++];
        store->found(store->context, item->id, item->keyspace, item->text);
    }
    if (store->next < store->count)
        env_task_post(store->processor->env, task, run_task);
    else
        end_loading(store);
}

static void is_read(struct coordinator_read *read, const struct coordinator_result *result)
{
    struct prepared_store *store = CONTAINER_OF(read, struct prepared_store, read);
    store->is_reading = false;
    if (result->outcome != COORDINATOR_OK) store->count = 0;
    env_task_post(store->processor->env, &store->task, run_task);
}

void prepared_store_load(struct prepared_store *store,
                         void (*found)(void *context, struct slice id, struct slice keyspace,
                                       struct slice text),
                         void (*done)(void *context), void *context)
{
    static const struct clustering_range all_rows = {{BOUND_INCL_START, {0, NULL}},
                                                     {BOUND_INCL_END, {0, NULL}}};
    store->found = found;
    store->done = done;
    store->context = context;
    store->is_loading = store->is_reading = true;
    store->read = (struct coordinator_read){
        .restart = restart,
        .consume = consume,
        .table = store->table,
        .range = SCAN_RANGE_ALL,
        .filter = {&all_rows, 1, false, false},
        .now_s = (int32_t)(env_wall_us(store->processor->env) / 1000000),
    };
    coordinator_read_start(store->processor->coordinator, &store->read, CONSISTENCY_ONE, is_read);
}
