// What commands that ask nodes have in common: --ring, --storage-port, --node, and whom that means.
#ifndef NODE_ADMIN_TOOL_H
#define NODE_ADMIN_TOOL_H

#include "node/admin_client.h"
#include "node/options.h"

// The first member of a command's own options.
struct admin_tool_options {
    const char *ring;
    int64_t storage_port, node; // 0: all.
    bool json;
};

#define ADMIN_TOOL_OPTIONS(type, member)                                                             \
    {"ring", OPTION_TEXT, offsetof(type, member.ring), "HOST", "Address of a node (127.0.0.1)", 0,   \
     0},                                                                                             \
        {"storage-port",                                                                             \
         OPTION_NUMBER,                                                                              \
         offsetof(type, member.storage_port),                                                        \
         "PORT",                                                                                     \
         "The nodes' port for each other (7000)",                                                    \
         1,                                                                                          \
         65535},                                                                                     \
        {"node", OPTION_NUMBER,       offsetof(type, member.node), "N", "Only the ring's N-th node", \
         1,      TOPOLOGY_MEMBERS_MAX},                                                              \
    {                                                                                                \
        "json", OPTION_FLAG, offsetof(type, member.json), NULL, "For programs", 0, 0                 \
    }

struct admin_tool {
    const struct command *command;
    const struct admin_tool_options *options;
    struct env *env;
    struct operands operands;
    // Whom to ask.
    uint16_t count;
    uint16_t numbers[TOPOLOGY_MEMBERS_MAX]; // From 1.
    struct env_address addresses[TOPOLOGY_MEMBERS_MAX];
};

// Parses; prints help or the fault. -1 to go on, else the exit code. `options` begin with the
// struct above and have their defaults.
int admin_tool_begin(struct admin_tool *tool, const struct command *command, int argc, char **argv,
                     struct admin_tool_options *options);
int admin_tool_end(struct admin_tool *tool, enum status status, const struct error *error);
// Finds out whom to ask: `all` nodes of the ring, or the one behind --ring; --node names another.
MUST_USE enum status admin_tool_find(struct admin_tool *tool, bool all, struct error *error);
// The same question to all of them. OK when all answered OK; else the first fault, with the node's
// name if there are several. `answers` are for each, and initialised here.
MUST_USE enum status admin_tool_ask(struct admin_tool *tool, struct slice body, uint64_t timeout_ns,
                                    struct buffer *answers, struct error *error);
void admin_tool_free_answers(struct admin_tool *tool, struct buffer *answers);

#endif
