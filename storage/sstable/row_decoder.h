// Bytes of Data.db to rows and markers, seen through a version of the table (UnfilteredSerializer,
// Cell.Serializer, ClusteringPrefix.Serializer; sstable-nb §2.3–2.8).
//
// The row decoded last is in arrays that the next one uses again; its slices point into the bytes.
#ifndef STORAGE_SSTABLE_ROW_DECODER_H
#define STORAGE_SSTABLE_ROW_DECODER_H

#include "base/cursor.h"
#include "storage/sstable/reader.h"

struct row_decoder {
    const struct header *header;
    const struct column_map *map;
    struct arena *arena; // Of the arrays.
    struct slice *values;
    struct cell *cells;
    size_t cell_count, cell_capacity;
    struct complex_deletion *complex_deletions;
    size_t complex_deletion_count, complex_deletion_capacity;
    struct row row;
    struct marker marker;
};

// What stands before the body of an unfiltered.
struct unfiltered_head {
    uint8_t flags, extended;
    struct bound place; // Values are the decoder's until the next head.
    uint64_t body_size; // From behind this field on.
};

void row_decoder_init(struct row_decoder *decoder, const struct sstable_reader *reader,
                      const struct column_map *map, struct arena *arena);

// `count` values with their headers of two bits. The cursor fails if they are damaged.
void row_decoder_values(const struct header *header, size_t count, struct cursor *cursor,
                        struct slice *values);
// A deletion as in a partition's head and in Index.db. The cursor fails if it is damaged.
struct deletion row_decoder_plain_deletion(const struct header *header, struct cursor *cursor);

// The place of an index block or of a marker behind its kind. `values` has room for all. False:
// damaged; the cursor fails if there are too few bytes.
bool row_decoder_place(const struct header *header, enum bound_kind kind, struct cursor *cursor,
                       struct slice *values, struct bound *place);

// Of the byte that ends a partition only the flags are set. The cursor fails if there are too few
// bytes; false: they are damaged.
bool row_decoder_head(struct row_decoder *decoder, struct cursor *cursor,
                      struct unfiltered_head *head);
// The bodies; false: damaged. The cursor has exactly the body.
bool row_decoder_row(struct row_decoder *decoder, const struct unfiltered_head *head,
                     struct cursor body);
bool row_decoder_marker(struct row_decoder *decoder, const struct unfiltered_head *head,
                        struct cursor body);

#endif
