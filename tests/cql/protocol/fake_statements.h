// Statements that do what their text says, in place of cql/statement/statement.h's real ones, so
// that tests of the server decide when and how an execution ends. Included by one file of a
// program: its functions are the ones that the server links with.
//
//     VOID …              answers VOID at once            VOID ?, ? has two markers
//     LATER …             waits for fake_end_waiting()
//     ROWS n              n rows of one int column "i" of ks.t; "ROWS n WARN" with a warning
//     BLOB n              one row of n bytes
//     USE name            SET_KEYSPACE
//     WHERE AM I          one row: the current keyspace
//     UPDATED             SCHEMA_CHANGE of ks.t
//     FAIL                READ_TIMEOUT
//     SPIN n              VOID, after n us of work
// anything else is a syntax error. A "." in the text makes it one that names its keyspaces.
#ifndef TESTS_CQL_PROTOCOL_FAKE_STATEMENTS_H
#define TESTS_CQL_PROTOCOL_FAKE_STATEMENTS_H

#include "base/assert.h"
#include "cql/protocol/request_trace.h"
#include "cql/statement/statement.h"

#include <stdio.h>
#include <stdlib.h>

struct statement_plan {
    char *text;
    bool is_stale;
};

static int fake_statement_count;               // That live.
static struct execution *fake_waiting[100000]; // LATER, in the order of their start.
static size_t fake_waiting_count;
static bool fake_all_are_stale;
static size_t fake_spin_count;
static struct metadata_listener *fake_listener;

bool statement_prepare(struct query_processor *processor, struct slice text, struct slice keyspace,
                       struct statement **statement, struct cql_error *error)
{
    (void)processor;
    static const char *const known[] = {"VOID",       "LATER",   "ROWS", "BLOB", "USE",
                                        "WHERE AM I", "UPDATED", "FAIL", "SPIN"};
    const size_t known_count = sizeof known / sizeof known[0];
    size_t i = 0;
    while (i < known_count &&
           (text.size < strlen(known[i]) || memcmp(text.data, known[i], strlen(known[i])) != 0))
        i++;
    if (i == known_count)
        return cql_error_set(error, CQL_ERROR_SYNTAX, "line 1:0 no viable alternative");
    struct statement *made = calloc(1, sizeof *made);
    arena_init(&made->arena, 512);
    made->references = 1;
    made->kind = i == 2 || i == 3 || i == 5 ? STATEMENT_SELECT : STATEMENT_MODIFICATION;
    made->plan = ARENA_NEW(&made->arena, struct statement_plan);
    made->plan->text = arena_format(&made->arena, "%.*s", (int)text.size, (const char *)text.data);
    made->names_keyspaces = memchr(text.data, '.', text.size) != NULL;
    made->keyspace = arena_copy(&made->arena, keyspace);
    for (const char *at = made->plan->text; *at != '\0'; at++)
        if (*at == '?') made->marker_count++;
    struct column_spec *markers =
        ARENA_NEW_ARRAY(&made->arena, struct column_spec, made->marker_count);
    for (uint16_t m = 0; m < made->marker_count; m++)
        markers[m] = (struct column_spec){slice_of_text("ks"), slice_of_text("t"),
                                          slice_of_text("k"), type_of_kind(TYPE_INT)};
    made->markers = markers;
    static const uint16_t first[] = {0};
    made->partition_key_markers = first;
    made->partition_key_marker_count = made->marker_count > 0;
    struct column_spec *column = ARENA_NEW(&made->arena, struct column_spec);
    *column = (struct column_spec){slice_of_text("ks"), slice_of_text("t"), slice_of_text("i"),
                                   type_of_kind(i == 3   ? TYPE_BLOB
                                                : i == 5 ? TYPE_TEXT
                                                         : TYPE_INT)};
    made->result_columns = column;
    made->result_column_count = made->kind == STATEMENT_SELECT;
    fake_statement_count++;
    *statement = made;
    return true;
}

void statement_ref(struct statement *statement)
{
    statement->references++;
}

void statement_unref(struct statement *statement)
{
    if (statement == NULL || --statement->references > 0) return;
    fake_statement_count--;
    arena_deinit(&statement->arena);
    free(statement);
}

bool statement_is_stale(const struct statement *statement, const struct query_processor *processor)
{
    (void)statement;
    (void)processor;
    return fake_all_are_stale;
}

bool statement_is_outdated(const struct statement *statement,
                           const struct query_processor *processor_)
{
    (void)statement;
    (void)processor_;
    return false;
}

void execution_init(struct execution *execution, struct query_processor *processor)
{
    *execution = (struct execution){.processor = processor};
    arena_init(&execution->arena, 1024);
    buffer_init(&execution->result.rows, 512u * 1024 * 1024);
}

void execution_deinit(struct execution *execution)
{
    arena_deinit(&execution->arena);
    buffer_deinit(&execution->result.rows);
}

static inline void fake_set_rows(struct result *result, const struct statement *statement)
{
    result->kind = RESULT_ROWS;
    result->columns = statement->result_columns;
    result->column_count = 1;
}

static inline void fake_run(struct execution *execution)
{
    struct statement *statement = execution->statement;
    struct result *result = &execution->result;
    const char *text = statement->plan->text;
    static const char *const warnings[] = {"careful"};
    if (strncmp(text, "SPIN", 4) == 0) {
        uint64_t begun_ns = env_monotonic_ns(execution->processor->env);
        while (env_monotonic_ns(execution->processor->env) - begun_ns < 1000ull * atoi(text + 5)) {
        }
        fake_spin_count++;
    } else if (strncmp(text, "FAIL", 4) == 0) {
        execution->failed = true;
        cql_error_set(&execution->error, CQL_ERROR_READ_TIMEOUT, "Operation timed out");
        execution->error.result = (struct coordinator_result){.required = 1};
    } else if (strncmp(text, "ROWS", 4) == 0) {
        fake_set_rows(result, statement);
        result->row_count = (uint32_t)atoi(text + 5);
        for (uint32_t i = 0; i < result->row_count; i++) {
            buffer_put_u32(&result->rows, 4);
            buffer_put_u32(&result->rows, i);
        }
        if (strstr(text, "WARN") != NULL) {
            result->warnings = warnings;
            result->warning_count = 1;
        }
    } else if (strncmp(text, "BLOB", 4) == 0) {
        fake_set_rows(result, statement);
        result->row_count = 1;
        uint32_t size = (uint32_t)atoi(text + 5);
        buffer_put_u32(&result->rows, size);
        uint8_t *bytes = buffer_reserve(&result->rows, size);
        ASSERT(bytes != NULL);
        for (uint32_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(i * 7 ^ i >> 8);
    } else if (strncmp(text, "USE ", 4) == 0) {
        result->kind = RESULT_SET_KEYSPACE;
        result->keyspace = slice_of_text(text + 4);
    } else if (strncmp(text, "WHERE", 5) == 0) {
        fake_set_rows(result, statement);
        result->row_count = 1;
        buffer_put_u32(&result->rows, (uint32_t)execution->options->keyspace.size);
        buffer_put(&result->rows, execution->options->keyspace.data,
                   execution->options->keyspace.size);
    } else if (strncmp(text, "UPDATED", 7) == 0) {
        result->kind = RESULT_SCHEMA_CHANGE;
        result->change = "UPDATED";
        result->target = "TABLE";
        result->keyspace = slice_of_text("ks");
        result->name = slice_of_text("t");
    }
}

static inline void fake_begin(struct execution *execution, const struct query_options *options,
                              void (*done)(struct execution *execution))
{
    arena_reset(&execution->arena);
    struct buffer rows = execution->result.rows;
    buffer_clear(&rows);
    execution->result = (struct result){.kind = RESULT_VOID, .rows = rows};
    execution->failed = execution->is_canceled = false;
    execution->options = options;
    execution->done = done;
}

void execution_start(struct execution *execution, struct statement *statement,
                     const struct query_options *options, void (*done)(struct execution *execution))
{
    fake_begin(execution, options, done);
    execution->statement = statement;
    if (strncmp(statement->plan->text, "LATER", 5) == 0) {
        ASSERT(fake_waiting_count < sizeof fake_waiting / sizeof fake_waiting[0]);
        fake_waiting[fake_waiting_count++] = execution;
        return;
    }
    fake_run(execution);
    done(execution);
}

void execution_start_batch(struct execution *execution, int type, const struct batch_entry *entries,
                           size_t count, const struct query_options *options,
                           void (*done)(struct execution *execution))
{
    (void)type;
    ASSERT(count > 0 && entries[0].statement != NULL);
    fake_begin(execution, options, done);
    execution->statement = NULL;
    done(execution);
}

void execution_finish(struct execution *execution)
{
    (void)execution;
}

// Ends what waits, the last first.
static inline void fake_end_waiting(void)
{
    while (fake_waiting_count > 0) {
        struct execution *execution = fake_waiting[--fake_waiting_count];
        execution->done(execution);
    }
}

void metadata_listen(struct metadata *metadata, struct metadata_listener *listener)
{
    (void)metadata;
    fake_listener = listener;
}

static struct topology fake_topology; // Of no member, unless a test gives it some.

const struct topology *metadata_topology(const struct metadata *metadata)
{
    (void)metadata;
    return &fake_topology;
}

// ---- Traces: nobody wants one ------------------------------------------------------------------

struct trace *request_trace_begin(struct connection *connection, bool is_asked)
{
    (void)connection, (void)is_asked;
    return NULL;
}

void request_trace_query(struct trace *trace, const struct message_query *query)
{
    (void)trace, (void)query;
}

void request_trace_prepare(struct trace *trace, struct slice text)
{
    (void)trace, (void)text;
}

void request_trace_execute(struct trace *trace, const struct statement *statement,
                           const struct message_query *query)
{
    (void)trace, (void)statement, (void)query;
}

void request_trace_batch(struct trace *trace, const struct query_options *options)
{
    (void)trace, (void)options;
}

void tracing_end(struct trace *trace)
{
    (void)trace;
}

struct uuid tracing_session(const struct trace *trace)
{
    (void)trace;
    return (struct uuid){{0}};
}

// ---- Roles --------------------------------------------------------------------------------------

static struct roles *fake_roles; // NULL, unless a test has logins.

const struct roles *metadata_roles(const struct metadata *metadata)
{
    (void)metadata;
    return fake_roles;
}

void metadata_unlisten(struct metadata *metadata, struct metadata_listener *listener)
{
    (void)metadata;
    ASSERT(fake_listener == listener);
    fake_listener = NULL;
}

#endif
