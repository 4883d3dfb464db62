// What three nodes of a real Cassandra ring have, merged: the ring's own answer. Counters have a
// shard of each node, there are deletions, and counting went on after them.
#include "base/env_uv.h"
#include "storage/counter_context.h"
#include "storage/merge/live_rows.h"
#include "storage/merge/merge.h"
#include "storage/sstable/format.h"
#include "storage/value.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { NODES = 3, NOW = 1800000000 };

static struct env *env;
static struct arena arena;
static struct buffer text; // One line.

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    arena_init(&arena, 4 * KIB);
    buffer_init(&text, MIB);
}

static void teardown(void)
{
    buffer_deinit(&text);
    arena_deinit(&arena);
    env_uv_destroy(env);
}

// Its columns as SELECT JSON * lists them: the key's, then the counters.
static const struct ring_table {
    const char *name, *key, *clustering;
    const char *counters[3];
} ring_tables[] = {
    {"hashtags", "hashtag", "interval", {"mentions"}},
    {"two", "k", "c", {"a", "b"}},
};
enum { RING_TABLE_COUNT = sizeof ring_tables / sizeof ring_tables[0] };

static void put_counter(const struct table *table, const struct live_row *row, const char *name)
{
    const struct column *column = table_find_column(table, slice_of_text(name));
    ck_assert_ptr_nonnull(column);
    const struct cell *cell;
    buffer_put_format(&text, ", \"%s\": ", name);
    if (live_row_cells(row, column->index, &cell) == 0) {
        buffer_put_format(&text, "null");
    } else {
        buffer_put_format(&text, "%" PRId64, counter_context_total(cell->value));
    }
}

static void put_row(const struct ring_table *names, const struct table *table, struct slice key,
                    const struct live_row *row)
{
    buffer_clear(&text);
    buffer_put_format(&text, "{\"%s\": ", names->key);
    value_put_json(table->columns[COLUMN_PARTITION_KEY][0].type, key, &text);
    buffer_put_format(&text, ", \"%s\": ", names->clustering);
    value_put_json(table->columns[COLUMN_CLUSTERING][0].type, row->clustering.values[0], &text);
    for (int i = 0; names->counters[i] != NULL; i++)
        put_counter(table, row, names->counters[i]);
    buffer_put_format(&text, "}");
}

// A line is a list of the table's name and the row's JSON as a text. False: there is none left.
static bool next_expected(gzFile file, const char *name, char *row, size_t capacity)
{
    static char line[8192];
    char start[64];
    size_t start_size = (size_t)snprintf(start, sizeof start, "[\"%s\", \"", name);
    while (gzgets(file, line, sizeof line) != NULL) {
        if (strncmp(line, start, start_size) != 0) continue;
        size_t size = 0;
        for (const char *at = line + start_size; *at != '"' && size + 1 < capacity; at++) {
            if (*at == '\\') at++;
            row[size++] = *at;
        }
        row[size] = '\0';
        return true;
    }
    return false;
}

static void ck_partition(const struct ring_table *names, struct partition_iterator *partition,
                         gzFile expected, size_t *row_count)
{
    char wanted[4096];
    struct live_rows rows;
    live_rows_init(&rows, partition, NOW, &arena);
    const struct live_row *row;
    enum status status;
    while ((status = live_rows_next(&rows, &row)) == STATUS_OK) {
        put_row(names, partition->table, partition->key.bytes, row);
        buffer_put_u8(&text, 0);
        ck_assert(next_expected(expected, names->name, wanted, sizeof wanted));
        ck_assert_str_eq((const char *)text.data, wanted);
        ++*row_count;
    }
    ck_assert_int_eq(status, STATUS_END);
    live_rows_deinit(&rows);
}

START_TEST(three_nodes_merged_are_the_ring)
{
    const struct ring_table *names = &ring_tables[_i];
    const char *golden = sstable_table_golden();
    if (golden == NULL) return;
    char path[SSTABLE_PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/ring/rows.jsonl.gz", golden);
    gzFile expected = gzopen(path, "rb");
    ck_assert_ptr_nonnull(expected);

    const struct table *table = NULL;
    struct sstable_reader *readers[NODES];
    struct scan_iterator *scans[NODES], *merged;
    struct clustering_range all_rows = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&all_rows, 1, false, true};
    struct scan_range all = SCAN_RANGE_ALL;
    struct error error = {0};
    for (int i = 0; i < NODES; i++) {
        (void)snprintf(path, sizeof path, "%s/ring/node%d/%s", golden, i + 1, names->name);
        if (table == NULL) table = sstable_table_of_files(env, path, 1);
        enum status status = sstable_open(env, path, 1, table, NULL, &readers[i], &error);
        ck_assert_msg(status == STATUS_OK, "%s", error.text);
        status =
            sstable_scan(readers[i], table, &all, &filter, NULL, NULL, &arena, &scans[i], &error);
        ck_assert_msg(status == STATUS_OK, "%s", error.text);
    }
    merged = merge_scans(scans, NODES, false, &arena);
    struct partition_iterator *partition;
    size_t row_count = 0;
    while (scan_iterator_next(merged, &partition) == STATUS_OK)
        ck_partition(names, partition, expected, &row_count);
    scan_iterator_close(merged);
    char left[4096];
    ck_assert(!next_expected(expected, names->name, left, sizeof left));
    ck_assert_uint_gt(row_count, 100);
    ck_assert_int_eq(gzclose(expected), Z_OK);
    for (int i = 0; i < NODES; i++)
        sstable_unref(readers[i]);
    table_unref(table);
}
END_TEST

int main(void)
{
    TCase *ring = tcase_create("ring");
    tcase_add_checked_fixture(ring, setup, teardown);
    tcase_add_loop_test(ring, three_nodes_merged_are_the_ring, 0, RING_TABLE_COUNT);
    Suite *suite = suite_create("ring");
    suite_add_tcase(suite, ring);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
