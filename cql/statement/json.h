// JSON texts as trees: what INSERT JSON and from_json() read.
//
// It is Jackson's strict reading (com.fasterxml.jackson.core.json.ReaderBasedJsonParser, as
// org.apache.cassandra.utils.JsonUtils has it), and errors have Jackson's words, with the place
// counted as Java counts characters. What stands behind the first value is not looked at.
#ifndef CQL_STATEMENT_JSON_H
#define CQL_STATEMENT_JSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

// How deep arrays and objects may nest.
enum { JSON_DEPTH_MAX = 500 };

enum json_kind {
    JSON_NULL,
    JSON_BOOLEAN, // text: true, false
    JSON_INTEGER, // text: its digits, maybe with a minus
    JSON_REAL,    // text: as written
    JSON_STRING,  // text: without quotes and escapes
    JSON_LIST,    // items
    JSON_OBJECT,  // keys[i]: items[i], in the order written; of equal keys the last one counts
};

struct json {
    enum json_kind kind;
    struct slice text;
    const struct json *const *items;
    const struct slice *keys;
    size_t count;
};

// The tree lives in the arena and borrows from `text`. False: `error` is Jackson's exception, as
// its toString() has it ("com.fasterxml.jackson.core.JsonParseException: …"), `without_class` bytes
// of which are the class and the colon.
bool json_parse(struct slice text, struct arena *arena, const struct json **json,
                struct buffer *error, size_t *without_class);
// The same for a text that must be an object or null.
bool json_parse_object(struct slice text, struct arena *arena, const struct json **json,
                       struct buffer *error);

// The value as Java's toString() has it: [1, x], {a=1}.
void json_put(const struct json *json, struct buffer *text);
// The class that Jackson makes of it: "Integer", "ArrayList".
const char *json_class(const struct json *json);
// A double as Java prints it; other numbers as they are written.
void json_put_number(const struct json *json, struct buffer *text);

#endif
