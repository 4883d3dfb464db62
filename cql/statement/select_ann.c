#include "cql/statement/select_ann.h"

#include "base/bytes.h"
#include "cql/statement/index_choice.h"
#include "storage/schema/options.h"

#include <math.h>
#include <strings.h>

static bool select_ann_refuse(struct analysis *analysis, const char *text)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s", text);
}

bool select_ann_is_wanted(const struct cql_select *select)
{
    for (size_t i = 0; i < select->order_by_count; i++)
        if (select->order_by[i].ann_of != NULL) return true;
    return false;
}

static const struct index_definition *select_ann_index(const struct table *table,
                                                       const struct column *column)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (!slice_is_null(table->indexes[i].class_name) &&
            slice_equals(table->indexes[i].column, column->name))
            return &table->indexes[i];
    return NULL;
}

static enum ann_similarity select_ann_similarity(const struct index_definition *index)
{
    struct slice name = options_find(&index->options, "similarity_function");
    if (slice_is_null(name)) return ANN_COSINE;
    const char *text = (const char *)name.data;
    if (name.size == 9 && strncasecmp(text, "euclidean", 9) == 0) return ANN_EUCLIDEAN;
    return name.size == 11 && strncasecmp(text, "dot_product", 11) == 0 ? ANN_DOT_PRODUCT
                                                                        : ANN_COSINE;
}

static bool select_ann_prepare_vector(struct analysis *analysis, const struct cql_term *raw,
                                      struct ann_order *ann)
{
    const struct type *type = ann->column->type;
    bool takes_list = type->kind == TYPE_VECTOR || type->kind == TYPE_LIST;
    if (raw->kind == CQL_TERM_LIST && !takes_list)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Unexpected receiver type '%s'; only list and vector are expected",
                             analysis_type_text(analysis, type));
    struct column_spec spec = analysis_spec_of_column(analysis->table, ann->column);
    if (!term_prepare(analysis, raw, &spec, &ann->vector)) return false;
    if (type->kind == TYPE_VECTOR && type->parameters[0]->kind == TYPE_FLOAT) return true;
    return select_ann_refuse(analysis, "ANN ordering is only supported on float vector indexes");
}

bool select_ann_prepare(struct analysis *analysis, const struct cql_select *select,
                        struct select_plan *plan)
{
    const struct restrictions *restrictions = &plan->restrictions;
    if (select->is_distinct)
        return select_ann_refuse(analysis,
                                 "SELECT DISTINCT with WHERE clause only supports restriction by "
                                 "partition key and/or static columns.");
    if (select->order_by_count > 1)
        return select_ann_refuse(analysis, "ANN ordering does not support any other ordering");
    if (select->order_by[0].descending)
        return select_ann_refuse(analysis, "Descending ANN ordering is not supported");
    struct ann_order *ann = ARENA_NEW(analysis->arena, struct ann_order);
    ann->column = analysis_find_column(analysis, select->order_by[0].column);
    if (ann->column == NULL ||
        !select_ann_prepare_vector(analysis, select->order_by[0].ann_of, ann))
        return false;
    const struct index_definition *index = select_ann_index(plan->table, ann->column);
    if (index == NULL)
        return select_ann_refuse(analysis,
                                 "ANN ordering by vector requires the column to be indexed");
    ann->similarity = select_ann_similarity(index);
    if (restrictions->filter_count > 0 &&
        !index_choice_serves(plan->table, restrictions->filters, restrictions->filter_count))
        return select_ann_refuse(
            analysis, "ANN ordering by vector requires all restricted column(s) to be indexed");
    if (plan->is_grouped)
        return select_ann_refuse(analysis, "Top-K queries can not be run with aggregation");
    if (select->per_partition_limit != NULL)
        return select_ann_refuse(analysis, "Top-K queries do not support per-partition limits");
    plan->ann = ann;
    plan->needs_sort = true;
    return true;
}

// ---- Nearness -----------------------------------------------------------------------------------

static double select_ann_element(struct slice vector, size_t at)
{
    uint32_t bits = bytes_get_u32(vector.data + at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double select_ann_dot(struct slice a, struct slice b)
{
    double sum = 0;
    for (size_t at = 0; at + 4 <= a.size && at + 4 <= b.size; at += 4)
        sum += select_ann_element(a, at) * select_ann_element(b, at);
    return sum;
}

double select_ann_nearness(enum ann_similarity similarity, struct slice a, struct slice b)
{
    double dot = select_ann_dot(a, b);
    if (similarity == ANN_DOT_PRODUCT) return dot;
    double squares_a = select_ann_dot(a, a), squares_b = select_ann_dot(b, b);
    if (similarity == ANN_EUCLIDEAN) return 2 * dot - squares_a - squares_b;
    double length = sqrt(squares_a * squares_b);
    return length > 0 ? dot / length : -2; // A vector of zeros has no direction.
}
