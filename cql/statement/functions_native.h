// The parts of functions.h among themselves: lists of functions by their argument types.
#ifndef CQL_STATEMENT_FUNCTIONS_NATIVE_H
#define CQL_STATEMENT_FUNCTIONS_NATIVE_H

#include "cql/statement/functions.h"

// A function with fixed types, as in a table.
struct function_definition {
    const char *name;
    enum type_kind result;
    uint8_t argument_count;
    enum type_kind arguments[3];
    bool (*call)(const struct function_call *call, const struct slice *arguments,
                 struct slice *result);
};

// uuid and time functions; ends with a NULL name.
extern const struct function_definition functions_time_table[];

// Makes the function for one numeric type: "abs", "exp", "log", "log10", "round", "sum", "avg".
// False when there is none of this name for the type.
bool functions_numeric_make(struct function *function, struct slice name, const struct type *type);
// "min", "max", "count", "to_json" of any type.
bool functions_any_make(struct function *function, struct slice name, const struct type *type);
// "collection_count", "map_keys", … of a collection. False when there is none of this name for it.
bool functions_collection_make(struct analysis *analysis, struct function *function,
                               struct slice name, const struct type *type);
// CAST between scalars.
bool functions_cast_make(struct function *function, const struct type *from, const struct type *to);

// Numbers in and out of bytes. The type is one of tinyint … double, counter.
bool functions_is_whole(enum type_kind kind);
bool functions_is_real(enum type_kind kind);
int64_t functions_get_whole(enum type_kind kind, struct slice bytes);
double functions_get_real(enum type_kind kind, struct slice bytes);
struct slice functions_put_whole(struct arena *arena, enum type_kind kind, int64_t value);
struct slice functions_put_real(struct arena *arena, enum type_kind kind, double value);

#endif
