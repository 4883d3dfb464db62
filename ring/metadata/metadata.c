#include "ring/metadata/metadata.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "storage/schema/schema_codec.h"

#include <stdio.h>
#include <stdlib.h>

// The first byte of a record.
enum record_kind {
    RECORD_PUT_KEYSPACE = 1,
    RECORD_DROP_KEYSPACE,
    RECORD_PUT_TABLE,
    RECORD_DROP_TABLE,
    RECORD_SUBMIT_JOB,
    RECORD_BATCH,
    RECORD_DONE,
};

enum { RECORD_SIZE_MAX = 4 * MIB };

struct metadata {
    struct schema *schema;
    struct jobs *jobs;
    // The log's number of the newest change of the schema. A schema record names the one that it
    // was made from: it holds only if nothing came between.
    uint64_t schema_number;
    struct engine *engine;
    struct metadata_listener *listeners;
    struct metadata_log *log;
};

static void tell(struct metadata *metadata, int change, int target, struct slice keyspace,
                 struct slice table)
{
    struct metadata_change heard = {.keyspace = keyspace, .table = table};
    heard.change = change;
    heard.target = target;
    for (struct metadata_listener *listener = metadata->listeners; listener != NULL;
         listener = listener->next)
        listener->changed(listener, &heard);
}

// ---- Applying the schema ------------------------------------------------------------------------

static enum status apply_put_keyspace(struct metadata *metadata, struct cursor *record)
{
    const struct keyspace *keyspace;
    if (schema_codec_get_keyspace(record, &keyspace, NULL) != STATUS_OK) return STATUS_CONFLICT;
    bool known = schema_find_keyspace(metadata->schema, keyspace->name) != NULL;
    enum status status = schema_put_keyspace(metadata->schema, keyspace);
    if (status == STATUS_OK)
        tell(metadata, known ? METADATA_UPDATED : METADATA_CREATED, METADATA_KEYSPACE,
             keyspace->name, slice_null());
    keyspace_unref(keyspace);
    return status == STATUS_OK ? STATUS_OK : STATUS_CONFLICT;
}

static enum status apply_drop_keyspace(struct metadata *metadata, struct cursor *record)
{
    struct slice name = cursor_vint_bytes(record);
    if (record->failed || schema_find_keyspace(metadata->schema, name) == NULL)
        return STATUS_CONFLICT;
    const struct table *table;
    for (size_t i = 0; (table = schema_table_at(metadata->schema, name, i)) != NULL; i++)
        if (metadata->engine != NULL) engine_drop_table(metadata->engine, table->id);
    schema_remove_keyspace(metadata->schema, name);
    tell(metadata, METADATA_DROPPED, METADATA_KEYSPACE, name, slice_null());
    return STATUS_OK;
}

static enum status apply_put_table(struct metadata *metadata, struct cursor *record)
{
    const struct table *table;
    if (schema_codec_get_table(record, &table, NULL) != STATUS_OK) return STATUS_CONFLICT;
    bool known = schema_find_table(metadata->schema, table->keyspace, table->name) != NULL;
    enum status status = STATUS_CONFLICT;
    if (schema_find_keyspace(metadata->schema, table->keyspace) != NULL)
        status = schema_put_table(metadata->schema, table);
    // A directory that can not be made now is made at the next start; until then writes to the
    // table get the engine's error. The schema itself must not depend on this node's disk.
    if (status == STATUS_OK && metadata->engine != NULL)
        (void)!engine_put_table(metadata->engine, table, NULL);
    if (status == STATUS_OK)
        tell(metadata, known ? METADATA_UPDATED : METADATA_CREATED, METADATA_TABLE, table->keyspace,
             table->name);
    table_unref(table);
    return status == STATUS_OK ? STATUS_OK : STATUS_CONFLICT;
}

static enum status apply_drop_table(struct metadata *metadata, struct cursor *record)
{
    struct slice keyspace = cursor_vint_bytes(record);
    struct slice name = cursor_vint_bytes(record);
    const struct table *table =
        record->failed ? NULL : schema_find_table(metadata->schema, keyspace, name);
    if (table == NULL) return STATUS_CONFLICT;
    if (metadata->engine != NULL) engine_drop_table(metadata->engine, table->id);
    schema_remove_table(metadata->schema, keyspace, name);
    tell(metadata, METADATA_DROPPED, METADATA_TABLE, keyspace, name);
    return STATUS_OK;
}

static enum status apply_schema_record(struct metadata *metadata, uint64_t number,
                                       enum record_kind kind, struct cursor *record)
{
    uint64_t made_from = cursor_u64(record);
    if (record->failed || made_from != metadata->schema_number) return STATUS_CONFLICT;
    enum status status = STATUS_CONFLICT;
    if (kind == RECORD_PUT_KEYSPACE) status = apply_put_keyspace(metadata, record);
    if (kind == RECORD_DROP_KEYSPACE) status = apply_drop_keyspace(metadata, record);
    if (kind == RECORD_PUT_TABLE) status = apply_put_table(metadata, record);
    if (kind == RECORD_DROP_TABLE) status = apply_drop_table(metadata, record);
    if (status == STATUS_OK) metadata->schema_number = number;
    return status;
}

static enum status log_applied(void *context, uint64_t number, struct slice bytes)
{
    struct metadata *metadata = context;
    struct cursor record = cursor_make(bytes);
    uint8_t kind = cursor_u8(&record);
    switch (kind) {
    case RECORD_PUT_KEYSPACE:
    case RECORD_DROP_KEYSPACE:
    case RECORD_PUT_TABLE:
    case RECORD_DROP_TABLE:
        return apply_schema_record(metadata, number, (enum record_kind)kind, &record);
    case RECORD_SUBMIT_JOB:
        return jobs_apply_submission(metadata->jobs, &record);
    case RECORD_BATCH:
        return jobs_apply_batch(metadata->jobs, &record);
    case RECORD_DONE:
        return jobs_apply_done(metadata->jobs, &record);
    default:
        return STATUS_CONFLICT; // Of a later release: nothing that this one knows.
    }
}

// ---- The whole state ----------------------------------------------------------------------------

static void log_snapshot(void *context, struct buffer *state)
{
    struct metadata *metadata = context;
    buffer_put_u64(state, metadata->schema_number);
    size_t keyspace_count = 0;
    while (schema_keyspace_at(metadata->schema, keyspace_count) != NULL)
        keyspace_count++;
    buffer_put_vint(state, keyspace_count);
    for (size_t k = 0; k < keyspace_count; k++) {
        const struct keyspace *keyspace = schema_keyspace_at(metadata->schema, k);
        schema_codec_put_keyspace(state, keyspace);
        size_t table_count = 0;
        while (schema_table_at(metadata->schema, keyspace->name, table_count) != NULL)
            table_count++;
        buffer_put_vint(state, table_count);
        for (size_t t = 0; t < table_count; t++)
            schema_codec_put_table(state, schema_table_at(metadata->schema, keyspace->name, t));
    }
    jobs_put_all(state, metadata->jobs);
}

static enum status restore_table(struct metadata *metadata, struct cursor *state,
                                 struct error *error)
{
    const struct table *table;
    enum status status = schema_codec_get_table(state, &table, error);
    if (status != STATUS_OK) return status;
    status = schema_put_table(metadata->schema, table);
    table_unref(table);
    // No state that was written has more than there may be, or a table of no keyspace.
    if (status != STATUS_OK)
        return error_set(error, STATUS_CORRUPT, "metadata: too many tables, or one of no keyspace");
    return status;
}

static enum status restore_keyspace(struct metadata *metadata, struct cursor *state,
                                    struct error *error)
{
    const struct keyspace *keyspace;
    enum status status = schema_codec_get_keyspace(state, &keyspace, error);
    if (status != STATUS_OK) return status;
    status = schema_put_keyspace(metadata->schema, keyspace);
    keyspace_unref(keyspace);
    if (status != STATUS_OK)
        return error_set(error, STATUS_CORRUPT, "metadata: too many keyspaces");
    uint64_t table_count = cursor_vint(state);
    for (uint64_t t = 0; t < table_count && status == STATUS_OK; t++)
        status = restore_table(metadata, state, error);
    return status;
}

static enum status log_restore(void *context, struct slice bytes, struct error *error)
{
    struct metadata *metadata = context;
    struct cursor state = cursor_make(bytes);
    metadata->schema_number = cursor_u64(&state);
    uint64_t keyspace_count = cursor_vint(&state);
    enum status status = STATUS_OK;
    for (uint64_t k = 0; k < keyspace_count && status == STATUS_OK; k++)
        status = restore_keyspace(metadata, &state, error);
    return status == STATUS_OK ? jobs_get_all(metadata->jobs, &state, error) : status;
}

static const struct metadata_log_events log_events = {
    .applied = log_applied,
    .snapshot = log_snapshot,
    .restore = log_restore,
};

// ---- Life ---------------------------------------------------------------------------------------

static void metadata_free(struct metadata *metadata)
{
    schema_destroy(metadata->schema);
    jobs_destroy(metadata->jobs);
    free(metadata);
}

enum status metadata_open(struct env *env, const struct metadata_options *options,
                          struct metadata **metadata, struct error *error)
{
    struct metadata *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->schema = schema_create();
    opened->jobs = jobs_create();
    enum status status =
        metadata_log_open(env, options->directory, &log_events, opened, &opened->log, error);
    if (status != STATUS_OK) {
        metadata_free(opened);
        return status;
    }
    *metadata = opened;
    return STATUS_OK;
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
