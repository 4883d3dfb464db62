// Counters at the leader: what a client sees of increments, deletions, flushes and restarts
// (sstable-nb §3; the cases of deletions are those of a real Cassandra with its counter cache).
#include "base/limits.h"
#include "storage/counter_context.h"
#include "storage/uuid.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const struct table *table;
static struct schema *schema;
static struct engine *engine;
static struct arena arena;
static int64_t now_us;
static const char *key_text;      // Of the partition that is counted in and read.
static size_t counter_cache_size; // 0: the default.
static bool is_hasty;             // Increments are not waited for until they are synced.

static void open_engine(void)
{
    struct error error = {0};
    struct engine_options options = {.directory = engine_fixture_directory(),
                                     .counter_cache_size_max = counter_cache_size};
    enum status status = engine_open(engine_fixture_env(), &options, schema, &engine, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

static void setup(void)
{
    engine_fixture_setup();
    table = engine_fixture_counter_table("counts");
    schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    arena_init(&arena, 4096);
    now_us = env_wall_us(engine_fixture_env());
    key_text = "k1";
    counter_cache_size = 0;
    is_hasty = false;
    open_engine();
}

static void teardown(void)
{
    engine_fixture_close(engine);
    arena_deinit(&arena);
    schema_destroy(schema);
    table_unref(table);
    engine_fixture_teardown();
}

static struct clustering row_c1(void)
{
    static const struct slice value = {(const uint8_t *)"c1", 2};
    return (struct clustering){1, &value};
}

static uint16_t column_of(const char *name)
{
    return table_find_column(table, slice_of_text(name))->index;
}

// `name` is t (the static row), n or m (row c1).
static enum status try_add(const char *name, int64_t delta)
{
    struct clustering clustering = row_c1();
    struct counter_increment increment = {*name == 't' ? NULL : &clustering, column_of(name),
                                          delta};
    struct counter_update update = {.table = table,
                                    .key = partition_key_make(slice_of_text(key_text)),
                                    .increments = &increment,
                                    .increment_count = 1,
                                    .timestamp_us = ++now_us};
    struct read_pins pins;
    read_pins_init(&pins);
    uint64_t position;
    enum status status;
    while ((status = engine_increment(engine, &update, &pins, NULL, NULL, &position)) ==
           STATUS_WOULD_BLOCK)
        engine_fixture_load(engine, &pins);
    read_pins_release(&pins);
    if (status == STATUS_OK && !is_hasty) engine_fixture_wait_synced(engine, position);
    return status;
}

static void add(const char *name, int64_t delta)
{
    ck_assert_int_eq(try_add(name, delta), STATUS_OK);
}

enum { NULL_COUNT = INT32_MIN };

static int64_t try_get(const char *name, struct read_pins *pins)
{
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, false, true};
    struct partition_key key = partition_key_make(slice_of_text(key_text));
    struct partition_iterator *partition;
    uint64_t position = 0;
    enum status status =
        engine_read(engine, table, &key, &filter, pins, &arena, &partition, &position);
    if (status == STATUS_WOULD_BLOCK) return INT64_MAX;
    ck_assert_int_eq(status, STATUS_OK);
    if (partition == NULL) return NULL_COUNT;
    struct live_rows rows;
    live_rows_init(&rows, partition, 1000, &arena);
    const struct live_row *row = rows.has_static_row ? &rows.static_row : NULL;
    if (*name != 't') {
        status = live_rows_next(&rows, &row);
        if (status == STATUS_END) row = NULL;
    }
    int64_t result = NULL_COUNT;
    const struct cell *cell;
    if (status == STATUS_WOULD_BLOCK) {
        result = INT64_MAX;
    } else if (row != NULL && live_row_cells(row, column_of(name), &cell) == 1) {
        result = counter_context_total(cell->value);
    }
    live_rows_deinit(&rows);
    return result;
}

static int64_t get(const char *name)
{
    struct read_pins pins;
    read_pins_init(&pins);
    int64_t result;
    while ((result = try_get(name, &pins)) == INT64_MAX)
        engine_fixture_load(engine, &pins);
    read_pins_release(&pins);
    arena_reset(&arena);
    return result;
}

static void apply(const struct mutation *mutation)
{
    uint64_t position;
    ck_assert_int_eq(engine_apply(engine, mutation, &position), STATUS_OK);
    engine_fixture_wait_synced(engine, position);
}

static void delete_row(void)
{
    struct row row = {
        .clustering = row_c1(), .liveness = LIVENESS_NONE, .deletion = {++now_us, 10}};
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(slice_of_text("k1")),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    apply(&mutation);
}

static void delete_range(void)
{
    struct range_deletion range = {CLUSTERING_RANGE_ALL, {++now_us, 10}};
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(slice_of_text("k1")),
                                .deletion = DELETION_NONE,
                                .range_deletions = &range,
                                .range_deletion_count = 1};
    apply(&mutation);
}

static void delete_partition(void)
{
    struct mutation mutation = {
        .table = table, .key = partition_key_make(slice_of_text("k1")), .deletion = {++now_us, 10}};
    apply(&mutation);
}

static void delete_column(const char *name)
{
    struct cell cell = {.column = column_of(name),
                        .local_time = 10,
                        .timestamp = ++now_us,
                        .value = {(const uint8_t *)"", 0}};
    struct row row = {.clustering = row_c1(),
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(slice_of_text("k1")),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    apply(&mutation);
}

static void restart(bool clean)
{
    if (clean) {
        engine_fixture_close(engine);
    } else {
        engine_fixture_crash(engine);
    }
    open_engine();
}

START_TEST(increments_add_up_in_memory_on_disk_and_over_restarts)
{
    ck_assert_int_eq(get("n"), NULL_COUNT);
    add("n", 5);
    add("n", -2);
    add("m", 7);
    add("t", 1);
    ck_assert_int_eq(get("n"), 3);
    engine_fixture_flush(engine);
    ck_assert_int_eq(get("n"), 3);
    add("n", 10);
    ck_assert_int_eq(get("n"), 13);
    engine_fixture_flush(engine);
    restart(true);
    add("n", 100);
    add("t", 1);
    ck_assert_int_eq(get("n"), 113);
    restart(false);
    add("n", 1000);
    ck_assert_int_eq(get("n"), 1113);
    ck_assert_int_eq(get("m"), 7);
    ck_assert_int_eq(get("t"), 2);
}
END_TEST

START_TEST(a_counter_wraps_round)
{
    add("n", INT64_MAX);
    add("n", 1);
    ck_assert_int_eq(get("n"), INT64_MIN);
}
END_TEST

static void (*const deletions[])(void) = {delete_row, delete_range, delete_partition};

// Loop test: each deletion, without and with flushes between.
START_TEST(after_a_deletion_counting_goes_on_from_the_old_number)
{
    bool flushes = _i >= 3;
    add("n", 5);
    if (flushes) engine_fixture_flush(engine);
    deletions[_i % 3]();
    if (flushes) engine_fixture_flush(engine);
    ck_assert_int_eq(get("n"), NULL_COUNT);
    add("n", 3);
    ck_assert_int_eq(get("n"), 8);
    if (flushes) engine_fixture_flush(engine);
    add("n", 1);
    ck_assert_int_eq(get("n"), 9);
}
END_TEST

START_TEST(a_deleted_column_stays_null)
{
    add("n", 5);
    add("m", 1);
    delete_column("n");
    add("n", 3);
    ck_assert_int_eq(get("n"), NULL_COUNT);
    engine_fixture_flush(engine);
    add("n", 3);
    ck_assert_int_eq(get("n"), NULL_COUNT);
    ck_assert_int_eq(get("m"), 1);
}
END_TEST

// What Cassandra's memtable does: the column's tombstone beats whatever comes, though the
// partition's deletion hides the tombstone itself.
START_TEST(a_deleted_column_stays_null_after_the_partition_was_deleted_too)
{
    add("n", 5);
    add("m", 1);
    delete_column("n");
    delete_partition();
    add("n", 3);
    add("m", 1);
    ck_assert_int_eq(get("n"), NULL_COUNT);
    ck_assert_int_eq(get("m"), 2);
}
END_TEST

START_TEST(after_a_truncation_counting_begins_at_0)
{
    add("n", 5);
    engine_fixture_flush(engine);
    add("n", 5);
    engine_fixture_truncate(engine, table->id);
    ck_assert_int_eq(get("n"), NULL_COUNT);
    add("n", 2);
    ck_assert_int_eq(get("n"), 2);
    restart(false);
    ck_assert_int_eq(get("n"), 2);
}
END_TEST

START_TEST(a_new_column_does_not_change_whose_count_is_whose)
{
    add("m", 5);
    add("n", 7);
    engine_fixture_flush(engine);
    // "a" stands before the others: each of them gets another index.
    struct table_builder *builder = table_builder_copy(table);
    table_builder_add_column(builder, slice_of_text("a"), type_of_kind(TYPE_COUNTER),
                             COLUMN_REGULAR, false);
    table_unref(table);
    table = table_builder_finish(builder);
    ck_assert_int_eq(engine_put_table(engine, table, NULL), STATUS_OK);
    add("a", 1);
    add("m", 1);
    add("n", 1);
    ck_assert_int_eq(get("a"), 1);
    ck_assert_int_eq(get("m"), 6);
    ck_assert_int_eq(get("n"), 8);
}
END_TEST

// A replica gives back a shard of ours that it had from us some time ago (a hint, a read repair),
// when the newer one is on the disk, on its way there, or still in the same memtable.
START_TEST(an_old_shard_of_ours_that_comes_back_is_not_counted_on)
{
    add("n", 4);
    struct slice old = arena_copy(&arena, engine_last_record(engine));
    add("n", 16);
    uint64_t position;
    if (_i == 1) engine_fixture_flush(engine);
    if (_i == 2) {
        // So is one that comes back after a clean stop, when the cache is empty.
        engine_fixture_close(engine);
        open_engine();
    }
    ck_assert_int_eq(engine_apply_record(engine, old, &position), STATUS_OK);
    engine_fixture_wait_synced(engine, position);
    add("n", 1);
    ck_assert_int_eq(get("n"), 21);
}
END_TEST

// Counters of many partitions: counts as they must be, and what a hint may bring back of each.
enum { CELLS = 60, RECORD_SIZE = 256 };
static struct counted {
    char key[8];
    int64_t count;
    uint8_t record[RECORD_SIZE];
    size_t record_size;
} counted[CELLS];

static void count_in(struct counted *cell, int64_t delta)
{
    key_text = cell->key;
    add("n", delta);
    cell->count += delta;
}

static void keep_record(struct counted *cell)
{
    struct slice record = engine_last_record(engine);
    ck_assert_uint_le(record.size, RECORD_SIZE);
    memcpy(cell->record, record.data, record.size);
    cell->record_size = record.size;
}

static void give_back(const struct counted *cell)
{
    uint64_t position;
    struct slice record = slice_make(cell->record, cell->record_size);
    ck_assert_int_eq(engine_apply_record(engine, record, &position), STATUS_OK);
}

static void check_counts(void)
{
    for (size_t i = 0; i < CELLS; i++) {
        key_text = counted[i].key;
        ck_assert_int_eq(get("n"), counted[i].count);
    }
}

// Loop test: a counter cache that keeps all cells, and one that keeps seven. What is found in it,
// in memtables or in SSTables is the newest shard, over flushes, also when an old one has come back
// and was flushed into the newest SSTable.
START_TEST(the_counter_cache_is_right_over_flushes)
{
    counter_cache_size = _i == 0 ? 0 : 128;
    is_hasty = true;
    restart(true);
    for (int i = 0; i < CELLS; i++) {
        counted[i] = (struct counted){.count = 0};
        (void)snprintf(counted[i].key, sizeof counted[i].key, "k%u", (unsigned)i % 1000);
        count_in(&counted[i], i + 1);
        keep_record(&counted[i]);
    }
    uint64_t random = 7;
    for (int round = 0; round < 3; round++) {
        engine_fixture_flush(engine);
        for (int step = 0; step < 60; step++) {
            random = random * 6364136223846793005 + 1442695040888963407;
            struct counted *cell = &counted[(random >> 33) % CELLS];
            if (random >> 62 == 0) {
                give_back(cell);
            } else {
                count_in(cell, (int64_t)(random >> 50 & 15) - 5);
                if (random >> 60 == 15) keep_record(cell);
            }
        }
        if (round == 1) restart(true); // The id lives on, the cache does not.
        check_counts();
    }
    // Everything old once more into an SSTable of its own, which is then the newest.
    engine_fixture_flush(engine);
    for (int i = 0; i < CELLS; i++)
        give_back(&counted[i]);
    engine_fixture_flush(engine);
    for (int i = 0; i < CELLS; i++)
        count_in(&counted[i], 1000);
    check_counts();
    engine_fixture_flush(engine);
    restart(false);
    for (int i = 0; i < CELLS; i++)
        count_in(&counted[i], 1);
    check_counts();
}
END_TEST

START_TEST(only_a_clean_stop_keeps_the_counter_id)
{
    struct uuid first = engine_counter_id(engine);
    add("n", 1);
    restart(true);
    struct uuid second = engine_counter_id(engine);
    ck_assert(uuid_equals(first, second));
    add("n", 1);
    restart(false);
    struct uuid third = engine_counter_id(engine);
    ck_assert(!uuid_equals(second, third));
    restart(false);
    ck_assert(!uuid_equals(third, engine_counter_id(engine)));
}
END_TEST

START_TEST(increments_of_one_update_are_one_mutation)
{
    struct clustering clustering = row_c1();
    struct counter_increment increments[] = {{&clustering, column_of("n"), 1},
                                             {NULL, column_of("t"), 2},
                                             {&clustering, column_of("m"), 3},
                                             {&clustering, column_of("n"), 4}};
    struct counter_update update = {.table = table,
                                    .key = partition_key_make(slice_of_text("k1")),
                                    .increments = increments,
                                    .increment_count = 4,
                                    .timestamp_us = ++now_us};
    struct read_pins pins;
    read_pins_init(&pins);
    const struct mutation *applied;
    uint64_t position;
    ck_assert_int_eq(engine_increment(engine, &update, &pins, &arena, &applied, &position),
                     STATUS_OK);
    ck_assert_uint_eq(applied->row_count, 1);
    ck_assert_uint_eq(applied->rows[0].cell_count, 2);
    ck_assert_uint_eq(applied->static_row->cell_count, 1);
    ck_assert_int_eq(get("n"), 5);
    ck_assert_int_eq(get("m"), 3);
    ck_assert_int_eq(get("t"), 2);
    engine_fixture_wait_synced(engine, position);
}
END_TEST

// Gives column n of row c1 shards of others, `count` from the number `first` on, each of count 1.
static void put_shards(unsigned first, unsigned count)
{
    struct buffer context;
    buffer_init(&context, MIB);
    buffer_put_u16(&context, (uint16_t)count);
    for (unsigned i = 0; i < count; i++)
        buffer_put_u16(&context, (uint16_t)(i | 0x8000));
    for (unsigned i = 0; i < count; i++) {
        buffer_put_u64(&context, first + i); // The id.
        buffer_put_u64(&context, 0);
        buffer_put_u64(&context, 1);
        buffer_put_u64(&context, 1);
    }
    struct cell cell = {.column = column_of("n"),
                        .local_time = LOCAL_TIME_NONE,
                        .timestamp = ++now_us,
                        .value = buffer_slice(&context)};
    struct row row = {.clustering = row_c1(),
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(slice_of_text("k1")),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    apply(&mutation);
    buffer_deinit(&context);
}

// Loop test: the shards are in memory, in one SSTable, in several of which some have the same.
START_TEST(a_cell_has_a_limit_of_shards)
{
    enum { HALF = COUNTER_SHARDS_MAX / 2 };
    put_shards(0, HALF);
    if (_i > 0) engine_fixture_flush(engine);
    if (_i > 1) put_shards(0, HALF);
    if (_i > 1) engine_fixture_flush(engine);
    put_shards(HALF, HALF - 1);
    if (_i > 0) engine_fixture_flush(engine);
    add("n", 1);
    ck_assert_int_eq(get("n"), COUNTER_SHARDS_MAX);
    engine_fixture_flush(engine);
    restart(false); // And so with another id.
    ck_assert_int_eq(try_add("n", 1), STATUS_OVERLOADED);
    ck_assert_int_eq(get("n"), COUNTER_SHARDS_MAX);
    add("m", 1);
    ck_assert_int_eq(get("m"), 1);
}
END_TEST

int main(void)
{
    TCase *counters = tcase_create("counters");
    tcase_add_checked_fixture(counters, setup, teardown);
    tcase_add_test(counters, increments_add_up_in_memory_on_disk_and_over_restarts);
    tcase_add_test(counters, a_counter_wraps_round);
    tcase_add_loop_test(counters, after_a_deletion_counting_goes_on_from_the_old_number, 0, 6);
    tcase_add_test(counters, a_deleted_column_stays_null);
    tcase_add_test(counters, a_deleted_column_stays_null_after_the_partition_was_deleted_too);
    tcase_add_test(counters, after_a_truncation_counting_begins_at_0);
    tcase_add_test(counters, a_new_column_does_not_change_whose_count_is_whose);
    tcase_add_loop_test(counters, an_old_shard_of_ours_that_comes_back_is_not_counted_on, 0, 3);
    tcase_add_loop_test(counters, the_counter_cache_is_right_over_flushes, 0, 2);
    tcase_add_test(counters, only_a_clean_stop_keeps_the_counter_id);
    tcase_add_test(counters, increments_of_one_update_are_one_mutation);
    tcase_add_loop_test(counters, a_cell_has_a_limit_of_shards, 0, 3);
    Suite *suite = suite_create("engine_counter");
    suite_add_tcase(suite, counters);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
