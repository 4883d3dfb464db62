#include "tests/fuzz/support/fuzz_node.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

static const struct token tokens[] = {{0}};
static const struct node_identity identity = {.cluster_name = "Test Cluster",
                                              .data_center = "datacenter1",
                                              .rack = "rack1",
                                              .host_id = {{1}},
                                              .tokens = tokens,
                                              .token_count = 1};

// Ids of their own, so that inputs with ids in them stay what they are.
static const char *const definitions[] = {
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE ks.t (k int PRIMARY KEY, v text) "
    "WITH id = 'c0c849ec-074d-11ef-9230-05ef8df510e6'",
    "CREATE TABLE ks.w (k text, c int, d text, s text static, v text, n bigint, "
    "PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC) "
    "AND id = 'c0c855ea-074d-11ef-9230-05ef8df510e6'",
    "CREATE TABLE ks.counters (a text, b text, n counter, m counter, PRIMARY KEY (a, b)) "
    "WITH id = 'c0c85a4a-074d-11ef-9230-05ef8df510e6'",
    "CREATE TABLE ks.collections (k int, c int, l list<text>, s set<int>, m map<text, int>, "
    "f frozen<list<int>>, t tuple<int, text>, g frozen<map<text, frozen<list<int>>>>, "
    "ss set<text> static, PRIMARY KEY (k, c)) WITH id = 'c0c8621a-074d-11ef-9230-05ef8df510e6'",
    "CREATE TABLE ks.types (a int, b text, c1 timestamp, c2 uuid, x1 ascii, x2 bigint, x3 blob, "
    "x4 boolean, x5 date, x6 decimal, x7 double, x8 duration, x9 float, x10 inet, x11 smallint, "
    "x12 time, x13 timeuuid, x14 tinyint, x15 varint, x16 vector<float, 2>, "
    "PRIMARY KEY ((a, b), c1, c2)) WITH compression = {'enabled': false} "
    "AND id = 'c0c86a4e-074d-11ef-9230-05ef8df510e6'",
};

void fuzz_node_run(struct fuzz_node *node, const char *text)
{
    bool works = fuzz_node_execute(node, slice_of_text(text), NULL);
    if (!works) printf("%s: %s\n", text, node->execution.error.text);
    ASSERT(works);
    fuzz_node_finish(node);
}

static void open_coordinator(struct fuzz_node *node)
{
    struct env *env = node->sim.env;
    const struct schema *schema = metadata_schema(node->metadata);
    const struct batch_log_options batch_log_options = {
        .engine = node->engine,
        .table = node->internal_tables.tables[INTERNAL_TABLE_BATCHES],
        .schema = schema};
    node->batch_log = batch_log_create(env, &batch_log_options);
    const struct coordinator_options options = {.engine = node->engine,
                                                .schema = schema,
                                                .system_schema = system_tables_schema(node->tables),
                                                .batch_log = node->batch_log};
    node->coordinator = coordinator_create(env, &options);
    const struct env_address address = {.bytes = {127, 0, 0, 1}, .size = 4};
    node->tracing = tracing_create(env, node->coordinator, node->tables, &address);
    const struct paxos_options paxos_options = {
        .engine = node->engine,
        .schema = schema,
        .table = node->internal_tables.tables[INTERNAL_TABLE_PAXOS]};
    node->paxos = paxos_create(env, &paxos_options);
}

void fuzz_node_open(struct fuzz_node *node, double segmented)
{
    *node = (struct fuzz_node){0};
    fuzz_sim_open(&node->sim, segmented);
    struct env *env = node->sim.env;
    struct error error;
    ASSERT(metadata_open(env, &(struct metadata_options){.directory = "/metadata"}, &node->metadata,
                         &error) == STATUS_OK);
    internal_tables_init(&node->internal_tables);
    node->tables = system_tables_create(env, node->metadata, &identity);
    const struct table *own_tables[INTERNAL_TABLE_COUNT + SYSTEM_TABLES_STORED_COUNT];
    memcpy(own_tables, node->internal_tables.tables, INTERNAL_TABLE_COUNT * sizeof *own_tables);
    system_tables_stored(node->tables, own_tables + INTERNAL_TABLE_COUNT);
    const struct engine_options options = {.directory = "/",
                                           .internal_tables = own_tables,
                                           .internal_table_count =
                                               sizeof own_tables / sizeof *own_tables};
    ASSERT(engine_open(env, &options, metadata_schema(node->metadata), &node->engine, &error) ==
           STATUS_OK);
    metadata_set_engine(node->metadata, node->engine);
    open_coordinator(node);
    node->processor = (struct query_processor){.env = env,
                                               .metadata = node->metadata,
                                               .coordinator = node->coordinator,
                                               .paxos = node->paxos,
                                               .engine = node->engine,
                                               .system_tables = node->tables,
                                               .tracing = node->tracing};
    execution_init(&node->execution, &node->processor);
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++)
        fuzz_node_run(node, definitions[i]);
}

static void stopped(void *context)
{
    *(bool *)context = true;
}

void fuzz_node_close(struct fuzz_node *node)
{
    bool is_stopped = false;
    execution_deinit(&node->execution);
    tracing_stop(node->tracing);
    batch_log_stop(node->batch_log);
    paxos_destroy(node->paxos);
    metadata_set_engine(node->metadata, NULL);
    engine_close(node->engine, stopped, &is_stopped);
    fuzz_sim_run(&node->sim, 3600, &is_stopped);
    ASSERT(is_stopped);
    coordinator_destroy(node->coordinator);
    tracing_destroy(node->tracing);
    batch_log_destroy(node->batch_log);
    internal_tables_deinit(&node->internal_tables);
    system_tables_destroy(node->tables);
    metadata_close(node->metadata);
    fuzz_sim_close(&node->sim);
}

static void executed(struct execution *execution)
{
    struct fuzz_node *node =
        (struct fuzz_node *)((char *)execution - offsetof(struct fuzz_node, execution));
    node->is_done = true;
}

bool fuzz_node_execute(struct fuzz_node *node, struct slice text,
                       const struct query_options *options)
{
    static const struct query_options plain = {.consistency = CONSISTENCY_ONE,
                                               .serial_consistency = CONSISTENCY_SERIAL,
                                               .keyspace = {(const uint8_t *)"ks", 2},
                                               .protocol_version = 4};
    if (options == NULL) options = &plain;
    struct statement *statement;
    if (!statement_prepare(&node->processor, text, options->keyspace, &statement,
                           &node->execution.error)) {
        node->execution.failed = true;
        return false;
    }
    node->is_done = false;
    if (options->value_names == NULL && options->value_count != statement->marker_count) {
        statement_unref(statement); // The server has refused it.
        return false;
    }
    execution_start(&node->execution, statement, options, executed);
    fuzz_sim_run(&node->sim, 3600, &node->is_done);
    ASSERT(node->is_done);
    statement_unref(statement);
    return !node->execution.failed;
}

void fuzz_node_finish(struct fuzz_node *node)
{
    if (node->is_done) execution_finish(&node->execution);
    node->is_done = false;
}

static void flushed(struct engine_flush *flush, enum status status)
{
    ASSERT(status == STATUS_OK);
    flush->waits_for = SIZE_MAX;
}

void fuzz_node_flush(struct fuzz_node *node)
{
    struct engine_flush flush = {0};
    engine_flush(node->engine, NULL, &flush, flushed);
    while (flush.waits_for != SIZE_MAX)
        ASSERT(sim_world_step(node->sim.world));
}

// ---- Tables alone -------------------------------------------------------------------------------

enum { TABLE_COUNT = sizeof definitions / sizeof *definitions - 1 };

const struct table *fuzz_node_table(size_t index)
{
    static const struct table *tables[TABLE_COUNT];
    if (tables[0] == NULL) {
        struct fuzz_node node;
        fuzz_node_open(&node, 0);
        for (size_t i = 0; i < TABLE_COUNT; i++) {
            tables[i] = schema_table_at(metadata_schema(node.metadata), slice_of_text("ks"), i);
            table_ref(tables[i]);
        }
        fuzz_node_close(&node);
    }
    return tables[index % TABLE_COUNT];
}

size_t fuzz_node_table_count(void)
{
    return TABLE_COUNT;
}
