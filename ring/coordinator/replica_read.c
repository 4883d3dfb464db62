#include "ring/coordinator/replica_read.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/read_encoder.h"
#include "ring/coordinator/read_pool.h"
#include "storage/compaction/purge.h"
#include "storage/engine/engine_index.h"

#include <stdlib.h>

enum {
    ARENA_BLOCK_SIZE = 4096,
    REQUEST_BLOCK_SIZE = 512,
    KEPT_SIZE_MAX = 16384, // What is larger does not wait for the next read.
};

// ---- The pool -----------------------------------------------------------------------------------

static void replica_read_link(struct replica_read *read)
{
    struct read_pool *pool = read->pool;
    read->next = pool->replica_reads;
    if (read->next != NULL) read->next->place = &read->next;
    read->place = &pool->replica_reads;
    pool->replica_reads = read;
    pool->replica_count++;
}

struct replica_read *replica_read_take(struct read_pool *pool)
{
    struct replica_read *read = pool->free_replica_reads;
    if (read != NULL) {
        pool->free_replica_reads = read->next;
        pool->free_replica_count--;
    } else {
        read = calloc(1, sizeof *read);
        ASSERT(read != NULL);
        read->pool = pool;
        arena_init(&read->arena, ARENA_BLOCK_SIZE);
        arena_init(&read->request_arena, REQUEST_BLOCK_SIZE);
        buffer_init(&read->chunk, TRANSPORT_ANSWER_SIZE_MAX - KIB);
        read_pins_init(&read->pins);
    }
    replica_read_link(read);
    return read;
}

void replica_read_free(struct replica_read *read)
{
    table_unref(read->table);
    read_pins_release(&read->pins);
    arena_deinit(&read->arena);
    arena_deinit(&read->request_arena);
    buffer_deinit(&read->chunk);
    free(read);
}

void replica_read_give_back(struct replica_read *read)
{
    struct read_pool *pool = read->pool;
    *read->place = read->next;
    if (read->next != NULL) read->next->place = read->place;
    pool->replica_count--;
    pool->waiting_size -= read->waiting_size;
    trace_unref(read->trace);
    read->trace = NULL;
    bool is_large = arena_size(&read->arena) > KEPT_SIZE_MAX ||
                    arena_size(&read->request_arena) > KEPT_SIZE_MAX ||
                    read->chunk.capacity > KEPT_SIZE_MAX;
    if (is_large || pool->free_replica_count == READ_POOL_KEPT_MAX) {
        replica_read_free(read);
        return;
    }
    table_unref(read->table);
    read->table = NULL;
    read_pins_release(&read->pins);
    arena_reset(&read->arena);
    arena_reset(&read->request_arena);
    buffer_clear(&read->chunk);
    read->done = NULL;
    read->is_forgotten = false;
    read->waiting_size = 0;
    read->next = pool->free_replica_reads;
    pool->free_replica_reads = read;
    pool->free_replica_count++;
}

// ---- Reading ------------------------------------------------------------------------------------

// What compactions leave out is left out, and what they make a tombstone is one, whether this
// replica compacted or not: so equal replicas have one digest
// (ReadCommand.withoutPurgeableTombstones).
static struct purge replica_read_purge(const struct replica_read *read)
{
    int64_t margin_s = (int64_t)read->request.now_s - INT32_MIN;
    return (struct purge){
        .expiry_margin_s =
            margin_s < COMPACTION_EXPIRY_MARGIN_S ? (int32_t)margin_s : COMPACTION_EXPIRY_MARGIN_S,
        .now_s = read->request.now_s,
        .gc_before = engine_answer_gc_before(read->pool->coordinator->engine, read->table,
                                             read->request.now_s),
        .memory_min_timestamp = INT64_MAX,
    };
}

static enum status replica_read_key(struct replica_read *read, struct read_encoder *encoder)
{
    struct partition_iterator *partition = NULL;
    enum status status =
        engine_read(read->pool->coordinator->engine, read->table, &read->request.key,
                    &read->request.filter, &read->pins, &read->arena, &partition, &read->position);
    struct purge purge = replica_read_purge(read);
    if (status == STATUS_OK && partition != NULL)
        status = purge_partition(&partition, &purge, &read->arena);
    if (status != STATUS_OK) return status;
    if (partition != NULL) {
        status = read_encoder_put_partition(encoder, partition);
        partition_iterator_close(partition);
        if (status != STATUS_OK && status != STATUS_END) return status;
    }
    read_encoder_end(encoder, encoder->is_cut);
    return encoder->bytes->overflow ? STATUS_OVERLOADED : STATUS_OK;
}

// Of an index: what it has of a partition, or of the range.
static enum status replica_read_index(struct replica_read *read, struct read_encoder *encoder)
{
    const struct read_request *request = &read->request;
    struct engine_index_query query = {request->index, request->index_key, request->now_s};
    struct scan_range range = request->range;
    if (!request->is_scan) {
        struct scan_bound bound = {request->key.token, request->key.bytes, true};
        range = (struct scan_range){bound, bound};
    }
    struct scan_iterator *scan = NULL;
    enum status status =
        engine_index_scan(read->pool->coordinator->engine, read->table, &query, &range,
                          &request->filter, &read->pins, &read->arena, &scan, &read->position);
    if (status != STATUS_OK) return status;
    status = read_encoder_put_scan(encoder, scan, false);
    scan_iterator_close(scan);
    return status;
}

static enum status replica_read_scan(struct replica_read *read, struct read_encoder *encoder)
{
    struct scan_iterator *scan = NULL;
    enum status status =
        engine_scan(read->pool->coordinator->engine, read->table, &read->request.range,
                    &read->request.filter, &read->pins, &read->arena, &scan, &read->position);
    if (status != STATUS_OK) return status;
    struct purge purge = replica_read_purge(read);
    scan = purge_scan(scan, &purge, &read->arena);
    status = read_encoder_put_scan(encoder, scan, false);
    scan_iterator_close(scan);
    return status;
}

static void replica_read_loaded(struct engine_load *load, enum status status);
static void replica_read_synced(struct commit_log_waiter *waiter, enum status status);

// True: it is over, `*status` says how.
static bool replica_read_step(struct replica_read *read, enum status *status)
{
    struct engine *engine = read->pool->coordinator->engine;
    struct env *env = read->pool->coordinator->env;
    struct read_encoder encoder;
    arena_reset(&read->arena);
    buffer_clear(&read->chunk);
    read_encoder_init(&encoder, &read->chunk, read->table, read->request.row_max,
                      read->request.now_s);
    if (read->request.layout_hash != read->table->layout_hash) {
        read_encoder_put_layout(&encoder);
    }
    if (!slice_is_null(read->request.index_key))
        *status = replica_read_index(read, &encoder);
    else
        *status = read->request.is_scan ? replica_read_scan(read, &encoder)
                                        : replica_read_key(read, &encoder);
    if (*status == STATUS_WOULD_BLOCK) {
        env_mark(env, ENV_MARK_REPLICA_READ_LOADING);
        trace_add(read->trace, TRACE_THREAD_READ, "Waiting for data from disk");
        engine_load(engine, &read->load, &read->pins, replica_read_loaded);
        return false;
    }
    read_pins_release(&read->pins);
    if (*status != STATUS_OK) return true;
    // Invariant 3: nothing is shown that a crash could take back.
    if (read->position <= engine_synced_position(engine)) return true;
    env_mark(env, ENV_MARK_REPLICA_READ_SYNCING);
    read->waiting_size = read->chunk.capacity;
    read->pool->waiting_size += read->waiting_size;
    engine_wait_synced(engine, &read->waiter, read->position, replica_read_synced);
    return false;
}

bool replica_read_start(struct replica_read *read, const struct table *table,
                        const struct read_request *request, enum status *status)
{
    table_ref(table);
    read->table = table;
    read->request = *request;
    read->position = 0;
    read->pool->coordinator->counts.local_reads++;
    env_mark(read->pool->coordinator->env, ENV_MARK_REPLICA_READ_STARTED);
    return replica_read_step(read, status);
}

static void replica_read_answer(struct replica_read *read, enum status status);

static void replica_read_end(struct replica_read *read, enum status status)
{
    if (read->is_forgotten)
        replica_read_give_back(read);
    else if (read->done != NULL)
        read->done(read, status);
    else
        replica_read_answer(read, status);
}

static void replica_read_loaded(struct engine_load *load, enum status status)
{
    struct replica_read *read = CONTAINER_OF(load, struct replica_read, load);
    // What a forgotten one was asked is gone.
    if (read->is_forgotten || status != STATUS_OK || replica_read_step(read, &status))
        replica_read_end(read, status);
}

static void replica_read_synced(struct commit_log_waiter *waiter, enum status status)
{
    replica_read_end(CONTAINER_OF(waiter, struct replica_read, waiter), status);
}

void replica_read_forget(struct replica_read *read)
{
    read->is_forgotten = true;
}

// ---- For others ---------------------------------------------------------------------------------

static void replica_read_answer(struct replica_read *read, enum status status)
{
    struct messaging *messaging = read->pool->handler.messaging;
    if (messaging != NULL) { // NULL: it was closed while we waited.
        struct slice answer = status == STATUS_OK ? buffer_slice(&read->chunk) : slice_make("", 0);
        uint8_t digest[CHECKSUM_XXH128_SIZE];
        if (status == STATUS_OK && read->request.wants_digest) {
            checksum_xxh128(answer, digest);
            answer = slice_make(digest, sizeof digest);
        }
        messaging_answer(messaging, read->origin, status, answer);
        replica_trace_answer(read->pool->coordinator, read->trace, read->asked_by,
                             read->request.is_scan ? "RANGE" : "READ", answer.size);
        read->trace = NULL;
    }
    replica_read_give_back(read);
}

static void replica_read_tell(struct replica_read *read, const struct table *table,
                              uint16_t asked_by, bool is_scan)
{
    read->trace = read->pool->coordinator->trace;
    read->asked_by = asked_by;
    trace_ref(read->trace);
    if (is_scan)
        trace_add(read->trace, TRACE_THREAD_READ, "Executing seq scan on %.*s",
                  TRACE_NAME(table->name));
    else
        trace_add(read->trace, TRACE_THREAD_READ, "Executing single-partition query on %.*s",
                  TRACE_NAME(table->name));
}

void replica_read_handle(struct message_handler *handler, const struct message *message)
{
    struct read_pool *pool = CONTAINER_OF(handler, struct read_pool, handler);
    struct uuid id;
    enum status status = read_request_get_table(message->body, &id);
    const struct table *table = NULL;
    if (status == STATUS_OK) {
        table = coordinator_find_table(pool->coordinator, id);
        if (table == NULL) status = STATUS_NOT_FOUND;
    }
    if (pool->replica_count >= REPLICA_READS_MAX || pool->waiting_size >= REPLICA_READS_SIZE_MAX) {
        status = STATUS_OVERLOADED;
    }
    if (status != STATUS_OK) {
        messaging_answer(handler->messaging, message->origin, status, slice_make("", 0));
        return;
    }
    struct replica_read *read = replica_read_take(pool);
    struct read_request request;
    read->origin = message->origin;
    status = read_request_get(arena_copy(&read->request_arena, message->body), table,
                              &read->request_arena, &request);
    if (pool->coordinator->trace != NULL && status == STATUS_OK)
        replica_read_tell(read, table, message->from, request.is_scan);
    if (status != STATUS_OK || replica_read_start(read, table, &request, &status))
        replica_read_answer(read, status);
}
