// A flipped bit in each byte of each component: it is told when the SSTable is opened or read, with
// the file's name, or it changes nothing; never a wrong row.
//
// With a manifest, as ours have it, and without, as files of others are.
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/env_sim.h"
#include "base/limits.h"
#include "base/random.h"
#include "storage/sstable/sstable.h"
#include "tests/storage/support/partition_text.h"
#include "tests/storage/support/random_table.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY "/damaged"

enum { FLIPS_MAX = 160, KEYS_MAX = 80, GENERATION = 1 };

static struct sim_world *world;
static struct env *env;
static struct arena arena;
static struct random_table made;
static struct sstable_summary written;
static struct partition_key keys[KEYS_MAX]; // The first ones.
static struct slice rows_of_keys[KEYS_MAX]; // As text.
static size_t key_count;
static struct buffer expected;

static void setup(void)
{
    struct sim_options options = {.seed = 1};
    world = sim_world_create(&options);
    env = sim_process_start(sim_machine_create(world, "machine"), "process", NULL, NULL);
    ck_assert_int_eq(env_make_dir(env, DIRECTORY, NULL), STATUS_OK);
    arena_init(&arena, 64 * KIB);
    buffer_init(&expected, GIB);
}

static void teardown(void)
{
    buffer_deinit(&expected);
    arena_deinit(&arena);
    sim_process_destroy(env);
    sim_world_destroy(world);
}

static void write_table(void)
{
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, false, true};
    struct scan_range all = SCAN_RANGE_ALL;
    struct sstable_content content;
    struct memtable *memtable = made.memtables[0];
    struct scan_iterator *scan = memtable_scan(memtable, made.table, &all, &filter, &arena, NULL);
    ck_assert_int_eq(sstable_content_gather(scan, &content), STATUS_OK);
    scan = memtable_scan(memtable, made.table, &all, &filter, &arena, NULL);
    struct sstable_write_options options = {.directory = DIRECTORY,
                                            .generation = GENERATION,
                                            .table = made.table,
                                            .content = &content,
                                            .column_index_size = made.column_index_size,
                                            .with_table_compressor = true};
    ck_assert_int_eq(sstable_write(env, &options, scan, &written, NULL), STATUS_OK);
}

// ---- Reads --------------------------------------------------------------------------------------

static void note_key(const struct partition_key *key)
{
    if (key_count == KEYS_MAX) return;
    keys[key_count] = *key;
    keys[key_count++].bytes = arena_copy(&arena, key->bytes);
}

static enum status read_by_scan(struct sstable_reader *reader, struct arena *memory,
                                struct buffer *text, bool notes_keys, struct error *error)
{
    struct scan_iterator *scan;
    enum status status = sstable_scan_apart(reader, made.table, memory, &scan, error);
    if (status != STATUS_OK) return status;
    struct partition_iterator *partition;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        if (notes_keys) note_key(&partition->key);
        struct unfiltered unfiltered;
        buffer_put(text, partition->key.bytes.data, partition->key.bytes.size);
        buffer_put_format(text, " %" PRId64 "\n", partition->deletion.timestamp);
        if (partition->static_row != NULL)
            partition_text_put_row(text, made.table, partition->static_row, true);
        while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
            if (unfiltered.is_marker)
                partition_text_put_marker(text, unfiltered.marker);
            else
                partition_text_put_row(text, made.table, unfiltered.row, false);
        }
        partition_iterator_close(partition);
        if (status != STATUS_END) break;
    }
    scan_iterator_close(scan);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_key(struct sstable_reader *reader, const struct partition_key *key,
                            bool reversed, struct chunk_cache *cache, struct read_pins *pins,
                            struct arena *memory, struct buffer *text, struct error *error)
{
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, reversed, true};
    struct partition_iterator *partition;
    enum status status =
        sstable_read(reader, made.table, key, &filter, cache, pins, memory, &partition, error);
    if (status != STATUS_OK) return status;
    if (partition == NULL) {
        buffer_put_format(text, "nothing\n");
        return STATUS_OK;
    }
    struct unfiltered unfiltered;
    buffer_put_format(text, "%" PRId64 "\n", partition->deletion.timestamp);
    if (partition->static_row != NULL)
        partition_text_put_row(text, made.table, partition->static_row, true);
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        if (unfiltered.is_marker)
            partition_text_put_marker(text, unfiltered.marker);
        else
            partition_text_put_row(text, made.table, unfiltered.row, false);
    }
    partition_iterator_close(partition);
    return status == STATUS_END ? STATUS_OK : status;
}

// All that is read in several ways. Anything but OK: `error` says what it is.
static enum status read_all(const struct sstable_check *check, struct buffer *text, bool notes_keys,
                            struct error *error)
{
    struct sstable_reader *reader;
    enum status status =
        sstable_open(env, DIRECTORY, GENERATION, made.table, check, &reader, error);
    if (status != STATUS_OK) return status;
    struct arena memory;
    arena_init(&memory, 16 * KIB);
    status = read_by_scan(reader, &memory, text, notes_keys, error);
    for (size_t i = 0; i < key_count && status == STATUS_OK; i++) {
        arena_reset(&memory);
        if (sstable_may_contain(reader, &keys[i]))
            status = read_key(reader, &keys[i], i % 2 == 1, NULL, NULL, &memory, text, error);
        else
            buffer_put_format(text, "nothing\n");
    }
    arena_deinit(&memory);
    sstable_unref(reader);
    return status;
}

// The same through a cache, which has only the starts of some chunks.
static enum status read_key_cached(struct sstable_reader *reader, const struct partition_key *key,
                                   struct chunk_cache *cache, struct arena *memory,
                                   struct buffer *text)
{
    struct read_pins pins;
    struct sstable_load load;
    enum status status = STATUS_WOULD_BLOCK;
    read_pins_init(&pins);
    while (status == STATUS_WOULD_BLOCK) {
        buffer_clear(text);
        arena_reset(memory);
        status = read_key(reader, key, false, cache, &pins, memory, text, NULL);
        if (status != STATUS_WOULD_BLOCK) break;
        while (sstable_load_begin(&load, &pins)) {
            sstable_load_work(&load);
            enum status loaded = sstable_load_finish(&load, cache, &pins, NULL);
            if (loaded != STATUS_OK) status = loaded;
        }
    }
    read_pins_release(&pins);
    return status;
}

// Reads keys one by one, whatever is wrong with others. Returns how many are told; with
// `notes_rows` what is read is right, else it is compared.
static size_t read_keys(bool notes_rows)
{
    struct sstable_reader *reader;
    ck_assert_int_eq(
        sstable_open(env, DIRECTORY, GENERATION, made.table, &written.check, &reader, NULL),
        STATUS_OK);
    struct chunk_cache *cache = chunk_cache_create(GIB);
    struct arena memory;
    struct buffer text;
    arena_init(&memory, 16 * KIB);
    buffer_init(&text, GIB);
    size_t told = 0;
    for (size_t i = 0; i < key_count; i++) {
        enum status status = read_key_cached(reader, &keys[i], cache, &memory, &text);
        if (status != STATUS_OK) {
            told++;
        } else if (notes_rows) {
            rows_of_keys[i] = arena_copy(&arena, buffer_slice(&text));
        } else {
            ck_assert_msg(slice_equals(buffer_slice(&text), rows_of_keys[i]), "key %zu: wrong", i);
        }
    }
    buffer_deinit(&text);
    arena_deinit(&memory);
    sstable_unref(reader);
    chunk_cache_destroy(cache);
    return told;
}

// ---- Damage -------------------------------------------------------------------------------------

static void flip(const char *path, uint64_t offset, uint8_t bit)
{
    struct env_file *file;
    uint8_t byte;
    size_t size;
    ck_assert_int_eq(env_file_open(env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, NULL),
                     STATUS_OK);
    ck_assert_int_eq(env_file_read(file, offset, &byte, 1, &size, NULL), STATUS_OK);
    byte ^= (uint8_t)(1 << bit);
    ck_assert_int_eq(env_file_write(file, offset, &byte, 1, NULL), STATUS_OK);
    env_file_close(file);
}

struct outcome {
    unsigned told, harmless, wrong;
};

static void try_flip(enum sstable_component component, uint64_t offset, uint8_t bit,
                     const struct sstable_check *check, struct outcome *outcome)
{
    struct sstable_name name = sstable_name_of(SSTABLE_NB, GENERATION);
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, DIRECTORY, &name, component);
    flip(path, offset, bit);
    struct error error = {0};
    struct buffer text;
    buffer_init(&text, GIB);
    enum status status = read_all(check, &text, false, &error);
    if (status != STATUS_OK) {
        outcome->told++;
        ck_assert_msg(strstr(error.text, DIRECTORY "/nb-1-big-") != NULL,
                      "%s, byte %" PRIu64 ": the error names no file: %s", path, offset,
                      error.text);
        // A hash of a whole file does not know where.
        ck_assert_msg(strstr(error.text, "offset ") != NULL ||
                          strstr(error.text, ": is not what was written") != NULL,
                      "%s, byte %" PRIu64 ": the error says nothing of where: %s", path, offset,
                      error.text);
    } else if (slice_equals(buffer_slice(&text), buffer_slice(&expected))) {
        outcome->harmless++;
    } else {
        outcome->wrong++;
    }
    buffer_deinit(&text);
    if (component == SSTABLE_DATA && check != NULL) (void)read_keys(false);
    flip(path, offset, bit);
}

static struct outcome flip_component(enum sstable_component component,
                                     const struct sstable_check *check, struct random *random)
{
    struct outcome outcome = {0};
    uint64_t size = written.check.sizes[component];
    uint64_t step = size <= FLIPS_MAX ? 1 : size / FLIPS_MAX;
    for (uint64_t at = 0; at < size; at += step) {
        uint64_t offset = at + (step > 1 ? random_below(random, step) : 0);
        if (offset < size)
            try_flip(component, offset, (uint8_t)random_below(random, 8), check, &outcome);
    }
    return outcome;
}

START_TEST(a_flipped_bit_is_told_or_harmless)
{
    enum random_shape shape = (enum random_shape)(_i % RANDOM_SHAPE_COUNT);
    bool is_foreign = _i >= RANDOM_SHAPE_COUNT;
    struct random random;
    random_init(&random, (uint64_t)_i);
    random_table_make_small(&made, (uint64_t)_i + 1, shape, "ks", "t");
    write_table();
    key_count = 0;
    const struct sstable_check *check = is_foreign ? NULL : &written.check;
    struct error error = {0};
    if (written.partition_count > 0) {
        ck_assert_msg(read_all(check, &expected, true, &error) == STATUS_OK, "%s", error.text);
        buffer_clear(&expected);
        ck_assert_int_eq(read_all(check, &expected, false, &error), STATUS_OK);
        ck_assert_uint_eq(read_keys(true), 0);
    }
    for (int c = 0; c < SSTABLE_COMPONENT_COUNT && written.partition_count > 0; c++) {
        if (written.check.sizes[c] == 0) continue;
        struct outcome outcome = flip_component((enum sstable_component)c, check, &random);
        printf("%s%s, %s: %u told, %u harmless, %u wrong\n", is_foreign ? "others': " : "",
               random_shape_text(shape), sstable_component_name((enum sstable_component)c),
               outcome.told, outcome.harmless, outcome.wrong);
        ck_assert_msg(outcome.wrong == 0, "%u wrong", outcome.wrong);
    }
    random_table_deinit(&made);
}
END_TEST

// Statistics.db says that there are 2^60 partitions, with right checksums, and the manifest knows
// it: what a compaction makes for so many keys is no larger than Index.db allows.
START_TEST(memory_for_keys_is_bounded_by_the_index)
{
    random_table_make_small(&made, 1, RANDOM_SHAPE_COUNT - 1, "ks", "t");
    write_table();
    const struct sstable_name name = sstable_name_of(SSTABLE_NB, GENERATION);
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, DIRECTORY, &name, SSTABLE_STATISTICS);
    struct env_file *file;
    uint8_t *bytes = arena_alloc(&arena, written.check.sizes[SSTABLE_STATISTICS]);
    size_t size, at = 8, end = written.check.sizes[SSTABLE_STATISTICS];
    ck_assert_int_eq(env_file_open(env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, NULL),
                     STATUS_OK);
    ck_assert_int_eq(env_file_read(file, 0, bytes, end, &size, NULL), STATUS_OK);
    while (bytes_get_u32(bytes + at) != 2) // STATS
        at += 8;
    size_t body = bytes_get_u32(bytes + at + 4), body_end = bytes_get_u32(bytes + at + 12) - 4;
    bytes_put_u64(bytes + body + 4 + 8, (uint64_t)1 << 60); // The first bucket of sizes.
    bytes_put_u32(bytes + body_end, checksum_crc32(slice_make(bytes + body, body_end - body)));
    ck_assert_int_eq(env_file_write(file, 0, bytes, end, NULL), STATUS_OK);
    env_file_close(file);
    written.check.xxh3[SSTABLE_STATISTICS] = checksum_xxh3(slice_make(bytes, end), 0);
    struct sstable_reader *reader;
    struct sstable_content content;
    struct error error;
    ck_assert_msg(sstable_open(env, DIRECTORY, GENERATION, made.table, &written.check, &reader,
                               &error) == STATUS_OK,
                  "%s", error.text);
    ck_assert_uint_le(sstable_partition_count(reader), written.check.sizes[SSTABLE_INDEX]);
    ck_assert_int_eq(sstable_content_unite(&reader, 1, made.table, &content, &error), STATUS_OK);
    ck_assert_uint_le(content.partition_count, written.check.sizes[SSTABLE_INDEX]);
    sstable_unref(reader);
    random_table_deinit(&made);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("damage");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, a_flipped_bit_is_told_or_harmless, 0, 2 * RANDOM_SHAPE_COUNT);
    tcase_add_test(tcase, memory_for_keys_is_bounded_by_the_index);
    Suite *suite = suite_create("damage");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
