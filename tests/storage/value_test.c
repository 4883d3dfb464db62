// Texts, bytes, orders and validity of values against what Cassandra's own classes said of them
// (tests/golden/values), and what of it must hold for any bytes.
#include "storage/value.h"

#include "tests/storage/support/vectors.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct vectors vectors;
static struct buffer text;

static void open_golden(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "tests/golden/values/%s", name);
    vectors_open(&vectors, path);
    buffer_init(&text, 1 << 20);
}

static void close_golden(void)
{
    buffer_deinit(&text);
    vectors_close(&vectors);
}

static const struct type *parse_type(const char *java)
{
    const struct type *type;
    bool reversed;
    struct error error;
    enum status status =
        type_parse_java(&vectors.arena, slice_of_text(java), &type, &reversed, &error);
    ck_assert_msg(status == STATUS_OK, "line %d: %s", vectors.line, error.text);
    return type;
}

// The text of "!SomeException: text".
static const char *exception_text(const char *field)
{
    const char *colon = strstr(field, ": ");
    ck_assert_ptr_nonnull(colon);
    return colon + 2;
}

static void check_text(const char *what, const char *expected)
{
    struct slice wanted = vectors_text(&vectors, expected);
    struct slice got = buffer_slice(&text);
    ck_assert_msg(slice_equals(wanted, got), "line %d, %s: %.*s instead of %.*s", vectors.line,
                  what, (int)got.size, (const char *)got.data, (int)wanted.size,
                  (const char *)wanted.data);
    buffer_clear(&text);
}

START_TEST(texts_are_read_as_cassandra_reads_them)
{
    open_golden("from_text.tsv");
    while (vectors_next(&vectors)) {
        const struct type *type = parse_type(vectors.fields[1]);
        struct slice value = slice_null();
        struct error error = {.status = STATUS_OK, .text = ""};
        struct slice source = vectors_text(&vectors, vectors.fields[2]);
        enum status status = value_from_text(type, source, &vectors.arena, &value, &error);
        const char *expected = vectors.fields[3];
        bool differs = vectors.fields[0][0] == 'D';
        if (differs || expected[0] == '!') {
            ck_assert_msg(status == STATUS_INVALID, "line %d: '%s' is taken", vectors.line,
                          vectors.fields[2]);
            ck_assert(slice_is_null(value));
            if (!differs) ck_assert_str_eq(error.text, exception_text(expected));
            continue;
        }
        ck_assert_msg(status == STATUS_OK, "line %d: %s", vectors.line, error.text);
        ck_assert_msg(strcmp(vectors_to_hex(&vectors, value), expected) == 0,
                      "line %d: '%s' is %s instead of %s", vectors.line, vectors.fields[2],
                      vectors_to_hex(&vectors, value), expected);
    }
    close_golden();
}
END_TEST

START_TEST(values_are_judged_and_written_as_cassandra_does)
{
    open_golden("values.tsv");
    while (vectors_next(&vectors)) {
        const struct type *type = parse_type(vectors.fields[1]);
        struct slice value = vectors_hex(&vectors, vectors.fields[2]);
        const char *validity = vectors.fields[3], *cql = vectors.fields[5];
        const char *json = vectors.fields[6], *cast = vectors.fields[7];
        struct error error = {.status = STATUS_OK, .text = ""};
        enum status status = type_validate(type, value, &error);
        if (validity[0] == '!') {
            ck_assert_msg(status == STATUS_INVALID, "line %d is taken", vectors.line);
            ck_assert_str_eq(error.text, exception_text(validity));
        } else {
            ck_assert_msg(status == STATUS_OK, "line %d: %s", vectors.line, error.text);
        }
        // Something is written for invalid values too, but Cassandra has nothing to compare with.
        bool compare = status == STATUS_OK && cql[0] != '!' && vectors.fields[0][0] == 'V';
        value_put_cql(type, value, &text);
        if (compare) check_text("CQL", cql);
        buffer_clear(&text);
        value_put_json(type, value, &text);
        if (compare && json[0] != '!') check_text("JSON", json);
        buffer_clear(&text);
        value_put_cast(type, value, &text);
        if (compare && cast[0] != '!' && type->parameter_count == 0) check_text("cast", cast);
        buffer_clear(&text);
    }
    close_golden();
}
END_TEST

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

START_TEST(values_are_ordered_as_cassandra_orders_them)
{
    open_golden("order.tsv");
    while (vectors_next(&vectors)) {
        const struct type *type = parse_type(vectors.fields[1]);
        struct slice a = vectors_hex(&vectors, vectors.fields[2]);
        struct slice b = vectors_hex(&vectors, vectors.fields[3]);
        int order = type_compare(type, a, b);
        ck_assert_int_eq(sign(order), -sign(type_compare(type, b, a)));
        if (vectors.fields[4][0] == '!') continue; // Cassandra throws.
        ck_assert_msg(sign(order) == atoi(vectors.fields[4]), "line %d: %d", vectors.line, order);
    }
    close_golden();
}
END_TEST

START_TEST(types_have_the_texts_that_cassandra_gives_them)
{
    open_golden("types.tsv");
    while (vectors_next(&vectors)) {
        struct slice java = slice_of_text(vectors.fields[1]);
        const struct type *type;
        bool reversed;
        struct error error;
        enum status status = type_parse_java(&vectors.arena, java, &type, &reversed, &error);
        if (vectors.fields[2][0] == '!') {
            // A class that is not there may be one of an old file: it is kept as a text.
            if (status == STATUS_OK) ck_assert_int_eq(type->kind, TYPE_CUSTOM);
            continue;
        }
        ck_assert_msg(status == STATUS_OK, "line %d: %s", vectors.line, error.text);
        if (type->kind == TYPE_CUSTOM) continue;
        type_put_java(type, reversed, &text);
        check_text("Java", vectors.fields[2]);
        type_put_cql(type, &text);
        check_text("CQL", vectors.fields[3]);
        int fixed = atoi(vectors.fields[4]);
        ck_assert_int_eq((int)type_fixed_size(type), fixed < 0 ? 0 : fixed);
        ck_assert_str_eq(type_is_multi_cell(type) ? "true" : "false", vectors.fields[5]);
    }
    close_golden();
}
END_TEST

// Values of all sizes, made of the bytes that sit at the edges.
static size_t make_edge_values(struct slice *values, size_t count_max)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t count = 0;
    for (size_t size = 0; size <= 18; size += size < 6 || size > 15 ? 1 : 3) {
        for (size_t pattern = 0; pattern < 25 && count < count_max; pattern++) {
            uint8_t *bytes = arena_alloc(&vectors.arena, size + 1);
            for (size_t i = 0; i < size; i++)
                bytes[i] = edges[(i % 2 == 0 ? pattern : pattern / 5) % 5];
            values[count++] = slice_make(bytes, size);
            if (size == 0) break;
        }
    }
    return count;
}

static const char *const ordered_types[] = {
    "Int32Type",
    "LongType",
    "ShortType",
    "ByteType",
    "BooleanType",
    "FloatType",
    "DoubleType",
    "IntegerType",
    "DecimalType",
    "UUIDType",
    "TimeUUIDType",
    "UTF8Type",
    "DurationType",
    "ListType(Int32Type)",
    "MapType(Int32Type,UTF8Type)",
    "TupleType(Int32Type,UTF8Type)",
    "VectorType(FloatType , 2)",
    "VectorType(UTF8Type , 2)",
};

// A sort that meets bytes of no value must still end: the order is antisymmetric and transitive.
START_TEST(orders_are_total_over_any_bytes)
{
    enum { VALUES_MAX = 512 };
    struct slice values[VALUES_MAX];
    open_golden("order.tsv");
    const struct type *type = parse_type(ordered_types[_i]);
    size_t count = make_edge_values(values, VALUES_MAX);
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < count; b++) {
            int a_to_b = sign(type_compare(type, values[a], values[b]));
            ck_assert_int_eq(a_to_b, -sign(type_compare(type, values[b], values[a])));
            if (a_to_b > 0) continue;
            for (size_t c = (a + b) % 29; c < count; c += 29)
                if (type_compare(type, values[b], values[c]) <= 0)
                    ck_assert_msg(type_compare(type, values[a], values[c]) <= 0, "%s: %s %s %s",
                                  ordered_types[_i], vectors_to_hex(&vectors, values[a]),
                                  vectors_to_hex(&vectors, values[b]),
                                  vectors_to_hex(&vectors, values[c]));
        }
    }
    close_golden();
}
END_TEST

START_TEST(now_is_what_the_caller_says)
{
    arena_init(&vectors.arena, 1024);
    struct slice value;
    struct error error;
    const struct type *timestamp = type_of_kind(TYPE_TIMESTAMP);
    struct slice now = slice_of_text("NOW");
    ck_assert_int_eq(value_from_text_at(timestamp, now, 258, &vectors.arena, &value, &error),
                     STATUS_OK);
    ck_assert_str_eq(vectors_to_hex(&vectors, value), "0000000000000102");
    ck_assert_int_eq(value_from_text(timestamp, now, &vectors.arena, &value, &error),
                     STATUS_INVALID);
    arena_deinit(&vectors.arena);
}
END_TEST

START_TEST(null_is_written_as_null)
{
    buffer_init(&text, 100);
    value_put_cql(type_of_kind(TYPE_TEXT), slice_null(), &text);
    value_put_json(type_of_kind(TYPE_TEXT), slice_null(), &text);
    value_put_cast(type_of_kind(TYPE_TEXT), slice_null(), &text);
    ck_assert(slice_equals(buffer_slice(&text), slice_of_text("nullnullnull")));
    buffer_deinit(&text);
}
END_TEST

int main(void)
{
    TCase *golden = tcase_create("golden");
    tcase_add_test(golden, texts_are_read_as_cassandra_reads_them);
    tcase_add_test(golden, values_are_judged_and_written_as_cassandra_does);
    tcase_add_test(golden, values_are_ordered_as_cassandra_orders_them);
    tcase_add_test(golden, types_have_the_texts_that_cassandra_gives_them);

    TCase *rules = tcase_create("rules");
    tcase_set_timeout(rules, 60);
    tcase_add_loop_test(rules, orders_are_total_over_any_bytes, 0,
                        sizeof ordered_types / sizeof ordered_types[0]);
    tcase_add_test(rules, now_is_what_the_caller_says);
    tcase_add_test(rules, null_is_written_as_null);

    Suite *suite = suite_create("value");
    suite_add_tcase(suite, golden);
    suite_add_tcase(suite, rules);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
