// The server over real sockets, with statements that do what their text says.
#include "cql/protocol/server.h"

#include "base/env_uv.h"
#include "base/limits.h"
#include "cql/client/answer.h"
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

static void guard_fired(struct env_timer *timer)
{
    (void)timer;
    is_timed_out = true;
    env_uv_stop(env);
}

// Runs the loop until `done` says so.
static void run_until(bool (*done)(const void *context), const void *context)
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

static void peer_data(void *context, struct slice bytes)
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

static void peer_drained(void *context)
{
    (void)context;
}

static void peer_ended(void *context, enum status status)
{
    (void)status;
    ((struct peer *)context)->ended = true;
    env_uv_stop(env);
}

static void peer_connected(void *context, enum status status, struct env_stream *stream)
{
    static const struct env_stream_events events = {peer_data, peer_drained, peer_ended};
    ck_assert_int_eq(status, STATUS_OK);
    struct peer *peer = context;
    peer->stream = stream;
    env_stream_start(stream, &events, peer);
    env_uv_stop(env);
}

static bool peer_is_connected(const void *context)
{
    return ((const struct peer *)context)->stream != NULL;
}

static void peer_open(struct peer *peer, uint8_t version)
{
    *peer = (struct peer){.frames = calloc(FRAMES_MAX, sizeof(struct received))};
    frame_reader_init(&peer->reader, 256u * 1024 * 1024);
    frame_writer_init(&peer->writer, version, 256u * 1024 * 1024);
    struct env_address address = cql_server_address(server);
    env_connect(env, &address, 1000000000, peer_connected, peer);
    run_until(peer_is_connected, peer);
}

static void peer_close(struct peer *peer)
{
    env_stream_close(peer->stream, false);
    frame_reader_deinit(&peer->reader);
    frame_writer_deinit(&peer->writer);
    free(peer->frames);
}

static void peer_flush(struct peer *peer)
{
    env_stream_write(peer->stream, frame_writer_take(&peer->writer));
    frame_writer_clear(&peer->writer);
}

static void put_message(struct peer *peer, int16_t stream, uint8_t opcode, struct slice body)
{
    struct buffer *buffer = frame_writer_begin(&peer->writer, 0, stream, opcode);
    buffer_put(buffer, body.data, body.size);
    ck_assert(frame_writer_end(&peer->writer));
}

static void put_query(struct peer *peer, int16_t stream, const char *text)
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

static bool has_frames(const void *context)
{
    const struct wanted *wanted = context;
    return wanted->peer->count >= wanted->count;
}

static bool has_ended(const void *context)
{
    return ((const struct peer *)context)->ended;
}

// Sends what was put and waits until `count` frames came in all. Returns the last.
static const struct frame *peer_wait(struct peer *peer, size_t count)
{
    peer_flush(peer);
    struct wanted wanted = {peer, count};
    run_until(has_frames, &wanted);
    ck_assert_uint_eq(peer->count, count);
    return &peer->frames[count - 1].frame;
}

static const struct frame *peer_query(struct peer *peer, const char *text)
{
    put_query(peer, 5, text);
    const struct frame *frame = peer_wait(peer, peer->count + 1);
    ck_assert_int_eq(frame->stream, 5);
    return frame;
}

static void put_startup(struct peer *peer, bool lz4)
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

static void peer_start(struct peer *peer, uint8_t version, bool lz4)
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

static struct answer decode(const struct frame *frame)
{
    struct answer answer = {0};
    struct error error;
    ck_assert_int_eq(answer_decode(frame, &arena, &answer, &error), STATUS_OK);
    return answer;
}

static void check_error(const struct frame *frame, enum cql_error_code code, const char *text)
{
    ck_assert_int_eq(frame->opcode, OPCODE_ERROR);
    struct answer answer = decode(frame);
    ck_assert_int_eq(answer.error_code, code);
    ck_assert_msg(slice_equals(answer.error_text, slice_of_text(text)), "%.*s",
                  (int)answer.error_text.size, (const char *)answer.error_text.data);
}

// ---- The world ---------------------------------------------------------------------------------

static void setup(void)
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

static void server_closed(void *context)
{
    (void)context;
    is_done = true;
    env_uv_stop(env);
}

static bool is_closed(const void *context)
{
    (void)context;
    return is_done;
}

static void teardown(void)
{
    is_done = false;
    cql_server_close(server, server_closed, NULL);
    fake_end_waiting();
    run_until(is_closed, NULL);
    env_uv_destroy(env);
    arena_deinit(&arena);
    ck_assert_int_eq(fake_statement_count, 0);
}

// ---- Beginning ---------------------------------------------------------------------------------

START_TEST(options_and_startup_are_answered_in_each_version)
{
    uint8_t version = (uint8_t)(3 + _i / 2);
    bool lz4 = _i % 2 == 1;
    struct peer peer;
    peer_open(&peer, version);
    put_message(&peer, 300, OPCODE_OPTIONS, slice_make("", 0));
    const struct frame *supported = peer_wait(&peer, 1);
    ck_assert_int_eq(supported->opcode, OPCODE_SUPPORTED);
    ck_assert_int_eq(supported->stream, 300);
    ck_assert_int_eq(supported->version, version);
    ck_assert(supported->is_response);
    peer_close(&peer);

    peer_start(&peer, version, lz4);
    struct answer answer = decode(peer_query(&peer, "VOID"));
    ck_assert_int_eq(answer.kind, RESULT_VOID);
    answer = decode(peer_query(&peer, "ROWS 1000"));
    ck_assert_uint_eq(answer.row_count, 1000);
    answer = decode(peer_query(&peer, "BLOB 1000000"));
    struct cursor rows = cursor_make(answer.rows);
    struct slice blob = answer_next_cell(&rows);
    ck_assert_uint_eq(blob.size, 1000000);
    for (uint32_t i = 0; i < blob.size; i++)
        if (blob.data[i] != (uint8_t)(i * 7 ^ i >> 8)) ck_abort_msg("byte %u", i);
    put_message(&peer, 8, OPCODE_OPTIONS, slice_make("", 0));
    ck_assert_int_eq(peer_wait(&peer, peer.count + 1)->opcode, OPCODE_SUPPORTED);
    peer_close(&peer);
}
END_TEST

START_TEST(an_unknown_version_is_refused_with_a_plain_error_and_closed)
{
    static const uint8_t versions[] = {66, 65, 6, 7, 0, 127};
    for (size_t i = 0; i < sizeof versions; i++) {
        struct peer peer;
        peer_open(&peer, versions[i]);
        put_message(&peer, 7, OPCODE_OPTIONS, slice_make("", 0));
        const struct frame *frame = peer_wait(&peer, 1);
        char text[200];
        (void)snprintf(text, sizeof text,
                       "Invalid or unsupported protocol version (%d); supported versions are "
                       "(3/v3, 4/v4, 5/v5)",
                       versions[i]);
        check_error(frame, CQL_ERROR_PROTOCOL, text);
        ck_assert_int_eq(frame->version, 5);
        ck_assert_int_eq(frame->stream, 0);
        run_until(has_ended, &peer);
        peer_close(&peer);
    }
}
END_TEST

START_TEST(messages_out_of_turn_get_errors_and_the_connection_lives)
{
    struct peer peer;
    peer_open(&peer, 4);
    check_error(peer_query(&peer, "VOID"), CQL_ERROR_PROTOCOL,
                "Unexpected message QUERY, expecting STARTUP or OPTIONS");
    put_startup(&peer, false);
    ck_assert_int_eq(peer_wait(&peer, 2)->opcode, OPCODE_READY);
    put_startup(&peer, false);
    check_error(peer_wait(&peer, 3), CQL_ERROR_PROTOCOL,
                "Unexpected message STARTUP, the connection is already initialized");
    ck_assert_int_eq(decode(peer_query(&peer, "VOID")).kind, RESULT_VOID);
    peer_close(&peer);
}
END_TEST

START_TEST(another_version_amid_a_connection_closes_it)
{
    struct peer peer;
    peer_start(&peer, 4, false);
    peer.writer.version = 3;
    check_error(peer_query(&peer, "VOID"), CQL_ERROR_PROTOCOL,
                "Invalid message version. Got 3/v3 but previous messages on this connection had "
                "version 4/v4");
    run_until(has_ended, &peer);
    peer_close(&peer);
}
END_TEST

START_TEST(malformed_messages_close_before_v5_and_are_forgiven_once_in_v5)
{
    uint8_t version = (uint8_t)(4 + _i);
    const char *text = "Not enough bytes to read an UTF8 serialized string preceded by its 4 bytes "
                       "length";
    struct peer peer;
    peer_start(&peer, version, false);
    put_message(&peer, 9, OPCODE_QUERY, slice_make("\x00\x00\x00\x09xx", 6));
    check_error(peer_wait(&peer, 1), CQL_ERROR_PROTOCOL, text);
    if (version == 5) {
        ck_assert_int_eq(decode(peer_query(&peer, "VOID")).kind, RESULT_VOID);
        put_message(&peer, 9, OPCODE_QUERY, slice_make("\x00\x00\x00\x09xx", 6));
        (void)peer_wait(&peer, 3);
        put_message(&peer, 9, 0x77, slice_make("", 0));
        check_error(peer_wait(&peer, 4), CQL_ERROR_PROTOCOL, "Unknown opcode 119");
    }
    run_until(has_ended, &peer);
    peer_close(&peer);
}
END_TEST

START_TEST(a_broken_segment_closes_the_connection)
{
    struct peer peer;
    peer_start(&peer, 5, false);
    put_query(&peer, 1, "VOID");
    struct slice bytes = frame_writer_take(&peer.writer);
    uint8_t *copy = malloc(bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    copy[10] ^= 1;
    env_stream_write(peer.stream, slice_make(copy, bytes.size));
    free(copy);
    frame_writer_clear(&peer.writer);
    run_until(has_ended, &peer);
    ck_assert_uint_eq(peer.count, 1);
    check_error(&peer.frames[0].frame, CQL_ERROR_PROTOCOL, "A segment's payload fails its CRC32");
    peer_close(&peer);
}
END_TEST

START_TEST(a_request_that_is_too_big_is_skipped)
{
    struct peer peer;
    peer_start(&peer, (uint8_t)(4 + _i), false);
    struct buffer *body = frame_writer_begin(&peer.writer, 0, 3, OPCODE_QUERY);
    for (unsigned i = 0; i <= CQL_FRAME_SIZE_MAX; i++)
        buffer_put_u8(body, 'x');
    ck_assert(frame_writer_end(&peer.writer));
    put_query(&peer, 4, "VOID");
    (void)peer_wait(&peer, 2);
    check_error(&peer.frames[0].frame, CQL_ERROR_INVALID,
                _i == 0 ? "Request is too big: length 16777217 exceeds maximum allowed length "
                          "16777216."
                        : "CQL Message of size 16777217 bytes exceeds allowed maximum of 16777216 "
                          "bytes");
    ck_assert_int_eq(peer.frames[0].frame.stream, 3);
    ck_assert_int_eq(decode(&peer.frames[1].frame).kind, RESULT_VOID);
    peer_close(&peer);
}
END_TEST

// ---- Statements --------------------------------------------------------------------------------

START_TEST(errors_keyspaces_warnings_and_changes_reach_the_client)
{
    uint8_t version = (uint8_t)(3 + _i);
    struct peer peer;
    peer_start(&peer, version, false);
    check_error(peer_query(&peer, "nonsense"), CQL_ERROR_SYNTAX, "line 1:0 no viable alternative");
    check_error(peer_query(&peer, "FAIL"), CQL_ERROR_READ_TIMEOUT, "Operation timed out");
    struct answer answer = decode(peer_query(&peer, "USE some_ks"));
    ck_assert_int_eq(answer.kind, RESULT_SET_KEYSPACE);
    ck_assert(slice_equals(answer.keyspace, slice_of_text("some_ks")));
    answer = decode(peer_query(&peer, "WHERE AM I"));
    struct cursor rows = cursor_make(answer.rows);
    ck_assert(slice_equals(answer_next_cell(&rows), slice_of_text("some_ks")));
    const struct frame *frame = peer_query(&peer, "ROWS 1 WARN");
    ck_assert_int_eq(frame->flags, version >= 4 ? FRAME_FLAG_WARNING : 0);
    ck_assert_uint_eq(decode(frame).row_count, 1);
    answer = decode(peer_query(&peer, "UPDATED"));
    ck_assert_int_eq(answer.kind, RESULT_SCHEMA_CHANGE);
    ck_assert(slice_equals(answer.name, slice_of_text("t")));
    check_error(peer_query(&peer, "VOID ?"), CQL_ERROR_INVALID, "Invalid amount of bind variables");
    peer_close(&peer);
}
END_TEST

static struct answer peer_prepare(struct peer *peer, const char *text)
{
    struct buffer *body = frame_writer_begin(&peer->writer, 0, 2, OPCODE_PREPARE);
    buffer_put_u32(body, (uint32_t)strlen(text));
    buffer_put(body, text, strlen(text));
    if ((peer->writer.version & 0x7f) >= 5) buffer_put_u32(body, 0);
    ck_assert(frame_writer_end(&peer->writer));
    return decode(peer_wait(peer, peer->count + 1));
}

static void put_execute(struct peer *peer, int16_t stream, struct slice id,
                        struct slice metadata_id, int value_count, bool skip_metadata)
{
    struct buffer *body = frame_writer_begin(&peer->writer, 0, stream, OPCODE_EXECUTE);
    bool v5 = (peer->writer.version & 0x7f) >= 5;
    message_put_short_bytes(body, id);
    if (v5) message_put_short_bytes(body, metadata_id);
    buffer_put_u16(body, CONSISTENCY_ONE);
    uint32_t flags = 1u | (skip_metadata ? 2u : 0);
    if (v5)
        buffer_put_u32(body, flags);
    else
        buffer_put_u8(body, (uint8_t)flags);
    buffer_put_u16(body, (uint16_t)value_count);
    for (int i = 0; i < value_count; i++) {
        buffer_put_u32(body, 4);
        buffer_put_u32(body, (uint32_t)i);
    }
    ck_assert(frame_writer_end(&peer->writer));
}

static void check_id(struct slice id, const char *expected)
{
    char hex[33] = "";
    ck_assert_uint_eq(id.size, 16);
    for (size_t i = 0; i < 16; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", id.data[i]);
    ck_assert_str_eq(hex, expected);
}

// MD5 of the text as md5sum prints it, with the keyspace before it where it matters.
START_TEST(prepared_statements_have_cassandras_ids)
{
    struct peer peer;
    peer_start(&peer, 4, false);
    check_id(peer_prepare(&peer, "ROWS 1").id, "c22179a4fd5f148ca5874a560648dcd9");
    (void)peer_query(&peer, "USE some_ks");
    check_id(peer_prepare(&peer, "ROWS 1").id, "03fa154f53d203afddc68e0cb017caf1");
    check_id(peer_prepare(&peer, "ROWS 1").id, "03fa154f53d203afddc68e0cb017caf1");
    // It names its keyspace, so the current one does not matter.
    check_id(peer_prepare(&peer, "ROWS 1 ks.t").id, "2be9452a49bb51df4da196d842d9a70f");
    (void)peer_query(&peer, "USE other");
    check_id(peer_prepare(&peer, "ROWS 1 ks.t").id, "2be9452a49bb51df4da196d842d9a70f");
    ck_assert_uint_eq(peer_prepare(&peer, "ROWS 1").id.size, 16);
    struct cql_server_statistics statistics;
    cql_server_statistics(server, &statistics);
    ck_assert_uint_eq(statistics.prepared_statements, 4);
    peer_close(&peer);
}
END_TEST

START_TEST(metadata_is_left_out_when_the_client_has_it)
{
    uint8_t version = (uint8_t)(4 + _i);
    struct peer peer;
    peer_start(&peer, version, false);
    struct answer prepared = peer_prepare(&peer, "ROWS 3 ?");
    ck_assert_uint_eq(prepared.markers.count, 1);
    ck_assert_uint_eq(prepared.partition_key_marker_count, 1);
    put_execute(&peer, 1, prepared.id, prepared.metadata_id, 1, true);
    struct answer answer = decode(peer_wait(&peer, peer.count + 1));
    ck_assert_ptr_null(answer.columns.items);
    ck_assert_uint_eq(answer.row_count, 3);
    put_execute(&peer, 1, prepared.id, prepared.metadata_id, 1, false);
    answer = decode(peer_wait(&peer, peer.count + 1));
    ck_assert_uint_eq(answer.columns.count, 1);
    if (version == 5) {
        ck_assert_uint_eq(prepared.metadata_id.size, 16);
        put_execute(&peer, 1, prepared.id, slice_of_text("0123456789abcdef"), 1, true);
        answer = decode(peer_wait(&peer, peer.count + 1));
        ck_assert(slice_equals(answer.new_metadata_id, prepared.metadata_id));
        ck_assert_ptr_nonnull(answer.columns.items);
    }
    put_execute(&peer, 1, prepared.id, prepared.metadata_id, 2, true);
    check_error(peer_wait(&peer, peer.count + 1), CQL_ERROR_INVALID,
                "there were 1 markers(?) in CQL but 2 bound variables");
    peer_close(&peer);
}
END_TEST

START_TEST(stale_statements_are_unprepared_and_changes_are_told)
{
    struct peer peer, deaf;
    peer_start(&peer, 4, false);
    peer_start(&deaf, 4, false);
    struct answer prepared = peer_prepare(&peer, "VOID");
    struct buffer *body = frame_writer_begin(&peer.writer, 0, 2, OPCODE_REGISTER);
    buffer_put_u16(body, 2);
    message_put_string(body, slice_of_text("SCHEMA_CHANGE"));
    message_put_string(body, slice_of_text("STATUS_CHANGE"));
    ck_assert(frame_writer_end(&peer.writer));
    ck_assert_int_eq(peer_wait(&peer, 2)->opcode, OPCODE_READY);

    fake_all_are_stale = true;
    const struct metadata_change change = {.change = METADATA_UPDATED,
                                           .target = METADATA_TABLE,
                                           .keyspace = slice_of_text("ks"),
                                           .table = slice_of_text("t")};
    fake_listener->changed(fake_listener, &change);
    const struct frame *event = peer_wait(&peer, 3);
    ck_assert_int_eq(event->stream, -1);
    struct answer answer = decode(event);
    ck_assert(slice_equals(answer.event, slice_of_text("SCHEMA_CHANGE")));
    ck_assert(slice_equals(answer.change, slice_of_text("UPDATED")));
    ck_assert(slice_equals(answer.name, slice_of_text("t")));

    put_execute(&peer, 3, prepared.id, slice_null(), 0, false);
    answer = decode(peer_wait(&peer, 4));
    ck_assert_int_eq(answer.error_code, CQL_ERROR_UNPREPARED);
    struct cursor extras = cursor_make(answer.error_extras);
    ck_assert_int_eq(cursor_u16(&extras), 16);
    ck_assert(slice_equals(cursor_take(&extras, 16), prepared.id));
    ck_assert_uint_eq(deaf.count, 0);
    peer_close(&peer);
    peer_close(&deaf);
}
END_TEST

START_TEST(members_that_come_go_and_move_are_told)
{
    struct peer peer, deaf;
    peer_start(&peer, 4, false);
    peer_start(&deaf, 4, false);
    struct buffer *body = frame_writer_begin(&peer.writer, 0, 2, OPCODE_REGISTER);
    buffer_put_u16(body, 2);
    message_put_string(body, slice_of_text("TOPOLOGY_CHANGE"));
    message_put_string(body, slice_of_text("STATUS_CHANGE"));
    ck_assert(frame_writer_end(&peer.writer));
    ck_assert_int_eq(peer_wait(&peer, 1)->opcode, OPCODE_READY);

    struct member members[2] = {{.rack = "r"}, {.rack = "r"}};
    ck_assert_int_eq(env_address_parse("127.0.0.7", 9042, &members[1].rpc_address), STATUS_OK);
    fake_topology.members = members;
    fake_topology.member_count = 2;
    const struct metadata_change change = {
        .change = METADATA_UPDATED, .target = METADATA_MEMBER, .member = 1};
    fake_listener->changed(fake_listener, &change);
    cql_server_announce_status(server, &members[1].rpc_address, false);
    cql_server_announce_status(server, &members[1].rpc_address, true);
    static const char *const expected[][2] = {
        {"TOPOLOGY_CHANGE", "NEW_NODE"}, {"STATUS_CHANGE", "DOWN"}, {"STATUS_CHANGE", "UP"}};
    (void)peer_wait(&peer, 4);
    for (int i = 0; i < 3; i++) {
        const struct frame *event = &peer.frames[1 + i].frame;
        struct cursor cursor = cursor_make(event->body);
        ck_assert_int_eq(event->stream, -1);
        ck_assert_int_eq(event->opcode, OPCODE_EVENT);
        for (int j = 0; j < 2; j++) {
            uint16_t size = cursor_u16(&cursor);
            ck_assert(slice_equals(cursor_take(&cursor, size), slice_of_text(expected[i][j])));
        }
        ck_assert_int_eq(cursor_u8(&cursor), 4);
        ck_assert(slice_equals(cursor_take(&cursor, 4), slice_make("\x7f\0\0\x07", 4)));
        ck_assert_uint_eq(cursor_u32(&cursor), 9042);
        ck_assert(!cursor.failed && cursor_left(&cursor) == 0);
    }
    ck_assert_uint_eq(deaf.count, 0);
    fake_topology = (struct topology){.member_count = 0};
    peer_close(&peer);
    peer_close(&deaf);
}
END_TEST

static size_t frames_before_serving;
static const struct peer *held_peer;

static void serve_now(struct env_timer *timer)
{
    (void)timer;
    frames_before_serving = held_peer->count;
    cql_server_serve(server);
}

START_TEST(a_held_server_answers_when_it_serves)
{
    struct peer peer;
    struct env_timer timer = {0};
    cql_server_hold(server);
    peer_open(&peer, 4);
    held_peer = &peer;
    frames_before_serving = 1;
    put_startup(&peer, false);
    env_timer_start(env, &timer, 10 * 1000 * 1000, serve_now);
    ck_assert_int_eq(peer_wait(&peer, 1)->opcode, OPCODE_READY);
    ck_assert_uint_eq(frames_before_serving, 0);
    peer_close(&peer);
}
END_TEST

START_TEST(batches_are_checked_entry_by_entry)
{
    struct peer peer;
    peer_start(&peer, 4, false);
    struct answer prepared = peer_prepare(&peer, "VOID ?");
    static const struct {
        const char *text;
        int value_count;
        const char *error;
    } batches[] = {
        {NULL, 1, NULL},
        {"VOID", 0, NULL},
        {"ROWS 1", 0,
         "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed."},
        {"VOID ?", 0, "There were 1 markers(?) in CQL but 0 bound variables"},
    };
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        struct buffer *body = frame_writer_begin(&peer.writer, 0, 2, OPCODE_BATCH);
        buffer_put_u8(body, 1);
        buffer_put_u16(body, 1);
        buffer_put_u8(body, batches[i].text == NULL);
        if (batches[i].text == NULL) {
            message_put_short_bytes(body, prepared.id);
        } else {
            buffer_put_u32(body, (uint32_t)strlen(batches[i].text));
            buffer_put(body, batches[i].text, strlen(batches[i].text));
        }
        buffer_put_u16(body, (uint16_t)batches[i].value_count);
        for (int value = 0; value < batches[i].value_count; value++)
            buffer_put_u32(body, (uint32_t)-1);
        buffer_put_u16(body, CONSISTENCY_ONE);
        buffer_put_u8(body, 0);
        ck_assert(frame_writer_end(&peer.writer));
        const struct frame *frame = peer_wait(&peer, peer.count + 1);
        if (batches[i].error == NULL)
            ck_assert_int_eq(decode(frame).kind, RESULT_VOID);
        else
            check_error(frame, CQL_ERROR_INVALID, batches[i].error);
    }
    // An empty one is legal.
    put_message(&peer, 2, OPCODE_BATCH, slice_make("\x00\x00\x00\x00\x01\x00", 6));
    ck_assert_int_eq(decode(peer_wait(&peer, peer.count + 1)).kind, RESULT_VOID);
    peer_close(&peer);
}
END_TEST

// ---- Many at once ------------------------------------------------------------------------------

START_TEST(requests_of_one_read_all_start_and_are_answered_together_in_any_order)
{
    enum { COUNT = 200 };
    struct peer peer;
    peer_start(&peer, (uint8_t)(4 + _i), false);
    for (int16_t stream = 0; stream < COUNT; stream++)
        put_query(&peer, stream, "LATER");
    put_query(&peer, COUNT, "VOID");
    ck_assert_int_eq(peer_wait(&peer, 1)->stream, COUNT);
    ck_assert_uint_eq(fake_waiting_count, COUNT);
    size_t chunks = peer.chunk_count;
    fake_end_waiting();
    (void)peer_wait(&peer, 1 + COUNT);
    ck_assert_uint_le(peer.chunk_count - chunks, 2); // One write of 200 answers.
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(peer.frames[1 + i].frame.stream, (int)(COUNT - 1 - i));
    peer_close(&peer);
}
END_TEST

START_TEST(too_many_requests_wait_in_the_socket)
{
    struct peer peer;
    peer_start(&peer, 4, false);
    // Streams may be the same twice here: nothing depends on it.
    const size_t count = CQL_REQUESTS_PER_CONNECTION_MAX + 2000;
    for (size_t i = 0; i < count; i++)
        put_query(&peer, (int16_t)(i & 0x7fff), "LATER");
    peer_flush(&peer);
    size_t done = 0;
    while (done < count) {
        size_t waiting = fake_waiting_count;
        ck_assert_uint_le(waiting, CQL_REQUESTS_PER_CONNECTION_MAX);
        done += waiting;
        fake_end_waiting();
        if (waiting > 0) (void)peer_wait(&peer, done);
        if (waiting == 0) {
            // The server has not read yet: another connection makes the loop turn.
            struct peer other;
            peer_start(&other, 4, false);
            peer_close(&other);
        }
    }
    ck_assert_uint_eq(peer.count, count);
    peer_close(&peer);
}
END_TEST

START_TEST(a_client_that_does_not_read_is_not_read)
{
    struct peer peer;
    peer_start(&peer, 4, false);
    env_stream_pause(peer.stream);
    for (int16_t stream = 0; stream < 100; stream++)
        put_query(&peer, stream, "BLOB 1000000");
    peer_flush(&peer);
    struct cql_server_statistics statistics;
    for (int i = 0; i < 20; i++) {
        struct peer other;
        peer_start(&other, 4, false);
        peer_close(&other);
    }
    cql_server_statistics(server, &statistics);
    ck_assert_uint_lt(statistics.queries, 40);
    env_stream_resume(peer.stream);
    (void)peer_wait(&peer, 100);
    peer_close(&peer);
}
END_TEST

START_TEST(requests_outlive_a_client_that_goes_away)
{
    struct peer peer, other;
    peer_start(&peer, 5, true);
    for (int16_t stream = 0; stream < 10; stream++)
        put_query(&peer, stream, "LATER");
    put_query(&peer, 10, "VOID");
    (void)peer_wait(&peer, 1);
    for (size_t i = 0; i < 10; i++)
        ck_assert(!fake_waiting[i]->is_canceled);
    peer_close(&peer);
    peer_start(&other, 4, false);
    ck_assert_uint_eq(fake_waiting_count, 10);
    for (size_t i = 0; i < 10; i++)
        ck_assert(fake_waiting[i]->is_canceled);
    fake_end_waiting();
    ck_assert_int_eq(decode(peer_query(&other, "VOID")).kind, RESULT_VOID);
    struct cql_server_statistics statistics;
    cql_server_statistics(server, &statistics);
    ck_assert_uint_eq(statistics.connections, 1);
    ck_assert_uint_eq(statistics.requests_waiting, 0);
    peer_close(&other);
}
END_TEST

START_TEST(abandoning_frees_all)
{
    struct peer peer;
    peer_start(&peer, 4, false);
    for (int16_t stream = 0; stream < 10; stream++)
        put_query(&peer, stream, "LATER");
    put_query(&peer, 10, "VOID");
    (void)peer_wait(&peer, 1);
    cql_server_abandon(server);
    fake_waiting_count = 0;
    run_until(has_ended, &peer);
    peer_close(&peer);
    struct env_address address;
    struct error error;
    ck_assert_int_eq(env_address_parse("127.0.0.1", 0, &address), STATUS_OK);
    ck_assert_int_eq(cql_server_create(env, &processor, &address, &server, &error), STATUS_OK);
}
END_TEST

// ---- Garbage -----------------------------------------------------------------------------------

static void noise_data(void *context, struct slice bytes)
{
    (void)context;
    (void)bytes;
}

static const struct env_stream_events noise_events = {noise_data, peer_drained, peer_ended};

static void noise_connected(void *context, enum status status, struct env_stream *stream)
{
    ck_assert_int_eq(status, STATUS_OK);
    struct peer *peer = context;
    peer->stream = stream;
    env_stream_start(stream, &noise_events, peer);
    env_uv_stop(env);
}

static void send_noise(struct slice bytes)
{
    struct peer peer = {0};
    struct env_address address = cql_server_address(server);
    env_connect(env, &address, 1000000000, noise_connected, &peer);
    run_until(peer_is_connected, &peer);
    env_stream_write(peer.stream, bytes);
    // Its end follows its bytes; the next connection is served after both.
    env_stream_close(peer.stream, true);
}

START_TEST(mutated_captures_do_not_hurt_the_server)
{
    if (!corpus_is_there()) return;
    struct corpus corpus;
    corpus_read(corpus_names[_i], &corpus);
    uint32_t noise = 12345u + (uint32_t)_i;
    for (size_t i = 0; i < corpus.count; i++) {
        const struct corpus_side *side = &corpus.sides[i];
        if (side->sender != 'C') continue;
        for (int round = 0; round < 12; round++) {
            struct buffer bytes;
            buffer_init(&bytes, 1 << 24);
            buffer_put(&bytes, side->bytes.data, side->bytes.size);
            for (int flip = 0; flip < round; flip++) {
                noise = noise * 1664525u + 1013904223u;
                size_t at = (noise >> 8) % bytes.size;
                uint8_t flipped = (uint8_t)(bytes.data[at] ^ 1u << (noise & 7));
                bytes.data[at] = (uint8_t)(flip % 2 == 0 ? noise >> 24 : flipped);
            }
            if (round % 4 == 3) bytes.size = (noise >> 8) % bytes.size;
            send_noise(buffer_slice(&bytes));
            buffer_deinit(&bytes);
        }
    }
    struct peer peer;
    peer_start(&peer, 4, false);
    ck_assert_int_eq(decode(peer_query(&peer, "VOID")).kind, RESULT_VOID);
    peer_close(&peer);
    corpus_free(&corpus);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("connection");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, options_and_startup_are_answered_in_each_version, 0, 6);
    tcase_add_test(tests, an_unknown_version_is_refused_with_a_plain_error_and_closed);
    tcase_add_test(tests, messages_out_of_turn_get_errors_and_the_connection_lives);
    tcase_add_test(tests, another_version_amid_a_connection_closes_it);
    tcase_add_loop_test(tests, malformed_messages_close_before_v5_and_are_forgiven_once_in_v5, 0,
                        2);
    tcase_add_test(tests, a_broken_segment_closes_the_connection);
    tcase_add_loop_test(tests, a_request_that_is_too_big_is_skipped, 0, 2);
    tcase_add_loop_test(tests, errors_keyspaces_warnings_and_changes_reach_the_client, 0, 3);
    tcase_add_test(tests, prepared_statements_have_cassandras_ids);
    tcase_add_loop_test(tests, metadata_is_left_out_when_the_client_has_it, 0, 2);
    tcase_add_test(tests, stale_statements_are_unprepared_and_changes_are_told);
    tcase_add_test(tests, members_that_come_go_and_move_are_told);
    tcase_add_test(tests, a_held_server_answers_when_it_serves);
    tcase_add_test(tests, batches_are_checked_entry_by_entry);
    tcase_add_loop_test(
        tests, requests_of_one_read_all_start_and_are_answered_together_in_any_order, 0, 2);
    tcase_add_test(tests, too_many_requests_wait_in_the_socket);
    tcase_add_test(tests, a_client_that_does_not_read_is_not_read);
    tcase_add_test(tests, requests_outlive_a_client_that_goes_away);
    tcase_add_test(tests, abandoning_frees_all);
    tcase_add_loop_test(tests, mutated_captures_do_not_hurt_the_server, 0, CORPUS_COUNT);

    Suite *suite = suite_create("connection");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
