// helenus ring start|status|stop|kill|restart: the processes of a ring in one box.
#include "node/commands.h"

#include "base/container_of.h"
#include "base/env_uv.h"
#include "node/options.h"
#include "node/ring_directory.h"
#include "node/ring_start.h"
#include "node/ring_table.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_NS         (2 * UINT64_C(1000000))
#define STOP_TIMEOUT_NS (20 * UINT64_C(1000000000))

static const char default_directory[] = "helenus-data";

struct ring_options {
    const char *directory;
    int64_t nodes;
    const char *address;
    int64_t port, storage_port;
    bool json;
};

#define DIR_OPTION                                                                                 \
    {                                                                                              \
        "dir", OPTION_TEXT, offsetof(struct ring_options, directory), "DIR",                       \
            "Directory of the ring (helenus-data)", 0, 0                                           \
    }

static const struct option_spec start_specs[] = {
    {"nodes", OPTION_NUMBER, offsetof(struct ring_options, nodes), "N", "How many nodes (1)", 1,
     RING_NODES_MAX},
    DIR_OPTION,
    {"address", OPTION_TEXT, offsetof(struct ring_options, address), "IP",
     "Address of node 1; the others follow it (127.0.0.1)", 0, 0},
    {"port", OPTION_NUMBER, offsetof(struct ring_options, port), "PORT",
     "Port for CQL, on every node (9042)", 1, 65535},
    {"storage-port", OPTION_NUMBER, offsetof(struct ring_options, storage_port), "PORT",
     "Port for nodes and stream workers (7000)", 1, 65535},
};
static const struct option_spec directory_specs[] = {DIR_OPTION};
static const struct option_spec status_specs[] = {
    DIR_OPTION,
    {"json", OPTION_FLAG, offsetof(struct ring_options, json), NULL, "For programs", 0, 0},
};

#define COUNT(specs) (sizeof(specs) / sizeof(specs)[0])

// What every action needs: a loop, and the ring as its directory has it.
struct ring_session {
    struct env *env;
    struct ring_directory *ring;
    struct ring_options options;
    struct operands operands;
};

static int session_begin(const struct command *command, int argc, char **argv,
                         struct ring_session *session)
{
    session->options = (struct ring_options){
        .directory = default_directory,
        .nodes = 1,
        .address = "127.0.0.1",
        .port = 9042,
        .storage_port = 7000,
    };
    session->env = NULL;
    session->ring = NULL;
    int code = options_begin(command, argc, argv, &session->options, &session->operands);
    if (code >= 0) return code;
    struct error error;
    if (env_uv_create(&session->env, &error) != STATUS_OK)
        return command_fail(command->name, &error);
    session->ring = calloc(1, sizeof *session->ring);
    if (session->ring == NULL) return EXIT_FAULT;
    if (ring_directory_read(session->env, session->options.directory, session->ring, &error) !=
        STATUS_OK)
        return command_fail(command->name, &error);
    return -1;
}

static int session_end(struct ring_session *session, int code)
{
    free(session->ring);
    if (session->env != NULL) env_uv_destroy(session->env);
    return code;
}

// ---- start --------------------------------------------------------------------------------------

static const struct command start_command = {
    .name = "ring start",
    .usage = "[options]",
    .summary = "Starts the nodes of a ring and returns when each answers CQL",
    .text =
        "A ring that exists goes on where it stopped; nodes that run are left alone. Each node\n"
        "keeps its settings in DIR/nodeN/helenus.yaml and prints to DIR/nodeN/log.",
    .specs = start_specs,
    .spec_count = COUNT(start_specs),
};

// argv[0] may be found through PATH and the working directory may change: this one is neither.
static const char program_path[] = "/proc/self/exe";

static enum status start_all(struct ring_session *session, struct error *error)
{
    struct config first;
    config_set_defaults(&first);
    (void)snprintf(first.listen_address, sizeof first.listen_address, "%s",
                   session->options.address);
    first.native_transport_port = session->options.port;
    first.storage_port = session->options.storage_port;
    struct ring_directory *ring = session->ring;
    enum status status =
        ring_directory_grow(session->env, ring, (size_t)session->options.nodes, &first, error);
    if (status != STATUS_OK) return status;
    return ring_start(session->env, program_path, ring->nodes, ring->node_count, error);
}

static int ring_start_action(int argc, char **argv)
{
    struct ring_session session;
    int code = session_begin(&start_command, argc, argv, &session);
    if (code >= 0) return session_end(&session, code);
    uint64_t begin = env_monotonic_ns(session.env);
    struct error error;
    enum status status = start_all(&session, &error);
    if (status != STATUS_OK) return session_end(&session, command_fail("ring start", &error));
    double milliseconds = (double)(env_monotonic_ns(session.env) - begin) / 1e6;
    ring_table_print(session.env, session.ring, false);
    printf("%zu node%s answer%s CQL after %.0f ms\n", session.ring->node_count,
           session.ring->node_count == 1 ? "" : "s", session.ring->node_count == 1 ? "s" : "",
           milliseconds);
    return session_end(&session, EXIT_OK);
}

// ---- status -------------------------------------------------------------------------------------

static const struct command status_command = {
    .name = "ring status",
    .usage = "[options]",
    .summary = "Shows the nodes of a ring: address, state, process, memory",
    .specs = status_specs,
    .spec_count = COUNT(status_specs),
};

static int ring_status_action(int argc, char **argv)
{
    struct ring_session session;
    int code = session_begin(&status_command, argc, argv, &session);
    if (code >= 0) return session_end(&session, code);
    ring_table_print(session.env, session.ring, session.options.json);
    if (session.ring->node_count == 0 && !session.options.json)
        printf("no ring in %s; 'helenus ring start --dir DIR' makes one\n", session.ring->path);
    return session_end(&session, EXIT_OK);
}

// ---- stop, kill ---------------------------------------------------------------------------------

// Waits until the nodes in `wanted` have ended: their locks tell.
struct stop_wait {
    struct env *env;
    struct ring_node **wanted;
    size_t count;
    uint64_t deadline_ns;
    struct env_timer timer;
    bool ended;
};

static void stop_poll(struct env_timer *timer)
{
    struct stop_wait *wait = CONTAINER_OF(timer, struct stop_wait, timer);
    wait->ended = true;
    for (size_t i = 0; i < wait->count; i++) {
        struct ring_node *node = wait->wanted[i];
        if (node->runs && ring_node_probe(wait->env, node, NULL) != STATUS_OK) node->runs = true;
        if (node->runs) wait->ended = false;
    }
    if (wait->ended || env_monotonic_ns(wait->env) > wait->deadline_ns)
        env_uv_stop(wait->env);
    else
        env_timer_start(wait->env, timer, POLL_NS, stop_poll);
}

static bool wait_until_ended(struct env *env, struct ring_node **wanted, size_t count)
{
    struct stop_wait wait = {.env = env, .wanted = wanted, .count = count};
    wait.deadline_ns = env_monotonic_ns(env) + STOP_TIMEOUT_NS;
    env_timer_start(env, &wait.timer, 0, stop_poll);
    env_uv_run(env);
    env_timer_stop(env, &wait.timer);
    return wait.ended;
}

// Sends `signal_number` to those that run; SIGKILL follows for what does not end by itself.
static enum status end_nodes(struct env *env, struct ring_node **nodes, size_t count,
                             int signal_number, struct error *error)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        for (size_t i = 0; i < count; i++) {
            if (!nodes[i]->runs) continue;
            enum status status =
                nodes[i]->pid == 0
                    ? error_set(error, STATUS_IO, "%s/process is missing: stop the node by hand",
                                nodes[i]->directory)
                    : env_process_signal(env, nodes[i]->pid, signal_number, error);
            if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
        }
        if (wait_until_ended(env, nodes, count)) return STATUS_OK;
        signal_number = SIGKILL;
    }
    return error_set(error, STATUS_TIMED_OUT, "a node does not end, even when killed");
}

static const struct command stop_command = {
    .name = "ring stop",
    .usage = "[options]",
    .summary = "Stops all nodes of a ring in good order; their data stays",
    .specs = directory_specs,
    .spec_count = COUNT(directory_specs),
};

static int ring_stop_action(int argc, char **argv)
{
    struct ring_session session;
    int code = session_begin(&stop_command, argc, argv, &session);
    if (code >= 0) return session_end(&session, code);
    struct ring_node *running[RING_NODES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < session.ring->node_count; i++)
        if (session.ring->nodes[i].runs) running[count++] = &session.ring->nodes[i];
    struct error error;
    if (count > 0 && end_nodes(session.env, running, count, SIGTERM, &error) != STATUS_OK)
        return session_end(&session, command_fail("ring stop", &error));
    printf("%zu node%s stopped\n", count, count == 1 ? "" : "s");
    return session_end(&session, EXIT_OK);
}

static struct ring_node *named_node(struct ring_session *session, const char *name)
{
    char *end;
    long long number = strtoll(session->operands.items[0], &end, 10);
    struct ring_node *node = *end == '\0' ? ring_directory_find(session->ring, number) : NULL;
    if (node == NULL)
        (void)fprintf(stderr, "helenus %s: no node '%s' in %s, which has %zu\n", name,
                      session->operands.items[0], session->ring->path, session->ring->node_count);
    return node;
}

static const struct command kill_command = {
    .name = "ring kill",
    .usage = "[options] N",
    .summary = "Kills node N as a crash would (SIGKILL)",
    .specs = directory_specs,
    .spec_count = COUNT(directory_specs),
    .operands_min = 1,
    .operands_max = 1,
};

static int ring_kill_action(int argc, char **argv)
{
    struct ring_session session;
    int code = session_begin(&kill_command, argc, argv, &session);
    if (code >= 0) return session_end(&session, code);
    struct ring_node *node = named_node(&session, "ring kill");
    if (node == NULL) return session_end(&session, EXIT_FAULT);
    if (!node->runs) {
        printf("node %" PRId64 " does not run\n", node->number);
        return session_end(&session, EXIT_OK);
    }
    struct error error;
    if (end_nodes(session.env, &node, 1, SIGKILL, &error) != STATUS_OK)
        return session_end(&session, command_fail("ring kill", &error));
    printf("node %" PRId64 " killed\n", node->number);
    return session_end(&session, EXIT_OK);
}

static const struct command restart_command = {
    .name = "ring restart",
    .usage = "[options] N",
    .summary = "Stops node N if it runs, and starts it",
    .specs = directory_specs,
    .spec_count = COUNT(directory_specs),
    .operands_min = 1,
    .operands_max = 1,
};

static int ring_restart_action(int argc, char **argv)
{
    struct ring_session session;
    int code = session_begin(&restart_command, argc, argv, &session);
    if (code >= 0) return session_end(&session, code);
    struct ring_node *node = named_node(&session, "ring restart");
    if (node == NULL) return session_end(&session, EXIT_FAULT);
    struct error error;
    enum status status = STATUS_OK;
    if (node->runs) status = end_nodes(session.env, &node, 1, SIGTERM, &error);
    uint64_t begin = env_monotonic_ns(session.env);
    if (status == STATUS_OK) status = ring_start(session.env, program_path, node, 1, &error);
    if (status != STATUS_OK) return session_end(&session, command_fail("ring restart", &error));
    printf("node %" PRId64 " answers CQL after %.0f ms\n", node->number,
           (double)(env_monotonic_ns(session.env) - begin) / 1e6);
    return session_end(&session, EXIT_OK);
}

// ---- All ----------------------------------------------------------------------------------------

static const struct {
    const struct command *command;
    int (*run)(int argc, char **argv);
} actions[] = {
    {&start_command, ring_start_action},     {&status_command, ring_status_action},
    {&stop_command, ring_stop_action},       {&kill_command, ring_kill_action},
    {&restart_command, ring_restart_action},
};

static void print_actions(FILE *output)
{
    (void)fprintf(output, "helenus ring ACTION [options]\n\nA ring of nodes in this box.\n\n");
    for (size_t i = 0; i < COUNT(actions); i++)
        (void)fprintf(output, "  %-14s %s\n", actions[i].command->name + strlen("ring "),
                      actions[i].command->summary);
    (void)fprintf(output, "\n'helenus ring ACTION --help' tells more.\n");
}

int command_ring(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "--help") == 0) {
        print_actions(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < COUNT(actions) && argc > 0; i++)
        if (strcmp(argv[0], actions[i].command->name + strlen("ring ")) == 0)
            return actions[i].run(argc - 1, argv + 1);
    if (argc > 0) (void)fprintf(stderr, "helenus ring: no action '%s'\n\n", argv[0]);
    print_actions(stderr);
    return EXIT_USAGE;
}
