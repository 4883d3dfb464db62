#include "ring/transport/transport_link.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "ring/transport/transport.h"

enum {
    TRANSPORT_HELLO_ID = 8, // Where the host id begins.
    TRANSPORT_HELLO_SIZE = TRANSPORT_HELLO_ID + sizeof(struct uuid),
    TRANSPORT_HEADER_SIZE = 4 + 1 + 8 + 8,
};

// Bytes that wait for a peer that does not read. Above, its requests are not read either.
#define TRANSPORT_QUEUED_MAX (4 * (size_t)MIB)
// Buffers that grew larger for one message are given back after it.
#define TRANSPORT_BUFFER_KEPT_MAX (256 * (size_t)KIB)

static const uint8_t transport_magic[4] = {'H', 'L', 'N', 'S'};

static void transport_link_end(struct transport_link *link, enum status status)
{
    if (link->stream == NULL) return;
    transport_link_close(link, false);
    link->events->ended(link, status);
}

static uint64_t transport_link_checksum(uint8_t type, uint64_t id, struct slice payload)
{
    return checksum_xxh3(payload, id << 8 | type);
}

// Of what comes: answers come to those who connected.
static size_t transport_link_size_max(const struct transport_link *link)
{
    return link->is_server ? TRANSPORT_MESSAGE_SIZE_MAX : TRANSPORT_ANSWER_SIZE_MAX;
}

// Takes one frame from the front of the input. False: there is no whole one, or the link ended.
static bool transport_link_take(struct transport_link *link, struct cursor *input)
{
    if (cursor_left(input) < TRANSPORT_HEADER_SIZE) return false;
    uint32_t size = bytes_get_u32(input->next);
    if (size > transport_link_size_max(link)) {
        transport_link_end(link, STATUS_MALFORMED);
        return false;
    }
    if (cursor_left(input) - TRANSPORT_HEADER_SIZE < size) return false;
    (void)cursor_u32(input);
    uint8_t type = cursor_u8(input);
    uint64_t id = cursor_u64(input), checksum = cursor_u64(input);
    struct slice payload = cursor_take(input, size);
    if (checksum != transport_link_checksum(type, id, payload)) {
        transport_link_end(link, STATUS_CORRUPT);
        return false;
    }
    link->events->frame(link, type, id, payload);
    return link->stream != NULL;
}

static bool transport_link_take_hello(struct transport_link *link, struct cursor *input)
{
    // Who speaks something else is not waited for.
    if (cursor_left(input) < TRANSPORT_HELLO_ID) return false;
    if (memcmp(input->next, transport_magic, sizeof transport_magic) != 0 ||
        bytes_get_u16(input->next + sizeof transport_magic) != TRANSPORT_VERSION) {
        transport_link_end(link, STATUS_MALFORMED);
        return false;
    }
    if (cursor_left(input) < TRANSPORT_HELLO_SIZE) return false;
    (void)cursor_take(input, TRANSPORT_HELLO_ID);
    struct uuid peer_id = uuid_take(input);
    link->is_open = true;
    link->peer_id = peer_id;
    link->events->opened(link);
    return link->stream != NULL;
}

// Empties it. Memory that it needed once is not kept for ever.
static void transport_link_clear(struct buffer *buffer)
{
    if (buffer->capacity > TRANSPORT_BUFFER_KEPT_MAX)
        buffer_deinit(buffer);
    else
        buffer_clear(buffer);
}

// Takes all that is whole; false if the link ended.
static bool transport_link_take_all(struct transport_link *link, struct cursor *input)
{
    bool more = link->is_open || transport_link_take_hello(link, input);
    while (more)
        more = transport_link_take(link, input);
    return link->stream != NULL;
}

static void transport_link_data(void *context, struct slice bytes)
{
    struct transport_link *link = context;
    // Mostly frames arrive whole: then they are looked at where they are.
    if (link->input.size == 0) {
        struct cursor input = cursor_make(bytes);
        if (!transport_link_take_all(link, &input)) return;
        if (cursor_left(&input) > 0) buffer_put(&link->input, input.next, cursor_left(&input));
        return;
    }
    buffer_put(&link->input, bytes.data, bytes.size);
    ASSERT(!link->input.overflow); // A whole frame is taken before more than one read comes.
    struct cursor input = cursor_make(buffer_slice(&link->input));
    if (!transport_link_take_all(link, &input)) return;
    if (cursor_left(&input) == 0)
        transport_link_clear(&link->input);
    else
        buffer_consume(&link->input, (size_t)(input.next - link->input.data));
}

static void transport_link_drained(void *context)
{
    struct transport_link *link = context;
    if (!link->is_paused) return;
    link->is_paused = false;
    env_stream_resume(link->stream);
}

static void transport_link_stream_ended(void *context, enum status status)
{
    transport_link_end(context, status);
}

static void transport_link_flush(struct env_task *task)
{
    struct transport_link *link = CONTAINER_OF(task, struct transport_link, flush);
    if (link->stream == NULL) return;
    env_stream_write(link->stream, buffer_slice(&link->output));
    transport_link_clear(&link->output);
    if (!link->is_server || link->is_paused ||
        env_stream_queued(link->stream) < TRANSPORT_QUEUED_MAX)
        return;
    link->is_paused = true;
    env_stream_pause(link->stream);
}

void transport_link_init(struct transport_link *link, struct env *env, struct env_stream *stream,
                         bool is_server, struct uuid self_id,
                         const struct transport_link_events *events)
{
    static const struct env_stream_events stream_events = {
        transport_link_data, transport_link_drained, transport_link_stream_ended};
    *link = (struct transport_link){
        .events = events, .env = env, .stream = stream, .is_server = is_server};
    buffer_init(&link->input, 2 * (TRANSPORT_HEADER_SIZE + transport_link_size_max(link)));
    buffer_init(&link->output, SIZE_MAX / 4);
    buffer_put(&link->output, transport_magic, sizeof transport_magic);
    buffer_put_u16(&link->output, TRANSPORT_VERSION);
    buffer_put_u16(&link->output, 0);
    uuid_put(&link->output, self_id);
    env_stream_start(stream, &stream_events, link);
    env_task_post(env, &link->flush, transport_link_flush);
}

void transport_link_close(struct transport_link *link, bool flush)
{
    if (link->stream == NULL) return;
    env_task_cancel(link->env, &link->flush);
    if (flush) env_stream_write(link->stream, buffer_slice(&link->output));
    env_stream_close(link->stream, flush);
    link->stream = NULL;
}

void transport_link_deinit(struct transport_link *link)
{
    buffer_deinit(&link->input);
    buffer_deinit(&link->output);
}

void transport_link_put_frame(struct buffer *bytes, uint8_t type, uint64_t id, struct slice head,
                              struct slice body)
{
    size_t size = head.size + body.size;
    ASSERT(size <= TRANSPORT_ANSWER_SIZE_MAX);
    uint8_t *at = buffer_reserve(bytes, TRANSPORT_HEADER_SIZE + size);
    ASSERT(at != NULL);
    uint8_t *payload = at + TRANSPORT_HEADER_SIZE;
    if (head.size > 0) memcpy(payload, head.data, head.size);
    if (body.size > 0) memcpy(payload + head.size, body.data, body.size);
    bytes_put_u32(at, (uint32_t)size);
    at[4] = type;
    bytes_put_u64(at + 5, id);
    bytes_put_u64(at + 13, transport_link_checksum(type, id, slice_make(payload, size)));
}

void transport_link_send(struct transport_link *link, uint8_t type, uint64_t id, struct slice head,
                         struct slice body)
{
    if (link->stream == NULL) return;
    transport_link_put_frame(&link->output, type, id, head, body);
    env_task_post(link->env, &link->flush, transport_link_flush);
}

void transport_link_send_frames(struct transport_link *link, struct slice frames)
{
    if (link->stream == NULL) return;
    buffer_put(&link->output, frames.data, frames.size);
    env_task_post(link->env, &link->flush, transport_link_flush);
}

size_t transport_link_queued(const struct transport_link *link)
{
    if (link->stream == NULL) return 0;
    return link->output.size + env_stream_queued(link->stream);
}
