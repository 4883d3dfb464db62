#include "storage/sstable/partition_reader.h"

#include "base/assert.h"

#include <stdlib.h>

// ---- One unfiltered at a time -------------------------------------------------------------------

// Decodes the head at the stream's place, asking for bytes until it is whole; CORRUPT, called
// `what`.
static enum status decode_head(struct partition_reader *partition, const char *what)
{
    struct stream *data = &partition->data;
    struct slice bytes;
    enum status status = stream_peek(data, 1, &bytes);
    while (status == STATUS_OK) {
        struct cursor cursor = cursor_make(bytes);
        bool is_sound = row_decoder_head(&partition->decoder, &cursor, &partition->head);
        if (!cursor.failed) {
            partition->head_size = (size_t)(cursor.next - bytes.data);
            return is_sound ? STATUS_OK : stream_corrupt(data, what);
        }
        status = stream_peek_more(data, bytes.size, HEAD_SIZE_MAX, &bytes);
    }
    return status;
}

// Decodes the head that stands at the stream's place, unless it is decoded already.
static enum status fetch_head(struct partition_reader *partition)
{
    if (partition->has_head || partition->is_at_end) return STATUS_OK;
    struct stream *data = &partition->data;
    enum status status = decode_head(partition, "bad row");
    if (status != STATUS_OK) return status;
    if (partition->head.extended & EXTENDED_IS_STATIC) return stream_corrupt(data, "bad row");
    if (partition->head.flags & UNFILTERED_END_OF_PARTITION) {
        partition->is_at_end = true;
        return STATUS_OK;
    }
    uint64_t left = data->end - data->position - partition->head_size;
    if (partition->head.body_size > left || partition->head.body_size > ROW_SIZE_MAX)
        return stream_corrupt(data, "bad size of a row");
    partition->has_head = true;
    return STATUS_OK;
}

static void skip_unfiltered(struct partition_reader *partition)
{
    partition->data.position += partition->head_size + partition->head.body_size;
    partition->has_head = false;
}

// Decodes the body of the present head and moves behind it.
static enum status take_unfiltered(struct partition_reader *partition)
{
    struct stream *data = &partition->data;
    struct row_decoder *decoder = &partition->decoder;
    struct unfiltered_head *head = &partition->head;
    size_t size = partition->head_size + (size_t)head->body_size;
    struct slice bytes;
    enum status status = stream_peek(data, size, &bytes);
    if (status != STATUS_OK) return status;
    // The bytes may be elsewhere now, so the clustering's values must be found again.
    struct cursor cursor = cursor_make(bytes);
    (void)!row_decoder_head(decoder, &cursor, head);
    struct cursor body =
        cursor_make(slice_make(bytes.data + partition->head_size, size - partition->head_size));
    bool is_sound = head->flags & UNFILTERED_IS_MARKER ? row_decoder_marker(decoder, head, body)
                                                       : row_decoder_row(decoder, head, body);
    if (!is_sound) return stream_corrupt(data, "bad body of a row");
    skip_unfiltered(partition);
    return STATUS_OK;
}

static bool is_marker(const struct partition_reader *partition)
{
    return partition->head.flags & UNFILTERED_IS_MARKER;
}

// What is open may be what an index says that is not trusted: then it must be what is closed.
static enum status check_open(const struct partition_reader *partition, struct deletion open,
                              struct deletion closed)
{
    if (partition->reader->index_is_trusted || partition->entry.block_count == 0 ||
        (open.timestamp == closed.timestamp && open.local_time == closed.local_time))
        return STATUS_OK;
    return reader_corrupt(partition->reader, SSTABLE_INDEX, partition->entry.start,
                          partition->data.access.error,
                          "another range tombstone is open at a block than in Data.db");
}

// A row of which nothing is left, because its columns were dropped.
static bool is_void(const struct partition_reader *partition)
{
    return partition->decoder.map->may_lose_cells && !is_marker(partition) &&
           row_is_empty(&partition->decoder.row);
}

// ---- Ranges and their edges ---------------------------------------------------------------------

static const struct clustering_range *present_range(const struct partition_reader *partition)
{
    const struct partition_filter *filter = partition->filter;
    return filter->reversed ? &filter->ranges[partition->ranges_left - 1]
                            : &filter->ranges[filter->range_count - partition->ranges_left];
}

static void leave_range(struct partition_reader *partition)
{
    partition->ranges_left--;
    partition->is_inside = false;
    partition->is_sought = false;
    partition->is_over = false;
}

// All values of the clustering are given, and the same at both ends.
static bool is_of_one_row(const struct partition_reader *partition)
{
    const struct clustering_range *range = present_range(partition);
    const struct clustering *start = &range->start.prefix, *end = &range->end.prefix;
    uint16_t count = partition->base.table->column_counts[COLUMN_CLUSTERING];
    if (start->count != count || end->count != count) return false;
    for (uint16_t i = 0; i < count; i++) {
        if (!slice_equals(start->values[i], end->values[i])) return false;
    }
    return true;
}

// Order of a place and a bound; a bound without values lies beyond all places.
static inline int compare(const struct partition_reader *partition, const struct bound *place,
                          const struct bound *bound)
{
    if (bound->prefix.count == 0) return bound->kind == BOUND_INCL_START ? 1 : -1;
    return bound_compare(partition->base.table, place, bound);
}

static enum status emit_start(struct partition_reader *partition, struct unfiltered *unfiltered)
{
    partition->edge =
        (struct marker){present_range(partition)->start, DELETION_NONE, partition->open};
    *unfiltered = (struct unfiltered){.is_marker = true, .marker = &partition->edge};
    return STATUS_OK;
}

static enum status emit_end(struct partition_reader *partition, struct unfiltered *unfiltered)
{
    partition->edge =
        (struct marker){present_range(partition)->end, partition->open, DELETION_NONE};
    *unfiltered = (struct unfiltered){.is_marker = true, .marker = &partition->edge};
    return STATUS_OK;
}

// Leaves the range; true if a range tombstone is cut at its end.
static bool end_range(struct partition_reader *partition, struct unfiltered *unfiltered)
{
    bool is_open = !deletion_is_live(partition->open);
    if (is_open) (void)emit_end(partition, unfiltered);
    leave_range(partition);
    return is_open;
}

// ---- Blocks of the index ------------------------------------------------------------------------

static enum status get_block(struct partition_reader *partition, uint32_t index,
                             struct index_block *block)
{
    return index_reader_block(partition->entry_stream, &partition->entry, index,
                              partition->block_values[0], partition->block_values[1], block);
}

// The first block that has something behind `bound`; block_count if none has.
static enum status find_block_behind(struct partition_reader *partition, const struct bound *bound,
                                     uint32_t *found)
{
    uint32_t low = 0, high = partition->entry.block_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct index_block block;
        enum status status = get_block(partition, middle, &block);
        if (status != STATUS_OK) return status;
        if (compare(partition, &block.last, bound) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = low;
    return STATUS_OK;
}

// How many chunks up to the end of the range are asked for at a miss.
static enum status look_ahead(struct partition_reader *partition, uint64_t start)
{
    const struct clustering_range *range = present_range(partition);
    uint32_t last;
    enum status status = find_block_behind(partition, &range->end, &last);
    if (status != STATUS_OK) return status;
    if (last == partition->entry.block_count) last--;
    struct index_block block;
    status = get_block(partition, last, &block);
    if (status != STATUS_OK) return status;
    uint64_t end = partition->entry.position + block.offset + block.width;
    uint64_t size = end > start ? end - start : 0;
    uint64_t count = size / partition->reader->data_chunk_size + 1;
    partition->data.ahead =
        count < PARTITION_READER_AHEAD_MAX ? (size_t)count : PARTITION_READER_AHEAD_MAX;
    return STATUS_OK;
}

// Behind a seek to a block: it must begin with what the index says, if that is not trusted.
static enum status check_block_start(struct partition_reader *partition,
                                     const struct index_block *block)
{
    if (partition->reader->index_is_trusted) return STATUS_OK;
    enum status status = fetch_head(partition);
    if (status != STATUS_OK) return status;
    const struct bound *place = &partition->head.place;
    if (!partition->is_at_end && place->kind == block->first.kind &&
        bound_compare(partition->base.table, place, &block->first) == 0)
        return STATUS_OK;
    return stream_corrupt(partition->entry_stream, "the block begins with another row in Data.db");
}

// Forward: skips the blocks before the present range.
static enum status seek_forward(struct partition_reader *partition)
{
    partition->is_sought = true;
    partition->is_of_one_row = is_of_one_row(partition);
    if (partition->entry.block_count == 0 || partition->is_at_end) return STATUS_OK;
    uint32_t target;
    enum status status = find_block_behind(partition, &present_range(partition)->start, &target);
    if (status != STATUS_OK) return status;
    if (target == partition->entry.block_count) {
        partition->is_at_end = true;
        partition->has_head = false;
        partition->open = DELETION_NONE;
        return STATUS_OK;
    }
    struct index_block block;
    if (target > 0) {
        status = get_block(partition, target - 1, &block);
        if (status != STATUS_OK) return status;
    }
    struct deletion open = target > 0 ? block.open : DELETION_NONE;
    status = get_block(partition, target, &block);
    if (status != STATUS_OK) return status;
    uint64_t position = partition->entry.position + block.offset;
    if (position > partition->data.position) {
        stream_seek(&partition->data, position);
        partition->has_head = false;
        partition->open = open;
        status = check_block_start(partition, &block);
        if (status != STATUS_OK) return status;
    }
    return look_ahead(partition, partition->data.position);
}

// ---- Forward ------------------------------------------------------------------------------------

// Inside of a range that is not bounded, or before its end.
static enum status emit_present(struct partition_reader *partition, struct unfiltered *unfiltered)
{
    enum status status = take_unfiltered(partition);
    if (status != STATUS_OK) return status;
    unfiltered->is_marker = is_marker(partition);
    if (unfiltered->is_marker) {
        unfiltered->marker = &partition->decoder.marker;
        status = check_open(partition, partition->open, partition->decoder.marker.closes);
        partition->open = partition->decoder.marker.opens;
        return status;
    }
    unfiltered->row = &partition->decoder.row;
    partition->is_over = partition->is_of_one_row;
    return STATUS_OK;
}

static enum status next_forward(struct partition_reader *partition, struct unfiltered *unfiltered)
{
    while (partition->ranges_left > 0) {
        const struct clustering_range *range = present_range(partition);
        enum status status = STATUS_OK;
        if (!partition->is_sought) status = seek_forward(partition);
        if (status == STATUS_OK && !partition->is_over) status = fetch_head(partition);
        if (status != STATUS_OK) return status;
        bool is_open = !deletion_is_live(partition->open);
        if (partition->is_over) {
            if (end_range(partition, unfiltered)) return STATUS_OK;
            continue;
        }
        if (partition->is_at_end) {
            // A range tombstone that nothing closes is damage; its edge is as good an end as any.
            bool cut = partition->is_inside && is_open;
            if (cut) (void)emit_end(partition, unfiltered);
            partition->ranges_left = 0;
            return cut ? STATUS_OK : STATUS_END;
        }
        if (!partition->is_inside) {
            // What stands exactly at the start can only be a marker that opens there: it is taken
            // into the edge, else two markers would stand at one place.
            if (compare(partition, &partition->head.place, &range->start) <= 0) {
                if (!is_marker(partition)) {
                    skip_unfiltered(partition);
                    continue;
                }
                status = take_unfiltered(partition);
                if (status == STATUS_OK)
                    status =
                        check_open(partition, partition->open, partition->decoder.marker.closes);
                if (status != STATUS_OK) return status;
                partition->open = partition->decoder.marker.opens;
                continue;
            }
            partition->is_inside = true;
            if (is_open) return emit_start(partition, unfiltered);
        }
        if (compare(partition, &partition->head.place, &range->end) >= 0) {
            if (end_range(partition, unfiltered)) return STATUS_OK;
            continue;
        }
        status = emit_present(partition, unfiltered);
        if (status != STATUS_OK || !is_void(partition)) return status;
    }
    return STATUS_END;
}

// ---- Backwards ----------------------------------------------------------------------------------

static struct slice *copy_values(struct arena *arena, const struct slice *values, size_t count)
{
    struct slice *copies = ARENA_NEW_ARRAY(arena, struct slice, count);
    for (size_t i = 0; i < count; i++)
        copies[i] = values[i].data == NULL ? slice_null() : arena_copy(arena, values[i]);
    return copies;
}

static struct bound copy_bound(struct arena *arena, const struct bound *bound)
{
    return (struct bound){
        bound->kind,
        {bound->prefix.count, copy_values(arena, bound->prefix.values, bound->prefix.count)}};
}

// All the row points to, in the arena.
static struct row copy_row(struct arena *arena, const struct row *row)
{
    struct row copy = *row;
    copy.clustering.values = copy_values(arena, row->clustering.values, row->clustering.count);
    struct cell *cells = ARENA_NEW_ARRAY(arena, struct cell, row->cell_count);
    for (uint32_t i = 0; i < row->cell_count; i++) {
        cells[i] = row->cells[i];
        cells[i].value = arena_copy(arena, row->cells[i].value);
        cells[i].path = arena_copy(arena, row->cells[i].path);
    }
    copy.cells = cells;
    struct complex_deletion *deletions =
        ARENA_NEW_ARRAY(arena, struct complex_deletion, row->complex_deletion_count);
    for (uint32_t i = 0; i < row->complex_deletion_count; i++)
        deletions[i] = row->complex_deletions[i];
    copy.complex_deletions = deletions;
    return copy;
}

static void keep_unfiltered(struct partition_reader *partition)
{
    if (partition->kept_count == partition->kept_capacity) {
        partition->kept_capacity =
            partition->kept_capacity == 0 ? 64 : 2 * partition->kept_capacity;
        partition->kept =
            realloc(partition->kept, partition->kept_capacity * sizeof *partition->kept);
        ASSERT(partition->kept != NULL);
    }
    struct arena *arena = &partition->block_arena;
    struct kept_unfiltered *kept = &partition->kept[partition->kept_count++];
    kept->is_marker = is_marker(partition);
    if (kept->is_marker) {
        kept->marker = partition->decoder.marker;
        kept->marker.bound = copy_bound(arena, &partition->decoder.marker.bound);
        kept->place = kept->marker.bound;
    } else {
        kept->row = copy_row(arena, &partition->decoder.row);
        kept->place = (struct bound){BOUND_CLUSTERING, kept->row.clustering};
    }
}

// Decodes from the stream's place to the end of the block and keeps what lies between the start of
// the first range and the end of the present one. `open` becomes what is open behind the last kept.
static enum status keep_block(struct partition_reader *partition, struct deletion open_at_start,
                              struct deletion open_at_end)
{
    const struct bound *start = &partition->filter->ranges[0].start;
    const struct bound *end = &present_range(partition)->end;
    struct deletion open = open_at_start;
    bool is_cut = false;
    partition->open = open_at_end;
    while (partition->data.position < partition->block_limit) {
        enum status status = fetch_head(partition);
        if (status != STATUS_OK) return status;
        if (partition->is_at_end) break;
        bool is_behind = compare(partition, &partition->head.place, end) >= 0;
        bool is_before = compare(partition, &partition->head.place, start) <= 0;
        if (!is_marker(partition) && (is_before || is_behind)) {
            if (is_behind) {
                partition->open = open;
                is_cut = true;
                break;
            }
            skip_unfiltered(partition);
            continue;
        }
        status = take_unfiltered(partition);
        if (status != STATUS_OK) return status;
        if (is_behind) {
            partition->open = partition->decoder.marker.closes;
            is_cut = true;
            break;
        }
        if (is_marker(partition)) {
            status = check_open(partition, open, partition->decoder.marker.closes);
            if (status != STATUS_OK) return status;
            open = partition->decoder.marker.opens;
        }
        if (!is_before && !is_void(partition)) keep_unfiltered(partition);
    }
    partition->has_head = false;
    partition->is_at_end = false;
    return is_cut ? STATUS_OK : check_open(partition, open, open_at_end);
}

// The last block before `limit` that has something before the end of the present range.
static enum status find_block_before(struct partition_reader *partition, ptrdiff_t limit,
                                     ptrdiff_t *found)
{
    const struct bound *end = &present_range(partition)->end;
    ptrdiff_t low = 0, high = limit;
    while (low < high) {
        ptrdiff_t middle = low + (high - low) / 2;
        struct index_block block;
        enum status status = get_block(partition, (uint32_t)middle, &block);
        if (status != STATUS_OK) return status;
        if (compare(partition, &block.first, end) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = low - 1;
    return STATUS_OK;
}

// Backwards, a block that reaches into the one behind it would give rows twice.
static enum status check_block_end(struct partition_reader *partition, uint32_t index, uint64_t end)
{
    if (partition->reader->index_is_trusted || index + 1 == partition->entry.block_count)
        return STATUS_OK;
    struct index_block behind;
    enum status status = get_block(partition, index + 1, &behind);
    if (status != STATUS_OK || end <= behind.offset) return status;
    return stream_corrupt(partition->entry_stream, "the block reaches into the one behind it");
}

// Loads the next block to the front that may have something of the present range. END: none has.
static enum status load_block(struct partition_reader *partition)
{
    uint32_t count = partition->entry.block_count;
    partition->kept_count = 0;
    if (count == 0) {
        if (partition->block == 0) return STATUS_END;
        partition->block = 0;
        arena_reset(&partition->block_arena);
        partition->block_limit = UINT64_MAX;
        return keep_block(partition, DELETION_NONE, DELETION_NONE);
    }
    // The present one had already all that comes before it in the range.
    const struct bound *start = &present_range(partition)->start;
    if ((size_t)partition->block < count && compare(partition, &partition->block_first, start) <= 0)
        return STATUS_END;
    ptrdiff_t target;
    enum status status = find_block_before(partition, partition->block, &target);
    if (status != STATUS_OK) return status;
    if (target < 0) {
        // Nothing lies there, so whatever is open here begins behind the range.
        partition->open = DELETION_NONE;
        return STATUS_END;
    }
    struct index_block block;
    struct deletion open_at_start = DELETION_NONE;
    if (target > 0) {
        status = get_block(partition, (uint32_t)target - 1, &block);
        if (status != STATUS_OK) return status;
        open_at_start = block.open;
    }
    status = get_block(partition, (uint32_t)target, &block);
    if (status != STATUS_OK) return status;
    arena_reset(&partition->block_arena);
    partition->block = target;
    partition->block_first = copy_bound(&partition->block_arena, &block.first);
    uint64_t position = partition->entry.position + block.offset;
    partition->block_limit = position + block.width;
    uint64_t chunks = block.width / partition->reader->data_chunk_size + 2;
    partition->data.ahead =
        chunks < PARTITION_READER_AHEAD_MAX ? (size_t)chunks : PARTITION_READER_AHEAD_MAX;
    stream_seek(&partition->data, position);
    status = check_block_start(partition, &block);
    if (status == STATUS_OK)
        status = check_block_end(partition, (uint32_t)target, block.offset + block.width);
    return status == STATUS_OK ? keep_block(partition, open_at_start, block.open) : status;
}

static enum status next_reversed(struct partition_reader *partition, struct unfiltered *unfiltered)
{
    while (partition->ranges_left > 0) {
        const struct clustering_range *range = present_range(partition);
        bool is_at_end = false;
        if (partition->kept_count == 0) {
            enum status status = load_block(partition);
            if (status != STATUS_OK && status != STATUS_END) return status;
            is_at_end = status == STATUS_END;
            if (!is_at_end && partition->kept_count == 0) continue;
        }
        bool is_open = !deletion_is_live(partition->open);
        const struct kept_unfiltered *kept =
            is_at_end ? NULL : &partition->kept[partition->kept_count - 1];
        if (!is_at_end && !partition->is_inside) {
            if (compare(partition, &kept->place, &range->end) >= 0) {
                if (kept->is_marker) partition->open = kept->marker.closes;
                partition->kept_count--;
                continue;
            }
        }
        if (!partition->is_inside) {
            partition->is_inside = true;
            if (is_open) return emit_end(partition, unfiltered);
        }
        if (is_at_end || compare(partition, &kept->place, &range->start) <= 0) {
            if (is_open) (void)emit_start(partition, unfiltered);
            leave_range(partition);
            if (is_open) return STATUS_OK;
            continue;
        }
        partition->kept_count--;
        unfiltered->is_marker = kept->is_marker;
        if (kept->is_marker) {
            partition->open = kept->marker.closes;
            unfiltered->marker = &kept->marker;
        } else {
            unfiltered->row = &kept->row;
        }
        return STATUS_OK;
    }
    return STATUS_END;
}

// ---- Beginning and end --------------------------------------------------------------------------

enum status partition_reader_next(struct partition_iterator *iterator,
                                  struct unfiltered *unfiltered)
{
    struct partition_reader *partition = (struct partition_reader *)iterator;
    return partition->filter->reversed ? next_reversed(partition, unfiltered)
                                       : next_forward(partition, unfiltered);
}

void partition_reader_init(struct partition_reader *partition, struct sstable_reader *reader,
                           const struct table *table, const struct column_map *map,
                           const struct partition_filter *filter, struct stream_access access,
                           struct arena *arena)
{
    *partition = (struct partition_reader){.reader = reader, .filter = filter};
    partition->base.table = table;
    stream_init(&partition->data, reader, access, SSTABLE_DATA);
    stream_init(&partition->index, reader, access, SSTABLE_INDEX);
    row_decoder_init(&partition->decoder, reader, map, arena);
    arena_init(&partition->static_arena, KIB);
    arena_init(&partition->block_arena, 16 * KIB);
    for (int i = 0; i < 2; i++)
        partition->block_values[i] =
            ARENA_NEW_ARRAY(arena, struct slice, reader->header.clustering_count + 1);
}

void partition_reader_deinit(struct partition_reader *partition)
{
    stream_deinit(&partition->data);
    stream_deinit(&partition->index);
    arena_deinit(&partition->static_arena);
    arena_deinit(&partition->block_arena);
    free(partition->kept);
    partition->kept = NULL;
}

// The static row at the stream's place. Its key and deletion were read.
static enum status read_static_row(struct partition_reader *partition)
{
    struct stream *data = &partition->data;
    enum status status = decode_head(partition, "bad static row");
    if (status != STATUS_OK) return status;
    if (!(partition->head.extended & EXTENDED_IS_STATIC) ||
        partition->head.flags & UNFILTERED_IS_MARKER ||
        partition->head.body_size > data->end - data->position - partition->head_size ||
        partition->head.body_size > ROW_SIZE_MAX)
        return stream_corrupt(data, "bad static row");
    if (!partition->filter->with_static) {
        skip_unfiltered(partition);
        return STATUS_OK;
    }
    status = take_unfiltered(partition);
    if (status != STATUS_OK) return status;
    if (row_is_empty(&partition->decoder.row)) return STATUS_OK;
    partition->static_row = copy_row(&partition->static_arena, &partition->decoder.row);
    partition->base.static_row = &partition->static_row;
    return STATUS_OK;
}

// Key, deletion, static row.
static enum status read_header(struct partition_reader *partition)
{
    struct stream *data = &partition->data;
    struct slice key = partition->base.key.bytes, bytes;
    const struct header *header = &partition->reader->header;
    size_t key_size = 2 + key.size;
    // In oa the deletion has one byte if there is none.
    size_t size = key_size + (header->version == SSTABLE_OA ? 1 : DELETION_SIZE);
    enum status status = stream_peek(data, size, &bytes);
    if (status == STATUS_OK && bytes.size > key_size && header->version == SSTABLE_OA &&
        bytes.data[key_size] != DELETION_OA_NONE)
        status = stream_peek(data, key_size + DELETION_SIZE, &bytes);
    if (status != STATUS_OK) return status;
    struct cursor cursor = cursor_make(bytes);
    struct slice found = cursor_take(&cursor, cursor_u16(&cursor));
    bool is_other = cursor.failed || !slice_equals(found, key);
    if (is_other && partition->is_by_hint) return STATUS_NOT_FOUND;
    if (is_other) return stream_corrupt(data, "another partition than the index says");
    partition->base.deletion = row_decoder_plain_deletion(header, &cursor);
    if (cursor.failed) return stream_corrupt(data, "bad deletion of a partition");
    data->position += (uint64_t)(cursor.next - bytes.data);
    if (partition->reader->header.columns[ROWS_STATIC].count == 0) return STATUS_OK;
    return read_static_row(partition);
}

enum status partition_reader_open(struct partition_reader *partition, struct partition_key key,
                                  struct stream *entry_stream)
{
    const struct partition_filter *filter = partition->filter;
    const struct index_entry *entry = &partition->entry;
    partition->entry_stream = entry_stream;
    partition->base.key = key;
    partition->base.static_row = NULL;
    arena_reset(&partition->static_arena);
    partition->ranges_left = filter->range_count;
    partition->is_inside = partition->is_sought = partition->is_at_end = false;
    partition->is_over = false;
    partition->has_head = false;
    partition->open = DELETION_NONE;
    partition->kept_count = 0;
    partition->block = entry->block_count == 0 ? 1 : (ptrdiff_t)entry->block_count;
    stream_seek(&partition->data, entry->position);
    bool wants_static =
        filter->with_static && partition->reader->header.columns[ROWS_STATIC].count > 0;
    if (entry->block_count > 0 && !wants_static && partition->reader->index_is_trusted) {
        // The index has the deletion too, and says where the rows begin.
        if (entry->header_size > partition->data.end - entry->position)
            return stream_corrupt(entry_stream, "bad header length");
        partition->base.deletion = entry->deletion;
        partition->data.position += entry->header_size;
        return STATUS_OK;
    }
    enum status status = read_header(partition);
    if (status != STATUS_OK || entry->block_count == 0) return status;
    struct deletion deletion = partition->base.deletion;
    if (partition->data.position - entry->position != entry->header_size ||
        deletion.timestamp != entry->deletion.timestamp ||
        deletion.local_time != entry->deletion.local_time)
        return stream_corrupt(entry_stream, "another header than the partition has in Data.db");
    return STATUS_OK;
}
