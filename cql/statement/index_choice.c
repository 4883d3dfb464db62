#include "cql/statement/index_choice.h"

#include "storage/index/index_table.h"
#include "storage/schema/options.h"

static bool index_choice_is_sai(const struct index_definition *index)
{
    return !slice_is_null(index->class_name);
}

// Types of which a storage-attached index knows no order.
static bool index_choice_is_literal(const struct type *type)
{
    switch (type->kind) {
    case TYPE_TEXT:
    case TYPE_ASCII:
    case TYPE_BOOLEAN:
    case TYPE_UUID:
    case TYPE_TUPLE:
    case TYPE_UDT:
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_VECTOR:
        return true;
    default:
        return false;
    }
}

static bool index_choice_knows_column(const struct index_definition *index,
                                      const struct column *column, enum restriction_kind kind)
{
    if (!slice_equals(index->column, column->name)) return false;
    bool is_whole = index->target == INDEX_TARGET_SIMPLE || index->target == INDEX_TARGET_FULL;
    if (kind == RESTRICTION_EQ) return is_whole;
    return kind == RESTRICTION_SLICE && index_choice_is_sai(index) && is_whole &&
           !index_choice_is_literal(column->type);
}

static bool index_choice_knows_entry(const struct index_definition *index,
                                     const struct column *column,
                                     const struct restriction_entry *entry)
{
    if (!slice_equals(index->column, column->name)) return false;
    if (entry->key == NULL) return index->target == INDEX_TARGET_VALUES;
    return index->target == (entry->value == NULL ? INDEX_TARGET_KEYS : INDEX_TARGET_ENTRIES);
}

bool index_choice_has(const struct table *table, const struct restriction *restriction)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const struct index_definition *index = &table->indexes[i];
        for (size_t k = 0; k < restriction->column_count; k++)
            if (index_choice_knows_column(index, restriction->columns[k], restriction->kind))
                return true;
        for (size_t k = 0; k < restriction->entry_count; k++)
            if (index_choice_knows_entry(index, restriction->columns[0], &restriction->entries[k]))
                return true;
    }
    return false;
}

// ---- Groups -------------------------------------------------------------------------------------

// `first` alone, or all storage-attached indexes if it is one.
static bool index_choice_is_in_group(const struct index_definition *first,
                                     const struct index_definition *index)
{
    return index == first || (index_choice_is_sai(first) && index_choice_is_sai(index));
}

static bool index_choice_group_serves_column(const struct table *table,
                                             const struct index_definition *first,
                                             const struct column *column,
                                             enum restriction_kind kind)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (index_choice_is_in_group(first, &table->indexes[i]) &&
            index_choice_knows_column(&table->indexes[i], column, kind))
            return true;
    return false;
}

static bool index_choice_group_serves_entry(const struct table *table,
                                            const struct index_definition *first,
                                            const struct column *column,
                                            const struct restriction_entry *entry)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (index_choice_is_in_group(first, &table->indexes[i]) &&
            index_choice_knows_entry(&table->indexes[i], column, entry))
            return true;
    return false;
}

static bool index_choice_group_serves(const struct table *table,
                                      const struct index_definition *first,
                                      const struct restriction *restriction)
{
    // An ordinary index finds rows by one element; the others are looked for row by row.
    if (restriction->entry_count > 1 && !index_choice_is_sai(first)) return false;
    for (size_t i = 0; i < restriction->entry_count; i++)
        if (!index_choice_group_serves_entry(table, first, restriction->columns[0],
                                             &restriction->entries[i]))
            return false;
    if (restriction->kind == RESTRICTION_CONTAINS) return true;
    for (size_t i = 0; i < restriction->column_count; i++)
        if (!index_choice_group_serves_column(table, first, restriction->columns[i],
                                              restriction->kind))
            return false;
    return true;
}

bool index_choice_serves(const struct table *table, const struct restriction *const *restrictions,
                         size_t count)
{
    for (size_t i = 0; i < table->index_count; i++) {
        size_t served = 0;
        while (served < count &&
               index_choice_group_serves(table, &table->indexes[i], restrictions[served]))
            served++;
        if (served == count) return true;
    }
    return false;
}

// ---- One index ----------------------------------------------------------------------------------

static bool index_choice_option_is(const struct index_definition *index, const char *key,
                                   const char *value)
{
    struct slice given = options_find(&index->options, key);
    return !slice_is_null(given) && slice_equals(given, slice_of_text(value));
}

const struct index_definition *index_choice_analyzer(const struct table *table,
                                                     const struct column *column)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const struct index_definition *index = &table->indexes[i];
        if (index_choice_is_sai(index) && index->target == INDEX_TARGET_SIMPLE &&
            slice_equals(index->column, column->name) &&
            (index_choice_option_is(index, "case_sensitive", "false") ||
             index_choice_option_is(index, "normalize", "true") ||
             index_choice_option_is(index, "ascii", "true")))
            return index;
    }
    return NULL;
}

const struct index_definition *
index_choice_find(const struct table *table, const struct restriction *restriction, size_t *entry)
{
    if (restriction->is_multi || restriction->is_token) return NULL;
    const struct column *column = restriction->columns[0];
    *entry = 0;
    for (size_t i = 0; i < table->index_count; i++) {
        const struct index_definition *index = &table->indexes[i];
        if (!index_table_is_wanted(table, index)) continue;
        if (restriction->kind == RESTRICTION_EQ &&
            index_choice_knows_column(index, column, RESTRICTION_EQ))
            return index;
        for (*entry = 0; *entry < restriction->entry_count; (*entry)++)
            if (index_choice_knows_entry(index, column, &restriction->entries[*entry]))
                return index;
    }
    return NULL;
}
