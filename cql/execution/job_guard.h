// What a client may not do to a table while a stream job counts into it: delete, truncate, drop the
// column (exactly-once.md, rule 13); or change who has copies of it (rule 14). The job's totals
// would come back, or half of them; or new replicas would answer without what the old ones have.
//
//     has_to_ask --no--> check
//          \--yes--> ask: what has this node missed of the log? --all of it is here--> check
//                                                            \--no majority answers--> refused
//
// A node may not have heard yet of a job that was submitted elsewhere: before it lets a deletion of
// counters or a truncation pass it asks a majority of the members, one of which knows. Changes of
// the schema need not ask, because the log looks again when it applies them. A truncation then
// waits until all members know that the job is over (execution_truncate_start()): one that does not
// would go on with it in the empty table. Deletions are newer than all that it may write.
#ifndef CQL_EXECUTION_JOB_GUARD_H
#define CQL_EXECUTION_JOB_GUARD_H

#include "cql/statement/statement.h"

// Whether others may know of a job that forbids this statement. False at once for whatever does not
// delete counters, and in a ring of one.
bool job_guard_has_to_ask(const struct query_processor *processor,
                          const struct statement *statement);
// Later `go_on`, when this node has what was in the log at the time of the call; or the execution
// fails. A deletion has its timestamp from before the question: what a job counts that is submitted
// meanwhile is newer.
void job_guard_ask(struct execution *execution, void (*go_on)(struct execution *execution));

// False, with INVALID naming the job: an open one writes this table. `what` is as a client says it.
bool job_guard_check(const struct query_processor *processor, const struct table *table,
                     const char *what, struct cql_error *error);
bool job_guard_check_column(const struct query_processor *processor, const struct table *table,
                            struct slice column, struct cql_error *error);
// Before its replication changes. The metadata log looks again when it applies the change.
bool job_guard_check_keyspace(const struct query_processor *processor,
                              const struct keyspace *keyspace, struct cql_error *error);

#endif
