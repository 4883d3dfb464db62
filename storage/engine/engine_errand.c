// Errands: work of other files that has its turn on the background, between flushes, removals and
// compactions that become true. While one runs, no file of any table comes or goes but by it.
//
//     queued -> (the memtables that it waits for are flushed) -> begin -> work -> done
#include "storage/engine/engine_internal.h"

// Everything frozen up to this is flushed, or was dropped.
static uint64_t flushed_sequence(const struct engine *engine)
{
    return engine->queue == NULL ? engine->freeze_sequence : engine->queue->sequence - 1;
}

void engine_errand_start(struct engine *engine, struct engine_errand *errand)
{
    struct engine_errand **end = &engine->errands;
    while (*end != NULL)
        end = &(*end)->next;
    errand->next = NULL;
    if (engine->is_closing) {
        errand->done(errand, STATUS_CANCELED);
        return;
    }
    *end = errand;
    engine_background_hurry(engine);
}

struct engine_errand *engine_errand_take(struct engine *engine)
{
    uint64_t flushed = flushed_sequence(engine);
    for (struct engine_errand **place = &engine->errands; *place != NULL; place = &(*place)->next) {
        struct engine_errand *errand = *place;
        if (errand->waits_for > flushed) continue;
        *place = errand->next;
        return errand;
    }
    return NULL;
}

void engine_errand_fail(struct engine *engine, bool all, enum status status)
{
    uint64_t flushed = flushed_sequence(engine);
    struct engine_errand **place = &engine->errands, *failed = NULL, **failed_end = &failed;
    while (*place != NULL) {
        struct engine_errand *errand = *place;
        if (!all && errand->waits_for <= flushed) {
            place = &errand->next;
            continue;
        }
        *place = errand->next;
        errand->next = NULL;
        *failed_end = errand;
        failed_end = &errand->next;
    }
    while (failed != NULL) {
        struct engine_errand *next = failed->next;
        failed->done(failed, status);
        failed = next;
    }
}
