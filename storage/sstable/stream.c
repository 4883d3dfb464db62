#include "storage/sstable/stream.h"

#include "base/assert.h"

#include <stdlib.h>

void stream_init(struct stream *stream, struct sstable_reader *reader, struct stream_access access,
                 enum sstable_component component)
{
    *stream = (struct stream){
        .reader = reader,
        .access = access,
        .component = component,
        .end = component == SSTABLE_DATA ? reader->data_size : reader->sizes[SSTABLE_INDEX],
        .ahead = 1,
    };
}

void stream_deinit(struct stream *stream)
{
    chunk_unref(stream->chunk);
    free(stream->gathered);
    stream->chunk = NULL;
    stream->gathered = NULL;
}

enum status stream_corrupt(struct stream *stream, const char *what)
{
    return reader_corrupt(stream->reader, stream->component, stream->position, stream->access.error,
                          what);
}

// Notes that chunks from `index` (of the whole reader) up to `last` are wanted, and some more.
static void note_missing(struct stream *stream, size_t index, size_t last)
{
    struct sstable_reader *reader = stream->reader;
    size_t end =
        stream->component == SSTABLE_DATA ? reader->data_chunk_count : reader_chunk_count(reader);
    size_t count = last - index + 1;
    if (count < stream->ahead) count = stream->ahead;
    if (count > end - index) count = end - index;
    if (stream->is_scan) {
        read_pins_note_miss_of_scan(stream->access.pins, reader, index, count);
    } else {
        read_pins_note_miss(stream->access.pins, reader, index, count);
    }
}

// How much of a chunk is to be decompressed. What a second read wants more of is wanted often.
static size_t reach(const struct stream *stream, size_t index, size_t needed,
                    const struct chunk *shorter)
{
    enum { STEP = 1024 }; // So that what is freed fits for others.
    if (stream->wanted_end == 0 || shorter != NULL) return SIZE_MAX;
    uint64_t start = (uint64_t)index << stream->reader->data_chunk_shift;
    if (stream->wanted_end <= start) return SIZE_MAX;
    uint64_t size = stream->wanted_end - start;
    if (size < needed) size = needed;
    return size > stream->reader->data_chunk_size ? SIZE_MAX
                                                  : (size_t)(size + STEP - 1) / STEP * STEP;
}

// The chunk of the reader's number `index`, or at least the `needed` first bytes of it, with a
// reference. `last` is the last that is wanted.
static enum status get_chunk(struct stream *stream, size_t index, size_t last, size_t needed,
                             struct chunk **chunk)
{
    struct sstable_reader *reader = stream->reader;
    struct chunk_cache *cache = stream->access.cache;
    struct error *error = stream->access.error;
    if (stream->access.ahead != NULL)
        return reader_read_chunk_ahead(reader, index, stream->access.ahead, chunk, error);
    if (cache == NULL) return reader_read_chunk(reader, index, false, chunk, error);
    struct chunk **slot = &reader->slots[index];
    struct chunk *found = stream->is_scan ? chunk_cache_look(slot) : chunk_cache_find(cache, slot);
    if (found != NULL && found->size >= needed) {
        *chunk = chunk_ref(found);
        return STATUS_OK;
    }
    bool is_kept = found != NULL || stream->is_scan || index >= reader->data_chunk_count ||
                   chunk_cache_admits(cache, reader->data_chunk_size, &reader->missed[index]);
    struct chunk *spare = is_kept ? NULL : chunk_cache_spare(cache);
    enum status status = reader_read_chunk_start(reader, index, reach(stream, index, needed, found),
                                                 spare, chunk, error);
    chunk_unref(spare);
    if (status == STATUS_WOULD_BLOCK) note_missing(stream, index, last);
    if (status != STATUS_OK || !is_kept) return status;
    if (stream->is_scan) {
        chunk_cache_insert_oldest(cache, slot, *chunk);
    } else {
        chunk_cache_insert(cache, slot, *chunk);
    }
    return STATUS_OK;
}

static size_t chunk_size_of(const struct stream *stream)
{
    return stream->component == SSTABLE_DATA ? stream->reader->data_chunk_size : INDEX_BLOCK_SIZE;
}

// Stands in the chunk of `position`. `want` bytes from there are wanted in all.
static enum status enter_chunk(struct stream *stream, uint64_t position, size_t want)
{
    size_t chunk_size = chunk_size_of(stream);
    size_t index = (size_t)(position / chunk_size);
    uint64_t last_position = want > stream->end - position ? stream->end - 1 : position + want - 1;
    size_t last = (size_t)(last_position / chunk_size);
    size_t needed = last > index ? chunk_size : (size_t)(last_position % chunk_size) + 1;
    if (stream->chunk != NULL && stream->chunk_index == index && stream->chunk->size >= needed)
        return STATUS_OK;
    size_t base = stream->component == SSTABLE_DATA ? 0 : stream->reader->data_chunk_count;
    struct chunk *chunk;
    enum status status = get_chunk(stream, base + index, base + last, needed, &chunk);
    if (status != STATUS_OK) return status;
    chunk_unref(stream->chunk);
    stream->chunk = chunk;
    stream->chunk_index = index;
    stream->chunk_start = (uint64_t)index * chunk_size;
    return STATUS_OK;
}

// Grows as bytes come: a damaged length costs no more memory than the file has.
static void reserve_gathered(struct stream *stream, size_t size)
{
    if (size <= stream->gathered_capacity) return;
    size_t capacity = stream->gathered_capacity == 0 ? 1024 : stream->gathered_capacity;
    while (capacity < size)
        capacity *= 2;
    stream->gathered = realloc(stream->gathered, capacity);
    ASSERT(stream->gathered != NULL);
    stream->gathered_capacity = capacity;
}

enum status stream_peek_far(struct stream *stream, size_t size, struct slice *bytes)
{
    ASSERT(size > 0);
    if (stream->position >= stream->end) {
        *bytes = slice_make("", 0);
        return STATUS_OK;
    }
    if (size > stream->end - stream->position) size = (size_t)(stream->end - stream->position);
    enum status status = enter_chunk(stream, stream->position, size);
    if (status != STATUS_OK) return status;
    size_t offset = (size_t)(stream->position - stream->chunk_start);
    size_t rest = stream->chunk->size - offset;
    if (rest >= size) {
        *bytes = slice_make(stream->chunk->bytes + offset, rest);
        return STATUS_OK;
    }
    size_t gathered = 0;
    while (gathered < size) {
        uint64_t position = stream->position + gathered;
        status = enter_chunk(stream, position, size - gathered);
        if (status != STATUS_OK) return status;
        offset = (size_t)(position - stream->chunk_start);
        rest = stream->chunk->size - offset;
        if (rest > size - gathered) rest = size - gathered;
        reserve_gathered(stream, gathered + rest);
        memcpy(stream->gathered + gathered, stream->chunk->bytes + offset, rest);
        gathered += rest;
    }
    *bytes = slice_make(stream->gathered, size);
    return STATUS_OK;
}

enum status stream_peek_more(struct stream *stream, size_t had, size_t size_max,
                             struct slice *bytes)
{
    if (had >= stream->end - stream->position) return stream_corrupt(stream, "the file ends");
    if (had >= size_max) return stream_corrupt(stream, "something is too long");
    return stream_peek_far(stream, had < 64 ? 128 : 2 * had, bytes);
}
