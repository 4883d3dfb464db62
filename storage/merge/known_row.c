#include "storage/merge/known_row.h"

// Gives the first row or marker again, then the rest.
struct peeked_partition {
    struct partition_iterator base;
    struct partition_iterator *source;
    struct unfiltered first;
    enum status first_status;
    bool was_given;
};

static enum status next_peeked(struct partition_iterator *iterator, struct unfiltered *unfiltered)
{
    struct peeked_partition *peeked = (struct peeked_partition *)iterator;
    if (peeked->was_given) return partition_iterator_next(peeked->source, unfiltered);
    peeked->was_given = peeked->first_status == STATUS_OK;
    if (peeked->was_given) *unfiltered = peeked->first;
    return peeked->first_status;
}

static void close_peeked(struct partition_iterator *iterator)
{
    partition_iterator_close(((struct peeked_partition *)iterator)->source);
}

static const struct partition_iterator_ops peeked_ops = {next_peeked, close_peeked};

static bool is_of_one_row(const struct table *table, const struct partition_filter *filter)
{
    uint16_t count = table->column_counts[COLUMN_CLUSTERING];
    if (filter->range_count != 1) return false;
    const struct clustering *start = &filter->ranges[0].start.prefix;
    const struct clustering *end = &filter->ranges[0].end.prefix;
    if (start->count != count || end->count != count) return false;
    for (uint16_t i = 0; i < count; i++) {
        if (!slice_equals(start->values[i], end->values[i])) return false;
    }
    return true;
}

void known_row_init(struct known_row *known, const struct table *table,
                    const struct partition_filter *filter, struct arena *arena)
{
    uint16_t count = table->column_counts[COLUMN_REGULAR];
    bool wants_static = filter->with_static && table->column_counts[COLUMN_STATIC] > 0;
    *known = (struct known_row){
        .is_of_use = !table->is_counter && !wants_static && is_of_one_row(table, filter),
        .column_count = count,
        .arena = arena,
        .liveness = TIMESTAMP_NONE,
        .deletion = TIMESTAMP_NONE,
    };
    for (uint16_t i = 0; i < count && known->is_of_use; i++)
        known->is_of_use = !type_is_multi_cell(table->columns[COLUMN_REGULAR][i].type);
}

static inline void raise(int64_t *newest, int64_t timestamp)
{
    if (timestamp > *newest) *newest = timestamp;
}

static void add_row(struct known_row *known, const struct row *row)
{
    if (known->cells == NULL) {
        known->cells = ARENA_NEW_ARRAY(known->arena, int64_t, known->column_count);
        for (uint16_t i = 0; i < known->column_count; i++)
            known->cells[i] = TIMESTAMP_NONE;
    }
    raise(&known->liveness, row->liveness.timestamp);
    raise(&known->deletion, row->deletion.timestamp);
    for (uint32_t i = 0; i < row->cell_count; i++)
        raise(&known->cells[row->cells[i].column], row->cells[i].timestamp);
}

enum status known_row_add(struct known_row *known, struct partition_iterator **partition)
{
    struct partition_iterator *source = *partition;
    struct peeked_partition *peeked = ARENA_NEW(known->arena, struct peeked_partition);
    peeked->base = *source;
    peeked->base.ops = &peeked_ops;
    peeked->source = source;
    *partition = &peeked->base;
    raise(&known->deletion, source->deletion.timestamp);
    peeked->first_status = partition_iterator_next(source, &peeked->first);
    if (peeked->first_status == STATUS_END) return STATUS_OK;
    if (peeked->first_status != STATUS_OK) return peeked->first_status;
    if (peeked->first.is_marker) {
        // A range tombstone over the row; the row itself comes next, and is left for the merge.
        raise(&known->deletion, peeked->first.marker->opens.timestamp);
    } else {
        add_row(known, peeked->first.row);
    }
    return STATUS_OK;
}

bool known_row_covers(const struct known_row *known, int64_t max_timestamp)
{
    // What is as old as a deletion is deleted.
    if (known->deletion != TIMESTAMP_NONE && known->deletion >= max_timestamp) return true;
    if (known->liveness <= max_timestamp || known->cells == NULL) return false;
    for (uint16_t i = 0; i < known->column_count; i++) {
        if (known->cells[i] <= max_timestamp) return false;
    }
    return true;
}
