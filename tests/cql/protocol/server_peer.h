// A server on the real loop with the statements of fake_statements.h, and clients of it that speak
// byte by byte. Included by one file of a program, whose tests have the fixture setup(),
// teardown().
//
//     peer_start(&peer, 4, false);
//     put_query(&peer, 1, "VOID");
//     const struct frame *answer = peer_wait(&peer, 1);
//     peer_close(&peer);
#ifndef TESTS_CQL_PROTOCOL_SERVER_PEER_H
#define TESTS_CQL_PROTOCOL_SERVER_PEER_H

#include "base/env_uv.h"
#include "base/limits.h"
#include "cql/client/answer.h"
#include "cql/protocol/server.h"
#include "tests/cql/protocol/corpus_frames.h"
#include "tests/cql/protocol/fake_statements.h"

#include <check.h>

enum { FRAMES_MAX = 40000 };

struct received {
    struct frame frame; // `body` is a copy.
};

struct peer {
    struct env_stream *stream;
    struct frame_reader reader;
    struct frame_writer writer;
    struct received *frames;
    size_t count;
    size_t chunk_count; // Calls of `data`.
    bool ended;
};

static struct env *env;
static struct cql_server *server;
static struct query_processor processor;
static struct arena arena; // Of a test.
static bool is_done, is_timed_out;

static inline void guard_fired(struct env_timer *timer)
{
    (void)timer;
    is_timed_out = true;
    env_uv_stop(env);
}

// Runs the loop until `done` says so.
static inline void run_until(bool (*done)(const void *context), const void *context)
{
    struct env_timer guard = {0};
    is_timed_out = false;
    env_timer_start(env, &guard, 20ull * 1000 * 1000 * 1000, guard_fired);
    while (!done(context) && !is_timed_out)
        env_uv_run(env);
    env_timer_stop(env, &guard);
    ck_assert_msg(!is_timed_out, "nothing came for 20 s");
}

// ---- A client, byte by byte --------------------------------------------------------------------

static inline void peer_data(void *context, struct slice bytes)
{
    struct peer *peer = context;
    peer->chunk_count++;
    frame_reader_push(&peer->reader, bytes);
    struct frame frame;
    enum frame_event event;
    while ((event = frame_reader_next(&peer->reader, &frame)) == FRAME_READY) {
        ck_assert_uint_lt(peer->count, FRAMES_MAX);
        frame.body = arena_copy(&arena, frame.body);
        peer->frames[peer->count++].frame = frame;
    }
    ck_assert_int_eq(event, FRAME_NONE);
    frame_reader_park(&peer->reader);
    env_uv_stop(env);
}

static inline void peer_drained(void *context)
{
    (void)context;
}

static inline void peer_ended(void *context, enum status status)
{
    (void)status;
    ((struct peer *)context)->ended = true;
    env_uv_stop(env);
}

static inline void peer_connected(void *context, enum status status, struct env_stream *stream)
{
    static const struct env_stream_events events = {peer_data, peer_drained, peer_ended};
    ck_assert_int_eq(status, STATUS_OK);
    struct peer *peer = context;
    peer->stream = stream;
    env_stream_start(stream, &events, peer);
    env_uv_stop(env);
}

static inline bool peer_is_connected(const void *context)
{
    return ((const struct peer *)context)->stream != NULL;
}

static inline void peer_open(struct peer *peer, uint8_t version)
{
    *peer = (struct peer){.frames = calloc(FRAMES_MAX, sizeof(struct received))};
    frame_reader_init(&peer->reader, 256u * 1024 * 1024);
    frame_writer_init(&peer->writer, version, 256u * 1024 * 1024);
    struct env_address address = cql_server_address(server);
    env_connect(env, &address, 1000000000, peer_connected, peer);
    run_until(peer_is_connected, peer);
}

static inline void peer_close(struct peer *peer)
{
    env_stream_close(peer->stream, false);
    frame_reader_deinit(&peer->reader);
    frame_writer_deinit(&peer->writer);
    free(peer->frames);
}

static inline void peer_flush(struct peer *peer)
{
    env_stream_write(peer->stream, frame_writer_take(&peer->writer));
    frame_writer_clear(&peer->writer);
}

static inline void put_message(struct peer *peer, int16_t stream, uint8_t opcode, struct slice body)
{
    struct buffer *buffer = frame_writer_begin(&peer->writer, 0, stream, opcode);
    buffer_put(buffer, body.data, body.size);
    ck_assert(frame_writer_end(&peer->writer));
}

static inline void put_query(struct peer *peer, int16_t stream, const char *text)
{
    struct buffer *body = frame_writer_begin(&peer->writer, 0, stream, OPCODE_QUERY);
    buffer_put_u32(body, (uint32_t)strlen(text));
    buffer_put(body, text, strlen(text));
    buffer_put_u16(body, CONSISTENCY_ONE);
    if ((peer->writer.version & 0x7f) >= 5)
        buffer_put_u32(body, 0);
    else
        buffer_put_u8(body, 0);
    ck_assert(frame_writer_end(&peer->writer));
}

struct wanted {
    const struct peer *peer;
    size_t count;
};

static inline bool has_frames(const void *context)
{
    const struct wanted *wanted = context;
    return wanted->peer->count >= wanted->count;
}

static inline bool has_ended(const void *context)
{
    return ((const struct peer *)context)->ended;
}

// Sends what was put and waits until `count` frames came in all. Returns the last.
static inline const struct frame *peer_wait(struct peer *peer, size_t count)
{
    peer_flush(peer);
    struct wanted wanted = {peer, count};
    run_until(has_frames, &wanted);
    ck_assert_uint_eq(peer->count, count);
    return &peer->frames[count - 1].frame;
}

static inline const struct frame *peer_query(struct peer *peer, const char *text)
{
    put_query(peer, 5, text);
    const struct frame *frame = peer_wait(peer, peer->count + 1);
    ck_assert_int_eq(frame->stream, 5);
    return frame;
}

static inline void put_startup(struct peer *peer, bool lz4)
{
    struct buffer *body = frame_writer_begin(&peer->writer, 0, 1, OPCODE_STARTUP);
    buffer_put_u16(body, lz4 ? 2 : 1);
    message_put_string(body, slice_of_text("CQL_VERSION"));
    message_put_string(body, slice_of_text("3.0.0"));
    if (lz4) {
        message_put_string(body, slice_of_text("COMPRESSION"));
        message_put_string(body, slice_of_text("lz4"));
    }
    ck_assert(frame_writer_end(&peer->writer));
}

static inline void peer_start(struct peer *peer, uint8_t version, bool lz4)
{
    peer_open(peer, version);
    put_startup(peer, lz4);
    const struct frame *ready = peer_wait(peer, 1);
    ck_assert_int_eq(ready->opcode, OPCODE_READY);
    ck_assert_int_eq(ready->version, version);
    ck_assert_int_eq(ready->stream, 1);
    peer->count = 0;
    struct corpus_mode mode = {lz4, version};
    corpus_switch(&peer->reader, &mode);
    if (version >= 5)
        frame_writer_set_segmented(&peer->writer, lz4);
    else if (lz4)
        frame_writer_set_lz4(&peer->writer);
}

static inline struct answer decode(const struct frame *frame)
{
    struct answer answer = {0};
    struct error error;
    ck_assert_int_eq(answer_decode(frame, &arena, &answer, &error), STATUS_OK);
    return answer;
}

static inline void check_error(const struct frame *frame, enum cql_error_code code,
                               const char *text)
{
    ck_assert_int_eq(frame->opcode, OPCODE_ERROR);
    struct answer answer = decode(frame);
    ck_assert_int_eq(answer.error_code, code);
    ck_assert_msg(slice_equals(answer.error_text, slice_of_text(text)), "%.*s",
                  (int)answer.error_text.size, (const char *)answer.error_text.data);
}

// ---- The world ---------------------------------------------------------------------------------

static inline void setup(void)
{
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    arena_init(&arena, 65536);
    static int metadata; // Never looked into.
    processor = (struct query_processor){.env = env, .metadata = (struct metadata *)&metadata};
    struct env_address address;
    ck_assert_int_eq(env_address_parse("127.0.0.1", 0, &address), STATUS_OK);
    ck_assert_int_eq(cql_server_create(env, &processor, &address, &server, &error), STATUS_OK);
    fake_all_are_stale = false;
    fake_waiting_count = 0;
}

static inline void server_closed(void *context)
{
    (void)context;
    is_done = true;
    env_uv_stop(env);
}

static inline bool is_closed(const void *context)
{
    (void)context;
    return is_done;
}

static inline void teardown(void)
{
    is_done = false;
    cql_server_close(server, server_closed, NULL);
    fake_end_waiting();
    run_until(is_closed, NULL);
    env_uv_destroy(env);
    arena_deinit(&arena);
    ck_assert_int_eq(fake_statement_count, 0);
}

#endif
