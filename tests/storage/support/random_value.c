#include "tests/storage/support/random_value.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "storage/uuid.h"

#include <math.h>
#include <stdlib.h>

enum { DEPTH_MAX = 2 };

static uint64_t below(struct random_values *values, uint64_t count)
{
    return random_below(values->random, count);
}

static bool chance(struct random_values *values, double probability)
{
    return random_chance(values->random, probability);
}

// ---- Types --------------------------------------------------------------------------------------

static const enum type_kind scalar_kinds[] = {
    TYPE_ASCII, TYPE_BIGINT,  TYPE_BLOB,     TYPE_BOOLEAN,   TYPE_DECIMAL,  TYPE_DOUBLE, TYPE_FLOAT,
    TYPE_INT,   TYPE_TEXT,    TYPE_UUID,     TYPE_VARINT,    TYPE_TIMEUUID, TYPE_INET,   TYPE_DATE,
    TYPE_TIME,  TYPE_TINYINT, TYPE_SMALLINT, TYPE_TIMESTAMP, TYPE_DURATION,
};
enum { SCALAR_COUNT = sizeof scalar_kinds / sizeof *scalar_kinds };

static const struct type *frozen_type(struct random_values *values, bool with_duration, int depth);

static const struct type *scalar_type(struct random_values *values, bool with_duration)
{
    // Duration stands last.
    return type_of_kind(
        scalar_kinds[below(values, with_duration ? SCALAR_COUNT : SCALAR_COUNT - 1)]);
}

static const struct type *collection_type(struct random_values *values, bool with_duration,
                                          bool frozen, int depth)
{
    const struct type *element = frozen_type(values, with_duration, depth + 1);
    const struct type *key = frozen_type(values, false, depth + 1);
    switch (below(values, 3)) {
    case 0:
        return type_make_list(values->arena, element, frozen);
    case 1:
        return type_make_set(values->arena, key, frozen);
    default:
        return type_make_map(values->arena, key, element, frozen);
    }
}

static const struct type *tuple_type(struct random_values *values, bool with_duration, int depth)
{
    uint16_t count = (uint16_t)(1 + below(values, 4));
    const struct type **elements = ARENA_NEW_ARRAY(values->arena, const struct type *, count);
    for (uint16_t i = 0; i < count; i++)
        elements[i] = frozen_type(values, with_duration, depth + 1);
    return type_make_tuple(values->arena, elements, count);
}

// Without durations, so that it fits everywhere.
static const struct type *new_udt(struct random_values *values, int depth)
{
    uint16_t count = (uint16_t)(1 + below(values, 5));
    const struct type **types = ARENA_NEW_ARRAY(values->arena, const struct type *, count);
    struct slice *names = ARENA_NEW_ARRAY(values->arena, struct slice, count);
    for (uint16_t i = 0; i < count; i++) {
        names[i] = slice_of_text(arena_format(values->arena, "f%u", i));
        types[i] = frozen_type(values, false, depth + 1);
    }
    const char *name =
        arena_format(values->arena, "%s_u%zu", values->udt_prefix, values->udt_count);
    const struct type *udt = type_make_udt(values->arena, values->keyspace, slice_of_text(name),
                                           names, types, count, false);
    buffer_put_format(values->cql, "CREATE TYPE %.*s.%s (", (int)values->keyspace.size,
                      (const char *)values->keyspace.data, name);
    for (uint16_t i = 0; i < count; i++) {
        buffer_put_format(values->cql, "%sf%u ", i == 0 ? "" : ", ", i);
        type_put_cql(types[i], values->cql);
    }
    buffer_put_format(values->cql, ");\n");
    return udt;
}

static const struct type *udt_type(struct random_values *values, bool frozen, int depth)
{
    const struct type *udt;
    if (values->udt_count < RANDOM_UDTS_MAX && chance(values, 0.5)) {
        udt = new_udt(values, depth);
        values->udts[values->udt_count++] = udt;
    } else if (values->udt_count == 0) {
        return frozen ? tuple_type(values, false, depth)
                      : collection_type(values, false, false, depth);
    } else {
        udt = values->udts[below(values, values->udt_count)];
    }
    return frozen ? type_freeze(values->arena, udt) : udt;
}

static const struct type *frozen_type(struct random_values *values, bool with_duration, int depth)
{
    if (depth > DEPTH_MAX || chance(values, 0.6)) return scalar_type(values, with_duration);
    switch (below(values, 5)) {
    case 0:
        return tuple_type(values, with_duration, depth);
    case 1:
        // Inside of another type only those that there are, so that none is made inside of one.
        if (depth > 0 && values->udt_count == 0) return scalar_type(values, with_duration);
        if (depth > 0) return type_freeze(values->arena, values->udts[0]);
        return udt_type(values, true, depth);
    case 2: {
        const struct type *element = frozen_type(values, with_duration, depth + 1);
        return type_make_vector(values->arena, element, (uint16_t)(1 + below(values, 5)));
    }
    default:
        return collection_type(values, with_duration, true, depth);
    }
}

const struct type *random_type(struct random_values *values, enum random_type_use use)
{
    if (use == RANDOM_TYPE_KEY) return frozen_type(values, false, 0);
    if (use == RANDOM_TYPE_VALUE) return frozen_type(values, true, 0);
    return chance(values, 0.25) ? udt_type(values, false, 0)
                                : collection_type(values, true, false, 0);
}

// ---- Scalars ------------------------------------------------------------------------------------

static void put_text(struct random_values *values, struct buffer *bytes, bool ascii)
{
    static const char *const letters[] = {
        "a",
        "b",
        "c",
        "x",
        "Z",
        "0",
        "9",
        " ",
        "\"",
        "\\",
        "'",
        "\n",
        "\t",
        "\x01",
        "{",
        "\xc3\xa4",
        "\xce\xbb",
        "\xe6\x97\xa5",
        "\xe2\x80\xa8",
        "\xf0\x9f\x99\x82",
    };
    enum { ASCII_COUNT = 15, COUNT = sizeof letters / sizeof *letters };
    uint64_t count = chance(values, values->large_part) ? below(values, values->size_max / 2)
                                                        : below(values, 12);
    while (count-- > 0) {
        const char *letter = letters[below(values, ascii ? ASCII_COUNT : COUNT)];
        buffer_put(bytes, letter, strlen(letter));
    }
}

static void put_blob(struct random_values *values, struct buffer *bytes)
{
    uint64_t count =
        chance(values, values->large_part) ? below(values, values->size_max) : below(values, 20);
    uint8_t *to = buffer_reserve(bytes, count);
    if (count > 0) random_bytes(values->random, to, count);
}

static uint64_t integer(struct random_values *values, unsigned bits)
{
    switch (below(values, 6)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX; // -1
    case 2:
        return (uint64_t)1 << (bits - 1); // The least,
    case 3:
        return ((uint64_t)1 << (bits - 1)) - 1; // the largest.
    case 4:
        return below(values, 10);
    default:
        return random_u64(values->random);
    }
}

// In as few bytes as it takes. The last decimal digit is not 0, so that equal decimals have equal
// bytes.
static void put_varint(struct random_values *values, struct buffer *bytes)
{
    int64_t number = (int64_t)(random_u64(values->random) >> below(values, 63)) / 20 * 10;
    number = (chance(values, 0.5) ? -1 : 1) * (number + 1 + (int64_t)below(values, 9));
    uint8_t all[8];
    bytes_put_u64(all, (uint64_t)number);
    size_t skip = 0;
    while (skip < 7 && ((all[skip] == 0 && all[skip + 1] < 0x80) ||
                        (all[skip] == 0xff && all[skip + 1] >= 0x80)))
        skip++;
    buffer_put(bytes, all + skip, 8 - skip);
}

// Texts of doubles with few digits are the same in all Javas.
static double real(struct random_values *values)
{
    switch (below(values, 12)) {
    case 0:
        return (double)NAN;
    case 1:
        return (double)INFINITY;
    case 2:
        return -0.0;
    case 3:
        return 0.0;
    default:
        return ((double)below(values, 2000000) - 1000000) / 64;
    }
}

static void put_duration(struct random_values *values, struct buffer *bytes)
{
    int64_t sign = chance(values, 0.3) ? -1 : 1;
    buffer_put_signed_vint(bytes, sign * (int64_t)below(values, 30));
    buffer_put_signed_vint(bytes, sign * (int64_t)below(values, 40));
    buffer_put_signed_vint(bytes, sign * (int64_t)below(values, 1000000000000000));
}

static void put_uuid(struct random_values *values, struct buffer *bytes, bool by_time)
{
    uint8_t raw[16];
    random_bytes(values->random, raw, sizeof raw);
    struct uuid uuid = uuid_make_random(raw);
    // Few different times, so that the second half decides too.
    if (by_time || chance(values, 0.5))
        uuid = uuid_make_time(UUID_EPOCH_TICKS + 14000000000000000u + below(values, 5),
                              (uint16_t)below(values, 16384), random_u64(values->random) >> 16);
    uuid_put(bytes, uuid);
}

static void put_scalar(struct random_values *values, enum type_kind kind, struct buffer *bytes)
{
    float narrow;
    uint32_t word;
    switch (kind) {
    case TYPE_ASCII:
        put_text(values, bytes, true);
        break;
    case TYPE_TEXT:
        put_text(values, bytes, false);
        break;
    case TYPE_BLOB:
        put_blob(values, bytes);
        break;
    case TYPE_BOOLEAN:
        buffer_put_u8(bytes, (uint8_t)below(values, 2));
        break;
    case TYPE_BIGINT:
        buffer_put_u64(bytes, integer(values, 64));
        break;
    case TYPE_INT:
        buffer_put_u32(bytes, (uint32_t)integer(values, 32));
        break;
    case TYPE_SMALLINT:
        buffer_put_u16(bytes, (uint16_t)integer(values, 16));
        break;
    case TYPE_TINYINT:
        buffer_put_u8(bytes, (uint8_t)integer(values, 8));
        break;
    case TYPE_VARINT:
        put_varint(values, bytes);
        break;
    case TYPE_DECIMAL:
        buffer_put_u32(bytes, (uint32_t)below(values, 25) - 5);
        put_varint(values, bytes);
        break;
    case TYPE_DOUBLE:
        buffer_put_f64(bytes, real(values));
        break;
    case TYPE_FLOAT:
        narrow = (float)real(values);
        memcpy(&word, &narrow, sizeof word);
        buffer_put_u32(bytes, word);
        break;
    case TYPE_UUID:
        put_uuid(values, bytes, false);
        break;
    case TYPE_TIMEUUID:
        put_uuid(values, bytes, true);
        break;
    case TYPE_INET:
        for (int i = chance(values, 0.5) ? 1 : 4; i > 0; i--)
            buffer_put_u32(bytes, 0x20010db8 + (uint32_t)below(values, 0x10000000));
        break;
    // From the year 53 to 3886.
    case TYPE_DATE:
        buffer_put_u32(bytes, 0x80000000u + (uint32_t)below(values, 1400000) - 700000);
        break;
    case TYPE_TIME:
        buffer_put_u64(bytes, below(values, 86400000000000));
        break;
    case TYPE_TIMESTAMP:
        buffer_put_u64(bytes, below(values, 5000000000000) - 1000000000000);
        break;
    case TYPE_DURATION:
        put_duration(values, bytes);
        break;
    default:
        break;
    }
}

// ---- Frozen values ------------------------------------------------------------------------------

static struct slice take(struct random_values *values, struct buffer *bytes)
{
    uint8_t *copy = arena_alloc(values->arena, bytes->size + 1);
    if (bytes->size > 0) memcpy(copy, bytes->data, bytes->size);
    struct slice taken = slice_make(copy, bytes->size);
    buffer_deinit(bytes);
    return taken;
}

static void put_element(struct buffer *bytes, struct slice element)
{
    buffer_put_u32(bytes, (uint32_t)element.size);
    buffer_put(bytes, element.data, element.size);
}

// Sets and the keys of maps are sorted, each once.
static uint32_t sorted_values(struct random_values *values, const struct type *type, uint32_t count,
                              struct slice *sorted)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slice value = random_value(values, type, false);
        uint32_t at = 0;
        while (at < size && type_compare(type, sorted[at], value) < 0)
            at++;
        if (at < size && type_compare(type, sorted[at], value) == 0) continue;
        memmove(sorted + at + 1, sorted + at, (size - at) * sizeof *sorted);
        sorted[at] = value;
        size++;
    }
    return size;
}

static void put_collection(struct random_values *values, const struct type *type,
                           struct buffer *bytes)
{
    struct slice elements[8];
    uint32_t count = (uint32_t)below(values, 8);
    if (type->kind != TYPE_LIST)
        count = sorted_values(values, type->parameters[0], count, elements);
    buffer_put_u32(bytes, count);
    for (uint32_t i = 0; i < count; i++) {
        put_element(bytes, type->kind == TYPE_LIST
                               ? random_value(values, type->parameters[0], false)
                               : elements[i]);
        if (type->kind == TYPE_MAP)
            put_element(bytes, random_value(values, type->parameters[1], false));
    }
}

static void put_fields(struct random_values *values, const struct type *type, struct buffer *bytes)
{
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        if (chance(values, 0.2)) {
            buffer_put_u32(bytes, UINT32_MAX);
        } else {
            put_element(bytes, random_value(values, type->parameters[i], false));
        }
    }
}

static void put_vector(struct random_values *values, const struct type *type, struct buffer *bytes)
{
    const struct type *element = type->parameters[0];
    for (uint16_t i = 0; i < type->dimension; i++) {
        struct slice value = random_value(values, element, false);
        if (type_fixed_size(element) == 0) buffer_put_vint(bytes, value.size);
        buffer_put(bytes, value.data, value.size);
    }
}

struct slice random_value(struct random_values *values, const struct type *type, bool may_be_empty)
{
    struct buffer bytes;
    buffer_init(&bytes, GIB);
    bool is_scalar = type->parameter_count == 0;
    // Cassandra cannot print an empty boolean (NullPointerException in BooleanType.toJSONString()).
    if (is_scalar && may_be_empty && chance(values, 0.05) && type->kind != TYPE_BOOLEAN &&
        type_validate(type, slice_make("", 0), NULL) == STATUS_OK)
        return take(values, &bytes);
    if (is_scalar) {
        put_scalar(values, type->kind, &bytes);
    } else if (type_is_collection(type)) {
        put_collection(values, type, &bytes);
    } else if (type->kind == TYPE_VECTOR) {
        put_vector(values, type, &bytes);
    } else {
        put_fields(values, type, &bytes);
    }
    return take(values, &bytes);
}

struct slice random_path(struct random_values *values, const struct type *type,
                         const struct type **value_type)
{
    struct buffer bytes;
    buffer_init(&bytes, GIB);
    uint16_t field;
    switch (type->kind) {
    case TYPE_LIST:
        put_uuid(values, &bytes, true);
        *value_type = type->parameters[0];
        break;
    case TYPE_UDT:
        field = (uint16_t)below(values, type->parameter_count);
        buffer_put_u16(&bytes, field);
        *value_type = type->parameters[field];
        break;
    default:
        buffer_deinit(&bytes);
        *value_type = type->kind == TYPE_MAP ? type->parameters[1] : NULL;
        return random_value(values, type->parameters[0], false);
    }
    return take(values, &bytes);
}
