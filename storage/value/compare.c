// Orders of values (AbstractType.compare of each type; sstable-nb §2.10).
//
// Each order is total over all bytes: empty first, then values in their order, then what is no
// value of the type, by bytes. (Cassandra throws on the latter; a sort here must not.)
#include "base/cursor.h"
#include "storage/schema/type.h"
#include "storage/uuid.h"
#include "storage/value/number.h"

#include <math.h>

static int compare_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

enum rank { RANK_EMPTY, RANK_VALUE, RANK_OTHER };

static enum rank rank_by_size(struct slice value, size_t size)
{
    if (value.size == 0) return RANK_EMPTY;
    return value.size == size ? RANK_VALUE : RANK_OTHER;
}

// For values of one size: true when the ranks decide, with the order in `*order`.
static inline bool ranks_decide(struct slice a, struct slice b, size_t size, int *order)
{
    if (a.size == size && b.size == size) return false;
    enum rank a_rank = rank_by_size(a, size), b_rank = rank_by_size(b, size);
    *order = a_rank != b_rank ? (int)a_rank - (int)b_rank : slice_compare(a, b);
    return true;
}

static int compare_int(struct slice a, struct slice b)
{
    int order;
    if (ranks_decide(a, b, 4, &order)) return order;
    return compare_i64((int32_t)bytes_get_u32(a.data), (int32_t)bytes_get_u32(b.data));
}

static int compare_long(struct slice a, struct slice b)
{
    int order;
    if (ranks_decide(a, b, 8, &order)) return order;
    return compare_i64((int64_t)bytes_get_u64(a.data), (int64_t)bytes_get_u64(b.data));
}

// Big-endian two's complement of one size: only the first byte has a sign.
static int compare_short(struct slice a, struct slice b)
{
    if (a.size > 0 && b.size > 0 && a.data[0] != b.data[0])
        return (int8_t)a.data[0] - (int8_t)b.data[0];
    return slice_compare(a, b);
}

static int compare_boolean(struct slice a, struct slice b)
{
    int order;
    if (ranks_decide(a, b, 1, &order)) return order;
    return (a.data[0] != 0) - (b.data[0] != 0);
}

// Java's Double.compare: -0.0 before 0.0, all NaN equal and last.
static int compare_f64(double a, double b)
{
    if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0);
    if (a != b) return a < b ? -1 : 1;
    return (signbit(b) != 0) - (signbit(a) != 0);
}

static int compare_double(struct slice a, struct slice b)
{
    int order;
    if (ranks_decide(a, b, 8, &order)) return order;
    struct cursor a_cursor = cursor_make(a), b_cursor = cursor_make(b);
    return compare_f64(cursor_f64(&a_cursor), cursor_f64(&b_cursor));
}

static int compare_float(struct slice a, struct slice b)
{
    int order;
    if (ranks_decide(a, b, 4, &order)) return order;
    uint32_t a_bits = bytes_get_u32(a.data), b_bits = bytes_get_u32(b.data);
    float a_value, b_value;
    memcpy(&a_value, &a_bits, sizeof a_value);
    memcpy(&b_value, &b_bits, sizeof b_value);
    return compare_f64((double)a_value, (double)b_value);
}

static int compare_uuid(struct slice a, struct slice b)
{
    int order;
    if (ranks_decide(a, b, 16, &order)) return order;
    return uuid_compare(uuid_from_bytes(a.data), uuid_from_bytes(b.data));
}

static int compare_timeuuid(struct slice a, struct slice b)
{
    int order;
    if (ranks_decide(a, b, 16, &order)) return order;
    return uuid_compare_time(uuid_from_bytes(a.data), uuid_from_bytes(b.data));
}

static int compare_decimal(struct slice a, struct slice b)
{
    enum rank a_rank = a.size == 0 ? RANK_EMPTY : a.size > 4 ? RANK_VALUE : RANK_OTHER;
    enum rank b_rank = b.size == 0 ? RANK_EMPTY : b.size > 4 ? RANK_VALUE : RANK_OTHER;
    if (a_rank != b_rank) return (int)a_rank - (int)b_rank;
    return a_rank == RANK_VALUE ? number_compare_decimal(a, b) : slice_compare(a, b);
}

// A part of a nested value. Where the bytes do not go on as they should, what is left of them is
// the last part; so any bytes are a sequence of parts, and sequences have a total order when parts
// do.
struct part {
    enum { PART_NULL, PART_BROKEN, PART_VALUE } form;
    struct slice bytes;
};

static struct part broken_part(struct cursor *cursor, const uint8_t *from)
{
    cursor->failed = true;
    return (struct part){PART_BROKEN, slice_make(from, (size_t)(cursor->end - from))};
}

// Behind its i32 size, which is negative for null.
static struct part take_part(struct cursor *cursor)
{
    const uint8_t *from = cursor->next;
    int32_t size = (int32_t)cursor_u32(cursor);
    if (!cursor->failed && size < 0) return (struct part){PART_NULL, slice_null()};
    struct slice bytes = cursor_take(cursor, (size_t)size);
    if (cursor->failed) return broken_part(cursor, from);
    return (struct part){PART_VALUE, bytes};
}

static struct part take_vector_part(struct cursor *cursor, size_t fixed_size)
{
    const uint8_t *from = cursor->next;
    struct slice bytes =
        fixed_size != 0 ? cursor_take(cursor, fixed_size) : cursor_vint_bytes(cursor);
    if (cursor->failed) return broken_part(cursor, from);
    return (struct part){PART_VALUE, bytes};
}

static int compare_parts(const struct type *type, struct part a, struct part b)
{
    if (a.form != b.form) return (int)a.form - (int)b.form;
    if (a.form == PART_NULL) return 0;
    return a.form == PART_VALUE ? type_compare(type, a.bytes, b.bytes)
                                : slice_compare(a.bytes, b.bytes);
}

// Lists, sets and maps: element by element, then the count.
static int compare_collections(const struct type *type, struct slice a, struct slice b)
{
    if (a.size < 4 || b.size < 4) {
        // Empty first, then what has no count.
        int a_rank = a.size == 0 ? 0 : a.size < 4 ? 1 : 2;
        int b_rank = b.size == 0 ? 0 : b.size < 4 ? 1 : 2;
        return a_rank != b_rank ? a_rank - b_rank : slice_compare(a, b);
    }
    struct cursor a_cursor = cursor_make(a), b_cursor = cursor_make(b);
    int32_t a_count = (int32_t)cursor_u32(&a_cursor), b_count = (int32_t)cursor_u32(&b_cursor);
    int32_t count = a_count < b_count ? a_count : b_count;
    for (int32_t i = 0; i < count; i++) {
        for (uint16_t part = 0; part < type->parameter_count; part++) {
            struct part a_part = take_part(&a_cursor), b_part = take_part(&b_cursor);
            int order = compare_parts(type->parameters[part], a_part, b_part);
            if (order != 0 || a_cursor.failed) return order;
        }
    }
    return compare_i64(a_count, b_count);
}

// Field by field; those that are not there are null.
static int compare_tuples(const struct type *type, struct slice a, struct slice b)
{
    if (a.size == 0 || b.size == 0) return (a.size != 0) - (b.size != 0);
    const struct part missing = {PART_NULL, {NULL, 0}};
    struct cursor a_cursor = cursor_make(a), b_cursor = cursor_make(b);
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        struct part a_part = cursor_left(&a_cursor) == 0 ? missing : take_part(&a_cursor);
        struct part b_part = cursor_left(&b_cursor) == 0 ? missing : take_part(&b_cursor);
        int order = compare_parts(type->parameters[i], a_part, b_part);
        if (order != 0 || a_cursor.failed) return order;
    }
    return 0;
}

static int compare_vectors(const struct type *type, struct slice a, struct slice b)
{
    if (a.size == 0 || b.size == 0) return (a.size != 0) - (b.size != 0);
    const struct type *element = type->parameters[0];
    size_t fixed_size = type_fixed_size(element);
    struct cursor a_cursor = cursor_make(a), b_cursor = cursor_make(b);
    for (uint16_t i = 0; i < type->dimension; i++) {
        struct part a_part = take_vector_part(&a_cursor, fixed_size);
        struct part b_part = take_vector_part(&b_cursor, fixed_size);
        int order = compare_parts(element, a_part, b_part);
        if (order != 0 || a_cursor.failed) return order;
    }
    return 0;
}

int type_compare(const struct type *type, struct slice a, struct slice b)
{
    switch (type->kind) {
    case TYPE_INT:
        return compare_int(a, b);
    case TYPE_BIGINT:
    case TYPE_TIMESTAMP:
        return compare_long(a, b);
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
        return compare_short(a, b);
    case TYPE_BOOLEAN:
        return compare_boolean(a, b);
    case TYPE_FLOAT:
        return compare_float(a, b);
    case TYPE_DOUBLE:
        return compare_double(a, b);
    case TYPE_VARINT:
        return number_compare_varint(a, b);
    case TYPE_DECIMAL:
        return compare_decimal(a, b);
    case TYPE_UUID:
        return compare_uuid(a, b);
    case TYPE_TIMEUUID:
        return compare_timeuuid(a, b);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
        return compare_collections(type, a, b);
    case TYPE_TUPLE:
    case TYPE_UDT:
        return compare_tuples(type, a, b);
    case TYPE_VECTOR:
        return compare_vectors(type, a, b);
    case TYPE_EMPTY:
        return 0;
    default: // Text, bytes, inet, date, time, and what we know nothing of.
        return slice_compare(a, b);
    }
}
