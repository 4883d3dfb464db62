// Real sockets of this machine, in one process: both ends of each connection live in one env.
#include "base/buffer.h"
#include "base/container_of.h"
#include "base/env_uv.h"

#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NS_PER_S (1000ull * 1000 * 1000)

// One end of a connection and what it saw.
struct end {
    struct env *env;
    struct env_stream *stream;
    enum status connect_status;
    int connected_count, drained_count, ended_count;
    enum status ended_status;
    struct buffer received;
    size_t stop_at; // Stops the loop when so many bytes are there.
    bool stop_when_ended;
    bool echo;
    bool close_when_data, flush; // How it answers the first bytes.
    bool in_call;                // Set around calls of env: no callback may come then.
};

static void end_data(void *context, struct slice bytes)
{
    struct end *end = context;
    ck_assert(!end->in_call);
    buffer_put(&end->received, bytes.data, bytes.size);
    if (end->echo) env_stream_write(end->stream, bytes);
    if (end->close_when_data) {
        env_stream_close(end->stream, end->flush);
        end->stream = NULL;
    }
    if (end->stop_at != 0 && end->received.size >= end->stop_at) env_uv_stop(end->env);
}

static void end_drained(void *context)
{
    struct end *end = context;
    ck_assert(!end->in_call);
    ck_assert_uint_eq(env_stream_queued(end->stream), 0);
    end->drained_count++;
}

static void end_ended(void *context, enum status status)
{
    struct end *end = context;
    ck_assert(!end->in_call);
    end->ended_count++;
    end->ended_status = status;
    if (end->stop_when_ended) env_uv_stop(end->env);
}

static const struct env_stream_events end_events = {end_data, end_drained, end_ended};

static void end_init(struct end *end, struct env *env)
{
    *end = (struct end){.env = env};
    buffer_init(&end->received, 64u << 20);
}

static void end_accepted(void *context, struct env_stream *stream)
{
    struct end *end = context;
    ck_assert_ptr_null(end->stream);
    end->stream = stream;
    env_stream_start(stream, &end_events, end);
}

static void end_connected(void *context, enum status status, struct env_stream *stream)
{
    struct end *end = context;
    ck_assert(!end->in_call);
    end->connected_count++;
    end->connect_status = status;
    end->stream = stream;
    if (stream != NULL) env_stream_start(stream, &end_events, end);
    env_uv_stop(end->env);
}

// A world with a listener, and a client that is connected to the server.
struct pair {
    struct env *env;
    struct env_listener *listener;
    struct end server, client;
};

static struct env_address loopback(uint16_t port)
{
    struct env_address address;
    ck_assert_int_eq(env_address_parse("127.0.0.1", port, &address), STATUS_OK);
    return address;
}

struct stopper {
    struct env_timer timer;
    struct env *env;
};

static void stop_loop(struct env_timer *timer)
{
    env_uv_stop(CONTAINER_OF(timer, struct stopper, timer)->env);
}

static void run_for(struct env *env, uint64_t duration_ns)
{
    struct stopper stopper = {.env = env};
    env_timer_start(env, &stopper.timer, duration_ns, stop_loop);
    env_uv_run(env);
    env_timer_stop(env, &stopper.timer);
}

static void pair_setup(struct pair *pair)
{
    struct error error;
    ck_assert_int_eq(env_uv_create(&pair->env, &error), STATUS_OK);
    end_init(&pair->server, pair->env);
    end_init(&pair->client, pair->env);
    struct env_address address = loopback(0);
    ck_assert_int_eq(
        env_listen(pair->env, &address, end_accepted, &pair->server, &pair->listener, &error),
        STATUS_OK);
    address = env_listener_address(pair->listener);
    pair->client.in_call = true;
    env_connect(pair->env, &address, NS_PER_S, end_connected, &pair->client);
    pair->client.in_call = false;
    while (pair->client.connected_count == 0 || pair->server.stream == NULL)
        run_for(pair->env, NS_PER_S / 1000);
    ck_assert_int_eq(pair->client.connect_status, STATUS_OK);
}

static void pair_teardown(struct pair *pair)
{
    env_uv_destroy(pair->env);
    buffer_deinit(&pair->server.received);
    buffer_deinit(&pair->client.received);
}

START_TEST(bytes_come_back_from_an_echo_in_order)
{
    struct pair pair;
    pair_setup(&pair);
    pair.server.echo = true;
    enum { SIZE = 16 * 1000 * 1000 };
    uint8_t *sent = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 13);
    pair.client.stop_at = SIZE;
    pair.client.in_call = true;
    env_stream_write(pair.client.stream, slice_make(sent, 10));
    ck_assert_uint_eq(env_stream_queued(pair.client.stream), 0);
    // More than the system takes at once.
    env_stream_write(pair.client.stream, slice_make(sent + 10, SIZE - 20));
    ck_assert_uint_gt(env_stream_queued(pair.client.stream), 0);
    env_stream_write(pair.client.stream, slice_make(sent + SIZE - 10, 10));
    pair.client.in_call = false;
    env_uv_run(pair.env);
    ck_assert_uint_eq(pair.client.received.size, SIZE);
    ck_assert_int_eq(memcmp(pair.client.received.data, sent, SIZE), 0);
    ck_assert_int_eq(pair.client.drained_count, 1);
    free(sent);
    pair_teardown(&pair);
}
END_TEST

START_TEST(both_ends_know_each_other)
{
    struct pair pair;
    pair_setup(&pair);
    struct env_address server = env_listener_address(pair.listener);
    struct env_address seen = env_stream_peer(pair.client.stream);
    ck_assert_mem_eq(&seen, &server, sizeof seen);
    seen = env_stream_peer(pair.server.stream);
    ck_assert_mem_eq(seen.bytes, server.bytes, 4);
    ck_assert_uint_ne(seen.port, server.port);
    pair_teardown(&pair);
}
END_TEST

// Of all that this process has: how many sockets have this option, and not 0.
static int count_sockets(int level, int option)
{
    int count = 0;
    for (int descriptor = 0; descriptor < 1000; descriptor++) {
        struct sockaddr_storage peer;
        socklen_t peer_size = sizeof peer, size = sizeof(int);
        int value = 0;
        if (getpeername(descriptor, (struct sockaddr *)&peer, &peer_size) == 0 &&
            getsockopt(descriptor, level, option, &value, &size) == 0 && value != 0)
            count++;
    }
    return count;
}

// Nothing in this machine is silent, so it is looked at what the system was told.
START_TEST(whose_machine_is_gone_is_not_waited_for_for_ever)
{
    struct pair pair;
    int before = count_sockets(SOL_SOCKET, SO_KEEPALIVE);
    pair_setup(&pair);
    ck_assert_int_eq(count_sockets(SOL_SOCKET, SO_KEEPALIVE), before + 2);
    ck_assert_int_eq(count_sockets(IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    env_stream_limit_silence(pair.client.stream, 5 * NS_PER_S);
    ck_assert_int_eq(count_sockets(IPPROTO_TCP, TCP_USER_TIMEOUT), 1);
    pair_teardown(&pair);
}
END_TEST

START_TEST(a_closed_stream_ends_the_other_side_in_good_order)
{
    struct pair pair;
    pair_setup(&pair);
    pair.client.stop_when_ended = true;
    env_stream_close(pair.server.stream, _i != 0);
    env_uv_run(pair.env);
    ck_assert_int_eq(pair.client.ended_count, 1);
    ck_assert_int_eq(pair.client.ended_status, STATUS_CLOSED);
    // Nothing can be sent any more; that harms nobody.
    env_stream_write(pair.client.stream, slice_of_text("late"));
    env_stream_close(pair.client.stream, true);
    run_for(pair.env, NS_PER_S / 1000);
    ck_assert_int_eq(pair.client.ended_count, 1);
    ck_assert_int_eq(pair.server.ended_count, 0);
    pair_teardown(&pair);
}
END_TEST

START_TEST(a_flushing_close_sends_all_though_unread_bytes_wait)
{
    struct pair pair;
    pair_setup(&pair);
    enum { SIZE = 16 * 1000 * 1000 };
    uint8_t *sent = calloc(1, SIZE);
    // The server closes while the client's bytes are unread: a plain close would reset.
    env_stream_pause(pair.server.stream);
    env_stream_write(pair.client.stream, slice_make(sent, 1000));
    run_for(pair.env, NS_PER_S / 1000);
    env_stream_write(pair.server.stream, slice_make(sent, SIZE));
    ck_assert_uint_gt(env_stream_queued(pair.server.stream), 0);
    env_stream_close(pair.server.stream, true);
    pair.client.stop_when_ended = true;
    env_uv_run(pair.env);
    ck_assert_uint_eq(pair.client.received.size, SIZE);
    ck_assert_int_eq(pair.client.ended_status, STATUS_CLOSED);
    ck_assert_uint_eq(pair.server.received.size, 0);
    free(sent);
    pair_teardown(&pair);
}
END_TEST

START_TEST(a_paused_stream_delivers_nothing_until_it_is_resumed)
{
    struct pair pair;
    pair_setup(&pair);
    env_stream_pause(pair.server.stream);
    env_stream_write(pair.client.stream, slice_of_text("hello"));
    run_for(pair.env, NS_PER_S / 200);
    ck_assert_uint_eq(pair.server.received.size, 0);
    pair.server.in_call = true;
    pair.server.stop_at = 5;
    env_stream_resume(pair.server.stream);
    env_stream_resume(pair.server.stream);
    pair.server.in_call = false;
    env_uv_run(pair.env);
    ck_assert_uint_eq(pair.server.received.size, 5);
    pair_teardown(&pair);
}
END_TEST

START_TEST(a_stream_may_be_closed_by_its_own_data)
{
    struct pair pair;
    pair_setup(&pair);
    pair.server.close_when_data = true;
    pair.server.flush = _i != 0;
    pair.client.stop_when_ended = true;
    env_stream_write(pair.client.stream, slice_of_text("go away"));
    env_uv_run(pair.env);
    ck_assert_int_eq(pair.client.ended_status, STATUS_CLOSED);
    pair_teardown(&pair);
}
END_TEST

START_TEST(a_write_to_a_reset_connection_ends_it_in_a_later_turn)
{
    struct pair pair;
    pair_setup(&pair);
    // Unread bytes make the close a reset.
    env_stream_pause(pair.server.stream);
    env_stream_pause(pair.client.stream);
    env_stream_write(pair.client.stream, slice_of_text("unread"));
    run_for(pair.env, NS_PER_S / 1000);
    env_stream_close(pair.server.stream, false);
    run_for(pair.env, NS_PER_S / 1000);
    pair.client.in_call = true;
    for (int i = 0; i < 3; i++)
        env_stream_write(pair.client.stream, slice_of_text("more"));
    ck_assert_int_eq(pair.client.ended_count, 0);
    pair.client.in_call = false;
    pair.client.stop_when_ended = true;
    env_uv_run(pair.env);
    ck_assert_int_eq(pair.client.ended_count, 1);
    ck_assert_int_eq(pair.client.ended_status, STATUS_IO);
    pair_teardown(&pair);
}
END_TEST

START_TEST(a_port_nobody_listens_on_refuses)
{
    struct pair pair;
    pair_setup(&pair);
    struct env_address address = env_listener_address(pair.listener);
    env_listener_close(pair.listener);
    run_for(pair.env, NS_PER_S / 1000);
    struct end other;
    end_init(&other, pair.env);
    other.in_call = true;
    env_connect(pair.env, &address, NS_PER_S, end_connected, &other);
    other.in_call = false;
    env_uv_run(pair.env);
    ck_assert_int_eq(other.connected_count, 1);
    ck_assert_int_eq(other.connect_status, STATUS_REFUSED);
    ck_assert_ptr_null(other.stream);
    pair_teardown(&pair);
}
END_TEST

START_TEST(an_address_that_cannot_be_reached_fails_once)
{
    // A multicast address is no place to connect to: the system says so at once.
    struct env *env;
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    struct env_address address;
    ck_assert_int_eq(env_address_parse("224.0.0.1", 1, &address), STATUS_OK);
    struct end end;
    end_init(&end, env);
    end.in_call = true;
    env_connect(env, &address, NS_PER_S, end_connected, &end);
    end.in_call = false;
    env_uv_run(env);
    ck_assert_int_eq(end.connected_count, 1);
    ck_assert_int_ne(end.connect_status, STATUS_OK);
    env_uv_destroy(env);
}
END_TEST

START_TEST(who_gives_up_connecting_is_not_called)
{
    struct pair pair;
    pair_setup(&pair);
    struct env_address address = env_listener_address(pair.listener), nowhere;
    env_listener_close(pair.listener);
    run_for(pair.env, NS_PER_S / 1000);
    ck_assert_int_eq(env_address_parse("224.0.0.1", 1, &nowhere), STATUS_OK);
    struct end others[2];
    end_init(&others[0], pair.env);
    end_init(&others[1], pair.env);
    env_connect_cancel(env_connect(pair.env, &address, NS_PER_S, end_connected, &others[0]));
    env_connect_cancel(env_connect(pair.env, &nowhere, NS_PER_S, end_connected, &others[1]));
    run_for(pair.env, NS_PER_S / 100);
    ck_assert_int_eq(others[0].connected_count + others[1].connected_count, 0);
    pair_teardown(&pair);
}
END_TEST

START_TEST(a_connect_without_answer_times_out)
{
    // A listener whose queue is full answers nothing.
    struct env_address address = loopback(0);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_storage name = {.ss_family = AF_INET};
    socklen_t name_size = sizeof name;
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&name, 16), 0);
    ck_assert_int_eq(listen(listener, 0), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&name, &name_size), 0);
    memcpy(&address.port, (const char *)&name + 2, 2);
    address.port = __builtin_bswap16(address.port);
    struct env *env;
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    enum { COUNT = 8 };
    struct end ends[COUNT];
    int timed_out_count = 0;
    for (int i = 0; i < COUNT; i++) {
        end_init(&ends[i], env);
        env_connect(env, &address, NS_PER_S / 50, end_connected, &ends[i]);
    }
    run_for(env, NS_PER_S / 10);
    while (ends[COUNT - 1].connected_count == 0)
        env_uv_run(env);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_le(ends[i].connected_count, 1);
        timed_out_count += ends[i].connect_status == STATUS_TIMED_OUT;
    }
    ck_assert_int_ge(timed_out_count, COUNT - 3);
    env_uv_destroy(env);
    ck_assert_int_eq(close(listener), 0);
}
END_TEST

START_TEST(a_taken_port_is_told_in_words)
{
    struct pair pair;
    pair_setup(&pair);
    struct env_address address = env_listener_address(pair.listener);
    struct env_listener *second = NULL;
    struct error error;
    char expected[128];
    ck_assert_int_eq(env_listen(pair.env, &address, end_accepted, &pair.server, &second, &error),
                     STATUS_IN_USE);
    ck_assert_ptr_null(second);
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%u: the port is taken by another program",
                   address.port);
    ck_assert_str_eq(error.text, expected);
    // An address of the documentation network is nobody's.
    ck_assert_int_eq(env_address_parse("192.0.2.1", 9042, &address), STATUS_OK);
    ck_assert_int_eq(env_listen(pair.env, &address, end_accepted, &pair.server, &second, &error),
                     STATUS_IO);
    ck_assert_str_eq(error.text, "192.0.2.1:9042: not an address of this machine");
    pair_teardown(&pair);
}
END_TEST

static void accepted_and_closed(void *context, struct env_stream *stream)
{
    int *count = context;
    ++*count;
    env_stream_close(stream, *count % 2 == 0);
}

START_TEST(thousands_of_connections_leave_no_descriptor)
{
    struct env *env;
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    struct env_listener *listener;
    struct env_address address = loopback(0);
    int accepted_count = 0;
    ck_assert_int_eq(
        env_listen(env, &address, accepted_and_closed, &accepted_count, &listener, &error),
        STATUS_OK);
    address = env_listener_address(listener);
    int lowest_before = dup(0);
    ck_assert_int_eq(close(lowest_before), 0);
    for (int i = 0; i < 2000; i++) {
        struct end end;
        end_init(&end, env);
        env_connect(env, &address, NS_PER_S, end_connected, &end);
        env_uv_run(env);
        ck_assert_int_eq(end.connect_status, STATUS_OK);
        env_stream_close(end.stream, i % 3 == 0);
    }
    run_for(env, NS_PER_S / 20);
    ck_assert_int_eq(accepted_count, 2000);
    int lowest_after = dup(0);
    ck_assert_int_eq(close(lowest_after), 0);
    ck_assert_int_eq(lowest_after, lowest_before);
    env_uv_destroy(env);
}
END_TEST

static void accepted_and_kept(void *context, struct env_stream *stream)
{
    struct end *ends = context;
    size_t i = 0;
    while (ends[i].stream != NULL)
        i++;
    ends[i].stream = stream;
    env_stream_start(stream, &end_events, &ends[i]);
}

START_TEST(clients_leave_descriptors_for_files)
{
    enum { LIMIT = 64, CLIENTS = 40 };
    struct rlimit limit = {.rlim_cur = LIMIT, .rlim_max = LIMIT};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct env *env;
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    struct end ends[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        end_init(&ends[i], env);
    struct env_listener *listener;
    struct env_address address = loopback(0);
    ck_assert_int_eq(env_listen(env, &address, accepted_and_kept, ends, &listener, &error),
                     STATUS_OK);
    struct sockaddr_storage name = {.ss_family = AF_INET};
    address = env_listener_address(listener);
    uint16_t port = __builtin_bswap16(address.port);
    memcpy((char *)&name + 2, &port, 2);
    memcpy((char *)&name + 4, address.bytes, 4);
    for (int i = 0; i < CLIENTS; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_ge(client, 0);
        ck_assert_int_eq(connect(client, (struct sockaddr *)&name, 16), 0);
        run_for(env, NS_PER_S / 1000);
        // Half of the clients go, so that this process itself does not take all descriptors.
        if (i % 2 == 0) ck_assert_int_eq(close(client), 0);
    }
    struct env_file *file;
    enum status status = env_file_open(env, "/proc/self/stat", ENV_OPEN_READ, &file, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    env_file_close(file);
    env_uv_destroy(env);
}
END_TEST

START_TEST(the_limit_of_descriptors_is_raised_as_far_as_may_be)
{
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = 200};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct env *env;
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, 200);
    env_uv_destroy(env);
}
END_TEST

START_TEST(ipv6_works_where_the_machine_has_it)
{
    struct env *env;
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    struct env_address address;
    ck_assert_int_eq(env_address_parse("::1", 0, &address), STATUS_OK);
    struct end server, client;
    end_init(&server, env);
    end_init(&client, env);
    struct env_listener *listener;
    if (env_listen(env, &address, end_accepted, &server, &listener, &error) == STATUS_OK) {
        address = env_listener_address(listener);
        ck_assert_uint_eq(address.size, 16);
        env_connect(env, &address, NS_PER_S, end_connected, &client);
        env_uv_run(env);
        ck_assert_int_eq(client.connect_status, STATUS_OK);
    }
    env_uv_destroy(env);
}
END_TEST

int main(void)
{
    TCase *stream = tcase_create("stream");
    tcase_set_timeout(stream, 60);
    tcase_add_test(stream, bytes_come_back_from_an_echo_in_order);
    tcase_add_test(stream, both_ends_know_each_other);
    tcase_add_test(stream, whose_machine_is_gone_is_not_waited_for_for_ever);
    tcase_add_loop_test(stream, a_closed_stream_ends_the_other_side_in_good_order, 0, 2);
    tcase_add_test(stream, a_flushing_close_sends_all_though_unread_bytes_wait);
    tcase_add_test(stream, a_paused_stream_delivers_nothing_until_it_is_resumed);
    tcase_add_loop_test(stream, a_stream_may_be_closed_by_its_own_data, 0, 2);
    tcase_add_test(stream, a_write_to_a_reset_connection_ends_it_in_a_later_turn);
    tcase_add_test(stream, a_port_nobody_listens_on_refuses);
    tcase_add_test(stream, an_address_that_cannot_be_reached_fails_once);
    tcase_add_test(stream, who_gives_up_connecting_is_not_called);
    tcase_add_test(stream, a_connect_without_answer_times_out);
    tcase_add_test(stream, a_taken_port_is_told_in_words);
    tcase_add_test(stream, thousands_of_connections_leave_no_descriptor);
    tcase_add_test(stream, clients_leave_descriptors_for_files);
    tcase_add_test(stream, the_limit_of_descriptors_is_raised_as_far_as_may_be);
    tcase_add_test(stream, ipv6_works_where_the_machine_has_it);

    Suite *suite = suite_create("env_uv/stream");
    suite_add_tcase(suite, stream);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
