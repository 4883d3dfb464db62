// Compressors of chunks, what a table's options make of them, and CompressionInfo.db.
#include "base/bytes.h"
#include "storage/sstable/compression.h"
#include "storage/sstable/format.h"

#include <check.h>
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

#define FULL "org.apache.cassandra.io.compress."

// What Cassandra 5.0.4 makes of them; for a flush with `flush_compression: fast`.
static const struct wanted {
    const char *options; // name=value, with semicolons between
    enum compressor own, flush;
    int level;
    uint32_t chunk_size, max_size;
    const char *kept; // Names of options in the file.
} wanted[] = {
    {"", COMPRESSOR_LZ4, COMPRESSOR_LZ4, 0, 16384, INT32_MAX, ""},
    {"enabled=false", COMPRESSOR_NONE, COMPRESSOR_NONE, 0, 65536, INT32_MAX, ""},
    {"class=" FULL "LZ4Compressor;chunk_length_in_kb=4;min_compress_ratio=1.3", COMPRESSOR_LZ4,
     COMPRESSOR_LZ4, 0, 4096, 3151, ""},
    {"class=" FULL "LZ4Compressor;min_compress_ratio=1.1", COMPRESSOR_LZ4, COMPRESSOR_LZ4, 0, 16384,
     14895, ""},
    {"class=" FULL "LZ4Compressor;min_compress_ratio=1.0E9", COMPRESSOR_LZ4, COMPRESSOR_LZ4, 0,
     16384, 1, ""},
    {"class=" FULL "LZ4Compressor;lz4_compressor_type=fast;lz4_high_compressor_level=5",
     COMPRESSOR_LZ4, COMPRESSOR_LZ4, 0, 16384, INT32_MAX,
     "lz4_compressor_type lz4_high_compressor_level "},
    {"class=" FULL "LZ4Compressor;lz4_compressor_type=high;chunk_length_in_kb=64", COMPRESSOR_LZ4,
     COMPRESSOR_LZ4, 9, 65536, INT32_MAX, "lz4_compressor_type "},
    {"class=" FULL "LZ4Compressor;lz4_compressor_type=high;lz4_high_compressor_level=17",
     COMPRESSOR_LZ4, COMPRESSOR_LZ4, 17, 16384, INT32_MAX,
     "lz4_compressor_type lz4_high_compressor_level "},
    {"class=" FULL "ZstdCompressor;chunk_length_in_kb=32", COMPRESSOR_ZSTD, COMPRESSOR_LZ4, 3,
     32768, INT32_MAX, ""},
    {"class=" FULL "ZstdCompressor;compression_level=-5", COMPRESSOR_ZSTD, COMPRESSOR_LZ4, -5,
     16384, INT32_MAX, "compression_level "},
    {"class=" FULL "SnappyCompressor;chunk_length_in_kb=8", COMPRESSOR_SNAPPY, COMPRESSOR_SNAPPY, 0,
     8192, INT32_MAX, ""},
    {"class=" FULL "DeflateCompressor;min_compress_ratio=3.0", COMPRESSOR_DEFLATE, COMPRESSOR_LZ4,
     0, 16384, 5462, ""},
    {"class=" FULL "NoopCompressor", COMPRESSOR_NOOP, COMPRESSOR_NOOP, 0, 16384, INT32_MAX, ""},
    {"class=" FULL "LZ4Compressor;chunk_length_in_kb=1048576", COMPRESSOR_LZ4, COMPRESSOR_LZ4, 0,
     CHUNK_SIZE_MAX, INT32_MAX, ""},
    {"class=com.example.Compressor", COMPRESSOR_LZ4, COMPRESSOR_LZ4, 0, 16384, INT32_MAX, ""},
};
enum { WANTED_COUNT = sizeof wanted / sizeof *wanted };

static const struct table *table_with(const char *options)
{
    struct option items[8];
    size_t count = 0;
    char *text = strdup(options), *rest = text;
    for (char *item; (item = strsep(&rest, ";")) != NULL && *item != '\0'; count++) {
        items[count].key = slice_of_text(strsep(&item, "="));
        items[count].value = slice_of_text(item);
    }
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("k"), slice_of_text("t"), id);
    table_builder_params(builder)->compression = (struct options){items, count};
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_INT),
                             COLUMN_PARTITION_KEY, false);
    const struct table *table = table_builder_finish(builder);
    free(text);
    return table;
}

START_TEST(options_of_a_table_make_cassandras_compression)
{
    const struct wanted *want = &wanted[_i];
    const struct table *table = table_with(want->options);
    struct compression own, flush;
    compression_of_table(table, COMPRESSION_FOR_COMPACTION, &own, &arena);
    compression_of_table(table, COMPRESSION_FOR_FLUSH, &flush, &arena);
    ck_assert_int_eq(own.compressor, want->own);
    ck_assert_int_eq(own.level, want->level);
    ck_assert_uint_eq(own.chunk_size, want->chunk_size);
    ck_assert_uint_eq(own.max_compressed_size, want->max_size);
    ck_assert_int_eq(flush.compressor, want->flush);
    if (compressor_is_fast(own.compressor, own.level)) {
        ck_assert_uint_eq(flush.chunk_size, want->chunk_size);
        ck_assert_uint_eq(flush.max_compressed_size, want->max_size);
    } else {
        ck_assert_int_eq(flush.level, LZ4_FAST);
        ck_assert_uint_eq(flush.chunk_size, 16384);
        ck_assert_uint_eq(flush.max_compressed_size, INT32_MAX);
        ck_assert_uint_eq(flush.options.count, 0);
    }
    struct buffer kept;
    buffer_init(&kept, KIB);
    for (size_t i = 0; i < own.options.count; i++)
        buffer_put_format(&kept, "%.*s ", (int)own.options.items[i].key.size,
                          (const char *)own.options.items[i].key.data);
    buffer_put_u8(&kept, 0);
    ck_assert_str_eq((const char *)kept.data, want->kept);
    buffer_deinit(&kept);
    table_unref(table);
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
    ck_assert_str_eq(error.text, "the compressor BrotliCompressor is not supported");
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
    tcase_add_test(tcase, names_are_cassandras);
    tcase_add_loop_test(tcase, options_of_a_table_make_cassandras_compression, 0, WANTED_COUNT);
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
