// Types against the 45 of Cassandra's header (types.tsv), and what parsing must refuse.
#include "storage/schema/type.h"

#include "tests/storage/support/vectors.h"

#include <check.h>
#include <stdlib.h>

static struct vectors vectors;

START_TEST(header_texts_are_cassandras)
{
    vectors_open_golden(&vectors, "types.tsv");
    struct buffer text;
    buffer_init(&text, 65536);
    while (vectors_next(&vectors)) {
        struct slice java = slice_of_text(vectors.fields[3]);
        const struct type *type;
        bool reversed;
        struct error error;
        enum status status = type_parse_java(&vectors.arena, java, &type, &reversed, &error);
        ck_assert_msg(status == STATUS_OK, "line %d: %s", vectors.line, error.text);
        buffer_clear(&text);
        type_put_java(type, reversed, &text);
        ck_assert_msg(slice_equals(buffer_slice(&text), java), "line %d: %.*s", vectors.line,
                      (int)text.size, (const char *)text.data);
        const struct type *copy = type_copy(&vectors.arena, type);
        ck_assert(type_equals(copy, type));
        if (vectors.fields[1][0] == '-' && vectors.fields[1][1] == '\0') continue;
        int fixed = atoi(vectors.fields[1]);
        ck_assert_int_eq((int)type_fixed_size(type), fixed < 0 ? 0 : fixed);
        if (vectors.fields[2][0] != '-')
            ck_assert_int_eq(type_is_multi_cell(type), strcmp(vectors.fields[2], "true") == 0);
    }
    buffer_deinit(&text);
    vectors_close(&vectors);
}
END_TEST

static const char *const malformed[] = {
    "",
    " ",
    "(",
    ")",
    "ListType",
    "ListType(",
    "ListType()",
    "ListType(Int32Type",
    "ListType(Int32Type,Int32Type)",
    "MapType(Int32Type)",
    "MapType(Int32Type,)",
    "Int32Type x",
    "Int32Type,Int32Type",
    "VectorType(Int32Type)",
    "VectorType(Int32Type , 0)",
    "VectorType(Int32Type , 65536)",
    "VectorType(Int32Type , 99999999999999)",
    "VectorType(Int32Type , x)",
    "ReversedType",
    "ReversedType(Int32Type",
    "ReversedType()",
    "FrozenType",
    "FrozenType()",
    "UserType(ks)",
    "UserType(ks,6)",
    "UserType(ks,xy)",
    "UserType(ks,61,62)",
    "UserType(ks,61,62:)",
    "UserType(ks,61,62:Int32Type",
    "Foo(",
    "Foo((a)",
};

START_TEST(malformed_texts_are_refused)
{
    struct arena arena;
    arena_init(&arena, 4096);
    const struct type *type = NULL;
    bool reversed;
    struct error error;
    enum status status =
        type_parse_java(&arena, slice_of_text(malformed[_i]), &type, &reversed, &error);
    ck_assert_int_eq(status, STATUS_MALFORMED);
    ck_assert_ptr_null(type);
    ck_assert_uint_gt(strlen(error.text), 0);
    arena_deinit(&arena);
}
END_TEST

START_TEST(nesting_has_a_limit)
{
    struct arena arena;
    arena_init(&arena, 4096);
    for (int depth = TYPE_DEPTH_MAX - 2; depth <= TYPE_DEPTH_MAX + 2; depth++) {
        const char *text = "Int32Type";
        for (int i = 1; i < depth; i++)
            text = arena_format(&arena, "ListType(%s)", text);
        const struct type *type;
        bool reversed;
        enum status status = type_parse_java(&arena, slice_of_text(text), &type, &reversed, NULL);
        ck_assert_int_eq(status, depth <= TYPE_DEPTH_MAX ? STATUS_OK : STATUS_MALFORMED);
    }
    arena_deinit(&arena);
}
END_TEST

START_TEST(a_frozen_type_is_frozen_all_through)
{
    struct arena arena;
    arena_init(&arena, 4096);
    const struct type *list = type_make_list(&arena, type_of_kind(TYPE_INT), false);
    ck_assert(type_is_multi_cell(list));
    const struct type *set = type_make_set(&arena, list, true);
    ck_assert(!type_is_multi_cell(set));
    ck_assert(!type_is_multi_cell(set->parameters[0]));
    ck_assert(type_equals(type_freeze(&arena, type_make_set(&arena, list, false)), set));
    ck_assert_ptr_eq(type_freeze(&arena, set), set);
    ck_assert_ptr_eq(type_freeze(&arena, type_of_kind(TYPE_INT)), type_of_kind(TYPE_INT));
    ck_assert(type_contains_kind(set, TYPE_INT));
    ck_assert(!type_contains_kind(set, TYPE_TEXT));
    ck_assert(!type_equals(list, set->parameters[0]));
    arena_deinit(&arena);
}
END_TEST

int main(void)
{
    TCase *types = tcase_create("types");
    tcase_add_test(types, header_texts_are_cassandras);
    tcase_add_loop_test(types, malformed_texts_are_refused, 0,
                        sizeof malformed / sizeof malformed[0]);
    tcase_add_test(types, nesting_has_a_limit);
    tcase_add_test(types, a_frozen_type_is_frozen_all_through);

    Suite *suite = suite_create("type");
    suite_add_tcase(suite, types);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
