// What a SELECT JSON * of a table answers (org.apache.cassandra.cql3.selection.ResultSetBuilder),
// made of what was merged.
//
//     {"k": 1, "c": null, "s": "static", "v": null}
//
// Columns stand as SELECT * has them: of the key, static ones by name, then the others by name.
#ifndef TESTS_STORAGE_SUPPORT_ROW_JSON_H
#define TESTS_STORAGE_SUPPORT_ROW_JSON_H

#include "base/buffer.h"
#include "storage/partition_iterator.h"

// A line for each row that is alive at `now`. `scan` is a merge; it is read to its end and closed.
void row_json_put_scan(struct buffer *lines, struct scan_iterator *scan, int32_t now);

#endif
