#include "cql/protocol/connection.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/protocol/login.h"
#include "cql/protocol/request.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    // Output of one turn beyond which it is sent before the turn ends.
    WRITE_SIZE = 256 * 1024,
    // More is not waited for when a client is told why it has to leave.
    FLUSHED_SIZE_MAX = 16 * 1024,
    // Between looks at the clock: so many messages, or so many bytes of answers.
    MESSAGES_UNTIMED_MAX = 8,
    ANSWERS_UNTIMED_SIZE_MAX = 4096,
    MESSAGE_UNTIMED_SIZE_MAX = 65536,
    // After so many times a client is known to ask for little at a time.
    SHORT_STINTS = 8,
    CONSECUTIVE_FAULTS_MAX = 1,
    VERSION_CURRENT = 5,
};

static void post(struct connection *connection);

// ---- Life --------------------------------------------------------------------------------------

static void destroy(struct connection *connection)
{
    struct connection_shared *shared = connection->shared;
    ASSERT(connection->request_count == 0);
    env_task_cancel(shared->env, &connection->task);
    connection_memory_forget(connection);
    connection_link_remove(&connection->turn);
    frame_reader_deinit(&connection->reader);
    frame_writer_deinit(&connection->writer);
    login_free(connection);
    *connection->place = connection->next;
    if (connection->next != NULL) connection->next->place = connection->place;
    free(connection);
    if (shared->first != NULL) return;
    env_task_cancel(shared->env, &shared->turn_task);
    shared->last_is_gone(shared);
}

static void set_paused(struct connection *connection, bool paused)
{
    if (connection->is_paused == paused) return;
    connection->is_paused = paused;
    if (connection->stream == NULL) return;
    if (paused)
        env_stream_pause(connection->stream);
    else
        env_stream_resume(connection->stream);
}

// Ends the socket; the memory goes with the last request, in the task.
static void close_stream(struct connection *connection, bool flush)
{
    if (connection->state == CONNECTION_CLOSED) return;
    connection->state = CONNECTION_CLOSED;
    env_stream_close(connection->stream, flush);
    connection->stream = NULL;
    connection_memory_forget(connection);
    connection_link_remove(&connection->turn);
    set_paused(connection, false);
    request_cancel_all(connection);
    connection->shared->open_count--;
    post(connection);
}

// Nothing more is read or answered but what already waits; the task closes. The env gives the
// client time to read why (env_stream_close with flush).
static void begin_closing(struct connection *connection)
{
    if (connection->state >= CONNECTION_CLOSING) return;
    connection->state = CONNECTION_CLOSING;
    set_paused(connection, false);
    post(connection);
}

// ---- Output ------------------------------------------------------------------------------------

static void write_collected(struct connection *connection)
{
    if (connection->stream == NULL || frame_writer_size(&connection->writer) == 0) return;
    struct slice bytes = frame_writer_take(&connection->writer);
    connection->shared->statistics.bytes_out += bytes.size;
    env_stream_write(connection->stream, bytes);
    frame_writer_clear(&connection->writer);
    // A client that sends requests and does not read answers to them, past any pause.
    if (env_stream_queued(connection->stream) > CQL_RESPONSE_SIZE_MAX + CQL_OUTPUT_QUEUED_MAX)
        close_stream(connection, false);
    else
        connection_memory_count_output(connection);
}

struct buffer *connection_begin_response(struct connection *connection, int16_t stream,
                                         uint8_t opcode, uint8_t flags)
{
    if (connection->state >= CONNECTION_CLOSING) return NULL;
    return frame_writer_begin(&connection->writer, flags, stream, opcode);
}

bool connection_end_response(struct connection *connection)
{
    if (!frame_writer_end(&connection->writer)) return false;
    post(connection);
    if (frame_writer_size(&connection->writer) > WRITE_SIZE) write_collected(connection);
    return true;
}

void connection_send_error(struct connection *connection, int16_t stream,
                           const struct cql_error *error)
{
    connection->shared->statistics.errors++;
    struct buffer *body = connection_begin_response(connection, stream, OPCODE_ERROR, 0);
    if (body == NULL) return;
    message_put_error(body, connection->version, error);
    (void)connection_end_response(connection);
}

struct buffer *connection_begin_event(struct connection *connection, unsigned event)
{
    if (connection->state != CONNECTION_READY || (connection->events & event) == 0) return NULL;
    const int16_t stream_of_events = -1;
    return connection_begin_response(connection, stream_of_events, OPCODE_EVENT, 0);
}

// ---- Faults ------------------------------------------------------------------------------------

// The one answer that is written past the writer: a plain envelope, whatever was negotiated, and
// with the header of the version that was asked for if that is v1 or v2 (§1.4).
static void refuse_version(struct connection *connection, uint8_t version)
{
    struct cql_error error;
    cql_error_set(&error, CQL_ERROR_PROTOCOL,
                  "Invalid or unsupported protocol version (%d); supported versions are "
                  "(3/v3, 4/v4, 5/v5)",
                  (int)version);
    write_collected(connection);
    connection->shared->statistics.errors++;
    struct buffer bytes;
    buffer_init(&bytes, 4 * CQL_ERROR_TEXT_SIZE);
    uint8_t answered = connection->version != 0 ? (uint8_t)connection->version : VERSION_CURRENT;
    bool is_old = version == 1 || version == 2;
    buffer_put_u8(&bytes, 0x80 | (is_old ? version : answered));
    buffer_put_u8(&bytes, 0);
    if (!is_old) buffer_put_u8(&bytes, 0);
    buffer_put_u8(&bytes, 0);
    buffer_put_u8(&bytes, OPCODE_ERROR);
    size_t at = bytes.size;
    buffer_put_u32(&bytes, 0);
    message_put_error(&bytes, answered, &error);
    bytes_put_u32(bytes.data + at, (uint32_t)(bytes.size - at - 4));
    if (connection->stream != NULL) env_stream_write(connection->stream, buffer_slice(&bytes));
    buffer_deinit(&bytes);
    begin_closing(connection);
}

static void send_last_error(struct connection *connection, int16_t stream, enum cql_error_code code,
                            const char *why)
{
    struct cql_error error;
    cql_error_set(&error, code, "%s", why);
    if (connection->version == 0) connection->version = VERSION_CURRENT;
    connection_send_error(connection, stream, &error);
    begin_closing(connection);
}

// The stream of bytes itself makes no sense any more.
static void give_up(struct connection *connection, int16_t stream, const char *why)
{
    send_last_error(connection, stream, CQL_ERROR_PROTOCOL, why);
}

void connection_shed(struct connection *connection, const char *why)
{
    const int16_t stream = 0; // There may be no header yet to answer to.
    if (why == NULL) {
        close_stream(connection, false);
    } else if (connection->state < CONNECTION_CLOSING) {
        frame_reader_deinit(&connection->reader);
        send_last_error(connection, stream, CQL_ERROR_OVERLOADED, why);
    }
}

// One message makes no sense. Before v5 that ends the connection; in v5 the segment around it was
// whole, so others are believed until the faults come in a row.
static void refuse_message(struct connection *connection, int16_t stream,
                           const struct cql_error *error)
{
    connection_send_error(connection, stream, error);
    connection->consecutive_faults++;
    if (connection->version < 5 || !connection->reader.segmented ||
        connection->consecutive_faults > CONSECUTIVE_FAULTS_MAX)
        begin_closing(connection);
}

// ---- Messages ----------------------------------------------------------------------------------

static void answer_empty(struct connection *connection, int16_t stream, uint8_t opcode)
{
    if (connection_begin_response(connection, stream, opcode, 0) != NULL)
        (void)connection_end_response(connection);
}

static bool take_options(struct connection *connection, const struct frame *frame)
{
    struct buffer *body = connection_begin_response(connection, frame->stream, OPCODE_SUPPORTED, 0);
    if (body == NULL) return true;
    message_put_supported(body);
    return connection_end_response(connection);
}

static void keep_text(char kept[static CONNECTION_DRIVER_SIZE], struct slice text)
{
    size_t size = text.size < CONNECTION_DRIVER_SIZE ? text.size : CONNECTION_DRIVER_SIZE - 1;
    while (size < text.size && size > 0 && (text.data[size] & 0xC0) == 0x80)
        size--; // Not amid a character.
    memcpy(kept, text.data, size);
    kept[size] = '\0';
}

static bool take_startup(struct connection *connection, const struct frame *frame,
                         struct cql_error *error)
{
    struct message_startup startup;
    if (!message_decode_startup(frame->body, connection->version, &startup, error)) return false;
    bool lz4 = startup.compression == MESSAGE_LZ4;
    keep_text(connection->driver_name, startup.driver_name);
    keep_text(connection->driver_version, startup.driver_version);
    if (lz4 && connection->version < 5) {
        frame_reader_set_lz4(&connection->reader);
        frame_writer_set_lz4(&connection->writer);
    }
    if (login_is_needed(connection)) {
        connection->state = CONNECTION_AUTHENTICATING;
        login_ask(connection, frame->stream);
    } else {
        connection->state = CONNECTION_READY;
        answer_empty(connection, frame->stream, OPCODE_READY);
    }
    if (connection->version >= 5) {
        frame_reader_set_segmented(&connection->reader, lz4);
        frame_writer_set_segmented(&connection->writer, lz4);
    }
    return true;
}

static bool take_register(struct connection *connection, const struct frame *frame,
                          struct cql_error *error)
{
    unsigned events;
    if (!message_decode_register(frame->body, &events, error)) return false;
    connection->events |= events;
    answer_empty(connection, frame->stream, OPCODE_READY);
    return true;
}

static bool check_state(const struct connection *connection, const struct frame *frame,
                        struct cql_error *error)
{
    uint8_t opcode = frame->opcode;
    if (connection->state == CONNECTION_NEW) {
        if (opcode == OPCODE_OPTIONS || opcode == OPCODE_STARTUP) return true;
        return cql_error_set(error, CQL_ERROR_PROTOCOL,
                             "Unexpected message %s, expecting STARTUP or OPTIONS",
                             frame_opcode_text(opcode));
    }
    if (connection->state == CONNECTION_AUTHENTICATING) {
        if (opcode == OPCODE_AUTH_RESPONSE) return true;
        return cql_error_set(error, CQL_ERROR_PROTOCOL,
                             "Unexpected message %s, expecting SASL_RESPONSE",
                             frame_opcode_text(opcode));
    }
    if (opcode == OPCODE_STARTUP)
        return cql_error_set(error, CQL_ERROR_PROTOCOL,
                             "Unexpected message STARTUP, the connection is already initialized");
    if (opcode == OPCODE_AUTH_RESPONSE) // Nobody was asked to log in, or it is done.
        return cql_error_set(error, CQL_ERROR_PROTOCOL,
                             "Unexpected message AUTH_RESPONSE, the connection is already "
                             "initialized");
    return true;
}

static bool check_opcode(const struct frame *frame, struct cql_error *error)
{
    const char *name = frame_opcode_text(frame->opcode);
    if (name == NULL)
        return cql_error_set(error, CQL_ERROR_PROTOCOL, "Unknown opcode %d", (int)frame->opcode);
    bool is_request = frame_opcode_is_request(frame->opcode);
    if (is_request && !frame->is_response) return true;
    return cql_error_set(error, CQL_ERROR_PROTOCOL,
                         "Wrong protocol direction (expected %s, got %s) for opcode %d (%s)",
                         is_request ? "REQUEST" : "RESPONSE",
                         frame->is_response ? "RESPONSE" : "REQUEST", (int)frame->opcode, name);
}

// False: the message makes no sense, `error` says why, nothing was answered.
static bool take_message(struct connection *connection, struct frame *frame,
                         struct cql_error *error)
{
    if (!check_opcode(frame, error)) return false;
    if ((frame->flags & FRAME_FLAG_CUSTOM_PAYLOAD) != 0) {
        if (connection->version < 4)
            return cql_error_set(error, CQL_ERROR_PROTOCOL,
                                 "Received frame with CUSTOM_PAYLOAD flag for native protocol "
                                 "version < 4");
        if (!message_skip_custom_payload(&frame->body, error)) return false;
    }
    if (!check_state(connection, frame, error)) {
        // A mistake about the conversation, not in the bytes: the connection lives.
        connection_send_error(connection, frame->stream, error);
        return true;
    }
    switch (frame->opcode) {
    case OPCODE_OPTIONS:
        return take_options(connection, frame);
    case OPCODE_STARTUP:
        return take_startup(connection, frame, error);
    case OPCODE_REGISTER:
        return take_register(connection, frame, error);
    case OPCODE_AUTH_RESPONSE:
        return login_start(connection, frame, error);
    default:
        return request_start(connection, frame, error) == REQUEST_STARTED;
    }
}

static bool check_version(struct connection *connection, const struct frame *frame)
{
    if (connection->version == 0) {
        connection->version = frame->version;
        connection->writer.version = 0x80 | frame->version;
    }
    if (connection->version == frame->version) return true;
    char text[128];
    (void)snprintf(text, sizeof text,
                   "Invalid message version. Got %d/v%d but previous%smessages on this connection "
                   "had version %d/v%d",
                   frame->version, frame->version, connection->reader.segmented ? "" : " ",
                   connection->version, connection->version);
    give_up(connection, frame->stream, text);
    return false;
}

static void take_frame(struct connection *connection, struct frame *frame)
{
    if (!check_version(connection, frame)) return;
    if (connection->is_refused) {
        send_last_error(connection, frame->stream, CQL_ERROR_OVERLOADED,
                        "Too many connections, try again later");
        return;
    }
    struct cql_error error;
    if (take_message(connection, frame, &error))
        connection->consecutive_faults = 0;
    else
        refuse_message(connection, frame->stream, &error);
}

static void refuse_oversize(struct connection *connection, const struct frame *frame)
{
    if (!check_version(connection, frame)) return;
    struct cql_error error;
    if (connection->version >= 5)
        cql_error_set(&error, CQL_ERROR_INVALID,
                      "CQL Message of size %u bytes exceeds allowed maximum of %u bytes",
                      frame->size, CQL_FRAME_SIZE_MAX);
    else
        cql_error_set(&error, CQL_ERROR_INVALID,
                      "Request is too big: length %u exceeds maximum allowed length %u.",
                      frame->size, CQL_FRAME_SIZE_MAX);
    connection_send_error(connection, frame->stream, &error);
}

// ---- Input -------------------------------------------------------------------------------------

static bool has_room(const struct connection *connection)
{
    return !connection->shared->is_held && connection->login == NULL &&
           connection->request_count < CQL_REQUESTS_PER_CONNECTION_MAX &&
           connection->shared->request_size < CQL_REQUESTS_SIZE_MAX &&
           (connection->stream == NULL ||
            env_stream_queued(connection->stream) < CQL_OUTPUT_QUEUED_MAX);
}

// How long a connection has been read at a time.
struct stint {
    uint64_t begun_ns, spent_ns;
    unsigned message_count; // Since the last look at the clock.
    size_t answers_size;    // Then.
};

static bool is_long(struct stint *stint, const struct connection *connection, size_t message_size)
{
    size_t size = frame_writer_size(&connection->writer);
    bool has_answered_little =
        size >= stint->answers_size && size - stint->answers_size < ANSWERS_UNTIMED_SIZE_MAX;
    if (++stint->message_count < MESSAGES_UNTIMED_MAX && has_answered_little &&
        message_size < MESSAGE_UNTIMED_SIZE_MAX)
        return false;
    stint->message_count = 0;
    stint->answers_size = size;
    stint->spent_ns = env_monotonic_ns(connection->shared->env) - stint->begun_ns;
    return stint->spent_ns > CQL_STINT_NS_MAX;
}

static void take_event(struct connection *connection, enum frame_event event, struct frame *frame)
{
    const struct frame_reader *reader = &connection->reader;
    if (event == FRAME_READY)
        take_frame(connection, frame);
    else if (event == FRAME_OVERSIZE)
        refuse_oversize(connection, frame);
    else if (event == FRAME_UNSUPPORTED)
        refuse_version(connection, frame->version);
    else
        give_up(connection, reader->fault_has_stream ? frame->stream : 0, reader->fault);
}

static void run_turn_task(struct env_task *task);

static void wait_for_turn(struct connection *connection)
{
    struct connection_shared *shared = connection->shared;
    set_paused(connection, true);
    connection_link_add(&shared->turns, &connection->turn);
    env_task_post(shared->env, &shared->turn_task, run_turn_task);
}

static void end_stint(struct connection *connection, const struct stint *stint, bool had_time)
{
    struct connection_shared *shared = connection->shared;
    shared->spent_ns += stint->spent_ns;
    if (shared->spent_ns > CQL_STINT_NS_MAX)
        env_task_post(shared->env, &shared->turn_task, run_turn_task);
    if (!had_time) {
        connection->short_stint_count = 0;
        wait_for_turn(connection);
    } else if (connection->short_stint_count < SHORT_STINTS) {
        connection->short_stint_count++;
    }
}

// All whole envelopes of the bytes, as far as there is room and time. An empty slice goes on with
// what was left before.
static void read_frames(struct connection *connection, struct slice bytes)
{
    struct connection_shared *shared = connection->shared;
    struct frame_reader *reader = &connection->reader;
    struct stint stint = {.begun_ns = env_monotonic_ns(shared->env)};
    bool has_time = true;
    frame_reader_push(reader, bytes);
    while (connection->state < CONNECTION_CLOSING && has_time) {
        if (!has_room(connection)) {
            set_paused(connection, true);
            if (shared->request_size >= CQL_REQUESTS_SIZE_MAX) shared->is_full = true;
            break;
        }
        struct frame frame;
        enum frame_event event = frame_reader_next(reader, &frame);
        if (event == FRAME_NONE) break;
        take_event(connection, event, &frame);
        has_time = !is_long(&stint, connection, frame.size);
    }
    if (connection->state >= CONNECTION_CLOSING) { // The rest is not looked at.
        frame_reader_deinit(reader);
        return;
    }
    end_stint(connection, &stint, has_time);
    frame_reader_park(reader);
    connection_memory_count_input(connection);
}

// A task of a turn runs when all that came was read: what came before it waits for nobody here.
static void run_turn_task(struct env_task *task)
{
    struct connection_shared *shared = CONTAINER_OF(task, struct connection_shared, turn_task);
    struct connection_link *first = connection_link_first(&shared->turns);
    shared->spent_ns = 0;
    if (first == NULL) return;
    connection_link_remove(first);
    if (connection_link_first(&shared->turns) != NULL)
        env_task_post(shared->env, task, run_turn_task);
    post(CONTAINER_OF(first, struct connection, turn)); // It goes on if it has room.
}

static void on_data(void *context, struct slice bytes)
{
    struct connection *connection = context;
    struct connection_shared *shared = connection->shared;
    shared->statistics.bytes_in += bytes.size;
    if (connection->state >= CONNECTION_CLOSING) return;
    bool is_known = connection->short_stint_count == SHORT_STINTS;
    if (is_known || shared->spent_ns <= CQL_STINT_NS_MAX) {
        read_frames(connection, bytes);
        return;
    }
    // Others took long in this turn already, and this one may too.
    frame_reader_push(&connection->reader, bytes);
    wait_for_turn(connection);
    frame_reader_park(&connection->reader);
    connection_memory_count_input(connection);
}

static void on_drained(void *context)
{
    connection_memory_count_output(context);
    post(context);
}

static void on_ended(void *context, enum status status)
{
    (void)status; // Good order or not: there is nobody to answer.
    close_stream(context, false);
}

// The end of the turn: writes, reads on, or frees.
static void run_task(struct env_task *task)
{
    struct connection *connection = CONTAINER_OF(task, struct connection, task);
    write_collected(connection);
    if (connection->state == CONNECTION_CLOSING)
        close_stream(connection, env_stream_queued(connection->stream) <= FLUSHED_SIZE_MAX);
    if (connection->state == CONNECTION_CLOSED) {
        frame_reader_deinit(&connection->reader); // Its requests may take a while.
        if (connection->request_count == 0 && connection->login == NULL) destroy(connection);
        return;
    }
    if (!connection->is_paused || !has_room(connection)) return;
    if (connection->shared->is_full || connection_link_is_in(&connection->turn)) return;
    set_paused(connection, false);
    read_frames(connection, slice_make("", 0));
}

static void post(struct connection *connection)
{
    env_task_post(connection->shared->env, &connection->task, run_task);
}

void connection_request_ended(struct connection *connection)
{
    struct connection_shared *shared = connection->shared;
    if (connection->is_paused || connection->state == CONNECTION_CLOSED) post(connection);
    if (!shared->is_full || shared->request_size > CQL_REQUESTS_SIZE_MAX / 2) return;
    // The requests of all were too much: whoever waits may look again.
    shared->is_full = false;
    for (struct connection *other = shared->first; other != NULL; other = other->next)
        if (other->is_paused) post(other);
}

void connection_login_ended(struct connection *connection)
{
    post(connection);
}

// ---- For the server ----------------------------------------------------------------------------

void connection_shared_init(struct connection_shared *shared)
{
    connections_memory_init(&shared->memory);
    connection_link_init_end(&shared->turns);
}

void connection_create(struct connection_shared *shared, struct env_stream *stream, bool is_refused)
{
    static const struct env_stream_events events = {on_data, on_drained, on_ended};
    struct connection *connection = calloc(1, sizeof *connection);
    ASSERT(connection != NULL);
    connection->shared = shared;
    connection->stream = stream;
    connection->is_refused = is_refused;
    connection->next = shared->first;
    connection->place = &shared->first;
    if (connection->next != NULL) connection->next->place = &connection->next;
    shared->first = connection;
    shared->open_count++;
    frame_reader_init(&connection->reader, CQL_FRAME_SIZE_MAX);
    frame_writer_init(&connection->writer, 0x80 | VERSION_CURRENT,
                      (size_t)CQL_RESPONSE_SIZE_MAX + CQL_OUTPUT_QUEUED_MAX);
    connection->reader.pool = connection->writer.pool = &shared->frames;
    env_stream_start(stream, &events, connection);
}

void connection_read_on(struct connection *connection)
{
    if (connection->is_paused) post(connection);
}

void connection_close(struct connection *connection)
{
    write_collected(connection);
    close_stream(connection, true);
}

void connection_abandon(struct connection *connection)
{
    request_abandon_all(connection);
    if (connection->stream != NULL) close_stream(connection, false);
    destroy(connection);
}
