#include "tests/storage/support/random_table.h"

#include "base/limits.h"
#include "storage/cell_path.h"
#include "storage/counter_context.h"
#include "storage/partition_key.h"
#include "storage/schema/schema_text.h"
#include "tests/storage/support/random_value.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNTER_IDS = 5, CLUSTERINGS_MAX = 1024 };

struct maker {
    struct random random;
    struct arena arena; // Of types; and, between changes, of what one change is made of.
    struct random_values values;
    enum random_shape shape;
    struct random_table *made;
    const struct table *table;
    struct partition_key *keys;
    size_t key_count;
    struct clustering *clusterings; // Rows of all partitions are at these places.
    size_t clustering_count;
    int32_t clock;    // Of counters: no shard has one clock and two counts.
    unsigned divisor; // Of how much there is.
};

static uint64_t below(struct maker *maker, uint64_t count)
{
    return random_below(&maker->random, count);
}

static bool chance(struct maker *maker, double probability)
{
    return random_chance(&maker->random, probability);
}

static bool is_of(const struct maker *maker, enum random_shape shape)
{
    return maker->shape == shape;
}

static bool counts(const struct maker *maker)
{
    return is_of(maker, RANDOM_SHAPE_COUNTERS) || is_of(maker, RANDOM_SHAPE_LEGACY_COUNTERS);
}

const char *random_shape_text(enum random_shape shape)
{
    static const char *const texts[] = {
#define X(name, text) text,
        RANDOM_SHAPE_MAP(X)
#undef X
    };
    return texts[shape];
}

// ---- The table ----------------------------------------------------------------------------------

static const struct type *choose_type(struct maker *maker, enum column_kind kind, size_t i,
                                      bool many)
{
    static const enum type_kind many_values[] = {TYPE_TIMEUUID, TYPE_TEXT, TYPE_VARINT, TYPE_BLOB};
    if (kind == COLUMN_PARTITION_KEY) return random_type(&maker->values, RANDOM_TYPE_KEY);
    if (kind == COLUMN_CLUSTERING) {
        // The first has many values, so that there are many rows.
        return i == 0 ? type_of_kind(many_values[below(maker, 4)])
                      : random_type(&maker->values, RANDOM_TYPE_KEY);
    }
    if (counts(maker)) return type_of_kind(TYPE_COUNTER);
    if (is_of(maker, RANDOM_SHAPE_WIDE) && i == 0 && !many) return type_of_kind(TYPE_BLOB);
    return random_type(&maker->values, many ? RANDOM_TYPE_CELLS : RANDOM_TYPE_VALUE);
}

// Names with upper case and beyond ASCII have their own places in the order of columns. None of the
// latter has many cells: Cassandra's writer would lose its deletions (BTreeRow.hasComplexDeletion()
// begins its search at the empty name, behind which all should stand, but these stand before it).
static void add_columns(struct maker *maker, struct table_builder *builder, enum column_kind kind,
                        const char *letter, size_t count)
{
    static const char *const odd[] = {"\xc3\xa9t\xc3\xa9", "\xe6\x97\xa5", "Upper", "with space"};
    for (size_t i = 0; i < count; i++) {
        char name[40];
        bool is_key = kind == COLUMN_PARTITION_KEY || kind == COLUMN_CLUSTERING;
        bool many = !is_key && (is_of(maker, RANDOM_SHAPE_CELLS) || chance(maker, 0.2));
        snprintf(name, sizeof name, "%s%s%zu",
                 chance(maker, 0.1) ? odd[below(maker, 2) + 2 * many] : "", letter, i);
        const struct type *type = choose_type(maker, kind, i, many);
        table_builder_add_column(builder, slice_of_text(name), type, kind,
                                 kind == COLUMN_CLUSTERING && chance(maker, 0.4));
    }
}

static struct options make_options(struct arena *arena, const char *const (*pairs)[2], size_t count)
{
    struct option *items = ARENA_NEW_ARRAY(arena, struct option, count);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct option){slice_of_text(pairs[i][0]), slice_of_text(pairs[i][1])};
    return (struct options){items, count};
}

static void choose_compression(struct maker *maker, struct table_builder *builder)
{
    static const char *const sizes[] = {"4", "8", "16", "64"};
    static const char *const classes[] = {"org.apache.cassandra.io.compress.LZ4Compressor",
                                          "org.apache.cassandra.io.compress.DeflateCompressor",
                                          "org.apache.cassandra.io.compress.SnappyCompressor",
                                          "org.apache.cassandra.io.compress.ZstdCompressor"};
    const char *const none[][2] = {{"enabled", "false"}};
    const char *class = classes[chance(maker, 0.5) ? 0 : below(maker, 4)];
    const char *const some[][2] = {{"chunk_length_in_kb", sizes[below(maker, 4)]},
                                   {"class", class},
                                   {"min_compress_ratio", chance(maker, 0.5) ? "1.1" : "2.0"}};
    struct arena *arena = table_builder_arena(builder);
    table_builder_params(builder)->compression =
        chance(maker, 0.4) ? make_options(arena, none, 1)
                           : make_options(arena, some, chance(maker, 0.3) ? 3 : 2);
}

static void choose_params(struct maker *maker, struct table_builder *builder)
{
    static const double filters[] = {0.01, 0.1, 0.001, 1.0};
    static const int32_t intervals[] = {128, 16, 512};
    static const size_t blocks[] = {64 * KIB, 4 * KIB, 16 * KIB, KIB};
    struct table_params *params = table_builder_params(builder);
    choose_compression(maker, builder);
    if (chance(maker, 0.4)) params->bloom_filter_fp_chance = filters[below(maker, 4)];
    if (chance(maker, 0.3)) params->min_index_interval = intervals[below(maker, 3)];
    maker->made->column_index_size = blocks[chance(maker, 0.4) ? 0 : below(maker, 4)];
}

static size_t choose_clustering_count(struct maker *maker)
{
    switch (maker->shape) {
    case RANDOM_SHAPE_NO_CLUSTERING:
        return 0;
    case RANDOM_SHAPE_LONG_CLUSTERING:
        return 33 + below(maker, 40);
    case RANDOM_SHAPE_WIDE:
    case RANDOM_SHAPE_RANGES:
    case RANDOM_SHAPE_STATICS:
        return 1 + below(maker, 3);
    default:
        return below(maker, 4);
    }
}

static size_t choose_regular_count(struct maker *maker)
{
    if (is_of(maker, RANDOM_SHAPE_MANY_COLUMNS)) return 60 + below(maker, 90);
    if (is_of(maker, RANDOM_SHAPE_KEYS_ALONE)) return 0;
    return 1 + below(maker, counts(maker) ? 3 : 7);
}

static void make_table(struct maker *maker, const char *keyspace, const char *name)
{
    struct uuid id;
    random_bytes(&maker->random, &id, sizeof id);
    struct table_builder *builder = table_builder_create(
        slice_of_text(keyspace), slice_of_text(name), uuid_make_random(id.bytes));
    size_t clustering_count = choose_clustering_count(maker);
    bool with_static =
        clustering_count > 0 && (is_of(maker, RANDOM_SHAPE_STATICS) || chance(maker, 0.2));
    add_columns(maker, builder, COLUMN_PARTITION_KEY, "k", 1 + below(maker, 3));
    add_columns(maker, builder, COLUMN_CLUSTERING, "c", clustering_count);
    if (with_static) add_columns(maker, builder, COLUMN_STATIC, "s", 1 + below(maker, 4));
    add_columns(maker, builder, COLUMN_REGULAR, "v", choose_regular_count(maker));
    table_builder_set_counter(builder, counts(maker));
    choose_params(maker, builder);
    maker->table = maker->made->table = table_builder_finish(builder);
    schema_text_put_table(maker->table, false, &maker->made->cql);
}

// ---- Places -------------------------------------------------------------------------------------

static void make_keys(struct maker *maker)
{
    uint16_t count = maker->table->column_counts[COLUMN_PARTITION_KEY];
    maker->keys = ARENA_NEW_ARRAY(&maker->arena, struct partition_key, maker->key_count);
    for (size_t i = 0; i < maker->key_count;) {
        struct slice *parts = ARENA_NEW_ARRAY(&maker->arena, struct slice, count);
        for (uint16_t part = 0; part < count; part++)
            parts[part] = random_value(
                &maker->values, maker->table->columns[COLUMN_PARTITION_KEY][part].type, count > 1);
        // What is empty or too long is no key.
        i += partition_key_build(parts, count, &maker->arena, &maker->keys[i], NULL) == STATUS_OK;
    }
}

// Few values for the first columns, so that prefixes of bounds have many rows behind them.
static void make_clusterings(struct maker *maker)
{
    uint16_t count = maker->table->column_counts[COLUMN_CLUSTERING];
    if (count == 0) maker->clustering_count = 1;
    // All values of a clustering together have at most 65535 bytes: Cassandra's Statistics.db would
    // be damaged by more, which its INSERT refuses.
    size_t size_max = maker->values.size_max;
    if (size_max > 1000) maker->values.size_max = 1000;
    maker->clusterings = ARENA_NEW_ARRAY(&maker->arena, struct clustering, maker->clustering_count);
    for (size_t i = 0; i < maker->clustering_count; i++) {
        struct slice *values = ARENA_NEW_ARRAY(&maker->arena, struct slice, count + 1u);
        for (uint16_t part = 0; part < count; part++) {
            const struct clustering *other = i == 0 ? NULL : &maker->clusterings[below(maker, i)];
            bool is_last = part + 1 == count;
            values[part] =
                other != NULL && !is_last && chance(maker, 0.7)
                    ? other->values[part]
                    : random_value(&maker->values,
                                   maker->table->columns[COLUMN_CLUSTERING][part].type, true);
        }
        maker->clusterings[i] = (struct clustering){count, values};
    }
    maker->values.size_max = size_max;
}

// ---- Times --------------------------------------------------------------------------------------

// Few different ones, so that equal ones meet; rarely one far away from all others.
static int64_t choose_timestamp(struct maker *maker)
{
    static const int64_t far[] = {-5, 0, 1, 4611686018427387904, INT64_MIN + 1, INT64_MAX};
    if (chance(maker, 0.003)) return far[below(maker, 6)];
    if (chance(maker, 0.3)) return 1650000000000020 + (int64_t)below(maker, 2);
    return 1650000000000000 + (int64_t)below(maker, 40) * (chance(maker, 0.5) ? 1 : 1000000);
}

static struct deletion choose_deletion(struct maker *maker)
{
    return (struct deletion){choose_timestamp(maker), 1650000000 + (int32_t)below(maker, 5000)};
}

// Expired years ago, or lives for years.
static void choose_expiry(struct maker *maker, int32_t *ttl, int32_t *local_time)
{
    *ttl = 1 + (int32_t)below(maker, chance(maker, 0.5) ? 100 : 600000000);
    *local_time = (int32_t)(chance(maker, 0.4) ? 1650000000 + below(maker, 50000000)
                                               : 2000000000 + below(maker, 147483646));
}

static double expiring_part(const struct maker *maker)
{
    return is_of(maker, RANDOM_SHAPE_EXPIRING) ? 0.6 : 0.08;
}

// Few where much is to stay: in large partitions, and for counters, which nothing brings back.
static double deleted_part(const struct maker *maker)
{
    return counts(maker) || is_of(maker, RANDOM_SHAPE_WIDE) ? 0.1 : 1;
}

// ---- Rows ---------------------------------------------------------------------------------------

static struct slice make_counter(struct maker *maker)
{
    struct slice context = slice_null();
    for (uint64_t i = 1 + below(maker, 3); i > 0; i--) {
        struct uuid id = {{(uint8_t)(1 + below(maker, COUNTER_IDS)), 7, [15] = 9}};
        uint8_t *single = arena_alloc(&maker->arena, COUNTER_SINGLE_SHARD_SIZE);
        counter_context_make_global(id, ++maker->clock, (int64_t)below(maker, 2000) - 1000, single);
        struct slice shard = slice_make(single, COUNTER_SINGLE_SHARD_SIZE);
        if (is_of(maker, RANDOM_SHAPE_LEGACY_COUNTERS) && chance(maker, 0.5)) {
            bool is_remote = chance(maker, 0.5);
            single[is_remote ? 1 : 2] = 0; // No header element, or one that says local.
            if (is_remote) {
                memmove(single + 2, single + 4, 32);
                shard.size -= 2;
            }
        }
        context = slice_is_null(context)
                      ? shard
                      : counter_context_merge(context, shard, &maker->arena, NULL);
    }
    return context;
}

static void add_cell(struct maker *maker, const struct row *row, const struct column *column,
                     struct cell *cell)
{
    const struct type *type = column->type;
    *cell = (struct cell){.column = column->index,
                          .local_time = LOCAL_TIME_NONE,
                          .timestamp = choose_timestamp(maker)};
    if (type_is_multi_cell(type)) cell->path = random_path(&maker->values, type, &type);
    bool is_counter = column->type->kind == TYPE_COUNTER;
    // Mostly all of an INSERT has one time.
    if (row->liveness.timestamp != TIMESTAMP_NONE && chance(maker, 0.7)) {
        cell->timestamp = row->liveness.timestamp;
        cell->ttl = row->liveness.ttl;
        cell->local_time = row->liveness.local_time;
    } else if (!is_counter && chance(maker, expiring_part(maker))) {
        choose_expiry(maker, &cell->ttl, &cell->local_time);
    }
    if (chance(maker, is_counter ? 0.004 : 0.12)) {
        cell->ttl = TTL_NONE;
        cell->local_time = choose_deletion(maker).local_time;
        cell->value = slice_make("", 0);
    } else if (is_counter) {
        cell->value = make_counter(maker);
    } else if (type == NULL) {
        cell->value = slice_make("", 0);
    } else {
        cell->value = random_value(&maker->values, type, column->type == type);
    }
}

static int compare_paths(const void *left, const void *right, void *type)
{
    return cell_path_compare(type, ((const struct cell *)left)->path,
                             ((const struct cell *)right)->path);
}

// One cell, or several with different paths.
static uint32_t add_cells(struct maker *maker, const struct row *row, const struct column *column,
                          struct cell *cells)
{
    uint32_t count = 1, kept = 1;
    if (type_is_multi_cell(column->type)) count = 1 + (uint32_t)below(maker, 5);
    for (uint32_t i = 0; i < count; i++)
        add_cell(maker, row, column, &cells[i]);
    if (count == 1) return 1;
    qsort_r(cells, count, sizeof *cells, compare_paths, (void *)column->type);
    for (uint32_t i = 1; i < count; i++) {
        if (cell_path_compare(column->type, cells[kept - 1].path, cells[i].path) != 0)
            cells[kept++] = cells[i];
    }
    return kept;
}

static void choose_liveness(struct maker *maker, struct row *row)
{
    row->liveness = LIVENESS_NONE;
    if (counts(maker) || chance(maker, is_of(maker, RANDOM_SHAPE_KEYS_ALONE) ? 0.1 : 0.4)) return;
    row->liveness.timestamp = choose_timestamp(maker);
    if (chance(maker, expiring_part(maker)))
        choose_expiry(maker, &row->liveness.ttl, &row->liveness.local_time);
}

static void fill_columns(struct maker *maker, struct row *row, enum column_kind kind)
{
    uint16_t count = maker->table->column_counts[kind];
    struct cell *cells = ARENA_NEW_ARRAY(&maker->arena, struct cell, 5u * count + 1);
    struct complex_deletion *deletions =
        ARENA_NEW_ARRAY(&maker->arena, struct complex_deletion, count + 1u);
    static const double parts[] = {0.05, 0.5, 0.95, 1};
    double part = counts(maker) ? 0.9 : parts[below(maker, 4)];
    for (uint16_t i = 0; i < count; i++) {
        const struct column *column = &maker->table->columns[kind][i];
        if (!chance(maker, part)) continue;
        if (type_is_multi_cell(column->type) && chance(maker, 0.3)) {
            deletions[row->complex_deletion_count++] =
                (struct complex_deletion){i, choose_deletion(maker)};
            if (chance(maker, 0.3)) continue;
        }
        row->cell_count += add_cells(maker, row, column, cells + row->cell_count);
    }
    row->cells = cells;
    row->complex_deletions = deletions;
}

static const struct row *make_row(struct maker *maker)
{
    struct row *row = ARENA_NEW(&maker->arena, struct row);
    *row = (struct row){.clustering = maker->clusterings[below(maker, maker->clustering_count)],
                        .deletion = DELETION_NONE};
    choose_liveness(maker, row);
    if (chance(maker, 0.03 * deleted_part(maker))) row->deletion = choose_deletion(maker);
    if (!chance(maker, 0.05)) fill_columns(maker, row, COLUMN_REGULAR);
    if (row_is_empty(row)) row->deletion = choose_deletion(maker);
    return row;
}

static const struct row *make_static_row(struct maker *maker)
{
    struct row *row = ARENA_NEW(&maker->arena, struct row);
    *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
    fill_columns(maker, row, COLUMN_STATIC);
    return row_is_empty(row) ? NULL : row;
}

// ---- Ranges -------------------------------------------------------------------------------------

static struct bound make_bound(struct maker *maker, bool is_start)
{
    struct clustering prefix = maker->clusterings[below(maker, maker->clustering_count)];
    prefix.count = (uint16_t)below(maker, prefix.count + 1u);
    // No values: all that is before or behind, which is inclusive.
    bool inclusive = prefix.count == 0 || chance(maker, 0.5);
    if (is_start) return (struct bound){inclusive ? BOUND_INCL_START : BOUND_EXCL_START, prefix};
    return (struct bound){inclusive ? BOUND_INCL_END : BOUND_EXCL_END, prefix};
}

static size_t make_ranges(struct maker *maker, struct range_deletion *ranges, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < max; i++) {
        struct range_deletion *range = &ranges[count];
        *range = (struct range_deletion){{make_bound(maker, true), make_bound(maker, false)},
                                         choose_deletion(maker)};
        count += bound_compare(maker->table, &range->range.start, &range->range.end) < 0;
    }
    return count;
}

// ---- Changes ------------------------------------------------------------------------------------

static void apply_change(struct maker *maker, const struct partition_key *key)
{
    struct range_deletion ranges[3];
    bool has_clustering = maker->table->column_counts[COLUMN_CLUSTERING] > 0;
    bool has_static = maker->table->column_counts[COLUMN_STATIC] > 0;
    struct mutation change = {.table = maker->table, .key = *key, .deletion = DELETION_NONE};
    bool only_static = has_static && chance(maker, 0.2);
    if (has_static && (only_static || chance(maker, 0.3)))
        change.static_row = make_static_row(maker);
    if (chance(maker, 0.007 * deleted_part(maker))) change.deletion = choose_deletion(maker);
    if (has_clustering &&
        chance(maker, is_of(maker, RANDOM_SHAPE_RANGES) ? 0.5 : 0.03 * deleted_part(maker))) {
        change.range_deletions = ranges;
        change.range_deletion_count = make_ranges(maker, ranges, 3);
    }
    if (!only_static) {
        change.rows = make_row(maker);
        change.row_count = 1;
    }
    size_t to = below(maker, maker->made->memtable_count);
    (void)memtable_apply(maker->made->memtables[to], &change, 0);
}

static void make_contents(struct maker *maker)
{
    size_t change_count = 400;
    // Few places, so that many changes meet at each; or many.
    maker->key_count = 1 + below(maker, chance(maker, 0.7) ? 8 : 60);
    maker->clustering_count = 1 + below(maker, chance(maker, 0.7) ? 10 : 40);
    maker->values.size_max = 300;
    maker->values.large_part = 0.05;
    if (is_of(maker, RANDOM_SHAPE_WIDE)) {
        maker->key_count = 1 + below(maker, 3);
        maker->clustering_count = CLUSTERINGS_MAX;
        maker->values.size_max = 2000;
        maker->values.large_part = 0.5;
        change_count = 2000;
    } else if (is_of(maker, RANDOM_SHAPE_LARGE_VALUES)) {
        maker->values.size_max = 100000;
        maker->values.large_part = 0.2;
        change_count = 100;
    } else if (is_of(maker, RANDOM_SHAPE_MANY_PARTITIONS)) {
        maker->key_count = 3000;
        change_count = 6000;
    } else if (is_of(maker, RANDOM_SHAPE_MANY_COLUMNS)) {
        change_count = 150;
    } else if (is_of(maker, RANDOM_SHAPE_RANGES)) {
        maker->clustering_count = 200;
        change_count = 1000;
    }
    change_count /= maker->divisor;
    maker->key_count = (maker->key_count - 1) / maker->divisor + 1;
    maker->values.size_max = maker->values.size_max / maker->divisor + 100;
    make_keys(maker);
    make_clusterings(maker);
    maker->made->memtable_count = 1 + below(maker, RANDOM_MEMTABLES_MAX);
    for (size_t i = 0; i < maker->made->memtable_count; i++)
        maker->made->memtables[i] = memtable_create(maker->table);
    for (size_t i = 0; i < change_count; i++)
        apply_change(maker, &maker->keys[below(maker, maker->key_count)]);
}

static void make_divided(struct random_table *made, uint64_t seed, enum random_shape shape,
                         const char *keyspace, const char *name, unsigned divisor)
{
    *made = (struct random_table){0};
    buffer_init(&made->cql, GIB);
    struct maker maker = {.shape = shape, .made = made, .divisor = divisor};
    random_init(&maker.random, seed);
    arena_init(&maker.arena, MIB);
    maker.values = (struct random_values){.random = &maker.random,
                                          .arena = &maker.arena,
                                          .keyspace = slice_of_text(keyspace),
                                          .udt_prefix = name,
                                          .cql = &made->cql,
                                          .size_max = 100};
    make_table(&maker, keyspace, name);
    make_contents(&maker);
    arena_deinit(&maker.arena);
}

void random_table_make(struct random_table *made, uint64_t seed, enum random_shape shape,
                       const char *keyspace, const char *name)
{
    make_divided(made, seed, shape, keyspace, name, 1);
}

void random_table_make_small(struct random_table *made, uint64_t seed, enum random_shape shape,
                             const char *keyspace, const char *name)
{
    make_divided(made, seed, shape, keyspace, name, 5);
}

void random_table_deinit(struct random_table *made)
{
    for (size_t i = 0; i < made->memtable_count; i++)
        memtable_unref(made->memtables[i]);
    buffer_deinit(&made->cql);
    table_unref(made->table);
}
