// The HEADER of Statistics.db: types, columns and bases without which Data.db cannot be decoded
// (org.apache.cassandra.db.SerializationHeader; sstable-nb §8.5).
//
// Columns stand in the order of the rows (§2.9), whatever their order in the file.
#ifndef STORAGE_SSTABLE_HEADER_H
#define STORAGE_SSTABLE_HEADER_H

#include "storage/sstable/format.h"

struct header_column {
    struct slice name;
    const struct type *type;
    uint32_t fixed_size; // Of its values; 0: a length stands before each.
    bool multi_cell;
};

struct header_columns {
    struct header_column *items;
    size_t count;
};

struct header {
    enum sstable_version version; // Set by the reader: rows and blocks depend on it.
    int64_t min_timestamp;
    int32_t min_local_time, min_ttl;
    struct slice key_type;
    size_t clustering_count;
    struct slice *clustering_types;
    uint32_t *clustering_sizes; // Fixed sizes, or 0.
    struct header_columns columns[ROWS_KIND_COUNT];
};

// For files of `table` with this content. In the arena, pointing into the table.
void header_make(struct header *header, const struct table *table,
                 const struct sstable_content *content, struct arena *arena);
void header_encode(const struct header *header, struct buffer *bytes);
// CORRUPT. In the arena, with copies.
MUST_USE enum status header_decode(struct header *header, struct slice bytes, struct arena *arena,
                                   struct error *error);
// Whether files of this header can be the table's: INVALID if a column of theirs is none of it,
// dropped or not, or of another kind or size, or if rows lie in another order. CORRUPT.
MUST_USE enum status header_check_table(const struct header *header, const struct table *table,
                                        struct arena *arena, struct error *error);

#endif
