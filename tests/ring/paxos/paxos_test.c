// Registers that are changed by compare-and-set from all members of a ring at once, while members
// die and come back and the network is cut, slow and healed: no update is lost or made twice, and
// whoever begins later sees at least what was there before.
//
//     register = a row's text, "number:update"; an update makes n into n + 1 if it is still n
#include "ring/paxos/paxos.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/random.h"
#include "ring/liveness/liveness.h"
#include "storage/merge/live_rows.h"
#include "tests/ring/support/ring_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLIENTS_MAX = 32, KEYS_MAX = 4, EVENTS_MAX = 20000, NUMBERS_MAX = 20000 };

// What one operation was, for the check.
struct event {
    unsigned key, id;
    bool is_update, is_done, is_uncertain;
    long seen;           // The number that it found, or made seen + 1 of.
    uint64_t begin, end; // Turns of the world.
};

struct client {
    struct paxos_cas cas;
    struct coordinator_read read;
    size_t member;
    bool is_busy, is_reading;
    struct event event;
    char key[16], text[48];
    unsigned tries, id;
};

static struct ring_world world;
static struct client clients[CLIENTS_MAX];
static size_t client_count;
static struct event events[EVENTS_MAX];
static size_t event_count;
static unsigned last_id;
static long numbers[EVENTS_MAX * 2];           // … and which number an update made.
static int storm_seed;                         // PAXOS_SEED=… PAXOS_SEEDS=1 repeats it.
static unsigned owners[KEYS_MAX][NUMBERS_MAX]; // Which update was seen to have made a number.

// ---- One operation ------------------------------------------------------------------------------

static void client_end(struct client *client, bool is_done, bool is_uncertain)
{
    client->event.is_done = is_done;
    client->event.is_uncertain = is_uncertain;
    client->event.end = sim_world_turn(world.sim);
    ck_assert_uint_lt(event_count, EVENTS_MAX);
    events[event_count++] = client->event;
    client->is_busy = false;
}

static void client_restart(struct coordinator_read *read)
{
    struct client *client = CONTAINER_OF(read, struct client, read);
    client->event.seen = 0;
}

// Each number was made by one update, and each update made one number.
static void client_note(struct client *client, const char *text)
{
    char *end;
    client->event.seen = strtol(text, &end, 10);
    unsigned id = (unsigned)strtoul(end + 1, NULL, 10);
    ck_assert_int_lt(client->event.seen, NUMBERS_MAX);
    unsigned *owner = &owners[client->event.key][client->event.seen];
    ck_assert_msg(*owner == 0 || *owner == id, "seed %d, key %u: %ld was made by %u and by %u",
                  storm_seed, client->event.key, client->event.seen, *owner, id);
    ck_assert_msg(numbers[id] == 0 || numbers[id] == client->event.seen,
                  "seed %d, key %u: update %u made %ld and %ld", storm_seed, client->event.key, id,
                  numbers[id], client->event.seen);
    numbers[id] = client->event.seen;
    *owner = id;
}

static enum status client_consume(struct coordinator_read *read,
                                  struct partition_iterator *partition, bool *enough)
{
    struct client *client = CONTAINER_OF(read, struct client, read);
    struct live_rows rows;
    const struct live_row *row;
    live_rows_init(&rows, partition, read->now_s, &read->arena);
    enum status status = live_rows_next(&rows, &row);
    if (status == STATUS_OK && row->cell_count > 0) {
        char text[48] = "";
        ck_assert_uint_lt(row->cells[0].value.size, sizeof text);
        memcpy(text, row->cells[0].value.data, row->cells[0].value.size);
        client_note(client, text);
    }
    *enough = status == STATUS_OK || status == STATUS_END;
    return status;
}

static void client_propose(struct client *client)
{
    if (!client->event.is_update) {
        paxos_cas_propose(&client->cas, NULL, 0);
        return;
    }
    (void)snprintf(client->text, sizeof client->text, "%ld:%u", client->event.seen + 1, client->id);
    struct slice clustering = slice_of_text("row");
    struct cell cell = {.column = 0,
                        .local_time = LOCAL_TIME_NONE,
                        .timestamp = client->cas.timestamp_us,
                        .value = slice_of_text(client->text)};
    struct row row = {.clustering = {1, &clustering},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = client->cas.table,
                                .key = client->cas.key,
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    paxos_cas_propose(&client->cas, &mutation, 1);
}

static void client_read_done(struct coordinator_read *read, const struct coordinator_result *result)
{
    struct client *client = CONTAINER_OF(read, struct client, read);
    client->is_reading = false;
    if (result->outcome == COORDINATOR_OK) {
        client_propose(client);
        return;
    }
    paxos_cas_cancel(&client->cas);
    client_end(client, false, client->cas.is_uncertain);
}

static void client_ready(struct paxos_cas *cas)
{
    struct client *client = CONTAINER_OF(cas, struct client, cas);
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    client->read = (struct coordinator_read){
        .restart = client_restart,
        .consume = client_consume,
        .table = cas->table,
        .keys = &cas->key,
        .key_count = 1,
        .filter = {&all, 1, false, false},
        .now_s = 1000,
    };
    client->is_reading = true;
    client->tries++;
    coordinator_read_start(world.members[client->member].coordinator, &client->read,
                           cas->read_consistency, client_read_done);
}

static void client_done(struct paxos_cas *cas, const struct coordinator_result *result)
{
    struct client *client = CONTAINER_OF(cas, struct client, cas);
    bool is_done = result->outcome == COORDINATOR_OK || cas->is_committing;
    ck_assert_msg(cas->is_decided == (is_done && client->event.is_update),
                  "seed %d: update %u is told wrongly whether it changed something", storm_seed,
                  client->id);
    client_end(client, is_done, cas->is_uncertain);
}

static void client_start(struct client *client, size_t member, unsigned key, bool is_update)
{
    static const enum consistency levels[] = {CONSISTENCY_QUORUM, CONSISTENCY_ONE, CONSISTENCY_ANY,
                                              CONSISTENCY_QUORUM};
    *client = (struct client){.member = member, .is_busy = true, .id = ++last_id};
    (void)snprintf(client->key, sizeof client->key, "key%u", key);
    client->event = (struct event){
        .id = client->id, .key = key, .is_update = is_update, .begin = sim_world_turn(world.sim)};
    client->cas = (struct paxos_cas){
        .ready = client_ready,
        .done = client_done,
        .table = ring_world_table(&world, member, "t"),
        .key = partition_key_make(slice_of_text(client->key)),
        .serial_consistency = CONSISTENCY_SERIAL,
        .commit_consistency = levels[client->id % 4],
    };
    paxos_cas_start(world.members[member].paxos, &client->cas);
}

// The process died: whether what its clients asked for happened nobody knows.
static void clients_abandon(struct ring_member *member)
{
    for (size_t i = 0; i < client_count; i++) {
        struct client *client = &clients[i];
        if (!client->is_busy || client->member != member->number) continue;
        if (client->is_reading) coordinator_read_abandon(&client->read);
        paxos_cas_abandon(&client->cas);
        client_end(client, false, client->event.is_update && client->tries > 0);
    }
}

// ---- What has to hold ---------------------------------------------------------------------------

static int compare_by_seen(const void *a, const void *b)
{
    const struct event *left = a, *right = b;
    return (left->seen > right->seen) - (left->seen < right->seen);
}

static long value_behind(const struct event *event)
{
    return event->seen + (event->is_update ? 1 : 0);
}

// An update that was done is the only one from its number; all of them are in the end's number,
// which has nothing else but uncertain ones. What ended before another began is seen by it.
static void check_key(unsigned key, long last)
{
    static struct event done[EVENTS_MAX];
    size_t count = 0;
    long updates = 0, uncertain = 0;
    for (size_t i = 0; i < event_count; i++) {
        if (events[i].key != key) continue;
        if (events[i].is_uncertain && events[i].is_update) uncertain++;
        if (!events[i].is_done) continue;
        done[count++] = events[i];
        if (!events[i].is_update) continue;
        updates++;
        // Which of its tries it was that got through is seen from what came next.
        ck_assert_msg(numbers[events[i].id] != 0, "seed %d, key %u: update %u was lost", storm_seed,
                      key, events[i].id);
        done[count - 1].seen = numbers[events[i].id] - 1;
    }
    ck_assert_msg(updates <= last && last <= updates + uncertain,
                  "seed %d, key %u: %ld updates and %ld uncertain ones became %ld", storm_seed, key,
                  updates, uncertain, last);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            if (done[i].end >= done[k].begin) continue;
            ck_assert_msg(value_behind(&done[i]) <= done[k].seen,
                          "seed %d, key %u: %ld was seen after %ld was there", storm_seed, key,
                          done[k].seen, value_behind(&done[i]));
        }
    }
    qsort(done, count, sizeof done[0], compare_by_seen);
    long before = -1;
    for (size_t i = 0; i < count; i++) {
        if (!done[i].is_update) continue;
        ck_assert_msg(done[i].seen != before, "seed %d, key %u: two updates of %ld", storm_seed,
                      key, before);
        before = done[i].seen;
    }
}

static void open_world(size_t count, uint64_t seed)
{
    client_count = event_count = 0;
    last_id = 0;
    memset(clients, 0, sizeof clients);
    memset(owners, 0, sizeof owners);
    memset(numbers, 0, sizeof numbers);
    ring_world_open(&world,
                    &(struct ring_world_options){.count = count, .factor = 3, .seed = seed});
    for (size_t i = 0; i < count; i++)
        world.members[i].abandon = clients_abandon;
}

static bool one_is_busy(void)
{
    for (size_t i = 0; i < client_count; i++)
        if (clients[i].is_busy) return true;
    return false;
}

static struct event run_one(size_t member, unsigned key, bool is_update)
{
    struct client *client = &clients[client_count++];
    client_start(client, member, key, is_update);
    for (int i = 0; i < 500 && client->is_busy; i++)
        ring_world_run(&world, 0.02, NULL);
    ck_assert(!client->is_busy);
    client_count--;
    return client->event;
}

// ---- Tests --------------------------------------------------------------------------------------

START_TEST(updates_follow_each_other_from_any_member)
{
    open_world(3, 7);
    for (long i = 0; i < 9; i++) {
        struct event event = run_one((size_t)i % 3, 0, true);
        ck_assert(event.is_done);
        ck_assert_int_eq(event.seen, i);
    }
    ck_assert_int_eq(run_one(1, 0, false).seen, 9);
    check_key(0, 9);
    ring_world_close(&world);
}
END_TEST

START_TEST(a_minority_may_be_dead_and_then_another)
{
    open_world(3, 8);
    ck_assert(run_one(0, 0, true).is_done);
    ring_world_kill(&world, 0, true);
    struct event event = run_one(1, 0, true);
    ck_assert(event.is_done);
    ck_assert_int_eq(event.seen, 1);
    ring_world_start(&world, 0);
    ring_world_kill(&world, 1, true);
    event = run_one(0, 0, true);
    ck_assert(event.is_done);
    ck_assert_int_eq(event.seen, 2);
    ring_world_kill(&world, 2, false);
    event = run_one(0, 0, true);
    ck_assert(!event.is_done && !event.is_uncertain);
    ring_world_start(&world, 1);
    ring_world_start(&world, 2);
    ck_assert_int_eq(run_one(2, 0, false).seen, 3);
    ring_world_close(&world);
}
END_TEST

// A change that one replica accepted, and whose proposer died, is finished or never seen.
START_TEST(what_a_dead_proposer_left_is_finished_or_never_seen)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        open_world(3, seed);
        ck_assert(run_one(0, 0, true).is_done);
        client_count = 1;
        client_start(&clients[0], 0, 0, true);
        ring_world_run(&world, 0.0001 * (double)seed, NULL);
        ring_world_kill(&world, 0, seed % 2 == 0);
        long seen = run_one(1, 0, false).seen;
        ck_assert(seen == 1 || seen == 2);
        ring_world_start(&world, 0);
        ck_assert_int_eq(run_one(2, 0, false).seen, seen);
        struct event event = run_one(0, 0, true);
        ck_assert(event.is_done);
        ck_assert_int_eq(event.seen, seen);
        ck_assert_int_eq(run_one(1, 0, false).seen, seen + 1);
        check_key(0, seen + 1);
        ring_world_close(&world);
    }
}
END_TEST

// The whole box loses its power, and has it again.
static void lose_power(void)
{
    for (size_t i = 0; i < world.count; i++)
        if (world.members[i].env != NULL) sim_machine_crash(world.members[i].machine);
    for (size_t i = 0; i < world.count; i++)
        while (world.members[i].env != NULL)
            ck_assert(sim_world_step(world.sim));
}

static void trouble(struct random *random, size_t *dead)
{
    size_t count = world.count, a = random_below(random, count), b = random_below(random, count);
    struct ring_member *member = &world.members[a];
    switch (random_below(random, 9)) {
    case 0:
    case 1:
        if (member->env != NULL && *dead + 1 <= (count - 1) / 2) {
            if (random_below(random, 2) == 0)
                sim_machine_crash(member->machine);
            else
                sim_process_crash(member->env);
            while (member->env != NULL)
                ck_assert(sim_world_step(world.sim));
            ++*dead;
        }
        break;
    case 8:
        lose_power();
        *dead = count;
        break;
    case 2:
        if (a != b)
            sim_network_cut(member->machine, world.members[b].machine,
                            random_below(random, 2) == 0);
        break;
    case 3:
        if (a != b)
            sim_network_slow(member->machine, world.members[b].machine, 20000000, 30000000, 0);
        break;
    case 4:
        sim_machine_set_slow(member->machine, 300000000);
        break;
    case 5:
        if (member->env != NULL) sim_process_pause(member->env, 500000000);
        break;
    default:
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < i; k++)
                sim_network_heal(world.members[i].machine, world.members[k].machine);
        break;
    }
}

// Single messages come twice, late, or not at all.
static void set_faults(bool is_rough)
{
    struct messaging_fault fault = {0};
    if (is_rough)
        fault = (struct messaging_fault){
            .jitter_ns = 5000000, .lost_per_1000 = 60, .doubled_per_1000 = 100};
    for (size_t i = 0; i < world.count; i++) {
        if (world.members[i].env == NULL) continue;
        for (uint16_t k = 0; k < world.count; k++)
            if (k != i) messaging_set_fault(world.members[i].messaging, k, &fault);
    }
}

static void revive(size_t *dead)
{
    for (size_t i = 0; i<world.count && * dead> 0; i++) {
        if (world.members[i].env != NULL) continue;
        ring_world_start_now(&world, i);
        world.members[i].abandon = clients_abandon;
        --*dead;
        return;
    }
}

static void storm(size_t members, uint64_t seed, int turns)
{
    struct random random;
    size_t dead = 0;
    open_world(members, seed);
    random_init(&random, seed);
    client_count = 2 * members;
    for (int turn = 0; turn < turns; turn++) {
        for (size_t i = 0; i < client_count; i++) {
            if (clients[i].is_busy || world.members[i % members].env == NULL) continue;
            client_start(&clients[i], i % members, (unsigned)random_below(&random, 2),
                         random_below(&random, 4) != 0);
        }
        ring_world_run(&world, 0.02, NULL);
        if (turn % 50 == 0) set_faults(turn / 50 % 2 == 1);
        if (random_below(&random, 12) == 0) trouble(&random, &dead);
        if (random_below(&random, dead > (members - 1) / 2 ? 2 : 20) == 0) revive(&dead);
    }
    for (size_t i = 0; i < members; i++)
        for (size_t k = 0; k < i; k++)
            sim_network_heal(world.members[i].machine, world.members[k].machine);
    set_faults(false);
    while (dead > 0)
        revive(&dead);
    for (int i = 0; i < 1000 && one_is_busy(); i++)
        ring_world_run(&world, 0.02, NULL);
    ring_world_run(&world, 10, NULL);
    size_t count = event_count, done = 0;
    for (size_t i = 0; i < count; i++)
        if (events[i].is_done) done++;
    ck_assert_msg(done > 20, "seed %llu: only %zu of %zu", (unsigned long long)seed, done, count);
    client_count = 0;
    for (unsigned key = 0; key < 2; key++) {
        struct event last = run_one(key, key, false);
        ck_assert(last.is_done);
        check_key(key, last.seen);
    }
    ring_world_close(&world);
}

START_TEST(registers_are_linearizable_in_a_storm)
{
    const char *first = getenv("PAXOS_SEED"), *count = getenv("PAXOS_SEEDS");
    int seed = first == NULL ? 1 : atoi(first), seeds = count == NULL ? 10 : atoi(count);
    for (int end = seed + seeds; seed < end; seed++) {
        storm_seed = seed;
        storm(seed % 3 == 0 ? 5 : 3, 1000 + (uint64_t)seed, 300);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paxos");
    TCase *tcase = tcase_create("paxos");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, updates_follow_each_other_from_any_member);
    tcase_add_test(tcase, a_minority_may_be_dead_and_then_another);
    tcase_add_test(tcase, what_a_dead_proposer_left_is_finished_or_never_seen);
    tcase_add_test(tcase, registers_are_linearizable_in_a_storm);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
