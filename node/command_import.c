// helenus import: SSTables of others become a table's, as nodetool import does it
// (org.apache.cassandra.tools.nodetool.Import).
#include "base/assert.h"
#include "base/container_of.h"
#include "base/cursor.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "node/admin_tool.h"
#include "node/commands.h"
#include "storage/schema/type.h"
#include "storage/value.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT(specs)        (sizeof(specs) / sizeof(specs)[0])
#define NS_PER_S            UINT64_C(1000000000)
#define IMPORT_TIMEOUT_NS   (7 * 24 * 3600 * NS_PER_S)
#define PROGRESS_TIMEOUT_NS (5 * NS_PER_S)

struct import_options {
    struct admin_tool_options tool;
    bool copies, extended, keeps_level, keeps_repaired, quick, no_tokens, no_verify, no_caches,
        no_index;
};

static const struct option_spec specs[] = {
    ADMIN_TOOL_OPTIONS(struct import_options, tool),
    {"p,copy-data", OPTION_FLAG, offsetof(struct import_options, copies), NULL,
     "Leaves the files where they are; else they go from there", 0, 0},
    {"t,no-tokens", OPTION_FLAG, offsetof(struct import_options, no_tokens), NULL,
     "Takes keys that are not of this node's, too", 0, 0},
    {"v,no-verify", OPTION_FLAG, offsetof(struct import_options, no_verify), NULL,
     "Looks neither at checksums nor at rows", 0, 0},
    {"q,quick", OPTION_FLAG, offsetof(struct import_options, quick), NULL,
     "The same, and --no-tokens", 0, 0},
    {"l,keep-level", OPTION_FLAG, offsetof(struct import_options, keeps_level), NULL,
     "They stay in their level of leveled compaction; else they come to level 0", 0, 0},
    {"r,keep-repaired", OPTION_FLAG, offsetof(struct import_options, keeps_repaired), NULL,
     "What was repaired counts as repaired", 0, 0},
    {"e,extended-verify", OPTION_FLAG, offsetof(struct import_options, extended), NULL,
     "Every row is read, which is so anyway", 0, 0},
    {"c,no-invalidate-caches", OPTION_FLAG, offsetof(struct import_options, no_caches), NULL,
     "For nodetool's sake: there is no cache of rows", 0, 0},
    {"no-index-validation", OPTION_FLAG, offsetof(struct import_options, no_index), NULL,
     "For nodetool's sake (-niv)", 0, 0},
};

static const struct command import_command = {
    .name = "import",
    .usage = "[options] KEYSPACE TABLE DIRECTORY...",
    .summary = "Takes SSTables of a real Cassandra, of a snapshot, of another node into a table",
    .text = "The node opens the directories itself: they are on its machine. Files of versions nb "
            "and oa\n"
            "come, whatever their generation or id. What is damaged, or holds keys of other nodes, "
            "stays\n"
            "where it is and is named; the exit code is 1 then. For example, after a mistake:\n"
            "    helenus import -p ks t data/ks/t-0123…/snapshots/truncated-1700000000000-t",
    .specs = specs,
    .spec_count = COUNT(specs),
    .operands_min = 3,
    .operands_max = 1024,
};

// ---- One directory, and how far it is -----------------------------------------------------------

struct importing {
    struct admin_tool *tool;
    struct admin_call call, progress_call;
    struct env_timer timer;
    bool shows_progress, asks;
    enum status status;
    struct buffer answer;
};

static void ask_progress(struct env_timer *timer);

static void progress_answered(struct admin_call *call, enum status status, struct slice answer)
{
    struct importing *importing = CONTAINER_OF(call, struct importing, progress_call);
    struct cursor cursor = cursor_make(answer);
    uint32_t count = cursor_u32(&cursor), imported = cursor_u32(&cursor);
    uint64_t done = cursor_u64(&cursor), total = cursor_u64(&cursor);
    importing->asks = false;
    if (status == STATUS_OK && !cursor.failed && total > 0)
        (void)fprintf(stderr, "\r%u of %u SSTables, the next one: %3.0f %%  ", imported, count,
                      100 * (double)done / (double)total);
    env_timer_start(importing->tool->env, &importing->timer, NS_PER_S, ask_progress);
}

static void ask_progress(struct env_timer *timer)
{
    struct importing *importing = CONTAINER_OF(timer, struct importing, timer);
    static const uint8_t body[] = {ADMIN_IMPORT_PROGRESS};
    importing->asks = true;
    admin_call_start(importing->tool->env, &importing->progress_call,
                     &importing->tool->addresses[0], slice_make(body, sizeof body),
                     PROGRESS_TIMEOUT_NS, progress_answered);
}

static void import_answered(struct admin_call *call, enum status status, struct slice answer)
{
    struct importing *importing = CONTAINER_OF(call, struct importing, call);
    importing->status = status;
    buffer_put(&importing->answer, answer.data, answer.size);
    env_timer_stop(importing->tool->env, &importing->timer);
    if (importing->asks) admin_call_cancel(&importing->progress_call);
    if (importing->shows_progress) (void)fprintf(stderr, "\r%60s\r", "");
    env_uv_stop(importing->tool->env);
}

static uint32_t flags_of(const struct import_options *options)
{
    return (options->copies ? ADMIN_IMPORT_COPIES : 0u) |
           (options->quick || options->no_verify ? ADMIN_IMPORT_QUICK : 0u) |
           (options->keeps_level ? ADMIN_IMPORT_KEEPS_LEVEL : 0u) |
           (options->keeps_repaired ? ADMIN_IMPORT_KEEPS_REPAIRED : 0u) |
           (options->quick || options->no_tokens ? ADMIN_IMPORT_ANY_TOKENS : 0u);
}

static enum status ask_import(struct importing *importing, const struct import_options *options,
                              const char *directory)
{
    struct admin_tool *tool = importing->tool;
    char path[PATH_MAX];
    struct buffer body;
    buffer_init(&body, MIB);
    buffer_put_u8(&body, ADMIN_IMPORT);
    buffer_put_vint_bytes(&body, slice_of_text(tool->operands.items[0]));
    buffer_put_vint_bytes(&body, slice_of_text(tool->operands.items[1]));
    // A path that is not found here may be one of the node's machine.
    if (realpath(directory, path) == NULL) (void)snprintf(path, sizeof path, "%s", directory);
    buffer_put_vint_bytes(&body, slice_of_text(path));
    buffer_put_u32(&body, flags_of(options));
    importing->shows_progress = isatty(STDERR_FILENO) == 1 && !options->tool.json;
    if (importing->shows_progress)
        env_timer_start(tool->env, &importing->timer, NS_PER_S, ask_progress);
    admin_call_start(tool->env, &importing->call, &tool->addresses[0], buffer_slice(&body),
                     IMPORT_TIMEOUT_NS, import_answered);
    env_uv_run(tool->env);
    buffer_deinit(&body);
    return importing->status;
}

// ---- What came of it ----------------------------------------------------------------------------

static void put_json_text(struct slice text)
{
    struct buffer json;
    buffer_init(&json, MIB);
    value_put_json(type_of_kind(TYPE_TEXT), text, &json);
    printf("%.*s", (int)json.size, (const char *)json.data);
    buffer_deinit(&json);
}

struct outcome {
    uint32_t imported, faults;
    bool is_first;
};

static enum status print_faults(struct slice answer, bool json, struct outcome *outcome,
                                struct error *error)
{
    struct cursor cursor = cursor_make(answer);
    (void)cursor_u32(&cursor);
    uint32_t imported = cursor_u32(&cursor), faults = cursor_u32(&cursor);
    if (cursor.failed)
        return error_set(error, STATUS_MALFORMED, "the node answered something else");
    outcome->imported += imported;
    for (uint32_t i = 0; i < faults && cursor_left(&cursor) > 0; i++) {
        struct slice text = cursor_vint_bytes(&cursor);
        if (cursor.failed) break;
        if (json) {
            printf("%s", outcome->is_first ? "" : ", ");
            put_json_text(text);
            outcome->is_first = false;
        } else {
            (void)fprintf(stderr, "%.*s\n", (int)text.size, (const char *)text.data);
        }
    }
    outcome->faults += faults;
    return STATUS_OK;
}

static enum status import_all(struct admin_tool *tool, const struct import_options *options,
                              struct outcome *outcome, struct error *error)
{
    enum status status = admin_tool_find(tool, false, error);
    if (status != STATUS_OK) return status;
    if (options->tool.json) printf("{\"faults\": [");
    for (size_t i = 2; i < tool->operands.count && status == STATUS_OK; i++) {
        struct importing importing = {.tool = tool};
        buffer_init(&importing.answer, TRANSPORT_MESSAGE_SIZE_MAX);
        status = ask_import(&importing, options, tool->operands.items[i]);
        struct slice answer = buffer_slice(&importing.answer);
        if (status == STATUS_OK)
            status = print_faults(answer, options->tool.json, outcome, error);
        else
            status = error_set(error, status, "%.*s", (int)answer.size, (const char *)answer.data);
        buffer_deinit(&importing.answer);
    }
    if (options->tool.json)
        printf("], \"imported\": %" PRIu32 ", \"failed\": %" PRIu32 "}\n", outcome->imported,
               outcome->faults);
    return status;
}

int command_import(int argc, char **argv)
{
    static char niv[] = "--no-index-validation";
    struct import_options options = {.copies = false};
    struct admin_tool tool;
    struct error error;
    struct outcome outcome = {.is_first = true};
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "-niv") == 0) argv[i] = niv;
    int code = admin_tool_begin(&tool, &import_command, argc, argv, &options.tool);
    if (code >= 0) return code;
    enum status status = import_all(&tool, &options, &outcome, &error);
    if (status == STATUS_OK && outcome.faults > 0)
        status = error_set(&error, STATUS_CORRUPT, "%" PRIu32 " of the files did not come",
                           outcome.faults);
    return admin_tool_end(&tool, status, &error);
}
