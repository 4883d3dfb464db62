// The rows of system_auth: what the metadata log knows of roles (ring/metadata/roles.h), in the
// form of Cassandra's tables. network_permissions and cidr_… are empty: no network authorizer is
// there to limit anybody.
#ifndef CQL_SYSTEM_SYSTEM_AUTH_ROWS_H
#define CQL_SYSTEM_SYSTEM_AUTH_ROWS_H

#include "cql/system/system_row.h"
#include "ring/metadata/roles.h"

// `empty` is a row of the table that was begun.
void system_auth_rows_fill(const struct roles *roles, const struct system_row *empty);

#endif
