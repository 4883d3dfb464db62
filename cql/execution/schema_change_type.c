// CREATE TYPE, ALTER TYPE and DROP TYPE (CreateTypeStatement, AlterTypeStatement,
// DropTypeStatement): each gives the keyspace another catalogue of types.
#include "base/limits.h"
#include "cql/execution/schema_change.h"
#include "cql/parser/ast_text.h"

// A statement on a type, with where the type is or is to be.
struct typing {
    struct analysis *analysis;
    struct slice keyspace_name, name;
    const struct keyspace *keyspace; // NULL: there is none.
    const struct type *type;         // As it is; NULL: there is none.
};

static bool typing_find(struct typing *typing, struct analysis *analysis,
                        const struct cql_qualified_name *name)
{
    *typing = (struct typing){.analysis = analysis, .name = name->name};
    if (!analysis_keyspace_of(analysis, name, &typing->keyspace_name) ||
        !schema_change_check_keyspace(analysis, typing->keyspace_name))
        return false;
    typing->keyspace =
        schema_find_keyspace(metadata_schema(analysis->processor->metadata), typing->keyspace_name);
    if (typing->keyspace != NULL)
        typing->type = user_types_find(&typing->keyspace->types, typing->name);
    return true;
}

static bool typing_put(const struct typing *typing, const struct user_types *types,
                       const char *what, struct schema_change *change)
{
    const struct keyspace *keyspace = typing->keyspace;
    change->kind = SCHEMA_CHANGE_PUT_KEYSPACE;
    change->what = what;
    change->is_of_type = true;
    change->keyspace_name = typing->keyspace_name;
    change->table_name = typing->name;
    change->keyspace = keyspace_make_with_types(keyspace->name, &keyspace->replication,
                                                keyspace->durable_writes, false, types);
    return true;
}

// "ks.\"Name\"", as UserType.getCqlTypeName() has it.
static const char *typing_cql_name(const struct typing *typing)
{
    struct analysis *analysis = typing->analysis;
    return arena_format(analysis->arena, "%s.%s",
                        analysis_name_text(analysis, typing->keyspace_name),
                        analysis_name_text(analysis, typing->name));
}

static const char *typing_raw_text(const struct typing *typing, const struct cql_type *raw)
{
    struct buffer text;
    buffer_init(&text, CQL_ERROR_TEXT_SIZE);
    ast_text_put_type(raw, &text);
    const char *copy = analysis_text(typing->analysis->arena, buffer_slice(&text));
    buffer_deinit(&text);
    return copy;
}

// ---- Fields -------------------------------------------------------------------------------------

bool schema_change_check_type(struct analysis *analysis, const struct type *type)
{
    struct buffer text;
    struct error error;
    const struct type *read;
    bool reversed;
    buffer_init(&text, SCHEMA_TYPE_SIZE_MAX);
    type_put_java(type, false, &text);
    // What is stored must be read again.
    bool fits = !text.overflow && (type->parameter_count == 0 ||
                                   type_parse_java(analysis->arena, buffer_slice(&text), &read,
                                                   &reversed, &error) == STATUS_OK);
    buffer_deinit(&text);
    return fits || cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "The type is too large or nested too deeply: %s",
                                 analysis_type_text(analysis, type));
}

static bool typing_check_field(const struct typing *typing, const struct cql_type *raw)
{
    const char *refusal = NULL;
    if (raw->kind == CQL_TYPE_NATIVE && raw->native == TYPE_COUNTER)
        refusal = "A user type cannot contain counters";
    else if (raw->kind == CQL_TYPE_UDT && !raw->frozen)
        refusal = "A user type cannot contain non-frozen UDTs";
    return refusal == NULL ||
           cql_error_set(typing->analysis->error, CQL_ERROR_INVALID, "%s", refusal);
}

// Of the whole type, and of all that would hold it: other types, and columns of tables.
static bool typing_check_size(const struct typing *typing, const struct user_types *types)
{
    struct analysis *analysis = typing->analysis;
    for (size_t i = 0; i < types->count; i++)
        if (user_types_refers(types->items[i], typing->name) &&
            !schema_change_check_type(analysis, types->items[i]))
            return false;
    const struct schema *schema = metadata_schema(analysis->processor->metadata);
    const struct table *table;
    for (size_t t = 0; (table = schema_table_at(schema, typing->keyspace_name, t)) != NULL; t++)
        for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
            for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
                const struct type *type = table->columns[kind][i].type;
                if (!user_types_refers(type, typing->name)) continue;
                type = user_types_resolve(analysis->arena, types, type);
                if (!schema_change_check_type(analysis, type)) return false;
            }
    return true;
}

// ---- CREATE TYPE --------------------------------------------------------------------------------

static bool typing_make(const struct typing *typing, const struct cql_create_type *create,
                        const struct type **made)
{
    struct analysis *analysis = typing->analysis;
    size_t count = create->field_count;
    if (count > TABLE_COLUMNS_MAX)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "A type can not have more than %u fields", TABLE_COLUMNS_MAX);
    struct slice *names = ARENA_NEW_ARRAY(analysis->arena, struct slice, count);
    const struct type **types = ARENA_NEW_ARRAY(analysis->arena, const struct type *, count);
    for (size_t i = 0; i < count; i++) {
        names[i] = create->fields[i].name;
        for (size_t k = 0; k < i; k++)
            if (slice_equals(names[i], names[k]))
                return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                     "Duplicate field name '%.*s' in type '%.*s'",
                                     SLICE_TEXT(names[i]), SLICE_TEXT(typing->name));
    }
    for (size_t i = 0; i < count; i++)
        if (!typing_check_field(typing, create->fields[i].type)) return false;
    for (size_t i = 0; i < count; i++)
        if (!analysis_make_type(analysis, create->fields[i].type, typing->keyspace_name, &types[i]))
            return false;
    *made = type_make_udt(analysis->arena, typing->keyspace_name, typing->name, names, types,
                          (uint16_t)count, false);
    return true;
}

bool schema_change_create_type(struct analysis *analysis, const struct cql_create_type *create,
                               struct schema_change *change)
{
    struct typing typing;
    if (!typing_find(&typing, analysis, &create->name)) return false;
    if (typing.keyspace == NULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Keyspace '%.*s' doesn't exist",
                             SLICE_TEXT(typing.keyspace_name));
    if (typing.type != NULL)
        return create->if_not_exists || cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                                      "A user type with name '%.*s' already exists",
                                                      SLICE_TEXT(typing.name));
    const struct type *made = NULL;
    if (!typing_make(&typing, create, &made) || !schema_change_check_type(analysis, made))
        return false;
    struct user_types types = user_types_put(analysis->arena, &typing.keyspace->types, made);
    return typing_put(&typing, &types, "CREATED", change);
}

// ---- ALTER TYPE ---------------------------------------------------------------------------------

// "ks.t, ks.u": tables with the type in their partition key; NULL when there are none.
static const char *typing_list_keyed_tables(const struct typing *typing)
{
    struct analysis *analysis = typing->analysis;
    const struct schema *schema = metadata_schema(analysis->processor->metadata);
    const struct table *table;
    struct buffer list;
    buffer_init(&list, CQL_ERROR_TEXT_SIZE);
    for (size_t t = 0; (table = schema_table_at(schema, typing->keyspace_name, t)) != NULL; t++) {
        bool refers = false;
        for (uint16_t i = 0; i < table->column_counts[COLUMN_PARTITION_KEY]; i++)
            if (user_types_refers(table->columns[COLUMN_PARTITION_KEY][i].type, typing->name))
                refers = true;
        if (refers)
            buffer_put_format(&list, "%s%s.%s", list.size > 0 ? ", " : "",
                              analysis_name_text(analysis, table->keyspace),
                              analysis_name_text(analysis, table->name));
    }
    const char *text = NULL;
    if (list.size > 0) text = analysis_text(analysis->arena, buffer_slice(&list));
    buffer_deinit(&list);
    return text;
}

// `*made` stays what it is when the field is there already.
static bool typing_add_field(const struct typing *typing, const struct cql_alter_type *alter,
                             const struct type **made)
{
    struct analysis *analysis = typing->analysis;
    const struct cql_type_field *field = &alter->field;
    const struct type *old = typing->type, *type;
    if (!typing_check_field(typing, field->type)) return false;
    if (user_types_field(old, field->name) >= 0)
        return alter->if_field ||
               cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot add field %.*s to type %s: a field with name %.*s already "
                             "exists",
                             SLICE_TEXT(field->name), typing_cql_name(typing),
                             SLICE_TEXT(field->name));
    if (!analysis_make_type(analysis, field->type, typing->keyspace_name, &type)) return false;
    if (user_types_refers(type, typing->name))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot add new field %.*s of type %s to user type %s as it would "
                             "create a circular reference",
                             SLICE_TEXT(field->name), typing_raw_text(typing, field->type),
                             typing_cql_name(typing));
    const char *tables = typing_list_keyed_tables(typing);
    if (tables != NULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot add new field %.*s of type %s to user type %s as the type is "
                             "being used in partition key by the following tables: %s",
                             SLICE_TEXT(field->name), typing_raw_text(typing, field->type),
                             typing_cql_name(typing), tables);
    uint16_t count = old->parameter_count;
    if (count >= TABLE_COLUMNS_MAX)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "A type can not have more than %u fields", TABLE_COLUMNS_MAX);
    struct slice *names = ARENA_NEW_ARRAY(analysis->arena, struct slice, count + 1u);
    const struct type **types = ARENA_NEW_ARRAY(analysis->arena, const struct type *, count + 1u);
    memcpy(names, old->field_names, count * sizeof *names);
    memcpy(types, old->parameters, count * sizeof(*types));
    names[count] = field->name;
    types[count] = type;
    *made = type_make_udt(analysis->arena, old->keyspace, old->name, names, types,
                          (uint16_t)(count + 1), false);
    return true;
}

static bool typing_rename_fields(const struct typing *typing, const struct cql_alter_type *alter,
                                 const struct type **made)
{
    struct analysis *analysis = typing->analysis;
    const struct type *old = typing->type;
    uint16_t count = old->parameter_count;
    struct slice *names = ARENA_NEW_ARRAY(analysis->arena, struct slice, count);
    memcpy(names, old->field_names, count * sizeof *names);
    // Old names are those from before the statement, so that two may change places.
    for (size_t i = 0; i < alter->rename_count; i++) {
        int field = user_types_field(old, alter->renames[i].from);
        if (field >= 0)
            names[field] = alter->renames[i].to;
        else if (!alter->if_field)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Unkown field %.*s in user type %s",
                                 SLICE_TEXT(alter->renames[i].from), typing_cql_name(typing));
    }
    for (uint16_t i = 0; i < count; i++)
        for (uint16_t k = i + 1; k < count; k++)
            if (slice_equals(names[i], names[k]))
                return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                     "Duplicate field name %.*s in type %.*s", SLICE_TEXT(names[i]),
                                     SLICE_TEXT(typing->keyspace_name));
    *made = type_make_udt(analysis->arena, old->keyspace, old->name, names, old->parameters, count,
                          false);
    return true;
}

bool schema_change_alter_type(struct analysis *analysis, const struct cql_alter_type *alter,
                              struct schema_change *change)
{
    struct typing typing;
    if (!typing_find(&typing, analysis, &alter->name)) return false;
    if (typing.type == NULL)
        return alter->if_exists ||
               cql_error_set(analysis->error, CQL_ERROR_INVALID, "Type %.*s.%.*s doesn't exist",
                             SLICE_TEXT(typing.keyspace_name), SLICE_TEXT(typing.name));
    if (alter->kind == CQL_ALTER_TYPE_ALTER)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Altering field types is no longer supported");
    const struct type *made = typing.type;
    bool is_ok = alter->kind == CQL_ALTER_TYPE_ADD ? typing_add_field(&typing, alter, &made)
                                                   : typing_rename_fields(&typing, alter, &made);
    if (!is_ok) return false;
    if (type_equals(made, typing.type)) return true; // Nothing changes.
    struct user_types types = user_types_put(analysis->arena, &typing.keyspace->types, made);
    return typing_check_size(&typing, &types) && typing_put(&typing, &types, "UPDATED", change);
}

// ---- DROP TYPE ----------------------------------------------------------------------------------

static bool typing_refuse_used(const struct typing *typing, const char *by, struct buffer *users)
{
    bool is_used = users->size > 0;
    if (is_used)
        cql_error_set(typing->analysis->error, CQL_ERROR_INVALID,
                      "Cannot drop user type '%.*s.%.*s' as it is still used by %s %.*s",
                      SLICE_TEXT(typing->keyspace_name), SLICE_TEXT(typing->name), by,
                      SLICE_TEXT(buffer_slice(users)));
    buffer_deinit(users);
    return is_used;
}

static void typing_add_user(struct buffer *users, struct slice name)
{
    buffer_put_format(users, "%s%.*s", users->size > 0 ? ", " : "", SLICE_TEXT(name));
}

static bool typing_is_used_by_types(const struct typing *typing)
{
    struct buffer users;
    buffer_init(&users, CQL_ERROR_TEXT_SIZE);
    const struct user_types *types = &typing->keyspace->types;
    for (size_t i = 0; i < types->count; i++)
        if (types->items[i] != typing->type && user_types_refers(types->items[i], typing->name))
            typing_add_user(&users, types->items[i]->name);
    return typing_refuse_used(typing, "user types", &users);
}

static bool typing_is_used_by_table(const struct typing *typing, const struct table *table)
{
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < table->column_counts[kind]; i++)
            if (user_types_refers(table->columns[kind][i].type, typing->name)) return true;
    return false;
}

static bool typing_is_used_by_tables(const struct typing *typing)
{
    struct buffer users;
    buffer_init(&users, CQL_ERROR_TEXT_SIZE);
    const struct schema *schema = metadata_schema(typing->analysis->processor->metadata);
    const struct table *table;
    for (size_t t = 0; (table = schema_table_at(schema, typing->keyspace_name, t)) != NULL; t++)
        if (typing_is_used_by_table(typing, table)) typing_add_user(&users, table->name);
    return typing_refuse_used(typing, "tables", &users);
}

bool schema_change_drop_type(struct analysis *analysis, const struct cql_drop *drop,
                             struct schema_change *change)
{
    struct typing typing;
    if (!typing_find(&typing, analysis, &drop->name)) return false;
    if (typing.type == NULL)
        return drop->if_exists ||
               cql_error_set(analysis->error, CQL_ERROR_INVALID, "Type '%.*s.%.*s' doesn't exist",
                             SLICE_TEXT(typing.keyspace_name), SLICE_TEXT(typing.name));
    if (typing_is_used_by_types(&typing) || typing_is_used_by_tables(&typing)) return false;
    struct user_types types =
        user_types_remove(analysis->arena, &typing.keyspace->types, typing.name);
    return typing_put(&typing, &types, "DROPPED", change);
}
