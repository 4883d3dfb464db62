// One record of a commit-log segment, CommitLog-<id>.log. Little-endian; records stand at multiples
// of 8, the rest of the segment is zeros or what an earlier life of the file left.
//
//     u64  XXH3 of all that follows up to the end of the record, seeded with segment id and offset
//     u32  length of the record; its top bit: a mark, which has no bytes; the next: a gap
//     u32  lag: how many positions before this one were not yet synced when it was made
//     u64  position; of a mark: the last one before it; of a gap: the last one that is lost
//     …    the record, padded with zeros to a multiple of 8
//
// The seed makes a record valid at one place only, so that what is left in a recycled file is never
// taken for new. The lag is a proof: whoever reads a record knows that everything up to position -
// lag had been synced, so what is missing of that is damage and not the torn end of the last write.
// A gap is written over damage, or behind the last record before it, when a user chose to go on
// without what was lost.
#ifndef STORAGE_COMMIT_LOG_FORMAT_H
#define STORAGE_COMMIT_LOG_FORMAT_H

#include "base/slice.h"

enum { COMMIT_LOG_HEADER_SIZE = 24, COMMIT_LOG_ALIGNMENT = 8 };

enum commit_log_kind { COMMIT_LOG_RECORD, COMMIT_LOG_MARK, COMMIT_LOG_GAP };

struct commit_log_record {
    enum commit_log_kind kind;
    uint64_t position, synced; // `synced`: position - lag.
    struct slice bytes;
    size_t size; // In the segment, with header and padding.
};

// Bytes of a record of `length` in a segment.
static inline size_t commit_log_format_size(size_t length)
{
    return (COMMIT_LOG_HEADER_SIZE + length + COMMIT_LOG_ALIGNMENT - 1) &
           ~(size_t)(COMMIT_LOG_ALIGNMENT - 1);
}

// Writes commit_log_format_size(bytes.size) bytes at `at`, which will stand at `offset` of the
// segment. `bytes` may be what stands there.
void commit_log_format_put(uint8_t *at, uint64_t segment_id, uint64_t offset, uint64_t position,
                           uint64_t synced, enum commit_log_kind kind, struct slice bytes);
// Reads the record at `offset` of a segment's bytes; false if there is none, or not a whole one.
bool commit_log_format_get(struct slice segment, uint64_t segment_id, uint64_t offset,
                           struct commit_log_record *record);

#endif
