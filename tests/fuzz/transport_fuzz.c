// What another process of the ring sends: to our server, and as the answer to our requests.
//
//     u8 how | …     how bit 0: raw bytes follow; else the hello and { u8 type | u8 id | u16 size |
//                    payload }* with right checksums. Bit 1: we are the client.
#include "ring/transport/transport.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/support/fuzz_transport.h"
#include "tests/fuzz/targets.h"

static void requested(void *context, struct transport_connection *connection, uint8_t type,
                      uint64_t id, struct slice payload)
{
    (void)context;
    transport_reply(connection, id, type, payload);
}

static void connection_ended(void *context, struct transport_connection *connection)
{
    (void)context;
    (void)connection;
}

static void check_server(struct fuzz_sim *sim, struct slice wire)
{
    static const struct transport_server_events events = {requested, connection_ended};
    struct env_address address = {.bytes = {127, 0, 0, 1}, .size = 4};
    struct transport_server *server;
    ASSERT(transport_listen(sim->env, &address, &events, NULL, &server, NULL) == STATUS_OK);
    struct fuzz_peer peer;
    fuzz_peer_connect(&peer, sim, transport_server_address(server));
    fuzz_peer_send(&peer, wire);
    fuzz_sim_run(sim, 5, NULL);
    transport_server_close(server);
    fuzz_sim_run(sim, 60, NULL);
    fuzz_peer_close(&peer);
    fuzz_sim_run(sim, 60, NULL);
}

// ---- Our client ---------------------------------------------------------------------------------

enum { REQUESTS = 4 };

struct client {
    struct transport_client *client;
    struct transport_request requests[REQUESTS];
    int answers;
    bool has_ended;
};

static struct client *client_now;

static void answered(struct transport_request *request, enum status status, uint8_t type,
                     struct slice payload)
{
    (void)request;
    (void)status;
    (void)type;
    (void)payload;
    client_now->answers++;
}

static void connected(void *context)
{
    struct client *client = context;
    for (int i = 0; i < REQUESTS; i++)
        transport_client_send(client->client, &client->requests[i], 1, slice_of_text("ask"),
                              answered);
}

static void client_ended(void *context, enum status status)
{
    struct client *client = context;
    (void)status;
    client->has_ended = true;
}

static void check_client(struct fuzz_sim *sim, struct slice wire)
{
    static const struct transport_client_events events = {connected, client_ended};
    struct client client = {0};
    client_now = &client;
    struct fuzz_peer peer;
    struct env_address address = fuzz_peer_listen(&peer, sim, wire);
    client.client = transport_client_create(sim->env, &address, 1000000000, &events, &client);
    fuzz_sim_run(sim, 5, NULL);
    fuzz_peer_close(&peer);
    fuzz_sim_run(sim, 60, NULL);
    ASSERT(client.has_ended && client.answers <= REQUESTS);
    transport_client_destroy(client.client);
    fuzz_sim_run(sim, 60, NULL);
}

FUZZ_TARGET(transport)
{
    struct cursor cursor = cursor_make(input);
    uint8_t how = cursor_u8(&cursor);
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, (how & 4) != 0 ? 0.5 : 0);
    struct buffer wire;
    buffer_init(&wire, 1 << 26);
    if ((how & 1) != 0)
        buffer_put(&wire, cursor.next, cursor_left(&cursor));
    else
        fuzz_transport_put(&wire, &cursor);
    ((how & 2) != 0 ? check_client : check_server)(&sim, buffer_slice(&wire));
    buffer_deinit(&wire);
    fuzz_sim_close(&sim);
}
