#include "cql/statement/analysis.h"

#include "base/limits.h"
#include "cql/parser/ast_text.h"
#include "cql/system/system_tables.h"
#include "storage/schema/cql_name.h"

enum { MESSAGE_TEXT_MAX = CQL_ERROR_TEXT_SIZE, TERM_DEPTH_MAX = 512 };

const struct table *analysis_lookup_table(const struct query_processor *processor,
                                          struct slice keyspace, struct slice name)
{
    const struct table *table =
        schema_find_table(metadata_schema(processor->metadata), keyspace, name);
    if (table != NULL || processor->system_tables == NULL) return table;
    return schema_find_table(system_tables_schema(processor->system_tables), keyspace, name);
}

const struct keyspace *analysis_lookup_keyspace(const struct query_processor *processor,
                                                struct slice name)
{
    const struct keyspace *keyspace =
        schema_find_keyspace(metadata_schema(processor->metadata), name);
    if (keyspace != NULL || processor->system_tables == NULL) return keyspace;
    return schema_find_keyspace(system_tables_schema(processor->system_tables), name);
}

bool analysis_keyspace_of(struct analysis *analysis, const struct cql_qualified_name *name,
                          struct slice *keyspace)
{
    *keyspace = name->keyspace;
    if (!slice_is_null(name->keyspace)) return true;
    analysis->has_unqualified_names = true;
    *keyspace = analysis->keyspace;
    if (analysis->keyspace.size > 0) return true;
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "No keyspace has been specified. USE a keyspace, or explicitly specify "
                         "keyspace.tablename");
}

const struct table *analysis_find_table(struct analysis *analysis,
                                        const struct cql_qualified_name *name)
{
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, name, &keyspace)) return NULL;
    if (analysis_lookup_keyspace(analysis->processor, keyspace) == NULL) {
        cql_error_set(analysis->error, CQL_ERROR_INVALID, "keyspace %.*s does not exist",
                      SLICE_TEXT(keyspace));
        return NULL;
    }
    const struct table *table = analysis_lookup_table(analysis->processor, keyspace, name->name);
    if (table == NULL)
        cql_error_set(analysis->error, CQL_ERROR_INVALID, "table %.*s does not exist",
                      SLICE_TEXT(name->name));
    return table;
}

const struct column *analysis_find_column(struct analysis *analysis, struct slice name)
{
    const struct column *column = table_find_column(analysis->table, name);
    if (column == NULL)
        cql_error_set(analysis->error, CQL_ERROR_INVALID, "Undefined column name %s in table %s.%s",
                      analysis_name_text(analysis, name),
                      analysis_name_text(analysis, analysis->table->keyspace),
                      analysis_name_text(analysis, analysis->table->name));
    return column;
}

// ---- Terms --------------------------------------------------------------------------------------

struct known_type {
    const struct cql_term *term; // NULL: free.
    const struct type *type;
};

struct cql_error *analysis_ignore_errors(struct analysis *analysis)
{
    struct cql_error *error = analysis->error;
    if (analysis->ignored == NULL) analysis->ignored = ARENA_NEW(analysis->arena, struct cql_error);
    analysis->error = analysis->ignored;
    return error;
}

bool analysis_refers_to_duration(const struct type *type)
{
    if (type->kind == TYPE_DURATION) return true;
    if (type->kind == TYPE_SET) return false;
    for (uint16_t i = type->kind == TYPE_MAP ? 1 : 0; i < type->parameter_count; i++)
        if (analysis_refers_to_duration(type->parameters[i])) return true;
    return false;
}

bool analysis_go_deeper(struct analysis *analysis)
{
    if (analysis->depth < TERM_DEPTH_MAX && !analysis->is_too_deep) {
        analysis->depth++;
        return true;
    }
    // Errors may be ignored where this one is found; it ends everything all the same.
    analysis->is_too_deep = true;
    return analysis_refuse_depth(analysis);
}

bool analysis_refuse_depth(struct analysis *analysis)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Terms are nested more than %d times",
                         TERM_DEPTH_MAX);
}

// Where the term is, or would be put.
static struct known_type *analysis_known_place(const struct analysis *analysis,
                                               const struct cql_term *term)
{
    size_t mask = analysis->known_type_capacity - 1;
    size_t at = ((uintptr_t)term / sizeof(void *) * 0x9E3779B97F4A7C15ull >> 20) & mask;
    while (analysis->known_types[at].term != NULL && analysis->known_types[at].term != term)
        at = (at + 1) & mask;
    return &analysis->known_types[at];
}

const struct type *analysis_recall_type(const struct analysis *analysis,
                                        const struct cql_term *term)
{
    return analysis->known_type_capacity == 0 ? NULL : analysis_known_place(analysis, term)->type;
}

void analysis_remember_type(struct analysis *analysis, const struct cql_term *term,
                            const struct type *type)
{
    if (analysis->known_type_count * 2 >= analysis->known_type_capacity) {
        struct known_type *old = analysis->known_types;
        size_t old_capacity = analysis->known_type_capacity;
        analysis->known_type_capacity = old_capacity == 0 ? 16 : old_capacity * 2;
        analysis->known_types =
            ARENA_NEW_ARRAY(analysis->arena, struct known_type, analysis->known_type_capacity);
        for (size_t i = 0; i < old_capacity; i++)
            if (old[i].term != NULL) *analysis_known_place(analysis, old[i].term) = old[i];
    }
    *analysis_known_place(analysis, term) = (struct known_type){term, type};
    analysis->known_type_count++;
}

// ---- Types --------------------------------------------------------------------------------------

static const char *analysis_raw_type_text(struct analysis *analysis, const struct cql_type *raw)
{
    struct buffer text;
    buffer_init(&text, MESSAGE_TEXT_MAX);
    ast_text_put_type(raw, &text);
    const char *copy = analysis_text(analysis->arena, buffer_slice(&text));
    buffer_deinit(&text);
    return copy;
}

static bool analysis_check_element(struct analysis *analysis, const struct cql_type *whole,
                                   const struct cql_type *element)
{
    if (element->kind == CQL_TYPE_NATIVE && element->native == TYPE_COUNTER)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Counters are not allowed inside collections: %s",
                             analysis_raw_type_text(analysis, whole));
    bool is_collection = element->kind == CQL_TYPE_LIST || element->kind == CQL_TYPE_SET ||
                         element->kind == CQL_TYPE_MAP;
    if (is_collection && !element->frozen && !whole->frozen)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Non-frozen collections are not allowed inside collections: %s",
                             analysis_raw_type_text(analysis, whole));
    if (element->kind == CQL_TYPE_UDT && !element->frozen && !whole->frozen)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Non-frozen UDTs are not allowed inside collections: %s",
                             analysis_raw_type_text(analysis, whole));
    return true;
}

static bool analysis_check_collection(struct analysis *analysis, const struct cql_type *raw)
{
    for (size_t i = 0; i < raw->parameter_count; i++)
        if (!analysis_check_element(analysis, raw, raw->parameters[i])) return false;
    const struct cql_type *first = raw->parameters[0];
    bool is_duration = first->kind == CQL_TYPE_NATIVE && first->native == TYPE_DURATION;
    if (is_duration && raw->kind == CQL_TYPE_MAP)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Durations are not allowed as map keys: %s",
                             analysis_raw_type_text(analysis, raw));
    if (is_duration && raw->kind == CQL_TYPE_SET)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Durations are not allowed inside sets: %s",
                             analysis_raw_type_text(analysis, raw));
    return true;
}

static bool analysis_make_parameters(struct analysis *analysis, const struct cql_type *raw,
                                     struct slice keyspace, const struct type ***types)
{
    *types = ARENA_NEW_ARRAY(analysis->arena, const struct type *, raw->parameter_count);
    for (size_t i = 0; i < raw->parameter_count; i++) {
        if (!analysis_make_type(analysis, raw->parameters[i], keyspace, &(*types)[i])) return false;
        // Inside of another type everything that can be is frozen.
        (*types)[i] = type_freeze(analysis->arena, (*types)[i]);
    }
    return true;
}

static bool analysis_make_tuple(struct analysis *analysis, const struct cql_type *raw,
                                const struct type *const *elements, const struct type **type)
{
    for (size_t i = 0; i < raw->parameter_count; i++)
        if (elements[i]->kind == TYPE_COUNTER)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Counters are not allowed inside tuples");
    *type = type_make_tuple(analysis->arena, elements, (uint16_t)raw->parameter_count);
    return true;
}

static bool analysis_make_vector(struct analysis *analysis, const struct cql_type *raw,
                                 const struct type *element, const struct type **type)
{
    if (raw->dimension <= 0)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "vectors may only have positive dimensions; given %lld",
                             (long long)raw->dimension);
    if (raw->dimension > 8192)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "vectors may have at most 8192 dimensions; given %lld",
                             (long long)raw->dimension);
    *type = type_make_vector(analysis->arena, element, (uint16_t)raw->dimension);
    return true;
}

// A user type that was found, by its name: each is copied once for a statement.
struct known_user_type {
    struct known_user_type *next;
    const struct type *type;
};

static const struct type *analysis_find_user_type(struct analysis *analysis, struct slice keyspace,
                                                  struct slice name)
{
    for (struct known_user_type *known = analysis->user_types; known != NULL; known = known->next)
        if (slice_equals(known->type->name, name) && slice_equals(known->type->keyspace, keyspace))
            return known->type;
    const struct keyspace *place = analysis_lookup_keyspace(analysis->processor, keyspace);
    const struct type *type = place == NULL ? NULL : user_types_find(&place->types, name);
    if (type == NULL) return NULL;
    struct known_user_type *known = ARENA_NEW(analysis->arena, struct known_user_type);
    *known = (struct known_user_type){analysis->user_types, type_copy(analysis->arena, type)};
    analysis->user_types = known;
    return known->type;
}

static bool analysis_make_user_type(struct analysis *analysis, const struct cql_type *raw,
                                    struct slice keyspace, const struct type **type)
{
    if (!slice_is_null(raw->name.keyspace) && !slice_equals(raw->name.keyspace, keyspace))
        return cql_error_set(
            analysis->error, CQL_ERROR_INVALID,
            "Statement on keyspace %.*s cannot refer to a user type in keyspace %.*s; user types "
            "can only be used in the keyspace they are defined in",
            SLICE_TEXT(keyspace), SLICE_TEXT(raw->name.keyspace));
    // Texts that are made from now on have the name with its keyspace, as Cassandra's have.
    ((struct cql_type *)(uintptr_t)raw)->name.keyspace = keyspace;
    const struct type *found = analysis_find_user_type(analysis, keyspace, raw->name.name);
    if (found == NULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Unknown type %.*s.%.*s",
                             SLICE_TEXT(keyspace), SLICE_TEXT(raw->name.name));
    *type = raw->frozen ? type_freeze(analysis->arena, found) : found;
    return true;
}

bool analysis_make_type(struct analysis *analysis, const struct cql_type *raw,
                        struct slice keyspace, const struct type **type)
{
    if (raw->kind == CQL_TYPE_NATIVE) {
        if (raw->frozen)
            return cql_error_set(analysis->error, CQL_ERROR_SYNTAX,
                                 "frozen<> is only allowed on collections, tuples, and "
                                 "user-defined types (got %s)",
                                 analysis_type_text(analysis, type_of_kind(raw->native)));
        *type = type_of_kind(raw->native);
        return true;
    }
    if (raw->kind == CQL_TYPE_UDT) return analysis_make_user_type(analysis, raw, keyspace, type);
    if (raw->kind == CQL_TYPE_CUSTOM) {
        struct error error;
        bool reversed;
        if (type_parse_java(analysis->arena, raw->java, type, &reversed, &error) != STATUS_OK ||
            (*type)->kind == TYPE_CUSTOM)
            return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                                 "Unable to find abstract-type class 'org.apache.cassandra.db."
                                 "marshal.%.*s'",
                                 SLICE_TEXT(raw->java));
        return true;
    }
    bool is_collection =
        raw->kind == CQL_TYPE_LIST || raw->kind == CQL_TYPE_SET || raw->kind == CQL_TYPE_MAP;
    if (is_collection && !analysis_check_collection(analysis, raw)) return false;
    const struct type **elements;
    if (!analysis_make_parameters(analysis, raw, keyspace, &elements)) return false;
    switch (raw->kind) {
    case CQL_TYPE_LIST:
        *type = type_make_list(analysis->arena, elements[0], raw->frozen);
        return true;
    case CQL_TYPE_SET:
        *type = type_make_set(analysis->arena, elements[0], raw->frozen);
        return true;
    case CQL_TYPE_MAP:
        *type = type_make_map(analysis->arena, elements[0], elements[1], raw->frozen);
        return true;
    case CQL_TYPE_TUPLE:
        return analysis_make_tuple(analysis, raw, elements, type);
    default:
        return analysis_make_vector(analysis, raw, elements[0], type);
    }
}

// ---- Texts --------------------------------------------------------------------------------------

const char *analysis_text(struct arena *arena, struct slice text)
{
    char *copy = arena_alloc(arena, text.size + 1);
    if (text.size > 0) memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

static const char *analysis_take_text(struct analysis *analysis, struct buffer *text)
{
    const char *copy = analysis_text(analysis->arena, buffer_slice(text));
    buffer_deinit(text);
    return copy;
}

const char *analysis_term_text(struct analysis *analysis, const struct cql_term *term)
{
    struct buffer text;
    buffer_init(&text, MESSAGE_TEXT_MAX);
    (analysis->in_selection ? ast_text_put_selector : ast_text_put_term)(term, &text);
    return analysis_take_text(analysis, &text);
}

const char *analysis_relation_text(struct analysis *analysis, const struct cql_relation *relation)
{
    struct buffer text;
    buffer_init(&text, MESSAGE_TEXT_MAX);
    ast_text_put_relation(relation, &text);
    return analysis_take_text(analysis, &text);
}

const char *analysis_assignment_text(struct analysis *analysis,
                                     const struct cql_assignment *assignment)
{
    struct buffer text;
    buffer_init(&text, MESSAGE_TEXT_MAX);
    ast_text_put_assignment(assignment, &text);
    return analysis_take_text(analysis, &text);
}

const char *analysis_type_text(struct analysis *analysis, const struct type *type)
{
    struct buffer text;
    buffer_init(&text, MESSAGE_TEXT_MAX);
    type_put_cql(type, &text);
    return analysis_take_text(analysis, &text);
}

const char *analysis_name_text(struct analysis *analysis, struct slice name)
{
    struct buffer text;
    buffer_init(&text, MESSAGE_TEXT_MAX);
    cql_name_put(name, &text);
    return analysis_take_text(analysis, &text);
}

struct column_spec analysis_spec_of_column(const struct table *table, const struct column *column)
{
    return (struct column_spec){table->keyspace, table->name, column->name, column->type};
}
