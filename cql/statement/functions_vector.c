// How alike two vectors of floats are (org.apache.cassandra.cql3.functions.VectorFcts).
#include "base/bytes.h"
#include "cql/statement/functions_native.h"

#include <math.h>

static float functions_vector_at(struct slice vector, size_t at)
{
    return (float)functions_get_real(TYPE_FLOAT, slice_make(vector.data + 4 * at, 4));
}

// The sum of what `term` makes of each pair of elements, as the floats of the library are summed.
static double functions_vector_sum(struct slice a, struct slice b, bool is_distance)
{
    double sum = 0;
    for (size_t i = 0; 4 * i + 4 <= a.size && 4 * i + 4 <= b.size; i++) {
        double x = (double)functions_vector_at(a, i), y = (double)functions_vector_at(b, i);
        sum += is_distance ? (x - y) * (x - y) : x * y;
    }
    return sum;
}

static bool functions_vector_put(const struct function_call *call, double value,
                                 struct slice *result)
{
    *result = functions_put_real(call->arena, TYPE_FLOAT, value);
    return true;
}

static bool functions_vector_has_null(const struct slice *arguments)
{
    return arguments[0].size == 0 || arguments[1].size == 0;
}

static bool functions_similarity_cosine(const struct function_call *call,
                                        const struct slice *arguments, struct slice *result)
{
    *result = slice_null();
    if (functions_vector_has_null(arguments)) return true;
    double a = functions_vector_sum(arguments[0], arguments[0], false);
    double b = functions_vector_sum(arguments[1], arguments[1], false);
    if (a == 0 || b == 0)
        return cql_error_set(call->error, CQL_ERROR_INVALID,
                             "Function system.%s doesn't support all-zero vectors.",
                             call->function->name);
    double dot = functions_vector_sum(arguments[0], arguments[1], false);
    return functions_vector_put(call, (1 + dot / sqrt(a * b)) / 2, result);
}

static bool functions_similarity_euclidean(const struct function_call *call,
                                           const struct slice *arguments, struct slice *result)
{
    *result = slice_null();
    if (functions_vector_has_null(arguments)) return true;
    double distance = functions_vector_sum(arguments[0], arguments[1], true);
    return functions_vector_put(call, 1 / (1 + distance), result);
}

static bool functions_similarity_dot_product(const struct function_call *call,
                                             const struct slice *arguments, struct slice *result)
{
    *result = slice_null();
    if (functions_vector_has_null(arguments)) return true;
    double dot = functions_vector_sum(arguments[0], arguments[1], false);
    return functions_vector_put(call, (1 + dot) / 2, result);
}

void functions_similarity_make(struct function *function, struct slice name)
{
    function->call = slice_equals(name, slice_of_text("similarity_cosine"))
                         ? functions_similarity_cosine
                     : slice_equals(name, slice_of_text("similarity_euclidean"))
                         ? functions_similarity_euclidean
                         : functions_similarity_dot_product;
}
