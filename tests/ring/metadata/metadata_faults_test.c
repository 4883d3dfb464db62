// The metadata log of one to five members in the simulator: one order for all, nothing twice,
// nothing lost that was told or shown, whatever is killed, cut off, slow or full.
#include "tests/ring/metadata/log_world.h"

static struct log_node *some_node(void)
{
    return &world.nodes[random_below(&world.random, world.node_count)];
}

static void hurt(void)
{
    struct log_node *node = some_node(), *other = some_node();
    uint64_t steps = 1 + random_below(&world.random, 40);
    bool is_alive = node->env != NULL && sim_process_is_alive(node->env);
    switch (random_below(&world.random, 12)) {
    case 0:
        if (is_alive) sim_process_crash_at(node->env, steps, false);
        break;
    case 1:
        if (is_alive) sim_process_crash_at(node->env, steps, true);
        break;
    case 2:
        if (is_alive) sim_process_crash_at_sync_file(node->env, 1 + steps % 4, steps % 2 == 0);
        break;
    case 3:
        if (is_alive) sim_process_pause(node->env, steps * 50 * MS);
        break;
    case 4:
        if (node != other)
            sim_network_cut(node->machine, other->machine, random_chance(&world.random, 0.5));
        break;
    case 5:
    case 6:
    case 7:
        if (node != other) sim_network_heal(node->machine, other->machine);
        break;
    case 8:
        if (node != other)
            sim_network_slow(node->machine, other->machine, steps * MS, 10 * steps * MS, 0);
        break;
    case 9:
        sim_machine_set_slow(node->machine, steps * 20 * MS);
        break;
    case 10:
        sim_machine_jump_clock(node->machine, ((int64_t)steps - 20) * 10000000);
        break;
    default:
        if (node != other) sim_network_reset(node->machine, other->machine);
    }
}

static void heal_all(void)
{
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        sim_world_set_chance(world.sim, (enum sim_fault)fault, 0);
    for (size_t a = 0; a < world.node_count; a++) {
        sim_machine_set_full(world.nodes[a].machine, false);
        if (world.nodes[a].env != NULL) sim_process_crash(world.nodes[a].env);
        for (size_t b = a + 1; b < world.node_count; b++)
            sim_network_heal(world.nodes[a].machine, world.nodes[b].machine);
    }
}

static void restart_broken(void)
{
    for (size_t n = 0; n < world.node_count; n++)
        if (world.nodes[n].is_broken && node_is_up(&world.nodes[n])) {
            world.nodes[n].is_broken = false;
            sim_process_crash(world.nodes[n].env);
        }
}

static void run_with_faults(size_t node_count, uint64_t seed)
{
    world_open(node_count, seed, true, seed % 4 != 0);
    if (seed % 4 == 3) world.record_size_max = 50000;
    for (int i = 0; i < 400; i++) {
        for (size_t n = 0; n < node_count; n++)
            if (node_is_up(&world.nodes[n]) && random_chance(&world.random, 0.4))
                op_start(n, random_chance(&world.random, 0.3));
        if (random_chance(&world.random, 0.15)) hurt();
        struct log_node *asking = some_node();
        if (node_is_up(asking) && random_chance(&world.random, 0.1)) ask_all(asking);
        restart_broken();
        run_for(random_below(&world.random, 30) * MS);
    }
    heal_all();
    run_for(10 * S);
    for (size_t n = 0; n < node_count; n++) {
        // Those that a fault of their disk has ended say so.
        ck_assert(node_is_up(&world.nodes[n]));
        op_start(n, false);
        wait_for_ops();
    }
    restart_broken();
    run_for(10 * S);
    for (size_t n = 0; n < node_count; n++) {
        ck_assert(node_is_up(&world.nodes[n]));
        struct op *op = op_start(n, false);
        wait_for_ops();
        ck_assert_msg(op->status == STATUS_OK, "seed %llu: node %zu: %s", (unsigned long long)seed,
                      n, status_text(op->status));
    }
    ck_assert_msg(all_equal(), "seed %llu", (unsigned long long)seed);
    for (size_t n = 0; n < node_count; n++) {
        int count = world.nodes[n].caught_up_count;
        ask_all(&world.nodes[n]);
        run_for(1 * S);
        ck_assert_int_gt(world.nodes[n].caught_up_count, count);
    }
    for (int i = 0; i < world.op_count; i++) {
        if (world.ops[i].status == STATUS_OK) ck_assert_int_ge(world.ops[i].position, 0);
        if (world.ops[i].status == STATUS_CONFLICT) ck_assert_int_eq(world.ops[i].position, -1);
    }
    world_close();
}

static uint64_t seed_first, seed_count = 12;

START_TEST(one_order_for_all_whatever_happens)
{
    const size_t counts[] = {3, 5, 1, 4};
    for (uint64_t seed = seed_first; seed < seed_first + seed_count; seed++) {
        if (getenv("LOG_SEEDS") != NULL)
            (void)fprintf(stderr, "%zu nodes, seed %llu\n", counts[_i], (unsigned long long)seed);
        run_with_faults(counts[_i], seed);
    }
}
END_TEST

int main(void)
{
    // LOG_SEEDS=FIRST,COUNT for a longer search.
    const char *seeds = getenv("LOG_SEEDS");
    if (seeds != NULL) {
        char *end;
        seed_first = strtoull(seeds, &end, 10);
        seed_count = *end == ',' ? strtoull(end + 1, NULL, 10) : 1;
    }
    TCase *tcase = tcase_create("metadata_faults");
    tcase_set_timeout(tcase, 600);
    tcase_add_loop_test(tcase, one_order_for_all_whatever_happens, 0, 4);
    Suite *suite = suite_create("metadata_faults");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
