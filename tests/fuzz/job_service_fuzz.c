// What a worker sends to a node: { u8 type | u8 id | u16 size | payload }*, over the transport, to
// the job service of a node that has the counter table ks.counters.
#include "stream/job/job_protocol.h"
#include "stream/job/job_service.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/support/fuzz_transport.h"
#include "tests/fuzz/targets.h"

enum { INPUTS_OF_A_NODE = 100 };

static struct fuzz_node node;
static int inputs_left;

static void closed(void *context)
{
    *(bool *)context = true;
}

FUZZ_TARGET(job_service)
{
    if (inputs_left-- == 0) {
        if (node.engine != NULL) fuzz_node_close(&node);
        fuzz_node_open(&node, 0);
        inputs_left = INPUTS_OF_A_NODE;
    }
    struct env_address address = {.bytes = {127, 0, 0, 1}, .size = 4};
    const struct job_service_options options = {.address = address,
                                                .metadata = node.metadata,
                                                .coordinator = node.coordinator,
                                                .engine = node.engine};
    struct job_service *service;
    ASSERT(job_service_create(node.sim.env, &options, &service, NULL) == STATUS_OK);
    struct fuzz_peer peer;
    fuzz_peer_connect(&peer, &node.sim, job_service_address(service));
    struct buffer wire;
    buffer_init(&wire, 1 << 26);
    struct cursor cursor = cursor_make(input);
    fuzz_transport_put(&wire, &cursor);
    fuzz_peer_send(&peer, buffer_slice(&wire));
    fuzz_sim_run(&node.sim, 2, NULL);
    buffer_deinit(&wire);
    bool is_closed = false;
    job_service_close(service, closed, &is_closed);
    fuzz_sim_run(&node.sim, 60, &is_closed);
    ASSERT(is_closed);
    fuzz_peer_close(&peer);
    fuzz_sim_run(&node.sim, 30, NULL);
}
