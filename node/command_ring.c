// helenus ring start|status|stop|kill|restart|reset: the processes of a ring in one box.
#include "node/commands.h"

#include "cql/protocol/tls.h"
#include "node/cql_script.h"
#include "node/ring_session.h"
#include "node/ring_start.h"
#include "node/ring_table.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(specs) (sizeof(specs) / sizeof(specs)[0])

// argv[0] may be found through PATH and the working directory may change: this one is neither.
static const char program_path[] = "/proc/self/exe";

static double milliseconds_since(struct env *env, uint64_t begin_ns)
{
    return (double)(env_monotonic_ns(env) - begin_ns) / 1e6;
}

// ---- start --------------------------------------------------------------------------------------

static const struct option_spec start_specs[] = {
    {"nodes", OPTION_NUMBER, offsetof(struct ring_options, nodes), "N",
     "How many nodes (1, or as many as there are)", 1, RING_NODES_MAX},
    RING_DIR_OPTION,
    {"rf", OPTION_NUMBER, offsetof(struct ring_options, rf), "R",
     "Makes keyspace demo_ks, if there is none, with R copies of each row", 1, RING_NODES_MAX},
    {"init", OPTION_TEXT, offsetof(struct ring_options, init), "FILE",
     "CQL statements to run through node 1 once all is up", 0, 0},
    {"user", OPTION_TEXT, offsetof(struct ring_options, user), "NAME",
     "Who runs --rf and --init where clients log in (cassandra)", 0, 0},
    {"password-file", OPTION_TEXT, offsetof(struct ring_options, password_file), "FILE",
     "Its first line is that user's password (cassandra)", 0, 0},
    {"address", OPTION_TEXT, offsetof(struct ring_options, address), "IP",
     "Address of node 1; the others follow it (127.0.0.1)", 0, 0},
    {"port", OPTION_NUMBER, offsetof(struct ring_options, port), "PORT",
     "Port for CQL, on every node (9042)", 1, 65535},
    {"storage-port", OPTION_NUMBER, offsetof(struct ring_options, storage_port), "PORT",
     "Port for nodes and stream workers (7000)", 1, 65535},
    {"num-tokens", OPTION_NUMBER, offsetof(struct ring_options, num_tokens), "N",
     "Places of each node on the ring (16)", 1, 1024},
    {"auto-snapshot", OPTION_FLAG, offsetof(struct ring_options, auto_snapshot), NULL,
     "Of a new ring: snapshots before TRUNCATE and DROP, as Cassandra takes them", 0, 0},
    {"auth", OPTION_FLAG, offsetof(struct ring_options, auth), NULL,
     "Of a new ring: clients log in (first as cassandra, password cassandra) and need permissions",
     0, 0},
    {"tls", OPTION_FLAG, offsetof(struct ring_options, tls), NULL,
     "Of a new ring: clients speak TLS; keys and certificates are made in DIR/tls", 0, 0},
    {"allow-clients-without-authentication", OPTION_FLAG, offsetof(struct ring_options, allows_all),
     NULL, "Of a new ring: serve other machines' clients though nobody has to log in", 0, 0},
};

static const struct command start_command = {
    .name = "ring start",
    .usage = "[options]",
    .summary = "Starts the nodes of a ring and returns when each answers CQL and sees the others",
    .text =
        "A ring that exists goes on where it stopped; nodes that run are left alone. Each node\n"
        "keeps its settings in DIR/nodeN/helenus.yaml and prints to DIR/nodeN/log.",
    .specs = start_specs,
    .spec_count = COUNT(start_specs),
};

static enum status form(struct ring_session *session, struct error *error)
{
    const struct ring_options *options = &session->options;
    struct config first;
    config_set_defaults(&first);
    (void)snprintf(first.listen_address, sizeof first.listen_address, "%s",
                   options->address != NULL ? options->address : "127.0.0.1");
    if (options->port != 0) first.native_transport_port = options->port;
    if (options->storage_port != 0) first.storage_port = options->storage_port;
    if (options->num_tokens != 0) first.num_tokens = options->num_tokens;
    if (first.storage_port == first.native_transport_port)
        return error_set(error, STATUS_INVALID,
                         "--port and --storage-port are both %" PRId64
                         ": clients and nodes need one each",
                         first.storage_port);
    // Rings of tests and demos are emptied all the time: then a snapshot costs more than the rest.
    (void)snprintf(first.auto_snapshot, sizeof first.auto_snapshot, "%s",
                   options->auto_snapshot ? "true" : "false");
    (void)snprintf(first.authenticator, sizeof first.authenticator, "%s",
                   options->auth ? "PasswordAuthenticator" : "AllowAllAuthenticator");
    (void)snprintf(first.authorizer, sizeof first.authorizer, "%s",
                   options->auth ? "CassandraAuthorizer" : "AllowAllAuthorizer");
    (void)snprintf(first.allow_clients_without_authentication,
                   sizeof first.allow_clients_without_authentication, "%s",
                   options->allows_all ? "true" : "false");
    (void)snprintf(first.encryption.enabled, sizeof first.encryption.enabled, "%s",
                   options->tls ? "true" : "false");
    enum status status = config_check_access(&first, error);
    if (status != STATUS_OK) return status;
    size_t count = options->nodes == 0 ? 1 : (size_t)options->nodes;
    return ring_directory_form(session->env, session->ring, count, &first, error);
}

// What a ring is formed with, it keeps: an option that says otherwise would do nothing.
static enum status check_kept(const struct ring_session *session, struct error *error)
{
    const struct ring_options *options = &session->options;
    const struct config *kept = &session->ring->nodes[0].config;
    const char *option = NULL;
    if (options->address != NULL && strcmp(options->address, kept->listen_address) != 0)
        option = "address";
    if (options->port != 0 && options->port != kept->native_transport_port) option = "port";
    if (options->storage_port != 0 && options->storage_port != kept->storage_port)
        option = "storage-port";
    if (options->num_tokens != 0 && options->num_tokens != kept->num_tokens) option = "num-tokens";
    if (options->auth && !config_authenticates(kept)) option = "auth";
    if (options->tls && config_tls(session->env, kept) == CONFIG_TLS_OFF) option = "tls";
    if (option == NULL) return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "the ring in %.400s was made with another --%s and keeps it: leave it out to "
                     "start it, or name another --dir",
                     session->ring->path, option);
}

static void print_tls(const struct ring_directory *ring)
{
    char address[ENV_ADDRESS_TEXT_SIZE];
    env_address_format(&ring->nodes[0].address, address);
    *strrchr(address, ':') = '\0';
    printf("clients speak TLS: cqlsh --cqlshrc %s/tls/cqlshrc %s %u\n"
           "they trust %s/tls/ca.pem, and show %s/tls/client.pem if they are asked who they are\n",
           ring->path, address, ring->nodes[0].address.port, ring->path, ring->path);
}

// Whether what is asked for can be had of the ring that there is, or be made.
static enum status check_asked(const struct ring_session *session, struct error *error)
{
    const struct ring_directory *ring = session->ring;
    int64_t asked = session->options.nodes;
    if (ring->node_count > 0 && check_kept(session, error) != STATUS_OK) return error->status;
    if (ring->node_count > 0 && asked != 0 && (size_t)asked != ring->node_count)
        return error_set(error, STATUS_INVALID,
                         "the ring in %.400s has %zu nodes and keeps them: leave --nodes out to "
                         "start it, or name another --dir for a ring of %" PRId64,
                         ring->path, ring->node_count, asked);
    size_t count = ring->node_count > 0 ? ring->node_count : asked == 0 ? 1 : (size_t)asked;
    if (session->options.rf > (int64_t)count)
        return error_set(error, STATUS_INVALID,
                         "--rf %" PRId64 " wants more copies than there are nodes (%zu)",
                         session->options.rf, count);
    return STATUS_OK;
}

static enum status start_all(struct ring_session *session, struct error *error)
{
    struct ring_directory *ring = session->ring;
    enum status status = check_asked(session, error);
    if (status == STATUS_OK && ring->node_count == 0)
        status = ring_make_directories(session->env, ring->path, error);
    if (status == STATUS_OK) status = ring_session_lock(session, error);
    // Another command may have made it meanwhile.
    if (status == STATUS_OK) status = check_asked(session, error);
    if (status == STATUS_OK && ring->node_count == 0) status = form(session, error);
    if (status == STATUS_OK) status = ring_start(session->env, program_path, ring, NULL, error);
    ring_session_unlock(session);
    return status;
}

static enum status initialise(struct ring_session *session, const struct login *login,
                              struct tls *tls, struct error *error)
{
    const struct ring_node *node = &session->ring->nodes[0];
    bool is_secret = ring_start_speaks_tls(session->env, node);
    const struct cql_script_server server = {node->address, login, is_secret ? tls : NULL};
    if (session->options.rf != 0) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "CREATE KEYSPACE IF NOT EXISTS demo_ks WITH replication = {'class': "
                       "'SimpleStrategy', 'replication_factor': %" PRId64 "}",
                       session->options.rf);
        enum status status =
            cql_script_run(session->env, &server, "--rf", slice_of_text(text), error);
        if (status != STATUS_OK) return status;
    }
    if (session->options.init == NULL) return STATUS_OK;
    return cql_script_run_file(session->env, &server, session->options.init, error);
}

static int ring_start_action(int argc, char **argv)
{
    struct ring_session session;
    int code = ring_session_begin(&start_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    uint64_t begin = env_monotonic_ns(session.env);
    struct error error;
    // A server that asks for no login gets none, so a new ring's first user is right for any.
    struct login login = {.password = "cassandra"};
    enum status status = login_read(session.env, session.options.user,
                                    session.options.password_file, &login, &error);
    if (login.user == NULL) login.user = "cassandra";
    if (status == STATUS_OK) status = start_all(&session, &error);
    double started_ms = milliseconds_since(session.env, begin);
    struct tls *tls = NULL;
    if (status == STATUS_OK) status = ring_start_tls(session.env, session.ring, &tls, &error);
    if (status == STATUS_OK) status = initialise(&session, &login, tls, &error);
    tls_destroy(tls);
    if (status != STATUS_OK) return ring_session_end(&session, command_fail("ring start", &error));
    ring_table_print(session.env, session.ring, false);
    printf("%zu node%s answer%s CQL after %.0f ms\n", session.ring->node_count,
           session.ring->node_count == 1 ? "" : "s", session.ring->node_count == 1 ? "s" : "",
           started_ms);
    if (session.options.tls) print_tls(session.ring);
    return ring_session_end(&session, EXIT_OK);
}

// ---- status -------------------------------------------------------------------------------------

static const struct option_spec status_specs[] = {
    RING_DIR_OPTION,
    {"json", OPTION_FLAG, offsetof(struct ring_options, json), NULL, "For programs", 0, 0},
};

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
    int code = ring_session_begin(&status_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    ring_table_print(session.env, session.ring, session.options.json);
    if (session.ring->node_count == 0 && !session.options.json)
        printf("no ring in %s; 'helenus ring start --dir DIR' makes one\n", session.ring->path);
    return ring_session_end(&session, EXIT_OK);
}

// ---- stop, kill, restart ------------------------------------------------------------------------

static const struct command stop_command = {
    .name = "ring stop",
    .usage = "[options]",
    .summary = "Stops all nodes of a ring in good order; their data stays",
    .specs = ring_directory_specs,
    .spec_count = COUNT(ring_directory_specs),
};

static int ring_stop_action(int argc, char **argv)
{
    struct ring_session session;
    int code = ring_session_begin(&stop_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    size_t count = 0;
    struct error error;
    enum status status = STATUS_OK;
    if (session.ring->node_count > 0) status = ring_session_lock(&session, &error);
    if (status == STATUS_OK) status = ring_session_end_all(&session, SIGTERM, &count, &error);
    if (status != STATUS_OK) return ring_session_end(&session, command_fail("ring stop", &error));
    printf("%zu node%s stopped\n", count, count == 1 ? "" : "s");
    return ring_session_end(&session, EXIT_OK);
}

static const struct command kill_command = {
    .name = "ring kill",
    .usage = "[options] N",
    .summary = "Kills node N as a crash would (SIGKILL)",
    .specs = ring_directory_specs,
    .spec_count = COUNT(ring_directory_specs),
    .operands_min = 1,
    .operands_max = 1,
};

static int ring_kill_action(int argc, char **argv)
{
    struct ring_session session;
    int code = ring_session_begin(&kill_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    struct ring_node *node = ring_session_node(&session, "ring kill", 0);
    if (node == NULL) return ring_session_end(&session, EXIT_FAULT);
    if (!node->runs) {
        printf("node %" PRId64 " does not run\n", node->number);
        return ring_session_end(&session, EXIT_OK);
    }
    struct error error;
    if (ring_session_end_nodes(session.env, &node, 1, SIGKILL, &error) != STATUS_OK)
        return ring_session_end(&session, command_fail("ring kill", &error));
    printf("node %" PRId64 " killed\n", node->number);
    return ring_session_end(&session, EXIT_OK);
}

static const struct command restart_command = {
    .name = "ring restart",
    .usage = "[options] N",
    .summary = "Stops node N if it runs, and starts it",
    .specs = ring_directory_specs,
    .spec_count = COUNT(ring_directory_specs),
    .operands_min = 1,
    .operands_max = 1,
};

static int ring_restart_action(int argc, char **argv)
{
    struct ring_session session;
    int code = ring_session_begin(&restart_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    struct ring_node *node = ring_session_node(&session, "ring restart", 0);
    if (node == NULL) return ring_session_end(&session, EXIT_FAULT);
    struct error error;
    enum status status = ring_session_lock(&session, &error);
    if (status == STATUS_OK && node->runs)
        status = ring_session_end_nodes(session.env, &node, 1, SIGTERM, &error);
    uint64_t begin = env_monotonic_ns(session.env);
    if (status == STATUS_OK)
        status = ring_start(session.env, program_path, session.ring, node, &error);
    if (status != STATUS_OK)
        return ring_session_end(&session, command_fail("ring restart", &error));
    printf("node %" PRId64 " answers CQL after %.0f ms\n", node->number,
           milliseconds_since(session.env, begin));
    return ring_session_end(&session, EXIT_OK);
}

// ---- reset --------------------------------------------------------------------------------------

static const struct command reset_command = {
    .name = "ring reset",
    .usage = "[options]",
    .summary = "Makes the ring empty again: no keyspace, no data, all nodes up, no fault",
    .text = "Its nodes are killed, their data is deleted, and they start anew: milliseconds.",
    .specs = ring_directory_specs,
    .spec_count = COUNT(ring_directory_specs),
};

static enum status reset(struct ring_session *session, struct error *error)
{
    if (session->ring->node_count == 0)
        return error_set(error, STATUS_NOT_FOUND,
                         "no ring in %.400s; 'helenus ring start --dir DIR' makes one",
                         session->ring->path);
    size_t count;
    enum status status = ring_session_lock(session, error);
    if (status == STATUS_OK) status = ring_session_end_all(session, SIGKILL, &count, error);
    for (size_t i = 0; i < session->ring->node_count && status == STATUS_OK; i++)
        status = ring_node_empty(session->env, &session->ring->nodes[i], error);
    if (status != STATUS_OK) return status;
    return ring_start(session->env, program_path, session->ring, NULL, error);
}

static int ring_reset_action(int argc, char **argv)
{
    struct ring_session session;
    int code = ring_session_begin(&reset_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    uint64_t begin = env_monotonic_ns(session.env);
    struct error error;
    if (reset(&session, &error) != STATUS_OK)
        return ring_session_end(&session, command_fail("ring reset", &error));
    printf("%zu nodes, empty, after %.0f ms\n", session.ring->node_count,
           milliseconds_since(session.env, begin));
    return ring_session_end(&session, EXIT_OK);
}

// ---- All ----------------------------------------------------------------------------------------

static const struct {
    const struct command *command;
    int (*run)(int argc, char **argv);
} actions[] = {
    {&start_command, ring_start_action},
    {&status_command, ring_status_action},
    {&stop_command, ring_stop_action},
    {&kill_command, ring_kill_action},
    {&restart_command, ring_restart_action},
    {&reset_command, ring_reset_action},
    {&ring_pause_command, ring_pause_action},
    {&ring_resume_command, ring_resume_action},
    {&ring_partition_command, ring_partition_action},
    {&ring_heal_command, ring_heal_action},
    {&ring_slow_command, ring_slow_action},
    {&ring_skew_command, ring_skew_action},
    {&ring_stall_command, ring_stall_action},
};

static void print_actions(FILE *output)
{
    (void)fprintf(output, "helenus ring ACTION [options]\n\nA ring of nodes in this box.\n\n");
    for (size_t i = 0; i < COUNT(actions); i++)
        (void)fprintf(output, "  %-14s %s\n", actions[i].command->name + strlen("ring "),
                      actions[i].command->summary);
    (void)fprintf(output,
                  "\n'helenus ring ACTION --help' tells more.\n\n"
                  "helenus ring [options]\n\n"
                  "Without an action: the tokens of a ring that runs at --ring HOST, as "
                  "nodetool ring shows\nthem; --picture draws it, --json is for programs.\n");
}

int command_ring(int argc, char **argv)
{
    if (argc > 0 && options_is_help(argv[0])) {
        print_actions(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < COUNT(actions) && argc > 0; i++)
        if (strcmp(argv[0], actions[i].command->name + strlen("ring ")) == 0)
            return actions[i].run(argc - 1, argv + 1);
    if (argc == 0 || strncmp(argv[0], "--", 2) == 0) return command_ring_view(argc, argv);
    (void)fprintf(stderr, "helenus ring: no action '%s'\n\n", argv[0]);
    print_actions(stderr);
    return EXIT_USAGE;
}
