// The bytes of a client's connection, to a whole CQL server of any version:
// u8 flags [| u8 more flags] | bytes.
//
//     flags: 1 they arrive in pieces, 2 we send STARTUP of v5 and they are its segments, 4 with
//            LZ4, 8 clients log in, 16 a byte of more flags follows, 32 the client leaves at once
//     more:  1 the server holds its clients for a while, 2 the client does not read for a while,
//            4 time passes while bytes are looked at, 8 it is a client too many, 16 little memory
//            for all clients, 32 prepared statements are kept over a restart, 64 all requests are
//            traced, 128 three clients send the same
//
// Roles: "user" with the password "password", who may all, and "group", who may not log in.
#include "cql/auth/auth.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/message.h"
#include "cql/protocol/server_internal.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/support/fuzz_segment.h"
#include "tests/fuzz/targets.h"

enum { INPUTS_OF_A_NODE = 100, PIECES = 16, PEERS = 3 };

enum { IN_PIECES = 1, SEGMENTED = 2, WITH_LZ4 = 4, LOGS_IN = 8, HAS_MORE = 16, LEAVES = 32 };
enum {
    MORE_HELD = 1,
    MORE_UNREAD = 2,
    MORE_SLOW = 4,
    MORE_REFUSED = 8,
    MORE_NARROW = 16,
    MORE_KEPT = 32,
    MORE_TRACED = 64,
    MORE_PEERS = 128,
};

static struct fuzz_node node;
static struct auth auth;
static int inputs_left;

// ---- Time that passes while bytes are looked at -------------------------------------------------

static struct {
    const struct env_ops *below;
    struct env_ops ops;
    uint64_t passed_ns, step_ns;
} slow_clock;

static uint64_t slow_monotonic_ns(struct env *env)
{
    slow_clock.passed_ns += slow_clock.step_ns;
    return slow_clock.below->monotonic_ns(env) + slow_clock.passed_ns;
}

static void slow_clock_begin(void)
{
    slow_clock.below = node.sim.env->ops;
    slow_clock.ops = *slow_clock.below;
    slow_clock.ops.monotonic_ns = slow_monotonic_ns;
    node.sim.env->ops = &slow_clock.ops;
}

// ---- The node -----------------------------------------------------------------------------------

static void make_role(const char *text)
{
    const struct query_options options = {.consistency = CONSISTENCY_ONE,
                                          .user = slice_of_text("cassandra"),
                                          .keyspace = slice_of_text("ks"),
                                          .protocol_version = 4};
    ASSERT(fuzz_node_execute(&node, slice_of_text(text), &options));
    fuzz_node_finish(&node);
}

static void renew_node(void)
{
    if (inputs_left-- > 0) return;
    if (node.engine != NULL) fuzz_node_close(&node);
    fuzz_node_open(&node, 0);
    slow_clock_begin();
    inputs_left = INPUTS_OF_A_NODE - 1;
    auth = (struct auth){.env = node.sim.env, .metadata = node.metadata, .authorizes = true};
    node.processor.auth = &auth;
    // A hash of as few rounds as there can be.
    make_role("CREATE ROLE user WITH SUPERUSER = true AND LOGIN = true AND HASHED PASSWORD = "
              "'$2a$04$HelenusFuzzesPasswordeTn07K/h6UMS1R5yBTJWjrYhzAjtpX/G'");
    make_role("CREATE ROLE group WITH LOGIN = false AND HASHED PASSWORD = "
              "'$2a$04$HelenusFuzzesPasswordeTn07K/h6UMS1R5yBTJWjrYhzAjtpX/G'");
}

static void closed(void *context)
{
    *(bool *)context = true;
}

static struct cql_server *open_server(uint8_t flags, uint8_t more)
{
    struct env_address address = {.bytes = {127, 0, 0, 1}, .size = 4};
    struct cql_server *server;
    node.processor.auth = (flags & LOGS_IN) != 0 ? &auth : NULL;
    node.processor.sampling = (more & MORE_TRACED) != 0 ? node.tracing : NULL;
    tracing_set_probability(node.tracing, (more & MORE_TRACED) != 0 ? 1 : 0);
    slow_clock.step_ns = (more & MORE_SLOW) != 0 ? 2100000 : 0;
    ASSERT(cql_server_create(node.sim.env, &node.processor, &address, &server, NULL) == STATUS_OK);
    if ((more & MORE_KEPT) != 0) cql_server_tell(server);
    if ((more & MORE_HELD) != 0) cql_server_hold(server);
    if ((more & MORE_REFUSED) != 0) server->connections_max = 0;
    if ((more & MORE_NARROW) != 0) {
        server->shared.memory.input_size_max = 4096;
        server->shared.memory.output_size_max = 65536;
    }
    return server;
}

static void close_server(struct cql_server *server)
{
    bool is_closed = false;
    cql_server_close(server, closed, &is_closed);
    fuzz_sim_run(&node.sim, 60, &is_closed);
    ASSERT(is_closed);
}

// ---- The client ---------------------------------------------------------------------------------

static void put_startup(struct buffer *wire, bool lz4)
{
    struct frame_writer writer;
    frame_writer_init(&writer, 5, 4096);
    struct buffer *body = frame_writer_begin(&writer, 0, 0, OPCODE_STARTUP);
    buffer_put_u16(body, lz4 ? 2 : 1);
    message_put_string(body, slice_of_text("CQL_VERSION"));
    message_put_string(body, slice_of_text("3.4.7"));
    if (lz4) {
        message_put_string(body, slice_of_text("COMPRESSION"));
        message_put_string(body, slice_of_text("lz4"));
    }
    ASSERT(frame_writer_end(&writer));
    struct slice bytes = frame_writer_take(&writer);
    buffer_put(wire, bytes.data, bytes.size);
    frame_writer_deinit(&writer);
}

static void put_all(struct buffer *wire, struct cursor *input, uint8_t flags)
{
    bool lz4 = (flags & WITH_LZ4) != 0;
    if ((flags & SEGMENTED) != 0) {
        put_startup(wire, lz4);
        fuzz_segment_put_all(wire, input, lz4);
    } else {
        buffer_put(wire, input->next, cursor_left(input));
    }
}

static void send_all(struct fuzz_peer *peers, size_t count, struct slice wire, size_t piece_size)
{
    struct cursor cursor = cursor_make(wire);
    while (fuzz_goes_on(&cursor)) {
        struct slice piece = fuzz_take(&cursor, piece_size);
        for (size_t i = 0; i < count; i++)
            fuzz_peer_send(&peers[i], piece);
        if (cursor_left(&cursor) > 0) fuzz_sim_run(&node.sim, 0.01, NULL);
    }
}

static void leave(struct fuzz_peer *peer)
{
    if (peer->stream != NULL) env_stream_close(peer->stream, true);
    peer->stream = NULL;
}

FUZZ_TARGET(server)
{
    renew_node();
    struct cursor cursor = cursor_make(input);
    uint8_t flags = cursor_u8(&cursor);
    uint8_t more = (flags & HAS_MORE) != 0 ? cursor_u8(&cursor) : 0;
    struct cql_server *server = open_server(flags, more);
    struct fuzz_peer peers[PEERS];
    size_t count = (more & MORE_PEERS) != 0 ? PEERS : 1;
    for (size_t i = 0; i < count; i++) {
        fuzz_peer_connect(&peers[i], &node.sim, cql_server_address(server));
        if ((more & MORE_UNREAD) != 0) env_stream_pause(peers[i].stream);
    }
    struct buffer wire;
    buffer_init(&wire, 1 << 24);
    put_all(&wire, &cursor, flags);
    size_t piece_size = (flags & IN_PIECES) != 0 ? wire.size / PIECES + 1 : SIZE_MAX;
    send_all(peers, count, buffer_slice(&wire), piece_size);
    buffer_deinit(&wire);
    for (size_t i = 0; i < count && (flags & LEAVES) != 0; i++)
        leave(&peers[i]);
    fuzz_sim_run(&node.sim, 2, NULL);
    cql_server_serve(server);
    for (size_t i = 0; i < count; i++)
        if (peers[i].stream != NULL) env_stream_resume(peers[i].stream);
    fuzz_sim_run(&node.sim, 2, NULL);
    close_server(server);
    for (size_t i = 0; i < count; i++)
        fuzz_peer_close(&peers[i]);
    fuzz_sim_run(&node.sim, 30, NULL);
}
