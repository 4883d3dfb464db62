#include "node/sim/table_model.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/uuid.h"

#include <inttypes.h>
#include <string.h>

enum { VALUE_SIZE_MAX = 1 << 16 };

size_t table_shape_places(const struct table_shape *shape)
{
    return shape->clustering_count == 0 ? 1 : TABLE_MODEL_PLACES;
}

// ---- Values ------------------------------------------------------------------------------------

static size_t value_size(uint64_t stamp)
{
    uint64_t hash = stamp * 0x9e3779b97f4a7c15u;
    uint64_t chance = hash >> 32 & 1023;
    size_t extra = (size_t)(hash >> 8 & 0xffff);
    if (chance < 2) return 20000 + extra / 2;
    if (chance < 20) return 1000 + extra / 16;
    return 20 + extra % 20;
}

static void put_text(uint64_t stamp, struct buffer *value)
{
    size_t start = value->size, size = value_size(stamp);
    buffer_put_format(value, "%" PRIu64 ":", stamp);
    size_t head = value->size - start;
    ASSERT(head < size);
    uint8_t *rest = buffer_reserve(value, size - head);
    ASSERT(rest != NULL);
    for (size_t i = 0; i < size - head; i++)
        rest[i] = (uint8_t)('a' + (stamp + i * i) % 26);
}

static void put_tuple(uint64_t stamp, struct buffer *value)
{
    buffer_put_u32(value, 4);
    buffer_put_u32(value, (uint32_t)stamp);
    size_t at = value->size;
    buffer_put_u32(value, UINT32_MAX); // Null.
    if (stamp % 8 == 0) return;
    put_text(stamp, value);
    bytes_put_u32(value->data + at, (uint32_t)(value->size - at - 4));
}

void table_model_put_value(const struct table_shape_column *column, uint64_t stamp,
                           struct buffer *value)
{
    switch (column->type) {
    case SHAPE_INT:
        buffer_put_u32(value, (uint32_t)stamp);
        break;
    case SHAPE_TUPLE:
        put_tuple(stamp, value);
        break;
    case SHAPE_VECTOR: // Of denormal numbers.
        buffer_put_u32(value, (uint32_t)stamp & 0xffff);
        buffer_put_u32(value, (uint32_t)(stamp >> 16) & 0xffff);
        buffer_put_u32(value, 0x3f800000);
        break;
    default:
        put_text(stamp, value);
        break;
    }
}

// ---- Paths -------------------------------------------------------------------------------------

int64_t table_model_list_path(int64_t us, size_t turn)
{
    return us * TABLE_MODEL_TURNS + (int64_t)turn;
}

void table_model_put_path(const struct table_shape_column *column, size_t element, int64_t path,
                          struct buffer *bytes)
{
    if (column->type == SHAPE_UDT) {
        buffer_put_u16(bytes, (uint16_t)element);
    } else if (column->type == SHAPE_LIST) {
        // Of the same time the bytes are compared, with their signs.
        static const uint8_t ends[TABLE_MODEL_TURNS] = {0x80, 0xff, 0x00, 0x7f};
        struct uuid id = uuid_make_time_us(path / TABLE_MODEL_TURNS, 0, 0,
                                           ends[(size_t)(path % TABLE_MODEL_TURNS)]);
        buffer_put(bytes, id.bytes, sizeof id.bytes);
    } else {
        buffer_put_format(bytes, "e%zu", element);
    }
}

void table_model_put_path_text(const struct table_shape_column *column, struct slice path,
                               struct buffer *text)
{
    if (column->type == SHAPE_SET || column->type == SHAPE_MAP) {
        buffer_put(text, path.data, path.size);
    } else if (table_shape_is_complex(column)) {
        for (size_t i = 0; i < path.size; i++)
            buffer_put_format(text, "%02x", path.data[i]);
        buffer_put(text, ":", 1);
    }
}

static int compare_values(const struct table_shape_column *column, uint64_t a, uint64_t b)
{
    struct buffer left, right;
    buffer_init(&left, VALUE_SIZE_MAX);
    buffer_init(&right, VALUE_SIZE_MAX);
    table_model_put_value(column, a, &left);
    table_model_put_value(column, b, &right);
    int order = slice_compare(buffer_slice(&left), buffer_slice(&right));
    buffer_deinit(&left);
    buffer_deinit(&right);
    return order;
}

// ---- Changes -----------------------------------------------------------------------------------

static const struct table_model_version no_version = {.timestamp = TIMESTAMP_NONE};

static void clear_row(struct table_model_row *row)
{
    row->deleted = TIMESTAMP_NONE;
    row->marker = no_version;
    for (size_t c = 0; c < TABLE_MODEL_COLUMNS; c++) {
        row->columns[c].deleted = TIMESTAMP_NONE;
        for (size_t e = 0; e < TABLE_MODEL_SLOTS; e++)
            row->columns[c].cells[e] = no_version;
    }
}

void table_model_clear(struct table_model *model)
{
    for (size_t key = 0; key < TABLE_MODEL_KEYS; key++)
        for (size_t row = 0; row < TABLE_MODEL_ROWS; row++)
            clear_row(&model->rows[key][row]);
}

static void raise(int64_t *deleted, int64_t timestamp)
{
    if (timestamp > *deleted) *deleted = timestamp;
}

// Whoever writes with a ttl has a timestamp of his own, so that ties are between tombstones and
// values alone.
static bool is_newer(const struct table_shape_column *column, const struct table_model_version *new,
                     const struct table_model_version *old)
{
    if (new->timestamp != old->timestamp) return new->timestamp > old->timestamp;
    if (new->is_tombstone != old->is_tombstone) return new->is_tombstone;
    if (new->is_tombstone || column == NULL || column->type == SHAPE_SET) return true;
    return compare_values(column, new->stamp, old->stamp) > 0;
}

void table_model_apply(struct table_model *model, const struct table_shape *shape,
                       const struct table_change *change)
{
    if (change->kind == CHANGE_TRUNCATION) {
        table_model_clear(model);
        return;
    }
    struct table_model_row *rows = model->rows[change->key];
    struct table_model_row *row = &rows[change->place];
    const struct table_shape_column *column = &shape->columns[change->column];
    struct table_model_version *cell = &row->columns[change->column].cells[change->element];
    switch (change->kind) {
    case CHANGE_CELL:
        if (change->version.path != cell->path || is_newer(column, &change->version, cell))
            *cell = change->version;
        break;
    case CHANGE_MARKER:
        if (is_newer(NULL, &change->version, &row->marker)) row->marker = change->version;
        break;
    case CHANGE_PLACES_GONE:
        for (size_t i = change->place; i < change->place_end; i++)
            raise(&rows[i].deleted, change->version.timestamp);
        break;
    case CHANGE_PARTITION_GONE:
        for (size_t i = 0; i < TABLE_MODEL_ROWS; i++)
            raise(&rows[i].deleted, change->version.timestamp);
        break;
    case CHANGE_COLUMN_GONE:
        raise(&row->columns[change->column].deleted, change->version.timestamp);
        break;
    default:
        ASSERT(change->kind == CHANGE_INCREMENT);
        cell->timestamp = change->version.timestamp;
        cell->stamp += change->version.stamp;
        break;
    }
}

// ---- Answers -----------------------------------------------------------------------------------

static bool is_alive(const struct table_model_version *version, int64_t deleted, int32_t now_s)
{
    if (version->timestamp == TIMESTAMP_NONE || version->timestamp <= deleted) return false;
    if (version->is_tombstone) return false;
    return version->ttl == TTL_NONE || now_s < version->local_time;
}

// A hash of the bytes and not the stamp, since what was read has only bytes.
static void put_version(const struct table_shape_column *column, size_t element,
                        const struct table_model_version *version, struct buffer *text)
{
    struct buffer value;
    buffer_init(&value, VALUE_SIZE_MAX);
    if (table_shape_is_complex(column)) {
        table_model_put_path(column, element, version->path, &value);
        table_model_put_path_text(column, buffer_slice(&value), text);
        buffer_clear(&value);
    }
    if (column->type == SHAPE_COUNTER) {
        buffer_put_format(text, "%" PRId64, (int64_t)version->stamp);
    } else if (column->type != SHAPE_SET) {
        table_model_put_value(column, version->stamp, &value);
        buffer_put(text, value.data, value.size);
    }
    buffer_put(text, ",", 1);
    buffer_deinit(&value);
}

static int64_t deletion_of(const struct table_model_row *row, const struct table_shape *shape,
                           size_t column)
{
    int64_t deleted = row->deleted;
    raise(&deleted, row->columns[column].deleted);
    raise(&deleted, shape->columns[column].dropped_us);
    return deleted;
}

// In order of the slots but for a list.
static size_t find_alive(const struct table_model_row *row, const struct table_shape *shape,
                         size_t column, int32_t now_s, size_t *slots)
{
    const struct table_model_version *cells = row->columns[column].cells;
    int64_t deleted = deletion_of(row, shape, column);
    size_t count = 0;
    for (size_t e = 0; e < TABLE_MODEL_SLOTS; e++) {
        if (!is_alive(&cells[e], deleted, now_s)) continue;
        size_t at = count++;
        for (; at > 0 && cells[slots[at - 1]].path > cells[e].path; at--)
            slots[at] = slots[at - 1];
        slots[at] = e;
    }
    return count;
}

size_t table_model_list(const struct table_model_row *row, const struct table_shape *shape,
                        size_t column, int32_t now_s, size_t *slots)
{
    ASSERT(shape->columns[column].type == SHAPE_LIST);
    return find_alive(row, shape, column, now_s, slots);
}

size_t table_model_free_slots(const struct table_model_row *row, const struct table_shape *shape,
                              size_t column, int64_t deleted, size_t *slots)
{
    size_t count = 0;
    raise(&deleted, deletion_of(row, shape, column));
    for (size_t e = 0; e < TABLE_MODEL_SLOTS; e++)
        if (row->columns[column].cells[e].timestamp <= deleted) slots[count++] = e;
    return count;
}

static size_t put_cells(const struct table_model_row *row, const struct table_shape *shape,
                        bool is_static, int32_t now_s, struct buffer *text)
{
    size_t count = 0;
    for (size_t c = 0; c < TABLE_MODEL_COLUMNS; c++) {
        const struct table_shape_column *column = &shape->columns[c];
        if (!column->is_there || column->is_static != is_static) continue;
        size_t slots[TABLE_MODEL_SLOTS];
        size_t alive = find_alive(row, shape, c, now_s, slots);
        if (alive > 0) buffer_put_format(text, " %s=", column->name);
        for (size_t i = 0; i < alive; i++)
            put_version(column, slots[i], &row->columns[c].cells[slots[i]], text);
        count += alive;
    }
    return count;
}

void table_model_put_static(const struct table_model *model, const struct table_shape *shape,
                            size_t key, int32_t now_s, struct buffer *text)
{
    size_t start = text->size;
    buffer_put_format(text, "k%zu static", key);
    if (put_cells(&model->rows[key][TABLE_MODEL_STATIC], shape, true, now_s, text) == 0)
        text->size = start;
    else
        buffer_put(text, "\n", 1);
}

void table_model_put_row(const struct table_model *model, const struct table_shape *shape,
                         size_t key, size_t place, int32_t now_s, struct buffer *text)
{
    const struct table_model_row *row = &model->rows[key][place];
    size_t start = text->size;
    buffer_put_format(text, "k%zu/%zu", key, place);
    size_t count = put_cells(row, shape, false, now_s, text);
    if (count == 0 && !is_alive(&row->marker, row->deleted, now_s))
        text->size = start;
    else
        buffer_put(text, "\n", 1);
}

void table_model_put_partition(const struct table_model *model, const struct table_shape *shape,
                               size_t key, int32_t now_s, struct buffer *text)
{
    table_model_put_static(model, shape, key, now_s, text);
    for (size_t place = 0; place < table_shape_places(shape); place++)
        table_model_put_row(model, shape, key, place, now_s, text);
}
