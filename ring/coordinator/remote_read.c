#include "ring/coordinator/remote_read.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/remote_piece.h"

#include <stdlib.h>

enum {
    ARENA_BLOCK_SIZE = 4096,
    KEPT_SIZE_MAX = 32768, // What is larger does not wait for the next read.
};

// ---- The pool -----------------------------------------------------------------------------------

static struct remote_read *remote_take(struct read_pool *pool)
{
    struct remote_read *remote = pool->free_remote_reads;
    struct arena arena;
    if (remote != NULL) {
        pool->free_remote_reads = remote->next;
        pool->free_remote_count--;
        arena = remote->arena;
    } else {
        remote = malloc(sizeof *remote);
        ASSERT(remote != NULL);
        arena_init(&arena, ARENA_BLOCK_SIZE);
    }
    *remote = (struct remote_read){.pool = pool, .coordinator = pool->coordinator, .arena = arena};
    remote->pieces_end = &remote->pieces;
    remote->next = pool->remote_reads;
    if (remote->next != NULL) remote->next->place = &remote->next;
    remote->place = &pool->remote_reads;
    pool->remote_reads = remote;
    return remote;
}

void remote_read_free(struct remote_read *remote)
{
    arena_deinit(&remote->arena);
    free(remote);
}

static void remote_unlink(struct remote_read *remote)
{
    *remote->place = remote->next;
    if (remote->next != NULL) remote->next->place = remote->place;
    remote->pool->remote_size -= remote->size;
    remote->read->remote = NULL;
}

void remote_read_abandon(struct remote_read *remote)
{
    remote_unlink(remote);
    remote_read_free(remote);
}

static void remote_release(struct remote_read *remote)
{
    struct read_pool *pool = remote->pool;
    for (struct remote_piece *piece = remote->pieces; piece != NULL; piece = piece->next)
        remote_piece_drop(piece);
    env_timer_stop(remote->coordinator->env, &remote->timer);
    remote_unlink(remote);
    if (arena_size(&remote->arena) > KEPT_SIZE_MAX ||
        pool->free_remote_count == READ_POOL_KEPT_MAX) {
        remote_read_free(remote);
        return;
    }
    arena_reset(&remote->arena);
    remote->next = pool->free_remote_reads;
    pool->free_remote_reads = remote;
    pool->free_remote_count++;
}

// ---- The end ------------------------------------------------------------------------------------

void remote_read_fail(struct remote_read *remote, enum coordinator_outcome outcome)
{
    if (remote->has_failed) return;
    remote->has_failed = true;
    remote->read->result.outcome = outcome;
}

// ---- Consuming ----------------------------------------------------------------------------------

static enum status consume_piece(struct remote_piece *piece, bool *enough)
{
    struct coordinator_read *read = piece->remote->read;
    struct read_decoder *decoder = read_decoder_open(
        piece->chunks, read->table, read->filter.reversed, piece->is_trusted, &read->arena);
    while (!*enough) {
        struct partition_iterator *partition;
        enum status status = scan_iterator_next(&decoder->base, &partition);
        // The rest of a partition that was cut is not wanted: it goes on behind it.
        if (status == STATUS_WOULD_BLOCK && decoder->was_left)
            piece->reach = (struct read_reach){
                .key = {decoder->partition.key.token,
                        arena_copy(&piece->remote->arena, decoder->partition.key.bytes)},
                .is_known = true};
        if (status == STATUS_END) return piece->is_over ? STATUS_OK : STATUS_WOULD_BLOCK;
        if (status != STATUS_OK) return status;
        status = read->consume(read, partition, enough);
        partition_iterator_close(partition);
        if (status != STATUS_OK && status != STATUS_END) return status;
    }
    return STATUS_OK;
}

// WOULD_BLOCK: it wants more than there is.
static enum status remote_consume(struct remote_read *remote)
{
    struct coordinator_read *read = remote->read;
    bool enough = false;
    enum status status = STATUS_OK;
    coordinator_take_arena(remote->coordinator, &read->arena);
    read->restart(read);
    struct remote_piece *piece = remote->pieces;
    while (piece != NULL && status == STATUS_OK && !enough) {
        remote->consumed = piece;
        status = consume_piece(piece, &enough);
        piece = piece->next;
    }
    if (status == STATUS_OK && !enough && !remote->is_planned) {
        remote->consumed = NULL;
        status = STATUS_WOULD_BLOCK;
    }
    coordinator_give_arena(remote->coordinator, &read->arena);
    read->goes_on = true;
    return status;
}

// ---- The whole read -----------------------------------------------------------------------------

static void remote_timer_fired(struct env_timer *timer);

static void remote_open_window(struct remote_read *remote)
{
    struct remote_piece **first = remote->pieces_end;
    if (!remote_plan_add_pieces(remote, remote->window)) {
        remote_read_fail(remote, COORDINATOR_UNAVAILABLE);
        return;
    }
    for (struct remote_piece *piece = *first; piece != NULL; piece = piece->next)
        remote_piece_begin(piece);
    if (remote->window < REMOTE_PIECES_MAX) remote->window *= 2;
}

// Asks for more: of the piece at which the reader stopped, or the next ones.
static void remote_extend(struct remote_read *remote)
{
    remote->has_speculated = false;
    remote->deadline_ns = env_monotonic_ns(remote->coordinator->env) + remote->timeout_ns;
    if (remote->consumed != NULL)
        remote_piece_continue(remote->consumed);
    else
        remote_open_window(remote);
}

static void remote_wait(struct remote_read *remote)
{
    struct env *env = remote->coordinator->env;
    if (remote->has_speculated || env_timer_is_started(&remote->timer)) return;
    uint64_t delay_ns =
        remote->threshold_ns < remote->timeout_ns ? remote->threshold_ns : remote->timeout_ns;
    env_timer_start(env, &remote->timer, delay_ns, remote_timer_fired);
}

// True: it is over, `read->result` says how.
static bool remote_run(struct remote_read *remote)
{
    for (;;) {
        if (remote->has_failed) return true;
        if (remote->open_count > 0) {
            remote_wait(remote);
            return false;
        }
        env_timer_stop(remote->coordinator->env, &remote->timer);
        enum status status = remote_consume(remote);
        // A reader with much at hand may end where it missed something (a SELECT does, and begins
        // a new read there): it need not look at all of this again each time that more comes.
        if (status == STATUS_WOULD_BLOCK && remote->size >= READ_STEP_SIZE_MAX) {
            remote->read->goes_on = false;
            status = remote_consume(remote);
        }
        if (status == STATUS_OK) {
            remote->read->result.received = remote->read->result.required;
            return true;
        }
        if (status != STATUS_WOULD_BLOCK) {
            coordinator_result_fail(&remote->read->result, status);
            return true;
        }
        remote_extend(remote);
    }
}

void remote_read_go_on(struct remote_read *remote)
{
    struct coordinator_read *read = remote->read;
    if (!remote_run(remote)) return;
    remote_release(remote);
    read->done(read, &read->result);
}

static void remote_speculate(struct remote_read *remote)
{
    remote->has_speculated = true;
    for (struct remote_piece *piece = remote->pieces; piece != NULL; piece = piece->next)
        remote_piece_speculate(piece);
}

static void remote_timer_fired(struct env_timer *timer)
{
    struct remote_read *remote = CONTAINER_OF(timer, struct remote_read, timer);
    struct env *env = remote->coordinator->env;
    uint64_t now_ns = env_monotonic_ns(env);
    if (now_ns < remote->deadline_ns) {
        env_timer_start(env, timer, remote->deadline_ns - now_ns, remote_timer_fired);
        if (!remote->has_speculated) remote_speculate(remote);
    } else {
        struct remote_piece *piece = remote->pieces;
        while (piece->state == REMOTE_RESOLVED && piece->next != NULL)
            piece = piece->next;
        remote_piece_fail(piece, COORDINATOR_TIMED_OUT);
    }
    remote_read_go_on(remote);
}

static uint64_t remote_timeout_ns(const struct remote_read *remote)
{
    const struct coordinator_options *options = &remote->coordinator->options;
    return remote->read->keys == NULL ? options->range_timeout_ns : options->read_timeout_ns;
}

bool remote_read_start(struct coordinator *coordinator, struct coordinator_read *read,
                       enum consistency consistency)
{
    struct remote_read *remote = remote_take(coordinator->reads);
    env_mark(coordinator->env, ENV_MARK_READ_REMOTE);
    remote->read = read;
    read->remote = remote;
    remote->consistency = consistency;
    remote->window = read->keys != NULL ? REMOTE_PIECES_MAX : 1;
    remote->next_start = read->range.start;
    remote->is_planned = read->keys != NULL
                             ? read->key_count == 0
                             : token_compare(read->range.start.token, read->range.end.token) > 0;
    remote->timeout_ns = remote_timeout_ns(remote);
    remote->threshold_ns = read_latency_threshold_ns(
        &remote->pool->latency, &read->table->speculative_retry, remote->timeout_ns);
    remote_extend(remote);
    if (!remote_run(remote)) return false;
    remote_release(remote);
    return true;
}
