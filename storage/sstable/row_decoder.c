#include "storage/sstable/row_decoder.h"

#include "base/assert.h"
#include "storage/counter_context.h"
#include "storage/sstable/vint.h"

enum { CELLS_FIRST = 16 };

void row_decoder_init(struct row_decoder *decoder, const struct sstable_reader *reader,
                      const struct column_map *map, struct arena *arena)
{
    *decoder = (struct row_decoder){.header = &reader->header, .map = map, .arena = arena};
    decoder->values = ARENA_NEW_ARRAY(arena, struct slice, reader->header.clustering_count + 1);
    decoder->cell_capacity = CELLS_FIRST;
    decoder->cells = arena_alloc(arena, CELLS_FIRST * sizeof *decoder->cells);
}

// ---- Clusterings --------------------------------------------------------------------------------

void row_decoder_values(const struct header *header, size_t count, struct cursor *cursor,
                        struct slice *values)
{
    uint64_t flags = 0;
    for (size_t i = 0; i < count; i++, flags >>= 2) {
        if (i % CLUSTERING_BLOCK == 0) flags = vint_read(cursor);
        if ((flags & 3) != 0) {
            values[i] = flags & 2 ? slice_null() : slice_make("", 0);
            continue;
        }
        size_t size = header->clustering_sizes[i];
        values[i] = size > 0 ? cursor_take(cursor, size) : vint_read_bytes(cursor);
    }
}

struct deletion row_decoder_plain_deletion(const struct header *header, struct cursor *cursor)
{
    struct deletion deletion;
    if (header->version == SSTABLE_OA) {
        // One byte if there is none; else i64, which is not negative, and u32.
        if (cursor_left(cursor) > 0 && (*cursor->next & DELETION_OA_NONE) != 0) {
            if (cursor_u8(cursor) != DELETION_OA_NONE) cursor->failed = true;
            return DELETION_NONE;
        }
        deletion.timestamp = (int64_t)cursor_u64(cursor);
        deletion.local_time = (int32_t)cursor_u32(cursor);
    } else {
        deletion.local_time = (int32_t)cursor_u32(cursor);
        deletion.timestamp = (int64_t)cursor_u64(cursor);
        if (deletion_is_live(deletion)) return DELETION_NONE;
    }
    // Of oa: a time beyond 2038. Also what says "none" where there is a deletion.
    if (deletion.local_time < 0 || deletion.local_time == LOCAL_TIME_NONE)
        deletion.local_time = LOCAL_TIME_MAX;
    return deletion;
}

bool row_decoder_place(const struct header *header, enum bound_kind kind, struct cursor *cursor,
                       struct slice *values, struct bound *place)
{
    size_t count = header->clustering_count;
    if (kind != BOUND_CLUSTERING) {
        count = cursor_u16(cursor);
        if (count > header->clustering_count || kind > BOUND_EXCL_START ||
            kind == BOUND_STATIC_CLUSTERING)
            return false;
        if (count == 0 && bound_is_boundary(kind) && !cursor->failed) return false;
    }
    row_decoder_values(header, count, cursor, values);
    *place = (struct bound){kind, {(uint16_t)count, values}};
    return true;
}

// ---- Heads --------------------------------------------------------------------------------------

bool row_decoder_head(struct row_decoder *decoder, struct cursor *cursor,
                      struct unfiltered_head *head)
{
    head->flags = cursor_u8(cursor);
    head->extended = 0;
    if (head->flags & UNFILTERED_END_OF_PARTITION)
        return head->flags == UNFILTERED_END_OF_PARTITION;
    if (head->flags & UNFILTERED_EXTENSION) head->extended = cursor_u8(cursor);
    enum bound_kind kind = BOUND_CLUSTERING;
    if (head->flags & UNFILTERED_IS_MARKER) {
        if (head->flags != UNFILTERED_IS_MARKER) return false;
        uint8_t kind_byte = cursor_u8(cursor);
        if (cursor->failed) return true;
        if (kind_byte > BOUND_EXCL_START || kind_byte == BOUND_CLUSTERING ||
            kind_byte == BOUND_STATIC_CLUSTERING)
            return false;
        kind = (enum bound_kind)kind_byte;
    }
    if (head->extended & EXTENDED_IS_STATIC) {
        head->place = (struct bound){BOUND_STATIC_CLUSTERING, {0, decoder->values}};
    } else if (!row_decoder_place(decoder->header, kind, cursor, decoder->values, &head->place)) {
        return false;
    }
    head->body_size = vint_read(cursor);
    return true;
}

// ---- Bodies -------------------------------------------------------------------------------------

static inline int64_t read_timestamp(const struct header *header, struct cursor *cursor)
{
    return (int64_t)(vint_read(cursor) + (uint64_t)header->min_timestamp);
}

static inline int32_t read_i32(struct cursor *cursor, int32_t base)
{
    return (int32_t)((uint32_t)vint_read(cursor) + (uint32_t)base);
}

// What Cassandra calls an invalid local time becomes the largest valid one; so does, of oa, a time
// beyond 2038, as when Cassandra writes it as nb.
static inline int32_t check_local_time(int32_t local_time, int32_t ttl)
{
    bool is_valid = local_time >= 0 && (local_time >= ttl || ttl == TTL_EXPIRED_LIVENESS);
    return is_valid && local_time != LOCAL_TIME_NONE ? local_time : LOCAL_TIME_MAX;
}

static struct deletion read_deletion(const struct header *header, struct cursor *cursor)
{
    struct deletion deletion;
    deletion.timestamp = read_timestamp(header, cursor);
    deletion.local_time = read_i32(cursor, header->min_local_time);
    // Without a timestamp it is none, whatever its local time: 4.x and 5.0 write different ones.
    if (deletion_is_live(deletion)) return DELETION_NONE;
    deletion.local_time = check_local_time(deletion.local_time, 0);
    return deletion;
}

static struct cell *new_cell(struct row_decoder *decoder)
{
    if (decoder->cell_count == decoder->cell_capacity) {
        struct cell *cells =
            arena_alloc(decoder->arena, 2 * decoder->cell_capacity * sizeof *cells);
        memcpy(cells, decoder->cells, decoder->cell_count * sizeof *cells);
        decoder->cells = cells;
        decoder->cell_capacity *= 2;
    }
    return &decoder->cells[decoder->cell_count++];
}

static void add_complex_deletion(struct row_decoder *decoder, uint16_t column,
                                 struct deletion deletion)
{
    if (decoder->complex_deletion_count == decoder->complex_deletion_capacity) {
        size_t capacity = 2 * decoder->complex_deletion_capacity + 4;
        struct complex_deletion *deletions =
            arena_alloc(decoder->arena, capacity * sizeof *deletions);
        if (decoder->complex_deletion_count > 0)
            memcpy(deletions, decoder->complex_deletions,
                   decoder->complex_deletion_count * sizeof *deletions);
        decoder->complex_deletions = deletions;
        decoder->complex_deletion_capacity = capacity;
    }
    decoder->complex_deletions[decoder->complex_deletion_count++] =
        (struct complex_deletion){column, deletion};
}

// False: damaged.
static inline bool read_cell(struct row_decoder *decoder, const struct mapped_column *column,
                             const struct liveness *liveness, struct cursor *cursor)
{
    const struct header *header = decoder->header;
    struct cell cell = {.column = column->index,
                        .ttl = TTL_NONE,
                        .local_time = LOCAL_TIME_NONE,
                        .timestamp = liveness->timestamp};
    uint8_t flags = cursor_u8(cursor);
    if (!(flags & CELL_USE_ROW_TIMESTAMP)) cell.timestamp = read_timestamp(header, cursor);
    bool is_deleted = flags & CELL_IS_DELETED, is_expiring = flags & CELL_IS_EXPIRING;
    if (flags & CELL_USE_ROW_TTL) {
        if (!is_expiring || liveness->ttl == TTL_NONE) return false;
        cell.ttl = liveness->ttl;
        cell.local_time = liveness->local_time;
    } else if (is_deleted || is_expiring) {
        cell.local_time = read_i32(cursor, header->min_local_time);
        if (is_expiring) cell.ttl = read_i32(cursor, header->min_ttl);
        if (cell.ttl < 0 || (is_expiring && cell.ttl == TTL_NONE)) return false;
        cell.local_time = check_local_time(cell.local_time, cell.ttl);
    }
    cell.path = column->multi_cell ? vint_read_bytes(cursor) : slice_null();
    if (flags & CELL_HAS_EMPTY_VALUE) {
        cell.value = slice_make("", 0);
    } else {
        cell.value = column->fixed_size > 0 ? cursor_take(cursor, column->fixed_size)
                                            : vint_read_bytes(cursor);
    }
    if (cursor->failed || (is_deleted && (is_expiring || cell.value.size > 0))) return false;
    if (column->known && cell.timestamp > column->dropped_time_us) *new_cell(decoder) = cell;
    return true;
}

static bool read_column(struct row_decoder *decoder, const struct mapped_column *column,
                        const struct unfiltered_head *head, const struct liveness *liveness,
                        struct cursor *cursor)
{
    if (!column->multi_cell) return read_cell(decoder, column, liveness, cursor);
    if (head->flags & UNFILTERED_HAS_COMPLEX_DELETION) {
        struct deletion deletion = read_deletion(decoder->header, cursor);
        if (!deletion_is_live(deletion) && column->known &&
            deletion.timestamp > column->dropped_time_us)
            add_complex_deletion(decoder, column->index, deletion);
    }
    uint64_t count = vint_read(cursor);
    // Each cell takes at least two bytes.
    if (cursor->failed || count > cursor_left(cursor) / 2) return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!read_cell(decoder, column, liveness, cursor)) return false;
    }
    return true;
}

// 64 columns or more: the present or the missing ones are listed, whichever are fewer.
static bool read_long_subset(struct row_decoder *decoder, const struct mapped_column *columns,
                             size_t count, const struct unfiltered_head *head,
                             const struct liveness *liveness, struct cursor *cursor)
{
    uint64_t missing_count = vint_read(cursor);
    if (missing_count > count) return false;
    size_t present_count = count - (size_t)missing_count;
    bool list_present = present_count < count / 2;
    // The list stands before the cells: a second cursor walks through it.
    struct cursor list = *cursor;
    size_t list_count = list_present ? present_count : (size_t)missing_count;
    for (size_t i = 0; i < list_count; i++)
        (void)vint_read(cursor);
    if (cursor->failed) return false;
    size_t column = 0;
    for (size_t i = 0; i <= list_count; i++) {
        uint64_t next = i == list_count ? count : vint_read(&list);
        if (next < column || next > count || (next == count && i < list_count)) return false;
        if (list_present) {
            if (i == list_count) break;
            if (!read_column(decoder, &columns[next], head, liveness, cursor)) return false;
        } else {
            for (; column < next; column++) {
                if (!read_column(decoder, &columns[column], head, liveness, cursor)) return false;
            }
        }
        column = (size_t)next + 1;
    }
    return true;
}

static bool read_columns(struct row_decoder *decoder, const struct unfiltered_head *head,
                         const struct liveness *liveness, struct cursor *cursor)
{
    int kind = head->extended & EXTENDED_IS_STATIC ? ROWS_STATIC : ROWS_REGULAR;
    const struct mapped_column *columns = decoder->map->columns[kind];
    size_t count = decoder->header->columns[kind].count;
    uint64_t missing = 0;
    if (!(head->flags & UNFILTERED_HAS_ALL_COLUMNS)) {
        if (count >= 64) return read_long_subset(decoder, columns, count, head, liveness, cursor);
        missing = vint_read(cursor);
        if (missing >> count != 0) return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (count < 64 && missing >> i & 1) continue;
        if (!read_column(decoder, &columns[i], head, liveness, cursor)) return false;
    }
    return true;
}

static void clear_marked(struct row_decoder *decoder)
{
    for (size_t i = 0; i < decoder->cell_count; i++) {
        struct cell *cell = &decoder->cells[i];
        if (counter_context_is_marked(cell->value))
            cell->value = counter_context_clear_local(cell->value, decoder->arena);
    }
}

static bool places_fit(const struct table *table, const struct clustering *clustering)
{
    for (uint16_t i = 0; i < clustering->count; i++)
        if (!type_fits(table->columns[COLUMN_CLUSTERING][i].type, clustering->values[i]))
            return false;
    return true;
}

static bool cells_fit(const struct row_decoder *decoder, const struct column *columns)
{
    for (size_t i = 0; i < decoder->cell_count; i++)
        if (!type_fits(columns[decoder->cells[i].column].type, decoder->cells[i].value))
            return false;
    return true;
}

bool row_decoder_row(struct row_decoder *decoder, const struct unfiltered_head *head,
                     struct cursor body)
{
    const struct header *header = decoder->header;
    struct liveness liveness = LIVENESS_NONE;
    struct deletion deletion = DELETION_NONE;
    decoder->cell_count = decoder->complex_deletion_count = 0;
    (void)vint_read(&body); // Size of the previous one.
    if (head->flags & UNFILTERED_HAS_TIMESTAMP) {
        liveness.timestamp = read_timestamp(header, &body);
        if (head->flags & UNFILTERED_HAS_TTL) {
            liveness.ttl = read_i32(&body, header->min_ttl);
            liveness.local_time = read_i32(&body, header->min_local_time);
            if (liveness.ttl <= 0) return false;
            liveness.local_time = check_local_time(liveness.local_time, liveness.ttl);
        }
    }
    if (head->flags & UNFILTERED_HAS_DELETION) {
        deletion = read_deletion(header, &body);
        // A shadowable deletion (of old materialized views) is void once there is newer liveness.
        if (head->extended & EXTENDED_SHADOWABLE && liveness.timestamp > deletion.timestamp)
            deletion = DELETION_NONE;
    }
    if (!read_columns(decoder, head, &liveness, &body)) return false;
    if (body.failed || cursor_left(&body) > 0) return false;
    const struct table *table = decoder->map->table;
    bool is_static = head->extended & EXTENDED_IS_STATIC;
    if (decoder->map->may_misfit &&
        !(places_fit(table, &head->place.prefix) &&
          cells_fit(decoder, table->columns[is_static ? COLUMN_STATIC : COLUMN_REGULAR])))
        return false;
    if (table->is_counter) clear_marked(decoder);
    decoder->row = (struct row){
        .clustering = is_static ? (struct clustering){0, NULL} : head->place.prefix,
        .liveness = liveness,
        .deletion = deletion,
        .cell_count = (uint32_t)decoder->cell_count,
        .complex_deletion_count = (uint32_t)decoder->complex_deletion_count,
        .cells = decoder->cells,
        .complex_deletions = decoder->complex_deletions,
    };
    return true;
}

bool row_decoder_marker(struct row_decoder *decoder, const struct unfiltered_head *head,
                        struct cursor body)
{
    struct marker *marker = &decoder->marker;
    *marker = (struct marker){head->place, DELETION_NONE, DELETION_NONE};
    if (decoder->map->may_misfit && !places_fit(decoder->map->table, &head->place.prefix))
        return false;
    (void)vint_read(&body); // Size of the previous one.
    struct deletion deletion = read_deletion(decoder->header, &body);
    switch (head->place.kind) {
    case BOUND_EXCL_END:
    case BOUND_INCL_END:
        marker->closes = deletion;
        break;
    case BOUND_INCL_START:
    case BOUND_EXCL_START:
        marker->opens = deletion;
        break;
    default:
        marker->closes = deletion;
        marker->opens = read_deletion(decoder->header, &body);
    }
    return !body.failed && cursor_left(&body) == 0;
}
