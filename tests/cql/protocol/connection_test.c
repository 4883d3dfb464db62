// The server over real sockets, with statements that do what their text says: how a connection
// begins, and what ends it.
#include "tests/cql/protocol/server_peer.h"

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
    tcase_add_loop_test(tests, mutated_captures_do_not_hurt_the_server, 0, CORPUS_COUNT);

    Suite *suite = suite_create("connection");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
