// What a store may answer of values that expire: the part of the checker (model.h) that knows of
// time. Every write has a time to live, counted from the clock of the node that it was sent to; a
// read asks with the clock of the node that it was sent to, whatever the clocks of replicas say.
//
//     a write is over at some second of [earliest, latest]: its node's clock when it was sent and
//     when its answer came, and its time to live. A read's "now" lies between its begin and end.
//
// The newest write that is not refused counts, over or not: one that is over is like a deletion. So
// nothing older than what was certain when the read began is ever seen.
#ifndef NODE_SIM_EXPIRY_H
#define NODE_SIM_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXPIRY_PARTITIONS = 3, EXPIRY_ROWS = 4, EXPIRY_TTL_MAX_S = 6 };

// Seconds of some node's clock; from INT64_MIN to INT64_MAX when nobody can say.
struct expiry_span {
    int64_t first_s, last_s;
};

struct expiry;

struct expiry *expiry_create(void);
void expiry_destroy(struct expiry *expiry);
// A write of this cell begins.
void expiry_write(struct expiry *expiry, size_t partition, size_t row, uint64_t stamp);
// It may be there from now on, or is: over at a second of this span.
void expiry_written(struct expiry *expiry, size_t partition, size_t row, uint64_t stamp,
                    struct expiry_span over, bool is_certain);
void expiry_refuse(struct expiry *expiry, size_t partition, size_t row, uint64_t stamp);
// The newest write that every QUORUM read meets.
uint64_t expiry_floor(const struct expiry *expiry, size_t partition, size_t row);
// A read that began with this floor found this write (0: none) with a "now" of this span. One of a
// low level (`!is_strong`) may miss what is certain. NULL, or what is wrong.
const char *expiry_read(struct expiry *expiry, size_t partition, size_t row, uint64_t stamp,
                        uint64_t floor, struct expiry_span now, bool is_strong,
                        char message[static 512]);

#endif
