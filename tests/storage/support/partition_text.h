// Partitions as text, in the form of the golden vectors (`row` lines of sst_*.tsv).
#ifndef TESTS_STORAGE_SUPPORT_PARTITION_TEXT_H
#define TESTS_STORAGE_SUPPORT_PARTITION_TEXT_H

#include "base/buffer.h"
#include "storage/partition_iterator.h"

void partition_text_put_row(struct buffer *text, const struct table *table, const struct row *row,
                            bool is_static);
void partition_text_put_marker(struct buffer *text, const struct marker *marker);
// The rest of the partition's rows and markers; in file order also when it is read backwards.
void partition_text_put_unfiltereds(struct buffer *text, struct partition_iterator *partition,
                                    bool reversed);
void partition_text_put(struct buffer *text, struct partition_iterator *partition, bool reversed);

#endif
