#include "cql/protocol/request.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/protocol/request_trace.h"

#include <stdlib.h>

enum {
    ARENA_BLOCK_SIZE = 1024,
    KEPT_ARENA_SIZE_MAX = 16 * 1024, // Of a request in the pool.
    POOL_COUNT_MAX = 256,
};

struct request {
    struct connection *connection;
    struct request *next, **place; // In the connection's list; in the pool only `next`.
    int16_t stream;
    size_t size;        // What it counts in shared->request_size.
    struct arena arena; // The body, values, batch entries.
    struct statement *statement;
    struct batch_entry *entries; // BATCH: with a reference to each statement.
    size_t entry_count;
    enum message_metadata metadata;
    uint8_t metadata_id[PREPARED_ID_SIZE];
    struct query_options options;
    struct trace *trace; // NULL: nobody wants to know.
    bool tells_session;  // It is the client who wants to.
    struct execution execution;
};

// ---- The pool ----------------------------------------------------------------------------------

static struct request *acquire(struct connection *connection, const struct frame *frame)
{
    struct connection_shared *shared = connection->shared;
    struct request *request = shared->free_requests;
    if (request != NULL) {
        shared->free_requests = request->next;
        shared->free_request_count--;
    } else {
        request = calloc(1, sizeof *request);
        ASSERT(request != NULL);
        arena_init(&request->arena, ARENA_BLOCK_SIZE);
        execution_init(&request->execution, shared->processor);
    }
    request->connection = connection;
    request->stream = frame->stream;
    request->statement = NULL;
    request->entries = NULL;
    request->entry_count = 0;
    request->metadata = MESSAGE_METADATA_FULL;
    request->trace = NULL;
    request->tells_session = (frame->flags & FRAME_FLAG_TRACING) != 0;
    if (request->tells_session || shared->processor->sampling != NULL)
        request->trace = request_trace_begin(connection, request->tells_session);
    request->tells_session = request->tells_session && request->trace != NULL;
    request->next = connection->requests;
    request->place = &connection->requests;
    if (request->next != NULL) request->next->place = &request->next;
    connection->requests = request;
    connection->request_count++;
    connection->requests_taken++;
    request->size = sizeof *request + frame->body.size;
    shared->request_size += request->size;
    shared->request_count++;
    return request;
}

static void count(struct request *request, size_t size)
{
    request->size += size;
    request->connection->shared->request_size += size;
}

// What was made of the text counts as well: a syntax tree is many times as large.
static void count_statement(struct request *request, const struct statement *statement)
{
    count(request, arena_size(&statement->arena));
}

// Likewise what was made of the body: a value of no bytes is one of four there. Before anything
// else is counted.
static void count_decoded(struct request *request)
{
    size_t size = sizeof *request + arena_size(&request->arena);
    if (size > request->size) count(request, size - request->size);
}

static void destroy(struct request *request)
{
    execution_deinit(&request->execution);
    arena_deinit(&request->arena);
    free(request);
}

static void let_go(struct request *request)
{
    struct connection *connection = request->connection;
    struct connection_shared *shared = connection->shared;
    statement_unref(request->statement);
    for (size_t i = 0; i < request->entry_count; i++)
        statement_unref(request->entries[i].statement);
    *request->place = request->next;
    if (request->next != NULL) request->next->place = request->place;
    connection->request_count--;
    shared->request_size -= request->size;
    shared->request_count--;
}

static void release(struct request *request)
{
    struct connection *connection = request->connection;
    struct connection_shared *shared = connection->shared;
    if (request->trace != NULL) tracing_end(request->trace);
    let_go(request);
    if (shared->free_request_count >= POOL_COUNT_MAX) {
        destroy(request);
    } else {
        arena_reset(&request->arena);
        if (arena_size(&request->arena) > KEPT_ARENA_SIZE_MAX) {
            arena_deinit(&request->arena);
            arena_init(&request->arena, ARENA_BLOCK_SIZE);
        }
        request->next = shared->free_requests;
        shared->free_requests = request;
        shared->free_request_count++;
    }
    connection_request_ended(connection);
}

void request_cancel_all(struct connection *connection)
{
    for (struct request *request = connection->requests; request != NULL; request = request->next)
        request->execution.is_canceled = true;
}

void request_abandon_all(struct connection *connection)
{
    while (connection->requests != NULL) {
        struct request *request = connection->requests;
        let_go(request);
        destroy(request);
    }
}

void request_pool_deinit(struct connection_shared *shared)
{
    while (shared->free_requests != NULL) {
        struct request *request = shared->free_requests;
        shared->free_requests = request->next;
        destroy(request);
    }
    shared->free_request_count = 0;
}

// ---- Answers -----------------------------------------------------------------------------------

// The session's id comes before all else of the body.
static struct buffer *begin_answer(struct request *request, uint8_t opcode, uint8_t flags)
{
    if (request->tells_session) flags |= FRAME_FLAG_TRACING;
    struct buffer *body =
        connection_begin_response(request->connection, request->stream, opcode, flags);
    if (body != NULL && request->tells_session) uuid_put(body, tracing_session(request->trace));
    return body;
}

static void send_error(struct request *request, const struct cql_error *error)
{
    struct connection *connection = request->connection;
    if (!request->tells_session) {
        connection_send_error(connection, request->stream, error);
        return;
    }
    connection->shared->statistics.errors++;
    struct buffer *body = begin_answer(request, OPCODE_ERROR, 0);
    if (body == NULL) return;
    message_put_error(body, connection->version, error);
    (void)connection_end_response(connection);
}

static void answer_error(struct request *request, const struct cql_error *error)
{
    send_error(request, error);
    release(request);
}

static void answer_result(struct request *request, const struct result *result)
{
    struct connection *connection = request->connection;
    bool warns = result->warning_count > 0 && connection->version >= 4;
    struct buffer *body = begin_answer(request, OPCODE_RESULT, warns ? FRAME_FLAG_WARNING : 0);
    if (body == NULL) return;
    if (warns) message_put_warnings(body, result->warnings, result->warning_count);
    message_put_result(body, connection->version, result, request->metadata, request->metadata_id);
    if (connection_end_response(connection)) return;
    struct cql_error error;
    cql_error_set(&error, CQL_ERROR_INVALID,
                  "The result is larger than %u MiB; ask for it in pages",
                  CQL_RESPONSE_SIZE_MAX / MIB);
    send_error(request, &error);
}

static void execution_done(struct execution *execution)
{
    struct request *request = CONTAINER_OF(execution, struct request, execution);
    struct connection *connection = request->connection;
    if (execution->failed) {
        send_error(request, &execution->error);
    } else {
        const struct result *result = &execution->result;
        if (result->kind == RESULT_SET_KEYSPACE && result->keyspace.size < CQL_NAME_SIZE_MAX) {
            memcpy(connection->keyspace, result->keyspace.data, result->keyspace.size);
            connection->keyspace_size = result->keyspace.size;
        }
        // Conditional writes answer rows that no PREPARE described.
        if (request->statement == NULL || request->statement->kind != STATEMENT_SELECT)
            request->metadata = MESSAGE_METADATA_FULL;
        answer_result(request, result);
    }
    execution_finish(execution);
    release(request);
}

// ---- Starting ----------------------------------------------------------------------------------

static struct slice current_keyspace(struct request *request, struct slice of_message)
{
    if (!slice_is_null(of_message)) return of_message;
    const struct connection *connection = request->connection;
    if (connection->keyspace_size == 0) return slice_make("", 0);
    // A copy: another request may change the connection's own.
    return arena_copy(&request->arena, slice_make(connection->keyspace, connection->keyspace_size));
}

static struct slice current_user(const struct request *request)
{
    const struct connection *connection = request->connection;
    return slice_make(connection->user, connection->user_size);
}

static bool check_page_size(const struct message_query *query, struct cql_error *error)
{
    if (!query->page_size_is_zero) return true;
    return cql_error_set(error, CQL_ERROR_PROTOCOL, "The page size cannot be 0");
}

// Runs a statement that the request now holds.
static void execute(struct request *request, const struct message_query *query)
{
    request->options = query->options;
    request->options.keyspace = current_keyspace(request, query->options.keyspace);
    request->options.user = current_user(request);
    request->execution.trace = request->trace;
    execution_start(&request->execution, request->statement, &request->options, execution_done);
}

static enum request_outcome start_query(struct request *request, struct slice body,
                                        struct cql_error *error)
{
    struct connection *connection = request->connection;
    struct message_query query;
    if (!message_decode_query(body, connection->version, &request->arena, &query, error))
        return REQUEST_MALFORMED;
    connection->shared->statistics.queries++;
    count_decoded(request);
    if (request->trace != NULL) request_trace_query(request->trace, &query);
    struct slice keyspace = current_keyspace(request, query.options.keyspace);
    if (!check_page_size(&query, error) ||
        !statement_prepare(connection->shared->processor, query.text, keyspace, &request->statement,
                           error)) {
        answer_error(request, error);
        return REQUEST_STARTED;
    }
    count_statement(request, request->statement);
    if (query.options.value_names == NULL &&
        query.options.value_count != request->statement->marker_count) {
        cql_error_set(error, CQL_ERROR_INVALID, "Invalid amount of bind variables");
        answer_error(request, error);
        return REQUEST_STARTED;
    }
    execute(request, &query);
    return REQUEST_STARTED;
}

static bool set_unprepared(struct cql_error *error, struct slice id)
{
    enum { SHOWN_MAX = 32 };
    char hex[2 * SHOWN_MAX + 1] = "";
    size_t shown = id.size < SHOWN_MAX ? id.size : SHOWN_MAX;
    for (size_t i = 0; i < shown; i++) {
        static const char digits[] = "0123456789abcdef";
        hex[2 * i] = digits[id.data[i] >> 4];
        hex[2 * i + 1] = digits[id.data[i] & 15];
    }
    cql_error_set(error, CQL_ERROR_UNPREPARED,
                  "Prepared query with ID %s not found (either the query was not prepared on this "
                  "host (maybe the host has been restarted?) or you have prepared too many queries "
                  "and it has been evicted from the internal cache)",
                  hex);
    memset(error->prepared_id, 0, sizeof error->prepared_id);
    memcpy(error->prepared_id, id.data,
           id.size < sizeof error->prepared_id ? id.size : sizeof error->prepared_id);
    return false;
}

// What an EXECUTE's answer says of its columns (§6.4).
static void choose_metadata(struct request *request, const struct prepared *prepared,
                            const struct message_query *query)
{
    // Rows of a conditional statement have other columns each time: never without them.
    if (prepared->statement->kind != STATEMENT_SELECT) return;
    struct slice current = slice_make(prepared->metadata_id, PREPARED_ID_SIZE);
    if (request->connection->version >= 5 && !slice_equals(query->result_metadata_id, current)) {
        request->metadata = MESSAGE_METADATA_CHANGED;
        memcpy(request->metadata_id, prepared->metadata_id, PREPARED_ID_SIZE);
    } else if (query->skip_metadata) {
        request->metadata = MESSAGE_METADATA_NONE;
    }
}

static enum request_outcome start_execute(struct request *request, struct slice body,
                                          struct cql_error *error)
{
    struct connection *connection = request->connection;
    struct message_query query;
    if (!message_decode_execute(body, connection->version, &request->arena, &query, error))
        return REQUEST_MALFORMED;
    connection->shared->statistics.executions++;
    count_decoded(request);
    const struct prepared *prepared = prepared_cache_find(connection->shared->prepared, query.id);
    bool can_run = prepared != NULL || set_unprepared(error, query.id);
    can_run = can_run && check_page_size(&query, error);
    if (can_run && query.options.value_names == NULL &&
        query.options.value_count != prepared->statement->marker_count)
        can_run = cql_error_set(
            error, CQL_ERROR_INVALID, "there were %d markers(?) in CQL but %d bound variables",
            (int)prepared->statement->marker_count, (int)query.options.value_count);
    if (!can_run) {
        answer_error(request, error);
        return REQUEST_STARTED;
    }
    choose_metadata(request, prepared, &query);
    if (request->trace != NULL) request_trace_execute(request->trace, prepared->statement, &query);
    request->statement = prepared->statement;
    statement_ref(request->statement);
    execute(request, &query);
    return REQUEST_STARTED;
}

static enum request_outcome start_prepare(struct request *request, struct slice body,
                                          struct cql_error *error)
{
    struct connection *connection = request->connection;
    struct message_prepare message;
    if (!message_decode_prepare(body, connection->version, &message, error))
        return REQUEST_MALFORMED;
    connection->shared->statistics.prepares++;
    if (request->trace != NULL) request_trace_prepare(request->trace, message.text);
    const struct prepared *prepared =
        prepared_cache_prepare(connection->shared->prepared, connection->shared->processor,
                               message.text, current_keyspace(request, message.keyspace), error);
    if (prepared == NULL) {
        answer_error(request, error);
        return REQUEST_STARTED;
    }
    struct buffer *response = begin_answer(request, OPCODE_RESULT, 0);
    if (response != NULL) {
        message_put_prepared(response, connection->version, prepared->statement, prepared->id,
                             prepared->metadata_id);
        (void)connection_end_response(connection);
    }
    release(request);
    return REQUEST_STARTED;
}

// ---- BATCH -------------------------------------------------------------------------------------

// One more statement for the request, which then holds it.
static bool add_entry(struct request *request, const struct message_batch_entry *from,
                      struct slice keyspace, size_t *text_size, struct cql_error *error)
{
    struct connection_shared *shared = request->connection->shared;
    struct batch_entry *entry = &request->entries[request->entry_count];
    entry->values = from->values;
    entry->value_count = from->value_count;
    if (from->is_prepared) {
        const struct prepared *prepared = prepared_cache_find(shared->prepared, from->text_or_id);
        if (prepared == NULL) return set_unprepared(error, from->text_or_id);
        entry->statement = prepared->statement;
        statement_ref(entry->statement);
    } else {
        if (!statement_prepare(shared->processor, from->text_or_id, keyspace, &entry->statement,
                               error))
            return false;
        *text_size += arena_size(&entry->statement->arena);
        count_statement(request, entry->statement);
    }
    request->entry_count++;
    if (*text_size > CQL_BATCH_SIZE_MAX)
        return cql_error_set(error, CQL_ERROR_INVALID, "Batch too large");
    if (from->value_count != entry->statement->marker_count)
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "There were %d markers(?) in CQL but %d bound variables",
                             (int)entry->statement->marker_count, (int)from->value_count);
    if (entry->statement->kind != STATEMENT_MODIFICATION)
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Invalid statement in batch: only UPDATE, INSERT and DELETE "
                             "statements are allowed.");
    return true;
}

static enum request_outcome start_batch(struct request *request, struct slice body,
                                        struct cql_error *error)
{
    struct connection *connection = request->connection;
    struct message_batch batch;
    if (!message_decode_batch(body, connection->version, &request->arena, &batch, error))
        return REQUEST_MALFORMED;
    connection->shared->statistics.batches++;
    if (request->trace != NULL) request_trace_batch(request->trace, &batch.options);
    if (batch.count == 0) {
        answer_result(request, &(struct result){.kind = RESULT_VOID});
        release(request);
        return REQUEST_STARTED;
    }
    request->options = batch.options;
    request->options.keyspace = current_keyspace(request, batch.options.keyspace);
    request->options.user = current_user(request);
    request->entries = arena_alloc(&request->arena, batch.count * sizeof *request->entries);
    count_decoded(request);
    size_t text_size = 0;
    for (size_t i = 0; i < batch.count; i++) {
        if (!add_entry(request, &batch.entries[i], request->options.keyspace, &text_size, error)) {
            answer_error(request, error);
            return REQUEST_STARTED;
        }
    }
    request->execution.trace = request->trace;
    execution_start_batch(&request->execution, batch.type, request->entries, request->entry_count,
                          &request->options, execution_done);
    return REQUEST_STARTED;
}

enum request_outcome request_start(struct connection *connection, const struct frame *frame,
                                   struct cql_error *error)
{
    struct request *request = acquire(connection, frame);
    // Values point into the body, and the execution may outlive the bytes that were read.
    struct slice body = arena_copy(&request->arena, frame->body);
    enum request_outcome outcome = REQUEST_MALFORMED;
    switch (frame->opcode) {
    case OPCODE_QUERY:
        outcome = start_query(request, body, error);
        break;
    case OPCODE_PREPARE:
        outcome = start_prepare(request, body, error);
        break;
    case OPCODE_EXECUTE:
        outcome = start_execute(request, body, error);
        break;
    case OPCODE_BATCH:
        outcome = start_batch(request, body, error);
        break;
    default:
        ASSERT(false);
    }
    if (outcome == REQUEST_MALFORMED) release(request);
    return outcome;
}
