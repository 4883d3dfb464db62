// Who reduces what in a batch: the ring cut into ranges, one set of them for each reducer that
// lives (Spark's HashPartitioner, by token).
//
//     places of the ring   --A--B--C--A--B--C-->         all live: each place's range is its
//     member's, B is gone            --A--C--C--A--C--C-->         which is the first replica of
//     its keys;
//                                                        else the next live one's in ring order
//
// Two cuts have the same id only when each place is the same member's: parts and reports of
// different cuts are never mixed (rule 4 of exactly-once.md), and together a cut's ranges are the
// whole ring, each token once (rule 11).
#ifndef STREAM_CUT_H
#define STREAM_CUT_H

#include "stream/job/job_protocol.h"

struct cut {
    uint64_t id;
    uint64_t members; // Bit m: member m has a range.
    size_t place_count;
    struct job_place places[JOB_PLACES_MAX]; // Of whom each range is.
};

// Among the members of `usable` (by bit), at least one of them. A ring of one, without places, is
// its member 0's.
void cut_make(struct cut *cut, const struct job_ring *ring, uint64_t usable);
bool cut_has(const struct cut *cut, uint16_t member);
uint16_t cut_find(const struct cut *cut, struct token token);
// A member's ranges as a TASK has them; neighbours are made one.
void cut_put_ranges(const struct cut *cut, uint16_t member, struct buffer *ranges);

#endif
