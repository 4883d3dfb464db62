#include "stream/source/intake.h"

#include "base/assert.h"
#include "storage/new_directory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTAKE_PATH_SIZE = 4096, SETTLE_SIZE = 1 << 20 };

struct intake {
    struct env *env;
    char directory[INTAKE_PATH_SIZE];
    char name[UUID_TEXT_SIZE];
    uint64_t first; // The oldest segment that is there.
    uint64_t size;
    uint64_t written;      // The segment that `file` is.
    struct env_file *file; // For appending; NULL: none is open.
};

static void intake_path(const struct intake *intake, uint64_t segment,
                        char path[static INTAKE_PATH_SIZE + 64])
{
    (void)snprintf(path, INTAKE_PATH_SIZE + 64, "%s/%s-%06" PRIu64, intake->directory, intake->name,
                   segment);
}

static enum status intake_segment_size(struct intake *intake, uint64_t segment, bool *exists,
                                       uint64_t *size, struct error *error)
{
    char path[INTAKE_PATH_SIZE + 64];
    intake_path(intake, segment, path);
    enum status status = env_path_exists(intake->env, path, exists, NULL, error);
    if (status != STATUS_OK || !*exists) return status;
    struct env_file *file;
    status = env_file_open(intake->env, path, ENV_OPEN_READ, &file, error);
    if (status != STATUS_OK) return status;
    status = env_file_size(file, size, error);
    env_file_close(file);
    return status;
}

// Writes the bytes of one segment again, from `from` on, and syncs them: if a run died between a
// write and its sync, or after a sync that failed, nothing else proves that they are on the disk.
static enum status intake_settle_segment(struct intake *intake, uint64_t segment, uint64_t from,
                                         uint64_t size, struct error *error)
{
    char path[INTAKE_PATH_SIZE + 64];
    intake_path(intake, segment, path);
    struct env_file *file;
    unsigned flags = ENV_OPEN_READ | ENV_OPEN_WRITE;
    enum status status = env_file_open(intake->env, path, flags, &file, error);
    if (status != STATUS_OK) return status;
    uint8_t *bytes = malloc(SETTLE_SIZE);
    ASSERT(bytes != NULL);
    while (status == STATUS_OK && from < size) {
        size_t part = size - from < SETTLE_SIZE ? (size_t)(size - from) : SETTLE_SIZE, taken = 0;
        status = env_file_read(file, from, bytes, part, &taken, error);
        if (status == STATUS_OK && taken < part)
            status = error_set(error, STATUS_IO, "%s: became shorter while it was read", path);
        if (status == STATUS_OK) status = env_file_write(file, from, bytes, part, error);
        from += part;
    }
    if (status == STATUS_OK) status = env_file_sync(file, error);
    free(bytes);
    env_file_close(file);
    return status;
}

// All that is shown from now on is durable, since a batch may name it: bytes and names.
static enum status intake_settle(struct intake *intake, uint64_t done, struct error *error)
{
    enum status status = STATUS_OK;
    uint64_t at = done;
    while (status == STATUS_OK && at < intake->size) {
        uint64_t segment = at / INTAKE_SEGMENT_SIZE, begin = segment * INTAKE_SEGMENT_SIZE;
        uint64_t left = intake->size - begin;
        uint64_t size = left < INTAKE_SEGMENT_SIZE ? left : INTAKE_SEGMENT_SIZE;
        status = intake_settle_segment(intake, segment, at - begin, size, error);
        at = begin + size;
    }
    if (status == STATUS_OK && at > done)
        status = env_sync_dir(intake->env, intake->directory, error);
    return status;
}

// The store ends at `end`, which is inside of its last segments.
static enum status intake_cut(struct intake *intake, uint64_t end, struct error *error)
{
    char path[INTAKE_PATH_SIZE + 64];
    struct env_file *file;
    enum status status = STATUS_OK;
    uint64_t segment = (intake->size - 1) / INTAKE_SEGMENT_SIZE;
    for (; status == STATUS_OK && segment > end / INTAKE_SEGMENT_SIZE; segment--) {
        intake_path(intake, segment, path);
        status = env_remove(intake->env, path, error);
    }
    if (status == STATUS_OK) status = env_sync_dir(intake->env, intake->directory, error);
    if (status != STATUS_OK) return status;
    intake_path(intake, segment, path);
    status = env_file_open(intake->env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, error);
    if (status != STATUS_OK) return status;
    status = env_file_truncate(file, end % INTAKE_SEGMENT_SIZE, error);
    if (status == STATUS_OK) status = env_file_sync(file, error);
    env_file_close(file);
    if (status == STATUS_OK) intake->size = end;
    return status;
}

// A write that a death or a full disk cut short ends inside of a line. Nobody was told of it, its
// other half is lost, and with the next worker's first line it would be one.
static enum status intake_cut_torn_line(struct intake *intake, uint64_t recorded,
                                        struct error *error)
{
    enum status status = STATUS_OK;
    uint64_t end = intake->size;
    const uint8_t *newline = NULL;
    uint8_t *bytes = malloc(SETTLE_SIZE);
    ASSERT(bytes != NULL);
    while (status == STATUS_OK && newline == NULL && end > recorded) {
        size_t part = end - recorded < SETTLE_SIZE ? (size_t)(end - recorded) : SETTLE_SIZE, taken;
        end -= part;
        status = intake_read(intake, end, bytes, part, &taken, error);
        if (status == STATUS_OK) newline = memrchr(bytes, '\n', part);
        if (newline != NULL) end += (uint64_t)(newline + 1 - bytes);
    }
    free(bytes);
    return status == STATUS_OK && end < intake->size ? intake_cut(intake, end, error) : status;
}

enum status intake_open(struct env *env, const char *directory, struct uuid job, uint64_t done,
                        uint64_t recorded, struct intake **made, struct error *error)
{
    struct intake *intake = calloc(1, sizeof *intake);
    ASSERT(intake != NULL);
    intake->env = env;
    (void)snprintf(intake->directory, sizeof intake->directory, "%s", directory);
    uuid_format(job, intake->name);
    intake->first = done / INTAKE_SEGMENT_SIZE;
    enum status status = new_directory_make_durable(env, directory, error);
    for (uint64_t segment = intake->first; status == STATUS_OK; segment++) {
        bool exists = false;
        uint64_t size = 0;
        status = intake_segment_size(intake, segment, &exists, &size, error);
        if (status != STATUS_OK || !exists) break;
        intake->size = segment * INTAKE_SEGMENT_SIZE + size;
        if (size < INTAKE_SEGMENT_SIZE) break;
    }
    if (status == STATUS_OK && intake->size < recorded) {
        if (intake->size == 0 && done == recorded && done % INTAKE_SEGMENT_SIZE == 0)
            intake->size = done;
        else
            status = error_set(error, STATUS_NOT_FOUND,
                               "%s: the stored input of this job is not there; use the spool "
                               "directory that it was started with",
                               directory);
    }
    // What is recorded was durable before. (Earlier releases stored a last line without its end.)
    if (status == STATUS_OK) status = intake_cut_torn_line(intake, recorded, error);
    if (status == STATUS_OK) status = intake_settle(intake, done, error);
    if (status == STATUS_OK)
        *made = intake;
    else
        free(intake);
    return status;
}

void intake_close(struct intake *intake)
{
    if (intake == NULL) return;
    if (intake->file != NULL) env_file_close(intake->file);
    free(intake);
}

uint64_t intake_size(const struct intake *intake)
{
    return intake->size;
}

// The file of the segment that is appended to; a new name is durable before it is used.
static enum status intake_open_segment(struct intake *intake, uint64_t segment, struct error *error)
{
    if (intake->file != NULL && intake->written == segment) return STATUS_OK;
    if (intake->file != NULL) env_file_close(intake->file);
    intake->file = NULL;
    char path[INTAKE_PATH_SIZE + 64];
    intake_path(intake, segment, path);
    enum status status =
        env_file_open(intake->env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &intake->file, error);
    if (status != STATUS_OK) return status;
    intake->written = segment;
    return env_sync_dir(intake->env, intake->directory, error);
}

enum status intake_append(struct intake *intake, struct slice bytes, struct error *error)
{
    while (bytes.size > 0) {
        uint64_t place = intake->size % INTAKE_SEGMENT_SIZE;
        size_t size = bytes.size;
        if (size > INTAKE_SEGMENT_SIZE - place) size = (size_t)(INTAKE_SEGMENT_SIZE - place);
        enum status status = intake_open_segment(intake, intake->size / INTAKE_SEGMENT_SIZE, error);
        if (status == STATUS_OK)
            status = env_file_write(intake->file, place, bytes.data, size, error);
        if (status == STATUS_OK) status = env_file_sync(intake->file, error);
        if (status != STATUS_OK) return status;
        intake->size += size;
        bytes = slice_make(bytes.data + size, bytes.size - size);
    }
    return STATUS_OK;
}

enum status intake_read(struct intake *intake, uint64_t offset, void *bytes, size_t size,
                        size_t *read_size, struct error *error)
{
    uint8_t *to = bytes;
    *read_size = 0;
    while (*read_size < size && offset < intake->size) {
        uint64_t place = offset % INTAKE_SEGMENT_SIZE;
        size_t wanted = size - *read_size, taken;
        if (wanted > INTAKE_SEGMENT_SIZE - place) wanted = (size_t)(INTAKE_SEGMENT_SIZE - place);
        if (wanted > intake->size - offset) wanted = (size_t)(intake->size - offset);
        char path[INTAKE_PATH_SIZE + 64];
        intake_path(intake, offset / INTAKE_SEGMENT_SIZE, path);
        struct env_file *file;
        enum status status = env_file_open(intake->env, path, ENV_OPEN_READ, &file, error);
        if (status != STATUS_OK) return status;
        status = env_file_read(file, place, to + *read_size, wanted, &taken, error);
        env_file_close(file);
        if (status != STATUS_OK) return status;
        if (taken < wanted) return error_set(error, STATUS_CORRUPT, "%s: cut short", path);
        *read_size += taken;
        offset += taken;
    }
    return STATUS_OK;
}

void intake_forget(struct intake *intake, uint64_t offset)
{
    bool all = offset == UINT64_MAX;
    uint64_t end = all ? intake->size / INTAKE_SEGMENT_SIZE + 1 : offset / INTAKE_SEGMENT_SIZE;
    if (all && intake->file != NULL) {
        env_file_close(intake->file);
        intake->file = NULL;
    }
    for (; intake->first < end; intake->first++) {
        char path[INTAKE_PATH_SIZE + 64];
        struct error error;
        intake_path(intake, intake->first, path);
        if (env_remove(intake->env, path, &error) != STATUS_OK) continue;
    }
}
