// Generated partitions with rows, range tombstones and many index blocks: every slice, in both
// directions, from files and through a cache, against the definition; then the same files with
// damage. The seed is printed when something fails.
#include "base/env_uv.h"
#include "storage/sstable/reader.h"
#include "tests/storage/support/memory_source.h"
#include "tests/storage/support/partition_text.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PARTITIONS = 3, PLACES_MAX = 120 };

static struct env *env;
static char directory[64];
static const struct table *table;
static struct arena arena;
static uint64_t seed;
static struct sstable_check written_check; // Of the last SSTable that was written.

static uint32_t pick(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    sstable_table_make_directory(directory);
    arena_init(&arena, 64 * KIB);
}

static void teardown(void)
{
    table_unref(table);
    arena_deinit(&arena);
    env_uv_destroy(env);
    sstable_table_remove_directory(directory);
}

static void make_table(bool compressed, bool descending)
{
    struct uuid id = {{7}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("slices"), id);
    const struct type *number = type_of_kind(TYPE_INT), *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), number, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), number, COLUMN_CLUSTERING, descending);
    table_builder_add_column(builder, slice_of_text("s"), text, COLUMN_STATIC, false);
    table_builder_add_column(builder, slice_of_text("v"), text, COLUMN_REGULAR, false);
    struct option *option = ARENA_NEW(table_builder_arena(builder), struct option);
    *option = compressed ? (struct option){slice_of_text("chunk_length_in_kb"), slice_of_text("1")}
                         : (struct option){slice_of_text("enabled"), slice_of_text("false")};
    table_builder_params(builder)->compression = (struct options){option, 1};
    table = table_builder_finish(builder);
}

// ---- Partitions ---------------------------------------------------------------------------------

static const struct slice *value_of(int32_t number)
{
    uint8_t *bytes = arena_alloc(&arena, 4);
    bytes_put_u32(bytes, (uint32_t)number);
    struct slice *value = arena_alloc(&arena, sizeof *value);
    *value = slice_make(bytes, 4);
    return value;
}

// The place with this rank: in a descending table the numbers go down.
static struct bound place_of(int32_t rank, enum bound_kind kind)
{
    int32_t number = table->columns[COLUMN_CLUSTERING][0].reversed ? -rank : rank;
    return (struct bound){kind, {1, value_of(number)}};
}

static struct slice random_text(void)
{
    size_t size = pick(8) == 0 ? pick(3000) : pick(60);
    uint8_t *bytes = arena_alloc(&arena, size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)('a' + pick(pick(2) ? 2 : 26));
    return slice_make(bytes, size);
}

static const struct row *make_row(int32_t rank)
{
    struct row *row = ARENA_NEW(&arena, struct row);
    struct cell *cell = ARENA_NEW(&arena, struct cell);
    bool expires = pick(5) == 0;
    *cell =
        (struct cell){.ttl = expires ? 100 : TTL_NONE,
                      .local_time = expires ? 1700000000 + (int32_t)pick(1000) : LOCAL_TIME_NONE,
                      .timestamp = 1700000000000000 + pick(1000),
                      .value = random_text()};
    *row = (struct row){.clustering = place_of(rank, BOUND_CLUSTERING).prefix,
                        .liveness = LIVENESS_NONE,
                        .deletion = DELETION_NONE,
                        .cell_count = pick(10) > 0,
                        .cells = cell};
    if (row->cell_count == 0 || pick(2))
        row->liveness = (struct liveness){1700000000000000, TTL_NONE, LOCAL_TIME_NONE};
    if (pick(10) == 0) row->deletion = (struct deletion){1600000000000000, 1600000000};
    return row;
}

static struct unfiltered make_marker(struct bound place, struct deletion closes,
                                     struct deletion opens)
{
    struct marker *marker = ARENA_NEW(&arena, struct marker);
    *marker = (struct marker){place, closes, opens};
    return (struct unfiltered){.is_marker = true, .marker = marker};
}

// Ranks 0, 1, 2, …: rows at most of them, range tombstones from some to some.
static void make_partition(struct memory_partition *partition, int32_t key, bool with_static)
{
    int32_t places = (int32_t)pick(PLACES_MAX);
    struct unfiltered *list = ARENA_NEW_ARRAY(&arena, struct unfiltered, 3 * places + 2);
    size_t count = 0;
    struct deletion open = DELETION_NONE;
    for (int32_t rank = 0; rank < places; rank++) {
        struct deletion next = {1650000000000000 + pick(100), 1650000000 + (int32_t)pick(100)};
        bool is_open = !deletion_is_live(open);
        if (!is_open && pick(8) == 0) {
            list[count++] = make_marker(place_of(rank, BOUND_INCL_START), DELETION_NONE, next);
            open = next;
        } else if (is_open && pick(4) == 0) {
            bool is_boundary = pick(2);
            list[count++] = make_marker(
                place_of(rank, is_boundary ? BOUND_EXCL_END_INCL_START : BOUND_EXCL_END), open,
                is_boundary ? next : DELETION_NONE);
            open = is_boundary ? next : DELETION_NONE;
        }
        if (pick(6) > 0)
            list[count++] = (struct unfiltered){.is_marker = false, .row = make_row(rank)};
        if (!deletion_is_live(open) && pick(6) == 0) {
            list[count++] = make_marker(place_of(rank, BOUND_INCL_END), open, DELETION_NONE);
            open = DELETION_NONE;
        }
    }
    if (!deletion_is_live(open))
        list[count++] = make_marker((struct bound){BOUND_INCL_END, {0, NULL}}, open, DELETION_NONE);
    *partition = (struct memory_partition){
        .key = partition_key_make(*value_of(key)),
        .deletion = pick(3) == 0 ? (struct deletion){1500000000000000, 1500000000} : DELETION_NONE,
        .unfiltereds = list,
        .unfiltered_count = count,
    };
    if (with_static) {
        struct row *row = (struct row *)make_row(0);
        row->clustering = (struct clustering){0, NULL};
        row->deletion = DELETION_NONE;
        partition->static_row = row;
    }
}

static struct sstable_reader *write_and_open(struct memory_partition *partitions)
{
    bool with_static = pick(2);
    for (int32_t i = 0; i < PARTITIONS; i++)
        make_partition(&partitions[i], i, with_static);
    struct memory_source source;
    struct sstable_content content;
    memory_source_init(&source, table, partitions, PARTITIONS);
    ck_assert_int_eq(sstable_content_gather(&source.base, &content), STATUS_OK);
    memory_source_init(&source, table, partitions, PARTITIONS);
    struct sstable_write_options options = {.directory = directory,
                                            .generation = 1,
                                            .table = table,
                                            .content = &content,
                                            .column_index_size = 1 + pick(2000)};
    struct sstable_summary written;
    struct error error = {0};
    enum status status = sstable_write(env, &options, &source.base, &written, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    if (written.partition_count == 0) return NULL;
    written_check = written.check;
    struct sstable_reader *reader;
    status = sstable_open(env, directory, 1, table, &written.check, &reader, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    return reader;
}

// ---- Slices by definition -----------------------------------------------------------------------

static void put_unfiltered(struct buffer *text, const struct unfiltered *unfiltered)
{
    if (unfiltered->is_marker) {
        partition_text_put_marker(text, unfiltered->marker);
    } else {
        partition_text_put_row(text, table, unfiltered->row, false);
    }
}

static void put_slices(struct buffer *text, const struct memory_partition *partition,
                       const struct partition_filter *filter)
{
    for (size_t i = 0; i < filter->range_count; i++) {
        const struct clustering_range *range = &filter->ranges[i];
        struct deletion open = DELETION_NONE;
        bool is_inside = false;
        for (size_t j = 0; j <= partition->unfiltered_count; j++) {
            bool is_last = j == partition->unfiltered_count;
            const struct unfiltered *unfiltered = &partition->unfiltereds[j];
            struct bound place = {BOUND_INCL_END, {0, NULL}};
            if (!is_last)
                place = unfiltered->is_marker
                            ? unfiltered->marker->bound
                            : (struct bound){BOUND_CLUSTERING, unfiltered->row->clustering};
            bool is_before = !is_last && bound_compare(table, &place, &range->start) <= 0;
            if (!is_before && !is_inside) {
                is_inside = true;
                if (!deletion_is_live(open))
                    partition_text_put_marker(text,
                                              &(struct marker){range->start, DELETION_NONE, open});
            }
            if (is_last || bound_compare(table, &place, &range->end) >= 0) {
                if (!deletion_is_live(open))
                    partition_text_put_marker(text,
                                              &(struct marker){range->end, open, DELETION_NONE});
                break;
            }
            if (!is_before) put_unfiltered(text, unfiltered);
            if (unfiltered->is_marker) open = unfiltered->marker->opens;
        }
    }
}

// Some ranges, in order and apart.
static size_t make_ranges(struct clustering_range *ranges, size_t most)
{
    if (pick(6) == 0) {
        ranges[0] = CLUSTERING_RANGE_ALL;
        return 1;
    }
    size_t count = 0;
    for (int32_t rank = (int32_t)pick(30) - 2; rank < PLACES_MAX && count < most;) {
        bool single = pick(3) == 0;
        int32_t last = single ? rank : rank + 1 + (int32_t)pick(40);
        ranges[count].start =
            place_of(rank, single || pick(2) ? BOUND_INCL_START : BOUND_EXCL_START);
        ranges[count++].end = place_of(last, single || pick(2) ? BOUND_INCL_END : BOUND_EXCL_END);
        rank = last + 1 + (int32_t)pick(20);
    }
    if (pick(4) == 0) ranges[0].start = BOUND_BOTTOM;
    if (pick(4) == 0) ranges[count - 1].end = BOUND_TOP;
    return count;
}

// Reads; loads what is missing and reads again, as the engine does.
static void read_slices(struct sstable_reader *reader, const struct partition_key *key,
                        const struct partition_filter *filter, struct chunk_cache *cache,
                        struct buffer *text)
{
    struct read_pins pins;
    read_pins_init(&pins);
    struct arena read_arena;
    arena_init(&read_arena, 4 * KIB);
    for (;;) {
        struct partition_iterator *partition;
        struct error error = {0};
        struct sstable_load load;
        enum status status =
            sstable_read(reader, table, key, filter, cache, cache == NULL ? NULL : &pins,
                         &read_arena, &partition, &error);
        if (status == STATUS_OK) {
            if (partition != NULL)
                partition_text_put_unfiltereds(text, partition, filter->reversed);
            partition_iterator_close(partition);
            break;
        }
        ck_assert_msg(status == STATUS_WOULD_BLOCK, "%s", error.text);
        ck_assert(sstable_load_begin(&load, &pins));
        sstable_load_work(&load);
        ck_assert_int_eq(sstable_load_finish(&load, cache, &pins, &error), STATUS_OK);
    }
    arena_deinit(&read_arena);
    read_pins_release(&pins);
}

START_TEST(slices_are_what_the_definition_says)
{
    seed = (uint64_t)_i + 1;
    make_table(_i % 2 == 0, _i % 3 == 0);
    struct memory_partition partitions[PARTITIONS];
    struct sstable_reader *reader = write_and_open(partitions);
    if (reader == NULL) return;
    struct chunk_cache *cache = chunk_cache_create(4 * KIB);
    for (int round = 0; round < 30; round++) {
        const struct memory_partition *partition = &partitions[pick(PARTITIONS)];
        struct clustering_range ranges[4];
        struct partition_filter filter = {.ranges = ranges,
                                          .range_count = make_ranges(ranges, 4),
                                          .reversed = pick(2),
                                          .with_static = pick(2)};
        struct buffer expected, actual;
        buffer_init(&expected, GIB);
        buffer_init(&actual, GIB);
        put_slices(&expected, partition, &filter);
        read_slices(reader, &partition->key, &filter, pick(2) ? cache : NULL, &actual);
        buffer_put_u8(&expected, 0);
        buffer_put_u8(&actual, 0);
        bool is_same = strcmp((char *)expected.data, (char *)actual.data) == 0;
        if (!is_same)
            fprintf(stderr, "expected:\n%s\nbut read:\n%s\n", (char *)expected.data,
                    (char *)actual.data);
        ck_assert_msg(is_same, "seed %d, round %d, %s", _i + 1, round,
                      filter.reversed ? "reversed" : "forward");
        buffer_deinit(&expected);
        buffer_deinit(&actual);
    }
    sstable_unref(reader);
    chunk_cache_destroy(cache);
}
END_TEST

START_TEST(a_load_brings_what_was_missed)
{
    seed = 77;
    make_table(true, false);
    struct memory_partition partitions[PARTITIONS];
    struct sstable_reader *reader = write_and_open(partitions);
    ck_assert_ptr_nonnull(reader);
    struct chunk_cache *cache = chunk_cache_create(64 * KIB);
    struct read_pins pins;
    read_pins_init(&pins);
    struct sstable_load load;
    struct error error = {0};
    ck_assert(!sstable_load_begin(&load, &pins));
    size_t count = reader_chunk_count(reader);
    for (int round = 0; round < 2; round++) {
        read_pins_note_miss(&pins, reader, 0, count); // As a stream does.
        ck_assert(sstable_load_begin(&load, &pins));
        sstable_load_work(&load);
        ck_assert_int_eq(sstable_load_finish(&load, cache, &pins, &error), STATUS_OK);
    }
    ck_assert_uint_eq(pins.count, 2 * count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_ptr_eq(chunk_cache_find(cache, &reader->slots[i]), pins.chunks[i]);
        ck_assert_ptr_eq(pins.chunks[i], pins.chunks[count + i]);
    }

    // A damaged chunk is the load's status, and nothing is left of it.
    struct sstable_reader *damaged;
    ck_assert_int_eq(sstable_open(env, directory, 1, table, NULL, &damaged, &error), STATUS_OK);
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, directory, 1, SSTABLE_DATA);
    int file = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(file, "damage", 6, 0), 6);
    close(file);
    read_pins_note_miss(&pins, damaged, 0, 1);
    sstable_unref(damaged); // Its miss keeps it.
    ck_assert(sstable_load_begin(&load, &pins));
    sstable_load_work(&load);
    ck_assert_int_eq(sstable_load_finish(&load, cache, &pins, &error), STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "nb-1-big-Data.db: offset 0: "));

    // The reader may end before those who hold its chunks.
    sstable_unref(reader);
    ck_assert_uint_eq(chunk_cache_size(cache), 0);
    read_pins_release(&pins);
    chunk_cache_destroy(cache);
}
END_TEST

// ---- Damage -------------------------------------------------------------------------------------

// Everything, in both directions; whatever it finds, it comes to an end.
static void read_all(struct sstable_reader *reader)
{
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    for (int reversed = 0; reversed < 2; reversed++) {
        struct partition_filter filter = {
            .ranges = &all, .range_count = 1, .reversed = reversed, .with_static = true};
        struct arena read_arena;
        arena_init(&read_arena, 4 * KIB);
        struct scan_iterator *scan;
        struct scan_range range = SCAN_RANGE_ALL;
        struct error error;
        if (sstable_scan(reader, table, &range, &filter, NULL, NULL, &read_arena, &scan, &error) !=
            STATUS_OK)
            continue;
        struct partition_iterator *partition;
        enum status status;
        while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
            struct unfiltered unfiltered;
            while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK)
                continue;
            partition_iterator_close(partition);
            if (status != STATUS_END) break;
        }
        scan_iterator_close(scan);
        arena_deinit(&read_arena);
    }
}

static void flip_and_read(enum sstable_component component, const struct sstable_check *check)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, directory, 1, component);
    int file = open(path, O_RDWR);
    if (file < 0) return;
    off_t size = lseek(file, 0, SEEK_END);
    off_t offset = (off_t)(pick(UINT32_MAX) % (uint64_t)size);
    uint8_t byte, flipped;
    ck_assert_int_eq(pread(file, &byte, 1, offset), 1);
    flipped = (uint8_t)(pick(2) ? byte ^ (1u << pick(8)) : 255 * pick(2));
    ck_assert_int_eq(pwrite(file, &flipped, 1, offset), 1);
    struct sstable_reader *reader;
    struct error error;
    enum status status = sstable_open(env, directory, 1, table, check, &reader, &error);
    if (status == STATUS_OK) {
        read_all(reader);
        sstable_unref(reader);
    }
    // What a manifest knows of is never believed when it is damaged.
    if (check != NULL && flipped != byte && component != SSTABLE_DATA &&
        component != SSTABLE_DIGEST && component != SSTABLE_TOC)
        ck_assert_int_eq(status, STATUS_CORRUPT);
    ck_assert_int_eq(pwrite(file, &byte, 1, offset), 1);
    close(file);
}

START_TEST(no_flipped_bit_does_harm)
{
    seed = (uint64_t)_i + 1000;
    make_table(_i % 2 == 0, false);
    struct memory_partition partitions[PARTITIONS];
    struct sstable_reader *reader = write_and_open(partitions);
    if (reader == NULL) return;
    sstable_unref(reader);
    // Without checksums of chunks damage gets further.
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, directory, 1, SSTABLE_CRC);
    if (_i % 4 == 1) unlink(path);
    bool is_whole = _i % 4 != 1;
    for (int round = 0; round < 150; round++)
        flip_and_read((enum sstable_component)pick(SSTABLE_COMPONENT_COUNT),
                      is_whole && pick(2) ? &written_check : NULL);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("slices");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, slices_are_what_the_definition_says, 0, 100);
    tcase_add_test(tcase, a_load_brings_what_was_missed);
    tcase_add_loop_test(tcase, no_flipped_bit_does_harm, 0, 12);

    Suite *suite = suite_create("sstable_slices");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
