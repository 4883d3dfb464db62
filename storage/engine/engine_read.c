// Reads: the sources of a partition, or of a run of them, merged.
#include "base/assert.h"
#include "base/container_of.h"
#include "storage/engine/engine_internal.h"
#include "storage/merge/known_row.h"
#include "storage/merge/merge.h"

#include <stdlib.h>

static size_t source_count_max(const struct engine_table *table)
{
    size_t count = 1 + table->sstable_count;
    for (const struct engine_frozen *f = table->frozen; f != NULL; f = f->next)
        count++;
    return count;
}

// A truncation is a change too: whoever sees that the data is gone waits until that is durable.
static void raise_to_truncation(const struct engine_table *table, uint64_t *position)
{
    if (table->truncated_position > *position) *position = table->truncated_position;
}

// ---- One partition -----------------------------------------------------------------------------

struct partition_sources {
    struct partition_iterator **items;
    size_t count;
    bool some_miss;     // Something is not in memory: the read will not come to its end.
    int64_t deleted_us; // The newest deletion of the whole partition so far.
    bool has_known;
    struct known_row known;
    size_t known_count; // Of the items, those that it has seen.
};

static void add_partition(struct partition_sources *sources, struct partition_iterator *partition)
{
    if (partition == NULL) return;
    sources->items[sources->count++] = partition;
    if (partition->deletion.timestamp > sources->deleted_us)
        sources->deleted_us = partition->deletion.timestamp;
}

static void add_memtables(struct engine_table *table, const struct table *version,
                          const struct partition_key *key, const struct partition_filter *filter,
                          struct arena *arena, struct partition_sources *sources,
                          uint64_t *position)
{
    add_partition(sources, memtable_read(table->active, version, key, filter, arena, position));
    for (struct engine_frozen *f = table->frozen; f != NULL; f = f->next) {
        if (f->log_position > table->truncated_position)
            add_partition(sources,
                          memtable_read(f->memtable, version, key, filter, arena, position));
    }
}

static enum status give_up(const struct partition_sources *sources, enum status status)
{
    for (size_t i = 0; i < sources->count; i++)
        partition_iterator_close(sources->items[i]);
    return status;
}

// Whether nothing that is as old as this can change the row that is read. Looks at the sources
// there are only if another one is to be opened.
static enum status look_at_sources(struct partition_sources *sources, const struct table *version,
                                   const struct partition_filter *filter, struct arena *arena,
                                   int64_t max_timestamp, bool *is_covered)
{
    *is_covered = false;
    if (sources->count == 0) return STATUS_OK;
    if (!sources->has_known) known_row_init(&sources->known, version, filter, arena);
    sources->has_known = true;
    if (!sources->known.is_of_use) return STATUS_OK;
    for (; sources->known_count < sources->count; sources->known_count++) {
        enum status status = known_row_add(&sources->known, &sources->items[sources->known_count]);
        if (status == STATUS_WOULD_BLOCK) sources->some_miss = true;
        if (status != STATUS_OK && status != STATUS_WOULD_BLOCK) return status;
    }
    *is_covered = known_row_covers(&sources->known, max_timestamp);
    return STATUS_OK;
}

enum status engine_read(struct engine *engine, const struct table *version,
                        const struct partition_key *key, const struct partition_filter *filter,
                        struct read_pins *pins, struct arena *arena,
                        struct partition_iterator **partition, uint64_t *position)
{
    struct engine_table *table = engine_find_table(engine, version->id);
    if (table == NULL) return STATUS_NOT_FOUND;
    struct partition_sources sources = {
        .items = arena_alloc(arena, source_count_max(table) * sizeof(struct partition_iterator *)),
        .deleted_us = TIMESTAMP_NONE,
    };
    add_memtables(table, version, key, filter, arena, &sources, position);
    raise_to_truncation(table, position);
    for (size_t i = 0; i < table->sstable_count; i++) {
        struct sstable_reader *reader = table->sstables[i].reader;
        // All that this and the following SSTables have is older than the partition's deletion.
        if (sstable_max_timestamp(reader) < sources.deleted_us) break;
        if (!sstable_may_have(reader, version, key, filter, engine->chunk_cache)) continue;
        bool is_covered;
        enum status status = look_at_sources(&sources, version, filter, arena,
                                             sstable_max_timestamp(reader), &is_covered);
        if (status != STATUS_OK) return give_up(&sources, status);
        if (is_covered) break;
        struct partition_iterator *source;
        status = sstable_read_asked(reader, version, key, filter, engine->chunk_cache, pins, arena,
                                    &source, NULL);
        if (status == STATUS_WOULD_BLOCK && !read_pins_are_full(pins)) {
            sources.some_miss = true;
            continue; // What the others miss is loaded with it.
        }
        if (status != STATUS_OK) return give_up(&sources, status);
        add_partition(&sources, source);
    }
    if (sources.some_miss) return give_up(&sources, STATUS_WOULD_BLOCK);
    *partition = sources.count == 0
                     ? NULL
                     : merge_partitions(sources.items, sources.count, filter->reversed, arena);
    return STATUS_OK;
}

// ---- A run of partitions -----------------------------------------------------------------------

static bool may_overlap(const struct sstable_reader *reader, const struct scan_range *range)
{
    struct partition_key first = sstable_first_key(reader), last = sstable_last_key(reader);
    return token_compare(last.token, range->start.token) >= 0 &&
           token_compare(first.token, range->end.token) <= 0;
}

enum status engine_scan(struct engine *engine, const struct table *version,
                        const struct scan_range *range, const struct partition_filter *filter,
                        struct read_pins *pins, struct arena *arena, struct scan_iterator **scan,
                        uint64_t *position)
{
    struct engine_table *table = engine_find_table(engine, version->id);
    if (table == NULL) return STATUS_NOT_FOUND;
    struct scan_iterator **sources =
        arena_alloc(arena, source_count_max(table) * sizeof(struct scan_iterator *));
    size_t count = 0;
    sources[count++] = memtable_scan(table->active, version, range, filter, arena, position);
    for (struct engine_frozen *f = table->frozen; f != NULL; f = f->next) {
        if (f->log_position > table->truncated_position)
            sources[count++] = memtable_scan(f->memtable, version, range, filter, arena, position);
    }
    raise_to_truncation(table, position);
    for (size_t i = 0; i < table->sstable_count; i++) {
        struct sstable_reader *reader = table->sstables[i].reader;
        if (!may_overlap(reader, range)) continue;
        enum status status = sstable_scan(reader, version, range, filter, engine->chunk_cache, pins,
                                          arena, &sources[count], NULL);
        if (status != STATUS_OK) {
            for (size_t s = 0; s < count; s++)
                scan_iterator_close(sources[s]);
            return status;
        }
        count++;
    }
    *scan = merge_scans(sources, count, filter->reversed, arena);
    return STATUS_OK;
}

// ---- What was missing --------------------------------------------------------------------------

// A load on its way: the engine's, since who asked for it may be gone when the engine is abandoned.
struct engine_loading {
    struct engine_loading *next, **place; // In the engine's list.
    struct engine *engine;
    struct engine_load *load;
    struct env_job job;
    size_t count; // Misses.
    struct sstable_load loads[];
};

static void load_work(struct env_job *job)
{
    struct engine_loading *loading = CONTAINER_OF(job, struct engine_loading, job);
    for (size_t i = 0; i < loading->count; i++)
        sstable_load_work(&loading->loads[i]);
}

static void unlink_loading(struct engine_loading *loading)
{
    *loading->place = loading->next;
    if (loading->next != NULL) loading->next->place = loading->place;
}

static void load_done(struct env_job *job)
{
    struct engine_loading *loading = CONTAINER_OF(job, struct engine_loading, job);
    struct engine *engine = loading->engine;
    struct engine_load *load = loading->load;
    enum status first_status = STATUS_OK;
    for (size_t i = 0; i < loading->count; i++) {
        enum status status =
            sstable_load_finish(&loading->loads[i], engine->chunk_cache, load->pins, NULL);
        // The read may not get to the others: what is damaged there is met again if it does.
        if (i == 0) first_status = status;
    }
    unlink_loading(loading);
    free(loading);
    bool is_closing = engine->is_closing;
    load->done(load, first_status);
    // Only a stop can end the engine, and a stop waits for us.
    if (is_closing) engine_go_on_closing(engine);
}

void engine_load(struct engine *engine, struct engine_load *load, struct read_pins *pins,
                 void (*done)(struct engine_load *load, enum status status))
{
    *load = (struct engine_load){.done = done, .pins = pins};
    struct engine_loading *loading =
        malloc(sizeof *loading + pins->miss_count * sizeof loading->loads[0]);
    ASSERT(loading != NULL);
    *loading = (struct engine_loading){
        .next = engine->loadings, .place = &engine->loadings, .engine = engine, .load = load};
    if (loading->next != NULL) loading->next->place = &loading->next;
    engine->loadings = loading;
    while (sstable_load_begin(&loading->loads[loading->count], pins))
        loading->count++;
    env_offload(engine->env, &loading->job, ENV_LANE_READ, load_work, load_done);
}

void engine_drop_loadings(struct engine *engine)
{
    while (engine->loadings != NULL) {
        struct engine_loading *loading = engine->loadings;
        for (size_t i = 0; i < loading->count; i++)
            sstable_load_drop(&loading->loads[i]);
        unlink_loading(loading);
        free(loading);
    }
}
