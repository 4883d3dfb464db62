// What the files of a ring's world share. Not for others.
//
//     ring_world.c      nodes and their lives, healing, the comparison at the end
//     ring_weather.c    storms and calm: the network, the disks, the clocks, the power
#ifndef NODE_SIM_RING_WORLD_STATE_H
#define NODE_SIM_RING_WORLD_STATE_H

#include "base/random.h"
#include "node/node.h"
#include "node/sim/ring_world.h"
#include "storage/engine/engine.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

enum { NODES_MAX = 7 };

struct ring_world_node {
    struct ring_world *world;
    size_t index;
    struct sim_machine *machine;
    struct config config;
    struct env *env; // NULL: no process.
    struct node *node;
    bool is_ready, is_stopping, is_flushing;
    struct engine_flush flush;
    uint64_t starts;
    struct sim_call start_call, stop_call;
};

// A wrong that ends after a time.
enum trouble_kind {
    TROUBLE_LINK,
    TROUBLE_FULL,
    TROUBLE_MESSAGES,
    TROUBLE_TIME,
    TROUBLE_POWER,
    TROUBLE_OUTAGE
};
struct trouble {
    struct sim_call call;
    struct ring_world *world;
    struct trouble *next, **place;
    enum trouble_kind kind;
    size_t a, b;
};

// How often what happens in a storm, drawn once for a seed.
struct style {
    bool storms, has_slow_disks, restarts_fast, only_paxos, drags;
    uint64_t life_steps; // 0: lives do not end by themselves.
    uint64_t gap_ns;     // Between two troubles at most.
    double cuts, slowness, pauses, disks, messages, clocks, power;
};

struct ring_world {
    struct sim_world *sim;
    struct random random;
    struct ring_workload *workload;
    struct env *client_env;
    struct sim_clients *clients;
    struct style style;
    bool is_sparse;     // Little is left of each partition, and members miss some of it for long.
    bool traces;        // Some of all requests tell what is done for them.
    bool tears_batches; // Who stores them and who carries them out lose their power, one synced.
    double chances[SIM_FAULT_COUNT];
    size_t count;
    int replication_factor;
    struct ring_world_node nodes[NODES_MAX];
    struct trouble *troubles;
    bool in_storm, is_healing, is_over;
    // Whether a hint was made before a truncation is told by clocks, as in Cassandra.
    bool clocks_are_right;
    uint64_t heals;
    struct ring_world_node *late_node; // It starts when all others have run for a while.
    struct ring_world_node *dragged;   // In calm weather: what others tell it comes late.
    uint64_t last_wrong_ns, disk_faults, full_disks, crippling_faults;
    struct sim_call weather_call, trouble_call, healed_call;
    uint64_t healing_since_ns;
};

static inline uint64_t below(struct ring_world *world, uint64_t count)
{
    return random_below(&world->random, count);
}

static inline bool chance(struct ring_world *world, double probability)
{
    return random_chance(&world->random, probability);
}

static inline void note_wrong(struct ring_world *world)
{
    world->last_wrong_ns = sim_world_now(world->sim);
}

// How this life ends, if the weather is bad.
void ring_world_plan_end(struct ring_world_node *node);

// What a seed is like.
void ring_weather_choose_style(struct ring_world *world, bool only_paxos);
void ring_weather_disturb_members(struct ring_world *world);
void ring_weather_tear_batches(struct ring_world *world);
// From calm to storm, and back: called once, it comes back by itself.
void ring_weather_change(struct sim_call *call);
// How often disks and connections fail by themselves.
void ring_weather_set_chances(struct ring_world *world, bool storm);
void ring_weather_end_troubles(struct ring_world *world);
void ring_weather_end_drag(struct ring_world *world);

#endif
