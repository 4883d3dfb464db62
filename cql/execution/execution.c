#include "cql/execution/execution.h"

#include "base/bytes.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/auth/permission.h"
#include "cql/execution/job_guard.h"
#include "cql/statement/analysis.h"
#include "cql/system/system_tables.h"
#include "cql/system/table_figures.h"

#include <xxhash.h>

enum {
    EXECUTION_ARENA_BLOCK_SIZE = 8192,
    EXECUTION_ARENA_KEPT_MAX = 64 * KIB,
    EXECUTION_ROWS_KEPT_MAX = 256 * KIB, // A larger buffer is not kept for the next execution.
    WARNINGS_MAX = 8,
};

void execution_init(struct execution *execution, struct query_processor *processor)
{
    *execution = (struct execution){.processor = processor};
    arena_init(&execution->arena, EXECUTION_ARENA_BLOCK_SIZE);
    arena_init(&execution->row_arena, EXECUTION_ARENA_BLOCK_SIZE);
    arena_init(&execution->step_arenas[0], EXECUTION_ARENA_BLOCK_SIZE);
    arena_init(&execution->step_arenas[1], EXECUTION_ARENA_BLOCK_SIZE);
    arena_init(&execution->candidate_arena, EXECUTION_ARENA_BLOCK_SIZE);
    buffer_init(&execution->result.rows, CQL_RESPONSE_SIZE_MAX);
}

void execution_deinit(struct execution *execution)
{
    struct execution_state *state = execution->state;
    if (state != NULL && state->abandon != NULL) state->abandon(execution);
    statement_unref(execution->statement);
    arena_deinit(&execution->arena);
    arena_deinit(&execution->row_arena);
    arena_deinit(&execution->step_arenas[0]);
    arena_deinit(&execution->step_arenas[1]);
    arena_deinit(&execution->candidate_arena);
    buffer_deinit(&execution->result.rows);
}

// What one execution needed is not kept for all that follow.
static void execution_trim(struct arena *arena)
{
    arena_reset(arena);
    if (arena_size(arena) > EXECUTION_ARENA_KEPT_MAX) arena_deinit(arena);
}

void execution_finish(struct execution *execution)
{
    statement_unref(execution->statement);
    execution->statement = NULL;
    execution->state = NULL;
    execution_trim(&execution->arena);
    execution_trim(&execution->row_arena);
    arena_deinit(&execution->step_arenas[0]);
    arena_deinit(&execution->step_arenas[1]);
    arena_deinit(&execution->candidate_arena);
    struct buffer *rows = &execution->result.rows;
    if (rows->capacity > EXECUTION_ROWS_KEPT_MAX) {
        buffer_deinit(rows);
        buffer_init(rows, CQL_RESPONSE_SIZE_MAX);
    }
}

int64_t execution_next_timestamp(struct query_processor *processor)
{
    int64_t now = env_wall_us(processor->env);
    if (now <= processor->last_timestamp_us) now = processor->last_timestamp_us + 1;
    processor->last_timestamp_us = now;
    return now;
}

// ---- The end ------------------------------------------------------------------------------------

static void execution_note_time(struct execution *execution)
{
    struct execution_state *state = execution->state;
    table_latency_record(state->timed,
                         env_monotonic_ns(execution->processor->env) - state->timed_ns);
    state->timed = NULL;
}

void execution_fail(struct execution *execution)
{
    if (execution->state->timed != NULL) execution_note_time(execution);
    execution->failed = true;
    execution->done(execution);
}

void execution_succeed(struct execution *execution, enum result_kind kind)
{
    if (execution->state->timed != NULL) execution_note_time(execution);
    execution->result.kind = kind;
    execution->done(execution);
}

void execution_set_error(struct execution *execution, const struct coordinator_result *result,
                         bool is_write, const char *write_type)
{
    const struct query_processor *processor = execution->processor;
    cql_error_set_from_result(&execution->error, result, is_write, write_type);
    if (result->fault_count > 0 && processor->system_tables != NULL)
        cql_error_set_fault_addresses(&execution->error, metadata_topology(processor->metadata),
                                      system_tables_address(processor->system_tables));
}

bool execution_check(struct execution *execution, const struct coordinator_result *result,
                     bool is_write, const char *write_type)
{
    if (result->outcome == COORDINATOR_OK) return true;
    execution_set_error(execution, result, is_write, write_type);
    execution_fail(execution);
    return false;
}

void execution_add_warning(struct execution *execution, const char *warning)
{
    struct result *result = &execution->result;
    if (result->warning_count == WARNINGS_MAX) return;
    const char **warnings = ARENA_NEW_ARRAY(&execution->arena, const char *, WARNINGS_MAX);
    for (size_t i = 0; i < result->warning_count; i++)
        warnings[i] = result->warnings[i];
    warnings[result->warning_count++] = warning;
    result->warnings = warnings;
}

void execution_put_value(struct execution *execution, struct slice value)
{
    uint8_t *at = buffer_reserve(&execution->result.rows, 4 + value.size);
    if (at == NULL) return;
    bytes_put_u32(at, slice_is_null(value) ? UINT32_MAX : (uint32_t)value.size);
    if (value.size > 0) memcpy(at + 4, value.data, value.size);
}

void execution_put_text(struct execution *execution, const char *text)
{
    execution_put_value(execution, slice_of_text(text));
}

// ---- The beginning ------------------------------------------------------------------------------

static void execution_begin(struct execution *execution, struct statement *statement,
                            const struct query_options *options,
                            void (*done)(struct execution *execution))
{
    statement_unref(execution->statement);
    if (statement != NULL) statement_ref(statement);
    execution->done = done;
    execution->statement = statement;
    execution->options = options;
    execution->failed = execution->is_canceled = false;
    arena_reset(&execution->arena);
    struct buffer rows = execution->result.rows;
    buffer_clear(&rows);
    execution->result = (struct result){.rows = rows};
    struct execution_state *state = ARENA_NEW(&execution->arena, struct execution_state);
    execution->state = state;
    state->now_us = env_wall_us(execution->processor->env);
    state->now_s = options->has_now ? options->now_s : (int32_t)(state->now_us / 1000000);
    state->binding = (struct binding){execution->processor, options->values, &execution->arena,
                                      &execution->error};
}

// Where a name is, or may be put, in a table of `capacity` places, a power of two: its value's
// number and one, or 0.
static uint32_t *execution_find_name(const struct query_options *options, uint32_t *table,
                                     size_t capacity, struct slice name)
{
    size_t at = (size_t)XXH3_64bits(name.data, name.size) & (capacity - 1);
    while (table[at] != 0 && !slice_equals(options->value_names[table[at] - 1], name))
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

// Values by name: each marker takes the first value of its name. Both may be 65,535.
static bool execution_match_names(struct execution *execution)
{
    const struct query_options *options = execution->options;
    const struct statement *statement = execution->statement;
    struct bound_value *values =
        ARENA_NEW_ARRAY(&execution->arena, struct bound_value, (size_t)statement->marker_count + 1);
    size_t capacity = 8;
    while (capacity < 2 * options->value_count)
        capacity *= 2;
    uint32_t *table = ARENA_NEW_ARRAY(&execution->arena, uint32_t, capacity);
    for (size_t i = 0; i < options->value_count; i++) {
        uint32_t *place = execution_find_name(options, table, capacity, options->value_names[i]);
        if (*place == 0) *place = (uint32_t)i + 1;
    }
    for (uint16_t i = 0; i < statement->marker_count; i++) {
        uint32_t number =
            *execution_find_name(options, table, capacity, statement->markers[i].name);
        if (number == 0)
            return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                                 "Invalid amount of bind variables");
        values[i] = options->values[number - 1];
    }
    execution->state->binding.values = values;
    return true;
}

static bool execution_check_values(struct execution *execution)
{
    const struct query_options *options = execution->options;
    const struct statement *statement = execution->statement;
    if (options->value_names != NULL) {
        if (!execution_match_names(execution)) return false;
    } else if (options->value_count != statement->marker_count) {
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "there were %d markers(?) in CQL but %zu bound variables",
                             statement->marker_count, options->value_count);
    }
    const struct json_insert *inserts = statement->plan->json_inserts;
    return inserts == NULL ||
           json_insert_bind(inserts, statement->marker_count, &execution->state->binding);
}

static void execution_use(struct execution *execution)
{
    struct slice keyspace = execution->statement->plan->ast->use;
    if (analysis_lookup_keyspace(execution->processor, keyspace) == NULL) {
        cql_error_set(&execution->error, CQL_ERROR_INVALID, "Keyspace '%.*s' does not exist",
                      SLICE_TEXT(keyspace));
        execution_fail(execution);
        return;
    }
    execution->result.keyspace = keyspace;
    execution_succeed(execution, RESULT_SET_KEYSPACE);
}

// Whether the user may do it, in the roles of now.
static bool execution_is_permitted(struct execution *execution, const struct statement *statement)
{
    const struct permission_user user = {execution->processor, execution->options->user,
                                         &execution->arena, &execution->error};
    return execution->processor->auth == NULL || permission_check(&user, statement);
}

// The run is counted for its table, and timed if it is one of those.
static void execution_count(struct execution *execution, enum table_latency_kind kind)
{
    struct table_figures *figures = execution->statement->figures;
    if (figures == NULL || !table_latency_count(&figures->latencies[kind])) return;
    execution->state->timed = &figures->latencies[kind];
    execution->state->timed_ns = env_monotonic_ns(execution->processor->env);
}

static void execution_run(struct execution *execution)
{
    switch (execution->statement->kind) {
    case STATEMENT_SELECT:
        execution_count(execution, execution->statement->plan->select.restrictions.keys_are_complete
                                       ? TABLE_LATENCY_READ
                                       : TABLE_LATENCY_SCAN);
        execution_select_start(execution);
        break;
    case STATEMENT_MODIFICATION:
        execution_count(execution, TABLE_LATENCY_WRITE);
        execution_modification_start(execution);
        break;
    case STATEMENT_BATCH:
        execution_batch_start(execution);
        break;
    case STATEMENT_USE:
        execution_use(execution);
        break;
    case STATEMENT_TRUNCATE:
        execution_truncate_start(execution);
        break;
    case STATEMENT_SCHEMA:
        execution_schema_start(execution);
        break;
    case STATEMENT_DESCRIBE:
        execution_describe_start(execution);
        break;
    case STATEMENT_ROLE:
        execution_role_start(execution);
        break;
    }
}

void execution_start(struct execution *execution, struct statement *statement,
                     const struct query_options *options, void (*done)(struct execution *execution))
{
    execution_begin(execution, statement, options, done);
    if (!execution_is_permitted(execution, statement) || !execution_check_values(execution))
        execution_fail(execution);
    else if (job_guard_has_to_ask(execution->processor, statement))
        job_guard_ask(execution, execution_run);
    else
        execution_run(execution);
}

static void execution_run_entries(struct execution *execution)
{
    const struct execution_state *state = execution->state;
    execution_entries_start(execution, state->batch_type, state->entries, state->entry_count);
}

void execution_start_batch(struct execution *execution, int type, const struct batch_entry *entries,
                           size_t count, const struct query_options *options,
                           void (*done)(struct execution *execution))
{
    execution_begin(execution, NULL, options, done);
    struct execution_state *state = execution->state;
    state->batch_type = type;
    state->entries = entries;
    state->entry_count = count;
    bool has_to_ask = false;
    for (size_t i = 0; i < count; i++) {
        if (execution_is_permitted(execution, entries[i].statement)) continue;
        execution_fail(execution);
        return;
    }
    for (size_t i = 0; i < count && !has_to_ask; i++)
        has_to_ask = job_guard_has_to_ask(execution->processor, entries[i].statement);
    if (has_to_ask)
        job_guard_ask(execution, execution_run_entries);
    else
        execution_run_entries(execution);
}

// ---- TRUNCATE -----------------------------------------------------------------------------------

struct truncation {
    struct metadata_schema_change settling;
    struct coordinator_truncate truncate;
    struct execution *execution;
};

static void execution_abandon_truncation(struct execution *execution)
{
    struct truncation *truncation = execution->state->work;
    coordinator_truncate_abandon(&truncation->truncate);
}

static void execution_abandon_settling(struct execution *execution)
{
    struct truncation *truncation = execution->state->work;
    metadata_schema_change_abandon(&truncation->settling);
}

static void execution_truncated(struct coordinator_truncate *truncate,
                                const struct coordinator_result *result)
{
    struct execution *execution = CONTAINER_OF(truncate, struct truncation, truncate)->execution;
    execution->state->abandon = NULL;
    if (result->outcome == COORDINATOR_OK) {
        execution_succeed(execution, RESULT_VOID);
        return;
    }
    // TruncateStatement wraps whatever it is; nodes that are down are found before anything is
    // done.
    if (result->outcome == COORDINATOR_UNAVAILABLE)
        cql_error_set(&execution->error, CQL_ERROR_TRUNCATE,
                      "Error during truncate: Cannot achieve consistency level ALL");
    else if (result->outcome == COORDINATOR_TIMED_OUT)
        cql_error_set(&execution->error, CQL_ERROR_TRUNCATE,
                      "Error during truncate: Truncate timed out - received only %d responses",
                      result->received);
    else
        cql_error_set(&execution->error, CQL_ERROR_TRUNCATE,
                      "Error during truncate: a node could not truncate");
    execution_fail(execution);
}

// The table, if it may be truncated now; NULL, and the execution has failed.
static const struct table *execution_find_truncated(struct execution *execution)
{
    const struct table *table = execution->statement->plan->truncate;
    // It may have been dropped since the statement was prepared.
    const struct table *present =
        analysis_lookup_table(execution->processor, table->keyspace, table->name);
    if (present == NULL)
        cql_error_set(&execution->error, CQL_ERROR_INVALID, "table %.*s does not exist",
                      SLICE_TEXT(table->name));
    else if (table->is_virtual)
        cql_error_set(&execution->error, CQL_ERROR_INVALID,
                      "Truncation is not supported by table %.*s.%.*s", SLICE_TEXT(table->keyspace),
                      SLICE_TEXT(table->name));
    else if (job_guard_check(execution->processor, present, "TRUNCATE", &execution->error))
        return present;
    execution_fail(execution);
    return NULL;
}

static void execution_truncate(struct truncation *truncation, const struct table *table)
{
    struct execution *execution = truncation->execution;
    execution->state->abandon = execution_abandon_truncation;
    coordinator_truncate_start(execution->processor->coordinator, &truncation->truncate, table->id,
                               execution_truncated);
}

// A job may have been submitted meanwhile, or the table dropped.
static void execution_has_settled(struct metadata_schema_change *change, enum status status)
{
    struct truncation *truncation = CONTAINER_OF(change, struct truncation, settling);
    (void)status; // Who has not heard of it in time refuses (ring/coordinator/replica_truncate.h).
    truncation->execution->state->abandon = NULL;
    const struct table *table = execution_find_truncated(truncation->execution);
    if (table != NULL) execution_truncate(truncation, table);
}

void execution_truncate_start(struct execution *execution)
{
    const struct table *table = execution_find_truncated(execution);
    if (table == NULL) return;
    struct truncation *truncation = ARENA_NEW(&execution->arena, struct truncation);
    truncation->execution = execution;
    execution->state->work = truncation;
    if (!job_guard_has_to_ask(execution->processor, execution->statement)) {
        execution_truncate(truncation, table);
        return;
    }
    // A member that does not know yet that the job is over would go on with it, from totals that it
    // no longer finds.
    execution->state->abandon = execution_abandon_settling;
    metadata_settle(execution->processor->metadata, &truncation->settling, execution_has_settled);
}
