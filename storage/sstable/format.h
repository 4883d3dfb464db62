// What the files of this folder share: names of files, flags of Data.db, limits (sstable-nb §1–2).
#ifndef STORAGE_SSTABLE_FORMAT_H
#define STORAGE_SSTABLE_FORMAT_H

#include "storage/sstable/sstable.h"

// EncodingStats' epochs: 2015-09-22T00:00:00Z.
#define EPOCH_TIMESTAMP  1442880000000000
#define EPOCH_LOCAL_TIME 1442880000

enum {
    CHUNK_SIZE_DEFAULT = 16 * 1024,
    CHUNK_SIZE_MAX = 16 * 1024 * 1024, // Of others; larger ones are UNSUPPORTED.
    CRC_CHUNK_SIZE = 64 * 1024,        // Of an uncompressed Data.db.
    INDEX_BLOCK_SIZE = 64 * 1024,      // In which Index.db is read.
    COLUMN_INDEX_SIZE_DEFAULT = 64 * 1024,
    ROW_SIZE_MAX = 256 * 1024 * 1024,      // A larger row or index entry is CORRUPT.
    HEAD_SIZE_MAX = 8 * 1024 * 1024,       // Key or clustering; more is CORRUPT.
    COMPONENT_SIZE_MAX = 256 * 1024 * 1024 // Of what is kept in memory; more is UNSUPPORTED.
};

// Flags of an unfiltered …
enum {
    UNFILTERED_END_OF_PARTITION = 0x01,
    UNFILTERED_IS_MARKER = 0x02,
    UNFILTERED_HAS_TIMESTAMP = 0x04,
    UNFILTERED_HAS_TTL = 0x08,
    UNFILTERED_HAS_DELETION = 0x10,
    UNFILTERED_HAS_ALL_COLUMNS = 0x20,
    UNFILTERED_HAS_COMPLEX_DELETION = 0x40,
    UNFILTERED_EXTENSION = 0x80
};
// … of its second byte …
enum { EXTENDED_IS_STATIC = 0x01, EXTENDED_SHADOWABLE = 0x02 };
// … and of a cell.
enum {
    CELL_IS_DELETED = 0x01,
    CELL_IS_EXPIRING = 0x02,
    CELL_HAS_EMPTY_VALUE = 0x04,
    CELL_USE_ROW_TIMESTAMP = 0x08,
    CELL_USE_ROW_TTL = 0x10
};

// Static or regular, as an index.
enum { ROWS_STATIC, ROWS_REGULAR, ROWS_KIND_COUNT };

// A partition begins with its key (u16 length) and its deletion: i32 and i64; in oa i64 and u32, or
// one byte if there is none.
enum { DELETION_SIZE = 12, DELETION_OA_NONE = 0x80, CLUSTERING_BLOCK = 32 };

// Of ours: DIR/nb-<generation>-big-<component>.
void sstable_path(char path[static SSTABLE_PATH_SIZE], const char *directory, uint64_t generation,
                  enum sstable_component component);
// The generation and component of a file name of version nb with a generation. False for any other.
bool sstable_parse_name(const char *name, uint64_t *generation, enum sstable_component *component);

#endif
