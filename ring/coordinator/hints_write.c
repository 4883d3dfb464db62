// What was added goes into the files, all of it in one go, on the background thread.
#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "ring/coordinator/hints_internal.h"

#include <stdio.h>
#include <stdlib.h>

// ---- On the thread ------------------------------------------------------------------------------

static enum status hints_append(struct env *env, const struct hint_append *append)
{
    struct env_file *file;
    enum status status =
        env_file_open(env, append->path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, NULL);
    if (status != STATUS_OK) return status;
    status = env_file_write(file, append->offset, append->bytes.data, append->bytes.size, NULL);
    if (status == STATUS_OK) status = env_file_sync(file, NULL);
    env_file_close(file);
    return status;
}

static enum status hints_store_truncations(struct hints *hints)
{
    char path[HINTS_PATH_MAX], temporary[HINTS_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/truncations", hints->directory);
    (void)snprintf(temporary, sizeof temporary, "%s/truncations.tmp", hints->directory);
    struct env_file *file;
    enum status status = env_file_open(
        hints->env, temporary, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file, NULL);
    if (status != STATUS_OK) return status;
    const struct buffer *bytes = &hints->write.truncations;
    status = env_file_write(file, 0, bytes->data, bytes->size, NULL);
    if (status == STATUS_OK) status = env_file_sync(file, NULL);
    env_file_close(file);
    if (status == STATUS_OK) status = env_rename(hints->env, temporary, path, NULL);
    if (status == STATUS_OK) status = env_sync_dir(hints->env, hints->directory, NULL);
    return status;
}

static void hints_write_work(struct env_job *job)
{
    struct hints_write *write = CONTAINER_OF(job, struct hints_write, job);
    struct hints *hints = CONTAINER_OF(write, struct hints, write);
    bool has_new = false;
    for (size_t i = 0; i < write->append_count; i++) {
        write->appends[i].status = hints_append(hints->env, &write->appends[i]);
        has_new |= write->appends[i].offset == 0;
    }
    if (has_new) {
        enum status status = env_sync_dir(hints->env, hints->directory, NULL);
        for (size_t i = 0; i < write->append_count && status != STATUS_OK; i++) {
            if (write->appends[i].offset == 0) write->appends[i].status = status;
        }
    }
    write->truncations_status =
        write->truncations.size > 0 ? hints_store_truncations(hints) : STATUS_OK;
}

// ---- On the loop --------------------------------------------------------------------------------

void hints_write_free(struct hints_write *write)
{
    for (size_t i = 0; i < write->append_count; i++)
        buffer_deinit(&write->appends[i].bytes);
    free(write->appends);
    write->appends = NULL;
    write->append_count = 0;
    buffer_deinit(&write->truncations);
}

static struct hint_member *hints_owner(struct hints *hints, const struct hint_file *wanted)
{
    for (size_t i = 0; i < TOPOLOGY_MEMBERS_MAX; i++) {
        if (hints->members[i] == NULL) continue;
        for (const struct hint_file *f = hints->members[i]->files; f != NULL; f = f->next) {
            if (f == wanted) return hints->members[i];
        }
    }
    ASSERT(false);
}

// What could not be written is lost, and the file takes no more: its end may be anything.
static void hints_append_done(struct hints *hints, const struct hint_append *append)
{
    struct hint_file *file = append->file;
    file->is_being_written = false;
    hints->pending_size -= append->bytes.size;
    if (append->status == STATUS_OK) {
        file->written += append->bytes.size;
        return;
    }
    env_mark(hints->env, ENV_MARK_HINT_WRITE_FAILED);
    struct hint_member *member = hints_owner(hints, file);
    member->size -= append->bytes.size + file->pending.size;
    // What came to the file meanwhile is lost with it: nobody may be told that it is durable.
    if (file->pending.size > 0) hints->lost_position = hints->position;
    hints->pending_size -= file->pending.size;
    buffer_deinit(&file->pending);
    file->is_open = false;
    hints->dropped++;
}

static void hints_tell_waits(struct hints *hints, uint64_t position, enum status status)
{
    while (hints->waits != NULL && hints->waits->position <= position) {
        struct hints_wait *wait = hints->waits;
        hints->waits = wait->next;
        if (hints->waits == NULL) hints->waits_end = &hints->waits;
        wait->done(wait, wait->position <= hints->lost_position && status == STATUS_OK ? STATUS_IO
                                                                                       : status);
    }
}

static void hints_write_done(struct env_job *job)
{
    struct hints_write *write = CONTAINER_OF(job, struct hints_write, job);
    struct hints *hints = CONTAINER_OF(write, struct hints, write);
    enum status status = write->truncations_status;
    if (status != STATUS_OK) hints->truncations_changed = true;
    for (size_t i = 0; i < write->append_count; i++) {
        if (write->appends[i].status != STATUS_OK) status = write->appends[i].status;
        hints_append_done(hints, &write->appends[i]);
    }
    uint64_t position = write->position;
    hints_write_free(write);
    write->is_running = false;
    hints->durable_position = position;
    hints_tell_waits(hints, position, status);
    if (hints->waits != NULL && hints->waits->position > hints->durable_position)
        hints_write_start(hints);
    else if (hints->pending_size > 0 || hints->truncations_changed)
        hints_write_soon(hints);
    for (size_t i = 0; i < TOPOLOGY_MEMBERS_MAX && !hints->is_closing; i++) {
        if (hints->members[i] != NULL) hints_replay_look(hints->members[i]);
    }
    hints_go_on_closing(hints);
}

static void hints_gather_file(struct hints *hints, const struct hint_member *member,
                              struct hint_file *file)
{
    struct hints_write *write = &hints->write;
    write->appends = realloc(write->appends, (write->append_count + 1) * sizeof *write->appends);
    ASSERT(write->appends != NULL);
    struct hint_append *append = &write->appends[write->append_count++];
    append->file = file;
    append->offset = file->written;
    append->bytes = file->pending;
    append->status = STATUS_OK;
    hints_format_path(hints, member->host, file->number, append->path);
    file->is_being_written = true;
    buffer_init(&file->pending, HINTS_PENDING_MAX + TRANSPORT_MESSAGE_SIZE_MAX);
}

static void hints_gather_truncations(struct hints *hints)
{
    struct buffer *bytes = &hints->write.truncations;
    buffer_clear(bytes);
    if (!hints->truncations_changed) return;
    hints->truncations_changed = false;
    buffer_put_u64(bytes, HINTS_TRUNCATIONS_MAGIC);
    for (size_t i = 0; i < hints->truncation_count; i++) {
        uuid_put(bytes, hints->truncations[i].table);
        buffer_put_u64(bytes, hints->truncations[i].number);
    }
    buffer_put_u64(bytes, checksum_xxh3(buffer_slice(bytes), HINTS_TRUNCATIONS_MAGIC));
}

void hints_write_start(struct hints *hints)
{
    struct hints_write *write = &hints->write;
    if (write->is_running) return;
    env_timer_stop(hints->env, &hints->write_timer);
    for (size_t i = 0; i < TOPOLOGY_MEMBERS_MAX; i++) {
        if (hints->members[i] == NULL) continue;
        for (struct hint_file *f = hints->members[i]->files; f != NULL; f = f->next) {
            if (f->pending.size > 0) hints_gather_file(hints, hints->members[i], f);
        }
    }
    hints_gather_truncations(hints);
    write->position = hints->position;
    write->is_running = true;
    env_mark(hints->env, ENV_MARK_HINT_WRITE);
    env_offload(hints->env, &write->job, ENV_LANE_BACKGROUND, hints_write_work, hints_write_done);
}

static void hints_write_fire(struct env_timer *timer)
{
    hints_write_start(CONTAINER_OF(timer, struct hints, write_timer));
}

void hints_write_soon(struct hints *hints)
{
    if (hints->write.is_running) return; // Its end looks again.
    if (hints->pending_size > HINTS_PENDING_MAX / 4)
        hints_write_start(hints);
    else if (!env_timer_is_started(&hints->write_timer))
        env_timer_start(hints->env, &hints->write_timer, HINTS_WRITE_DELAY_NS, hints_write_fire);
}
