#include "tests/fuzz/support/fuzz_sim.h"

#include "base/assert.h"

#include <string.h>

// No input of a few KiB has a reason for more.
#define STEPS_MAX 2000000

// ---- Faults -------------------------------------------------------------------------------------

// The world's own operations, and a table that has ours before some of them.
static struct {
    const struct env_ops *below;
    struct env_ops ops;
    enum fuzz_fault fault;
    unsigned countdown;
    bool has_failed;
} faults;

static bool strikes(enum fuzz_fault fault)
{
    if (faults.fault != fault || faults.countdown == 0 || --faults.countdown > 0) return false;
    faults.has_failed = true;
    return true;
}

#define FAIL_IF_STRUCK(fault)                                                                      \
    do {                                                                                           \
        if (strikes(fault)) return error_set(error, STATUS_IO, "a failure that the input wants");  \
    } while (false)

static enum status file_open(struct env *env, const char *path, unsigned flags,
                             struct env_file **file, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_OPEN);
    return faults.below->file_open(env, path, flags, file, error);
}

static enum status file_size(struct env_file *file, uint64_t *size, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_SIZE);
    return faults.below->file_size(file, size, error);
}

static enum status file_read(struct env_file *file, uint64_t offset, void *bytes, size_t size,
                             size_t *read_size, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_READ);
    if (strikes(FUZZ_FAULT_READ_ENDS_EARLY)) size /= 2;
    return faults.below->file_read(file, offset, bytes, size, read_size, error);
}

static enum status file_read_cached(struct env_file *file, uint64_t offset, void *bytes,
                                    size_t size, size_t *read_size, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_READ);
    if (strikes(FUZZ_FAULT_READ_ENDS_EARLY)) size /= 2;
    return faults.below->file_read_cached(file, offset, bytes, size, read_size, error);
}

static enum status file_write(struct env_file *file, uint64_t offset, const void *bytes,
                              size_t size, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_WRITE);
    return faults.below->file_write(file, offset, bytes, size, error);
}

static enum status file_sync(struct env_file *file, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_SYNC);
    return faults.below->file_sync(file, error);
}

static enum status sync_dir(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_SYNC);
    return faults.below->sync_dir(env, path, error);
}

static enum status list_dir(struct env *env, const char *path,
                            void (*entry)(void *context, const char *name, bool is_dir),
                            void *context, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_LIST);
    return faults.below->list_dir(env, path, entry, context, error);
}

static enum status path_time(struct env *env, const char *path, int64_t *modified_us,
                             struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_TIME);
    return faults.below->path_time(env, path, modified_us, error);
}

static enum status path_remove(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_REMOVE);
    return faults.below->remove(env, path, error);
}

static enum status path_link(struct env *env, const char *from, const char *to, struct error *error)
{
    FAIL_IF_STRUCK(FUZZ_FAULT_LINK);
    return faults.below->link(env, from, to, error);
}

void fuzz_sim_fail(struct fuzz_sim *sim, enum fuzz_fault fault, unsigned countdown)
{
    if (sim->env->ops != &faults.ops) {
        faults.below = sim->env->ops;
        faults.ops = *faults.below;
        faults.ops.file_open = file_open;
        faults.ops.file_size = file_size;
        faults.ops.file_read = file_read;
        faults.ops.file_read_cached = file_read_cached;
        faults.ops.file_write = file_write;
        faults.ops.file_sync = file_sync;
        faults.ops.sync_dir = sync_dir;
        faults.ops.list_dir = list_dir;
        faults.ops.path_time = path_time;
        faults.ops.remove = path_remove;
        faults.ops.link = path_link;
        sim->env->ops = &faults.ops;
    }
    faults.fault = fault;
    faults.countdown = countdown;
    faults.has_failed = false;
}

static void forget_faults(void)
{
    faults.countdown = 0;
    faults.has_failed = false;
}

bool fuzz_sim_has_failed(void)
{
    return faults.has_failed;
}

// ---- The world ----------------------------------------------------------------------------------

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
    forget_faults();
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
