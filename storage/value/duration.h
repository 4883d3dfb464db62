// The type duration: months, days and nanoseconds, of one sign
// (org.apache.cassandra.cql3.Duration).
//
//     zv months, zv days, zv nanoseconds
#ifndef STORAGE_VALUE_DURATION_H
#define STORAGE_VALUE_DURATION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

struct duration {
    int32_t months, days;
    int64_t nanoseconds;
};

// In the arena.
struct slice duration_encode(struct duration duration, struct arena *arena);
// CORRUPT.
MUST_USE enum status duration_decode(struct slice value, struct duration *duration);
// Milliseconds since 1970 and a duration: months are the calendar's, and end where the month does.
int64_t duration_add_to_ms(struct duration duration, int64_t ms);
// The last start + n * duration that is not after `ms`; `start` is not after it either, and no part
// of the duration is negative.
int64_t duration_floor_ms(struct duration duration, int64_t ms, int64_t start);

// "1y2mo3d4h5m6s7ms8us9ns", with a minus in front; nothing for zero.
void duration_put_text(struct duration duration, struct buffer *text);
// "1h30m", "-1mo", ISO 8601 "P1Y2M3DT4H5M6S", "P2W", "P0001-02-03T04:05:06". INVALID with
// Cassandra's text.
MUST_USE enum status duration_parse(struct slice text, struct duration *duration,
                                    struct error *error);

#endif
