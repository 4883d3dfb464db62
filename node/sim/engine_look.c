// Reads of the engine world: what the engine shows is, byte for byte, what the model prints.
#include "base/assert.h"
#include "node/sim/engine_world_state.h"
#include "storage/counter_context.h"
#include "storage/merge/live_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RANGES_MAX = 3 };

#define TEXT_SIZE_MAX (UINT64_C(1) << 30)

struct look {
    struct engine_world *world;
    const struct world_table *table;
    struct partition_filter filter;
    struct clustering_range ranges[RANGES_MAX];
    size_t cuts[RANGES_MAX][2]; // The places of each range.
    int32_t now_s;
    size_t limit;  // Rows of a page; 0: all of them at once.
    size_t last;   // The place of the last row of this page.
    bool has_more; // There may be more behind it.
    struct buffer text;
};

// ---- What the engine shows ---------------------------------------------------------------------

static void put_cells(struct look *look, const struct live_row *row, bool is_static)
{
    for (size_t c = 0; c < TABLE_MODEL_COLUMNS; c++) {
        const struct table_shape_column *shape = &look->table->shape.columns[c];
        if (!shape->is_there || shape->is_static != is_static) continue;
        const struct column *column =
            table_find_column(look->table->table, slice_of_text(shape->name));
        const struct cell *cells;
        uint32_t count = live_row_cells(row, column->index, &cells);
        if (count > 0) buffer_put_format(&look->text, " %s=", shape->name);
        for (uint32_t i = 0; i < count; i++) {
            if (!slice_is_null(cells[i].path))
                table_model_put_path_text(shape, cells[i].path, &look->text);
            if (shape->type == SHAPE_COUNTER)
                buffer_put_format(&look->text, "%" PRId64, counter_context_total(cells[i].value));
            else
                buffer_put(&look->text, cells[i].value.data, cells[i].value.size);
            buffer_put(&look->text, ",", 1);
        }
    }
}

static enum status put_partition(struct look *look, struct partition_iterator *partition)
{
    struct live_rows rows;
    size_t key = engine_world_key_number(partition->key.bytes), count = 0;
    live_rows_init(&rows, partition, look->now_s, &look->world->arena);
    if (rows.has_static_row && look->filter.with_static) {
        buffer_put_format(&look->text, "k%zu static", key);
        put_cells(look, &rows.static_row, true);
        buffer_put(&look->text, "\n", 1);
    }
    enum status status;
    const struct live_row *row;
    while ((status = live_rows_next(&rows, &row)) == STATUS_OK) {
        look->last = engine_world_place(&look->table->shape, &row->clustering);
        buffer_put_format(&look->text, "k%zu/%zu", key, look->last);
        put_cells(look, row, false);
        buffer_put(&look->text, "\n", 1);
        look->has_more = ++count == look->limit;
        if (look->has_more) break;
    }
    live_rows_deinit(&rows);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status try_read(struct look *look, const struct partition_key *key)
{
    struct engine_world *world = look->world;
    struct partition_iterator *partition;
    uint64_t position = 0;
    enum status status = engine_read(world->engine, look->table->table, key, &look->filter,
                                     &world->pins, &world->arena, &partition, &position);
    look->has_more = false;
    return status != STATUS_OK || partition == NULL ? status : put_partition(look, partition);
}

static enum status try_scan(struct look *look, const struct scan_range *range)
{
    struct engine_world *world = look->world;
    struct scan_iterator *scan;
    uint64_t position = 0;
    enum status status = engine_scan(world->engine, look->table->table, range, &look->filter,
                                     &world->pins, &world->arena, &scan, &position);
    if (status != STATUS_OK) return status;
    struct partition_iterator *partition;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        status = put_partition(look, partition);
        if (status != STATUS_OK) break;
    }
    scan_iterator_close(scan);
    return status == STATUS_END ? STATUS_OK : status;
}

// A read, or a scan (`key` is NULL), as often as it takes. False: it failed.
static bool run(struct look *look, const struct partition_key *key, const struct scan_range *range)
{
    struct engine_world *world = look->world;
    size_t start = look->text.size;
    for (;;) {
        look->text.size = start;
        enum status status = key == NULL ? try_scan(look, range) : try_read(look, key);
        if (status == STATUS_OK) break;
        if (status != STATUS_WOULD_BLOCK) {
            (void)!engine_world_excuses(world, status, "a read");
            return false;
        }
        if (!engine_world_load(world)) return false;
    }
    read_pins_release(&world->pins);
    return true;
}

// ---- What is asked -----------------------------------------------------------------------------

static void begin(struct look *look, struct engine_world *world, size_t number)
{
    *look = (struct look){
        .world = world, .table = &world->tables[number], .now_s = engine_world_now_s(world)};
    look->filter = (struct partition_filter){.ranges = look->ranges, .range_count = 1};
    look->filter.with_static = look->table->shape.clustering_count > 0;
    look->ranges[0] = CLUSTERING_RANGE_ALL;
    look->cuts[0][1] = table_shape_places(&look->table->shape);
    buffer_init(&look->text, TEXT_SIZE_MAX);
}

// Some rows, each alone, or a slice, or all.
static void choose_ranges(struct look *look)
{
    struct engine_world *world = look->world;
    const struct table_shape *shape = &look->table->shape;
    look->filter.reversed = engine_world_chance(world, 0.4);
    if (shape->clustering_count == 0) return;
    look->filter.with_static = engine_world_chance(world, 0.7);
    uint64_t choice = engine_world_below(world, 10);
    if (choice < 4) {
        look->ranges[0] = engine_world_range(world, shape, &look->cuts[0][0], &look->cuts[0][1]);
    } else if (choice < 8) {
        size_t place = 0;
        look->filter.range_count = 0;
        for (size_t i = 0; i < RANGES_MAX && place < TABLE_MODEL_PLACES; i++) {
            place += (size_t)engine_world_below(world, TABLE_MODEL_PLACES - place);
            struct clustering row = engine_world_clustering(world, shape, place);
            look->ranges[i] =
                (struct clustering_range){{BOUND_INCL_START, row}, {BOUND_INCL_END, row}};
            look->cuts[i][0] = place;
            look->cuts[i][1] = ++place;
            look->filter.range_count++;
            if (engine_world_chance(world, 0.5)) break;
        }
    }
}

static void put_expected(const struct look *look, size_t key, struct buffer *text)
{
    const struct world_table *table = look->table;
    if (look->filter.with_static)
        table_model_put_static(&table->present, &table->shape, key, look->now_s, text);
    size_t places = table_shape_places(&table->shape);
    for (size_t i = 0; i < places; i++) {
        size_t place = look->filter.reversed ? places - 1 - i : i;
        for (size_t r = 0; r < look->filter.range_count; r++)
            if (place >= look->cuts[r][0] && place < look->cuts[r][1])
                table_model_put_row(&table->present, &table->shape, key, place, look->now_s, text);
    }
}

static struct slice line_at(struct slice text, size_t at)
{
    size_t start = at, end = at;
    while (start > 0 && text.data[start - 1] != '\n')
        start--;
    while (end < text.size && text.data[end] != '\n')
        end++;
    size_t size = end - start;
    return slice_make(text.data + start, size < 300 ? size : 300);
}

static void compare(struct look *look, const struct buffer *expected, const char *what)
{
    struct slice is = buffer_slice(&look->text), want = buffer_slice(expected);
    if (slice_equals(is, want)) return;
    size_t at = 0;
    while (at < is.size && at < want.size && is.data[at] == want.data[at])
        at++;
    struct slice a = line_at(is, at), b = line_at(want, at);
    engine_world_fail(look->world, "table %.*s, %s: is\n    %.*s\nand should be\n    %.*s",
                      (int)look->table->table->name.size,
                      (const char *)look->table->table->name.data, what, (int)a.size,
                      (const char *)a.data, (int)b.size, (const char *)b.data);
}

// ---- Pages -------------------------------------------------------------------------------------

// The ranges without what this page and those before it had.
static void cut_ranges(struct look *look)
{
    struct engine_world *world = look->world;
    struct clustering last = engine_world_clustering(world, &look->table->shape, look->last);
    size_t kept = 0;
    for (size_t i = 0; i < look->filter.range_count; i++) {
        struct clustering_range range = look->ranges[i];
        size_t first = look->cuts[i][0], end = look->cuts[i][1];
        if (look->filter.reversed ? first >= look->last : end <= look->last + 1) continue;
        if (!look->filter.reversed && first <= look->last) {
            range.start = (struct bound){BOUND_EXCL_START, last};
            first = look->last + 1;
        } else if (look->filter.reversed && end > look->last) {
            range.end = (struct bound){BOUND_EXCL_END, last};
            end = look->last;
        }
        look->ranges[kept] = range;
        look->cuts[kept][0] = first;
        look->cuts[kept++][1] = end;
    }
    look->filter.range_count = kept;
    look->filter.with_static = false;
}

static bool run_pages(struct look *look, const struct partition_key *key)
{
    if (!run(look, key, NULL)) return false;
    while (look->has_more) {
        cut_ranges(look);
        if (look->filter.range_count == 0) return true;
        if (!run(look, key, NULL)) return false;
    }
    return true;
}

void engine_world_read(struct engine_world *world)
{
    struct look look;
    begin(&look, world, (size_t)engine_world_below(world, WORLD_TABLES));
    choose_ranges(&look);
    size_t number = (size_t)engine_world_below(world, TABLE_MODEL_KEYS);
    struct partition_key key = engine_world_key(world, number);
    bool has_pages = engine_world_chance(world, 0.3) && look.table->shape.clustering_count > 0;
    if (has_pages) look.limit = 1 + (size_t)engine_world_below(world, 6);
    struct buffer expected;
    buffer_init(&expected, TEXT_SIZE_MAX);
    put_expected(&look, number, &expected);
    enum workload_kind kind = look.filter.range_count > 1             ? WORKLOAD_READ_ROW
                              : look.ranges[0].start.prefix.count > 0 ? WORKLOAD_READ_SLICE
                                                                      : WORKLOAD_READ_PARTITION;
    if (has_pages ? run_pages(&look, &key) : run(&look, &key, NULL)) {
        compare(&look, &expected, has_pages ? "a read in pages" : "a read");
        engine_world_count(world, kind);
    }
    buffer_deinit(&expected);
    buffer_deinit(&look.text);
}

// ---- Scans -------------------------------------------------------------------------------------

static int compare_keys(const void *left, const void *right)
{
    return partition_key_compare(left, right);
}

void engine_world_scan(struct engine_world *world)
{
    struct look look;
    begin(&look, world, (size_t)engine_world_below(world, WORLD_TABLES));
    if (engine_world_chance(world, 0.3)) choose_ranges(&look);
    look.filter.reversed = false;
    struct partition_key keys[TABLE_MODEL_KEYS];
    for (size_t i = 0; i < TABLE_MODEL_KEYS; i++)
        keys[i] = engine_world_key(world, i);
    qsort(keys, TABLE_MODEL_KEYS, sizeof *keys, compare_keys);
    size_t first = 0, last = TABLE_MODEL_KEYS - 1;
    struct scan_range range = SCAN_RANGE_ALL;
    if (engine_world_chance(world, 0.5)) {
        first = (size_t)engine_world_below(world, TABLE_MODEL_KEYS);
        last = first + (size_t)engine_world_below(world, TABLE_MODEL_KEYS - first);
        range.start = (struct scan_bound){keys[first].token, slice_null(), true};
        range.end = (struct scan_bound){keys[last].token, keys[last].bytes, true};
    }
    struct buffer expected;
    buffer_init(&expected, TEXT_SIZE_MAX);
    for (size_t i = first; i <= last; i++)
        put_expected(&look, engine_world_key_number(keys[i].bytes), &expected);
    if (run(&look, NULL, &range)) {
        compare(&look, &expected, "a scan");
        engine_world_count(world, WORKLOAD_SCAN);
    }
    buffer_deinit(&expected);
    buffer_deinit(&look.text);
}

bool engine_world_put_all(struct engine_world *world, size_t number, int32_t now_s,
                          struct buffer *text)
{
    struct look look;
    begin(&look, world, number);
    look.now_s = now_s;
    bool is_there = true;
    for (size_t i = 0; i < TABLE_MODEL_KEYS && is_there; i++) {
        struct partition_key key = engine_world_key(world, i);
        is_there = run(&look, &key, NULL);
    }
    buffer_put(text, look.text.data, look.text.size);
    buffer_deinit(&look.text);
    return is_there;
}
