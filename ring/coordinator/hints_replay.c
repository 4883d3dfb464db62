// Hints on their way back: a block of the oldest file is read and checked on a thread, what of it
// still counts is sent, and the next follows when the member has synced it.
#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "ring/coordinator/hints_internal.h"

#include <stdlib.h>

// ---- Reading: on the thread ---------------------------------------------------------------------

// The whole and right records at the beginning of the bytes.
static size_t hints_check_records(struct slice bytes, bool *is_bad)
{
    size_t good = 0;
    *is_bad = false;
    while (bytes.size - good >= HINTS_RECORD_HEAD_SIZE) {
        const uint8_t *at = bytes.data + good;
        size_t size = bytes_get_u32(at);
        if (size > MUTATION_SIZE_MAX) {
            *is_bad = true;
            break;
        }
        if (bytes.size - good - HINTS_RECORD_HEAD_SIZE < size) break;
        if (bytes_get_u64(at + 4) != checksum_xxh3(slice_make(at + 12, 8 + size), size)) {
            *is_bad = true;
            break;
        }
        good += HINTS_RECORD_HEAD_SIZE + size;
    }
    return good;
}

// At least one whole record, if there is one.
static enum status hints_read_from(struct hint_member *member, struct env_file *file, size_t size)
{
    buffer_clear(&member->block);
    uint8_t *at = buffer_reserve(&member->block, size);
    if (at == NULL) return STATUS_CORRUPT;
    size_t read = 0;
    enum status status = env_file_read(file, member->read_offset, at, size, &read, NULL);
    if (status != STATUS_OK) return status;
    bool is_bad;
    size_t good = hints_check_records(slice_make(at, read), &is_bad);
    size_t needed = read >= 4 ? HINTS_RECORD_HEAD_SIZE + (size_t)bytes_get_u32(at) : 0;
    buffer_truncate(&member->block, good);
    if (good == 0 && !is_bad && read == size && needed > size)
        return hints_read_from(member, file, needed);
    member->is_end = is_bad || read < size || good == 0;
    return STATUS_OK;
}

static void hints_read_work(struct env_job *job)
{
    struct hint_member *member = CONTAINER_OF(job, struct hint_member, job);
    struct env_file *file;
    member->status = env_file_open(member->hints->env, member->path, ENV_OPEN_READ, &file, NULL);
    if (member->status != STATUS_OK) return;
    uint8_t magic[HINTS_MAGIC_SIZE] = {0};
    size_t read = 0;
    if (member->read_offset == 0) {
        member->status = env_file_read(file, 0, magic, sizeof magic, &read, NULL);
        if (member->status == STATUS_OK && bytes_get_u64(magic) != HINTS_MAGIC)
            member->status = STATUS_CORRUPT;
        member->read_offset = HINTS_MAGIC_SIZE;
    }
    if (member->status == STATUS_OK)
        member->status = hints_read_from(member, file, HINTS_BLOCK_SIZE);
    env_file_close(file);
}

static void hints_remove_work(struct env_job *job)
{
    struct hint_member *member = CONTAINER_OF(job, struct hint_member, job);
    struct hints *hints = member->hints;
    member->status = env_remove(hints->env, member->path, NULL);
    // Only then may it be forgotten what of it is void.
    if (member->status == STATUS_OK)
        member->status = env_sync_dir(hints->env, hints->directory, NULL);
}

// ---- Steps --------------------------------------------------------------------------------------

static void hints_timer_fire(struct env_timer *timer)
{
    struct hint_member *member = CONTAINER_OF(timer, struct hint_member, timer);
    member->state = HINTS_WAITING;
    hints_replay_look(member);
}

static void hints_pause(struct hint_member *member, uint64_t delay_ns)
{
    member->state = HINTS_PAUSING;
    if (!member->hints->is_closing)
        env_timer_start(member->hints->env, &member->timer, delay_ns, hints_timer_fire);
}

static void hints_removed(struct env_job *job)
{
    struct hint_member *member = CONTAINER_OF(job, struct hint_member, job);
    struct hints *hints = member->hints;
    if (member->status == STATUS_OK || member->status == STATUS_NOT_FOUND) {
        env_mark(hints->env, ENV_MARK_HINT_FILE_DONE);
        hints_forget_file(member);
        member->state = HINTS_WAITING;
        hints_replay_look(member);
    } else {
        hints_pause(member, HINTS_RETRY_DELAY_NS);
    }
    hints_go_on_closing(hints);
}

static void hints_remove(struct hint_member *member)
{
    struct hints *hints = member->hints;
    member->state = HINTS_REMOVING;
    hints_format_path(hints, member->host, member->files->number, member->path);
    env_offload(hints->env, &member->job, ENV_LANE_BACKGROUND, hints_remove_work, hints_removed);
}

// The block at hand was acknowledged, or nothing of it counts any more.
static void hints_block_done(struct hint_member *member)
{
    uint64_t delay_ns = member->body.size * 1000000000ull / member->hints->options.bytes_per_s;
    member->offset = member->read_end;
    if (member->is_end)
        hints_remove(member);
    else
        hints_pause(member, delay_ns);
}

static bool hints_must_repeat(struct slice statuses)
{
    for (size_t i = 0; i < statuses.size; i++) {
        uint8_t status = statuses.data[i];
        if (status == STATUS_OVERLOADED || status == STATUS_IO || status == STATUS_CANCELED ||
            status == STATUS_NO_SPACE)
            return true;
    }
    return false;
}

static void hints_answered(struct messaging_request *request, enum status status,
                           struct slice answer)
{
    struct hint_member *member = CONTAINER_OF(request, struct hint_member, request);
    if (status == STATUS_OK && !hints_must_repeat(answer)) {
        hints_block_done(member);
        return;
    }
    env_mark(member->hints->env, ENV_MARK_HINT_SENT_AGAIN);
    hints_pause(member, HINTS_RETRY_DELAY_NS);
}

static bool hints_has_expired(const struct hints *hints, const struct table *table, int64_t made_us)
{
    int64_t age_us = env_wall_us(hints->env) - made_us;
    return age_us > (int64_t)table->params.gc_grace_seconds * 1000000;
}

// What of the block still counts.
static void hints_make_body(struct hint_member *member)
{
    struct hints *hints = member->hints;
    buffer_clear(&member->body);
    size_t at = 0;
    while (at < member->block.size) {
        const uint8_t *head = member->block.data + at;
        struct slice record = slice_make(head + HINTS_RECORD_HEAD_SIZE, bytes_get_u32(head));
        int64_t made_us = (int64_t)bytes_get_u64(head + 12);
        at += HINTS_RECORD_HEAD_SIZE + record.size;
        struct uuid id;
        if (record.size == 0 || mutation_decode_table_id(
                                    slice_make(record.data + 1, record.size - 1), &id) != STATUS_OK)
            continue;
        const struct table *table = hints_find_table(hints, id);
        if (table == NULL) continue;
        if (hints_is_void(hints, member->files->number, id)) {
            env_mark(hints->env, ENV_MARK_HINT_VOID);
        } else if (hints_has_expired(hints, table, made_us)) {
            env_mark(hints->env, ENV_MARK_HINT_EXPIRED);
            hints->dropped++;
        } else {
            buffer_put_u64(&member->body, (uint64_t)made_us);
            buffer_put_vint_bytes(&member->body, record);
        }
    }
}

static void hints_read_done(struct env_job *job)
{
    struct hint_member *member = CONTAINER_OF(job, struct hint_member, job);
    struct hints *hints = member->hints;
    if (hints->is_closing) {
        member->state = HINTS_WAITING;
        hints_go_on_closing(hints);
        return;
    }
    if (member->status == STATUS_NOT_FOUND || member->status == STATUS_CORRUPT) {
        env_mark(hints->env, ENV_MARK_HINT_TAIL_CUT);
        hints_remove(member);
        return;
    }
    if (member->status != STATUS_OK || !liveness_is_up(hints->liveness, member->member)) {
        hints_pause(member, HINTS_RETRY_DELAY_NS);
        return;
    }
    member->read_end = member->read_offset + member->block.size;
    if (member->is_end && member->read_end < member->files->written)
        env_mark(hints->env, ENV_MARK_HINT_TAIL_CUT);
    hints_make_body(member);
    if (member->body.size == 0) {
        hints_block_done(member);
        return;
    }
    env_mark(hints->env, ENV_MARK_HINT_SENT);
    member->state = HINTS_SENDING;
    messaging_send(hints->messaging, &member->request, member->member, VERB_HINT,
                   buffer_slice(&member->body), hints->options.answer_timeout_ns, hints_answered);
}

static void hints_step(struct hint_member *member)
{
    struct hints *hints = member->hints;
    struct hint_file *file = member->files;
    file->is_open = false;              // What comes now goes into another.
    if (file->is_being_written) return; // The end of the write looks again.
    if (file->pending.size > 0) {
        hints_write_start(hints);
        return;
    }
    if (file->written == 0) { // Its only write failed: there may be a file or none.
        hints_remove(member);
        return;
    }
    member->state = HINTS_READING;
    member->read_offset = member->offset;
    hints_format_path(hints, member->host, file->number, member->path);
    env_offload(hints->env, &member->job, ENV_LANE_READ, hints_read_work, hints_read_done);
}

void hints_replay_look(struct hint_member *member)
{
    struct hints *hints = member->hints;
    if (member->state == HINTS_WAITING && member->files != NULL && !hints->is_closing &&
        liveness_is_up(hints->liveness, member->member))
        hints_step(member);
}
