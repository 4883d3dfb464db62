// Executions among themselves: what the files execution*.c share. Others see statement.h.
#ifndef CQL_EXECUTION_EXECUTION_H
#define CQL_EXECUTION_EXECUTION_H

#include "cql/statement/plan.h"

// Lives in the execution's arena.
struct execution_state {
    struct binding binding; // Errors go to the execution.
    int64_t now_us;
    int32_t now_s;
    void *work;                  // The operation's own.
    struct table_latency *timed; // Where its time is noted at the end; NULL: nowhere.
    uint64_t timed_ns;           // Since when.
    // While the guard asks the others (job_guard.h): what comes next.
    void (*go_on)(struct execution *execution);
    int64_t asked_us; // When it began to ask, as a timestamp; 0: it had not to.
    // Of a BATCH message.
    int batch_type;
    const struct batch_entry *entries;
    size_t entry_count;
    // Frees what it holds beside its arenas when it will never end; NULL: nothing.
    void (*abandon)(struct execution *execution);
};

// The end. `execution_fail` after the error has been set.
void execution_fail(struct execution *execution);
void execution_succeed(struct execution *execution, enum result_kind kind);
// The error that a coordinator's result is.
void execution_set_error(struct execution *execution, const struct coordinator_result *result,
                         bool is_write, const char *write_type);
// Fails with what the coordinator says, unless it is OK.
bool execution_check(struct execution *execution, const struct coordinator_result *result,
                     bool is_write, const char *write_type);
void execution_add_warning(struct execution *execution, const char *warning);
// Around the start of an operation of the coordinator: what it does is part of the execution's
// story, if somebody wants that.
static inline void execution_trace_begin(const struct execution *execution)
{
    if (execution->trace != NULL)
        coordinator_trace(execution->processor->coordinator, execution->trace);
}

static inline void execution_trace_end(const struct execution *execution)
{
    if (execution->trace != NULL) coordinator_trace(execution->processor->coordinator, NULL);
}

// A value of a result row: i32 length, bytes; null is -1.
void execution_put_value(struct execution *execution, struct slice value);
void execution_put_text(struct execution *execution, const char *text);

// Microseconds, later than any this node gave before.
int64_t execution_next_timestamp(struct query_processor *processor);

void execution_select_start(struct execution *execution);
void execution_modification_start(struct execution *execution);
void execution_batch_start(struct execution *execution);
// The entries of a BATCH message.
void execution_entries_start(struct execution *execution, int type,
                             const struct batch_entry *entries, size_t count);
// Those of them that have IF: parts of one partition, each with its values. `plans` and `bindings`
// are copied.
void execution_conditional_start(struct execution *execution,
                                 const struct modification_plan *const *plans,
                                 const struct binding *bindings, size_t count, bool is_batch);
void execution_truncate_start(struct execution *execution);
void execution_schema_start(struct execution *execution);
void execution_describe_start(struct execution *execution);
void execution_role_start(struct execution *execution);
// LIST ROLES, USERS and PERMISSIONS, once they have been checked.
struct permission_user;
void execution_role_list(struct execution *execution, const struct permission_user *user);
// After CREATE: who made it gets all permissions on it, then the execution succeeds with `kind`.
void execution_role_permit_creator(struct execution *execution, enum result_kind kind,
                                   const struct slice *resources, size_t count);

// ---- Changes being collected --------------------------------------------------------------------

struct change_list {
    struct mutation *mutations;
    size_t mutation_count, mutation_capacity;
    struct counter_update *updates;
    size_t update_count, update_capacity;
    size_t row_count; // That all of them name.
};
// Counts what a statement names. False: it is too much, the binding's error is set.
bool change_list_count_rows(struct change_list *list, const struct binding *binding,
                            size_t key_count, size_t range_count);

// A list that an operation needs as it is: where it is, and its live cells, by path.
struct list_content {
    const struct column *column;
    struct partition_key key;
    struct clustering clustering; // Of a static column no matter.
    struct cell *cells;
    uint32_t count;
};

struct change_options {
    int64_t timestamp_us; // Unless the statement has its own.
    int32_t now_s;
    const struct list_content
        *lists; // As read before, when the plan reads_lists. Others are empty.
    size_t list_count;
};

// Reads the lists that some of the plans need (those that say reads_lists), one plan after the
// other, all as they are before any of them changes something. `go_on` comes once, maybe before
// this returns, unless the execution fails. The arrays stay valid until then.
void execution_lists_read(struct execution *execution, const struct modification_plan *const *plans,
                          const struct binding *bindings, size_t count,
                          void (*go_on)(struct execution *execution, void *context,
                                        const struct list_content *lists, size_t list_count),
                          void *context);

// USING TIMESTAMP, if the plan has it and it is not unset.
bool change_list_bind_timestamp(const struct modification_plan *plan, const struct binding *binding,
                                int64_t *timestamp);
// Adds what the statement changes. False: the binding's error is set.
bool change_list_add(struct change_list *list, const struct modification_plan *plan,
                     const struct binding *binding, const struct change_options *options);

#endif
