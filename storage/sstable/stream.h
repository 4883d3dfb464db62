// The bytes of Data.db or Index.db from some place on, over the borders of chunks, for one read.
//
// It holds a reference to the chunk it stands in. What does not lie in one chunk is put together in
// memory of its own, which is used again and again.
#ifndef STORAGE_SSTABLE_STREAM_H
#define STORAGE_SSTABLE_STREAM_H

#include "storage/sstable/reader.h"

// Where a read gets its chunks: cache and pins, or neither (then it blocks).
struct stream_access {
    struct chunk_cache *cache;
    struct read_pins *pins;
    struct error *error;      // Or NULL.
    struct read_ahead *ahead; // NULL, or that of one who blocks and reads all.
};

struct stream {
    struct sstable_reader *reader;
    struct stream_access access;
    enum sstable_component component; // DATA or INDEX.
    uint64_t position;
    uint64_t end;         // Of the file's bytes.
    struct chunk *chunk;  // With a reference, or NULL.
    uint64_t chunk_start; // Its place; only if there is a chunk.
    size_t chunk_index;   //
    size_t ahead;         // Chunks that are asked for at a miss, at least one.
    bool is_scan;         // What it reads is not to drive out what others read often.
    uint64_t wanted_end;  // Of Data.db, where what is wanted ends, as a hint; 0: not known.
    uint8_t *gathered;    // Bytes of several chunks …
    size_t gathered_capacity;
};

void stream_init(struct stream *stream, struct sstable_reader *reader, struct stream_access access,
                 enum sstable_component component);
void stream_deinit(struct stream *stream);

static inline void stream_seek(struct stream *stream, uint64_t position)
{
    stream->position = position;
}

// At least `size` bytes at the position, or all that are left in the file if these are fewer. They
// are valid until the next call. WOULD_BLOCK, CORRUPT, IO.
MUST_USE enum status stream_peek_far(struct stream *stream, size_t size, struct slice *bytes);

static inline MUST_USE enum status stream_peek(struct stream *stream, size_t size,
                                               struct slice *bytes)
{
    uint64_t offset = stream->position - stream->chunk_start;
    if (stream->chunk != NULL && offset < stream->chunk->size &&
        stream->chunk->size - offset >= size) {
        *bytes = slice_make(stream->chunk->bytes + offset, stream->chunk->size - (size_t)offset);
        return STATUS_OK;
    }
    return stream_peek_far(stream, size, bytes);
}

// More bytes than `had` were needed to decode what is here: peeks at more. CORRUPT if there are no
// more, or if there were `size_max` already.
MUST_USE enum status stream_peek_more(struct stream *stream, size_t had, size_t size_max,
                                      struct slice *bytes);

// CORRUPT at the present position.
enum status stream_corrupt(struct stream *stream, const char *what);

#endif
