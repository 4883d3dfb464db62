// A ring of members with everything between a statement and the disk, each a process of a simulated
// world with a machine of its own: engine, metadata, messaging, liveness, placement, hints,
// coordinator, Paxos. No fault strikes by itself unless the test asks for it.
//
//     struct ring_world world;
//     ring_world_open(&world, &(struct ring_world_options){.count = 3, .factor = 3});
//     coordinator_write_start(world.members[0].coordinator, …);
//     ring_world_run(&world, 0.5, &done);
//     ring_world_close(&world);
//
// Keyspace "ks" (SimpleStrategy with the factor, or by data centre) has the tables "t" (k blob, c
// text, static s text, a text, b text) and "counts" (k blob, c text, n counter).
#ifndef TESTS_RING_SUPPORT_RING_WORLD_H
#define TESTS_RING_SUPPORT_RING_WORLD_H

#include "base/env_sim.h"
#include "ring/coordinator/coordinator.h"
#include "ring/liveness/liveness.h"
#include "ring/metadata/metadata.h"
#include "ring/paxos/internal_tables.h"
#include "ring/paxos/paxos.h"
#include "ring/transport/messaging.h"

struct ring_member {
    struct ring_world *world;
    uint16_t number;
    struct sim_machine *machine;
    struct env *env; // NULL: it is dead, and so are all below.
    struct internal_tables tables;
    struct metadata *metadata;
    struct messaging *messaging;
    struct liveness *liveness;
    struct engine *engine;
    struct placement *placement;
    struct hints *hints;
    struct batch_log *batch_log;
    struct coordinator *coordinator;
    struct paxos *paxos;
    void (*abandon)(struct ring_member *member); // Of what the test has in the process; first.
    void *data;                                  // The test's.
};

struct ring_world_options {
    size_t count;
    uint64_t seed;
    int factor;                 // Of "ks"; of each data centre when there are any.
    const char *const *centers; // Data centre of each member; NULL: all are "datacenter1".
    struct hints_options hints; // The directory is set.
    bool has_no_gc_grace;       // gc_grace_seconds of the tables is 0.
    bool is_periodic;           // Writes are answered first and synced ten seconds later.
};

struct ring_world {
    struct sim_world *sim;
    struct ring_world_options options;
    struct topology *topology;
    size_t count;
    struct ring_member *members;
};

// Comes back when all members know of each other and have the schema.
void ring_world_open(struct ring_world *world, const struct ring_world_options *options);
void ring_world_close(struct ring_world *world);
// The next `seconds`, or until `*done` if that is not NULL.
void ring_world_run(struct ring_world *world, double seconds, const bool *done);
// kill -9, or power loss if `power`. All others have noticed when it returns.
void ring_world_kill(struct ring_world *world, size_t number, bool power);
// Its process again. All know of it when it returns.
void ring_world_start(struct ring_world *world, size_t number);
// The same, without waiting for anything.
void ring_world_start_now(struct ring_world *world, size_t number);
// Runs until each live member believes this of that one.
void ring_world_wait_up(struct ring_world *world, size_t number, bool is_up);

// Present version of a table as a member has it.
const struct table *ring_world_table(const struct ring_world *world, size_t number,
                                     const char *name);
// The first key "k<n>" whose primary replica is that member.
void ring_world_find_key(const struct ring_world *world, uint16_t primary, char key[16]);

// ---- Operations, one after the other
// -------------------------------------------------------------

// Sets column a of row "row" of table "t" through a member, and waits for the end.
struct coordinator_result ring_world_write(struct ring_world *world, size_t at, const char *key,
                                           const char *value, enum consistency consistency);
// What a member has itself of that; "-": nothing.
void ring_world_read_local(const struct ring_world *world, size_t at, const char *key, char *text,
                           size_t size);

#endif
