// Every allocation is filled to its last byte, so that the sanitizers and the comparison at the end
// see an overlap or an overrun.
#include "base/arena.h"

#include "base/random.h"

#include <check.h>
#include <stdalign.h>

enum { BLOCK_SIZE = 256, COUNT = 2000 };

START_TEST(allocations_do_not_overlap_and_are_aligned)
{
    struct arena arena;
    struct random random;
    static struct slice pieces[COUNT];
    arena_init(&arena, BLOCK_SIZE);
    random_init(&random, (uint64_t)_i);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            // Some larger than a block.
            size_t size = (size_t)random_below(&random, random_chance(&random, 0.1) ? 600 : 60);
            if (random_chance(&random, 0.3)) {
                uint8_t bytes[600];
                memset(bytes, (int)(i & 0xff), size);
                pieces[i] = arena_copy(&arena, slice_make(bytes, size));
                continue;
            }
            uint8_t *memory = arena_alloc(&arena, size);
            ck_assert_uint_eq((uintptr_t)memory % alignof(max_align_t), 0);
            memset(memory, (int)(i & 0xff), size);
            pieces[i] = slice_make(memory, size);
        }
        for (size_t i = 0; i < COUNT; i++) {
            for (size_t at = 0; at < pieces[i].size; at++)
                ck_assert_uint_eq(pieces[i].data[at], i & 0xff);
        }
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    ck_assert_uint_eq(arena_size(&arena), 0);
}
END_TEST

START_TEST(a_loop_that_resets_settles_on_one_block)
{
    struct arena arena;
    arena_init(&arena, BLOCK_SIZE);
    ck_assert_uint_eq(arena_size(&arena), 0);
    void *first = arena_alloc(&arena, BLOCK_SIZE / 2);
    for (int i = 0; i < 10; i++) {
        arena_reset(&arena);
        ck_assert_ptr_eq(arena_alloc(&arena, BLOCK_SIZE / 2), first);
        ck_assert_uint_eq(arena_size(&arena), BLOCK_SIZE);
    }
    // A large piece goes, and the block in use stays in use.
    (void)arena_alloc(&arena, 10 * BLOCK_SIZE);
    ck_assert_uint_eq(arena_size(&arena), 11 * BLOCK_SIZE);
    ck_assert_ptr_eq(arena_alloc(&arena, BLOCK_SIZE / 2), (uint8_t *)first + BLOCK_SIZE / 2);
    arena_reset(&arena);
    ck_assert_uint_eq(arena_size(&arena), BLOCK_SIZE);
    arena_deinit(&arena);
}
END_TEST

START_TEST(copies_keep_null_and_empty_apart)
{
    struct arena arena;
    arena_init(&arena, BLOCK_SIZE);
    ck_assert(slice_is_null(arena_copy(&arena, slice_null())));
    struct slice empty = arena_copy(&arena, slice_make("x", 0));
    ck_assert(!slice_is_null(empty));
    ck_assert_uint_eq(empty.size, 0);
    ck_assert_str_eq(arena_copy_text(&arena, "text"), "text");
    ck_assert_str_eq(arena_format(&arena, "%d-%s", 7, "x"), "7-x");
    static const int zero[100];
    for (int i = 0; i < 20; i++) {
        int *numbers = ARENA_NEW_ARRAY(&arena, int, 100);
        ck_assert_mem_eq(numbers, zero, sizeof zero);
        memset(numbers, 0xff, sizeof zero);
        if (i % 5 == 4) arena_reset(&arena);
    }
    arena_deinit(&arena);
}
END_TEST

int main(void)
{
    TCase *arena = tcase_create("arena");
    tcase_add_loop_test(arena, allocations_do_not_overlap_and_are_aligned, 0, 3);
    tcase_add_test(arena, a_loop_that_resets_settles_on_one_block);
    tcase_add_test(arena, copies_keep_null_and_empty_apart);

    Suite *suite = suite_create("arena");
    suite_add_tcase(suite, arena);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
