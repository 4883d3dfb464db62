#include "cql/statement/functions.h"

#include "base/bytes.h"
#include "cql/statement/functions_native.h"
#include "cql/statement/term.h"
#include "storage/uuid.h"

#include <stdio.h>

enum { CANDIDATES_MAX = 48 };

// ---- This node's time uuids ---------------------------------------------------------------------

struct uuid functions_now_uuid(struct query_processor *processor)
{
    uint64_t ticks = (uint64_t)(env_wall_us(processor->env) * 10 + UUID_EPOCH_TICKS);
    if (ticks <= processor->last_uuid_ticks) ticks = processor->last_uuid_ticks + 1;
    processor->last_uuid_ticks = ticks;
    if (processor->uuid_node == 0) {
        // The multicast bit marks a node that is no network card's address.
        processor->uuid_node = env_random_u64(processor->env) | (1ull << 40);
    }
    return uuid_make_time(ticks, (uint16_t)(processor->uuid_node >> 48) & 0x3FFF,
                          processor->uuid_node & 0xFFFFFFFFFFFFull);
}

// ---- Blobs and tokens ---------------------------------------------------------------------------

static bool functions_as_blob(const struct function_call *call, const struct slice *arguments,
                              struct slice *result)
{
    (void)call;
    *result = arguments[0];
    return true;
}

static bool functions_blob_as(const struct function_call *call, const struct slice *arguments,
                              struct slice *result)
{
    struct error error;
    *result = arguments[0];
    if (slice_is_null(arguments[0])) return true;
    if (type_validate(call->function->result, arguments[0], &error) == STATUS_OK) return true;
    struct buffer text, hex;
    buffer_init(&text, 256);
    type_put_cql(call->function->result, &text);
    buffer_init(&hex, 512);
    for (size_t i = 0; i < arguments[0].size; i++)
        buffer_put_format(&hex, "%02x", arguments[0].data[i]);
    cql_error_set(call->error, CQL_ERROR_INVALID,
                  "In call to function system.%s, value 0x%.*s is not a valid binary "
                  "representation for type %.*s",
                  call->function->name, (int)hex.size, hex.data == NULL ? "" : (char *)hex.data,
                  (int)text.size, (const char *)text.data);
    buffer_deinit(&text);
    buffer_deinit(&hex);
    return false;
}

// The token of key components: of a composite, each with its length before and a 0 behind it.
static bool functions_token(const struct function_call *call, const struct slice *arguments,
                            struct slice *result)
{
    struct slice key = arguments[0];
    size_t count = call->function->argument_count;
    *result = slice_null();
    for (size_t i = 0; i < count; i++)
        if (slice_is_null(arguments[i])) return true;
    if (count > 1) {
        size_t size = 0;
        for (size_t i = 0; i < count; i++)
            size += 3 + arguments[i].size;
        uint8_t *bytes = arena_alloc(call->arena, size);
        uint8_t *at = bytes;
        for (size_t i = 0; i < count; i++) {
            bytes_put_u16(at, (uint16_t)arguments[i].size);
            if (arguments[i].size > 0) memcpy(at + 2, arguments[i].data, arguments[i].size);
            at[2 + arguments[i].size] = 0;
            at += 3 + arguments[i].size;
        }
        key = slice_make(bytes, size);
    }
    *result = functions_put_whole(call->arena, TYPE_BIGINT, token_of_key(key).value);
    return true;
}

// ---- Operators ----------------------------------------------------------------------------------

static bool functions_operation_fail(const struct function_call *call, const char *reason)
{
    struct buffer types[2];
    for (size_t i = 0; i < 2; i++) {
        buffer_init(&types[i], 256);
        type_put_cql(call->function->arguments[i], &types[i]);
    }
    cql_error_set(call->error, CQL_ERROR_FUNCTION, "the operation '%.*s %c %.*s' failed: %s",
                  (int)types[0].size, (const char *)types[0].data,
                  call->function->operator,(int) types[1].size, (const char *)types[1].data,
                  reason);
    buffer_deinit(&types[0]);
    buffer_deinit(&types[1]);
    return false;
}

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
        return __builtin_fmod(left, right);
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
    int64_t value;
    if (!functions_operate_whole(call, functions_get_whole(left, arguments[0]),
                                 functions_get_whole(right, arguments[1]), &value))
        return false;
    *result = functions_put_whole(call->arena, to, value);
    return true;
}

static bool functions_negate(const struct function_call *call, const struct slice *arguments,
                             struct slice *result)
{
    enum type_kind kind = call->function->result->kind;
    *result = slice_null();
    if (arguments[0].size == 0) return true;
    if (functions_is_real(kind))
        *result = functions_put_real(call->arena, kind, -functions_get_real(kind, arguments[0]));
    else
        *result = functions_put_whole(
            call->arena, kind, (int64_t)(0 - (uint64_t)functions_get_whole(kind, arguments[0])));
    return true;
}

static size_t functions_number_size(enum type_kind kind)
{
    return kind == TYPE_TINYINT                     ? 1
           : kind == TYPE_SMALLINT                  ? 2
           : kind == TYPE_INT || kind == TYPE_FLOAT ? 4
                                                    : 8;
}

static struct function *functions_make(struct analysis *analysis, const char *name,
                                       const struct type *const *arguments, size_t count)
{
    struct function *function = ARENA_NEW(analysis->arena, struct function);
    const struct type **copy = ARENA_NEW_ARRAY(analysis->arena, const struct type *, count + 1);
    for (size_t i = 0; i < count; i++)
        copy[i] = arguments[i];
    *function =
        (struct function){.name = name, .arguments = copy, .argument_count = (uint16_t)count};
    return function;
}

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

static bool functions_is_text(const struct type *type)
{
    return type->kind == TYPE_TEXT || type->kind == TYPE_ASCII;
}

const struct function *functions_resolve_operation(struct analysis *analysis,
                                                   const struct cql_term *raw,
                                                   const struct type *left,
                                                   const struct type *right)
{
    const struct type *types[2] = {left, right};
    if (raw->operator== '+' && functions_is_text(left) && functions_is_text(right)) {
        struct function *function = functions_make(analysis, "_operation", types, 2);
        function->result = left->kind == TYPE_TEXT ? left : right;
        function->call = functions_concatenate;
        return function;
    }
    bool is_big = left->kind == TYPE_VARINT || left->kind == TYPE_DECIMAL ||
                  right->kind == TYPE_VARINT || right->kind == TYPE_DECIMAL;
    bool numbers[2] = {functions_is_whole(left->kind) || functions_is_real(left->kind),
                       functions_is_whole(right->kind) || functions_is_real(right->kind)};
    if (!numbers[0] || !numbers[1]) {
        if (is_big || right->kind == TYPE_DURATION)
            cql_error_set(analysis->error, CQL_ERROR_INVALID,
                          "Arithmetic of varint, decimal and durations is not supported by Helenus "
                          "yet");
        else
            cql_error_set(analysis->error, CQL_ERROR_INVALID,
                          "the '%c' operation is not supported between %s and %s", raw->operator,
                          analysis_term_text(analysis, raw->items[0]),
                          analysis_term_text(analysis, raw->items[1]));
        return NULL;
    }
    struct function *function = functions_make(analysis, "_operation", types, 2);
    size_t size = functions_number_size(left->kind);
    if (functions_number_size(right->kind) > size) size = functions_number_size(right->kind);
    bool is_real = functions_is_real(left->kind) || functions_is_real(right->kind);
    enum type_kind kind = size == 1   ? TYPE_TINYINT
                          : size == 2 ? TYPE_SMALLINT
                          : size == 4 ? TYPE_INT
                                      : TYPE_BIGINT;
    if (is_real) kind = size <= 4 ? TYPE_FLOAT : TYPE_DOUBLE;
    function->result = type_of_kind(kind);
    function->operator= raw->operator;
    function->call = functions_operate;
    return function;
}

const struct function *functions_resolve_negation(struct analysis *analysis,
                                                  const struct type *operand)
{
    if (!functions_is_whole(operand->kind) && !functions_is_real(operand->kind)) {
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Invalid call to function system._negate, none of its type signatures match");
        return NULL;
    }
    struct function *function = functions_make(analysis, "_negate", &operand, 1);
    function->result = operand;
    function->call = functions_negate;
    return function;
}

const struct function *functions_count_rows(struct analysis *analysis)
{
    struct function *function = functions_make(analysis, "count", NULL, 0);
    bool is_made = functions_any_make(function, slice_of_text("count"), type_of_kind(TYPE_BIGINT));
    return is_made ? function : NULL;
}

const struct function *functions_resolve_cast(struct analysis *analysis, const struct type *from,
                                              const struct type *to, const struct cql_term *raw)
{
    struct function *function = functions_make(analysis, "cast", &from, 1);
    if (functions_cast_make(function, from, to)) return function;
    if (to->kind == TYPE_BLOB || to->kind == TYPE_BOOLEAN || to->kind == TYPE_UUID)
        cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s cannot be cast to %s",
                      analysis_term_text(analysis, raw), analysis_type_text(analysis, to));
    else
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Invalid call to function system.cast_as_%s, none of its type signatures "
                      "match",
                      analysis_type_text(analysis, to));
    return NULL;
}

// ---- By name ------------------------------------------------------------------------------------

// "int" of "intasblob", "int_as_blob"; null when the name is no such.
static struct slice functions_strip(struct slice name, const char *prefix, const char *suffix)
{
    size_t before = strlen(prefix), behind = strlen(suffix);
    if (name.size <= before + behind) return slice_null();
    if (memcmp(name.data, prefix, before) != 0) return slice_null();
    if (memcmp(name.data + name.size - behind, suffix, behind) != 0) return slice_null();
    return slice_make(name.data + before, name.size - before - behind);
}

static const struct type *functions_type_named(struct slice name)
{
    if (slice_equals(name, slice_of_text("varchar"))) return type_of_kind(TYPE_TEXT);
    for (enum type_kind kind = TYPE_ASCII; kind <= TYPE_DURATION; kind++) {
        char text[32];
        struct buffer buffer;
        buffer_init(&buffer, sizeof text);
        type_put_cql(type_of_kind(kind), &buffer);
        bool is_same = slice_equals(name, buffer_slice(&buffer));
        buffer_deinit(&buffer);
        if (is_same && kind != TYPE_BLOB) return type_of_kind(kind);
    }
    return NULL;
}

static size_t functions_add_blob(struct analysis *analysis, const char *name, struct slice word,
                                 const struct function **candidates)
{
    const struct type *blob = type_of_kind(TYPE_BLOB);
    struct slice from = functions_strip(word, "", "_as_blob");
    if (slice_is_null(from)) from = functions_strip(word, "", "asblob");
    struct slice to = functions_strip(word, "blob_as_", "");
    if (slice_is_null(to)) to = functions_strip(word, "blobas", "");
    const struct type *type = NULL;
    if (!slice_is_null(from)) type = functions_type_named(from);
    if (type != NULL) {
        struct function *function = functions_make(analysis, name, &type, 1);
        function->result = blob;
        function->call = functions_as_blob;
        candidates[0] = function;
        return 1;
    }
    if (!slice_is_null(to)) type = functions_type_named(to);
    if (type == NULL) return 0;
    struct function *function = functions_make(analysis, name, &blob, 1);
    function->result = type;
    function->call = functions_blob_as;
    candidates[0] = function;
    return 1;
}

static size_t functions_add_token(struct analysis *analysis, const char *name,
                                  const struct function **candidates)
{
    const struct table *table = analysis->table;
    if (table == NULL) return 0;
    uint16_t count = table->column_counts[COLUMN_PARTITION_KEY];
    const struct type **types = ARENA_NEW_ARRAY(analysis->arena, const struct type *, count);
    for (uint16_t i = 0; i < count; i++)
        types[i] = table->columns[COLUMN_PARTITION_KEY][i].type;
    struct function *function = functions_make(analysis, name, types, count);
    function->result = type_of_kind(TYPE_BIGINT);
    function->call = functions_token;
    candidates[0] = function;
    return 1;
}

static size_t functions_add_numeric(struct analysis *analysis, const char *name, struct slice word,
                                    const struct function **candidates)
{
    static const enum type_kind kinds[] = {TYPE_BIGINT, TYPE_COUNTER,  TYPE_DOUBLE, TYPE_FLOAT,
                                           TYPE_INT,    TYPE_SMALLINT, TYPE_TINYINT};
    size_t count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct type *type = type_of_kind(kinds[i]);
        struct function *function = functions_make(analysis, name, &type, 1);
        if (!functions_numeric_make(function, word, type)) return count;
        candidates[count++] = function;
    }
    return count;
}

static size_t functions_find(struct analysis *analysis, struct slice word,
                             const struct function_argument *arguments, size_t argument_count,
                             const struct function **candidates)
{
    const char *name = analysis_text(analysis->arena, word);
    size_t count = 0;
    for (const struct function_definition *at = functions_time_table; at->name != NULL; at++) {
        if (strcmp(at->name, name) != 0) continue;
        const struct type *types[3];
        for (size_t i = 0; i < at->argument_count; i++)
            types[i] = type_of_kind(at->arguments[i]);
        struct function *function = functions_make(analysis, name, types, at->argument_count);
        function->result = type_of_kind(at->result);
        function->call = at->call;
        candidates[count++] = function;
    }
    if (count > 0) return count;
    if (strcmp(name, "token") == 0) return functions_add_token(analysis, name, candidates);
    count = functions_add_numeric(analysis, name, word, candidates);
    if (count > 0) return count;
    const struct type *any = argument_count > 0 && arguments[0].type != NULL
                                 ? arguments[0].type
                                 : type_of_kind(TYPE_BLOB);
    struct function *function = functions_make(analysis, name, &any, 1);
    if (functions_any_make(function, word, any) ||
        functions_collection_make(analysis, function, word, any)) {
        candidates[0] = function;
        return 1;
    }
    return functions_add_blob(analysis, name, word, candidates);
}

static enum term_fit functions_argument_fit(struct analysis *analysis,
                                            const struct function_argument *argument,
                                            const struct type *type);

// Every argument; the worst one counts.
static enum term_fit functions_fit(struct analysis *analysis, const struct function *function,
                                   const struct function_argument *arguments, size_t count)
{
    enum term_fit fit = TERM_FIT_EXACT;
    if (function->argument_count != count) return TERM_FIT_NOT;
    for (size_t i = 0; i < count; i++) {
        enum term_fit one = functions_argument_fit(analysis, &arguments[i], function->arguments[i]);
        if (one < fit) fit = one;
    }
    return fit;
}

static enum term_fit functions_argument_fit(struct analysis *analysis,
                                            const struct function_argument *argument,
                                            const struct type *type)
{
    if (argument->type != NULL) return term_type_fits(argument->type, type);
    if (argument->term == NULL) return TERM_FIT_NOT;
    enum term_fit fit = term_fits(analysis, argument->term, type);
    // A literal fits best what it looks like.
    if (fit == TERM_FIT_WEAK && argument->term->kind == CQL_TERM_CONSTANT) {
        const struct type *natural = term_natural_type(analysis, argument->term);
        if (natural != NULL && type_equals(natural, type)) return TERM_FIT_EXACT;
    }
    return fit;
}

static void functions_put_signatures(const struct function *const *candidates, size_t count,
                                     struct buffer *text)
{
    for (size_t i = 0; i < count; i++) {
        buffer_put_format(text, "%ssystem.%s : (", i > 0 ? ", " : "", candidates[i]->name);
        for (size_t k = 0; k < candidates[i]->argument_count; k++) {
            if (k > 0) buffer_put_format(text, ", ");
            type_put_cql(candidates[i]->arguments[k], text);
        }
        buffer_put_format(text, ") -> ");
        type_put_cql(candidates[i]->result, text);
    }
}

static const struct function *functions_refuse(struct analysis *analysis,
                                               const struct cql_qualified_name *name,
                                               const struct function *const *candidates,
                                               size_t count, const char *format)
{
    struct buffer text, written;
    buffer_init(&text, CQL_ERROR_TEXT_SIZE);
    buffer_init(&written, CQL_ERROR_TEXT_SIZE);
    functions_put_signatures(candidates, count, &text);
    if (!slice_is_null(name->keyspace))
        buffer_put_format(&written, "%.*s.", SLICE_TEXT(name->keyspace));
    buffer_put_format(&written, "%.*s", SLICE_TEXT(name->name));
    if (format[0] == 'I')
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Invalid call to function %.*s, none of its type signatures match (known "
                      "type signatures: %.*s)",
                      (int)written.size, (const char *)written.data, (int)text.size,
                      (const char *)text.data);
    else
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Ambiguous call to function %.*s (can be matched by following signatures: "
                      "%.*s): use type casts to disambiguate",
                      (int)written.size, (const char *)written.data, (int)text.size,
                      (const char *)text.data);
    buffer_deinit(&text);
    buffer_deinit(&written);
    return NULL;
}

static const struct function *functions_unknown(struct analysis *analysis,
                                                const struct cql_qualified_name *name,
                                                bool in_selection)
{
    bool has_keyspace = !slice_is_null(name->keyspace);
    struct slice keyspace = has_keyspace ? name->keyspace : slice_make("", 0);
    const char *format =
        in_selection ? "Unknown function '%.*s%s%.*s'" : "Unknown function %.*s%s%.*s called";
    cql_error_set(analysis->error, CQL_ERROR_INVALID, format, SLICE_TEXT(keyspace),
                  has_keyspace ? "." : "", SLICE_TEXT(name->name));
    return NULL;
}

// The only function of its name: each argument is checked for itself, for the clearer message.
static const struct function *functions_check_only(struct analysis *analysis,
                                                   const struct function *function,
                                                   const struct function_argument *arguments,
                                                   size_t count)
{
    if (function->argument_count != count) {
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Invalid number of arguments in call to function system.%s: %d required but "
                      "%zu provided",
                      function->name, function->argument_count, count);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (functions_argument_fit(analysis, &arguments[i], function->arguments[i]) != TERM_FIT_NOT)
            continue;
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Type error: %s cannot be passed as argument %zu of function system.%s of "
                      "type %s",
                      analysis_term_text(analysis, arguments[i].term), i, function->name,
                      analysis_type_text(analysis, function->arguments[i]));
        return NULL;
    }
    return function;
}

const struct function *functions_resolve(struct analysis *analysis,
                                         const struct cql_qualified_name *name,
                                         const struct function_argument *arguments, size_t count,
                                         bool in_selection)
{
    const struct function *candidates[CANDIDATES_MAX];
    size_t found = 0;
    bool is_system =
        slice_is_null(name->keyspace) || slice_equals(name->keyspace, slice_of_text("system"));
    if (is_system) found = functions_find(analysis, name->name, arguments, count, candidates);
    if (found == 0) return functions_unknown(analysis, name, in_selection);
    if (found == 1) return functions_check_only(analysis, candidates[0], arguments, count);
    const struct function *fitting[CANDIDATES_MAX];
    size_t fitting_count = 0;
    for (size_t i = 0; i < found; i++) {
        enum term_fit fit = functions_fit(analysis, candidates[i], arguments, count);
        if (fit == TERM_FIT_EXACT) return candidates[i];
        if (fit == TERM_FIT_WEAK) fitting[fitting_count++] = candidates[i];
    }
    if (fitting_count == 1) return fitting[0];
    if (fitting_count == 0) return functions_refuse(analysis, name, candidates, found, "I");
    return functions_refuse(analysis, name, fitting, fitting_count, "A");
}
