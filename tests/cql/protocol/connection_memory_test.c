// What all clients of a server hold together has an end, and who leaves at it is who began first.
#include "cql/protocol/server_internal.h"
#include "tests/cql/protocol/server_peer.h"

// Lets the server do what it has to: a connection that comes and goes makes its loop turn.
static void turn(void)
{
    for (int i = 0; i < 5; i++) {
        struct peer other;
        peer_start(&other, 4, false);
        peer_close(&other);
    }
}

static const struct connection *connection_of(size_t age)
{
    const struct connection *connection = server->shared.first; // The youngest.
    for (; age > 0; age--)
        connection = connection->next;
    return connection;
}

// The first `size` bytes of a v4 QUERY "VOID" whose body has `body_size`, zeros at its end.
static struct slice half_query(size_t body_size, size_t size)
{
    uint8_t *bytes = arena_alloc_zero(&arena, size);
    uint8_t begin[] = {4, 0, 0, 7,   OPCODE_QUERY, 0,   0,   0, 0, 0,
                       0, 0, 4, 'V', 'O',          'I', 'D', 0, 1, 0};
    bytes_put_u32(begin + 5, (uint32_t)body_size);
    memcpy(bytes, begin, sizeof begin < size ? sizeof begin : size);
    return slice_make(bytes, size);
}

START_TEST(half_messages_are_held_up_to_a_limit_of_all)
{
    enum { PEERS = 10, BODY_SIZE = 200 * 1024, SENT_SIZE = 100 * 1024 };
    server->shared.memory.input_size_max = MIB;
    struct peer peers[PEERS];
    for (int i = 0; i < PEERS; i++) {
        peer_start(&peers[i], 4, false);
        env_stream_write(peers[i].stream, half_query(BODY_SIZE, SENT_SIZE));
        turn();
        ck_assert_uint_le(server->shared.memory.input_size, MIB);
    }
    // Those that began first have left, with a reason.
    ck_assert_uint_gt(server->shared.memory.closed_count, 0);
    for (int i = 0; i < PEERS; i++) {
        bool has_left = i < (int)server->shared.memory.closed_count;
        ck_assert_int_eq(peers[i].ended, has_left);
        if (has_left)
            check_error(&peers[i].frames[0].frame, CQL_ERROR_OVERLOADED,
                        "Too many unfinished messages of all clients, try again later");
    }
    // The last one ends its message and is answered.
    struct peer *last = &peers[PEERS - 1];
    uint8_t *rest = arena_alloc_zero(&arena, BODY_SIZE);
    env_stream_write(last->stream, slice_make(rest, FRAME_HEADER_SIZE + BODY_SIZE - SENT_SIZE));
    ck_assert_int_eq(peer_wait(last, 1)->stream, 7);
    for (int i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
    turn();
    ck_assert_uint_eq(server->shared.memory.input_size, 0);
}
END_TEST

START_TEST(answers_that_nobody_reads_are_held_up_to_a_limit_of_all)
{
    enum { PEERS = 4, ANSWERS = 30 };
    server->shared.memory.output_size_max = 6 * MIB;
    struct peer peers[PEERS];
    for (int i = 0; i < PEERS; i++) {
        peer_start(&peers[i], 4, false);
        env_stream_pause(peers[i].stream);
        for (int16_t stream = 0; stream < ANSWERS; stream++)
            put_query(&peers[i], stream, "BLOB 1000000");
        peer_flush(&peers[i]);
        turn();
        ck_assert_uint_le(server->shared.memory.output_size, 6 * MIB);
    }
    ck_assert_uint_eq(server->shared.memory.closed_count, PEERS - 1);
    struct peer *last = &peers[PEERS - 1];
    env_stream_resume(last->stream);
    (void)peer_wait(last, ANSWERS);
    turn();
    ck_assert_uint_eq(server->shared.memory.output_size, 0);
    for (int i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
}
END_TEST

START_TEST(a_quiet_connection_keeps_no_memory)
{
    enum { PEERS = 3 };
    struct peer peers[PEERS];
    for (int i = 0; i < PEERS; i++) {
        peer_start(&peers[i], (uint8_t)(3 + i), i != 0);
        for (int16_t stream = 0; stream < 50; stream++)
            put_query(&peers[i], stream, "BLOB 20000");
        (void)peer_wait(&peers[i], 50);
    }
    turn();
    for (size_t age = 0; age < PEERS; age++) {
        const struct connection *quiet = connection_of(age);
        ck_assert_uint_eq(frame_reader_memory(&quiet->reader), 0);
        ck_assert_uint_eq(quiet->writer.envelopes.capacity + quiet->writer.wire.capacity +
                              quiet->writer.scratch.capacity,
                          0);
    }
    ck_assert_uint_gt(server->shared.frames.count, 0);
    ck_assert_uint_le(server->shared.frames.size, FRAME_POOL_SIZE_MAX);
    for (int i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
}
END_TEST

START_TEST(half_a_header_costs_little)
{
    struct peer peer;
    peer_start(&peer, 4, false);
    // A whole message of 200 KiB and, behind it, the beginning of another.
    struct slice whole = half_query(200000, FRAME_HEADER_SIZE + 200000);
    env_stream_write(peer.stream, whole);
    env_stream_write(peer.stream, half_query(1000, 100));
    (void)peer_wait(&peer, 1);
    turn();
    ck_assert_uint_le(frame_reader_memory(&connection_of(0)->reader), 1024);
    peer_close(&peer);
}
END_TEST

START_TEST(one_connection_too_many_is_told_so)
{
    enum { PEERS = 3, MORE = 3 };
    server->connections_max = PEERS;
    struct peer peers[PEERS], more[CQL_CONNECTIONS_REFUSED_MAX + MORE];
    for (int i = 0; i < PEERS; i++)
        peer_start(&peers[i], 4, false);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        peer_open(&more[i], (uint8_t)(3 + i % 3));
    for (size_t i = 0; i < CQL_CONNECTIONS_REFUSED_MAX; i++) {
        put_startup(&more[i], false);
        check_error(peer_wait(&more[i], 1), CQL_ERROR_OVERLOADED,
                    "Too many connections, try again later");
        run_until(has_ended, &more[i]);
    }
    for (size_t i = CQL_CONNECTIONS_REFUSED_MAX; i < sizeof more / sizeof *more; i++)
        run_until(has_ended, &more[i]); // Without a word.
    ck_assert_int_eq(decode(peer_query(&peers[0], "VOID")).kind, RESULT_VOID);
    // When one leaves there is a place.
    peer_close(&peers[2]);
    (void)peer_query(&peers[0], "VOID");
    peer_start(&peers[2], 5, false);
    for (int i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        peer_close(&more[i]);
}
END_TEST

START_TEST(values_of_no_bytes_are_counted_as_what_they_become)
{
    enum { VALUES = 60000 };
    struct peer peer;
    peer_start(&peer, 4, false);
    struct buffer *body = frame_writer_begin(&peer.writer, 0, 1, OPCODE_QUERY);
    buffer_put_u32(body, 6 + VALUES);
    buffer_put(body, "LATER ", 6);
    for (int i = 0; i < VALUES; i++)
        buffer_put_u8(body, '?');
    buffer_put_u16(body, CONSISTENCY_ONE);
    buffer_put_u8(body, 1); // Values follow.
    buffer_put_u16(body, VALUES);
    for (int i = 0; i < VALUES; i++)
        buffer_put_u32(body, 0);
    size_t body_size = body->size;
    ck_assert(frame_writer_end(&peer.writer));
    peer_flush(&peer);
    turn();
    ck_assert_uint_eq(fake_waiting_count, 1);
    size_t statement_size = VALUES * sizeof(struct column_spec);
    ck_assert_uint_ge(server->shared.request_size,
                      statement_size + body_size + VALUES * sizeof(struct bound_value));
    fake_end_waiting();
    (void)peer_wait(&peer, 1);
    ck_assert_uint_eq(server->shared.request_size, 0);
    peer_close(&peer);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("connection_memory");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, half_messages_are_held_up_to_a_limit_of_all);
    tcase_add_test(tests, answers_that_nobody_reads_are_held_up_to_a_limit_of_all);
    tcase_add_test(tests, a_quiet_connection_keeps_no_memory);
    tcase_add_test(tests, half_a_header_costs_little);
    tcase_add_test(tests, one_connection_too_many_is_told_so);
    tcase_add_test(tests, values_of_no_bytes_are_counted_as_what_they_become);

    Suite *suite = suite_create("connection_memory");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
