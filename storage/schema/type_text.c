// The two texts of a type: CQL's (CQL3Type.toString) and Java's (AbstractType.toString, read by
// TypeParser).
#include "storage/schema/type.h"

#include "base/bytes.h"
#include "storage/schema/cql_name.h"

static const char package[] = "org.apache.cassandra.db.marshal.";

#define X(kind, cql, java, id, size) cql,
static const char *const cql_names[TYPE_KIND_COUNT] = {TYPE_MAP(X)};
#undef X
#define X(kind, cql, java, id, size) java,
static const char *const java_names[TYPE_KIND_COUNT] = {TYPE_MAP(X)};
#undef X

static void put_text(struct buffer *text, const char *literal)
{
    buffer_put(text, literal, strlen(literal));
}

// ---- CQL ----------------------------------------------------------------------------------------

void type_put_cql(const struct type *type, struct buffer *text)
{
    bool in_frozen = type->frozen && type->kind != TYPE_VECTOR;
    if (in_frozen) put_text(text, "frozen<");
    if (type->kind == TYPE_UDT) {
        cql_name_put(type->name, text);
    } else if (type->kind == TYPE_CUSTOM) {
        cql_name_put_string(type->name, text);
    } else {
        put_text(text, cql_names[type->kind]);
        if (type->parameter_count > 0 || type->kind == TYPE_TUPLE) put_text(text, "<");
        for (uint16_t i = 0; i < type->parameter_count; i++) {
            if (i > 0) put_text(text, ", ");
            type_put_cql(type->parameters[i], text);
        }
        if (type->kind == TYPE_VECTOR) buffer_put_format(text, ", %u", type->dimension);
        if (type->parameter_count > 0 || type->kind == TYPE_TUPLE) put_text(text, ">");
    }
    if (in_frozen) put_text(text, ">");
}

// ---- Java ---------------------------------------------------------------------------------------

static void put_hex(struct buffer *text, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        buffer_put_format(text, "%02x", bytes.data[i]);
}

static void put_java(const struct type *type, bool within_frozen, struct buffer *text);

static void put_java_udt(const struct type *type, bool within_frozen, struct buffer *text)
{
    put_text(text, "(");
    buffer_put(text, type->keyspace.data, type->keyspace.size);
    put_text(text, ",");
    put_hex(text, type->name);
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        put_text(text, ",");
        put_hex(text, type->field_names[i]);
        put_text(text, ":");
        put_java(type->parameters[i], within_frozen, text);
    }
    put_text(text, ")");
}

// Within FrozenType(...) and tuples what is frozen does not say so again.
static void put_java(const struct type *type, bool within_frozen, struct buffer *text)
{
    if (type->kind == TYPE_CUSTOM) {
        buffer_put(text, type->name.data, type->name.size);
        return;
    }
    bool says_frozen =
        !within_frozen && type->frozen && (type_is_collection(type) || type->kind == TYPE_UDT);
    if (says_frozen) buffer_put_format(text, "%sFrozenType(", package);
    bool inner = within_frozen || says_frozen || type->kind == TYPE_TUPLE;
    buffer_put_format(text, "%s%s", package, java_names[type->kind]);
    if (type->kind == TYPE_UDT) {
        put_java_udt(type, inner, text);
    } else if (type->kind == TYPE_VECTOR) {
        put_text(text, "(");
        put_java(type->parameters[0], inner, text);
        buffer_put_format(text, " , %u)", type->dimension);
    } else if (type->parameter_count > 0 || type->kind == TYPE_TUPLE) {
        put_text(text, "(");
        for (uint16_t i = 0; i < type->parameter_count; i++) {
            if (i > 0) put_text(text, ",");
            put_java(type->parameters[i], inner, text);
        }
        put_text(text, ")");
    }
    if (says_frozen) put_text(text, ")");
}

void type_put_java(const struct type *type, bool reversed, struct buffer *text)
{
    if (reversed) buffer_put_format(text, "%sReversedType(", package);
    put_java(type, false, text);
    if (reversed) put_text(text, ")");
}

// ---- Reading Java -------------------------------------------------------------------------------

// A recursive descent over  type = name [ "(" [ parameter { "," parameter } ] ")" ]. Blanks are
// allowed between tokens, as TypeParser allows them.
struct java_parser {
    struct arena *arena;
    struct slice text;
    size_t at;
    unsigned depth;
    struct error *error;
};

enum { JAVA_PARAMETERS_MAX = 4096 };

static enum status malformed(struct java_parser *parser, const char *what)
{
    return error_set(parser->error, STATUS_MALFORMED, "Syntax error parsing '%.*s': char %zu: %s",
                     (int)(parser->text.size < 200 ? parser->text.size : 200),
                     (const char *)parser->text.data, parser->at, what);
}

static void skip_blanks(struct java_parser *parser)
{
    while (parser->at < parser->text.size) {
        uint8_t c = parser->text.data[parser->at];
        if (c != ' ' && c != '\t' && c != '\n') return;
        parser->at++;
    }
}

static bool accept(struct java_parser *parser, uint8_t c)
{
    skip_blanks(parser);
    if (parser->at >= parser->text.size || parser->text.data[parser->at] != c) return false;
    parser->at++;
    return true;
}

static struct slice read_word(struct java_parser *parser)
{
    skip_blanks(parser);
    size_t start = parser->at;
    for (; parser->at < parser->text.size; parser->at++) {
        uint8_t c = parser->text.data[parser->at];
        bool in_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '+' || c == '.' || c == '_' || c == '&';
        if (!in_word) break;
    }
    return slice_make(parser->text.data + start, parser->at - start);
}

// The class without our package's name, or as it is.
static struct slice short_class(struct slice class)
{
    size_t prefix = sizeof package - 1;
    if (class.size > prefix && memcmp(class.data, package, prefix) == 0)
        return slice_make(class.data + prefix, class.size - prefix);
    return class;
}

static enum type_kind kind_of_class(struct slice class)
{
    for (enum type_kind kind = 0; kind < TYPE_CUSTOM; kind++)
        if (slice_equals(class, slice_of_text(java_names[kind]))) return kind;
    return TYPE_CUSTOM;
}

static enum status parse_type(struct java_parser *parser, const struct type **type);

// "(" A "," B … ")" of exactly `count` types, or of any number if 0.
static enum status parse_parameters(struct java_parser *parser, uint16_t count,
                                    const struct type ***parameters, uint16_t *found)
{
    if (!accept(parser, '(')) return malformed(parser, "expected '('");
    size_t capacity = count != 0 ? count : 8;
    const struct type **types = ARENA_NEW_ARRAY(parser->arena, const struct type *, capacity);
    uint16_t n = 0;
    while (!accept(parser, ')')) {
        if (n > 0 && !accept(parser, ',')) return malformed(parser, "expected ',' or ')'");
        if (n == (count != 0 ? count : JAVA_PARAMETERS_MAX))
            return malformed(parser, "too many parameters");
        if (n == capacity) {
            const struct type **more =
                ARENA_NEW_ARRAY(parser->arena, const struct type *, 2 * capacity);
            memcpy(more, types, n * sizeof *types);
            types = more;
            capacity *= 2;
        }
        enum status status = parse_type(parser, &types[n]);
        if (status != STATUS_OK) return status;
        n++;
    }
    if (count != 0 && n != count) return malformed(parser, "too few parameters");
    *parameters = types;
    *found = n;
    return STATUS_OK;
}

static enum status parse_collection(struct java_parser *parser, enum type_kind kind,
                                    const struct type **type)
{
    const struct type **parameters;
    uint16_t count;
    enum status status = parse_parameters(parser, kind == TYPE_MAP ? 2 : 1, &parameters, &count);
    if (status != STATUS_OK) return status;
    if (kind == TYPE_MAP)
        *type = type_make_map(parser->arena, parameters[0], parameters[1], false);
    else if (kind == TYPE_SET)
        *type = type_make_set(parser->arena, parameters[0], false);
    else
        *type = type_make_list(parser->arena, parameters[0], false);
    return STATUS_OK;
}

// Values in a tuple are always whole: what is inside is frozen, written or not.
static enum status parse_tuple(struct java_parser *parser, const struct type **type)
{
    const struct type **parameters;
    uint16_t count;
    enum status status = parse_parameters(parser, 0, &parameters, &count);
    if (status != STATUS_OK) return status;
    for (uint16_t i = 0; i < count; i++)
        parameters[i] = type_freeze(parser->arena, parameters[i]);
    *type = type_make_tuple(parser->arena, parameters, count);
    return STATUS_OK;
}

static enum status parse_vector(struct java_parser *parser, const struct type **type)
{
    const struct type *element;
    if (!accept(parser, '(')) return malformed(parser, "expected '('");
    enum status status = parse_type(parser, &element);
    if (status != STATUS_OK) return status;
    if (!accept(parser, ',')) return malformed(parser, "expected ','");
    struct slice digits = read_word(parser);
    uint32_t dimension = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' || dimension > UINT16_MAX)
            return malformed(parser, "bad dimension");
        dimension = dimension * 10 + (digits.data[i] - (uint32_t)'0');
    }
    if (dimension == 0 || dimension > UINT16_MAX) return malformed(parser, "bad dimension");
    if (!accept(parser, ')')) return malformed(parser, "expected ')'");
    *type =
        type_make_vector(parser->arena, type_freeze(parser->arena, element), (uint16_t)dimension);
    return STATUS_OK;
}

static enum status parse_hex_name(struct java_parser *parser, struct slice *name)
{
    struct slice word = read_word(parser);
    uint8_t *bytes = arena_alloc(parser->arena, word.size / 2 + 1);
    if (!bytes_get_hex(word.data, word.size, bytes))
        return malformed(parser, "bad hexadecimal name");
    *name = slice_make(bytes, word.size / 2);
    return STATUS_OK;
}

static enum status parse_udt(struct java_parser *parser, const struct type **type)
{
    if (!accept(parser, '(')) return malformed(parser, "expected '('");
    struct slice keyspace = arena_copy(parser->arena, read_word(parser)), name;
    if (!accept(parser, ',')) return malformed(parser, "expected ','");
    enum status status = parse_hex_name(parser, &name);
    if (status != STATUS_OK) return status;

    size_t capacity = 8;
    struct slice *names = ARENA_NEW_ARRAY(parser->arena, struct slice, capacity);
    const struct type **types = ARENA_NEW_ARRAY(parser->arena, const struct type *, capacity);
    uint16_t n = 0;
    while (!accept(parser, ')')) {
        if (!accept(parser, ',')) return malformed(parser, "expected ',' or ')'");
        if (n == JAVA_PARAMETERS_MAX) return malformed(parser, "too many fields");
        if (n == capacity) {
            struct slice *more_names = ARENA_NEW_ARRAY(parser->arena, struct slice, 2 * capacity);
            const struct type **more_types =
                ARENA_NEW_ARRAY(parser->arena, const struct type *, 2 * capacity);
            memcpy(more_names, names, n * sizeof *names);
            memcpy(more_types, types, n * sizeof *types);
            names = more_names;
            types = more_types;
            capacity *= 2;
        }
        status = parse_hex_name(parser, &names[n]);
        if (status != STATUS_OK) return status;
        if (!accept(parser, ':')) return malformed(parser, "expected ':'");
        status = parse_type(parser, &types[n]);
        if (status != STATUS_OK) return status;
        n++;
    }
    *type = type_make_udt(parser->arena, keyspace, name, names, types, n, false);
    return STATUS_OK;
}

// Any class with whatever stands in its parentheses, kept as text with its full name.
static enum status parse_custom(struct java_parser *parser, struct slice class, size_t start,
                                const struct type **type)
{
    size_t depth = 0, end = parser->at;
    skip_blanks(parser);
    if (parser->at < parser->text.size && parser->text.data[parser->at] == '(') {
        do {
            if (parser->at == parser->text.size) return malformed(parser, "expected ')'");
            uint8_t c = parser->text.data[parser->at++];
            depth += c == '(';
            depth -= c == ')';
        } while (depth > 0);
        end = parser->at;
    }
    bool has_package = memchr(class.data, '.', class.size) != NULL;
    size_t package_size = has_package ? 0 : strlen(package);
    uint8_t *name = arena_alloc(parser->arena, package_size + end - start);
    memcpy(name, package, package_size);
    memcpy(name + package_size, parser->text.data + start, end - start);
    *type = type_make_custom(parser->arena, slice_make(name, package_size + end - start));
    return STATUS_OK;
}

static enum status parse_frozen(struct java_parser *parser, const struct type **type)
{
    const struct type *inner;
    if (!accept(parser, '(')) return malformed(parser, "expected '('");
    enum status status = parse_type(parser, &inner);
    if (status != STATUS_OK) return status;
    if (!accept(parser, ')')) return malformed(parser, "expected ')'");
    *type = type_freeze(parser->arena, inner);
    return STATUS_OK;
}

static enum status parse_class(struct java_parser *parser, const struct type **type)
{
    skip_blanks(parser);
    size_t start = parser->at;
    struct slice class = read_word(parser);
    if (class.size == 0) return malformed(parser, "expected a class name");
    if (slice_equals(short_class(class), slice_of_text("FrozenType")))
        return parse_frozen(parser, type);
    enum type_kind kind = kind_of_class(short_class(class));
    switch (kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
        return parse_collection(parser, kind, type);
    case TYPE_TUPLE:
        return parse_tuple(parser, type);
    case TYPE_VECTOR:
        return parse_vector(parser, type);
    case TYPE_UDT:
        return parse_udt(parser, type);
    case TYPE_CUSTOM:
        return parse_custom(parser, class, start, type);
    default:
        *type = type_of_kind(kind);
        return STATUS_OK;
    }
}

static enum status parse_type(struct java_parser *parser, const struct type **type)
{
    if (parser->depth == TYPE_DEPTH_MAX) return malformed(parser, "nested too deeply");
    parser->depth++;
    enum status status = parse_class(parser, type);
    parser->depth--;
    return status;
}

enum status type_parse_java(struct arena *arena, struct slice text, const struct type **type,
                            bool *reversed, struct error *error)
{
    struct java_parser parser = {arena, text, 0, 0, error};
    struct slice class = short_class(read_word(&parser));
    bool is_reversed = slice_equals(class, slice_of_text("ReversedType"));
    if (is_reversed) {
        if (!accept(&parser, '(')) return malformed(&parser, "expected '('");
    } else {
        parser.at = 0;
    }
    const struct type *parsed;
    enum status status = parse_type(&parser, &parsed);
    if (status != STATUS_OK) return status;
    if (is_reversed && !accept(&parser, ')')) return malformed(&parser, "expected ')'");
    skip_blanks(&parser);
    if (parser.at != text.size) return malformed(&parser, "unexpected text at the end");
    *type = parsed;
    *reversed = is_reversed;
    return STATUS_OK;
}
