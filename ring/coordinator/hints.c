#include "ring/coordinator/hints.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "ring/coordinator/hints_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void hints_format_path(const struct hints *hints, const char *host, uint64_t number,
                       char path[HINTS_PATH_MAX])
{
    (void)snprintf(path, HINTS_PATH_MAX, "%s/%s-%020" PRIu64 ".hints", hints->directory, host,
                   number);
}

struct hint_member *hints_member(struct hints *hints, uint16_t number)
{
    const struct topology *topology = metadata_topology(hints->metadata);
    if (topology == NULL || number >= topology->member_count) return NULL;
    if (hints->members[number] != NULL) return hints->members[number];
    struct hint_member *member = calloc(1, sizeof *member);
    ASSERT(member != NULL);
    member->hints = hints;
    member->member = number;
    uuid_format(topology->members[number].host_id, member->host);
    buffer_init(&member->body, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_init(&member->block, TRANSPORT_MESSAGE_SIZE_MAX);
    hints->members[number] = member;
    return member;
}

void hints_forget_file(struct hint_member *member)
{
    struct hint_file *file = member->files;
    ASSERT(file != NULL && !file->is_being_written);
    member->files = file->next;
    if (member->files == NULL) member->last = NULL;
    member->size -= file->written + file->pending.size;
    member->hints->pending_size -= file->pending.size;
    member->offset = 0;
    buffer_deinit(&file->pending);
    free(file);
}

// ---- Adding -------------------------------------------------------------------------------------

static struct hint_file *hints_open_file(struct hint_member *member, int64_t now_us)
{
    struct hint_file *last = member->last;
    if (last != NULL && last->is_open && last->written + last->pending.size < HINTS_FILE_SIZE_MAX)
        return last;
    if (last != NULL) last->is_open = false; // It is full.
    struct hint_file *file = calloc(1, sizeof *file);
    ASSERT(file != NULL);
    file->number = member->hints->next_number++;
    file->first_us = now_us;
    file->is_open = true;
    buffer_init(&file->pending, HINTS_PENDING_MAX + TRANSPORT_MESSAGE_SIZE_MAX);
    if (last == NULL)
        member->files = file;
    else
        last->next = file;
    member->last = file;
    return file;
}

static bool hints_have_room(const struct hints *hints, const struct hint_member *member,
                            size_t record_size, int64_t now_us)
{
    if (hints->options.is_disabled || hints->is_closing) return false;
    if (hints->pending_size + record_size > HINTS_PENDING_MAX) return false;
    if (member->size + record_size > hints->options.member_size_max) return false;
    return member->files == NULL ||
           now_us - member->files->first_us <= (int64_t)hints->options.window_us;
}

static void hints_put(struct buffer *bytes, int64_t now_us, struct slice record)
{
    uint8_t *at = buffer_reserve(bytes, HINTS_RECORD_HEAD_SIZE + record.size);
    ASSERT(at != NULL);
    bytes_put_u32(at, (uint32_t)record.size);
    bytes_put_u64(at + 12, (uint64_t)now_us);
    memcpy(at + HINTS_RECORD_HEAD_SIZE, record.data, record.size);
    bytes_put_u64(at + 4, checksum_xxh3(slice_make(at + 12, 8 + record.size), record.size));
}

enum status hints_add(struct hints *hints, uint16_t number, struct slice record)
{
    struct hint_member *member = hints_member(hints, number);
    if (member == NULL) return STATUS_NOT_FOUND;
    int64_t now_us = env_wall_us(hints->env);
    if (!hints_have_room(hints, member, record.size, now_us)) {
        hints->dropped++;
        env_mark(hints->env, ENV_MARK_HINT_REFUSED);
        return STATUS_OVERLOADED;
    }
    struct hint_file *file = hints_open_file(member, now_us);
    size_t before = file->pending.size;
    if (file->written == 0 && before == 0 && !file->is_being_written)
        buffer_put_u64(&file->pending, HINTS_MAGIC);
    hints_put(&file->pending, now_us, record);
    member->size += file->pending.size - before;
    hints->pending_size += file->pending.size - before;
    hints->position++;
    hints_write_soon(hints);
    // One that was only thought to be down: it gets them when they are on the disk.
    return STATUS_OK;
}

// ---- Waiting ------------------------------------------------------------------------------------

static void hints_run_waits(struct env_task *task)
{
    struct hints *hints = CONTAINER_OF(task, struct hints, waits_task);
    while (hints->waits != NULL && hints->waits->position <= hints->durable_position) {
        struct hints_wait *wait = hints->waits;
        hints->waits = wait->next;
        if (hints->waits == NULL) hints->waits_end = &hints->waits;
        wait->done(wait, wait->position <= hints->lost_position ? STATUS_IO : STATUS_OK);
    }
    hints_go_on_closing(hints);
}

void hints_wait_synced(struct hints *hints, struct hints_wait *wait,
                       void (*done)(struct hints_wait *wait, enum status status))
{
    *wait = (struct hints_wait){.done = done, .position = hints->position};
    *hints->waits_end = wait;
    hints->waits_end = &wait->next;
    if (wait->position <= hints->durable_position)
        env_task_post(hints->env, &hints->waits_task, hints_run_waits);
    else
        hints_write_start(hints);
}

// ---- Truncation ---------------------------------------------------------------------------------

bool hints_is_void(const struct hints *hints, uint64_t number, struct uuid table)
{
    for (size_t i = 0; i < hints->truncation_count; i++) {
        if (uuid_equals(hints->truncations[i].table, table))
            return number < hints->truncations[i].number;
    }
    return false;
}

static uint64_t hints_oldest_number(const struct hints *hints)
{
    uint64_t oldest = hints->next_number;
    for (size_t i = 0; i < TOPOLOGY_MEMBERS_MAX; i++) {
        const struct hint_member *member = hints->members[i];
        if (member != NULL && member->files != NULL && member->files->number < oldest)
            oldest = member->files->number;
    }
    return oldest;
}

const struct table *hints_find_table(const struct hints *hints, struct uuid id)
{
    const struct schema *system = hints->options.system_schema;
    const struct table *table = schema_find_table_by_id(metadata_schema(hints->metadata), id);
    return table != NULL || system == NULL ? table : schema_find_table_by_id(system, id);
}

// Those that no file is older than say nothing any more.
static void hints_prune_truncations(struct hints *hints)
{
    uint64_t oldest = hints_oldest_number(hints);
    size_t kept = 0;
    for (size_t i = 0; i < hints->truncation_count; i++) {
        if (hints->truncations[i].number > oldest &&
            hints_find_table(hints, hints->truncations[i].table) != NULL)
            hints->truncations[kept++] = hints->truncations[i];
    }
    hints->truncation_count = kept;
}

void hints_truncate(struct hints *hints, struct uuid table)
{
    if (hints_find_table(hints, table) == NULL) return;
    for (size_t i = 0; i < TOPOLOGY_MEMBERS_MAX; i++) {
        if (hints->members[i] == NULL) continue;
        for (struct hint_file *file = hints->members[i]->files; file != NULL; file = file->next)
            file->is_open = false;
    }
    hints_prune_truncations(hints);
    size_t index = 0;
    while (index < hints->truncation_count && !uuid_equals(hints->truncations[index].table, table))
        index++;
    if (index == hints->truncation_count) {
        hints->truncation_count++;
        hints->truncations =
            realloc(hints->truncations, hints->truncation_count * sizeof *hints->truncations);
        ASSERT(hints->truncations != NULL);
    }
    hints->truncations[index] = (struct hints_truncation){table, hints->next_number};
    hints->truncations_changed = true;
    hints->position++;
    hints_write_soon(hints);
}

// ---- Asking -------------------------------------------------------------------------------------

uint64_t hints_size(const struct hints *hints, uint16_t number)
{
    const struct hint_member *member =
        number < TOPOLOGY_MEMBERS_MAX ? hints->members[number] : NULL;
    return member == NULL ? 0 : member->size;
}

bool hints_pending(const struct hints *hints, uint16_t number, struct hints_pending *pending)
{
    const struct hint_member *member =
        number < TOPOLOGY_MEMBERS_MAX ? hints->members[number] : NULL;
    *pending = (struct hints_pending){0};
    if (member == NULL || member->size == 0) return false;
    for (const struct hint_file *file = member->files; file != NULL; file = file->next) {
        pending->files++;
        if (pending->oldest_us == 0) pending->oldest_us = file->first_us;
        if (file->first_us != 0) pending->newest_us = file->first_us;
    }
    return pending->files > 0;
}

uint64_t hints_dropped(const struct hints *hints)
{
    return hints->dropped;
}

// ---- The life -----------------------------------------------------------------------------------

static void hints_changed(struct liveness_listener *listener, uint16_t number, bool is_up)
{
    struct hints *hints = CONTAINER_OF(listener, struct hints, listener);
    struct hint_member *member = number < TOPOLOGY_MEMBERS_MAX ? hints->members[number] : NULL;
    if (is_up && member != NULL) hints_replay_look(member);
}

static void hints_free(struct hints *hints)
{
    for (size_t i = 0; i < TOPOLOGY_MEMBERS_MAX; i++) {
        struct hint_member *member = hints->members[i];
        if (member == NULL) continue;
        while (member->files != NULL) {
            member->files->is_being_written = false;
            hints_forget_file(member);
        }
        buffer_deinit(&member->body);
        buffer_deinit(&member->block);
        free(member);
    }
    hints_write_free(&hints->write);
    free(hints->truncations);
    free(hints->directory);
    free(hints);
}

static void hints_set_defaults(struct hints_options *options)
{
    if (options->window_us == 0) options->window_us = 3ull * 3600 * 1000000;
    if (options->member_size_max == 0) options->member_size_max = HINTS_MEMBER_SIZE_MAX;
    if (options->bytes_per_s == 0) options->bytes_per_s = 16 * MIB;
    if (options->answer_timeout_ns == 0) options->answer_timeout_ns = 10000000000ull;
}

enum status hints_open(struct env *env, const struct hints_options *options,
                       struct metadata *metadata, struct engine *engine,
                       struct messaging *messaging, struct liveness *liveness, struct hints **hints,
                       struct error *error)
{
    struct hints *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->env = env;
    opened->options = *options;
    hints_set_defaults(&opened->options);
    opened->directory = strdup(options->directory);
    ASSERT(opened->directory != NULL);
    opened->metadata = metadata;
    opened->engine = engine;
    opened->messaging = messaging;
    opened->liveness = liveness;
    opened->next_number = 1;
    opened->waits_end = &opened->waits;
    buffer_init(&opened->write.truncations, MIB);
    enum status status = hints_find_files(opened, error);
    if (status != STATUS_OK) {
        hints_free(opened);
        return status;
    }
    opened->listener.changed = hints_changed;
    liveness_listen(liveness, &opened->listener);
    *hints = opened;
    return STATUS_OK;
}

void hints_abandon(struct hints *hints)
{
    if (hints != NULL) hints_free(hints);
}

// Nothing of it is on a thread, and nobody waits.
static bool hints_are_idle(const struct hints *hints)
{
    if (hints->write.is_running || hints->waits != NULL) return false;
    for (size_t i = 0; i < TOPOLOGY_MEMBERS_MAX; i++) {
        const struct hint_member *member = hints->members[i];
        if (member != NULL && (member->state == HINTS_READING || member->state == HINTS_REMOVING))
            return false;
    }
    return true;
}

static void hints_run_closed(struct env_task *task)
{
    struct hints *hints = CONTAINER_OF(task, struct hints, closed_task);
    // A truncation may have come since.
    if (!hints_are_idle(hints)) return;
    void (*closed)(void *) = hints->closed;
    void *context = hints->closed_context;
    env_timer_stop(hints->env, &hints->write_timer);
    hints_free(hints);
    closed(context);
}

void hints_go_on_closing(struct hints *hints)
{
    if (!hints->is_closing || !hints_are_idle(hints)) return;
    if (hints->pending_size > 0) { // Once more: a failure takes what it has with it.
        hints_write_start(hints);
        return;
    }
    env_task_post(hints->env, &hints->closed_task, hints_run_closed);
}

void hints_close(struct hints *hints, void (*closed)(void *context), void *context)
{
    hints->is_closing = true;
    hints->closed = closed;
    hints->closed_context = context;
    liveness_unlisten(hints->liveness, &hints->listener);
    for (size_t i = 0; i < TOPOLOGY_MEMBERS_MAX; i++) {
        struct hint_member *member = hints->members[i];
        if (member == NULL) continue;
        env_timer_stop(hints->env, &member->timer);
        messaging_cancel(hints->messaging, &member->request);
    }
    hints_go_on_closing(hints);
}
