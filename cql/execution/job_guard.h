// What a client may not do to a table while a stream job counts into it: delete, truncate, drop the
// column (exactly-once.md, rule 13); or change who has copies of it (rule 14). The job's totals
// would come back, or half of them; or new replicas would answer without what the old ones have.
#ifndef CQL_EXECUTION_JOB_GUARD_H
#define CQL_EXECUTION_JOB_GUARD_H

#include "cql/statement/statement.h"

// False, with INVALID naming the job: an open one writes this table. `what` is as a client says it.
bool job_guard_check(const struct query_processor *processor, const struct table *table,
                     const char *what, struct cql_error *error);
bool job_guard_check_column(const struct query_processor *processor, const struct table *table,
                            struct slice column, struct cql_error *error);
// Before its replication changes. The metadata log looks again when it applies the change.
bool job_guard_check_keyspace(const struct query_processor *processor,
                              const struct keyspace *keyspace, struct cql_error *error);

#endif
