#include "node/sim/ring_workload.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "node/sim/expiry.h"
#include "node/sim/linearizable.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)
// For so long all must have been well before DDL is expected to be seen everywhere, and before
// nobody may be told Unavailable.
#define CALM_NS (6 * NS_PER_S)
// After so long nothing of a table is under way any more, but for hints: cuts, pauses and timeouts
// are shorter.
#define QUIET_NS (14 * NS_PER_S)
// After healing all hints are delivered within this time.
#define HINTED_NS (15 * NS_PER_S)
// After healing everything works within this time.
#define HEALED_NS (60 * NS_PER_S)

enum {
    SLOTS_MAX = 24,
    FAULT_SIZE = 1024,
    REGISTERS = 4,
    BATCH_VALUE_SIZE_MAX = 1000,
    PROBE_KINDS = 2, // An insert and an increment through each node at the end.
};

struct ring_slot {
    struct ring_workload *workload;
    struct workload_operation operation;
    struct sim_call call;
    struct model_view *views;
    size_t view_count, view_capacity;
    bool is_busy, is_strong;
    bool did_ddl; // Just now: who did asks for it at once, through any node.
    uint64_t begun_ns;
    uint64_t event; // Of the register's history.
    // Of what expires: the clock of the node that was asked, when it was asked.
    int64_t asked_us, clock_us;
    uint64_t floors[EXPIRY_ROWS];
};

// A change, by its stamp.
struct change {
    uint8_t kind, table, partition, row, row_end;
    bool is_refused, is_acknowledged;
};

// Acknowledged, but not so that every QUORUM read meets it.
struct weak_change {
    struct model_cell *cell;
    uint64_t stamp;
};

enum phase { PHASE_SET_UP, PHASE_RUN, PHASE_HEALING, PHASE_CHECK, PHASE_OVER };

struct ring_workload {
    struct sim_world *sim;
    struct ring_workload_options options;
    const struct ring_workload_world *world;
    void *context;
    struct sim_clients *clients;
    struct random random;
    struct model *model;
    enum phase phase;
    size_t slot_count, busy_count;
    struct ring_slot slots[SLOTS_MAX];
    uint64_t submitted, last_stamp;
    bool much_ddl, much_paxos;
    bool leaves_one; // Of the last operations a node hears nothing but by hints.
    bool has_left_one;
    uint64_t think_ns; // The longest pause between two operations of a slot.
    struct change *changes;
    size_t change_capacity;
    struct weak_change *weak;
    size_t weak_count, weak_capacity;
    bool name_is_busy[MODEL_PARTITIONS];
    struct {
        bool closed, unknown, wanted;
        size_t busy;
        uint64_t quiet_since_ns;
    } truncation;
    struct linearizable *history;
    struct expiry *expiry;
    uint64_t last_seen[REGISTERS];
    bool has_hints; // Something was acknowledged that may be nowhere else.
    // The end.
    struct ring_slot check;
    size_t check_step, rounds;
    uint64_t healed_ns;
    uint64_t done[WORKLOAD_KIND_COUNT];
    char fault[FAULT_SIZE];
};

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

static uint64_t below(struct ring_workload *workload, uint64_t count)
{
    return random_below(&workload->random, count);
}

static bool chance(struct ring_workload *workload, double probability)
{
    return random_chance(&workload->random, probability);
}

static uint64_t now(const struct ring_workload *workload)
{
    return sim_world_now(workload->sim);
}

// ---- Which cells an operation touches ----------------------------------------------------------

static bool is_read(enum workload_kind kind)
{
    return kind == WORKLOAD_READ_ROW || kind == WORKLOAD_READ_PARTITION ||
           kind == WORKLOAD_READ_SLICE || kind == WORKLOAD_SCAN || kind == WORKLOAD_READ_SCHEMA;
}

static bool is_conditional(enum workload_kind kind)
{
    return kind == WORKLOAD_INSERT_IF || kind == WORKLOAD_UPDATE_IF || kind == WORKLOAD_READ_SERIAL;
}

// A write at this level is met by every QUORUM read. At ANY it may be a hint.
static bool is_certain_at(const struct ring_workload *workload, enum consistency consistency)
{
    if (consistency == CONSISTENCY_ANY) return false;
    int factor = workload->options.replication_factor;
    return consistency_required(consistency, factor) +
               consistency_required(CONSISTENCY_QUORUM, factor) >
           factor;
}

typedef void visitor(struct ring_slot *slot, struct model_cell *cell);

static void visit_rows(struct ring_slot *slot, size_t partition, size_t from, size_t to,
                       visitor *visit)
{
    for (size_t row = from; row < to; row++)
        visit(slot, model_cell_at(slot->workload->model, slot->operation.table, partition, row));
}

static void visit_cells(struct ring_slot *slot, visitor *visit)
{
    const struct workload_operation *operation = &slot->operation;
    if (operation->table >= WORKLOAD_TABLE_COUNT) return; // Not the model's.
    // Counters have no static cell, schemas only one cell.
    size_t whole = operation->table == WORKLOAD_SCHEMA     ? 1
                   : operation->table == WORKLOAD_COUNTERS ? MODEL_ROWS
                                                           : MODEL_CELLS;
    switch (operation->kind) {
    case WORKLOAD_READ_PARTITION:
    case WORKLOAD_DELETE_PARTITION:
        visit_rows(slot, operation->partition, 0, whole, visit);
        break;
    case WORKLOAD_SCAN:
    case WORKLOAD_TRUNCATE:
    case WORKLOAD_READ_SCHEMA:
        for (size_t partition = 0; partition < MODEL_PARTITIONS; partition++)
            visit_rows(slot, partition, 0, whole, visit);
        break;
    default:
        visit_rows(slot, operation->partition, operation->row, operation->row_end, visit);
        break;
    }
}

static void view_cell(struct ring_slot *slot, struct model_cell *cell)
{
    if (slot->view_count == slot->view_capacity) {
        slot->view_capacity = slot->view_capacity == 0 ? 16 : 2 * slot->view_capacity;
        slot->views = realloc(slot->views, slot->view_capacity * sizeof slot->views[0]);
        ASSERT(slot->views != NULL);
    }
    model_read_begin(slot->workload->model, cell, &slot->views[slot->view_count++]);
}

static void write_cell(struct ring_slot *slot, struct model_cell *cell)
{
    enum workload_kind kind = slot->operation.kind;
    bool is_delete = kind != WORKLOAD_INSERT && kind != WORKLOAD_SET_STATIC &&
                     kind != WORKLOAD_CREATE_TABLE && kind != WORKLOAD_ALTER_TABLE;
    model_write(slot->workload->model, cell, slot->operation.stamp, is_delete);
}

static void acknowledge_cell(struct ring_slot *slot, struct model_cell *cell)
{
    model_acknowledge(slot->workload->model, cell, slot->operation.stamp);
}

static void acknowledge_cell_weakly(struct ring_slot *slot, struct model_cell *cell)
{
    struct ring_workload *workload = slot->workload;
    if (workload->weak_count == workload->weak_capacity) {
        workload->weak_capacity = workload->weak_capacity == 0 ? 256 : 2 * workload->weak_capacity;
        workload->weak = realloc(workload->weak, workload->weak_capacity * sizeof *workload->weak);
        ASSERT(workload->weak != NULL);
    }
    workload->weak[workload->weak_count++] = (struct weak_change){cell, slot->operation.stamp};
}

static void refuse_cell(struct ring_slot *slot, struct model_cell *cell)
{
    model_refuse(slot->workload->model, cell, slot->operation.stamp);
}

static struct change *change_at(struct ring_workload *workload, uint64_t stamp)
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
    const struct change *change = change_at(workload, found->stamp);
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
    uint64_t stamp = 0;
    size_t times = 0;
    char message[512];
    model_cell_place(workload->model, view->cell, &partition, &row);
    for (size_t i = 0; i < operation->found_count; i++) {
        const struct workload_found *found = &operation->found[i];
        if (found->partition != partition || found->row != row) continue;
        stamp = found->stamp;
        times++;
    }
    const char *wrong = operation->table == WORKLOAD_COUNTERS
                            ? model_read_counter(workload->model, view, (int64_t)stamp, message)
                            : model_read_value(workload->model, view, stamp, message);
    if (times > 1) wrong = "the row came twice";
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

static void was_asked(struct ring_slot *slot)
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

// Behind the last row that a read wanted nobody knows what is there.
static bool is_behind_limit(const struct ring_slot *slot, const struct model_view *view)
{
    const struct workload_operation *operation = &slot->operation;
    size_t partition, row, count = 0, last = 0;
    model_cell_place(slot->workload->model, view->cell, &partition, &row);
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

static void end_read(struct ring_slot *slot, enum workload_outcome outcome)
{
    struct ring_workload *workload = slot->workload;
    bool is_strong = slot->is_strong;
    if (slot->operation.table == WORKLOAD_SCHEMA)
        is_strong = workload->phase == PHASE_CHECK || is_calm(slot);
    if (outcome == WORKLOAD_DONE) check_weakly(slot);
    if (outcome == WORKLOAD_DONE && slot->operation.table == WORKLOAD_EXPIRING)
        end_expiring_read(slot);
    for (size_t i = 0; i < slot->view_count; i++) {
        struct model_view *view = &slot->views[i];
        bool is_checked = outcome == WORKLOAD_DONE && is_strong;
        if (is_checked && (slot->operation.limit == 0 || !is_behind_limit(slot, view)))
            check_view(slot, view);
        else
            model_read_drop(workload->model, view);
    }
    slot->view_count = 0;
}

// ---- Making operations -------------------------------------------------------------------------

static const uint16_t weights[WORKLOAD_KIND_COUNT] = {
    [WORKLOAD_INSERT] = 200,      [WORKLOAD_SET_STATIC] = 25,      [WORKLOAD_DELETE_ROW] = 35,
    [WORKLOAD_DELETE_RANGE] = 20, [WORKLOAD_DELETE_PARTITION] = 6, [WORKLOAD_INCREMENT] = 260,
    [WORKLOAD_READ_ROW] = 200,    [WORKLOAD_READ_PARTITION] = 60,  [WORKLOAD_READ_SLICE] = 50,
    [WORKLOAD_SCAN] = 30,         [WORKLOAD_TRUNCATE] = 1,         [WORKLOAD_FLUSH] = 8,
    [WORKLOAD_CREATE_TABLE] = 10, [WORKLOAD_ALTER_TABLE] = 12,     [WORKLOAD_DROP_TABLE] = 6,
    [WORKLOAD_READ_SCHEMA] = 30,  [WORKLOAD_INSERT_BATCH] = 25,    [WORKLOAD_INSERT_IF] = 12,
    [WORKLOAD_UPDATE_IF] = 60,    [WORKLOAD_READ_SERIAL] = 30,     [WORKLOAD_INSERT_TTL] = 60,
};

static uint64_t weight_of(const struct ring_workload *workload, size_t kind)
{
    bool is_ddl = kind >= WORKLOAD_CREATE_TABLE && kind <= WORKLOAD_DROP_TABLE;
    bool is_paxos = is_conditional((enum workload_kind)kind);
    if (workload->options.only_paxos && !is_paxos) return 0;
    bool often = (is_ddl && workload->much_ddl) || (is_paxos && workload->much_paxos);
    return (uint64_t)weights[kind] * (often ? 10 : 1);
}

static enum workload_kind pick_kind(struct ring_workload *workload)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < WORKLOAD_KIND_COUNT; i++)
        sum += weight_of(workload, i);
    uint64_t at = below(workload, sum);
    size_t kind = 0;
    for (; at >= weight_of(workload, kind); kind++)
        at -= weight_of(workload, kind);
    return (enum workload_kind)kind;
}

static enum workload_table pick_table(struct ring_workload *workload, enum workload_kind kind)
{
    switch (kind) {
    case WORKLOAD_INCREMENT:
        return WORKLOAD_COUNTERS;
    case WORKLOAD_TRUNCATE:
        return WORKLOAD_TRUNCATED;
    case WORKLOAD_CREATE_TABLE:
    case WORKLOAD_ALTER_TABLE:
    case WORKLOAD_DROP_TABLE:
    case WORKLOAD_READ_SCHEMA:
        return WORKLOAD_SCHEMA;
    case WORKLOAD_INSERT_BATCH:
        return WORKLOAD_BATCHED;
    case WORKLOAD_INSERT_TTL:
        return WORKLOAD_EXPIRING;
    default:
        break;
    }
    if (is_read(kind) && kind != WORKLOAD_SCAN && chance(workload, 0.15)) return WORKLOAD_EXPIRING;
    if (is_conditional(kind)) return WORKLOAD_REGISTERS;
    if (is_read(kind) && chance(workload, 0.4)) return WORKLOAD_COUNTERS;
    return chance(workload, workload->has_left_one ? 0.4 : 0.85) ? WORKLOAD_VALUES
                                                                 : WORKLOAD_TRUNCATED;
}

static enum consistency pick_consistency(struct ring_workload *workload, enum workload_kind kind)
{
    if (kind == WORKLOAD_READ_SERIAL) return CONSISTENCY_SERIAL;
    uint64_t dice = below(workload, 100);
    // The commit's: what was accepted holds, wherever its commit has come to.
    if (is_conditional(kind))
        return dice < 45   ? CONSISTENCY_QUORUM
               : dice < 85 ? CONSISTENCY_ONE
               : dice < 95 ? CONSISTENCY_ANY
                           : CONSISTENCY_ALL;
    if (dice < 65) return CONSISTENCY_QUORUM;
    if (dice >= 95) return CONSISTENCY_ALL;
    return dice < 75 && kind == WORKLOAD_INSERT ? CONSISTENCY_ANY : CONSISTENCY_ONE;
}

static void pick_rows(struct ring_workload *workload, struct workload_operation *operation)
{
    size_t rows = operation->table == WORKLOAD_EXPIRING ? EXPIRY_ROWS : MODEL_ROWS;
    operation->row = (size_t)below(workload, rows);
    operation->row_end = operation->row + 1;
    if (operation->kind == WORKLOAD_DELETE_RANGE || operation->kind == WORKLOAD_READ_SLICE)
        operation->row_end += (size_t)below(workload, rows - operation->row);
    if (operation->table == WORKLOAD_EXPIRING) operation->partition %= EXPIRY_PARTITIONS;
    if (operation->kind == WORKLOAD_SET_STATIC) {
        operation->row = MODEL_STATIC;
        operation->row_end = MODEL_STATIC + 1;
    }
    if (operation->table == WORKLOAD_SCHEMA) {
        operation->row = 0;
        operation->row_end = 1;
    }
}

// The first rows of all, or of some.
static void pick_limit(struct ring_workload *workload, struct workload_operation *operation)
{
    bool is_slice = operation->kind == WORKLOAD_READ_SLICE;
    if ((!is_slice && operation->kind != WORKLOAD_SCAN) || operation->table == WORKLOAD_EXPIRING ||
        chance(workload, 0.5))
        return;
    operation->limit = 1 + (size_t)below(workload, 4);
    if (!is_slice || chance(workload, 0.5)) return;
    operation->row = 0;
    operation->row_end = MODEL_ROWS;
}

// The truncated table rests before and behind a truncation, so that only hints can bring back what
// was there.
static bool may_use_truncated(struct ring_workload *workload, enum workload_kind kind)
{
    if (kind == WORKLOAD_TRUNCATE) {
        workload->truncation.wanted = workload->truncation.closed = true;
        return workload->truncation.busy == 0 &&
               now(workload) - workload->truncation.quiet_since_ns >= QUIET_NS;
    }
    return !workload->truncation.closed;
}

// False: not now, because of what is under way.
static bool make_operation(struct ring_workload *workload, struct workload_operation *operation,
                           bool did_ddl)
{
    operation->kind = workload->truncation.wanted && chance(workload, 0.2) ? WORKLOAD_TRUNCATE
                                                                           : pick_kind(workload);
    if (did_ddl && chance(workload, 0.7)) operation->kind = WORKLOAD_READ_SCHEMA;
    operation->table = pick_table(workload, operation->kind);
    operation->partition = (size_t)below(workload, MODEL_PARTITIONS);
    operation->consistency = pick_consistency(workload, operation->kind);
    operation->reversed = chance(workload, 0.3);
    operation->is_long = workload->much_ddl;
    operation->ttl_s = 1 + (int)below(workload, EXPIRY_TTL_MAX_S);
    pick_rows(workload, operation);
    pick_limit(workload, operation);
    // A hint may come long after a truncation.
    if (operation->table == WORKLOAD_TRUNCATED && operation->consistency == CONSISTENCY_ANY)
        operation->consistency = CONSISTENCY_ONE;
    if (operation->table == WORKLOAD_REGISTERS)
        operation->partition %= workload->much_paxos ? 1 : REGISTERS;
    if (operation->kind == WORKLOAD_UPDATE_IF)
        operation->expected = workload->last_seen[operation->partition];
    if (operation->kind == WORKLOAD_UPDATE_IF && operation->expected == 0) return false;
    if (operation->table == WORKLOAD_SCHEMA && operation->kind != WORKLOAD_READ_SCHEMA &&
        workload->name_is_busy[operation->partition])
        return false;
    if (operation->table == WORKLOAD_TRUNCATED && !may_use_truncated(workload, operation->kind))
        return false;
    if (operation->kind == WORKLOAD_INCREMENT &&
        model_free_digits(model_cell_at(workload->model, operation->table, operation->partition,
                                        operation->row)) == 0)
        return false;
    return true;
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
    *change_at(workload, operation->stamp) =
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
    struct change *change = change_at(workload, operation->stamp);
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

static void schedule_slot(struct ring_slot *slot, uint64_t delay_ns);
static void go_on_checking(struct ring_workload *workload);
static void end_check(struct ring_slot *slot, enum workload_outcome outcome);

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
    check_refusal(slot, outcome);
    if (operation->table == WORKLOAD_TRUNCATED) {
        workload->truncation.busy--;
        if (outcome == WORKLOAD_DONE || outcome == WORKLOAD_UNKNOWN)
            workload->truncation.quiet_since_ns = now(workload);
    }
    if (is_conditional(operation->kind))
        end_conditional(slot, outcome);
    else if (is_read(operation->kind))
        end_read(slot, outcome);
    else
        end_write(slot, outcome);
    if (outcome == WORKLOAD_DONE) workload->done[operation->kind]++;
    if (outcome != WORKLOAD_NOT_SENT) workload->submitted++;
    if (slot == &workload->check) {
        end_check(slot, outcome);
        return;
    }
    slot->did_ddl = outcome == WORKLOAD_DONE && operation->table == WORKLOAD_SCHEMA &&
                    operation->kind != WORKLOAD_READ_SCHEMA;
    bool goes_on = outcome == WORKLOAD_DONE && (slot->did_ddl || chance(workload, 0.4));
    schedule_slot(slot, goes_on ? 0 : below(workload, workload->think_ns));
}

static void submit(struct ring_slot *slot)
{
    struct ring_workload *workload = slot->workload;
    struct workload_operation *operation = &slot->operation;
    operation->found_count = 0;
    slot->begun_ns = now(workload);
    slot->view_count = 0;
    slot->is_strong =
        operation->consistency != CONSISTENCY_ONE || workload->options.replication_factor == 1;
    if (operation->kind != WORKLOAD_READ_SERIAL && !is_read(operation->kind)) begin_write(slot);
    if (is_conditional(operation->kind)) begin_conditional(slot);
    if (is_read(operation->kind)) visit_cells(slot, view_cell);
    if (operation->table == WORKLOAD_EXPIRING) begin_expiring_read(slot);
    if (operation->table == WORKLOAD_TRUNCATED) workload->truncation.busy++;
    slot->is_busy = true;
    operation->done = operation_is_done;
    workload->busy_count++;
    sim_world_note(workload->sim, "%s %d k%zu/%zu-%zu #%" PRIu64 " %+" PRId64 " %s",
                   workload_kind_text(operation->kind), (int)operation->table, operation->partition,
                   operation->row, operation->row_end, operation->stamp, operation->delta,
                   consistency_text(operation->consistency));
    sim_clients_submit(workload->clients, operation);
    was_asked(slot);
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
    if (!make_operation(workload, operation, did_ddl)) {
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
    submit(slot);
}

static void schedule_slot(struct ring_slot *slot, uint64_t delay_ns)
{
    sim_world_call(slot->workload->sim, &slot->call, delay_ns, run_slot);
}

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
        const struct change *change = change_at(workload, stamp);
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

static void end_check(struct ring_slot *slot, enum workload_outcome outcome)
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
    *operation = (struct workload_operation){.kind = last_steps[index].kind,
                                             .table = last_steps[index].table,
                                             .consistency = last_steps[index].consistency,
                                             .found = operation->found,
                                             .found_capacity = operation->found_capacity,
                                             .partition = node == SIZE_MAX ? 0 : node,
                                             .row_end = 1};
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
    submit(slot);
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
    free(slot->views);
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
