#include "node/ring_session.h"

#include "base/container_of.h"
#include "base/env_uv.h"
#include "node/commands.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define POLL_NS         (2 * UINT64_C(1000000))
#define STOP_TIMEOUT_NS (20 * UINT64_C(1000000000))
// A start gives up after 30 s, a stop after twice 20 s; a restart is both.
#define LOCK_TIMEOUT_NS (90 * UINT64_C(1000000000))

const struct option_spec ring_directory_specs[1] = {RING_DIR_OPTION};

int ring_session_begin(const struct command *command, int argc, char **argv,
                       struct ring_session *session)
{
    session->options = (struct ring_options){
        .directory = "helenus-data",
    };
    session->env = NULL;
    session->ring = NULL;
    session->lock = NULL;
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

int ring_session_end(struct ring_session *session, int code)
{
    ring_session_unlock(session);
    free(session->ring);
    if (session->env != NULL) env_uv_destroy(session->env);
    return code;
}

// ---- One command at a time ----------------------------------------------------------------------

struct lock_wait {
    struct ring_session *session;
    char path[RING_PATH_SIZE + 16];
    uint64_t deadline_ns;
    struct env_timer timer;
    enum status status;
    struct error *error;
};

static void lock_poll(struct env_timer *timer)
{
    struct lock_wait *wait = CONTAINER_OF(timer, struct lock_wait, timer);
    struct env *env = wait->session->env;
    wait->status = env_lock(env, wait->path, &wait->session->lock, wait->error);
    if (wait->status != STATUS_IN_USE || env_monotonic_ns(env) > wait->deadline_ns)
        env_uv_stop(env);
    else
        env_timer_start(env, timer, POLL_NS, lock_poll);
}

enum status ring_session_lock(struct ring_session *session, struct error *error)
{
    struct lock_wait wait = {.session = session, .error = error};
    (void)snprintf(wait.path, sizeof wait.path, "%s/ring.lock", session->ring->path);
    wait.deadline_ns = env_monotonic_ns(session->env) + LOCK_TIMEOUT_NS;
    wait.status = env_lock(session->env, wait.path, &session->lock, error);
    if (wait.status == STATUS_IN_USE) {
        env_timer_start(session->env, &wait.timer, POLL_NS, lock_poll);
        env_uv_run(session->env);
    }
    if (wait.status == STATUS_IN_USE)
        return error_set(error, STATUS_IN_USE,
                         "another 'helenus ring' command starts or stops nodes of %.300s for "
                         "more than a minute already: wait until it ends, or end it, and try again",
                         session->ring->path);
    if (wait.status != STATUS_OK) return wait.status;
    return ring_directory_read(session->env, session->options.directory, session->ring, error);
}

void ring_session_unlock(struct ring_session *session)
{
    if (session->lock != NULL) env_unlock(session->lock);
    session->lock = NULL;
}

struct ring_node *ring_session_node(struct ring_session *session, const char *name, size_t index)
{
    char *end;
    const char *text = session->operands.items[index];
    long long number = strtoll(text, &end, 10);
    struct ring_node *node = *end == '\0' ? ring_directory_find(session->ring, number) : NULL;
    if (node == NULL)
        (void)fprintf(stderr, "helenus %s: no node '%s' in %s, which has %zu\n", name, text,
                      session->ring->path, session->ring->node_count);
    return node;
}

// ---- Ending nodes -------------------------------------------------------------------------------

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

static enum status signal_node(struct env *env, const struct ring_node *node, int signal_number,
                               struct error *error)
{
    if (node->pid == 0)
        return error_set(error, STATUS_IO, "%s/process is missing: stop the node by hand",
                         node->directory);
    enum status status = env_process_signal(env, node->pid, signal_number, error);
    // A node that was paused would not hear of it.
    if (status == STATUS_OK && signal_number != SIGKILL)
        status = env_process_signal(env, node->pid, SIGCONT, error);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status ring_session_end_nodes(struct env *env, struct ring_node **nodes, size_t count,
                                   int signal_number, struct error *error)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        for (size_t i = 0; i < count; i++) {
            if (!nodes[i]->runs) continue;
            enum status status = signal_node(env, nodes[i], signal_number, error);
            if (status != STATUS_OK) return status;
        }
        if (wait_until_ended(env, nodes, count)) return STATUS_OK;
        signal_number = SIGKILL;
    }
    return error_set(error, STATUS_TIMED_OUT, "a node does not end, even when killed");
}

enum status ring_session_end_all(struct ring_session *session, int signal_number, size_t *count,
                                 struct error *error)
{
    struct ring_node *running[RING_NODES_MAX];
    *count = 0;
    for (size_t i = 0; i < session->ring->node_count; i++)
        if (session->ring->nodes[i].runs) running[(*count)++] = &session->ring->nodes[i];
    if (*count == 0) return STATUS_OK;
    return ring_session_end_nodes(session->env, running, *count, signal_number, error);
}
