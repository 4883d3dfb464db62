#include "storage/schema/schema_text.h"

#include "base/assert.h"
#include "storage/schema/cql_name.h"
#include "storage/value.h"
#include "storage/value/real.h"

#include <inttypes.h>
#include <stdlib.h>

static void put(struct buffer *text, const char *literal)
{
    buffer_put(text, literal, strlen(literal));
}

static void put_option(const struct option *option, struct buffer *text)
{
    cql_name_put_string(option->key, text);
    put(text, ": ");
    cql_name_put_string(option->value, text);
}

static void put_options(const struct options *options, struct buffer *text)
{
    put(text, "{");
    for (size_t i = 0; i < options->count; i++) {
        if (i > 0) put(text, ", ");
        put_option(&options->items[i], text);
    }
    put(text, "}");
}

// ---- Keyspaces ----------------------------------------------------------------------------------

// The class comes first and without Cassandra's package.
static void put_replication(const struct options *replication, struct buffer *text)
{
    static const char package[] = "org.apache.cassandra.locator.";
    size_t prefix = sizeof package - 1;
    bool is_first = true;
    put(text, "{");
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < replication->count; i++) {
            struct option option = replication->items[i];
            bool is_class = slice_equals(option.key, slice_of_text("class"));
            if (is_class != (pass == 0)) continue;
            if (is_class && option.value.size > prefix &&
                memcmp(option.value.data, package, prefix) == 0)
                option.value = slice_make(option.value.data + prefix, option.value.size - prefix);
            if (!is_first) put(text, ", ");
            put_option(&option, text);
            is_first = false;
        }
    }
    put(text, "}");
}

void schema_text_put_keyspace(const struct keyspace *keyspace, struct buffer *text)
{
    if (keyspace->is_virtual) {
        put(text, "/*\nWarning: Keyspace ");
        cql_name_put(keyspace->name, text);
        put(text, " is a virtual keyspace and cannot be recreated with CQL.\n"
                  "Structure, for reference:\nVIRTUAL KEYSPACE ");
        cql_name_put(keyspace->name, text);
        put(text, ";\n*/");
        return;
    }
    put(text, "CREATE KEYSPACE ");
    cql_name_put(keyspace->name, text);
    put(text, " WITH replication = ");
    put_replication(&keyspace->replication, text);
    buffer_put_format(text, "  AND durable_writes = %s;",
                      keyspace->durable_writes ? "true" : "false");
}

// ---- Types --------------------------------------------------------------------------------------

static void put_type(const struct type *type, bool if_not_exists, struct buffer *text)
{
    put(text, if_not_exists ? "CREATE TYPE IF NOT EXISTS " : "CREATE TYPE ");
    cql_name_put(type->keyspace, text);
    put(text, ".");
    cql_name_put(type->name, text);
    put(text, " (");
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        put(text, i == 0 ? "\n    " : ",\n    ");
        cql_name_put(type->field_names[i], text);
        put(text, " ");
        type_put_cql(type->parameters[i], text);
    }
    put(text, "\n);");
}

void schema_text_put_type(const struct type *type, struct buffer *text)
{
    put_type(type, false, text);
}

// ---- Columns ------------------------------------------------------------------------------------

static void put_table_name(const struct table *table, struct buffer *text)
{
    cql_name_put(table->keyspace, text);
    put(text, ".");
    cql_name_put(table->name, text);
}

static void put_column(struct slice name, const struct type *type, enum column_kind kind,
                       struct buffer *text)
{
    cql_name_put(name, text);
    put(text, " ");
    type_put_cql(type, text);
    if (kind == COLUMN_STATIC) put(text, " static");
}

static bool was_dropped(const struct table *table, struct slice name)
{
    for (size_t i = 0; i < table->dropped_column_count; i++)
        if (slice_equals(table->dropped_columns[i].name, name)) return true;
    return false;
}

static bool has_one_key_column(const struct table *table)
{
    return table->column_counts[COLUMN_PARTITION_KEY] == 1 &&
           table->column_counts[COLUMN_CLUSTERING] == 0;
}

// "k, c" of one kind.
static void put_names(const struct table *table, enum column_kind kind, struct buffer *text)
{
    for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
        if (i > 0) put(text, ", ");
        cql_name_put(table->columns[kind][i].name, text);
    }
}

static void put_primary_key(const struct table *table, struct buffer *text)
{
    bool is_composite = table->column_counts[COLUMN_PARTITION_KEY] > 1;
    put(text, is_composite ? ",\n    PRIMARY KEY ((" : ",\n    PRIMARY KEY (");
    put_names(table, COLUMN_PARTITION_KEY, text);
    if (is_composite) put(text, ")");
    if (table->column_counts[COLUMN_CLUSTERING] > 0) put(text, ", ");
    put_names(table, COLUMN_CLUSTERING, text);
    put(text, ")");
}

// A column that was dropped and made again stands among the dropped ones: it is dropped and added
// by the ALTERs at the end.
static void put_columns(const struct table *table, bool with_dropped, struct buffer *text)
{
    const char *before = "\n    ";
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++) {
        for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
            const struct column *column = &table->columns[kind][i];
            if (with_dropped && was_dropped(table, column->name)) continue;
            put(text, before);
            put_column(column->name, column->type, column->kind, text);
            if (kind == COLUMN_PARTITION_KEY && has_one_key_column(table))
                put(text, " PRIMARY KEY");
            before = ",\n    ";
        }
    }
    for (size_t i = 0; with_dropped && i < table->dropped_column_count; i++) {
        const struct dropped_column *dropped = &table->dropped_columns[i];
        put(text, before);
        put_column(dropped->name, dropped->type, dropped->kind, text);
        before = ",\n    ";
    }
    if (!has_one_key_column(table)) put_primary_key(table, text);
}

static void put_alterations(const struct table *table, struct buffer *text)
{
    for (size_t i = 0; i < table->dropped_column_count; i++) {
        const struct dropped_column *dropped = &table->dropped_columns[i];
        put(text, "\nALTER TABLE ");
        put_table_name(table, text);
        put(text, " DROP ");
        cql_name_put(dropped->name, text);
        buffer_put_format(text, " USING TIMESTAMP %" PRId64 ";", dropped->dropped_time_us);
        const struct column *column = table_find_column(table, dropped->name);
        if (column == NULL) continue;
        put(text, "\nALTER TABLE ");
        put_table_name(table, text);
        put(text, " ADD ");
        put_column(column->name, column->type, column->kind, text);
        put(text, ";");
    }
}

// ---- What comes after WITH ----------------------------------------------------------------------

static void put_clustering_order(const struct table *table, struct buffer *text)
{
    put(text, "CLUSTERING ORDER BY (");
    for (uint16_t i = 0; i < table->column_counts[COLUMN_CLUSTERING]; i++) {
        const struct column *column = &table->columns[COLUMN_CLUSTERING][i];
        if (i > 0) put(text, ", ");
        cql_name_put(column->name, text);
        put(text, column->reversed ? " DESC" : " ASC");
    }
    put(text, ")");
}

static const char and[] = "\n    AND ";

static void put_text_param(const char *name, struct slice value, struct buffer *text)
{
    buffer_put_format(text, "%s%s = ", and, name);
    cql_name_put_string(value, text);
}

static void put_options_param(const char *name, const struct options *options, struct buffer *text)
{
    buffer_put_format(text, "%s%s = ", and, name);
    put_options(options, text);
}

static void put_double_param(const char *name, double value, struct buffer *text)
{
    buffer_put_format(text, "%s%s = ", and, name);
    real_put_double(value, text);
}

static void put_int_param(const char *name, int32_t value, struct buffer *text)
{
    buffer_put_format(text, "%s%s = %" PRId32, and, name, value);
}

static void put_bool_param(const char *name, bool value, struct buffer *text)
{
    buffer_put_format(text, "%s%s = %s", and, name, value ? "true" : "false");
}

// Values of extensions are bytes.
static void put_extensions(const struct options *extensions, struct buffer *text)
{
    buffer_put_format(text, "%sextensions = {", and);
    for (size_t i = 0; i < extensions->count; i++) {
        if (i > 0) put(text, ", ");
        cql_name_put_string(extensions->items[i].key, text);
        put(text, ": ");
        value_put_cql(type_of_kind(TYPE_BLOB), extensions->items[i].value, text);
    }
    put(text, "}");
}

// All but additional_write_policy, which comes first and may follow WITH itself.
static void put_params(const struct table_params *params, struct buffer *text)
{
    put_bool_param("allow_auto_snapshot", params->allow_auto_snapshot, text);
    put_double_param("bloom_filter_fp_chance", params->bloom_filter_fp_chance, text);
    put_options_param("caching", &params->caching, text);
    put_bool_param("cdc", params->cdc, text);
    put_text_param("comment", params->comment, text);
    put_options_param("compaction", &params->compaction, text);
    put_options_param("compression", &params->compression, text);
    put_text_param("memtable", params->memtable, text);
    put_double_param("crc_check_chance", params->crc_check_chance, text);
    put_int_param("default_time_to_live", params->default_time_to_live, text);
    put_extensions(&params->extensions, text);
    put_int_param("gc_grace_seconds", params->gc_grace_seconds, text);
    put_bool_param("incremental_backups", params->incremental_backups, text);
    put_int_param("max_index_interval", params->max_index_interval, text);
    put_int_param("memtable_flush_period_in_ms", params->memtable_flush_period_in_ms, text);
    put_int_param("min_index_interval", params->min_index_interval, text);
    put_text_param("read_repair", params->read_repair, text);
    put_text_param("speculative_retry", params->speculative_retry, text);
}

static void put_table(const struct table *table, bool with_internals, bool if_not_exists,
                      struct buffer *text)
{
    if (table->is_virtual) {
        put(text, "/*\nWarning: Table ");
        put_table_name(table, text);
        put(text, " is a virtual table and cannot be recreated with CQL.\n"
                  "Structure, for reference:\nVIRTUAL TABLE ");
    } else {
        put(text, if_not_exists ? "CREATE TABLE IF NOT EXISTS " : "CREATE TABLE ");
    }
    put_table_name(table, text);
    put(text, " (");
    put_columns(table, with_internals, text);
    put(text, "\n) WITH ");
    if (with_internals) {
        char id[UUID_TEXT_SIZE];
        uuid_format(table->id, id);
        buffer_put_format(text, "ID = %s%s", id, and);
    }
    if (table->column_counts[COLUMN_CLUSTERING] > 0) {
        put_clustering_order(table, text);
        put(text, and);
    }
    if (table->is_virtual) {
        put(text, "comment = ");
        cql_name_put_string(table->params.comment, text);
        put(text, ";\n*/");
        return;
    }
    put(text, "additional_write_policy = ");
    cql_name_put_string(table->params.additional_write_policy, text);
    put_params(&table->params, text);
    put(text, ";");
    if (with_internals) put_alterations(table, text);
}

void schema_text_put_table(const struct table *table, bool with_internals, struct buffer *text)
{
    put_table(table, with_internals, false, text);
}

static void put_index(const struct table *table, const struct index_definition *index,
                      bool if_not_exists, struct buffer *text)
{
    bool is_custom = !slice_is_null(index->class_name);
    put(text, is_custom ? "CREATE CUSTOM INDEX " : "CREATE INDEX ");
    if (if_not_exists) put(text, "IF NOT EXISTS ");
    cql_name_put(index->name, text);
    put(text, " ON ");
    put_table_name(table, text);
    put(text, " (");
    index_definition_put_target(index, text);
    put(text, ")");
    if (is_custom) {
        put(text, " USING ");
        cql_name_put_string(index->class_name, text);
    }
    if (index->options.count > 0) {
        put(text, " WITH OPTIONS = ");
        put_options(&index->options, text);
    }
    put(text, ";");
}

void schema_text_put_index(const struct table *table, const struct index_definition *index,
                           struct buffer *text)
{
    put_index(table, index, false, text);
}

// ---- A file of it -------------------------------------------------------------------------------

// Types that were put already, by name: all are of the table's keyspace.
struct put_types {
    struct slice *names;
    size_t count, capacity;
};

static bool was_put(const struct put_types *types, struct slice name)
{
    for (size_t i = 0; i < types->count; i++)
        if (slice_equals(types->names[i], name)) return true;
    return false;
}

static void note_put(struct put_types *types, struct slice name)
{
    if (types->count == types->capacity) {
        types->capacity = types->capacity == 0 ? 8 : types->capacity * 2;
        types->names = realloc(types->names, types->capacity * sizeof *types->names);
        ASSERT(types->names != NULL);
    }
    types->names[types->count++] = name;
}

// What it is made of first.
static void put_types_of(const struct type *type, struct put_types *types, struct buffer *text)
{
    for (uint16_t i = 0; i < type->parameter_count; i++)
        put_types_of(type->parameters[i], types, text);
    if (type->kind != TYPE_UDT || was_put(types, type->name)) return;
    note_put(types, type->name);
    put_type(type, true, text);
    put(text, "\n");
}

void schema_text_put_file(const struct table *table, struct buffer *text)
{
    struct put_types types = {0};
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < table->column_counts[kind]; i++)
            put_types_of(table->columns[kind][i].type, &types, text);
    for (size_t i = 0; i < table->dropped_column_count; i++)
        put_types_of(table->dropped_columns[i].type, &types, text);
    free(types.names);
    put_table(table, true, true, text);
    put(text, "\n");
    for (size_t i = 0; i < table->index_count; i++) {
        put_index(table, &table->indexes[i], true, text);
        put(text, "\n");
    }
}
