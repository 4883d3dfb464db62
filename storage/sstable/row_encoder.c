#include "storage/sstable/row_encoder.h"

#include "base/assert.h"
#include "storage/sstable/vint.h"

enum { NO_COLUMN = UINT16_MAX };

// ---- Clusterings --------------------------------------------------------------------------------

void row_encoder_put_values(const struct header *header, const struct clustering *clustering,
                            struct buffer *bytes)
{
    for (uint16_t start = 0; start < clustering->count; start += CLUSTERING_BLOCK) {
        uint16_t end = clustering->count - start > CLUSTERING_BLOCK
                           ? (uint16_t)(start + CLUSTERING_BLOCK)
                           : clustering->count;
        uint64_t flags = 0;
        size_t bound = VINT_SIZE_MAX;
        for (uint16_t i = start; i < end; i++) {
            struct slice value = clustering->values[i];
            if (value.size == 0) flags |= (value.data == NULL ? 2ull : 1ull) << (2 * (i - start));
            bound += VINT_SIZE_MAX + value.size;
        }
        uint8_t *at = buffer_reserve(bytes, bound);
        if (at == NULL) return;
        uint8_t *begin = at;
        at = vint_put(at, flags);
        for (uint16_t i = start; i < end; i++) {
            struct slice value = clustering->values[i];
            if (value.size == 0) continue;
            if (header->clustering_sizes[i] == 0) at = vint_put(at, value.size);
            memcpy(at, value.data, value.size);
            at += value.size;
        }
        buffer_truncate(bytes, bytes->size - bound + (size_t)(at - begin));
    }
}

void row_encoder_put_bound_values(const struct header *header, const struct clustering *clustering,
                                  struct buffer *bytes)
{
    buffer_put_u16(bytes, clustering->count);
    row_encoder_put_values(header, clustering, bytes);
}

// ---- Deltas -------------------------------------------------------------------------------------

static inline uint8_t *put_timestamp(uint8_t *at, const struct header *header, int64_t timestamp)
{
    return vint_put(at, (uint64_t)timestamp - (uint64_t)header->min_timestamp);
}

// Reduced to 32 bits and sign-extended: a time below the base takes nine bytes.
static inline uint8_t *put_i32(uint8_t *at, int32_t value, int32_t base)
{
    return vint_put(at, (uint64_t)(int64_t)(int32_t)((uint32_t)value - (uint32_t)base));
}

static inline uint8_t *put_deletion(uint8_t *at, const struct header *header,
                                    struct deletion deletion)
{
    at = put_timestamp(at, header, deletion.timestamp);
    // "None" is 2^32 - 1 in Cassandra 5, also where it writes files of version nb.
    int32_t local_time = deletion_is_live(deletion) ? -1 : deletion.local_time;
    return put_i32(at, local_time, header->min_local_time);
}

// ---- Rows ---------------------------------------------------------------------------------------

// Goes through a row's columns in the header's order: each has cells, a deletion, or both.
struct column_walk {
    const struct row *row;
    uint32_t cell, deletion; // Next of each.
};

struct column_part {
    uint16_t column; // The table's.
    const struct cell *cells;
    uint32_t cell_count;
    const struct complex_deletion *deletion; // Or NULL.
};

static inline bool next_column(struct column_walk *walk, struct column_part *part)
{
    const struct row *row = walk->row;
    bool has_cell = walk->cell < row->cell_count;
    bool has_deletion = walk->deletion < row->complex_deletion_count;
    if (!has_cell && !has_deletion) return false;
    uint16_t cell_column = has_cell ? row->cells[walk->cell].column : NO_COLUMN;
    uint16_t deletion_column =
        has_deletion ? row->complex_deletions[walk->deletion].column : NO_COLUMN;
    part->column = cell_column < deletion_column ? cell_column : deletion_column;
    part->deletion = NULL;
    if (deletion_column == part->column) part->deletion = &row->complex_deletions[walk->deletion++];
    part->cells = &row->cells[walk->cell];
    uint32_t start = walk->cell;
    while (walk->cell < row->cell_count && row->cells[walk->cell].column == part->column)
        walk->cell++;
    part->cell_count = walk->cell - start;
    return true;
}

static uint8_t *put_cell(uint8_t *at, const struct header *header,
                         const struct header_column *column, const struct row *row,
                         const struct cell *cell)
{
    // u8 flags, [uv timestamp], [uv32 local time], [uv32 ttl], [vbytes path], [value]
    const struct liveness *liveness = &row->liveness;
    bool is_expiring = cell_is_expiring(cell), is_tombstone = cell_is_tombstone(cell);
    bool row_timestamp =
        liveness->timestamp != TIMESTAMP_NONE && cell->timestamp == liveness->timestamp;
    bool row_ttl = is_expiring && liveness->timestamp != TIMESTAMP_NONE &&
                   liveness->ttl == cell->ttl && liveness->local_time == cell->local_time;
    *at++ =
        (uint8_t)((is_tombstone ? CELL_IS_DELETED : 0) | (is_expiring ? CELL_IS_EXPIRING : 0) |
                  (cell->value.size == 0 ? CELL_HAS_EMPTY_VALUE : 0) |
                  (row_timestamp ? CELL_USE_ROW_TIMESTAMP : 0) | (row_ttl ? CELL_USE_ROW_TTL : 0));
    if (!row_timestamp) at = put_timestamp(at, header, cell->timestamp);
    if ((is_expiring || is_tombstone) && !row_ttl)
        at = put_i32(at, cell->local_time, header->min_local_time);
    if (is_expiring && !row_ttl) at = put_i32(at, cell->ttl, header->min_ttl);
    if (column->multi_cell) {
        at = vint_put(at, cell->path.size);
        if (cell->path.size > 0) memcpy(at, cell->path.data, cell->path.size);
        at += cell->path.size;
    }
    if (cell->value.size == 0) return at;
    if (column->fixed_size == 0) at = vint_put(at, cell->value.size);
    memcpy(at, cell->value.data, cell->value.size);
    return at + cell->value.size;
}

static uint8_t *put_subset(uint8_t *at, const struct row_encoder *encoder, const struct row *row,
                           size_t column_count, size_t present_count)
{
    struct column_walk walk = {row, 0, 0};
    struct column_part part;
    if (column_count < 64) {
        uint64_t missing = ((uint64_t)1 << column_count) - 1;
        while (next_column(&walk, &part))
            missing &= ~((uint64_t)1 << encoder->columns[part.column]);
        return vint_put(at, missing);
    }
    at = vint_put(at, column_count - present_count);
    bool list_present = present_count < column_count / 2;
    size_t next = 0; // The first column of which nothing was said.
    while (next_column(&walk, &part)) {
        size_t column = encoder->columns[part.column];
        if (list_present) {
            at = vint_put(at, column);
        } else {
            for (; next < column; next++)
                at = vint_put(at, next);
        }
        next = column + 1;
    }
    for (; !list_present && next < column_count; next++)
        at = vint_put(at, next);
    return at;
}

// Bytes that a row cannot exceed.
static size_t row_bound(const struct row *row, size_t column_count)
{
    size_t bound = 6 * VINT_SIZE_MAX + 3 * (column_count + 1) + VINT_SIZE_MAX;
    // Each column of many cells: deletion and count.
    bound += 3 * VINT_SIZE_MAX * ((size_t)row->cell_count + row->complex_deletion_count);
    for (uint32_t i = 0; i < row->cell_count; i++)
        bound += 1 + 5 * VINT_SIZE_MAX + row->cells[i].path.size + row->cells[i].value.size;
    return bound;
}

// The number of columns with anything in them; all must be known to the header.
static size_t count_columns(const struct row_encoder *encoder, const struct row *row)
{
    struct column_walk walk = {row, 0, 0};
    struct column_part part;
    size_t count = 0;
    for (; next_column(&walk, &part); count++)
        ASSERT(encoder->columns[part.column] != NO_COLUMN);
    return count;
}

static uint8_t *put_columns(uint8_t *at, const struct row_encoder *encoder, const struct row *row)
{
    const struct header *header = encoder->header;
    const struct header_columns *columns =
        &header->columns[encoder->is_static ? ROWS_STATIC : ROWS_REGULAR];
    struct column_walk walk = {row, 0, 0};
    struct column_part part;
    while (next_column(&walk, &part)) {
        const struct header_column *column = &columns->items[encoder->columns[part.column]];
        if (column->multi_cell) {
            if (row->complex_deletion_count > 0)
                at = put_deletion(at, header,
                                  part.deletion == NULL ? DELETION_NONE : part.deletion->deletion);
            at = vint_put(at, part.cell_count);
        }
        for (uint32_t i = 0; i < part.cell_count; i++)
            at = put_cell(at, header, column, row, &part.cells[i]);
    }
    return at;
}

uint8_t row_encoder_put_body(const struct row_encoder *encoder, const struct row *row,
                             struct buffer *body)
{
    const struct header *header = encoder->header;
    size_t column_count = header->columns[encoder->is_static ? ROWS_STATIC : ROWS_REGULAR].count;
    size_t bound = row_bound(row, column_count);
    uint8_t *at = buffer_reserve(body, bound), *begin = at;
    if (at == NULL) return 0;
    uint8_t flags = 0;
    const struct liveness *liveness = &row->liveness;
    if (liveness->timestamp != TIMESTAMP_NONE) {
        flags |= UNFILTERED_HAS_TIMESTAMP;
        at = put_timestamp(at, header, liveness->timestamp);
        if (liveness->ttl != TTL_NONE) {
            flags |= UNFILTERED_HAS_TTL;
            at = put_i32(at, liveness->ttl, header->min_ttl);
            at = put_i32(at, liveness->local_time, header->min_local_time);
        }
    }
    if (!deletion_is_live(row->deletion)) {
        flags |= UNFILTERED_HAS_DELETION;
        at = put_deletion(at, header, row->deletion);
    }
    if (row->complex_deletion_count > 0) flags |= UNFILTERED_HAS_COMPLEX_DELETION;
    size_t present_count = count_columns(encoder, row);
    if (present_count == column_count) {
        flags |= UNFILTERED_HAS_ALL_COLUMNS;
    } else {
        at = put_subset(at, encoder, row, column_count, present_count);
    }
    at = put_columns(at, encoder, row);
    ASSERT((size_t)(at - begin) <= bound);
    buffer_truncate(body, body->size - bound + (size_t)(at - begin));
    return flags;
}

void row_encoder_put_marker_body(const struct header *header, const struct marker *marker,
                                 struct buffer *body)
{
    // Of a boundary the range that ends stands first.
    size_t bound = 4 * VINT_SIZE_MAX;
    uint8_t *at = buffer_reserve(body, bound), *begin = at;
    if (at == NULL) return;
    if (bound_is_boundary(marker->bound.kind)) {
        at = put_deletion(at, header, marker->closes);
        at = put_deletion(at, header, marker->opens);
    } else {
        bool is_end = marker->bound.kind == BOUND_EXCL_END || marker->bound.kind == BOUND_INCL_END;
        at = put_deletion(at, header, is_end ? marker->closes : marker->opens);
    }
    buffer_truncate(body, body->size - bound + (size_t)(at - begin));
}
