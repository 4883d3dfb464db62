// Building indexes of tables that have data: one index at a time, a slice of the base table in each
// turn of the loop.
//
//     STEPPING --miss--> LOADING --loaded--> STEPPING ... --behind the last row--> marked, the next
//         \--no room, a fault--> WAITING --> STEPPING
//
// What is written meanwhile is in the index already (engine_index_mutation()), so the place where a
// slice ended need not be kept over a restart: an index that is not marked is built from the
// beginning.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "storage/engine/engine_index_internal.h"

#include <stdlib.h>

enum { SLICE_ROWS_MAX = 200, ARENA_BLOCK_SIZE = 4096 };
#define RETRY_NS UINT64_C(100000000)

struct engine_index_builder {
    struct engine *engine;
    struct env_task task;
    struct env_timer timer;
    struct engine_load load;
    struct read_pins pins;
    struct arena arena, place_arena;
    struct uuid base, index; // What is built; looked for anew in each step.
    bool has_index, is_loading, is_stopped;
    // Behind the last row that is in.
    bool has_place, in_partition, has_moved; // The latter: in this slice.
    struct partition_key key;
    struct clustering clustering;
};

static void builder_step(struct env_task *task);

static void builder_post(struct engine_index_builder *builder)
{
    env_task_post(builder->engine->env, &builder->task, builder_step);
}

static void builder_wait_over(struct env_timer *timer)
{
    builder_post(CONTAINER_OF(timer, struct engine_index_builder, timer));
}

// ---- The place ----------------------------------------------------------------------------------

static void builder_set_place(struct engine_index_builder *builder, struct slice key,
                              const struct clustering *clustering)
{
    struct arena *arena = &builder->place_arena;
    arena_reset(arena);
    builder->key = partition_key_make(arena_copy(arena, key));
    builder->has_place = builder->has_moved = true;
    builder->in_partition = clustering != NULL;
    if (clustering == NULL) return;
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, clustering->count);
    for (uint16_t i = 0; i < clustering->count; i++)
        values[i] = slice_is_null(clustering->values[i]) ? slice_null()
                                                         : arena_copy(arena, clustering->values[i]);
    builder->clustering = (struct clustering){clustering->count, values};
}

// ---- What is next -------------------------------------------------------------------------------

static bool builder_find_in(struct engine_index_builder *builder, const struct engine_table *table)
{
    // It would be built before all that is to be in it has come.
    if (table->index_count == 0 || engine_import_is_under_way(builder->engine, table->table->id))
        return false;
    for (size_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].hidden == NULL || table->indexes[i].is_built) continue;
        builder->base = table->table->id;
        builder->index = table->indexes[i].id;
        builder->has_index = true;
        builder->has_place = builder->in_partition = false;
        return true;
    }
    return false;
}

static bool builder_find(struct engine_index_builder *builder, struct engine_table **base,
                         struct engine_index **index)
{
    struct engine *engine = builder->engine;
    if (builder->has_index) {
        *base = engine_find_table(engine, builder->base);
        *index = *base == NULL ? NULL : engine_index_find(*base, builder->index);
        builder->has_index = *index != NULL && (*index)->hidden != NULL && !(*index)->is_built;
    }
    for (size_t b = 0; b < ENGINE_TABLE_BUCKETS && !builder->has_index; b++)
        for (*base = engine->buckets[b]; *base != NULL && !builder->has_index;
             *base = (*base)->next)
            if (builder_find_in(builder, *base)) break;
    if (!builder->has_index) return false;
    *base = engine_find_table(engine, builder->base);
    *index = engine_index_find(*base, builder->index);
    return true;
}

// ---- A slice ------------------------------------------------------------------------------------

// The rows of one partition. OK: all are in; END: the slice is full. Deletions of ranges count, but
// are no place to go on from: of these a slice may be longer.
static enum status builder_add_partition(struct engine_index_builder *builder,
                                         struct engine_index *index,
                                         struct partition_iterator *partition, size_t *count)
{
    enum status status = STATUS_OK;
    bool goes_on = builder->in_partition;
    if (!goes_on && partition->static_row != NULL)
        status = engine_index_put_row(index, &partition->key, partition->static_row, true);
    while (status == STATUS_OK) {
        struct unfiltered unfiltered;
        status = partition_iterator_next(partition, &unfiltered);
        if (status == STATUS_END) break;
        if (status != STATUS_OK) return status;
        if (++*count > SLICE_ROWS_MAX && builder->has_moved) return STATUS_END;
        if (unfiltered.is_marker) continue;
        status = engine_index_put_row(index, &partition->key, unfiltered.row, false);
        if (status == STATUS_OK)
            builder_set_place(builder, partition->key.bytes, &unfiltered.row->clustering);
    }
    if (status != STATUS_END) return status;
    builder_set_place(builder, partition->key.bytes, NULL);
    ++*count;
    return STATUS_OK;
}

// The rest of the partition in which the last slice ended.
static enum status builder_finish_partition(struct engine_index_builder *builder,
                                            struct engine_table *base, struct engine_index *index,
                                            size_t *count)
{
    struct clustering_range rest = {{BOUND_EXCL_START, builder->clustering}, BOUND_TOP};
    struct partition_filter filter = {&rest, 1, false, false};
    struct partition_iterator *partition = NULL;
    uint64_t position = 0;
    // The place moves on while it is read.
    struct partition_key key = {builder->key.token,
                                arena_copy(&builder->arena, builder->key.bytes)};
    enum status status = engine_read(builder->engine, base->table, &key, &filter, &builder->pins,
                                     &builder->arena, &partition, &position);
    if (status == STATUS_OK && partition != NULL)
        status = builder_add_partition(builder, index, partition, count);
    partition_iterator_close(partition);
    if (status == STATUS_OK) builder->in_partition = false;
    return status;
}

// END: nothing is left. OK: more is.
static enum status builder_add_slice(struct engine_index_builder *builder,
                                     struct engine_table *base, struct engine_index *index)
{
    size_t count = 0;
    enum status status = STATUS_OK;
    builder->has_moved = false;
    if (builder->in_partition) status = builder_finish_partition(builder, base, index, &count);
    if (status != STATUS_OK) return status == STATUS_END ? STATUS_OK : status;
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&all, 1, false, true};
    struct scan_range range = SCAN_RANGE_ALL;
    if (builder->has_place)
        range.start = (struct scan_bound){builder->key.token,
                                          arena_copy(&builder->arena, builder->key.bytes), false};
    struct scan_iterator *scan = NULL;
    uint64_t position = 0;
    status = engine_scan(builder->engine, base->table, &range, &filter, &builder->pins,
                         &builder->arena, &scan, &position);
    if (status != STATUS_OK) return status;
    while (status == STATUS_OK && count < SLICE_ROWS_MAX) {
        struct partition_iterator *partition;
        status = scan_iterator_next(scan, &partition);
        if (status != STATUS_OK) break;
        status = builder_add_partition(builder, index, partition, &count);
        partition_iterator_close(partition);
        if (status == STATUS_END) { // Full.
            status = STATUS_OK;
            break;
        }
    }
    scan_iterator_close(scan);
    return status;
}

static void builder_loaded(struct engine_load *load, enum status status)
{
    struct engine_index_builder *builder = CONTAINER_OF(load, struct engine_index_builder, load);
    builder->is_loading = false;
    if (builder->is_stopped) return;
    if (status == STATUS_OK) {
        builder_post(builder);
        return;
    }
    read_pins_release(&builder->pins);
    env_timer_start(builder->engine->env, &builder->timer, RETRY_NS, builder_wait_over);
}

static void builder_step(struct env_task *task)
{
    struct engine_index_builder *builder = CONTAINER_OF(task, struct engine_index_builder, task);
    struct engine *engine = builder->engine;
    struct engine_table *base;
    struct engine_index *index;
    if (builder->is_stopped || builder->is_loading || !builder_find(builder, &base, &index)) return;
    arena_reset(&builder->arena);
    enum status status = engine_check_room(engine);
    if (status == STATUS_OK) status = builder_add_slice(builder, base, index);
    if (status == STATUS_WOULD_BLOCK) {
        builder->is_loading = true;
        engine_load(engine, &builder->load, &builder->pins, builder_loaded);
        return;
    }
    read_pins_release(&builder->pins);
    if (status == STATUS_END) {
        status = engine_index_set_built(index);
        builder->has_index = false;
    }
    if (status == STATUS_OK)
        builder_post(builder);
    else
        env_timer_start(engine->env, &builder->timer, RETRY_NS, builder_wait_over);
}

// ---- Its life -----------------------------------------------------------------------------------

static bool has_indexes(const struct engine *engine)
{
    for (size_t b = 0; b < ENGINE_TABLE_BUCKETS; b++)
        for (const struct engine_table *t = engine->buckets[b]; t != NULL; t = t->next)
            if (t->index_count > 0) return true;
    return false;
}

void engine_index_build(struct engine *engine)
{
    struct engine_index_builder *builder = engine->indexes.builder;
    if (engine->is_closing || (builder == NULL && !has_indexes(engine))) return;
    if (builder == NULL) {
        builder = calloc(1, sizeof *builder);
        ASSERT(builder != NULL);
        builder->engine = engine;
        arena_init(&builder->arena, ARENA_BLOCK_SIZE);
        arena_init(&builder->place_arena, ARENA_BLOCK_SIZE);
        read_pins_init(&builder->pins);
        engine->indexes.builder = builder;
    }
    if (!builder->is_loading) builder_post(builder);
}

void engine_index_build_anew(struct engine *engine, const struct engine_table *base)
{
    struct engine_index_builder *builder = engine->indexes.builder;
    if (builder != NULL && builder->has_index && uuid_equals(builder->base, base->table->id))
        builder->has_index = false;
    engine_index_build(engine);
}

void engine_index_build_stop(struct engine *engine)
{
    struct engine_index_builder *builder = engine->indexes.builder;
    if (builder == NULL) return;
    builder->is_stopped = true;
    env_task_cancel(engine->env, &builder->task);
    env_timer_stop(engine->env, &builder->timer);
}

void engine_index_build_abandon(struct engine *engine)
{
    struct engine_index_builder *builder = engine->indexes.builder;
    if (builder == NULL) return;
    engine_index_build_stop(engine);
    read_pins_release(&builder->pins);
    arena_deinit(&builder->arena);
    arena_deinit(&builder->place_arena);
    free(builder);
    engine->indexes.builder = NULL;
}
