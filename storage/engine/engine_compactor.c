// When compactions begin: strategies asked, requests by hand, settings, and what is known of them
// (org.apache.cassandra.db.compaction.CompactionManager, CompactionStrategyManager).
//
//     a flush, the end of a compaction, an ALTER, each minute -> the table is to be asked about
//     at the end of the loop's turn -> requests first, then strategies, while there is room
#include "base/container_of.h"
#include "base/env_marks.h"
#include "storage/engine/engine_internal.h"

#include <stdlib.h>

#define NS_PER_S            1000000000ull
#define INTERVAL_DEFAULT_NS (60 * NS_PER_S)
#define STEP_SIZE_DEFAULT   (2 * MIB)

// ---- What the strategies see -------------------------------------------------------------------

static int64_t wall_s(const struct engine *engine)
{
    return env_wall_us(engine->env) / 1000000;
}

int32_t engine_gc_before(const struct engine_table *table)
{
    int64_t before = wall_s(table->engine) - table->table->params.gc_grace_seconds;
    return before < INT32_MIN ? INT32_MIN : before > INT32_MAX ? INT32_MAX : (int32_t)before;
}

// What a table keeps until it is repaired, its answers have too: another replica may have what it
// hides. (PurgeFunction goes by the oldest tombstone that is not repaired; here all are kept.)
int32_t engine_answer_gc_before(const struct engine *engine, const struct table *table,
                                int32_t now_s)
{
    const struct engine_table *of_engine = engine_find_table(engine, table->id);
    if (of_engine != NULL && of_engine->compactor.options.only_purge_repaired_tombstones)
        return INT32_MIN;
    int64_t before = (int64_t)now_s - table->params.gc_grace_seconds;
    return before < INT32_MIN ? INT32_MIN : (int32_t)before;
}

int64_t engine_memory_min_timestamp(const struct engine_table *table)
{
    int64_t earliest = memtable_min_timestamp(table->active);
    for (const struct engine_frozen *f = table->frozen; f != NULL; f = f->next) {
        int64_t timestamp = memtable_min_timestamp(f->memtable);
        if (timestamp < earliest) earliest = timestamp;
    }
    return earliest;
}

static int compare_generations(const void *left, const void *right)
{
    const struct compaction_candidate *a = left, *b = right;
    return (a->generation > b->generation) - (a->generation < b->generation);
}

static struct compaction_candidate describe(const struct engine_sstable *sstable, int32_t gc_before,
                                            int64_t now_s)
{
    const struct sstable_reader *reader = sstable->reader;
    return (struct compaction_candidate){
        .generation = sstable_generation(reader),
        .size = sstable_data_size(reader),
        .first = sstable_first_key(reader),
        .last = sstable_last_key(reader),
        .min_timestamp = sstable_min_timestamp(reader),
        .max_timestamp = sstable_max_timestamp(reader),
        .max_local_time = sstable_max_local_time(reader),
        .droppable_ratio = sstable_droppable_ratio(reader, gc_before),
        .age_s = now_s - sstable->created_s,
        .level =
            (uint16_t)(sstable_level(reader) < COMPACTION_LEVEL_COUNT ? sstable_level(reader) : 0),
        .is_repaired = sstable_repaired_at(reader) > 0,
        .is_busy = sstable->compaction != NULL || sstable_has_pending_repair(reader),
    };
}

// Those before `generation_end`, in the arena.
static struct compaction_view view_of(const struct engine_table *table, uint64_t generation_end,
                                      struct arena *arena)
{
    struct compaction_candidate *candidates =
        ARENA_NEW_ARRAY(arena, struct compaction_candidate, table->sstable_count + 1);
    int32_t gc_before = engine_gc_before(table);
    int64_t now_s = wall_s(table->engine);
    size_t count = 0;
    for (size_t i = 0; i < table->sstable_count; i++)
        if (sstable_generation(table->sstables[i].reader) < generation_end)
            candidates[count++] = describe(&table->sstables[i], gc_before, now_s);
    if (count > 1) qsort(candidates, count, sizeof *candidates, compare_generations);
    return (struct compaction_view){.options = &table->compactor.options,
                                    .candidates = candidates,
                                    .count = count,
                                    .gc_before = gc_before,
                                    .memory_min_timestamp = engine_memory_min_timestamp(table)};
}

// ---- Asking ------------------------------------------------------------------------------------

void engine_finish_request(struct engine *engine, struct engine_compact *compact,
                           enum status status)
{
    struct engine_compact **place = &engine->compactor.requests;
    while (*place != compact)
        place = &(*place)->next;
    *place = compact->next;
    engine_finish_flush(engine, &compact->finished, status);
}

static bool has_slot(const struct engine *engine)
{
    return engine->compactor.count < engine->compactor.concurrent_max;
}

// What of it has expired is not read: all SSTables count there, also those that came later than
// what a request takes.
static void start(struct engine_table *table, struct compaction_pick *pick, struct arena *arena,
                  struct engine_compact *request)
{
    struct compaction_view view = view_of(table, UINT64_MAX, arena);
    compaction_strategy_leave_unread(&view, arena, pick);
    engine_compaction_start(table, pick, request);
}

// Those that were asked for go first: their table's other ones are given up.
static void go_on_with_request(struct engine *engine, struct engine_compact *compact)
{
    struct engine_table *table = engine_find_table(engine, compact->table);
    if (table == NULL || compact->status != STATUS_OK) {
        if (compact->running == 0)
            engine_finish_request(engine, compact,
                                  table == NULL ? STATUS_NOT_FOUND : compact->status);
        return;
    }
    if (!compact->has_begun) {
        engine_cancel_compactions(engine, table);
        if (table->compactor.count > 0) return;
        compact->has_begun = true;
        compact->generation_end = table->next_generation;
        env_mark(engine->env, ENV_MARK_COMPACTION_MAJOR);
    }
    struct arena arena;
    arena_init(&arena, 4096);
    struct compaction_view view = view_of(table, compact->generation_end, &arena);
    struct compaction_pick *picks;
    size_t count = compaction_strategy_pick_major(&view, compact->split, &arena, &picks);
    for (size_t i = 0; i < count && has_slot(engine); i++)
        start(table, &picks[i], &arena, compact);
    arena_deinit(&arena);
    if (count == 0 && compact->running == 0) engine_finish_request(engine, compact, STATUS_OK);
}

static bool is_requested(const struct engine *engine, const struct engine_table *table)
{
    for (const struct engine_compact *c = engine->compactor.requests; c != NULL; c = c->next)
        if (uuid_equals(c->table, table->table->id)) return true;
    return false;
}

static void ask_strategy(struct engine_table *table)
{
    struct engine *engine = table->engine;
    struct arena arena;
    arena_init(&arena, 4096);
    while (has_slot(engine)) {
        struct compaction_pick pick;
        struct compaction_view view = view_of(table, UINT64_MAX, &arena);
        if (!compaction_strategy_pick(&view, &arena, &pick)) {
            table->compactor.is_asked_for = false;
            break;
        }
        if (pick.reason == COMPACTION_REASON_EXPIRED) {
            engine_remove_expired(table, &pick);
        } else {
            start(table, &pick, &arena, NULL);
        }
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

static void run_compactor(struct env_task *task)
{
    struct engine *engine = CONTAINER_OF(task, struct engine, compactor.task);
    struct engine_compact *next;
    for (struct engine_compact *c = engine->compactor.requests; c != NULL; c = next) {
        next = c->next;
        go_on_with_request(engine, c);
    }
    uint64_t now_ns = env_monotonic_ns(engine->env);
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS && has_slot(engine); i++) {
        for (struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next) {
            if (!t->compactor.is_asked_for || !t->compactor.is_enabled || t->is_undecided ||
                t->compactor.retry_ns > now_ns || is_requested(engine, t))
                continue;
            ask_strategy(t);
        }
    }
}

static void post(struct engine *engine)
{
    if (engine->compactor.interval_ns > 0 && !engine->is_closing)
        env_task_post(engine->env, &engine->compactor.task, run_compactor);
}

void engine_ask_for_compaction(struct engine_table *table)
{
    table->compactor.is_asked_for = true;
    post(table->engine);
}

// What has expired, what failed, what grows old enough; tables that could not be made.
static void fire_tick(struct env_timer *timer)
{
    struct engine *engine = CONTAINER_OF(timer, struct engine, compactor.tick);
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++)
        for (struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next)
            t->compactor.is_asked_for = t->sstable_count > 0;
    engine_put_again(engine);
    post(engine);
    env_timer_start(engine->env, timer, engine->compactor.interval_ns, fire_tick);
}

// Each has a thread. What is on its way goes on, if they become fewer.
static void set_concurrent(struct engine *engine, size_t count)
{
    if (count == 0) count = 1;
    engine->compactor.concurrent_max = count < ENV_LANE_THREADS_MAX ? count : ENV_LANE_THREADS_MAX;
    env_set_lane_threads(engine->env, ENV_LANE_COMPACTION, engine->compactor.concurrent_max);
}

void engine_compactor_init(struct engine *engine, const struct engine_options *options)
{
    struct engine_compactor *compactor = &engine->compactor;
    compactor->queue_end = &compactor->queue;
    compactor->throughput = options->compaction_throughput;
    set_concurrent(engine, options->concurrent_compactors);
    compactor->step_size =
        options->compaction_step_size == 0 ? STEP_SIZE_DEFAULT : options->compaction_step_size;
}

void engine_compactor_start(struct engine *engine, uint64_t interval_ns)
{
    engine->compactor.interval_ns = interval_ns == 0 ? INTERVAL_DEFAULT_NS : interval_ns;
    env_timer_start(engine->env, &engine->compactor.tick, engine->compactor.interval_ns, fire_tick);
    post(engine);
}

void engine_compactor_stop(struct engine *engine)
{
    env_timer_stop(engine->env, &engine->compactor.tick);
    env_task_cancel(engine->env, &engine->compactor.task);
    (void)engine_stop_compactions(engine);
}

bool engine_compactor_is_idle(const struct engine *engine)
{
    return engine->compactor.count == 0 && engine->compactor.closings == NULL;
}

void engine_compactor_abandon(struct engine *engine)
{
    env_timer_stop(engine->env, &engine->compactor.tick);
    env_task_cancel(engine->env, &engine->compactor.task);
    while (engine->compactor.first != NULL)
        engine_compaction_abandon(engine->compactor.first);
    engine_compaction_drop_closings(engine);
}

// ---- By hand -----------------------------------------------------------------------------------

static void compact_finished(struct engine_flush *finished, enum status status)
{
    struct engine_compact *compact = CONTAINER_OF(finished, struct engine_compact, finished);
    compact->done(compact, status);
}

void engine_compact(struct engine *engine, struct uuid table, bool split,
                    struct engine_compact *compact,
                    void (*done)(struct engine_compact *compact, enum status status))
{
    *compact = (struct engine_compact){.done = done, .table = table, .split = split};
    compact->finished.done = compact_finished;
    struct engine_compact **place = &engine->compactor.requests;
    while (*place != NULL)
        place = &(*place)->next;
    *place = compact;
    if (engine->is_closing) {
        engine_finish_request(engine, compact, STATUS_CANCELED);
    } else {
        post(engine);
    }
}

size_t engine_stop_compactions(struct engine *engine)
{
    size_t count = engine->compactor.count;
    engine_cancel_compactions(engine, NULL);
    struct engine_compact *next;
    for (struct engine_compact *c = engine->compactor.requests; c != NULL; c = next) {
        next = c->next;
        c->status = STATUS_CANCELED;
        if (c->running == 0) engine_finish_request(engine, c, STATUS_CANCELED);
    }
    return count;
}

bool engine_enable_compaction(struct engine *engine, const struct uuid *id, bool is_enabled)
{
    bool is_found = id == NULL;
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++) {
        for (struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next) {
            if (id != NULL && !uuid_equals(*id, t->table->id)) continue;
            is_found = true;
            t->compactor.is_enabled = is_enabled;
            t->compactor.is_asked_for = true;
        }
    }
    post(engine);
    return is_found;
}

bool engine_compaction_is_enabled(const struct engine *engine, struct uuid id)
{
    const struct engine_table *table = engine_find_table(engine, id);
    return table != NULL && table->compactor.is_enabled;
}

void engine_set_compaction_throughput(struct engine *engine, uint64_t bytes_per_second)
{
    engine->compactor.throughput = bytes_per_second;
    engine->compactor.step_at_ns = 0;
}

uint64_t engine_compaction_throughput(const struct engine *engine)
{
    return engine->compactor.throughput;
}

void engine_set_concurrent_compactors(struct engine *engine, size_t count)
{
    set_concurrent(engine, count);
    post(engine);
}

size_t engine_concurrent_compactors(const struct engine *engine)
{
    return engine->compactor.concurrent_max;
}

size_t engine_pending_compactions(const struct engine *engine, struct uuid id)
{
    const struct engine_table *table = engine_find_table(engine, id);
    if (table == NULL || table->sstable_count == 0) return 0;
    struct arena arena;
    arena_init(&arena, 4096);
    struct compaction_view view = view_of(table, UINT64_MAX, &arena);
    size_t pending = compaction_strategy_pending(&view, &arena);
    arena_deinit(&arena);
    return pending + table->compactor.count;
}

bool engine_compaction_at(const struct engine *engine, size_t index,
                          struct engine_compaction_info *info)
{
    const struct engine_compaction *c = engine->compactor.first;
    while (c != NULL && (c->state == ENGINE_COMPACTION_UNDECIDED || index > 0)) {
        index -= c->state != ENGINE_COMPACTION_UNDECIDED;
        c = c->next;
    }
    if (c == NULL) return false;
    const struct compaction_progress *progress = compaction_task_progress(c->task);
    *info = (struct engine_compaction_info){
        .id = c->id,
        .table = c->version,
        .kind = c->reason == COMPACTION_REASON_TOMBSTONES ? "Tombstone Compaction"
                : c->reason == COMPACTION_REASON_MAJOR    ? "Major compaction"
                                                          : "Compaction",
        .read_bytes = c->read_bytes,
        .total_bytes = progress->total_bytes,
        .input_count = c->input_count,
    };
    return true;
}

const struct engine_compaction_done *engine_compaction_done_at(const struct engine *engine,
                                                               size_t index)
{
    const struct engine_compactor *compactor = &engine->compactor;
    if (index >= compactor->done_count || index >= ENGINE_COMPACTION_HISTORY_MAX) return NULL;
    return &compactor->history[(compactor->done_count - 1 - index) % ENGINE_COMPACTION_HISTORY_MAX];
}

uint64_t engine_compaction_done_count(const struct engine *engine)
{
    return engine->compactor.done_count;
}

uint64_t engine_compacted_bytes(const struct engine *engine)
{
    return engine->compactor.compacted_bytes;
}

uint64_t engine_compaction_failed_count(const struct engine *engine, const char **error)
{
    *error = engine->compactor.error.text;
    return engine->compactor.failed_count;
}
