// What the files of liveness share. Not for others.
//
//     liveness.c           probes, suspicion, connections, who is told
//     liveness_gossip.c    what nodes believe of each other, on the wire
#ifndef RING_LIVENESS_INTERNAL_H
#define RING_LIVENESS_INTERNAL_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "ring/liveness/liveness.h"

#define LIVENESS_NS_PER_MS UINT64_C(1000000)

enum liveness_state { LIVENESS_UNKNOWN, LIVENESS_UP, LIVENESS_SUSPECT, LIVENESS_DOWN };

// Who asks others to probe for it asks this many.
enum { LIVENESS_HELPERS = 2 };

// A request to a helper.
struct liveness_indirect {
    struct messaging_request request;
    struct liveness_member *member; // Whom it is about.
};

struct liveness_member {
    struct liveness *liveness;
    uint16_t number;
    enum liveness_state state;
    uint64_t incarnation;  // The highest heard of. A new life of the process has a higher one.
    uint64_t since_ns;     // Of the state.
    uint64_t missed_ns;    // The first probe that was not answered; 0: none is missing.
    uint64_t probed_ns;    // When the last probe left.
    bool heard;            // Since the last tick.
    bool is_silent;        // Our last probe was not answered.
    bool was_held_dead;    // It spoke while we thought otherwise, and does not know yet.
    uint8_t refused_count; // Connections refused since it was heard.
    uint8_t spread_left;   // How often the state still rides on messages; 0: not in `spread`.
    struct messaging_request ping;
    struct liveness_indirect indirect[LIVENESS_HELPERS];
    uint8_t indirect_count; // Under way.
};

// A probe in the name of another member.
struct liveness_relay {
    struct messaging_request ping;
    struct liveness *liveness;
    struct liveness_relay *next, **place;
    struct message_origin origin;
    uint16_t from;
};

struct liveness {
    struct env *env;
    struct messaging *messaging;
    struct liveness_options options;
    struct liveness_member *members;
    struct messaging_listener connections;
    struct message_handler on_ping, on_ping_request;
    struct liveness_listener *listeners;
    struct env_timer tick_timer, start_timer;
    uint64_t started_ns, tick_ns; // tick_ns: when the next is due.
    uint16_t *order;              // Whom to probe, shuffled each time round.
    uint16_t order_next, down_next;
    uint16_t *spread; // Members whose state rides on messages.
    uint16_t spread_count, spread_next;
    uint64_t incarnation; // Ours.
    struct liveness_relay *relays;
    uint16_t relay_count;
    uint16_t up_count, unknown_count;
    struct liveness_traffic traffic;
};

// ---- liveness.c ---------------------------------------------------------------------------------

// Sets a member's state, tells the listeners, and has it spread.
void liveness_set_state(struct liveness *liveness, struct liveness_member *member,
                        enum liveness_state state);
void liveness_probe(struct liveness *liveness, struct liveness_member *member);

// ---- liveness_gossip.c --------------------------------------------------------------------------

//     gossip = u64 incarnation of the sender | u8 flags | { u16 member | u8 state | u64 incarnation
//     }*
//
// flags bit 0: tell me all that you know.
void liveness_gossip_put(struct liveness *liveness, struct buffer *bytes, uint16_t to, bool all);
// `wants_all`: what the flags say. False: it is none.
bool liveness_gossip_take(struct liveness *liveness, uint16_t from, struct cursor *bytes,
                          bool *wants_all);
// Has the present state of a member ride on the next messages.
void liveness_gossip_spread(struct liveness *liveness, struct liveness_member *member);

#endif
