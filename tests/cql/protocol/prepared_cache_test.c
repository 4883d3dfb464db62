#include "cql/protocol/prepared_cache.h"

#include "base/limits.h"
#include "tests/cql/protocol/fake_statements.h"

#include <check.h>

static struct prepared_cache *cache;
static struct query_processor processor;
static struct cql_error error;

static void setup(void)
{
    cache = prepared_cache_create();
}

static void teardown(void)
{
    prepared_cache_destroy(cache);
    ck_assert_int_eq(fake_statement_count, 0);
}

static const struct prepared *prepare(const char *text, const char *keyspace)
{
    return prepared_cache_prepare(cache, &processor, slice_of_text(text), slice_of_text(keyspace),
                                  &error);
}

struct id {
    uint8_t bytes[PREPARED_ID_SIZE];
};

static struct id prepare_number(unsigned number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "VOID %u", number);
    struct id id;
    memcpy(id.bytes, prepare(text, "")->id, sizeof id.bytes);
    return id;
}

static bool is_known(const struct id *id)
{
    return prepared_cache_find(cache, slice_make(id->bytes, sizeof id->bytes)) != NULL;
}

static void check_hex(const uint8_t *id, const char *expected)
{
    char hex[2 * PREPARED_ID_SIZE + 1];
    for (size_t i = 0; i < PREPARED_ID_SIZE; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", id[i]);
    ck_assert_str_eq(hex, expected);
}

START_TEST(metadata_ids_are_cassandras)
{
    const struct slice keyspace = slice_of_text("ks"), table = slice_of_text("t");
    const struct column_spec columns[] = {
        {keyspace, table, slice_of_text("k"), type_of_kind(TYPE_INT)},
        {keyspace, table, slice_of_text("s"), type_of_kind(TYPE_TEXT)},
        {keyspace, table, slice_of_text("v"), type_of_kind(TYPE_INT)},
    };
    uint8_t id[PREPARED_ID_SIZE];
    prepared_cache_metadata_id(columns, 3, id);
    check_hex(id, "7d333f0d4eeb64a64ff88a82c80bd99a");
    prepared_cache_metadata_id(NULL, 0, id);
    check_hex(id, "d41d8cd98f00b204e9800998ecf8427e");
}
END_TEST

START_TEST(the_least_recently_used_leaves_first)
{
    static struct id ids[CQL_PREPARED_MAX + 500];
    for (unsigned i = 0; i < CQL_PREPARED_MAX; i++)
        ids[i] = prepare_number(i);
    ck_assert_uint_eq(prepared_cache_count(cache), CQL_PREPARED_MAX);
    for (unsigned i = 0; i < 100; i++)
        ck_assert(is_known(&ids[i])); // And used again.
    for (unsigned i = CQL_PREPARED_MAX; i < CQL_PREPARED_MAX + 500; i++)
        ids[i] = prepare_number(i);
    ck_assert_uint_eq(prepared_cache_count(cache), CQL_PREPARED_MAX);
    ck_assert_uint_eq(prepared_cache_evictions(cache), 500);
    for (unsigned i = 0; i < CQL_PREPARED_MAX + 500; i++)
        ck_assert_int_eq(is_known(&ids[i]), i < 100 || i >= 600);
}
END_TEST

START_TEST(statements_are_dropped_when_stale_but_live_while_they_are_held)
{
    struct statement *held = prepare("VOID held", "")->statement;
    statement_ref(held);
    struct id id = prepare_number(1);
    fake_all_are_stale = true;
    prepared_cache_drop_stale(cache, &processor);
    fake_all_are_stale = false;
    ck_assert_uint_eq(prepared_cache_count(cache), 0);
    ck_assert(!is_known(&id));
    ck_assert_str_eq(held->plan->text, "VOID held");
    statement_unref(held);
}
END_TEST

START_TEST(what_cannot_be_prepared_or_found_is_null)
{
    ck_assert_ptr_null(prepare("nonsense", "ks"));
    ck_assert_int_eq(error.code, CQL_ERROR_SYNTAX);
    ck_assert_ptr_null(prepared_cache_find(cache, slice_make("", 0)));
    ck_assert_ptr_null(prepared_cache_find(cache, slice_of_text("0123456789abcdef")));
    ck_assert_ptr_null(prepared_cache_find(cache, slice_of_text("0123456789abcdef0")));
}
END_TEST

START_TEST(a_statement_that_is_too_large_is_refused)
{
    char *text = malloc(CQL_PREPARED_SIZE_MAX + 16);
    memset(text, 'x', CQL_PREPARED_SIZE_MAX + 15);
    text[CQL_PREPARED_SIZE_MAX + 15] = '\0';
    memcpy(text, "VOID ", 5);
    ck_assert_ptr_null(prepare(text, ""));
    ck_assert_int_eq(error.code, CQL_ERROR_INVALID);
    free(text);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("prepared_cache");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, metadata_ids_are_cassandras);
    tcase_add_test(tests, the_least_recently_used_leaves_first);
    tcase_add_test(tests, statements_are_dropped_when_stale_but_live_while_they_are_held);
    tcase_add_test(tests, what_cannot_be_prepared_or_found_is_null);
    tcase_add_test(tests, a_statement_that_is_too_large_is_refused);

    Suite *suite = suite_create("prepared_cache");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
