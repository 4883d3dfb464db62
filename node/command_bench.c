// helenus bench cql: measures any CQL server with the statements of a file.
#include "node/commands.h"

#include "base/env_uv.h"
#include "cql/client/bench.h"
#include "node/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENT_FILE_SIZE_MAX = 1024 * 1024 };

struct bench_options {
    const char *host, *consistency, *pids;
    int64_t port, connections, in_flight, seconds, warm_up, count, seed, protocol;
    bool lz4, json;
};

#define TARGET(member) offsetof(struct bench_options, member)

static const struct option_spec specs[] = {
    {"host", OPTION_TEXT, TARGET(host), "IP,IP…", "The server's address, or several (127.0.0.1)", 0,
     0},
    {"port", OPTION_NUMBER, TARGET(port), "PORT", "Its CQL port (9042)", 1, 65535},
    {"connections", OPTION_NUMBER, TARGET(connections), "C", "Connections (8)", 1,
     CQL_BENCH_CONNECTIONS_MAX},
    {"in-flight", OPTION_NUMBER, TARGET(in_flight), "F", "Requests in flight on each (16)", 1,
     CQL_BENCH_IN_FLIGHT_MAX},
    {"seconds", OPTION_NUMBER, TARGET(seconds), "S", "How long to measure (10)", 1, 86400},
    {"warm-up", OPTION_NUMBER, TARGET(warm_up), "S", "Seconds before that (1)", 0, 3600},
    {"count", OPTION_NUMBER, TARGET(count), "N", "Measure N operations instead", 0, INT64_MAX},
    {"seed", OPTION_NUMBER, TARGET(seed), "N", "Of the values' random numbers (1)", 0, INT64_MAX},
    {"protocol", OPTION_NUMBER, TARGET(protocol), "V", "Protocol version, 3 to 5 (4)", 3, 5},
    {"consistency", OPTION_TEXT, TARGET(consistency), "LEVEL", "Consistency level (ONE)", 0, 0},
    {"pids", OPTION_TEXT, TARGET(pids), "P,P…", "Processes whose CPU is told per operation", 0, 0},
    {"lz4", OPTION_FLAG, TARGET(lz4), NULL, "Compress", 0, 0},
    {"json", OPTION_FLAG, TARGET(json), NULL, "One JSON object instead of text", 0, 0},
};

static const struct command command = {
    .name = "bench cql",
    .usage = "[options] FILE",
    .summary = "Measures a CQL server, this one or another",
    .text = "FILE has one statement a line; a line before it tells how to fill each '?':\n"
            "  -- setup CREATE TABLE IF NOT EXISTS bench.t (k text PRIMARY KEY, n counter)\n"
            "  -- bind text zipf 10000 prefix tag\n"
            "  UPDATE bench.t SET n = n + 1 WHERE k = ?\n"
            "Kinds: zipf N, uniform N, sequence [FROM], constant N, random SIZE; behind them\n"
            "prefix TEXT, pad WIDTH, exponent E. '-- weight N' mixes several statements.",
    .specs = specs,
    .spec_count = sizeof specs / sizeof specs[0],
    .operands_min = 1,
    .operands_max = 1,
};

static enum status take_pids(const char *text, struct cql_bench_options *bench, struct error *error)
{
    while (text != NULL && *text != '\0') {
        char *end;
        long pid = strtol(text, &end, 10);
        if (end == text || pid <= 0 || pid > INT32_MAX || (*end != '\0' && *end != ','))
            return error_set(error, STATUS_INVALID,
                             "--pids wants process numbers with commas between them, not '%s'",
                             text);
        if (bench->pid_count == CQL_BENCH_PIDS_MAX)
            return error_set(error, STATUS_INVALID, "--pids takes at most %d", CQL_BENCH_PIDS_MAX);
        bench->pids[bench->pid_count++] = (int)pid;
        text = *end == ',' ? end + 1 : end;
    }
    return STATUS_OK;
}

static enum status take_hosts(const char *text, uint16_t port, struct cql_bench_options *bench,
                              struct error *error)
{
    while (*text != '\0') {
        char host[ENV_ADDRESS_TEXT_SIZE];
        size_t size = strcspn(text, ",");
        (void)snprintf(host, sizeof host, "%.*s", (int)(size < sizeof host ? size : 0), text);
        if (bench->host_count == CQL_BENCH_HOSTS_MAX || bench->host_count == bench->connections)
            return error_set(error, STATUS_INVALID,
                             "--host takes at most %d addresses, and --connections as many",
                             CQL_BENCH_HOSTS_MAX);
        if (env_address_parse(host, port, &bench->hosts[bench->host_count]) != STATUS_OK)
            return error_set(error, STATUS_INVALID,
                             "--host wants addresses such as 127.0.0.1, not '%s'", host);
        bench->host_count++;
        text += size + (text[size] == ',');
    }
    return bench->host_count > 0 ? STATUS_OK
                                 : error_set(error, STATUS_INVALID, "--host names no address");
}

static enum status take_consistency(const char *text, enum consistency *consistency,
                                    struct error *error)
{
    for (int i = 0; i < CONSISTENCY_COUNT; i++) {
        if (strcmp(consistency_text((enum consistency)i), text) != 0) continue;
        *consistency = (enum consistency)i;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID, "there is no consistency level '%s'", text);
}

static enum status take_options(const struct bench_options *options,
                                struct cql_bench_options *bench, struct error *error)
{
    *bench = (struct cql_bench_options){
        .version = (int)options->protocol,
        .lz4 = options->lz4,
        .connections = (size_t)options->connections,
        .in_flight = (size_t)options->in_flight,
        .warm_up_ns = (uint64_t)options->warm_up * 1000000000u,
        .duration_ns = (uint64_t)options->seconds * 1000000000u,
        .count = (uint64_t)options->count,
        .seed = (uint64_t)options->seed,
    };
    enum status status = take_hosts(options->host, (uint16_t)options->port, bench, error);
    if (status == STATUS_OK)
        status = take_consistency(options->consistency, &bench->consistency, error);
    return status != STATUS_OK ? status : take_pids(options->pids, bench, error);
}

static enum status read_file(struct env *env, const char *path, struct buffer *text,
                             struct error *error)
{
    struct env_file *file;
    enum status status = env_file_open(env, path, ENV_OPEN_READ, &file, error);
    if (status != STATUS_OK) return status;
    uint64_t size;
    size_t read_size = 0;
    status = env_file_size(file, &size, error);
    if (status == STATUS_OK && size > STATEMENT_FILE_SIZE_MAX)
        status = error_set(error, STATUS_INVALID, "%s: larger than 1 MiB", path);
    if (status == STATUS_OK && size > 0) {
        uint8_t *bytes = buffer_reserve(text, (size_t)size);
        status = env_file_read(file, 0, bytes, (size_t)size, &read_size, error);
        buffer_truncate(text, status == STATUS_OK ? read_size : 0);
    }
    env_file_close(file);
    return status;
}

struct run {
    struct env *env;
    const struct cql_bench_options *options;
    bool json;
    enum status status;
    struct error *error;
};

static void bench_done(void *context, enum status status, const struct cql_bench_result *result,
                       const struct error *error)
{
    struct run *run = context;
    run->status = status;
    *run->error = *error;
    if (status == STATUS_OK) {
        struct buffer text;
        buffer_init(&text, 64u * 1024);
        cql_bench_put_result(run->options, result, run->json, &text);
        (void)fwrite(text.data, 1, text.size, stdout);
        buffer_deinit(&text);
    }
    env_uv_stop(run->env);
}

static enum status run_bench(struct env *env, const struct bench_options *options, const char *path,
                             struct error *error)
{
    struct cql_bench_options bench_options;
    struct bench_workload *workload = calloc(1, sizeof *workload);
    struct buffer text;
    buffer_init(&text, STATEMENT_FILE_SIZE_MAX);
    enum status status = workload == NULL ? error_set(error, STATUS_OVERLOADED, "out of memory")
                                          : take_options(options, &bench_options, error);
    if (status == STATUS_OK) status = read_file(env, path, &text, error);
    if (status == STATUS_OK) {
        status = bench_workload_parse(workload, buffer_slice(&text), error);
        if (status == STATUS_OK) {
            struct run run = {env, &bench_options, options->json, STATUS_OK, error};
            struct cql_bench *bench =
                cql_bench_start(env, &bench_options, workload, bench_done, &run);
            env_uv_run(env);
            cql_bench_destroy(bench);
            status = run.status;
        }
        bench_workload_deinit(workload);
    }
    buffer_deinit(&text);
    free(workload);
    return status;
}

int command_bench(int argc, char **argv)
{
    if (argc < 1 || strcmp(argv[0], "cql") != 0) {
        bool helps = argc >= 1 && options_is_help(argv[0]);
        if (helps)
            options_print_help(&command);
        else
            (void)fprintf(stderr, "helenus bench: 'cql' is what there is to measure\n"
                                  "'helenus bench cql --help' tells more.\n");
        return helps ? EXIT_OK : EXIT_USAGE;
    }
    struct bench_options options = {
        .host = "127.0.0.1",
        .consistency = "ONE",
        .port = 9042,
        .connections = 8,
        .in_flight = 16,
        .seconds = 10,
        .warm_up = 1,
        .seed = 1,
        .protocol = 4,
    };
    struct operands operands;
    int code = options_begin(&command, argc - 1, argv + 1, &options, &operands);
    if (code >= 0) return code;
    struct env *env;
    struct error error;
    if (env_uv_create(&env, &error) != STATUS_OK) return command_fail(command.name, &error);
    enum status status = run_bench(env, &options, operands.items[0], &error);
    code = status == STATUS_OK ? EXIT_OK : command_fail(command.name, &error);
    env_uv_destroy(env);
    return code;
}
