// An SSTable with damaged files: opened, scanned both ways, asked for partitions; compacted, and
// imported.
//
//     u8 table | u8 flags | if bit 7 of them: u8 ways | u8 fault | u8 countdown
//     | { u8 component (bit 7: a patch, else the whole file)
//         | patch: u16 offset (bit 6: u24) | u8 size | bytes   file: u16 size | bytes }*
//
// Files that the input has not are those of an SSTable that our writer or Cassandra made. flags bit
// 0: the checksums of Data.db's chunks and of Statistics.db are made right again, so that what lies
// behind them is reached; bit 1: the manifest knows just these files, so Summary.db and Filter.db
// are believed; bit 2: read through a small cache; bit 3: the manifest knows other files; bit 4:
// read by a later version of the table, without its last column; bit 5: read as, and imported into,
// a table that it is not of, which the countdown says.
//
// The ways: see WAY_… below. The n-th operation of a kind fails: a file is there, but not readable.
#include "base/checksum.h"
#include "storage/compaction/compaction_task.h"
#include "storage/engine/import_sstable.h"
#include "storage/sstable/format.h"
#include "storage/sstable/reader.h"
#include "storage/value.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/support/fuzz_sstable.h"
#include "tests/fuzz/targets.h"

#include <stdlib.h>

enum {
    FLAG_FIX = 1,
    FLAG_KNOWN = 2,
    FLAG_CACHE = 4,
    FLAG_OTHER_KNOWN = 8,
    FLAG_LATER = 16,
    FLAG_OTHER = 32,
    FLAG_MORE = 128,
};
enum {
    WAY_PLAIN = 1,      // Data.db is not compressed: patches hit rows.
    WAY_GENERATION = 2, // Opened by its generation alone.
    WAY_COMPACT = 4,  // What can be read is written again, which must do; without a fault and with
                      // an odd countdown merged with what was there before the damage.
    WAY_FOREIGN = 8,  // The manifest knows it as another's.
    WAY_VERSION = 16, // Its name says the other version.
    WAY_DROP = 32,    // The first load of the cache is given up; a compaction is committed.
    WAY_IMPORT = 64,  // Imported, too.
    WAY_QUICK = 128,  // … quickly, or compacted with small blocks.
};

// ---- Reading ------------------------------------------------------------------------------------

enum { KEYS_MAX = 20, LOADS_MAX = 1000 };

// How a reader is read: from its files, or through a cache (then both are there) that is smaller
// than the SSTable, with loads of what is missing.
struct reading {
    struct sstable_reader *reader;
    const struct table *table;
    const struct partition_filter *filter;
    struct chunk_cache *cache;
    struct read_pins *pins;
    struct arena arena, keys;
    struct scan_range range;
    struct partition_key found[KEYS_MAX];
    size_t found_count;
    struct places *places; // Or NULL: they are not wanted.
    bool drops_load;
};

// Clusterings of two rows of a partition, in order, for ranges between them.
struct places {
    struct arena arena;
    struct clustering items[2];
    size_t count;
};

static void keep_place(struct reading *reading, const struct row *row)
{
    struct places *places = reading->places;
    const struct clustering *from = &row->clustering;
    if (places == NULL || from->count == 0) return;
    if (places->count > 0 && clustering_compare(reading->table, from, &places->items[0]) <= 0)
        return;
    struct slice *values = ARENA_NEW_ARRAY(&places->arena, struct slice, from->count);
    for (uint16_t i = 0; i < from->count; i++)
        values[i] = slice_is_null(from->values[i]) ? slice_null()
                                                   : arena_copy(&places->arena, from->values[i]);
    places->items[places->count > 0] = (struct clustering){from->count, values};
    places->count += places->count < 2;
}

// Reads a partition's rows to their end.
static enum status read_rows(struct reading *reading, struct partition_iterator *partition)
{
    struct unfiltered unfiltered;
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        if (!unfiltered.is_marker) keep_place(reading, unfiltered.row);
    }
    partition_iterator_close(partition);
    return status;
}

static enum status scan_once(struct reading *reading)
{
    struct scan_iterator *scan;
    struct partition_iterator *partition;
    struct error error;
    enum status status =
        sstable_scan(reading->reader, reading->table, &reading->range, reading->filter,
                     reading->cache, reading->pins, &reading->arena, &scan, &error);
    if (status != STATUS_OK) return status;
    reading->found_count = 0;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        if (reading->found_count < KEYS_MAX) {
            struct partition_key *found = &reading->found[reading->found_count++];
            *found = partition->key;
            found->bytes = arena_copy(&reading->keys, partition->key.bytes);
        }
        status = read_rows(reading, partition);
        if (status == STATUS_WOULD_BLOCK) break;
    }
    scan_iterator_close(scan);
    return status;
}

static enum status read_once(struct reading *reading, const struct partition_key *key)
{
    struct partition_iterator *partition;
    struct error error;
    enum status status =
        sstable_read(reading->reader, reading->table, key, reading->filter, reading->cache,
                     reading->pins, &reading->arena, &partition, &error);
    if (status != STATUS_OK || partition == NULL) return status;
    return read_rows(reading, partition);
}

// Fetches what is missing. False: it can not be had.
static bool load(struct reading *reading)
{
    struct sstable_load load;
    struct error error;
    ASSERT(reading->pins != NULL && sstable_load_begin(&load, reading->pins));
    sstable_load_work(&load);
    if (reading->drops_load) {
        sstable_load_drop(&load);
        return reading->drops_load = false;
    }
    return sstable_load_finish(&load, reading->cache, reading->pins, &error) == STATUS_OK;
}

static void read_all(struct reading *reading)
{
    for (int i = 0; scan_once(reading) == STATUS_WOULD_BLOCK && load(reading); i++) {
        ASSERT(i < LOADS_MAX);
        arena_reset(&reading->arena);
    }
    for (size_t k = 0; k < reading->found_count; k++) {
        arena_reset(&reading->arena);
        for (int i = 0;
             read_once(reading, &reading->found[k]) == STATUS_WOULD_BLOCK && load(reading); i++) {
            ASSERT(i < LOADS_MAX);
            arena_reset(&reading->arena);
        }
    }
}

// Between the first two partitions that there are, if there are two.
static void scan_between(struct reading *reading)
{
    if (reading->found_count < 2) return;
    const struct partition_key *first = &reading->found[0], *second = &reading->found[1];
    reading->range = (struct scan_range){{first->token, first->bytes, false},
                                         {second->token, second->bytes, true}};
    arena_reset(&reading->arena);
    for (int i = 0; scan_once(reading) == STATUS_WOULD_BLOCK && load(reading); i++) {
        ASSERT(i < LOADS_MAX);
        arena_reset(&reading->arena);
    }
}

struct how {
    struct sstable_reader *reader;
    const struct table *table;
    struct places places;
    const struct fuzz_sstable *base;
    uint8_t flags, ways;
    bool merges; // With what was there before the damage.
};

static void read_filtered(struct how *how, const struct partition_filter *filter, bool is_first)
{
    struct read_pins pins;
    read_pins_init(&pins);
    struct reading reading = {.reader = how->reader,
                              .table = how->table,
                              .filter = filter,
                              .range = SCAN_RANGE_ALL,
                              .places = is_first ? &how->places : NULL,
                              .drops_load = (how->ways & WAY_DROP) != 0};
    if ((how->flags & FLAG_CACHE) != 0) {
        reading.cache = chunk_cache_create(32 * 1024);
        reading.pins = &pins;
    }
    arena_init(&reading.arena, 4096);
    arena_init(&reading.keys, 4096);
    read_all(&reading);
    if (is_first) scan_between(&reading);
    arena_deinit(&reading.keys);
    arena_deinit(&reading.arena);
    read_pins_release(&pins);
    chunk_cache_destroy(reading.cache);
}

// All rows, forwards and backwards; and the two rows of a slice, if the first clustering column is
// an int.
static void read_all_or_slice(struct how *how)
{
    const struct table *table = how->table;
    const struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct slice three = slice_make("\0\0\0\3", 4), one = slice_make("\0\0\0\1", 4);
    const struct column *column = table->columns[COLUMN_CLUSTERING];
    bool descends = table->column_counts[COLUMN_CLUSTERING] > 0 && column->reversed;
    const struct clustering_range slice = {{BOUND_EXCL_START, {1, descends ? &three : &one}},
                                           {BOUND_INCL_END, {1, descends ? &one : &three}}};
    for (int way = 0; way < 4; way++) {
        struct partition_filter filter = {
            .ranges = &all, .range_count = 1, .reversed = way % 2 == 1, .with_static = way != 3};
        if (way >= 2) {
            if (table->column_counts[COLUMN_CLUSTERING] == 0 || column->type->kind != TYPE_INT)
                continue;
            filter.ranges = &slice;
        }
        read_filtered(how, &filter, way == 0);
    }
}

// One row that there is, and what lies behind another.
static void read_around_places(struct how *how)
{
    if (how->places.count < 2) return;
    const struct clustering *items = how->places.items;
    const struct clustering_range ranges[] = {
        {{BOUND_INCL_START, items[0]}, {BOUND_INCL_END, items[0]}},
        {{BOUND_EXCL_START, items[1]}, {BOUND_INCL_END, {0, NULL}}},
        {{BOUND_EXCL_START, items[0]}, {BOUND_EXCL_END, items[1]}},
        {{BOUND_INCL_START, {0, NULL}}, {BOUND_EXCL_END, items[1]}},
    };
    for (int way = 0; way < 6; way++) {
        struct partition_filter filter = {.ranges = &ranges[way < 2 ? 0 : way - 2],
                                          .range_count = way < 2 ? 2 : 1,
                                          .reversed = way % 2 == 1,
                                          .with_static = false};
        read_filtered(how, &filter, false);
    }
}

// A table with other keys than the file's is refused.
static void read_as_another(struct how *how)
{
    const struct table *other = NULL;
    for (size_t i = 0; i < fuzz_sstable_count() && other == NULL; i++) {
        const struct table *table = fuzz_sstable_at(i)->table;
        if (table->column_counts[COLUMN_CLUSTERING] != how->table->column_counts[COLUMN_CLUSTERING])
            other = table;
    }
    const struct clustering_range all = CLUSTERING_RANGE_ALL;
    const struct partition_filter filter = {.ranges = &all, .range_count = 1};
    struct partition_key first = sstable_first_key(how->reader);
    struct partition_iterator *partition;
    struct scan_iterator *scan;
    struct arena arena;
    struct error error;
    arena_init(&arena, 1024);
    ASSERT(sstable_scan(how->reader, other, &SCAN_RANGE_ALL, &filter, NULL, NULL, &arena, &scan,
                        &error) == STATUS_CORRUPT);
    ASSERT(!sstable_may_contain(how->reader, &first) ||
           sstable_read(how->reader, other, &first, &filter, NULL, NULL, &arena, &partition,
                        &error) == STATUS_CORRUPT);
    arena_deinit(&arena);
}

// As many chunks as a read may miss, and more.
static void load_many(struct how *how)
{
    struct read_pins pins;
    struct sstable_load load;
    struct error error;
    struct chunk_cache *cache = chunk_cache_create(64 * 1024);
    read_pins_init(&pins);
    size_t count = reader_chunk_count(how->reader);
    for (size_t i = 0; i <= READ_MISSES_MAX; i++) {
        read_pins_note_miss(&pins, how->reader, i % count, 1);
        read_pins_note_miss_of_scan(&pins, how->reader, i / 2 % count, 1);
    }
    while (sstable_load_begin(&load, &pins)) {
        sstable_load_work(&load);
        (void)!sstable_load_finish(&load, cache, &pins, &error);
    }
    ASSERT(chunk_cache_size(cache) > 0 || fuzz_sim_has_failed() || pins.count == 0);
    read_pins_release(&pins);
    chunk_cache_destroy(cache);
}

static void look_at_facts(const struct sstable_reader *reader)
{
    struct sstable_name name = *sstable_reader_name(reader);
    ASSERT(sstable_generation(reader) == sstable_name_generation(&name));
    ASSERT(strcmp(sstable_directory(reader), "/t") == 0);
    ASSERT(sstable_uncompressed_size(reader) > 0 && sstable_data_size(reader) > 0);
    (void)sstable_level(reader);
    (void)sstable_repaired_at(reader);
    (void)sstable_row_count(reader);
    (void)sstable_has_legacy_counters(reader);
    (void)sstable_first_key(reader);
    (void)sstable_last_key(reader);
    (void)sstable_droppable_ratio(reader, 1700000000);
    ASSERT(sstable_memory_size(reader) > 0 && sstable_size(reader) > 0);
}

static void write_files(struct fuzz_sim *sim, const struct sstable_name *name,
                        const struct slice files[SSTABLE_COMPONENT_COUNT])
{
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        char path[SSTABLE_PATH_SIZE];
        sstable_name_path(path, "/t", name, (enum sstable_component)i);
        if (!slice_is_null(files[i])) fuzz_sim_write(sim, path, files[i]);
    }
}

// ---- Compaction ---------------------------------------------------------------------------------

static enum status scan_to_end(struct sstable_reader *reader, const struct table *table)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct scan_iterator *scan;
    struct partition_iterator *partition;
    struct reading reading = {.reader = reader, .table = table};
    struct error error;
    enum status status = sstable_scan_apart(reader, table, &arena, &scan, &error);
    if (status == STATUS_OK) {
        while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
            status = read_rows(&reading, partition);
            if (status != STATUS_END) break;
        }
        scan_iterator_close(scan);
    }
    arena_deinit(&arena);
    return status;
}

// The same SSTable as it was before the damage, or NULL.
static struct sstable_reader *open_sound(struct fuzz_sim *sim, const struct how *how)
{
    const struct sstable_name name = sstable_name_of(how->base->name.version, 5);
    struct sstable_reader *reader = NULL;
    write_files(sim, &name, how->base->files);
    (void)!sstable_open_named(sim->env, "/t", &name, how->table, NULL, &reader, NULL);
    return reader;
}

static void count_name(void *context, const char *name, bool is_dir)
{
    (void)name;
    (void)is_dir;
    ++*(size_t *)context;
}

// The outputs are there, and nothing of the inputs.
static void commit(struct fuzz_sim *sim, struct compaction_task *task, size_t count)
{
    struct error error;
    enum status status = compaction_task_commit(task, &error);
    if (status == STATUS_OK) compaction_task_remove_inputs(task);
    ASSERT(status == STATUS_OK || fuzz_sim_has_failed());
    bool has_failed = fuzz_sim_has_failed();
    fuzz_sim_fail(sim, FUZZ_FAULT_NONE, 0);
    struct sstable_listing listing;
    ASSERT(sstable_recover_directory(sim->env, "/t", &listing, &error) == STATUS_OK);
    ASSERT(listing.count == count || has_failed);
    free(listing.generations);
}

// What was written of what could be read is sound, whatever it was.
static void compact(struct fuzz_sim *sim, struct how *how)
{
    struct sstable_reader *inputs[] = {how->reader, NULL};
    if (how->merges) inputs[1] = open_sound(sim, how);
    const struct compaction_task_options options = {
        .directory = "/t",
        .table = how->table,
        .inputs = inputs,
        .input_count = inputs[1] == NULL ? 1 : 2,
        .purge = {.now_s = 1700000000,
                  .gc_before = (how->flags & FLAG_CACHE) != 0 ? 1600000000 : INT32_MIN,
                  .memory_min_timestamp = INT64_MAX},
        .generation = 7,
        .generation_step = 1,
        .column_index_size = (how->ways & WAY_QUICK) != 0 ? 512 : 0,
        .with_table_compressor = true};
    struct compaction_task *task = compaction_task_create(sim->env, &options);
    struct error error;
    enum status status;
    while ((status = compaction_task_step(task, 1 << 16, &error)) == STATUS_OK) {
    }
    size_t count = 0;
    const struct sstable_summary *outputs = NULL;
    if (status == STATUS_END) outputs = compaction_task_outputs(task, &count);
    for (size_t i = 0; i < count; i++) {
        struct sstable_reader *reader;
        status = sstable_open(sim->env, "/t", compaction_task_output_generation(task, i),
                              how->table, &outputs[i].check, &reader, &error);
        if (status == STATUS_OK) {
            status = scan_to_end(reader, how->table);
            sstable_unref(reader);
        } else {
            ASSERT(fuzz_sim_has_failed());
        }
        ASSERT(status == STATUS_END || fuzz_sim_has_failed());
    }
    if (count > 0 && (how->ways & WAY_DROP) != 0) commit(sim, task, count);
    compaction_task_destroy(task);
    sstable_unref(inputs[1]);
}

// ---- Import -------------------------------------------------------------------------------------

static void import_named(struct fuzz_sim *sim, const struct sstable_name *name,
                         const struct table *table, uint8_t ways)
{
    const struct import_range half = {{0}, {INT64_MAX}};
    const struct import_sstable_options options = {.source = "/t",
                                                   .name = *name,
                                                   .directory = "/u",
                                                   .generation = 9,
                                                   .table = table,
                                                   .is_quick = (ways & WAY_QUICK) != 0,
                                                   .keeps_level = (ways & WAY_FOREIGN) != 0,
                                                   .keeps_repaired = (ways & WAY_DROP) != 0,
                                                   .ranges = ways % 4 == 1 ? &half : NULL,
                                                   .range_count = 1};
    struct import_sstable *import = import_sstable_create(sim->env, &options);
    struct error error;
    enum status status;
    while ((status = import_sstable_step(import, &error)) == STATUS_OK)
        ASSERT(import_sstable_done_bytes(import) <= import_sstable_total_bytes(import) ||
               fuzz_sim_has_failed());
    if (status == STATUS_END) status = import_sstable_commit(import, &error);
    if (status == STATUS_OK) {
        struct sstable_reader *reader = import_sstable_take_reader(import);
        (void)scan_to_end(reader, table);
        sstable_unref(reader);
        import_sstable_finish(import);
        (void)!import_sstable_remove_source(import, &error);
    } else {
        bool is_undecided = import_sstable_undo(import);
        size_t count = 0;
        ASSERT(env_list_dir(sim->env, "/u", count_name, &count, NULL) == STATUS_OK ||
               fuzz_sim_has_failed());
        ASSERT((count == 0 && !is_undecided) || fuzz_sim_has_failed());
    }
    import_sstable_destroy(import);
}

// ---- All of it ----------------------------------------------------------------------------------

// Which bytes, and under which name.
struct damaged {
    const struct fuzz_sstable *base;
    struct sstable_name name;
    struct slice files[SSTABLE_COMPONENT_COUNT];
    uint8_t *copies[SSTABLE_COMPONENT_COUNT]; // Of files, for patches.
    uint8_t flags, ways, fault, countdown;
};

static void take_change(struct cursor *input, struct damaged *damaged, struct arena *arena)
{
    uint8_t what = cursor_u8(input);
    size_t component = (what & 0x3f) % SSTABLE_COMPONENT_COUNT;
    struct slice *file = &damaged->files[component];
    if ((what & 0x80) == 0) {
        *file = arena_copy(arena, fuzz_take(input, cursor_u16(input)));
        return;
    }
    size_t offset = (what & 0x40) != 0 ? (size_t)cursor_u8(input) << 16 : 0;
    offset += cursor_u16(input);
    struct slice bytes = fuzz_take(input, cursor_u8(input));
    if (file->size == 0) return;
    if (file->data != damaged->copies[component])
        damaged->copies[component] = (uint8_t *)(uintptr_t)arena_copy(arena, *file).data;
    uint8_t *copy = damaged->copies[component];
    offset %= file->size;
    size_t size = bytes.size < file->size - offset ? bytes.size : file->size - offset;
    memcpy(copy + offset, bytes.data, size);
    *file = slice_make(copy, file->size);
}

static void take_damage(struct cursor *input, struct damaged *damaged, struct arena *arena)
{
    const struct fuzz_sstable *base = damaged->base = fuzz_sstable_at(cursor_u8(input));
    damaged->flags = cursor_u8(input);
    if ((damaged->flags & FLAG_MORE) != 0) {
        damaged->ways = cursor_u8(input);
        damaged->fault = cursor_u8(input) % FUZZ_FAULT_COUNT;
        damaged->countdown = cursor_u8(input);
    }
    damaged->name = base->name;
    if ((damaged->ways & WAY_VERSION) != 0)
        damaged->name = sstable_name_of(base->name.version == SSTABLE_NB ? SSTABLE_OA : SSTABLE_NB,
                                        sstable_name_generation(&base->name));
    memcpy(damaged->files, base->files, sizeof damaged->files);
    if ((damaged->ways & WAY_PLAIN) != 0) fuzz_sstable_make_plain(base, damaged->files, arena);
    for (int i = 0; i < 16 && fuzz_goes_on(input); i++)
        take_change(input, damaged, arena);
    if ((damaged->flags & FLAG_FIX) != 0) fuzz_sstable_fix(damaged->files, arena);
}

static enum status open_damaged(struct fuzz_sim *sim, const struct damaged *damaged,
                                const struct table *table, struct sstable_reader **reader)
{
    struct sstable_check check = {.is_foreign = (damaged->ways & WAY_FOREIGN) != 0};
    const struct slice *known =
        (damaged->flags & FLAG_OTHER_KNOWN) != 0 ? damaged->base->files : damaged->files;
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        check.sizes[i] = known[i].size;
        check.xxh3[i] = checksum_xxh3(known[i], 0);
    }
    const struct sstable_check *given =
        (damaged->flags & (FLAG_KNOWN | FLAG_OTHER_KNOWN)) != 0 ? &check : NULL;
    struct error error;
    if ((damaged->ways & WAY_GENERATION) != 0)
        return sstable_open(sim->env, "/t", sstable_name_generation(&damaged->name), table, given,
                            reader, &error);
    return sstable_open_named(sim->env, "/t", &damaged->name, table, given, reader, &error);
}

FUZZ_TARGET(sstable)
{
    struct cursor cursor = cursor_make(input);
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    struct damaged damaged = {.fault = FUZZ_FAULT_NONE};
    take_damage(&cursor, &damaged, &arena);
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    sim_world_set_chance(sim.world, SIM_FAULT_COLD_READ,
                         (damaged.ways & WAY_DROP) != 0 ? 0.5 : 1.0);
    ASSERT(env_make_dir(sim.env, "/t", NULL) == STATUS_OK);
    ASSERT(env_make_dir(sim.env, "/u", NULL) == STATUS_OK);
    write_files(&sim, &damaged.name, damaged.files);
    const struct table *table =
        (damaged.flags & FLAG_LATER) != 0 ? damaged.base->later : damaged.base->table;
    const struct table *other = damaged.base->others[damaged.countdown % FUZZ_SSTABLE_OTHERS];
    // A version that came when it was open already.
    const struct table *opened = (damaged.ways & WAY_GENERATION) != 0 ? damaged.base->table : table;
    struct how how = {.table = table,
                      .base = damaged.base,
                      .flags = damaged.flags,
                      .ways = damaged.ways,
                      .merges = damaged.fault == FUZZ_FAULT_NONE && damaged.countdown % 2 == 1};
    arena_init(&how.places.arena, 1024);
    fuzz_sim_fail(&sim, damaged.fault, damaged.countdown);
    if (open_damaged(&sim, &damaged, opened, &how.reader) == STATUS_OK) {
        read_all_or_slice(&how);
        read_around_places(&how);
        read_as_another(&how);
        if ((damaged.ways & WAY_DROP) != 0) load_many(&how);
        look_at_facts(how.reader);
        if ((damaged.flags & FLAG_OTHER) != 0) (void)scan_to_end(how.reader, other);
        if ((damaged.ways & WAY_COMPACT) != 0) compact(&sim, &how);
        sstable_unref(how.reader);
    }
    arena_deinit(&how.places.arena);
    if ((damaged.ways & WAY_IMPORT) != 0)
        import_named(&sim, &damaged.name, (damaged.flags & FLAG_OTHER) != 0 ? other : table,
                     damaged.ways);
    fuzz_sim_close(&sim);
    arena_deinit(&arena);
}
