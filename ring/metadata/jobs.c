#include "ring/metadata/jobs.h"

#include "base/assert.h"
#include "base/checksum.h"

#include <stdlib.h>

// The first number of a whole state: what is written here. Without it, as the first version did,
// comes the number of jobs, which is never so large.
#define JOBS_STATE_VERSION_2 UINT64_C(0x4a4f425302)

// The extension of a submission's record.
enum { SUBMISSION_HAS_SCRIPT = 1 };

struct known_job {
    struct job job; // `job.batches` is `batches`.
    struct job_script script;
    struct arena arena; // Of the script.
    struct job_batch *batches;
    size_t batch_capacity;
    struct known_job *next_open;
};

struct jobs {
    struct known_job **items; // Oldest first.
    size_t count, capacity;
    struct known_job *open; // All that are open, the newest first.
    size_t scripts_size;
};

const char *jobs_state_text(enum job_state state)
{
    static const char *const texts[] = {"open", "finished", "stopped", "broken"};
    return texts[state];
}

struct jobs *jobs_create(void)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    ASSERT(jobs != NULL);
    return jobs;
}

static void known_job_destroy(struct known_job *known)
{
    arena_deinit(&known->arena);
    free(known->batches);
    free(known);
}

void jobs_destroy(struct jobs *jobs)
{
    if (jobs == NULL) return;
    for (size_t i = 0; i < jobs->count; i++)
        known_job_destroy(jobs->items[i]);
    free(jobs->items);
    free(jobs);
}

static bool uuid_is(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

// The newest first: an open job is nearly always among the last.
static struct known_job *find_known(const struct jobs *jobs, const struct uuid *id)
{
    for (size_t i = jobs->count; i-- > 0;)
        if (uuid_is(&jobs->items[i]->job.id, id)) return jobs->items[i];
    return NULL;
}

const struct job *jobs_find(const struct jobs *jobs, struct uuid id)
{
    const struct known_job *known = find_known(jobs, &id);
    return known == NULL ? NULL : &known->job;
}

const struct job *jobs_find_by_name(const struct jobs *jobs, const char *name)
{
    if (*name == '\0') return NULL;
    for (size_t i = jobs->count; i-- > 0;)
        if (strcmp(jobs->items[i]->job.name, name) == 0) return &jobs->items[i]->job;
    return NULL;
}

const struct job *jobs_at(const struct jobs *jobs, size_t index)
{
    return index < jobs->count ? &jobs->items[index]->job : NULL;
}

const struct job *jobs_open_at(const struct jobs *jobs, size_t index)
{
    const struct known_job *at = jobs->open;
    while (at != NULL && index-- > 0)
        at = at->next_open;
    return at == NULL ? NULL : &at->job;
}

const struct job *jobs_find_writer(const struct jobs *jobs, struct uuid table)
{
    for (const struct known_job *at = jobs->open; at != NULL; at = at->next_open)
        for (uint32_t i = 0; i < at->job.output_count; i++)
            if (uuid_is(&at->job.outputs[i].table, &table)) return &at->job;
    return NULL;
}

uint64_t jobs_hash_column(struct slice name)
{
    return checksum_xxh3(name, 0);
}

bool jobs_writes_column(const struct job *job, struct uuid table, struct slice column)
{
    uint64_t hash = jobs_hash_column(column);
    for (uint32_t i = 0; i < job->output_count; i++)
        if (uuid_is(&job->outputs[i].table, &table) && job->outputs[i].column_hash == hash)
            return true;
    return false;
}

const struct job *jobs_find_column_writer(const struct jobs *jobs, struct uuid table,
                                          struct slice column)
{
    for (const struct known_job *at = jobs->open; at != NULL; at = at->next_open)
        if (jobs_writes_column(&at->job, table, column)) return &at->job;
    return NULL;
}

static void forget_open(struct jobs *jobs, struct known_job *known)
{
    struct known_job **place = &jobs->open;
    while (*place != known)
        place = &(*place)->next_open;
    *place = known->next_open;
}

static size_t script_size(const struct job_script *script)
{
    return script == NULL ? 0
                          : script->file_name.size + script->text.size + script->directory.size +
                                script->arguments.size;
}

static void forget_script(struct jobs *jobs, struct known_job *known)
{
    jobs->scripts_size -= script_size(known->job.script);
    known->job.script = NULL;
    arena_deinit(&known->arena);
}

// Makes room for a script. False: there is none.
static bool make_room(struct jobs *jobs, size_t size)
{
    if (size > JOB_SCRIPTS_SIZE_MAX) return false;
    for (size_t i = 0; i < jobs->count && jobs->scripts_size + size > JOB_SCRIPTS_SIZE_MAX; i++)
        if (jobs->items[i]->job.state != JOB_OPEN) forget_script(jobs, jobs->items[i]);
    return jobs->scripts_size + size <= JOB_SCRIPTS_SIZE_MAX;
}

static void keep_script(struct jobs *jobs, struct known_job *known)
{
    const struct job_script *script = known->job.script;
    if (script == NULL) return;
    known->script = *script;
    known->script.file_name = arena_copy(&known->arena, script->file_name);
    known->script.text = arena_copy(&known->arena, script->text);
    known->script.directory = arena_copy(&known->arena, script->directory);
    known->script.arguments = arena_copy(&known->arena, script->arguments);
    known->job.script = &known->script;
    jobs->scripts_size += script_size(&known->script);
}

static void forget_oldest_ended(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->items[i]->job.state == JOB_OPEN) continue;
        forget_script(jobs, jobs->items[i]);
        known_job_destroy(jobs->items[i]);
        jobs->count--;
        memmove(&jobs->items[i], &jobs->items[i + 1], (jobs->count - i) * sizeof *jobs->items);
        return;
    }
}

// False at the limit, when every job is open.
static bool add_job(struct jobs *jobs, const struct job *job)
{
    if (jobs->count == JOBS_MAX) forget_oldest_ended(jobs);
    if (jobs->count == JOBS_MAX || !make_room(jobs, script_size(job->script))) return false;
    if (jobs->count == jobs->capacity) {
        jobs->capacity = jobs->capacity == 0 ? 16 : jobs->capacity * 2;
        jobs->items = realloc(jobs->items, jobs->capacity * sizeof *jobs->items);
        ASSERT(jobs->items != NULL);
    }
    struct known_job *known = calloc(1, sizeof *known);
    ASSERT(known != NULL);
    known->job = *job;
    known->job.batches = NULL;
    known->job.batch_count = 0;
    arena_init(&known->arena, 1024);
    keep_script(jobs, known);
    jobs->items[jobs->count++] = known;
    if (job->state == JOB_OPEN) {
        known->next_open = jobs->open;
        jobs->open = known;
    }
    return true;
}

static void add_batch(struct known_job *known, const struct job_batch *batch)
{
    if (known->job.batch_count == known->batch_capacity) {
        known->batch_capacity = known->batch_capacity == 0 ? 2 : known->batch_capacity * 2;
        known->batches = realloc(known->batches, known->batch_capacity * sizeof *batch);
        ASSERT(known->batches != NULL);
    }
    known->batches[known->job.batch_count++] = *batch;
    known->job.batches = known->batches;
}

// Rule 2: the frontier only grows. What is done is forgotten.
static void advance_frontier(struct known_job *known, uint64_t done_through, uint64_t grand_total,
                             uint64_t sums_hash)
{
    if (done_through == known->job.done_through && known->job.sums_hash == 0)
        known->job.sums_hash = sums_hash;
    if (done_through <= known->job.done_through) return;
    known->job.done_through = done_through;
    known->job.grand_total = grand_total;
    known->job.sums_hash = sums_hash;
    size_t done = 0;
    while (done < known->job.batch_count && known->batches[done].number <= done_through)
        done++;
    if (done == 0) return; // There may be none, and no memory for any.
    known->job.batch_count -= done;
    memmove(known->batches, known->batches + done, known->job.batch_count * sizeof *known->batches);
}

static void set_note(struct job *job, struct slice note)
{
    size_t size = note.size < sizeof job->note ? note.size : sizeof job->note - 1;
    memset(job->note, 0, sizeof job->note);
    if (size > 0) memcpy(job->note, note.data, size);
}

static void end_job(struct jobs *jobs, struct known_job *known, enum job_state state)
{
    known->job.state = state;
    known->job.is_halted = false;
    forget_open(jobs, known);
}

// §2.5 of exactly-once.md: who ran a batch again must have found the same sums in it. Breaks the
// job when not.
static bool sums_agree(struct jobs *jobs, struct known_job *known, uint64_t done_through,
                       uint64_t grand_total, uint64_t sums_hash)
{
    const struct job *job = &known->job;
    if (job->state != JOB_OPEN || done_through != job->done_through || done_through == 0)
        return true;
    bool same_hash = sums_hash == 0 || job->sums_hash == 0 || sums_hash == job->sums_hash;
    if (same_hash && grand_total == job->grand_total) return true;
    set_note(&known->job, slice_of_text("a batch gave other sums when it ran again"));
    end_job(jobs, known, JOB_BROKEN);
    return false;
}

// ---- Bytes --------------------------------------------------------------------------------------

static void put_job(struct buffer *bytes, const struct job *job)
{
    uuid_put(bytes, job->id);
    uuid_put(bytes, job->submission_id);
    buffer_put_vint_bytes(bytes, slice_of_text(job->name));
    buffer_put_u64(bytes, job->code_hash);
    buffer_put_u8(bytes, (uint8_t)job->state);
    buffer_put_vint(bytes, job->source_count);
    buffer_put_u64(bytes, job->source_hash);
    buffer_put_vint(bytes, job->output_count);
    for (uint32_t i = 0; i < job->output_count; i++) {
        uuid_put(bytes, job->outputs[i].table);
        buffer_put_u64(bytes, job->outputs[i].column_hash);
    }
    buffer_put_vint(bytes, job->last_batch);
    for (uint32_t i = 0; i < job->source_count; i++)
        buffer_put_vint(bytes, job->last_to[i]);
    buffer_put_u64(bytes, (uint64_t)job->last_timestamp_us);
    buffer_put_vint(bytes, job->done_through);
    buffer_put_u64(bytes, job->grand_total);
}

static bool take_job(struct cursor *bytes, struct job *job)
{
    *job = (struct job){0};
    job->id = uuid_take(bytes);
    job->submission_id = uuid_take(bytes);
    struct slice name = cursor_vint_bytes(bytes);
    job->code_hash = cursor_u64(bytes);
    uint8_t state = cursor_u8(bytes);
    uint64_t source_count = cursor_vint(bytes);
    job->source_hash = cursor_u64(bytes);
    uint64_t output_count = cursor_vint(bytes);
    if (output_count > JOB_OUTPUTS_MAX) return false;
    job->output_count = (uint32_t)output_count;
    for (uint32_t i = 0; i < job->output_count; i++) {
        job->outputs[i].table = uuid_take(bytes);
        job->outputs[i].column_hash = cursor_u64(bytes);
    }
    job->last_batch = cursor_vint(bytes);
    if (name.size >= JOB_NAME_SIZE_MAX || state >= JOB_STATE_COUNT ||
        source_count > JOB_SOURCES_MAX)
        return false;
    memcpy(job->name, name.data, name.size);
    job->state = (enum job_state)state;
    job->source_count = (uint32_t)source_count;
    for (uint32_t i = 0; i < job->source_count; i++)
        job->last_to[i] = cursor_vint(bytes);
    job->last_timestamp_us = (int64_t)cursor_u64(bytes);
    job->done_through = cursor_vint(bytes);
    job->grand_total = cursor_u64(bytes);
    return !bytes->failed;
}

static void put_batch(struct buffer *bytes, const struct job_batch *batch, uint32_t source_count)
{
    buffer_put_vint(bytes, batch->number);
    buffer_put_u64(bytes, (uint64_t)batch->timestamp_us);
    buffer_put_u64(bytes, batch->input_hash);
    buffer_put_u64(bytes, batch->sums_hash_done);
    buffer_put_vint(bytes, source_count);
    for (uint32_t i = 0; i < source_count; i++) {
        buffer_put_vint(bytes, batch->offsets[i].from);
        buffer_put_vint(bytes, batch->offsets[i].to);
    }
}

static bool take_batch(struct cursor *bytes, struct job_batch *batch, uint32_t *source_count)
{
    *batch = (struct job_batch){0};
    batch->number = cursor_vint(bytes);
    batch->timestamp_us = (int64_t)cursor_u64(bytes);
    batch->input_hash = cursor_u64(bytes);
    batch->sums_hash_done = cursor_u64(bytes);
    uint64_t count = cursor_vint(bytes);
    if (count > JOB_SOURCES_MAX) return false;
    *source_count = (uint32_t)count;
    for (uint32_t i = 0; i < *source_count; i++) {
        batch->offsets[i].from = cursor_vint(bytes);
        batch->offsets[i].to = cursor_vint(bytes);
    }
    return !bytes->failed;
}

void jobs_put_script(struct buffer *bytes, const struct job_script *script)
{
    buffer_put_vint_bytes(bytes, script->file_name);
    buffer_put_vint_bytes(bytes, script->text);
    buffer_put_vint_bytes(bytes, script->directory);
    buffer_put_vint_bytes(bytes, script->arguments);
    buffer_put_vint(bytes, script->batch_size);
    buffer_put_vint(bytes, script->batch_records);
}

static bool arguments_are_sound(struct slice arguments)
{
    struct cursor cursor = cursor_make(arguments);
    while (cursor_left(&cursor) > 0 && !cursor.failed)
        (void)cursor_vint_bytes(&cursor);
    return !cursor.failed;
}

bool jobs_take_script(struct cursor *bytes, struct job_script *script)
{
    script->file_name = cursor_vint_bytes(bytes);
    script->text = cursor_vint_bytes(bytes);
    script->directory = cursor_vint_bytes(bytes);
    script->arguments = cursor_vint_bytes(bytes);
    script->batch_size = cursor_vint(bytes);
    script->batch_records = cursor_vint(bytes);
    return !bytes->failed && script->text.size <= JOB_SCRIPT_SIZE_MAX &&
           script->file_name.size < JOB_NAME_SIZE_MAX &&
           script->directory.size <= JOB_ARGUMENTS_SIZE_MAX &&
           script->arguments.size <= JOB_ARGUMENTS_SIZE_MAX &&
           arguments_are_sound(script->arguments);
}

void jobs_put_submission(struct buffer *record, const struct job *job)
{
    put_job(record, job);
    if (job->script == NULL) return;
    buffer_put_u8(record, SUBMISSION_HAS_SCRIPT);
    jobs_put_script(record, job->script);
}

void jobs_put_batch(struct buffer *record, struct uuid job, const struct job_batch *batch,
                    uint32_t source_count, uint64_t done_through, uint64_t grand_total,
                    uint64_t depth)
{
    uuid_put(record, job);
    buffer_put_vint(record, done_through);
    buffer_put_u64(record, grand_total);
    buffer_put_vint(record, depth);
    put_batch(record, batch, source_count);
}

void jobs_put_done(struct buffer *record, struct uuid job, uint64_t done_through,
                   uint64_t grand_total, enum job_state state)
{
    const struct job_mark mark = {
        .job = job, .done_through = done_through, .grand_total = grand_total, .state = state};
    jobs_put_mark(record, &mark);
}

// The first version ended with the state.
void jobs_put_mark(struct buffer *record, const struct job_mark *mark)
{
    uuid_put(record, mark->job);
    buffer_put_vint(record, mark->done_through);
    buffer_put_u64(record, mark->grand_total);
    buffer_put_u8(record, (uint8_t)mark->state);
    buffer_put_u64(record, mark->sums_hash);
    buffer_put_u8(record, (uint8_t)mark->run);
    buffer_put_u8(record, mark->note != NULL);
    if (mark->note != NULL) buffer_put_vint_bytes(record, slice_of_text(mark->note));
}

// ---- Applying -----------------------------------------------------------------------------------

static bool name_is_taken(const struct jobs *jobs, const char *name)
{
    for (const struct known_job *at = jobs->open; at != NULL; at = at->next_open)
        if (*name != '\0' && strcmp(at->job.name, name) == 0) return true;
    return false;
}

enum status jobs_apply_submission(struct jobs *jobs, struct cursor *record)
{
    struct job job;
    struct job_script script;
    if (!take_job(record, &job)) return STATUS_CONFLICT;
    if (cursor_left(record) > 0) {
        if (cursor_u8(record) != SUBMISSION_HAS_SCRIPT || !jobs_take_script(record, &script))
            return STATUS_CONFLICT;
        job.script = &script;
    }
    for (size_t i = jobs->count; i-- > 0;)
        if (uuid_is(&jobs->items[i]->job.submission_id, &job.submission_id)) return STATUS_OK;
    if (find_known(jobs, &job.id) != NULL || name_is_taken(jobs, job.name)) return STATUS_CONFLICT;
    return add_job(jobs, &job) ? STATUS_OK : STATUS_CONFLICT;
}

// Rule 1, its condition.
static bool batch_follows(const struct job *job, const struct job_batch *batch,
                          uint32_t source_count, uint64_t done_through, uint64_t depth)
{
    if (job->state != JOB_OPEN || source_count != job->source_count) return false;
    if (batch->number != job->last_batch + 1 || done_through > job->last_batch) return false;
    int64_t last_us = job->last_timestamp_us;
    if (job->last_batch > 0 && (last_us > INT64_MAX - 2 || batch->timestamp_us < last_us + 2))
        return false;
    for (uint32_t i = 0; i < source_count; i++) {
        if (batch->offsets[i].from != job->last_to[i]) return false;
        if (batch->offsets[i].to < batch->offsets[i].from) return false;
    }
    uint64_t frontier = done_through > job->done_through ? done_through : job->done_through;
    return depth <= JOB_BATCHES_MAX && batch->number <= frontier + depth;
}

enum status jobs_apply_batch(struct jobs *jobs, struct cursor *record)
{
    struct uuid id = uuid_take(record);
    uint64_t done_through = cursor_vint(record);
    uint64_t grand_total = cursor_u64(record);
    uint64_t depth = cursor_vint(record);
    struct job_batch batch;
    uint32_t source_count;
    if (!take_batch(record, &batch, &source_count)) return STATUS_CONFLICT;
    struct known_job *known = find_known(jobs, &id);
    if (known == NULL ||
        !sums_agree(jobs, known, done_through, grand_total, batch.sums_hash_done) ||
        !batch_follows(&known->job, &batch, source_count, done_through, depth))
        return STATUS_CONFLICT;
    advance_frontier(known, done_through, grand_total, batch.sums_hash_done);
    add_batch(known, &batch);
    known->job.last_batch = batch.number;
    known->job.last_timestamp_us = batch.timestamp_us;
    for (uint32_t i = 0; i < source_count; i++)
        known->job.last_to[i] = batch.offsets[i].to;
    return STATUS_OK;
}

static bool take_mark(struct cursor *record, struct job_mark *mark, struct slice *note)
{
    *mark = (struct job_mark){.job = uuid_take(record)};
    mark->done_through = cursor_vint(record);
    mark->grand_total = cursor_u64(record);
    uint8_t state = cursor_u8(record), run = JOB_MARK_RUNS_AS_BEFORE;
    *note = slice_null();
    if (cursor_left(record) > 0) {
        mark->sums_hash = cursor_u64(record);
        run = cursor_u8(record);
        if (cursor_u8(record) != 0) *note = cursor_vint_bytes(record);
    }
    if (record->failed || state >= JOB_STATE_COUNT || run > JOB_MARK_GOES_ON) return false;
    mark->state = (enum job_state)state;
    mark->run = run;
    return true;
}

enum status jobs_apply_done(struct jobs *jobs, struct cursor *record)
{
    struct job_mark mark;
    struct slice note;
    if (!take_mark(record, &mark, &note)) return STATUS_CONFLICT;
    struct known_job *known = find_known(jobs, &mark.job);
    if (known == NULL || mark.done_through > known->job.last_batch) return STATUS_CONFLICT;
    // A job is finished only when all that was recorded is done.
    uint64_t frontier =
        mark.done_through > known->job.done_through ? mark.done_through : known->job.done_through;
    if (mark.state == JOB_FINISHED && frontier != known->job.last_batch) return STATUS_CONFLICT;
    if (!sums_agree(jobs, known, mark.done_through, mark.grand_total, mark.sums_hash))
        return STATUS_CONFLICT;
    advance_frontier(known, mark.done_through, mark.grand_total, mark.sums_hash);
    if (known->job.state != JOB_OPEN) return STATUS_OK;
    if (mark.run != JOB_MARK_RUNS_AS_BEFORE) known->job.is_halted = mark.run == JOB_MARK_HALTS;
    if (!slice_is_null(note)) set_note(&known->job, note);
    if (mark.state != JOB_OPEN) end_job(jobs, known, mark.state);
    return STATUS_OK;
}

// ---- The whole state ----------------------------------------------------------------------------

void jobs_put_all(struct buffer *state, const struct jobs *jobs)
{
    buffer_put_vint(state, JOBS_STATE_VERSION_2);
    buffer_put_vint(state, jobs->count);
    for (size_t i = 0; i < jobs->count; i++) {
        const struct known_job *known = jobs->items[i];
        put_job(state, &known->job);
        buffer_put_u64(state, known->job.sums_hash);
        buffer_put_u8(state, known->job.is_halted);
        buffer_put_vint_bytes(state, slice_of_text(known->job.note));
        buffer_put_u8(state, known->job.script != NULL);
        if (known->job.script != NULL) jobs_put_script(state, known->job.script);
        buffer_put_vint(state, known->job.batch_count);
        for (size_t b = 0; b < known->job.batch_count; b++)
            put_batch(state, &known->batches[b], known->job.source_count);
    }
}

static bool take_known_job(struct jobs *jobs, struct cursor *state, bool is_version_2)
{
    struct job job;
    struct job_script script;
    if (!take_job(state, &job)) return false;
    if (is_version_2) {
        job.sums_hash = cursor_u64(state);
        job.is_halted = cursor_u8(state) != 0;
        set_note(&job, cursor_vint_bytes(state));
        if (cursor_u8(state) != 0) {
            if (!jobs_take_script(state, &script)) return false;
            job.script = &script;
        }
    }
    if (!add_job(jobs, &job)) return false;
    struct known_job *known = jobs->items[jobs->count - 1];
    uint64_t batch_count = cursor_vint(state);
    if (batch_count > JOB_BATCHES_MAX) return false;
    for (uint64_t b = 0; b < batch_count; b++) {
        struct job_batch batch;
        uint32_t source_count;
        if (!take_batch(state, &batch, &source_count)) return false;
        add_batch(known, &batch);
    }
    return true;
}

enum status jobs_get_all(struct jobs *jobs, struct cursor *state, struct error *error)
{
    ASSERT(jobs->count == 0);
    uint64_t count = cursor_vint(state);
    bool is_version_2 = count == JOBS_STATE_VERSION_2;
    if (is_version_2) count = cursor_vint(state);
    for (uint64_t i = 0; i < count; i++)
        if (!take_known_job(jobs, state, is_version_2))
            return error_set(error, STATUS_CORRUPT,
                             "metadata: the state of job %llu of %llu "
                             "can not be read",
                             (unsigned long long)i + 1, (unsigned long long)count);
    return state->failed ? error_set(error, STATUS_CORRUPT, "metadata: the jobs are cut short")
                         : STATUS_OK;
}
