// Children are small shell scripts; what they say on descriptor 3 drives the tests, so that nothing
// sleeps.
#include "base/buffer.h"
#include "base/env_uv.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct env *env;
static struct error error;
static struct buffer words;
static int end_count;

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    buffer_init(&words, 4096);
    end_count = 0;
}

static void teardown(void)
{
    env_uv_destroy(env);
    buffer_deinit(&words);
}

static void said(void *context, struct slice bytes)
{
    ck_assert_ptr_eq(context, &words);
    ck_assert_int_eq(end_count, 0);
    if (bytes.size == 0)
        end_count++;
    else
        buffer_put(&words, bytes.data, bytes.size);
    if (bytes.size == 0 || bytes.data[bytes.size - 1] == '\n') env_uv_stop(env);
}

static int start(const char *script, const char *output_path)
{
    const char *const arguments[] = {"/bin/sh", "-c", script, NULL};
    struct env_process_options options = {.arguments = arguments,
                                          .output_path = output_path,
                                          .detached = true,
                                          .said = said,
                                          .context = &words};
    int pid;
    ck_assert_int_eq(env_process_start(env, &options, &pid, &error), STATUS_OK);
    return pid;
}

static void run_until_end(void)
{
    while (end_count == 0)
        env_uv_run(env);
}

START_TEST(a_child_is_heard_and_its_output_is_appended)
{
    char path[] = "/tmp/helenus_process_test_XXXXXX";
    int descriptor = mkstemp(path);
    ck_assert_int_eq(write(descriptor, "before\n", 7), 7);
    (void)start("echo ready >&3; echo out; echo err >&2; exit 3", path);
    run_until_end();
    ck_assert_uint_eq(words.size, 6);
    ck_assert_mem_eq(words.data, "ready\n", 6);
    char text[64] = "";
    ck_assert_int_eq(pread(descriptor, text, sizeof text - 1, 0), 15);
    ck_assert_str_eq(text, "before\nout\nerr\n");
    ck_assert_int_eq(close(descriptor), 0);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(a_killed_child_ends_and_is_gone)
{
    int pid = start("echo ready >&3; exec sleep 1000", "/dev/null");
    env_uv_run(env);
    ck_assert_int_eq(env_process_signal(env, pid, 0, &error), STATUS_OK);
    ck_assert_int_eq(getsid(pid), pid);
    struct env_process_usage usage = {0};
    ck_assert_int_eq(env_process_usage(env, pid, &usage, &error), STATUS_OK);
    ck_assert_uint_gt(usage.resident_bytes, 0);
    ck_assert_uint_gt(usage.cpu_ns, 0);
    ck_assert_int_eq(env_process_signal(env, pid, SIGKILL, &error), STATUS_OK);
    run_until_end();
    while (env_process_signal(env, pid, 0, &error) == STATUS_OK) {
    }
    ck_assert_int_eq(error.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(env_process_usage(env, pid, &usage, &error), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(the_end_is_told_though_a_grandchild_holds_the_pipe)
{
    (void)start("sleep 5 & echo ready >&3", "/dev/null");
    run_until_end();
    ck_assert_uint_eq(words.size, 6);
    ck_assert_int_eq(end_count, 1);
}
END_TEST

START_TEST(a_zombie_is_not_found)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) _exit(0);
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(kill(pid, 0), 0);
    ck_assert_int_eq(env_process_signal(env, pid, 0, &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

// Starts a child and comes back when it has said a word and ended, and nobody has been told yet.
static void start_and_let_end(const char *script)
{
    int pid = start(script, "/dev/null");
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void said_by_the_first(void *context, struct slice bytes)
{
    (void)context;
    if (bytes.size > 0) start_and_let_end("echo second >&3");
}

// The end of one child is how the loop learns of the ends of all: what the second has said is not
// read yet.
START_TEST(a_child_is_heard_that_ends_with_another)
{
    const char *const arguments[] = {"/bin/sh", "-c", "echo first >&3", NULL};
    struct env_process_options options = {.arguments = arguments, .said = said_by_the_first};
    int pid;
    ck_assert_int_eq(env_process_start(env, &options, &pid, &error), STATUS_OK);
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    run_until_end();
    ck_assert_uint_eq(words.size, 7);
    ck_assert_mem_eq(words.data, "second\n", 7);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_told)
{
    static const char *const arguments[] = {"/no/such/program", NULL};
    struct env_process_options options = {.arguments = arguments, .said = said, .context = &words};
    int pid = -7;
    ck_assert_int_eq(env_process_start(env, &options, &pid, &error), STATUS_NOT_FOUND);
    ck_assert_str_eq(error.text, "/no/such/program: cannot start: No such file or directory");
    options.output_path = "/no/such/directory/output";
    ck_assert_int_eq(env_process_start(env, &options, &pid, &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(pid, -7);
}
END_TEST

START_TEST(a_child_outlives_its_starters_env)
{
    int pid = start("echo ready >&3; exec sleep 1000", "/dev/null");
    env_uv_run(env);
    env_uv_destroy(env);
    ck_assert_int_eq(kill(pid, 0), 0);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
}
END_TEST

int main(void)
{
    TCase *process = tcase_create("process");
    tcase_set_timeout(process, 60);
    tcase_add_checked_fixture(process, setup, teardown);
    tcase_add_test(process, a_child_is_heard_and_its_output_is_appended);
    tcase_add_test(process, a_killed_child_ends_and_is_gone);
    tcase_add_test(process, the_end_is_told_though_a_grandchild_holds_the_pipe);
    tcase_add_test(process, a_zombie_is_not_found);
    tcase_add_test(process, a_child_is_heard_that_ends_with_another);
    tcase_add_test(process, a_program_that_is_not_there_is_told);
    tcase_add_test(process, a_child_outlives_its_starters_env);

    Suite *suite = suite_create("env_uv/process");
    suite_add_tcase(suite, process);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
