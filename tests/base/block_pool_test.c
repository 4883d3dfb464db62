// What was given back is what is taken next; never to two takers, never more kept than agreed.
#include "base/block_pool.h"

#include "base/arena.h"

#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

START_TEST(a_block_given_back_is_the_next_one_taken)
{
    struct block_pool *pool = block_pool_create(2);
    void *first = block_pool_take(pool), *second = block_pool_take(pool);
    ck_assert_ptr_ne(first, second);
    ck_assert_uint_eq((uintptr_t)first % BLOCK_POOL_BLOCK_SIZE, 0);
    memset(first, 1, BLOCK_POOL_BLOCK_SIZE);
    ck_assert_uint_eq(block_pool_kept(pool), 0);
    block_pool_give(pool, first);
    ck_assert_uint_eq(block_pool_kept(pool), 1);
    ck_assert_ptr_eq(block_pool_take(pool), first);
    memset(first, 2, BLOCK_POOL_BLOCK_SIZE);
    block_pool_give(pool, first);
    block_pool_give(pool, second);
    block_pool_unref(pool);
}
END_TEST

START_TEST(no_more_is_kept_than_was_agreed)
{
    struct block_pool *pool = block_pool_create(2);
    void *blocks[3];
    for (size_t i = 0; i < 3; i++)
        blocks[i] = block_pool_take(pool);
    for (size_t i = 0; i < 3; i++)
        block_pool_give(pool, blocks[i]);
    ck_assert_uint_eq(block_pool_kept(pool), 2);
    block_pool_unref(pool);
    pool = block_pool_create(0);
    block_pool_give(pool, block_pool_take(pool));
    ck_assert_uint_eq(block_pool_kept(pool), 0);
    block_pool_unref(pool);
    block_pool_give(NULL, block_pool_take(NULL));
}
END_TEST

START_TEST(an_arena_gives_its_huge_blocks_back)
{
    struct block_pool *pool = block_pool_create(4);
    struct arena arena;
    arena_init(&arena, ARENA_BLOCK_HUGE);
    arena.pool = pool;
    uint8_t *memory = arena_alloc(&arena, 100);
    (void)arena_alloc(&arena, ARENA_BLOCK_HUGE);
    (void)arena_alloc(&arena, 3 * (size_t)ARENA_BLOCK_HUGE); // Not of the pool's size.
    arena_reset(&arena);
    ck_assert_uint_eq(block_pool_kept(pool), 1);
    arena_deinit(&arena);
    ck_assert_uint_eq(block_pool_kept(pool), 2);
    arena_init(&arena, ARENA_BLOCK_HUGE);
    arena.pool = pool;
    uint8_t *again = arena_alloc(&arena, 100), *other = arena_alloc(&arena, ARENA_BLOCK_HUGE);
    ck_assert(again == memory || other == memory);
    arena_deinit(&arena);
    block_pool_unref(pool);
}
END_TEST

enum { THREADS = 4, TURNS = 2000 };

static void *take_and_give(void *context)
{
    struct block_pool *pool = context;
    uintptr_t self = (uintptr_t)pthread_self();
    for (int i = 0; i < TURNS; i++) {
        uintptr_t *block = block_pool_take(pool);
        *block = self;
        if (*block != self) return "two threads had one block";
        block_pool_give(pool, block);
    }
    return NULL;
}

START_TEST(threads_never_have_the_same_block)
{
    struct block_pool *pool = block_pool_create(THREADS - 1);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        block_pool_ref(pool);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, pool), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *fault;
        (void)pthread_join(threads[i], &fault);
        ck_assert_msg(fault == NULL, "%s", (const char *)fault);
        block_pool_unref(pool);
    }
    ck_assert_uint_le(block_pool_kept(pool), THREADS - 1);
    block_pool_unref(pool);
}
END_TEST

int main(void)
{
    TCase *block_pool = tcase_create("block_pool");
    tcase_add_test(block_pool, a_block_given_back_is_the_next_one_taken);
    tcase_add_test(block_pool, no_more_is_kept_than_was_agreed);
    tcase_add_test(block_pool, an_arena_gives_its_huge_blocks_back);
    tcase_add_test(block_pool, threads_never_have_the_same_block);

    Suite *suite = suite_create("block_pool");
    suite_add_tcase(suite, block_pool);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
