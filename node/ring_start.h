// Starting the processes of a ring in one box, all at once, and waiting until each answers CQL.
//
//     SPAWNED --it says "ready" on its descriptor 3--> CONNECTING --connected--> ASKING
//        |                                                |             --SUPPORTED--> AWAITING
//        \--it ends, or time runs out-------------------> FAILED          --all seen--> ANSWERS
//
// "Answers" is seen from outside: an OPTIONS request got its SUPPORTED. In a ring of several each
// node that runs then also tells that it sees all others up that run.
#ifndef NODE_RING_START_H
#define NODE_RING_START_H

#include "node/ring_directory.h"

// Starts those nodes of the ring that do not run (only `only`, if it is not NULL), with the program
// `program` (its path). Blocks, running the loop of `env` (an env_uv). On failure `error` has the
// words of the first node that did not start; those that did stay up. When nodes ran already, that
// they see the others is waited for but not insisted on: tests pause them and cut their network.
MUST_USE enum status ring_start(struct env *env, const char *program, struct ring_directory *ring,
                                const struct ring_node *only, struct error *error);

struct tls;
// Does the node speak TLS at its first port, and nothing else?
bool ring_start_speaks_tls(struct env *env, const struct ring_node *node);
// What clients of the ring's nodes in this box speak TLS with: NULL if none wants it. They show
// DIR/tls/client.pem, if it is there, and do not look at the nodes' certificates: the nodes are
// processes of ours, at addresses of this machine.
MUST_USE enum status ring_start_tls(struct env *env, const struct ring_directory *ring,
                                    struct tls **tls, struct error *error);

#endif
