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

// ---- Making and refusing ------------------------------------------------------------------------

struct function *functions_make(struct analysis *analysis, const char *name,
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

void functions_set_failure(const struct function_call *call, const char *name)
{
    struct cql_error *error = call->error;
    cql_error_set(error, CQL_ERROR_FUNCTION, "failed");
    snprintf(error->keyspace, sizeof error->keyspace, "system");
    snprintf(error->table, sizeof error->table, "%s", name);
    for (size_t i = 0; i < call->function->argument_count && i < CQL_ARGUMENTS_MAX; i++) {
        struct buffer text;
        buffer_init(&text, CQL_NAME_SIZE_MAX - 1);
        type_put_cql(call->function->arguments[i], &text);
        snprintf(error->arguments[i], sizeof error->arguments[i], "%.*s",
                 SLICE_TEXT(buffer_slice(&text)));
        buffer_deinit(&text);
        error->argument_count++;
    }
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

const struct function *functions_refuse_call(struct analysis *analysis, const char *name,
                                             const struct function *const *candidates, size_t count,
                                             bool is_ambiguous)
{
    struct buffer text;
    buffer_init(&text, CQL_ERROR_TEXT_SIZE);
    functions_put_signatures(candidates, count, &text);
    if (is_ambiguous)
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Ambiguous call to function %s (can be matched by following signatures: "
                      "%.*s): use type casts to disambiguate",
                      name, SLICE_TEXT(buffer_slice(&text)));
    else
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Invalid call to function %s, none of its type signatures match (known type "
                      "signatures: %.*s)",
                      name, SLICE_TEXT(buffer_slice(&text)));
    buffer_deinit(&text);
    return NULL;
}

const struct function *functions_count_rows(struct analysis *analysis)
{
    struct function *function = functions_make(analysis, "count", NULL, 0);
    bool is_made = functions_any_make(function, slice_of_text("count"), type_of_kind(TYPE_BIGINT));
    return is_made ? function : NULL;
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

static const enum type_kind number_kinds[] = {TYPE_BIGINT,   TYPE_COUNTER, TYPE_DECIMAL,
                                              TYPE_DOUBLE,   TYPE_FLOAT,   TYPE_INT,
                                              TYPE_SMALLINT, TYPE_TINYINT, TYPE_VARINT};

static size_t functions_add_numeric(struct analysis *analysis, const char *name, struct slice word,
                                    const struct function **candidates)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof number_kinds / sizeof *number_kinds; i++) {
        const struct type *type = type_of_kind(number_kinds[i]);
        struct function *function = functions_make(analysis, name, &type, 1);
        if (!functions_numeric_make(function, word, type)) return count;
        candidates[count++] = function;
    }
    return count;
}

// All casts to one type, in the order of the names of what is cast.
static size_t functions_add_casts(struct analysis *analysis, const char *name,
                                  const struct type *to, const struct function **candidates)
{
    static const enum type_kind kinds[] = {
        TYPE_ASCII,     TYPE_BIGINT,   TYPE_BOOLEAN, TYPE_COUNTER, TYPE_DATE,     TYPE_DECIMAL,
        TYPE_DOUBLE,    TYPE_FLOAT,    TYPE_INET,    TYPE_INT,     TYPE_SMALLINT, TYPE_TIME,
        TYPE_TIMESTAMP, TYPE_TIMEUUID, TYPE_TINYINT, TYPE_UUID,    TYPE_VARINT};
    size_t count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct type *from = type_of_kind(kinds[i]);
        struct function *function = functions_make(analysis, name, &from, 1);
        if (functions_cast_make(function, from, to)) candidates[count++] = function;
    }
    return count;
}

static size_t functions_add_negations(struct analysis *analysis, const char *name,
                                      const struct function **candidates)
{
    size_t count = sizeof number_kinds / sizeof *number_kinds;
    for (size_t i = 0; i < count; i++) {
        const struct type *type = type_of_kind(number_kinds[i]);
        struct function *function = functions_make(analysis, name, &type, 1);
        functions_negation_make(function, type);
        candidates[i] = function;
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
    struct slice cast = functions_strip(word, "cast_as_", "");
    const struct type *to = slice_is_null(cast) ? NULL : functions_type_named(cast);
    if (to != NULL) return functions_add_casts(analysis, name, to, candidates);
    const struct type *any = argument_count > 0 ? arguments[0].type : NULL;
    if (argument_count > 0 && any == NULL && arguments[0].term->kind == CQL_TERM_CONSTANT)
        any = term_natural_type(analysis, arguments[0].term);
    if (any == NULL) any = type_of_kind(TYPE_BLOB);
    struct function *function = functions_make(analysis, name, &any, 1);
    if (functions_any_make(function, word, any)) {
        candidates[0] = function;
        return 1;
    }
    return functions_add_blob(analysis, name, word, candidates);
}

// ---- Which fits ---------------------------------------------------------------------------------

enum term_fit functions_argument_fit(struct analysis *analysis,
                                     const struct function_argument *argument,
                                     const struct type *type)
{
    if (argument->type != NULL) return term_type_fits(argument->type, type);
    const struct cql_term *term = argument->term;
    if (term == NULL) return TERM_FIT_NOT;
    enum term_fit fit = term_fits(analysis, term, type);
    while (term->kind == CQL_TERM_TUPLE && term->item_count == 1)
        term = term->items[0]; // Brackets.
    // A literal fits best what it looks like.
    if (fit == TERM_FIT_WEAK && term->kind == CQL_TERM_CONSTANT) {
        const struct type *natural = term_natural_type(analysis, term);
        if (natural != NULL && type_equals(natural, type)) return TERM_FIT_EXACT;
    }
    return fit;
}

// Every argument; the worst one counts.
static enum term_fit functions_fit(struct analysis *analysis, const struct function *function,
                                   const struct function_argument *arguments, size_t count)
{
    enum term_fit fit = TERM_FIT_EXACT;
    if (function->argument_count != count) return TERM_FIT_NOT;
    for (size_t i = 0; i < count && fit != TERM_FIT_NOT; i++) {
        enum term_fit one = functions_argument_fit(analysis, &arguments[i], function->arguments[i]);
        if (one < fit) fit = one;
    }
    return fit;
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

// FunctionResolver.pickBestMatch(). `name` as messages have it.
static const struct function *functions_pick(struct analysis *analysis, const char *name,
                                             const struct function *const *candidates, size_t found,
                                             const struct function_argument *arguments,
                                             size_t count, const struct type *receiver)
{
    const struct function *fitting[CANDIDATES_MAX];
    size_t fitting_count = 0;
    for (size_t i = 0; i < found; i++) {
        if (receiver != NULL && term_type_fits(candidates[i]->result, receiver) == TERM_FIT_NOT)
            continue;
        enum term_fit fit = functions_fit(analysis, candidates[i], arguments, count);
        if (fit == TERM_FIT_EXACT) return candidates[i];
        if (fit == TERM_FIT_WEAK) fitting[fitting_count++] = candidates[i];
    }
    if (fitting_count == 1) return fitting[0];
    if (fitting_count == 0) return functions_refuse_call(analysis, name, candidates, found, false);
    if (strcmp(name, "system._negate") == 0) {
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Ambiguous negation: use type casts to disambiguate");
        return NULL;
    }
    return functions_refuse_call(analysis, name, fitting, fitting_count, true);
}

const struct function *functions_resolve(struct analysis *analysis,
                                         const struct cql_qualified_name *name,
                                         const struct function_argument *arguments, size_t count,
                                         const struct type *receiver)
{
    const struct function *candidates[CANDIDATES_MAX];
    bool has_keyspace = !slice_is_null(name->keyspace);
    if (has_keyspace && !slice_equals(name->keyspace, slice_of_text("system")))
        return functions_unknown(analysis, name, analysis->in_selection);
    bool is_made = false;
    const struct function *made =
        functions_factory_resolve(analysis, name->name, arguments, count, receiver, &is_made);
    if (is_made) return made;
    size_t found = functions_find(analysis, name->name, arguments, count, candidates);
    if (found == 0) return functions_unknown(analysis, name, analysis->in_selection);
    if (found == 1) return functions_check_only(analysis, candidates[0], arguments, count);
    const char *text = arena_format(analysis->arena, "%s%.*s", has_keyspace ? "system." : "",
                                    SLICE_TEXT(name->name));
    return functions_pick(analysis, text, candidates, found, arguments, count, receiver);
}

// The word behind AS: Cassandra has casts by that, and none for varchar.
static const char *functions_cast_word(struct analysis *analysis, const struct cql_type *type)
{
    if (type->kind == CQL_TYPE_NATIVE && type->native == TYPE_TEXT && type->text.size > 4)
        return "varchar";
    return analysis_type_text(analysis, type_of_kind(type->native));
}

bool functions_has_cast(struct analysis *analysis, const struct cql_type *type)
{
    const struct function *candidates[CANDIDATES_MAX];
    const char *word = functions_cast_word(analysis, type);
    return strcmp(word, "varchar") != 0 &&
           functions_add_casts(analysis, word, type_of_kind(type->native), candidates) > 0;
}

const struct function *functions_resolve_cast(struct analysis *analysis,
                                              const struct function_argument *argument,
                                              const struct cql_type *type,
                                              const struct type *receiver)
{
    const struct function *candidates[CANDIDATES_MAX];
    const char *name =
        arena_format(analysis->arena, "cast_as_%s", functions_cast_word(analysis, type));
    if (!functions_has_cast(analysis, type)) {
        cql_error_set(analysis->error, CQL_ERROR_INVALID, "Unknown function system.%s called",
                      name);
        return NULL;
    }
    size_t found = functions_add_casts(analysis, name, type_of_kind(type->native), candidates);
    const char *text = arena_format(analysis->arena, "system.%s", name);
    return functions_pick(analysis, text, candidates, found, argument, 1, receiver);
}

const struct function *functions_resolve_negation(struct analysis *analysis,
                                                  const struct function_argument *argument,
                                                  const struct type *receiver)
{
    const struct function *candidates[CANDIDATES_MAX];
    size_t found = functions_add_negations(analysis, "\"_negate\"", candidates);
    const struct function *picked =
        functions_pick(analysis, "system._negate", candidates, found, argument, 1, receiver);
    if (picked == NULL) return NULL;
    struct function *function = functions_make(analysis, "_negate", picked->arguments, 1);
    functions_negation_make(function, picked->result);
    return function;
}
