// Addresses in texts; the rest of env.h is the implementations' and tested there.
#include "base/env.h"

#include <check.h>

static const struct {
    const char *text;
    uint8_t size;
    const char *formatted;
} addresses[] = {
    {"127.0.0.1", 4, "127.0.0.1:9042"},
    {"255.255.255.255", 4, "255.255.255.255:9042"},
    {"::1", 16, "[::1]:9042"},
    {"2001:DB8:0:0:0::7", 16, "[2001:db8::7]:9042"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 16,
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:9042"},
};

START_TEST(an_address_is_read_and_written)
{
    struct env_address address;
    char text[ENV_ADDRESS_TEXT_SIZE];
    ck_assert_int_eq(env_address_parse(addresses[_i].text, 9042, &address), STATUS_OK);
    ck_assert_uint_eq(address.size, addresses[_i].size);
    env_address_format(&address, text);
    ck_assert_str_eq(text, addresses[_i].formatted);
}
END_TEST

static const char *const malformed[] = {
    "",         "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1",
    "1.2.3.4 ", "[::1]",     "::1::", "12345::",   "127.0.0.1:9042"};

START_TEST(anything_else_is_malformed_and_changes_nothing)
{
    struct env_address address = {.size = 9, .port = 9};
    ck_assert_int_eq(env_address_parse(malformed[_i], 1, &address), STATUS_MALFORMED);
    ck_assert_uint_eq(address.size, 9);
    ck_assert_uint_eq(address.port, 9);
}
END_TEST

int main(void)
{
    TCase *env = tcase_create("env");
    tcase_add_loop_test(env, an_address_is_read_and_written, 0,
                        sizeof addresses / sizeof addresses[0]);
    tcase_add_loop_test(env, anything_else_is_malformed_and_changes_nothing, 0,
                        sizeof malformed / sizeof malformed[0]);

    Suite *suite = suite_create("env");
    suite_add_tcase(suite, env);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
