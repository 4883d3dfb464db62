#include "storage/commit_log/commit_log_segment.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// A file grows by this much at a time: a sync that finds the size as it was is the cheaper one.
enum { GROWTH = 256 * 1024, DIRT_CAPACITY_MIN = 8 };

struct commit_log_segment *commit_log_segment_create(uint64_t id, uint64_t capacity)
{
    struct commit_log_segment *segment = calloc(1, sizeof *segment);
    ASSERT(segment != NULL);
    segment->id = id;
    segment->capacity = capacity;
    return segment;
}

void commit_log_segment_destroy(struct commit_log_segment *segment)
{
    if (segment == NULL) return;
    commit_log_segment_close(segment);
    free(segment->dirt);
    free(segment);
}

void commit_log_segment_renew(struct commit_log_segment *segment, uint64_t id)
{
    ASSERT(segment->dirt_count == 0);
    segment->next = NULL;
    segment->id = id;
    segment->size = 0;
    segment->capacity = COMMIT_LOG_SEGMENT_SIZE;
    segment->last_position = 0;
    segment->is_archived = false;
}

// ---- Whom it holds -----------------------------------------------------------------------------

// The table's place, or a free one. Ids are random or times: their bytes are hash enough.
static struct commit_log_dirt *find_place(struct commit_log_dirt *dirt, size_t capacity,
                                          struct uuid table)
{
    uint64_t hash =
        (bytes_get_u64_le(table.bytes) ^ bytes_get_u64_le(table.bytes + 8)) * 0x9e3779b97f4a7c15ull;
    size_t mask = capacity - 1;
    size_t i = (size_t)(hash >> 32) & mask;
    while (dirt[i].position != 0 && memcmp(&dirt[i].table, &table, sizeof table) != 0)
        i = (i + 1) & mask;
    return &dirt[i];
}

static void grow_dirt(struct commit_log_segment *segment, size_t capacity)
{
    struct commit_log_dirt *dirt = calloc(capacity, sizeof *dirt);
    ASSERT(dirt != NULL);
    for (size_t i = 0; i < segment->dirt_capacity; i++) {
        if (segment->dirt[i].position != 0)
            *find_place(dirt, capacity, segment->dirt[i].table) = segment->dirt[i];
    }
    free(segment->dirt);
    segment->dirt = dirt;
    segment->dirt_capacity = capacity;
}

void commit_log_segment_note(struct commit_log_segment *segment, struct uuid table,
                             uint64_t position)
{
    if (segment->dirt_count * 2 >= segment->dirt_capacity)
        grow_dirt(segment,
                  segment->dirt_capacity == 0 ? DIRT_CAPACITY_MIN : segment->dirt_capacity * 2);
    struct commit_log_dirt *place = find_place(segment->dirt, segment->dirt_capacity, table);
    if (place->position == 0) {
        place->table = table;
        segment->dirt_count++;
    }
    if (position > place->position) place->position = position;
}

void commit_log_segment_forget(struct commit_log_segment *segment, struct uuid table,
                               uint64_t position)
{
    if (segment->dirt_count == 0) return;
    struct commit_log_dirt *place = find_place(segment->dirt, segment->dirt_capacity, table);
    if (place->position == 0 || place->position > position) return;
    place->position = 0;
    segment->dirt_count--;
    // Others that stood behind it are found again after a new filling.
    grow_dirt(segment, segment->dirt_capacity);
}

struct uuid commit_log_segment_any_table(const struct commit_log_segment *segment)
{
    ASSERT(segment->dirt_count > 0);
    size_t i = 0;
    while (segment->dirt[i].position == 0)
        i++;
    return segment->dirt[i].table;
}

// ---- Files -------------------------------------------------------------------------------------

void commit_log_segment_path(const char *directory, uint64_t id, char path[COMMIT_LOG_PATH_MAX])
{
    (void)snprintf(path, COMMIT_LOG_PATH_MAX, "%s/CommitLog-%" PRIu64 ".log", directory, id);
}

bool commit_log_segment_parse_name(const char *name, uint64_t *id)
{
    char again[64];
    if (strncmp(name, "CommitLog-", 10) != 0) return false;
    *id = strtoull(name + 10, NULL, 10);
    (void)snprintf(again, sizeof again, "CommitLog-%" PRIu64 ".log", *id);
    return *id != 0 && strcmp(name, again) == 0;
}

static enum status open_file(struct env *env, const char *directory,
                             struct commit_log_segment *segment, bool *directory_changed,
                             struct error *error)
{
    char path[COMMIT_LOG_PATH_MAX], old_path[COMMIT_LOG_PATH_MAX];
    commit_log_segment_path(directory, segment->id, path);
    unsigned flags = ENV_OPEN_READ | ENV_OPEN_WRITE;
    if (segment->on_disk_id == 0) {
        flags |= ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE;
        *directory_changed = true;
    } else if (segment->on_disk_id != segment->id) {
        commit_log_segment_path(directory, segment->on_disk_id, old_path);
        // Its old name must be gone for good before its old bytes are: else a crash could leave a
        // segment of the old name that looks damaged.
        enum status status = env_rename(env, old_path, path, error);
        if (status == STATUS_OK) status = env_sync_dir(env, directory, error);
        if (status != STATUS_OK) return status;
    }
    segment->on_disk_id = segment->id;
    return env_file_open(env, path, flags, &segment->file, error);
}

// Zeros behind `end`, up to a multiple of GROWTH.
static enum status grow_file(struct commit_log_segment *segment, uint64_t end, struct error *error)
{
    uint64_t size = (end + GROWTH - 1) / GROWTH * GROWTH;
    uint8_t *zeros = calloc(1, GROWTH);
    ASSERT(zeros != NULL);
    enum status status = STATUS_OK;
    if (size > end) status = env_file_write(segment->file, end, zeros, (size_t)(size - end), error);
    free(zeros);
    if (status == STATUS_OK) segment->file_size = size;
    return status;
}

enum status commit_log_segment_write(struct env *env, const char *directory,
                                     struct commit_log_segment *segment, uint64_t offset,
                                     struct slice bytes, bool *directory_changed,
                                     struct error *error)
{
    if (segment->on_disk_id != segment->id) commit_log_segment_close(segment);
    if (segment->file == NULL) {
        enum status status = open_file(env, directory, segment, directory_changed, error);
        if (status != STATUS_OK) return status;
    }
    enum status status = env_file_write(segment->file, offset, bytes.data, bytes.size, error);
    if (status != STATUS_OK) return status;
    uint64_t end = offset + bytes.size;
    return end > segment->file_size ? grow_file(segment, end, error) : STATUS_OK;
}

void commit_log_segment_close(struct commit_log_segment *segment)
{
    if (segment->file != NULL) env_file_close(segment->file);
    segment->file = NULL;
}

enum status commit_log_segment_remove(struct env *env, const char *directory,
                                      struct commit_log_segment *segment, struct error *error)
{
    commit_log_segment_close(segment);
    if (segment->on_disk_id == 0) return STATUS_OK;
    char path[COMMIT_LOG_PATH_MAX];
    commit_log_segment_path(directory, segment->on_disk_id, path);
    enum status status = env_remove(env, path, error);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
