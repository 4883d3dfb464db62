// Tables of the engine world: what they look like, and how they change.
#include "base/assert.h"
#include "base/bytes.h"
#include "node/sim/engine_world_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Shapes ------------------------------------------------------------------------------------

static void make_columns(struct engine_world *world, struct table_shape *shape)
{
    static const struct table_shape_column plain[TABLE_MODEL_COLUMNS] = {
        {"a", true, false, SHAPE_TEXT, TIMESTAMP_NONE},
        {"b", true, false, SHAPE_INT, TIMESTAMP_NONE},
        {"c", true, false, SHAPE_TEXT, TIMESTAMP_NONE},
        {"d", false, false, SHAPE_MAP, TIMESTAMP_NONE},
        {"e", true, false, SHAPE_SET, TIMESTAMP_NONE},
        {"f", true, false, SHAPE_MAP, TIMESTAMP_NONE},
        {"s", true, true, SHAPE_TEXT, TIMESTAMP_NONE},
        {"t", true, true, SHAPE_SET, TIMESTAMP_NONE},
        {"l", true, false, SHAPE_LIST, TIMESTAMP_NONE},
        {"p", true, false, SHAPE_UDT, TIMESTAMP_NONE},
        {"q", true, false, SHAPE_TUPLE, TIMESTAMP_NONE},
        {"v", true, false, SHAPE_VECTOR, TIMESTAMP_NONE}};
    static const struct table_shape_column counting[TABLE_MODEL_COLUMNS] = {
        {"n", true, false, SHAPE_COUNTER, TIMESTAMP_NONE},
        {"m", true, false, SHAPE_COUNTER, TIMESTAMP_NONE},
        {"u", true, true, SHAPE_COUNTER, TIMESTAMP_NONE}};
    memcpy(shape->columns, shape->counts ? counting : plain, sizeof shape->columns);
    for (size_t i = 0; i < TABLE_MODEL_COLUMNS; i++) {
        struct table_shape_column *column = &shape->columns[i];
        if (column->is_static && shape->clustering_count == 0) column->is_there = false;
    }
    // With many cells in each row, or only one.
    if (!shape->counts && engine_world_chance(world, 0.3))
        shape->columns[1].is_there = shape->columns[2].is_there = shape->columns[5].is_there =
            shape->columns[8].is_there = shape->columns[10].is_there = false;
}

static const struct type *udt(struct arena *arena)
{
    static const char *const names[TABLE_MODEL_ELEMENTS] = {"w", "x", "y", "z"};
    struct slice *fields = ARENA_NEW_ARRAY(arena, struct slice, TABLE_MODEL_ELEMENTS);
    const struct type **types = ARENA_NEW_ARRAY(arena, const struct type *, TABLE_MODEL_ELEMENTS);
    for (size_t i = 0; i < TABLE_MODEL_ELEMENTS; i++) {
        fields[i] = slice_of_text(names[i]);
        types[i] = type_of_kind(TYPE_TEXT);
    }
    return type_make_udt(arena, slice_of_text("simulated"), slice_of_text("udt"), fields, types,
                         TABLE_MODEL_ELEMENTS, false);
}

static const struct type *type_of(const struct table_shape_column *column, struct arena *arena)
{
    const struct type *text = type_of_kind(TYPE_TEXT);
    const struct type *pair[2] = {type_of_kind(TYPE_INT), text};
    switch (column->type) {
    case SHAPE_INT:
        return type_of_kind(TYPE_INT);
    case SHAPE_SET:
        return type_make_set(arena, text, false);
    case SHAPE_MAP:
        return type_make_map(arena, text, text, false);
    case SHAPE_LIST:
        return type_make_list(arena, text, false);
    case SHAPE_UDT:
        return udt(arena);
    case SHAPE_TUPLE:
        return type_make_tuple(arena, pair, 2);
    case SHAPE_VECTOR:
        return type_make_vector(arena, type_of_kind(TYPE_FLOAT), 3);
    case SHAPE_COUNTER:
        return type_of_kind(TYPE_COUNTER);
    default:
        return text;
    }
}

// ---- Options -----------------------------------------------------------------------------------

static struct options make_options(struct arena *arena, const char *const (*pairs)[2], size_t count)
{
    struct option *items = ARENA_NEW_ARRAY(arena, struct option, count);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct option){slice_of_text(pairs[i][0]), slice_of_text(pairs[i][1])};
    return (struct options){items, count};
}

static void choose_compaction(struct engine_world *world, struct table_builder *builder)
{
    static const char *const tiered[][2] = {{"class", "SizeTieredCompactionStrategy"},
                                            {"min_threshold", "2"},
                                            {"max_threshold", "4"},
                                            {"tombstone_compaction_interval", "1"},
                                            {"tombstone_threshold", "0.05"},
                                            {"unchecked_tombstone_compaction", "true"}};
    static const char *const leveled[][2] = {
        {"class", "LeveledCompactionStrategy"}, {"sstable_size_in_mb", "1"}, {"fanout_size", "2"}};
    static const char *const windows[][2] = {{"class", "TimeWindowCompactionStrategy"},
                                             {"compaction_window_unit", "MINUTES"},
                                             {"compaction_window_size", "1"},
                                             {"min_threshold", "2"},
                                             {"expired_sstable_check_frequency_seconds", "0"}};
    struct table_params *params = table_builder_params(builder);
    struct arena *arena = table_builder_arena(builder);
    switch (engine_world_below(world, 4)) {
    case 0:
        params->compaction = make_options(arena, tiered, 6);
        break;
    case 1:
        params->compaction = make_options(arena, leveled, 3);
        break;
    case 2:
        params->compaction = make_options(arena, windows, 5);
        break;
    default:
        params->compaction = table_params_default().compaction;
        break;
    }
}

static void choose_options(struct engine_world *world, struct table_builder *builder)
{
    static const char *const none[][2] = {{"enabled", "false"}};
    static const char *const classes[] = {"LZ4Compressor", "ZstdCompressor", "SnappyCompressor",
                                          "DeflateCompressor"};
    struct table_params *params = table_builder_params(builder);
    struct arena *arena = table_builder_arena(builder);
    char class[80];
    (void)snprintf(class, sizeof class, "org.apache.cassandra.io.compress.%s",
                   classes[engine_world_below(world, 4)]);
    const char *const some[][2] = {
        {"class", arena_format(arena, "%s", class)},
        {"chunk_length_in_kb", engine_world_chance(world, 0.5) ? "4" : "16"}};
    params->compression = engine_world_chance(world, 0.4) ? make_options(arena, none, 1)
                                                          : make_options(arena, some, 2);
    params->gc_grace_seconds = engine_world_chance(world, 0.6) ? 10 : 864000;
    params->bloom_filter_fp_chance = engine_world_chance(world, 0.3) ? 1.0 : 0.1;
    choose_compaction(world, builder);
}

// ---- Tables ------------------------------------------------------------------------------------

static void put_table(struct engine_world *world, size_t number, struct table_builder *builder)
{
    struct world_table *table = &world->tables[number];
    table_unref(table->table);
    table->table = table_builder_finish(builder);
    ASSERT(schema_put_table(world->schema, table->table) == STATUS_OK);
}

void engine_world_note_dropped(struct engine_world *world, const struct table *table)
{
    if (world->dropped_count == world->dropped_capacity) {
        world->dropped_capacity = world->dropped_capacity * 2 + 8;
        world->dropped = realloc(world->dropped, world->dropped_capacity * sizeof *world->dropped);
        ASSERT(world->dropped != NULL);
    }
    table_ref(table);
    world->dropped[world->dropped_count++] = table;
}

void engine_world_make_table(struct engine_world *world, size_t number)
{
    struct world_table *table = &world->tables[number];
    struct table_shape *shape = &table->shape;
    *shape = (struct table_shape){.counts = number == 2,
                                  .clustering_count = (uint16_t)engine_world_below(world, 4),
                                  .inner = 1};
    if (shape->clustering_count == 3) shape->clustering_count = 2;
    if (shape->clustering_count == 2) shape->inner = 6;
    make_columns(world, shape);
    char name[16];
    (void)snprintf(name, sizeof name, "t%zu", number);
    struct uuid id = {{0x13, 0x81, 0x40, 0, 0x1d, 0xd2, 0x11, 0xb2, 0x80}};
    bytes_put_u32(id.bytes + 12, (uint32_t)++world->table_number);
    struct table_builder *builder =
        table_builder_create(slice_of_text("simulated"), slice_of_text(name), id);
    const struct type *whole = type_of_kind(TYPE_INT);
    table_builder_add_column(builder, slice_of_text("k"), whole, COLUMN_PARTITION_KEY, false);
    for (uint16_t i = 0; i < shape->clustering_count; i++) {
        shape->reversed[i] = engine_world_chance(world, 0.4);
        table_builder_add_column(builder, slice_of_text(i == 0 ? "x" : "y"), whole,
                                 COLUMN_CLUSTERING, shape->reversed[i]);
    }
    for (size_t i = 0; i < TABLE_MODEL_COLUMNS; i++) {
        const struct table_shape_column *column = &shape->columns[i];
        if (column->is_there)
            table_builder_add_column(builder, slice_of_text(column->name),
                                     type_of(column, table_builder_arena(builder)),
                                     column->is_static ? COLUMN_STATIC : COLUMN_REGULAR, false);
    }
    table_builder_set_counter(builder, shape->counts);
    choose_options(world, builder);
    put_table(world, number, builder);
    table_model_clear(&table->certain);
    table_model_clear(&table->present);
    memset(table->is_gone, 0, sizeof table->is_gone);
}

void engine_world_alter_table(struct engine_world *world, size_t number)
{
    struct world_table *table = &world->tables[number];
    struct table_builder *builder = table_builder_copy(table->table);
    // One of those that do not count, are not the first and not static.
    static const uint8_t numbers[] = {1, 2, 3, 4, 5, 8, 9, 10};
    struct table_shape_column *column =
        &table->shape.columns[numbers[engine_world_below(world, sizeof numbers)]];
    if (table->shape.counts || engine_world_chance(world, 0.3)) {
        choose_options(world, builder);
    } else if (column->is_there) {
        column->is_there = false;
        // All that was written is older: of a newer cell nobody says whether it comes back.
        column->dropped_us = sim_machine_wall_us(world->machine);
        if (column->dropped_us < world->last_us) column->dropped_us = world->last_us;
        table_builder_drop_column(builder, slice_of_text(column->name), column->dropped_us);
        // What is written from now on is newer than that.
        sim_machine_jump_clock(world->machine, WORLD_JITTER_US + 1000000);
    } else {
        column->is_there = true;
        table_builder_add_column(builder, slice_of_text(column->name),
                                 type_of(column, table_builder_arena(builder)), COLUMN_REGULAR,
                                 false);
    }
    put_table(world, number, builder);
}

// ---- Keys and places ---------------------------------------------------------------------------

static struct slice put_number(struct engine_world *world, size_t number)
{
    uint8_t *bytes = arena_alloc(&world->arena, 4);
    bytes_put_u32(bytes, (uint32_t)number);
    return slice_make(bytes, 4);
}

struct partition_key engine_world_key(struct engine_world *world, size_t key)
{
    return partition_key_make(put_number(world, key));
}

static size_t get_number(struct slice bytes, size_t bound)
{
    if (bytes.size != 4) return bound;
    uint32_t number = bytes_get_u32(bytes.data);
    return number < bound ? number : bound;
}

size_t engine_world_key_number(struct slice bytes)
{
    return get_number(bytes, TABLE_MODEL_KEYS);
}

// Which value stands at this place of a column; and the other way round.
static size_t turn(const struct table_shape *shape, size_t column, size_t place)
{
    size_t inner = shape->inner;
    size_t count = column == 1 ? inner : TABLE_MODEL_PLACES / inner;
    return shape->reversed[column] ? count - 1 - place : place;
}

static struct clustering make_prefix(struct engine_world *world, const struct table_shape *shape,
                                     size_t place, uint16_t count)
{
    struct slice *values = ARENA_NEW_ARRAY(&world->arena, struct slice, 2);
    if (count > 0) values[0] = put_number(world, turn(shape, 0, place / shape->inner));
    if (count > 1) values[1] = put_number(world, turn(shape, 1, place % shape->inner));
    return (struct clustering){count, values};
}

struct clustering engine_world_clustering(struct engine_world *world,
                                          const struct table_shape *shape, size_t place)
{
    return make_prefix(world, shape, place, shape->clustering_count);
}

size_t engine_world_place(const struct table_shape *shape, const struct clustering *clustering)
{
    if (clustering->count != shape->clustering_count) return TABLE_MODEL_PLACES;
    if (clustering->count == 0) return 0;
    size_t outer_count = TABLE_MODEL_PLACES / shape->inner;
    size_t outer = get_number(clustering->values[0], outer_count);
    if (outer == outer_count) return TABLE_MODEL_PLACES;
    size_t place = turn(shape, 0, outer) * shape->inner;
    if (clustering->count == 1) return place;
    size_t inner = get_number(clustering->values[1], shape->inner);
    return inner == shape->inner ? TABLE_MODEL_PLACES : place + turn(shape, 1, inner);
}

// A bound whose cut is before or behind all rows that begin with its values.
static struct bound make_bound(struct engine_world *world, const struct table_shape *shape,
                               bool is_start, size_t *cut)
{
    size_t place = (size_t)engine_world_below(world, TABLE_MODEL_PLACES);
    uint16_t count = (uint16_t)engine_world_below(world, shape->clustering_count + 1u);
    size_t width = count == 0 ? TABLE_MODEL_PLACES : count == 1 ? shape->inner : 1;
    size_t first = place / width * width;
    bool inclusive = count == 0 || engine_world_chance(world, 0.5);
    bool is_before = is_start == inclusive;
    *cut = is_before ? first : first + width;
    enum bound_kind kind = is_start ? (inclusive ? BOUND_INCL_START : BOUND_EXCL_START)
                                    : (inclusive ? BOUND_INCL_END : BOUND_EXCL_END);
    return (struct bound){kind, make_prefix(world, shape, place, count)};
}

struct clustering_range engine_world_range(struct engine_world *world,
                                           const struct table_shape *shape, size_t *place,
                                           size_t *place_end)
{
    struct clustering_range range;
    if (shape->clustering_count == 0) {
        *place = 0;
        *place_end = 1;
        return CLUSTERING_RANGE_ALL;
    }
    do {
        range.start = make_bound(world, shape, true, place);
        range.end = make_bound(world, shape, false, place_end);
    } while (*place >= *place_end);
    return range;
}
