// Keyspaces and tables as bytes, for the metadata log and for comparing schemas by hash.
//
//     keyspace: u8 version 1, name, options replication, u8 durable writes, u8 virtual;
//               version 2, when it has types, goes on: uv n, n x { Java type }
//     table:    u8 version 1 or 2, 16 bytes id, keyspace, name, u8 flags, params,
//               for each column kind: uv n, n x { name, Java type, u8 reversed },
//               uv n, n x dropped { name, Java type, u8 kind, zv time }; version 2, when it has
//               indexes, goes on: uv n, n x { 16 bytes id, name, column, u8 target, u8 custom,
//               [class], options }
//
// A text is vbytes, options are uv n and n x { key, value } (vints of base/buffer.h). Equal
// definitions give equal bytes.
#ifndef STORAGE_SCHEMA_CODEC_H
#define STORAGE_SCHEMA_CODEC_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/error.h"
#include "storage/schema/schema.h"

void schema_codec_put_keyspace(struct buffer *bytes, const struct keyspace *keyspace);
void schema_codec_put_table(struct buffer *bytes, const struct table *table);

// Reads one and moves behind it; one reference is the caller's. CORRUPT, with what is wrong.
MUST_USE enum status schema_codec_get_keyspace(struct cursor *cursor,
                                               const struct keyspace **keyspace,
                                               struct error *error);
MUST_USE enum status schema_codec_get_table(struct cursor *cursor, const struct table **table,
                                            struct error *error);

#endif
