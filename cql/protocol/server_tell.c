// What a server tells of itself to system tables, and the statements that an earlier life left.
#include "base/assert.h"
#include "cql/protocol/prepared_store.h"
#include "cql/protocol/server_internal.h"
#include "cql/protocol/tls_stream.h"
#include "cql/system/system_tables.h"

#include <stdlib.h>

static void each_client(void *context,
                        void (*found)(void *found_context, const struct system_client *client),
                        void *found_context)
{
    const struct cql_server *server = context;
    for (const struct connection *c = server->shared.first; c != NULL; c = c->next) {
        if (c->state != CONNECTION_READY) continue;
        struct system_client client = {
            .address = env_stream_peer(c->stream),
            .stage = "ready",
            .keyspace = slice_make(c->keyspace, c->keyspace_size),
            .user = slice_make(c->user, c->user_size),
            .driver_name = c->driver_name,
            .driver_version = c->driver_version,
            .protocol_version = c->version,
            .request_count = c->requests_taken,
        };
        (void)tls_stream_describe(c->stream, &client.tls_protocol, &client.tls_cipher);
        found(found_context, &client);
    }
}

static void tell_statistics(void *context, struct system_statistics *statistics)
{
    const struct connection_shared *shared = &((const struct cql_server *)context)->shared;
    *statistics = (struct system_statistics){
        .queries = shared->statistics.queries,
        .executions = shared->statistics.executions,
        .requests = shared->statistics.queries + shared->statistics.prepares +
                    shared->statistics.executions + shared->statistics.batches,
        .requests_under_way = shared->request_count,
        .prepared_statements = prepared_cache_count(shared->prepared),
        .prepared_evictions = prepared_cache_evictions(shared->prepared),
    };
}

static void prepared_is_found(void *context, struct slice id, struct slice keyspace,
                              struct slice text)
{
    struct cql_server *server = context;
    struct cql_error error;
    if (server->is_closing || prepared_cache_has(server->shared.prepared, id)) return;
    if (prepared_cache_prepare(server->shared.prepared, server->shared.processor, text, keyspace,
                               &error) == NULL ||
        !prepared_cache_has(server->shared.prepared, id))
        prepared_store_remove(server->store, id);
}

static void prepared_are_loaded(void *context)
{
    struct cql_server *server = context;
    server->is_loading = false;
    cql_server_look_for_end(server);
}

static void end_telling(struct cql_server *server)
{
    system_tables_set_source(server->shared.processor->system_tables, NULL);
    prepared_cache_set_keeper(server->shared.prepared, NULL);
    prepared_store_destroy(server->store);
    free(server->source);
}

void cql_server_tell(struct cql_server *server)
{
    struct query_processor *processor = server->shared.processor;
    server->source = malloc(sizeof *server->source);
    ASSERT(server->source != NULL);
    *server->source = (struct system_source){each_client, tell_statistics, server};
    system_tables_set_source(processor->system_tables, server->source);
    server->end_telling = end_telling;
    server->store = prepared_store_create(processor);
    if (server->store == NULL) return;
    prepared_cache_set_keeper(server->shared.prepared, prepared_store_keeper(server->store));
    server->is_loading = true;
    prepared_store_load(server->store, prepared_is_found, prepared_are_loaded, server);
}
