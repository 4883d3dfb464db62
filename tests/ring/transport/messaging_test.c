// Two and three members in a simulated world: requests find their answers, end in time when they do
// not, and nothing that waits grows without bound.
#include "ring/transport/messaging.h"

#include "base/container_of.h"
#include "base/limits.h"
#include "tests/ring/support/message_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static struct message_world world;

// ---- Who asks -----------------------------------------------------------------------------------

struct ask {
    struct messaging_request request;
    enum status status;
    char answer[64];
    size_t answer_size;
    int done_count;
    uint64_t done_ns;
    bool is_done;
};

static void ask_done(struct messaging_request *request, enum status status, struct slice answer)
{
    struct ask *ask = CONTAINER_OF(request, struct ask, request);
    ask->status = status;
    ask->answer_size = answer.size;
    if (answer.size < sizeof ask->answer) {
        memcpy(ask->answer, answer.data, answer.size);
        ask->answer[answer.size] = '\0';
    }
    ask->done_count++;
    ask->done_ns = sim_world_now(world.sim);
    ask->is_done = true;
}

static void ask_send(struct ask *ask, size_t from, uint16_t to, enum verb verb, const char *text,
                     uint64_t timeout_ns)
{
    *ask = (struct ask){.status = STATUS_END};
    messaging_send(world.nodes[from].messaging, &ask->request, to, verb, slice_of_text(text),
                   timeout_ns, ask_done);
    ck_assert(!ask->is_done); // Never inside of the call.
}

// ---- Who answers --------------------------------------------------------------------------------

enum { ORIGINS_MAX = 16 };

struct service {
    struct message_handler handler;
    int count;
    uint16_t from;
    bool is_silent; // Keeps the origins instead.
    struct message_origin origins[ORIGINS_MAX];
    size_t origin_count;
};

static void service_handle(struct message_handler *handler, const struct message *message)
{
    struct service *service = CONTAINER_OF(handler, struct service, handler);
    char text[80];
    service->count++;
    service->from = message->from;
    if (service->is_silent) {
        if (service->origin_count < ORIGINS_MAX)
            service->origins[service->origin_count++] = message->origin;
        return;
    }
    int size = snprintf(text, sizeof text, "%d:%.*s", (int)message->verb, (int)message->body.size,
                        (const char *)message->body.data);
    messaging_answer(handler->messaging, message->origin, STATUS_OK,
                     slice_make(text, (size_t)size));
}

static struct service services[3];

static void service_begin(size_t node, enum verb verb)
{
    services[node] = (struct service){.handler = {.handle = service_handle}};
    messaging_handle(world.nodes[node].messaging, verb, &services[node].handler);
}

// ---- Who listens --------------------------------------------------------------------------------

struct ear {
    struct messaging_listener listener;
    int connected[3], lost[3], heard[3];
    enum status status;
};

static void ear_connected(struct messaging_listener *listener, uint16_t member)
{
    CONTAINER_OF(listener, struct ear, listener)->connected[member]++;
}

static void ear_lost(struct messaging_listener *listener, uint16_t member, enum status status)
{
    struct ear *ear = CONTAINER_OF(listener, struct ear, listener);
    ear->lost[member]++;
    ear->status = status;
}

static void ear_heard(struct messaging_listener *listener, uint16_t member)
{
    CONTAINER_OF(listener, struct ear, listener)->heard[member]++;
}

static void ear_begin(struct ear *ear, size_t node)
{
    *ear = (struct ear){
        .listener = {.connected = ear_connected, .lost = ear_lost, .heard = ear_heard}};
    messaging_listen(world.nodes[node].messaging, &ear->listener);
}

static void setup(void)
{
    message_world_open(&world, 3, 1);
    for (size_t i = 0; i < 3; i++)
        service_begin(i, VERB_READ);
}

static void teardown(void)
{
    message_world_close(&world);
}

// ---- Answers ------------------------------------------------------------------------------------

START_TEST(a_request_gets_its_answer)
{
    struct ask ask;
    ask_send(&ask, 0, (uint16_t)_i, VERB_READ, "hello", S);
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_OK);
    char expected[32];
    (void)snprintf(expected, sizeof expected, "%d:hello", (int)VERB_READ);
    ck_assert_str_eq(ask.answer, expected);
    ck_assert_uint_eq(services[_i].from, 0);
    ck_assert_uint_eq(ask.request.id, 0);
    message_world_run(&world, 2, NULL); // Its time passes without an effect.
    ck_assert_int_eq(ask.done_count, 1);
}
END_TEST

START_TEST(many_requests_of_one_turn_leave_together)
{
    enum { COUNT = 1000 };
    static struct ask asks[COUNT];
    struct ask first;
    ask_send(&first, 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, &first.is_done);
    uint64_t steps = sim_process_steps(world.nodes[0].env);
    for (int i = 0; i < COUNT; i++)
        ask_send(&asks[i], 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, &asks[COUNT - 1].is_done);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(asks[i].status, STATUS_OK);
    ck_assert_uint_eq(sim_process_steps(world.nodes[0].env) - steps, 1);
}
END_TEST

START_TEST(a_verb_without_a_handler_is_unsupported)
{
    struct ask ask;
    ask_send(&ask, 0, 1, VERB_HINT, "x", S);
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_UNSUPPORTED);
    ask_send(&ask, 0, 9, VERB_READ, "x", S); // Nobody.
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_CLOSED);
}
END_TEST

START_TEST(an_answer_may_come_later_and_carries_its_status)
{
    struct ask ask;
    services[1].is_silent = true;
    ask_send(&ask, 0, 1, VERB_READ, "x", 10 * S);
    message_world_run(&world, 1, NULL);
    ck_assert(!ask.is_done);
    messaging_answer(world.nodes[1].messaging, services[1].origins[0], STATUS_CONFLICT,
                     slice_of_text("late"));
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_CONFLICT);
    ck_assert_str_eq(ask.answer, "late");
    // A second answer has nobody to go to.
    messaging_answer(world.nodes[1].messaging, services[1].origins[0], STATUS_OK,
                     slice_of_text("again"));
    message_world_run(&world, 1, NULL);
    ck_assert_int_eq(ask.done_count, 1);
}
END_TEST

START_TEST(what_is_too_large_is_refused)
{
    size_t size = TRANSPORT_ANSWER_SIZE_MAX;
    uint8_t *bytes = calloc(1, size);
    struct ask ask = {0};
    messaging_send(world.nodes[0].messaging, &ask.request, 1, VERB_READ, slice_make(bytes, size), S,
                   ask_done);
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_INVALID);
    services[1].is_silent = true;
    ask_send(&ask, 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 0.1, NULL);
    messaging_answer(world.nodes[1].messaging, services[1].origins[0], STATUS_OK,
                     slice_make(bytes, size));
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_OVERLOADED);
    free(bytes);
}
END_TEST

// Requests that come in one go may all have large answers.
START_TEST(large_answers_wait_in_bounded_memory)
{
    enum { COUNT = 4 };
    size_t size = MESSAGING_ANSWERS_MAX / 2 + 1;
    uint8_t *bytes = calloc(1, size);
    struct ask asks[COUNT];
    services[1].is_silent = true;
    for (int i = 0; i < COUNT; i++)
        ask_send(&asks[i], 0, 1, VERB_READ, "x", 60 * S);
    message_world_run(&world, 0.1, NULL);
    for (int i = 0; i < COUNT; i++)
        messaging_answer(world.nodes[1].messaging, services[1].origins[i], STATUS_OK,
                         slice_make(bytes, size));
    int refused = 0;
    for (int i = 0; i < COUNT; i++) {
        message_world_run(&world, 30, &asks[i].is_done);
        refused += asks[i].status == STATUS_OVERLOADED;
    }
    ck_assert_int_eq(refused, 2);
    free(bytes);
}
END_TEST

// ---- Time ---------------------------------------------------------------------------------------

START_TEST(a_request_without_an_answer_times_out)
{
    static const uint64_t timeouts[] = {1 * MS, 20 * MS, 500 * MS, 2 * S, 60 * S};
    enum { COUNT = sizeof timeouts / sizeof *timeouts };
    struct ask asks[COUNT];
    services[1].is_silent = true;
    uint64_t start_ns = sim_world_now(world.sim);
    for (int i = 0; i < COUNT; i++)
        ask_send(&asks[i], 0, 1, VERB_READ, "x", timeouts[i]);
    message_world_run(&world, 61, NULL);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(asks[i].status, STATUS_TIMED_OUT);
        ck_assert_int_eq(asks[i].done_count, 1);
        ck_assert_uint_ge(asks[i].done_ns, start_ns + timeouts[i]);
        ck_assert_uint_le(asks[i].done_ns, start_ns + timeouts[i] + 10 * MS);
    }
}
END_TEST

START_TEST(a_canceled_request_says_nothing)
{
    struct ask sent, refused, local;
    ask_send(&sent, 0, 1, VERB_READ, "x", S);
    ask_send(&refused, 0, 9, VERB_READ, "x", S);
    ask_send(&local, 0, 0, VERB_READ, "x", S);
    messaging_cancel(world.nodes[0].messaging, &sent.request);
    messaging_cancel(world.nodes[0].messaging, &refused.request);
    messaging_cancel(world.nodes[0].messaging, &local.request);
    messaging_cancel(world.nodes[0].messaging, &local.request);
    message_world_run(&world, 2, NULL);
    ck_assert(!sent.is_done && !refused.is_done && !local.is_done);
    ck_assert_int_eq(services[1].count, 1); // It may have been carried out all the same.
}
END_TEST

// ---- Connections --------------------------------------------------------------------------------

START_TEST(a_death_ends_what_waits_and_is_heard_of_at_once)
{
    struct ear ear;
    struct ask ask, reverse;
    ear_begin(&ear, 0);
    services[1].is_silent = true;
    ask_send(&ask, 0, 1, VERB_READ, "x", 60 * S);
    ask_send(&reverse, 1, 0, VERB_READ, "x", 60 * S);
    message_world_run(&world, 0.1, NULL);
    ck_assert_int_eq(ear.connected[1], 1);
    message_world_kill(&world, 1);
    uint64_t start_ns = sim_world_now(world.sim);
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_CLOSED);
    ck_assert_uint_le(ask.done_ns - start_ns, 400 * MS); // The world's way to lose a connection.
    // Then it is refused, again and again, a little more seldom each time.
    message_world_run(&world, 5, NULL);
    ck_assert_int_ge(ear.lost[1], 8);
    ck_assert_int_le(ear.lost[1], 12);
    ck_assert_int_eq(ear.status, STATUS_REFUSED);
    // A fresh request asks at once.
    ask_send(&ask, 0, 1, VERB_READ, "x", 60 * S);
    start_ns = sim_world_now(world.sim);
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_CLOSED);
    ck_assert_uint_le(ask.done_ns - start_ns, 10 * MS);
    ck_assert_uint_eq(messaging_queued(world.nodes[0].messaging, 1), 0);
}
END_TEST

// Ids are counted from the same number everywhere: only the connection tells them apart.
START_TEST(an_answer_does_not_go_to_who_came_after)
{
    struct ask gone, next;
    services[1].is_silent = true;
    ask_send(&gone, 0, 1, VERB_READ, "gone", S);
    message_world_run(&world, 0.1, NULL);
    message_world_kill(&world, 0);
    message_world_run(&world, 1, NULL);
    ask_send(&next, 2, 1, VERB_READ, "next", 60 * S);
    message_world_run(&world, 0.1, NULL);
    ck_assert_uint_eq(services[1].origin_count, 2);
    ck_assert_uint_eq(services[1].origins[0].id, services[1].origins[1].id);
    messaging_answer(world.nodes[1].messaging, services[1].origins[0], STATUS_OK,
                     slice_of_text("for who is gone"));
    message_world_run(&world, 1, NULL);
    ck_assert(!next.is_done);
    messaging_answer(world.nodes[1].messaging, services[1].origins[1], STATUS_OK,
                     slice_of_text("for you"));
    message_world_run(&world, 1, &next.is_done);
    ck_assert_str_eq(next.answer, "for you");
}
END_TEST

START_TEST(a_connection_is_made_again)
{
    struct ear ear;
    struct ask ask;
    ear_begin(&ear, 0);
    ask_send(&ask, 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, &ask.is_done);
    message_world_kill(&world, 1);
    message_world_run(&world, 0.1, NULL);
    message_world_start(&world, 1);
    service_begin(1, VERB_READ);
    message_world_run(&world, 0.4, NULL);
    ck_assert_int_eq(ear.connected[1], 2); // By itself.
    ask_send(&ask, 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_OK);
}
END_TEST

START_TEST(asking_again_when_refused_does_not_spin)
{
    message_world_kill(&world, 1);
    message_world_run(&world, 1, NULL);
    uint64_t turn = sim_world_turn(world.sim), start_ns = sim_world_now(world.sim);
    int count = 0;
    while (sim_world_now(world.sim) - start_ns < S) {
        struct ask ask;
        ask_send(&ask, 0, 1, VERB_READ, "x", S);
        message_world_run(&world, 1, &ask.is_done);
        ck_assert_int_eq(ask.status, STATUS_CLOSED);
        count++;
    }
    ck_assert_int_le(count, 510); // One attempt in 2 ms.
    ck_assert_uint_le(sim_world_turn(world.sim) - turn, 5000);
}
END_TEST

static void liar_request(void *context, struct transport_connection *connection, uint8_t type,
                         uint64_t id, struct slice payload)
{
    (void)type, (void)payload;
    ++*(int *)context;
    transport_reply(connection, id, VERB_ANSWER, slice_of_text("\0\0lie"));
}

static void liar_ended(void *context, struct transport_connection *connection)
{
    (void)context, (void)connection;
}

START_TEST(nobody_answers_in_the_name_of_another)
{
    static const struct transport_server_events events = {liar_request, liar_ended};
    struct transport_server *server;
    struct ear ear;
    struct ask ask;
    int lies = 0;
    ear_begin(&ear, 0);
    message_world_kill(&world, 1);
    message_world_run(&world, 0.1, NULL);
    ck_assert_int_eq(transport_listen(world.nodes[2].env, &world.topology->members[1].address,
                                      &events, &lies, &server, NULL),
                     STATUS_OK);
    ask_send(&ask, 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 2, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_CLOSED);
    ck_assert_int_eq(ear.status, STATUS_MALFORMED);
    ck_assert_int_eq(ear.heard[1], 0);
    ck_assert_int_eq(ear.connected[1], 0);
    transport_server_close(server);
}
END_TEST

// ---- Bounds -------------------------------------------------------------------------------------

START_TEST(a_member_that_takes_nothing_does_not_fill_memory)
{
    enum { SIZE = 1 << 20, COUNT = 100 };
    static struct ask asks[COUNT];
    uint8_t *bytes = calloc(1, SIZE);
    int overloaded = 0;
    for (int i = 0; i < COUNT; i++) {
        asks[i] = (struct ask){0};
        messaging_send(world.nodes[0].messaging, &asks[i].request, 1, VERB_READ,
                       slice_make(bytes, SIZE), 60 * S, ask_done);
        ck_assert_uint_le(messaging_queued(world.nodes[0].messaging, 1),
                          MESSAGING_QUEUED_MAX + MIB);
    }
    services[1].is_silent = true;
    message_world_run(&world, 0.001, NULL);
    for (int i = 0; i < COUNT; i++)
        overloaded += asks[i].is_done && asks[i].status == STATUS_OVERLOADED;
    ck_assert_int_ge(overloaded, 36);
    ck_assert_int_lt(overloaded, 40);
    message_world_run(&world, 10, NULL);
    ck_assert_int_eq(services[1].count, COUNT - overloaded);
    struct ask ask; // There is room again.
    services[1].is_silent = false;
    ask_send(&ask, 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, &ask.is_done);
    ck_assert_int_eq(ask.status, STATUS_OK);
    free(bytes);
}
END_TEST

// ---- The metadata log's numbers -----------------------------------------------------------------

START_TEST(a_request_from_ahead_waits_until_we_have_caught_up)
{
    struct ask ahead, old, unordered;
    services[2] = (struct service){.handler = {.handle = service_handle}};
    messaging_handle(world.nodes[1].messaging, VERB_PING, &services[2].handler);
    world.nodes[0].log_number = 7;
    ask_send(&ahead, 0, 1, VERB_READ, "ahead", 60 * S);
    ask_send(&unordered, 0, 1, VERB_PING, "unordered", 60 * S);
    ask_send(&old, 2, 1, VERB_READ, "old", 60 * S);
    message_world_run(&world, 1, NULL);
    ck_assert(old.is_done && unordered.is_done && !ahead.is_done);
    ck_assert_uint_eq(world.nodes[1].behind_number, 7);
    ck_assert_uint_eq(world.nodes[1].behind_member, 0);
    world.nodes[1].log_number = 6;
    messaging_log_moved(world.nodes[1].messaging);
    message_world_run(&world, 1, NULL);
    ck_assert(!ahead.is_done);
    world.nodes[1].log_number = 7;
    messaging_log_moved(world.nodes[1].messaging);
    message_world_run(&world, 1, &ahead.is_done);
    ck_assert_int_eq(ahead.status, STATUS_OK);
    // The answer tells the sender of a number that is ahead of its own.
    ck_assert_int_eq(world.nodes[2].behind_count, 0);
    ask_send(&old, 2, 1, VERB_READ, "old", 60 * S);
    message_world_run(&world, 1, &old.is_done);
    ck_assert_uint_eq(world.nodes[2].behind_number, 7);
}
END_TEST

START_TEST(requests_from_ahead_wait_in_bounds)
{
    enum { COUNT = MESSAGING_PARKED_MAX + 10 };
    struct ask *asks = calloc(COUNT, sizeof *asks);
    world.nodes[0].log_number = 7;
    for (size_t i = 0; i < COUNT; i++)
        ask_send(&asks[i], 0, 1, VERB_READ, "x", 60 * S);
    message_world_run(&world, 1, NULL);
    size_t overloaded = 0, timed_out = 0;
    for (size_t i = 0; i < COUNT; i++)
        overloaded += asks[i].is_done && asks[i].status == STATUS_OVERLOADED;
    ck_assert_uint_eq(overloaded, 10);
    message_world_run(&world, 10, NULL); // Nobody waits for ever.
    for (size_t i = 0; i < COUNT; i++)
        timed_out += asks[i].is_done && asks[i].status == STATUS_TIMED_OUT;
    ck_assert_uint_eq(timed_out, COUNT - 10);
    ck_assert_int_eq(services[1].count, 0);
    free(asks);
}
END_TEST

// ---- Tools --------------------------------------------------------------------------------------

struct tool {
    struct transport_client *client;
    struct transport_request request;
    uint8_t type;
    bool is_done, has_ended;
    enum status status;
    uint8_t answer[16];
    size_t answer_size;
};

static void tool_done(struct transport_request *request, enum status status, uint8_t type,
                      struct slice payload)
{
    struct tool *tool = CONTAINER_OF(request, struct tool, request);
    tool->is_done = true;
    tool->status = status;
    tool->answer_size = payload.size;
    if (status == STATUS_OK) ck_assert_uint_eq(type, VERB_ANSWER);
    if (payload.size <= sizeof tool->answer) memcpy(tool->answer, payload.data, payload.size);
}

static void tool_connected(void *context)
{
    struct tool *tool = context;
    transport_client_send(tool->client, &tool->request, tool->type, slice_make("\0x", 2),
                          tool_done);
}

static void tool_ended(void *context, enum status status)
{
    struct tool *tool = context;
    (void)status;
    tool->has_ended = true;
}

static void tool_ask(struct tool *tool, uint8_t type)
{
    static const struct transport_client_events events = {tool_connected, tool_ended};
    *tool = (struct tool){.type = type};
    tool->client = transport_client_create(world.nodes[2].env, &world.topology->members[1].address,
                                           S, &events, tool);
    message_world_run(&world, 1, &tool->is_done);
    transport_client_destroy(tool->client);
    message_world_run(&world, 0.1, NULL);
}

START_TEST(a_tool_may_ask_one_thing)
{
    struct tool tool;
    tool_ask(&tool, VERB_READ);
    ck_assert_uint_eq(tool.answer_size, 2);
    ck_assert_uint_eq(tool.answer[1], STATUS_UNSUPPORTED);
    ck_assert_int_eq(services[1].count, 0);
    struct service admin = {.handler = {.handle = service_handle}, .is_silent = true};
    messaging_handle(world.nodes[1].messaging, VERB_ADMIN, &admin.handler);
    tool_ask(&tool, VERB_ADMIN);
    ck_assert_uint_eq(admin.from, MEMBER_NONE);
    messaging_handle(world.nodes[1].messaging, VERB_ADMIN, NULL);
    ck_assert_ptr_null(admin.handler.messaging);
    tool_ask(&tool, 3); // A worker, and nobody is there for it.
    ck_assert_int_eq(tool.status, STATUS_CLOSED);
}
END_TEST

// ---- What tests do to the network ---------------------------------------------------------------

START_TEST(a_cut_works_one_way_and_heals)
{
    struct ask out, in;
    struct ear ear;
    ask_send(&out, 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, &out.is_done);
    ear_begin(&ear, 0);
    messaging_set_fault(world.nodes[0].messaging, 1,
                        &(struct messaging_fault){.blocks_out = _i == 0, .blocks_in = _i == 1});
    int count = services[1].count;
    ask_send(&out, 0, 1, VERB_READ, "x", S);
    ask_send(&in, 1, 0, VERB_READ, "x", S);
    message_world_run(&world, 2, NULL);
    ck_assert_int_eq(out.status, STATUS_TIMED_OUT);
    ck_assert_int_eq(in.status, STATUS_TIMED_OUT);
    ck_assert_int_eq(services[1].count - count, _i); // With a cut into us it gets there.
    ck_assert_int_eq(services[0].count, 1 - _i);
    ck_assert_int_eq(ear.heard[1], 1 - _i);
    ck_assert_int_eq(ear.lost[1], 0);
    messaging_set_fault(world.nodes[0].messaging, 1, &(struct messaging_fault){0});
    ask_send(&out, 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, &out.is_done);
    ck_assert_int_eq(out.status, STATUS_OK);
}
END_TEST

START_TEST(a_slow_network_delays_and_reorders)
{
    enum { COUNT = 50 };
    struct ask asks[COUNT];
    struct messaging_fault fault = {.delay_ns = 50 * MS, .jitter_ns = 50 * MS};
    messaging_set_fault(world.nodes[0].messaging, 1, &fault);
    uint64_t start_ns = sim_world_now(world.sim);
    for (int i = 0; i < COUNT; i++)
        ask_send(&asks[i], 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, NULL);
    int overtaken = 0;
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(asks[i].status, STATUS_OK);
        ck_assert_uint_ge(asks[i].done_ns - start_ns, 100 * MS);
        ck_assert_uint_le(asks[i].done_ns - start_ns, 210 * MS);
        overtaken += i > 0 && asks[i].done_ns < asks[i - 1].done_ns;
    }
    ck_assert_int_gt(overtaken, 5);
    ck_assert_uint_eq(messaging_get_fault(world.nodes[0].messaging, 1).delay_ns, 50 * MS);
}
END_TEST

START_TEST(messages_are_lost_and_doubled)
{
    enum { COUNT = 1000 };
    struct ask *asks = calloc(COUNT, sizeof *asks);
    struct messaging_fault fault = {.lost_per_1000 = 100, .doubled_per_1000 = 100};
    messaging_set_fault(world.nodes[0].messaging, 1, &fault);
    for (int i = 0; i < COUNT; i++)
        ask_send(&asks[i], 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 2, NULL);
    int lost = 0;
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(asks[i].done_count, 1);
        lost += asks[i].status == STATUS_TIMED_OUT;
    }
    ck_assert_int_gt(lost, 100); // Of request or answer.
    ck_assert_int_lt(lost, 260);
    ck_assert_int_gt(services[1].count, 920); // With those that came twice.
    free(asks);
}
END_TEST

// Else a member that started anew, and remembers nothing of the first one, would do it again.
START_TEST(no_second_copy_comes_by_the_next_connection)
{
    enum { COUNT = 20 };
    struct ask asks[COUNT];
    ask_send(&asks[0], 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, &asks[0].is_done);
    // One copy after a millisecond, the other one within two seconds.
    struct messaging_fault fault = {.jitter_ns = 2 * S, .doubled_per_1000 = 1000};
    messaging_set_fault(world.nodes[0].messaging, 1, &fault);
    for (int i = 0; i < COUNT; i++)
        ask_send(&asks[i], 0, 1, VERB_READ, "x", 60 * S);
    message_world_run(&world, 0.01, NULL);
    ck_assert_int_gt(services[1].count, COUNT);
    message_world_kill(&world, 1);
    message_world_run(&world, 0.1, NULL);
    message_world_start(&world, 1);
    service_begin(1, VERB_READ);
    message_world_run(&world, 3, NULL);
    for (int i = 0; i < COUNT; i++)
        ck_assert(asks[i].is_done);
    ck_assert_int_eq(services[1].count, 0);
    messaging_set_fault(world.nodes[0].messaging, 1, &(struct messaging_fault){0});
    ask_send(&asks[0], 0, 1, VERB_READ, "x", S);
    message_world_run(&world, 1, &asks[0].is_done);
    ck_assert_int_eq(asks[0].status, STATUS_OK);
}
END_TEST

START_TEST(a_process_may_die_with_messages_held_back)
{
    struct ask ask, parked;
    message_world_fault(&world, 0, 1, (struct messaging_fault){.delay_ns = S});
    world.nodes[2].log_number = 3;
    ask_send(&ask, 0, 1, VERB_READ, "x", 60 * S);
    ask_send(&parked, 2, 1, VERB_READ, "x", 60 * S);
    message_world_run(&world, 0.5, NULL);
    message_world_kill(&world, 0);
    message_world_kill(&world, 1);
    message_world_run(&world, 5, NULL);
    ck_assert(!ask.is_done);
    ck_assert_int_eq(parked.status, STATUS_CLOSED);
}
END_TEST

START_TEST(closing_leaves_nothing_behind)
{
    struct ask ask;
    struct messaging *messaging = world.nodes[0].messaging;
    ask_send(&ask, 0, 1, VERB_READ, "x", S); // Still connecting.
    messaging_close(messaging);
    ck_assert_ptr_null(services[0].handler.messaging);
    message_world_run(&world, 2, NULL);
    ck_assert(!ask.is_done);
    sim_process_destroy(world.nodes[0].env); // It holds nothing.
    world.nodes[0].env = NULL;
}
END_TEST

START_TEST(a_process_may_die_right_after_closing)
{
    struct ask ask;
    ask_send(&ask, 0, 1, VERB_READ, "x", S); // Still connecting.
    messaging_close(world.nodes[0].messaging);
    world.nodes[0].messaging = NULL;
    message_world_kill(&world, 0); // Nothing of it is left: the leak sanitizer looks.
    message_world_run(&world, 2, NULL);
    ck_assert(!ask.is_done);
}
END_TEST

int main(void)
{
    TCase *messaging = tcase_create("messaging");
    tcase_set_timeout(messaging, 60);
    tcase_add_checked_fixture(messaging, setup, teardown);
    tcase_add_loop_test(messaging, a_request_gets_its_answer, 0, 2); // Also of ourselves.
    tcase_add_test(messaging, many_requests_of_one_turn_leave_together);
    tcase_add_test(messaging, a_verb_without_a_handler_is_unsupported);
    tcase_add_test(messaging, an_answer_may_come_later_and_carries_its_status);
    tcase_add_test(messaging, what_is_too_large_is_refused);
    tcase_add_test(messaging, large_answers_wait_in_bounded_memory);
    tcase_add_test(messaging, a_request_without_an_answer_times_out);
    tcase_add_test(messaging, a_canceled_request_says_nothing);
    tcase_add_test(messaging, a_death_ends_what_waits_and_is_heard_of_at_once);
    tcase_add_test(messaging, an_answer_does_not_go_to_who_came_after);
    tcase_add_test(messaging, a_connection_is_made_again);
    tcase_add_test(messaging, asking_again_when_refused_does_not_spin);
    tcase_add_test(messaging, nobody_answers_in_the_name_of_another);
    tcase_add_test(messaging, a_member_that_takes_nothing_does_not_fill_memory);
    tcase_add_test(messaging, a_request_from_ahead_waits_until_we_have_caught_up);
    tcase_add_test(messaging, requests_from_ahead_wait_in_bounds);
    tcase_add_test(messaging, a_tool_may_ask_one_thing);
    tcase_add_loop_test(messaging, a_cut_works_one_way_and_heals, 0, 2);
    tcase_add_test(messaging, a_slow_network_delays_and_reorders);
    tcase_add_test(messaging, messages_are_lost_and_doubled);
    tcase_add_test(messaging, no_second_copy_comes_by_the_next_connection);
    tcase_add_test(messaging, a_process_may_die_with_messages_held_back);
    tcase_add_test(messaging, closing_leaves_nothing_behind);
    tcase_add_test(messaging, a_process_may_die_right_after_closing);
    Suite *suite = suite_create("messaging");
    suite_add_tcase(suite, messaging);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
