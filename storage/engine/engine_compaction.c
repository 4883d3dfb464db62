// The way of a compaction, from its beginning to its end.
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
#include "storage/sstable/format.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_S         1000000000ull
#define CLOSING_SIZE_MIN (16 * KIB)
#define RETRY_MIN_NS     (10 * NS_PER_S)
#define RETRY_MAX_NS     (600 * NS_PER_S)

static void wait_for_step(struct engine_compaction *compaction);

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
    return (struct purge){.expiry_margin_s = COMPACTION_EXPIRY_MARGIN_S,
                          .now_s = (int32_t)(env_wall_us(table->engine->env) / 1000000),
                          .gc_before = may_purge ? engine_gc_before(table) : INT32_MIN,
                          .memory_min_timestamp = engine_memory_min_timestamp(table),
                          .others = compaction->others,
                          .other_count = compaction->other_count};
}

// ---- Large files -------------------------------------------------------------------------------

// A large file that was removed takes its time when the last one closes it. That shall not be the
// loop with its readers: so it is opened once more, to be closed on the thread.
struct engine_closing {
    struct engine_closing *next;
    struct engine *engine;
    struct env_job job;
    size_t count;
    struct env_file *files[];
};

static void close_files(struct engine_closing *closing)
{
    for (size_t i = 0; i < closing->count; i++)
        env_file_close(closing->files[i]);
    closing->count = 0;
}

static void close_work(struct env_job *job)
{
    close_files(CONTAINER_OF(job, struct engine_closing, job));
}

static void unlink_closing(struct engine_closing *closing)
{
    struct engine_closing **place = &closing->engine->compactor.closings;
    while (*place != closing)
        place = &(*place)->next;
    *place = closing->next;
    free(closing);
}

static void closed(struct env_job *job)
{
    struct engine_closing *closing = CONTAINER_OF(job, struct engine_closing, job);
    struct engine *engine = closing->engine;
    unlink_closing(closing);
    engine_go_on_closing(engine);
}

static void start_closing(struct engine *engine, struct engine_closing *closing)
{
    if (closing == NULL) return;
    closing->next = engine->compactor.closings;
    engine->compactor.closings = closing;
    env_offload(engine->env, &closing->job, ENV_LANE_COMPACTION, close_work, closed);
}

void engine_compaction_drop_closings(struct engine *engine)
{
    while (engine->compactor.closings != NULL) {
        close_files(engine->compactor.closings);
        unlink_closing(engine->compactor.closings);
    }
}

static void open_large_files(struct engine_compaction *compaction)
{
    struct engine_closing *closing =
        malloc(sizeof *closing + compaction->input_count * sizeof closing->files[0]);
    ASSERT(closing != NULL);
    *closing = (struct engine_closing){.engine = compaction->engine};
    for (size_t i = 0; i < compaction->input_count; i++) {
        char path[SSTABLE_PATH_SIZE];
        const struct sstable_reader *input = compaction->inputs[i];
        if (sstable_data_size(input) < CLOSING_SIZE_MIN) continue;
        sstable_name_path(path, sstable_directory(input), sstable_reader_name(input), SSTABLE_DATA);
        // Else the loop closes it.
        if (env_file_open(compaction->engine->env, path, ENV_OPEN_READ,
                          &closing->files[closing->count], NULL) == STATUS_OK)
            closing->count++;
    }
    compaction->closing = closing;
}

// ---- The end -----------------------------------------------------------------------------------

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
    if (compaction->closing != NULL) close_files(compaction->closing);
    free(compaction->closing);
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
    if (request->running == 0 && request->status != STATUS_OK)
        engine_finish_request(engine, request, request->status);
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
        done->bytes_out += outputs[i].check.sizes[SSTABLE_DATA];
    (void)snprintf(done->keyspace, sizeof done->keyspace, "%.*s",
                   (int)compaction->version->keyspace.size,
                   (const char *)compaction->version->keyspace.data);
    (void)snprintf(done->table, sizeof done->table, "%.*s", (int)compaction->version->name.size,
                   (const char *)compaction->version->name.data);
    memcpy(done->merged_counts, progress->merged_counts, sizeof done->merged_counts);
    compactor->compacted_bytes += done->bytes_in;
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
    if (engine->words != NULL)
        LOG_ERROR(engine->words, "%.*s.%.*s: a compaction failed: %s",
                  (int)compaction->version->keyspace.size,
                  (const char *)compaction->version->keyspace.data,
                  (int)compaction->version->name.size, (const char *)compaction->version->name.data,
                  compaction->error.text);
    uint64_t delay_ns = of_table->retry_delay_ns * 2;
    if (delay_ns < RETRY_MIN_NS) delay_ns = RETRY_MIN_NS;
    if (delay_ns > RETRY_MAX_NS) delay_ns = RETRY_MAX_NS;
    of_table->retry_delay_ns = delay_ns;
    of_table->retry_ns = env_monotonic_ns(engine->env) + delay_ns;
}

// Numbers that it did not need, if nobody took later ones: there are 2^31 for a table's SSTables.
static void give_numbers_back(struct engine_compaction *compaction)
{
    struct engine_table *table = compaction->table;
    size_t count;
    (void)compaction_task_outputs(compaction->task, &count);
    if (table->next_generation == compaction->generation_end)
        table->next_generation = compaction_task_output_generation(compaction->task, count);
}

// What became of it is in its status. Undecided ones stay.
static void end(struct engine_compaction *compaction)
{
    struct engine *engine = compaction->engine;
    struct engine_table *table = compaction->table;
    if (compaction->status == STATUS_OK) {
        note_done(compaction);
        give_numbers_back(compaction);
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
        struct engine_closing *closing = compaction->closing;
        compaction->closing = NULL;
        free_compaction(compaction);
        start_closing(engine, closing);
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

static void undo(struct engine_compaction *compaction)
{
    compaction->state = ENGINE_COMPACTION_UNDOING;
    env_offload(compaction->engine->env, &compaction->job, ENV_LANE_COMPACTION, undo_work, ended);
}

static void remove_work(struct env_job *job)
{
    struct engine_compaction *compaction = CONTAINER_OF(job, struct engine_compaction, job);
    open_large_files(compaction);
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
        undo(compaction);
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

static struct engine_sstable *find_sstable(const struct engine_table *table, uint64_t generation)
{
    for (size_t i = 0; i < table->sstable_count; i++)
        if (sstable_generation(table->sstables[i].reader) == generation) return &table->sstables[i];
    return NULL;
}

// Room for all outputs' generations, since flushes take theirs meanwhile.
static uint64_t generations_of(const struct engine_compaction *compaction,
                               const struct compaction_pick *pick)
{
    uint64_t size = 0;
    for (size_t i = 0; i < compaction->input_count; i++)
        size += sstable_uncompressed_size(compaction->inputs[i]);
    uint64_t outputs = pick->output_size_max == 0 ? 1 : size / pick->output_size_max + 1;
    return outputs * 2 + (pick->split ? 32 : 2);
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
        if (i < pick->count - pick->unread_count)
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
        .unread_count = pick->unread_count,
        .purge = look_around(compaction),
        .level = pick->level,
        .output_size_max = pick->output_size_max,
        .level_fanout = pick->level_fanout,
        .split = pick->split,
        .generation = table->next_generation,
        .generation_step = 1,
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

void engine_compaction_start(struct engine_table *table, const struct compaction_pick *pick,
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

void engine_compaction_abandon(struct engine_compaction *compaction)
{
    env_timer_stop(compaction->engine->env, &compaction->timer);
    unlink_compaction(compaction);
    compaction_task_abandon(compaction->task);
    compaction->task = NULL;
    free_compaction(compaction);
}
