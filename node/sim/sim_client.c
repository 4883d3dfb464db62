#include "node/sim/sim_client.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/client/client.h"
#include "node/sim/operation.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

enum {
    IN_FLIGHT_MAX = 64,
    TEXT_SIZE_MAX = 1 << 20,
    ID_SIZE_MAX = 64,
    COMMENT_SIZE = 24 * 1024,
    ERROR_CAS_WRITE_UNKNOWN = 0x1700,
};

// What a new connection does before it is ready. The first are done until they were acknowledged
// once, for ever; the rest are prepared on each connection that does so. The last tables are a
// ring's.
static const char *const set_up[] = {
    "CREATE KEYSPACE IF NOT EXISTS sim WITH replication = "
    "{'class': 'SimpleStrategy', 'replication_factor': %d}",
    "CREATE TABLE IF NOT EXISTS sim.plain (key text, row int, s text static, v text, "
    "PRIMARY KEY (key, row))",
    "CREATE TABLE IF NOT EXISTS sim.truncated (key text, row int, s text static, v text, "
    "PRIMARY KEY (key, row)) WITH CLUSTERING ORDER BY (row DESC)",
    "CREATE INDEX IF NOT EXISTS plain_row ON sim.plain (row)",
    "CREATE INDEX IF NOT EXISTS truncated_row ON sim.truncated (row)",
    // Nothing is ever deleted from it, but hints for it grow old.
    "CREATE TABLE IF NOT EXISTS sim.counters (key text, row int, n counter, "
    "PRIMARY KEY (key, row)) WITH gc_grace_seconds = 3",
    "CREATE TABLE IF NOT EXISTS sim.batched (key text, row int, v text, PRIMARY KEY (key, row))",
    "CREATE TABLE IF NOT EXISTS sim.registers (key text PRIMARY KEY, v bigint)",
    "CREATE TABLE IF NOT EXISTS sim.expiring (key text, row int, v text, PRIMARY KEY (key, row))",
};
enum { SET_UP_COUNT = sizeof set_up / sizeof set_up[0], SET_UP_RING_COUNT = 3 };

enum prepared { PREPARED_INSERT, PREPARED_INCREMENT, PREPARED_SELECT, PREPARED_COUNT };
static const char *const prepared_texts[PREPARED_COUNT] = {
    "INSERT INTO sim.plain (key, row, v) VALUES (?, ?, ?) USING TIMESTAMP ?",
    "UPDATE sim.counters SET n = n + ? WHERE key = ? AND row = ?",
    "SELECT key, row, v FROM sim.plain WHERE key = ? AND row = ?",
};

static const char *const table_names[] = {"sim.plain",   "sim.truncated", "sim.counters", "",
                                          "sim.batched", "sim.registers", "sim.expiring"};

struct sim_connection {
    struct sim_clients *clients;
    size_t node;
    struct cql_client *client; // NULL between two.
    bool is_ready, prepares;
    size_t step; // Of the set-up.
    struct cql_client_request set_up_request;
    struct env_timer timer; // Connects anew.
    struct sim_request *requests;
    struct {
        uint8_t bytes[ID_SIZE_MAX];
        size_t size;
        uint8_t metadata_bytes[ID_SIZE_MAX];
        size_t metadata_size;
    } ids[PREPARED_COUNT];
};

struct sim_request {
    struct cql_client_request request;
    struct sim_request *next;
    struct sim_connection *connection; // NULL: it was not sent.
    struct sim_clients *clients;
    struct workload_operation *operation;
    struct buffer text, paging_state;
    enum prepared prepared; // PREPARED_COUNT: a text.
    int32_t page_size;
    uint64_t turn; // In which it was sent.
    struct env_timer timer;
};

struct sim_clients {
    struct env *env;
    struct env_address addresses[SIM_MACHINES_MAX];
    int replication_factor;
    size_t set_up_count;
    size_t preferred; // SIZE_MAX: none.
    struct random random;
    struct sim_clients_checks checks;
    bool tables_made;
    char last_error[256];
    size_t count;
    struct sim_connection *connections;
    struct sim_request *unsent;
};

static void client_fail(struct sim_clients *clients, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void client_fail(struct sim_clients *clients, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    clients->checks.failed(clients->checks.context, text);
}

// ---- Requests' ends ----------------------------------------------------------------------------

static void free_request(struct sim_request *request)
{
    struct sim_request **place =
        request->connection == NULL ? &request->clients->unsent : &request->connection->requests;
    while (*place != request)
        place = &(*place)->next;
    *place = request->next;
    env_timer_stop(request->clients->env, &request->timer);
    buffer_deinit(&request->text);
    buffer_deinit(&request->paging_state);
    free(request);
}

static void end_request(struct sim_request *request, enum workload_outcome outcome)
{
    struct workload_operation *operation = request->operation;
    free_request(request);
    operation->done(operation, outcome);
}

static void tell_not_sent(struct env_timer *timer)
{
    end_request(CONTAINER_OF(timer, struct sim_request, timer), WORKLOAD_NOT_SENT);
}

static void end_unsent(struct sim_request *request)
{
    struct sim_clients *clients = request->clients;
    if (request->connection != NULL) {
        struct sim_request **place = &request->connection->requests;
        while (*place != request)
            place = &(*place)->next;
        *place = request->next;
        request->connection = NULL;
        request->next = clients->unsent;
        clients->unsent = request;
    }
    env_timer_start(clients->env, &request->timer, NS_PER_MS, tell_not_sent);
}

// ---- Connections -------------------------------------------------------------------------------

static void connect_again(struct env_timer *timer);

static void connect_later(struct sim_connection *connection)
{
    struct sim_clients *clients = connection->clients;
    connection->is_ready = false;
    if (env_timer_is_started(&connection->timer)) return;
    env_timer_start(clients->env, &connection->timer,
                    random_below(&clients->random, 20 * NS_PER_MS), connect_again);
}

static void go_on_setting_up(struct sim_connection *connection);

static void set_up_is_done(struct cql_client_request *request, enum status status,
                           const struct answer *answer)
{
    struct sim_connection *connection =
        CONTAINER_OF(request, struct sim_connection, set_up_request);
    if (status != STATUS_OK || answer->opcode == OPCODE_ERROR) {
        connect_later(connection);
        return;
    }
    size_t set_up_count = connection->clients->set_up_count;
    if (connection->step >= set_up_count) {
        size_t prepared = connection->step - set_up_count;
        if (answer->id.size > ID_SIZE_MAX || answer->metadata_id.size > ID_SIZE_MAX) return;
        connection->ids[prepared].size = answer->id.size;
        memcpy(connection->ids[prepared].bytes, answer->id.data, answer->id.size);
        connection->ids[prepared].metadata_size = answer->metadata_id.size;
        if (answer->metadata_id.size > 0)
            memcpy(connection->ids[prepared].metadata_bytes, answer->metadata_id.data,
                   answer->metadata_id.size);
    }
    connection->step++;
    if (connection->step == set_up_count) connection->clients->tables_made = true;
    go_on_setting_up(connection);
}

static void go_on_setting_up(struct sim_connection *connection)
{
    enum status status;
    struct sim_clients *clients = connection->clients;
    struct cql_client_request *request = &connection->set_up_request;
    size_t set_up_count = clients->set_up_count;
    if (clients->tables_made && connection->step < set_up_count) connection->step = set_up_count;
    // In a ring one of them makes the tables: that one exists at one node, which is all that IF NOT
    // EXISTS asks for, does not say that the others know it.
    if (connection->step < set_up_count && set_up_count == SET_UP_COUNT &&
        connection != clients->connections) {
        connect_later(connection);
        return;
    }
    if (connection->step < set_up_count) {
        char text[256];
        const char *format = set_up[connection->step];
        if (connection->step == 0) // The only one that has something to fill in.
            (void)snprintf(text, sizeof text, set_up[0], clients->replication_factor);
        status = cql_client_query(connection->client, request,
                                  slice_of_text(connection->step == 0 ? text : format), NULL,
                                  set_up_is_done);
    } else if (connection->prepares && connection->step < set_up_count + PREPARED_COUNT) {
        status = cql_client_prepare(connection->client, request,
                                    slice_of_text(prepared_texts[connection->step - set_up_count]),
                                    set_up_is_done);
    } else {
        connection->is_ready = true;
        return;
    }
    if (status != STATUS_OK) connect_later(connection);
}

static void connected(void *context, enum status status, const struct error *error)
{
    struct sim_connection *connection = context;
    (void)error;
    connection->step = 0;
    if (status == STATUS_OK)
        go_on_setting_up(connection);
    else
        connect_later(connection);
}

static void connect_again(struct env_timer *timer)
{
    struct sim_connection *connection = CONTAINER_OF(timer, struct sim_connection, timer);
    struct sim_clients *clients = connection->clients;
    if (connection->client != NULL) cql_client_close(connection->client);
    connection->client = NULL;
    while (connection->requests != NULL)
        end_request(connection->requests, WORKLOAD_UNKNOWN);
    struct cql_client_options options = {
        .address = clients->addresses[connection->node],
        .version = random_chance(&clients->random, 0.5) ? 5 : 4,
        .lz4 = random_chance(&clients->random, 0.3),
        .in_flight_max = IN_FLIGHT_MAX,
        .timeout_ns = 3000 * NS_PER_MS,
    };
    connection->prepares = random_chance(&clients->random, 0.5);
    connection->client = cql_client_create(clients->env, &options, connected, connection);
}

// ---- Operations as CQL -------------------------------------------------------------------------

static void put_value(struct buffer *text, uint64_t stamp)
{
    buffer_put_u8(text, '\'');
    workload_value_put(stamp, text);
    buffer_put_u8(text, '\'');
}

// Some are long, so that the metadata log has to begin a new file now and then.
static void put_comment(struct buffer *text, const struct workload_operation *operation)
{
    uint64_t stamp = operation->stamp;
    bool is_long = operation->is_long || stamp % 3 == 0;
    buffer_put_u8(text, '\'');
    workload_value_put(stamp, text);
    buffer_put_u8(text, '!');
    for (size_t i = 0; is_long && i < COMMENT_SIZE / 16; i++)
        buffer_put_format(text, "%016zu", i);
    buffer_put_u8(text, '\'');
}

static void put_select(struct buffer *text, const struct workload_operation *operation)
{
    const char *name = table_names[operation->table];
    bool counts = operation->table == WORKLOAD_COUNTERS;
    bool whole = (operation->kind == WORKLOAD_READ_PARTITION || operation->kind == WORKLOAD_SCAN) &&
                 operation->table < WORKLOAD_TABLE_COUNT;
    buffer_put_format(text, "SELECT key, row, %s%s FROM %s", counts ? "n" : "v",
                      whole && !counts ? ", s" : "", name);
    if (operation->kind == WORKLOAD_READ_INDEX)
        buffer_put_format(text, " WHERE row = %zu", operation->row);
    else if (operation->kind != WORKLOAD_SCAN)
        buffer_put_format(text, " WHERE key = 'k%zu'", operation->partition);
    if (operation->kind == WORKLOAD_READ_ROW)
        buffer_put_format(text, " AND row = %zu", operation->row);
    if (operation->kind == WORKLOAD_READ_SLICE)
        buffer_put_format(text, " AND row >= %zu AND row < %zu", operation->row,
                          operation->row_end);
    if (operation->reversed && operation->kind != WORKLOAD_SCAN &&
        operation->kind != WORKLOAD_READ_INDEX)
        buffer_put_format(text, " ORDER BY row %s",
                          operation->table == WORKLOAD_TRUNCATED ? "ASC" : "DESC");
    if (operation->limit > 0)
        buffer_put_format(
            text, "%s LIMIT %zu",
            operation->kind == WORKLOAD_SCAN && !operation->limits_all ? " PER PARTITION" : "",
            operation->limit);
}

// A row each in three partitions: all of it is there, or nothing.
static void put_batch(struct buffer *text, const struct workload_operation *operation)
{
    buffer_put_format(text, "BEGIN BATCH ");
    for (size_t i = 0; i < WORKLOAD_BATCH_ROWS; i++) {
        buffer_put_format(text,
                          "INSERT INTO sim.batched (key, row, v) VALUES ('k%zu', %" PRIu64 ", ",
                          (operation->partition + i) % MODEL_PARTITIONS, operation->stamp);
        put_value(text, operation->stamp);
        buffer_put_format(text, "); ");
    }
    buffer_put_format(text, "APPLY BATCH");
}

static void put_text(struct buffer *text, const struct workload_operation *operation)
{
    const char *name = table_names[operation->table];
    size_t partition = operation->partition;
    switch (operation->kind) {
    case WORKLOAD_INSERT:
        buffer_put_format(text, "INSERT INTO %s (key, row, v) VALUES ('k%zu', %zu, ", name,
                          partition, operation->row);
        put_value(text, operation->stamp);
        buffer_put_format(text, ") USING TIMESTAMP %" PRIu64, operation->stamp);
        break;
    case WORKLOAD_INSERT_TTL:
        buffer_put_format(text, "INSERT INTO %s (key, row, v) VALUES ('k%zu', %zu, ", name,
                          partition, operation->row);
        put_value(text, operation->stamp);
        buffer_put_format(text, ") USING TIMESTAMP %" PRIu64 " AND TTL %d", operation->stamp,
                          operation->ttl_s);
        break;
    case WORKLOAD_SET_STATIC:
        buffer_put_format(text, "UPDATE %s USING TIMESTAMP %" PRIu64 " SET s = ", name,
                          operation->stamp);
        put_value(text, operation->stamp);
        buffer_put_format(text, " WHERE key = 'k%zu'", partition);
        break;
    case WORKLOAD_DELETE_ROW:
    case WORKLOAD_DELETE_RANGE:
    case WORKLOAD_DELETE_PARTITION:
        buffer_put_format(text, "DELETE FROM %s USING TIMESTAMP %" PRIu64 " WHERE key = 'k%zu'",
                          name, operation->stamp, partition);
        if (operation->kind == WORKLOAD_DELETE_ROW)
            buffer_put_format(text, " AND row = %zu", operation->row);
        if (operation->kind == WORKLOAD_DELETE_RANGE)
            buffer_put_format(text, " AND row >= %zu AND row < %zu", operation->row,
                              operation->row_end);
        break;
    case WORKLOAD_INCREMENT:
        buffer_put_format(text,
                          "UPDATE %s SET n = n + %" PRId64 " WHERE key = 'k%zu' AND row = %zu",
                          name, operation->delta, partition, operation->row);
        break;
    case WORKLOAD_TRUNCATE:
        buffer_put_format(text, "TRUNCATE %s", name);
        break;
    case WORKLOAD_CREATE_TABLE:
        buffer_put_format(
            text, "CREATE TABLE sim.x%zu (a int PRIMARY KEY, b text) WITH comment = ", partition);
        put_comment(text, operation);
        break;
    case WORKLOAD_ALTER_TABLE:
        buffer_put_format(text, "ALTER TABLE sim.x%zu WITH comment = ", partition);
        put_comment(text, operation);
        break;
    case WORKLOAD_DROP_TABLE:
        buffer_put_format(text, "DROP TABLE sim.x%zu", partition);
        break;
    case WORKLOAD_INSERT_BATCH:
        put_batch(text, operation);
        break;
    case WORKLOAD_INSERT_IF:
        buffer_put_format(text,
                          "INSERT INTO %s (key, v) VALUES ('k%zu', %" PRIu64 ") IF NOT EXISTS",
                          name, partition, operation->stamp);
        break;
    case WORKLOAD_UPDATE_IF:
        buffer_put_format(text, "UPDATE %s SET v = %" PRIu64 " WHERE key = 'k%zu' IF v = %" PRIu64,
                          name, operation->stamp, partition, operation->expected);
        break;
    case WORKLOAD_READ_SERIAL:
        buffer_put_format(text, "SELECT v FROM %s WHERE key = 'k%zu'", name, partition);
        break;
    case WORKLOAD_READ_SCHEMA:
        buffer_put_format(text, "SELECT table_name, comment FROM system_schema.tables "
                                "WHERE keyspace_name = 'sim'");
        break;
    default:
        put_select(text, operation);
        break;
    }
}

// ---- Answers -----------------------------------------------------------------------------------

static bool parse_number(struct slice text, char letter, uint64_t *number)
{
    if (text.size < 2 || text.data[0] != letter) return false;
    *number = 0;
    for (size_t at = 1; at < text.size; at++) {
        if (text.data[at] < '0' || text.data[at] > '9') return false;
        *number = *number * 10 + (text.data[at] - '0');
    }
    return true;
}

static bool has_static(const struct workload_operation *operation, size_t partition)
{
    for (size_t i = 0; i < operation->found_count; i++) {
        const struct workload_found *found = &operation->found[i];
        if (found->partition == partition && found->row == MODEL_STATIC) return true;
    }
    return false;
}

// A row of the data: key, row, value and maybe static value. False: nobody made this.
static bool take_row(struct workload_operation *operation, struct cursor *rows, uint32_t columns)
{
    uint64_t partition, stamp;
    struct slice key = answer_next_cell(rows), row = answer_next_cell(rows);
    struct slice value = answer_next_cell(rows);
    struct slice static_value = columns > 3 ? answer_next_cell(rows) : slice_null();
    if (!parse_number(key, 'k', &partition) || partition >= MODEL_PARTITIONS) return false;
    operation->came_count++;
    if (!slice_is_null(static_value) && !has_static(operation, partition)) {
        if (!workload_value_get(static_value, &stamp)) return false;
        workload_found_add(operation, partition, MODEL_STATIC, stamp);
    }
    if (slice_is_null(row)) return slice_is_null(value);
    if (row.size != 4) return false;
    if (bytes_get_u32(row.data) >= MODEL_ROWS && operation->table != WORKLOAD_BATCHED) return false;
    if (operation->table == WORKLOAD_COUNTERS) {
        if (value.size != 8) return false;
        stamp = bytes_get_u64(value.data);
    } else if (!workload_value_get(value, &stamp)) {
        return false;
    }
    workload_found_add(operation, partition, bytes_get_u32(row.data), stamp);
    return true;
}

static bool take_schema_row(struct workload_operation *operation, struct cursor *rows)
{
    struct slice name = answer_next_cell(rows), comment = answer_next_cell(rows);
    uint64_t number, stamp;
    if (!parse_number(name, 'x', &number)) return true; // Not one of these.
    const uint8_t *end = comment.size == 0 ? NULL : memchr(comment.data, '!', comment.size);
    if (end == NULL || number >= MODEL_PARTITIONS) return false;
    if (!workload_value_get(slice_make(comment.data, (size_t)(end - comment.data)), &stamp))
        return false;
    workload_found_add(operation, number, 0, stamp);
    return true;
}

// What a conditional statement or a serial read found: its last column is the value.
static bool take_condition(struct workload_operation *operation, const struct answer *answer)
{
    struct cursor rows = cursor_make(answer->rows);
    operation->applied = false;
    operation->seen = 0;
    if (operation->kind != WORKLOAD_READ_SERIAL) {
        if (answer->row_count != 1 || answer->columns.count == 0) return false;
        struct slice applied = answer_next_cell(&rows);
        if (applied.size != 1) return false;
        operation->applied = applied.data[0] != 0;
        if (operation->applied) return answer->columns.count == 1;
    } else if (answer->row_count != 1) {
        return answer->row_count == 0;
    }
    struct slice value = slice_null();
    bool has_value = operation->kind == WORKLOAD_READ_SERIAL || answer->columns.count > 1;
    for (uint32_t i = operation->kind == WORKLOAD_READ_SERIAL ? 0 : 1; i < answer->columns.count;
         i++)
        value = answer_next_cell(&rows);
    if (!has_value || slice_is_null(value)) return true;
    if (value.size != 8) return false;
    operation->seen = bytes_get_u64(value.data);
    return true;
}

static void take_rows(struct sim_request *request, const struct answer *answer)
{
    struct workload_operation *operation = request->operation;
    if (operation_is_conditional(operation->kind)) {
        if (!take_condition(operation, answer))
            client_fail(request->clients, "%s: an answer that makes no sense",
                        workload_kind_text(operation->kind));
        return;
    }
    uint32_t columns = answer->columns.count;
    if (columns == 0) columns = 3; // Left out: the prepared SELECT.
    struct cursor rows = cursor_make(answer->rows);
    for (uint32_t i = 0; i < answer->row_count; i++) {
        bool known = operation->kind == WORKLOAD_READ_SCHEMA ? take_schema_row(operation, &rows)
                                                             : take_row(operation, &rows, columns);
        if (known && !rows.failed) continue;
        client_fail(request->clients, "%s of table %d: a row that nobody made",
                    workload_kind_text(operation->kind), (int)operation->table);
        return;
    }
}

bool sim_clients_lack_nodes(const struct sim_clients *clients)
{
    // TRUNCATE has no error of its own for it.
    static const char lacks[] = "1003: Error during truncate: Cannot achieve consistency level";
    return strncmp(clients->last_error, "1000", 4) == 0 ||
           strncmp(clients->last_error, lacks, sizeof lacks - 1) == 0;
}

static enum workload_outcome outcome_of_error(struct sim_request *request,
                                              const struct answer *answer)
{
    bool is_schema = request->operation->table == WORKLOAD_SCHEMA;
    (void)snprintf(request->clients->last_error, sizeof request->clients->last_error, "%04x: %.*s",
                   (unsigned)answer->error_code, (int)answer->error_text.size,
                   (const char *)answer->error_text.data);
    if ((unsigned)answer->error_code == ERROR_CAS_WRITE_UNKNOWN) return WORKLOAD_UNKNOWN;
    switch (answer->error_code) {
    case CQL_ERROR_UNAVAILABLE:
    case CQL_ERROR_OVERLOADED:
        return WORKLOAD_REFUSED;
    case CQL_ERROR_TRUNCATE:
        return sim_clients_lack_nodes(request->clients) ? WORKLOAD_REFUSED : WORKLOAD_UNKNOWN;
    case CQL_ERROR_WRITE_TIMEOUT:
    case CQL_ERROR_READ_TIMEOUT:
    case CQL_ERROR_READ_FAILURE:
    case CQL_ERROR_WRITE_FAILURE:
        return WORKLOAD_UNKNOWN;
    case CQL_ERROR_SERVER: // The metadata log has failed.
        if (is_schema) return WORKLOAD_UNKNOWN;
        break;
    case CQL_ERROR_ALREADY_EXISTS:
    case CQL_ERROR_INVALID: // No such table.
    case CQL_ERROR_CONFIG:
        if (is_schema) return WORKLOAD_REFUSED;
        break;
    default:
        break;
    }
    client_fail(request->clients, "%s of table %d: error %s",
                workload_kind_text(request->operation->kind), (int)request->operation->table,
                request->clients->last_error);
    return WORKLOAD_UNKNOWN;
}

static enum status send_request(struct sim_request *request);

static void request_is_done(struct cql_client_request *base, enum status status,
                            const struct answer *answer)
{
    struct sim_request *request = CONTAINER_OF(base, struct sim_request, request);
    if (status != STATUS_OK) {
        connect_later(request->connection);
        end_request(request, WORKLOAD_UNKNOWN);
        return;
    }
    if (answer->opcode == OPCODE_ERROR) {
        end_request(request, outcome_of_error(request, answer));
        return;
    }
    if (answer->kind == RESULT_ROWS) take_rows(request, answer);
    if (answer->kind == RESULT_ROWS && !slice_is_null(answer->paging_state)) {
        buffer_clear(&request->paging_state);
        buffer_put(&request->paging_state, answer->paging_state.data, answer->paging_state.size);
        if (send_request(request) == STATUS_OK) return;
        end_request(request, WORKLOAD_UNKNOWN);
        return;
    }
    const struct sim_clients_checks *checks = &request->clients->checks;
    if (answer->kind != RESULT_ROWS || request->operation->applied)
        checks->acknowledged(checks->context, request->operation, request->turn);
    end_request(request, WORKLOAD_DONE);
}

// ---- Sending -----------------------------------------------------------------------------------

static size_t put_bound_values(const struct sim_request *request, struct bound_value values[4],
                               uint8_t key[16], uint8_t numbers[2][8], struct buffer *value)
{
    const struct workload_operation *operation = request->operation;
    int key_size = snprintf((char *)key, 16, "k%zu", operation->partition);
    struct slice key_slice = slice_make(key, (size_t)key_size);
    bytes_put_u32(numbers[0], (uint32_t)operation->row);
    struct slice row = slice_make(numbers[0], 4);
    struct slice number = slice_make(numbers[1], 8);
    switch (request->prepared) {
    case PREPARED_INSERT:
        workload_value_put(operation->stamp, value);
        bytes_put_u64(numbers[1], operation->stamp);
        values[0].bytes = key_slice;
        values[1].bytes = row;
        values[2].bytes = buffer_slice(value);
        values[3].bytes = number;
        return 4;
    case PREPARED_INCREMENT:
        bytes_put_u64(numbers[1], (uint64_t)operation->delta);
        values[0].bytes = number;
        values[1].bytes = key_slice;
        values[2].bytes = row;
        return 3;
    default:
        values[0].bytes = key_slice;
        values[1].bytes = row;
        return 2;
    }
}

static enum status send_request(struct sim_request *request)
{
    struct sim_connection *connection = request->connection;
    const struct workload_operation *operation = request->operation;
    struct query_options options = {.consistency = operation->consistency,
                                    .serial_consistency = CONSISTENCY_SERIAL,
                                    .page_size = request->page_size,
                                    .paging_state = request->paging_state.size == 0
                                                        ? slice_null()
                                                        : buffer_slice(&request->paging_state)};
    if (request->prepared == PREPARED_COUNT)
        return cql_client_query(connection->client, &request->request, buffer_slice(&request->text),
                                &options, request_is_done);
    struct bound_value values[4] = {{{NULL, 0}, false}};
    uint8_t key[16], numbers[2][8];
    struct buffer value;
    buffer_init(&value, TEXT_SIZE_MAX);
    options.values = values;
    options.value_count = put_bound_values(request, values, key, numbers, &value);
    struct slice id = slice_make(connection->ids[request->prepared].bytes,
                                 connection->ids[request->prepared].size);
    size_t metadata_size = connection->ids[request->prepared].metadata_size;
    struct slice metadata_id =
        metadata_size == 0
            ? slice_null()
            : slice_make(connection->ids[request->prepared].metadata_bytes, metadata_size);
    enum status status = cql_client_execute(connection->client, &request->request, id, metadata_id,
                                            &options, request_is_done);
    buffer_deinit(&value);
    return status;
}

static enum prepared prepared_for(const struct sim_connection *connection,
                                  const struct workload_operation *operation)
{
    if (!connection->prepares) return PREPARED_COUNT;
    if (operation->kind == WORKLOAD_INCREMENT) return PREPARED_INCREMENT;
    if (operation->table != WORKLOAD_VALUES) return PREPARED_COUNT;
    if (operation->kind == WORKLOAD_INSERT) return PREPARED_INSERT;
    if (operation->kind == WORKLOAD_READ_ROW && !operation->reversed) return PREPARED_SELECT;
    return PREPARED_COUNT;
}

// In a ring one that is ready, if there is one.
static struct sim_connection *pick_connection(struct sim_clients *clients)
{
    size_t first = random_below(&clients->random, clients->count);
    if (clients->set_up_count < SET_UP_COUNT) return &clients->connections[first];
    for (size_t i = 0; i < clients->count; i++) {
        struct sim_connection *connection = &clients->connections[(first + i) % clients->count];
        bool fits = clients->preferred == SIZE_MAX || connection->node == clients->preferred;
        if (connection->is_ready && fits) return connection;
    }
    if (clients->preferred == SIZE_MAX) return &clients->connections[first];
    return &clients->connections[clients->preferred]; // The first ones take all in turn.
}

void sim_clients_submit(struct sim_clients *clients, struct workload_operation *operation)
{
    struct sim_request *request = calloc(1, sizeof *request);
    ASSERT(request != NULL);
    request->clients = clients;
    request->operation = operation;
    buffer_init(&request->text, TEXT_SIZE_MAX);
    buffer_init(&request->paging_state, TEXT_SIZE_MAX);
    struct sim_connection *connection = pick_connection(clients);
    operation->node = connection->node;
    if (connection->is_ready) {
        request->connection = connection;
        request->next = connection->requests;
        connection->requests = request;
    } else {
        request->next = clients->unsent;
        clients->unsent = request;
    }
    request->prepared = prepared_for(connection, operation);
    if (request->prepared == PREPARED_COUNT) put_text(&request->text, operation);
    size_t page_max = operation->page_max == 0 ? 20 : operation->page_max;
    if (random_chance(&clients->random, 0.6) && !operation_is_conditional(operation->kind))
        request->page_size = 1 + (int32_t)random_below(&clients->random, page_max);
    request->turn = clients->checks.turn(clients->checks.context);
    if (!connection->is_ready) {
        end_unsent(request);
    } else if (send_request(request) != STATUS_OK) {
        connect_later(connection);
        end_unsent(request);
    }
}

// ---- Life --------------------------------------------------------------------------------------

struct sim_clients *sim_clients_create(struct env *env, const struct sim_clients_options *options)
{
    struct sim_clients *clients = calloc(1, sizeof *clients);
    ASSERT(clients != NULL && options->address_count <= SIM_MACHINES_MAX &&
           options->address_count <= options->count);
    clients->env = env;
    memcpy(clients->addresses, options->addresses,
           options->address_count * sizeof *options->addresses);
    clients->replication_factor = options->replication_factor;
    clients->set_up_count = SET_UP_COUNT - (options->is_ring ? 0 : SET_UP_RING_COUNT);
    clients->preferred = SIZE_MAX;
    clients->count = options->count;
    random_init(&clients->random, options->seed);
    clients->connections = calloc(clients->count, sizeof *clients->connections);
    ASSERT(clients->connections != NULL);
    for (size_t i = 0; i < clients->count; i++) {
        clients->connections[i].clients = clients;
        clients->connections[i].node = i % options->address_count;
        connect_later(&clients->connections[i]);
    }
    return clients;
}

bool sim_clients_have_tables(const struct sim_clients *clients)
{
    return clients->tables_made;
}

bool sim_clients_reach(const struct sim_clients *clients, size_t node)
{
    for (size_t i = 0; i < clients->count; i++)
        if (clients->connections[i].is_ready && clients->connections[i].node == node) return true;
    return false;
}

void sim_clients_prefer(struct sim_clients *clients, size_t node)
{
    clients->preferred = node;
}

const char *sim_clients_last_error(const struct sim_clients *clients)
{
    return clients->last_error;
}

void sim_clients_set_checks(struct sim_clients *clients, const struct sim_clients_checks *checks)
{
    clients->checks = *checks;
}

void sim_clients_destroy(struct sim_clients *clients)
{
    while (clients->unsent != NULL)
        free_request(clients->unsent);
    for (size_t i = 0; i < clients->count; i++) {
        struct sim_connection *connection = &clients->connections[i];
        if (connection->client != NULL) cql_client_close(connection->client);
        env_timer_stop(clients->env, &connection->timer);
        while (connection->requests != NULL)
            free_request(connection->requests);
    }
    free(clients->connections);
    free(clients);
}
