// What a member does that is told to truncate a table
// (org.apache.cassandra.db.TruncateVerbHandler).
//
//     request = 16 table id | i64 time of the truncation, us     answer = nothing, when durable
//
// A coordinator gives no two truncations one time: so a request that comes twice is known, and does
// not take what was written between the two.
//
// Its own data goes and so does what it kept for others (hints); what others kept and have just
// sent is recognised by its age. CONFLICT: a stream job counts into the table, as this member
// knows.
#ifndef RING_REPLICA_TRUNCATE_H
#define RING_REPLICA_TRUNCATE_H

#include "ring/coordinator/hints.h"
#include "ring/transport/messaging.h"
#include "storage/engine/engine.h"

struct coordinator;
struct replica_truncation;

// When a table was truncated last, since the start.
struct truncated_table {
    struct uuid table;
    int64_t time_us;    // The newest, by the clocks of coordinators.
    int64_t last_us;    // Of the last one that came,
    uint16_t last_from; // and whose it was.
};

struct replica_truncations {
    struct message_handler handler;
    struct replica_truncation *running;
    struct truncated_table *tables;
    size_t count, capacity;
    int64_t last_us; // Of the last one of our own.
};

void replica_truncations_init(struct coordinator *coordinator);
void replica_truncations_deinit(struct coordinator *coordinator);
// INT64_MIN: not since the start.
int64_t replica_truncations_time(const struct replica_truncations *truncations, struct uuid table);

// The time of one that begins here and now: beyond that of any before.
int64_t replica_truncations_next(struct coordinator *coordinator);

// Truncates here: data and hints. `done` when both are durable.
struct truncate_here {
    void (*done)(struct truncate_here *here, enum status status);
    struct coordinator *coordinator; // The rest is its own.
    struct uuid table;
    enum status status;
    struct engine_flush flush;
    struct hints_wait wait;
};
void truncate_here_start(struct coordinator *coordinator, struct truncate_here *here,
                         struct uuid table, uint16_t from, int64_t time_us,
                         void (*done)(struct truncate_here *here, enum status status));

#endif
