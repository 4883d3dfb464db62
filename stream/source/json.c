#include "stream/source/json.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "stream/source/json_index.h"

#include <stdlib.h>
#include <string.h>

struct json_path {
    struct slice keys[JSON_KEYS_MAX];
    size_t key_count;
    char *text; // Holds the keys.
};

struct json_reader {
    struct json_index *index;
    struct json_path paths[JSON_PATHS_MAX];
    size_t path_count;
    struct buffer key; // An unescaped key.
    // One for each open bracket: what it is, and which paths lead through it.
    uint32_t paths_through[JSON_DEPTH_MAX + 1];
    bool is_object[JSON_DEPTH_MAX + 1];
    struct json_value *outer[JSON_DEPTH_MAX + 1]; // A wanted container, whose end is not seen yet.
};

const char *json_fault_text(enum json_fault fault)
{
    static const char *const texts[] = {[JSON_FAULT_NONE] = "none",
#define X(name, text) [JSON_FAULT_##name] = text,
                                        JSON_FAULT_MAP(X)
#undef X
    };
    return texts[fault];
}

struct json_reader *json_reader_create(void)
{
    struct json_reader *reader = calloc(1, sizeof *reader);
    ASSERT(reader != NULL);
    reader->index = json_index_create();
    buffer_init(&reader->key, SIZE_MAX / 4);
    return reader;
}

void json_reader_destroy(struct json_reader *reader)
{
    if (reader == NULL) return;
    for (size_t i = 0; i < reader->path_count; i++)
        free(reader->paths[i].text);
    buffer_deinit(&reader->key);
    json_index_destroy(reader->index);
    free(reader);
}

enum status json_reader_add_path(struct json_reader *reader, const char *text, struct error *error)
{
    if (reader->path_count == JSON_PATHS_MAX)
        return error_set(error, STATUS_INVALID, "more than %d fields", JSON_PATHS_MAX);
    struct json_path path = {.text = strdup(text)};
    ASSERT(path.text != NULL);
    char *rest = path.text;
    for (;;) {
        size_t size = strcspn(rest, ".");
        if (size == 0 || path.key_count == JSON_KEYS_MAX) {
            free(path.text);
            return error_set(error, STATUS_INVALID, "field \"%s\": an empty key or more than %d",
                             text, JSON_KEYS_MAX);
        }
        path.keys[path.key_count++] = slice_make(rest, size);
        if (rest[size] == '\0') break;
        rest += size + 1;
    }
    reader->paths[reader->path_count++] = path;
    return STATUS_OK;
}

// One line's walk.
struct json_walk {
    struct json_reader *reader;
    struct slice line;
    const uint32_t *marks;
    size_t count, next; // The next mark to look at.
    size_t backslash;   // The place of the next backslash not before the present mark, or the end.
    struct json_value *values;
    size_t depth;
};

static bool json_is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void json_find_backslash(struct json_walk *walk, size_t from)
{
    const uint8_t *found = from >= walk->line.size
                               ? NULL
                               : memchr(walk->line.data + from, '\\', walk->line.size - from);
    walk->backslash = found == NULL ? walk->line.size : (size_t)(found - walk->line.data);
}

// The escapes of a string that ends at `end` (its closing quote).
static bool json_escapes_are_valid(struct json_walk *walk, size_t end)
{
    const uint8_t *text = walk->line.data;
    while (walk->backslash < end) {
        size_t at = walk->backslash + 1;
        if (text[at] == 'u') {
            if (end - at < 5) return false;
            for (size_t i = 1; i <= 4; i++)
                if (bytes_hex_value(text[at + i]) < 0) return false;
            at += 4;
        } else if (strchr("\"\\/bfnrt", text[at]) == NULL || text[at] == '\0') {
            return false;
        }
        json_find_backslash(walk, at + 1);
    }
    return true;
}

// The string at the mark `start`. Its closing quote is the last byte before the next mark that is
// no space: were there anything else between, it would have a mark of its own.
static bool json_take_string(struct json_walk *walk, size_t start, struct json_value *value)
{
    size_t end = walk->marks[walk->next];
    while (json_is_space(walk->line.data[end - 1]))
        end--;
    end--;
    if (end <= start || walk->line.data[end] != '"') return false;
    bool has_escapes = walk->backslash < end;
    if (has_escapes && !json_escapes_are_valid(walk, end)) return false;
    *value = (struct json_value){JSON_STRING, has_escapes,
                                 slice_make(walk->line.data + start + 1, end - start - 1)};
    return true;
}

static size_t json_skip_digits(const uint8_t *text, size_t at, size_t end)
{
    while (at < end && text[at] >= '0' && text[at] <= '9')
        at++;
    return at;
}

static bool json_is_number(const uint8_t *text, size_t at, size_t end)
{
    if (at < end && text[at] == '-') at++;
    size_t digits = at;
    at = json_skip_digits(text, at, end);
    if (at == digits || (text[digits] == '0' && at - digits > 1)) return false;
    if (at < end && text[at] == '.') {
        digits = ++at;
        at = json_skip_digits(text, at, end);
        if (at == digits) return false;
    }
    if (at < end && (text[at] | 0x20) == 'e') {
        at++;
        if (at < end && (text[at] == '+' || text[at] == '-')) at++;
        digits = at;
        at = json_skip_digits(text, at, end);
        if (at == digits) return false;
    }
    return at == end;
}

static bool json_take_atom(struct json_walk *walk, size_t start, struct json_value *value)
{
    const uint8_t *text = walk->line.data;
    size_t end = walk->marks[walk->next];
    while (end > start && json_is_space(text[end - 1]))
        end--;
    struct slice raw = slice_make(text + start, end - start);
    if (json_is_number(text, start, end))
        *value = (struct json_value){JSON_NUMBER, false, raw};
    else if (slice_equals(raw, slice_of_text("true")))
        *value = (struct json_value){JSON_TRUE, false, raw};
    else if (slice_equals(raw, slice_of_text("false")))
        *value = (struct json_value){JSON_FALSE, false, raw};
    else if (slice_equals(raw, slice_of_text("null")))
        *value = (struct json_value){JSON_NULL, false, raw};
    else
        return false;
    return true;
}

// Which of the paths through the open object go on with this key; earlier values under it, from a
// key that stood before, are forgotten.
static uint32_t json_match_key(struct json_walk *walk, const struct json_value *key)
{
    struct json_reader *reader = walk->reader;
    uint32_t through = reader->paths_through[walk->depth], matching = 0;
    if (through == 0) return 0;
    struct slice text = json_string(key, &reader->key);
    for (uint32_t rest = through; rest != 0; rest &= rest - 1) {
        size_t i = (size_t)__builtin_ctz(rest);
        if (!slice_equals(text, reader->paths[i].keys[walk->depth - 1])) continue;
        matching |= (uint32_t)1 << i;
        walk->values[i] = (struct json_value){JSON_MISSING, false, slice_null()};
    }
    return matching;
}

// The wanted path that ends at this value, if any. Two paths may be the same: all get it.
static void json_keep(struct json_walk *walk, uint32_t matching, const struct json_value *value)
{
    for (uint32_t rest = matching; rest != 0; rest &= rest - 1) {
        size_t i = (size_t)__builtin_ctz(rest);
        if (walk->reader->paths[i].key_count == walk->depth) walk->values[i] = *value;
    }
}

static uint32_t json_paths_below(const struct json_walk *walk, uint32_t matching)
{
    uint32_t below = 0;
    for (uint32_t rest = matching; rest != 0; rest &= rest - 1) {
        size_t i = (size_t)__builtin_ctz(rest);
        if (walk->reader->paths[i].key_count > walk->depth) below |= (uint32_t)1 << i;
    }
    return below;
}

// A container ends at `end`: whoever wanted it began its raw text at the bracket.
static void json_close(struct json_walk *walk, size_t end)
{
    struct json_reader *reader = walk->reader;
    struct json_value *outer = reader->outer[walk->depth];
    if (outer != NULL) {
        size_t size = (size_t)(walk->line.data + end + 1 - outer->raw.data);
        const uint8_t *start = outer->raw.data;
        for (size_t i = 0; i < reader->path_count; i++)
            if (walk->values[i].raw.data == start) walk->values[i].raw.size = size;
    }
    walk->depth--;
}

static bool json_open(struct json_walk *walk, size_t at, uint32_t matching)
{
    struct json_reader *reader = walk->reader;
    bool is_object = walk->line.data[at] == '{';
    struct json_value value = {is_object ? JSON_OBJECT : JSON_ARRAY, false,
                               slice_make(walk->line.data + at, 1)};
    struct json_value *outer = NULL;
    uint32_t below = is_object ? json_paths_below(walk, matching) : 0;
    if (matching != below) {
        json_keep(walk, matching, &value);
        for (uint32_t rest = matching; rest != 0 && outer == NULL; rest &= rest - 1) {
            size_t i = (size_t)__builtin_ctz(rest);
            if (reader->paths[i].key_count == walk->depth) outer = &walk->values[i];
        }
    }
    if (walk->depth == JSON_DEPTH_MAX) return false;
    walk->depth++;
    reader->is_object[walk->depth] = is_object;
    reader->paths_through[walk->depth] = below;
    reader->outer[walk->depth] = outer;
    return true;
}

// The walk: what may come next is one of four states.
//
//     FIRST --value--> NEXT --,--> VALUE (a key before it in an object)
//       \--closing bracket--> NEXT --closing bracket--> NEXT … until the outermost is closed
enum json_state { JSON_STATE_FIRST, JSON_STATE_VALUE, JSON_STATE_NEXT };

static bool json_walk_value(struct json_walk *walk, size_t at, enum json_state *state)
{
    struct json_reader *reader = walk->reader;
    const uint8_t *text = walk->line.data;
    uint32_t matching = 0;
    if (reader->is_object[walk->depth]) {
        struct json_value key;
        if (text[at] != '"' || !json_take_string(walk, at, &key)) return false;
        matching = json_match_key(walk, &key);
        if (walk->count - walk->next < 2 || text[walk->marks[walk->next]] != ':') return false;
        at = walk->marks[walk->next + 1];
        walk->next += 2;
    }
    *state = JSON_STATE_NEXT;
    struct json_value value;
    switch (text[at]) {
    case '"':
        if (!json_take_string(walk, at, &value)) return false;
        break;
    case '{':
    case '[':
        *state = JSON_STATE_FIRST;
        return json_open(walk, at, matching);
    case '}':
    case ']':
    case ':':
    case ',':
        return false;
    default:
        if (!json_take_atom(walk, at, &value)) return false;
    }
    if (matching != 0) json_keep(walk, matching, &value);
    return true;
}

static bool json_walk_line(struct json_walk *walk)
{
    struct json_reader *reader = walk->reader;
    const uint8_t *text = walk->line.data;
    if (text[walk->marks[0]] != '{') return false;
    walk->depth = 1;
    reader->is_object[1] = true;
    reader->paths_through[1] =
        reader->path_count == 32 ? UINT32_MAX : ((uint32_t)1 << reader->path_count) - 1;
    reader->outer[1] = NULL;
    enum json_state state = JSON_STATE_FIRST;
    for (walk->next = 1; walk->next < walk->count;) {
        size_t at = walk->marks[walk->next++];
        uint8_t close = reader->is_object[walk->depth] ? '}' : ']';
        if (text[at] == close && state != JSON_STATE_VALUE) {
            json_close(walk, at);
            if (walk->depth == 0) return walk->next == walk->count;
            state = JSON_STATE_NEXT;
        } else if (state == JSON_STATE_NEXT) {
            if (text[at] != ',') return false;
            state = JSON_STATE_VALUE;
        } else if (!json_walk_value(walk, at, &state)) {
            return false;
        }
    }
    return false;
}

enum json_fault json_reader_read(struct json_reader *reader, struct slice line,
                                 struct json_value *values)
{
    if (line.size >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0)
        line = slice_make(line.data + 3, line.size - 3);
    for (size_t i = 0; i < reader->path_count; i++)
        values[i] = (struct json_value){JSON_MISSING, false, slice_null()};
    struct json_walk walk = {.reader = reader, .line = line, .values = values};
    switch (json_index_find(reader->index, line.data, line.size, &walk.marks, &walk.count)) {
    case JSON_INDEX_NOT_JSON:
        return JSON_FAULT_NOT_JSON;
    case JSON_INDEX_NOT_UTF8:
        return JSON_FAULT_NOT_UTF8;
    case JSON_INDEX_OK:
        break;
    }
    if (walk.count == 0) return JSON_FAULT_NOT_JSON;
    json_find_backslash(&walk, 0);
    return json_walk_line(&walk) ? JSON_FAULT_NONE : JSON_FAULT_NOT_JSON;
}

static uint32_t json_hex4(const uint8_t *digits)
{
    uint8_t bytes[2] = {0};
    bool is_hex = bytes_get_hex(digits, 4, bytes);
    ASSERT(is_hex); // As json_walk_line() has found.
    return bytes_get_u16(bytes);
}

static void json_put_code_point(struct buffer *out, uint32_t code)
{
    uint8_t bytes[4];
    size_t size;
    if (code < 0x80) {
        bytes[0] = (uint8_t)code;
        size = 1;
    } else if (code < 0x800) {
        bytes[0] = (uint8_t)(0xc0 | code >> 6);
        bytes[1] = (uint8_t)(0x80 | (code & 0x3f));
        size = 2;
    } else if (code < 0x10000) {
        bytes[0] = (uint8_t)(0xe0 | code >> 12);
        bytes[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (code & 0x3f));
        size = 3;
    } else {
        bytes[0] = (uint8_t)(0xf0 | code >> 18);
        bytes[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        bytes[3] = (uint8_t)(0x80 | (code & 0x3f));
        size = 4;
    }
    buffer_put(out, bytes, size);
}

// The escape at `at` (behind its backslash); returns the place behind it. The reader has checked
// it.
static const uint8_t *json_unescape(const uint8_t *at, const uint8_t *end, struct buffer *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (*at != 'u') {
        const char *found = strchr(from, *at);
        ASSERT(found != NULL);
        buffer_put_u8(out, (uint8_t)to[found - from]);
        return at + 1;
    }
    uint32_t code = json_hex4(at + 1);
    at += 5;
    if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        uint32_t low = json_hex4(at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            json_put_code_point(out, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
            return at + 6;
        }
    }
    json_put_code_point(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    return at;
}

struct slice json_string(const struct json_value *value, struct buffer *scratch)
{
    ASSERT(value->kind == JSON_STRING);
    if (!value->has_escapes) return value->raw;
    buffer_clear(scratch);
    const uint8_t *at = value->raw.data, *end = at + value->raw.size;
    while (at < end) {
        const uint8_t *backslash = memchr(at, '\\', (size_t)(end - at));
        const uint8_t *plain_end = backslash == NULL ? end : backslash;
        buffer_put(scratch, at, (size_t)(plain_end - at));
        at = backslash == NULL ? end : json_unescape(backslash + 1, end, scratch);
    }
    return buffer_slice(scratch);
}
