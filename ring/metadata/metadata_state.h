// The state that the metadata log makes, among metadata's own files: what records mean, the whole
// state as bytes, and back.
#ifndef RING_METADATA_STATE_H
#define RING_METADATA_STATE_H

#include "ring/metadata/metadata.h"

// The first byte of a record.
enum record_kind {
    RECORD_PUT_KEYSPACE = 1,
    RECORD_DROP_KEYSPACE,
    RECORD_PUT_TABLE,
    RECORD_DROP_TABLE,
    RECORD_SUBMIT_JOB,
    RECORD_BATCH,
    RECORD_DONE,
    RECORD_PUT_MEMBER,
    RECORD_CHANGE_ROLE,
};

struct metadata {
    struct env *env;
    struct schema *schema;
    struct jobs *jobs;
    struct roles *roles;
    struct topology *topology; // NULL: a ring of one that has none.
    // The log's number of the newest change of the schema. A schema record names the one that it
    // was made from: it holds only if nothing came between.
    uint64_t schema_number;
    struct engine *engine;
    // While the log is replayed, before there is an engine: what it dropped, the oldest first.
    const struct table **dropped;
    size_t dropped_count, dropped_capacity;
    struct metadata_listener *listeners;
    struct metadata_log *log;
};

// Forgets what the replay dropped.
void metadata_state_forget_dropped(struct metadata *metadata);

extern const struct metadata_log_events metadata_state_events;

#endif
