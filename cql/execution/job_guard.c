#include "cql/execution/job_guard.h"

#include "cql/statement/analysis.h"
#include "ring/metadata/metadata.h"

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
    const struct job *job = job_guard_writer(processor, table);
    return job == NULL || !jobs_writes_column(job, table->id, column) ||
           job_guard_refuse(job, table, "dropping its counter", error);
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
