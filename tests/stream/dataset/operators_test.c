// Operators in graphs made by hand: what reaches a collecting dataset at the
// end, batch after batch. What scripts make of them is in lua_job_test.c.
#include "stream/dataset/operators.h"

#include "base/container_of.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEEN_MAX = 64, TEXT_SIZE = 64 };

// The end of a graph: the texts of the records that came.
struct collector {
    struct dataset dataset;
    char seen[SEEN_MAX][TEXT_SIZE];
    size_t count;
};

static enum status collector_process(struct dataset *dataset, const struct record *record)
{
    struct collector *collector = CONTAINER_OF(dataset, struct collector, dataset);
    struct value whole = value_tuple(record->values, record->count);
    struct buffer text;
    buffer_init(&text, TEXT_SIZE);
    value_put_text(&text, record->count == 1 ? &record->values[0] : &whole);
    ck_assert_uint_lt(collector->count, SEEN_MAX);
    (void)snprintf(collector->seen[collector->count++], TEXT_SIZE, "%.*s", (int)text.size,
                   (const char *)text.data);
    buffer_deinit(&text);
    return STATUS_OK;
}

static void collector_destroy(struct dataset *dataset)
{
    (void)dataset; // Static.
}

static struct dataset_graph graph;
static struct dataset *source;
static struct collector collector;
static struct error error;

static void setup(void)
{
    dataset_graph_init(&graph);
    ck_assert_int_eq(operators_source(&graph, &source, &error), STATUS_OK);
}

static void teardown(void)
{
    dataset_graph_deinit(&graph);
}

static void collect(struct dataset *parent)
{
    static const struct dataset_ops ops = {"collect", collector_process, NULL, NULL,
                                           collector_destroy};
    collector = (struct collector){.dataset.ops = &ops};
    ck_assert_int_eq(dataset_add(&collector.dataset, &graph, parent, &error), STATUS_OK);
}

static enum status emit(const struct value *values, size_t count)
{
    return dataset_emit(source, &(struct record){values, count});
}

static enum status emit_pair(const char *key, int64_t number)
{
    struct value pair[2] = {value_text(slice_of_text(key)), value_integer(number)};
    return emit(pair, 2);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

// The records that came, in the order of their texts; then it is empty again.
static const char *seen(void)
{
    static char all[SEEN_MAX * TEXT_SIZE];
    qsort(collector.seen, collector.count, TEXT_SIZE, compare_texts);
    all[0] = '\0';
    for (size_t i = 0; i < collector.count; i++) {
        if (i > 0) strcat(all, " ");
        strcat(all, collector.seen[i]);
    }
    collector.count = 0;
    return all;
}

START_TEST(reduce_by_key_adds_the_values_of_each_key)
{
    struct dataset *sums;
    ck_assert_int_eq(operators_reduce_by_key(source, NULL, &sums, &error), STATUS_OK);
    collect(sums);
    dataset_graph_begin(&graph, 1, 0);
    ck_assert_int_eq(emit_pair("b", 1), STATUS_OK);
    ck_assert_int_eq(emit_pair("a", 2), STATUS_OK);
    ck_assert_int_eq(emit_pair("b", -3), STATUS_OK);
    ck_assert_uint_eq(collector.count,
                      0); // Nothing comes before the batch's end.
    ck_assert_int_eq(dataset_graph_finish(&graph), STATUS_OK);
    ck_assert_str_eq(seen(), "(a,2) (b,-2)");
}
END_TEST

START_TEST(a_batch_leaves_nothing_to_the_next)
{
    struct dataset *sums;
    ck_assert_int_eq(operators_reduce_by_key(source, NULL, &sums, &error), STATUS_OK);
    collect(sums);
    dataset_graph_begin(&graph, 1, 0);
    ck_assert_int_eq(emit_pair("a", 1), STATUS_OK);
    ck_assert_int_eq(dataset_graph_finish(&graph), STATUS_OK);
    ck_assert_str_eq(seen(), "(a,1)");
    dataset_graph_begin(&graph, 2, 0); // Empty.
    ck_assert_int_eq(dataset_graph_finish(&graph), STATUS_OK);
    ck_assert_str_eq(seen(), "");
    dataset_graph_begin(&graph, 3, 0); // Never finished: a fault elsewhere.
    ck_assert_int_eq(emit_pair("a", 5), STATUS_OK);
    dataset_graph_begin(&graph, 4, 0);
    ck_assert_int_eq(emit_pair("a", 7), STATUS_OK);
    ck_assert_int_eq(dataset_graph_finish(&graph), STATUS_OK);
    ck_assert_str_eq(seen(), "(a,7)");
}
END_TEST

START_TEST(count_by_value_counts_records_of_any_shape)
{
    struct dataset *counts;
    ck_assert_int_eq(operators_count_by_value(source, &counts, &error), STATUS_OK);
    collect(counts);
    dataset_graph_begin(&graph, 1, 0);
    struct value word = value_text(slice_of_text("x"));
    ck_assert_int_eq(emit(&word, 1), STATUS_OK);
    ck_assert_int_eq(emit(&word, 1), STATUS_OK);
    ck_assert_int_eq(emit_pair("x", 1), STATUS_OK);
    ck_assert_int_eq(dataset_graph_finish(&graph), STATUS_OK);
    ck_assert_str_eq(seen(), "((x,1),1) (x,2)");
}
END_TEST

START_TEST(keys_are_equal_when_their_values_are)
{
    struct dataset *sums;
    ck_assert_int_eq(operators_reduce_by_key(source, NULL, &sums, &error), STATUS_OK);
    collect(sums);
    dataset_graph_begin(&graph, 1, 0);
    const struct value keys[] = {value_integer(1), value_number(1.0), value_number(1.5),
                                 value_text(slice_of_text("1")), value_boolean(true)};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct value pair[2] = {keys[i], value_integer(1)};
        ck_assert_int_eq(emit(pair, 2), STATUS_OK);
    }
    ck_assert_int_eq(dataset_graph_finish(&graph), STATUS_OK);
    ck_assert_uint_eq(collector.count,
                      4); // 1 and 1.0 are one; 1.5, "1" and true are others.
}
END_TEST

START_TEST(reduce_by_key_wants_pairs_of_a_key_and_a_number)
{
    struct dataset *sums;
    ck_assert_int_eq(operators_reduce_by_key(source, NULL, &sums, &error), STATUS_OK);
    collect(sums);
    dataset_graph_begin(&graph, 1, 0);
    struct value texts[3] = {value_text(slice_of_text("a")), value_text(slice_of_text("b")),
                             value_text(slice_of_text("c"))};
    ck_assert_int_eq(emit(texts, 3), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(graph.task.error.text, "reduceByKey: needs pairs"));
    dataset_graph_begin(&graph, 2, 0);
    ck_assert_int_eq(emit(texts, 2),
                     STATUS_OK); // The first value of a key may be anything.
    ck_assert_int_eq(emit(texts, 2), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(graph.task.error.text, "reduceByKey: add of text and text"));
}
END_TEST

// ---- Functions ----------------------------------------------------------------------------------

// Emits the record once for each unit of its second value, which becomes 1.
static enum status repeat(struct function *function, struct dataset *at,
                          const struct record *record)
{
    (void)function;
    struct value pair[2] = {record->values[0], value_integer(1)};
    for (int64_t i = 0; i < record->values[1].integer; i++) {
        enum status status = dataset_emit(at, &(struct record){pair, 2});
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static enum status is_even(struct function *function, struct dataset *at,
                           const struct record *record, bool *keep)
{
    (void)function;
    *keep = record->values[1].integer % 2 == 0;
    return at == NULL ? STATUS_INVALID : STATUS_OK;
}

static enum status larger(struct function *function, struct dataset *at, const struct value *a,
                          const struct value *b, struct value *result)
{
    (void)function;
    *result = a->integer > b->integer ? *a : *b;
    return at == NULL ? STATUS_INVALID : STATUS_OK;
}

static enum status count_records(struct function *function, struct dataset *at,
                                 struct slice records, size_t count)
{
    (void)function;
    struct cursor cursor = cursor_make(records);
    struct record record;
    size_t taken = 0;
    while (dataset_take_record(&cursor, &dataset_task(at)->arena, &record))
        taken++;
    ck_assert_uint_eq(taken, count);
    struct value number = value_integer((int64_t)count);
    return collector_process(&collector.dataset, &(struct record){&number, 1});
}

static struct function *make_function(const struct function_ops *ops)
{
    struct function *function = calloc(1, sizeof *function);
    ck_assert_ptr_nonnull(function);
    function->ops = ops;
    dataset_graph_own(&graph, function);
    return function;
}

START_TEST(a_function_emits_none_or_many)
{
    static const struct function_ops repeats = {.apply = repeat};
    struct dataset *made;
    ck_assert_int_eq(operators_apply(source, make_function(&repeats), &made, &error), STATUS_OK);
    collect(made);
    dataset_graph_begin(&graph, 1, 0);
    ck_assert_int_eq(emit_pair("none", 0), STATUS_OK);
    ck_assert_int_eq(emit_pair("two", 2), STATUS_OK);
    ck_assert_str_eq(seen(), "(two,1) (two,1)"); // At once: a map holds nothing.
}
END_TEST

START_TEST(a_filter_keeps_what_its_function_says)
{
    static const struct function_ops evens = {.test = is_even};
    struct dataset *made;
    ck_assert_int_eq(operators_filter(source, make_function(&evens), &made, &error), STATUS_OK);
    collect(made);
    dataset_graph_begin(&graph, 1, 0);
    for (int64_t i = 0; i < 5; i++)
        ck_assert_int_eq(emit_pair("n", i), STATUS_OK);
    ck_assert_str_eq(seen(), "(n,0) (n,2) (n,4)");
}
END_TEST

START_TEST(reduce_by_key_calls_its_function_as_often_as_it_takes)
{
    static const struct function_ops maximum = {.reduce = larger};
    struct dataset *made;
    ck_assert_int_eq(operators_reduce_by_key(source, make_function(&maximum), &made, &error),
                     STATUS_OK);
    collect(made);
    dataset_graph_begin(&graph, 1, 0);
    // Enough for the arena of its values to be compacted.
    for (int64_t i = 0; i < 20000; i++)
        ck_assert_int_eq(emit_pair(i % 2 == 0 ? "even" : "odd", i), STATUS_OK);
    ck_assert_int_eq(dataset_graph_finish(&graph), STATUS_OK);
    ck_assert_str_eq(seen(), "(even,19998) (odd,19999)");
}
END_TEST

START_TEST(for_each_sees_every_batch_also_an_empty_one)
{
    static const struct function_ops counts = {.consume = count_records};
    struct dataset *made;
    ck_assert_int_eq(operators_for_each(source, make_function(&counts), &made, &error), STATUS_OK);
    for (int64_t batch = 0; batch < 3; batch++) {
        dataset_graph_begin(&graph, (uint64_t)batch + 1, 0);
        for (int64_t i = 0; i < batch; i++)
            ck_assert_int_eq(emit_pair("n", i), STATUS_OK);
        ck_assert_int_eq(dataset_graph_finish(&graph), STATUS_OK);
    }
    ck_assert_str_eq(seen(), "0 1 2");
}
END_TEST

// ---- Graphs -------------------------------------------------------------------------------------

START_TEST(one_stream_feeds_several_and_reduces_may_follow_each_other)
{
    static const struct function_ops repeats = {.apply = repeat};
    struct dataset *sums, *repeated, *again;
    ck_assert_int_eq(operators_reduce_by_key(source, NULL, &sums, &error), STATUS_OK);
    ck_assert_int_eq(operators_apply(sums, make_function(&repeats), &repeated, &error), STATUS_OK);
    ck_assert_int_eq(operators_reduce_by_key(repeated, NULL, &again, &error), STATUS_OK);
    collect(again);
    struct dataset *other;
    ck_assert_int_eq(operators_count_by_value(source, &other, &error), STATUS_OK);
    collector.dataset.parent = NULL; // The same collector ends both branches.
    other->children[other->child_count++] = &collector.dataset;
    dataset_graph_begin(&graph, 1, 0);
    ck_assert_int_eq(emit_pair("a", 2), STATUS_OK);
    ck_assert_int_eq(emit_pair("a", 1), STATUS_OK);
    ck_assert_int_eq(dataset_graph_finish(&graph), STATUS_OK);
    ck_assert_str_eq(seen(), "((a,1),1) ((a,2),1) (a,3)");
}
END_TEST

START_TEST(a_stream_has_a_maximum_of_operators)
{
    struct dataset *made;
    for (size_t i = 0; i < DATASET_CHILDREN_MAX; i++)
        ck_assert_int_eq(operators_count_by_value(source, &made, &error), STATUS_OK);
    ck_assert_int_eq(operators_count_by_value(source, &made, &error), STATUS_OVERLOADED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operators");
    TCase *tests = tcase_create("operators");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, reduce_by_key_adds_the_values_of_each_key);
    tcase_add_test(tests, a_batch_leaves_nothing_to_the_next);
    tcase_add_test(tests, count_by_value_counts_records_of_any_shape);
    tcase_add_test(tests, keys_are_equal_when_their_values_are);
    tcase_add_test(tests, reduce_by_key_wants_pairs_of_a_key_and_a_number);
    tcase_add_test(tests, a_function_emits_none_or_many);
    tcase_add_test(tests, a_filter_keeps_what_its_function_says);
    tcase_add_test(tests, reduce_by_key_calls_its_function_as_often_as_it_takes);
    tcase_add_test(tests, for_each_sees_every_batch_also_an_empty_one);
    tcase_add_test(tests, one_stream_feeds_several_and_reduces_may_follow_each_other);
    tcase_add_test(tests, a_stream_has_a_maximum_of_operators);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
