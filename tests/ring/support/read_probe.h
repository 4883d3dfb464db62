// Changes to single replicas behind the coordinators' backs, and reads as text: for tests of what
// reads do when replicas differ.
//
//     row  "c=a,b"; a value that is not there is "-"       partition "key{s=S; c1=a,- c2=-,b}"
#ifndef TESTS_RING_SUPPORT_READ_PROBE_H
#define TESTS_RING_SUPPORT_READ_PROBE_H

#include "tests/ring/support/ring_world.h"

// ---- Changes of table "t" (or "counts"), at one member's engine
// ----------------------------------

struct probe_change {
    const char *key;
    const char *c;         // NULL: no row (of the partition or its static row).
    const char *a, *b, *s; // Values; "" is a tombstone.
    int64_t timestamp;     // Of all of it.
    int32_t ttl, expires;  // Of the cells, 0: none.
    bool is_insert;        // With liveness.
    bool deletes_row, deletes_partition;
    const char *delete_from, *delete_to; // A range deletion [from, to].
    bool from_exclusive, to_exclusive;
    int shard;            // Of "counts": the counter id's first byte, 0: none…
    int64_t clock, count; // … its clock and count.
};
void probe_apply(struct ring_world *world, size_t member, const struct probe_change *change);
void probe_apply_to_all(struct ring_world *world, const struct probe_change *change);
// Flushes table "t" at one member.
void probe_flush(struct ring_world *world, size_t member);
// All that a member has of a partition, with tombstones and timestamps, as bytes of an answer.
struct slice probe_local(struct ring_world *world, size_t member, const char *table,
                         const char *key, struct buffer *bytes);

// ---- Reads --------------------------------------------------------------------------------------

struct probe_read {
    struct coordinator_read read;
    // Set by the test, before probe_begin().
    const char *table;           // NULL: "t".
    const struct table *version; // NULL: the present one.
    const char *const *keys;     // NULL: all.
    size_t key_count;
    enum consistency consistency;
    bool reversed;
    const char *from, *to;     // Rows [from, to]; NULL: all.
    size_t rows_wanted;        // 0: all.
    size_t rows_per_partition; // 0: all.
    int32_t now_s;
    // The outcome.
    bool is_done;
    struct coordinator_result result;
    struct buffer text;
    size_t rows, restarts;
    // The probe's.
    struct partition_key parsed_keys[64];
    struct clustering_range range;
    struct slice bounds[2];
};
void probe_begin(struct ring_world *world, size_t member, struct probe_read *probe);
// Begins, and runs the world until it has ended (at most 30 s).
void probe_run(struct ring_world *world, size_t member, struct probe_read *probe);
void probe_deinit(struct probe_read *probe);
// One partition at a level: OK and this text.
void probe_expect(struct ring_world *world, size_t member, const char *key,
                  enum consistency consistency, const char *text);

#endif
