#include "stream/dataset/output.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "stream/source/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct output *output_of(struct dataset *dataset)
{
    return CONTAINER_OF(dataset, struct output, dataset);
}

static char *output_copy_name(struct slice name)
{
    char *copy = strndup((const char *)name.data, name.size);
    ASSERT(copy != NULL);
    return copy;
}

static enum status output_process(struct dataset *dataset, const struct record *record);

static void output_reset(struct dataset *dataset)
{
    combine_clear(&output_of(dataset)->cells);
}

static void output_destroy(struct dataset *dataset)
{
    struct output *output = output_of(dataset);
    for (size_t i = 0; i < output->column_count; i++)
        free(output->names[i]);
    free(output->keyspace);
    free(output->table);
    combine_deinit(&output->cells);
    buffer_deinit(&output->key);
    free(output);
}

enum status output_create(struct dataset *parent, uint32_t ordinal, struct slice keyspace,
                          struct slice table, const struct slice *columns, size_t column_count,
                          struct output **made, struct error *error)
{
    static const struct dataset_ops ops = {"saveToCassandra", output_process, NULL, output_reset,
                                           output_destroy};
    if (column_count < 2 || column_count > OUTPUT_COLUMNS_MAX)
        return error_set(error, STATUS_INVALID, "saveToCassandra: %zu columns, not 2 to %d",
                         column_count, OUTPUT_COLUMNS_MAX);
    struct output *output = calloc(1, sizeof *output);
    ASSERT(output != NULL);
    output->dataset.ops = &ops;
    output->ordinal = ordinal;
    output->keyspace = output_copy_name(keyspace);
    output->table = output_copy_name(table);
    output->column_count = column_count;
    for (size_t i = 0; i < column_count; i++)
        output->names[i] = output_copy_name(columns[i]);
    combine_init(&output->cells);
    buffer_init(&output->key, 2 * (size_t)KEY_SIZE_MAX);
    enum status status = dataset_add(&output->dataset, parent->graph, parent, error);
    if (status != STATUS_OK)
        output_destroy(&output->dataset);
    else
        *made = output;
    return status;
}

// ---- Binding to a table ------------------------------------------------------------------------

static bool output_type_is_usable(enum type_kind kind)
{
    switch (kind) {
    case TYPE_ASCII:
    case TYPE_TEXT:
    case TYPE_BIGINT:
    case TYPE_INT:
    case TYPE_SMALLINT:
    case TYPE_TINYINT:
    case TYPE_BOOLEAN:
    case TYPE_DOUBLE:
    case TYPE_FLOAT:
        return true;
    default:
        return false;
    }
}

static enum status output_role_of(const struct table *table, struct slice name,
                                  struct output_column *role, struct error *error)
{
    const struct column *column = table_find_column(table, name);
    if (column == NULL)
        return error_set(error, STATUS_INVALID, "table %.*s.%.*s has no column %.*s",
                         (int)table->keyspace.size, table->keyspace.data, (int)table->name.size,
                         table->name.data, (int)name.size, name.data);
    enum type_kind type = column->type->kind;
    if (column->kind == COLUMN_REGULAR && type == TYPE_COUNTER) {
        *role = (struct output_column){OUTPUT_COUNTER, column->index, type};
        return STATUS_OK;
    }
    bool is_key = column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING;
    if (!is_key || !output_type_is_usable(type))
        return error_set(error, STATUS_INVALID,
                         "column %.*s: saveToCassandra fills text, ascii, boolean, float, double "
                         "and integer columns of a primary key, and one counter",
                         (int)name.size, name.data);
    bool is_clustering = column->kind == COLUMN_CLUSTERING;
    *role = (struct output_column){is_clustering ? OUTPUT_CLUSTERING : OUTPUT_PARTITION_KEY,
                                   column->index, type};
    return STATUS_OK;
}

enum status output_roles(const struct table *table, const struct slice *names, size_t count,
                         struct output_column *columns, struct error *error)
{
    if (!table->is_counter)
        return error_set(error, STATUS_INVALID, "table %.*s.%.*s is no counter table",
                         (int)table->keyspace.size, table->keyspace.data, (int)table->name.size,
                         table->name.data);
    size_t key_count = table->column_counts[COLUMN_PARTITION_KEY] +
                       (size_t)table->column_counts[COLUMN_CLUSTERING];
    for (size_t i = 0; i < count; i++) {
        enum status status = output_role_of(table, names[i], &columns[i], error);
        if (status != STATUS_OK) return status;
        for (size_t j = 0; j < i; j++) {
            bool both_counters =
                columns[i].role == OUTPUT_COUNTER && columns[j].role == OUTPUT_COUNTER;
            if (both_counters || slice_equals(names[i], names[j]))
                return error_set(error, STATUS_INVALID,
                                 "column %.*s: each column once, and one counter",
                                 (int)names[i].size, names[i].data);
        }
    }
    // Each column once and one counter: the number alone tells whether the key is whole.
    bool has_counter = false;
    for (size_t i = 0; i < count; i++)
        has_counter = has_counter || columns[i].role == OUTPUT_COUNTER;
    if (!has_counter || count != key_count + 1)
        return error_set(error, STATUS_INVALID,
                         "SomeColumns must name the whole primary key of %.*s.%.*s and one counter",
                         (int)table->keyspace.size, table->keyspace.data, (int)table->name.size,
                         table->name.data);
    return STATUS_OK;
}

void output_bind(struct output *output, const struct output_column *columns)
{
    memcpy(output->columns, columns, output->column_count * sizeof *columns);
    output->is_bound = true;
}

// ---- Records to cells --------------------------------------------------------------------------

// One value as stored; the size is that of the written bytes. Negative: it does not fit the column.
static int output_put_value(uint8_t bytes[static 8], const struct value *value, enum type_kind type,
                            struct slice *stored)
{
    size_t integer_size = type == TYPE_BIGINT     ? 8
                          : type == TYPE_INT      ? 4
                          : type == TYPE_SMALLINT ? 2
                          : type == TYPE_TINYINT  ? 1
                                                  : 0;
    if (type == TYPE_TEXT || type == TYPE_ASCII) {
        if (value->kind != VALUE_TEXT) return -1;
        *stored = value->text;
        return 0;
    }
    uint64_t bits = 0;
    size_t size = 0;
    if (integer_size > 0 && value->kind == VALUE_INTEGER) {
        int unused = 64 - (int)integer_size * 8;
        bits = (uint64_t)value->integer << unused;
        if ((int64_t)bits >> unused != value->integer) return -1;
        size = integer_size;
    } else if (type == TYPE_BOOLEAN && value->kind == VALUE_BOOLEAN) {
        bits = (uint64_t)value->boolean << 56;
        size = 1;
    } else if ((type == TYPE_DOUBLE || type == TYPE_FLOAT) &&
               (value->kind == VALUE_INTEGER || value->kind == VALUE_NUMBER)) {
        double number = value->kind == VALUE_INTEGER ? (double)value->integer : value->number;
        float narrow = (float)number;
        uint32_t narrow_bits;
        memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
        memcpy(&bits, &number, sizeof bits);
        if (type == TYPE_FLOAT) bits = (uint64_t)narrow_bits << 32;
        size = type == TYPE_FLOAT ? 4 : 8;
    } else {
        return -1;
    }
    bytes_put_u64(bytes, bits);
    *stored = slice_make(bytes, size);
    return 0;
}

// Tuples in tuples as one row of values. False: too many.
static bool output_flatten(const struct value *values, size_t count,
                           const struct value *flat[static OUTPUT_COLUMNS_MAX], size_t *flat_count)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i].kind == VALUE_TUPLE) {
            if (!output_flatten(values[i].tuple.items, values[i].tuple.count, flat, flat_count))
                return false;
        } else {
            if (*flat_count == OUTPUT_COLUMNS_MAX) return false;
            flat[(*flat_count)++] = &values[i];
        }
    }
    return true;
}

// A record whose key no table could hold is dropped and counted, as a line of no use: one odd line
// must not stop a job. MALFORMED tells output_process().
static enum status output_drop(struct output *output, enum json_fault fault)
{
    (void)dataset_drop(&output->dataset, fault);
    return STATUS_MALFORMED;
}

static bool output_is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 0x80) return false;
    return true;
}

static enum status output_stored(struct output *output, size_t column, const struct value *value,
                                 uint8_t scratch[static 8], struct slice *stored)
{
    if (output_put_value(scratch, value, output->columns[column].type, stored) != 0)
        return dataset_fail(&output->dataset, STATUS_INVALID, "column %s does not take this %s",
                            output->names[column], value_kind_text(value->kind));
    if (stored->size > KEY_SIZE_MAX) return output_drop(output, JSON_FAULT_TOO_LONG);
    if (value->kind == VALUE_TEXT && !text_is_utf8(*stored))
        return output_drop(output, JSON_FAULT_NOT_UTF8);
    if (output->columns[column].type == TYPE_ASCII && !output_is_ascii(*stored))
        return output_drop(output, JSON_FAULT_WRONG_TYPE);
    return STATUS_OK;
}

// The column with this role and index, which binding made sure of.
static size_t output_column_of(const struct output *output, enum output_role role, uint16_t index)
{
    size_t i = 0;
    while (output->columns[i].role != role || output->columns[i].index != index)
        i++;
    return i;
}

static size_t output_count(const struct output *output, enum output_role role)
{
    size_t count = 0;
    for (size_t i = 0; i < output->column_count; i++)
        count += output->columns[i].role == role;
    return count;
}

// The partition key: one column's value, or of several u16 length, value, 0 each (sstable-nb §9.2).
static enum status output_put_partition_key(struct output *output, const struct value **flat)
{
    size_t count = output_count(output, OUTPUT_PARTITION_KEY), size = 0;
    struct slice stored[OUTPUT_COLUMNS_MAX];
    uint8_t scratch[OUTPUT_COLUMNS_MAX][8];
    for (size_t i = 0; i < count; i++) {
        size_t column = output_column_of(output, OUTPUT_PARTITION_KEY, (uint16_t)i);
        enum status status = output_stored(output, column, flat[column], scratch[i], &stored[i]);
        if (status != STATUS_OK) return status;
        size += stored[i].size + (count > 1 ? 3 : 0);
    }
    // Cassandra has no empty partition key either.
    if (size == 0) return output_drop(output, JSON_FAULT_MISSING_FIELD);
    if (size > KEY_SIZE_MAX) return output_drop(output, JSON_FAULT_TOO_LONG);
    if (count == 1) {
        buffer_put_vint_bytes(&output->key, stored[0]);
        return STATUS_OK;
    }
    buffer_put_vint(&output->key, size);
    for (size_t i = 0; i < count; i++) {
        buffer_put_u16(&output->key, (uint16_t)stored[i].size);
        buffer_put(&output->key, stored[i].data, stored[i].size);
        buffer_put_u8(&output->key, 0);
    }
    return STATUS_OK;
}

static enum status output_put_key(struct output *output, const struct value **flat)
{
    buffer_clear(&output->key);
    enum status status = output_put_partition_key(output, flat);
    size_t count = output_count(output, OUTPUT_CLUSTERING);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        size_t column = output_column_of(output, OUTPUT_CLUSTERING, (uint16_t)i);
        uint8_t scratch[8];
        struct slice stored;
        status = output_stored(output, column, flat[column], scratch, &stored);
        if (status == STATUS_OK) buffer_put_vint_bytes(&output->key, stored);
    }
    if (status == STATUS_OK && output->key.overflow)
        status = output_drop(output, JSON_FAULT_TOO_LONG);
    return status;
}

static enum status output_process(struct dataset *dataset, const struct record *record)
{
    struct output *output = output_of(dataset);
    ASSERT(output->is_bound);
    const struct value *flat[OUTPUT_COLUMNS_MAX];
    size_t flat_count = 0;
    bool fits = output_flatten(record->values, record->count, flat, &flat_count);
    if (!fits || flat_count != output->column_count)
        return dataset_fail(dataset, STATUS_INVALID,
                            "a record of %zu values for the %zu columns of %s.%s", flat_count,
                            output->column_count, output->keyspace, output->table);
    size_t counter = 0;
    while (output->columns[counter].role != OUTPUT_COUNTER)
        counter++;
    if (flat[counter]->kind != VALUE_INTEGER)
        return dataset_fail(dataset, STATUS_INVALID, "column %s takes integers, not %s",
                            output->names[counter], value_kind_text(flat[counter]->kind));
    enum status status = output_put_key(output, flat);
    if (status != STATUS_OK) return status == STATUS_MALFORMED ? STATUS_OK : status;
    bool is_new;
    struct value *sum = combine_find(&output->cells, buffer_slice(&output->key), &is_new);
    if (is_new) {
        *sum = value_integer(0);
        dataset_task(dataset)->keys++;
    }
    if (!value_add(sum, flat[counter], sum)) ASSERT(false);
    if (is_new && combine_size(&output->cells) > DATASET_HELD_MAX)
        return dataset_fail(dataset, STATUS_OVERLOADED,
                            "more than %zu MiB of cells in one batch; make batches smaller",
                            DATASET_HELD_MAX / MIB);
    return STATUS_OK;
}

size_t output_size(const struct output *output)
{
    return combine_size(&output->cells);
}

void output_take_parts(struct output *output, size_t size,
                       void (*part)(void *context, struct output *output, struct slice cells),
                       void *context)
{
    struct buffer cells;
    buffer_init(&cells, size + 4 * (size_t)KEY_SIZE_MAX);
    for (size_t i = 0; i < output->cells.capacity; i++) {
        const struct combine_slot *slot = &output->cells.slots[i];
        if (slice_is_null(slot->key)) continue;
        buffer_put_vint_bytes(&cells, slot->key);
        buffer_put_signed_vint(&cells, slot->value.integer);
        ASSERT(!cells.overflow);
        if (cells.size < size) continue;
        part(context, output, buffer_slice(&cells));
        buffer_clear(&cells);
    }
    if (cells.size > 0) part(context, output, buffer_slice(&cells));
    buffer_deinit(&cells);
    combine_clear(&output->cells);
}
