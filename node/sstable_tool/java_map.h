// The order in which a java.util.HashMap of strings goes through its keys.
#ifndef NODE_SSTABLE_TOOL_JAVA_MAP_H
#define NODE_SSTABLE_TOOL_JAVA_MAP_H

#include "base/slice.h"

// Puts the indexes of `keys` (UTF-8) into that order.
void java_map_order(const struct slice *keys, size_t count, size_t *order);

#endif
