// Counter contexts against Cassandra's, and the laws of a CRDT on whatever contexts.
#include "storage/counter_context.h"

#include "base/bytes.h"
#include "tests/storage/support/vectors.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct vectors vectors;

// "G:id:clock:count L:…", as the files have shards.
static const char *format_shards(struct slice context)
{
    static const char kinds[] = {
        [COUNTER_SHARD_GLOBAL] = 'G', [COUNTER_SHARD_LOCAL] = 'L', [COUNTER_SHARD_REMOTE] = 'R'};
    const char *text = "";
    for (size_t i = 0; i < counter_context_shard_count(context); i++) {
        struct counter_shard shard = counter_context_shard_at(context, i);
        text = arena_format(&vectors.arena, "%s%s%c:%s:%" PRId64 ":%" PRId64, text,
                            i == 0 ? "" : " ", kinds[shard.kind],
                            vectors_to_hex(&vectors, slice_make(shard.id.bytes, 16)), shard.clock,
                            shard.count);
    }
    return text;
}

START_TEST(contexts_are_read_as_cassandra_reads_them)
{
    vectors_open_golden(&vectors, "counter_context.tsv");
    while (vectors_next(&vectors)) {
        struct slice context = vectors_hex(&vectors, vectors.fields[0]);
        ck_assert(counter_context_is_valid(context));
        ck_assert_str_eq(format_shards(context), vectors.fields[1]);
        ck_assert_int_eq(counter_context_total(context), strtoll(vectors.fields[2], NULL, 10));
        bool has_legacy = strcmp(vectors.fields[4], "true") == 0;
        ck_assert_int_eq(counter_context_has_legacy(context), has_legacy);
        bool is_marked = strcmp(vectors.fields[5], "true") == 0;
        ck_assert_int_eq(counter_context_is_marked(context), is_marked);
        struct slice cleared = counter_context_clear_local(context, &vectors.arena);
        ck_assert_str_eq(vectors_to_hex(&vectors, cleared), vectors.fields[6]);
        for (size_t i = 0; i < counter_context_shard_count(context); i++) {
            struct counter_shard shard = counter_context_shard_at(context, i), found;
            ck_assert(counter_context_find(context, shard.id, &found));
            ck_assert_int_eq(found.count, shard.count);
        }
    }
    vectors_close(&vectors);
}
END_TEST

START_TEST(contexts_merge_as_cassandra_merges_them)
{
    vectors_open_golden(&vectors, "counter_merge.tsv");
    while (vectors_next(&vectors)) {
        struct slice left = vectors_hex(&vectors, vectors.fields[0]);
        struct slice right = vectors_hex(&vectors, vectors.fields[1]);
        struct slice merged = counter_context_merge(left, right, &vectors.arena, NULL);
        ck_assert_msg(strcmp(vectors_to_hex(&vectors, merged), vectors.fields[2]) == 0,
                      "line %d: %s", vectors.line, vectors_to_hex(&vectors, merged));
        ck_assert_int_eq(counter_context_total(merged), strtoll(vectors.fields[6], NULL, 10));
    }
    vectors_close(&vectors);
}
END_TEST

static struct uuid id_of(uint8_t number)
{
    return (struct uuid){.bytes = {[15] = number}};
}

// A context of global shards of some of the ids 0..6, small clocks, counts decided by id and clock:
// as true nodes have them.
static struct slice random_context(struct arena *arena, unsigned *seed)
{
    uint8_t bytes[COUNTER_SINGLE_SHARD_SIZE];
    struct slice context = slice_make("\0\0", 2);
    for (uint8_t id = 0; id < 7; id++) {
        if (rand_r(seed) % 2 == 0) continue;
        int64_t clock = rand_r(seed) % 4;
        counter_context_make_global(id_of(id), clock, 100 * id + 7 * clock, bytes);
        struct slice single = arena_copy(arena, slice_make(bytes, sizeof bytes));
        context = counter_context_merge(context, single, arena, NULL);
    }
    return context;
}

START_TEST(merge_is_commutative_associative_and_idempotent)
{
    struct arena arena;
    arena_init(&arena, 65536);
    for (unsigned seed = 1; seed <= 500; seed++) {
        unsigned state = seed;
        struct slice a = random_context(&arena, &state), b = random_context(&arena, &state);
        struct slice c = random_context(&arena, &state);
        bool conflict = false;
        struct slice ab = counter_context_merge(a, b, &arena, &conflict);
        struct slice ba = counter_context_merge(b, a, &arena, &conflict);
        ck_assert_msg(slice_equals(ab, ba), "seed %u", seed);
        ck_assert(slice_equals(counter_context_merge(a, a, &arena, &conflict), a));
        ck_assert(slice_equals(counter_context_merge(ab, b, &arena, &conflict), ab));
        struct slice bc = counter_context_merge(b, c, &arena, &conflict);
        ck_assert(slice_equals(counter_context_merge(ab, c, &arena, &conflict),
                               counter_context_merge(a, bc, &arena, &conflict)));
        ck_assert_msg(!conflict, "seed %u", seed);
    }
    arena_deinit(&arena);
}
END_TEST

START_TEST(next_value_of_one_shard_costs_no_memory)
{
    struct arena arena;
    arena_init(&arena, 64);
    uint8_t old_bytes[COUNTER_SINGLE_SHARD_SIZE], new_bytes[COUNTER_SINGLE_SHARD_SIZE];
    counter_context_make_global(id_of(1), 5, 10, old_bytes);
    counter_context_make_global(id_of(1), 6, 3, new_bytes);
    struct slice older = slice_make(old_bytes, sizeof old_bytes);
    struct slice newer = slice_make(new_bytes, sizeof new_bytes);
    bool conflict = false;
    ck_assert_ptr_eq(counter_context_merge(older, newer, &arena, &conflict).data, new_bytes);
    ck_assert_ptr_eq(counter_context_merge(newer, older, &arena, &conflict).data, new_bytes);
    ck_assert(!conflict);
    ck_assert_uint_eq(arena_size(&arena), 0);
    arena_deinit(&arena);
}
END_TEST

// Whatever is changed in place is what a merge would have made; whatever is not is left as it was.
START_TEST(next_value_among_many_shards_is_written_over_the_old_one)
{
    struct arena arena;
    arena_init(&arena, 512);
    uint8_t shards[3][COUNTER_SINGLE_SHARD_SIZE];
    struct slice all = slice_make(shards[0], sizeof shards[0]);
    for (uint8_t i = 0; i < 3; i++) {
        counter_context_make_global(id_of((uint8_t)(2 * i + 2)), 5, 10 * i, shards[i]);
        all = counter_context_merge(all, slice_make(shards[i], sizeof shards[i]), &arena, NULL);
    }
    for (uint8_t id = 1; id <= 7; id++) {
        for (int64_t clock = 4; clock <= 6; clock++) {
            uint8_t added[COUNTER_SINGLE_SHARD_SIZE];
            counter_context_make_global(id_of(id), clock, 7, added);
            struct slice single = slice_make(added, sizeof added),
                         changed = arena_copy(&arena, all);
            bool is_next = id % 2 == 0 && clock == 6;
            ck_assert(counter_context_count_on((uint8_t *)(uintptr_t)changed.data, changed.size,
                                               single) == is_next);
            struct slice expected =
                is_next ? counter_context_merge(all, single, &arena, NULL) : all;
            ck_assert_msg(slice_equals(changed, expected), "id %u, clock %d", id, (int)clock);
            // What is no single global shard is left to a merge.
            ck_assert(
                !counter_context_count_on((uint8_t *)(uintptr_t)changed.data, changed.size, all));
        }
    }
    arena_deinit(&arena);
}
END_TEST

// The shard of a file of old times is not counted on: only a merge knows what it is worth.
START_TEST(local_and_remote_shards_are_never_written_over)
{
    uint8_t added[COUNTER_SINGLE_SHARD_SIZE], local[COUNTER_SINGLE_SHARD_SIZE];
    counter_context_make_global(id_of(1), 6, 7, added);
    counter_context_make_global(id_of(1), 5, 7, local);
    local[2] = 0;
    uint8_t remote[2 + 32] = {0};
    memcpy(remote + 2, local + 4, 32);
    struct slice single = slice_make(added, sizeof added);
    ck_assert(!counter_context_count_on(local, sizeof local, single));
    ck_assert(!counter_context_count_on(remote, sizeof remote, single));
    ck_assert(!counter_context_count_on(remote, 0, single));
    ck_assert(!counter_context_count_on(added, sizeof added, slice_make(local, sizeof local)));
}
END_TEST

START_TEST(one_clock_with_two_counts_is_a_conflict_and_the_higher_stays)
{
    struct arena arena;
    arena_init(&arena, 64);
    uint8_t low[COUNTER_SINGLE_SHARD_SIZE], high[COUNTER_SINGLE_SHARD_SIZE];
    uint8_t other[COUNTER_SINGLE_SHARD_SIZE];
    counter_context_make_global(id_of(1), 5, -10, low);
    counter_context_make_global(id_of(1), 5, 10, high);
    counter_context_make_global(id_of(2), 1, 1, other);
    struct slice low_slice = slice_make(low, sizeof low),
                 high_slice = slice_make(high, sizeof high);
    bool conflict = false;
    ck_assert_ptr_eq(counter_context_merge(low_slice, high_slice, &arena, &conflict).data, high);
    ck_assert(conflict);
    conflict = false;
    struct slice two =
        counter_context_merge(low_slice, slice_make(other, sizeof other), &arena, &conflict);
    ck_assert(!conflict);
    ck_assert_int_eq(
        counter_context_total(counter_context_merge(two, high_slice, &arena, &conflict)), 11);
    ck_assert(conflict);
    arena_deinit(&arena);
}
END_TEST

// What a corrupt file may hold: every cut of a context, and every lie about its header.
START_TEST(bytes_that_are_no_context_hurt_nobody)
{
    struct arena arena;
    arena_init(&arena, 65536);
    uint8_t bytes[COUNTER_SINGLE_SHARD_SIZE];
    counter_context_make_global(id_of(1), 5, 10, bytes);
    struct slice good = slice_make(bytes, sizeof bytes);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        for (unsigned header = 0; header < 65536; header += 97) {
            uint8_t *copy = arena_alloc(&arena, size == 0 ? 1 : size);
            memcpy(copy, bytes, size);
            if (size >= 2) bytes_put_u16(copy, (uint16_t)header);
            struct slice bad = slice_make(copy, size);
            if (!counter_context_is_valid(bad)) {
                ck_assert_uint_eq(counter_context_shard_count(bad), 0);
                ck_assert_int_eq(counter_context_total(bad), 0);
            }
            struct slice merged = counter_context_merge(good, bad, &arena, NULL);
            ck_assert(counter_context_is_valid(merged));
            arena_reset(&arena);
        }
    }
    arena_deinit(&arena);
}
END_TEST

int main(void)
{
    TCase *context = tcase_create("context");
    tcase_add_test(context, contexts_are_read_as_cassandra_reads_them);
    tcase_add_test(context, contexts_merge_as_cassandra_merges_them);
    tcase_add_test(context, merge_is_commutative_associative_and_idempotent);
    tcase_add_test(context, next_value_of_one_shard_costs_no_memory);
    tcase_add_test(context, next_value_among_many_shards_is_written_over_the_old_one);
    tcase_add_test(context, local_and_remote_shards_are_never_written_over);
    tcase_add_test(context, one_clock_with_two_counts_is_a_conflict_and_the_higher_stays);
    tcase_add_test(context, bytes_that_are_no_context_hurt_nobody);

    Suite *suite = suite_create("counter_context");
    suite_add_tcase(suite, context);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
