// helenus stream run|list|stop: runs a job's script against a ring, shows jobs, ends one for good.
#include "node/commands.h"

#include "base/env_uv.h"
#include "base/limits.h"
#include "node/options.h"
#include "ring/metadata/jobs.h"
#include "stream/job/driver.h"
#include "stream/job/job_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stream_options {
    const char *name, *ring, *spool;
    int64_t storage_port, batch_mib, batch_kib, batch_records, timeout_s, call_timeout_s;
    bool quiet, json;
};

#define RING_OPTIONS                                                                               \
    {"ring",                                                                                       \
     OPTION_TEXT,                                                                                  \
     offsetof(struct stream_options, ring),                                                        \
     "HOST",                                                                                       \
     "Address of a node (127.0.0.1)",                                                              \
     0,                                                                                            \
     0},                                                                                           \
    {                                                                                              \
        "storage-port", OPTION_NUMBER, offsetof(struct stream_options, storage_port), "PORT",      \
            "The nodes' port for workers (7000)", 1, 65535                                         \
    }

static const struct option_spec run_specs[] = {
    {"name", OPTION_TEXT, offsetof(struct stream_options, name), "NAME",
     "Name of the job; the same name goes on where an unfinished job stopped", 0, 0},
    RING_OPTIONS,
    {"batch-mib", OPTION_NUMBER, offsetof(struct stream_options, batch_mib), "N",
     "MiB of input at which a batch ends before its interval does (32)", 1, 1024},
    {"batch-kib", OPTION_NUMBER, offsetof(struct stream_options, batch_kib), "N", "The same in KiB",
     1, 1024 * 1024},
    {"batch-records", OPTION_NUMBER, offsetof(struct stream_options, batch_records), "N",
     "Lines at which a batch ends", 1, INT64_MAX},
    {"spool", OPTION_TEXT, offsetof(struct stream_options, spool), "DIR",
     "Where input that can not be read twice is kept (helenus-spool)", 0, 0},
    {"timeout", OPTION_NUMBER, offsetof(struct stream_options, timeout_s), "SECONDS",
     "How long to try while the node does not answer (60)", 1, 86400},
    {"call-timeout", OPTION_NUMBER, offsetof(struct stream_options, call_timeout_s), "SECONDS",
     "How long one call of a job's function may take (10)", 1, 86400},
    {"quiet", OPTION_FLAG, offsetof(struct stream_options, quiet), NULL, "No progress, no summary",
     0, 0},
};

static const struct command run_command = {
    .name = "stream run",
    .usage = "[options] JOB.lua [ARGS...]",
    .summary = "Runs a stream job; its counts are exact, whatever is killed",
    .text = "The job's script gets ARGS as `arg` and `...`. For example:\n"
            "    helenus stream run examples/hashtags.lua tweets.jsonl.gz\n"
            "    helenus stream run --name deck examples/deck.lua http://127.0.0.1:8080/\n"
            "    zcat tweets.jsonl.gz | helenus stream run --name tags examples/hashtags.lua -",
    .specs = run_specs,
    .spec_count = sizeof run_specs / sizeof *run_specs,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .operands_take_rest = true,
};

static const struct option_spec list_specs[] = {
    RING_OPTIONS,
    {"json", OPTION_FLAG, offsetof(struct stream_options, json), NULL, "For programs", 0, 0},
};
static const struct command list_command = {
    .name = "stream list",
    .usage = "[options]",
    .summary = "Shows the jobs that a node knows, the oldest first",
    .text = "Of each: name, id, state (open, finished, stopped, broken), batches recorded and\n"
            "done, the sum of all its counts so far (modulo 2^64), how many bytes of each source\n"
            "are recorded, and its tables.",
    .specs = list_specs,
    .spec_count = sizeof list_specs / sizeof *list_specs,
};

static const struct option_spec stop_specs[] = {RING_OPTIONS};
static const struct command stop_command = {
    .name = "stream stop",
    .usage = "[options] NAME",
    .summary = "Ends a job that did not finish, for good",
    .text = "NAME is the job's name, or its id as 'helenus stream list' shows it. What it has\n"
            "counted stays; a batch that is recorded and not done is left as it is, perhaps in\n"
            "part. The same name may then begin a new job, and clients may delete from its\n"
            "tables again, which they may not while a job is open.",
    .specs = stop_specs,
    .spec_count = sizeof stop_specs / sizeof *stop_specs,
    .operands_min = 1,
    .operands_max = 1,
};

static int stream_bad_ring(const struct command *command, const char *ring)
{
    struct error error;
    (void)error_set(&error, STATUS_INVALID, "--ring %s: not an address", ring);
    (void)command_fail(command->name, &error);
    return EXIT_USAGE;
}

static int stream_ask(const struct command *command, int argc, char **argv)
{
    struct stream_options options = {.ring = "127.0.0.1", .storage_port = 7000};
    struct operands operands;
    int code = options_begin(command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct job_client_options client = {.as_json = options.json};
    if (env_address_parse(options.ring, (uint16_t)options.storage_port, &client.ring) != STATUS_OK)
        return stream_bad_ring(command, options.ring);
    struct error error;
    struct env *env;
    if (env_uv_create(&env, &error) != STATUS_OK) return command_fail(command->name, &error);
    code = command == &list_command ? job_client_list(env, &client)
                                    : job_client_stop(env, &client, operands.items[0]);
    env_uv_destroy(env);
    return code;
}

static int stream_run(int argc, char **argv)
{
    struct stream_options options = {
        .ring = "127.0.0.1", .spool = "helenus-spool", .storage_port = 7000};
    struct operands operands;
    int code = options_begin(&run_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct stream_run_options run = {
        .script_path = operands.items[0],
        .arguments = (const char *const *)operands.items + 1,
        .argument_count = operands.count - 1,
        .name = options.name,
        .spool_directory = options.spool,
        .batch_size = (uint64_t)options.batch_mib * MIB + (uint64_t)options.batch_kib * KIB,
        .batch_records = (uint64_t)options.batch_records,
        .timeout_ns = (uint64_t)options.timeout_s * 1000000000,
        .call_timeout_ns = (uint64_t)options.call_timeout_s * 1000000000,
        .quiet = options.quiet,
    };
    struct error error;
    if (env_address_parse(options.ring, (uint16_t)options.storage_port, &run.ring) != STATUS_OK)
        return stream_bad_ring(&run_command, options.ring);
    if (options.name != NULL && strlen(options.name) >= JOB_NAME_SIZE_MAX) {
        (void)error_set(&error, STATUS_INVALID, "--name: more than %d bytes",
                        JOB_NAME_SIZE_MAX - 1);
        (void)command_fail(run_command.name, &error);
        return EXIT_USAGE;
    }
    struct env *env;
    if (env_uv_create(&env, &error) != STATUS_OK) return command_fail(run_command.name, &error);
    code = stream_run_main(env, &run);
    env_uv_destroy(env);
    return code;
}

int command_stream(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "run") == 0) return stream_run(argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "list") == 0)
        return stream_ask(&list_command, argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "stop") == 0)
        return stream_ask(&stop_command, argc - 1, argv + 1);
    bool help = argc > 0 && strcmp(argv[0], "--help") == 0;
    static const struct command *const commands[] = {&run_command, &list_command, &stop_command};
    FILE *out = help ? stdout : stderr;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        (void)fprintf(out, "helenus %s %s\n  %s\n", commands[i]->name, commands[i]->usage,
                      commands[i]->summary);
    (void)fprintf(out, "\n'helenus stream run --help' tells more, and so on.\n");
    return help ? EXIT_OK : EXIT_USAGE;
}
