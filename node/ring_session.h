// What every action of `helenus ring` begins and ends with: options, a loop, and the ring as its
// directory has it.
#ifndef NODE_RING_SESSION_H
#define NODE_RING_SESSION_H

#include "node/options.h"
#include "node/ring_directory.h"

struct ring_options {
    const char *directory;
    const char *address, *init, *user, *password_file;
    int64_t nodes, rf, num_tokens; // 0: not given.
    int64_t port, storage_port;
    int64_t jitter_ms, lost_per_1000, doubled_per_1000;
    bool json, one_way, auto_snapshot, auth, allows_all, tls;
};

#define RING_DIR_OPTION                                                                            \
    {                                                                                              \
        "dir", OPTION_TEXT, offsetof(struct ring_options, directory), "DIR",                       \
            "Directory of the ring (helenus-data)", 0, 0                                           \
    }

// Just this option.
extern const struct option_spec ring_directory_specs[1];

struct ring_session {
    struct env *env;
    struct ring_directory *ring;
    struct ring_options options;
    struct operands operands;
    struct env_lock *lock; // NULL: not held.
};

// -1, or the exit code with which to end at once.
int ring_session_begin(const struct command *command, int argc, char **argv,
                       struct ring_session *session);
int ring_session_end(struct ring_session *session, int code);
// For what starts and stops nodes: waits until no other command does that to this ring, and reads
// again what it left. Two that form a ring at once would mix the members of two. The directory is
// there. IN_USE: the other takes too long.
MUST_USE enum status ring_session_lock(struct ring_session *session, struct error *error);
void ring_session_unlock(struct ring_session *session);
// The node that operand `index` names by its number; NULL after having said that there is none.
struct ring_node *ring_session_node(struct ring_session *session, const char *name, size_t index);
// Sends `signal_number` to those that run and waits until they have ended; SIGKILL follows for what
// does not end by itself.
MUST_USE enum status ring_session_end_nodes(struct env *env, struct ring_node **nodes, size_t count,
                                            int signal_number, struct error *error);
// The same for all nodes of the ring; `*count` is how many ran.
MUST_USE enum status ring_session_end_all(struct ring_session *session, int signal_number,
                                          size_t *count, struct error *error);

// The actions of the tests of a ring: command_ring_fault.c.
int ring_pause_action(int argc, char **argv);
int ring_resume_action(int argc, char **argv);
int ring_partition_action(int argc, char **argv);
int ring_heal_action(int argc, char **argv);
int ring_slow_action(int argc, char **argv);
int ring_skew_action(int argc, char **argv);
int ring_stall_action(int argc, char **argv);
extern const struct command ring_pause_command, ring_resume_command, ring_partition_command,
    ring_heal_command, ring_slow_command, ring_skew_command, ring_stall_command;

#endif
