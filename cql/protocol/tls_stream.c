#include "cql/protocol/tls_stream.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "base/container_of.h"
#include "base/env_ops.h"
#include "base/limits.h"
#include "cql/protocol/tls_internal.h"

#include <stdlib.h>

enum {
    RECORD_HANDSHAKE = 0x16,
    // Of one SSL_write(): several records, sent by one call of the system.
    WRITE_SIZE = 4 * TLS_RECORD_SIZE - 1024,
    // What is written before a handshake's end, or kept of what came: a request or two, one read.
    EARLY_SIZE_MAX = 64 * 1024 * 1024,
    KEPT_SIZE_MAX = 1024 * 1024,
};

enum tls_state {
    TLS_UNKNOWN, // Nothing has come that would say whether it is TLS.
    TLS_HANDSHAKE,
    TLS_OPEN,
    TLS_PLAIN,
    TLS_ENDED // Nothing is read or written any more.
};

struct tls_stream {
    struct env_stream base;
    struct tls *tls;
    struct env_stream *under; // NULL: closed.
    struct env_address peer;
    SSL *ssl; // NULL: UNKNOWN, PLAIN.
    enum tls_state state;
    bool is_paused, is_closed; // By the owner.
    bool is_told;              // The owner knows that it has ended.
    bool has_begun;            // Something came.
    int depth;                 // Of calls that go on with it when the owner's have returned.
    size_t unasked_size;       // Sent since the handshake without anything written.
    struct buffer kept;        // Came, and was not looked at because of a pause.
    struct buffer early;       // Written before the handshake's end.
    struct env_timer timer;    // The handshake's.
    struct tls_stream *next_handshake, **handshake_place; // In the `tls`, if it has begun.
    struct env_task task;
    enum status end_status;
    const struct env_stream_events *events;
    void *context;
};

static const struct env_ops stream_ops;

static struct tls_stream *tls_stream_of(const struct env_stream *stream)
{
    return (struct tls_stream *)(uintptr_t)stream;
}

// ---- Handshakes --------------------------------------------------------------------------------

static void join_handshakes(struct tls_stream *stream)
{
    struct tls *tls = stream->tls;
    stream->handshake_place = tls->last_handshake;
    *tls->last_handshake = stream;
    tls->last_handshake = &stream->next_handshake;
    tls->handshake_count++;
}

static void leave_handshakes(struct tls_stream *stream)
{
    struct tls *tls = stream->tls;
    if (stream->handshake_place == NULL) return;
    *stream->handshake_place = stream->next_handshake;
    if (stream->next_handshake != NULL)
        stream->next_handshake->handshake_place = stream->handshake_place;
    else
        tls->last_handshake = stream->handshake_place;
    stream->next_handshake = NULL;
    stream->handshake_place = NULL;
    tls->handshake_count--;
}

// ---- The end ------------------------------------------------------------------------------------

static void free_if_unused(struct tls_stream *stream)
{
    if (!stream->is_closed || stream->depth > 0) return;
    leave_handshakes(stream);
    env_task_cancel(stream->tls->env, &stream->task);
    env_timer_stop(stream->tls->env, &stream->timer);
    if (stream->ssl != NULL) stream->tls->library.SSL_free(stream->ssl);
    buffer_deinit(&stream->kept);
    buffer_deinit(&stream->early);
    stream->tls->stream_count--;
    free(stream);
}

// Sends what the library has for the other side. Returns how much that was.
static size_t send_output(struct tls_stream *stream)
{
    struct tls *tls = stream->tls;
    size_t sent = 0;
    int size;
    while ((size = tls->library.BIO_read(tls->output, tls->cipher, sizeof tls->cipher)) > 0) {
        if (stream->under != NULL)
            env_stream_write(stream->under, slice_make(tls->cipher, (size_t)size));
        sent += (size_t)size;
    }
    return sent;
}

static void run_task(struct env_task *task);

static void post(struct tls_stream *stream)
{
    env_task_post(stream->tls->env, &stream->task, run_task);
}

static void tell_ended(struct tls_stream *stream)
{
    if (stream->is_told || stream->is_closed || stream->events == NULL) return;
    stream->is_told = true;
    stream->depth++;
    stream->events->ended(stream->context, stream->end_status);
    stream->depth--;
}

// No more comes or goes; the stream below sends what it has. The owner hears of it in a later turn
// unless the caller tells it.
static void end(struct tls_stream *stream, enum status status)
{
    if (stream->state == TLS_ENDED) return;
    stream->state = TLS_ENDED;
    stream->end_status = status;
    leave_handshakes(stream);
    env_timer_stop(stream->tls->env, &stream->timer);
    buffer_deinit(&stream->kept);
    buffer_deinit(&stream->early);
    if (stream->under != NULL) env_stream_close(stream->under, true);
    stream->under = NULL;
    post(stream);
}

static void fail(struct tls_stream *stream, enum status status, const char *why)
{
    if (stream->state == TLS_ENDED) return;
    const char *what = stream->state == TLS_OPEN ? "the connection failed" : "no handshake";
    tls_tell(stream->tls, &stream->peer, what, why);
    end(stream, status);
}

// What the library says to a call that was not done.
static void fail_by_library(struct tls_stream *stream, int code)
{
    const struct tls_library *library = &stream->tls->library;
    long verified = library->SSL_get_verify_result(stream->ssl);
    unsigned long reason = library->ERR_peek_error();
    (void)send_output(stream); // The alert that tells the other side.
    if (code == SSL_ERROR_SSL && ERR_GET_REASON(reason) == SSL_R_CERTIFICATE_VERIFY_FAILED &&
        verified != X509_V_OK) {
        library->ERR_clear_error();
        fail(stream, STATUS_REFUSED, library->X509_verify_cert_error_string(verified));
    } else {
        fail(stream, STATUS_MALFORMED, tls_library_reason(library));
    }
}

static void timed_out(struct env_timer *timer)
{
    struct tls_stream *stream = CONTAINER_OF(timer, struct tls_stream, timer);
    stream->depth++;
    fail(stream, STATUS_TIMED_OUT, "it was not done in time");
    tell_ended(stream);
    stream->depth--;
    free_if_unused(stream);
}

// ---- Writing ------------------------------------------------------------------------------------

static void write_records(struct tls_stream *stream, struct slice bytes)
{
    const struct tls_library *library = &stream->tls->library;
    while (bytes.size > 0 && stream->state == TLS_OPEN) {
        int size = (int)(bytes.size < WRITE_SIZE ? bytes.size : WRITE_SIZE);
        library->ERR_clear_error();
        int written = library->SSL_write(stream->ssl, bytes.data, size);
        if (written <= 0) {
            fail_by_library(stream, library->SSL_get_error(stream->ssl, written));
            return;
        }
        (void)send_output(stream);
        bytes = slice_make(bytes.data + written, bytes.size - (size_t)written);
    }
}

static void stream_write(struct env_stream *base, struct slice bytes)
{
    struct tls_stream *stream = tls_stream_of(base);
    if (stream->state == TLS_PLAIN) {
        env_stream_write(stream->under, bytes);
    } else if (stream->state == TLS_OPEN) {
        write_records(stream, bytes);
    } else if (stream->state != TLS_ENDED) {
        buffer_put(&stream->early, bytes.data, bytes.size);
        if (stream->early.overflow)
            fail(stream, STATUS_OVERLOADED, "too much was written before it");
    }
}

// Some owners never write so much that they would ask.
static void tell_drained(struct tls_stream *stream)
{
    if (stream->events->drained != NULL) stream->events->drained(stream->context);
}

static void write_early(struct tls_stream *stream)
{
    struct buffer early = stream->early;
    buffer_init(&stream->early, EARLY_SIZE_MAX);
    bool any = early.size > 0;
    if (any) stream_write(&stream->base, buffer_slice(&early));
    buffer_deinit(&early);
    if (any && stream->state != TLS_ENDED && env_stream_queued(stream->under) == 0)
        tell_drained(stream);
}

static size_t stream_queued(const struct env_stream *base)
{
    const struct tls_stream *stream = tls_stream_of(base);
    return stream->early.size + (stream->under == NULL ? 0 : env_stream_queued(stream->under));
}

// ---- Reading ------------------------------------------------------------------------------------

static void make_session(struct tls_stream *stream)
{
    struct tls *tls = stream->tls;
    const struct tls_library *library = &tls->library;
    stream->ssl = library->SSL_new(tls->context);
    ASSERT(stream->ssl != NULL);
    (void)library->BIO_up_ref(tls->input);
    library->SSL_set0_rbio(stream->ssl, tls->input);
    (void)library->BIO_up_ref(tls->output);
    library->SSL_set0_wbio(stream->ssl, tls->output);
    if (!tls->is_client) {
        library->SSL_set_accept_state(stream->ssl);
        return;
    }
    library->SSL_set_connect_state(stream->ssl);
    if (tls->checks_address)
        (void)library->X509_VERIFY_PARAM_set1_ip(library->SSL_get0_param(stream->ssl),
                                                 stream->peer.bytes, stream->peer.size);
}

static void await_handshake(struct tls_stream *stream)
{
    stream->state = TLS_HANDSHAKE;
    env_timer_start(stream->tls->env, &stream->timer, TLS_HANDSHAKE_TIMEOUT_NS, timed_out);
}

// Until now it had no memory to speak of. It is the newest, which is not the one to go.
static void begin_handshake(struct tls_stream *stream)
{
    struct tls *tls = stream->tls;
    make_session(stream);
    join_handshakes(stream);
    if (tls->handshake_count > tls->handshakes_max)
        fail(tls->first_handshake, STATUS_OVERLOADED, "too many others have begun since");
}

static void go_on_with_handshake(struct tls_stream *stream)
{
    const struct tls_library *library = &stream->tls->library;
    library->ERR_clear_error();
    int done = library->SSL_do_handshake(stream->ssl);
    if (done == 1) {
        (void)send_output(stream);
        stream->state = TLS_OPEN;
        leave_handshakes(stream);
        env_timer_stop(stream->tls->env, &stream->timer);
        write_early(stream);
        return;
    }
    int code = library->SSL_get_error(stream->ssl, done);
    if (code == SSL_ERROR_WANT_READ)
        (void)send_output(stream);
    else
        fail_by_library(stream, code);
}

// Everything that was read into `tls->input`, record by record, as long as the owner takes it.
static void read_records(struct tls_stream *stream)
{
    struct tls *tls = stream->tls;
    const struct tls_library *library = &tls->library;
    while (stream->state == TLS_OPEN && !stream->is_paused && !stream->is_closed) {
        library->ERR_clear_error();
        int size = library->SSL_read(stream->ssl, tls->plain, sizeof tls->plain);
        if (size <= 0) {
            int code = library->SSL_get_error(stream->ssl, size);
            if (code == SSL_ERROR_ZERO_RETURN) {
                (void)library->SSL_shutdown(stream->ssl);
                (void)send_output(stream);
                end(stream, STATUS_CLOSED);
            } else if (code != SSL_ERROR_WANT_READ) {
                fail_by_library(stream, code);
            }
        }
        stream->unasked_size += send_output(stream);
        if (stream->unasked_size > TLS_UNASKED_SIZE_MAX)
            fail(stream, STATUS_MALFORMED, "the client wants more alerts than it sends requests");
        if (size <= 0) return;
        stream->events->data(stream->context, slice_make(tls->plain, (size_t)size));
    }
}

// Below it is paused: there is not more than was read at once.
static void fail_if_too_much_is_kept(struct tls_stream *stream)
{
    if (stream->kept.overflow) fail(stream, STATUS_OVERLOADED, "more came than can wait");
}

// What the library has not taken stays with the stream if it goes on, and is gone if not.
static void take_input_back(struct tls_stream *stream)
{
    struct tls *tls = stream->tls;
    bool goes_on = stream->state != TLS_ENDED && !stream->is_closed;
    int size;
    while ((size = tls->library.BIO_read(tls->input, tls->cipher, sizeof tls->cipher)) > 0)
        if (goes_on) buffer_put(&stream->kept, tls->cipher, (size_t)size);
    fail_if_too_much_is_kept(stream);
}

static void take_bytes(struct tls_stream *stream, struct slice bytes)
{
    struct tls *tls = stream->tls;
    if (stream->state == TLS_UNKNOWN && bytes.data[0] == RECORD_HANDSHAKE) {
        await_handshake(stream);
    } else if (stream->state == TLS_UNKNOWN) {
        stream->state = TLS_PLAIN;
        write_early(stream);
    }
    if (stream->state == TLS_PLAIN) {
        stream->events->data(stream->context, bytes);
        return;
    }
    bool is_first = !stream->has_begun;
    stream->has_begun = true;
    if (is_first && !tls->is_client && bytes.data[0] != RECORD_HANDSHAKE) {
        fail(stream, STATUS_MALFORMED, "the client does not speak TLS");
        return;
    }
    if (stream->ssl == NULL) begin_handshake(stream);
    ASSERT(tls->library.BIO_write(tls->input, bytes.data, (int)bytes.size) == (int)bytes.size);
    if (stream->state == TLS_HANDSHAKE) go_on_with_handshake(stream);
    read_records(stream);
    take_input_back(stream);
}

static void on_data(void *context, struct slice bytes)
{
    struct tls_stream *stream = context;
    stream->depth++;
    if (stream->kept.size > 0)
        buffer_put(&stream->kept, bytes.data, bytes.size);
    else if (bytes.size > 0 && stream->state != TLS_ENDED)
        take_bytes(stream, bytes);
    fail_if_too_much_is_kept(stream);
    if (stream->state == TLS_ENDED) tell_ended(stream);
    stream->depth--;
    free_if_unused(stream);
}

static void on_drained(void *context)
{
    struct tls_stream *stream = context;
    if (stream->state != TLS_OPEN && stream->state != TLS_PLAIN) return;
    stream->depth++;
    tell_drained(stream);
    stream->depth--;
    free_if_unused(stream);
}

static void on_ended(void *context, enum status status)
{
    struct tls_stream *stream = context;
    stream->depth++;
    if (stream->state == TLS_HANDSHAKE)
        tls_tell(stream->tls, &stream->peer, "no handshake", "the other side closed");
    end(stream, status);
    tell_ended(stream);
    stream->depth--;
    free_if_unused(stream);
}

// What the owner's call could not do itself: tell of an end, hand over what a pause kept.
static void run_task(struct env_task *task)
{
    struct tls_stream *stream = CONTAINER_OF(task, struct tls_stream, task);
    stream->depth++;
    if (stream->kept.size > 0 && !stream->is_paused) {
        struct buffer kept = stream->kept;
        buffer_init(&stream->kept, KEPT_SIZE_MAX);
        take_bytes(stream, buffer_slice(&kept));
        buffer_deinit(&kept);
    }
    if (stream->state == TLS_ENDED) tell_ended(stream);
    if (stream->under != NULL && !stream->is_paused && stream->kept.size == 0)
        env_stream_resume(stream->under);
    stream->depth--;
    free_if_unused(stream);
}

// ---- The owner's calls --------------------------------------------------------------------------

static void stream_start(struct env_stream *base, const struct env_stream_events *events,
                         void *context)
{
    static const struct env_stream_events own = {on_data, on_drained, on_ended};
    struct tls_stream *stream = tls_stream_of(base);
    stream->events = events;
    stream->context = context;
    if (stream->state == TLS_HANDSHAKE) await_handshake(stream);
    if (stream->tls->is_client) {
        begin_handshake(stream);
        go_on_with_handshake(stream);
    }
    if (stream->under != NULL) env_stream_start(stream->under, &own, stream);
}

static void stream_pause(struct env_stream *base)
{
    struct tls_stream *stream = tls_stream_of(base);
    stream->is_paused = true;
    if (stream->under != NULL) env_stream_pause(stream->under);
}

static void stream_resume(struct env_stream *base)
{
    struct tls_stream *stream = tls_stream_of(base);
    stream->is_paused = false;
    if (stream->kept.size > 0)
        post(stream);
    else if (stream->under != NULL)
        env_stream_resume(stream->under);
}

static void stream_close(struct env_stream *base, bool flush)
{
    struct tls_stream *stream = tls_stream_of(base);
    ASSERT(!stream->is_closed);
    if (stream->state == TLS_OPEN && flush) {
        stream->tls->library.ERR_clear_error();
        (void)stream->tls->library.SSL_shutdown(stream->ssl);
        (void)send_output(stream);
    }
    if (stream->under != NULL) env_stream_close(stream->under, flush);
    stream->under = NULL;
    stream->state = TLS_ENDED;
    stream->is_closed = true;
    free_if_unused(stream);
}

static struct env_address stream_peer(const struct env_stream *base)
{
    return tls_stream_of(base)->peer;
}

// Streams are all that it makes.
static const struct env_ops stream_ops = {
    .stream_start = stream_start,
    .stream_write = stream_write,
    .stream_queued = stream_queued,
    .stream_pause = stream_pause,
    .stream_resume = stream_resume,
    .stream_close = stream_close,
    .stream_peer = stream_peer,
};

static struct env_stream *create(struct tls *tls, struct env_stream *under, enum tls_state state)
{
    struct tls_stream *stream = calloc(1, sizeof *stream);
    ASSERT(stream != NULL);
    tls->stream_env.ops = &stream_ops;
    tls->stream_count++;
    stream->base.env = &tls->stream_env;
    stream->tls = tls;
    stream->under = under;
    stream->peer = env_stream_peer(under);
    stream->state = state;
    buffer_init(&stream->kept, KEPT_SIZE_MAX);
    buffer_init(&stream->early, EARLY_SIZE_MAX);
    return &stream->base;
}

struct env_stream *tls_stream_accept(struct tls *tls, struct env_stream *under, bool is_optional)
{
    ASSERT(!tls->is_client);
    tls_refresh(tls);
    return create(tls, under, is_optional ? TLS_UNKNOWN : TLS_HANDSHAKE);
}

struct env_stream *tls_stream_connect(struct tls *tls, struct env_stream *under)
{
    ASSERT(tls->is_client);
    return create(tls, under, TLS_HANDSHAKE);
}

bool tls_stream_describe(const struct env_stream *base, const char **protocol, const char **cipher)
{
    const struct tls_stream *stream = tls_stream_of(base);
    if (base->env->ops != &stream_ops || stream->state != TLS_OPEN) return false;
    const struct tls_library *library = &stream->tls->library;
    *protocol = library->SSL_get_version(stream->ssl);
    *cipher = library->SSL_CIPHER_standard_name(library->SSL_get_current_cipher(stream->ssl));
    return true;
}
