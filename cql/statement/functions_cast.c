// CAST between scalars (org.apache.cassandra.cql3.functions.CastFcts).
#include "base/bytes.h"
#include "cql/statement/functions_native.h"
#include "storage/value.h"
#include "storage/value/number.h"
#include "storage/value/number_math.h"

#include <math.h>

// ---- Numbers ------------------------------------------------------------------------------------

static int64_t functions_cast_whole(enum type_kind from, enum type_kind to, struct slice value)
{
    if (from == TYPE_VARINT) return number_math_whole_of_varint(value);
    if (from == TYPE_DECIMAL) return number_math_whole_of_decimal(value);
    if (functions_is_real(from))
        return functions_whole_of_real(to, functions_get_real(from, value));
    return functions_get_whole(from, value);
}

// new BigDecimal(Double.toString(…)); whole numbers exactly.
static bool functions_cast_decimal(const struct function_call *call, enum type_kind from,
                                   struct slice value, struct slice *result)
{
    if (from == TYPE_VARINT) {
        *result = number_math_decimal_of_varint(value, call->arena);
        return true;
    }
    if (!functions_is_real(from)) {
        *result = number_math_decimal_of_whole(functions_get_whole(from, value), call->arena);
        return true;
    }
    double real = functions_get_real(from, value);
    if (!isfinite(real))
        return cql_error_set(call->error, CQL_ERROR_SERVER,
                             "java.lang.NumberFormatException: Character %c is neither a decimal "
                             "digit number, decimal point, nor \"e\" notation exponential mark.",
                             isnan(real) ? 'N' : 'I');
    struct buffer text;
    buffer_init(&text, 64);
    value_put_cast(type_of_kind(from), value, &text);
    enum status status = number_parse_decimal(buffer_slice(&text), call->arena, result);
    buffer_deinit(&text);
    return status == STATUS_OK;
}

static bool functions_cast_number(const struct function_call *call, const struct slice *arguments,
                                  struct slice *result)
{
    enum type_kind from = call->function->arguments[0]->kind;
    enum type_kind to = call->function->result->kind;
    *result = slice_null();
    if (arguments[0].size == 0 || (from == TYPE_DECIMAL && arguments[0].size <= 4)) return true;
    if (to == TYPE_DECIMAL) return functions_cast_decimal(call, from, arguments[0], result);
    if (functions_is_real(to)) {
        double value = functions_get_real(from, arguments[0]);
        *result = functions_put_real(call->arena, to, value);
        return true;
    }
    if (to == TYPE_VARINT)
        *result = number_math_varint_of_whole(functions_cast_whole(from, TYPE_BIGINT, arguments[0]),
                                              call->arena);
    else
        *result =
            functions_put_whole(call->arena, to, functions_cast_whole(from, to, arguments[0]));
    return true;
}

// ---- Texts --------------------------------------------------------------------------------------

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

static bool functions_cast_has_text(enum type_kind kind)
{
    return functions_is_number(kind) || functions_is_time(kind) || kind == TYPE_BOOLEAN ||
           kind == TYPE_ASCII || kind == TYPE_UUID || kind == TYPE_INET || kind == TYPE_TIME;
}

// ---- Which there are ----------------------------------------------------------------------------

bool functions_cast_make(struct function *function, const struct type *from, const struct type *to)
{
    function->result = to;
    if (from->kind == to->kind) return false;
    if (functions_is_number(from->kind) && functions_is_number(to->kind)) {
        function->call = functions_cast_number;
        return to->kind != TYPE_COUNTER;
    }
    if (to->kind == TYPE_TEXT || to->kind == TYPE_ASCII) {
        function->call = from->kind == TYPE_ASCII ? functions_cast_same : functions_cast_text;
        return functions_cast_has_text(from->kind);
    }
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
