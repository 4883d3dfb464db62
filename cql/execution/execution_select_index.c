// SELECT by an index: first where such rows are, then these rows themselves.
//
//     LOOKING: some places, from the indexes of as many replicas as the level wants
//        \--> READING them from the table, filtered as always --> LOOKING behind the last
//
// A replica names a row when its own copy of it has the value; whichever copy wins when the copies
// are merged, its replica has named it. So nothing that an index says is believed, and none that
// was asked makes a row be missed (Cassandra reads rows with their index, and then looks again for
// what other replicas may know: ReplicaFilteringProtection).
//
// An index that a replica has not built is no fault: the table is scanned then, from the same
// place.
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/execution/execution_select.h"
#include "storage/index/index_table.h"

enum { CANDIDATES_MAX = 128, BATCH_KEYS_MAX = 64, BATCH_LOOKUPS_MAX = 256 };

struct select_candidate {
    struct partition_key key;
    struct clustering_range *rows; // NULL: what the statement wants of the partition.
    size_t row_count;
};

struct select_index {
    struct uuid id;
    struct slice key; // Of the hidden table.
    bool is_of_partitions;
    bool is_looking; // The read under way; else it is reading.
    bool is_rest;    // Looking at the rest of one partition.
    bool is_cut;     // There may be more than were taken.
    bool is_over;    // Nothing is behind the candidates.
    struct arena *arena;
    struct select_candidate *items;
    size_t count, row_count;
    size_t next, batch_end; // Of the items: those that are not read, the end of those being read.
    bool continues;         // The first item is the rest of a partition.
    struct partition_key *keys;
};

// ---- Beginning ----------------------------------------------------------------------------------

static bool select_index_bind(struct select_work *work, struct slice *key)
{
    const struct restrictions *restrictions = &work->plan->restrictions;
    struct arena *arena = &work->execution->arena;
    struct row_filter filter;
    if (!restrictions_bind_found_by(restrictions, &work->execution->state->binding, &filter))
        return false;
    if (filter.restriction->kind == RESTRICTION_EQ) {
        *key = index_table_key(filter.values[0], arena);
        return true;
    }
    const struct slice *entry = &filter.entries[restrictions->found_by_entry * 2];
    struct slice value = slice_is_null(entry[0]) ? entry[1] : entry[0];
    if (!slice_is_null(entry[0]) && !slice_is_null(entry[1]))
        value = index_table_entry_value(entry[0], entry[1], arena);
    *key = index_table_key(value, arena);
    return true;
}

bool select_index_begin(struct select_work *work)
{
    const struct restrictions *restrictions = &work->plan->restrictions;
    bool is_serial =
        work->consistency == CONSISTENCY_SERIAL || work->consistency == CONSISTENCY_LOCAL_SERIAL;
    struct slice key;
    if (restrictions->index == NULL || is_serial || work->plan->table->is_virtual ||
        work->key_count > 1 || work->plan->reversed)
        return true;
    if (!select_index_bind(work, &key)) return false;
    struct arena *arena = &work->execution->arena;
    struct select_index *index = ARENA_NEW(arena, struct select_index);
    enum column_kind kind = restrictions->found_by->columns[0]->kind;
    *index = (struct select_index){
        .id = restrictions->index->id,
        .key = key,
        .is_of_partitions = kind == COLUMN_STATIC || kind == COLUMN_PARTITION_KEY,
        .is_over = work->scan_is_over,
        .arena = &work->execution->candidate_arena,
    };
    if (work->keys != NULL) {
        // A scan of one partition.
        if (work->key_count == 0) return true;
        struct scan_bound bound = {work->keys[0].token, work->keys[0].bytes, true};
        work->scan = (struct scan_range){bound, bound};
        work->keys = NULL;
        work->key_count = 0;
    }
    work->index = index;
    return true;
}

// ---- Looking ------------------------------------------------------------------------------------

static void select_index_restart(struct coordinator_read *read)
{
    struct select_index *index = CONTAINER_OF(read, struct select_work, read)->index;
    arena_reset(index->arena);
    index->items = ARENA_NEW_ARRAY(index->arena, struct select_candidate, CANDIDATES_MAX);
    index->count = index->row_count = index->next = 0;
    index->is_cut = false;
}

// A range of one row; its bounds' values are in the arena.
static struct clustering_range select_index_row(struct arena *arena, const struct clustering *row)
{
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, row->count);
    for (uint16_t i = 0; i < row->count; i++)
        values[i] =
            slice_is_null(row->values[i]) ? slice_null() : arena_copy(arena, row->values[i]);
    struct clustering copy = {row->count, values};
    return (struct clustering_range){{BOUND_INCL_START, copy}, {BOUND_INCL_END, copy}};
}

static enum status select_index_consume(struct coordinator_read *read,
                                        struct partition_iterator *partition, bool *enough)
{
    struct select_work *work = CONTAINER_OF(read, struct select_work, read);
    struct select_index *index = work->index;
    bool has_rows =
        !index->is_of_partitions && work->plan->table->column_counts[COLUMN_CLUSTERING] > 0;
    struct select_candidate item = {
        .key = {partition->key.token, arena_copy(index->arena, partition->key.bytes)}};
    if (has_rows)
        item.rows = ARENA_NEW_ARRAY(index->arena, struct clustering_range,
                                    CANDIDATES_MAX - index->row_count);
    struct live_rows rows;
    live_rows_init(&rows, partition, read->now_s, &read->arena);
    bool is_there = rows.has_static_row;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !index->is_cut && (has_rows || !is_there)) {
        const struct live_row *row;
        status = live_rows_next(&rows, &row);
        if (status != STATUS_OK) break;
        is_there = true;
        index->row_count++;
        if (has_rows)
            item.rows[item.row_count++] = select_index_row(index->arena, &row->clustering);
        index->is_cut = has_rows && index->row_count >= read->row_max;
    }
    if (status != STATUS_OK && status != STATUS_END) return status;
    if (is_there) index->items[index->count++] = item;
    if (!has_rows) index->is_cut = index->count >= read->row_max;
    *enough = index->is_cut;
    return STATUS_OK;
}

static bool select_index_look(struct select_work *work)
{
    struct select_index *index = work->index;
    struct select_progress *progress = &work->progress;
    struct coordinator_read *read = &work->read;
    bool is_limited = work->filter_count == 1 && !work->plan->is_grouped &&
                      work->rows_max - progress->rows < CANDIDATES_MAX;
    index->is_looking = true;
    index->is_rest = progress->in_partition;
    read->consume = select_index_consume;
    read->restart = select_index_restart;
    read->index = index->id;
    read->index_key = index->key;
    read->row_max = is_limited ? work->rows_max - progress->rows : CANDIDATES_MAX;
    read->keys = NULL;
    read->key_count = 0;
    read->filter =
        (struct partition_filter){work->ranges, work->range_count, false, index->is_of_partitions};
    read->range = work->scan;
    if (slice_is_null(progress->key)) return true;
    struct partition_key key = partition_key_make(progress->key);
    struct scan_bound place = {key.token, key.bytes, index->is_rest};
    read->range.start = place;
    if (!index->is_rest) return true;
    read->range.end = place;
    if (progress->clustering.count > 0) {
        read->filter.range_count = select_cut_ranges(work);
        read->filter.ranges = work->cut_ranges;
    }
    return true;
}

// ---- Reading ------------------------------------------------------------------------------------

// The rest of a partition whose index names it as a whole.
static bool select_index_read_rest(struct select_work *work)
{
    struct coordinator_read *read = &work->read;
    work->resumed_key = partition_key_make(work->progress.key);
    read->keys = &work->resumed_key;
    read->key_count = 1;
    if (work->progress.clustering.count == 0) return true;
    read->filter.range_count = select_cut_ranges(work);
    read->filter.ranges = work->cut_ranges;
    return read->filter.range_count > 0;
}

// Partitions whose candidates do not stand for all that there is are read alone: other rows of
// theirs come at another time.
static bool select_index_is_alone(const struct select_index *index, size_t item)
{
    return (item == 0 && index->continues) || (item + 1 == index->count && index->is_cut);
}

static bool select_index_read(struct select_work *work)
{
    struct select_index *index = work->index;
    struct coordinator_read *read = &work->read;
    size_t end = index->next, rows = 0;
    while (end < index->count && end - index->next < BATCH_KEYS_MAX) {
        const struct select_candidate *item = &index->items[end];
        bool is_first = end == index->next;
        bool is_alone = item->rows != NULL && select_index_is_alone(index, end);
        size_t lookups = (end + 1 - index->next) * (rows + item->row_count);
        if (!is_first && (is_alone || lookups > BATCH_LOOKUPS_MAX)) break;
        rows += item->row_count;
        end++;
        if (is_alone) break;
    }
    index->batch_end = end;
    index->keys = ARENA_NEW_ARRAY(index->arena, struct partition_key, end - index->next);
    struct clustering_range *ranges =
        ARENA_NEW_ARRAY(index->arena, struct clustering_range, rows + 1);
    size_t count = 0;
    for (size_t i = index->next; i < end; i++) {
        const struct select_candidate *item = &index->items[i];
        index->keys[i - index->next] = item->key;
        for (size_t k = 0; k < item->row_count; k++)
            ranges[count++] = item->rows[k];
    }
    read->keys = index->keys;
    read->key_count = end - index->next;
    if (index->items[index->next].rows == NULL) return true;
    read->filter.ranges = ranges;
    read->filter.range_count = restrictions_sort_ranges(work->plan->table, ranges, count);
    return true;
}

static void select_index_set_read(struct select_work *work)
{
    struct coordinator_read *read = &work->read;
    work->index->is_looking = false;
    read->consume = select_consume;
    read->restart = select_restart;
    read->index_key = slice_null();
    read->row_max = 0;
    read->filter =
        (struct partition_filter){work->ranges, work->range_count, false, work->plan->with_static};
}

bool select_index_next_read(struct select_work *work)
{
    struct select_index *index = work->index;
    struct select_progress *progress = &work->progress;
    select_index_set_read(work);
    if (index->next < index->count) return select_index_read(work);
    if (progress->in_partition && !work->plan->is_grouped &&
        progress->rows_in_partition >= work->per_partition_limit)
        progress->in_partition = false;
    if (progress->in_partition && index->is_of_partitions) {
        if (select_index_read_rest(work)) return true;
        progress->in_partition = false;
    }
    if (index->is_over && !progress->in_partition) return false;
    return select_index_look(work);
}

// ---- Moving on ----------------------------------------------------------------------------------

static void select_index_looked(struct select_work *work)
{
    struct select_index *index = work->index;
    index->continues = index->is_rest;
    if (index->is_cut) return;
    if (!index->is_rest) {
        index->is_over = true;
    } else if (index->count == 0) {
        work->progress.in_partition = false;
    }
}

// The place is behind what was read.
static void select_index_was_read(struct select_work *work)
{
    struct select_index *index = work->index;
    struct select_progress *progress = &work->progress;
    const struct select_candidate *last = &index->items[index->batch_end - 1];
    bool is_last = index->batch_end == index->count;
    bool goes_on = is_last && index->is_cut && last->row_count > 0;
    index->next = index->batch_end;
    progress->key = arena_copy(work->arena, last->key.bytes);
    progress->inclusive = false;
    progress->in_partition = goes_on;
    progress->clustering = (struct clustering){0, NULL};
    if (!goes_on) return;
    const struct clustering *row = &last->rows[last->row_count - 1].start.prefix;
    progress->clustering = select_index_row(work->arena, row).start.prefix;
}

void select_index_move_on(struct select_work *work)
{
    struct select_index *index = work->index;
    struct select_progress *progress = &work->progress;
    if (index->is_looking) {
        select_index_looked(work);
        return;
    }
    if (progress->is_full) return; // The place is where the next page begins.
    if (progress->is_step_over) {
        // It is looked for anew, from the place.
        index->next = index->count = 0;
        index->is_over = false;
        return;
    }
    if (work->read.keys == &work->resumed_key)
        progress->in_partition = false;
    else
        select_index_was_read(work);
}

bool select_index_give_up(struct select_work *work)
{
    if (work->index == NULL || !work->index->is_looking) return false;
    select_index_set_read(work);
    work->index = NULL;
    work->scan_is_over = false;
    return true;
}

bool select_index_is_looking(const struct select_work *work)
{
    return work->index != NULL && work->index->is_looking;
}
