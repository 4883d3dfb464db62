#include "cql/system/system_pools.h"

#include "base/assert.h"
#include "ring/coordinator/coordinator.h"

#include <stdlib.h>

struct pools_of_tables {
    uint64_t pending_compactions, flushes, pending_flushes;
};

static struct pools_of_tables sum_tables(const struct system_views *views)
{
    const struct schema *schema = metadata_schema(views->metadata);
    const struct keyspace *keyspace;
    struct pools_of_tables sum = {0};
    for (size_t k = 0; (keyspace = schema_keyspace_at(schema, k)) != NULL; k++) {
        const struct table *table;
        for (size_t t = 0; (table = schema_table_at(schema, keyspace->name, t)) != NULL; t++) {
            struct engine_table_stats stats;
            sum.pending_compactions += engine_pending_compactions(views->engine, table->id);
            if (!engine_table_stats(views->engine, table->id, &stats)) continue;
            sum.flushes += stats.flush_count;
            sum.pending_flushes += stats.pending_flushes;
        }
    }
    return sum;
}

static size_t count_compactions(const struct engine *engine)
{
    struct engine_compaction_info info;
    size_t count = 0;
    while (engine_compaction_at(engine, count, &info))
        count++;
    return count;
}

static struct system_pool requests_pool(const struct system_source *source)
{
    struct system_statistics statistics;
    source->statistics(source->context, &statistics);
    uint64_t under_way = statistics.requests_under_way;
    // One is at work at any time; the others wait for the disk, for other nodes, for their turn.
    return (struct system_pool){
        .name = "Native-Transport-Requests",
        .active = under_way > 0,
        .limit = 1,
        .pending = under_way > 0 ? under_way - 1 : 0,
        .completed = statistics.requests > under_way ? statistics.requests - under_way : 0,
    };
}

static size_t put_engine(const struct system_views *views, struct system_pool *pools)
{
    struct pools_of_tables sum = sum_tables(views);
    pools[0] = (struct system_pool){.name = "CompactionExecutor",
                                    .active = count_compactions(views->engine),
                                    .limit = engine_concurrent_compactors(views->engine),
                                    .pending = sum.pending_compactions,
                                    .completed = engine_compaction_done_count(views->engine)};
    pools[1] = (struct system_pool){.name = "MemtableFlushWriter",
                                    .active = sum.pending_flushes > 0,
                                    .limit = 1,
                                    .pending = sum.pending_flushes,
                                    .completed = sum.flushes};
    return 2;
}

static size_t put_stages(const struct coordinator *coordinator, struct system_pool *pools)
{
    struct coordinator_counts counts = coordinator_counts(coordinator);
    const struct system_pool stages[] = {
        {.name = "CounterMutationStage", .limit = 1, .completed = counts.local_increments},
        {.name = "MutationStage", .limit = 1, .completed = counts.local_writes},
        {.name = "ReadStage", .limit = 1, .completed = counts.local_reads},
        {.name = "RequestResponseStage", .limit = 1, .completed = counts.answers},
    };
    memcpy(pools, stages, sizeof stages);
    return sizeof stages / sizeof stages[0];
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const struct system_pool *)left)->name,
                  ((const struct system_pool *)right)->name);
}

size_t system_pools_tell(const struct system_views *views,
                         struct system_pool pools[static SYSTEM_POOLS_MAX])
{
    size_t count = 0;
    if (views->engine != NULL) count += put_engine(views, pools + count);
    if (views->coordinator != NULL) count += put_stages(views->coordinator, pools + count);
    if (views->source != NULL) pools[count++] = requests_pool(views->source);
    ASSERT(count <= SYSTEM_POOLS_MAX);
    qsort(pools, count, sizeof *pools, compare_names);
    return count;
}

void system_pools_fill(const struct system_views *views, const struct system_row *empty)
{
    struct system_pool pools[SYSTEM_POOLS_MAX];
    size_t count = system_pools_tell(views, pools);
    for (size_t i = 0; i < count; i++) {
        const struct system_pool *pool = &pools[i];
        struct system_row row = *empty;
        system_row_set_text(&row, "name", pool->name);
        system_row_set_int(&row, "active_tasks", (int32_t)pool->active);
        system_row_set_int(&row, "active_tasks_limit", (int32_t)pool->limit);
        system_row_set_long(&row, "blocked_tasks", (int64_t)pool->blocked);
        system_row_set_long(&row, "blocked_tasks_all_time", (int64_t)pool->blocked_ever);
        system_row_set_long(&row, "completed_tasks", (int64_t)pool->completed);
        system_row_set_int(&row, "pending_tasks", (int32_t)pool->pending);
        system_row_end(&row);
    }
}
