#include "cql/execution/job_guard.h"

#include "base/env_marks.h"
#include "cql/execution/execution.h"
#include "cql/statement/analysis.h"
#include "ring/metadata/metadata.h"

// Nobody may wait long for a no.
#define JOB_GUARD_TIMEOUT_NS UINT64_C(1000000000)

// ---- Asking the others --------------------------------------------------------------------------

static bool job_guard_is_deletion(const struct modification_plan *plan)
{
    return plan->kind == MODIFICATION_DELETE && plan->table->is_counter;
}

bool job_guard_has_to_ask(const struct query_processor *processor,
                          const struct statement *statement)
{
    const struct statement_plan *plan = statement->plan;
    bool deletes = false;
    if (statement->kind == STATEMENT_MODIFICATION)
        deletes = job_guard_is_deletion(&plan->modification);
    else if (statement->kind == STATEMENT_TRUNCATE)
        deletes = plan->truncate->is_counter;
    else if (statement->kind == STATEMENT_BATCH)
        for (size_t i = 0; i < plan->batch.part_count && !deletes; i++)
            deletes = job_guard_is_deletion(plan->batch.parts[i]);
    if (!deletes) return false;
    const struct topology *topology = metadata_topology(processor->metadata);
    return topology != NULL && topology->member_count > 1;
}

static void job_guard_fail(struct execution *execution)
{
    const struct topology *topology = metadata_topology(execution->processor->metadata);
    struct cql_error *error = &execution->error;
    bool is_truncation =
        execution->statement != NULL && execution->statement->kind == STATEMENT_TRUNCATE;
    int majority = topology->member_count / 2 + 1;
    // TruncateStatement has no answer of its own for nodes that are away.
    if (is_truncation)
        cql_error_set(error, CQL_ERROR_TRUNCATE,
                      "Error during truncate: Cannot achieve consistency level ALL");
    else
        cql_error_set(error, CQL_ERROR_UNAVAILABLE,
                      "Cannot achieve consistency level QUORUM: counters are deleted only when a "
                      "majority of the nodes says that no stream job writes them");
    error->result = (struct coordinator_result){
        .outcome = COORDINATOR_UNAVAILABLE,
        .consistency = CONSISTENCY_QUORUM,
        .required = majority,
        .alive = majority - 1,
    };
    execution_fail(execution);
}

static void job_guard_has_asked(void *context)
{
    struct execution *execution = context;
    struct execution_state *state = execution->state;
    bool is_caught_up = metadata_is_caught_up(execution->processor->metadata);
    env_mark(execution->processor->env,
             is_caught_up ? ENV_MARK_JOB_GUARD_ASKED : ENV_MARK_JOB_GUARD_ALONE);
    if (is_caught_up)
        state->go_on(execution);
    else
        job_guard_fail(execution);
}

void job_guard_ask(struct execution *execution, void (*go_on)(struct execution *execution))
{
    struct query_processor *processor = execution->processor;
    execution->state->go_on = go_on;
    execution->state->asked_us = execution_next_timestamp(processor);
    metadata_catch_up_all(processor->metadata, JOB_GUARD_TIMEOUT_NS, job_guard_has_asked,
                          execution);
}

// ---- Looking ------------------------------------------------------------------------------------

static const struct job *job_guard_writer(const struct query_processor *processor,
                                          const struct table *table)
{
    return jobs_find_writer(metadata_jobs(processor->metadata), table->id);
}

static bool job_guard_refuse(const struct job *job, const struct table *table, const char *what,
                             struct cql_error *error)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(job->id, id);
    bool has_name = job->name[0] != '\0';
    return cql_error_set(error, CQL_ERROR_INVALID,
                         "table %.*s.%.*s is written by the stream job %s%s%s: %s is refused while "
                         "it runs (if it will never go on: helenus stream stop %s)",
                         SLICE_TEXT(table->keyspace), SLICE_TEXT(table->name), has_name ? "'" : "",
                         has_name ? job->name : id, has_name ? "'" : "", what,
                         has_name ? job->name : id);
}

bool job_guard_check(const struct query_processor *processor, const struct table *table,
                     const char *what, struct cql_error *error)
{
    if (!table->is_counter) return true;
    const struct job *job = job_guard_writer(processor, table);
    return job == NULL || job_guard_refuse(job, table, what, error);
}

bool job_guard_check_column(const struct query_processor *processor, const struct table *table,
                            struct slice column, struct cql_error *error)
{
    const struct job *job =
        jobs_find_column_writer(metadata_jobs(processor->metadata), table->id, column);
    return job == NULL || job_guard_refuse(job, table, "dropping its counter", error);
}

bool job_guard_check_keyspace(const struct query_processor *processor,
                              const struct keyspace *keyspace, struct cql_error *error)
{
    const struct schema *schema = metadata_schema(processor->metadata);
    const struct table *table;
    for (size_t i = 0; (table = schema_table_at(schema, keyspace->name, i)) != NULL; i++) {
        const struct job *job = table->is_counter ? job_guard_writer(processor, table) : NULL;
        if (job != NULL)
            return job_guard_refuse(job, table, "changing its keyspace's replication", error);
    }
    return true;
}
