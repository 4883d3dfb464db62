// What the files of the terms share: how literals fit (term_fit.c), literals with items
// (term_literal.c), and what is called, bound and read of a text (term.c).
#ifndef CQL_STATEMENT_TERM_INTERNAL_H
#define CQL_STATEMENT_TERM_INTERNAL_H

#include "cql/statement/term.h"

// ---- How terms fit (term_fit.c)

// Constants.Literal.testAssignment: what each kind of literal may be.
bool term_constant_fits(enum cql_constant_kind kind, const struct type *type);
// What a literal in round brackets may be.
bool term_is_tuple_type(const struct type *type);
// The literal's value of a field of the type; NULL when it has none.
const struct cql_term *term_field_value(const struct cql_term *raw, struct slice field);
// The first field of the user type that a literal does not fit; -1: none. Of what is no user type
// it is 0. Fields that the type does not have are refused later.
int term_find_misfit(struct analysis *analysis, const struct cql_term *raw,
                     const struct type *type);
// In a selector the names of fields were taken for columns that are keys of a map.
bool term_is_user_type(const struct cql_term *raw, const struct type *type);
const struct cql_term *term_as_user_type(struct analysis *analysis, const struct cql_term *raw);
// Looks for a type without leaving an error behind.
const struct type *term_quiet_type(struct analysis *analysis, const struct cql_term *raw);
// Where the user types of a statement are.
struct slice term_keyspace(const struct analysis *analysis);

// ---- Literals (term_literal.c)

bool term_refuse_literal(struct analysis *analysis, const struct cql_term *raw,
                         const struct column_spec *receiver, const char *kind);
bool term_prepare_elements(struct analysis *analysis, const struct cql_term *raw,
                           const struct column_spec *receiver, const char *kind,
                           enum term_kind made_kind, const struct term **term);
bool term_prepare_list(struct analysis *analysis, const struct cql_term *raw,
                       const struct column_spec *receiver, const struct term **term);
bool term_prepare_set(struct analysis *analysis, const struct cql_term *raw,
                      const struct column_spec *receiver, const struct term **term);
bool term_prepare_tuple(struct analysis *analysis, const struct cql_term *raw,
                        const struct column_spec *receiver, const struct term **term);
bool term_prepare_user_type(struct analysis *analysis, const struct cql_term *raw,
                            const struct column_spec *receiver, const struct term **term);

#endif
