#include "storage/merge/reconcile.h"

#include "storage/counter_context.h"

// Larger first rule wins, §10.1. Ties of all rules are the same cell but for its ttl.
static bool first_wins(const struct cell *a, const struct cell *b)
{
    if (a->timestamp != b->timestamp) return a->timestamp > b->timestamp;
    bool a_ends = a->local_time != LOCAL_TIME_NONE, b_ends = b->local_time != LOCAL_TIME_NONE;
    if (a_ends != b_ends) return a_ends;
    if (a_ends) {
        bool a_tombstone = cell_is_tombstone(a), b_tombstone = cell_is_tombstone(b);
        if (a_tombstone != b_tombstone) return a_tombstone;
        if (a->local_time != b->local_time) return a->local_time > b->local_time;
    }
    int order = slice_compare(a->value, b->value);
    if (order != 0) return order > 0;
    // Cassandra leaves the ttl open here and takes the left cell; the larger one does not depend on
    // the order.
    return a->ttl >= b->ttl;
}

static struct cell merge_counters(const struct cell *a, const struct cell *b, struct arena *arena,
                                  bool *conflict)
{
    bool a_tombstone = cell_is_tombstone(a), b_tombstone = cell_is_tombstone(b);
    // A tombstone beats every increment, whatever the timestamps (§3.6).
    if (a_tombstone || b_tombstone) return a_tombstone ? *a : *b;
    // A cell whose value was not asked for is empty, and stays so.
    if (a->value.size == 0 || b->value.size == 0) {
        if (a->value.size != b->value.size) return a->value.size == 0 ? *a : *b;
        return a->timestamp > b->timestamp ? *a : *b;
    }
    struct cell merged = *a;
    merged.timestamp = a->timestamp > b->timestamp ? a->timestamp : b->timestamp;
    merged.ttl = TTL_NONE;
    merged.local_time = LOCAL_TIME_NONE;
    merged.value = counter_context_merge(a->value, b->value, arena, conflict);
    return merged;
}

struct cell reconcile_cells(const struct cell *a, const struct cell *b, bool is_counter,
                            struct arena *arena)
{
    if (is_counter) return reconcile_counters(a, b, arena, NULL);
    return first_wins(a, b) ? *a : *b;
}

struct cell reconcile_counters(const struct cell *a, const struct cell *b, struct arena *arena,
                               bool *conflict)
{
    if (cell_is_tombstone(a) && cell_is_tombstone(b)) return first_wins(a, b) ? *a : *b;
    return merge_counters(a, b, arena, conflict);
}

// LivenessInfo.supersedes.
static bool supersedes(struct liveness a, struct liveness b)
{
    if (a.timestamp != b.timestamp) return a.timestamp > b.timestamp;
    bool a_marked = a.ttl == TTL_EXPIRED_LIVENESS, b_marked = b.ttl == TTL_EXPIRED_LIVENESS;
    if (a_marked != b_marked) return a_marked;
    bool a_expires = a.ttl != TTL_NONE, b_expires = b.ttl != TTL_NONE;
    if (a_expires == b_expires) return a.local_time > b.local_time;
    return a_expires;
}

struct liveness reconcile_liveness(struct liveness a, struct liveness b)
{
    if (supersedes(a, b)) return a;
    if (supersedes(b, a)) return b;
    return a.ttl >= b.ttl ? a : b;
}
