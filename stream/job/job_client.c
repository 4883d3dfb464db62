#include "stream/job/job_client.h"

#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "ring/transport/transport_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <utf8proc.h>

#define JOB_CLIENT_TIMEOUT_NS (10 * (uint64_t)1000000000)

struct job_client {
    struct env *env;
    struct transport_call call;
    struct env_task last;
    struct buffer *answer;
    bool is_done;
    enum status status;
    struct error *error;
};

static void job_client_answered(struct transport_call *call, enum status status, uint8_t type,
                                struct slice payload)
{
    struct job_client *client = CONTAINER_OF(call, struct job_client, call);
    struct cursor cursor = cursor_make(payload);
    if (status != STATUS_OK)
        status =
            error_set(client->error, status, "%.*s", (int)payload.size, (const char *)payload.data);
    else if (type == JOB_ANSWER)
        status = job_take_answer(&cursor, client->error);
    else
        status = error_set(client->error, STATUS_MALFORMED, "the node answered something else");
    if (status == STATUS_OK) {
        struct slice rest = cursor_take(&cursor, cursor_left(&cursor));
        buffer_put(client->answer, rest.data, rest.size);
    }
    client->is_done = true;
    client->status = status;
    env_uv_stop(client->env);
}

static void job_client_last(struct env_task *task)
{
    env_uv_stop(CONTAINER_OF(task, struct job_client, last)->env);
}

enum status job_client_ask(struct env *env, const struct env_address *ring, enum job_message type,
                           struct slice payload, struct buffer *answer, struct error *error)
{
    struct job_client client = {.env = env, .answer = answer, .error = error};
    transport_call_start(env, &client.call, ring, JOB_CLIENT_TIMEOUT_NS, (uint8_t)type, payload,
                         job_client_answered);
    env_uv_run(env);
    transport_call_cancel(&client.call);
    // Its memory goes in the next turn.
    env_task_post(env, &client.last, job_client_last);
    env_uv_run(env);
    if (!client.is_done) return error_set(error, STATUS_CANCELED, "interrupted");
    return client.status;
}

static int job_client_fail(const char *command, const struct job_client_options *options,
                           const struct error *error)
{
    char address[ENV_ADDRESS_TEXT_SIZE];
    env_address_format(&options->ring, address);
    (void)fprintf(stderr, "helenus stream %s: %s: %s\n", command, address, error->text);
    return 1;
}

// ---- list --------------------------------------------------------------------------------------

// A job as LIST tells it; slices of the answer.
struct job_client_item {
    struct slice name;
    struct job job;
    struct job_batch batches[JOB_BATCHES_MAX];
    struct slice tables[JOB_OUTPUTS_MAX];
    size_t table_count;
};

static bool job_client_take_item(struct cursor *cursor, struct job_client_item *item)
{
    item->name = cursor_vint_bytes(cursor);
    if (!job_take_job(cursor, &item->job, item->batches, JOB_BATCHES_MAX)) return false;
    uint64_t count = cursor_vint(cursor);
    if (count > JOB_OUTPUTS_MAX) return false;
    item->table_count = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct slice table = cursor_vint_bytes(cursor);
        bool is_new = true; // Several outputs may go to one table.
        for (size_t k = 0; k < item->table_count && is_new; k++)
            is_new = !slice_equals(item->tables[k], table);
        if (is_new) item->tables[item->table_count++] = table;
    }
    return !cursor->failed;
}

// As JSON has it. A name may be any bytes, and what a worker said last may be cut: what is not
// UTF-8 becomes U+FFFD.
static void job_client_print_text(struct slice text)
{
    (void)putchar('"');
    for (size_t i = 0; i < text.size;) {
        uint8_t byte = text.data[i];
        utf8proc_int32_t code;
        utf8proc_ssize_t size =
            utf8proc_iterate(text.data + i, (utf8proc_ssize_t)(text.size - i), &code);
        if (byte == '"' || byte == '\\')
            (void)printf("\\%c", byte);
        else if (byte < 0x20 || size <= 0)
            (void)printf("\\u%04x", size <= 0 ? 0xfffd : (unsigned)byte);
        else
            (void)fwrite(text.data + i, 1, (size_t)size, stdout);
        i += size <= 0 ? 1 : (size_t)size;
    }
    (void)putchar('"');
}

static const char *job_client_state(const struct job *job)
{
    return job->state == JOB_OPEN && job->is_halted ? "halted" : jobs_state_text(job->state);
}

static void job_client_print_json(const struct job_client_item *item, bool is_first)
{
    const struct job *job = &item->job;
    char id[UUID_TEXT_SIZE];
    uuid_format(job->id, id);
    (void)printf("%s{\"name\": ", is_first ? "" : ",\n ");
    job_client_print_text(item->name);
    (void)printf(", \"id\": \"%s\", \"state\": \"%s\", \"batches_recorded\": %" PRIu64
                 ", \"batches_done\": %" PRIu64 ", \"total\": %" PRIu64 ", \"offsets\": [",
                 id, job_client_state(job), job->last_batch, job->done_through, job->grand_total);
    for (uint32_t i = 0; i < job->source_count; i++)
        (void)printf("%s%" PRIu64, i == 0 ? "" : ", ", job->last_to[i]);
    (void)printf("], \"tables\": [");
    for (size_t i = 0; i < item->table_count; i++) {
        if (i > 0) (void)printf(", ");
        job_client_print_text(item->tables[i]);
    }
    (void)printf("], \"note\": ");
    job_client_print_text(slice_of_text(job->note));
    (void)printf("}");
}

// A name may hold anything: what would move the cursor becomes "?".
static void job_client_print_plain(struct slice text, int width)
{
    for (size_t i = 0; i < text.size; i++)
        (void)putchar(text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i]);
    (void)printf("%*s", (int)text.size < width ? width - (int)text.size : 0, "");
}

static void job_client_print_line(const struct job_client_item *item, bool is_first)
{
    if (is_first)
        (void)printf("%-20s %-36s  %-8s %9s %9s %14s  %s\n", "NAME", "ID", "STATE", "RECORDED",
                     "DONE", "TOTAL", "OFFSETS -> TABLES");
    const struct job *job = &item->job;
    char id[UUID_TEXT_SIZE];
    uuid_format(job->id, id);
    job_client_print_plain(item->name, 20);
    (void)printf(" %s  %-8s %9" PRIu64 " %9" PRIu64 " %14" PRIu64 " ", id, job_client_state(job),
                 job->last_batch, job->done_through, job->grand_total);
    for (uint32_t i = 0; i < job->source_count; i++)
        (void)printf(" %" PRIu64, job->last_to[i]);
    (void)printf(" ->");
    for (size_t i = 0; i < item->table_count; i++) {
        (void)putchar(' ');
        job_client_print_plain(item->tables[i], 0);
    }
    if (job->note[0] != '\0') {
        (void)printf("  # ");
        job_client_print_plain(slice_of_text(job->note), 0);
    }
    (void)putchar('\n');
}

// The jobs behind the first `count`; END when there are none.
static enum status job_client_list_some(struct env *env, const struct job_client_options *options,
                                        uint64_t *count, struct error *error)
{
    struct buffer payload, answer;
    buffer_init(&payload, KIB);
    buffer_init(&answer, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_put_vint(&payload, *count);
    enum status status =
        job_client_ask(env, &options->ring, JOB_LIST, buffer_slice(&payload), &answer, error);
    struct cursor cursor = cursor_make(buffer_slice(&answer));
    if (status == STATUS_OK && answer.size == 0) status = STATUS_END;
    while (status == STATUS_OK && cursor_left(&cursor) > 0) {
        struct job_client_item item;
        if (!job_client_take_item(&cursor, &item))
            status = error_set(error, STATUS_MALFORMED, "the node's answer makes no sense");
        else if (options->as_json)
            job_client_print_json(&item, (*count)++ == 0);
        else
            job_client_print_line(&item, (*count)++ == 0);
    }
    buffer_deinit(&payload);
    buffer_deinit(&answer);
    return status;
}

int job_client_list(struct env *env, const struct job_client_options *options)
{
    uint64_t count = 0;
    struct error error;
    enum status status;
    if (options->as_json) (void)printf("[");
    while ((status = job_client_list_some(env, options, &count, &error)) == STATUS_OK) {
    }
    if (options->as_json) (void)printf("]\n");
    if (status != STATUS_END) return job_client_fail("list", options, &error);
    if (count == 0 && !options->as_json) (void)printf("no jobs\n");
    return 0;
}

// ---- stop, halt, resume -------------------------------------------------------------------------

int job_client_mark(struct env *env, const struct job_client_options *options,
                    enum job_message type, const char *name)
{
    bool stops = type == JOB_STOP, halts = type == JOB_HALT;
    struct buffer payload, answer;
    struct error error;
    buffer_init(&payload, MIB);
    buffer_init(&answer, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_put_vint_bytes(&payload, slice_of_text(name));
    enum status status =
        job_client_ask(env, &options->ring, type, buffer_slice(&payload), &answer, &error);
    buffer_deinit(&payload);
    buffer_deinit(&answer);
    if (status != STATUS_OK)
        return job_client_fail(stops ? "stop" : halts ? "halt" : "resume", options, &error);
    (void)printf(stops   ? "%s is stopped; what it has counted stays\n"
                 : halts ? "%s rests until 'helenus stream resume'\n"
                         : "%s goes on\n",
                 name);
    return 0;
}

// ---- audit -------------------------------------------------------------------------------------

int job_client_audit(struct env *env, const struct job_client_options *options, const char *name)
{
    struct buffer payload, answer;
    struct error error;
    buffer_init(&payload, MIB);
    buffer_init(&answer, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_put_vint_bytes(&payload, slice_of_text(name));
    enum status status =
        job_client_ask(env, &options->ring, JOB_AUDIT, buffer_slice(&payload), &answer, &error);
    struct cursor cursor = cursor_make(buffer_slice(&answer));
    uint64_t logged = cursor_u64(&cursor), counted = cursor_u64(&cursor);
    uint64_t cells = cursor_vint(&cursor);
    if (status == STATUS_OK && cursor.failed)
        status = error_set(&error, STATUS_MALFORMED, "the node's answer makes no sense");
    buffer_deinit(&payload);
    buffer_deinit(&answer);
    if (status != STATUS_OK) return job_client_fail("audit", options, &error);
    (void)printf("%s: the log has %" PRIu64 ", %" PRIu64 " cells have %" PRIu64 ": %s\n", name,
                 logged, cells, counted, logged == counted ? "exact" : "WRONG");
    return logged == counted ? 0 : 1;
}
