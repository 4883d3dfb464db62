// What liveness costs and how fast news travels, at 3, 30 and 300 members: the traffic of a node
// does not grow with the ring. Prints what it measures.
#include "ring/liveness/liveness.h"

#include "tests/ring/support/liveness_world.h"

#include <check.h>
#include <stdio.h>

#define MEASURED_SECONDS 20.0

static const size_t sizes[] = {3, 30, 300};
enum { SIZES = sizeof sizes / sizeof *sizes };

struct rates {
    double messages, bytes; // A node and second, in and out.
};

static struct rates measure(struct liveness_world *world)
{
    struct rates before = {0}, after = {0};
    for (int pass = 0; pass < 2; pass++) {
        struct rates *sum = pass == 0 ? &before : &after;
        if (pass == 1) message_world_run(&world->messages, MEASURED_SECONDS, NULL);
        for (size_t i = 0; i < world->messages.count; i++) {
            struct liveness_traffic traffic = liveness_traffic(world->nodes[i].liveness);
            sum->messages += (double)(traffic.messages_sent + traffic.messages_received);
            sum->bytes += (double)(traffic.bytes_sent + traffic.bytes_received);
        }
    }
    double divisor = MEASURED_SECONDS * (double)world->messages.count;
    return (struct rates){(after.messages - before.messages) / divisor,
                          (after.bytes - before.bytes) / divisor};
}

START_TEST(traffic_of_a_node_does_not_grow_with_the_ring)
{
    struct rates first = {0};
    printf("%8s %12s %12s %10s %10s %10s %10s\n", "members", "messages/s", "bytes/s", "start s",
           "killed s", "stopped s", "back s");
    for (int i = 0; i < SIZES; i++) {
        struct liveness_world world;
        liveness_world_open(&world, sizes[i], 1);
        double start = liveness_world_until_whole(&world, 20);
        message_world_run(&world.messages, 10, NULL);
        ck_assert(liveness_world_is_whole(&world));
        struct rates rates = measure(&world);
        liveness_world_kill(&world, 1);
        double killed = liveness_world_until(&world, 30, 1, false);
        message_world_run(&world.messages, 5, NULL);
        liveness_world_start(&world, 1);
        double back = liveness_world_until(&world, 30, 1, true);
        message_world_run(&world.messages, 5, NULL);
        for (size_t other = 0; other < sizes[i]; other++)
            if (other != 2)
                messaging_set_fault(
                    world.messages.nodes[2].messaging, (uint16_t)other,
                    &(struct messaging_fault){.blocks_in = true, .blocks_out = true});
        double stopped = liveness_world_until(&world, 30, 2, false);
        printf("%8zu %12.1f %12.0f %10.3f %10.3f %10.3f %10.3f\n", sizes[i], rates.messages,
               rates.bytes, start, killed, stopped, back);
        if (i == 0) first = rates;
        ck_assert_double_lt(rates.messages, 1.5 * first.messages);
        ck_assert_double_lt(rates.bytes, 1.5 * first.bytes);
        ck_assert_double_lt(start, sizes[i] <= 3 ? 0.02 : 1);
        ck_assert_double_lt(killed, sizes[i] <= 3 ? 0.35 : 3);
        ck_assert_double_lt(stopped, sizes[i] <= 3 ? 4 : 7);
        ck_assert_double_lt(back, sizes[i] <= 3 ? 0.05 : 3);
        liveness_world_close(&world);
    }
    (void)fflush(stdout);
}
END_TEST

int main(void)
{
    TCase *traffic = tcase_create("traffic");
    tcase_set_timeout(traffic, 300);
    tcase_add_test(traffic, traffic_of_a_node_does_not_grow_with_the_ring);
    Suite *suite = suite_create("liveness_traffic");
    suite_add_tcase(suite, traffic);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
