// Mutations survive their bytes, under their own and under later versions of the table; no bytes
// break the decoder.
#include "storage/mutation.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <stdlib.h>

static const struct table *table;
static struct arena arena;
static struct buffer bytes;

static void setup(void)
{
    table = engine_fixture_table("t", false);
    arena_init(&arena, 4096);
    buffer_init(&bytes, 1 << 20);
}

static void teardown(void)
{
    buffer_deinit(&bytes);
    arena_deinit(&arena);
    table_unref(table);
}

static uint16_t column_of(const struct table *of, const char *name)
{
    return table_find_column(of, slice_of_text(name))->index;
}

// Something of everything.
static struct mutation make_mutation(void)
{
    static const struct slice names[] = {{(const uint8_t *)"c1", 2}, {(const uint8_t *)"c2", 2}};
    struct row *rows = ARENA_NEW_ARRAY(&arena, struct row, 2);
    struct row *static_row = ARENA_NEW(&arena, struct row);
    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, 5);
    struct complex_deletion *gone = ARENA_NEW(&arena, struct complex_deletion);
    struct range_deletion *range = ARENA_NEW(&arena, struct range_deletion);
    cells[0] = (struct cell){column_of(table, "a"),  0,           LOCAL_TIME_NONE, 7,
                             slice_of_text("value"), slice_null()};
    cells[1] = (struct cell){column_of(table, "b"), 60, 1000, 8, slice_make("", 0), slice_null()};
    cells[2] =
        (struct cell){column_of(table, "e"), 0, 900, 9, slice_make("", 0), slice_of_text("x")};
    cells[3] = (struct cell){column_of(table, "e"), 0, LOCAL_TIME_NONE, 9, slice_make("", 0),
                             slice_of_text("y")};
    cells[4] = (struct cell){column_of(table, "s"),   0,           LOCAL_TIME_NONE, -5,
                             slice_of_text("static"), slice_null()};
    *gone = (struct complex_deletion){column_of(table, "e"), {6, 500}};
    rows[0] = (struct row){.clustering = {1, &names[0]},
                           .liveness = {11, 60, 2000},
                           .deletion = {3, 400},
                           .cells = cells,
                           .cell_count = 4,
                           .complex_deletions = gone,
                           .complex_deletion_count = 1};
    rows[1] =
        (struct row){.clustering = {1, &names[1]}, .liveness = LIVENESS_NONE, .deletion = {5, 401}};
    *static_row = (struct row){
        .liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cells = &cells[4], .cell_count = 1};
    *range = (struct range_deletion){
        {{BOUND_EXCL_START, {1, &names[0]}}, {BOUND_INCL_END, {0, NULL}}}, {4, 402}};
    return (struct mutation){.table = table,
                             .key = partition_key_make(slice_of_text("key")),
                             .deletion = {1, 403},
                             .static_row = static_row,
                             .rows = rows,
                             .row_count = 2,
                             .range_deletions = range,
                             .range_deletion_count = 1};
}

static void check_cell(const struct cell *a, const struct cell *b)
{
    ck_assert_uint_eq(a->column, b->column);
    ck_assert_int_eq(a->ttl, b->ttl);
    ck_assert_int_eq(a->local_time, b->local_time);
    ck_assert_int_eq(a->timestamp, b->timestamp);
    ck_assert(slice_equals(a->value, b->value));
    ck_assert(slice_equals(a->path, b->path));
}

static void check_deletion(struct deletion a, struct deletion b)
{
    ck_assert_int_eq(a.timestamp, b.timestamp);
    ck_assert_int_eq(a.local_time, b.local_time);
}

static void check_row(const struct row *a, const struct row *b)
{
    ck_assert_int_eq(clustering_compare(table, &a->clustering, &b->clustering), 0);
    ck_assert_int_eq(a->liveness.timestamp, b->liveness.timestamp);
    ck_assert_int_eq(a->liveness.ttl, b->liveness.ttl);
    ck_assert_int_eq(a->liveness.local_time, b->liveness.local_time);
    check_deletion(a->deletion, b->deletion);
    ck_assert_uint_eq(a->cell_count, b->cell_count);
    for (uint32_t i = 0; i < a->cell_count; i++)
        check_cell(&a->cells[i], &b->cells[i]);
    ck_assert_uint_eq(a->complex_deletion_count, b->complex_deletion_count);
    for (uint32_t i = 0; i < a->complex_deletion_count; i++) {
        ck_assert_uint_eq(a->complex_deletions[i].column, b->complex_deletions[i].column);
        check_deletion(a->complex_deletions[i].deletion, b->complex_deletions[i].deletion);
    }
}

START_TEST(what_was_encoded_is_decoded)
{
    struct mutation mutation = make_mutation(), decoded;
    mutation_encode(&mutation, &bytes);
    struct uuid id;
    ck_assert_int_eq(mutation_decode_table_id(buffer_slice(&bytes), &id), STATUS_OK);
    ck_assert_mem_eq(&id, &table->id, sizeof id);
    ck_assert_int_eq(mutation_decode(buffer_slice(&bytes), table, &arena, &decoded, NULL),
                     STATUS_OK);
    ck_assert(slice_equals(decoded.key.bytes, mutation.key.bytes));
    ck_assert_int_eq(decoded.key.token.value, mutation.key.token.value);
    check_deletion(decoded.deletion, mutation.deletion);
    check_row(decoded.static_row, mutation.static_row);
    ck_assert_uint_eq(decoded.row_count, 2);
    check_row(&decoded.rows[0], &mutation.rows[0]);
    check_row(&decoded.rows[1], &mutation.rows[1]);
    ck_assert_uint_eq(decoded.range_deletion_count, 1);
    const struct range_deletion *a = decoded.range_deletions, *b = mutation.range_deletions;
    ck_assert_int_eq(a->range.start.kind, b->range.start.kind);
    ck_assert_int_eq(a->range.end.kind, b->range.end.kind);
    ck_assert_int_eq(bound_compare(table, &a->range.start, &b->range.start), 0);
    ck_assert_int_eq(bound_compare(table, &a->range.end, &b->range.end), 0);
    check_deletion(a->deletion, b->deletion);
}
END_TEST

START_TEST(cells_of_dropped_columns_are_left_out_and_others_keep_their_place)
{
    struct mutation mutation = make_mutation(), decoded;
    mutation_encode(&mutation, &bytes);
    struct table_builder *builder = table_builder_copy(table);
    table_builder_drop_column(builder, slice_of_text("a"), 100);
    table_builder_add_column(builder, slice_of_text("aa"), type_of_kind(TYPE_INT), COLUMN_REGULAR,
                             false);
    const struct table *later = table_builder_finish(builder);
    ck_assert_int_eq(mutation_decode(buffer_slice(&bytes), later, &arena, &decoded, NULL),
                     STATUS_OK);
    ck_assert_uint_eq(decoded.rows[0].cell_count, 3);
    ck_assert_uint_eq(decoded.rows[0].cells[0].column, column_of(later, "b"));
    ck_assert_uint_eq(decoded.rows[0].cells[1].column, column_of(later, "e"));
    table_unref(later);
}
END_TEST

START_TEST(no_bytes_break_the_decoder)
{
    struct mutation mutation = make_mutation(), decoded;
    mutation_encode(&mutation, &bytes);
    struct slice whole = buffer_slice(&bytes);
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, whole.data, size);
        ck_assert_int_eq(mutation_decode(slice_make(copy, size), table, &arena, &decoded, NULL),
                         STATUS_CORRUPT);
        free(copy);
        arena_reset(&arena);
    }
    uint64_t random = 88172645463325252ull;
    for (int i = 0; i < 30000; i++) {
        uint8_t *copy = malloc(whole.size);
        memcpy(copy, whole.data, whole.size);
        for (int flips = 0; flips < 3; flips++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            copy[random % whole.size] = (uint8_t)(random >> 40);
        }
        enum status status =
            mutation_decode(slice_make(copy, whole.size), table, &arena, &decoded, NULL);
        if (status == STATUS_OK) { // What decodes can be encoded.
            struct buffer again;
            buffer_init(&again, 1 << 20);
            mutation_encode(&decoded, &again);
            buffer_deinit(&again);
        }
        free(copy);
        arena_reset(&arena);
    }
}
END_TEST

int main(void)
{
    TCase *mutations = tcase_create("mutation");
    tcase_add_checked_fixture(mutations, setup, teardown);
    tcase_set_timeout(mutations, 60);
    tcase_add_test(mutations, what_was_encoded_is_decoded);
    tcase_add_test(mutations, cells_of_dropped_columns_are_left_out_and_others_keep_their_place);
    tcase_add_test(mutations, no_bytes_break_the_decoder);
    Suite *suite = suite_create("mutation");
    suite_add_tcase(suite, mutations);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
