// How many tombstones a SELECT meets: many are warned of, too many are refused
// (org.apache.cassandra.db.ReadCommand.MetricRecording; tombstone_warn_threshold,
// tombstone_failure_threshold).
//
// They are counted where rows are taken from the merged partition, so that rows without any cost
// nothing: of a partition that is read by its key alone, of a scan all together. What was warned of
// is a list that grows at its head, so that a read that begins anew goes back to what it was.
#include "base/bytes.h"
#include "cql/execution/execution_select.h"
#include "cql/system/table_figures.h"
#include "storage/partition_key.h"
#include "storage/schema/cql_name.h"
#include "storage/value.h"

#include <inttypes.h>

enum { WARN_THRESHOLD = 1000, FAIL_THRESHOLD = 100000, TEXT_SIZE_MAX = 4096 };
enum { READ_TOO_MANY_TOMBSTONES = 1 };

struct select_tombstones {
    const struct select_tombstones *before;
    struct partition_key key; // Of the last partition.
    uint64_t live, dead;
};

// ---- Counting -----------------------------------------------------------------------------------

static bool select_refuse_tombstones(struct select_work *work)
{
    struct execution *execution = work->execution;
    struct coordinator_result result = {
        .outcome = COORDINATOR_FAILED, .consistency = work->consistency, .required = 1};
    result.failures = result.fault_count = 1;
    result.faults[0] = (struct coordinator_fault){MEMBER_NONE, READ_TOO_MANY_TOMBSTONES};
    execution_set_error(execution, &result, false, "SIMPLE");
    work->progress.failed = true;
    return false;
}

static void select_note_tombstones(struct select_work *work, struct partition_key key)
{
    struct select_progress *progress = &work->progress;
    struct arena *arena = &work->execution->arena;
    struct select_tombstones *noted = ARENA_NEW(arena, struct select_tombstones);
    *noted = (struct select_tombstones){
        .before = progress->warned,
        .key = {key.token, arena_copy(arena, key.bytes)},
        .live = progress->live_count,
        .dead = progress->tombstones,
    };
    progress->warned = noted;
}

// For the table's figures, of the runs that are timed.
void select_note_figures(const struct select_work *work)
{
    struct table_figures *figures = work->execution->statement->figures;
    table_latency_note(&figures->rows, work->progress.live_count);
    table_latency_note(&figures->tombstones, work->progress.tombstones);
}

bool select_count_tombstones(struct select_work *work, struct partition_key key,
                             const struct live_rows *rows)
{
    const struct query_processor *processor = work->execution->processor;
    struct select_progress *progress = &work->progress;
    uint32_t warn = processor->tombstone_warn_threshold, fail = processor->tombstone_fail_threshold;
    progress->tombstones += rows->tombstones;
    progress->live_count += rows->live_count;
    if (progress->tombstones > (fail == 0 ? FAIL_THRESHOLD : fail))
        return select_refuse_tombstones(work);
    if (progress->tombstones > (warn == 0 ? WARN_THRESHOLD : warn) && !progress->is_step_over)
        select_note_tombstones(work, key);
    // Of a scan the latest note counts, of all that came before it.
    if (work->keys == NULL || progress->is_step_over) return true;
    if (work->execution->state->timed != NULL) select_note_figures(work);
    if (work->execution->trace != NULL) select_tell_rows(work);
    progress->tombstones = progress->live_count = 0;
    return true;
}

void select_tell_rows(struct select_work *work)
{
    struct select_progress *progress = &work->progress;
    progress->has_told = true;
    trace_add(work->execution->trace, TRACE_THREAD_READ,
              "Read %" PRIu64 " live rows and %" PRIu64 " tombstone cells", progress->live_count,
              progress->tombstones);
}

// ---- The query, as Cassandra's command prints itself --------------------------------------------

static void put_text(struct buffer *text, const char *words)
{
    buffer_put(text, words, strlen(words));
}

static void put_relation(struct buffer *text, const char **joint, const struct column *column,
                         const char *relation, struct slice value)
{
    put_text(text, *joint);
    *joint = " AND ";
    cql_name_put(column->name, text);
    put_text(text, relation);
    value_put_cql(column->type, value, text);
}

static bool select_has_column(const struct selector *selector, const struct column *column)
{
    if (selector == NULL) return false;
    if (selector->column == column) return true;
    for (size_t i = 0; i < selector->item_count; i++)
        if (select_has_column(selector->items[i], column)) return true;
    return false;
}

static bool select_filters_by(const struct select_work *work, const struct column *column)
{
    for (size_t i = 0; i < work->filter_count; i++) {
        const struct restriction *restriction = work->filters[i].restriction;
        for (uint16_t k = 0; k < restriction->column_count; k++)
            if (restriction->columns[k] == column) return true;
    }
    return false;
}

static bool put_columns_of(const struct select_work *work, struct buffer *text,
                           enum column_kind kind, bool has_some)
{
    const struct table *table = work->plan->table;
    const struct selection *selection = &work->plan->selection;
    for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
        const struct column *column = &table->columns[kind][i];
        bool is_named = select_filters_by(work, column);
        for (uint16_t k = 0; k < selection->count && !is_named; k++)
            is_named = select_has_column(selection->selectors[k], column);
        if (!is_named) continue;
        if (has_some) put_text(text, ", ");
        cql_name_put(column->name, text);
        has_some = true;
    }
    return has_some;
}

static void put_columns(const struct select_work *work, struct buffer *text)
{
    bool is_all = work->execution->statement->plan->ast->select.selector_count == 0;
    bool has_some = !is_all && put_columns_of(work, text, COLUMN_STATIC, false);
    has_some = !is_all && put_columns_of(work, text, COLUMN_REGULAR, has_some);
    if (!has_some) put_text(text, "*");
}

static void put_key(struct select_work *work, struct buffer *text, const char **joint,
                    struct partition_key key)
{
    const struct table *table = work->plan->table;
    uint16_t count = table->column_counts[COLUMN_PARTITION_KEY];
    struct slice *components = ARENA_NEW_ARRAY(&work->execution->arena, struct slice, count);
    if (partition_key_split(key.bytes, count, components) != STATUS_OK) return;
    for (uint16_t i = 0; i < count; i++)
        put_relation(text, joint, &table->columns[COLUMN_PARTITION_KEY][i], " = ", components[i]);
}

// One side of a range of rows, behind the columns that both sides have in common.
static void put_side(const struct select_work *work, struct buffer *text, const char **joint,
                     const struct bound *bound, uint16_t common)
{
    const struct column *columns = work->plan->table->columns[COLUMN_CLUSTERING];
    if (bound->prefix.count != common + 1) return;
    const struct column *column = &columns[common];
    bool is_start = bound->kind == BOUND_INCL_START || bound->kind == BOUND_EXCL_START;
    bool is_inclusive = bound->kind == BOUND_INCL_START || bound->kind == BOUND_INCL_END;
    bool is_above = is_start != column->reversed;
    const char *relation = is_inclusive ? (is_above ? " >= " : " <= ") : (is_above ? " > " : " < ");
    put_relation(text, joint, column, relation, bound->prefix.values[common]);
}

static void put_rows(const struct select_work *work, struct buffer *text, const char **joint)
{
    const struct column *columns = work->plan->table->columns[COLUMN_CLUSTERING];
    if (work->range_count != 1) return;
    const struct bound *start = &work->ranges[0].start, *end = &work->ranges[0].end;
    uint16_t common = 0;
    while (common < start->prefix.count && common < end->prefix.count &&
           slice_equals(start->prefix.values[common], end->prefix.values[common])) {
        put_relation(text, joint, &columns[common], " = ", start->prefix.values[common]);
        common++;
    }
    put_side(work, text, joint, start, common);
    put_side(work, text, joint, end, common);
}

// One end of the range of tokens that a scan was asked for.
static void put_token(struct select_work *work, struct buffer *text, const char **joint,
                      const struct restriction_bound *bound, bool is_start)
{
    const struct table *table = work->plan->table;
    struct bound_value value;
    if (bound->value == NULL ||
        !term_bind(bound->value, &work->execution->state->binding, &value) || value.bytes.size != 8)
        return;
    put_text(text, *joint);
    *joint = " AND ";
    for (uint16_t i = 0; i < table->column_counts[COLUMN_PARTITION_KEY]; i++) {
        put_text(text, i == 0 ? "token(" : ", ");
        cql_name_put(table->columns[COLUMN_PARTITION_KEY][i].name, text);
    }
    const char *relation =
        is_start ? (bound->inclusive ? ") >= " : ") > ") : (bound->inclusive ? ") <= " : ") < ");
    put_text(text, relation);
    put_text(text, arena_format(&work->execution->arena, "%" PRId64,
                                (int64_t)bytes_get_u64(value.bytes.data)));
}

static void put_tokens(struct select_work *work, struct buffer *text, const char **joint)
{
    const struct restriction *token = work->plan->restrictions.token;
    if (token == NULL || token->kind != RESTRICTION_SLICE) return;
    put_token(work, text, joint, &token->start, true);
    put_token(work, text, joint, &token->end, false);
}

static void put_filters(const struct select_work *work, struct buffer *text, const char **joint)
{
    for (size_t i = 0; i < work->filter_count; i++) {
        const struct row_filter *filter = &work->filters[i];
        const struct restriction *restriction = filter->restriction;
        if (restriction->column_count != 1) continue;
        const struct column *column = restriction->columns[0];
        if (restriction->kind == RESTRICTION_EQ)
            put_relation(text, joint, column, " = ", filter->values[0]);
        if (restriction->kind == RESTRICTION_SLICE && filter->start != NULL)
            put_relation(text, joint, column, restriction->start.inclusive ? " >= " : " > ",
                         filter->start[0]);
        if (restriction->kind == RESTRICTION_SLICE && filter->end != NULL)
            put_relation(text, joint, column, restriction->end.inclusive ? " <= " : " < ",
                         filter->end[0]);
    }
}

static void put_order(const struct select_work *work, struct buffer *text)
{
    const struct table *table = work->plan->table;
    if (!work->plan->reversed || work->keys == NULL) return;
    for (uint16_t i = 0; i < table->column_counts[COLUMN_CLUSTERING]; i++) {
        const struct column *column = &table->columns[COLUMN_CLUSTERING][i];
        put_text(text, i == 0 ? " ORDER BY " : ", ");
        cql_name_put(column->name, text);
        put_text(text, column->reversed ? " ASC" : " DESC");
    }
}

static void put_limits(struct select_work *work, struct buffer *text)
{
    struct arena *arena = &work->execution->arena;
    uint32_t limit = work->limit_left;
    int32_t page_size = work->execution->options->page_size;
    if (page_size > 0 && (uint32_t)page_size < limit) limit = (uint32_t)page_size;
    if (limit != UINT32_MAX) put_text(text, arena_format(arena, " LIMIT %" PRIu32, limit));
    uint32_t of_partition = work->plan->is_distinct ? 1 : work->per_partition_limit;
    if (of_partition != UINT32_MAX)
        put_text(text, arena_format(arena, " PER PARTITION LIMIT %" PRIu32, of_partition));
    // Limits of groups without any number are a text of nothing, behind its blank.
    if (work->plan->is_grouped && limit == UINT32_MAX && of_partition == UINT32_MAX)
        put_text(text, " ");
}

static void put_query(struct select_work *work, struct buffer *text, struct partition_key key)
{
    const struct table *table = work->plan->table;
    const char *joint = " WHERE ";
    put_text(text, "SELECT ");
    put_columns(work, text);
    put_text(text, " FROM ");
    cql_name_put(table->keyspace, text);
    put_text(text, ".");
    cql_name_put(table->name, text);
    if (work->keys != NULL) {
        put_key(work, text, &joint, key);
        put_rows(work, text, &joint);
    } else {
        put_tokens(work, text, &joint);
    }
    put_filters(work, text, &joint);
    put_order(work, text);
    put_limits(work, text);
    put_text(text, " ALLOW FILTERING");
}

// ---- Telling ------------------------------------------------------------------------------------

static void select_warn(struct select_work *work, const struct select_tombstones *noted)
{
    struct buffer text;
    buffer_init(&text, TEXT_SIZE_MAX);
    put_query(work, &text, noted->key);
    const char *warning = arena_format(
        &work->execution->arena,
        "Read %" PRIu64 " live rows and %" PRIu64 " tombstone cells for query %.*s; "
        "token %" PRId64 " (see tombstone_warn_threshold)",
        noted->live, noted->dead, (int)text.size, (const char *)text.data, noted->key.token.value);
    execution_add_warning(work->execution, warning);
    buffer_deinit(&text);
}

static void select_warn_in_order(struct select_work *work, const struct select_tombstones *noted)
{
    // As many as an answer may have, so the depth is bounded.
    enum { WARNED_MAX = 8 };
    const struct select_tombstones *all[WARNED_MAX];
    size_t count = 0;
    for (; noted != NULL && count < WARNED_MAX; noted = noted->before)
        all[count++] = noted;
    while (count > 0)
        select_warn(work, all[--count]);
}

void select_warn_tombstones(struct select_work *work)
{
    const struct select_tombstones *noted = work->progress.warned;
    if (noted == NULL) return;
    if (work->keys == NULL)
        select_warn(work, noted);
    else
        select_warn_in_order(work, noted);
}
