// Rows by value: written, changed and removed, over flushes and crashes; indexes that come and go.
#include "storage/engine/engine_import.h"
#include "storage/engine/engine_index.h"
#include "storage/engine/engine_internal.h"
#include "storage/index/index_table.h"
#include "tests/storage/support/engine_fixture.h"
#include "tests/storage/support/failing_env.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct uuid index_a = {{1, 1}}, index_s = {{1, 2}}, index_e = {{1, 3}};
static const struct table *plain, *table; // Without indexes, and with.
static struct schema *schema;
static struct engine *engine;
static struct arena arena;
static struct error error;
static int64_t timestamp;
static bool import_is_done;

static void add_index(struct table_builder *builder, struct uuid id, const char *column,
                      enum index_target target)
{
    struct index_definition index = {
        .id = id, .name = slice_of_text(column), .column = slice_of_text(column), .target = target};
    table_builder_add_index(builder, &index);
}

static void open_engine(void)
{
    struct engine_options options = {.directory = engine_fixture_directory()};
    enum status status = engine_open(engine_fixture_env(), &options, schema, &engine, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

static void put(const struct table *version)
{
    ck_assert_int_eq(schema_put_table(schema, version), STATUS_OK);
    if (engine != NULL) ck_assert_int_eq(engine_put_table(engine, version, &error), STATUS_OK);
}

static void setup(void)
{
    engine_fixture_setup();
    plain = engine_fixture_table("t", false);
    struct table_builder *builder = table_builder_copy(plain);
    add_index(builder, index_a, "a", INDEX_TARGET_SIMPLE);
    add_index(builder, index_s, "s", INDEX_TARGET_SIMPLE);
    add_index(builder, index_e, "e", INDEX_TARGET_VALUES);
    table = table_builder_finish(builder);
    schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    arena_init(&arena, 4096);
    engine = NULL;
    timestamp = 0;
    put(table);
    open_engine();
}

static void teardown(void)
{
    if (engine != NULL) engine_fixture_close(engine);
    arena_deinit(&arena);
    schema_destroy(schema);
    table_unref(table);
    table_unref(plain);
    engine_fixture_teardown();
}

// What reads removed and what is built may be on its way to the log.
static void wait_still(void)
{
    uint64_t position;
    do {
        position = engine_last_position(engine);
        engine_fixture_wait_synced(engine, position);
        for (int turns = 0; turns < 3; turns++)
            engine_fixture_settle(engine);
    } while (engine_last_position(engine) != position);
}

static void open_again(void)
{
    wait_still();
    engine_fixture_crash(engine);
    open_engine();
}

// ---- Writing ------------------------------------------------------------------------------------

static void apply(const char *key, const struct row *row, bool is_static, struct deletion deletion)
{
    struct mutation mutation = {.table = schema_find_table_by_id(schema, table->id),
                                .key = partition_key_make(slice_of_text(key)),
                                .deletion = deletion,
                                .static_row = is_static ? row : NULL,
                                .rows = row,
                                .row_count = is_static || row == NULL ? 0 : 1};
    uint64_t position;
    ck_assert_int_eq(engine_apply(engine, &mutation, &position), STATUS_OK);
    engine_fixture_wait_synced(engine, position);
}

static void write_at(const char *key, const char *clustering, const char *column, const char *value,
                     int64_t at)
{
    const struct column *found = table_find_column(table, slice_of_text(column));
    bool is_static = found->kind == COLUMN_STATIC, is_set = found->type->kind == TYPE_SET;
    struct slice place = slice_of_text(clustering);
    struct cell cell = {.column = found->index,
                        .local_time = LOCAL_TIME_NONE,
                        .timestamp = at,
                        .value = is_set ? slice_make("", 0) : slice_of_text(value)};
    if (is_set) cell.path = slice_of_text(value);
    struct row row = {
        .liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cells = &cell, .cell_count = 1};
    if (!is_static) row.clustering = (struct clustering){1, &place};
    apply(key, &row, is_static, DELETION_NONE);
}

static void write_cell(const char *key, const char *clustering, const char *column,
                       const char *value)
{
    write_at(key, clustering, column, value, ++timestamp);
}

static void delete_row(const char *key, const char *clustering)
{
    struct slice place = slice_of_text(clustering);
    struct row row = {
        .clustering = {1, &place}, .liveness = LIVENESS_NONE, .deletion = {++timestamp, 1000}};
    apply(key, &row, false, DELETION_NONE);
}

// ---- Reading ------------------------------------------------------------------------------------

static enum status read_rows(struct uuid index, const char *value, const struct scan_range *range,
                             const struct clustering_range *rows, struct read_pins *pins,
                             char *text, size_t size)
{
    struct engine_index_query query = {index, index_table_key(slice_of_text(value), &arena), 1000};
    struct partition_filter filter = {rows, 1, false, true};
    struct scan_iterator *scan;
    uint64_t position = 0;
    text[0] = '\0';
    enum status status = engine_index_scan(engine, schema_find_table_by_id(schema, table->id),
                                           &query, range, &filter, pins, &arena, &scan, &position);
    if (status != STATUS_OK) return status;
    struct partition_iterator *partition;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        struct unfiltered unfiltered;
        if (partition->static_row != NULL)
            (void)snprintf(text + strlen(text), size - strlen(text), "%.*s ",
                           (int)partition->key.bytes.size, (const char *)partition->key.bytes.data);
        while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
            struct slice place = unfiltered.row->clustering.values[0];
            (void)snprintf(text + strlen(text), size - strlen(text), "%.*s/%.*s ",
                           (int)partition->key.bytes.size, (const char *)partition->key.bytes.data,
                           (int)place.size, (const char *)place.data);
        }
        partition_iterator_close(partition);
        if (status != STATUS_END) break;
    }
    scan_iterator_close(scan);
    return status == STATUS_END ? STATUS_OK : status;
}

static const char *find_in(struct uuid index, const char *value, const struct scan_range *range,
                           const struct clustering_range *rows)
{
    static char text[65536];
    struct read_pins pins;
    read_pins_init(&pins);
    enum status status;
    while ((status = read_rows(index, value, range, rows, &pins, text, sizeof text)) ==
           STATUS_WOULD_BLOCK)
        engine_fixture_load(engine, &pins);
    read_pins_release(&pins);
    arena_reset(&arena);
    return status == STATUS_OK ? text : status == STATUS_UNSUPPORTED ? "not built" : "fault";
}

static const char *find(struct uuid index, const char *value)
{
    struct scan_range range = SCAN_RANGE_ALL;
    struct clustering_range rows = CLUSTERING_RANGE_ALL;
    return find_in(index, value, &range, &rows);
}

static void wait_built(struct uuid index)
{
    for (int i = 0; i < 1000 && !engine_index_is_built(engine, table->id, index); i++)
        engine_fixture_settle(engine);
    ck_assert(engine_index_is_built(engine, table->id, index));
}

// 40 partitions of 12 rows and some more: several slices, and partitions that lie across them.
static void write_many(void)
{
    for (int i = 0; i < 500; i++) {
        char key[16], clustering[16];
        (void)snprintf(key, sizeof key, "k%d", i < 480 ? i / 12 : 99);
        (void)snprintf(clustering, sizeof clustering, "c%03d", i);
        write_cell(key, clustering, "a", i % 50 == 0 ? "rare" : "often");
        if (i == 250) engine_fixture_flush(engine);
    }
    write_cell("k7", "", "s", "x");
}

static size_t count_words(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == ' ';
    return count;
}

// ---- Tests --------------------------------------------------------------------------------------

START_TEST(rows_are_found_by_what_they_have)
{
    write_cell("k1", "c1", "a", "x");
    write_cell("k1", "c2", "a", "y");
    write_cell("k1", "c3", "a", "x");
    write_cell("k1", "", "s", "x");
    write_cell("k1", "c2", "e", "p");
    write_cell("k1", "c2", "e", "q");
    for (int flushed = 0; flushed < 2; flushed++) {
        ck_assert_str_eq(find(index_a, "x"), "k1/c1 k1/c3 ");
        ck_assert_str_eq(find(index_a, "z"), "");
        ck_assert_str_eq(find(index_s, "x"), "k1 ");
        ck_assert_str_eq(find(index_e, "q"), "k1/c2 ");
        engine_fixture_flush(engine);
    }
}
END_TEST

START_TEST(what_changed_is_no_longer_found)
{
    write_cell("k1", "c1", "a", "x");
    write_cell("k1", "c2", "a", "x");
    engine_fixture_flush(engine);
    write_cell("k1", "c1", "a", "y");
    delete_row("k1", "c2");
    ck_assert_str_eq(find(index_a, "x"), "");
    ck_assert_str_eq(find(index_a, "y"), "k1/c1 ");
    ck_assert_str_eq(find(index_a, "x"), ""); // Its entries are gone now.
    write_cell("k1", "c1", "a", "x");
    ck_assert_str_eq(find(index_a, "x"), "k1/c1 ");
}
END_TEST

START_TEST(entries_of_many_rows_go_at_once)
{
    write_many();
    for (int i = 0; i < 480; i++) {
        char key[16], clustering[16];
        (void)snprintf(key, sizeof key, "k%d", i / 12);
        (void)snprintf(clustering, sizeof clustering, "c%03d", i);
        write_cell(key, clustering, "a", "other");
    }
    uint64_t before = engine_last_position(engine);
    ck_assert_uint_eq(count_words(find(index_a, "often")), 20);
    ck_assert_uint_gt(engine_last_position(engine), before);
    before = engine_last_position(engine);
    ck_assert_uint_eq(count_words(find(index_a, "often")), 20);
    ck_assert_uint_eq(engine_last_position(engine), before); // All were gone.
    ck_assert_uint_eq(count_words(find(index_a, "other")), 480);
}
END_TEST

START_TEST(an_entry_that_was_removed_comes_back_with_an_older_change)
{
    write_at("k1", "c1", "a", "x", 5);
    write_at("k1", "c1", "a", "y", 10);
    ck_assert_str_eq(find(index_a, "x"), "");
    // By its own time it is older than what was removed, and still what the other row has.
    write_at("k1", "c1", "e", "x", 1);
    write_at("k1", "c2", "a", "x", 2);
    write_at("k1", "c1", "a", "x", 11);
    ck_assert_str_eq(find(index_a, "x"), "k1/c1 k1/c2 ");
    write_at("k1", "c1", "a", "z", 12);
    ck_assert_str_eq(find(index_a, "x"), "k1/c2 ");
    write_at("k1", "c1", "a", "x", 3); // It does not win.
    ck_assert_str_eq(find(index_a, "x"), "k1/c2 ");
}
END_TEST

START_TEST(a_crash_loses_nothing_that_was_synced)
{
    write_cell("k1", "c1", "a", "x");
    engine_fixture_flush(engine);
    write_cell("k1", "c2", "a", "x");
    open_again();
    ck_assert(engine_index_is_built(engine, table->id, index_a));
    ck_assert_str_eq(find(index_a, "x"), "k1/c1 k1/c2 ");
    write_cell("k1", "c1", "a", "y");
    ck_assert_str_eq(find(index_a, "x"), "k1/c2 ");
    open_again();
    ck_assert_str_eq(find(index_a, "x"), "k1/c2 ");
    write_cell("k1", "c1", "a", "x");
    open_again();
    ck_assert_str_eq(find(index_a, "x"), "k1/c1 k1/c2 ");
}
END_TEST

START_TEST(an_index_that_comes_later_is_built)
{
    put(plain);
    ck_assert_str_eq(find(index_a, "x"), "not built");
    write_many();
    put(table);
    ck_assert_str_eq(find(index_a, "rare"), "not built");
    write_cell("late", "c1", "a", "rare");
    wait_built(index_s);
    wait_built(index_a);
    ck_assert_uint_eq(count_words(find(index_a, "rare")), 11);
    ck_assert_uint_eq(count_words(find(index_a, "often")), 490);
    ck_assert_str_eq(find(index_s, "x"), "k7 ");
    open_again();
    ck_assert(engine_index_is_built(engine, table->id, index_a));
    ck_assert_uint_eq(count_words(find(index_a, "often")), 490);
}
END_TEST

// More of them than a slice has rows, and no row between: there is no place to go on from.
START_TEST(an_index_is_built_behind_many_deleted_ranges)
{
    put(plain);
    write_cell("k", "a", "a", "x");
    write_cell("k", "z", "a", "x");
    for (int i = 0; i < 300; i++) {
        char first[16], last[16];
        (void)snprintf(first, sizeof first, "b%03d-1", i);
        (void)snprintf(last, sizeof last, "b%03d-2", i);
        struct slice start = slice_of_text(first), end = slice_of_text(last);
        struct range_deletion range = {
            {{BOUND_INCL_START, {1, &start}}, {BOUND_INCL_END, {1, &end}}}, {++timestamp, 1000}};
        struct mutation mutation = {.table = plain,
                                    .key = partition_key_make(slice_of_text("k")),
                                    .deletion = DELETION_NONE,
                                    .range_deletions = &range,
                                    .range_deletion_count = 1};
        uint64_t position;
        ck_assert_int_eq(engine_apply(engine, &mutation, &position), STATUS_OK);
    }
    wait_still(); // The indexes have their former ids: these are to be gone.
    put(table);
    wait_built(index_a);
    ck_assert_str_eq(find(index_a, "x"), "k/a k/z ");
}
END_TEST

// The disk is full when an index is to be made, and the table's columns are others from then on.
START_TEST(an_index_that_can_not_be_made_takes_no_other_along)
{
    struct failing_env failing;
    failing_env_init(&failing, engine_fixture_env());
    engine_fixture_close(engine);
    struct engine_options options = {.directory = engine_fixture_directory()};
    ck_assert_int_eq(engine_open(&failing.base, &options, schema, &engine, &error), STATUS_OK);
    write_cell("k1", "c1", "a", "x");
    wait_built(index_a);
    struct table_builder *builder = table_builder_copy(table);
    table_builder_add_column(builder, slice_of_text("_"), type_of_kind(TYPE_TEXT), COLUMN_REGULAR,
                             false);
    add_index(builder, (struct uuid){{1, 9}}, "b", INDEX_TARGET_SIMPLE);
    table_unref(table);
    table = table_builder_finish(builder);
    failing.kinds = 1u << FAILING_MAKE_DIR;
    failing.status = STATUS_NO_SPACE;
    failing.countdown = 1;
    failing.for_good = true;
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    ck_assert_int_eq(engine_put_table(engine, table, &error), STATUS_NO_SPACE);
    write_cell("k2", "c1", "a", "x");
    write_cell("k2", "c1", "b", "y");
    ck_assert_uint_eq(count_words(find(index_a, "x")), 2);
    ck_assert_str_eq(find((struct uuid){{1, 9}}, "y"), "not built");
    open_again();
    wait_built((struct uuid){{1, 9}});
    ck_assert_uint_eq(count_words(find(index_a, "x")), 2);
    ck_assert_str_eq(find((struct uuid){{1, 9}}, "y"), "k2/c1 ");
}
END_TEST

static void fail_to_make_directories(struct failing_env *failing, uint64_t countdown)
{
    failing->kinds = 1u << FAILING_MAKE_DIR;
    failing->status = STATUS_NO_SPACE;
    failing->countdown = countdown;
    failing->for_good = true;
}

static void await_table(struct uuid id)
{
    struct engine_table_stats stats;
    for (int i = 0; i < 2000 && !engine_table_stats(engine, id, &stats); i++) {
        usleep(1000);
        engine_fixture_wait_synced(engine, engine_synced_position(engine));
    }
    ck_assert(engine_table_stats(engine, id, &stats));
}

// The disk was full; nobody starts the node anew.
START_TEST(what_could_not_be_made_is_made_later)
{
    static const struct uuid first = {{1, 9}}, second = {{1, 10}};
    struct failing_env failing;
    failing_env_init(&failing, engine_fixture_env());
    engine_fixture_close(engine);
    struct engine_options options = {.directory = engine_fixture_directory(),
                                     .compaction_interval_ns = 5000000};
    ck_assert_int_eq(engine_open(&failing.base, &options, schema, &engine, &error), STATUS_OK);
    write_cell("k1", "c1", "a", "x");
    write_cell("k1", "c1", "b", "y");
    const struct table *other = engine_fixture_table("u", false);
    struct table_builder *builder = table_builder_copy(table);
    add_index(builder, first, "b", INDEX_TARGET_SIMPLE);
    add_index(builder, second, "a", INDEX_TARGET_SIMPLE);
    table_unref(table);
    table = table_builder_finish(builder);
    fail_to_make_directories(&failing, 1);
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    ck_assert_int_eq(schema_put_table(schema, other), STATUS_OK);
    ck_assert_int_eq(engine_put_table(engine, table, &error), STATUS_NO_SPACE);
    ck_assert_int_eq(engine_put_table(engine, other, &error), STATUS_NO_SPACE);
    ck_assert_str_eq(find(first, "y"), "not built");
    failing.kinds = 1u << FAILING_LOCK;
    await_table(other->id);
    wait_built(first);
    wait_built(second);
    ck_assert_str_eq(find(first, "y"), "k1/c1 ");
    ck_assert_str_eq(find(second, "x"), "k1/c1 ");
    table_unref(other);
    open_again();
}
END_TEST

// The version that is tried again is never older than the one that is there.
START_TEST(what_was_made_later_is_of_the_newest_version)
{
    struct failing_env failing;
    failing_env_init(&failing, engine_fixture_env());
    engine_fixture_close(engine);
    struct engine_options options = {.directory = engine_fixture_directory(),
                                     .compaction_interval_ns = 1000000};
    ck_assert_int_eq(engine_open(&failing.base, &options, schema, &engine, &error), STATUS_OK);
    const struct table *older = engine_fixture_table("u", false);
    struct table_builder *builder = table_builder_copy(older);
    table_builder_add_column(builder, slice_of_text("_"), type_of_kind(TYPE_TEXT), COLUMN_REGULAR,
                             false);
    const struct table *newer = table_builder_finish(builder);
    fail_to_make_directories(&failing, 1);
    ck_assert_int_eq(schema_put_table(schema, newer), STATUS_OK);
    ck_assert_int_eq(engine_put_table(engine, older, &error), STATUS_NO_SPACE);
    failing.kinds = 1u << FAILING_LOCK;
    ck_assert_int_eq(engine_put_table(engine, newer, &error), STATUS_OK);
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        engine_fixture_wait_synced(engine, engine_synced_position(engine));
    }
    ck_assert_ptr_eq(engine_find_table(engine, newer->id)->table, newer);
    table_unref(older);
    table_unref(newer);
    open_again();
}
END_TEST

// Of two that are made at once only one can: it is built all the same.
START_TEST(an_index_is_built_beside_one_that_can_not_be_made)
{
    static const struct uuid first = {{1, 9}}, second = {{1, 10}};
    struct failing_env failing;
    failing_env_init(&failing, engine_fixture_env());
    engine_fixture_close(engine);
    struct engine_options options = {.directory = engine_fixture_directory()};
    ck_assert_int_eq(engine_open(&failing.base, &options, schema, &engine, &error), STATUS_OK);
    write_cell("k1", "c1", "a", "x");
    struct table_builder *builder = table_builder_copy(table);
    add_index(builder, first, "a", INDEX_TARGET_SIMPLE);
    add_index(builder, second, "b", INDEX_TARGET_SIMPLE);
    table_unref(table);
    table = table_builder_finish(builder);
    fail_to_make_directories(&failing, 4); // Three are those of the first.
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    ck_assert_int_eq(engine_put_table(engine, table, &error), STATUS_NO_SPACE);
    wait_built(first);
    ck_assert_str_eq(find(first, "x"), "k1/c1 ");
    ck_assert_str_eq(find(second, "x"), "not built");
    open_again();
}
END_TEST

START_TEST(what_was_not_built_when_it_crashed_is_built_at_the_start)
{
    // Each index has an id of its own, also one whose name was used before.
    const struct uuid fresh = {{1, 9}};
    struct table_builder *builder = table_builder_copy(plain);
    add_index(builder, fresh, "a", INDEX_TARGET_SIMPLE);
    const struct table *later = table_builder_finish(builder);
    put(plain);
    write_many();
    wait_still();
    engine_fixture_crash(engine);
    engine = NULL;
    put(later);
    open_engine();
    wait_built(fresh);
    ck_assert_uint_eq(count_words(find(fresh, "rare")), 10);
    table_unref(later);
}
END_TEST

START_TEST(ranges_of_the_ring_and_of_rows_hold)
{
    write_many();
    struct partition_key key = partition_key_make(slice_of_text("k3"));
    struct scan_bound bound = {key.token, key.bytes, true};
    struct scan_range one = {bound, bound};
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    ck_assert_uint_eq(count_words(find_in(index_a, "often", &one, &all)), 12);
    struct slice place = slice_of_text("c040");
    struct clustering_range behind = {{BOUND_EXCL_START, {1, &place}}, BOUND_TOP};
    ck_assert_str_eq(find_in(index_a, "often", &one, &behind),
                     "k3/c041 k3/c042 k3/c043 k3/c044 k3/c045 k3/c046 k3/c047 ");
    struct scan_range before = SCAN_RANGE_ALL, rest = SCAN_RANGE_ALL;
    before.end = (struct scan_bound){key.token, key.bytes, false};
    rest.start = bound;
    size_t first = count_words(find_in(index_a, "often", &before, &all));
    ck_assert_uint_eq(first + count_words(find_in(index_a, "often", &rest, &all)), 490);
}
END_TEST

START_TEST(a_truncation_takes_the_entries_too)
{
    write_many();
    engine_fixture_truncate(engine, table->id);
    wait_built(index_a);
    ck_assert_str_eq(find(index_a, "often"), "");
    write_cell("k1", "c1", "a", "rare");
    open_again();
    wait_built(index_a);
    ck_assert_str_eq(find(index_a, "often"), "");
    ck_assert_str_eq(find(index_a, "rare"), "k1/c1 ");
}
END_TEST

START_TEST(an_index_that_is_dropped_leaves_nothing)
{
    write_cell("k1", "c1", "a", "x");
    engine_fixture_flush(engine);
    struct engine_table_stats stats;
    ck_assert(engine_table_stats(engine, index_a, &stats));
    put(plain);
    engine_fixture_settle(engine);
    ck_assert(!engine_table_stats(engine, index_a, &stats));
    ck_assert_str_eq(find(index_a, "x"), "not built");
    write_cell("k1", "c1", "a", "y");
    open_again();
    put(table);
    wait_built(index_a);
    ck_assert_str_eq(find(index_a, "x"), "");
    ck_assert_str_eq(find(index_a, "y"), "k1/c1 ");
    engine_drop_table(engine, table->id);
    engine_fixture_settle(engine);
    ck_assert(!engine_table_stats(engine, index_a, &stats));
}
END_TEST

START_TEST(an_index_that_was_dropped_meanwhile_goes_at_the_start)
{
    write_cell("k1", "c1", "a", "x");
    engine_fixture_flush(engine);
    wait_still();
    char path[600];
    int size = snprintf(path, sizeof path, "%s/manifest/", engine_fixture_directory());
    for (size_t i = 0; i < sizeof index_a.bytes; i++)
        size += snprintf(path + size, sizeof path - (size_t)size, "%02x", index_a.bytes[i]);
    ck_assert_int_eq(access(path, F_OK), 0);
    engine_fixture_crash(engine);
    engine = NULL;
    put(plain);
    open_engine();
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

static void imported(struct engine_import *import, enum status status, const struct error *why)
{
    (void)import, (void)why;
    ck_assert_int_eq(status, STATUS_OK);
    import_is_done = true;
}

// Links to the table's SSTables, in a directory beside.
static void link_sstables(char directory[600])
{
    char from[600], path[1200], to[1200];
    (void)snprintf(directory, 600, "%s/others", engine_fixture_directory());
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    int size = snprintf(from, sizeof from, "%s/data/ks/t-", engine_fixture_directory());
    for (size_t i = 0; i < sizeof table->id.bytes; i++)
        size += snprintf(from + size, sizeof from - (size_t)size, "%02x", table->id.bytes[i]);
    DIR *listing = opendir(from);
    ck_assert(listing != NULL);
    const struct dirent *entry;
    while ((entry = readdir(listing)) != NULL) {
        if (strstr(entry->d_name, "-big-") == NULL) continue;
        (void)snprintf(path, sizeof path, "%s/%s", from, entry->d_name);
        (void)snprintf(to, sizeof to, "%s/%s", directory, entry->d_name);
        ck_assert_int_eq(link(path, to), 0);
    }
    (void)closedir(listing);
}

START_TEST(rows_that_are_imported_are_found)
{
    char directory[600];
    write_many();
    engine_fixture_flush(engine);
    link_sstables(directory);
    engine_fixture_truncate(engine, table->id);
    wait_built(index_a);
    write_cell("late", "c1", "a", "rare");
    struct engine_import import;
    struct engine_import_options options = {
        .table = table->id, .directory = directory, .copies = true};
    engine_import(engine, &options, &import, imported);
    engine_fixture_run_until(&import_is_done);
    ck_assert_uint_gt(import.imported_count, 0);
    wait_built(index_a);
    ck_assert_uint_eq(count_words(find(index_a, "rare")), 11);
    open_again();
    ck_assert_uint_eq(count_words(find(index_a, "rare")), 11);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("engine_index");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, rows_are_found_by_what_they_have);
    tcase_add_test(tcase, what_changed_is_no_longer_found);
    tcase_add_test(tcase, entries_of_many_rows_go_at_once);
    tcase_add_test(tcase, an_entry_that_was_removed_comes_back_with_an_older_change);
    tcase_add_test(tcase, a_crash_loses_nothing_that_was_synced);
    tcase_add_test(tcase, an_index_that_comes_later_is_built);
    tcase_add_test(tcase, an_index_is_built_behind_many_deleted_ranges);
    tcase_add_test(tcase, an_index_that_can_not_be_made_takes_no_other_along);
    tcase_add_test(tcase, what_could_not_be_made_is_made_later);
    tcase_add_test(tcase, what_was_made_later_is_of_the_newest_version);
    tcase_add_test(tcase, an_index_is_built_beside_one_that_can_not_be_made);
    tcase_add_test(tcase, what_was_not_built_when_it_crashed_is_built_at_the_start);
    tcase_add_test(tcase, ranges_of_the_ring_and_of_rows_hold);
    tcase_add_test(tcase, a_truncation_takes_the_entries_too);
    tcase_add_test(tcase, an_index_that_is_dropped_leaves_nothing);
    tcase_add_test(tcase, an_index_that_was_dropped_meanwhile_goes_at_the_start);
    tcase_add_test(tcase, rows_that_are_imported_are_found);
    Suite *suite = suite_create("engine_index");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
