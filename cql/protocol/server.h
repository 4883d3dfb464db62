// The CQL server of a node: listens, and owns what its connections share
// (org.apache.cassandra.transport.Server).
//
//     listener --accepted--> connection.h --envelope--> request.h --done--> connection.h
//
// It hears of schema changes: statements that became stale leave the cache, and connections that
// registered for it get an EVENT.
#ifndef CQL_PROTOCOL_SERVER_H
#define CQL_PROTOCOL_SERVER_H

#include "base/env.h"
#include "cql/statement/statement.h"

struct cql_server;
struct tls;

// Listens at `address` (port 0: any). IN_USE, IO. `processor` and its metadata outlive the server;
// the metadata may be NULL in tests.
MUST_USE enum status cql_server_create(struct env *env, struct query_processor *processor,
                                       const struct env_address *address,
                                       struct cql_server **server, struct error *error);
// Connections speak TLS: those of the server's port, or, if `address` is not NULL, those of a
// second one, which listens from now on. `is_optional`: who begins without TLS is served there too.
// Only right after the server was made; `tls` outlives it. IN_USE, IO.
MUST_USE enum status cql_server_secure(struct cql_server *server, struct tls *tls, bool is_optional,
                                       const struct env_address *address, struct error *error);
// System tables show its clients and numbers from now on, and prepared statements are kept over a
// restart: those of the last life are prepared in later turns. Once; the processor has system
// tables.
void cql_server_tell(struct cql_server *server);
// Connections are taken, but nothing is read from them, until the node has what it missed. Only
// right after the server was made.
void cql_server_hold(struct cql_server *server);
void cql_server_serve(struct cql_server *server);
struct env_address cql_server_address(const struct cql_server *server);

struct cql_server_statistics {
    uint64_t connections_accepted, connections_refused;
    uint64_t queries, prepares, executions, batches;
    uint64_t errors;
    uint64_t bytes_in, bytes_out;
    uint64_t prepared_evictions;
    size_t connections, requests_waiting, prepared_statements;
};
void cql_server_statistics(const struct cql_server *server,
                           struct cql_server_statistics *statistics);

// Tells clients who registered for it that a node of the ring serves clients now, or no more.
// `address` is the one for clients.
void cql_server_announce_status(struct cql_server *server, const struct env_address *address,
                                bool is_up);

// Tells clients that the node goes down, takes no more connections, lets go of those there are when
// their requests have ended, and frees the server. `closed` comes once, never inside this call. The
// parts below still work until then.
void cql_server_close(struct cql_server *server, void (*closed)(void *context), void *context);
// Frees all as it stands, requests under way too: the end of a simulated crash. The env still
// works; the parts below make no more callbacks.
void cql_server_abandon(struct cql_server *server);

#endif
