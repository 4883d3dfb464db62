// What one read needs in memory: chunks of SSTables that it has, and those that it misses.
//
// A read runs on the loop and never waits. When a chunk is not in the cache it notes it here, looks
// what other SSTables miss, and unwinds with WOULD_BLOCK; engine_load() fetches all that is noted
// on a thread, pins it to the read, and the read runs again from its beginning, this time to the
// end or to the next miss. Each engine read is bounded (READ_STEP_…), so it runs again a few times
// at most, however many SSTables there are.
#ifndef STORAGE_READ_PINS_H
#define STORAGE_READ_PINS_H

#include <stdbool.h>
#include <stddef.h>

struct chunk;
struct sstable_reader;

enum { READ_MISSES_MAX = 16 };

// Chunks of one SSTable that a read wants and that are not in memory.
struct read_miss {
    struct sstable_reader *sstable; // With a reference.
    size_t first;                   // Among those of Data.db, then those of Index.db.
    size_t count;
    bool is_scan; // See chunk_cache.h.
};

struct read_pins {
    struct chunk **chunks; // Pinned: each holds a reference.
    size_t count, capacity;
    struct read_miss misses[READ_MISSES_MAX]; // In the order in which they were met.
    size_t miss_count;
};

void read_pins_init(struct read_pins *pins);
// Gives all pins back.
void read_pins_release(struct read_pins *pins);

// Takes a reference if it keeps the miss: what is noted already, or is too much, is left out.
void read_pins_note_miss(struct read_pins *pins, struct sstable_reader *sstable, size_t first,
                         size_t count);
void read_pins_note_miss_of_scan(struct read_pins *pins, struct sstable_reader *sstable,
                                 size_t first, size_t count);
// There is no use in looking for more.
static inline bool read_pins_are_full(const struct read_pins *pins)
{
    return pins->miss_count == READ_MISSES_MAX;
}

#endif
