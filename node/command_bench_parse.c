// helenus bench parse: what it costs to turn the text of a statement into its tree, as each
// unprepared request does.
//
// In one thread, without a server: rounds of a fixed time, each with an arena that is reset behind
// every statement as that of a request is; the median of the rounds' CPU times counts.
#include "node/commands.h"

#include "base/env_uv.h"
#include "cql/parser/parser.h"
#include "node/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MAX = 101, PARSES_AT_ONCE = 1000 };

struct parse_options {
    int64_t rounds, milliseconds;
    bool json;
};

#define TARGET(member) offsetof(struct parse_options, member)

static const struct option_spec specs[] = {
    {"rounds", OPTION_NUMBER, TARGET(rounds), "N", "Rounds, of which the median counts (5)", 1,
     ROUNDS_MAX},
    {"milliseconds", OPTION_NUMBER, TARGET(milliseconds), "MS", "Of a round (100)", 1, 60000},
    {"json", OPTION_FLAG, TARGET(json), NULL, "JSON lines, one a statement", 0, 0},
};

static const struct command command = {
    .name = "bench parse",
    .usage = "[options] [STATEMENT...]",
    .summary = "Measures the parser: CPU time from a statement's text to its tree",
    .text = "Without a STATEMENT it parses some of its own, an INSERT first.",
    .specs = specs,
    .spec_count = sizeof specs / sizeof specs[0],
    .operands_min = 0,
    .operands_max = 64,
};

static const char *const own_statements[] = {
    "INSERT INTO bench.rows (k, c, v) VALUES ('k4711', 'c42', "
    "0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f)",
    "INSERT INTO bench.users (id, name, email, born, score, is_active, tags) VALUES "
    "(5f3b2c1a-0d4e-4f6a-8b7c-9d8e7f6a5b4c, 'Ada Lovelace', 'ada@example.org', '1815-12-10', "
    "3.25, true, {'engine', 'notes'}) USING TTL 86400 AND TIMESTAMP 1700000000000000",
    "UPDATE bench.hashtags SET mentions = mentions + 1 WHERE hashtag = '#tag4711' "
    "AND interval = 'd42'",
    "SELECT interval, mentions FROM bench.hashtags WHERE hashtag = '#tag4711' "
    "AND interval <= 'd45' LIMIT 30",
};

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static enum status used_cpu(struct env *env, uint64_t *cpu_ns, struct error *error)
{
    struct env_process_usage usage;
    enum status status = env_process_usage(env, 0, &usage, error);
    *cpu_ns = usage.cpu_ns;
    return status;
}

static enum status parse_some(struct slice text, struct arena *arena, struct error *error)
{
    for (int i = 0; i < PARSES_AT_ONCE; i++) {
        const struct cql_statement_ast *statement;
        struct cql_error why;
        arena_reset(arena);
        if (!cql_parse(text, arena, &statement, &why))
            return error_set(error, STATUS_INVALID, "%.*s: %s",
                             (int)(text.size < 100 ? text.size : 100), (const char *)text.data,
                             why.text);
    }
    return STATUS_OK;
}

// One round: nanoseconds of CPU a statement.
static enum status run_round(struct env *env, struct slice text, uint64_t duration_ns, double *cost,
                             struct error *error)
{
    struct arena arena;
    uint64_t begun_ns, ended_ns = 0, count = 0;
    arena_init(&arena, 4096);
    enum status status = parse_some(text, &arena, error); // Warms up.
    if (status == STATUS_OK) status = used_cpu(env, &begun_ns, error);
    while (status == STATUS_OK && (count == 0 || ended_ns - begun_ns < duration_ns)) {
        status = parse_some(text, &arena, error);
        count += PARSES_AT_ONCE;
        if (status == STATUS_OK) status = used_cpu(env, &ended_ns, error);
    }
    arena_deinit(&arena);
    if (status == STATUS_OK) *cost = (double)(ended_ns - begun_ns) / (double)count;
    return status;
}

static enum status measure(struct env *env, const struct parse_options *options,
                           const char *statement, struct error *error)
{
    double costs[ROUNDS_MAX];
    size_t rounds = (size_t)options->rounds;
    struct slice text = slice_of_text(statement);
    for (size_t i = 0; i < rounds; i++) {
        enum status status =
            run_round(env, text, (uint64_t)options->milliseconds * 1000000, &costs[i], error);
        if (status != STATUS_OK) return status;
    }
    qsort(costs, rounds, sizeof costs[0], compare);
    double median = costs[rounds / 2];
    if (options->json)
        printf("{\"bytes\":%zu,\"rounds\":%zu,\"median_ns\":%.1f,\"min_ns\":%.1f,\"max_ns\":%.1f}"
               "\n",
               text.size, rounds, median, costs[0], costs[rounds - 1]);
    else
        printf("%7.3f us  (%.3f to %.3f)  %.70s%s\n", median / 1e3, costs[0] / 1e3,
               costs[rounds - 1] / 1e3, statement, text.size > 70 ? "..." : "");
    return STATUS_OK;
}

int command_bench_parse(int argc, char **argv)
{
    struct parse_options options = {.rounds = 5, .milliseconds = 100};
    struct operands operands;
    int code = options_begin(&command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct env *env;
    struct error error;
    enum status status = env_uv_create(&env, &error);
    if (status != STATUS_OK) return command_fail(command.name, &error);
    size_t own_count = sizeof own_statements / sizeof own_statements[0];
    size_t count = operands.count > 0 ? operands.count : own_count;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = measure(env, &options, operands.count > 0 ? operands.items[i] : own_statements[i],
                         &error);
    code = status == STATUS_OK ? EXIT_OK : command_fail(command.name, &error);
    env_uv_destroy(env);
    return code;
}
