// A damaged commit log, replayed by an engine: it opens or says CORRUPT, and what it opened once it
// opens again. Whatever the damage is, it can be skipped, and is not met again.
//
//     { u8 what | … }*    0 record: u8 lag | u8 step (1: the next position) | u16 size | bytes
//                         1 mark: u8 lag   2 raw bytes: u8 size | bytes   3 next segment: u8 step
//                         4 zeros: u8 size   5 gap: u8 step | u8 size
//                         6 a fault: u8 kind | u8 countdown
//
// Records have right checksums, so that what they say is reached. A log that could not be read for
// a fault can be read without it.
#include "storage/commit_log/commit_log_format.h"
#include "storage/engine/engine.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/targets.h"

#include <stdio.h>

struct log_writer {
    struct fuzz_sim *sim;
    struct buffer bytes;
    uint64_t segment_id, position;
    enum fuzz_fault fault;
    uint8_t countdown;
};

static void put_record(struct log_writer *log, enum commit_log_kind kind, uint8_t lag,
                       struct slice bytes)
{
    size_t size = commit_log_format_size(bytes.size), offset = log->bytes.size;
    uint8_t *at = buffer_reserve(&log->bytes, size);
    uint64_t synced = log->position > lag ? log->position - lag : 0;
    commit_log_format_put(at, log->segment_id, offset, log->position, synced, kind, bytes);
}

static void end_segment(struct log_writer *log, uint8_t step)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/commitlog/CommitLog-%u.log", (unsigned)log->segment_id);
    fuzz_sim_write(log->sim, path, buffer_slice(&log->bytes));
    buffer_clear(&log->bytes);
    log->segment_id += step;
}

static void put_next(struct log_writer *log, struct cursor *input)
{
    uint8_t what = cursor_u8(input) % 7, amount = cursor_u8(input);
    if (what == 0) {
        log->position += cursor_u8(input);
        put_record(log, COMMIT_LOG_RECORD, amount, fuzz_take(input, cursor_u16(input)));
    } else if (what == 1) {
        put_record(log, COMMIT_LOG_MARK, amount, slice_make("", 0));
    } else if (what == 2) {
        struct slice raw = fuzz_take(input, amount);
        buffer_put(&log->bytes, raw.data, raw.size);
    } else if (what == 3) {
        end_segment(log, amount);
    } else if (what == 4) {
        memset(buffer_reserve(&log->bytes, amount), 0, amount);
    } else if (what == 5) {
        log->position += amount;
        put_record(log, COMMIT_LOG_GAP, 0, fuzz_take(input, cursor_u8(input)));
    } else {
        log->fault = (enum fuzz_fault)(amount % FUZZ_FAULT_COUNT);
        log->countdown = cursor_u8(input);
    }
}

static void stopped(void *context)
{
    *(bool *)context = true;
}

static bool open_engine(struct fuzz_sim *sim, const struct schema *schema, bool skips_damage)
{
    struct engine *engine;
    struct error error;
    const struct engine_options options = {.directory = "/", .skips_log_damage = skips_damage};
    enum status status = engine_open(sim->env, &options, schema, &engine, &error);
    ASSERT(status == STATUS_OK || status == STATUS_CORRUPT || fuzz_sim_has_failed());
    if (status != STATUS_OK) return false;
    engine_check(engine);
    bool is_stopped = false;
    engine_close(engine, stopped, &is_stopped);
    fuzz_sim_run(sim, 3600, &is_stopped);
    ASSERT(is_stopped);
    return true;
}

FUZZ_TARGET(commit_log)
{
    static struct schema *schema;
    if (schema == NULL) {
        schema = schema_create();
        struct options replication = {0};
        const struct keyspace *keyspace =
            keyspace_make(slice_of_text("ks"), &replication, true, false);
        ASSERT(schema_put_keyspace(schema, keyspace) == STATUS_OK);
        keyspace_unref(keyspace);
        for (size_t i = 0; i < fuzz_node_table_count(); i++)
            ASSERT(schema_put_table(schema, fuzz_node_table(i)) == STATUS_OK);
    }
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    ASSERT(env_make_dir(sim.env, "/commitlog", NULL) == STATUS_OK);
    struct log_writer log = {.sim = &sim, .segment_id = 1};
    buffer_init(&log.bytes, 1 << 26);
    struct cursor cursor = cursor_make(input);
    while (fuzz_goes_on(&cursor))
        put_next(&log, &cursor);
    end_segment(&log, 0);
    if (log.fault != FUZZ_FAULT_NONE) {
        fuzz_sim_fail(&sim, log.fault, log.countdown);
        (void)!open_engine(&sim, schema, false);
        fuzz_sim_fail(&sim, log.fault, log.countdown);
        (void)!open_engine(&sim, schema, true);
        fuzz_sim_fail(&sim, FUZZ_FAULT_NONE, 0);
    }
    if (!open_engine(&sim, schema, false)) ASSERT(open_engine(&sim, schema, true));
    ASSERT(open_engine(&sim, schema, false));
    buffer_deinit(&log.bytes);
    fuzz_sim_close(&sim);
}
