// What the engine does besides reads and writes: versions of a table, drops, limits, locks, and
// files that are not what they were.
#include "base/env_ops.h"
#include "base/limits.h"
#include "storage/engine/manifest.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct table *table;
static struct schema *schema;
static struct engine *engine;
static struct arena arena;
static struct engine_options options;
static struct error error;

static enum status try_open(void)
{
    return engine_open(engine_fixture_env(), &options, schema, &engine, &error);
}

static void open_engine(void)
{
    enum status status = try_open();
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
    arena_init(&arena, 4096);
    options = (struct engine_options){.directory = engine_fixture_directory()};
    open_engine();
}

static void teardown(void)
{
    if (engine != NULL) engine_fixture_close(engine);
    arena_deinit(&arena);
    schema_destroy(schema);
    table_unref(table);
    engine_fixture_teardown();
}

static void crash(void)
{
    engine_fixture_crash(engine);
    engine = NULL;
}

// One cell of row c1 in partition k.
static enum status try_write(const struct table *version, const char *column, struct slice value,
                             int64_t timestamp, uint64_t *position)
{
    struct slice clustering = slice_of_text("c1");
    struct cell cell = {.column = table_find_column(version, slice_of_text(column))->index,
                        .local_time = LOCAL_TIME_NONE,
                        .timestamp = timestamp,
                        .value = value};
    struct row row = {.clustering = {1, &clustering},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = version,
                                .key = partition_key_make(slice_of_text("k")),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    return engine_apply(engine, &mutation, position);
}

static void write_value(const struct table *version, const char *column, const char *value)
{
    static int64_t timestamp;
    uint64_t position;
    ck_assert_int_eq(try_write(version, column, slice_of_text(value), ++timestamp, &position),
                     STATUS_OK);
    engine_fixture_wait_synced(engine, position);
}

static bool try_read(const struct table *version, const char *column, struct read_pins *pins,
                     char text[64], uint64_t *position)
{
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, false, true};
    struct partition_key key = partition_key_make(slice_of_text("k"));
    struct partition_iterator *partition;
    (void)snprintf(text, 64, "null");
    enum status status =
        engine_read(engine, version, &key, &filter, pins, &arena, &partition, position);
    if (status == STATUS_WOULD_BLOCK) return false;
    ck_assert_int_eq(status, STATUS_OK);
    if (partition == NULL) return true;
    struct live_rows rows;
    live_rows_init(&rows, partition, 1000, &arena);
    const struct live_row *row;
    status = live_rows_next(&rows, &row);
    const struct cell *cell;
    if (status == STATUS_OK &&
        live_row_cells(row, table_find_column(version, slice_of_text(column))->index, &cell) > 0)
        (void)snprintf(text, 64, "%.*s", (int)cell->value.size, (const char *)cell->value.data);
    live_rows_deinit(&rows);
    return status != STATUS_WOULD_BLOCK;
}

static void check_value(const struct table *version, const char *column, const char *expected)
{
    struct read_pins pins;
    read_pins_init(&pins);
    char text[64];
    uint64_t position = 0;
    while (!try_read(version, column, &pins, text, &position))
        engine_fixture_load(engine, &pins);
    read_pins_release(&pins);
    arena_reset(&arena);
    ck_assert_str_eq(text, expected);
}

// ---- Files -------------------------------------------------------------------------------------

static const char *wanted_suffix;
static char found_path[512];

static int match_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    size_t length = strlen(path), suffix = strlen(wanted_suffix);
    if (length >= suffix && strcmp(path + length - suffix, wanted_suffix) == 0)
        (void)snprintf(found_path, sizeof found_path, "%s", path);
    return 0;
}

// A file under the engine's directory whose path ends so; NULL if there is none.
static const char *find_file(const char *suffix)
{
    wanted_suffix = suffix;
    *found_path = '\0';
    (void)nftw(engine_fixture_directory(), match_entry, 16, FTW_PHYS);
    return *found_path == '\0' ? NULL : found_path;
}

static void flip(const char *path, long offset)
{
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    uint8_t byte;
    ck_assert_int_eq(pread(fd, &byte, 1, offset), 1);
    byte ^= 1;
    ck_assert_int_eq(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

// ---- Tests -------------------------------------------------------------------------------------

static const struct table *alter_table(void)
{
    struct table_builder *builder = table_builder_copy(table);
    table_builder_drop_column(builder, slice_of_text("a"), 1000000);
    table_builder_add_column(builder, slice_of_text("aa"), type_of_kind(TYPE_TEXT), COLUMN_REGULAR,
                             false);
    return table_builder_finish(builder);
}

// Loop test: what was written before the ALTER is in memory, frozen, or in an SSTable.
START_TEST(data_of_an_older_version_is_read_under_the_newer_one)
{
    write_value(table, "a", "gone");
    write_value(table, "b", "stays");
    if (_i == 1) engine_fixture_flush(engine);
    const struct table *later = alter_table();
    ck_assert_int_eq(schema_put_table(schema, later), STATUS_OK);
    ck_assert_int_eq(engine_put_table(engine, later, &error), STATUS_OK);
    check_value(later, "b", "stays");
    check_value(later, "aa", "null");
    write_value(later, "aa", "new");
    check_value(later, "aa", "new");
    // A statement that was prepared before may still come.
    write_value(table, "b", "late");
    write_value(table, "a", "dropped");
    check_value(later, "b", "late");
    check_value(later, "aa", "new");
    if (_i == 2) engine_fixture_flush(engine);
    engine_check(engine);
    engine_fixture_close(engine);
    open_engine();
    check_value(later, "b", "late");
    check_value(later, "aa", "new");
    table_unref(later);
}
END_TEST

static void run_until_gone(const char *suffix)
{
    for (int i = 0; i < 1000 && find_file(suffix) != NULL; i++) {
        uint64_t position = engine_synced_position(engine);
        engine_fixture_wait_synced(engine, position); // A turn of the loop.
        usleep(1000);
    }
    ck_assert_ptr_null(find_file(suffix));
}

START_TEST(a_dropped_table_leaves_no_files)
{
    write_value(table, "a", "1");
    engine_fixture_flush(engine);
    write_value(table, "a", "2");
    ck_assert_ptr_nonnull(find_file("Data.db"));
    engine_drop_table(engine, table->id);
    engine_check(engine);
    uint64_t position;
    ck_assert_int_eq(try_write(table, "a", slice_of_text("3"), 9, &position), STATUS_NOT_FOUND);
    run_until_gone("t-74000000000000000000000000000000");
    run_until_gone("manifest/74000000000000000000000000000000");
    schema_remove_table(schema, slice_of_text("ks"), slice_of_text("t"));
    engine_fixture_close(engine);
    open_engine();
}
END_TEST

// Something is in the dropped table's directory that can not be removed.
// A directory stands where a file is to be removed. `path` is for the caller to end that.
static void make_unremovable(const struct table *version, char path[1024])
{
    char suffix[64];
    uint8_t name = version->name.data[0];
    (void)snprintf(suffix, sizeof suffix,
                   "%c-%02x000000000000000000000000000000/nb-1-big-Filter.db", name, name);
    write_value(version, "a", "1");
    engine_fixture_flush(engine);
    ck_assert_ptr_nonnull(find_file(suffix));
    (void)snprintf(path, 1024, "%s", find_file(suffix));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static const struct table *put_table(const char *name)
{
    const struct table *made = engine_fixture_table(name, false);
    ck_assert_int_eq(schema_put_table(schema, made), STATUS_OK);
    ck_assert_int_eq(engine_put_table(engine, made, &error), STATUS_OK);
    return made;
}

static void drop_table(const struct table *dropped, const char *name)
{
    engine_drop_table(engine, dropped->id);
    schema_remove_table(schema, slice_of_text("ks"), slice_of_text(name));
}

static void run_turns(int count)
{
    for (int i = 0; i < count; i++) {
        engine_fixture_wait_synced(engine, engine_synced_position(engine)); // A turn of the loop.
        usleep(1000);
    }
}

static uint64_t flushes_of(const struct table *version)
{
    struct engine_table_stats stats;
    ck_assert(engine_table_stats(engine, version->id, &stats));
    return stats.flush_count;
}

// One, or two that would take turns.
START_TEST(removals_that_fail_hold_up_no_flush_of_another_table)
{
    const struct table *other = put_table("u"), *second = put_table("v");
    char path[1024], second_path[1024];
    make_unremovable(table, path);
    if (_i == 1) make_unremovable(second, second_path);
    drop_table(table, "t");
    if (_i == 1) drop_table(second, "v");
    run_turns(50);
    for (uint64_t i = 1; i <= 3; i++) {
        write_value(other, "a", "1");
        engine_fixture_flush(engine);
        ck_assert_uint_eq(flushes_of(other), i);
    }
    ck_assert_int_eq(rmdir(path), 0);
    if (_i == 1) ck_assert_int_eq(rmdir(second_path), 0);
    write_value(other, "a", "1");
    engine_fixture_flush(engine);
    run_until_gone("t-74000000000000000000000000000000");
    if (_i == 1) run_until_gone("v-76000000000000000000000000000000");
    table_unref(second);
    table_unref(other);
}
END_TEST

// A memtable that is full does not wait for the next try of a removal, either.
START_TEST(a_full_memtable_does_not_wait_for_a_removal_that_fails)
{
    crash();
    options.memtable_space_max = 2 * MIB;
    open_engine();
    const struct table *other = put_table("u");
    char path[1024];
    make_unremovable(table, path);
    drop_table(table, "t");
    run_turns(50);
    char *large = calloc(1, 100001);
    for (int i = 0; i < 12; i++) {
        memset(large, 'a' + i, (size_t)(100000 - i));
        large[100000 - i] = 0;
        write_value(other, "a", large);
    }
    free(large);
    for (int i = 0; i < 300 && flushes_of(other) == 0; i++)
        run_turns(1);
    ck_assert_uint_gt(flushes_of(other), 0);
    ck_assert_int_eq(rmdir(path), 0);
    table_unref(other);
}
END_TEST

static void no_matter(struct engine_flush *flush, enum status status)
{
    (void)status;
    *flush = (struct engine_flush){0};
}

START_TEST(a_drop_takes_along_a_truncation_that_failed)
{
    char path[1024];
    make_unremovable(table, path);
    struct engine_flush truncation = {0};
    engine_truncate(engine, table->id, &truncation, no_matter);
    run_turns(50);
    ck_assert_int_eq(rmdir(path), 0);
    drop_table(table, "t");
    run_until_gone("t-74000000000000000000000000000000");
    run_turns(20);
    const struct table *other = put_table("u");
    write_value(other, "a", "1");
    engine_fixture_flush(engine);
    write_value(other, "a", "2");
    engine_fixture_flush(engine);
    ck_assert_uint_eq(flushes_of(other), 2);
    table_unref(other);
}
END_TEST

START_TEST(two_engines_cannot_have_one_directory)
{
    struct engine *first = engine;
    ck_assert_int_eq(try_open(), STATUS_IN_USE);
    engine = first;
}
END_TEST

START_TEST(writers_wait_when_memory_is_short_and_flushes_make_room)
{
    crash();
    options.memtable_space_max = 2 * MIB;
    open_engine();
    uint8_t *large = calloc(1, 100000);
    int overloaded = 0;
    for (int64_t i = 0; i < 100; i++) {
        large[i] = 1; // Another size would do as well: no value replaces the one before in place.
        uint64_t position;
        enum status status =
            try_write(table, "a", slice_make(large, 50000 + (size_t)i), i + 1, &position);
        if (status == STATUS_OVERLOADED) {
            overloaded++;
            engine_fixture_flush(engine);
            i--;
            continue;
        }
        ck_assert_int_eq(status, STATUS_OK);
        engine_check(engine);
        struct engine_table_stats stats;
        ck_assert(engine_table_stats(engine, table->id, &stats));
        ck_assert_uint_lt(stats.memtable_bytes, 3 * MIB);
    }
    ck_assert_int_gt(overloaded, 0);
    struct engine_table_stats stats;
    ck_assert(engine_table_stats(engine, table->id, &stats));
    ck_assert_uint_gt(stats.flush_count, 1);
    free(large);
}
END_TEST

START_TEST(a_mutation_too_large_is_refused_and_changes_nothing)
{
    uint8_t *large = calloc(1, MUTATION_SIZE_MAX);
    uint64_t position;
    ck_assert_int_eq(try_write(table, "a", slice_make(large, MUTATION_SIZE_MAX), 1000, &position),
                     STATUS_INVALID);
    free(large);
    check_value(table, "a", "null");
    engine_check(engine);
}
END_TEST

START_TEST(a_read_names_the_position_of_what_it_saw)
{
    uint64_t written, seen = 0;
    ck_assert_int_eq(try_write(table, "a", slice_of_text("1"), 1, &written), STATUS_OK);
    ck_assert_uint_gt(written, engine_synced_position(engine));
    struct read_pins pins;
    read_pins_init(&pins);
    char text[64];
    ck_assert(try_read(table, "a", &pins, text, &seen));
    ck_assert_uint_eq(seen, written);
    // What a truncation took away is seen too.
    engine_fixture_truncate(engine, table->id);
    seen = 0;
    ck_assert(try_read(table, "a", &pins, text, &seen));
    ck_assert_str_eq(text, "null");
    ck_assert_uint_eq(seen, written + 1);
    read_pins_release(&pins);
}
END_TEST

static const char *const components[] = {"Index.db", "Filter.db", "Summary.db", "Statistics.db"};

START_TEST(a_damaged_file_of_ours_is_refused_at_the_start)
{
    write_value(table, "a", "1");
    engine_fixture_flush(engine);
    crash();
    const char *path = find_file(components[_i]);
    ck_assert_ptr_nonnull(path);
    flip(path, 2);
    ck_assert_int_eq(try_open(), STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, components[_i]));
    engine = NULL;
}
END_TEST

START_TEST(a_lost_sstable_is_refused_at_the_start)
{
    write_value(table, "a", "1");
    engine_fixture_flush(engine);
    crash();
    ck_assert_int_eq(remove(find_file("Data.db")), 0);
    ck_assert_int_eq(try_open(), STATUS_CORRUPT);
    engine = NULL;
}
END_TEST

START_TEST(what_was_flushed_needs_no_log)
{
    write_value(table, "a", "1");
    engine_fixture_flush(engine);
    crash();
    ck_assert_int_eq(remove(find_file("CommitLog-1.log")), 0);
    open_engine();
    check_value(table, "a", "1");
    // Positions go on behind those that the SSTable has.
    uint64_t position;
    ck_assert_int_eq(try_write(table, "a", slice_of_text("2"), 99, &position), STATUS_OK);
    ck_assert_uint_eq(position, 2);
    engine_fixture_wait_synced(engine, position);
    crash();
    open_engine();
    check_value(table, "a", "2");
}
END_TEST

// Puts the engine, which is closed, into another directory: from then on it lives there.
static void move_directory(const char *name)
{
    static char moved[4096];
    char from[4096];
    (void)snprintf(from, sizeof from, "%s", options.directory);
    (void)snprintf(moved, sizeof moved, "%s/%s", engine_fixture_directory(), name);
    ck_assert_int_eq(rename(from, moved), 0);
    options.directory = moved;
}

START_TEST(a_directory_may_be_moved)
{
    engine_fixture_close(engine);
    char first[512];
    (void)snprintf(first, sizeof first, "%s/first", engine_fixture_directory());
    options.directory = first;
    open_engine();
    write_value(table, "a", "1");
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    move_directory("second");
    open_engine();
    check_value(table, "a", "1");
    write_value(table, "b", "2");
    engine_fixture_flush(engine);
    ck_assert_ptr_nonnull(strstr(find_file("Data.db"), "/second/"));
    ck_assert_int_ne(access(first, F_OK), 0);
}
END_TEST

// The directory is moved before a drop that a crash interrupted is finished.
START_TEST(a_drop_is_finished_where_the_directory_is_now)
{
    engine_fixture_close(engine);
    char first[512];
    (void)snprintf(first, sizeof first, "%s/first", engine_fixture_directory());
    options.directory = first;
    open_engine();
    write_value(table, "a", "1");
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", find_file("manifest/74000000000000000000000000000000"));
    struct manifest manifest;
    ck_assert_int_eq(manifest_load(engine_fixture_env(), path, &manifest, NULL), STATUS_OK);
    manifest.dropped = true;
    for (size_t i = 0; i < manifest.count; i++)
        manifest.entries[i].state = MANIFEST_GONE;
    char parent[4096];
    (void)snprintf(parent, sizeof parent, "%s/manifest", first);
    ck_assert_int_eq(manifest_store(engine_fixture_env(), parent, path, &manifest, NULL),
                     STATUS_OK);
    manifest_deinit(&manifest);
    move_directory("second");
    schema_remove_table(schema, slice_of_text("ks"), slice_of_text("t"));
    open_engine();
    ck_assert_ptr_null(find_file("second/data/ks/t-74000000000000000000000000000000"));
    ck_assert_ptr_null(find_file("second/manifest/74000000000000000000000000000000"));
}
END_TEST

static enum status read_nothing_cached(struct env_file *file, uint64_t offset, void *bytes,
                                       size_t size, size_t *read_size, struct error *unused)
{
    (void)file;
    (void)offset;
    (void)bytes;
    (void)size;
    (void)read_size;
    (void)unused;
    return STATUS_WOULD_BLOCK;
}

// In a world whose page cache has nothing.
START_TEST(a_cold_read_takes_a_few_loads_however_many_sstables_there_are)
{
    enum { SSTABLES = 12 };
    for (int i = 0; i < SSTABLES; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        write_value(table, "a", text);
        engine_fixture_flush(engine);
    }
    engine_fixture_close(engine);
    open_engine();
    struct env *env = engine_fixture_env();
    const struct env_ops *ops = env->ops;
    struct env_ops cold = *ops;
    cold.file_read_cached = read_nothing_cached;
    env->ops = &cold;
    struct read_pins pins;
    read_pins_init(&pins);
    char text[64];
    uint64_t position = 0;
    int loads = 0;
    while (!try_read(table, "a", &pins, text, &position)) {
        engine_fixture_load(engine, &pins);
        loads++;
    }
    read_pins_release(&pins);
    ck_assert_str_eq(text, "11");
    ck_assert_int_le(loads, 2); // The indexes, then the data.
    env->ops = ops;
}
END_TEST

int main(void)
{
    TCase *engines = tcase_create("engine");
    tcase_add_checked_fixture(engines, setup, teardown);
    tcase_set_timeout(engines, 60);
    tcase_add_loop_test(engines, data_of_an_older_version_is_read_under_the_newer_one, 0, 3);
    tcase_add_test(engines, a_dropped_table_leaves_no_files);
    tcase_add_loop_test(engines, removals_that_fail_hold_up_no_flush_of_another_table, 0, 2);
    tcase_add_test(engines, a_full_memtable_does_not_wait_for_a_removal_that_fails);
    tcase_add_test(engines, a_drop_takes_along_a_truncation_that_failed);
    tcase_add_test(engines, two_engines_cannot_have_one_directory);
    tcase_add_test(engines, writers_wait_when_memory_is_short_and_flushes_make_room);
    tcase_add_test(engines, a_mutation_too_large_is_refused_and_changes_nothing);
    tcase_add_test(engines, a_read_names_the_position_of_what_it_saw);
    tcase_add_loop_test(engines, a_damaged_file_of_ours_is_refused_at_the_start, 0, 4);
    tcase_add_test(engines, a_lost_sstable_is_refused_at_the_start);
    tcase_add_test(engines, what_was_flushed_needs_no_log);
    tcase_add_test(engines, a_directory_may_be_moved);
    tcase_add_test(engines, a_cold_read_takes_a_few_loads_however_many_sstables_there_are);
    tcase_add_test(engines, a_drop_is_finished_where_the_directory_is_now);
    Suite *suite = suite_create("engine");
    suite_add_tcase(suite, engines);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
