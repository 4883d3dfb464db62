// The `helenus` program: finds the subcommand and runs it.
#include "base/env_uv.h"
#include "node/commands.h"
#include "node/options.h"

#include <errno.h>
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
    {"snapshot", command_snapshot, "keep the present files of tables by hard links"},
    {"listsnapshots", command_listsnapshots, "all snapshots, and what they cost"},
    {"clearsnapshot", command_clearsnapshot, "remove snapshots"},
    {"compact", command_compact, "merge the SSTables of tables now"},
    {"compactionstats", command_compactionstats, "compactions on their way and left to do"},
    {"stop", command_compaction_stop, "give up the compactions on their way"},
    {"setcompactionthroughput", command_setcompactionthroughput, "how fast compactions read"},
    {"getcompactionthroughput", command_getcompactionthroughput, "the same, asked"},
    {"setconcurrentcompactors", command_setconcurrentcompactors, "how many go on at once"},
    {"getconcurrentcompactors", command_getconcurrentcompactors, "the same, asked"},
    {"enableautocompaction", command_enableautocompaction, "tables compact by themselves"},
    {"disableautocompaction", command_disableautocompaction, "only when they are told to"},
    {"statusautocompaction", command_statusautocompaction, "which of both"},
    {"tablestats", command_tablestats, "what is known of each table"},
    {"tablehistograms", command_tablehistograms, "how long requests of tables took"},
    {"tpstats", command_tpstats, "what the stages of a node did and have to do"},
    {"settraceprobability", command_settraceprobability, "how many of all requests are traced"},
    {"gettraceprobability", command_gettraceprobability, "the same, asked"},
    {"import", command_import, "take SSTables of others into a table"},
    {"node", command_node, "run one node in the foreground"},
    {"stream", command_stream, "run, submit, list, halt, resume, stop, audit: stream jobs"},
    {"sstable", command_sstable, "dump, verify, export, write, …: the files of tables, offline"},
    {"tweets", command_tweets, "generate a realistic stream of tweets"},
    {"bench", command_bench, "measure a CQL server, this one or another"},
    {"sim", command_sim, "run a node or a ring in the simulator, by seed"},
    {"version", command_version, "print the version"},
};

static void print_commands(FILE *output)
{
    (void)fprintf(output,
                  "helenus COMMAND [options]\n\n"
                  "A store in Cassandra's data model and files, a token ring, a CQL server\n"
                  "for unmodified clients, and a micro-batch engine, in one program.\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        (void)fprintf(output, "  %-24s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(output, "\n'helenus COMMAND --help' tells more.\n");
}

static int run_command(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[0], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    (void)fprintf(stderr, "helenus: no command '%s'\n\n", argv[0]);
    print_commands(stderr);
    return EXIT_USAGE;
}

// "help ring start" is "ring start --help".
static int run_help(int argc, char **argv)
{
    static char help[] = "--help";
    if (argc == 0) {
        print_commands(stdout);
        return EXIT_OK;
    }
    char *words[3] = {argv[0], argc > 1 ? argv[1] : help, help};
    return run_command(argc > 1 ? 3 : 2, words);
}

// What was printed and did not arrive was not done: a full disk, a reader that is gone.
static int finish(int code)
{
    errno = 0;
    bool is_lost = fflush(stdout) != 0 || ferror(stdout);
    if (!is_lost || code != EXIT_OK) return code;
    if (errno != EPIPE)
        (void)fprintf(stderr, "helenus: standard output: %s\n",
                      errno != 0 ? strerror(errno) : "a part of it could not be written");
    return EXIT_FAULT;
}

static int run_main(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    if (options_is_help(argv[1]) || strcmp(argv[1], "help") == 0)
        return run_help(argc - 2, argv + 2);
    if (strcmp(argv[1], "--version") == 0) return command_version(0, NULL);
    return run_command(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    env_uv_open_standard_descriptors();
    return finish(run_main(argc, argv));
}
