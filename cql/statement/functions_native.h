// The parts of functions.h among themselves: lists of functions by their argument types.
#ifndef CQL_STATEMENT_FUNCTIONS_NATIVE_H
#define CQL_STATEMENT_FUNCTIONS_NATIVE_H

#include "cql/statement/functions.h"
#include "cql/statement/term.h"

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
// "min", "max", "count" of any type.
bool functions_any_make(struct function *function, struct slice name, const struct type *type);
// "collection_count", "map_keys", … of a collection that has been checked.
void functions_collection_make(struct analysis *analysis, struct function *function,
                               struct slice name, const struct type *type);
// "mask_default", … of arguments that have been checked.
void functions_mask_make(struct function *function, struct slice name);
// "similarity_cosine", …
void functions_similarity_make(struct function *function, struct slice name);
// from_json() and to_json().
bool functions_from_json(const struct function_call *call, const struct slice *arguments,
                         struct slice *result);
bool functions_to_json(const struct function_call *call, const struct slice *arguments,
                       struct slice *result);

// Functions whose types follow from their arguments and from what they are for: "to_json",
// "collection_sum", "mask_inner". `*is_known` when there are such of this name; NULL with the error
// set when none fits.
const struct function *functions_factory_resolve(struct analysis *analysis, struct slice name,
                                                 const struct function_argument *arguments,
                                                 size_t count, const struct type *receiver,
                                                 bool *is_known);

// A function with these argument types, in the analysis' arena.
struct function *functions_make(struct analysis *analysis, const char *name,
                                const struct type *const *arguments, size_t count);
// "Invalid call to function …, none of its type signatures match", or "Ambiguous call to …". NULL.
const struct function *functions_refuse_call(struct analysis *analysis, const char *name,
                                             const struct function *const *candidates, size_t count,
                                             bool is_ambiguous);
// How well an argument fits a parameter of this type.
enum term_fit functions_argument_fit(struct analysis *analysis,
                                     const struct function_argument *argument,
                                     const struct type *type);
// Minus one number.
void functions_negation_make(struct function *function, const struct type *type);
// A failed execution (0x1400) of system.`name`: the caller adds the text.
void functions_set_failure(const struct function_call *call, const char *name);

// CAST between scalars of different types; false when there is none.
bool functions_cast_make(struct function *function, const struct type *from, const struct type *to);

// Numbers in and out of bytes. The type is one of tinyint … double, counter.
bool functions_is_whole(enum type_kind kind);
bool functions_is_real(enum type_kind kind);
int64_t functions_get_whole(enum type_kind kind, struct slice bytes);
bool functions_is_number(enum type_kind kind); // Also varint and decimal.
// Of any number, as near as a double can be.
double functions_get_real(enum type_kind kind, struct slice bytes);
// Java's narrowing of a double to a long, or to an int for what is smaller.
int64_t functions_whole_of_real(enum type_kind kind, double value);
// Any number as an operand of decimals. NULL, or why it can not be.
const char *functions_make_decimal(enum type_kind kind, struct slice bytes, struct arena *arena,
                                   struct slice *decimal);
struct slice functions_put_whole(struct arena *arena, enum type_kind kind, int64_t value);
struct slice functions_put_real(struct arena *arena, enum type_kind kind, double value);

#endif
