// Snapshots and back-ups that meet a power loss: what was said to be made is there, what was said
// to be removed is not, and one with a manifest.json is whole at any time.
#include "base/limits.h"
#include "storage/engine/snapshot_directory.h"
#include "storage/sstable/directory.h"
#include "storage/whole_file.h"
#include "tests/storage/support/sim_engine.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { SEEDS = 8, SSTABLES_MAX = 8 };

struct fixture {
    struct sim_engine sim;
    struct sstable_name names[SSTABLES_MAX];
    size_t count;
    char directory[512]; // The table's,
    char tag[1024];      // and that of the snapshot "s".
    struct snapshot_source source;
};

static void add_sstable(void *context, const char *name, bool is_dir)
{
    struct fixture *fixture = context;
    struct sstable_name parsed;
    enum sstable_component component;
    if (is_dir || sstable_name_parse(name, &parsed, &component, NULL) != STATUS_OK ||
        component != SSTABLE_DATA)
        return;
    ck_assert_uint_lt(fixture->count, SSTABLES_MAX);
    fixture->names[fixture->count++] = parsed;
}

static void begin(struct fixture *fixture, uint64_t seed, double chance)
{
    struct sim_engine *sim = &fixture->sim;
    fixture->count = 0;
    sim_engine_init(sim, seed, "/d");
    sim_engine_fill(sim);
    sim_world_set_chance(sim->world, SIM_FAULT_LOST_PAGE, chance);
    sim_world_set_chance(sim->world, SIM_FAULT_LOST_NAME, chance);
    (void)snprintf(fixture->directory, sizeof fixture->directory, "%s",
                   sim_engine_table_directory(sim, SIM_TABLE));
    (void)snprintf(fixture->tag, sizeof fixture->tag, "%s/snapshots/s", fixture->directory);
    ck_assert_int_eq(env_list_dir(sim->env, fixture->directory, add_sstable, fixture, NULL),
                     STATUS_OK);
    ck_assert_uint_gt(fixture->count, 1);
    fixture->source = (struct snapshot_source){sim->tables[SIM_TABLE], fixture->directory,
                                               fixture->names, fixture->count};
}

static void restart(struct fixture *fixture, bool power)
{
    sim_engine_kill(&fixture->sim, power);
    sim_engine_start(&fixture->sim);
}

static enum status make(struct fixture *fixture)
{
    const struct snapshot_times times = {.created_ms = 1700000000000};
    return snapshot_directory_make(fixture->sim.env, &fixture->source, "s", times, NULL);
}

static enum status back_up(struct fixture *fixture)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < fixture->count && status == STATUS_OK; i++)
        status = snapshot_directory_back_up(fixture->sim.env, fixture->directory,
                                            &fixture->names[i], NULL);
    return status;
}

static bool is_there(struct fixture *fixture, const char *path)
{
    bool exists, is_dir;
    ck_assert_int_eq(env_path_exists(fixture->sim.env, path, &exists, &is_dir, NULL), STATUS_OK);
    return exists;
}

static bool is_temporary(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".tmp") == 0;
}

// All names of a directory, and what is in the files; but not the former name of a file that was
// renamed, which a power loss may bring back beside the new one.
static void put_directory(struct fixture *fixture, const char *directory, struct buffer *text)
{
    struct directory_names names;
    struct env *env = fixture->sim.env;
    buffer_clear(text);
    ck_assert_int_eq(directory_names_list(&names, env, directory, NULL), STATUS_OK);
    for (const char *name = NULL; (name = directory_names_next(&names, name)) != NULL;) {
        char path[2048];
        if (is_temporary(name)) continue;
        (void)snprintf(path, sizeof path, "%s/%s", directory, name);
        buffer_put_format(text, "%s\n", name);
        ck_assert_int_eq(whole_file_read(env, path, text, NULL), STATUS_OK);
    }
    directory_names_deinit(&names);
}

// ---- What was said to be there ------------------------------------------------------------------

static void check_it_stays(struct fixture *fixture, const char *directory)
{
    struct buffer before, after;
    buffer_init(&before, MIB);
    buffer_init(&after, MIB);
    put_directory(fixture, directory, &before);
    restart(fixture, true);
    ck_assert_msg(is_there(fixture, directory), "%s is gone", directory);
    put_directory(fixture, directory, &after);
    ck_assert_uint_eq(after.size, before.size);
    ck_assert_mem_eq(after.data, before.data, before.size);
    buffer_deinit(&before);
    buffer_deinit(&after);
}

START_TEST(a_snapshot_that_was_made_survives_a_power_loss)
{
    struct fixture fixture;
    begin(&fixture, 1, 1);
    const bool is_second = _i == 1;
    if (is_second) {
        // Whoever made snapshots/ died before it was durable.
        sim_process_crash_at_sync_dir(fixture.sim.env, 1, false);
        ck_assert_int_ne(make(&fixture), STATUS_OK);
        restart(&fixture, false);
    }
    ck_assert_int_eq(make(&fixture), STATUS_OK);
    check_it_stays(&fixture, fixture.tag);
    sim_engine_deinit(&fixture.sim);
}
END_TEST

START_TEST(a_back_up_that_was_made_survives_a_power_loss)
{
    struct fixture fixture;
    begin(&fixture, 1, 1);
    ck_assert_int_eq(back_up(&fixture), STATUS_OK);
    char backups[1024];
    (void)snprintf(backups, sizeof backups, "%s/backups", fixture.directory);
    check_it_stays(&fixture, backups);
    sim_engine_deinit(&fixture.sim);
}
END_TEST

START_TEST(a_snapshot_that_was_removed_does_not_come_back)
{
    struct fixture fixture;
    begin(&fixture, 1, 1);
    ck_assert_int_eq(make(&fixture), STATUS_OK);
    sim_machine_sync(fixture.sim.machine);
    ck_assert_int_eq(snapshot_directory_remove(fixture.sim.env, fixture.directory, "s", NULL),
                     STATUS_OK);
    restart(&fixture, true);
    ck_assert(!is_there(&fixture, fixture.tag));
    ck_assert_int_eq(make(&fixture), STATUS_OK);
    sim_engine_deinit(&fixture.sim);
}
END_TEST

// ---- At any step --------------------------------------------------------------------------------

static void check_half(struct fixture *fixture, const struct buffer *whole, uint64_t step)
{
    char manifest[2048];
    (void)snprintf(manifest, sizeof manifest, "%s/manifest.json", fixture->tag);
    if (is_there(fixture, manifest)) {
        struct buffer left;
        buffer_init(&left, MIB);
        put_directory(fixture, fixture->tag, &left);
        ck_assert_msg(slice_equals(buffer_slice(&left), buffer_slice(whole)),
                      "step %d: there is a manifest.json without some of its files", (int)step);
        buffer_deinit(&left);
    }
    // Whatever is left, it can be removed.
    ck_assert_int_eq(snapshot_directory_remove(fixture->sim.env, fixture->directory, "s", NULL),
                     STATUS_OK);
    ck_assert(!is_there(fixture, fixture->tag));
    sim_machine_sync(fixture->sim.machine);
}

// The power goes at its n-th step, for each n that it has.
static void interrupt(uint64_t seed, bool removes)
{
    struct fixture fixture;
    struct buffer whole;
    uint64_t step = 0;
    bool was_killed = true;
    begin(&fixture, seed, 0.5);
    buffer_init(&whole, MIB);
    ck_assert_int_eq(make(&fixture), STATUS_OK);
    put_directory(&fixture, fixture.tag, &whole);
    ck_assert_int_eq(snapshot_directory_remove(fixture.sim.env, fixture.directory, "s", NULL),
                     STATUS_OK);
    while (was_killed) {
        struct env *env = fixture.sim.env;
        if (removes) ck_assert_int_eq(make(&fixture), STATUS_OK);
        sim_machine_sync(fixture.sim.machine);
        sim_process_crash_at(env, ++step, true);
        enum status status =
            removes ? snapshot_directory_remove(env, fixture.directory, "s", NULL) : make(&fixture);
        was_killed = !sim_process_is_alive(env);
        ck_assert_int_eq(status == STATUS_OK, !was_killed);
        restart(&fixture, true);
        check_half(&fixture, &whole, step);
    }
    ck_assert_uint_gt(step, 10);
    buffer_deinit(&whole);
    sim_engine_deinit(&fixture.sim);
}

START_TEST(a_snapshot_with_a_manifest_is_whole_while_it_is_made)
{
    interrupt((uint64_t)_i, false);
}
END_TEST

START_TEST(a_snapshot_with_a_manifest_is_whole_while_it_is_removed)
{
    interrupt((uint64_t)_i, true);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("snapshots");
    tcase_add_loop_test(tests, a_snapshot_that_was_made_survives_a_power_loss, 0, 2);
    tcase_add_test(tests, a_back_up_that_was_made_survives_a_power_loss);
    tcase_add_test(tests, a_snapshot_that_was_removed_does_not_come_back);
    tcase_add_loop_test(tests, a_snapshot_with_a_manifest_is_whole_while_it_is_made, 0, SEEDS);
    tcase_add_loop_test(tests, a_snapshot_with_a_manifest_is_whole_while_it_is_removed, 0, SEEDS);
    Suite *suite = suite_create("snapshot_sync");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
