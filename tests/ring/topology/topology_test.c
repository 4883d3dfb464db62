// Members, their tokens, and which place of the ring a token belongs to.
#include "ring/topology/topology.h"

#include "base/random.h"

#include <check.h>
#include <stdlib.h>

enum { MEMBERS_MAX = 64 };

static struct member example_member(uint8_t number)
{
    struct member member = {.host_id = {{number, 9}}};
    member.address = (struct env_address){.bytes = {127, 0, 0, number}, .size = 4, .port = 7000};
    member.rpc_address = member.address;
    member.rpc_address.port = 9042;
    strcpy(member.data_center, "datacenter1");
    strcpy(member.rack, "rack1");
    return member;
}

// `count` members of `num_tokens` tokens each.
static struct topology *make_ring(size_t count, size_t num_tokens)
{
    struct member *members = calloc(count, sizeof *members);
    struct token *tokens = calloc(count * num_tokens, sizeof *tokens);
    for (size_t m = 0; m < count; m++) {
        members[m] = example_member((uint8_t)(m + 1));
        topology_allocate_tokens(m, count, num_tokens, &tokens[m * num_tokens]);
        members[m].tokens = &tokens[m * num_tokens];
        members[m].token_count = num_tokens;
    }
    struct topology *topology;
    struct error error;
    ck_assert_msg(topology_make(members, count, &topology, &error) == STATUS_OK, "%s", error.text);
    free(members);
    free(tokens);
    return topology;
}

START_TEST(tokens_are_spread_evenly)
{
    const struct {
        size_t members, tokens;
    } rings[] = {{1, 1}, {1, 16}, {2, 1}, {3, 16}, {5, 7}, {8, 1}, {64, 16}, {3, 256}};
    for (size_t r = 0; r < sizeof rings / sizeof *rings; r++) {
        struct topology *topology = make_ring(rings[r].members, rings[r].tokens);
        size_t count = rings[r].members * rings[r].tokens;
        ck_assert_uint_eq(topology->place_count, count);
        uint64_t step = UINT64_MAX / count;
        for (size_t p = 1; p < count; p++) {
            uint64_t width = (uint64_t)topology->places[p].token.value -
                             (uint64_t)topology->places[p - 1].token.value;
            ck_assert_uint_eq(width, step);
        }
        ck_assert_int_gt(topology->places[0].token.value, INT64_MIN);
        topology_destroy(topology);
    }
}
END_TEST

// The members of the first `factor` different ones behind a place, each of another rack if
// possible.
static size_t count_copies(const struct topology *topology, size_t factor, size_t racks,
                           size_t copies[static MEMBERS_MAX])
{
    size_t most = 0;
    memset(copies, 0, MEMBERS_MAX * sizeof *copies);
    for (size_t p = 0; p < topology->place_count; p++) {
        bool has[MEMBERS_MAX] = {false}, has_rack[MEMBERS_MAX] = {false};
        size_t found = 0, found_racks = 0;
        for (size_t i = 0; found < factor && i < 2 * topology->place_count; i++) {
            uint16_t member = topology->places[(p + i) % topology->place_count].member;
            size_t rack = member % racks;
            if (has[member] || (has_rack[rack] && found_racks < racks)) continue;
            found_racks += !has_rack[rack];
            has[member] = has_rack[rack] = true;
            found++;
            if (++copies[member] > most) most = copies[member];
        }
    }
    return most;
}

START_TEST(each_member_has_an_equal_share_of_the_copies)
{
    for (size_t members = 1; members <= 12; members++) {
        struct topology *topology = make_ring(members, 16);
        for (size_t racks = 1; racks <= members; racks++) {
            if (members % racks != 0) continue;
            for (size_t factor = 1; factor <= members; factor++) {
                size_t copies[MEMBERS_MAX];
                size_t most = count_copies(topology, factor, racks, copies);
                for (size_t m = 0; m < members; m++)
                    ck_assert_uint_eq(copies[m], most);
                ck_assert_uint_eq(most, 16 * factor);
            }
        }
        topology_destroy(topology);
    }
}
END_TEST

START_TEST(a_token_belongs_to_the_first_place_at_or_behind_it)
{
    struct topology *topology = make_ring(3, 4);
    for (size_t p = 0; p < topology->place_count; p++) {
        struct token token = topology->places[p].token;
        ck_assert_uint_eq(topology_find_place(topology, token), p);
        token.value--;
        ck_assert_uint_eq(topology_find_place(topology, token), p);
        token.value += 2;
        ck_assert_uint_eq(topology_find_place(topology, token), (p + 1) % topology->place_count);
    }
    ck_assert_uint_eq(topology_find_place(topology, (struct token){INT64_MIN}), 0);
    ck_assert_uint_eq(topology_find_place(topology, (struct token){INT64_MAX}), 0);
    topology_destroy(topology);
}
END_TEST

// Eight nodes at 0000 … E000, keys 9C4F and 3D97, as on the deck's slides.
START_TEST(the_ring_of_the_slides)
{
    struct member members[8];
    struct token tokens[8];
    for (uint64_t m = 0; m < 8; m++) {
        members[m] = example_member((uint8_t)(m + 1));
        tokens[m].value = (int64_t)((m << 61) ^ (UINT64_C(1) << 63));
        members[m].tokens = &tokens[m];
        members[m].token_count = 1;
    }
    struct topology *topology;
    ck_assert_int_eq(topology_make(members, 8, &topology, NULL), STATUS_OK);
    const struct {
        uint64_t key;
        uint16_t member;
    } keys[] = {{0x9C4F, 5}, {0x3D97, 2}, {0x0000, 0}, {0xE000, 7}, {0xE001, 0}};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        struct token token = {(int64_t)((keys[k].key << 48) ^ (UINT64_C(1) << 63))};
        size_t place = topology_find_place(topology, token);
        ck_assert_uint_eq(topology->places[place].member, keys[k].member);
    }
    topology_destroy(topology);
}
END_TEST

START_TEST(members_are_found)
{
    struct topology *topology = make_ring(3, 2);
    struct member other = example_member(77);
    for (uint16_t m = 0; m < 3; m++) {
        const struct member *member = &topology->members[m];
        ck_assert_uint_eq(topology_find_member(topology, member->host_id), m);
        ck_assert_uint_eq(topology_find_address(topology, &member->address), m);
    }
    ck_assert_uint_eq(topology_find_member(topology, other.host_id), MEMBER_NONE);
    ck_assert_uint_eq(topology_find_address(topology, &other.address), MEMBER_NONE);
    topology_destroy(topology);
}
END_TEST

START_TEST(what_is_no_ring_is_refused)
{
    const struct token ascending[] = {{1}, {2}}, others[] = {{3}, {4}}, falling[] = {{4}, {3}};
    for (int fault = 0; fault < 7; fault++) {
        struct member members[2] = {example_member(1), example_member(2)};
        members[0].tokens = ascending;
        members[1].tokens = others;
        members[0].token_count = members[1].token_count = 2;
        if (fault == 1) members[1].host_id = members[0].host_id;
        if (fault == 2) members[1].address = members[0].address;
        if (fault == 3) members[1].tokens = ascending;
        if (fault == 4) members[1].tokens = falling;
        if (fault == 5) members[0].token_count = members[1].token_count = 0;
        if (fault == 6) members[1].token_count = TOPOLOGY_TOKENS_MAX + 1;
        struct topology *topology = NULL;
        struct error error;
        enum status status = topology_make(members, 2, &topology, &error);
        ck_assert_int_eq(status, fault == 0 ? STATUS_OK : STATUS_INVALID);
        topology_destroy(topology);
    }
    struct topology *none;
    ck_assert_int_eq(topology_make(NULL, 0, &none, NULL), STATUS_INVALID);
    ck_assert_int_eq(topology_make(NULL, TOPOLOGY_MEMBERS_MAX + 1, &none, NULL), STATUS_INVALID);
}
END_TEST

START_TEST(bytes_and_back)
{
    struct topology *topology = make_ring(3, 5), *again;
    struct buffer bytes, second;
    buffer_init(&bytes, 1 << 20);
    buffer_init(&second, 1 << 20);
    topology_put(&bytes, topology);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    ck_assert_int_eq(topology_get(&cursor, &again, NULL), STATUS_OK);
    ck_assert_uint_eq(cursor_left(&cursor), 0);
    topology_put(&second, again);
    ck_assert(slice_equals(buffer_slice(&bytes), buffer_slice(&second)));
    ck_assert_uint_eq(again->place_count, topology->place_count);
    ck_assert_str_eq(again->members[2].data_center, "datacenter1");
    topology_destroy(again);
    // Cut anywhere it is refused; changed anywhere it is refused or some other ring.
    for (size_t size = 0; size < bytes.size; size++) {
        cursor = cursor_make(slice_make(bytes.data, size));
        ck_assert_int_eq(topology_get(&cursor, &again, NULL), STATUS_CORRUPT);
    }
    struct random random;
    random_init(&random, 1);
    for (int i = 0; i < 3000; i++) {
        buffer_clear(&second);
        buffer_put(&second, bytes.data, bytes.size);
        second.data[random_below(&random, second.size)] = (uint8_t)random_u64(&random);
        cursor = cursor_make(buffer_slice(&second));
        enum status status = topology_get(&cursor, &again, NULL);
        ck_assert(status == STATUS_OK || status == STATUS_CORRUPT);
        if (status == STATUS_OK) topology_destroy(again);
    }
    buffer_deinit(&bytes);
    buffer_deinit(&second);
    topology_destroy(topology);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("topology");
    tcase_add_test(tcase, tokens_are_spread_evenly);
    tcase_add_test(tcase, each_member_has_an_equal_share_of_the_copies);
    tcase_add_test(tcase, a_token_belongs_to_the_first_place_at_or_behind_it);
    tcase_add_test(tcase, the_ring_of_the_slides);
    tcase_add_test(tcase, members_are_found);
    tcase_add_test(tcase, what_is_no_ring_is_refused);
    tcase_add_test(tcase, bytes_and_back);
    Suite *suite = suite_create("topology");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
