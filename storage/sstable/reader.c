#include "storage/sstable/reader.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/index_reader.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

// ---- Columns ------------------------------------------------------------------------------------

static void map_column(const struct table *table, int kind, const struct header_column *from,
                       struct mapped_column *to)
{
    *to = (struct mapped_column){
        .multi_cell = from->multi_cell,
        .fixed_size = from->fixed_size,
        .dropped_time_us = INT64_MIN,
    };
    enum column_kind wanted = kind == ROWS_STATIC ? COLUMN_STATIC : COLUMN_REGULAR;
    const struct column *column = table_find_column(table, from->name);
    to->known = column != NULL && column->kind == wanted &&
                type_is_multi_cell(column->type) == from->multi_cell;
    if (to->known) to->index = column->index;
    for (size_t i = 0; i < table->dropped_column_count; i++) {
        const struct dropped_column *dropped = &table->dropped_columns[i];
        if (slice_equals(dropped->name, from->name) &&
            dropped->dropped_time_us > to->dropped_time_us)
            to->dropped_time_us = dropped->dropped_time_us;
    }
}

// Values of the file's type may be none of the table's, which would be written without a length.
static bool sizes_differ(const struct type *type, size_t size_in_file)
{
    size_t size = type_fixed_size(type);
    return size != 0 && size != size_in_file;
}

void reader_map_columns(const struct sstable_reader *reader, const struct table *table,
                        struct column_map *map, struct arena *arena)
{
    *map = (struct column_map){.table = table};
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++) {
        const struct header_columns *columns = &reader->header.columns[kind];
        map->columns[kind] = ARENA_NEW_ARRAY(arena, struct mapped_column, columns->count);
        for (size_t i = 0; i < columns->count; i++) {
            struct mapped_column *column = &map->columns[kind][i];
            map_column(table, kind, &columns->items[i], column);
            if (!column->known || column->dropped_time_us != INT64_MIN) map->may_lose_cells = true;
            enum column_kind of_table = kind == ROWS_STATIC ? COLUMN_STATIC : COLUMN_REGULAR;
            if (column->known &&
                sizes_differ(table->columns[of_table][column->index].type, column->fixed_size))
                map->may_misfit = true;
        }
    }
    const struct header *header = &reader->header;
    for (size_t i = 0; i < header->clustering_count; i++)
        if (sizes_differ(table->columns[COLUMN_CLUSTERING][i].type, header->clustering_sizes[i]))
            map->may_misfit = true;
}

void sstable_set_table(struct sstable_reader *reader, const struct table *table)
{
    if (reader->map.table == table) return;
    if (table != NULL) table_ref(table);
    table_unref(reader->map.table);
    arena_reset(&reader->map_arena);
    reader->map = (struct column_map){.table = NULL};
    if (table == NULL) return;
    reader_map_columns(reader, table, &reader->map, &reader->map_arena);
    double chance = table->params.crc_check_chance;
    atomic_store_explicit(&reader->crc_share,
                          chance >= 1  ? UINT32_MAX
                          : chance > 0 ? (uint32_t)(chance * 4294967296.0)
                                       : 0,
                          memory_order_relaxed);
}

// Of Index.db: the length of a key, its position, and the size of its blocks.
enum { INDEX_ENTRY_SIZE_MIN = 2 + 1 + 1 };

// ---- Opening ------------------------------------------------------------------------------------

enum status reader_corrupt(const struct sstable_reader *reader, enum sstable_component component,
                           uint64_t offset, struct error *error, const char *what)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, reader->directory, &reader->name, component);
    return error_set(error, STATUS_CORRUPT, "%s: offset %" PRIu64 ": %s", path, offset, what);
}

// What is wrong with a component, with its name before it.
static enum status blame(const struct sstable_reader *reader, enum sstable_component component,
                         enum status status, const struct error *cause, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, reader->directory, &reader->name, component);
    return error_set(error, status, "%s: %s", path, cause->text);
}

struct opening {
    struct sstable_reader *reader;
    const struct sstable_check *check; // Or NULL.
    struct error *error;
    bool has[SSTABLE_COMPONENT_COUNT];
};

static enum status check_size(struct opening *opening, enum sstable_component component)
{
    struct sstable_reader *reader = opening->reader;
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, reader->directory, &reader->name, component);
    struct env_file *file;
    enum status status = env_file_open(reader->env, path, ENV_OPEN_READ, &file, opening->error);
    uint64_t size = 0;
    opening->has[component] = status == STATUS_OK;
    if (status == STATUS_OK) {
        status = env_file_size(file, &size, opening->error);
        env_file_close(file);
    } else if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    }
    if (status != STATUS_OK) return status;
    reader->sizes[component] = size;
    if (opening->check != NULL && opening->check->sizes[component] != size)
        return error_set(opening->error, STATUS_CORRUPT,
                         "%s: has %" PRIu64 " bytes; %" PRIu64 " were written", path, size,
                         opening->check->sizes[component]);
    return STATUS_OK;
}

// A whole component, compared with its hash if there is one. free() it.
static enum status read_component(struct opening *opening, enum sstable_component component,
                                  struct slice *bytes)
{
    struct sstable_reader *reader = opening->reader;
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, reader->directory, &reader->name, component);
    struct slice read;
    enum status status =
        file_reader_read_file(reader->env, path, COMPONENT_SIZE_MAX, &read, opening->error);
    if (status != STATUS_OK) return status;
    if (opening->check != NULL && checksum_xxh3(read, 0) != opening->check->xxh3[component]) {
        free((void *)read.data);
        return error_set(opening->error, STATUS_CORRUPT, "%s: is not what was written", path);
    }
    *bytes = read;
    return STATUS_OK;
}

// Nothing in Index.db can show that it was changed; so all of it is compared, once.
static enum status check_index(struct opening *opening)
{
    struct sstable_reader *reader = opening->reader;
    struct checksum_xxh3 *hash = checksum_xxh3_create(0);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < reader->index_chunk_count && status == STATUS_OK; i++) {
        struct chunk *chunk;
        status =
            reader_read_chunk(reader, reader->data_chunk_count + i, false, &chunk, opening->error);
        if (status != STATUS_OK) break;
        checksum_xxh3_add(hash, slice_make(chunk->bytes, chunk->size));
        chunk_unref(chunk);
    }
    if (status == STATUS_OK && checksum_xxh3_value(hash) != opening->check->xxh3[SSTABLE_INDEX])
        status =
            reader_corrupt(reader, SSTABLE_INDEX, 0, opening->error, "is not what was written");
    checksum_xxh3_destroy(hash);
    return status;
}

static enum status open_statistics(struct opening *opening)
{
    struct sstable_reader *reader = opening->reader;
    struct slice file;
    enum status status = read_component(opening, SSTABLE_STATISTICS, &file);
    if (status != STATUS_OK) return status;
    struct error cause = {0};
    status = statistics_decode(file, reader->name.version, &reader->arena, &reader->statistics,
                               &reader->header, &cause);
    free((void *)file.data);
    if (status != STATUS_OK)
        return blame(reader, SSTABLE_STATISTICS, status, &cause, opening->error);
    return STATUS_OK;
}

static enum status check_offsets(struct opening *opening)
{
    const struct sstable_reader *reader = opening->reader;
    const struct compression *compression = &reader->compression.compression;
    // No stored chunk is larger than this: it bounds what a damaged offset can make us allocate.
    uint64_t bound = compression_bound(compression) + compression->chunk_size + 1024;
    uint64_t offset = bytes_get_u64(reader->compression.offsets);
    if (offset != 0)
        return reader_corrupt(reader, SSTABLE_COMPRESSION_INFO, 0, opening->error,
                              "the first chunk is not at 0");
    for (size_t i = 0; i < reader->compression.chunk_count; i++) {
        uint64_t end = i + 1 < reader->compression.chunk_count
                           ? bytes_get_u64(reader->compression.offsets + 8 * (i + 1))
                           : reader->sizes[SSTABLE_DATA];
        // Stored bytes and their checksum; those of an empty chunk may be none.
        uint64_t least = i < reader->data_chunk_count ? 5 : 4;
        if (end > reader->sizes[SSTABLE_DATA] || end < offset + least || end - offset > bound)
            return reader_corrupt(reader, SSTABLE_COMPRESSION_INFO, 8 * i, opening->error,
                                  "bad offset of a chunk");
        offset = end;
    }
    return STATUS_OK;
}

static enum status open_compressed(struct opening *opening)
{
    struct sstable_reader *reader = opening->reader;
    enum status status =
        read_component(opening, SSTABLE_COMPRESSION_INFO, &reader->compression_file);
    if (status != STATUS_OK) return status;
    struct error cause = {0};
    status = compression_info_decode(&reader->compression, reader->compression_file, &reader->arena,
                                     &cause);
    if (status != STATUS_OK)
        return blame(reader, SSTABLE_COMPRESSION_INFO, status, &cause, opening->error);
    reader->data_size = reader->compression.data_size;
    reader->data_chunk_size = reader->compression.compression.chunk_size;
    reader->data_chunk_count =
        (size_t)((reader->data_size + reader->data_chunk_size - 1) / reader->data_chunk_size);
    return check_offsets(opening);
}

static enum status open_plain(struct opening *opening)
{
    struct sstable_reader *reader = opening->reader;
    reader->data_size = reader->sizes[SSTABLE_DATA];
    reader->data_chunk_size = CRC_CHUNK_SIZE;
    if (opening->has[SSTABLE_CRC]) {
        enum status status = read_component(opening, SSTABLE_CRC, &reader->crc_file);
        if (status != STATUS_OK) return status;
        uint32_t size = reader->crc_file.size < 4 ? 0 : bytes_get_u32(reader->crc_file.data);
        // As with compression, there may be one of an empty chunk behind them.
        if (size < 512 || size > CHUNK_SIZE_MAX || (size & (size - 1)) != 0 ||
            reader->crc_file.size % 4 != 0 ||
            reader->crc_file.size - 4 < 4 * ((reader->data_size + size - 1) / size))
            return reader_corrupt(reader, SSTABLE_CRC, 0, opening->error, "bad size of chunks");
        reader->data_chunk_size = size;
    }
    reader->data_chunk_count =
        (size_t)((reader->data_size + reader->data_chunk_size - 1) / reader->data_chunk_size);
    return STATUS_OK;
}

static enum status open_data(struct opening *opening)
{
    struct sstable_reader *reader = opening->reader;
    enum status status =
        opening->has[SSTABLE_COMPRESSION_INFO] ? open_compressed(opening) : open_plain(opening);
    if (status != STATUS_OK) return status;
    reader->data_chunk_shift = (uint32_t)__builtin_ctz(reader->data_chunk_size);
    reader->index_chunk_count =
        (size_t)((reader->sizes[SSTABLE_INDEX] + INDEX_BLOCK_SIZE - 1) / INDEX_BLOCK_SIZE);
    reader->slots = calloc(reader_chunk_count(reader), sizeof *reader->slots);
    reader->missed = calloc(reader->data_chunk_count, 1);
    ASSERT(reader->slots != NULL && reader->missed != NULL);
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, reader->directory, &reader->name, SSTABLE_DATA);
    status = env_file_open(reader->env, path, ENV_OPEN_READ, &reader->data_file, opening->error);
    if (status != STATUS_OK) return status;
    sstable_name_path(path, reader->directory, &reader->name, SSTABLE_INDEX);
    return env_file_open(reader->env, path, ENV_OPEN_READ, &reader->index_file, opening->error);
}

static enum status decode_filter(struct opening *opening)
{
    struct sstable_reader *reader = opening->reader;
    struct slice file;
    enum status status = read_component(opening, SSTABLE_FILTER, &file);
    if (status != STATUS_OK) return status;
    status = filter_decode(&reader->filter, file);
    free((void *)file.data);
    if (status != STATUS_OK)
        return reader_corrupt(reader, SSTABLE_FILTER, 0, opening->error, "bad filter");
    return STATUS_OK;
}

static enum status decode_summary(struct opening *opening)
{
    struct sstable_reader *reader = opening->reader;
    struct slice file;
    enum status status = read_component(opening, SSTABLE_SUMMARY, &file);
    if (status != STATUS_OK) return status;
    status = summary_decode(&reader->summary, file, reader->sizes[SSTABLE_INDEX]);
    free((void *)file.data);
    if (status != STATUS_OK)
        return reader_corrupt(reader, SSTABLE_SUMMARY, 0, opening->error, "bad summary");
    return STATUS_OK;
}

// Goes through Index.db; checks its order and makes summary and filter of its keys.
static enum status scan_index(struct opening *opening, struct stream *stream, bool with_filter)
{
    struct sstable_reader *reader = opening->reader;
    struct partition_key last = {{INT64_MIN}, slice_null()};
    struct index_entry entry;
    uint64_t next_position = 0;
    enum status status;
    struct buffer copy;
    buffer_init(&copy, KEY_SIZE_MAX);
    while ((status = index_reader_entry(stream, &entry)) == STATUS_OK) {
        struct partition_key key = partition_key_make(entry.key);
        if (!with_filter) {
            bool is_first = last.bytes.data == NULL;
            if ((!is_first && partition_key_compare(&last, &key) >= 0) ||
                (is_first ? entry.position != 0 : entry.position < next_position)) {
                status = stream_corrupt(stream, "entries are not in order");
                break;
            }
            summary_add(&reader->summary, &key, stream->position);
            buffer_clear(&copy);
            buffer_put(&copy, key.bytes.data, key.bytes.size);
            last = (struct partition_key){key.token, buffer_slice(&copy)};
            next_position = entry.position + 1;
            reader->partition_count++;
        } else {
            filter_add(&reader->filter, key.bytes);
        }
        index_reader_advance(stream, &entry);
    }
    buffer_deinit(&copy);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status rebuild_from_index(struct opening *opening, const struct table *table)
{
    struct sstable_reader *reader = opening->reader;
    struct stream_access access = {.error = opening->error};
    struct stream stream;
    stream_init(&stream, reader, access, SSTABLE_INDEX);
    summary_init(&reader->summary, (uint32_t)table->params.min_index_interval);
    enum status status = scan_index(opening, &stream, false);
    if (status == STATUS_OK && reader->summary.count == 0)
        status = stream_corrupt(&stream, "there is no partition");
    if (status == STATUS_OK && reader->summary.is_full)
        status = error_set(opening->error, STATUS_UNSUPPORTED, "the index has too many keys");
    if (status == STATUS_OK) {
        summary_finish(&reader->summary);
        filter_init(&reader->filter, reader->partition_count, table->params.bloom_filter_fp_chance);
        stream_seek(&stream, 0);
        status = scan_index(opening, &stream, true);
    }
    stream_deinit(&stream);
    return status;
}

static enum status open_components(struct opening *opening, const struct table *table)
{
    struct sstable_reader *reader = opening->reader;
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        enum status status = check_size(opening, (enum sstable_component)i);
        if (status != STATUS_OK) return status;
    }
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, reader->directory, &reader->name, SSTABLE_DATA);
    if (!opening->has[SSTABLE_DATA])
        return error_set(opening->error, STATUS_NOT_FOUND, "%s: none", path);
    if (reader->sizes[SSTABLE_DATA] == 0 || reader->sizes[SSTABLE_INDEX] == 0)
        return reader_corrupt(reader, SSTABLE_DATA, 0, opening->error,
                              "Data.db or Index.db is empty");
    enum status status = open_statistics(opening);
    if (status != STATUS_OK) return status;
    if (reader->header.clustering_count != table->column_counts[COLUMN_CLUSTERING])
        return reader_corrupt(reader, SSTABLE_STATISTICS, 0, opening->error,
                              "it has another number of clustering columns than the table");
    status = open_data(opening);
    if (status != STATUS_OK) return status;
    reader->partition_count = 0;
    bool believed = opening->check != NULL && !opening->check->is_foreign &&
                    opening->has[SSTABLE_SUMMARY] &&
                    (opening->has[SSTABLE_FILTER] || table->params.bloom_filter_fp_chance >= 1.0);
    if (!believed) {
        status = opening->check == NULL ? STATUS_OK : check_index(opening);
        return status == STATUS_OK ? rebuild_from_index(opening, table) : status;
    }
    // What is made for so many keys must not be larger than the files are, whatever they say.
    uint64_t most = reader->sizes[SSTABLE_INDEX] / INDEX_ENTRY_SIZE_MIN;
    reader->partition_count = reader->statistics.partition_count;
    if (reader->partition_count > most) reader->partition_count = most;
    status = decode_summary(opening);
    if (status == STATUS_OK && opening->has[SSTABLE_FILTER]) status = decode_filter(opening);
    if (status == STATUS_OK) status = check_index(opening);
    reader->index_is_trusted = status == STATUS_OK;
    return status;
}

enum status sstable_open_named(struct env *env, const char *directory,
                               const struct sstable_name *name, const struct table *table,
                               const struct sstable_check *check, struct sstable_reader **reader,
                               struct error *error)
{
    struct sstable_reader *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->references = 1;
    opened->crc_share = UINT32_MAX;
    opened->env = env;
    opened->name = *name;
    opened->generation = sstable_name_generation(name);
    opened->directory = strdup(directory);
    ASSERT(opened->directory != NULL);
    arena_init(&opened->arena, KIB);
    arena_init(&opened->map_arena, KIB);
    struct opening opening = {.reader = opened, .check = check, .error = error};
    enum status status = open_components(&opening, table);
    if (status != STATUS_OK) {
        sstable_unref(opened);
        return status;
    }
    sstable_set_table(opened, table);
    *reader = opened;
    return STATUS_OK;
}

static bool has_data(struct env *env, const char *directory, const struct sstable_name *name)
{
    char path[SSTABLE_PATH_SIZE];
    bool exists, is_dir;
    sstable_name_path(path, directory, name, SSTABLE_DATA);
    return env_path_exists(env, path, &exists, &is_dir, NULL) == STATUS_OK && exists;
}

enum status sstable_open(struct env *env, const char *directory, uint64_t generation,
                         const struct table *table, const struct sstable_check *check,
                         struct sstable_reader **reader, struct error *error)
{
    struct sstable_name name = sstable_name_of(SSTABLE_NB, generation);
    struct sstable_name other = sstable_name_of(SSTABLE_OA, generation);
    // Of one that has neither it is said that nb is missing.
    if (!has_data(env, directory, &name) && has_data(env, directory, &other)) name = other;
    return sstable_open_named(env, directory, &name, table, check, reader, error);
}

enum status sstable_check_table(const struct sstable_reader *reader, const struct table *table,
                                struct error *error)
{
    struct arena arena;
    arena_init(&arena, KIB);
    struct error cause = {0};
    enum status status = header_check_table(&reader->header, table, &arena, &cause);
    arena_deinit(&arena);
    return status == STATUS_OK ? STATUS_OK
                               : blame(reader, SSTABLE_STATISTICS, status, &cause, error);
}

void sstable_ref(struct sstable_reader *reader)
{
    reader->references++;
}

void sstable_unref(struct sstable_reader *reader)
{
    if (reader == NULL || --reader->references > 0) return;
    for (size_t i = 0; reader->slots != NULL && i < reader_chunk_count(reader); i++)
        chunk_cache_forget(&reader->slots[i]);
    free(reader->slots);
    free(reader->missed);
    if (reader->data_file != NULL) env_file_close(reader->data_file);
    if (reader->index_file != NULL) env_file_close(reader->index_file);
    filter_deinit(&reader->filter);
    summary_deinit(&reader->summary);
    free(reader->marks);
    free((void *)reader->compression_file.data);
    free((void *)reader->crc_file.data);
    sstable_set_table(reader, NULL);
    arena_deinit(&reader->map_arena);
    arena_deinit(&reader->arena);
    free(reader->directory);
    free(reader);
}

// ---- What is known ------------------------------------------------------------------------------

uint64_t sstable_generation(const struct sstable_reader *reader)
{
    return reader->generation;
}

const struct sstable_name *sstable_reader_name(const struct sstable_reader *reader)
{
    return &reader->name;
}

const char *sstable_directory(const struct sstable_reader *reader)
{
    return reader->directory;
}

int64_t sstable_min_timestamp(const struct sstable_reader *reader)
{
    return reader->statistics.min_timestamp;
}

int64_t sstable_max_timestamp(const struct sstable_reader *reader)
{
    return reader->statistics.max_timestamp;
}

int32_t sstable_min_local_time(const struct sstable_reader *reader)
{
    return reader->statistics.min_local_time;
}

int32_t sstable_max_local_time(const struct sstable_reader *reader)
{
    return reader->statistics.max_local_time;
}

uint32_t sstable_level(const struct sstable_reader *reader)
{
    return reader->statistics.level;
}

int64_t sstable_repaired_at(const struct sstable_reader *reader)
{
    return reader->statistics.repaired_at;
}

bool sstable_has_pending_repair(const struct sstable_reader *reader)
{
    return reader->statistics.has_pending_repair;
}

double sstable_droppable_ratio(const struct sstable_reader *reader, int32_t gc_before)
{
    const struct statistics_summary *statistics = &reader->statistics;
    if (!(statistics->cell_count > 0)) return 0;
    return statistics_drop_times_before(statistics->drop_times, statistics->drop_time_count,
                                        gc_before) /
           statistics->cell_count;
}

uint64_t sstable_data_size(const struct sstable_reader *reader)
{
    return reader->sizes[SSTABLE_DATA];
}

uint64_t sstable_uncompressed_size(const struct sstable_reader *reader)
{
    return reader->data_size;
}

struct partition_key sstable_first_key(const struct sstable_reader *reader)
{
    return reader->summary.first;
}

struct partition_key sstable_last_key(const struct sstable_reader *reader)
{
    return reader->summary.last;
}

uint64_t sstable_partition_count(const struct sstable_reader *reader)
{
    return reader->partition_count;
}

uint64_t sstable_row_count(const struct sstable_reader *reader)
{
    return reader->statistics.total_rows;
}

uint64_t sstable_size(const struct sstable_reader *reader)
{
    uint64_t size = 0;
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++)
        size += reader->sizes[i];
    return size;
}

size_t sstable_memory_size(const struct sstable_reader *reader)
{
    return sizeof *reader + reader_chunk_count(reader) * sizeof *reader->slots +
           reader->data_chunk_count + (size_t)reader->filter.word_count * 8 +
           reader->summary.memory_size +
           (reader->marks == NULL ? 0 : reader->summary.count * sizeof *reader->marks) +
           reader->summary.bytes.capacity +
           reader->summary.capacity * sizeof *reader->summary.entries +
           reader->compression_file.size + reader->crc_file.size + arena_size(&reader->arena) +
           arena_size(&reader->map_arena);
}

bool sstable_has_legacy_counters(const struct sstable_reader *reader)
{
    return reader->statistics.has_legacy_counters;
}

bool sstable_may_contain(const struct sstable_reader *reader, const struct partition_key *key)
{
    return partition_key_compare(key, &reader->summary.first) >= 0 &&
           partition_key_compare(key, &reader->summary.last) <= 0 &&
           filter_may_contain(&reader->filter, key->bytes);
}
