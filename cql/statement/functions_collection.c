// Functions of a whole collection (org.apache.cassandra.cql3.functions.CollectionFcts).
#include "base/bytes.h"
#include "cql/statement/functions_native.h"
#include "cql/statement/term.h"

// The elements; of a map keys and values in turn. NULL when there is no collection.
static const struct slice *functions_collection_items(const struct function_call *call,
                                                      struct slice collection, size_t *count)
{
    if (slice_is_null(collection)) return NULL;
    bool is_map = call->function->arguments[0]->kind == TYPE_MAP;
    return term_decode_collection(call->arena, collection, is_map, count);
}

static bool functions_collection_count(const struct function_call *call,
                                       const struct slice *arguments, struct slice *result)
{
    size_t count;
    *result = slice_null();
    if (functions_collection_items(call, arguments[0], &count) == NULL) return true;
    if (call->function->arguments[0]->kind == TYPE_MAP) count /= 2;
    *result = functions_put_whole(call->arena, TYPE_INT, (int64_t)count);
    return true;
}

// The keys or the values of a map: as sorted as the map is.
static bool functions_collection_half(const struct function_call *call,
                                      const struct slice *arguments, struct slice *result,
                                      size_t half)
{
    size_t count;
    *result = slice_null();
    const struct slice *items = functions_collection_items(call, arguments[0], &count);
    if (items == NULL) return true;
    struct slice *kept = ARENA_NEW_ARRAY(call->arena, struct slice, count / 2 + 1);
    for (size_t i = 0; i < count / 2; i++)
        kept[i] = items[2 * i + half];
    *result = term_encode_collection(call->arena, kept, count / 2, false);
    return true;
}

static bool functions_collection_keys(const struct function_call *call,
                                      const struct slice *arguments, struct slice *result)
{
    return functions_collection_half(call, arguments, result, 0);
}

static bool functions_collection_values(const struct function_call *call,
                                        const struct slice *arguments, struct slice *result)
{
    return functions_collection_half(call, arguments, result, 1);
}

static bool functions_collection_extreme(const struct function_call *call,
                                         const struct slice *arguments, struct slice *result,
                                         int sign)
{
    size_t count;
    *result = slice_null();
    const struct slice *items = functions_collection_items(call, arguments[0], &count);
    const struct type *type = call->function->result;
    if (type->kind == TYPE_COUNTER) type = type_of_kind(TYPE_BIGINT);
    for (size_t i = 0; items != NULL && i < count; i++)
        if (slice_is_null(*result) || type_compare(type, items[i], *result) * sign > 0)
            *result = items[i];
    return true;
}

static bool functions_collection_min(const struct function_call *call,
                                     const struct slice *arguments, struct slice *result)
{
    return functions_collection_extreme(call, arguments, result, -1);
}

static bool functions_collection_max(const struct function_call *call,
                                     const struct slice *arguments, struct slice *result)
{
    return functions_collection_extreme(call, arguments, result, 1);
}

// As the aggregate of this name does it for rows.
static bool functions_collection_aggregate(const struct function_call *call,
                                           const struct slice *arguments, struct slice *result,
                                           const char *name)
{
    const struct type *type = call->function->result;
    struct function aggregate = {.name = name, .arguments = &type, .argument_count = 1};
    struct aggregate_state state = {0};
    size_t count;
    *result = slice_null();
    const struct slice *items = functions_collection_items(call, arguments[0], &count);
    if (items == NULL || !functions_numeric_make(&aggregate, slice_of_text(name), type))
        return true;
    struct function_call inner = *call;
    inner.function = &aggregate;
    for (size_t i = 0; i < count; i++)
        if (!aggregate.add(&inner, items[i], &state)) return false;
    return aggregate.finish(&inner, &state, result);
}

static bool functions_collection_sum(const struct function_call *call,
                                     const struct slice *arguments, struct slice *result)
{
    return functions_collection_aggregate(call, arguments, result, "sum");
}

static bool functions_collection_avg(const struct function_call *call,
                                     const struct slice *arguments, struct slice *result)
{
    return functions_collection_aggregate(call, arguments, result, "avg");
}

void functions_collection_make(struct analysis *analysis, struct function *function,
                               struct slice name, const struct type *type)
{
    static const struct {
        const char *name;
        bool (*call)(const struct function_call *call, const struct slice *arguments,
                     struct slice *result);
    } table[] = {
        {"collection_count", functions_collection_count},
        {"map_keys", functions_collection_keys},
        {"map_values", functions_collection_values},
        {"collection_min", functions_collection_min},
        {"collection_max", functions_collection_max},
        {"collection_sum", functions_collection_sum},
        {"collection_avg", functions_collection_avg},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (slice_equals(name, slice_of_text(table[i].name))) function->call = table[i].call;
    if (function->call == functions_collection_count)
        function->result = type_of_kind(TYPE_INT);
    else if (function->call == functions_collection_keys)
        function->result = type_make_set(analysis->arena, type->parameters[0], false);
    else if (function->call == functions_collection_values)
        function->result = type_make_list(analysis->arena, type->parameters[1], false);
    else
        function->result = type->parameters[0];
}
