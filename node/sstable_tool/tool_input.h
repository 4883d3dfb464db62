// Which SSTables a tool is asked about: files, or all of a table's directory.
#ifndef NODE_SSTABLE_TOOL_TOOL_INPUT_H
#define NODE_SSTABLE_TOOL_TOOL_INPUT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "storage/sstable/sstable.h"

struct tool_input {
    const char *directory; // As it was given.
    struct sstable_name name;
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
// All of a directory where inputs are already: what there can not be read is told with `advice`.
MUST_USE enum status tool_inputs_find_beside(struct env *env, char *directory, const char *advice,
                                             struct arena *arena, struct tool_inputs *inputs,
                                             struct error *error);

// DIR/nb-17-big-Data.db
void tool_input_path(char path[static SSTABLE_PATH_SIZE], const struct tool_input *input,
                     enum sstable_component component);
// DIR/nb-17-big
void tool_input_put(const struct tool_input *input, struct buffer *text);

#endif
