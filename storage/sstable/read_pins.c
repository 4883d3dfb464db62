#include "storage/sstable/read_pins.h"

#include "storage/sstable/sstable.h"

#include <stdlib.h>

void read_pins_init(struct read_pins *pins)
{
    pins->chunks = NULL;
    pins->count = pins->capacity = pins->miss_count = 0;
}

void read_pins_release(struct read_pins *pins)
{
    for (size_t i = 0; i < pins->count; i++)
        chunk_unref(pins->chunks[i]);
    free(pins->chunks);
    for (size_t i = 0; i < pins->miss_count; i++)
        sstable_unref(pins->misses[i].sstable);
    read_pins_init(pins);
}

static void note_miss(struct read_pins *pins, const struct read_miss *miss)
{
    if (read_pins_are_full(pins)) return;
    for (size_t i = 0; i < pins->miss_count; i++) {
        if (pins->misses[i].sstable == miss->sstable && pins->misses[i].first == miss->first)
            return;
    }
    sstable_ref(miss->sstable);
    pins->misses[pins->miss_count++] = *miss;
}

void read_pins_note_miss(struct read_pins *pins, struct sstable_reader *sstable, size_t first,
                         size_t count)
{
    note_miss(pins, &(struct read_miss){.sstable = sstable, .first = first, .count = count});
}

void read_pins_note_miss_of_scan(struct read_pins *pins, struct sstable_reader *sstable,
                                 size_t first, size_t count)
{
    struct read_miss miss = {.sstable = sstable, .first = first, .count = count, .is_scan = true};
    note_miss(pins, &miss);
}
