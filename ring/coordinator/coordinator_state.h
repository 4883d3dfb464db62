// The coordinator among its own files: what coordinator_*.c share.
#ifndef RING_COORDINATOR_STATE_H
#define RING_COORDINATOR_STATE_H

#include "ring/coordinator/coordinator.h"
#include "ring/coordinator/delivery.h"
#include "ring/coordinator/replica_increment.h"
#include "ring/coordinator/replica_trace.h"
#include "ring/coordinator/replica_write.h"

struct read_pool;

enum {
    COORDINATOR_ARENA_BLOCK_SIZE = 16384,
    FREE_ARENAS_MAX = 16,
    COORDINATOR_MEMBER_TEXT_SIZE = ENV_ADDRESS_TEXT_SIZE + 1,
    KEPT_ARENA_SIZE_MAX = 65536, // A larger one is not kept for the next operation.
};

struct coordinator {
    struct env *env;
    struct coordinator_options options;
    struct engine *engine;
    const struct schema *schema;
    uint16_t self; // Our number; 0 in a ring of one.
    struct coordinator_counts counts;
    struct trace *trace; // Of what is started in this call.
    // An operation needs its arena only while it reads or applies, so one or two serve for all.
    struct arena free_arenas[FREE_ARENAS_MAX];
    size_t free_arena_count;
    struct buffer record; // One on its way to replicas of which we are none.
    struct deliveries deliveries;
    struct replica_writes replica_writes;
    struct replica_increments replica_increments;
    struct replica_truncations replica_truncations;
    struct replica_traces replica_traces;
    struct logged_batch *logged_batches; // Under way.
    struct read_pool *reads;             // NULL in a ring of one.
};

// coordinator_batch.c: frees those under way.
void logged_batches_deinit(struct coordinator *coordinator);

// NULL in a ring of one, and once messaging is closed: then there is nobody to answer.
static inline struct messaging *coordinator_messaging(const struct coordinator *coordinator)
{
    return coordinator->replica_writes.write.messaging;
}

// Of users, else of the system. NULL: none is replicated under that name, or there is none.
const struct keyspace *coordinator_find_keyspace(const struct coordinator *coordinator,
                                                 struct slice name);
const struct table *coordinator_find_table(const struct coordinator *coordinator, struct uuid id);

// "/127.0.0.2:7000", as events of traces name members.
const char *coordinator_member_text(const struct coordinator *coordinator, uint16_t member,
                                    char text[static COORDINATOR_MEMBER_TEXT_SIZE]);

void coordinator_take_arena(struct coordinator *coordinator, struct arena *arena);
// The arena is empty afterwards, and may be given back again.
void coordinator_give_arena(struct coordinator *coordinator, struct arena *arena);

// Sets `*result` and tells whether enough replicas of the table are alive.
bool coordinator_replicas_suffice(const struct coordinator *coordinator, const struct table *table,
                                  enum consistency consistency, struct coordinator_result *result);
// The same for a write of one partition, with its replicas; also OVERLOADED.
bool coordinator_plan_write(const struct coordinator *coordinator, const struct table *table,
                            struct token token, enum consistency consistency,
                            struct replica_plan *plan, struct coordinator_result *result);
bool coordinator_is_replica(const struct coordinator *coordinator, const struct replica_plan *plan);
// Writes of the table are acknowledged only from the disk, though this node's sync mode is another:
// an open job counts there, and what it counted is never counted again (exactly-once.md, rule 9).
bool coordinator_is_of_job(const struct coordinator *coordinator, struct uuid table);
// Of an operation of several parts the worst counts. One that wrote nothing is still a failure
// when another part of it wrote something (`is_alone`: there is no other).
void coordinator_result_merge(struct coordinator_result *result,
                              const struct coordinator_result *part, bool is_alone);
// One more replica answered with a fault.
void coordinator_result_blame(struct coordinator_result *result, uint16_t member,
                              enum status status);
// How a fault of the local engine looks from outside. WOULD_BLOCK never comes here.
void coordinator_result_fail(struct coordinator_result *result, enum status status);

#endif
