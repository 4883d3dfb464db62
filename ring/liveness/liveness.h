// Which members live, as this node sees it: SWIM (Das, Gupta, Motivala 2002), in the place of
// Cassandra's gossip and org.apache.cassandra.gms.FailureDetector.
//
// Each period a node probes one member, in an order that comes round to all; without an answer it
// asks a few others to probe for it. What nodes believe rides on probes and answers, so traffic per
// node does not grow with the ring. A member that says nothing is suspected, and down when
// suspicion is old; a connection that breaks and is refused again is down at once. A member that
// hears it is held dead says so with a higher incarnation.
//
//     UP --no answer--> SUSPECT --time--> DOWN --answers, or a higher incarnation--> UP
//      ^-------------------/answer           (UNKNOWN at the start: neither up nor told to
//      listeners)
//
// Times are fixed, not learned from the intervals of arrivals as an accrual detector (Hayashibara
// 2004) does: a member is probed every members * period, and heard of whenever there is work, so
// there is no interval whose distribution would mean anything. What an accrual detector is for, not
// to take one's own slowness for the death of others, is done directly: a node whose own timer came
// late begins all suspicion anew (Lifeguard; Dadgar, Phillips, Currey 2018).
#ifndef RING_LIVENESS_H
#define RING_LIVENESS_H

#include "ring/transport/messaging.h"

struct liveness;

struct liveness_options {
    uint16_t self, member_count;
    uint64_t period_ns;        // Between two probes; 0: 200 ms.
    uint64_t probe_timeout_ns; // 0: 500 ms.
    uint64_t suspicion_ns;     // From the first missed probe to DOWN; 0: 2 s.
};

struct liveness_listener {
    void (*changed)(struct liveness_listener *listener, uint16_t member, bool is_up);
    struct liveness_listener *next;
};

struct liveness *liveness_create(struct env *env, struct messaging *messaging,
                                 const struct liveness_options *options);
// Before messaging_close().
void liveness_destroy(struct liveness *liveness);
void liveness_abandon(struct liveness *liveness);
// We always are. Also not up: what is not known yet.
bool liveness_is_up(const struct liveness *liveness, uint16_t member);
// It is up, and answered our own last probe. One that is up by the word of others alone, because
// the network between it and us is cut, is better not asked first.
bool liveness_is_near(const struct liveness *liveness, uint16_t member);
uint16_t liveness_up_count(const struct liveness *liveness); // With ourselves.
void liveness_listen(struct liveness *liveness, struct liveness_listener *listener);
void liveness_unlisten(struct liveness *liveness, struct liveness_listener *listener);
// For a person: "up", "suspect", "down", "unknown", and how long (ns).
const char *liveness_state_text(const struct liveness *liveness, uint16_t member,
                                uint64_t *since_ns);
// Bytes and messages that liveness sent and got since the start.
struct liveness_traffic {
    uint64_t messages_sent, bytes_sent, messages_received, bytes_received;
};
struct liveness_traffic liveness_traffic(const struct liveness *liveness);

#endif
