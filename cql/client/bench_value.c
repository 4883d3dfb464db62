#include "cql/client/bench_value.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// Of one value; more would not fit the frames that a server takes.
enum { VALUE_SIZE_MAX = 1024 * 1024 };

// ---- Zipf --------------------------------------------------------------------------------------
//
// Rejection-inversion (W. Hörmann, G. Derflinger, 1996): constant time for any limit and exponent.
// `area` is the integral of x^-exponent, shifted so that it is right for exponent 1 too.

static double area(double exponent, double x)
{
    double t = (1 - exponent) * log(x);
    return fabs(t) < 1e-8 ? log(x) * (1 + t / 2) : expm1(t) / (1 - exponent);
}

static double inverse_area(double exponent, double y)
{
    double t = y * (1 - exponent);
    if (t < -1) t = -1; // Rounding.
    return fabs(t) < 1e-8 ? exp(y * (1 - t / 2)) : exp(log1p(t) / (1 - exponent));
}

static void prepare_zipf(struct bench_value *value, uint64_t limit)
{
    double e = value->exponent;
    value->zipf_first = area(e, 1.5) - 1;
    value->zipf_last = area(e, (double)limit + 0.5);
    value->zipf_squeeze = 2 - inverse_area(e, area(e, 2.5) - pow(2, -e));
}

// 1 … limit, which was prepared.
static uint64_t next_zipf(const struct bench_value *value, uint64_t limit, struct random *random)
{
    for (;;) {
        double u = value->zipf_last + random_f64(random) * (value->zipf_first - value->zipf_last);
        double x = inverse_area(value->exponent, u);
        double k = floor(x + 0.5);
        if (k < 1) k = 1;
        if (k > (double)limit) k = (double)limit;
        if (k - x <= value->zipf_squeeze ||
            u >= area(value->exponent, k + 0.5) - pow(k, -value->exponent))
            return (uint64_t)k;
    }
}

// ---- Gaussian ----------------------------------------------------------------------------------

// 0 … limit - 1 about the middle. The ends are three deviations away: what lies beyond, one in 370,
// is drawn again.
static uint64_t next_gaussian(uint64_t limit, struct random *random)
{
    for (;;) {
        // G. Box, M. Muller, 1958. The first number is above 0.
        double radius = sqrt(-2 * log(1 - random_f64(random)));
        double normal = radius * cos(2 * 3.14159265358979323846 * random_f64(random));
        double number = floor(((double)limit) * (0.5 + normal / 6));
        if (number >= 0 && number < (double)limit) return (uint64_t)number;
    }
}

// ---- Parsing -----------------------------------------------------------------------------------

static bool find_type(const char *name, enum type_kind *kind)
{
    static const struct {
        const char *name;
        enum type_kind kind;
    } types[] = {
        {"text", TYPE_TEXT},           {"varchar", TYPE_TEXT},
        {"ascii", TYPE_ASCII},         {"blob", TYPE_BLOB},
        {"boolean", TYPE_BOOLEAN},     {"tinyint", TYPE_TINYINT},
        {"smallint", TYPE_SMALLINT},   {"int", TYPE_INT},
        {"bigint", TYPE_BIGINT},       {"counter", TYPE_COUNTER},
        {"timestamp", TYPE_TIMESTAMP}, {"float", TYPE_FLOAT},
        {"double", TYPE_DOUBLE},       {"uuid", TYPE_UUID},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name) != 0) continue;
        *kind = types[i].kind;
        return true;
    }
    return false;
}

static bool find_kind(const char *name, enum bench_value_kind *kind)
{
    static const char *const kinds[] = {"zipf",     "uniform", "sequence",
                                        "constant", "random",  "gaussian"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i], name) != 0) continue;
        *kind = (enum bench_value_kind)i;
        return true;
    }
    return false;
}

static enum status parse_sizes(const char *argument, struct bench_value *value, struct error *error)
{
    if (value->kind != BENCH_VALUE_RANDOM)
        return error_set(error, STATUS_MALFORMED, "sizes are for random only");
    if (find_kind(argument, &value->sizes) &&
        (value->sizes == BENCH_VALUE_ZIPF || value->sizes == BENCH_VALUE_UNIFORM ||
         value->sizes == BENCH_VALUE_GAUSSIAN))
        return STATUS_OK;
    return error_set(error, STATUS_MALFORMED, "sizes are zipf, uniform or gaussian, not '%s'",
                     argument);
}

static enum status parse_size_min(const char *argument, struct bench_value *value,
                                  struct error *error)
{
    char *end;
    value->size_min = strtoull(argument, &end, 10);
    if (*end == '\0' && value->kind == BENCH_VALUE_RANDOM && value->size_min <= value->limit)
        return STATUS_OK;
    return error_set(error, STATUS_MALFORMED, "from is the least size of a random value");
}

static enum status parse_options(char *rest, struct bench_value *value, struct error *error)
{
    char *save, *name;
    for (name = strtok_r(rest, " \t", &save); name != NULL; name = strtok_r(NULL, " \t", &save)) {
        const char *argument = strtok_r(NULL, " \t", &save);
        if (argument == NULL)
            return error_set(error, STATUS_MALFORMED, "'%s' needs a value behind it", name);
        if (strcmp(name, "prefix") == 0) {
            if (strlen(argument) >= sizeof value->prefix)
                return error_set(error, STATUS_MALFORMED, "the prefix is too long");
            strcpy(value->prefix, argument);
        } else if (strcmp(name, "pad") == 0) {
            value->pad = atoi(argument);
            if (value->pad < 0 || value->pad > 20)
                return error_set(error, STATUS_MALFORMED, "pad is from 0 to 20");
        } else if (strcmp(name, "exponent") == 0) {
            value->exponent = strtod(argument, NULL);
            if (!(value->exponent > 0 && value->exponent <= 10))
                return error_set(error, STATUS_MALFORMED, "exponent is above 0 and at most 10");
        } else if (strcmp(name, "sizes") == 0 || strcmp(name, "from") == 0) {
            enum status status = name[0] == 's' ? parse_sizes(argument, value, error)
                                                : parse_size_min(argument, value, error);
            if (status != STATUS_OK) return status;
        } else {
            return error_set(error, STATUS_MALFORMED,
                             "'%s' is none of prefix, pad, exponent, sizes, from", name);
        }
    }
    return STATUS_OK;
}

enum status bench_value_parse(const char *text, struct bench_value *value, struct error *error)
{
    char type[32], kind[32], argument[32] = "";
    int at = 0;
    if (sscanf(text, "%31s %31s %n", type, kind, &at) != 2 || at == 0)
        return error_set(error, STATUS_MALFORMED, "'%s': a type and a kind are needed", text);
    *value = (struct bench_value){.exponent = 1, .sizes = BENCH_VALUE_CONSTANT};
    if (!find_type(type, &value->type))
        return error_set(error, STATUS_MALFORMED, "'%s' is no type for a bind", type);
    if (!find_kind(kind, &value->kind))
        return error_set(error, STATUS_MALFORMED,
                         "'%s' is none of zipf, uniform, gaussian, sequence, constant, random",
                         kind);
    // The argument may be left out of a sequence: the next word is then an option's name.
    int argument_size = 0;
    if (sscanf(text + at, "%31s%n", argument, &argument_size) == 1 &&
        (value->kind != BENCH_VALUE_SEQUENCE || (argument[0] >= '0' && argument[0] <= '9')))
        at += argument_size;
    else if (value->kind != BENCH_VALUE_SEQUENCE)
        return error_set(error, STATUS_MALFORMED, "'%s' needs a number behind it", kind);
    value->limit = strtoull(argument, NULL, 10);
    bool needs_limit = value->kind == BENCH_VALUE_ZIPF || value->kind == BENCH_VALUE_UNIFORM ||
                       value->kind == BENCH_VALUE_GAUSSIAN;
    if (needs_limit && (value->limit == 0 || value->limit > INT64_MAX))
        return error_set(error, STATUS_MALFORMED, "'%s %s': a number above 0 is needed", kind,
                         argument);
    bool is_bytes =
        value->type == TYPE_TEXT || value->type == TYPE_ASCII || value->type == TYPE_BLOB;
    if (value->kind == BENCH_VALUE_RANDOM && (!is_bytes || value->limit > VALUE_SIZE_MAX))
        return error_set(error, STATUS_MALFORMED,
                         "random is for text and blob, of at most %d bytes", VALUE_SIZE_MAX);
    char rest[256];
    if (strlen(text + at) >= sizeof rest)
        return error_set(error, STATUS_MALFORMED, "the line is too long");
    strcpy(rest, text + at);
    enum status status = parse_options(rest, value, error);
    if (status != STATUS_OK) return status;
    if (value->kind == BENCH_VALUE_ZIPF) prepare_zipf(value, value->limit);
    if (value->sizes == BENCH_VALUE_ZIPF) prepare_zipf(value, value->limit - value->size_min + 1);
    return STATUS_OK;
}

// ---- Making ------------------------------------------------------------------------------------

uint64_t bench_value_next_number(struct bench_value *value, struct random *random)
{
    switch (value->kind) {
    case BENCH_VALUE_ZIPF:
        return next_zipf(value, value->limit, random);
    case BENCH_VALUE_UNIFORM:
        return random_below(random, value->limit);
    case BENCH_VALUE_GAUSSIAN:
        return next_gaussian(value->limit, random);
    case BENCH_VALUE_SEQUENCE:
        return value->limit++;
    case BENCH_VALUE_CONSTANT:
    case BENCH_VALUE_RANDOM:
        break;
    }
    return value->limit;
}

static size_t next_size(const struct bench_value *value, struct random *random)
{
    uint64_t count = value->limit - value->size_min + 1;
    switch (value->sizes) {
    case BENCH_VALUE_ZIPF:
        return (size_t)(value->size_min + next_zipf(value, count, random) - 1);
    case BENCH_VALUE_UNIFORM:
        return (size_t)(value->size_min + random_below(random, count));
    case BENCH_VALUE_GAUSSIAN:
        return (size_t)(value->size_min + next_gaussian(count, random));
    default:
        return (size_t)value->limit;
    }
}

static struct slice make_random_bytes(const struct bench_value *value, struct random *random,
                                      struct arena *arena)
{
    size_t size = next_size(value, random);
    uint8_t *bytes = arena_alloc(arena, size + 1);
    random_bytes(random, bytes, size);
    if (value->type != TYPE_BLOB)
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)('a' + bytes[i] % 26);
    return slice_make(bytes, size);
}

static struct slice make_text(const struct bench_value *value, uint64_t number, struct arena *arena)
{
    enum { TEXT_SIZE = 96 };
    char *text = arena_alloc(arena, TEXT_SIZE);
    int length = snprintf(text, TEXT_SIZE, "%s%0*" PRIu64, value->prefix, value->pad, number);
    return slice_make(text, (size_t)length);
}

// The same number gives the same uuid, of version 4 in form.
static struct slice make_uuid(uint64_t number, struct arena *arena)
{
    uint8_t *bytes = arena_alloc(arena, 16);
    uint64_t mixed = number * 0x9E3779B97F4A7C15ull;
    bytes_put_u64(bytes, mixed ^ mixed >> 32);
    bytes_put_u64(bytes + 8, number);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    return slice_make(bytes, 16);
}

struct slice bench_value_next(struct bench_value *value, struct random *random, struct arena *arena)
{
    if (value->kind == BENCH_VALUE_RANDOM) return make_random_bytes(value, random, arena);
    uint64_t number = bench_value_next_number(value, random);
    uint8_t *bytes;
    switch (value->type) {
    case TYPE_UUID:
        return make_uuid(number, arena);
    case TYPE_BOOLEAN:
    case TYPE_TINYINT:
        bytes = arena_alloc(arena, 1);
        bytes[0] = (uint8_t)(value->type == TYPE_BOOLEAN ? number & 1 : number);
        return slice_make(bytes, 1);
    case TYPE_SMALLINT:
        bytes = arena_alloc(arena, 2);
        bytes_put_u16(bytes, (uint16_t)number);
        return slice_make(bytes, 2);
    case TYPE_INT:
    case TYPE_FLOAT: {
        float real = (float)number;
        uint32_t bits = (uint32_t)number;
        if (value->type == TYPE_FLOAT) memcpy(&bits, &real, sizeof bits);
        bytes = arena_alloc(arena, 4);
        bytes_put_u32(bytes, bits);
        return slice_make(bytes, 4);
    }
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_TIMESTAMP:
    case TYPE_DOUBLE: {
        double real = (double)number;
        if (value->type == TYPE_DOUBLE) memcpy(&number, &real, sizeof number);
        bytes = arena_alloc(arena, 8);
        bytes_put_u64(bytes, number);
        return slice_make(bytes, 8);
    }
    default:
        return make_text(value, number, arena);
    }
}
