// Compactions of a node, for `helenus compact`, `compactionstats`, `stop` and their like, and
// `tablestats`.
#include "base/assert.h"
#include "base/container_of.h"
#include "node/admin_internal.h"

#include <stdlib.h>

#define MS_PER_15_MINUTES (15 * 60 * INT64_C(1000))

static const struct schema *schema_of(const struct admin *admin)
{
    return metadata_schema(admin->options.metadata);
}

// The tables that the request names, or the answer that there are none such. free() the ids.
static bool take_tables(struct admin *admin, const struct message *message, struct cursor *body,
                        struct admin_tables *tables)
{
    struct error error;
    *tables = (struct admin_tables){calloc(ADMIN_TABLES_MAX, sizeof *tables->ids), 0};
    ASSERT(tables->ids != NULL);
    enum status status = admin_choose_tables(schema_of(admin), body, tables, &error);
    if (status == STATUS_OK) return true;
    admin_answer_text(admin, message->origin, status, error.text);
    free(tables->ids);
    return false;
}

static void put_name(struct buffer *bytes, const struct table *table)
{
    buffer_put_vint_bytes(bytes, table->keyspace);
    buffer_put_vint_bytes(bytes, table->name);
}

static void end_answer(struct admin *admin, const struct message *message, struct buffer *bytes)
{
    if (bytes->overflow)
        admin_answer_text(admin, message->origin, STATUS_OVERLOADED, "the answer is too long");
    else
        admin_answer(admin, message->origin, STATUS_OK, buffer_slice(bytes));
    buffer_deinit(bytes);
}

static void patch_count(struct buffer *bytes, size_t place, uint32_t count)
{
    if (!bytes->overflow) bytes_put_u32(bytes->data + place, count);
}

// ---- compact ------------------------------------------------------------------------------------

// Tables one after another.
struct compact_op {
    struct admin_op *op;
    struct engine_compact compact;
    bool split;
    size_t next, count;
    struct uuid ids[];
};

static void table_compacted(struct engine_compact *compact, enum status status);

static void compact_next(struct compact_op *work)
{
    if (work->next == work->count) {
        admin_op_end_text(work->op, STATUS_OK, "");
        return;
    }
    engine_compact(work->op->admin->options.engine, work->ids[work->next++], work->split,
                   &work->compact, table_compacted);
}

static void table_compacted(struct engine_compact *compact, enum status status)
{
    struct compact_op *work = CONTAINER_OF(compact, struct compact_op, compact);
    const char *why;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) { // It may be dropped meanwhile.
        compact_next(work);
    } else if (status == STATUS_CANCELED) {
        admin_op_end_text(work->op, status, "the compaction was stopped");
    } else {
        (void)engine_compaction_failed_count(work->op->admin->options.engine, &why);
        admin_op_end_text(work->op, status, why);
    }
}

void admin_compact_start(struct admin *admin, const struct message *message, struct cursor *body)
{
    bool split = cursor_u8(body) != 0;
    struct admin_tables tables;
    if (!take_tables(admin, message, body, &tables)) return;
    struct admin_op *op = admin_op_begin(admin, ADMIN_COMPACT, message->origin);
    if (op != NULL) {
        struct compact_op *work = calloc(1, sizeof *work + tables.count * sizeof work->ids[0]);
        ASSERT(work != NULL);
        *work = (struct compact_op){.op = op, .split = split, .count = tables.count};
        memcpy(work->ids, tables.ids, tables.count * sizeof work->ids[0]);
        op->work = work;
        compact_next(work);
    }
    free(tables.ids);
}

// ---- compactionstats ----------------------------------------------------------------------------

static void put_pending(struct admin *admin, struct buffer *bytes)
{
    const struct keyspace *keyspace;
    uint32_t count = 0;
    size_t place = bytes->size;
    buffer_put_u32(bytes, 0);
    for (size_t k = 0; (keyspace = schema_keyspace_at(schema_of(admin), k)) != NULL; k++) {
        const struct table *table;
        for (size_t t = 0; (table = schema_table_at(schema_of(admin), keyspace->name, t)) != NULL;
             t++) {
            size_t pending = engine_pending_compactions(admin->options.engine, table->id);
            if (pending == 0) continue;
            put_name(bytes, table);
            buffer_put_u32(bytes, (uint32_t)pending);
            count++;
        }
    }
    patch_count(bytes, place, count);
}

static void put_active(const struct engine *engine, struct buffer *bytes)
{
    struct engine_compaction_info info;
    uint32_t count = 0;
    size_t place = bytes->size;
    buffer_put_u32(bytes, 0);
    for (; engine_compaction_at(engine, count, &info); count++) {
        buffer_put(bytes, info.id.bytes, sizeof info.id.bytes);
        buffer_put_vint_bytes(bytes, slice_of_text(info.kind));
        put_name(bytes, info.table);
        buffer_put_u64(bytes, info.read_bytes);
        buffer_put_u64(bytes, info.total_bytes);
    }
    patch_count(bytes, place, count);
}

void admin_compaction_stats(struct admin *admin, const struct message *message)
{
    const struct engine *engine = admin->options.engine;
    const struct engine_compaction_done *done;
    int64_t now_ms = env_wall_us(admin->env) / 1000;
    uint64_t recent = 0;
    for (size_t i = 0; (done = engine_compaction_done_at(engine, i)) != NULL; i++)
        recent += now_ms - done->done_ms < MS_PER_15_MINUTES;
    const char *why;
    uint64_t failed = engine_compaction_failed_count(engine, &why);
    struct buffer bytes;
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    buffer_put_u32(&bytes, (uint32_t)engine_concurrent_compactors(engine));
    buffer_put_u64(&bytes, engine_compaction_throughput(engine));
    buffer_put_u64(&bytes, engine_compaction_done_count(engine));
    buffer_put_u64(&bytes, engine_compacted_bytes(engine));
    buffer_put_u64(&bytes, failed);
    buffer_put_u64(&bytes, recent);
    buffer_put_u64(&bytes, (uint64_t)((env_wall_us(admin->env) - admin->started_us) / 1000000));
    buffer_put_vint_bytes(&bytes, slice_of_text(why));
    put_pending(admin, &bytes);
    put_active(engine, &bytes);
    end_answer(admin, message, &bytes);
}

// ---- Settings -----------------------------------------------------------------------------------

void admin_compaction_set(struct admin *admin, const struct message *message, struct cursor *body)
{
    uint8_t what = cursor_u8(body);
    uint64_t value = cursor_u64(body);
    if (body->failed || what > 1 || (what == 1 && (value == 0 || value > ENV_LANE_THREADS_MAX))) {
        admin_answer_text(admin, message->origin, STATUS_MALFORMED, "malformed request");
        return;
    }
    if (what == 0) {
        engine_set_compaction_throughput(admin->options.engine, value);
    } else {
        engine_set_concurrent_compactors(admin->options.engine, (size_t)value);
    }
    admin_answer_text(admin, message->origin, STATUS_OK, "");
}

void admin_compaction_stop(struct admin *admin, const struct message *message)
{
    uint8_t count[4];
    bytes_put_u32(count, (uint32_t)engine_stop_compactions(admin->options.engine));
    admin_answer(admin, message->origin, STATUS_OK, slice_make(count, sizeof count));
}

void admin_compaction_enable(struct admin *admin, const struct message *message,
                             struct cursor *body)
{
    uint8_t what = cursor_u8(body);
    struct admin_tables tables;
    if (!take_tables(admin, message, body, &tables)) return;
    struct engine *engine = admin->options.engine;
    struct buffer bytes;
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    buffer_put_u32(&bytes, 0);
    uint32_t count = 0;
    for (size_t i = 0; i < tables.count; i++) {
        const struct table *table = schema_find_table_by_id(schema_of(admin), tables.ids[i]);
        if (table == NULL) continue;
        if (what < 2) (void)engine_enable_compaction(engine, &tables.ids[i], what == 1);
        put_name(&bytes, table);
        buffer_put_u8(&bytes, engine_compaction_is_enabled(engine, tables.ids[i]));
        count++;
    }
    patch_count(&bytes, 0, count);
    free(tables.ids);
    end_answer(admin, message, &bytes);
}

// ---- tablestats ---------------------------------------------------------------------------------

static void put_table_stats(const struct engine_table_stats *stats, struct buffer *bytes)
{
    const uint64_t numbers[] = {
        stats->sstable_count,      stats->sstable_bytes,        stats->data_bytes,
        stats->uncompressed_bytes, stats->partition_count,      stats->reader_bytes,
        stats->memtable_bytes,     stats->memtable_partitions,  stats->flush_count,
        stats->pending_flushes,    stats->largest_sstable_bytes};
    buffer_put_u8(bytes, stats->is_leveled);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        buffer_put_u64(bytes, numbers[i]);
    for (size_t i = 0; i < sizeof stats->level_counts / sizeof stats->level_counts[0]; i++)
        buffer_put_u64(bytes, stats->level_counts[i]);
}

void admin_table_stats(struct admin *admin, const struct message *message, struct cursor *body)
{
    struct admin_tables tables;
    if (!take_tables(admin, message, body, &tables)) return;
    struct buffer bytes;
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    buffer_put_u32(&bytes, 0);
    uint32_t count = 0;
    for (size_t i = 0; i < tables.count; i++) {
        struct engine_table_stats stats;
        const struct table *table = schema_find_table_by_id(schema_of(admin), tables.ids[i]);
        if (table == NULL || !engine_table_stats(admin->options.engine, tables.ids[i], &stats))
            continue;
        put_name(&bytes, table);
        put_table_stats(&stats, &bytes);
        count++;
    }
    patch_count(&bytes, 0, count);
    free(tables.ids);
    end_answer(admin, message, &bytes);
}
