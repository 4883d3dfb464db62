// What a task may do to the list while it runs: post itself and others, cancel those that wait.
#include "base/task_list.h"

#include "base/container_of.h"

#include <check.h>

struct actor {
    struct env_task task;
    char name;
    struct actor *posts, *cancels;
};

static struct task_list list;
static char trace[64];
static size_t trace_size;

static void actor_run(struct env_task *task)
{
    struct actor *actor = CONTAINER_OF(task, struct actor, task);
    trace[trace_size++] = actor->name;
    if (actor->posts != NULL) task_list_post(&list, &actor->posts->task, actor_run);
    if (actor->cancels != NULL) task_list_cancel(&list, &actor->cancels->task);
}

static void setup(void)
{
    task_list_init(&list);
    memset(trace, 0, sizeof trace);
    trace_size = 0;
}

static const char *run(void)
{
    task_list_run(&list);
    trace[trace_size++] = '.';
    return trace;
}

START_TEST(tasks_run_in_the_order_of_posting_and_once)
{
    struct actor a = {.name = 'a'}, b = {.name = 'b'};
    task_list_post(&list, &a.task, actor_run);
    task_list_post(&list, &b.task, actor_run);
    task_list_post(&list, &a.task, actor_run);
    ck_assert_str_eq(run(), "ab.");
    ck_assert(task_list_is_empty(&list));
    ck_assert_str_eq(run(), "ab..");
}
END_TEST

START_TEST(what_a_task_posts_waits_for_the_next_run)
{
    struct actor a = {.name = 'a'}, b = {.name = 'b', .posts = &a};
    a.posts = &a;
    task_list_post(&list, &a.task, actor_run);
    task_list_post(&list, &b.task, actor_run);
    ck_assert_str_eq(run(), "ab.");
    ck_assert_str_eq(run(), "ab.a.");
    task_list_cancel(&list, &a.task);
    ck_assert(task_list_is_empty(&list));
    ck_assert_str_eq(run(), "ab.a..");
}
END_TEST

START_TEST(what_a_task_cancels_does_not_run)
{
    struct actor c = {.name = 'c'}, b = {.name = 'b'}, a = {.name = 'a'};
    // First, middle and last of what waits; and one that was posted for the next run.
    for (int i = 0; i < 3; i++) {
        setup();
        struct actor d = {.name = 'd', .posts = &d};
        d.cancels = i == 0 ? &a : i == 1 ? &b : &c;
        task_list_post(&list, &d.task, actor_run);
        task_list_post(&list, &a.task, actor_run);
        task_list_post(&list, &b.task, actor_run);
        task_list_post(&list, &c.task, actor_run);
        static const char *const expected[] = {"dbc.", "dac.", "dab."};
        ck_assert_str_eq(run(), expected[i]);
        task_list_post(&list, &a.task, actor_run);
        task_list_cancel(&list, &d.task);
        task_list_post(&list, &b.task, actor_run);
        task_list_run(&list);
        ck_assert_str_eq(trace + trace_size - 2, "ab");
    }
}
END_TEST

START_TEST(the_last_may_be_canceled_and_another_posted)
{
    struct actor a = {.name = 'a'}, b = {.name = 'b'};
    task_list_post(&list, &a.task, actor_run);
    task_list_cancel(&list, &a.task);
    task_list_cancel(&list, &a.task);
    task_list_post(&list, &b.task, actor_run);
    task_list_post(&list, &a.task, actor_run);
    ck_assert_str_eq(run(), "ba.");
    task_list_post(&list, &a.task, actor_run);
    task_list_post(&list, &b.task, actor_run);
    task_list_deinit(&list);
    ck_assert_ptr_null(a.task.place);
    ck_assert_ptr_null(b.task.place);
}
END_TEST

int main(void)
{
    TCase *task_list = tcase_create("task_list");
    tcase_add_checked_fixture(task_list, setup, NULL);
    tcase_add_test(task_list, tasks_run_in_the_order_of_posting_and_once);
    tcase_add_test(task_list, what_a_task_posts_waits_for_the_next_run);
    tcase_add_test(task_list, what_a_task_cancels_does_not_run);
    tcase_add_test(task_list, the_last_may_be_canceled_and_another_posted);

    Suite *suite = suite_create("task_list");
    suite_add_tcase(suite, task_list);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
