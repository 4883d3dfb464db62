#include "node/sstable_tool/schema_file.h"

#include "base/limits.h"
#include "cql/execution/schema_properties.h"
#include "cql/parser/parser.h"
#include "node/cql_script.h"
#include "storage/sstable/file_reader.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { UDTS_MAX = 1024, TYPE_NESTING_MAX = 32 };

struct reading {
    struct env *env;
    const char *path, *wanted;
    struct arena arena;
    struct slice keyspace; // That of USE; empty if none.
    const struct type *udts[UDTS_MAX];
    size_t udt_count;
    const struct table *table; // The one that was found.
    size_t table_count;
    size_t line;
    struct error *error;
};

static enum status refuse(const struct reading *reading, const char *format, struct slice name)
{
    char what[ERROR_TEXT_SIZE];
    (void)snprintf(what, sizeof what, format, (int)(name.size > 100 ? 100 : name.size),
                   (const char *)name.data);
    return error_set(reading->error, STATUS_INVALID, "%s:%zu: %s", reading->path, reading->line,
                     what);
}

// ---- Types --------------------------------------------------------------------------------------

static enum status make_type(struct reading *reading, const struct cql_type *raw, bool frozen,
                             int depth, const struct type **type);

static const struct type *find_udt(const struct reading *reading, struct slice name)
{
    for (size_t i = reading->udt_count; i-- > 0;)
        if (slice_equals(reading->udts[i]->name, name)) return reading->udts[i];
    return NULL;
}

static enum status make_nested(struct reading *reading, const struct cql_type *raw, bool frozen,
                               const struct type **parts, const struct type **type)
{
    struct arena *arena = &reading->arena;
    switch (raw->kind) {
    case CQL_TYPE_LIST:
        *type = type_make_list(arena, parts[0], frozen);
        return STATUS_OK;
    case CQL_TYPE_SET:
        *type = type_make_set(arena, parts[0], frozen);
        return STATUS_OK;
    case CQL_TYPE_MAP:
        *type = type_make_map(arena, parts[0], parts[1], frozen);
        return STATUS_OK;
    case CQL_TYPE_TUPLE:
        *type = type_make_tuple(arena, parts, (uint16_t)raw->parameter_count);
        return STATUS_OK;
    default:
        if (raw->dimension < 1 || raw->dimension > UINT16_MAX)
            return refuse(reading, "bad dimension of %.*s", raw->text);
        *type = type_make_vector(arena, parts[0], (uint16_t)raw->dimension);
        return STATUS_OK;
    }
}

static enum status make_type(struct reading *reading, const struct cql_type *raw, bool frozen,
                             int depth, const struct type **type)
{
    struct arena *arena = &reading->arena;
    bool is_frozen = frozen || raw->frozen;
    if (depth > TYPE_NESTING_MAX || raw->parameter_count > UINT16_MAX)
        return refuse(reading, "the type %.*s is too deep", raw->text);
    if (raw->kind == CQL_TYPE_NATIVE) {
        *type = type_of_kind(raw->native);
        return STATUS_OK;
    }
    if (raw->kind == CQL_TYPE_CUSTOM) {
        bool reversed;
        struct error cause;
        if (type_parse_java(arena, raw->java, type, &reversed, &cause) == STATUS_OK)
            return STATUS_OK;
        return refuse(reading, "the type '%.*s' cannot be read", raw->java);
    }
    if (raw->kind == CQL_TYPE_UDT) {
        const struct type *udt = find_udt(reading, raw->name.name);
        if (udt == NULL)
            return refuse(reading, "no type %.*s: put its CREATE TYPE before it", raw->name.name);
        *type = is_frozen ? type_freeze(arena, udt) : udt;
        return STATUS_OK;
    }
    // Tuples and vectors, and what is in them, are frozen anyway.
    bool inner = is_frozen || raw->kind == CQL_TYPE_TUPLE || raw->kind == CQL_TYPE_VECTOR;
    const struct type **parts = ARENA_NEW_ARRAY(arena, const struct type *, raw->parameter_count);
    for (size_t i = 0; i < raw->parameter_count; i++) {
        enum status status = make_type(reading, raw->parameters[i], inner, depth + 1, &parts[i]);
        if (status != STATUS_OK) return status;
        if (type_is_multi_cell(parts[i]))
            return refuse(reading, "%.*s: what is in a collection has to be frozen<…>", raw->text);
    }
    return make_nested(reading, raw, is_frozen, parts, type);
}

static enum status add_udt(struct reading *reading, const struct cql_create_type *create)
{
    struct arena *arena = &reading->arena;
    if (reading->udt_count == UDTS_MAX || create->field_count > UINT16_MAX)
        return refuse(reading, "too many types: %.*s", create->name.name);
    struct slice keyspace = create->name.keyspace.size > 0 ? create->name.keyspace
                            : reading->keyspace.size > 0   ? reading->keyspace
                                                           : slice_of_text("ks");
    struct slice *names = ARENA_NEW_ARRAY(arena, struct slice, create->field_count);
    const struct type **types = ARENA_NEW_ARRAY(arena, const struct type *, create->field_count);
    for (size_t i = 0; i < create->field_count; i++) {
        names[i] = arena_copy(arena, create->fields[i].name);
        enum status status = make_type(reading, create->fields[i].type, false, 0, &types[i]);
        if (status != STATUS_OK) return status;
    }
    reading->udts[reading->udt_count++] =
        type_make_udt(arena, arena_copy(arena, keyspace), arena_copy(arena, create->name.name),
                      names, types, (uint16_t)create->field_count, false);
    return STATUS_OK;
}

// ---- Tables -------------------------------------------------------------------------------------

static const struct cql_column_definition *find_column(const struct cql_create_table *create,
                                                       struct slice name)
{
    for (size_t i = 0; i < create->column_count; i++)
        if (slice_equals(create->columns[i].name, name)) return &create->columns[i];
    return NULL;
}

static bool has_name(const struct cql_names *names, struct slice name)
{
    for (size_t i = 0; i < names->count; i++)
        if (slice_equals(names->items[i], name)) return true;
    return false;
}

static bool is_descending(const struct cql_table_options *options, struct slice name)
{
    for (size_t i = 0; i < options->clustering_order_count; i++)
        if (slice_equals(options->clustering_order[i].column, name))
            return options->clustering_order[i].descending;
    return false;
}

static enum status add_keys(struct reading *reading, const struct cql_create_table *create,
                            const struct cql_names *names, enum column_kind kind,
                            struct table_builder *builder)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct cql_column_definition *column = find_column(create, names->items[i]);
        const struct type *type;
        if (column == NULL)
            return refuse(reading, "no column %.*s, which is in the PRIMARY KEY", names->items[i]);
        enum status status = make_type(reading, column->type, false, 0, &type);
        if (status != STATUS_OK) return status;
        if (type_is_multi_cell(type) || type->kind == TYPE_COUNTER ||
            type_contains_kind(type, TYPE_DURATION) || column->is_static)
            return refuse(reading, "column %.*s cannot be in the PRIMARY KEY", column->name);
        bool reversed = kind == COLUMN_CLUSTERING && is_descending(&create->options, column->name);
        table_builder_add_column(builder, column->name, type, kind, reversed);
    }
    return STATUS_OK;
}

static enum status add_others(struct reading *reading, const struct cql_create_table *create,
                              const struct cql_primary_key *key, struct table_builder *builder)
{
    size_t counters = 0, others = 0;
    for (size_t i = 0; i < create->column_count; i++) {
        const struct cql_column_definition *column = &create->columns[i];
        for (size_t k = 0; k < i; k++)
            if (slice_equals(create->columns[k].name, column->name))
                return refuse(reading, "two columns are called %.*s", column->name);
        if (has_name(&key->partition_key, column->name) || has_name(&key->clustering, column->name))
            continue;
        const struct type *type;
        enum status status = make_type(reading, column->type, false, 0, &type);
        if (status != STATUS_OK) return status;
        if (type->kind == TYPE_COUNTER)
            counters++;
        else
            others++;
        if (column->is_static && key->clustering.count == 0)
            return refuse(reading, "column %.*s is static in a table without clustering columns",
                          column->name);
        table_builder_add_column(builder, column->name, type,
                                 column->is_static ? COLUMN_STATIC : COLUMN_REGULAR, false);
    }
    if (counters > 0 && others > 0)
        return refuse(reading, "table %.*s has counters and other columns", create->table.name);
    table_builder_set_counter(builder, counters > 0);
    return STATUS_OK;
}

static enum status apply_options(struct reading *reading, const struct cql_create_table *create,
                                 struct table_params *params, struct uuid *id)
{
    struct query_processor processor = {.env = reading->env};
    struct cql_error cause = {0};
    struct analysis analysis = {.processor = &processor, .arena = &reading->arena, .error = &cause};
    bool has_id;
    if (!schema_properties_apply(&analysis, &reading->arena, &create->options.properties, params,
                                 id, &has_id))
        return refuse(reading, "%.*s", slice_of_text(cause.text));
    return STATUS_OK;
}

static bool is_wanted(const struct reading *reading, struct slice keyspace, struct slice name)
{
    if (reading->wanted == NULL) return true;
    struct slice wanted = slice_of_text(reading->wanted);
    if (slice_equals(wanted, name)) return true;
    return wanted.size == keyspace.size + 1 + name.size && wanted.data[keyspace.size] == '.' &&
           memcmp(wanted.data, keyspace.data, keyspace.size) == 0 &&
           memcmp(wanted.data + keyspace.size + 1, name.data, name.size) == 0;
}

static enum status add_table(struct reading *reading, const struct cql_create_table *create)
{
    struct slice keyspace = create->table.keyspace.size > 0 ? create->table.keyspace
                            : reading->keyspace.size > 0    ? reading->keyspace
                                                            : slice_of_text("ks");
    if (!is_wanted(reading, keyspace, create->table.name)) return STATUS_OK;
    if (reading->table_count++ > 0) return STATUS_OK;
    if (create->primary_key_count != 1 || create->options.compact_storage ||
        create->column_count > TABLE_COLUMNS_MAX)
        return refuse(reading,
                      create->options.compact_storage
                          ? "table %.*s: COMPACT STORAGE is not supported"
                          : "table %.*s has to have one PRIMARY KEY",
                      create->table.name);
    struct table_params params = table_params_default();
    uint8_t random[16];
    env_random_bytes(reading->env, random, sizeof random);
    struct uuid id = uuid_make_random(random);
    enum status status = apply_options(reading, create, &params, &id);
    if (status != STATUS_OK) return status;
    const struct cql_primary_key *key = &create->primary_keys[0];
    struct table_builder *builder = table_builder_create(keyspace, create->table.name, id);
    status = add_keys(reading, create, &key->partition_key, COLUMN_PARTITION_KEY, builder);
    if (status == STATUS_OK)
        status = add_keys(reading, create, &key->clustering, COLUMN_CLUSTERING, builder);
    if (status == STATUS_OK) status = add_others(reading, create, key, builder);
    if (status != STATUS_OK) {
        table_builder_destroy(builder);
        return status;
    }
    *table_builder_params(builder) = params;
    reading->table = table_builder_finish(builder);
    return STATUS_OK;
}

// ---- The file -----------------------------------------------------------------------------------

// The statements that matter; whatever else there is need not even be CQL.
static bool begins_with(struct slice text, const char *first, const char *second)
{
    const char *words[2] = {first, second};
    size_t at = 0;
    for (int i = 0; i < 2 && words[i] != NULL; i++) {
        size_t size = strlen(words[i]);
        if (text.size < at + size || strncasecmp((const char *)text.data + at, words[i], size) != 0)
            return false;
        for (at += size; at < text.size && isspace(text.data[at]);)
            at++;
    }
    return true;
}

static enum status read_statement(struct reading *reading, struct slice text)
{
    if (!begins_with(text, "use", NULL) && !begins_with(text, "create", "type") &&
        !begins_with(text, "create", "table") && !begins_with(text, "create", "columnfamily"))
        return STATUS_OK;
    const struct cql_statement_ast *statement;
    struct cql_error cause = {0};
    if (!cql_parse(text, &reading->arena, &statement, &cause))
        return refuse(reading, "%.*s", slice_of_text(cause.text));
    switch (statement->kind) {
    case CQL_AST_USE:
        reading->keyspace = arena_copy(&reading->arena, statement->use);
        return STATUS_OK;
    case CQL_AST_CREATE_TYPE:
        return add_udt(reading, &statement->create_type);
    case CQL_AST_CREATE_TABLE:
        return add_table(reading, &statement->create_table);
    default:
        return STATUS_OK;
    }
}

static enum status read_statements(struct reading *reading, struct slice text)
{
    struct slice statement;
    size_t line_end = 1;
    for (;;) {
        const uint8_t *from = text.data;
        reading->line = line_end;
        if (!cql_script_next(&text, &statement, &reading->line)) break;
        for (; from < text.data; from++)
            line_end += *from == '\n';
        enum status status = read_statement(reading, statement);
        if (status != STATUS_OK) return status;
    }
    if (reading->table_count == 1) return STATUS_OK;
    if (reading->table_count > 1)
        return error_set(reading->error, STATUS_INVALID,
                         "%s has %zu tables: say which one with --table NAME", reading->path,
                         reading->table_count);
    return error_set(reading->error, STATUS_INVALID, "%s has no CREATE TABLE%s%s", reading->path,
                     reading->wanted == NULL ? "" : " of ",
                     reading->wanted == NULL ? "" : reading->wanted);
}

enum status schema_file_read(struct env *env, const char *path, const char *name,
                             const struct table **table, struct error *error)
{
    struct slice file;
    enum status status = file_reader_read_file(env, path, 16 * MIB, &file, error);
    if (status != STATUS_OK) return status;
    struct reading reading = {.env = env, .path = path, .wanted = name, .line = 1, .error = error};
    arena_init(&reading.arena, 64 * KIB);
    status = read_statements(&reading, file);
    arena_deinit(&reading.arena);
    free((void *)file.data);
    if (status == STATUS_OK)
        *table = reading.table;
    else
        table_unref(reading.table);
    return status;
}
