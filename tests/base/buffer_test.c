// Growth and limits. What the encoders write is checked by reading it back in cursor_test.c.
#include "base/buffer.h"

#include <check.h>

START_TEST(bytes_are_kept_in_order_while_it_grows)
{
    struct buffer buffer;
    buffer_init(&buffer, 100000);
    ck_assert_uint_eq(buffer_slice(&buffer).size, 0);
    ck_assert(!slice_is_null(buffer_slice(&buffer)));
    for (int i = 0; i < 10000; i++)
        buffer_put_u16(&buffer, (uint16_t)i);
    ck_assert_uint_eq(buffer.size, 20000);
    for (int i = 0; i < 10000; i++)
        ck_assert_uint_eq(bytes_get_u16(buffer.data + 2 * i), i);
    buffer_consume(&buffer, 19998);
    ck_assert_uint_eq(buffer.size, 2);
    ck_assert_uint_eq(bytes_get_u16(buffer.data), 9999);
    buffer_clear(&buffer);
    buffer_put_format(&buffer, "%d, %s", 12, "x");
    ck_assert(slice_equals(buffer_slice(&buffer), slice_of_text("12, x")));
    buffer_truncate(&buffer, 2);
    buffer_put_u8(&buffer, '!');
    ck_assert(slice_equals(buffer_slice(&buffer), slice_of_text("12!")));
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(past_the_limit_nothing_is_written_and_it_is_remembered)
{
    struct buffer buffer;
    buffer_init(&buffer, 10);
    buffer_put(&buffer, "12345678", 8);
    ck_assert(!buffer.overflow);
    buffer_put_u32(&buffer, 1);
    ck_assert(buffer.overflow);
    // One byte would fit, but not behind a gap.
    buffer_put_u8(&buffer, 'x');
    buffer_put(&buffer, "", 0);
    ck_assert_ptr_null(buffer_reserve(&buffer, 1));
    ck_assert_uint_eq(buffer.size, 8);
    buffer_truncate(&buffer, 8);
    buffer_put_u16(&buffer, 0x3930);
    ck_assert(!buffer.overflow);
    ck_assert(slice_equals(buffer_slice(&buffer), slice_of_text("1234567890")));
    ck_assert_ptr_null(buffer_reserve(&buffer, SIZE_MAX));
    buffer_deinit(&buffer);
}
END_TEST

int main(void)
{
    TCase *buffer = tcase_create("buffer");
    tcase_add_test(buffer, bytes_are_kept_in_order_while_it_grows);
    tcase_add_test(buffer, past_the_limit_nothing_is_written_and_it_is_remembered);

    Suite *suite = suite_create("buffer");
    suite_add_tcase(suite, buffer);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
