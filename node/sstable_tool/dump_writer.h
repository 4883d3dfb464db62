// Partitions as sstabledump prints them: JSON, JSON lines, or the rows' internal texts.
#ifndef NODE_SSTABLE_TOOL_DUMP_WRITER_H
#define NODE_SSTABLE_TOOL_DUMP_WRITER_H

#include "node/sstable_tool/json_printer.h"
#include "node/sstable_tool/tool_output.h"
#include "storage/partition_iterator.h"

enum dump_form { DUMP_JSON, DUMP_LINES, DUMP_INTERNAL };

struct dump_writer_options {
    enum dump_form form;
    bool raw_times;
    int64_t now; // Seconds.
    const struct table *table;
    const struct type *const *key_types;
    struct tool_output *output;
};

struct dump_writer {
    struct dump_writer_options options;
    struct json_printer json;
    uint64_t position; // Of the next row.
};

void dump_writer_begin(struct dump_writer *writer, const struct dump_writer_options *options);
void dump_writer_end(struct dump_writer *writer);
// Instead of partitions: a key alone.
void dump_writer_key(struct dump_writer *writer, struct slice key);
// A partition of a scan (scan_place.h), read to its end.
MUST_USE enum status dump_writer_partition(struct dump_writer *writer,
                                           struct partition_iterator *partition,
                                           struct error *error);

#endif
