// Mutations: into the log and the active memtable, in one turn.
#include "base/assert.h"
#include "storage/engine/engine_index_internal.h"

static struct engine_table *find_largest(struct engine *engine)
{
    struct engine_table *largest = NULL;
    size_t largest_size = 0;
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++) {
        for (struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next) {
            if (t->active_position == 0 || memtable_size(t->active) <= largest_size) continue;
            largest = t;
            largest_size = memtable_size(t->active);
        }
    }
    return largest;
}

enum status engine_check_room(struct engine *engine)
{
    if (engine->active_size > engine->memtable_space_max / 2) {
        struct engine_table *largest = find_largest(engine);
        if (largest != NULL) {
            engine_freeze(largest);
            engine_background_start(engine);
        }
    }
    struct uuid id;
    if (commit_log_is_long(engine->log, &id)) {
        // Whoever is on its way to a flush already frees the segment when it gets there.
        struct engine_table *table = engine_find_table(engine, id);
        if (table != NULL && table->frozen == NULL) {
            engine_freeze(table);
            engine_background_start(engine);
        }
    }
    // Values that replace each other in place make no memtable larger, but the log.
    bool is_full = engine->active_size + engine->frozen_size >= engine->memtable_space_max ||
                   commit_log_is_full(engine->log);
    return is_full ? STATUS_OVERLOADED : STATUS_OK;
}

void engine_put_record(const struct mutation *mutation, struct buffer *bytes)
{
    buffer_put_u8(bytes, ENGINE_RECORD_MUTATION);
    mutation_encode(mutation, bytes);
}

// Logs the bytes as they are and applies the mutation, which is what they say.
enum status engine_log_and_apply_record(struct engine_table *table, const struct mutation *mutation,
                                        struct slice record, uint64_t *position)
{
    struct engine *engine = table->engine;
    uint64_t given;
    enum status status = STATUS_OK;
    // Before the record: an entry too many does no harm after a crash, one too few would.
    if (table->index_count > 0) status = engine_index_mutation(table, mutation);
    if (status != STATUS_OK) return status;
    status = commit_log_append_for(engine->log, mutation->table->id, record, &given);
    if (status != STATUS_OK) return status;

    size_t size_before = memtable_size(table->active);
    if (!memtable_apply(table->active, mutation, given)) engine->conflict_count++;
    engine->active_size += memtable_size(table->active) - size_before;
    table->active_position = given;
    *position = given;
    return STATUS_OK;
}

enum status engine_log_and_apply(struct engine_table *table, const struct mutation *mutation,
                                 uint64_t *position)
{
    struct buffer *record = &table->engine->record;
    // The memory of one large mutation is not kept for the small ones.
    if (record->capacity > MIB) buffer_deinit(record);
    buffer_clear(record);
    engine_put_record(mutation, record);
    if (record->overflow) return STATUS_INVALID;
    return engine_log_and_apply_record(table, mutation, buffer_slice(record), position);
}

struct slice engine_last_record(const struct engine *engine)
{
    return buffer_slice(&engine->record);
}

enum status engine_apply_record(struct engine *engine, struct slice record, uint64_t *position)
{
    struct uuid id;
    if (engine->is_closing) return STATUS_CANCELED;
    if (record.size == 0 || record.data[0] != ENGINE_RECORD_MUTATION) return STATUS_CORRUPT;
    struct slice bytes = slice_make(record.data + 1, record.size - 1);
    if (mutation_decode_table_id(bytes, &id) != STATUS_OK) return STATUS_CORRUPT;
    struct engine_table *table = engine_find_table(engine, id);
    if (table == NULL) return STATUS_NOT_FOUND;
    enum status status = engine_check_room(engine);
    if (status != STATUS_OK) return status;
    arena_reset(&engine->scratch);
    struct mutation mutation;
    status = mutation_decode(bytes, table->table, &engine->scratch, &mutation, NULL);
    if (status != STATUS_OK) return status;
    return engine_log_and_apply_record(table, &mutation, record, position);
}

// The same change under the table's present version. The bytes of the log are read back, as a
// replay would do it.
static enum status translate(struct engine *engine, const struct mutation *mutation,
                             const struct table *table, struct mutation *translated)
{
    struct buffer bytes;
    buffer_init(&bytes, MUTATION_SIZE_MAX);
    mutation_encode(mutation, &bytes);
    arena_reset(&engine->scratch);
    struct slice copy = arena_copy(&engine->scratch, buffer_slice(&bytes));
    bool overflow = bytes.overflow;
    buffer_deinit(&bytes);
    if (overflow) return STATUS_INVALID;
    return mutation_decode(copy, table, &engine->scratch, translated, NULL);
}

enum status engine_apply(struct engine *engine, const struct mutation *mutation, uint64_t *position)
{
    if (engine->is_closing) return STATUS_CANCELED;
    struct engine_table *table = engine_find_table(engine, mutation->table->id);
    if (table == NULL) return STATUS_NOT_FOUND;
    enum status status = engine_check_room(engine);
    if (status != STATUS_OK) return status;
    if (mutation->table == table->table) return engine_log_and_apply(table, mutation, position);
    struct mutation translated;
    status = translate(engine, mutation, table->table, &translated);
    return status == STATUS_OK ? engine_log_and_apply(table, &translated, position) : status;
}
