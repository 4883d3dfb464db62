// One line of a transaction log; see transaction_log.h (org.apache.cassandra.db.lifecycle
// .LogRecord).
//
//     TYPE:[path,time,count][checksum]
#ifndef STORAGE_SSTABLE_TRANSACTION_RECORD_H
#define STORAGE_SSTABLE_TRANSACTION_RECORD_H

#include "base/buffer.h"
#include "base/env.h"

enum transaction_record_type {
    TRANSACTION_ADD,
    TRANSACTION_REMOVE,
    TRANSACTION_COMMIT,
    TRANSACTION_ABORT
};

struct transaction_record {
    enum transaction_record_type type;
    struct slice path; // "/data/ks/t-…/nb-1-big-", or empty.
    uint64_t time_ms;
    uint32_t count;
};

static inline bool transaction_record_is_final(const struct transaction_record *record)
{
    return record->type == TRANSACTION_COMMIT || record->type == TRANSACTION_ABORT;
}

void transaction_record_format(const struct transaction_record *record, struct buffer *line);
// Takes the next line of `text`, which is not empty. False if it is damaged: `*record` stays as it
// was. Points into the text.
bool transaction_record_next(struct slice *text, struct transaction_record *record);
// What the names of its files begin with: "nb-1-big-". Null if the path says nothing that is long
// enough to mean one SSTable.
struct slice transaction_record_name(const struct transaction_record *record);
// The whole log. On failure there is nothing to deinit.
MUST_USE enum status transaction_record_read_file(struct env *env, const char *path,
                                                  struct buffer *text, struct error *error);

#endif
