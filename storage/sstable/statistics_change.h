// Changes level and repair time of a Statistics.db in memory, as the import of a file does it
// (org.apache.cassandra.io.sstable.metadata.MetadataSerializer.mutateLevel, mutateRepairMetadata).
#ifndef STORAGE_SSTABLE_STATISTICS_CHANGE_H
#define STORAGE_SSTABLE_STATISTICS_CHANGE_H

#include "base/error.h"
#include "storage/sstable/sstable.h"

// `file` has all bytes of a file that was decoded well. CORRUPT.
MUST_USE enum status statistics_change(uint8_t *file, size_t size, enum sstable_version version,
                                       uint32_t level, int64_t repaired_at, struct error *error);

#endif
