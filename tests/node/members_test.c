// DIR/members: written and read back, and every way in which it can be wrong.
#include "node/members.h"

#include "base/env_uv.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/helenus-members-XXXXXX";
static struct env *env;

static void setup(void)
{
    struct error error;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
}

static void teardown(void)
{
    char command[128];
    env_uv_destroy(env);
    (void)snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(what_was_written_is_read)
{
    struct token tokens[3][2] = {{{INT64_MIN + 1}, {5}}, {{-4}, {6}}, {{0}, {INT64_MAX}}};
    struct member members[3];
    for (int i = 0; i < 3; i++) {
        members[i] = (struct member){
            .data_center = "datacenter1", .rack = "rack1", .tokens = tokens[i], .token_count = 2};
        members[i].host_id.bytes[0] = (uint8_t)(i + 1);
        ck_assert_int_eq(env_address_parse(i == 2 ? "::1" : "127.0.0.1", (uint16_t)(7000 + i),
                                           &members[i].address),
                         STATUS_OK);
        members[i].rpc_address = members[i].address;
        members[i].rpc_address.port = (uint16_t)(9042 + i);
    }
    struct topology *written, *read;
    struct error error;
    uint16_t self;
    ck_assert_int_eq(topology_make(members, 3, &written, &error), STATUS_OK);
    ck_assert_int_eq(members_write(env, directory, written, 2, &error), STATUS_OK);
    ck_assert_int_eq(members_read(env, directory, &read, &self, &error), STATUS_OK);
    ck_assert_uint_eq(self, 2);
    struct buffer a, b;
    buffer_init(&a, 1 << 16);
    buffer_init(&b, 1 << 16);
    topology_put(&a, written);
    topology_put(&b, read);
    ck_assert(slice_equals(buffer_slice(&a), buffer_slice(&b)));
    buffer_deinit(&a);
    buffer_deinit(&b);
    topology_destroy(written);
    topology_destroy(read);
}
END_TEST

START_TEST(no_file_is_a_ring_of_one)
{
    struct topology *topology;
    struct error error;
    uint16_t self;
    ck_assert_int_eq(members_read(env, directory, &topology, &self, &error), STATUS_OK);
    ck_assert_ptr_null(topology);
}
END_TEST

#define ID_A "00000000-0000-0000-0000-00000000000a"
#define ID_B "00000000-0000-0000-0000-00000000000b"
#define A    "member: " ID_A " 127.0.0.1:7000 127.0.0.1:9042 dc r"
#define B    "member: " ID_B " 127.0.0.2:7000 127.0.0.2:9042 dc r"

static const struct {
    const char *text, *words;
} wrong[] = {
    {"", ":1:"},
    {"self: x\n" A " 1\n", ":1:"},
    {"self: 1\n" A " 1\n", ":1:"}, // There is no such member.
    {"self: 0", ":1:"},
    {"self: 0\n" A " 1", ":2:"}, // A torn line.
    {"self: 0\n" A " 1\nmember " ID_B "\n", ":3:"},
    {"self: 0\n" A " 1 x\n", ":2:"},
    {"self: 0\n" A " 9223372036854775808\n", ":2:"},
    {"self: 0\nmember: " ID_A " 127.0.0.1 127.0.0.1:9042 dc r 1\n", ":2:"},
    {"self: 0\nmember: " ID_A " 127.0.0.1:70000 127.0.0.1:9042 dc r 1\n", ":2:"},
    {"self: 0\nmember: " ID_A " localhost:7000 127.0.0.1:9042 dc r 1\n", ":2:"},
    {"self: 0\nmember: nobody 127.0.0.1:7000 127.0.0.1:9042 dc r 1\n", ":2:"},
    {"self: 0\n" A "\n", "/members: "},            // No token.
    {"self: 0\n" A " 1\n" A " 2\n", "/members: "}, // The same host twice.
    {"self: 0\n" A " 1\n" B " 1\n", "/members: "}, // The same token twice.
};

START_TEST(what_is_wrong_is_corrupt_and_names_its_line)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/members", directory);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(wrong[_i].text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    struct topology *topology;
    struct error error;
    uint16_t self;
    ck_assert_int_eq(members_read(env, directory, &topology, &self, &error), STATUS_CORRUPT);
    ck_assert_msg(strstr(error.text, wrong[_i].words) != NULL, "%d: %s", _i, error.text);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("members");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_was_written_is_read);
    tcase_add_test(tests, no_file_is_a_ring_of_one);
    tcase_add_loop_test(tests, what_is_wrong_is_corrupt_and_names_its_line, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    Suite *suite = suite_create("members");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
