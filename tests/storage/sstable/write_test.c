// What sstable_write() leaves on the disk: whole SSTables with their log gone, nothing after a
// failure; what sstable_recover_directory() makes of what a crash left.
//
// With HELENUS_SSTABLES=DIR it also writes there the tables that tests/interop shows to Cassandra.
#include "base/env_uv.h"
#include "storage/counter_context.h"
#include "storage/sstable/format.h"
#include "tests/storage/support/memory_source.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct env *env;
static char directory[64];
static struct arena arena;

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    sstable_table_make_directory(directory);
    arena_init(&arena, 64 * KIB);
}

static void teardown(void)
{
    arena_deinit(&arena);
    env_uv_destroy(env);
    sstable_table_remove_directory(directory);
}

// ---- Tables -------------------------------------------------------------------------------------

static struct slice number_of(int32_t number)
{
    uint8_t *bytes = arena_alloc(&arena, 4);
    bytes_put_u32(bytes, (uint32_t)number);
    return slice_make(bytes, 4);
}

static struct slice text_of(const char *format, int number)
{
    return slice_of_text(arena_format(&arena, "%s%d", format, number));
}

static struct clustering one_value(struct slice value)
{
    struct slice *values = arena_alloc(&arena, sizeof *values);
    *values = value;
    return (struct clustering){1, values};
}

static void add_column(struct table_builder *builder, const char *name, enum type_kind kind,
                       enum column_kind column_kind, bool reversed)
{
    table_builder_add_column(builder, slice_of_text(name), type_of_kind(kind), column_kind,
                             reversed);
}

static struct table_builder *begin_table(const char *name)
{
    struct uuid id = {{0x11, 0x22}};
    return table_builder_create(slice_of_text("helenus"), slice_of_text(name), id);
}

static struct sstable_summary write_table(const char *to, const struct table *table,
                                          struct memory_partition *partitions, size_t count)
{
    struct memory_source source;
    struct sstable_content content;
    memory_source_init(&source, table, partitions, count);
    ck_assert_int_eq(sstable_content_gather(&source.base, &content), STATUS_OK);
    memory_source_init(&source, table, partitions, count);
    struct sstable_write_options options = {
        .directory = to, .generation = 1, .table = table, .content = &content};
    struct sstable_summary written;
    struct error error = {0};
    enum status status = sstable_write(env, &options, &source.base, &written, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    return written;
}

// The deck's table: 300 hashtags of up to 400 intervals, newest first.
static void write_counters(const char *to)
{
    struct table_builder *builder = begin_table("hashtags");
    add_column(builder, "hashtag", TYPE_TEXT, COLUMN_PARTITION_KEY, false);
    add_column(builder, "interval", TYPE_TEXT, COLUMN_CLUSTERING, true);
    add_column(builder, "mentions", TYPE_COUNTER, COLUMN_REGULAR, false);
    const struct table *table = table_builder_finish(builder);
    enum { TAGS = 300 };
    struct memory_partition partitions[TAGS];
    struct uuid id = {{0xaa, 0xbb, [15] = 1}};
    for (int tag = 0; tag < TAGS; tag++) {
        int count = tag == 7 ? 2000 : 1 + tag % 40;
        struct unfiltered *list = ARENA_NEW_ARRAY(&arena, struct unfiltered, count);
        for (int i = 0; i < count; i++) {
            struct cell *cell = ARENA_NEW(&arena, struct cell);
            struct row *row = ARENA_NEW(&arena, struct row);
            uint8_t *context = arena_alloc(&arena, COUNTER_SINGLE_SHARD_SIZE);
            counter_context_make_global(id, 1 + i, 10 * tag + i, context);
            *cell = (struct cell){.local_time = LOCAL_TIME_NONE,
                                  .timestamp = 1700000000000000 + i,
                                  .value = slice_make(context, COUNTER_SINGLE_SHARD_SIZE)};
            *row = (struct row){.clustering = one_value(text_of("i", 9999 - i)),
                                .liveness = LIVENESS_NONE,
                                .deletion = DELETION_NONE,
                                .cell_count = 1,
                                .cells = cell};
            list[i] = (struct unfiltered){.is_marker = false, .row = row};
        }
        partitions[tag] = (struct memory_partition){.key = partition_key_make(text_of("#tag", tag)),
                                                    .deletion = DELETION_NONE,
                                                    .unfiltereds = list,
                                                    .unfiltered_count = (size_t)count};
    }
    write_table(to, table, partitions, TAGS);
    table_unref(table);
}

static const struct row *make_wide_row(int place, int size)
{
    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, 4);
    char *text = arena_alloc(&arena, (size_t)size + 1);
    for (int i = 0; i < size; i++)
        text[i] = (char)('a' + (place * 7 + i * i) % 26);
    int64_t timestamp = 1700000000000000 + place;
    bool expires = place % 5 == 0;
    int32_t ttl = expires ? 2000000 : TTL_NONE;
    int32_t local_time = expires ? 2000000000 + place : LOCAL_TIME_NONE;
    cells[0] = (struct cell){0, ttl, local_time, timestamp, slice_make(text, (size_t)size), {0}};
    // A map: two keys, one of them deleted, in some rows all that was before.
    cells[1] =
        (struct cell){1, 0, LOCAL_TIME_NONE, timestamp + 1, number_of(place), text_of("a", 1)};
    cells[2] = (struct cell){1, 0, 1700000000, timestamp, slice_make("", 0), text_of("b", 2)};
    struct complex_deletion *deletion = ARENA_NEW(&arena, struct complex_deletion);
    *deletion = (struct complex_deletion){1, {timestamp - 1, 1700000000}};
    struct row *row = ARENA_NEW(&arena, struct row);
    *row = (struct row){.clustering = one_value(number_of(place)),
                        .liveness = {timestamp, ttl, local_time},
                        .deletion = DELETION_NONE,
                        .cell_count = place % 3 == 0 ? 1 : 3,
                        .complex_deletion_count = place % 3 == 1,
                        .cells = cells,
                        .complex_deletions = deletion};
    return row;
}

static struct unfiltered make_marker(enum bound_kind kind, int place, struct deletion closes,
                                     struct deletion opens)
{
    struct marker *marker = ARENA_NEW(&arena, struct marker);
    *marker = (struct marker){{kind, one_value(number_of(place))}, closes, opens};
    return (struct unfiltered){.is_marker = true, .marker = marker};
}

// Static rows, range tombstones, ttl, a map, many blocks of the index.
static void write_wide(const char *to)
{
    struct table_builder *builder = begin_table("wide");
    add_column(builder, "k", TYPE_INT, COLUMN_PARTITION_KEY, false);
    add_column(builder, "c", TYPE_INT, COLUMN_CLUSTERING, false);
    add_column(builder, "s", TYPE_TEXT, COLUMN_STATIC, false);
    add_column(builder, "v", TYPE_TEXT, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("m"),
                             type_make_map(table_builder_arena(builder), type_of_kind(TYPE_TEXT),
                                           type_of_kind(TYPE_INT), false),
                             COLUMN_REGULAR, false);
    const struct table *table = table_builder_finish(builder);
    enum { KEYS = 20, ROWS = 600 };
    struct memory_partition partitions[KEYS];
    struct deletion first = {1600000000000000, 1600000000}, second = {1600000000000001, 1600000001};
    for (int key = 0; key < KEYS; key++) {
        int count = key % 4 == 0 ? ROWS : key;
        struct unfiltered *list = ARENA_NEW_ARRAY(&arena, struct unfiltered, count + 3);
        size_t at = 0;
        for (int place = 0; place < count; place++) {
            if (place == 3) list[at++] = make_marker(BOUND_INCL_START, 3, DELETION_NONE, first);
            if (place == 7) list[at++] = make_marker(BOUND_EXCL_END_INCL_START, 7, first, second);
            list[at++] = (struct unfiltered){.is_marker = false,
                                             .row = make_wide_row(place, 20 + place % 700)};
        }
        if (count > 7) {
            list[at++] = make_marker(BOUND_INCL_END, count, second, DELETION_NONE);
        } else if (count > 3) {
            list[at++] = make_marker(BOUND_INCL_END, count, first, DELETION_NONE);
        }
        struct row *row = ARENA_NEW(&arena, struct row);
        struct cell *cell = ARENA_NEW(&arena, struct cell);
        *cell = (struct cell){0, 0, LOCAL_TIME_NONE, 1700000000000000, text_of("static", key), {0}};
        *row = (struct row){
            .liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cell_count = 1, .cells = cell};
        partitions[key] = (struct memory_partition){
            .key = partition_key_make(number_of(key)),
            .deletion = key == 5 ? first : DELETION_NONE,
            .static_row = key % 3 == 0 ? row : NULL,
            .unfiltereds = list,
            .unfiltered_count = at,
        };
    }
    write_table(to, table, partitions, KEYS);
    table_unref(table);
}

// 70 columns, of which each row has some; not compressed.
static void write_columns(const char *to)
{
    struct table_builder *builder = begin_table("columns");
    add_column(builder, "k", TYPE_INT, COLUMN_PARTITION_KEY, false);
    for (int i = 0; i < 70; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%02d", i);
        add_column(builder, name, TYPE_INT, COLUMN_REGULAR, false);
    }
    struct option off = {slice_of_text("enabled"), slice_of_text("false")};
    table_builder_params(builder)->compression = (struct options){&off, 1};
    const struct table *table = table_builder_finish(builder);
    enum { KEYS = 200 };
    struct memory_partition partitions[KEYS];
    for (int key = 0; key < KEYS; key++) {
        struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, 70);
        uint32_t count = 0;
        for (uint16_t i = 0; i < 70; i++) {
            if ((i * 31 + key * 17) % 70 > key % 72) continue;
            cells[count++] = (struct cell){
                i, 0, LOCAL_TIME_NONE, 1700000000000000, number_of(key * 100 + i), {0}};
        }
        struct row *row = ARENA_NEW(&arena, struct row);
        *row = (struct row){.liveness = {1700000000000000, TTL_NONE, LOCAL_TIME_NONE},
                            .deletion = DELETION_NONE,
                            .cell_count = count,
                            .cells = cells};
        struct unfiltered *list = ARENA_NEW(&arena, struct unfiltered);
        *list = (struct unfiltered){.is_marker = false, .row = row};
        partitions[key] = (struct memory_partition){.key = partition_key_make(number_of(key)),
                                                    .deletion = DELETION_NONE,
                                                    .unfiltereds = list,
                                                    .unfiltered_count = 1};
    }
    write_table(to, table, partitions, KEYS);
    table_unref(table);
}

START_TEST(tables_for_cassandra_are_written)
{
    static const struct {
        const char *name;
        void (*write)(const char *to);
    } tables[] = {{"hashtags", write_counters}, {"wide", write_wide}, {"columns", write_columns}};
    const char *wanted = getenv("HELENUS_SSTABLES");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char path[SSTABLE_PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", wanted == NULL ? directory : wanted, tables[i].name);
        ck_assert_int_eq(mkdir(path, 0755), 0);
        tables[i].write(path);
    }
}
END_TEST

// ---- Files --------------------------------------------------------------------------------------

static void write_small(uint64_t generation)
{
    struct table_builder *builder = begin_table("small");
    add_column(builder, "k", TYPE_INT, COLUMN_PARTITION_KEY, false);
    const struct table *table = table_builder_finish(builder);
    struct row row = {.liveness = {5, TTL_NONE, LOCAL_TIME_NONE}, .deletion = DELETION_NONE};
    struct unfiltered unfiltered = {.is_marker = false, .row = &row};
    struct memory_partition partition = {.key = partition_key_make(number_of(1)),
                                         .deletion = DELETION_NONE,
                                         .unfiltereds = &unfiltered,
                                         .unfiltered_count = 1};
    struct memory_source source;
    struct sstable_content content;
    memory_source_init(&source, table, &partition, 1);
    ck_assert_int_eq(sstable_content_gather(&source.base, &content), STATUS_OK);
    memory_source_init(&source, table, &partition, 1);
    struct sstable_write_options options = {
        .directory = directory, .generation = generation, .table = table, .content = &content};
    struct sstable_summary written;
    ck_assert_int_eq(sstable_write(env, &options, &source.base, &written, NULL), STATUS_OK);
    table_unref(table);
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

static void put_file(const char *name, const char *text)
{
    char path[SSTABLE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static struct sstable_listing recover(void)
{
    struct sstable_listing listing;
    struct error error = {0};
    enum status status = sstable_recover_directory(env, directory, &listing, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    return listing;
}

START_TEST(a_written_sstable_is_listed_and_removed)
{
    write_small(3);
    write_small(11);
    ck_assert_uint_eq(count_files("nb_txn"), 0);
    ck_assert_uint_eq(count_files("nb-3-big-"), 8);
    struct sstable_listing listing = recover();
    ck_assert_uint_eq(listing.count, 2);
    ck_assert_uint_eq(listing.generations[0], 3);
    ck_assert_uint_eq(listing.generations[1], 11);
    free(listing.generations);
    ck_assert_int_eq(sstable_remove(env, directory, 3, NULL), STATUS_OK);
    ck_assert_int_eq(sstable_remove(env, directory, 3, NULL), STATUS_OK);
    listing = recover();
    ck_assert_uint_eq(listing.count, 1);
    ck_assert_uint_eq(count_files("nb-3-"), 0);
    free(listing.generations);
}
END_TEST

// The checksums are Cassandra's: of "COMMIT" and three zeros; of the path, "ADD", 0, 0, 8.
static const char *const logs[] = {
    "ADD:[/a/b/nb-1-big-,0,8][%s]\n",
    "ADD:[/a/b/nb-1-big-,0,8][%s]\nCOMMIT:[,0,0][2613697770]\n",
    "ADD:[/a/b/nb-1-big-,0,8][%s]\nCOMMIT:[,0,0][2613697771]\n",
    "ADD:[/a/b/nb-1-big-,0,8][%s]\nCOMMIT:[,0,0][26136",
    "ADD:[/a/b/nb-1-big-,0,8][%s]\nABORT:[,0,0][1]\n",
    "",
};

START_TEST(an_unfinished_log_is_undone_and_a_committed_one_is_kept)
{
    // CRC32 of "/a/b/nb-1-big-" "ADD" 00000000 00000000 00000008.
    static const char crc[] = "2876280601";
    char text[256];
    write_small(1);
    snprintf(text, sizeof text, logs[_i], crc);
    put_file("nb_txn_flush_11111111-1111-1111-1111-111111111111.log", text);
    put_file("nb-9-big-Index.db", "left by a removal");
    put_file("nb-1-big-Summary.db.tmp", "left by a rebuild");
    struct sstable_listing listing = recover();
    bool is_kept = _i == 1 || _i == 5; // An empty log says nothing of any file.
    ck_assert_uint_eq(listing.count, is_kept);
    ck_assert_uint_eq(count_files("nb-1-big-"), is_kept ? 8 : 0);
    ck_assert_uint_eq(count_files("nb-9"), 0);
    ck_assert_uint_eq(count_files(".tmp"), 0);
    ck_assert_uint_eq(count_files("nb_txn"), 0);
    free(listing.generations);
}
END_TEST

START_TEST(a_source_without_data_leaves_no_file)
{
    struct table_builder *builder = begin_table("small");
    add_column(builder, "k", TYPE_INT, COLUMN_PARTITION_KEY, false);
    const struct table *table = table_builder_finish(builder);
    struct memory_partition empty = {.key = partition_key_make(number_of(1)),
                                     .deletion = DELETION_NONE};
    struct sstable_summary written = write_table(directory, table, &empty, 1);
    ck_assert_uint_eq(written.partition_count, 0);
    ck_assert_uint_eq(count_files(""), 0);
    table_unref(table);
}
END_TEST

// Millions of small cells: written they are 28 MB, and room for the longest form of each takes 270.
START_TEST(a_set_of_millions_is_written)
{
    enum { CELLS = 3500000 };
    struct table_builder *builder = begin_table("small");
    const struct type *set =
        type_make_set(table_builder_arena(builder), type_of_kind(TYPE_INT), false);
    add_column(builder, "k", TYPE_INT, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("s"), set, COLUMN_REGULAR, false);
    const struct table *table = table_builder_finish(builder);
    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, CELLS);
    uint8_t *paths = arena_alloc(&arena, 4 * (size_t)CELLS);
    for (uint32_t i = 0; i < CELLS; i++) {
        bytes_put_u32(paths + 4 * (size_t)i, i);
        cells[i] = (struct cell){.local_time = LOCAL_TIME_NONE,
                                 .timestamp = 1000,
                                 .value = slice_make("", 0),
                                 .path = slice_make(paths + 4 * (size_t)i, 4)};
    }
    const struct row row = {
        .liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cells = cells, .cell_count = CELLS};
    struct unfiltered unfiltered = {.is_marker = false, .row = &row};
    struct memory_partition partition = {.key = partition_key_make(number_of(1)),
                                         .deletion = DELETION_NONE,
                                         .unfiltereds = &unfiltered,
                                         .unfiltered_count = 1};
    struct sstable_summary written = write_table(directory, table, &partition, 1);
    ck_assert_uint_eq(written.partition_count, 1);
    table_unref(table);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("write");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, tables_for_cassandra_are_written);
    tcase_add_test(tcase, a_written_sstable_is_listed_and_removed);
    tcase_add_loop_test(tcase, an_unfinished_log_is_undone_and_a_committed_one_is_kept, 0,
                        sizeof logs / sizeof *logs);
    tcase_add_test(tcase, a_source_without_data_leaves_no_file);
    tcase_add_test(tcase, a_set_of_millions_is_written);

    Suite *suite = suite_create("sstable_write");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
