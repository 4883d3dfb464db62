#include "storage/sstable/header_table.h"

#include <inttypes.h>
#include <stdio.h>

#define COMPOSITE "org.apache.cassandra.db.marshal.CompositeType("

struct making {
    const struct header *header;
    const struct header_table_names *names;
    struct table_builder *builder;
    struct slice taken[TABLE_COLUMNS_MAX]; // Names of keys so far.
    size_t taken_count;
    struct error *error;
};

static bool is_taken(const struct making *making, struct slice name)
{
    for (size_t i = 0; i < making->taken_count; i++)
        if (slice_equals(making->taken[i], name)) return true;
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++)
        for (size_t i = 0; i < making->header->columns[kind].count; i++)
            if (slice_equals(making->header->columns[kind].items[i].name, name)) return true;
    return false;
}

static enum status add_key(struct making *making, const struct type *type, enum column_kind kind,
                           bool reversed, unsigned position)
{
    struct arena *arena = table_builder_arena(making->builder);
    if (making->taken_count == TABLE_COLUMNS_MAX)
        return error_set(making->error, STATUS_CORRUPT, "too many columns in the keys");
    struct slice name;
    if (making->taken_count < making->names->key_count) {
        name = arena_copy(arena, making->names->keys[making->taken_count]);
        if (is_taken(making, name))
            return error_set(making->error, STATUS_INVALID, "there is another column '%.*s'",
                             (int)name.size, (const char *)name.data);
    } else {
        const char *word = kind == COLUMN_PARTITION_KEY ? "key" : "clustering";
        unsigned number = position;
        do {
            name = slice_of_text(number == 0 ? word : arena_format(arena, "%s%u", word, number));
            number = number == position && position == 0 ? 1 : number + 1;
        } while (is_taken(making, name));
    }
    making->taken[making->taken_count++] = name;
    table_builder_add_column(making->builder, name, type, kind, reversed);
    return STATUS_OK;
}

static enum status add_key_text(struct making *making, struct slice text, enum column_kind kind,
                                unsigned position)
{
    const struct type *type;
    bool reversed;
    struct arena *arena = table_builder_arena(making->builder);
    if (type_parse_java(arena, text, &type, &reversed, making->error) != STATUS_OK)
        return STATUS_CORRUPT;
    return add_key(making, type, kind, reversed, position);
}

// CompositeType(A,B): one column for each, split at the commas outside of parentheses.
static enum status add_partition_key(struct making *making)
{
    struct slice text = making->header->key_type;
    size_t prefix = sizeof COMPOSITE - 1;
    if (text.size <= prefix || memcmp(text.data, COMPOSITE, prefix) != 0 ||
        text.data[text.size - 1] != ')')
        return add_key_text(making, text, COLUMN_PARTITION_KEY, 0);
    size_t start = prefix, depth = 0;
    unsigned position = 0;
    for (size_t i = prefix; i < text.size; i++) {
        bool is_last = i + 1 == text.size;
        if (text.data[i] == '(') depth++;
        if (is_last || (text.data[i] == ',' && depth == 0)) {
            struct slice part = slice_make(text.data + start, i - start);
            enum status status = add_key_text(making, part, COLUMN_PARTITION_KEY, position++);
            if (status != STATUS_OK) return status;
            start = i + 1;
        } else if (text.data[i] == ')' && depth-- == 0) {
            return error_set(making->error, STATUS_CORRUPT, "bad type of the partition key");
        }
    }
    return STATUS_OK;
}

static enum status add_columns(struct making *making)
{
    enum status status = add_partition_key(making);
    for (size_t i = 0; i < making->header->clustering_count && status == STATUS_OK; i++)
        status = add_key_text(making, making->header->clustering_types[i], COLUMN_CLUSTERING,
                              (unsigned)i);
    if (status != STATUS_OK) return status;
    if (making->names->key_count > making->taken_count)
        return error_set(making->error, STATUS_INVALID,
                         "%zu names of key columns are given; the keys have %zu columns",
                         making->names->key_count, making->taken_count);
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++) {
        const struct header_columns *columns = &making->header->columns[kind];
        for (size_t i = 0; i < columns->count; i++)
            table_builder_add_column(making->builder, columns->items[i].name,
                                     columns->items[i].type,
                                     kind == ROWS_STATIC ? COLUMN_STATIC : COLUMN_REGULAR, false);
    }
    return STATUS_OK;
}

enum status header_table_make(const struct header *header, const struct header_table_names *names,
                              const struct table **table, struct error *error)
{
    struct making making = {.header = header, .names = names, .error = error};
    struct uuid id = {{0}};
    making.builder = table_builder_create(names->keyspace, names->table, id);
    enum status status = add_columns(&making);
    if (status != STATUS_OK) {
        table_builder_destroy(making.builder);
        return status;
    }
    *table = table_builder_finish(making.builder);
    return STATUS_OK;
}

size_t header_table_split_names(const char *text, struct slice *names, size_t max)
{
    size_t count = 0;
    while (text != NULL && count < max) {
        const char *comma = strchr(text, ',');
        names[count++] = slice_make(text, comma == NULL ? strlen(text) : (size_t)(comma - text));
        text = comma == NULL ? NULL : comma + 1;
    }
    return count;
}
