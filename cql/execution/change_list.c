// INSERT, UPDATE and DELETE with their values: mutations and increments
// (org.apache.cassandra.cql3.UpdateParameters, cql3.Operation, cql3.Lists, Maps, Sets).
#include "base/bytes.h"
#include "base/limits.h"
#include "cql/execution/execution.h"
#include "storage/cell_path.h"
#include "storage/merge/reconcile.h"
#include "storage/uuid.h"

#include <stdlib.h>

enum { TTL_MAX = 630720000 };

// 2010-01-01 in 100 ns since 1582: around it the times of prepended elements are mirrored, so that
// later ones come first.
#define PREPEND_MIRROR_TICKS (12623040000000000ull + (uint64_t)UUID_EPOCH_TICKS)

// One row's cells while they are made.
struct cell_list {
    const struct binding *binding;
    const struct change_options *options;
    const struct table *table;
    int64_t timestamp;
    int32_t ttl;
    struct cell *cells;
    uint32_t count, capacity;
    struct complex_deletion *deletions;
    uint32_t deletion_count;
    // The row, when the plan reads_lists: each row has cells of its own then.
    const struct partition_key *key;
    const struct clustering *clustering;
    size_t *list_hint; // Where the last list was found: they come in the order of rows.
};

static bool change_refuse(const struct binding *binding, const char *text)
{
    return cql_error_set(binding->error, CQL_ERROR_INVALID, "%s", text);
}

// ---- USING --------------------------------------------------------------------------------------

bool change_list_bind_timestamp(const struct modification_plan *plan, const struct binding *binding,
                                int64_t *timestamp)
{
    if (plan->timestamp == NULL) return true;
    struct bound_value value;
    if (!term_bind(plan->timestamp, binding, &value)) return false;
    if (value.unset) return true;
    if (slice_is_null(value.bytes))
        return change_refuse(binding, "Invalid null value of timestamp");
    if (value.bytes.size != 8) return change_refuse(binding, "Invalid timestamp value");
    *timestamp = (int64_t)bytes_get_u64(value.bytes.data);
    if (*timestamp != INT64_MIN) return true;
    return change_refuse(
        binding, "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807]");
}

static bool change_bind_ttl(const struct modification_plan *plan, const struct binding *binding,
                            const struct change_options *options, int32_t *ttl)
{
    const struct table *table = plan->table;
    *ttl = table->params.default_time_to_live;
    if (plan->ttl != NULL) {
        struct bound_value value;
        if (!term_bind(plan->ttl, binding, &value)) return false;
        if (!value.unset && value.bytes.size == 4)
            *ttl = (int32_t)bytes_get_u32(value.bytes.data);
        else if (!value.unset && slice_is_null(value.bytes))
            *ttl = TTL_NONE;
        else if (!value.unset)
            return change_refuse(binding, "Invalid TTL value: ");
    }
    if (*ttl < 0)
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "A TTL must be greater or equal to 0, but was %d", *ttl);
    if (*ttl > TTL_MAX)
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "ttl is too large. requested (%d) maximum (%d)", *ttl, TTL_MAX);
    if (*ttl == TTL_NONE || (int64_t)options->now_s + *ttl <= LOCAL_TIME_MAX) return true;
    return cql_error_set(
        binding->error, CQL_ERROR_INVALID,
        "Request on table %.*s.%.*s with %sttl of %d seconds exceeds maximum supported expiration "
        "date of 2038-01-19T03:14:06+00:00. In order to avoid this use a lower TTL, change the "
        "expiration date overflow policy or upgrade to a version where this limitation is fixed. "
        "See CASSANDRA-14092 and CASSANDRA-14227 for more details.",
        SLICE_TEXT(table->keyspace), SLICE_TEXT(table->name), plan->ttl == NULL ? "default " : "",
        *ttl);
}

// ---- Cells --------------------------------------------------------------------------------------

static void cell_list_add(struct cell_list *list, const struct cell *cell)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity * 2;
        struct cell *cells = ARENA_NEW_ARRAY(list->binding->arena, struct cell, capacity);
        memcpy(cells, list->cells, list->count * sizeof *cells);
        list->cells = cells;
        list->capacity = capacity;
    }
    list->cells[list->count++] = *cell;
}

static void cell_list_add_live(struct cell_list *list, const struct column *column,
                               struct slice path, struct slice value)
{
    bool expires = list->ttl != TTL_NONE;
    struct cell cell = {
        .column = column->index,
        .ttl = list->ttl,
        .local_time = expires ? list->options->now_s + list->ttl : LOCAL_TIME_NONE,
        .timestamp = list->timestamp,
        .value = value,
        .path = path,
    };
    cell_list_add(list, &cell);
}

static void cell_list_add_tombstone(struct cell_list *list, const struct column *column,
                                    struct slice path)
{
    struct cell cell = {
        .column = column->index,
        .ttl = TTL_NONE,
        .local_time = list->options->now_s,
        .timestamp = list->timestamp,
        .value = slice_make("", 0),
        .path = path,
    };
    cell_list_add(list, &cell);
}

static void cell_list_delete_column(struct cell_list *list, const struct column *column,
                                    int64_t timestamp)
{
    struct complex_deletion made = {column->index, {timestamp, list->options->now_s}};
    // `DELETE v, v`: a row has one deletion of a column, or nobody can read it again.
    struct complex_deletion *last =
        list->deletion_count == 0 ? NULL : &list->deletions[list->deletion_count - 1];
    if (last == NULL || last->column != made.column)
        list->deletions[list->deletion_count++] = made;
    else if (deletion_supersedes(made.deletion, last->deletion))
        *last = made;
}

static struct slice cell_list_path(struct cell_list *list, struct uuid uuid)
{
    return arena_copy(list->binding->arena, slice_make(uuid.bytes, sizeof uuid.bytes));
}

// Where in a user type's column a field is.
static struct slice cell_list_field_path(struct cell_list *list, uint16_t field)
{
    uint8_t *path = arena_alloc(list->binding->arena, 2);
    bytes_put_u16(path, field);
    return slice_make(path, 2);
}

// The fields of a user type's value that are not null.
static void cell_list_add_fields(struct cell_list *list, const struct column *column,
                                 struct slice value)
{
    uint16_t count = column->type->parameter_count;
    const struct slice *fields = term_decode_tuple(list->binding->arena, value, count);
    for (uint16_t i = 0; i < count; i++)
        if (!slice_is_null(fields[i]))
            cell_list_add_live(list, column, cell_list_field_path(list, i), fields[i]);
}

static void cell_list_put_field(struct cell_list *list, const struct operation *operation,
                                struct slice value)
{
    struct slice path = cell_list_field_path(list, operation->field);
    if (slice_is_null(value))
        cell_list_add_tombstone(list, operation->column, path);
    else
        cell_list_add_live(list, operation->column, path, value);
}

// The elements of a collection value. Of a map, keys and values in turn.
static bool cell_list_add_elements(struct cell_list *list, const struct column *column,
                                   struct slice value, bool prepend)
{
    const struct type *type = column->type;
    bool is_map = type->kind == TYPE_MAP;
    size_t count;
    const struct slice *items = term_decode_collection(list->binding->arena, value, is_map, &count);
    if (items == NULL) return change_refuse(list->binding, "Not enough bytes to read a collection");
    struct query_processor *processor = list->binding->processor;
    for (size_t i = 0; i < count; i += is_map ? 2 : 1) {
        if (is_map) {
            cell_list_add_live(list, column, items[i], items[i + 1]);
        } else if (type->kind == TYPE_SET) {
            cell_list_add_live(list, column, items[i], slice_make("", 0));
        } else if (!prepend) {
            cell_list_add_live(list, column, cell_list_path(list, functions_now_uuid(processor)),
                               items[i]);
        } else {
            struct uuid now = functions_now_uuid(processor);
            // Backwards: the last element gets the earliest now and so the latest mirrored time.
            uint64_t ticks = 2 * PREPEND_MIRROR_TICKS - uuid_ticks(now);
            struct uuid mirrored = uuid_make_time_raw(ticks, bytes_get_u64(now.bytes + 8));
            cell_list_add_live(list, column, cell_list_path(list, mirrored), items[count - 1 - i]);
        }
    }
    return true;
}

// ---- Lists as they are --------------------------------------------------------------------------

static bool cell_list_is_of_row(const struct cell_list *list, const struct column *column,
                                const struct list_content *content)
{
    if (content->column != column || list->key == NULL ||
        partition_key_compare(&content->key, list->key) != 0)
        return false;
    return column->kind == COLUMN_STATIC ||
           (list->clustering != NULL &&
            clustering_compare(list->table, &content->clustering, list->clustering) == 0);
}

// NULL: there is none, it is empty.
static const struct list_content *cell_list_content(const struct cell_list *list,
                                                    const struct column *column)
{
    size_t count = list->options->list_count;
    for (size_t i = 0; i < count; i++) {
        size_t at = (*list->list_hint + i) % count;
        if (!cell_list_is_of_row(list, column, &list->options->lists[at])) continue;
        *list->list_hint = at;
        return &list->options->lists[at];
    }
    return NULL;
}

static int cell_list_compare(const void *a, const void *b, void *columns)
{
    const struct cell *const *left = a, *const *right = b;
    int order = cell_place_compare(columns, *left, *right);
    return order != 0 ? order : (*left > *right) - (*left < *right);
}

// By column, then by path; of cells in the same place, which have the same time, a deletion stays
// or the larger value, whichever was written first, as in any row. How many are left.
static uint32_t cell_list_put_in_order(struct arena *arena, const struct column *columns,
                                       const struct cell **order, uint32_t count,
                                       struct cell *sorted)
{
    uint32_t kept = 0;
    qsort_r(order, count, sizeof(*order), cell_list_compare, (void *)(uintptr_t)columns);
    for (uint32_t i = 0; i < count; i++) {
        struct cell *last = kept == 0 ? NULL : &sorted[kept - 1];
        if (last != NULL && cell_place_compare(columns, last, order[i]) == 0)
            *last = reconcile_cells(last, order[i], false, arena);
        else
            sorted[kept++] = *order[i];
    }
    return kept;
}

// What this statement has done to a column so far.
static const struct cell *cell_list_pending(const struct cell_list *list,
                                            const struct column *column, uint32_t *count)
{
    struct arena *arena = list->binding->arena;
    const struct cell **order = ARENA_NEW_ARRAY(arena, const struct cell *, (size_t)list->count);
    uint32_t all = 0;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->cells[i].column == column->index) order[all++] = &list->cells[i];
    struct cell *pending = ARENA_NEW_ARRAY(arena, struct cell, (size_t)all);
    *count = cell_list_put_in_order(arena, list->table->columns[column->kind], order, all, pending);
    return pending;
}

// The list with what this statement has done to it so far.
static struct list_content cell_list_present(const struct cell_list *list,
                                             const struct column *column)
{
    const struct list_content *read = cell_list_content(list, column);
    struct list_content present = {.column = column};
    if (read != NULL) present = *read;
    if (list->count == 0) return present;
    uint32_t pending_count;
    const struct cell *pending = cell_list_pending(list, column, &pending_count);
    if (pending_count == 0) return present;
    struct arena *arena = list->binding->arena;
    const struct column *columns = list->table->columns[column->kind];
    struct cell *cells = ARENA_NEW_ARRAY(arena, struct cell, (size_t)present.count + pending_count);
    uint32_t count = 0, at = 0;
    for (uint32_t i = 0; i < present.count || at < pending_count;) {
        int order = i == present.count ? 1
                    : at == pending_count
                        ? -1
                        : cell_place_compare(columns, &present.cells[i], &pending[at]);
        struct cell cell = order <= 0 ? present.cells[i] : pending[at];
        if (order == 0) cell = reconcile_cells(&present.cells[i], &pending[at], false, arena);
        if (order <= 0) i++;
        if (order >= 0) at++;
        if (!cell_is_tombstone(&cell)) cells[count++] = cell;
    }
    present.cells = cells;
    present.count = count;
    return present;
}

static bool cell_list_find_index(struct cell_list *list, const struct operation *operation,
                                 struct slice *path)
{
    struct bound_value index;
    const struct binding *binding = list->binding;
    if (!term_bind(operation->key, binding, &index)) return false;
    if (index.unset) return change_refuse(binding, "Invalid unset value for list index");
    if (slice_is_null(index.bytes))
        return change_refuse(binding, "Invalid null value for list index");
    struct list_content content = cell_list_present(list, operation->column);
    if (content.count == 0)
        return change_refuse(binding, operation->kind == OPERATION_PUT_ELEMENT
                                          ? "Attempted to set an element on a list which is null"
                                          : "Attempted to delete an element from a list which is "
                                            "null");
    int32_t at = index.bytes.size == 4 ? (int32_t)bytes_get_u32(index.bytes.data) : -1;
    if (at < 0 || (uint32_t)at >= content.count)
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "List index %d out of bound, list has size %u", at, content.count);
    *path = content.cells[at].path;
    return true;
}

static int cell_list_compare_bytes(const void *a, const void *b)
{
    const struct slice *left = a, *right = b;
    return slice_compare(*left, *right);
}

static bool cell_list_holds(const struct slice *sorted, size_t count, struct slice value)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = slice_compare(value, sorted[middle]);
        if (order == 0) return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static bool cell_list_remove_from_list(struct cell_list *list, const struct column *column,
                                       struct slice value)
{
    struct list_content content = cell_list_present(list, column);
    struct arena *arena = list->binding->arena;
    size_t count;
    const struct slice *items = term_decode_collection(arena, value, false, &count);
    if (items == NULL || count == 0) return true;
    // Elements are told by their bytes: 1.0 is not 1.00.
    struct slice *sorted = ARENA_NEW_ARRAY(arena, struct slice, count);
    memcpy(sorted, items, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, cell_list_compare_bytes);
    for (uint32_t i = 0; i < content.count; i++)
        if (cell_list_holds(sorted, count, content.cells[i].value))
            cell_list_add_tombstone(list, column, content.cells[i].path);
    return true;
}

// ---- Operations ---------------------------------------------------------------------------------

static bool cell_list_remove(struct cell_list *list, const struct column *column,
                             struct slice value)
{
    if (column->type->kind == TYPE_LIST) return cell_list_remove_from_list(list, column, value);
    size_t count;
    const struct slice *items = term_decode_collection(list->binding->arena, value, false, &count);
    if (items == NULL) return change_refuse(list->binding, "Not enough bytes to read a set");
    for (size_t i = 0; i < count; i++)
        cell_list_add_tombstone(list, column, items[i]);
    return true;
}

static bool cell_list_element(struct cell_list *list, const struct operation *operation)
{
    const struct binding *binding = list->binding;
    const struct column *column = operation->column;
    struct slice path;
    struct bound_value key, value = {slice_null(), false};
    if (column->type->kind == TYPE_LIST) {
        if (!cell_list_find_index(list, operation, &path)) return false;
    } else {
        if (!term_bind(operation->key, binding, &key)) return false;
        bool is_map = column->type->kind == TYPE_MAP;
        if (key.unset)
            return change_refuse(binding,
                                 is_map ? "Invalid unset map key" : "Invalid unset set element");
        if (slice_is_null(key.bytes))
            return change_refuse(binding,
                                 is_map ? "Invalid null map key" : "Invalid null set element");
        path = key.bytes;
    }
    if (operation->value != NULL && !term_bind(operation->value, binding, &value)) return false;
    if (value.unset) return true;
    if (slice_is_null(value.bytes))
        cell_list_add_tombstone(list, column, path);
    else
        cell_list_add_live(list, column, path, value.bytes);
    return true;
}

static bool cell_list_apply(struct cell_list *list, const struct operation *operation)
{
    const struct column *column = operation->column;
    struct bound_value value = {slice_null(), false};
    if (operation->kind == OPERATION_PUT_ELEMENT || operation->kind == OPERATION_DELETE_ELEMENT)
        return cell_list_element(list, operation);
    if (operation->value != NULL && !term_bind(operation->value, list->binding, &value))
        return false;
    if (value.unset) return true;
    bool is_null = slice_is_null(value.bytes);
    switch (operation->kind) {
    case OPERATION_SET:
        if (is_null)
            cell_list_add_tombstone(list, column, slice_null());
        else
            cell_list_add_live(list, column, slice_null(), value.bytes);
        return true;
    case OPERATION_DELETE:
        if (type_is_multi_cell(column->type))
            cell_list_delete_column(list, column, list->timestamp);
        else
            cell_list_add_tombstone(list, column, slice_null());
        return true;
    case OPERATION_SET_COLLECTION:
        // What was there goes; what is added with the same timestamp, by this statement or another
        // of its batch, stays: also beside null.
        cell_list_delete_column(list, column, list->timestamp - 1);
        if (!is_null && column->type->kind == TYPE_UDT) {
            cell_list_add_fields(list, column, value.bytes);
            return true;
        }
        return is_null || cell_list_add_elements(list, column, value.bytes, false);
    case OPERATION_PUT_FIELD:
        cell_list_put_field(list, operation, value.bytes);
        return true;
    case OPERATION_APPEND:
        return is_null || cell_list_add_elements(list, column, value.bytes, false);
    case OPERATION_PREPEND:
        return is_null || cell_list_add_elements(list, column, value.bytes, true);
    case OPERATION_REMOVE:
        return is_null || cell_list_remove(list, column, value.bytes);
    default:
        return true;
    }
}

static void cell_list_sort(struct cell_list *list, const struct column *columns)
{
    bool is_sorted = true;
    for (uint32_t i = 1; i < list->count && is_sorted; i++)
        is_sorted = cell_place_compare(columns, &list->cells[i - 1], &list->cells[i]) < 0;
    if (is_sorted) return; // Nearly always: operations come by column.
    struct arena *arena = list->binding->arena;
    const struct cell **order = ARENA_NEW_ARRAY(arena, const struct cell *, list->count);
    struct cell *sorted = ARENA_NEW_ARRAY(arena, struct cell, list->count);
    for (uint32_t i = 0; i < list->count; i++)
        order[i] = &list->cells[i];
    list->count = cell_list_put_in_order(arena, columns, order, list->count, sorted);
    list->cells = sorted;
}

static bool cell_list_make(struct cell_list *list, const struct operation *operations, size_t count)
{
    list->capacity = (uint32_t)count + 1;
    list->cells = arena_alloc(list->binding->arena, list->capacity * sizeof *list->cells);
    list->deletions = arena_alloc(list->binding->arena, (count + 1) * sizeof *list->deletions);
    for (size_t i = 0; i < count; i++)
        if (!cell_list_apply(list, &operations[i])) return false;
    if (count > 0) cell_list_sort(list, list->table->columns[operations[0].column->kind]);
    return true;
}

// ---- Rows ---------------------------------------------------------------------------------------

static bool change_check_clustering(const struct binding *binding, const struct clustering *at)
{
    size_t size = 0;
    for (uint16_t i = 0; i < at->count; i++)
        size += at->values[i].size;
    if (size <= KEY_SIZE_MAX) return true;
    return cql_error_set(binding->error, CQL_ERROR_INVALID,
                         "Key length of %zu is longer than maximum of %u", size, KEY_SIZE_MAX);
}

static struct mutation *change_list_new_mutation(struct change_list *list, struct arena *arena)
{
    if (list->mutation_count == list->mutation_capacity) {
        size_t capacity = list->mutation_capacity == 0 ? 4 : list->mutation_capacity * 2;
        struct mutation *grown = ARENA_NEW_ARRAY(arena, struct mutation, capacity);
        if (list->mutation_count > 0)
            memcpy(grown, list->mutations, list->mutation_count * sizeof *grown);
        list->mutations = grown;
        list->mutation_capacity = capacity;
    }
    return &list->mutations[list->mutation_count++];
}

static struct counter_update *change_list_new_update(struct change_list *list, struct arena *arena)
{
    if (list->update_count == list->update_capacity) {
        size_t capacity = list->update_capacity == 0 ? 4 : list->update_capacity * 2;
        struct counter_update *grown = ARENA_NEW_ARRAY(arena, struct counter_update, capacity);
        if (list->update_count > 0)
            memcpy(grown, list->updates, list->update_count * sizeof *grown);
        list->updates = grown;
        list->update_capacity = capacity;
    }
    return &list->updates[list->update_count++];
}

struct change {
    struct change_list *list;
    const struct modification_plan *plan;
    const struct binding *binding;
    const struct change_options *options;
    int64_t timestamp;
    struct partition_key *keys;
    size_t key_count;
    struct clustering_range *ranges; // Of single rows, or of a DELETE.
    size_t range_count;
    size_t list_hint;
};

static bool change_make_cells(const struct change *change, struct cell_list *statics,
                              struct cell_list *regulars)
{
    const struct modification_plan *plan = change->plan;
    if (statics != NULL && !cell_list_make(statics, plan->operations, plan->static_count))
        return false;
    return regulars == NULL || cell_list_make(regulars, plan->operations + plan->static_count,
                                              plan->operation_count - plan->static_count);
}

// `cells` are those of all rows; when lists are read they are to be made for each.
static bool change_add_rows(struct change *change, const struct partition_key *key,
                            const struct cell_list *cells, int32_t ttl, struct mutation *mutation)
{
    const struct modification_plan *plan = change->plan;
    struct cell_list of_row;
    struct row *rows = ARENA_NEW_ARRAY(change->binding->arena, struct row, change->range_count + 1);
    int32_t now = change->options->now_s;
    for (size_t i = 0; i < change->range_count; i++) {
        struct row *row = &rows[i];
        row->clustering = change->ranges[i].start.prefix;
        if (plan->reads_lists) {
            of_row = *cells;
            of_row.key = key;
            of_row.clustering = &row->clustering;
            if (!change_make_cells(change, NULL, &of_row)) return false;
        }
        const struct cell_list *made = plan->reads_lists ? &of_row : cells;
        row->liveness = LIVENESS_NONE;
        row->deletion = DELETION_NONE;
        if (plan->kind == MODIFICATION_INSERT)
            row->liveness = (struct liveness){change->timestamp, ttl,
                                              ttl == TTL_NONE ? LOCAL_TIME_NONE : now + ttl};
        if (plan->deletes_rows) row->deletion = (struct deletion){change->timestamp, now};
        row->cell_count = made->count;
        row->cells = made->cells;
        row->complex_deletion_count = made->deletion_count;
        row->complex_deletions = made->deletions;
    }
    mutation->rows = rows;
    mutation->row_count = change->range_count;
    return true;
}

static struct row *change_static_row(const struct change *change, const struct cell_list *statics)
{
    struct row *row = ARENA_NEW(change->binding->arena, struct row);
    *row = (struct row){.liveness = LIVENESS_NONE,
                        .deletion = DELETION_NONE,
                        .cell_count = statics->count,
                        .cells = statics->cells,
                        .complex_deletion_count = statics->deletion_count,
                        .complex_deletions = statics->deletions};
    return row;
}

static void change_add_range_deletions(struct change *change, struct mutation *mutation)
{
    struct deletion deletion = {change->timestamp, change->options->now_s};
    if (!change->plan->restrictions.has_clustering) {
        mutation->deletion = deletion;
        return;
    }
    struct range_deletion *deletions =
        ARENA_NEW_ARRAY(change->binding->arena, struct range_deletion, change->range_count + 1);
    for (size_t i = 0; i < change->range_count; i++)
        deletions[i] = (struct range_deletion){change->ranges[i], deletion};
    mutation->range_deletions = deletions;
    mutation->range_deletion_count = change->range_count;
}

static bool change_make_mutations(struct change *change)
{
    const struct modification_plan *plan = change->plan;
    const struct binding *binding = change->binding;
    int32_t ttl = TTL_NONE;
    if (plan->kind != MODIFICATION_DELETE && !change_bind_ttl(plan, binding, change->options, &ttl))
        return false;
    struct cell_list statics = {.binding = binding,
                                .options = change->options,
                                .table = plan->table,
                                .timestamp = change->timestamp,
                                .ttl = ttl,
                                .list_hint = &change->list_hint};
    struct cell_list regulars = statics;
    const struct cell_list base = statics;
    if (!plan->reads_lists && !change_make_cells(change, &statics, &regulars)) return false;
    struct row *static_row = NULL;
    for (size_t i = 0; i < change->key_count; i++) {
        if (plan->reads_lists && plan->static_count > 0) {
            statics = base;
            statics.key = &change->keys[i];
            if (!change_make_cells(change, &statics, NULL)) return false;
        }
        if (plan->static_count > 0 && (i == 0 || plan->reads_lists))
            static_row = change_static_row(change, &statics);
        struct mutation *mutation = change_list_new_mutation(change->list, binding->arena);
        *mutation = (struct mutation){.table = plan->table,
                                      .key = change->keys[i],
                                      .deletion = DELETION_NONE,
                                      .static_row = static_row};
        if (plan->deletes_ranges)
            change_add_range_deletions(change, mutation);
        else if (plan->changes_rows &&
                 !change_add_rows(change, &change->keys[i], &regulars, ttl, mutation))
            return false;
    }
    return true;
}

// ---- Increments ---------------------------------------------------------------------------------

// `*is_unset`: nothing is to be done.
static bool change_bind_delta(const struct operation *operation, const struct binding *binding,
                              int64_t *delta, bool *is_unset)
{
    struct bound_value value;
    if (!term_bind(operation->value, binding, &value)) return false;
    *is_unset = value.unset;
    if (value.unset) return true;
    if (slice_is_null(value.bytes))
        return change_refuse(binding, "Invalid null value for counter increment");
    if (value.bytes.size != 8)
        return cql_error_set(binding->error, CQL_ERROR_SERVER,
                             "java.lang.IndexOutOfBoundsException");
    *delta = (int64_t)bytes_get_u64(value.bytes.data);
    if (!operation->negative) return true;
    if (*delta == INT64_MIN)
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "The negation of %lld overflows supported counter precision (signed 8 "
                             "bytes integer)",
                             (long long)*delta);
    *delta = -*delta;
    return true;
}

static bool change_make_updates(struct change *change)
{
    const struct modification_plan *plan = change->plan;
    struct arena *arena = change->binding->arena;
    size_t room = plan->operation_count * (change->range_count + 1);
    struct counter_increment *increments = arena_alloc(arena, room * sizeof *increments);
    size_t count = 0;
    for (size_t i = 0; i < plan->operation_count; i++) {
        int64_t delta = 0;
        bool is_unset;
        const struct operation *operation = &plan->operations[i];
        if (!change_bind_delta(operation, change->binding, &delta, &is_unset)) return false;
        if (is_unset) continue;
        bool is_static = operation->column->kind == COLUMN_STATIC;
        // Cassandra builds the static row anew for each row that is named, and adds them up.
        size_t times = plan->changes_rows ? change->range_count : 1;
        for (size_t k = 0; k < times; k++)
            increments[count++] =
                (struct counter_increment){is_static ? NULL : &change->ranges[k].start.prefix,
                                           operation->column->index, delta};
    }
    for (size_t i = 0; i < change->key_count && count > 0; i++)
        *change_list_new_update(change->list, arena) =
            (struct counter_update){.table = plan->table,
                                    .key = change->keys[i],
                                    .increments = increments,
                                    .increment_count = count,
                                    .timestamp_us = change->timestamp};
    return true;
}

bool change_list_count_rows(struct change_list *list, const struct binding *binding,
                            size_t key_count, size_t range_count)
{
    list->row_count += key_count * (range_count > 0 ? range_count : 1);
    return list->row_count <= CQL_CHANGED_ROWS_MAX ||
           cql_error_set(binding->error, CQL_ERROR_INVALID,
                         "More than %u rows can not be changed at once", CQL_CHANGED_ROWS_MAX);
}

bool change_list_add(struct change_list *list, const struct modification_plan *plan,
                     const struct binding *binding, const struct change_options *options)
{
    struct change change = {.list = list,
                            .plan = plan,
                            .binding = binding,
                            .options = options,
                            .timestamp = options->timestamp_us};
    if (!change_list_bind_timestamp(plan, binding, &change.timestamp)) return false;
    if (!restrictions_bind_keys(&plan->restrictions, binding, &change.keys, &change.key_count))
        return false;
    if (plan->changes_rows && !restrictions_bind_ranges(&plan->restrictions, binding,
                                                        &change.ranges, &change.range_count))
        return false;
    if (!change_list_count_rows(list, binding, change.key_count, change.range_count)) return false;
    for (size_t i = 0; i < change.range_count && !plan->deletes_ranges; i++)
        if (!change_check_clustering(binding, &change.ranges[i].start.prefix)) return false;
    return plan->is_increment ? change_make_updates(&change) : change_make_mutations(&change);
}
