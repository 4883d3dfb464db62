// Masks: values that say less than they are (org.apache.cassandra.cql3.functions.masking).
#include "base/bytes.h"
#include "cql/statement/functions_native.h"
#include "storage/value/number_math.h"

#include <ctype.h>
#include <md5.h>
#include <sha1.h>
#include <sha2.h>

static bool functions_mask_null(const struct function_call *call, const struct slice *arguments,
                                struct slice *result)
{
    (void)call;
    (void)arguments;
    *result = slice_null();
    return true;
}

static bool functions_mask_replace(const struct function_call *call, const struct slice *arguments,
                                   struct slice *result)
{
    (void)call;
    *result = arguments[1];
    return true;
}

// ---- The same for all values of a type ----------------------------------------------------------

static struct slice functions_mask_value(const struct type *type, struct arena *arena);

static struct slice functions_mask_fields(const struct type *type, size_t count,
                                          struct arena *arena)
{
    bool is_vector = type->kind == TYPE_VECTOR;
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, count + 1);
    for (size_t i = 0; i < count; i++)
        values[i] = functions_mask_value(type->parameters[is_vector ? 0 : i], arena);
    return is_vector ? term_encode_vector(arena, type, values, count)
                     : term_encode_tuple(arena, values, count);
}

static struct slice functions_mask_zeros(struct arena *arena, size_t size)
{
    return slice_make(arena_alloc_zero(arena, size + 1), size);
}

static struct slice functions_mask_value(const struct type *type, struct arena *arena)
{
    static const uint8_t first_timeuuid[16] = {0x13, 0x81, 0x40, 0x00, 0x1d, 0xd2, 0x11, 0xb2,
                                               0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
    static const uint8_t first_date[4] = {0x80, 0, 0, 0};
    switch (type->kind) {
    case TYPE_TEXT:
    case TYPE_ASCII:
        return slice_of_text("****");
    case TYPE_BLOB:
    case TYPE_CUSTOM:
    case TYPE_EMPTY:
        return slice_make("", 0);
    case TYPE_VARINT:
        return number_math_varint_of_whole(0, arena);
    case TYPE_DECIMAL:
        return number_math_decimal_of_whole(0, arena);
    case TYPE_TIMEUUID:
        return slice_make(first_timeuuid, sizeof first_timeuuid);
    case TYPE_DATE:
        return slice_make(first_date, sizeof first_date);
    case TYPE_TINYINT:
        return functions_mask_zeros(arena, 1);
    case TYPE_SMALLINT:
        return functions_mask_zeros(arena, 2);
    case TYPE_DURATION: // Three vints of 0.
        return functions_mask_zeros(arena, 3);
    case TYPE_INET:
        return functions_mask_zeros(arena, 4);
    case TYPE_TIME:
    case TYPE_COUNTER:
        return functions_mask_zeros(arena, 8);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
        return functions_mask_zeros(arena, 4);
    case TYPE_TUPLE:
    case TYPE_UDT:
        return functions_mask_fields(type, type->parameter_count, arena);
    case TYPE_VECTOR:
        return functions_mask_fields(type, type->dimension, arena);
    default:
        return functions_mask_zeros(arena, type_fixed_size(type));
    }
}

static bool functions_mask_default(const struct function_call *call, const struct slice *arguments,
                                   struct slice *result)
{
    (void)arguments;
    *result = functions_mask_value(call->function->result, call->arena);
    return true;
}

// ---- Hashes -------------------------------------------------------------------------------------

enum { DIGEST_SIZE_MAX = 64 };

static size_t functions_mask_md5(struct slice value, uint8_t *digest)
{
    MD5_CTX state;
    MD5Init(&state);
    MD5Update(&state, value.data, value.size);
    MD5Final(digest, &state);
    return 16;
}

static size_t functions_mask_sha1(struct slice value, uint8_t *digest)
{
    SHA1_CTX state;
    SHA1Init(&state);
    SHA1Update(&state, value.data, value.size);
    SHA1Final(digest, &state);
    return 20;
}

#define MASK_SHA2(bits)                                                                            \
    static size_t functions_mask_sha##bits(struct slice value, uint8_t *digest)                    \
    {                                                                                              \
        SHA2_CTX state;                                                                            \
        SHA##bits##Init(&state);                                                                   \
        SHA##bits##Update(&state, value.data, value.size);                                         \
        SHA##bits##Final(digest, &state);                                                          \
        return (bits) / 8;                                                                         \
    }
MASK_SHA2(256)
MASK_SHA2(384)
MASK_SHA2(512)

static bool functions_mask_is(struct slice name, const char *wanted)
{
    if (name.size != strlen(wanted)) return false;
    for (size_t i = 0; i < name.size; i++)
        if (toupper(name.data[i]) != wanted[i]) return false;
    return true;
}

static bool functions_mask_hash(const struct function_call *call, const struct slice *arguments,
                                struct slice *result)
{
    static const struct {
        const char *name;
        size_t (*make)(struct slice value, uint8_t *digest);
    } algorithms[] = {
        {"SHA-256", functions_mask_sha256}, {"MD5", functions_mask_md5},
        {"SHA-1", functions_mask_sha1},     {"SHA", functions_mask_sha1},
        {"SHA1", functions_mask_sha1},      {"SHA-384", functions_mask_sha384},
        {"SHA-512", functions_mask_sha512},
    };
    bool is_named = call->function->argument_count > 1 && !slice_is_null(arguments[1]);
    struct slice name = is_named ? arguments[1] : slice_of_text("SHA-256");
    *result = slice_null();
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        if (!functions_mask_is(name, algorithms[i].name)) continue;
        if (slice_is_null(arguments[0])) return true;
        uint8_t digest[DIGEST_SIZE_MAX];
        size_t size = algorithms[i].make(arguments[0], digest);
        *result = arena_copy(call->arena, slice_make(digest, size));
        return true;
    }
    return cql_error_set(call->error, CQL_ERROR_INVALID, "Hash algorithm not found: %.*s",
                         SLICE_TEXT(name));
}

// ---- Parts of a text ----------------------------------------------------------------------------

// UTF-16 units of the character that begins with this byte; 0 inside of one.
static size_t functions_mask_units(uint8_t byte)
{
    return (byte & 0xC0) == 0x80 ? 0 : byte >= 0xF0 ? 2 : 1;
}

static size_t functions_mask_length(struct slice text)
{
    size_t units = 0;
    for (size_t i = 0; i < text.size; i++)
        units += functions_mask_units(text.data[i]);
    return units;
}

static size_t functions_mask_count(struct slice argument)
{
    int32_t count = argument.size == 4 ? (int32_t)bytes_get_u32(argument.data) : 0;
    return count < 0 ? 0 : (size_t)count;
}

// The first `begin` and the last `end` characters are one side, what is between them the other.
static bool functions_mask_part(const struct function_call *call, const struct slice *arguments,
                                bool masks_inner, struct slice *result)
{
    struct slice padding = slice_of_text("*"), text = arguments[0];
    *result = slice_null();
    if (call->function->argument_count > 3 && !slice_is_null(arguments[3])) padding = arguments[3];
    size_t length = functions_mask_length(padding);
    if (length != 1)
        return cql_error_set(call->error, CQL_ERROR_INVALID,
                             "The padding argument for function system.%s should be "
                             "single-character, but '%.*s' has %zu characters.",
                             call->function->name, SLICE_TEXT(padding), length);
    if (slice_is_null(text)) return true;
    size_t begin = functions_mask_count(arguments[1]), end = functions_mask_count(arguments[2]);
    size_t total = functions_mask_length(text), at = 0;
    uint8_t *bytes = arena_alloc(call->arena, total * padding.size + text.size + 1);
    uint8_t *to = bytes;
    for (size_t i = 0; i < text.size;) {
        size_t size = 1, units = functions_mask_units(text.data[i]);
        while (i + size < text.size && functions_mask_units(text.data[i + size]) == 0)
            size++;
        bool is_inner = at >= begin && at + end < total;
        for (size_t k = 0; k < units && is_inner == masks_inner; k++) {
            memcpy(to, padding.data, padding.size);
            to += padding.size;
        }
        if (is_inner != masks_inner) {
            memcpy(to, text.data + i, size);
            to += size;
        }
        at += units;
        i += size;
    }
    *result = slice_make(bytes, (size_t)(to - bytes));
    return true;
}

static bool functions_mask_inner(const struct function_call *call, const struct slice *arguments,
                                 struct slice *result)
{
    return functions_mask_part(call, arguments, true, result);
}

static bool functions_mask_outer(const struct function_call *call, const struct slice *arguments,
                                 struct slice *result)
{
    return functions_mask_part(call, arguments, false, result);
}

void functions_mask_make(struct function *function, struct slice name)
{
    static const struct {
        const char *name;
        bool (*call)(const struct function_call *call, const struct slice *arguments,
                     struct slice *result);
    } table[] = {
        {"mask_null", functions_mask_null},       {"mask_default", functions_mask_default},
        {"mask_replace", functions_mask_replace}, {"mask_hash", functions_mask_hash},
        {"mask_inner", functions_mask_inner},     {"mask_outer", functions_mask_outer},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (slice_equals(name, slice_of_text(table[i].name))) function->call = table[i].call;
    if (function->call == functions_mask_hash) function->result = type_of_kind(TYPE_BLOB);
}
