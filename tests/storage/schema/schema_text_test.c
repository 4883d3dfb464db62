// The texts of DESCRIBE against those that Cassandra's own classes gave for the same tables
// (tests/golden/values/describe.txt, made by Describe.java beside it).
#include "storage/schema/schema_codec.h"
#include "storage/schema/schema_text.h"

#include "storage/schema/cql_name.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static char *golden;
static struct buffer text;

static void setup(void)
{
    FILE *file = fopen("tests/golden/values/describe.txt", "rb");
    ck_assert_msg(file != NULL, "run from the project's root");
    golden = calloc(1, 1 << 20);
    ck_assert_uint_lt(fread(golden, 1, (1 << 20) - 1, file), (1 << 20) - 1);
    fclose(file);
    buffer_init(&text, 1 << 20);
}

static void teardown(void)
{
    free(golden);
    buffer_deinit(&text);
}

static void add(struct table_builder *builder, const char *name, const struct type *type,
                enum column_kind kind)
{
    table_builder_add_column(builder, slice_of_text(name), type, kind, false);
}

static struct table_builder *begin(const char *keyspace, const char *name)
{
    struct uuid id;
    enum status status = uuid_parse(slice_of_text("5a1c395e-b41f-11e5-9f22-ba0be0483c18"), &id);
    ck_assert_int_eq(status, STATUS_OK);
    struct table_builder *builder =
        table_builder_create(slice_of_text(keyspace), slice_of_text(name), id);
    add(builder, "k", type_of_kind(TYPE_INT), COLUMN_PARTITION_KEY);
    return builder;
}

// Both texts of the table called `name` in the file.
static void check_table(const char *name, struct table_builder *builder)
{
    const struct table *table = table_builder_finish(builder);
    for (int internals = 0; internals <= 1; internals++) {
        char title[64];
        snprintf(title, sizeof title, "== %s internals=%s\n", name, internals ? "true" : "false");
        const char *expected = strstr(golden, title);
        ck_assert_ptr_nonnull(expected);
        expected += strlen(title);
        const char *end = strstr(expected, "\n== ");
        buffer_clear(&text);
        schema_text_put_table(table, internals != 0, &text);
        size_t size = end == NULL ? text.size : (size_t)(end - expected);
        ck_assert_msg(text.size == size && memcmp(text.data, expected, size) == 0,
                      "%s: %.*s\ninstead of\n%.*s", name, (int)text.size, (char *)text.data,
                      (int)size, expected);
    }
    table_unref(table);
}

START_TEST(tables_are_described_as_cassandra_does)
{
    const struct type *int_type = type_of_kind(TYPE_INT), *text_type = type_of_kind(TYPE_TEXT);
    struct table_builder *builder = begin("ks", "t");
    add(builder, "v", text_type, COLUMN_REGULAR);
    add(builder, "a b", type_make_list(table_builder_arena(builder), int_type, false),
        COLUMN_REGULAR);
    check_table("single", builder);

    check_table("keyonly", begin("ks", "t"));

    builder = begin("Ks", "select");
    add(builder, "k2", int_type, COLUMN_PARTITION_KEY);
    add(builder, "c", int_type, COLUMN_CLUSTERING);
    table_builder_add_column(builder, slice_of_text("from"), text_type, COLUMN_CLUSTERING, true);
    add(builder, "s", type_make_set(table_builder_arena(builder), text_type, true), COLUMN_STATIC);
    add(builder, "v", text_type, COLUMN_REGULAR);
    table_builder_params(builder)->comment = slice_of_text("it's");
    check_table("composite", builder);

    builder = begin("ks", "t");
    add(builder, "v", type_of_kind(TYPE_COUNTER), COLUMN_REGULAR);
    check_table("counter", builder);
}
END_TEST

START_TEST(options_are_described_as_cassandra_does)
{
    struct table_builder *builder = begin("ks", "t");
    struct table_params *params = table_builder_params(builder);
    struct option caching[] = {{slice_of_text("rows_per_partition"), slice_of_text("ALL")},
                               {slice_of_text("keys"), slice_of_text("ALL")}};
    struct option compaction[] = {
        {slice_of_text("class"),
         slice_of_text("org.apache.cassandra.db.compaction.LeveledCompactionStrategy")},
        {slice_of_text("sstable_size_in_mb"), slice_of_text("100")},
        {slice_of_text("max_threshold"), slice_of_text("32")},
        {slice_of_text("min_threshold"), slice_of_text("4")},
    };
    struct option compression[] = {{slice_of_text("enabled"), slice_of_text("false")}};
    struct option extensions[] = {{slice_of_text("ext"), slice_make("\x01\xff", 2)},
                                  {slice_of_text("b'c"), slice_of_text("")}};
    params->caching = (struct options){caching, 2};
    params->compaction = (struct options){compaction, 4};
    params->compression = (struct options){compression, 1};
    params->extensions = (struct options){extensions, 2};
    params->bloom_filter_fp_chance = 0.00001 + 0.0009;
    params->crc_check_chance = 0.5;
    params->cdc = true;
    params->speculative_retry = slice_of_text("50ms");
    params->default_time_to_live = 5;
    check_table("params", builder);

    builder = begin("ks", "t");
    table_builder_params(builder)->bloom_filter_fp_chance = 0.0001;
    table_builder_params(builder)->gc_grace_seconds = 0;
    check_table("params2", builder);
}
END_TEST

START_TEST(dropped_columns_are_made_and_dropped_again)
{
    struct table_builder *builder = begin("ks", "t");
    table_builder_add_dropped(builder, slice_of_text("zz"), type_of_kind(TYPE_INT), COLUMN_REGULAR,
                              1234567890123456);
    check_table("dropped1", builder);

    // With more than one Cassandra has them in the order of a hash map, we in that of names.
    static const char expected[] = "\nALTER TABLE ks.t DROP \"Aa\" USING TIMESTAMP 5;"
                                   "\nALTER TABLE ks.t DROP v USING TIMESTAMP 7;"
                                   "\nALTER TABLE ks.t ADD v text;"
                                   "\nALTER TABLE ks.t DROP zz USING TIMESTAMP 9;";
    static const char columns[] = "CREATE TABLE ks.t (\n    k int PRIMARY KEY,\n    z text,\n"
                                  "    \"Aa\" int static,\n    v text,\n    zz int\n) WITH ID = ";
    builder = begin("ks", "t");
    add(builder, "v", type_of_kind(TYPE_TEXT), COLUMN_REGULAR);
    add(builder, "z", type_of_kind(TYPE_TEXT), COLUMN_REGULAR);
    table_builder_add_dropped(builder, slice_of_text("zz"), type_of_kind(TYPE_INT), COLUMN_REGULAR,
                              9);
    table_builder_add_dropped(builder, slice_of_text("Aa"), type_of_kind(TYPE_INT), COLUMN_STATIC,
                              5);
    table_builder_add_dropped(builder, slice_of_text("v"), type_of_kind(TYPE_TEXT), COLUMN_REGULAR,
                              7);
    const struct table *table = table_builder_finish(builder);
    buffer_clear(&text);
    schema_text_put_table(table, true, &text);
    size_t size = sizeof expected - 1;
    ck_assert_uint_gt(text.size, size);
    ck_assert_mem_eq(text.data, columns, sizeof columns - 1);
    ck_assert_mem_eq(text.data + text.size - size, expected, size);
    table_unref(table);
}
END_TEST

START_TEST(virtual_tables_are_a_comment)
{
    for (int with_clustering = 0; with_clustering <= 1; with_clustering++) {
        struct table_builder *builder = begin("system_views", "vt");
        if (with_clustering)
            table_builder_add_column(builder, slice_of_text("c"), type_of_kind(TYPE_INT),
                                     COLUMN_CLUSTERING, true);
        add(builder, "v", type_of_kind(TYPE_TEXT), COLUMN_REGULAR);
        table_builder_params(builder)->comment = slice_of_text("cm");
        table_builder_set_virtual(builder, true);
        // Behind the last table of the file stand the keyspaces.
        if (with_clustering)
            check_table("virtual", builder);
        else
            table_builder_destroy(builder);
    }
}
END_TEST

static void check_keyspace(const char *name, const struct options *replication, bool is_virtual,
                           const char *expected)
{
    const struct keyspace *keyspace =
        keyspace_make(slice_of_text(name), replication, true, is_virtual);
    buffer_clear(&text);
    schema_text_put_keyspace(keyspace, &text);
    ck_assert(slice_equals(buffer_slice(&text), slice_of_text(expected)));
    keyspace_unref(keyspace);
}

START_TEST(keyspaces_are_described_as_cassandra_does)
{
    struct option simple[] = {
        {slice_of_text("class"), slice_of_text("org.apache.cassandra.locator.SimpleStrategy")},
        {slice_of_text("replication_factor"), slice_of_text("1")},
    };
    struct options replication = {simple, 2};
    check_keyspace("ks", &replication, false,
                   "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
                   "'replication_factor': '1'}  AND durable_writes = true;");
    // A data centre whose name comes before "class".
    struct option network[] = {
        {slice_of_text("DC1"), slice_of_text("2")},
        {slice_of_text("class"),
         slice_of_text("org.apache.cassandra.locator.NetworkTopologyStrategy")},
    };
    replication = (struct options){network, 2};
    check_keyspace("Ks", &replication, false,
                   "CREATE KEYSPACE \"Ks\" WITH replication = {'class': 'NetworkTopologyStrategy', "
                   "'DC1': '2'}  AND durable_writes = true;");
    replication = (struct options){NULL, 0};
    check_keyspace("system_views", &replication, true,
                   "/*\nWarning: Keyspace system_views is a virtual keyspace and cannot be "
                   "recreated with CQL.\nStructure, for reference:\n"
                   "VIRTUAL KEYSPACE system_views;\n*/");
}
END_TEST

static const struct {
    const char *name, *text;
} names[] = {
    {"a", "a"},
    {"a_1", "a_1"},
    {"_a", "\"_a\""},
    {"1a", "\"1a\""},
    {"A", "\"A\""},
    {"a b", "\"a b\""},
    {"a\"b", "\"a\"\"b\""},
    {"select", "\"select\""},
    {"with", "\"with\""},
    {"add", "\"add\""},
    {"key", "key"},
    {"", "\"\""},
    {"é", "\"é\""},
    {"type", "type"},
    {"materialized", "\"materialized\""},
    {"a_name_that_is_longer_than_any_word", "a_name_that_is_longer_than_any_word"},
};

START_TEST(names_are_quoted_where_they_must_be)
{
    buffer_clear(&text);
    cql_name_put(slice_of_text(names[_i].name), &text);
    ck_assert(slice_equals(buffer_slice(&text), slice_of_text(names[_i].text)));
}
END_TEST

static void check_index(const struct index_definition *index, const char *expected)
{
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), (struct uuid){{0}});
    const struct type *map = type_make_map(table_builder_arena(builder), type_of_kind(TYPE_TEXT),
                                           type_of_kind(TYPE_INT), false);
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_INT),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("M"), map, COLUMN_REGULAR, false);
    table_builder_add_index(builder, index);
    const struct table *made = table_builder_finish(builder);
    buffer_clear(&text);
    schema_text_put_index(made, &made->indexes[0], &text);
    ck_assert_msg(slice_equals(buffer_slice(&text), slice_of_text(expected)), "%.*s",
                  (int)text.size, (const char *)text.data);
    // It comes through the codec as it is.
    struct buffer bytes;
    struct error error;
    const struct table *read;
    buffer_init(&bytes, SIZE_MAX);
    schema_codec_put_table(&bytes, made);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    ck_assert_int_eq(schema_codec_get_table(&cursor, &read, &error), STATUS_OK);
    ck_assert_uint_eq(cursor_left(&cursor), 0);
    buffer_clear(&text);
    schema_text_put_index(read, &read->indexes[0], &text);
    ck_assert(slice_equals(buffer_slice(&text), slice_of_text(expected)));
    ck_assert(uuid_equals(read->indexes[0].id, index->id));
    buffer_deinit(&bytes);
    table_unref(read);
    table_unref(made);
}

START_TEST(indexes_are_described_as_cassandra_does)
{
    struct index_definition index = {.id = {{7}},
                                     .name = slice_of_text("Up"),
                                     .column = slice_of_text("M"),
                                     .target = INDEX_TARGET_ENTRIES};
    check_index(&index, "CREATE INDEX \"Up\" ON ks.t (entries(\"M\"));");
    struct option option = {slice_of_text("case_sensitive"), slice_of_text("false")};
    index = (struct index_definition){.name = slice_of_text("i"),
                                      .column = slice_of_text("M"),
                                      .target = INDEX_TARGET_KEYS,
                                      .class_name = slice_of_text("sai"),
                                      .options = {&option, 1}};
    check_index(&index, "CREATE CUSTOM INDEX i ON ks.t (keys(\"M\")) USING 'sai' WITH OPTIONS = "
                        "{'case_sensitive': 'false'};");
}
END_TEST

int main(void)
{
    TCase *describe = tcase_create("describe");
    tcase_add_checked_fixture(describe, setup, teardown);
    tcase_add_test(describe, tables_are_described_as_cassandra_does);
    tcase_add_test(describe, options_are_described_as_cassandra_does);
    tcase_add_test(describe, dropped_columns_are_made_and_dropped_again);
    tcase_add_test(describe, virtual_tables_are_a_comment);
    tcase_add_test(describe, keyspaces_are_described_as_cassandra_does);
    tcase_add_test(describe, indexes_are_described_as_cassandra_does);
    tcase_add_loop_test(describe, names_are_quoted_where_they_must_be, 0,
                        sizeof names / sizeof names[0]);

    Suite *suite = suite_create("schema_text");
    suite_add_tcase(suite, describe);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
