// The bytes of a chunk. Integers are big-endian, `uv` and `vb` as in sstable-nb §0.1.
//
//     chunk:     [layout], partition*, END or MORE
//     layout:    LAYOUT, uv n, n × vb name of static columns, the same for regular ones
//     partition: PARTITION + flags, vb key, [deletion], [row: the static one],
//                (row | marker)*, END or CUT
//     row:       ROW + flags, clustering, [i64 timestamp, [u32 ttl, u32 local time]], [deletion],
//                uv n, n × cell, [uv n, n × { uv column, deletion }]
//     cell:      u8 flags, uv column, [i64 timestamp], [u32 ttl], [u32 local time], [vb path],
//                [vb value]
//     marker:    MARKER, u8 kind, clustering, closes, opens       (no deletion: i64 min, u32 max)
//     clustering: uv n, n × (uv size + 1 and the bytes, or 0 for null)
//
// `column` is the index in the table of the replica, which is the coordinator's too unless there is
// a layout. A partition without anything is left out.
#include "ring/coordinator/read_encoder.h"

#include "base/limits.h"

enum { SKIPPED_MAX = 4 * READ_STEP_ROWS_MAX };

void read_encoder_init(struct read_encoder *encoder, struct buffer *bytes,
                       const struct table *table, uint32_t row_max, int32_t now_s)
{
    *encoder = (struct read_encoder){
        .bytes = bytes,
        .table = table,
        .now_s = now_s,
        .rows_left = row_max == 0 ? UINT32_MAX : row_max,
        .looks_left = READ_STEP_ROWS_MAX,
        .size_max = bytes->size + READ_STEP_SIZE_MAX,
    };
}

static void put_names(struct buffer *bytes, const struct table *table, enum column_kind kind)
{
    buffer_put_vint(bytes, table->column_counts[kind]);
    for (uint16_t i = 0; i < table->column_counts[kind]; i++)
        buffer_put_vint_bytes(bytes, table->columns[kind][i].name);
}

void read_encoder_put_layout(struct read_encoder *encoder)
{
    buffer_put_u8(encoder->bytes, READ_TAG_LAYOUT);
    put_names(encoder->bytes, encoder->table, COLUMN_STATIC);
    put_names(encoder->bytes, encoder->table, COLUMN_REGULAR);
}

static void put_deletion(struct buffer *bytes, struct deletion deletion)
{
    buffer_put_u64(bytes, (uint64_t)deletion.timestamp);
    buffer_put_u32(bytes, (uint32_t)deletion.local_time);
}

static void put_cell(struct buffer *bytes, const struct cell *cell, int64_t row_time)
{
    uint8_t flags = 0;
    if (cell->ttl != TTL_NONE) flags |= READ_CELL_HAS_TTL;
    if (cell->local_time != LOCAL_TIME_NONE) flags |= READ_CELL_HAS_LOCAL_TIME;
    if (!slice_is_null(cell->path)) flags |= READ_CELL_HAS_PATH;
    if (slice_is_null(cell->value)) flags |= READ_CELL_IS_NULL;
    if (cell->timestamp == row_time) flags |= READ_CELL_HAS_ROW_TIME;
    buffer_put_u8(bytes, flags);
    buffer_put_vint(bytes, cell->column);
    if (!(flags & READ_CELL_HAS_ROW_TIME)) buffer_put_u64(bytes, (uint64_t)cell->timestamp);
    if (flags & READ_CELL_HAS_TTL) buffer_put_u32(bytes, (uint32_t)cell->ttl);
    if (flags & READ_CELL_HAS_LOCAL_TIME) buffer_put_u32(bytes, (uint32_t)cell->local_time);
    if (flags & READ_CELL_HAS_PATH) buffer_put_vint_bytes(bytes, cell->path);
    if (!(flags & READ_CELL_IS_NULL)) buffer_put_vint_bytes(bytes, cell->value);
}

static void put_row(struct buffer *bytes, const struct row *row)
{
    uint8_t flags = 0;
    if (row->liveness.timestamp != TIMESTAMP_NONE) flags |= READ_ROW_HAS_LIVENESS;
    if (row->liveness.ttl != TTL_NONE) flags |= READ_ROW_HAS_TTL;
    if (!deletion_is_live(row->deletion)) flags |= READ_ROW_HAS_DELETION;
    if (row->complex_deletion_count > 0) flags |= READ_ROW_HAS_COMPLEX;
    buffer_put_u8(bytes, (uint8_t)(READ_TAG_ROW | flags));
    clustering_put(bytes, &row->clustering);
    if (flags & READ_ROW_HAS_LIVENESS) buffer_put_u64(bytes, (uint64_t)row->liveness.timestamp);
    if (flags & READ_ROW_HAS_TTL) {
        buffer_put_u32(bytes, (uint32_t)row->liveness.ttl);
        buffer_put_u32(bytes, (uint32_t)row->liveness.local_time);
    }
    if (flags & READ_ROW_HAS_DELETION) put_deletion(bytes, row->deletion);
    buffer_put_vint(bytes, row->cell_count);
    // TIMESTAMP_NONE, of a row without liveness, is no cell's.
    for (uint32_t i = 0; i < row->cell_count; i++)
        put_cell(bytes, &row->cells[i], row->liveness.timestamp);
    if (!(flags & READ_ROW_HAS_COMPLEX)) return;
    buffer_put_vint(bytes, row->complex_deletion_count);
    for (uint32_t i = 0; i < row->complex_deletion_count; i++) {
        buffer_put_vint(bytes, row->complex_deletions[i].column);
        put_deletion(bytes, row->complex_deletions[i].deletion);
    }
}

static void put_marker(struct buffer *bytes, const struct marker *marker)
{
    buffer_put_u8(bytes, READ_TAG_MARKER);
    buffer_put_u8(bytes, (uint8_t)marker->bound.kind);
    clustering_put(bytes, &marker->bound.prefix);
    put_deletion(bytes, marker->closes);
    put_deletion(bytes, marker->opens);
}

static bool row_is_live(const struct row *row, int32_t now)
{
    struct liveness liveness = row->liveness;
    if (liveness.timestamp != TIMESTAMP_NONE &&
        (liveness.ttl == TTL_NONE ||
         (liveness.ttl != TTL_EXPIRED_LIVENESS && now < liveness.local_time)))
        return true;
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (cell_is_live(&row->cells[i], now)) return true;
    return false;
}

// Counts one thing that was written; true when the chunk ends behind it.
static bool count_one(struct read_encoder *encoder, const struct row *row)
{
    if (encoder->looks_left > 0 && encoder->looks_left != UINT32_MAX) encoder->looks_left--;
    if (row != NULL && encoder->rows_left != UINT32_MAX && row_is_live(row, encoder->now_s))
        encoder->rows_left--;
    return encoder->looks_left == 0 || encoder->rows_left == 0 ||
           encoder->bytes->size >= encoder->size_max;
}

static void put_head(struct read_encoder *encoder, const struct partition_iterator *partition)
{
    bool has_deletion = !deletion_is_live(partition->deletion);
    bool has_static = partition->static_row != NULL && !row_is_empty(partition->static_row);
    buffer_put_u8(encoder->bytes,
                  (uint8_t)(READ_TAG_PARTITION | (has_deletion ? READ_PARTITION_HAS_DELETION : 0) |
                            (has_static ? READ_PARTITION_HAS_STATIC : 0)));
    buffer_put_vint_bytes(encoder->bytes, partition->key.bytes);
    if (has_deletion) put_deletion(encoder->bytes, partition->deletion);
    if (has_static) put_row(encoder->bytes, partition->static_row);
}

void read_encoder_put_empty(struct read_encoder *encoder, struct slice key)
{
    buffer_put_u8(encoder->bytes, READ_TAG_PARTITION);
    buffer_put_vint_bytes(encoder->bytes, key);
    buffer_put_u8(encoder->bytes, READ_TAG_END);
}

static enum status put_unfiltereds(struct read_encoder *encoder,
                                   struct partition_iterator *partition, size_t *count)
{
    struct unfiltered unfiltered;
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        if (unfiltered.is_marker)
            put_marker(encoder->bytes, unfiltered.marker);
        else
            put_row(encoder->bytes, unfiltered.row);
        ++*count;
        // A chunk that ended with the marker at its beginning would be asked for again for ever.
        if (count_one(encoder, unfiltered.is_marker ? NULL : unfiltered.row) &&
            (!unfiltered.is_marker || *count > 1))
            break;
    }
    return status;
}

enum status read_encoder_put_partition(struct read_encoder *encoder,
                                       struct partition_iterator *partition)
{
    size_t begin = encoder->bytes->size, count = 0;
    uint32_t rows_before = encoder->rows_left;
    put_head(encoder, partition);
    bool has_head = !deletion_is_live(partition->deletion) ||
                    (partition->static_row != NULL && !row_is_empty(partition->static_row));
    enum status status = put_unfiltereds(encoder, partition, &count);
    if (encoder->bytes->overflow) return STATUS_OVERLOADED;
    if (status == STATUS_OK) { // The chunk is full.
        buffer_put_u8(encoder->bytes, READ_TAG_CUT);
        encoder->is_cut = true;
        return STATUS_END;
    }
    if (status != STATUS_END) return status;
    if (count == 0 && !has_head) {
        buffer_truncate(encoder->bytes, begin);
        return STATUS_OK;
    }
    buffer_put_u8(encoder->bytes, READ_TAG_END);
    // A live static row is a row of a SELECT when there is no other.
    bool no_rows = encoder->rows_left == rows_before;
    return count_one(encoder, no_rows ? partition->static_row : NULL) ? STATUS_END : STATUS_OK;
}

void read_encoder_end(struct read_encoder *encoder, bool has_more)
{
    buffer_put_u8(encoder->bytes, has_more ? READ_TAG_MORE : READ_TAG_END);
}

static enum status end_scan(struct read_encoder *encoder, bool has_more)
{
    read_encoder_end(encoder, has_more);
    return encoder->bytes->overflow ? STATUS_OVERLOADED : STATUS_OK;
}

enum status read_encoder_put_scan(struct read_encoder *encoder, struct scan_iterator *scan,
                                  bool blocks_cut)
{
    size_t skipped = 0;
    for (;;) {
        struct partition_iterator *partition;
        enum status status = scan_iterator_next(scan, &partition);
        if (status == STATUS_END) return end_scan(encoder, false);
        if (status == STATUS_WOULD_BLOCK && blocks_cut) return end_scan(encoder, true);
        if (status != STATUS_OK) return status;
        size_t begin = encoder->bytes->size;
        status = read_encoder_put_partition(encoder, partition);
        bool is_skipped = encoder->bytes->size == begin;
        if (is_skipped && status == STATUS_OK && ++skipped == SKIPPED_MAX) {
            // Many partitions without anything: the chunk says how far it has come.
            read_encoder_put_empty(encoder, partition->key.bytes);
            status = STATUS_END;
        }
        partition_iterator_close(partition);
        if (status == STATUS_END) return end_scan(encoder, true);
        if (status == STATUS_WOULD_BLOCK && blocks_cut) {
            buffer_put_u8(encoder->bytes, READ_TAG_CUT);
            return end_scan(encoder, true);
        }
        if (status != STATUS_OK) return status;
    }
}
