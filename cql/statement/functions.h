// Native functions and operators (org.apache.cassandra.cql3.functions): found by name and argument
// types when a statement is prepared, called for each row or bind.
//
// An instance for exactly its argument types is made in the statement's arena, so that a call is
// one indirect jump. Values are bytes as stored; a null argument gives null unless said otherwise.
#ifndef CQL_STATEMENT_FUNCTIONS_H
#define CQL_STATEMENT_FUNCTIONS_H

#include "cql/statement/analysis.h"

struct function;

// One call. What it makes lives in `arena`.
struct function_call {
    struct query_processor *processor;
    const struct function *function;
    struct arena *arena;
    struct cql_error *error;
};

// The running value of an aggregate: plain bytes, so that a snapshot is a copy. `value` lives in
// the execution's arena.
struct aggregate_state {
    int64_t count, whole, high;
    double real, compensation;
    struct slice value;
};

struct function {
    const char *name; // As called, lower case, without its keyspace: "now", "intasblob".
    const struct type *result;
    const struct type *const *arguments;
    uint16_t argument_count;
    // Scalar. False: the error is set.
    bool (*call)(const struct function_call *call, const struct slice *arguments,
                 struct slice *result);
    // Aggregate, if not NULL.
    bool (*add)(const struct function_call *call, struct slice argument,
                struct aggregate_state *state);
    bool (*finish)(const struct function_call *call, const struct aggregate_state *state,
                   struct slice *result);
    char operator; // Of an operation.
};

static inline bool function_is_aggregate(const struct function *function)
{
    return function->add != NULL;
}

// What is known of an argument when a call is resolved.
struct function_argument {
    const struct type *type;     // Known exactly, or NULL:
    const struct cql_term *term; // then this literal or marker takes what fits.
};

// The function that fits; NULL with the error set. `receiver` is the type that is wanted of it, or
// NULL.
const struct function *functions_resolve(struct analysis *analysis,
                                         const struct cql_qualified_name *name,
                                         const struct function_argument *arguments, size_t count,
                                         const struct type *receiver);
// CAST(argument AS type).
const struct function *functions_resolve_cast(struct analysis *analysis,
                                              const struct function_argument *argument,
                                              const struct cql_type *type,
                                              const struct type *receiver);
// Whether anything can be cast to that type.
bool functions_has_cast(struct analysis *analysis, const struct cql_type *type);
// An OPERATION with its two operands. For a DESC column: no operand is of its type, which Cassandra
// wraps.
const struct function *functions_resolve_operation(struct analysis *analysis,
                                                   const struct cql_term *raw,
                                                   const struct function_argument *arguments,
                                                   const struct type *receiver, bool is_reversed);
// Minus.
const struct function *functions_resolve_negation(struct analysis *analysis,
                                                  const struct function_argument *argument,
                                                  const struct type *receiver);
// count(*): an aggregate without an argument.
const struct function *functions_count_rows(struct analysis *analysis);

// A new version-1 uuid of this node, later than all before it.
struct uuid functions_now_uuid(struct query_processor *processor);

#endif
