// The CQL that makes a keyspace or a table again, byte for byte as Cassandra's DESCRIBE prints it
// (KeyspaceMetadata.toCqlString, TableMetadata.toCqlString).
#ifndef STORAGE_SCHEMA_TEXT_H
#define STORAGE_SCHEMA_TEXT_H

#include "base/buffer.h"
#include "storage/schema/schema.h"

// "CREATE KEYSPACE … ;", or a comment for a virtual one.
void schema_text_put_keyspace(const struct keyspace *keyspace, struct buffer *text);
// "CREATE TABLE … ;", or a comment for a virtual one. `with_internals` adds its id, and the columns
// that were dropped with an ALTER TABLE … DROP for each.
void schema_text_put_table(const struct table *table, bool with_internals, struct buffer *text);

#endif
