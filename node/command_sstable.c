// helenus sstable: tools for the files of tables, which need no running node.
#include "node/commands.h"
#include "node/sstable_tool/sstable_tool.h"

#include <stdio.h>
#include <string.h>

static const struct sstable_tool *const tools[] = {
    &sstable_dump_tool,   &sstable_metadata_tool, &sstable_verify_tool,  &sstable_schema_tool,
    &sstable_export_tool, &sstable_write_tool,    &sstable_compact_tool,
};

enum { TOOL_COUNT = sizeof tools / sizeof *tools };

static const char *name_of(const struct sstable_tool *tool)
{
    return tool->command->name + strlen("sstable ");
}

static void print_tools(FILE *output)
{
    (void)fprintf(output, "helenus sstable TOOL [options]\n\n"
                          "SSTables, ours and a real Cassandra's, without a running node.\n\n");
    for (size_t i = 0; i < TOOL_COUNT; i++)
        (void)fprintf(output, "  %-10s %s\n", name_of(tools[i]), tools[i]->command->summary);
    (void)fprintf(output, "\n'helenus sstable TOOL --help' tells more.\n");
}

int command_sstable(int argc, char **argv)
{
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        print_tools(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < TOOL_COUNT && argc > 0; i++)
        if (strcmp(argv[0], name_of(tools[i])) == 0) return tools[i]->run(argc - 1, argv + 1);
    if (argc > 0) (void)fprintf(stderr, "helenus sstable: no tool '%s'\n\n", argv[0]);
    print_tools(stderr);
    return EXIT_USAGE;
}
