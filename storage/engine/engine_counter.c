// Increments at the leader (org.apache.cassandra.db.CounterMutation): find the node's own shard of
// each cell, add, and write the result. All in one turn of the loop (invariant 8).
//
// The own shard is the newest there is: what the cache has (counter_cache.h), or else the newest of
// all that are found in the memtables and in the SSTables. A newer memtable, or a newer SSTable,
// may hold an older shard: others give back what they had from us, by a hint or a read repair,
// after we flushed the newer one. Deletions of the row, a range or the partition are not applied to
// it: as Cassandra's counter cache does, counting goes on from the old number.
#include "base/assert.h"
#include "base/env_marks.h"
#include "storage/counter_context.h"
#include "storage/engine/engine_internal.h"
#include "storage/uuid.h"

#include <stdlib.h>

// One cell of an update.
struct planned {
    const struct clustering *clustering; // NULL: the static row.
    uint16_t column;
    int64_t delta;
    int64_t clock, count; // The own shard: before, then after.
    bool found;
    struct counter_cache_key key;
    struct slice others; // Shards of others in cells that have no own one; empty: none were seen.
};

// ---- The own shard -----------------------------------------------------------------------------

// The cell's bytes may go with the next one: what is kept of them is copied.
static void note_others(struct arena *arena, struct slice context, struct planned *planned)
{
    struct slice merged = context;
    if (planned->others.size > 0)
        merged = counter_context_merge(planned->others, context, arena, NULL);
    planned->others = merged.data == context.data ? arena_copy(arena, merged) : merged;
}

static bool cell_find_shard(struct engine *engine, const struct cell *cell, struct planned *planned)
{
    struct counter_shard shard;
    if (cell == NULL || cell_is_tombstone(cell)) return false;
    if (!counter_context_find(cell->value, engine->counter_id.id, &shard)) {
        note_others(&engine->scratch, cell->value, planned);
        return false;
    }
    if (planned->found && shard.clock <= planned->clock) return true;
    planned->clock = shard.clock;
    planned->count = shard.count;
    planned->found = true;
    return true;
}

static bool memtable_find_shard(const struct engine_table *table, const struct memtable *memtable,
                                const struct partition_key *key, struct planned *planned)
{
    uint16_t column = planned->column;
    const struct table *version = memtable_table(memtable);
    if (version != table->table) {
        enum column_kind kind = planned->clustering == NULL ? COLUMN_STATIC : COLUMN_REGULAR;
        const struct column *found =
            table_find_column(version, table->table->columns[kind][column].name);
        if (found == NULL || found->kind != kind) return false;
        column = found->index;
    }
    return cell_find_shard(table->engine,
                           memtable_find_cell(memtable, key, planned->clustering, column), planned);
}

static void memtables_find_shard(const struct engine_table *table, const struct partition_key *key,
                                 struct planned *planned)
{
    struct env *env = table->engine->env;
    if (memtable_find_shard(table, table->active, key, planned))
        env_mark(env, ENV_MARK_SHARD_IN_MEMTABLE);
    for (const struct engine_frozen *f = table->frozen; f != NULL; f = f->next) {
        if (f->log_position > table->truncated_position &&
            memtable_find_shard(table, f->memtable, key, planned))
            env_mark(env, ENV_MARK_SHARD_IN_FROZEN);
    }
}

// What the cache has is the newest there is, unless a memtable has a clock that was never given:
// then the disk has lost what others still have, and the higher one counts.
static bool cache_find_shard(const struct engine_table *table, struct planned *planned)
{
    const struct engine *engine = table->engine;
    int64_t count;
    if (!counter_cache_find(engine->counter_cache, planned->key, &count)) return false;
    if (planned->found && planned->clock > engine->counter_id.clock_max) return true;
    if (!planned->found || count != planned->count) env_mark(engine->env, ENV_MARK_SHARD_IN_CACHE);
    planned->count = count;
    planned->found = true;
    return true;
}

static void row_find_shard(struct engine *engine, const struct row *row, struct planned *planned)
{
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (row->cells[i].column == planned->column)
            (void)cell_find_shard(engine, &row->cells[i], planned);
    }
}

static enum status sstable_find_shard(struct engine_table *table, struct sstable_reader *reader,
                                      const struct partition_key *key, struct planned *planned,
                                      struct read_pins *pins)
{
    struct engine *engine = table->engine;
    struct clustering_range range;
    struct partition_filter filter = {.with_static = planned->clustering == NULL};
    if (planned->clustering != NULL) {
        range.start = (struct bound){BOUND_INCL_START, *planned->clustering};
        range.end = (struct bound){BOUND_INCL_END, *planned->clustering};
        filter.ranges = &range;
        filter.range_count = 1;
    }
    struct partition_iterator *partition;
    enum status status = sstable_read(reader, table->table, key, &filter, engine->chunk_cache, pins,
                                      &engine->scratch, &partition, NULL);
    if (status != STATUS_OK || partition == NULL) return status;
    if (planned->clustering == NULL && partition->static_row != NULL)
        row_find_shard(engine, partition->static_row, planned);
    struct unfiltered unfiltered;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        if (!unfiltered.is_marker) row_find_shard(engine, unfiltered.row, planned);
    }
    partition_iterator_close(partition);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status find_shard(struct engine_table *table, const struct partition_key *key,
                              struct planned *planned, struct read_pins *pins)
{
    planned->clock = planned->count = 0;
    planned->found = false;
    planned->others = slice_null();
    memtables_find_shard(table, key, planned);
    // What was deleted before it ever left memory is no longer counted on.
    if (!planned->found && table->sstable_count == 0) return STATUS_OK;
    if (cache_find_shard(table, planned)) return STATUS_OK;
    bool was_found = planned->found;
    bool some_miss = false;
    for (size_t i = 0; i < table->sstable_count; i++) {
        struct sstable_reader *reader = table->sstables[i].reader;
        enum status status = sstable_find_shard(table, reader, key, planned, pins);
        if (status == STATUS_WOULD_BLOCK && !read_pins_are_full(pins)) {
            some_miss = true; // What the others miss is loaded with it.
        } else if (status != STATUS_OK) {
            return status;
        }
    }
    if (some_miss) return STATUS_WOULD_BLOCK;
    if (!was_found)
        env_mark(table->engine->env,
                 planned->found ? ENV_MARK_SHARD_IN_SSTABLE : ENV_MARK_SHARD_MISSING);
    return STATUS_OK;
}

// A cell that would get one more may not have it.
static bool has_all_shards(const struct planned *planned)
{
    return !planned->found && counter_context_shard_count(planned->others) >= COUNTER_SHARDS_MAX;
}

// ---- The update --------------------------------------------------------------------------------

static int compare_planned(const void *a, const void *b, void *context)
{
    const struct planned *left = a, *right = b;
    if ((left->clustering == NULL) != (right->clustering == NULL))
        return left->clustering == NULL ? -1 : 1;
    int order = left->clustering == NULL
                    ? 0
                    : clustering_compare(context, left->clustering, right->clustering);
    return order != 0 ? order : (left->column > right->column) - (left->column < right->column);
}

// The increments in the order of the partition, each cell once. Columns that the table no longer
// has are left out.
static struct planned *plan(struct engine_table *table, const struct counter_update *update,
                            size_t *count)
{
    struct planned *planned =
        arena_alloc(&table->engine->scratch, update->increment_count * sizeof *planned);
    size_t kept = 0;
    for (size_t i = 0; i < update->increment_count; i++) {
        const struct counter_increment *increment = &update->increments[i];
        uint16_t index = increment->column;
        if (update->table != table->table) {
            enum column_kind kind = increment->clustering == NULL ? COLUMN_STATIC : COLUMN_REGULAR;
            const struct column *column =
                table_find_column(table->table, update->table->columns[kind][index].name);
            if (column == NULL || column->kind != kind) continue;
            index = column->index;
        }
        planned[kept++] = (struct planned){
            .clustering = increment->clustering, .column = index, .delta = increment->delta};
    }
    if (kept > 1)
        qsort_r(planned, kept, sizeof *planned, compare_planned, (void *)(uintptr_t)table->table);
    size_t merged = 0;
    for (size_t i = 0; i < kept; i++) {
        if (merged > 0 && compare_planned(&planned[merged - 1], &planned[i],
                                          (void *)(uintptr_t)table->table) == 0) {
            planned[merged - 1].delta =
                (int64_t)((uint64_t)planned[merged - 1].delta + (uint64_t)planned[i].delta);
        } else {
            planned[merged++] = planned[i];
        }
    }
    *count = merged;
    return planned;
}

// max(now, clock + 1), where the clock is the highest of this id and not the shard's own, which the
// cache does not keep; and where there is no shard, one may live on elsewhere that was deleted
// here.
static void count_on(struct engine *engine, struct planned *planned, int64_t now_us)
{
    int64_t before = engine->counter_id.clock_max;
    if (planned->found && planned->clock > before) before = planned->clock;
    planned->clock = now_us > before ? now_us : before + 1;
    planned->count = (int64_t)((uint64_t)planned->count + (uint64_t)planned->delta);
    if (planned->clock > engine->counter_id.clock_max)
        engine->counter_id.clock_max = planned->clock;
}

static void make_row(struct row *row, const struct planned *planned)
{
    *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
    if (planned->clustering != NULL) row->clustering = *planned->clustering;
}

static void make_mutation(struct engine_table *table, const struct counter_update *update,
                          const struct planned *planned, size_t count, struct arena *arena,
                          struct mutation *mutation)
{
    struct cell *cells = arena_alloc(arena, count * sizeof *cells);
    uint8_t *contexts = arena_alloc(arena, count * COUNTER_SINGLE_SHARD_SIZE);
    struct row *rows = arena_alloc(arena, count * sizeof *rows);
    *mutation = (struct mutation){
        .table = table->table, .key = update->key, .deletion = DELETION_NONE, .rows = rows};
    struct row *row = NULL, *static_row = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct planned *p = &planned[i];
        uint8_t *context = contexts + i * COUNTER_SINGLE_SHARD_SIZE;
        counter_context_make_global(table->engine->counter_id.id, p->clock, p->count, context);
        cells[i] = (struct cell){.column = p->column,
                                 .ttl = TTL_NONE,
                                 .local_time = LOCAL_TIME_NONE,
                                 .timestamp = update->timestamp_us,
                                 .value = slice_make(context, COUNTER_SINGLE_SHARD_SIZE)};
        if (p->clustering == NULL) {
            if (static_row == NULL) {
                static_row = row = arena_alloc(arena, sizeof *row);
                mutation->static_row = row;
                make_row(row, p);
                row->cells = &cells[i];
            }
        } else if (row == NULL || row == static_row ||
                   clustering_compare(table->table, &row->clustering, p->clustering) != 0) {
            row = &rows[mutation->row_count++];
            make_row(row, p);
            row->cells = &cells[i];
        }
        row->cell_count++;
    }
}

enum status engine_increment(struct engine *engine, const struct counter_update *update,
                             struct read_pins *pins, struct arena *arena,
                             const struct mutation **applied, uint64_t *position)
{
    if (engine->is_closing) return STATUS_CANCELED;
    struct engine_table *table = engine_find_table(engine, update->table->id);
    if (table == NULL) return STATUS_NOT_FOUND;
    enum status status = engine_check_room(engine);
    if (status != STATUS_OK) return status;

    arena_reset(&engine->scratch);
    size_t count;
    struct planned *planned = plan(table, update, &count);
    for (size_t i = 0; i < count; i++) {
        planned[i].key = counter_cache_key(&table->counter_life, update->key.bytes,
                                           planned[i].clustering, planned[i].column);
        counter_cache_expect(engine->counter_cache, planned[i].key);
        status = find_shard(table, &update->key, &planned[i], pins);
        if (status == STATUS_OK && has_all_shards(&planned[i])) status = STATUS_OVERLOADED;
        if (status != STATUS_OK) return status;
    }
    int64_t now_us = env_wall_us(engine->env);
    for (size_t i = 0; i < count; i++)
        count_on(engine, &planned[i], now_us);

    struct arena *result = applied == NULL ? &engine->scratch : arena;
    struct mutation *mutation = arena_alloc(result, sizeof *mutation);
    make_mutation(table, update, planned, count, result, mutation);
    status = engine_log_and_apply(table, mutation, position);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++)
        counter_cache_put(engine->counter_cache, planned[i].key, planned[i].count);
    if (applied != NULL) *applied = mutation;
    return STATUS_OK;
}
