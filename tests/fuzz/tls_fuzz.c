// A client of a server with TLS: u8 flags | …
//
//     flags: 1 bytes arrive in pieces, 2 the server takes plain clients too, 4 it wants a
//            certificate, 8 the server's owner pauses after each piece, 16 below
//     without 16: the bytes of the client
//     with 16: a client of ours, whose bytes are changed on the way: u8 changes | changes times
//            (u16 distance, u8 xor), then what it does:
//            u8 what | … 0: u16 size, writes so much; 1: u8 size, these bytes go out as they are;
//            2: the same as a record of data; 3: time goes on; 4: it closes, 5: it pauses, 6: and
//            goes on
//
// The server's owner sends back what it gets; what our client gets is what it sent.
#include "base/buffer.h"
#include "base/env_ops.h"
#include "cql/protocol/tls_stream.h"
#include "tests/cql/protocol/tls_keys.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

#include <string.h>

enum { INPUTS_OF_A_WORLD = 200, CHANGES_MAX = 16 };

struct end {
    struct env_stream *stream;
    bool is_server, holds, is_connected, has_ended;
    uint64_t received, sent;
};

// A stream that changes what is written to it.
struct changing {
    struct env env;
    struct env_stream base, *below;
    struct {
        uint64_t at;
        uint8_t by;
    } changes[CHANGES_MAX];
    size_t change_count;
    uint64_t written;
};

static struct fuzz_sim sim;
static struct tls *servers[2], *client_tls;
static int inputs_left;
static uint8_t flags;
static struct end server, client;
static struct changing changing;

// ---- The stream in between ----------------------------------------------------------------------

static void changing_start(struct env_stream *stream, const struct env_stream_events *events,
                           void *context)
{
    (void)stream;
    env_stream_start(changing.below, events, context);
}

static void changing_write(struct env_stream *stream, struct slice bytes)
{
    (void)stream;
    struct buffer changed;
    buffer_init(&changed, 1 << 24);
    buffer_put(&changed, bytes.data, bytes.size);
    for (size_t i = 0; i < changing.change_count; i++) {
        uint64_t at = changing.changes[i].at;
        if (at >= changing.written && at < changing.written + bytes.size)
            changed.data[at - changing.written] ^= changing.changes[i].by;
    }
    changing.written += bytes.size;
    env_stream_write(changing.below, buffer_slice(&changed));
    buffer_deinit(&changed);
}

static size_t changing_queued(const struct env_stream *stream)
{
    (void)stream;
    return env_stream_queued(changing.below);
}

static void changing_pause(struct env_stream *stream)
{
    (void)stream;
    env_stream_pause(changing.below);
}

static void changing_resume(struct env_stream *stream)
{
    (void)stream;
    env_stream_resume(changing.below);
}

static void changing_close(struct env_stream *stream, bool flush)
{
    (void)stream;
    env_stream_close(changing.below, flush);
    changing.below = NULL;
}

static struct env_address changing_peer(const struct env_stream *stream)
{
    (void)stream;
    return env_stream_peer(changing.below);
}

static const struct env_ops changing_ops = {
    .stream_start = changing_start,
    .stream_write = changing_write,
    .stream_queued = changing_queued,
    .stream_pause = changing_pause,
    .stream_resume = changing_resume,
    .stream_close = changing_close,
    .stream_peer = changing_peer,
};

// ---- The two ends -------------------------------------------------------------------------------

static void end_data(void *context, struct slice bytes)
{
    struct end *end = context;
    ASSERT(!end->has_ended && bytes.size > 0);
    // Nobody changes what is inside of a record and is not found out.
    for (size_t i = 0; i < bytes.size && (flags & 16) != 0; i++)
        ASSERT(bytes.data[i] == (uint8_t)(end->received + i) || (flags & 2) != 0);
    end->received += bytes.size;
    (void)env_stream_queued(end->stream);
    ASSERT(env_stream_peer(end->stream).size == 4);
    const char *protocol, *cipher;
    if (end->is_server && tls_stream_describe(end->stream, &protocol, &cipher))
        ASSERT(strncmp(protocol, "TLSv1.", 6) == 0 && cipher != NULL);
    if (end->is_server) env_stream_write(end->stream, bytes);
    if (end->holds) env_stream_pause(end->stream);
}

static void end_drained(void *context)
{
    ASSERT(!((struct end *)context)->has_ended);
}

static void end_ended(void *context, enum status status)
{
    struct end *end = context;
    (void)status;
    ASSERT(!end->has_ended);
    end->has_ended = true;
    env_stream_close(end->stream, false);
    end->stream = NULL;
}

static const struct env_stream_events end_events = {end_data, end_drained, end_ended};

static void accepted(void *context, struct env_stream *stream)
{
    (void)context;
    server = (struct end){.is_server = true, .holds = (flags & 8) != 0};
    server.stream = tls_stream_accept(servers[(flags & 4) != 0], stream, (flags & 2) != 0);
    env_stream_start(server.stream, &end_events, &server);
}

static void connected(void *context, enum status status, struct env_stream *stream)
{
    (void)context;
    ASSERT(status == STATUS_OK);
    changing.below = stream;
    client.is_connected = true;
    client.stream =
        (flags & 16) != 0 ? tls_stream_connect(client_tls, &changing.base) : &changing.base;
    env_stream_start(client.stream, &end_events, &client);
}

static void client_write(size_t size)
{
    uint8_t bytes[65536];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(client.sent + i);
    client.sent += size;
    if (client.stream != NULL) env_stream_write(client.stream, slice_make(bytes, size));
}

static void client_act(struct cursor *cursor)
{
    switch (cursor_u8(cursor) % 7) {
    case 0:
        client_write(cursor_u16(cursor));
        break;
    case 1:
    case 2: {
        size_t size = cursor_u8(cursor);
        uint8_t header[5] = {0x17, 3, 3, 0, (uint8_t)size};
        struct slice bytes = fuzz_take(cursor, size);
        if (changing.below == NULL) break;
        if (size % 2 == 0) env_stream_write(changing.below, slice_make(header, sizeof header));
        env_stream_write(changing.below, bytes);
        break;
    }
    case 3:
        fuzz_sim_run(&sim, 0.5, NULL);
        if (server.stream != NULL && server.holds) env_stream_resume(server.stream);
        break;
    case 4:
        if (client.stream != NULL) env_stream_close(client.stream, true);
        client.stream = NULL;
        break;
    case 5:
        if (client.stream != NULL) env_stream_pause(client.stream);
        break;
    default:
        if (client.stream != NULL) env_stream_resume(client.stream);
    }
}

// ---- The world ----------------------------------------------------------------------------------

static void open_world(void)
{
    fuzz_sim_open(&sim, 0);
    fuzz_sim_write(&sim, "/server.pem", slice_of_text(TLS_KEYS_SERVER));
    fuzz_sim_write(&sim, "/client.pem", slice_of_text(TLS_KEYS_CLIENT));
    fuzz_sim_write(&sim, "/authority.pem", slice_of_text(TLS_KEYS_AUTHORITY));
    for (int i = 0; i < 2; i++) {
        const struct tls_server_options options = {.keystore = "/server.pem",
                                                   .truststore = "/authority.pem",
                                                   .requires_certificate = i == 1};
        ASSERT(tls_create_server(sim.env, &options, &servers[i], NULL) == STATUS_OK);
    }
    const struct tls_client_options options = {.trusted = "/authority.pem",
                                               .keystore = "/client.pem"};
    ASSERT(tls_create_client(sim.env, &options, &client_tls, NULL) == STATUS_OK);
}

static void close_world(void)
{
    tls_destroy(servers[0]);
    tls_destroy(servers[1]);
    tls_destroy(client_tls);
    fuzz_sim_close(&sim);
}

static void close_end(struct end *end)
{
    if (end->stream != NULL) env_stream_close(end->stream, false);
    end->stream = NULL;
}

FUZZ_TARGET(tls)
{
    if (inputs_left-- == 0) {
        if (client_tls != NULL) close_world();
        open_world();
        inputs_left = INPUTS_OF_A_WORLD;
    }
    struct cursor cursor = cursor_make(input);
    flags = cursor_u8(&cursor);
    server = client = (struct end){0};
    changing = (struct changing){.env.ops = &changing_ops};
    changing.base.env = &changing.env;
    sim_world_set_chance(sim.world, SIM_FAULT_SEGMENTED, (flags & 1) != 0 ? 0.5 : 0);
    struct env_listener *listener;
    struct env_address address = {.bytes = {127, 0, 0, 1}, .size = 4};
    ASSERT(env_listen(sim.env, &address, accepted, NULL, &listener, NULL) == STATUS_OK);
    address = env_listener_address(listener);
    uint64_t at = 0;
    if ((flags & 16) != 0)
        for (size_t i = cursor_u8(&cursor) % CHANGES_MAX; i > 0 && fuzz_goes_on(&cursor); i--) {
            at += cursor_u16(&cursor);
            changing.changes[changing.change_count].at = at;
            changing.changes[changing.change_count++].by = cursor_u8(&cursor);
        }
    env_connect(sim.env, &address, 1000000000, connected, NULL);
    fuzz_sim_run(&sim, 60, &client.is_connected);
    if ((flags & 16) == 0) {
        env_stream_write(client.stream, fuzz_rest(&cursor));
        if ((flags & 32) != 0) close_end(&client);
    }
    while ((flags & 16) != 0 && fuzz_goes_on(&cursor))
        client_act(&cursor);
    // A handshake that was not done has ended by then.
    fuzz_sim_run(&sim, 15, NULL);
    close_end(&client);
    fuzz_sim_run(&sim, 5, NULL);
    close_end(&server);
    env_listener_close(listener);
    fuzz_sim_run(&sim, 30, NULL);
}
