// Prepared statements with real tables under them: what a change of a table does to them, and what
// the next start finds.
#include "cql/protocol/prepared_store.h"

#include "cql/protocol/prepared_cache.h"
#include "tests/cql/execution/statement_world.h"

static struct prepared_cache *cache;
static struct prepared_store *store;
static struct metadata_listener listener;
static int found_count;

static void changed(struct metadata_listener *listening, const struct metadata_change *change)
{
    (void)listening, (void)change;
    prepared_cache_drop_stale(cache, &world.processor);
}

static void found(void *context, struct slice id, struct slice keyspace, struct slice text)
{
    (void)context;
    struct cql_error error;
    found_count++;
    if (prepared_cache_prepare(cache, &world.processor, text, keyspace, &error) == NULL)
        prepared_store_remove(store, id);
}

static void loaded(void *context)
{
    (void)context;
    env_uv_stop(world.env);
}

static void start(void)
{
    cache = prepared_cache_create();
    store = prepared_store_create(&world.processor);
    ck_assert_ptr_nonnull(store);
    prepared_cache_set_keeper(cache, prepared_store_keeper(store));
    found_count = 0;
    prepared_store_load(store, found, loaded, NULL);
    while (prepared_store_is_loading(store))
        env_uv_run(world.env);
    listener = (struct metadata_listener){.changed = changed};
    metadata_listen(world.metadata, &listener);
}

static void stop(void)
{
    metadata_unlisten(world.metadata, &listener);
    prepared_cache_destroy(cache);
    prepared_store_destroy(store);
}

static void setup(void)
{
    world_setup();
    world_make("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
               "'replication_factor': 1}");
    world_make("USE ks");
    world_make("CREATE TABLE t (k int PRIMARY KEY, v int)");
    start();
}

static void teardown(void)
{
    stop();
    world_teardown();
}

static const struct prepared *prepare(const char *text)
{
    struct cql_error error;
    const struct prepared *prepared = prepared_cache_prepare(
        cache, &world.processor, slice_of_text(text), world.keyspace, &error);
    ck_assert_msg(prepared != NULL, "%s", error.text);
    return prepared;
}

static void restart(void)
{
    stop();
    world_close();
    world_open();
    start();
}

START_TEST(they_are_there_after_a_restart)
{
    uint8_t id[PREPARED_ID_SIZE];
    memcpy(id, prepare("SELECT v FROM t WHERE k = ?")->id, sizeof id);
    (void)prepare("INSERT INTO ks.t (k, v) VALUES (?, ?)");
    CHECK_CQL("SELECT logged_keyspace, query_string FROM system.prepared_statements",
              "('ks', 'SELECT v FROM t WHERE k = ?') (null, 'INSERT INTO ks.t (k, v) VALUES (?, "
              "?)')");
    restart();
    ck_assert_int_eq(found_count, 2);
    ck_assert_uint_eq(prepared_cache_count(cache), 2);
    ck_assert_ptr_nonnull(prepared_cache_find(cache, slice_make(id, sizeof id)));
    // One whose table is gone is forgotten for good.
    world_make("DROP TABLE t");
    ck_assert_uint_eq(prepared_cache_count(cache), 0);
    CHECK_CQL("SELECT query_string FROM system.prepared_statements", "");
    restart();
    ck_assert_int_eq(found_count, 0);
}
END_TEST

START_TEST(other_options_bind_anew_and_other_columns_forget)
{
    uint8_t id[PREPARED_ID_SIZE];
    memcpy(id, prepare("SELECT * FROM t")->id, sizeof id);
    const struct statement *before =
        prepared_cache_find(cache, slice_make(id, sizeof id))->statement;
    world_make("ALTER TABLE t WITH default_time_to_live = 100");
    const struct prepared *kept = prepared_cache_find(cache, slice_make(id, sizeof id));
    ck_assert_ptr_nonnull(kept);
    ck_assert_ptr_ne(kept->statement, before);
    ck_assert_int_eq(kept->statement->tables[0]->params.default_time_to_live, 100);
    world_make("ALTER TABLE t ADD w int");
    ck_assert_ptr_null(prepared_cache_find(cache, slice_make(id, sizeof id)));
    (void)prepare("SELECT * FROM t");
    world_make("CREATE INDEX i ON t (v)");
    ck_assert_uint_eq(prepared_cache_count(cache), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("prepared_store");
    TCase *tcase = tcase_create("prepared_store");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, they_are_there_after_a_restart);
    tcase_add_test(tcase, other_options_bind_anew_and_other_columns_forget);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
