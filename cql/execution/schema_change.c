#include "cql/execution/schema_change.h"

#include "base/limits.h"
#include "cql/execution/job_guard.h"
#include "cql/execution/schema_properties.h"
#include "cql/system/system_tables.h"
#include "storage/schema/options.h"
#include "storage/schema/schema_codec.h"

enum { KEYSPACE_NAME_SIZE_MAX = 48 };

static const struct keyspace *schema_change_find(struct analysis *analysis, struct slice name)
{
    return schema_find_keyspace(metadata_schema(analysis->processor->metadata), name);
}

static bool schema_change_is_system(struct analysis *analysis, struct slice name)
{
    struct system_tables *tables = analysis->processor->system_tables;
    return tables != NULL && schema_find_keyspace(system_tables_schema(tables), name) != NULL;
}

bool schema_change_is_plain_name(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = name.data[i];
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || byte == '_';
        if (!is_plain) return false;
    }
    return name.size > 0;
}

bool schema_change_check_keyspace(struct analysis *analysis, struct slice keyspace)
{
    if (!schema_change_is_system(analysis, keyspace)) return true;
    return cql_error_set(analysis->error, CQL_ERROR_UNAUTHORIZED,
                         "%.*s keyspace is not user-modifiable.", SLICE_TEXT(keyspace));
}

// ---- Keyspaces ----------------------------------------------------------------------------------

static void schema_change_warn_factor(struct analysis *analysis, struct schema_change *change)
{
    struct slice factor = options_find(&change->keyspace->replication, "replication_factor");
    if (slice_is_null(factor) || factor.size > 4) return;
    int number = 0;
    for (size_t i = 0; i < factor.size; i++)
        number = number * 10 + (factor.data[i] - '0');
    const struct topology *topology = metadata_topology(analysis->processor->metadata);
    int node_count = topology == NULL ? 1 : topology->member_count;
    if (number <= node_count) return;
    change->warnings[change->warning_count++] =
        arena_format(analysis->arena,
                     "Your replication factor %d for keyspace %.*s is higher than the number of "
                     "nodes %d",
                     number, SLICE_TEXT(change->keyspace->name), node_count);
}

static const char *schema_change_data_center(const struct analysis *analysis)
{
    const char *name = analysis->processor->data_center;
    return name == NULL ? "datacenter1" : name;
}

static bool schema_change_create_keyspace(struct analysis *analysis,
                                          const struct cql_keyspace_change *create,
                                          struct schema_change *change)
{
    struct slice name = create->keyspace;
    if (schema_change_is_system(analysis, name))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "System keyspace '%.*s' is not user-modifiable", SLICE_TEXT(name));
    struct options replication = {NULL, 0};
    bool durable_writes = true;
    if (!schema_change_is_plain_name(name) || name.size > KEYSPACE_NAME_SIZE_MAX)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Keyspace name must not be empty, more than %d characters long, or "
                             "contain non-alphanumeric-underscore characters (got '%.*s')",
                             KEYSPACE_NAME_SIZE_MAX, SLICE_TEXT(name));
    if (!schema_properties_check_keyspace(analysis, create)) return false;
    if (schema_change_find(analysis, name) != NULL) {
        if (create->if_not_exists) return true;
        cql_error_set(analysis->error, CQL_ERROR_ALREADY_EXISTS,
                      "Cannot add existing keyspace \"%.*s\"", SLICE_TEXT(name));
        memcpy(analysis->error->keyspace, name.data, name.size);
        analysis->error->keyspace[name.size] = '\0';
        return false;
    }
    if (!schema_properties_keyspace(analysis, create, schema_change_data_center(analysis),
                                    &replication, &durable_writes))
        return false;
    if (replication.count == 0)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Missing mandatory option 'replication'");
    change->kind = SCHEMA_CHANGE_PUT_KEYSPACE;
    change->what = "CREATED";
    change->keyspace_name = name;
    change->keyspace = keyspace_make(name, &replication, durable_writes, false);
    schema_change_warn_factor(analysis, change);
    return true;
}

static bool schema_change_refuse_keyspace(struct analysis *analysis, struct slice name)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Keyspace '%.*s' doesn't exist",
                         SLICE_TEXT(name));
}

static bool schema_change_alter_keyspace(struct analysis *analysis,
                                         const struct cql_keyspace_change *alter,
                                         struct schema_change *change)
{
    struct slice name = alter->keyspace;
    if (!schema_change_check_keyspace(analysis, name)) return false;
    if (!schema_properties_check_keyspace(analysis, alter)) return false;
    const struct keyspace *present = schema_change_find(analysis, name);
    if (present == NULL) return alter->if_exists || schema_change_refuse_keyspace(analysis, name);
    struct options replication = present->replication;
    bool durable_writes = present->durable_writes;
    if (!schema_properties_keyspace(analysis, alter, schema_change_data_center(analysis),
                                    &replication, &durable_writes))
        return false;
    if (options_equal(&replication, &present->replication) &&
        durable_writes == present->durable_writes)
        return true;
    bool is_new_factor = !options_equal(&replication, &present->replication);
    if (is_new_factor && !job_guard_check_keyspace(analysis->processor, present, analysis->error))
        return false;
    change->kind = SCHEMA_CHANGE_PUT_KEYSPACE;
    change->what = "UPDATED";
    change->keyspace_name = name;
    change->keyspace =
        keyspace_make_with_types(name, &replication, durable_writes, false, &present->types);
    schema_change_warn_factor(analysis, change);
    if (is_new_factor && change->warning_count > 0)
        change->warnings[change->warning_count++] =
            "When increasing replication factor you need to run a full (-full) repair to "
            "distribute the data.";
    return true;
}

static bool schema_change_drop_keyspace(struct analysis *analysis, const struct cql_drop *drop,
                                        struct schema_change *change)
{
    struct slice name = drop->name.keyspace;
    bool is_shared = slice_equals(name, slice_of_text("system_auth")) ||
                     slice_equals(name, slice_of_text("system_distributed")) ||
                     slice_equals(name, slice_of_text("system_traces"));
    if (is_shared)
        return cql_error_set(analysis->error, CQL_ERROR_UNAUTHORIZED, "Cannot DROP <keyspace %.*s>",
                             SLICE_TEXT(name));
    if (!schema_change_check_keyspace(analysis, name)) return false;
    if (schema_change_find(analysis, name) == NULL)
        return drop->if_exists || schema_change_refuse_keyspace(analysis, name);
    change->kind = SCHEMA_CHANGE_DROP_KEYSPACE;
    change->what = "DROPPED";
    change->keyspace_name = name;
    return true;
}

// ---- DROP TABLE ---------------------------------------------------------------------------------

static bool schema_change_drop_table(struct analysis *analysis, const struct cql_drop *drop,
                                     struct schema_change *change)
{
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, &drop->name, &keyspace)) return false;
    if (!schema_change_check_keyspace(analysis, keyspace)) return false;
    const struct table *table = schema_find_table(metadata_schema(analysis->processor->metadata),
                                                  keyspace, drop->name.name);
    if (table == NULL) {
        if (drop->if_exists) return true;
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Table '%.*s.%.*s' doesn't exist",
                             SLICE_TEXT(keyspace), SLICE_TEXT(drop->name.name));
    }
    change->kind = SCHEMA_CHANGE_DROP_TABLE;
    change->what = "DROPPED";
    change->is_of_table = true;
    change->keyspace_name = keyspace;
    change->table_name = drop->name.name;
    return true;
}

// ---- What there is none of yet ------------------------------------------------------------------

// Dropping what can not exist: nothing with IF EXISTS, else Cassandra's words.
static bool schema_change_drop_missing(struct analysis *analysis, const char *what, const char *end,
                                       const struct cql_qualified_name *name, bool if_exists)
{
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, name, &keyspace)) return false;
    if (if_exists) return true;
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s '%.*s.%.*s' doesn't exist%s", what,
                         SLICE_TEXT(keyspace), SLICE_TEXT(name->name), end);
}

static bool schema_change_refuse(struct analysis *analysis, const char *text)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s", text);
}

static bool schema_change_other(struct analysis *analysis, const struct cql_statement_ast *ast,
                                struct schema_change *change)
{
    switch (ast->kind) {
    case CQL_AST_CREATE_INDEX:
        return schema_change_create_index(analysis, &ast->create_index, change);
    case CQL_AST_DROP_INDEX:
        return schema_change_drop_index(analysis, &ast->drop, change);
    case CQL_AST_DROP_VIEW:
        return schema_change_drop_missing(analysis, "Materialized view", "", &ast->drop.name,
                                          ast->drop.if_exists);
    case CQL_AST_CREATE_VIEW:
        return schema_change_refuse(
            analysis, "Materialized views are disabled. Enable in cassandra.yaml to use.");
    case CQL_AST_ALTER_VIEW:
        return schema_change_drop_missing(analysis, "Materialized view", "", &ast->alter_view.name,
                                          ast->alter_view.if_exists);
    default:
        return schema_change_function(analysis, ast);
    }
}

static bool schema_change_of(struct analysis *analysis, const struct cql_statement_ast *ast,
                             int64_t now_us, struct schema_change *change)
{
    switch (ast->kind) {
    case CQL_AST_CREATE_KEYSPACE:
        return schema_change_create_keyspace(analysis, &ast->keyspace, change);
    case CQL_AST_ALTER_KEYSPACE:
        return schema_change_alter_keyspace(analysis, &ast->keyspace, change);
    case CQL_AST_DROP_KEYSPACE:
        return schema_change_drop_keyspace(analysis, &ast->drop, change);
    case CQL_AST_CREATE_TABLE:
        return schema_change_create_table(analysis, &ast->create_table, change);
    case CQL_AST_ALTER_TABLE:
        return schema_change_alter_table(analysis, &ast->alter_table, now_us, change);
    case CQL_AST_DROP_TABLE:
        return schema_change_drop_table(analysis, &ast->drop, change);
    case CQL_AST_CREATE_TYPE:
        return schema_change_create_type(analysis, &ast->create_type, change);
    case CQL_AST_ALTER_TYPE:
        return schema_change_alter_type(analysis, &ast->alter_type, change);
    case CQL_AST_DROP_TYPE:
        return schema_change_drop_type(analysis, &ast->drop, change);
    default:
        return schema_change_other(analysis, ast, change);
    }
}

// What is put into the log is one record, which has a size.
static bool schema_change_fits(struct analysis *analysis, const struct schema_change *change)
{
    struct buffer bytes;
    buffer_init(&bytes, SCHEMA_DEFINITION_SIZE_MAX);
    if (change->keyspace != NULL) schema_codec_put_keyspace(&bytes, change->keyspace);
    if (change->table != NULL) schema_codec_put_table(&bytes, change->table);
    bool fits = !bytes.overflow;
    buffer_deinit(&bytes);
    return fits || schema_change_refuse(analysis, "The definition is too large");
}

bool schema_change_make(struct analysis *analysis, const struct cql_statement_ast *ast,
                        int64_t now_us, struct schema_change *change)
{
    return schema_change_of(analysis, ast, now_us, change) && schema_change_fits(analysis, change);
}
