#include "storage/commit_log/commit_log_format.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"

#include <xxhash.h>

enum { AT_LENGTH = 8, AT_LAG = 12, AT_POSITION = 16, HASH_SIZE = 8 };

// With the length of a record.
static const uint32_t flags[] = {
    [COMMIT_LOG_RECORD] = 0,
    [COMMIT_LOG_MARK] = 0x80000000,
    [COMMIT_LOG_GAP] = 0x40000000,
};

// Another version of the format has another constant, and so refuses these records.
#define SEED_OF_FORMAT 0x48656c656e757331ull

static uint64_t seed_of(uint64_t segment_id, uint64_t offset)
{
    return SEED_OF_FORMAT ^ segment_id * 0x9e3779b97f4a7c15ull ^ offset << 32;
}

void commit_log_format_put(uint8_t *at, uint64_t segment_id, uint64_t offset, uint64_t position,
                           uint64_t synced, enum commit_log_kind kind, struct slice bytes)
{
    ASSERT(position - synced <= UINT32_MAX);
    size_t size = commit_log_format_size(bytes.size);
    size_t used = COMMIT_LOG_HEADER_SIZE + bytes.size;
    bytes_put_u32_le(at + AT_LENGTH, (uint32_t)bytes.size | flags[kind]);
    bytes_put_u32_le(at + AT_LAG, (uint32_t)(position - synced));
    bytes_put_u64_le(at + AT_POSITION, position);
    if (bytes.size > 0) memmove(at + COMMIT_LOG_HEADER_SIZE, bytes.data, bytes.size);
    memset(at + used, 0, size - used);
    bytes_put_u64_le(
        at, XXH3_64bits_withSeed(at + HASH_SIZE, used - HASH_SIZE, seed_of(segment_id, offset)));
}

bool commit_log_format_get(struct slice segment, uint64_t segment_id, uint64_t offset,
                           struct commit_log_record *record)
{
    if (offset > segment.size || segment.size - offset < COMMIT_LOG_HEADER_SIZE) return false;
    const uint8_t *at = segment.data + offset;
    size_t left = segment.size - (size_t)offset;
    uint32_t length = bytes_get_u32_le(at + AT_LENGTH);
    enum commit_log_kind kind = (length & flags[COMMIT_LOG_MARK]) != 0  ? COMMIT_LOG_MARK
                                : (length & flags[COMMIT_LOG_GAP]) != 0 ? COMMIT_LOG_GAP
                                                                        : COMMIT_LOG_RECORD;
    length &= ~flags[kind];
    if (length > MUTATION_SIZE_MAX || (kind == COMMIT_LOG_MARK && length > 0)) return false;
    uint32_t lag = bytes_get_u32_le(at + AT_LAG);
    uint64_t position = bytes_get_u64_le(at + AT_POSITION);
    if (lag > position || (position == 0 && kind == COMMIT_LOG_RECORD)) return false;
    size_t size = commit_log_format_size(length), used = COMMIT_LOG_HEADER_SIZE + length;
    if (left < size) return false;
    if (XXH3_64bits_withSeed(at + HASH_SIZE, used - HASH_SIZE, seed_of(segment_id, offset)) !=
        bytes_get_u64_le(at))
        return false;
    *record = (struct commit_log_record){
        .kind = kind,
        .position = position,
        .synced = position - lag,
        .bytes = slice_make(at + COMMIT_LOG_HEADER_SIZE, length),
        .size = size,
    };
    return true;
}
