// Indexes come and go with their tables' definitions, and are written before their tables.
#include "storage/engine/engine_index.h"

#include "base/assert.h"
#include "base/limits.h"
#include "storage/engine/engine_index_internal.h"

#include <stdlib.h>

// The mark's partition. A value is never looked for here: its entries have another clustering.
static const struct partition_key *mark_key(struct partition_key *key)
{
    *key = partition_key_make(slice_of_text("\001helenus: this index is built\376\001"));
    return key;
}

// ---- Entries ------------------------------------------------------------------------------------

// Entries are numbered: what is logged later holds.
static int64_t next_number(const struct engine *engine)
{
    return (int64_t)commit_log_last_position(engine->log) + 1;
}

static enum status log_row(struct engine_table *hidden, struct slice key, const struct row *row)
{
    struct engine *engine = hidden->engine;
    struct mutation mutation = {
        .table = hidden->table, .key = partition_key_make(key), .rows = row, .row_count = 1};
    struct buffer *record = &engine->indexes.record;
    if (record->capacity > MIB) buffer_deinit(record); // As with the table's own.
    buffer_clear(record);
    engine_put_record(&mutation, record);
    if (record->overflow) return STATUS_INVALID;
    uint64_t position;
    return engine_log_and_apply_record(hidden, &mutation, buffer_slice(record), &position);
}

struct putting {
    struct engine_index *index;
    const struct partition_key *key;
    const struct row *row;
    struct arena *arena;
    enum status status;
};

static void put_entry(void *context, const struct index_entry *entry)
{
    struct putting *putting = context;
    struct engine_index *index = putting->index;
    if (putting->status != STATUS_OK) return;
    struct row row = {
        .clustering = index_plan_clustering(&index->plan, putting->key, &putting->row->clustering,
                                            entry, putting->arena),
        .liveness = {next_number(index->hidden->engine), entry->ttl, entry->local_time},
        .deletion = DELETION_NONE,
    };
    putting->status = log_row(index->hidden, entry->key, &row);
}

enum status engine_index_put_row(struct engine_index *index, const struct partition_key *key,
                                 const struct row *row, bool is_static)
{
    struct arena *arena = &index->hidden->engine->indexes.arena;
    struct putting putting = {index, key, row, arena, STATUS_OK};
    arena_reset(arena);
    index_plan_visit(&index->plan, key, row, is_static, INT32_MIN, arena, put_entry, &putting);
    return putting.status;
}

enum status engine_index_mutation(struct engine_table *table, const struct mutation *mutation)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < table->index_count && status == STATUS_OK; i++) {
        struct engine_index *index = &table->indexes[i];
        if (index->hidden == NULL) continue;
        if (mutation->static_row != NULL)
            status = engine_index_put_row(index, &mutation->key, mutation->static_row, true);
        for (size_t r = 0; r < mutation->row_count && status == STATUS_OK; r++)
            status = engine_index_put_row(index, &mutation->key, &mutation->rows[r], false);
    }
    return status;
}

enum status engine_index_remove(struct engine_index *index, struct slice key,
                                const struct clustering *clustering)
{
    struct engine *engine = index->hidden->engine;
    if (engine->is_closing) return STATUS_CANCELED;
    struct row row = {
        .clustering = *clustering,
        .liveness = LIVENESS_NONE,
        .deletion = {next_number(engine), (int32_t)(env_wall_us(engine->env) / 1000000)},
    };
    return log_row(index->hidden, key, &row);
}

// ---- The mark -----------------------------------------------------------------------------------

// A row of nothing: what no entry of a value has for its base key.
static enum status put_mark(struct engine_index *index, bool is_built)
{
    struct engine *engine = index->hidden->engine;
    uint16_t width = index->hidden->table->column_counts[COLUMN_CLUSTERING];
    struct arena *arena = &engine->indexes.arena;
    arena_reset(arena);
    int64_t number = next_number(engine);
    struct row row = {
        .clustering = {width, ARENA_NEW_ARRAY(arena, struct slice, width)},
        .liveness = LIVENESS_NONE,
        .deletion = DELETION_NONE,
    };
    if (is_built)
        row.liveness.timestamp = number;
    else
        row.deletion = (struct deletion){number, (int32_t)(env_wall_us(engine->env) / 1000000)};
    struct partition_key key;
    return log_row(index->hidden, mark_key(&key)->bytes, &row);
}

enum status engine_index_set_built(struct engine_index *index)
{
    enum status status = put_mark(index, true);
    if (status == STATUS_OK) index->is_built = true;
    return status;
}

// At the start alone: waits for the disk.
static enum status load_all(struct engine *engine, struct read_pins *pins)
{
    struct sstable_load load;
    enum status status = STATUS_OK;
    while (sstable_load_begin(&load, pins)) {
        sstable_load_work(&load);
        enum status loaded = sstable_load_finish(&load, engine->chunk_cache, pins, NULL);
        if (status == STATUS_OK) status = loaded;
    }
    return status;
}

static enum status read_mark(struct engine_index *index, struct read_pins *pins,
                             struct arena *arena)
{
    struct engine *engine = index->hidden->engine;
    struct partition_key key;
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&all, 1, false, false};
    struct partition_iterator *partition = NULL;
    uint64_t position = 0;
    index->is_built = false;
    enum status status = engine_read(engine, index->hidden->table, mark_key(&key), &filter, pins,
                                     arena, &partition, &position);
    while (status == STATUS_OK && partition != NULL) {
        struct unfiltered unfiltered;
        status = partition_iterator_next(partition, &unfiltered);
        if (status == STATUS_OK && !unfiltered.is_marker &&
            slice_is_null(unfiltered.row->clustering.values[0]))
            index->is_built = unfiltered.row->liveness.timestamp != TIMESTAMP_NONE;
    }
    partition_iterator_close(partition);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status find_mark(struct engine_index *index)
{
    struct engine *engine = index->hidden->engine;
    struct read_pins pins;
    struct arena arena;
    read_pins_init(&pins);
    arena_init(&arena, 4096);
    enum status status;
    while ((status = read_mark(index, &pins, &arena)) == STATUS_WOULD_BLOCK) {
        status = load_all(engine, &pins);
        if (status != STATUS_OK) break;
        arena_reset(&arena);
    }
    read_pins_release(&pins);
    arena_deinit(&arena);
    return status;
}

// ---- With the table's definition ----------------------------------------------------------------

struct engine_index *engine_index_find(const struct engine_table *table, struct uuid id)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (uuid_equals(table->indexes[i].id, id)) return &table->indexes[i];
    return NULL;
}

// The hidden table, opened if it is new to this engine.
static enum status open_hidden(struct engine_table *base, const struct index_definition *definition,
                               struct engine_table **hidden, struct error *error)
{
    struct engine *engine = base->engine;
    const struct table *table = index_table_make(base->table, definition);
    enum status status = STATUS_OK;
    *hidden = engine_find_table(engine, table->id);
    if (*hidden == NULL) {
        status = engine_open_table(engine, table, error);
        if (status == STATUS_OK) *hidden = engine_find_table(engine, table->id);
    } else if ((*hidden)->table->layout_hash != table->layout_hash) {
        status = engine_put_table(engine, table, error);
    }
    if (status == STATUS_OK) (*hidden)->is_internal = true;
    table_unref(table);
    return status;
}

enum status engine_index_open(struct engine_table *base, struct error *error)
{
    const struct table *table = base->table;
    struct engine_index *indexes = calloc(table->index_count + 1, sizeof *indexes);
    ASSERT(indexes != NULL);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < table->index_count; i++) {
        const struct index_definition *definition = &table->indexes[i];
        const struct engine_index *before = engine_index_find(base, definition->id);
        indexes[i].id = definition->id;
        indexes[i].is_built = before != NULL && before->is_built;
        if (!index_table_is_wanted(table, definition)) {
            indexes[i].is_built = true;
            continue;
        }
        indexes[i].plan = index_plan_make(table, definition);
        enum status opened = open_hidden(base, definition, &indexes[i].hidden, error);
        if (opened == STATUS_OK) continue;
        // It is as if it were not there, and tried again (engine_put_again()). The others are of
        // this version: what they were is of one that may be freed.
        status = opened;
        indexes[i].hidden = NULL;
        indexes[i].is_built = false;
    }
    struct engine_index *old = base->indexes;
    size_t old_count = base->index_count;
    base->indexes = indexes;
    base->index_count = table->index_count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].hidden != NULL && engine_index_find(base, old[i].id) == NULL)
            engine_drop_table(base->engine, old[i].id);
    free(old);
    return status;
}

void engine_index_drop(struct engine_table *base)
{
    for (size_t i = 0; i < base->index_count; i++)
        if (base->indexes[i].hidden != NULL) engine_drop_table(base->engine, base->indexes[i].id);
    free(base->indexes);
    base->indexes = NULL;
    base->index_count = 0;
}

static bool has_nothing(const struct engine_table *table)
{
    return table->active_position == 0 && table->frozen == NULL && table->sstable_count == 0;
}

void engine_index_begin(struct engine_table *base)
{
    for (size_t i = 0; i < base->index_count; i++) {
        struct engine_index *index = &base->indexes[i];
        if (index->is_built || index->hidden == NULL) continue;
        if (!has_nothing(base) || engine_index_set_built(index) != STATUS_OK)
            engine_index_build(base->engine);
    }
}

enum status engine_index_start(struct engine *engine, struct error *error)
{
    for (size_t b = 0; b < ENGINE_TABLE_BUCKETS; b++)
        for (struct engine_table *table = engine->buckets[b]; table != NULL; table = table->next) {
            for (size_t i = 0; i < table->index_count; i++) {
                if (table->indexes[i].hidden == NULL) continue;
                enum status status = find_mark(&table->indexes[i]);
                // The mark knows nothing of rows that somebody put there.
                if (table->has_foreign) table->indexes[i].is_built = false;
                if (status != STATUS_OK)
                    return error_set(error, status, "%s: an index can not be read",
                                     table->indexes[i].hidden->manifest.directory);
            }
            engine_index_begin(table);
        }
    return STATUS_OK;
}

enum status engine_index_forget(struct engine_table *base)
{
    enum status status = STATUS_OK;
    if (base->index_count == 0) return STATUS_OK;
    for (size_t i = 0; i < base->index_count && status == STATUS_OK; i++) {
        struct engine_index *index = &base->indexes[i];
        if (index->hidden == NULL) continue;
        index->is_built = false;
        status = put_mark(index, false);
    }
    if (status == STATUS_OK) engine_index_build_anew(base->engine, base);
    return status;
}

bool engine_index_is_built(const struct engine *engine, struct uuid table, struct uuid id)
{
    const struct engine_table *base = engine_find_table(engine, table);
    const struct engine_index *index = base == NULL ? NULL : engine_index_find(base, id);
    return index != NULL && index->is_built;
}
