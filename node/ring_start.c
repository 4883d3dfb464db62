#include "node/ring_start.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_TIMEOUT_NS   (30 * UINT64_C(1000000000))
#define CONNECT_TIMEOUT_NS (5 * UINT64_C(1000000000))

enum { SUPPORTED_OPCODE = 6, OPCODE_OFFSET = 4, HEADER_SIZE = 9, LINE_SIZE = 2048 };

static const uint8_t options_request[HEADER_SIZE] = {4, 0, 0, 0, 5, 0, 0, 0, 0};

enum start_state { START_SPAWNED, START_CONNECTING, START_ASKING, START_ANSWERS, START_FAILED };

struct start;

struct node_start_op {
    struct start *start;
    struct ring_node *node;
    enum start_state state;
    struct env_stream *stream;
    uint8_t answer[HEADER_SIZE];
    size_t answer_size;
};

struct start {
    struct env *env;
    struct node_start_op *ops;
    size_t count, waiting;
    struct env_timer timeout;
    struct error *error;
    enum status status;
};

static void op_end(struct node_start_op *op, enum start_state state)
{
    op->state = state;
    if (op->stream != NULL) env_stream_close(op->stream, false);
    op->stream = NULL;
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
}

static void answer_data(void *context, struct slice bytes)
{
    struct node_start_op *op = context;
    size_t wanted = sizeof op->answer - op->answer_size;
    size_t taken = bytes.size < wanted ? bytes.size : wanted;
    memcpy(op->answer + op->answer_size, bytes.data, taken);
    op->answer_size += taken;
    if (op->answer_size < sizeof op->answer) return;
    if (op->answer[OPCODE_OFFSET] == SUPPORTED_OPCODE)
        op_end(op, START_ANSWERS);
    else
        op_fail(op, "does not answer CQL");
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
    op->state = START_ASKING;
    op->stream = stream;
    env_stream_start(stream, &answer_events, op);
    env_stream_write(stream, slice_make(options_request, sizeof options_request));
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
    char config[RING_PATH_SIZE + 16], log[RING_PATH_SIZE + 8];
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
    if (env_process_start(op->start->env, &options, &op->node->pid, &error) == STATUS_OK) return;
    if (op->start->status == STATUS_OK)
        op->start->status = error_set(op->start->error, error.status, "%s", error.text);
    op_end(op, START_FAILED);
}

enum status ring_start(struct env *env, const char *program, struct ring_node *nodes, size_t count,
                       struct error *error)
{
    struct start start = {.env = env, .error = error, .count = count, .waiting = 1};
    start.ops = calloc(count + 1, sizeof *start.ops);
    ASSERT(start.ops != NULL);
    for (size_t i = 0; i < count; i++) {
        struct node_start_op *op = &start.ops[i];
        *op = (struct node_start_op){.start = &start, .node = &nodes[i]};
        op->state = nodes[i].runs ? START_ANSWERS : START_SPAWNED;
        if (nodes[i].runs) continue;
        start.waiting++;
        op_spawn(op, program);
    }
    // One count was this function's own, so that the loop is not stopped before it runs.
    if (--start.waiting > 0) {
        env_timer_start(env, &start.timeout, START_TIMEOUT_NS, start_timed_out);
        env_uv_run(env);
        env_timer_stop(env, &start.timeout);
    }
    for (size_t i = 0; i < count; i++)
        if (start.ops[i].state == START_ANSWERS) nodes[i].runs = true;
    free(start.ops);
    return start.status;
}
