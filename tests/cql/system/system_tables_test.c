// The system tables against what a real Cassandra 5.0.4 told cqlsh about its own
// (corpus/frames/01_cqlsh.txt of the shared folder), byte for byte; and what they say of this node.
#include "cql/system/system_tables.h"

#include "base/cursor.h"
#include "base/env_uv.h"
#include "storage/uuid.h"
#include "tests/cql/protocol/corpus_frames.h"

#include <unistd.h>

static char directory[] = "/tmp/helenus-system-tables-XXXXXX";
static struct env *env;
static struct metadata *metadata;
static struct system_tables *tables;
static struct arena arena;

static const struct token tokens[] = {{-3}, {5}};
static struct node_identity identity = {
    .cluster_name = "Test Cluster",
    .data_center = "datacenter1",
    .rack = "rack1",
    .host_id = {{1, 2, 3}},
    .tokens = tokens,
    .token_count = 2,
};

static void setup(void)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    char path[128];
    (void)snprintf(path, sizeof path, "%s/metadata", directory);
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    ck_assert_int_eq(
        metadata_open(env, &(struct metadata_options){.directory = path}, &metadata, &error),
        STATUS_OK);
    ck_assert_int_eq(env_address_parse("127.0.0.9", 7000, &identity.broadcast_address), STATUS_OK);
    ck_assert_int_eq(env_address_parse("127.0.0.9", 7000, &identity.listen_address), STATUS_OK);
    ck_assert_int_eq(env_address_parse("127.0.0.9", 9042, &identity.rpc_address), STATUS_OK);
    tables = system_tables_create(env, metadata, &identity);
    arena_init(&arena, 64 * 1024);
}

static void teardown(void)
{
    arena_deinit(&arena);
    system_tables_destroy(tables);
    metadata_close(metadata);
    env_uv_destroy(env);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

// ---- Rows as lines: "column=hex column=hex …", sorted ------------------------------------------

struct lines {
    char **items;
    size_t count;
};

static void add_line(struct lines *lines, const char *line)
{
    if (lines->count % 64 == 0) {
        char **grown = arena_alloc(&arena, (lines->count + 64) * sizeof *grown);
        if (lines->count > 0) memcpy(grown, lines->items, lines->count * sizeof *grown);
        lines->items = grown;
    }
    lines->items[lines->count++] = arena_copy_text(&arena, line);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_value(struct buffer *line, struct slice name, struct slice value)
{
    buffer_put_format(line, "%.*s=", (int)name.size, (const char *)name.data);
    for (size_t i = 0; i < value.size; i++)
        buffer_put_format(line, "%02x", value.data[i]);
    buffer_put_format(line, " ");
}

static struct slice cell_of(const struct row *row, const struct column *column)
{
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (row->cells[i].column == column->index) return row->cells[i].value;
    }
    return slice_null();
}

// The value that a row has in a column; null if none.
static struct slice value_of(const struct table *table, const struct partition_iterator *partition,
                             const struct row *row, struct slice name)
{
    const struct column *column = table_find_column(table, name);
    ck_assert_msg(column != NULL, "no column %.*s", (int)name.size, (const char *)name.data);
    if (column->kind == COLUMN_PARTITION_KEY) return partition->key.bytes; // Of one component.
    if (column->kind == COLUMN_CLUSTERING) return row->clustering.values[column->index];
    return cell_of(row, column);
}

static struct memtable *fill(const char *keyspace, const char *name, const struct table **table)
{
    *table = schema_find_table(system_tables_schema(tables), slice_of_text(keyspace),
                               slice_of_text(name));
    ck_assert_msg(*table != NULL, "no %s.%s", keyspace, name);
    struct memtable *memtable = memtable_create(*table);
    system_tables_fill(tables, *table, memtable);
    return memtable;
}

// Calls `each` for every row.
static void each_row(struct memtable *memtable, const struct table *table,
                     void (*each)(void *context, const struct partition_iterator *partition,
                                  const struct row *row),
                     void *context)
{
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&all, 1, false, false};
    struct scan_range range = SCAN_RANGE_ALL;
    struct scan_iterator *scan = memtable_scan(memtable, table, &range, &filter, &arena, NULL);
    struct partition_iterator *partition;
    while (scan_iterator_next(scan, &partition) == STATUS_OK) {
        struct unfiltered unfiltered;
        while (partition_iterator_next(partition, &unfiltered) == STATUS_OK) {
            ck_assert(!unfiltered.is_marker);
            each(context, partition, unfiltered.row);
        }
        partition_iterator_close(partition);
    }
    scan_iterator_close(scan);
}

// ---- What Cassandra answered -------------------------------------------------------------------

struct answer {
    const char *keyspace, *table;
    struct slice columns[32];
    uint32_t column_count;
    struct lines lines;
    bool is_found;
};

static struct slice get_text(struct cursor *cursor)
{
    size_t size = cursor_u16(cursor);
    return cursor_take(cursor, size);
}

static void skip_type(struct cursor *cursor)
{
    uint16_t id = cursor_u16(cursor);
    if (id == 0) (void)get_text(cursor);
    uint16_t count = id == 0x20 || id == 0x22 ? 1 : id == 0x21 ? 2 : 0;
    if (id == 0x31) count = cursor_u16(cursor);
    for (; count > 0; count--)
        skip_type(cursor);
}

static bool is_of_the_clients_own(struct slice keyspace)
{
    return slice_equals(keyspace, slice_of_text("cf_frames"));
}

static void take_rows(struct answer *answer, struct cursor *body)
{
    uint32_t row_count = cursor_u32(body);
    struct buffer line;
    buffer_init(&line, 1u << 20);
    for (; row_count > 0; row_count--) {
        buffer_clear(&line);
        bool is_ours = true;
        for (uint32_t i = 0; i < answer->column_count; i++) {
            int32_t size = (int32_t)cursor_u32(body);
            struct slice value = size < 0 ? slice_null() : cursor_take(body, (size_t)size);
            if (i == 0 && is_of_the_clients_own(value)) is_ours = false;
            put_value(&line, answer->columns[i], value);
        }
        buffer_put_u8(&line, 0);
        if (is_ours) add_line(&answer->lines, (const char *)line.data);
    }
    buffer_deinit(&line);
}

static void take_frame(void *context, const struct frame *frame)
{
    struct answer *answer = context;
    if (frame->opcode != OPCODE_RESULT || answer->is_found) return;
    struct cursor body = cursor_make(frame->body);
    if (cursor_u32(&body) != 2) return;
    uint32_t flags = cursor_u32(&body);
    answer->column_count = cursor_u32(&body);
    if ((flags & 2) != 0) (void)cursor_take(&body, cursor_u32(&body));
    if ((flags & 1) == 0) return;
    if (!slice_equals(get_text(&body), slice_of_text(answer->keyspace)) ||
        !slice_equals(get_text(&body), slice_of_text(answer->table)))
        return;
    ck_assert_uint_le(answer->column_count, 32);
    for (uint32_t i = 0; i < answer->column_count; i++) {
        answer->columns[i] = arena_copy(&arena, get_text(&body));
        skip_type(&body);
    }
    answer->is_found = true;
    take_rows(answer, &body);
}

struct ours {
    const struct table *table;
    const struct answer *answer; // Its columns.
    struct lines lines;
};

static void take_our_row(void *context, const struct partition_iterator *partition,
                         const struct row *row)
{
    struct ours *ours = context;
    struct buffer line;
    buffer_init(&line, 1u << 20);
    for (uint32_t i = 0; i < ours->answer->column_count; i++) {
        struct slice name = ours->answer->columns[i];
        put_value(&line, name, value_of(ours->table, partition, row, name));
    }
    buffer_put_u8(&line, 0);
    add_line(&ours->lines, (const char *)line.data);
    buffer_deinit(&line);
}

// Not "indexes": Cassandra has one of its own, on system.paxos, which is not Helenus's.
static const char *const compared[][2] = {
    {"system_schema", "keyspaces"},      {"system_schema", "tables"},
    {"system_schema", "columns"},        {"system_virtual_schema", "keyspaces"},
    {"system_virtual_schema", "tables"}, {"system_virtual_schema", "columns"},
    {"system_schema", "types"},          {"system_schema", "functions"},
    {"system_schema", "aggregates"},     {"system_schema", "triggers"},
    {"system_schema", "views"},
};

START_TEST(has_cassandras_own_rows)
{
    if (!corpus_is_there()) return;
    struct answer answer = {.keyspace = compared[_i][0], .table = compared[_i][1]};
    struct corpus corpus;
    corpus_read("01_cqlsh", &corpus);
    for (size_t i = 0; i < corpus.count && !answer.is_found; i++) {
        if (corpus.sides[i].sender == 'S')
            (void)corpus_each_response(&corpus, &corpus.sides[i], 1u << 20, take_frame, &answer);
    }
    corpus_free(&corpus);
    ck_assert(answer.is_found);

    struct ours ours = {.answer = &answer};
    struct memtable *memtable = fill(answer.keyspace, answer.table, &ours.table);
    each_row(memtable, ours.table, take_our_row, &ours);
    memtable_unref(memtable);
    if (answer.lines.count > 0)
        qsort(answer.lines.items, answer.lines.count, sizeof(char *), compare_lines);
    if (ours.lines.count > 0)
        qsort(ours.lines.items, ours.lines.count, sizeof(char *), compare_lines);
    for (size_t i = 0; i < answer.lines.count && i < ours.lines.count; i++)
        ck_assert_str_eq(ours.lines.items[i], answer.lines.items[i]);
    ck_assert_uint_eq(ours.lines.count, answer.lines.count);
}
END_TEST

// ---- This node ---------------------------------------------------------------------------------

struct one_row {
    const struct table *table;
    size_t count, token_count;
    struct buffer text; // Of `wanted`.
    const char *wanted;
};

static void take_one(void *context, const struct partition_iterator *partition,
                     const struct row *row)
{
    struct one_row *one = context;
    one->count++;
    struct slice value = value_of(one->table, partition, row, slice_of_text(one->wanted));
    buffer_clear(&one->text);
    put_value(&one->text, slice_of_text(one->wanted), value);
    const struct column *column = table_find_column(one->table, slice_of_text("tokens"));
    for (uint32_t i = 0; column != NULL && i < row->cell_count; i++) {
        if (row->cells[i].column != column->index) continue;
        one->token_count++;
        ck_assert(
            slice_equals(row->cells[i].path, slice_of_text(one->token_count == 1 ? "-3" : "5")));
    }
}

START_TEST(tells_of_this_node)
{
    static const struct {
        const char *column, *text;
    } expected[] = {
        {"key", "key=6c6f63616c "},
        {"rpc_address", "rpc_address=7f000009 "},
        {"rpc_port", "rpc_port=00002352 "},
        {"broadcast_port", "broadcast_port=00001b58 "},
        {"release_version", "release_version=352e302e34 "},
        {"cql_version", "cql_version=332e342e37 "},
        {"host_id", "host_id=01020300000000000000000000000000 "},
        {"truncated_at", "truncated_at= "},
    };
    struct one_row one = {.count = 0};
    buffer_init(&one.text, 4096);
    struct memtable *memtable = fill("system", "local", &one.table);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        one.count = one.token_count = 0;
        one.wanted = expected[i].column;
        each_row(memtable, one.table, take_one, &one);
        ck_assert_uint_eq(one.count, 1);
        ck_assert_uint_eq(one.token_count, 2);
        buffer_put_u8(&one.text, 0);
        ck_assert_str_eq((const char *)one.text.data, expected[i].text);
    }
    memtable_unref(memtable);
    buffer_deinit(&one.text);
}
END_TEST

START_TEST(can_fill_every_table)
{
    const struct schema *schema = system_tables_schema(tables);
    size_t count = 0, stored_count = 0;
    const struct keyspace *keyspace;
    for (size_t i = 0; (keyspace = schema_keyspace_at(schema, i)) != NULL; i++) {
        const struct table *table;
        for (size_t j = 0; (table = schema_table_at(schema, keyspace->name, j)) != NULL; j++) {
            if (!table->is_virtual) stored_count++;
            struct memtable *memtable = memtable_create(table);
            system_tables_fill(tables, table, memtable);
            memtable_unref(memtable);
            count++;
        }
    }
    ck_assert_uint_eq(count, 94);
    ck_assert_uint_eq(stored_count, SYSTEM_TABLES_STORED_COUNT);
}
END_TEST

START_TEST(lists_settings_and_no_peers)
{
    const struct table *table;
    struct memtable *memtable = fill("system_views", "settings", &table);
    ck_assert_uint_eq(memtable_partition_count(memtable), 11);
    memtable_unref(memtable);
    memtable = fill("system", "peers_v2", &table);
    ck_assert_uint_eq(memtable_partition_count(memtable), 0);
    memtable_unref(memtable);
}
END_TEST

// ---- The ring ----------------------------------------------------------------------------------

static struct topology *make_ring(void)
{
    struct member members[3];
    for (uint8_t i = 0; i < 3; i++) {
        static struct token of_member[3][1] = {{{-7}}, {{0}}, {{7}}};
        members[i] = (struct member){
            .host_id = {{(uint8_t)(i + 1)}}, .tokens = of_member[i], .token_count = 1};
        (void)snprintf(members[i].data_center, sizeof members[i].data_center, "dc%u", i % 2 + 1u);
        (void)snprintf(members[i].rack, sizeof members[i].rack, "r%u", i + 1u);
        members[i].address =
            (struct env_address){.bytes = {127, 0, 0, (uint8_t)(i + 1)}, .size = 4, .port = 7000};
        members[i].rpc_address = members[i].address;
        members[i].rpc_address.port = 9042;
    }
    struct topology *topology;
    struct error error;
    ck_assert_int_eq(topology_make(members, 3, &topology, &error), STATUS_OK);
    return topology;
}

// "name=hex " of these columns for each row of the table, sorted.
static struct lines rows_of(const char *name, const char *const *columns, uint32_t count)
{
    struct answer answer = {.column_count = count};
    for (uint32_t i = 0; i < count; i++)
        answer.columns[i] = slice_of_text(columns[i]);
    struct ours ours = {.answer = &answer};
    struct memtable *memtable = fill("system", name, &ours.table);
    each_row(memtable, ours.table, take_our_row, &ours);
    memtable_unref(memtable);
    qsort(ours.lines.items, ours.lines.count, sizeof(char *), compare_lines);
    return ours.lines;
}

START_TEST(lists_the_other_members_as_peers)
{
    static const char *const columns[] = {"peer", "data_center", "rack", "rpc_address",
                                          "release_version"};
    static const char *const columns_v2[] = {"peer", "peer_port", "native_address", "native_port"};
    char path[128];
    struct error error;
    struct topology *topology = make_ring();
    struct system_tables *tables_alone = tables;
    struct uuid host_id = identity.host_id;
    (void)snprintf(path, sizeof path, "%s/ring", directory);
    const struct metadata_options options = {.directory = path, .topology = topology, .self = 1};
    struct metadata *of_ring;
    ck_assert_int_eq(metadata_open(env, &options, &of_ring, &error), STATUS_OK);
    identity.host_id = (struct uuid){{2}};
    tables = system_tables_create(env, of_ring, &identity);

    struct lines lines = rows_of("peers", columns, 5);
    ck_assert_uint_eq(lines.count, 2);
    ck_assert_str_eq(lines.items[0], "peer=7f000001 data_center=646331 rack=7231 "
                                     "rpc_address=7f000001 release_version=352e302e34 ");
    ck_assert_str_eq(lines.items[1], "peer=7f000003 data_center=646331 rack=7233 "
                                     "rpc_address=7f000003 release_version=352e302e34 ");
    lines = rows_of("peers_v2", columns_v2, 4);
    ck_assert_uint_eq(lines.count, 2);
    ck_assert_str_eq(lines.items[1], "peer=7f000003 peer_port=00001b58 native_address=7f000003 "
                                     "native_port=00002352 ");
    // One version of the schema: drivers need not wait.
    static const char *const version[] = {"schema_version"};
    struct lines own = rows_of("local", version, 1), of_peers = rows_of("peers", version, 1);
    ck_assert_str_eq(own.items[0], of_peers.items[0]);
    ck_assert_str_eq(own.items[0], of_peers.items[1]);

    system_tables_destroy(tables);
    metadata_close(of_ring);
    topology_destroy(topology);
    tables = tables_alone;
    identity.host_id = host_id;
}
END_TEST

// ---- Users' tables -----------------------------------------------------------------------------

static void stop(struct metadata_schema_change *change, enum status status)
{
    (void)change;
    ck_assert_int_eq(status, STATUS_OK);
    env_uv_stop(env);
}

START_TEST(lists_the_tables_of_users)
{
    struct option items[] = {{slice_of_text("class"), slice_of_text("S")}};
    struct options replication = {items, 1};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    struct metadata_schema_change change;
    metadata_put_keyspace(metadata, &change, keyspace, stop);
    env_uv_run(env);
    keyspace_unref(keyspace);

    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("hits"), (struct uuid){{9}});
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_TEXT),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), type_of_kind(TYPE_INT), COLUMN_CLUSTERING,
                             true);
    table_builder_add_column(builder, slice_of_text("n"), type_of_kind(TYPE_COUNTER),
                             COLUMN_REGULAR, false);
    table_builder_set_counter(builder, true);
    const struct table *table = table_builder_finish(builder);
    metadata_put_table(metadata, &change, table, stop);
    env_uv_run(env);
    table_unref(table);

    struct answer answer = {.column_count = 4,
                            .columns = {slice_of_text("keyspace_name"),
                                        slice_of_text("column_name"),
                                        slice_of_text("clustering_order"), slice_of_text("kind")}};
    struct ours ours = {.answer = &answer};
    struct memtable *memtable = fill("system_schema", "columns", &ours.table);
    each_row(memtable, ours.table, take_our_row, &ours);
    memtable_unref(memtable);
    size_t found = 0;
    for (size_t i = 0; i < ours.lines.count; i++)
        found += strstr(ours.lines.items[i], "keyspace_name=6b73 column_name=63 "
                                             "clustering_order=64657363 "
                                             "kind=636c7573746572696e67 ") != NULL;
    ck_assert_uint_eq(found, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("system_tables");
    TCase *tests = tcase_create("system_tables");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, has_cassandras_own_rows, 0,
                        (int)(sizeof compared / sizeof compared[0]));
    tcase_add_test(tests, tells_of_this_node);
    tcase_add_test(tests, can_fill_every_table);
    tcase_add_test(tests, lists_settings_and_no_peers);
    tcase_add_test(tests, lists_the_other_members_as_peers);
    tcase_add_test(tests, lists_the_tables_of_users);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
