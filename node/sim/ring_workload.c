#include "node/sim/ring_workload_state.h"

#include "base/assert.h"
#include "base/container_of.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Faults found ------------------------------------------------------------------------------

void ring_workload_fail(struct ring_workload *workload, const char *format, ...)
{
    if (workload->fault[0] != '\0') return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(workload->fault, sizeof workload->fault, format, arguments);
    va_end(arguments);
    sim_world_note(workload->sim, "WRONG: %s", workload->fault);
}

const char *ring_workload_fault(const struct ring_workload *workload)
{
    return workload->fault[0] == '\0' ? NULL : workload->fault;
}

bool ring_workload_is_over(const struct ring_workload *workload)
{
    return workload->phase == PHASE_OVER || workload->fault[0] != '\0';
}

bool ring_workload_is_running(const struct ring_workload *workload)
{
    return workload->phase == PHASE_RUN;
}

uint64_t ring_workload_done_count(const struct ring_workload *workload, enum workload_kind kind)
{
    return workload->done[kind];
}

static void schedule_slot(struct ring_slot *slot, uint64_t delay_ns);

static void operation_is_done(struct workload_operation *operation, enum workload_outcome outcome)
{
    struct ring_slot *slot = CONTAINER_OF(operation, struct ring_slot, operation);
    struct ring_workload *workload = slot->workload;
    static const char *const texts[] = {"done", "refused", "unknown", "not sent"};
    sim_world_note(workload->sim, "%s %d k%zu/%zu #%" PRIu64 " %s at node %zu: %s%s%s",
                   workload_kind_text(operation->kind), (int)operation->table, operation->partition,
                   operation->row, operation->stamp, consistency_text(operation->consistency),
                   operation->node, texts[outcome], outcome == WORKLOAD_DONE ? "" : ", last error ",
                   outcome == WORKLOAD_DONE ? "" : sim_clients_last_error(workload->clients));
    ASSERT(slot->is_busy);
    slot->is_busy = false;
    workload->busy_count--;
    if (operation->table == WORKLOAD_TRUNCATED) {
        workload->truncation.busy--;
        if (outcome == WORKLOAD_DONE || outcome == WORKLOAD_UNKNOWN)
            workload->truncation.quiet_since_ns = now(workload);
    }
    ring_check_end(slot, outcome);
    if (outcome == WORKLOAD_DONE) workload->done[operation->kind]++;
    if (outcome != WORKLOAD_NOT_SENT) workload->submitted++;
    if (slot == &workload->check) {
        ring_last_steps_end(slot, outcome);
        return;
    }
    slot->did_ddl = outcome == WORKLOAD_DONE && operation->table == WORKLOAD_SCHEMA &&
                    operation->kind != WORKLOAD_READ_SCHEMA;
    bool goes_on = outcome == WORKLOAD_DONE && (slot->did_ddl || chance(workload, 0.4));
    schedule_slot(slot, goes_on ? 0 : below(workload, workload->think_ns));
}

void ring_workload_submit(struct ring_slot *slot)
{
    struct ring_workload *workload = slot->workload;
    struct workload_operation *operation = &slot->operation;
    operation->found_count = operation->came_count = 0;
    slot->begun_ns = now(workload);
    slot->views.count = 0;
    slot->is_strong =
        operation->consistency != CONSISTENCY_ONE || workload->options.replication_factor == 1;
    ring_check_begin(slot);
    if (operation->table == WORKLOAD_TRUNCATED) workload->truncation.busy++;
    slot->is_busy = true;
    operation->done = operation_is_done;
    workload->busy_count++;
    sim_world_note(workload->sim, "%s %d k%zu/%zu-%zu #%" PRIu64 " %+" PRId64 " %s",
                   workload_kind_text(operation->kind), (int)operation->table, operation->partition,
                   operation->row, operation->row_end, operation->stamp, operation->delta,
                   consistency_text(operation->consistency));
    sim_clients_submit(workload->clients, operation);
    ring_check_asked(slot);
}

// ---- Slots -------------------------------------------------------------------------------------

static void begin_healing(struct ring_workload *workload)
{
    if (workload->phase != PHASE_RUN || workload->busy_count > 0) return;
    workload->phase = PHASE_HEALING;
    if (workload->has_left_one || chance(workload, 0.6))
        workload->truncation.wanted = workload->truncation.closed = true;
    sim_world_note(workload->sim, "the end: all heals, and everything is read");
    workload->world->heal(workload->context);
}

// Hints for it are all that is left of some writes when the table that rested is truncated.
static void leave_one(struct ring_workload *workload)
{
    uint64_t operations = workload->options.operations;
    if (!workload->leaves_one || workload->submitted < operations - operations / 8) return;
    workload->leaves_one = false;
    workload->has_left_one = workload->world->leave_one(workload->context);
}

static void run_slot(struct sim_call *call)
{
    struct ring_slot *slot = CONTAINER_OF(call, struct ring_slot, call);
    struct ring_workload *workload = slot->workload;
    struct workload_operation *operation = &slot->operation;
    if (workload->fault[0] != '\0') return;
    if (!sim_clients_have_tables(workload->clients)) {
        schedule_slot(slot, 5 * NS_PER_MS);
        return;
    }
    if (workload->phase == PHASE_SET_UP) workload->phase = PHASE_RUN;
    if (workload->submitted >= workload->options.operations) {
        begin_healing(workload);
        return;
    }
    leave_one(workload);
    *operation = (struct workload_operation){.found = operation->found,
                                             .found_capacity = operation->found_capacity};
    bool did_ddl = slot->did_ddl;
    slot->did_ddl = false;
    if (!ring_mix_make(workload, operation, did_ddl)) {
        schedule_slot(slot, below(workload, NS_PER_MS));
        return;
    }
    if (operation->kind == WORKLOAD_FLUSH) {
        workload->world->flush(workload->context, below(workload, workload->options.node_count));
        workload->done[WORKLOAD_FLUSH]++;
        workload->submitted++;
        schedule_slot(slot, NS_PER_MS);
        return;
    }
    ring_workload_submit(slot);
}

static void schedule_slot(struct ring_slot *slot, uint64_t delay_ns)
{
    sim_world_call(slot->workload->sim, &slot->call, delay_ns, run_slot);
}

// ---- Life --------------------------------------------------------------------------------------

struct ring_workload *ring_workload_create(struct sim_world *sim,
                                           const struct ring_workload_options *options,
                                           const struct ring_workload_world *world, void *context,
                                           struct sim_clients *clients)
{
    struct ring_workload *workload = calloc(1, sizeof *workload);
    ASSERT(workload != NULL);
    workload->sim = sim;
    workload->options = *options;
    workload->world = world;
    workload->context = context;
    workload->clients = clients;
    random_init(&workload->random, options->seed ^ 0x72696e67);
    workload->model = model_create(WORKLOAD_TABLE_COUNT);
    workload->history = linearizable_create(REGISTERS);
    workload->expiry = expiry_create();
    workload->slot_count = 2 + below(workload, SLOTS_MAX - 1);
    workload->much_ddl = chance(workload, 0.15);
    workload->much_paxos = chance(workload, 0.15) || options->only_paxos;
    workload->leaves_one = chance(workload, 0.5) && !options->only_paxos && options->node_count > 1;
    workload->think_ns = NS_PER_MS << below(workload, 9);
    for (size_t i = 0; i < SLOTS_MAX; i++)
        workload->slots[i].workload = workload;
    workload->check.workload = workload;
    return workload;
}

static void free_slot(struct ring_slot *slot)
{
    free(slot->operation.found);
    free(slot->views.items);
}

void ring_workload_destroy(struct ring_workload *workload)
{
    for (size_t i = 0; i < SLOTS_MAX; i++)
        free_slot(&workload->slots[i]);
    free_slot(&workload->check);
    free(workload->changes);
    free(workload->weak);
    linearizable_destroy(workload->history);
    expiry_destroy(workload->expiry);
    model_destroy(workload->model);
    free(workload);
}

void ring_workload_begin(struct ring_workload *workload)
{
    for (size_t i = 0; i < workload->slot_count; i++)
        schedule_slot(&workload->slots[i], below(workload, NS_PER_MS));
}
