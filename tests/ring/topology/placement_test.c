// Replicas: the ring of the slides, and Cassandra's rules for data centres and racks.
#include "ring/topology/placement.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEMBERS_MAX = 16 };

// A place on a ring of 16 bits, as the slides have it, on ours of 64: token 0000 is the smallest.
static struct token slide_token(unsigned value)
{
    return (struct token){(int64_t)((uint64_t)INT64_MIN + ((uint64_t)value << 48))};
}

struct place {
    const char *center, *rack;
};

static struct topology *make_topology(const struct place *places, size_t count)
{
    struct member members[MEMBERS_MAX];
    struct token tokens[MEMBERS_MAX];
    for (size_t i = 0; i < count; i++) {
        tokens[i] = slide_token((unsigned)(i * 0x10000 / count));
        members[i] = (struct member){
            .address = {.bytes = {127, 0, 0, (uint8_t)(i + 1)}, .size = 4, .port = 7000},
            .tokens = &tokens[i],
            .token_count = 1};
        members[i].rpc_address = members[i].address;
        members[i].host_id.bytes[0] = (uint8_t)(i + 1);
        (void)snprintf(members[i].data_center, sizeof members[i].data_center, "%s",
                       places[i].center);
        (void)snprintf(members[i].rack, sizeof members[i].rack, "%s", places[i].rack);
    }
    struct topology *topology;
    struct error error;
    ck_assert_int_eq(topology_make(members, count, &topology, &error), STATUS_OK);
    return topology;
}

static const struct keyspace *make_keyspace(const char *strategy, const struct option *factors,
                                            size_t count)
{
    struct option items[8];
    char class[128];
    (void)snprintf(class, sizeof class, "org.apache.cassandra.locator.%s", strategy);
    items[0] = (struct option){slice_of_text("class"), slice_of_text(class)};
    for (size_t i = 0; i < count; i++)
        items[i + 1] = factors[i];
    const struct options options = {items, count + 1};
    return keyspace_make(slice_of_text("ks"), &options, true, false);
}

static const struct keyspace *make_simple(const char *factor)
{
    return make_keyspace(
        "SimpleStrategy",
        &(struct option){slice_of_text("replication_factor"), slice_of_text(factor)}, 1);
}

// "4 5" for members 4 and 5.
static void assert_replicas(const struct topology *topology, const struct keyspace *keyspace,
                            size_t place, const char *expected)
{
    uint16_t members[TOPOLOGY_MEMBERS_MAX];
    uint16_t count = placement_choose(topology, keyspace, place, members);
    char text[256] = "";
    for (uint16_t i = 0; i < count; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%s%u", i == 0 ? "" : " ", members[i]);
        (void)strncat(text, number, sizeof text - strlen(text) - 1);
    }
    ck_assert_str_eq(text, expected);
}

static const struct place one_center[MEMBERS_MAX] = {{"dc1", "r1"}, {"dc1", "r1"}, {"dc1", "r1"},
                                                     {"dc1", "r1"}, {"dc1", "r1"}, {"dc1", "r1"},
                                                     {"dc1", "r1"}, {"dc1", "r1"}};

START_TEST(the_ring_of_the_slides)
{
    // Eight nodes at 0000, 2000, … E000. 9C4F lies behind 8000 and belongs to A000, the node of
    // number 5; 3D97 to 4000, number 2. The copy is at the next one.
    struct topology *topology = make_topology(one_center, 8);
    const struct keyspace *one = make_simple("1"), *two = make_simple("2");
    size_t first = topology_find_place(topology, slide_token(0x9C4F));
    size_t second = topology_find_place(topology, slide_token(0x3D97));
    assert_replicas(topology, one, first, "5");
    assert_replicas(topology, one, second, "2");
    assert_replicas(topology, two, first, "5 6");
    assert_replicas(topology, two, second, "2 3");
    // Behind the last the ring begins again.
    assert_replicas(topology, two, topology_find_place(topology, slide_token(0xE001)), "0 1");
    assert_replicas(topology, two, topology_find_place(topology, slide_token(0xE000)), "7 0");
    keyspace_unref(one);
    keyspace_unref(two);
    topology_destroy(topology);
}
END_TEST

START_TEST(no_more_replicas_than_members)
{
    struct topology *topology = make_topology(one_center, 3);
    const struct keyspace *keyspace = make_simple("5");
    assert_replicas(topology, keyspace, 1, "1 2 0");
    keyspace_unref(keyspace);
    keyspace = make_simple("0");
    assert_replicas(topology, keyspace, 1, "");
    keyspace_unref(keyspace);
    topology_destroy(topology);
}
END_TEST

static const struct place racks[] = {{"dc1", "r1"}, {"dc1", "r1"}, {"dc1", "r2"}, {"dc1", "r2"},
                                     {"dc1", "r3"}, {"dc1", "r3"}, {"dc2", "r1"}, {"dc2", "r1"}};

START_TEST(racks_are_taken_in_turn)
{
    struct topology *topology = make_topology(racks, 8);
    struct option factors[] = {{slice_of_text("dc1"), slice_of_text("3")},
                               {slice_of_text("dc2"), slice_of_text("2")}};
    const struct keyspace *keyspace = make_keyspace("NetworkTopologyStrategy", factors, 2);
    // From member 0: r1, then r2 and r3 before a second of r1; dc2 has one rack for its two.
    assert_replicas(topology, keyspace, 0, "0 2 4 6 7");
    assert_replicas(topology, keyspace, 1, "1 2 4 6 7");
    assert_replicas(topology, keyspace, 3, "3 4 6 7 0");
    keyspace_unref(keyspace);
    // More than racks: each gets one, the first met fill the rest.
    factors[0].value = slice_of_text("4");
    keyspace = make_keyspace("NetworkTopologyStrategy", factors, 1);
    assert_replicas(topology, keyspace, 0, "0 1 2 4");
    assert_replicas(topology, keyspace, 5, "5 0 1 2");
    keyspace_unref(keyspace);
    topology_destroy(topology);
}
END_TEST

START_TEST(a_data_center_of_nobody_has_no_replicas)
{
    struct topology *topology = make_topology(racks, 8);
    struct option factors[] = {{slice_of_text("dc1"), slice_of_text("1")},
                               {slice_of_text("dc9"), slice_of_text("3")}};
    const struct keyspace *keyspace = make_keyspace("NetworkTopologyStrategy", factors, 2);
    assert_replicas(topology, keyspace, 6, "0");
    keyspace_unref(keyspace);
    topology_destroy(topology);
}
END_TEST

// Whatever the racks: replicas of one place are different members, as many as were asked for or are
// there, at every place.
START_TEST(each_place_has_the_same_number_of_different_replicas)
{
    struct place places[12];
    static const char *const names[] = {"r1", "r2", "r3", "r4", "r5"};
    srand(7);
    for (int round = 0; round < 200; round++) {
        size_t count = 1 + (size_t)rand() % 12;
        size_t in_first = 0;
        for (size_t i = 0; i < count; i++) {
            places[i] = (struct place){rand() % 3 == 0 ? "dc2" : "dc1", names[rand() % 5]};
            in_first += strcmp(places[i].center, "dc1") == 0;
        }
        struct topology *topology = make_topology(places, count);
        char factor[8];
        int wanted = 1 + rand() % 6;
        (void)snprintf(factor, sizeof factor, "%d", wanted);
        struct option option = {slice_of_text("dc1"), slice_of_text(factor)};
        const struct keyspace *keyspace = make_keyspace("NetworkTopologyStrategy", &option, 1);
        size_t expected = in_first < (size_t)wanted ? in_first : (size_t)wanted;
        for (size_t place = 0; place < count; place++) {
            uint16_t members[TOPOLOGY_MEMBERS_MAX];
            uint16_t found = placement_choose(topology, keyspace, place, members);
            ck_assert_uint_eq(found, expected);
            for (uint16_t i = 0; i < found; i++) {
                for (uint16_t k = 0; k < i; k++)
                    ck_assert_uint_ne(members[i], members[k]);
            }
        }
        keyspace_unref(keyspace);
        topology_destroy(topology);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("placement");
    TCase *tests = tcase_create("placement");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, the_ring_of_the_slides);
    tcase_add_test(tests, no_more_replicas_than_members);
    tcase_add_test(tests, racks_are_taken_in_turn);
    tcase_add_test(tests, a_data_center_of_nobody_has_no_replicas);
    tcase_add_test(tests, each_place_has_the_same_number_of_different_replicas);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
