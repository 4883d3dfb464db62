// Writes the SSTables that tests/interop/cassandra_reads shows to a real Cassandra.
//
//     interop.write_tables golden DIRECTORY          what is in tests/golden, read and written anew
//     interop.write_tables random DIRECTORY SEED COUNT [FIRST]
//                                                    tables of every shape, numbers FIRST to FIRST
//                                                    + COUNT - 1
//     interop.write_tables huge DIRECTORY            a partition of more than 4 GiB
//     interop.write_tables release DIRECTORY         small tables of every shape, for
//     tests/golden/make_release
//
// Of each table NAME there are in DIRECTORY:
//     NAME/nb-1-big-*, nb-2-big-*, …    its SSTables
//     NAME.1.text, NAME.2.text, …       what each of them has, in the form of the golden vectors
//     NAME.rows                         what a SELECT JSON of all of them must answer (random ones)
//     NAME.cql                          its types and itself (random ones)
//     NAME.table                        its definition as schema_codec.h has it (of a release)
// the same of a table mNNNNN that has all SSTables of tNNNNN merged, but neither rows nor CQL;
// and in DIRECTORY/tables.tsv a line: NAME, its column_index_size in bytes, what it is.
#include "base/env_uv.h"
#include "storage/merge/merge.h"
#include "storage/schema/schema_codec.h"
#include "storage/schema/schema_text.h"
#include "storage/sstable/format.h"
#include "tests/storage/support/memory_source.h"
#include "tests/storage/support/partition_text.h"
#include "tests/storage/support/random_table.h"
#include "tests/storage/support/row_json.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct env *env;
static const char *to; // The directory, an absolute path.
static uint64_t seed, first_number, table_count;

static const struct clustering_range all_rows = {{BOUND_INCL_START, {0, NULL}},
                                                 {BOUND_INCL_END, {0, NULL}}};
static const struct partition_filter everything = {
    .ranges = &all_rows, .range_count = 1, .with_static = true};

static void put_file(struct slice bytes, const char *name, const char *ending)
{
    char path[SSTABLE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s%s", to, name, ending);
    FILE *file = fopen(path, "wb");
    ck_assert_msg(file != NULL, "%s", path);
    ck_assert_uint_eq(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    ck_assert_int_eq(fclose(file), 0);
}

static void list_table(const char *name, size_t column_index_size, const char *what)
{
    char path[SSTABLE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/tables.tsv", to);
    FILE *file = fopen(path, "a");
    ck_assert_msg(file != NULL, "%s", path);
    fprintf(file, "%s\t%zu\t%s\n", name, column_index_size, what);
    ck_assert_int_eq(fclose(file), 0);
}

// ---- Sources ------------------------------------------------------------------------------------

// What an SSTable is made of: SSTables, memtables, or partitions in an array.
struct source {
    const struct table *table;
    struct sstable_reader *readers[RANDOM_MEMTABLES_MAX];
    struct memtable *memtables[RANDOM_MEMTABLES_MAX];
    struct memory_partition *partitions; // Then `count` is of these.
    size_t count;
};

// All of `count` of them from `first`, merged: as a flush or a compaction reads it.
static struct scan_iterator *scan_source(const struct source *source, size_t first, size_t count,
                                         struct arena *arena)
{
    struct scan_iterator *scans[RANDOM_MEMTABLES_MAX];
    // Kept by what is made of it.
    static const struct scan_range all = {{{INT64_MIN}, {NULL, 0}, true},
                                          {{INT64_MAX}, {NULL, 0}, true}};
    if (source->partitions != NULL) {
        struct memory_source *memory = ARENA_NEW(arena, struct memory_source);
        memory_source_init(memory, source->table, source->partitions, source->count);
        return &memory->base;
    }
    for (size_t i = 0; i < count; i++) {
        struct memtable *memtable = source->memtables[first + i];
        if (memtable != NULL) {
            scans[i] = memtable_scan(memtable, source->table, &all, &everything, arena, NULL);
        } else {
            enum status status = sstable_scan(source->readers[first + i], source->table, &all,
                                              &everything, NULL, NULL, arena, &scans[i], NULL);
            ck_assert_int_eq(status, STATUS_OK);
        }
    }
    return merge_scans(scans, count, false, arena);
}

static void put_text(struct scan_iterator *scan, struct buffer *text)
{
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        size_t start = text->size;
        partition_text_put(text, partition, false);
        // What has nothing but its key is not written.
        const uint8_t *end = memchr(text->data + start, '\n', text->size - start);
        if (end + 1 == text->data + text->size && deletion_is_live(partition->deletion))
            buffer_truncate(text, start);
        partition_iterator_close(partition);
    }
    ck_assert_int_eq(status, STATUS_END);
    scan_iterator_close(scan);
}

// The SSTable has in Helenus' own eyes what the source has.
static void check_reads_back(const char *directory, uint64_t generation, const struct table *table,
                             const struct buffer *expected)
{
    struct source written = {.table = table, .count = 1};
    struct error error = {0};
    enum status status =
        sstable_open(env, directory, generation, table, NULL, &written.readers[0], &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", directory, error.text);
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    struct buffer actual;
    buffer_init(&actual, GIB);
    put_text(scan_source(&written, 0, 1, &arena), &actual);
    bool same =
        actual.size == expected->size && memcmp(actual.data, expected->data, actual.size) == 0;
    if (!same) put_file(buffer_slice(&actual), strrchr(directory, '/') + 1, ".read");
    ck_assert_msg(same, "%s: SSTable %" PRIu64 " does not read to what was written", directory,
                  generation);
    buffer_deinit(&actual);
    arena_deinit(&arena);
    sstable_unref(written.readers[0]);
}

// False: the source has nothing.
static bool write_sstable(const struct source *source, size_t first, size_t count, const char *name,
                          uint64_t generation, size_t column_index_size)
{
    char directory[SSTABLE_PATH_SIZE / 2];
    snprintf(directory, sizeof directory, "%s/%s", to, name);
    (void)mkdir(directory, 0755);
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    struct sstable_content content;
    ck_assert_int_eq(sstable_content_gather(scan_source(source, first, count, &arena), &content),
                     STATUS_OK);
    struct sstable_write_options options = {.directory = directory,
                                            .generation = generation,
                                            .table = source->table,
                                            .content = &content,
                                            .column_index_size = column_index_size,
                                            .with_table_compressor = true};
    struct sstable_summary written = {0};
    struct error error = {0};
    enum status status =
        sstable_write(env, &options, scan_source(source, first, count, &arena), &written, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", name, error.text);
    if (written.partition_count > 0) {
        struct buffer text;
        buffer_init(&text, GIB);
        put_text(scan_source(source, first, count, &arena), &text);
        char ending[32];
        snprintf(ending, sizeof ending, ".%" PRIu64 ".text", generation);
        put_file(buffer_slice(&text), name, ending);
        check_reads_back(directory, generation, source->table, &text);
        buffer_deinit(&text);
    }
    arena_deinit(&arena);
    return written.partition_count > 0;
}

// ---- Golden tables ------------------------------------------------------------------------------

static const struct golden_table {
    const char *name, *what;
    const char *directories[RANDOM_MEMTABLES_MAX];
} golden_tables[] = {
    {"compact_wide", "golden", {"tables/compact_wide"}},
    {"composite_key", "golden", {"tables/composite_key"}},
    {"counters_wide", "golden", {"tables/counters_wide"}},
    {"deleted", "golden", {"tables/deleted"}},
    {"every_type", "golden", {"tables/every_type"}},
    {"expiring", "golden", {"tables/expiring"}},
    {"hashtags", "golden", {"tables/hashtags"}},
    {"many_columns", "golden", {"tables/many_columns"}},
    {"no_clustering", "golden", {"tables/no_clustering"}},
    {"small_chunks", "golden", {"tables/small_chunks"}},
    {"uncompressed", "golden", {"tables/uncompressed"}},
    {"ring_hashtags",
     "golden, three nodes merged",
     {"ring/node1/hashtags", "ring/node2/hashtags", "ring/node3/hashtags"}},
    {"ring_two",
     "golden, three nodes merged",
     {"ring/node1/two", "ring/node2/two", "ring/node3/two"}},
};

static void write_golden_table(const struct golden_table *golden)
{
    struct source source = {0};
    for (; source.count < RANDOM_MEMTABLES_MAX && golden->directories[source.count] != NULL;
         source.count++) {
        char path[SSTABLE_PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", sstable_table_golden(),
                 golden->directories[source.count]);
        if (source.table == NULL) source.table = sstable_table_of_files(env, path, 1);
        struct error error = {0};
        enum status status =
            sstable_open(env, path, 1, source.table, NULL, &source.readers[source.count], &error);
        ck_assert_msg(status == STATUS_OK, "%s: %s", path, error.text);
    }
    ck_assert(write_sstable(&source, 0, source.count, golden->name, 1, 0));
    list_table(golden->name, 64 * KIB, golden->what);
    for (size_t i = 0; i < source.count; i++)
        sstable_unref(source.readers[i]);
    table_unref(source.table);
}

START_TEST(golden_tables_are_written)
{
    for (size_t i = 0; i < sizeof golden_tables / sizeof *golden_tables; i++)
        write_golden_table(&golden_tables[i]);
}
END_TEST

// ---- Random tables ------------------------------------------------------------------------------

static struct source source_of(const struct random_table *made)
{
    struct source source = {.table = made->table, .count = made->memtable_count};
    memcpy(source.memtables, made->memtables, sizeof source.memtables);
    return source;
}

// An SSTable for each memtable that has something. Returns how many.
static uint64_t write_memtables(const struct source *source, const char *name,
                                size_t column_index_size)
{
    uint64_t count = 0;
    for (size_t i = 0; i < source->count; i++)
        count += write_sstable(source, i, 1, name, count + 1, column_index_size);
    return count;
}

static void write_rows(const struct source *source, const char *name)
{
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    struct buffer rows;
    buffer_init(&rows, GIB);
    row_json_put_scan(&rows, scan_source(source, 0, source->count, &arena), RANDOM_NOW);
    put_file(buffer_slice(&rows), name, ".rows");
    buffer_deinit(&rows);
    arena_deinit(&arena);
}

static void write_random_table(uint64_t number)
{
    enum random_shape shape = (enum random_shape)(number % RANDOM_SHAPE_COUNT);
    char name[32];
    snprintf(name, sizeof name, "t%05" PRIu64, number);
    struct random_table made;
    random_table_make(&made, seed * 1000003 + number, shape, "interop", name);
    struct source source = source_of(&made);
    uint64_t count = write_memtables(&source, name, made.column_index_size);
    list_table(name, made.column_index_size, random_shape_text(shape));
    if (count > 1) {
        char merged[32], what[64];
        snprintf(merged, sizeof merged, "m%05" PRIu64, number);
        snprintf(what, sizeof what, "merge of %s", name);
        write_sstable(&source, 0, source.count, merged, 1, made.column_index_size);
        list_table(merged, made.column_index_size, what);
    }
    put_file(buffer_slice(&made.cql), name, ".cql");
    write_rows(&source, name);
    random_table_deinit(&made);
}

START_TEST(random_tables_are_written)
{
    for (uint64_t i = 0; i < table_count; i++)
        write_random_table(first_number + i);
}
END_TEST

// ---- A partition beyond 4 GiB -------------------------------------------------------------------

enum { HUGE_ROWS = 4200, HUGE_VALUE_SIZE = 1 << 20 };

static struct unfiltered huge_row(int32_t place, struct slice value, struct arena *arena)
{
    uint8_t *number = arena_alloc(arena, 4);
    bytes_put_u32(number, (uint32_t)place);
    struct slice *values = ARENA_NEW(arena, struct slice);
    *values = slice_make(number, 4);
    struct cell *cell = ARENA_NEW(arena, struct cell);
    *cell = (struct cell){
        .local_time = LOCAL_TIME_NONE, .timestamp = 1700000000000000 + place, .value = value};
    struct row *row = ARENA_NEW(arena, struct row);
    *row = (struct row){.clustering = {1, values},
                        .liveness = {cell->timestamp, TTL_NONE, LOCAL_TIME_NONE},
                        .deletion = DELETION_NONE,
                        .cell_count = 1,
                        .cells = cell};
    return (struct unfiltered){.row = row};
}

// All rows have the same value, so that they need no memory; small partitions stand around it.
static void write_huge_table(void)
{
    struct uuid id = {{1, 2, 3}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("interop"), slice_of_text("huge"), id);
    static const char *const names[] = {"k", "c", "v"};
    for (int i = 0; i < 3; i++)
        table_builder_add_column(builder, slice_of_text(names[i]),
                                 type_of_kind(i < 2 ? TYPE_INT : TYPE_BLOB),
                                 i == 0   ? COLUMN_PARTITION_KEY
                                 : i == 1 ? COLUMN_CLUSTERING
                                          : COLUMN_REGULAR,
                                 false);
    const struct table *table = table_builder_finish(builder);
    struct arena arena;
    arena_init(&arena, MIB);
    struct slice value = slice_make(arena_alloc_zero(&arena, HUGE_VALUE_SIZE), HUGE_VALUE_SIZE);
    struct memory_partition partitions[5];
    for (int32_t key = 0; key < 5; key++) {
        size_t count = key == 2 ? HUGE_ROWS : 3;
        uint8_t *bytes = arena_alloc(&arena, 4);
        bytes_put_u32(bytes, (uint32_t)key);
        struct unfiltered *rows = ARENA_NEW_ARRAY(&arena, struct unfiltered, count);
        for (size_t i = 0; i < count; i++)
            rows[i] = huge_row((int32_t)i, value, &arena);
        partitions[key] = (struct memory_partition){.key = partition_key_make(slice_make(bytes, 4)),
                                                    .deletion = DELETION_NONE,
                                                    .unfiltereds = rows,
                                                    .unfiltered_count = count};
    }
    struct source source = {.table = table, .partitions = partitions, .count = 5};
    struct buffer cql;
    buffer_init(&cql, MIB);
    schema_text_put_table(table, false, &cql);
    put_file(buffer_slice(&cql), "huge", ".cql");
    buffer_deinit(&cql);
    ck_assert(write_sstable(&source, 0, 5, "huge", 1, 0));
    list_table("huge", 64 * KIB, "huge");
    arena_deinit(&arena);
    table_unref(table);
}

START_TEST(huge_partition_is_written)
{
    write_huge_table();
}
END_TEST

// ---- For the next releases ----------------------------------------------------------------------

static void write_release_table(enum random_shape shape)
{
    char name[32];
    snprintf(name, sizeof name, "shape%02d", (int)shape);
    struct random_table made;
    random_table_make_small(&made, (uint64_t)shape + 1, shape, "release", name);
    struct source source = source_of(&made);
    ck_assert_uint_gt(write_memtables(&source, name, made.column_index_size), 0);
    write_rows(&source, name);
    struct buffer definition;
    buffer_init(&definition, GIB);
    schema_codec_put_table(&definition, made.table);
    put_file(buffer_slice(&definition), name, ".table");
    buffer_deinit(&definition);
    random_table_deinit(&made);
}

START_TEST(release_tables_are_written)
{
    for (int shape = 0; shape < RANDOM_SHAPE_COUNT; shape++)
        write_release_table((enum random_shape)shape);
}
END_TEST

int main(int argc, char **argv)
{
    bool is_release = argc == 3 && strcmp(argv[1], "release") == 0;
    bool is_huge = argc == 3 && strcmp(argv[1], "huge") == 0;
    bool is_golden = argc == 3 && strcmp(argv[1], "golden") == 0;
    bool is_random = (argc == 5 || argc == 6) && strcmp(argv[1], "random") == 0;
    if (!is_golden && !is_random && !is_release && !is_huge) {
        fprintf(stderr,
                "usage: %s golden DIRECTORY | random DIRECTORY SEED COUNT [FIRST] | huge "
                "DIRECTORY | release DIRECTORY\n",
                argv[0]);
        return 2;
    }
    to = realpath(argv[2], NULL);
    if (to == NULL) {
        fprintf(stderr, "no directory %s\n", argv[2]);
        return 2;
    }
    if (is_random) {
        seed = strtoull(argv[3], NULL, 10);
        table_count = strtoull(argv[4], NULL, 10);
        first_number = argc == 6 ? strtoull(argv[5], NULL, 10) : 0;
    }
    if (env_uv_create(&env, NULL) != STATUS_OK) return 2;
    TCase *tcase = tcase_create("write_tables");
    tcase_set_timeout(tcase, 0);
    tcase_add_test(tcase, is_golden   ? golden_tables_are_written
                          : is_random ? random_tables_are_written
                          : is_huge   ? huge_partition_is_written
                                      : release_tables_are_written);
    Suite *suite = suite_create("write_tables");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    env_uv_destroy(env);
    free((void *)to);
    return failed_count != 0;
}
