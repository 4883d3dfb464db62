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

// How many of the statements are found; each is executed once.
static unsigned count_known(const struct id *ids, unsigned count)
{
    unsigned known = 0;
    for (unsigned i = 0; i < count; i++)
        known += is_known(&ids[i]);
    return known;
}

START_TEST(what_is_executed_now_and_then_outlives_a_flood_of_prepares)
{
    enum { FLOOD = 100000, USED = 1000, EACH = 40000 };
    static struct id ids[USED];
    for (unsigned i = 0; i < USED; i++)
        ids[i] = prepare_number(i);
    ck_assert_uint_eq(count_known(ids, USED), USED);
    for (unsigned i = 0; i < FLOOD; i++) {
        (void)prepare_number(USED + i);
        if (i % EACH == EACH - 1) ck_assert_uint_eq(count_known(ids, USED), USED);
    }
    ck_assert_uint_eq(count_known(ids, USED), USED);
    ck_assert_uint_eq(prepared_cache_count(cache), CQL_PREPARED_MAX);
    ck_assert_uint_eq(prepared_cache_evictions(cache), USED + FLOOD - CQL_PREPARED_MAX);
}
END_TEST

START_TEST(what_is_executed_now_and_then_outlives_a_flood_that_is_executed_once)
{
    enum { FLOOD = 60000, USED = 100, EACH = 3000 };
    static struct id ids[USED];
    unsigned unprepared = 0;
    for (unsigned i = 0; i < USED; i++)
        ids[i] = prepare_number(i);
    for (unsigned i = 0; i < FLOOD; i++) {
        struct id id = prepare_number(USED + i);
        ck_assert(is_known(&id));
        for (unsigned k = 0; i % EACH == 0 && k < USED; k++)
            while (!is_known(&ids[k]) && ++unprepared != 0)
                ids[k] = prepare_number(k);
    }
    ck_assert_uint_eq(unprepared, 0);
}
END_TEST

START_TEST(what_came_in_a_flood_is_kept_once_it_is_executed_again)
{
    enum { FLOOD = 12000, USED = 100, EACH = 3000 };
    static struct id ids[USED];
    for (unsigned i = 0; i < 2 * FLOOD; i++) { // Fills what is kept, and the rest.
        struct id id = prepare_number(USED + i);
        ck_assert(is_known(&id));
    }
    unsigned unprepared[3] = {0};
    for (unsigned i = 0; i < 3 * FLOOD; i++) {
        struct id id = prepare_number(USED + 2 * FLOOD + i);
        ck_assert(is_known(&id));
        for (unsigned k = 0; i % EACH == 0 && k < USED; k++)
            while (!is_known(&ids[k])) {
                unprepared[i / FLOOD]++;
                ids[k] = prepare_number(k);
            }
    }
    ck_assert_uint_le(unprepared[0], 3 * USED);
    ck_assert_uint_eq(unprepared[1] + unprepared[2], 0);
}
END_TEST

START_TEST(what_is_no_longer_executed_makes_room_for_what_is)
{
    enum { OLD = CQL_PREPARED_MAX, NEW = 5000, ROUNDS = 40 };
    static struct id old[OLD], new[NEW];
    for (unsigned i = 0; i < OLD; i++)
        old[i] = prepare_number(i);
    for (unsigned round = 0; round < 20; round++)
        ck_assert_uint_eq(count_known(old, OLD), OLD);
    unsigned unprepared = 0;
    for (unsigned i = 0; i < NEW; i++)
        new[i] = prepare_number(OLD + i);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unprepared = 0;
        for (unsigned i = 0; i < NEW; i++)
            while (!is_known(&new[i])) {
                unprepared++;
                new[i] = prepare_number(OLD + i);
            }
    }
    ck_assert_uint_eq(unprepared, 0);
}
END_TEST

START_TEST(bytes_are_bounded_and_large_statements_leave_room_for_those_in_use)
{
    enum { LARGE = 3 * MIB, USED = 500 };
    static struct id ids[USED];
    for (unsigned i = 0; i < USED; i++)
        ids[i] = prepare_number(i);
    ck_assert_uint_eq(count_known(ids, USED), USED);
    char *text = malloc(LARGE + 1);
    for (unsigned i = 0; i < 60; i++) {
        memset(text, 'a' + (int)(i % 26), LARGE);
        text[LARGE] = '\0';
        memcpy(text, "VOID ", 5);
        text[5] = (char)('a' + i / 26);
        struct slice id = slice_make(prepare(text, "")->id, PREPARED_ID_SIZE);
        ck_assert(prepared_cache_has(cache, id));
        ck_assert_uint_le(prepared_cache_count(cache), USED + CQL_PREPARED_SIZE_MAX / LARGE);
    }
    free(text);
    ck_assert_uint_eq(count_known(ids, USED), USED);
}
END_TEST

START_TEST(ids_stay_what_they_are_when_a_statement_left_and_comes_again)
{
    struct id first = prepare_number(1);
    ck_assert(is_known(&first));
    for (unsigned i = 0; i < 2 * CQL_PREPARED_MAX; i++)
        (void)prepare_number(10 + i);
    for (unsigned i = 0; i < CQL_PREPARED_MAX; i++) {
        struct id id = prepare_number(10 + 2 * CQL_PREPARED_MAX + i);
        ck_assert(is_known(&id) && is_known(&id));
    }
    ck_assert(!prepared_cache_has(cache, slice_make(first.bytes, sizeof first.bytes)));
    struct id again = prepare_number(1);
    ck_assert_mem_eq(first.bytes, again.bytes, sizeof first.bytes);
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
    tcase_add_test(tests, what_is_executed_now_and_then_outlives_a_flood_of_prepares);
    tcase_add_test(tests, what_is_executed_now_and_then_outlives_a_flood_that_is_executed_once);
    tcase_add_test(tests, what_came_in_a_flood_is_kept_once_it_is_executed_again);
    tcase_add_test(tests, what_is_no_longer_executed_makes_room_for_what_is);
    tcase_add_test(tests, bytes_are_bounded_and_large_statements_leave_room_for_those_in_use);
    tcase_add_test(tests, ids_stay_what_they_are_when_a_statement_left_and_comes_again);
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
