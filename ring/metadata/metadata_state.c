#include "ring/metadata/metadata_state.h"

#include "base/assert.h"
#include "base/limits.h"
#include "storage/schema/options.h"
#include "storage/schema/schema_codec.h"

#include <stdlib.h>

enum { RESTORE_ARENA_BLOCK_SIZE = 1024, DROPPED_MAX = 1000 };

static void tell_of(struct metadata *metadata, const struct metadata_change *heard)
{
    for (struct metadata_listener *listener = metadata->listeners; listener != NULL;
         listener = listener->next)
        listener->changed(listener, heard);
}

static void tell(struct metadata *metadata, int change, int target, struct slice keyspace,
                 struct slice table)
{
    struct metadata_change heard = {.keyspace = keyspace, .table = table, .member = MEMBER_NONE};
    heard.change = change;
    heard.target = target;
    tell_of(metadata, &heard);
}

static void tell_of_member(struct metadata *metadata, uint16_t member)
{
    struct metadata_change heard = {
        .keyspace = slice_null(), .table = slice_null(), .member = member};
    heard.change = METADATA_UPDATED;
    heard.target = METADATA_MEMBER;
    tell_of(metadata, &heard);
}

// ---- Applying the schema ------------------------------------------------------------------------

// The replicas of what an open job writes stay what they are (exactly-once.md, rule 14). Who asked
// looks before it appends (cql/execution/job_guard.h); this is for a job that came between.
static bool replication_may_change(const struct metadata *metadata, const struct keyspace *old,
                                   const struct keyspace *new)
{
    if (options_equal(&old->replication, &new->replication)) return true;
    const struct table *table;
    for (size_t i = 0; (table = schema_table_at(metadata->schema, old->name, i)) != NULL; i++)
        if (jobs_find_writer(metadata->jobs, table->id) != NULL) return false;
    return true;
}

static void tell_of_types(struct metadata *metadata, const struct keyspace *keyspace,
                          const struct user_types *old, const struct user_types *new)
{
    for (size_t i = 0; i < old->count; i++)
        if (user_types_find(new, old->items[i]->name) == NULL)
            tell(metadata, METADATA_DROPPED, METADATA_TYPE, keyspace->name, old->items[i]->name);
    for (size_t i = 0; i < new->count; i++) {
        const struct type *before = user_types_find(old, new->items[i]->name);
        if (before != NULL && type_equals(before, new->items[i])) continue;
        tell(metadata, before == NULL ? METADATA_CREATED : METADATA_UPDATED, METADATA_TYPE,
             keyspace->name, new->items[i]->name);
    }
}

static void tell_of_keyspace(struct metadata *metadata, const struct keyspace *old,
                             const struct keyspace *new)
{
    const struct user_types none = {NULL, 0};
    if (old == NULL || old->durable_writes != new->durable_writes ||
        !options_equal(&old->replication, &new->replication))
        tell(metadata, old == NULL ? METADATA_CREATED : METADATA_UPDATED, METADATA_KEYSPACE,
             new->name, slice_null());
    tell_of_types(metadata, new, old == NULL ? &none : &old->types, &new->types);
}

// The engine's part, and everybody's, of a table that is new in the schema.
static void follow_table(struct metadata *metadata, int change, const struct table *table)
{
    // What can not be made now is tried again by the engine; until then writes to the table get the
    // engine's error. The schema itself must not depend on this node's disk.
    if (metadata->engine != NULL) (void)!engine_put_table(metadata->engine, table, NULL);
    tell(metadata, change, METADATA_TABLE, table->keyspace, table->name);
}

// Puts a keyspace where it was or was not, and all that comes with that: tables have other versions
// when their types have.
static enum status put_keyspace(struct metadata *metadata, const struct keyspace *keyspace)
{
    const struct keyspace *old = schema_find_keyspace(metadata->schema, keyspace->name);
    size_t count = 0;
    struct arena arena;
    while (schema_table_at(metadata->schema, keyspace->name, count) != NULL)
        count++;
    arena_init(&arena, RESTORE_ARENA_BLOCK_SIZE);
    const struct table **tables = ARENA_NEW_ARRAY(&arena, const struct table *, count);
    for (size_t i = 0; i < count; i++) {
        tables[i] = schema_table_at(metadata->schema, keyspace->name, i);
        table_ref(tables[i]);
    }
    if (old != NULL) keyspace_ref(old);
    enum status status = schema_put_keyspace(metadata->schema, keyspace);
    if (status == STATUS_OK) tell_of_keyspace(metadata, old, keyspace);
    for (size_t i = 0; i < count; i++) {
        const struct table *table = schema_table_at(metadata->schema, keyspace->name, i);
        if (table != tables[i]) follow_table(metadata, METADATA_UPDATED, table);
        table_unref(tables[i]);
    }
    keyspace_unref(old);
    arena_deinit(&arena);
    return status;
}

static enum status apply_put_keyspace(struct metadata *metadata, struct cursor *record)
{
    const struct keyspace *keyspace;
    if (schema_codec_get_keyspace(record, &keyspace, NULL) != STATUS_OK) return STATUS_CONFLICT;
    const struct keyspace *old = schema_find_keyspace(metadata->schema, keyspace->name);
    enum status status = STATUS_CONFLICT;
    if (old == NULL || replication_may_change(metadata, old, keyspace))
        status = put_keyspace(metadata, keyspace);
    keyspace_unref(keyspace);
    return status == STATUS_OK ? STATUS_OK : STATUS_CONFLICT;
}

// Before there is an engine the table is noted: a crash may have come before the engine was done
// with it, or heard of it. The newest are enough: between the record and the end of the drop there
// are few others.
static void drop_in_engine(struct metadata *metadata, const struct table *table)
{
    if (metadata->engine != NULL) {
        engine_drop_table(metadata->engine, table->id);
        return;
    }
    if (metadata->dropped_count == DROPPED_MAX) {
        table_unref(metadata->dropped[0]);
        metadata->dropped_count--;
        memmove(metadata->dropped, metadata->dropped + 1,
                metadata->dropped_count * sizeof *metadata->dropped);
    }
    if (metadata->dropped_count == metadata->dropped_capacity) {
        metadata->dropped_capacity = metadata->dropped_capacity * 2 + 8;
        metadata->dropped =
            realloc(metadata->dropped, metadata->dropped_capacity * sizeof *metadata->dropped);
        ASSERT(metadata->dropped != NULL);
    }
    table_ref(table);
    metadata->dropped[metadata->dropped_count++] = table;
}

void metadata_state_forget_dropped(struct metadata *metadata)
{
    for (size_t i = 0; i < metadata->dropped_count; i++)
        table_unref(metadata->dropped[i]);
    free(metadata->dropped);
    metadata->dropped = NULL;
    metadata->dropped_count = metadata->dropped_capacity = 0;
}

// Nobody has permissions on what is gone: not on what is made later under the same name.
static void forget_resource(struct metadata *metadata, const char *root, struct slice keyspace,
                            const struct slice *table)
{
    struct buffer resource;
    buffer_init(&resource, ROLE_TEXT_SIZE_MAX);
    buffer_put(&resource, root, strlen(root));
    buffer_put(&resource, keyspace.data, keyspace.size);
    if (table != NULL) {
        buffer_put_u8(&resource, '/');
        buffer_put(&resource, table->data, table->size);
    }
    // A longer one could not be granted.
    if (!resource.overflow) roles_forget(metadata->roles, buffer_slice(&resource));
    buffer_deinit(&resource);
}

static enum status apply_drop_keyspace(struct metadata *metadata, struct cursor *record)
{
    struct slice name = cursor_vint_bytes(record);
    if (record->failed || schema_find_keyspace(metadata->schema, name) == NULL)
        return STATUS_CONFLICT;
    const struct table *table;
    for (size_t i = 0; (table = schema_table_at(metadata->schema, name, i)) != NULL; i++)
        drop_in_engine(metadata, table);
    schema_remove_keyspace(metadata->schema, name);
    forget_resource(metadata, "data/", name, NULL);
    forget_resource(metadata, "functions/", name, NULL);
    tell(metadata, METADATA_DROPPED, METADATA_KEYSPACE, name, slice_null());
    return STATUS_OK;
}

// Likewise with the counters that an open job adds to (rule 13).
static bool columns_may_change(const struct metadata *metadata, const struct table *old,
                               const struct table *new)
{
    if (!old->is_counter || jobs_find_writer(metadata->jobs, old->id) == NULL) return true;
    for (enum column_kind kind = COLUMN_STATIC; kind <= COLUMN_REGULAR; kind++)
        for (uint16_t i = 0; i < old->column_counts[kind]; i++) {
            struct slice name = old->columns[kind][i].name;
            if (table_find_column(new, name) == NULL &&
                jobs_find_column_writer(metadata->jobs, old->id, name) != NULL)
                return false;
        }
    return true;
}

static enum status apply_put_table(struct metadata *metadata, struct cursor *record)
{
    const struct table *table;
    if (schema_codec_get_table(record, &table, NULL) != STATUS_OK) return STATUS_CONFLICT;
    const struct table *old = schema_find_table(metadata->schema, table->keyspace, table->name);
    bool known = old != NULL;
    enum status status = STATUS_CONFLICT;
    if (schema_find_keyspace(metadata->schema, table->keyspace) != NULL &&
        (!known || columns_may_change(metadata, old, table)))
        status = schema_put_table(metadata->schema, table);
    if (status == STATUS_OK)
        follow_table(metadata, known ? METADATA_UPDATED : METADATA_CREATED, table);
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
    drop_in_engine(metadata, table);
    schema_remove_table(metadata->schema, keyspace, name);
    forget_resource(metadata, "data/", keyspace, &name);
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

// ---- Applying a member --------------------------------------------------------------------------

// Members are fixed: what may change is where one is found. Host id, tokens and place stay.
static bool member_is_same(const struct member *a, const struct member *b)
{
    return uuid_equals(a->host_id, b->host_id) && a->token_count == b->token_count &&
           (a->token_count == 0 ||
            memcmp(a->tokens, b->tokens, a->token_count * sizeof *a->tokens) == 0) &&
           strcmp(a->data_center, b->data_center) == 0 && strcmp(a->rack, b->rack) == 0;
}

static enum status replace_member(struct metadata *metadata, uint16_t number,
                                  const struct member *member, struct arena *arena)
{
    const struct topology *old = metadata->topology;
    if (old == NULL || number >= old->member_count ||
        !member_is_same(&old->members[number], member))
        return STATUS_CONFLICT;
    struct member *members = ARENA_NEW_ARRAY(arena, struct member, old->member_count);
    memcpy(members, old->members, old->member_count * sizeof *members);
    members[number] = *member;
    struct topology *made;
    if (topology_make(members, old->member_count, &made, NULL) != STATUS_OK) return STATUS_CONFLICT;
    topology_destroy(metadata->topology);
    metadata->topology = made;
    tell_of_member(metadata, number);
    return STATUS_OK;
}

static enum status apply_put_member(struct metadata *metadata, struct cursor *record)
{
    uint16_t number = cursor_u16(record);
    struct arena arena;
    arena_init(&arena, RESTORE_ARENA_BLOCK_SIZE);
    struct member member;
    enum status status = STATUS_CONFLICT;
    if (topology_take_member(record, &arena, &member))
        status = replace_member(metadata, number, &member, &arena);
    arena_deinit(&arena);
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
    case RECORD_PUT_MEMBER:
        return apply_put_member(metadata, &record);
    case RECORD_CHANGE_ROLE:
        return roles_apply(metadata->roles, &record);
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
    // States of rings of one may end here.
    if (metadata->topology != NULL) topology_put(state, metadata->topology);
    // States of rings whose roles were never changed end here.
    roles_put_all(state, metadata->roles);
}

// What a state holds, while it is read: nothing of the metadata changes before all of it was.
struct restored {
    uint64_t schema_number;
    struct schema *schema;
    struct jobs *jobs;
    struct topology *topology; // NULL: the state has none.
    struct roles *roles;
};

static enum status restore_table(struct restored *restored, struct cursor *state,
                                 struct error *error)
{
    const struct table *table;
    enum status status = schema_codec_get_table(state, &table, error);
    if (status != STATUS_OK) return status;
    status = schema_put_table(restored->schema, table);
    table_unref(table);
    // No state that was written has more than there may be, or a table of no keyspace.
    if (status != STATUS_OK)
        return error_set(error, STATUS_CORRUPT, "metadata: too many tables, or one of no keyspace");
    return status;
}

static enum status restore_keyspace(struct restored *restored, struct cursor *state,
                                    struct error *error)
{
    const struct keyspace *keyspace;
    enum status status = schema_codec_get_keyspace(state, &keyspace, error);
    if (status != STATUS_OK) return status;
    status = schema_put_keyspace(restored->schema, keyspace);
    keyspace_unref(keyspace);
    if (status != STATUS_OK)
        return error_set(error, STATUS_CORRUPT, "metadata: too many keyspaces");
    uint64_t table_count = cursor_vint(state);
    for (uint64_t t = 0; t < table_count && status == STATUS_OK; t++)
        status = restore_table(restored, state, error);
    return status;
}

static void restored_free(struct restored *restored)
{
    schema_destroy(restored->schema);
    jobs_destroy(restored->jobs);
    roles_destroy(restored->roles);
    topology_destroy(restored->topology);
}

static enum status restored_read(struct restored *restored, struct slice bytes, struct error *error)
{
    struct cursor state = cursor_make(bytes);
    *restored = (struct restored){.schema_number = cursor_u64(&state)};
    restored->schema = schema_create();
    restored->jobs = jobs_create();
    restored->roles = roles_create();
    uint64_t keyspace_count = cursor_vint(&state);
    enum status status = STATUS_OK;
    for (uint64_t k = 0; k < keyspace_count && status == STATUS_OK; k++)
        status = restore_keyspace(restored, &state, error);
    if (status == STATUS_OK) status = jobs_get_all(restored->jobs, &state, error);
    if (status == STATUS_OK && cursor_left(&state) > 0 && !roles_is_next(&state))
        status = topology_get(&state, &restored->topology, error);
    if (status == STATUS_OK && cursor_left(&state) > 0)
        status = roles_get_all(restored->roles, &state, error);
    if (status != STATUS_OK) restored_free(restored);
    return status;
}

// ---- A state in place of another ----------------------------------------------------------------

static void remove_table(struct metadata *metadata, const struct table *table)
{
    table_ref(table);
    drop_in_engine(metadata, table);
    schema_remove_table(metadata->schema, table->keyspace, table->name);
    tell(metadata, METADATA_DROPPED, METADATA_TABLE, table->keyspace, table->name);
    table_unref(table);
}

// Tables that are gone, or are others under the same names.
static void remove_tables(struct metadata *metadata, const struct schema *schema,
                          struct slice keyspace)
{
    const struct table *table;
    for (size_t i = 0; (table = schema_table_at(metadata->schema, keyspace, i)) != NULL;) {
        const struct table *stays = schema_find_table(schema, keyspace, table->name);
        if (stays != NULL && uuid_equals(stays->id, table->id))
            i++;
        else
            remove_table(metadata, table);
    }
}

static void remove_what_is_gone(struct metadata *metadata, const struct schema *schema)
{
    const struct keyspace *keyspace;
    for (size_t k = 0; (keyspace = schema_keyspace_at(metadata->schema, k)) != NULL;) {
        remove_tables(metadata, schema, keyspace->name);
        if (schema_find_keyspace(schema, keyspace->name) != NULL) {
            k++;
            continue;
        }
        keyspace_ref(keyspace);
        schema_remove_keyspace(metadata->schema, keyspace->name);
        tell(metadata, METADATA_DROPPED, METADATA_KEYSPACE, keyspace->name, slice_null());
        keyspace_unref(keyspace);
    }
}

static bool keyspaces_equal(const struct keyspace *a, const struct keyspace *b)
{
    struct buffer left, right;
    buffer_init(&left, METADATA_LOG_SIZE_MAX);
    buffer_init(&right, METADATA_LOG_SIZE_MAX);
    schema_codec_put_keyspace(&left, a);
    schema_codec_put_keyspace(&right, b);
    bool equal = slice_equals(buffer_slice(&left), buffer_slice(&right));
    buffer_deinit(&left);
    buffer_deinit(&right);
    return equal;
}

static bool tables_equal(const struct table *a, const struct table *b)
{
    struct buffer left, right;
    buffer_init(&left, METADATA_LOG_SIZE_MAX);
    buffer_init(&right, METADATA_LOG_SIZE_MAX);
    schema_codec_put_table(&left, a);
    schema_codec_put_table(&right, b);
    bool equal = slice_equals(buffer_slice(&left), buffer_slice(&right));
    buffer_deinit(&left);
    buffer_deinit(&right);
    return equal;
}

static void take_table(struct metadata *metadata, const struct table *table)
{
    const struct table *old = schema_find_table(metadata->schema, table->keyspace, table->name);
    if (old != NULL && tables_equal(old, table)) return;
    int change = old == NULL ? METADATA_CREATED : METADATA_UPDATED;
    // There is room: the state that it comes from has no more than there may be.
    if (schema_put_table(metadata->schema, table) == STATUS_OK)
        follow_table(metadata, change, table);
}

static void take_keyspace(struct metadata *metadata, const struct schema *schema,
                          const struct keyspace *keyspace)
{
    const struct keyspace *old = schema_find_keyspace(metadata->schema, keyspace->name);
    if (old == NULL || !keyspaces_equal(old, keyspace))
        if (put_keyspace(metadata, keyspace) != STATUS_OK) return;
    const struct table *table;
    for (size_t t = 0; (table = schema_table_at(schema, keyspace->name, t)) != NULL; t++)
        take_table(metadata, table);
}

static bool members_equal(const struct member *a, const struct member *b)
{
    return member_is_same(a, b) && memcmp(&a->address, &b->address, sizeof a->address) == 0 &&
           memcmp(&a->rpc_address, &b->rpc_address, sizeof a->rpc_address) == 0;
}

static void take_topology(struct metadata *metadata, struct restored *restored)
{
    if (restored->topology == NULL) return;
    struct topology *old = metadata->topology, *taken = restored->topology;
    metadata->topology = taken;
    restored->topology = NULL;
    for (uint16_t m = 0; old != NULL && m < taken->member_count; m++)
        if (m >= old->member_count || !members_equal(&old->members[m], &taken->members[m]))
            tell_of_member(metadata, m);
    topology_destroy(old);
}

static enum status log_check(void *context, struct slice bytes, struct error *error)
{
    (void)context;
    struct restored restored;
    enum status status = restored_read(&restored, bytes, error);
    if (status == STATUS_OK) restored_free(&restored);
    return status;
}

static enum status log_restore(void *context, struct slice bytes, struct error *error)
{
    struct metadata *metadata = context;
    struct restored restored;
    enum status status = restored_read(&restored, bytes, error);
    if (status != STATUS_OK) return status;
    take_topology(metadata, &restored);
    remove_what_is_gone(metadata, restored.schema);
    const struct keyspace *keyspace;
    for (size_t k = 0; (keyspace = schema_keyspace_at(restored.schema, k)) != NULL; k++)
        take_keyspace(metadata, restored.schema, keyspace);
    metadata->schema_number = restored.schema_number;
    struct jobs *old_jobs = metadata->jobs;
    metadata->jobs = restored.jobs;
    restored.jobs = old_jobs;
    struct roles *old_roles = metadata->roles;
    metadata->roles = restored.roles;
    restored.roles = old_roles;
    restored_free(&restored);
    return STATUS_OK;
}

const struct metadata_log_events metadata_state_events = {
    .applied = log_applied,
    .snapshot = log_snapshot,
    .restore = log_restore,
    .check = log_check,
};
