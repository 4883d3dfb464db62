// Fetching what a read missed; see sstable.h.
#include "base/assert.h"
#include "storage/sstable/reader.h"

#include <stdlib.h>

bool sstable_load_begin(struct sstable_load *load, struct read_pins *pins)
{
    if (pins->miss_count == 0) return false;
    const struct read_miss *miss = &pins->misses[0];
    *load = (struct sstable_load){
        .reader = miss->sstable, // With its reference.
        .first = miss->first,
        .count = miss->count,
        .is_scan = miss->is_scan,
    };
    load->chunks = calloc(load->count, sizeof(struct chunk *));
    ASSERT(load->chunks != NULL);
    pins->miss_count--;
    memmove(&pins->misses[0], &pins->misses[1], pins->miss_count * sizeof pins->misses[0]);
    return true;
}

void sstable_load_work(struct sstable_load *load)
{
    for (size_t i = 0; i < load->count; i++) {
        load->status =
            reader_read_chunk(load->reader, load->first + i, false, &load->chunks[i], &load->error);
        if (load->status == STATUS_OK) continue;
        // What was only to be read ahead may be damaged without harm to this read.
        if (i > 0) load->status = STATUS_OK;
        return;
    }
}

static void pin(struct read_pins *pins, struct chunk *chunk)
{
    if (pins->count == pins->capacity) {
        pins->capacity = pins->capacity == 0 ? 8 : 2 * pins->capacity;
        pins->chunks = realloc(pins->chunks, pins->capacity * sizeof(struct chunk *));
        ASSERT(pins->chunks != NULL);
    }
    pins->chunks[pins->count++] = chunk_ref(chunk);
}

void sstable_load_drop(struct sstable_load *load)
{
    for (size_t i = 0; i < load->count; i++)
        chunk_unref(load->chunks[i]);
    free(load->chunks);
    sstable_unref(load->reader);
}

enum status sstable_load_finish(struct sstable_load *load, struct chunk_cache *cache,
                                struct read_pins *pins, struct error *error)
{
    for (size_t i = 0; i < load->count && load->chunks[i] != NULL; i++) {
        struct chunk **slot = &load->reader->slots[load->first + i];
        // Before it is inserted, so that it does not leave at once to make room for the next.
        // Another read may have loaded it meanwhile: then that one is the one to hold.
        pin(pins, *slot != NULL ? *slot : load->chunks[i]);
        if (load->is_scan) {
            chunk_cache_insert_oldest(cache, slot, load->chunks[i]);
        } else {
            chunk_cache_insert(cache, slot, load->chunks[i]);
        }
        chunk_unref(load->chunks[i]);
    }
    free(load->chunks);
    sstable_unref(load->reader);
    enum status status = load->status;
    if (status != STATUS_OK) return error_set(error, status, "%s", load->error.text);
    return STATUS_OK;
}
