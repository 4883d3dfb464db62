// helenus stream run|submit|list|halt|resume|stop: runs a job's script against a ring, or has the
// nodes run it; shows jobs, lets one rest and go on, ends one for good.
#include "node/commands.h"

#include "base/env_uv.h"
#include "base/limits.h"
#include "node/options.h"
#include "ring/metadata/jobs.h"
#include "stream/job/driver.h"
#include "stream/job/job_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

// Address space of a worker that a node started.
#define WORKER_MEMORY_MAX (4 * GIB)

struct stream_options {
    const char *name, *ring, *spool, *submission;
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
     "Where input that can not be read twice is kept in a ring of one (helenus-spool)", 0, 0},
    {"submission", OPTION_TEXT, offsetof(struct stream_options, submission), "UUID",
     "An id of your own for this run: given again, it goes on, and ends at once when it is done", 0,
     0},
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

static const struct option_spec submit_specs[] = {
    {"name", OPTION_TEXT, offsetof(struct stream_options, name), "NAME", "Name of the job", 0, 0},
    RING_OPTIONS,
    {"batch-mib", OPTION_NUMBER, offsetof(struct stream_options, batch_mib), "N",
     "MiB of input at which a batch ends before its interval does (32)", 1, 1024},
    {"batch-kib", OPTION_NUMBER, offsetof(struct stream_options, batch_kib), "N", "The same in KiB",
     1, 1024 * 1024},
    {"batch-records", OPTION_NUMBER, offsetof(struct stream_options, batch_records), "N",
     "Lines at which a batch ends", 1, INT64_MAX},
};

static const struct command submit_command = {
    .name = "stream submit",
    .usage = "[options] JOB.lua [ARGS...]",
    .summary = "Has the ring's nodes run a stream job, whichever of them die",
    .text = "Prints the job's id and ends; one of the live nodes runs the job in a process of its\n"
            "own, in this working directory. 'helenus stream list' shows how far it is.",
    .specs = submit_specs,
    .spec_count = sizeof submit_specs / sizeof *submit_specs,
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
    .text =
        "Of each: name, id, state (open, halted, finished, stopped, broken), batches recorded\n"
        "and done, the sum of all its counts so far (modulo 2^64), how many bytes of each source\n"
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

static const struct command halt_command = {
    .name = "stream halt",
    .usage = "[options] NAME",
    .summary = "Lets a job that was submitted rest until it is resumed",
    .text = "NAME is the job's name or id. It stays open: nobody else may delete from its tables.",
    .specs = stop_specs,
    .spec_count = sizeof stop_specs / sizeof *stop_specs,
    .operands_min = 1,
    .operands_max = 1,
};

static const struct command resume_command = {
    .name = "stream resume",
    .usage = "[options] NAME",
    .summary = "Lets a job that was halted go on, by hand or because its workers died",
    .text = "NAME is the job's name or id. It goes on behind its last batch; nothing is lost or\n"
            "counted twice.",
    .specs = stop_specs,
    .spec_count = sizeof stop_specs / sizeof *stop_specs,
    .operands_min = 1,
    .operands_max = 1,
};

static const struct command audit_command = {
    .name = "stream audit",
    .usage = "[options] NAME",
    .summary = "Compares a resting job's counts with what its batches added",
    .text =
        "NAME is the job's name or id. Reads the job's own counter shards in all its tables at\n"
        "QUORUM; their sum must be the total that the log has. Ends with 1 when it is not.",
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
    if (command == &list_command)
        code = job_client_list(env, &client);
    else if (command == &audit_command)
        code = job_client_audit(env, &client, operands.items[0]);
    else
        code = job_client_mark(env, &client,
                               command == &stop_command   ? JOB_STOP
                               : command == &halt_command ? JOB_HALT
                                                          : JOB_RESUME,
                               operands.items[0]);
    env_uv_destroy(env);
    return code;
}

static int stream_run(const struct command *command, int argc, char **argv)
{
    struct stream_options options = {
        .ring = "127.0.0.1", .spool = "helenus-spool", .storage_port = 7000};
    struct operands operands;
    char directory[PATH_SIZE];
    int code = options_begin(command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct error error;
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
        .quiet = options.quiet || command == &submit_command,
        .is_submit = command == &submit_command,
        .directory = getcwd(directory, sizeof directory),
    };
    if (env_address_parse(options.ring, (uint16_t)options.storage_port, &run.ring) != STATUS_OK)
        return stream_bad_ring(command, options.ring);
    if (run.directory == NULL) {
        (void)error_set(&error, STATUS_INVALID, "the working directory can not be told");
        return command_fail(command->name, &error);
    }
    if (options.name != NULL && strlen(options.name) >= JOB_NAME_SIZE_MAX) {
        (void)error_set(&error, STATUS_INVALID, "--name: more than %d bytes",
                        JOB_NAME_SIZE_MAX - 1);
        (void)command_fail(command->name, &error);
        return EXIT_USAGE;
    }
    struct uuid submission;
    if (options.submission != NULL) {
        if (uuid_parse(slice_of_text(options.submission), &submission) != STATUS_OK) {
            (void)error_set(&error, STATUS_INVALID, "--submission %s: no UUID", options.submission);
            (void)command_fail(command->name, &error);
            return EXIT_USAGE;
        }
        run.submission_id = &submission;
    }
    struct env *env;
    if (env_uv_create(&env, &error) != STATUS_OK) return command_fail(command->name, &error);
    code = run.is_submit ? stream_submit_main(env, &run) : stream_run_main(env, &run);
    env_uv_destroy(env);
    return code;
}

// ---- worker ------------------------------------------------------------------------------------

// What nodes start; not for people.
static const struct option_spec worker_specs[] = {
    RING_OPTIONS,
    {"spool", OPTION_TEXT, offsetof(struct stream_options, spool), "DIR",
     "Where input that can not be read twice is kept in a ring of one (helenus-spool)", 0, 0},
};
static const struct command worker_command = {
    .name = "stream worker",
    .usage = "[options] JOB-ID",
    .summary = "Runs a submitted job; nodes start this",
    .text = "Ends with the node that started it.",
    .specs = worker_specs,
    .spec_count = sizeof worker_specs / sizeof *worker_specs,
    .operands_min = 1,
    .operands_max = 1,
};

// A job's code gets so much memory, whatever it does. (Sanitizers map more than there is.)
static void bound_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
    struct rlimit limit = {.rlim_cur = WORKER_MEMORY_MAX, .rlim_max = WORKER_MEMORY_MAX};
    (void)setrlimit(RLIMIT_AS, &limit);
#endif
}

static int stream_worker(int argc, char **argv)
{
    struct stream_options options = {
        .ring = "127.0.0.1", .spool = "helenus-spool", .storage_port = 7000};
    struct operands operands;
    int code = options_begin(&worker_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct uuid job;
    struct error error;
    struct stream_run_options run = {.spool_directory = options.spool, .quiet = true};
    if (env_address_parse(options.ring, (uint16_t)options.storage_port, &run.ring) != STATUS_OK)
        return stream_bad_ring(&worker_command, options.ring);
    if (uuid_parse(slice_of_text(operands.items[0]), &job) != STATUS_OK) return EXIT_USAGE;
    // The node that started it is its watchdog: without it, another node starts another one.
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    bound_memory();
    struct env *env;
    if (env_uv_create(&env, &error) != STATUS_OK) return command_fail(worker_command.name, &error);
    code = stream_worker_main(env, &run, &job);
    env_uv_destroy(env);
    return code;
}

int command_stream(int argc, char **argv)
{
    static const struct command *const commands[] = {&run_command,  &submit_command, &list_command,
                                                     &halt_command, &resume_command, &stop_command,
                                                     &audit_command};
    const char *name = argc > 0 ? argv[0] : "";
    if (strcmp(name, "run") == 0) return stream_run(&run_command, argc - 1, argv + 1);
    if (strcmp(name, "submit") == 0) return stream_run(&submit_command, argc - 1, argv + 1);
    if (strcmp(name, "worker") == 0) return stream_worker(argc - 1, argv + 1);
    for (size_t i = 2; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(name, commands[i]->name + strlen("stream ")) == 0)
            return stream_ask(commands[i], argc - 1, argv + 1);
    bool help = options_is_help(name);
    if (!help && name[0] != '\0') (void)fprintf(stderr, "helenus stream: no action '%s'\n\n", name);
    FILE *out = help ? stdout : stderr;
    (void)fprintf(out, "helenus stream ACTION [options]\n\n"
                       "Jobs over streams, in micro-batches: scripts whose counts are exact.\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        (void)fprintf(out, "  %-8s %s\n", commands[i]->name + strlen("stream "),
                      commands[i]->summary);
    (void)fprintf(out, "\n'helenus stream ACTION --help' tells more.\n");
    return help ? EXIT_OK : EXIT_USAGE;
}
