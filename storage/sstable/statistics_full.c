#include "storage/sstable/statistics_full.h"

#include "base/checksum.h"
#include "base/cursor.h"
#include "storage/sstable/hyperloglog.h"

#include <inttypes.h>
#include <math.h>

enum { VALIDATION, COMPACTION, STATS, HEADER, TYPE_COUNT };

// Part of the file that is being read: where it begins is for what a fault says.
struct part {
    struct cursor cursor;
    struct slice file;
    struct arena *arena;
    struct error *error;
};

static enum status damaged(const struct part *part, const char *what)
{
    return error_set(part->error, STATUS_CORRUPT, "offset %zu: %s",
                     (size_t)(part->cursor.next - part->file.data), what);
}

// ---- The envelope -------------------------------------------------------------------------------

static enum status read_bodies(struct part *part, struct slice bodies[TYPE_COUNT])
{
    struct slice file = part->file;
    struct cursor *cursor = &part->cursor;
    uint32_t count = cursor_u32(cursor);
    if (cursor->failed || count == 0 || count > TYPE_COUNT)
        return error_set(part->error, STATUS_CORRUPT, "offset 0: bad number of parts");
    uint32_t crc = checksum_crc32(slice_make(file.data, 4));
    if (cursor_u32(cursor) != crc)
        return error_set(part->error, STATUS_CORRUPT, "offset 4: bad checksum of the number");
    struct slice table = cursor_take(cursor, 8 * (size_t)count);
    if (cursor->failed || cursor_u32(cursor) != checksum_crc32_more(crc, table))
        return error_set(part->error, STATUS_CORRUPT, "offset 8: bad checksum of the parts' table");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t type = bytes_get_u32(table.data + 8 * (size_t)i);
        uint64_t start = bytes_get_u32(table.data + 8 * (size_t)i + 4);
        uint64_t end =
            i + 1 < count ? bytes_get_u32(table.data + 8 * (size_t)i + 12) : (uint64_t)file.size;
        if (type >= TYPE_COUNT || bodies[type].data != NULL || end > file.size ||
            start < 16 + 8 * (uint64_t)count - 4 || start + 4 > end)
            return error_set(part->error, STATUS_CORRUPT, "offset %u: bad part", 8 + 8 * i);
        struct slice body = slice_make(file.data + start, (size_t)(end - start) - 4);
        if (bytes_get_u32(body.data + body.size) != checksum_crc32(body))
            return error_set(part->error, STATUS_CORRUPT,
                             "offset %" PRIu64 ": bad checksum of a part", start);
        bodies[type] = body;
    }
    return STATUS_OK;
}

// ---- STATS --------------------------------------------------------------------------------------

static enum status read_histogram(struct part *part, struct full_histogram *histogram)
{
    struct cursor *cursor = &part->cursor;
    uint32_t count = cursor_u32(cursor);
    if (cursor->failed || count == 0 || count > cursor_left(cursor) / 16)
        return damaged(part, "bad number of a histogram's buckets");
    histogram->offset_count = count - 1;
    histogram->offsets = ARENA_NEW_ARRAY(part->arena, int64_t, count);
    histogram->buckets = ARENA_NEW_ARRAY(part->arena, int64_t, count);
    // The offset of bucket i stands with bucket i + 1; the first stands twice.
    for (uint32_t i = 0; i < count; i++) {
        int64_t offset = (int64_t)cursor_u64(cursor);
        histogram->offsets[i == 0 ? 0 : i - 1] = offset;
        histogram->buckets[i] = (int64_t)cursor_u64(cursor);
    }
    return STATUS_OK;
}

static struct full_log_position read_log_position(struct cursor *cursor)
{
    int64_t segment = (int64_t)cursor_u64(cursor);
    return (struct full_log_position){segment, (int32_t)cursor_u32(cursor)};
}

static enum status read_drop_times(struct part *part, bool is_oa,
                                   struct statistics_full *statistics)
{
    struct cursor *cursor = &part->cursor;
    uint32_t max = cursor_u32(cursor), count = cursor_u32(cursor);
    size_t size = is_oa ? 12 : 16;
    if (cursor->failed || count > cursor_left(cursor) / size)
        return damaged(part, "bad number of drop times");
    (void)max;
    statistics->drop_time_count = count;
    statistics->drop_times = ARENA_NEW_ARRAY(part->arena, struct full_drop_time, count);
    for (uint32_t i = 0; i < count; i++) {
        struct full_drop_time *time = &statistics->drop_times[i];
        if (is_oa) {
            time->point = (int64_t)cursor_u64(cursor);
            time->count = (int32_t)cursor_u32(cursor);
        } else {
            double point = cursor_f64(cursor);
            // Whatever the bytes say, it becomes a number.
            time->point = point >= -9e18 && point <= 9e18 ? (int64_t)point : 0;
            time->count = (int64_t)cursor_u64(cursor);
        }
    }
    return STATUS_OK;
}

static enum status read_values(struct part *part, enum bound_kind kind, struct bound *bound)
{
    struct cursor *cursor = &part->cursor;
    uint32_t count = cursor_u32(cursor);
    if (cursor->failed || count > cursor_left(cursor) / 2 || count > TABLE_COLUMNS_MAX)
        return damaged(part, "bad number of clustering values");
    struct slice *values = ARENA_NEW_ARRAY(part->arena, struct slice, count);
    for (uint32_t i = 0; i < count; i++)
        values[i] = arena_copy(part->arena, cursor_take(cursor, cursor_u16(cursor)));
    *bound = (struct bound){kind, {(uint16_t)count, values}};
    return STATUS_OK;
}

// Of oa: uv32 n, n × vbytes type; then two bounds: u8 kind, u16 count, values with their headers.
static enum status read_covered(struct part *part, struct statistics_full *statistics)
{
    struct cursor *cursor = &part->cursor;
    uint64_t type_count = cursor_vint(cursor);
    if (cursor->failed || type_count > TABLE_COLUMNS_MAX || type_count > cursor_left(cursor))
        return damaged(part, "bad number of clustering types");
    size_t sizes[TABLE_COLUMNS_MAX];
    for (uint64_t i = 0; i < type_count; i++) {
        const struct type *type;
        bool reversed;
        struct error ignored;
        struct slice text = cursor_vint_bytes(cursor);
        if (cursor->failed ||
            type_parse_java(part->arena, text, &type, &reversed, &ignored) != STATUS_OK)
            return damaged(part, "bad clustering type");
        sizes[i] = type_fixed_size(type);
    }
    for (int side = 0; side < 2; side++) {
        uint8_t kind = cursor_u8(cursor);
        uint16_t count = cursor_u16(cursor);
        if (cursor->failed || kind > BOUND_EXCL_START || count > type_count)
            return damaged(part, "bad bound of the covered clusterings");
        struct slice *values = ARENA_NEW_ARRAY(part->arena, struct slice, count);
        uint64_t flags = 0;
        for (uint16_t i = 0; i < count; i++) {
            if (i % CLUSTERING_BLOCK == 0) flags = cursor_vint(cursor);
            unsigned state = flags >> (2 * (i % CLUSTERING_BLOCK)) & 3;
            if (state == 0)
                values[i] = arena_copy(part->arena, sizes[i] != 0 ? cursor_take(cursor, sizes[i])
                                                                  : cursor_vint_bytes(cursor));
            else
                values[i] = state == 1 ? slice_make("", 0) : slice_null();
        }
        struct bound *bound = side == 0 ? &statistics->min_clustering : &statistics->max_clustering;
        *bound = (struct bound){(enum bound_kind)kind, {count, values}};
    }
    return STATUS_OK;
}

static bool read_optional_uuid(struct cursor *cursor, struct uuid *uuid)
{
    if (cursor_u8(cursor) == 0) return false;
    struct slice bytes = cursor_take(cursor, 16);
    if (bytes.size == 16) *uuid = uuid_from_bytes(bytes.data);
    return bytes.size == 16;
}

static enum status read_log_intervals(struct part *part, struct statistics_full *statistics)
{
    struct cursor *cursor = &part->cursor;
    uint32_t count = cursor_u32(cursor);
    if (cursor->failed || count > cursor_left(cursor) / 24)
        return damaged(part, "bad number of commit-log intervals");
    statistics->log_interval_count = count;
    statistics->log_intervals = ARENA_NEW_ARRAY(part->arena, struct full_log_interval, count);
    for (uint32_t i = 0; i < count; i++) {
        statistics->log_intervals[i].start = read_log_position(cursor);
        statistics->log_intervals[i].end = read_log_position(cursor);
    }
    return STATUS_OK;
}

static int64_t read_local_time(struct cursor *cursor, bool is_oa)
{
    uint32_t bits = cursor_u32(cursor);
    bool is_none = is_oa ? bits == UINT32_MAX : bits == (uint32_t)LOCAL_TIME_NONE;
    if (is_none) return INT64_MAX;
    return is_oa ? (int64_t)bits : (int64_t)(int32_t)bits;
}

// Behind the covered clusterings.
static enum status read_rest(struct part *part, bool is_oa, struct statistics_full *statistics)
{
    struct cursor *cursor = &part->cursor;
    statistics->has_legacy_counters = cursor_u8(cursor) != 0;
    statistics->total_columns = cursor_u64(cursor);
    statistics->total_rows = cursor_u64(cursor);
    statistics->log_lower = read_log_position(cursor);
    enum status status = read_log_intervals(part, statistics);
    if (status != STATUS_OK) return status;
    statistics->has_pending_repair = read_optional_uuid(cursor, &statistics->pending_repair);
    statistics->is_transient = cursor_u8(cursor) != 0;
    statistics->has_host_id = read_optional_uuid(cursor, &statistics->host_id);
    if (is_oa) {
        statistics->has_partition_deletions = cursor_u8(cursor) != 0;
        statistics->first_key = arena_copy(part->arena, cursor_vint_bytes(cursor));
        statistics->last_key = arena_copy(part->arena, cursor_vint_bytes(cursor));
        statistics->token_space_coverage = cursor_f64(cursor);
        statistics->has_key_range = !cursor->failed;
    }
    if (cursor->failed) return damaged(part, "STATS ends too early");
    // Of oa the writer reserves more for the drop times than they take: zeros are left.
    for (; cursor_left(cursor) > 0; (void)cursor_u8(cursor))
        if (!is_oa || *cursor->next != 0) return damaged(part, "bytes are left behind STATS");
    return STATUS_OK;
}

static enum status read_stats(struct part *part, bool is_oa, struct statistics_full *statistics)
{
    struct cursor *cursor = &part->cursor;
    enum status status = read_histogram(part, &statistics->partition_sizes);
    if (status == STATUS_OK) status = read_histogram(part, &statistics->cell_counts);
    if (status != STATUS_OK) return status;
    statistics->log_upper = read_log_position(cursor);
    statistics->min_timestamp = (int64_t)cursor_u64(cursor);
    statistics->max_timestamp = (int64_t)cursor_u64(cursor);
    statistics->min_local_time = read_local_time(cursor, is_oa);
    statistics->max_local_time = read_local_time(cursor, is_oa);
    statistics->min_ttl = (int32_t)cursor_u32(cursor);
    statistics->max_ttl = (int32_t)cursor_u32(cursor);
    statistics->compression_ratio = cursor_f64(cursor);
    status = read_drop_times(part, is_oa, statistics);
    if (status != STATUS_OK) return status;
    statistics->level = cursor_u32(cursor);
    statistics->repaired_at = (int64_t)cursor_u64(cursor);
    if (is_oa) {
        status = read_covered(part, statistics);
    } else {
        status = read_values(part, BOUND_INCL_START, &statistics->min_clustering);
        if (status == STATUS_OK)
            status = read_values(part, BOUND_INCL_END, &statistics->max_clustering);
    }
    return status == STATUS_OK ? read_rest(part, is_oa, statistics) : status;
}

// ---- The whole ----------------------------------------------------------------------------------

static struct part part_of(const struct part *whole, struct slice body)
{
    struct part part = *whole;
    part.cursor = cursor_make(body);
    return part;
}

static enum status read_small_parts(const struct part *whole, const struct slice *bodies,
                                    struct statistics_full *statistics)
{
    if (bodies[VALIDATION].data != NULL) {
        struct part part = part_of(whole, bodies[VALIDATION]);
        statistics->has_validation = true;
        statistics->partitioner =
            arena_copy(part.arena, cursor_take(&part.cursor, cursor_u16(&part.cursor)));
        statistics->filter_chance = cursor_f64(&part.cursor);
        if (part.cursor.failed || cursor_left(&part.cursor) > 0)
            return damaged(&part, "bad VALIDATION");
    }
    if (bodies[COMPACTION].data != NULL) {
        struct part part = part_of(whole, bodies[COMPACTION]);
        statistics->has_cardinality = true;
        statistics->cardinality =
            arena_copy(part.arena, cursor_take(&part.cursor, cursor_u32(&part.cursor)));
        if (part.cursor.failed || cursor_left(&part.cursor) > 0)
            return damaged(&part, "bad COMPACTION");
    }
    return STATUS_OK;
}

enum status statistics_full_decode(struct slice file, bool is_oa, struct arena *arena,
                                   struct statistics_full *statistics, struct error *error)
{
    *statistics = (struct statistics_full){.token_space_coverage = NAN};
    struct part whole = {cursor_make(file), file, arena, error};
    struct slice bodies[TYPE_COUNT] = {0};
    enum status status = read_bodies(&whole, bodies);
    if (status != STATUS_OK) return status;
    if (bodies[STATS].data == NULL || bodies[HEADER].data == NULL)
        return error_set(error, STATUS_CORRUPT, "offset 8: STATS or HEADER is missing");
    status = read_small_parts(&whole, bodies, statistics);
    if (status != STATUS_OK) return status;
    struct part stats = part_of(&whole, bodies[STATS]);
    status = read_stats(&stats, is_oa, statistics);
    if (status != STATUS_OK) return status;
    struct error cause = {0};
    status = header_decode(&statistics->header, bodies[HEADER], arena, &cause);
    if (status != STATUS_OK)
        return error_set(error, status, "offset %zu: %s", (size_t)(bodies[HEADER].data - file.data),
                         cause.text);
    return STATUS_OK;
}

// ---- What the numbers say -----------------------------------------------------------------------

int64_t full_histogram_count(const struct full_histogram *histogram)
{
    int64_t count = 0;
    for (size_t i = 0; i <= histogram->offset_count; i++)
        count = (int64_t)((uint64_t)count + (uint64_t)histogram->buckets[i]);
    return count;
}

// How much of the histogram lies up to the moment; between two points it grows evenly
// (TombstoneHistogram.sum).
static double drop_times_before(const struct statistics_full *statistics, int64_t moment)
{
    double sum = 0;
    for (size_t i = 0; i < statistics->drop_time_count; i++) {
        const struct full_drop_time *time = &statistics->drop_times[i];
        if (time->point > moment) {
            if (i == 0) return 0;
            const struct full_drop_time *last = time - 1;
            // As doubles: points of a damaged file may lie further apart than an integer holds.
            double from = (double)last->point, before = (double)last->count;
            double weight = ((double)moment - from) / ((double)time->point - from);
            double middle = before + ((double)time->count - before) * weight;
            sum -= before;
            sum += (before + middle) * weight / 2;
            return sum + before / 2.0;
        }
        sum += (double)time->count;
    }
    return sum;
}

double statistics_full_droppable_ratio(const struct statistics_full *statistics, int64_t gc_before)
{
    const struct full_histogram *cells = &statistics->cell_counts;
    double sum = 0, count = 0;
    for (size_t i = 0; i < cells->offset_count; i++) {
        sum += (double)cells->offsets[i] * (double)cells->buckets[i];
        count += (double)cells->buckets[i];
    }
    if (count <= 0) return 0;
    double estimated = ceil(sum / count) * count;
    return estimated > 0 ? drop_times_before(statistics, gc_before) / estimated : 0;
}

static bool count_registers(struct cursor *cursor, unsigned precision, uint64_t *count)
{
    uint32_t size = hyperloglog_take_varint(cursor);
    struct slice ints = cursor_take(cursor, size);
    size_t registers = (size_t)1 << precision;
    if (cursor->failed || ints.size < (registers + 5) / 6 * 4) return false;
    unsigned longest = 64 - precision + 1;
    double histogram[66] = {0};
    for (size_t i = 0; i < registers; i++) {
        unsigned value = bytes_get_u32(ints.data + i / 6 * 4) >> (5 * (i % 6)) & 31;
        histogram[value < longest ? value : longest]++;
    }
    *count = (uint64_t)llround(hyperloglog_estimate(histogram, longest, (double)registers,
                                                    precision == 13 ? HYPERLOGLOG_LINEAR_MAX : 0));
    return true;
}

bool statistics_full_cardinality(const struct statistics_full *statistics, uint64_t *count)
{
    struct cursor cursor = cursor_make(statistics->cardinality);
    if (!statistics->has_cardinality || cursor_u32(&cursor) != (uint32_t)-2) return false;
    uint32_t precision = hyperloglog_take_varint(&cursor),
             sparse_precision = hyperloglog_take_varint(&cursor);
    uint32_t form = hyperloglog_take_varint(&cursor);
    if (cursor.failed || precision < 4 || precision > 18 || sparse_precision > 31) return false;
    if (form == 0) return count_registers(&cursor, precision, count);
    uint32_t set_size = hyperloglog_take_varint(&cursor);
    double places = (double)((uint64_t)1 << sparse_precision);
    if (cursor.failed || set_size >= places) return false;
    *count = (uint64_t)llround(hyperloglog_linear_count(places, places - set_size));
    return true;
}
