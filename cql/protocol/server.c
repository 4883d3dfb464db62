#include "cql/protocol/server.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/protocol/request.h"
#include "cql/protocol/server_internal.h"
#include "cql/protocol/tls_stream.h"

#include <stdlib.h>

static void take_stream(struct cql_server *server, struct env_stream *stream)
{
    const size_t max = server->connections_max;
    bool is_refused = server->shared.open_count >= max;
    if (!is_refused)
        server->shared.statistics.connections_accepted++;
    else
        server->shared.statistics.connections_refused++;
    if (server->shared.open_count >= max + CQL_CONNECTIONS_REFUSED_MAX)
        env_stream_close(stream, false);
    else
        connection_create(&server->shared, stream, is_refused);
}

static void accepted_tls(void *context, struct env_stream *stream)
{
    struct cql_server *server = context;
    take_stream(server, tls_stream_accept(server->tls, stream, server->tls_is_optional));
}

static void accepted(void *context, struct env_stream *stream)
{
    struct cql_server *server = context;
    bool is_plain = server->tls == NULL || server->tls_listener != NULL;
    if (is_plain)
        take_stream(server, stream);
    else
        accepted_tls(server, stream);
}

// ---- Events ------------------------------------------------------------------------------------

static void announce_schema(struct cql_server *server, const struct metadata_change *change)
{
    static const char *const changes[] = {"CREATED", "UPDATED", "DROPPED"};
    static const char *const targets[] = {"KEYSPACE", "TABLE", "TYPE"};
    prepared_cache_drop_stale(server->shared.prepared, server->shared.processor);
    for (struct connection *c = server->shared.first; c != NULL; c = c->next) {
        struct buffer *body = connection_begin_event(c, MESSAGE_SCHEMA_CHANGE);
        if (body == NULL) continue;
        message_put_schema_change_event(body, changes[change->change], targets[change->target],
                                        change->keyspace, change->table);
        (void)connection_end_response(c);
    }
}

// A member has other addresses now: clients look at all of them again.
static void announce_member(struct cql_server *server, uint16_t member)
{
    const struct topology *topology = metadata_topology(server->shared.processor->metadata);
    if (topology == NULL || member >= topology->member_count) return;
    for (struct connection *c = server->shared.first; c != NULL; c = c->next) {
        struct buffer *body = connection_begin_event(c, MESSAGE_TOPOLOGY_CHANGE);
        if (body == NULL) continue;
        message_put_topology_change_event(body, "NEW_NODE", &topology->members[member].rpc_address);
        (void)connection_end_response(c);
    }
}

static void metadata_changed(struct metadata_listener *listener,
                             const struct metadata_change *change)
{
    struct cql_server *server = CONTAINER_OF(listener, struct cql_server, metadata_listener);
    if (change->target == METADATA_MEMBER)
        announce_member(server, change->member);
    else
        announce_schema(server, change);
}

void cql_server_announce_status(struct cql_server *server, const struct env_address *address,
                                bool is_up)
{
    for (struct connection *c = server->shared.first; c != NULL; c = c->next) {
        struct buffer *body = connection_begin_event(c, MESSAGE_STATUS_CHANGE);
        if (body == NULL) continue;
        message_put_status_change_event(body, is_up ? "UP" : "DOWN", address);
        (void)connection_end_response(c);
    }
}

// ---- Life --------------------------------------------------------------------------------------

static void destroy(struct cql_server *server)
{
    ASSERT(server->shared.first == NULL);
    env_task_cancel(server->shared.env, &server->closed_task);
    if (server->shared.processor->metadata != NULL)
        metadata_unlisten(server->shared.processor->metadata, &server->metadata_listener);
    if (server->end_telling != NULL) server->end_telling(server);
    request_pool_deinit(&server->shared);
    frame_pool_deinit(&server->shared.frames);
    prepared_cache_destroy(server->shared.prepared);
    free(server);
}

static void run_closed_task(struct env_task *task)
{
    struct cql_server *server = CONTAINER_OF(task, struct cql_server, closed_task);
    void (*closed)(void *context) = server->closed;
    void *context = server->context;
    destroy(server);
    closed(context);
}

void cql_server_look_for_end(struct cql_server *server)
{
    if (server->is_closing && !server->is_abandoned && server->shared.first == NULL &&
        !server->is_loading)
        env_task_post(server->shared.env, &server->closed_task, run_closed_task);
}

static void last_is_gone(struct connection_shared *shared)
{
    cql_server_look_for_end(CONTAINER_OF(shared, struct cql_server, shared));
}

enum status cql_server_create(struct env *env, struct query_processor *processor,
                              const struct env_address *address, struct cql_server **server,
                              struct error *error)
{
    struct cql_server *created = calloc(1, sizeof *created);
    ASSERT(created != NULL);
    created->shared.env = env;
    created->shared.processor = processor;
    created->shared.last_is_gone = last_is_gone;
    connection_shared_init(&created->shared);
    created->connections_max = CQL_CONNECTIONS_MAX;
    enum status status = env_listen(env, address, accepted, created, &created->listener, error);
    if (status != STATUS_OK) {
        free(created);
        return status;
    }
    created->shared.prepared = prepared_cache_create();
    created->metadata_listener.changed = metadata_changed;
    if (processor->metadata != NULL)
        metadata_listen(processor->metadata, &created->metadata_listener);
    *server = created;
    return STATUS_OK;
}

enum status cql_server_secure(struct cql_server *server, struct tls *tls, bool is_optional,
                              const struct env_address *address, struct error *error)
{
    server->tls_is_optional = is_optional;
    if (address != NULL) {
        enum status status = env_listen(server->shared.env, address, accepted_tls, server,
                                        &server->tls_listener, error);
        if (status != STATUS_OK) return status;
    }
    server->tls = tls;
    return STATUS_OK;
}

void cql_server_hold(struct cql_server *server)
{
    server->shared.is_held = true;
}

void cql_server_serve(struct cql_server *server)
{
    server->shared.is_held = false;
    for (struct connection *c = server->shared.first; c != NULL; c = c->next)
        connection_read_on(c);
}

struct env_address cql_server_address(const struct cql_server *server)
{
    return env_listener_address(server->listener);
}

void cql_server_statistics(const struct cql_server *server,
                           struct cql_server_statistics *statistics)
{
    const struct connection_shared *shared = &server->shared;
    *statistics = (struct cql_server_statistics){
        .connections_accepted = shared->statistics.connections_accepted,
        .connections_refused = shared->statistics.connections_refused,
        .queries = shared->statistics.queries,
        .prepares = shared->statistics.prepares,
        .executions = shared->statistics.executions,
        .batches = shared->statistics.batches,
        .errors = shared->statistics.errors,
        .bytes_in = shared->statistics.bytes_in,
        .bytes_out = shared->statistics.bytes_out,
        .prepared_evictions = prepared_cache_evictions(shared->prepared),
        .connections = shared->open_count,
        .requests_waiting = shared->request_count,
        .prepared_statements = prepared_cache_count(shared->prepared),
    };
}

void cql_server_close(struct cql_server *server, void (*closed)(void *context), void *context)
{
    ASSERT(!server->is_closing);
    server->is_closing = true;
    server->closed = closed;
    server->context = context;
    struct env_address address = env_listener_address(server->listener);
    cql_server_announce_status(server, &address, false);
    env_listener_close(server->listener);
    server->listener = NULL;
    if (server->tls_listener != NULL) env_listener_close(server->tls_listener);
    server->tls_listener = NULL;
    for (struct connection *c = server->shared.first; c != NULL; c = c->next)
        connection_close(c);
    cql_server_look_for_end(server);
}

void cql_server_abandon(struct cql_server *server)
{
    server->is_abandoned = true;
    if (server->listener != NULL) env_listener_close(server->listener);
    if (server->tls_listener != NULL) env_listener_close(server->tls_listener);
    while (server->shared.first != NULL)
        connection_abandon(server->shared.first);
    destroy(server);
}
