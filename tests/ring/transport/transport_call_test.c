// One question over a connection of its own, on the real loop.
#include "ring/transport/transport_call.h"

#include "base/container_of.h"
#include "base/env_uv.h"

#include <check.h>
#include <stdlib.h>

#define SECOND_NS 1000000000ull

static struct env *env;
static struct transport_server *server;
static struct env_address address;
static bool is_silent, is_rude;

struct asked {
    struct transport_call call;
    int done_count;
    enum status status;
    uint8_t type;
    char text[64];
};

static void request_came(void *context, struct transport_connection *connection, uint8_t type,
                         uint64_t id, struct slice payload)
{
    (void)context;
    if (is_rude)
        transport_connection_end(connection);
    else if (!is_silent)
        transport_reply(connection, id, (uint8_t)(type + 1), payload);
}

static void connection_ended(void *context, struct transport_connection *connection)
{
    (void)context;
    (void)connection;
}

static void setup(void)
{
    static const struct transport_server_events events = {request_came, connection_ended};
    struct error error;
    is_silent = is_rude = false;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    ck_assert_int_eq(env_address_parse("127.0.0.1", 0, &address), STATUS_OK);
    ck_assert_int_eq(transport_listen(env, &address, &events, NULL, &server, &error), STATUS_OK);
    address = transport_server_address(server);
}

static void teardown(void)
{
    transport_server_close(server);
    env_uv_destroy(env);
}

static void stop(struct env_timer *timer)
{
    (void)timer;
    env_uv_stop(env);
}

static void run_for(uint64_t ns)
{
    struct env_timer timer = {0};
    env_timer_start(env, &timer, ns, stop);
    env_uv_run(env);
    env_timer_stop(env, &timer);
}

static void answered(struct transport_call *call, enum status status, uint8_t type,
                     struct slice payload)
{
    struct asked *asked = CONTAINER_OF(call, struct asked, call);
    asked->done_count++;
    asked->status = status;
    asked->type = type;
    ck_assert_uint_lt(payload.size, sizeof asked->text);
    memcpy(asked->text, payload.data, payload.size);
    asked->text[payload.size] = '\0';
    env_uv_stop(env);
}

static void start(struct asked *asked, uint64_t timeout_ns)
{
    *asked = (struct asked){.done_count = 0};
    char question[] = "how are you";
    transport_call_start(env, &asked->call, &address, timeout_ns, 7, slice_of_text(question),
                         answered);
    question[0] = '?'; // It was copied.
    ck_assert_int_eq(asked->done_count, 0);
}

START_TEST(a_question_gets_its_answer)
{
    struct asked asked;
    start(&asked, SECOND_NS);
    env_uv_run(env);
    ck_assert_int_eq(asked.done_count, 1);
    ck_assert_int_eq(asked.status, STATUS_OK);
    ck_assert_uint_eq(asked.type, 8);
    ck_assert_str_eq(asked.text, "how are you");
    transport_call_cancel(&asked.call);
}
END_TEST

START_TEST(nobody_there_and_one_that_hangs_up_are_said_in_words)
{
    struct asked asked;
    is_rude = true;
    start(&asked, SECOND_NS);
    env_uv_run(env);
    ck_assert_int_eq(asked.done_count, 1);
    ck_assert_int_ne(asked.status, STATUS_OK);
    ck_assert_str_eq(asked.text, status_text(asked.status));
    address.port = 1;
    start(&asked, SECOND_NS);
    env_uv_run(env);
    ck_assert_int_eq(asked.done_count, 1);
    ck_assert_int_eq(asked.status, STATUS_REFUSED);
    ck_assert_str_eq(asked.text, status_text(STATUS_REFUSED));
}
END_TEST

START_TEST(who_does_not_answer_is_waited_for_until_the_timeout)
{
    struct asked asked;
    is_silent = true;
    start(&asked, SECOND_NS / 20);
    env_uv_run(env);
    ck_assert_int_eq(asked.done_count, 1);
    ck_assert_int_eq(asked.status, STATUS_TIMED_OUT);
    ck_assert_str_eq(asked.text, "the node does not answer");
}
END_TEST

START_TEST(nothing_comes_after_a_cancel)
{
    struct asked asked = {.done_count = 0};
    transport_call_cancel(&asked.call); // None is under way.
    start(&asked, SECOND_NS);
    transport_call_cancel(&asked.call); // While it connects.
    run_for(SECOND_NS / 20);
    ck_assert_int_eq(asked.done_count, 0);
    is_silent = true;
    start(&asked, SECOND_NS);
    run_for(SECOND_NS / 20);
    transport_call_cancel(&asked.call); // While it waits.
    run_for(SECOND_NS / 20);
    ck_assert_int_eq(asked.done_count, 0);
}
END_TEST

int main(void)
{
    TCase *call = tcase_create("transport_call");
    tcase_set_timeout(call, 30);
    tcase_add_checked_fixture(call, setup, teardown);
    tcase_add_test(call, a_question_gets_its_answer);
    tcase_add_test(call, nobody_there_and_one_that_hangs_up_are_said_in_words);
    tcase_add_test(call, who_does_not_answer_is_waited_for_until_the_timeout);
    tcase_add_test(call, nothing_comes_after_a_cancel);
    Suite *suite = suite_create("transport_call");
    suite_add_tcase(suite, call);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
