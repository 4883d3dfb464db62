#include "node/sim/job_shards.h"

#include "base/assert.h"
#include "storage/counter_context.h"
#include "storage/merge/live_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES_MAX = 4096, ARENA_BLOCK_SIZE = 4096 };

// A batch's end: behind so many lines, at least and at most.
struct end {
    size_t first, last;
};

struct job_shards {
    int64_t *totals; // Of the first 0, 1, 2 … lines, JOB_SHARDS_WORDS each.
    size_t line_count, capacity;
    struct end ends[BATCHES_MAX]; // By clock.
    size_t end_count;             // Of those that were seen, the highest and one.
    struct arena arena;
    struct read_pins pins;
};

static int64_t total_at(const struct job_shards *shards, size_t line, size_t word)
{
    return shards->totals[line * JOB_SHARDS_WORDS + word];
}

static int64_t *add_totals(struct job_shards *shards)
{
    if (shards->line_count + 1 >= shards->capacity) {
        shards->capacity = shards->capacity == 0 ? 1024 : 2 * shards->capacity;
        shards->totals =
            realloc(shards->totals, shards->capacity * JOB_SHARDS_WORDS * sizeof *shards->totals);
        ASSERT(shards->totals != NULL);
    }
    return shards->totals + (shards->line_count + 1) * JOB_SHARDS_WORDS;
}

struct job_shards *job_shards_create(void)
{
    struct job_shards *shards = calloc(1, sizeof *shards);
    ASSERT(shards != NULL);
    arena_init(&shards->arena, ARENA_BLOCK_SIZE);
    read_pins_init(&shards->pins);
    (void)add_totals(shards);
    memset(shards->totals, 0, JOB_SHARDS_WORDS * sizeof *shards->totals);
    return shards;
}

void job_shards_destroy(struct job_shards *shards)
{
    arena_deinit(&shards->arena);
    free(shards->totals);
    free(shards);
}

void job_shards_add_line(struct job_shards *shards, const int64_t counts[static JOB_SHARDS_WORDS])
{
    int64_t *totals = add_totals(shards);
    for (size_t word = 0; word < JOB_SHARDS_WORDS; word++)
        totals[word] = total_at(shards, shards->line_count, word) + counts[word];
    shards->line_count++;
}

// ---- What a shard says -------------------------------------------------------------------------

// The first line behind which the word has come so often; line_count + 1: none.
static size_t first_line(const struct job_shards *shards, size_t word, int64_t count)
{
    size_t low = 0, high = shards->line_count + 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (total_at(shards, middle, word) >= count)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// Batches before it end no later, those behind it no sooner.
static bool narrow(struct job_shards *shards, size_t clock, size_t first, size_t last)
{
    while (shards->end_count <= clock)
        shards->ends[shards->end_count++] =
            (struct end){shards->end_count == 0 ? 0 : shards->ends[shards->end_count - 1].first,
                         shards->line_count};
    for (size_t i = clock; i < shards->end_count && shards->ends[i].first < first; i++)
        shards->ends[i].first = first;
    for (size_t i = clock + 1; i-- > 0 && shards->ends[i].last > last;)
        shards->ends[i].last = last;
    for (size_t i = 0; i < shards->end_count; i++)
        if (shards->ends[i].first > shards->ends[i].last) return false;
    return true;
}

static const char *see_shard(struct job_shards *shards, size_t word,
                             const struct counter_shard *shard, char message[static 512])
{
    if (shard->clock < 0 || shard->clock >= BATCHES_MAX) return NULL;
    size_t first = first_line(shards, word, shard->count);
    size_t behind = first_line(shards, word, shard->count + 1);
    if (first < behind && narrow(shards, (size_t)shard->clock, first, behind - 1)) return NULL;
    (void)snprintf(message, 512,
                   "a shard of x%c has the count %" PRId64 " at clock %" PRId64
                   ", which other shards contradict",
                   (char)('a' + (char)word), shard->count, shard->clock);
    return message;
}

// ---- What an engine holds ----------------------------------------------------------------------

// NULL also when it would have to be loaded.
static const char *see_partition(struct job_shards *shards, struct partition_iterator *partition,
                                 char message[static 512])
{
    struct slice key = partition->key.bytes;
    size_t word = key.size == 2 ? (size_t)(key.data[1] - 'a') : JOB_SHARDS_WORDS;
    struct live_rows rows;
    if (word >= JOB_SHARDS_WORDS) return NULL; // Told elsewhere.
    live_rows_init(&rows, partition, 0, &shards->arena);
    const struct live_row *row;
    while (live_rows_next(&rows, &row) == STATUS_OK) {
        for (uint32_t i = 0; i < row->cell_count; i++) {
            struct slice context = row->cells[i].value;
            for (size_t j = 0; j < counter_context_shard_count(context); j++) {
                struct counter_shard shard = counter_context_shard_at(context, j);
                const char *wrong = see_shard(shards, word, &shard, message);
                if (wrong != NULL) return wrong;
            }
        }
    }
    return NULL;
}

const char *job_shards_look(struct job_shards *shards, struct engine *engine,
                            const struct table *table, char message[static 512])
{
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    const struct partition_filter filter = {.ranges = &all, .range_count = 1};
    const struct scan_range range = SCAN_RANGE_ALL;
    struct scan_iterator *scan = NULL;
    const char *wrong = NULL;
    uint64_t position = 0;
    arena_reset(&shards->arena);
    if (engine_scan(engine, table, &range, &filter, &shards->pins, &shards->arena, &scan,
                    &position) == STATUS_OK) {
        struct partition_iterator *partition = NULL;
        while (wrong == NULL && scan_iterator_next(scan, &partition) == STATUS_OK) {
            wrong = see_partition(shards, partition, message);
            partition_iterator_close(partition);
        }
    }
    if (scan != NULL) scan_iterator_close(scan);
    read_pins_release(&shards->pins);
    return wrong;
}
