// Chosen fields of a line of JSON, without building the rest: a tweet is 3 KB of which two fields
// matter. The whole line is checked all the same, as a strict parser would (RFC 8259), so that a
// damaged line never counts.
//
//     line -> json_index (marks, UTF-8) -> one walk over the marks: grammar, and each wanted path
//
// Numbers may have any size; of a key that stands twice the last counts; a byte order mark before
// the line is skipped.
#ifndef STREAM_JSON_H
#define STREAM_JSON_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>

// Paths of one reader, keys of one path, and how deep brackets may nest; deeper is NOT_JSON.
enum { JSON_PATHS_MAX = 32, JSON_KEYS_MAX = 8, JSON_DEPTH_MAX = 1000 };

// Why a line is of no use. What the reader itself finds are the first two.
// clang-format off
#define JSON_FAULT_MAP(X)                      \
    X(NOT_JSON,      "no JSON object")         \
    X(NOT_UTF8,      "not UTF-8")              \
    X(MISSING_FIELD, "a field missing")        \
    X(WRONG_TYPE,    "a field of wrong type")  \
    X(TOO_LONG,      "too long")
// clang-format on
enum json_fault {
    JSON_FAULT_NONE,
#define X(name, text) JSON_FAULT_##name,
    JSON_FAULT_MAP(X)
#undef X
        JSON_FAULT_COUNT
};
// "no JSON object".
const char *json_fault_text(enum json_fault fault);

enum json_kind {
    JSON_MISSING,
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

// `raw` points into the line: a string without its quotes, still escaped if `has_escapes`; a
// number's digits; an array or object with its brackets.
struct json_value {
    enum json_kind kind;
    bool has_escapes;
    struct slice raw;
};

struct json_reader;
struct json_reader *json_reader_create(void);
void json_reader_destroy(struct json_reader *reader);
// Wants the value at keys joined by dots, such as "user.screen_name". INVALID: too many, too deep
// or an empty key. Paths are numbered from 0 in the order of the calls.
MUST_USE enum status json_reader_add_path(struct json_reader *reader, const char *path,
                                          struct error *error);
// Reads one line. `values` has one element for each path, MISSING where the line has none.
enum json_fault json_reader_read(struct json_reader *reader, struct slice line,
                                 struct json_value *values);

// A string's text: `raw` itself without escapes, else unescaped into `scratch` (cleared first).
// Half a surrogate pair, which no UTF-8 has, becomes U+FFFD.
struct slice json_string(const struct json_value *value, struct buffer *scratch);

#endif
