// Estimates of tables' sizes, as Spark's connector reads them.
#include "cql/system/system_views.h"

#include "tests/cql/execution/statement_world.h"

static void setup(void)
{
    world_setup();
    system_tables_set_engine(world.tables, world.engine);
    world_make("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
               "'replication_factor': 1}");
    world_make("USE ks");
    world_make("CREATE TABLE t (k int PRIMARY KEY, v int)");
}

static void insert(int count)
{
    for (int i = 0; i < count; i++)
        world_make(arena_format(&world.arena, "INSERT INTO t (k, v) VALUES (%d, 1)", i));
}

START_TEST(estimates_of_all_ranges_are_the_whole_table)
{
    CHECK_CQL("SELECT sum(partitions_count) FROM system.size_estimates WHERE keyspace_name = 'ks'",
              "(0)");
    insert(100);
    CHECK_CQL("SELECT sum(partitions_count) FROM system.size_estimates WHERE keyspace_name = 'ks' "
              "AND table_name = 't'",
              "(100)");
    // The one token's range goes over the end of the ring: it is told as two.
    CHECK_CQL("SELECT count(*) FROM system.size_estimates WHERE keyspace_name = 'ks'", "(2)");
    CHECK_CQL("SELECT range_type, count(*), sum(partitions_count) FROM system.table_estimates "
              "WHERE keyspace_name = 'ks' AND table_name = 't' GROUP BY table_name, range_type",
              "('local_primary', 2, 100) ('primary', 2, 100)");
}
END_TEST

START_TEST(sizes_are_told_in_mebibytes)
{
    insert(1);
    CHECK_CQL("SELECT table_name, mebibytes FROM system_views.disk_usage", "('t', 0)");
    CHECK_CQL("SELECT table_name, mebibytes FROM system_views.max_sstable_size", "('t', 0)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("system_views");
    TCase *tcase = tcase_create("system_views");
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_test(tcase, estimates_of_all_ranges_are_the_whole_table);
    tcase_add_test(tcase, sizes_are_told_in_mebibytes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
