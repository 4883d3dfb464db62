// memtable_flush_period_in_ms: a table that says so is flushed so long after its last flush at the
// latest (org.apache.cassandra.db.memtable.AbstractAllocatorMemtable.scheduleFlush).
#include "base/container_of.h"
#include "base/env_marks.h"
#include "storage/engine/engine_internal.h"

#define NS_PER_MS 1000000ull

static uint64_t period_ns(const struct engine_table *table)
{
    int32_t period_ms = table->table->params.memtable_flush_period_in_ms;
    return period_ms <= 0 ? 0 : (uint64_t)period_ms * NS_PER_MS;
}

static void look(struct env_timer *timer)
{
    struct engine *engine = CONTAINER_OF(timer, struct engine, period_timer);
    uint64_t now_ns = env_monotonic_ns(engine->env), next_ns = UINT64_MAX;
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++) {
        for (struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next) {
            uint64_t period = period_ns(t);
            if (period == 0) continue;
            // One that was put into the schema a moment ago begins its period now.
            if (t->frozen_at_ns == 0) t->frozen_at_ns = now_ns;
            if (now_ns - t->frozen_at_ns >= period) {
                engine_freeze(t);
                t->frozen_at_ns = now_ns;
            }
            uint64_t due_ns = t->frozen_at_ns + period;
            if (due_ns < next_ns) next_ns = due_ns;
        }
    }
    engine_background_start(engine);
    // Without such a table nothing ever wakes up.
    if (next_ns != UINT64_MAX)
        env_timer_start(engine->env, timer, next_ns > now_ns ? next_ns - now_ns : NS_PER_MS, look);
}

void engine_period_start(struct engine *engine)
{
    if (!engine->is_closing) look(&engine->period_timer);
}

void engine_period_stop(struct engine *engine)
{
    env_timer_stop(engine->env, &engine->period_timer);
}
