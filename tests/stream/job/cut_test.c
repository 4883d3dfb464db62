// The cut of a ring among reducers: every token is one member's, whoever lives.
#include "stream/job/cut.h"

#include "base/random.h"

#include <check.h>
#include <string.h>

static struct job_ring ring;
static struct cut cut;

static void make_ring(uint16_t members, size_t places, struct random *random)
{
    ring = (struct job_ring){.member_count = members, .place_count = places};
    for (size_t i = 0; i < places; i++) {
        // Ascending, unevenly: each in its own share of the ring.
        uint64_t share = UINT64_MAX / places, at = i * share + random_below(random, share);
        uint16_t member = i < members ? (uint16_t)i : (uint16_t)random_below(random, members);
        ring.places[i] = (struct job_place){{(int64_t)(at ^ UINT64_C(1) << 63)}, member};
    }
}

static bool has(uint16_t member, struct token token)
{
    struct buffer ranges, task_bytes;
    buffer_init(&ranges, (size_t)JOB_PLACES_MAX * JOB_RANGE_SIZE);
    buffer_init(&task_bytes, 1 << 20);
    cut_put_ranges(&cut, member, &ranges);
    // As a reducer takes them: they must be sound.
    struct job_task task = {.number = 1, .ranges = buffer_slice(&ranges)}, taken;
    job_put_task(&task_bytes, &task);
    struct cursor cursor = cursor_make(buffer_slice(&task_bytes));
    ck_assert(job_take_task(&cursor, &taken));
    bool found = job_ranges_have(taken.ranges, token);
    buffer_deinit(&ranges);
    buffer_deinit(&task_bytes);
    return found;
}

// Exactly one member has the token by its ranges: the one that cells are sent to.
static void assert_one_has(struct token token)
{
    uint16_t owner = cut_find(&cut, token);
    for (uint16_t i = 0; i < ring.member_count; i++)
        ck_assert_msg(!cut_has(&cut, i) || has(i, token) == (i == owner), "token %lld, member %u",
                      (long long)token.value, i);
}

START_TEST(each_token_is_one_members)
{
    struct random random;
    random_init(&random, 42 + (uint64_t)_i);
    uint16_t members = (uint16_t)(1 + random_below(&random, 7));
    size_t places = members + (size_t)random_below(&random, 20);
    make_ring(members, places, &random);
    uint64_t usable = 1 + random_below(&random, (UINT64_C(1) << members) - 1);
    cut_make(&cut, &ring, usable);
    ck_assert_uint_eq(cut.members & ~usable, 0);
    for (size_t i = 0; i < places; i++) {
        int64_t token = ring.places[i].token.value;
        assert_one_has((struct token){token});
        if (token < INT64_MAX) assert_one_has((struct token){token + 1});
        if (token > INT64_MIN) assert_one_has((struct token){token - 1});
    }
    assert_one_has((struct token){INT64_MIN});
    assert_one_has((struct token){INT64_MAX});
}
END_TEST

START_TEST(a_place_is_its_members_or_the_next_live_ones)
{
    ring = (struct job_ring){.member_count = 3,
                             .place_count = 4,
                             .places = {{{-10}, 0}, {{0}, 1}, {{10}, 2}, {{20}, 0}}};
    cut_make(&cut, &ring, 7);
    uint64_t all = cut.id;
    ck_assert_uint_eq(cut_find(&cut, (struct token){-11}), 0);
    ck_assert_uint_eq(cut_find(&cut, (struct token){-10}), 0);
    ck_assert_uint_eq(cut_find(&cut, (struct token){-9}), 1);
    ck_assert_uint_eq(cut_find(&cut, (struct token){10}), 2);
    ck_assert_uint_eq(cut_find(&cut, (struct token){21}), 0);
    cut_make(&cut, &ring, 5); // Member 1 is gone.
    ck_assert_uint_eq(cut_find(&cut, (struct token){-9}), 2);
    ck_assert(!cut_has(&cut, 1));
    ck_assert_uint_ne(cut.id, all);
    cut_make(&cut, &ring, 7);
    ck_assert_uint_eq(cut.id, all);
}
END_TEST

START_TEST(a_ring_of_one_has_no_ranges)
{
    struct buffer ranges;
    buffer_init(&ranges, 1024);
    ring = (struct job_ring){.member_count = 0};
    cut_make(&cut, &ring, 1);
    ck_assert(cut_has(&cut, 0));
    ck_assert_uint_eq(cut_find(&cut, (struct token){5}), 0);
    cut_put_ranges(&cut, 0, &ranges);
    ck_assert_uint_eq(ranges.size, 0);
    ck_assert(job_ranges_have(slice_make("", 0), (struct token){INT64_MIN}));
    buffer_deinit(&ranges);
}
END_TEST

static void put_range(struct buffer *bytes, int64_t after, int64_t through)
{
    buffer_put_u64(bytes, (uint64_t)after);
    buffer_put_u64(bytes, (uint64_t)through);
}

START_TEST(ranges_that_make_no_sense_are_refused)
{
    static const int64_t bad[][4] = {
        {1, 5, 4, 9},   // They overlap.
        {1, 5, 7, 7},   // Nothing.
        {1, 5, 9, 6},   // Only the first may go round.
        {8, 2, 4, 9},   // Around into the last.
        {10, 20, 1, 5}, // Not ascending.
    };
    for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
        struct buffer ranges, bytes;
        buffer_init(&ranges, 1024);
        buffer_init(&bytes, 1024);
        bool is_bad = i < sizeof bad / sizeof *bad;
        if (is_bad) {
            put_range(&ranges, bad[i][0], bad[i][1]);
            put_range(&ranges, bad[i][2], bad[i][3]);
        } else {
            put_range(&ranges, 9, 2);
            put_range(&ranges, 4, 9);
        }
        struct job_task task = {.number = 1, .ranges = buffer_slice(&ranges)};
        job_put_task(&bytes, &task);
        struct cursor cursor = cursor_make(buffer_slice(&bytes));
        ck_assert_msg(job_take_task(&cursor, &task) == !is_bad, "case %zu", i);
        buffer_deinit(&ranges);
        buffer_deinit(&bytes);
    }
}
END_TEST

START_TEST(a_ring_comes_back_as_it_was)
{
    struct random random;
    random_init(&random, 7);
    make_ring(5, 80, &random);
    ring.log_number = 99;
    ring.self = 3;
    for (uint16_t i = 0; i < 5; i++) {
        ck_assert_int_eq(env_address_parse(i == 2 ? "::1" : "127.0.0.9", (uint16_t)(7000 + i),
                                           &ring.members[i].address),
                         STATUS_OK);
        ring.members[i].is_up = i % 2 == 0;
    }
    static struct job_ring back;
    struct buffer bytes;
    buffer_init(&bytes, 1 << 20);
    job_put_ring(&bytes, &ring);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    ck_assert(job_take_ring(&cursor, &back));
    ck_assert_int_eq(memcmp(back.places, ring.places, sizeof ring.places), 0);
    ck_assert(back.self == 3 && back.log_number == 99 && back.member_count == 5);
    for (uint16_t i = 0; i < 5; i++) {
        ck_assert_int_eq(memcmp(&back.members[i].address, &ring.members[i].address,
                                sizeof back.members[i].address),
                         0);
        ck_assert(back.members[i].is_up == ring.members[i].is_up);
    }
    for (size_t size = 0; size < bytes.size; size += 7) { // Cut short anywhere.
        cursor = cursor_make(slice_make(bytes.data, size));
        ck_assert(!job_take_ring(&cursor, &back));
    }
    buffer_deinit(&bytes);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("cut");
    tcase_add_loop_test(tests, each_token_is_one_members, 0, 100);
    tcase_add_test(tests, a_place_is_its_members_or_the_next_live_ones);
    tcase_add_test(tests, a_ring_of_one_has_no_ranges);
    tcase_add_test(tests, ranges_that_make_no_sense_are_refused);
    tcase_add_test(tests, a_ring_comes_back_as_it_was);
    Suite *suite = suite_create("cut");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
