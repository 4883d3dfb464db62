// A table for files whose schema is not at hand: what the header of Statistics.db tells of it
// (org.apache.cassandra.tools.Util.metadataFromSSTable).
//
// The header has the types of the keys but not their names: who knows them gives them. It has only
// the other columns that have data, and a counter only if one of its columns has some.
#ifndef STORAGE_SSTABLE_HEADER_TABLE_H
#define STORAGE_SSTABLE_HEADER_TABLE_H

#include "storage/sstable/header.h"

struct header_table_names {
    struct slice keyspace, table;
    // Of the partition key's and then the clustering columns; fewer are allowed. The others are
    // called key, key1, … and clustering, clustering1, …, or with more digits if those are taken.
    const struct slice *keys;
    size_t key_count;
};

// One reference in `*table`. CORRUPT (types that make no table); INVALID (a name stands twice, or
// more are given than there are keys).
MUST_USE enum status header_table_make(const struct header *header,
                                       const struct header_table_names *names,
                                       const struct table **table, struct error *error);

// "a,b,c" as names that point into the text, at most `max` of them; NULL is none. How many.
size_t header_table_split_names(const char *text, struct slice *names, size_t max);

#endif
