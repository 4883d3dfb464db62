// Compactions of SSTables that Cassandra wrote, and of random tables: what comes out has the rows
// of the inputs' merge, whatever the size of a step and of the outputs; nothing is left of one that
// does not end.
#include "base/env_uv.h"
#include "storage/compaction/compaction_task.h"
#include "storage/merge/merge.h"
#include "storage/sstable/format.h"
#include "tests/storage/support/memory_source.h"
#include "tests/storage/support/partition_text.h"
#include "tests/storage/support/random_table.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { INPUTS_MAX = 4, OUTPUTS_MAX = 4096, STEP_WHOLE = 1 << 30 };

static struct env *env;
static char directory[64];
static struct arena arena;
static const struct table *table;
static struct sstable_reader *inputs[INPUTS_MAX];
static size_t input_count;

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    sstable_table_make_directory(directory);
    arena_init(&arena, 64 * KIB);
    input_count = 0;
}

static void teardown(void)
{
    for (size_t i = 0; i < input_count; i++)
        sstable_unref(inputs[i]);
    table_unref(table);
    arena_deinit(&arena);
    env_uv_destroy(env);
    sstable_table_remove_directory(directory);
}

static unsigned count_files(const char *part)
{
    DIR *dir = opendir(directory);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
    closedir(dir);
    return count;
}

static struct sstable_reader *open_sstable(uint64_t generation)
{
    struct sstable_reader *reader;
    struct error error = {0};
    enum status status = sstable_open(env, directory, generation, table, NULL, &reader, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    return reader;
}

// All partitions, as text.
static void put_scan(struct buffer *text, struct scan_iterator *scan)
{
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        size_t before = text->size;
        partition_text_put(text, partition, false);
        // One of which nothing is left, because a column was dropped, is not there.
        const char *line = (const char *)text->data + before;
        size_t size = text->size - before;
        bool is_one_line = memchr(line, '\n', size) == line + size - 1;
        if (is_one_line && memcmp(line + size - 6, " live\n", 6) == 0)
            buffer_truncate(text, before);
        partition_iterator_close(partition);
    }
    ck_assert_int_eq(status, STATUS_END);
    scan_iterator_close(scan);
}

static void put_readers(struct buffer *text, struct sstable_reader **readers, size_t count)
{
    struct scan_iterator **scans = ARENA_NEW_ARRAY(&arena, struct scan_iterator *, count);
    struct error *error = ARENA_NEW(&arena, struct error);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(sstable_scan_apart(readers[i], table, &arena, &scans[i], error),
                         STATUS_OK);
    put_scan(text, merge_scans(scans, count, false, &arena));
}

// ---- Inputs -------------------------------------------------------------------------------------

// A golden SSTable, under another generation of the test's directory.
static void add_golden(const char *path, uint64_t generation)
{
    char command[512];
    snprintf(command, sizeof command,
             "for f in %s/%s/nb-1-big-*; do cp \"$f\" %s/nb-%d-${f##*/nb-1-}; done",
             sstable_table_golden(), path, directory, (int)generation);
    ck_assert_int_eq(system(command), 0);
    if (table == NULL) table = sstable_table_of_files(env, directory, generation);
    inputs[input_count++] = open_sstable(generation);
}

// A golden SSTable of version oa, whatever its generation.
static void add_golden_oa(const char *name, uint64_t generation)
{
    char command[512];
    snprintf(command, sizeof command,
             "for f in %s/oa/%s/oa-*-big-*; do cp \"$f\" %s/oa-%d-big-${f##*-big-}; done",
             sstable_table_golden(), name, directory, (int)generation);
    ck_assert_int_eq(system(command), 0);
    struct sstable_name found = sstable_name_of(SSTABLE_OA, generation);
    if (table == NULL) table = sstable_table_named(env, directory, &found, NULL);
    inputs[input_count++] = open_sstable(generation);
}

static struct scan_iterator *scan_memtable(struct memtable *memtable)
{
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    static const struct partition_filter filter = {
        .ranges = &all, .range_count = 1, .with_static = true};
    struct scan_iterator *scan =
        memtable_scan(memtable, table, &SCAN_RANGE_ALL, &filter, &arena, NULL);
    return merge_scans(&scan, 1, false, &arena);
}

static void add_memtable(struct memtable *memtable, uint64_t generation)
{
    struct sstable_content content;
    ck_assert_int_eq(sstable_content_gather(scan_memtable(memtable), &content), STATUS_OK);
    if (content.partition_count == 0) return;
    struct sstable_write_options options = {
        .directory = directory, .generation = generation, .table = table, .content = &content};
    struct sstable_summary written;
    struct error error = {0};
    enum status status = sstable_write(env, &options, scan_memtable(memtable), &written, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    inputs[input_count++] = open_sstable(generation);
}

// ---- Compactions --------------------------------------------------------------------------------

static struct compaction_task_options default_options(void)
{
    return (struct compaction_task_options){
        .directory = directory,
        .table = table,
        .inputs = inputs,
        .input_count = input_count,
        .purge = {.gc_before = INT32_MIN, .memory_min_timestamp = INT64_MAX},
        .generation = 100,
        .generation_step = 3,
        .with_table_compressor = true,
    };
}

static void run_to_end(struct compaction_task *task, uint64_t step_size)
{
    struct error error = {0};
    enum status status;
    while ((status = compaction_task_step(task, step_size, &error)) == STATUS_OK) {
    }
    ck_assert_msg(status == STATUS_END, "%s", error.text);
}

// Compacts and reads what came out; the inputs' files are gone then.
static size_t compact(const struct compaction_task_options *options, uint64_t step_size,
                      struct buffer *text)
{
    struct compaction_task *task = compaction_task_create(env, options);
    struct error error = {0};
    run_to_end(task, step_size);
    size_t count;
    const struct sstable_summary *outputs = compaction_task_outputs(task, &count);
    const struct compaction_progress *progress = compaction_task_progress(task);
    ck_assert_uint_eq(progress->read_bytes, progress->total_bytes);
    enum status status = compaction_task_commit(task, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    compaction_task_remove_inputs(task);
    ck_assert_uint_eq(count_files("nb_txn"), 0);
    struct sstable_reader **readers = ARENA_NEW_ARRAY(&arena, struct sstable_reader *, count + 1);
    uint64_t partitions = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t generation = compaction_task_output_generation(task, i);
        ck_assert_uint_eq(generation, options->generation + i * options->generation_step);
        ck_assert_int_eq(
            sstable_open(env, directory, generation, table, &outputs[i].check, &readers[i], &error),
            STATUS_OK);
        ck_assert_uint_eq(sstable_level(readers[i]), compaction_task_output_level(task, i));
        partitions += outputs[i].partition_count;
        size += outputs[i].size;
    }
    ck_assert_uint_eq(progress->partitions_written, partitions);
    ck_assert_uint_eq(progress->written_bytes, size);
    compaction_task_destroy(task);
    struct sstable_listing listing;
    ck_assert_int_eq(sstable_recover_directory(env, directory, &listing, &error), STATUS_OK);
    ck_assert_uint_eq(listing.count, count);
    free(listing.generations);
    if (count > 0) put_readers(text, readers, count);
    for (size_t i = 0; i < count; i++)
        sstable_unref(readers[i]);
    return count;
}

static void ck_same_text(const struct buffer *expected, const struct buffer *actual)
{
    size_t i = 0;
    while (i < expected->size && i < actual->size && expected->data[i] == actual->data[i])
        i++;
    if (i == expected->size && i == actual->size) return;
    while (i > 0 && expected->data[i - 1] != '\n')
        i--;
    ck_abort_msg("at %zu of %zu and %zu: expected %.300s, got %.300s", i, expected->size,
                 actual->size, i < expected->size ? (const char *)expected->data + i : "",
                 i < actual->size ? (const char *)actual->data + i : "");
}

static size_t ck_compacts_to_merge(const struct compaction_task_options *options,
                                   uint64_t step_size)
{
    struct buffer expected, actual;
    buffer_init(&expected, GIB);
    buffer_init(&actual, GIB);
    put_readers(&expected, inputs, input_count);
    size_t count = compact(options, step_size, &actual);
    ck_same_text(&expected, &actual);
    buffer_deinit(&expected);
    buffer_deinit(&actual);
    return count;
}

static const char *const golden[] = {
    "tables/compact_wide",  "tables/composite_key", "tables/counters_wide", "tables/deleted",
    "tables/every_type",    "tables/expiring",      "tables/hashtags",      "tables/many_columns",
    "tables/no_clustering", "tables/small_chunks",  "tables/uncompressed",
};
enum { GOLDEN_COUNT = sizeof golden / sizeof *golden };

START_TEST(a_golden_table_compacted_with_itself_is_itself)
{
    table = NULL;
    add_golden(golden[_i], 1);
    add_golden(golden[_i], 2);
    struct compaction_task_options options = default_options();
    options.level = 2;
    ck_assert_uint_eq(ck_compacts_to_merge(&options, STEP_WHOLE), 1);
}
END_TEST

START_TEST(the_tables_of_a_ring_become_one_with_counters_of_all_nodes)
{
    static const char *const tables[] = {"hashtags", "two"};
    table = NULL;
    for (int node = 1; node <= 3; node++)
        add_golden(arena_format(&arena, "ring/node%d/%s", node, tables[_i]), (uint64_t)node);
    struct compaction_task_options options = default_options();
    ck_assert_uint_eq(ck_compacts_to_merge(&options, 10000), 1);
}
END_TEST

START_TEST(tables_of_version_oa_become_one_of_nb)
{
    static const char *const names[] = {"counters", "deleted", "expiring", "shapes",
                                        "wide",     "c_zstd",  "c_snappy", "columns"};
    table = NULL;
    add_golden_oa(names[_i], 3);
    add_golden_oa(names[_i], 4);
    struct compaction_task_options options = default_options();
    ck_assert_uint_eq(ck_compacts_to_merge(&options, 100000), 1);
    ck_assert_uint_eq(count_files("oa-"), 0);
}
END_TEST

static const struct table *table_with(bool has_b, int64_t dropped_time_us)
{
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    const struct type *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), text, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("a"), text, COLUMN_REGULAR, false);
    if (has_b) table_builder_add_column(builder, slice_of_text("b"), text, COLUMN_REGULAR, false);
    if (dropped_time_us != INT64_MIN)
        table_builder_add_dropped(builder, slice_of_text("b"), text, COLUMN_REGULAR,
                                  dropped_time_us);
    return table_builder_finish(builder);
}

// Keys 0 to 9 with cells of column b alone, 10 to 19 with both; timestamps 1000 and more.
static void write_two_columns(uint64_t generation)
{
    enum { KEYS = 20 };
    struct memory_partition partitions[KEYS];
    for (int i = 0; i < KEYS; i++) {
        struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, 2);
        struct row *row = ARENA_NEW(&arena, struct row);
        struct unfiltered *unfiltered = ARENA_NEW(&arena, struct unfiltered);
        for (uint16_t column = 0; column < 2; column++)
            cells[column] = (struct cell){.column = column,
                                          .local_time = LOCAL_TIME_NONE,
                                          .timestamp = 1000 + i,
                                          .value = slice_of_text("value")};
        uint32_t first = i < 10 ? 1 : 0;
        *row = (struct row){.liveness = LIVENESS_NONE,
                            .deletion = DELETION_NONE,
                            .cells = cells + first,
                            .cell_count = 2 - first};
        *unfiltered = (struct unfiltered){.is_marker = false, .row = row};
        partitions[i] = (struct memory_partition){
            .key = partition_key_make(slice_of_text(arena_format(&arena, "key %d", i))),
            .deletion = DELETION_NONE,
            .unfiltereds = unfiltered,
            .unfiltered_count = 1};
    }
    struct memory_source source;
    struct sstable_content content;
    memory_source_init(&source, table, partitions, KEYS);
    ck_assert_int_eq(sstable_content_gather(&source.base, &content), STATUS_OK);
    memory_source_init(&source, table, partitions, KEYS);
    struct sstable_write_options options = {
        .directory = directory, .generation = generation, .table = table, .content = &content};
    struct sstable_summary written;
    ck_assert_int_eq(sstable_write(env, &options, &source.base, &written, NULL), STATUS_OK);
}

static const struct {
    bool has_b;
    int64_t dropped_time_us;
    uint64_t partitions;
} drops[] = {
    {true, INT64_MIN, 20}, // It is still there.
    {false, 2000, 10},     // Gone with all it had, and with rows of nothing else.
    {true, 1004, 15},      // And back again: what was written since stays.
};

START_TEST(cells_of_a_dropped_column_go)
{
    table = table_with(true, INT64_MIN);
    write_two_columns(1);
    write_two_columns(2);
    table_unref(table);
    table = table_with(drops[_i].has_b, drops[_i].dropped_time_us);
    for (uint64_t generation = 1; generation <= 2; generation++)
        inputs[input_count++] = open_sstable(generation);
    struct compaction_task_options options = default_options();
    ck_compacts_to_merge(&options, 10);
    struct sstable_reader *output = open_sstable(100);
    ck_assert_uint_eq(sstable_partition_count(output), drops[_i].partitions);
    sstable_unref(output);
    struct arena header_arena;
    arena_init(&header_arena, KIB);
    struct header header;
    sstable_table_read_header(env, directory, 100, &header, &header_arena);
    ck_assert_uint_eq(header.columns[ROWS_REGULAR].count, drops[_i].has_b ? 2 : 1);
    arena_deinit(&header_arena);
}
END_TEST

// The table was made anew with a column of another type: five bytes are none of an int, and would
// stand there without a length.
START_TEST(values_that_are_none_of_the_table_are_told)
{
    table = table_with(true, INT64_MIN);
    write_two_columns(1);
    table_unref(table);
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    const struct type *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), text, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("a"), type_of_kind(TYPE_INT), COLUMN_REGULAR,
                             false);
    table_builder_add_column(builder, slice_of_text("b"), text, COLUMN_REGULAR, false);
    table = table_builder_finish(builder);
    inputs[input_count++] = open_sstable(1);
    struct compaction_task_options options = default_options();
    struct compaction_task *task = compaction_task_create(env, &options);
    struct error error = {0};
    enum status status;
    while ((status = compaction_task_step(task, 1000, &error)) == STATUS_OK) {
    }
    ck_assert_int_eq(status, STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "nb-1-big-Data.db: offset "));
    compaction_task_destroy(task);
    ck_assert_uint_eq(count_files("nb-100-"), 0);
}
END_TEST

START_TEST(outputs_are_split_between_partitions)
{
    table = NULL;
    add_golden("tables/counters_wide", 1);
    add_golden("tables/counters_wide", 2);
    struct compaction_task_options options = default_options();
    options.output_size_max = 1 + sstable_data_size(inputs[0]) / 10;
    size_t count = ck_compacts_to_merge(&options, STEP_WHOLE);
    ck_assert_uint_ge(count, 5);
    ck_assert_uint_le(count, 12);
}
END_TEST

START_TEST(outputs_of_a_major_leveled_compaction_fill_one_level_after_another)
{
    table = NULL;
    add_golden("tables/counters_wide", 1);
    struct compaction_task_options options = default_options();
    options.level = 1;
    options.level_fanout = 2;
    options.output_size_max = 1 + sstable_data_size(inputs[0]) / 20;
    struct compaction_task *task = compaction_task_create(env, &options);
    run_to_end(task, STEP_WHOLE);
    size_t count;
    compaction_task_outputs(task, &count);
    unsigned counts[8] = {0};
    for (size_t i = 0; i < count; i++) {
        unsigned level = compaction_task_output_level(task, i);
        ck_assert_uint_lt(level, 8);
        ck_assert(i == 0 || level >= compaction_task_output_level(task, i - 1));
        counts[level]++;
    }
    // How many is for output_sizes_test.c: these end at the end of a chunk.
    ck_assert(counts[0] == 0 && counts[1] > 0 && counts[2] > 0);
    compaction_task_destroy(task);
}
END_TEST

START_TEST(what_is_all_dead_goes_unread)
{
    table = NULL;
    add_golden("tables/hashtags", 1);
    add_golden("tables/hashtags", 2);
    struct compaction_task_options options = default_options();
    options.unread_count = input_count;
    struct compaction_task *task = compaction_task_create(env, &options);
    struct error error = {0};
    ck_assert_int_eq(compaction_task_step(task, 1, &error), STATUS_END);
    ck_assert_uint_eq(compaction_task_progress(task)->read_bytes, 0);
    ck_assert_int_eq(compaction_task_commit(task, &error), STATUS_OK);
    compaction_task_remove_inputs(task);
    compaction_task_destroy(task);
    ck_assert_uint_eq(count_files(""), 0);
}
END_TEST

START_TEST(what_is_dead_beside_others_goes_unread)
{
    table = NULL;
    add_golden("tables/hashtags", 1);
    struct buffer expected, text;
    buffer_init(&expected, GIB);
    buffer_init(&text, GIB);
    put_readers(&expected, inputs, 1);
    uint64_t size = sstable_uncompressed_size(inputs[0]);
    add_golden("tables/hashtags", 2);
    // Damaged, so that whoever read it would say so.
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, directory, 2, SSTABLE_DATA);
    ck_assert_int_eq(truncate(path, 100), 0);
    struct compaction_task_options options = default_options();
    options.unread_count = 1;
    struct compaction_task *task = compaction_task_create(env, &options);
    ck_assert_uint_eq(compaction_task_progress(task)->total_bytes, size);
    compaction_task_destroy(task);
    ck_assert_uint_eq(compact(&options, 1000, &text), 1);
    ck_same_text(&expected, &text);
    ck_assert_uint_eq(count_files("nb-2-"), 0);
    buffer_deinit(&expected);
    buffer_deinit(&text);
}
END_TEST

START_TEST(a_random_table_compacts_to_its_merge)
{
    int shape = _i % RANDOM_SHAPE_COUNT;
    uint64_t seed = (uint64_t)_i + 1;
    struct random_table made;
    random_table_make(&made, seed, (enum random_shape)shape, "ks", "t");
    printf("seed %d, %s\n", _i + 1, random_shape_text((enum random_shape)shape));
    table = made.table;
    table_ref(table);
    for (size_t i = 0; i < made.memtable_count; i++)
        add_memtable(made.memtables[i], 1 + i);
    random_table_deinit(&made);
    if (input_count == 0) return;
    struct compaction_task_options options = default_options();
    options.column_index_size = seed % 3 == 0 ? 2000 : 0;
    options.output_size_max = seed % 2 == 0 ? 1 : 0;
    ck_compacts_to_merge(&options, seed % 5 == 0 ? 1 : 1 + seed * seed * 1000);
}
END_TEST

// ---- Steps --------------------------------------------------------------------------------------

START_TEST(a_step_ends_after_its_bytes_also_inside_of_a_partition)
{
    table = NULL;
    add_golden("tables/compact_wide", 1);
    add_golden("tables/compact_wide", 2);
    struct compaction_task_options options = default_options();
    struct compaction_task *task = compaction_task_create(env, &options);
    const struct compaction_progress *progress = compaction_task_progress(task);
    uint64_t before = 0, steps = 0;
    struct error error = {0};
    while (compaction_task_step(task, 5000, &error) == STATUS_OK) {
        // What is read last may be a row of some KiB.
        ck_assert_uint_ge(progress->read_bytes, before + 5000);
        ck_assert_uint_le(progress->read_bytes, before + 5000 + 100000);
        before = progress->read_bytes;
        steps++;
    }
    ck_assert_uint_gt(steps, progress->partitions_read);
    ck_assert_uint_eq(progress->merged_counts[1], progress->partitions_written);
    ck_assert_uint_eq(progress->merged_counts[0], 0);
    compaction_task_destroy(task);
}
END_TEST

START_TEST(a_compaction_that_is_given_up_leaves_nothing)
{
    table = NULL;
    add_golden("tables/hashtags", 1);
    add_golden("tables/hashtags", 2);
    unsigned before = count_files("");
    struct compaction_task_options options = default_options();
    options.output_size_max = 1;
    struct error error = {0};
    for (int steps = 0; steps < 20; steps++) {
        struct compaction_task *task = compaction_task_create(env, &options);
        for (int i = 0; i < steps; i++)
            ck_assert_int_eq(compaction_task_step(task, 300, &error), STATUS_OK);
        if (steps % 2 == 1) compaction_task_undo(task);
        compaction_task_destroy(task);
        ck_assert_uint_eq(count_files(""), before);
    }
    struct compaction_task *task = compaction_task_create(env, &options);
    run_to_end(task, STEP_WHOLE);
    ck_assert_uint_gt(count_files(""), before);
    compaction_task_destroy(task);
    ck_assert_uint_eq(count_files(""), before);
}
END_TEST

START_TEST(a_committed_compaction_that_nobody_cleans_up_is_finished_by_a_recovery)
{
    table = NULL;
    add_golden("tables/hashtags", 1);
    add_golden("tables/hashtags", 2);
    struct compaction_task_options options = default_options();
    struct compaction_task *task = compaction_task_create(env, &options);
    run_to_end(task, STEP_WHOLE);
    struct error error = {0};
    ck_assert_int_eq(compaction_task_commit(task, &error), STATUS_OK);
    compaction_task_destroy(task);
    ck_assert_uint_eq(count_files("nb_txn_compaction_"), 1);
    ck_assert_uint_gt(count_files("nb-1-"), 0);
    struct sstable_listing listing;
    ck_assert_int_eq(sstable_recover_directory(env, directory, &listing, &error), STATUS_OK);
    ck_assert_uint_eq(listing.count, 1);
    ck_assert_uint_eq(listing.generations[0], 100);
    free(listing.generations);
    ck_assert_uint_eq(count_files("nb-1-"), 0);
    ck_assert_uint_eq(count_files("nb-2-"), 0);
    ck_assert_uint_eq(count_files("nb_txn"), 0);
}
END_TEST

START_TEST(what_has_expired_long_ago_vanishes_with_its_sstable)
{
    table = NULL;
    add_golden("tables/expiring", 1);
    struct compaction_task_options options = default_options();
    options.purge.now_s = INT32_MAX;
    options.purge.gc_before = INT32_MAX;
    struct buffer text;
    buffer_init(&text, GIB);
    struct buffer before;
    buffer_init(&before, GIB);
    put_readers(&before, inputs, input_count);
    compact(&options, STEP_WHOLE, &text);
    ck_assert_uint_lt(text.size, before.size);
    buffer_deinit(&before);
    buffer_deinit(&text);
}
END_TEST

START_TEST(a_damaged_input_is_named)
{
    table = NULL;
    add_golden("tables/hashtags", 1);
    add_golden("tables/hashtags", 2);
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, directory, 2, SSTABLE_DATA);
    FILE *file = fopen(path, "r+");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, (long)sstable_data_size(inputs[1]) / 2, SEEK_SET), 0);
    ck_assert_int_eq(fputs("damaged", file) < 0, 0);
    fclose(file);
    struct compaction_task_options options = default_options();
    struct compaction_task *task = compaction_task_create(env, &options);
    struct error error = {0};
    enum status status;
    while ((status = compaction_task_step(task, 1000, &error)) == STATUS_OK) {
    }
    ck_assert_int_eq(status, STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "nb-2-big-Data.db: offset "));
    compaction_task_destroy(task);
    ck_assert_uint_eq(count_files("nb-100-"), 0);
    ck_assert_uint_eq(count_files("nb_txn"), 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("compaction_task");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_golden_table_compacted_with_itself_is_itself, 0, GOLDEN_COUNT);
    tcase_add_loop_test(tcase, the_tables_of_a_ring_become_one_with_counters_of_all_nodes, 0, 2);
    tcase_add_loop_test(tcase, tables_of_version_oa_become_one_of_nb, 0, 8);
    tcase_add_loop_test(tcase, cells_of_a_dropped_column_go, 0, 3);
    tcase_add_test(tcase, values_that_are_none_of_the_table_are_told);
    tcase_add_test(tcase, outputs_are_split_between_partitions);
    tcase_add_test(tcase, outputs_of_a_major_leveled_compaction_fill_one_level_after_another);
    tcase_add_test(tcase, what_is_all_dead_goes_unread);
    tcase_add_test(tcase, what_is_dead_beside_others_goes_unread);
    tcase_add_loop_test(tcase, a_random_table_compacts_to_its_merge, 0, 2 * RANDOM_SHAPE_COUNT);
    tcase_add_test(tcase, a_step_ends_after_its_bytes_also_inside_of_a_partition);
    tcase_add_test(tcase, a_compaction_that_is_given_up_leaves_nothing);
    tcase_add_test(tcase, a_committed_compaction_that_nobody_cleans_up_is_finished_by_a_recovery);
    tcase_add_test(tcase, what_has_expired_long_ago_vanishes_with_its_sstable);
    tcase_add_test(tcase, a_damaged_input_is_named);

    Suite *suite = suite_create("compaction_task");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
