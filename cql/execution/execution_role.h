// Statements about roles, among their own files: what is refused and what change is made
// (role_check.c), the way to the metadata log (execution_role.c), what is listed
// (execution_role_list.c).
#ifndef CQL_EXECUTION_EXECUTION_ROLE_H
#define CQL_EXECUTION_EXECUTION_ROLE_H

#include "cql/auth/permission.h"
#include "cql/parser/ast.h"

// NULL: it was not given.
const struct cql_property *role_option(const struct cql_role_statement *role, const char *name);
// What Cassandra answers without authentication.
void role_refuse(const struct permission_user *user, const struct cql_statement_ast *ast);
// Whether the user may do it, and whether it makes sense. False: the user's error is set.
bool role_check(const struct permission_user *user, const struct statement *statement);

enum role_made { ROLE_MADE_ERROR, ROLE_MADE_NOTHING, ROLE_MADE_CHANGE };
// What follows from the roles as they are, but for the hash of a password. `warning` is what the
// client is told besides.
enum role_made role_make_change(const struct permission_user *user,
                                const struct statement *statement, struct role_change *change,
                                const char **warning);

#endif
