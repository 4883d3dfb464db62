// Operators: arithmetic of numbers, of times with durations, and texts put together
// (org.apache.cassandra.cql3.functions.OperationFcts).
#include "base/bytes.h"
#include "cql/parser/ast_text.h"
#include "cql/statement/functions_native.h"
#include "storage/value/calendar.h"
#include "storage/value/duration.h"
#include "storage/value/number_math.h"

#include <math.h>
#include <stdio.h>

// ---- Failures -----------------------------------------------------------------------------------

static bool functions_operation_fail(const struct function_call *call, const char *reason)
{
    struct buffer types[2];
    for (size_t i = 0; i < 2; i++) {
        buffer_init(&types[i], 256);
        type_put_cql(call->function->arguments[i], &types[i]);
    }
    functions_set_failure(call, ast_text_operation(call->function->operator));
    cql_error_set_text(call->error, "the operation '%.*s %c %.*s' failed: %s", (int)types[0].size,
                       (const char *)types[0].data, call->function->operator,(int) types[1].size,
                       (const char *)types[1].data, reason);
    buffer_deinit(&types[0]);
    buffer_deinit(&types[1]);
    return false;
}

// ---- Numbers that a register holds --------------------------------------------------------------

static bool functions_operate_whole(const struct function_call *call, int64_t left, int64_t right,
                                    int64_t *value)
{
    uint64_t a = (uint64_t)left, b = (uint64_t)right;
    switch (call->function->operator) {
    case '+':
        *value = (int64_t)(a + b);
        return true;
    case '-':
        *value = (int64_t)(a - b);
        return true;
    case '*':
        *value = (int64_t)(a * b);
        return true;
    default:
        break;
    }
    if (right == 0) return functions_operation_fail(call, "/ by zero");
    bool is_quotient = call->function->operator== '/';
    // The one quotient that does not fit wraps in Java; here it would be undefined.
    if (right == -1)
        *value = is_quotient ? (int64_t)(0 - a) : 0;
    else
        *value = is_quotient ? left / right : left % right;
    return true;
}

static double functions_operate_real(char operator, double left, double right)
{
    switch (operator) {
    case '+':
        return left + right;
    case '-':
        return left - right;
    case '*':
        return left * right;
    case '/':
        return left / right;
    default:
        return fmod(left, right);
    }
}

static bool functions_operate(const struct function_call *call, const struct slice *arguments,
                              struct slice *result)
{
    const struct function *function = call->function;
    enum type_kind left = function->arguments[0]->kind, right = function->arguments[1]->kind;
    enum type_kind to = function->result->kind;
    *result = slice_null();
    if (arguments[0].size == 0 || arguments[1].size == 0) return true;
    if (functions_is_real(to)) {
        double value =
            functions_operate_real(function->operator, functions_get_real(left, arguments[0]),
                                   functions_get_real(right, arguments[1]));
        *result = functions_put_real(call->arena, to, value);
        return true;
    }
    int64_t value = 0;
    if (!functions_operate_whole(call, functions_get_whole(left, arguments[0]),
                                 functions_get_whole(right, arguments[1]), &value))
        return false;
    *result = functions_put_whole(call->arena, to, value);
    return true;
}

// ---- varint and decimal -------------------------------------------------------------------------

static bool functions_operate_varint(const struct function_call *call,
                                     const struct slice *arguments, struct slice *result)
{
    struct slice numbers[2];
    *result = slice_null();
    for (size_t i = 0; i < 2; i++) {
        if (arguments[i].size == 0) return true;
        enum type_kind kind = call->function->arguments[i]->kind;
        numbers[i] =
            kind == TYPE_VARINT
                ? arguments[i]
                : number_math_varint_of_whole(functions_get_whole(kind, arguments[i]), call->arena);
    }
    const char *fault =
        number_math_varint(call->function->operator, numbers[0], numbers[1], call->arena, result);
    return fault == NULL || functions_operation_fail(call, fault);
}

static bool functions_operate_decimal(const struct function_call *call,
                                      const struct slice *arguments, struct slice *result)
{
    struct slice numbers[2];
    *result = slice_null();
    if (arguments[0].size == 0 || arguments[1].size == 0) return true;
    for (size_t i = 0; i < 2; i++) {
        enum type_kind kind = call->function->arguments[i]->kind;
        if (kind == TYPE_DECIMAL && arguments[i].size <= 4) return true;
        const char *fault = functions_make_decimal(kind, arguments[i], call->arena, &numbers[i]);
        if (fault != NULL) return functions_operation_fail(call, fault);
    }
    const char *fault =
        number_math_decimal(call->function->operator, numbers[0], numbers[1], call->arena, result);
    return fault == NULL || functions_operation_fail(call, fault);
}

// ---- Times and durations ------------------------------------------------------------------------

static bool functions_refuse_precision(const struct function_call *call, struct slice duration,
                                       const char *precision)
{
    char reason[160];
    struct buffer text;
    struct duration value;
    buffer_init(&text, 96);
    if (duration_decode(duration, &value) == STATUS_OK) duration_put_text(value, &text);
    snprintf(reason, sizeof reason, "The duration must have a %s precision. Was: %.*s", precision,
             (int)text.size, text.data == NULL ? "" : (const char *)text.data);
    buffer_deinit(&text);
    return functions_operation_fail(call, reason);
}

static bool functions_operate_duration(const struct function_call *call,
                                       const struct slice *arguments, struct slice *result)
{
    enum { NS_PER_MS = 1000000 };
    struct duration duration;
    bool is_date = call->function->result->kind == TYPE_DATE;
    *result = slice_null();
    if (arguments[0].size != (is_date ? 4u : 8u) ||
        duration_decode(arguments[1], &duration) != STATUS_OK)
        return true;
    int sign = call->function->operator== '-' ? -1 : 1;
    duration.months *= sign;
    duration.days *= sign;
    duration.nanoseconds *= sign;
    if (is_date) {
        if (duration.nanoseconds != 0) return functions_refuse_precision(call, arguments[1], "day");
        int64_t days = (int64_t)bytes_get_u32(arguments[0].data) - CALENDAR_DATE_OF_1970;
        days = duration_add_to_ms(duration, days * CALENDAR_MS_PER_DAY) / CALENDAR_MS_PER_DAY;
        *result = functions_put_whole(call->arena, TYPE_INT, days + CALENDAR_DATE_OF_1970);
        return true;
    }
    if (duration.nanoseconds % NS_PER_MS != 0)
        return functions_refuse_precision(call, arguments[1], "millisecond");
    int64_t ms = (int64_t)bytes_get_u64(arguments[0].data);
    *result = functions_put_whole(call->arena, TYPE_BIGINT, duration_add_to_ms(duration, ms));
    return true;
}

// ---- Texts --------------------------------------------------------------------------------------

static bool functions_concatenate(const struct function_call *call, const struct slice *arguments,
                                  struct slice *result)
{
    *result = slice_null();
    if (slice_is_null(arguments[0]) || slice_is_null(arguments[1])) return true;
    size_t size = arguments[0].size + arguments[1].size;
    uint8_t *bytes = arena_alloc(call->arena, size + 1);
    if (arguments[0].size > 0) memcpy(bytes, arguments[0].data, arguments[0].size);
    if (arguments[1].size > 0)
        memcpy(bytes + arguments[0].size, arguments[1].data, arguments[1].size);
    *result = slice_make(bytes, size);
    return true;
}

// ---- Resolving ----------------------------------------------------------------------------------

// Bytes of a number; a large one for what has no bounds.
static size_t functions_number_size(enum type_kind kind)
{
    switch (kind) {
    case TYPE_TINYINT:
        return 1;
    case TYPE_SMALLINT:
        return 2;
    case TYPE_INT:
    case TYPE_FLOAT:
        return 4;
    case TYPE_VARINT:
    case TYPE_DECIMAL:
        return 16;
    default:
        return 8;
    }
}

// The wider of the two, and with a point if one has one (OperationFcts.returnTypeOf).
static enum type_kind functions_wider(enum type_kind left, enum type_kind right)
{
    size_t size = functions_number_size(left);
    if (functions_number_size(right) > size) size = functions_number_size(right);
    bool has_point = functions_is_real(left) || functions_is_real(right) || left == TYPE_DECIMAL ||
                     right == TYPE_DECIMAL;
    if (has_point) return size == 4 ? TYPE_FLOAT : size == 8 ? TYPE_DOUBLE : TYPE_DECIMAL;
    return size == 1   ? TYPE_TINYINT
           : size == 2 ? TYPE_SMALLINT
           : size == 4 ? TYPE_INT
           : size == 8 ? TYPE_BIGINT
                       : TYPE_VARINT;
}

// What an operand may be: numbers, in the order in which Cassandra tries them, then the others.
static const enum type_kind operand_kinds[] = {
    TYPE_TINYINT, TYPE_SMALLINT,  TYPE_INT,    TYPE_BIGINT,  TYPE_FLOAT,
    TYPE_DOUBLE,  TYPE_DECIMAL,   TYPE_VARINT, TYPE_COUNTER, TYPE_TEXT,
    TYPE_ASCII,   TYPE_TIMESTAMP, TYPE_DATE,   TYPE_DURATION};
enum { OPERANDS = sizeof operand_kinds / sizeof *operand_kinds };

// The type of left operator right; TYPE_EMPTY: there is no such operation.
static enum type_kind functions_operation_result(char operator, enum type_kind left,
                                                 enum type_kind right)
{
    bool are_texts =
        (left == TYPE_TEXT || left == TYPE_ASCII) && (right == TYPE_TEXT || right == TYPE_ASCII);
    if (functions_is_number(left) && functions_is_number(right))
        return functions_wider(left, right);
    if (are_texts && operator== '+')
        return left == TYPE_TEXT || right == TYPE_TEXT ? TYPE_TEXT : TYPE_ASCII;
    bool is_time = (left == TYPE_TIMESTAMP || left == TYPE_DATE) && right == TYPE_DURATION;
    return is_time && (operator== '+' || operator== '-') ? left : TYPE_EMPTY;
}

static const struct function *functions_make_operation(struct analysis *analysis, char operator,
                                                       enum type_kind left, enum type_kind right)
{
    const struct type *types[2] = {type_of_kind(left), type_of_kind(right)};
    enum type_kind result = functions_operation_result(operator, left, right);
    struct function *function = functions_make(analysis, ast_text_operation(operator), types, 2);
    function->result = type_of_kind(result);
    function->operator= operator;
    function->call = right == TYPE_DURATION                        ? functions_operate_duration
                     : result == TYPE_TEXT || result == TYPE_ASCII ? functions_concatenate
                     : result == TYPE_VARINT                       ? functions_operate_varint
                     : result == TYPE_DECIMAL                      ? functions_operate_decimal
                                                                   : functions_operate;
    return function;
}

static const struct function *
functions_refuse_operation(struct analysis *analysis, const struct cql_term *raw, bool is_ambiguous)
{
    const char *left = analysis_term_text(analysis, raw->items[0]);
    const char *right = analysis_term_text(analysis, raw->items[1]);
    if (is_ambiguous)
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Ambiguous '%c' operation with args %s and %s: use type hint to "
                      "disambiguate, example '(int) ?'",
                      raw->operator, left, right);
    else
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "the '%c' operation is not supported between %s and %s", raw->operator, left,
                      right);
    return NULL;
}

// FunctionResolver.pickBestMatch() over all pairs of operands: the first that fits exactly; else
// the only one that fits; else the one that is all of the receiver's type.
const struct function *functions_resolve_operation(struct analysis *analysis,
                                                   const struct cql_term *raw,
                                                   const struct function_argument *arguments,
                                                   const struct type *receiver, bool is_reversed)
{
    enum term_fit fits[2][OPERANDS];
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < OPERANDS; k++)
            fits[i][k] =
                functions_argument_fit(analysis, &arguments[i], type_of_kind(operand_kinds[k]));
    size_t fitting = 0;
    enum type_kind left = TYPE_EMPTY, right = TYPE_EMPTY, exact[2] = {TYPE_EMPTY, TYPE_EMPTY};
    bool has_receivers = false;
    for (size_t a = 0; a < OPERANDS; a++)
        for (size_t b = 0; b < OPERANDS; b++) {
            enum type_kind result =
                functions_operation_result(raw->operator, operand_kinds[a], operand_kinds[b]);
            if (result == TYPE_EMPTY || fits[0][a] == TERM_FIT_NOT || fits[1][b] == TERM_FIT_NOT)
                continue;
            if (receiver != NULL && term_type_fits(type_of_kind(result), receiver) == TERM_FIT_NOT)
                continue;
            bool is_exact = fits[0][a] == TERM_FIT_EXACT && fits[1][b] == TERM_FIT_EXACT;
            bool is_receiver =
                receiver != NULL && !is_reversed && receiver->kind == operand_kinds[a] && a == b;
            // Cassandra takes any that is exact; here it is the one that loses nothing.
            if (is_exact && is_receiver)
                return functions_make_operation(analysis, raw->operator, operand_kinds[a],
                                                operand_kinds[b]);
            if (is_exact && exact[0] == TYPE_EMPTY) {
                exact[0] = operand_kinds[a];
                exact[1] = operand_kinds[b];
            }
            fitting++;
            left = operand_kinds[a];
            right = operand_kinds[b];
            if (is_receiver) has_receivers = true;
        }
    if (exact[0] != TYPE_EMPTY)
        return functions_make_operation(analysis, raw->operator, exact[0], exact[1]);
    if (fitting == 0) return functions_refuse_operation(analysis, raw, false);
    if (fitting == 1) return functions_make_operation(analysis, raw->operator, left, right);
    bool has_marker =
        raw->items[0]->kind == CQL_TERM_MARKER || raw->items[1]->kind == CQL_TERM_MARKER;
    if (!has_receivers || has_marker) return functions_refuse_operation(analysis, raw, true);
    return functions_make_operation(analysis, raw->operator, receiver->kind, receiver->kind);
}

// ---- Minus --------------------------------------------------------------------------------------

static bool functions_negate(const struct function_call *call, const struct slice *arguments,
                             struct slice *result)
{
    enum type_kind kind = call->function->result->kind;
    *result = slice_null();
    if (arguments[0].size == 0 || (kind == TYPE_DECIMAL && arguments[0].size <= 4)) return true;
    if (kind == TYPE_VARINT)
        *result = number_math_negate_varint(arguments[0], call->arena);
    else if (kind == TYPE_DECIMAL)
        *result = number_math_negate_decimal(arguments[0], call->arena);
    else if (functions_is_real(kind))
        *result = functions_put_real(call->arena, kind, -functions_get_real(kind, arguments[0]));
    else
        *result = functions_put_whole(
            call->arena, kind, (int64_t)(0 - (uint64_t)functions_get_whole(kind, arguments[0])));
    return true;
}

void functions_negation_make(struct function *function, const struct type *type)
{
    function->result = type;
    function->call = functions_negate;
}
