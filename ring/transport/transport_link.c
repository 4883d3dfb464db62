#include "ring/transport/transport_link.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "ring/transport/transport.h"

enum { TRANSPORT_HELLO_SIZE = 8, TRANSPORT_HEADER_SIZE = 4 + 1 + 8 + 8 };

// Bytes that wait for a peer that does not read. Above, its requests are not read either.
#define TRANSPORT_QUEUED_MAX (4 * (size_t)MIB)

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

// Takes one frame from the front of the input. False: there is no whole one, or the link ended.
static bool transport_link_take(struct transport_link *link, struct cursor *input)
{
    if (cursor_left(input) < TRANSPORT_HEADER_SIZE) return false;
    uint32_t size = bytes_get_u32(input->next);
    if (size > TRANSPORT_MESSAGE_SIZE_MAX) {
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
    if (cursor_left(input) < TRANSPORT_HELLO_SIZE) return false;
    struct slice magic = cursor_take(input, sizeof transport_magic);
    uint16_t version = cursor_u16(input);
    (void)cursor_u16(input);
    if (!slice_equals(magic, slice_make(transport_magic, sizeof transport_magic)) ||
        version != TRANSPORT_VERSION) {
        transport_link_end(link, STATUS_MALFORMED);
        return false;
    }
    link->is_open = true;
    link->events->opened(link);
    return link->stream != NULL;
}

static void transport_link_data(void *context, struct slice bytes)
{
    struct transport_link *link = context;
    buffer_put(&link->input, bytes.data, bytes.size);
    ASSERT(!link->input.overflow); // A whole frame is taken before more than one read comes.
    struct cursor input = cursor_make(buffer_slice(&link->input));
    bool more = link->is_open || transport_link_take_hello(link, &input);
    while (more)
        more = transport_link_take(link, &input);
    if (link->stream == NULL) return;
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
    buffer_clear(&link->output);
    if (!link->is_server || link->is_paused ||
        env_stream_queued(link->stream) < TRANSPORT_QUEUED_MAX)
        return;
    link->is_paused = true;
    env_stream_pause(link->stream);
}

void transport_link_init(struct transport_link *link, struct env *env, struct env_stream *stream,
                         bool is_server, const struct transport_link_events *events)
{
    static const struct env_stream_events stream_events = {
        transport_link_data, transport_link_drained, transport_link_stream_ended};
    *link = (struct transport_link){
        .events = events, .env = env, .stream = stream, .is_server = is_server};
    buffer_init(&link->input, 2 * (TRANSPORT_HEADER_SIZE + (size_t)TRANSPORT_MESSAGE_SIZE_MAX));
    buffer_init(&link->output, SIZE_MAX / 4);
    buffer_put(&link->output, transport_magic, sizeof transport_magic);
    buffer_put_u16(&link->output, TRANSPORT_VERSION);
    buffer_put_u16(&link->output, 0);
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

void transport_link_send(struct transport_link *link, uint8_t type, uint64_t id,
                         struct slice payload)
{
    ASSERT(payload.size <= TRANSPORT_MESSAGE_SIZE_MAX);
    if (link->stream == NULL) return;
    buffer_put_u32(&link->output, (uint32_t)payload.size);
    buffer_put_u8(&link->output, type);
    buffer_put_u64(&link->output, id);
    buffer_put_u64(&link->output, transport_link_checksum(type, id, payload));
    buffer_put(&link->output, payload.data, payload.size);
    env_task_post(link->env, &link->flush, transport_link_flush);
}

size_t transport_link_queued(const struct transport_link *link)
{
    if (link->stream == NULL) return 0;
    return link->output.size + env_stream_queued(link->stream);
}
