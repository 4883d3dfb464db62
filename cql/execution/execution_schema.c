// Executing CREATE, ALTER and DROP of keyspaces and tables (org.apache.cassandra.cql3.statements
// .schema): checked against the schema as it is now, made durable by the metadata log, answered
// when the engine has applied it.
//
//     STARTED --checked--> CHANGING --durable and applied--> done
//        ^---another change came first---/
//        \--nothing to change--> SETTLING --all nodes have the schema--> done
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/auth/auth.h"
#include "cql/auth/resource.h"
#include "cql/execution/execution.h"
#include "cql/execution/schema_change.h"

struct schema_work {
    struct metadata_schema_change change;
    struct execution *execution;
    struct schema_change made;
};

static void schema_start(struct schema_work *work);

static void schema_release(struct schema_change *made)
{
    keyspace_unref(made->keyspace);
    table_unref(made->table);
    made->keyspace = NULL;
    made->table = NULL;
}

// Who makes a keyspace or a table gets all permissions on it.
static bool schema_has_creator(const struct schema_work *work)
{
    const struct execution *execution = work->execution;
    enum cql_ast_kind kind = execution->statement->plan->ast->kind;
    const struct auth *auth = execution->processor->auth;
    return auth != NULL && auth->authorizes && !slice_is_null(execution->options->user) &&
           (kind == CQL_AST_CREATE_KEYSPACE || kind == CQL_AST_CREATE_TABLE);
}

static void schema_permit_creator(struct schema_work *work)
{
    struct arena *arena = &work->execution->arena;
    struct slice *resources = ARENA_NEW_ARRAY(arena, struct slice, 2);
    size_t count = 1;
    if (work->made.is_of_table) {
        resources[0] = resource_of_table(arena, work->made.keyspace_name, work->made.table_name);
    } else {
        resources[0] = resource_of_keyspace(arena, work->made.keyspace_name);
        resources[count++] = resource_of_functions(arena, work->made.keyspace_name);
    }
    execution_role_permit_creator(work->execution, RESULT_SCHEMA_CHANGE, resources, count);
}

static void schema_done(struct metadata_schema_change *change, enum status status)
{
    struct schema_work *work = CONTAINER_OF(change, struct schema_work, change);
    struct execution *execution = work->execution;
    schema_release(&work->made);
    if (status == STATUS_CONFLICT) {
        schema_start(work);
        return;
    }
    if (status != STATUS_OK) {
        if (status == STATUS_OVERLOADED)
            cql_error_set(&execution->error, CQL_ERROR_INVALID,
                          "There are as many keyspaces or tables as a node can have");
        else
            cql_error_set(&execution->error, CQL_ERROR_SERVER,
                          "The change of the schema could not be stored: %s", status_text(status));
        execution_fail(execution);
        return;
    }
    struct result *result = &execution->result;
    result->change = work->made.what;
    result->target = work->made.is_of_table ? "TABLE" : work->made.is_of_type ? "TYPE" : "KEYSPACE";
    result->keyspace = work->made.keyspace_name;
    result->name = work->made.table_name;
    if (schema_has_creator(work))
        schema_permit_creator(work);
    else
        execution_succeed(execution, RESULT_SCHEMA_CHANGE);
}

static void schema_settled(struct metadata_schema_change *change, enum status status)
{
    (void)status;
    execution_succeed(CONTAINER_OF(change, struct schema_work, change)->execution, RESULT_VOID);
}

static void schema_start(struct schema_work *work)
{
    struct execution *execution = work->execution;
    struct metadata *metadata = execution->processor->metadata;
    work->made = (struct schema_change){0};
    execution->result.warning_count = 0;
    struct analysis analysis = {.processor = execution->processor,
                                .arena = &execution->arena,
                                .keyspace = execution->statement->plan->keyspace,
                                .error = &execution->error};
    if (!schema_change_make(&analysis, execution->statement->plan->ast, execution->state->now_us,
                            &work->made)) {
        schema_release(&work->made);
        execution_fail(execution);
        return;
    }
    for (size_t i = 0; i < work->made.warning_count; i++)
        execution_add_warning(execution, work->made.warnings[i]);
    switch (work->made.kind) {
    case SCHEMA_CHANGE_NOTHING:
        // What made this statement say nothing may be on its way to others still.
        schema_release(&work->made);
        metadata_settle(metadata, &work->change, schema_settled);
        break;
    case SCHEMA_CHANGE_PUT_KEYSPACE:
        metadata_put_keyspace(metadata, &work->change, work->made.keyspace, schema_done);
        break;
    case SCHEMA_CHANGE_DROP_KEYSPACE:
        metadata_drop_keyspace(metadata, &work->change, work->made.keyspace_name, schema_done);
        break;
    case SCHEMA_CHANGE_PUT_TABLE:
        metadata_put_table(metadata, &work->change, work->made.table, schema_done);
        break;
    case SCHEMA_CHANGE_DROP_TABLE:
        metadata_drop_table(metadata, &work->change, work->made.keyspace_name,
                            work->made.table_name, schema_done);
        break;
    }
}

static void schema_abandon(struct execution *execution)
{
    struct schema_work *work = execution->state->work;
    metadata_schema_change_abandon(&work->change);
    schema_release(&work->made);
}

void execution_schema_start(struct execution *execution)
{
    struct schema_work *work = ARENA_NEW(&execution->arena, struct schema_work);
    work->execution = execution;
    execution->state->work = work;
    execution->state->abandon = schema_abandon;
    schema_start(work);
}
