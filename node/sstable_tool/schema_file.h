// The table of a file with CREATE TYPE and CREATE TABLE statements, as cqlsh's DESCRIBE prints
// them. No keyspace need be made; other statements are passed over.
#ifndef NODE_SSTABLE_TOOL_SCHEMA_FILE_H
#define NODE_SSTABLE_TOOL_SCHEMA_FILE_H

#include "base/env.h"
#include "storage/schema/schema.h"

// `name`: which table ("t" or "ks.t"), if there are several; or NULL. One reference. INVALID, with
// the line of the file.
MUST_USE enum status schema_file_read(struct env *env, const char *path, const char *name,
                                      const struct table **table, struct error *error);

#endif
