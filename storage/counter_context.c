#include "storage/counter_context.h"

#include "base/assert.h"
#include "base/bytes.h"

enum { SHARD_SIZE = 32, GLOBAL_BIT = 0x8000, HEADER_COUNT_MAX = 32767 };

// A walk over the shards with the header beside it. An invalid context has none.
struct shard_walk {
    const uint8_t *shard; // The present one.
    size_t index, count;
    const uint8_t *element, *elements_end; // Header elements of this shard and later ones.
};

static inline size_t header_count(struct slice context)
{
    int16_t count = (int16_t)bytes_get_u16(context.data);
    return (size_t)(count < 0 ? -count : count); // Negative: "marked", §3.5.
}

bool counter_context_is_valid(struct slice context)
{
    if (context.size < 2) return false;
    size_t header_size = 2 + 2 * header_count(context);
    return header_size <= context.size && (context.size - header_size) % SHARD_SIZE == 0;
}

static struct shard_walk walk(struct slice context)
{
    if (!counter_context_is_valid(context)) return (struct shard_walk){.count = 0};
    const uint8_t *element = context.data + 2;
    const uint8_t *elements_end = element + 2 * header_count(context);
    size_t body_size = context.size - (size_t)(elements_end - context.data);
    return (struct shard_walk){elements_end, 0, body_size / SHARD_SIZE, element, elements_end};
}

static inline bool walk_is_over(const struct shard_walk *walk)
{
    return walk->index == walk->count;
}

static inline enum counter_shard_kind walk_kind(struct shard_walk *walk)
{
    // Elements ascend by the shard's index, which is their low 15 bits.
    while (walk->element < walk->elements_end) {
        uint16_t element = bytes_get_u16(walk->element);
        size_t index = element & (GLOBAL_BIT - 1);
        if (index > walk->index) break;
        if (index == walk->index)
            return element & GLOBAL_BIT ? COUNTER_SHARD_GLOBAL : COUNTER_SHARD_LOCAL;
        walk->element += 2;
    }
    return COUNTER_SHARD_REMOTE;
}

static inline struct counter_shard walk_shard(struct shard_walk *walk)
{
    return (struct counter_shard){uuid_from_bytes(walk->shard),
                                  (int64_t)bytes_get_u64(walk->shard + 16),
                                  (int64_t)bytes_get_u64(walk->shard + 24), walk_kind(walk)};
}

static inline void walk_on(struct shard_walk *walk)
{
    walk->shard += SHARD_SIZE;
    walk->index++;
}

int64_t counter_context_total(struct slice context)
{
    uint64_t total = 0;
    for (struct shard_walk at = walk(context); !walk_is_over(&at); walk_on(&at))
        total += bytes_get_u64(at.shard + 24);
    return (int64_t)total;
}

size_t counter_context_shard_count(struct slice context)
{
    return walk(context).count;
}

struct counter_shard counter_context_shard_at(struct slice context, size_t index)
{
    struct shard_walk at = walk(context);
    ASSERT(index < at.count);
    at.shard += index * SHARD_SIZE;
    at.index = index;
    return walk_shard(&at);
}

bool counter_context_find(struct slice context, struct uuid id, struct counter_shard *shard)
{
    for (struct shard_walk at = walk(context); !walk_is_over(&at); walk_on(&at)) {
        int order = memcmp(at.shard, id.bytes, sizeof id.bytes);
        if (order > 0) return false;
        if (order < 0) continue;
        *shard = walk_shard(&at);
        return true;
    }
    return false;
}

bool counter_context_has_legacy(struct slice context)
{
    for (struct shard_walk at = walk(context); !walk_is_over(&at); walk_on(&at))
        if (walk_kind(&at) != COUNTER_SHARD_GLOBAL) return true;
    return false;
}

bool counter_context_is_marked(struct slice context)
{
    return context.size >= 2 && (int16_t)bytes_get_u16(context.data) < 0;
}

struct slice counter_context_clear_local(struct slice context, struct arena *arena)
{
    if (!counter_context_is_valid(context) || !counter_context_has_legacy(context)) return context;
    size_t count = header_count(context), kept = 0, body = 2 + 2 * count;
    uint8_t *cleared = arena_alloc(arena, context.size);
    for (size_t i = 0; i < count; i++) {
        uint16_t element = bytes_get_u16(context.data + 2 + 2 * i);
        if (element & GLOBAL_BIT) bytes_put_u16(cleared + 2 + 2 * kept++, element);
    }
    bytes_put_u16(cleared, (uint16_t)kept);
    memcpy(cleared + 2 + 2 * kept, context.data + body, context.size - body);
    return slice_make(cleared, 2 + 2 * kept + context.size - body);
}

// i16 1, i16 0x8000, id, clock, count.
void counter_context_make_global(struct uuid id, int64_t clock, int64_t count,
                                 uint8_t context[static COUNTER_SINGLE_SHARD_SIZE])
{
    bytes_put_u16(context, 1);
    bytes_put_u16(context + 2, GLOBAL_BIT);
    memcpy(context + 4, id.bytes, sizeof id.bytes);
    bytes_put_u64(context + 20, (uint64_t)clock);
    bytes_put_u64(context + 28, (uint64_t)count);
}

// ---- Merge --------------------------------------------------------------------------------------

// Both remote, of one id. A clock below zero is that of a shard that was cleared long ago.
static bool remote_first_wins(const struct counter_shard *a, const struct counter_shard *b)
{
    if (a->clock == b->clock) return a->count >= b->count;
    if (a->clock >= 0) return b->clock > 0 && a->clock >= b->clock;
    return b->clock > 0 || a->clock < b->clock;
}

// Two shards of one id, by the table of §3.3.
static struct counter_shard merge_shards(const struct counter_shard *a,
                                         const struct counter_shard *b, bool *conflict)
{
    if (a->kind == COUNTER_SHARD_GLOBAL && b->kind == COUNTER_SHARD_GLOBAL) {
        if (a->clock != b->clock) return a->clock > b->clock ? *a : *b;
        if (a->count != b->count && conflict != NULL) *conflict = true;
        return a->count >= b->count ? *a : *b;
    }
    if (a->kind == COUNTER_SHARD_GLOBAL || b->kind == COUNTER_SHARD_GLOBAL)
        return a->kind == COUNTER_SHARD_GLOBAL ? *a : *b;
    if (a->kind == COUNTER_SHARD_LOCAL && b->kind == COUNTER_SHARD_LOCAL) {
        struct counter_shard sum = *a;
        sum.clock = (int64_t)((uint64_t)a->clock + (uint64_t)b->clock);
        sum.count = (int64_t)((uint64_t)a->count + (uint64_t)b->count);
        return sum;
    }
    if (a->kind == COUNTER_SHARD_LOCAL || b->kind == COUNTER_SHARD_LOCAL)
        return a->kind == COUNTER_SHARD_LOCAL ? *a : *b;
    return remote_first_wins(a, b) ? *a : *b;
}

static inline bool shard_equals(const struct counter_shard *a, const struct counter_shard *b)
{
    return a->clock == b->clock && a->count == b->count && a->kind == b->kind;
}

// The walk over two contexts as one: the next merged shard, and who has exactly it.
static struct counter_shard merge_next(struct shard_walk *a, struct shard_walk *b, bool *conflict,
                                       bool *is_of_a, bool *is_of_b)
{
    int order = walk_is_over(a) ? 1 : walk_is_over(b) ? -1 : memcmp(a->shard, b->shard, 16);
    *is_of_a = order < 0;
    *is_of_b = order > 0;
    if (order != 0) {
        struct shard_walk *first = order < 0 ? a : b;
        struct counter_shard shard = walk_shard(first);
        walk_on(first);
        return shard;
    }
    struct counter_shard a_shard = walk_shard(a), b_shard = walk_shard(b);
    struct counter_shard merged = merge_shards(&a_shard, &b_shard, conflict);
    *is_of_a = shard_equals(&merged, &a_shard);
    *is_of_b = shard_equals(&merged, &b_shard);
    walk_on(a);
    walk_on(b);
    return merged;
}

static struct slice write_merged(struct shard_walk a, struct shard_walk b, size_t shard_count,
                                 size_t element_count, struct arena *arena)
{
    size_t size = 2 + 2 * element_count + SHARD_SIZE * shard_count;
    uint8_t *context = arena_alloc(arena, size);
    uint8_t *element = context + 2, *elements_end = element + 2 * element_count;
    uint8_t *shard_at = elements_end;
    bytes_put_u16(context, (uint16_t)element_count);
    for (size_t i = 0; i < shard_count; i++, shard_at += SHARD_SIZE) {
        bool is_of_a, is_of_b;
        struct counter_shard shard = merge_next(&a, &b, NULL, &is_of_a, &is_of_b);
        memcpy(shard_at, shard.id.bytes, sizeof shard.id.bytes);
        bytes_put_u64(shard_at + 16, (uint64_t)shard.clock);
        bytes_put_u64(shard_at + 24, (uint64_t)shard.count);
        if (shard.kind == COUNTER_SHARD_REMOTE || element == elements_end) continue;
        bytes_put_u16(element,
                      (uint16_t)(i | (shard.kind == COUNTER_SHARD_GLOBAL ? GLOBAL_BIT : 0)));
        element += 2;
    }
    ASSERT(element == elements_end);
    return slice_make(context, size);
}

static inline bool is_single_global(struct slice context)
{
    return context.size == COUNTER_SINGLE_SHARD_SIZE && bytes_get_u32(context.data) == 0x00018000;
}

struct slice counter_context_merge(struct slice a, struct slice b, struct arena *arena,
                                   bool *conflict)
{
    // Nearly all merges are of one node's shard with its next value.
    if (is_single_global(a) && is_single_global(b) && memcmp(a.data + 4, b.data + 4, 16) == 0) {
        int64_t a_clock = (int64_t)bytes_get_u64(a.data + 20);
        int64_t b_clock = (int64_t)bytes_get_u64(b.data + 20);
        if (a_clock != b_clock) return a_clock > b_clock ? a : b;
        int64_t a_count = (int64_t)bytes_get_u64(a.data + 28);
        int64_t b_count = (int64_t)bytes_get_u64(b.data + 28);
        if (a_count != b_count && conflict != NULL) *conflict = true;
        return a_count >= b_count ? a : b;
    }

    struct shard_walk a_walk = walk(a), b_walk = walk(b);
    const struct shard_walk a_start = a_walk, b_start = b_walk;
    size_t shard_count = 0, element_count = 0;
    bool a_has_all = true, b_has_all = true;
    for (; !walk_is_over(&a_walk) || !walk_is_over(&b_walk); shard_count++) {
        bool is_of_a, is_of_b;
        struct counter_shard shard = merge_next(&a_walk, &b_walk, conflict, &is_of_a, &is_of_b);
        element_count += shard.kind != COUNTER_SHARD_REMOTE && shard_count <= HEADER_COUNT_MAX;
        a_has_all = a_has_all && is_of_a;
        b_has_all = b_has_all && is_of_b;
    }
    if (a_has_all) return a;
    if (b_has_all) return b;
    // Past what an index of 15 bits can say, shards have no header element; no context of ours is
    // that long (COUNTER_SHARDS_MAX), and nobody's of Cassandra can be.
    if (element_count > HEADER_COUNT_MAX) element_count = HEADER_COUNT_MAX;
    return write_merged(a_start, b_start, shard_count, element_count, arena);
}

bool counter_context_count_on(uint8_t *context, size_t size, struct slice single)
{
    if (!is_single_global(single)) return false;
    const uint8_t *added = single.data + COUNTER_SINGLE_SHARD_SIZE - SHARD_SIZE;
    for (struct shard_walk at = walk(slice_make(context, size)); !walk_is_over(&at); walk_on(&at)) {
        int order = memcmp(at.shard, added, sizeof(struct uuid));
        if (order > 0) return false;
        if (order < 0) continue;
        int64_t clock = (int64_t)bytes_get_u64(at.shard + 16);
        if (walk_kind(&at) != COUNTER_SHARD_GLOBAL || (int64_t)bytes_get_u64(added + 16) <= clock)
            return false;
        memcpy(context + (at.shard - context), added, SHARD_SIZE);
        return true;
    }
    return false;
}
