// The value of a counter cell: one shard for each node or job that ever added to it
// (org.apache.cassandra.db.context.CounterContext; sstable-nb §3).
//
//     i16 n, n × i16 header element, k × { 16 bytes id, i64 clock, i64 count }, ids ascending
//
// A state-based CRDT: for each id the higher clock wins, so applying one twice changes nothing. We
// only make global shards; local and remote ones of old files are read and merged.
#ifndef STORAGE_COUNTER_CONTEXT_H
#define STORAGE_COUNTER_CONTEXT_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "storage/schema/schema.h"

enum counter_shard_kind { COUNTER_SHARD_GLOBAL, COUNTER_SHARD_LOCAL, COUNTER_SHARD_REMOTE };

struct counter_shard {
    struct uuid id;
    int64_t clock;
    int64_t count;
    enum counter_shard_kind kind;
};

enum { COUNTER_SINGLE_SHARD_SIZE = 36 };

// Its lengths fit together (the only check that Cassandra makes).
bool counter_context_is_valid(struct slice context);
// Sum of all counts, wrapping at 64 bits.
int64_t counter_context_total(struct slice context);
size_t counter_context_shard_count(struct slice context);
struct counter_shard counter_context_shard_at(struct slice context, size_t index);
// False when the context has no shard of this id.
bool counter_context_find(struct slice context, struct uuid id, struct counter_shard *shard);
// Local or remote shards are present (Statistics: hasLegacyCounterShards).
bool counter_context_has_legacy(struct slice context);

// In files of before 2.1, received from another node: its local shards are to be taken for remote
// ones (shouldClearLocal, clearAllLocal). The result is the context itself or new in the arena.
bool counter_context_is_marked(struct slice context);
struct slice counter_context_clear_local(struct slice context, struct arena *arena);

// One global shard, 36 bytes.
void counter_context_make_global(struct uuid id, int64_t clock, int64_t count,
                                 uint8_t context[static COUNTER_SINGLE_SHARD_SIZE]);
// §3.3. The result is one of the two, or new in the arena. `*conflict`, if not NULL, is set when a
// shard had one clock and two counts (exactly-once.md §2.5): the higher is kept, as Cassandra does.
struct slice counter_context_merge(struct slice a, struct slice b, struct arena *arena,
                                   bool *conflict);
// Writes a single global shard over the one of its id in the context, if that is global too and its
// clock is lower: the usual increment, without new memory. False: nothing was changed, and the two
// are to be merged.
bool counter_context_count_on(uint8_t *context, size_t size, struct slice single);

#endif
