// What Cassandra's own parser says of 871 maps of options, and the defaults.
#include "storage/compaction/compaction_options.h"

#include "tests/storage/support/vectors.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct options map_of(struct vectors *vectors, struct option *items)
{
    size_t count = 0;
    for (int i = 1; i + 1 < vectors->field_count; i += 2)
        items[count++] = (struct option){slice_of_text(vectors->fields[i]),
                                         slice_of_text(vectors->fields[i + 1])};
    return (struct options){items, count};
}

START_TEST(texts_are_cassandras)
{
    struct vectors vectors;
    int wrong = 0;
    vectors_open(&vectors, "tests/golden/compaction/options.tsv");
    while (vectors_next(&vectors)) {
        struct option items[VECTOR_FIELDS_MAX];
        struct options map = map_of(&vectors, items);
        if (map.count == 0) continue; // A table's default, not an error, here.
        struct compaction_options options;
        struct error error = {.text = ""};
        enum status status = compaction_options_parse(&map, &options, &error);
        const char *said = status == STATUS_OK ? "ok" : error.text;
        // What exists as a Java class is no class here.
        if (strstr(vectors.fields[0], "not derived from") != NULL ||
            strstr(vectors.fields[2], ".AbstractCompactionStrategy") != NULL) {
            ck_assert_int_eq(status, STATUS_INVALID);
        } else if (strcmp(said, vectors.fields[0]) != 0) {
            fprintf(stderr, "line %d:\n  %s\n  %s\n", vectors.line, vectors.fields[0], said);
            wrong++;
        }
    }
    vectors_close(&vectors);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

START_TEST(values_are_taken)
{
    static const struct option items[] = {
        {{(const uint8_t *)"bucket_high", 11}, {(const uint8_t *)"2.5", 3}},
        {{(const uint8_t *)"class", 5}, {(const uint8_t *)"TimeWindowCompactionStrategy", 28}},
        {{(const uint8_t *)"compaction_window_size", 22}, {(const uint8_t *)"3", 1}},
        {{(const uint8_t *)"compaction_window_unit", 22}, {(const uint8_t *)"HOURS", 5}},
        {{(const uint8_t *)"enabled", 7}, {(const uint8_t *)"false", 5}},
        {{(const uint8_t *)"max_threshold", 13}, {(const uint8_t *)"9", 1}},
        {{(const uint8_t *)"timestamp_resolution", 20}, {(const uint8_t *)"MILLISECONDS", 12}},
        {{(const uint8_t *)"unsafe_aggressive_sstable_expiration", 36},
         {(const uint8_t *)"true", 4}},
    };
    struct options map = {items, sizeof items / sizeof items[0]};
    struct compaction_options options;
    ck_assert_int_eq(compaction_options_parse(&map, &options, NULL), STATUS_INVALID);
    ck_assert_int_eq(compaction_options_read(&map, &options, NULL), STATUS_OK);
    ck_assert_int_eq(options.strategy, COMPACTION_TIME_WINDOW);
    ck_assert(!options.enabled && options.unsafe_aggressive_expiration);
    ck_assert(options.without_tombstone_compaction);
    ck_assert_int_eq(options.window_size_s, 3 * 3600);
    ck_assert_int_eq(options.timestamp_unit_us, 1000);
    ck_assert_int_eq(options.max_threshold, 9);
    ck_assert_int_eq(options.min_threshold, 4);
    ck_assert(options.bucket_high > 2.49 && options.bucket_high < 2.51);
}
END_TEST

START_TEST(nothing_said_is_size_tiered)
{
    struct options map = {NULL, 0};
    struct compaction_options options;
    ck_assert_int_eq(compaction_options_parse(&map, &options, NULL), STATUS_OK);
    ck_assert_int_eq(options.strategy, COMPACTION_SIZE_TIERED);
    ck_assert_int_eq(options.min_threshold, 4);
    ck_assert_int_eq(options.max_threshold, 32);
    ck_assert(options.enabled && !options.single_sstable_uplevel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compaction_options");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, texts_are_cassandras);
    tcase_add_test(tests, values_are_taken);
    tcase_add_test(tests, nothing_said_is_size_tiered);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
