// Values of JSON, as fromJson() of CQL takes them: numbers and strings for scalars, arrays for
// lists, sets, tuples and vectors, objects for maps and UDTs.
#ifndef NODE_SSTABLE_TOOL_JSON_VALUE_H
#define NODE_SSTABLE_TOOL_JSON_VALUE_H

#include "base/arena.h"
#include "storage/schema/type.h"

struct json_input {
    const uint8_t *next, *end;
    struct arena *arena;
    struct error *error;
};

// The next value, as one of this type; null is null. INVALID.
MUST_USE enum status json_value_parse(struct json_input *input, const struct type *type,
                                      struct slice *value);

// An object, member by member: '{', then names, each followed by a value, until END.
MUST_USE enum status json_object_begin(struct json_input *input);
// `is_first`: behind the '{'. END behind the '}'.
MUST_USE enum status json_object_next(struct json_input *input, bool is_first, struct slice *name);
// Nothing but blanks is left.
MUST_USE enum status json_input_end(struct json_input *input);

#endif
