// JSON to values: what each type reads of it (AbstractType.fromJSONObject), with Cassandra's words
// for what it does not take.
//
//     text --json_parse--> tree --json_value_read--> bytes as a client would have bound them
//
// And the columns of INSERT JSON (org.apache.cassandra.cql3.Json).
#ifndef CQL_STATEMENT_JSON_VALUE_H
#define CQL_STATEMENT_JSON_VALUE_H

#include "cql/statement/json.h"
#include "cql/statement/statement.h"

struct json_value_context {
    struct arena *arena; // Values live here.
    int64_t now_ms;      // For a timestamp of "now".
    struct buffer *error;
    bool is_bare; // The error is an InvalidRequestException, not a MarshalException: nothing is
                  // put in front of it.
};

// Not of null. False: `error` says why.
bool json_value_read(struct json_value_context *context, const struct type *type,
                     const struct json *json, struct slice *value);

// The text's values for all columns of the table, each kind's after the other's: null where it says
// null, `unset` where it does not name the column. False with the error set.
bool json_value_read_columns(struct query_processor *processor, const struct table *table,
                             struct slice text, struct arena *arena, struct bound_value *values,
                             struct cql_error *error);

#endif
