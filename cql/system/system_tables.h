// system, system_schema, system_virtual_schema, …: what clients ask a Cassandra about itself
// (cql-server.md §4.3 and appendix A).
//
// None of them is stored. Each read of one fills a memtable with its rows as they are now, and the
// statement reads that memtable like any other: filters, order, paging and all.
#ifndef CQL_SYSTEM_SYSTEM_TABLES_H
#define CQL_SYSTEM_SYSTEM_TABLES_H

#include "base/env.h"
#include "ring/metadata/metadata.h"
#include "storage/engine/engine.h"
#include "storage/memtable/memtable.h"
#include "storage/schema/schema.h"

// The release whose behaviour clients find, and its language.
#define SYSTEM_TABLES_RELEASE_VERSION "5.0.4"
#define SYSTEM_TABLES_CQL_VERSION     "3.4.7"

struct system_tables;

// What a node says of itself.
struct node_identity {
    const char *cluster_name, *data_center, *rack;
    struct uuid host_id;                                               // Stable over restarts.
    struct env_address broadcast_address, rpc_address, listen_address; // Ports: 7000, 9042, 7000
    const struct token *tokens;
    size_t token_count;
    bool authenticates, authorizes;
};

// What the server of clients tells of itself. Borrowed during the call.
struct system_client {
    struct env_address address;
    const char *stage;           // "ready"
    struct slice keyspace, user; // Empty: none.
    const char *driver_name, *driver_version;
    const char *tls_protocol, *tls_cipher; // NULL: it speaks no TLS.
    int protocol_version;
    uint64_t request_count;
};
struct system_statistics {
    uint64_t queries, executions, prepared_evictions;
    uint64_t requests;         // Of all kinds, that were begun.
    size_t requests_under_way; // Of these.
    size_t prepared_statements;
};
struct system_source {
    void (*each_client)(void *context,
                        void (*found)(void *found_context, const struct system_client *client),
                        void *found_context);
    void (*statistics)(void *context, struct system_statistics *statistics);
    void *context;
};

// All that it is given outlives it.
struct system_tables *system_tables_create(struct env *env, const struct metadata *metadata,
                                           const struct node_identity *identity);
void system_tables_destroy(struct system_tables *tables);
// Of this node, for other nodes.
const struct env_address *system_tables_address(const struct system_tables *tables);
// What it was given.
const struct node_identity *system_tables_identity(const struct system_tables *tables);
// Whose compactions it shows. NULL, as at the beginning: none.
void system_tables_set_engine(struct system_tables *tables, const struct engine *engine);

// Whose work it counts. NULL, as at the beginning: nobody's.
struct coordinator;
void system_tables_set_coordinator(struct system_tables *tables,
                                   const struct coordinator *coordinator);

// What is counted of its tables. NULL, as at the beginning: nothing.
struct table_figures_set;
void system_tables_set_figures(struct system_tables *tables,
                               const struct table_figures_set *figures);

// Whose clients it shows. NULL, as at the beginning: none.
void system_tables_set_source(struct system_tables *tables, const struct system_source *source);

// What the stages of a node have done and have to do: those of Cassandra's pools that there is
// something like here (system_views.thread_pools, nodetool tpstats).
struct system_pool {
    const char *name;
    uint64_t active, limit, pending, completed, blocked, blocked_ever;
};
enum { SYSTEM_POOLS_MAX = 8 };
size_t system_tables_pools(const struct system_tables *tables,
                           struct system_pool pools[static SYSTEM_POOLS_MAX]);

// The definitions, keyspaces and tables, all but these with is_virtual set on the tables. A
// keyspace has it only if Cassandra's is virtual too (system_views, system_virtual_schema):
// DESCRIBE, and what needs no ALLOW FILTERING, go by that.
const struct schema *system_tables_schema(const struct system_tables *tables);
// Those that are stored nevertheless, in the engine of each node (engine_options.internal_tables),
// and replicated as their keyspace says (coordinator_options.system_schema): sessions and events of
// system_traces, prepared_statements of system.
enum { SYSTEM_TABLES_STORED_COUNT = 3 };
void system_tables_stored(const struct system_tables *tables,
                          const struct table *stored[static SYSTEM_TABLES_STORED_COUNT]);
// Applies the rows of `table` as they are now. `table` is one of system_tables_schema().
void system_tables_fill(const struct system_tables *tables, const struct table *table,
                        struct memtable *memtable);

#endif
