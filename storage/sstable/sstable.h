// SSTables: sorted, immutable files of one table, byte for byte Cassandra's format "big", version
// nb; files of version oa are read too (org.apache.cassandra.io.sstable; sstable-nb.md).
//
//     flush:  source -> sstable_content_gather -> source again -> sstable_write -> files, durable
//     start:  sstable_recover_directory -> generations -> sstable_open
//     read:   sstable_read, sstable_scan -> WOULD_BLOCK? -> sstable_load_* -> the same read again
//
// Threads. sstable_write(), sstable_open(), sstable_remove(), sstable_recover_directory() and
// sstable_load_work() block: for a thread or for start-up. Everything else is the loop's, except
// that a read without cache and pins (both NULL) blocks and may run on any thread as long as the
// loop keeps a reference to the reader for it.
#ifndef STORAGE_SSTABLE_SSTABLE_H
#define STORAGE_SSTABLE_SSTABLE_H

#include "base/env.h"
#include "base/limits.h"
#include "storage/partition_iterator.h"
#include "storage/sstable/chunk_cache.h"
#include "storage/sstable/read_pins.h"

// The files nb-<generation>-big-<name> of one SSTable.
// clang-format off
#define SSTABLE_COMPONENT_MAP(X)                \
    X(DATA,             "Data.db")              \
    X(INDEX,            "Index.db")             \
    X(FILTER,           "Filter.db")            \
    X(SUMMARY,          "Summary.db")           \
    X(STATISTICS,       "Statistics.db")        \
    X(COMPRESSION_INFO, "CompressionInfo.db")   \
    X(CRC,              "CRC.db")               \
    X(DIGEST,           "Digest.crc32")         \
    X(TOC,              "TOC.txt")
// clang-format on

enum sstable_component {
#define X(name, file) SSTABLE_##name,
    SSTABLE_COMPONENT_MAP(X)
#undef X
        SSTABLE_COMPONENT_COUNT
};

const char *sstable_component_name(enum sstable_component component); // "Data.db"

// Versions of the format: both are read, nb is written (it is what 4.0, 4.1 and 5.0 all read).
enum sstable_version { SSTABLE_NB, SSTABLE_OA };

// What the names of one SSTable's files have in common: nb-17-big-,
// oa-3h5q_16mb_1i0ga25fdxlkxvx0q9- big-. The id is a generation, as ours always are, or Cassandra's
// text of a time UUID.
enum { SSTABLE_ID_SIZE = 29 };
struct sstable_name {
    enum sstable_version version;
    char id[SSTABLE_ID_SIZE]; // Ends with a NUL.
};

struct sstable_name sstable_name_of(enum sstable_version version, uint64_t generation);
uint64_t sstable_name_generation(const struct sstable_name *name); // 0: the id is none.
bool sstable_name_equals(const struct sstable_name *a, const struct sstable_name *b);
// Of a file's name without its directory. NOT_FOUND: it is no SSTable's; UNSUPPORTED: one of a
// version or format that is not read, which `error` (NULL is allowed) names.
MUST_USE enum status sstable_name_parse(const char *file, struct sstable_name *name,
                                        enum sstable_component *component, struct error *error);
enum { SSTABLE_PATH_SIZE = 4096 };
// DIR/nb-17-big-Data.db. Cut if DIR is absurdly long: then no file is found.
void sstable_name_path(char path[static SSTABLE_PATH_SIZE], const char *directory,
                       const struct sstable_name *name, enum sstable_component component);

// What a manifest says about the files of one SSTable, to know damage from data.
struct sstable_check {
    uint64_t sizes[SSTABLE_COMPONENT_COUNT]; // 0: there is no such component.
    uint64_t xxh3[SSTABLE_COMPONENT_COUNT];
    // Others wrote it: Filter and Summary are made again all the same, and Index.db is compared
    // with Data.db as it is used.
    bool is_foreign;
};

// ---- Writing -----------------------------------------------------------------------------------

// What the header of the files must say before the first row is written: bases of the deltas
// (EncodingStats) and the columns that have data. Gathered by a first pass over the same source:
// reading a frozen memtable twice is cheaper than keeping these up to date with every write.
struct sstable_content {
    int64_t min_timestamp;  // With EncodingStats' epochs when there is none.
    int32_t min_local_time; //
    int32_t min_ttl;
    uint64_t partition_count;
    uint64_t static_columns[TABLE_COLUMNS_MAX / 64]; // Bit i: the table's column i has data.
    uint64_t regular_columns[TABLE_COLUMNS_MAX / 64];
};

// Reads `source` to its end and closes it, also on failure.
MUST_USE enum status sstable_content_gather(struct scan_iterator *source,
                                            struct sstable_content *content);

struct sstable_reader;

// Of what several SSTables will be together, without reading them
// (SerializationHeader.make(table, sstables)): bases and columns of all, the number of partitions
// an estimate.
MUST_USE enum status sstable_content_unite(struct sstable_reader *const *readers, size_t count,
                                           const struct table *table,
                                           struct sstable_content *content, struct error *error);

struct sstable_write_options {
    const char *directory; // Of the table; exists. An absolute path, as Cassandra's log wants it.
    uint64_t generation;   // Up to INT32_MAX, not used before in this directory.
    const struct table *table;
    const struct sstable_content *content;
    size_t column_index_size;   // 0: 65536.
    const struct uuid *host_id; // Of the node, or NULL.
    uint16_t level;             // Of leveled compaction.
    int64_t repaired_at;        // Milliseconds since 1970; 0: not repaired.
    bool with_table_compressor; // Else one that is fast, as a flush wants it.
};

// What was written.
struct sstable_summary {
    uint64_t partition_count, row_count, size; // Bytes of all components.
    struct token min_token, max_token;
    int64_t min_timestamp, max_timestamp;
    struct sstable_check check;
};

// Writes all of `source` (its table is options->table) as one SSTable with every component, and
// closes the source, also on failure. When it returns OK the files are durable; on any failure, and
// after a crash at any moment, there is no SSTable (sstable_recover_directory() removes what is
// left). `*written` has partition_count 0 and there are no files when the source has no data.
MUST_USE enum status sstable_write(struct env *env, const struct sstable_write_options *options,
                                   struct scan_iterator *source, struct sstable_summary *written,
                                   struct error *error);

// ---- Files -------------------------------------------------------------------------------------

// Generations of the complete SSTables of a directory, ascending.
struct sstable_listing {
    uint64_t *generations; // free() it.
    size_t count;
};

// Finishes or undoes what a crash left (nb_txn_*.log, .tmp, files without Data.db), makes that
// durable, and lists what is there. `*listing` is not to be freed on failure.
MUST_USE enum status sstable_recover_directory(struct env *env, const char *directory,
                                               struct sstable_listing *listing,
                                               struct error *error);

// Removes the files of one SSTable, durably; Data.db first, without which the others are nothing.
// No error when there are none.
MUST_USE enum status sstable_remove(struct env *env, const char *directory, uint64_t generation,
                                    struct error *error);

// ---- Reading -----------------------------------------------------------------------------------

// Opens the SSTable of this generation: nb, or oa if there is no nb. `table` is the version that
// most reads will ask with. `check`, if not NULL, is
// compared: sizes of all, and hashes of all but Data.db, whose chunks have checksums of their own.
// Without it Filter and Summary are not believed but made again from Index.db; so they are when
// missing. CORRUPT, IO, NOT_FOUND (no Data.db), UNSUPPORTED (another version or compressor).
MUST_USE enum status sstable_open(struct env *env, const char *directory, uint64_t generation,
                                  const struct table *table, const struct sstable_check *check,
                                  struct sstable_reader **reader, struct error *error);
// The same by its name: for files of others, which may have any.
MUST_USE enum status sstable_open_named(struct env *env, const char *directory,
                                        const struct sstable_name *name, const struct table *table,
                                        const struct sstable_check *check,
                                        struct sstable_reader **reader, struct error *error);
void sstable_ref(struct sstable_reader *reader);
// The last one closes the files and drops its chunks from their cache. NULL is allowed.
void sstable_unref(struct sstable_reader *reader);
// After an ALTER: most reads will now ask with this version. Between reads only.
void sstable_set_table(struct sstable_reader *reader, const struct table *table);

// Whether it can be of this table; see header_check_table().
MUST_USE enum status sstable_check_table(const struct sstable_reader *reader,
                                         const struct table *table, struct error *error);

uint64_t sstable_generation(const struct sstable_reader *reader); // 0: its id is none.
const struct sstable_name *sstable_reader_name(const struct sstable_reader *reader);
const char *sstable_directory(const struct sstable_reader *reader);
int64_t sstable_min_timestamp(const struct sstable_reader *reader);
int64_t sstable_max_timestamp(const struct sstable_reader *reader);
// LOCAL_TIME_NONE: it has neither a tombstone nor anything that expires.
int32_t sstable_min_local_time(const struct sstable_reader *reader);
int32_t sstable_max_local_time(const struct sstable_reader *reader);
uint32_t sstable_level(const struct sstable_reader *reader);      // Of leveled compaction.
int64_t sstable_repaired_at(const struct sstable_reader *reader); // Milliseconds; 0: not repaired.
bool sstable_has_pending_repair(const struct sstable_reader *reader); // Of Cassandra's.
// How much of its cells are tombstones that may go by their age: an estimate, as Cassandra's.
double sstable_droppable_ratio(const struct sstable_reader *reader, int32_t gc_before);
uint64_t sstable_data_size(const struct sstable_reader *reader); // Bytes of Data.db on the disk …
uint64_t sstable_uncompressed_size(const struct sstable_reader *reader); // … and uncompressed.
struct partition_key sstable_first_key(const struct sstable_reader *reader);
struct partition_key sstable_last_key(const struct sstable_reader *reader);
uint64_t sstable_partition_count(const struct sstable_reader *reader); // An estimate if foreign.
uint64_t sstable_row_count(const struct sstable_reader *reader);
uint64_t sstable_size(const struct sstable_reader *reader);      // Bytes of all components.
size_t sstable_memory_size(const struct sstable_reader *reader); // What the open reader costs.
bool sstable_has_legacy_counters(const struct sstable_reader *reader);

// False: it surely has not (first and last key, bloom filter). No I/O.
bool sstable_may_contain(const struct sstable_reader *reader, const struct partition_key *key);
// The same of what the filter wants of the partition (its smallest and largest clustering as well).
bool sstable_may_have(const struct sstable_reader *reader, const struct table *table,
                      const struct partition_key *key, const struct partition_filter *filter,
                      struct chunk_cache *cache);

// One partition, or NULL in `*partition` when it is not there. The iterator lives in `arena` and
// points into chunks that it keeps until closed. A range tombstone that is open at an edge of a
// wanted range begins and ends at that edge. WOULD_BLOCK, also from the iterator: what is missing
// stands in `pins`. `error` (NULL is allowed) must live as long as the iterator: next() fills it.
// `key`, `filter` and `table` too. With cache and pins NULL it reads from the files and blocks.
MUST_USE enum status sstable_read(struct sstable_reader *reader, const struct table *table,
                                  const struct partition_key *key,
                                  const struct partition_filter *filter, struct chunk_cache *cache,
                                  struct read_pins *pins, struct arena *arena,
                                  struct partition_iterator **partition, struct error *error);
// The same of one that sstable_may_have() it: this is not asked again.
MUST_USE enum status sstable_read_asked(struct sstable_reader *reader, const struct table *table,
                                        const struct partition_key *key,
                                        const struct partition_filter *filter,
                                        struct chunk_cache *cache, struct read_pins *pins,
                                        struct arena *arena, struct partition_iterator **partition,
                                        struct error *error);
// A run of partitions; as sstable_read(). The memory of one partition is used again for the next.
// A partition of which the filter leaves nothing may still come, with nothing in it.
MUST_USE enum status sstable_scan(struct sstable_reader *reader, const struct table *table,
                                  const struct scan_range *range,
                                  const struct partition_filter *filter, struct chunk_cache *cache,
                                  struct read_pins *pins, struct arena *arena,
                                  struct scan_iterator **scan, struct error *error);

// All of it, forward, for a thread: it blocks, reads far ahead, and shares nothing with the reads
// of the loop, where sstable_set_table() may come meanwhile. `table` and `error` live as long as
// the scan.
MUST_USE enum status sstable_scan_apart(struct sstable_reader *reader, const struct table *table,
                                        struct arena *arena, struct scan_iterator **scan,
                                        struct error *error);

// Fetches what a read missed: begin (loop), work (any thread), finish (loop). Whoever began must
// finish, also after a failed work.
struct sstable_load {
    struct sstable_reader *reader; // With a reference.
    size_t first, count;           // Chunks.
    bool is_scan;                  // Of a scan's read.
    struct chunk **chunks;         // `count` of them once read.
    enum status status;
    struct error error;
};
// Takes over the first miss of `pins`; false when there is none.
bool sstable_load_begin(struct sstable_load *load, struct read_pins *pins);
void sstable_load_work(struct sstable_load *load);
// In the place of work and finish, when the work will never end (engine_abandon()).
void sstable_load_drop(struct sstable_load *load);
// Gives the chunks to the cache and pins them to the read. The status of the work: OK, CORRUPT, IO.
MUST_USE enum status sstable_load_finish(struct sstable_load *load, struct chunk_cache *cache,
                                         struct read_pins *pins, struct error *error);

#endif
