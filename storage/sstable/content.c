// The first pass over what is to be written; see sstable.h.
#include "storage/sstable/format.h"

static void add_timestamp(struct sstable_content *content, bool *has, int64_t timestamp)
{
    if (!*has || timestamp < content->min_timestamp) content->min_timestamp = timestamp;
    *has = true;
}

// EncodingStats.Collector: only what is there lowers a base.
struct gatherer {
    struct sstable_content *content;
    bool has_timestamp, has_local_time, has_ttl;
};

static void add_local_time(struct gatherer *gatherer, int32_t local_time)
{
    struct sstable_content *content = gatherer->content;
    if (!gatherer->has_local_time || local_time < content->min_local_time)
        content->min_local_time = local_time;
    gatherer->has_local_time = true;
}

static void add_expiry(struct gatherer *gatherer, int32_t ttl, int32_t local_time)
{
    struct sstable_content *content = gatherer->content;
    if (!gatherer->has_ttl || ttl < content->min_ttl) content->min_ttl = ttl;
    gatherer->has_ttl = true;
    add_local_time(gatherer, local_time);
}

static void add_deletion(struct gatherer *gatherer, struct deletion deletion)
{
    if (deletion_is_live(deletion)) return;
    add_timestamp(gatherer->content, &gatherer->has_timestamp, deletion.timestamp);
    add_local_time(gatherer, deletion.local_time);
}

static void add_row(struct gatherer *gatherer, const struct row *row, uint64_t *columns)
{
    if (row->liveness.timestamp != TIMESTAMP_NONE) {
        add_timestamp(gatherer->content, &gatherer->has_timestamp, row->liveness.timestamp);
        if (row->liveness.ttl != TTL_NONE)
            add_expiry(gatherer, row->liveness.ttl, row->liveness.local_time);
    }
    add_deletion(gatherer, row->deletion);
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        columns[cell->column / 64] |= (uint64_t)1 << (cell->column % 64);
        add_timestamp(gatherer->content, &gatherer->has_timestamp, cell->timestamp);
        if (cell_is_expiring(cell)) {
            add_expiry(gatherer, cell->ttl, cell->local_time);
        } else if (cell_is_tombstone(cell)) {
            add_local_time(gatherer, cell->local_time);
        }
    }
    for (uint32_t i = 0; i < row->complex_deletion_count; i++) {
        uint16_t column = row->complex_deletions[i].column;
        columns[column / 64] |= (uint64_t)1 << (column % 64);
        add_deletion(gatherer, row->complex_deletions[i].deletion);
    }
}

static enum status add_partition(struct gatherer *gatherer, struct partition_iterator *partition)
{
    struct sstable_content *content = gatherer->content;
    add_deletion(gatherer, partition->deletion);
    bool has_data = !deletion_is_live(partition->deletion);
    if (partition->static_row != NULL) {
        add_row(gatherer, partition->static_row, content->static_columns);
        has_data |= !row_is_empty(partition->static_row);
    }
    struct unfiltered unfiltered;
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        has_data = true;
        if (unfiltered.is_marker) {
            add_deletion(gatherer, unfiltered.marker->closes);
            add_deletion(gatherer, unfiltered.marker->opens);
        } else {
            add_row(gatherer, unfiltered.row, content->regular_columns);
        }
    }
    content->partition_count += has_data;
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sstable_content_gather(struct scan_iterator *source, struct sstable_content *content)
{
    *content = (struct sstable_content){
        .min_timestamp = EPOCH_TIMESTAMP,
        .min_local_time = EPOCH_LOCAL_TIME,
    };
    struct gatherer gatherer = {.content = content};
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(source, &partition)) == STATUS_OK) {
        status = add_partition(&gatherer, partition);
        partition_iterator_close(partition);
        if (status != STATUS_OK) break;
    }
    scan_iterator_close(source);
    return status == STATUS_END ? STATUS_OK : status;
}
