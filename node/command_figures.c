// helenus tpstats, tablehistograms, settraceprobability, gettraceprobability: nodetool's words
// (org.apache.cassandra.tools.nodetool.TpStats, TableHistograms, SetTraceProbability). What changes
// something asks all nodes of a ring, what shows something the one behind --ring, or --node N.
#include "base/cursor.h"
#include "base/limits.h"
#include "node/admin_tool.h"
#include "node/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(specs) (sizeof(specs) / sizeof(specs)[0])
#define ASKS_FOR_NS  (30 * UINT64_C(1000000000))

struct figures_options {
    struct admin_tool_options tool;
};

static const struct option_spec figures_specs[] = {
    ADMIN_TOOL_OPTIONS(struct figures_options, tool)};

// One question to all nodes, or to one; of the answers the first one is shown.
struct figures {
    struct admin_tool tool;
    struct figures_options options;
    struct buffer answers[TOPOLOGY_MEMBERS_MAX];
    bool has_answers;
    enum status status;
    struct error error;
};

// -1 to go on, else the exit code.
static int begin(struct figures *figures, const struct command *command, int argc, char **argv)
{
    *figures = (struct figures){.status = STATUS_OK};
    return admin_tool_begin(&figures->tool, command, argc, argv, &figures->options.tool);
}

static struct cursor ask(struct figures *figures, bool all, struct slice body)
{
    figures->status = admin_tool_find(&figures->tool, all, &figures->error);
    if (figures->status != STATUS_OK) return cursor_make(slice_make("", 0));
    figures->has_answers = true;
    figures->status =
        admin_tool_ask(&figures->tool, body, ASKS_FOR_NS, figures->answers, &figures->error);
    return cursor_make(buffer_slice(&figures->answers[0]));
}

static int end(struct figures *figures)
{
    if (figures->has_answers) admin_tool_free_answers(&figures->tool, figures->answers);
    return admin_tool_end(&figures->tool, figures->status, &figures->error);
}

static void check(struct figures *figures, const struct cursor *cursor)
{
    if (cursor->failed && figures->status == STATUS_OK)
        figures->status =
            error_set(&figures->error, STATUS_MALFORMED, "the node answered something else");
}

// ---- Tracing ------------------------------------------------------------------------------------

static double ask_probability(struct figures *figures, bool sets, double probability)
{
    uint8_t body[10] = {ADMIN_TRACE_PROBABILITY, sets};
    uint64_t bits;
    memcpy(&bits, &probability, sizeof bits);
    bytes_put_u64(body + 2, bits);
    struct cursor cursor = ask(figures, sets, slice_make(body, sizeof body));
    if (figures->status != STATUS_OK) return 0;
    bits = cursor_u64(&cursor);
    check(figures, &cursor);
    memcpy(&probability, &bits, sizeof probability);
    return probability;
}

int command_settraceprobability(int argc, char **argv)
{
    static const struct command command = {
        .name = "settraceprobability",
        .usage = "[options] PROBABILITY",
        .summary = "Sets how many of all requests are traced, 0 (none) to 1 (all), on all nodes of "
                   "a ring",
        .text = "Until a node's next start. Traces are in system_traces for a day.",
        .specs = figures_specs,
        .spec_count = COUNT(figures_specs),
        .operands_min = 1,
        .operands_max = 1,
    };
    struct figures figures;
    int code = begin(&figures, &command, argc, argv);
    if (code >= 0) return code;
    char *rest;
    double probability = strtod(figures.tool.operands.items[0], &rest);
    if (*rest != '\0' || rest == figures.tool.operands.items[0] ||
        !(probability >= 0 && probability <= 1))
        figures.status =
            error_set(&figures.error, STATUS_INVALID, "Trace probability must be between 0 and 1");
    else
        (void)ask_probability(&figures, true, probability);
    return end(&figures);
}

int command_gettraceprobability(int argc, char **argv)
{
    static const struct command command = {
        .name = "gettraceprobability",
        .usage = "[options]",
        .summary = "Shows how many of all requests are traced, 0 to 1",
        .specs = figures_specs,
        .spec_count = COUNT(figures_specs),
    };
    struct figures figures;
    int code = begin(&figures, &command, argc, argv);
    if (code >= 0) return code;
    double probability = ask_probability(&figures, false, 0);
    if (figures.status == STATUS_OK && figures.options.tool.json)
        printf("{\"trace_probability\": %.17g}\n", probability);
    else if (figures.status == STATUS_OK)
        printf("Current trace probability: %.15g\n", probability);
    return end(&figures);
}

// ---- tpstats ------------------------------------------------------------------------------------

static void print_pool(struct cursor *cursor, bool json, bool is_first)
{
    struct slice name = cursor_vint_bytes(cursor);
    uint64_t values[5];
    for (size_t i = 0; i < COUNT(values); i++)
        values[i] = cursor_u64(cursor);
    if (cursor->failed) return;
    const char *format = json ? "%s\"%.*s\": {\"active\": %" PRIu64 ", \"pending\": %" PRIu64
                                ", \"completed\": %" PRIu64 ", \"blocked\": %" PRIu64
                                ", \"all_time_blocked\": %" PRIu64 "}"
                              : "%s%-30.*s %6" PRIu64 " %9" PRIu64 " %14" PRIu64 " %9" PRIu64
                                " %18" PRIu64 "\n";
    printf(format, json && !is_first ? ", " : "", (int)name.size, (const char *)name.data,
           values[0], values[1], values[2], values[3], values[4]);
}

int command_tpstats(int argc, char **argv)
{
    static const struct command command = {
        .name = "tpstats",
        .usage = "[options]",
        .summary = "Shows what the stages of a node have done and have to do",
        .text = "Under the names of Cassandra's thread pools, of those that there is something "
                "like.",
        .specs = figures_specs,
        .spec_count = COUNT(figures_specs),
    };
    struct figures figures;
    int code = begin(&figures, &command, argc, argv);
    if (code >= 0) return code;
    const uint8_t body[] = {ADMIN_POOLS};
    struct cursor cursor = ask(&figures, false, slice_make(body, sizeof body));
    if (figures.status != STATUS_OK) return end(&figures);
    bool json = figures.options.tool.json;
    uint32_t count = cursor_u32(&cursor);
    if (json)
        printf("{");
    else
        printf("%-30s %6s %9s %14s %9s %18s\n", "Pool Name", "Active", "Pending", "Completed",
               "Blocked", "All time blocked");
    for (uint32_t i = 0; i < count && !cursor.failed; i++)
        print_pool(&cursor, json, i == 0);
    if (json) printf("}\n");
    check(&figures, &cursor);
    return end(&figures);
}

// ---- tablehistograms ----------------------------------------------------------------------------

enum { KINDS = 3, PERCENTS = 6 };

struct histograms {
    struct slice keyspace, table;
    uint64_t counts[KINDS], us[KINDS][PERCENTS];
};

static struct histograms take_histograms(struct cursor *cursor)
{
    struct histograms taken = {.keyspace = cursor_vint_bytes(cursor)};
    taken.table = cursor_vint_bytes(cursor);
    for (size_t kind = 0; kind < KINDS; kind++) {
        taken.counts[kind] = cursor_u64(cursor);
        for (size_t i = 0; i < PERCENTS; i++)
            taken.us[kind][i] = cursor_u64(cursor);
    }
    return taken;
}

static const char *const percent_names[PERCENTS] = {"50%", "75%", "95%", "98%", "99%", "Max"};

static void print_histograms(const struct histograms *histograms)
{
    printf("%.*s/%.*s histograms\n", (int)histograms->keyspace.size,
           (const char *)histograms->keyspace.data, (int)histograms->table.size,
           (const char *)histograms->table.data);
    printf("%-10s%18s%18s%18s\n", "Percentile", "Read Latency", "Scan Latency", "Write Latency");
    printf("%-10s%18s%18s%18s\n", "", "(micros)", "(micros)", "(micros)");
    for (size_t i = 0; i < PERCENTS; i++)
        printf("%-10s%18" PRIu64 "%18" PRIu64 "%18" PRIu64 "\n", percent_names[i],
               histograms->us[0][i], histograms->us[1][i], histograms->us[2][i]);
    printf("%-10s%18" PRIu64 "%18" PRIu64 "%18" PRIu64 "\n\n", "Count", histograms->counts[0],
           histograms->counts[1], histograms->counts[2]);
}

// Names of keyspaces and tables are words.
static void print_histograms_json(const struct histograms *histograms, bool is_first)
{
    static const char *const kinds[KINDS] = {"read", "scan", "write"};
    printf("%s\"%.*s.%.*s\": {", is_first ? "" : ", ", (int)histograms->keyspace.size,
           (const char *)histograms->keyspace.data, (int)histograms->table.size,
           (const char *)histograms->table.data);
    for (size_t kind = 0; kind < KINDS; kind++) {
        printf("%s\"%s\": {\"count\": %" PRIu64, kind == 0 ? "" : ", ", kinds[kind],
               histograms->counts[kind]);
        for (size_t i = 0; i < PERCENTS; i++)
            printf(", \"%s\": %" PRIu64, percent_names[i], histograms->us[kind][i]);
        printf("}");
    }
    printf("}");
}

int command_tablehistograms(int argc, char **argv)
{
    static const struct command command = {
        .name = "tablehistograms",
        .usage = "[options] [KEYSPACE [TABLE]]",
        .summary = "Shows how long requests of tables took that came to a node",
        .text = "From the request to its answer, in microseconds, since the node's start.",
        .specs = figures_specs,
        .spec_count = COUNT(figures_specs),
        .operands_max = 2,
    };
    struct figures figures;
    int code = begin(&figures, &command, argc, argv);
    if (code >= 0) return code;
    const struct operands *operands = &figures.tool.operands;
    struct buffer body;
    buffer_init(&body, MIB);
    buffer_put_u8(&body, ADMIN_TABLE_HISTOGRAMS);
    buffer_put_u16(&body, operands->count > 0);
    for (size_t i = 0; i < 2 && operands->count > 0; i++)
        buffer_put_vint_bytes(&body, slice_of_text(i < operands->count ? operands->items[i] : ""));
    struct cursor cursor = ask(&figures, false, buffer_slice(&body));
    buffer_deinit(&body);
    if (figures.status != STATUS_OK) return end(&figures);
    bool json = figures.options.tool.json;
    uint32_t count = cursor_u32(&cursor);
    if (json) printf("{");
    for (uint32_t i = 0; i < count && !cursor.failed; i++) {
        struct histograms histograms = take_histograms(&cursor);
        if (cursor.failed) break;
        if (json)
            print_histograms_json(&histograms, i == 0);
        else
            print_histograms(&histograms);
    }
    if (json) printf("}\n");
    check(&figures, &cursor);
    return end(&figures);
}
