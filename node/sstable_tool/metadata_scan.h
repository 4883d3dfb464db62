// What only reading all rows of an SSTable tells (sstablemetadata -s): counts, and which partitions
// have most rows, bytes and tombstones.
#ifndef NODE_SSTABLE_TOOL_METADATA_SCAN_H
#define NODE_SSTABLE_TOOL_METADATA_SCAN_H

#include "node/sstable_tool/tool_sstable.h"

enum { METADATA_LEADERS = 5 };

struct metadata_leader {
    uint8_t *key; // Its own memory.
    size_t key_size;
    uint64_t value;
};

struct metadata_leaders {
    struct metadata_leader items[METADATA_LEADERS]; // The largest first.
    size_t count;
};

struct metadata_scan {
    uint64_t data_size; // Of Data.db, uncompressed.
    uint64_t partitions, rows, tombstones, cells;
    struct metadata_leaders widest, largest, most_tombstones;
};

// Of an open SSTable. To be freed also on failure.
MUST_USE enum status metadata_scan_run(struct metadata_scan *scan, struct tool_sstable *sstable,
                                       struct error *error);
void metadata_scan_deinit(struct metadata_scan *scan);

#endif
