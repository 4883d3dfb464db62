#include "storage/engine/counter_id.h"

#include "base/buffer.h"
#include "base/checksum.h"
#include "base/cursor.h"
#include "base/env_marks.h"
#include "storage/uuid.h"
#include "storage/whole_file.h"

#include <stdio.h>

enum { PATH_SIZE_MAX = 4096, FILE_SIZE_MAX = 256 };

// id, log position, highest clock, XXH3 of these.
struct id_file {
    struct uuid id;
    uint64_t log_position;
    int64_t clock_max;
};

static void make_path(const char *directory, const char *name, char path[PATH_SIZE_MAX])
{
    (void)snprintf(path, PATH_SIZE_MAX, "%s/%s", directory, name);
}

static enum status write_file(struct env *env, const char *directory, const char *name,
                              const struct id_file *content, struct error *error)
{
    char path[PATH_SIZE_MAX];
    make_path(directory, name, path);
    struct buffer bytes;
    buffer_init(&bytes, FILE_SIZE_MAX);
    uuid_put(&bytes, content->id);
    buffer_put_u64(&bytes, content->log_position);
    buffer_put_u64(&bytes, (uint64_t)content->clock_max);
    buffer_put_u64(&bytes, checksum_xxh3(buffer_slice(&bytes), 0));
    enum status status = whole_file_write(env, directory, path, buffer_slice(&bytes), error);
    buffer_deinit(&bytes);
    return status;
}

// A file that is not there, or damaged, is one that says nothing: the node then takes a new id,
// which is always right.
static enum status read_file(struct env *env, const char *directory, const char *name,
                             struct id_file *content, bool *valid, struct error *error)
{
    char path[PATH_SIZE_MAX];
    make_path(directory, name, path);
    struct buffer bytes;
    buffer_init(&bytes, FILE_SIZE_MAX);
    enum status status = whole_file_read(env, path, &bytes, error);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    struct uuid id = uuid_take(&cursor);
    content->log_position = cursor_u64(&cursor);
    content->clock_max = (int64_t)cursor_u64(&cursor);
    size_t hashed = bytes.size - cursor_left(&cursor);
    uint64_t hash = cursor_u64(&cursor);
    *valid = status == STATUS_OK && !cursor.failed && cursor_left(&cursor) == 0 &&
             hash == checksum_xxh3(slice_make(bytes.data, hashed), 0);
    if (*valid) content->id = id;
    buffer_deinit(&bytes);
    return status == STATUS_NOT_FOUND || status == STATUS_CORRUPT ? STATUS_OK : status;
}

static enum status remove_mark(struct env *env, const char *directory, struct error *error)
{
    char path[PATH_SIZE_MAX];
    make_path(directory, "clean_stop", path);
    enum status status = env_remove(env, path, error);
    if (status == STATUS_NOT_FOUND) return STATUS_OK;
    return status == STATUS_OK ? env_sync_dir(env, directory, error) : status;
}

enum status counter_id_take(struct env *env, const char *directory, uint64_t log_position,
                            struct counter_id *id, struct error *error)
{
    struct id_file last = {0}, mark = {0};
    bool has_last, has_mark;
    enum status status = read_file(env, directory, "counter_id", &last, &has_last, error);
    if (status == STATUS_OK)
        status = read_file(env, directory, "clean_stop", &mark, &has_mark, error);
    if (status != STATUS_OK) return status;

    struct counter_id taken;
    if (has_last && has_mark && uuid_equals(last.id, mark.id) &&
        mark.log_position == log_position) {
        taken = (struct counter_id){mark.id, mark.clock_max};
        env_mark(env, ENV_MARK_ENGINE_CLEAN_START);
    } else {
        uint8_t random[16];
        env_random_bytes(env, random, sizeof random);
        taken = (struct counter_id){uuid_make_random(random), 0};
        struct id_file content = {.id = taken.id};
        status = write_file(env, directory, "counter_id", &content, error);
        if (status != STATUS_OK) return status;
        env_mark(env, ENV_MARK_ENGINE_UNCLEAN_START);
    }
    status = remove_mark(env, directory, error);
    if (status == STATUS_OK) *id = taken;
    return status;
}

enum status counter_id_renew(struct env *env, const char *directory, struct uuid id,
                             struct error *error)
{
    struct id_file content = {.id = id};
    return write_file(env, directory, "counter_id", &content, error);
}

enum status counter_id_leave(struct env *env, const char *directory, uint64_t log_position,
                             const struct counter_id *id, struct error *error)
{
    struct id_file content = {id->id, log_position, id->clock_max};
    return write_file(env, directory, "clean_stop", &content, error);
}
