// helenus sim: runs of the simulator, each by its seed.
#include "node/commands.h"

#include "node/options.h"
#include "node/sim/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct sim_command_options {
    int64_t seed, seeds, operations;
    const char *world;
    bool trace, json;
};

static const struct option_spec specs[] = {
    {"seed", OPTION_NUMBER, offsetof(struct sim_command_options, seed), "N", "The first seed (1)",
     0, INT64_MAX},
    {"seeds", OPTION_NUMBER, offsetof(struct sim_command_options, seeds), "COUNT",
     "How many, from there on (1)", 1, 1000000000},
    {"world", OPTION_TEXT, offsetof(struct sim_command_options, world),
     "storage|node|job|ring|paxos|engine",
     "The engine under many clients, a node with its clients, a job, a ring, its Paxos alone, or\n"
     "the engine with all kinds of data (node)",
     0, 0},
    {"operations", OPTION_NUMBER, offsetof(struct sim_command_options, operations), "N",
     "Operations, or lines of a job's input, of a run (2000)", 1, 1000000000},
    {"trace", OPTION_FLAG, offsetof(struct sim_command_options, trace), NULL, "Print every event",
     0, 0},
    {"json", OPTION_FLAG, offsetof(struct sim_command_options, json), NULL,
     "For programs: a line for each seed, then the counts", 0, 0},
};

static const struct command command = {
    .name = "sim",
    .usage = "[options]",
    .summary = "Runs a node or a ring in the simulator, by seed",
    .text = "Clients write, count, read and change the schema of a node, or of a ring of up to\n"
            "seven, whose processes are killed and stopped, whose disks fill up, fail and lose\n"
            "what was not synced, whose clocks jump, whose network is cut and slow and loses\n"
            "messages. Every answer is checked. The same seed gives the same run. Exits with 1\n"
            "when a seed failed, and says how to repeat it.",
    .specs = specs,
    .spec_count = sizeof specs / sizeof specs[0],
};

static const char *const mark_texts[] = {
#define X(mark, text) [ENV_MARK_##mark] = text,
    ENV_MARK_MAP(X)
#undef X
};

struct totals {
    uint64_t passed, failed, events;
    uint64_t faults[SIM_FAULT_COUNT], marks[ENV_MARK_COUNT], done[WORKLOAD_KIND_COUNT];
};

static void print_trace(void *context, uint64_t now_ns, const char *line)
{
    (void)context;
    (void)printf("%12.6f %s\n", (double)now_ns / 1e9, line);
}

static void totals_add(struct totals *totals, const struct run_result *result)
{
    totals->passed += result->passed ? 1 : 0;
    totals->failed += result->passed ? 0 : 1;
    totals->events += result->events;
    for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
        totals->faults[i] += result->faults[i];
    for (size_t i = 0; i < ENV_MARK_COUNT; i++)
        totals->marks[i] += result->marks[i];
    for (size_t i = 0; i < WORKLOAD_KIND_COUNT; i++)
        totals->done[i] += result->done[i];
}

static void print_count(const char *text, uint64_t count)
{
    (void)printf("  %-48s %12" PRIu64 "\n", text, count);
}

static void print_totals(const struct totals *totals)
{
    (void)printf("operations\n");
    for (size_t i = 0; i < WORKLOAD_KIND_COUNT; i++)
        print_count(workload_kind_text((enum workload_kind)i), totals->done[i]);
    (void)printf("faults\n");
    for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
        print_count(sim_fault_text((enum sim_fault)i), totals->faults[i]);
    (void)printf("places\n");
    for (size_t i = 0; i < ENV_MARK_COUNT; i++)
        print_count(mark_texts[i], totals->marks[i]);
}

static void print_object(const char *name, const char *(*text)(size_t index),
                         const uint64_t *counts, size_t count)
{
    (void)printf("\"%s\":{", name);
    for (size_t i = 0; i < count; i++)
        (void)printf("%s\"%s\":%" PRIu64, i == 0 ? "" : ",", text(i), counts[i]);
    (void)printf("}");
}

static const char *kind_text_at(size_t index)
{
    return workload_kind_text((enum workload_kind)index);
}

static const char *fault_text_at(size_t index)
{
    return sim_fault_text((enum sim_fault)index);
}

static const char *mark_text_at(size_t index)
{
    return mark_texts[index];
}

static void print_totals_json(const struct totals *totals)
{
    (void)printf("{\"passed\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"events\":%" PRIu64 ",",
                 totals->passed, totals->failed, totals->events);
    print_object("operations", kind_text_at, totals->done, WORKLOAD_KIND_COUNT);
    (void)printf(",");
    print_object("faults", fault_text_at, totals->faults, SIM_FAULT_COUNT);
    (void)printf(",");
    print_object("places", mark_text_at, totals->marks, ENV_MARK_COUNT);
    (void)printf("}\n");
}

static void print_json_text(const char *text)
{
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') (void)putchar('\\');
        (void)putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    (void)putchar('"');
}

static void print_result(const struct sim_command_options *options,
                         const struct run_options *run_options, const struct run_result *result)
{
    const char *world = run_world_text(run_options->world);
    if (options->json) {
        (void)printf("{\"seed\":%" PRIu64 ",\"world\":\"%s\",\"passed\":%s,\"hash\":\"%016" PRIx64
                     "\",\"fault\":",
                     run_options->seed, world, result->passed ? "true" : "false", result->hash);
        print_json_text(result->fault);
        (void)printf("}\n");
        return;
    }
    if (result->passed) {
        (void)printf("seed %" PRIu64 " (%s): passed, %" PRIu64 " events, %.1f s simulated, "
                     "hash %016" PRIx64 "\n",
                     run_options->seed, world, result->events, (double)result->virtual_ns / 1e9,
                     result->hash);
        return;
    }
    (void)printf("seed %" PRIu64 " (%s): FAILED: %s\n"
                 "  repeat it with: helenus sim --world %s --seed %" PRIu64 " --operations %" PRIu64
                 " --trace\n",
                 run_options->seed, world, result->fault, world, run_options->seed,
                 run_options->operations);
}

static bool parse_world(const char *text, enum run_world *world)
{
    for (int i = 0; i < RUN_WORLD_COUNT; i++) {
        if (strcmp(text, run_world_text((enum run_world)i)) != 0) continue;
        *world = (enum run_world)i;
        return true;
    }
    return false;
}

int command_sim(int argc, char **argv)
{
    struct sim_command_options options = {
        .seed = 1, .seeds = 1, .operations = 2000, .world = "node"};
    struct operands operands;
    int code = options_begin(&command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    enum run_world world;
    if (!parse_world(options.world, &world)) {
        (void)fprintf(stderr,
                      "helenus sim: no world '%s': storage, node, job, ring, paxos or engine\n",
                      options.world);
        return EXIT_USAGE;
    }
    struct totals totals = {0};
    for (int64_t i = 0; i < options.seeds; i++) {
        struct run_options run_options = {.world = world,
                                          .seed = (uint64_t)(options.seed + i),
                                          .operations = (uint64_t)options.operations,
                                          .trace = options.trace ? print_trace : NULL};
        struct run_result result;
        run_seed(&run_options, &result);
        totals_add(&totals, &result);
        if (options.seeds == 1 || !result.passed || options.json)
            print_result(&options, &run_options, &result);
        (void)fflush(stdout);
    }
    if (options.json) {
        print_totals_json(&totals);
    } else {
        if (options.seeds > 1) print_totals(&totals);
        (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", totals.passed, totals.failed);
    }
    return totals.failed == 0 ? EXIT_OK : EXIT_FAULT;
}
