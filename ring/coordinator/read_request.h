// What a replica is asked to read: the body of VERB_READ (org.apache.cassandra.db.ReadCommand).
//
//     answer = a chunk (read_encoder.h), or 16 bytes: the XXH3 of the chunk that it would be
#ifndef RING_READ_REQUEST_H
#define RING_READ_REQUEST_H

#include "base/arena.h"
#include "base/buffer.h"
#include "storage/partition_iterator.h"

struct read_request {
    struct uuid table;
    uint64_t layout_hash; // Of the table as the coordinator knows it.
    bool wants_digest;
    bool is_scan;     // Of `range`; else of one partition, `key`.
    int32_t now_s;    // The coordinator's "now".
    uint32_t row_max; // Rows alive that are wanted; 0: as many as one answer has.
    struct partition_key key;
    struct scan_range range;
    struct partition_filter filter;
    // Of rows that an index has: their places alone (engine_index_scan()). `index_key` null: it is
    // of all rows.
    struct uuid index;
    struct slice index_key;
};

void read_request_put(const struct read_request *request, struct buffer *bytes);
// Of bytes that another member sent: it is of a range of the ring.
bool read_request_is_scan(struct slice bytes);
// Changes bytes that read_request_put() wrote at `body`: a digest is wanted, or the data.
void read_request_set_digest(uint8_t *body, bool wants_digest);
MUST_USE enum status read_request_get_table(struct slice bytes, struct uuid *table);
// CORRUPT. What it points to lies in `bytes` and `arena`.
MUST_USE enum status read_request_get(struct slice bytes, const struct table *table,
                                      struct arena *arena, struct read_request *request);

#endif
