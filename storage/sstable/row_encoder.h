// A row, a marker or a clustering prefix to bytes (UnfilteredSerializer, Cell.Serializer,
// ClusteringPrefix.Serializer; sstable-nb §2.3–2.8).
#ifndef STORAGE_SSTABLE_ROW_ENCODER_H
#define STORAGE_SSTABLE_ROW_ENCODER_H

#include "base/buffer.h"
#include "storage/sstable/header.h"

struct row_encoder {
    const struct header *header;
    const uint16_t *columns; // The table's column -> the header's.
    bool is_static;
};

// Values with the header of two bits each, without a count. No value: no byte.
void row_encoder_put_values(const struct header *header, const struct clustering *clustering,
                            struct buffer *bytes);
// Values behind their u16 count, as bounds have them.
void row_encoder_put_bound_values(const struct header *header, const struct clustering *clustering,
                                  struct buffer *bytes);
// What follows "previous size". Returns the flags.
uint8_t row_encoder_put_body(const struct row_encoder *encoder, const struct row *row,
                             struct buffer *body);
void row_encoder_put_marker_body(const struct header *header, const struct marker *marker,
                                 struct buffer *body);

#endif
