// Which SSTables a tool is asked about: files, or all of a table's directory.
#ifndef NODE_SSTABLE_TOOL_TOOL_INPUT_H
#define NODE_SSTABLE_TOOL_TOOL_INPUT_H

#include "base/arena.h"
#include "base/env.h"

struct tool_input {
    const char *directory; // As it was given.
    uint64_t generation;
};

struct tool_inputs {
    struct tool_input *items;
    size_t count;
};

// Each path is any file of an SSTable, or a directory with some. At least one is found, and none
// twice. In the arena. NOT_FOUND, UNSUPPORTED, IO.
MUST_USE enum status tool_inputs_find(struct env *env, char *const *paths, size_t path_count,
                                      struct arena *arena, struct tool_inputs *inputs,
                                      struct error *error);

#endif
