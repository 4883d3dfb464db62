// Numbers: their bytes, functions of one number, and aggregates
// (org.apache.cassandra.cql3.functions.MathFcts, AggregateFcts).
#include "base/bytes.h"
#include "cql/statement/functions_native.h"
#include "storage/value.h"
#include "storage/value/number.h"
#include "storage/value/number_math.h"
#include "storage/value/real.h"

#include <math.h>
#include <stdlib.h>

// ---- Bytes --------------------------------------------------------------------------------------

bool functions_is_whole(enum type_kind kind)
{
    return kind == TYPE_TINYINT || kind == TYPE_SMALLINT || kind == TYPE_INT ||
           kind == TYPE_BIGINT || kind == TYPE_COUNTER;
}

bool functions_is_real(enum type_kind kind)
{
    return kind == TYPE_FLOAT || kind == TYPE_DOUBLE;
}

int64_t functions_get_whole(enum type_kind kind, struct slice bytes)
{
    // Of a blob's literal, which may be as long as it likes, the first byte counts.
    if (kind == TYPE_TINYINT && bytes.size > 0) return (int8_t)bytes.data[0];
    switch (bytes.size) {
    case 1:
        return (int8_t)bytes.data[0];
    case 2:
        return (int16_t)bytes_get_u16(bytes.data);
    case 4:
        return (int32_t)bytes_get_u32(bytes.data);
    case 8:
        return (int64_t)bytes_get_u64(bytes.data);
    default:
        return 0;
    }
}

bool functions_is_number(enum type_kind kind)
{
    return functions_is_whole(kind) || functions_is_real(kind) || kind == TYPE_VARINT ||
           kind == TYPE_DECIMAL;
}

static double functions_get_big(enum type_kind kind, struct slice bytes)
{
    double value = 0;
    struct buffer text;
    buffer_init(&text, 1u << 28);
    value_put_cast(type_of_kind(kind), bytes, &text);
    if (real_parse_double(buffer_slice(&text), &value) != STATUS_OK) value = 0;
    buffer_deinit(&text);
    return value;
}

double functions_get_real(enum type_kind kind, struct slice bytes)
{
    if (kind == TYPE_VARINT || kind == TYPE_DECIMAL) return functions_get_big(kind, bytes);
    if (functions_is_whole(kind)) return (double)functions_get_whole(kind, bytes);
    if (bytes.size == 4) {
        uint32_t bits = bytes_get_u32(bytes.data);
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    if (bytes.size != 8) return 0;
    uint64_t bits = bytes_get_u64(bytes.data);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const char *functions_make_decimal(enum type_kind kind, struct slice bytes, struct arena *arena,
                                   struct slice *decimal)
{
    if (kind == TYPE_DECIMAL) {
        *decimal = bytes;
        return NULL;
    }
    if (kind == TYPE_VARINT) {
        *decimal = number_math_decimal_of_varint(bytes, arena);
        return NULL;
    }
    // Also whole numbers go by way of a double, and lose what it does not hold.
    double value = functions_get_real(kind, bytes);
    if (isnan(value)) return "A NaN cannot be converted into a decimal";
    if (isinf(value)) return "An infinite number cannot be converted into a decimal";
    struct buffer text;
    buffer_init(&text, 64);
    real_put_double(value, &text);
    enum status status = number_parse_decimal(buffer_slice(&text), arena, decimal);
    buffer_deinit(&text);
    return status == STATUS_OK ? NULL : "A number cannot be converted into a decimal";
}

struct slice functions_put_whole(struct arena *arena, enum type_kind kind, int64_t value)
{
    uint8_t *bytes = arena_alloc(arena, 8);
    switch (kind) {
    case TYPE_TINYINT:
        bytes[0] = (uint8_t)value;
        return slice_make(bytes, 1);
    case TYPE_SMALLINT:
        bytes_put_u16(bytes, (uint16_t)value);
        return slice_make(bytes, 2);
    case TYPE_INT:
        bytes_put_u32(bytes, (uint32_t)value);
        return slice_make(bytes, 4);
    default:
        bytes_put_u64(bytes, (uint64_t)value);
        return slice_make(bytes, 8);
    }
}

struct slice functions_put_real(struct arena *arena, enum type_kind kind, double value)
{
    uint8_t *bytes = arena_alloc(arena, 8);
    if (kind == TYPE_FLOAT) {
        float single = (float)value;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        bytes_put_u32(bytes, bits);
        return slice_make(bytes, 4);
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bytes_put_u64(bytes, bits);
    return slice_make(bytes, 8);
}

// Java's narrowing of a double: NaN is 0, what is too large stays at the end of the range.
int64_t functions_whole_of_real(enum type_kind kind, double value)
{
    int64_t low = INT64_MIN, high = INT64_MAX;
    if (kind != TYPE_BIGINT && kind != TYPE_COUNTER) {
        low = INT32_MIN;
        high = INT32_MAX;
    }
    if (isnan(value)) return 0;
    if (value <= (double)low) return low;
    if (value >= (double)high) return high;
    return (int64_t)value;
}

// ---- Functions of one number --------------------------------------------------------------------

static bool functions_numeric_real_result(const struct function_call *call, double value,
                                          struct slice *result)
{
    enum type_kind kind = call->function->result->kind;
    *result = functions_is_real(kind)
                  ? functions_put_real(call->arena, kind, value)
                  : functions_put_whole(call->arena, kind, functions_whole_of_real(kind, value));
    return true;
}

#define FUNCTIONS_REAL(name, expression)                                                           \
    static bool functions_numeric_##name(const struct function_call *call,                         \
                                         const struct slice *arguments, struct slice *result)      \
    {                                                                                              \
        *result = slice_null();                                                                    \
        if (arguments[0].size == 0) return true;                                                   \
        double x = functions_get_real(call->function->arguments[0]->kind, arguments[0]);           \
        return functions_numeric_real_result(call, expression, result);                            \
    }
FUNCTIONS_REAL(exp, exp(x))
FUNCTIONS_REAL(log, log(x))
FUNCTIONS_REAL(log10, log10(x))

static bool functions_numeric_abs(const struct function_call *call, const struct slice *arguments,
                                  struct slice *result)
{
    enum type_kind kind = call->function->result->kind;
    *result = slice_null();
    if (arguments[0].size == 0) return true;
    if (functions_is_real(kind))
        return functions_numeric_real_result(call, fabs(functions_get_real(kind, arguments[0])),
                                             result);
    int64_t value = functions_get_whole(kind, arguments[0]);
    if (value < 0) value = (int64_t)(0 - (uint64_t)value);
    *result = functions_put_whole(call->arena, kind, value);
    return true;
}

static bool functions_numeric_round(const struct function_call *call, const struct slice *arguments,
                                    struct slice *result)
{
    enum type_kind kind = call->function->result->kind;
    *result = slice_null();
    if (arguments[0].size == 0) return true;
    if (!functions_is_real(kind)) {
        *result = functions_put_whole(call->arena, kind, functions_get_whole(kind, arguments[0]));
        return true;
    }
    // Java's Math.round: half goes up, and the result is an int or a long for a while.
    double value = functions_get_real(kind, arguments[0]), low = floor(value);
    if (value - low >= 0.5) low += 1;
    int64_t whole = functions_whole_of_real(kind == TYPE_FLOAT ? TYPE_INT : TYPE_BIGINT, low);
    return functions_numeric_real_result(call, (double)whole, result);
}

// ---- Functions of one number without bounds -----------------------------------------------------

// Not empty: a decimal has more than its scale.
static bool functions_has_big(enum type_kind kind, struct slice value)
{
    return value.size > (kind == TYPE_DECIMAL ? 4 : 0);
}

static bool functions_big_abs(const struct function_call *call, const struct slice *arguments,
                              struct slice *result)
{
    enum type_kind kind = call->function->result->kind;
    *result = slice_null();
    if (!functions_has_big(kind, arguments[0])) return true;
    *result = arguments[0];
    if (kind == TYPE_VARINT && number_math_is_negative_varint(arguments[0]))
        *result = number_math_negate_varint(arguments[0], call->arena);
    if (kind == TYPE_DECIMAL && number_math_is_negative_decimal(arguments[0]))
        *result = number_math_negate_decimal(arguments[0], call->arena);
    return true;
}

// An ArithmeticException that nobody catches.
static bool functions_big_fail(const struct function_call *call, const char *fault)
{
    return cql_error_set(call->error, CQL_ERROR_SERVER, "java.lang.ArithmeticException: %s", fault);
}

static bool functions_big_round(const struct function_call *call, const struct slice *arguments,
                                struct slice *result)
{
    enum type_kind kind = call->function->result->kind;
    *result = slice_null();
    if (!functions_has_big(kind, arguments[0])) return true;
    *result = arguments[0];
    if (kind == TYPE_VARINT) return true;
    const char *fault = number_math_round_decimal(arguments[0], call->arena, result);
    return fault == NULL || functions_big_fail(call, fault);
}

// A varint's is a decimal's, without what is behind the point.
static bool functions_big_apply(const struct function_call *call, struct slice value,
                                struct slice *result,
                                const char *(*apply)(struct slice value, struct arena *arena,
                                                     struct slice *result))
{
    enum type_kind kind = call->function->result->kind;
    *result = slice_null();
    if (!functions_has_big(kind, value)) return true;
    if (kind == TYPE_VARINT) value = number_math_decimal_of_varint(value, call->arena);
    const char *fault = apply(value, call->arena, result);
    if (fault == NULL && kind == TYPE_VARINT)
        fault = number_math_varint_of_decimal(*result, call->arena, result);
    return fault == NULL || functions_big_fail(call, fault);
}

static bool functions_big_exp(const struct function_call *call, const struct slice *arguments,
                              struct slice *result)
{
    return functions_big_apply(call, arguments[0], result, number_math_exp);
}

static bool functions_big_log(const struct function_call *call, const struct slice *arguments,
                              struct slice *result)
{
    return functions_big_apply(call, arguments[0], result, number_math_log);
}

static bool functions_big_log10(const struct function_call *call, const struct slice *arguments,
                                struct slice *result)
{
    return functions_big_apply(call, arguments[0], result, number_math_log10);
}

// ---- Aggregates ---------------------------------------------------------------------------------

static bool functions_sum_add(const struct function_call *call, struct slice argument,
                              struct aggregate_state *state)
{
    enum type_kind kind = call->function->result->kind;
    if (argument.size == 0) return true;
    state->count++;
    if (!functions_is_real(kind)) {
        state->whole =
            (int64_t)((uint64_t)state->whole + (uint64_t)functions_get_whole(kind, argument));
        return true;
    }
    // Kahan's summation, and the plain sum beside it for what is not finite.
    double value = functions_get_real(kind, argument);
    state->value = slice_null();
    double corrected = value - state->compensation;
    double sum = state->real + corrected;
    state->compensation = isfinite(sum) ? (sum - state->real) - corrected : 0;
    state->real = sum;
    return true;
}

static bool functions_sum_finish(const struct function_call *call,
                                 const struct aggregate_state *state, struct slice *result)
{
    enum type_kind kind = call->function->result->kind;
    *result = functions_is_real(kind) ? functions_put_real(call->arena, kind, state->real)
                                      : functions_put_whole(call->arena, kind, state->whole);
    return true;
}

static bool functions_avg_finish(const struct function_call *call,
                                 const struct aggregate_state *state, struct slice *result)
{
    enum type_kind kind = call->function->result->kind;
    int64_t count = state->count == 0 ? 1 : state->count;
    if (functions_is_real(kind)) {
        *result = functions_put_real(call->arena, kind, state->real / (double)count);
        return true;
    }
    *result = functions_put_whole(call->arena, kind, state->whole / count);
    return true;
}

// The sum of bigints for an average must not wrap: it has 128 bits, `whole` and above it `high`.
static bool functions_avg_add(const struct function_call *call, struct slice argument,
                              struct aggregate_state *state)
{
    enum type_kind kind = call->function->result->kind;
    if (functions_is_real(kind)) return functions_sum_add(call, argument, state);
    if (argument.size == 0) return true;
    int64_t value = functions_get_whole(kind, argument);
    uint64_t low = (uint64_t)state->whole + (uint64_t)value;
    state->high += (value < 0 ? -1 : 0) + (low < (uint64_t)value ? 1 : 0);
    state->whole = (int64_t)low;
    state->count++;
    return true;
}

static bool functions_avg_whole_finish(const struct function_call *call,
                                       const struct aggregate_state *state, struct slice *result)
{
    __extension__ __int128 sum = state->high;
    sum = (sum << 32 << 32) + (uint64_t)state->whole;
    int64_t average = state->count == 0 ? 0 : (int64_t)(sum / state->count);
    *result = functions_put_whole(call->arena, call->function->result->kind, average);
    return true;
}

// The running sum, or decimal average, is in `value`.
static bool functions_big_add(const struct function_call *call, struct slice argument,
                              struct aggregate_state *state, bool is_average)
{
    enum type_kind kind = call->function->result->kind;
    if (!functions_has_big(kind, argument)) return true;
    state->count++;
    bool is_varint = kind == TYPE_VARINT;
    if (slice_is_null(state->value))
        state->value = is_varint ? number_math_varint_of_whole(0, call->arena)
                                 : number_math_decimal_of_whole(0, call->arena);
    const char *fault =
        is_varint    ? number_math_varint('+', state->value, argument, call->arena, &state->value)
        : is_average ? number_math_decimal_average(state->value, argument, state->count,
                                                   call->arena, &state->value)
                     : number_math_decimal_sum(state->value, argument, call->arena, &state->value);
    return fault == NULL || functions_big_fail(call, fault);
}

static bool functions_big_sum_add(const struct function_call *call, struct slice argument,
                                  struct aggregate_state *state)
{
    return functions_big_add(call, argument, state, false);
}

static bool functions_big_avg_add(const struct function_call *call, struct slice argument,
                                  struct aggregate_state *state)
{
    return functions_big_add(call, argument, state, true);
}

static bool functions_big_sum_finish(const struct function_call *call,
                                     const struct aggregate_state *state, struct slice *result)
{
    bool is_varint = call->function->result->kind == TYPE_VARINT;
    *result = state->value;
    if (slice_is_null(state->value))
        *result = is_varint ? number_math_varint_of_whole(0, call->arena)
                            : number_math_decimal_of_whole(0, call->arena);
    return true;
}

static bool functions_big_avg_finish(const struct function_call *call,
                                     const struct aggregate_state *state, struct slice *result)
{
    (void)functions_big_sum_finish(call, state, result);
    if (call->function->result->kind == TYPE_DECIMAL || state->count == 0) return true;
    struct slice count = number_math_varint_of_whole(state->count, call->arena);
    return number_math_varint('/', *result, count, call->arena, result) == NULL;
}

static bool functions_count_add(const struct function_call *call, struct slice argument,
                                struct aggregate_state *state)
{
    if (call->function->argument_count == 0 || !slice_is_null(argument)) state->count++;
    return true;
}

static bool functions_count_finish(const struct function_call *call,
                                   const struct aggregate_state *state, struct slice *result)
{
    *result = functions_put_whole(call->arena, TYPE_BIGINT, state->count);
    return true;
}

static bool functions_extreme_add(const struct function_call *call, struct slice argument,
                                  struct aggregate_state *state, int sign)
{
    if (slice_is_null(argument)) return true;
    const struct type *type = call->function->result;
    // A counter's value is a number, though its cell is not.
    if (type->kind == TYPE_COUNTER) type = type_of_kind(TYPE_BIGINT);
    if (!slice_is_null(state->value) && type_compare(type, argument, state->value) * sign <= 0)
        return true;
    state->value = arena_copy(call->arena, argument);
    return true;
}

static bool functions_min_add(const struct function_call *call, struct slice argument,
                              struct aggregate_state *state)
{
    return functions_extreme_add(call, argument, state, -1);
}

static bool functions_max_add(const struct function_call *call, struct slice argument,
                              struct aggregate_state *state)
{
    return functions_extreme_add(call, argument, state, 1);
}

static bool functions_extreme_finish(const struct function_call *call,
                                     const struct aggregate_state *state, struct slice *result)
{
    (void)call;
    *result = state->value;
    return true;
}

// ---- Instances ----------------------------------------------------------------------------------

static bool functions_name_is(struct slice name, const char *text)
{
    return slice_equals(name, slice_of_text(text));
}

bool functions_numeric_make(struct function *function, struct slice name, const struct type *type)
{
    typedef bool function_of_one(const struct function_call *call, const struct slice *arguments,
                                 struct slice *result);
    static const struct {
        const char *name;
        function_of_one *small, *big;
    } table[] = {
        {"abs", functions_numeric_abs, functions_big_abs},
        {"exp", functions_numeric_exp, functions_big_exp},
        {"log", functions_numeric_log, functions_big_log},
        {"log10", functions_numeric_log10, functions_big_log10},
        {"round", functions_numeric_round, functions_big_round},
    };
    if (!functions_is_number(type->kind)) return false;
    bool is_big = type->kind == TYPE_VARINT || type->kind == TYPE_DECIMAL;
    bool is_whole = functions_is_whole(type->kind);
    function->result = type;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (functions_name_is(name, table[i].name)) {
            function->call = is_big ? table[i].big : table[i].small;
            return true;
        }
    if (functions_name_is(name, "sum")) {
        function->add = is_big ? functions_big_sum_add : functions_sum_add;
        function->finish = is_big ? functions_big_sum_finish : functions_sum_finish;
    } else if (functions_name_is(name, "avg")) {
        function->add = is_big ? functions_big_avg_add : functions_avg_add;
        function->finish = is_big     ? functions_big_avg_finish
                           : is_whole ? functions_avg_whole_finish
                                      : functions_avg_finish;
    } else {
        return false;
    }
    return true;
}

bool functions_any_make(struct function *function, struct slice name, const struct type *type)
{
    function->result = type;
    if (functions_name_is(name, "min")) {
        function->add = functions_min_add;
        function->finish = functions_extreme_finish;
    } else if (functions_name_is(name, "max")) {
        function->add = functions_max_add;
        function->finish = functions_extreme_finish;
    } else if (functions_name_is(name, "count")) {
        function->result = type_of_kind(TYPE_BIGINT);
        function->add = functions_count_add;
        function->finish = functions_count_finish;
    } else {
        return false;
    }
    return true;
}
