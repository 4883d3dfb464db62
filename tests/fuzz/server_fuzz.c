// The bytes of a client's connection, to a whole CQL server: u8 flags | bytes.
//
//     flags: 1 they arrive in pieces, 2 we send STARTUP of v5 and they are its segments, 4 with LZ4
#include "cql/protocol/frame.h"
#include "cql/protocol/message.h"
#include "cql/protocol/server.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/support/fuzz_segment.h"
#include "tests/fuzz/targets.h"

enum { INPUTS_OF_A_NODE = 100 };

static struct fuzz_node node;
static int inputs_left;

static void closed(void *context)
{
    *(bool *)context = true;
}

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

FUZZ_TARGET(server)
{
    if (inputs_left-- == 0) {
        if (node.engine != NULL) fuzz_node_close(&node);
        fuzz_node_open(&node, 0);
        inputs_left = INPUTS_OF_A_NODE;
    }
    struct cursor cursor = cursor_make(input);
    uint8_t flags = cursor_u8(&cursor);
    sim_world_set_chance(node.sim.world, SIM_FAULT_SEGMENTED, (flags & 1) != 0 ? 0.5 : 0);
    struct env_address address = {.bytes = {127, 0, 0, 1}, .size = 4};
    struct cql_server *server;
    ASSERT(cql_server_create(node.sim.env, &node.processor, &address, &server, NULL) == STATUS_OK);
    struct fuzz_peer peer;
    fuzz_peer_connect(&peer, &node.sim, cql_server_address(server));
    struct buffer wire;
    buffer_init(&wire, 1 << 24);
    if ((flags & 2) != 0) put_startup(&wire, (flags & 4) != 0);
    if ((flags & 2) != 0)
        fuzz_segment_put_all(&wire, &cursor, (flags & 4) != 0);
    else
        buffer_put(&wire, cursor.next, cursor_left(&cursor));
    fuzz_peer_send(&peer, buffer_slice(&wire));
    buffer_deinit(&wire);
    fuzz_sim_run(&node.sim, 2, NULL);
    bool is_closed = false;
    cql_server_close(server, closed, &is_closed);
    fuzz_sim_run(&node.sim, 60, &is_closed);
    ASSERT(is_closed);
    fuzz_peer_close(&peer);
    fuzz_sim_run(&node.sim, 30, NULL);
}
