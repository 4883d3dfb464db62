// TCP connections, listeners and connecting.
//
// A stream's life, from both of its ends:
//
//     connecting ──connected──▶ open ──env_stream_close(false)──────────────────▶ closing ─▶ freed
//          │                     │ └──env_stream_close(true)──▶ flushing ──────────▲
//          └─ failed, timed out ─┼─────────────────────────────────────────────────▲
//                                └─ fault, end ─▶ ended ──env_stream_close()───────▲
//
// Flushing: what is queued goes out, then our end is shut down, then what still arrives is thrown
// away until the other side closes too. Closing earlier, with bytes unread, would make the system
// reset the connection and with it drop an answer that is under way. FLUSH_TIMEOUT_NS bounds it.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv/internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { LISTEN_BACKLOG = 512 };
#define FLUSH_TIMEOUT_NS (10ull * 1000 * 1000 * 1000)

enum env_uv_stream_state {
    STREAM_CONNECTING,
    STREAM_OPEN,
    STREAM_ENDED, // Nothing is read or written any more; the owner knows or is about to.
    STREAM_FLUSHING,
    STREAM_CLOSING, // uv_close() was called.
};

struct env_uv_stream {
    struct env_stream base;
    struct env_uv_closer closer;
    uv_tcp_t tcp;
    enum env_uv_stream_state state;
    bool paused;
    enum status end_status;     // Why it ended.
    size_t queued;              // Bytes that the system has not taken.
    struct env_task ended_task; // Tells a fault of env_stream_write() in a later turn.
    struct env_timer timer;     // The end of connecting or of flushing.
    struct env_address peer;
    const struct env_stream_events *events; // NULL before env_stream_start().
    void *context;

    struct env_connect connect;
    uv_connect_t connect_request;
    int connect_code; // Of a connect that failed at once.
    void (*connected)(void *context, enum status status, struct env_stream *stream);
    void *connected_context;
    uv_shutdown_t shutdown_request;
};

// Bytes that wait for the system to take them.
struct env_uv_write {
    uv_write_t request;
    size_t size;
    uint8_t bytes[];
};

static struct env_uv_stream *env_uv_stream_of(const struct env_stream *stream)
{
    return (struct env_uv_stream *)(uintptr_t)stream;
}

static struct env_uv_stream *env_uv_stream_of_handle(void *handle)
{
    return CONTAINER_OF(handle, struct env_uv_stream, tcp);
}

static struct env_uv *env_uv_of_stream(const struct env_uv_stream *stream)
{
    return env_uv_of(stream->base.env);
}

static uv_stream_t *env_uv_stream_handle(struct env_uv_stream *stream)
{
    return (uv_stream_t *)&stream->tcp;
}

// ---- Addresses ---------------------------------------------------------------------------------

static struct sockaddr_storage env_uv_address_to_system(const struct env_address *address)
{
    struct sockaddr_storage storage = {0};
    if (address->size == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)&storage;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->bytes, 4);
    } else {
        ASSERT(address->size == 16);
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        memcpy(&in6->sin6_addr, address->bytes, 16);
    }
    return storage;
}

static struct env_address env_uv_address_from_system(const struct sockaddr_storage *storage)
{
    struct env_address address = {0};
    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)storage;
        address.size = 4;
        address.port = ntohs(in->sin_port);
        memcpy(address.bytes, &in->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
        address.size = 16;
        address.port = ntohs(in6->sin6_port);
        memcpy(address.bytes, &in6->sin6_addr, 16);
    }
    return address;
}

// ---- Beginning and ending ----------------------------------------------------------------------

static void env_uv_stream_closed(uv_handle_t *handle)
{
    free(env_uv_stream_of_handle(handle));
}

static void env_uv_stream_close_now(struct env_uv_stream *stream)
{
    if (stream->state == STREAM_CLOSING) return;
    stream->state = STREAM_CLOSING;
    env_task_cancel(stream->base.env, &stream->ended_task);
    env_timer_stop(stream->base.env, &stream->timer);
    uv_close((uv_handle_t *)&stream->tcp, env_uv_stream_closed);
}

// For env_uv_destroy().
static void env_uv_stream_close_last(struct env_uv_closer *closer)
{
    env_uv_stream_close_now(CONTAINER_OF(closer, struct env_uv_stream, closer));
}

static struct env_uv_stream *env_uv_stream_create(struct env *env, enum env_uv_stream_state state)
{
    struct env_uv_stream *stream = calloc(1, sizeof *stream);
    ASSERT(stream != NULL);
    stream->base.env = env;
    stream->closer.close = env_uv_stream_close_last;
    stream->state = state;
    // Makes no socket yet, so it cannot fail.
    ASSERT(uv_tcp_init(&env_uv_of(env)->loop, &stream->tcp) == 0);
    stream->tcp.data = &stream->closer;
    return stream;
}

static void env_uv_stream_tell_ended(struct env_uv_stream *stream)
{
    const struct env_stream_events *events = stream->events;
    stream->events = NULL;
    events->ended(stream->context, stream->end_status);
}

static void env_uv_stream_run_ended(struct env_task *task)
{
    env_uv_stream_tell_ended(CONTAINER_OF(task, struct env_uv_stream, ended_task));
}

static void env_uv_stream_end(struct env_uv_stream *stream, enum status status)
{
    ASSERT(stream->state == STREAM_OPEN);
    stream->state = STREAM_ENDED;
    stream->end_status = status;
    (void)uv_read_stop(env_uv_stream_handle(stream));
}

// ---- Reading -----------------------------------------------------------------------------------

static void env_uv_stream_read_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    (void)size;
    struct env_uv *env = env_uv_of_stream(env_uv_stream_of_handle(handle));
    *buffer = uv_buf_init((char *)env->read_buffer, ENV_UV_READ_SIZE);
}

static void env_uv_stream_read_done(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer)
{
    struct env_uv_stream *stream = env_uv_stream_of_handle(handle);
    if (stream->state == STREAM_FLUSHING) {
        if (count < 0) env_uv_stream_close_now(stream);
    } else if (stream->state != STREAM_OPEN) {
        return;
    } else if (count > 0) {
        stream->events->data(stream->context, slice_make(buffer->base, (size_t)count));
    } else if (count < 0) {
        env_uv_stream_end(stream, env_uv_status((int)count));
        env_uv_stream_tell_ended(stream);
    }
}

static void env_uv_stream_read(struct env_uv_stream *stream)
{
    int code = uv_read_start(env_uv_stream_handle(stream), env_uv_stream_read_buffer,
                             env_uv_stream_read_done);
    ASSERT(code == 0 || code == UV_EALREADY);
}

void env_uv_stream_start(struct env_stream *base, const struct env_stream_events *events,
                         void *context)
{
    struct env_uv_stream *stream = env_uv_stream_of(base);
    ASSERT(stream->events == NULL);
    ASSERT(stream->state == STREAM_OPEN || stream->state == STREAM_ENDED);
    stream->events = events;
    stream->context = context;
    if (stream->state == STREAM_ENDED)
        env_task_post(base->env, &stream->ended_task, env_uv_stream_run_ended);
    else if (!stream->paused)
        env_uv_stream_read(stream);
}

void env_uv_stream_pause(struct env_stream *base)
{
    struct env_uv_stream *stream = env_uv_stream_of(base);
    stream->paused = true;
    if (stream->state == STREAM_OPEN) (void)uv_read_stop(env_uv_stream_handle(stream));
}

void env_uv_stream_resume(struct env_stream *base)
{
    struct env_uv_stream *stream = env_uv_stream_of(base);
    stream->paused = false;
    if (stream->state == STREAM_OPEN && stream->events != NULL) env_uv_stream_read(stream);
}

// ---- Writing -----------------------------------------------------------------------------------

static void env_uv_stream_shut_down(uv_shutdown_t *request, int code)
{
    struct env_uv_stream *stream = CONTAINER_OF(request, struct env_uv_stream, shutdown_request);
    // When the other side has closed before us, or the socket is broken, there is nothing more to
    // wait for.
    if (code != 0 || stream->end_status == STATUS_CLOSED) env_uv_stream_close_now(stream);
}

static void env_uv_stream_flush_ended(struct env_timer *timer)
{
    env_uv_stream_close_now(CONTAINER_OF(timer, struct env_uv_stream, timer));
}

static void env_uv_stream_flush(struct env_uv_stream *stream)
{
    stream->state = STREAM_FLUSHING;
    env_timer_start(stream->base.env, &stream->timer, FLUSH_TIMEOUT_NS, env_uv_stream_flush_ended);
    if (stream->end_status != STATUS_CLOSED) env_uv_stream_read(stream);
    // libuv does it behind the writes that are queued.
    int code = uv_shutdown(&stream->shutdown_request, env_uv_stream_handle(stream),
                           env_uv_stream_shut_down);
    if (code != 0) env_uv_stream_close_now(stream);
}

static void env_uv_stream_write_failed(struct env_uv_stream *stream, int code)
{
    env_uv_stream_end(stream, env_uv_status(code));
    if (stream->events != NULL)
        env_task_post(stream->base.env, &stream->ended_task, env_uv_stream_run_ended);
}

static void env_uv_stream_written(uv_write_t *request, int code)
{
    struct env_uv_write *write = CONTAINER_OF(request, struct env_uv_write, request);
    struct env_uv_stream *stream = env_uv_stream_of_handle(request->handle);
    stream->queued -= write->size;
    free(write);
    if (stream->state == STREAM_FLUSHING && code != 0)
        env_uv_stream_close_now(stream);
    else if (stream->state == STREAM_OPEN && code != 0)
        env_uv_stream_write_failed(stream, code);
    else if (stream->state == STREAM_OPEN && stream->queued == 0 && stream->events != NULL)
        stream->events->drained(stream->context);
}

static void env_uv_stream_queue(struct env_uv_stream *stream, struct slice bytes)
{
    struct env_uv_write *write = malloc(sizeof *write + bytes.size);
    ASSERT(write != NULL);
    write->size = bytes.size;
    memcpy(write->bytes, bytes.data, bytes.size);
    uv_buf_t buffer = uv_buf_init((char *)write->bytes, (unsigned)bytes.size);
    int code =
        uv_write(&write->request, env_uv_stream_handle(stream), &buffer, 1, env_uv_stream_written);
    if (code == 0) {
        stream->queued += bytes.size;
        return;
    }
    free(write);
    env_uv_stream_write_failed(stream, code);
}

void env_uv_stream_write(struct env_stream *base, struct slice bytes)
{
    struct env_uv_stream *stream = env_uv_stream_of(base);
    if (stream->state != STREAM_OPEN || bytes.size == 0) return;
    if (stream->queued == 0) {
        uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.size);
        int count = uv_try_write(env_uv_stream_handle(stream), &buffer, 1);
        if (count < 0 && count != UV_EAGAIN) {
            env_uv_stream_write_failed(stream, count);
            return;
        }
        size_t taken = count < 0 ? 0 : (size_t)count;
        bytes = slice_make(bytes.data + taken, bytes.size - taken);
        if (bytes.size == 0) return;
    }
    env_uv_stream_queue(stream, bytes);
}

size_t env_uv_stream_queued(const struct env_stream *stream)
{
    return env_uv_stream_of(stream)->queued;
}

void env_uv_stream_close(struct env_stream *base, bool flush)
{
    struct env_uv_stream *stream = env_uv_stream_of(base);
    ASSERT(stream->state == STREAM_OPEN || stream->state == STREAM_ENDED);
    stream->events = NULL;
    env_task_cancel(base->env, &stream->ended_task);
    // Who has closed its end may still read what was written before.
    bool can_send =
        stream->state == STREAM_OPEN || (stream->end_status == STATUS_CLOSED && stream->queued > 0);
    if (flush && can_send)
        env_uv_stream_flush(stream);
    else
        env_uv_stream_close_now(stream);
}

struct env_address env_uv_stream_peer(const struct env_stream *stream)
{
    return env_uv_stream_of(stream)->peer;
}

// ---- The system's part --------------------------------------------------------------------------

// Little is lost if it fails, as on a socket that is broken already.
static void env_uv_stream_set_option(struct env_uv_stream *stream, int level, int option,
                                     unsigned value)
{
    uv_os_fd_t descriptor;
    if (uv_fileno((uv_handle_t *)&stream->tcp, &descriptor) == 0)
        (void)setsockopt(descriptor, level, option, &value, sizeof value);
}

// A machine that lost its power, or a gateway that forgot the connection, never says so: whoever
// only waits for it would wait for ever. How long an idle one may be silent is the system's setting
// (net.ipv4.tcp_keepalive_time), as with Cassandra.
static void env_uv_stream_set_up(struct env_uv_stream *stream)
{
    (void)uv_tcp_nodelay(&stream->tcp, 1);
    env_uv_stream_set_option(stream, SOL_SOCKET, SO_KEEPALIVE, 1);
}

void env_uv_stream_limit_silence(struct env_stream *stream, uint64_t longest_ns)
{
    env_uv_stream_set_option(env_uv_stream_of(stream), IPPROTO_TCP, TCP_USER_TIMEOUT,
                             (unsigned)(longest_ns / 1000000));
}

// ---- Connecting --------------------------------------------------------------------------------

static void env_uv_stream_connect_failed(struct env_uv_stream *stream, enum status status)
{
    env_uv_stream_close_now(stream);
    stream->connected(stream->connected_context, status, NULL);
}

static void env_uv_stream_connect_timed_out(struct env_timer *timer)
{
    env_uv_stream_connect_failed(CONTAINER_OF(timer, struct env_uv_stream, timer),
                                 STATUS_TIMED_OUT);
}

static void env_uv_stream_connect_done(uv_connect_t *request, int code)
{
    struct env_uv_stream *stream = CONTAINER_OF(request, struct env_uv_stream, connect_request);
    if (stream->state != STREAM_CONNECTING) return; // Timed out, or given up, before.
    if (code != 0) {
        env_uv_stream_connect_failed(stream, env_uv_status(code));
        return;
    }
    env_timer_stop(stream->base.env, &stream->timer);
    stream->state = STREAM_OPEN;
    stream->connected(stream->connected_context, STATUS_OK, &stream->base);
}

static void env_uv_stream_connect_refused(struct env_task *task)
{
    struct env_uv_stream *stream = CONTAINER_OF(task, struct env_uv_stream, ended_task);
    env_uv_stream_connect_failed(stream, env_uv_status(stream->connect_code));
}

struct env_connect *
env_uv_connect(struct env *env, const struct env_address *address, uint64_t timeout_ns,
               void (*connected)(void *context, enum status status, struct env_stream *stream),
               void *context)
{
    struct env_uv_stream *stream = env_uv_stream_create(env, STREAM_CONNECTING);
    stream->peer = *address;
    stream->connect.env = env;
    stream->connected = connected;
    stream->connected_context = context;
    struct sockaddr_storage storage = env_uv_address_to_system(address);
    stream->connect_code =
        uv_tcp_connect(&stream->connect_request, &stream->tcp, (const struct sockaddr *)&storage,
                       env_uv_stream_connect_done);
    if (stream->connect_code != 0) {
        // Not inside the call of the owner.
        env_task_post(env, &stream->ended_task, env_uv_stream_connect_refused);
        return &stream->connect;
    }
    env_uv_stream_set_up(stream);
    env_timer_start(env, &stream->timer, timeout_ns, env_uv_stream_connect_timed_out);
    return &stream->connect;
}

void env_uv_connect_cancel(struct env_connect *connect)
{
    env_uv_stream_close_now(CONTAINER_OF(connect, struct env_uv_stream, connect));
}

// ---- Listening ---------------------------------------------------------------------------------

struct env_uv_listener {
    struct env_listener base;
    struct env_uv_closer closer;
    uv_tcp_t tcp;
    struct env_address address;
    void (*accepted)(void *context, struct env_stream *stream);
    void *context;
};

static void env_uv_listener_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct env_uv_listener, tcp));
}

static void env_uv_listener_close_last(struct env_uv_closer *closer)
{
    struct env_uv_listener *listener = CONTAINER_OF(closer, struct env_uv_listener, closer);
    uv_close((uv_handle_t *)&listener->tcp, env_uv_listener_closed);
}

void env_uv_listener_close(struct env_listener *base)
{
    struct env_uv_listener *listener = CONTAINER_OF(base, struct env_uv_listener, base);
    env_uv_listener_close_last(&listener->closer);
}

// Clients may not take the last descriptors: a log that cannot open its next file is at its end.
// The system gives the lowest free one, so its number tells how many are in use.
static bool env_uv_stream_takes_too_much(struct env_uv_stream *stream)
{
    uv_os_fd_t descriptor;
    return uv_fileno((uv_handle_t *)&stream->tcp, &descriptor) != 0 ||
           descriptor >= env_uv_of_stream(stream)->accepted_descriptor_end;
}

static void env_uv_listener_accepts(uv_stream_t *handle, int code)
{
    struct env_uv_listener *listener = CONTAINER_OF(handle, struct env_uv_listener, tcp);
    // Out of descriptors, or the other side gave up: the next may do better.
    if (code != 0) return;
    struct env_uv_stream *stream = env_uv_stream_create(listener->base.env, STREAM_OPEN);
    struct sockaddr_storage storage = {0};
    int storage_size = sizeof storage;
    if (uv_accept(handle, env_uv_stream_handle(stream)) != 0 ||
        env_uv_stream_takes_too_much(stream) ||
        uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&storage, &storage_size) != 0) {
        env_uv_stream_close_now(stream);
        return;
    }
    env_uv_stream_set_up(stream);
    stream->peer = env_uv_address_from_system(&storage);
    listener->accepted(listener->context, &stream->base);
    ASSERT(stream->events != NULL || stream->state != STREAM_OPEN);
}

static enum status env_uv_listen_error(struct error *error, const struct env_address *address,
                                       int code)
{
    char text[ENV_ADDRESS_TEXT_SIZE];
    env_address_format(address, text);
    switch (code) {
    case UV_EADDRINUSE:
        return error_set(error, STATUS_IN_USE, "%s: the port is taken by another program", text);
    case UV_EADDRNOTAVAIL:
        return error_set(error, STATUS_IO, "%s: not an address of this machine", text);
    case UV_EACCES:
        return error_set(error, STATUS_IO, "%s: not allowed to use this port", text);
    default:
        return error_set(error, STATUS_IO, "%s: cannot listen: %s", text, uv_strerror(code));
    }
}

enum status env_uv_listen(struct env *env, const struct env_address *address,
                          void (*accepted)(void *context, struct env_stream *stream), void *context,
                          struct env_listener **created, struct error *error)
{
    struct env_uv_listener *listener = calloc(1, sizeof *listener);
    ASSERT(listener != NULL);
    listener->base.env = env;
    listener->closer.close = env_uv_listener_close_last;
    listener->accepted = accepted;
    listener->context = context;
    ASSERT(uv_tcp_init(&env_uv_of(env)->loop, &listener->tcp) == 0);
    listener->tcp.data = &listener->closer;

    struct sockaddr_storage storage = env_uv_address_to_system(address);
    int storage_size = sizeof storage;
    // It sets SO_REUSEADDR, and leaves it to uv_listen() to say that the port is taken.
    int code = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)&storage,
                           address->size == 4 ? 0 : UV_TCP_IPV6ONLY);
    if (code == 0)
        code = uv_listen((uv_stream_t *)&listener->tcp, LISTEN_BACKLOG, env_uv_listener_accepts);
    if (code == 0)
        code = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&storage, &storage_size);
    if (code != 0) {
        env_uv_listener_close_last(&listener->closer);
        return env_uv_listen_error(error, address, code);
    }
    listener->address = env_uv_address_from_system(&storage);
    *created = &listener->base;
    return STATUS_OK;
}

struct env_address env_uv_listener_address(const struct env_listener *base)
{
    return ((const struct env_uv_listener *)(const void *)base)->address;
}
