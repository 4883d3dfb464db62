// What the files of a ring's clients share. Not for others.
//
//     ring_workload.c      slots: each does one operation after the other; the phases of a run
//     ring_mix.c           which operation is next
//     ring_check.c         what is noted when one begins, and checked when it ends
//     ring_last_steps.c    the end, when all has healed
#ifndef NODE_SIM_RING_WORKLOAD_STATE_H
#define NODE_SIM_RING_WORKLOAD_STATE_H

#include "base/random.h"
#include "node/sim/expiry.h"
#include "node/sim/linearizable.h"
#include "node/sim/operation.h"
#include "node/sim/ring_workload.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)
// After so long nothing of a table is under way any more, but for hints: cuts, pauses and timeouts
// are shorter.
#define QUIET_NS (14 * NS_PER_S)

enum {
    SLOTS_MAX = 24,
    FAULT_SIZE = 1024,
    REGISTERS = 4,
    BATCH_VALUE_SIZE_MAX = 1000,
    SPARSE_PAGE_MAX = 6
};

struct ring_slot {
    struct ring_workload *workload;
    struct workload_operation operation;
    struct sim_call call;
    struct operation_views views;
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

static inline uint64_t below(struct ring_workload *workload, uint64_t count)
{
    return random_below(&workload->random, count);
}

static inline bool chance(struct ring_workload *workload, double probability)
{
    return random_chance(&workload->random, probability);
}

static inline uint64_t now(const struct ring_workload *workload)
{
    return sim_world_now(workload->sim);
}

// Sends what the slot's operation says.
void ring_workload_submit(struct ring_slot *slot);
// False: not now, because of what is under way. `did_ddl`: the slot's last one changed the schema.
bool ring_mix_make(struct ring_workload *workload, struct workload_operation *operation,
                   bool did_ddl);
// Before an operation is sent, and right after.
void ring_check_begin(struct ring_slot *slot);
void ring_check_asked(struct ring_slot *slot);
void ring_check_end(struct ring_slot *slot, enum workload_outcome outcome);
// By its stamp.
struct change *ring_check_change(struct ring_workload *workload, uint64_t stamp);
// The end of an operation of `workload->check`.
void ring_last_steps_end(struct ring_slot *slot, enum workload_outcome outcome);

#endif
