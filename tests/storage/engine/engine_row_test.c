// A read of one row stops at the SSTables that can change nothing: what it says is what a read of
// the whole partition says, whatever was written, deleted and flushed in whatever order of
// timestamps; and the old SSTables are not looked at.
#include "base/limits.h"
#include "storage/engine/engine_internal.h"
#include "storage/sstable/reader.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <stdlib.h>

enum { ROWS = 6, ROUNDS = 12, STEPS = 14, NOW = 1000 };

static const struct table *table;
static struct schema *schema;
static struct engine *engine;
static struct arena arena;
static uint64_t seed;

static uint32_t pick(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void open_engine(void)
{
    struct engine_options options = {.directory = engine_fixture_directory()};
    struct error error = {0};
    enum status status = engine_open(engine_fixture_env(), &options, schema, &engine, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

// k blob, c int, a text, b text: nothing of which a read needs all there is.
static const struct table *make_table(void)
{
    struct uuid id = {{5}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("rows"), id);
    const struct type *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_BLOB),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), type_of_kind(TYPE_INT), COLUMN_CLUSTERING,
                             false);
    table_builder_add_column(builder, slice_of_text("a"), text, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("b"), text, COLUMN_REGULAR, false);
    return table_builder_finish(builder);
}

static void setup(void)
{
    engine_fixture_setup();
    table = make_table();
    schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    arena_init(&arena, 4096);
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

// ---- Writes -------------------------------------------------------------------------------------

static struct clustering clustering_of(int32_t number)
{
    uint8_t *bytes = arena_alloc(&arena, 4);
    bytes_put_u32(bytes, (uint32_t)number);
    struct slice *value = ARENA_NEW(&arena, struct slice);
    *value = slice_make(bytes, 4);
    return (struct clustering){1, value};
}

static void apply(struct mutation *mutation)
{
    uint64_t position;
    mutation->table = table;
    mutation->key = partition_key_make(slice_of_text("k"));
    ck_assert_int_eq(engine_apply(engine, mutation, &position), STATUS_OK);
    engine_fixture_wait_synced(engine, position);
}

static struct cell cell_of(uint16_t column, int64_t timestamp, bool is_deleted)
{
    return (struct cell){.column = column,
                         .local_time = is_deleted ? NOW : LOCAL_TIME_NONE,
                         .timestamp = timestamp,
                         .value = is_deleted
                                      ? slice_make("", 0)
                                      : slice_of_text(arena_format(&arena, "%u", pick(100)))};
}

// INSERT of all, or a random part of it.
static void write_row(int32_t place, int64_t timestamp, bool is_whole)
{
    struct cell cells[2];
    struct row row = {.clustering = clustering_of(place),
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = cells};
    for (uint16_t column = 0; column < 2; column++) {
        if (is_whole || pick(2) == 0)
            cells[row.cell_count++] = cell_of(column, timestamp, !is_whole && pick(3) == 0);
    }
    if (is_whole || pick(3) == 0)
        row.liveness = (struct liveness){timestamp, TTL_NONE, LOCAL_TIME_NONE};
    if (!is_whole && pick(5) == 0) row.deletion = (struct deletion){timestamp - 1, NOW};
    if (row_is_empty(&row)) return;
    struct mutation mutation = {.deletion = DELETION_NONE, .rows = &row, .row_count = 1};
    apply(&mutation);
}

static void write_something(void)
{
    int64_t timestamp = 1 + pick(60);
    int32_t place = (int32_t)pick(ROWS);
    switch (pick(12)) {
    case 0: {
        struct mutation mutation = {.deletion = {timestamp, NOW}};
        if (pick(3) == 0) apply(&mutation);
        break;
    }
    case 1: {
        struct range_deletion deletion = {
            {{BOUND_INCL_START, clustering_of(place)}, {BOUND_INCL_END, clustering_of(place + 2)}},
            {timestamp, NOW}};
        struct mutation mutation = {
            .deletion = DELETION_NONE, .range_deletions = &deletion, .range_deletion_count = 1};
        apply(&mutation);
        break;
    }
    default:
        write_row(place, timestamp, pick(2) == 0);
    }
}

// ---- Reads --------------------------------------------------------------------------------------

// The live rows of a range, a line each. False: something is to be loaded first.
static bool try_read(const struct clustering_range *range, struct read_pins *pins,
                     struct buffer *text)
{
    struct partition_filter filter = {.ranges = range, .range_count = 1};
    struct partition_key key = partition_key_make(slice_of_text("k"));
    struct partition_iterator *partition;
    uint64_t position = 0;
    buffer_clear(text);
    enum status status =
        engine_read(engine, table, &key, &filter, pins, &arena, &partition, &position);
    if (status == STATUS_WOULD_BLOCK) return false;
    ck_assert_int_eq(status, STATUS_OK);
    if (partition == NULL) return true;
    struct live_rows rows;
    live_rows_init(&rows, partition, NOW + 1, &arena);
    const struct live_row *row;
    while ((status = live_rows_next(&rows, &row)) == STATUS_OK) {
        buffer_put_format(text, "%u %lld", bytes_get_u32(row->clustering.values[0].data),
                          (long long)row->liveness.timestamp);
        for (uint32_t i = 0; i < row->cell_count; i++)
            buffer_put_format(text, " %u:%lld:%.*s", row->cells[i].column,
                              (long long)row->cells[i].timestamp, (int)row->cells[i].value.size,
                              (const char *)row->cells[i].value.data);
        buffer_put_u8(text, '\n');
    }
    live_rows_deinit(&rows);
    ck_assert(status == STATUS_END || status == STATUS_WOULD_BLOCK);
    return status == STATUS_END;
}

static void read_range(const struct clustering_range *range, struct buffer *text)
{
    struct read_pins pins;
    read_pins_init(&pins);
    while (!try_read(range, &pins, text))
        engine_fixture_load(engine, &pins);
    read_pins_release(&pins);
}

static void read_row(int32_t place, struct buffer *text)
{
    struct clustering clustering = clustering_of(place);
    struct clustering_range range = {{BOUND_INCL_START, clustering}, {BOUND_INCL_END, clustering}};
    read_range(&range, text);
}

START_TEST(one_row_is_what_the_partition_says)
{
    const char *given = getenv("HELENUS_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) + (uint64_t)_i : (uint64_t)_i + 1;
    struct buffer rows, row;
    buffer_init(&rows, MIB);
    buffer_init(&row, MIB);
    for (int round = 0; round < ROUNDS; round++) {
        for (int step = 0; step < STEPS; step++)
            write_something();
        if (pick(4) != 0) engine_fixture_flush(engine);
        if (pick(6) == 0) {
            engine_fixture_close(engine);
            open_engine();
        }
        struct clustering_range all = CLUSTERING_RANGE_ALL;
        read_range(&all, &rows);
        struct buffer one_by_one;
        buffer_init(&one_by_one, MIB);
        for (int32_t place = 0; place < ROWS + 3; place++) {
            read_row(place, &row);
            buffer_put(&one_by_one, row.data, row.size);
        }
        ck_assert_msg(slice_equals(buffer_slice(&rows), buffer_slice(&one_by_one)),
                      "HELENUS_SEED=%llu, round %d: the partition\n%.*sits rows\n%.*s",
                      (unsigned long long)seed, round, (int)rows.size, (const char *)rows.data,
                      (int)one_by_one.size, (const char *)one_by_one.data);
        buffer_deinit(&one_by_one);
        arena_reset(&arena);
    }
    buffer_deinit(&rows);
    buffer_deinit(&row);
}
END_TEST

// ---- What is looked at --------------------------------------------------------------------------

// A bit for each SSTable, the newest timestamp first: some chunk of it is in memory.
static unsigned looked_at(void)
{
    const struct engine_table *found = engine_find_table(engine, table->id);
    unsigned bits = 0;
    for (size_t i = 0; i < found->sstable_count; i++) {
        struct sstable_reader *reader = found->sstables[i].reader;
        for (size_t c = 0; c < reader_chunk_count(reader); c++)
            if (reader->slots[c] != NULL) bits |= 1u << i;
    }
    return bits;
}

static void reopen(void)
{
    engine_fixture_close(engine);
    open_engine();
}

START_TEST(older_sstables_are_not_looked_at)
{
    struct buffer text;
    buffer_init(&text, MIB);
    for (int i = 0; i < 3; i++) {
        write_row(1, 10 * (i + 1), true);
        write_row(2, 10 * (i + 1), i == 0);
        engine_fixture_flush(engine);
    }
    reopen();
    read_row(1, &text);
    ck_assert_uint_eq(looked_at(), 1);
    ck_assert_int_eq(memcmp(text.data, "1 30", 4), 0);
    reopen();
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    read_range(&all, &text);
    ck_assert_uint_eq(looked_at(), 7);
    // What is in memory is newer still; a row of which a part is open needs the next one.
    reopen();
    write_row(1, 90, true);
    read_row(1, &text);
    ck_assert_uint_eq(looked_at(), 0);
    ck_assert_int_eq(memcmp(text.data, "1 90", 4), 0);
    struct row deleted = {.clustering = clustering_of(2), .deletion = {25, NOW}};
    deleted.liveness = LIVENESS_NONE;
    struct mutation mutation = {.deletion = DELETION_NONE, .rows = &deleted, .row_count = 1};
    apply(&mutation);
    read_row(2, &text);
    ck_assert_uint_eq(looked_at(), 1);
    buffer_deinit(&text);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("row");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, one_row_is_what_the_partition_says, 0, 12);
    tcase_add_test(tcase, older_sstables_are_not_looked_at);
    Suite *suite = suite_create("engine_row");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
