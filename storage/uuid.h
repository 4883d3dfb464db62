// 128-bit names: random (version 4), by time (version 1), by content (version 3). RFC 9562, and
// the two orders that Cassandra gives them (org.apache.cassandra.db.marshal.UUIDType,
// TimeUUIDType; org.apache.cassandra.utils.TimeUUID).
//
//     time_low 4 bytes | time_mid 2 | version 4 bits, time_hi 12 | variant, clock sequence 2 |
//     node 6
//
// The time of version 1 is in units of 100 ns since 1582-10-15.
#ifndef STORAGE_UUID_H
#define STORAGE_UUID_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct uuid {
    uint8_t bytes[16];
};

enum { UUID_TEXT_SIZE = sizeof "00000000-0000-0000-0000-000000000000" };

// 100 ns units between 1582-10-15 and 1970-01-01.
#define UUID_EPOCH_TICKS 122192928000000000

static inline bool uuid_equals(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

// `bytes` has 16.
static inline struct uuid uuid_from_bytes(const void *bytes)
{
    struct uuid uuid;
    memcpy(uuid.bytes, bytes, sizeof uuid.bytes);
    return uuid;
}

// As sixteen bytes on the wire and in our own files.
static inline void uuid_put(struct buffer *bytes, struct uuid uuid)
{
    buffer_put(bytes, uuid.bytes, sizeof uuid.bytes);
}

// Zeros when there are fewer: the cursor has failed then.
static inline struct uuid uuid_take(struct cursor *bytes)
{
    struct slice taken = cursor_take(bytes, sizeof(struct uuid));
    return taken.size == 0 ? (struct uuid){{0}} : uuid_from_bytes(taken.data);
}

// The number of its version: 1 to 8, or 0 or more for what is none.
static inline int uuid_version(struct uuid uuid)
{
    return uuid.bytes[6] >> 4;
}

// Lower case, with a NUL.
void uuid_format(struct uuid uuid, char text[static UUID_TEXT_SIZE]);
// 8-4-4-4-12 hexadecimal digits of either case. MALFORMED.
MUST_USE enum status uuid_parse(struct slice text, struct uuid *uuid);

// Version 1: `ticks` of 100 ns since 1582 (60 bits), 14 bits of clock sequence, 48 bits of node.
struct uuid uuid_make_time(uint64_t ticks, uint16_t clock_sequence, uint64_t node);
// The same of microseconds since 1970, with `tick` of 0 to 9 inside of the microsecond.
struct uuid uuid_make_time_us(int64_t wall_us, unsigned tick, uint16_t clock_sequence,
                              uint64_t node);
// Version 1 with given low eight bytes: Cassandra's minTimeuuid() has 0x8080808080808080, its
// maxTimeuuid() 0x7f7f7f7f7f7f7f7f.
struct uuid uuid_make_time_raw(uint64_t ticks, uint64_t low);
// Version 4 of 16 random bytes, version 3 of the 16 bytes of a hash.
struct uuid uuid_make_random(const uint8_t random[static 16]);
struct uuid uuid_make_hash(const uint8_t hash[static 16]);

// Fields of version 1.
uint64_t uuid_ticks(struct uuid uuid);
int64_t uuid_unix_ms(struct uuid uuid);
int64_t uuid_unix_us(struct uuid uuid);

// Order of the CQL type uuid: version, then time (version 1) or the first half, then the second.
int uuid_compare(struct uuid a, struct uuid b);
// Order of the CQL type timeuuid: time, then the second half as signed bytes.
int uuid_compare_time(struct uuid a, struct uuid b);

#endif
