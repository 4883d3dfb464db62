// ORDER BY … ANN OF: rows with their nearness, of which the nearest are kept
// (org.apache.cassandra.index.sai.plan.VectorTopKProcessor).
#include "base/limits.h"
#include "cql/execution/execution_select.h"
#include "cql/statement/select_ann.h"

bool select_ann_begin(struct select_work *work)
{
    const struct ann_order *ann = work->plan->ann;
    struct execution *execution = work->execution;
    struct bound_value value;
    if (ann == NULL) return true;
    if (!term_bind(ann->vector, &execution->state->binding, &value)) return false;
    if (value.unset || slice_is_null(value.bytes))
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "Unsupported %s value for column %.*s", value.unset ? "unset" : "null",
                             SLICE_TEXT(ann->column->name));
    work->ann_vector = value.bytes;
    return true;
}

bool select_ann_check_level(struct select_work *work)
{
    struct execution *execution = work->execution;
    enum consistency level = work->consistency;
    if (work->plan->ann == NULL || level == CONSISTENCY_ONE || level == CONSISTENCY_LOCAL_ONE)
        return true;
    const char *name = consistency_text(level);
    if (level == CONSISTENCY_SERIAL || level == CONSISTENCY_LOCAL_SERIAL)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "Top-K queries can only be run with consistency level ONE/LOCAL_ONE. "
                             "Consistency level %s was used.",
                             name);
    execution_add_warning(
        execution,
        arena_format(&execution->arena,
                     "Top-K queries can only be run with consistency level ONE / LOCAL_ONE / "
                     "NODE_LOCAL. Consistency level %s was requested. Downgrading the consistency "
                     "level to ONE.",
                     name));
    work->consistency = CONSISTENCY_ONE;
    return true;
}

bool select_ann_check_limit(struct select_work *work)
{
    struct execution *execution = work->execution;
    if (work->plan->ann == NULL) return true;
    if (work->limit_left == UINT32_MAX)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "Top-K queries must have a limit specified and the limit must be "
                             "less than the query page size");
    if (work->limit_left > SELECT_ANN_LIMIT_MAX)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "Use of ANN OF in an ORDER BY clause requires a LIMIT that is not "
                             "greater than %d. LIMIT was %u",
                             SELECT_ANN_LIMIT_MAX, work->limit_left);
    int32_t page_size = execution->options->page_size;
    if (work->has_page && (uint32_t)page_size < work->limit_left)
        execution_add_warning(
            execution, arena_format(&execution->arena,
                                    "Top-K queries do not support paging and the page size is set "
                                    "to %d, which is less than LIMIT %u. The page size has been "
                                    "set to %u to match the LIMIT.",
                                    page_size, work->limit_left, work->limit_left));
    work->has_page = false;
    return true;
}

// The worst of those that are kept: of as many as are wanted.
static bool select_ann_is_too_far(const struct select_work *work, double nearness)
{
    if (work->progress.sorted_count < work->limit_left) return false;
    uint32_t nearer = 0;
    for (size_t i = 0; i < work->progress.sorted_count && nearer < work->limit_left; i++)
        nearer += work->sorted[i].nearness >= nearness;
    return nearer >= work->limit_left;
}

bool select_ann_takes(struct select_work *work, const struct row_view *view)
{
    const struct ann_order *ann = work->plan->ann;
    struct slice value = row_view_value(view, ann->column, work->context.row_arena);
    if (slice_is_null(value) || value.size != work->ann_vector.size) return false;
    work->nearness = select_ann_nearness(ann->similarity, value, work->ann_vector);
    return !select_ann_is_too_far(work, work->nearness);
}
