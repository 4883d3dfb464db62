// What bounds an engine's memory and log: flushes before the limit, OVERLOADED at it, and that both
// end.
#include "base/block_pool.h"
#include "base/env_ops.h"
#include "base/limits.h"
#include "storage/engine/engine_internal.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TABLES = 40, KEY_SIZE = 24 };

// An arena takes memory by the block.
#define SLACK ((size_t)ARENA_BLOCK_HUGE + 256 * KIB)

static const struct table *tables[TABLES];
static struct schema *schema;
static struct engine *engine;
static struct engine_options options;
static struct error error;

static void open_engine(void)
{
    enum status status = engine_open(engine_fixture_env(), &options, schema, &engine, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

static const struct table *make_table(int number, int32_t period_ms)
{
    char name[16];
    struct uuid id = {{0x13, 0x81, 0x40, 0, 0x1d, 0xd2, 0x11, 0xb2, 0x80}};
    id.bytes[15] = (uint8_t)number;
    (void)snprintf(name, sizeof name, "t%d", number);
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text(name), id);
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_TEXT),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("v"), type_of_kind(TYPE_BLOB), COLUMN_REGULAR,
                             false);
    table_builder_params(builder)->memtable_flush_period_in_ms = period_ms;
    return table_builder_finish(builder);
}

static void setup(void)
{
    engine_fixture_setup();
    schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    for (int i = 0; i < TABLES; i++) {
        tables[i] = make_table(i, 0);
        ck_assert_int_eq(schema_put_table(schema, tables[i]), STATUS_OK);
    }
    options = (struct engine_options){.directory = engine_fixture_directory(),
                                      .memtable_space_max = 16 * MIB};
    open_engine();
}

static void teardown(void)
{
    if (engine != NULL) engine_fixture_close(engine);
    schema_destroy(schema);
    for (int i = 0; i < TABLES; i++)
        table_unref(tables[i]);
    engine_fixture_teardown();
}

static enum status write_value(int table, uint64_t key, size_t size, uint64_t *position)
{
    static uint8_t bytes[64 * 1024];
    static int64_t timestamp;
    char text[KEY_SIZE];
    (void)snprintf(text, sizeof text, "k%llu", (unsigned long long)key);
    struct cell cell = {
        .local_time = LOCAL_TIME_NONE, .timestamp = ++timestamp, .value = slice_make(bytes, size)};
    struct row row = {
        .liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cells = &cell, .cell_count = 1};
    struct mutation mutation = {.table = tables[table],
                                .key = partition_key_make(slice_of_text(text)),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    return engine_apply(engine, &mutation, position);
}

static size_t memory_used(uint64_t *flush_count)
{
    size_t size = 0;
    *flush_count = 0;
    for (int i = 0; i < TABLES; i++) {
        struct engine_table_stats stats;
        ck_assert(engine_table_stats(engine, tables[i]->id, &stats));
        size += stats.memtable_bytes;
        *flush_count += stats.flush_count;
    }
    return size;
}

static void turn(uint64_t position)
{
    engine_fixture_wait_synced(engine, position);
}

START_TEST(memory_stays_within_its_bound_whatever_is_written)
{
    static const size_t sizes[] = {8, 200, 1000, 30000};
    uint64_t position = 0, flush_count, key = 0, written_bytes = 0;
    unsigned overloaded_count = 0;
    for (int i = 0; written_bytes < 24 * MIB && i < 200000; i++) {
        size_t size = sizes[_i];
        enum status status = write_value((int)(key % TABLES), key, size, &position);
        if (status == STATUS_OVERLOADED) {
            // Nothing waits for ever: flushes make room.
            overloaded_count++;
            turn(position);
            usleep(1000);
            continue;
        }
        ck_assert_int_eq(status, STATUS_OK);
        key++;
        written_bytes += size + 100;
        if (i % 64 == 0) {
            ck_assert_uint_le(memory_used(&flush_count), options.memtable_space_max + SLACK);
            engine_check(engine);
        }
        if (i % 512 == 0) turn(position);
    }
    ck_assert_uint_gt(written_bytes, 15 * MIB);
    (void)memory_used(&flush_count);
    ck_assert_uint_gt(flush_count, 1);
    engine_fixture_flush(engine);
    size_t idle_size = memory_used(&flush_count);
    ck_assert_uint_lt(idle_size, MIB);
}
END_TEST

START_TEST(a_flush_begins_long_before_the_limit)
{
    uint64_t position = 0, flush_count;
    size_t used = 0;
    for (uint64_t key = 0; used < options.memtable_space_max / 2 + SLACK; key++) {
        ck_assert_int_eq(write_value(0, key, 1000, &position), STATUS_OK);
        used = memory_used(&flush_count);
        struct engine_table *table = engine_find_table(engine, tables[0]->id);
        if (table->frozen != NULL) break;
    }
    ck_assert_uint_lt(used, options.memtable_space_max * 3 / 4);
    ck_assert_ptr_nonnull(engine_find_table(engine, tables[0]->id)->frozen);
    turn(position);
}
END_TEST

START_TEST(a_memtable_begins_in_the_blocks_that_the_last_one_left)
{
    uint64_t position = 0, flush_count;
    engine_fixture_close(engine);
    options.memtable_space_max = 32 * MIB; // So that they are large enough for huge pages.
    open_engine();
    size_t kept_max = options.memtable_space_max / 2 / BLOCK_POOL_BLOCK_SIZE;
    for (int round = 0; round < 2; round++) {
        for (uint64_t key = 0; memory_used(&flush_count) < 7 * options.memtable_space_max / 8 / 2;)
            ck_assert_int_eq(write_value(0, key++, 30000, &position), STATUS_OK);
        // Of the second round's blocks none is new: what lay there is used.
        if (round > 0) ck_assert_uint_eq(block_pool_kept(engine->memtable_blocks), 0);
        turn(position);
        engine_fixture_flush(engine);
        size_t kept = block_pool_kept(engine->memtable_blocks);
        ck_assert(kept > 0 && kept <= kept_max);
    }
}
END_TEST

// ---- When flushes fail --------------------------------------------------------------------------

static const struct env_ops *true_ops;

static enum status refuse_data(struct env *env, const char *path, unsigned flags,
                               struct env_file **file, struct error *why)
{
    if ((flags & ENV_OPEN_CREATE) != 0 && strstr(path, "-big-") != NULL)
        return error_set(why, STATUS_NO_SPACE, "%s: no space", path);
    return true_ops->file_open(env, path, flags, file, why);
}

static unsigned count_segments(void)
{
    char path[600];
    unsigned count = 0;
    (void)snprintf(path, sizeof path, "%s/commitlog", engine_fixture_directory());
    DIR *directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2;
}

START_TEST(a_full_disk_stops_writers_and_not_the_node)
{
    struct env *env = engine_fixture_env();
    struct env_ops ops = *env->ops;
    true_ops = env->ops;
    ops.file_open = refuse_data;
    env->ops = &ops;
    uint64_t position = 0, flush_count;
    enum status status = STATUS_OK;
    uint64_t key = 0;
    // _i == 1: one value again and again, which makes only the log longer.
    for (; status == STATUS_OK && key < 2000000; key++) {
        status = write_value(0, _i == 0 ? key : 1, _i == 0 ? 1000 : 20000, &position);
        if (key % 64 == 0) turn(position);
    }
    ck_assert_int_eq(status, STATUS_OVERLOADED);
    ck_assert_uint_le(memory_used(&flush_count), options.memtable_space_max + SLACK);
    ck_assert_uint_le(count_segments(),
                      COMMIT_LOG_FULL_FACTOR * COMMIT_LOG_SEGMENTS_MIN + COMMIT_LOG_CLEAN_MAX);
    env->ops = true_ops;
    engine_fixture_flush(engine);
    ck_assert_int_eq(write_value(0, key, 1000, &position), STATUS_OK);
    turn(position);
}
END_TEST

START_TEST(the_log_is_short_however_many_tables_are_dirty)
{
    uint64_t position = 0;
    for (int table = 0; table < TABLES; table++)
        ck_assert_int_eq(write_value(table, 1, 100, &position), STATUS_OK);
    unsigned most = 0;
    // One busy table whose values replace each other: its memtable hardly grows.
    for (unsigned i = 0; i < 80 * 64; i++) {
        enum status status = write_value(0, i % 8, 20000, &position);
        if (status == STATUS_OVERLOADED) {
            turn(position);
            continue;
        }
        ck_assert_int_eq(status, STATUS_OK);
        if (i % 16 == 0) turn(position);
        if (i % 256 == 0 && count_segments() > most) most = count_segments();
    }
    ck_assert_uint_le(most, 3 * COMMIT_LOG_SEGMENTS_MIN);
    uint64_t flush_count;
    (void)memory_used(&flush_count);
    // Those that are under way end when they end.
    for (int i = 0; flush_count <= 1 && i < 10000; i++) {
        ck_assert_int_eq(write_value(0, 1, 100, &position), STATUS_OK);
        turn(position);
        (void)memory_used(&flush_count);
    }
    ck_assert_uint_gt(flush_count, 1);
}
END_TEST

START_TEST(a_table_may_be_flushed_now_and_then)
{
    const struct table *now_and_then = make_table(0, 50);
    table_unref(tables[0]);
    tables[0] = now_and_then;
    ck_assert_int_eq(schema_put_table(schema, now_and_then), STATUS_OK);
    if (_i == 0) {
        ck_assert_int_eq(engine_put_table(engine, now_and_then, &error), STATUS_OK);
    } else {
        engine_fixture_close(engine);
        open_engine();
    }
    uint64_t position;
    ck_assert_int_eq(write_value(0, 1, 100, &position), STATUS_OK);
    ck_assert_int_eq(write_value(1, 1, 100, &position), STATUS_OK);
    struct engine_table_stats stats;
    for (int i = 0; i < 1000; i++) {
        turn(position);
        ck_assert(engine_table_stats(engine, tables[0]->id, &stats));
        if (stats.flush_count > 0) break;
        usleep(2000);
    }
    ck_assert_uint_eq(stats.flush_count, 1);
    ck_assert(engine_table_stats(engine, tables[1]->id, &stats));
    ck_assert_uint_eq(stats.flush_count, 0);
}
END_TEST

int main(void)
{
    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, setup, teardown);
    tcase_set_timeout(memory, 120);
    tcase_add_loop_test(memory, memory_stays_within_its_bound_whatever_is_written, 0, 4);
    tcase_add_test(memory, a_flush_begins_long_before_the_limit);
    tcase_add_test(memory, a_memtable_begins_in_the_blocks_that_the_last_one_left);
    tcase_add_loop_test(memory, a_full_disk_stops_writers_and_not_the_node, 0, 2);
    tcase_add_test(memory, the_log_is_short_however_many_tables_are_dirty);
    tcase_add_loop_test(memory, a_table_may_be_flushed_now_and_then, 0, 2);
    Suite *suite = suite_create("memory");
    suite_add_tcase(suite, memory);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
