// Compactions: when, and their way to the end
// (org.apache.cassandra.db.compaction.CompactionManager).
//
//     WAITING <-> STEPPING -> OPENING -> QUEUED -> INSTALLING -> REMOVING -> done
//        |           |           |         |          | |
//        +-----------+-----+-----+---------+----------+ +-> UNDECIDED
//                          v
//                       UNDOING -> failed, or given up
//
// The loop owns a compaction between two jobs: there it may give it up, tell it what may be purged
// now, and make it wait for its share of the throughput. All jobs but INSTALLING are on the
// compaction lane, so that no flush waits for them.
//
// While it is on its way, its inputs are no other's, its table is not freed, and no file of the
// table is removed: truncations and drops give it up first, then wait for its end.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "storage/engine/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_S            1000000000ull
#define INTERVAL_DEFAULT_NS (60 * NS_PER_S)
#define STEP_SIZE_DEFAULT   (2 * MIB)
#define RETRY_MIN_NS        (10 * NS_PER_S)
#define RETRY_MAX_NS        (600 * NS_PER_S)

static void wait_for_step(struct engine_compaction *compaction);

// ---- What the strategies see -------------------------------------------------------------------

static int64_t wall_s(const struct engine *engine)
{
    return env_wall_us(engine->env) / 1000000;
}

static int32_t gc_before_of(const struct engine_table *table)
{
    int64_t before = wall_s(table->engine) - table->table->params.gc_grace_seconds;
    return before < INT32_MIN ? INT32_MIN : before > INT32_MAX ? INT32_MAX : (int32_t)before;
}

static int64_t memory_min_timestamp(const struct engine_table *table)
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
    int32_t gc_before = gc_before_of(table);
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
                                    .memory_min_timestamp = memory_min_timestamp(table)};
}

static struct engine_sstable *find_sstable(const struct engine_table *table, uint64_t generation)
{
    for (size_t i = 0; i < table->sstable_count; i++)
        if (sstable_generation(table->sstables[i].reader) == generation) return &table->sstables[i];
    return NULL;
}

// ---- What may be purged ------------------------------------------------------------------------

static void release_others(struct engine_compaction *compaction)
{
    for (size_t i = 0; i < compaction->other_count; i++)
        sstable_unref(compaction->others[i]);
    free(compaction->others);
    compaction->others = NULL;
    compaction->other_count = 0;
}

static bool overlaps_inputs(const struct engine_compaction *compaction,
                            const struct sstable_reader *other)
{
    struct partition_key first = sstable_first_key(other), last = sstable_last_key(other);
    for (size_t i = 0; i < compaction->input_count; i++) {
        struct partition_key input_first = sstable_first_key(compaction->inputs[i]),
                             input_last = sstable_last_key(compaction->inputs[i]);
        if (token_compare(first.token, input_last.token) <= 0 &&
            token_compare(input_first.token, last.token) <= 0)
            return true;
    }
    return false;
}

static bool all_are_repaired(const struct engine_compaction *compaction)
{
    for (size_t i = 0; i < compaction->input_count; i++)
        if (sstable_repaired_at(compaction->inputs[i]) == 0) return false;
    return true;
}

// As it is now: what is flushed or compacted meanwhile changes where older data may be.
static struct purge look_around(struct engine_compaction *compaction)
{
    struct engine_table *table = compaction->table;
    bool may_purge =
        !table->compactor.options.only_purge_repaired_tombstones || all_are_repaired(compaction);
    release_others(compaction);
    compaction->others = calloc(table->sstable_count + 1, sizeof *compaction->others);
    ASSERT(compaction->others != NULL);
    for (size_t i = 0; i < table->sstable_count; i++) {
        struct engine_sstable *sstable = &table->sstables[i];
        if (sstable->compaction == compaction || !overlaps_inputs(compaction, sstable->reader))
            continue;
        sstable_ref(sstable->reader);
        compaction->others[compaction->other_count++] = sstable->reader;
    }
    return (struct purge){.now_s = (int32_t)wall_s(table->engine),
                          .gc_before = may_purge ? gc_before_of(table) : INT32_MIN,
                          .memory_min_timestamp = memory_min_timestamp(table),
                          .others = compaction->others,
                          .other_count = compaction->other_count};
}

// ---- The end -----------------------------------------------------------------------------------

static void finish_request(struct engine *engine, struct engine_compact *compact,
                           enum status status)
{
    struct engine_compact **place = &engine->compactor.requests;
    while (*place != compact)
        place = &(*place)->next;
    *place = compact->next;
    engine_finish_flush(engine, &compact->finished, status);
}

static void unlink_compaction(struct engine_compaction *compaction)
{
    struct engine_compactor *compactor = &compaction->engine->compactor;
    struct engine_compaction **place = &compactor->first;
    while (*place != compaction)
        place = &(*place)->next;
    *place = compaction->next;
}

static void free_compaction(struct engine_compaction *compaction)
{
    release_others(compaction);
    for (size_t i = 0; i < compaction->output_count; i++)
        sstable_unref(compaction->outputs[i]);
    free(compaction->outputs);
    free(compaction->inputs);
    compaction_task_destroy(compaction->task);
    table_unref(compaction->version);
    free(compaction);
}

// It takes no one's time any more.
static void leave_table(struct engine_compaction *compaction)
{
    struct engine *engine = compaction->engine;
    compaction->table->compactor.count--;
    engine->compactor.count--;
    struct engine_compact *request = compaction->request;
    compaction->request = NULL;
    if (request == NULL) return;
    request->running--;
    if (compaction->status != STATUS_OK && request->status == STATUS_OK)
        request->status = compaction->status;
}

static void note_done(struct engine_compaction *compaction)
{
    struct engine_compactor *compactor = &compaction->engine->compactor;
    struct engine_table *table = compaction->table;
    const struct compaction_progress *progress = compaction_task_progress(compaction->task);
    struct engine_compaction_done *done =
        &compactor->history[compactor->done_count++ % ENGINE_COMPACTION_HISTORY_MAX];
    *done = (struct engine_compaction_done){
        .id = compaction->id,
        .done_ms = env_wall_us(compaction->engine->env) / 1000,
        .bytes_in = compaction->input_bytes,
    };
    size_t count;
    const struct sstable_summary *outputs = compaction_task_outputs(compaction->task, &count);
    for (size_t i = 0; i < count; i++)
        done->bytes_out += outputs[i].size;
    (void)snprintf(done->keyspace, sizeof done->keyspace, "%.*s",
                   (int)compaction->version->keyspace.size,
                   (const char *)compaction->version->keyspace.data);
    (void)snprintf(done->table, sizeof done->table, "%.*s", (int)compaction->version->name.size,
                   (const char *)compaction->version->name.data);
    memcpy(done->merged_counts, progress->merged_counts, sizeof done->merged_counts);
    table->compactor.done_count++;
    table->compactor.bytes_read += done->bytes_in;
    table->compactor.bytes_written += done->bytes_out;
    table->compactor.retry_delay_ns = 0;
}

// Not again at once: the disk may be full, or an input damaged.
static void note_failed(struct engine_compaction *compaction)
{
    struct engine *engine = compaction->engine;
    struct engine_table_compactor *of_table = &compaction->table->compactor;
    env_mark(engine->env, ENV_MARK_COMPACTION_FAILED);
    engine->compactor.failed_count++;
    engine->compactor.error = compaction->error;
    uint64_t delay_ns = of_table->retry_delay_ns * 2;
    if (delay_ns < RETRY_MIN_NS) delay_ns = RETRY_MIN_NS;
    if (delay_ns > RETRY_MAX_NS) delay_ns = RETRY_MAX_NS;
    of_table->retry_delay_ns = delay_ns;
    of_table->retry_ns = env_monotonic_ns(engine->env) + delay_ns;
}

// What became of it is in its status. Undecided ones stay.
static void end(struct engine_compaction *compaction)
{
    struct engine *engine = compaction->engine;
    struct engine_table *table = compaction->table;
    if (compaction->status == STATUS_OK) {
        note_done(compaction);
        env_mark(engine->env, ENV_MARK_COMPACTION_DONE);
    } else if (compaction->is_canceled) {
        compaction->status = STATUS_CANCELED;
        env_mark(engine->env, ENV_MARK_COMPACTION_CANCELED);
    } else {
        note_failed(compaction);
    }
    leave_table(compaction);
    if (compaction->state == ENGINE_COMPACTION_UNDECIDED) {
        release_others(compaction);
    } else {
        for (size_t i = 0; i < table->sstable_count; i++)
            if (table->sstables[i].compaction == compaction) table->sstables[i].compaction = NULL;
        unlink_compaction(compaction);
        free_compaction(compaction);
    }
    engine_ask_for_compaction(table);
    engine_background_start(engine);
    engine_go_on_closing(engine);
}

static void undo_work(struct env_job *job)
{
    struct engine_compaction *compaction = CONTAINER_OF(job, struct engine_compaction, job);
    compaction_task_undo(compaction->task);
}

static void ended(struct env_job *job)
{
    end(CONTAINER_OF(job, struct engine_compaction, job));
}

void engine_compaction_undo(struct engine_compaction *compaction)
{
    compaction->state = ENGINE_COMPACTION_UNDOING;
    env_offload(compaction->engine->env, &compaction->job, ENV_LANE_COMPACTION, undo_work, ended);
}

static void remove_work(struct env_job *job)
{
    struct engine_compaction *compaction = CONTAINER_OF(job, struct engine_compaction, job);
    compaction_task_remove_inputs(compaction->task);
}

void engine_compaction_remove_inputs(struct engine_compaction *compaction)
{
    compaction->state = ENGINE_COMPACTION_REMOVING;
    env_offload(compaction->engine->env, &compaction->job, ENV_LANE_COMPACTION, remove_work, ended);
}

void engine_compaction_end(struct engine_compaction *compaction, enum status status)
{
    compaction->status = status;
    if (compaction->state == ENGINE_COMPACTION_UNDECIDED) {
        end(compaction);
    } else {
        engine_compaction_undo(compaction);
    }
}

static void cancel(struct engine_compaction *compaction)
{
    compaction->is_canceled = true;
    if (compaction->state == ENGINE_COMPACTION_WAITING) {
        env_timer_stop(compaction->engine->env, &compaction->timer);
        engine_compaction_end(compaction, STATUS_CANCELED);
    } else if (compaction->state == ENGINE_COMPACTION_QUEUED) {
        struct engine_compactor *compactor = &compaction->engine->compactor;
        struct engine_compaction **place = &compactor->queue;
        while (*place != compaction)
            place = &(*place)->queued_next;
        *place = compaction->queued_next;
        if (*place == NULL) compactor->queue_end = place;
        engine_compaction_end(compaction, STATUS_CANCELED);
    }
}

void engine_cancel_compactions(struct engine *engine, const struct engine_table *table)
{
    for (struct engine_compaction *c = engine->compactor.first; c != NULL; c = c->next)
        if (table == NULL || c->table == table) cancel(c);
}

// ---- Outputs -----------------------------------------------------------------------------------

static enum status open_outputs(struct engine_compaction *compaction)
{
    size_t count;
    const struct sstable_summary *written = compaction_task_outputs(compaction->task, &count);
    compaction->outputs = calloc(count + 1, sizeof *compaction->outputs);
    ASSERT(compaction->outputs != NULL);
    for (size_t i = 0; i < count; i++) {
        uint64_t generation = compaction_task_output_generation(compaction->task, i);
        if (generation >= compaction->generation_end)
            return error_set(&compaction->error, STATUS_OVERLOADED,
                             "a compaction of %s made more SSTables than were expected",
                             sstable_directory(compaction->inputs[0]));
        enum status status = sstable_open(
            compaction->engine->env, sstable_directory(compaction->inputs[0]), generation,
            compaction->version, &written[i].check, &compaction->outputs[i], &compaction->error);
        if (status != STATUS_OK) return status;
        compaction->output_count = i + 1;
    }
    return STATUS_OK;
}

// Read back and checked before anything of the inputs goes.
static void open_work(struct env_job *job)
{
    struct engine_compaction *compaction = CONTAINER_OF(job, struct engine_compaction, job);
    compaction->status = open_outputs(compaction);
}

static void open_done(struct env_job *job)
{
    struct engine_compaction *compaction = CONTAINER_OF(job, struct engine_compaction, job);
    if (compaction->is_canceled || compaction->status != STATUS_OK) {
        engine_compaction_end(compaction,
                              compaction->is_canceled ? STATUS_CANCELED : compaction->status);
        return;
    }
    env_mark(compaction->engine->env, ENV_MARK_COMPACTION_WRITTEN);
    compaction->state = ENGINE_COMPACTION_QUEUED;
    engine_install(compaction);
}

// ---- Steps -------------------------------------------------------------------------------------

static void step_work(struct env_job *job)
{
    struct engine_compaction *compaction = CONTAINER_OF(job, struct engine_compaction, job);
    struct engine *engine = compaction->engine;
    if (compaction->read_bytes == 0) {
        const char *directory = sstable_directory(compaction->inputs[0]);
        uint64_t free_size;
        compaction->status = env_free_space(engine->env, directory, &free_size, &compaction->error);
        if (compaction->status == STATUS_OK && free_size < compaction->input_bytes)
            compaction->status = error_set(&compaction->error, STATUS_NO_SPACE,
                                           "%s: no space for what a compaction writes", directory);
        if (compaction->status != STATUS_OK) return;
    }
    compaction->status =
        compaction_task_step(compaction->task, engine->compactor.step_size, &compaction->error);
}

// What was read, as it lies on the disk, takes its part of the time.
static void charge(struct engine_compaction *compaction)
{
    struct engine_compactor *compactor = &compaction->engine->compactor;
    const struct compaction_progress *progress = compaction_task_progress(compaction->task);
    uint64_t read_bytes = progress->read_bytes - compaction->read_bytes;
    compaction->read_bytes = progress->read_bytes;
    uint64_t now_ns = env_monotonic_ns(compaction->engine->env);
    if (compactor->step_at_ns < now_ns) compactor->step_at_ns = now_ns;
    if (compactor->throughput == 0 || progress->total_bytes == 0) return;
    double on_disk =
        (double)read_bytes * (double)compaction->input_bytes / (double)progress->total_bytes;
    compactor->step_at_ns += (uint64_t)(on_disk * 1e9 / (double)compactor->throughput);
}

static void step_done(struct env_job *job)
{
    struct engine_compaction *compaction = CONTAINER_OF(job, struct engine_compaction, job);
    charge(compaction);
    if (compaction->is_canceled) {
        engine_compaction_end(compaction, STATUS_CANCELED);
    } else if (compaction->status == STATUS_OK) {
        wait_for_step(compaction);
    } else if (compaction->status == STATUS_END) {
        compaction->state = ENGINE_COMPACTION_OPENING;
        env_offload(compaction->engine->env, &compaction->job, ENV_LANE_COMPACTION, open_work,
                    open_done);
    } else {
        engine_compaction_end(compaction, compaction->status);
    }
}

static void begin_step(struct env_timer *timer)
{
    struct engine_compaction *compaction = CONTAINER_OF(timer, struct engine_compaction, timer);
    struct purge purge = look_around(compaction);
    compaction_task_set_purge(compaction->task, &purge);
    compaction->state = ENGINE_COMPACTION_STEPPING;
    env_offload(compaction->engine->env, &compaction->job, ENV_LANE_COMPACTION, step_work,
                step_done);
}

static void wait_for_step(struct engine_compaction *compaction)
{
    struct engine *engine = compaction->engine;
    uint64_t now_ns = env_monotonic_ns(engine->env);
    uint64_t at_ns = engine->compactor.step_at_ns;
    compaction->state = ENGINE_COMPACTION_WAITING;
    if (at_ns <= now_ns) {
        begin_step(&compaction->timer);
        return;
    }
    env_mark(engine->env, ENV_MARK_COMPACTION_THROTTLED);
    env_timer_start(engine->env, &compaction->timer, at_ns - now_ns, begin_step);
}

// ---- The beginning -----------------------------------------------------------------------------

// Room for all outputs' generations, since flushes take theirs meanwhile.
static uint64_t generations_of(const struct engine_compaction *compaction,
                               const struct compaction_pick *pick)
{
    uint64_t size = 0;
    for (size_t i = 0; i < compaction->input_count; i++)
        size += sstable_uncompressed_size(compaction->inputs[i]);
    uint64_t outputs = pick->output_size_max == 0 ? 1 : size / pick->output_size_max + 1;
    return (outputs * 2 + (pick->split ? 32 : 2)) * ENGINE_GENERATION_STEP;
}

static void take_inputs(struct engine_compaction *compaction, const struct compaction_pick *pick)
{
    compaction->inputs = calloc(pick->count, sizeof *compaction->inputs);
    ASSERT(compaction->inputs != NULL);
    for (size_t i = 0; i < pick->count; i++) {
        struct engine_sstable *sstable =
            find_sstable(compaction->table, pick->items[i]->generation);
        ASSERT(sstable != NULL && sstable->compaction == NULL);
        sstable->compaction = compaction;
        compaction->inputs[compaction->input_count++] = sstable->reader;
        compaction->input_bytes += sstable_data_size(sstable->reader);
        if (sstable->log_position > compaction->log_position)
            compaction->log_position = sstable->log_position;
    }
}

static void create_task(struct engine_compaction *compaction, const struct compaction_pick *pick)
{
    struct engine_table *table = compaction->table;
    const struct compaction_task_options options = {
        .directory = table->manifest.directory,
        .table = compaction->version,
        .inputs = compaction->inputs,
        .input_count = compaction->input_count,
        .purge = look_around(compaction),
        .level = pick->level,
        .output_size_max = pick->output_size_max,
        .generation = table->next_generation,
        .generation_step = ENGINE_GENERATION_STEP,
        .with_table_compressor = true,
    };
    table->next_generation += generations_of(compaction, pick);
    compaction->generation_end = table->next_generation;
    compaction->task = compaction_task_create(compaction->engine->env, &options);
}

static struct uuid make_id(struct env *env)
{
    uint64_t random = env_random_u64(env);
    return uuid_make_time_us(env_wall_us(env), 0, (uint16_t)(random >> 48), random);
}

static void start(struct engine_table *table, const struct compaction_pick *pick,
                  struct engine_compact *request)
{
    struct engine *engine = table->engine;
    struct engine_compaction *compaction = calloc(1, sizeof *compaction);
    ASSERT(compaction != NULL);
    *compaction = (struct engine_compaction){.next = engine->compactor.first,
                                             .engine = engine,
                                             .table = table,
                                             .request = request,
                                             .reason = pick->reason,
                                             .id = make_id(engine->env),
                                             .truncated_position = table->truncated_position,
                                             .version = table->table};
    table_ref(table->table);
    engine->compactor.first = compaction;
    engine->compactor.count++;
    table->compactor.count++;
    if (request != NULL) request->running++;
    take_inputs(compaction, pick);
    create_task(compaction, pick);
    env_mark(engine->env, ENV_MARK_COMPACTION_STARTED);
    wait_for_step(compaction);
}

static bool has_slot(const struct engine *engine)
{
    return engine->compactor.count < engine->compactor.concurrent_max;
}

// Those that were asked for go first: their table's other ones are given up.
static void go_on_with_request(struct engine *engine, struct engine_compact *compact)
{
    struct engine_table *table = engine_find_table(engine, compact->table);
    if (table == NULL || compact->status != STATUS_OK) {
        if (compact->running == 0)
            finish_request(engine, compact, table == NULL ? STATUS_NOT_FOUND : compact->status);
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
        start(table, &picks[i], compact);
    arena_deinit(&arena);
    if (count == 0 && compact->running == 0) finish_request(engine, compact, STATUS_OK);
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
            start(table, &pick, NULL);
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

// What has expired, what failed, what grows old enough.
static void fire_tick(struct env_timer *timer)
{
    struct engine *engine = CONTAINER_OF(timer, struct engine, compactor.tick);
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++)
        for (struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next)
            t->compactor.is_asked_for = t->sstable_count > 0;
    post(engine);
    env_timer_start(engine->env, timer, engine->compactor.interval_ns, fire_tick);
}

void engine_compactor_init(struct engine *engine, const struct engine_options *options)
{
    struct engine_compactor *compactor = &engine->compactor;
    compactor->queue_end = &compactor->queue;
    compactor->throughput = options->compaction_throughput;
    compactor->concurrent_max =
        options->concurrent_compactors == 0 ? 1 : options->concurrent_compactors;
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
    return engine->compactor.count == 0;
}

void engine_compactor_abandon(struct engine *engine)
{
    env_timer_stop(engine->env, &engine->compactor.tick);
    env_task_cancel(engine->env, &engine->compactor.task);
    while (engine->compactor.first != NULL) {
        struct engine_compaction *compaction = engine->compactor.first;
        engine->compactor.first = compaction->next;
        env_timer_stop(engine->env, &compaction->timer);
        compaction_task_abandon(compaction->task);
        compaction->task = NULL;
        free_compaction(compaction);
    }
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
        finish_request(engine, compact, STATUS_CANCELED);
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
        if (c->running == 0) finish_request(engine, c, STATUS_CANCELED);
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
    engine->compactor.concurrent_max = count == 0 ? 1 : count;
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

uint64_t engine_compaction_failed_count(const struct engine *engine, const char **error)
{
    *error = engine->compactor.error.text;
    return engine->compactor.failed_count;
}
