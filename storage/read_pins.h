// What one read needs in memory: chunks of SSTables that it has, and those that it misses.
//
// A read runs on the loop and never waits. When a chunk is not in the cache it notes it here and
// unwinds with WOULD_BLOCK; engine_load() fetches what is missing on a thread, pins it to the read,
// and the read runs again from its beginning, this time to the end or to the next miss. Each engine
// read is bounded (READ_STEP_…), so it runs again a few times at most.
#ifndef STORAGE_READ_PINS_H
#define STORAGE_READ_PINS_H

#include <stddef.h>

struct chunk;
struct sstable_reader;

struct read_pins {
    struct chunk **chunks; // Pinned: each holds a reference.
    size_t count, capacity;
    struct sstable_reader *missing_sstable; // With a reference, or NULL: nothing is missing.
    size_t missing_chunk;                   // Among those of Data.db, then those of Index.db …
    size_t missing_count;                   // … and how many from there are wanted.
};

void read_pins_init(struct read_pins *pins);
// Gives all pins back.
void read_pins_release(struct read_pins *pins);

#endif
