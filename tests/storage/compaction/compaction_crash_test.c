// A compaction that is killed, loses power or meets a failure at each of its I/O steps: after a
// recovery there are the inputs or the outputs, whole, with the same rows; nothing else is left.
#include "base/container_of.h"
#include "base/env_sim.h"
#include "base/limits.h"
#include "storage/compaction/compaction_task.h"
#include "storage/merge/merge.h"
#include "storage/sstable/format.h"
#include "tests/storage/support/failing_env.h"
#include "tests/storage/support/memory_source.h"
#include "tests/storage/support/partition_text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRECTORY "/t"

enum { INPUTS = 2, KEYS = 6, ROWS = 3, FIRST_OUTPUT = 10 };

struct fixture {
    struct sim_world *world;
    struct sim_machine *machine;
    struct env *env;
};

static struct arena arena;
static const struct table *table;
static struct buffer expected; // What the inputs' merge is.

// ---- The world ----------------------------------------------------------------------------------

static void died(void *context, struct env *env)
{
    struct fixture *fixture = context;
    sim_process_destroy(env);
    fixture->env = NULL;
}

static void start(struct fixture *fixture)
{
    fixture->env = sim_process_start(fixture->machine, "process", died, fixture);
}

static void begin(struct fixture *fixture, uint64_t seed)
{
    struct sim_options options = {.seed = seed};
    options.chances[SIM_FAULT_LOST_PAGE] = 0.5;
    options.chances[SIM_FAULT_LOST_NAME] = 0.5;
    options.chances[SIM_FAULT_TORN_PAGE] = 0.3;
    options.chances[SIM_FAULT_SIZE_BEFORE_DATA] = 0.3;
    fixture->world = sim_world_create(&options);
    fixture->machine = sim_machine_create(fixture->world, "machine");
    start(fixture);
    ck_assert_int_eq(env_make_dir(fixture->env, DIRECTORY, NULL), STATUS_OK);
}

static void restart(struct fixture *fixture)
{
    if (fixture->env != NULL && sim_process_is_alive(fixture->env)) sim_process_crash(fixture->env);
    while (fixture->env != NULL)
        ck_assert(sim_world_step(fixture->world));
    start(fixture);
}

static void end(struct fixture *fixture)
{
    sim_process_destroy(fixture->env);
    sim_world_destroy(fixture->world);
}

// ---- The table ----------------------------------------------------------------------------------

static void setup(void)
{
    arena_init(&arena, 64 * KIB);
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    const struct type *number = type_of_kind(TYPE_INT);
    table_builder_add_column(builder, slice_of_text("k"), number, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), number, COLUMN_CLUSTERING, false);
    table_builder_add_column(builder, slice_of_text("v"), number, COLUMN_REGULAR, false);
    table = table_builder_finish(builder);
    buffer_init(&expected, GIB);
}

static void teardown(void)
{
    buffer_deinit(&expected);
    table_unref(table);
    arena_deinit(&arena);
}

static struct slice number_of(int number)
{
    uint8_t *bytes = arena_alloc(&arena, 4);
    bytes_put_u32(bytes, (uint32_t)number);
    return slice_make(bytes, 4);
}

static struct unfiltered make_row(int input, int key, int place)
{
    struct slice *values = ARENA_NEW(&arena, struct slice);
    struct cell *cell = ARENA_NEW(&arena, struct cell);
    struct row *row = ARENA_NEW(&arena, struct row);
    *values = number_of(place + input);
    *cell = (struct cell){.local_time = LOCAL_TIME_NONE,
                          .timestamp = 1000 + input,
                          .value = number_of(key * 100 + place * 10 + input)};
    *row = (struct row){.clustering = {1, values},
                        .liveness = {1000 + input, TTL_NONE, LOCAL_TIME_NONE},
                        .deletion = DELETION_NONE,
                        .cell_count = 1,
                        .cells = cell};
    return (struct unfiltered){.is_marker = false, .row = row};
}

// Keys of the inputs overlap, as do rows of one key.
static void write_input(struct env *env, int input)
{
    struct memory_partition partitions[KEYS];
    for (int key = 0; key < KEYS; key++) {
        struct unfiltered *rows = ARENA_NEW_ARRAY(&arena, struct unfiltered, ROWS);
        for (int place = 0; place < ROWS; place++)
            rows[place] = make_row(input, key, place);
        partitions[key] =
            (struct memory_partition){.key = partition_key_make(number_of(key + 3 * input)),
                                      .deletion = DELETION_NONE,
                                      .unfiltereds = rows,
                                      .unfiltered_count = ROWS};
    }
    struct memory_source source;
    struct sstable_content content;
    memory_source_init(&source, table, partitions, KEYS);
    ck_assert_int_eq(sstable_content_gather(&source.base, &content), STATUS_OK);
    memory_source_init(&source, table, partitions, KEYS);
    struct sstable_write_options options = {.directory = DIRECTORY,
                                            .generation = 1 + (uint64_t)input,
                                            .table = table,
                                            .content = &content};
    struct sstable_summary written;
    ck_assert_int_eq(sstable_write(env, &options, &source.base, &written, NULL), STATUS_OK);
}

static void open_all(struct env *env, const uint64_t *generations, size_t count,
                     struct sstable_reader **readers)
{
    struct error error = {0};
    for (size_t i = 0; i < count; i++) {
        enum status status =
            sstable_open(env, DIRECTORY, generations[i], table, NULL, &readers[i], &error);
        ck_assert_msg(status == STATUS_OK, "%s", error.text);
    }
}

static void put_rows(struct env *env, const uint64_t *generations, size_t count,
                     struct buffer *text)
{
    struct arena scans_arena;
    arena_init(&scans_arena, 4 * KIB);
    struct sstable_reader *readers[32];
    struct scan_iterator *scans[32];
    struct error error = {0};
    ck_assert_uint_le(count, 32);
    open_all(env, generations, count, readers);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(sstable_scan_apart(readers[i], table, &scans_arena, &scans[i], &error),
                         STATUS_OK);
    struct scan_iterator *merged = merge_scans(scans, count, false, &scans_arena);
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(merged, &partition)) == STATUS_OK) {
        partition_text_put(text, partition, false);
        partition_iterator_close(partition);
    }
    ck_assert_msg(status == STATUS_END, "%s", error.text);
    scan_iterator_close(merged);
    for (size_t i = 0; i < count; i++)
        sstable_unref(readers[i]);
    arena_deinit(&scans_arena);
}

static const uint64_t input_generations[INPUTS] = {1, 2};

// The TOC of a real SSTable is its newest file: here by so much that a transaction's log, whose
// times are compared by the second, tells it from the others.
static void write_inputs(struct fixture *fixture)
{
    for (int i = 0; i < INPUTS; i++) {
        write_input(fixture->env, i);
        char path[SSTABLE_PATH_SIZE];
        sstable_path(path, DIRECTORY, input_generations[i], SSTABLE_TOC);
        sim_machine_jump_clock(fixture->machine, 7000000);
        struct env_file *file;
        ck_assert_int_eq(env_file_open(fixture->env, path, ENV_OPEN_WRITE, &file, NULL), STATUS_OK);
        ck_assert_int_eq(env_file_write(file, 0, "Data.db", 7, NULL), STATUS_OK);
        env_file_close(file);
    }
    sim_machine_sync(fixture->machine);
    if (expected.size == 0) put_rows(fixture->env, input_generations, INPUTS, &expected);
}

// ---- A compaction -------------------------------------------------------------------------------

enum outcome { GIVEN_UP, UNDECIDED, COMMITTED };

// Outputs are small, so that there are several.
static enum outcome compact(struct env *env, struct sstable_reader **readers)
{
    struct compaction_task_options options = {
        .directory = DIRECTORY,
        .table = table,
        .inputs = readers,
        .input_count = INPUTS,
        .purge = {.gc_before = INT32_MIN, .memory_min_timestamp = INT64_MAX},
        .output_size_max = 1,
        .generation = FIRST_OUTPUT,
        .generation_step = 1,
    };
    struct compaction_task *task = compaction_task_create(env, &options);
    struct error error;
    enum status status;
    enum outcome outcome = GIVEN_UP;
    while ((status = compaction_task_step(task, 100, &error)) == STATUS_OK) {
    }
    if (status == STATUS_END) {
        if (compaction_task_commit(task, &error) == STATUS_OK) {
            outcome = COMMITTED;
            compaction_task_remove_inputs(task);
        } else if (compaction_task_is_undecided(task)) {
            outcome = UNDECIDED;
        }
    }
    compaction_task_destroy(task);
    return outcome;
}

static void note_name(void *context, const char *name, bool is_dir)
{
    (void)is_dir;
    uint64_t generation;
    enum sstable_component component;
    ck_assert_msg(sstable_parse_name(name, &generation, &component), "%s is left", name);
    *(uint64_t *)context += generation;
}

// Recovers, and says whether the outputs are there.
static bool check_recovered(struct env *env, const char *when)
{
    struct error error = {0};
    struct sstable_listing listing;
    enum status status = sstable_recover_directory(env, DIRECTORY, &listing, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", when, error.text);
    ck_assert_msg(listing.count > 0, "%s: nothing is left", when);
    bool has_inputs = false, has_outputs = false;
    for (size_t i = 0; i < listing.count; i++) {
        has_inputs |= listing.generations[i] < FIRST_OUTPUT;
        has_outputs |= listing.generations[i] >= FIRST_OUTPUT;
    }
    ck_assert_msg(has_inputs != has_outputs, "%s: inputs and outputs", when);
    struct buffer text;
    buffer_init(&text, GIB);
    put_rows(env, listing.generations, listing.count, &text);
    ck_assert_msg(slice_equals(buffer_slice(&text), buffer_slice(&expected)),
                  "%s: other rows, of %s", when, has_inputs ? "inputs" : "outputs");
    buffer_deinit(&text);
    uint64_t sum = 0;
    ck_assert_int_eq(env_list_dir(env, DIRECTORY, note_name, &sum, NULL), STATUS_OK);
    free(listing.generations);
    return has_outputs;
}

// ---- Crashes ------------------------------------------------------------------------------------

START_TEST(a_crash_at_each_step_leaves_the_inputs_or_the_outputs)
{
    const bool power = _i > 0;
    bool seen_inputs = false, seen_outputs = false, was_killed = true;
    uint64_t step;
    for (step = 1; was_killed; step++) {
        struct fixture fixture;
        char when[64];
        snprintf(when, sizeof when, "%s at step %d, seed %d", power ? "power loss" : "kill",
                 (int)step, _i);
        begin(&fixture, (uint64_t)_i * 1000 + step);
        write_inputs(&fixture);
        struct sstable_reader *readers[INPUTS];
        open_all(fixture.env, input_generations, INPUTS, readers);
        sim_process_crash_at(fixture.env, step, power);
        enum outcome outcome = compact(fixture.env, readers);
        for (int i = 0; i < INPUTS; i++)
            sstable_unref(readers[i]);
        was_killed = !sim_process_is_alive(fixture.env);
        restart(&fixture);
        bool has_outputs = check_recovered(fixture.env, when);
        ck_assert_msg(has_outputs || outcome != COMMITTED, "%s: a commit was lost", when);
        ck_assert_msg(!has_outputs || outcome != GIVEN_UP || was_killed, "%s: wrong", when);
        seen_inputs |= !has_outputs;
        seen_outputs |= has_outputs && was_killed;
        // What was recovered stays so, whatever happens next.
        if (power) sim_machine_crash(fixture.machine);
        restart(&fixture);
        ck_assert_msg(check_recovered(fixture.env, when) == has_outputs, "%s: changed", when);
        end(&fixture);
    }
    ck_assert(seen_inputs && seen_outputs);
    ck_assert_uint_gt(step, 50);
}
END_TEST

START_TEST(a_crash_at_each_step_of_the_recovery_leaves_the_same)
{
    enum { COMPACTION_STEPS = 400 };
    for (uint64_t step = 1 + (uint64_t)_i; step < COMPACTION_STEPS; step += 7) {
        bool was_killed = true;
        for (uint64_t recovery_step = 1; was_killed; recovery_step++) {
            struct fixture fixture;
            begin(&fixture, 1000 * step + recovery_step);
            write_inputs(&fixture);
            struct sstable_reader *readers[INPUTS];
            open_all(fixture.env, input_generations, INPUTS, readers);
            sim_process_crash_at(fixture.env, step, _i % 2 == 0);
            enum outcome outcome = compact(fixture.env, readers);
            for (int i = 0; i < INPUTS; i++)
                sstable_unref(readers[i]);
            restart(&fixture);
            sim_process_crash_at(fixture.env, recovery_step, true);
            struct sstable_listing listing;
            if (sstable_recover_directory(fixture.env, DIRECTORY, &listing, NULL) == STATUS_OK)
                free(listing.generations);
            was_killed = !sim_process_is_alive(fixture.env);
            restart(&fixture);
            char when[64];
            snprintf(when, sizeof when, "step %d, then %d", (int)step, (int)recovery_step);
            bool has_outputs = check_recovered(fixture.env, when);
            ck_assert_msg(has_outputs || outcome != COMMITTED, "%s: a commit was lost", when);
            end(&fixture);
        }
    }
}
END_TEST

// ---- Failures -----------------------------------------------------------------------------------

static const struct failure_mode {
    enum status status;
    bool reads, for_good;
    unsigned failures_min;
    bool may_be_undecided;
} failure_modes[] = {
    {STATUS_IO, false, false, 50, false},
    {STATUS_NO_SPACE, false, false, 50, false},
    // What the log says last fails, and so does its withdrawal.
    {STATUS_IO, false, true, 45, true},
    {STATUS_IO, true, false, 4, false},
};
enum { FAILURE_MODES = sizeof failure_modes / sizeof *failure_modes };

// With the files as they are when it has failed: before any restart.
START_TEST(a_failure_at_each_operation_leaves_the_inputs_or_the_outputs)
{
    const struct failure_mode *mode = &failure_modes[_i];
    bool has_failed = true;
    unsigned outcomes[3] = {0};
    for (uint64_t n = 1; has_failed; n++) {
        struct fixture fixture;
        char when[64];
        snprintf(when, sizeof when, "failure at operation %d", (int)n);
        begin(&fixture, n);
        write_inputs(&fixture);
        struct failing_env failing;
        failing_env_init(&failing, fixture.env);
        struct sstable_reader *readers[INPUTS];
        open_all(&failing.base, input_generations, INPUTS, readers);
        failing.status = mode->status;
        failing.reads_only = mode->reads;
        failing.for_good = mode->for_good;
        failing.countdown = n;
        enum outcome outcome = compact(&failing.base, readers);
        has_failed = failing.has_failed;
        for (int i = 0; i < INPUTS; i++)
            sstable_unref(readers[i]);
        outcomes[outcome]++;
        bool has_outputs = check_recovered(fixture.env, when);
        ck_assert_msg(outcome == UNDECIDED || has_outputs == (outcome == COMMITTED),
                      "%s: outcome %d", when, (int)outcome);
        end(&fixture);
    }
    ck_assert_uint_ge(outcomes[GIVEN_UP], mode->failures_min);
    ck_assert_uint_gt(outcomes[COMMITTED], 0);
    ck_assert_int_eq(outcomes[UNDECIDED] > 0, mode->may_be_undecided);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("compaction_crash");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_crash_at_each_step_leaves_the_inputs_or_the_outputs, 0, 8);
    tcase_add_loop_test(tcase, a_crash_at_each_step_of_the_recovery_leaves_the_same, 0, 4);
    tcase_add_loop_test(tcase, a_failure_at_each_operation_leaves_the_inputs_or_the_outputs, 0,
                        FAILURE_MODES);

    Suite *suite = suite_create("compaction_crash");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
