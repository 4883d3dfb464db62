// What a tool prints: bytes to standard output or to a file, a piece at a time.
//
//     tool_output_begin; (put into `text`; tool_output_step)*; tool_output_end
#ifndef NODE_SSTABLE_TOOL_TOOL_OUTPUT_H
#define NODE_SSTABLE_TOOL_TOOL_OUTPUT_H

#include "base/buffer.h"
#include "base/env.h"

struct tool_output {
    struct buffer text; // Not written yet. The tool's to fill.
    struct env *env;
    struct env_file *file;
    const char *path; // NULL: standard output.
    uint64_t offset;
    bool was_cut; // Nobody reads standard output any more.
};

// A file must not be there yet. `path` NULL or "-": standard output.
MUST_USE enum status tool_output_begin(struct tool_output *output, struct env *env,
                                       const char *path, struct error *error);
// Writes the text once there is enough of it. CLOSED: nobody reads on, which is no fault of ours.
MUST_USE enum status tool_output_step(struct tool_output *output, struct error *error);
// Writes what is left unless `status` is a fault, makes a file and its name durable, and frees all.
// Returns `status` or a new fault.
MUST_USE enum status tool_output_end(struct tool_output *output, enum status status,
                                     struct error *error);

#endif
