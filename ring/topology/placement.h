// Which members have copies of a key (org.apache.cassandra.locator.AbstractReplicationStrategy and
// its natural replicas): SimpleStrategy, NetworkTopologyStrategy, LocalStrategy.
//
// The replicas of every place of the ring are worked out once for each keyspace and version of its
// options, so that a request only looks them up.
#ifndef RING_PLACEMENT_H
#define RING_PLACEMENT_H

#include "ring/metadata/metadata.h"
#include "ring/topology/topology.h"

// Ring order: the first is the primary. Valid for this turn of the loop.
struct replicas {
    const uint16_t *members;
    uint16_t count;
};

struct placement;

// Hears of changes from `metadata`. `self` is this node's number.
struct placement *placement_create(struct metadata *metadata, uint16_t self);
void placement_destroy(struct placement *placement);
uint16_t placement_self(const struct placement *placement);
const struct topology *placement_topology(const struct placement *placement);

// LocalStrategy: this node alone. None when the keyspace's options give none.
struct replicas placement_find(struct placement *placement, const struct keyspace *keyspace,
                               struct token token);
// The same for a place of the ring, an index into the topology's.
struct replicas placement_at(struct placement *placement, const struct keyspace *keyspace,
                             size_t place);
// Works out the replicas of a place anew, into `members` (room for all members): what the above
// keep. Not for LocalStrategy. The result is their number.
uint16_t placement_choose(const struct topology *topology, const struct keyspace *keyspace,
                          size_t place, uint16_t *members);
// How many copies the options ask for, over all data centres, in this node's and in another: more
// than there are nodes is possible, as in Cassandra.
int placement_factor(struct placement *placement, const struct keyspace *keyspace);
int placement_local_factor(struct placement *placement, const struct keyspace *keyspace);
int placement_factor_in(const struct placement *placement, const struct keyspace *keyspace,
                        const char *data_center);
// Same data centre as this node.
bool placement_is_local(const struct placement *placement, uint16_t member);

#endif
