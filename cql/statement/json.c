#include "cql/statement/json.h"

#include "storage/value/real.h"

#include <stdio.h>

#define JSON_TOKENS "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
#define JSON_CORE   "com.fasterxml.jackson.core."

struct reading {
    struct slice text;
    size_t at;
    struct arena *arena;
    struct buffer *error;
    size_t without_class;
    int depth;
    size_t starts[JSON_DEPTH_MAX]; // Where the open arrays and objects begin.
    bool is_object[JSON_DEPTH_MAX];
};

// ---- Errors -------------------------------------------------------------------------------------

// How many UTF-16 units the text up to `end` has since its last line break, and the line's number.
static void json_count(struct slice text, size_t end, size_t *line, size_t *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < end && i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_return = c == '\r' && !(i + 1 < text.size && text.data[i + 1] == '\n');
        if (c == '\n' || is_return) {
            (*line)++;
            *column = 1;
        } else if ((c & 0xC0) != 0x80) {
            *column += c >= 0xF0 ? 2 : 1;
        }
    }
}

// The text, but no more than 500 characters of it.
static void json_put_source(struct slice text, struct buffer *to)
{
    enum { SHOWN_MAX = 500 };
    size_t units = 0, shown = 0;
    for (size_t i = 0; i < text.size; i++) {
        if ((text.data[i] & 0xC0) != 0x80) units += text.data[i] >= 0xF0 ? 2 : 1;
        if (units <= SHOWN_MAX) shown = i + 1;
    }
    buffer_put_format(to, "(String)\"");
    for (size_t i = 0; i < shown; i++) {
        uint8_t c = text.data[i];
        if ((c < 0x20 || c == 0x7F) && c != '\n' && c != '\r')
            buffer_put_format(to, "\\u%04X", c);
        else
            buffer_put_u8(to, c);
    }
    buffer_put_u8(to, '"');
    if (units > SHOWN_MAX) buffer_put_format(to, "[truncated %zu chars]", units - SHOWN_MAX);
}

static void json_put_place(struct slice text, size_t at, struct buffer *to)
{
    size_t line, column;
    json_count(text, at, &line, &column);
    buffer_put_format(to, "[Source: ");
    json_put_source(text, to);
    buffer_put_format(to, "; line: %zu, column: %zu]", line, column);
}

static void json_begin_error(struct reading *reading, const char *class)
{
    buffer_clear(reading->error);
    buffer_put_format(reading->error, JSON_CORE "%s: ", class);
    reading->without_class = reading->error->size;
}

static bool json_end_error(struct reading *reading)
{
    buffer_put_format(reading->error, "\n at ");
    json_put_place(reading->text, reading->at, reading->error);
    return false;
}

static bool json_fail(struct reading *reading, const char *text)
{
    json_begin_error(reading, "JsonParseException");
    buffer_put_format(reading->error, "%s", text);
    return json_end_error(reading);
}

static bool json_fail_at_end(struct reading *reading, const char *where)
{
    reading->at = reading->text.size;
    json_begin_error(reading, "io.JsonEOFException");
    buffer_put_format(reading->error, "Unexpected end-of-input%s", where);
    return json_end_error(reading);
}

static bool json_fail_open(struct reading *reading)
{
    reading->at = reading->text.size;
    int last = reading->depth - 1;
    json_begin_error(reading, "io.JsonEOFException");
    buffer_put_format(reading->error,
                      "Unexpected end-of-input: expected close marker for %s (start marker at ",
                      reading->is_object[last] ? "Object" : "Array");
    json_put_place(reading->text, reading->starts[last], reading->error);
    buffer_put_u8(reading->error, ')');
    return json_end_error(reading);
}

// Bytes and code of the character at `at`.
static size_t json_character(struct slice text, size_t at, uint32_t *code)
{
    uint8_t first = text.data[at];
    size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (size > text.size - at) size = text.size - at;
    *code = size == 1 ? first : first & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++)
        *code = *code << 6 | (text.data[at + i] & 0x3F);
    return size;
}

static void json_put_character(struct reading *reading, size_t at)
{
    uint32_t code;
    size_t size = json_character(reading->text, at, &code);
    if (code < 0x20 || (code >= 0x7F && code < 0xA0))
        buffer_put_format(reading->error, "(CTRL-CHAR, code %u)", code);
    else if (code > 255)
        buffer_put_format(reading->error, "'%.*s' (code %u / 0x%x)", (int)size,
                          (const char *)reading->text.data + at, code, code);
    else
        buffer_put_format(reading->error, "'%.*s' (code %u)", (int)size,
                          (const char *)reading->text.data + at, code);
}

// At the character, which then counts as read.
static bool json_fail_character(struct reading *reading, const char *before, const char *behind)
{
    uint32_t code;
    size_t at = reading->at;
    json_begin_error(reading, "JsonParseException");
    buffer_put_format(reading->error, "%s (", before);
    json_put_character(reading, at);
    buffer_put_format(reading->error, ")%s", behind);
    reading->at += json_character(reading->text, at, &code);
    return json_end_error(reading);
}

static bool json_fail_unexpected(struct reading *reading, const char *comment)
{
    char behind[160];
    snprintf(behind, sizeof behind, ": %s", comment);
    return json_fail_character(reading, "Unexpected character", behind);
}

static bool json_is_word(uint8_t c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c >= 0x80;
}

// A word that begins at `from` and is none of JSON's.
static bool json_fail_word(struct reading *reading, size_t from)
{
    enum { WORD_MAX = 256 };
    size_t end = reading->at;
    while (end < reading->text.size && json_is_word(reading->text.data[end]) &&
           end - from < WORD_MAX)
        end++;
    bool is_cut = end < reading->text.size && json_is_word(reading->text.data[end]);
    reading->at = end;
    json_begin_error(reading, "JsonParseException");
    buffer_put_format(reading->error, "Unrecognized token '%.*s%s': was expecting " JSON_TOKENS,
                      (int)(end - from), (const char *)reading->text.data + from,
                      is_cut ? "..." : "");
    return json_end_error(reading);
}

// ---- Blanks -------------------------------------------------------------------------------------

// False at an error; at the end of the text `at` is its size.
static bool json_skip(struct reading *reading)
{
    for (; reading->at < reading->text.size; reading->at++) {
        uint8_t c = reading->text.data[reading->at];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
        if (c < ' ')
            return json_fail_character(
                reading, "Illegal character",
                ": only regular white space (\\r, \\n, \\t) is allowed between tokens");
        if (c == '/')
            return json_fail_unexpected(
                reading, "maybe a (non-standard) comment? (not recognized as one since Feature "
                         "'ALLOW_COMMENTS' not enabled for parser)");
        return true;
    }
    return true;
}

static bool json_is_at_end(const struct reading *reading)
{
    return reading->at == reading->text.size;
}

// ---- Strings ------------------------------------------------------------------------------------

static int json_hex(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') return (c | 0x20) - 'a' + 10;
    return -1;
}

static bool json_read_unit(struct reading *reading, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        if (json_is_at_end(reading))
            return json_fail_at_end(reading, " in character escape sequence");
        int digit = json_hex(reading->text.data[reading->at]);
        if (digit < 0)
            return json_fail_unexpected(reading,
                                        "expected a hex-digit for character escape sequence");
        *unit = *unit << 4 | (uint32_t)digit;
        reading->at++;
    }
    return true;
}

static uint8_t *json_put_utf8(uint8_t *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (uint8_t)code;
        return to;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *to++ = (uint8_t)((0xFF00 >> (more + 1) & 0xFF) | code >> 6 * more);
    while (more-- > 0)
        *to++ = (uint8_t)(0x80 | (code >> 6 * more & 0x3F));
    return to;
}

// Behind "\u". A unit that is half of a character by itself becomes "?", as Java encodes it.
static bool json_read_escaped_unit(struct reading *reading, uint8_t **to)
{
    uint32_t unit, second;
    if (!json_read_unit(reading, &unit)) return false;
    bool is_first = unit >= 0xD800 && unit < 0xDC00;
    struct slice text = reading->text;
    if (is_first && text.size - reading->at >= 6 && text.data[reading->at] == '\\' &&
        text.data[reading->at + 1] == 'u') {
        size_t back = reading->at;
        reading->at += 2;
        if (!json_read_unit(reading, &second)) return false;
        if (second >= 0xDC00 && second < 0xE000)
            unit = 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
        else
            reading->at = back;
    }
    *to = json_put_utf8(*to, unit >= 0xD800 && unit < 0xE000 ? '?' : unit);
    return true;
}

static bool json_read_escape(struct reading *reading, uint8_t **to)
{
    static const char from[] = "bfnrt\"\\/", into[] = "\b\f\n\r\t\"\\/";
    if (json_is_at_end(reading)) return json_fail_at_end(reading, " in character escape sequence");
    uint8_t c = reading->text.data[reading->at];
    if (c == 'u') {
        reading->at++;
        return json_read_escaped_unit(reading, to);
    }
    const char *place = c == '\0' ? NULL : strchr(from, c);
    if (place == NULL) {
        uint32_t code;
        json_begin_error(reading, "JsonParseException");
        buffer_put_format(reading->error, "Unrecognized character escape ");
        json_put_character(reading, reading->at);
        reading->at += json_character(reading->text, reading->at, &code);
        return json_end_error(reading);
    }
    *(*to)++ = (uint8_t)into[place - from];
    reading->at++;
    return true;
}

// At the quote. Without escapes the string is borrowed.
static bool json_read_string(struct reading *reading, bool is_name, struct slice *string)
{
    struct slice text = reading->text;
    size_t from = ++reading->at, end = from;
    while (end < text.size && text.data[end] != '"' && text.data[end] != '\\' &&
           text.data[end] >= ' ')
        end++;
    if (end < text.size && text.data[end] == '"') {
        *string = slice_make(text.data + from, end - from);
        reading->at = end + 1;
        return true;
    }
    // What is unescaped is never longer.
    size_t last = end;
    while (last < text.size && text.data[last] != '"')
        last += text.data[last] == '\\' ? 2 : 1;
    uint8_t *bytes = arena_alloc(reading->arena, (last < text.size ? last : text.size) - from + 4);
    uint8_t *to = bytes;
    while (!json_is_at_end(reading)) {
        uint8_t c = text.data[reading->at];
        if (c == '"') {
            reading->at++;
            *string = slice_make(bytes, (size_t)(to - bytes));
            return true;
        }
        if (c < ' ') {
            char behind[96];
            snprintf(behind, sizeof behind,
                     ": has to be escaped using backslash to be included "
                     "in %s",
                     is_name ? "name" : "string value");
            return json_fail_character(reading, "Illegal unquoted character", behind);
        }
        reading->at++;
        if (c != '\\')
            *to++ = c;
        else if (!json_read_escape(reading, &to))
            return false;
    }
    return json_fail_at_end(reading, is_name ? " in field name"
                                             : ": was expecting closing quote for a string value");
}

// ---- Numbers and words --------------------------------------------------------------------------

static bool json_is_digit(const struct reading *reading)
{
    return !json_is_at_end(reading) && reading->text.data[reading->at] >= '0' &&
           reading->text.data[reading->at] <= '9';
}

// The place is `before` characters before the one that is wrong.
static bool json_fail_number(struct reading *reading, const char *comment, size_t before)
{
    if (json_is_at_end(reading)) return json_fail_at_end(reading, "");
    json_begin_error(reading, "JsonParseException");
    buffer_put_format(reading->error, "Unexpected character (");
    json_put_character(reading, reading->at);
    buffer_put_format(reading->error, ") in numeric value: %s", comment);
    reading->at -= before;
    return json_end_error(reading);
}

static bool json_fail_sign(struct reading *reading)
{
    char behind[128];
    if (json_is_at_end(reading)) return json_fail_at_end(reading, "");
    snprintf(behind, sizeof behind, " in numeric value: %s",
             "expected digit (0-9) to follow minus sign, for valid numeric value");
    return json_fail_character(reading, "Unexpected character", behind);
}

// `before`: how far before the digits the place of an error is.
static bool json_read_digits(struct reading *reading, const char *missing, size_t before)
{
    if (!json_is_digit(reading)) return json_fail_number(reading, missing, before);
    while (json_is_digit(reading))
        reading->at++;
    return true;
}

static bool json_read_word(struct reading *reading, const char *word);

static bool json_fail_non_standard(struct reading *reading, const char *word)
{
    char text[128];
    snprintf(
        text, sizeof text,
        "Non-standard token '%s': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow",
        word);
    return json_fail(reading, text);
}

// Behind a minus.
static bool json_fail_infinity(struct reading *reading)
{
    return json_read_word(reading, "Infinity") && json_fail_non_standard(reading, "-Infinity");
}

static bool json_read_number(struct reading *reading, struct json *json)
{
    size_t from = reading->at;
    struct slice text = reading->text;
    if (text.data[from] == '-') reading->at++;
    if (text.data[from] == '-' && !json_is_at_end(reading) && text.data[reading->at] == 'I')
        return json_fail_infinity(reading);
    if (!json_is_digit(reading)) return json_fail_sign(reading);
    bool starts_with_zero = text.data[reading->at] == '0';
    reading->at++;
    if (starts_with_zero && json_is_digit(reading)) {
        return json_fail(reading, "Invalid numeric value: Leading zeroes not allowed");
    }
    while (json_is_digit(reading))
        reading->at++;
    json->kind = JSON_INTEGER;
    if (!json_is_at_end(reading) && text.data[reading->at] == '.') {
        json->kind = JSON_REAL;
        reading->at++;
        if (!json_read_digits(reading, "Decimal point not followed by a digit", 0)) return false;
    }
    if (!json_is_at_end(reading) && (text.data[reading->at] | 0x20) == 'e') {
        json->kind = JSON_REAL;
        reading->at++;
        bool has_sign = !json_is_at_end(reading) &&
                        (text.data[reading->at] == '+' || text.data[reading->at] == '-');
        reading->at += has_sign;
        if (!json_read_digits(reading, "Exponent indicator not followed by a digit", has_sign))
            return false;
    }
    json->text = slice_make(text.data + from, reading->at - from);
    if (reading->depth == 0 && !json_is_at_end(reading) && text.data[reading->at] > ' ')
        return json_fail_unexpected(reading, "Expected space separating root-level values");
    return true;
}

static bool json_read_word(struct reading *reading, const char *word)
{
    size_t from = reading->at;
    for (const char *at = word; *at != '\0'; at++) {
        if (json_is_at_end(reading) || reading->text.data[reading->at] != (uint8_t)*at)
            return json_fail_word(reading, from);
        reading->at++;
    }
    if (!json_is_at_end(reading) && json_is_word(reading->text.data[reading->at]))
        return json_fail_word(reading, from);
    return true;
}

// What begins like no value.
static bool json_fail_value(struct reading *reading)
{
    uint8_t c = reading->text.data[reading->at];
    size_t from = reading->at;
    if (c == 'N' || c == 'I') {
        const char *word = c == 'N' ? "NaN" : "Infinity";
        return json_read_word(reading, word) && json_fail_non_standard(reading, word);
    }
    bool in_array = reading->depth > 0 && !reading->is_object[reading->depth - 1];
    if (c == '}' || (c == ']' && !in_array))
        return json_fail_unexpected(reading, "expected a value");
    if (c == '+') {
        reading->at++;
        if (json_is_at_end(reading)) return json_fail_at_end(reading, "");
        return json_fail_sign(reading);
    }
    // Letters beyond Latin are few in what is meant as JSON; symbols are more.
    bool is_symbol = c >= 0xE2;
    bool is_word = json_is_word(c) && !(c >= '0' && c <= '9') && !is_symbol;
    if (is_word) return json_fail_word(reading, from);
    return json_fail_unexpected(reading, "expected a valid value " JSON_TOKENS);
}

// ---- Arrays and objects -------------------------------------------------------------------------

struct item {
    struct item *next;
    struct slice key;
    struct json json;
};

static bool json_read_value(struct reading *reading, struct json *json);

static bool json_read_key(struct reading *reading, struct slice *key)
{
    if (reading->text.data[reading->at] != '"')
        return json_fail_unexpected(reading, "was expecting double-quote to start field name");
    if (!json_read_string(reading, true, key)) return false;
    if (!json_skip(reading)) return false;
    if (json_is_at_end(reading)) return json_fail_at_end(reading, " within/between Object entries");
    if (reading->text.data[reading->at] != ':')
        return json_fail_unexpected(reading,
                                    "was expecting a colon to separate field name and value");
    reading->at++;
    if (!json_skip(reading)) return false;
    return !json_is_at_end(reading) || json_fail_at_end(reading, " within/between Object entries");
}

// At the end, at a comma or where it is missing; `*is_closed` when it is the end.
static bool json_read_separator(struct reading *reading, bool is_first, bool *is_closed)
{
    bool is_object = reading->is_object[reading->depth - 1];
    if (!json_skip(reading)) return false;
    if (json_is_at_end(reading)) return json_fail_open(reading);
    uint8_t c = reading->text.data[reading->at];
    *is_closed = c == (is_object ? '}' : ']');
    if (*is_closed) {
        reading->at++;
        return true;
    }
    if (c == '}' || c == ']') {
        reading->at++;
        json_begin_error(reading, "JsonParseException");
        buffer_put_format(reading->error,
                          "Unexpected close marker '%c': expected '%c' (for %s starting at ", c,
                          is_object ? '}' : ']', is_object ? "Object" : "Array");
        json_put_place(reading->text, reading->starts[reading->depth - 1], reading->error);
        buffer_put_u8(reading->error, ')');
        return json_end_error(reading);
    }
    if (is_first) return true;
    if (c != ',')
        return json_fail_unexpected(reading, is_object
                                                 ? "was expecting comma to separate Object entries"
                                                 : "was expecting comma to separate Array entries");
    reading->at++;
    if (!json_skip(reading)) return false;
    if (!json_is_at_end(reading)) return true;
    return json_fail(reading, is_object ? "Unexpected end-of-input within/between Object entries"
                                        : "Unexpected end-of-input within/between Array entries");
}

static void json_keep_items(struct reading *reading, const struct item *first, size_t count,
                            struct json *json)
{
    const struct json **items = ARENA_NEW_ARRAY(reading->arena, const struct json *, count + 1);
    struct slice *keys = ARENA_NEW_ARRAY(reading->arena, struct slice, count + 1);
    for (size_t i = 0; i < count; i++, first = first->next) {
        items[i] = &first->json;
        keys[i] = first->key;
    }
    json->items = items;
    json->keys = keys;
    json->count = count;
}

// At the bracket.
static bool json_read_items(struct reading *reading, bool is_object, struct json *json)
{
    if (reading->depth == JSON_DEPTH_MAX) return json_fail(reading, "Too deeply nested");
    reading->starts[reading->depth] = reading->at++;
    reading->is_object[reading->depth++] = is_object;
    struct item *first = NULL, **last = &first;
    size_t count = 0;
    while (true) {
        bool is_closed = false;
        if (!json_read_separator(reading, count == 0, &is_closed)) return false;
        if (is_closed) break;
        struct item *item = ARENA_NEW(reading->arena, struct item);
        *last = item;
        last = &item->next;
        if (is_object && !json_read_key(reading, &item->key)) return false;
        if (!json_read_value(reading, &item->json)) return false;
        count++;
    }
    reading->depth--;
    json->kind = is_object ? JSON_OBJECT : JSON_LIST;
    json_keep_items(reading, first, count, json);
    return true;
}

// At its first character.
static bool json_read_value(struct reading *reading, struct json *json)
{
    *json = (struct json){0};
    switch (reading->text.data[reading->at]) {
    case '{':
    case '[':
        return json_read_items(reading, reading->text.data[reading->at] == '{', json);
    case '"':
        json->kind = JSON_STRING;
        return json_read_string(reading, false, &json->text);
    case 't':
    case 'f':
        json->kind = JSON_BOOLEAN;
        json->text = slice_of_text(reading->text.data[reading->at] == 't' ? "true" : "false");
        return json_read_word(reading, (const char *)json->text.data);
    case 'n':
        return json_read_word(reading, "null");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return json_read_number(reading, json);
    default:
        return json_fail_value(reading);
    }
}

// ---- A text -------------------------------------------------------------------------------------

static const char mismatched[] = "com.fasterxml.jackson.databind.exc.MismatchedInputException: ";

static bool json_fail_mismatched(struct slice text, size_t at, struct buffer *error,
                                 const char *message)
{
    buffer_clear(error);
    buffer_put_format(error, "%s%s\n at ", mismatched, message);
    json_put_place(text, at, error);
    return false;
}

// A text that begins with a bracket that closes.
static bool json_fail_root(struct reading *reading, size_t *without_class)
{
    uint8_t c = reading->text.data[reading->at++];
    json_begin_error(reading, "JsonParseException");
    buffer_put_format(reading->error,
                      "Unexpected close marker '%c': expected '%c' (for root starting at [Source: ",
                      c, c == '}' ? ']' : '}');
    json_put_source(reading->text, reading->error);
    buffer_put_format(reading->error, "; line: 1, column: 0])");
    *without_class = reading->without_class;
    return json_end_error(reading);
}

bool json_parse(struct slice text, struct arena *arena, const struct json **json,
                struct buffer *error, size_t *without_class)
{
    struct reading *reading = arena_alloc(arena, sizeof *reading);
    reading->text = text;
    reading->arena = arena;
    reading->error = error;
    reading->at = reading->without_class = 0;
    reading->depth = 0;
    *without_class = strlen(mismatched);
    struct json *made = ARENA_NEW(arena, struct json);
    bool is_ok = json_skip(reading);
    if (is_ok && json_is_at_end(reading)) {
        // Java says column 0 where nothing but blanks was read.
        buffer_clear(error);
        buffer_put_format(error,
                          "%sNo content to map due to end-of-input\n at [Source: ", mismatched);
        json_put_source(text, error);
        buffer_put_format(error, "; line: 1, column: 0]");
        return false;
    }
    bool is_close = is_ok && (text.data[reading->at] == '}' || text.data[reading->at] == ']');
    if (is_close) return json_fail_root(reading, without_class);
    is_ok = is_ok && json_read_value(reading, made);
    if (!is_ok) *without_class = reading->without_class;
    *json = made;
    return is_ok;
}

// The first token of what is no object, in Jackson's words.
static bool json_fail_no_object(struct slice text, const struct json *json, struct buffer *error)
{
    const char *what = json->kind == JSON_LIST      ? "Array value (token `JsonToken.START_ARRAY`)"
                       : json->kind == JSON_INTEGER ? "Integer value (token "
                                                      "`JsonToken.VALUE_NUMBER_INT`)"
                       : json->kind == JSON_REAL    ? "Floating-point value (token "
                                                      "`JsonToken.VALUE_NUMBER_FLOAT`)"
                       : json->text.data[0] == 't'  ? "Boolean value (token `JsonToken.VALUE_TRUE`)"
                                                    : "Boolean value (token "
                                                      "`JsonToken.VALUE_FALSE`)";
    char message[256];
    snprintf(message, sizeof message,
             "Cannot deserialize value of type "
             "`java.util.LinkedHashMap<java.lang.Object,java.lang.Object>` from %s",
             what);
    size_t at = 0;
    while (at < text.size && text.data[at] <= ' ')
        at++;
    return json_fail_mismatched(text, at, error, message);
}

static bool json_fail_string(struct slice text, const struct json *json, struct buffer *error)
{
    struct buffer message;
    buffer_init(&message, 64 + 2 * text.size + 256);
    if (json->text.size == 0)
        buffer_put_format(&message, "Cannot coerce empty String (\"\") to element of "
                                    "`java.util.LinkedHashMap<java.lang.Object,java.lang.Object>` "
                                    "(but could if coercion was enabled using `CoercionConfig`)");
    else
        buffer_put_format(&message,
                          "Cannot construct instance of `java.util.LinkedHashMap` (although at "
                          "least one Creator exists): no String-argument constructor/factory "
                          "method to deserialize from String value ('%.*s')",
                          (int)json->text.size, (const char *)json->text.data);
    buffer_put_u8(&message, '\0');
    size_t at = 0;
    while (at < text.size && text.data[at] <= ' ')
        at++;
    json_fail_mismatched(text, at, error, (const char *)message.data);
    if (json->text.size == 0) {
        // Of another class.
        static const char other[] = "com.fasterxml.jackson.databind.exc.InvalidFormatException: ";
        struct buffer rest;
        buffer_init(&rest, error->limit);
        buffer_put(&rest, error->data + strlen(mismatched), error->size - strlen(mismatched));
        buffer_clear(error);
        buffer_put(error, other, strlen(other));
        buffer_put(error, rest.data, rest.size);
        buffer_deinit(&rest);
    }
    buffer_deinit(&message);
    return false;
}

bool json_parse_object(struct slice text, struct arena *arena, const struct json **json,
                       struct buffer *error)
{
    size_t ignored;
    if (!json_parse(text, arena, json, error, &ignored)) return false;
    if ((*json)->kind == JSON_OBJECT || (*json)->kind == JSON_NULL) return true;
    if ((*json)->kind == JSON_STRING) return json_fail_string(text, *json, error);
    return json_fail_no_object(text, *json, error);
}

// ---- As Java has it -----------------------------------------------------------------------------

const char *json_class(const struct json *json)
{
    switch (json->kind) {
    case JSON_NULL:
        return "null";
    case JSON_BOOLEAN:
        return "Boolean";
    case JSON_REAL:
        return "Double";
    case JSON_STRING:
        return "String";
    case JSON_LIST:
        return "ArrayList";
    case JSON_OBJECT:
        return "LinkedHashMap";
    case JSON_INTEGER:
        break;
    }
    bool is_negative = json->text.data[0] == '-';
    const uint8_t *digits = json->text.data + is_negative;
    size_t count = json->text.size - is_negative;
    const char *of_int = is_negative ? "2147483648" : "2147483647";
    const char *of_long = is_negative ? "9223372036854775808" : "9223372036854775807";
    if (count < 10 || (count == 10 && memcmp(digits, of_int, 10) <= 0)) return "Integer";
    if (count < 19 || (count == 19 && memcmp(digits, of_long, 19) <= 0)) return "Long";
    return "BigInteger";
}

void json_put_number(const struct json *json, struct buffer *text)
{
    double value;
    if (json->kind == JSON_REAL && real_parse_double(json->text, &value) == STATUS_OK)
        real_put_double(value, text);
    else
        buffer_put(text, json->text.data, json->text.size);
}

void json_put(const struct json *json, struct buffer *text)
{
    bool is_object = json->kind == JSON_OBJECT;
    switch (json->kind) {
    case JSON_NULL:
        buffer_put(text, "null", 4);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        json_put_number(json, text);
        break;
    case JSON_LIST:
    case JSON_OBJECT:
        buffer_put_u8(text, is_object ? '{' : '[');
        for (size_t i = 0; i < json->count; i++) {
            if (i > 0) buffer_put(text, ", ", 2);
            if (is_object) {
                buffer_put(text, json->keys[i].data, json->keys[i].size);
                buffer_put_u8(text, '=');
            }
            json_put(json->items[i], text);
        }
        buffer_put_u8(text, is_object ? '}' : ']');
        break;
    default:
        buffer_put(text, json->text.data, json->text.size);
        break;
    }
}
