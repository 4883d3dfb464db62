#include "storage/memtable/memtable_index.h"

#include "base/assert.h"

#include <stdlib.h>
#include <xxhash.h>

// Four slots moved with each insertion empty the old part before the new one, twice as large, is
// half full.
enum { CAPACITY_MIN = 64, SLOTS_MOVED_AT_ONCE = 4 };

void memtable_index_deinit(struct memtable_index *index)
{
    free(index->slots);
    free(index->old_slots);
    *index = (struct memtable_index){0};
}

uint64_t memtable_index_hash(struct slice key)
{
    return XXH3_64bits(key.data, key.size);
}

static struct memtable_partition *search(const struct memtable_index_slot *slots, size_t capacity,
                                         uint64_t hash, struct slice key)
{
    if (capacity == 0) return NULL;
    size_t mask = capacity - 1;
    for (size_t i = hash & mask; slots[i].partition != NULL; i = (i + 1) & mask) {
        if (slots[i].hash != hash) continue;
        struct memtable_partition *partition = slots[i].partition;
        // Its key was copied when it was made, and lies behind it.
        __builtin_prefetch((const char *)partition + 64);
        if (slice_equals(partition->key.bytes, key)) return partition;
    }
    return NULL;
}

struct memtable_partition *memtable_index_find(const struct memtable_index *index, uint64_t hash,
                                               struct slice key)
{
    struct memtable_partition *found = search(index->slots, index->capacity, hash, key);
    if (found != NULL || index->old_capacity == 0) return found;
    return search(index->old_slots, index->old_capacity, hash, key);
}

void memtable_index_prefetch(const struct memtable_index *index, uint64_t hash)
{
    if (index->capacity > 0) __builtin_prefetch(&index->slots[hash & (index->capacity - 1)]);
}

struct memtable_partition *memtable_index_guess(const struct memtable_index *index, uint64_t hash)
{
    size_t mask = index->capacity - 1;
    if (index->capacity == 0) return NULL;
    for (size_t i = hash & mask; index->slots[i].partition != NULL; i = (i + 1) & mask) {
        if (index->slots[i].hash == hash) return index->slots[i].partition;
    }
    return NULL;
}

static void place(struct memtable_index *index, struct memtable_index_slot slot)
{
    size_t mask = index->capacity - 1, i = slot.hash & mask;
    while (index->slots[i].partition != NULL)
        i = (i + 1) & mask;
    index->slots[i] = slot;
}

// Moved slots stay in the old part, where a search may still pass over them.
static void move_some(struct memtable_index *index)
{
    for (int i = 0; i < SLOTS_MOVED_AT_ONCE && index->moved < index->old_capacity; i++) {
        struct memtable_index_slot slot = index->old_slots[index->moved++];
        if (slot.partition != NULL) place(index, slot);
    }
    if (index->old_capacity == 0 || index->moved < index->old_capacity) return;
    free(index->old_slots);
    index->old_slots = NULL;
    index->old_capacity = index->moved = 0;
}

static void grow(struct memtable_index *index)
{
    ASSERT(index->old_capacity == 0);
    index->old_slots = index->slots;
    index->old_capacity = index->capacity;
    index->capacity = index->capacity == 0 ? CAPACITY_MIN : index->capacity * 2;
    // calloc() of a large table takes its zero pages only as they are used.
    index->slots = calloc(index->capacity, sizeof *index->slots);
    ASSERT(index->slots != NULL);
}

void memtable_index_insert(struct memtable_index *index, uint64_t hash,
                           struct memtable_partition *partition)
{
    if (index->count * 2 >= index->capacity) grow(index);
    move_some(index);
    place(index, (struct memtable_index_slot){hash, partition});
    index->count++;
}

size_t memtable_index_size(const struct memtable_index *index)
{
    return (index->capacity + index->old_capacity) * sizeof *index->slots;
}
