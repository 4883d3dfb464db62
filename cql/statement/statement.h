// A CQL statement: parsed and bound to the schema once (statement_prepare), executed any number of
// times (execution_start).
//
//     text -> lexer -> parser -> AST (ast.h) -> analysis -> struct statement -> execution -> result
//
// A statement never changes and holds references to the tables it names; it is the loop's.
#ifndef CQL_STATEMENT_STATEMENT_H
#define CQL_STATEMENT_STATEMENT_H

#include "base/arena.h"
#include "base/env.h"
#include "cql/cql_error.h"
#include "ring/coordinator/coordinator.h"
#include "ring/metadata/metadata.h"
#include "ring/paxos/paxos.h"
#include "storage/schema/schema.h"

struct auth;          // cql/auth/auth.h
struct system_tables; // cql/system/system_tables.h
struct tracing;       // cql/system/tracing.h
struct table_figures; // cql/system/table_figures.h
struct table_figures_set;

// What statements work with. One for a node; all members outlive it.
struct query_processor {
    struct env *env;
    struct metadata *metadata;
    struct coordinator *coordinator;
    struct engine *engine;               // TRUNCATE.
    struct paxos *paxos;                 // IF and SERIAL; NULL: refused.
    struct system_tables *system_tables; // Schema and contents of system keyspaces.
    struct auth *auth;                   // NULL: everybody may do everything.
    struct tracing *tracing;             // Requests that are traced; NULL: none is.
    struct tracing *sampling;            // The same while requests are picked at random, else NULL.
    struct table_figures_set *figures;   // What is counted of tables; NULL: nothing is.
    // Of what one read meets, beyond which it is warned of or refused; 0: Cassandra's defaults.
    uint32_t tombstone_warn_threshold, tombstone_fail_threshold;
    // For DESCRIBE CLUSTER and NetworkTopologyStrategy; NULL: "Test Cluster", "datacenter1".
    const char *cluster_name, *data_center;
    // cql/'s own; zero at first. What makes timestamps and time uuids of this node differ.
    int64_t last_timestamp_us;
    uint64_t last_uuid_ticks, uuid_node;
    size_t results_size;     // Of SELECTs that go on after their first step.
    size_t results_size_max; // 0: CQL_RESULTS_SIZE_MAX.
};

// A column of a result, or a bind marker.
struct column_spec {
    struct slice keyspace, table, name;
    const struct type *type;
};

enum statement_kind {
    STATEMENT_SELECT,
    STATEMENT_MODIFICATION, // INSERT, UPDATE, DELETE
    STATEMENT_BATCH,
    STATEMENT_USE,
    STATEMENT_TRUNCATE,
    STATEMENT_SCHEMA, // CREATE, ALTER, DROP
    STATEMENT_DESCRIBE,
    STATEMENT_ROLE, // CREATE ROLE, GRANT, …: refused as Cassandra refuses them without
                    // authentication.
};

struct statement {
    uint32_t references;
    struct arena arena;
    enum statement_kind kind;
    struct slice text;                 // As the client wrote it.
    struct slice current_keyspace;     // When it was prepared; empty if none.
    const struct column_spec *markers; // In order of appearance.
    uint16_t marker_count;
    const uint16_t
        *partition_key_markers; // §6.3; count 0 unless each key column is one plain marker.
    uint16_t partition_key_marker_count;
    const struct column_spec *result_columns; // SELECT only; else count 0.
    uint16_t result_column_count;
    bool names_keyspaces;  // Every table in it is written keyspace.table (§6.1).
    struct slice keyspace; // Of its (first) table; empty if none.
    struct slice table;
    // The table versions it was bound to; it is out of date when the schema has others (§6.5).
    const struct table **tables;
    size_t table_count;
    struct table_figures *figures; // Of its table, where its runs are counted; NULL: nowhere.
    struct statement_plan *plan;   // The rest is cql/'s own (plan.h).
};

// `keyspace` is the current one, empty if none. False: `error` says why.
bool statement_prepare(struct query_processor *processor, struct slice text, struct slice keyspace,
                       struct statement **statement, struct cql_error *error);
void statement_ref(struct statement *statement);
void statement_unref(struct statement *statement); // NULL is allowed.
// A table it names was dropped, or has other columns or indexes than it had
// (TableMetadata.changeAffectsPreparedStatements).
bool statement_is_stale(const struct statement *statement, const struct query_processor *processor);
// A table it names was changed at all: it has to be prepared anew.
bool statement_is_outdated(const struct statement *statement,
                           const struct query_processor *processor);

// ---- Execution ----------------------------------------------------------------------------------

// A bound value: null, unset, or bytes.
struct bound_value {
    struct slice bytes; // Null: data is NULL.
    bool unset;
};

struct query_options {
    enum consistency consistency, serial_consistency;
    const struct bound_value *values; // One for each marker, in the statement's order.
    size_t value_count;
    const struct slice *value_names; // NULL, or one for each value (then matched by name, §2.2).
    int32_t page_size;               // <= 0: no paging.
    struct slice paging_state;       // Null: from the beginning.
    bool has_timestamp, has_now;
    int64_t timestamp_us;
    int32_t now_s;
    struct slice keyspace; // The current one.
    struct slice user;     // Who logged in; null: nobody had to.
    int protocol_version;  // 3, 4 or 5: how some types and paging states are written.
};

enum result_kind {
    RESULT_VOID = 1,
    RESULT_ROWS,
    RESULT_SET_KEYSPACE,
    RESULT_PREPARED,
    RESULT_SCHEMA_CHANGE
};

struct result {
    enum result_kind kind;
    const struct column_spec *columns; // ROWS.
    uint16_t column_count;
    uint32_t row_count;
    struct buffer rows; // row_count × column_count × [bytes] (i32 length, -1 null), ready to send.
    struct slice paging_state;   // Null: no more pages.
    struct slice keyspace;       // SET_KEYSPACE, SCHEMA_CHANGE.
    const char *change, *target; // SCHEMA_CHANGE: "CREATED", "TABLE".
    struct slice name;           // SCHEMA_CHANGE of a table.
    const char *const *warnings;
    size_t warning_count;
};

// One execution: an operation in its owner's memory (a pooled request of a connection). The
// statement, the options and all they point to stay valid until `done`, which comes exactly once
// and may come inside execution_start() when nothing had to be waited for.
struct execution {
    void (*done)(struct execution *execution);
    struct query_processor *processor;
    struct statement *statement;
    const struct query_options *options;
    struct arena arena;     // Of this execution; reset at the start of the next.
    bool failed;            // Then `error` says why, else `result` is the answer; both valid
    struct cql_error error; // until execution_finish().
    struct result result;
    struct execution_state *state; // cql/'s own, in the arena.
    struct trace *trace;           // Its story, set before the start; NULL: nobody wants it.
    bool is_canceled;              // Nobody waits for the answer: a long read may end early.
    // cql/'s own: what one row of a SELECT needs, and what one step of it leaves to the next.
    struct arena row_arena, step_arenas[2], candidate_arena;
};

// Once for the life of an execution, and at its end.
void execution_init(struct execution *execution, struct query_processor *processor);
void execution_deinit(struct execution *execution);
void execution_start(struct execution *execution, struct statement *statement,
                     const struct query_options *options,
                     void (*done)(struct execution *execution));
// A BATCH message: entries with their own values. `type` 0 logged, 1 unlogged, 2 counter.
struct batch_entry {
    struct statement *statement;
    const struct bound_value *values;
    size_t value_count;
};
void execution_start_batch(struct execution *execution, int type, const struct batch_entry *entries,
                           size_t count, const struct query_options *options,
                           void (*done)(struct execution *execution));
// After `done`: lets go of what the execution held; it can be started again.
void execution_finish(struct execution *execution);

#endif
