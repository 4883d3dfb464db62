// CREATE INDEX and DROP INDEX against the schema as it is
// (org.apache.cassandra.cql3.statements.schema.CreateIndexStatement, DropIndexStatement,
// org.apache.cassandra.index.sai.StorageAttachedIndex.validateOptions).
//
// An index is part of its table's definition: both statements make a new version of the table.
#include "base/limits.h"
#include "cql/execution/schema_change.h"
#include "cql/statement/functions.h"
#include "storage/schema/options.h"

#include <strings.h>

enum { NAME_SIZE_MAX = 48 };

#define VECTOR_WARNING                                                                             \
    "SAI ANN indexes on vector columns are experimental and are not recommended for production "   \
    "use.\nThey don't yet support SELECT queries with:\n * Consistency level higher than "         \
    "ONE/LOCAL_ONE.\n * Paging.\n * No LIMIT clauses.\n * PER PARTITION LIMIT clauses.\n * GROUP " \
    "BY clauses.\n * Aggregation functions.\n * Filters on columns without a SAI index."

// CREATE INDEX while it is checked.
struct indexing {
    struct analysis *analysis;
    const struct cql_create_index *raw;
    const struct table *table;
    const struct column *column;
    struct index_definition index;
    bool is_custom;
};

static bool index_refuse(struct analysis *analysis, const char *text)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s", text);
}

static bool index_refuse_column(const struct indexing *indexing, const char *format)
{
    // Each format has the column's name up to twice.
    const char *text =
        arena_format(indexing->analysis->arena, format, SLICE_TEXT(indexing->column->name),
                     SLICE_TEXT(indexing->column->name));
    return index_refuse(indexing->analysis, text);
}

static bool index_is_word(struct slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

// ---- WITH OPTIONS -------------------------------------------------------------------------------

static bool index_take_options(struct indexing *indexing)
{
    struct analysis *analysis = indexing->analysis;
    const struct cql_properties *properties = &indexing->raw->properties;
    for (size_t i = 0; i < properties->count; i++) {
        const struct cql_property *property = &properties->items[i];
        if (!slice_equals(property->name, slice_of_text("options")) || !property->is_map)
            return cql_error_set(analysis->error, CQL_ERROR_SYNTAX, "Unknown property '%.*s'",
                                 SLICE_TEXT(property->name));
        struct option *items =
            ARENA_NEW_ARRAY(analysis->arena, struct option, property->entry_count + 1);
        for (size_t k = 0; k < property->entry_count; k++) {
            struct slice key = property->entries[k].key;
            if (slice_equals(key, slice_of_text("class_name")) ||
                slice_equals(key, slice_of_text("target")))
                return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                     "Cannot specify %.*s as a CUSTOM option", SLICE_TEXT(key));
            items[k] = (struct option){key, property->entries[k].value};
        }
        struct options as_written = {items, property->entry_count};
        indexing->index.options = options_copy(analysis->arena, &as_written);
    }
    return true;
}

// ---- The target ---------------------------------------------------------------------------------

static bool index_check_duration(const struct indexing *indexing)
{
    const struct type *type = indexing->column->type;
    if (!analysis_refers_to_duration(type)) return true;
    const char *what = type_is_collection(type)   ? "collections containing durations"
                       : type->kind == TYPE_TUPLE ? "tuples containing durations"
                       : type->kind == TYPE_UDT   ? "UDTs containing durations"
                                                  : "duration columns";
    return cql_error_set(indexing->analysis->error, CQL_ERROR_INVALID,
                         "Secondary indexes are not supported on %s", what);
}

static const char *index_target_name(enum index_target target)
{
    static const char *const names[INDEX_TARGET_COUNT] = {"", "values", "keys", "entries", "full"};
    return names[target];
}

static bool index_check_target(const struct indexing *indexing)
{
    const struct column *column = indexing->column;
    struct analysis *analysis = indexing->analysis;
    enum index_target target = indexing->index.target;
    bool is_collection = type_is_collection(column->type);
    bool is_frozen = is_collection && column->type->frozen;
    bool is_multi_cell = type_is_multi_cell(column->type);
    if (indexing->is_custom &&
        (!schema_change_is_plain_name(column->name) || column->name.size > NAME_SIZE_MAX))
        return index_refuse_column(indexing,
                                   "Column '%.*s' is longer than the permissible name length of 48 "
                                   "characters or contains non-alphanumeric-underscore characters");
    if (!index_check_duration(indexing)) return false;
    if (column->kind == COLUMN_PARTITION_KEY &&
        indexing->table->column_counts[COLUMN_PARTITION_KEY] == 1)
        return index_refuse_column(indexing, "Cannot create secondary index on the only partition "
                                             "key column %.*s");
    if (is_frozen && target != INDEX_TARGET_FULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot create %s() index on frozen column %.*s. Frozen collections "
                             "are immutable and must be fully indexed by using the 'full(%.*s)' "
                             "modifier",
                             index_target_name(target), SLICE_TEXT(column->name),
                             SLICE_TEXT(column->name));
    if (!is_frozen && target == INDEX_TARGET_FULL)
        return index_refuse(analysis, "full() indexes can only be created on frozen collections");
    if (!is_collection && target != INDEX_TARGET_SIMPLE)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot create %s() index on %.*s. Non-collection columns only "
                             "support simple indexes",
                             index_target_name(target), SLICE_TEXT(column->name));
    bool is_of_keys = target == INDEX_TARGET_KEYS || target == INDEX_TARGET_ENTRIES;
    if (is_of_keys && !(column->type->kind == TYPE_MAP && is_multi_cell))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot create index on %s of column %.*s with non-map type",
                             index_target_name(target), SLICE_TEXT(column->name));
    if (column->type->kind == TYPE_UDT && is_multi_cell)
        return index_refuse_column(indexing, "Cannot create index on non-frozen UDT column %.*s");
    return true;
}

static bool index_find_targets(struct indexing *indexing)
{
    struct analysis *analysis = indexing->analysis;
    const struct cql_create_index *raw = indexing->raw;
    analysis->table = indexing->table;
    for (size_t i = 0; i < raw->target_count; i++)
        if (analysis_find_column(analysis, raw->targets[i].column) == NULL) return false;
    if (raw->target_count == 0 && !indexing->is_custom)
        return index_refuse(analysis,
                            "Only CUSTOM indexes can be created without specifying a target "
                            "column");
    if (raw->target_count > 1 && !indexing->is_custom)
        return index_refuse(analysis, "Only CUSTOM indexes support multiple columns");
    for (size_t i = 0; i < raw->target_count; i++)
        for (size_t k = 0; k < i; k++)
            if (slice_equals(raw->targets[i].column, raw->targets[k].column))
                return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                     "Duplicate column '%.*s' in index target list",
                                     SLICE_TEXT(raw->targets[i].column));
    if (raw->target_count == 0)
        return index_refuse(analysis, "Failed to retrieve target column for: ");
    const struct cql_index_target *target = &raw->targets[0];
    indexing->column = analysis_find_column(analysis, target->column);
    indexing->index.column = target->column;
    indexing->index.target = (enum index_target)target->kind;
    // (c) of a collection means its values.
    if (target->kind == CQL_INDEX_TARGET_PLAIN && type_is_collection(indexing->column->type))
        indexing->index.target = INDEX_TARGET_VALUES;
    return index_check_target(indexing);
}

// ---- Names --------------------------------------------------------------------------------------

static const struct table *index_owner(struct analysis *analysis, struct slice keyspace,
                                       struct slice name)
{
    const struct schema *schema = metadata_schema(analysis->processor->metadata);
    const struct table *table;
    for (size_t i = 0; (table = schema_table_at(schema, keyspace, i)) != NULL; i++)
        if (table_find_index(table, name) != NULL) return table;
    return NULL;
}

// "t_c_idx", or the first of "t_c_idx_1", … that is free.
static void index_make_name(struct indexing *indexing)
{
    struct arena *arena = indexing->analysis->arena;
    const char *whole = arena_format(
        arena, "%.*s_%.*s_idx", SLICE_TEXT(indexing->table->name),
        SLICE_TEXT(indexing->raw->target_count == 1 ? indexing->column->name : slice_of_text("")));
    char *base = arena_alloc(arena, strlen(whole) + 1);
    size_t size = 0;
    for (const char *at = whole; *at != '\0'; at++)
        if (schema_change_is_plain_name(slice_make(at, 1))) base[size++] = *at;
    base[size] = '\0';
    struct slice name = slice_make(base, size);
    for (unsigned i = 1; index_owner(indexing->analysis, indexing->table->keyspace, name) != NULL;
         i++)
        name = slice_of_text(arena_format(arena, "%s_%u", base, i));
    indexing->index.name = name;
}

static bool index_is_same(const struct index_definition *a, const struct index_definition *b)
{
    if (a->target != b->target || !slice_equals(a->column, b->column)) return false;
    if (slice_is_null(a->class_name) != slice_is_null(b->class_name)) return false;
    return slice_is_null(a->class_name) ||
           (slice_equals(a->class_name, b->class_name) && options_equal(&a->options, &b->options));
}

// `*skip`: there is one like it, and that was asked for.
static bool index_check_duplicate(const struct indexing *indexing, bool *skip)
{
    const struct table *table = indexing->table;
    for (size_t i = 0; i < table->index_count; i++) {
        if (!index_is_same(&table->indexes[i], &indexing->index)) continue;
        *skip = indexing->raw->if_not_exists;
        return *skip ||
               cql_error_set(indexing->analysis->error, CQL_ERROR_INVALID,
                             "Index %.*s is a duplicate of existing index %.*s",
                             SLICE_TEXT(indexing->index.name), SLICE_TEXT(table->indexes[i].name));
    }
    return true;
}

// ---- Storage-attached indexes -------------------------------------------------------------------

static bool index_is_sai(struct slice class_name)
{
    return index_is_word(class_name, "sai") || index_is_word(class_name, "StorageAttachedIndex") ||
           slice_equals(class_name,
                        slice_of_text("org.apache.cassandra.index.sai.StorageAttachedIndex"));
}

enum sai_option_kind { SAI_OPTION_UNKNOWN, SAI_OPTION_ANALYSIS, SAI_OPTION_VECTOR };

static enum sai_option_kind index_option_kind(struct slice key)
{
    static const char *const analysis[] = {"case_sensitive", "normalize", "ascii"};
    static const char *const vector[] = {"similarity_function", "maximum_node_connections",
                                         "construction_beam_width", "optimize_for"};
    for (size_t i = 0; i < sizeof analysis / sizeof *analysis; i++)
        if (slice_equals(key, slice_of_text(analysis[i]))) return SAI_OPTION_ANALYSIS;
    for (size_t i = 0; i < sizeof vector / sizeof *vector; i++)
        if (slice_equals(key, slice_of_text(vector[i]))) return SAI_OPTION_VECTOR;
    return SAI_OPTION_UNKNOWN;
}

// {'a': 'b'} of one kind; NULL: there are none.
static const char *index_options_text(const struct indexing *indexing, enum sai_option_kind kind)
{
    const char *text = NULL;
    struct arena *arena = indexing->analysis->arena;
    const struct options *options = &indexing->index.options;
    for (size_t i = 0; i < options->count; i++) {
        const struct option *option = &options->items[i];
        if (index_option_kind(option->key) != kind) continue;
        text = arena_format(arena, "%s%s'%.*s': '%.*s'", text == NULL ? "{" : text,
                            text == NULL ? "" : ", ", SLICE_TEXT(option->key),
                            SLICE_TEXT(option->value));
    }
    return text == NULL ? NULL : arena_format(arena, "%s}", text);
}

static bool index_check_known_options(const struct indexing *indexing)
{
    const char *unknown = NULL;
    const struct options *options = &indexing->index.options;
    for (size_t i = 0; i < options->count; i++)
        if (index_option_kind(options->items[i].key) == SAI_OPTION_UNKNOWN)
            unknown =
                arena_format(indexing->analysis->arena, "%s%s%.*s", unknown == NULL ? "" : unknown,
                             unknown == NULL ? "" : ", ", SLICE_TEXT(options->items[i].key));
    if (unknown == NULL) return true;
    return cql_error_set(indexing->analysis->error, CQL_ERROR_CONFIG,
                         "Properties specified [%s] are not understood by StorageAttachedIndex",
                         unknown);
}

// What is in the index: the type of its terms.
static const struct type *index_term_type(const struct indexing *indexing)
{
    const struct type *type = indexing->column->type;
    switch (indexing->index.target) {
    case INDEX_TARGET_VALUES:
        return type->parameters[type->kind == TYPE_MAP ? 1 : 0];
    case INDEX_TARGET_KEYS:
        return type->parameters[0];
    default:
        return type;
    }
}

static bool index_check_sai_options(const struct indexing *indexing, const struct type *type)
{
    struct analysis *analysis = indexing->analysis;
    const char *analyzed = index_options_text(indexing, SAI_OPTION_ANALYSIS);
    const char *vector = index_options_text(indexing, SAI_OPTION_VECTOR);
    if (analyzed != NULL && indexing->column->kind < COLUMN_STATIC)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Analysis options are not supported on primary key columns, but found "
                             "%s",
                             analyzed);
    bool is_text = type->kind == TYPE_TEXT || type->kind == TYPE_ASCII;
    if (analyzed != NULL && !is_text)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "CQL type %s cannot be analyzed.",
                             analysis_type_text(analysis, type));
    if (vector != NULL && type->kind != TYPE_VECTOR)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "CQL type %s cannot have vector options",
                             analysis_type_text(analysis, type));
    return true;
}

static bool index_check_sai(const struct indexing *indexing)
{
    struct analysis *analysis = indexing->analysis;
    const struct table *table = indexing->table;
    const struct cql_create_index *raw = indexing->raw;
    if (raw->target_count > 1) {
        const char *names = "";
        for (size_t i = 0; i < raw->target_count; i++)
            names = arena_format(analysis->arena, "%s%s%.*s", names, i == 0 ? "" : ", ",
                                 SLICE_TEXT(raw->targets[i].column));
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "A storage-attached index cannot be created over multiple columns: %s",
                             names);
    }
    for (size_t i = 0; i < table->index_count; i++)
        if (!slice_is_null(table->indexes[i].class_name) &&
            table->indexes[i].target == indexing->index.target &&
            slice_equals(table->indexes[i].column, indexing->index.column))
            return index_refuse_column(indexing, "Cannot create more than one storage-attached "
                                                 "index on the same column: %.*s");
    if (!index_check_known_options(indexing)) return false;
    const struct type *type = index_term_type(indexing);
    if (!index_check_sai_options(indexing, type)) return false;
    if (type->kind == TYPE_BLOB || type->kind == TYPE_COUNTER)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Unsupported type: %s",
                             analysis_type_text(analysis, type));
    if (type->kind == TYPE_VECTOR && type->parameters[0]->kind != TYPE_FLOAT)
        return index_refuse(analysis, "SAI ANN indexes are only allowed on vector columns with "
                                      "float elements");
    return true;
}

// ---- CREATE -------------------------------------------------------------------------------------

// The class says what kind it is; only storage-attached ones are known besides the ordinary one.
static bool index_check_class(struct indexing *indexing)
{
    struct analysis *analysis = indexing->analysis;
    struct slice name = indexing->raw->custom_class;
    if (indexing->raw->is_custom && slice_is_null(name)) name = slice_of_text("legacy_local_table");
    if (!indexing->raw->is_custom && index_is_word(name, "legacy_local_table")) name = slice_null();
    indexing->is_custom = !slice_is_null(name);
    indexing->index.class_name = name;
    if (!indexing->is_custom && indexing->raw->properties.count > 0)
        return index_refuse(analysis, "Cannot specify options for a non-CUSTOM index");
    if (slice_equals(name, slice_of_text("org.apache.cassandra.index.sasi.SASIIndex")))
        return index_refuse(analysis,
                            "SASI indexes are disabled. Enable in cassandra.yaml to use.");
    return true;
}

static bool index_find_table(struct indexing *indexing)
{
    struct analysis *analysis = indexing->analysis;
    const struct cql_create_index *raw = indexing->raw;
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, &raw->table, &keyspace)) return false;
    if (!schema_change_check_keyspace(analysis, keyspace)) return false;
    if (analysis_lookup_keyspace(analysis->processor, keyspace) == NULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Keyspace '%.*s' doesn't exist",
                             SLICE_TEXT(keyspace));
    indexing->table = analysis_lookup_table(analysis->processor, keyspace, raw->table.name);
    if (indexing->table != NULL) return true;
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Table '%.*s' doesn't exist",
                         SLICE_TEXT(raw->table.name));
}

static bool index_check_definition(const struct indexing *indexing)
{
    struct analysis *analysis = indexing->analysis;
    if (!schema_change_is_plain_name(indexing->index.name))
        return cql_error_set(analysis->error, CQL_ERROR_CONFIG, "Illegal index name %.*s",
                             SLICE_TEXT(indexing->index.name));
    if (indexing->table->index_count >= TABLE_INDEXES_MAX ||
        indexing->index.name.size > INDEX_NAME_SIZE_MAX)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "A table can not have more than %u indexes, nor an index a name of "
                             "more than %u characters",
                             TABLE_INDEXES_MAX, INDEX_NAME_SIZE_MAX);
    if (!indexing->is_custom) return true;
    if (!index_is_sai(indexing->index.class_name))
        return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                             "Unable to find custom indexer class '%.*s'",
                             SLICE_TEXT(indexing->index.class_name));
    return index_check_sai(indexing);
}

static void index_put_table(struct analysis *analysis, const struct table *table,
                            struct table_builder *builder, struct schema_change *change)
{
    change->kind = SCHEMA_CHANGE_PUT_TABLE;
    change->what = "UPDATED";
    change->is_of_table = true;
    change->keyspace_name = arena_copy(analysis->arena, table->keyspace);
    change->table_name = arena_copy(analysis->arena, table->name);
    change->table = table_builder_finish(builder);
}

void schema_change_warn_of_vectors(const struct table *table, struct schema_change *change)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const struct column *column = table_find_column(table, table->indexes[i].column);
        if (change->warning_count < SCHEMA_WARNINGS_MAX &&
            !slice_is_null(table->indexes[i].class_name) && column->type->kind == TYPE_VECTOR)
            change->warnings[change->warning_count++] = VECTOR_WARNING;
    }
}

bool schema_change_create_index(struct analysis *analysis, const struct cql_create_index *create,
                                struct schema_change *change)
{
    struct indexing indexing = {.analysis = analysis, .raw = create};
    if (!index_check_class(&indexing) || !index_take_options(&indexing) ||
        !index_find_table(&indexing))
        return false;
    const struct table *table = indexing.table;
    struct slice name = create->name.name;
    if (!slice_is_null(name) && index_owner(analysis, table->keyspace, name) != NULL)
        return create->if_not_exists ||
               cql_error_set(analysis->error, CQL_ERROR_INVALID, "Index '%.*s' already exists",
                             SLICE_TEXT(name));
    if (table->is_counter)
        return index_refuse(analysis, "Secondary indexes on counter tables aren't supported");
    if (!index_find_targets(&indexing)) return false;
    indexing.index.name = name;
    if (slice_is_null(name)) index_make_name(&indexing);
    bool skip = false;
    if (!index_check_duplicate(&indexing, &skip) || skip) return skip;
    if (!index_check_definition(&indexing)) return false;
    indexing.index.id = functions_now_uuid(analysis->processor);
    struct table_builder *builder = table_builder_copy(table);
    table_builder_add_index(builder, &indexing.index);
    index_put_table(analysis, table, builder, change);
    schema_change_warn_of_vectors(change->table, change);
    return true;
}

// ---- DROP ---------------------------------------------------------------------------------------

bool schema_change_drop_index(struct analysis *analysis, const struct cql_drop *drop,
                              struct schema_change *change)
{
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, &drop->name, &keyspace)) return false;
    if (!schema_change_check_keyspace(analysis, keyspace)) return false;
    const struct table *table = index_owner(analysis, keyspace, drop->name.name);
    if (table == NULL)
        return drop->if_exists ||
               cql_error_set(analysis->error, CQL_ERROR_INVALID, "Index '%.*s.%.*s' doesn't exist'",
                             SLICE_TEXT(keyspace), SLICE_TEXT(drop->name.name));
    struct table_builder *builder = table_builder_copy(table);
    table_builder_drop_index(builder, drop->name.name);
    index_put_table(analysis, table, builder, change);
    return true;
}

bool schema_change_check_indexed(struct analysis *analysis, const struct table *table,
                                 struct slice column, const char *format)
{
    const char *names = NULL;
    for (size_t i = 0; i < table->index_count; i++)
        if (slice_equals(table->indexes[i].column, column))
            names = arena_format(analysis->arena, "%s%s%.*s", names == NULL ? "" : names,
                                 names == NULL ? "" : ", ", SLICE_TEXT(table->indexes[i].name));
    if (names == NULL) return true;
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "%s column %.*s because it has dependent secondary indexes (%s)", format,
                         SLICE_TEXT(column), names);
}
