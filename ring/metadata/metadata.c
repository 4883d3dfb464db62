#include "ring/metadata/metadata.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "ring/metadata/metadata_state.h"
#include "storage/schema/schema_codec.h"

#include <stdlib.h>

enum { RECORD_SIZE_MAX = 4 * MIB };

// ---- Life ---------------------------------------------------------------------------------------

static void metadata_free(struct metadata *metadata)
{
    metadata_state_forget_dropped(metadata);
    schema_destroy(metadata->schema);
    jobs_destroy(metadata->jobs);
    roles_destroy(metadata->roles);
    topology_destroy(metadata->topology);
    free(metadata);
}

// Members may have moved since; who they are may not have changed.
static enum status check_ring(const struct metadata *metadata,
                              const struct metadata_options *options, struct error *error)
{
    const struct topology *ours = options->topology, *logged = metadata->topology;
    if (ours == NULL) return STATUS_OK;
    bool is_same = ours->member_count == logged->member_count;
    for (uint16_t m = 0; is_same && m < ours->member_count; m++)
        is_same = uuid_equals(ours->members[m].host_id, logged->members[m].host_id);
    if (is_same) return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "%.400s: this metadata log is of another ring: its members are not those of "
                     "the file `members`",
                     options->directory);
}

static struct topology *copy_topology(const struct topology *topology)
{
    struct topology *copy = NULL;
    enum status status = topology_make(topology->members, topology->member_count, &copy, NULL);
    ASSERT(status == STATUS_OK); // It is one already.
    return copy;
}

enum status metadata_open(struct env *env, const struct metadata_options *options,
                          struct metadata **metadata, struct error *error)
{
    struct metadata *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->env = env;
    opened->schema = schema_create();
    opened->jobs = jobs_create();
    opened->roles = roles_create();
    if (options->topology != NULL) opened->topology = copy_topology(options->topology);
    const struct metadata_log_options log_options = {
        .directory = options->directory,
        .self = options->self,
        .member_count = options->topology == NULL ? 1 : options->topology->member_count,
        .begins_with_state = options->topology != NULL,
    };
    enum status status =
        metadata_log_open(env, &log_options, &metadata_state_events, opened, &opened->log, error);
    if (status == STATUS_OK) status = check_ring(opened, options, error);
    if (status != STATUS_OK) {
        if (opened->log != NULL) metadata_log_abandon(opened->log);
        metadata_free(opened);
        return status;
    }
    *metadata = opened;
    return STATUS_OK;
}

void metadata_join(struct metadata *metadata, struct messaging *messaging,
                   struct liveness *liveness)
{
    metadata_log_join(metadata->log, messaging, liveness);
}

uint64_t metadata_number(const struct metadata *metadata)
{
    return metadata_log_number(metadata->log);
}

const struct topology *metadata_topology(const struct metadata *metadata)
{
    return metadata->topology;
}

void metadata_catch_up(struct metadata *metadata, uint16_t member, uint64_t number)
{
    metadata_log_catch_up(metadata->log, member, number);
}

void metadata_catch_up_all(struct metadata *metadata, uint64_t timeout_ns,
                           void (*done)(void *context), void *context)
{
    metadata_log_catch_up_all(metadata->log, timeout_ns, done, context);
}

bool metadata_is_caught_up(const struct metadata *metadata)
{
    return metadata_log_is_caught_up(metadata->log);
}

void metadata_drain(struct metadata *metadata, void (*drained)(void *context), void *context)
{
    metadata_log_drain(metadata->log, drained, context);
}

void metadata_close(struct metadata *metadata)
{
    metadata_log_close(metadata->log);
    metadata_free(metadata);
}

void metadata_abandon(struct metadata *metadata)
{
    metadata_log_abandon(metadata->log);
    metadata_free(metadata);
}

void metadata_listen(struct metadata *metadata, struct metadata_listener *listener)
{
    listener->next = metadata->listeners;
    metadata->listeners = listener;
}

void metadata_unlisten(struct metadata *metadata, struct metadata_listener *listener)
{
    struct metadata_listener **place = &metadata->listeners;
    while (*place != NULL && *place != listener)
        place = &(*place)->next;
    if (*place == listener) *place = listener->next;
}

void metadata_set_engine(struct metadata *metadata, struct engine *engine)
{
    metadata->engine = engine;
    metadata_state_forget_dropped(metadata);
}

const struct table *const *metadata_dropped_tables(const struct metadata *metadata, size_t *count)
{
    *count = metadata->dropped_count;
    return metadata->dropped;
}

const struct schema *metadata_schema(const struct metadata *metadata)
{
    return metadata->schema;
}

const struct jobs *metadata_jobs(const struct metadata *metadata)
{
    return metadata->jobs;
}

// ---- Changes of the schema ----------------------------------------------------------------------

static void schema_change_done(struct metadata_log_append *append, enum status status)
{
    struct metadata_schema_change *change =
        CONTAINER_OF(append, struct metadata_schema_change, append);
    buffer_deinit(&change->record);
    change->done(change, status);
}

static void schema_change_begin(struct metadata *metadata, struct metadata_schema_change *change,
                                enum record_kind kind)
{
    buffer_init(&change->record, RECORD_SIZE_MAX);
    buffer_put_u8(&change->record, (uint8_t)kind);
    buffer_put_u64(&change->record, metadata->schema_number);
}

static void schema_change_append(struct metadata *metadata, struct metadata_schema_change *change,
                                 void (*done)(struct metadata_schema_change *, enum status))
{
    // A definition that does not fit becomes a record without a body, which is refused when
    // applied.
    if (change->record.overflow) buffer_truncate(&change->record, 1);
    change->done = done;
    metadata_log_append(metadata->log, &change->append, buffer_slice(&change->record),
                        schema_change_done);
}

void metadata_settle(struct metadata *metadata, struct metadata_schema_change *change,
                     void (*done)(struct metadata_schema_change *, enum status))
{
    buffer_init(&change->record, 0);
    change->done = done;
    metadata_log_settle(metadata->log, &change->append, schema_change_done);
}

void metadata_put_keyspace(struct metadata *metadata, struct metadata_schema_change *change,
                           const struct keyspace *keyspace,
                           void (*done)(struct metadata_schema_change *, enum status))
{
    schema_change_begin(metadata, change, RECORD_PUT_KEYSPACE);
    schema_codec_put_keyspace(&change->record, keyspace);
    schema_change_append(metadata, change, done);
}

void metadata_drop_keyspace(struct metadata *metadata, struct metadata_schema_change *change,
                            struct slice name,
                            void (*done)(struct metadata_schema_change *, enum status))
{
    schema_change_begin(metadata, change, RECORD_DROP_KEYSPACE);
    buffer_put_vint_bytes(&change->record, name);
    schema_change_append(metadata, change, done);
}

void metadata_put_table(struct metadata *metadata, struct metadata_schema_change *change,
                        const struct table *table,
                        void (*done)(struct metadata_schema_change *, enum status))
{
    schema_change_begin(metadata, change, RECORD_PUT_TABLE);
    schema_codec_put_table(&change->record, table);
    schema_change_append(metadata, change, done);
}

void metadata_drop_table(struct metadata *metadata, struct metadata_schema_change *change,
                         struct slice keyspace, struct slice name,
                         void (*done)(struct metadata_schema_change *, enum status))
{
    schema_change_begin(metadata, change, RECORD_DROP_TABLE);
    buffer_put_vint_bytes(&change->record, keyspace);
    buffer_put_vint_bytes(&change->record, name);
    schema_change_append(metadata, change, done);
}

void metadata_schema_change_abandon(struct metadata_schema_change *change)
{
    buffer_deinit(&change->record);
}

// ---- Changes of jobs ----------------------------------------------------------------------------

static void job_change_done(struct metadata_log_append *append, enum status status)
{
    struct metadata_job_change *change = CONTAINER_OF(append, struct metadata_job_change, append);
    buffer_deinit(&change->record);
    change->done(change, status);
}

static void job_change_begin(struct metadata_job_change *change, enum record_kind kind)
{
    buffer_init(&change->record, RECORD_SIZE_MAX);
    buffer_put_u8(&change->record, (uint8_t)kind);
}

static void job_change_append(struct metadata *metadata, struct metadata_job_change *change,
                              void (*done)(struct metadata_job_change *, enum status))
{
    ASSERT(!change->record.overflow); // Names and sources of a job are bounded.
    change->done = done;
    metadata_log_append(metadata->log, &change->append, buffer_slice(&change->record),
                        job_change_done);
}

void metadata_submit_job(struct metadata *metadata, struct metadata_job_change *change,
                         const struct job *job,
                         void (*done)(struct metadata_job_change *, enum status))
{
    job_change_begin(change, RECORD_SUBMIT_JOB);
    jobs_put_submission(&change->record, job);
    job_change_append(metadata, change, done);
}

void metadata_record_batch(struct metadata *metadata, struct metadata_job_change *change,
                           struct uuid job, const struct job_batch *batch, uint32_t source_count,
                           uint64_t done_through, uint64_t grand_total, uint64_t depth,
                           void (*done)(struct metadata_job_change *, enum status))
{
    job_change_begin(change, RECORD_BATCH);
    jobs_put_batch(&change->record, job, batch, source_count, done_through, grand_total, depth);
    job_change_append(metadata, change, done);
}

void metadata_record_done(struct metadata *metadata, struct metadata_job_change *change,
                          struct uuid job, uint64_t done_through, uint64_t grand_total,
                          enum job_state state,
                          void (*done)(struct metadata_job_change *, enum status))
{
    job_change_begin(change, RECORD_DONE);
    jobs_put_done(&change->record, job, done_through, grand_total, state);
    job_change_append(metadata, change, done);
}

void metadata_mark_job(struct metadata *metadata, struct metadata_job_change *change,
                       const struct job_mark *mark,
                       void (*done)(struct metadata_job_change *, enum status))
{
    job_change_begin(change, RECORD_DONE);
    jobs_put_mark(&change->record, mark);
    job_change_append(metadata, change, done);
}

// ---- Changes of roles ---------------------------------------------------------------------------

const struct roles *metadata_roles(const struct metadata *metadata)
{
    return metadata->roles;
}

static void role_change_done(struct metadata_log_append *append, enum status status)
{
    struct metadata_role_change *change = CONTAINER_OF(append, struct metadata_role_change, append);
    buffer_deinit(&change->record);
    change->done(change, status);
}

void metadata_change_role(struct metadata *metadata, struct metadata_role_change *change,
                          const struct role_change *value,
                          void (*done)(struct metadata_role_change *, enum status))
{
    buffer_init(&change->record, RECORD_SIZE_MAX);
    buffer_put_u8(&change->record, RECORD_CHANGE_ROLE);
    roles_put_change(&change->record, value);
    // Whoever asks has bounded the names; what is too long is refused when it is applied.
    if (change->record.overflow) buffer_truncate(&change->record, 1);
    change->done = done;
    metadata_log_append(metadata->log, &change->append, buffer_slice(&change->record),
                        role_change_done);
}

void metadata_role_change_abandon(struct metadata_role_change *change)
{
    buffer_deinit(&change->record);
}

// ---- Changes of members -------------------------------------------------------------------------

static void member_change_done(struct metadata_log_append *append, enum status status)
{
    struct metadata_member_change *change =
        CONTAINER_OF(append, struct metadata_member_change, append);
    buffer_deinit(&change->record);
    change->done(change, status);
}

void metadata_put_member(struct metadata *metadata, struct metadata_member_change *change,
                         uint16_t member, const struct member *value,
                         void (*done)(struct metadata_member_change *, enum status))
{
    buffer_init(&change->record, RECORD_SIZE_MAX);
    buffer_put_u8(&change->record, RECORD_PUT_MEMBER);
    buffer_put_u16(&change->record, member);
    topology_put_member(&change->record, value);
    ASSERT(!change->record.overflow); // Names and tokens of a member are bounded.
    change->done = done;
    metadata_log_append(metadata->log, &change->append, buffer_slice(&change->record),
                        member_change_done);
}
