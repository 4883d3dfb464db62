// Compactions of an engine: when they begin, what ends them, what is told of them. That no row is
// lost on the way, at any crash, is for the simulator (node/sim/engine_world.h) and
// engine_sweep_test.c.
#include "base/container_of.h"
#include "base/limits.h"
#include "storage/schema/options.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct table *table;
static struct schema *schema;
static struct engine *engine;
static struct engine_options options;
static int64_t timestamp;

static void open_engine(void)
{
    struct error error = {0};
    enum status status = engine_open(engine_fixture_env(), &options, schema, &engine, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

// The same table under another definition.
static void define(const struct option *compaction, size_t count, int32_t gc_grace_s)
{
    const struct table *plain = engine_fixture_table("t", false);
    struct table_builder *builder = table_builder_copy(plain);
    struct options map = {compaction, count};
    table_builder_params(builder)->compaction = options_copy(table_builder_arena(builder), &map);
    table_builder_params(builder)->gc_grace_seconds = gc_grace_s;
    table_unref(plain);
    table_unref(table);
    table = table_builder_finish(builder);
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    if (engine != NULL) ck_assert_int_eq(engine_put_table(engine, table, NULL), STATUS_OK);
}

static void setup(void)
{
    engine_fixture_setup();
    engine = NULL;
    table = NULL;
    timestamp = 0;
    schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    define(NULL, 0, 864000);
    options = (struct engine_options){.directory = engine_fixture_directory()};
    open_engine();
}

static void teardown(void)
{
    engine_fixture_close(engine);
    schema_destroy(schema);
    table_unref(table);
    engine_fixture_teardown();
}

// ---- Data --------------------------------------------------------------------------------------

static void apply(int key, const struct row *row, struct deletion deletion)
{
    char name[16];
    (void)snprintf(name, sizeof name, "k%d", key);
    uint64_t position;
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(slice_of_text(name)),
                                .deletion = deletion,
                                .rows = row,
                                .row_count = row != NULL};
    ck_assert_int_eq(engine_apply(engine, &mutation, &position), STATUS_OK);
}

static void put_value(int key, struct slice value, int32_t ttl, int32_t expires_s)
{
    struct slice clustering = slice_of_text("c");
    struct cell cell = {.column = table_find_column(table, slice_of_text("a"))->index,
                        .ttl = ttl,
                        .local_time = ttl == TTL_NONE ? LOCAL_TIME_NONE : expires_s,
                        .timestamp = ++timestamp,
                        .value = value};
    struct row row = {.clustering = {1, &clustering},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    apply(key, &row, DELETION_NONE);
}

static void write_keys(int first, int count)
{
    for (int i = first; i < first + count; i++)
        put_value(i, slice_of_text("some value or other"), TTL_NONE, 0);
}

static void flush(int first, int count)
{
    write_keys(first, count);
    engine_fixture_flush(engine);
}

static struct engine_table_stats stats(void)
{
    struct engine_table_stats stats;
    ck_assert(engine_table_stats(engine, table->id, &stats));
    return stats;
}

static int count_partitions(void)
{
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    struct partition_filter filter = {.ranges = &all, .range_count = 1, .with_static = true};
    struct read_pins pins;
    read_pins_init(&pins);
    struct arena arena;
    arena_init(&arena, 4096);
    for (;;) {
        struct scan_iterator *scan;
        struct partition_iterator *partition;
        uint64_t position = 0;
        int count = 0;
        arena_reset(&arena);
        enum status status =
            engine_scan(engine, table, &SCAN_RANGE_ALL, &filter, &pins, &arena, &scan, &position);
        while (status == STATUS_OK &&
               (status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
            struct unfiltered unfiltered;
            while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK)
                count += !unfiltered.is_marker && unfiltered.row->cell_count > 0;
            partition_iterator_close(partition);
            status = status == STATUS_END ? STATUS_OK : status;
        }
        if (status == STATUS_END) {
            scan_iterator_close(scan);
            read_pins_release(&pins);
            arena_deinit(&arena);
            return count;
        }
        ck_assert_int_eq(status, STATUS_WOULD_BLOCK);
        scan_iterator_close(scan);
        engine_fixture_load(engine, &pins);
    }
}

static void settle(void)
{
    engine_fixture_settle(engine);
    engine_check(engine);
}

// ---- When they begin ---------------------------------------------------------------------------

START_TEST(four_flushes_become_one_sstable)
{
    for (int i = 0; i < 3; i++)
        flush(i * 10, 20);
    settle();
    ck_assert_uint_eq(stats().sstable_count, 3);
    ck_assert_uint_eq(engine_pending_compactions(engine, table->id), 0);
    flush(30, 20);
    settle();
    ck_assert_uint_eq(stats().sstable_count, 1);
    ck_assert_int_eq(count_partitions(), 50);
    ck_assert_uint_eq(engine_compaction_done_count(engine), 1);
    const struct engine_compaction_done *done = engine_compaction_done_at(engine, 0);
    ck_assert_str_eq(done->keyspace, "ks");
    ck_assert_str_eq(done->table, "t");
    ck_assert_uint_eq(done->merged_counts[0], 20);
    ck_assert_uint_eq(done->merged_counts[1], 30);
    ck_assert_ptr_null(engine_compaction_done_at(engine, 1));
    // After a restart, of either kind, the one SSTable is there.
    engine_fixture_crash(engine);
    open_engine();
    ck_assert_uint_eq(stats().sstable_count, 1);
    ck_assert_int_eq(count_partitions(), 50);
    engine_fixture_close(engine);
    open_engine();
    ck_assert_int_eq(count_partitions(), 50);
}
END_TEST

// Numbers of SSTables end at 2^31: those that a compaction did not need are the next ones.
START_TEST(numbers_that_were_not_needed_are_given_back)
{
    for (int i = 0; i < 4; i++)
        flush(i * 10, 20);
    settle();
    ck_assert_uint_eq(stats().sstable_count, 1);
    flush(40, 20);
    char path[600];
    (void)snprintf(path, sizeof path,
                   "%s/data/ks/t-74000000000000000000000000000000/nb-6-big-Data.db",
                   engine_fixture_directory());
    bool exists, is_dir;
    ck_assert_int_eq(env_path_exists(engine_fixture_env(), path, &exists, &is_dir, NULL),
                     STATUS_OK);
    ck_assert(exists);
}
END_TEST

START_TEST(a_table_may_be_told_not_to)
{
    ck_assert(engine_enable_compaction(engine, &table->id, false));
    ck_assert(!engine_compaction_is_enabled(engine, table->id));
    for (int i = 0; i < 6; i++)
        flush(i * 10, 20);
    settle();
    ck_assert_uint_eq(stats().sstable_count, 6);
    ck_assert_uint_eq(engine_pending_compactions(engine, table->id), 1);
    struct uuid other = {{1}};
    ck_assert(!engine_enable_compaction(engine, &other, true));
    ck_assert(engine_enable_compaction(engine, NULL, true));
    settle();
    ck_assert_uint_eq(stats().sstable_count, 1);
}
END_TEST

START_TEST(an_alter_changes_the_strategy)
{
    static const struct option off[] = {
        {{(const uint8_t *)"class", 5}, {(const uint8_t *)"SizeTieredCompactionStrategy", 28}},
        {{(const uint8_t *)"enabled", 7}, {(const uint8_t *)"false", 5}},
    };
    static const struct option leveled[] = {
        {{(const uint8_t *)"class", 5}, {(const uint8_t *)"LeveledCompactionStrategy", 25}},
    };
    define(off, 2, 864000);
    for (int i = 0; i < 5; i++)
        flush(i * 10, 20);
    settle();
    ck_assert_uint_eq(stats().sstable_count, 5);
    define(leveled, 1, 864000);
    settle();
    // All that is there is little: it stays in level 0, in one.
    ck_assert(stats().is_leveled);
    ck_assert_uint_eq(stats().level_counts[0], 1);
    ck_assert_int_eq(count_partitions(), 60);
    engine_fixture_compact(engine, table->id);
    ck_assert_uint_eq(stats().level_counts[1], 1);
}
END_TEST

static bool split_done;

static void split_ended(struct engine_compact *compact, enum status status)
{
    (void)compact;
    ck_assert_int_eq(status, STATUS_OK);
    split_done = true;
}

START_TEST(a_major_compaction_makes_one_of_all)
{
    for (int i = 0; i < 3; i++)
        flush(i * 10, 20);
    engine_fixture_compact(engine, table->id);
    ck_assert_uint_eq(stats().sstable_count, 1);
    // Of one, too: a tombstone may have grown old.
    engine_fixture_compact(engine, table->id);
    ck_assert_uint_eq(stats().sstable_count, 1);
    ck_assert_int_eq(count_partitions(), 40);
    ck_assert_uint_eq(engine_compaction_done_count(engine), 2);
}
END_TEST

// Outputs of 50, 25, ... per cent, none below 50 MB: of little, all is one.
START_TEST(little_is_not_split)
{
    for (int i = 0; i < 3; i++)
        flush(i * 10, 20);
    struct engine_compact compact;
    split_done = false;
    engine_compact(engine, table->id, true, &compact, split_ended);
    engine_fixture_run_until(&split_done);
    ck_assert_uint_eq(stats().sstable_count, 1);
    ck_assert_int_eq(count_partitions(), 40);
}
END_TEST

// In levels 1 and 2, where none overlaps with another.
START_TEST(a_major_compaction_fills_levels)
{
    static const struct option leveled[] = {
        {{(const uint8_t *)"class", 5}, {(const uint8_t *)"LeveledCompactionStrategy", 25}},
        {{(const uint8_t *)"fanout_size", 11}, {(const uint8_t *)"2", 1}},
        {{(const uint8_t *)"sstable_size_in_mb", 18}, {(const uint8_t *)"1", 1}},
    };
    enum { VALUE_SIZE = 200000, KEYS = 40 };
    static uint8_t value[VALUE_SIZE];
    uint64_t random = 1;
    define(leveled, 3, 864000);
    ck_assert(engine_enable_compaction(engine, NULL, false));
    for (int i = 0; i < KEYS; i++) {
        for (size_t j = 0; j < VALUE_SIZE; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            value[j] = (uint8_t)(random >> 56);
        }
        put_value(i, slice_make(value, VALUE_SIZE), TTL_NONE, 0);
        if (i % 10 == 9) engine_fixture_flush(engine);
    }
    engine_fixture_compact(engine, table->id);
    struct engine_table_stats levels = stats();
    ck_assert_uint_eq(levels.level_counts[0], 0);
    ck_assert_uint_ge(levels.level_counts[1], 2);
    ck_assert_uint_ge(levels.level_counts[2], 3);
    ck_assert_int_eq(count_partitions(), KEYS);
    // What the strategy finds then is in order.
    ck_assert(engine_enable_compaction(engine, NULL, true));
    settle();
    ck_assert_uint_eq(stats().level_counts[0], 0);
    ck_assert_int_eq(count_partitions(), KEYS);
}
END_TEST

struct asked {
    struct engine_compact compact;
    enum status status;
    bool done;
};

static void compact_ended(struct engine_compact *compact, enum status status)
{
    struct asked *asked = CONTAINER_OF(compact, struct asked, compact);
    asked->status = status;
    asked->done = true;
}

START_TEST(what_is_not_there_is_not_compacted)
{
    struct asked asked = {.done = false};
    engine_compact(engine, (struct uuid){{9}}, false, &asked.compact, compact_ended);
    engine_fixture_run_until(&asked.done);
    ck_assert_int_eq(asked.status, STATUS_NOT_FOUND);
}
END_TEST

// ---- What goes ---------------------------------------------------------------------------------

START_TEST(tombstones_go_when_they_are_old_and_hide_nothing)
{
    define(NULL, 0, 0);
    ck_assert(engine_enable_compaction(engine, NULL, false));
    flush(0, 10);
    apply(1, NULL, (struct deletion){++timestamp, 1000});
    engine_fixture_flush(engine);
    apply(2, NULL, (struct deletion){++timestamp, 1000});
    engine_fixture_flush(engine);
    engine_fixture_compact(engine, table->id);
    ck_assert_int_eq(count_partitions(), 8);
    ck_assert_uint_eq(stats().partition_count, 8);
    // What memory has may be older than a tombstone: it stays.
    timestamp = 1;
    put_value(50, slice_of_text("old"), TTL_NONE, 0);
    timestamp = 100;
    ck_assert(engine_enable_compaction(engine, NULL, false));
    engine_fixture_flush(engine);
    apply(50, NULL, (struct deletion){50, 1000});
    engine_fixture_flush(engine);
    timestamp = 2;
    put_value(50, slice_of_text("older than its deletion"), TTL_NONE, 0);
    engine_fixture_compact(engine, table->id);
    ck_assert_uint_eq(stats().partition_count, 9);
    ck_assert_int_eq(count_partitions(), 8);
}
END_TEST

START_TEST(what_has_expired_is_removed_unread)
{
    define(NULL, 0, 0);
    for (int i = 0; i < 3; i++)
        put_value(i, slice_of_text("short"), 10, 1000);
    engine_fixture_flush(engine);
    settle();
    ck_assert_uint_eq(stats().sstable_count, 0);
    ck_assert_uint_eq(engine_compaction_done_count(engine), 0);
    engine_fixture_crash(engine);
    open_engine();
    ck_assert_uint_eq(stats().sstable_count, 0);
}
END_TEST

START_TEST(what_has_expired_is_not_read_by_a_compaction_either)
{
    define(NULL, 0, 0);
    ck_assert(engine_enable_compaction(engine, NULL, false));
    for (int i = 0; i < 300; i++)
        put_value(i, slice_of_text("dead for a long time"), 10, 1000);
    engine_fixture_flush(engine);
    uint64_t dead_bytes = stats().data_bytes;
    flush(0, 10);
    uint64_t read_bytes = stats().data_bytes - dead_bytes;
    engine_fixture_compact(engine, table->id);
    ck_assert_uint_eq(stats().sstable_count, 1);
    ck_assert_uint_eq(engine_compaction_done_at(engine, 0)->bytes_in, read_bytes);
    ck_assert_int_eq(count_partitions(), 10);
    engine_fixture_crash(engine);
    open_engine();
    ck_assert_uint_eq(stats().sstable_count, 1);
    ck_assert_int_eq(count_partitions(), 10);
}
END_TEST

// ---- What ends them ----------------------------------------------------------------------------

// A compaction that will not end by itself.
static void begin_slow(struct asked *asked)
{
    options.compaction_step_size = 1;
    engine_fixture_close(engine);
    open_engine();
    ck_assert(engine_enable_compaction(engine, NULL, false));
    flush(0, 200);
    flush(100, 200);
    engine_set_compaction_throughput(engine, 1);
    *asked = (struct asked){.done = false};
    engine_compact(engine, table->id, false, &asked->compact, compact_ended);
    struct engine_compaction_info info;
    while (!engine_compaction_at(engine, 0, &info))
        engine_fixture_flush(engine);
    ck_assert_str_eq(info.kind, "Major compaction");
    ck_assert_uint_gt(info.total_bytes, 0);
}

START_TEST(it_is_stopped_and_nothing_has_changed)
{
    struct asked asked;
    begin_slow(&asked);
    ck_assert_uint_eq(engine_stop_compactions(engine), 1);
    engine_fixture_run_until(&asked.done);
    ck_assert_int_eq(asked.status, STATUS_CANCELED);
    settle();
    ck_assert_uint_eq(stats().sstable_count, 2);
    ck_assert_int_eq(count_partitions(), 300);
    engine_set_compaction_throughput(engine, 0);
    engine_fixture_compact(engine, table->id);
    ck_assert_uint_eq(stats().sstable_count, 1);
    ck_assert_int_eq(count_partitions(), 300);
}
END_TEST

// Two of different sets of SSTables, each on a thread, with steps of one partition or so.
START_TEST(several_go_on_at_once)
{
    const struct option compaction = {slice_of_text("class"),
                                      slice_of_text("TimeWindowCompactionStrategy")};
    define(&compaction, 1, 864000);
    options.compaction_step_size = 1;
    options.concurrent_compactors = 3;
    engine_fixture_close(engine);
    open_engine();
    ck_assert(engine_enable_compaction(engine, NULL, false));
    // In windows of a day.
    for (int window = 0; window < 3; window++) {
        timestamp = window * INT64_C(100000000000);
        flush(window * 200, 200);
        flush(window * 200 + 100, 200);
    }
    struct asked asked = {.done = false};
    engine_compact(engine, table->id, false, &asked.compact, compact_ended);
    struct engine_compaction_info info[3];
    size_t most = 0;
    while (!asked.done) {
        size_t count = 0;
        while (count < 3 && engine_compaction_at(engine, count, &info[count]))
            count++;
        size_t begun = 0;
        for (size_t i = 0; i < count; i++)
            begun += info[i].read_bytes > 0;
        if (begun > most) most = begun;
        put_value(5000, slice_of_text("meanwhile"), TTL_NONE, 0);
        engine_fixture_flush(engine);
    }
    ck_assert_int_eq(asked.status, STATUS_OK);
    ck_assert_uint_gt(most, 1);
    engine_fixture_settle(engine);
    ck_assert_int_eq(count_partitions(), 701);
    engine_check(engine);
}
END_TEST

START_TEST(a_truncation_ends_it)
{
    struct asked asked;
    begin_slow(&asked);
    engine_fixture_truncate(engine, table->id);
    engine_fixture_run_until(&asked.done);
    ck_assert_int_eq(count_partitions(), 0);
    engine_fixture_crash(engine);
    open_engine();
    ck_assert_int_eq(count_partitions(), 0);
    ck_assert_uint_eq(stats().sstable_count, 0);
}
END_TEST

START_TEST(a_drop_ends_it)
{
    struct asked asked;
    begin_slow(&asked);
    engine_drop_table(engine, table->id);
    engine_fixture_run_until(&asked.done);
    ck_assert_int_ne(asked.status, STATUS_OK);
    settle();
    ck_assert_int_eq(engine_put_table(engine, table, NULL), STATUS_OK);
    ck_assert_int_eq(count_partitions(), 0);
}
END_TEST

START_TEST(a_stop_of_the_engine_ends_it)
{
    struct asked asked;
    begin_slow(&asked);
    engine_fixture_close(engine);
    ck_assert(asked.done);
    ck_assert_int_eq(asked.status, STATUS_CANCELED);
    open_engine();
    ck_assert_int_eq(count_partitions(), 300);
}
END_TEST

START_TEST(a_flush_does_not_wait_for_it)
{
    struct asked asked;
    begin_slow(&asked);
    for (int i = 0; i < 5; i++)
        flush(1000 + i, 1);
    ck_assert(!asked.done);
    ck_assert_int_eq(count_partitions(), 305);
    engine_set_compaction_throughput(engine, 0);
    (void)engine_stop_compactions(engine);
    engine_fixture_run_until(&asked.done);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("compactions");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, four_flushes_become_one_sstable);
    tcase_add_test(tests, numbers_that_were_not_needed_are_given_back);
    tcase_add_test(tests, a_table_may_be_told_not_to);
    tcase_add_test(tests, an_alter_changes_the_strategy);
    tcase_add_test(tests, a_major_compaction_makes_one_of_all);
    tcase_add_test(tests, little_is_not_split);
    tcase_add_test(tests, a_major_compaction_fills_levels);
    tcase_add_test(tests, what_is_not_there_is_not_compacted);
    tcase_add_test(tests, tombstones_go_when_they_are_old_and_hide_nothing);
    tcase_add_test(tests, what_has_expired_is_removed_unread);
    tcase_add_test(tests, what_has_expired_is_not_read_by_a_compaction_either);
    tcase_add_test(tests, it_is_stopped_and_nothing_has_changed);
    tcase_add_test(tests, several_go_on_at_once);
    tcase_add_test(tests, a_truncation_ends_it);
    tcase_add_test(tests, a_drop_ends_it);
    tcase_add_test(tests, a_stop_of_the_engine_ends_it);
    tcase_add_test(tests, a_flush_does_not_wait_for_it);
    Suite *suite = suite_create("engine_compaction");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
