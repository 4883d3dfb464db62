#include "node/sim/operation.h"

#include "base/assert.h"

#include <stdlib.h>

bool operation_is_read(enum workload_kind kind)
{
    return kind == WORKLOAD_READ_ROW || kind == WORKLOAD_READ_PARTITION ||
           kind == WORKLOAD_READ_SLICE || kind == WORKLOAD_SCAN || kind == WORKLOAD_READ_SCHEMA ||
           kind == WORKLOAD_READ_INDEX;
}

bool operation_is_conditional(enum workload_kind kind)
{
    return kind == WORKLOAD_INSERT_IF || kind == WORKLOAD_UPDATE_IF || kind == WORKLOAD_READ_SERIAL;
}

enum workload_kind operation_pick_kind(struct random *random, const uint64_t weights[],
                                       size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += weights[i];
    uint64_t at = random_below(random, sum);
    size_t kind = 0;
    for (; at >= weights[kind]; kind++)
        at -= weights[kind];
    return (enum workload_kind)kind;
}

void operation_pick_rows(struct random *random, struct workload_operation *operation, size_t rows)
{
    operation->row = (size_t)random_below(random, rows);
    operation->row_end = operation->row + 1;
    if (operation->kind == WORKLOAD_DELETE_RANGE || operation->kind == WORKLOAD_READ_SLICE)
        operation->row_end += (size_t)random_below(random, rows - operation->row);
    if (operation->kind == WORKLOAD_SET_STATIC) {
        operation->row = MODEL_STATIC;
        operation->row_end = MODEL_STATIC + 1;
    }
    if (operation->table == WORKLOAD_SCHEMA) {
        operation->row = 0;
        operation->row_end = 1;
    }
}

void operation_use_index(struct workload_operation *operation, uint64_t number)
{
    bool is_indexed = operation->table == WORKLOAD_VALUES || operation->table == WORKLOAD_TRUNCATED;
    if (operation->kind == WORKLOAD_READ_ROW && is_indexed && number % 3 == 0)
        operation->kind = WORKLOAD_READ_INDEX;
}

// ---- Cells -------------------------------------------------------------------------------------

void operation_visit(const struct workload_operation *operation, struct model *model,
                     operation_visitor *visit, void *context)
{
    if (operation->table >= WORKLOAD_TABLE_COUNT) return; // Not the model's.
    bool is_scan = operation->kind == WORKLOAD_SCAN || operation->kind == WORKLOAD_TRUNCATE ||
                   operation->kind == WORKLOAD_READ_SCHEMA;
    bool is_of_all = is_scan || operation->kind == WORKLOAD_READ_INDEX; // Partitions.
    bool is_whole = is_scan || operation->kind == WORKLOAD_READ_PARTITION ||
                    operation->kind == WORKLOAD_DELETE_PARTITION;
    // Counters have no static cell, schemas only one cell.
    size_t whole = operation->table == WORKLOAD_SCHEMA     ? 1
                   : operation->table == WORKLOAD_COUNTERS ? MODEL_ROWS
                                                           : MODEL_CELLS;
    if (operation->kind == WORKLOAD_FLUSH) return;
    size_t end = is_of_all ? MODEL_PARTITIONS : operation->partition + 1;
    for (size_t partition = is_of_all ? 0 : operation->partition; partition < end; partition++)
        for (size_t row = is_whole ? 0 : operation->row;
             row < (is_whole ? whole : operation->row_end); row++)
            visit(context, model_cell_at(model, operation->table, partition, row));
}

uint64_t operation_found(const struct workload_operation *operation, size_t partition, size_t row,
                         bool *twice)
{
    uint64_t stamp = 0;
    size_t times = 0;
    for (size_t i = 0; i < operation->found_count; i++) {
        const struct workload_found *found = &operation->found[i];
        if (found->partition != partition || found->row != row) continue;
        stamp = found->stamp;
        times++;
    }
    *twice = times > 1;
    return stamp;
}

void operation_view(struct operation_views *views, struct model *model, struct model_cell *cell)
{
    if (views->count == views->capacity) {
        views->capacity = views->capacity == 0 ? 16 : 2 * views->capacity;
        views->items = realloc(views->items, views->capacity * sizeof views->items[0]);
        ASSERT(views->items != NULL);
    }
    model_read_begin(model, cell, &views->items[views->count++]);
}
