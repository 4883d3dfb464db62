// The range deletions of one partition as ranges that do not overlap, in clustering order
// (org.apache.cassandra.db.RangeTombstoneList).
//
//     added:  [---- t=5 ----]          added:      [-- t=3 --]
//     kept:   [---- t=5 ----](- t=3 -]
//
// They stand in blocks of some dozens, so that one in the middle of many costs no more than one at
// the end. No block is empty.
#ifndef STORAGE_RANGE_DELETIONS_H
#define STORAGE_RANGE_DELETIONS_H

#include "base/arena.h"
#include "storage/mutation.h"

struct range_block {
    struct range_deletion *items;
    size_t count, capacity;
};

// All zero is none. Memory is the arena's that range_deletions_add() is given, always the same.
struct range_deletions {
    struct range_block *blocks;
    size_t block_count, block_capacity;
};

// Which of them; behind the last, `block` is the number of blocks.
struct range_place {
    size_t block, index;
};

// Adds a range; where it overlaps others the newest deletion stays. Copies what it keeps. An empty
// range changes nothing.
void range_deletions_add(struct range_deletions *ranges, const struct table *table,
                         const struct range_deletion *added, struct arena *arena);
// The first that ends behind this place.
struct range_place range_deletions_find_end_after(const struct range_deletions *ranges,
                                                  const struct table *table,
                                                  const struct bound *place);
// NULL behind the last.
const struct range_deletion *range_deletions_item(const struct range_deletions *ranges,
                                                  struct range_place place);
struct range_place range_deletions_next(const struct range_deletions *ranges,
                                        struct range_place place);
// False, and no change, at the first.
bool range_deletions_previous(const struct range_deletions *ranges, struct range_place *place);
// What deletes this row: DELETION_NONE if nothing.
struct deletion range_deletions_at(const struct range_deletions *ranges, const struct table *table,
                                   const struct clustering *clustering);
// The start of what is behind an end, and the end of what is before a start.
struct bound range_deletions_invert(struct bound bound);

#endif
