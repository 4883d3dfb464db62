// helenus compact, compactionstats, stop and their like, tablestats: nodetool's words
// (org.apache.cassandra.tools.nodetool.Compact, CompactionStats, Stop, TableStats). What changes
// something asks all nodes of a ring, what shows something the one behind --ring, or --node N.
#include "base/assert.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "node/admin_tool.h"
#include "node/commands.h"
#include "node/ring_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(specs)     (sizeof(specs) / sizeof(specs)[0])
#define SHORT_TIMEOUT_NS (30 * UINT64_C(1000000000))
#define WORK_TIMEOUT_NS  (24 * 3600 * UINT64_C(1000000000))

enum { NAME_SIZE = 256, ARGUMENTS_MAX = 1024, LEVELS = 9 };

struct compaction_command_options {
    struct admin_tool_options tool;
    bool splits, is_human;
};

#define TOOL_OPTIONS ADMIN_TOOL_OPTIONS(struct compaction_command_options, tool)

static const struct option_spec tool_specs[] = {TOOL_OPTIONS};

// One question with one body to all nodes, or to one.
struct question {
    struct admin_tool tool;
    struct compaction_command_options options;
    struct buffer body;
    struct buffer answers[TOPOLOGY_MEMBERS_MAX];
    bool has_answers;
    enum status status;
    struct error error;
};

// -1 to go on, else the exit code.
static int begin(struct question *question, const struct command *command, int argc, char **argv)
{
    *question = (struct question){.status = STATUS_OK};
    int code = admin_tool_begin(&question->tool, command, argc, argv, &question->options.tool);
    if (code < 0) buffer_init(&question->body, MIB);
    return code;
}

static void ask(struct question *question, bool all, uint64_t timeout_ns)
{
    if (question->status == STATUS_OK)
        question->status = admin_tool_find(&question->tool, all, &question->error);
    if (question->status != STATUS_OK) return;
    question->has_answers = true;
    question->status = admin_tool_ask(&question->tool, buffer_slice(&question->body), timeout_ns,
                                      question->answers, &question->error);
}

static int end(struct question *question)
{
    if (question->has_answers) admin_tool_free_answers(&question->tool, question->answers);
    buffer_deinit(&question->body);
    return admin_tool_end(&question->tool, question->status, &question->error);
}

static struct cursor answer_of(const struct question *question, uint16_t node)
{
    return cursor_make(buffer_slice(&question->answers[node]));
}

static void check_answer(struct question *question, const struct cursor *cursor)
{
    if (cursor->failed && question->status == STATUS_OK)
        question->status =
            error_set(&question->error, STATUS_MALFORMED, "the node answered something else");
}

static void put_text(struct buffer *body, const char *text, size_t size)
{
    buffer_put_vint_bytes(body, slice_make(text, size));
}

// KEYSPACE [TABLE...]: without tables all of them, without anything all there are.
static void put_tables(struct buffer *body, const struct operands *operands)
{
    size_t tables = operands->count > 1 ? operands->count - 1 : operands->count;
    buffer_put_u16(body, (uint16_t)tables);
    for (size_t i = 0; i < tables; i++) {
        put_text(body, operands->items[0], strlen(operands->items[0]));
        const char *table = operands->count > 1 ? operands->items[i + 1] : "";
        put_text(body, table, strlen(table));
    }
}

// ---- compact ------------------------------------------------------------------------------------

static const struct option_spec compact_specs[] = {
    TOOL_OPTIONS,
    {"s,split-output", OPTION_FLAG, offsetof(struct compaction_command_options, splits), NULL,
     "Size-tiered tables: not one large SSTable, but some of 50, 25, ... per cent", 0, 0},
};

static const struct command compact_command = {
    .name = "compact",
    .usage = "[options] [KEYSPACE [TABLE...]]",
    .summary = "Merges all SSTables of tables into as few as may be, on all nodes of a ring",
    .text = "What the tables had begun by themselves is given up. It comes back when all is done;\n"
            "'helenus compactionstats' shows how far it is, 'helenus stop' ends it.",
    .specs = compact_specs,
    .spec_count = COUNT(compact_specs),
    .operands_max = ARGUMENTS_MAX,
};

int command_compact(int argc, char **argv)
{
    struct question question;
    int code = begin(&question, &compact_command, argc, argv);
    if (code >= 0) return code;
    buffer_put_u8(&question.body, ADMIN_COMPACT);
    buffer_put_u8(&question.body, question.options.splits);
    put_tables(&question.body, &question.tool.operands);
    ask(&question, true, WORK_TIMEOUT_NS);
    if (question.status == STATUS_OK && question.options.tool.json)
        printf("{\"nodes\": %u}\n", question.tool.count);
    return end(&question);
}

// ---- compactionstats ----------------------------------------------------------------------------

static const struct option_spec stats_specs[] = {
    TOOL_OPTIONS,
    {"H,human-readable", OPTION_FLAG, offsetof(struct compaction_command_options, is_human), NULL,
     "Sizes as KiB, MiB, GiB", 0, 0},
};

static const struct command stats_command = {
    .name = "compactionstats",
    .usage = "[options]",
    .summary = "Shows compactions that are on their way, and how many are left to do",
    .specs = stats_specs,
    .spec_count = COUNT(stats_specs),
};

struct compaction_stats {
    uint32_t compactors;
    uint64_t throughput, done, compacted_bytes, failed, recent;
    int64_t up_s;
    struct slice why;
    struct cursor lists; // The pending ones, then the active ones.
};

static struct compaction_stats take_stats(struct cursor *cursor)
{
    struct compaction_stats stats = {.compactors = cursor_u32(cursor)};
    stats.throughput = cursor_u64(cursor);
    stats.done = cursor_u64(cursor);
    stats.compacted_bytes = cursor_u64(cursor);
    stats.failed = cursor_u64(cursor);
    stats.recent = cursor_u64(cursor);
    stats.up_s = (int64_t)cursor_u64(cursor);
    stats.why = cursor_vint_bytes(cursor);
    stats.lists = *cursor;
    return stats;
}

static void size_text(uint64_t size, bool is_human, char text[static RING_VIEW_SIZE_TEXT])
{
    if (is_human)
        ring_view_format_size(size, text);
    else
        (void)snprintf(text, RING_VIEW_SIZE_TEXT, "%" PRIu64, size);
}

static uint64_t print_pending(struct cursor *cursor, bool prints)
{
    uint64_t total = 0;
    uint32_t count = cursor_u32(cursor);
    for (uint32_t i = 0; i < count && !cursor->failed; i++) {
        struct slice keyspace = cursor_vint_bytes(cursor), table = cursor_vint_bytes(cursor);
        uint32_t pending = cursor_u32(cursor);
        total += pending;
        if (prints && !cursor->failed)
            printf("- %.*s.%.*s: %u\n", (int)keyspace.size, (const char *)keyspace.data,
                   (int)table.size, (const char *)table.data, pending);
    }
    return total;
}

static double share(uint64_t part, uint64_t all)
{
    return all == 0 ? 0 : 100 * (double)part / (double)all;
}

struct active {
    struct uuid id;
    struct slice kind, keyspace, table;
    uint64_t completed, total;
};

static bool take_active(struct cursor *cursor, struct active *active)
{
    active->id = uuid_take(cursor);
    active->kind = cursor_vint_bytes(cursor);
    active->keyspace = cursor_vint_bytes(cursor);
    active->table = cursor_vint_bytes(cursor);
    active->completed = cursor_u64(cursor);
    active->total = cursor_u64(cursor);
    return !cursor->failed;
}

static void print_active(struct cursor *cursor, const struct compaction_stats *stats, bool is_human)
{
    uint64_t left = 0;
    uint32_t count = cursor_u32(cursor);
    struct active active;
    if (count > 0 && !cursor->failed)
        printf("%-36s %-20s %-16s %-16s %-12s %-12s %-5s %s\n", "id", "compaction type", "keyspace",
               "table", "completed", "total", "unit", "progress");
    for (uint32_t i = 0; i < count && take_active(cursor, &active); i++) {
        char id[UUID_TEXT_SIZE], done[RING_VIEW_SIZE_TEXT], total[RING_VIEW_SIZE_TEXT];
        uuid_format(active.id, id);
        size_text(active.completed, is_human, done);
        size_text(active.total, is_human, total);
        left += active.total - active.completed;
        printf("%-36s %-20.*s %-16.*s %-16.*s %-12s %-12s %-5s %.2f%%\n", id, (int)active.kind.size,
               (const char *)active.kind.data, (int)active.keyspace.size,
               (const char *)active.keyspace.data, (int)active.table.size,
               (const char *)active.table.data, done, total, "bytes",
               share(active.completed, active.total));
    }
    if (count == 0 || cursor->failed) return;
    if (stats->throughput == 0) {
        printf("%-33sn/a\n", "active compaction remaining time");
        return;
    }
    uint64_t seconds = left / stats->throughput;
    printf("%-33s%" PRIu64 "h%02um%02us\n", "active compaction remaining time", seconds / 3600,
           (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
}

static void print_stats(const struct compaction_stats *stats, bool is_human)
{
    char size[RING_VIEW_SIZE_TEXT];
    struct cursor cursor = stats->lists;
    uint64_t pending = print_pending(&cursor, false);
    printf("%-33s%u\n", "concurrent compactors", stats->compactors);
    printf("%-33s%" PRIu64 "\n", "pending tasks", pending);
    cursor = stats->lists;
    (void)print_pending(&cursor, true);
    printf("%-33s%" PRIu64 "\n", "compactions completed", stats->done);
    size_text(stats->compacted_bytes, is_human, size);
    printf("%-33s%s\n", "data compacted", size);
    printf("%-33s%" PRIu64 "\n", "compactions aborted", stats->failed);
    printf("%-33s%.2f/minute\n", "15 minute rate", (double)stats->recent / 15);
    printf("%-33s%.2f/hour\n", "mean rate",
           stats->up_s <= 0 ? 0 : (double)stats->done * 3600 / (double)stats->up_s);
    if (stats->throughput == 0)
        printf("%-33sthrottling disabled (0)\n", "compaction throughput (MiB/s)");
    else
        printf("%-33s%.1f\n", "compaction throughput (MiB/s)",
               (double)stats->throughput / (double)MIB);
    if (stats->failed > 0)
        printf("%-33s%.*s\n", "last failure", (int)stats->why.size, (const char *)stats->why.data);
    print_active(&cursor, stats, is_human);
}

static void print_stats_json(const struct compaction_stats *stats)
{
    struct cursor cursor = stats->lists;
    printf("{\"concurrent_compactors\": %u, \"pending_tasks\": %" PRIu64
           ", \"compactions_completed\": %" PRIu64 ", \"data_compacted\": %" PRIu64
           ", \"compactions_aborted\": %" PRIu64 ", \"compaction_throughput_bytes\": %" PRIu64
           ", \"active\": [",
           stats->compactors, print_pending(&cursor, false), stats->done, stats->compacted_bytes,
           stats->failed, stats->throughput);
    uint32_t count = cursor_u32(&cursor);
    struct active active;
    for (uint32_t i = 0; i < count && take_active(&cursor, &active); i++) {
        char id[UUID_TEXT_SIZE];
        uuid_format(active.id, id);
        printf("%s{\"id\": \"%s\", \"kind\": \"%.*s\", \"keyspace\": \"%.*s\", \"table\": "
               "\"%.*s\", \"completed\": %" PRIu64 ", \"total\": %" PRIu64 "}",
               i == 0 ? "" : ", ", id, (int)active.kind.size, (const char *)active.kind.data,
               (int)active.keyspace.size, (const char *)active.keyspace.data,
               (int)active.table.size, (const char *)active.table.data, active.completed,
               active.total);
    }
    printf("]}\n");
}

// What the node says, or the exit code of its absence.
static void ask_stats(struct question *question, struct compaction_stats *stats)
{
    buffer_put_u8(&question->body, ADMIN_COMPACTION_STATS);
    ask(question, false, SHORT_TIMEOUT_NS);
    *stats = (struct compaction_stats){0};
    if (question->status != STATUS_OK) return;
    struct cursor cursor = answer_of(question, 0);
    *stats = take_stats(&cursor);
    check_answer(question, &cursor);
}

int command_compactionstats(int argc, char **argv)
{
    struct question question;
    struct compaction_stats stats;
    int code = begin(&question, &stats_command, argc, argv);
    if (code >= 0) return code;
    ask_stats(&question, &stats);
    if (question.status == STATUS_OK && question.options.tool.json)
        print_stats_json(&stats);
    else if (question.status == STATUS_OK)
        print_stats(&stats, question.options.is_human);
    return end(&question);
}

// ---- stop ---------------------------------------------------------------------------------------

static const struct command stop_command = {
    .name = "stop",
    .usage = "[options] [COMPACTION]",
    .summary = "Gives up the compactions that are on their way, on all nodes of a ring",
    .text = "What they wrote is removed and their SSTables stay. Tables go on compacting by\n"
            "themselves; 'helenus disableautocompaction' is against that.",
    .specs = tool_specs,
    .spec_count = COUNT(tool_specs),
    .operands_max = 1,
};

int command_compaction_stop(int argc, char **argv)
{
    struct question question;
    int code = begin(&question, &stop_command, argc, argv);
    if (code >= 0) return code;
    const struct operands *operands = &question.tool.operands;
    if (operands->count == 1 && strcmp(operands->items[0], "COMPACTION") != 0)
        question.status = error_set(&question.error, STATUS_INVALID,
                                    "compaction_type: can not convert \"%s\" to a OperationType",
                                    operands->items[0]);
    buffer_put_u8(&question.body, ADMIN_COMPACTION_STOP);
    ask(&question, true, SHORT_TIMEOUT_NS);
    uint64_t count = 0;
    for (uint16_t i = 0; question.status == STATUS_OK && i < question.tool.count; i++) {
        struct cursor cursor = answer_of(&question, i);
        count += cursor_u32(&cursor);
        check_answer(&question, &cursor);
    }
    if (question.status == STATUS_OK && question.options.tool.json)
        printf("{\"stopped\": %" PRIu64 "}\n", count);
    return end(&question);
}

// ---- Settings -----------------------------------------------------------------------------------

enum setting { SETTING_THROUGHPUT, SETTING_COMPACTORS };
enum { COMPACTORS_MAX = ENV_LANE_THREADS_MAX }; // What a node takes.

static int set(const struct command *command, enum setting setting, int argc, char **argv)
{
    struct question question;
    int code = begin(&question, command, argc, argv);
    if (code >= 0) return code;
    const char *text = question.tool.operands.items[0];
    char *rest;
    errno = 0;
    unsigned long long value = strtoull(text, &rest, 10);
    if (text[0] < '0' || text[0] > '9' || *rest != '\0' || errno != 0 || value > INT32_MAX)
        question.status = error_set(&question.error, STATUS_INVALID,
                                    "%s: can not convert \"%s\" to a Integer", command->name, text);
    else if (setting == SETTING_COMPACTORS && value == 0)
        question.status = error_set(&question.error, STATUS_INVALID,
                                    "concurrent_compactors should be great than 0.");
    else if (setting == SETTING_COMPACTORS && value > COMPACTORS_MAX)
        question.status = error_set(&question.error, STATUS_INVALID,
                                    "concurrent_compactors is at most %d.", COMPACTORS_MAX);
    buffer_put_u8(&question.body, ADMIN_COMPACTION_SET);
    buffer_put_u8(&question.body, (uint8_t)setting);
    buffer_put_u64(&question.body, setting == SETTING_THROUGHPUT ? value * MIB : value);
    ask(&question, true, SHORT_TIMEOUT_NS);
    return end(&question);
}

int command_setcompactionthroughput(int argc, char **argv)
{
    static const struct command command = {
        .name = "setcompactionthroughput",
        .usage = "[options] MIB",
        .summary = "Sets how many MiB compactions read in a second, 0: as fast as it goes, on all "
                   "nodes of a ring",
        .text = "Until the node's next start; its setting compaction_throughput is for always.",
        .specs = tool_specs,
        .spec_count = COUNT(tool_specs),
        .operands_min = 1,
        .operands_max = 1,
    };
    return set(&command, SETTING_THROUGHPUT, argc, argv);
}

int command_setconcurrentcompactors(int argc, char **argv)
{
    static const struct command command = {
        .name = "setconcurrentcompactors",
        .usage = "[options] NUMBER",
        .summary = "Sets how many compactions go on at once, on all nodes of a ring",
        .specs = tool_specs,
        .spec_count = COUNT(tool_specs),
        .operands_min = 1,
        .operands_max = 1,
    };
    return set(&command, SETTING_COMPACTORS, argc, argv);
}

int command_getcompactionthroughput(int argc, char **argv)
{
    static const struct command command = {
        .name = "getcompactionthroughput",
        .usage = "[options]",
        .summary = "Shows how many MiB compactions read in a second",
        .specs = tool_specs,
        .spec_count = COUNT(tool_specs),
    };
    struct question question;
    struct compaction_stats stats;
    int code = begin(&question, &command, argc, argv);
    if (code >= 0) return code;
    ask_stats(&question, &stats);
    if (question.status == STATUS_OK && question.options.tool.json)
        printf("{\"bytes_per_second\": %" PRIu64 "}\n", stats.throughput);
    else if (question.status == STATUS_OK)
        printf("Current compaction throughput: %" PRIu64 " MB/s\n", stats.throughput / MIB);
    return end(&question);
}

int command_getconcurrentcompactors(int argc, char **argv)
{
    static const struct command command = {
        .name = "getconcurrentcompactors",
        .usage = "[options]",
        .summary = "Shows how many compactions go on at once",
        .specs = tool_specs,
        .spec_count = COUNT(tool_specs),
    };
    struct question question;
    struct compaction_stats stats;
    int code = begin(&question, &command, argc, argv);
    if (code >= 0) return code;
    ask_stats(&question, &stats);
    if (question.status == STATUS_OK && question.options.tool.json)
        printf("{\"concurrent_compactors\": %u}\n", stats.compactors);
    else if (question.status == STATUS_OK)
        printf("Current concurrent compactors in the system is: \n%u\n", stats.compactors);
    return end(&question);
}

// ---- enable, disable, status --------------------------------------------------------------------

enum enabling { ENABLING_OFF, ENABLING_ON, ENABLING_ASK };

static void print_enabled(struct question *question)
{
    bool is_json = question->options.tool.json;
    struct cursor cursor = answer_of(question, 0);
    uint32_t count = cursor_u32(&cursor), enabled = 0;
    if (is_json) printf("[");
    for (uint32_t i = 0; i < count && !cursor.failed; i++) {
        struct slice keyspace = cursor_vint_bytes(&cursor), table = cursor_vint_bytes(&cursor);
        bool is_on = cursor_u8(&cursor) != 0;
        enabled += is_on;
        if (is_json)
            printf("%s{\"keyspace\": \"%.*s\", \"table\": \"%.*s\", \"enabled\": %s}",
                   i == 0 ? "" : ", ", (int)keyspace.size, (const char *)keyspace.data,
                   (int)table.size, (const char *)table.data, is_on ? "true" : "false");
    }
    if (is_json) {
        printf("]\n");
    } else {
        printf("%s\n", enabled == count ? "running" : "not running");
    }
    check_answer(question, &cursor);
}

static int enable(const struct command *command, enum enabling enabling, int argc, char **argv)
{
    struct question question;
    int code = begin(&question, command, argc, argv);
    if (code >= 0) return code;
    buffer_put_u8(&question.body, ADMIN_COMPACTION_ENABLE);
    buffer_put_u8(&question.body, (uint8_t)enabling);
    put_tables(&question.body, &question.tool.operands);
    ask(&question, enabling != ENABLING_ASK, SHORT_TIMEOUT_NS);
    if (question.status == STATUS_OK && enabling == ENABLING_ASK) print_enabled(&question);
    return end(&question);
}

int command_enableautocompaction(int argc, char **argv)
{
    static const struct command command = {
        .name = "enableautocompaction",
        .usage = "[options] [KEYSPACE [TABLE...]]",
        .summary = "Lets tables compact by themselves, on all nodes of a ring",
        .specs = tool_specs,
        .spec_count = COUNT(tool_specs),
        .operands_max = ARGUMENTS_MAX,
    };
    return enable(&command, ENABLING_ON, argc, argv);
}

int command_disableautocompaction(int argc, char **argv)
{
    static const struct command command = {
        .name = "disableautocompaction",
        .usage = "[options] [KEYSPACE [TABLE...]]",
        .summary = "Tables compact only when they are told to, until the next start of the nodes",
        .specs = tool_specs,
        .spec_count = COUNT(tool_specs),
        .operands_max = ARGUMENTS_MAX,
    };
    return enable(&command, ENABLING_OFF, argc, argv);
}

int command_statusautocompaction(int argc, char **argv)
{
    static const struct command command = {
        .name = "statusautocompaction",
        .usage = "[options] [KEYSPACE [TABLE...]]",
        .summary = "Shows whether tables compact by themselves",
        .specs = tool_specs,
        .spec_count = COUNT(tool_specs),
        .operands_max = ARGUMENTS_MAX,
    };
    return enable(&command, ENABLING_ASK, argc, argv);
}

// ---- tablestats ---------------------------------------------------------------------------------

static const struct command tablestats_command = {
    .name = "tablestats",
    .usage = "[options] [KEYSPACE[.TABLE]...]",
    .summary = "Shows what is known of tables: SSTables, sizes, memtables",
    .text = "nodetool's lines, as far as there are such numbers.",
    .specs = stats_specs,
    .spec_count = COUNT(stats_specs),
    .operands_max = ARGUMENTS_MAX,
};

struct table_numbers {
    struct slice keyspace, table;
    bool is_leveled;
    uint64_t sstables, bytes, data_bytes, uncompressed_bytes, partitions, reader_bytes,
        memtable_bytes, memtable_partitions, flushes, pending_flushes, largest;
    uint64_t levels[LEVELS];
};

static bool take_numbers(struct cursor *cursor, struct table_numbers *numbers)
{
    numbers->keyspace = cursor_vint_bytes(cursor);
    numbers->table = cursor_vint_bytes(cursor);
    numbers->is_leveled = cursor_u8(cursor) != 0;
    uint64_t *const places[] = {&numbers->sstables,       &numbers->bytes,
                                &numbers->data_bytes,     &numbers->uncompressed_bytes,
                                &numbers->partitions,     &numbers->reader_bytes,
                                &numbers->memtable_bytes, &numbers->memtable_partitions,
                                &numbers->flushes,        &numbers->pending_flushes,
                                &numbers->largest};
    for (size_t i = 0; i < COUNT(places); i++)
        *places[i] = cursor_u64(cursor);
    for (size_t i = 0; i < LEVELS; i++)
        numbers->levels[i] = cursor_u64(cursor);
    return !cursor->failed;
}

static double compression_ratio(const struct table_numbers *numbers)
{
    return numbers->uncompressed_bytes == 0
               ? 0
               : (double)numbers->data_bytes / (double)numbers->uncompressed_bytes;
}

// "[3, 12/10, 40, 0, …": a level that has too many is shown with how many it may have.
static void print_levels(const struct table_numbers *numbers)
{
    printf("\t\tSSTables in each level: [");
    uint64_t most = 4;
    for (size_t i = 0; i < LEVELS; i++) {
        printf("%s%" PRIu64, i == 0 ? "" : ", ", numbers->levels[i]);
        if (numbers->levels[i] > most) printf("/%" PRIu64, most);
        most = i == 0 ? 10 : most * 10;
    }
    printf("]\n");
}

static void print_table(const struct table_numbers *numbers, bool is_human)
{
    char size[RING_VIEW_SIZE_TEXT];
    printf("\t\tTable: %.*s\n", (int)numbers->table.size, (const char *)numbers->table.data);
    printf("\t\tSSTable count: %" PRIu64 "\n", numbers->sstables);
    ring_view_format_size(numbers->largest, size);
    printf("\t\tMax SSTable size: %s\n", size);
    if (numbers->is_leveled) print_levels(numbers);
    size_text(numbers->bytes, is_human, size);
    printf("\t\tSpace used (live): %s\n", size);
    printf("\t\tSpace used (total): %s\n", size);
    size_text(numbers->reader_bytes + numbers->memtable_bytes, is_human, size);
    printf("\t\tOff heap memory used (total): %s\n", size);
    printf("\t\tSSTable Compression Ratio: %.5f\n", compression_ratio(numbers));
    printf("\t\tNumber of partitions (estimate): %" PRIu64 "\n",
           numbers->partitions + numbers->memtable_partitions);
    size_text(numbers->memtable_bytes, is_human, size);
    printf("\t\tMemtable data size: %s\n", size);
    printf("\t\tMemtable switch count: %" PRIu64 "\n", numbers->flushes);
    printf("\t\tPending flushes: %" PRIu64 "\n\n", numbers->pending_flushes);
}

static void print_table_json(const struct table_numbers *numbers)
{
    printf("{\"keyspace\": \"%.*s\", \"table\": \"%.*s\", \"sstable_count\": %" PRIu64
           ", \"max_sstable_size\": %" PRIu64 ", \"space_used_live\": %" PRIu64
           ", \"sstable_compression_ratio\": %.5f, \"number_of_partitions_estimate\": %" PRIu64
           ", \"memtable_data_size\": %" PRIu64 ", \"memtable_switch_count\": %" PRIu64
           ", \"pending_flushes\": %" PRIu64 ", \"off_heap_memory_used_total\": %" PRIu64
           ", \"sstables_in_each_level\": [",
           (int)numbers->keyspace.size, (const char *)numbers->keyspace.data,
           (int)numbers->table.size, (const char *)numbers->table.data, numbers->sstables,
           numbers->largest, numbers->bytes, compression_ratio(numbers),
           numbers->partitions + numbers->memtable_partitions, numbers->memtable_bytes,
           numbers->flushes, numbers->pending_flushes,
           numbers->reader_bytes + numbers->memtable_bytes);
    for (size_t i = 0; i < LEVELS; i++)
        printf("%s%" PRIu64, i == 0 ? "" : ", ", numbers->levels[i]);
    printf("]}");
}

static void print_all_tables(struct question *question)
{
    bool is_json = question->options.tool.json;
    struct cursor cursor = answer_of(question, 0);
    struct table_numbers numbers;
    struct slice keyspace = slice_null();
    uint32_t count = cursor_u32(&cursor);
    if (is_json) {
        printf("[");
    } else {
        printf("Total number of tables: %u\n----------------\n", count);
    }
    for (uint32_t i = 0; i < count && take_numbers(&cursor, &numbers); i++) {
        if (is_json) {
            printf("%s", i == 0 ? "" : ",\n ");
            print_table_json(&numbers);
            continue;
        }
        if (!slice_equals(keyspace, numbers.keyspace)) {
            if (!slice_is_null(keyspace)) printf("----------------\n");
            printf("Keyspace: %.*s\n", (int)numbers.keyspace.size,
                   (const char *)numbers.keyspace.data);
        }
        keyspace = numbers.keyspace;
        print_table(&numbers, question->options.is_human);
    }
    printf("%s\n", is_json ? "]" : "----------------");
    check_answer(question, &cursor);
}

int command_tablestats(int argc, char **argv)
{
    struct question question;
    int code = begin(&question, &tablestats_command, argc, argv);
    if (code >= 0) return code;
    const struct operands *operands = &question.tool.operands;
    buffer_put_u8(&question.body, ADMIN_TABLE_STATS);
    buffer_put_u16(&question.body, (uint16_t)operands->count);
    for (size_t i = 0; i < operands->count; i++) {
        size_t length = strcspn(operands->items[i], ".");
        const char *table = operands->items[i] + length;
        put_text(&question.body, operands->items[i], length);
        if (*table == '.') table++;
        put_text(&question.body, table, strlen(table));
    }
    ask(&question, false, SHORT_TIMEOUT_NS);
    if (question.status == STATUS_OK) print_all_tables(&question);
    return end(&question);
}
