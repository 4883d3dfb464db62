// String maps of a schema, such as `replication` and `compaction`: see struct options of schema.h.
#ifndef STORAGE_OPTIONS_H
#define STORAGE_OPTIONS_H

#include "storage/schema/schema.h"

// The value of `key`, or null.
struct slice options_find(const struct options *options, const char *key);
// All of it in the arena, in the order of the keys.
struct options options_copy(struct arena *arena, const struct options *options);
bool options_equal(const struct options *a, const struct options *b);

#endif
