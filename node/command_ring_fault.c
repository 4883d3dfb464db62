// helenus ring pause|resume|partition|heal|slow|skew|stall: what tests do to a ring that runs.
#include "node/ring_session.h"

#include "node/admin_client.h"
#include "node/commands.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(specs)   (sizeof(specs) / sizeof(specs)[0])
#define NS_PER_MS      UINT64_C(1000000)
#define ASK_TIMEOUT_NS (5000 * NS_PER_MS)

// ---- pause, resume ------------------------------------------------------------------------------

const struct command ring_pause_command = {
    .name = "ring pause",
    .usage = "[options] N",
    .summary = "Stops node N in its tracks (SIGSTOP): connections stay, nothing answers",
    .specs = ring_directory_specs,
    .spec_count = COUNT(ring_directory_specs),
    .operands_min = 1,
    .operands_max = 1,
};

const struct command ring_resume_command = {
    .name = "ring resume",
    .usage = "[options] N",
    .summary = "Lets node N go on (SIGCONT)",
    .specs = ring_directory_specs,
    .spec_count = COUNT(ring_directory_specs),
    .operands_min = 1,
    .operands_max = 1,
};

static int send_signal(const struct command *command, int argc, char **argv, int signal_number,
                       const char *what)
{
    struct ring_session session;
    int code = ring_session_begin(command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    struct ring_node *node = ring_session_node(&session, command->name, 0);
    if (node == NULL) return ring_session_end(&session, EXIT_FAULT);
    struct error error;
    enum status status = STATUS_OK;
    if (!node->runs || node->pid == 0)
        status = error_set(&error, STATUS_INVALID, "node %" PRId64 " does not run", node->number);
    else
        status = env_process_signal(session.env, node->pid, signal_number, &error);
    if (status != STATUS_OK) return ring_session_end(&session, command_fail(command->name, &error));
    printf("node %" PRId64 " %s\n", node->number, what);
    return ring_session_end(&session, EXIT_OK);
}

int ring_pause_action(int argc, char **argv)
{
    return send_signal(&ring_pause_command, argc, argv, SIGSTOP, "paused");
}

int ring_resume_action(int argc, char **argv)
{
    return send_signal(&ring_resume_command, argc, argv, SIGCONT, "goes on");
}

// ---- Faults -------------------------------------------------------------------------------------

// Sets those parts of the fault of the network between `at` and `member`, as `at` sees it.
static enum status set_fault(struct ring_session *session, const struct ring_node *at,
                             uint16_t member, uint8_t parts, const struct messaging_fault *fault,
                             struct error *error)
{
    struct buffer body, answer;
    buffer_init(&body, 256);
    buffer_init(&answer, 4096);
    buffer_put_u8(&body, ADMIN_FAULT);
    buffer_put_u16(&body, member);
    buffer_put_u8(&body, parts);
    admin_fault_put(&body, fault);
    struct error inner;
    enum status status = admin_ask(session->env, &at->storage_address, buffer_slice(&body),
                                   ASK_TIMEOUT_NS, &answer, &inner);
    if (status != STATUS_OK)
        status = error_set(error, status, "node %" PRId64 ": %.400s", at->number, inner.text);
    buffer_deinit(&body);
    buffer_deinit(&answer);
    return status;
}

static uint16_t member_of(const struct ring_node *node)
{
    return (uint16_t)(node->number - 1);
}

// Both ends drop what goes from `from` to `to`.
static enum status set_one_way(struct ring_session *session, const struct ring_node *from,
                               const struct ring_node *to, bool back_too, bool blocks,
                               struct error *error)
{
    struct messaging_fault at_from = {.blocks_out = blocks, .blocks_in = blocks && back_too};
    struct messaging_fault at_to = {.blocks_in = blocks, .blocks_out = blocks && back_too};
    enum status status =
        set_fault(session, from, member_of(to), ADMIN_FAULT_BLOCKS, &at_from, error);
    if (status != STATUS_OK) return status;
    return set_fault(session, to, member_of(from), ADMIN_FAULT_BLOCKS, &at_to, error);
}

static const struct option_spec partition_specs[] = {
    RING_DIR_OPTION,
    {"one-way", OPTION_FLAG, offsetof(struct ring_options, one_way), NULL,
     "Only what A sends to B is lost", 0, 0},
};

const struct command ring_partition_command = {
    .name = "ring partition",
    .usage = "[options] A B",
    .summary = "Cuts the network between the nodes A and B, until 'ring heal'",
    .specs = partition_specs,
    .spec_count = COUNT(partition_specs),
    .operands_min = 2,
    .operands_max = 2,
};

int ring_partition_action(int argc, char **argv)
{
    struct ring_session session;
    int code = ring_session_begin(&ring_partition_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    const struct ring_node *a = ring_session_node(&session, "ring partition", 0);
    const struct ring_node *b = a == NULL ? NULL : ring_session_node(&session, "ring partition", 1);
    if (b == NULL) return ring_session_end(&session, EXIT_FAULT);
    struct error error;
    enum status status = a == b
                             ? error_set(&error, STATUS_INVALID, "a node has no network to itself")
                             : set_one_way(&session, a, b, !session.options.one_way, true, &error);
    if (status != STATUS_OK)
        return ring_session_end(&session, command_fail("ring partition", &error));
    printf("node %" PRId64 " %s node %" PRId64 "\n", a->number,
           session.options.one_way ? "is not heard by" : "is cut off from", b->number);
    return ring_session_end(&session, EXIT_OK);
}

const struct command ring_heal_command = {
    .name = "ring heal",
    .usage = "[options] [A B]",
    .summary = "Mends the network between A and B; everywhere, slow nodes too, without them",
    .specs = ring_directory_specs,
    .spec_count = COUNT(ring_directory_specs),
    .operands_max = 2,
};

static enum status heal_all(struct ring_session *session, struct error *error)
{
    const struct messaging_fault none = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < session->ring->node_count && status == STATUS_OK; i++)
        if (session->ring->nodes[i].runs)
            status = set_fault(session, &session->ring->nodes[i], MEMBER_NONE,
                               ADMIN_FAULT_BLOCKS | ADMIN_FAULT_DELAYS, &none, error);
    return status;
}

int ring_heal_action(int argc, char **argv)
{
    struct ring_session session;
    int code = ring_session_begin(&ring_heal_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    struct error error;
    enum status status;
    if (session.operands.count == 1) {
        status = error_set(&error, STATUS_INVALID, "two nodes, or none");
    } else if (session.operands.count == 0) {
        status = heal_all(&session, &error);
    } else {
        const struct ring_node *a = ring_session_node(&session, "ring heal", 0);
        const struct ring_node *b = a == NULL ? NULL : ring_session_node(&session, "ring heal", 1);
        if (b == NULL) return ring_session_end(&session, EXIT_FAULT);
        status = set_one_way(&session, a, b, true, false, &error);
    }
    if (status != STATUS_OK) return ring_session_end(&session, command_fail("ring heal", &error));
    printf("the network is whole%s\n", session.operands.count == 2 ? " between the two" : "");
    return ring_session_end(&session, EXIT_OK);
}

static const struct option_spec slow_specs[] = {
    RING_DIR_OPTION,
    {"jitter", OPTION_NUMBER, offsetof(struct ring_options, jitter_ms), "MS",
     "Up to this much more, by chance: messages overtake each other (0)", 0, 60000},
    {"lost", OPTION_NUMBER, offsetof(struct ring_options, lost_per_1000), "N",
     "Of 1000 messages, how many are lost (0)", 0, 1000},
    {"doubled", OPTION_NUMBER, offsetof(struct ring_options, doubled_per_1000), "N",
     "Of 1000 messages, how many come twice (0)", 0, 1000},
};

const struct command ring_slow_command = {
    .name = "ring slow",
    .usage = "[options] N MS",
    .summary = "What node N sends to others takes MS milliseconds longer; 0 ends that",
    .specs = slow_specs,
    .spec_count = COUNT(slow_specs),
    .operands_min = 2,
    .operands_max = 2,
};

// A whole number, the operand `index`; false after having said that it is none.
static bool take_number(struct ring_session *session, const char *name, size_t index, int64_t min,
                        int64_t max, int64_t *number)
{
    char *end;
    const char *text = session->operands.items[index];
    *number = strtoll(text, &end, 10);
    if (*text != '\0' && *end == '\0' && *number >= min && *number <= max) return true;
    (void)fprintf(stderr,
                  "helenus %s: MS is a whole number from %" PRId64 " to %" PRId64 ", not '%s'\n",
                  name, min, max, text);
    return false;
}

int ring_slow_action(int argc, char **argv)
{
    struct ring_session session;
    int64_t delay_ms;
    int code = ring_session_begin(&ring_slow_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    const struct ring_node *node = ring_session_node(&session, "ring slow", 0);
    if (node == NULL || !take_number(&session, "ring slow", 1, 0, 60000, &delay_ms))
        return ring_session_end(&session, EXIT_FAULT);
    const struct messaging_fault fault = {
        .delay_ns = (uint64_t)delay_ms * NS_PER_MS,
        .jitter_ns = (uint64_t)session.options.jitter_ms * NS_PER_MS,
        .lost_per_1000 = (uint16_t)session.options.lost_per_1000,
        .doubled_per_1000 = (uint16_t)session.options.doubled_per_1000,
    };
    struct error error;
    if (set_fault(&session, node, MEMBER_NONE, ADMIN_FAULT_DELAYS, &fault, &error) != STATUS_OK)
        return ring_session_end(&session, command_fail("ring slow", &error));
    printf("node %" PRId64 " is %" PRId64 " ms slow\n", node->number, delay_ms);
    return ring_session_end(&session, EXIT_OK);
}

// One question without an answer's text; `body` goes with it.
static enum status tell(struct ring_session *session, const struct ring_node *node,
                        struct buffer *body, struct error *error)
{
    struct buffer answer;
    buffer_init(&answer, 4096);
    enum status status = admin_ask(session->env, &node->storage_address, buffer_slice(body),
                                   ASK_TIMEOUT_NS, &answer, error);
    buffer_deinit(body);
    buffer_deinit(&answer);
    return status;
}

// ---- skew ---------------------------------------------------------------------------------------

const struct command ring_skew_command = {
    .name = "ring skew",
    .usage = "[options] N MS",
    .summary = "Node N's wall clock is MS milliseconds ahead; behind, if negative",
    .specs = ring_directory_specs,
    .spec_count = COUNT(ring_directory_specs),
    .operands_min = 2,
    .operands_max = 2,
};

int ring_skew_action(int argc, char **argv)
{
    struct ring_session session;
    int64_t skew_ms, year_ms = INT64_C(366) * 24 * 3600 * 1000;
    int code = ring_session_begin(&ring_skew_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    const struct ring_node *node = ring_session_node(&session, "ring skew", 0);
    if (node == NULL || !take_number(&session, "ring skew", 1, -year_ms, year_ms, &skew_ms))
        return ring_session_end(&session, EXIT_FAULT);
    struct buffer body;
    buffer_init(&body, 256);
    buffer_put_u8(&body, ADMIN_SKEW);
    buffer_put_u64(&body, (uint64_t)(skew_ms * 1000));
    struct error error;
    enum status status = tell(&session, node, &body, &error);
    if (status != STATUS_OK) return ring_session_end(&session, command_fail("ring skew", &error));
    printf("node %" PRId64 "'s clock is %" PRId64 " ms off\n", node->number, skew_ms);
    return ring_session_end(&session, EXIT_OK);
}

// ---- stall --------------------------------------------------------------------------------------

const struct command ring_stall_command = {
    .name = "ring stall",
    .usage = "[options] N MS",
    .summary = "The disk of node N stands still for MS milliseconds",
    .specs = ring_directory_specs,
    .spec_count = COUNT(ring_directory_specs),
    .operands_min = 2,
    .operands_max = 2,
};

int ring_stall_action(int argc, char **argv)
{
    struct ring_session session;
    int64_t duration_ms;
    int code = ring_session_begin(&ring_stall_command, argc, argv, &session);
    if (code >= 0) return ring_session_end(&session, code);
    const struct ring_node *node = ring_session_node(&session, "ring stall", 0);
    if (node == NULL || !take_number(&session, "ring stall", 1, 0, 600000, &duration_ms))
        return ring_session_end(&session, EXIT_FAULT);
    struct buffer body;
    buffer_init(&body, 256);
    buffer_put_u8(&body, ADMIN_STALL);
    buffer_put_u32(&body, (uint32_t)duration_ms);
    struct error error;
    enum status status = tell(&session, node, &body, &error);
    if (status != STATUS_OK) return ring_session_end(&session, command_fail("ring stall", &error));
    printf("node %" PRId64 "'s disk stands still for %" PRId64 " ms\n", node->number, duration_ms);
    return ring_session_end(&session, EXIT_OK);
}
