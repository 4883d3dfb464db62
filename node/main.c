// The `helenus` program: finds the subcommand and runs it.
#include "node/commands.h"
#include "node/options.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"ring", command_ring, "start, stop, kill, partition, …: a ring of nodes in this box"},
    {"status", command_status, "the nodes of a ring, what they hold and own"},
    {"info", command_info, "one node: id, load, uptime, memory"},
    {"describecluster", command_describecluster, "name, schema versions, keyspaces of a ring"},
    {"getendpoints", command_getendpoints, "the nodes that hold a key"},
    {"flush", command_flush, "write what a node has in memory into SSTables"},
    {"drain", command_drain, "let go of a node's clients and flush it"},
    {"node", command_node, "run one node in the foreground"},
    {"stream", command_stream, "run, list, stop: jobs over streams, in micro-batches"},
    {"tweets", command_tweets, "generate a realistic stream of tweets"},
    {"bench", command_bench, "measure a CQL server, this one or another"},
    {"sim", command_sim, "run a node in the simulator, by seed"},
    {"version", command_version, "print the version"},
};

static void print_commands(FILE *output)
{
    (void)fprintf(output,
                  "helenus COMMAND [options]\n\n"
                  "A store in Cassandra's data model and files, a token ring, a CQL server\n"
                  "for unmodified clients, and a micro-batch engine, in one program.\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        (void)fprintf(output, "  %-15s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(output, "\n'helenus COMMAND --help' tells more.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_commands(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) return command_version(0, NULL);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 2, argv + 2);
    (void)fprintf(stderr, "helenus: no command '%s'\n\n", argv[1]);
    print_commands(stderr);
    return EXIT_USAGE;
}
