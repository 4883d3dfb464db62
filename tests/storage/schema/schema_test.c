// Tables, the map of names, its version, and their bytes.
#include "storage/schema/schema.h"

#include "base/limits.h"
#include "storage/schema/options.h"
#include "storage/schema/schema_codec.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct uuid id_of(unsigned number)
{
    return (struct uuid){.bytes = {[14] = (uint8_t)(number >> 8), [15] = (uint8_t)number}};
}

static struct table_builder *begin(const char *keyspace, const char *name, unsigned id)
{
    struct table_builder *builder =
        table_builder_create(slice_of_text(keyspace), slice_of_text(name), id_of(id));
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_INT),
                             COLUMN_PARTITION_KEY, false);
    return builder;
}

static void add(struct table_builder *builder, const char *name, const struct type *type)
{
    table_builder_add_column(builder, slice_of_text(name), type, COLUMN_REGULAR, false);
}

// The order that 5.0.4 was seen to write (sstable-nb §2.9).
START_TEST(columns_stand_in_cassandras_order)
{
    static const char *const expected[] = {"été", "日", "A",  "abcdefg1", "abcdefg2",
                                           "b",   "és", "aa", "zz"};
    struct table_builder *builder = begin("ks", "t7", 1);
    const struct type *set =
        type_make_set(table_builder_arena(builder), type_of_kind(TYPE_INT), false);
    add(builder, "zz", set);
    add(builder, "b", type_of_kind(TYPE_INT));
    add(builder, "A", type_of_kind(TYPE_INT));
    add(builder, "és", set);
    add(builder, "abcdefg2", type_of_kind(TYPE_INT));
    add(builder, "日", type_of_kind(TYPE_INT));
    add(builder, "abcdefg1", type_of_kind(TYPE_INT));
    add(builder, "aa", set);
    add(builder, "été", type_of_kind(TYPE_INT));
    const struct table *table = table_builder_finish(builder);
    ck_assert_uint_eq(table->column_counts[COLUMN_REGULAR], 9);
    for (uint16_t i = 0; i < 9; i++) {
        const struct column *column = &table->columns[COLUMN_REGULAR][i];
        ck_assert(slice_equals(column->name, slice_of_text(expected[i])));
        ck_assert_uint_eq(column->index, i);
        ck_assert_ptr_eq(table_find_column(table, slice_of_text(expected[i])), column);
    }
    ck_assert_ptr_eq(table_find_column(table, slice_of_text("k")),
                     &table->columns[COLUMN_PARTITION_KEY][0]);
    ck_assert_ptr_null(table_find_column(table, slice_of_text("c")));
    ck_assert_ptr_null(table_find_column(table, slice_of_text("")));
    ck_assert(table_has_multi_cell(table));
    table_unref(table);
}
END_TEST

START_TEST(a_counter_column_makes_a_counter_table)
{
    struct table_builder *builder = begin("ks", "c", 1);
    add(builder, "n", type_of_kind(TYPE_COUNTER));
    const struct table *table = table_builder_finish(builder);
    ck_assert(table->is_counter);
    ck_assert(!table_has_multi_cell(table));
    table_unref(table);
}
END_TEST

START_TEST(a_table_under_construction_can_be_given_up)
{
    struct table_builder *builder = begin("ks", "c", 1);
    add(builder, "n", type_of_kind(TYPE_COUNTER));
    table_builder_destroy(builder);
    table_builder_destroy(NULL);
    table_unref(NULL);
}
END_TEST

static const struct table *make_wide(void)
{
    struct table_builder *builder = begin("ks", "wide", 7);
    struct arena *arena = table_builder_arena(builder);
    const struct type *list = type_make_list(arena, type_of_kind(TYPE_TEXT), false);
    table_builder_add_column(builder, slice_of_text("c"), type_of_kind(TYPE_TEXT),
                             COLUMN_CLUSTERING, true);
    table_builder_add_column(builder, slice_of_text("s"), list, COLUMN_STATIC, false);
    add(builder, "v", type_of_kind(TYPE_DURATION));
    add(builder, "w", type_make_map(arena, type_of_kind(TYPE_INT), list, true));
    struct table_params *params = table_builder_params(builder);
    params->comment = slice_of_text("what for");
    params->gc_grace_seconds = 5;
    params->bloom_filter_fp_chance = 0.1;
    params->cdc = true;
    return table_builder_finish(builder);
}

START_TEST(altering_makes_a_new_version_and_leaves_the_old)
{
    const struct table *before = make_wide();
    struct table_builder *builder = table_builder_copy(before);
    add(builder, "a", type_of_kind(TYPE_INT));
    table_builder_drop_column(builder, slice_of_text("v"), 77);
    table_builder_rename_column(builder, slice_of_text("c"), slice_of_text("day"));
    const struct table *after = table_builder_finish(builder);
    ck_assert_ptr_null(table_find_column(after, slice_of_text("v")));
    ck_assert_ptr_null(table_find_column(after, slice_of_text("c")));
    ck_assert(table_find_column(after, slice_of_text("day"))->reversed);
    ck_assert_uint_eq(table_find_column(after, slice_of_text("a"))->index, 0);
    ck_assert_uint_eq(table_find_column(before, slice_of_text("v"))->index, 0);
    ck_assert_uint_eq(after->dropped_column_count, 1);
    ck_assert_int_eq(after->dropped_columns[0].dropped_time_us, 77);
    ck_assert_int_eq(after->dropped_columns[0].type->kind, TYPE_DURATION);
    ck_assert_int_eq(after->params.gc_grace_seconds, 5);
    table_unref(before);
    ck_assert(slice_equals(after->params.comment, slice_of_text("what for")));

    // Added and dropped once more: remembered once, with the later time.
    builder = table_builder_copy(after);
    table_unref(after);
    add(builder, "v", type_of_kind(TYPE_INT));
    table_builder_drop_column(builder, slice_of_text("v"), 99);
    after = table_builder_finish(builder);
    ck_assert_uint_eq(after->dropped_column_count, 1);
    ck_assert_int_eq(after->dropped_columns[0].dropped_time_us, 99);
    table_unref(after);
}
END_TEST

static const struct keyspace *make_keyspace(const char *name, const char *class)
{
    struct option items[] = {{slice_of_text("replication_factor"), slice_of_text("1")},
                             {slice_of_text("class"), slice_of_text(class)}};
    struct options replication = {items, 2};
    return keyspace_make(slice_of_text(name), &replication, true, false);
}

static void put_keyspace(struct schema *schema, const char *name, const char *class)
{
    const struct keyspace *keyspace = make_keyspace(name, class);
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
}

static void put_table(struct schema *schema, const char *keyspace, const char *name, unsigned id)
{
    const struct table *table = table_builder_finish(begin(keyspace, name, id));
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    table_unref(table);
}

START_TEST(names_and_ids_lead_to_tables)
{
    struct schema *schema = schema_create();
    put_keyspace(schema, "b", "SimpleStrategy");
    put_keyspace(schema, "a", "SimpleStrategy");
    put_table(schema, "b", "y", 2);
    put_table(schema, "b", "x", 3);
    put_table(schema, "a", "x", 1);
    const struct table *orphan = table_builder_finish(begin("none", "t", 9));
    ck_assert_int_eq(schema_put_table(schema, orphan), STATUS_NOT_FOUND);
    table_unref(orphan);

    ck_assert(slice_equals(schema_keyspace_at(schema, 0)->name, slice_of_text("a")));
    ck_assert(slice_equals(schema_keyspace_at(schema, 1)->name, slice_of_text("b")));
    ck_assert_ptr_null(schema_keyspace_at(schema, 2));
    struct slice b = slice_of_text("b"), x = slice_of_text("x"), y = slice_of_text("y");
    ck_assert(slice_equals(schema_table_at(schema, b, 0)->name, x));
    ck_assert(slice_equals(schema_table_at(schema, b, 1)->name, y));
    ck_assert_ptr_null(schema_table_at(schema, b, 2));
    ck_assert_ptr_eq(schema_find_table(schema, b, y), schema_find_table_by_id(schema, id_of(2)));
    ck_assert_ptr_ne(schema_find_table(schema, b, x),
                     schema_find_table(schema, slice_of_text("a"), x));

    // A table that is dropped and made again has another id; the old one is forgotten.
    put_table(schema, "b", "y", 20);
    ck_assert_ptr_null(schema_find_table_by_id(schema, id_of(2)));
    ck_assert_ptr_nonnull(schema_find_table_by_id(schema, id_of(20)));
    schema_remove_table(schema, b, x);
    ck_assert_ptr_null(schema_find_table_by_id(schema, id_of(3)));
    ck_assert_ptr_null(schema_find_table(schema, b, x));
    schema_remove_table(schema, b, x);
    schema_remove_keyspace(schema, b);
    schema_remove_keyspace(schema, b);
    ck_assert_ptr_null(schema_find_table_by_id(schema, id_of(20)));
    ck_assert_ptr_null(schema_find_keyspace(schema, b));
    ck_assert_ptr_nonnull(schema_find_table_by_id(schema, id_of(1)));
    schema_destroy(schema);
}
END_TEST

START_TEST(a_reference_outlives_the_schema)
{
    struct schema *schema = schema_create();
    put_keyspace(schema, "a", "SimpleStrategy");
    put_table(schema, "a", "x", 1);
    const struct table *table = schema_find_table_by_id(schema, id_of(1));
    table_ref(table);
    schema_destroy(schema);
    ck_assert(slice_equals(table->name, slice_of_text("x")));
    table_unref(table);
}
END_TEST

START_TEST(the_version_tells_schemas_apart_and_only_them)
{
    struct schema *one = schema_create(), *two = schema_create();
    ck_assert_int_eq(uuid_version(schema_version(one)), 3);
    ck_assert(uuid_equals(schema_version(one), schema_version(two)));
    put_keyspace(one, "a", "SimpleStrategy");
    put_keyspace(one, "b", "SimpleStrategy");
    put_table(one, "a", "x", 1);
    put_table(one, "a", "y", 2);
    put_keyspace(two, "b", "SimpleStrategy");
    put_keyspace(two, "a", "SimpleStrategy");
    put_table(two, "a", "y", 2);
    ck_assert(!uuid_equals(schema_version(one), schema_version(two)));
    put_table(two, "a", "x", 1);
    ck_assert(uuid_equals(schema_version(one), schema_version(two)));

    // What a node has for itself does not count.
    put_keyspace(two, "system", "org.apache.cassandra.locator.LocalStrategy");
    put_table(two, "system", "local", 5);
    ck_assert(uuid_equals(schema_version(one), schema_version(two)));

    struct table_builder *builder = table_builder_copy(schema_find_table_by_id(two, id_of(1)));
    table_builder_params(builder)->gc_grace_seconds = 1;
    const struct table *altered = table_builder_finish(builder);
    ck_assert_int_eq(schema_put_table(two, altered), STATUS_OK);
    table_unref(altered);
    ck_assert(!uuid_equals(schema_version(one), schema_version(two)));
    put_table(two, "a", "x", 1);
    ck_assert(uuid_equals(schema_version(one), schema_version(two)));
    schema_destroy(one);
    schema_destroy(two);
}
END_TEST

START_TEST(keyspaces_have_a_limit)
{
    struct schema *schema = schema_create();
    for (unsigned i = 0; i <= SCHEMA_KEYSPACES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%u", i);
        const struct keyspace *keyspace = make_keyspace(name, "SimpleStrategy");
        ck_assert_int_eq(schema_put_keyspace(schema, keyspace),
                         i < SCHEMA_KEYSPACES_MAX ? STATUS_OK : STATUS_OVERLOADED);
        keyspace_unref(keyspace);
    }
    schema_destroy(schema);
}
END_TEST

// A table whose comment has this many bytes.
static const struct table *make_commented_table(const char *name, size_t size)
{
    struct uuid id = {{0}};
    (void)snprintf((char *)id.bytes, sizeof id.bytes, "%s", name);
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text(name), id);
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_TEXT),
                             COLUMN_PARTITION_KEY, false);
    uint8_t *comment = calloc(1, size);
    table_builder_params(builder)->comment = slice_make(comment, size);
    const struct table *table = table_builder_finish(builder);
    free(comment);
    return table;
}

static enum status put_commented_table(struct schema *schema, const char *name, size_t size)
{
    const struct table *table = make_commented_table(name, size);
    enum status status = schema_put_table(schema, table);
    table_unref(table);
    return status;
}

START_TEST(definitions_together_have_a_limit)
{
    enum { HALF = SCHEMA_SIZE_MAX / 2 };
    struct schema *schema = schema_create();
    const struct keyspace *keyspace = make_keyspace("ks", "SimpleStrategy");
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    ck_assert_int_eq(put_commented_table(schema, "a", HALF), STATUS_OK);
    ck_assert_int_eq(put_commented_table(schema, "b", HALF), STATUS_OVERLOADED);
    ck_assert_ptr_null(schema_find_table(schema, keyspace->name, slice_of_text("b")));
    // One that takes another's place counts once.
    ck_assert_int_eq(put_commented_table(schema, "a", HALF), STATUS_OK);
    ck_assert_int_eq(put_commented_table(schema, "b", HALF / 2), STATUS_OK);
    ck_assert_int_eq(put_commented_table(schema, "c", HALF), STATUS_OVERLOADED);
    schema_remove_table(schema, keyspace->name, slice_of_text("a"));
    ck_assert_int_eq(put_commented_table(schema, "c", HALF), STATUS_OK);
    schema_remove_keyspace(schema, keyspace->name);
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    ck_assert_int_eq(put_commented_table(schema, "d", HALF + HALF / 2), STATUS_OK);
    keyspace_unref(keyspace);
    schema_destroy(schema);
}
END_TEST

START_TEST(bytes_give_the_same_definitions_back)
{
    struct buffer bytes, again;
    buffer_init(&bytes, MIB);
    buffer_init(&again, MIB);
    const struct table *wide = make_wide();
    struct table_builder *builder = table_builder_copy(wide);
    table_builder_drop_column(builder, slice_of_text("v"), -77);
    const struct table *table = table_builder_finish(builder), *table_copy;
    const struct keyspace *keyspace = make_keyspace("ks", "SimpleStrategy"), *keyspace_copy;
    schema_codec_put_keyspace(&bytes, keyspace);
    schema_codec_put_table(&bytes, table);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    struct error error;
    ck_assert_int_eq(schema_codec_get_keyspace(&cursor, &keyspace_copy, &error), STATUS_OK);
    ck_assert_int_eq(schema_codec_get_table(&cursor, &table_copy, &error), STATUS_OK);
    ck_assert_uint_eq(cursor_left(&cursor), 0);
    schema_codec_put_keyspace(&again, keyspace_copy);
    schema_codec_put_table(&again, table_copy);
    ck_assert(slice_equals(buffer_slice(&bytes), buffer_slice(&again)));
    ck_assert(table_find_column(table_copy, slice_of_text("c"))->reversed);
    ck_assert(type_equals(table_find_column(table_copy, slice_of_text("w"))->type,
                          table_find_column(table, slice_of_text("w"))->type));
    ck_assert(options_equal(&keyspace->replication, &keyspace_copy->replication));
    ck_assert(slice_equals(options_find(&keyspace_copy->replication, "replication_factor"),
                           slice_of_text("1")));
    table_unref(wide);
    table_unref(table);
    table_unref(table_copy);
    keyspace_unref(keyspace);
    keyspace_unref(keyspace_copy);
    buffer_deinit(&bytes);
    buffer_deinit(&again);
}
END_TEST

// Every cut, and every byte changed: a definition, or CORRUPT; never more.
START_TEST(damaged_bytes_are_refused)
{
    struct buffer bytes;
    buffer_init(&bytes, MIB);
    const struct table *table = make_wide(), *copy;
    schema_codec_put_table(&bytes, table);
    struct error error;
    for (size_t size = 0; size < bytes.size; size++) {
        struct cursor cursor = cursor_make(slice_make(bytes.data, size));
        ck_assert_int_eq(schema_codec_get_table(&cursor, &copy, &error), STATUS_CORRUPT);
    }
    for (size_t i = 0; i < bytes.size; i++) {
        for (unsigned flip = 1; flip < 256; flip <<= 1) {
            bytes.data[i] ^= (uint8_t)flip;
            struct cursor cursor = cursor_make(buffer_slice(&bytes));
            enum status status = schema_codec_get_table(&cursor, &copy, &error);
            if (status == STATUS_OK)
                table_unref(copy);
            else
                ck_assert_int_eq(status, STATUS_CORRUPT);
            bytes.data[i] ^= (uint8_t)flip;
        }
    }
    table_unref(table);
    buffer_deinit(&bytes);
}
END_TEST

int main(void)
{
    TCase *tables = tcase_create("tables");
    tcase_add_test(tables, columns_stand_in_cassandras_order);
    tcase_add_test(tables, a_counter_column_makes_a_counter_table);
    tcase_add_test(tables, a_table_under_construction_can_be_given_up);
    tcase_add_test(tables, altering_makes_a_new_version_and_leaves_the_old);

    TCase *names = tcase_create("names");
    tcase_add_test(names, names_and_ids_lead_to_tables);
    tcase_add_test(names, a_reference_outlives_the_schema);
    tcase_add_test(names, the_version_tells_schemas_apart_and_only_them);
    tcase_add_test(names, keyspaces_have_a_limit);
    tcase_add_test(names, definitions_together_have_a_limit);

    TCase *codec = tcase_create("codec");
    tcase_add_test(codec, bytes_give_the_same_definitions_back);
    tcase_add_test(codec, damaged_bytes_are_refused);

    Suite *suite = suite_create("schema");
    suite_add_tcase(suite, tables);
    suite_add_tcase(suite, names);
    suite_add_tcase(suite, codec);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
