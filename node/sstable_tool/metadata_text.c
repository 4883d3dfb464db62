#include "node/sstable_tool/metadata_text.h"

#include "base/cursor.h"
#include "node/sstable_tool/java_map.h"
#include "node/sstable_tool/java_time.h"
#include "node/sstable_tool/term_histogram.h"
#include "storage/value/java_string.h"
#include "storage/value/real.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

// ---- Small things -------------------------------------------------------------------------------

static void put_text(struct buffer *text, const char *literal)
{
    buffer_put(text, literal, strlen(literal));
}

static void put_slice(struct buffer *text, struct slice slice)
{
    buffer_put(text, slice.data, slice.size);
}

// "05/13/2014 16:56:51", or "--" for 0, and the number behind it.
static void put_timestamp(const struct metadata_view *view, const char *name, int64_t timestamp,
                          struct buffer *text)
{
    buffer_put_format(text, "%s: ", name);
    int64_t per_second = view->units_per_second, ms;
    if (timestamp == 0) {
        put_text(text, "--");
    } else {
        // As TimeUnit.toMillis(): cut towards zero, and no further than a long goes.
        if (per_second >= 1000)
            ms = timestamp / (per_second / 1000);
        else if (__builtin_mul_overflow(timestamp, 1000 / per_second, &ms))
            ms = timestamp < 0 ? INT64_MIN : INT64_MAX;
        java_time_put_date(ms, text);
    }
    buffer_put_format(text, " (%" PRId64 ")\n", timestamp);
}

static void put_local_time(const char *name, int64_t seconds, struct buffer *text)
{
    buffer_put_format(text, "%s: ", name);
    if (seconds == 0 || seconds == INT64_MAX)
        put_text(text, "no tombstones");
    else
        java_time_put_date(seconds * 1000, text);
    buffer_put_format(text, " (%" PRId64 ")\n", seconds);
}

static void put_ttl(const char *name, int32_t ttl, struct buffer *text)
{
    buffer_put_format(text, "%s: %" PRId32, name, ttl);
    if (ttl == INT32_MAX) {
        put_text(text, " (never)");
    } else if (ttl != 0) {
        put_text(text, " (");
        java_time_put_words(ttl, text);
        put_text(text, ")");
    }
    put_text(text, "\n");
}

static void put_duration(int64_t from, int64_t to, struct buffer *text)
{
    int64_t seconds = (int64_t)((uint64_t)to - (uint64_t)from) / 1000000;
    buffer_put_format(text,
                      "Duration: Days: %" PRId64 " Hours: %" PRId64 " Minutes: %" PRId64
                      " Seconds: %" PRId64 "\n",
                      seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

static void put_key(const struct metadata_view *view, const char *name,
                    const struct partition_key *key, struct buffer *text)
{
    buffer_put_format(text, "%s: %" PRId64 " (", name, key->token.value);
    java_string_put_key(view->key_types, view->key_type_count, key->bytes, text);
    put_text(text, ")\n");
}

static void put_bound(const struct metadata_view *view, const struct bound *bound, bool is_start,
                      struct buffer *text)
{
    const struct column *columns = view->sstable->table->columns[COLUMN_CLUSTERING];
    uint16_t count = view->sstable->table->column_counts[COLUMN_CLUSTERING];
    bool inclusive = bound->kind == BOUND_INCL_START || bound->kind == BOUND_INCL_END;
    if (is_start) put_text(text, inclusive ? "[" : "(");
    for (uint16_t i = 0; i < bound->prefix.count && i < count; i++) {
        if (i > 0) put_text(text, ":");
        java_string_put(columns[i].type, bound->prefix.values[i], text);
    }
    if (!is_start) put_text(text, inclusive ? "]" : ")");
}

static void put_uuid(const char *name, bool exists, struct uuid uuid, struct buffer *text)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(uuid, id);
    buffer_put_format(text, "%s: %s\n", name, exists ? id : "--");
}

static void put_replay_positions(const struct statistics_full *statistics, struct buffer *text)
{
    put_text(text, "Replay positions covered: {");
    for (size_t i = 0; i < statistics->log_interval_count; i++) {
        const struct full_log_interval *interval = &statistics->log_intervals[i];
        buffer_put_format(text,
                          "%sCommitLogPosition(segmentId=%" PRId64 ", position=%" PRId32
                          ")=CommitLogPosition(segmentId=%" PRId64 ", position=%" PRId32 ")",
                          i == 0 ? "" : ", ", interval->start.segment, interval->start.position,
                          interval->end.segment, interval->end.position);
    }
    put_text(text, "}\n");
}

// ---- Histograms ---------------------------------------------------------------------------------

static void put_drop_time(int64_t seconds, struct buffer *text)
{
    buffer_put_format(text, "%" PRId64 " ", seconds);
    if (seconds == 0) return;
    put_text(text, "(");
    java_time_put_date(seconds > INT64_MAX / 1000 ? INT64_MAX : seconds * 1000, text);
    put_text(text, ")");
}

// "3.2 kB", rounded half up as Java does.
static void put_bytes(int64_t bytes, struct buffer *text)
{
    if (bytes < 1024) {
        buffer_put_format(text, "%" PRId64 " B", bytes);
        return;
    }
    int exponent = (int)(log((double)bytes) / log(1024));
    if (exponent > 5) exponent = 5;
    long double tenths = floorl((long double)bytes * 10 / powl(1024, exponent) + 0.5L);
    buffer_put_format(text, "%.1Lf %cB", tenths / 10, "kMGTP"[exponent - 1]);
}

static void put_size(int64_t bytes, struct buffer *text)
{
    buffer_put_format(text, "%" PRId64 " ", bytes);
    if (bytes == 0) return;
    put_text(text, "(");
    put_bytes(bytes, text);
    put_text(text, ")");
}

static void put_count(int64_t count, struct buffer *text)
{
    buffer_put_format(text, "%" PRId64, count);
}

static void put_full_histogram(const struct full_histogram *histogram, const char *title,
                               void (*put_offset)(int64_t offset, struct buffer *text),
                               struct buffer *text)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct term_bin *bins = ARENA_NEW_ARRAY(&arena, struct term_bin, histogram->offset_count + 1);
    size_t count = 0;
    for (size_t i = 0; i <= histogram->offset_count; i++) {
        if (histogram->buckets[i] <= 0) continue;
        int64_t offset = i < histogram->offset_count ? histogram->offsets[i] : INT64_MAX;
        bins[count++] = (struct term_bin){offset, histogram->buckets[i]};
    }
    struct term_histogram terms = {title, bins, count, put_offset};
    term_histogram_put(&terms, text);
    arena_deinit(&arena);
}

static void put_drop_times(const struct statistics_full *statistics, struct buffer *text)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct term_bin *bins = ARENA_NEW_ARRAY(&arena, struct term_bin, statistics->drop_time_count);
    for (size_t i = 0; i < statistics->drop_time_count; i++)
        bins[i] =
            (struct term_bin){statistics->drop_times[i].point, statistics->drop_times[i].count};
    struct term_histogram terms = {"Drop Time", bins, statistics->drop_time_count, put_drop_time};
    term_histogram_put(&terms, text);
    arena_deinit(&arena);
}

// ---- The parts ----------------------------------------------------------------------------------

static void put_leaders(const struct metadata_view *view, const char *name,
                        const struct metadata_leaders *leaders, bool are_bytes, struct buffer *text)
{
    buffer_put_format(text, "%s: \n", name);
    for (size_t i = 0; i < leaders->count; i++) {
        const struct metadata_leader *leader = &leaders->items[i];
        put_text(text, "  [");
        java_string_put_key(view->key_types, view->key_type_count,
                            slice_make(leader->key, leader->key_size), text);
        buffer_put_format(text, "] %" PRIu64, leader->value);
        if (are_bytes) {
            put_text(text, " (");
            put_bytes((int64_t)leader->value, text);
            put_text(text, ")");
        }
        put_text(text, "\n");
    }
}

static void put_scan(const struct metadata_view *view, struct buffer *text)
{
    const struct metadata_scan *scan = view->scan;
    buffer_put_format(text,
                      "Size: %" PRIu64 "\nPartitions: %" PRIu64 "\nRows: %" PRIu64
                      "\nTombstones: %" PRIu64 "\nCells: %" PRIu64 "\n",
                      scan->data_size, scan->partitions, scan->rows, scan->tombstones, scan->cells);
    put_leaders(view, "Widest Partitions", &scan->widest, false, text);
    put_leaders(view, "Largest Partitions", &scan->largest, true, text);
    if (scan->most_tombstones.count > 0)
        put_leaders(view, "Tombstone Leaders", &scan->most_tombstones, false, text);
}

static bool is_all(const struct statistics_full *statistics)
{
    return statistics->min_clustering.prefix.count == 0 &&
           statistics->max_clustering.prefix.count == 0;
}

static void put_stats(const struct metadata_view *view, struct buffer *text)
{
    const struct statistics_full *statistics = &view->sstable->statistics;
    put_timestamp(view, "Minimum timestamp", statistics->min_timestamp, text);
    put_timestamp(view, "Maximum timestamp", statistics->max_timestamp, text);
    put_duration(statistics->min_timestamp, statistics->max_timestamp, text);
    put_local_time("SSTable min local deletion time", statistics->min_local_time, text);
    put_local_time("SSTable max local deletion time", statistics->max_local_time, text);
    buffer_put_format(text, "Compressor: %s\n", view->compressor == NULL ? "-" : view->compressor);
    if (view->compressor != NULL) {
        put_text(text, "Compression ratio: ");
        real_put_double(statistics->compression_ratio, text);
        put_text(text, "\n");
    }
    put_ttl("TTL min", statistics->min_ttl, text);
    put_ttl("TTL max", statistics->max_ttl, text);
    if (view->has_keys) {
        put_key(view, "First token", &view->first_key, text);
        put_key(view, "Last token", &view->last_key, text);
    }
    put_text(text, "Covered clusterings: ");
    if (is_all(statistics)) {
        put_text(text, "ALL");
    } else {
        put_bound(view, &statistics->min_clustering, true, text);
        put_text(text, ", ");
        put_bound(view, &statistics->max_clustering, false, text);
    }
    put_text(text, "\nEstimated droppable tombstones: ");
    real_put_double(statistics_full_droppable_ratio(statistics, view->gc_before), text);
    buffer_put_format(text, "\nSSTable Level: %" PRIu32 "\nRepaired at: %" PRId64,
                      statistics->level, statistics->repaired_at);
    if (statistics->repaired_at != 0) {
        put_text(text, " (");
        java_time_put_date(statistics->repaired_at, text);
        put_text(text, ")");
    }
    put_text(text, "\n");
    put_uuid("Originating host id", statistics->has_host_id, statistics->host_id, text);
    put_uuid("Pending repair", statistics->has_pending_repair, statistics->pending_repair, text);
    put_replay_positions(statistics, text);
    buffer_put_format(text, "totalColumnsSet: %" PRIu64 "\ntotalRows: %" PRIu64 "\n",
                      statistics->total_columns, statistics->total_rows);
    put_text(text, "Estimated tombstone drop times: \n");
    put_drop_times(statistics, text);
    put_text(text, "Partition Size: \n");
    put_full_histogram(&statistics->partition_sizes, "Size (bytes)", put_size, text);
    put_text(text, "Column Count: \n");
    put_full_histogram(&statistics->cell_counts, "Columns", put_count, text);
    put_text(text, "Local token space coverage: ");
    real_put_double(statistics->token_space_coverage, text);
    put_text(text, "\n");
}

static void put_columns(const char *name, const struct header_columns *columns, struct buffer *text)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct slice *names = ARENA_NEW_ARRAY(&arena, struct slice, columns->count);
    size_t *order = ARENA_NEW_ARRAY(&arena, size_t, columns->count);
    for (size_t i = 0; i < columns->count; i++)
        names[i] = columns->items[i].name;
    java_map_order(names, columns->count, order);
    buffer_put_format(text, "%s: ", name);
    for (size_t i = 0; i < columns->count; i++) {
        if (i > 0) put_text(text, ", ");
        put_slice(text, names[order[i]]);
        put_text(text, ":");
        type_put_java(columns->items[order[i]].type, false, text);
    }
    put_text(text, "\n");
    arena_deinit(&arena);
}

static void put_header(const struct metadata_view *view, struct buffer *text)
{
    const struct header *header = &view->sstable->statistics.header;
    put_ttl("EncodingStats minTTL", header->min_ttl, text);
    put_text(text, "EncodingStats minLocalDeletionTime: ");
    if (header->min_local_time == 0)
        put_text(text, "--");
    else
        java_time_put_date((int64_t)header->min_local_time * 1000, text);
    buffer_put_format(text, " (%" PRId32 ")\n", header->min_local_time);
    put_timestamp(view, "EncodingStats minTimestamp", header->min_timestamp, text);
    put_text(text, "KeyType: ");
    put_slice(text, header->key_type);
    put_text(text, "\nClusteringTypes: [");
    for (size_t i = 0; i < header->clustering_count; i++) {
        if (i > 0) put_text(text, ", ");
        put_slice(text, header->clustering_types[i]);
    }
    put_text(text, "]\n");
    put_columns("StaticColumns", &header->columns[ROWS_STATIC], text);
    put_columns("RegularColumns", &header->columns[ROWS_REGULAR], text);
    buffer_put_format(text, "IsTransient: %s\n",
                      view->sstable->statistics.is_transient ? "true" : "false");
}

void metadata_text_put(const struct metadata_view *view, struct buffer *text)
{
    const struct statistics_full *statistics = &view->sstable->statistics;
    put_text(text, "SSTable: ");
    tool_input_put(view->sstable->input, text);
    put_text(text, "\n");
    if (view->scan != NULL) put_scan(view, text);
    if (statistics->has_validation) {
        put_text(text, "Partitioner: ");
        put_slice(text, statistics->partitioner);
        put_text(text, "\nBloom Filter FP chance: ");
        real_put_double(statistics->filter_chance, text);
        put_text(text, "\n");
    }
    put_stats(view, text);
    uint64_t cardinality;
    if (statistics_full_cardinality(statistics, &cardinality))
        buffer_put_format(text, "Estimated cardinality: %" PRIu64 "\n", cardinality);
    put_header(view, text);
}
