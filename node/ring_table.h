// The nodes of a ring as a table for people and as JSON for programs.
#ifndef NODE_RING_TABLE_H
#define NODE_RING_TABLE_H

#include "node/ring_directory.h"

void ring_table_print(struct env *env, const struct ring_directory *ring, bool json);

#endif
