// Messages between the processes of a ring: requests and their answers over one TCP connection.
//
//     hello   "HLNS" | u16 version | u16 0 | 16 bytes host id              from both sides, first
//     frame   u32 size of payload | u8 type | u64 request id | u64 XXH3 of payload | payload
//
// The host id is zeros where no member of a ring speaks: a worker, a tool, a node alone.
//
// The checksum is seeded with id and type, so a frame can not pass for another one. What one turn
// of the loop sends leaves with one write. A peer that sends anything else is disconnected; no
// input stops the process.
//
// Back-pressure: a server does not read from a peer whose answers pile up; a client's owner looks
// at transport_client_queued() before it sends more.
#ifndef RING_TRANSPORT_H
#define RING_TRANSPORT_H

#include "base/env.h"
#include "base/error.h"
#include "storage/uuid.h"

enum { TRANSPORT_VERSION = 2 };

struct transport_connection; // A server's end.
struct transport_server;

struct transport_server_events {
    // A request came. Answer it with transport_reply(), now or later; `payload` is valid during the
    // call.
    void (*request)(void *context, struct transport_connection *connection, uint8_t type,
                    uint64_t id, struct slice payload);
    // The connection is gone: what waits to be answered on it never will be. Not called by close
    // and abandon.
    void (*ended)(void *context, struct transport_connection *connection);
};

MUST_USE enum status transport_listen(struct env *env, const struct env_address *address,
                                      const struct transport_server_events *events, void *context,
                                      struct transport_server **server, struct error *error);
struct env_address transport_server_address(const struct transport_server *server);
// What its hello says from now on.
void transport_server_set_host_id(struct transport_server *server, struct uuid host_id);
// Answers that were given still leave. No event comes any more. Not inside of an event.
void transport_server_close(struct transport_server *server);
// Frees the memory alone: what a crash leaves (simulator).
void transport_server_abandon(struct transport_server *server);
void transport_reply(struct transport_connection *connection, uint64_t id, uint8_t type,
                     struct slice payload);
// The same with a payload in two parts.
void transport_reply_parts(struct transport_connection *connection, uint64_t id, uint8_t type,
                           struct slice head, struct slice body);
// Bytes of replies that wait to leave.
size_t transport_connection_queued(const struct transport_connection *connection);
// As if the peer had gone: `ended` follows at once.
void transport_connection_end(struct transport_connection *connection);
// Of the peer's hello; zeros before it came.
struct uuid transport_connection_host_id(const struct transport_connection *connection);
// A number that the owner of the server keeps with it; 0 at first.
uint32_t transport_connection_tag(const struct transport_connection *connection);
void transport_connection_set_tag(struct transport_connection *connection, uint32_t tag);
// Calls `each` for every connection: before close, for what hangs on them.
void transport_server_each(struct transport_server *server,
                           void (*each)(void *context, struct transport_connection *connection),
                           void *context);
// For the owner's own state of a connection; NULL at first.
void *transport_connection_data(const struct transport_connection *connection);
void transport_connection_set_data(struct transport_connection *connection, void *data);

struct transport_client;

struct transport_client_events {
    void (*connected)(void *context);
    // No connection could be made, or it broke: every request that waits has been answered with
    // this status before. The client is then only good for transport_client_destroy().
    void (*ended)(void *context, enum status status);
};

// Begins to connect. Events come in later turns.
struct transport_client *transport_client_create(struct env *env, const struct env_address *address,
                                                 uint64_t timeout_ns,
                                                 const struct transport_client_events *events,
                                                 void *context);
// No event and no answer comes any more.
void transport_client_destroy(struct transport_client *client);
// Frees the memory at once, of a process that is dead (simulator).
void transport_client_abandon(struct transport_client *client);

// Lives in its owner's memory until `done`. `payload` of the answer is valid during the call.
struct transport_request {
    void (*done)(struct transport_request *request, enum status status, uint8_t type,
                 struct slice payload);
    uint64_t id; // The client's.
};
// Once connected. The payload is copied. At most REQUEST_TABLE_COUNT_MAX may wait.
void transport_client_send(struct transport_client *client, struct transport_request *request,
                           uint8_t type, struct slice payload,
                           void (*done)(struct transport_request *request, enum status status,
                                        uint8_t type, struct slice payload));
// Bytes that have not left yet.
size_t transport_client_queued(const struct transport_client *client);

#endif
