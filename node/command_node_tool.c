// helenus status, info, describecluster, getendpoints, flush, drain, and `helenus ring` without an
// action.
#include "node/commands.h"

#include "base/assert.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "node/admin_client.h"
#include "node/options.h"
#include "node/ring_picture.h"
#include "node/ring_view.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(specs)   (sizeof(specs) / sizeof(specs)[0])
#define ASK_TIMEOUT_NS (5 * UINT64_C(1000000000))
// Of the others, who may be stopped: what they do not say is shown as "?".
#define OTHERS_TIMEOUT_NS (500 * UINT64_C(1000000))
#define FLUSH_TIMEOUT_NS  (600 * UINT64_C(1000000000))

struct tool_options {
    const char *ring;
    int64_t storage_port;
    bool json, tokens, picture;
};

#define TOOL_OPTIONS                                                                               \
    {"ring",                                                                                       \
     OPTION_TEXT,                                                                                  \
     offsetof(struct tool_options, ring),                                                          \
     "HOST",                                                                                       \
     "Address of a node (127.0.0.1)",                                                              \
     0,                                                                                            \
     0},                                                                                           \
    {                                                                                              \
        "storage-port", OPTION_NUMBER, offsetof(struct tool_options, storage_port), "PORT",        \
            "The nodes' port for each other (7000)", 1, 65535                                      \
    }
#define JSON_OPTION                                                                                \
    {                                                                                              \
        "json", OPTION_FLAG, offsetof(struct tool_options, json), NULL, "For programs", 0, 0       \
    }

static const struct option_spec plain_specs[] = {TOOL_OPTIONS};
static const struct option_spec json_specs[] = {TOOL_OPTIONS, JSON_OPTION};
static const struct option_spec info_specs[] = {
    TOOL_OPTIONS,
    JSON_OPTION,
    {"tokens", OPTION_FLAG, offsetof(struct tool_options, tokens), NULL, "Shows the tokens too", 0,
     0},
};
static const struct option_spec ring_specs[] = {
    TOOL_OPTIONS,
    JSON_OPTION,
    {"picture", OPTION_FLAG, offsetof(struct tool_options, picture), NULL, "Draws the ring instead",
     0, 0},
};

struct tool {
    const struct command *command;
    struct env *env;
    struct tool_options options;
    struct operands operands;
    struct env_address address;
};

static int tool_begin(const struct command *command, int argc, char **argv, struct tool *tool)
{
    *tool =
        (struct tool){.command = command, .options = {.ring = "127.0.0.1", .storage_port = 7000}};
    int code = options_begin(command, argc, argv, &tool->options, &tool->operands);
    if (code >= 0) return code;
    struct error error;
    if (env_address_parse(tool->options.ring, (uint16_t)tool->options.storage_port,
                          &tool->address) != STATUS_OK) {
        (void)fprintf(stderr, "helenus %s: --ring takes an IPv4 or IPv6 address, not '%s'\n",
                      command->name, tool->options.ring);
        return EXIT_USAGE;
    }
    if (env_uv_create(&tool->env, &error) != STATUS_OK) return command_fail(command->name, &error);
    return -1;
}

static int tool_end(struct tool *tool, enum status status, const struct error *error)
{
    if (tool->env != NULL) env_uv_destroy(tool->env);
    return status == STATUS_OK ? EXIT_OK : command_fail(tool->command->name, error);
}

static enum status tool_ask(struct tool *tool, struct slice body, uint64_t timeout_ns,
                            struct buffer *answer, struct error *error)
{
    enum status status = admin_ask(tool->env, &tool->address, body, timeout_ns, answer, error);
    if (status != STATUS_REFUSED && status != STATUS_TIMED_OUT) return status;
    struct error inner = *error;
    return error_set(error, status, "%.300s: does a node run there? --ring names another",
                     inner.text);
}

// A text operand, or an empty one.
static void put_operand(struct buffer *body, const struct tool *tool, size_t index)
{
    const char *text = index < tool->operands.count ? tool->operands.items[index] : "";
    buffer_put_vint_bytes(body, slice_of_text(text));
}

// ---- Views --------------------------------------------------------------------------------------

static void view_free(struct ring_view *view)
{
    uint16_t count = view->info.topology == NULL ? 0 : view->info.topology->member_count;
    for (uint16_t i = 0; i < count && view->others != NULL; i++)
        if (i != view->info.self) admin_info_deinit(&view->others[i]);
    free(view->others);
    admin_info_deinit(&view->info);
}

// The others' own words, of those that are up.
static void ask_others(struct tool *tool, struct slice body, struct ring_view *view)
{
    const struct topology *topology = view->info.topology;
    uint16_t count = topology->member_count, asked = 0;
    struct env_address addresses[TOPOLOGY_MEMBERS_MAX];
    uint16_t members[TOPOLOGY_MEMBERS_MAX];
    view->others = calloc(count, sizeof *view->others);
    struct buffer *answers = calloc(count, sizeof *answers);
    enum status *statuses = calloc(count, sizeof *statuses);
    ASSERT(view->others != NULL && answers != NULL && statuses != NULL);
    view->others[view->info.self] = view->info;
    for (uint16_t i = 0; i < count; i++) {
        if (i == view->info.self || view->info.states[i] == ADMIN_MEMBER_DOWN) continue;
        buffer_init(&answers[asked], TRANSPORT_MESSAGE_SIZE_MAX);
        addresses[asked] = topology->members[i].address;
        members[asked++] = i;
    }
    if (asked > 0)
        admin_ask_all(tool->env, addresses, asked, body, OTHERS_TIMEOUT_NS, statuses, answers);
    for (uint16_t i = 0; i < asked; i++) {
        struct cursor cursor = cursor_make(buffer_slice(&answers[i]));
        struct admin_info *other = &view->others[members[i]];
        if (statuses[i] == STATUS_OK && admin_info_get(&cursor, other) != STATUS_OK)
            *other = (struct admin_info){0};
        buffer_deinit(&answers[i]);
    }
    free(answers);
    free(statuses);
}

static enum status view_get(struct tool *tool, bool with_others, struct ring_view *view,
                            struct error *error)
{
    struct buffer body, answer;
    buffer_init(&body, 4096);
    buffer_init(&answer, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_put_u8(&body, ADMIN_INFO);
    put_operand(&body, tool, 0);
    *view = (struct ring_view){0};
    enum status status = tool_ask(tool, buffer_slice(&body), ASK_TIMEOUT_NS, &answer, error);
    struct cursor cursor = cursor_make(buffer_slice(&answer));
    if (status == STATUS_OK && admin_info_get(&cursor, &view->info) != STATUS_OK)
        status = error_set(error, STATUS_MALFORMED, "the node answered something else");
    if (status == STATUS_OK && with_others) ask_others(tool, buffer_slice(&body), view);
    buffer_deinit(&body);
    buffer_deinit(&answer);
    return status;
}

static int show(const struct command *command, int argc, char **argv,
                void (*print)(const struct ring_view *view),
                void (*print_json)(const struct ring_view *view))
{
    struct tool tool;
    struct ring_view view;
    struct error error;
    int code = tool_begin(command, argc, argv, &tool);
    if (code >= 0) return code;
    enum status status = view_get(&tool, true, &view, &error);
    if (status == STATUS_OK) (tool.options.json ? print_json : print)(&view);
    view_free(&view);
    return tool_end(&tool, status, &error);
}

static const struct command status_command = {
    .name = "status",
    .usage = "[options] [KEYSPACE]",
    .summary = "Shows the nodes of a ring, what they hold and own",
    .specs = json_specs,
    .spec_count = COUNT(json_specs),
    .operands_max = 1,
};

int command_status(int argc, char **argv)
{
    return show(&status_command, argc, argv, ring_view_print_status, ring_view_print_status_json);
}

static const struct command cluster_command = {
    .name = "describecluster",
    .usage = "[options]",
    .summary = "Shows the ring's name, schema versions, data centres and keyspaces",
    .specs = json_specs,
    .spec_count = COUNT(json_specs),
};

int command_describecluster(int argc, char **argv)
{
    return show(&cluster_command, argc, argv, ring_view_print_cluster,
                ring_view_print_cluster_json);
}

static const struct command ring_command = {
    .name = "ring",
    .usage = "[options]",
    .summary = "Shows the tokens of a ring",
    .specs = ring_specs,
    .spec_count = COUNT(ring_specs),
};

static void print_picture(const struct ring_view *view)
{
    ring_picture_print(view->info.topology, view->info.states);
}

int command_ring_view(int argc, char **argv)
{
    struct tool tool;
    struct ring_view view;
    struct error error;
    int code = tool_begin(&ring_command, argc, argv, &tool);
    if (code >= 0) return code;
    enum status status = view_get(&tool, true, &view, &error);
    if (status == STATUS_OK && tool.options.picture)
        print_picture(&view);
    else if (status == STATUS_OK && tool.options.json)
        ring_view_print_ring_json(&view);
    else if (status == STATUS_OK)
        ring_view_print_ring(&view);
    view_free(&view);
    return tool_end(&tool, status, &error);
}

static const struct command info_command = {
    .name = "info",
    .usage = "[options]",
    .summary = "Shows one node: id, load, uptime, memory",
    .specs = info_specs,
    .spec_count = COUNT(info_specs),
};

int command_info(int argc, char **argv)
{
    struct tool tool;
    struct ring_view view;
    struct error error;
    int code = tool_begin(&info_command, argc, argv, &tool);
    if (code >= 0) return code;
    enum status status = view_get(&tool, false, &view, &error);
    if (status == STATUS_OK && tool.options.json)
        ring_view_print_info_json(&view);
    else if (status == STATUS_OK)
        ring_view_print_info(&view, tool.options.tokens);
    view_free(&view);
    return tool_end(&tool, status, &error);
}

// ---- getendpoints -------------------------------------------------------------------------------

static const struct command endpoints_command = {
    .name = "getendpoints",
    .usage = "[options] KEYSPACE TABLE KEY",
    .summary = "Shows the nodes that hold a key, the first replica first",
    .text = "A key of several columns is written with colons: a:b.",
    .specs = json_specs,
    .spec_count = COUNT(json_specs),
    .operands_min = 3,
    .operands_max = 3,
};

static enum status endpoints_print(const struct tool *tool, const struct topology *topology,
                                   struct slice answer, struct error *error)
{
    struct cursor cursor = cursor_make(answer);
    uint16_t count = cursor_u16(&cursor);
    if (cursor.failed || cursor_left(&cursor) != count * sizeof(uint16_t))
        return error_set(error, STATUS_MALFORMED, "the node answered something else");
    if (tool->options.json) printf("[");
    for (uint16_t i = 0; i < count; i++) {
        char host[ENV_ADDRESS_TEXT_SIZE];
        uint16_t member = cursor_u16(&cursor);
        if (member >= topology->member_count)
            return error_set(error, STATUS_MALFORMED, "the node answered something else");
        ring_view_format_host(&topology->members[member].address, host);
        if (tool->options.json)
            printf("%s\"%s\"", i == 0 ? "" : ", ", host);
        else
            printf("%s\n", host);
    }
    if (tool->options.json) printf("]\n");
    return STATUS_OK;
}

int command_getendpoints(int argc, char **argv)
{
    struct tool tool;
    struct ring_view view = {0};
    struct error error;
    int code = tool_begin(&endpoints_command, argc, argv, &tool);
    if (code >= 0) return code;
    struct buffer body, answer;
    buffer_init(&body, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_init(&answer, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_put_u8(&body, ADMIN_ENDPOINTS);
    for (size_t i = 0; i < 3; i++)
        put_operand(&body, &tool, i);
    enum status status = tool_ask(&tool, buffer_slice(&body), ASK_TIMEOUT_NS, &answer, &error);
    if (status == STATUS_OK) {
        tool.operands.count = 0; // The ring's members, whatever the keyspace.
        status = view_get(&tool, false, &view, &error);
    }
    if (status == STATUS_OK)
        status = endpoints_print(&tool, view.info.topology, buffer_slice(&answer), &error);
    view_free(&view);
    buffer_deinit(&body);
    buffer_deinit(&answer);
    return tool_end(&tool, status, &error);
}

// ---- flush, drain -------------------------------------------------------------------------------

static int act(const struct command *command, int argc, char **argv, enum admin_kind kind)
{
    struct tool tool;
    struct error error;
    int code = tool_begin(command, argc, argv, &tool);
    if (code >= 0) return code;
    struct buffer body, answer;
    buffer_init(&body, 4096);
    buffer_init(&answer, 4096);
    buffer_put_u8(&body, (uint8_t)kind);
    put_operand(&body, &tool, 0);
    put_operand(&body, &tool, 1);
    enum status status = tool_ask(&tool, buffer_slice(&body), FLUSH_TIMEOUT_NS, &answer, &error);
    buffer_deinit(&body);
    buffer_deinit(&answer);
    return tool_end(&tool, status, &error);
}

static const struct command flush_command = {
    .name = "flush",
    .usage = "[options] [KEYSPACE [TABLE]]",
    .summary = "Writes what a node has in memory into SSTables",
    .specs = plain_specs,
    .spec_count = COUNT(plain_specs),
    .operands_max = 2,
};

int command_flush(int argc, char **argv)
{
    return act(&flush_command, argc, argv, ADMIN_FLUSH);
}

static const struct command drain_command = {
    .name = "drain",
    .usage = "[options]",
    .summary = "Lets go of a node's clients and flushes it; it is restarted to serve again",
    .specs = plain_specs,
    .spec_count = COUNT(plain_specs),
};

int command_drain(int argc, char **argv)
{
    return act(&drain_command, argc, argv, ADMIN_DRAIN);
}
