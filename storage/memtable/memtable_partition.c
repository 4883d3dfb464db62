#include "storage/memtable/memtable_partition.h"

#include "base/assert.h"
#include "base/bytes.h"

enum { CACHE_LINE = 64, ROW_LINES = 3 };

// ---- Order of rows -----------------------------------------------------------------------------

static int compare_bound_to_row(const void *context, const void *key, const void *item)
{
    const struct bound *place = key;
    const struct memtable_row *row = item;
    int order = memtable_row_compare(context, &place->prefix, row);
    if (order != 0) return order;
    // The values that it has are those of the row: what is left is its kind.
    struct bound kind = {place->kind, {0, NULL}};
    struct bound row_kind = {BOUND_CLUSTERING, {row->clustering_count > place->prefix.count, NULL}};
    return bound_compare(context, &kind, &row_kind);
}

static int compare_clusterings(const void *context, const void *key, const void *item)
{
    const struct memtable_row *row = item;
    // Its values and cells were made with it and lie behind it; mostly it is the row that is meant.
    for (int line = 1; line < ROW_LINES; line++)
        __builtin_prefetch((const char *)row + line * CACHE_LINE);
    return memtable_row_compare(context, key, row);
}

static uint64_t first_bytes(struct slice value)
{
    if (value.size >= 8) return bytes_get_u64(value.data);
    uint64_t bytes = 0;
    for (size_t i = 0; i < value.size; i++)
        bytes |= (uint64_t)value.data[i] << (56 - 8 * i);
    return bytes;
}

// Grows with the first clustering value: most comparisons of rows need nothing else. Null and empty
// values, and types with an order of their own, have 0 and are told apart by a full comparison.
static uint64_t clustering_prefix(const struct table *table, const struct clustering *clustering)
{
    if (clustering->count == 0 || clustering->values[0].size == 0) return 0;
    const struct column *column = &table->columns[COLUMN_CLUSTERING][0];
    struct slice value = clustering->values[0];
    uint64_t prefix;
    switch (column->type->kind) {
    case TYPE_ASCII:
    case TYPE_TEXT:
    case TYPE_BLOB:
        // Halved so that the empty value, which stands first, is first in either direction.
        prefix = first_bytes(value) >> 1;
        break;
    case TYPE_BIGINT:
    case TYPE_TIMESTAMP:
        if (value.size != 8) return 0;
        prefix = (bytes_get_u64(value.data) ^ 1ull << 63) >> 1;
        break;
    case TYPE_INT:
        if (value.size != 4) return 0;
        prefix = bytes_get_u32(value.data) ^ 1u << 31;
        break;
    default:
        return 0;
    }
    return prefix;
}

// The same for DESC: what is empty there stands last, so it may not share the 0 of null.
static uint64_t row_prefix(const struct table *table, const struct clustering *clustering)
{
    if (clustering->count == 0) return 0;
    uint64_t prefix = clustering_prefix(table, clustering);
    if (!table->columns[COLUMN_CLUSTERING][0].reversed) return prefix;
    if (slice_is_null(clustering->values[0])) return 0;
    return UINT64_MAX - prefix;
}

void *const *memtable_partition_guess(const struct memtable_partition *partition,
                                      const struct table *table,
                                      const struct clustering *clustering)
{
    return memtable_order_guess(&partition->rows, row_prefix(table, clustering));
}

struct memtable_row *memtable_partition_find_row(const struct memtable_partition *partition,
                                                 const struct table *table,
                                                 const struct clustering *clustering)
{
    if (clustering == NULL) return partition->static_row;
    return memtable_order_find(&partition->rows, row_prefix(table, clustering), clustering,
                               compare_clusterings, table, NULL);
}

struct memtable_order_cursor memtable_partition_seek(const struct memtable_partition *partition,
                                                     const struct table *table,
                                                     const struct bound *place)
{
    if (place->prefix.count == 0) {
        bool starts = place->kind == BOUND_INCL_START || place->kind == BOUND_EXCL_END;
        return starts ? memtable_order_begin(&partition->rows)
                      : memtable_order_end(&partition->rows);
    }
    struct memtable_order_path path;
    (void)memtable_order_find(&partition->rows, row_prefix(table, &place->prefix), place,
                              compare_bound_to_row, table, &path);
    return path.at;
}

// ---- The partition -----------------------------------------------------------------------------

static struct deletion newer_deletion(struct deletion a, struct deletion b)
{
    return deletion_supersedes(b, a) ? b : a;
}

static struct memtable_row *find_or_make_row(struct memtable_partition *partition,
                                             const struct table *table, const struct row *added,
                                             struct memtable_row *hint, struct arena *arena)
{
    const struct clustering *clustering = &added->clustering;
    if (hint != NULL && memtable_row_compare(table, clustering, hint) == 0) return hint;
    struct memtable_order_path path;
    uint64_t prefix = row_prefix(table, clustering);
    struct memtable_row *row = memtable_order_find(&partition->rows, prefix, clustering,
                                                   compare_clusterings, table, &path);
    if (row != NULL) return row;
    row = memtable_row_make(clustering, added->cell_count, arena);
    memtable_order_insert(&partition->rows, arena, &path, prefix, row);
    return row;
}

static struct deletion partition_deletion_at(const struct memtable_partition *partition,
                                             const struct table *table,
                                             const struct clustering *clustering)
{
    if (partition->ranges == NULL) return partition->deletion;
    return newer_deletion(partition->deletion,
                          range_deletions_at(partition->ranges, table, clustering));
}

bool memtable_partition_apply(struct memtable_partition *partition, const struct mutation *mutation,
                              struct memtable_row *hint, struct arena *arena)
{
    const struct table *table = mutation->table;
    partition->deletion = newer_deletion(partition->deletion, mutation->deletion);
    if (mutation->range_deletion_count > 0 && partition->ranges == NULL)
        partition->ranges = ARENA_NEW(arena, struct range_deletions);
    for (size_t i = 0; i < mutation->range_deletion_count; i++)
        range_deletions_add(partition->ranges, table, &mutation->range_deletions[i], arena);

    bool is_clean = true;
    const struct row *added = mutation->static_row;
    if (added != NULL) {
        if (partition->static_row == NULL)
            partition->static_row = memtable_row_make(&added->clustering, added->cell_count, arena);
        is_clean = memtable_row_merge(partition->static_row, table->columns[COLUMN_STATIC],
                                      partition->deletion, added, arena);
    }
    for (size_t i = 0; i < mutation->row_count; i++) {
        added = &mutation->rows[i];
        struct memtable_row *row = find_or_make_row(partition, table, added, hint, arena);
        struct deletion active = partition_deletion_at(partition, table, &added->clustering);
        if (!memtable_row_merge(row, table->columns[COLUMN_REGULAR], active, added, arena))
            is_clean = false;
    }
    return is_clean;
}
