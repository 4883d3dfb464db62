// Compressors of chunks, what a table's options make of them, and CompressionInfo.db.
#include "base/bytes.h"
#include "storage/schema/options.h"
#include "storage/sstable/compression.h"
#include "storage/sstable/compression_options.h"
#include "storage/sstable/format.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, KIB);
}

static void teardown(void)
{
    arena_deinit(&arena);
}

static const struct {
    enum compressor compressor;
    int level;
} presses[] = {
    {COMPRESSOR_LZ4, LZ4_FAST},     {COMPRESSOR_LZ4, LZ4_HIGH_DEFAULT},
    {COMPRESSOR_LZ4, LZ4_HIGH_MAX}, {COMPRESSOR_SNAPPY, 0},
    {COMPRESSOR_DEFLATE, 0},        {COMPRESSOR_ZSTD, -5},
    {COMPRESSOR_ZSTD, 1},           {COMPRESSOR_ZSTD, ZSTD_LEVEL_DEFAULT},
    {COMPRESSOR_ZSTD, 22},          {COMPRESSOR_NOOP, 0},
};
enum { PRESS_COUNT = sizeof presses / sizeof *presses };

// Bytes of which `noise` of 256 are random and the others repeat.
static void fill(uint8_t *bytes, size_t size, unsigned noise, unsigned seed)
{
    uint64_t state = seed;
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (state >> 40 & 255) < noise ? (uint8_t)(state >> 56) : (uint8_t)(i / 7 % 5);
    }
}

// ---- Compressors --------------------------------------------------------------------------------

START_TEST(a_chunk_comes_back)
{
    enum { SIZE_MAX_OF_CHUNK = 70000 };
    static const size_t sizes[] = {1, 2, 3, 17, 100, 4096, 16384, 65536, SIZE_MAX_OF_CHUNK};
    enum compressor compressor = presses[_i].compressor;
    struct compressor_press press;
    compressor_press_init(&press, compressor, presses[_i].level);
    uint8_t *chunk = malloc(SIZE_MAX_OF_CHUNK), *back = malloc(SIZE_MAX_OF_CHUNK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (unsigned noise = 0; noise <= 256; noise += 64) {
            fill(chunk, sizes[i], noise, _i + 1);
            uint8_t *compressed = malloc(compressor_bound(compressor, sizes[i]));
            size_t size = compressor_compress(&press, slice_make(chunk, sizes[i]), compressed);
            ck_assert_int_eq(
                compressor_decompress(compressor, slice_make(compressed, size), back, sizes[i]),
                STATUS_OK);
            ck_assert_mem_eq(chunk, back, sizes[i]);
            if (compressor != COMPRESSOR_NOOP && noise == 0 && sizes[i] >= 4096)
                ck_assert_uint_lt(size, sizes[i] / 8);
            free(compressed);
        }
    }
    free(chunk);
    free(back);
    compressor_press_deinit(&press);
}
END_TEST

START_TEST(what_is_damaged_is_corrupt_or_of_its_size)
{
    enum { SIZE = 2000 };
    enum compressor compressor = presses[_i].compressor;
    struct compressor_press press;
    compressor_press_init(&press, compressor, presses[_i].level);
    uint8_t chunk[SIZE], *back = malloc(SIZE);
    fill(chunk, SIZE, 100, 7);
    uint8_t *whole = malloc(compressor_bound(compressor, SIZE));
    size_t size = compressor_compress(&press, slice_make(chunk, SIZE), whole);
    compressor_press_deinit(&press);
    for (size_t cut = 0; cut < size; cut++) {
        // In memory of its own, so that a sanitizer sees what is read behind it.
        uint8_t *part = malloc(cut == 0 ? 1 : cut);
        memcpy(part, whole, cut);
        ck_assert_int_eq(compressor_decompress(compressor, slice_make(part, cut), back, SIZE),
                         STATUS_CORRUPT);
        free(part);
    }
    unsigned found = 0;
    for (size_t i = 0; i < size; i++) {
        whole[i] ^= (uint8_t)(1 << i % 8);
        found += compressor_decompress(compressor, slice_make(whole, size), back, SIZE) ==
                 STATUS_CORRUPT;
        whole[i] ^= (uint8_t)(1 << i % 8);
    }
    // These have a checksum of their own.
    if (compressor == COMPRESSOR_ZSTD || compressor == COMPRESSOR_DEFLATE)
        ck_assert_uint_ge(found, size - 4);
    if (compressor != COMPRESSOR_NOOP) {
        ck_assert_int_eq(compressor_decompress(compressor, slice_make(whole, size), back, SIZE - 1),
                         STATUS_CORRUPT);
        uint8_t *larger = malloc(SIZE + 1);
        ck_assert_int_eq(
            compressor_decompress(compressor, slice_make(whole, size), larger, SIZE + 1),
            STATUS_CORRUPT);
        free(larger);
    }
    free(whole);
    free(back);
}
END_TEST

START_TEST(the_start_of_a_chunk_is_what_all_of_it_begins_with)
{
    enum { SIZE = 5000 };
    enum compressor compressor = presses[_i].compressor;
    if (!compressor_has_starts(compressor)) return;
    struct compressor_press press;
    compressor_press_init(&press, compressor, presses[_i].level);
    uint8_t *chunk = malloc(SIZE), *whole = malloc(compressor_bound(compressor, SIZE));
    for (unsigned noise = 0; noise <= 256; noise += 64) {
        fill(chunk, SIZE, noise, _i + 3);
        size_t size = compressor_compress(&press, slice_make(chunk, SIZE), whole);
        for (size_t start_size = 1; start_size <= SIZE; start_size += start_size < 64 ? 1 : 61) {
            uint8_t *start = malloc(start_size);
            struct slice stored = slice_make(whole, size);
            ck_assert_int_eq(
                compressor_decompress_start(compressor, stored, SIZE, start, start_size),
                STATUS_OK);
            ck_assert_mem_eq(start, chunk, start_size);
            // Damaged or cut it says so, or gives as many bytes.
            size_t at = start_size * 7919 % size;
            uint8_t *damaged = malloc(size);
            memcpy(damaged, whole, size);
            damaged[at] ^= (uint8_t)(1 << start_size % 8);
            (void)!compressor_decompress_start(compressor, slice_make(damaged, size), SIZE, start,
                                               start_size);
            free(damaged);
            uint8_t *part = malloc(at + 1);
            memcpy(part, whole, at + 1);
            if (compressor_decompress_start(compressor, slice_make(part, at + 1), SIZE, start,
                                            start_size) == STATUS_OK)
                ck_assert_mem_eq(start, chunk, start_size);
            free(part);
            free(start);
        }
        if (compressor == COMPRESSOR_LZ4)
            ck_assert_int_eq(compressor_decompress_start(compressor, slice_make(whole, size),
                                                         SIZE + 1, chunk, 10),
                             STATUS_CORRUPT);
    }
    free(chunk);
    free(whole);
    compressor_press_deinit(&press);
}
END_TEST

START_TEST(names_are_cassandras)
{
    ck_assert_int_eq(compressor_of_name(slice_of_text("ZstdCompressor")), COMPRESSOR_ZSTD);
    ck_assert_int_eq(
        compressor_of_name(slice_of_text("org.apache.cassandra.io.compress.SnappyCompressor")),
        COMPRESSOR_SNAPPY);
    ck_assert_int_eq(compressor_of_name(slice_of_text("com.example.ZstdCompressor")),
                     COMPRESSOR_NONE);
    ck_assert_int_eq(compressor_of_name(slice_of_text("")), COMPRESSOR_NONE);
    ck_assert_str_eq(compressor_name(COMPRESSOR_DEFLATE), "DeflateCompressor");
}
END_TEST

// ---- Options of a table -------------------------------------------------------------------------

// name=value, with semicolons between them. The options point into `text`, which is cut.
static struct options options_of(char *text)
{
    struct options options = {ARENA_NEW_ARRAY(&arena, struct option, 8), 0};
    char *rest = text;
    for (char *item; (item = strsep(&rest, ";")) != NULL && *item != '\0';) {
        struct option *option = (struct option *)(uintptr_t)&options.items[options.count++];
        option->key = slice_of_text(strsep(&item, "="));
        option->value = slice_of_text(item);
    }
    return options;
}

static const struct table *table_with(const struct options *options)
{
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("k"), slice_of_text("t"), id);
    table_builder_params(builder)->compression = *options;
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_INT),
                             COLUMN_PARTITION_KEY, false);
    return table_builder_finish(builder);
}

// What a table with these options is written with. Its chunks are smaller than Cassandra allows.
static void ck_compression(const struct options *options, uint32_t max_size, bool is_fast)
{
    const struct table *table = table_with(options);
    struct compression own, flush;
    compression_of_table(table, COMPRESSION_FOR_COMPACTION, &own, &arena);
    compression_of_table(table, COMPRESSION_FOR_FLUSH, &flush, &arena);
    struct slice name = options_find(options, "class");
    if (slice_is_null(name)) {
        ck_assert_int_eq(own.compressor, COMPRESSOR_NONE);
        ck_assert_int_eq(flush.compressor, COMPRESSOR_NONE);
        table_unref(table);
        return;
    }
    ck_assert_int_eq(own.compressor, compressor_of_name(name));
    unsigned long kib =
        strtoul((const char *)options_find(options, "chunk_length_in_kb").data, NULL, 10);
    ck_assert_uint_eq(own.chunk_size, kib > CHUNK_SIZE_MAX / 1024 ? CHUNK_SIZE_MAX : kib * 1024);
    ck_assert_uint_eq(own.max_compressed_size, max_size);
    struct slice level = options_find(options, "compression_level");
    struct slice high = options_find(options, "lz4_high_compressor_level");
    if (own.compressor == COMPRESSOR_ZSTD)
        ck_assert_int_eq(own.level,
                         slice_is_null(level) ? 3 : (int)strtol((char *)level.data, NULL, 10));
    if (own.compressor == COMPRESSOR_LZ4 && !is_fast)
        ck_assert_int_eq(own.level,
                         slice_is_null(high) ? 9 : (int)strtol((char *)high.data, NULL, 10));
    ck_assert_uint_eq(own.options.count,
                      !slice_is_null(level) + !slice_is_null(high) +
                          !slice_is_null(options_find(options, "lz4_compressor_type")));
    ck_assert_int_eq(compressor_is_fast(own.compressor, own.level), is_fast);
    ck_assert_int_eq(flush.compressor, is_fast ? own.compressor : COMPRESSOR_LZ4);
    ck_assert_int_eq(flush.level, LZ4_FAST);
    ck_assert_uint_eq(flush.chunk_size, is_fast ? own.chunk_size : 16384);
    ck_assert_uint_eq(flush.max_compressed_size, is_fast ? max_size : INT32_MAX);
    if (!is_fast) ck_assert_uint_eq(flush.options.count, 0);
    table_unref(table);
}

static void put_text(const struct options *options, struct buffer *text)
{
    buffer_clear(text);
    for (size_t i = 0; i < options->count; i++) {
        const struct option *option = &options->items[i];
        if (i > 0) buffer_put_u8(text, ';');
        buffer_put(text, option->key.data, option->key.size);
        buffer_put_u8(text, '=');
        buffer_put(text, option->value.data, option->value.size);
    }
    buffer_put_u8(text, 0);
}

static void ck_options(char *given_text, const char *wanted, const char *max_size,
                       const char *is_fast)
{
    char *whole = strdup(given_text);
    struct options given = options_of(given_text), kept;
    struct error error;
    struct buffer text;
    buffer_init(&text, KIB);
    enum status status = compression_options_check(&given, &arena, &kept, &error);
    if (wanted[0] == '!') {
        bool is_config = strncmp(wanted + 1, "ConfigurationException: ", 24) == 0;
        ck_assert_int_eq(status, is_config ? STATUS_INVALID : STATUS_MALFORMED);
        buffer_put_format(&text, "!%s%s", is_config ? "ConfigurationException: " : "",
                          error.text + (is_config ? 0 : strlen("java.lang.")));
        buffer_put_u8(&text, 0);
    } else {
        ck_assert_msg(status == STATUS_OK, "%s: %s", whole, error.text);
        put_text(&kept, &text);
        ck_compression(&kept, (uint32_t)strtoul(max_size, NULL, 10), strcmp(is_fast, "true") == 0);
    }
    ck_assert_msg(strcmp((const char *)text.data, wanted) == 0, "%s: expected %s, found %s", whole,
                  wanted, (const char *)text.data);
    buffer_deinit(&text);
    free(whole);
}

START_TEST(options_of_a_table_are_taken_as_by_cassandra)
{
    FILE *file = fopen("tests/golden/values/compression.tsv", "r");
    ck_assert_ptr_nonnull(file);
    char *line = NULL;
    size_t capacity = 0, count = 0;
    while (getline(&line, &capacity, file) > 0) {
        if (line[0] == '#') continue;
        line[strcspn(line, "\n")] = '\0';
        char *fields[4] = {NULL}, *rest = line;
        for (size_t i = 0; i < 4; i++)
            fields[i] = strsep(&rest, "\t");
        ck_options(fields[0], fields[1], fields[2], fields[3]);
        count++;
    }
    ck_assert_uint_gt(count, 70);
    free(line);
    fclose(file);
}
END_TEST

// A schema that nobody checked.
START_TEST(options_that_are_none_do_no_harm)
{
    static const char *const texts[] = {
        "",
        "class=com.example.Compressor;chunk_length_in_kb=7",
        "class=LZ4Compressor;chunk_length_in_kb=0;min_compress_ratio=-1",
        "class=LZ4Compressor;chunk_length_in_kb=x;min_compress_ratio=NaN",
        "class=LZ4Compressor;lz4_compressor_type=high;lz4_high_compressor_level=99",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = strdup(texts[i]);
        struct options options = options_of(text);
        const struct table *table = table_with(&options);
        struct compression own;
        compression_of_table(table, COMPRESSION_FOR_COMPACTION, &own, &arena);
        ck_assert_int_eq(own.compressor, COMPRESSOR_LZ4);
        ck_assert_uint_eq(own.chunk_size, 16384);
        ck_assert_uint_eq(own.max_compressed_size, INT32_MAX);
        table_unref(table);
        free(text);
    }
}
END_TEST

// ---- Stored chunks ------------------------------------------------------------------------------

// With a least ratio, what does not get smaller is stored raw, and a short raw chunk is padded so
// that a reader knows it.
START_TEST(a_chunk_that_gains_nothing_is_stored_raw)
{
    enum { CHUNK = 4096 };
    struct compression compression = {
        .compressor = presses[_i].compressor,
        .level = presses[_i].level,
        .chunk_size = CHUNK,
        .max_compressed_size = 3151,
    };
    struct compressor_press press;
    compressor_press_init(&press, compression.compressor, compression.level);
    uint8_t chunk[CHUNK], back[CHUNK];
    uint8_t *stored = malloc(compression_bound(&compression));
    bool has_sum = compression.compressor != COMPRESSOR_NOOP;
    static const struct {
        size_t size;
        unsigned noise;
        size_t stored; // 0: less than the limit.
    } cases[] = {{CHUNK, 256, CHUNK}, {3200, 256, 3200}, {3145, 256, 3151}, {CHUNK, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill(chunk, cases[i].size, cases[i].noise, 3);
        size_t size =
            compression_compress(&compression, &press, slice_make(chunk, cases[i].size), stored);
        if (has_sum && cases[i].stored != 0 && cases[i].size != 3145)
            ck_assert_uint_eq(size, cases[i].stored);
        if (has_sum && cases[i].stored == 0) ck_assert_uint_lt(size, 3151);
        ck_assert_int_eq(
            compression_decompress(&compression, slice_make(stored, size), back, cases[i].size),
            STATUS_OK);
        ck_assert_mem_eq(chunk, back, cases[i].size);
    }
    free(stored);
    compressor_press_deinit(&press);
}
END_TEST

static void put_info(struct buffer *file, const char *name, uint32_t chunk_size)
{
    buffer_clear(file);
    buffer_put_u16(file, (uint16_t)strlen(name));
    buffer_put(file, name, strlen(name));
    buffer_put_u32(file, 1);
    buffer_put_u16(file, 1);
    buffer_put_u8(file, 'o');
    buffer_put_u16(file, 1);
    buffer_put_u8(file, 'v');
    buffer_put_u32(file, chunk_size);
    buffer_put_u32(file, INT32_MAX);
    buffer_put_u64(file, chunk_size + 1);
    buffer_put_u32(file, 2);
    buffer_put_u64(file, 0);
    buffer_put_u64(file, 100);
}

START_TEST(the_info_of_a_file_is_read)
{
    struct buffer file, again;
    buffer_init(&file, KIB);
    buffer_init(&again, KIB);
    struct compression_info info;
    struct error error = {0};
    put_info(&file, "SnappyCompressor", 65536);
    ck_assert_int_eq(compression_info_decode(&info, buffer_slice(&file), &arena, &error),
                     STATUS_OK);
    ck_assert_int_eq(info.compression.compressor, COMPRESSOR_SNAPPY);
    ck_assert_uint_eq(info.data_size, 65537);
    ck_assert_uint_eq(info.chunk_count, 2);
    compression_info_encode(&info, &again);
    ck_assert(slice_equals(buffer_slice(&file), buffer_slice(&again)));
    for (size_t cut = 0; cut < file.size; cut++)
        ck_assert_int_ne(compression_info_decode(&info, slice_make(file.data, cut), &arena, &error),
                         STATUS_OK);

    put_info(&file, "BrotliCompressor", 65536);
    ck_assert_int_eq(compression_info_decode(&info, buffer_slice(&file), &arena, &error),
                     STATUS_UNSUPPORTED);
    ck_assert_str_eq(error.text, "offset 0: the compressor BrotliCompressor is not supported");
    put_info(&file, "LZ4Compressor", 65535);
    ck_assert_int_eq(compression_info_decode(&info, buffer_slice(&file), &arena, &error),
                     STATUS_CORRUPT);
    put_info(&file, "LZ4Compressor", 2 * CHUNK_SIZE_MAX);
    ck_assert_int_eq(compression_info_decode(&info, buffer_slice(&file), &arena, &error),
                     STATUS_UNSUPPORTED);
    buffer_deinit(&file);
    buffer_deinit(&again);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("compression");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_chunk_comes_back, 0, PRESS_COUNT);
    tcase_add_loop_test(tcase, what_is_damaged_is_corrupt_or_of_its_size, 0, PRESS_COUNT);
    tcase_add_loop_test(tcase, the_start_of_a_chunk_is_what_all_of_it_begins_with, 0, PRESS_COUNT);
    tcase_add_test(tcase, names_are_cassandras);
    tcase_add_test(tcase, options_of_a_table_are_taken_as_by_cassandra);
    tcase_add_test(tcase, options_that_are_none_do_no_harm);
    tcase_add_loop_test(tcase, a_chunk_that_gains_nothing_is_stored_raw, 0, PRESS_COUNT);
    tcase_add_test(tcase, the_info_of_a_file_is_read);
    Suite *suite = suite_create("sstable_compression");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
