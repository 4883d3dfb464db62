// The records of the log, given back to the memtables at the start of an engine.
//
// They are decoded one by one, as each may be refused, but applied in groups, in their order: what
// a group changes lies all over the memory, and is asked for all at once (memtable_prefetch).
//
//     record -> copied, decoded | record -> … | 16 of them: fetch all, apply all
#include "storage/engine/engine_internal.h"

// A record of this size is copied sooner than its place in a memtable is found.
enum { SIZE_OF_LARGE = 4096 };

static void apply_group(struct engine_replay *replay)
{
    struct memtable_prefetch prefetches[ENGINE_REPLAY_GROUP];
    for (size_t i = 0; i < replay->count; i++)
        prefetches[i] = (struct memtable_prefetch){.memtable = replay->changes[i].table->active,
                                                   .mutation = &replay->changes[i].mutation};
    memtable_prefetch(prefetches, replay->count);
    for (size_t i = 0; i < replay->count; i++) {
        struct engine_table *table = replay->changes[i].table;
        uint64_t position = replay->changes[i].position;
        (void)memtable_apply_prefetched(&prefetches[i], position);
        table->active_position = position;
        if (table->replay_first == 0) table->replay_first = position;
        table->replay_last = position;
    }
    replay->count = 0;
    arena_reset(&replay->engine->scratch);
}

static enum status replay_mutation(struct engine_replay *replay, uint64_t position,
                                   struct slice bytes, struct error *error)
{
    struct engine *engine = replay->engine;
    struct uuid id;
    if (mutation_decode_table_id(bytes, &id) != STATUS_OK)
        return error_set(error, STATUS_CORRUPT, "commit log: a mutation of an unknown version");
    struct engine_table *table = replay->table;
    if (table == NULL || !uuid_equals(table->table->id, id))
        replay->table = table = engine_find_table(engine, id);
    // One that comes back under its id does not get them.
    if (table == NULL) engine_note_dropped(engine, id);
    if (table == NULL || position <= table->manifest.flushed_position ||
        position <= table->truncated_position)
        return STATUS_OK;
    bool is_large = bytes.size >= SIZE_OF_LARGE;
    // The record's bytes are the log's again when this returns.
    if (!is_large) bytes = arena_copy(&engine->scratch, bytes);
    struct mutation *mutation = &replay->changes[replay->count].mutation;
    enum status status = mutation_decode(bytes, table->table, &engine->scratch, mutation, error);
    if (status != STATUS_OK) return status;
    replay->changes[replay->count].table = table;
    replay->changes[replay->count].position = position;
    replay->count++;
    if (is_large || replay->count == ENGINE_REPLAY_GROUP) apply_group(replay);
    return STATUS_OK;
}

static void replay_truncation(struct engine_replay *replay, uint64_t position, struct slice bytes)
{
    struct uuid id;
    if (bytes.size != sizeof id.bytes) return;
    memcpy(id.bytes, bytes.data, sizeof id.bytes);
    struct engine_table *table = engine_find_table(replay->engine, id);
    if (table == NULL || position <= table->truncated_position) return;
    apply_group(replay);
    memtable_unref(table->active);
    table->active = engine_make_memtable(replay->engine, table->table);
    table->active_position = table->replay_first = table->replay_last = 0;
    table->truncated_position = position;
}

enum status engine_replay_record(void *context, uint64_t position, struct slice record,
                                 struct error *error)
{
    struct engine_replay *replay = context;
    if (record.size == 0) return error_set(error, STATUS_CORRUPT, "commit log: an empty record");
    struct slice bytes = slice_make(record.data + 1, record.size - 1);
    switch (record.data[0]) {
    case ENGINE_RECORD_MUTATION:
        return replay_mutation(replay, position, bytes, error);
    case ENGINE_RECORD_TRUNCATION:
        replay_truncation(replay, position, bytes);
        return STATUS_OK;
    default:
        return error_set(error, STATUS_CORRUPT, "commit log: a record of an unknown kind");
    }
}

void engine_replay_finish(struct engine_replay *replay)
{
    apply_group(replay);
}
