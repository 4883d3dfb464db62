#include "storage/read_pins.h"

#include "storage/sstable/sstable.h"

#include <stdlib.h>

void read_pins_init(struct read_pins *pins)
{
    *pins = (struct read_pins){0};
}

void read_pins_release(struct read_pins *pins)
{
    for (size_t i = 0; i < pins->count; i++)
        chunk_unref(pins->chunks[i]);
    free(pins->chunks);
    sstable_unref(pins->missing_sstable);
    read_pins_init(pins);
}
