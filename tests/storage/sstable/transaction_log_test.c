// Directories as a compaction leaves them that dies at each of its operations, and with logs that
// are cut or damaged at any byte: what a recovery makes of them.
//
// With HELENUS_TRANSACTIONS=DIR it makes these directories there, and with HELENUS_RECOVER=DIR it
// recovers all that are there: tests/interop/transactions_with_cassandra lets Cassandra do the
// same.
#include "storage/sstable/transaction_log.h"

#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/whole_file.h"
#include "tests/storage/support/failing_env.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OLD = 2, NEW = 2, FIRST_NEW = 10, FILES = 3, PATH_SIZE = 256 };

static const enum sstable_component components[FILES] = {SSTABLE_DATA, SSTABLE_INDEX, SSTABLE_TOC};

static struct env *env;
static char root[PATH_SIZE];

static void setup(void)
{
    char made[64];
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    sstable_table_make_directory(made);
    snprintf(root, sizeof root, "%s", made);
}

static void teardown(void)
{
    sstable_table_remove_directory(root);
    env_uv_destroy(env);
}

// ---- A transaction ------------------------------------------------------------------------------

static enum status put_file(struct env *on, const char *directory, uint64_t generation,
                            enum sstable_component component)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, directory, generation, component);
    struct env_file *file;
    enum status status =
        env_file_open(on, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file, NULL);
    if (status != STATUS_OK) return status;
    status = env_file_write(file, 0, path, strlen(path), NULL);
    env_file_close(file);
    return status;
}

static enum status put_sstable(struct env *on, const char *directory, uint64_t generation)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < FILES && status == STATUS_OK; i++)
        status = put_file(on, directory, generation, components[i]);
    return status;
}

static enum status add_and_remove(struct transaction_log *log, struct env *on,
                                  const char *directory)
{
    enum status status = STATUS_OK;
    for (uint64_t i = 0; i < NEW && status == STATUS_OK; i++) {
        status = transaction_log_add(log, FIRST_NEW + i, FILES, NULL);
        if (status == STATUS_OK) status = put_sstable(on, directory, FIRST_NEW + i);
    }
    for (uint64_t i = 0; i < OLD && status == STATUS_OK; i++) {
        const struct sstable_name name = sstable_name_of(SSTABLE_NB, 1 + i);
        status = transaction_log_remove(log, &name, NULL);
    }
    return status;
}

// Everything from the n-th operation on does not happen. Returns whether there was one.
static bool run_until(const char *directory, uint64_t n)
{
    ck_assert_int_eq(mkdir(directory, 0755), 0);
    for (uint64_t i = 0; i < OLD; i++) {
        ck_assert_int_eq(put_sstable(env, directory, 1 + i), STATUS_OK);
        // The oldest are as old as they may be: they go first.
        char command[2 * SSTABLE_PATH_SIZE], path[SSTABLE_PATH_SIZE];
        sstable_path(path, directory, 1 + i, SSTABLE_DATA);
        snprintf(command, sizeof command, "touch -d '2024-01-0%d 10:00:00.123' %s", (int)i + 1,
                 path);
        ck_assert_int_eq(system(command), 0);
    }
    struct failing_env failing;
    failing_env_init(&failing, env);
    failing.for_good = true;
    failing.countdown = n;
    struct transaction_log log;
    struct env *on = &failing.base;
    if (transaction_log_begin(&log, on, directory, TRANSACTION_COMPACTION, NULL) == STATUS_OK) {
        enum status status = add_and_remove(&log, on, directory);
        if (status == STATUS_OK) status = transaction_log_commit(&log, NULL);
        if (status == STATUS_OK) {
            (void)!transaction_log_finish(&log, NULL);
        } else {
            transaction_log_leave(&log);
        }
    }
    return failing.has_failed;
}

// ---- Logs that are cut or damaged ---------------------------------------------------------------

static void find_log(void *context, const char *name, bool is_dir)
{
    (void)is_dir;
    if (transaction_log_is_name(name)) snprintf(context, PATH_SIZE, "%s", name);
}

// Whole, and committed: the last operations are those of finish().
static void make_committed(const char *directory, struct buffer *text, char path[2 * PATH_SIZE])
{
    // Adds and removals, each record with its write and sync, then the commit's.
    enum { OPERATIONS = 1 + NEW * (2 + 2 * FILES) + 1 + OLD * (1 + FILES + 2) + 2 };
    ck_assert(run_until(directory, OPERATIONS + 1));
    char name[PATH_SIZE] = "";
    ck_assert_int_eq(env_list_dir(env, directory, find_log, name, NULL), STATUS_OK);
    snprintf(path, 2 * PATH_SIZE, "%s/%s", directory, name);
    ck_assert_int_eq(whole_file_read(env, path, text, NULL), STATUS_OK);
    ck_assert_ptr_nonnull(memmem(text->data, text->size, "\nCOMMIT:", 8));
}

static void rewrite(const char *path, struct slice text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text.data, 1, text.size, file), text.size);
    fclose(file);
}

static void make_cut(const char *directory, size_t left)
{
    char path[2 * PATH_SIZE];
    struct buffer text;
    buffer_init(&text, MIB);
    make_committed(directory, &text, path);
    size_t size = left < text.size ? text.size - 1 - left : 0;
    rewrite(path, slice_make(text.data, size));
    buffer_deinit(&text);
}

static void make_damaged(const char *directory, size_t at)
{
    char path[2 * PATH_SIZE];
    struct buffer text;
    buffer_init(&text, MIB);
    make_committed(directory, &text, path);
    text.data[at % text.size] ^= 1;
    rewrite(path, buffer_slice(&text));
    buffer_deinit(&text);
}

// An old SSTable that is not the one that the log knew: restored, or touched.
static void make_changed(const char *directory, const char *when)
{
    char path[2 * PATH_SIZE], command[4 * PATH_SIZE];
    struct buffer text;
    buffer_init(&text, MIB);
    make_committed(directory, &text, path);
    buffer_deinit(&text);
    snprintf(command, sizeof command, "touch -d '%s' %s/nb-1-big-*", when, directory);
    ck_assert_int_eq(system(command), 0);
}

// Damaged at its end, and something of an old SSTable is missing.
static void make_damaged_and_incomplete(const char *directory)
{
    char path[2 * PATH_SIZE], command[4 * PATH_SIZE];
    struct buffer text;
    buffer_init(&text, MIB);
    make_committed(directory, &text, path);
    rewrite(path, slice_make(text.data, text.size - 5));
    buffer_deinit(&text);
    snprintf(command, sizeof command, "rm %s/nb-2-big-Index.db", directory);
    ck_assert_int_eq(system(command), 0);
}

static void path_of(char path[PATH_SIZE], const char *name, size_t number)
{
    snprintf(path, PATH_SIZE, "%.200s/%s-%03zu", root, name, number);
}

enum { CUTS = 60, CUT_STEP = 9, DAMAGES = 50, DAMAGE_STEP = 17 };

static size_t make_all(void)
{
    char path[PATH_SIZE];
    size_t steps = 0;
    do {
        steps++;
        path_of(path, "step", steps);
    } while (run_until(path, steps));
    for (size_t i = 0; i < CUTS; i++) {
        path_of(path, "cut", i);
        make_cut(path, i * CUT_STEP);
    }
    for (size_t i = 0; i < DAMAGES; i++) {
        path_of(path, "damaged", i);
        make_damaged(path, i * DAMAGE_STEP);
    }
    static const char *const times[] = {"2023-12-31 23:00:00", "2030-01-01 00:00:00"};
    for (size_t i = 0; i < 2; i++) {
        path_of(path, "changed", i);
        make_changed(path, times[i]);
    }
    path_of(path, "incomplete", 0);
    make_damaged_and_incomplete(path);
    return steps;
}

// ---- Tests --------------------------------------------------------------------------------------

struct left {
    size_t logs, old, new;
};

static void count_left(void *context, const char *name, bool is_dir)
{
    struct left *left = context;
    uint64_t generation;
    enum sstable_component component;
    if (is_dir) return;
    if (transaction_log_is_name(name)) left->logs++;
    if (!sstable_parse_name(name, &generation, &component)) return;
    left->old += generation < FIRST_NEW;
    left->new += generation >= FIRST_NEW;
}

static enum status recover(const char *directory, struct left *left)
{
    struct sstable_listing listing;
    struct error error = {0};
    enum status status = sstable_recover_directory(env, directory, &listing, &error);
    if (status == STATUS_OK) free(listing.generations);
    *left = (struct left){0};
    ck_assert_int_eq(env_list_dir(env, directory, count_left, left, NULL), STATUS_OK);
    return status;
}

START_TEST(a_transaction_that_ends_at_any_operation_is_undone_or_finished)
{
    char path[PATH_SIZE];
    struct left left;
    bool has_failed = true, was_committed = false;
    for (size_t n = 1; has_failed; n++) {
        path_of(path, "step", n);
        has_failed = run_until(path, n);
        ck_assert_int_eq(recover(path, &left), STATUS_OK);
        ck_assert_uint_eq(left.logs, 0);
        bool is_committed = left.new > 0;
        ck_assert_msg(is_committed || !was_committed, "operation %zu", n);
        ck_assert_uint_eq(left.new, is_committed ? NEW * FILES : 0);
        ck_assert_uint_eq(left.old, is_committed ? 0 : OLD * FILES);
        was_committed = is_committed;
    }
    ck_assert(was_committed);
}
END_TEST

START_TEST(a_log_that_is_cut_is_not_committed)
{
    char path[PATH_SIZE];
    struct left left;
    for (size_t i = 0; i < CUTS; i++) {
        path_of(path, "cut", i);
        make_cut(path, i * CUT_STEP);
        ck_assert_int_eq(recover(path, &left), STATUS_OK);
        // Without its last newline the record is whole.
        ck_assert_uint_eq(left.old, i == 0 ? 0 : OLD * FILES);
        ck_assert_uint_eq(left.logs, 0);
    }
}
END_TEST

START_TEST(a_log_that_is_damaged_before_its_end_is_refused)
{
    char path[PATH_SIZE];
    struct left left;
    size_t refused = 0;
    for (size_t i = 0; i < DAMAGES; i++) {
        path_of(path, "damaged", i);
        make_damaged(path, i * DAMAGE_STEP);
        enum status status = recover(path, &left);
        ck_assert(status == STATUS_OK || status == STATUS_CORRUPT);
        refused += status == STATUS_CORRUPT;
        // Case does not count in a record's type; the last record may be damaged.
        ck_assert_uint_eq(left.old, status == STATUS_OK && left.new > 0 ? 0 : OLD *FILES);
        ck_assert_uint_eq(left.logs, status == STATUS_CORRUPT);
        if (status == STATUS_CORRUPT) ck_assert_uint_eq(left.new, NEW * FILES);
    }
    ck_assert_uint_gt(refused, DAMAGES / 2);
}
END_TEST

START_TEST(files_that_the_log_did_not_know_are_not_removed)
{
    char path[PATH_SIZE];
    struct left left;
    path_of(path, "changed", 0);
    make_changed(path, "2030-01-01 00:00:00");
    ck_assert_int_eq(recover(path, &left), STATUS_CORRUPT);
    ck_assert_uint_eq(left.old, OLD * FILES);
    path_of(path, "incomplete", 0);
    make_damaged_and_incomplete(path);
    ck_assert_int_eq(recover(path, &left), STATUS_CORRUPT);
    ck_assert_uint_eq(left.new, NEW * FILES);
}
END_TEST

START_TEST(names_of_logs_are_known)
{
    static const char *const names[] = {"nb_txn_compaction_1.log", "txn_flush_1.log",
                                        "me_txn_a_b.log", "big-nb_txn_stream_x.log"};
    static const char *const others[] = {
        "nb_txn_compaction.log", "nb-txn_a_b.log",  "n_txn_a_b.log",   "nb_txn_a_b.lo",
        "BIG-nb_txn_a_b.log",    "nb_txn_a_b.log2", "-nb_txn_a_b.log", "x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(transaction_log_is_name(names[i]), "%s", names[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(!transaction_log_is_name(others[i]), "%s", others[i]);
}
END_TEST

// ---- For the interop test -----------------------------------------------------------------------

static void print_recovered(void *context, const char *name, bool is_dir)
{
    (void)context;
    char path[2 * PATH_SIZE];
    struct left left;
    if (!is_dir) return;
    snprintf(path, sizeof path, "%s/%s", root, name);
    printf("%s %s\n", name, recover(path, &left) == STATUS_OK ? "true" : "false");
}

static const char *interop_root(void)
{
    const char *make = getenv("HELENUS_TRANSACTIONS");
    return make != NULL ? make : getenv("HELENUS_RECOVER");
}

START_TEST(the_directories_for_cassandra_are_made_or_recovered)
{
    if (interop_root() == NULL) return;
    char own[PATH_SIZE];
    memcpy(own, root, sizeof root);
    snprintf(root, sizeof root, "%s", interop_root());
    if (getenv("HELENUS_TRANSACTIONS") != NULL) {
        printf("%zu steps\n", make_all());
    } else {
        ck_assert_int_eq(env_list_dir(env, root, print_recovered, NULL, NULL), STATUS_OK);
    }
    fflush(stdout);
    memcpy(root, own, sizeof root);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("transaction_log");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_transaction_that_ends_at_any_operation_is_undone_or_finished);
    tcase_add_test(tcase, a_log_that_is_cut_is_not_committed);
    tcase_add_test(tcase, a_log_that_is_damaged_before_its_end_is_refused);
    tcase_add_test(tcase, files_that_the_log_did_not_know_are_not_removed);
    tcase_add_test(tcase, names_of_logs_are_known);
    tcase_add_test(tcase, the_directories_for_cassandra_are_made_or_recovered);
    Suite *suite = suite_create("sstable_transaction_log");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
