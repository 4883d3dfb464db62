// WITH compression = {...}: checked, and made into what a schema keeps
// (org.apache.cassandra.schema.CompressionParams.fromMap, asMap).
#ifndef STORAGE_SSTABLE_COMPRESSION_OPTIONS_H
#define STORAGE_SSTABLE_COMPRESSION_OPTIONS_H

#include "base/arena.h"
#include "storage/schema/schema.h"

// `*kept` comes to be in the arena: the class by its full name, the length of chunks always there,
// what has its default away. With Cassandra's texts: INVALID for its ConfigurationException,
// MALFORMED for a Java exception that reaches the client as a server error.
MUST_USE enum status compression_options_check(const struct options *given, struct arena *arena,
                                               struct options *kept, struct error *error);

#endif
