// Terms: literals, bind markers and function calls that give bytes when a statement is executed
// (org.apache.cassandra.cql3.Term).
//
//     cql_term (ast.h) + receiver's type  --term_prepare-->  term  --term_bind-->  value
//
// What is known when the statement is prepared is a constant from then on.
#ifndef CQL_STATEMENT_TERM_H
#define CQL_STATEMENT_TERM_H

#include "cql/statement/analysis.h"

struct function;

enum term_kind { TERM_CONSTANT, TERM_MARKER, TERM_CALL, TERM_LIST, TERM_SET, TERM_MAP, TERM_TUPLE };

struct term {
    enum term_kind kind;
    const struct type *type;
    struct slice constant;           // CONSTANT; null is a value too.
    uint16_t marker;                 // MARKER
    const struct function *function; // CALL
    const struct term *const *items; // Arguments, elements, or key and value in turn.
    size_t item_count;
};

// What an execution binds terms with. Values live in `arena` or in the caller's message.
struct binding {
    struct query_processor *processor;
    const struct bound_value *values;
    struct arena *arena;
    struct cql_error *error;
};

// `receiver` names and types what the term is for. Notes markers in the analysis.
bool term_prepare(struct analysis *analysis, const struct cql_term *raw,
                  const struct column_spec *receiver, const struct term **term);
// Null: `value->bytes` is null. Bytes of markers have been validated.
bool term_bind(const struct term *term, const struct binding *binding, struct bound_value *value);

// How well a term fits a type (AssignmentTestable.TestResult).
enum term_fit { TERM_FIT_NOT, TERM_FIT_WEAK, TERM_FIT_EXACT };
enum term_fit term_fits(struct analysis *analysis, const struct cql_term *raw,
                        const struct type *type);
// Of a value whose type is known.
enum term_fit term_type_fits(const struct type *from, const struct type *to);
// The type of a term by itself: casts, functions; for literals what they most likely are. NULL:
// none.
const struct type *term_natural_type(struct analysis *analysis, const struct cql_term *raw);

// Of what is `raw`, a field of something of this type. NULL, with the error set: it has none such.
const struct type *term_field_type(struct analysis *analysis, const struct cql_term *raw,
                                   const struct type *type);
// A field of a user type as a receiver: "c.field".
struct column_spec term_field_spec(struct analysis *analysis, const struct column_spec *receiver,
                                   int field);

// What a call, a cast, a minus or an operation calls, NULL with the error set. `receiver` is the
// type that is wanted, or NULL.
const struct function *term_resolve(struct analysis *analysis, const struct cql_term *raw,
                                    const struct type *receiver);
// from_json(…): it can be of any type.
bool term_is_from_json(const struct cql_term *raw);

// A constant in the arena.
const struct term *term_make_constant(struct arena *arena, const struct type *type,
                                      struct slice bytes);

// Collections as bytes (cql-server.md §3): the count, then elements with their lengths. `items` of
// a map alternate. Sets and maps must be sorted already.
struct slice term_encode_collection(struct arena *arena, const struct slice *items, size_t count,
                                    bool is_map);
// Fields of a tuple or user type; null ones too.
struct slice term_encode_tuple(struct arena *arena, const struct slice *items, size_t count);
// Elements of a vector, none null.
struct slice term_encode_vector(struct arena *arena, const struct type *type,
                                const struct slice *items, size_t count);
// Sorts by the element type and keeps the last of equal ones. `stride` is 2 for a map. How many.
size_t term_sort_items(const struct type *type, struct slice *items, size_t count, size_t stride,
                       struct arena *arena);
// A valid value with the elements of sets and the entries of maps in order, each once, also of
// those inside of collections, and of vectors in them; not those inside of tuples and user types,
// which Cassandra takes as they come, too. What is in order already stays where it is.
struct slice term_sort_collection(struct arena *arena, const struct type *type, struct slice bytes);
// The elements (of a map keys and values in turn) of a valid collection; NULL when it is not.
const struct slice *term_decode_collection(struct arena *arena, struct slice bytes, bool is_map,
                                           size_t *count);
// The components of a tuple; absent ones are null.
const struct slice *term_decode_tuple(struct arena *arena, struct slice bytes, size_t count);

#endif
