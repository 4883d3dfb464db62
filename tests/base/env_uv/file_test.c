// Real files in a directory of their own, which the fixture makes and removes.
#include "base/env_uv.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct env *env;
static struct error error;
static char directory[64];

// A path in the directory. The last few stay valid.
static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int next;
    next = (next + 1) % 4;
    (void)snprintf(paths[next], sizeof paths[next], "%s/%s", directory, name);
    return paths[next];
}

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    strcpy(directory, "/tmp/helenus_file_test_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void teardown(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
    env_uv_destroy(env);
}

static struct env_file *open_file(const char *name, unsigned flags)
{
    struct env_file *file;
    ck_assert_int_eq(env_file_open(env, path_of(name), flags, &file, &error), STATUS_OK);
    return file;
}

static const unsigned NEW_FILE = ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE;

START_TEST(what_is_written_is_read)
{
    struct env_file *file = open_file("a", NEW_FILE);
    char bytes[8] = "........";
    size_t size;
    ck_assert_int_eq(env_file_write(file, 3, "hello", 5, &error), STATUS_OK);
    ck_assert_int_eq(env_file_sync(file, &error), STATUS_OK);
    // The gap before it is zeros, and the end of the file ends the read.
    ck_assert_int_eq(env_file_read(file, 1, bytes, sizeof bytes, &size, &error), STATUS_OK);
    ck_assert_uint_eq(size, 7);
    ck_assert_mem_eq(bytes, "\0\0hello.", 8);
    ck_assert_int_eq(env_file_read(file, 8, bytes, sizeof bytes, &size, &error), STATUS_OK);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(env_file_read(file, 1000, bytes, sizeof bytes, &size, &error), STATUS_OK);
    ck_assert_uint_eq(size, 0);

    uint64_t file_size;
    ck_assert_int_eq(env_file_truncate(file, 4, &error), STATUS_OK);
    ck_assert_int_eq(env_file_size(file, &file_size, &error), STATUS_OK);
    ck_assert_uint_eq(file_size, 4);
    env_file_close(file);
}
END_TEST

START_TEST(a_cached_read_gives_the_same_or_would_block)
{
    struct env_file *file = open_file("a", NEW_FILE);
    char bytes[8] = "........";
    size_t size = 99;
    ck_assert_int_eq(env_file_write(file, 0, "hello", 5, &error), STATUS_OK);
    // Just written, so in memory.
    ck_assert_int_eq(env_file_read_cached(file, 0, bytes, sizeof bytes, &size, &error), STATUS_OK);
    ck_assert_uint_eq(size, 5);
    ck_assert_mem_eq(bytes, "hello...", 8);
    ck_assert_int_eq(env_file_read_cached(file, 5, bytes, sizeof bytes, &size, &error), STATUS_OK);
    ck_assert_uint_eq(size, 0);
    env_file_close(file);
}
END_TEST

START_TEST(a_cached_read_does_not_wait_for_the_disk)
{
    struct env_file *file = open_file("a", NEW_FILE);
    static char written[65536], bytes[65536];
    memset(written, 'w', sizeof written);
    ck_assert_int_eq(env_file_write(file, 0, written, sizeof written, &error), STATUS_OK);
    ck_assert_int_eq(env_file_sync(file, &error), STATUS_OK);
    int descriptor = open(path_of("a"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED), 0);
    ck_assert_int_eq(close(descriptor), 0);
    size_t size = 99;
    enum status status = env_file_read_cached(file, 0, bytes, sizeof bytes, &size, &error);
    // File systems in memory forget nothing, and some do not know how not to wait.
    if (status == STATUS_WOULD_BLOCK) {
        ck_assert_uint_eq(size, 99);
        ck_assert_int_eq(env_file_read(file, 0, bytes, sizeof bytes, &size, &error), STATUS_OK);
        // Now it is there.
        size = 0;
        status = env_file_read_cached(file, 0, bytes, sizeof bytes, &size, &error);
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(size, sizeof bytes);
    ck_assert_mem_eq(bytes, written, sizeof bytes);
    env_file_close(file);
}
END_TEST

START_TEST(open_flags_do_what_they_say)
{
    struct env_file *file;
    ck_assert_int_eq(env_file_open(env, path_of("a"), ENV_OPEN_READ, &file, &error),
                     STATUS_NOT_FOUND);
    char expected[256];
    (void)snprintf(expected, sizeof expected, "%s/a: cannot open: No such file or directory",
                   directory);
    ck_assert_str_eq(error.text, expected);
    ck_assert_int_eq(error.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(env_file_open(env, path_of("a"), ENV_OPEN_READ, &file, NULL),
                     STATUS_NOT_FOUND);

    file = open_file("a", NEW_FILE | ENV_OPEN_EXCLUSIVE);
    ck_assert_int_eq(env_file_write(file, 0, "x", 1, &error), STATUS_OK);
    env_file_close(file);
    ck_assert_int_eq(env_file_open(env, path_of("a"), NEW_FILE | ENV_OPEN_EXCLUSIVE, &file, &error),
                     STATUS_EXISTS);

    uint64_t size;
    env_file_close(open_file("a", NEW_FILE));
    file = open_file("a", ENV_OPEN_READ);
    ck_assert_int_eq(env_file_size(file, &size, &error), STATUS_OK);
    ck_assert_uint_eq(size, 1);
    ck_assert_int_eq(env_file_write(file, 0, "y", 1, &error), STATUS_IO);
    env_file_close(file);
    file = open_file("a", NEW_FILE | ENV_OPEN_TRUNCATE);
    ck_assert_int_eq(env_file_size(file, &size, &error), STATUS_OK);
    ck_assert_uint_eq(size, 0);
    env_file_close(file);
}
END_TEST

START_TEST(a_fault_leaves_the_outputs_as_they_were)
{
    struct env_file *file = open_file("a", ENV_OPEN_WRITE | ENV_OPEN_CREATE);
    char byte = 'z';
    size_t size = 77;
    ck_assert_int_eq(env_file_read(file, 0, &byte, 1, &size, &error), STATUS_IO);
    ck_assert_int_eq(env_file_read_cached(file, 0, &byte, 1, &size, &error), STATUS_IO);
    ck_assert_uint_eq(size, 77);
    env_file_close(file);
    // A directory can be opened, but is no file.
    ck_assert_int_eq(env_file_open(env, directory, ENV_OPEN_WRITE, &file, &error), STATUS_IO);
}
END_TEST

START_TEST(a_file_that_may_not_grow_says_so)
{
    struct env_file *file = open_file("a", NEW_FILE);
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 4096;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    static const char bytes[8192];
    // The first half fits, so this also takes the way of a write that was cut short.
    ck_assert_int_eq(env_file_write(file, 0, bytes, sizeof bytes, &error), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "/a: cannot write at 4096: File too large"));
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    env_file_close(file);
}
END_TEST

START_TEST(a_full_disk_is_no_space)
{
    struct env_file *file;
    if (env_file_open(env, "/dev/full", ENV_OPEN_WRITE, &file, &error) != STATUS_OK) return;
    ck_assert_int_eq(env_file_write(file, 0, "x", 1, &error), STATUS_NO_SPACE);
    ck_assert_str_eq(error.text, "/dev/full: cannot write at 0: No space left on device");
    env_file_close(file);
}
END_TEST

START_TEST(names_are_made_moved_and_removed)
{
    bool exists, is_dir;
    ck_assert_int_eq(env_make_dir(env, path_of("d"), &error), STATUS_OK);
    ck_assert_int_eq(env_make_dir(env, path_of("d"), &error), STATUS_EXISTS);
    ck_assert_int_eq(env_make_dir(env, path_of("no/d"), &error), STATUS_NOT_FOUND);
    env_file_close(open_file("d/a", NEW_FILE));
    ck_assert_int_eq(env_rename(env, path_of("d/a"), path_of("d/b"), &error), STATUS_OK);
    ck_assert_int_eq(env_rename(env, path_of("d/a"), path_of("d/b"), &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(env_link(env, path_of("d/b"), path_of("d/c"), &error), STATUS_OK);
    ck_assert_int_eq(env_link(env, path_of("d/b"), path_of("d/c"), &error), STATUS_EXISTS);
    ck_assert_int_eq(env_sync_dir(env, path_of("d"), &error), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(env, path_of("no"), &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(env_remove_dir(env, path_of("d"), &error), STATUS_IO);
    ck_assert_int_eq(env_path_exists(env, path_of("d"), &exists, &is_dir, &error), STATUS_OK);
    ck_assert(exists && is_dir);
    ck_assert_int_eq(env_path_exists(env, path_of("d/c"), &exists, &is_dir, &error), STATUS_OK);
    ck_assert(exists && !is_dir);
    ck_assert_int_eq(env_path_exists(env, path_of("d/c/x"), &exists, &is_dir, &error), STATUS_OK);
    ck_assert(!exists && !is_dir);
    ck_assert_int_eq(env_remove(env, path_of("d/b"), &error), STATUS_OK);
    ck_assert_int_eq(env_remove(env, path_of("d/b"), &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(env_remove(env, path_of("d/c"), &error), STATUS_OK);
    ck_assert_int_eq(env_remove_dir(env, path_of("d"), &error), STATUS_OK);
    ck_assert_int_eq(env_path_exists(env, path_of("d"), &exists, &is_dir, &error), STATUS_OK);
    ck_assert(!exists);
}
END_TEST

START_TEST(the_time_of_the_last_change_is_told)
{
    int64_t first_us, second_us;
    const int64_t before_us = env_wall_us(env);
    struct env_file *file = open_file("a", NEW_FILE);
    ck_assert_int_eq(env_file_write(file, 0, "hello", 5, &error), STATUS_OK);
    env_file_close(file);
    ck_assert_int_eq(env_path_time(env, path_of("a"), &first_us, &error), STATUS_OK);
    // File systems take the time from a clock that ticks some hundred times in a second.
    ck_assert_int_ge(first_us, before_us - 100000);
    ck_assert_int_le(first_us, env_wall_us(env));
    ck_assert_int_eq(env_link(env, path_of("a"), path_of("b"), &error), STATUS_OK);
    ck_assert_int_eq(env_path_time(env, path_of("b"), &second_us, &error), STATUS_OK);
    ck_assert_int_eq(first_us, second_us);
    ck_assert_int_eq(env_path_time(env, path_of("c"), &second_us, &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(first_us, second_us);
}
END_TEST

static void list_entry(void *context, const char *name, bool is_dir)
{
    char *text = context;
    strcat(text, name);
    strcat(text, is_dir ? "/ " : " ");
}

START_TEST(a_directory_is_listed_in_order_of_bytes)
{
    char text[2048] = "";
    ck_assert_int_eq(env_list_dir(env, directory, list_entry, text, &error), STATUS_OK);
    ck_assert_str_eq(text, "");
    static const char *const names[] = {"b", "a10", "a2", ".hidden", "Z"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        env_file_close(open_file(names[i], NEW_FILE));
    ck_assert_int_eq(env_make_dir(env, path_of("c"), &error), STATUS_OK);
    ck_assert_int_eq(symlink("c", path_of("to_c")), 0);
    ck_assert_int_eq(env_list_dir(env, directory, list_entry, text, &error), STATUS_OK);
    ck_assert_str_eq(text, ".hidden Z a10 a2 b c/ to_c/ ");
    ck_assert_int_eq(env_list_dir(env, path_of("no"), list_entry, text, &error), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(free_space_is_told)
{
    uint64_t size = 0;
    ck_assert_int_eq(env_free_space(env, directory, &size, &error), STATUS_OK);
    ck_assert_uint_gt(size, 0);
    ck_assert_int_eq(env_free_space(env, path_of("no"), &size, &error), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(a_lock_is_held_by_one_and_ends_with_its_process)
{
    struct env_lock *lock, *second;
    ck_assert_int_eq(env_lock(env, path_of("lock"), &lock, &error), STATUS_OK);
    ck_assert_int_eq(env_lock(env, path_of("lock"), &second, &error), STATUS_IN_USE);
    ck_assert_ptr_nonnull(strstr(error.text, "/lock: in use by another process"));
    env_unlock(lock);

    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        // Takes it and is gone without a word.
        _exit(env_lock(env, path_of("lock"), &lock, &error) == STATUS_OK ? 0 : 1);
    }
    int exit_status;
    ck_assert_int_eq(waitpid(child, &exit_status, 0), child);
    ck_assert_int_eq(exit_status, 0);
    ck_assert_int_eq(env_lock(env, path_of("lock"), &lock, &error), STATUS_OK);
    env_unlock(lock);
}
END_TEST

int main(void)
{
    TCase *file = tcase_create("file");
    tcase_add_checked_fixture(file, setup, teardown);
    tcase_add_test(file, what_is_written_is_read);
    tcase_add_test(file, a_cached_read_gives_the_same_or_would_block);
    tcase_add_test(file, a_cached_read_does_not_wait_for_the_disk);
    tcase_add_test(file, open_flags_do_what_they_say);
    tcase_add_test(file, a_fault_leaves_the_outputs_as_they_were);
    tcase_add_test(file, a_file_that_may_not_grow_says_so);
    tcase_add_test(file, a_full_disk_is_no_space);
    tcase_add_test(file, names_are_made_moved_and_removed);
    tcase_add_test(file, the_time_of_the_last_change_is_told);
    tcase_add_test(file, a_directory_is_listed_in_order_of_bytes);
    tcase_add_test(file, free_space_is_told);
    tcase_add_test(file, a_lock_is_held_by_one_and_ends_with_its_process);

    Suite *suite = suite_create("env_uv/file");
    suite_add_tcase(suite, file);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
