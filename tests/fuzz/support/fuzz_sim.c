#include "tests/fuzz/support/fuzz_sim.h"

#include "base/assert.h"

#include <string.h>

// No input of a few KiB has a reason for more.
#define STEPS_MAX 2000000

static void died(void *context, struct env *env)
{
    (void)context;
    (void)env;
    ASSERT(false); // Nothing crashes in this world.
}

void fuzz_sim_open(struct fuzz_sim *sim, double segmented)
{
    struct sim_options options;
    sim_options_init(&options, 1);
    memset(options.chances, 0, sizeof options.chances);
    options.chances[SIM_FAULT_SEGMENTED] = segmented;
    sim->world = sim_world_create(&options);
    sim->machine = sim_machine_create(sim->world, "machine");
    sim->env = sim_process_start(sim->machine, "process", died, NULL);
}

void fuzz_sim_close(struct fuzz_sim *sim)
{
    sim_process_destroy(sim->env);
    sim_world_destroy(sim->world);
    *sim = (struct fuzz_sim){0};
}

void fuzz_sim_run(struct fuzz_sim *sim, double seconds, const bool *done)
{
    uint64_t end_ns = sim_world_now(sim->world) + (uint64_t)(seconds * 1e9);
    for (int steps = 0; sim_world_now(sim->world) < end_ns; steps++) {
        ASSERT(steps < STEPS_MAX);
        if ((done != NULL && *done) || !sim_world_step(sim->world)) return;
    }
}

void fuzz_sim_write(struct fuzz_sim *sim, const char *path, struct slice bytes)
{
    struct env_file *file;
    unsigned flags = ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE;
    ASSERT(env_file_open(sim->env, path, flags, &file, NULL) == STATUS_OK);
    ASSERT(env_file_write(file, 0, bytes.data, bytes.size, NULL) == STATUS_OK);
    env_file_close(file);
}

// ---- Peers --------------------------------------------------------------------------------------

static void peer_data(void *context, struct slice bytes)
{
    ((struct fuzz_peer *)context)->received += bytes.size;
}

static void peer_drained(void *context)
{
    (void)context;
}

static void peer_ended(void *context, enum status status)
{
    struct fuzz_peer *peer = context;
    (void)status;
    peer->has_ended = true;
    env_stream_close(peer->stream, false);
    peer->stream = NULL;
}

static const struct env_stream_events peer_events = {peer_data, peer_drained, peer_ended};

static void peer_connected(void *context, enum status status, struct env_stream *stream)
{
    struct fuzz_peer *peer = context;
    ASSERT(status == STATUS_OK);
    peer->is_connected = true;
    peer->stream = stream;
    env_stream_start(stream, &peer_events, peer);
}

void fuzz_peer_connect(struct fuzz_peer *peer, struct fuzz_sim *sim, struct env_address address)
{
    *peer = (struct fuzz_peer){.sim = sim};
    env_connect(sim->env, &address, 1000000000, peer_connected, peer);
    fuzz_sim_run(sim, 60, &peer->is_connected);
    ASSERT(peer->is_connected);
}

static void peer_accepted(void *context, struct env_stream *stream)
{
    struct fuzz_peer *peer = context;
    if (peer->stream != NULL) env_stream_close(peer->stream, false);
    peer_connected(peer, STATUS_OK, stream);
    if (peer->greeting.size > 0) env_stream_write(stream, peer->greeting);
}

struct env_address fuzz_peer_listen(struct fuzz_peer *peer, struct fuzz_sim *sim,
                                    struct slice greeting)
{
    *peer = (struct fuzz_peer){.sim = sim, .greeting = greeting};
    struct env_address address = {.bytes = {127, 0, 0, 1}, .size = 4};
    ASSERT(env_listen(sim->env, &address, peer_accepted, peer, &peer->listener, NULL) == STATUS_OK);
    return env_listener_address(peer->listener);
}

void fuzz_peer_send(struct fuzz_peer *peer, struct slice bytes)
{
    if (peer->stream != NULL) env_stream_write(peer->stream, bytes);
}

void fuzz_peer_close(struct fuzz_peer *peer)
{
    if (peer->stream != NULL) env_stream_close(peer->stream, false);
    peer->stream = NULL;
    if (peer->listener != NULL) env_listener_close(peer->listener);
    peer->listener = NULL;
}
