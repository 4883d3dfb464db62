#include "node/sim/ring_workload_state.h"

enum { SPARSE_ROWS = 2 };

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

// Where much is deleted, and each partition has little: replicas count to a limit in what others
// have deleted, or end a page with a partition that has no row.
static const uint16_t sparse_weights[WORKLOAD_KIND_COUNT] = {
    [WORKLOAD_INSERT] = 120,       [WORKLOAD_SET_STATIC] = 250, [WORKLOAD_DELETE_ROW] = 100,
    [WORKLOAD_DELETE_RANGE] = 100, [WORKLOAD_READ_SLICE] = 100, [WORKLOAD_DELETE_PARTITION] = 30,
    [WORKLOAD_SCAN] = 300,
};

static uint64_t weight_of(const struct ring_workload *workload, size_t kind)
{
    bool is_ddl = kind >= WORKLOAD_CREATE_TABLE && kind <= WORKLOAD_DROP_TABLE;
    bool is_paxos = operation_is_conditional((enum workload_kind)kind);
    if (workload->options.only_paxos && !is_paxos) return 0;
    bool often = (is_ddl && workload->much_ddl) || (is_paxos && workload->much_paxos) ||
                 (kind == WORKLOAD_INSERT_BATCH && workload->options.much_batches);
    bool is_sparse = workload->options.is_sparse && sparse_weights[kind] > 0;
    return (uint64_t)(is_sparse ? sparse_weights : weights)[kind] * (often ? 10 : 1);
}

static enum workload_kind pick_kind(struct ring_workload *workload)
{
    uint64_t often[WORKLOAD_KIND_COUNT];
    for (size_t i = 0; i < WORKLOAD_KIND_COUNT; i++)
        often[i] = weight_of(workload, i);
    return operation_pick_kind(&workload->random, often, WORKLOAD_KIND_COUNT);
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
    if (operation_is_read(kind) && kind != WORKLOAD_SCAN && chance(workload, 0.15))
        return WORKLOAD_EXPIRING;
    if (operation_is_conditional(kind)) return WORKLOAD_REGISTERS;
    if (operation_is_read(kind) && chance(workload, 0.4)) return WORKLOAD_COUNTERS;
    return chance(workload, workload->has_left_one ? 0.4 : 0.85) ? WORKLOAD_VALUES
                                                                 : WORKLOAD_TRUNCATED;
}

static enum consistency pick_consistency(struct ring_workload *workload, enum workload_kind kind)
{
    if (kind == WORKLOAD_READ_SERIAL) return CONSISTENCY_SERIAL;
    uint64_t dice = below(workload, 100);
    // The commit's: what was accepted holds, wherever its commit has come to.
    if (operation_is_conditional(kind))
        return dice < 45   ? CONSISTENCY_QUORUM
               : dice < 85 ? CONSISTENCY_ONE
               : dice < 95 ? CONSISTENCY_ANY
                           : CONSISTENCY_ALL;
    if (dice < 65) return CONSISTENCY_QUORUM;
    if (dice >= 95) return CONSISTENCY_ALL;
    return dice < 75 && kind == WORKLOAD_INSERT ? CONSISTENCY_ANY : CONSISTENCY_ONE;
}

// The first rows of all, or of some.
static void pick_limit(struct ring_workload *workload, struct workload_operation *operation)
{
    bool is_slice = operation->kind == WORKLOAD_READ_SLICE;
    if ((!is_slice && operation->kind != WORKLOAD_SCAN) || operation->table == WORKLOAD_EXPIRING ||
        chance(workload, 0.5))
        return;
    operation->limit = 1 + (size_t)below(workload, 4);
    operation->limits_all = !is_slice && chance(workload, 0.5);
    if (operation->limits_all) operation->limit += (size_t)below(workload, MODEL_PARTITIONS);
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
bool ring_mix_make(struct ring_workload *workload, struct workload_operation *operation,
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
    bool expires = operation->table == WORKLOAD_EXPIRING;
    if (expires) operation->partition %= EXPIRY_PARTITIONS;
    bool is_few = workload->options.is_sparse &&
                  (operation->table == WORKLOAD_VALUES || operation->table == WORKLOAD_TRUNCATED);
    operation_pick_rows(&workload->random, operation,
                        expires  ? EXPIRY_ROWS
                        : is_few ? SPARSE_ROWS
                                 : MODEL_ROWS);
    pick_limit(workload, operation);
    if (workload->options.is_sparse) operation->page_max = SPARSE_PAGE_MAX;
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
    operation_use_index(operation, workload->submitted);
    return true;
}
