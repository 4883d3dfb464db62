// The bytes of a client's connection, to a whole CQL server: u8 flags (bit 0: in pieces) | bytes.
#include "cql/server.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/targets.h"

enum { INPUTS_OF_A_NODE = 100 };

static struct fuzz_node node;
static int inputs_left;

static void closed(void *context)
{
    *(bool *)context = true;
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
    fuzz_peer_send(&peer, fuzz_rest(&cursor));
    fuzz_sim_run(&node.sim, 2, NULL);
    bool is_closed = false;
    cql_server_close(server, closed, &is_closed);
    fuzz_sim_run(&node.sim, 60, &is_closed);
    ASSERT(is_closed);
    fuzz_peer_close(&peer);
    fuzz_sim_run(&node.sim, 30, NULL);
}
