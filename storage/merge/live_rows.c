#include "storage/merge/live_rows.h"

enum { CELLS_MIN = 16 };

// Room for `count` cells; what was there is not kept.
static struct cell *live_rows_room(struct live_rows *rows, uint32_t count)
{
    if (count > rows->cell_capacity) {
        uint32_t capacity = rows->cell_capacity == 0 ? CELLS_MIN : rows->cell_capacity;
        while (capacity < count)
            capacity *= 2;
        rows->cells = ARENA_NEW_ARRAY(rows->arena, struct cell, capacity);
        rows->cell_capacity = capacity;
    }
    return rows->cells;
}

static bool liveness_is_live(struct liveness liveness, int32_t now)
{
    if (liveness.timestamp == TIMESTAMP_NONE) return false;
    if (liveness.ttl == TTL_NONE) return true;
    return liveness.ttl != TTL_EXPIRED_LIVENESS && now < liveness.local_time;
}

// Most rows are wholly alive and are shown as they are, without a copy.
static struct live_row live_rows_filter(struct live_rows *rows, const struct row *row)
{
    struct live_row live = {
        .clustering = row->clustering,
        .liveness = liveness_is_live(row->liveness, rows->now) ? row->liveness : LIVENESS_NONE,
        .cells = row->cells,
        .cell_count = row->cell_count,
    };
    uint32_t first_dead = 0;
    while (first_dead < row->cell_count && cell_is_live(&row->cells[first_dead], rows->now))
        first_dead++;
    if (first_dead == row->cell_count) return live;

    struct cell *cells = live_rows_room(rows, row->cell_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        if (cell_is_live(cell, rows->now))
            cells[count++] = *cell;
        else if ((int64_t)cell->local_time - cell->ttl >= rows->gc_before)
            rows->tombstones++;
    }
    live.cells = cells;
    live.cell_count = count;
    return live;
}

// One that has dead cells was counted by these.
static void live_rows_count_dead(struct live_rows *rows, const struct row *row)
{
    bool is_deleted = !deletion_is_live(row->deletion) || row->complex_deletion_count > 0;
    if (row->cell_count == 0 && is_deleted) rows->tombstones++;
}

void live_rows_init(struct live_rows *rows, struct partition_iterator *partition, int32_t now,
                    struct arena *arena)
{
    *rows = (struct live_rows){.partition = partition, .now = now, .arena = arena};
    if (partition->static_row == NULL) return;
    rows->static_row = live_rows_filter(rows, partition->static_row);
    rows->has_static_row = rows->static_row.cell_count > 0;
    // The static row outlives the next row: it keeps the cells, which are made anew.
    rows->cells = NULL;
    rows->cell_capacity = 0;
}

void live_rows_deinit(struct live_rows *rows)
{
    partition_iterator_close(rows->partition);
    rows->partition = NULL;
}

enum status live_rows_next(struct live_rows *rows, const struct live_row **row)
{
    for (;;) {
        struct unfiltered unfiltered;
        enum status status = partition_iterator_next(rows->partition, &unfiltered);
        if (status != STATUS_OK) return status;
        rows->looked_at++;
        if (unfiltered.is_marker) {
            rows->tombstones++;
            continue;
        }
        rows->row = live_rows_filter(rows, unfiltered.row);
        bool must_stop = rows->look_max > 0 && rows->looked_at >= rows->look_max;
        if (live_row_is_dead(&rows->row)) {
            live_rows_count_dead(rows, unfiltered.row);
            if (!must_stop) continue;
        } else {
            rows->live_count++;
        }
        *row = &rows->row;
        return STATUS_OK;
    }
}

uint32_t live_row_cells(const struct live_row *row, uint16_t column, const struct cell **cells)
{
    uint32_t low = 0, high = row->cell_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (row->cells[middle].column < column) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t end = low;
    while (end < row->cell_count && row->cells[end].column == column)
        end++;
    *cells = row->cells + low;
    return end - low;
}
