// The network: who listens, and who connects to whom.
//
//     connect ──▶ at the other side: a listener? ──▶ the answer is back
//        ▲  │ a cut: asked again and again (SYN), until the time is over
//        └──┘
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_sim/internal.h"

#include <stdlib.h>
#include <string.h>

// Between two SYNs; the first intervals are shorter than a real system's.
#define RETRY_NS           (100 * NS_PER_MS)
#define TIMEOUT_DEFAULT_NS (10 * NS_PER_S)

struct sim_listener {
    struct env_listener base;
    struct sim_process *process;
    struct sim_listener *next; // In the world's list.
    struct env_address address;
    void (*accepted)(void *context, struct env_stream *stream);
    void *context;
};

struct sim_connect {
    struct env_connect base;
    struct sim_event event;
    struct sim_connect *next, **place; // In the process's list.
    struct sim_process *process;
    struct env_address address;
    uint64_t deadline_ns;
    enum status status;
    struct sim_stream *stream;
    void (*connected)(void *context, enum status status, struct env_stream *stream);
    void *context;
};

static bool address_equals(const struct env_address *a, const struct env_address *b)
{
    return a->size == b->size && a->port == b->port && memcmp(a->bytes, b->bytes, a->size) == 0;
}

struct sim_listener *sim_listener_find(struct sim_world *world, const struct env_address *address)
{
    struct sim_listener *listener = world->listeners;
    while (listener != NULL && !(listener->process->state == SIM_PROCESS_RUNNING &&
                                 address_equals(&listener->address, address)))
        listener = listener->next;
    return listener;
}

struct sim_process *sim_listener_process(const struct sim_listener *listener)
{
    return listener->process;
}

void sim_listener_accept(struct sim_listener *listener, struct env_stream *stream)
{
    listener->accepted(listener->context, stream);
}

// The machine that an address leads to; NULL when none ever listened there.
static const struct sim_machine *find_machine(const struct sim_world *world,
                                              const struct env_address *address)
{
    const struct sim_machine *machine = world->machines;
    while (machine != NULL && !(machine->address.size == address->size &&
                                memcmp(machine->address.bytes, address->bytes, address->size) == 0))
        machine = machine->next;
    return machine;
}

enum status sim_listen(struct env *env, const struct env_address *address,
                       void (*accepted)(void *context, struct env_stream *stream), void *context,
                       struct env_listener **created, struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    struct sim_world *world = process->world;
    if (process->state != SIM_PROCESS_RUNNING)
        return error_set(error, STATUS_IO, "this process is being killed");
    struct env_address taken = *address;
    if (taken.port == 0) taken.port = ++world->last_port;
    if (sim_listener_find(world, &taken) != NULL)
        return error_set(error, STATUS_IN_USE, "the port %u is taken", taken.port);
    struct sim_listener *listener = calloc(1, sizeof *listener);
    ASSERT(listener != NULL);
    *listener = (struct sim_listener){.base = {env},
                                      .process = process,
                                      .next = world->listeners,
                                      .address = taken,
                                      .accepted = accepted,
                                      .context = context};
    world->listeners = listener;
    if (process->machine->address.size == 0) process->machine->address = taken;
    sim_world_event(world, "listen", process->name, taken.port, 0);
    *created = &listener->base;
    return STATUS_OK;
}

struct env_address sim_listener_address(const struct env_listener *base)
{
    return ((const struct sim_listener *)(const void *)base)->address;
}

static void free_listener(struct sim_listener *listener)
{
    struct sim_listener **place = &listener->process->world->listeners;
    while (*place != listener)
        place = &(*place)->next;
    *place = listener->next;
    free(listener);
}

void sim_listeners_free(struct sim_process *process)
{
    struct sim_listener *listener = process->world->listeners, *next;
    for (; listener != NULL; listener = next) {
        next = listener->next;
        if (listener->process == process) free_listener(listener);
    }
}

void sim_listener_close(struct env_listener *base)
{
    free_listener(CONTAINER_OF(base, struct sim_listener, base));
}

static void free_connect(struct sim_connect *connect)
{
    sim_event_stop(connect->process->world, &connect->event);
    *connect->place = connect->next;
    if (connect->next != NULL) connect->next->place = connect->place;
    free(connect);
}

// The answer is back.
static void connect_ends(struct sim_event *event)
{
    struct sim_connect *connect = CONTAINER_OF(event, struct sim_connect, event);
    if (connect->process->state != SIM_PROCESS_RUNNING) return;
    if (sim_process_defers(connect->process, event, connect_ends)) return;
    struct sim_connect ended = *connect;
    free_connect(connect);
    sim_world_event(ended.process->world, "connected", ended.process->name, ended.status, 0);
    ended.connected(ended.context, ended.status, sim_stream_base(ended.stream));
}

// Nothing gets through: once more, or the time is over.
static void connect_waits(struct sim_connect *connect, void (*again)(struct sim_event *event))
{
    struct sim_world *world = connect->process->world;
    uint64_t left_ns = connect->deadline_ns - world->now_ns;
    if (left_ns > 0) {
        sim_event_start(world, &connect->event, left_ns < RETRY_NS ? left_ns : RETRY_NS, again);
        return;
    }
    sim_world_count(world, SIM_FAULT_CONNECT_LOST);
    connect->status = STATUS_TIMED_OUT;
    sim_event_start(world, &connect->event, 0, connect_ends);
}

// At the other side.
static void connect_arrives(struct sim_event *event)
{
    struct sim_connect *connect = CONTAINER_OF(event, struct sim_connect, event);
    struct sim_process *process = connect->process;
    struct sim_world *world = process->world;
    if (process->state != SIM_PROCESS_RUNNING) return;
    const struct sim_machine *near = process->machine;
    const struct sim_machine *far = find_machine(world, &connect->address);
    if (far != NULL && (sim_network_is_cut(near, far) || sim_network_is_cut(far, near))) {
        connect_waits(connect, connect_arrives);
        return;
    }
    struct sim_listener *listener = sim_listener_find(world, &connect->address);
    uint64_t delay_ns = sim_world_between(world, SIM_LATENCY_MIN_NS, SIM_LATENCY_MAX_NS);
    if (far != NULL)
        delay_ns += sim_network_delay(world, near, far, 0) + sim_network_delay(world, far, near, 0);
    if (delay_ns > connect->deadline_ns - world->now_ns)
        delay_ns = connect->deadline_ns - world->now_ns;
    sim_event_start(world, &connect->event, delay_ns, connect_ends);
    if (listener == NULL || sim_world_strikes(world, SIM_FAULT_REFUSED)) {
        connect->status = STATUS_REFUSED;
        return;
    }
    connect->stream = sim_stream_connect(process, listener->process, &connect->address);
    sim_stream_accept(connect->stream);
}

struct env_connect *
sim_connect(struct env *env, const struct env_address *address, uint64_t timeout_ns,
            void (*connected)(void *context, enum status status, struct env_stream *stream),
            void *context)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state == SIM_PROCESS_DEAD) return NULL;
    struct sim_connect *connect = calloc(1, sizeof *connect);
    ASSERT(connect != NULL);
    connect->base.env = env;
    connect->process = process;
    connect->address = *address;
    connect->deadline_ns =
        process->world->now_ns + (timeout_ns == 0 ? TIMEOUT_DEFAULT_NS : timeout_ns);
    connect->connected = connected;
    connect->context = context;
    connect->next = process->connects;
    connect->place = &process->connects;
    if (connect->next != NULL) connect->next->place = &connect->next;
    process->connects = connect;
    sim_event_start(process->world, &connect->event,
                    sim_world_between(process->world, SIM_LATENCY_MIN_NS, SIM_LATENCY_MAX_NS),
                    connect_arrives);
    return &connect->base;
}

void sim_connect_cancel(struct env_connect *base)
{
    struct sim_connect *connect = CONTAINER_OF(base, struct sim_connect, base);
    struct sim_stream *stream = connect->stream;
    free_connect(connect);
    if (stream != NULL) sim_stream_close(sim_stream_base(stream), false);
}

void sim_connects_drop(struct sim_process *process)
{
    while (process->connects != NULL)
        free_connect(process->connects);
}

void sim_connects_cancel(struct sim_process *process)
{
    while (process->connects != NULL) {
        struct sim_connect ended = *process->connects;
        free_connect(process->connects);
        ended.connected(ended.context, STATUS_CANCELED, NULL);
    }
}
