// Replicas as memtables: what they encode, how they merge, and what each lacks. Random changes of
// every kind; the seed is printed, and HELENUS_SEED=n runs one again.
#include "ring/coordinator/read_repair.h"

#include "base/random.h"
#include "ring/coordinator/read_encoder.h"
#include "storage/counter_context.h"
#include "storage/memtable/memtable.h"
#include "storage/merge/merge.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 3, ROWS = 9, TIMES = 30, REPLICAS = 3, READS = 4, ROUNDS = 400, CHANGES = 30 };

static struct random random_state;
static struct arena arena;

static unsigned below(unsigned bound)
{
    return (unsigned)random_below(&random_state, bound);
}

// ---- Tables -------------------------------------------------------------------------------------

static void add(struct table_builder *builder, const char *name, const struct type *type,
                enum column_kind kind)
{
    table_builder_add_column(builder, slice_of_text(name), type, kind, false);
}

// Version 1 has a column more.
static const struct table *make_table(int version)
{
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    const struct type *text = type_of_kind(TYPE_TEXT);
    add(builder, "k", type_of_kind(TYPE_BLOB), COLUMN_PARTITION_KEY);
    add(builder, "c", text, COLUMN_CLUSTERING);
    add(builder, "d", type_of_kind(TYPE_INT), COLUMN_CLUSTERING);
    add(builder, "s", text, COLUMN_STATIC);
    add(builder, "a", text, COLUMN_REGULAR);
    add(builder, "n", type_of_kind(TYPE_INT), COLUMN_REGULAR);
    add(builder, "e", type_make_set(table_builder_arena(builder), text, false), COLUMN_REGULAR);
    if (version == 1) add(builder, "b", text, COLUMN_REGULAR);
    return table_builder_finish(builder);
}

static const struct table *make_counter_table(void)
{
    struct uuid id = {{2}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("counts"), id);
    add(builder, "k", type_of_kind(TYPE_BLOB), COLUMN_PARTITION_KEY);
    add(builder, "c", type_of_kind(TYPE_TEXT), COLUMN_CLUSTERING);
    add(builder, "d", type_of_kind(TYPE_INT), COLUMN_CLUSTERING);
    add(builder, "a", type_of_kind(TYPE_COUNTER), COLUMN_REGULAR);
    return table_builder_finish(builder);
}

// ---- Random changes -----------------------------------------------------------------------------

static struct slice text(const char *letter, unsigned number)
{
    return slice_of_text(arena_format(&arena, "%s%u", letter, number));
}

static struct clustering random_clustering(uint16_t count)
{
    static const uint8_t numbers[3][4] = {{0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 0, 2}};
    struct slice *values = ARENA_NEW_ARRAY(&arena, struct slice, 2);
    values[0] = text("c", below(ROWS));
    values[1] = slice_make(numbers[below(3)], 4);
    return (struct clustering){count, values};
}

static struct deletion random_deletion(void)
{
    return (struct deletion){below(TIMES), (int32_t)(100 + below(3))};
}

static struct slice random_shard(void)
{
    uint8_t *context = arena_alloc(&arena, COUNTER_SINGLE_SHARD_SIZE);
    struct uuid id = {{(uint8_t)(1 + below(3))}};
    unsigned clock = below(9);
    counter_context_make_global(id, clock, 10 * clock, context);
    return slice_make(context, COUNTER_SINGLE_SHARD_SIZE);
}

static struct cell random_cell(const struct column *column)
{
    struct cell cell = {
        .column = column->index, .timestamp = below(TIMES), .local_time = LOCAL_TIME_NONE};
    bool is_counter = column->type->kind == TYPE_COUNTER;
    unsigned kind = below(4);
    if (type_is_multi_cell(column->type)) cell.path = text("p", below(3));
    cell.value = is_counter ? random_shard() : text("", below(3));
    if (column->type->kind == TYPE_INT) cell.value = slice_make("\0\0\0\7", 4);
    if (kind == 0 && type_is_multi_cell(column->type)) cell.value = slice_make("", 0);
    if (kind == 1 && !is_counter) {
        cell.local_time = (int32_t)(100 + below(3));
        cell.value = slice_make("", 0);
    } else if (kind == 2 && !is_counter) {
        cell.ttl = 60;
        cell.local_time = (int32_t)(1000 + below(3));
    }
    return cell;
}

// One cell at most of each column.
static void fill_row(const struct table *table, enum column_kind kind, struct row *row)
{
    uint16_t count = table->column_counts[kind];
    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, (size_t)count + 1);
    for (uint16_t i = 0; i < count; i++)
        if (below(2) == 0) cells[row->cell_count++] = random_cell(&table->columns[kind][i]);
    row->cells = cells;
    struct complex_deletion *deletions = ARENA_NEW(&arena, struct complex_deletion);
    for (uint16_t i = 0; i < count; i++) {
        if (!type_is_multi_cell(table->columns[kind][i].type) || below(4) > 0) continue;
        *deletions = (struct complex_deletion){i, random_deletion()};
        row->complex_deletion_count = 1;
    }
    row->complex_deletions = deletions;
}

static struct row *random_row(const struct table *table, enum column_kind kind)
{
    struct row *row = ARENA_NEW(&arena, struct row);
    *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
    fill_row(table, kind, row);
    if (kind == COLUMN_STATIC) return row;
    row->clustering = random_clustering(2);
    if (!table->is_counter && below(2) == 0) {
        row->liveness.timestamp = below(TIMES);
        if (below(3) == 0) row->liveness.ttl = 60, row->liveness.local_time = 1002;
    }
    if (!table->is_counter && below(6) == 0) row->deletion = random_deletion();
    return row;
}

static struct range_deletion *random_range(const struct table *table)
{
    struct range_deletion *range = ARENA_NEW(&arena, struct range_deletion);
    range->deletion = random_deletion();
    range->range.start = (struct bound){below(2) == 0 ? BOUND_INCL_START : BOUND_EXCL_START,
                                        random_clustering((uint16_t)(1 + below(2)))};
    range->range.end = (struct bound){below(2) == 0 ? BOUND_INCL_END : BOUND_EXCL_END,
                                      random_clustering((uint16_t)(1 + below(2)))};
    if (below(5) == 0) range->range.start = BOUND_BOTTOM;
    if (below(5) == 0) range->range.end = BOUND_TOP;
    bool is_range = bound_compare(table, &range->range.start, &range->range.end) < 0;
    return is_range ? range : NULL;
}

static struct mutation random_change(const struct table *table)
{
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(text("k", below(KEYS))),
                                .deletion = DELETION_NONE};
    // What a deletion takes of a counter depends on what was merged before it came, as in
    // Cassandra.
    unsigned kind = table->is_counter ? 10 : below(20);
    if (kind == 0) mutation.deletion = random_deletion();
    if (kind < 4 && table->column_counts[COLUMN_STATIC] > 0)
        mutation.static_row = random_row(table, COLUMN_STATIC);
    if (kind > 2) {
        mutation.rows = random_row(table, COLUMN_REGULAR);
        mutation.row_count = 1;
    }
    if (kind > 15) {
        mutation.range_deletions = random_range(table);
        mutation.range_deletion_count = mutation.range_deletions != NULL;
    }
    return mutation;
}

// ---- Replicas -----------------------------------------------------------------------------------

// What one memtable, or several together, have.
static void encode_range(struct memtable *const *memtables, size_t count, const struct table *table,
                         const struct scan_range *range, const struct partition_filter *filter,
                         uint32_t looks, uint32_t row_max, struct buffer *bytes)
{
    struct scan_iterator *scans[REPLICAS];
    for (size_t i = 0; i < count; i++)
        scans[i] = memtable_scan(memtables[i], table, range, filter, &arena, NULL);
    struct scan_iterator *scan = merge_scans(scans, count, filter->reversed, &arena);
    struct read_encoder encoder;
    buffer_clear(bytes);
    read_encoder_init(&encoder, bytes, table, row_max, 1001);
    encoder.looks_left = looks;
    ck_assert_int_eq(read_encoder_put_scan(&encoder, scan, false), STATUS_OK);
    scan_iterator_close(scan);
}

static void encode(struct memtable *const *memtables, size_t count, const struct table *table,
                   const struct partition_filter *filter, uint32_t looks, uint32_t row_max,
                   struct buffer *bytes)
{
    const struct scan_range all = SCAN_RANGE_ALL;
    encode_range(memtables, count, table, &all, filter, looks, row_max, bytes);
}

static struct clustering_range ranges[2];

static struct partition_filter random_filter(const struct table *table)
{
    struct partition_filter filter = {ranges, 1, below(2) == 0, true};
    ranges[0] = CLUSTERING_RANGE_ALL;
    if (below(2) == 0) return filter;
    const struct range_deletion *first = random_range(table), *second = random_range(table);
    if (first == NULL) return filter;
    ranges[0] = first->range;
    if (second == NULL || bound_compare(table, &first->range.end, &second->range.start) >= 0)
        return filter;
    ranges[1] = second->range;
    filter.range_count = 2;
    return filter;
}

static void check_round_trip(const struct table *table, bool reversed, struct slice chunk)
{
    struct buffer bytes;
    buffer_init(&bytes, 1 << 24);
    const struct read_chunk first = {chunk, NULL};
    struct read_decoder *decoder = read_decoder_open(&first, table, reversed, false, &arena);
    struct read_encoder encoder;
    read_encoder_init(&encoder, &bytes, table, 0, 0);
    encoder.looks_left = UINT32_MAX;
    ck_assert_int_eq(read_encoder_put_scan(&encoder, &decoder->base, true), STATUS_OK);
    ck_assert(slice_equals(buffer_slice(&bytes), chunk));
    buffer_deinit(&bytes);
}

static void begin(uint64_t salt)
{
    const char *fixed = getenv("HELENUS_SEED");
    uint64_t seed = fixed != NULL ? strtoull(fixed, NULL, 10) : salt;
    random_init(&random_state, seed);
    arena_init(&arena, 65536);
}

static void finish(const struct table *table)
{
    table_unref(table);
    arena_deinit(&arena);
}

START_TEST(the_same_data_are_the_same_bytes)
{
    begin((uint64_t)_i);
    const struct table *table = _i % 4 == 0 ? make_counter_table() : make_table(0);
    struct memtable *whole = memtable_create(table), *parts[REPLICAS];
    for (int i = 0; i < REPLICAS; i++)
        parts[i] = memtable_create(table);
    for (unsigned i = 0; i < 2 * CHANGES; i++) {
        struct mutation change = random_change(table);
        memtable_apply(whole, &change, 0);
        memtable_apply(parts[below(REPLICAS)], &change, 0);
    }
    struct buffer one, several;
    buffer_init(&one, 1 << 24);
    buffer_init(&several, 1 << 24);
    for (int i = 0; i < 4; i++) {
        struct partition_filter filter = random_filter(table);
        uint32_t looks = i < 2 ? UINT32_MAX : 1 + below(20), rows = i == 3 ? 1 + below(5) : 0;
        encode(&whole, 1, table, &filter, looks, rows, &one);
        encode(parts, REPLICAS, table, &filter, looks, rows, &several);
        ck_assert_msg(slice_equals(buffer_slice(&one), buffer_slice(&several)), "seed %d", _i);
        check_round_trip(table, filter.reversed, buffer_slice(&one));
    }
    buffer_deinit(&one);
    buffer_deinit(&several);
    memtable_unref(whole);
    for (int i = 0; i < REPLICAS; i++)
        memtable_unref(parts[i]);
    finish(table);
}
END_TEST

// ---- Merges and repairs -------------------------------------------------------------------------

static void apply_body(struct memtable *memtable, const struct table *table, struct slice body)
{
    struct cursor cursor = cursor_make(body);
    while (cursor_left(&cursor) > 0) {
        struct slice record = cursor_vint_bytes(&cursor);
        struct mutation mutation;
        struct error error;
        ck_assert(record.size > 1);
        ck_assert_int_eq(mutation_decode(slice_make(record.data + 1, record.size - 1), table,
                                         &arena, &mutation, &error),
                         STATUS_OK);
        memtable_apply(memtable, &mutation, 0);
    }
}

// The part of a replica's data that lies before `reach`, as one more chunk of a merge of one.
static struct slice cut_at(const struct table *table, const struct partition_filter *filter,
                           struct memtable *memtable, const struct read_chunk *limit,
                           struct buffer *bytes)
{
    struct buffer all;
    buffer_init(&all, 1 << 24);
    encode(&memtable, 1, table, filter, UINT32_MAX, 0, &all);
    struct slice own = arena_copy(&arena, buffer_slice(&all));
    const struct read_repair repair = {table, filter->reversed, 1001, &arena, &all};
    const struct read_repair_source sources[2] = {{{own, NULL}, true}, {*limit, true}};
    struct read_chunk merged;
    struct read_reach reach;
    ck_assert_int_eq(read_repair_merge(&repair, sources, 2, &merged, &reach), STATUS_OK);
    buffer_clear(bytes);
    buffer_put(bytes, merged.bytes.data, merged.bytes.size);
    buffer_deinit(&all);
    return buffer_slice(bytes);
}

// The ranges of `filter` up to `reach` in its partition. False: none.
static bool filter_before_reach(const struct table *table, const struct partition_filter *filter,
                                const struct read_reach *reach, struct partition_filter *cut)
{
    struct clustering_range *before = ARENA_NEW_ARRAY(&arena, struct clustering_range, 2);
    struct bound edge = reach->place;
    bool is_before_rows = bound_stands_before_rows(edge.kind),
         is_row = edge.kind == BOUND_CLUSTERING;
    if (filter->reversed)
        edge.kind = is_row || is_before_rows ? BOUND_INCL_START : BOUND_EXCL_START;
    else
        edge.kind = !is_row && is_before_rows ? BOUND_EXCL_END : BOUND_INCL_END;
    *cut = (struct partition_filter){before, 0, filter->reversed, true};
    for (size_t i = 0; i < filter->range_count; i++) {
        struct clustering_range range = filter->ranges[i];
        if (filter->reversed && bound_compare(table, &edge, &range.start) > 0) range.start = edge;
        if (!filter->reversed && bound_compare(table, &edge, &range.end) < 0) range.end = edge;
        if (bound_compare(table, &range.start, &range.end) < 0) before[cut->range_count++] = range;
    }
    return cut->range_count > 0;
}

// Behind the last row that the merge has, but before the place where it ends, there may be rows
// that a deletion hides in the merge: it must hide them everywhere.
static void check_equal_up_to_reach(const struct table *table,
                                    const struct partition_filter *filter,
                                    const struct read_reach *reach,
                                    struct memtable *const *replicas, size_t count, int seed)
{
    struct partition_filter cut;
    if (!reach->is_known || !reach->in_partition ||
        !filter_before_reach(table, filter, reach, &cut))
        return;
    const struct scan_bound key = {reach->key.token, reach->key.bytes, true};
    const struct scan_range range = {key, key};
    struct buffer wanted, own;
    buffer_init(&wanted, 1 << 24);
    buffer_init(&own, 1 << 24);
    encode_range(replicas, count, table, &range, &cut, UINT32_MAX, 0, &wanted);
    for (size_t i = 0; i < count; i++) {
        encode_range(&replicas[i], 1, table, &range, &cut, UINT32_MAX, 0, &own);
        ck_assert_msg(slice_equals(buffer_slice(&own), buffer_slice(&wanted)),
                      "seed %d, replica %zu up to the end of the merge", seed, i);
    }
    buffer_deinit(&wanted);
    buffer_deinit(&own);
}

// A read of all replicas: they get what they lack.
static void read_and_repair(const struct table *table, struct memtable *const *replicas, int seed)
{
    struct partition_filter filter = random_filter(table);
    struct buffer bytes, scratch, body;
    buffer_init(&bytes, 1 << 24);
    buffer_init(&scratch, 1 << 24);
    buffer_init(&body, 1 << 24);
    bool is_limited = below(2) == 0;
    struct read_repair_source sources[REPLICAS];
    for (int i = 0; i < REPLICAS; i++) {
        encode(&replicas[i], 1, table, &filter, is_limited ? 2 + below(12) : UINT32_MAX, 0, &bytes);
        sources[i] =
            (struct read_repair_source){{arena_copy(&arena, buffer_slice(&bytes)), NULL}, false};
    }
    const struct read_repair repair = {table, filter.reversed, 1001, &arena, &scratch};
    struct read_chunk merged;
    struct read_reach reach;
    ck_assert_int_eq(read_repair_merge(&repair, sources, REPLICAS, &merged, &reach), STATUS_OK);
    ck_assert_int_eq(reach.is_known, read_decoder_has_more(merged.bytes));
    for (int i = 0; i < REPLICAS; i++) {
        buffer_clear(&body);
        ck_assert_int_eq(read_repair_put_difference(&repair, &merged, &reach, &sources[i], &body),
                         STATUS_OK);
        apply_body(replicas[i], table, buffer_slice(&body));
    }
    // As far as the merge went, each is now what the merge is.
    for (int i = 0; i < REPLICAS; i++) {
        if (reach.is_known) {
            // A chunk that is empty but for where it ends.
            struct slice own = cut_at(table, &filter, replicas[i], &merged, &bytes);
            ck_assert_msg(slice_equals(own, merged.bytes), "seed %d, replica %d", seed, i);
        } else {
            encode(&replicas[i], 1, table, &filter, UINT32_MAX, 0, &bytes);
            ck_assert_msg(slice_equals(buffer_slice(&bytes), merged.bytes), "seed %d, replica %d",
                          seed, i);
        }
    }
    check_equal_up_to_reach(table, &filter, &reach, replicas, REPLICAS, seed);
    buffer_deinit(&bytes);
    buffer_deinit(&scratch);
    buffer_deinit(&body);
}

START_TEST(replicas_that_got_what_they_lacked_are_equal)
{
    begin((uint64_t)_i + 1000000);
    const struct table *table = _i % 4 == 0 ? make_counter_table() : make_table(0);
    struct memtable *replicas[REPLICAS];
    for (int i = 0; i < REPLICAS; i++)
        replicas[i] = memtable_create(table);
    for (unsigned i = 0; i < CHANGES; i++) {
        struct mutation change = random_change(table);
        unsigned who = 1 + below(7);
        for (unsigned r = 0; r < REPLICAS; r++)
            if (who >> r & 1) memtable_apply(replicas[r], &change, 0);
    }
    // Where a read ended, its repairs did too: later ones meet parts of deletions.
    for (int i = 0; i < READS; i++)
        read_and_repair(table, replicas, _i);
    for (int i = 0; i < REPLICAS; i++)
        memtable_unref(replicas[i]);
    finish(table);
}
END_TEST

static struct clustering clustering_at(unsigned number)
{
    struct slice *values = ARENA_NEW_ARRAY(&arena, struct slice, 2);
    values[0] = text("c", number);
    values[1] = slice_make("\0\0\0\0", 4);
    return (struct clustering){2, values};
}

static void put_row_at(struct memtable *memtable, const struct table *table, unsigned number,
                       int64_t timestamp)
{
    const struct row row = {.clustering = clustering_at(number),
                            .liveness = {.timestamp = timestamp, .local_time = LOCAL_TIME_NONE},
                            .deletion = DELETION_NONE};
    const struct mutation mutation = {.table = table,
                                      .key = partition_key_make(text("k", 0)),
                                      .deletion = DELETION_NONE,
                                      .rows = &row,
                                      .row_count = 1};
    memtable_apply(memtable, &mutation, 0);
}

static void delete_rows(struct memtable *memtable, const struct table *table, unsigned first,
                        unsigned last)
{
    const struct range_deletion range = {
        {{BOUND_INCL_START, clustering_at(first)}, {BOUND_INCL_END, clustering_at(last)}},
        {10, 100}};
    const struct mutation mutation = {.table = table,
                                      .key = partition_key_make(text("k", 0)),
                                      .deletion = DELETION_NONE,
                                      .range_deletions = &range,
                                      .range_deletion_count = 1};
    memtable_apply(memtable, &mutation, 0);
}

// An earlier read gave replica 0 the deletion of rows 3 to 9 as far as it went: of row 3. Its chunk
// ends with row 4, which the merge does not have.
START_TEST(a_part_of_a_deletion_is_repaired_up_to_the_end_of_the_merge)
{
    begin(1);
    const struct table *table = make_table(0);
    struct memtable *replicas[2] = {memtable_create(table), memtable_create(table)};
    const struct partition_filter filter = {ranges, 1, _i == 1, true};
    ranges[0] = CLUSTERING_RANGE_ALL;
    unsigned hidden = _i == 1 ? 2 : 4;
    for (int i = 0; i < 2; i++)
        put_row_at(replicas[i], table, 3, 20);
    put_row_at(replicas[0], table, hidden, 5);
    delete_rows(replicas[0], table, 3, 3);
    delete_rows(replicas[1], table, _i == 1 ? 0 : 3, _i == 1 ? 3 : 9);
    struct buffer bytes, scratch, body;
    buffer_init(&bytes, 1 << 16);
    buffer_init(&scratch, 1 << 16);
    buffer_init(&body, 1 << 16);
    struct read_repair_source sources[2];
    for (int i = 0; i < 2; i++) {
        // Of replica 0: the deletion's start, row 3, its end, the row that is hidden.
        encode(&replicas[i], 1, table, &filter, i == 0 ? 4 : UINT32_MAX, 0, &bytes);
        sources[i] =
            (struct read_repair_source){{arena_copy(&arena, buffer_slice(&bytes)), NULL}, false};
    }
    const struct read_repair repair = {table, filter.reversed, 1001, &arena, &scratch};
    struct read_chunk merged;
    struct read_reach reach;
    ck_assert_int_eq(read_repair_merge(&repair, sources, 2, &merged, &reach), STATUS_OK);
    ck_assert(reach.is_known && reach.in_partition);
    ck_assert(slice_equals(reach.place.prefix.values[0], text("c", hidden)));
    ck_assert_int_eq(read_repair_put_difference(&repair, &merged, &reach, &sources[0], &body),
                     STATUS_OK);
    apply_body(replicas[0], table, buffer_slice(&body));
    check_equal_up_to_reach(table, &filter, &reach, replicas, 2, _i);
    buffer_deinit(&bytes);
    buffer_deinit(&scratch);
    buffer_deinit(&body);
    for (int i = 0; i < 2; i++)
        memtable_unref(replicas[i]);
    finish(table);
}
END_TEST

// ---- Other versions, other bytes ----------------------------------------------------------------

START_TEST(columns_of_another_version_are_found_by_name)
{
    begin((uint64_t)_i + 2000000);
    const struct table *older = make_table(0), *newer = make_table(1);
    ck_assert_uint_ne(older->layout_hash, newer->layout_hash);
    const struct table *ours = _i % 2 == 0 ? older : newer, *theirs = _i % 2 == 0 ? newer : older;
    struct memtable *memtable = memtable_create(older);
    for (unsigned i = 0; i < CHANGES; i++) {
        struct mutation change = random_change(older);
        memtable_apply(memtable, &change, 0);
    }
    struct partition_filter filter = random_filter(older);
    struct buffer bytes, wanted;
    buffer_init(&bytes, 1 << 24);
    buffer_init(&wanted, 1 << 24);
    const struct scan_range all = SCAN_RANGE_ALL;
    struct scan_iterator *scan = memtable_scan(memtable, theirs, &all, &filter, &arena, NULL);
    scan = merge_scans(&scan, 1, filter.reversed, &arena);
    struct read_encoder encoder;
    read_encoder_init(&encoder, &bytes, theirs, 0, 0);
    read_encoder_put_layout(&encoder);
    ck_assert_int_eq(read_encoder_put_scan(&encoder, scan, false), STATUS_OK);
    scan_iterator_close(scan);
    // Read as ours it is what we would have sent.
    encode(&memtable, 1, ours, &filter, UINT32_MAX, 0, &wanted);
    const struct read_chunk chunk = {arena_copy(&arena, buffer_slice(&bytes)), NULL};
    struct read_decoder *decoder = read_decoder_open(&chunk, ours, filter.reversed, false, &arena);
    buffer_clear(&bytes);
    read_encoder_init(&encoder, &bytes, ours, 0, 0);
    ck_assert_int_eq(read_encoder_put_scan(&encoder, &decoder->base, false), STATUS_OK);
    ck_assert(slice_equals(buffer_slice(&bytes), buffer_slice(&wanted)));
    buffer_deinit(&bytes);
    buffer_deinit(&wanted);
    memtable_unref(memtable);
    table_unref(older);
    finish(newer);
}
END_TEST

START_TEST(damaged_bytes_are_refused_or_read_but_stop_nobody)
{
    begin((uint64_t)_i + 3000000);
    const struct table *table = _i % 4 == 0 ? make_counter_table() : make_table(0);
    struct memtable *memtable = memtable_create(table);
    for (unsigned i = 0; i < CHANGES; i++) {
        struct mutation change = random_change(table);
        memtable_apply(memtable, &change, 0);
    }
    struct partition_filter filter = random_filter(table);
    struct buffer bytes, scratch, body;
    buffer_init(&bytes, 1 << 24);
    buffer_init(&scratch, 1 << 24);
    buffer_init(&body, 1 << 24);
    encode(&memtable, 1, table, &filter, UINT32_MAX, 0, &bytes);
    struct read_repair_source sources[2] = {
        {{arena_copy(&arena, buffer_slice(&bytes)), NULL}, false}};
    for (int i = 0; i < 20; i++) {
        for (unsigned n = below(4); n < 4; n++)
            bytes.data[below((unsigned)bytes.size)] ^= (uint8_t)(1 << below(8));
        size_t size = below(3) == 0 ? below((unsigned)bytes.size + 1) : bytes.size;
        sources[1].chunk.bytes = slice_make(bytes.data, size);
        const struct read_repair repair = {table, filter.reversed, 1001, &arena, &scratch};
        struct read_chunk merged;
        struct read_reach reach;
        enum status status = read_repair_merge(&repair, sources, 2, &merged, &reach);
        if (status != STATUS_OK) continue;
        buffer_clear(&body);
        status = read_repair_put_difference(&repair, &merged, &reach, &sources[0], &body);
        if (status == STATUS_OK) apply_body(memtable, table, buffer_slice(&body));
    }
    buffer_deinit(&bytes);
    buffer_deinit(&scratch);
    buffer_deinit(&body);
    memtable_unref(memtable);
    finish(table);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("read_repair");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, the_same_data_are_the_same_bytes, 0, ROUNDS);
    tcase_add_loop_test(all, replicas_that_got_what_they_lacked_are_equal, 0, ROUNDS);
    tcase_add_loop_test(all, a_part_of_a_deletion_is_repaired_up_to_the_end_of_the_merge, 0, 2);
    tcase_add_loop_test(all, columns_of_another_version_are_found_by_name, 0, 40);
    tcase_add_loop_test(all, damaged_bytes_are_refused_or_read_but_stop_nobody, 0, 100);
    suite_add_tcase(suite, all);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
