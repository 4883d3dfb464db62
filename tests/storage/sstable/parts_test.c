// The small formats inside of SSTables, against what Cassandra's classes say.
#include "base/bytes.h"
#include "base/checksum.h"
#include "storage/sstable/chunk_cache.h"
#include "storage/sstable/drop_times.h"
#include "storage/sstable/estimated_histogram.h"
#include "storage/sstable/filter.h"
#include "storage/sstable/hyperloglog.h"
#include "storage/sstable/summary.h"
#include "storage/sstable/vint.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

// Calls `check` with the tab-separated fields of each line of a vector file.
static void for_each_line(const char *name, void (*check)(char **fields, size_t count))
{
    char path[4096];
    snprintf(path, sizeof path, "%s/vectors/%s", sstable_table_golden(), name);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0) {
        if (line[0] == '#') continue;
        line[strcspn(line, "\n")] = '\0';
        char *fields[8], *rest = line;
        size_t count = 0;
        while (rest != NULL && count < 8)
            fields[count++] = strsep(&rest, "\t");
        check(fields, count);
    }
    free(line);
    fclose(file);
}

static void hex_of(struct slice bytes, struct buffer *text)
{
    for (size_t i = 0; i < bytes.size; i++)
        buffer_put_format(text, "%02x", bytes.data[i]);
    buffer_put_u8(text, 0);
}

static size_t bytes_of(const char *hex, uint8_t *bytes)
{
    size_t size = 0;
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        bytes[size++] = (uint8_t)byte;
    return size;
}

static void ck_encoded_hyperloglog(struct hyperloglog *log, const char *expected)
{
    struct buffer bytes, text;
    buffer_init(&bytes, MIB);
    buffer_init(&text, MIB);
    hyperloglog_encode(log, &bytes);
    if (strncmp(expected, "len=", 4) == 0) {
        buffer_put_format(&text, "len=%zu crc32=%08x", bytes.size,
                          checksum_crc32(buffer_slice(&bytes)));
        buffer_put_u8(&text, 0);
    } else {
        hex_of(buffer_slice(&bytes), &text);
    }
    ck_assert_str_eq((char *)text.data, expected);
    buffer_deinit(&bytes);
    buffer_deinit(&text);
}

static void check_hyperloglog(char **fields, size_t count)
{
    ck_assert_uint_ge(count, 4);
    struct hyperloglog *log = malloc(sizeof *log);
    hyperloglog_init(log);
    for (uint32_t i = 0; i < (uint32_t)atoi(fields[0]); i++) {
        uint8_t key[4];
        bytes_put_u32(key, i);
        hyperloglog_add(log, slice_make(key, 4));
    }
    ck_encoded_hyperloglog(log, fields[3]);
    // Of few keys Cassandra's own figure.
    double theirs = atof(fields[1]), ours = (double)hyperloglog_count(log);
    double error = strcmp(fields[2], "sparse") == 0 ? 0 : 0.01;
    ck_assert_msg(ours >= theirs * (1 - error) && ours <= theirs * (1 + error), "%g of %g", ours,
                  theirs);
    free(log);
}

// Keys of different lengths, and enough of them that the set is merged when some have a run.
static void check_hyperloglog_of_texts(char **fields, size_t count)
{
    ck_assert_uint_ge(count, 4);
    struct hyperloglog *log = malloc(sizeof *log);
    hyperloglog_init(log);
    for (int i = 0; i < atoi(fields[1]); i++) {
        char key[16];
        snprintf(key, sizeof key, "%s%d", fields[0], i);
        hyperloglog_add(log, slice_of_text(key));
    }
    ck_encoded_hyperloglog(log, fields[3]);
    free(log);
}

START_TEST(hyperloglog_has_stream_libs_bytes)
{
    for_each_line("hll.tsv", check_hyperloglog);
    for_each_line("hll_texts.tsv", check_hyperloglog_of_texts);
}
END_TEST

static void add_encoded(struct hyperloglog *to, struct hyperloglog *from)
{
    struct buffer bytes;
    buffer_init(&bytes, MIB);
    hyperloglog_encode(from, &bytes);
    ck_assert(hyperloglog_add_encoded(to, buffer_slice(&bytes)));
    // What is cut is damaged, or says less; no byte of it is read behind its end.
    struct hyperloglog *cut = malloc(sizeof *cut);
    for (size_t size = 0; size < bytes.size; size += 1 + size / 8) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, bytes.data, size);
        hyperloglog_init(cut);
        ck_assert(!hyperloglog_add_encoded(cut, slice_make(copy, size)));
        free(copy);
    }
    free(cut);
    buffer_deinit(&bytes);
}

// Two of `count` keys each, of which half are the same.
START_TEST(the_union_of_hyperloglogs_counts_each_key_once)
{
    static const uint32_t counts[] = {0, 1, 100, 4000, 6000, 20000, 200000};
    uint32_t count = counts[_i];
    struct hyperloglog *logs = calloc(3, sizeof *logs);
    for (int i = 0; i < 3; i++)
        hyperloglog_init(&logs[i]);
    for (uint32_t i = 0; i < 2 * count; i++) {
        char key[16];
        snprintf(key, sizeof key, "key %u", i % count + (i < count ? 0 : count / 2));
        hyperloglog_add(&logs[i / count], slice_of_text(key));
    }
    add_encoded(&logs[2], &logs[0]);
    add_encoded(&logs[2], &logs[1]);
    double expected = count + count / 2, error = count >= 4000 ? 0.03 : 0.002;
    double found = (double)hyperloglog_count(&logs[2]);
    ck_assert_msg(found >= expected * (1 - error) && found <= expected * (1 + error),
                  "%u keys: %g of %g", count, found, expected);
    // The order does not matter, nor that one is added to itself.
    add_encoded(&logs[1], &logs[0]);
    add_encoded(&logs[1], &logs[1]);
    double again = (double)hyperloglog_count(&logs[1]);
    ck_assert_msg(again >= expected * (1 - error) && again <= expected * (1 + error),
                  "%u keys again: %g of %g", count, again, expected);
    free(logs);
}
END_TEST

static void check_histogram(char **fields, size_t count)
{
    if (strcmp(fields[0], "offsets") == 0) {
        struct estimated_histogram histogram;
        estimated_histogram_init(&histogram, ESTIMATED_HISTOGRAM_SIZES);
        char *rest = fields[1];
        for (size_t i = 0; i < ESTIMATED_HISTOGRAM_SIZES; i++)
            ck_assert_uint_eq(histogram.offsets[i], strtoull(strsep(&rest, ","), NULL, 10));
        ck_assert_ptr_null(rest);
    } else if (strcmp(fields[0], "add") == 0) {
        struct estimated_histogram histogram;
        estimated_histogram_init(&histogram, ESTIMATED_HISTOGRAM_SIZES);
        estimated_histogram_add(&histogram, strtoull(fields[1], NULL, 10));
        ck_assert_uint_eq(histogram.buckets[atoi(fields[2])], 1);
    } else if (strcmp(fields[0], "drop") == 0) {
        ck_assert_uint_ge(count, 4);
        struct drop_times times;
        drop_times_init(&times);
        char *rest = fields[1];
        while (rest != NULL)
            drop_times_add(&times, atoi(strsep(&rest, ",")));
        drop_times_finish(&times);
        struct buffer bytes, text;
        buffer_init(&bytes, MIB);
        buffer_init(&text, MIB);
        drop_times_encode(&times, &bytes);
        hex_of(buffer_slice(&bytes), &text);
        ck_assert_str_eq((char *)text.data, fields[3]);
        buffer_deinit(&bytes);
        buffer_deinit(&text);
    }
}

START_TEST(histograms_have_cassandras_buckets)
{
    for_each_line("histogram.tsv", check_histogram);
}
END_TEST

static void check_filter(char **fields, size_t count)
{
    ck_assert_uint_ge(count, 4);
    struct filter filter;
    filter_init(&filter, strtoull(fields[1], NULL, 10), strtod(fields[0], NULL));
    bool is_empty = strcmp(fields[2], "none") == 0;
    uint8_t key[4096];
    char *rest = is_empty ? NULL : strdup(fields[2]), *start = rest;
    while (rest != NULL) {
        const char *hex = strsep(&rest, ",");
        size_t size = strcmp(hex, "-") == 0 ? 0 : bytes_of(hex, key);
        filter_add(&filter, slice_make(key, size));
        ck_assert(filter_may_contain(&filter, slice_make(key, size)));
    }
    free(start);
    struct buffer bytes, text;
    buffer_init(&bytes, MIB);
    buffer_init(&text, MIB);
    filter_encode(&filter, &bytes);
    hex_of(buffer_slice(&bytes), &text);
    ck_assert_str_eq((char *)text.data, fields[3]);
    struct filter copy;
    ck_assert_int_eq(filter_decode(&copy, buffer_slice(&bytes)), STATUS_OK);
    ck_assert_int_eq(memcmp(copy.bits, filter.bits, filter.word_count * 8), 0);
    filter_deinit(&copy);
    filter_deinit(&filter);
    buffer_deinit(&bytes);
    buffer_deinit(&text);
}

// fp_chance, K, buckets per element; the capacity of one key is those plus 20 in words of 64 bits.
static void check_filter_spec(char **fields, size_t count)
{
    ck_assert_uint_eq(count, 3);
    static const uint64_t key_counts[] = {1, 100, 12345};
    for (size_t i = 0; i < sizeof key_counts / sizeof *key_counts; i++) {
        struct filter filter;
        filter_init(&filter, key_counts[i], strtod(fields[0], NULL));
        ck_assert_uint_eq(filter.hash_count, strtoul(fields[1], NULL, 10));
        uint64_t bits = key_counts[i] * strtoul(fields[2], NULL, 10) + 20;
        ck_assert_uint_eq(filter.word_count, (bits - 1) / 64 + 1);
        filter_deinit(&filter);
    }
}

START_TEST(filters_have_cassandras_sizes)
{
    for_each_line("bloom_spec.tsv", check_filter_spec);
}
END_TEST

// A Filter.db that is larger than what is read would make each compaction of so many keys fail.
START_TEST(a_filter_is_not_larger_than_can_be_read)
{
    struct filter filter;
    filter_init(&filter, 300000000, 0.01);
    ck_assert_uint_le(8 + 8 * filter.word_count, COMPONENT_SIZE_MAX);
    ck_assert_uint_gt(8 + 8 * filter.word_count, COMPONENT_SIZE_MAX - 1000);
    filter_deinit(&filter);
}
END_TEST

START_TEST(filters_have_cassandras_bytes)
{
    for_each_line("bloom.tsv", check_filter);
}
END_TEST

START_TEST(vints_of_the_hot_path_are_those_of_the_buffer)
{
    for (int shift = 0; shift < 64; shift++) {
        for (int delta = -2; delta <= 2; delta++) {
            uint64_t value = ((uint64_t)1 << shift) + (uint64_t)(int64_t)delta;
            struct buffer bytes;
            buffer_init(&bytes, KIB);
            buffer_put_vint(&bytes, value);
            uint8_t fast[2 * VINT_SIZE_MAX] = {0};
            ck_assert_uint_eq((size_t)(vint_put(fast, value) - fast), bytes.size);
            ck_assert_int_eq(memcmp(fast, bytes.data, bytes.size), 0);
            for (size_t size = bytes.size; size < sizeof fast; size++) {
                struct cursor cursor = cursor_make(slice_make(fast, size));
                ck_assert_uint_eq(vint_read(&cursor), value);
                ck_assert_uint_eq((size_t)(cursor.next - fast), bytes.size);
            }
            struct cursor cut = cursor_make(slice_make(fast, bytes.size - 1));
            (void)vint_read(&cut);
            ck_assert(cut.failed);
            buffer_deinit(&bytes);
        }
    }
}
END_TEST

START_TEST(the_least_recently_used_chunk_leaves_unless_it_is_held)
{
    struct chunk_cache *cache = chunk_cache_create(3 * 100);
    struct chunk *slots[5] = {NULL};
    for (int i = 0; i < 3; i++) {
        struct chunk *chunk = chunk_create(100);
        chunk_cache_insert(cache, &slots[i], chunk);
        chunk_unref(chunk);
    }
    struct chunk *held = chunk_ref(chunk_cache_find(cache, &slots[1]));
    ck_assert_ptr_nonnull(chunk_cache_find(cache, &slots[0])); // Now 2 is the oldest, then 1, 0.
    for (int i = 3; i < 5; i++) {
        struct chunk *chunk = chunk_create(100);
        chunk_cache_insert(cache, &slots[i], chunk);
        chunk_unref(chunk);
    }
    ck_assert_ptr_null(slots[2]);
    ck_assert_ptr_eq(slots[1], held);
    ck_assert_ptr_null(slots[0]);
    ck_assert_uint_eq(chunk_cache_size(cache), 300);
    chunk_cache_forget(&slots[1]);
    ck_assert_uint_eq(chunk_cache_size(cache), 200);
    chunk_cache_destroy(cache);
    ck_assert_ptr_null(slots[4]);
    ck_assert_uint_eq(held->references, 1);
    chunk_unref(held);
}
END_TEST

START_TEST(a_full_cache_takes_what_is_missed_a_second_time_before_long)
{
    enum { COUNT = 10 };
    struct chunk_cache *cache = chunk_cache_create(COUNT * 100);
    struct chunk *slots[COUNT] = {NULL};
    uint8_t mark = 0, marks[1000] = {0};
    for (int i = 0; i < COUNT; i++) {
        ck_assert(chunk_cache_admits(cache, 100, &mark));
        struct chunk *chunk = chunk_create(100);
        chunk_cache_insert(cache, &slots[i], chunk);
        chunk_unref(chunk);
    }
    ck_assert(!chunk_cache_admits(cache, 100, &mark));
    ck_assert(chunk_cache_admits(cache, 100, &mark));
    for (int i = 0; i < COUNT; i++)
        ck_assert(!chunk_cache_admits(cache, 100, &marks[i]));
    ck_assert(chunk_cache_admits(cache, 100, &mark));
    for (int i = COUNT; i < 5 * COUNT; i++)
        ck_assert(!chunk_cache_admits(cache, 100, &marks[i]));
    ck_assert(!chunk_cache_admits(cache, 100, &mark)); // Too long ago.
    for (int i = 5 * COUNT; i < 1000; i++)
        ck_assert(!chunk_cache_admits(cache, 100, &marks[i]));
    chunk_cache_forget(&slots[0]);
    ck_assert(chunk_cache_admits(cache, 100, &marks[0]));
    chunk_cache_destroy(cache);
}
END_TEST

START_TEST(a_spare_chunk_is_that_of_one_at_a_time)
{
    struct chunk_cache *cache = chunk_cache_create(100);
    struct chunk *first = chunk_cache_spare(cache), *held[8];
    chunk_unref(first);
    size_t count = 0;
    while ((held[count] = chunk_cache_spare(cache)) != NULL) {
        for (size_t i = 0; i < count; i++)
            ck_assert_ptr_ne(held[i], held[count]);
        memset(held[count]->bytes, (int)count, CHUNK_SPARE_SIZE);
        ck_assert_uint_lt(++count, 8);
    }
    ck_assert_ptr_eq(held[0], first); // Again.
    ck_assert_uint_gt(count, 1);
    chunk_unref(held[1]);
    ck_assert_ptr_eq(chunk_cache_spare(cache), held[1]);
    chunk_cache_destroy(cache);
    ck_assert_uint_eq(held[1]->bytes[7], 1); // The one who holds it still does.
    for (size_t i = 0; i < count; i++)
        chunk_unref(held[i]);
}
END_TEST

START_TEST(a_longer_chunk_takes_the_place_of_a_shorter_one)
{
    struct chunk_cache *cache = chunk_cache_create(1000);
    struct chunk *slots[3] = {NULL};
    for (int i = 0; i < 3; i++) {
        struct chunk *chunk = chunk_create(100);
        chunk_cache_insert(cache, &slots[i], chunk);
        chunk_unref(chunk);
    }
    struct chunk *held = chunk_ref(slots[0]), *longer = chunk_create(300), *shorter = slots[1];
    chunk_cache_insert_oldest(cache, &slots[0], longer);
    ck_assert_ptr_eq(slots[0], longer);
    ck_assert_uint_eq(chunk_cache_size(cache), 500);
    ck_assert_uint_eq(held->references, 1);
    chunk_unref(held);
    struct chunk *other = chunk_create(100);
    chunk_cache_insert(cache, &slots[1], other); // No longer than what is there.
    ck_assert_ptr_eq(slots[1], shorter);
    chunk_unref(other);
    chunk_unref(longer);
    // The newest and the middle one: the list is whole.
    for (int i = 2; i > 0; i--) {
        longer = chunk_create(200);
        chunk_cache_insert(cache, &slots[i], longer);
        ck_assert_ptr_eq(slots[i], longer);
        chunk_unref(longer);
    }
    ck_assert_uint_eq(chunk_cache_size(cache), 700);
    struct chunk *more[8] = {NULL};
    for (int i = 0; i < 8; i++) {
        struct chunk *chunk = chunk_create(100);
        chunk_cache_insert(cache, &more[i], chunk);
        chunk_unref(chunk);
        // In the order in which their slots were filled.
        ck_assert((slots[0] == NULL) == (i >= 3));
        ck_assert((slots[1] == NULL) == (i >= 6));
    }
    ck_assert_ptr_nonnull(slots[2]);
    chunk_cache_destroy(cache);
    ck_assert_ptr_null(slots[2]);
}
END_TEST

START_TEST(a_summary_finds_the_entry_before_each_key)
{
    enum { KEYS = 1000 };
    struct partition_key *keys = malloc(KEYS * sizeof *keys);
    uint8_t(*bytes)[4] = malloc(KEYS * sizeof *bytes);
    // Any tokens do, as long as they ascend.
    for (uint32_t i = 0; i < KEYS; i++) {
        bytes_put_u32(bytes[i], i);
        keys[i] = partition_key_make(slice_make(bytes[i], 4));
    }
    for (size_t i = 1; i < KEYS; i++) {
        struct partition_key key = keys[i];
        size_t at = i;
        for (; at > 0 && partition_key_compare(&keys[at - 1], &key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
    struct summary built, read;
    summary_init(&built, 128);
    for (size_t i = 0; i < KEYS; i++)
        summary_add(&built, &keys[i], 10 * i);
    summary_finish(&built);
    struct buffer file;
    buffer_init(&file, MIB);
    summary_encode(&built, &file);
    ck_assert_int_eq(summary_decode(&read, buffer_slice(&file), 10 * KEYS), STATUS_OK);
    for (size_t i = 0; i < KEYS; i++) {
        ck_assert_int_eq(summary_find(&built, &keys[i]), (ptrdiff_t)(i / 128));
        ck_assert_int_eq(summary_find(&read, &keys[i]), (ptrdiff_t)(i / 128));
    }
    ck_assert_int_eq(partition_key_compare(&read.last, &keys[KEYS - 1]), 0);
    struct partition_key before = {{INT64_MIN}, slice_make("", 0)};
    ck_assert_int_eq(summary_find(&read, &before), -1);
    for (size_t size = 0; size < file.size; size++) {
        struct summary cut;
        ck_assert_int_eq(summary_decode(&cut, slice_make(file.data, size), 10 * KEYS),
                         STATUS_CORRUPT);
    }
    summary_deinit(&built);
    summary_deinit(&read);
    buffer_deinit(&file);
    free(keys);
    free(bytes);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("parts");
    tcase_add_test(tcase, hyperloglog_has_stream_libs_bytes);
    tcase_add_loop_test(tcase, the_union_of_hyperloglogs_counts_each_key_once, 0, 7);
    tcase_add_test(tcase, histograms_have_cassandras_buckets);
    tcase_add_test(tcase, filters_have_cassandras_sizes);
    tcase_add_test(tcase, a_filter_is_not_larger_than_can_be_read);
    tcase_add_test(tcase, filters_have_cassandras_bytes);
    tcase_add_test(tcase, vints_of_the_hot_path_are_those_of_the_buffer);
    tcase_add_test(tcase, the_least_recently_used_chunk_leaves_unless_it_is_held);
    tcase_add_test(tcase, a_full_cache_takes_what_is_missed_a_second_time_before_long);
    tcase_add_test(tcase, a_spare_chunk_is_that_of_one_at_a_time);
    tcase_add_test(tcase, a_longer_chunk_takes_the_place_of_a_shorter_one);
    tcase_add_test(tcase, a_summary_finds_the_entry_before_each_key);

    Suite *suite = suite_create("sstable_parts");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
