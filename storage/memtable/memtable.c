#include "storage/memtable/memtable.h"

#include "base/assert.h"
#include "base/block_pool.h"
#include "storage/memtable/memtable_internal.h"

#include <stdlib.h>

// The arena begins small, as there may be thousands of tables, and grows with what it holds.
enum { BLOCK_SIZE_MIN = 4096, BLOCK_SIZE_MAX = 1 << 20, BLOCKS_PER_SIZE = 8 };
// A memtable of this size is worth huge pages.
enum { SIZE_OF_HUGE = 8 << 20 };

struct memtable *memtable_create(const struct table *table)
{
    struct memtable *memtable = calloc(1, sizeof *memtable);
    ASSERT(memtable != NULL);
    memtable->references = 1;
    memtable->min_timestamp = INT64_MAX;
    memtable->table = table;
    table_ref(table);
    arena_init(&memtable->arena, BLOCK_SIZE_MIN);
    return memtable;
}

void memtable_use_pool(struct memtable *memtable, struct block_pool *pool)
{
    ASSERT(memtable->arena.pool == NULL && arena_size(&memtable->arena) == 0);
    block_pool_ref(pool);
    memtable->arena.pool = pool;
}

void memtable_ref(struct memtable *memtable)
{
    (void)__atomic_fetch_add(&memtable->references, 1, __ATOMIC_RELAXED);
}

void memtable_unref(struct memtable *memtable)
{
    if (memtable == NULL) return;
    if (__atomic_fetch_sub(&memtable->references, 1, __ATOMIC_ACQ_REL) > 1) return;
    memtable_index_deinit(&memtable->index);
    struct block_pool *pool = memtable->arena.pool;
    arena_deinit(&memtable->arena);
    block_pool_unref(pool);
    table_unref(memtable->table);
    free(memtable);
}

void memtable_freeze(struct memtable *memtable)
{
    memtable->frozen = true;
}

const struct table *memtable_table(const struct memtable *memtable)
{
    return memtable->table;
}

size_t memtable_size(const struct memtable *memtable)
{
    return arena_size(&memtable->arena) + memtable_index_size(&memtable->index);
}

size_t memtable_partition_count(const struct memtable *memtable)
{
    return memtable->index.count;
}

int64_t memtable_min_timestamp(const struct memtable *memtable)
{
    return memtable->min_timestamp;
}

// ---- Changes -----------------------------------------------------------------------------------

static int64_t earlier(int64_t earliest, int64_t timestamp)
{
    return timestamp != TIMESTAMP_NONE && timestamp < earliest ? timestamp : earliest;
}

static int64_t row_min_timestamp(const struct row *row, int64_t earliest)
{
    earliest = earlier(earliest, row->liveness.timestamp);
    earliest = earlier(earliest, row->deletion.timestamp);
    for (uint32_t i = 0; i < row->complex_deletion_count; i++)
        earliest = earlier(earliest, row->complex_deletions[i].deletion.timestamp);
    for (uint32_t i = 0; i < row->cell_count; i++)
        earliest = earlier(earliest, row->cells[i].timestamp);
    return earliest;
}

static int64_t mutation_min_timestamp(const struct mutation *mutation, int64_t earliest)
{
    earliest = earlier(earliest, mutation->deletion.timestamp);
    for (size_t i = 0; i < mutation->range_deletion_count; i++)
        earliest = earlier(earliest, mutation->range_deletions[i].deletion.timestamp);
    if (mutation->static_row != NULL) earliest = row_min_timestamp(mutation->static_row, earliest);
    for (size_t i = 0; i < mutation->row_count; i++)
        earliest = row_min_timestamp(&mutation->rows[i], earliest);
    return earliest;
}

static int compare_keys(const void *context, const void *key, const void *item)
{
    (void)context;
    const struct partition_key *wanted = key;
    const struct memtable_partition *partition = item;
    return partition_key_compare(wanted, &partition->key);
}

uint64_t memtable_token_prefix(struct token token)
{
    return (uint64_t)token.value ^ 1ull << 63;
}

struct memtable_partition *memtable_find_partition(const struct memtable *memtable,
                                                   const struct partition_key *key)
{
    return memtable_index_find(&memtable->index, memtable_index_hash(key->bytes), key->bytes);
}

static struct memtable_partition *find_or_make_partition(struct memtable *memtable,
                                                         const struct partition_key *key)
{
    struct memtable_partition *partition = memtable->found_partition;
    if (partition != NULL && partition->key.token.value == key->token.value &&
        slice_equals(partition->key.bytes, key->bytes))
        return partition;
    uint64_t hash = memtable_index_hash(key->bytes);
    partition = memtable_index_find(&memtable->index, hash, key->bytes);
    if (partition != NULL) return partition;
    partition = ARENA_NEW(&memtable->arena, struct memtable_partition);
    partition->key.token = key->token;
    partition->key.bytes = arena_copy(&memtable->arena, key->bytes);
    partition->deletion = DELETION_NONE;

    struct memtable_order_path path;
    uint64_t prefix = memtable_token_prefix(key->token);
    void *found =
        memtable_order_find(&memtable->partitions, prefix, key, compare_keys, NULL, &path);
    ASSERT(found == NULL);
    memtable_order_insert(&memtable->partitions, &memtable->arena, &path, prefix, partition);
    memtable_index_insert(&memtable->index, hash, partition);
    return partition;
}

bool memtable_apply(struct memtable *memtable, const struct mutation *mutation,
                    uint64_t log_position)
{
    ASSERT(!memtable->frozen);
    ASSERT(mutation->table == memtable->table);
    memtable->min_timestamp = mutation_min_timestamp(mutation, memtable->min_timestamp);
    struct memtable_partition *partition = find_or_make_partition(memtable, &mutation->key);
    if (log_position > partition->log_position) partition->log_position = log_position;
    struct memtable_row *hint = partition == memtable->found_partition ? memtable->found_row : NULL;
    bool is_clean = memtable_partition_apply(partition, mutation, hint, &memtable->arena);
    if (memtable->arena.block_size < BLOCK_SIZE_MAX &&
        memtable->arena.size > memtable->arena.block_size * BLOCKS_PER_SIZE)
        memtable->arena.block_size *= 2;
    if (memtable->arena.size >= SIZE_OF_HUGE) memtable->arena.block_size = ARENA_BLOCK_HUGE;
    return is_clean;
}

// gcc takes an inline function that only prefetches for one that does nothing, and leaves it out.
static inline __attribute__((always_inline)) void prefetch_lines(const void *memory, size_t count)
{
    enum { CACHE_LINE = 64 };
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch((const char *)memory + i * CACHE_LINE);
}

// Step by step for all, as each step needs what the one before it has fetched: slots of the index,
// partitions, their leaves, the places in these, the rows.
void memtable_prefetch(struct memtable_prefetch *prefetches, size_t count)
{
    enum {
        PARTITION_LINES = 2,
        ROW_LINES = 3
    }; // With what was made with them: key, cells, values.
    struct memtable_prefetch *end = prefetches + count;
    for (struct memtable_prefetch *p = prefetches; p < end; p++) {
        p->hash = memtable_index_hash(p->mutation->key.bytes);
        memtable_index_prefetch(&p->memtable->index, p->hash);
    }
    for (struct memtable_prefetch *p = prefetches; p < end; p++) {
        p->partition = memtable_index_guess(&p->memtable->index, p->hash);
        if (p->partition != NULL) prefetch_lines(p->partition, PARTITION_LINES);
    }
    for (struct memtable_prefetch *p = prefetches; p < end; p++) {
        if (p->partition != NULL) memtable_order_prefetch(&p->partition->rows);
    }
    for (struct memtable_prefetch *p = prefetches; p < end; p++) {
        bool has_row = p->partition != NULL && p->mutation->row_count > 0;
        p->place = has_row ? memtable_partition_guess(p->partition, p->memtable->table,
                                                      &p->mutation->rows[0].clustering)
                           : NULL;
    }
    for (struct memtable_prefetch *p = prefetches; p < end; p++) {
        p->row = p->place == NULL ? NULL : *p->place;
        if (p->row != NULL) prefetch_lines(p->row, ROW_LINES);
    }
}

bool memtable_apply_prefetched(const struct memtable_prefetch *prefetch, uint64_t log_position)
{
    prefetch->memtable->found_partition = prefetch->partition;
    prefetch->memtable->found_row = prefetch->row;
    return memtable_apply(prefetch->memtable, prefetch->mutation, log_position);
}

const struct cell *memtable_find_cell(const struct memtable *memtable,
                                      const struct partition_key *key,
                                      const struct clustering *clustering, uint16_t column)
{
    struct memtable *notes = (struct memtable *)(uintptr_t)memtable;
    struct memtable_partition *partition = memtable_find_partition(memtable, key);
    if (partition == NULL) return NULL;
    struct memtable_row *row = memtable_partition_find_row(partition, memtable->table, clustering);
    notes->found_partition = partition;
    notes->found_row = clustering == NULL ? NULL : row;
    if (row == NULL) return NULL;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (row->cells[i].column != column) continue;
        notes->found_cell = memtable_row_cell(&row->cells[i]);
        return &notes->found_cell;
    }
    return NULL;
}
