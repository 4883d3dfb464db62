#include "node/ring_start.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv.h"
#include "cql/protocol/tls_stream.h"
#include "node/admin_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_TIMEOUT_NS   (30 * UINT64_C(1000000000))
#define NS_PER_MS          UINT64_C(1000000)
#define CONNECT_TIMEOUT_NS (5 * UINT64_C(1000000000))

// How long a node may need to see the others: a new ring, and one where some ran already.
enum { AWAIT_NEW_MS = 20000, AWAIT_OLD_MS = 2000 };

enum { SUPPORTED_OPCODE = 6, OPCODE_OFFSET = 4, HEADER_SIZE = 9, LINE_SIZE = 2048 };

static const uint8_t options_request[HEADER_SIZE] = {4, 0, 0, 0, 5, 0, 0, 0, 0};

enum start_state {
    START_SPAWNED,
    START_CONNECTING,
    START_ASKING,
    START_AWAITING,
    START_ANSWERS,
    START_FAILED
};

struct start;

struct node_start_op {
    struct start *start;
    struct ring_node *node;
    enum start_state state;
    bool is_expected; // It runs, or is being started.
    struct env_stream *stream;
    uint8_t answer[HEADER_SIZE];
    size_t answer_size;
    struct admin_call call;
};

struct start {
    struct env *env;
    struct node_start_op *ops;
    size_t count, waiting;
    bool is_new;     // No node ran before.
    struct tls *tls; // NULL: no node wants it.
    const struct ring_directory *ring;
    struct env_timer timeout;
    struct error *error;
    enum status status;
};

static void op_end(struct node_start_op *op, enum start_state state)
{
    op->state = state;
    if (op->stream != NULL) env_stream_close(op->stream, false);
    op->stream = NULL;
    admin_call_cancel(&op->call);
    if (--op->start->waiting == 0) env_uv_stop(op->start->env);
}

// The last line that the node printed says best what is wrong.
static void last_line(struct env *env, const char *path, char *line, size_t size)
{
    struct env_file *file;
    line[0] = '\0';
    if (env_file_open(env, path, ENV_OPEN_READ, &file, NULL) != STATUS_OK) return;
    uint64_t file_size = 0;
    char text[LINE_SIZE];
    size_t text_size = 0;
    enum status status = env_file_size(file, &file_size, NULL);
    uint64_t from = file_size < sizeof text - 1 ? 0 : file_size - (sizeof text - 1);
    if (status == STATUS_OK)
        status = env_file_read(file, from, text, sizeof text - 1, &text_size, NULL);
    env_file_close(file);
    if (status != STATUS_OK) return;
    while (text_size > 0 && text[text_size - 1] == '\n')
        text_size--;
    text[text_size] = '\0';
    const char *begin = strrchr(text, '\n');
    (void)snprintf(line, size, "%s", begin == NULL ? text : begin + 1);
}

static void op_fail(struct node_start_op *op, const char *what)
{
    char line[LINE_SIZE], path[RING_PATH_SIZE + 8];
    (void)snprintf(path, sizeof path, "%s/log", op->node->directory);
    last_line(op->start->env, path, line, sizeof line);
    if (op->start->status == STATUS_OK)
        op->start->status =
            error_set(op->start->error, STATUS_IO, "node %" PRId64 " %s: %.400s", op->node->number,
                      what, line[0] == '\0' ? "it said nothing" : line);
    op_end(op, START_FAILED);
    // The others will not see it.
    for (size_t i = 0; i < op->start->count; i++)
        if (op->start->ops[i].state == START_AWAITING) op_end(&op->start->ops[i], START_ANSWERS);
}

// ---- Does it see the others? --------------------------------------------------------------------

static void op_awaited(struct admin_call *call, enum status status, struct slice answer)
{
    struct node_start_op *op = CONTAINER_OF(call, struct node_start_op, call);
    char text[LINE_SIZE];
    if (status == STATUS_OK || !op->start->is_new) {
        op_end(op, START_ANSWERS);
        return;
    }
    (void)snprintf(text, sizeof text, "started, but %.*s", (int)answer.size,
                   (const char *)answer.data);
    op_fail(op, text);
}

static void op_await(struct node_start_op *op)
{
    struct start *start = op->start;
    uint32_t timeout_ms = start->is_new ? AWAIT_NEW_MS : AWAIT_OLD_MS;
    if (start->count == 1 || start->status != STATUS_OK) {
        op_end(op, START_ANSWERS);
        return;
    }
    op->state = START_AWAITING;
    struct buffer body;
    uint16_t expected = 0;
    for (size_t i = 0; i < start->count; i++)
        expected = (uint16_t)(expected + start->ops[i].is_expected);
    buffer_init(&body, LINE_SIZE);
    buffer_put_u8(&body, ADMIN_AWAIT);
    buffer_put_u32(&body, timeout_ms);
    buffer_put_u16(&body, expected);
    for (size_t i = 0; i < start->count; i++)
        if (start->ops[i].is_expected) buffer_put_u16(&body, (uint16_t)i);
    admin_call_start(start->env, &op->call, &op->node->storage_address, buffer_slice(&body),
                     (timeout_ms + 500) * NS_PER_MS, op_awaited);
    buffer_deinit(&body);
}

// ---- Does it answer CQL? ------------------------------------------------------------------------

static void answer_data(void *context, struct slice bytes)
{
    struct node_start_op *op = context;
    size_t wanted = sizeof op->answer - op->answer_size;
    size_t taken = bytes.size < wanted ? bytes.size : wanted;
    memcpy(op->answer + op->answer_size, bytes.data, taken);
    op->answer_size += taken;
    if (op->answer_size < sizeof op->answer) return;
    if (op->answer[OPCODE_OFFSET] != SUPPORTED_OPCODE) {
        op_fail(op, "does not answer CQL");
        return;
    }
    env_stream_close(op->stream, false);
    op->stream = NULL;
    op_await(op);
}

static void answer_ended(void *context, enum status status)
{
    (void)status;
    op_fail(context, "closed the connection");
}

static const struct env_stream_events answer_events = {
    .data = answer_data,
    .ended = answer_ended,
};

bool ring_start_speaks_tls(struct env *env, const struct ring_node *node)
{
    return node->config.native_transport_port_ssl == 0 &&
           config_tls(env, &node->config) == CONFIG_TLS_REQUIRED;
}

static bool find_client_key(struct env *env, const struct ring_directory *ring,
                            char path[static RING_PATH_SIZE + 16])
{
    bool exists, is_dir;
    (void)snprintf(path, RING_PATH_SIZE + 16, "%s/tls/client.pem", ring->path);
    return env_path_exists(env, path, &exists, &is_dir, NULL) == STATUS_OK && exists;
}

// It wants to know who asks, and we have nothing to show: that it listens has to do.
static bool refuses_us(const struct node_start_op *op)
{
    char path[RING_PATH_SIZE + 16];
    return strcmp(op->node->config.encryption.require_client_auth, "true") == 0 &&
           !find_client_key(op->start->env, op->start->ring, path);
}

static void op_connected(void *context, enum status status, struct env_stream *stream)
{
    struct node_start_op *op = context;
    if (op->state != START_CONNECTING) {
        if (status == STATUS_OK) env_stream_close(stream, false);
        return;
    }
    if (status != STATUS_OK) {
        op_fail(op, "can not be reached");
        return;
    }
    bool is_secret = ring_start_speaks_tls(op->start->env, op->node);
    if (is_secret && refuses_us(op)) {
        env_stream_close(stream, false);
        op_await(op);
        return;
    }
    op->state = START_ASKING;
    op->stream = is_secret ? tls_stream_connect(op->start->tls, stream) : stream;
    env_stream_start(op->stream, &answer_events, op);
    env_stream_write(op->stream, slice_make(options_request, sizeof options_request));
}

static void op_said(void *context, struct slice bytes)
{
    struct node_start_op *op = context;
    if (op->state != START_SPAWNED) return;
    if (bytes.size == 0) {
        op_fail(op, "did not start");
        return;
    }
    op->state = START_CONNECTING;
    env_connect(op->start->env, &op->node->address, CONNECT_TIMEOUT_NS, op_connected, op);
}

static void start_timed_out(struct env_timer *timer)
{
    struct start *start = CONTAINER_OF(timer, struct start, timeout);
    for (size_t i = 0; i < start->count; i++)
        if (start->ops[i].state < START_ANSWERS) op_fail(&start->ops[i], "did not answer in time");
}

static void op_spawn(struct node_start_op *op, const char *program)
{
    char config[RING_PATH_SIZE + 16], log[RING_PATH_SIZE + 8], process[RING_PATH_SIZE + 16];
    // Until the node has read its log it has its lock already, but not written who it is: a pid of
    // its last life may be another program's, which nobody shall signal.
    (void)snprintf(process, sizeof process, "%s/process", op->node->directory);
    (void)!env_remove(op->start->env, process, NULL);
    (void)snprintf(config, sizeof config, "%s/helenus.yaml", op->node->directory);
    (void)snprintf(log, sizeof log, "%s/log", op->node->directory);
    const char *const arguments[] = {
        program, "node", "--config", config, "--dir", op->node->directory, "--tell-starter", NULL};
    const struct env_process_options options = {
        .arguments = arguments,
        .output_path = log,
        .detached = true,
        .said = op_said,
        .context = op,
    };
    struct error error;
    if (env_process_start(op->start->env, &options, &op->node->pid, &error) == STATUS_OK) {
        // Reading a long log takes longer than some people wait: then it can be stopped, or killed.
        char text[32];
        (void)snprintf(text, sizeof text, "%d\n", op->node->pid);
        (void)!ring_write_text(op->start->env, process, text, NULL);
        return;
    }
    if (op->start->status == STATUS_OK)
        op->start->status = error_set(op->start->error, error.status, "%s", error.text);
    op_end(op, START_FAILED);
}

// Those that are to be started, and those that run already; others are none of its business.
static void plan(struct start *start, struct ring_directory *ring, const struct ring_node *only)
{
    start->is_new = true;
    for (size_t i = 0; i < start->count; i++) {
        struct node_start_op *op = &start->ops[i];
        struct ring_node *node = &ring->nodes[i];
        *op = (struct node_start_op){.start = start, .node = node, .state = START_ANSWERS};
        op->is_expected = node->runs || only == NULL || only == node;
        if (node->runs) start->is_new = false;
        if (op->is_expected && !node->runs) op->state = START_SPAWNED;
    }
}

enum status ring_start_tls(struct env *env, const struct ring_directory *ring, struct tls **tls,
                           struct error *error)
{
    char path[RING_PATH_SIZE + 16];
    bool is_wanted = false;
    for (size_t i = 0; i < ring->node_count; i++)
        is_wanted = is_wanted || ring_start_speaks_tls(env, &ring->nodes[i]);
    *tls = NULL;
    if (!is_wanted) return STATUS_OK;
    bool exists = find_client_key(env, ring, path);
    const struct tls_client_options options = {.keystore = exists ? path : NULL};
    return tls_create_client(env, &options, tls, error);
}

enum status ring_start(struct env *env, const char *program, struct ring_directory *ring,
                       const struct ring_node *only, struct error *error)
{
    struct start start = {
        .env = env, .ring = ring, .error = error, .count = ring->node_count, .waiting = 1};
    start.ops = calloc(start.count + 1, sizeof *start.ops);
    ASSERT(start.ops != NULL);
    plan(&start, ring, only);
    start.status = ring_start_tls(env, ring, &start.tls, error);
    bool any = false;
    for (size_t i = 0; i < start.count && start.status == STATUS_OK; i++)
        any = any || start.ops[i].state == START_SPAWNED;
    for (size_t i = 0; i < start.count && any; i++) {
        struct node_start_op *op = &start.ops[i];
        if (!op->is_expected) continue;
        start.waiting++;
        if (op->state == START_SPAWNED)
            op_spawn(op, program);
        else
            op_await(op);
    }
    // One count was this function's own, so that the loop is not stopped before it runs.
    if (--start.waiting > 0) {
        env_timer_start(env, &start.timeout, START_TIMEOUT_NS, start_timed_out);
        env_uv_run(env);
        env_timer_stop(env, &start.timeout);
    }
    for (size_t i = 0; i < start.count; i++)
        if (start.ops[i].is_expected && start.ops[i].state == START_ANSWERS)
            ring->nodes[i].runs = true;
    free(start.ops);
    tls_destroy(start.tls);
    return start.status;
}
