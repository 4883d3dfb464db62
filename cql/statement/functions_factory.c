// Functions whose types follow from their arguments: to_json of anything, masks, whole collections,
// vectors (org.apache.cassandra.cql3.functions.FunctionFactory, FunctionParameter).
#include "cql/statement/functions_native.h"
#include "cql/statement/term.h"

enum parameter {
    PARAMETER_ANY,
    PARAMETER_SAME, // As the first.
    PARAMETER_STRING,
    PARAMETER_INT,
    PARAMETER_TEXT,
    PARAMETER_COLLECTION,
    PARAMETER_LIST_OR_SET,
    PARAMETER_NUMBERS,
    PARAMETER_MAP,
    PARAMETER_VECTOR,
};

enum { PARAMETERS_MAX = 4 };

struct factory {
    const char *names[2];
    uint8_t least, most; // Arguments.
    enum parameter parameters[PARAMETERS_MAX];
    enum { MAKES_JSON, READS_JSON, FINDS_EXTREME, OF_COLLECTION, OF_VECTORS, MASKS } makes;
};

// clang-format off
static const struct factory factories[] = {
    {{"to_json", "tojson"}, 1, 1, {PARAMETER_ANY}, MAKES_JSON},
    {{"min", "max"}, 1, 1, {PARAMETER_ANY}, FINDS_EXTREME},
    {{"from_json", "fromjson"}, 1, 1, {PARAMETER_TEXT}, READS_JSON},
    {{"collection_count", NULL}, 1, 1, {PARAMETER_COLLECTION}, OF_COLLECTION},
    {{"collection_min", "collection_max"}, 1, 1, {PARAMETER_LIST_OR_SET}, OF_COLLECTION},
    {{"collection_sum", "collection_avg"}, 1, 1, {PARAMETER_NUMBERS}, OF_COLLECTION},
    {{"map_keys", "map_values"}, 1, 1, {PARAMETER_MAP}, OF_COLLECTION},
    {{"similarity_cosine", "similarity_euclidean"}, 2, 2, {PARAMETER_VECTOR, PARAMETER_VECTOR}, OF_VECTORS},
    {{"similarity_dot_product", NULL}, 2, 2, {PARAMETER_VECTOR, PARAMETER_VECTOR}, OF_VECTORS},
    {{"mask_null", "mask_default"}, 1, 1, {PARAMETER_ANY}, MASKS},
    {{"mask_replace", NULL}, 2, 2, {PARAMETER_ANY, PARAMETER_SAME}, MASKS},
    {{"mask_hash", NULL}, 1, 2, {PARAMETER_ANY, PARAMETER_TEXT}, MASKS},
    {{"mask_inner", "mask_outer"}, 3, 4, {PARAMETER_STRING, PARAMETER_INT, PARAMETER_INT, PARAMETER_TEXT}, MASKS},
};
// clang-format on

static const struct factory *functions_find_factory(struct slice name)
{
    for (size_t i = 0; i < sizeof factories / sizeof *factories; i++)
        for (size_t k = 0; k < 2; k++)
            if (factories[i].names[k] != NULL &&
                slice_equals(name, slice_of_text(factories[i].names[k])))
                return &factories[i];
    return NULL;
}

// ---- Messages -----------------------------------------------------------------------------------

static const char *functions_parameter_text(enum parameter parameter)
{
    static const char *const texts[] = {
        [PARAMETER_ANY] = "any",
        [PARAMETER_SAME] = "any",
        [PARAMETER_STRING] = "[text|varchar|ascii]",
        [PARAMETER_INT] = "int",
        [PARAMETER_TEXT] = "text",
        [PARAMETER_COLLECTION] = "collection",
        [PARAMETER_LIST_OR_SET] = "numeric_set_or_list",
        [PARAMETER_NUMBERS] = "numeric_set_or_list",
        [PARAMETER_MAP] = "map",
        [PARAMETER_VECTOR] = "vector<float, n>",
    };
    return texts[parameter];
}

// "system.mask_hash(any, [text])"
static const char *functions_factory_text(struct analysis *analysis, const struct factory *factory,
                                          const char *name)
{
    const char *text = arena_format(analysis->arena, "system.%s(", name);
    for (size_t i = 0; i < factory->most; i++)
        text = arena_format(analysis->arena, i < factory->least ? "%s%s%s" : "%s%s[%s]", text,
                            i > 0 ? ", " : "", functions_parameter_text(factory->parameters[i]));
    return arena_format(analysis->arena, "%s)", text);
}

static const char *functions_parameter_wanted(enum parameter parameter)
{
    static const char *const texts[] = {
        [PARAMETER_STRING] = "an argument of type [text|varchar|ascii]",
        [PARAMETER_INT] = "an argument of type int",
        [PARAMETER_TEXT] = "an argument of type text",
        [PARAMETER_COLLECTION] = "a collection argument",
        [PARAMETER_LIST_OR_SET] = "a set or list argument",
        [PARAMETER_NUMBERS] = "a numeric set/list argument",
        [PARAMETER_MAP] = "a map argument",
        [PARAMETER_VECTOR] = "a float vector argument",
    };
    return texts[parameter];
}

// ---- Types --------------------------------------------------------------------------------------

static const struct type *functions_infer_items(struct analysis *analysis,
                                                const struct cql_term *raw);

static bool functions_has_items(const struct cql_term *raw)
{
    return raw->kind == CQL_TERM_LIST || raw->kind == CQL_TERM_SET || raw->kind == CQL_TERM_MAP ||
           raw->kind == CQL_TERM_TUPLE;
}

static const struct type *functions_infer_item(struct analysis *analysis,
                                               const struct cql_term *raw)
{
    if (!functions_has_items(raw)) return term_natural_type(analysis, raw);
    if (!analysis_go_deeper(analysis)) return NULL;
    const struct type *type = functions_infer_items(analysis, raw);
    analysis->depth--;
    return type == NULL ? NULL : type_freeze(analysis->arena, type);
}

// The first of these types that all others fit; NULL: there is none.
static const struct type *functions_find_common(const struct type *const *types, size_t count,
                                                size_t from, size_t stride)
{
    enum { TRIED_MAX = 8 };
    const struct type *last = NULL;
    size_t tried = 0;
    for (size_t i = from; i < count && tried < TRIED_MAX; i += stride) {
        if (types[i] == NULL || (last != NULL && type_equals(types[i], last))) continue;
        last = types[i];
        tried++;
        size_t k = from;
        while (k < count && (types[k] == NULL || term_type_fits(types[k], last) != TERM_FIT_NOT))
            k += stride;
        if (k >= count) return last;
    }
    return NULL;
}

// The type of each item, or of the first that all others fit. A list has none outside of a
// selection: it could be a vector; a map has none in one, where it could be a user type.
static const struct type *functions_infer_items(struct analysis *analysis,
                                                const struct cql_term *raw)
{
    if (raw->kind == CQL_TERM_MAP && analysis->in_selection) return NULL;
    const struct type **types =
        ARENA_NEW_ARRAY(analysis->arena, const struct type *, raw->item_count + 1);
    struct cql_error *error = analysis_ignore_errors(analysis);
    size_t stride = raw->kind == CQL_TERM_MAP ? 2 : 1, known = 0;
    bool is_tuple = raw->kind == CQL_TERM_TUPLE;
    // In brackets, and outside of a selection in a tuple, a constant could be anything.
    bool is_open = is_tuple && (raw->item_count == 1 || !analysis->in_selection);
    for (size_t i = 0; i < raw->item_count; i++) {
        if (is_open && raw->items[i]->kind == CQL_TERM_CONSTANT) continue;
        types[i] = functions_infer_item(analysis, raw->items[i]);
        if (types[i] != NULL) known++;
    }
    analysis->error = error;
    const struct type *first[2] = {functions_find_common(types, raw->item_count, 0, stride), NULL};
    if (stride == 2) first[1] = functions_find_common(types, raw->item_count, 1, stride);
    if (is_tuple && known == raw->item_count)
        return type_make_tuple(analysis->arena, types, (uint16_t)raw->item_count);
    if (first[0] == NULL || is_tuple) return NULL;
    if (raw->kind == CQL_TERM_MAP)
        return first[1] == NULL ? NULL : type_make_map(analysis->arena, first[0], first[1], true);
    if (raw->kind == CQL_TERM_SET) return type_make_set(analysis->arena, first[0], true);
    return analysis->in_selection ? type_make_list(analysis->arena, first[0], true) : NULL;
}

// What is known of an argument by itself; NULL: nothing.
static const struct type *functions_infer(struct analysis *analysis,
                                          const struct function_argument *argument,
                                          const struct type *receiver)
{
    if (argument->type != NULL) return argument->type;
    const struct cql_term *raw = argument->term;
    if (raw->kind == CQL_TERM_CONSTANT) return term_natural_type(analysis, raw);
    if (functions_has_items(raw)) return functions_infer_items(analysis, raw);
    bool is_call = raw->kind == CQL_TERM_FUNCTION || raw->kind == CQL_TERM_OPERATION ||
                   raw->kind == CQL_TERM_NEGATE || raw->kind == CQL_TERM_CAST;
    if (!is_call) return NULL;
    struct cql_error *error = analysis_ignore_errors(analysis);
    const struct type *type = term_natural_type(analysis, raw);
    analysis->error = error;
    return type == NULL && term_is_from_json(raw) ? receiver : type;
}

// The type of an argument of a parameter, from itself or from where it stands.
static const struct type *functions_type_of_parameter(struct analysis *analysis,
                                                      enum parameter parameter,
                                                      const struct function_argument *argument,
                                                      const struct type *first,
                                                      const struct type *receiver)
{
    const struct type *type = functions_infer(analysis, argument, receiver);
    if (parameter == PARAMETER_SAME) return first;
    if (parameter == PARAMETER_VECTOR && (type == NULL || type->kind == TYPE_LIST)) {
        if (argument->term != NULL && argument->term->kind == CQL_TERM_LIST &&
            argument->term->item_count > 0)
            return type_make_vector(analysis->arena, type_of_kind(TYPE_FLOAT),
                                    (uint16_t)argument->term->item_count);
        return type != NULL ? type : first;
    }
    if (type != NULL) return type;
    if (parameter == PARAMETER_STRING || parameter == PARAMETER_TEXT)
        return type_of_kind(TYPE_TEXT);
    return parameter == PARAMETER_INT ? type_of_kind(TYPE_INT) : NULL;
}

static bool functions_parameter_takes(enum parameter parameter, const struct type *type)
{
    switch (parameter) {
    case PARAMETER_ANY:
    case PARAMETER_SAME:
        return true;
    case PARAMETER_STRING:
    case PARAMETER_TEXT:
        return type->kind == TYPE_TEXT || type->kind == TYPE_ASCII;
    case PARAMETER_INT:
        return type->kind == TYPE_INT;
    case PARAMETER_COLLECTION:
        return type_is_collection(type);
    case PARAMETER_LIST_OR_SET:
        return type->kind == TYPE_LIST || type->kind == TYPE_SET;
    case PARAMETER_NUMBERS:
        return (type->kind == TYPE_LIST || type->kind == TYPE_SET) &&
               functions_is_number(type->parameters[0]->kind);
    case PARAMETER_MAP:
        return type->kind == TYPE_MAP;
    case PARAMETER_VECTOR:
        return type->kind == TYPE_VECTOR && type->parameters[0]->kind == TYPE_FLOAT;
    }
    return false;
}

// A DESC column is no collection to Cassandra, whose type it wraps.
static bool functions_is_reversed(const struct analysis *analysis, const struct cql_term *raw)
{
    if (raw == NULL || raw->kind != CQL_TERM_COLUMN || analysis->table == NULL) return false;
    const struct column *column = table_find_column(analysis->table, raw->value);
    return column != NULL && column->reversed;
}

// The argument's type, in `*type`; as the function gets it.
static bool functions_check_parameter(struct analysis *analysis, const struct factory *factory,
                                      const char *name, size_t at,
                                      const struct function_argument *argument,
                                      const struct type *first, const struct type *receiver,
                                      const struct type **type)
{
    enum parameter parameter = factory->parameters[at];
    *type = functions_type_of_parameter(analysis, parameter, argument, first, receiver);
    if (*type == NULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot infer type of argument %s in call to function %s: use type "
                             "casts to disambiguate",
                             analysis_term_text(analysis, argument->term),
                             functions_factory_text(analysis, factory, name));
    bool is_wrapped = parameter >= PARAMETER_COLLECTION && parameter <= PARAMETER_MAP &&
                      functions_is_reversed(analysis, argument->term);
    if (!is_wrapped && functions_parameter_takes(parameter, *type)) return true;
    // What Cassandra casts to a vector without a look.
    if (parameter == PARAMETER_VECTOR && (*type)->kind == TYPE_LIST)
        return cql_error_set(analysis->error, CQL_ERROR_SERVER, "java.lang.ClassCastException");
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Function system.%s requires %s, but found argument %s of type %s", name,
                         functions_parameter_wanted(parameter),
                         analysis_term_text(analysis, argument->term),
                         analysis_type_text(analysis, *type));
}

// ---- Making -------------------------------------------------------------------------------------

static void functions_factory_make(struct analysis *analysis, const struct factory *factory,
                                   struct function *function, struct slice word,
                                   const struct type *receiver)
{
    const struct type *first = function->arguments[0];
    switch (factory->makes) {
    case MAKES_JSON:
        function->result = type_of_kind(TYPE_TEXT);
        function->call = functions_to_json;
        break;
    case READS_JSON:
        function->result = receiver;
        function->call = functions_from_json;
        break;
    case FINDS_EXTREME:
        (void)functions_any_make(function, word, first);
        break;
    case OF_COLLECTION:
        functions_collection_make(analysis, function, word, first);
        break;
    case OF_VECTORS:
        function->result = type_of_kind(TYPE_FLOAT);
        functions_similarity_make(function, word);
        break;
    case MASKS:
        function->result = first;
        functions_mask_make(function, word);
        break;
    }
}

const struct function *functions_factory_resolve(struct analysis *analysis, struct slice name,
                                                 const struct function_argument *arguments,
                                                 size_t count, const struct type *receiver,
                                                 bool *is_known)
{
    const struct factory *factory = functions_find_factory(name);
    *is_known = factory != NULL;
    if (factory == NULL) return NULL;
    const char *text = analysis_text(analysis->arena, name);
    if (count < factory->least || count > factory->most) {
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Invalid number of arguments for function %s",
                      functions_factory_text(analysis, factory, text));
        return NULL;
    }
    const struct type *types[PARAMETERS_MAX];
    // A vector may have its type from the other one.
    const struct type *first = NULL;
    for (size_t i = count; i-- > 0;)
        if (factory->makes == OF_VECTORS && functions_infer(analysis, &arguments[i], NULL) != NULL)
            first =
                functions_type_of_parameter(analysis, PARAMETER_VECTOR, &arguments[i], NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        if (!functions_check_parameter(analysis, factory, text, i, &arguments[i], first, receiver,
                                       &types[i]))
            return NULL;
        if (i == 0) first = types[0];
    }
    if (factory->makes == OF_VECTORS && types[0]->dimension != types[1]->dimension) {
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "All arguments must have the same vector dimensions");
        return NULL;
    }
    if (factory->makes == READS_JSON && receiver == NULL) {
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "%s() cannot be used in the selection clause of a SELECT statement", text);
        return NULL;
    }
    // JSON is text, whatever it was taken for.
    if (factory->makes == READS_JSON) types[0] = type_of_kind(TYPE_TEXT);
    for (size_t i = 0; i < count; i++) {
        if (functions_argument_fit(analysis, &arguments[i], types[i]) != TERM_FIT_NOT) continue;
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Type error: %s cannot be passed as argument %zu of function system.%s of "
                      "type %s",
                      analysis_term_text(analysis, arguments[i].term), i, text,
                      analysis_type_text(analysis, types[i]));
        return NULL;
    }
    struct function *function = functions_make(analysis, text, types, count);
    functions_factory_make(analysis, factory, function, name, receiver);
    return function;
}
