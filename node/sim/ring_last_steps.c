#include "base/assert.h"
#include "base/container_of.h"
#include "node/sim/ring_workload_state.h"

#include <inttypes.h>
#include <stdlib.h>

// After healing all hints are delivered within this time.
#define HINTED_NS (15 * NS_PER_S)
// After healing everything works within this time.
#define HEALED_NS (60 * NS_PER_S)

// ---- The end -----------------------------------------------------------------------------------
//
// Everything is read at ALL, which repairs what differs, then through every node at QUORUM; every
// node does DDL's reading, a write and an increment.

static const struct {
    enum workload_kind kind;
    enum workload_table table;
    enum consistency consistency;
} last_steps[] = {
    {WORKLOAD_TRUNCATE, WORKLOAD_TRUNCATED, CONSISTENCY_ALL}, // Only if one is wanted.
    {WORKLOAD_SCAN, WORKLOAD_VALUES, CONSISTENCY_ALL},
    {WORKLOAD_SCAN, WORKLOAD_TRUNCATED, CONSISTENCY_ALL},
    {WORKLOAD_SCAN, WORKLOAD_COUNTERS, CONSISTENCY_ALL},
    {WORKLOAD_SCAN, WORKLOAD_BATCHED, CONSISTENCY_ALL},
    {WORKLOAD_READ_SERIAL, WORKLOAD_REGISTERS, CONSISTENCY_SERIAL},
    {WORKLOAD_READ_SERIAL, WORKLOAD_REGISTERS, CONSISTENCY_SERIAL},
    {WORKLOAD_READ_SERIAL, WORKLOAD_REGISTERS, CONSISTENCY_SERIAL},
    {WORKLOAD_READ_SERIAL, WORKLOAD_REGISTERS, CONSISTENCY_SERIAL},
    {WORKLOAD_READ_SERIAL, WORKLOAD_REGISTERS, CONSISTENCY_ALL}, // Repairs all replicas.
    {WORKLOAD_READ_SERIAL, WORKLOAD_REGISTERS, CONSISTENCY_ALL},
    {WORKLOAD_READ_SERIAL, WORKLOAD_REGISTERS, CONSISTENCY_ALL},
    {WORKLOAD_READ_SERIAL, WORKLOAD_REGISTERS, CONSISTENCY_ALL},
    // From here on through each node.
    {WORKLOAD_SCAN, WORKLOAD_VALUES, CONSISTENCY_QUORUM},
    {WORKLOAD_SCAN, WORKLOAD_COUNTERS, CONSISTENCY_QUORUM},
    {WORKLOAD_READ_SCHEMA, WORKLOAD_SCHEMA, CONSISTENCY_ONE},
    {WORKLOAD_INSERT, WORKLOAD_VALUES, CONSISTENCY_ALL},
    {WORKLOAD_INCREMENT, WORKLOAD_COUNTERS, CONSISTENCY_ALL},
    {WORKLOAD_UPDATE_IF, WORKLOAD_REGISTERS, CONSISTENCY_ALL},
};
enum {
    LAST_STEP_COUNT = sizeof last_steps / sizeof last_steps[0],
    LAST_STEPS_ONCE = 13,
    FIRST_SCAN_STEP = 1, // Everybody is there.
    FIRST_REGISTER_STEP = 5,
    LAST_STEPS_OF_NODE = LAST_STEP_COUNT - LAST_STEPS_ONCE,
};

// A logged batch is whole or not there. False: a part is there, and the rest may come.
static bool batches_are_whole(struct ring_slot *slot, uint64_t *broken, size_t *rows)
{
    struct ring_workload *workload = slot->workload;
    uint8_t *counts = calloc(workload->last_stamp + 1, 1);
    ASSERT(counts != NULL);
    for (size_t i = 0; i < slot->operation.found_count; i++)
        counts[slot->operation.found[i].stamp]++;
    bool whole = true;
    for (uint64_t stamp = 1; stamp <= workload->last_stamp && whole; stamp++) {
        const struct change *change = ring_check_change(workload, stamp);
        if (change->kind != WORKLOAD_INSERT_BATCH || change->table != WORKLOAD_BATCHED) continue;
        *broken = stamp;
        *rows = counts[stamp];
        whole = counts[stamp] == WORKLOAD_BATCH_ROWS ||
                (counts[stamp] == 0 && !change->is_acknowledged);
        if (counts[stamp] > 0 && change->is_refused)
            ring_workload_fail(workload, "batch %" PRIu64 " is there, and it was refused", stamp);
    }
    free(counts);
    return whole;
}

static void go_on_checking(struct ring_workload *workload);

static void retry_check(struct sim_call *call)
{
    struct ring_slot *slot = CONTAINER_OF(call, struct ring_slot, call);
    go_on_checking(slot->workload);
}

static uint64_t retry_delay(const struct ring_slot *slot, enum workload_outcome outcome)
{
    if (outcome == WORKLOAD_NOT_SENT) return 30 * NS_PER_MS;
    // It is to come as soon as the last node does.
    return slot->operation.kind == WORKLOAD_TRUNCATE ? 2 * NS_PER_MS : 200 * NS_PER_MS;
}

void ring_last_steps_end(struct ring_slot *slot, enum workload_outcome outcome)
{
    struct ring_workload *workload = slot->workload;
    if (workload->fault[0] != '\0') return;
    bool is_late = now(workload) - workload->healed_ns > HEALED_NS;
    bool is_done = outcome == WORKLOAD_DONE;
    uint64_t broken = 0;
    size_t rows = 0;
    if (workload->fault[0] == '\0' && is_done && slot->operation.table == WORKLOAD_BATCHED)
        is_done = batches_are_whole(slot, &broken, &rows);
    if (is_late && !is_done) {
        if (outcome == WORKLOAD_DONE)
            ring_workload_fail(workload, "of batch %" PRIu64 " there are %zu rows of %d", broken,
                               rows, WORKLOAD_BATCH_ROWS);
        else
            ring_workload_fail(
                workload,
                "%s of table %d at %s through node %zu does not work %d s after healing: "
                "%s",
                workload_kind_text(slot->operation.kind), (int)slot->operation.table,
                consistency_text(slot->operation.consistency), slot->operation.node,
                (int)(HEALED_NS / NS_PER_S), sim_clients_last_error(workload->clients));
        return;
    }
    if (is_done) workload->check_step++;
    sim_world_call(workload->sim, &slot->call, is_done ? 0 : retry_delay(slot, outcome),
                   retry_check);
}

static size_t last_step_count(const struct ring_workload *workload)
{
    return LAST_STEPS_ONCE + LAST_STEPS_OF_NODE * workload->options.node_count;
}

// What was acknowledged at a low level is there for those who ask all.
static void acknowledge_weak(struct ring_workload *workload)
{
    for (size_t i = 0; i < workload->weak_count; i++)
        model_acknowledge(workload->model, workload->weak[i].cell, workload->weak[i].stamp);
    workload->weak_count = 0;
}

// Once more, after power was lost everywhere: what was seen must survive that.
static void end_round(struct ring_workload *workload)
{
    if (workload->fault[0] != '\0') return;
    workload->phase = PHASE_OVER;
    if (++workload->rounds == 2) return;
    workload->phase = PHASE_HEALING;
    workload->check_step = 0;
    workload->world->heal(workload->context);
}

static void go_on_checking(struct ring_workload *workload)
{
    struct ring_slot *slot = &workload->check;
    struct workload_operation *operation = &slot->operation;
    if (workload->fault[0] != '\0') return;
    size_t step = workload->check_step;
    if (step == last_step_count(workload)) {
        char message[512];
        if (!linearizable_check(workload->history, message))
            ring_workload_fail(workload, "%s", message);
        end_round(workload);
        return;
    }
    if (step == FIRST_SCAN_STEP && workload->has_hints) {
        workload->has_hints = false;
        sim_world_call(workload->sim, &slot->call, HINTED_NS, retry_check);
        return;
    }
    if (step == FIRST_SCAN_STEP) acknowledge_weak(workload);
    size_t node = SIZE_MAX, index = step;
    if (step >= LAST_STEPS_ONCE) {
        node = (step - LAST_STEPS_ONCE) / LAST_STEPS_OF_NODE;
        index = LAST_STEPS_ONCE + (step - LAST_STEPS_ONCE) % LAST_STEPS_OF_NODE;
    }
    *operation =
        (struct workload_operation){.kind = last_steps[index].kind,
                                    .table = last_steps[index].table,
                                    .consistency = last_steps[index].consistency,
                                    .found = operation->found,
                                    .found_capacity = operation->found_capacity,
                                    .partition = node == SIZE_MAX ? 0 : node,
                                    .row_end = 1,
                                    .page_max = workload->options.is_sparse ? SPARSE_PAGE_MAX : 0};
    if (operation->table == WORKLOAD_REGISTERS)
        operation->partition = (node == SIZE_MAX ? index - FIRST_REGISTER_STEP : node) % REGISTERS;
    operation->expected = workload->last_seen[operation->partition % REGISTERS];
    bool skips = (operation->kind == WORKLOAD_TRUNCATE && !workload->truncation.wanted) ||
                 (operation->kind == WORKLOAD_UPDATE_IF && operation->expected == 0);
    if (operation->kind == WORKLOAD_INCREMENT &&
        model_free_digits(
            model_cell_at(workload->model, WORKLOAD_COUNTERS, operation->partition, 0)) == 0)
        skips = true;
    if (skips) {
        workload->check_step++;
        sim_world_call(workload->sim, &slot->call, 0, retry_check);
        return;
    }
    if (operation->kind == WORKLOAD_TRUNCATE &&
        now(workload) - workload->truncation.quiet_since_ns < QUIET_NS) {
        sim_world_call(workload->sim, &slot->call, QUIET_NS / 4, retry_check);
        return;
    }
    sim_clients_prefer(workload->clients, node);
    ring_workload_submit(slot);
}

void ring_workload_healed(struct ring_workload *workload)
{
    if (workload->phase != PHASE_HEALING) return;
    workload->phase = PHASE_CHECK;
    workload->healed_ns = now(workload);
    sim_world_call(workload->sim, &workload->check.call, 0, retry_check);
}

bool ring_workload_wants_truncation(const struct ring_workload *workload)
{
    return workload->truncation.wanted;
}
