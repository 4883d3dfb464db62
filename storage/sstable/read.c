// A read of one partition and a scan of many; see sstable.h.
#include "storage/sstable/key_cache.h"
#include "storage/sstable/partition_reader.h"

// ---- One partition ------------------------------------------------------------------------------

static void close_partition(struct partition_iterator *iterator)
{
    partition_reader_deinit((struct partition_reader *)iterator);
}

static const struct partition_iterator_ops partition_ops = {
    .next = partition_reader_next,
    .close = close_partition,
};

// The map for this table: the reader's own, or one made for this read.
static const struct column_map *find_map(struct sstable_reader *reader, const struct table *table,
                                         struct arena *arena)
{
    if (reader->map.table == table) return &reader->map;
    struct column_map *map = ARENA_NEW(arena, struct column_map);
    reader_map_columns(reader, table, map, arena);
    return map;
}

static enum status check_table(const struct sstable_reader *reader, const struct table *table,
                               struct error *error)
{
    if (table->column_counts[COLUMN_CLUSTERING] == reader->header.clustering_count)
        return STATUS_OK;
    return reader_corrupt(reader, SSTABLE_STATISTICS, 0, error,
                          "it has another number of clustering columns than the table");
}

// False: nothing between the file's smallest and largest clustering is wanted, and nothing else in
// it could matter (a file without local times has no tombstone, so no partition deletion).
static bool may_have_wanted_rows(const struct sstable_reader *reader, const struct table *table,
                                 const struct partition_filter *filter)
{
    const struct statistics_summary *statistics = &reader->statistics;
    if (statistics->has_partition_deletions) return true;
    if (filter->with_static && reader->header.columns[ROWS_STATIC].count > 0) return true;
    const struct bound *first = &statistics->min_clustering, *last = &statistics->max_clustering;
    if (first->prefix.count > table->column_counts[COLUMN_CLUSTERING] ||
        last->prefix.count > table->column_counts[COLUMN_CLUSTERING])
        return true;
    for (size_t i = 0; i < filter->range_count; i++) {
        const struct clustering_range *range = &filter->ranges[i];
        if (bound_compare(table, &range->end, first) >= 0 &&
            bound_compare(table, &range->start, last) <= 0)
            return true;
    }
    return false;
}

// How many chunks a partition without blocks has, as far as the index tells.
static size_t chunks_of(const struct partition_reader *partition)
{
    const struct index_entry *entry = &partition->entry;
    uint64_t size = entry->data_end > entry->position ? entry->data_end - entry->position : 1;
    uint64_t chunk = partition->reader->data_chunk_size;
    uint64_t count = (entry->position + size - 1) / chunk - entry->position / chunk + 1;
    return count < PARTITION_READER_AHEAD_MAX ? (size_t)count : PARTITION_READER_AHEAD_MAX;
}

// The partition's place, if a read has noted it.
static bool find_place(const struct sstable_reader *reader, const struct partition_key *key,
                       struct chunk_cache *cache, struct key_place *place)
{
    struct key_cache *keys = cache == NULL ? NULL : chunk_cache_keys(cache);
    return keys != NULL && key_cache_find(keys, reader->key_number, key->token, place);
}

static void note_place(struct partition_reader *partition, struct chunk_cache *cache)
{
    struct sstable_reader *reader = partition->reader;
    const struct index_entry *entry = &partition->entry;
    struct key_cache *keys = cache == NULL ? NULL : chunk_cache_keys(cache);
    if (keys == NULL || entry->block_count > 0 || entry->data_end <= entry->position) return;
    if (reader->key_number == 0) reader->key_number = key_cache_number(keys);
    struct key_place place = {entry->position, entry->data_end - entry->position};
    key_cache_put(keys, reader->key_number, partition->base.key.token, &place);
}

bool sstable_may_have(const struct sstable_reader *reader, const struct table *table,
                      const struct partition_key *key, const struct partition_filter *filter,
                      struct chunk_cache *cache)
{
    struct key_place place;
    if (!may_have_wanted_rows(reader, table, filter)) return false;
    // The bloom filter last: it is far larger than what the processor keeps near.
    return find_place(reader, key, cache, &place) || sstable_may_contain(reader, key);
}

enum status sstable_read(struct sstable_reader *reader, const struct table *table,
                         const struct partition_key *key, const struct partition_filter *filter,
                         struct chunk_cache *cache, struct read_pins *pins, struct arena *arena,
                         struct partition_iterator **partition, struct error *error)
{
    *partition = NULL;
    if (!sstable_may_have(reader, table, key, filter, cache)) return STATUS_OK;
    return sstable_read_asked(reader, table, key, filter, cache, pins, arena, partition, error);
}

// Opens the partition of the reader's entry.
static enum status open_entry(struct partition_reader *opened, const struct partition_key *key)
{
    opened->data.ahead = chunks_of(opened);
    if (opened->entry.block_count == 0) opened->data.wanted_end = opened->entry.data_end;
    return partition_reader_open(opened, *key, &opened->index);
}

// By the place that is noted, or else by a search in the index. END: it is not there.
static enum status open_partition(struct partition_reader *opened, const struct partition_key *key,
                                  struct chunk_cache *cache)
{
    struct key_place place;
    enum status status = STATUS_NOT_FOUND;
    opened->is_by_hint = find_place(opened->reader, key, cache, &place);
    if (opened->is_by_hint) {
        opened->entry = (struct index_entry){.position = place.position,
                                             .data_end = place.position + place.size,
                                             .deletion = DELETION_NONE};
        status = open_entry(opened, key);
        opened->is_by_hint = false;
    }
    if (status != STATUS_NOT_FOUND) return status;
    status = index_reader_find(&opened->index, key, &opened->entry);
    if (status == STATUS_OK) status = open_entry(opened, key);
    if (status == STATUS_OK) note_place(opened, cache);
    return status;
}

enum status sstable_read_asked(struct sstable_reader *reader, const struct table *table,
                               const struct partition_key *key,
                               const struct partition_filter *filter, struct chunk_cache *cache,
                               struct read_pins *pins, struct arena *arena,
                               struct partition_iterator **partition, struct error *error)
{
    *partition = NULL;
    enum status status = check_table(reader, table, error);
    if (status != STATUS_OK) return status;
    struct stream_access access = {.cache = cache, .pins = pins, .error = error};
    struct partition_reader *opened = arena_alloc(arena, sizeof *opened);
    partition_reader_init(opened, reader, table, find_map(reader, table, arena), filter, access,
                          arena);
    opened->base.ops = &partition_ops;
    status = open_partition(opened, key, cache);
    if (status != STATUS_OK) {
        partition_reader_deinit(opened);
        return status == STATUS_END ? STATUS_OK : status;
    }
    *partition = &opened->base;
    return STATUS_OK;
}

// ---- A scan -------------------------------------------------------------------------------------

struct scan_reader {
    struct scan_iterator base;
    struct scan_range range;
    struct stream index;
    struct buffer key; // Of a partition with blocks: reading these moves the index.
    bool is_sought;
    struct partition_reader partition;
};

// The partition's memory is the scan's.
static void close_scanned_partition(struct partition_iterator *iterator)
{
    (void)iterator;
}

static const struct partition_iterator_ops scanned_partition_ops = {
    .next = partition_reader_next,
    .close = close_scanned_partition,
};

static bool is_past(const struct partition_key *key, const struct scan_bound *end)
{
    int order = token_compare(key->token, end->token);
    if (order == 0 && end->key.data != NULL) order = slice_compare(key->bytes, end->key);
    return end->inclusive ? order > 0 : order >= 0;
}

static enum status next_partition(struct scan_iterator *iterator,
                                  struct partition_iterator **partition)
{
    struct scan_reader *scan = (struct scan_reader *)iterator;
    enum status status;
    struct index_entry *entry = &scan->partition.entry;
    if (scan->is_sought) {
        index_reader_advance(&scan->index, entry);
    } else {
        status = index_reader_seek(&scan->index, &scan->range.start);
        if (status != STATUS_OK) return status;
        scan->is_sought = true;
    }
    status = index_reader_entry(&scan->index, entry);
    if (status != STATUS_OK) return status;
    struct partition_key key = partition_key_make(entry->key);
    if (is_past(&key, &scan->range.end)) {
        entry->start = scan->index.end;
        entry->size = 0;
        return STATUS_END;
    }
    if (entry->block_count > 0) {
        buffer_clear(&scan->key);
        buffer_put(&scan->key, key.bytes.data, key.bytes.size);
        key.bytes = slice_make(scan->key.data, key.bytes.size);
    }
    scan->partition.data.ahead = PARTITION_READER_AHEAD_MAX;
    status = partition_reader_open(&scan->partition, key, &scan->index);
    if (status != STATUS_OK) return status;
    *partition = &scan->partition.base;
    return STATUS_OK;
}

static void close_scan(struct scan_iterator *iterator)
{
    struct scan_reader *scan = (struct scan_reader *)iterator;
    partition_reader_deinit(&scan->partition);
    stream_deinit(&scan->index);
    buffer_deinit(&scan->key);
}

static const struct scan_iterator_ops scan_ops = {.next = next_partition, .close = close_scan};

static struct scan_iterator *open_scan(struct sstable_reader *reader, const struct column_map *map,
                                       const struct scan_range *range,
                                       const struct partition_filter *filter,
                                       struct stream_access access, struct arena *arena)
{
    struct scan_reader *opened = ARENA_NEW(arena, struct scan_reader);
    opened->base = (struct scan_iterator){&scan_ops, map->table};
    opened->range = *range;
    stream_init(&opened->index, reader, access, SSTABLE_INDEX);
    buffer_init(&opened->key, KEY_SIZE_MAX);
    partition_reader_init(&opened->partition, reader, map->table, map, filter, access, arena);
    opened->partition.base.ops = &scanned_partition_ops;
    opened->index.is_scan = opened->partition.data.is_scan = true;
    return &opened->base;
}

enum status sstable_scan(struct sstable_reader *reader, const struct table *table,
                         const struct scan_range *range, const struct partition_filter *filter,
                         struct chunk_cache *cache, struct read_pins *pins, struct arena *arena,
                         struct scan_iterator **scan, struct error *error)
{
    enum status status = check_table(reader, table, error);
    if (status != STATUS_OK) return status;
    struct stream_access access = {.cache = cache, .pins = pins, .error = error};
    *scan = open_scan(reader, find_map(reader, table, arena), range, filter, access, arena);
    return STATUS_OK;
}

enum status sstable_scan_apart(struct sstable_reader *reader, const struct table *table,
                               struct arena *arena, struct scan_iterator **scan,
                               struct error *error)
{
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    static const struct partition_filter filter = {
        .ranges = &all, .range_count = 1, .with_static = true};
    enum status status = check_table(reader, table, error);
    if (status != STATUS_OK) return status;
    struct column_map *map = ARENA_NEW(arena, struct column_map);
    reader_map_columns(reader, table, map, arena);
    struct read_ahead *ahead = ARENA_NEW(arena, struct read_ahead);
    uint64_t size = reader->sizes[SSTABLE_DATA];
    ahead->bytes = arena_alloc(arena, size < READ_AHEAD_SIZE ? (size_t)size : READ_AHEAD_SIZE);
    struct stream_access access = {.error = error, .ahead = ahead};
    *scan = open_scan(reader, map, &SCAN_RANGE_ALL, &filter, access, arena);
    return STATUS_OK;
}
