// When a read asks one more replica, a write sends one more hint: "99p", "50ms", "MIN(99p,50ms)",
// "NEVER", "ALWAYS" (org.apache.cassandra.service.reads.SpeculativeRetryPolicy and its kinds).
#ifndef CQL_EXECUTION_SPECULATIVE_RETRY_H
#define CQL_EXECUTION_SPECULATIVE_RETRY_H

#include "base/arena.h"
#include "cql/cql_error.h"

// Of both options, speculative_retry and additional_write_policy: Cassandra's errors name the first
// for either.
bool speculative_retry_check(struct arena *arena, const char *text, struct cql_error *error);

#endif
