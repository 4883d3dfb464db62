// Each operation of an engine, killed, without power, or with a failure at each of its steps: no
// row is wrong, no acknowledged write is lost, and the next start works. HELENUS_SWEEP=n does more
// of it: so many seeds. HELENUS_CRASHED=DIR writes what each crash of a flush and of a compaction
// leaves to DIR/…, with the rows that are in it (tests/interop/crashed_directories);
// HELENUS_CRASHED_STRIDE=n of each n-th step alone.
#include "base/container_of.h"
#include "base/limits.h"
#include "storage/engine/engine_import.h"
#include "storage/engine/engine_snapshot.h"
#include "storage/merge/merge.h"
#include "storage/sstable/sstable.h"
#include "tests/storage/support/sim_engine.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROOT "/d"

enum operation {
    OPEN,
    CLOSE,
    WRITE,
    READ,
    FLUSH,
    COMPACT,
    TRUNCATE,
    TRUNCATE_FLUSHING, // What is just to be flushed.
    TRUNCATE_KEEP,     // These with a snapshot before.
    DROP,
    DROP_KEEP,
    DROP_AGAIN, // A start behind a drop that the engine never heard of.
    SNAPSHOT,
    IMPORT,
    OPERATIONS
};

static const char *const operation_texts[OPERATIONS] = {
    "open",          "close",   "write",     "read",
    "flush",         "compact", "truncate",  "truncate_flushing",
    "truncate_keep", "drop",    "drop_keep", "drop_again",
    "snapshot",      "import"};

enum { NEW_KEY = 50 };

static struct buffer full[SIM_TABLE_COUNT]; // What the tables have before.
static struct buffer imported;              // What u has after an import of an SSTable of t.

struct outcome {
    bool done;
    enum status status;
    struct engine_flush other; // That nobody waits for.
    union {
        struct engine_flush flush;
        struct engine_compact compact;
        struct engine_snapshot snapshot;
        struct engine_import import;
    };
};

// ---- Operations ---------------------------------------------------------------------------------

static void set_outcome(struct outcome *outcome, enum status status)
{
    outcome->status = status;
    outcome->done = true;
}

static void flushed(struct engine_flush *flush, enum status status)
{
    set_outcome(CONTAINER_OF(flush, struct outcome, flush), status);
}

static void ignore_flush(struct engine_flush *flush, enum status status)
{
    (void)flush;
    (void)status;
}

static void compacted(struct engine_compact *compact, enum status status)
{
    set_outcome(CONTAINER_OF(compact, struct outcome, compact), status);
}

static void taken(struct engine_snapshot *snapshot, enum status status, const struct error *error)
{
    (void)error;
    set_outcome(CONTAINER_OF(snapshot, struct outcome, snapshot), status);
}

static void import_done(struct engine_import *import, enum status status, const struct error *error)
{
    (void)error;
    struct outcome *outcome = CONTAINER_OF(import, struct outcome, import);
    // A faulty file is left where it is and named: then it has not come.
    set_outcome(outcome, status == STATUS_OK && import->fault_count > 0 ? STATUS_CORRUPT : status);
}

struct linking {
    struct env *env;
    const char *from;
};

static void link_file(void *context, const char *name, bool is_dir)
{
    const struct linking *linking = context;
    char from[600], to[600];
    (void)is_dir;
    if (strncmp(name, "nb-1-", 5) != 0) return;
    (void)snprintf(from, sizeof from, "%s/%s", linking->from, name);
    (void)snprintf(to, sizeof to, ROOT "/in/%s", name);
    ck_assert_int_eq(env_link(linking->env, from, to, NULL), STATUS_OK);
}

// The first SSTable of t stands in a directory of its own, for u.
static void link_for_import(struct sim_engine *sim)
{
    struct linking linking = {sim->env, sim_engine_table_directory(sim, SIM_TABLE)};
    ck_assert_int_eq(env_make_dir(sim->env, ROOT "/in", NULL), STATUS_OK);
    ck_assert_int_eq(env_list_dir(sim->env, linking.from, link_file, &linking, NULL), STATUS_OK);
}

static bool drops(enum operation operation)
{
    return operation == DROP || operation == DROP_KEEP || operation == DROP_AGAIN;
}

static bool truncates(enum operation operation)
{
    return operation == TRUNCATE || operation == TRUNCATE_FLUSHING || operation == TRUNCATE_KEEP;
}

static bool keeps(enum operation operation)
{
    return operation == TRUNCATE_KEEP || operation == DROP_KEEP || operation == DROP_AGAIN;
}

static void closed(void *context)
{
    set_outcome(context, STATUS_OK);
}

// What must be so before it begins.
static void prepare(struct sim_engine *sim, enum operation operation)
{
    sim->auto_snapshot = keeps(operation);
    sim_engine_fill(sim);
    if (operation == COMPACT) ck_assert_int_eq(sim_engine_flush(sim), STATUS_OK);
    if (operation == READ || operation == OPEN || operation == DROP_AGAIN) {
        // Nothing is in the cache then.
        if (operation == READ) ck_assert_int_eq(sim_engine_flush(sim), STATUS_OK);
        sim_machine_sync(sim->machine);
        sim_engine_kill(sim, false);
        if (operation == READ) ck_assert_int_eq(sim_engine_open(sim), STATUS_OK);
        if (operation != READ) sim_engine_start(sim);
    }
    if (operation == IMPORT) link_for_import(sim);
    if (drops(operation)) schema_remove_table(sim->schema, slice_of_text("ks"), slice_of_text("t"));
    if (sim->env != NULL) sim_machine_sync(sim->machine);
}

static void begin(struct sim_engine *sim, enum operation operation, struct outcome *outcome)
{
    struct uuid id = sim->tables[SIM_TABLE]->id;
    struct buffer text;
    struct engine_snapshot_options snapshot = {.tag = "snap", .tables = &id, .table_count = 1};
    switch (operation) {
    case OPEN:
        set_outcome(outcome, sim_engine_open(sim));
        break;
    case CLOSE:
        engine_close(sim->engine, closed, outcome);
        break;
    case WRITE:
        set_outcome(outcome, sim_engine_write(sim, SIM_TABLE, NEW_KEY, NEW_KEY + 1, 0));
        break;
    case READ:
        buffer_init(&text, GIB);
        set_outcome(outcome, sim_engine_put_rows(sim, SIM_TABLE, &text));
        if (outcome->status == STATUS_OK)
            ck_assert(slice_equals(buffer_slice(&text), buffer_slice(&full[SIM_TABLE])));
        buffer_deinit(&text);
        break;
    case FLUSH:
        engine_flush(sim->engine, NULL, &outcome->flush, flushed);
        break;
    case COMPACT:
        engine_compact(sim->engine, id, false, &outcome->compact, compacted);
        break;
    case TRUNCATE_FLUSHING:
        engine_flush(sim->engine, &id, &outcome->other, ignore_flush);
        engine_truncate(sim->engine, id, &outcome->flush, flushed);
        break;
    case TRUNCATE:
    case TRUNCATE_KEEP:
        engine_truncate(sim->engine, id, &outcome->flush, flushed);
        break;
    case DROP_AGAIN:
        set_outcome(outcome, sim_engine_open(sim));
        if (outcome->status != STATUS_OK) break;
        *outcome = (struct outcome){.status = STATUS_CLOSED};
        engine_flush(sim->engine, NULL, &outcome->flush, flushed);
        break;
    case DROP:
    case DROP_KEEP:
        engine_drop_table(sim->engine, id);
        // It has no answer: a flush of what is left comes behind it.
        engine_flush(sim->engine, NULL, &outcome->flush, flushed);
        break;
    case IMPORT:
        engine_import(sim->engine,
                      &(struct engine_import_options){.table = sim->tables[SIM_OTHER]->id,
                                                      .directory = ROOT "/in",
                                                      .copies = true},
                      &outcome->import, import_done);
        break;
    default:
        engine_snapshot_take(sim->engine, &snapshot, &outcome->snapshot, taken);
        break;
    }
}

// True: it has ended by itself, with `status`.
static bool run(struct sim_engine *sim, enum operation operation, struct outcome *outcome)
{
    *outcome = (struct outcome){.done = false, .status = STATUS_CLOSED};
    begin(sim, operation, outcome);
    bool has_ended = sim_engine_await(sim, &outcome->done);
    // An engine that was closed is gone, and its process with it.
    if (operation == CLOSE && outcome->done) sim->engine = NULL;
    return has_ended;
}

// ---- Checks -------------------------------------------------------------------------------------

// Without the rows of the key that is written by the way; how many these are.
static size_t cut_new_rows(struct buffer *text)
{
    char head[16];
    int head_size = snprintf(head, sizeof head, "%d ", NEW_KEY);
    size_t kept = 0, count = 0;
    for (size_t at = 0; at < text->size;) {
        uint8_t *end = memchr(text->data + at, '\n', text->size - at);
        size_t size = (size_t)(end - (text->data + at)) + 1;
        if (memcmp(text->data + at, head, (size_t)head_size) == 0) {
            count++;
        } else {
            memmove(text->data + kept, text->data + at, size);
            kept += size;
        }
        at += size;
    }
    text->size = kept;
    return count;
}

struct expectation {
    enum operation operation;
    bool was_acknowledged; // What the operation does must be seen.
    bool may_be_half_done; // It may be seen.
    bool has_new_rows;     // Written after it, and acknowledged.
    const char *when;
};

static void check_table(struct sim_engine *sim, enum sim_engine_table table,
                        const struct expectation *expected, bool may_fail)
{
    struct buffer text;
    buffer_init(&text, GIB);
    enum status status = sim_engine_put_rows(sim, table, &text);
    if (status != STATUS_OK) {
        ck_assert_msg(may_fail, "%s: table %d is not read: %s", expected->when, (int)table,
                      status_text(status));
        buffer_deinit(&text);
        return;
    }
    size_t new_rows = cut_new_rows(&text);
    bool is_full = slice_equals(buffer_slice(&text), buffer_slice(&full[table]));
    bool is_truncated = table == SIM_TABLE && truncates(expected->operation);
    bool imports = table == SIM_OTHER && expected->operation == IMPORT;
    bool is_imported = imports && slice_equals(buffer_slice(&text), buffer_slice(&imported));
    if (imports && expected->was_acknowledged)
        ck_assert_msg(is_imported, "%s: what was imported is not there", expected->when);
    ck_assert_msg(is_full || is_imported || (is_truncated && text.size == 0),
                  "%s: table %d has other rows:\n%.*s", expected->when, (int)table, (int)text.size,
                  (char *)text.data);
    if (is_truncated) {
        ck_assert_msg(!expected->was_acknowledged || text.size == 0,
                      "%s: what was truncated came back", expected->when);
        ck_assert_msg(expected->was_acknowledged || expected->may_be_half_done || text.size > 0,
                      "%s: truncated", expected->when);
    }
    if (table == SIM_TABLE && expected->operation == WRITE && expected->was_acknowledged)
        ck_assert_msg(new_rows == 4, "%s: an acknowledged write was lost", expected->when);
    if (table == SIM_OTHER && expected->has_new_rows)
        ck_assert_msg(new_rows == 4, "%s: an acknowledged write was lost", expected->when);
    buffer_deinit(&text);
}

static void check_all(struct sim_engine *sim, const struct expectation *expected, bool may_fail)
{
    for (int table = 0; table < SIM_TABLE_COUNT; table++)
        if (table != SIM_TABLE || !drops(expected->operation))
            check_table(sim, (enum sim_engine_table)table, expected, may_fail);
}

static void put_live_rows(struct sim_engine *sim, struct scan_iterator *scan, struct buffer *text)
{
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK)
        ck_assert_int_eq(sim_engine_put_partition(sim, partition, text), STATUS_END);
    ck_assert_int_eq(status, STATUS_END);
}

// The rows of t in the SSTables of a directory, which is recovered before.
static void put_files(struct sim_engine *sim, const char *directory, struct buffer *text)
{
    struct sstable_listing listing;
    ck_assert_int_eq(sstable_recover_directory(sim->env, directory, &listing, NULL), STATUS_OK);
    struct sstable_reader *readers[8];
    struct scan_iterator *scans[8];
    ck_assert_uint_le(listing.count, 8);
    for (size_t i = 0; i < listing.count; i++) {
        ck_assert_int_eq(sstable_open(sim->env, directory, listing.generations[i],
                                      sim->tables[SIM_TABLE], NULL, &readers[i], NULL),
                         STATUS_OK);
        ck_assert_int_eq(
            sstable_scan_apart(readers[i], sim->tables[SIM_TABLE], &sim->arena, &scans[i], NULL),
            STATUS_OK);
    }
    if (listing.count > 0) {
        struct scan_iterator *merged = merge_scans(scans, listing.count, false, &sim->arena);
        put_live_rows(sim, merged, text);
        scan_iterator_close(merged);
    }
    for (size_t i = 0; i < listing.count; i++)
        sstable_unref(readers[i]);
    free(listing.generations);
}

struct remains {
    struct sim_engine *sim;
    const char *directory;
    const struct expectation *expected;
    char name[128]; // The first file that is left.
    size_t whole_count;
};

// A snapshot that says that it is whole has all rows.
static void check_snapshot(void *context, const char *name, bool is_dir)
{
    struct remains *remains = context;
    struct sim_engine *sim = remains->sim;
    const char *path = arena_format(&sim->arena, "%s/snapshots/%s", remains->directory, name);
    const char *manifest = arena_format(&sim->arena, "%s/manifest.json", path);
    bool is_whole, manifest_is_dir;
    ck_assert(is_dir);
    ck_assert_int_eq(env_path_exists(sim->env, manifest, &is_whole, &manifest_is_dir, NULL),
                     STATUS_OK);
    if (!is_whole) return;
    remains->whole_count++;
    struct buffer text;
    buffer_init(&text, GIB);
    put_files(sim, path, &text);
    ck_assert_msg(slice_equals(buffer_slice(&text), buffer_slice(&full[SIM_TABLE])),
                  "%s: the snapshot %s has other rows:\n%.*s", remains->expected->when, path,
                  (int)text.size, (char *)text.data);
    buffer_deinit(&text);
}

// Power that is lost right behind the drop may bring back names of small files, but no data.
static void note_data(void *context, const char *name, bool is_dir)
{
    struct remains *remains = context;
    if (!is_dir && strstr(name, "Data.db") != NULL)
        (void)snprintf(remains->name, sizeof remains->name, "%.127s", name);
}

static void check_kept(struct sim_engine *sim, const struct expectation *expected, bool must)
{
    struct remains remains = {sim, sim_engine_table_directory(sim, SIM_TABLE), expected, "", 0};
    const char *snapshots = arena_format(&sim->arena, "%s/snapshots", remains.directory);
    (void)!env_list_dir(sim->env, snapshots, check_snapshot, &remains, NULL);
    ck_assert_msg(!must || remains.whole_count > 0, "%s: there is no snapshot", expected->when);
}

static void let_background_end(struct sim_engine *sim)
{
    struct outcome outcome = {.done = false};
    engine_flush(sim->engine, NULL, &outcome.flush, flushed);
    ck_assert(sim_engine_await(sim, &outcome.done));
    while (!engine_is_quiet(sim->engine))
        ck_assert(sim_world_step(sim->world));
}

// Of what was dropped nothing is left but snapshots, whenever the process ended.
static void check_dropped(struct sim_engine *sim, const struct expectation *expected)
{
    ck_assert_int_eq(sim_engine_open(sim), STATUS_OK);
    let_background_end(sim);
    struct remains remains = {sim, sim_engine_table_directory(sim, SIM_TABLE), expected, "", 0};
    (void)!env_list_dir(sim->env, remains.directory, note_data, &remains, NULL);
    ck_assert_msg(remains.name[0] == '\0', "%s: %s is left", expected->when, remains.name);
    check_kept(sim, expected, keeps(expected->operation));
    sim_engine_kill(sim, false);
}

// It starts, twice, with the same rows.
static void check_restarts(struct sim_engine *sim, const struct expectation *expected)
{
    for (int i = 0; i < 2; i++) {
        enum status status = sim_engine_open(sim);
        ck_assert_msg(status == STATUS_OK, "%s, start %d: %s", expected->when, i, sim->error.text);
        check_all(sim, expected, false);
        engine_check(sim->engine);
        sim_engine_kill(sim, true);
    }
    if (drops(expected->operation)) check_dropped(sim, expected);
    if (expected->operation != TRUNCATE_KEEP) return;
    sim_engine_start(sim);
    check_kept(sim, expected, expected->was_acknowledged);
    sim_engine_kill(sim, false);
}

// ---- Crashes ------------------------------------------------------------------------------------

static unsigned seeds(void)
{
    const char *text = getenv("HELENUS_SWEEP");
    return text == NULL ? 1 : (unsigned)strtoul(text, NULL, 10);
}

// Else the longest and the strangest see only what is worst.
static bool is_thorough(void)
{
    return getenv("HELENUS_SWEEP") != NULL;
}

static bool truncates_slowly(enum operation operation)
{
    return operation == TRUNCATE_KEEP || operation == TRUNCATE_FLUSHING;
}

static bool is_long(enum operation operation)
{
    return keeps(operation) || operation == TRUNCATE_FLUSHING;
}

static void crash_at_each_step(enum operation operation, bool power, uint64_t seed)
{
    bool was_killed = true;
    uint64_t step = 0, ended_count = 0;
    while (was_killed) {
        char when[96];
        (void)snprintf(when, sizeof when, "%s: %s at step %d, seed %d", operation_texts[operation],
                       power ? "power loss" : "kill", (int)++step, (int)seed);
        struct sim_engine sim;
        sim_engine_init(&sim, seed * 1000 + step, ROOT);
        prepare(&sim, operation);
        sim_process_crash_at(sim.env, step, power);
        struct outcome outcome;
        bool has_ended = run(&sim, operation, &outcome);
        was_killed = sim.env == NULL || !sim_process_is_alive(sim.env);
        bool is_done = outcome.done && outcome.status == STATUS_OK;
        ck_assert_msg(was_killed || (has_ended && is_done), "%s: %s", when,
                      status_text(outcome.status));
        ended_count += has_ended;
        sim_engine_kill(&sim, false);
        check_restarts(&sim, &(struct expectation){.operation = operation,
                                                   .was_acknowledged = is_done,
                                                   .may_be_half_done = true,
                                                   .when = when});
        sim_engine_deinit(&sim);
    }
    printf("%s: %s at each of %d steps\n", operation_texts[operation],
           power ? "power loss" : "kill", (int)step);
    ck_assert_uint_gt(ended_count, 0);
}

START_TEST(a_crash_at_each_step_loses_nothing)
{
    if (_i == READ) return;
    if (!is_long((enum operation)_i) || is_thorough())
        crash_at_each_step((enum operation)_i, false, 1);
    for (unsigned seed = 1; seed <= seeds(); seed++)
        crash_at_each_step((enum operation)_i, true, seed);
}
END_TEST

// ---- Failures -----------------------------------------------------------------------------------

// False: there is no such operation of a file, it did not fail.
static bool fail_once(enum operation operation, enum failing_kind kind, uint64_t n, bool for_good,
                      enum status status)
{
    char when[96];
    (void)snprintf(when, sizeof when, "%s: %s %d fails %s", operation_texts[operation],
                   failing_kind_text(kind), (int)n, for_good ? "for good" : "once");
    struct sim_engine sim;
    sim_engine_init(&sim, n, ROOT);
    prepare(&sim, operation);
    sim.failing.kinds = UINT32_C(1) << kind;
    sim.failing.status = status;
    sim.failing.for_good = for_good;
    sim.failing.countdown = n;
    struct outcome outcome;
    bool has_ended = run(&sim, operation, &outcome);
    bool has_failed = sim.failing.has_failed;
    bool is_done = has_ended && outcome.status == STATUS_OK;
    ck_assert_msg(has_failed || is_done, "%s: %s", when, status_text(outcome.status));
    struct expectation expected = {.operation = operation,
                                   .was_acknowledged = is_done,
                                   .may_be_half_done = true,
                                   .when = when};
    if (!has_failed) sim.failing.countdown = 0;
    if (sim.engine != NULL && sim.env != NULL) {
        check_all(&sim, &expected, has_failed && for_good);
        // What the engine says it has, it has.
        sim.failing.for_good = false;
        expected.has_new_rows =
            sim_engine_write(&sim, SIM_OTHER, NEW_KEY, NEW_KEY + 1, 0) == STATUS_OK;
        check_all(&sim, &expected, false);
        engine_check(sim.engine);
    }
    sim_engine_kill(&sim, true);
    check_restarts(&sim, &expected);
    sim_engine_deinit(&sim);
    return has_failed;
}

static void fail_at_each(enum operation operation, bool for_good)
{
    printf("%s, failures%s:", operation_texts[operation], for_good ? " for good" : "");
    for (int kind = 0; kind < FAILING_KIND_COUNT; kind++) {
        uint64_t n = 0;
        enum status status = kind == FAILING_WRITE && for_good ? STATUS_NO_SPACE : STATUS_IO;
        while (fail_once(operation, (enum failing_kind)kind, n + 1, for_good, status))
            n++;
        if (n > 0) printf(" %d × %s", (int)n, failing_kind_text((enum failing_kind)kind));
    }
    printf("\n");
}

START_TEST(a_failure_at_each_step_loses_nothing)
{
    if (!is_long((enum operation)_i) || is_thorough()) fail_at_each((enum operation)_i, false);
    if (!truncates_slowly((enum operation)_i) || is_thorough())
        fail_at_each((enum operation)_i, true);
}
END_TEST

// ---- Directories for a real Cassandra -----------------------------------------------------------

struct copying {
    struct env *env;
    const char *from; // The same path here and in the simulated machine.
    struct arena *arena;
};

static void copy_file(struct env *env, const char *path)
{
    struct env_file *file;
    ck_assert_int_eq(env_file_open(env, path, ENV_OPEN_READ, &file, NULL), STATUS_OK);
    uint64_t size;
    ck_assert_int_eq(env_file_size(file, &size, NULL), STATUS_OK);
    char *bytes = malloc(size + 1);
    size_t read_size;
    ck_assert_int_eq(env_file_read(file, 0, bytes, size, &read_size, NULL), STATUS_OK);
    env_file_close(file);
    FILE *copy = fopen(path, "wb");
    ck_assert_ptr_nonnull(copy);
    ck_assert_uint_eq(fwrite(bytes, 1, read_size, copy), read_size);
    ck_assert_int_eq(fclose(copy), 0);
    // Cassandra looks at the times of old files.
    int64_t us;
    ck_assert_int_eq(env_path_time(env, path, &us, NULL), STATUS_OK);
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    struct timespec times[2] = {time, time};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    free(bytes);
}

static void copy_entry(void *context, const char *name, bool is_dir)
{
    const struct copying *copying = context;
    const char *path = arena_format(copying->arena, "%s/%s", copying->from, name);
    if (!is_dir) {
        copy_file(copying->env, path);
        return;
    }
    ck_assert_int_eq(mkdir(path, 0755), 0);
    struct copying below = {copying->env, path, copying->arena};
    ck_assert_int_eq(env_list_dir(copying->env, path, copy_entry, &below, NULL), STATUS_OK);
}

// What its SSTables have after a recovery, whatever the log has.
static void write_rows(struct sim_engine *sim, const char *path)
{
    struct buffer text;
    buffer_init(&text, GIB);
    put_files(sim, sim_engine_table_directory(sim, SIM_TABLE), &text);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text.data, 1, text.size, file), text.size);
    ck_assert_int_eq(fclose(file), 0);
    buffer_deinit(&text);
}

// False: the operation came to its end before this step.
static bool leave_directory(const char *parent, enum operation operation, bool power, uint64_t step)
{
    char root[400], rows[420];
    (void)snprintf(root, sizeof root, "%s/%s-%s-%03d", parent, operation_texts[operation],
                   power ? "power" : "kill", (int)step);
    (void)snprintf(rows, sizeof rows, "%s.ours", root);
    struct sim_engine sim;
    sim_engine_init(&sim, step, root);
    prepare(&sim, operation);
    sim_process_crash_at(sim.env, step, power);
    struct outcome outcome;
    (void)run(&sim, operation, &outcome);
    bool was_killed = sim.env == NULL || !sim_process_is_alive(sim.env);
    sim_engine_kill(&sim, false);
    sim_engine_start(&sim);
    ck_assert_int_eq(mkdir(root, 0755), 0);
    struct copying copying = {sim.env, root, &sim.arena};
    ck_assert_int_eq(env_list_dir(sim.env, root, copy_entry, &copying, NULL), STATUS_OK);
    write_rows(&sim, rows);
    sim_engine_deinit(&sim);
    return was_killed;
}

static void leave_directories(const char *parent)
{
    static const enum operation operations[] = {FLUSH, COMPACT};
    const char *text = getenv("HELENUS_CRASHED_STRIDE");
    uint64_t stride = text == NULL ? 1 : strtoull(text, NULL, 10);
    for (size_t i = 0; i < 4; i++) {
        for (uint64_t step = 1; leave_directory(parent, operations[i / 2], i % 2 == 1, step);)
            step += stride;
    }
}

START_TEST(directories_are_left_for_cassandra)
{
    const char *parent = getenv("HELENUS_CRASHED");
    if (parent != NULL) leave_directories(parent);
}
END_TEST

// ---- Life of the test ---------------------------------------------------------------------------

static void setup(void)
{
    struct sim_engine sim;
    sim_engine_init(&sim, 1, ROOT);
    sim_engine_fill(&sim);
    for (int i = 0; i < SIM_TABLE_COUNT; i++) {
        buffer_init(&full[i], GIB);
        ck_assert_int_eq(sim_engine_put_rows(&sim, (enum sim_engine_table)i, &full[i]), STATUS_OK);
        ck_assert_uint_gt(full[i].size, 100);
    }
    buffer_init(&imported, GIB);
    struct outcome outcome;
    link_for_import(&sim);
    ck_assert(run(&sim, IMPORT, &outcome));
    ck_assert_int_eq(outcome.status, STATUS_OK);
    ck_assert_int_eq(sim_engine_put_rows(&sim, SIM_OTHER, &imported), STATUS_OK);
    ck_assert(!slice_equals(buffer_slice(&imported), buffer_slice(&full[SIM_OTHER])));
    sim_engine_deinit(&sim);
}

static void teardown(void)
{
    buffer_deinit(&imported);
    for (int i = 0; i < SIM_TABLE_COUNT; i++)
        buffer_deinit(&full[i]);
}

int main(void)
{
    TCase *tcase = tcase_create("engine_sweep");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, directories_are_left_for_cassandra);
    if (getenv("HELENUS_CRASHED") == NULL) {
        tcase_add_loop_test(tcase, a_crash_at_each_step_loses_nothing, 0, OPERATIONS);
        tcase_add_loop_test(tcase, a_failure_at_each_step_loses_nothing, 0, OPERATIONS);
    }
    Suite *suite = suite_create("engine_sweep");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
