#include "node/sstable_tool/table_union.h"

#include "base/limits.h"

void table_union_init(struct table_union *whole)
{
    *whole = (struct table_union){.first = NULL};
    arena_init(&whole->arena, 16 * KIB);
}

void table_union_deinit(struct table_union *whole)
{
    arena_deinit(&whole->arena);
}

static enum status differs(const struct table_union *whole, const struct tool_sstable *sstable,
                           const char *what, struct slice name, struct error *error)
{
    char path[SSTABLE_PATH_SIZE], first[SSTABLE_PATH_SIZE];
    tool_input_path(path, sstable->input, SSTABLE_DATA);
    tool_input_path(first, whole->first, SSTABLE_DATA);
    return error_set(
        error, STATUS_INVALID,
        "%.150s and %.150s are not of one table: their %s%.*s differ%s; give the files "
        "of one table",
        first, path, what, (int)(name.size > 60 ? 60 : name.size), (const char *)name.data,
        name.size > 0 ? "s" : "");
}

// With more fields a UDT is a later one of the same name.
static bool is_later(const struct type *type, const struct type *than)
{
    return type->parameter_count > than->parameter_count;
}

static enum status add_columns(struct table_union *whole, int kind,
                               const struct tool_sstable *sstable, struct error *error)
{
    const struct header_columns *from = &sstable->statistics.header.columns[kind];
    struct header_columns *to = &whole->header.columns[kind];
    struct header_column *items =
        ARENA_NEW_ARRAY(&whole->arena, struct header_column, to->count + from->count);
    if (to->count > 0) memcpy(items, to->items, to->count * sizeof *items);
    to->items = items;
    for (size_t i = 0; i < from->count; i++) {
        const struct header_column *column = &from->items[i];
        size_t at = 0;
        while (at < to->count && !slice_equals(to->items[at].name, column->name))
            at++;
        if (at < to->count) {
            struct header_column *known = &to->items[at];
            if (known->type->kind != column->type->kind || known->multi_cell != column->multi_cell)
                return differs(whole, sstable, "columns ", column->name, error);
            if (is_later(column->type, known->type))
                known->type = type_copy(&whole->arena, column->type);
            continue;
        }
        to->items[to->count] = *column;
        to->items[to->count].name = arena_copy(&whole->arena, column->name);
        to->items[to->count++].type = type_copy(&whole->arena, column->type);
    }
    return STATUS_OK;
}

enum status table_union_add(struct table_union *whole, const struct tool_sstable *sstable,
                            struct error *error)
{
    const struct header *header = &sstable->statistics.header;
    struct header *all = &whole->header;
    if (whole->first == NULL) {
        whole->first = sstable->input;
        all->key_type = arena_copy(&whole->arena, header->key_type);
        all->clustering_count = header->clustering_count;
        all->clustering_types =
            ARENA_NEW_ARRAY(&whole->arena, struct slice, header->clustering_count);
        for (size_t i = 0; i < header->clustering_count; i++)
            all->clustering_types[i] = arena_copy(&whole->arena, header->clustering_types[i]);
    }
    struct slice none = slice_make("", 0);
    if (!slice_equals(all->key_type, header->key_type))
        return differs(whole, sstable, "partition keys", none, error);
    if (all->clustering_count != header->clustering_count)
        return differs(whole, sstable, "numbers of clustering columns", none, error);
    for (size_t i = 0; i < header->clustering_count; i++)
        if (!slice_equals(all->clustering_types[i], header->clustering_types[i]))
            return differs(whole, sstable, "clustering columns", none, error);
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++) {
        enum status status = add_columns(whole, kind, sstable, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}
