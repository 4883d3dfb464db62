#include "storage/sstable/statistics.h"

#include "base/checksum.h"
#include "base/cursor.h"
#include "storage/counter_context.h"
#include "storage/sstable/row_decoder.h"

#include <math.h>

#define PARTITIONER "org.apache.cassandra.dht.Murmur3Partitioner"

enum { VALIDATION, COMPACTION, STATS, HEADER, TYPE_COUNT };

void statistics_collector_init(struct statistics_collector *collector, const struct table *table)
{
    memset(&collector->statistics, 0, sizeof collector->statistics);
    struct statistics *statistics = &collector->statistics;
    estimated_histogram_init(&statistics->partition_sizes, ESTIMATED_HISTOGRAM_SIZES);
    estimated_histogram_init(&statistics->cell_counts, ESTIMATED_HISTOGRAM_CELLS);
    statistics->commit_log_upper_segment = -1;
    statistics->min_timestamp = INT64_MIN;
    statistics->max_timestamp = INT64_MAX;
    statistics->min_local_time = LOCAL_TIME_NONE;
    statistics->max_local_time = LOCAL_TIME_NONE;
    statistics->compression_ratio = -1.0;
    drop_times_init(&statistics->drop_times);
    hyperloglog_init(&collector->keys);
    collector->has_timestamp = collector->has_local_time = collector->has_ttl = false;
    collector->has_clustering = false;
    collector->table = table;
    arena_init(&collector->clusterings, KIB);
}

void statistics_collector_deinit(struct statistics_collector *collector)
{
    arena_deinit(&collector->clusterings);
    drop_times_deinit(&collector->statistics.drop_times);
}

void statistics_add_row(struct statistics_collector *collector, const struct row *row)
{
    if (row->liveness.timestamp != TIMESTAMP_NONE) {
        statistics_add_timestamp(collector, row->liveness.timestamp);
        statistics_add_ttl(collector, row->liveness.ttl);
        statistics_add_local_time(collector, row->liveness.local_time);
    }
    statistics_add_deletion(collector, row->deletion);
    for (uint32_t i = 0; i < row->complex_deletion_count; i++)
        statistics_add_deletion(collector, row->complex_deletions[i].deletion);
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        statistics_add_timestamp(collector, cell->timestamp);
        statistics_add_ttl(collector, cell->ttl);
        statistics_add_local_time(collector, cell->local_time);
        if (i == 0 || cell->column != row->cells[i - 1].column)
            collector->statistics.total_columns++;
        if (collector->table->is_counter && !cell_is_tombstone(cell) &&
            !collector->statistics.has_legacy_counters)
            collector->statistics.has_legacy_counters = counter_context_has_legacy(cell->value);
    }
    collector->statistics.total_rows++;
}

void statistics_add_marker(struct statistics_collector *collector, const struct marker *marker)
{
    statistics_add_deletion(collector, marker->closes);
    statistics_add_deletion(collector, marker->opens);
}

static void keep_place(struct statistics_collector *collector, struct bound *kept,
                       const struct bound *place)
{
    struct arena *arena = &collector->clusterings;
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, place->prefix.count);
    for (uint16_t i = 0; i < place->prefix.count; i++)
        values[i] = arena_copy(arena, place->prefix.values[i]);
    *kept = (struct bound){place->kind, {place->prefix.count, values}};
}

void statistics_add_place(struct statistics_collector *collector, const struct bound *place)
{
    if (bound_is_boundary(place->kind)) return; // Some bound lies further out.
    struct statistics *statistics = &collector->statistics;
    // What was kept before stays in the arena: it is bounded by making all new
    // when it has grown.
    if (arena_size(&collector->clusterings) > 4 * MIB) {
        struct arena old = collector->clusterings;
        arena_init(&collector->clusterings, KIB);
        keep_place(collector, &statistics->min_clustering, &statistics->min_clustering);
        keep_place(collector, &statistics->max_clustering, &statistics->max_clustering);
        arena_deinit(&old);
    }
    const struct table *table = collector->table;
    if (!collector->has_clustering || bound_compare(table, place, &statistics->min_clustering) < 0)
        keep_place(collector, &statistics->min_clustering, place);
    if (!collector->has_clustering || bound_compare(table, place, &statistics->max_clustering) > 0)
        keep_place(collector, &statistics->max_clustering, place);
    collector->has_clustering = true;
}

void statistics_add_partition(struct statistics_collector *collector, struct slice key,
                              uint64_t size, uint64_t cell_count)
{
    estimated_histogram_add(&collector->statistics.partition_sizes, size);
    estimated_histogram_add(&collector->statistics.cell_counts, cell_count);
    hyperloglog_add(&collector->keys, key);
}

// ---- Encoding -----------------------------------------------------------------------------------

static void put_clustering(struct buffer *bytes, const struct clustering *clustering)
{
    // i32 count, count × { u16 length, bytes }
    buffer_put_u32(bytes, clustering->count);
    for (uint16_t i = 0; i < clustering->count; i++) {
        // Longer values are cut: a prefix of the smallest is smaller still, but one
        // of the largest is not larger. No client can write one: a clustering value
        // has at most 65535 bytes.
        size_t size = clustering->values[i].size;
        if (size > UINT16_MAX) size = UINT16_MAX;
        buffer_put_u16(bytes, (uint16_t)size);
        buffer_put(bytes, clustering->values[i].data, size);
    }
}

static void encode_stats(const struct statistics *statistics, struct buffer *bytes)
{
    estimated_histogram_encode(&statistics->partition_sizes, bytes);
    estimated_histogram_encode(&statistics->cell_counts, bytes);
    buffer_put_u64(bytes, (uint64_t)statistics->commit_log_upper_segment);
    buffer_put_u32(bytes, (uint32_t)statistics->commit_log_upper_position);
    buffer_put_u64(bytes, (uint64_t)statistics->min_timestamp);
    buffer_put_u64(bytes, (uint64_t)statistics->max_timestamp);
    buffer_put_u32(bytes, (uint32_t)statistics->min_local_time);
    buffer_put_u32(bytes, (uint32_t)statistics->max_local_time);
    buffer_put_u32(bytes, (uint32_t)statistics->min_ttl);
    buffer_put_u32(bytes, (uint32_t)statistics->max_ttl);
    buffer_put_f64(bytes, statistics->compression_ratio);
    drop_times_encode(&statistics->drop_times, bytes);
    buffer_put_u32(bytes, statistics->level);
    buffer_put_u64(bytes, (uint64_t)statistics->repaired_at);
    put_clustering(bytes, &statistics->min_clustering.prefix);
    put_clustering(bytes, &statistics->max_clustering.prefix);
    buffer_put_u8(bytes, statistics->has_legacy_counters);
    buffer_put_u64(bytes, statistics->total_columns);
    buffer_put_u64(bytes, statistics->total_rows);
    // Commit log: lower bound, then intervals. Ours is not Cassandra's, so there
    // are none.
    buffer_put_u64(bytes, (uint64_t)-1);
    buffer_put_u32(bytes, 0);
    buffer_put_u32(bytes, 0);
    buffer_put_u8(bytes, 0); // Pending repair.
    buffer_put_u8(bytes, 0); // Transient.
    buffer_put_u8(bytes, statistics->has_host_id);
    if (statistics->has_host_id)
        buffer_put(bytes, statistics->host_id.bytes, sizeof statistics->host_id.bytes);
}

static void encode_body(struct statistics_collector *collector, const struct header *header,
                        double filter_chance, int type, struct buffer *bytes)
{
    switch (type) {
    case VALIDATION:
        buffer_put_u16(bytes, sizeof PARTITIONER - 1);
        buffer_put(bytes, PARTITIONER, sizeof PARTITIONER - 1);
        buffer_put_f64(bytes, filter_chance);
        break;
    case COMPACTION: {
        size_t start = bytes->size;
        buffer_put_u32(bytes, 0);
        hyperloglog_encode(&collector->keys, bytes);
        bytes_put_u32(bytes->data + start, (uint32_t)(bytes->size - start - 4));
        break;
    }
    case STATS:
        encode_stats(&collector->statistics, bytes);
        break;
    default:
        header_encode(header, bytes);
    }
}

void statistics_encode(struct statistics_collector *collector, const struct header *header,
                       double filter_chance, struct buffer *file)
{
    drop_times_finish(&collector->statistics.drop_times);
    struct buffer bodies[TYPE_COUNT];
    for (int type = 0; type < TYPE_COUNT; type++) {
        buffer_init(&bodies[type], COMPONENT_SIZE_MAX);
        encode_body(collector, header, filter_chance, type, &bodies[type]);
    }
    buffer_put_u32(file, TYPE_COUNT);
    uint32_t crc = checksum_crc32(slice_make(file->data, 4));
    buffer_put_u32(file, crc);
    uint32_t offset = 4 + 8 * TYPE_COUNT + 8;
    for (uint32_t type = 0; type < TYPE_COUNT; type++) {
        buffer_put_u32(file, type);
        buffer_put_u32(file, offset);
        offset += (uint32_t)bodies[type].size + 4;
    }
    // The second checksum goes on from the first, over the table alone.
    buffer_put_u32(file, checksum_crc32_more(crc, slice_make(file->data + 8, 8 * TYPE_COUNT)));
    for (int type = 0; type < TYPE_COUNT; type++) {
        struct slice body = buffer_slice(&bodies[type]);
        buffer_put(file, body.data, body.size);
        buffer_put_u32(file, checksum_crc32(body));
        buffer_deinit(&bodies[type]);
    }
}

// ---- Decoding -----------------------------------------------------------------------------------

static void skip(struct cursor *cursor, size_t size)
{
    (void)cursor_take(cursor, size);
}

struct histogram_sums {
    uint64_t count;
    double total; // Estimated from the buckets (EstimatedHistogram.mean() times count()).
};

static struct histogram_sums decode_histogram(struct cursor *cursor)
{
    struct histogram_sums sums = {0, 0};
    uint64_t count = cursor_u32(cursor);
    double sum = 0;
    if (count > cursor_left(cursor) / 16) cursor->failed = true;
    for (uint64_t i = 0; i < count && !cursor->failed; i++) {
        // A bucket stands beside the offset of the one before it.
        skip(cursor, 8);
        uint64_t bucket = cursor_u64(cursor);
        sums.count += bucket;
        struct cursor next = *cursor;
        if (i + 1 < count) sum += (double)cursor_u64(&next) * (double)bucket;
    }
    if (sums.count > 0) sums.total = ceil(sum / (double)sums.count) * (double)sums.count;
    return sums;
}

// i32 room, i32 count, count × { f64 point, i64 count }; of oa × { i64 point, i32 count }
static void decode_drop_times(struct cursor *cursor, bool is_oa, struct arena *arena,
                              struct statistics_summary *summary)
{
    skip(cursor, 4);
    uint64_t count = cursor_u32(cursor);
    if (count > cursor_left(cursor) / (is_oa ? 12 : 16)) cursor->failed = true;
    if (cursor->failed) return;
    struct statistics_drop_time *times = ARENA_NEW_ARRAY(arena, struct statistics_drop_time, count);
    size_t kept = 0;
    for (uint64_t i = 0; i < count; i++) {
        double point = is_oa ? (double)cursor_u64(cursor) : cursor_f64(cursor);
        int64_t number = is_oa ? (int64_t)cursor_u32(cursor) : (int64_t)cursor_u64(cursor);
        // They ascend; damage must not divide by nothing.
        if (!(point >= 0 && point <= UINT32_MAX) || number < 0 ||
            (kept > 0 && (int64_t)point <= times[kept - 1].point))
            continue;
        times[kept++] = (struct statistics_drop_time){(int64_t)point, number};
    }
    summary->drop_times = times;
    summary->drop_time_count = kept;
}

// In oa an unsigned number, all ones if there is none; we end at 2038.
static int32_t decode_local_time(struct cursor *cursor, bool is_oa)
{
    uint32_t bits = cursor_u32(cursor);
    if (!is_oa) return (int32_t)bits;
    if (bits == UINT32_MAX) return LOCAL_TIME_NONE;
    return bits > LOCAL_TIME_MAX ? LOCAL_TIME_MAX : (int32_t)bits;
}

// i32 count, count × { u16 length, bytes }
static struct bound decode_clustering(struct cursor *cursor, enum bound_kind kind,
                                      struct arena *arena)
{
    uint32_t count = cursor_u32(cursor);
    if (count > cursor_left(cursor) / 2 || count > TABLE_COLUMNS_MAX) cursor->failed = true;
    if (cursor->failed || count == 0) return (struct bound){kind, {0, NULL}};
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, count);
    for (uint32_t i = 0; i < count; i++)
        values[i] = arena_copy(arena, cursor_take(cursor, cursor_u16(cursor)));
    return (struct bound){kind, {(uint16_t)count, values}};
}

// Of oa: as the place of an index block.
static struct bound decode_bound(const struct header *header, struct cursor *cursor, bool is_start,
                                 struct arena *arena)
{
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, header->clustering_count + 1);
    struct bound bound = {BOUND_INCL_START, {0, values}};
    enum bound_kind kind = (enum bound_kind)cursor_u8(cursor);
    bool is_right = is_start ? kind == BOUND_INCL_START || kind == BOUND_EXCL_START
                             : kind == BOUND_INCL_END || kind == BOUND_EXCL_END;
    if (!is_right || !row_decoder_place(header, kind, cursor, values, &bound))
        cursor->failed = true;
    for (uint16_t i = 0; i < bound.prefix.count && !cursor->failed; i++)
        values[i] = slice_is_null(values[i]) ? values[i] : arena_copy(arena, values[i]);
    return bound;
}

static void decode_covered(const struct header *header, struct cursor *cursor, struct arena *arena,
                           struct statistics_summary *summary)
{
    if (header->version != SSTABLE_OA) {
        summary->min_clustering = decode_clustering(cursor, BOUND_INCL_START, arena);
        summary->max_clustering = decode_clustering(cursor, BOUND_INCL_END, arena);
        return;
    }
    // uv types, types × vbytes (the header has them too), then the bounds.
    uint64_t count = cursor_vint(cursor);
    for (uint64_t i = 0; i < count && !cursor->failed; i++)
        (void)cursor_vint_bytes(cursor);
    summary->min_clustering = decode_bound(header, cursor, true, arena);
    summary->max_clustering = decode_bound(header, cursor, false, arena);
}

// What stands behind the number of rows: commit log, repairs, host; of oa more.
static void decode_rest(struct cursor *cursor, bool is_oa, struct statistics_summary *summary)
{
    skip(cursor, 12); // Commit log, lower bound.
    uint64_t intervals = cursor_u32(cursor);
    if (intervals <= cursor_left(cursor) / 24) skip(cursor, intervals * 24);
    bool has_pending_repair = cursor_u8(cursor) == 1;
    skip(cursor, has_pending_repair ? 16 : 0);
    summary->has_pending_repair = has_pending_repair && !cursor->failed;
    summary->has_partition_deletions = summary->min_local_time != LOCAL_TIME_NONE;
    if (!is_oa) return;
    (void)cursor_u8(cursor);                       // Transient.
    skip(cursor, cursor_u8(cursor) == 1 ? 16 : 0); // Host.
    bool has_deletions = cursor_u8(cursor) != 0;
    if (!cursor->failed) summary->has_partition_deletions = has_deletions;
}

static enum status decode_stats(struct slice body, const struct header *header, struct arena *arena,
                                struct statistics_summary *summary, struct error *error)
{
    struct cursor cursor = cursor_make(body);
    bool is_oa = header->version == SSTABLE_OA;
    summary->partition_count = decode_histogram(&cursor).count;
    summary->cell_count = decode_histogram(&cursor).total;
    skip(&cursor, 12); // Commit log, upper bound.
    summary->min_timestamp = (int64_t)cursor_u64(&cursor);
    summary->max_timestamp = (int64_t)cursor_u64(&cursor);
    summary->min_local_time = decode_local_time(&cursor, is_oa);
    summary->max_local_time = decode_local_time(&cursor, is_oa);
    summary->min_ttl = (int32_t)cursor_u32(&cursor);
    skip(&cursor, 4); // The largest.
    summary->compression_ratio = cursor_f64(&cursor);
    decode_drop_times(&cursor, is_oa, arena, summary);
    summary->level = cursor_u32(&cursor);
    summary->repaired_at = (int64_t)cursor_u64(&cursor);
    decode_covered(header, &cursor, arena, summary);
    summary->has_legacy_counters = cursor_u8(&cursor) != 0;
    skip(&cursor, 8); // Columns.
    summary->total_rows = cursor_u64(&cursor);
    if (cursor.failed) return error_set(error, STATUS_CORRUPT, "STATS ends too early");
    decode_rest(&cursor, is_oa, summary);
    return STATUS_OK;
}

static enum status decode_validation(struct slice body, struct error *error)
{
    struct cursor cursor = cursor_make(body);
    struct slice partitioner = cursor_take(&cursor, cursor_u16(&cursor));
    if (cursor.failed) return error_set(error, STATUS_CORRUPT, "VALIDATION ends too early");
    if (!slice_equals(partitioner, slice_of_text(PARTITIONER)))
        return error_set(error, STATUS_UNSUPPORTED, "the partitioner is %.*s",
                         (int)(partitioner.size > 200 ? 200 : partitioner.size),
                         (const char *)partitioner.data);
    return STATUS_OK;
}

// Checks the envelope; `bodies` of types that are absent stay null.
static enum status decode_envelope(struct slice file, struct slice bodies[TYPE_COUNT],
                                   struct error *error)
{
    struct cursor cursor = cursor_make(file);
    uint32_t count = cursor_u32(&cursor);
    uint32_t crc = checksum_crc32(slice_make(file.data, file.size < 4 ? file.size : 4));
    if (cursor_u32(&cursor) != crc || cursor.failed || count == 0 || count > TYPE_COUNT)
        return error_set(error, STATUS_CORRUPT, "offset 0: bad count of components");
    struct cursor table = cursor_make(cursor_take(&cursor, 8 * (size_t)count));
    crc = checksum_crc32_more(crc, slice_make(table.next, cursor_left(&table)));
    if (cursor_u32(&cursor) != crc || cursor.failed)
        return error_set(error, STATUS_CORRUPT, "offset 8: bad table of components");
    uint32_t types[TYPE_COUNT];
    uint64_t offsets[TYPE_COUNT + 1];
    for (uint32_t i = 0; i < count; i++) {
        types[i] = cursor_u32(&table);
        offsets[i] = cursor_u32(&table);
    }
    offsets[count] = file.size;
    if (offsets[0] != 4 + 8 * (uint64_t)count + 8)
        return error_set(error, STATUS_CORRUPT, "offset 8: bad first offset");
    for (uint32_t i = 0; i < count; i++) {
        if (offsets[i + 1] < offsets[i] + 4 || offsets[i + 1] > file.size ||
            types[i] >= TYPE_COUNT || bodies[types[i]].data != NULL)
            return error_set(error, STATUS_CORRUPT, "offset 8: bad table of components");
        struct slice body = slice_make(file.data + offsets[i], offsets[i + 1] - offsets[i] - 4);
        if (bytes_get_u32(body.data + body.size) != checksum_crc32(body))
            return error_set(error, STATUS_CORRUPT, "offset %u: bad checksum",
                             (unsigned)offsets[i]);
        bodies[types[i]] = body;
    }
    return STATUS_OK;
}

enum status statistics_decode(struct slice file, enum sstable_version version, struct arena *arena,
                              struct statistics_summary *summary, struct header *header,
                              struct error *error)
{
    struct slice bodies[TYPE_COUNT] = {0};
    enum status status = decode_envelope(file, bodies, error);
    if (status != STATUS_OK) return status;
    if (bodies[STATS].data == NULL || bodies[HEADER].data == NULL)
        return error_set(error, STATUS_CORRUPT, "STATS or HEADER is missing");
    if (bodies[VALIDATION].data != NULL) {
        status = decode_validation(bodies[VALIDATION], error);
        if (status != STATUS_OK) return status;
    }
    status = header_decode(header, bodies[HEADER], arena, error);
    if (status != STATUS_OK) return status;
    header->version = version;
    return decode_stats(bodies[STATS], header, arena, summary, error);
}

enum status statistics_decode_keys(struct slice file, struct hyperloglog *keys, bool *has_keys,
                                   struct error *error)
{
    struct slice bodies[TYPE_COUNT] = {0};
    enum status status = decode_envelope(file, bodies, error);
    if (status != STATUS_OK) return status;
    struct cursor cursor = cursor_make(bodies[COMPACTION]);
    struct slice encoded = cursor_take(&cursor, cursor_u32(&cursor));
    *has_keys = !cursor.failed && hyperloglog_add_encoded(keys, encoded);
    return STATUS_OK;
}

double statistics_drop_times_before(const struct statistics_drop_time *times, size_t count,
                                    int64_t moment)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double number = (double)times[i].count;
        if (times[i].point <= moment) {
            sum += number;
            continue;
        }
        if (i == 0) return 0;
        const struct statistics_drop_time *last = &times[i - 1];
        double last_number = (double)last->count;
        double weight = (double)(moment - last->point) / (double)(times[i].point - last->point);
        double middle = last_number + (number - last_number) * weight;
        return sum - last_number + (last_number + middle) * weight / 2 + last_number / 2;
    }
    return sum;
}
