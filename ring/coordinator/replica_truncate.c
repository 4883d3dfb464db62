#include "ring/coordinator/replica_truncate.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/coordinator_state.h"
#include "ring/metadata/metadata.h"

#include <stdlib.h>

// ---- Times --------------------------------------------------------------------------------------

int64_t replica_truncations_next(struct coordinator *coordinator)
{
    struct replica_truncations *truncations = &coordinator->replica_truncations;
    int64_t now_us = env_wall_us(coordinator->env);
    truncations->last_us = now_us > truncations->last_us ? now_us : truncations->last_us + 1;
    return truncations->last_us;
}

static struct truncated_table *find_table(const struct replica_truncations *truncations,
                                          struct uuid table)
{
    for (size_t i = 0; i < truncations->count; i++)
        if (uuid_equals(truncations->tables[i].table, table)) return &truncations->tables[i];
    return NULL;
}

int64_t replica_truncations_time(const struct replica_truncations *truncations, struct uuid table)
{
    const struct truncated_table *known = find_table(truncations, table);
    return known == NULL ? INT64_MIN : known->time_us;
}

static void note_time(struct replica_truncations *truncations, struct uuid table, uint16_t from,
                      int64_t time_us)
{
    struct truncated_table *known = find_table(truncations, table);
    if (known != NULL) {
        if (time_us > known->time_us) known->time_us = time_us;
        known->last_us = time_us;
        known->last_from = from;
        return;
    }
    // There are no more tables than that; of dropped ones the oldest gives way.
    if (truncations->count == SCHEMA_TABLES_MAX) {
        truncations->count--;
        memmove(truncations->tables, truncations->tables + 1,
                truncations->count * sizeof *truncations->tables);
    }
    if (truncations->count == truncations->capacity) {
        truncations->capacity = truncations->capacity == 0 ? 16 : truncations->capacity * 2;
        truncations->tables =
            realloc(truncations->tables, truncations->capacity * sizeof *truncations->tables);
        ASSERT(truncations->tables != NULL);
    }
    truncations->tables[truncations->count++] =
        (struct truncated_table){table, time_us, time_us, from};
}

// ---- Here ---------------------------------------------------------------------------------------

static void truncate_here_hints_done(struct hints_wait *wait, enum status status)
{
    struct truncate_here *here = CONTAINER_OF(wait, struct truncate_here, wait);
    here->done(here, status);
}

static void truncate_here_flushed(struct engine_flush *flush, enum status status)
{
    struct truncate_here *here = CONTAINER_OF(flush, struct truncate_here, flush);
    struct hints *hints = here->coordinator->options.hints;
    // Hints are closed before messaging is.
    if (status != STATUS_OK || hints == NULL || coordinator_messaging(here->coordinator) == NULL)
        here->done(here, status);
    else
        hints_wait_synced(hints, &here->wait, truncate_here_hints_done);
}

void truncate_here_start(struct coordinator *coordinator, struct truncate_here *here,
                         struct uuid table, uint16_t from, int64_t time_us,
                         void (*done)(struct truncate_here *here, enum status status))
{
    *here = (struct truncate_here){.done = done, .coordinator = coordinator, .table = table};
    note_time(&coordinator->replica_truncations, table, from, time_us);
    if (coordinator->options.hints != NULL) hints_truncate(coordinator->options.hints, table);
    engine_truncate(coordinator->engine, table, &here->flush, truncate_here_flushed);
}

// ---- For another member -------------------------------------------------------------------------

struct replica_truncation {
    struct replica_truncation *next, **place;
    struct truncate_here here;
    struct message_origin origin;
};

static void replica_truncation_end(struct replica_truncation *truncation)
{
    *truncation->place = truncation->next;
    if (truncation->next != NULL) truncation->next->place = truncation->place;
    free(truncation);
}

static void replica_truncation_done(struct truncate_here *here, enum status status)
{
    struct replica_truncation *truncation = CONTAINER_OF(here, struct replica_truncation, here);
    struct messaging *messaging = coordinator_messaging(here->coordinator);
    if (messaging != NULL)
        messaging_answer(messaging, truncation->origin, status, slice_make("", 0));
    replica_truncation_end(truncation);
}

// A job may have been submitted since the coordinator asked (cql/execution/job_guard.h). Who has a
// count of it knows the job, as whoever sent the count did.
static bool is_written_by_job(const struct coordinator *coordinator, struct uuid table)
{
    const struct metadata *metadata = coordinator->options.metadata;
    return metadata != NULL && jobs_find_writer(metadata_jobs(metadata), table) != NULL;
}

static bool is_doubled(const struct replica_truncations *truncations, struct uuid table,
                       uint16_t from, int64_t time_us)
{
    const struct truncated_table *known = find_table(truncations, table);
    return known != NULL && known->last_us == time_us && known->last_from == from;
}

static void replica_truncate_handle(struct message_handler *handler, const struct message *message)
{
    struct replica_truncations *all = CONTAINER_OF(handler, struct replica_truncations, handler);
    struct coordinator *coordinator = CONTAINER_OF(all, struct coordinator, replica_truncations);
    struct cursor cursor = cursor_make(message->body);
    struct uuid table = {{0}};
    struct slice id = cursor_take(&cursor, sizeof table.bytes);
    int64_t time_us = (int64_t)cursor_u64(&cursor);
    if (cursor.failed) {
        messaging_answer(handler->messaging, message->origin, STATUS_CORRUPT, slice_make("", 0));
        return;
    }
    memcpy(table.bytes, id.data, sizeof table.bytes);
    if (is_doubled(all, table, message->from, time_us)) return; // The first one is answered.
    if (is_written_by_job(coordinator, table)) {
        messaging_answer(handler->messaging, message->origin, STATUS_CONFLICT, slice_make("", 0));
        return;
    }
    env_mark(coordinator->env, ENV_MARK_REPLICA_TRUNCATED);
    struct replica_truncation *truncation = calloc(1, sizeof *truncation);
    ASSERT(truncation != NULL);
    truncation->origin = message->origin;
    truncation->next = all->running;
    truncation->place = &all->running;
    if (all->running != NULL) all->running->place = &truncation->next;
    all->running = truncation;
    truncate_here_start(coordinator, &truncation->here, table, message->from, time_us,
                        replica_truncation_done);
}

void replica_truncations_init(struct coordinator *coordinator)
{
    struct replica_truncations *all = &coordinator->replica_truncations;
    if (coordinator->options.messaging == NULL) return;
    all->handler.handle = replica_truncate_handle;
    messaging_handle(coordinator->options.messaging, VERB_TRUNCATE, &all->handler);
}

void replica_truncations_deinit(struct coordinator *coordinator)
{
    struct replica_truncations *all = &coordinator->replica_truncations;
    while (all->running != NULL)
        replica_truncation_end(all->running);
    free(all->tables);
}
