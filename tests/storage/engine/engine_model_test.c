// The engine against a model that is too simple to be wrong: a list of all changes, of which each
// read looks at every one. Random changes, flushes, reads, truncations, clean stops and crashes;
// the seed is printed, and HELENUS_SEED=n runs one again.
#include "base/limits.h"
#include "storage/merge/merge.h"
#include "tests/storage/support/engine_fixture.h"
#include "tests/storage/support/one_token.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 4, ROWS = 8, COLUMNS = 2, ELEMENTS = 3, CHANGES_MAX = 4000, STEPS = 900, TIMES = 40 };

enum kind {
    CELL,
    ELEMENT,
    STATIC,
    LIVENESS,
    ROW_GONE,
    RANGE_GONE,
    PARTITION_GONE,
    SET_GONE,
    NOTHING
};

// One change, as the model keeps it.
struct change {
    enum kind kind;
    int key, row, row_end; // RANGE_GONE: rows in [row, row_end), or from its edges, see `edges`.
    int edges;             // Bit 0: the start is exclusive; bit 1: the end is inclusive.
    int column, element;
    int64_t timestamp;
    bool is_tombstone;
    char value[4];
};

struct model {
    struct change changes[CHANGES_MAX];
    size_t count;
    uint64_t random;
    const struct table *table;
    struct schema *schema;
    struct engine *engine;
    struct arena arena;
    uint64_t position; // Of the newest change.
    // Tombstones are old enough to be purged; then no change comes late, as that would be seen.
    bool is_purged;
    int32_t local_time; // Of tombstones.
    bool has_one_token; // All partitions: their bytes alone tell them apart.
};

static unsigned next_random(struct model *model, unsigned bound)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return (unsigned)(model->random >> 20) % bound;
}

// ---- Names of things ---------------------------------------------------------------------------

static struct slice text_of(struct model *model, char letter, int number)
{
    return slice_of_text(arena_format(&model->arena, "%c%d", letter, number));
}

static struct partition_key key_of(struct model *model, int key)
{
    if (!model->has_one_token) return partition_key_make(text_of(model, 'k', key));
    uint8_t bytes[ONE_TOKEN_KEY_SIZE];
    one_token_key((struct token){7}, (uint64_t)key, bytes);
    return partition_key_make(arena_copy(&model->arena, slice_make(bytes, sizeof bytes)));
}

static struct clustering clustering_of(struct model *model, int row)
{
    struct slice *value = ARENA_NEW(&model->arena, struct slice);
    *value = text_of(model, 'c', row);
    return (struct clustering){1, value};
}

// A row's place in the table's order: with DESC the largest stands first.
static int place_of(const struct model *model, int row)
{
    return model->table->columns[COLUMN_CLUSTERING][0].reversed ? ROWS - 1 - row : row;
}

// ---- What the model says -----------------------------------------------------------------------

static bool range_covers(const struct model *model, const struct change *change, int row)
{
    int place = place_of(model, row);
    int start = place_of(model, change->row), end = place_of(model, change->row_end);
    if (place < start || place > end) return false;
    if (place == start && change->edges & 1) return false;
    return place != end || (change->edges & 2) != 0;
}

static int64_t deleted_us(const struct model *model, int key, int row)
{
    int64_t newest = INT64_MIN;
    for (size_t i = 0; i < model->count; i++) {
        const struct change *c = &model->changes[i];
        if (c->key != key || c->timestamp <= newest) continue;
        if (c->kind == PARTITION_GONE || (c->kind == ROW_GONE && c->row == row) ||
            (c->kind == RANGE_GONE && row >= 0 && range_covers(model, c, row)))
            newest = c->timestamp;
    }
    return newest;
}

static bool is_newer(const struct change *a, const struct change *b)
{
    if (a->timestamp != b->timestamp) return a->timestamp > b->timestamp;
    if (a->is_tombstone != b->is_tombstone) return a->is_tombstone;
    return strcmp(a->value, b->value) > 0;
}

// The value of a cell, or NULL.
static const char *value_of(const struct model *model, enum kind kind, int key, int row, int column,
                            int element)
{
    int64_t deleted = deleted_us(model, key, row);
    const struct change *newest = NULL;
    for (size_t i = 0; i < model->count; i++) {
        const struct change *c = &model->changes[i];
        if (kind == ELEMENT && c->kind == SET_GONE && c->key == key && c->row == row &&
            c->timestamp > deleted)
            deleted = c->timestamp;
    }
    for (size_t i = 0; i < model->count; i++) {
        const struct change *c = &model->changes[i];
        if (c->kind != kind || c->key != key || c->row != row || c->column != column ||
            c->element != element || c->timestamp <= deleted)
            continue;
        if (newest == NULL || is_newer(c, newest)) newest = c;
    }
    return newest == NULL || newest->is_tombstone ? NULL : newest->value;
}

static bool is_marked(const struct model *model, int key, int row)
{
    int64_t deleted = deleted_us(model, key, row);
    for (size_t i = 0; i < model->count; i++) {
        const struct change *c = &model->changes[i];
        if (c->kind == LIVENESS && c->key == key && c->row == row && c->timestamp > deleted)
            return true;
    }
    return false;
}

// The row as text; empty when there is none.
static void describe_expected(const struct model *model, int key, int row, char *text, size_t size)
{
    const char *a = value_of(model, CELL, key, row, 0, 0);
    const char *b = value_of(model, CELL, key, row, 1, 0);
    bool any = a != NULL || b != NULL || is_marked(model, key, row);
    int length =
        snprintf(text, size, "c%d: %s %s {", row, a == NULL ? "-" : a, b == NULL ? "-" : b);
    for (int e = 0; e < ELEMENTS; e++) {
        if (value_of(model, ELEMENT, key, row, 2, e) == NULL) continue;
        any = true;
        length += snprintf(text + length, size - (size_t)length, "e%d", e);
    }
    (void)snprintf(text + length, size - (size_t)length, "}");
    if (!any) *text = '\0';
}

// ---- What the engine says ----------------------------------------------------------------------

static void put_cell(const struct live_row *row, uint16_t column, char *text, size_t size)
{
    const struct cell *cell;
    if (live_row_cells(row, column, &cell) == 0) {
        (void)snprintf(text, size, "-");
    } else {
        (void)snprintf(text, size, "%.*s", (int)cell->value.size, (const char *)cell->value.data);
    }
}

static void describe_row(const struct live_row *row, char *text, size_t size)
{
    char a[16], b[16];
    put_cell(row, 0, a, sizeof a);
    put_cell(row, 1, b, sizeof b);
    int length = snprintf(text, size, "%.*s: %s %s {", (int)row->clustering.values[0].size,
                          (const char *)row->clustering.values[0].data, a, b);
    const struct cell *elements;
    uint32_t count = live_row_cells(row, 2, &elements);
    for (uint32_t i = 0; i < count; i++)
        length += snprintf(text + length, size - (size_t)length, "%.*s", (int)elements[i].path.size,
                           (const char *)elements[i].path.data);
    (void)snprintf(text + length, size - (size_t)length, "}");
}

// Compares a partition with the model, for the rows whose places are in [first, last].
static enum status compare_partition(struct model *model, struct partition_iterator *partition,
                                     int key, int first, int last, bool reversed)
{
    struct live_rows rows;
    live_rows_init(&rows, partition, 1000, &model->arena);
    const char *expected_static = value_of(model, STATIC, key, -1, 0, 0);
    ck_assert_int_eq(rows.has_static_row, expected_static != NULL);
    if (expected_static != NULL)
        ck_assert(slice_equals(rows.static_row.cells[0].value, slice_of_text(expected_static)));
    int step = reversed ? -1 : 1;
    enum status status = STATUS_OK;
    for (int place = reversed ? last : first; place >= first && place <= last; place += step) {
        char expected[256], actual[256];
        describe_expected(model, key, place_of(model, place), expected, sizeof expected);
        if (*expected == '\0') continue;
        const struct live_row *row;
        status = live_rows_next(&rows, &row);
        if (status == STATUS_WOULD_BLOCK) break;
        ck_assert_msg(status == STATUS_OK, "key %d: no row, expected %s", key, expected);
        describe_row(row, actual, sizeof actual);
        ck_assert_str_eq(actual, expected);
    }
    if (status != STATUS_WOULD_BLOCK) {
        const struct live_row *row;
        status = live_rows_next(&rows, &row);
        if (status == STATUS_OK) {
            char actual[256];
            describe_row(row, actual, sizeof actual);
            ck_abort_msg("key %d: a row too many: %s", key, actual);
        }
    }
    live_rows_deinit(&rows);
    return status;
}

static bool nothing_expected(const struct model *model, int key)
{
    char text[256];
    for (int row = 0; row < ROWS; row++) {
        describe_expected(model, key, row, text, sizeof text);
        if (*text != '\0') return false;
    }
    return value_of(model, STATIC, key, -1, 0, 0) == NULL;
}

static void check_read(struct model *model, int key)
{
    int first = (int)next_random(model, ROWS), last = (int)next_random(model, ROWS);
    bool reversed = next_random(model, 2) == 0;
    if (first > last || next_random(model, 3) == 0) first = 0, last = ROWS - 1;
    struct clustering_range range = {
        {BOUND_INCL_START, clustering_of(model, place_of(model, first))},
        {BOUND_INCL_END, clustering_of(model, place_of(model, last))}};
    if (first == 0 && last == ROWS - 1) range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, reversed, true};
    struct partition_key partition_key = key_of(model, key);
    struct read_pins pins;
    read_pins_init(&pins);
    for (;;) {
        struct partition_iterator *partition;
        uint64_t position = 0;
        enum status status = engine_read(model->engine, model->table, &partition_key, &filter,
                                         &pins, &model->arena, &partition, &position);
        ck_assert_uint_le(position, model->position);
        if (status == STATUS_OK && partition == NULL) {
            ck_assert(nothing_expected(model, key));
            break;
        }
        if (status == STATUS_OK)
            status = compare_partition(model, partition, key, first, last, reversed);
        if (status != STATUS_WOULD_BLOCK) {
            ck_assert_int_eq(status, STATUS_END);
            break;
        }
        engine_fixture_load(model->engine, &pins);
    }
    read_pins_release(&pins);
}

static int number_of(struct model *model, struct slice key)
{
    for (int number = 0; number < KEYS; number++) {
        if (slice_equals(key, key_of(model, number).bytes)) return number;
    }
    ck_abort_msg("a partition that nobody wrote");
}

static void check_scan(struct model *model)
{
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, false, true};
    struct scan_range all = SCAN_RANGE_ALL;
    struct read_pins pins;
    read_pins_init(&pins);
    for (;;) {
        bool seen[KEYS] = {false};
        struct scan_iterator *scan;
        uint64_t position = 0;
        enum status status = engine_scan(model->engine, model->table, &all, &filter, &pins,
                                         &model->arena, &scan, &position);
        if (status == STATUS_OK) {
            struct partition_iterator *partition;
            while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
                int key = number_of(model, partition->key.bytes);
                ck_assert(!seen[key]);
                seen[key] = true;
                status = compare_partition(model, partition, key, 0, ROWS - 1, false);
                if (status != STATUS_END) break;
            }
            scan_iterator_close(scan);
        }
        if (status == STATUS_END) {
            for (int key = 0; key < KEYS; key++)
                ck_assert(seen[key] || nothing_expected(model, key));
            break;
        }
        ck_assert_int_eq(status, STATUS_WOULD_BLOCK);
        engine_fixture_load(model->engine, &pins);
    }
    read_pins_release(&pins);
}

// ---- Changes -----------------------------------------------------------------------------------

static struct cell make_cell(struct model *model, const struct change *c, uint16_t column)
{
    struct cell cell = {.column = column,
                        .local_time = c->is_tombstone ? model->local_time : LOCAL_TIME_NONE,
                        .timestamp = c->timestamp,
                        .value = slice_make("", 0)};
    if (!c->is_tombstone && c->kind != ELEMENT)
        cell.value = arena_copy(&model->arena, slice_of_text(c->value));
    if (c->kind == ELEMENT) cell.path = text_of(model, 'e', c->element);
    return cell;
}

static void apply(struct model *model, const struct change *c)
{
    struct row row = {.liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
    struct mutation mutation = {
        .table = model->table, .key = key_of(model, c->key), .deletion = DELETION_NONE};
    struct deletion deletion = {c->timestamp, model->local_time};
    struct cell cell = {0};
    struct complex_deletion complex = {2, deletion};
    struct range_deletion range;
    if (c->kind != STATIC && c->kind != RANGE_GONE && c->kind != PARTITION_GONE) {
        row.clustering = clustering_of(model, c->row);
        mutation.rows = &row;
        mutation.row_count = 1;
    }
    switch (c->kind) {
    case CELL:
    case ELEMENT:
    case STATIC:
        cell = make_cell(model, c, (uint16_t)c->column);
        row.cells = &cell;
        row.cell_count = 1;
        if (c->kind == STATIC) mutation.static_row = &row;
        break;
    case LIVENESS:
        row.liveness.timestamp = c->timestamp;
        break;
    case ROW_GONE:
        row.deletion = deletion;
        break;
    case SET_GONE:
        row.complex_deletions = &complex;
        row.complex_deletion_count = 1;
        break;
    case RANGE_GONE:
        range.range.start = (struct bound){c->edges & 1 ? BOUND_EXCL_START : BOUND_INCL_START,
                                           clustering_of(model, c->row)};
        range.range.end = (struct bound){c->edges & 2 ? BOUND_INCL_END : BOUND_EXCL_END,
                                         clustering_of(model, c->row_end)};
        range.deletion = deletion;
        mutation.range_deletions = &range;
        mutation.range_deletion_count = 1;
        break;
    case PARTITION_GONE:
        mutation.deletion = deletion;
        break;
    case NOTHING:
        break;
    }
    ck_assert_int_eq(engine_apply(model->engine, &mutation, &model->position), STATUS_OK);
}

static void make_change(struct model *model)
{
    static const enum kind kinds[] = {
        CELL,   CELL,     CELL,     CELL,     CELL,       ELEMENT,    ELEMENT,  ELEMENT,
        STATIC, LIVENESS, LIVENESS, ROW_GONE, RANGE_GONE, RANGE_GONE, SET_GONE, CELL};
    struct change c = {.kind = kinds[next_random(model, 16)]};
    if (next_random(model, 30) == 0) c.kind = PARTITION_GONE;
    c.key = (int)next_random(model, KEYS);
    c.row = c.kind == STATIC ? -1 : (int)next_random(model, ROWS);
    if (c.kind == RANGE_GONE) {
        c.row_end = (int)next_random(model, ROWS);
        if (place_of(model, c.row) > place_of(model, c.row_end)) {
            int swapped = c.row;
            c.row = c.row_end;
            c.row_end = swapped;
        }
        c.edges = (int)next_random(model, 4);
    }
    if (c.kind == CELL) c.column = (int)next_random(model, COLUMNS);
    if (c.kind == ELEMENT) {
        c.column = 2;
        c.element = (int)next_random(model, ELEMENTS);
    }
    // Few times, so that ties are common; slowly growing, so that old changes lose.
    c.timestamp = (int64_t)(model->count / 16 + next_random(model, TIMES));
    if (model->is_purged) c.timestamp = (int64_t)model->count + 1;
    c.is_tombstone = next_random(model, 4) == 0;
    (void)snprintf(c.value, sizeof c.value, "v%u", next_random(model, 10));
    if (c.kind == ELEMENT) c.value[0] = '\0';
    apply(model, &c);
    ck_assert_uint_lt(model->count, CHANGES_MAX);
    model->changes[model->count++] = c;
}

// ---- Runs --------------------------------------------------------------------------------------

static void open_engine(struct model *model)
{
    struct error error = {0};
    struct engine_options options = {.directory = engine_fixture_directory()};
    enum status status =
        engine_open(engine_fixture_env(), &options, model->schema, &model->engine, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

static void reopen(struct model *model, bool clean)
{
    engine_fixture_wait_synced(model->engine, model->position);
    if (clean) {
        engine_fixture_close(model->engine);
    } else {
        engine_fixture_crash(model->engine);
    }
    open_engine(model);
}

static void step(struct model *model)
{
    arena_reset(&model->arena);
    unsigned choice = next_random(model, 100);
    if (choice < 70) {
        make_change(model);
    } else if (choice < 90) {
        check_read(model, (int)next_random(model, KEYS));
    } else if (choice < 93) {
        check_scan(model);
    } else if (choice < 96) {
        engine_fixture_flush(model->engine);
        if (next_random(model, 4) == 0) engine_fixture_compact(model->engine, model->table->id);
    } else if (choice < 99) {
        reopen(model, choice == 97);
    } else if (next_random(model, 3) == 0) {
        engine_fixture_truncate(model->engine, model->table->id);
        if (!model->is_purged) model->count = 0;
        for (size_t i = 0; i < model->count; i++)
            model->changes[i].kind = NOTHING;
        model->position = UINT64_MAX;
    }
    engine_check(model->engine);
    // A truncation has a position of its own, which the model does not see.
    if (model->position == UINT64_MAX) {
        arena_reset(&model->arena);
        make_change(model);
    }
}

static void run_model(uint64_t seed, bool reversed)
{
    printf("engine model: HELENUS_SEED=%" PRIu64 "\n", seed);
    struct model *model = calloc(1, sizeof *model);
    model->random = seed * 0x9e3779b97f4a7c15ull + 1;
    model->table = engine_fixture_table("model", reversed);
    model->is_purged = seed % 3 == 0;
    model->has_one_token = seed % 4 < 2;
    model->local_time =
        model->is_purged ? 10 : (int32_t)(env_wall_us(engine_fixture_env()) / 1000000);
    model->schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(model->schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    ck_assert_int_eq(schema_put_table(model->schema, model->table), STATUS_OK);
    arena_init(&model->arena, 64 * 1024);
    open_engine(model);
    for (int i = 0; i < STEPS; i++)
        step(model);
    engine_fixture_close(model->engine);
    arena_deinit(&model->arena);
    schema_destroy(model->schema);
    table_unref(model->table);
    free(model);
}

START_TEST(reads_say_what_the_model_says)
{
    const char *wanted = getenv("HELENUS_SEED");
    uint64_t seed = wanted == NULL ? (uint64_t)_i + 1 : strtoull(wanted, NULL, 10);
    run_model(seed, seed % 2 == 0);
}
END_TEST

int main(void)
{
    TCase *model = tcase_create("model");
    tcase_add_checked_fixture(model, engine_fixture_setup, engine_fixture_teardown);
    tcase_add_loop_test(model, reads_say_what_the_model_says, 0, 12);
    tcase_set_timeout(model, 120);
    Suite *suite = suite_create("engine_model");
    suite_add_tcase(suite, model);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
