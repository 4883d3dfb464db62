// What IF asks of a row (org.apache.cassandra.cql3.conditions.ColumnCondition): a column, an
// element of a collection, a field of a user type, compared with a value.
//
//     cql_relation (ast.h) --condition_prepare--> condition --condition_bind--> values
//     values, the row as it is --condition_passes--> true or false
//
// Null is a value here: "a = null" is true of a column that is not there. Any other comparison with
// null is refused, and a column that is not there passes none but "!=".
#ifndef CQL_STATEMENT_CONDITION_H
#define CQL_STATEMENT_CONDITION_H

#include "cql/execution/row_view.h"
#include "cql/statement/term.h"

struct condition {
    const struct column *column;
    enum cql_operator operator;
    const struct type *type;    // Of what is compared: the column's, or its element's.
    const struct term *element; // Index of a list, key of a map; NULL: the whole column,
                                // or a field of it.
    bool is_of_field;           // Of a user type's column.
    uint16_t field;
    const struct term *value;            // IN: one marker for the whole list.
    const struct term *const *in_values; // IN ( … ), when `value` is NULL.
    size_t in_count;
};

bool condition_prepare(struct analysis *analysis, const struct cql_relation *relation,
                       struct condition *condition);

// With its values, which live in the binding's arena or the message.
struct bound_condition {
    const struct condition *condition;
    struct slice element;  // Key of a map.
    uint32_t index;        // Of a list.
    bool is_element_unset; // Then there is no such element.
    const struct slice *values;
    size_t value_count; // 1, but of IN.
};
bool condition_bind(const struct condition *condition, const struct binding *binding,
                    struct bound_condition *bound);
// `arena` is for what has to be decoded. A row that is not there has no values.
bool condition_passes(const struct bound_condition *bound, const struct row_view *view,
                      struct arena *arena);

#endif
