#include "node/sstable_tool/metadata_scan.h"

#include "base/assert.h"
#include "base/limits.h"
#include "storage/sstable/scan_place.h"

#include <stdlib.h>

static void add_leader(struct metadata_leaders *leaders, struct slice key, uint64_t value)
{
    size_t at = leaders->count;
    while (at > 0 && leaders->items[at - 1].value < value)
        at--;
    if (at == METADATA_LEADERS) return;
    if (leaders->count == METADATA_LEADERS) free(leaders->items[--leaders->count].key);
    memmove(&leaders->items[at + 1], &leaders->items[at],
            (leaders->count - at) * sizeof *leaders->items);
    struct metadata_leader leader = {malloc(key.size + 1), key.size, value};
    ASSERT(leader.key != NULL);
    memcpy(leader.key, key.data, key.size);
    leaders->items[at] = leader;
    leaders->count++;
}

// Of one partition.
struct sums {
    uint64_t rows, bytes, tombstones;
};

// As Row.dataSize() counts, with the sizes of Java's fields.
static uint64_t size_of_row(const struct row *row, const struct table *table, bool is_static)
{
    const struct column *columns = table->columns[is_static ? COLUMN_STATIC : COLUMN_REGULAR];
    uint64_t size = 8 + 1 + 12; // Liveness; deletion, and whether it is shadowable.
    if (row->liveness.ttl != TTL_NONE) size += 4 + 8;
    for (uint16_t i = 0; i < row->clustering.count; i++)
        size += row->clustering.values[i].size;
    // Each column of many cells has a deletion, be it a live one.
    uint32_t deletion = 0;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        bool is_first = i == 0 || cell->column != row->cells[i - 1].column;
        for (; deletion < row->complex_deletion_count &&
               row->complex_deletions[deletion].column <= cell->column;
             deletion++)
            size += row->complex_deletions[deletion].column < cell->column ? 12 : 0;
        if (is_first && type_is_multi_cell(columns[cell->column].type)) size += 12;
        size += 8 + 4 + 8 + cell->value.size + cell->path.size;
    }
    return size + 12 * (uint64_t)(row->complex_deletion_count - deletion);
}

static void add_row(struct metadata_scan *scan, struct sums *sums, const struct row *row,
                    const struct table *table, bool is_static)
{
    scan->rows++;
    sums->rows++;
    sums->bytes += size_of_row(row, table, is_static);
    if (is_static) return;
    scan->cells += row->cell_count;
    for (uint32_t i = 0; i < row->cell_count; i++)
        sums->tombstones += cell_is_tombstone(&row->cells[i]);
}

static enum status add_partition(struct metadata_scan *scan, struct partition_iterator *partition)
{
    struct sums sums = {0};
    scan->partitions++;
    sums.tombstones += !deletion_is_live(partition->deletion);
    if (partition->static_row != NULL && !row_is_empty(partition->static_row))
        add_row(scan, &sums, partition->static_row, partition->table, true);
    struct unfiltered unfiltered;
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        if (unfiltered.is_marker)
            sums.tombstones++;
        else
            add_row(scan, &sums, unfiltered.row, partition->table, false);
    }
    scan->tombstones += sums.tombstones;
    add_leader(&scan->widest, partition->key.bytes, sums.rows);
    add_leader(&scan->largest, partition->key.bytes, sums.bytes);
    if (sums.tombstones > 0)
        add_leader(&scan->most_tombstones, partition->key.bytes, sums.tombstones);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status metadata_scan_run(struct metadata_scan *scan, struct tool_sstable *sstable,
                              struct error *error)
{
    *scan = (struct metadata_scan){.data_size = sstable->reader->data_size};
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    struct scan_iterator *all = NULL;
    enum status status = tool_sstable_scan(sstable, &SCAN_RANGE_ALL, &arena, &all, error);
    struct partition_iterator *partition;
    while (status == STATUS_OK && (status = scan_iterator_next(all, &partition)) == STATUS_OK) {
        status = add_partition(scan, partition);
        partition_iterator_close(partition);
    }
    scan_iterator_close(all);
    arena_deinit(&arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static void free_leaders(struct metadata_leaders *leaders)
{
    for (size_t i = 0; i < leaders->count; i++)
        free(leaders->items[i].key);
}

void metadata_scan_deinit(struct metadata_scan *scan)
{
    free_leaders(&scan->widest);
    free_leaders(&scan->largest);
    free_leaders(&scan->most_tombstones);
}
