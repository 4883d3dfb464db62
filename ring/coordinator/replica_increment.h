// Increments that go to a leader, and what the leader does
// (org.apache.cassandra.db.CounterMutationVerbHandler).
//
//     coordinator --the update, once--> leader: adds to its own shard, replicates that
//     coordinator <--how it ended-- leader
//
// An increment is never sent a second time and never hinted: without an answer nobody knows whether
// it was counted (exactly-once.md §3.5). What the leader refuses before it counted is told as such.
//
//     request = u64 run | uv number | update
//     update  = u8 consistency | 16 table id | vb key | i64 timestamp | uv n, n * increment
//     increment = u8 1: in a row, 0: static | [uv n, n * (uv size + 1 and the bytes, or 0: null)]
//                 | vb column's name | zv delta
//     answer  = u8 outcome | uv required | uv received | uv alive | uv failures
#ifndef RING_REPLICA_INCREMENT_H
#define RING_REPLICA_INCREMENT_H

#include "ring/coordinator/coordinator.h"
#include "ring/coordinator/replica_plan.h"
#include "ring/coordinator/seen_requests.h"
#include "ring/transport/messaging.h"

struct increment_request; // One of ours, at its leader.
struct led_increment;     // One of another member's, here.

struct replica_increments {
    struct message_handler handler;
    struct increment_request *free_requests, *requests;
    struct led_increment *free_led, *led;
    size_t led_count;
    struct seen_requests seen;
    uint64_t run, last_number; // Of the names of ours (seen_requests.h).
    struct buffer body;
};

void replica_increments_init(struct coordinator *coordinator);
void replica_increments_deinit(struct coordinator *coordinator);

// Sends an update to its leader. `ended` comes in a later turn, once.
void replica_increment_send(struct coordinator *coordinator, uint16_t leader,
                            const struct counter_update *update, const struct replica_plan *plan,
                            void *owner,
                            void (*ended)(void *owner, const struct coordinator_result *result));

// An update. The bytes outlive the update, which is in `arena`. CORRUPT: it fits no
// version of `table`.
void replica_increment_encode(const struct counter_update *update, enum consistency consistency,
                              struct buffer *bytes);
MUST_USE enum status replica_increment_decode(struct slice bytes, const struct schema *schema,
                                              struct arena *arena, struct counter_update *update,
                                              enum consistency *consistency);

// coordinator_increment.c: one that was sent to us as its leader.
void coordinator_increment_lead(struct coordinator *coordinator,
                                struct coordinator_increment *increment,
                                const struct counter_update *update, enum consistency consistency,
                                void (*done)(struct coordinator_increment *increment,
                                             const struct coordinator_result *result));

#endif
