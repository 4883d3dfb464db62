// A ring as the slides draw it: a circle of tokens, each with the node that has it.
#ifndef NODE_RING_PICTURE_H
#define NODE_RING_PICTURE_H

#include "ring/topology/topology.h"

// `states` are those of admin_protocol.h, by member. Tokens stand clockwise, the smallest on top.
// Of more tokens than fit round the circle, evenly chosen ones.
void ring_picture_put(struct buffer *text, const struct topology *topology, const uint8_t *states);
void ring_picture_print(const struct topology *topology, const uint8_t *states);

#endif
