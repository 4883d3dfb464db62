// One row in a memtable, packed: most of what memory a table takes is this.
//
//     row     | cells | counts | timestamp | extra | clustering values | room for cells |  bytes
//     ... cell    | timestamp | value | size, column |             a value lies wherever the arena
//     had room
//
// What few rows and cells have (a TTL, a deletion, a path) stands apart, behind a pointer that is
// NULL without it. Readers get a struct row, unpacked into memory of their own.
#ifndef STORAGE_MEMTABLE_ROW_H
#define STORAGE_MEMTABLE_ROW_H

#include "base/arena.h"
#include "storage/row.h"

struct memtable_cell_extra {
    int32_t ttl, local_time;
    struct slice path;
    const uint8_t *value;
};

struct memtable_cell {
    int64_t timestamp;
    union {
        const uint8_t *value; // NULL: null.
        struct memtable_cell_extra *extra;
    };
    uint32_t size; // Of the value.
    uint16_t column;
    bool has_extra;
};

struct memtable_row_extra {
    struct deletion deletion;
    int32_t ttl, local_time; // Of the liveness.
    uint32_t complex_deletion_count;
    const struct complex_deletion *complex_deletions;
};

struct memtable_row {
    struct memtable_cell *cells; // By column, then by path.
    uint32_t cell_count, cell_capacity;
    int64_t timestamp; // Of the liveness.
    struct memtable_row_extra *extra;
    uint16_t clustering_count;
    uint8_t clustering[]; // Each { u32 size, UINT32_MAX for null, in the machine's order; bytes }.
};

// Without anything in it yet, with room for so many cells.
struct memtable_row *memtable_row_make(const struct clustering *clustering, uint32_t cell_count,
                                       struct arena *arena);
// Merges what was written into the row: a table's static or regular `columns`; `active` is what
// deletes it from above. Copies all it keeps. False: a counter's shard had one clock and two
// counts; the higher one stays.
bool memtable_row_merge(struct memtable_row *row, const struct column *columns,
                        struct deletion active, const struct row *added, struct arena *arena);

// Order of clustering values, as many as there are, against the row's first ones.
int memtable_row_compare(const struct table *table, const struct clustering *clustering,
                         const struct memtable_row *row);
// Unpacked into `values`, clustering_count of them.
struct clustering memtable_row_clustering(const struct memtable_row *row, struct slice *values);
static inline struct cell memtable_row_cell(const struct memtable_cell *cell)
{
    struct cell unpacked = {.column = cell->column,
                            .ttl = TTL_NONE,
                            .local_time = LOCAL_TIME_NONE,
                            .timestamp = cell->timestamp,
                            .value = {cell->value, cell->size}};
    if (cell->has_extra) {
        unpacked.ttl = cell->extra->ttl;
        unpacked.local_time = cell->extra->local_time;
        unpacked.value.data = cell->extra->value;
        unpacked.path = cell->extra->path;
    }
    return unpacked;
}
// All but the clustering, which is given, into `row`, with its cells in `cells`, cell_count of
// them. What they point to is the memtable's.
void memtable_row_unpack(const struct memtable_row *packed, struct clustering clustering,
                         struct cell *cells, struct row *row);

#endif
