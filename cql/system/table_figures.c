#include "cql/system/table_figures.h"

#include "base/assert.h"

#include <stdlib.h>
#include <xxhash.h>

// ---- Latencies ----------------------------------------------------------------------------------

// 0, 1, 2, 3, then four for each power of two: 4 5 6 7, 8 10 12 14, …
static uint32_t table_latency_bucket(uint64_t us)
{
    if (us < 4) return (uint32_t)us;
    uint32_t power = 63 - (uint32_t)__builtin_clzll(us);
    uint32_t bucket = 4 * (power - 1) + (uint32_t)(us >> (power - 2) & 3);
    return bucket < TABLE_LATENCY_BUCKETS ? bucket : TABLE_LATENCY_BUCKETS - 1;
}

// The largest value of a bucket.
static uint64_t table_latency_end(uint32_t bucket)
{
    if (bucket < 4) return bucket;
    uint32_t power = bucket / 4 + 1;
    return ((uint64_t)(bucket % 4 + 5) << (power - 2)) - 1;
}

static void table_latency_add(struct table_latency *latency, uint64_t number)
{
    latency->buckets[table_latency_bucket(number)]++;
    latency->timed++;
    if (number > latency->max_us) latency->max_us = number;
}

void table_latency_record(struct table_latency *latency, uint64_t elapsed_ns)
{
    table_latency_add(latency, elapsed_ns / 1000);
}

void table_latency_note(struct table_latency *latency, uint64_t number)
{
    latency->count++;
    table_latency_add(latency, number);
}

uint64_t table_latency_percentile(const struct table_latency *latency, double percent)
{
    double wanted = (double)latency->timed * percent / 100;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < TABLE_LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen == 0 || (double)seen < wanted) continue;
        uint64_t end = table_latency_end(i);
        return end < latency->max_us ? end : latency->max_us;
    }
    return latency->max_us;
}

// ---- Tables -------------------------------------------------------------------------------------

// Found by a hash of the table's id, in a table that is never more than half full.
struct table_figures_set {
    struct table_figures **places;
    size_t capacity, count;
    struct table_latency batches[TABLE_BATCH_COUNT];
};

struct table_figures_set *table_figures_create(void)
{
    struct table_figures_set *set = calloc(1, sizeof *set);
    ASSERT(set != NULL);
    return set;
}

void table_figures_destroy(struct table_figures_set *set)
{
    if (set == NULL) return;
    for (size_t i = 0; i < set->capacity; i++)
        free(set->places[i]);
    free(set->places);
    free(set);
}

void table_figures_note_batch(struct table_figures_set *set, enum table_batch_kind kind,
                              uint64_t partitions)
{
    table_latency_note(&set->batches[kind], partitions);
}

const struct table_latency *table_figures_batches(const struct table_figures_set *set,
                                                  enum table_batch_kind kind)
{
    return &set->batches[kind];
}

static struct table_figures **table_figures_place(const struct table_figures_set *set,
                                                  struct uuid table)
{
    size_t at = (size_t)XXH3_64bits(table.bytes, sizeof table.bytes) & (set->capacity - 1);
    while (set->places[at] != NULL && !uuid_equals(set->places[at]->table, table))
        at = (at + 1) & (set->capacity - 1);
    return &set->places[at];
}

static void table_figures_grow(struct table_figures_set *set)
{
    struct table_figures_set grown = {.capacity = set->capacity == 0 ? 16 : 2 * set->capacity,
                                      .count = set->count};
    grown.places = calloc(grown.capacity, sizeof(struct table_figures *));
    ASSERT(grown.places != NULL);
    for (size_t i = 0; i < set->capacity; i++)
        if (set->places[i] != NULL)
            *table_figures_place(&grown, set->places[i]->table) = set->places[i];
    free(set->places);
    set->places = grown.places;
    set->capacity = grown.capacity;
}

const struct table_figures *table_figures_find(const struct table_figures_set *set,
                                               struct uuid table)
{
    return set->capacity == 0 ? NULL : *table_figures_place(set, table);
}

struct table_figures *table_figures_of(struct table_figures_set *set, struct uuid table)
{
    if (2 * set->count >= set->capacity) table_figures_grow(set);
    struct table_figures **place = table_figures_place(set, table);
    if (*place != NULL || set->count == TABLE_FIGURES_MAX) return *place;
    struct table_figures *made = calloc(1, sizeof *made);
    ASSERT(made != NULL);
    made->table = table;
    set->count++;
    *place = made;
    return made;
}
