#include "storage/sstable/data_writer.h"

#include "base/assert.h"
#include "storage/sstable/row_decoder.h"
#include "storage/sstable/row_encoder.h"
#include "storage/sstable/vint.h"

#include <stdlib.h>

enum { NO_COLUMN = UINT16_MAX };

// What a row may take while it is encoded: room is made for the longest form of each number.
#define BODY_ROOM_MAX (4 * (size_t)ROW_SIZE_MAX)

static const enum column_kind kinds[ROWS_KIND_COUNT] = {COLUMN_STATIC, COLUMN_REGULAR};

// The header has some of the table's columns, in the same order.
static void map_columns(struct data_writer *writer, int kind)
{
    const struct header_columns *columns = &writer->header->columns[kind];
    uint16_t count = writer->table->column_counts[kinds[kind]];
    writer->columns[kind] = malloc(count == 0 ? 1 : count * sizeof **writer->columns);
    ASSERT(writer->columns[kind] != NULL);
    size_t next = 0;
    for (uint16_t i = 0; i < count; i++) {
        bool is_next =
            next < columns->count &&
            slice_equals(columns->items[next].name, writer->table->columns[kinds[kind]][i].name);
        writer->columns[kind][i] = is_next ? (uint16_t)next++ : NO_COLUMN;
    }
    ASSERT(next == columns->count);
}

enum status data_writer_init(struct data_writer *writer, struct env *env, const char *data_path,
                             const char *index_path, const struct table *table,
                             const struct header *header, const struct compression *compression,
                             uint64_t partition_count, size_t column_index_size,
                             struct error *error)
{
    writer->table = table;
    writer->header = header;
    writer->column_index_size =
        column_index_size == 0 ? COLUMN_INDEX_SIZE_DEFAULT : column_index_size;
    writer->partition_count = 0;
    enum status status = chunk_writer_init(&writer->chunks, env, data_path, compression, error);
    if (status != STATUS_OK) return status;
    status = index_writer_init(&writer->index, env, index_path, table, partition_count, error);
    if (status != STATUS_OK) {
        chunk_writer_deinit(&writer->chunks);
        return status;
    }
    statistics_collector_init(&writer->statistics, table);
    buffer_init(&writer->head, ROW_SIZE_MAX);
    buffer_init(&writer->body, BODY_ROOM_MAX);
    buffer_init(&writer->last_key, KEY_SIZE_MAX);
    buffer_init(&writer->block_first, ROW_SIZE_MAX);
    writer->place_values = malloc((header->clustering_count + 1) * sizeof(struct slice));
    ASSERT(writer->place_values != NULL);
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++)
        map_columns(writer, kind);
    return STATUS_OK;
}

void data_writer_deinit(struct data_writer *writer)
{
    chunk_writer_deinit(&writer->chunks);
    index_writer_deinit(&writer->index);
    statistics_collector_deinit(&writer->statistics);
    buffer_deinit(&writer->head);
    buffer_deinit(&writer->body);
    buffer_deinit(&writer->last_key);
    buffer_deinit(&writer->block_first);
    free(writer->place_values);
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++)
        free(writer->columns[kind]);
}

static uint64_t offset_of(const struct data_writer *writer)
{
    return writer->chunks.position - writer->start;
}

// Head, uv body size, uv previous size, body. The size counts the previous size too.
static enum status put_unfiltered(struct data_writer *writer, uint64_t previous_size,
                                  struct error *error)
{
    if (writer->head.overflow || writer->body.overflow || writer->body.size > ROW_SIZE_MAX)
        return error_set(error, STATUS_OVERLOADED, "a row is larger than %u bytes", ROW_SIZE_MAX);
    uint8_t sizes[2 * VINT_SIZE_MAX];
    uint8_t *at = vint_put(sizes, writer->body.size + vint_size(previous_size));
    at = vint_put(at, previous_size);
    enum status status = chunk_writer_put(&writer->chunks, buffer_slice(&writer->head), error);
    if (status == STATUS_OK)
        status = chunk_writer_put(&writer->chunks, slice_make(sizes, (size_t)(at - sizes)), error);
    if (status == STATUS_OK)
        status = chunk_writer_put(&writer->chunks, buffer_slice(&writer->body), error);
    return status;
}

static enum status put_static_row(struct data_writer *writer, const struct row *row,
                                  struct error *error)
{
    static const struct row empty = {
        .liveness = {TIMESTAMP_NONE, TTL_NONE, LOCAL_TIME_NONE},
        .deletion = {TIMESTAMP_NONE, LOCAL_TIME_NONE},
    };
    if (row == NULL) row = &empty;
    struct row_encoder encoder = {writer->header, writer->columns[ROWS_STATIC], true};
    buffer_clear(&writer->head);
    buffer_clear(&writer->body);
    uint8_t flags = row_encoder_put_body(&encoder, row, &writer->body);
    buffer_put_u8(&writer->head, flags | UNFILTERED_EXTENSION);
    buffer_put_u8(&writer->head, EXTENDED_IS_STATIC);
    if (!row_is_empty(row)) {
        statistics_add_row(&writer->statistics, row);
        writer->cell_count += row->cell_count;
    }
    return put_unfiltered(writer, 0, error);
}

enum status data_writer_begin_partition(struct data_writer *writer,
                                        const struct partition_iterator *partition,
                                        struct error *error)
{
    struct slice key = partition->key.bytes;
    struct partition_key last = {writer->last_token, buffer_slice(&writer->last_key)};
    if (key.size > KEY_SIZE_MAX) return error_set(error, STATUS_CORRUPT, "a key is too long");
    if (writer->partition_count > 0 && partition_key_compare(&last, &partition->key) >= 0)
        return error_set(error, STATUS_CORRUPT, "partitions are not in order");
    if (writer->partition_count == 0) writer->first_token = partition->key.token;
    writer->last_token = partition->key.token;
    buffer_clear(&writer->last_key);
    buffer_put(&writer->last_key, key.data, key.size);

    writer->deletion = partition->deletion;
    writer->start = writer->chunks.position;
    writer->cell_count = 0;
    writer->previous_start = 0;
    writer->has_block = false;
    writer->open = DELETION_NONE;
    struct buffer *head = &writer->head;
    buffer_clear(head);
    buffer_put_u16(head, (uint16_t)key.size);
    buffer_put(head, key.data, key.size);
    buffer_put_u32(head, (uint32_t)partition->deletion.local_time);
    buffer_put_u64(head, (uint64_t)partition->deletion.timestamp);
    enum status status = chunk_writer_put(&writer->chunks, buffer_slice(head), error);
    if (status != STATUS_OK) return status;
    statistics_add_deletion(&writer->statistics, partition->deletion);
    if (writer->header->columns[ROWS_STATIC].count > 0) {
        status = put_static_row(writer, partition->static_row, error);
        if (status != STATUS_OK) return status;
    }
    writer->header_size = offset_of(writer);
    return STATUS_OK;
}

static void encode_row(struct data_writer *writer, const struct row *row)
{
    struct row_encoder encoder = {writer->header, writer->columns[ROWS_REGULAR], false};
    buffer_put_u8(&writer->head, row_encoder_put_body(&encoder, row, &writer->body));
    row_encoder_put_values(writer->header, &row->clustering, &writer->head);
    writer->last_kind = BOUND_CLUSTERING;
    writer->last_offset = 1;
    statistics_add_row(&writer->statistics, row);
    writer->cell_count += row->cell_count;
}

static void encode_marker(struct data_writer *writer, const struct marker *marker)
{
    buffer_put_u8(&writer->head, UNFILTERED_IS_MARKER);
    buffer_put_u8(&writer->head, (uint8_t)marker->bound.kind);
    row_encoder_put_bound_values(writer->header, &marker->bound.prefix, &writer->head);
    row_encoder_put_marker_body(writer->header, marker, &writer->body);
    writer->last_kind = marker->bound.kind;
    writer->last_offset = 2;
    statistics_add_marker(&writer->statistics, marker);
    writer->open = marker->opens;
}

static struct index_place last_place(const struct data_writer *writer)
{
    struct slice head = buffer_slice(&writer->head);
    size_t offset = writer->last_offset;
    return (struct index_place){writer->last_kind, {head.data + offset, head.size - offset}};
}

static void end_block(struct data_writer *writer)
{
    struct index_place first = {writer->block_first_kind, buffer_slice(&writer->block_first)};
    struct index_place last = last_place(writer);
    index_writer_add_block(&writer->index, &first, &last, writer->block_start,
                           offset_of(writer) - writer->block_start, writer->open);
    writer->has_block = false;
}

// The smallest and the largest place of an SSTable are the first and last of their partitions: only
// those are looked at, from the bytes of the present head.
static void add_place(struct data_writer *writer)
{
    struct index_place place = last_place(writer);
    struct cursor cursor = cursor_make(place.values);
    struct bound bound;
    bool is_sound =
        row_decoder_place(writer->header, place.kind, &cursor, writer->place_values, &bound);
    ASSERT(is_sound && !cursor.failed);
    statistics_add_place(&writer->statistics, &bound);
}

enum status data_writer_put(struct data_writer *writer, const struct unfiltered *unfiltered,
                            struct error *error)
{
    buffer_clear(&writer->head);
    buffer_clear(&writer->body);
    if (unfiltered->is_marker) {
        encode_marker(writer, unfiltered->marker);
    } else {
        encode_row(writer, unfiltered->row);
    }
    uint64_t start = offset_of(writer);
    if (writer->previous_start == 0) add_place(writer);
    if (!writer->has_block) {
        struct index_place place = last_place(writer);
        writer->has_block = true;
        writer->block_start = start;
        writer->block_first_kind = place.kind;
        buffer_clear(&writer->block_first);
        buffer_put(&writer->block_first, place.values.data, place.values.size);
    }
    enum status status = put_unfiltered(writer, start - writer->previous_start, error);
    if (status != STATUS_OK) return status;
    writer->previous_start = start;
    if (offset_of(writer) - writer->block_start >= writer->column_index_size) end_block(writer);
    return STATUS_OK;
}

enum status data_writer_end_partition(struct data_writer *writer, struct error *error)
{
    static const uint8_t end = UNFILTERED_END_OF_PARTITION;
    const struct partition_key key = {writer->last_token, buffer_slice(&writer->last_key)};
    if (writer->previous_start > 0) add_place(writer);
    enum status status = chunk_writer_put(&writer->chunks, slice_make(&end, 1), error);
    if (status != STATUS_OK) return status;
    if (writer->has_block) end_block(writer); // Its width has the end byte in it.
    status = index_writer_end_partition(&writer->index, &key, writer->start, writer->header_size,
                                        writer->deletion, error);
    if (status != STATUS_OK) return status;
    statistics_add_partition(&writer->statistics, key.bytes, offset_of(writer), writer->cell_count);
    writer->partition_count++;
    return STATUS_OK;
}

enum status data_writer_put_partition(struct data_writer *writer,
                                      struct partition_iterator *partition, struct error *error)
{
    struct unfiltered unfiltered;
    enum status status = partition_iterator_next(partition, &unfiltered);
    if (status == STATUS_END && deletion_is_live(partition->deletion) &&
        (partition->static_row == NULL || row_is_empty(partition->static_row)))
        return STATUS_OK;
    if (status != STATUS_OK && status != STATUS_END)
        return error_set(error, status, "the source of the SSTable cannot be read");
    enum status begun = data_writer_begin_partition(writer, partition, error);
    if (begun != STATUS_OK) return begun;
    while (status == STATUS_OK) {
        status = data_writer_put(writer, &unfiltered, error);
        if (status != STATUS_OK) return status;
        status = partition_iterator_next(partition, &unfiltered);
    }
    if (status != STATUS_END)
        return error_set(error, status, "the source of the SSTable cannot be read");
    return data_writer_end_partition(writer, error);
}
