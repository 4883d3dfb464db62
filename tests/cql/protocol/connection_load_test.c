// Many requests at once, over real sockets: in any order, no more than can be held, and their
// client may go.
#include "tests/cql/protocol/server_peer.h"

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

START_TEST(who_asks_for_little_waits_for_nobodys_hundreds)
{
    enum { PEERS = 4, SPINS = 100 };
    struct peer peers[PEERS], other;
    for (int i = 0; i < PEERS; i++)
        peer_start(&peers[i], (uint8_t)(4 + i % 2), false);
    peer_start(&other, 4, false);
    for (int i = 0; i < 10; i++) // It becomes known for asking for little.
        (void)peer_query(&other, "VOID");
    fake_spin_count = 0;
    for (int i = 0; i < PEERS; i++) {
        for (int16_t stream = 0; stream < SPINS; stream++)
            put_query(&peers[i], stream, "SPIN 1000");
        peer_flush(&peers[i]);
    }
    // 400 ms of work are before it. They take turns of some messages each.
    ck_assert_int_eq(decode(peer_query(&other, "VOID")).kind, RESULT_VOID);
    ck_assert_uint_le(fake_spin_count, PEERS * SPINS / 4);
    for (int i = 0; i < 3; i++) {
        size_t before = fake_spin_count;
        (void)peer_query(&other, "VOID");
        ck_assert_uint_le(fake_spin_count, before + 32);
    }
    for (int i = 0; i < PEERS; i++)
        (void)peer_wait(&peers[i], SPINS);
    ck_assert_uint_eq(fake_spin_count, PEERS * SPINS);
    for (int i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
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

int main(void)
{
    TCase *tests = tcase_create("connection_load");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(
        tests, requests_of_one_read_all_start_and_are_answered_together_in_any_order, 0, 2);
    tcase_add_test(tests, too_many_requests_wait_in_the_socket);
    tcase_add_test(tests, a_client_that_does_not_read_is_not_read);
    tcase_add_test(tests, requests_outlive_a_client_that_goes_away);
    tcase_add_test(tests, who_asks_for_little_waits_for_nobodys_hundreds);
    tcase_add_test(tests, abandoning_frees_all);

    Suite *suite = suite_create("connection_load");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
