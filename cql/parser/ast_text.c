#include "cql/parser/ast_text.h"

// Long chains of operators are as deep as they are long; a text needs no more of them.
enum { TEXT_DEPTH_MAX = 300 };

// How deep in a term, and whether it is a selector: calls and operators print differently there.
struct place {
    int depth;
    bool is_selector;
};

static struct place ast_text_inside(struct place at)
{
    at.depth++;
    return at;
}

// What stands in square brackets behind a selector is no selector.
static struct place ast_text_as_term(struct place at)
{
    return (struct place){at.depth + 1, false};
}

static void ast_text_put_term_at(const struct cql_term *term, struct place at, struct buffer *text);

static void ast_text_put_slice(struct slice slice, struct buffer *text)
{
    buffer_put(text, slice.data, slice.size);
}

static void ast_text_put(const char *words, struct buffer *text)
{
    buffer_put(text, words, strlen(words));
}

static void ast_text_put_items(struct place at, const struct cql_term *term, const char *open,
                               const char *close, struct buffer *text)
{
    ast_text_put(open, text);
    for (size_t i = 0; i < term->item_count; i++) {
        if (i > 0) ast_text_put(", ", text);
        ast_text_put_term_at(term->items[i], ast_text_inside(at), text);
    }
    ast_text_put(close, text);
}

static void ast_text_put_map(struct place at, const struct cql_term *term, struct buffer *text)
{
    ast_text_put("{", text);
    for (size_t i = 0; i + 1 < term->item_count; i += 2) {
        if (i > 0) ast_text_put(", ", text);
        ast_text_put_term_at(term->items[i], ast_text_inside(at), text);
        ast_text_put(": ", text);
        ast_text_put_term_at(term->items[i + 1], ast_text_inside(at), text);
    }
    ast_text_put("}", text);
}

// ByteBuffer.hashCode() as a place in a java.util.HashMap of so many entries.
static uint32_t ast_text_bucket(struct slice name, size_t count)
{
    uint32_t hash = 1, capacity = 16;
    for (size_t i = name.size; i-- > 0;)
        hash = 31 * hash + (uint32_t)(int32_t)(int8_t)name.data[i];
    while (count > capacity / 4 * 3 && capacity < 1u << 30)
        capacity *= 2;
    return (hash ^ hash >> 16) & (capacity - 1);
}

size_t ast_text_field_at(const struct cql_term *term, size_t place)
{
    // How many stand before each, until one has `place` before it.
    for (size_t i = 0; i < term->item_count; i++) {
        uint32_t bucket = ast_text_bucket(term->field_names[i], term->item_count);
        size_t before = 0;
        for (size_t k = 0; k < term->item_count && before <= place; k++) {
            uint32_t other = ast_text_bucket(term->field_names[k], term->item_count);
            if (other < bucket || (other == bucket && k < i)) before++;
        }
        if (before == place) return i;
    }
    return place;
}

static void ast_text_put_fields(struct place at, const struct cql_term *term, struct buffer *text)
{
    enum { ORDERED_MAX = 64 }; // A type's fields; of more it is only a message.
    ast_text_put("{", text);
    for (size_t i = 0; i < term->item_count; i++) {
        size_t field = term->item_count <= ORDERED_MAX ? ast_text_field_at(term, i) : i;
        if (i > 0) ast_text_put(", ", text);
        ast_text_put_slice(term->field_names[field], text);
        ast_text_put(": ", text);
        ast_text_put_term_at(term->items[field], ast_text_inside(at), text);
    }
    ast_text_put("}", text);
}

static void ast_text_put_constant(const struct cql_term *term, struct buffer *text)
{
    bool is_string = term->constant == CQL_CONSTANT_STRING;
    if (is_string) ast_text_put("'", text);
    ast_text_put_slice(term->value, text);
    if (is_string) ast_text_put("'", text);
}

static void ast_text_put_call(struct place at, const struct cql_term *term, struct buffer *text)
{
    if (!slice_is_null(term->function.keyspace)) {
        ast_text_put_slice(term->function.keyspace, text);
        ast_text_put(".", text);
    }
    ast_text_put_slice(term->function.name, text);
    ast_text_put_items(at, term, "(", ")", text);
}

const char *ast_text_operation(char operator)
{
    return operator== '+' ? "_add" :
           operator== '-' ? "_substract"
           :
           operator== '*' ? "_multiply"
           :
           operator== '/' ? "_divide"
                          : "_modulo";
}

static void ast_text_put_wrapped(struct place at, const char *open, const struct cql_term *term,
                                 const char *close, struct buffer *text)
{
    ast_text_put(open, text);
    ast_text_put_term_at(term, ast_text_inside(at), text);
    ast_text_put(close, text);
}

static void ast_text_put_term_at(const struct cql_term *term, struct place at, struct buffer *text)
{
    if (at.depth > TEXT_DEPTH_MAX) {
        ast_text_put("...", text);
        return;
    }
    switch (term->kind) {
    case CQL_TERM_CONSTANT:
        ast_text_put_constant(term, text);
        break;
    case CQL_TERM_NULL:
        ast_text_put("NULL", text);
        break;
    case CQL_TERM_MARKER:
        ast_text_put("?", text);
        break;
    case CQL_TERM_LIST:
        ast_text_put_items(at, term, "[", "]", text);
        break;
    case CQL_TERM_SET:
        ast_text_put_items(at, term, "{", "}", text);
        break;
    case CQL_TERM_MAP:
        ast_text_put_map(at, term, text);
        break;
    case CQL_TERM_UDT:
        ast_text_put_fields(at, term, text);
        break;
    case CQL_TERM_TUPLE:
        ast_text_put_items(at, term, "(", ")", text);
        break;
    case CQL_TERM_FUNCTION:
        if (at.is_selector && slice_is_null(term->function.keyspace)) ast_text_put("system.", text);
        ast_text_put_call(at, term, text);
        break;
    case CQL_TERM_TYPE_CAST:
        ast_text_put("(", text);
        ast_text_put_type(term->type, text);
        ast_text_put_wrapped(at, ")", term->items[0], "", text);
        break;
    case CQL_TERM_CAST:
        if (!at.is_selector) {
            ast_text_put("system.cast_as_", text);
            ast_text_put_type(term->type, text);
            ast_text_put_items(at, term, "(", ")", text);
            break;
        }
        ast_text_put_wrapped(at, "cast(", term->items[0], " as ", text);
        ast_text_put_type(term->type, text);
        ast_text_put(")", text);
        break;
    case CQL_TERM_NEGATE:
        if (!at.is_selector) {
            ast_text_put_items(at, term, "system.\"_negate\"(", ")", text);
            break;
        }
        ast_text_put_wrapped(at, "-", term->items[0], "", text);
        break;
    case CQL_TERM_OPERATION:
        if (!at.is_selector) {
            buffer_put_format(text, "system.\"%s\"", ast_text_operation(term->operator));
            ast_text_put_items(at, term, "(", ")", text);
            break;
        }
        ast_text_put_term_at(term->items[0], ast_text_inside(at), text);
        buffer_put_format(text, " %c ", term->operator);
        ast_text_put_term_at(term->items[1], ast_text_inside(at), text);
        break;
    case CQL_TERM_COLUMN:
        ast_text_put_slice(term->value, text);
        break;
    case CQL_TERM_FIELD:
        ast_text_put_wrapped(at, "", term->items[0], ".", text);
        ast_text_put_slice(term->value, text);
        break;
    case CQL_TERM_ELEMENT:
        ast_text_put_wrapped(at, "", term->items[0], "[", text);
        ast_text_put_wrapped(ast_text_as_term(at), "", term->items[1], "]", text);
        break;
    case CQL_TERM_SLICE:
        ast_text_put_wrapped(at, "", term->items[0], "[", text);
        if (term->items[1] != NULL)
            ast_text_put_term_at(term->items[1], ast_text_as_term(at), text);
        ast_text_put("..", text);
        if (term->items[2] != NULL)
            ast_text_put_term_at(term->items[2], ast_text_as_term(at), text);
        ast_text_put("]", text);
        break;
    case CQL_TERM_TTL:
        ast_text_put_wrapped(at, "ttl(", term->items[0], ")", text);
        break;
    case CQL_TERM_WRITETIME:
        ast_text_put_wrapped(at, "writetime(", term->items[0], ")", text);
        break;
    case CQL_TERM_MAXWRITETIME:
        ast_text_put_wrapped(at, "maxwritetime(", term->items[0], ")", text);
        break;
    }
}

void ast_text_put_term(const struct cql_term *term, struct buffer *text)
{
    ast_text_put_term_at(term, (struct place){0, false}, text);
}

void ast_text_put_selector(const struct cql_term *term, struct buffer *text)
{
    ast_text_put_term_at(term, (struct place){0, true}, text);
}

const char *ast_text_operator(enum cql_operator operator)
{
    static const char *const words[] = {
        [CQL_OPERATOR_EQ] = "=",
        [CQL_OPERATOR_LT] = "<",
        [CQL_OPERATOR_LTE] = "<=",
        [CQL_OPERATOR_GT] = ">",
        [CQL_OPERATOR_GTE] = ">=",
        [CQL_OPERATOR_NEQ] = "!=",
        [CQL_OPERATOR_IN] = "IN",
        [CQL_OPERATOR_CONTAINS] = "CONTAINS",
        [CQL_OPERATOR_CONTAINS_KEY] = "CONTAINS KEY",
        [CQL_OPERATOR_LIKE] = "LIKE",
        [CQL_OPERATOR_IS_NOT] = "IS NOT",
    };
    return words[operator];
}

static void ast_text_put_names(const struct cql_names *names, struct buffer *text)
{
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0) ast_text_put(", ", text);
        ast_text_put_slice(names->items[i], text);
    }
}

static void ast_text_put_relation_left(const struct cql_relation *relation, struct buffer *text)
{
    bool is_list = relation->kind == CQL_RELATION_TUPLE || relation->kind == CQL_RELATION_TOKEN;
    if (relation->kind == CQL_RELATION_TOKEN) ast_text_put("token", text);
    if (is_list) ast_text_put("(", text);
    ast_text_put_names(&relation->columns, text);
    if (is_list) ast_text_put(")", text);
    if (relation->kind == CQL_RELATION_ELEMENT && relation->element != NULL)
        ast_text_put_wrapped((struct place){0, false}, "[", relation->element, "]", text);
    if (relation->kind == CQL_RELATION_FIELD) {
        ast_text_put(".", text);
        ast_text_put_slice(relation->field, text);
    }
}

void ast_text_put_relation(const struct cql_relation *relation, struct buffer *text)
{
    ast_text_put_relation_left(relation, text);
    buffer_put_format(text, " %s ", ast_text_operator(relation->operator));
    if (relation->operator== CQL_OPERATOR_IS_NOT) {
        ast_text_put("NULL", text);
    } else if (relation->value != NULL) {
        ast_text_put_term(relation->value, text);
    } else {
        ast_text_put("(", text);
        for (size_t i = 0; i < relation->in_value_count; i++) {
            if (i > 0) ast_text_put(", ", text);
            ast_text_put_term(relation->in_values[i], text);
        }
        ast_text_put(")", text);
    }
}

void ast_text_put_assignment(const struct cql_assignment *assignment, struct buffer *text)
{
    ast_text_put_slice(assignment->column, text);
    if (assignment->kind == CQL_ASSIGN_ELEMENT)
        ast_text_put_wrapped((struct place){0, false}, "[", assignment->element, "]", text);
    if (assignment->kind == CQL_ASSIGN_FIELD) {
        ast_text_put(".", text);
        ast_text_put_slice(assignment->field, text);
    }
    ast_text_put(" = ", text);
    if (assignment->kind == CQL_ASSIGN_ADD || assignment->kind == CQL_ASSIGN_SUBTRACT) {
        ast_text_put_slice(assignment->column, text);
        ast_text_put(assignment->kind == CQL_ASSIGN_ADD ? " + " : " - ", text);
    }
    ast_text_put_term(assignment->value, text);
    if (assignment->kind == CQL_ASSIGN_PREPEND) {
        ast_text_put(" - ", text);
        ast_text_put_slice(assignment->column, text);
    }
}

static void ast_text_put_parameters(const char *name, const struct cql_type *type,
                                    struct buffer *text)
{
    ast_text_put(name, text);
    ast_text_put("<", text);
    for (size_t i = 0; i < type->parameter_count; i++) {
        if (i > 0) ast_text_put(", ", text);
        ast_text_put_type(type->parameters[i], text);
    }
    if (type->kind == CQL_TYPE_VECTOR)
        buffer_put_format(text, ", %lld", (long long)type->dimension);
    ast_text_put(">", text);
}

void ast_text_put_type(const struct cql_type *type, struct buffer *text)
{
    // A tuple is frozen without the word.
    bool is_frozen = type->frozen && type->kind != CQL_TYPE_TUPLE;
    if (is_frozen) ast_text_put("frozen<", text);
    switch (type->kind) {
    case CQL_TYPE_NATIVE:
        // As it was written.
        if (type->native == TYPE_TEXT && type->text.size > strlen("text"))
            ast_text_put("varchar", text);
        else
            type_put_cql(type_of_kind(type->native), text);
        break;
    case CQL_TYPE_LIST:
        ast_text_put_parameters("list", type, text);
        break;
    case CQL_TYPE_SET:
        ast_text_put_parameters("set", type, text);
        break;
    case CQL_TYPE_MAP:
        ast_text_put_parameters("map", type, text);
        break;
    case CQL_TYPE_TUPLE:
        ast_text_put_parameters("tuple", type, text);
        break;
    case CQL_TYPE_VECTOR:
        ast_text_put_parameters("vector", type, text);
        break;
    case CQL_TYPE_UDT:
        if (!slice_is_null(type->name.keyspace)) {
            ast_text_put_slice(type->name.keyspace, text);
            ast_text_put(".", text);
        }
        ast_text_put_slice(type->name.name, text);
        break;
    case CQL_TYPE_CUSTOM:
        ast_text_put_slice(type->java, text);
        break;
    }
    if (is_frozen) ast_text_put(">", text);
}
