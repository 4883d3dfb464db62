// Snapshots: what is in them, who refuses, what they cost, and what TRUNCATE and DROP leave.
#include "base/container_of.h"
#include "storage/engine/engine_internal.h"
#include "storage/engine/engine_snapshot.h"
#include "storage/schema/schema_text.h"
#include "storage/whole_file.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct table *table;
static struct schema *schema;
static struct engine *engine;
static struct engine_options options;
static struct error error;
static char table_directory[512];

static void open_engine(void)
{
    enum status status = engine_open(engine_fixture_env(), &options, schema, &engine, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

static void setup(void)
{
    engine_fixture_setup();
    table = engine_fixture_table("t", false);
    schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    options =
        (struct engine_options){.directory = engine_fixture_directory(), .auto_snapshot = true};
    (void)snprintf(table_directory, sizeof table_directory,
                   "%s/data/ks/t-74000000000000000000000000000000", engine_fixture_directory());
    open_engine();
}

static void teardown(void)
{
    if (engine != NULL) engine_fixture_close(engine);
    schema_destroy(schema);
    table_unref(table);
    engine_fixture_teardown();
}

static void write_row(const char *key)
{
    static int64_t timestamp;
    struct slice clustering = slice_of_text("c1");
    struct cell cell = {.column = table_find_column(table, slice_of_text("a"))->index,
                        .local_time = LOCAL_TIME_NONE,
                        .timestamp = ++timestamp,
                        .value = slice_of_text("value")};
    struct row row = {.clustering = {1, &clustering},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(slice_of_text(key)),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    uint64_t position;
    ck_assert_int_eq(engine_apply(engine, &mutation, &position), STATUS_OK);
    engine_fixture_wait_synced(engine, position);
}

// ---- Operations, waited for ---------------------------------------------------------------------

struct taking {
    struct engine_snapshot snapshot;
    bool done;
    enum status status;
};

static void taken(struct engine_snapshot *snapshot, enum status status, const struct error *why)
{
    struct taking *taking = CONTAINER_OF(snapshot, struct taking, snapshot);
    taking->status = status;
    if (status != STATUS_OK) error = *why;
    taking->done = true;
}

static enum status take(const char *tag, bool skips_flush, uint64_t ttl_s)
{
    struct taking taking = {.done = false};
    const struct engine_snapshot_options wanted = {.tag = tag,
                                                   .tables = &table->id,
                                                   .table_count = 1,
                                                   .skips_flush = skips_flush,
                                                   .ttl_s = ttl_s};
    engine_snapshot_take(engine, &wanted, &taking.snapshot, taken);
    ck_assert(!taking.done);
    engine_fixture_run_until(&taking.done);
    return taking.status;
}

struct looking {
    struct engine_snapshot_list list;
    bool done;
    struct snapshot_info infos[16];
    size_t count;
};

static void listed(struct engine_snapshot_list *list, enum status status, const struct error *why)
{
    struct looking *looking = CONTAINER_OF(list, struct looking, list);
    ck_assert_msg(status == STATUS_OK, "%s", why->text);
    looking->count = list->count;
    for (size_t i = 0; i < list->count; i++)
        looking->infos[i] = list->infos[i];
    looking->done = true;
}

static struct looking look(void)
{
    static struct looking looking;
    looking = (struct looking){.done = false};
    engine_snapshot_list(engine, &looking.list, listed);
    engine_fixture_run_until(&looking.done);
    return looking;
}

struct clearing {
    struct engine_snapshot_clear clear;
    bool done;
};

static void cleared(struct engine_snapshot_clear *clear, enum status status,
                    const struct error *why)
{
    ck_assert_msg(status == STATUS_OK, "%s", why->text);
    CONTAINER_OF(clear, struct clearing, clear)->done = true;
}

static size_t clear_before(const char *keyspace, const char *tag, int64_t created_before_ms)
{
    struct clearing clearing = {.done = false};
    const struct engine_snapshot_choice choice = {keyspace, tag, created_before_ms};
    engine_snapshot_clear(engine, &choice, &clearing.clear, cleared);
    engine_fixture_run_until(&clearing.done);
    return clearing.clear.count;
}

static size_t clear(const char *keyspace, const char *tag)
{
    return clear_before(keyspace, tag, 0);
}

static void turn_of_the_loop(void)
{
    uint64_t position = engine_synced_position(engine);
    engine_fixture_wait_synced(engine, position);
    usleep(1000);
}

static bool exists(const char *tag, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/snapshots/%s/%s", table_directory, tag, name);
    return access(path, F_OK) == 0;
}

static void read_text(const char *tag, const char *name, struct buffer *text)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/snapshots/%s/%s", table_directory, tag, name);
    buffer_init(text, 1 << 20);
    ck_assert_int_eq(whole_file_read(engine_fixture_env(), path, text, NULL), STATUS_OK);
    buffer_put_u8(text, 0);
}

// ---- Tests --------------------------------------------------------------------------------------

START_TEST(it_has_what_was_in_memory_and_words_on_it)
{
    write_row("k1");
    engine_fixture_flush(engine);
    write_row("k2");
    ck_assert_int_eq(take("s1", false, 0), STATUS_OK);
    ck_assert(exists("s1", "nb-1-big-Data.db") && exists("s1", "nb-1-big-TOC.txt"));
    ck_assert(exists("s1", "nb-2-big-Data.db") && exists("s1", "nb-2-big-Index.db"));

    struct buffer manifest, file, expected;
    char words[512];
    read_text("s1", "manifest.json", &manifest);
    const char *at = strstr((const char *)manifest.data, "2");
    ck_assert_ptr_nonnull(at);
    struct looking found = look();
    ck_assert_uint_eq(found.count, 1);
    buffer_init(&expected, 1 << 20);
    int64_t created_ms = found.infos[0].times.created_ms;
    ck_assert_int_lt(llabs(created_ms - env_wall_us(engine_fixture_env()) / 1000), 60000);
    (void)snprintf(words, sizeof words,
                   "{\n  \"files\" : [ \"nb-1-big-Data.db\", \"nb-2-big-Data.db\" ],\n"
                   "  \"created_at\" : \"");
    ck_assert_int_eq(strncmp((const char *)manifest.data, words, strlen(words)), 0);
    ck_assert_ptr_nonnull(strstr((const char *)manifest.data,
                                 "Z\",\n  \"expires_at\" : null,\n  \"ephemeral\" : false\n}"));

    read_text("s1", "schema.cql", &file);
    schema_text_put_file(table, &expected);
    buffer_put_u8(&expected, 0);
    ck_assert_str_eq((const char *)file.data, (const char *)expected.data);
    ck_assert_int_eq(strncmp((const char *)file.data, "CREATE TABLE IF NOT EXISTS ks.t (", 33), 0);
    buffer_deinit(&manifest);
    buffer_deinit(&file);
    buffer_deinit(&expected);
}
END_TEST

START_TEST(files_are_links)
{
    write_row("k1");
    ck_assert_int_eq(take("s1", false, 0), STATUS_OK);
    char path[1024];
    struct stat live, kept;
    (void)snprintf(path, sizeof path, "%s/nb-1-big-Data.db", table_directory);
    ck_assert_int_eq(stat(path, &live), 0);
    (void)snprintf(path, sizeof path, "%s/snapshots/s1/nb-1-big-Data.db", table_directory);
    ck_assert_int_eq(stat(path, &kept), 0);
    ck_assert_uint_eq(live.st_ino, kept.st_ino);
}
END_TEST

START_TEST(without_a_flush_it_has_what_is_in_files)
{
    write_row("k1");
    ck_assert_int_eq(take("s1", true, 0), STATUS_OK);
    ck_assert(!exists("s1", "nb-1-big-Data.db"));
    struct buffer manifest;
    read_text("s1", "manifest.json", &manifest);
    ck_assert_ptr_nonnull(strstr((const char *)manifest.data, "\"files\" : [ ],\n"));
    buffer_deinit(&manifest);
}
END_TEST

START_TEST(a_tag_is_taken_once)
{
    write_row("k1");
    ck_assert_int_eq(take("s1", false, 0), STATUS_OK);
    ck_assert_int_eq(take("s1", false, 0), STATUS_EXISTS);
    ck_assert_str_eq(error.text, "Snapshot s1 already exists.");
    ck_assert_int_eq(take("../s2", false, 0), STATUS_INVALID);
    ck_assert_int_eq(take("", false, 0), STATUS_INVALID);
    ck_assert_uint_eq(look().count, 1);
}
END_TEST

START_TEST(it_costs_what_it_alone_keeps)
{
    write_row("k1");
    ck_assert_int_eq(take("s1", false, 0), STATUS_OK);
    struct looking found = look();
    ck_assert_str_eq(found.infos[0].tag, "s1");
    ck_assert_str_eq(found.infos[0].keyspace, "ks");
    ck_assert_str_eq(found.infos[0].table, "t");
    ck_assert(found.infos[0].is_whole);
    // manifest.json and schema.cql are its own from the start.
    ck_assert_uint_gt(found.infos[0].true_size, 500);
    ck_assert_uint_eq(found.infos[0].true_components_size, 0);
    ck_assert_uint_gt(found.infos[0].size_on_disk, found.infos[0].true_size + 100);
    uint64_t size = found.infos[0].size_on_disk;
    engine_fixture_truncate(engine, table->id);
    found = look();
    ck_assert_uint_eq(found.count, 2); // And the one that TRUNCATE took.
    ck_assert_uint_eq(found.infos[0].true_size, size);
    ck_assert_uint_gt(found.infos[0].true_components_size, 0);
    ck_assert_int_eq(strncmp(found.infos[1].tag, "truncated-", 10), 0);
    ck_assert_uint_eq(clear("other", ""), 0);
    ck_assert_uint_eq(clear("ks", "s2"), 0);
    ck_assert_uint_eq(clear_before("ks", "s1", 1000), 0);
    ck_assert_uint_eq(clear("ks", "s1"), 1);
    ck_assert_uint_eq(clear_before("", "", INT64_MAX), 1);
    ck_assert_uint_eq(look().count, 0);
}
END_TEST

START_TEST(truncations_of_nothing_leave_nothing)
{
    engine_fixture_truncate(engine, table->id);
    ck_assert_uint_eq(look().count, 0);
    write_row("k1");
    engine_fixture_truncate(engine, table->id);
    ck_assert_uint_eq(look().count, 1);
    engine_fixture_truncate(engine, table->id);
    ck_assert_uint_eq(look().count, 1);
    engine_check(engine);
}
END_TEST

static void change_table(bool allow_auto_snapshot)
{
    struct table_builder *builder = table_builder_copy(table);
    table_builder_params(builder)->allow_auto_snapshot = allow_auto_snapshot;
    const struct table *changed = table_builder_finish(builder);
    table_unref(table);
    table = changed;
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    ck_assert_int_eq(engine_put_table(engine, table, &error), STATUS_OK);
}

START_TEST(a_table_may_say_that_it_wants_none)
{
    change_table(false);
    write_row("k1");
    engine_fixture_truncate(engine, table->id);
    ck_assert_uint_eq(look().count, 0);
}
END_TEST

static bool file_exists(const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", table_directory, name);
    return access(path, F_OK) == 0;
}

START_TEST(a_dropped_table_leaves_a_snapshot)
{
    write_row("k1");
    engine_fixture_flush(engine);
    write_row("k2");
    engine_drop_table(engine, table->id);
    engine_check(engine);
    schema_remove_table(schema, slice_of_text("ks"), slice_of_text("t"));
    if (_i == 0) {
        // A clean stop ends what was begun.
        engine_fixture_flush(engine);
        engine_fixture_close(engine);
        open_engine();
    } else {
        for (int i = 0; i < 2000 && file_exists("nb-1-big-Data.db"); i++)
            turn_of_the_loop();
    }
    engine_check(engine);
    ck_assert(!file_exists("nb-1-big-Data.db"));
    struct looking found = look();
    ck_assert_uint_eq(found.count, 1);
    ck_assert_int_eq(strncmp(found.infos[0].tag, "dropped-", 8), 0);
    ck_assert_uint_eq(found.infos[0].true_size, found.infos[0].size_on_disk);
    ck_assert(exists(found.infos[0].tag, "nb-1-big-Data.db"));
    ck_assert(exists(found.infos[0].tag, "nb-2-big-Data.db"));
    ck_assert_uint_eq(clear("", ""), 1);
    ck_assert(!file_exists("")); // Nothing was in the directory any more.
}
END_TEST

// As one restores by hand: the node is stopped, and the files of the snapshot, whose names the
// files that went had, are put where those were.
START_TEST(files_that_are_put_back_after_a_truncation_stay)
{
    write_row("k1");
    engine_fixture_truncate(engine, table->id);
    struct looking found = look();
    ck_assert_uint_eq(found.count, 1);
    if (_i == 0)
        engine_fixture_close(engine);
    else
        engine_fixture_crash(engine);
    char command[2048];
    (void)snprintf(command, sizeof command, "cp '%s/snapshots/%s'/nb-1-* '%s'", table_directory,
                   found.infos[0].tag, table_directory);
    ck_assert_int_eq(system(command), 0);
    open_engine();
    struct engine_table_stats stats;
    ck_assert(engine_table_stats(engine, table->id, &stats));
    ck_assert_uint_eq(stats.sstable_count, 1);
    ck_assert_uint_eq(stats.partition_count, 1);
}
END_TEST

struct truncating {
    struct engine_flush flush;
    bool done;
    enum status status;
};

static void truncated(struct engine_flush *flush, enum status status)
{
    struct truncating *truncating = CONTAINER_OF(flush, struct truncating, flush);
    truncating->status = status;
    truncating->done = true;
}

// In one millisecond, mostly.
START_TEST(truncations_at_one_time_have_a_tag_each)
{
    struct truncating first = {.done = false}, second = {.done = false};
    write_row("k1");
    engine_truncate(engine, table->id, &first.flush, truncated);
    engine_truncate(engine, table->id, &second.flush, truncated);
    engine_fixture_run_until(&first.done);
    engine_fixture_run_until(&second.done);
    ck_assert_int_eq(first.status, STATUS_OK);
    ck_assert_int_eq(second.status, STATUS_OK);
}
END_TEST

START_TEST(it_ends_when_its_time_has_come)
{
    write_row("k1");
    ck_assert_int_eq(take("s1", false, 1), STATUS_OK);
    ck_assert_int_eq(take("s2", false, 3600), STATUS_OK);
    ck_assert_int_eq(take("s3", false, 0), STATUS_OK);
    struct looking found = look();
    ck_assert_uint_eq(found.count, 3);
    ck_assert_int_eq(found.infos[0].times.expires_ms, found.infos[0].times.created_ms + 1000);
    usleep(1100 * 1000);
    engine_snapshots_expire(engine);
    found = look();
    ck_assert_uint_eq(found.count, 2);
    ck_assert_str_eq(found.infos[0].tag, "s2");
}
END_TEST

START_TEST(what_a_crash_left_is_seen_and_goes)
{
    write_row("k1");
    ck_assert_int_eq(take("s1", false, 0), STATUS_OK);
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/snapshots/s1/manifest.json", table_directory);
    ck_assert_int_eq(unlink(path), 0);
    engine_fixture_close(engine);
    open_engine();
    struct looking found = look();
    ck_assert_uint_eq(found.count, 1);
    ck_assert(!found.infos[0].is_whole);
    ck_assert_int_eq(take("s1", false, 0), STATUS_EXISTS);
    ck_assert_uint_eq(clear("", "s1"), 1);
    ck_assert_int_eq(take("s1", false, 0), STATUS_OK);
    ck_assert(look().infos[0].is_whole);
}
END_TEST

START_TEST(flushed_files_are_backed_up)
{
    engine_fixture_close(engine);
    options.incremental_backups = true;
    open_engine();
    write_row("k1");
    engine_fixture_flush(engine);
    ck_assert(file_exists("backups/nb-1-big-Data.db"));
    ck_assert(file_exists("backups/nb-1-big-Statistics.db"));
}
END_TEST

// Links beside those of files that are gone: their names are not given again.
START_TEST(files_behind_a_compaction_to_nothing_are_backed_up_after_a_start)
{
    engine_fixture_close(engine);
    options.incremental_backups = true;
    options.auto_snapshot = false;
    open_engine();
    write_row("k1");
    engine_fixture_flush(engine);
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(slice_of_text("k1")),
                                .deletion = {INT32_MAX, 1000}};
    uint64_t position;
    ck_assert_int_eq(engine_apply(engine, &mutation, &position), STATUS_OK);
    engine_fixture_flush(engine);
    engine_fixture_compact(engine, table->id);
    engine_fixture_close(engine);
    ck_assert(!file_exists("nb-1-big-Data.db"));
    open_engine();
    write_row("k2");
    engine_fixture_flush(engine);
    ck_assert(file_exists("backups/nb-1-big-Data.db"));
    ck_assert(file_exists("backups/nb-2-big-Data.db"));
    ck_assert(file_exists("backups/nb-3-big-Data.db"));
}
END_TEST

START_TEST(a_stop_cancels_what_has_not_begun)
{
    write_row("k1");
    struct taking taking = {.done = false};
    const struct engine_snapshot_options wanted = {
        .tag = "s1", .tables = &table->id, .table_count = 1};
    engine_snapshot_take(engine, &wanted, &taking.snapshot, taken);
    engine_fixture_close(engine);
    ck_assert(taking.done);
    open_engine();
}
END_TEST

int main(void)
{
    TCase *snapshots = tcase_create("snapshots");
    tcase_add_checked_fixture(snapshots, setup, teardown);
    tcase_set_timeout(snapshots, 60);
    tcase_add_test(snapshots, it_has_what_was_in_memory_and_words_on_it);
    tcase_add_test(snapshots, files_are_links);
    tcase_add_test(snapshots, without_a_flush_it_has_what_is_in_files);
    tcase_add_test(snapshots, a_tag_is_taken_once);
    tcase_add_test(snapshots, it_costs_what_it_alone_keeps);
    tcase_add_test(snapshots, truncations_of_nothing_leave_nothing);
    tcase_add_test(snapshots, a_table_may_say_that_it_wants_none);
    tcase_add_loop_test(snapshots, a_dropped_table_leaves_a_snapshot, 0, 2);
    tcase_add_loop_test(snapshots, files_that_are_put_back_after_a_truncation_stay, 0, 2);
    tcase_add_test(snapshots, truncations_at_one_time_have_a_tag_each);
    tcase_add_test(snapshots, it_ends_when_its_time_has_come);
    tcase_add_test(snapshots, what_a_crash_left_is_seen_and_goes);
    tcase_add_test(snapshots, flushed_files_are_backed_up);
    tcase_add_test(snapshots, files_behind_a_compaction_to_nothing_are_backed_up_after_a_start);
    tcase_add_test(snapshots, a_stop_cancels_what_has_not_begun);
    Suite *suite = suite_create("snapshots");
    suite_add_tcase(suite, snapshots);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
