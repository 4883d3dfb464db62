#include "storage/memtable/memtable_partition.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/cell_path.h"
#include "storage/counter_context.h"
#include "storage/merge/reconcile.h"

enum { CACHE_LINE = 64, ROW_LINES = 4 };

// ---- Order of rows -----------------------------------------------------------------------------

static int compare_bound_to_row(const void *context, const void *key, const void *item)
{
    const struct memtable_row *row = item;
    struct bound place = {BOUND_CLUSTERING, row->row.clustering};
    return bound_compare(context, key, &place);
}

static int compare_clusterings(const void *context, const void *key, const void *item)
{
    const struct memtable_row *row = item;
    // Its values and cells were made with it and lie behind it; mostly it is the row that is meant.
    for (int line = 1; line < ROW_LINES; line++)
        __builtin_prefetch((const char *)row + line * CACHE_LINE);
    return clustering_compare(context, key, &row->row.clustering);
}

static uint64_t first_bytes(struct slice value)
{
    uint8_t bytes[8] = {0};
    if (value.size > 0) memcpy(bytes, value.data, value.size < 8 ? value.size : 8);
    return bytes_get_u64(bytes);
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

const struct row *memtable_partition_find_row(const struct memtable_partition *partition,
                                              const struct table *table,
                                              const struct clustering *clustering)
{
    const struct memtable_row *row =
        clustering == NULL ? partition->static_row
                           : memtable_order_find(&partition->rows, row_prefix(table, clustering),
                                                 clustering, compare_clusterings, table, NULL);
    return row == NULL ? NULL : &row->row;
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

// ---- Merging a row -----------------------------------------------------------------------------

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

static struct deletion complex_deletion_of(const struct row *row, uint16_t column)
{
    for (uint32_t i = 0; i < row->complex_deletion_count; i++) {
        if (row->complex_deletions[i].column == column) return row->complex_deletions[i].deletion;
    }
    return DELETION_NONE;
}

// Takes out the cells that the row's own deletions hide. Cells of counters stay.
static void row_prune(struct row_change *change)
{
    struct row *row = &change->row->row;
    struct cell *cells = (struct cell *)(uintptr_t)row->cells;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &cells[i];
        const struct type *type = change->columns[cell->column].type;
        bool hidden = deletion_deletes(row->deletion, cell->timestamp);
        if (!hidden && row->complex_deletion_count > 0)
            hidden = deletion_deletes(complex_deletion_of(row, cell->column), cell->timestamp);
        if (!hidden || type->kind == TYPE_COUNTER) cells[kept++] = *cell;
    }
    row->cell_count = kept;
    if (deletion_deletes(row->deletion, row->liveness.timestamp)) row->liveness = LIVENESS_NONE;
}

static void row_add_complex_deletions(struct row_change *change, const struct row *added)
{
    struct row *row = &change->row->row;
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

// The first cell of the row that is not before this one.
static uint32_t row_find_cell(const struct row_change *change, const struct cell *cell)
{
    const struct row *row = &change->row->row;
    uint32_t low = 0, high = row->cell_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cell_place_compare(change->columns, &row->cells[middle], cell) < 0) {
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
    struct cell *cells = (struct cell *)(uintptr_t)row->row.cells;
    uint32_t count = row->row.cell_count;
    if (count == row->cell_capacity) {
        uint32_t capacity = count == 0 ? more : count + (count > more ? count : more);
        struct cell *grown = arena_alloc(change->arena, capacity * sizeof *grown);
        if (count > 0) memcpy(grown, cells, count * sizeof *grown);
        row->row.cells = cells = grown;
        row->cell_capacity = capacity;
    }
    memmove(&cells[index + 1], &cells[index], (count - index) * sizeof *cells);
    cells[index] = *cell;
    cells[index].value = arena_copy(change->arena, cell->value);
    cells[index].path = arena_copy(change->arena, cell->path);
    row->row.cell_count = count + 1;
}

// The next value of a shard that the cell has: the usual increment, written over the old one.
static bool cell_count_on(struct cell *cell, const struct cell *added)
{
    if (cell_is_tombstone(cell) || cell_is_tombstone(added)) return false;
    uint8_t *context = (uint8_t *)(uintptr_t)cell->value.data;
    if (!counter_context_count_on(context, cell->value.size, added->value)) return false;
    if (added->timestamp > cell->timestamp) cell->timestamp = added->timestamp;
    return true;
}

// Takes over the value of `winner`, in the old value's place when it has the same size.
static void cell_replace(struct cell *cell, const struct cell *winner, bool in_arena,
                         struct arena *arena)
{
    struct cell result = *winner;
    result.path = cell->path;
    if (winner->value.size == cell->value.size && cell->value.size > 0) {
        memmove((uint8_t *)(uintptr_t)cell->value.data, winner->value.data, winner->value.size);
        result.value = cell->value;
    } else if (!in_arena) {
        result.value = arena_copy(arena, winner->value);
    }
    *cell = result;
}

static void cell_merge(struct row_change *change, struct cell *cell, const struct cell *added)
{
    bool is_counter = change->columns[cell->column].type->kind == TYPE_COUNTER;
    // A shard that was deleted may not come back under the timestamp of a new one. (A tombstone
    // stays, hidden or not: it beats every shard, as in Cassandra's memtable.)
    if (is_counter && !cell_is_tombstone(cell) &&
        deletion_deletes(change->active, cell->timestamp)) {
        cell_replace(cell, added, false, change->arena);
        return;
    }
    if (is_counter && cell_count_on(cell, added)) return;
    struct cell winner = is_counter
                             ? reconcile_counters(cell, added, change->arena, &change->has_conflict)
                             : reconcile_cells(cell, added, false, change->arena);
    if (winner.value.data == cell->value.data && !slice_is_null(winner.value)) {
        winner.value = cell->value;
        winner.path = cell->path;
        *cell = winner;
        return;
    }
    cell_replace(cell, &winner, winner.value.data != added->value.data, change->arena);
}

static void row_add_cells(struct row_change *change, const struct row *added)
{
    struct memtable_row *row = change->row;
    for (uint32_t i = 0; i < added->cell_count; i++) {
        const struct cell *cell = &added->cells[i];
        const struct type *type = change->columns[cell->column].type;
        if (deletion_deletes(type->kind == TYPE_COUNTER ? change->active : row->row.deletion,
                             cell->timestamp))
            continue;
        if (row->row.complex_deletion_count > 0 &&
            deletion_deletes(complex_deletion_of(&row->row, cell->column), cell->timestamp))
            continue;
        uint32_t index = row_find_cell(change, cell);
        struct cell *cells = (struct cell *)(uintptr_t)row->row.cells;
        if (index < row->row.cell_count &&
            cell_place_compare(change->columns, &cells[index], cell) == 0) {
            cell_merge(change, &cells[index], cell);
        } else {
            row_insert_cell(change, index, cell, added->cell_count - i);
        }
    }
}

static void row_merge(struct row_change *change, const struct row *added)
{
    struct row *row = &change->row->row;
    bool prune = false;
    if (deletion_supersedes(added->deletion, row->deletion)) {
        row->deletion = added->deletion;
        prune = true;
    }
    if (added->complex_deletion_count > 0 || (prune && row->complex_deletion_count > 0)) {
        row_add_complex_deletions(change, added);
        prune = true;
    }
    if (prune) row_prune(change);
    if (!deletion_deletes(row->deletion, added->liveness.timestamp))
        row->liveness = reconcile_liveness(row->liveness, added->liveness);
    change->active = newer_deletion(change->active, row->deletion);
    row_add_cells(change, added);
}

// ---- The partition -----------------------------------------------------------------------------

// A row with room for the first cells, all in one piece: the bytes of its values follow.
static struct memtable_row *row_make(const struct clustering *clustering, uint32_t cell_count,
                                     struct arena *arena)
{
    size_t values_size = clustering->count * sizeof(struct slice);
    size_t cells_size = cell_count * sizeof(struct cell);
    struct memtable_row *row = arena_alloc(arena, sizeof *row + values_size + cells_size);
    struct slice *values = (struct slice *)(row + 1);
    for (uint16_t i = 0; i < clustering->count; i++)
        values[i] = arena_copy(arena, clustering->values[i]);
    *row = (struct memtable_row){
        .row = {.clustering = {clustering->count, clustering->count == 0 ? NULL : values},
                .liveness = LIVENESS_NONE,
                .deletion = DELETION_NONE,
                .cells = (struct cell *)(values + clustering->count)},
        .cell_capacity = cell_count,
    };
    return row;
}

static struct memtable_row *find_or_make_row(struct memtable_partition *partition,
                                             const struct table *table, const struct row *added,
                                             struct arena *arena)
{
    const struct clustering *clustering = &added->clustering;
    struct memtable_order_path path;
    uint64_t prefix = row_prefix(table, clustering);
    struct memtable_row *row = memtable_order_find(&partition->rows, prefix, clustering,
                                                   compare_clusterings, table, &path);
    if (row != NULL) return row;
    row = row_make(clustering, added->cell_count, arena);
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
                              struct arena *arena)
{
    const struct table *table = mutation->table;
    partition->deletion = newer_deletion(partition->deletion, mutation->deletion);
    if (mutation->range_deletion_count > 0 && partition->ranges == NULL)
        partition->ranges = ARENA_NEW(arena, struct range_deletions);
    for (size_t i = 0; i < mutation->range_deletion_count; i++)
        range_deletions_add(partition->ranges, table, &mutation->range_deletions[i], arena);

    struct row_change change = {.arena = arena};
    if (mutation->static_row != NULL) {
        if (partition->static_row == NULL)
            partition->static_row = row_make(&mutation->static_row->clustering,
                                             mutation->static_row->cell_count, arena);
        change.row = partition->static_row;
        change.columns = table->columns[COLUMN_STATIC];
        change.active = partition->deletion;
        row_merge(&change, mutation->static_row);
    }
    change.columns = table->columns[COLUMN_REGULAR];
    for (size_t i = 0; i < mutation->row_count; i++) {
        const struct row *row = &mutation->rows[i];
        change.row = find_or_make_row(partition, table, row, arena);
        change.active = partition_deletion_at(partition, table, &row->clustering);
        row_merge(&change, row);
    }
    return !change.has_conflict;
}
