// Known values, and that parts give what the whole gives.
#include "base/checksum.h"

#include "base/random.h"

#include <check.h>

START_TEST(crc32_is_that_of_zlib_and_java)
{
    ck_assert_uint_eq(checksum_crc32(slice_of_text("123456789")), 0xcbf43926);
    ck_assert_uint_eq(checksum_crc32(slice_make("", 0)), 0);
    ck_assert_uint_eq(checksum_crc32(slice_null()), 0);
}
END_TEST

START_TEST(xxh3_is_the_published_one)
{
    ck_assert_uint_eq(checksum_xxh3(slice_make("", 0), 0), 0x2d06800538d394c2);
    ck_assert_uint_eq(checksum_xxh3(slice_null(), 0), 0x2d06800538d394c2);
    ck_assert_uint_ne(checksum_xxh3(slice_of_text("a"), 0), checksum_xxh3(slice_of_text("a"), 1));
}
END_TEST

START_TEST(parts_give_the_checksum_of_the_whole)
{
    uint8_t bytes[5000];
    struct random random;
    random_init(&random, (uint64_t)_i);
    random_bytes(&random, bytes, sizeof bytes);
    struct checksum_xxh3 *xxh3 = checksum_xxh3_create((uint64_t)_i);
    uint32_t crc = 0;
    for (size_t at = 0; at < sizeof bytes;) {
        size_t size = (size_t)random_below(&random, 600);
        if (size > sizeof bytes - at) size = sizeof bytes - at;
        crc = checksum_crc32_more(crc, slice_make(bytes + at, size));
        checksum_xxh3_add(xxh3, slice_make(bytes + at, size));
        at += size;
        struct slice so_far = slice_make(bytes, at);
        ck_assert_uint_eq(crc, checksum_crc32(so_far));
        ck_assert_uint_eq(checksum_xxh3_value(xxh3), checksum_xxh3(so_far, (uint64_t)_i));
    }
    checksum_xxh3_destroy(xxh3);
}
END_TEST

int main(void)
{
    TCase *checksum = tcase_create("checksum");
    tcase_add_test(checksum, crc32_is_that_of_zlib_and_java);
    tcase_add_test(checksum, xxh3_is_the_published_one);
    tcase_add_loop_test(checksum, parts_give_the_checksum_of_the_whole, 0, 3);

    Suite *suite = suite_create("checksum");
    suite_add_tcase(suite, checksum);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
