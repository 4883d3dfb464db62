// The bytes of a request. Integers are big-endian, `uv` and `vb` as in sstable-nb §0.1.
//
//     u8 flags (1 digest, 2 scan, 4 reversed, 8 static row, 16 index), 16 table id,
//     u64 layout hash, u32 now, uv row_max, vb key | bound, bound, uv n, n × { place, place },
//     with an index: 16 its id, vb key
//
//     bound: i64 token, u8 flags (1 inclusive, 2 key), [vb key]
//     place: u8 kind, uv n, n × (uv size + 1 and the bytes, or 0 for null)
#include "ring/coordinator/read_request.h"

#include "base/cursor.h"
#include "base/limits.h"

enum { WANTS_DIGEST = 1, IS_SCAN = 2, IS_REVERSED = 4, WITH_STATIC = 8, BY_INDEX = 16 };
enum { IS_INCLUSIVE = 1, HAS_KEY = 2 };

static void put_bound(struct buffer *bytes, const struct scan_bound *bound)
{
    bool has_key = !slice_is_null(bound->key);
    buffer_put_u64(bytes, (uint64_t)bound->token.value);
    buffer_put_u8(bytes,
                  (uint8_t)((bound->inclusive ? IS_INCLUSIVE : 0) | (has_key ? HAS_KEY : 0)));
    if (has_key) buffer_put_vint_bytes(bytes, bound->key);
}

static void put_place(struct buffer *bytes, const struct bound *place)
{
    buffer_put_u8(bytes, (uint8_t)place->kind);
    clustering_put(bytes, &place->prefix);
}

void read_request_put(const struct read_request *request, struct buffer *bytes)
{
    buffer_put_u8(bytes, (uint8_t)((request->wants_digest ? WANTS_DIGEST : 0) |
                                   (request->is_scan ? IS_SCAN : 0) |
                                   (request->filter.reversed ? IS_REVERSED : 0) |
                                   (request->filter.with_static ? WITH_STATIC : 0) |
                                   (slice_is_null(request->index_key) ? 0 : BY_INDEX)));
    buffer_put(bytes, request->table.bytes, sizeof request->table.bytes);
    buffer_put_u64(bytes, request->layout_hash);
    buffer_put_u32(bytes, (uint32_t)request->now_s);
    buffer_put_vint(bytes, request->row_max);
    if (request->is_scan) {
        put_bound(bytes, &request->range.start);
        put_bound(bytes, &request->range.end);
    } else {
        buffer_put_vint_bytes(bytes, request->key.bytes);
    }
    buffer_put_vint(bytes, request->filter.range_count);
    for (size_t i = 0; i < request->filter.range_count; i++) {
        put_place(bytes, &request->filter.ranges[i].start);
        put_place(bytes, &request->filter.ranges[i].end);
    }
    if (slice_is_null(request->index_key)) return;
    uuid_put(bytes, request->index);
    buffer_put_vint_bytes(bytes, request->index_key);
}

bool read_request_is_scan(struct slice bytes)
{
    return bytes.size > 0 && (bytes.data[0] & IS_SCAN) != 0;
}

void read_request_set_digest(uint8_t *body, bool wants_digest)
{
    body[0] = (uint8_t)((body[0] & ~WANTS_DIGEST) | (wants_digest ? WANTS_DIGEST : 0));
}

// ---- Back ---------------------------------------------------------------------------------------

static struct scan_bound take_bound(struct cursor *cursor)
{
    struct scan_bound bound = {.token = {(int64_t)cursor_u64(cursor)}};
    uint8_t flags = cursor_u8(cursor);
    bound.inclusive = (flags & IS_INCLUSIVE) != 0;
    if (flags & HAS_KEY) bound.key = cursor_vint_bytes(cursor);
    return bound;
}

static struct bound take_place(struct cursor *cursor, const struct table *table,
                               struct arena *arena)
{
    struct bound place = {(enum bound_kind)cursor_u8(cursor), {0, NULL}};
    uint64_t count = cursor_vint(cursor);
    if (count > table->column_counts[COLUMN_CLUSTERING]) cursor->failed = true;
    if (cursor->failed || count == 0) return place;
    struct slice *values = arena_alloc(arena, (size_t)count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i] = cursor_nullable_bytes(cursor);
        // Comparing expects values of their type's size.
        if (!type_fits(table->columns[COLUMN_CLUSTERING][i].type, values[i])) cursor->failed = true;
    }
    place.prefix = (struct clustering){(uint16_t)count, values};
    return place;
}

static bool starts(enum bound_kind kind)
{
    return kind == BOUND_INCL_START || kind == BOUND_EXCL_START;
}

static bool ends(enum bound_kind kind)
{
    return kind == BOUND_INCL_END || kind == BOUND_EXCL_END;
}

// Sorted and apart from each other, as those who read with them expect.
static void take_ranges(struct cursor *cursor, const struct table *table, struct arena *arena,
                        struct partition_filter *filter)
{
    uint64_t count = cursor_vint(cursor);
    if (count > cursor_left(cursor) / 4) cursor->failed = true;
    if (cursor->failed || count == 0) return;
    struct clustering_range *ranges = arena_alloc(arena, (size_t)count * sizeof *ranges);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        ranges[kept].start = take_place(cursor, table, arena);
        ranges[kept].end = take_place(cursor, table, arena);
        if (cursor->failed) return;
        if (!starts(ranges[kept].start.kind) || !ends(ranges[kept].end.kind) ||
            (kept > 0 && bound_compare(table, &ranges[kept - 1].end, &ranges[kept].start) > 0)) {
            cursor->failed = true;
            return;
        }
        // What is empty is left out.
        if (bound_compare(table, &ranges[kept].start, &ranges[kept].end) < 0) kept++;
    }
    filter->ranges = ranges;
    filter->range_count = kept;
}

enum status read_request_get_table(struct slice bytes, struct uuid *table)
{
    if (bytes.size < 1 + sizeof table->bytes) return STATUS_CORRUPT;
    memcpy(table->bytes, bytes.data + 1, sizeof table->bytes);
    return STATUS_OK;
}

enum status read_request_get(struct slice bytes, const struct table *table, struct arena *arena,
                             struct read_request *request)
{
    struct cursor cursor = cursor_make(bytes);
    uint8_t flags = cursor_u8(&cursor);
    struct read_request got = {
        .table = table->id,
        .wants_digest = (flags & WANTS_DIGEST) != 0,
        .is_scan = (flags & IS_SCAN) != 0,
        .filter = {.reversed = (flags & IS_REVERSED) != 0,
                   .with_static = (flags & WITH_STATIC) != 0},
    };
    (void)uuid_take(&cursor);
    got.layout_hash = cursor_u64(&cursor);
    got.now_s = (int32_t)cursor_u32(&cursor);
    uint64_t row_max = cursor_vint(&cursor);
    got.row_max = row_max > UINT32_MAX ? UINT32_MAX : (uint32_t)row_max;
    if (got.is_scan) {
        got.range.start = take_bound(&cursor);
        got.range.end = take_bound(&cursor);
    } else {
        struct slice key = cursor_vint_bytes(&cursor);
        if (key.size > KEY_SIZE_MAX) return STATUS_CORRUPT;
        got.key = partition_key_make(key);
    }
    take_ranges(&cursor, table, arena, &got.filter);
    if (flags & BY_INDEX) {
        got.index = uuid_take(&cursor);
        got.index_key = cursor_vint_bytes(&cursor);
        if (got.index_key.size == 0 || got.index_key.size > KEY_SIZE_MAX) return STATUS_CORRUPT;
    }
    if (cursor.failed || cursor_left(&cursor) > 0) return STATUS_CORRUPT;
    *request = got;
    return STATUS_OK;
}
