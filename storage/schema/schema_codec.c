#include "storage/schema/schema_codec.h"

#include "base/limits.h"

enum {
    VERSION = 1,
    VERSION_TYPES = 2,
    FLAG_COUNTER = 1,
    FLAG_VIRTUAL = 2,
    TEXT_SIZE_MAX = 1 << 20
};
enum { PARAM_AUTO_SNAPSHOT = 1, PARAM_CDC = 2, PARAM_INCREMENTAL_BACKUPS = 4 };
enum { VERSION_INDEXED = 2 }; // Of a table.

// ---- Writing ------------------------------------------------------------------------------------

static void put_options(struct buffer *bytes, const struct options *options)
{
    buffer_put_vint(bytes, options->count);
    for (size_t i = 0; i < options->count; i++) {
        buffer_put_vint_bytes(bytes, options->items[i].key);
        buffer_put_vint_bytes(bytes, options->items[i].value);
    }
}

static void put_type(struct buffer *bytes, const struct type *type)
{
    struct buffer text;
    buffer_init(&text, TEXT_SIZE_MAX);
    type_put_java(type, false, &text);
    buffer_put_vint_bytes(bytes, buffer_slice(&text));
    buffer_deinit(&text);
}

static void put_params(struct buffer *bytes, const struct table_params *params)
{
    const struct slice texts[] = {params->comment, params->additional_write_policy,
                                  params->speculative_retry, params->read_repair, params->memtable};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        buffer_put_vint_bytes(bytes, texts[i]);
    put_options(bytes, &params->caching);
    put_options(bytes, &params->compaction);
    put_options(bytes, &params->compression);
    put_options(bytes, &params->extensions);
    buffer_put_f64(bytes, params->bloom_filter_fp_chance);
    buffer_put_f64(bytes, params->crc_check_chance);
    const int32_t numbers[] = {params->default_time_to_live, params->gc_grace_seconds,
                               params->max_index_interval, params->min_index_interval,
                               params->memtable_flush_period_in_ms};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        buffer_put_u32(bytes, (uint32_t)numbers[i]);
    buffer_put_u8(bytes, (uint8_t)((params->allow_auto_snapshot ? PARAM_AUTO_SNAPSHOT : 0) |
                                   (params->cdc ? PARAM_CDC : 0) |
                                   (params->incremental_backups ? PARAM_INCREMENTAL_BACKUPS : 0)));
}

void schema_codec_put_keyspace(struct buffer *bytes, const struct keyspace *keyspace)
{
    const struct user_types *types = &keyspace->types;
    buffer_put_u8(bytes, types->count == 0 ? VERSION : VERSION_TYPES);
    buffer_put_vint_bytes(bytes, keyspace->name);
    put_options(bytes, &keyspace->replication);
    buffer_put_u8(bytes, keyspace->durable_writes);
    buffer_put_u8(bytes, keyspace->is_virtual);
    if (types->count == 0) return;
    buffer_put_vint(bytes, types->count);
    for (size_t i = 0; i < types->count; i++)
        put_type(bytes, types->items[i]);
}

static void put_index(struct buffer *bytes, const struct index_definition *index)
{
    bool is_custom = !slice_is_null(index->class_name);
    uuid_put(bytes, index->id);
    buffer_put_vint_bytes(bytes, index->name);
    buffer_put_vint_bytes(bytes, index->column);
    buffer_put_u8(bytes, (uint8_t)index->target);
    buffer_put_u8(bytes, is_custom);
    if (is_custom) buffer_put_vint_bytes(bytes, index->class_name);
    put_options(bytes, &index->options);
}

void schema_codec_put_table(struct buffer *bytes, const struct table *table)
{
    buffer_put_u8(bytes, table->index_count > 0 ? VERSION_INDEXED : VERSION);
    uuid_put(bytes, table->id);
    buffer_put_vint_bytes(bytes, table->keyspace);
    buffer_put_vint_bytes(bytes, table->name);
    buffer_put_u8(bytes, (uint8_t)((table->is_counter ? FLAG_COUNTER : 0) |
                                   (table->is_virtual ? FLAG_VIRTUAL : 0)));
    put_params(bytes, &table->params);
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++) {
        buffer_put_vint(bytes, table->column_counts[kind]);
        for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
            const struct column *column = &table->columns[kind][i];
            buffer_put_vint_bytes(bytes, column->name);
            put_type(bytes, column->type);
            buffer_put_u8(bytes, column->reversed);
        }
    }
    buffer_put_vint(bytes, table->dropped_column_count);
    for (size_t i = 0; i < table->dropped_column_count; i++) {
        const struct dropped_column *dropped = &table->dropped_columns[i];
        buffer_put_vint_bytes(bytes, dropped->name);
        put_type(bytes, dropped->type);
        buffer_put_u8(bytes, (uint8_t)dropped->kind);
        buffer_put_signed_vint(bytes, dropped->dropped_time_us);
    }
    if (table->index_count == 0) return;
    buffer_put_vint(bytes, table->index_count);
    for (size_t i = 0; i < table->index_count; i++)
        put_index(bytes, &table->indexes[i]);
}

// ---- Reading ------------------------------------------------------------------------------------

static enum status corrupt(struct error *error, const char *what)
{
    return error_set(error, STATUS_CORRUPT, "Schema record: %s", what);
}

static struct options take_options(struct cursor *cursor, struct arena *arena)
{
    size_t count = cursor_count(cursor, 2);
    struct option *items = ARENA_NEW_ARRAY(arena, struct option, count);
    for (size_t i = 0; i < count; i++) {
        items[i].key = cursor_vint_bytes(cursor);
        items[i].value = cursor_vint_bytes(cursor);
    }
    return (struct options){items, count};
}

static void take_params(struct cursor *cursor, struct arena *arena, struct table_params *params)
{
    struct slice *const texts[] = {&params->comment, &params->additional_write_policy,
                                   &params->speculative_retry, &params->read_repair,
                                   &params->memtable};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = cursor_vint_bytes(cursor);
    params->caching = take_options(cursor, arena);
    params->compaction = take_options(cursor, arena);
    params->compression = take_options(cursor, arena);
    params->extensions = take_options(cursor, arena);
    params->bloom_filter_fp_chance = cursor_f64(cursor);
    params->crc_check_chance = cursor_f64(cursor);
    int32_t *const numbers[] = {&params->default_time_to_live, &params->gc_grace_seconds,
                                &params->max_index_interval, &params->min_index_interval,
                                &params->memtable_flush_period_in_ms};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        *numbers[i] = (int32_t)cursor_u32(cursor);
    uint8_t flags = cursor_u8(cursor);
    params->allow_auto_snapshot = flags & PARAM_AUTO_SNAPSHOT;
    params->cdc = flags & PARAM_CDC;
    params->incremental_backups = flags & PARAM_INCREMENTAL_BACKUPS;
}

static enum status take_type(struct cursor *cursor, struct arena *arena, const struct type **type,
                             struct error *error)
{
    struct slice text = cursor_vint_bytes(cursor);
    bool reversed;
    if (cursor->failed) return corrupt(error, "a column is cut short");
    enum status status = type_parse_java(arena, text, type, &reversed, error);
    return status == STATUS_OK ? STATUS_OK : STATUS_CORRUPT;
}

static enum status take_user_types(struct cursor *cursor, struct arena *arena,
                                   struct slice keyspace, struct user_types *types,
                                   struct error *error)
{
    size_t count = cursor_count(cursor, 2);
    const struct type **items = ARENA_NEW_ARRAY(arena, const struct type *, count);
    for (size_t i = 0; i < count; i++) {
        enum status status = take_type(cursor, arena, &items[i], error);
        if (status != STATUS_OK) return status;
        bool fits = items[i]->kind == TYPE_UDT && !items[i]->frozen &&
                    slice_equals(items[i]->keyspace, keyspace);
        if (!fits || (i > 0 && slice_compare(items[i - 1]->name, items[i]->name) >= 0))
            return corrupt(error, "bad user type");
    }
    *types = (struct user_types){items, count};
    return STATUS_OK;
}

static enum status take_keyspace(struct cursor *cursor, struct arena *arena, bool has_types,
                                 const struct keyspace **keyspace, struct error *error)
{
    struct slice name = cursor_vint_bytes(cursor);
    struct options replication = take_options(cursor, arena);
    bool durable_writes = cursor_u8(cursor) != 0, is_virtual = cursor_u8(cursor) != 0;
    struct user_types types = {NULL, 0};
    enum status status = STATUS_OK;
    if (has_types) status = take_user_types(cursor, arena, name, &types, error);
    if (status != STATUS_OK) return status;
    if (cursor->failed || name.size == 0) return corrupt(error, "a keyspace is cut short");
    *keyspace = keyspace_make_with_types(name, &replication, durable_writes, is_virtual, &types);
    return STATUS_OK;
}

enum status schema_codec_get_keyspace(struct cursor *cursor, const struct keyspace **keyspace,
                                      struct error *error)
{
    uint8_t version = cursor_u8(cursor);
    if (version != VERSION && version != VERSION_TYPES)
        return corrupt(error, "unknown version of a keyspace");
    struct arena arena;
    arena_init(&arena, 1024);
    enum status status = take_keyspace(cursor, &arena, version == VERSION_TYPES, keyspace, error);
    arena_deinit(&arena);
    return status;
}

static enum status take_columns(struct cursor *cursor, struct table_builder *builder,
                                enum column_kind kind, size_t *total, struct error *error)
{
    size_t count = cursor_count(cursor, 3);
    *total += count;
    if (*total > TABLE_COLUMNS_MAX) return corrupt(error, "too many columns");
    for (size_t i = 0; i < count; i++) {
        const struct type *type;
        struct slice name = cursor_vint_bytes(cursor);
        enum status status = take_type(cursor, table_builder_arena(builder), &type, error);
        if (status != STATUS_OK) return status;
        bool reversed = cursor_u8(cursor) != 0;
        if (cursor->failed) return corrupt(error, "a column is cut short");
        table_builder_add_column(builder, name, type, kind, reversed);
    }
    return STATUS_OK;
}

static enum status take_dropped(struct cursor *cursor, struct table_builder *builder,
                                struct error *error)
{
    size_t count = cursor_count(cursor, 4);
    for (size_t i = 0; i < count; i++) {
        const struct type *type;
        struct slice name = cursor_vint_bytes(cursor);
        enum status status = take_type(cursor, table_builder_arena(builder), &type, error);
        if (status != STATUS_OK) return status;
        uint8_t kind = cursor_u8(cursor);
        int64_t time_us = cursor_signed_vint(cursor);
        if (cursor->failed || (kind != COLUMN_STATIC && kind != COLUMN_REGULAR))
            return corrupt(error, "bad dropped column");
        table_builder_add_dropped(builder, name, type, (enum column_kind)kind, time_us);
    }
    return STATUS_OK;
}

static enum status take_indexes(struct cursor *cursor, struct table_builder *builder,
                                struct error *error)
{
    size_t count = cursor_count(cursor, 21);
    if (count > TABLE_INDEXES_MAX) return corrupt(error, "too many indexes");
    for (size_t i = 0; i < count; i++) {
        struct index_definition index = {.id = uuid_take(cursor)};
        index.name = cursor_vint_bytes(cursor);
        index.column = cursor_vint_bytes(cursor);
        index.target = (enum index_target)cursor_u8(cursor);
        if (cursor_u8(cursor) != 0) index.class_name = cursor_vint_bytes(cursor);
        index.options = take_options(cursor, table_builder_arena(builder));
        if (cursor->failed || index.target >= INDEX_TARGET_COUNT ||
            !table_builder_has_column(builder, index.column))
            return corrupt(error, "bad index");
        table_builder_add_index(builder, &index);
    }
    return STATUS_OK;
}

static enum status take_table_body(struct cursor *cursor, struct table_builder *builder,
                                   uint8_t version, struct error *error)
{
    uint8_t flags = cursor_u8(cursor);
    table_builder_set_counter(builder, flags & FLAG_COUNTER);
    table_builder_set_virtual(builder, flags & FLAG_VIRTUAL);
    take_params(cursor, table_builder_arena(builder), table_builder_params(builder));
    size_t total = 0;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++) {
        enum status status = take_columns(cursor, builder, (enum column_kind)kind, &total, error);
        if (status != STATUS_OK) return status;
    }
    enum status status = take_dropped(cursor, builder, error);
    if (status == STATUS_OK && version == VERSION_INDEXED)
        status = take_indexes(cursor, builder, error);
    if (status != STATUS_OK) return status;
    return cursor->failed ? corrupt(error, "a table is cut short") : STATUS_OK;
}

enum status schema_codec_get_table(struct cursor *cursor, const struct table **table,
                                   struct error *error)
{
    uint8_t version = cursor_u8(cursor);
    if (version != VERSION && version != VERSION_INDEXED)
        return corrupt(error, "unknown version of a table");
    struct uuid id = uuid_take(cursor);
    struct slice keyspace = cursor_vint_bytes(cursor), name = cursor_vint_bytes(cursor);
    if (cursor->failed || name.size == 0) return corrupt(error, "a table is cut short");
    struct table_builder *builder = table_builder_create(keyspace, name, id);
    enum status status = take_table_body(cursor, builder, version, error);
    if (status == STATUS_OK)
        *table = table_builder_finish(builder);
    else
        table_builder_destroy(builder);
    return status;
}
