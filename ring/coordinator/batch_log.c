#include "ring/coordinator/batch_log.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/batch_log_internal.h"

#include <stdlib.h>

enum { BATCH_VERSION = 1 };

// ---- What lives ---------------------------------------------------------------------------------

static struct live_batch **live_place(const struct batch_log *batch_log, struct uuid id)
{
    uint64_t mixed =
        (bytes_get_u64(id.bytes) ^ bytes_get_u64(id.bytes + 8)) * 0x9e3779b97f4a7c15ull;
    struct live_batch **place = (struct live_batch **)(uintptr_t)&batch_log->buckets[mixed >> 54];
    while (*place != NULL && !uuid_equals((*place)->id, id))
        place = &(*place)->next;
    return place;
}

struct live_batch *batch_log_find_live(const struct batch_log *batch_log, struct uuid id)
{
    return *live_place(batch_log, id);
}

void batch_log_add_live(struct batch_log *batch_log, struct uuid id, int64_t made_us)
{
    struct live_batch **place = live_place(batch_log, id);
    if (*place != NULL) return;
    struct live_batch *live = calloc(1, sizeof *live);
    ASSERT(live != NULL);
    live->id = id;
    live->made_us = made_us;
    *place = live;
    batch_log->live_count++;
}

static void remove_live(struct batch_log *batch_log, struct uuid id)
{
    struct live_batch **place = live_place(batch_log, id);
    struct live_batch *live = *place;
    if (live == NULL) return;
    *place = live->next;
    free(live);
    batch_log->live_count--;
}

static void truncated(struct engine_flush *truncation, enum status status)
{
    struct batch_log *batch_log = CONTAINER_OF(truncation, struct batch_log, truncation);
    (void)status; // Else what was removed stays a while longer.
    batch_log->is_truncating = false;
}

void batch_log_tidy(struct batch_log *batch_log, size_t removed_min)
{
    if (batch_log->live_count > 0 || batch_log->removed_count < removed_min ||
        !batch_log->replay.has_walked || batch_log->is_truncating || batch_log->is_stopped)
        return;
    env_mark(batch_log->env, ENV_MARK_LOGGED_TRUNCATED);
    batch_log->removed_count = 0;
    batch_log->is_truncating = true;
    engine_truncate(batch_log->options.engine, batch_log->options.table->id, &batch_log->truncation,
                    truncated);
}

// ---- The table ----------------------------------------------------------------------------------

struct batch_cells {
    struct cell *items;
    size_t count, capacity;
};

static void add_cell(struct batch_cells *cells, const struct cell *cell, struct arena *arena)
{
    if (cells->count == cells->capacity) {
        size_t capacity = cells->capacity == 0 ? 16 : 2 * cells->capacity;
        struct cell *more = arena_alloc(arena, capacity * sizeof *more);
        if (cells->count > 0) memcpy(more, cells->items, cells->count * sizeof *more);
        cells->items = more;
        cells->capacity = capacity;
    }
    cells->items[cells->count++] = *cell;
}

// One for each record. False: they are none.
static bool make_cells(const struct batch_log *batch_log, int64_t made_us, struct slice records,
                       struct arena *arena, struct batch_cells *cells)
{
    uint64_t stored_at = engine_last_position(batch_log->options.engine) + 1;
    struct cursor cursor = cursor_make(records);
    while (cursor_left(&cursor) > 0) {
        struct slice record = cursor_vint_bytes(&cursor);
        if (cursor.failed || record.size <= sizeof(struct uuid)) return false; // No table's id.
        // A list's cells have times for places. These are of this batch alone, so any will do.
        struct uuid place = uuid_make_time(UUID_EPOCH_TICKS + cells->count, 0, 0);
        bytes_put_u64(place.bytes + BATCH_PLACE_POSITION, stored_at);
        const struct cell cell = {.column = batch_log->mutations_column,
                                  .local_time = LOCAL_TIME_NONE,
                                  .timestamp = made_us,
                                  .value = record,
                                  .path = arena_copy(arena, slice_make(place.bytes, sizeof place))};
        add_cell(cells, &cell, arena);
    }
    return true;
}

static void add_version(const struct batch_log *batch_log, int64_t made_us, struct arena *arena,
                        struct batch_cells *cells)
{
    uint8_t version[4];
    bytes_put_u32(version, BATCH_VERSION);
    const struct cell cell = {.column = batch_log->version_column,
                              .local_time = LOCAL_TIME_NONE,
                              .timestamp = made_us,
                              .value = arena_copy(arena, slice_make(version, sizeof version))};
    add_cell(cells, &cell, arena);
    // Columns stand with the multi-cell ones last.
    if (batch_log->version_column > batch_log->mutations_column) return;
    memmove(cells->items + 1, cells->items, (cells->count - 1) * sizeof *cells->items);
    cells->items[0] = cell;
}

static enum status put_cells(struct batch_log *batch_log, struct uuid id,
                             const struct batch_cells *cells, uint64_t *position)
{
    struct row row = {.liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = cells->items,
                      .cell_count = (uint32_t)cells->count};
    struct mutation mutation = {.table = batch_log->options.table,
                                .key = partition_key_make(slice_make(id.bytes, sizeof id.bytes)),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    return engine_apply(batch_log->options.engine, &mutation, position);
}

enum status batch_log_put(struct batch_log *batch_log, struct uuid id, int64_t made_us,
                          struct slice records, uint64_t *position)
{
    if (batch_log->live_count >= LOGGED_BATCHES_MAX) return STATUS_OVERLOADED;
    struct arena arena;
    struct batch_cells cells = {NULL, 0, 0};
    enum status status = STATUS_CORRUPT;
    arena_init(&arena, 4096);
    if (make_cells(batch_log, made_us, records, &arena, &cells)) {
        add_version(batch_log, made_us, &arena, &cells);
        status = put_cells(batch_log, id, &cells, position);
    }
    arena_deinit(&arena);
    if (status == STATUS_OK) batch_log_add_live(batch_log, id, made_us);
    return status;
}

void batch_log_remove(struct batch_log *batch_log, struct uuid id)
{
    // Of the batch's own time, so that it ends that batch wherever it comes first.
    int64_t made_us = uuid_unix_us(id);
    int64_t now_us = env_wall_us(batch_log->env);
    uint64_t position;
    struct mutation mutation = {.table = batch_log->options.table,
                                .key = partition_key_make(slice_make(id.bytes, sizeof id.bytes)),
                                .deletion = {made_us, (int32_t)(now_us / 1000000)}};
    // One that is not taken is carried out once more at the next start.
    (void)!engine_apply(batch_log->options.engine, &mutation, &position);
    remove_live(batch_log, id);
    batch_log->removed_count++;
    batch_log_tidy(batch_log, BATCH_REMOVED_MAX);
}

void batch_log_decode(const struct batch_log *batch_log, struct slice records, struct arena *arena,
                      struct mutation **mutations, size_t *count)
{
    // No record is smaller than its table's id.
    *mutations = ARENA_NEW_ARRAY(arena, struct mutation, records.size / sizeof(struct uuid) + 1);
    *count = 0;
    struct cursor cursor = cursor_make(records);
    while (cursor_left(&cursor) > 0 && !cursor.failed) {
        struct slice record = cursor_vint_bytes(&cursor);
        struct uuid id;
        if (cursor.failed || record.size == 0) continue;
        struct slice bytes = slice_make(record.data + 1, record.size - 1);
        if (mutation_decode_table_id(bytes, &id) != STATUS_OK) continue;
        const struct table *table = schema_find_table_by_id(batch_log->options.schema, id);
        if (table == NULL) continue;
        if (mutation_decode(bytes, table, arena, *mutations + *count, NULL) == STATUS_OK) ++*count;
    }
}

// ---- For other members --------------------------------------------------------------------------

static void batch_log_handle_store(struct message_handler *handler, const struct message *message)
{
    struct batch_log *batch_log = CONTAINER_OF(handler, struct batch_log, store);
    struct cursor cursor = cursor_make(message->body);
    struct uuid id = uuid_take(&cursor);
    int64_t made_us = (int64_t)cursor_u64(&cursor);
    uint64_t position = 0;
    enum status status = STATUS_CORRUPT;
    // The removal takes its time from the id: another one would not end it.
    if (!cursor.failed && uuid_unix_us(id) == made_us)
        status = batch_log_put(batch_log, id, made_us,
                               slice_make(cursor.next, cursor_left(&cursor)), &position);
    env_mark(batch_log->env, ENV_MARK_LOGGED_STORED);
    if (status == STATUS_OK)
        replica_write_answer_synced(batch_log->coordinator, message->origin, position);
    else
        messaging_answer(handler->messaging, message->origin, status, slice_make("", 0));
}

static void batch_log_handle_remove(struct message_handler *handler, const struct message *message)
{
    struct batch_log *batch_log = CONTAINER_OF(handler, struct batch_log, remove);
    if (message->body.size == sizeof(struct uuid))
        batch_log_remove(batch_log, uuid_from_bytes(message->body.data));
    messaging_answer(handler->messaging, message->origin, STATUS_OK, slice_make("", 0));
}

// ---- The life -----------------------------------------------------------------------------------

struct batch_log *batch_log_create(struct env *env, const struct batch_log_options *options)
{
    struct batch_log *batch_log = calloc(1, sizeof *batch_log);
    ASSERT(batch_log != NULL);
    batch_log->env = env;
    batch_log->options = *options;
    if (batch_log->options.write_timeout_ns == 0)
        batch_log->options.write_timeout_ns = 2000000000ull;
    if (batch_log->options.replay_interval_ns == 0)
        batch_log->options.replay_interval_ns = 10000000000ull;
    table_ref(options->table);
    const struct column *mutations = table_find_column(options->table, slice_of_text("mutations"));
    const struct column *version = table_find_column(options->table, slice_of_text("version"));
    ASSERT(mutations != NULL && version != NULL);
    batch_log->mutations_column = mutations->index;
    batch_log->version_column = version->index;
    return batch_log;
}

void batch_log_begin(struct batch_log *batch_log, struct coordinator *coordinator)
{
    batch_log->coordinator = coordinator;
    struct messaging *messaging = batch_log->options.messaging;
    if (messaging != NULL) {
        batch_log->store.handle = batch_log_handle_store;
        batch_log->remove.handle = batch_log_handle_remove;
        messaging_handle(messaging, VERB_BATCH_STORE, &batch_log->store);
        messaging_handle(messaging, VERB_BATCH_REMOVE, &batch_log->remove);
    }
    batch_log_replay_begin(batch_log);
}

void batch_log_stop(struct batch_log *batch_log)
{
    batch_log->is_stopped = true;
    batch_log_replay_stop(batch_log);
}

void batch_log_abandon(struct batch_log *batch_log)
{
    if (batch_log == NULL) return;
    // A node that did not come up is abandoned, too, and its process lives on until it has said so.
    env_timer_stop(batch_log->env, &batch_log->replay.timer);
    env_task_cancel(batch_log->env, &batch_log->replay.task);
    read_pins_release(&batch_log->replay.pins);
    batch_log_destroy(batch_log);
}

void batch_log_destroy(struct batch_log *batch_log)
{
    if (batch_log == NULL) return;
    batch_log_replay_deinit(batch_log);
    for (size_t i = 0; i < BATCH_BUCKETS; i++) {
        while (batch_log->buckets[i] != NULL) {
            struct live_batch *next = batch_log->buckets[i]->next;
            free(batch_log->buckets[i]);
            batch_log->buckets[i] = next;
        }
    }
    table_unref(batch_log->options.table);
    free(batch_log);
}
