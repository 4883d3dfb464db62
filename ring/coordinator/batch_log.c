#include "ring/coordinator/batch_log.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/coordinator_state.h"

#include <stdlib.h>

enum {
    BATCH_VERSION = 1,
    BATCH_SKIPPED_MAX = 256, // Removed ones that one turn passes.
};

// The replay: one batch at a time, from the beginning of the table to its end.
//
//     RESTING --timer--> LOOKING --a batch--> WRITING --written by a quorum--> removed -> LOOKING
//        ^                  |  \--miss--> LOADING -> LOOKING      \--not yet--> LOOKING
//        \------------------/end of the table
enum replay_state { REPLAY_RESTING, REPLAY_LOOKING, REPLAY_LOADING, REPLAY_WRITING };

struct batch_replay {
    enum replay_state state;
    bool is_first; // Since the start: what is found is of an earlier life.
    struct env_timer timer;
    struct env_task task;
    struct read_pins pins;
    struct arena arena;
    struct engine_load load;
    struct coordinator_write write;
    bool has_last; // Goes on behind it.
    struct token last_token;
    struct uuid last;
    int64_t made_us;
    struct buffer records;
};

struct batch_log {
    struct env *env;
    struct batch_log_options options;
    struct coordinator *coordinator;
    uint16_t mutations_column, version_column;
    struct message_handler store, remove;
    struct batch_replay replay;
    bool is_stopped;
};

// ---- The table ----------------------------------------------------------------------------------

enum status batch_log_put(struct batch_log *batch_log, struct uuid id, int64_t made_us,
                          struct slice records, uint64_t *position)
{
    struct arena arena;
    arena_init(&arena, 4096);
    size_t capacity = 16, count = 0;
    struct cell *cells = arena_alloc(&arena, capacity * sizeof *cells);
    struct cursor cursor = cursor_make(records);
    while (cursor_left(&cursor) > 0 && !cursor.failed) {
        struct slice record = cursor_vint_bytes(&cursor);
        if (count + 2 > capacity) {
            struct cell *more = arena_alloc(&arena, 2 * capacity * sizeof *cells);
            memcpy(more, cells, count * sizeof *cells);
            cells = more;
            capacity *= 2;
        }
        // A list's cells have times for places. These are of this batch alone, so any will do.
        struct uuid place = uuid_make_time(UUID_EPOCH_TICKS + count, 0, 0);
        cells[count++] =
            (struct cell){.column = batch_log->mutations_column,
                          .local_time = LOCAL_TIME_NONE,
                          .timestamp = made_us,
                          .value = record,
                          .path = arena_copy(&arena, slice_make(place.bytes, sizeof place.bytes))};
    }
    enum status status = cursor.failed ? STATUS_CORRUPT : STATUS_OK;
    if (status == STATUS_OK) {
        uint8_t version[4];
        bytes_put_u32(version, BATCH_VERSION);
        const struct cell version_cell = {.column = batch_log->version_column,
                                          .local_time = LOCAL_TIME_NONE,
                                          .timestamp = made_us,
                                          .value = slice_make(version, sizeof version)};
        // Columns stand with the multi-cell ones last.
        if (batch_log->version_column < batch_log->mutations_column) {
            memmove(cells + 1, cells, count * sizeof *cells);
            cells[0] = version_cell;
        } else {
            cells[count] = version_cell;
        }
        struct row row = {.liveness = LIVENESS_NONE,
                          .deletion = DELETION_NONE,
                          .cells = cells,
                          .cell_count = (uint32_t)count + 1};
        struct mutation mutation = {.table = batch_log->options.table,
                                    .key =
                                        partition_key_make(slice_make(id.bytes, sizeof id.bytes)),
                                    .deletion = DELETION_NONE,
                                    .rows = &row,
                                    .row_count = 1};
        status = engine_apply(batch_log->options.engine, &mutation, position);
    }
    arena_deinit(&arena);
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
    (void)!engine_apply(batch_log->options.engine, &mutation, &position);
}

bool batch_log_decode(const struct batch_log *batch_log, struct slice records, int64_t made_us,
                      struct arena *arena, struct mutation **mutations, size_t *count)
{
    // No record is smaller than its table's id.
    *mutations = ARENA_NEW_ARRAY(arena, struct mutation, records.size / sizeof(struct uuid) + 1);
    *count = 0;
    int64_t age_us = env_wall_us(batch_log->env) - made_us;
    struct cursor cursor = cursor_make(records);
    while (cursor_left(&cursor) > 0 && !cursor.failed) {
        struct slice record = cursor_vint_bytes(&cursor);
        struct uuid id;
        if (cursor.failed || record.size == 0) continue;
        struct slice bytes = slice_make(record.data + 1, record.size - 1);
        if (mutation_decode_table_id(bytes, &id) != STATUS_OK) continue;
        const struct table *table = schema_find_table_by_id(batch_log->options.schema, id);
        if (table == NULL) continue;
        if (age_us > (int64_t)table->params.gc_grace_seconds * 1000000) return false;
        if (made_us <= replica_truncations_time(&batch_log->coordinator->replica_truncations, id))
            continue;
        if (mutation_decode(bytes, table, arena, *mutations + *count, NULL) == STATUS_OK) ++*count;
    }
    return true;
}

// ---- For other members --------------------------------------------------------------------------

static void batch_log_handle_store(struct message_handler *handler, const struct message *message)
{
    struct batch_log *batch_log = CONTAINER_OF(handler, struct batch_log, store);
    struct cursor cursor = cursor_make(message->body);
    struct slice id = cursor_take(&cursor, sizeof(struct uuid));
    int64_t made_us = (int64_t)cursor_u64(&cursor);
    uint64_t position = 0;
    enum status status = STATUS_CORRUPT;
    if (!cursor.failed)
        status = batch_log_put(batch_log, uuid_from_bytes(id.data), made_us,
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

// ---- The replay ---------------------------------------------------------------------------------

static void replay_step(struct batch_log *batch_log);

static void replay_task_run(struct env_task *task)
{
    replay_step(CONTAINER_OF(task, struct batch_log, replay.task));
}

static void replay_go_on(struct batch_log *batch_log)
{
    batch_log->replay.state = REPLAY_LOOKING;
    if (!batch_log->is_stopped)
        env_task_post(batch_log->env, &batch_log->replay.task, replay_task_run);
}

static void replay_fire(struct env_timer *timer)
{
    replay_step(CONTAINER_OF(timer, struct batch_log, replay.timer));
}

static void replay_rest(struct batch_log *batch_log, uint64_t delay_ns)
{
    struct batch_replay *replay = &batch_log->replay;
    replay->state = REPLAY_RESTING;
    read_pins_release(&replay->pins);
    arena_reset(&replay->arena);
    if (!batch_log->is_stopped)
        env_timer_start(batch_log->env, &replay->timer, delay_ns, replay_fire);
}

static void replay_written(struct coordinator_write *write, const struct coordinator_result *result)
{
    struct batch_log *batch_log = CONTAINER_OF(write, struct batch_log, replay.write);
    if (result->outcome == COORDINATOR_OK) {
        env_mark(batch_log->env, ENV_MARK_LOGGED_REPLAYED);
        batch_log_remove(batch_log, batch_log->replay.last);
    } else {
        env_mark(batch_log->env, ENV_MARK_LOGGED_KEPT);
    }
    replay_go_on(batch_log);
}

static void replay_write(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    struct mutation *mutations;
    size_t count;
    arena_reset(&replay->arena);
    if (!batch_log_decode(batch_log, buffer_slice(&replay->records), replay->made_us,
                          &replay->arena, &mutations, &count) ||
        count == 0) {
        batch_log_remove(batch_log, replay->last);
        replay_go_on(batch_log);
        return;
    }
    replay->state = REPLAY_WRITING;
    coordinator_write_start(batch_log->coordinator, &replay->write, mutations, count,
                            CONSISTENCY_QUORUM, replay_written);
}

// What a partition of the table has to be carried out, if anything.
static enum status replay_take(struct batch_log *batch_log, struct partition_iterator *partition,
                               bool *is_found)
{
    struct batch_replay *replay = &batch_log->replay;
    struct unfiltered unfiltered;
    buffer_clear(&replay->records);
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        for (uint32_t i = 0; !unfiltered.is_marker && i < unfiltered.row->cell_count; i++) {
            const struct cell *cell = &unfiltered.row->cells[i];
            if (cell->column != batch_log->mutations_column || cell_is_tombstone(cell)) continue;
            replay->made_us = cell->timestamp;
            buffer_put_vint_bytes(&replay->records, cell->value);
        }
    }
    if (status != STATUS_END) return status;
    replay->has_last = true;
    replay->last_token = partition->key.token;
    if (partition->key.bytes.size != sizeof replay->last.bytes) return STATUS_OK;
    replay->last = uuid_from_bytes(partition->key.bytes.data);
    int64_t age_us = env_wall_us(batch_log->env) - replay->made_us;
    bool is_due = replay->is_first ||
                  age_us > 2 * (int64_t)(batch_log->options.write_timeout_ns / 1000) || age_us < 0;
    *is_found = replay->records.size > 0 && is_due;
    return STATUS_OK;
}

static enum status replay_look(struct batch_log *batch_log, bool *is_found)
{
    struct batch_replay *replay = &batch_log->replay;
    struct scan_range range = SCAN_RANGE_ALL;
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    const struct partition_filter filter = {.ranges = &all, .range_count = 1};
    if (replay->has_last)
        range.start = (struct scan_bound){
            replay->last_token, slice_make(replay->last.bytes, sizeof replay->last.bytes), false};
    struct scan_iterator *scan;
    uint64_t position = 0;
    arena_reset(&replay->arena);
    enum status status = engine_scan(batch_log->options.engine, batch_log->options.table, &range,
                                     &filter, &replay->pins, &replay->arena, &scan, &position);
    if (status != STATUS_OK) return status;
    for (int i = 0; i < BATCH_SKIPPED_MAX && status == STATUS_OK && !*is_found; i++) {
        struct partition_iterator *partition;
        status = scan_iterator_next(scan, &partition);
        if (status != STATUS_OK) break;
        status = replay_take(batch_log, partition, is_found);
        partition_iterator_close(partition);
    }
    scan_iterator_close(scan);
    return status;
}

static void replay_loaded(struct engine_load *load, enum status status)
{
    struct batch_log *batch_log = CONTAINER_OF(load, struct batch_log, replay.load);
    if (batch_log->is_stopped) {
        read_pins_release(&batch_log->replay.pins);
        return;
    }
    if (status == STATUS_OK)
        replay_step(batch_log);
    else
        replay_rest(batch_log, batch_log->options.replay_interval_ns);
}

static void replay_step(struct batch_log *batch_log)
{
    struct batch_replay *replay = &batch_log->replay;
    if (batch_log->is_stopped) return;
    bool is_found = false;
    replay->state = REPLAY_LOOKING;
    enum status status = replay_look(batch_log, &is_found);
    if (status == STATUS_WOULD_BLOCK) {
        replay->state = REPLAY_LOADING;
        engine_load(batch_log->options.engine, &replay->load, &replay->pins, replay_loaded);
        return;
    }
    read_pins_release(&replay->pins);
    if (is_found) {
        replay_write(batch_log);
    } else if (status == STATUS_OK) {
        replay_go_on(batch_log);
    } else { // The end of the table, or a fault: from the beginning, later.
        replay->has_last = false;
        replay->is_first = false;
        replay_rest(batch_log, batch_log->options.replay_interval_ns);
    }
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
    read_pins_init(&batch_log->replay.pins);
    arena_init(&batch_log->replay.arena, 4096);
    buffer_init(&batch_log->replay.records, TRANSPORT_MESSAGE_SIZE_MAX);
    return batch_log;
}

void batch_log_begin(struct batch_log *batch_log, struct coordinator *coordinator)
{
    batch_log->coordinator = coordinator;
    batch_log->replay.is_first = true;
    struct messaging *messaging = batch_log->options.messaging;
    if (messaging != NULL) {
        batch_log->store.handle = batch_log_handle_store;
        batch_log->remove.handle = batch_log_handle_remove;
        messaging_handle(messaging, VERB_BATCH_STORE, &batch_log->store);
        messaging_handle(messaging, VERB_BATCH_REMOVE, &batch_log->remove);
    }
    // Others have to be known first.
    replay_rest(batch_log, messaging == NULL ? 0 : 1000000000ull);
}

void batch_log_stop(struct batch_log *batch_log)
{
    batch_log->is_stopped = true;
    env_timer_stop(batch_log->env, &batch_log->replay.timer);
    env_task_cancel(batch_log->env, &batch_log->replay.task);
    if (batch_log->replay.state != REPLAY_LOADING) read_pins_release(&batch_log->replay.pins);
}

void batch_log_abandon(struct batch_log *batch_log)
{
    if (batch_log == NULL) return;
    read_pins_release(&batch_log->replay.pins);
    batch_log_destroy(batch_log);
}

void batch_log_destroy(struct batch_log *batch_log)
{
    if (batch_log == NULL) return;
    arena_deinit(&batch_log->replay.arena);
    buffer_deinit(&batch_log->replay.records);
    table_unref(batch_log->options.table);
    free(batch_log);
}
