#include "storage/commit_log/commit_log_format.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"

#include <xxhash.h>

enum { AT_LENGTH = 8, AT_LAG = 12, AT_POSITION = 16, HASH_SIZE = 8 };

// Another version of the format has another constant, and so refuses these records.
#define SEED_OF_FORMAT 0x48656c656e757331ull

static uint64_t seed_of(uint64_t segment_id, uint64_t offset)
{
    return SEED_OF_FORMAT ^ segment_id * 0x9e3779b97f4a7c15ull ^ offset << 32;
}

void commit_log_format_put(uint8_t *at, uint64_t segment_id, uint64_t offset, uint64_t position,
                           uint64_t synced, bool is_mark, struct slice bytes)
{
    ASSERT(position - synced <= UINT32_MAX);
    size_t size = commit_log_format_size(bytes.size);
    size_t used = COMMIT_LOG_HEADER_SIZE + bytes.size;
    bytes_put_u32_le(at + AT_LENGTH, (uint32_t)bytes.size | (is_mark ? COMMIT_LOG_MARK : 0));
    bytes_put_u32_le(at + AT_LAG, (uint32_t)(position - synced));
    bytes_put_u64_le(at + AT_POSITION, position);
    if (bytes.size > 0) memcpy(at + COMMIT_LOG_HEADER_SIZE, bytes.data, bytes.size);
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
    bool is_mark = (length & COMMIT_LOG_MARK) != 0;
    length &= ~COMMIT_LOG_MARK;
    if (length > MUTATION_SIZE_MAX || (is_mark && length > 0)) return false;
    uint32_t lag = bytes_get_u32_le(at + AT_LAG);
    uint64_t position = bytes_get_u64_le(at + AT_POSITION);
    if (lag > position || (position == 0 && !is_mark)) return false;
    size_t size = commit_log_format_size(length), used = COMMIT_LOG_HEADER_SIZE + length;
    if (left < size) return false;
    if (XXH3_64bits_withSeed(at + HASH_SIZE, used - HASH_SIZE, seed_of(segment_id, offset)) !=
        bytes_get_u64_le(at))
        return false;
    *record = (struct commit_log_record){
        .is_mark = is_mark,
        .position = position,
        .synced = position - lag,
        .bytes = slice_make(at + COMMIT_LOG_HEADER_SIZE, length),
        .size = size,
    };
    return true;
}
