// Tables and their builder. The other part of schema.h, the map of names, is schema.c.
#include "storage/schema/schema.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "base/checksum.h"
#include "storage/schema/cql_name.h"
#include "storage/schema/options.h"

#include <stdlib.h>

enum { TABLE_ARENA_BLOCK_SIZE = 2048 };

// ---- The table ----------------------------------------------------------------------------------

void table_ref(const struct table *table)
{
    // The count is the one field of a table that changes; it is no part of what "const" promises.
    uint32_t *references = (uint32_t *)(uintptr_t)&table->references;
    __atomic_fetch_add(references, 1, __ATOMIC_RELAXED);
}

void table_unref(const struct table *table)
{
    if (table == NULL) return;
    struct table *owned = (struct table *)(uintptr_t)table;
    uint32_t before = __atomic_fetch_sub(&owned->references, 1, __ATOMIC_ACQ_REL);
    ASSERT(before > 0);
    if (before > 1) return;
    arena_deinit(&owned->arena);
    free(owned);
}

// By name as Cassandra's ColumnMetadata compares: the first byte is signed, the rest are not.
static int compare_names(struct slice a, struct slice b)
{
    if (a.size > 0 && b.size > 0 && a.data[0] != b.data[0])
        return (int8_t)a.data[0] - (int8_t)b.data[0];
    return slice_compare(a, b);
}

// Single-cell columns first, then multi-cell ones.
static int compare_columns(const void *left, const void *right)
{
    const struct column *a = left, *b = right;
    int order = type_is_multi_cell(a->type) - type_is_multi_cell(b->type);
    return order != 0 ? order : compare_names(a->name, b->name);
}

static const struct column *find_sorted(const struct column *columns, uint16_t count,
                                        struct slice name, bool multi_cell)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct column *column = &columns[middle];
        int order = multi_cell - type_is_multi_cell(column->type);
        if (order == 0) order = compare_names(name, column->name);
        if (order == 0) return column;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct column *table_find_column(const struct table *table, struct slice name)
{
    for (int kind = COLUMN_PARTITION_KEY; kind <= COLUMN_CLUSTERING; kind++)
        for (uint16_t i = 0; i < table->column_counts[kind]; i++)
            if (slice_equals(table->columns[kind][i].name, name)) return &table->columns[kind][i];
    for (int kind = COLUMN_STATIC; kind <= COLUMN_REGULAR; kind++) {
        for (int multi_cell = 0; multi_cell <= 1; multi_cell++) {
            const struct column *column = find_sorted(
                table->columns[kind], table->column_counts[kind], name, multi_cell != 0);
            if (column != NULL) return column;
        }
    }
    return NULL;
}

bool table_has_multi_cell(const struct table *table)
{
    // They stand last in their lists.
    for (int kind = COLUMN_STATIC; kind <= COLUMN_REGULAR; kind++) {
        uint16_t count = table->column_counts[kind];
        if (count > 0 && type_is_multi_cell(table->columns[kind][count - 1].type)) return true;
    }
    return false;
}

// ---- Indexes ------------------------------------------------------------------------------------

const struct index_definition *table_find_index(const struct table *table, struct slice name)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (slice_equals(table->indexes[i].name, name)) return &table->indexes[i];
    return NULL;
}

void index_definition_put_target(const struct index_definition *index, struct buffer *text)
{
    static const char *const functions[INDEX_TARGET_COUNT] = {
        [INDEX_TARGET_VALUES] = "values",
        [INDEX_TARGET_KEYS] = "keys",
        [INDEX_TARGET_ENTRIES] = "entries",
        [INDEX_TARGET_FULL] = "full",
    };
    const char *function = functions[index->target];
    if (function != NULL) buffer_put_format(text, "%s(", function);
    cql_name_put(index->column, text);
    if (function != NULL) buffer_put_u8(text, ')');
}

static int compare_indexes(const void *left, const void *right)
{
    const struct index_definition *a = left, *b = right;
    return slice_compare(a->name, b->name);
}

// ---- The builder --------------------------------------------------------------------------------

struct table_builder {
    struct table *table; // Under construction: its lists are those below until the end.
    struct column *columns[COLUMN_KIND_COUNT]; // malloc
    size_t capacities[COLUMN_KIND_COUNT];
    struct dropped_column *dropped; // malloc
    size_t dropped_count, dropped_capacity;
    struct index_definition *indexes; // malloc
    size_t index_count;
};

static void *checked_realloc(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    ASSERT(grown != NULL);
    return grown;
}

struct table_builder *table_builder_create(struct slice keyspace, struct slice name, struct uuid id)
{
    struct table_builder *builder = calloc(1, sizeof *builder);
    struct table *table = calloc(1, sizeof *table);
    ASSERT(builder != NULL);
    ASSERT(table != NULL);
    arena_init(&table->arena, TABLE_ARENA_BLOCK_SIZE);
    table->references = 1;
    table->id = id;
    table->keyspace = arena_copy(&table->arena, keyspace);
    table->name = arena_copy(&table->arena, name);
    table->params = table_params_default();
    builder->table = table;
    return builder;
}

static void copy_params(struct arena *arena, struct table_params *params)
{
    params->comment = arena_copy(arena, params->comment);
    params->additional_write_policy = arena_copy(arena, params->additional_write_policy);
    params->speculative_retry = arena_copy(arena, params->speculative_retry);
    params->read_repair = arena_copy(arena, params->read_repair);
    params->memtable = arena_copy(arena, params->memtable);
    params->caching = options_copy(arena, &params->caching);
    params->compaction = options_copy(arena, &params->compaction);
    params->compression = options_copy(arena, &params->compression);
    params->extensions = options_copy(arena, &params->extensions);
}

struct table_builder *table_builder_copy(const struct table *table)
{
    struct table_builder *builder = table_builder_create(table->keyspace, table->name, table->id);
    builder->table->is_counter = table->is_counter;
    builder->table->is_virtual = table->is_virtual;
    builder->table->params = table->params;
    copy_params(&builder->table->arena, &builder->table->params);
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++) {
        for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
            const struct column *column = &table->columns[kind][i];
            table_builder_add_column(builder, column->name, column->type, column->kind,
                                     column->reversed);
        }
    }
    for (size_t i = 0; i < table->dropped_column_count; i++) {
        const struct dropped_column *dropped = &table->dropped_columns[i];
        table_builder_add_dropped(builder, dropped->name, dropped->type, dropped->kind,
                                  dropped->dropped_time_us);
    }
    for (size_t i = 0; i < table->index_count; i++)
        table_builder_add_index(builder, &table->indexes[i]);
    return builder;
}

static void free_lists(struct table_builder *builder)
{
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        free(builder->columns[kind]);
    free(builder->dropped);
    free(builder->indexes);
    free(builder);
}

void table_builder_destroy(struct table_builder *builder)
{
    if (builder == NULL) return;
    arena_deinit(&builder->table->arena);
    free(builder->table);
    free_lists(builder);
}

struct arena *table_builder_arena(struct table_builder *builder)
{
    return &builder->table->arena;
}

struct table_params *table_builder_params(struct table_builder *builder)
{
    return &builder->table->params;
}

void table_builder_set_counter(struct table_builder *builder, bool is_counter)
{
    builder->table->is_counter = is_counter;
}

void table_builder_set_virtual(struct table_builder *builder, bool is_virtual)
{
    builder->table->is_virtual = is_virtual;
}

void table_builder_add_column(struct table_builder *builder, struct slice name,
                              const struct type *type, enum column_kind kind, bool reversed)
{
    ASSERT(kind < COLUMN_KIND_COUNT);
    uint16_t *count = &builder->table->column_counts[kind];
    ASSERT(*count < UINT16_MAX);
    if (*count == builder->capacities[kind]) {
        builder->capacities[kind] = *count == 0 ? 8 : 2 * (size_t)*count;
        builder->columns[kind] = checked_realloc(builder->columns[kind],
                                                 builder->capacities[kind] * sizeof(struct column));
    }
    struct arena *arena = &builder->table->arena;
    builder->columns[kind][(*count)++] = (struct column){
        .name = arena_copy(arena, name),
        .type = type_copy(arena, type),
        .kind = kind,
        .reversed = reversed,
    };
}

void table_builder_add_dropped(struct table_builder *builder, struct slice name,
                               const struct type *type, enum column_kind kind,
                               int64_t dropped_time_us)
{
    struct arena *arena = &builder->table->arena;
    struct dropped_column added = {arena_copy(arena, name), type_copy(arena, type), kind,
                                   dropped_time_us};
    // A column that was dropped, made again and dropped again is remembered once.
    for (size_t i = 0; i < builder->dropped_count; i++) {
        if (!slice_equals(builder->dropped[i].name, name)) continue;
        builder->dropped[i] = added;
        return;
    }
    if (builder->dropped_count == builder->dropped_capacity) {
        builder->dropped_capacity = builder->dropped_count == 0 ? 4 : 2 * builder->dropped_count;
        builder->dropped =
            checked_realloc(builder->dropped, builder->dropped_capacity * sizeof added);
    }
    builder->dropped[builder->dropped_count++] = added;
}

static struct column *find_building(struct table_builder *builder, struct slice name)
{
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < builder->table->column_counts[kind]; i++)
            if (slice_equals(builder->columns[kind][i].name, name))
                return &builder->columns[kind][i];
    return NULL;
}

void table_builder_drop_column(struct table_builder *builder, struct slice name,
                               int64_t dropped_time_us)
{
    struct column *column = find_building(builder, name);
    ASSERT(column != NULL);
    enum column_kind kind = column->kind;
    ASSERT(kind == COLUMN_STATIC || kind == COLUMN_REGULAR);
    // What was dropped holds no type of the catalogue, so that it may be dropped too.
    const struct type *type = user_types_expand(&builder->table->arena, column->type);
    table_builder_add_dropped(builder, column->name, type, kind, dropped_time_us);
    struct column *end = builder->columns[kind] + builder->table->column_counts[kind];
    memmove(column, column + 1, (size_t)(end - (column + 1)) * sizeof *column);
    builder->table->column_counts[kind]--;
}

bool table_builder_has_column(struct table_builder *builder, struct slice name)
{
    return find_building(builder, name) != NULL;
}

void table_builder_rename_column(struct table_builder *builder, struct slice from, struct slice to)
{
    struct column *column = find_building(builder, from);
    ASSERT(column != NULL);
    for (size_t i = 0; i < builder->index_count; i++)
        if (slice_equals(builder->indexes[i].column, from))
            builder->indexes[i].column = arena_copy(&builder->table->arena, to);
    column->name = arena_copy(&builder->table->arena, to);
}

void table_builder_add_index(struct table_builder *builder, const struct index_definition *index)
{
    struct arena *arena = &builder->table->arena;
    builder->indexes =
        checked_realloc(builder->indexes, (builder->index_count + 1) * sizeof *builder->indexes);
    builder->indexes[builder->index_count++] = (struct index_definition){
        .id = index->id,
        .name = arena_copy(arena, index->name),
        .column = arena_copy(arena, index->column),
        .target = index->target,
        .class_name =
            slice_is_null(index->class_name) ? slice_null() : arena_copy(arena, index->class_name),
        .options = options_copy(arena, &index->options),
    };
}

void table_builder_drop_index(struct table_builder *builder, struct slice name)
{
    size_t kept = 0;
    for (size_t i = 0; i < builder->index_count; i++)
        if (!slice_equals(builder->indexes[i].name, name))
            builder->indexes[kept++] = builder->indexes[i];
    builder->index_count = kept;
}

bool table_builder_resolve_types(struct table_builder *builder, const struct user_types *types)
{
    struct arena *arena = &builder->table->arena;
    bool changed = false;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < builder->table->column_counts[kind]; i++) {
            const struct type **type = &builder->columns[kind][i].type;
            const struct type *resolved = user_types_resolve(arena, types, *type);
            if (resolved == *type) continue;
            // The catalogue's own live no longer than it.
            *type = type_copy(arena, resolved);
            changed = true;
        }
    return changed;
}

static void finish_columns(struct table_builder *builder, enum column_kind kind)
{
    struct table *table = builder->table;
    uint16_t count = table->column_counts[kind];
    table->columns[kind] = ARENA_NEW_ARRAY(&table->arena, struct column, count);
    if (count == 0) return;
    if (kind == COLUMN_STATIC || kind == COLUMN_REGULAR)
        qsort(builder->columns[kind], count, sizeof(struct column), compare_columns);
    memcpy(table->columns[kind], builder->columns[kind], count * sizeof(struct column));
    for (uint16_t i = 0; i < count; i++) {
        table->columns[kind][i].index = i;
        if (table->columns[kind][i].type->kind == TYPE_COUNTER) table->is_counter = true;
    }
}

static int compare_dropped(const void *left, const void *right)
{
    const struct dropped_column *a = left, *b = right;
    return slice_compare(a->name, b->name);
}

static uint64_t hash_layout(const struct table *table)
{
    struct buffer text;
    buffer_init(&text, SIZE_MAX);
    for (int kind = COLUMN_CLUSTERING; kind < COLUMN_KIND_COUNT; kind++) {
        buffer_put_vint(&text, table->column_counts[kind]);
        for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
            const struct column *column = &table->columns[kind][i];
            buffer_put_vint_bytes(&text, column->name);
            type_put_java(column->type, column->reversed, &text);
        }
    }
    uint64_t hash = checksum_xxh3(buffer_slice(&text), 0);
    buffer_deinit(&text);
    return hash;
}

const struct table *table_builder_finish(struct table_builder *builder)
{
    struct table *table = builder->table;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        finish_columns(builder, (enum column_kind)kind);
    copy_params(&table->arena, &table->params);
    // A text that is none was refused when it was set: as if it were not there.
    (void)speculative_retry_parse(table->params.speculative_retry, &table->speculative_retry);
    struct dropped_column *dropped =
        ARENA_NEW_ARRAY(&table->arena, struct dropped_column, builder->dropped_count);
    if (builder->dropped_count > 0) {
        qsort(builder->dropped, builder->dropped_count, sizeof *dropped, compare_dropped);
        memcpy(dropped, builder->dropped, builder->dropped_count * sizeof *dropped);
    }
    table->dropped_columns = dropped;
    table->dropped_column_count = builder->dropped_count;
    struct index_definition *indexes =
        ARENA_NEW_ARRAY(&table->arena, struct index_definition, builder->index_count);
    if (builder->index_count > 0) {
        qsort(builder->indexes, builder->index_count, sizeof *indexes, compare_indexes);
        memcpy(indexes, builder->indexes, builder->index_count * sizeof *indexes);
    }
    table->indexes = indexes;
    table->index_count = builder->index_count;
    table->layout_hash = hash_layout(table);
    free_lists(builder);
    return table;
}

// ---- Defaults -----------------------------------------------------------------------------------

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }
#define OPTIONS(array)                                                                             \
    {                                                                                              \
        array, sizeof(array) / sizeof((array)[0])                                                  \
    }

static const struct option caching[] = {{TEXT("keys"), TEXT("ALL")},
                                        {TEXT("rows_per_partition"), TEXT("NONE")}};
static const struct option compaction[] = {
    {TEXT("class"), TEXT("org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy")},
    {TEXT("max_threshold"), TEXT("32")},
    {TEXT("min_threshold"), TEXT("4")},
};
static const struct option compression[] = {
    {TEXT("chunk_length_in_kb"), TEXT("16")},
    {TEXT("class"), TEXT("org.apache.cassandra.io.compress.LZ4Compressor")},
};

struct table_params table_params_default(void)
{
    return (struct table_params){
        .comment = TEXT(""),
        .additional_write_policy = TEXT("99p"),
        .speculative_retry = TEXT("99p"),
        .read_repair = TEXT("BLOCKING"),
        .memtable = TEXT("default"),
        .caching = OPTIONS(caching),
        .compaction = OPTIONS(compaction),
        .compression = OPTIONS(compression),
        .extensions = {NULL, 0},
        .bloom_filter_fp_chance = 0.01,
        .crc_check_chance = 1.0,
        .gc_grace_seconds = 864000,
        .max_index_interval = 2048,
        .min_index_interval = 128,
        .allow_auto_snapshot = true,
        .incremental_backups = true,
    };
}
