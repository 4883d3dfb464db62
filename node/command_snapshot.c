// helenus snapshot, listsnapshots, clearsnapshot: nodetool's words and options, for all nodes of a
// ring at once (org.apache.cassandra.tools.nodetool.Snapshot, ListSnapshots, ClearSnapshot).
#include "base/assert.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "node/admin_tool.h"
#include "node/commands.h"
#include "node/ring_view.h"
#include "storage/schema/type.h"
#include "storage/value.h"
#include "storage/value/calendar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COUNT(specs)    (sizeof(specs) / sizeof(specs)[0])
#define WORK_TIMEOUT_NS (600 * UINT64_C(1000000000))
#define TTL_MIN_S       60

enum { NAME_SIZE = 256, ARGUMENTS_MAX = 1024 };

struct snapshot_options {
    struct admin_tool_options tool;
    const char *tag, *table, *list, *ttl, *older_than, *older_than_timestamp;
    bool skips_flush, all, without_ttl;
};

// nodetool has short options of two letters.
static char **spell_out(int argc, char **argv)
{
    static const char *const words[][2] = {
        {"-kt", "--kt-list"}, {"-kc", "--kt-list"},    {"--kc.list", "--kt-list"},
        {"-cf", "--table"},   {"-sf", "--skip-flush"}, {"--column-family", "--table"},
        {"-nt", "--no-ttl"},
    };
    static char texts[COUNT(words)][16];
    char **spelt = calloc((size_t)argc + 1, sizeof *spelt);
    ASSERT(spelt != NULL);
    for (int i = 0; i < argc; i++) {
        spelt[i] = argv[i];
        for (size_t w = 0; w < COUNT(words); w++) {
            if (strcmp(argv[i], words[w][0]) != 0) continue;
            (void)snprintf(texts[w], sizeof texts[w], "%s", words[w][1]);
            spelt[i] = texts[w];
        }
    }
    return spelt;
}

static void put_text(struct buffer *body, const char *text, size_t size)
{
    buffer_put_vint_bytes(body, slice_make(text, size));
}

static void print_operands(const struct operands *operands)
{
    printf("[%s", operands->count == 0 ? "all keyspaces" : "");
    for (size_t i = 0; i < operands->count; i++)
        printf("%s%s", i == 0 ? "" : ", ", operands->items[i]);
    printf("]");
}

static void print_json_text(const char *text, size_t size)
{
    struct buffer json;
    buffer_init(&json, MIB);
    value_put_json(type_of_kind(TYPE_TEXT), slice_make(text, size), &json);
    printf("%.*s", (int)json.size, (const char *)json.data);
    buffer_deinit(&json);
}

// ---- snapshot -----------------------------------------------------------------------------------

static const struct option_spec snapshot_specs[] = {
    ADMIN_TOOL_OPTIONS(struct snapshot_options, tool),
    {"t,tag", OPTION_TEXT, offsetof(struct snapshot_options, tag), "NAME",
     "The name of the snapshot (else the time in milliseconds)", 0, 0},
    {"table", OPTION_TEXT, offsetof(struct snapshot_options, table), "TABLE",
     "Only this table of the one keyspace (-cf)", 0, 0},
    {"kt-list", OPTION_TEXT, offsetof(struct snapshot_options, list), "KEYSPACE.TABLE,...",
     "Only these tables (-kt)", 0, 0},
    {"skip-flush", OPTION_FLAG, offsetof(struct snapshot_options, skips_flush), NULL,
     "Without what is in memory only (-sf)", 0, 0},
    {"ttl", OPTION_TEXT, offsetof(struct snapshot_options, ttl), "TIME",
     "When it goes by itself: 90s, 10m, 2h, 7d; at least a minute", 0, 0},
};

static const struct command snapshot_command = {
    .name = "snapshot",
    .usage = "[options] [KEYSPACE...]",
    .summary = "Keeps the present files of tables by hard links, on all nodes of a ring",
    .text =
        "It costs next to nothing until the files it keeps would have gone otherwise. They lie in\n"
        "data/KEYSPACE/TABLE-ID/snapshots/NAME of each node, with the CQL that makes the table\n"
        "again, as Cassandra's own do. See docs/how-to-back-up.md.",
    .specs = snapshot_specs,
    .spec_count = COUNT(snapshot_specs),
    .operands_max = ARGUMENTS_MAX,
};

// Seconds; 0: it is none.
static uint64_t parse_ttl(const char *text)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || number > INT32_MAX || *end == '\0' ||
        end[1] != '\0')
        return 0;
    for (size_t i = 0; i < COUNT(units); i++)
        if (*end == units[i].unit) return number * units[i].seconds;
    return 0;
}

static enum status put_tables(const struct snapshot_options *options,
                              const struct operands *operands, struct buffer *body,
                              struct error *error)
{
    if (options->list != NULL && (operands->count > 0 || options->table != NULL))
        return error_set(error, STATUS_INVALID,
                         "When specifying the Keyspace table list (using -kt,--kt-list,-kc,"
                         "--kc.list), you must not also specify keyspaces to snapshot");
    if (options->table != NULL && operands->count != 1)
        return error_set(error, STATUS_INVALID,
                         "When specifying the table for a snapshot, you "
                         "must specify one and only one keyspace");
    if (options->list == NULL) {
        buffer_put_u16(body, (uint16_t)operands->count);
        for (size_t i = 0; i < operands->count; i++) {
            put_text(body, operands->items[i], strlen(operands->items[i]));
            buffer_put_vint_bytes(body,
                                  slice_of_text(options->table == NULL ? "" : options->table));
        }
        return STATUS_OK;
    }
    size_t place = body->size;
    uint16_t count = 0;
    buffer_put_u16(body, 0);
    for (const char *at = options->list; *at != '\0'; count++) {
        size_t length = strcspn(at, ",");
        const char *dot = memchr(at, '.', length);
        if (dot == NULL)
            return error_set(error, STATUS_INVALID,
                             "--kt-list takes KEYSPACE.TABLE,..., not '%.*s'", (int)length, at);
        put_text(body, at, (size_t)(dot - at));
        put_text(body, dot + 1, length - (size_t)(dot + 1 - at));
        at += length;
        if (*at == ',') at++;
    }
    bytes_put_u16(body->data + place, count);
    return STATUS_OK;
}

static enum status make_snapshot_body(const struct snapshot_options *options,
                                      const struct operands *operands, const char *tag,
                                      struct buffer *body, struct error *error)
{
    uint64_t ttl_s = options->ttl == NULL ? 0 : parse_ttl(options->ttl);
    if (options->ttl != NULL && ttl_s == 0)
        return error_set(error, STATUS_INVALID,
                         "Invalid duration: %s Accepted units:[SECONDS, MINUTES, HOURS, DAYS] "
                         "where case matters and only non-negative values.",
                         options->ttl);
    if (options->ttl != NULL && ttl_s < TTL_MIN_S)
        return error_set(error, STATUS_INVALID, "ttl for snapshot must be at least %d seconds",
                         TTL_MIN_S);
    buffer_put_u8(body, ADMIN_SNAPSHOT);
    buffer_put_vint_bytes(body, slice_of_text(tag));
    buffer_put_u8(body, options->skips_flush);
    buffer_put_u64(body, ttl_s);
    return put_tables(options, operands, body, error);
}

static void print_snapshot_request(const struct snapshot_options *options,
                                   const struct operands *operands, const char *tag)
{
    printf("Requested creating snapshot(s) for ");
    if (options->list != NULL)
        printf("[%s]", options->list);
    else
        print_operands(operands);
    printf(" with snapshot name [%s] and options {skipFlush=%s", tag,
           options->skips_flush ? "true" : "false");
    if (options->ttl != NULL) printf(", ttl=%s", options->ttl);
    printf("}\n");
    (void)fflush(stdout);
}

int command_snapshot(int argc, char **argv)
{
    struct snapshot_options options = {.tag = NULL};
    struct admin_tool tool;
    struct error error;
    char now[32];
    char **spelt = spell_out(argc, argv);
    int code = admin_tool_begin(&tool, &snapshot_command, argc, spelt, &options.tool);
    if (code >= 0) {
        free(spelt);
        return code;
    }
    (void)snprintf(now, sizeof now, "%" PRId64, env_wall_us(tool.env) / 1000);
    const char *tag = options.tag == NULL ? now : options.tag;
    struct buffer body;
    struct buffer answers[TOPOLOGY_MEMBERS_MAX];
    buffer_init(&body, MIB);
    enum status status = make_snapshot_body(&options, &tool.operands, tag, &body, &error);
    if (status == STATUS_OK) status = admin_tool_find(&tool, true, &error);
    if (status == STATUS_OK && !options.tool.json)
        print_snapshot_request(&options, &tool.operands, tag);
    if (status == STATUS_OK) {
        status = admin_tool_ask(&tool, buffer_slice(&body), WORK_TIMEOUT_NS, answers, &error);
        admin_tool_free_answers(&tool, answers);
    }
    buffer_deinit(&body);
    if (status == STATUS_OK && options.tool.json) {
        printf("{\"snapshot\": ");
        print_json_text(tag, strlen(tag));
        printf(", \"nodes\": %u}\n", tool.count);
    } else if (status == STATUS_OK) {
        printf("Snapshot directory: %s\n", tag);
    }
    free(spelt);
    return admin_tool_end(&tool, status, &error);
}

// ---- listsnapshots ------------------------------------------------------------------------------

static const struct option_spec list_specs[] = {
    ADMIN_TOOL_OPTIONS(struct snapshot_options, tool),
    {"no-ttl", OPTION_FLAG, offsetof(struct snapshot_options, without_ttl), NULL,
     "Without those that go by themselves (-nt)", 0, 0},
};

static const struct command list_command = {
    .name = "listsnapshots",
    .usage = "[options]",
    .summary = "Shows all snapshots, also of tables that are gone, and what they cost",
    .text = "True size is what would be free without the snapshot. One that a crash interrupted "
            "has no\n"
            "manifest.json (\"whole\": false in --json): clear it.",
    .specs = list_specs,
    .spec_count = COUNT(list_specs),
};

enum { COLUMNS = 7, TIME_SIZE = 40 };

struct snapshot_line {
    struct slice tag, keyspace, table;
    uint64_t true_size, size_on_disk;
    int64_t created_ms, expires_ms;
    bool is_whole;
};

static bool take_line(struct cursor *cursor, struct snapshot_line *line)
{
    line->tag = cursor_vint_bytes(cursor);
    line->keyspace = cursor_vint_bytes(cursor);
    line->table = cursor_vint_bytes(cursor);
    line->true_size = cursor_u64(cursor);
    line->size_on_disk = cursor_u64(cursor);
    line->created_ms = (int64_t)cursor_u64(cursor);
    line->expires_ms = (int64_t)cursor_u64(cursor);
    line->is_whole = cursor_u8(cursor) != 0;
    return !cursor->failed;
}

static void format_time(int64_t ms, char text[TIME_SIZE])
{
    struct buffer bytes;
    buffer_init(&bytes, TIME_SIZE - 1);
    text[0] = '\0';
    if (ms != 0) calendar_put_timestamp(ms, 'T', &bytes);
    // java.time.Instant has no fraction of nought.
    bool is_short = ms % 1000 == 0 && bytes.size > 5;
    if (ms != 0)
        (void)snprintf(text, TIME_SIZE, "%.*s%s", (int)(is_short ? bytes.size - 5 : bytes.size),
                       (const char *)bytes.data, is_short ? "Z" : "");
    buffer_deinit(&bytes);
}

static void put_cells(const struct snapshot_line *line, char cells[COLUMNS][NAME_SIZE])
{
    char size[RING_VIEW_SIZE_TEXT], when[TIME_SIZE];
    (void)snprintf(cells[0], NAME_SIZE, "%.*s", (int)line->tag.size, (const char *)line->tag.data);
    (void)snprintf(cells[1], NAME_SIZE, "%.*s", (int)line->keyspace.size,
                   (const char *)line->keyspace.data);
    (void)snprintf(cells[2], NAME_SIZE, "%.*s", (int)line->table.size,
                   (const char *)line->table.data);
    ring_view_format_size(line->true_size, size);
    (void)snprintf(cells[3], NAME_SIZE, "%s", size);
    ring_view_format_size(line->size_on_disk, size);
    (void)snprintf(cells[4], NAME_SIZE, "%s", size);
    format_time(line->created_ms, when);
    (void)snprintf(cells[5], NAME_SIZE, "%s", when);
    format_time(line->expires_ms, when);
    (void)snprintf(cells[6], NAME_SIZE, "%s", when);
}

static void print_rows(const struct snapshot_line *lines, size_t count)
{
    static const char *const heads[COLUMNS] = {
        "Snapshot name", "Keyspace name", "Column family name", "True size",
        "Size on disk",  "Creation time", "Expiration time",
    };
    size_t widths[COLUMNS];
    char cells[COLUMNS][NAME_SIZE];
    for (size_t c = 0; c < COLUMNS; c++)
        widths[c] = strlen(heads[c]);
    for (size_t i = 0; i < count; i++) {
        put_cells(&lines[i], cells);
        for (size_t c = 0; c < COLUMNS; c++)
            if (strlen(cells[c]) > widths[c]) widths[c] = strlen(cells[c]);
    }
    for (size_t c = 0; c < COLUMNS; c++)
        printf("%-*s%s", (int)widths[c], heads[c], c + 1 < COLUMNS ? " " : "\n");
    for (size_t i = 0; i < count; i++) {
        put_cells(&lines[i], cells);
        for (size_t c = 0; c < COLUMNS; c++)
            printf("%-*s%s", (int)widths[c], cells[c], c + 1 < COLUMNS ? " " : "\n");
    }
}

static void print_json_line(uint16_t node, const struct snapshot_line *line, bool is_first)
{
    char created[TIME_SIZE], expires[TIME_SIZE];
    format_time(line->created_ms, created);
    format_time(line->expires_ms, expires);
    printf("%s\n  {\"node\": %u, \"snapshot\": ", is_first ? "" : ",", node);
    print_json_text((const char *)line->tag.data, line->tag.size);
    printf(", \"keyspace\": ");
    print_json_text((const char *)line->keyspace.data, line->keyspace.size);
    printf(", \"table\": ");
    print_json_text((const char *)line->table.data, line->table.size);
    printf(", \"true_size\": %" PRIu64 ", \"size_on_disk\": %" PRIu64, line->true_size,
           line->size_on_disk);
    printf(", \"created_at\": %s%s%s", created[0] == '\0' ? "null" : "\"", created,
           created[0] == '\0' ? "" : "\"");
    printf(", \"expires_at\": %s%s%s", expires[0] == '\0' ? "null" : "\"", expires,
           expires[0] == '\0' ? "" : "\"");
    printf(", \"whole\": %s}", line->is_whole ? "true" : "false");
}

static enum status print_node(const struct admin_tool *tool, uint16_t at, struct slice answer,
                              const struct snapshot_options *options, bool *is_first,
                              struct error *error)
{
    struct cursor cursor = cursor_make(answer);
    uint64_t total_size = cursor_u64(&cursor);
    uint32_t count = cursor_u32(&cursor), kept = 0;
    if (count > answer.size) cursor.failed = true;
    struct snapshot_line *lines = calloc(cursor.failed ? 1 : count + 1u, sizeof *lines);
    ASSERT(lines != NULL);
    for (uint32_t i = 0; i < count && !cursor.failed; i++)
        if (take_line(&cursor, &lines[kept]) && !(options->without_ttl && lines[kept].expires_ms))
            kept++;
    if (cursor.failed) {
        free(lines);
        return error_set(error, STATUS_MALFORMED, "the node answered something else");
    }
    if (options->tool.json) {
        for (uint32_t i = 0; i < kept; i++, *is_first = false)
            print_json_line(tool->numbers[at], &lines[i], *is_first);
    } else {
        char size[RING_VIEW_SIZE_TEXT];
        if (tool->count > 1) printf("%sNode %u\n", at == 0 ? "" : "\n", tool->numbers[at]);
        printf("Snapshot Details: \n");
        if (kept == 0) {
            printf("There are no snapshots\n");
        } else {
            print_rows(lines, kept);
            ring_view_format_size(total_size, size);
            printf("\nTotal TrueDiskSpaceUsed: %s\n\n", size);
        }
    }
    free(lines);
    return STATUS_OK;
}

int command_listsnapshots(int argc, char **argv)
{
    struct snapshot_options options = {.tag = NULL};
    struct admin_tool tool;
    struct error error;
    char **spelt = spell_out(argc, argv);
    int code = admin_tool_begin(&tool, &list_command, argc, spelt, &options.tool);
    free(spelt);
    if (code >= 0) return code;
    struct buffer answers[TOPOLOGY_MEMBERS_MAX];
    const uint8_t body[] = {ADMIN_SNAPSHOT_LIST};
    enum status status = admin_tool_find(&tool, true, &error);
    if (status == STATUS_OK) {
        status =
            admin_tool_ask(&tool, slice_make(body, sizeof body), WORK_TIMEOUT_NS, answers, &error);
        bool is_first = true;
        if (status == STATUS_OK && options.tool.json) printf("[");
        for (uint16_t i = 0; i < tool.count && status == STATUS_OK; i++)
            status = print_node(&tool, i, buffer_slice(&answers[i]), &options, &is_first, &error);
        if (status == STATUS_OK && options.tool.json) printf("%s]\n", is_first ? "" : "\n");
        admin_tool_free_answers(&tool, answers);
    }
    return admin_tool_end(&tool, status, &error);
}

// ---- clearsnapshot ------------------------------------------------------------------------------

static const struct option_spec clear_specs[] = {
    ADMIN_TOOL_OPTIONS(struct snapshot_options, tool),
    {"t,tag", OPTION_TEXT, offsetof(struct snapshot_options, tag), "NAME", "The snapshot's name", 0,
     0},
    {"all", OPTION_FLAG, offsetof(struct snapshot_options, all), NULL, "Whatever its name", 0, 0},
    {"older-than", OPTION_TEXT, offsetof(struct snapshot_options, older_than), "TIME",
     "Of all only those that are older: 30m, 12h, 7d", 0, 0},
    {"older-than-timestamp", OPTION_TEXT, offsetof(struct snapshot_options, older_than_timestamp),
     "TIME", "Of all only those made before, such as 2026-01-31T10:15:30Z", 0, 0},
};

static const struct command clear_command = {
    .name = "clearsnapshot",
    .usage = "[options] [KEYSPACE...]",
    .summary = "Removes snapshots, on all nodes of a ring",
    .specs = clear_specs,
    .spec_count = COUNT(clear_specs),
    .operands_max = ARGUMENTS_MAX,
};

// As java.time.Instant reads it.
static bool parse_instant(const char *text, int64_t *ms)
{
    size_t size = strlen(text);
    return size > 0 && text[size - 1] == 'Z' && strchr(text, 'T') != NULL &&
           calendar_parse_timestamp(slice_of_text(text), ms) == STATUS_OK;
}

// 0: whenever they were made. In nodetool's words.
static enum status choose_age(struct env *env, const struct snapshot_options *options,
                              int64_t *created_before_ms, struct error *error)
{
    const char *age = options->older_than, *instant = options->older_than_timestamp;
    *created_before_ms = 0;
    if (age != NULL && instant != NULL)
        return error_set(error, STATUS_INVALID,
                         "Specify only one of --older-than or --older-than-timestamp");
    if (options->tag != NULL && (age != NULL || instant != NULL))
        return error_set(error, STATUS_INVALID,
                         "Specifying snapshot name together with --older-than%s flag is not "
                         "allowed",
                         age != NULL ? "" : "-timestamp");
    if (instant != NULL && (!parse_instant(instant, created_before_ms) || *created_before_ms <= 0))
        return error_set(error, STATUS_INVALID,
                         "Parameter --older-than-timestamp has to be a valid instant in ISO "
                         "format.");
    if (age == NULL) return STATUS_OK;
    uint64_t age_s = parse_ttl(age);
    if (age_s == 0)
        return error_set(error, STATUS_INVALID,
                         "Invalid duration: %.100s Accepted units:[SECONDS, MINUTES, HOURS, DAYS] "
                         "where case matters and only non-negative values.",
                         age);
    *created_before_ms = env_wall_us(env) / 1000 - (int64_t)age_s * 1000;
    if (*created_before_ms < 1) *created_before_ms = 1;
    return STATUS_OK;
}

static void print_request(const struct admin_tool *tool, const struct snapshot_options *options)
{
    printf("Requested clearing snapshot(s) for ");
    print_operands(&tool->operands);
    if (options->tag == NULL)
        printf(" with [all snapshots]");
    else
        printf(" with snapshot name [%s]", options->tag);
    if (options->older_than != NULL) printf(" older than %s", options->older_than);
    if (options->older_than_timestamp != NULL)
        printf(" older than timestamp %s", options->older_than_timestamp);
    printf("\n");
    (void)fflush(stdout);
}

static enum status clear_snapshots(struct admin_tool *tool, const struct snapshot_options *options,
                                   uint64_t *removed_count, struct error *error)
{
    if (options->tag == NULL && !options->all)
        return error_set(error, STATUS_INVALID, "Specify snapshot name or --all");
    if (options->tag != NULL && options->all)
        return error_set(error, STATUS_INVALID, "Specify only one of snapshot name or --all");
    int64_t created_before_ms;
    enum status status = choose_age(tool->env, options, &created_before_ms, error);
    if (status == STATUS_OK) status = admin_tool_find(tool, true, error);
    if (status != STATUS_OK) return status;
    if (!options->tool.json) print_request(tool, options);
    struct buffer body;
    struct buffer answers[TOPOLOGY_MEMBERS_MAX];
    buffer_init(&body, MIB);
    // A request of its own: a node that did not know it would clear all.
    buffer_put_u8(&body, created_before_ms == 0 ? ADMIN_SNAPSHOT_CLEAR : ADMIN_SNAPSHOT_CLEAR_OLD);
    if (created_before_ms != 0) buffer_put_u64(&body, (uint64_t)created_before_ms);
    buffer_put_vint_bytes(&body, slice_of_text(options->tag == NULL ? "" : options->tag));
    buffer_put_u16(&body, (uint16_t)tool->operands.count);
    for (size_t i = 0; i < tool->operands.count; i++)
        buffer_put_vint_bytes(&body, slice_of_text(tool->operands.items[i]));
    status = admin_tool_ask(tool, buffer_slice(&body), WORK_TIMEOUT_NS, answers, error);
    for (uint16_t i = 0; i < tool->count && status == STATUS_OK; i++) {
        struct cursor cursor = cursor_make(buffer_slice(&answers[i]));
        *removed_count += cursor_u32(&cursor);
    }
    admin_tool_free_answers(tool, answers);
    buffer_deinit(&body);
    return status;
}

int command_clearsnapshot(int argc, char **argv)
{
    struct snapshot_options options = {.tag = NULL};
    struct admin_tool tool;
    struct error error;
    uint64_t removed_count = 0;
    int code = admin_tool_begin(&tool, &clear_command, argc, argv, &options.tool);
    if (code >= 0) return code;
    enum status status = clear_snapshots(&tool, &options, &removed_count, &error);
    if (status == STATUS_OK && options.tool.json)
        printf("{\"removed\": %" PRIu64 "}\n", removed_count);
    return admin_tool_end(&tool, status, &error);
}
