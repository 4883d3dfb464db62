#include "storage/engine/engine_snapshot.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "storage/engine/engine_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// One table as it was when the errand began.
struct taken_table {
    const struct table *table; // With a reference.
    char *directory;
    struct sstable_name *names;
    size_t count;
};

struct engine_taking {
    struct engine_errand errand;
    struct engine_taking *next, **place; // In the engine's list.
    struct engine *engine;
    // Whom to tell: one of these.
    struct engine_snapshot *snapshot;
    struct engine_flush *truncation;
    struct engine_table *leaving; // That is dropped.
    char tag[SNAPSHOT_TAG_SIZE];
    struct snapshot_times times;
    struct uuid *ids;
    size_t id_count;
    struct taken_table *tables;
    size_t table_count;
    enum status status;
    struct error error;
};

// ---- Its memory ---------------------------------------------------------------------------------

static struct engine_taking *taking_create(struct engine *engine, const char *tag,
                                           const struct uuid *ids, size_t id_count)
{
    struct engine_taking *taking = calloc(1, sizeof *taking);
    ASSERT(taking != NULL);
    taking->ids = calloc(id_count + 1, sizeof *taking->ids);
    taking->tables = calloc(id_count + 1, sizeof *taking->tables);
    ASSERT(taking->ids != NULL && taking->tables != NULL);
    taking->engine = engine;
    taking->id_count = id_count;
    for (size_t i = 0; i < id_count; i++)
        taking->ids[i] = ids[i];
    (void)snprintf(taking->tag, sizeof taking->tag, "%s", tag);
    taking->times.created_ms = env_wall_us(engine->env) / 1000;
    taking->next = engine->snapshots.takings;
    taking->place = &engine->snapshots.takings;
    if (taking->next != NULL) taking->next->place = &taking->next;
    engine->snapshots.takings = taking;
    return taking;
}

static void taking_free(struct engine_taking *taking)
{
    *taking->place = taking->next;
    if (taking->next != NULL) taking->next->place = taking->place;
    for (size_t i = 0; i < taking->table_count; i++) {
        table_unref(taking->tables[i].table);
        free(taking->tables[i].directory);
        free(taking->tables[i].names);
    }
    free(taking->tables);
    free(taking->ids);
    free(taking);
}

// ---- The errand ---------------------------------------------------------------------------------

static void add_table(struct engine_taking *taking, const struct engine_table *table)
{
    struct taken_table *taken = &taking->tables[taking->table_count++];
    taken->table = table->table;
    table_ref(taken->table);
    taken->directory = strdup(table->manifest.directory);
    taken->names = calloc(table->sstable_count + 1, sizeof *taken->names);
    ASSERT(taken->directory != NULL && taken->names != NULL);
    for (size_t i = 0; i < table->sstable_count; i++)
        taken->names[taken->count++] = *sstable_reader_name(table->sstables[i].reader);
}

static struct engine_table *taking_begin(struct engine_errand *errand)
{
    struct engine_taking *taking = CONTAINER_OF(errand, struct engine_taking, errand);
    if (taking->leaving != NULL) add_table(taking, taking->leaving);
    for (size_t i = 0; i < taking->id_count; i++) {
        const struct engine_table *table = engine_find_table(taking->engine, taking->ids[i]);
        // One that was dropped meanwhile has nothing to be kept.
        if (table != NULL) add_table(taking, table);
    }
    env_mark(taking->engine->env, ENV_MARK_SNAPSHOT_STARTED);
    return NULL;
}

static void taking_work(struct engine_errand *errand)
{
    struct engine_taking *taking = CONTAINER_OF(errand, struct engine_taking, errand);
    struct env *env = taking->engine->env;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < taking->table_count && status == STATUS_OK; i++)
        status = snapshot_directory_check_new(env, taking->tables[i].directory, taking->tag,
                                              &taking->error);
    for (size_t i = 0; i < taking->table_count && status == STATUS_OK; i++) {
        const struct taken_table *taken = &taking->tables[i];
        const struct snapshot_source source = {taken->table, taken->directory, taken->names,
                                               taken->count};
        status = snapshot_directory_make(env, &source, taking->tag, taking->times, &taking->error);
    }
    taking->status = status;
}

static void taking_done(struct engine_errand *errand, enum status status)
{
    struct engine_taking *taking = CONTAINER_OF(errand, struct engine_taking, errand);
    struct engine *engine = taking->engine;
    if (status == STATUS_OK)
        status = taking->status;
    else
        (void)error_set(&taking->error, status, "the memtables could not be flushed: %s",
                        status_text(status));
    env_mark(engine->env, status == STATUS_OK ? ENV_MARK_SNAPSHOT_DONE : ENV_MARK_SNAPSHOT_FAILED);
    if (status == STATUS_OK && taking->times.expires_ms != 0) engine_snapshots_expire(engine);
    if (taking->snapshot != NULL) {
        taking->snapshot->done(taking->snapshot, status, &taking->error);
    } else if (taking->truncation != NULL) {
        engine_truncate_kept(engine, taking->ids[0], taking->truncation, status);
    } else {
        engine_drop_kept(engine, taking->leaving, status, &taking->error);
    }
    taking_free(taking);
}

static void taking_start(struct engine_taking *taking)
{
    taking->errand.begin = taking_begin;
    taking->errand.work = taking_work;
    taking->errand.done = taking_done;
    engine_errand_start(taking->engine, &taking->errand);
}

// ---- Who asks for one ---------------------------------------------------------------------------

static void freeze_table(struct engine_taking *taking, struct engine_table *table)
{
    engine_freeze(table);
    if (table->frozen != NULL && table->frozen_last->sequence > taking->errand.waits_for)
        taking->errand.waits_for = table->frozen_last->sequence;
}

// Nothing is done: the owner hears it in a later turn.
static void refuse_work(struct engine_errand *errand)
{
    (void)errand;
}

void engine_snapshot_take(struct engine *engine, const struct engine_snapshot_options *options,
                          struct engine_snapshot *snapshot,
                          void (*done)(struct engine_snapshot *snapshot, enum status status,
                                       const struct error *error))
{
    snapshot->done = done;
    struct engine_taking *taking =
        taking_create(engine, options->tag, options->tables, options->table_count);
    taking->snapshot = snapshot;
    if (options->ttl_s > 0)
        taking->times.expires_ms = taking->times.created_ms + (int64_t)options->ttl_s * 1000;
    taking->status = snapshot_directory_check_tag(options->tag, &taking->error);
    for (size_t i = 0; i < options->table_count && taking->status == STATUS_OK; i++) {
        struct engine_table *table = engine_find_table(engine, options->tables[i]);
        if (table == NULL)
            taking->status = error_set(&taking->error, STATUS_NOT_FOUND, "no such table");
        else if (!options->skips_flush)
            freeze_table(taking, table);
    }
    if (taking->status == STATUS_OK) {
        taking_start(taking);
        return;
    }
    taking->id_count = 0;
    taking->errand.begin = taking_begin;
    taking->errand.work = refuse_work;
    taking->errand.done = taking_done;
    engine_errand_start(engine, &taking->errand);
}

static void put_auto_tag(struct engine *engine, const char *prefix, const struct table *table,
                         char tag[SNAPSHOT_TAG_SIZE])
{
    // No two alike: a tag is taken once.
    int64_t now_ms = env_wall_us(engine->env) / 1000;
    int64_t *last_ms = &engine->snapshots.last_tag_ms;
    *last_ms = now_ms > *last_ms ? now_ms : *last_ms + 1;
    (void)snprintf(tag, SNAPSHOT_TAG_SIZE, "%s-%" PRId64 "-%.*s", prefix, *last_ms,
                   (int)table->name.size, (const char *)table->name.data);
}

bool engine_snapshots_keep(const struct engine_table *table)
{
    return table->engine->snapshots.is_automatic && !table->is_internal &&
           table->table->params.allow_auto_snapshot &&
           (table->sstable_count > 0 || table->active_position > 0 || table->frozen != NULL);
}

void engine_snapshots_truncate(struct engine_table *table, struct engine_flush *truncation)
{
    char tag[SNAPSHOT_TAG_SIZE];
    put_auto_tag(table->engine, "truncated", table->table, tag);
    struct engine_taking *taking = taking_create(table->engine, tag, &table->table->id, 1);
    taking->truncation = truncation;
    freeze_table(taking, table);
    taking_start(taking);
}

void engine_snapshots_drop(struct engine_table *table)
{
    char tag[SNAPSHOT_TAG_SIZE];
    put_auto_tag(table->engine, "dropped", table->table, tag);
    struct engine_taking *taking = taking_create(table->engine, tag, NULL, 0);
    taking->leaving = table;
    if (table->frozen != NULL) taking->errand.waits_for = table->frozen_last->sequence;
    // One table more than there are ids.
    taking_start(taking);
}

// ---- Lists and removals -------------------------------------------------------------------------

struct engine_snapshot_work {
    struct engine_snapshot_work *next, **place; // In the engine's list.
    struct engine *engine;
    struct env_job job;
    // Whom to tell, or nobody: then it is the end of what has expired.
    struct engine_snapshot_list *list;
    struct engine_snapshot_clear *clear;
    char keyspace[SNAPSHOT_NAME_SIZE], tag[SNAPSHOT_TAG_SIZE];
    char data_directory[ENGINE_PATH_MAX];
    int64_t now_ms, created_before_ms;
    char **live; // Directories of tables, as they were when it began.
    size_t live_count;
    struct snapshot_info *infos;
    char **directories; // Of their tables.
    size_t count, capacity, removed_count;
    int64_t next_expiry_ms; // 0: none expires.
    enum status status;
    struct error error;
};

static void add_live(struct engine_snapshot_work *work, const struct engine_table *table)
{
    work->live = realloc(work->live, (work->live_count + 1) * sizeof *work->live);
    ASSERT(work->live != NULL);
    work->live[work->live_count] = strdup(table->manifest.directory);
    ASSERT(work->live[work->live_count] != NULL);
    work->live_count++;
}

static void gather_live(struct engine_snapshot_work *work)
{
    const struct engine *engine = work->engine;
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++)
        for (const struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next)
            add_live(work, t);
    for (const struct engine_table *t = engine->leaving; t != NULL; t = t->next)
        add_live(work, t);
}

static bool is_live(const struct engine_snapshot_work *work, const char *directory)
{
    for (size_t i = 0; i < work->live_count; i++)
        if (strcmp(work->live[i], directory) == 0) return true;
    return false;
}

static struct engine_snapshot_work *work_create(struct engine *engine)
{
    struct engine_snapshot_work *work = calloc(1, sizeof *work);
    ASSERT(work != NULL);
    work->engine = engine;
    work->now_ms = env_wall_us(engine->env) / 1000;
    (void)snprintf(work->data_directory, sizeof work->data_directory, "%s/data", engine->directory);
    work->next = engine->snapshots.works;
    work->place = &engine->snapshots.works;
    if (work->next != NULL) work->next->place = &work->next;
    engine->snapshots.works = work;
    gather_live(work);
    return work;
}

static void work_free(struct engine_snapshot_work *work)
{
    *work->place = work->next;
    if (work->next != NULL) work->next->place = work->place;
    for (size_t i = 0; i < work->count; i++)
        free(work->directories[i]);
    for (size_t i = 0; i < work->live_count; i++)
        free(work->live[i]);
    free(work->live);
    free(work->directories);
    free(work->infos);
    free(work);
}

static void add_info(void *context, const struct snapshot_info *info)
{
    struct engine_snapshot_work *work = context;
    if (work->count == work->capacity) {
        work->capacity = work->capacity == 0 ? 16 : work->capacity * 2;
        work->infos = realloc(work->infos, work->capacity * sizeof *work->infos);
        work->directories = realloc(work->directories, work->capacity * sizeof *work->directories);
        ASSERT(work->infos != NULL && work->directories != NULL);
    }
    work->infos[work->count] = *info;
    work->infos[work->count].table_directory = NULL;
    work->directories[work->count] = strdup(info->table_directory);
    ASSERT(work->directories[work->count] != NULL);
    work->count++;
}

static bool is_to_go(const struct engine_snapshot_work *work, const struct snapshot_info *info)
{
    if (work->clear == NULL)
        return info->times.expires_ms != 0 && info->times.expires_ms <= work->now_ms;
    return (work->keyspace[0] == '\0' || strcmp(work->keyspace, info->keyspace) == 0) &&
           (work->tag[0] == '\0' || strcmp(work->tag, info->tag) == 0) &&
           (work->created_before_ms == 0 || info->times.created_ms < work->created_before_ms);
}

static void note_expiry(struct engine_snapshot_work *work, int64_t expires_ms)
{
    if (expires_ms != 0 && (work->next_expiry_ms == 0 || expires_ms < work->next_expiry_ms))
        work->next_expiry_ms = expires_ms;
}

static void work_work(struct env_job *job)
{
    struct engine_snapshot_work *work = CONTAINER_OF(job, struct engine_snapshot_work, job);
    struct env *env = work->engine->env;
    work->status = snapshot_directory_list(env, work->data_directory, add_info, work, &work->error);
    if (work->status != STATUS_OK || work->list != NULL) return;
    for (size_t i = 0; i < work->count; i++) {
        const struct snapshot_info *info = &work->infos[i];
        if (!is_to_go(work, info)) {
            note_expiry(work, info->times.expires_ms);
            continue;
        }
        struct error error;
        enum status status =
            snapshot_directory_remove(env, work->directories[i], info->tag, &error);
        if (status == STATUS_OK && !is_live(work, work->directories[i]))
            snapshot_directory_leave(env, work->directories[i]);
        if (status == STATUS_OK) {
            work->removed_count++;
        } else { // The others all the same.
            note_expiry(work, info->times.expires_ms);
            work->status = status;
            work->error = error;
        }
    }
}

#define NS_PER_MS          1000000ull
#define EXPIRY_DELAY_MS    5000  // After the start.
#define EXPIRY_INTERVAL_MS 60000 // From one look to the next, at least.

static void fire_expiry(struct env_timer *timer)
{
    engine_snapshots_expire(CONTAINER_OF(timer, struct engine, snapshots.timer));
}

static void work_done(struct env_job *job)
{
    struct engine_snapshot_work *work = CONTAINER_OF(job, struct engine_snapshot_work, job);
    struct engine *engine = work->engine;
    if (work->list != NULL) {
        work->list->infos = work->infos;
        work->list->count = work->count;
        work->list->done(work->list, work->status, &work->error);
    } else if (work->clear != NULL) {
        env_mark(engine->env, ENV_MARK_SNAPSHOT_CLEARED);
        work->clear->count = work->removed_count;
        work->clear->done(work->clear, work->status, &work->error);
    } else if (work->next_expiry_ms != 0 && !engine->is_closing) {
        int64_t delay_ms = work->next_expiry_ms - work->now_ms;
        if (delay_ms < EXPIRY_INTERVAL_MS) delay_ms = EXPIRY_INTERVAL_MS;
        // Clocks jump: it is looked at again now and then.
        if (delay_ms > 60 * EXPIRY_INTERVAL_MS) delay_ms = 60 * EXPIRY_INTERVAL_MS;
        env_timer_start(engine->env, &engine->snapshots.timer, (uint64_t)delay_ms * NS_PER_MS,
                        fire_expiry);
    }
    work_free(work);
    engine_go_on_closing(engine);
}

static void work_start(struct engine_snapshot_work *work)
{
    env_offload(work->engine->env, &work->job, ENV_LANE_BACKGROUND, work_work, work_done);
}

void engine_snapshot_list(struct engine *engine, struct engine_snapshot_list *list,
                          void (*done)(struct engine_snapshot_list *list, enum status status,
                                       const struct error *error))
{
    *list = (struct engine_snapshot_list){.done = done};
    struct engine_snapshot_work *work = work_create(engine);
    work->list = list;
    work_start(work);
}

void engine_snapshot_clear(struct engine *engine, const struct engine_snapshot_choice *choice,
                           struct engine_snapshot_clear *clear,
                           void (*done)(struct engine_snapshot_clear *clear, enum status status,
                                        const struct error *error))
{
    *clear = (struct engine_snapshot_clear){.done = done};
    struct engine_snapshot_work *work = work_create(engine);
    work->clear = clear;
    (void)snprintf(work->keyspace, sizeof work->keyspace, "%s", choice->keyspace);
    (void)snprintf(work->tag, sizeof work->tag, "%s", choice->tag);
    work->created_before_ms = choice->created_before_ms;
    work_start(work);
}

// ---- With the engine ----------------------------------------------------------------------------

void engine_snapshots_expire(struct engine *engine)
{
    if (!engine->is_closing) work_start(work_create(engine));
}

void engine_snapshots_start(struct engine *engine, bool is_automatic)
{
    engine->snapshots.is_automatic = is_automatic;
    env_timer_start(engine->env, &engine->snapshots.timer, EXPIRY_DELAY_MS * NS_PER_MS,
                    fire_expiry);
}

void engine_snapshots_stop(struct engine *engine)
{
    env_timer_stop(engine->env, &engine->snapshots.timer);
}

void engine_snapshots_abandon(struct engine *engine)
{
    engine_snapshots_stop(engine);
    while (engine->snapshots.takings != NULL)
        taking_free(engine->snapshots.takings);
    while (engine->snapshots.works != NULL)
        work_free(engine->snapshots.works);
}
