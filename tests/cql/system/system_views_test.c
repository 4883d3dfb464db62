// Estimates of tables' sizes, as Spark's connector reads them.
#include "cql/system/system_views.h"

#include "cql/system/table_figures.h"
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

START_TEST(reads_and_writes_of_tables_are_counted_and_timed)
{
    struct table_figures_set *figures = table_figures_create();
    world.processor.figures = figures;
    system_tables_set_figures(world.tables, figures);
    insert(3);
    for (int i = 0; i < 200; i++)
        CHECK_CQL("SELECT v FROM t WHERE k = 1", "(1)");
    CHECK_CQL("SELECT k FROM t", "(1) (0) (2)");
    CHECK_CQL("SELECT keyspace_name, table_name, count FROM system_views.coordinator_read_latency",
              "('ks', 't', 200)");
    CHECK_CQL("SELECT count FROM system_views.coordinator_write_latency", "(3)");
    CHECK_CQL("SELECT count FROM system_views.coordinator_scan_latency", "(1)");
    // All of the first, then each sixteenth: 80, 96, …, and what was before.
    const struct table *table =
        schema_find_table(metadata_schema(world.metadata), slice_of_text("ks"), slice_of_text("t"));
    const struct table_latency *reads =
        &table_figures_find(figures, table->id)->latencies[TABLE_LATENCY_READ];
    ck_assert_uint_eq(reads->timed, 64 + 9);
    ck_assert_uint_ge(reads->max_us, table_latency_percentile(reads, 50));
    CHECK_CQL("SELECT keyspace_name, table_name, count, max, p50th FROM system_views.rows_per_read",
              "('ks', 't', 201, 3.0, 1.0)");
    world_make("INSERT INTO t (k, v) VALUES (9, null)");
    CHECK_CQL("SELECT v FROM t WHERE k = 9", "(null)");
    world_make("BEGIN BATCH INSERT INTO t (k, v) VALUES (1, 1) INSERT INTO t (k, v) VALUES (2, 1) "
               "APPLY BATCH");
    CHECK_CQL("SELECT name, max, p50th, p999th FROM system_views.batch_metrics",
              "('partitions_per_counter_batch', 0, 0.0, 0.0) ('partitions_per_logged_batch', 2, "
              "2.0, 2.0) ('partitions_per_unlogged_batch', 0, 0.0, 0.0)");
    world.processor.figures = NULL;
    system_tables_set_figures(world.tables, NULL);
    table_figures_destroy(figures);
}
END_TEST

START_TEST(percentiles_are_at_most_a_quarter_too_high)
{
    struct table_latency latency = {0};
    for (uint64_t us = 1; us <= 1000; us++)
        table_latency_record(&latency, us * 1000);
    for (int percent = 1; percent <= 100; percent++) {
        uint64_t found = table_latency_percentile(&latency, percent), exact = 10 * percent;
        ck_assert_uint_ge(found, exact);
        ck_assert_uint_le(found, exact + exact / 4 + 1);
    }
    ck_assert_uint_eq(table_latency_percentile(&latency, 100), 1000);
    table_latency_record(&latency, UINT64_MAX);
    ck_assert_uint_ge(table_latency_percentile(&latency, 100), 1000);
    struct table_latency none = {0};
    ck_assert_uint_eq(table_latency_percentile(&none, 99), 0);
}
END_TEST

START_TEST(only_so_many_tables_are_counted)
{
    struct table_figures_set *figures = table_figures_create();
    for (uint32_t i = 0; i < TABLE_FIGURES_MAX; i++) {
        struct uuid id = {{(uint8_t)(i >> 8), (uint8_t)i}};
        struct table_figures *made = table_figures_of(figures, id);
        ck_assert_ptr_nonnull(made);
        ck_assert_ptr_eq(table_figures_of(figures, id), made);
        ck_assert_ptr_eq(table_figures_find(figures, id), made);
    }
    ck_assert_ptr_null(table_figures_of(figures, (struct uuid){{0xff, 0xff, 1}}));
    ck_assert_ptr_null(table_figures_find(figures, (struct uuid){{0xff, 0xff, 1}}));
    table_figures_destroy(figures);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("system_views");
    TCase *tcase = tcase_create("system_views");
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_test(tcase, estimates_of_all_ranges_are_the_whole_table);
    tcase_add_test(tcase, sizes_are_told_in_mebibytes);
    tcase_add_test(tcase, reads_and_writes_of_tables_are_counted_and_timed);
    tcase_add_test(tcase, percentiles_are_at_most_a_quarter_too_high);
    tcase_add_test(tcase, only_so_many_tables_are_counted);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
