// Vints are compared with those that Cassandra wrote (golden/vectors/vint.tsv), in both directions;
// everything else makes the round trip through a buffer.
#include "base/cursor.h"

#include "base/buffer.h"

#include <check.h>
#include <stdio.h>

START_TEST(vints_are_cassandras)
{
    FILE *file = fopen("tests/golden/vectors/vint.tsv", "re");
    ck_assert_msg(file != NULL, "no tests/golden/vectors/vint.tsv: run from the project's root");
    char kind, hex[32];
    long long value;
    int line_count = 0;
    struct buffer buffer;
    buffer_init(&buffer, 16);
    ck_assert_int_eq(fscanf(file, "#%*[^\n] "), 0);
    while (fscanf(file, " %c %lld %31s", &kind, &value, hex) == 3) {
        buffer_clear(&buffer);
        if (kind == 'u')
            buffer_put_vint(&buffer, (uint64_t)value);
        else
            buffer_put_signed_vint(&buffer, value);
        char written[32] = "";
        for (size_t i = 0; i < buffer.size; i++)
            (void)snprintf(written + 2 * i, 3, "%02x", buffer.data[i]);
        ck_assert_msg(strcmp(written, hex) == 0, "%c %lld: %s, not %s", kind, value, written, hex);
        struct cursor cursor = cursor_make(buffer_slice(&buffer));
        long long read =
            kind == 'u' ? (long long)cursor_vint(&cursor) : (long long)cursor_signed_vint(&cursor);
        ck_assert_int_eq(read, value);
        ck_assert(!cursor.failed);
        ck_assert_uint_eq(cursor_left(&cursor), 0);
        line_count++;
    }
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_gt(line_count, 100);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(vints_survive_a_round_trip_around_every_power_of_two)
{
    struct buffer buffer;
    buffer_init(&buffer, 16);
    for (int bit = 0; bit < 64; bit++) {
        for (int step = -2; step <= 2; step++) {
            uint64_t value = ((uint64_t)1 << bit) + (uint64_t)step;
            buffer_clear(&buffer);
            buffer_put_vint(&buffer, value);
            ck_assert_uint_eq(buffer.size, vint_size(value));
            struct cursor cursor = cursor_make(buffer_slice(&buffer));
            ck_assert_uint_eq(cursor_vint(&cursor), value);
            ck_assert(!cursor.failed);
            // Cut short anywhere, it fails and gives 0.
            for (size_t size = 0; size < buffer.size; size++) {
                cursor = cursor_make(slice_make(buffer.data, size));
                ck_assert_uint_eq(cursor_vint(&cursor), 0);
                ck_assert(cursor.failed);
            }
        }
    }
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(what_a_buffer_wrote_is_read)
{
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    buffer_put_u8(&buffer, 0xfe);
    buffer_put_u16(&buffer, 0xfedc);
    buffer_put_u32(&buffer, 0xfedcba98);
    buffer_put_u64(&buffer, 0xfedcba9876543210);
    buffer_put_f64(&buffer, -1.5);
    buffer_put_vint_bytes(&buffer, slice_of_text("hello"));
    buffer_put_vint_bytes(&buffer, slice_make("", 0));
    ck_assert_mem_eq(buffer.data, "\xfe\xfe\xdc\xfe\xdc\xba\x98", 7);
    struct cursor cursor = cursor_make(buffer_slice(&buffer));
    ck_assert_uint_eq(cursor_u8(&cursor), 0xfe);
    ck_assert_uint_eq(cursor_u16(&cursor), 0xfedc);
    ck_assert_uint_eq(cursor_u32(&cursor), 0xfedcba98);
    ck_assert_uint_eq(cursor_u64(&cursor), 0xfedcba9876543210);
    ck_assert_double_eq(cursor_f64(&cursor), -1.5);
    ck_assert(slice_equals(cursor_vint_bytes(&cursor), slice_of_text("hello")));
    ck_assert_uint_eq(cursor_vint_bytes(&cursor).size, 0);
    ck_assert(!cursor.failed);
    ck_assert_uint_eq(cursor_left(&cursor), 0);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(past_the_end_are_zeros_and_a_failure_that_stays)
{
    struct cursor cursor = cursor_make(slice_make("\1\2\3", 3));
    ck_assert_uint_eq(cursor_u32(&cursor), 0);
    ck_assert(cursor.failed);
    ck_assert_uint_eq(cursor_u8(&cursor), 0);
    ck_assert_uint_eq(cursor_u16(&cursor), 0);
    ck_assert_uint_eq(cursor_u64(&cursor), 0);
    cursor = cursor_make(slice_null());
    ck_assert_uint_eq(cursor_u8(&cursor), 0);
    ck_assert(cursor.failed);
    // A length that is larger than what follows, up to 2^64 - 1.
    cursor = cursor_make(slice_make("\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                                    "abc",
                                    12));
    ck_assert_uint_eq(cursor_vint_bytes(&cursor).size, 0);
    ck_assert(cursor.failed);
}
END_TEST

START_TEST(null_and_empty_bytes_differ)
{
    struct buffer buffer;
    buffer_init(&buffer, 16);
    buffer_put_nullable_bytes(&buffer, slice_null());
    buffer_put_nullable_bytes(&buffer, slice_make("", 0));
    buffer_put_nullable_bytes(&buffer, slice_of_text("hello"));
    ck_assert_uint_eq(buffer.size, 8);
    struct cursor cursor = cursor_make(buffer_slice(&buffer));
    ck_assert(slice_is_null(cursor_nullable_bytes(&cursor)));
    struct slice empty = cursor_nullable_bytes(&cursor);
    ck_assert(!slice_is_null(empty) && empty.size == 0);
    ck_assert(slice_equals(cursor_nullable_bytes(&cursor), slice_of_text("hello")));
    ck_assert(!cursor.failed && cursor_left(&cursor) == 0);
    // One byte is missing.
    cursor = cursor_make(slice_make("\x04xy", 3));
    ck_assert(slice_is_null(cursor_nullable_bytes(&cursor)));
    ck_assert(cursor.failed);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(a_count_is_not_larger_than_what_follows_has_room_for)
{
    struct cursor cursor = cursor_make(slice_make("\x02xyzw", 5));
    ck_assert_uint_eq(cursor_count(&cursor, 2), 2);
    ck_assert(!cursor.failed);
    cursor = cursor_make(slice_make("\x02xyz", 4));
    ck_assert_uint_eq(cursor_count(&cursor, 2), 0);
    ck_assert(cursor.failed);
}
END_TEST

int main(void)
{
    TCase *cursor = tcase_create("cursor");
    tcase_add_test(cursor, vints_are_cassandras);
    tcase_add_test(cursor, vints_survive_a_round_trip_around_every_power_of_two);
    tcase_add_test(cursor, what_a_buffer_wrote_is_read);
    tcase_add_test(cursor, past_the_end_are_zeros_and_a_failure_that_stays);
    tcase_add_test(cursor, null_and_empty_bytes_differ);
    tcase_add_test(cursor, a_count_is_not_larger_than_what_follows_has_room_for);

    Suite *suite = suite_create("cursor");
    suite_add_tcase(suite, cursor);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
