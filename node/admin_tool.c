#include "node/admin_tool.h"

#include "base/assert.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "node/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ASK_TIMEOUT_NS (5 * UINT64_C(1000000000))

int admin_tool_begin(struct admin_tool *tool, const struct command *command, int argc, char **argv,
                     struct admin_tool_options *options)
{
    *tool = (struct admin_tool){.command = command, .options = options};
    options->ring = "127.0.0.1";
    options->storage_port = 7000;
    int code = options_begin(command, argc, argv, options, &tool->operands);
    if (code >= 0) return code;
    struct error error;
    if (env_address_parse(options->ring, (uint16_t)options->storage_port, &tool->addresses[0]) !=
        STATUS_OK) {
        (void)fprintf(stderr, "helenus %s: --ring takes an IPv4 or IPv6 address, not '%s'\n",
                      command->name, options->ring);
        return EXIT_USAGE;
    }
    tool->count = 1;
    if (env_uv_create(&tool->env, &error) != STATUS_OK) return command_fail(command->name, &error);
    return -1;
}

int admin_tool_end(struct admin_tool *tool, enum status status, const struct error *error)
{
    if (tool->env != NULL) env_uv_destroy(tool->env);
    return status == STATUS_OK ? EXIT_OK : command_fail(tool->command->name, error);
}

static enum status ask_one(struct admin_tool *tool, struct slice body, struct buffer *answer,
                           struct error *error)
{
    enum status status =
        admin_ask(tool->env, &tool->addresses[0], body, ASK_TIMEOUT_NS, answer, error);
    if (status != STATUS_REFUSED && status != STATUS_TIMED_OUT) return status;
    struct error inner = *error;
    return error_set(error, status, "%.300s: does a node run there? --ring names another",
                     inner.text);
}

static enum status choose(struct admin_tool *tool, bool all, const struct admin_info *info,
                          struct error *error)
{
    const struct topology *topology = info->topology;
    int64_t wanted = tool->options->node;
    if (wanted > topology->member_count)
        return error_set(error, STATUS_INVALID, "the ring has %u nodes: there is no node %" PRId64,
                         topology->member_count, wanted);
    if (wanted == 0 && !all) wanted = info->self + 1;
    tool->count = 0;
    for (uint16_t i = 0; i < topology->member_count; i++) {
        if (wanted != 0 && wanted != i + 1) continue;
        tool->numbers[tool->count] = (uint16_t)(i + 1);
        tool->addresses[tool->count++] = topology->members[i].address;
    }
    return STATUS_OK;
}

enum status admin_tool_find(struct admin_tool *tool, bool all, struct error *error)
{
    struct buffer body, answer;
    buffer_init(&body, 64);
    buffer_init(&answer, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_put_u8(&body, ADMIN_INFO);
    buffer_put_vint_bytes(&body, slice_of_text(""));
    struct admin_info info = {.self = 0};
    enum status status = ask_one(tool, buffer_slice(&body), &answer, error);
    struct cursor cursor = cursor_make(buffer_slice(&answer));
    if (status == STATUS_OK && admin_info_get(&cursor, &info) != STATUS_OK)
        status = error_set(error, STATUS_MALFORMED, "the node answered something else");
    if (status == STATUS_OK) {
        // A ring of one may know itself by an address that is not reached from here.
        if (info.topology->member_count > 1)
            status = choose(tool, all, &info, error);
        else
            tool->numbers[0] = 1;
    }
    admin_info_deinit(&info);
    buffer_deinit(&body);
    buffer_deinit(&answer);
    return status;
}

enum status admin_tool_ask(struct admin_tool *tool, struct slice body, uint64_t timeout_ns,
                           struct buffer *answers, struct error *error)
{
    enum status *statuses = calloc(tool->count, sizeof *statuses);
    ASSERT(statuses != NULL);
    for (uint16_t i = 0; i < tool->count; i++)
        buffer_init(&answers[i], TRANSPORT_MESSAGE_SIZE_MAX);
    admin_ask_all(tool->env, tool->addresses, tool->count, body, timeout_ns, statuses, answers);
    enum status status = STATUS_OK;
    for (uint16_t i = 0; i < tool->count && status == STATUS_OK; i++) {
        if (statuses[i] == STATUS_OK) continue;
        struct slice words = buffer_slice(&answers[i]);
        if (tool->count == 1)
            status =
                error_set(error, statuses[i], "%.*s", (int)words.size, (const char *)words.data);
        else
            status = error_set(error, statuses[i], "node %u: %.*s", tool->numbers[i],
                               (int)words.size, (const char *)words.data);
    }
    free(statuses);
    return status;
}

void admin_tool_free_answers(struct admin_tool *tool, struct buffer *answers)
{
    for (uint16_t i = 0; i < tool->count; i++)
        buffer_deinit(&answers[i]);
}
