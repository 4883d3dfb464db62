// The CQL that makes a keyspace or a table again, byte for byte as Cassandra's DESCRIBE prints it
// (KeyspaceMetadata.toCqlString, TableMetadata.toCqlString).
#ifndef STORAGE_SCHEMA_TEXT_H
#define STORAGE_SCHEMA_TEXT_H

#include "base/buffer.h"
#include "storage/schema/schema.h"

// "CREATE KEYSPACE … ;", or a comment for a virtual one.
void schema_text_put_keyspace(const struct keyspace *keyspace, struct buffer *text);
// "CREATE TYPE … ;" of a user-defined one.
void schema_text_put_type(const struct type *type, struct buffer *text);
// "CREATE TABLE … ;", or a comment for a virtual one. `with_internals` adds its id, and the columns
// that were dropped with an ALTER TABLE … DROP for each.
void schema_text_put_table(const struct table *table, bool with_internals, struct buffer *text);
// "CREATE INDEX … ;"
void schema_text_put_index(const struct table *table, const struct index_definition *index,
                           struct buffer *text);
// What a snapshot's schema.cql says: its user-defined types, each after those that it needs, and
// the table with internals, its indexes, all "IF NOT EXISTS", a line feed after each
// (SchemaCQLHelper).
void schema_text_put_file(const struct table *table, struct buffer *text);

#endif
