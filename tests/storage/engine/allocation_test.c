// The n-th allocation of an engine fails, for each n of a life with writes, increments, a flush, a
// compaction, reads and a clean stop: the process dies and says where, and what it had acknowledged
// is there at the next start. HELENUS_SWEEP=1 tries each n; else some hundred of them.
//
// The linker lets malloc and its like come through here (CMakeLists.txt).
#include "base/limits.h"
#include "storage/merge/live_rows.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEYS = 30, SAMPLES = 150, NOW_S = 1000 };

// ---- Allocations --------------------------------------------------------------------------------

static atomic_long countdown; // 0: none fails.
static atomic_long counted;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool fails(void)
{
    (void)atomic_fetch_add(&counted, 1);
    return atomic_load(&countdown) > 0 && atomic_fetch_sub(&countdown, 1) == 1;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

// ---- A life -------------------------------------------------------------------------------------

struct life {
    const struct table *table, *counters;
    struct schema *schema;
    struct engine *engine;
    struct arena arena;
    int acknowledged; // A pipe: a byte for each round that is.
};

static void open_engine(struct life *life)
{
    life->table = engine_fixture_table("t", false);
    life->counters = engine_fixture_counter_table("n");
    life->schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(life->schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    ck_assert_int_eq(schema_put_table(life->schema, life->table), STATUS_OK);
    ck_assert_int_eq(schema_put_table(life->schema, life->counters), STATUS_OK);
    arena_init(&life->arena, 16 * KIB);
    struct error error = {0};
    struct engine_options options = {.directory = engine_fixture_directory()};
    enum status status =
        engine_open(engine_fixture_env(), &options, life->schema, &life->engine, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

static struct slice text_of(struct life *life, char letter, int number)
{
    return slice_of_text(arena_format(&life->arena, "%c%d", letter, number));
}

static void write_round(struct life *life, int round, uint64_t *position)
{
    struct slice place = text_of(life, 'c', round);
    struct clustering clustering = {1, &place};
    for (int key = 0; key < KEYS; key++) {
        struct cell cell = {.column = table_find_column(life->table, slice_of_text("a"))->index,
                            .local_time = LOCAL_TIME_NONE,
                            .timestamp = 1 + round,
                            .value = slice_of_text("value")};
        struct row row = {.clustering = clustering,
                          .liveness = LIVENESS_NONE,
                          .deletion = DELETION_NONE,
                          .cell_count = 1,
                          .cells = &cell};
        struct mutation mutation = {.table = life->table,
                                    .key = partition_key_make(text_of(life, 'k', key)),
                                    .deletion = DELETION_NONE,
                                    .rows = &row,
                                    .row_count = 1};
        ck_assert_int_eq(engine_apply(life->engine, &mutation, position), STATUS_OK);
    }
    struct slice first = slice_of_text("c");
    clustering.values = &first;
    struct counter_increment increment = {
        .clustering = &clustering,
        .column = table_find_column(life->counters, slice_of_text("n"))->index,
        .delta = 1};
    struct counter_update update = {.table = life->counters,
                                    .key = partition_key_make(slice_of_text("k")),
                                    .increments = &increment,
                                    .increment_count = 1,
                                    .timestamp_us = 1 + round};
    struct read_pins pins;
    read_pins_init(&pins);
    enum status status;
    while ((status = engine_increment(life->engine, &update, &pins, &life->arena, NULL,
                                      position)) == STATUS_WOULD_BLOCK)
        engine_fixture_load(life->engine, &pins);
    ck_assert_int_eq(status, STATUS_OK);
    read_pins_release(&pins);
}

// How many rows of all keys there are.
static size_t count_rows(struct life *life)
{
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, false, true};
    struct scan_range all = SCAN_RANGE_ALL;
    struct read_pins pins;
    read_pins_init(&pins);
    for (;;) {
        size_t count = 0;
        struct scan_iterator *scan;
        uint64_t position = 0;
        enum status status = engine_scan(life->engine, life->table, &all, &filter, &pins,
                                         &life->arena, &scan, &position);
        struct partition_iterator *partition;
        while (status == STATUS_OK &&
               (status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
            struct live_rows rows;
            const struct live_row *row;
            live_rows_init(&rows, partition, NOW_S, &life->arena);
            while ((status = live_rows_next(&rows, &row)) == STATUS_OK)
                count++;
            live_rows_deinit(&rows);
            if (status == STATUS_END) status = STATUS_OK;
        }
        scan_iterator_close(scan);
        if (status == STATUS_END) {
            read_pins_release(&pins);
            return count;
        }
        ck_assert_int_eq(status, STATUS_WOULD_BLOCK);
        engine_fixture_load(life->engine, &pins);
    }
}

static void live(struct life *life)
{
    open_engine(life);
    for (int round = 0; round < 4; round++) {
        uint64_t position = 0;
        write_round(life, round, &position);
        engine_fixture_wait_synced(life->engine, position);
        char byte = 'a';
        ck_assert_int_eq((int)write(life->acknowledged, &byte, 1), 1);
        if (round < 3) engine_fixture_flush(life->engine);
    }
    engine_fixture_compact(life->engine, life->table->id);
    ck_assert_uint_eq(count_rows(life), 4 * KEYS);
    engine_fixture_close(life->engine);
}

// ---- Its end ------------------------------------------------------------------------------------

// The child's exit: 0, or what its parent finds in waitpid().
static int run_child(long n, const char *words_path, int pipe_end, long *allocations)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int words = open(words_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        (void)dup2(words, STDERR_FILENO);
        struct life life = {.acknowledged = pipe_end};
        engine_fixture_make_env();
        atomic_store(&counted, 0);
        atomic_store(&countdown, n);
        live(&life);
        long count = atomic_load(&counted);
        (void)!write(pipe_end, &count, n == 0 ? sizeof count : 0);
        _exit(0);
    }
    (void)allocations;
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void check_words(const char *path, long n, int status)
{
    char text[4096] = "";
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    (void)!fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    if (strstr(text, "check_error.c") != NULL) return; // The allocation was of the test's own.
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
                  "allocation %ld: the process ended with %#x: %s", n, (unsigned)status, text);
    // file.c:line and what did not hold.
    ck_assert_msg(strstr(text, ".c:") != NULL, "allocation %ld: it died with '%s'", n, text);
}

static size_t read_all(int end, char *bytes, size_t size)
{
    size_t count = 0;
    for (ssize_t n; (n = read(end, bytes + count, size - count)) > 0;)
        count += (size_t)n;
    return count;
}

static void fail_allocation(long n, long *allocations, unsigned *died)
{
    int pipe_ends[2];
    char words[300], said[64];
    engine_fixture_make_directory();
    (void)snprintf(words, sizeof words, "%s.words", engine_fixture_directory());
    ck_assert_int_eq(pipe(pipe_ends), 0);
    int status = run_child(n, words, pipe_ends[1], allocations);
    (void)close(pipe_ends[1]);
    size_t rounds = read_all(pipe_ends[0], said, sizeof said);
    (void)close(pipe_ends[0]);
    if (n == 0) {
        ck_assert_int_eq(status, 0);
        rounds -= sizeof *allocations;
        memcpy(allocations, said + rounds, sizeof *allocations);
    } else if (status != 0) {
        check_words(words, n, status);
        (*died)++;
    }
    struct life life = {0};
    engine_fixture_make_env();
    open_engine(&life);
    size_t rows = count_rows(&life);
    ck_assert_msg(rows >= rounds * KEYS && rows <= 4 * KEYS,
                  "allocation %ld: %zu rounds were acknowledged, %zu rows are there", n, rounds,
                  rows);
    engine_fixture_close(life.engine);
    schema_destroy(life.schema);
    table_unref(life.table);
    table_unref(life.counters);
    arena_deinit(&life.arena);
    (void)unlink(words);
    engine_fixture_teardown();
}

START_TEST(a_failed_allocation_ends_the_process_and_loses_nothing)
{
    long allocations = 0;
    unsigned died = 0, tried = 0;
    fail_allocation(0, &allocations, &died);
    ck_assert_int_gt(allocations, 200);
    long step =
        getenv("HELENUS_SWEEP") != NULL || allocations < SAMPLES ? 1 : allocations / SAMPLES;
    for (long n = 1; n <= allocations; n += step) {
        fail_allocation(n, &allocations, &died);
        tried++;
    }
    printf("%u of %ld allocations failed, %u processes died\n", tried, allocations, died);
    ck_assert_uint_gt(died, tried / 2);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("allocation");
    tcase_add_test(tcase, a_failed_allocation_ends_the_process_and_loses_nothing);
    tcase_set_timeout(tcase, 600);
    Suite *suite = suite_create("allocation");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
