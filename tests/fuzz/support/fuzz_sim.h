// A simulated machine for one input: files and sockets in memory, time that jumps. Nothing fails
// but what the input wants to.
#ifndef TESTS_FUZZ_SUPPORT_FUZZ_SIM_H
#define TESTS_FUZZ_SUPPORT_FUZZ_SIM_H

#include "base/env_ops.h"
#include "base/env_sim.h"

// What can fail, once. A read that ends early is one of a file that is cut meanwhile.
enum fuzz_fault {
    FUZZ_FAULT_NONE,
    FUZZ_FAULT_OPEN,
    FUZZ_FAULT_SIZE,
    FUZZ_FAULT_READ,
    FUZZ_FAULT_READ_ENDS_EARLY,
    FUZZ_FAULT_WRITE,
    FUZZ_FAULT_SYNC,
    FUZZ_FAULT_LIST,
    FUZZ_FAULT_TIME,
    FUZZ_FAULT_REMOVE,
    FUZZ_FAULT_LINK,
    FUZZ_FAULT_COUNT
};

struct fuzz_sim {
    struct sim_world *world;
    struct sim_machine *machine;
    struct env *env;
};

// `segmented`: how often a send arrives in pieces, 0 to 1.
void fuzz_sim_open(struct fuzz_sim *sim, double segmented);
// What the code under test made with the env is gone.
void fuzz_sim_close(struct fuzz_sim *sim);

// The `countdown`-th of these operations from now on fails, by IO. 0: none. Of one world at a time.
void fuzz_sim_fail(struct fuzz_sim *sim, enum fuzz_fault fault, unsigned countdown);
// Has it come to that?
bool fuzz_sim_has_failed(void);

// The next `seconds` of the world, or up to the moment at which `*done` is set (if not NULL).
// A world in which far too much happens is a bug: it ends the program.
void fuzz_sim_run(struct fuzz_sim *sim, double seconds, const bool *done);

// A file with these bytes; the directory is there. It replaces one that was there.
void fuzz_sim_write(struct fuzz_sim *sim, const char *path, struct slice bytes);

// One end of a connection to a listener of the world, or of one that a listener of our own gets:
// sends what it is told and counts what comes.
struct fuzz_peer {
    struct fuzz_sim *sim;
    struct env_stream *stream; // NULL: not connected, or ended.
    struct env_listener *listener;
    struct slice greeting; // Sent to whoever connects to our listener.
    uint64_t received;
    bool is_connected, has_ended;
};
void fuzz_peer_connect(struct fuzz_peer *peer, struct fuzz_sim *sim, struct env_address address);
// Any number of connections are accepted, but only the newest is spoken to.
struct env_address fuzz_peer_listen(struct fuzz_peer *peer, struct fuzz_sim *sim,
                                    struct slice greeting);
void fuzz_peer_send(struct fuzz_peer *peer, struct slice bytes);
void fuzz_peer_close(struct fuzz_peer *peer);

#endif
