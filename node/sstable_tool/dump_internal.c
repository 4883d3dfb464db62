#include "node/sstable_tool/dump_internal.h"

#include "storage/counter_context.h"
#include "storage/value.h"
#include "storage/value/java_string.h"

#include <inttypes.h>

static void put_place(struct dump_internal *internal)
{
    buffer_put_u8(internal->text, '[');
    java_string_put_key(internal->key_types, internal->table->column_counts[COLUMN_PARTITION_KEY],
                        internal->key, internal->text);
    buffer_put_format(internal->text, "]@%" PRIu64 " ", internal->position);
}

static void put_deletion(struct buffer *text, struct deletion deletion)
{
    buffer_put_format(text, "deletedAt=%" PRId64 ", localDeletion=%" PRId32, deletion.timestamp,
                      deletion.local_time);
}

static void put_values(struct dump_internal *internal, const struct clustering *clustering)
{
    for (uint16_t i = 0; i < clustering->count; i++) {
        if (i > 0) buffer_put_format(internal->text, ", ");
        value_put_cql(internal->table->columns[COLUMN_CLUSTERING][i].type, clustering->values[i],
                      internal->text);
    }
}

// ---- Cells --------------------------------------------------------------------------------------

// The name and, of a multi-cell column, the path; returns the type of the value.
static const struct type *put_name(struct buffer *text, const struct column *column,
                                   const struct cell *cell)
{
    const struct type *type = column->type;
    buffer_put_u8(text, '[');
    buffer_put(text, column->name.data, column->name.size);
    if (!type_is_multi_cell(type)) return type;
    buffer_put_u8(text, '[');
    const struct type *value_type = type_of_kind(TYPE_BLOB);
    if (type->kind == TYPE_UDT) {
        uint16_t field = cell->path.size == 2 ? bytes_get_u16(cell->path.data) : UINT16_MAX;
        if (field < type->parameter_count) {
            buffer_put(text, type->field_names[field].data, type->field_names[field].size);
            value_type = type->parameters[field];
        }
    } else {
        bool is_list = type->kind == TYPE_LIST;
        java_string_put(is_list ? type_of_kind(TYPE_TIMEUUID) : type->parameters[0], cell->path,
                        text);
        value_type = type->kind == TYPE_MAP   ? type->parameters[1]
                     : type->kind == TYPE_SET ? type_of_kind(TYPE_EMPTY)
                                              : type->parameters[0];
    }
    buffer_put_u8(text, ']');
    return value_type;
}

static void put_cell(struct buffer *text, const struct column *column, const struct cell *cell)
{
    const struct type *type = put_name(text, column, cell);
    buffer_put_u8(text, '=');
    if (cell_is_tombstone(cell))
        buffer_put_format(text, "<tombstone>");
    else if (type->kind == TYPE_COUNTER && counter_context_is_valid(cell->value))
        buffer_put_format(text, "%" PRId64, counter_context_total(cell->value));
    else
        java_string_put(type, cell->value, text);
    buffer_put_format(text, " ts=%" PRId64, cell->timestamp);
    if (cell_is_expiring(cell)) buffer_put_format(text, " ttl=%" PRId32, cell->ttl);
    if (cell->local_time != LOCAL_TIME_NONE)
        buffer_put_format(text, " ldt=%" PRId32, cell->local_time);
    buffer_put_u8(text, ']');
}

static void put_cells(struct dump_internal *internal, const struct row *row,
                      const struct column *columns)
{
    struct buffer *text = internal->text;
    uint32_t cell = 0, deletion = 0;
    bool is_first = true;
    while (cell < row->cell_count || deletion < row->complex_deletion_count) {
        uint16_t column = cell < row->cell_count ? row->cells[cell].column : UINT16_MAX;
        if (!is_first) buffer_put_format(text, ", ");
        is_first = false;
        if (deletion < row->complex_deletion_count &&
            row->complex_deletions[deletion].column <= column) {
            column = row->complex_deletions[deletion].column;
            buffer_put_format(text, "del(%.*s)=", (int)columns[column].name.size,
                              (const char *)columns[column].name.data);
            put_deletion(text, row->complex_deletions[deletion++].deletion);
        } else if (!type_is_multi_cell(columns[column].type)) {
            put_cell(text, &columns[column], &row->cells[cell++]);
        }
        for (; cell < row->cell_count && row->cells[cell].column == column &&
               type_is_multi_cell(columns[column].type);
             cell++) {
            buffer_put_format(text, ", ");
            put_cell(text, &columns[column], &row->cells[cell]);
        }
    }
}

// ---- Rows and markers ---------------------------------------------------------------------------

static void put_row(struct dump_internal *internal, const struct row *row, bool is_static)
{
    struct buffer *text = internal->text;
    put_place(internal);
    buffer_put_format(text, "Row[info=[ts=%" PRId64, row->liveness.timestamp);
    if (row->liveness.ttl != TTL_NONE)
        buffer_put_format(text, " ttl=%" PRId32 ", let=%" PRId32, row->liveness.ttl,
                          row->liveness.local_time);
    buffer_put_u8(text, ']');
    if (!deletion_is_live(row->deletion)) {
        buffer_put_format(text, " del=");
        put_deletion(text, row->deletion);
    }
    buffer_put_format(text, " ]: %s", is_static ? "STATIC" : "");
    if (!is_static) put_values(internal, &row->clustering);
    buffer_put_format(text, " | ");
    put_cells(internal, row, internal->table->columns[is_static ? COLUMN_STATIC : COLUMN_REGULAR]);
    buffer_put_u8(text, '\n');
}

static void put_marker(struct dump_internal *internal, const struct marker *marker)
{
    static const char *const kinds[] = {
        [BOUND_EXCL_END] = "EXCL_END_BOUND",
        [BOUND_INCL_START] = "INCL_START_BOUND",
        [BOUND_EXCL_END_INCL_START] = "EXCL_END_INCL_START_BOUNDARY",
        [BOUND_STATIC_CLUSTERING] = "STATIC_CLUSTERING",
        [BOUND_CLUSTERING] = "CLUSTERING",
        [BOUND_INCL_END_EXCL_START] = "INCL_END_EXCL_START_BOUNDARY",
        [BOUND_INCL_END] = "INCL_END_BOUND",
        [BOUND_EXCL_START] = "EXCL_START_BOUND",
    };
    struct buffer *text = internal->text;
    put_place(internal);
    buffer_put_format(text, "Marker %s(", kinds[marker->bound.kind]);
    put_values(internal, &marker->bound.prefix);
    buffer_put_format(text, ")@");
    bool closes = !deletion_is_live(marker->closes), opens = !deletion_is_live(marker->opens);
    if (closes)
        buffer_put_format(text, "%" PRId64 "/%" PRId32, marker->closes.timestamp,
                          marker->closes.local_time);
    if (opens)
        buffer_put_format(text, "%s%" PRId64 "/%" PRId32, closes ? "-" : "",
                          marker->opens.timestamp, marker->opens.local_time);
    buffer_put_u8(text, '\n');
}

void dump_internal_put_head(struct dump_internal *internal,
                            const struct partition_iterator *partition)
{
    if (!deletion_is_live(partition->deletion)) {
        put_place(internal);
        put_deletion(internal->text, partition->deletion);
        buffer_put_u8(internal->text, '\n');
    }
    if (partition->static_row != NULL && !row_is_empty(partition->static_row))
        put_row(internal, partition->static_row, true);
}

void dump_internal_put_unfiltered(struct dump_internal *internal,
                                  const struct unfiltered *unfiltered)
{
    if (unfiltered->is_marker)
        put_marker(internal, unfiltered->marker);
    else
        put_row(internal, unfiltered->row, false);
}
