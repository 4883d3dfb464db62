#include "storage/index/index_table.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/limits.h"
#include "storage/partition_key.h"

// In a hidden table's clustering: before the base row's values, and behind them.
enum { HEAD_COUNT = 2, TAIL_COUNT = 1, TOKEN_SIZE = 8 };
enum { NAME_PART_SIZE_MAX = 100 };

// ---- The table ----------------------------------------------------------------------------------

// Numbers that are equal, and written in several ways.
static bool has_loose_values(const struct type *type)
{
    if (type->kind == TYPE_DECIMAL || type->kind == TYPE_VARINT) return true;
    for (uint16_t i = 0; i < type->parameter_count; i++)
        if (has_loose_values(type->parameters[i])) return true;
    return false;
}

bool index_table_is_wanted(const struct table *base, const struct index_definition *index)
{
    const struct column *column = table_find_column(base, index->column);
    if (column == NULL || has_loose_values(column->type)) return false;
    if (column->type->kind == TYPE_VECTOR) return false;
    // A storage-attached index with an analyzer knows texts that are alike.
    return slice_is_null(index->class_name) || index->options.count == 0;
}

struct index_plan index_plan_make(const struct table *base, const struct index_definition *index)
{
    const struct column *column = table_find_column(base, index->column);
    return (struct index_plan){
        .target = index->target,
        .column = column,
        .is_of_partitions = column->kind == COLUMN_STATIC || column->kind == COLUMN_PARTITION_KEY,
        .key_count = base->column_counts[COLUMN_PARTITION_KEY],
    };
}

// The name is that of a directory, too.
static void put_name_part(struct buffer *name, struct slice part)
{
    buffer_put(name, part.data, part.size < NAME_PART_SIZE_MAX ? part.size : NAME_PART_SIZE_MAX);
}

const struct table *index_table_make(const struct table *base, const struct index_definition *index)
{
    struct index_plan plan = index_plan_make(base, index);
    struct buffer name;
    buffer_init(&name, 2 * NAME_PART_SIZE_MAX + 1);
    put_name_part(&name, base->name);
    buffer_put_u8(&name, '.');
    put_name_part(&name, index->name);
    struct table_builder *builder =
        table_builder_create(base->keyspace, buffer_slice(&name), index->id);
    buffer_deinit(&name);
    const struct type *blob = type_of_kind(TYPE_BLOB), *bigint = type_of_kind(TYPE_BIGINT);
    table_builder_add_column(builder, slice_of_text("value"), blob, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("base token"), bigint, COLUMN_CLUSTERING,
                             false);
    table_builder_add_column(builder, slice_of_text("base key"), blob, COLUMN_CLUSTERING, false);
    for (uint16_t i = 0; !plan.is_of_partitions && i < base->column_counts[COLUMN_CLUSTERING];
         i++) {
        const struct column *column = &base->columns[COLUMN_CLUSTERING][i];
        table_builder_add_column(builder, column->name, column->type, COLUMN_CLUSTERING,
                                 column->reversed);
    }
    table_builder_add_column(builder, slice_of_text("entry expires"), bigint, COLUMN_CLUSTERING,
                             false);
    table_builder_params(builder)->gc_grace_seconds = 0;
    return table_builder_finish(builder);
}

// ---- Values -------------------------------------------------------------------------------------

struct slice index_table_key(struct slice value, struct arena *arena)
{
    if (value.size > 0 && value.size <= KEY_SIZE_MAX) return value;
    // What has another's key is told apart where the base row is looked at.
    if (value.size == 0) return slice_make("", 1);
    uint8_t *digest = arena_alloc(arena, CHECKSUM_XXH128_SIZE);
    checksum_xxh128(value, digest);
    return slice_make(digest, CHECKSUM_XXH128_SIZE);
}

struct slice index_table_entry_value(struct slice key, struct slice value, struct arena *arena)
{
    uint8_t *bytes = arena_alloc(arena, 4 + key.size + value.size);
    bytes_put_u32(bytes, (uint32_t)key.size);
    if (key.size > 0) memcpy(bytes + 4, key.data, key.size);
    if (value.size > 0) memcpy(bytes + 4 + key.size, value.data, value.size);
    return slice_make(bytes, 4 + key.size + value.size);
}

static struct slice cell_value(const struct index_plan *plan, const struct cell *cell,
                               struct arena *arena)
{
    switch (plan->target) {
    case INDEX_TARGET_VALUES:
        return plan->column->type->kind == TYPE_SET ? cell->path : cell->value;
    case INDEX_TARGET_KEYS:
        return cell->path;
    case INDEX_TARGET_ENTRIES:
        return index_table_entry_value(cell->path, cell->value, arena);
    default:
        return cell->value;
    }
}

static bool row_is_live(const struct row *row, int32_t now_s)
{
    const struct liveness *liveness = &row->liveness;
    bool is_live = liveness->timestamp != TIMESTAMP_NONE &&
                   (liveness->ttl == TTL_NONE ||
                    (liveness->ttl != TTL_EXPIRED_LIVENESS && now_s < liveness->local_time));
    for (uint32_t i = 0; i < row->cell_count && !is_live; i++)
        is_live = cell_is_live(&row->cells[i], now_s);
    return is_live;
}

static struct slice key_component(const struct index_plan *plan, const struct partition_key *key,
                                  struct arena *arena)
{
    struct slice *components = ARENA_NEW_ARRAY(arena, struct slice, plan->key_count);
    if (partition_key_split(key->bytes, plan->key_count, components) != STATUS_OK)
        return slice_null();
    return components[plan->column->index];
}

void index_plan_visit(const struct index_plan *plan, const struct partition_key *key,
                      const struct row *row, bool is_static, int32_t now_s, struct arena *arena,
                      void (*put)(void *context, const struct index_entry *entry), void *context)
{
    struct index_entry entry = {.ttl = TTL_NONE, .local_time = LOCAL_TIME_NONE};
    struct slice value = slice_null();
    switch (plan->column->kind) {
    case COLUMN_PARTITION_KEY:
        if (row_is_live(row, now_s)) value = key_component(plan, key, arena);
        break;
    case COLUMN_CLUSTERING:
        if (!is_static && row_is_live(row, now_s))
            value = row->clustering.values[plan->column->index];
        break;
    default:
        if (is_static != (plan->column->kind == COLUMN_STATIC)) return;
        for (uint32_t i = 0; i < row->cell_count; i++) {
            const struct cell *cell = &row->cells[i];
            if (cell->column != plan->column->index || !cell_is_live(cell, now_s)) continue;
            entry.key = index_table_key(cell_value(plan, cell, arena), arena);
            entry.ttl = cell->ttl;
            entry.local_time = cell->local_time;
            put(context, &entry);
        }
        return;
    }
    // Cells of a row may come and go: what lives longest is not known here.
    if (slice_is_null(value)) return;
    entry.key = index_table_key(value, arena);
    put(context, &entry);
}

// ---- Clusterings --------------------------------------------------------------------------------

struct clustering index_plan_clustering(const struct index_plan *plan,
                                        const struct partition_key *key,
                                        const struct clustering *row,
                                        const struct index_entry *entry, struct arena *arena)
{
    uint16_t width = plan->is_of_partitions ? 0 : row->count;
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, HEAD_COUNT + width + TAIL_COUNT);
    uint8_t *numbers = arena_alloc(arena, 2 * TOKEN_SIZE);
    bytes_put_u64(numbers, (uint64_t)key->token.value);
    bytes_put_u64(numbers + TOKEN_SIZE,
                  entry->ttl == TTL_NONE ? 0 : (uint64_t)(int64_t)entry->local_time);
    values[0] = slice_make(numbers, TOKEN_SIZE);
    values[1] = key->bytes;
    if (width > 0) memcpy(values + HEAD_COUNT, row->values, width * sizeof *values);
    values[HEAD_COUNT + width] = slice_make(numbers + TOKEN_SIZE, TOKEN_SIZE);
    return (struct clustering){(uint16_t)(HEAD_COUNT + width + TAIL_COUNT), values};
}

bool index_plan_split(const struct index_plan *plan, const struct clustering *clustering,
                      struct partition_key *key, struct clustering *row)
{
    if (clustering->count < HEAD_COUNT + TAIL_COUNT || clustering->values[0].size != TOKEN_SIZE ||
        slice_is_null(clustering->values[1]))
        return false;
    key->token.value = (int64_t)bytes_get_u64(clustering->values[0].data);
    key->bytes = clustering->values[1];
    *row = (struct clustering){(uint16_t)(clustering->count - HEAD_COUNT - TAIL_COUNT),
                               clustering->values + HEAD_COUNT};
    if (plan->is_of_partitions) *row = (struct clustering){0, NULL};
    return true;
}
