#include "node/sstable_tool/metadata_text.h"
#include "storage/value.h"
#include "storage/value/java_string.h"
#include "storage/value/real.h"

#include <inttypes.h>
#include <math.h>

// ---- Small things -------------------------------------------------------------------------------

static void put_name(struct buffer *text, const char *name)
{
    bool is_first = text->size > 0 && (text->data[text->size - 1] == '{');
    buffer_put_format(text, "%s\"%s\": ", is_first ? "" : ", ", name);
}

static void put_string(struct buffer *text, const char *name, struct slice value)
{
    put_name(text, name);
    value_put_json(type_of_kind(TYPE_TEXT), value, text);
}

static void put_number(struct buffer *text, const char *name, int64_t value)
{
    put_name(text, name);
    buffer_put_format(text, "%" PRId64, value);
}

static void put_real(struct buffer *text, const char *name, double value)
{
    put_name(text, name);
    if (isfinite(value))
        real_put_double(value, text);
    else
        buffer_put_format(text, "null");
}

static void put_bool(struct buffer *text, const char *name, bool value)
{
    put_name(text, name);
    buffer_put_format(text, "%s", value ? "true" : "false");
}

static void put_uuid(struct buffer *text, const char *name, bool exists, struct uuid uuid)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(uuid, id);
    put_name(text, name);
    buffer_put_format(text, exists ? "\"%s\"" : "null", id);
}

// Null for none.
static void put_local_time(struct buffer *text, const char *name, int64_t value)
{
    if (value == INT64_MAX) {
        put_name(text, name);
        buffer_put_format(text, "null");
    } else {
        put_number(text, name, value);
    }
}

static void put_histogram(struct buffer *text, const char *name,
                          const struct full_histogram *histogram)
{
    put_name(text, name);
    buffer_put_u8(text, '[');
    bool is_first = true;
    for (size_t i = 0; i <= histogram->offset_count; i++) {
        if (histogram->buckets[i] == 0) continue;
        int64_t offset = i < histogram->offset_count ? histogram->offsets[i] : INT64_MAX;
        buffer_put_format(text, "%s[%" PRId64 ", %" PRId64 "]", is_first ? "" : ", ", offset,
                          histogram->buckets[i]);
        is_first = false;
    }
    buffer_put_u8(text, ']');
}

static void put_bound(struct buffer *text, const char *name, const struct table *table,
                      const struct bound *bound)
{
    put_name(text, name);
    buffer_put_u8(text, '[');
    uint16_t count = table->column_counts[COLUMN_CLUSTERING];
    for (uint16_t i = 0; i < bound->prefix.count && i < count; i++) {
        if (i > 0) buffer_put_format(text, ", ");
        value_put_json(table->columns[COLUMN_CLUSTERING][i].type, bound->prefix.values[i], text);
    }
    buffer_put_u8(text, ']');
}

static void put_key(struct buffer *text, const struct metadata_view *view, const char *name,
                    struct slice key)
{
    struct buffer plain;
    buffer_init(&plain, COMPONENT_SIZE_MAX);
    java_string_put_key(view->key_types, view->key_type_count, key, &plain);
    put_string(text, name, buffer_slice(&plain));
    buffer_deinit(&plain);
}

// ---- The parts ----------------------------------------------------------------------------------

static void put_stats(struct buffer *text, const struct metadata_view *view)
{
    const struct statistics_full *statistics = &view->sstable->statistics;
    put_number(text, "min_timestamp", statistics->min_timestamp);
    put_number(text, "max_timestamp", statistics->max_timestamp);
    put_local_time(text, "min_local_deletion_time", statistics->min_local_time);
    put_local_time(text, "max_local_deletion_time", statistics->max_local_time);
    put_number(text, "min_ttl", statistics->min_ttl);
    put_number(text, "max_ttl", statistics->max_ttl);
    put_name(text, "compressor");
    if (view->compressor == NULL)
        buffer_put_format(text, "null");
    else
        value_put_json(type_of_kind(TYPE_TEXT), slice_of_text(view->compressor), text);
    put_real(text, "compression_ratio", statistics->compression_ratio);
    if (view->has_keys) {
        put_number(text, "first_token", view->first_key.token.value);
        put_key(text, view, "first_key", view->first_key.bytes);
        put_number(text, "last_token", view->last_key.token.value);
        put_key(text, view, "last_key", view->last_key.bytes);
    }
    put_bound(text, "min_clustering", view->sstable->table, &statistics->min_clustering);
    put_bound(text, "max_clustering", view->sstable->table, &statistics->max_clustering);
    put_real(text, "droppable_tombstone_ratio",
             statistics_full_droppable_ratio(statistics, view->gc_before));
    put_number(text, "level", statistics->level);
    put_number(text, "repaired_at", statistics->repaired_at);
    put_uuid(text, "pending_repair", statistics->has_pending_repair, statistics->pending_repair);
    put_uuid(text, "host_id", statistics->has_host_id, statistics->host_id);
    put_bool(text, "is_transient", statistics->is_transient);
    put_bool(text, "has_legacy_counter_shards", statistics->has_legacy_counters);
    put_number(text, "total_columns_set", (int64_t)statistics->total_columns);
    put_number(text, "total_rows", (int64_t)statistics->total_rows);
    put_number(text, "partitions", full_histogram_count(&statistics->partition_sizes));
    put_histogram(text, "partition_size", &statistics->partition_sizes);
    put_histogram(text, "column_count", &statistics->cell_counts);
    put_name(text, "tombstone_drop_times");
    buffer_put_u8(text, '[');
    for (size_t i = 0; i < statistics->drop_time_count; i++)
        buffer_put_format(text, "%s[%" PRId64 ", %" PRId64 "]", i == 0 ? "" : ", ",
                          statistics->drop_times[i].point, statistics->drop_times[i].count);
    buffer_put_u8(text, ']');
}

static void put_replay_positions(struct buffer *text, const struct statistics_full *statistics)
{
    put_name(text, "replay_positions");
    buffer_put_u8(text, '[');
    for (size_t i = 0; i < statistics->log_interval_count; i++) {
        const struct full_log_interval *interval = &statistics->log_intervals[i];
        buffer_put_format(text, "%s[[%" PRId64 ", %" PRId32 "], [%" PRId64 ", %" PRId32 "]]",
                          i == 0 ? "" : ", ", interval->start.segment, interval->start.position,
                          interval->end.segment, interval->end.position);
    }
    buffer_put_u8(text, ']');
}

static void put_columns(struct buffer *text, const char *name, const struct header_columns *columns)
{
    put_name(text, name);
    buffer_put_u8(text, '{');
    for (size_t i = 0; i < columns->count; i++) {
        if (i > 0) buffer_put_format(text, ", ");
        value_put_json(type_of_kind(TYPE_TEXT), columns->items[i].name, text);
        buffer_put_format(text, ": ");
        struct buffer type;
        buffer_init(&type, COMPONENT_SIZE_MAX);
        type_put_java(columns->items[i].type, false, &type);
        value_put_json(type_of_kind(TYPE_TEXT), buffer_slice(&type), text);
        buffer_deinit(&type);
    }
    buffer_put_u8(text, '}');
}

static void put_header(struct buffer *text, const struct header *header)
{
    put_number(text, "encoding_min_timestamp", header->min_timestamp);
    put_number(text, "encoding_min_local_deletion_time", header->min_local_time);
    put_number(text, "encoding_min_ttl", header->min_ttl);
    put_string(text, "key_type", header->key_type);
    put_name(text, "clustering_types");
    buffer_put_u8(text, '[');
    for (size_t i = 0; i < header->clustering_count; i++) {
        if (i > 0) buffer_put_format(text, ", ");
        value_put_json(type_of_kind(TYPE_TEXT), header->clustering_types[i], text);
    }
    buffer_put_u8(text, ']');
    put_columns(text, "static_columns", &header->columns[ROWS_STATIC]);
    put_columns(text, "regular_columns", &header->columns[ROWS_REGULAR]);
}

static void put_leaders(struct buffer *text, const struct metadata_view *view, const char *name,
                        const struct metadata_leaders *leaders)
{
    put_name(text, name);
    buffer_put_u8(text, '[');
    for (size_t i = 0; i < leaders->count; i++) {
        buffer_put_format(text, "%s{", i == 0 ? "" : ", ");
        put_key(text, view, "key", slice_make(leaders->items[i].key, leaders->items[i].key_size));
        put_number(text, "value", (int64_t)leaders->items[i].value);
        buffer_put_u8(text, '}');
    }
    buffer_put_u8(text, ']');
}

static void put_scan(struct buffer *text, const struct metadata_view *view)
{
    const struct metadata_scan *scan = view->scan;
    put_name(text, "scan");
    buffer_put_u8(text, '{');
    put_number(text, "data_size", (int64_t)scan->data_size);
    put_number(text, "partitions", (int64_t)scan->partitions);
    put_number(text, "rows", (int64_t)scan->rows);
    put_number(text, "tombstones", (int64_t)scan->tombstones);
    put_number(text, "cells", (int64_t)scan->cells);
    put_leaders(text, view, "widest_partitions", &scan->widest);
    put_leaders(text, view, "largest_partitions", &scan->largest);
    put_leaders(text, view, "tombstone_leaders", &scan->most_tombstones);
    buffer_put_u8(text, '}');
}

void metadata_json_put(const struct metadata_view *view, struct buffer *text)
{
    const struct statistics_full *statistics = &view->sstable->statistics;
    struct buffer path;
    buffer_init(&path, SSTABLE_PATH_SIZE);
    tool_input_put(view->sstable->input, &path);
    buffer_put_u8(text, '{');
    put_string(text, "sstable", buffer_slice(&path));
    buffer_deinit(&path);
    if (statistics->has_validation) {
        put_string(text, "partitioner", statistics->partitioner);
        put_real(text, "bloom_filter_fp_chance", statistics->filter_chance);
    }
    put_stats(text, view);
    put_replay_positions(text, statistics);
    uint64_t cardinality;
    if (statistics_full_cardinality(statistics, &cardinality))
        put_number(text, "estimated_cardinality", (int64_t)cardinality);
    put_header(text, &statistics->header);
    if (view->scan != NULL) put_scan(text, view);
    buffer_put_format(text, "}\n");
}
