#include "base/assert.h"
#include "node/sim/ring_workload_state.h"
#include "storage/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// For so long all must have been well before DDL is expected to be seen everywhere, and before
// nobody may be told Unavailable.
#define CALM_NS (6 * NS_PER_S)

// ---- Which cells an operation touches ----------------------------------------------------------

// A write at this level is met by every QUORUM read. At ANY it may be a hint.
static bool is_certain_at(const struct ring_workload *workload, enum consistency consistency)
{
    if (consistency == CONSISTENCY_ANY) return false;
    int factor = workload->options.replication_factor;
    return consistency_required(consistency, factor) +
               consistency_required(CONSISTENCY_QUORUM, factor) >
           factor;
}

static void view_cell(void *context, struct model_cell *cell)
{
    struct ring_slot *slot = context;
    operation_view(&slot->views, slot->workload->model, cell);
}

static void visit_cells(struct ring_slot *slot, operation_visitor *visit)
{
    operation_visit(&slot->operation, slot->workload->model, visit, slot);
}

static void write_cell(void *context, struct model_cell *cell)
{
    const struct ring_slot *slot = context;
    enum workload_kind kind = slot->operation.kind;
    bool is_delete = kind != WORKLOAD_INSERT && kind != WORKLOAD_SET_STATIC &&
                     kind != WORKLOAD_CREATE_TABLE && kind != WORKLOAD_ALTER_TABLE;
    model_write(slot->workload->model, cell, slot->operation.stamp, is_delete);
}

static void acknowledge_cell(void *context, struct model_cell *cell)
{
    const struct ring_slot *slot = context;
    model_acknowledge(slot->workload->model, cell, slot->operation.stamp);
}

static void acknowledge_cell_weakly(void *context, struct model_cell *cell)
{
    const struct ring_slot *slot = context;
    struct ring_workload *workload = slot->workload;
    if (workload->weak_count == workload->weak_capacity) {
        workload->weak_capacity = workload->weak_capacity == 0 ? 256 : 2 * workload->weak_capacity;
        workload->weak = realloc(workload->weak, workload->weak_capacity * sizeof *workload->weak);
        ASSERT(workload->weak != NULL);
    }
    workload->weak[workload->weak_count++] = (struct weak_change){cell, slot->operation.stamp};
}

static void refuse_cell(void *context, struct model_cell *cell)
{
    const struct ring_slot *slot = context;
    model_refuse(slot->workload->model, cell, slot->operation.stamp);
}

struct change *ring_check_change(struct ring_workload *workload, uint64_t stamp)
{
    if (stamp >= workload->change_capacity) {
        size_t old = workload->change_capacity;
        workload->change_capacity = 2 * old < 4096 ? 4096 : 2 * old;
        workload->changes =
            realloc(workload->changes, workload->change_capacity * sizeof *workload->changes);
        ASSERT(workload->changes != NULL && stamp < workload->change_capacity);
        memset(workload->changes + old, 0,
               (workload->change_capacity - old) * sizeof *workload->changes);
    }
    return &workload->changes[stamp];
}

// ---- The checks of a read ----------------------------------------------------------------------

// Something that somebody once wrote there.
static bool was_written(struct ring_workload *workload, enum workload_table table,
                        const struct workload_found *found)
{
    if (found->stamp == 0 || found->stamp > workload->last_stamp) return false;
    const struct change *change = ring_check_change(workload, found->stamp);
    if (table == WORKLOAD_BATCHED)
        return change->kind == WORKLOAD_INSERT_BATCH && found->row == found->stamp;
    return change->table == table && change->partition == found->partition &&
           change->row <= found->row && found->row < change->row_end && !change->is_refused &&
           change->kind != WORKLOAD_DELETE_ROW && change->kind != WORKLOAD_DELETE_RANGE &&
           change->kind != WORKLOAD_DELETE_PARTITION && change->kind != WORKLOAD_DROP_TABLE;
}

static void check_weakly(struct ring_slot *slot)
{
    struct ring_workload *workload = slot->workload;
    const struct workload_operation *operation = &slot->operation;
    if (operation->table == WORKLOAD_COUNTERS) return;
    for (size_t i = 0; i < operation->found_count && workload->fault[0] == '\0'; i++)
        if (!was_written(workload, operation->table, &operation->found[i]))
            ring_workload_fail(workload,
                               "%s of table %d shows %" PRIu64 " at k%u/%u, which was refused or "
                               "never written there",
                               workload_kind_text(operation->kind), (int)operation->table,
                               operation->found[i].stamp, operation->found[i].partition,
                               operation->found[i].row);
}

static void check_view(struct ring_slot *slot, struct model_view *view)
{
    struct ring_workload *workload = slot->workload;
    const struct workload_operation *operation = &slot->operation;
    size_t partition, row;
    bool twice;
    char message[512];
    model_cell_place(workload->model, view->cell, &partition, &row);
    uint64_t stamp = operation_found(operation, partition, row, &twice);
    const char *wrong;
    if (operation->table == WORKLOAD_COUNTERS)
        wrong = model_read_counter(workload->model, view, (int64_t)stamp, message);
    else if (operation->kind == WORKLOAD_READ_INDEX && stamp == 0)
        wrong = model_read_no_place(workload->model, view, message);
    else
        wrong = model_read_value(workload->model, view, stamp, message);
    if (twice) wrong = "the row came twice";
    if (wrong != NULL)
        ring_workload_fail(workload, "%s at %s through node %zu: table %d, k%zu/%zu: %s",
                           workload_kind_text(operation->kind),
                           consistency_text(operation->consistency), operation->node,
                           (int)operation->table, partition, row, wrong);
}

static bool is_calm(const struct ring_slot *slot)
{
    struct ring_workload *workload = slot->workload;
    uint64_t since_ns = workload->world->calm_since_ns(workload->context);
    return since_ns != UINT64_MAX && since_ns + CALM_NS <= slot->begun_ns;
}

// ---- What expires ------------------------------------------------------------------------------

static int64_t clock_offset_us(const struct ring_workload *workload, int64_t wall_us)
{
    return wall_us - (int64_t)(now(workload) / 1000);
}

// The seconds that the node's clock may have shown while the operation was under way.
static struct expiry_span span_of(const struct ring_slot *slot)
{
    const struct ring_workload *workload = slot->workload;
    int64_t wall_us = workload->world->wall_us(workload->context, slot->operation.node);
    if (clock_offset_us(workload, wall_us) != slot->clock_us) // It jumped.
        return (struct expiry_span){INT64_MIN, INT64_MAX};
    return (struct expiry_span){slot->asked_us / 1000000, wall_us / 1000000};
}

void ring_check_asked(struct ring_slot *slot)
{
    const struct ring_workload *workload = slot->workload;
    slot->asked_us = workload->world->wall_us(workload->context, slot->operation.node);
    slot->clock_us = clock_offset_us(workload, slot->asked_us);
}

static void end_expiring_write(struct ring_slot *slot, enum workload_outcome outcome)
{
    struct ring_workload *workload = slot->workload;
    const struct workload_operation *operation = &slot->operation;
    struct expiry_span over = {INT64_MIN, INT64_MAX}, asked = span_of(slot);
    bool is_done = outcome == WORKLOAD_DONE;
    if (outcome == WORKLOAD_REFUSED || outcome == WORKLOAD_NOT_SENT) {
        expiry_refuse(workload->expiry, operation->partition, operation->row, operation->stamp);
        return;
    }
    // Whoever lost its answer may be read by its node much later.
    if (asked.first_s != INT64_MIN) over.first_s = asked.first_s + operation->ttl_s;
    if (asked.last_s != INT64_MAX && is_done) over.last_s = asked.last_s + operation->ttl_s;
    expiry_written(workload->expiry, operation->partition, operation->row, operation->stamp, over,
                   is_done && is_certain_at(workload, operation->consistency));
}

static void end_expiring_read(struct ring_slot *slot)
{
    struct ring_workload *workload = slot->workload;
    const struct workload_operation *operation = &slot->operation;
    bool is_whole = operation->kind == WORKLOAD_READ_PARTITION;
    char message[512];
    for (size_t row = is_whole ? 0 : operation->row;
         row < (is_whole ? EXPIRY_ROWS : operation->row_end); row++) {
        uint64_t stamp = 0;
        for (size_t i = 0; i < operation->found_count; i++)
            if (operation->found[i].row == row) stamp = operation->found[i].stamp;
        const char *wrong = expiry_read(workload->expiry, operation->partition, row, stamp,
                                        slot->floors[row], span_of(slot), slot->is_strong, message);
        if (wrong != NULL)
            ring_workload_fail(workload, "%s at %s through node %zu: what expires, k%zu/%zu: %s",
                               workload_kind_text(operation->kind),
                               consistency_text(operation->consistency), operation->node,
                               operation->partition, row, wrong);
    }
}

static void begin_expiring_read(struct ring_slot *slot)
{
    for (size_t row = 0; row < EXPIRY_ROWS; row++)
        slot->floors[row] = expiry_floor(slot->workload->expiry, slot->operation.partition, row);
}

// ---- The end of a read -------------------------------------------------------------------------

static int64_t token_of(size_t partition)
{
    char text[24];
    (void)snprintf(text, sizeof text, "k%zu", partition);
    return partition_key_make(slice_of_text(text)).token.value;
}

// A scan that wants the first rows of all partitions goes round the ring.
static bool is_behind_last(const struct workload_operation *operation, size_t partition, size_t row)
{
    if (operation->came_count < operation->limit) return false;
    const struct workload_found *last = &operation->found[operation->found_count - 1];
    if (partition != last->partition) return token_of(partition) > token_of(last->partition);
    if (row == MODEL_STATIC || last->row == MODEL_STATIC) return false;
    return operation->table == WORKLOAD_TRUNCATED ? row < last->row : row > last->row;
}

// Behind the last row that a read wanted nobody knows what is there.
static bool is_behind_limit(const struct ring_slot *slot, const struct model_view *view)
{
    const struct workload_operation *operation = &slot->operation;
    size_t partition, row, count = 0, last = 0;
    model_cell_place(slot->workload->model, view->cell, &partition, &row);
    if (operation->limits_all) return is_behind_last(operation, partition, row);
    bool is_descending = (operation->table == WORKLOAD_TRUNCATED) !=
                         (operation->reversed && operation->kind != WORKLOAD_SCAN);
    for (size_t i = 0; i < operation->found_count; i++) {
        const struct workload_found *found = &operation->found[i];
        if (found->partition != partition || found->row == MODEL_STATIC) continue;
        if (count == 0 || (is_descending ? found->row < last : found->row > last))
            last = found->row;
        count++;
    }
    if (count > operation->limit)
        ring_workload_fail(slot->workload, "%s of table %d, LIMIT %zu: %zu rows of k%zu came",
                           workload_kind_text(operation->kind), (int)operation->table,
                           operation->limit, count, partition);
    if (count < operation->limit || row == MODEL_STATIC) return false;
    return is_descending ? row < last : row > last;
}

// Until a change of the schema is answered one member may know it and another may not: who saw it
// at one may miss it at the other.
static bool is_changing(const struct ring_slot *slot, const struct model_view *view)
{
    const struct ring_workload *workload = slot->workload;
    size_t partition, row;
    if (slot->operation.table != WORKLOAD_SCHEMA || workload->phase == PHASE_CHECK) return false;
    model_cell_place(workload->model, view->cell, &partition, &row);
    return workload->name_is_busy[partition];
}

static void end_read(struct ring_slot *slot, enum workload_outcome outcome)
{
    struct ring_workload *workload = slot->workload;
    bool is_strong = slot->is_strong;
    if (slot->operation.table == WORKLOAD_SCHEMA)
        is_strong = workload->phase == PHASE_CHECK || is_calm(slot);
    if (outcome == WORKLOAD_DONE) check_weakly(slot);
    if (slot->operation.limits_all && slot->operation.came_count > slot->operation.limit)
        ring_workload_fail(workload, "scan of table %d, LIMIT %zu: %zu rows came",
                           (int)slot->operation.table, slot->operation.limit,
                           slot->operation.came_count);
    if (outcome == WORKLOAD_DONE && slot->operation.table == WORKLOAD_EXPIRING)
        end_expiring_read(slot);
    for (size_t i = 0; i < slot->views.count; i++) {
        struct model_view *view = &slot->views.items[i];
        bool is_checked = outcome == WORKLOAD_DONE && is_strong && !is_changing(slot, view);
        if (is_checked && (slot->operation.limit == 0 || !is_behind_limit(slot, view)))
            check_view(slot, view);
        else
            model_read_drop(workload->model, view);
    }
    slot->views.count = 0;
}

// ---- Registers ---------------------------------------------------------------------------------

static void begin_conditional(struct ring_slot *slot)
{
    struct ring_workload *workload = slot->workload;
    const struct workload_operation *operation = &slot->operation;
    enum linearizable_kind kind =
        operation->kind == WORKLOAD_READ_SERIAL ? LINEARIZABLE_READ : LINEARIZABLE_COMPARE;
    slot->event =
        linearizable_begin(workload->history, operation->partition, kind, operation->expected,
                           operation->stamp, sim_world_turn(workload->sim));
}

static void end_conditional(struct ring_slot *slot, enum workload_outcome outcome)
{
    struct ring_workload *workload = slot->workload;
    const struct workload_operation *operation = &slot->operation;
    uint64_t turn = sim_world_turn(workload->sim);
    if (outcome == WORKLOAD_REFUSED || outcome == WORKLOAD_NOT_SENT)
        linearizable_refuse(workload->history, slot->event);
    if (outcome != WORKLOAD_DONE) return;
    linearizable_end(workload->history, slot->event, operation->applied, operation->seen, turn);
    workload->last_seen[operation->partition] =
        operation->applied ? operation->stamp : operation->seen;
}

// ---- Beginning and ending ----------------------------------------------------------------------

static void begin_write(struct ring_slot *slot)
{
    struct ring_workload *workload = slot->workload;
    struct workload_operation *operation = &slot->operation;
    operation->stamp = ++workload->last_stamp;
    // All of a batch must be small.
    while (operation->kind == WORKLOAD_INSERT_BATCH &&
           workload_value_size(operation->stamp) > BATCH_VALUE_SIZE_MAX)
        operation->stamp = ++workload->last_stamp;
    *ring_check_change(workload, operation->stamp) =
        (struct change){.kind = (uint8_t)operation->kind,
                        .table = (uint8_t)operation->table,
                        .partition = (uint8_t)operation->partition,
                        .row = (uint8_t)operation->row,
                        .row_end = (uint8_t)operation->row_end};
    if (operation->table == WORKLOAD_SCHEMA) workload->name_is_busy[operation->partition] = true;
    if (operation->kind == WORKLOAD_INSERT_TTL)
        expiry_write(workload->expiry, operation->partition, operation->row, operation->stamp);
    if (operation->kind == WORKLOAD_INCREMENT)
        operation->delta = model_increment(
            workload->model,
            model_cell_at(workload->model, operation->table, operation->partition, operation->row),
            operation->stamp);
    else
        visit_cells(slot, write_cell);
}

static void end_truncation(struct ring_workload *workload, enum workload_outcome outcome)
{
    if (outcome == WORKLOAD_UNKNOWN) workload->truncation.unknown = true;
    if (outcome != WORKLOAD_DONE) return; // Asked again.
    workload->truncation.wanted = false;
    // One that lost its answer may still be on its way.
    if (!workload->truncation.unknown) workload->truncation.closed = false;
}

static void end_write(struct ring_slot *slot, enum workload_outcome outcome)
{
    struct ring_workload *workload = slot->workload;
    const struct workload_operation *operation = &slot->operation;
    struct change *change = ring_check_change(workload, operation->stamp);
    // A name whose DDL lost its answer is not used again: it may still be carried out.
    if (operation->table == WORKLOAD_SCHEMA && outcome != WORKLOAD_UNKNOWN)
        workload->name_is_busy[operation->partition] = false;
    if (operation->kind == WORKLOAD_TRUNCATE) end_truncation(workload, outcome);
    if (operation->kind == WORKLOAD_INSERT_TTL) end_expiring_write(slot, outcome);
    if (outcome == WORKLOAD_DONE) {
        bool is_certain = operation->table == WORKLOAD_SCHEMA ||
                          operation->kind == WORKLOAD_TRUNCATE ||
                          is_certain_at(workload, operation->consistency);
        change->is_acknowledged = true;
        workload->has_hints |= operation->consistency == CONSISTENCY_ANY;
        visit_cells(slot, is_certain ? acknowledge_cell : acknowledge_cell_weakly);
    } else if (outcome == WORKLOAD_REFUSED || outcome == WORKLOAD_NOT_SENT) {
        change->is_refused = true;
        visit_cells(slot, refuse_cell);
    }
}

static void check_refusal(struct ring_slot *slot, enum workload_outcome outcome)
{
    struct ring_workload *workload = slot->workload;
    if (outcome != WORKLOAD_REFUSED || slot->operation.table == WORKLOAD_SCHEMA || !is_calm(slot))
        return;
    if (sim_clients_lack_nodes(workload->clients))
        ring_workload_fail(workload, "%s at %s through node %zu though all is well: error %s",
                           workload_kind_text(slot->operation.kind),
                           consistency_text(slot->operation.consistency), slot->operation.node,
                           sim_clients_last_error(workload->clients));
}

// ---- Beginning and ending any
// ---------------------------------------------------------------------

void ring_check_begin(struct ring_slot *slot)
{
    const struct workload_operation *operation = &slot->operation;
    if (operation->kind != WORKLOAD_READ_SERIAL && !operation_is_read(operation->kind))
        begin_write(slot);
    if (operation_is_conditional(operation->kind)) begin_conditional(slot);
    if (operation_is_read(operation->kind)) visit_cells(slot, view_cell);
    if (operation->table == WORKLOAD_EXPIRING) begin_expiring_read(slot);
}

void ring_check_end(struct ring_slot *slot, enum workload_outcome outcome)
{
    const struct workload_operation *operation = &slot->operation;
    check_refusal(slot, outcome);
    if (operation_is_conditional(operation->kind))
        end_conditional(slot, outcome);
    else if (operation_is_read(operation->kind))
        end_read(slot, outcome);
    else
        end_write(slot, outcome);
}
