// Random starts and stops, beside a model that looks through all timers for the first.
#include "base/timer_heap.h"

#include "base/random.h"

#include <check.h>

enum { TIMER_COUNT = 100, STEP_COUNT = 20000 };

static struct env_timer timers[TIMER_COUNT];

static struct env_timer *first_by_definition(void)
{
    struct env_timer *first = NULL;
    for (int i = 0; i < TIMER_COUNT; i++) {
        struct env_timer *timer = &timers[i];
        if (!timer->place) continue;
        if (first == NULL || timer->deadline_ns < first->deadline_ns ||
            (timer->deadline_ns == first->deadline_ns && timer->sequence < first->sequence))
            first = timer;
    }
    return first;
}

START_TEST(the_first_is_what_the_definition_says)
{
    struct timer_heap heap;
    struct random random;
    timer_heap_init(&heap);
    random_init(&random, (uint64_t)_i);
    for (int step = 0; step < STEP_COUNT; step++) {
        struct env_timer *timer = &timers[random_below(&random, TIMER_COUNT)];
        // Few different deadlines, so that many are equal.
        if (random_chance(&random, 0.6))
            timer_heap_add(&heap, timer, random_below(&random, 20));
        else if (random_chance(&random, 0.5))
            timer_heap_remove(&heap, timer);
        else if (timer_heap_first(&heap) != NULL)
            timer_heap_remove(&heap, timer_heap_first(&heap));
        timer_heap_check(&heap);
        ck_assert_msg(timer_heap_first(&heap) == first_by_definition(), "seed %d, step %d", _i,
                      step);
    }
    timer_heap_deinit(&heap);
    for (int i = 0; i < TIMER_COUNT; i++)
        ck_assert_uint_eq(timers[i].place, 0);
}
END_TEST

START_TEST(equal_deadlines_come_in_the_order_of_starting)
{
    struct timer_heap heap;
    timer_heap_init(&heap);
    for (int i = 0; i < TIMER_COUNT; i++)
        timer_heap_add(&heap, &timers[i], 5);
    // Started again, the first is the last.
    timer_heap_add(&heap, &timers[0], 5);
    for (int i = 1; i <= TIMER_COUNT; i++) {
        struct env_timer *first = timer_heap_first(&heap);
        ck_assert_ptr_eq(first, &timers[i % TIMER_COUNT]);
        timer_heap_remove(&heap, first);
    }
    ck_assert_ptr_null(timer_heap_first(&heap));
    timer_heap_deinit(&heap);
}
END_TEST

int main(void)
{
    TCase *timer_heap = tcase_create("timer_heap");
    tcase_add_loop_test(timer_heap, the_first_is_what_the_definition_says, 0, 5);
    tcase_add_test(timer_heap, equal_deadlines_come_in_the_order_of_starting);

    Suite *suite = suite_create("timer_heap");
    suite_add_tcase(suite, timer_heap);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
