// The network: connections between processes.
//
//     write ──▶ queue (env_stream_queued) ──the window has room──▶ pieces in flight ──later──▶ data
//
// Each direction keeps its order. Pieces lie in a list at the receiver, each with the moment from
// which it may be taken; an end of the connection is a piece of its own, behind what was sent
// before it. A receiver that is paused, or has no events yet, leaves them there: the window closes,
// and the sender's queue grows. The same while the network between the two machines is cut.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_sim/internal.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_DELAY_NS  (2 * NS_PER_MS)
#define POWER_LOSS_NS   (300 * NS_PER_MS)
#define WINDOW_SIZE_MIN 4096
#define WINDOW_SIZE_MAX (256 * 1024)

struct sim_piece {
    struct sim_piece *next;
    uint64_t arrival_ns, sent_turn;
    enum status end; // OK: bytes.
    bool is_local;   // Needs no network: the system says that the connection is broken.
    size_t size;
    uint8_t bytes[];
};

struct sim_stream {
    struct env_stream base;
    uint64_t id;
    struct sim_process *process;
    struct sim_stream *next, **place; // In the process's list.
    struct sim_stream *peer;          // NULL once it is freed.
    const struct sim_machine *peer_machine;
    struct env_address peer_address, listener_address;
    const struct env_stream_events *events; // NULL before env_stream_start() and after the end.
    void *context;
    bool started, paused;
    // What comes.
    struct sim_piece *first, *last;
    struct sim_event event; // When the first piece may be taken.
    // What goes.
    uint8_t *queue;
    size_t queue_start, queued, queue_capacity, in_flight, window;
    struct sim_event drained_event, accept_event;
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

static void free_pieces(struct sim_stream *stream)
{
    while (stream->first != NULL) {
        struct sim_piece *piece = stream->first;
        stream->first = piece->next;
        free(piece);
    }
    stream->last = NULL;
}

static void free_stream(struct sim_stream *stream)
{
    struct sim_world *world = stream->process->world;
    if (stream->peer != NULL) stream->peer->peer = NULL;
    *stream->place = stream->next;
    if (stream->next != NULL) stream->next->place = stream->place;
    sim_event_stop(world, &stream->event);
    sim_event_stop(world, &stream->drained_event);
    sim_event_stop(world, &stream->accept_event);
    free_pieces(stream);
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
    if (sim_process_defers(stream->process, event, take_piece)) return;
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

static bool is_held(const struct sim_stream *stream)
{
    return !stream->first->is_local &&
           sim_network_is_cut(stream->peer_machine, stream->process->machine);
}

static void arm(struct sim_stream *stream)
{
    struct sim_world *world = stream->process->world;
    if (stream->first == NULL || stream->paused || stream->events == NULL || is_held(stream)) {
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
    const struct sim_machine *from = stream->peer_machine, *to = stream->process->machine;
    struct sim_world *world = stream->process->world;
    delay_ns += sim_network_delay(world, from, to, bytes.size);
    if (sim_network_is_cut(from, to)) sim_world_count(world, SIM_FAULT_HELD);
    struct sim_piece *piece = malloc(sizeof *piece + bytes.size);
    ASSERT(piece != NULL);
    piece->next = NULL;
    piece->sent_turn = world->turn;
    piece->arrival_ns = world->now_ns + delay_ns;
    piece->end = end;
    piece->is_local = false;
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
        uint64_t delay_ns = sim_world_between(world, SIM_LATENCY_MIN_NS, SIM_LATENCY_MAX_NS);
        if (size > 1 && sim_world_strikes(world, SIM_FAULT_SEGMENTED)) {
            size = (size_t)sim_world_between(world, 1, size - 1);
            delay_ns = sim_world_between(world, SIM_LATENCY_MIN_NS, PIECE_DELAY_NS);
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
    if (sim_process_defers(stream->process, event, tell_drained)) return;
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

// The end of a connection that the system tells of. What a cut holds back never comes.
static void add_reset(struct sim_stream *stream, uint64_t delay_ns)
{
    if (stream->first != NULL && is_held(stream)) free_pieces(stream);
    add_piece(stream, slice_null(), STATUS_IO, delay_ns);
    stream->last->is_local = true;
    if (stream->first == stream->last) arm(stream);
}

// Both ends hear of it; what is queued is lost.
static void reset(struct sim_stream *stream)
{
    stream_event(stream, "connection reset", 0);
    add_reset(stream->peer, SIM_LATENCY_MAX_NS);
    add_reset(stream, SIM_LATENCY_MIN_NS);
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
        add_piece(
            stream->peer, slice_null(), end,
            sim_world_between(stream->process->world, SIM_LATENCY_MIN_NS, SIM_LATENCY_MAX_NS));
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
    uint64_t delay_ns = random_chance(&world->random, 0.5) ? SIM_LATENCY_MAX_NS : POWER_LOSS_NS;
    add_piece(peer, slice_null(), STATUS_IO,
              sim_world_between(world, SIM_LATENCY_MIN_NS, delay_ns));
    peer->peer = NULL;
    stream->peer = NULL;
}

// ---- Beginnings --------------------------------------------------------------------------------

struct sim_stream *sim_stream_connect(struct sim_process *near_process,
                                      struct sim_process *far_process,
                                      const struct env_address *address)
{
    struct sim_world *world = near_process->world;
    uint64_t id = ++world->last_stream_id;
    struct sim_stream *near = create_stream(near_process, id);
    struct sim_stream *far = create_stream(far_process, id);
    near->peer = far;
    near->peer_address = *address;
    near->peer_machine = far_process->machine;
    far->peer = near;
    // A process that listens is known by its machine's address.
    const struct env_address *known = &near_process->machine->address;
    far->peer_address = known->size > 0 ? *known : *address;
    far->peer_address.port = ++world->last_port;
    far->peer_machine = near_process->machine;
    return near;
}

struct env_stream *sim_stream_base(struct sim_stream *stream)
{
    return stream == NULL ? NULL : &stream->base;
}

static void accept_now(struct sim_event *event)
{
    struct sim_stream *stream = CONTAINER_OF(event, struct sim_stream, accept_event);
    struct sim_process *process = stream->process;
    if (process->state != SIM_PROCESS_RUNNING) return;
    if (sim_process_defers(process, event, accept_now)) return;
    struct sim_listener *listener = sim_listener_find(process->world, &stream->listener_address);
    if (listener == NULL || sim_listener_process(listener) != process) {
        sim_stream_close(&stream->base, false);
        return;
    }
    stream_event(stream, "accept", 0);
    sim_listener_accept(listener, &stream->base);
}

void sim_stream_accept(struct sim_stream *near)
{
    struct sim_stream *far = near->peer;
    far->listener_address = near->peer_address;
    accept_now(&far->accept_event);
}

// ---- Cuts --------------------------------------------------------------------------------------

void sim_streams_arm(struct sim_process *process)
{
    for (struct sim_stream *stream = process->streams; stream != NULL; stream = stream->next)
        arm(stream);
}

void sim_streams_reset(struct sim_process *process, const struct sim_machine *other)
{
    for (struct sim_stream *stream = process->streams; stream != NULL; stream = stream->next)
        if (stream->peer != NULL && stream->peer_machine == other) reset(stream);
}

// ---- The end of a process ----------------------------------------------------------------------

void sim_streams_drop(struct sim_process *process)
{
    sim_connects_drop(process);
    for (struct sim_stream *stream = process->streams; stream != NULL; stream = stream->next)
        lose_stream(stream);
}

void sim_streams_free(struct sim_process *process)
{
    while (process->streams != NULL)
        free_stream(process->streams);
    sim_listeners_free(process);
}
