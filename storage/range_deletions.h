// The range deletions of one partition as ranges that do not overlap, in clustering order
// (org.apache.cassandra.db.RangeTombstoneList).
//
//     added:  [---- t=5 ----]          added:      [-- t=3 --]
//     kept:   [---- t=5 ----](- t=3 -]
#ifndef STORAGE_RANGE_DELETIONS_H
#define STORAGE_RANGE_DELETIONS_H

#include "base/arena.h"
#include "storage/mutation.h"

// All zero is none. Memory is the arena's that range_deletions_add() is given, always the same.
struct range_deletions {
    struct range_deletion *items;
    size_t count, capacity;
};

// Adds a range; where it overlaps others the newest deletion stays. Copies what it keeps. An empty
// range changes nothing.
void range_deletions_add(struct range_deletions *ranges, const struct table *table,
                         const struct range_deletion *added, struct arena *arena);
// The index of the first that ends behind this place, or `count`.
size_t range_deletions_find_end_after(const struct range_deletions *ranges,
                                      const struct table *table, const struct bound *place);
// What deletes this row: DELETION_NONE if nothing.
struct deletion range_deletions_at(const struct range_deletions *ranges, const struct table *table,
                                   const struct clustering *clustering);
// The start of what is behind an end, and the end of what is before a start.
struct bound range_deletions_invert(struct bound bound);

#endif
