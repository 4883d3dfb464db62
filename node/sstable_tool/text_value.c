#include "node/sstable_tool/text_value.h"

#include "cql/parser/parser.h"
#include "node/sstable_tool/value_build.h"
#include "storage/value.h"

#include <string.h>
#include <strings.h>

static bool is_word(struct slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

enum status text_value_scalar(const struct type *type, struct slice text, struct arena *arena,
                              struct slice *value, struct error *error)
{
    bool is_bytes = type->kind == TYPE_BLOB || type->kind == TYPE_CUSTOM;
    if (is_bytes && text.size >= 2 && text.data[0] == '0' && (text.data[1] | 32) == 'x')
        text = slice_make(text.data + 2, text.size - 2);
    if (type->kind == TYPE_BOOLEAN && (is_word(text, "true") || is_word(text, "false"))) {
        *value = arena_copy(arena, slice_make(is_word(text, "true") ? "\1" : "\0", 1));
        return STATUS_OK;
    }
    // A counter's value is a number here; it becomes a shard later.
    if (type->kind == TYPE_COUNTER) type = type_of_kind(TYPE_BIGINT);
    struct slice parsed;
    enum status status = value_from_text(type, text, arena, &parsed, error);
    if (status == STATUS_OK) *value = parsed.data == NULL ? slice_make("", 0) : parsed;
    return status;
}

static enum status from_term(const struct type *type, const struct cql_term *term,
                             struct arena *arena, struct slice *value, struct error *error);

static enum status from_items(const struct type *type, const struct type *const *item_types,
                              size_t type_count, const struct cql_term *term, struct arena *arena,
                              struct slice *value, struct error *error)
{
    struct value_parts parts = {NULL, 0, 0};
    bool is_tuple = type->kind == TYPE_TUPLE;
    for (size_t i = 0; i < term->item_count; i++) {
        struct slice item;
        if (is_tuple && i >= type_count)
            return error_set(error, STATUS_INVALID, "%zu values for a tuple of %zu",
                             term->item_count, type_count);
        enum status status =
            from_term(item_types[i % type_count], term->items[i], arena, &item, error);
        if (status != STATUS_OK) return status;
        value_parts_add(&parts, item, arena);
    }
    return value_build(type, &parts, arena, value, error);
}

static enum status from_fields(const struct type *type, const struct cql_term *term,
                               struct arena *arena, struct slice *value, struct error *error)
{
    struct value_parts parts = {NULL, 0, 0};
    for (uint16_t i = 0; i < type->parameter_count; i++)
        value_parts_add(&parts, slice_null(), arena);
    for (size_t i = 0; i < term->item_count; i++) {
        struct slice name = term->field_names[i];
        int field = value_field_index(type, name);
        if (field < 0)
            return error_set(error, STATUS_INVALID, "there is no field '%.*s'",
                             (int)(name.size > 100 ? 100 : name.size), (const char *)name.data);
        enum status status =
            from_term(type->parameters[field], term->items[i], arena, &parts.items[field], error);
        if (status != STATUS_OK) return status;
    }
    return value_build(type, &parts, arena, value, error);
}

static enum status mismatch(const struct type *type, const struct cql_term *term,
                            struct error *error)
{
    struct buffer name;
    buffer_init(&name, 4096);
    type_put_cql(type, &name);
    (void)error_set(error, STATUS_INVALID, "'%.*s' is no %.*s",
                    (int)(term->text.size > 100 ? 100 : term->text.size),
                    (const char *)term->text.data, (int)(name.size > 200 ? 200 : name.size),
                    (const char *)name.data);
    buffer_deinit(&name);
    return STATUS_INVALID;
}

static enum status from_term(const struct type *type, const struct cql_term *term,
                             struct arena *arena, struct slice *value, struct error *error)
{
    // "{}" is parsed as a set; a set, a map or a type of no fields may be meant.
    bool is_empty = term->kind == CQL_TERM_SET && term->item_count == 0;
    if (term->kind == CQL_TERM_NULL) {
        *value = slice_null();
        return STATUS_OK;
    }
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_VECTOR:
        if (term->kind != CQL_TERM_LIST) return mismatch(type, term, error);
        return from_items(type, type->parameters, 1, term, arena, value, error);
    case TYPE_SET:
        if (term->kind != CQL_TERM_SET) return mismatch(type, term, error);
        return from_items(type, type->parameters, 1, term, arena, value, error);
    case TYPE_MAP:
        if (term->kind != CQL_TERM_MAP && !is_empty) return mismatch(type, term, error);
        return from_items(type, type->parameters, 2, term, arena, value, error);
    case TYPE_TUPLE:
        if (term->kind != CQL_TERM_TUPLE) return mismatch(type, term, error);
        return from_items(type, type->parameters, type->parameter_count, term, arena, value, error);
    case TYPE_UDT:
        if (term->kind != CQL_TERM_UDT && !is_empty) return mismatch(type, term, error);
        return from_fields(type, term, arena, value, error);
    default:
        if (term->kind != CQL_TERM_CONSTANT) return mismatch(type, term, error);
        return text_value_scalar(type, term->value, arena, value, error);
    }
}

enum status text_value_parse(const struct type *type, struct slice text, struct arena *arena,
                             struct slice *value, struct error *error)
{
    bool is_nested = type_is_collection(type) || type->kind == TYPE_TUPLE ||
                     type->kind == TYPE_UDT || type->kind == TYPE_VECTOR;
    if (!is_nested) return text_value_scalar(type, text, arena, value, error);
    const struct cql_term *term;
    struct cql_error cause = {0};
    if (!cql_parse_term(text, arena, &term, &cause))
        return error_set(error, STATUS_INVALID, "%s", cause.text);
    return from_term(type, term, arena, value, error);
}
