// The hidden table of a secondary index (org.apache.cassandra.index.internal.CassandraIndex), local
// to its node, and what of a row is in it.
//
//     key:        the indexed value (index_table_key())
//     clustering: the base partition's token and key, its row's clustering values, and when the
//                 entry expires (0: never)
//     columns:    none
//
// An entry says that the base row may have the value. Entries are made of each mutation before the
// base table's, and none is taken away there: whoever reads them looks at the base row, and removes
// those that it does not bear out. So an entry's timestamp has nothing to do with the base cell's:
// it counts what was said about the entry, and the last word holds.
//
// Cassandra's own has the base timestamps, the base key in the ring's order by its own type, and
// the cell's path in collections; its files lie in a directory of their own inside the base
// table's.
#ifndef STORAGE_INDEX_TABLE_H
#define STORAGE_INDEX_TABLE_H

#include "storage/row.h"
#include "storage/token.h"

// What entries are made of: a column of one version of the base table.
struct index_plan {
    enum index_target target;
    const struct column *column;
    bool is_of_partitions; // An entry is about a partition: the column is static, or of the key.
    uint16_t key_count;    // Columns of the base table's partition key.
};

// False: it has no hidden table, since equality of its values is not equality of their bytes, or
// nobody asks it for equality. Queries then look at all rows.
bool index_table_is_wanted(const struct table *base, const struct index_definition *index);
// One reference, the caller's.
const struct table *index_table_make(const struct table *base,
                                     const struct index_definition *index);
struct index_plan index_plan_make(const struct table *base, const struct index_definition *index);

// The hidden table's partition for a value: it itself, unless that could be no key. In the arena,
// or `value`.
struct slice index_table_key(struct slice value, struct arena *arena);
// The value that an index of entries has for m[key] = value.
struct slice index_table_entry_value(struct slice key, struct slice value, struct arena *arena);

// One thing that a row gives to an index.
struct index_entry {
    struct slice key; // index_table_key()
    int32_t ttl, local_time;
};
// Calls `put` for each value that the row has and that is alive at `now_s` (INT32_MIN: or has
// expired). `is_static`: it is the partition's static row.
void index_plan_visit(const struct index_plan *plan, const struct partition_key *key,
                      const struct row *row, bool is_static, int32_t now_s, struct arena *arena,
                      void (*put)(void *context, const struct index_entry *entry), void *context);
// The entry's clustering in the hidden table. `row` of no values for a whole partition.
struct clustering index_plan_clustering(const struct index_plan *plan,
                                        const struct partition_key *key,
                                        const struct clustering *row,
                                        const struct index_entry *entry, struct arena *arena);
// Back: which partition and row of the base table an entry is about. False: it is none.
bool index_plan_split(const struct index_plan *plan, const struct clustering *clustering,
                      struct partition_key *key, struct clustering *row);

#endif
