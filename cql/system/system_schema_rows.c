#include "cql/system/system_schema_rows.h"

#include "base/assert.h"
#include "base/limits.h"
#include "storage/schema/options.h"

struct filling {
    const struct table *table; // Whose rows are made.
    enum system_schema_part part;
    struct memtable *memtable;
    struct arena *arena;
    int64_t timestamp;
};

static void begin(const struct filling *filling, struct system_row *row)
{
    arena_reset(filling->arena);
    system_row_begin(row, filling->table, filling->memtable, filling->arena, filling->timestamp);
}

static void begin_of_table(const struct filling *filling, struct system_row *row,
                           const struct table *table)
{
    begin(filling, row);
    system_row_set(row, "keyspace_name", table->keyspace);
    system_row_set(row, "table_name", table->name);
}

// ---- keyspaces ---------------------------------------------------------------------------------

static void put_keyspace(const struct filling *filling, const struct keyspace *keyspace)
{
    struct system_row row;
    begin(filling, &row);
    system_row_set(&row, "keyspace_name", keyspace->name);
    if (filling->part == SYSTEM_SCHEMA_STORED) {
        system_row_set_bool(&row, "durable_writes", keyspace->durable_writes);
        system_row_set_options(&row, "replication", &keyspace->replication);
    }
    system_row_end(&row);
}

// ---- types -------------------------------------------------------------------------------------

static void put_type(const struct filling *filling, const struct type *type)
{
    struct system_row row;
    begin(filling, &row);
    system_row_set(&row, "keyspace_name", type->keyspace);
    system_row_set(&row, "type_name", type->name);
    system_row_set_texts(&row, "field_names", type->field_names, type->parameter_count);
    struct slice *texts = ARENA_NEW_ARRAY(filling->arena, struct slice, type->parameter_count);
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        struct buffer text;
        buffer_init(&text, SCHEMA_TYPE_SIZE_MAX);
        type_put_cql(type->parameters[i], &text);
        texts[i] = arena_copy(filling->arena, buffer_slice(&text));
        buffer_deinit(&text);
    }
    system_row_set_texts(&row, "field_types", texts, type->parameter_count);
    system_row_end(&row);
}

static void put_types(const struct filling *filling, const struct keyspace *keyspace)
{
    for (size_t i = 0; i < keyspace->types.count; i++)
        put_type(filling, keyspace->types.items[i]);
}

// ---- tables ------------------------------------------------------------------------------------

// Some options are written only when they differ from what they are without being written, so that
// older nodes can read the row (SchemaKeyspace.addTableParamsToRowBuilder).
static void put_optional_params(struct system_row *row, const struct table_params *params)
{
    if (params->cdc) system_row_set_bool(row, "cdc", true);
    if (!params->allow_auto_snapshot) system_row_set_bool(row, "allow_auto_snapshot", false);
    if (!params->incremental_backups) system_row_set_bool(row, "incremental_backups", false);
    if (!slice_equals(params->memtable, slice_of_text("default")))
        system_row_set(row, "memtable", params->memtable);
}

static void put_params(struct system_row *row, const struct table_params *params)
{
    system_row_set(row, "additional_write_policy", params->additional_write_policy);
    system_row_set_double(row, "bloom_filter_fp_chance", params->bloom_filter_fp_chance);
    system_row_set_options(row, "caching", &params->caching);
    system_row_set(row, "comment", params->comment);
    system_row_set_options(row, "compaction", &params->compaction);
    system_row_set_options(row, "compression", &params->compression);
    system_row_set_double(row, "crc_check_chance", params->crc_check_chance);
    system_row_set_double(row, "dclocal_read_repair_chance", 0);
    system_row_set_int(row, "default_time_to_live", params->default_time_to_live);
    system_row_set_options(row, "extensions", &params->extensions);
    system_row_set_int(row, "gc_grace_seconds", params->gc_grace_seconds);
    system_row_set_int(row, "max_index_interval", params->max_index_interval);
    system_row_set_int(row, "memtable_flush_period_in_ms", params->memtable_flush_period_in_ms);
    system_row_set_int(row, "min_index_interval", params->min_index_interval);
    system_row_set(row, "read_repair", params->read_repair);
    system_row_set_double(row, "read_repair_chance", 0);
    system_row_set(row, "speculative_retry", params->speculative_retry);
    put_optional_params(row, params);
}

static void put_table(const struct filling *filling, const struct table *table)
{
    struct system_row row;
    begin_of_table(filling, &row, table);
    if (filling->part == SYSTEM_SCHEMA_VIRTUAL) {
        system_row_set(&row, "comment", table->params.comment);
    } else {
        const struct slice flags[] = {slice_of_text("compound"), slice_of_text("counter")};
        system_row_set_texts(&row, "flags", flags, table->is_counter ? 2 : 1);
        system_row_set_uuid(&row, "id", table->id);
        put_params(&row, &table->params);
    }
    system_row_end(&row);
}

// ---- columns -----------------------------------------------------------------------------------

static void set_type(struct system_row *row, const struct type *type)
{
    struct buffer text;
    buffer_init(&text, 64 * 1024);
    type_put_cql(type, &text);
    system_row_set(row, "type", buffer_slice(&text));
    buffer_deinit(&text);
}

static void put_column(const struct filling *filling, const struct table *table,
                       const struct column *column)
{
    static const char *const kinds[] = {
        [COLUMN_PARTITION_KEY] = "partition_key",
        [COLUMN_CLUSTERING] = "clustering",
        [COLUMN_STATIC] = "static",
        [COLUMN_REGULAR] = "regular",
    };
    bool is_key = column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING;
    const char *order = column->kind != COLUMN_CLUSTERING ? "none"
                        : column->reversed                ? "desc"
                                                          : "asc";
    struct system_row row;
    begin_of_table(filling, &row, table);
    system_row_set(&row, "column_name", column->name);
    system_row_set_text(&row, "clustering_order", order);
    system_row_set(&row, "column_name_bytes", column->name);
    system_row_set_text(&row, "kind", kinds[column->kind]);
    system_row_set_int(&row, "position", is_key ? column->index : -1);
    set_type(&row, column->type);
    system_row_end(&row);
}

static void put_columns(const struct filling *filling, const struct table *table)
{
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++) {
        for (uint16_t i = 0; i < table->column_counts[kind]; i++)
            put_column(filling, table, &table->columns[kind][i]);
    }
}

static void put_dropped_columns(const struct filling *filling, const struct table *table)
{
    for (size_t i = 0; i < table->dropped_column_count; i++) {
        const struct dropped_column *dropped = &table->dropped_columns[i];
        struct system_row row;
        begin_of_table(filling, &row, table);
        system_row_set(&row, "column_name", dropped->name);
        system_row_set_long(&row, "dropped_time", dropped->dropped_time_us / 1000);
        system_row_set_text(&row, "kind", dropped->kind == COLUMN_STATIC ? "static" : "regular");
        set_type(&row, dropped->type);
        system_row_end(&row);
    }
}

// ---- indexes -----------------------------------------------------------------------------------

// What WITH OPTIONS says, and the target; of a custom one the class, too.
static void set_index_options(struct system_row *row, const struct filling *filling,
                              const struct index_definition *index)
{
    size_t count = index->options.count;
    struct option *items = ARENA_NEW_ARRAY(filling->arena, struct option, count + 2);
    struct buffer target;
    buffer_init(&target, 64 * 1024);
    index_definition_put_target(index, &target);
    if (count > 0) memcpy(items, index->options.items, count * sizeof *items);
    items[count++] = (struct option){slice_of_text("target"), buffer_slice(&target)};
    if (!slice_is_null(index->class_name))
        items[count++] = (struct option){slice_of_text("class_name"), index->class_name};
    struct options unsorted = {items, count};
    struct options options = options_copy(filling->arena, &unsorted);
    system_row_set_options(row, "options", &options);
    buffer_deinit(&target);
}

static void put_indexes(const struct filling *filling, const struct table *table)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const struct index_definition *index = &table->indexes[i];
        struct system_row row;
        begin_of_table(filling, &row, table);
        system_row_set(&row, "index_name", index->name);
        system_row_set_text(&row, "kind",
                            slice_is_null(index->class_name) ? "COMPOSITES" : "CUSTOM");
        set_index_options(&row, filling, index);
        system_row_end(&row);
    }
}

// ---- All ---------------------------------------------------------------------------------------

// What one table of a keyspace puts into the table that is filled; NULL if nothing does.
static void (*table_filler(struct slice name))(const struct filling *, const struct table *)
{
    if (slice_equals(name, slice_of_text("tables"))) return put_table;
    if (slice_equals(name, slice_of_text("columns"))) return put_columns;
    if (slice_equals(name, slice_of_text("dropped_columns"))) return put_dropped_columns;
    if (slice_equals(name, slice_of_text("indexes"))) return put_indexes;
    return NULL;
}

void system_schema_rows_fill(const struct table *table, enum system_schema_part part,
                             const struct schema *schema, struct memtable *memtable,
                             struct arena *arena, int64_t timestamp)
{
    struct filling filling = {table, part, memtable, arena, timestamp};
    bool is_keyspaces = slice_equals(table->name, slice_of_text("keyspaces"));
    bool is_types = slice_equals(table->name, slice_of_text("types"));
    void (*put)(const struct filling *, const struct table *) = table_filler(table->name);
    if (!is_keyspaces && !is_types && put == NULL) return;

    const struct keyspace *keyspace;
    for (size_t i = 0; (keyspace = schema_keyspace_at(schema, i)) != NULL; i++) {
        if (keyspace->is_virtual != (part == SYSTEM_SCHEMA_VIRTUAL)) continue;
        if (is_keyspaces) put_keyspace(&filling, keyspace);
        if (is_types) put_types(&filling, keyspace);
        const struct table *described;
        for (size_t j = 0;
             put != NULL && (described = schema_table_at(schema, keyspace->name, j)) != NULL; j++)
            put(&filling, described);
    }
}
