// Rows as SELECT sees them, as text: a line of JSON as SELECT JSON gives it, or of CSV as cqlsh's
// COPY … WITH HEADER = TRUE writes and reads it.
//
// Columns stand in the order of SELECT *: partition key, clustering, static and regular ones by
// name.
#ifndef NODE_SSTABLE_TOOL_ROW_TEXT_H
#define NODE_SSTABLE_TOOL_ROW_TEXT_H

#include "base/buffer.h"
#include "storage/merge/live_rows.h"

enum row_format { ROW_CSV, ROW_JSON };

struct row_text {
    enum row_format format;
    const struct table *table;
    struct slice null_text; // What CSV has for null. Empty at first.
    const struct column **columns;
    size_t column_count;
    struct arena arena; // Of one row's values.
};

struct row_text_row {
    const struct slice *key;           // The partition key's values.
    const struct live_row *row;        // NULL: there is only a static one.
    const struct live_row *static_row; // NULL: there is none.
};

void row_text_init(struct row_text *rows, enum row_format format, const struct table *table);
void row_text_deinit(struct row_text *rows);
// The names of the columns; only CSV has such a line.
void row_text_put_header(const struct row_text *rows, struct buffer *text);
void row_text_put(struct row_text *rows, const struct row_text_row *row, struct buffer *text);

#endif
