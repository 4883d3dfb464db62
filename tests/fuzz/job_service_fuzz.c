// What a worker sends to a node: { u8 type | u8 id | u16 size | payload }*, over the transport, to
// the job service of a node that has the counter table ks.counters.
//
// Ids of jobs are random, so a payload says which it means by the id of its submission.
#include "ring/transport/transport_link.h"
#include "stream/job/job_protocol.h"
#include "stream/job/job_service.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/support/fuzz_transport.h"
#include "tests/fuzz/targets.h"

enum { MESSAGES_MAX = 40 };

static void closed(void *context)
{
    *(bool *)context = true;
}

static struct uuid real_id(const struct jobs *jobs, struct uuid submission)
{
    const struct job *job;
    for (size_t i = 0; (job = jobs_at(jobs, i)) != NULL; i++)
        if (uuid_equals(job->submission_id, submission)) return job->id;
    return submission;
}

static void send_one(const struct fuzz_node *node, struct fuzz_peer *peer, struct cursor *input)
{
    static const struct slice nothing = {(const uint8_t *)"", 0};
    uint8_t type = cursor_u8(input), id = cursor_u8(input);
    struct slice payload = fuzz_take(input, cursor_u16(input));
    struct uuid job;
    struct slice head = nothing;
    if (type != JOB_SUBMIT && payload.size >= sizeof job.bytes) {
        job = real_id(metadata_jobs(node->metadata), uuid_from_bytes(payload.data));
        head = slice_make(job.bytes, sizeof job.bytes);
        payload = slice_make(payload.data + sizeof job.bytes, payload.size - sizeof job.bytes);
    }
    struct buffer wire;
    buffer_init(&wire, 1 << 26);
    transport_link_put_frame(&wire, type, id, head, payload);
    fuzz_peer_send(peer, buffer_slice(&wire));
    buffer_deinit(&wire);
}

static void send_all(struct fuzz_node *node, struct fuzz_peer *peer, struct cursor *input)
{
    struct buffer hello;
    struct cursor none = cursor_make(slice_make("", 0));
    buffer_init(&hello, 1 << 26);
    fuzz_transport_put(&hello, &none);
    fuzz_peer_send(peer, buffer_slice(&hello));
    buffer_deinit(&hello);
    for (int i = 0; fuzz_goes_on(input) && i < MESSAGES_MAX; i++) {
        bool makes_job = *input->next == JOB_SUBMIT;
        send_one(node, peer, input);
        if (makes_job) fuzz_sim_run(&node->sim, 0.1, NULL);
    }
}

FUZZ_TARGET(job_service)
{
    struct fuzz_node node;
    fuzz_node_open(&node, 0);
    struct env_address address = {.bytes = {127, 0, 0, 1}, .size = 4};
    const struct job_service_options options = {.address = address,
                                                .metadata = node.metadata,
                                                .coordinator = node.coordinator,
                                                .engine = node.engine};
    struct job_service *service;
    ASSERT(job_service_create(node.sim.env, &options, &service, NULL) == STATUS_OK);
    struct fuzz_peer peer;
    fuzz_peer_connect(&peer, &node.sim, job_service_address(service));
    struct cursor cursor = cursor_make(input);
    send_all(&node, &peer, &cursor);
    fuzz_sim_run(&node.sim, 5, NULL);
    bool is_closed = false;
    job_service_close(service, closed, &is_closed);
    fuzz_sim_run(&node.sim, 60, &is_closed);
    ASSERT(is_closed);
    fuzz_peer_close(&peer);
    fuzz_sim_run(&node.sim, 30, NULL);
    fuzz_node_close(&node);
}
