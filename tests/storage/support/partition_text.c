#include "tests/storage/support/partition_text.h"

#include "base/checksum.h"
#include "base/limits.h"

#include <check.h>

static void put_hex(struct buffer *text, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        buffer_put_format(text, "%02x", bytes.data[i]);
}

static void put_deletion(struct buffer *text, struct deletion deletion)
{
    if (deletion_is_live(deletion)) {
        buffer_put_format(text, "live");
    } else {
        buffer_put_format(text, "%lld/%d", (long long)deletion.timestamp, deletion.local_time);
    }
}

static void put_values(struct buffer *text, const struct clustering *clustering)
{
    buffer_put_format(text, "[");
    for (uint16_t i = 0; i < clustering->count; i++) {
        if (i > 0) buffer_put_format(text, ",");
        if (slice_is_null(clustering->values[i])) buffer_put_format(text, "null");
        put_hex(text, clustering->values[i]);
    }
    buffer_put_format(text, "]");
}

static void put_cell(struct buffer *text, const struct column *column, const struct cell *cell)
{
    buffer_put_format(text, "    ");
    put_hex(text, column->name);
    if (type_is_multi_cell(column->type)) {
        buffer_put_format(text, "@");
        put_hex(text, cell->path);
    }
    buffer_put_format(text, " ts=%lld", (long long)cell->timestamp);
    if (cell->ttl != TTL_NONE) buffer_put_format(text, " ttl=%d", cell->ttl);
    if (cell->local_time != LOCAL_TIME_NONE) buffer_put_format(text, " ldt=%d", cell->local_time);
    buffer_put_format(text, " v=");
    if (cell->value.size > 64) {
        buffer_put_format(text, "#%zu:%x", cell->value.size, checksum_crc32(cell->value));
    } else {
        put_hex(text, cell->value);
    }
    buffer_put_format(text, "\n");
}

void partition_text_put_row(struct buffer *text, const struct table *table, const struct row *row,
                            bool is_static)
{
    buffer_put_format(text, "%s ", is_static ? "S" : "R");
    put_values(text, &row->clustering);
    buffer_put_format(text, " live=");
    if (row->liveness.timestamp == TIMESTAMP_NONE) {
        buffer_put_format(text, "none");
    } else {
        buffer_put_format(text, "%lld", (long long)row->liveness.timestamp);
        if (row->liveness.ttl != TTL_NONE)
            buffer_put_format(text, "/%d/%d", row->liveness.ttl, row->liveness.local_time);
    }
    buffer_put_format(text, " del=");
    put_deletion(text, row->deletion);
    buffer_put_format(text, "\n");
    const struct column *columns = table->columns[is_static ? COLUMN_STATIC : COLUMN_REGULAR];
    uint32_t cell = 0, deletion = 0;
    while (cell < row->cell_count || deletion < row->complex_deletion_count) {
        uint16_t column = cell < row->cell_count ? row->cells[cell].column : UINT16_MAX;
        struct deletion complex = DELETION_NONE;
        if (deletion < row->complex_deletion_count &&
            row->complex_deletions[deletion].column <= column) {
            column = row->complex_deletions[deletion].column;
            complex = row->complex_deletions[deletion++].deletion;
        }
        if (type_is_multi_cell(columns[column].type)) {
            buffer_put_format(text, "   C ");
            put_hex(text, columns[column].name);
            buffer_put_format(text, " ");
            put_deletion(text, complex);
            buffer_put_format(text, "\n");
        }
        for (; cell < row->cell_count && row->cells[cell].column == column; cell++)
            put_cell(text, &columns[column], &row->cells[cell]);
    }
}

void partition_text_put_marker(struct buffer *text, const struct marker *marker)
{
    buffer_put_format(text, "M %d ", marker->bound.kind);
    put_values(text, &marker->bound.prefix);
    if (!deletion_is_live(marker->closes)) {
        buffer_put_format(text, " close=");
        put_deletion(text, marker->closes);
    }
    if (!deletion_is_live(marker->opens)) {
        buffer_put_format(text, " open=");
        put_deletion(text, marker->opens);
    }
    buffer_put_format(text, "\n");
}

// The partition's rows and markers; in file order also when it is read backwards.
void partition_text_put_unfiltereds(struct buffer *text, struct partition_iterator *partition,
                                    bool reversed)
{
    struct unfiltered unfiltered;
    enum status status;
    struct buffer one;
    buffer_init(&one, GIB);
    size_t start = text->size;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        buffer_clear(&one);
        if (unfiltered.is_marker) {
            partition_text_put_marker(&one, unfiltered.marker);
        } else {
            partition_text_put_row(&one, partition->table, unfiltered.row, false);
        }
        buffer_put(text, one.data, one.size);
        if (reversed && text->size - one.size > start) {
            memmove(text->data + start + one.size, text->data + start,
                    text->size - start - one.size);
            memcpy(text->data + start, one.data, one.size);
        }
    }
    ck_assert_msg(status == STATUS_END, "%s", status_text(status));
    buffer_deinit(&one);
}

void partition_text_put(struct buffer *text, struct partition_iterator *partition, bool reversed)
{
    buffer_put_format(text, "P ");
    put_hex(text, partition->key.bytes);
    buffer_put_format(text, " ");
    put_deletion(text, partition->deletion);
    buffer_put_format(text, "\n");
    if (partition->static_row != NULL)
        partition_text_put_row(text, partition->table, partition->static_row, true);
    partition_text_put_unfiltereds(text, partition, reversed);
}
