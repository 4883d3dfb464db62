#include "ring/coordinator/read_decoder.h"

#include "base/limits.h"
#include "ring/coordinator/read_encoder.h"
#include "storage/cell_path.h"
#include "storage/counter_context.h"

enum { ROOM_MIN = 8 };

// ---- Values -------------------------------------------------------------------------------------

static struct deletion take_deletion(struct cursor *cursor)
{
    int64_t timestamp = (int64_t)cursor_u64(cursor);
    return (struct deletion){timestamp, (int32_t)cursor_u32(cursor)};
}

// Into `values`, which has room for all clustering columns.
static struct clustering take_clustering(struct read_decoder *decoder, struct slice *values)
{
    struct cursor *cursor = &decoder->cursor;
    const struct table *table = decoder->base.table;
    size_t count = cursor_count(cursor, 1);
    if (count > table->column_counts[COLUMN_CLUSTERING]) cursor->failed = true;
    if (cursor->failed || count == 0) return (struct clustering){0, NULL};
    for (size_t i = 0; i < count; i++) {
        values[i] = cursor_nullable_bytes(cursor);
        if (!decoder->is_trusted &&
            !type_fits(table->columns[COLUMN_CLUSTERING][i].type, values[i]))
            cursor->failed = true;
    }
    return (struct clustering){(uint16_t)count, values};
}

// ---- Rows ---------------------------------------------------------------------------------------

// The column's index in the table, UINT16_MAX when it has none of it.
static uint16_t find_column(struct read_decoder *decoder, enum column_kind kind)
{
    const struct read_layout *layout = &decoder->layouts[kind];
    uint64_t number = cursor_vint(&decoder->cursor);
    if (number >= layout->count) {
        decoder->cursor.failed = true;
        return UINT16_MAX;
    }
    return layout->indexes == NULL ? (uint16_t)number : layout->indexes[number];
}

static bool cell_is_valid(const struct column *column, const struct cell *cell)
{
    if (type_is_multi_cell(column->type) == slice_is_null(cell->path)) return false;
    if (!type_fits(column->type, cell->value)) return false;
    return column->type->kind != TYPE_COUNTER || cell_is_tombstone(cell) ||
           counter_context_is_valid(cell->value);
}

// False: the table does not have its column, or it is malformed.
static bool take_cell(struct read_decoder *decoder, enum column_kind kind, int64_t row_time,
                      struct cell *cell)
{
    struct cursor *cursor = &decoder->cursor;
    uint8_t flags = cursor_u8(cursor);
    *cell = (struct cell){.column = find_column(decoder, kind), .local_time = LOCAL_TIME_NONE};
    cell->timestamp = flags & READ_CELL_HAS_ROW_TIME ? row_time : (int64_t)cursor_u64(cursor);
    if (flags & READ_CELL_HAS_TTL) cell->ttl = (int32_t)cursor_u32(cursor);
    if (flags & READ_CELL_HAS_LOCAL_TIME) cell->local_time = (int32_t)cursor_u32(cursor);
    if (flags & READ_CELL_HAS_PATH) cell->path = cursor_vint_bytes(cursor);
    if (!(flags & READ_CELL_IS_NULL)) cell->value = cursor_vint_bytes(cursor);
    if (cursor->failed || cell->column == UINT16_MAX) return false;
    if (decoder->is_trusted) return true;
    if (!cell_is_valid(&decoder->base.table->columns[kind][cell->column], cell))
        cursor->failed = true;
    return !cursor->failed;
}

static uint32_t room_for(uint32_t capacity, size_t count)
{
    if (capacity < ROOM_MIN) capacity = ROOM_MIN;
    while (capacity < count)
        capacity *= 2;
    return capacity;
}

static void take_cells(struct read_decoder *decoder, enum column_kind kind,
                       struct read_row_room *room)
{
    const struct column *columns = decoder->base.table->columns[kind];
    size_t count = cursor_count(&decoder->cursor, 2);
    if (count > room->cell_capacity) {
        room->cell_capacity = room_for(room->cell_capacity, count);
        room->cells = arena_alloc(decoder->arena, room->cell_capacity * sizeof *room->cells);
    }
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct cell *cell = &room->cells[kept];
        if (!take_cell(decoder, kind, room->row.liveness.timestamp, cell)) {
            if (decoder->cursor.failed) return;
            continue;
        }
        if (!decoder->is_trusted && kept > 0 && cell_place_compare(columns, cell - 1, cell) >= 0) {
            decoder->cursor.failed = true;
            return;
        }
        kept++;
    }
    room->row.cells = room->cells;
    room->row.cell_count = kept;
}

static void take_complex_deletions(struct read_decoder *decoder, enum column_kind kind,
                                   struct read_row_room *room)
{
    size_t count = cursor_count(&decoder->cursor, 13);
    if (count > room->complex_deletion_capacity) {
        room->complex_deletion_capacity = room_for(room->complex_deletion_capacity, count);
        room->complex_deletions = arena_alloc(decoder->arena, room->complex_deletion_capacity *
                                                                  sizeof *room->complex_deletions);
    }
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t column = find_column(decoder, kind);
        struct deletion deletion = take_deletion(&decoder->cursor);
        if (decoder->cursor.failed) return;
        if (column == UINT16_MAX) continue;
        const struct type *type = decoder->base.table->columns[kind][column].type;
        if (!type_is_multi_cell(type) ||
            (kept > 0 && room->complex_deletions[kept - 1].column >= column)) {
            decoder->cursor.failed = true;
            return;
        }
        room->complex_deletions[kept++] = (struct complex_deletion){column, deletion};
    }
    room->row.complex_deletions = room->complex_deletions;
    room->row.complex_deletion_count = kept;
}

static void take_row(struct read_decoder *decoder, uint8_t flags, enum column_kind kind,
                     struct read_row_room *room)
{
    struct cursor *cursor = &decoder->cursor;
    struct row *row = &room->row;
    *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
    row->clustering = take_clustering(decoder, decoder->values[decoder->turn]);
    uint16_t columns =
        kind == COLUMN_STATIC ? 0 : decoder->base.table->column_counts[COLUMN_CLUSTERING];
    if (row->clustering.count != columns) cursor->failed = true;
    if (flags & READ_ROW_HAS_LIVENESS) row->liveness.timestamp = (int64_t)cursor_u64(cursor);
    if (flags & READ_ROW_HAS_TTL) {
        row->liveness.ttl = (int32_t)cursor_u32(cursor);
        row->liveness.local_time = (int32_t)cursor_u32(cursor);
    }
    if (flags & READ_ROW_HAS_DELETION) row->deletion = take_deletion(cursor);
    take_cells(decoder, kind, room);
    if (flags & READ_ROW_HAS_COMPLEX && !cursor->failed)
        take_complex_deletions(decoder, kind, room);
}

static void take_marker(struct read_decoder *decoder)
{
    struct marker *marker = &decoder->marker;
    uint8_t kind = cursor_u8(&decoder->cursor);
    if (kind > BOUND_EXCL_START || kind == BOUND_CLUSTERING || kind == BOUND_STATIC_CLUSTERING)
        decoder->cursor.failed = true;
    marker->bound.kind = decoder->cursor.failed ? BOUND_INCL_START : (enum bound_kind)kind;
    marker->bound.prefix = take_clustering(decoder, decoder->values[decoder->turn]);
    marker->closes = take_deletion(&decoder->cursor);
    marker->opens = take_deletion(&decoder->cursor);
}

// ---- Chunks -------------------------------------------------------------------------------------

static void take_layout(struct read_decoder *decoder, enum column_kind kind)
{
    struct read_layout *layout = &decoder->layouts[kind];
    layout->count = cursor_count(&decoder->cursor, 1);
    if (layout->count > TABLE_COLUMNS_MAX) decoder->cursor.failed = true;
    if (decoder->cursor.failed) layout->count = 0;
    layout->indexes = ARENA_NEW_ARRAY(decoder->arena, uint16_t, layout->count);
    uint16_t last = UINT16_MAX;
    for (uint64_t i = 0; i < layout->count; i++) {
        struct slice name = cursor_vint_bytes(&decoder->cursor);
        const struct column *column = table_find_column(decoder->base.table, name);
        bool known = column != NULL && column->kind == kind;
        layout->indexes[i] = known ? column->index : UINT16_MAX;
        // Columns stand in one order in all versions of a table.
        if (known && last != UINT16_MAX && column->index <= last) decoder->cursor.failed = true;
        if (known) last = column->index;
    }
}

static void begin_chunk(struct read_decoder *decoder, const struct read_chunk *chunk)
{
    decoder->chunk = chunk;
    decoder->cursor = cursor_make(chunk->bytes);
    for (int kind = COLUMN_STATIC; kind <= COLUMN_REGULAR; kind++)
        decoder->layouts[kind] =
            (struct read_layout){NULL, decoder->base.table->column_counts[kind]};
    if (cursor_left(&decoder->cursor) == 0 || decoder->cursor.next[0] != READ_TAG_LAYOUT) return;
    (void)cursor_u8(&decoder->cursor);
    take_layout(decoder, COLUMN_STATIC);
    take_layout(decoder, COLUMN_REGULAR);
}

static void take_head(struct read_decoder *decoder, uint8_t flags)
{
    struct partition_iterator *partition = &decoder->partition;
    struct slice key = cursor_vint_bytes(&decoder->cursor);
    if (key.size > KEY_SIZE_MAX) decoder->cursor.failed = true;
    partition->key = partition_key_make(key);
    partition->deletion = DELETION_NONE;
    partition->static_row = NULL;
    if (flags & READ_PARTITION_HAS_DELETION) partition->deletion = take_deletion(&decoder->cursor);
    if (!(flags & READ_PARTITION_HAS_STATIC) || decoder->cursor.failed) return;
    const uint8_t *begin = decoder->cursor.next;
    uint8_t tag = cursor_u8(&decoder->cursor);
    take_row(decoder, tag, COLUMN_STATIC, &decoder->static_rows);
    partition->static_row = &decoder->static_rows.row;
    decoder->static_raw = slice_make(begin, (size_t)(decoder->cursor.next - begin));
}

// At a cut: goes on in the next chunk if that one begins with the same partition. OK then; END: the
// partition ends here; WOULD_BLOCK: there is no next chunk yet.
static enum status go_on_behind_cut(struct read_decoder *decoder)
{
    if (cursor_u8(&decoder->cursor) != READ_TAG_MORE) return STATUS_CORRUPT;
    if (decoder->chunk->next == NULL) {
        decoder->cursor.next--; // Whoever asks again comes here again.
        return STATUS_WOULD_BLOCK;
    }
    begin_chunk(decoder, decoder->chunk->next);
    struct cursor before = decoder->cursor;
    uint8_t tag = cursor_u8(&decoder->cursor);
    struct slice key = slice_null();
    if ((tag & ~3u) == READ_TAG_PARTITION) key = cursor_vint_bytes(&decoder->cursor);
    bool is_same = !decoder->cursor.failed && slice_equals(key, decoder->partition.key.bytes);
    decoder->cursor = before;
    if (!is_same) {
        decoder->in_partition = false;
        return STATUS_END;
    }
    // What stands before the rows was given out already; the room of the static row is in use.
    (void)cursor_u8(&decoder->cursor);
    (void)cursor_vint_bytes(&decoder->cursor);
    if (tag & READ_PARTITION_HAS_DELETION) (void)take_deletion(&decoder->cursor);
    if (tag & READ_PARTITION_HAS_STATIC) {
        uint8_t flags = cursor_u8(&decoder->cursor);
        struct read_row_room room = {0};
        take_row(decoder, flags, COLUMN_STATIC, &room);
    }
    return STATUS_OK;
}

// ---- The partition ------------------------------------------------------------------------------

static bool has_order(const struct read_decoder *decoder, const struct bound *place)
{
    if (decoder->is_trusted || !decoder->has_place) return true;
    int order = bound_compare(decoder->base.table, &decoder->place, place);
    return decoder->reversed ? order > 0 : order < 0;
}

static enum status take_unfiltered(struct read_decoder *decoder, uint8_t tag,
                                   struct unfiltered *unfiltered)
{
    const uint8_t *begin = decoder->cursor.next - 1;
    struct bound place;
    decoder->turn ^= 1;
    if (tag == READ_TAG_MARKER) {
        take_marker(decoder);
        *unfiltered = (struct unfiltered){.is_marker = true, .marker = &decoder->marker};
        place = decoder->marker.bound;
    } else if ((tag & ~15u) == READ_TAG_ROW) {
        take_row(decoder, tag, COLUMN_REGULAR, &decoder->rows);
        *unfiltered = (struct unfiltered){.is_marker = false, .row = &decoder->rows.row};
        place = (struct bound){BOUND_CLUSTERING, decoder->rows.row.clustering};
    } else {
        return STATUS_CORRUPT;
    }
    if (decoder->cursor.failed || !has_order(decoder, &place)) return STATUS_CORRUPT;
    decoder->raw = slice_make(begin, (size_t)(decoder->cursor.next - begin));
    decoder->place = place;
    decoder->has_place = true;
    return STATUS_OK;
}

static enum status read_decoder_next_unfiltered(struct partition_iterator *base,
                                                struct unfiltered *unfiltered)
{
    struct read_decoder *decoder =
        (struct read_decoder *)((char *)base - offsetof(struct read_decoder, partition));
    if (!decoder->in_partition) return STATUS_END;
    for (;;) {
        uint8_t tag = cursor_u8(&decoder->cursor);
        if (decoder->cursor.failed) return STATUS_CORRUPT;
        if (tag == READ_TAG_END) {
            decoder->in_partition = false;
            return STATUS_END;
        }
        if (tag != READ_TAG_CUT) return take_unfiltered(decoder, tag, unfiltered);
        // A replica that stops has come to some row: it would be asked the same again for ever.
        if (!decoder->is_trusted && !decoder->has_place) return STATUS_CORRUPT;
        enum status status = go_on_behind_cut(decoder);
        if (status == STATUS_WOULD_BLOCK) decoder->cursor.next--; // Back to CUT.
        if (status != STATUS_OK) return status;
        decoder->has_place = false;
    }
}

static void read_decoder_close_partition(struct partition_iterator *base)
{
    struct read_decoder *decoder =
        (struct read_decoder *)((char *)base - offsetof(struct read_decoder, partition));
    decoder->is_open = false;
}

static const struct partition_iterator_ops partition_ops = {read_decoder_next_unfiltered,
                                                            read_decoder_close_partition};

// ---- The scan -----------------------------------------------------------------------------------

static enum status skip_rest(struct read_decoder *decoder)
{
    struct unfiltered unfiltered;
    enum status status = STATUS_OK;
    while (status == STATUS_OK)
        status = read_decoder_next_unfiltered(&decoder->partition, &unfiltered);
    if (status == STATUS_WOULD_BLOCK) decoder->was_left = true;
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status open_partition(struct read_decoder *decoder, uint8_t tag,
                                  struct partition_iterator **partition)
{
    struct partition_key last = decoder->partition.key;
    take_head(decoder, tag);
    if (decoder->cursor.failed) return STATUS_CORRUPT;
    if (!decoder->is_trusted && !slice_is_null(decoder->last_key) &&
        partition_key_compare(&last, &decoder->partition.key) >= 0)
        return STATUS_CORRUPT;
    decoder->last_key = decoder->partition.key.bytes;
    decoder->in_partition = decoder->is_open = true;
    decoder->has_place = false;
    *partition = &decoder->partition;
    return STATUS_OK;
}

static enum status read_decoder_next(struct scan_iterator *base,
                                     struct partition_iterator **partition)
{
    struct read_decoder *decoder = (struct read_decoder *)base;
    if (decoder->in_partition) {
        enum status status = skip_rest(decoder);
        if (status != STATUS_OK) return status;
    }
    for (;;) {
        uint8_t tag = cursor_u8(&decoder->cursor);
        if (decoder->cursor.failed) return STATUS_CORRUPT;
        if (tag != READ_TAG_MORE && tag != READ_TAG_END)
            return (tag & ~3u) == READ_TAG_PARTITION ? open_partition(decoder, tag, partition)
                                                     : STATUS_CORRUPT;
        if (decoder->chunk->next == NULL) {
            decoder->cursor.next--; // Whoever asks again hears the same.
            return tag == READ_TAG_END ? STATUS_END : STATUS_WOULD_BLOCK;
        }
        begin_chunk(decoder, decoder->chunk->next);
    }
}

static void read_decoder_close(struct scan_iterator *base)
{
    (void)base;
}

bool read_decoder_has_more(struct slice chunk)
{
    return chunk.size > 0 && chunk.data[chunk.size - 1] == READ_TAG_MORE;
}

bool read_decoder_is_at_end(const struct read_decoder *decoder)
{
    if (decoder->chunk->next != NULL || cursor_left(&decoder->cursor) == 0) return false;
    uint8_t tag = decoder->cursor.next[0];
    return tag == READ_TAG_MORE || (decoder->in_partition && tag == READ_TAG_CUT);
}

static const struct scan_iterator_ops scan_ops = {read_decoder_next, read_decoder_close};

struct read_decoder *read_decoder_open(const struct read_chunk *chunk, const struct table *table,
                                       bool reversed, bool is_trusted, struct arena *arena)
{
    struct read_decoder *decoder = ARENA_NEW(arena, struct read_decoder);
    decoder->base = (struct scan_iterator){&scan_ops, table};
    decoder->partition.ops = &partition_ops;
    decoder->partition.table = table;
    decoder->arena = arena;
    decoder->reversed = reversed;
    decoder->is_trusted = is_trusted;
    size_t columns = table->column_counts[COLUMN_CLUSTERING];
    if (columns > 0) {
        struct slice *values = arena_alloc(arena, 2 * columns * sizeof *values);
        decoder->values[0] = values;
        decoder->values[1] = values + columns;
    }
    begin_chunk(decoder, chunk);
    return decoder;
}
