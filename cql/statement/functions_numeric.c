// Numbers: their bytes, functions of one number, aggregates and casts
// (org.apache.cassandra.cql3.functions.MathFcts, AggregateFcts, CastFcts).
#include "base/bytes.h"
#include "cql/statement/functions_native.h"
#include "storage/value.h"

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
    (void)kind; // The size says it.
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

double functions_get_real(enum type_kind kind, struct slice bytes)
{
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
static int64_t functions_whole_of_real(enum type_kind kind, double value)
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
        *result = arguments[0];
        return true;
    }
    // Java's Math.round: half goes up.
    double value = functions_get_real(kind, arguments[0]);
    return functions_numeric_real_result(call, floor(value + 0.5), result);
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
    bool is_whole = functions_is_whole(type->kind);
    if (!is_whole && !functions_is_real(type->kind)) return false;
    function->result = type;
    if (functions_name_is(name, "abs")) {
        function->call = functions_numeric_abs;
    } else if (functions_name_is(name, "exp")) {
        function->call = functions_numeric_exp;
    } else if (functions_name_is(name, "log")) {
        function->call = functions_numeric_log;
    } else if (functions_name_is(name, "log10")) {
        function->call = functions_numeric_log10;
    } else if (functions_name_is(name, "round")) {
        function->call = functions_numeric_round;
    } else if (functions_name_is(name, "sum")) {
        function->add = functions_sum_add;
        function->finish = functions_sum_finish;
    } else if (functions_name_is(name, "avg")) {
        function->add = functions_avg_add;
        function->finish = is_whole ? functions_avg_whole_finish : functions_avg_finish;
    } else {
        return false;
    }
    return true;
}

static bool functions_to_json(const struct function_call *call, const struct slice *arguments,
                              struct slice *result)
{
    struct buffer text;
    buffer_init(&text, 1u << 28);
    value_put_json(call->function->arguments[0], arguments[0], &text);
    *result = arena_copy(call->arena, buffer_slice(&text));
    buffer_deinit(&text);
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
    } else if (functions_name_is(name, "tojson") || functions_name_is(name, "to_json")) {
        function->result = type_of_kind(TYPE_TEXT);
        function->call = functions_to_json;
    } else {
        return false;
    }
    return true;
}

// ---- Casts --------------------------------------------------------------------------------------

static bool functions_cast_number(const struct function_call *call, const struct slice *arguments,
                                  struct slice *result)
{
    enum type_kind from = call->function->arguments[0]->kind;
    enum type_kind to = call->function->result->kind;
    *result = slice_null();
    if (arguments[0].size == 0) return true;
    if (functions_is_real(to))
        *result = functions_put_real(call->arena, to, functions_get_real(from, arguments[0]));
    else if (functions_is_real(from))
        return functions_numeric_real_result(call, functions_get_real(from, arguments[0]), result);
    else
        *result = functions_put_whole(call->arena, to, functions_get_whole(from, arguments[0]));
    return true;
}

static bool functions_cast_text(const struct function_call *call, const struct slice *arguments,
                                struct slice *result)
{
    *result = slice_null();
    if (slice_is_null(arguments[0])) return true;
    struct buffer text;
    buffer_init(&text, 1u << 28);
    value_put_cast(call->function->arguments[0], arguments[0], &text);
    *result = arena_copy(call->arena, buffer_slice(&text));
    buffer_deinit(&text);
    return true;
}

static bool functions_cast_same(const struct function_call *call, const struct slice *arguments,
                                struct slice *result)
{
    (void)call;
    *result = arguments[0];
    return true;
}

static bool functions_is_time(enum type_kind kind)
{
    return kind == TYPE_TIMESTAMP || kind == TYPE_DATE || kind == TYPE_TIMEUUID;
}

bool functions_cast_make(struct function *function, const struct type *from, const struct type *to)
{
    bool from_number = functions_is_whole(from->kind) || functions_is_real(from->kind);
    bool to_number = functions_is_whole(to->kind) || functions_is_real(to->kind);
    function->result = to;
    if (type_equals(from, to)) {
        function->call = functions_cast_same;
        return true;
    }
    if (from_number && to_number && to->kind != TYPE_COUNTER) {
        function->call = functions_cast_number;
        return true;
    }
    if (from->kind == TYPE_TIMESTAMP && to->kind == TYPE_BIGINT) {
        function->call = functions_cast_same;
        return true;
    }
    bool to_text = to->kind == TYPE_TEXT || to->kind == TYPE_ASCII;
    bool from_text_like =
        from_number || functions_is_time(from->kind) || from->kind == TYPE_BOOLEAN ||
        from->kind == TYPE_ASCII || from->kind == TYPE_UUID || from->kind == TYPE_INET ||
        from->kind == TYPE_TIME || from->kind == TYPE_VARINT || from->kind == TYPE_DECIMAL;
    if (to_text && from_text_like) {
        function->call = from->kind == TYPE_ASCII ? functions_cast_same : functions_cast_text;
        return true;
    }
    if (!functions_is_time(from->kind) || to->kind == TYPE_TIMEUUID || to->kind == TYPE_TEXT)
        return false;
    const char *name = to->kind == TYPE_DATE        ? "to_date"
                       : to->kind == TYPE_TIMESTAMP ? "to_timestamp"
                                                    : NULL;
    for (const struct function_definition *at = functions_time_table;
         name != NULL && at->name != NULL; at++) {
        if (strcmp(at->name, name) != 0 || at->arguments[0] != from->kind) continue;
        function->call = at->call;
        return true;
    }
    return false;
}
