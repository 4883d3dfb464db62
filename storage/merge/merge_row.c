#include "storage/merge/merge_row.h"

#include "storage/cell_path.h"
#include "storage/merge/reconcile.h"

enum { SCRATCH_BLOCK_SIZE = 4096, ROOM_MIN = 8 };

void merge_row_init(struct merge_row *merge, const struct column *columns, struct arena *arena)
{
    *merge = (struct merge_row){.columns = columns, .arena = arena};
    arena_init(&merge->scratch, SCRATCH_BLOCK_SIZE);
}

void merge_row_deinit(struct merge_row *merge)
{
    arena_deinit(&merge->scratch);
}

static uint32_t room_for(uint32_t capacity, size_t count)
{
    if (capacity < ROOM_MIN) capacity = ROOM_MIN;
    while (capacity < count)
        capacity *= 2;
    return capacity;
}

// Room for all cells and complex deletions of all versions.
static void make_room(struct merge_row *merge, const struct row *const *versions, size_t count)
{
    size_t cell_count = 0, complex_count = 0;
    for (size_t i = 0; i < count; i++) {
        cell_count += versions[i]->cell_count;
        complex_count += versions[i]->complex_deletion_count;
    }
    if (cell_count > merge->cell_capacity) {
        merge->cell_capacity = room_for(merge->cell_capacity, cell_count);
        merge->cells = arena_alloc(merge->arena, merge->cell_capacity * sizeof *merge->cells);
    }
    if (complex_count > merge->complex_deletion_capacity) {
        merge->complex_deletion_capacity =
            room_for(merge->complex_deletion_capacity, complex_count);
        merge->complex_deletions = arena_alloc(merge->arena, merge->complex_deletion_capacity *
                                                                 sizeof *merge->complex_deletions);
    }
    if (count > merge->version_capacity) {
        merge->version_capacity = count;
        merge->positions = arena_alloc(merge->arena, count * 2 * sizeof *merge->positions);
    }
    memset(merge->positions, 0, count * 2 * sizeof *merge->positions);
}

static bool nothing_is_hidden(const struct row *row, struct deletion active)
{
    if (!deletion_is_live(row->deletion) || row->complex_deletion_count > 0) return false;
    if (deletion_is_live(active)) return true;
    if (row->liveness.timestamp != TIMESTAMP_NONE && row->liveness.timestamp <= active.timestamp)
        return false;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (row->cells[i].timestamp <= active.timestamp) return false;
    }
    return true;
}

// By column the newest of all versions, if it is newer than what hides the whole row.
static void merge_complex_deletions(struct merge_row *merge, const struct row *const *versions,
                                    size_t count, struct deletion active)
{
    uint32_t *positions = merge->positions + count;
    uint32_t kept = 0;
    for (;;) {
        uint32_t column = UINT32_MAX;
        for (size_t i = 0; i < count; i++) {
            if (positions[i] == versions[i]->complex_deletion_count) continue;
            uint32_t next = versions[i]->complex_deletions[positions[i]].column;
            if (next < column) column = next;
        }
        if (column == UINT32_MAX) break;
        struct deletion newest = active;
        for (size_t i = 0; i < count; i++) {
            if (positions[i] == versions[i]->complex_deletion_count) continue;
            const struct complex_deletion *next = &versions[i]->complex_deletions[positions[i]];
            if (next->column != column) continue;
            if (deletion_supersedes(next->deletion, newest)) newest = next->deletion;
            positions[i]++;
        }
        if (deletion_supersedes(newest, active))
            merge->complex_deletions[kept++] = (struct complex_deletion){(uint16_t)column, newest};
    }
    merge->row.complex_deletions = merge->complex_deletions;
    merge->row.complex_deletion_count = kept;
}

// The first cell in order that any version has next, or NULL.
static const struct cell *next_place(const struct merge_row *merge,
                                     const struct row *const *versions, size_t count)
{
    const struct cell *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (merge->positions[i] == versions[i]->cell_count) continue;
        const struct cell *cell = &versions[i]->cells[merge->positions[i]];
        if (first == NULL || cell_place_compare(merge->columns, cell, first) < 0) first = cell;
    }
    return first;
}

static void merge_cells(struct merge_row *merge, const struct row *const *versions, size_t count,
                        struct deletion row_active)
{
    const struct row *row = &merge->row;
    uint32_t kept = 0, complex = 0;
    const struct cell *place;
    while ((place = next_place(merge, versions, count)) != NULL) {
        while (complex < row->complex_deletion_count &&
               row->complex_deletions[complex].column < place->column)
            complex++;
        bool has_own = complex < row->complex_deletion_count &&
                       row->complex_deletions[complex].column == place->column;
        struct deletion active = has_own ? row->complex_deletions[complex].deletion : row_active;
        bool is_counter = merge->columns[place->column].type->kind == TYPE_COUNTER;
        bool found = false;
        struct cell winner = *place;
        for (size_t i = 0; i < count; i++) {
            if (merge->positions[i] == versions[i]->cell_count) continue;
            const struct cell *cell = &versions[i]->cells[merge->positions[i]];
            if (cell != place && cell_place_compare(merge->columns, cell, place) != 0) continue;
            merge->positions[i]++;
            if (deletion_deletes(active, cell->timestamp)) continue;
            winner = found ? reconcile_cells(&winner, cell, is_counter, &merge->scratch) : *cell;
            found = true;
        }
        if (found) merge->cells[kept++] = winner;
    }
    merge->row.cells = merge->cells;
    merge->row.cell_count = kept;
}

const struct row *merge_rows(struct merge_row *merge, const struct row *const *versions,
                             size_t count, struct deletion active)
{
    if (count == 1 && nothing_is_hidden(versions[0], active))
        return row_is_empty(versions[0]) ? NULL : versions[0];
    arena_reset(&merge->scratch);
    make_room(merge, versions, count);

    struct liveness liveness = versions[0]->liveness;
    struct deletion deletion = versions[0]->deletion;
    for (size_t i = 1; i < count; i++) {
        liveness = reconcile_liveness(liveness, versions[i]->liveness);
        if (deletion_supersedes(versions[i]->deletion, deletion)) deletion = versions[i]->deletion;
    }
    if (deletion_supersedes(deletion, active)) {
        active = deletion;
    } else {
        deletion = DELETION_NONE;
    }
    if (deletion_deletes(active, liveness.timestamp)) liveness = LIVENESS_NONE;
    merge->row = (struct row){
        .clustering = versions[0]->clustering, .liveness = liveness, .deletion = deletion};
    merge_complex_deletions(merge, versions, count, active);
    merge_cells(merge, versions, count, active);
    return row_is_empty(&merge->row) ? NULL : &merge->row;
}
