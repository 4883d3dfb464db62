// What is to be written, before it is: a first pass over it, or the headers of what it is made of;
// see sstable.h.
#include "base/assert.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/reader.h"

#include <stdlib.h>

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

// ---- Of SSTables --------------------------------------------------------------------------------

static void add_columns(const struct header_columns *from, enum column_kind kind,
                        const struct table *table, uint64_t *columns)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct column *column = table_find_column(table, from->items[i].name);
        if (column != NULL && column->kind == kind)
            columns[column->index / 64] |= (uint64_t)1 << (column->index % 64);
    }
}

// The statistics are exact, the bases of a header may be those of what it was made of.
static void add_statistics(struct gatherer *gatherer, const struct statistics_summary *statistics)
{
    if (statistics->min_timestamp != TIMESTAMP_NONE)
        add_timestamp(gatherer->content, &gatherer->has_timestamp, statistics->min_timestamp);
    if (statistics->min_local_time != LOCAL_TIME_NONE)
        add_local_time(gatherer, statistics->min_local_time);
    struct sstable_content *content = gatherer->content;
    if (!gatherer->has_ttl || statistics->min_ttl < content->min_ttl)
        content->min_ttl = statistics->min_ttl;
    gatherer->has_ttl = true;
}

static enum status add_keys(const struct sstable_reader *reader, struct hyperloglog *keys,
                            bool *has_keys, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, reader->directory, &reader->name, SSTABLE_STATISTICS);
    struct slice file;
    enum status status = file_reader_read_file(reader->env, path, COMPONENT_SIZE_MAX, &file, error);
    if (status != STATUS_OK) return status;
    struct error cause = {0};
    status = statistics_decode_keys(file, keys, has_keys, &cause);
    free((void *)file.data);
    if (status != STATUS_OK)
        return reader_corrupt(reader, SSTABLE_STATISTICS, 0, error, cause.text);
    return STATUS_OK;
}

// How many keys there are in all: most may be in several of them (SSTableReader
// .getApproximateKeyCount).
static enum status count_partitions(struct sstable_reader *const *readers, size_t count,
                                    uint64_t *partition_count, struct error *error)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += readers[i]->partition_count;
    *partition_count = sum;
    if (count == 1) return STATUS_OK;
    struct hyperloglog *keys = malloc(sizeof *keys);
    ASSERT(keys != NULL);
    hyperloglog_init(keys);
    bool has_keys = true;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK && has_keys; i++)
        status = add_keys(readers[i], keys, &has_keys, error);
    uint64_t estimate = has_keys ? hyperloglog_count(keys) : sum;
    if (estimate < sum) *partition_count = estimate;
    free(keys);
    return status;
}

enum status sstable_content_unite(struct sstable_reader *const *readers, size_t count,
                                  const struct table *table, struct sstable_content *content,
                                  struct error *error)
{
    *content = (struct sstable_content){
        .min_timestamp = EPOCH_TIMESTAMP,
        .min_local_time = EPOCH_LOCAL_TIME,
    };
    struct gatherer gatherer = {.content = content};
    for (size_t i = 0; i < count; i++) {
        const struct header *header = &readers[i]->header;
        add_statistics(&gatherer, &readers[i]->statistics);
        add_columns(&header->columns[ROWS_STATIC], COLUMN_STATIC, table, content->static_columns);
        add_columns(&header->columns[ROWS_REGULAR], COLUMN_REGULAR, table,
                    content->regular_columns);
    }
    return count_partitions(readers, count, &content->partition_count, error);
}
