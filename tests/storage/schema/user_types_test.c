// The user-defined types of keyspaces: catalogues, what holds a type that changes, and their bytes.
#include "storage/schema/user_types.h"

#include "storage/schema/schema.h"
#include "storage/schema/schema_codec.h"
#include "storage/schema/schema_text.h"

#include <check.h>
#include <stdlib.h>

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    arena_deinit(&arena);
}

static const struct type *make(const char *name, const char *const *fields,
                               const struct type *const *types, uint16_t count)
{
    struct slice *names = ARENA_NEW_ARRAY(&arena, struct slice, count);
    for (uint16_t i = 0; i < count; i++)
        names[i] = slice_of_text(fields[i]);
    return type_make_udt(&arena, slice_of_text("ks"), slice_of_text(name), names, types, count,
                         false);
}

static const struct type *make_point(uint16_t count)
{
    static const char *const fields[] = {"x", "y", "z"};
    const struct type *const types[] = {type_of_kind(TYPE_INT), type_of_kind(TYPE_INT),
                                        type_of_kind(TYPE_TEXT)};
    return make("point", fields, types, count);
}

// { from frozen<point>, all list<frozen<point>>, both tuple<point, int> }
static const struct type *make_line(const struct type *point)
{
    static const char *const fields[] = {"from", "all", "both"};
    const struct type *frozen = type_freeze(&arena, point);
    const struct type *const pair[] = {frozen, type_of_kind(TYPE_INT)};
    const struct type *const types[] = {frozen, type_make_list(&arena, frozen, false),
                                        type_make_tuple(&arena, pair, 2)};
    return make("line", fields, types, 3);
}

static const struct type *make_area(const struct type *line)
{
    static const char *const fields[] = {"edge"};
    const struct type *const types[] = {type_freeze(&arena, line)};
    return make("area", fields, types, 1);
}

static struct user_types make_all(void)
{
    struct user_types types = {NULL, 0};
    const struct type *point = make_point(2), *line = make_line(point);
    types = user_types_put(&arena, &types, point);
    types = user_types_put(&arena, &types, line);
    return user_types_put(&arena, &types, make_area(line));
}

static const char *cql(const struct type *type)
{
    struct buffer text;
    buffer_init(&text, 1u << 20);
    schema_text_put_type(type, &text);
    char *copy = arena_format(&arena, "%.*s", (int)text.size, (const char *)text.data);
    buffer_deinit(&text);
    return copy;
}

static struct slice name_of(const char *text)
{
    return slice_of_text(text);
}

START_TEST(names_lead_to_types)
{
    struct user_types types = make_all();
    ck_assert_uint_eq(types.count, 3);
    for (size_t i = 1; i < types.count; i++)
        ck_assert_int_lt(slice_compare(types.items[i - 1]->name, types.items[i]->name), 0);
    const struct type *line = user_types_find(&types, name_of("line"));
    ck_assert_str_eq(cql(line), "CREATE TYPE ks.line (\n    \"from\" frozen<point>,\n"
                                "    all list<frozen<point>>,\n"
                                "    both frozen<tuple<frozen<point>, int>>\n);");
    ck_assert_int_eq(user_types_field(line, name_of("both")), 2);
    ck_assert_int_eq(user_types_field(line, name_of("x")), -1);
    ck_assert_ptr_null(user_types_find(&types, name_of("")));
    ck_assert_ptr_null(user_types_find(&types, name_of("pointy")));
    struct user_types fewer = user_types_remove(&arena, &types, name_of("area"));
    ck_assert_uint_eq(fewer.count, 2);
    ck_assert(!user_types_equal(&types, &fewer));
    ck_assert_ptr_null(user_types_find(&fewer, name_of("area")));
    fewer = user_types_remove(&arena, &fewer, name_of("area"));
    ck_assert_uint_eq(fewer.count, 2);
}
END_TEST

START_TEST(what_holds_a_type_changes_with_it)
{
    struct user_types types = make_all();
    const struct type *area = user_types_find(&types, name_of("area"));
    ck_assert(user_types_refers(area, name_of("point")));
    ck_assert(!user_types_refers(make_point(2), name_of("line")));

    const struct type *point = make_point(3);
    struct user_types changed = user_types_put(&arena, &types, point);
    ck_assert_uint_eq(changed.count, 3);
    const struct type *line = user_types_find(&changed, name_of("line"));
    ck_assert(type_equals(line, make_line(point)));
    ck_assert(type_equals(user_types_find(&changed, name_of("area")), make_area(line)));
    ck_assert(
        type_equals(user_types_find(&types, name_of("area")), make_area(make_line(make_point(2)))));

    // As a column has it.
    const struct type *column = type_make_map(&arena, type_of_kind(TYPE_INT), area, true);
    const struct type *resolved = user_types_resolve(&arena, &changed, column);
    ck_assert(type_equals(resolved->parameters[1], type_freeze(&arena, make_area(line))));
    ck_assert_ptr_eq(user_types_resolve(&arena, &types, column), column);
    ck_assert_ptr_eq(user_types_resolve(&arena, &changed, type_of_kind(TYPE_INT)),
                     type_of_kind(TYPE_INT));
}
END_TEST

START_TEST(tuples_stand_for_types)
{
    const struct type *column = type_make_list(&arena, make_line(make_point(2)), true);
    const struct type *expanded = user_types_expand(&arena, column);
    struct buffer text;
    buffer_init(&text, 4096);
    type_put_cql(expanded, &text);
    ck_assert(slice_equals(buffer_slice(&text),
                           slice_of_text("frozen<list<frozen<tuple<frozen<tuple<int, int>>, "
                                         "frozen<list<frozen<tuple<int, int>>>>, "
                                         "frozen<tuple<frozen<tuple<int, int>>, int>>>>>>")));
    buffer_deinit(&text);
}
END_TEST

START_TEST(each_comes_after_what_it_holds)
{
    struct user_types types = make_all();
    const size_t *order = user_types_order(&arena, &types);
    static const char *const expected[] = {"point", "line", "area"};
    for (size_t i = 0; i < 3; i++)
        ck_assert(slice_equals(types.items[order[i]]->name, name_of(expected[i])));
}
END_TEST

// ---- In keyspaces
// ---------------------------------------------------------------------------------

static const struct keyspace *make_keyspace(const struct user_types *types)
{
    struct option option = {slice_of_text("class"), slice_of_text("SimpleStrategy")};
    struct options replication = {&option, 1};
    return keyspace_make_with_types(slice_of_text("ks"), &replication, true, false, types);
}

static struct slice bytes_of(const struct keyspace *keyspace)
{
    struct buffer bytes;
    buffer_init(&bytes, 1u << 20);
    schema_codec_put_keyspace(&bytes, keyspace);
    struct slice copy = arena_copy(&arena, buffer_slice(&bytes));
    buffer_deinit(&bytes);
    return copy;
}

START_TEST(bytes_give_the_same_types_back)
{
    struct user_types types = make_all(), none = {NULL, 0};
    const struct keyspace *keyspace = make_keyspace(&types), *read, *plain = make_keyspace(&none);
    struct slice bytes = bytes_of(keyspace);
    struct cursor cursor = cursor_make(bytes);
    ck_assert_int_eq(schema_codec_get_keyspace(&cursor, &read, NULL), STATUS_OK);
    ck_assert_uint_eq(cursor_left(&cursor), 0);
    ck_assert(user_types_equal(&read->types, &types));
    keyspace_unref(read);
    // One without types has the bytes that it had before there were any.
    ck_assert_uint_eq(bytes_of(plain).data[0], 1);
    ck_assert_uint_eq(bytes.data[0], 2);
    for (size_t size = 0; size < bytes.size; size++) {
        struct error error;
        cursor = cursor_make(slice_make(bytes.data, size));
        ck_assert_int_eq(schema_codec_get_keyspace(&cursor, &read, &error), STATUS_CORRUPT);
    }
    keyspace_unref(keyspace);
    keyspace_unref(plain);
}
END_TEST

static const struct table *make_table(const char *name, const struct type *type)
{
    struct uuid id = {.bytes = {[15] = (uint8_t)name[0]}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text(name), id);
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_INT),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("v"), type, COLUMN_REGULAR, false);
    return table_builder_finish(builder);
}

START_TEST(tables_change_with_their_keyspaces_types)
{
    struct user_types types = make_all();
    const struct type *area = user_types_find(&types, name_of("area"));
    struct schema *schema = schema_create();
    const struct keyspace *keyspace = make_keyspace(&types);
    const struct table *with = make_table("with", area);
    const struct table *without = make_table("plain", type_of_kind(TYPE_INT));
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    ck_assert_int_eq(schema_put_table(schema, with), STATUS_OK);
    ck_assert_int_eq(schema_put_table(schema, without), STATUS_OK);
    struct uuid before = schema_version(schema);

    struct user_types changed = user_types_put(&arena, &types, make_point(3));
    const struct keyspace *other = make_keyspace(&changed);
    ck_assert_int_eq(schema_put_keyspace(schema, other), STATUS_OK);
    const struct table *now = schema_find_table(schema, name_of("ks"), name_of("with"));
    ck_assert_ptr_ne(now, with);
    ck_assert(uuid_equals(now->id, with->id));
    ck_assert_ptr_eq(schema_find_table_by_id(schema, with->id), now);
    ck_assert(type_equals(table_find_column(now, name_of("v"))->type,
                          user_types_find(&changed, name_of("area"))));
    ck_assert_ptr_eq(schema_find_table(schema, name_of("ks"), name_of("plain")), without);
    struct uuid after = schema_version(schema);
    ck_assert(!uuid_equals(after, before));

    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    struct uuid again = schema_version(schema);
    ck_assert(uuid_equals(again, before));
    keyspace_unref(keyspace);
    keyspace_unref(other);
    table_unref(with);
    table_unref(without);
    schema_destroy(schema);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("user_types");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, names_lead_to_types);
    tcase_add_test(tests, what_holds_a_type_changes_with_it);
    tcase_add_test(tests, tuples_stand_for_types);
    tcase_add_test(tests, each_comes_after_what_it_holds);
    tcase_add_test(tests, bytes_give_the_same_types_back);
    tcase_add_test(tests, tables_change_with_their_keyspaces_types);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
