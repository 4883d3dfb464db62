// A schema statement against the schema as it is: refused, nothing to do, or the change to make.
#ifndef CQL_EXECUTION_SCHEMA_CHANGE_H
#define CQL_EXECUTION_SCHEMA_CHANGE_H

#include "cql/statement/analysis.h"

enum schema_change_kind {
    SCHEMA_CHANGE_NOTHING, // IF NOT EXISTS of what exists, ALTER to what is.
    SCHEMA_CHANGE_PUT_KEYSPACE,
    SCHEMA_CHANGE_DROP_KEYSPACE,
    SCHEMA_CHANGE_PUT_TABLE,
    SCHEMA_CHANGE_DROP_TABLE,
};

struct schema_change {
    enum schema_change_kind kind;
    const char *what; // "CREATED", "UPDATED", "DROPPED"
    bool is_of_table;
    struct slice keyspace_name, table_name;
    const struct keyspace *keyspace; // The new one; the caller's reference. NULL: none.
    const struct table *table;
    const char *warnings[4];
    size_t warning_count;
};

// False: the analysis' error is set.
bool schema_change_make(struct analysis *analysis, const struct cql_statement_ast *ast,
                        int64_t now_us, struct schema_change *change);

// The parts: keyspaces in schema_change.c, tables in schema_change_table.c.
bool schema_change_create_table(struct analysis *analysis, const struct cql_create_table *create,
                                struct schema_change *change);
bool schema_change_alter_table(struct analysis *analysis, const struct cql_alter_table *alter,
                               int64_t now_us, struct schema_change *change);
// "system keyspace is not user-modifiable."
bool schema_change_check_keyspace(struct analysis *analysis, struct slice keyspace);
// [A-Za-z0-9_]+
bool schema_change_is_plain_name(struct slice name);

#endif
