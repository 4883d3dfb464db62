// Imports: files of others become the table's, whole or not at all; what is faulty stays where it
// was; counters go on under a new id.
#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/counter_context.h"
#include "storage/engine/engine_import.h"
#include "storage/engine/engine_internal.h"
#include "storage/merge/merge.h"
#include "tests/storage/support/engine_fixture.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct table *table, *counters;
static struct schema *schema;
static struct engine *engine;
static struct engine_options options;
static struct arena arena;
static struct error error;
static char root[512], other[512], table_directory[600], counter_directory[600];

static void open_engine(void)
{
    enum status status = engine_open(engine_fixture_env(), &options, schema, &engine, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

static void open_at(const char *directory)
{
    options = (struct engine_options){.directory = directory};
    open_engine();
}

static void setup(void)
{
    engine_fixture_setup();
    (void)snprintf(root, sizeof root, "%s/here", engine_fixture_directory());
    (void)snprintf(other, sizeof other, "%s/other", engine_fixture_directory());
    (void)snprintf(table_directory, sizeof table_directory,
                   "%s/data/ks/t-74000000000000000000000000000000", other);
    (void)snprintf(counter_directory, sizeof counter_directory,
                   "%s/data/ks/n-6e000000000000000000000000000000", other);
    table = engine_fixture_table("t", false);
    counters = engine_fixture_counter_table("n");
    schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    ck_assert_int_eq(schema_put_table(schema, counters), STATUS_OK);
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    if (engine != NULL) engine_fixture_close(engine);
    arena_deinit(&arena);
    schema_destroy(schema);
    table_unref(table);
    table_unref(counters);
    engine_fixture_teardown();
}

// ---- Rows ---------------------------------------------------------------------------------------

static void write_rows(int first, int end)
{
    static int64_t timestamp;
    uint64_t position = 0;
    for (int i = first; i < end; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        struct slice clustering = slice_of_text("c1");
        struct cell cell = {.column = table_find_column(table, slice_of_text("a"))->index,
                            .local_time = LOCAL_TIME_NONE,
                            .timestamp = ++timestamp,
                            .value = slice_of_text(key)};
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
        ck_assert_int_eq(engine_apply(engine, &mutation, &position), STATUS_OK);
    }
    engine_fixture_wait_synced(engine, position);
}

static void add(const char *key, int64_t delta)
{
    struct clustering clustering = {1, (struct slice[]){slice_of_text("c1")}};
    struct counter_increment increment = {
        &clustering, table_find_column(counters, slice_of_text("n"))->index, delta};
    struct counter_update update = {.table = counters,
                                    .key = partition_key_make(slice_of_text(key)),
                                    .increments = &increment,
                                    .increment_count = 1,
                                    .timestamp_us = env_wall_us(engine_fixture_env())};
    struct read_pins pins;
    read_pins_init(&pins);
    uint64_t position;
    enum status status;
    while ((status = engine_increment(engine, &update, &pins, &arena, NULL, &position)) ==
           STATUS_WOULD_BLOCK)
        engine_fixture_load(engine, &pins);
    ck_assert_int_eq(status, STATUS_OK);
    read_pins_release(&pins);
    engine_fixture_wait_synced(engine, position);
}

static bool try_count(const struct table *from, struct read_pins *pins, size_t *row_count,
                      int64_t *sum)
{
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&all, 1, false, true};
    struct scan_iterator *scan;
    uint64_t position = 0;
    *row_count = 0;
    *sum = 0;
    enum status status =
        engine_scan(engine, from, &SCAN_RANGE_ALL, &filter, pins, &arena, &scan, &position);
    if (status == STATUS_WOULD_BLOCK) return false;
    ck_assert_int_eq(status, STATUS_OK);
    struct partition_iterator *partition;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        struct live_rows rows;
        live_rows_init(&rows, partition, 1000, &arena);
        const struct live_row *row;
        while ((status = live_rows_next(&rows, &row)) == STATUS_OK) {
            const struct cell *cell;
            ++*row_count;
            if (from == counters &&
                live_row_cells(row, table_find_column(counters, slice_of_text("n"))->index,
                               &cell) == 1)
                *sum += counter_context_total(cell->value);
        }
        partition_iterator_close(partition);
        if (status != STATUS_END) break;
    }
    scan_iterator_close(scan);
    if (status == STATUS_WOULD_BLOCK) return false;
    ck_assert_int_eq(status, STATUS_END);
    return true;
}

static size_t count_rows(const struct table *from, int64_t *sum)
{
    struct read_pins pins;
    size_t count;
    read_pins_init(&pins);
    while (!try_count(from, &pins, &count, sum))
        engine_fixture_load(engine, &pins);
    read_pins_release(&pins);
    return count;
}

// ---- Imports ------------------------------------------------------------------------------------

struct importing {
    struct engine_import import;
    bool done;
    enum status status;
    char fault[600];
};

static void imported(struct engine_import *import, enum status status, const struct error *why)
{
    struct importing *importing = CONTAINER_OF(import, struct importing, import);
    importing->status = status;
    if (status != STATUS_OK) error = *why;
    if (import->fault_count > 0)
        (void)snprintf(importing->fault, sizeof importing->fault, "%s", import->faults[0]);
    importing->done = true;
}

static struct importing import_with(struct engine_import_options wanted)
{
    struct importing importing = {.done = false};
    engine_import(engine, &wanted, &importing.import, imported);
    engine_fixture_run_until(&importing.done);
    engine_check(engine);
    return importing;
}

static bool exists(const char *directory, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

static void reopen(void)
{
    engine_fixture_close(engine);
    open_engine();
}

START_TEST(files_are_moved_or_linked)
{
    open_at(other);
    write_rows(0, 100);
    engine_fixture_flush(engine);
    write_rows(50, 150);
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    open_at(root);
    write_rows(140, 160);
    struct importing importing = import_with((struct engine_import_options){
        .table = table->id, .directory = table_directory, .copies = _i == 1});
    ck_assert_msg(importing.status == STATUS_OK, "%s", error.text);
    ck_assert_msg(importing.import.fault_count == 0, "%s", importing.fault);
    ck_assert_uint_eq(importing.import.imported_count, 2);
    ck_assert_int_eq(exists(table_directory, "nb-1-big-Data.db"), _i == 1);
    int64_t sum;
    ck_assert_uint_eq(count_rows(table, &sum), 160);
    reopen();
    ck_assert_uint_eq(count_rows(table, &sum), 160);
    // A truncation takes it too.
    engine_fixture_truncate(engine, table->id);
    ck_assert_uint_eq(count_rows(table, &sum), 0);
    reopen();
    ck_assert_uint_eq(count_rows(table, &sum), 0);
}
END_TEST

START_TEST(a_truncation_before_it_does_not_take_it)
{
    open_at(other);
    write_rows(0, 10);
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    open_at(root);
    write_rows(10, 20);
    engine_fixture_truncate(engine, table->id);
    struct importing importing = import_with(
        (struct engine_import_options){.table = table->id, .directory = table_directory});
    ck_assert_int_eq(importing.status, STATUS_OK);
    int64_t sum;
    ck_assert_uint_eq(count_rows(table, &sum), 10);
    engine_abandon(engine);
    open_engine();
    ck_assert_uint_eq(count_rows(table, &sum), 10);
}
END_TEST

static void damage(const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", table_directory, name);
    int file = open(path, O_RDWR);
    ck_assert_int_ge(file, 0);
    struct stat state;
    ck_assert_int_eq(fstat(file, &state), 0);
    uint8_t byte;
    ck_assert_int_eq(pread(file, &byte, 1, state.st_size / 2), 1);
    byte ^= 0x10;
    ck_assert_int_eq(pwrite(file, &byte, 1, state.st_size / 2), 1);
    close(file);
}

START_TEST(what_is_faulty_stays_and_the_rest_comes)
{
    static const char *const names[] = {"nb-1-big-Data.db", "nb-1-big-Index.db",
                                        "nb-1-big-Statistics.db", "nb-1-big-CompressionInfo.db"};
    open_at(other);
    write_rows(0, 2000);
    engine_fixture_flush(engine);
    write_rows(2000, 2100);
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    damage(names[_i]);
    open_at(root);
    struct importing importing = import_with(
        (struct engine_import_options){.table = table->id, .directory = table_directory});
    ck_assert_int_eq(importing.status, STATUS_OK);
    ck_assert_uint_eq(importing.import.fault_count, 1);
    ck_assert_ptr_nonnull(strstr(importing.fault, "nb-1-big"));
    ck_assert_uint_eq(importing.import.imported_count, 1);
    ck_assert(exists(table_directory, "nb-1-big-Data.db"));
    ck_assert(!exists(table_directory, "nb-2-big-Data.db"));
    int64_t sum;
    ck_assert_uint_eq(count_rows(table, &sum), 100);
    reopen();
    ck_assert_uint_eq(count_rows(table, &sum), 100);
}
END_TEST

static const struct {
    const char *fault; // NULL: it comes.
} others[] = {
    {NULL},
    {"column a is of type text there, and of type int in the table"},
    {"column a is of type text there, and of type set<text> in the table"},
    {"column c is of type text there, and of type int in the table"},
    {"rows are ordered by column c the other way round"},
    {"Unknown column a during deserialization"}, // There is none.
    {"Unknown column a during deserialization"}, // It is a static one.
    {NULL},                                      // It was dropped.
    {"the key is none of the table's"},
};

// As engine_fixture_table("t"), but for what makes the difference.
static const struct table *make_other(int number)
{
    struct table_builder *builder = table_builder_create(table->keyspace, table->name, table->id);
    const struct type *text = type_of_kind(TYPE_TEXT), *integer = type_of_kind(TYPE_INT);
    const struct type *set = type_make_set(table_builder_arena(builder), text, false);
    table_builder_add_column(builder, slice_of_text("k"),
                             number == 8 ? integer : type_of_kind(TYPE_BLOB), COLUMN_PARTITION_KEY,
                             false);
    table_builder_add_column(builder, slice_of_text("c"), number == 3 ? integer : text,
                             COLUMN_CLUSTERING, number == 4);
    if (number < 5 || number == 6 || number == 8)
        table_builder_add_column(builder, slice_of_text("a"),
                                 number == 1   ? integer
                                 : number == 2 ? set
                                               : text,
                                 number == 6 ? COLUMN_STATIC : COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("b"), text, COLUMN_REGULAR, false);
    if (number == 7)
        table_builder_add_dropped(builder, slice_of_text("a"), text, COLUMN_REGULAR, 1000000);
    return table_builder_finish(builder);
}

// Values that are none of the table's would be written without their length by a compaction, which
// nobody could read again; and what a column has that the table does not would be gone.
START_TEST(files_of_another_table_are_refused)
{
    open_at(other);
    write_rows(0, 10);
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    const struct table *here = make_other(_i);
    ck_assert_int_eq(schema_put_table(schema, here), STATUS_OK);
    open_at(root);
    struct importing importing = import_with(
        (struct engine_import_options){.table = here->id, .directory = table_directory});
    ck_assert_int_eq(importing.status, STATUS_OK);
    bool comes = others[_i].fault == NULL;
    ck_assert_uint_eq(importing.import.imported_count, comes);
    ck_assert_uint_eq(importing.import.fault_count, !comes);
    if (!comes)
        ck_assert_msg(strstr(importing.fault, others[_i].fault) != NULL, "%s", importing.fault);
    table_unref(here);
}
END_TEST

static void flush_ended(struct engine_flush *flush, enum status status)
{
    (void)status;
    (void)flush;
    env_uv_stop(engine_fixture_env());
}

// The largest number that the name of a file can have: what there is goes on, and nothing is added.
START_TEST(numbers_of_sstables_may_come_to_their_end)
{
    open_at(other);
    write_rows(20, 30);
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    open_at(root);
    write_rows(0, 10);
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    char command[2000];
    (void)snprintf(command, sizeof command,
                   "cd %s/data/ks/t-74000000000000000000000000000000 && "
                   "for f in nb-1-*; do mv $f nb-2147483647-${f#nb-1-}; done && "
                   "rm %s/manifest/74000000000000000000000000000000",
                   root, root);
    ck_assert_int_eq(system(command), 0);
    open_engine();
    write_rows(10, 20);
    struct engine_flush flush;
    engine_flush(engine, &table->id, &flush, flush_ended);
    env_uv_run(engine_fixture_env());
    ck_assert_int_eq(flush.status, STATUS_OVERLOADED);
    struct importing importing = import_with(
        (struct engine_import_options){.table = table->id, .directory = table_directory});
    ck_assert_uint_eq(importing.import.imported_count, 0);
    int64_t sum;
    ck_assert_uint_eq(count_rows(table, &sum), 20);
    reopen();
    ck_assert_uint_eq(count_rows(table, &sum), 20);
}
END_TEST

START_TEST(tokens_of_others_are_refused)
{
    open_at(other);
    write_rows(0, 10);
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    open_at(root);
    struct import_range none = {{5}, {6}}, all = {{7}, {7}};
    struct importing importing =
        import_with((struct engine_import_options){.table = table->id,
                                                   .directory = table_directory,
                                                   .ranges = _i == 0 ? &none : &all,
                                                   .range_count = 1});
    ck_assert_int_eq(importing.status, STATUS_OK);
    ck_assert_uint_eq(importing.import.imported_count, (size_t)_i);
    if (_i == 0) ck_assert_ptr_nonnull(strstr(importing.fault, "--no-tokens"));
}
END_TEST

START_TEST(counters_go_on_under_a_new_id)
{
    open_at(other);
    add("k1", 100);
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    open_at(root);
    add("k1", 7);
    struct uuid before = engine_counter_id(engine);
    struct importing importing = import_with(
        (struct engine_import_options){.table = counters->id, .directory = counter_directory});
    ck_assert_msg(importing.import.fault_count == 0, "%s", importing.fault);
    struct uuid after = engine_counter_id(engine);
    ck_assert(!uuid_equals(before, after));
    int64_t sum;
    (void)count_rows(counters, &sum);
    ck_assert_int_eq(sum, 107);
    add("k1", 1);
    (void)count_rows(counters, &sum);
    ck_assert_int_eq(sum, 108);
    if (_i == 0) {
        reopen();
        ck_assert(uuid_equals(after, engine_counter_id(engine)));
    } else {
        engine_abandon(engine);
        open_engine();
    }
    add("k1", 1);
    (void)count_rows(counters, &sum);
    ck_assert_int_eq(sum, 109);
}
END_TEST

START_TEST(wrong_directories_are_told)
{
    open_at(root);
    struct importing importing = import_with(
        (struct engine_import_options){.table = table->id, .directory = table_directory});
    ck_assert_int_eq(importing.status, STATUS_NOT_FOUND);
    char own[600];
    (void)snprintf(own, sizeof own, "%s/data/ks/t-74000000000000000000000000000000/", root);
    importing = import_with((struct engine_import_options){.table = table->id, .directory = own});
    ck_assert_int_eq(importing.status, STATUS_INVALID);
    importing = import_with((struct engine_import_options){.table = {{1}}, .directory = root});
    ck_assert_int_eq(importing.status, STATUS_NOT_FOUND);
}
END_TEST

START_TEST(a_damaged_import_is_found_at_the_start)
{
    open_at(other);
    write_rows(0, 2000);
    engine_fixture_flush(engine);
    engine_fixture_close(engine);
    open_at(root);
    struct importing importing = import_with(
        (struct engine_import_options){.table = table->id, .directory = table_directory});
    ck_assert_uint_eq(importing.import.imported_count, 1);
    engine_fixture_close(engine);
    (void)snprintf(table_directory, sizeof table_directory,
                   "%s/data/ks/t-74000000000000000000000000000000", root);
    damage("nb-1-big-Index.db");
    ck_assert_int_eq(engine_open(engine_fixture_env(), &options, schema, &engine, &error),
                     STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "Index.db"));
    engine = NULL;
}
END_TEST

// ---- SSTables of version oa, as Cassandra 5 writes them ----------------------------------------

static const char *const golden_oa[] = {
    "c_deflate", "c_high",  "c_none",   "c_noop",        "c_raw",  "c_snappy", "c_zstd", "columns",
    "counters",  "deleted", "expiring", "named_by_uuid", "shapes", "single",   "wide"};

static enum status put_scan(struct scan_iterator *scan, struct buffer *text)
{
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        struct live_rows rows;
        const struct live_row *row;
        buffer_put(text, partition->key.bytes.data, partition->key.bytes.size);
        live_rows_init(&rows, partition, 1000, &arena);
        buffer_put_format(text, " static %d\n", rows.has_static_row);
        while ((status = live_rows_next(&rows, &row)) == STATUS_OK) {
            for (uint16_t i = 0; i < row->clustering.count; i++)
                buffer_put(text, row->clustering.values[i].data, row->clustering.values[i].size);
            for (uint16_t c = 0; c < partition->table->column_counts[COLUMN_REGULAR]; c++) {
                const struct cell *cells;
                uint32_t count = live_row_cells(row, c, &cells);
                for (uint32_t i = 0; i < count; i++)
                    buffer_put(text, cells[i].value.data, cells[i].value.size);
                buffer_put(text, "|", 1);
            }
            buffer_put(text, "\n", 1);
        }
        live_rows_deinit(&rows);
        partition_iterator_close(partition);
        if (status != STATUS_END) break;
    }
    scan_iterator_close(scan);
    return status;
}

static void put_files(const struct table *golden, const struct sstable_name *name,
                      struct buffer *text)
{
    struct sstable_reader *reader;
    struct scan_iterator *scan;
    struct env *env = engine_fixture_env();
    ck_assert_int_eq(sstable_open_named(env, other, name, golden, NULL, &reader, &error),
                     STATUS_OK);
    ck_assert_int_eq(sstable_scan_apart(reader, golden, &arena, &scan, &error), STATUS_OK);
    ck_assert_int_eq(put_scan(merge_scans(&scan, 1, false, &arena), text), STATUS_END);
    sstable_unref(reader);
}

static void check_table(const struct table *golden, const struct buffer *expected)
{
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&all, 1, false, true};
    struct read_pins pins;
    struct buffer text;
    read_pins_init(&pins);
    buffer_init(&text, GIB);
    enum status status = STATUS_WOULD_BLOCK;
    while (status == STATUS_WOULD_BLOCK) {
        struct scan_iterator *scan;
        uint64_t position = 0;
        buffer_clear(&text);
        status =
            engine_scan(engine, golden, &SCAN_RANGE_ALL, &filter, &pins, &arena, &scan, &position);
        if (status == STATUS_OK) status = put_scan(scan, &text);
        if (status == STATUS_WOULD_BLOCK) engine_fixture_load(engine, &pins);
    }
    ck_assert_int_eq(status, STATUS_END);
    ck_assert(slice_equals(buffer_slice(&text), buffer_slice(expected)));
    read_pins_release(&pins);
    buffer_deinit(&text);
}

START_TEST(files_of_version_oa_and_those_named_by_a_uuid_come)
{
    char command[2000];
    (void)snprintf(command, sizeof command, "mkdir %s && cp %s/oa/%s/oa-* %s", other,
                   sstable_table_golden(), golden_oa[_i], other);
    ck_assert_int_eq(system(command), 0);
    struct sstable_name name = sstable_table_find(other);
    const struct table *golden = sstable_table_named(engine_fixture_env(), other, &name, NULL);
    schema_remove_table(schema, golden->keyspace, golden->name);
    ck_assert_int_eq(schema_put_table(schema, golden), STATUS_OK);
    struct buffer expected;
    buffer_init(&expected, GIB);
    put_files(golden, &name, &expected);
    ck_assert_uint_gt(expected.size, 0);
    open_at(root);
    struct importing importing =
        import_with((struct engine_import_options){.table = golden->id, .directory = other});
    ck_assert_msg(importing.status == STATUS_OK, "%s", error.text);
    ck_assert_msg(importing.import.fault_count == 0, "%s", importing.fault);
    ck_assert_uint_eq(importing.import.imported_count, 1);
    check_table(golden, &expected);
    reopen();
    check_table(golden, &expected);
    // What a compaction makes of it is of version nb.
    engine_fixture_compact(engine, golden->id);
    check_table(golden, &expected);
    reopen();
    check_table(golden, &expected);
    buffer_deinit(&expected);
    table_unref(golden);
}
END_TEST

int main(void)
{
    TCase *imports = tcase_create("imports");
    tcase_add_checked_fixture(imports, setup, teardown);
    tcase_set_timeout(imports, 60);
    tcase_add_loop_test(imports, files_are_moved_or_linked, 0, 2);
    tcase_add_test(imports, a_truncation_before_it_does_not_take_it);
    tcase_add_loop_test(imports, what_is_faulty_stays_and_the_rest_comes, 0, 4);
    tcase_add_loop_test(imports, files_of_another_table_are_refused, 0,
                        sizeof others / sizeof others[0]);
    tcase_add_test(imports, numbers_of_sstables_may_come_to_their_end);
    tcase_add_loop_test(imports, tokens_of_others_are_refused, 0, 2);
    tcase_add_loop_test(imports, counters_go_on_under_a_new_id, 0, 2);
    tcase_add_test(imports, wrong_directories_are_told);
    tcase_add_test(imports, a_damaged_import_is_found_at_the_start);
    tcase_add_loop_test(imports, files_of_version_oa_and_those_named_by_a_uuid_come, 0,
                        sizeof golden_oa / sizeof golden_oa[0]);
    Suite *suite = suite_create("imports");
    suite_add_tcase(suite, imports);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
