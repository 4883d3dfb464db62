// The network: connections between processes.
//
//     write ──▶ queue (env_stream_queued) ──the window has room──▶ pieces in flight ──later──▶ data
//
// Each direction keeps its order. Pieces lie in a list at the receiver, each with the moment from
// which it may be taken; an end of the connection is a piece of its own, behind what was sent
// before it. A receiver that is paused, or has no events yet, leaves them there: the window closes,
// and the sender's queue grows.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_sim/internal.h"

#include <stdlib.h>
#include <string.h>

#define LATENCY_MIN_NS  (10 * NS_PER_US)
#define LATENCY_MAX_NS  (150 * NS_PER_US)
#define PIECE_DELAY_NS  (2 * NS_PER_MS)
#define POWER_LOSS_NS   (300 * NS_PER_MS)
#define WINDOW_SIZE_MIN 4096
#define WINDOW_SIZE_MAX (256 * 1024)

struct sim_piece {
    struct sim_piece *next;
    uint64_t arrival_ns, sent_turn;
    enum status end; // OK: bytes.
    size_t size;
    uint8_t bytes[];
};

struct sim_stream {
    struct env_stream base;
    uint64_t id;
    struct sim_process *process;
    struct sim_stream *next, **place; // In the process's list.
    struct sim_stream *peer;          // NULL once it is freed.
    struct env_address peer_address;
    const struct env_stream_events *events; // NULL before env_stream_start() and after the end.
    void *context;
    bool started, paused;
    // What comes.
    struct sim_piece *first, *last;
    struct sim_event event; // When the first piece may be taken.
    // What goes.
    uint8_t *queue;
    size_t queue_start, queued, queue_capacity, in_flight, window;
    struct sim_event drained_event;
};

static struct sim_stream *sim_stream_of(const struct env_stream *stream)
{
    return (struct sim_stream *)(uintptr_t)stream;
}

static void stream_event(struct sim_stream *stream, const char *what, uint64_t size)
{
    sim_world_event(stream->process->world, what, stream->process->name, stream->id, size);
}

static struct sim_stream *create_stream(struct sim_process *process, uint64_t id)
{
    struct sim_stream *stream = calloc(1, sizeof *stream);
    ASSERT(stream != NULL);
    stream->base.env = &process->env;
    stream->id = id;
    stream->process = process;
    stream->window = (size_t)sim_world_between(process->world, WINDOW_SIZE_MIN, WINDOW_SIZE_MAX);
    stream->next = process->streams;
    stream->place = &process->streams;
    if (stream->next != NULL) stream->next->place = &stream->next;
    process->streams = stream;
    return stream;
}

static void free_stream(struct sim_stream *stream)
{
    struct sim_world *world = stream->process->world;
    if (stream->peer != NULL) stream->peer->peer = NULL;
    *stream->place = stream->next;
    if (stream->next != NULL) stream->next->place = stream->place;
    sim_event_stop(world, &stream->event);
    sim_event_stop(world, &stream->drained_event);
    while (stream->first != NULL) {
        struct sim_piece *piece = stream->first;
        stream->first = piece->next;
        free(piece);
    }
    free(stream->queue);
    free(stream);
}

// ---- Receiving ---------------------------------------------------------------------------------

static void arm(struct sim_stream *stream);
static void send_queued(struct sim_stream *stream);

static void take_data(struct sim_stream *stream, struct sim_piece *piece)
{
    struct sim_world *world = stream->process->world;
    if (stream->peer != NULL) {
        stream->peer->in_flight -= piece->size;
        send_queued(stream->peer);
    }
    arm(stream);
    stream_event(stream, "receive", piece->size);
    if (world->observer.received != NULL)
        world->observer.received(world->observer.context, &stream->base, piece->size,
                                 piece->sent_turn);
    // The owner may close the stream in here.
    stream->events->data(stream->context, slice_make(piece->bytes, piece->size));
}

static void take_end(struct sim_stream *stream, struct sim_piece *piece)
{
    const struct env_stream_events *events = stream->events;
    stream->events = NULL;
    stream_event(stream, "end", piece->end);
    events->ended(stream->context, piece->end);
}

static void take_piece(struct sim_event *event)
{
    struct sim_stream *stream = CONTAINER_OF(event, struct sim_stream, event);
    if (stream->process->state != SIM_PROCESS_RUNNING) return;
    struct sim_piece *piece = stream->first;
    ASSERT(piece != NULL && stream->events != NULL && !stream->paused);
    stream->first = piece->next;
    if (stream->first == NULL) stream->last = NULL;
    if (piece->end != STATUS_OK)
        take_end(stream, piece);
    else
        take_data(stream, piece);
    free(piece);
}

static void arm(struct sim_stream *stream)
{
    struct sim_world *world = stream->process->world;
    if (stream->first == NULL || stream->paused || stream->events == NULL) {
        sim_event_stop(world, &stream->event);
        return;
    }
    uint64_t arrival_ns = stream->first->arrival_ns;
    uint64_t delay_ns = arrival_ns > world->now_ns ? arrival_ns - world->now_ns : 0;
    sim_event_start(world, &stream->event, delay_ns, take_piece);
}

// Gives the stream a piece that arrives after a delay, behind all others.
static void add_piece(struct sim_stream *stream, struct slice bytes, enum status end,
                      uint64_t delay_ns)
{
    struct sim_piece *piece = malloc(sizeof *piece + bytes.size);
    ASSERT(piece != NULL);
    piece->next = NULL;
    piece->sent_turn = stream->process->world->turn;
    piece->arrival_ns = stream->process->world->now_ns + delay_ns;
    piece->end = end;
    piece->size = bytes.size;
    if (bytes.size > 0) memcpy(piece->bytes, bytes.data, bytes.size);
    if (stream->last != NULL && stream->last->arrival_ns > piece->arrival_ns)
        piece->arrival_ns = stream->last->arrival_ns;
    if (stream->last == NULL)
        stream->first = piece;
    else
        stream->last->next = piece;
    stream->last = piece;
    if (stream->first == piece) arm(stream);
}

void sim_stream_start(struct env_stream *base, const struct env_stream_events *events,
                      void *context)
{
    struct sim_stream *stream = sim_stream_of(base);
    ASSERT(!stream->started);
    if (stream->process->state == SIM_PROCESS_DEAD) return;
    stream->started = true;
    stream->events = events;
    stream->context = context;
    arm(stream);
}

void sim_stream_pause(struct env_stream *base)
{
    struct sim_stream *stream = sim_stream_of(base);
    if (stream->process->state == SIM_PROCESS_DEAD) return;
    stream->paused = true;
    arm(stream);
}

void sim_stream_resume(struct env_stream *base)
{
    struct sim_stream *stream = sim_stream_of(base);
    if (stream->process->state == SIM_PROCESS_DEAD) return;
    stream->paused = false;
    arm(stream);
}

// ---- Sending -----------------------------------------------------------------------------------

static void transmit(struct sim_stream *stream, struct slice bytes)
{
    struct sim_world *world = stream->process->world;
    while (bytes.size > 0) {
        size_t size = bytes.size;
        uint64_t delay_ns = sim_world_between(world, LATENCY_MIN_NS, LATENCY_MAX_NS);
        if (size > 1 && sim_world_strikes(world, SIM_FAULT_SEGMENTED)) {
            size = (size_t)sim_world_between(world, 1, size - 1);
            delay_ns = sim_world_between(world, LATENCY_MIN_NS, PIECE_DELAY_NS);
        }
        add_piece(stream->peer, slice_make(bytes.data, size), STATUS_OK, delay_ns);
        stream->in_flight += size;
        bytes = slice_make(bytes.data + size, bytes.size - size);
    }
}

static void tell_drained(struct sim_event *event)
{
    struct sim_stream *stream = CONTAINER_OF(event, struct sim_stream, drained_event);
    if (stream->process->state != SIM_PROCESS_RUNNING || stream->events == NULL) return;
    stream->events->drained(stream->context);
}

static void send_queued(struct sim_stream *stream)
{
    // Half a window at least, lest pieces get smaller and smaller.
    if (stream->queued == 0 || stream->in_flight > stream->window / 2 || stream->peer == NULL)
        return;
    size_t room = stream->window - stream->in_flight;
    size_t size = stream->queued < room ? stream->queued : room;
    transmit(stream, slice_make(stream->queue + stream->queue_start, size));
    stream->queued -= size;
    stream->queue_start = stream->queued == 0 ? 0 : stream->queue_start + size;
    if (stream->queued == 0)
        sim_event_start(stream->process->world, &stream->drained_event, 0, tell_drained);
}

static void put_queue(struct sim_stream *stream, struct slice bytes)
{
    if (stream->queue_start + stream->queued + bytes.size > stream->queue_capacity) {
        if (stream->queued > 0)
            memmove(stream->queue, stream->queue + stream->queue_start, stream->queued);
        stream->queue_start = 0;
        if (stream->queued + bytes.size > stream->queue_capacity / 2) {
            stream->queue_capacity = 2 * (stream->queued + bytes.size);
            stream->queue = realloc(stream->queue, stream->queue_capacity);
            ASSERT(stream->queue != NULL);
        }
    }
    memcpy(stream->queue + stream->queue_start + stream->queued, bytes.data, bytes.size);
    stream->queued += bytes.size;
}

// Both ends hear of it; what is under way is lost.
static void reset(struct sim_stream *stream)
{
    stream_event(stream, "connection reset", 0);
    add_piece(stream->peer, slice_null(), STATUS_IO, LATENCY_MAX_NS);
    add_piece(stream, slice_null(), STATUS_IO, LATENCY_MIN_NS);
    stream->peer->peer = NULL;
    stream->peer = NULL;
    stream->queued = 0;
}

void sim_stream_write(struct env_stream *base, struct slice bytes)
{
    struct sim_stream *stream = sim_stream_of(base);
    struct sim_world *world = stream->process->world;
    if (bytes.size == 0 || !sim_process_step(stream->process)) return;
    if (world->observer.sent != NULL) world->observer.sent(world->observer.context, base, bytes);
    if (stream->peer == NULL) return; // Nobody is there any more; the end is on its way to us.
    if (sim_world_strikes(world, SIM_FAULT_RESET)) {
        reset(stream);
        return;
    }
    stream_event(stream, "send", bytes.size);
    if (stream->queued == 0 && stream->in_flight + bytes.size <= stream->window) {
        transmit(stream, bytes);
        return;
    }
    put_queue(stream, bytes);
    size_t queued = stream->queued;
    send_queued(stream);
    if (stream->queued == 0 && queued == bytes.size)
        sim_event_stop(world, &stream->drained_event); // It never was in the queue for the owner.
}

size_t sim_stream_queued(const struct env_stream *stream)
{
    return sim_stream_of(stream)->queued;
}

void sim_stream_close(struct env_stream *base, bool flush)
{
    struct sim_stream *stream = sim_stream_of(base);
    if (stream->peer != NULL && stream->process->state == SIM_PROCESS_RUNNING) {
        bool unread = stream->first != NULL && stream->first->end == STATUS_OK;
        if (flush)
            transmit(stream, slice_make(stream->queue + stream->queue_start, stream->queued));
        // The system resets a connection that is closed with bytes unread.
        enum status end = unread && !flush ? STATUS_IO : STATUS_CLOSED;
        add_piece(stream->peer, slice_null(), end,
                  sim_world_between(stream->process->world, LATENCY_MIN_NS, LATENCY_MAX_NS));
        stream_event(stream, "close", end);
    }
    free_stream(stream);
}

struct env_address sim_stream_peer(const struct env_stream *stream)
{
    return sim_stream_of(stream)->peer_address;
}

// What was sent is on its way still; behind it the other side hears of the end.
static void lose_stream(struct sim_stream *stream)
{
    struct sim_world *world = stream->process->world;
    struct sim_stream *peer = stream->peer;
    sim_event_stop(world, &stream->event);
    sim_event_stop(world, &stream->drained_event);
    stream->events = NULL;
    if (peer == NULL) return;
    uint64_t delay_ns = random_chance(&world->random, 0.5) ? LATENCY_MAX_NS : POWER_LOSS_NS;
    add_piece(peer, slice_null(), STATUS_IO, sim_world_between(world, LATENCY_MIN_NS, delay_ns));
    peer->peer = NULL;
    stream->peer = NULL;
}

// ---- Listening and connecting ------------------------------------------------------------------

struct sim_listener {
    struct env_listener base;
    struct sim_process *process;
    struct sim_listener *next; // In the world's list.
    struct env_address address;
    void (*accepted)(void *context, struct env_stream *stream);
    void *context;
};

struct sim_connect {
    struct sim_event event;
    struct sim_connect *next, **place; // In the process's list.
    struct sim_process *process;
    struct env_address address;
    enum status status;
    struct sim_stream *stream;
    void (*connected)(void *context, enum status status, struct env_stream *stream);
    void *context;
};

static bool address_equals(const struct env_address *a, const struct env_address *b)
{
    return a->size == b->size && a->port == b->port && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static struct sim_listener *find_listener(struct sim_world *world,
                                          const struct env_address *address)
{
    struct sim_listener *listener = world->listeners;
    while (listener != NULL && !(listener->process->state == SIM_PROCESS_RUNNING &&
                                 address_equals(&listener->address, address)))
        listener = listener->next;
    return listener;
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
    if (find_listener(world, &taken) != NULL)
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
    struct sim_connect ended = *connect;
    free_connect(connect);
    sim_world_event(ended.process->world, "connected", ended.process->name, ended.status, 0);
    ended.connected(ended.context, ended.status, ended.stream == NULL ? NULL : &ended.stream->base);
}

// At the other side.
static void connect_arrives(struct sim_event *event)
{
    struct sim_connect *connect = CONTAINER_OF(event, struct sim_connect, event);
    struct sim_process *process = connect->process;
    struct sim_world *world = process->world;
    if (process->state != SIM_PROCESS_RUNNING) return;
    struct sim_listener *listener = find_listener(world, &connect->address);
    uint64_t delay_ns = sim_world_between(world, LATENCY_MIN_NS, LATENCY_MAX_NS);
    sim_event_start(world, &connect->event, delay_ns, connect_ends);
    if (listener == NULL || sim_world_strikes(world, SIM_FAULT_REFUSED)) {
        connect->status = STATUS_REFUSED;
        return;
    }
    uint64_t id = ++world->last_stream_id;
    struct sim_stream *near = create_stream(process, id);
    struct sim_stream *far = create_stream(listener->process, id);
    near->peer = far;
    near->peer_address = connect->address;
    far->peer = near;
    far->peer_address = connect->address;
    far->peer_address.port = ++world->last_port;
    connect->stream = near;
    stream_event(far, "accept", 0);
    listener->accepted(listener->context, &far->base);
}

void sim_connect(struct env *env, const struct env_address *address, uint64_t timeout_ns,
                 void (*connected)(void *context, enum status status, struct env_stream *stream),
                 void *context)
{
    struct sim_process *process = sim_process_of(env);
    (void)timeout_ns; // Every answer comes long before.
    if (process->state == SIM_PROCESS_DEAD) return;
    struct sim_connect *connect = calloc(1, sizeof *connect);
    ASSERT(connect != NULL);
    connect->process = process;
    connect->address = *address;
    connect->connected = connected;
    connect->context = context;
    connect->next = process->connects;
    connect->place = &process->connects;
    if (connect->next != NULL) connect->next->place = &connect->next;
    process->connects = connect;
    sim_event_start(process->world, &connect->event,
                    sim_world_between(process->world, LATENCY_MIN_NS, LATENCY_MAX_NS),
                    connect_arrives);
}

// ---- The end of a process ----------------------------------------------------------------------

void sim_streams_drop(struct sim_process *process)
{
    while (process->connects != NULL)
        free_connect(process->connects);
    for (struct sim_stream *stream = process->streams; stream != NULL; stream = stream->next)
        lose_stream(stream);
}

void sim_streams_free(struct sim_process *process)
{
    while (process->streams != NULL)
        free_stream(process->streams);
    struct sim_listener *listener = process->world->listeners, *next;
    for (; listener != NULL; listener = next) {
        next = listener->next;
        if (listener->process == process) free_listener(listener);
    }
}
