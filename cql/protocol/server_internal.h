// What server.c and server_tell.c share.
#ifndef CQL_PROTOCOL_SERVER_INTERNAL_H
#define CQL_PROTOCOL_SERVER_INTERNAL_H

#include "cql/protocol/connection.h"
#include "cql/protocol/server.h"

struct prepared_store;
struct system_source;
struct tls;

struct cql_server {
    struct connection_shared shared;
    size_t connections_max;            // limits.h
    struct env_listener *listener;     // NULL once it closes.
    struct tls *tls;                   // NULL: nobody speaks TLS.
    struct env_listener *tls_listener; // NULL: `listener` is for TLS too.
    bool tls_is_optional;
    struct metadata_listener metadata_listener;
    struct env_task closed_task;
    bool is_closing, is_abandoned;
    void (*closed)(void *context);
    void *context;
    // server_tell.c's. All zero until cql_server_tell().
    struct prepared_store *store; // NULL: nothing is kept over a restart.
    struct system_source *source;
    bool is_loading; // What an earlier life left: the server does not end before.
    void (*end_telling)(struct cql_server *server);
};

// Ends the server if it is to be closed and nothing of it is under way any more.
void cql_server_look_for_end(struct cql_server *server);

#endif
