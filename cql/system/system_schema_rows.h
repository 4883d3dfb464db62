// The rows of system_schema and system_virtual_schema: what a schema is made of, as tables
// (org.apache.cassandra.schema.SchemaKeyspace).
#ifndef CQL_SYSTEM_SYSTEM_SCHEMA_ROWS_H
#define CQL_SYSTEM_SYSTEM_SCHEMA_ROWS_H

#include "cql/system/system_row.h"

// Which keyspaces a table tells of.
enum system_schema_part {
    SYSTEM_SCHEMA_STORED,  // system_schema
    SYSTEM_SCHEMA_VIRTUAL, // system_virtual_schema
};

// Applies the rows of `table`, a table of one of the two keyspaces, for all of `schema`'s keyspaces
// of that part. Tables of what Helenus does not have (views, functions, …) get none.
void system_schema_rows_fill(const struct table *table, enum system_schema_part part,
                             const struct schema *schema, struct memtable *memtable,
                             struct arena *arena, int64_t timestamp);

#endif
