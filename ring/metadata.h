// What the metadata log says: the schema and the stream jobs, as of its newest record.
//
// Records are made here (metadata_record_…), appended by whoever wants the change, and applied here
// when they are durable; listeners hear of each change after it took effect.
#ifndef RING_METADATA_H
#define RING_METADATA_H

#include "ring/metadata_log.h"
#include "storage/engine.h"
#include "storage/schema.h"

struct metadata;

// What a listener hears, after the state has changed.
struct metadata_change {
    enum { METADATA_CREATED, METADATA_UPDATED, METADATA_DROPPED } change;
    enum { METADATA_KEYSPACE, METADATA_TABLE } target;
    struct slice keyspace, table; // Valid during the call.
};
struct metadata_listener {
    void (*changed)(struct metadata_listener *listener, const struct metadata_change *change);
    struct metadata_listener *next;
};

// Opens the log in DIR/metadata and replays it. Blocks: for start-up only.
MUST_USE enum status metadata_open(struct env *env, const char *directory,
                                   struct metadata **metadata, struct error *error);
void metadata_close(struct metadata *metadata, void (*closed)(void *context), void *context);
void metadata_abandon(struct metadata *metadata);
void metadata_listen(struct metadata *metadata, struct metadata_listener *listener);
// From now on tables that come and go do so in the engine too. What is applied later waits for it.
void metadata_set_engine(struct metadata *metadata, struct engine *engine);

// Users' keyspaces and tables, without the system's own (cql/system_tables.h).
const struct schema *metadata_schema(const struct metadata *metadata);

// A change of the schema. `done` comes when it is durable, applied and heard of. CONFLICT: another
// change came first; look at the schema again and start over.
struct metadata_schema_change {
    void (*done)(struct metadata_schema_change *change, enum status status);
    struct metadata_log_append append; // The rest is metadata's.
    struct buffer record;
    struct metadata *metadata;
};
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

// ---- Jobs: exactly-once.md §2.1.
// -------------------------------------------------------------------

enum { JOB_SOURCES_MAX = 16, JOB_NAME_SIZE_MAX = 256 };

enum job_state { JOB_OPEN, JOB_FINISHED, JOB_SEALED, JOB_BROKEN };

struct job_offset {
    uint64_t from, to; // Bytes of the source (or of its intake file): [from, to).
};

struct job_batch {
    uint64_t number;
    int64_t timestamp_us;
    struct job_offset offsets[JOB_SOURCES_MAX];
    uint64_t input_hash;
    uint64_t sums_hash_done; // Of the batch that `done_through` names (0 if none).
};

struct job {
    struct uuid id; // Never used again; counter ids are made from it and an output's ordinal.
    struct uuid submission_id;    // Chosen by the client: submitting it twice gives the same job.
    char name[JOB_NAME_SIZE_MAX]; // "" for an unnamed one.
    uint64_t code_hash;
    enum job_state state;
    uint32_t source_count;
    uint64_t source_hash; // What the sources are (paths, sizes, urls): a resume compares it.
    uint64_t last_batch;
    uint64_t last_to[JOB_SOURCES_MAX];
    int64_t last_timestamp_us;
    uint64_t done_through;
    uint64_t grand_total;
    const struct job_batch
        *batches; // done_through + 1 … last_batch: recorded, not known to be done.
    size_t batch_count;
};

// NULL when there is none. Valid until the next change.
const struct job *metadata_find_job(const struct metadata *metadata, struct uuid id);
// The newest of this name; NULL when there is none or the name is "".
const struct job *metadata_find_job_by_name(const struct metadata *metadata, const char *name);

// A change of a job. The condition is looked at when the log applies the record: `done` tells
// CONFLICT when it was false, and nothing changed; the job's state then says what is there.
struct metadata_job_change {
    void (*done)(struct metadata_job_change *change, enum status status);
    struct metadata_log_append append; // The rest is metadata's.
    struct buffer record;
    struct metadata *metadata;
    enum status status;
};
// Submit (rule 12). A known submission_id is OK and changes nothing.
void metadata_submit_job(struct metadata *metadata, struct metadata_job_change *change,
                         const struct job *job,
                         void (*done)(struct metadata_job_change *, enum status));
// Rule 1: job OPEN and number = last_batch + 1 and from = last_to and timestamp >= last + 2 and
// number <= done_through + depth. Carries `done_through` and the grand total, merged by max (rule
// 2).
void metadata_record_batch(struct metadata *metadata, struct metadata_job_change *change,
                           struct uuid job, const struct job_batch *batch, uint64_t done_through,
                           uint64_t grand_total, uint64_t depth,
                           void (*done)(struct metadata_job_change *, enum status));
// The frontier alone, and the end of a job.
void metadata_record_done(struct metadata *metadata, struct metadata_job_change *change,
                          struct uuid job, uint64_t done_through, uint64_t grand_total,
                          enum job_state state,
                          void (*done)(struct metadata_job_change *, enum status));

#endif
