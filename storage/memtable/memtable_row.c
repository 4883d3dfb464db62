#include "storage/memtable/memtable_row.h"

#include "storage/cell_path.h"
#include "storage/counter_context.h"
#include "storage/merge/reconcile.h"

#include <stddef.h>

#define SIZE_OF_NULL UINT32_MAX

// ---- Packing -----------------------------------------------------------------------------------

static uint8_t *clustering_pack(const struct clustering *clustering, uint8_t *at)
{
    for (uint16_t i = 0; i < clustering->count; i++) {
        struct slice value = clustering->values[i];
        uint32_t size = slice_is_null(value) ? SIZE_OF_NULL : (uint32_t)value.size;
        memcpy(at, &size, sizeof size);
        if (value.size > 0) memcpy(at + sizeof size, value.data, value.size);
        at += sizeof size + value.size;
    }
    return at;
}

// The value at `*at`, which moves behind it.
static inline struct slice clustering_next(const uint8_t **at)
{
    uint32_t size;
    memcpy(&size, *at, sizeof size);
    *at += sizeof size;
    if (size == SIZE_OF_NULL) return slice_null();
    struct slice value = slice_make(*at, size);
    *at += size;
    return value;
}

struct memtable_row *memtable_row_make(const struct clustering *clustering, uint32_t cell_count,
                                       struct arena *arena)
{
    size_t size = offsetof(struct memtable_row, clustering);
    for (uint16_t i = 0; i < clustering->count; i++)
        size += sizeof(uint32_t) + clustering->values[i].size;
    size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
    struct memtable_row *row = arena_alloc(arena, size + cell_count * sizeof *row->cells);
    row->cells = (struct memtable_cell *)((uint8_t *)row + size);
    row->cell_count = 0;
    row->cell_capacity = cell_count;
    row->timestamp = TIMESTAMP_NONE;
    row->extra = NULL;
    row->clustering_count = clustering->count;
    (void)clustering_pack(clustering, row->clustering);
    return row;
}

struct clustering memtable_row_clustering(const struct memtable_row *row, struct slice *values)
{
    const uint8_t *at = row->clustering;
    for (uint16_t i = 0; i < row->clustering_count; i++)
        values[i] = clustering_next(&at);
    return (struct clustering){row->clustering_count, row->clustering_count == 0 ? NULL : values};
}

int memtable_row_compare(const struct table *table, const struct clustering *clustering,
                         const struct memtable_row *row)
{
    const uint8_t *at = row->clustering;
    for (uint16_t i = 0; i < clustering->count; i++) {
        struct slice a = clustering->values[i], b = clustering_next(&at);
        if (slice_equals(a, b)) continue;
        // Null stands first in either direction.
        if (slice_is_null(a) || slice_is_null(b)) return slice_is_null(a) ? -1 : 1;
        const struct column *column = &table->columns[COLUMN_CLUSTERING][i];
        int order = type_compare(column->type, a, b);
        if (order != 0) return column->reversed ? (order < 0 ? 1 : -1) : order;
    }
    return 0;
}

static const uint8_t *cell_bytes(const struct memtable_cell *cell)
{
    return cell->has_extra ? cell->extra->value : cell->value;
}

// Its value and path are in the arena, or what the packed cell has already.
static void cell_pack(struct memtable_cell *packed, const struct cell *cell, struct arena *arena)
{
    bool has_extra =
        cell->ttl != TTL_NONE || cell->local_time != LOCAL_TIME_NONE || !slice_is_null(cell->path);
    struct memtable_cell_extra *extra = packed->has_extra ? packed->extra : NULL;
    if (has_extra && extra == NULL) extra = arena_alloc(arena, sizeof *extra);
    *packed = (struct memtable_cell){.timestamp = cell->timestamp,
                                     .value = cell->value.data,
                                     .size = (uint32_t)cell->value.size,
                                     .column = cell->column,
                                     .has_extra = has_extra};
    if (!has_extra) return;
    *extra =
        (struct memtable_cell_extra){cell->ttl, cell->local_time, cell->path, cell->value.data};
    packed->extra = extra;
}

void memtable_row_unpack(const struct memtable_row *packed, struct clustering clustering,
                         struct cell *cells, struct row *row)
{
    const struct memtable_row_extra *extra = packed->extra;
    uint32_t count = packed->cell_count;
    for (uint32_t i = 0; i < count; i++)
        cells[i] = memtable_row_cell(&packed->cells[i]);
    *row = (struct row){.clustering = clustering,
                        .liveness = {packed->timestamp, TTL_NONE, LOCAL_TIME_NONE},
                        .deletion = DELETION_NONE,
                        .cell_count = count,
                        .cells = cells};
    if (extra == NULL) return;
    row->liveness.ttl = extra->ttl;
    row->liveness.local_time = extra->local_time;
    row->deletion = extra->deletion;
    row->complex_deletion_count = extra->complex_deletion_count;
    row->complex_deletions = extra->complex_deletions;
}

// ---- Deletions ---------------------------------------------------------------------------------

// One row being changed.
struct row_change {
    struct memtable_row *row;
    const struct column *columns; // The table's static or regular ones.
    struct deletion active;       // What hides cells of this row, all levels together.
    struct arena *arena;
    bool has_conflict; // A counter's shard had one clock and two counts.
};

static struct deletion newer_deletion(struct deletion a, struct deletion b)
{
    return deletion_supersedes(b, a) ? b : a;
}

static struct deletion row_deletion(const struct memtable_row *row)
{
    return row->extra == NULL ? DELETION_NONE : row->extra->deletion;
}

static struct memtable_row_extra *need_extra(struct row_change *change)
{
    struct memtable_row *row = change->row;
    if (row->extra == NULL) {
        row->extra = ARENA_NEW(change->arena, struct memtable_row_extra);
        row->extra->deletion = DELETION_NONE;
        row->extra->local_time = LOCAL_TIME_NONE;
    }
    return row->extra;
}

static struct liveness row_liveness(const struct memtable_row *row)
{
    if (row->extra == NULL) return (struct liveness){row->timestamp, TTL_NONE, LOCAL_TIME_NONE};
    return (struct liveness){row->timestamp, row->extra->ttl, row->extra->local_time};
}

static void set_liveness(struct row_change *change, struct liveness liveness)
{
    struct memtable_row *row = change->row;
    row->timestamp = liveness.timestamp;
    bool is_plain = liveness.ttl == TTL_NONE && liveness.local_time == LOCAL_TIME_NONE;
    if (is_plain && row->extra == NULL) return;
    need_extra(change)->ttl = liveness.ttl;
    row->extra->local_time = liveness.local_time;
}

// What the deletions of the row's own columns say of one of them.
static struct deletion complex_deletion_of(const struct memtable_row *row, uint16_t column)
{
    if (row->extra == NULL) return DELETION_NONE;
    for (uint32_t i = 0; i < row->extra->complex_deletion_count; i++) {
        const struct complex_deletion *deletion = &row->extra->complex_deletions[i];
        if (deletion->column == column) return deletion->deletion;
    }
    return DELETION_NONE;
}

// Takes out the cells that the row's own deletions hide. Cells of counters stay.
static void row_prune(struct row_change *change)
{
    struct memtable_row *row = change->row;
    struct deletion deletion = row_deletion(row);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct memtable_cell *cell = &row->cells[i];
        const struct type *type = change->columns[cell->column].type;
        bool hidden = deletion_deletes(deletion, cell->timestamp) ||
                      deletion_deletes(complex_deletion_of(row, cell->column), cell->timestamp);
        if (!hidden || type->kind == TYPE_COUNTER) row->cells[kept++] = *cell;
    }
    row->cell_count = kept;
    if (deletion_deletes(deletion, row->timestamp)) set_liveness(change, LIVENESS_NONE);
}

static void row_add_complex_deletions(struct row_change *change, const struct row *added)
{
    struct memtable_row_extra *row = need_extra(change);
    uint32_t most = row->complex_deletion_count + added->complex_deletion_count;
    struct complex_deletion *merged = arena_alloc(change->arena, most * sizeof *merged);
    uint32_t count = 0, i = 0, j = 0;
    while (i < row->complex_deletion_count || j < added->complex_deletion_count) {
        struct complex_deletion next;
        const struct complex_deletion *old = &row->complex_deletions[i];
        const struct complex_deletion *new = &added->complex_deletions[j];
        if (j == added->complex_deletion_count ||
            (i < row->complex_deletion_count && old->column < new->column)) {
            next = *old;
            i++;
        } else if (i == row->complex_deletion_count || new->column < old->column) {
            next = *new;
            j++;
        } else {
            next = *old;
            next.deletion = newer_deletion(old->deletion, new->deletion);
            i++;
            j++;
        }
        if (deletion_supersedes(next.deletion, row->deletion)) merged[count++] = next;
    }
    row->complex_deletions = merged;
    row->complex_deletion_count = count;
}

// ---- Cells -------------------------------------------------------------------------------------

static inline int cell_compare(const struct row_change *change, const struct memtable_cell *packed,
                               const struct cell *cell)
{
    if (packed->column != cell->column) return packed->column < cell->column ? -1 : 1;
    if (!packed->has_extra && slice_is_null(cell->path)) return 0;
    struct cell unpacked = memtable_row_cell(packed);
    return cell_place_compare(change->columns, &unpacked, cell);
}

// The first cell of the row that is not before this one.
static uint32_t row_find_cell(const struct row_change *change, const struct cell *cell)
{
    const struct memtable_row *row = change->row;
    uint32_t low = 0, high = row->cell_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cell_compare(change, &row->cells[middle], cell) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void row_insert_cell(struct row_change *change, uint32_t index, const struct cell *cell,
                            uint32_t more)
{
    struct memtable_row *row = change->row;
    uint32_t count = row->cell_count;
    if (count == row->cell_capacity) {
        uint32_t capacity = count == 0 ? more : count + (count > more ? count : more);
        struct memtable_cell *grown = arena_alloc(change->arena, capacity * sizeof *grown);
        if (count > 0) memcpy(grown, row->cells, count * sizeof *grown);
        row->cells = grown;
        row->cell_capacity = capacity;
    }
    struct memtable_cell *place = &row->cells[index];
    memmove(place + 1, place, (count - index) * sizeof *place);
    struct cell copy = *cell;
    copy.value = arena_copy(change->arena, cell->value);
    copy.path = arena_copy(change->arena, cell->path);
    place->has_extra = false;
    cell_pack(place, &copy, change->arena);
    row->cell_count = count + 1;
}

// The next value of a shard that the cell has: the usual increment, written over the old one.
static bool cell_count_on(struct memtable_cell *cell, const struct cell *added)
{
    if (cell->has_extra || cell_is_tombstone(added)) return false;
    uint8_t *context = (uint8_t *)(uintptr_t)cell->value;
    if (!counter_context_count_on(context, cell->size, added->value)) return false;
    if (added->timestamp > cell->timestamp) cell->timestamp = added->timestamp;
    return true;
}

// Takes over the value of `winner`, in the old value's place when it has the same size.
static void cell_replace(struct memtable_cell *cell, const struct cell *winner, bool in_arena,
                         struct arena *arena)
{
    struct cell result = *winner;
    uint8_t *old = (uint8_t *)(uintptr_t)cell_bytes(cell);
    result.path = cell->has_extra ? cell->extra->path : slice_null();
    if (winner->value.size == cell->size && cell->size > 0) {
        memmove(old, winner->value.data, cell->size);
        result.value = slice_make(old, cell->size);
    } else if (!in_arena) {
        result.value = arena_copy(arena, winner->value);
    }
    cell_pack(cell, &result, arena);
}

static void cell_merge(struct row_change *change, struct memtable_cell *cell,
                       const struct cell *added)
{
    bool is_counter = change->columns[cell->column].type->kind == TYPE_COUNTER;
    struct cell old = memtable_row_cell(cell);
    // A shard that was deleted may not come back under the timestamp of a new one. (A tombstone
    // stays, hidden or not: it beats every shard, as in Cassandra's memtable.)
    if (is_counter && !cell_is_tombstone(&old) && deletion_deletes(change->active, old.timestamp)) {
        cell_replace(cell, added, false, change->arena);
        return;
    }
    if (is_counter && cell_count_on(cell, added)) return;
    struct cell winner = is_counter
                             ? reconcile_counters(&old, added, change->arena, &change->has_conflict)
                             : reconcile_cells(&old, added, false, change->arena);
    if (winner.value.data == old.value.data && !slice_is_null(winner.value)) {
        winner.value = old.value;
        winner.path = old.path;
        cell_pack(cell, &winner, change->arena);
        return;
    }
    cell_replace(cell, &winner, winner.value.data != added->value.data, change->arena);
}

static void row_add_cells(struct row_change *change, const struct row *added)
{
    struct memtable_row *row = change->row;
    struct deletion deletion = row_deletion(row);
    for (uint32_t i = 0; i < added->cell_count; i++) {
        const struct cell *cell = &added->cells[i];
        const struct type *type = change->columns[cell->column].type;
        if (deletion_deletes(type->kind == TYPE_COUNTER ? change->active : deletion,
                             cell->timestamp))
            continue;
        if (deletion_deletes(complex_deletion_of(row, cell->column), cell->timestamp)) continue;
        uint32_t index = row_find_cell(change, cell);
        if (index < row->cell_count && cell_compare(change, &row->cells[index], cell) == 0) {
            cell_merge(change, &row->cells[index], cell);
        } else {
            row_insert_cell(change, index, cell, added->cell_count - i);
        }
    }
}

bool memtable_row_merge(struct memtable_row *row, const struct column *columns,
                        struct deletion active, const struct row *added, struct arena *arena)
{
    struct row_change change = {.row = row, .columns = columns, .active = active, .arena = arena};
    bool prune = false;
    if (deletion_supersedes(added->deletion, row_deletion(row))) {
        need_extra(&change)->deletion = added->deletion;
        prune = true;
    }
    if (added->complex_deletion_count > 0 || (prune && row->extra->complex_deletion_count > 0)) {
        row_add_complex_deletions(&change, added);
        prune = true;
    }
    if (prune) row_prune(&change);
    if (!deletion_deletes(row_deletion(row), added->liveness.timestamp))
        set_liveness(&change, reconcile_liveness(row_liveness(row), added->liveness));
    change.active = newer_deletion(active, row_deletion(row));
    row_add_cells(&change, added);
    return !change.has_conflict;
}
