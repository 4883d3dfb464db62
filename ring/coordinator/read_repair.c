#include "ring/coordinator/read_repair.h"

#include "base/limits.h"
#include "ring/coordinator/read_encoder.h"
#include "storage/cell_path.h"
#include "storage/engine/engine.h"
#include "storage/merge/merge.h"

// A row beyond it is repaired by its cells: all of it together may be more than a mutation may
// have.
enum { LARGE_ROW_SIZE = MIB };

// ---- The merge ----------------------------------------------------------------------------------

// The first place where a source that has more has nothing left: so far the merge is right.
static void find_reach(const struct read_repair *repair, struct read_decoder **decoders,
                       size_t count, struct read_reach *reach)
{
    struct read_reach first = {0};
    for (size_t i = 0; i < count; i++) {
        if (!read_decoder_is_at_end(decoders[i])) continue;
        struct read_reach end = read_reach_of_decoder(decoders[i]);
        if (!first.is_known ||
            read_reach_compare(repair->table, repair->reversed, &end, &first) < 0)
            first = end;
    }
    *reach = read_reach_copy(&first, repair->arena);
}

enum status read_repair_merge(const struct read_repair *repair,
                              const struct read_repair_source *sources, size_t count,
                              struct read_chunk *merged, struct read_reach *reach)
{
    struct arena *arena = repair->arena;
    struct read_decoder **decoders = arena_alloc(arena, count * sizeof(struct read_decoder *));
    struct scan_iterator **scans = arena_alloc(arena, count * sizeof(struct scan_iterator *));
    for (size_t i = 0; i < count; i++) {
        decoders[i] = read_decoder_open(&sources[i].chunk, repair->table, repair->reversed,
                                        sources[i].is_trusted, arena);
        scans[i] = &decoders[i]->base;
    }
    struct scan_iterator *scan = merge_scans(scans, count, repair->reversed, arena);
    struct read_encoder encoder;
    buffer_clear(repair->bytes);
    read_encoder_init(&encoder, repair->bytes, repair->table, 0, repair->now_s);
    // The sources are bounded already, and where one of them ends the merge ends too.
    encoder.looks_left = UINT32_MAX;
    encoder.size_max = SIZE_MAX;
    enum status status = read_encoder_put_scan(&encoder, scan, true);
    *reach = (struct read_reach){0};
    if (status == STATUS_OK && read_decoder_has_more(buffer_slice(repair->bytes))) {
        find_reach(repair, decoders, count, reach);
        if (!reach->is_known) status = STATUS_CORRUPT;
    }
    scan_iterator_close(scan);
    if (status != STATUS_OK) return status;
    *merged = (struct read_chunk){arena_copy(arena, buffer_slice(repair->bytes)), NULL};
    return STATUS_OK;
}

// ---- What a source lacks ------------------------------------------------------------------------

// One side of the comparison: what it has next in the present partition.
struct side {
    struct read_decoder *decoder;
    struct partition_iterator *partition; // NULL: no more.
    struct unfiltered unfiltered;
    bool has_next;
    struct deletion open; // The range deletion between what was last and what is next.
};

struct difference {
    const struct read_repair *repair;
    const struct read_reach *reach;
    struct side merged, source;
    struct mutation mutation;
    struct row *rows;
    struct range_deletion *ranges;
    size_t row_capacity, range_capacity;
    bool is_lacking; // Since `lacking_from`: the range deletion `lacking`.
    struct bound lacking_from;
    struct deletion lacking;
};

static enum status side_next_partition(struct side *side)
{
    enum status status = scan_iterator_next(&side->decoder->base, &side->partition);
    side->has_next = false;
    side->open = DELETION_NONE;
    if (status == STATUS_OK) return STATUS_OK;
    side->partition = NULL;
    // Behind the end of a chunk nothing is known, and nothing is compared.
    return status == STATUS_END || status == STATUS_WOULD_BLOCK ? STATUS_OK : status;
}

static enum status side_advance(struct side *side)
{
    side->has_next = false;
    if (side->partition == NULL) return STATUS_OK;
    enum status status = partition_iterator_next(side->partition, &side->unfiltered);
    side->has_next = status == STATUS_OK;
    return status == STATUS_END || status == STATUS_WOULD_BLOCK ? STATUS_OK : status;
}

static bool deletion_equals(struct deletion a, struct deletion b)
{
    return a.timestamp == b.timestamp && a.local_time == b.local_time;
}

static struct bound copy_place(struct arena *arena, struct bound place)
{
    if (place.prefix.count == 0) return place;
    struct slice *values = arena_alloc(arena, place.prefix.count * sizeof *values);
    memcpy(values, place.prefix.values, place.prefix.count * sizeof *values);
    place.prefix.values = values;
    return place;
}

static void *grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return items;
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = arena_alloc(arena, *capacity * size);
    if (count > 0) memcpy(grown, items, count * size);
    return grown;
}

// The values lie in the chunk; what the decoder uses again for the next row is copied.
static struct row copy_row(struct arena *arena, const struct row *row)
{
    struct row copy = *row;
    struct bound place = copy_place(arena, (struct bound){BOUND_CLUSTERING, row->clustering});
    copy.clustering = place.prefix;
    struct cell *cells = arena_alloc(arena, (row->cell_count + 1) * sizeof *cells);
    struct complex_deletion *deletions =
        arena_alloc(arena, (row->complex_deletion_count + 1) * sizeof *deletions);
    if (row->cell_count > 0) memcpy(cells, row->cells, row->cell_count * sizeof *cells);
    if (row->complex_deletion_count > 0)
        memcpy(deletions, row->complex_deletions, row->complex_deletion_count * sizeof *deletions);
    copy.cells = cells;
    copy.complex_deletions = deletions;
    return copy;
}

static bool value_equals(struct slice a, struct slice b)
{
    return slice_is_null(a) == slice_is_null(b) && slice_equals(a, b);
}

static bool cell_equals(const struct cell *a, const struct cell *b)
{
    return a->timestamp == b->timestamp && a->ttl == b->ttl && a->local_time == b->local_time &&
           value_equals(a->value, b->value);
}

// `row` is a copy of the merged one.
static void leave_out_cells(const struct table *table, enum column_kind kind, struct row *row,
                            const struct row *had)
{
    struct cell *cells = (struct cell *)(uintptr_t)row->cells;
    uint32_t kept = 0, at = 0;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        int order = 1;
        while (at < had->cell_count &&
               (order = cell_place_compare(table->columns[kind], &had->cells[at], &cells[i])) < 0)
            at++;
        bool is_there =
            at < had->cell_count && order == 0 && cell_equals(&had->cells[at], &cells[i]);
        if (!is_there) cells[kept++] = cells[i];
    }
    row->cell_count = kept;
}

static void leave_out_complex(struct row *row, const struct row *had)
{
    struct complex_deletion *all = (struct complex_deletion *)(uintptr_t)row->complex_deletions;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < row->complex_deletion_count; i++) {
        bool is_there = false;
        for (uint32_t k = 0; k < had->complex_deletion_count && !is_there; k++)
            is_there = had->complex_deletions[k].column == all[i].column &&
                       deletion_equals(had->complex_deletions[k].deletion, all[i].deletion);
        if (!is_there) all[kept++] = all[i];
    }
    row->complex_deletion_count = kept;
}

// What of the row the one that the source has lacks.
static struct row row_without(struct arena *arena, const struct table *table, enum column_kind kind,
                              const struct row *row, const struct row *had)
{
    struct row left = copy_row(arena, row);
    leave_out_cells(table, kind, &left, had);
    leave_out_complex(&left, had);
    if (deletion_equals(left.deletion, had->deletion)) left.deletion = DELETION_NONE;
    if (left.liveness.timestamp == had->liveness.timestamp &&
        left.liveness.ttl == had->liveness.ttl &&
        left.liveness.local_time == had->liveness.local_time)
        left.liveness = LIVENESS_NONE;
    return left;
}

// `had`: what the source has of the row; NULL: nothing.
static void add_row(struct difference *difference, const struct row *row, const struct row *had)
{
    struct arena *arena = difference->repair->arena;
    struct row copy = had == NULL
                          ? copy_row(arena, row)
                          : row_without(arena, difference->repair->table, COLUMN_REGULAR, row, had);
    if (had != NULL && row_is_empty(&copy)) return;
    size_t count = difference->mutation.row_count++;
    difference->rows =
        grow(arena, difference->rows, count, &difference->row_capacity, sizeof *difference->rows);
    difference->rows[count] = copy;
}

// A place as the start or the end of a range. A row's own place is inside of it.
static struct bound range_edge(struct bound place, bool is_start)
{
    bool before = bound_stands_before_rows(place.kind);
    if (place.kind == BOUND_CLUSTERING) before = is_start;
    if (is_start)
        place.kind = before ? BOUND_INCL_START : BOUND_EXCL_START;
    else
        place.kind = before ? BOUND_EXCL_END : BOUND_INCL_END;
    return place;
}

static void end_lacking(struct difference *difference, struct bound place)
{
    if (!difference->is_lacking) return;
    difference->is_lacking = false;
    bool reversed = difference->repair->reversed;
    struct arena *arena = difference->repair->arena;
    struct bound first = difference->lacking_from, last = copy_place(arena, place);
    struct clustering_range range = {range_edge(reversed ? last : first, true),
                                     range_edge(reversed ? first : last, false)};
    if (bound_compare(difference->repair->table, &range.start, &range.end) >= 0) return;
    size_t count = difference->mutation.range_deletion_count++;
    difference->ranges = grow(arena, difference->ranges, count, &difference->range_capacity,
                              sizeof *difference->ranges);
    difference->ranges[count] = (struct range_deletion){range, difference->lacking};
}

// One side or both have come to a marker at `place`.
static void look_at_open(struct difference *difference, struct bound place)
{
    struct deletion open = difference->merged.open;
    bool lacks = !deletion_is_live(open) && !deletion_equals(open, difference->source.open);
    if (difference->is_lacking && lacks && deletion_equals(open, difference->lacking)) return;
    end_lacking(difference, place);
    if (!lacks) return;
    difference->is_lacking = true;
    difference->lacking = open;
    difference->lacking_from = copy_place(difference->repair->arena, place);
}

static void side_take_marker(struct side *side, bool reversed)
{
    const struct marker *marker = side->unfiltered.marker;
    side->open = reversed ? marker->closes : marker->opens;
}

static void compare_rows(struct difference *difference, bool has_merged, bool has_source)
{
    if (!has_merged) return; // Hidden by a deletion, which the source lacks.
    struct slice raw = difference->merged.decoder->raw;
    if (has_source && slice_equals(raw, difference->source.decoder->raw)) return;
    bool by_cells = has_source && raw.size > LARGE_ROW_SIZE;
    add_row(difference, difference->merged.unfiltered.row,
            by_cells ? difference->source.unfiltered.row : NULL);
}

// What stands next on one side, or on both at one place.
static enum status compare_next(struct difference *difference)
{
    struct side *merged = &difference->merged, *source = &difference->source;
    bool reversed = difference->repair->reversed;
    int order = -1;
    if (source->has_next) {
        order = bound_compare(difference->repair->table, &merged->decoder->place,
                              &source->decoder->place);
        if (reversed) order = -order;
    }
    bool has_merged = order <= 0, has_source = order >= 0 && source->has_next;
    const struct side *first = has_merged ? merged : source;
    struct bound place = first->decoder->place;
    if (first->unfiltered.is_marker) {
        if (has_merged) side_take_marker(merged, reversed);
        if (has_source) side_take_marker(source, reversed);
        look_at_open(difference, place);
    } else {
        compare_rows(difference, has_merged, has_source);
    }
    enum status status = has_source ? side_advance(source) : STATUS_OK;
    if (status == STATUS_OK && has_merged) status = side_advance(merged);
    return status;
}

static void reverse_rows(struct row *rows, size_t count)
{
    for (size_t i = 0; i + 1 < count - i; i++) {
        struct row row = rows[i];
        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = row;
    }
}

static void compare_heads(struct difference *difference, bool has_source)
{
    const struct partition_iterator *merged = difference->merged.partition;
    const struct partition_iterator *source = difference->source.partition;
    difference->mutation = (struct mutation){
        .table = difference->repair->table, .key = merged->key, .deletion = DELETION_NONE};
    struct deletion own = has_source ? source->deletion : DELETION_NONE;
    if (!deletion_equals(merged->deletion, own)) difference->mutation.deletion = merged->deletion;
    bool same_static =
        merged->static_row == NULL || (has_source && source->static_row != NULL &&
                                       slice_equals(difference->merged.decoder->static_raw,
                                                    difference->source.decoder->static_raw));
    // The decoder has one static row at a time, and this partition is read to its end first.
    if (same_static) return;
    difference->mutation.static_row = merged->static_row;
    if (!has_source || source->static_row == NULL ||
        difference->merged.decoder->static_raw.size <= LARGE_ROW_SIZE)
        return;
    struct arena *arena = difference->repair->arena;
    struct row *left = ARENA_NEW(arena, struct row);
    *left = row_without(arena, difference->repair->table, COLUMN_STATIC, merged->static_row,
                        source->static_row);
    difference->mutation.static_row = row_is_empty(left) ? NULL : left;
}

// The merge was cut here: it is known as far as the sources are, which may be behind the last row
// that is left of it. The source's rows up to there are hidden by the range deletion that is open
// in the merge. Its own deletion, the same up to here, may end before them: then it lacks the rest.
static enum status compare_cut(struct difference *difference)
{
    const struct read_reach *reach = difference->reach;
    struct side *source = &difference->source;
    bool reversed = difference->repair->reversed;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && source->has_next) {
        struct bound place = source->decoder->place;
        int order = bound_compare(difference->repair->table, &place, &reach->place);
        if (reversed ? order < 0 : order > 0) break;
        if (source->unfiltered.is_marker) {
            side_take_marker(source, reversed);
            look_at_open(difference, place);
        }
        status = side_advance(source);
    }
    end_lacking(difference, reach->place);
    return status;
}

static enum status compare_partition(struct difference *difference, bool has_source,
                                     struct buffer *body)
{
    struct side whole = difference->source;
    if (!has_source) difference->source = (struct side){.open = DELETION_NONE};
    difference->is_lacking = false;
    compare_heads(difference, has_source);
    enum status status = side_advance(&difference->merged);
    if (status == STATUS_OK) status = side_advance(&difference->source);
    while (status == STATUS_OK && difference->merged.has_next)
        status = compare_next(difference);
    const struct read_reach *reach = difference->reach;
    bool is_cut = reach->is_known && reach->in_partition &&
                  slice_equals(reach->key.bytes, difference->mutation.key.bytes);
    if (status == STATUS_OK && is_cut) status = compare_cut(difference);
    if (!has_source) difference->source = whole;
    if (status != STATUS_OK) return status;
    struct mutation *mutation = &difference->mutation;
    if (difference->repair->reversed) reverse_rows(difference->rows, mutation->row_count);
    mutation->rows = difference->rows;
    mutation->range_deletions = difference->ranges;
    bool is_empty = mutation->row_count == 0 && mutation->range_deletion_count == 0 &&
                    mutation->static_row == NULL && deletion_is_live(mutation->deletion);
    if (is_empty) return STATUS_OK;
    buffer_clear(difference->repair->bytes);
    engine_put_record(mutation, difference->repair->bytes);
    buffer_put_vint_bytes(body, buffer_slice(difference->repair->bytes));
    return body->overflow || difference->repair->bytes->overflow ? STATUS_OVERLOADED : STATUS_OK;
}

enum status read_repair_put_difference(const struct read_repair *repair,
                                       const struct read_chunk *merged,
                                       const struct read_reach *reach,
                                       const struct read_repair_source *source, struct buffer *body)
{
    struct difference difference = {.repair = repair, .reach = reach};
    difference.merged.decoder =
        read_decoder_open(merged, repair->table, repair->reversed, true, repair->arena);
    difference.source.decoder = read_decoder_open(&source->chunk, repair->table, repair->reversed,
                                                  source->is_trusted, repair->arena);
    enum status status = side_next_partition(&difference.merged);
    if (status == STATUS_OK) status = side_next_partition(&difference.source);
    while (status == STATUS_OK && difference.merged.partition != NULL) {
        int order = -1;
        if (difference.source.partition != NULL)
            order = partition_key_compare(&difference.merged.partition->key,
                                          &difference.source.partition->key);
        if (order > 0) {
            status = side_next_partition(&difference.source);
            continue;
        }
        status = compare_partition(&difference, order == 0, body);
        if (status == STATUS_OK) status = side_next_partition(&difference.merged);
    }
    return status;
}
