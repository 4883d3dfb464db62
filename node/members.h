// The members of a ring, as `ring start` wrote them into each node's directory before its first
// start: DIR/members. It is what the metadata log of a new node begins with
// (ring/topology/topology.h).
//
//     self: 1
//     member: 5b6962dd-… 127.0.0.1:7000 127.0.0.1:9042 datacenter1 rack1 -9223372036854775808 …
//     member: …
//
// The same in every directory but for `self`, the number of the node whose directory it is.
#ifndef NODE_MEMBERS_H
#define NODE_MEMBERS_H

#include "ring/topology/topology.h"

// `*topology` is NULL when there is no such file: a ring of one. Blocks. CORRUPT with the line; IO.
MUST_USE enum status members_read(struct env *env, const char *directory,
                                  struct topology **topology, uint16_t *self, struct error *error);
// Whole and durable when it returns.
MUST_USE enum status members_write(struct env *env, const char *directory,
                                   const struct topology *topology, uint16_t self,
                                   struct error *error);

#endif
