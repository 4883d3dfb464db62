// Values as CSV has them: scalars as they are, collections, tuples and UDTs as CQL literals.
#ifndef NODE_SSTABLE_TOOL_TEXT_VALUE_H
#define NODE_SSTABLE_TOOL_TEXT_VALUE_H

#include "base/arena.h"
#include "storage/schema/type.h"

// INVALID, with words of Cassandra's where it has some.
MUST_USE enum status text_value_parse(const struct type *type, struct slice text,
                                      struct arena *arena, struct slice *value,
                                      struct error *error);
// A scalar: 0x… for a blob, True for a boolean, or what a string constant may say.
MUST_USE enum status text_value_scalar(const struct type *type, struct slice text,
                                       struct arena *arena, struct slice *value,
                                       struct error *error);

#endif
