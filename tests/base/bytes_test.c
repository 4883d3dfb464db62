#include "base/bytes.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>

START_TEST(a_hexadecimal_digit_has_its_value)
{
    for (int byte = 0; byte < 256; byte++) {
        const char text[2] = {(char)byte, '\0'};
        int value = isxdigit(byte) ? (int)strtol(text, NULL, 16) : -1;
        ck_assert_int_eq(bytes_hex_value((uint8_t)byte), value);
    }
}
END_TEST

START_TEST(pairs_of_digits_are_bytes)
{
    uint8_t bytes[4] = {1, 2, 3, 4};
    ck_assert(bytes_get_hex((const uint8_t *)"00fFA9", 6, bytes));
    ck_assert_mem_eq(bytes, "\x00\xff\xa9\x04", 4);
    ck_assert(bytes_get_hex(NULL, 0, NULL));
    ck_assert(!bytes_get_hex((const uint8_t *)"00f", 3, bytes));
    ck_assert(!bytes_get_hex((const uint8_t *)"0g", 2, bytes));
    ck_assert(!bytes_get_hex((const uint8_t *)"g0", 2, bytes));
}
END_TEST

// At an odd address, which the machine has no duty to read at once.
START_TEST(integers_come_back_from_any_place)
{
    uint8_t place[9];
    bytes_put_u16(place + 1, 0x0102);
    ck_assert_mem_eq(place + 1, "\1\2", 2);
    ck_assert_uint_eq(bytes_get_u16(place + 1), 0x0102);
    bytes_put_u32(place + 1, 0x01020304);
    ck_assert_mem_eq(place + 1, "\1\2\3\4", 4);
    ck_assert_uint_eq(bytes_get_u32(place + 1), 0x01020304);
    bytes_put_u64(place + 1, 0x0102030405060708);
    ck_assert_mem_eq(place + 1, "\1\2\3\4\5\6\7\x08", 8);
    ck_assert_uint_eq(bytes_get_u64(place + 1), 0x0102030405060708);
    bytes_put_u32_le(place + 1, 0x01020304);
    ck_assert_mem_eq(place + 1, "\4\3\2\1", 4);
    ck_assert_uint_eq(bytes_get_u32_le(place + 1), 0x01020304);
    bytes_put_u64_le(place + 1, 0x0102030405060708);
    ck_assert_mem_eq(place + 1, "\x08\7\6\5\4\3\2\1", 8);
    ck_assert_uint_eq(bytes_get_u64_le(place + 1), 0x0102030405060708);
}
END_TEST

int main(void)
{
    TCase *bytes = tcase_create("bytes");
    tcase_add_test(bytes, a_hexadecimal_digit_has_its_value);
    tcase_add_test(bytes, pairs_of_digits_are_bytes);
    tcase_add_test(bytes, integers_come_back_from_any_place);

    Suite *suite = suite_create("bytes");
    suite_add_tcase(suite, bytes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
