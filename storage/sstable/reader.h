// An open SSTable, as this folder sees it; see sstable.h.
//
// Its bytes come in chunks, numbered through both files: first those of Data.db (as compressed, or
// as CRC.db has them), then blocks of Index.db. Each has a slot for the chunk cache.
#ifndef STORAGE_SSTABLE_READER_H
#define STORAGE_SSTABLE_READER_H

#include "storage/sstable/compression.h"
#include "storage/sstable/filter.h"
#include "storage/sstable/index_marks.h"
#include "storage/sstable/statistics.h"
#include "storage/sstable/summary.h"

// How a column of the file is seen through a version of the table.
struct mapped_column {
    bool known; // False: the table has no such column, its cells are skipped.
    bool multi_cell;
    uint16_t index; // The table's.
    uint32_t fixed_size;
    int64_t dropped_time_us; // Cells up to then are skipped; INT64_MIN: none.
};

struct column_map {
    const struct table *table;
    struct mapped_column *columns[ROWS_KIND_COUNT]; // By the header's order.
    bool may_lose_cells; // Some column is not known or was dropped: rows may become empty.
    bool may_misfit;     // Some type has a fixed size in the table, and another one in the file.
};

struct sstable_reader {
    uint32_t references;
    struct env *env;
    char *directory;
    struct sstable_name name;
    uint64_t generation; // Of its name, or 0.
    struct env_file *data_file, *index_file;
    uint64_t sizes[SSTABLE_COMPONENT_COUNT];

    // Chunks.
    struct slice compression_file; // CompressionInfo.db; its offsets are used from here.
    struct slice crc_file;         // CRC.db, or empty.
    struct compression_info compression;
    uint64_t data_size; // Uncompressed.
    uint32_t data_chunk_size, data_chunk_shift;
    size_t data_chunk_count, index_chunk_count;
    struct chunk **slots;
    uint8_t *missed; // For each chunk of Data.db: the cache's mark. The loop's.

    struct filter filter;
    struct summary summary;
    uint32_t key_number;       // Of the cache of places, once it was asked; 0: none. The loop's.
    struct index_marks *marks; // For each entry of the summary, or NULL. The loop's.
    struct statistics_summary statistics;
    struct header header;
    uint64_t partition_count;
    // What Index.db says is what was written; else it is compared with Data.db as it is used.
    bool index_is_trusted;
    // Of 2^32 chunks so many have their checksums compared (crc_check_chance); 2^32 - 1: all.
    _Atomic uint32_t crc_share, crc_turn;

    struct arena arena;     // Of what the files say.
    struct arena map_arena; // Of the map below.
    struct column_map map;  // For `map.table`, of which it holds a reference.
};

static inline size_t reader_chunk_count(const struct sstable_reader *reader)
{
    return reader->data_chunk_count + reader->index_chunk_count;
}

// In the arena: how the file is seen through this table.
void reader_map_columns(const struct sstable_reader *reader, const struct table *table,
                        struct column_map *map, struct arena *arena);

// Reads one chunk from its file: blocks, unless `cached`; then WOULD_BLOCK. One reference.
MUST_USE enum status reader_read_chunk(struct sstable_reader *reader, size_t index, bool cached,
                                       struct chunk **chunk, struct error *error);
// As reader_read_chunk(), `cached`, but of a chunk of Data.db perhaps no more than its first
// `wanted` bytes; into `spare`, if it is not NULL and has the room.
MUST_USE enum status reader_read_chunk_start(struct sstable_reader *reader, size_t index,
                                             size_t wanted, struct chunk *spare,
                                             struct chunk **chunk, struct error *error);

// Of Data.db, what a scan of all of it has read beyond the chunk that it wanted.
enum { READ_AHEAD_SIZE = 256 * 1024 };
struct read_ahead {
    uint8_t *bytes;  // READ_AHEAD_SIZE, of which `size` are there …
    uint64_t offset; // … from this place of the file on.
    size_t size;
};
// As reader_read_chunk(), for one who reads all chunks in turn: blocks.
MUST_USE enum status reader_read_chunk_ahead(struct sstable_reader *reader, size_t index,
                                             struct read_ahead *ahead, struct chunk **chunk,
                                             struct error *error);

// CORRUPT at a place of one of the files.
enum status reader_corrupt(const struct sstable_reader *reader, enum sstable_component component,
                           uint64_t offset, struct error *error, const char *what);

#endif
