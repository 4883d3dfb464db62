// Values of collections, tuples and UDTs from the values of their parts, as files have them: sets
// and the keys of maps in order, each once (the last of equal ones).
#ifndef NODE_SSTABLE_TOOL_VALUE_BUILD_H
#define NODE_SSTABLE_TOOL_VALUE_BUILD_H

#include "base/arena.h"
#include "storage/schema/type.h"

// Parts while they are gathered; in the arena.
struct value_parts {
    struct slice *items;
    size_t count, capacity;
};

void value_parts_add(struct value_parts *parts, struct slice value, struct arena *arena);

// Of a LIST or SET its elements, of a MAP keys and values in turn, of a TUPLE or UDT its fields
// (null is allowed there), of a VECTOR its elements. INVALID: a null, too many, or a wrong number.
MUST_USE enum status value_build(const struct type *type, struct value_parts *parts,
                                 struct arena *arena, struct slice *value, struct error *error);
// The index of a UDT's field, or -1.
int value_field_index(const struct type *type, struct slice name);

#endif
