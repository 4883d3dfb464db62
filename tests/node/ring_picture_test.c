// The slides' ring of eight nodes, drawn.
#include "node/ring_picture.h"

#include "node/admin_protocol.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { NODES = 8 };

START_TEST(the_slides_ring_is_a_circle_of_eight)
{
    struct member members[NODES];
    struct token tokens[NODES];
    for (unsigned i = 0; i < NODES; i++) {
        // 0000, 2000, … E000 of 16 bits: token 0000 is the smallest.
        tokens[i].value = (int64_t)((uint64_t)INT64_MIN + ((uint64_t)(i * 0x2000) << 48));
        members[i] = (struct member){
            .address = {.bytes = {127, 0, 0, (uint8_t)(i + 1)}, .size = 4, .port = 7000},
            .data_center = "dc",
            .rack = "r",
            .tokens = &tokens[i],
            .token_count = 1};
        members[i].host_id.bytes[0] = (uint8_t)(i + 1);
        members[i].rpc_address = members[i].address;
    }
    struct topology *topology;
    struct error error;
    ck_assert_int_eq(topology_make(members, NODES, &topology, &error), STATUS_OK);
    uint8_t states[NODES];
    memset(states, ADMIN_MEMBER_UP, sizeof states);
    states[3] = ADMIN_MEMBER_DOWN;
    struct buffer text;
    buffer_init(&text, 1 << 16);
    ring_picture_put(&text, topology, states);
    buffer_put_u8(&text, 0);
    const char *picture = (const char *)text.data;
    for (unsigned i = 0; i < NODES; i++) {
        char label[32];
        (void)snprintf(label, sizeof label, "%04X node %u", i * 0x2000, i + 1);
        ck_assert_msg(strstr(picture, label) != NULL, "no %s in\n%s", label, picture);
    }
    ck_assert_ptr_nonnull(strstr(picture, "6000 node 4 down"));
    // Clockwise from the top: 0000 above 2000 above 4000, and E000 left of 2000.
    const char *top = strstr(picture, "0000 node 1"), *right = strstr(picture, "4000 node 3");
    ck_assert(top < strstr(picture, "2000 node 2"));
    ck_assert(strstr(picture, "2000 node 2") < right);
    ck_assert(right < strstr(picture, "8000 node 5"));
    ck_assert(strstr(picture, "E000 node 8") < strstr(picture, "2000 node 2"));
    ck_assert_ptr_nonnull(strstr(picture, "node 4   127.0.0.4:7000         1 token  down"));
    buffer_deinit(&text);
    topology_destroy(topology);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ring_picture");
    tcase_add_test(tests, the_slides_ring_is_a_circle_of_eight);
    Suite *suite = suite_create("ring_picture");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
