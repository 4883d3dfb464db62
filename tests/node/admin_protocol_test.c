// What a node says of itself, there and back; cut short anywhere it is no answer.
#include "node/admin_protocol.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct topology *make_topology(void)
{
    struct token tokens[2] = {{-5}, {7}};
    struct member members[2];
    for (int i = 0; i < 2; i++) {
        members[i] = (struct member){.address = {.bytes = {127, 0, 0, (uint8_t)(i + 1)}, .size = 4},
                                     .data_center = "dc",
                                     .rack = "r",
                                     .tokens = &tokens[i],
                                     .token_count = 1};
        members[i].host_id.bytes[15] = (uint8_t)(i + 1);
        members[i].rpc_address = members[i].address;
    }
    struct topology *topology;
    struct error error;
    ck_assert_int_eq(topology_make(members, 2, &topology, &error), STATUS_OK);
    return topology;
}

static void put_info(struct buffer *bytes)
{
    double owns[2] = {0.25, 0.75};
    uint8_t states[2] = {ADMIN_MEMBER_UP, ADMIN_MEMBER_SUSPECT};
    char keyspaces[] = "a -> b\nc -> d\n";
    struct admin_info info = {
        .cluster_name = "Ring",
        .release_version = "5.0.4",
        .self = 1,
        .is_ready = true,
        .schema_version = {{1, 2, 3}},
        .log_number = 99,
        .started_us = -7,
        .wall_us = INT64_MAX,
        .load_bytes = 1,
        .memtable_bytes = 2,
        .resident_bytes = 3,
        .cpu_ns = 4,
        .owns_is_effective = true,
        .topology = make_topology(),
        .owns = owns,
        .states = states,
        .keyspaces = keyspaces,
    };
    admin_info_put(bytes, &info);
    topology_destroy(info.topology);
}

START_TEST(an_info_comes_back_as_it_was)
{
    struct buffer bytes;
    buffer_init(&bytes, 1 << 16);
    put_info(&bytes);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    struct admin_info info;
    ck_assert_int_eq(admin_info_get(&cursor, &info), STATUS_OK);
    ck_assert_uint_eq(cursor_left(&cursor), 0);
    ck_assert_str_eq(info.cluster_name, "Ring");
    ck_assert_str_eq(info.keyspaces, "a -> b\nc -> d\n");
    ck_assert(info.is_ready && !info.serves_clients && info.owns_is_effective);
    ck_assert(info.self == 1 && info.log_number == 99 && info.started_us == -7);
    ck_assert(info.owns[1] == 0.75 && info.states[1] == ADMIN_MEMBER_SUSPECT);
    ck_assert(info.wall_us == INT64_MAX && info.cpu_ns == 4 && info.resident_bytes == 3);
    struct buffer again;
    buffer_init(&again, 1 << 16);
    admin_info_put(&again, &info);
    ck_assert(slice_equals(buffer_slice(&bytes), buffer_slice(&again)));
    buffer_deinit(&again);
    buffer_deinit(&bytes);
    admin_info_deinit(&info);
}
END_TEST

START_TEST(a_part_of_one_is_malformed)
{
    struct buffer bytes;
    buffer_init(&bytes, 1 << 16);
    put_info(&bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        struct cursor cursor = cursor_make(slice_make(bytes.data, size));
        struct admin_info info;
        ck_assert_int_eq(admin_info_get(&cursor, &info), STATUS_MALFORMED);
        ck_assert_ptr_null(info.topology);
    }
    buffer_deinit(&bytes);
}
END_TEST

START_TEST(a_fault_comes_back_as_it_was)
{
    const struct messaging_fault fault = {.blocks_in = true,
                                          .delay_ns = 5,
                                          .jitter_ns = UINT64_MAX,
                                          .lost_per_1000 = 1000,
                                          .doubled_per_1000 = 3};
    struct messaging_fault read;
    struct buffer bytes;
    buffer_init(&bytes, 256);
    admin_fault_put(&bytes, &fault);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    admin_fault_get(&cursor, &read);
    ck_assert(!cursor.failed && cursor_left(&cursor) == 0);
    ck_assert(!read.blocks_out && read.blocks_in && read.delay_ns == 5 &&
              read.jitter_ns == UINT64_MAX && read.lost_per_1000 == 1000 &&
              read.doubled_per_1000 == 3);
    buffer_deinit(&bytes);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("admin_protocol");
    tcase_add_test(tests, an_info_comes_back_as_it_was);
    tcase_add_test(tests, a_part_of_one_is_malformed);
    tcase_add_test(tests, a_fault_comes_back_as_it_was);
    Suite *suite = suite_create("admin_protocol");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
