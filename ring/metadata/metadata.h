// What the metadata log says: the members, the schema and the stream jobs, as of its newest record.
//
// Records are made here (metadata_record_…), appended by whoever wants the change, and applied here
// when they are durable; listeners hear of each change after it took effect.
#ifndef RING_METADATA_H
#define RING_METADATA_H

#include "ring/metadata/jobs.h"
#include "ring/metadata/metadata_log.h"
#include "ring/metadata/roles.h"
#include "ring/topology/topology.h"
#include "storage/engine/engine.h"
#include "storage/schema/schema.h"

struct metadata;
struct messaging;
struct liveness;

// What a listener hears, after the state has changed.
struct metadata_change {
    enum { METADATA_CREATED, METADATA_UPDATED, METADATA_DROPPED } change;
    enum { METADATA_KEYSPACE, METADATA_TABLE, METADATA_TYPE, METADATA_MEMBER } target;
    struct slice keyspace, table; // Valid during the call. Of a type: its name in `table`.
    uint16_t member;
};
struct metadata_listener {
    void (*changed)(struct metadata_listener *listener, const struct metadata_change *change);
    struct metadata_listener *next;
};

struct metadata_options {
    const char *directory; // Of the log: DIR/metadata.
    // The ring's members, which a log that is new begins with, and our number among them. NULL: a
    // ring of one that has no topology.
    const struct topology *topology;
    uint16_t self;
};
// Opens the log and replays it. Blocks: for start-up only. INVALID: the log is of another ring.
MUST_USE enum status metadata_open(struct env *env, const struct metadata_options *options,
                                   struct metadata **metadata, struct error *error);
// From now on a change is agreed with the other members, and is done when all that live have
// applied it. A ring of one needs none of this.
void metadata_join(struct metadata *metadata, struct messaging *messaging,
                   struct liveness *liveness);
// The number of the newest applied record.
uint64_t metadata_number(const struct metadata *metadata);
// A member is at `number`: fetch what we miss. messaging_log_moved() is called when we have more.
void metadata_catch_up(struct metadata *metadata, uint16_t member, uint64_t number);
// Asks live members whether we miss something; `done` when we have it all or nobody answers in
// time.
void metadata_catch_up_all(struct metadata *metadata, uint64_t timeout_ns,
                           void (*done)(void *context), void *context);
// In `done` of that: a majority answered in time, so that nothing is missed that was done before.
bool metadata_is_caught_up(const struct metadata *metadata);
// NULL in a ring of one that was given none. Valid for this turn.
const struct topology *metadata_topology(const struct metadata *metadata);
// Our own addresses, when they are no longer those that the topology has.
struct metadata_member_change {
    void (*done)(struct metadata_member_change *change, enum status status);
    struct metadata_log_append append; // The rest is metadata's.
    struct buffer record;
};
void metadata_put_member(struct metadata *metadata, struct metadata_member_change *change,
                         uint16_t member, const struct member *value,
                         void (*done)(struct metadata_member_change *, enum status));
// Calls `drained` in a later turn, once nothing is under way.
void metadata_drain(struct metadata *metadata, void (*drained)(void *context), void *context);
// Only when drained, or before the first change.
void metadata_close(struct metadata *metadata);
void metadata_abandon(struct metadata *metadata); // As engine_abandon().
void metadata_listen(struct metadata *metadata, struct metadata_listener *listener);
void metadata_unlisten(struct metadata *metadata, struct metadata_listener *listener);
// From now on tables that come and go do so in the engine too. NULL ends that.
void metadata_set_engine(struct metadata *metadata, struct engine *engine);

// Tables that the log's replay has dropped, for engine_open(). Until metadata_set_engine().
const struct table *const *metadata_dropped_tables(const struct metadata *metadata, size_t *count);

// Users' keyspaces and tables, without the system's own (cql/system/system_tables.h).
const struct schema *metadata_schema(const struct metadata *metadata);

// A change of the schema. `done` comes when it is durable, applied and heard of. CONFLICT: another
// change of the schema came first; look at it again and start over. OVERLOADED: a limit.
struct metadata_schema_change {
    void (*done)(struct metadata_schema_change *change, enum status status);
    struct metadata_log_append append; // The rest is metadata's.
    struct buffer record;
};
// Also its user-defined types: the tables that hold what is another type now change with it.
void metadata_put_keyspace(struct metadata *metadata, struct metadata_schema_change *change,
                           const struct keyspace *keyspace,
                           void (*done)(struct metadata_schema_change *, enum status));
void metadata_drop_keyspace(struct metadata *metadata, struct metadata_schema_change *change,
                            struct slice name,
                            void (*done)(struct metadata_schema_change *, enum status));
void metadata_put_table(struct metadata *metadata, struct metadata_schema_change *change,
                        const struct table *table,
                        void (*done)(struct metadata_schema_change *, enum status));
void metadata_drop_table(struct metadata *metadata, struct metadata_schema_change *change,
                         struct slice keyspace, struct slice name,
                         void (*done)(struct metadata_schema_change *, enum status));

// Changes nothing: `done` comes when all members that live have the schema that we have.
void metadata_settle(struct metadata *metadata, struct metadata_schema_change *change,
                     void (*done)(struct metadata_schema_change *, enum status));

// What a change holds, when the process around it is gone: the end of a simulated crash.
void metadata_schema_change_abandon(struct metadata_schema_change *change);

// ---- Jobs (jobs.h) ------------------------------------------------------------------------------

const struct jobs *metadata_jobs(const struct metadata *metadata);

// A change of a job. The condition is looked at when the log applies the record: `done` tells
// CONFLICT when it was false, and nothing changed; the job's state then says what is there.
struct metadata_job_change {
    void (*done)(struct metadata_job_change *change, enum status status);
    struct metadata_log_append append; // The rest is metadata's.
    struct buffer record;
};
// The three changes of jobs.h. The job, the batch and so on are read during the call only.
void metadata_submit_job(struct metadata *metadata, struct metadata_job_change *change,
                         const struct job *job,
                         void (*done)(struct metadata_job_change *, enum status));
void metadata_record_batch(struct metadata *metadata, struct metadata_job_change *change,
                           struct uuid job, const struct job_batch *batch, uint32_t source_count,
                           uint64_t done_through, uint64_t grand_total, uint64_t depth,
                           void (*done)(struct metadata_job_change *, enum status));
void metadata_record_done(struct metadata *metadata, struct metadata_job_change *change,
                          struct uuid job, uint64_t done_through, uint64_t grand_total,
                          enum job_state state,
                          void (*done)(struct metadata_job_change *, enum status));
void metadata_mark_job(struct metadata *metadata, struct metadata_job_change *change,
                       const struct job_mark *mark,
                       void (*done)(struct metadata_job_change *, enum status));

// ---- Roles (roles.h) ----------------------------------------------------------------------------

// As of the newest record: in memory on every node, so that whoever asks needs no cache.
const struct roles *metadata_roles(const struct metadata *metadata);

// A change of a role. CONFLICT: nothing changed; the roles then say why.
struct metadata_role_change {
    void (*done)(struct metadata_role_change *change, enum status status);
    struct metadata_log_append append; // The rest is metadata's.
    struct buffer record;
};
// `value` is read during the call only.
void metadata_change_role(struct metadata *metadata, struct metadata_role_change *change,
                          const struct role_change *value,
                          void (*done)(struct metadata_role_change *, enum status));
// As metadata_schema_change_abandon().
void metadata_role_change_abandon(struct metadata_role_change *change);

#endif
