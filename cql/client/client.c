#include "cql/client/client.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/protocol/message.h"
#include "cql/protocol/tls_stream.h"

#include <stdlib.h>

#define TIMEOUT_DEFAULT_NS (10ull * 1000 * 1000 * 1000)

enum client_state { CLIENT_CONNECTING, CLIENT_STARTING, CLIENT_READY, CLIENT_BROKEN };

struct cql_client {
    struct env *env;
    struct cql_client_options options;
    enum client_state state;
    struct env_stream *stream; // NULL before it is there and when it is gone.
    bool is_closed;            // By the owner, while env_connect() or a callback was under way.
    bool is_in_connect;        // env_connect() will call.
    bool has_sent_login;       // STARTING: AUTH_RESPONSE.
    int callback_depth;        // Of calls into the owner.
    struct frame_reader reader;
    struct frame_writer writer;
    struct env_task task;                 // Writes what collected; tells a fault.
    struct env_timer timer;               // Of silence.
    bool has_heard;                       // Something came since the timer was started.
    struct cql_client_request **requests; // By stream.
    int16_t *free_streams;                // A stack.
    size_t free_count;
    struct arena arena; // Of one answer.
    enum status fault;  // BROKEN: why.
    struct error error;
    void (*connected)(void *context, enum status status, const struct error *error); // Once.
    void *context;
    void (*event)(void *context, const struct answer *answer);
    void *event_context;
};

// ---- Life --------------------------------------------------------------------------------------

static void destroy(struct cql_client *client)
{
    env_task_cancel(client->env, &client->task);
    env_timer_stop(client->env, &client->timer);
    frame_reader_deinit(&client->reader);
    frame_writer_deinit(&client->writer);
    arena_deinit(&client->arena);
    free(client->requests);
    free(client->free_streams);
    free(client);
}

static void destroy_if_unused(struct cql_client *client)
{
    if (client->is_closed && !client->is_in_connect && client->callback_depth == 0) destroy(client);
}

void cql_client_close(struct cql_client *client)
{
    ASSERT(!client->is_closed);
    client->is_closed = true;
    client->state = CLIENT_BROKEN;
    if (client->stream != NULL) env_stream_close(client->stream, false);
    client->stream = NULL;
    env_timer_stop(client->env, &client->timer);
    destroy_if_unused(client);
}

static void tell_connected(struct cql_client *client, enum status status)
{
    void (*connected)(void *, enum status, const struct error *) = client->connected;
    client->connected = NULL;
    if (connected == NULL || client->is_closed) return;
    client->callback_depth++;
    connected(client->context, status, &client->error);
    client->callback_depth--;
}

static void end_request(struct cql_client *client, int16_t stream, enum status status,
                        const struct answer *answer)
{
    struct cql_client_request *request = client->requests[stream];
    client->requests[stream] = NULL;
    client->free_streams[client->free_count++] = stream;
    client->callback_depth++;
    request->done(request, status, answer);
    client->callback_depth--;
}

static void run_task(struct env_task *task);

static void post(struct cql_client *client)
{
    env_task_post(client->env, &client->task, run_task);
}

static void fail(struct cql_client *client, enum status status, const char *why)
{
    if (client->state == CLIENT_BROKEN) return;
    client->state = CLIENT_BROKEN;
    client->fault = status;
    char address[ENV_ADDRESS_TEXT_SIZE];
    env_address_format(&client->options.address, address);
    (void)error_set(&client->error, status, "%s: %s", address, why);
    if (client->stream != NULL) env_stream_close(client->stream, false);
    client->stream = NULL;
    env_timer_stop(client->env, &client->timer);
    post(client); // Whoever waits hears of it there, outside of any call of theirs.
}

static void run_task(struct env_task *task)
{
    struct cql_client *client = CONTAINER_OF(task, struct cql_client, task);
    if (client->stream != NULL && frame_writer_size(&client->writer) > 0) {
        env_stream_write(client->stream, frame_writer_take(&client->writer));
        frame_writer_clear(&client->writer);
    }
    if (client->state != CLIENT_BROKEN) return;
    client->callback_depth++;
    tell_connected(client, client->fault);
    for (size_t i = 0; i < client->options.in_flight_max && !client->is_closed; i++)
        if (client->requests[i] != NULL) end_request(client, (int16_t)i, client->fault, NULL);
    client->callback_depth--;
    destroy_if_unused(client);
}

static void timer_fired(struct env_timer *timer)
{
    struct cql_client *client = CONTAINER_OF(timer, struct cql_client, timer);
    bool waits = client->state != CLIENT_READY || cql_client_in_flight(client) > 0;
    if (waits && !client->has_heard) {
        fail(client, STATUS_TIMED_OUT, "no answer in time");
        return;
    }
    client->has_heard = false;
    env_timer_start(client->env, timer, client->options.timeout_ns, timer_fired);
}

// ---- Answers -----------------------------------------------------------------------------------

// From the answer to STARTUP on, which itself comes as it always did.
static void change_framing(struct cql_client *client)
{
    if (client->options.version >= 5) {
        frame_reader_set_segmented(&client->reader, client->options.lz4);
        frame_writer_set_segmented(&client->writer, client->options.lz4);
    } else if (client->options.lz4) {
        frame_writer_set_lz4(&client->writer);
    }
}

static void put_login(struct cql_client *client)
{
    struct buffer *body = frame_writer_begin(&client->writer, 0, 0, OPCODE_AUTH_RESPONSE);
    size_t user_size = strlen(client->options.user), size = strlen(client->options.password);
    buffer_put_u32(body, (uint32_t)(user_size + size + 2));
    buffer_put_u8(body, 0); // On nobody's behalf but its own.
    buffer_put(body, client->options.user, user_size);
    buffer_put_u8(body, 0);
    buffer_put(body, client->options.password, size);
    ASSERT(frame_writer_end(&client->writer));
    client->has_sent_login = true;
    post(client);
}

static void take_startup_answer(struct cql_client *client, const struct answer *answer)
{
    bool asks = answer->opcode == OPCODE_AUTHENTICATE && !client->has_sent_login;
    if (asks && client->options.user != NULL) {
        change_framing(client);
        put_login(client);
        return;
    }
    bool is_ready = answer->opcode == (client->has_sent_login ? OPCODE_AUTH_SUCCESS : OPCODE_READY);
    if (!is_ready) {
        char why[256] = "it wants a login";
        if (answer->opcode == OPCODE_ERROR) {
            size_t size =
                answer->error_text.size < sizeof why - 1 ? answer->error_text.size : sizeof why - 1;
            memcpy(why, answer->error_text.data, size);
            why[size] = '\0';
        }
        fail(client, STATUS_REFUSED, why);
        return;
    }
    if (!client->has_sent_login) change_framing(client);
    client->state = CLIENT_READY;
    tell_connected(client, STATUS_OK);
}

static void take_answer(struct cql_client *client, const struct frame *frame,
                        const struct answer *answer)
{
    if (client->state == CLIENT_STARTING) {
        take_startup_answer(client, answer);
        return;
    }
    if (frame->stream < 0) {
        if (client->event == NULL || answer->opcode != OPCODE_EVENT) return;
        client->callback_depth++;
        client->event(client->event_context, answer);
        client->callback_depth--;
        return;
    }
    if ((size_t)frame->stream >= client->options.in_flight_max ||
        client->requests[frame->stream] == NULL) {
        fail(client, STATUS_MALFORMED, "an answer to nothing that was asked");
        return;
    }
    end_request(client, frame->stream, STATUS_OK, answer);
}

static void on_data(void *context, struct slice bytes)
{
    struct cql_client *client = context;
    client->has_heard = true;
    frame_reader_push(&client->reader, bytes);
    client->callback_depth++;
    while (client->state != CLIENT_BROKEN) {
        struct frame frame;
        struct answer answer;
        struct error error;
        enum frame_event event = frame_reader_next(&client->reader, &frame);
        if (event == FRAME_NONE) break;
        if (event != FRAME_READY)
            fail(client, STATUS_MALFORMED,
                 event == FRAME_BROKEN ? client->reader.fault : "it speaks no CQL that we know");
        else if (!frame.is_response)
            fail(client, STATUS_MALFORMED, "it sends requests");
        else if (answer_decode(&frame, &client->arena, &answer, &error) != STATUS_OK)
            fail(client, STATUS_MALFORMED, error.text);
        else
            take_answer(client, &frame, &answer);
        arena_reset(&client->arena);
    }
    frame_reader_park(&client->reader);
    client->callback_depth--;
    destroy_if_unused(client);
}

static void on_drained(void *context)
{
    (void)context;
}

static void on_ended(void *context, enum status status)
{
    fail(context, status == STATUS_OK ? STATUS_CLOSED : status, status_text(status));
}

// ---- Requests ----------------------------------------------------------------------------------

static void put_startup(struct cql_client *client)
{
    struct buffer *body = frame_writer_begin(&client->writer, 0, 0, OPCODE_STARTUP);
    buffer_put_u16(body, client->options.lz4 ? 2 : 1);
    message_put_string(body, slice_of_text("CQL_VERSION"));
    message_put_string(body, slice_of_text("3.0.0"));
    if (client->options.lz4) {
        message_put_string(body, slice_of_text("COMPRESSION"));
        message_put_string(body, slice_of_text("lz4"));
    }
    ASSERT(frame_writer_end(&client->writer));
    post(client);
}

static void on_connected(void *context, enum status status, struct env_stream *stream)
{
    static const struct env_stream_events events = {on_data, on_drained, on_ended};
    struct cql_client *client = context;
    client->is_in_connect = false;
    if (client->state == CLIENT_BROKEN) { // Timed out, or closed by the owner.
        if (stream != NULL) env_stream_close(stream, false);
        destroy_if_unused(client);
        return;
    }
    if (status != STATUS_OK) {
        fail(client, status, status_text(status));
        return;
    }
    client->stream =
        client->options.tls == NULL ? stream : tls_stream_connect(client->options.tls, stream);
    client->state = CLIENT_STARTING;
    env_stream_start(client->stream, &events, client);
    put_startup(client);
    // v4 servers may compress the answer to STARTUP already.
    if (client->options.lz4 && client->options.version < 5) frame_reader_set_lz4(&client->reader);
}

struct cql_client *cql_client_create(struct env *env, const struct cql_client_options *options,
                                     void (*connected)(void *context, enum status status,
                                                       const struct error *error),
                                     void *context)
{
    ASSERT(options->in_flight_max >= 1 && options->in_flight_max <= INT16_MAX);
    ASSERT(options->version >= FRAME_VERSION_MIN && options->version <= FRAME_VERSION_MAX);
    ASSERT(options->user == NULL || options->password != NULL);
    struct cql_client *client = calloc(1, sizeof *client);
    ASSERT(client != NULL);
    client->env = env;
    client->options = *options;
    if (client->options.timeout_ns == 0) client->options.timeout_ns = TIMEOUT_DEFAULT_NS;
    client->connected = connected;
    client->context = context;
    frame_reader_init(&client->reader, CQL_RESPONSE_SIZE_MAX);
    frame_writer_init(&client->writer, (uint8_t)options->version, 2 * (size_t)CQL_FRAME_SIZE_MAX);
    arena_init(&client->arena, 4096);
    client->requests = calloc(options->in_flight_max, sizeof(struct cql_client_request *));
    client->free_streams = calloc(options->in_flight_max, sizeof *client->free_streams);
    ASSERT(client->requests != NULL && client->free_streams != NULL);
    for (size_t i = options->in_flight_max; i > 0; i--)
        client->free_streams[client->free_count++] = (int16_t)(i - 1);
    client->is_in_connect = true;
    env_connect(env, &options->address, client->options.timeout_ns, on_connected, client);
    env_timer_start(env, &client->timer, client->options.timeout_ns, timer_fired);
    return client;
}

size_t cql_client_in_flight(const struct cql_client *client)
{
    return client->options.in_flight_max - client->free_count;
}

// Begins a request's envelope. OK: `*body` takes its body; end_envelope() follows.
static enum status begin_envelope(struct cql_client *client, uint8_t opcode, struct buffer **body)
{
    if (client->state != CLIENT_READY) return STATUS_CLOSED;
    if (client->free_count == 0) return STATUS_OVERLOADED;
    if (frame_writer_size(&client->writer) > CQL_FRAME_SIZE_MAX) return STATUS_OVERLOADED;
    int16_t stream = client->free_streams[client->free_count - 1];
    *body = frame_writer_begin(&client->writer, 0, stream, opcode);
    return STATUS_OK;
}

static enum status end_envelope(struct cql_client *client, struct cql_client_request *request,
                                void (*done)(struct cql_client_request *request, enum status status,
                                             const struct answer *answer))
{
    size_t size = client->writer.envelopes.size - client->writer.start - FRAME_HEADER_SIZE;
    if (client->writer.envelopes.overflow || size > CQL_FRAME_SIZE_MAX) {
        frame_writer_cancel(&client->writer);
        return STATUS_INVALID;
    }
    (void)frame_writer_end(&client->writer);
    request->stream = client->free_streams[--client->free_count];
    request->done = done;
    client->requests[request->stream] = request;
    post(client);
    return STATUS_OK;
}

static void put_values(struct buffer *body, const struct query_options *options)
{
    buffer_put_u16(body, (uint16_t)options->value_count);
    for (size_t i = 0; i < options->value_count; i++) {
        if (options->values[i].unset)
            buffer_put_u32(body, (uint32_t)-2);
        else
            message_put_bytes(body, options->values[i].bytes);
    }
}

static void put_options(struct cql_client *client, struct buffer *body,
                        const struct query_options *options, bool skip_metadata)
{
    static const struct query_options defaults = {.consistency = CONSISTENCY_ONE,
                                                  .serial_consistency = CONSISTENCY_SERIAL};
    if (options == NULL) options = &defaults;
    bool has_serial = options->serial_consistency == CONSISTENCY_LOCAL_SERIAL;
    uint32_t flags = (options->value_count > 0 ? 0x01u : 0) | (skip_metadata ? 0x02u : 0) |
                     (options->page_size > 0 ? 0x04u : 0) |
                     (slice_is_null(options->paging_state) ? 0 : 0x08u) | (has_serial ? 0x10u : 0) |
                     (options->has_timestamp ? 0x20u : 0);
    buffer_put_u16(body, (uint16_t)options->consistency);
    if (client->options.version >= 5)
        buffer_put_u32(body, flags);
    else
        buffer_put_u8(body, (uint8_t)flags);
    if (options->value_count > 0) put_values(body, options);
    if (options->page_size > 0) buffer_put_u32(body, (uint32_t)options->page_size);
    if (!slice_is_null(options->paging_state)) message_put_bytes(body, options->paging_state);
    if (has_serial) buffer_put_u16(body, CONSISTENCY_LOCAL_SERIAL);
    if (options->has_timestamp) buffer_put_u64(body, (uint64_t)options->timestamp_us);
}

enum status cql_client_query(struct cql_client *client, struct cql_client_request *request,
                             struct slice text, const struct query_options *options,
                             void (*done)(struct cql_client_request *request, enum status status,
                                          const struct answer *answer))
{
    struct buffer *body;
    enum status status = begin_envelope(client, OPCODE_QUERY, &body);
    if (status != STATUS_OK) return status;
    message_put_bytes(body, text);
    put_options(client, body, options, false);
    return end_envelope(client, request, done);
}

enum status cql_client_prepare(struct cql_client *client, struct cql_client_request *request,
                               struct slice text,
                               void (*done)(struct cql_client_request *request, enum status status,
                                            const struct answer *answer))
{
    struct buffer *body;
    enum status status = begin_envelope(client, OPCODE_PREPARE, &body);
    if (status != STATUS_OK) return status;
    message_put_bytes(body, text);
    if (client->options.version >= 5) buffer_put_u32(body, 0);
    return end_envelope(client, request, done);
}

enum status cql_client_execute(struct cql_client *client, struct cql_client_request *request,
                               struct slice id, struct slice metadata_id,
                               const struct query_options *options,
                               void (*done)(struct cql_client_request *request, enum status status,
                                            const struct answer *answer))
{
    struct buffer *body;
    enum status status = begin_envelope(client, OPCODE_EXECUTE, &body);
    if (status != STATUS_OK) return status;
    bool v5 = client->options.version >= 5;
    message_put_short_bytes(body, id);
    if (v5) message_put_short_bytes(body, metadata_id);
    put_options(client, body, options, !v5 || !slice_is_null(metadata_id));
    return end_envelope(client, request, done);
}

enum status cql_client_register(struct cql_client *client, struct cql_client_request *request,
                                unsigned mask,
                                void (*event)(void *context, const struct answer *answer),
                                void *context,
                                void (*done)(struct cql_client_request *request, enum status status,
                                             const struct answer *answer))
{
    static const char *const names[] = {"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"};
    struct buffer *body;
    enum status status = begin_envelope(client, OPCODE_REGISTER, &body);
    if (status != STATUS_OK) return status;
    buffer_put_u16(body, (uint16_t)__builtin_popcount(mask & 7));
    for (unsigned i = 0; i < 3; i++)
        if ((mask >> i & 1) != 0) message_put_string(body, slice_of_text(names[i]));
    client->event = event;
    client->event_context = context;
    return end_envelope(client, request, done);
}
