#include "node/sstable_tool/json_value.h"

#include "node/sstable_tool/text_value.h"
#include "node/sstable_tool/value_build.h"

enum { WORD_SIZE_MAX = 100 };

static void skip_blanks(struct json_input *input)
{
    while (input->next < input->end && (*input->next == ' ' || *input->next == '\t' ||
                                        *input->next == '\n' || *input->next == '\r'))
        input->next++;
}

static enum status refuse(struct json_input *input, const char *wanted)
{
    size_t left = (size_t)(input->end - input->next);
    return error_set(input->error, STATUS_INVALID,
                     left == 0 ? "%s is missing at the end%.*s" : "%s is missing before '%.*s'",
                     wanted, (int)(left > 40 ? 40 : left), (const char *)input->next);
}

// The byte, without blanks before it; 0 at the end.
static uint8_t peek(struct json_input *input)
{
    skip_blanks(input);
    return input->next < input->end ? *input->next : 0;
}

static bool take(struct json_input *input, char c)
{
    if (peek(input) != (uint8_t)c) return false;
    input->next++;
    return true;
}

// ---- Strings ------------------------------------------------------------------------------------

static bool take_hex(struct json_input *input, uint32_t *code)
{
    if (input->end - input->next < 4) return false;
    *code = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = *input->next++;
        uint8_t digit = c >= '0' && c <= '9'                 ? (uint8_t)(c - '0')
                        : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint8_t)((c | 32) - 'a' + 10)
                                                             : 16;
        if (digit == 16) return false;
        *code = *code << 4 | digit;
    }
    return true;
}

static uint8_t *put_utf8(uint8_t *at, uint32_t code)
{
    if (code < 0x80) {
        *at++ = (uint8_t)code;
    } else if (code < 0x800) {
        *at++ = (uint8_t)(0xc0 | code >> 6);
        *at++ = (uint8_t)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *at++ = (uint8_t)(0xe0 | code >> 12);
        *at++ = (uint8_t)(0x80 | (code >> 6 & 63));
        *at++ = (uint8_t)(0x80 | (code & 63));
    } else {
        *at++ = (uint8_t)(0xf0 | code >> 18);
        *at++ = (uint8_t)(0x80 | (code >> 12 & 63));
        *at++ = (uint8_t)(0x80 | (code >> 6 & 63));
        *at++ = (uint8_t)(0x80 | (code & 63));
    }
    return at;
}

// Behind a backslash. False: no such escape.
static bool take_escape(struct json_input *input, uint8_t **at)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    if (input->next == input->end) return false;
    uint8_t c = *input->next++;
    const char *name = c == 0 ? NULL : strchr(names, c);
    if (name != NULL) {
        *(*at)++ = (uint8_t)bytes[name - names];
        return true;
    }
    uint32_t code, low;
    if (c != 'u' || !take_hex(input, &code)) return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (input->end - input->next < 2 || input->next[0] != '\\' || input->next[1] != 'u')
            return false;
        input->next += 2;
        if (!take_hex(input, &low) || low < 0xdc00 || low > 0xdfff) return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
        return false;
    }
    *at = put_utf8(*at, code);
    return true;
}

// In the arena.
static enum status take_string(struct json_input *input, struct slice *string)
{
    if (!take(input, '"')) return refuse(input, "a string");
    // It never grows: an escape has more bytes than what it stands for.
    size_t left = (size_t)(input->end - input->next), size = 0;
    while (size < left && input->next[size] != '"')
        size += input->next[size] == '\\' ? 2 : 1;
    if (size >= left) return error_set(input->error, STATUS_INVALID, "a string does not end");
    uint8_t *bytes = arena_alloc(input->arena, size + 1), *at = bytes;
    while (*input->next != '"') {
        uint8_t c = *input->next++;
        if (c != '\\')
            *at++ = c;
        else if (!take_escape(input, &at))
            return error_set(input->error, STATUS_INVALID, "a string has a bad escape");
    }
    input->next++;
    *string = slice_make(bytes, (size_t)(at - bytes));
    return STATUS_OK;
}

// ---- Values -------------------------------------------------------------------------------------

// A number, true, false or null, as it is written.
static struct slice take_word(struct json_input *input)
{
    skip_blanks(input);
    const uint8_t *start = input->next;
    while (input->next < input->end && *input->next != ',' && *input->next != ']' &&
           *input->next != '}' && *input->next > ' ' && *input->next != ':' && *input->next != '"')
        input->next++;
    return slice_make(start, (size_t)(input->next - start));
}

static bool take_null(struct json_input *input)
{
    skip_blanks(input);
    if (input->end - input->next < 4 || memcmp(input->next, "null", 4) != 0) return false;
    input->next += 4;
    return true;
}

static bool is_number(struct slice word)
{
    return word.size > 0 && (word.data[0] == '-' || (word.data[0] >= '0' && word.data[0] <= '9'));
}

static enum status parse_scalar(struct json_input *input, const struct type *type,
                                struct slice *value)
{
    struct slice text;
    if (peek(input) == '"') {
        enum status status = take_string(input, &text);
        if (status != STATUS_OK) return status;
    } else {
        text = take_word(input);
        bool is_word =
            slice_equals(text, slice_of_text("true")) || slice_equals(text, slice_of_text("false"));
        if (!is_word && !is_number(text)) return refuse(input, "a value");
        bool wants_string = type->kind == TYPE_TEXT || type->kind == TYPE_ASCII ||
                            type->kind == TYPE_BLOB || type->kind == TYPE_UUID ||
                            type->kind == TYPE_INET || type->kind == TYPE_DURATION;
        if (wants_string || is_word != (type->kind == TYPE_BOOLEAN))
            return error_set(input->error, STATUS_INVALID, "'%.*s' is of another type",
                             (int)(text.size > WORD_SIZE_MAX ? WORD_SIZE_MAX : text.size),
                             (const char *)text.data);
    }
    return text_value_scalar(type, text, input->arena, value, input->error);
}

static enum status parse_array(struct json_input *input, const struct type *type,
                               struct slice *value)
{
    struct value_parts parts = {NULL, 0, 0};
    bool is_tuple = type->kind == TYPE_TUPLE;
    if (!take(input, '[')) return refuse(input, "'['");
    for (bool is_first = true; !take(input, ']'); is_first = false) {
        struct slice item;
        if (!is_first && !take(input, ',')) return refuse(input, "',' or ']'");
        if (is_tuple && parts.count >= type->parameter_count)
            return error_set(input->error, STATUS_INVALID, "too many values for a tuple of %u",
                             type->parameter_count);
        const struct type *item_type = type->parameters[is_tuple ? parts.count : 0];
        enum status status = json_value_parse(input, item_type, &item);
        if (status != STATUS_OK) return status;
        value_parts_add(&parts, item, input->arena);
    }
    return value_build(type, &parts, input->arena, value, input->error);
}

// The keys of a map are strings: of text as they are, of others what their value would be.
static enum status parse_key(struct json_input *input, const struct type *type, struct slice name,
                             struct slice *key)
{
    bool is_nested = type_is_collection(type) || type->kind == TYPE_TUPLE ||
                     type->kind == TYPE_UDT || type->kind == TYPE_VECTOR;
    if (!is_nested) return text_value_scalar(type, name, input->arena, key, input->error);
    struct json_input inner = {name.data, name.data + name.size, input->arena, input->error};
    return json_value_parse(&inner, type, key);
}

static enum status parse_map(struct json_input *input, const struct type *type, struct slice *value)
{
    struct value_parts parts = {NULL, 0, 0};
    struct slice name, key, item;
    enum status status = json_object_begin(input);
    if (status != STATUS_OK) return status;
    while ((status = json_object_next(input, parts.count == 0, &name)) == STATUS_OK) {
        status = parse_key(input, type->parameters[0], name, &key);
        if (status == STATUS_OK) status = json_value_parse(input, type->parameters[1], &item);
        if (status != STATUS_OK) return status;
        value_parts_add(&parts, key, input->arena);
        value_parts_add(&parts, item, input->arena);
    }
    if (status != STATUS_END) return status;
    return value_build(type, &parts, input->arena, value, input->error);
}

static enum status parse_udt(struct json_input *input, const struct type *type, struct slice *value)
{
    struct value_parts parts = {NULL, 0, 0};
    for (uint16_t i = 0; i < type->parameter_count; i++)
        value_parts_add(&parts, slice_null(), input->arena);
    struct slice name;
    enum status status = json_object_begin(input);
    if (status != STATUS_OK) return status;
    for (bool is_first = true; (status = json_object_next(input, is_first, &name)) == STATUS_OK;
         is_first = false) {
        // "Name" in quotes of its own is one with capital letters.
        if (name.size >= 2 && name.data[0] == '"' && name.data[name.size - 1] == '"')
            name = slice_make(name.data + 1, name.size - 2);
        int field = value_field_index(type, name);
        if (field < 0)
            return error_set(input->error, STATUS_INVALID, "there is no field '%.*s'",
                             (int)(name.size > WORD_SIZE_MAX ? WORD_SIZE_MAX : name.size),
                             (const char *)name.data);
        status = json_value_parse(input, type->parameters[field], &parts.items[field]);
        if (status != STATUS_OK) return status;
    }
    if (status != STATUS_END) return status;
    return value_build(type, &parts, input->arena, value, input->error);
}

enum status json_value_parse(struct json_input *input, const struct type *type, struct slice *value)
{
    if (take_null(input)) {
        *value = slice_null();
        return STATUS_OK;
    }
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_TUPLE:
    case TYPE_VECTOR:
        return parse_array(input, type, value);
    case TYPE_MAP:
        return parse_map(input, type, value);
    case TYPE_UDT:
        return parse_udt(input, type, value);
    default:
        return parse_scalar(input, type, value);
    }
}

// ---- Objects ------------------------------------------------------------------------------------

enum status json_object_begin(struct json_input *input)
{
    return take(input, '{') ? STATUS_OK : refuse(input, "'{'");
}

enum status json_object_next(struct json_input *input, bool is_first, struct slice *name)
{
    if (take(input, '}')) return STATUS_END;
    if (!is_first && !take(input, ',')) return refuse(input, "',' or '}'");
    enum status status = take_string(input, name);
    if (status != STATUS_OK) return status;
    return take(input, ':') ? STATUS_OK : refuse(input, "':'");
}

enum status json_input_end(struct json_input *input)
{
    skip_blanks(input);
    return input->next == input->end ? STATUS_OK : refuse(input, "the end of the line");
}
