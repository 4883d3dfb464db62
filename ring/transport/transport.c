#include "ring/transport/transport.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "ring/transport/request_table.h"
#include "ring/transport/transport_link.h"

#include <stdlib.h>

// ---- Server ------------------------------------------------------------------------------------

struct transport_connection {
    struct transport_link link;
    struct transport_server *server;
    struct transport_connection *next, **place;
    void *data;
    uint32_t tag;
};

struct transport_server {
    struct env *env;
    struct env_listener *listener;
    struct transport_server_events events;
    void *context;
    struct uuid host_id;
    struct transport_connection *connections;
    struct transport_connection *ended; // Freed at the end of the turn.
    struct env_task free_ended;
    size_t count;
};

static void transport_connection_unlink(struct transport_connection *connection)
{
    *connection->place = connection->next;
    if (connection->next != NULL) connection->next->place = connection->place;
    connection->server->count--;
}

static void transport_free_list(struct transport_connection *connection)
{
    while (connection != NULL) {
        struct transport_connection *next = connection->next;
        transport_link_deinit(&connection->link);
        free(connection);
        connection = next;
    }
}

static void transport_free_ended(struct env_task *task)
{
    struct transport_server *server = CONTAINER_OF(task, struct transport_server, free_ended);
    transport_free_list(server->ended);
    server->ended = NULL;
}

static void transport_server_opened(struct transport_link *link)
{
    (void)link;
}

static void transport_server_frame(struct transport_link *link, uint8_t type, uint64_t id,
                                   struct slice payload)
{
    struct transport_connection *connection = CONTAINER_OF(link, struct transport_connection, link);
    struct transport_server *server = connection->server;
    server->events.request(server->context, connection, type, id, payload);
}

static void transport_server_ended(struct transport_link *link, enum status status)
{
    (void)status;
    struct transport_connection *connection = CONTAINER_OF(link, struct transport_connection, link);
    struct transport_server *server = connection->server;
    server->events.ended(server->context, connection);
    transport_connection_unlink(connection);
    connection->next = server->ended;
    server->ended = connection;
    env_task_post(server->env, &server->free_ended, transport_free_ended);
}

static void transport_accepted(void *context, struct env_stream *stream)
{
    static const struct transport_link_events events = {
        transport_server_opened, transport_server_frame, transport_server_ended};
    struct transport_server *server = context;
    if (server->count == TRANSPORT_CONNECTIONS_MAX) {
        env_stream_close(stream, false);
        return;
    }
    struct transport_connection *connection = calloc(1, sizeof *connection);
    ASSERT(connection != NULL);
    connection->server = server;
    connection->next = server->connections;
    connection->place = &server->connections;
    if (connection->next != NULL) connection->next->place = &connection->next;
    server->connections = connection;
    server->count++;
    transport_link_init(&connection->link, server->env, stream, true, server->host_id, &events);
}

enum status transport_listen(struct env *env, const struct env_address *address,
                             const struct transport_server_events *events, void *context,
                             struct transport_server **made, struct error *error)
{
    struct transport_server *server = calloc(1, sizeof *server);
    ASSERT(server != NULL);
    *server = (struct transport_server){.env = env, .events = *events, .context = context};
    enum status status =
        env_listen(env, address, transport_accepted, server, &server->listener, error);
    if (status != STATUS_OK) {
        free(server);
        return status;
    }
    *made = server;
    return STATUS_OK;
}

struct env_address transport_server_address(const struct transport_server *server)
{
    return env_listener_address(server->listener);
}

void transport_server_set_host_id(struct transport_server *server, struct uuid host_id)
{
    server->host_id = host_id;
}

void transport_server_close(struct transport_server *server)
{
    env_listener_close(server->listener);
    for (struct transport_connection *at = server->connections; at != NULL; at = at->next)
        transport_link_close(&at->link, true);
    env_task_cancel(server->env, &server->free_ended);
    transport_server_abandon(server);
}

void transport_server_abandon(struct transport_server *server)
{
    transport_free_list(server->connections);
    transport_free_list(server->ended);
    free(server);
}

void transport_server_each(struct transport_server *server,
                           void (*each)(void *context, struct transport_connection *connection),
                           void *context)
{
    for (struct transport_connection *at = server->connections; at != NULL; at = at->next)
        each(context, at);
}

void transport_reply(struct transport_connection *connection, uint64_t id, uint8_t type,
                     struct slice payload)
{
    transport_link_send(&connection->link, type, id, payload, slice_make("", 0));
}

void transport_reply_parts(struct transport_connection *connection, uint64_t id, uint8_t type,
                           struct slice head, struct slice body)
{
    transport_link_send(&connection->link, type, id, head, body);
}

size_t transport_connection_queued(const struct transport_connection *connection)
{
    return transport_link_queued(&connection->link);
}

void transport_connection_end(struct transport_connection *connection)
{
    if (connection->link.stream == NULL) return;
    transport_link_close(&connection->link, false);
    transport_server_ended(&connection->link, STATUS_CLOSED);
}

struct uuid transport_connection_host_id(const struct transport_connection *connection)
{
    return connection->link.peer_id;
}

uint32_t transport_connection_tag(const struct transport_connection *connection)
{
    return connection->tag;
}

void transport_connection_set_tag(struct transport_connection *connection, uint32_t tag)
{
    connection->tag = tag;
}

void *transport_connection_data(const struct transport_connection *connection)
{
    return connection->data;
}

void transport_connection_set_data(struct transport_connection *connection, void *data)
{
    connection->data = data;
}

// ---- Client ------------------------------------------------------------------------------------

struct transport_client {
    struct transport_link link;
    struct env *env;
    struct transport_client_events events;
    void *context;
    struct env_task free;
    bool has_stream, is_connecting, is_destroyed;
    struct request_table waiting;
};

static void transport_client_free(struct env_task *task)
{
    struct transport_client *client = CONTAINER_OF(task, struct transport_client, free);
    if (client->has_stream) transport_link_deinit(&client->link);
    request_table_deinit(&client->waiting);
    free(client);
}

static void transport_client_end(struct transport_client *client, enum status status)
{
    struct transport_request *request = NULL;
    while (!client->is_destroyed && (request = request_table_take_first(&client->waiting)) != NULL)
        request->done(request, status, 0, slice_make("", 0));
    if (!client->is_destroyed) client->events.ended(client->context, status);
}

static void transport_client_opened(struct transport_link *link)
{
    struct transport_client *client = CONTAINER_OF(link, struct transport_client, link);
    client->events.connected(client->context);
}

static void transport_client_frame(struct transport_link *link, uint8_t type, uint64_t id,
                                   struct slice payload)
{
    struct transport_client *client = CONTAINER_OF(link, struct transport_client, link);
    struct transport_request *request = request_table_take(&client->waiting, id);
    if (request == NULL) return;
    request->done(request, STATUS_OK, type, payload);
}

static void transport_client_ended(struct transport_link *link, enum status status)
{
    transport_client_end(CONTAINER_OF(link, struct transport_client, link), status);
}

static void transport_client_connected(void *context, enum status status, struct env_stream *stream)
{
    static const struct transport_link_events events = {
        transport_client_opened, transport_client_frame, transport_client_ended};
    struct transport_client *client = context;
    client->is_connecting = false;
    if (client->is_destroyed) {
        if (stream != NULL) env_stream_close(stream, false);
        transport_client_free(&client->free);
        return;
    }
    if (status == STATUS_OK) {
        client->has_stream = true;
        transport_link_init(&client->link, client->env, stream, false, (struct uuid){0}, &events);
        return;
    }
    transport_client_end(client, status);
}

struct transport_client *transport_client_create(struct env *env, const struct env_address *address,
                                                 uint64_t timeout_ns,
                                                 const struct transport_client_events *events,
                                                 void *context)
{
    struct transport_client *client = calloc(1, sizeof *client);
    ASSERT(client != NULL);
    *client = (struct transport_client){
        .env = env, .events = *events, .context = context, .is_connecting = true};
    request_table_init(&client->waiting);
    env_connect(env, address, timeout_ns, transport_client_connected, client);
    return client;
}

void transport_client_destroy(struct transport_client *client)
{
    if (client == NULL) return;
    if (client->has_stream) transport_link_close(&client->link, false);
    client->is_destroyed = true;
    // This may be inside one of its events: the memory goes at the end of the turn, or, while it
    // connects, with the answer to that.
    if (!client->is_connecting) env_task_post(client->env, &client->free, transport_client_free);
}

void transport_client_abandon(struct transport_client *client)
{
    if (client == NULL) return;
    if (client->has_stream) transport_link_close(&client->link, false);
    transport_client_free(&client->free);
}

void transport_client_send(struct transport_client *client, struct transport_request *request,
                           uint8_t type, struct slice payload,
                           void (*done)(struct transport_request *request, enum status status,
                                        uint8_t type, struct slice payload))
{
    request->done = done;
    request->id = request_table_add(&client->waiting, request);
    ASSERT(request->id != 0);
    transport_link_send(&client->link, type, request->id, payload, slice_make("", 0));
}

size_t transport_client_queued(const struct transport_client *client)
{
    return client->has_stream ? transport_link_queued(&client->link) : 0;
}
