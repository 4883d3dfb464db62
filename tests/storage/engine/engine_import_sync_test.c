// What an import has taken in is there after a power loss: whoever wrote the files need not have
// synced them, and whoever ordered the import may now throw his own away.
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "storage/engine/engine_import.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/statistics_change.h"
#include "tests/storage/support/sim_engine.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOREIGN "/foreign"

enum way { LINKED, COPIED, WITH_A_LEVEL, WAYS };

struct importing {
    bool done;
    enum status status;
    size_t imported_count;
    struct engine_import import;
};

struct names {
    char all[64][64];
    size_t count;
};

static void add_name(void *context, const char *name, bool is_dir)
{
    struct names *names = context;
    if (is_dir || strstr(name, "-big-") == NULL) return;
    ck_assert_uint_lt(names->count, 64);
    (void)snprintf(names->all[names->count++], 64, "%s", name);
}

// As another program would write it that syncs nothing.
static void write_file(struct sim_engine *sim, const char *path, struct slice bytes)
{
    struct env_file *file;
    ck_assert_int_eq(env_file_open(sim->env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, NULL),
                     STATUS_OK);
    ck_assert_int_eq(env_file_write(file, 0, bytes.data, bytes.size, NULL), STATUS_OK);
    env_file_close(file);
}

static void copy_files(struct sim_engine *sim, bool has_level)
{
    char directory[1024], path[1200];
    struct names names = {.count = 0};
    (void)snprintf(directory, sizeof directory, "%s", sim_engine_table_directory(sim, SIM_TABLE));
    ck_assert_int_eq(env_list_dir(sim->env, directory, add_name, &names, NULL), STATUS_OK);
    ck_assert_uint_gt(names.count, 8);
    ck_assert_int_eq(env_make_dir(sim->env, FOREIGN, NULL), STATUS_OK);
    for (size_t i = 0; i < names.count; i++) {
        struct slice bytes;
        (void)snprintf(path, sizeof path, "%s/%s", directory, names.all[i]);
        ck_assert_int_eq(file_reader_read_file(sim->env, path, MIB, &bytes, NULL), STATUS_OK);
        uint8_t *memory = (uint8_t *)(uintptr_t)bytes.data;
        if (has_level && strstr(names.all[i], "Statistics") != NULL)
            ck_assert_int_eq(statistics_change(memory, bytes.size, SSTABLE_NB, 3, 0, NULL),
                             STATUS_OK);
        (void)snprintf(path, sizeof path, FOREIGN "/%s", names.all[i]);
        write_file(sim, path, bytes);
        free(memory);
    }
}

static void imported(struct engine_import *import, enum status status, const struct error *error)
{
    struct importing *importing = CONTAINER_OF(import, struct importing, import);
    (void)error;
    importing->done = true;
    importing->status = status;
    importing->imported_count = import->imported_count;
}

static void put_rows(struct sim_engine *sim, struct buffer *rows)
{
    buffer_init(rows, 1 << 24);
    ck_assert_int_eq(sim_engine_put_rows(sim, SIM_OTHER, rows), STATUS_OK);
}

START_TEST(what_was_imported_survives_a_power_loss)
{
    struct sim_engine sim;
    struct importing importing = {.done = false};
    struct buffer before, with, after;
    sim_engine_init(&sim, (uint64_t)_i, "/d");
    sim_engine_fill(&sim);
    sim_world_set_chance(sim.world, SIM_FAULT_LOST_PAGE, 1);
    sim_world_set_chance(sim.world, SIM_FAULT_LOST_NAME, 1);
    copy_files(&sim, _i == WITH_A_LEVEL);
    if (_i == COPIED) {
        sim.failing.kinds = 1u << FAILING_LINK;
        sim.failing.status = STATUS_IO;
        sim.failing.countdown = 1;
        sim.failing.for_good = true;
    }
    put_rows(&sim, &before);
    struct engine_import_options options = {
        .table = sim.tables[SIM_OTHER]->id, .directory = FOREIGN, .copies = true};
    engine_import(sim.engine, &options, &importing.import, imported);
    ck_assert(sim_engine_await(&sim, &importing.done));
    ck_assert_int_eq(importing.status, STATUS_OK);
    ck_assert_uint_gt(importing.imported_count, 0);
    put_rows(&sim, &with);
    ck_assert_uint_gt(with.size, before.size);
    sim_engine_kill(&sim, true);
    ck_assert_msg(sim_engine_open(&sim) == STATUS_OK, "%s", sim.error.text);
    put_rows(&sim, &after);
    ck_assert_uint_eq(after.size, with.size);
    ck_assert_mem_eq(after.data, with.data, with.size);
    buffer_deinit(&before);
    buffer_deinit(&with);
    buffer_deinit(&after);
    sim_engine_deinit(&sim);
}
END_TEST

static void flushed(struct engine_flush *flush, enum status status)
{
    (void)flush;
    (void)status;
}

static void stopped(void *context)
{
    *(bool *)context = true;
}

// A flush begins after so many steps of an import; some steps later the engine is to close, and
// from then on no file can be made. Whether the flush failed while the import waited for its turn.
static bool close_behind_flush(int before, int after)
{
    struct sim_engine sim;
    struct importing importing = {.done = false};
    struct engine_flush flush;
    sim_engine_init(&sim, (uint64_t)before, "/d");
    sim_engine_fill(&sim);
    copy_files(&sim, false);
    ck_assert_int_eq(sim_engine_write(&sim, SIM_TABLE, 0, 20, 9), STATUS_OK);
    struct engine_import_options options = {
        .table = sim.tables[SIM_OTHER]->id, .directory = FOREIGN, .copies = true};
    engine_import(sim.engine, &options, &importing.import, imported);
    for (int i = 0; i < before; i++)
        (void)!sim_world_step(sim.world);
    engine_flush(sim.engine, NULL, &flush, flushed);
    for (int i = 0; i < after; i++)
        (void)!sim_world_step(sim.world);
    sim.failing.kinds = 1u << FAILING_CREATE;
    sim.failing.status = STATUS_NO_SPACE;
    sim.failing.countdown = 1;
    sim.failing.for_good = true;
    bool is_stopped = false;
    engine_close(sim.engine, stopped, &is_stopped);
    ck_assert_msg(sim_engine_await(&sim, &is_stopped), "flush after %d steps, %d later: no end",
                  before, after);
    sim.engine = NULL;
    ck_assert(importing.done);
    bool has_failed = sim_world_marks(sim.world, ENV_MARK_FLUSH_FAILED) > 0;
    sim_engine_deinit(&sim);
    return has_failed && importing.status == STATUS_CANCELED;
}

START_TEST(a_flush_that_fails_at_the_end_does_not_keep_an_import_waiting)
{
    size_t count = 0;
    for (int before = 0; before < 40; before++)
        for (int after = 0; after < 12; after++)
            count += close_behind_flush(before, after);
    ck_assert_uint_gt(count, 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("import");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_flush_that_fails_at_the_end_does_not_keep_an_import_waiting);
    tcase_add_loop_test(tests, what_was_imported_survives_a_power_loss, 0, WAYS);
    Suite *suite = suite_create("engine_import_sync");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
