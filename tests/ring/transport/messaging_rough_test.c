// Four members in a rough world: connections break and are refused, bytes come in pieces, messages
// are lost, doubled and late, processes die and come back. Whatever happens, each request ends
// once, with its own answer or none, and in time.
#include "ring/transport/messaging.h"

#include "base/container_of.h"
#include "base/random.h"
#include "tests/ring/support/message_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEMBERS = 4, ASKS = 64, STEPS = 10000, SEEDS = 6, BODY_SIZE_MAX = 3000 };
#define MS UINT64_C(1000000)

struct ask {
    struct messaging_request request;
    uint64_t nonce, sent_ns, timeout_ns;
    size_t size;
    bool is_waiting;
};

struct node {
    struct message_handler handler;
    struct ask asks[ASKS];
    struct message_origin kept[ASKS]; // To be answered later.
    uint64_t kept_nonces[ASKS];
    size_t kept_count;
};

static struct message_world world;
static struct node nodes[MEMBERS];
static struct random dice;
static uint64_t last_nonce, counts[STATUS_CANCELED + 1];

// The answer to a nonce: any other is wrong.
static size_t make_answer(uint64_t nonce, uint8_t *bytes)
{
    size_t size = 8 + nonce % 50;
    memset(bytes, (int)(nonce & 0xff), size);
    memcpy(bytes, &nonce, sizeof nonce);
    return size;
}

static void answer(struct messaging *messaging, struct message_origin origin, uint64_t nonce)
{
    uint8_t bytes[64];
    size_t size = make_answer(nonce, bytes);
    messaging_answer(messaging, origin, STATUS_OK, slice_make(bytes, size));
}

static void handle(struct message_handler *handler, const struct message *message)
{
    struct node *node = CONTAINER_OF(handler, struct node, handler);
    uint64_t nonce;
    ck_assert_uint_ge(message->body.size, sizeof nonce);
    ck_assert_uint_lt(message->from, MEMBERS);
    memcpy(&nonce, message->body.data, sizeof nonce);
    for (size_t i = sizeof nonce; i < message->body.size; i++)
        if (message->body.data[i] != (uint8_t)nonce) ck_abort_msg("byte %zu of a request", i);
    if (node->kept_count < ASKS && random_chance(&dice, 0.3)) {
        node->kept[node->kept_count] = message->origin;
        node->kept_nonces[node->kept_count++] = nonce;
    } else if (random_chance(&dice, 0.95)) {
        answer(handler->messaging, message->origin, nonce);
    }
}

static void done(struct messaging_request *request, enum status status, struct slice bytes)
{
    struct ask *ask = CONTAINER_OF(request, struct ask, request);
    uint64_t now_ns = sim_world_now(world.sim);
    ck_assert(ask->is_waiting);
    ask->is_waiting = false;
    counts[status]++;
    ck_assert(status == STATUS_OK || status == STATUS_TIMED_OUT || status == STATUS_CLOSED);
    ck_assert_uint_le(now_ns, ask->sent_ns + ask->timeout_ns + 20 * MS);
    if (status == STATUS_TIMED_OUT) ck_assert_uint_ge(now_ns, ask->sent_ns + ask->timeout_ns);
    if (status != STATUS_OK) return;
    uint8_t expected[64];
    size_t size = make_answer(ask->nonce, expected);
    ck_assert(slice_equals(bytes, slice_make(expected, size)));
}

static void send(size_t from)
{
    struct ask *ask = &nodes[from].asks[random_below(&dice, ASKS)];
    if (ask->is_waiting) {
        if (!random_chance(&dice, 0.1)) return;
        messaging_cancel(world.nodes[from].messaging, &ask->request);
        ask->is_waiting = false;
    }
    uint8_t body[BODY_SIZE_MAX];
    size_t size = 8 + random_below(&dice, random_chance(&dice, 0.1) ? BODY_SIZE_MAX - 8 : 50);
    *ask = (struct ask){.nonce = ++last_nonce,
                        .sent_ns = sim_world_now(world.sim),
                        .timeout_ns = (1 + random_below(&dice, 300)) * MS,
                        .is_waiting = true};
    memset(body, (int)(ask->nonce & 0xff), size);
    memcpy(body, &ask->nonce, sizeof ask->nonce);
    messaging_send(world.nodes[from].messaging, &ask->request,
                   (uint16_t)random_below(&dice, MEMBERS), VERB_READ, slice_make(body, size),
                   ask->timeout_ns, done);
}

static void answer_one(size_t number)
{
    struct node *node = &nodes[number];
    if (node->kept_count == 0) return;
    size_t at = (size_t)random_below(&dice, node->kept_count);
    answer(world.nodes[number].messaging, node->kept[at], node->kept_nonces[at]);
    node->kept[at] = node->kept[--node->kept_count];
    node->kept_nonces[at] = node->kept_nonces[node->kept_count];
}

static void begin(size_t number)
{
    nodes[number] = (struct node){.handler = {.handle = handle}};
    messaging_handle(world.nodes[number].messaging, VERB_READ, &nodes[number].handler);
}

static void change_network(size_t number)
{
    struct messaging_fault fault = {0};
    if (random_chance(&dice, 0.5))
        fault = (struct messaging_fault){
            .blocks_out = random_chance(&dice, 0.1),
            .blocks_in = random_chance(&dice, 0.1),
            .delay_ns = random_chance(&dice, 0.5) ? random_below(&dice, 20 * MS) : 0,
            .jitter_ns = random_chance(&dice, 0.5) ? random_below(&dice, 20 * MS) : 0,
            .lost_per_1000 = (uint16_t)random_below(&dice, 50),
            .doubled_per_1000 = (uint16_t)random_below(&dice, 50)};
    messaging_set_fault(world.nodes[number].messaging, (uint16_t)random_below(&dice, MEMBERS),
                        &fault);
}

static void step(void)
{
    size_t number = (size_t)random_below(&dice, MEMBERS);
    struct message_node *at = &world.nodes[number];
    if (at->env == NULL) {
        if (!random_chance(&dice, 0.02)) return;
        message_world_start(&world, number);
        begin(number);
    } else if (random_chance(&dice, 0.0005)) {
        message_world_kill(&world, number);
        message_world_run(&world, 1e-6, NULL);
    } else if (random_chance(&dice, 0.005)) {
        change_network(number);
    } else if (random_chance(&dice, 0.5)) {
        send(number);
    } else {
        answer_one(number);
    }
    if (random_chance(&dice, 0.3)) message_world_run(&world, 0.0003, NULL);
}

START_TEST(each_request_ends_once_with_its_own_answer)
{
    memset(counts, 0, sizeof counts);
    random_init(&dice, (uint64_t)_i + 1);
    message_world_open(&world, MEMBERS, (uint64_t)_i + 1);
    sim_world_set_chance(world.sim, SIM_FAULT_RESET, 0.002);
    sim_world_set_chance(world.sim, SIM_FAULT_SEGMENTED, 0.2);
    sim_world_set_chance(world.sim, SIM_FAULT_REFUSED, 0.1);
    for (size_t i = 0; i < MEMBERS; i++)
        begin(i);
    for (int i = 0; i < STEPS; i++)
        step();
    message_world_run(&world, 1, NULL); // Nothing waits any longer than that.
    for (size_t i = 0; i < MEMBERS; i++)
        for (size_t a = 0; a < ASKS && world.nodes[i].env != NULL; a++)
            ck_assert(!nodes[i].asks[a].is_waiting);
    // The world was neither kind nor hopeless.
    ck_assert_uint_gt(counts[STATUS_OK], 500);
    ck_assert_uint_gt(counts[STATUS_CLOSED], 20);
    ck_assert_uint_gt(counts[STATUS_TIMED_OUT], 50);
    message_world_close(&world);
}
END_TEST

int main(void)
{
    TCase *rough = tcase_create("rough");
    tcase_set_timeout(rough, 120);
    tcase_add_loop_test(rough, each_request_ends_once_with_its_own_answer, 0, SEEDS);
    Suite *suite = suite_create("messaging_rough");
    suite_add_tcase(suite, rough);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
