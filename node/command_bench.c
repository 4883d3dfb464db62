// helenus bench: cql measures any CQL server with the statements of a file; parse our own parser
// (command_bench_parse.c).
#include "node/commands.h"

#include "base/env_uv.h"
#include "cql/client/bench_chart.h"
#include "cql/client/bench_report.h"
#include "cql/protocol/tls.h"
#include "node/login.h"
#include "node/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATEMENT_FILE_SIZE_MAX = 1024 * 1024, SVG_SIZE_MAX = 1024 * 1024 };

// With --strict: measured, but the server failed an operation or did not hold the rate.
enum { EXIT_MISSED = 3 };

struct bench_options {
    const char *host, *consistency, *pids, *arrivals, *svg, *user, *password_file;
    int64_t port, connections, in_flight, rate, deadline, seconds, warm_up, count, seed, protocol;
    bool lz4, spin, unprepared, json, strict;
    bool tls;
    const char *tls_ca, *tls_key;
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
    {"rate", OPTION_NUMBER, TARGET(rate), "N", "Requests a second, whatever the server does", 1,
     CQL_BENCH_RATE_MAX},
    {"arrivals", OPTION_TEXT, TARGET(arrivals), "HOW", "Of a rate: even or poisson (even)", 0, 0},
    {"spin", OPTION_FLAG, TARGET(spin), NULL, "Of a rate: send at the very time; takes a core", 0,
     0},
    {"deadline", OPTION_NUMBER, TARGET(deadline), "MS",
     "Of a rate: count what is answered so soon; what finds no room is not sent", 1, 3600000},
    {"seconds", OPTION_NUMBER, TARGET(seconds), "S", "How long to measure (10)", 1,
     CQL_BENCH_SECONDS_MAX},
    {"warm-up", OPTION_NUMBER, TARGET(warm_up), "S", "Seconds before that (1)", 0, 3600},
    {"count", OPTION_NUMBER, TARGET(count), "N", "Measure N operations instead", 0, INT64_MAX},
    {"seed", OPTION_NUMBER, TARGET(seed), "N", "Of the values' random numbers (1)", 0, INT64_MAX},
    {"protocol", OPTION_NUMBER, TARGET(protocol), "V", "Protocol version, 3 to 5 (4)", 3, 5},
    {"consistency", OPTION_TEXT, TARGET(consistency), "LEVEL", "Consistency level (ONE)", 0, 0},
    {"pids", OPTION_TEXT, TARGET(pids), "P,P…", "Processes whose CPU is told per operation", 0, 0},
    {"lz4", OPTION_FLAG, TARGET(lz4), NULL, "Compress", 0, 0},
    {"user", OPTION_TEXT, TARGET(user), "NAME", "Log in, if the server asks for it", 0, 0},
    {"password-file", OPTION_TEXT, TARGET(password_file), "FILE", "Its first line is the password",
     0, 0},
    {"tls", OPTION_FLAG, TARGET(tls), NULL, "Speak TLS", 0, 0},
    {"tls-ca", OPTION_TEXT, TARGET(tls_ca), "FILE",
     "PEM: who signed the server's certificate, which is not checked without", 0, 0},
    {"tls-key", OPTION_TEXT, TARGET(tls_key), "FILE",
     "PEM: our private key and its certificate, if the server wants one", 0, 0},
    {"unprepared", OPTION_FLAG, TARGET(unprepared), NULL, "Send each statement as text", 0, 0},
    {"json", OPTION_FLAG, TARGET(json), NULL, "JSON lines: each second's, then the summary", 0, 0},
    {"svg", OPTION_TEXT, TARGET(svg), "FILE", "Draw percentiles over time and their curve", 0, 0},
    {"strict", OPTION_FLAG, TARGET(strict), NULL, "Exit with 3 after errors or a rate not held", 0,
     0},
};

static const struct command command = {
    .name = "bench cql",
    .usage = "[options] FILE",
    .summary = "Measures a CQL server, this one or another",
    .text = "FILE has one statement a line; a line before it tells how to fill each '?':\n"
            "  -- setup CREATE TABLE IF NOT EXISTS bench.t (k text PRIMARY KEY, n counter)\n"
            "  -- bind text zipf 10000 prefix tag\n"
            "  UPDATE bench.t SET n = n + 1 WHERE k = ?\n"
            "Kinds: zipf N, uniform N, gaussian N, sequence [FROM], constant N, random SIZE;\n"
            "behind them prefix TEXT, pad WIDTH, exponent E, and for random sizes uniform,\n"
            "gaussian or zipf, from SIZE. '-- weight N' mixes several statements.\n\n"
            "Without --rate each answer starts the next request (a closed loop), and latencies\n"
            "are from sending. With it requests are due by the clock (an open loop), and\n"
            "latencies are from the due time: a stalled server cannot hide whom it kept waiting.\n"
            "The client's timer of 1 ms is in them; with --spin it is not, but that needs a core\n"
            "that nobody else uses. With --deadline an overload can be measured: a request that\n"
            "finds all connections full fails at once, as in a driver, and waits for nothing.\n\n"
            "Exit codes: 0 measured, 1 it could not be, 2 wrong usage, 3 see --strict.",
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

static enum status take_arrivals(const char *text, enum bench_arrival_kind *kind,
                                 struct error *error)
{
    if (strcmp(text, "even") != 0 && strcmp(text, "poisson") != 0)
        return error_set(error, STATUS_INVALID, "--arrivals is even or poisson, not '%s'", text);
    *kind = text[0] == 'e' ? BENCH_ARRIVALS_EVEN : BENCH_ARRIVALS_POISSON;
    return STATUS_OK;
}

static enum status take_options(const struct bench_options *options,
                                struct cql_bench_options *bench, struct error *error)
{
    *bench = (struct cql_bench_options){
        .version = (int)options->protocol,
        .lz4 = options->lz4,
        .is_unprepared = options->unprepared,
        .rate = (uint64_t)options->rate,
        .spins = options->spin,
        .deadline_ns = (uint64_t)options->deadline * 1000000u,
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
    if (status == STATUS_OK) status = take_arrivals(options->arrivals, &bench->arrivals, error);
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
    const struct bench_options *asked;
    const char *path; // Of the statements.
    struct cql_bench_options options;
    bool shows_progress, is_good;
    enum status status;
    struct error *error;
};

static void print(FILE *file, const struct buffer *text)
{
    (void)fwrite(text->data, 1, text->size, file);
    (void)fflush(file);
}

static void bench_second(void *context, const struct cql_bench_second *second)
{
    struct run *run = context;
    struct buffer text;
    buffer_init(&text, 4096);
    if (run->asked->json) {
        bench_report_put_second_json(&text, second);
        print(stdout, &text);
    }
    if (run->shows_progress) {
        buffer_clear(&text);
        buffer_put_format(&text, "\r\033[K");
        bench_report_put_second_text(&text, second);
        print(stderr, &text);
    }
    buffer_deinit(&text);
}

static enum status write_svg(struct run *run, const struct cql_bench_result *result)
{
    struct buffer svg;
    struct env_file *file;
    char title[512];
    (void)snprintf(title, sizeof title, "%s at %s", run->path, run->asked->host);
    buffer_init(&svg, SVG_SIZE_MAX);
    bench_chart_put(&svg, title, &run->options, result);
    enum status status =
        env_file_open(run->env, run->asked->svg,
                      ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file, run->error);
    if (status == STATUS_OK) {
        status = env_file_write(file, 0, svg.data, svg.size, run->error);
        env_file_close(file);
    }
    buffer_deinit(&svg);
    return status;
}

static void bench_done(void *context, enum status status, const struct cql_bench_result *result,
                       const struct error *error)
{
    struct run *run = context;
    run->status = status;
    *run->error = *error;
    if (run->shows_progress) (void)fprintf(stderr, "\r\033[K");
    if (status == STATUS_OK) {
        struct buffer text;
        buffer_init(&text, 64u * 1024);
        if (run->asked->json)
            bench_report_put_json(&text, &run->options, result);
        else
            bench_report_put_text(&text, &run->options, result);
        print(stdout, &text);
        buffer_deinit(&text);
        run->is_good = bench_report_is_good(&run->options, result);
        if (run->asked->svg != NULL) run->status = write_svg(run, result);
    }
    env_uv_stop(run->env);
}

static enum status run_bench(struct run *run, struct error *error)
{
    struct bench_workload *workload = calloc(1, sizeof *workload);
    struct buffer text;
    buffer_init(&text, STATEMENT_FILE_SIZE_MAX);
    enum status status = workload == NULL ? error_set(error, STATUS_OVERLOADED, "out of memory")
                                          : read_file(run->env, run->path, &text, error);
    if (status == STATUS_OK) {
        status = bench_workload_parse(workload, buffer_slice(&text), error);
        if (status == STATUS_OK) {
            run->options.second = bench_second;
            struct cql_bench *bench =
                cql_bench_start(run->env, &run->options, workload, bench_done, run);
            env_uv_run(run->env);
            cql_bench_destroy(bench);
            status = run->status;
        }
        bench_workload_deinit(workload);
    }
    buffer_deinit(&text);
    free(workload);
    return status;
}

static int run_bench_cql(int argc, char **argv)
{
    struct bench_options options = {
        .host = "127.0.0.1",
        .consistency = "ONE",
        .arrivals = "even",
        .port = 9042,
        .connections = 8,
        .in_flight = 16,
        .seconds = 10,
        .warm_up = 1,
        .seed = 1,
        .protocol = 4,
    };
    struct operands operands;
    int code = options_begin(&command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct env *env;
    struct error error;
    struct run run = {
        .asked = &options,
        .path = operands.items[0],
        .shows_progress = isatty(STDERR_FILENO) == 1,
        .error = &error,
    };
    if (take_options(&options, &run.options, &error) != STATUS_OK) {
        (void)command_fail(command.name, &error);
        return EXIT_USAGE;
    }
    if (env_uv_create(&env, &error) != STATUS_OK) return command_fail(command.name, &error);
    run.env = env;
    struct login login = {.user = NULL};
    enum status status = login_read(env, options.user, options.password_file, &login, &error);
    run.options.user = login.user;
    run.options.password = login.password;
    struct log log;
    log_init(&log, env, LOG_INFO);
    const struct tls_client_options tls_options = {options.tls_ca, options.tls_key, &log};
    if (status == STATUS_OK && (options.tls || options.tls_ca != NULL || options.tls_key != NULL))
        status = tls_create_client(env, &tls_options, &run.options.tls, &error);
    if (status == STATUS_OK) status = run_bench(&run, &error);
    if (status != STATUS_OK)
        code = command_fail(command.name, &error);
    else
        code = options.strict && !run.is_good ? EXIT_MISSED : EXIT_OK;
    tls_destroy(run.options.tls);
    env_uv_destroy(env);
    return code;
}

int command_bench(int argc, char **argv)
{
    if (argc >= 1 && strcmp(argv[0], "cql") == 0) return run_bench_cql(argc - 1, argv + 1);
    if (argc >= 1 && strcmp(argv[0], "parse") == 0) return command_bench_parse(argc - 1, argv + 1);
    bool helps = argc >= 1 && options_is_help(argv[0]);
    (void)fprintf(helps ? stdout : stderr,
                  "%s'helenus bench cql --help' and 'helenus bench parse --help' tell more.\n",
                  helps ? "" : "helenus bench: 'cql' or 'parse' is what there is to measure\n");
    return helps ? EXIT_OK : EXIT_USAGE;
}
