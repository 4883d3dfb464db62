// The subcommands of the `helenus` program: one file each. `argv` begins behind the subcommand's
// name; the result is the exit code (options.h).
#ifndef NODE_COMMANDS_H
#define NODE_COMMANDS_H

int command_node(int argc, char **argv);
int command_ring(int argc, char **argv);
int command_stream(int argc, char **argv);
int command_tweets(int argc, char **argv);
int command_sim(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_bench_parse(int argc, char **argv); // `helenus bench parse`, of command_bench.c.
int command_sstable(int argc, char **argv);
int command_version(int argc, char **argv);
// Those of command_node_tool.c: what nodetool shows of a ring, asked of one node.
int command_status(int argc, char **argv);
int command_ring_view(int argc, char **argv); // `helenus ring` without an action.
int command_info(int argc, char **argv);
int command_describecluster(int argc, char **argv);
int command_getendpoints(int argc, char **argv);
int command_flush(int argc, char **argv);
int command_drain(int argc, char **argv);
// Those of command_snapshot.c.
int command_snapshot(int argc, char **argv);
int command_listsnapshots(int argc, char **argv);
int command_clearsnapshot(int argc, char **argv);
int command_import(int argc, char **argv);
// Those of command_compaction.c.
int command_compact(int argc, char **argv);
int command_compactionstats(int argc, char **argv);
int command_compaction_stop(int argc, char **argv);
int command_setcompactionthroughput(int argc, char **argv);
int command_getcompactionthroughput(int argc, char **argv);
int command_setconcurrentcompactors(int argc, char **argv);
int command_getconcurrentcompactors(int argc, char **argv);
int command_enableautocompaction(int argc, char **argv);
int command_disableautocompaction(int argc, char **argv);
int command_statusautocompaction(int argc, char **argv);
int command_tablestats(int argc, char **argv);
// Those of command_figures.c.
int command_tpstats(int argc, char **argv);
int command_tablehistograms(int argc, char **argv);
int command_settraceprobability(int argc, char **argv);
int command_gettraceprobability(int argc, char **argv);

// Prints "helenus NAME: error" on standard error and returns EXIT_FAULT.
struct error;
int command_fail(const char *name, const struct error *error);

#endif
