// What restrictions.c, which makes one restriction of the relations of each column, and
// restrictions_sort.c, which finds out what each is good for, share.
#ifndef CQL_STATEMENT_RESTRICTIONS_INTERNAL_H
#define CQL_STATEMENT_RESTRICTIONS_INTERNAL_H

#include "cql/statement/restrictions.h"

// Restrictions while they gather: as many as relations, at most one for each column.
struct gathering {
    struct analysis *analysis;
    const struct restrictions_options *options;
    struct restriction *items;
    size_t count;
};

static inline bool restrictions_refuse(struct gathering *gathering, const char *text)
{
    return cql_error_set(gathering->analysis->error, CQL_ERROR_INVALID, "%s", text);
}

// Adds a relation, or makes it one with what there is of its columns.
bool restrictions_gather(struct gathering *gathering, const struct cql_relation *relation);
// expr(…), behind all relations.
bool restrictions_check_expressions(struct gathering *gathering,
                                    const struct cql_relations *relations);

#endif
