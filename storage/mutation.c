// The bytes of a mutation: commit log and internode messages alike. Integers are big-endian.
//
//     u8   version
//     16   table id
//     vb   partition key                                 (vb: vint length + bytes)
//     u8   flags: 1 partition deletion, 2 static row
//     [i64 timestamp, u32 local time]                    partition deletion
//     vint n, n × vb name                                static columns that the change has
//     vint n, n × vb name                                regular columns
//     [row]                                              static row
//     vint n, n × row
//     vint n, n × { bound, bound, deletion }             range deletions
//
//     row:   u8 flags (1 liveness, 2 its ttl, 4 deletion, 8 complex deletions), clustering
//            [i64 timestamp, [u32 ttl, u32 local time]], [deletion]
//            vint n, n × cell, [vint n, n × { vint column, deletion }]
//     cell:  u8 flags (1 ttl, 2 local time, 4 path, 8 null value), vint column, i64 timestamp,
//            [u32 ttl], [u32 local time], [vb path], [vb value]
//     clustering: vint n, n × (vint size + 1 and the bytes, or 0 for null)
//     bound: u8 kind, clustering
//
// `column` counts in the list of names of this mutation.
#include "storage/mutation.h"

#include "base/assert.h"
#include "base/limits.h"
#include "storage/cell_path.h"
#include "storage/counter_context.h"

enum { MUTATION_VERSION = 1, HAS_PARTITION_DELETION = 1, HAS_STATIC_ROW = 2 };
enum { ROW_HAS_LIVENESS = 1, ROW_HAS_TTL = 2, ROW_HAS_DELETION = 4, ROW_HAS_COMPLEX = 8 };
enum { CELL_HAS_TTL = 1, CELL_HAS_LOCAL_TIME = 2, CELL_HAS_PATH = 4, CELL_IS_NULL = 8 };
enum { COLUMN_DROPPED = UINT16_MAX, COLUMN_SETS = TABLE_COLUMNS_MAX / 64 };

// ---- Encoding ----------------------------------------------------------------------------------

// The columns that a mutation has, and their numbers in it.
struct column_numbers {
    uint64_t present[COLUMN_SETS];
    uint16_t numbers[TABLE_COLUMNS_MAX];
};

static void column_numbers_add(struct column_numbers *columns, const struct column *of_table,
                               const struct row *row)
{
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        // What does not hold here could be written, but never read again.
        ASSERT(type_is_multi_cell(of_table[cell->column].type) != slice_is_null(cell->path));
        columns->present[cell->column / 64] |= 1ull << cell->column % 64;
    }
    for (uint32_t i = 0; i < row->complex_deletion_count; i++) {
        uint16_t column = row->complex_deletions[i].column;
        ASSERT(i == 0 || row->complex_deletions[i - 1].column < column);
        columns->present[column / 64] |= 1ull << column % 64;
    }
}

// Writes the names and gives each column its number.
static void column_numbers_put(struct column_numbers *columns, const struct table *table,
                               enum column_kind kind, struct buffer *bytes)
{
    uint16_t count = 0;
    size_t sets = ((size_t)table->column_counts[kind] + 63) / 64;
    for (size_t i = 0; i < sets; i++)
        count = (uint16_t)(count + __builtin_popcountll(columns->present[i]));
    buffer_put_vint(bytes, count);
    uint16_t number = 0;
    for (size_t i = 0; i < sets; i++) {
        for (uint64_t left = columns->present[i]; left != 0; left &= left - 1) {
            size_t column = i * 64 + (size_t)__builtin_ctzll(left);
            ASSERT(column < table->column_counts[kind]);
            columns->numbers[column] = number++;
            buffer_put_vint_bytes(bytes, table->columns[kind][column].name);
        }
    }
}

static void put_deletion(struct buffer *bytes, struct deletion deletion)
{
    buffer_put_u64(bytes, (uint64_t)deletion.timestamp);
    buffer_put_u32(bytes, (uint32_t)deletion.local_time);
}

static void put_cell(struct buffer *bytes, const struct cell *cell, uint16_t number)
{
    uint8_t flags = 0;
    if (cell->ttl != TTL_NONE) flags |= CELL_HAS_TTL;
    if (cell->local_time != LOCAL_TIME_NONE) flags |= CELL_HAS_LOCAL_TIME;
    if (!slice_is_null(cell->path)) flags |= CELL_HAS_PATH;
    if (slice_is_null(cell->value)) flags |= CELL_IS_NULL;
    buffer_put_u8(bytes, flags);
    buffer_put_vint(bytes, number);
    buffer_put_u64(bytes, (uint64_t)cell->timestamp);
    if (flags & CELL_HAS_TTL) buffer_put_u32(bytes, (uint32_t)cell->ttl);
    if (flags & CELL_HAS_LOCAL_TIME) buffer_put_u32(bytes, (uint32_t)cell->local_time);
    if (flags & CELL_HAS_PATH) buffer_put_vint_bytes(bytes, cell->path);
    if (!(flags & CELL_IS_NULL)) buffer_put_vint_bytes(bytes, cell->value);
}

static void put_row(struct buffer *bytes, const struct row *row, const uint16_t *numbers)
{
    uint8_t flags = 0;
    if (row->liveness.timestamp != TIMESTAMP_NONE) flags |= ROW_HAS_LIVENESS;
    if (row->liveness.ttl != TTL_NONE) flags |= ROW_HAS_TTL;
    if (!deletion_is_live(row->deletion)) flags |= ROW_HAS_DELETION;
    if (row->complex_deletion_count > 0) flags |= ROW_HAS_COMPLEX;
    buffer_put_u8(bytes, flags);
    clustering_put(bytes, &row->clustering);
    if (flags & ROW_HAS_LIVENESS) buffer_put_u64(bytes, (uint64_t)row->liveness.timestamp);
    if (flags & ROW_HAS_TTL) {
        buffer_put_u32(bytes, (uint32_t)row->liveness.ttl);
        buffer_put_u32(bytes, (uint32_t)row->liveness.local_time);
    }
    if (flags & ROW_HAS_DELETION) put_deletion(bytes, row->deletion);
    buffer_put_vint(bytes, row->cell_count);
    for (uint32_t i = 0; i < row->cell_count; i++)
        put_cell(bytes, &row->cells[i], numbers[row->cells[i].column]);
    if (!(flags & ROW_HAS_COMPLEX)) return;
    buffer_put_vint(bytes, row->complex_deletion_count);
    for (uint32_t i = 0; i < row->complex_deletion_count; i++) {
        buffer_put_vint(bytes, numbers[row->complex_deletions[i].column]);
        put_deletion(bytes, row->complex_deletions[i].deletion);
    }
}

static void put_range_deletion(struct buffer *bytes, const struct range_deletion *deletion)
{
    buffer_put_u8(bytes, (uint8_t)deletion->range.start.kind);
    clustering_put(bytes, &deletion->range.start.prefix);
    buffer_put_u8(bytes, (uint8_t)deletion->range.end.kind);
    clustering_put(bytes, &deletion->range.end.prefix);
    put_deletion(bytes, deletion->deletion);
}

// Only the sets that the table's columns need are cleared: this is on the way of each write.
static void column_numbers_clear(struct column_numbers *columns, const struct table *table,
                                 enum column_kind kind)
{
    memset(columns->present, 0, ((size_t)table->column_counts[kind] + 63) / 64 * sizeof(uint64_t));
}

void mutation_encode(const struct mutation *mutation, struct buffer *bytes)
{
    struct column_numbers statics, regulars;
    column_numbers_clear(&statics, mutation->table, COLUMN_STATIC);
    column_numbers_clear(&regulars, mutation->table, COLUMN_REGULAR);
    if (mutation->static_row != NULL)
        column_numbers_add(&statics, mutation->table->columns[COLUMN_STATIC], mutation->static_row);
    for (size_t i = 0; i < mutation->row_count; i++)
        column_numbers_add(&regulars, mutation->table->columns[COLUMN_REGULAR], &mutation->rows[i]);

    bool has_deletion = !deletion_is_live(mutation->deletion);
    bool has_static = mutation->static_row != NULL;
    buffer_put_u8(bytes, MUTATION_VERSION);
    uuid_put(bytes, mutation->table->id);
    buffer_put_vint_bytes(bytes, mutation->key.bytes);
    buffer_put_u8(bytes, (uint8_t)((has_deletion ? HAS_PARTITION_DELETION : 0) |
                                   (has_static ? HAS_STATIC_ROW : 0)));
    if (has_deletion) put_deletion(bytes, mutation->deletion);
    column_numbers_put(&statics, mutation->table, COLUMN_STATIC, bytes);
    column_numbers_put(&regulars, mutation->table, COLUMN_REGULAR, bytes);
    if (has_static) put_row(bytes, mutation->static_row, statics.numbers);
    buffer_put_vint(bytes, mutation->row_count);
    for (size_t i = 0; i < mutation->row_count; i++)
        put_row(bytes, &mutation->rows[i], regulars.numbers);
    buffer_put_vint(bytes, mutation->range_deletion_count);
    for (size_t i = 0; i < mutation->range_deletion_count; i++)
        put_range_deletion(bytes, &mutation->range_deletions[i]);
}

// ---- Decoding ----------------------------------------------------------------------------------

// The columns of one kind that the mutation names: each one's index in the table now.
struct column_indexes {
    const struct column *columns; // The table's.
    uint16_t *indexes;            // COLUMN_DROPPED: the table has it no more.
    int64_t *dropped_us;          // Cells up to then belong to a dropped column of the same name.
    uint64_t count;
};

struct decoder {
    struct cursor cursor;
    const struct table *table;
    struct arena *arena;
    bool bad; // Well formed, but no mutation.
};

static struct deletion take_deletion(struct decoder *decoder)
{
    int64_t timestamp = (int64_t)cursor_u64(&decoder->cursor);
    return (struct deletion){timestamp, (int32_t)cursor_u32(&decoder->cursor)};
}

static int64_t find_dropped_time(const struct table *table, struct slice name)
{
    for (size_t i = 0; i < table->dropped_column_count; i++) {
        if (slice_equals(table->dropped_columns[i].name, name))
            return table->dropped_columns[i].dropped_time_us;
    }
    return INT64_MIN;
}

static void take_columns(struct decoder *decoder, enum column_kind kind,
                         struct column_indexes *columns)
{
    columns->columns = decoder->table->columns[kind];
    columns->count = cursor_count(&decoder->cursor, 1);
    if (columns->count > TABLE_COLUMNS_MAX) decoder->cursor.failed = true;
    if (decoder->cursor.failed) columns->count = 0;
    if (columns->count == 0) return;
    columns->dropped_us = arena_alloc(decoder->arena, columns->count * (sizeof(int64_t) + 2));
    columns->indexes = (uint16_t *)(columns->dropped_us + columns->count);
    for (size_t i = 0; i < columns->count; i++) {
        struct slice name = cursor_vint_bytes(&decoder->cursor);
        // Mostly the change has all columns.
        bool is_next =
            i < decoder->table->column_counts[kind] && slice_equals(columns->columns[i].name, name);
        const struct column *column =
            is_next ? &columns->columns[i] : table_find_column(decoder->table, name);
        bool known = column != NULL && column->kind == kind;
        columns->indexes[i] = known ? column->index : (uint16_t)COLUMN_DROPPED;
        columns->dropped_us[i] = find_dropped_time(decoder->table, name);
    }
}

static struct clustering take_clustering(struct decoder *decoder)
{
    size_t count = cursor_count(&decoder->cursor, 1);
    if (count > decoder->table->column_counts[COLUMN_CLUSTERING]) decoder->bad = true;
    if (decoder->cursor.failed || decoder->bad || count == 0) return (struct clustering){0, NULL};
    struct slice *values = arena_alloc(decoder->arena, sizeof *values * count);
    for (size_t i = 0; i < count; i++) {
        values[i] = cursor_nullable_bytes(&decoder->cursor);
        if (!type_fits(decoder->table->columns[COLUMN_CLUSTERING][i].type, values[i]))
            decoder->bad = true;
    }
    return (struct clustering){(uint16_t)count, values};
}

// False: the table has its column no more.
static bool take_cell(struct decoder *decoder, const struct column_indexes *columns,
                      struct cell *cell)
{
    uint8_t flags = cursor_u8(&decoder->cursor);
    uint64_t number = cursor_vint(&decoder->cursor);
    *cell = (struct cell){.local_time = LOCAL_TIME_NONE};
    cell->timestamp = (int64_t)cursor_u64(&decoder->cursor);
    if (flags & CELL_HAS_TTL) cell->ttl = (int32_t)cursor_u32(&decoder->cursor);
    if (flags & CELL_HAS_LOCAL_TIME) cell->local_time = (int32_t)cursor_u32(&decoder->cursor);
    if (flags & CELL_HAS_PATH) cell->path = cursor_vint_bytes(&decoder->cursor);
    if (!(flags & CELL_IS_NULL)) cell->value = cursor_vint_bytes(&decoder->cursor);
    if (number >= columns->count) decoder->bad = true;
    if (decoder->bad || decoder->cursor.failed) return false;
    cell->column = columns->indexes[number];
    if (cell->column == COLUMN_DROPPED) return false;
    const struct column *column = &columns->columns[cell->column];
    if (type_is_multi_cell(column->type) == slice_is_null(cell->path)) decoder->bad = true;
    if (!type_fits(column->type, cell->value)) decoder->bad = true;
    if (column->type->kind == TYPE_COUNTER && !cell_is_tombstone(cell) &&
        !counter_context_is_valid(cell->value))
        decoder->bad = true;
    return cell->timestamp > columns->dropped_us[number];
}

static void take_cells(struct decoder *decoder, const struct column_indexes *columns,
                       struct row *row)
{
    size_t count = cursor_count(&decoder->cursor, 10);
    if (decoder->cursor.failed || count == 0) return;
    struct cell *cells = arena_alloc(decoder->arena, sizeof *cells * count);
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!take_cell(decoder, columns, &cells[kept])) continue;
        if (decoder->bad) return;
        if (kept > 0 && cell_place_compare(columns->columns, &cells[kept - 1], &cells[kept]) >= 0) {
            decoder->bad = true;
            return;
        }
        kept++;
    }
    row->cells = cells;
    row->cell_count = kept;
}

static void take_complex_deletions(struct decoder *decoder, const struct column_indexes *columns,
                                   struct row *row)
{
    size_t count = cursor_count(&decoder->cursor, 13);
    if (decoder->cursor.failed || count == 0) return;
    struct complex_deletion *deletions = arena_alloc(decoder->arena, sizeof *deletions * count);
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = cursor_vint(&decoder->cursor);
        struct deletion deletion = take_deletion(decoder);
        if (decoder->cursor.failed || number >= columns->count) {
            decoder->bad = true;
            return;
        }
        uint16_t column = columns->indexes[number];
        if (column == COLUMN_DROPPED || deletion.timestamp <= columns->dropped_us[number]) continue;
        if (kept > 0 && deletions[kept - 1].column >= column) decoder->bad = true;
        deletions[kept++] = (struct complex_deletion){column, deletion};
    }
    row->complex_deletions = deletions;
    row->complex_deletion_count = kept;
}

static void take_row(struct decoder *decoder, const struct column_indexes *columns,
                     size_t clustering_count, struct row *row)
{
    *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
    uint8_t flags = cursor_u8(&decoder->cursor);
    row->clustering = take_clustering(decoder);
    if (row->clustering.count != clustering_count) decoder->bad = true;
    if (flags & ROW_HAS_LIVENESS) row->liveness.timestamp = (int64_t)cursor_u64(&decoder->cursor);
    if (flags & ROW_HAS_TTL) {
        row->liveness.ttl = (int32_t)cursor_u32(&decoder->cursor);
        row->liveness.local_time = (int32_t)cursor_u32(&decoder->cursor);
    }
    if (flags & ROW_HAS_DELETION) row->deletion = take_deletion(decoder);
    take_cells(decoder, columns, row);
    if (flags & ROW_HAS_COMPLEX) take_complex_deletions(decoder, columns, row);
}

static void take_rows(struct decoder *decoder, const struct column_indexes *columns,
                      struct mutation *mutation)
{
    size_t count = cursor_count(&decoder->cursor, 3);
    if (decoder->cursor.failed || count == 0) return;
    size_t clustering_count = decoder->table->column_counts[COLUMN_CLUSTERING];
    struct row *rows = arena_alloc(decoder->arena, sizeof *rows * count);
    for (size_t i = 0; i < count; i++) {
        take_row(decoder, columns, clustering_count, &rows[i]);
        if (decoder->cursor.failed || decoder->bad) return;
        if (i > 0 &&
            clustering_compare(decoder->table, &rows[i - 1].clustering, &rows[i].clustering) >= 0) {
            decoder->bad = true;
            return;
        }
    }
    mutation->rows = rows;
    mutation->row_count = count;
}

static bool bound_starts(enum bound_kind kind)
{
    return kind == BOUND_INCL_START || kind == BOUND_EXCL_START;
}

static bool bound_ends(enum bound_kind kind)
{
    return kind == BOUND_INCL_END || kind == BOUND_EXCL_END;
}

static void take_range_deletions(struct decoder *decoder, struct mutation *mutation)
{
    size_t count = cursor_count(&decoder->cursor, 16);
    if (decoder->cursor.failed || count == 0) return;
    struct range_deletion *deletions = arena_alloc(decoder->arena, sizeof *deletions * count);
    for (size_t i = 0; i < count; i++) {
        struct clustering_range *range = &deletions[i].range;
        range->start.kind = (enum bound_kind)cursor_u8(&decoder->cursor);
        range->start.prefix = take_clustering(decoder);
        range->end.kind = (enum bound_kind)cursor_u8(&decoder->cursor);
        range->end.prefix = take_clustering(decoder);
        deletions[i].deletion = take_deletion(decoder);
        if (decoder->cursor.failed || decoder->bad) return;
        if (!bound_starts(range->start.kind) || !bound_ends(range->end.kind)) {
            decoder->bad = true;
            return;
        }
    }
    mutation->range_deletions = deletions;
    mutation->range_deletion_count = count;
}

enum status mutation_decode_table_id(struct slice bytes, struct uuid *id)
{
    if (bytes.size < 1 + sizeof id->bytes || bytes.data[0] != MUTATION_VERSION)
        return STATUS_CORRUPT;
    memcpy(id->bytes, bytes.data + 1, sizeof id->bytes);
    return STATUS_OK;
}

enum status mutation_decode(struct slice bytes, const struct table *table, struct arena *arena,
                            struct mutation *mutation, struct error *error)
{
    struct uuid id;
    if (mutation_decode_table_id(bytes, &id) != STATUS_OK)
        return error_set(error, STATUS_CORRUPT, "a mutation of an unknown version");
    struct decoder decoder = {.cursor = cursor_make(bytes), .table = table, .arena = arena};
    struct cursor *cursor = &decoder.cursor;
    (void)cursor_take(cursor, 1 + sizeof id.bytes);

    struct mutation decoded = {.table = table, .deletion = DELETION_NONE};
    struct slice key = cursor_vint_bytes(cursor);
    uint8_t flags = cursor_u8(cursor);
    if (flags & HAS_PARTITION_DELETION) decoded.deletion = take_deletion(&decoder);
    struct column_indexes statics, regulars;
    take_columns(&decoder, COLUMN_STATIC, &statics);
    take_columns(&decoder, COLUMN_REGULAR, &regulars);
    if (flags & HAS_STATIC_ROW && !cursor->failed) {
        struct row *row = arena_alloc(arena, sizeof *row);
        take_row(&decoder, &statics, 0, row);
        decoded.static_row = row;
    }
    if (!decoder.bad) take_rows(&decoder, &regulars, &decoded);
    if (!decoder.bad && !cursor->failed) take_range_deletions(&decoder, &decoded);
    if (cursor->failed || decoder.bad || cursor_left(cursor) > 0 || key.size > KEY_SIZE_MAX)
        return error_set(error, STATUS_CORRUPT, "a mutation that does not decode");
    // Not copied as a whole: that would read, in larger pieces, what was just written in smaller
    // ones, and wait for it.
    mutation->table = table;
    mutation->key = partition_key_make(key);
    mutation->deletion.timestamp = decoded.deletion.timestamp;
    mutation->deletion.local_time = decoded.deletion.local_time;
    mutation->static_row = decoded.static_row;
    mutation->rows = decoded.rows;
    mutation->row_count = decoded.row_count;
    mutation->range_deletions = decoded.range_deletions;
    mutation->range_deletion_count = decoded.range_deletion_count;
    return STATUS_OK;
}
