// CREATE TABLE and ALTER TABLE (CreateTableStatement, AlterTableStatement).
#include "base/limits.h"
#include "cql/execution/job_guard.h"
#include "cql/execution/schema_change.h"
#include "cql/execution/schema_properties.h"
#include "cql/statement/functions.h"
#include "cql/system/system_tables.h"
#include "storage/schema/schema_codec.h"
#include "storage/uuid.h"

#include <stdlib.h>

enum { TABLE_NAME_SIZE_MAX = 222 };

static bool schema_change_invalid(struct analysis *analysis, const char *format, struct slice a,
                                  struct slice b)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "%.*s", CQL_ERROR_TEXT_SIZE - 1,
                         arena_format(analysis->arena, format, SLICE_TEXT(a), SLICE_TEXT(b)));
}

// ---- CREATE TABLE -------------------------------------------------------------------------------

// A column while the table is made.
struct new_column {
    const struct cql_column_definition *raw;
    const struct type *type;
    bool in_key, reversed;
};

struct creating {
    struct analysis *analysis;
    const struct cql_create_table *raw;
    struct slice keyspace, name;
    struct new_column *columns;
    const struct cql_primary_key *key;
    struct uuid id;
    struct table_params params;
    bool has_id, has_counter;
};

static struct new_column *creating_find(const struct creating *creating, struct slice name)
{
    for (size_t i = 0; i < creating->raw->column_count; i++)
        if (slice_equals(creating->columns[i].raw->name, name)) return &creating->columns[i];
    return NULL;
}

// A user type of many cells whose fields would be of many cells, too.
static bool schema_change_is_loose_type(const struct type *type)
{
    for (uint16_t i = 0; i < type->parameter_count; i++)
        if (type->kind == TYPE_UDT && !type->frozen && type_is_multi_cell(type->parameters[i]))
            return true;
    return false;
}

static bool creating_prepare_columns(struct creating *creating)
{
    struct analysis *analysis = creating->analysis;
    for (size_t i = 0; i < creating->raw->column_count; i++) {
        const struct cql_column_definition *raw = &creating->raw->columns[i];
        for (size_t k = 0; k < i; k++)
            if (slice_equals(raw->name, creating->raw->columns[k].name))
                return schema_change_invalid(analysis,
                                             "Duplicate column '%.*s' declaration for table '%.*s'",
                                             raw->name, creating->name);
        if (raw->mask != NULL || raw->has_default_mask)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Cannot mask columns because dynamic data masking is not enabled. "
                                 "You can enable it with the dynamic_data_masking_enabled property "
                                 "on cassandra.yaml");
        creating->columns[i].raw = raw;
        const struct type **type = &creating->columns[i].type;
        if (!analysis_make_type(analysis, raw->type, creating->keyspace, type) ||
            !schema_change_check_type(analysis, *type))
            return false;
        if (schema_change_is_loose_type(*type))
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Non-frozen UDTs with nested non-frozen collections are not "
                                 "supported");
    }
    return true;
}

static bool creating_check_key_column(struct creating *creating, struct slice name)
{
    struct analysis *analysis = creating->analysis;
    struct new_column *column = creating_find(creating, name);
    if (column == NULL)
        return schema_change_invalid(
            analysis, "Unknown column '%.*s' referenced in PRIMARY KEY for table '%.*s'", name,
            creating->name);
    if (column->in_key)
        return schema_change_invalid(
            analysis, "Duplicate column '%.*s' in PRIMARY KEY clause for table '%.*s'", name,
            creating->name);
    column->in_key = true;
    struct slice type_text = slice_of_text(analysis_type_text(analysis, column->type));
    if (column->type->kind == TYPE_COUNTER)
        return schema_change_invalid(
            analysis, "counter type is not supported for PRIMARY KEY column '%.*s'%.*s", name,
            slice_make("", 0));
    if (type_contains_kind(column->type, TYPE_DURATION))
        return schema_change_invalid(
            analysis, "duration type is not supported for PRIMARY KEY column '%.*s'%.*s", name,
            slice_make("", 0));
    if (type_is_multi_cell(column->type) && column->type->kind == TYPE_UDT)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid non-frozen user-defined type \"%.*s.%.*s\" for PRIMARY KEY "
                             "column '%.*s'",
                             SLICE_TEXT(creating->keyspace), SLICE_TEXT(column->type->name),
                             SLICE_TEXT(name));
    if (type_is_multi_cell(column->type))
        return schema_change_invalid(
            analysis, "Invalid non-frozen collection type %.*s for PRIMARY KEY column '%.*s'",
            type_text, name);
    if (column->raw->is_static)
        return schema_change_invalid(analysis,
                                     "Static column '%.*s' cannot be part of the PRIMARY KEY%.*s",
                                     name, slice_make("", 0));
    return true;
}

// Exactly one key; before all else but the keyspace.
static bool creating_count_keys(const struct creating *creating)
{
    size_t count = creating->raw->primary_key_count;
    struct slice keyspace = creating->raw->table.keyspace;
    if (slice_is_null(keyspace)) keyspace = slice_make("", 0);
    return count == 1 ||
           cql_error_set(
               creating->analysis->error, CQL_ERROR_INVALID,
               count == 0 ? "No PRIMARY KEY specifed for table '%.*s%s%.*s' (exactly one required)"
                          : "Multiple PRIMARY KEY specified for table '%.*s%s%.*s' (exactly one "
                            "required)",
               SLICE_TEXT(keyspace), keyspace.size > 0 ? "." : "", SLICE_TEXT(creating->name));
}

static bool creating_check_key(struct creating *creating)
{
    creating->key = &creating->raw->primary_keys[0];
    for (size_t i = 0; i < creating->key->partition_key.count; i++)
        if (!creating_check_key_column(creating, creating->key->partition_key.items[i]))
            return false;
    for (size_t i = 0; i < creating->key->clustering.count; i++)
        if (!creating_check_key_column(creating, creating->key->clustering.items[i])) return false;
    return true;
}

static bool creating_check_others(struct creating *creating)
{
    struct analysis *analysis = creating->analysis;
    bool has_other = false, has_static = false;
    for (size_t i = 0; i < creating->raw->column_count; i++) {
        const struct new_column *column = &creating->columns[i];
        if (column->in_key) continue;
        if (column->raw->is_static) has_static = true;
        if (column->type->kind == TYPE_COUNTER)
            creating->has_counter = true;
        else
            has_other = true;
    }
    if (has_static && creating->key->clustering.count == 0)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Static columns are only useful (and thus allowed) if the table has "
                             "at least one clustering column");
    if (creating->has_counter && has_other)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot mix counter and non counter columns in the same table");
    return true;
}

static bool creating_is_clustering(const struct creating *creating, struct slice name)
{
    for (size_t i = 0; i < creating->key->clustering.count; i++)
        if (slice_equals(creating->key->clustering.items[i], name)) return true;
    return false;
}

static bool creating_check_order(struct creating *creating)
{
    struct analysis *analysis = creating->analysis;
    const struct cql_table_options *options = &creating->raw->options;
    if (options->compact_storage)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             creating->raw->column_count == 1
                                 ? "No definition found that is not part of the PRIMARY KEY"
                                 : "COMPACT STORAGE is not supported by Helenus yet");
    for (size_t i = 0; i < options->clustering_order_count; i++)
        if (!creating_is_clustering(creating, options->clustering_order[i].column))
            return schema_change_invalid(
                analysis,
                "Only clustering key columns can be defined in CLUSTERING ORDER directive: "
                "[%.*s] are not clustering columns%.*s",
                options->clustering_order[i].column, slice_make("", 0));
    for (size_t i = 0; i < options->clustering_order_count; i++) {
        struct slice expected = creating->key->clustering.items[i];
        struct slice given = options->clustering_order[i].column;
        if (!slice_equals(expected, given)) {
            for (size_t k = i + 1; k < options->clustering_order_count; k++)
                if (slice_equals(options->clustering_order[k].column, expected))
                    return schema_change_invalid(
                        analysis,
                        "The order of columns in the CLUSTERING ORDER directive must match that "
                        "of the clustering columns (%.*s must appear before %.*s)",
                        expected, given);
            return schema_change_invalid(analysis, "Missing CLUSTERING ORDER for column %.*s%.*s",
                                         expected, slice_make("", 0));
        }
        creating_find(creating, given)->reversed = options->clustering_order[i].descending;
    }
    return true;
}

static void creating_add_columns(const struct creating *creating, struct table_builder *builder)
{
    const struct cql_names *lists[2] = {&creating->key->partition_key, &creating->key->clustering};
    enum column_kind kinds[2] = {COLUMN_PARTITION_KEY, COLUMN_CLUSTERING};
    for (size_t list = 0; list < 2; list++)
        for (size_t i = 0; i < lists[list]->count; i++) {
            const struct new_column *column = creating_find(creating, lists[list]->items[i]);
            table_builder_add_column(builder, column->raw->name, column->type, kinds[list],
                                     column->reversed);
        }
    for (size_t i = 0; i < creating->raw->column_count; i++) {
        const struct new_column *column = &creating->columns[i];
        if (column->in_key) continue;
        table_builder_add_column(builder, column->raw->name, column->type,
                                 column->raw->is_static ? COLUMN_STATIC : COLUMN_REGULAR, false);
    }
}

static bool creating_check_name(struct creating *creating)
{
    struct analysis *analysis = creating->analysis;
    if (!schema_change_is_plain_name(creating->name) || creating->name.size > TABLE_NAME_SIZE_MAX)
        return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                             "%.*s.%.*s: Table name must not be empty, more than 48 characters "
                             "long, or contain non-alphanumeric-underscore characters (got "
                             "\"%.*s\")",
                             SLICE_TEXT(creating->keyspace), SLICE_TEXT(creating->name),
                             SLICE_TEXT(creating->name));
    if (creating->raw->column_count > TABLE_COLUMNS_MAX)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "A table can not have more than %u columns", TABLE_COLUMNS_MAX);
    return true;
}

static bool creating_exists(struct creating *creating, bool *skip)
{
    struct analysis *analysis = creating->analysis;
    const struct table *table =
        analysis_lookup_table(analysis->processor, creating->keyspace, creating->name);
    *skip = table != NULL && creating->raw->if_not_exists;
    if (table == NULL || *skip) return true;
    cql_error_set(analysis->error, CQL_ERROR_ALREADY_EXISTS,
                  "Cannot add already existing table \"%.*s\" to keyspace \"%.*s\"",
                  SLICE_TEXT(creating->name), SLICE_TEXT(creating->keyspace));
    memcpy(analysis->error->keyspace, table->keyspace.data, table->keyspace.size);
    analysis->error->keyspace[table->keyspace.size] = '\0';
    memcpy(analysis->error->table, table->name.data, table->name.size);
    analysis->error->table[table->name.size] = '\0';
    return false;
}

// Before the columns are looked at, as in CreateTableStatement.builder().
static bool creating_prepare_params(struct creating *creating)
{
    struct analysis *analysis = creating->analysis;
    const struct cql_properties *properties = &creating->raw->options.properties;
    creating->id = functions_now_uuid(analysis->processor);
    creating->params = table_params_default();
    if (!schema_properties_apply(analysis, analysis->arena, properties, &creating->params,
                                 &creating->id, &creating->has_id))
        return false;
    schema_properties_complete(properties, &creating->params);
    return schema_properties_check(&creating->params, false, analysis->error);
}

// The table that has the id, or an index of it has, which is a hidden table.
static const struct table *schema_change_find_id(const struct schema *schema, struct uuid id)
{
    const struct table *table = schema_find_table_by_id(schema, id), *owner;
    const struct keyspace *keyspace;
    for (size_t k = 0; table == NULL && (keyspace = schema_keyspace_at(schema, k)) != NULL; k++)
        for (size_t t = 0; (owner = schema_table_at(schema, keyspace->name, t)) != NULL; t++)
            for (size_t i = 0; i < owner->index_count; i++)
                if (uuid_equals(owner->indexes[i].id, id)) table = owner;
    return table;
}

// Two tables of one id would be one in the engine, with the rows of both.
static bool creating_check_id(const struct creating *creating)
{
    struct analysis *analysis = creating->analysis;
    const struct query_processor *processor = analysis->processor;
    if (!creating->has_id) return true;
    const struct table *table =
        schema_change_find_id(metadata_schema(processor->metadata), creating->id);
    if (table == NULL && processor->system_tables != NULL)
        table = schema_change_find_id(system_tables_schema(processor->system_tables), creating->id);
    return table == NULL || cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                          "Table id is that of table %.*s.%.*s already",
                                          SLICE_TEXT(table->keyspace), SLICE_TEXT(table->name));
}

static bool creating_finish(struct creating *creating, struct schema_change *change)
{
    struct analysis *analysis = creating->analysis;
    if (!schema_properties_check(&creating->params, creating->has_counter, analysis->error))
        return false;
    if (!creating_check_name(creating) || !creating_check_id(creating)) return false;
    struct table_builder *builder =
        table_builder_create(creating->keyspace, creating->name, creating->id);
    creating_add_columns(creating, builder);
    *table_builder_params(builder) = creating->params;
    change->kind = SCHEMA_CHANGE_PUT_TABLE;
    change->what = "CREATED";
    change->is_of_table = true;
    change->keyspace_name = creating->keyspace;
    change->table_name = creating->name;
    change->table = table_builder_finish(builder);
    return true;
}

// Cassandra's parser refuses it, so before all else.
static bool creating_check_order_once(const struct creating *creating)
{
    const struct cql_clustering_order *order = creating->raw->options.clustering_order;
    struct slice keyspace = creating->raw->table.keyspace;
    if (slice_is_null(keyspace)) keyspace = slice_make("", 0);
    for (size_t i = 0; i < creating->raw->options.clustering_order_count; i++)
        for (size_t k = 0; k < i; k++)
            if (slice_equals(order[i].column, order[k].column))
                return cql_error_set(
                    creating->analysis->error, CQL_ERROR_INVALID,
                    "Duplicate column '%.*s' in CLUSTERING ORDER BY clause for table '%.*s%s%.*s'",
                    SLICE_TEXT(order[i].column), SLICE_TEXT(keyspace), keyspace.size > 0 ? "." : "",
                    SLICE_TEXT(creating->name));
    return true;
}

bool schema_change_create_table(struct analysis *analysis, const struct cql_create_table *create,
                                struct schema_change *change)
{
    struct creating creating = {.analysis = analysis, .raw = create, .name = create->table.name};
    if (!creating_check_order_once(&creating)) return false;
    if (!analysis_keyspace_of(analysis, &create->table, &creating.keyspace)) return false;
    if (!creating_count_keys(&creating)) return false;
    if (!schema_change_check_keyspace(analysis, creating.keyspace)) return false;
    if (!schema_properties_check_values(analysis, &create->options.properties)) return false;
    if (analysis_lookup_keyspace(analysis->processor, creating.keyspace) == NULL)
        return schema_change_invalid(analysis, "Keyspace '%.*s' doesn't exist%.*s",
                                     creating.keyspace, slice_make("", 0));
    bool skip;
    if (!creating_exists(&creating, &skip)) return false;
    if (skip) return true;
    creating.columns =
        ARENA_NEW_ARRAY(analysis->arena, struct new_column, create->column_count + 1);
    return creating_prepare_params(&creating) && creating_prepare_columns(&creating) &&
           creating_check_key(&creating) && creating_check_others(&creating) &&
           creating_check_order(&creating) && creating_finish(&creating, change);
}

// ---- ALTER TABLE --------------------------------------------------------------------------------

struct altering {
    struct analysis *analysis;
    const struct cql_alter_table *raw;
    const struct table *table;
    struct table_builder *builder;
    int64_t now_us;
    bool changed;
};

static bool altering_check_dropped(struct altering *altering,
                                   const struct cql_column_definition *raw, const struct type *type)
{
    const struct table *table = altering->table;
    struct analysis *analysis = altering->analysis;
    for (size_t i = 0; i < table->dropped_column_count; i++) {
        const struct dropped_column *dropped = &table->dropped_columns[i];
        if (!slice_equals(dropped->name, raw->name)) continue;
        enum column_kind kind = raw->is_static ? COLUMN_STATIC : COLUMN_REGULAR;
        if (dropped->kind != kind)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Cannot re-add previously dropped column '%.*s' of kind %s, "
                                 "incompatible with previous kind %s",
                                 SLICE_TEXT(raw->name), raw->is_static ? "STATIC" : "REGULAR",
                                 raw->is_static ? "REGULAR" : "STATIC");
        // Frozen or not matters here: the cells of the two can not be told apart.
        if (!type_equals(dropped->type, type))
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Cannot re-add previously dropped column '%.*s' of type %s, "
                                 "incompatible with previous type %s",
                                 SLICE_TEXT(raw->name), analysis_type_text(analysis, type),
                                 analysis_type_text(analysis, dropped->type));
        if (dropped->type->kind == TYPE_COUNTER)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Cannot re-add previously dropped counter column %.*s",
                                 SLICE_TEXT(raw->name));
    }
    return true;
}

static bool altering_add(struct altering *altering, size_t index)
{
    const struct cql_column_definition *raw = &altering->raw->columns[index];
    const struct table *table = altering->table;
    struct analysis *analysis = altering->analysis;
    const struct type *type;
    if (!analysis_make_type(analysis, raw->type, table->keyspace, &type) ||
        !schema_change_check_type(analysis, type))
        return false;
    bool exists = table_find_column(table, raw->name) != NULL;
    for (size_t i = 0; i < index; i++)
        if (slice_equals(altering->raw->columns[i].name, raw->name)) exists = true;
    if (exists) {
        if (altering->raw->if_column) return true;
        return schema_change_invalid(analysis, "Column with name '%.*s' already exists%.*s",
                                     raw->name, slice_make("", 0));
    }
    if (raw->is_static && table->column_counts[COLUMN_CLUSTERING] == 0)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Static columns are only useful (and thus allowed) if the table has "
                             "at least one clustering column");
    if (schema_change_is_loose_type(type))
        return schema_change_invalid(analysis,
                                     "Non-frozen UDTs with nested non-frozen collections are not "
                                     "supported for column %.*s%.*s",
                                     raw->name, slice_make("", 0));
    if (!altering_check_dropped(altering, raw, type)) return false;
    bool is_counter = type->kind == TYPE_COUNTER;
    if (is_counter != table->is_counter)
        return cql_error_set(
            analysis->error, CQL_ERROR_CONFIG,
            is_counter ? "%.*s.%.*s: Cannot have a counter column (\"%.*s\") in a non "
                         "counter table"
                       : "%.*s.%.*s: Cannot have a non counter column (\"%.*s\") in a "
                         "counter table",
            SLICE_TEXT(table->keyspace), SLICE_TEXT(table->name), SLICE_TEXT(raw->name));
    table_builder_add_column(altering->builder, raw->name, type,
                             raw->is_static ? COLUMN_STATIC : COLUMN_REGULAR, false);
    altering->changed = true;
    return true;
}

static bool altering_drop(struct altering *altering, struct slice name)
{
    const struct table *table = altering->table;
    struct analysis *analysis = altering->analysis;
    const struct column *column = table_find_column(table, name);
    if (column == NULL) {
        if (altering->raw->if_column) return true;
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Column %.*s was not found in table '%.*s.%.*s'", SLICE_TEXT(name),
                             SLICE_TEXT(table->keyspace), SLICE_TEXT(table->name));
    }
    if (column->kind < COLUMN_STATIC)
        return schema_change_invalid(analysis, "Cannot drop PRIMARY KEY column %.*s%.*s", name,
                                     slice_make("", 0));
    if (type_is_multi_cell(column->type) && column->type->kind == TYPE_UDT)
        return schema_change_invalid(analysis,
                                     "Cannot drop non-frozen column %.*s of user type %.*s", name,
                                     slice_of_text(analysis_type_text(analysis, column->type)));
    if (!schema_change_check_indexed(analysis, table, name, "Cannot drop")) return false;
    if (!job_guard_check_column(analysis->processor, table, name, analysis->error)) return false;
    int64_t timestamp = altering->now_us;
    if (!slice_is_null(altering->raw->drop_timestamp))
        timestamp =
            strtoll(analysis_text(analysis->arena, altering->raw->drop_timestamp), NULL, 10);
    // What was dropped before stays dropped.
    for (size_t i = 0; i < table->dropped_column_count; i++)
        if (slice_equals(table->dropped_columns[i].name, name) &&
            table->dropped_columns[i].dropped_time_us > timestamp)
            timestamp = table->dropped_columns[i].dropped_time_us;
    table_builder_drop_column(altering->builder, name, timestamp);
    altering->changed = true;
    return true;
}

// DROP (v, v): once is enough.
static bool altering_drops_before(const struct cql_alter_table *raw, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (slice_equals(raw->dropped.items[i], raw->dropped.items[index])) return true;
    return false;
}

// RENAME k TO a AND k TO b: the last one counts, as in a map.
static bool altering_renames_behind(const struct cql_alter_table *raw, size_t index)
{
    for (size_t i = index + 1; i < raw->rename_count; i++)
        if (slice_equals(raw->renames[i].from, raw->renames[index].from)) return true;
    return false;
}

// RENAME k TO a AND c TO a: Cassandra stumbles, and changes nothing.
static bool altering_check_renamed(const struct altering *altering)
{
    const struct cql_alter_table *raw = altering->raw;
    for (size_t i = 0; i < raw->rename_count; i++)
        for (size_t j = i + 1; j < raw->rename_count; j++)
            if (slice_equals(raw->renames[i].to, raw->renames[j].to) &&
                !altering_renames_behind(raw, i) && !altering_renames_behind(raw, j))
                return cql_error_set(altering->analysis->error, CQL_ERROR_SERVER,
                                     "java.lang.IllegalArgumentException");
    return true;
}

static bool altering_rename(struct altering *altering, const struct cql_rename *rename)
{
    const struct table *table = altering->table;
    struct analysis *analysis = altering->analysis;
    analysis->table = table;
    const struct column *column = analysis_find_column(analysis, rename->from);
    if (column == NULL) return false;
    if (column->kind > COLUMN_CLUSTERING)
        return schema_change_invalid(analysis, "Cannot rename non PRIMARY KEY column %.*s%.*s",
                                     rename->from, slice_make("", 0));
    if (table_find_column(table, rename->to) != NULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot rename column %.*s to %.*s in table '%.*s.%.*s'; another "
                             "column with that name already exists",
                             SLICE_TEXT(rename->from), SLICE_TEXT(rename->to),
                             SLICE_TEXT(table->keyspace), SLICE_TEXT(table->name));
    if (!schema_change_check_indexed(analysis, table, rename->from, "Can't rename")) return false;
    table_builder_rename_column(altering->builder, rename->from, rename->to);
    altering->changed = true;
    return true;
}

static bool altering_properties(struct altering *altering)
{
    struct analysis *analysis = altering->analysis;
    struct table_params *params = table_builder_params(altering->builder);
    struct uuid id;
    bool has_id = false;
    struct table_params made = *params;
    if (!schema_properties_apply(analysis, table_builder_arena(altering->builder),
                                 &altering->raw->properties, &made, &id, &has_id))
        return false;
    if (has_id) return cql_error_set(analysis->error, CQL_ERROR_CONFIG, "Cannot alter table id.");
    if (!schema_properties_check(&made, altering->table->is_counter, analysis->error)) return false;
    *params = made;
    altering->changed = true;
    return true;
}

static bool altering_run(struct altering *altering)
{
    const struct cql_alter_table *raw = altering->raw;
    struct analysis *analysis = altering->analysis;
    switch (raw->kind) {
    case CQL_ALTER_TABLE_ADD:
        for (size_t i = 0; i < raw->column_count; i++)
            if (!altering_add(altering, i)) return false;
        return true;
    case CQL_ALTER_TABLE_DROP:
        for (size_t i = 0; i < raw->dropped.count; i++)
            if (!altering_drops_before(raw, i) && !altering_drop(altering, raw->dropped.items[i]))
                return false;
        return true;
    case CQL_ALTER_TABLE_RENAME:
        for (size_t i = 0; i < raw->rename_count; i++)
            if (!altering_renames_behind(raw, i) && !altering_rename(altering, &raw->renames[i]))
                return false;
        return altering_check_renamed(altering);
    case CQL_ALTER_TABLE_WITH:
        return altering_properties(altering);
    case CQL_ALTER_TABLE_ALTER_TYPE:
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Altering column types is no longer supported");
    case CQL_ALTER_TABLE_DROP_COMPACT_STORAGE:
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "DROP COMPACT STORAGE is disabled. Enable in cassandra.yaml to use.");
    case CQL_ALTER_TABLE_MASK:
        // DROP MASKED of what has no mask.
        if (raw->columns[0].mask == NULL && !raw->columns[0].has_default_mask) return true;
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot mask columns because dynamic data masking is not enabled. You "
                             "can enable it with the dynamic_data_masking_enabled property on "
                             "cassandra.yaml");
    }
    return false;
}

static bool altering_is_same(const struct table *before, const struct table *after)
{
    struct buffer texts[2];
    const struct table *tables[2] = {before, after};
    for (size_t i = 0; i < 2; i++) {
        buffer_init(&texts[i], 1u << 30);
        schema_codec_put_table(&texts[i], tables[i]);
    }
    bool is_same = slice_equals(buffer_slice(&texts[0]), buffer_slice(&texts[1]));
    buffer_deinit(&texts[0]);
    buffer_deinit(&texts[1]);
    return is_same;
}

bool schema_change_alter_table(struct analysis *analysis, const struct cql_alter_table *alter,
                               int64_t now_us, struct schema_change *change)
{
    struct altering altering = {.analysis = analysis, .raw = alter, .now_us = now_us};
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, &alter->table, &keyspace)) return false;
    if (!schema_change_check_keyspace(analysis, keyspace)) return false;
    if (alter->kind == CQL_ALTER_TABLE_WITH &&
        !schema_properties_check_values(analysis, &alter->properties))
        return false;
    altering.table = schema_find_table(metadata_schema(analysis->processor->metadata), keyspace,
                                       alter->table.name);
    if (altering.table == NULL) {
        if (alter->if_exists) return true;
        return schema_change_invalid(analysis, "Table '%.*s.%.*s' doesn't exist", keyspace,
                                     alter->table.name);
    }
    altering.builder = table_builder_copy(altering.table);
    bool is_ok = altering_run(&altering);
    if (alter->kind == CQL_ALTER_TABLE_ADD) schema_change_warn_of_vectors(altering.table, change);
    if (!is_ok || !altering.changed) {
        table_builder_destroy(altering.builder);
        return is_ok;
    }
    change->table = table_builder_finish(altering.builder);
    if (alter->kind == CQL_ALTER_TABLE_WITH && altering_is_same(altering.table, change->table))
        return true; // Nothing changes: nothing is told to anybody.
    change->kind = SCHEMA_CHANGE_PUT_TABLE;
    change->what = "UPDATED";
    change->is_of_table = true;
    change->keyspace_name = keyspace;
    change->table_name = alter->table.name;
    return true;
}
