#include "storage/compaction/purge.h"

#include "base/container_of.h"
#include "storage/sstable/sstable.h"

enum { ROOM_MIN = 16 };

// Room for the cells and complex deletions of one row, used again for the next.
struct purged_row {
    struct row row;
    struct cell *cells;
    struct complex_deletion *complex_deletions;
    uint32_t cell_capacity, complex_deletion_capacity;
};

struct purged_partition {
    struct partition_iterator base;
    struct partition_iterator *source;
    // As they were at its beginning: the two ends of a range tombstone go or stay together.
    int32_t now_s, expired_until_s, gc_before;
    bool has_max_timestamp; // It is asked for when the first old tombstone comes.
    bool is_elsewhere;      // There is one.
    int64_t max_timestamp;
    bool has_first;           // Its first unfiltered was read ahead, to know that it has any.
    enum status first_status; // OK or END.
    struct unfiltered first;
    struct marker marker;
    struct purged_row row, static_row;
};

struct purged_scan {
    struct scan_iterator base;
    struct scan_iterator *source;
    const struct purge *purge;
    struct arena *arena;
    bool is_looking; // Into a partition whose first unfiltered is not found yet.
    struct purged_partition partition;
};

bool purge_max_timestamp(const struct purge *purge, const struct partition_key *key,
                         int64_t *max_timestamp)
{
    bool is_elsewhere = purge->memory_min_timestamp != INT64_MAX;
    *max_timestamp = purge->memory_min_timestamp;
    for (size_t i = 0; i < purge->other_count; i++) {
        int64_t min_timestamp = sstable_min_timestamp(purge->others[i]);
        if ((is_elsewhere && min_timestamp >= *max_timestamp) ||
            !sstable_may_contain(purge->others[i], key))
            continue;
        is_elsewhere = true;
        *max_timestamp = min_timestamp;
    }
    return is_elsewhere;
}

static struct purged_scan *scan_of(struct purged_partition *partition)
{
    return CONTAINER_OF(partition, struct purged_scan, partition);
}

static bool is_purgeable(struct purged_partition *partition, int64_t timestamp, int32_t local_time)
{
    if (local_time >= partition->gc_before) return false;
    if (!partition->has_max_timestamp) {
        partition->is_elsewhere = purge_max_timestamp(
            scan_of(partition)->purge, &partition->base.key, &partition->max_timestamp);
        partition->has_max_timestamp = true;
    }
    return !partition->is_elsewhere || timestamp < partition->max_timestamp;
}

static struct deletion purge_deletion(struct purged_partition *partition, struct deletion deletion)
{
    bool goes = !deletion_is_live(deletion) &&
                is_purgeable(partition, deletion.timestamp, deletion.local_time);
    return goes ? DELETION_NONE : deletion;
}

// ---- Rows ---------------------------------------------------------------------------------------

static bool liveness_is_live(struct liveness liveness, int32_t now_s)
{
    if (liveness.ttl == TTL_NONE) return true;
    return liveness.ttl != TTL_EXPIRED_LIVENESS && now_s < liveness.local_time;
}

// Row.hasDeletion(): most rows have nothing that could go.
static bool is_all_alive(const struct row *row, int32_t now_s)
{
    if (!deletion_is_live(row->deletion) || row->complex_deletion_count > 0 ||
        !liveness_is_live(row->liveness, now_s))
        return false;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (!cell_is_live(&row->cells[i], now_s)) return false;
    }
    return true;
}

static void make_room(struct purged_row *purged, const struct row *row, struct arena *arena)
{
    if (row->cell_count > purged->cell_capacity) {
        uint32_t capacity = purged->cell_capacity == 0 ? ROOM_MIN : purged->cell_capacity;
        while (capacity < row->cell_count)
            capacity *= 2;
        purged->cells = ARENA_NEW_ARRAY(arena, struct cell, capacity);
        purged->cell_capacity = capacity;
    }
    uint32_t count = row->complex_deletion_count;
    if (count > purged->complex_deletion_capacity) {
        purged->complex_deletions = ARENA_NEW_ARRAY(arena, struct complex_deletion, count);
        purged->complex_deletion_capacity = count;
    }
}

// False: the cell goes.
static bool purge_cell(struct purged_partition *partition, struct cell *cell)
{
    if (cell_is_live(cell, partition->now_s)) return true;
    if (is_purgeable(partition, cell->timestamp, cell->local_time)) return false;
    if (!cell_is_expiring(cell) || cell_is_live(cell, partition->expired_until_s)) return true;
    cell_become_tombstone(cell);
    return !is_purgeable(partition, cell->timestamp, cell->local_time);
}

// NULL: nothing is left.
static const struct row *purge_row(struct purged_partition *partition, struct purged_row *purged,
                                   const struct row *row)
{
    if (is_all_alive(row, partition->now_s)) return row;
    make_room(purged, row, scan_of(partition)->arena);
    purged->row = *row;
    struct liveness liveness = row->liveness;
    if (!liveness_is_live(liveness, partition->now_s) &&
        is_purgeable(partition, liveness.timestamp, liveness.local_time))
        purged->row.liveness = LIVENESS_NONE;
    purged->row.deletion = purge_deletion(partition, row->deletion);
    uint32_t count = 0;
    for (uint32_t i = 0; i < row->complex_deletion_count; i++) {
        if (!deletion_is_live(purge_deletion(partition, row->complex_deletions[i].deletion)))
            purged->complex_deletions[count++] = row->complex_deletions[i];
    }
    purged->row.complex_deletions = purged->complex_deletions;
    purged->row.complex_deletion_count = count;
    count = 0;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        purged->cells[count] = row->cells[i];
        count += purge_cell(partition, &purged->cells[count]);
    }
    purged->row.cells = purged->cells;
    purged->row.cell_count = count;
    return row_is_empty(&purged->row) ? NULL : &purged->row;
}

// ---- Markers ------------------------------------------------------------------------------------

// Of a boundary one side may go alone: what is left is a plain bound, the same in either direction.
static const struct marker *purge_marker(struct purged_partition *partition,
                                         const struct marker *marker)
{
    struct deletion closes = purge_deletion(partition, marker->closes);
    struct deletion opens = purge_deletion(partition, marker->opens);
    bool is_closing = !deletion_is_live(closes), is_opening = !deletion_is_live(opens);
    if (!is_closing && !is_opening) return NULL;
    if (!bound_is_boundary(marker->bound.kind) || (is_closing && is_opening)) return marker;
    bool before_rows = marker->bound.kind == BOUND_EXCL_END_INCL_START;
    partition->marker = (struct marker){marker->bound, closes, opens};
    if (is_closing) {
        partition->marker.bound.kind = before_rows ? BOUND_EXCL_END : BOUND_INCL_END;
    } else {
        partition->marker.bound.kind = before_rows ? BOUND_INCL_START : BOUND_EXCL_START;
    }
    return &partition->marker;
}

// ---- Partitions ---------------------------------------------------------------------------------

static enum status next_kept(struct purged_partition *partition, struct unfiltered *unfiltered)
{
    for (;;) {
        struct unfiltered next;
        enum status status = partition_iterator_next(partition->source, &next);
        if (status != STATUS_OK) return status;
        if (next.is_marker) {
            const struct marker *marker = purge_marker(partition, next.marker);
            if (marker == NULL) continue;
            *unfiltered = (struct unfiltered){.is_marker = true, .marker = marker};
            return STATUS_OK;
        }
        const struct row *row = purge_row(partition, &partition->row, next.row);
        if (row == NULL) continue;
        *unfiltered = (struct unfiltered){.is_marker = false, .row = row};
        return STATUS_OK;
    }
}

static enum status next_unfiltered(struct partition_iterator *iterator,
                                   struct unfiltered *unfiltered)
{
    struct purged_partition *partition = (struct purged_partition *)iterator;
    if (!partition->has_first) return next_kept(partition, unfiltered);
    partition->has_first = partition->first_status == STATUS_END;
    *unfiltered = partition->first;
    return partition->first_status;
}

static void close_partition(struct partition_iterator *iterator)
{
    struct purged_partition *partition = (struct purged_partition *)iterator;
    partition_iterator_close(partition->source);
    partition->source = NULL;
}

static const struct partition_iterator_ops partition_ops = {next_unfiltered, close_partition};

static void begin_partition(struct purged_scan *scan, struct partition_iterator *source)
{
    struct purged_partition *partition = &scan->partition;
    partition->source = source;
    partition->base = (struct partition_iterator){&partition_ops, source->table, source->key,
                                                  DELETION_NONE, NULL};
    partition->now_s = scan->purge->now_s;
    partition->expired_until_s = scan->purge->now_s - scan->purge->expiry_margin_s;
    partition->gc_before = scan->purge->gc_before;
    partition->has_max_timestamp = partition->has_first = false;
    partition->base.deletion = purge_deletion(partition, source->deletion);
    if (source->static_row != NULL)
        partition->base.static_row =
            purge_row(partition, &partition->static_row, source->static_row);
}

// Whether anything is left of it. WOULD_BLOCK: to be asked again.
static enum status look_into(struct purged_partition *partition, bool *has_any)
{
    enum status status = next_kept(partition, &partition->first);
    if (status != STATUS_OK && status != STATUS_END) return status;
    partition->has_first = true;
    partition->first_status = status;
    *has_any = status == STATUS_OK || partition->base.static_row != NULL ||
               !deletion_is_live(partition->base.deletion);
    return STATUS_OK;
}

enum status purge_partition(struct partition_iterator **partition, const struct purge *purge,
                            struct arena *arena)
{
    struct purged_scan *scan = ARENA_NEW(arena, struct purged_scan);
    scan->purge = purge;
    scan->arena = arena;
    begin_partition(scan, *partition);
    *partition = NULL;
    bool has_any = false;
    enum status status = look_into(&scan->partition, &has_any);
    if (status == STATUS_OK && has_any) {
        *partition = &scan->partition.base;
    } else {
        close_partition(&scan->partition.base);
    }
    return status;
}

static enum status next_partition(struct scan_iterator *iterator,
                                  struct partition_iterator **partition)
{
    struct purged_scan *scan = (struct purged_scan *)iterator;
    for (;;) {
        if (!scan->is_looking) {
            struct partition_iterator *source;
            enum status status = scan_iterator_next(scan->source, &source);
            if (status != STATUS_OK) return status;
            begin_partition(scan, source);
            scan->is_looking = true;
        }
        bool has_any;
        enum status status = look_into(&scan->partition, &has_any);
        if (status != STATUS_OK) return status;
        scan->is_looking = false;
        if (has_any) {
            *partition = &scan->partition.base;
            return STATUS_OK;
        }
        close_partition(&scan->partition.base);
    }
}

static void close_scan(struct scan_iterator *iterator)
{
    struct purged_scan *scan = (struct purged_scan *)iterator;
    if (scan->is_looking) close_partition(&scan->partition.base);
    scan_iterator_close(scan->source);
}

static const struct scan_iterator_ops scan_ops = {next_partition, close_scan};

struct scan_iterator *purge_scan(struct scan_iterator *source, const struct purge *purge,
                                 struct arena *arena)
{
    struct purged_scan *scan = ARENA_NEW(arena, struct purged_scan);
    scan->base = (struct scan_iterator){&scan_ops, source->table};
    scan->source = source;
    scan->purge = purge;
    scan->arena = arena;
    return &scan->base;
}
