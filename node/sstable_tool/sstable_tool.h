// The subcommands of `helenus sstable`: tools for the files of a table, ours and a real
// Cassandra's, that need no running node. `argv` begins behind the subcommand's name; the result is
// the exit code.
#ifndef NODE_SSTABLE_TOOL_SSTABLE_TOOL_H
#define NODE_SSTABLE_TOOL_SSTABLE_TOOL_H

#include "node/options.h"

struct sstable_tool {
    const struct command *command;
    int (*run)(int argc, char **argv);
};

extern const struct sstable_tool sstable_dump_tool;
extern const struct sstable_tool sstable_metadata_tool;
extern const struct sstable_tool sstable_verify_tool;
extern const struct sstable_tool sstable_schema_tool;
extern const struct sstable_tool sstable_export_tool;
extern const struct sstable_tool sstable_write_tool;
extern const struct sstable_tool sstable_compact_tool;

#endif
