// A node's lower layers without its sockets, on the real env in a directory of its own: statements
// go in as text and bind values, results come out as text.
#ifndef TESTS_CQL_EXECUTION_STATEMENT_WORLD_H
#define TESTS_CQL_EXECUTION_STATEMENT_WORLD_H

#include "base/bytes.h"
#include "base/env_uv.h"
#include "cql/statement/statement.h"
#include "cql/system/system_tables.h"
#include "ring/paxos/internal_tables.h"
#include "storage/value.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    char directory[64];
    struct env *env;
    struct metadata *metadata;
    struct engine *engine;
    struct coordinator *coordinator;
    struct internal_tables internal_tables;
    struct paxos *paxos;
    struct system_tables *tables;
    struct query_processor processor;
    struct execution execution;
    struct arena arena; // Of texts.
    struct slice keyspace;
    bool is_done;
};

static const struct token world_tokens[] = {{0}};
static struct node_identity world_identity = {.cluster_name = "Test Cluster",
                                              .data_center = "datacenter1",
                                              .rack = "rack1",
                                              .host_id = {{1}},
                                              .tokens = world_tokens,
                                              .token_count = 1};
static struct world world;

static inline void world_open(void)
{
    char path[96];
    struct error error;
    (void)snprintf(path, sizeof path, "%s/metadata", world.directory);
    ck_assert_int_eq(env_uv_create(&world.env, &error), STATUS_OK);
    ck_assert_msg(metadata_open(world.env, &(struct metadata_options){.directory = path},
                                &world.metadata, &error) == STATUS_OK,
                  "%s", error.text);
    internal_tables_init(&world.internal_tables);
    world.tables = system_tables_create(world.env, world.metadata, &world_identity);
    const struct table *own_tables[INTERNAL_TABLE_COUNT + SYSTEM_TABLES_STORED_COUNT];
    memcpy(own_tables, world.internal_tables.tables, INTERNAL_TABLE_COUNT * sizeof *own_tables);
    system_tables_stored(world.tables, own_tables + INTERNAL_TABLE_COUNT);
    const struct engine_options options = {.directory = world.directory,
                                           .internal_tables = own_tables,
                                           .internal_table_count =
                                               sizeof own_tables / sizeof own_tables[0]};
    ck_assert_msg(engine_open(world.env, &options, metadata_schema(world.metadata), &world.engine,
                              &error) == STATUS_OK,
                  "%s", error.text);
    metadata_set_engine(world.metadata, world.engine);
    world.coordinator = coordinator_create(
        world.env,
        &(struct coordinator_options){.engine = world.engine,
                                      .schema = metadata_schema(world.metadata),
                                      .system_schema = system_tables_schema(world.tables)});
    world.paxos = paxos_create(
        world.env,
        &(struct paxos_options){.engine = world.engine,
                                .schema = metadata_schema(world.metadata),
                                .table = world.internal_tables.tables[INTERNAL_TABLE_PAXOS]});
    world.processor = (struct query_processor){.env = world.env,
                                               .metadata = world.metadata,
                                               .coordinator = world.coordinator,
                                               .engine = world.engine,
                                               .paxos = world.paxos,
                                               .system_tables = world.tables};
    execution_init(&world.execution, &world.processor);
}

static inline void world_stopped(void *context)
{
    (void)context;
    world.is_done = true;
    env_uv_stop(world.env);
}

static inline void world_close(void)
{
    execution_deinit(&world.execution);
    coordinator_destroy(world.coordinator);
    paxos_destroy(world.paxos);
    metadata_set_engine(world.metadata, NULL);
    world.is_done = false;
    engine_close(world.engine, world_stopped, NULL);
    while (!world.is_done) // A stop may be left over from a statement that had not to wait.
        env_uv_run(world.env);
    system_tables_destroy(world.tables);
    internal_tables_deinit(&world.internal_tables);
    metadata_close(world.metadata);
    env_uv_destroy(world.env);
}

static inline void world_setup(void)
{
    strcpy(world.directory, "/tmp/helenus-statements-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(world.directory));
    arena_init(&world.arena, 64 * 1024);
    world.keyspace = slice_make("", 0);
    world_open();
}

static inline void world_teardown(void)
{
    world_close();
    arena_deinit(&world.arena);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", world.directory);
    ck_assert_int_eq(system(command), 0);
}

static inline void world_done(struct execution *execution)
{
    (void)execution;
    world.is_done = true;
    env_uv_stop(world.env);
}

// Runs the loop until the execution that was started has ended.
static inline void world_wait(void)
{
    while (!world.is_done)
        env_uv_run(world.env);
}

static inline struct query_options world_options(void)
{
    return (struct query_options){.consistency = CONSISTENCY_ONE,
                                  .serial_consistency = CONSISTENCY_SERIAL,
                                  .keyspace = world.keyspace,
                                  .protocol_version = 4};
}

// "ERROR 2200 text", "void", "USE ks", "CREATED TABLE ks.t", or rows as "(1, 'a') (2, null)".
static inline char *world_describe_result(void)
{
    const struct execution *execution = &world.execution;
    const struct result *result = &execution->result;
    if (execution->failed)
        return arena_format(&world.arena, "ERROR %04x %s", execution->error.code,
                            execution->error.text);
    if (result->kind == RESULT_VOID) return arena_copy_text(&world.arena, "void");
    if (result->kind == RESULT_SET_KEYSPACE)
        return arena_format(&world.arena, "USE %.*s", (int)result->keyspace.size,
                            (const char *)result->keyspace.data);
    if (result->kind == RESULT_SCHEMA_CHANGE)
        return arena_format(&world.arena, "%s %s %.*s%s%.*s", result->change, result->target,
                            (int)result->keyspace.size, (const char *)result->keyspace.data,
                            result->name.size > 0 ? "." : "", (int)result->name.size,
                            (const char *)result->name.data);
    struct buffer text;
    buffer_init(&text, 1u << 28);
    const uint8_t *at = result->rows.data;
    for (uint32_t row = 0; row < result->row_count; row++) {
        buffer_put_format(&text, "%s(", row > 0 ? " " : "");
        for (uint16_t i = 0; i < result->column_count; i++) {
            uint32_t size = bytes_get_u32(at);
            bool is_null = size == UINT32_MAX;
            if (i > 0) buffer_put_format(&text, ", ");
            value_put_cql(result->columns[i].type,
                          is_null ? slice_null() : slice_make(at + 4, size), &text);
            at += 4 + (is_null ? 0 : size);
        }
        buffer_put_format(&text, ")");
    }
    ck_assert_uint_eq((size_t)(at - result->rows.data), result->rows.size);
    char *copy = arena_format(&world.arena, "%.*s", (int)text.size, (const char *)text.data);
    buffer_deinit(&text);
    return copy;
}

static inline char *world_run_options(const char *text, struct query_options options)
{
    struct statement *statement;
    struct cql_error error;
    if (!statement_prepare(&world.processor, slice_of_text(text), world.keyspace, &statement,
                           &error))
        return arena_format(&world.arena, "ERROR %04x %s", error.code, error.text);
    world.is_done = false;
    execution_start(&world.execution, statement, &options, world_done);
    statement_unref(statement);
    world_wait();
    char *described = world_describe_result();
    if (!world.execution.failed && world.execution.result.kind == RESULT_SET_KEYSPACE)
        world.keyspace = arena_copy(&world.arena, world.execution.result.keyspace);
    return described;
}

static inline char *world_run(const char *text)
{
    char *described = world_run_options(text, world_options());
    execution_finish(&world.execution);
    return described;
}

#define CHECK_CQL(text, expected) ck_assert_str_eq(world_run(text), expected)

static inline void world_make(const char *text)
{
    char *result = world_run(text);
    ck_assert_msg(strncmp(result, "ERROR", 5) != 0, "%s: %s", text, result);
}

#endif
