// One mutation on its way to its replicas
// (org.apache.cassandra.service.AbstractWriteResponseHandler and its callbacks).
//
//     record --applied here--> waits for our own sync
//        |---to a live replica--> group of that member --one message a turn--> answer when synced
//        \---to one that is down, or does not answer--> hint
//
//     WAITING --as many acks as the level wants--> ended OK --all heard of--> free
//        |------they can not come any more, or time is up--> ended, TIMED_OUT or FAILED
//
// An ack is counted only when the replica has synced the mutation. Whoever started a delivery hears
// of its end once and then forgets it; it lives on until each replica has answered or was given up,
// so that a late answer finds its place and a lost one becomes a hint.
//
// All that one turn of the loop has for a member leaves in one message, and is answered together:
//
//     request = n * { vint size | record }     answer = nothing: all synced; else n * u8 status
#ifndef RING_DELIVERY_H
#define RING_DELIVERY_H

#include "base/limits.h"
#include "ring/coordinator/replica_plan.h"
#include "ring/transport/messaging.h"

enum {
    DELIVERY_GROUP_SIZE_MAX = 65536, // A larger one is not waited with.
    DELIVERY_CHUNK_COUNT = 64,
    DELIVERY_GROUPS_KEPT = 64,
    DELIVERY_RECORD_SIZE_MAX = TRANSPORT_MESSAGE_SIZE_MAX - 64, // More fits into no message.
};

struct delivery_group;

struct delivery {
    struct coordinator *coordinator;
    struct trace *trace; // With a reference; NULL: nobody wants to know.
    void (*ended)(void *owner, const struct coordinator_result *result); // NULL: was called.
    void *owner;
    struct delivery *newer, **place; // By deadline, as long as the end is to come.
    uint64_t deadline_ns;
    struct coordinator_result result;
    uint16_t pending;      // Who may still answer, with ourselves.
    uint16_t counting;     // Those of them that count for the level.
    uint16_t center_count; // EACH_QUORUM: how many answers each data centre has to give still.
    uint16_t *wanted;
    bool is_local, is_counter, has_hint;
    struct commit_log_waiter waiter;
    struct hints_wait hint;
    struct env_task task;
};

struct delivery_queue {
    struct delivery *first, **end;
};

struct delivery_member {
    struct delivery_group *open; // What this turn has for it so far.
    size_t waiting_size;         // Bytes sent and not answered.
};

// All deliveries of a coordinator.
struct deliveries {
    struct delivery *free;
    struct delivery_chunk *chunks;
    size_t count;
    struct delivery_queue queues[2]; // By deadline: writes, counters.
    struct env_timer timer;
    struct delivery_member *members; // By number; NULL in a ring of one.
    struct delivery_group *open;     // Leave at the end of this turn.
    struct delivery_group *sent;
    struct delivery_group *free_groups;
    size_t free_group_count;
    struct env_task flush;
};

void deliveries_init(struct coordinator *coordinator);
// Frees all; nobody hears of it. Messaging and engine may be gone.
void deliveries_deinit(struct coordinator *coordinator);
// Another delivery would be too many. The caller answers OVERLOADED.
bool deliveries_are_full(const struct coordinator *coordinator);
// So much waits for that member's answers that it gets no more for now.
bool deliveries_are_clogged(const struct coordinator *coordinator, uint16_t member);

struct delivery_order {
    const struct replica_plan *plan;
    const struct table *table;
    struct slice record; // Read during the call only.
    // Of our own copy, if we are a replica: whether it was applied, and the position to wait for.
    enum status local_status;
    uint64_t position;
    bool is_counter; // Another timeout.
};
// `ended` comes in a later turn, once.
void delivery_start(struct coordinator *coordinator, const struct delivery_order *order,
                    void *owner,
                    void (*ended)(void *owner, const struct coordinator_result *result));

// Keeps the record for the member, which did not get it.
void delivery_hint(struct delivery *delivery, uint16_t member, struct slice record);
// How a member's part of a delivery went.
void delivery_hear(struct delivery *delivery, uint16_t member, enum status status);

// delivery_group.c
// Adds to what leaves for the member at the end of this turn.
void delivery_group_add(struct coordinator *coordinator, uint16_t member, struct slice record,
                        struct delivery *delivery);
void delivery_groups_deinit(struct coordinator *coordinator);

#endif
