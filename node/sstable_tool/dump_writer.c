#include "node/sstable_tool/dump_writer.h"

#include "base/limits.h"
#include "node/sstable_tool/dump_internal.h"
#include "node/sstable_tool/java_time.h"
#include "storage/counter_context.h"
#include "storage/schema/cql_name.h"
#include "storage/sstable/scan_place.h"
#include "storage/value.h"
#include "storage/value/java_string.h"

#include <inttypes.h>

static struct buffer *text_of(struct dump_writer *writer)
{
    return &writer->options.output->text;
}

void dump_writer_begin(struct dump_writer *writer, const struct dump_writer_options *options)
{
    *writer = (struct dump_writer){.options = *options};
    json_printer_init(&writer->json, &options->output->text, options->form == DUMP_LINES);
    if (options->form == DUMP_JSON) json_printer_begin_array(&writer->json);
}

void dump_writer_end(struct dump_writer *writer)
{
    if (writer->options.form == DUMP_JSON) json_printer_end_array(&writer->json);
}

// ---- Small things -------------------------------------------------------------------------------

static void put_micros(struct dump_writer *writer, const char *name, int64_t micros)
{
    struct json_printer *json = &writer->json;
    json_printer_name(json, name);
    json_printer_raw(json);
    buffer_put_u8(json->text, '"');
    if (writer->options.raw_times)
        buffer_put_format(json->text, "%" PRId64, micros);
    else
        java_time_put_micros(micros, json->text);
    buffer_put_u8(json->text, '"');
}

static void put_seconds(struct dump_writer *writer, const char *name, int64_t seconds)
{
    struct json_printer *json = &writer->json;
    json_printer_name(json, name);
    json_printer_raw(json);
    buffer_put_u8(json->text, '"');
    if (writer->options.raw_times)
        buffer_put_format(json->text, "%" PRId64, seconds);
    else
        java_time_put_seconds(seconds, json->text);
    buffer_put_u8(json->text, '"');
}

static void put_expiry(struct dump_writer *writer, int32_t ttl, int64_t local_time, bool expired)
{
    json_printer_name(&writer->json, "ttl");
    json_printer_number(&writer->json, ttl);
    put_seconds(writer, "expires_at", local_time);
    json_printer_name(&writer->json, "expired");
    json_printer_bool(&writer->json, expired);
}

// A string made of a value's plain text.
static void put_plain(struct dump_writer *writer, const struct type *type, struct slice value)
{
    struct buffer plain;
    buffer_init(&plain, GIB);
    java_string_put(type, value, &plain);
    json_printer_string(&writer->json, buffer_slice(&plain));
    buffer_deinit(&plain);
}

static void put_value(struct dump_writer *writer, const struct type *type, struct slice value)
{
    json_printer_raw(&writer->json);
    value_put_json(type, value, writer->json.text);
}

static void put_name(struct dump_writer *writer, const struct column *column)
{
    struct buffer plain;
    buffer_init(&plain, MIB);
    cql_name_put(column->name, &plain);
    json_printer_name(&writer->json, "name");
    json_printer_string(&writer->json, buffer_slice(&plain));
    buffer_deinit(&plain);
}

static void put_key(struct dump_writer *writer, struct slice key)
{
    struct json_printer *json = &writer->json;
    uint16_t count = writer->options.table->column_counts[COLUMN_PARTITION_KEY];
    json->object_compact = true;
    json->array_compact = true;
    json_printer_begin_array(json);
    if (count == 1) {
        put_plain(writer, writer->options.key_types[0], key);
    } else {
        struct cursor cursor = cursor_make(key);
        for (uint16_t i = 0; i < count && cursor_left(&cursor) > 0; i++) {
            put_plain(writer, writer->options.key_types[i],
                      cursor_take(&cursor, cursor_u16(&cursor)));
            if (cursor_u8(&cursor) != 0) break;
        }
    }
    json_printer_end_array(json);
    json->object_compact = false;
    json->array_compact = false;
}

static void put_deletion(struct dump_writer *writer, struct deletion deletion)
{
    struct json_printer *json = &writer->json;
    json_printer_name(json, "deletion_info");
    json->object_compact = true;
    json_printer_begin_object(json);
    put_micros(writer, "marked_deleted", deletion.timestamp);
    put_seconds(writer, "local_delete_time", deletion.local_time);
    json_printer_end_object(json);
    json->object_compact = false;
}

static void put_clustering(struct dump_writer *writer, const struct clustering *clustering)
{
    if (clustering->count == 0) return;
    struct json_printer *json = &writer->json;
    const struct table *table = writer->options.table;
    json_printer_name(json, "clustering");
    json->object_compact = true;
    json_printer_begin_array(json);
    json->array_compact = true;
    for (uint16_t i = 0; i < table->column_counts[COLUMN_CLUSTERING]; i++) {
        if (i >= clustering->count)
            json_printer_string(json, slice_of_text("*"));
        else
            put_value(writer, table->columns[COLUMN_CLUSTERING][i].type, clustering->values[i]);
    }
    json_printer_end_array(json);
    json->object_compact = false;
    json->array_compact = false;
}

// ---- Cells --------------------------------------------------------------------------------------

// The path of a multi-cell column's cell; returns the type of its value.
static const struct type *put_path(struct dump_writer *writer, const struct type *type,
                                   struct slice path)
{
    struct json_printer *json = &writer->json;
    json_printer_name(json, "path");
    json->array_compact = true;
    json_printer_begin_array(json);
    const struct type *value_type = type_of_kind(TYPE_BLOB);
    if (type->kind == TYPE_UDT) {
        uint16_t field = path.size == 2 ? bytes_get_u16(path.data) : UINT16_MAX;
        if (field < type->parameter_count) {
            json_printer_string(json, type->field_names[field]);
            value_type = type->parameters[field];
        } else {
            put_plain(writer, type_of_kind(TYPE_BLOB), path);
        }
    } else {
        bool is_list = type->kind == TYPE_LIST;
        put_plain(writer, is_list ? type_of_kind(TYPE_TIMEUUID) : type->parameters[0], path);
        value_type = type->kind == TYPE_MAP   ? type->parameters[1]
                     : type->kind == TYPE_SET ? type_of_kind(TYPE_EMPTY)
                                              : type->parameters[0];
    }
    json_printer_end_array(json);
    json->array_compact = false;
    return value_type;
}

// What Cassandra does not show: whose counts make up the value.
static void put_shards(struct dump_writer *writer, struct slice context)
{
    static const char *const kinds[] = {"global", "local", "remote"};
    struct json_printer *json = &writer->json;
    json_printer_name(json, "shards");
    json->array_compact = true;
    json_printer_begin_array(json);
    for (size_t i = 0; i < counter_context_shard_count(context); i++) {
        struct counter_shard shard = counter_context_shard_at(context, i);
        char id[UUID_TEXT_SIZE];
        uuid_format(shard.id, id);
        json_printer_begin_object(json);
        json_printer_name(json, "id");
        json_printer_string(json, slice_of_text(id));
        json_printer_name(json, "clock");
        json_printer_number(json, shard.clock);
        json_printer_name(json, "count");
        json_printer_number(json, shard.count);
        if (shard.kind != COUNTER_SHARD_GLOBAL) {
            json_printer_name(json, "kind");
            json_printer_string(json, slice_of_text(kinds[shard.kind]));
        }
        json_printer_end_object(json);
    }
    json_printer_end_array(json);
    json->array_compact = false;
}

static void put_cell(struct dump_writer *writer, const struct column *column,
                     const struct cell *cell, const struct liveness *liveness)
{
    struct json_printer *json = &writer->json;
    const struct type *type = column->type;
    json_printer_begin_object(json);
    json->object_compact = true;
    put_name(writer, column);
    bool has_liveness = liveness->timestamp != TIMESTAMP_NONE;
    if (type_is_multi_cell(type)) type = put_path(writer, type, cell->path);
    if (cell_is_tombstone(cell)) {
        json_printer_name(json, "deletion_info");
        json->object_compact = true;
        json_printer_begin_object(json);
        put_seconds(writer, "local_delete_time", cell->local_time);
        json_printer_end_object(json);
        json->object_compact = false;
    } else if (type->kind == TYPE_COUNTER && counter_context_is_valid(cell->value)) {
        json_printer_name(json, "value");
        json_printer_number(json, counter_context_total(cell->value));
        put_shards(writer, cell->value);
    } else {
        json_printer_name(json, "value");
        put_value(writer, type, cell->value);
    }
    if (!has_liveness || cell->timestamp != liveness->timestamp)
        put_micros(writer, "tstamp", cell->timestamp);
    if (cell_is_expiring(cell) && (!has_liveness || cell->ttl != liveness->ttl))
        put_expiry(writer, cell->ttl, cell->local_time, writer->options.now >= cell->local_time);
    json_printer_end_object(json);
    json->object_compact = false;
}

static void put_complex_deletion(struct dump_writer *writer, const struct column *column,
                                 struct deletion deletion)
{
    struct json_printer *json = &writer->json;
    json->object_compact = true;
    json_printer_begin_object(json);
    put_name(writer, column);
    put_deletion(writer, deletion);
    json->object_compact = true;
    json_printer_end_object(json);
    json->object_compact = false;
}

static enum status put_cells(struct dump_writer *writer, const struct row *row, bool is_static,
                             struct error *error)
{
    const struct column *columns =
        writer->options.table->columns[is_static ? COLUMN_STATIC : COLUMN_REGULAR];
    uint32_t cell = 0, deletion = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK &&
           (cell < row->cell_count || deletion < row->complex_deletion_count)) {
        bool is_deletion = deletion < row->complex_deletion_count &&
                           (cell == row->cell_count ||
                            row->complex_deletions[deletion].column <= row->cells[cell].column);
        if (is_deletion) {
            const struct complex_deletion *complex = &row->complex_deletions[deletion++];
            put_complex_deletion(writer, &columns[complex->column], complex->deletion);
        } else {
            put_cell(writer, &columns[row->cells[cell].column], &row->cells[cell], &row->liveness);
            cell++;
        }
        status = tool_output_step(writer->options.output, error);
    }
    return status;
}

// ---- Rows and markers ---------------------------------------------------------------------------

static enum status put_row(struct dump_writer *writer, const struct row *row, bool is_static,
                           struct error *error)
{
    struct json_printer *json = &writer->json;
    json_printer_begin_object(json);
    json_printer_name(json, "type");
    json_printer_string(json, slice_of_text(is_static ? "static_block" : "row"));
    json_printer_name(json, "position");
    json_printer_number(json, (int64_t)writer->position);
    if (!is_static) put_clustering(writer, &row->clustering);
    if (row->liveness.timestamp != TIMESTAMP_NONE) {
        json->object_compact = false;
        json_printer_name(json, "liveness_info");
        json->object_compact = true;
        json_printer_begin_object(json);
        put_micros(writer, "tstamp", row->liveness.timestamp);
        if (row->liveness.ttl != TTL_NONE)
            put_expiry(writer, row->liveness.ttl, row->liveness.local_time,
                       row->liveness.local_time < writer->options.now);
        json_printer_end_object(json);
        json->object_compact = false;
    }
    if (!deletion_is_live(row->deletion)) put_deletion(writer, row->deletion);
    json_printer_name(json, "cells");
    json_printer_begin_array(json);
    enum status status = put_cells(writer, row, is_static, error);
    json_printer_end_array(json);
    json_printer_end_object(json);
    return status;
}

static void put_bound(struct dump_writer *writer, bool is_start, bool is_inclusive,
                      const struct clustering *clustering, struct deletion deletion)
{
    struct json_printer *json = &writer->json;
    json_printer_name(json, is_start ? "start" : "end");
    json_printer_begin_object(json);
    json_printer_name(json, "type");
    json_printer_string(json, slice_of_text(is_inclusive ? "inclusive" : "exclusive"));
    put_clustering(writer, clustering);
    put_deletion(writer, deletion);
    json_printer_end_object(json);
}

static void put_marker(struct dump_writer *writer, const struct marker *marker)
{
    struct json_printer *json = &writer->json;
    enum bound_kind kind = marker->bound.kind;
    const struct clustering *prefix = &marker->bound.prefix;
    json_printer_begin_object(json);
    json_printer_name(json, "type");
    if (bound_is_boundary(kind)) {
        bool opens_inclusive = kind == BOUND_EXCL_END_INCL_START;
        json_printer_string(json, slice_of_text("range_tombstone_boundary"));
        put_bound(writer, true, opens_inclusive, prefix, marker->opens);
        put_bound(writer, false, !opens_inclusive, prefix, marker->closes);
    } else {
        bool is_start = kind == BOUND_INCL_START || kind == BOUND_EXCL_START;
        json_printer_string(json, slice_of_text("range_tombstone_bound"));
        put_bound(writer, is_start, kind == BOUND_INCL_START || kind == BOUND_INCL_END, prefix,
                  is_start ? marker->opens : marker->closes);
    }
    json_printer_end_object(json);
    json->object_compact = false;
}

// ---- Partitions ---------------------------------------------------------------------------------

void dump_writer_key(struct dump_writer *writer, struct slice key)
{
    put_key(writer, key);
}

static void put_head(struct dump_writer *writer, const struct partition_iterator *partition)
{
    struct json_printer *json = &writer->json;
    json_printer_begin_object(json);
    json_printer_name(json, "table kind");
    json_printer_string(json, slice_of_text("REGULAR"));
    json_printer_name(json, "partition");
    json_printer_begin_object(json);
    json_printer_name(json, "key");
    put_key(writer, partition->key.bytes);
    json_printer_name(json, "position");
    json_printer_number(json, (int64_t)scan_place_of_partition(partition));
    if (!deletion_is_live(partition->deletion)) put_deletion(writer, partition->deletion);
    json_printer_end_object(json);
    json_printer_name(json, "rows");
    json_printer_begin_array(json);
}

static enum status put_partition(struct dump_writer *writer, struct partition_iterator *partition,
                                 struct error *error)
{
    put_head(writer, partition);
    writer->position = scan_place_behind(partition);
    enum status status = STATUS_OK;
    if (partition->static_row != NULL && !row_is_empty(partition->static_row))
        status = put_row(writer, partition->static_row, true, error);
    struct unfiltered unfiltered;
    while (status == STATUS_OK &&
           (status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        if (unfiltered.is_marker)
            put_marker(writer, unfiltered.marker);
        else
            status = put_row(writer, unfiltered.row, false, error);
        writer->position = scan_place_behind(partition);
        if (status == STATUS_OK) status = tool_output_step(writer->options.output, error);
    }
    json_printer_end_array(&writer->json);
    json_printer_end_object(&writer->json);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status put_internal(struct dump_writer *writer, struct partition_iterator *partition,
                                struct error *error)
{
    struct buffer *text = text_of(writer);
    struct dump_internal internal = {
        .table = writer->options.table,
        .key_types = writer->options.key_types,
        .key = partition->key.bytes,
        .position = scan_place_of_partition(partition),
        .text = text,
    };
    dump_internal_put_head(&internal, partition);
    struct unfiltered unfiltered;
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        dump_internal_put_unfiltered(&internal, &unfiltered);
        internal.position = scan_place_behind(partition);
        status = tool_output_step(writer->options.output, error);
        if (status != STATUS_OK) return status;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

enum status dump_writer_partition(struct dump_writer *writer, struct partition_iterator *partition,
                                  struct error *error)
{
    return writer->options.form == DUMP_INTERNAL ? put_internal(writer, partition, error)
                                                 : put_partition(writer, partition, error);
}
