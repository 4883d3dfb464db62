// Starting the processes of a ring in one box, all at once, and waiting until each answers CQL.
//
//     SPAWNED --it says "ready" on its descriptor 3--> CONNECTING --connected--> ASKING
//        |                                                |             --SUPPORTED--> ANSWERS
//        \--it ends, or time runs out------------------>  FAILED
//
// "Answers" is seen from outside: an OPTIONS request got its SUPPORTED.
#ifndef NODE_RING_START_H
#define NODE_RING_START_H

#include "node/ring_directory.h"

// Starts those of `nodes` that do not run, with the program `program` (its path). Blocks, running
// the loop of `env` (an env_uv). On failure `error` has the words of the first node that did not
// start; those that did stay up.
MUST_USE enum status ring_start(struct env *env, const char *program, struct ring_node *nodes,
                                size_t count, struct error *error);

#endif
