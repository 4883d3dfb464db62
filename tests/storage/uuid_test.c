#include "storage/uuid.h"

#include <check.h>

static struct uuid parse(const char *text)
{
    struct uuid uuid;
    ck_assert_int_eq(uuid_parse(slice_of_text(text), &uuid), STATUS_OK);
    return uuid;
}

START_TEST(text_survives_a_round_trip)
{
    struct uuid uuid = parse("00112233-4455-6677-8899-AABBCCDDEEFF");
    char text[UUID_TEXT_SIZE];
    uuid_format(uuid, text);
    ck_assert_str_eq(text, "00112233-4455-6677-8899-aabbccddeeff");
    ck_assert(uuid_equals(parse(text), uuid));
}
END_TEST

START_TEST(bytes_survive_a_round_trip)
{
    struct uuid uuid = parse("00112233-4455-6677-8899-aabbccddeeff");
    struct buffer bytes;
    buffer_init(&bytes, 64);
    uuid_put(&bytes, uuid);
    ck_assert_uint_eq(bytes.size, 16);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    ck_assert(uuid_equals(uuid_take(&cursor), uuid));
    ck_assert(!cursor.failed && cursor_left(&cursor) == 0);

    cursor = cursor_make(slice_make(bytes.data, 15));
    ck_assert(uuid_equals(uuid_take(&cursor), (struct uuid){{0}}));
    ck_assert(cursor.failed);
    buffer_deinit(&bytes);
}
END_TEST

static const char *const malformed[] = {
    "",
    "00112233445566778899aabbccddeeff",
    "00112233-4455-6677-8899-aabbccddeef",
    "00112233-4455-6677-8899-aabbccddeefff",
    "g0112233-4455-6677-8899-aabbccddeeff",
    "00112233-4455-6677-8899-aabbccddeef ",
    "0011223-34455-6677-8899-aabbccddeeff",
};

START_TEST(malformed_text_is_refused_and_changes_nothing)
{
    struct uuid uuid = {.bytes = {1}};
    ck_assert_int_eq(uuid_parse(slice_of_text(malformed[_i]), &uuid), STATUS_MALFORMED);
    ck_assert_uint_eq(uuid.bytes[0], 1);
}
END_TEST

START_TEST(fields_of_time_come_back)
{
    struct uuid uuid = uuid_make_time_us(1577836800123456, 7, 0xffff, 0xfedcba987654);
    ck_assert_int_eq(uuid_version(uuid), 1);
    ck_assert_int_eq(uuid_unix_us(uuid), 1577836800123456);
    ck_assert_int_eq(uuid_unix_ms(uuid), 1577836800123);
    ck_assert_uint_eq(uuid_ticks(uuid), 1577836800123456u * 10 + 7 + UUID_EPOCH_TICKS);
    char text[UUID_TEXT_SIZE];
    uuid_format(uuid, text);
    ck_assert_str_eq(text + 19, "bfff-fedcba987654"); // Variant 10, 14 bits of sequence, the node.
}
END_TEST

START_TEST(kinds_say_their_version_and_variant)
{
    static const uint8_t ones[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    char text[UUID_TEXT_SIZE];
    uuid_format(uuid_make_random(ones), text);
    ck_assert_str_eq(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    uuid_format(uuid_make_hash(ones), text);
    ck_assert_str_eq(text, "ffffffff-ffff-3fff-bfff-ffffffffffff");
}
END_TEST

// The bounds of minTimeuuid() and maxTimeuuid() enclose every uuid of their time.
START_TEST(raw_bounds_enclose_their_time)
{
    struct uuid low = uuid_make_time_raw(UUID_EPOCH_TICKS, 0x8080808080808080u);
    struct uuid high = uuid_make_time_raw(UUID_EPOCH_TICKS, 0x7f7f7f7f7f7f7f7fu);
    static const uint64_t nodes[] = {0, 1, 0x7f7f7f7f7f7f, 0x808080808080, 0xffffffffffff};
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        struct uuid uuid = uuid_make_time(UUID_EPOCH_TICKS, (uint16_t)(i * 5000), nodes[i]);
        ck_assert_int_le(uuid_compare_time(low, uuid), 0);
        ck_assert_int_le(uuid_compare_time(uuid, high), 0);
    }
}
END_TEST

int main(void)
{
    TCase *uuid = tcase_create("uuid");
    tcase_add_test(uuid, text_survives_a_round_trip);
    tcase_add_test(uuid, bytes_survive_a_round_trip);
    tcase_add_loop_test(uuid, malformed_text_is_refused_and_changes_nothing, 0,
                        sizeof malformed / sizeof malformed[0]);
    tcase_add_test(uuid, fields_of_time_come_back);
    tcase_add_test(uuid, kinds_say_their_version_and_variant);
    tcase_add_test(uuid, raw_bounds_enclose_their_time);

    Suite *suite = suite_create("uuid");
    suite_add_tcase(suite, uuid);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
