// Both ends on one loop, and a peer that speaks raw bytes: whatever it says, the server lives.
#include "ring/transport/transport.h"

#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"

#include <check.h>
#include <stdlib.h>

static struct env *env;
static struct transport_server *server;
static struct env_address address;
static int ended_count, request_count;

// Answers with the request's bytes, doubled type.
static void echo(void *context, struct transport_connection *connection, uint8_t type, uint64_t id,
                 struct slice payload)
{
    (void)context;
    request_count++;
    transport_reply(connection, id, (uint8_t)(type * 2), payload);
}

static void connection_ended(void *context, struct transport_connection *connection)
{
    (void)context;
    (void)connection;
    ended_count++;
    env_uv_stop(env);
}

static void setup(void)
{
    static const struct transport_server_events events = {echo, connection_ended};
    struct error error;
    ended_count = request_count = 0;
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

// ---- A client ----------------------------------------------------------------------------------

struct client {
    struct transport_client *client;
    bool connected;
    enum status status;
};

static void client_connected(void *context)
{
    ((struct client *)context)->connected = true;
    env_uv_stop(env);
}

static void client_ended(void *context, enum status status)
{
    ((struct client *)context)->status = status;
    env_uv_stop(env);
}

static void client_open(struct client *client)
{
    static const struct transport_client_events events = {client_connected, client_ended};
    *client = (struct client){.status = STATUS_OK};
    client->client = transport_client_create(env, &address, 1000000000, &events, client);
    env_uv_run(env);
}

// Lets what was put off (frees, writes) happen.
static void pause_over(struct env_timer *timer)
{
    (void)timer;
    env_uv_stop(env);
}

static void settle(void)
{
    struct env_timer timer = {0};
    env_timer_start(env, &timer, 5000000, pause_over);
    env_uv_run(env);
    env_timer_stop(env, &timer); // Something else may have ended the run.
}

struct request {
    struct transport_request request;
    struct slice sent;
    enum status status;
    bool done;
    int *left;
};

static void answered(struct transport_request *at, enum status status, uint8_t type,
                     struct slice payload)
{
    struct request *request = CONTAINER_OF(at, struct request, request);
    request->status = status;
    request->done = true;
    if (status == STATUS_OK) {
        ck_assert_uint_eq(type, 6);
        ck_assert(slice_equals(payload, request->sent));
    }
    if (--*request->left == 0) env_uv_stop(env);
}

START_TEST(each_request_gets_its_answer)
{
    enum { COUNT = 200 };
    static uint8_t bytes[COUNT * 5000];
    struct client client;
    client_open(&client);
    ck_assert(client.connected);
    static struct request requests[COUNT];
    int left = COUNT;
    env_random_bytes(env, bytes, sizeof bytes);
    for (size_t i = 0; i < COUNT; i++) {
        requests[i] = (struct request){.sent = slice_make(bytes, i * 5000), .left = &left};
        transport_client_send(client.client, &requests[i].request, 3, requests[i].sent, answered);
    }
    env_uv_run(env);
    ck_assert_int_eq(left, 0);
    transport_client_destroy(client.client);
    settle();
}
END_TEST

START_TEST(the_largest_message_goes_through)
{
    uint8_t *bytes = calloc(1, TRANSPORT_MESSAGE_SIZE_MAX);
    struct client client;
    int left = 1;
    client_open(&client);
    struct request request = {.sent = slice_make(bytes, TRANSPORT_MESSAGE_SIZE_MAX), .left = &left};
    transport_client_send(client.client, &request.request, 3, request.sent, answered);
    env_uv_run(env);
    ck_assert_int_eq(request.status, STATUS_OK);
    transport_client_destroy(client.client);
    settle();
    free(bytes);
}
END_TEST

START_TEST(a_server_that_goes_fails_what_waits)
{
    struct client client;
    client_open(&client);
    int left = 2;
    struct request request = {.sent = slice_of_text("x"), .left = &left};
    transport_server_close(server);
    transport_client_send(client.client, &request.request, 3, request.sent, answered);
    env_uv_run(env);
    ck_assert(request.done);
    ck_assert_int_ne(request.status, STATUS_OK);
    ck_assert_int_eq(client.status, request.status);
    transport_client_destroy(client.client);
    settle();
    struct error error;
    static const struct transport_server_events events = {echo, connection_ended};
    ck_assert_int_eq(transport_listen(env, &address, &events, NULL, &server, &error), STATUS_OK);
}
END_TEST

START_TEST(nobody_listening_is_a_status)
{
    struct client client;
    address.port = 1;
    client_open(&client);
    ck_assert(!client.connected);
    ck_assert_int_eq(client.status, STATUS_REFUSED);
    transport_client_destroy(client.client);
    settle();
}
END_TEST

// ---- A raw peer --------------------------------------------------------------------------------

static struct env_stream *raw;

static void raw_data(void *context, struct slice bytes)
{
    (void)context;
    (void)bytes;
}

static void raw_ended(void *context, enum status status)
{
    (void)context;
    (void)status;
}

static void raw_connected(void *context, enum status status, struct env_stream *stream)
{
    static const struct env_stream_events events = {raw_data, NULL, raw_ended};
    (void)context;
    ck_assert_int_eq(status, STATUS_OK);
    raw = stream;
    env_stream_start(stream, &events, NULL);
    env_uv_stop(env);
}

#define HELLO "HLNS\0\2\0\0" ID
#define ID    "0123456789abcdef"

static const struct {
    const char *bytes;
    size_t size;
} nonsense[] = {
#define BYTES(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    BYTES("GET / HTTP/1.1\r\n\r\n"),
    BYTES("HLNS\0\1\0\0" ID),                                          // Another version.
    BYTES(HELLO "\xff\xff\xff\xff\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"), // Too long.
    BYTES(HELLO "\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"),         // A wrong checksum.
};

START_TEST(a_peer_that_talks_nonsense_is_disconnected)
{
    env_connect(env, &address, 1000000000, raw_connected, NULL);
    env_uv_run(env);
    // In two pieces, so that nothing depends on how bytes arrive.
    env_stream_write(raw, slice_make(nonsense[_i].bytes, 3));
    settle();
    env_stream_write(raw, slice_make(nonsense[_i].bytes + 3, nonsense[_i].size - 3));
    if (ended_count == 0) env_uv_run(env);
    ck_assert_int_eq(ended_count, 1);
    ck_assert_int_eq(request_count, 0);
    env_stream_close(raw, false);
    settle();
    struct client client; // The next one is served.
    client_open(&client);
    ck_assert(client.connected);
    transport_client_destroy(client.client);
    settle();
}
END_TEST

START_TEST(a_client_may_go_at_any_time)
{
    struct client client;
    static const struct transport_client_events events = {client_connected, client_ended};
    client.client = transport_client_create(env, &address, 1000000000, &events, &client);
    transport_client_destroy(client.client); // While it connects.
    settle();
    client_open(&client);
    int left = 2;
    struct request request = {.sent = slice_of_text("x"), .left = &left};
    transport_client_send(client.client, &request.request, 3, request.sent, answered);
    transport_client_destroy(client.client); // Before its request leaves.
    settle();
    ck_assert(!request.done);
}
END_TEST

int main(void)
{
    TCase *transport = tcase_create("transport");
    tcase_set_timeout(transport, 30);
    tcase_add_checked_fixture(transport, setup, teardown);
    tcase_add_test(transport, each_request_gets_its_answer);
    tcase_add_test(transport, the_largest_message_goes_through);
    tcase_add_test(transport, a_server_that_goes_fails_what_waits);
    tcase_add_test(transport, nobody_listening_is_a_status);
    tcase_add_loop_test(transport, a_peer_that_talks_nonsense_is_disconnected, 0,
                        sizeof nonsense / sizeof *nonsense);
    tcase_add_test(transport, a_client_may_go_at_any_time);
    Suite *suite = suite_create("transport");
    suite_add_tcase(suite, transport);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
