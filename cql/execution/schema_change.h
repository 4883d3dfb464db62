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

enum { SCHEMA_WARNINGS_MAX = 8 };

struct schema_change {
    enum schema_change_kind kind;
    const char *what;             // "CREATED", "UPDATED", "DROPPED"
    bool is_of_table, is_of_type; // Else it is of a keyspace.
    struct slice keyspace_name;
    struct slice table_name;         // Or a type's.
    const struct keyspace *keyspace; // The new one; the caller's reference. NULL: none.
    const struct table *table;
    const char *warnings[SCHEMA_WARNINGS_MAX];
    size_t warning_count;
};

// False: the analysis' error is set.
bool schema_change_make(struct analysis *analysis, const struct cql_statement_ast *ast,
                        int64_t now_us, struct schema_change *change);

// The parts: keyspaces in schema_change.c, tables in schema_change_table.c, types in
// schema_change_type.c.
bool schema_change_create_table(struct analysis *analysis, const struct cql_create_table *create,
                                struct schema_change *change);
bool schema_change_alter_table(struct analysis *analysis, const struct cql_alter_table *alter,
                               int64_t now_us, struct schema_change *change);
bool schema_change_create_type(struct analysis *analysis, const struct cql_create_type *create,
                               struct schema_change *change);
bool schema_change_alter_type(struct analysis *analysis, const struct cql_alter_type *alter,
                              struct schema_change *change);
bool schema_change_drop_type(struct analysis *analysis, const struct cql_drop *drop,
                             struct schema_change *change);
// False, with the error set: too large, or nested too deeply, to be part of a definition.
bool schema_change_check_type(struct analysis *analysis, const struct type *type);
bool schema_change_create_index(struct analysis *analysis, const struct cql_create_index *create,
                                struct schema_change *change);
bool schema_change_drop_index(struct analysis *analysis, const struct cql_drop *drop,
                              struct schema_change *change);
// Cassandra warns of each index of a vector whenever it validates the indexes of a table: at CREATE
// INDEX and at ALTER TABLE … ADD.
void schema_change_warn_of_vectors(const struct table *table, struct schema_change *change);
// Functions, aggregates, triggers: at most there is nothing to drop.
bool schema_change_function(struct analysis *analysis, const struct cql_statement_ast *ast);
// `what` ("Cannot drop", "Can't rename") a column that has indexes.
bool schema_change_check_indexed(struct analysis *analysis, const struct table *table,
                                 struct slice column, const char *what);
// "system keyspace is not user-modifiable."
bool schema_change_check_keyspace(struct analysis *analysis, struct slice keyspace);
// [A-Za-z0-9_]+
bool schema_change_is_plain_name(struct slice name);

#endif
