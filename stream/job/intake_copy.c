#include "stream/job/intake_copy.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/env_marks.h"
#include "storage/new_directory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COPY_PATH_SIZE = 4096,
    COPY_NAME_SIZE = 192,
    COPY_PREFIX_SIZE = 96,
    COPY_HEAD_SIZE = 32,
    COPY_NAME_PREFIX_SIZE = UUID_TEXT_SIZE - 1,
};
#define COPY_SEGMENT_SIZE (16 * (uint64_t)MIB)

enum copy_kind {
    COPY_BEGIN = 0x484c4942, // The first of a segment.
    COPY_BEGIN_ADOPTED,      // The same, in an epoch that is adopted already.
    COPY_ADOPT,
    COPY_BYTES,
};

struct copy_block {
    uint64_t offset, place; // In its segment's file.
    uint32_t size, segment; // Index.
    uint64_t checksum;
};

struct copy_segment {
    uint64_t number, size;
    uint64_t end; // Of its bytes.
};

struct copy_epoch {
    uint64_t number; // 0: there is none.
    bool is_adopted;
    uint64_t end, size; // size: of all files.
    struct copy_block *blocks;
    struct copy_segment *segments;
    size_t block_count, block_room, segment_count, segment_room;
};

struct intake_copy {
    struct env *env;
    char directory[COPY_PATH_SIZE];
    char prefix[COPY_PREFIX_SIZE]; // "<job>-<source>-".
    struct copy_epoch own, older;  // own: the promised one. older: adopted, while `own` is not.
    struct env_file *file;         // Of own's last segment; NULL: none is open.
};

// ---- Names -------------------------------------------------------------------------------------

static void copy_path(const struct intake_copy *copy, uint64_t epoch, uint64_t segment,
                      char path[static COPY_PATH_SIZE + COPY_NAME_SIZE])
{
    (void)snprintf(path, COPY_PATH_SIZE + COPY_NAME_SIZE, "%s/%s%016" PRIx64 "-%06" PRIu64,
                   copy->directory, copy->prefix, epoch, segment);
}

static bool copy_take_name(const struct intake_copy *copy, const char *name, uint64_t *epoch,
                           uint64_t *segment)
{
    size_t size = strlen(copy->prefix);
    char *end;
    if (strncmp(name, copy->prefix, size) != 0) return false;
    *epoch = strtoull(name + size, &end, 16);
    if (*end != '-' || end != name + size + 16) return false;
    *segment = strtoull(end + 1, &end, 10);
    return *end == '\0' && *epoch != 0;
}

static void copy_remove_segment(struct intake_copy *copy, uint64_t epoch, uint64_t segment)
{
    char path[COPY_PATH_SIZE + COPY_NAME_SIZE];
    struct error error;
    copy_path(copy, epoch, segment, path);
    // A file too many does no harm: the highest epoch counts.
    if (env_remove(copy->env, path, &error) != STATUS_OK) return;
}

// ---- The index ---------------------------------------------------------------------------------

static void *copy_grow(void *items, size_t *room, size_t size)
{
    *room = *room == 0 ? 16 : *room * 2;
    void *grown = realloc(items, *room * size);
    ASSERT(grown != NULL);
    return grown;
}

static struct copy_segment *copy_add_segment(struct copy_epoch *epoch, uint64_t number)
{
    if (epoch->segment_count == epoch->segment_room)
        epoch->segments = copy_grow(epoch->segments, &epoch->segment_room, sizeof *epoch->segments);
    struct copy_segment *segment = &epoch->segments[epoch->segment_count++];
    *segment = (struct copy_segment){number, 0, 0};
    return segment;
}

static void copy_add_block(struct copy_epoch *epoch, const struct copy_block *block)
{
    if (epoch->block_count == epoch->block_room)
        epoch->blocks = copy_grow(epoch->blocks, &epoch->block_room, sizeof *epoch->blocks);
    epoch->blocks[epoch->block_count++] = *block;
    epoch->end = block->offset + block->size;
    epoch->segments[block->segment].end = epoch->end;
}

static void copy_free_epoch(struct copy_epoch *epoch)
{
    free(epoch->blocks);
    free(epoch->segments);
    *epoch = (struct copy_epoch){.number = 0};
}

static void copy_remove_epoch(struct intake_copy *copy, struct copy_epoch *epoch)
{
    for (size_t i = 0; i < epoch->segment_count; i++)
        copy_remove_segment(copy, epoch->number, epoch->segments[i].number);
    copy_free_epoch(epoch);
}

// The block that has the byte at `offset`; NULL.
static const struct copy_block *copy_find(const struct copy_epoch *epoch, uint64_t offset)
{
    size_t low = 0, high = epoch->block_count;
    while (low < high) { // The first that ends behind it.
        size_t middle = low + (high - low) / 2;
        if (epoch->blocks[middle].offset + epoch->blocks[middle].size <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == epoch->block_count || epoch->blocks[low].offset > offset) return NULL;
    return &epoch->blocks[low];
}

// ---- Blocks ------------------------------------------------------------------------------------

static void copy_put_head(struct buffer *bytes, uint64_t epoch, enum copy_kind kind,
                          uint64_t offset, struct slice data)
{
    size_t begin = bytes->size;
    buffer_put_u32(bytes, (uint32_t)kind);
    buffer_put_u32(bytes, (uint32_t)data.size);
    buffer_put_u64(bytes, offset);
    buffer_put_u64(bytes, checksum_xxh3(data, offset));
    buffer_put_u64(bytes, checksum_xxh3(slice_make(bytes->data + begin, 24), epoch));
}

// What a segment begins with says all that those before it said: they may be forgotten.
static void copy_put_begin(struct buffer *bytes, const struct copy_epoch *epoch)
{
    copy_put_head(bytes, epoch->number, epoch->is_adopted ? COPY_BEGIN_ADOPTED : COPY_BEGIN,
                  epoch->end, slice_make("", 0));
}

// What a segment's bytes have, up to where they make no sense. Returns how many do.
static uint64_t copy_scan(struct copy_epoch *epoch, struct slice bytes)
{
    struct copy_segment *segment = &epoch->segments[epoch->segment_count - 1];
    uint64_t at = 0, good = 0;
    while (bytes.size - at >= COPY_HEAD_SIZE) {
        const uint8_t *head = bytes.data + at;
        uint32_t kind = bytes_get_u32(head), size = bytes_get_u32(head + 4);
        uint64_t offset = bytes_get_u64(head + 8), checksum = bytes_get_u64(head + 16);
        if (bytes_get_u64(head + 24) != checksum_xxh3(slice_make(head, 24), epoch->number)) break;
        at += COPY_HEAD_SIZE;
        if (bytes.size - at < size) break;
        struct slice data = slice_make(bytes.data + at, size);
        at += size;
        // A damaged one, with others behind it: those are good. It is on other members.
        if (checksum_xxh3(data, offset) != checksum) continue;
        good = at;
        if (kind != COPY_BYTES) {
            epoch->is_adopted = epoch->is_adopted || kind != COPY_BEGIN;
            if (offset > epoch->end) epoch->end = segment->end = offset;
        } else if (offset >= epoch->end) {
            copy_add_block(epoch,
                           &(struct copy_block){offset, at - size, size,
                                                (uint32_t)(epoch->segment_count - 1), checksum});
        }
    }
    return good;
}

static enum status copy_read_whole(struct intake_copy *copy, uint64_t epoch, uint64_t number,
                                   struct buffer *bytes, struct error *error)
{
    char path[COPY_PATH_SIZE + COPY_NAME_SIZE];
    struct env_file *file;
    uint64_t size = 0;
    size_t taken = 0;
    copy_path(copy, epoch, number, path);
    enum status status = env_file_open(copy->env, path, ENV_OPEN_READ, &file, error);
    if (status != STATUS_OK) return status;
    status = env_file_size(file, &size, error);
    buffer_clear(bytes);
    uint8_t *to = status == STATUS_OK ? buffer_reserve(bytes, (size_t)size) : NULL;
    if (status == STATUS_OK && to == NULL && size > 0)
        status = error_set(error, STATUS_CORRUPT, "%s: larger than any segment", path);
    if (status == STATUS_OK && size > 0)
        status = env_file_read(file, 0, to, (size_t)size, &taken, error);
    if (status == STATUS_OK) buffer_truncate(bytes, taken);
    env_file_close(file);
    return status;
}

// ---- Loading -----------------------------------------------------------------------------------

struct copy_listing {
    struct intake_copy *copy;
    struct buffer bytes; // Of a segment.
    enum status status;
    struct error *error;
};

// `own` is followed by a higher one. Without an adoption it was a promise, never what the copy had.
static void copy_next_epoch(struct intake_copy *copy, uint64_t number)
{
    if (copy->own.is_adopted) {
        copy_free_epoch(&copy->older);
        copy->older = copy->own;
    } else {
        copy_free_epoch(&copy->own);
    }
    copy->own = (struct copy_epoch){.number = number};
}

static void copy_remove_superseded(void *context, const char *name, bool is_dir)
{
    struct intake_copy *copy = context;
    uint64_t epoch, segment;
    if (is_dir || !copy_take_name(copy, name, &epoch, &segment)) return;
    if (epoch != copy->own.number && epoch != copy->older.number)
        copy_remove_segment(copy, epoch, segment);
}

// Names come in the order of epochs and segments.
static void copy_load_segment(void *context, const char *name, bool is_dir)
{
    struct copy_listing *listing = context;
    struct intake_copy *copy = listing->copy;
    uint64_t epoch, number;
    if (is_dir || listing->status != STATUS_OK || !copy_take_name(copy, name, &epoch, &number))
        return;
    if (epoch != copy->own.number) copy_next_epoch(copy, epoch);
    listing->status = copy_read_whole(copy, epoch, number, &listing->bytes, listing->error);
    if (listing->status != STATUS_OK) return;
    struct copy_segment *segment = copy_add_segment(&copy->own, number);
    segment->size = copy_scan(&copy->own, buffer_slice(&listing->bytes));
    copy->own.size += segment->size;
}

// The last segment may have what was never synced. It is durable before it is shown: written again
// and synced, without what makes no sense.
static enum status copy_settle(struct intake_copy *copy, struct buffer *bytes, struct error *error)
{
    struct copy_segment *last = &copy->own.segments[copy->own.segment_count - 1];
    char path[COPY_PATH_SIZE + COPY_NAME_SIZE];
    enum status status = copy_read_whole(copy, copy->own.number, last->number, bytes, error);
    if (status != STATUS_OK) return status;
    if (bytes->size > last->size) env_mark(copy->env, ENV_MARK_INTAKE_TAIL_CUT);
    buffer_truncate(bytes, (size_t)last->size);
    if (last->size == 0) // Its name was made, and it promises no less.
        copy_put_begin(bytes, &copy->own);
    copy_path(copy, copy->own.number, last->number, path);
    unsigned flags = ENV_OPEN_READ | ENV_OPEN_WRITE;
    status = env_file_open(copy->env, path, flags, &copy->file, error);
    if (status == STATUS_OK) status = env_file_truncate(copy->file, bytes->size, error);
    if (status == STATUS_OK)
        status = env_file_write(copy->file, 0, bytes->data, bytes->size, error);
    if (status == STATUS_OK) status = env_file_sync(copy->file, error);
    if (status == STATUS_OK) status = env_sync_dir(copy->env, copy->directory, error);
    copy->own.size += bytes->size - last->size;
    last->size = bytes->size;
    return status;
}

enum status intake_copy_load(struct env *env, const char *directory, struct uuid job,
                             uint32_t source, struct intake_copy **made, struct error *error)
{
    struct intake_copy *copy = calloc(1, sizeof *copy);
    ASSERT(copy != NULL);
    copy->env = env;
    (void)snprintf(copy->directory, sizeof copy->directory, "%s", directory);
    char name[UUID_TEXT_SIZE];
    uuid_format(job, name);
    (void)snprintf(copy->prefix, sizeof copy->prefix, "%s-%" PRIu32 "-", name, source);
    struct copy_listing listing = {.copy = copy, .error = error};
    buffer_init(&listing.bytes, COPY_SEGMENT_SIZE + 2 * INTAKE_BLOCK_SIZE_MAX);
    bool exists = false;
    enum status status = env_path_exists(env, directory, &exists, NULL, error);
    if (status == STATUS_OK && exists)
        status = env_list_dir(env, directory, copy_load_segment, &listing, error);
    if (status == STATUS_OK) status = listing.status;
    if (status == STATUS_OK && copy->own.segment_count > 0)
        status = copy_settle(copy, &listing.bytes, error);
    // Only when what takes their place is durable.
    if (status == STATUS_OK && copy->own.is_adopted) copy_free_epoch(&copy->older);
    if (status == STATUS_OK && copy->own.segment_count > 0)
        status = env_list_dir(env, directory, copy_remove_superseded, copy, error);
    buffer_deinit(&listing.bytes);
    if (status == STATUS_OK)
        *made = copy;
    else
        intake_copy_close(copy);
    return status;
}

void intake_copy_close(struct intake_copy *copy)
{
    if (copy == NULL) return;
    if (copy->file != NULL) env_file_close(copy->file);
    copy_free_epoch(&copy->own);
    copy_free_epoch(&copy->older);
    free(copy);
}

struct intake_copy_state intake_copy_state(const struct intake_copy *copy)
{
    const struct copy_epoch *adopted = copy->own.is_adopted ? &copy->own : &copy->older;
    return (struct intake_copy_state){copy->own.number, copy->own.end, adopted->number,
                                      adopted->end};
}

// ---- Writing -----------------------------------------------------------------------------------

// Writes one block behind the others and syncs.
static enum status copy_write(struct intake_copy *copy, enum copy_kind kind, uint64_t offset,
                              struct slice data, struct error *error)
{
    struct copy_segment *last = &copy->own.segments[copy->own.segment_count - 1];
    struct buffer bytes;
    buffer_init(&bytes, COPY_HEAD_SIZE + INTAKE_BLOCK_SIZE_MAX);
    copy_put_head(&bytes, copy->own.number, kind, offset, data);
    buffer_put(&bytes, data.data, data.size);
    ASSERT(!bytes.overflow);
    enum status status = env_file_write(copy->file, last->size, bytes.data, bytes.size, error);
    if (status == STATUS_OK) status = env_file_sync(copy->file, error);
    if (status == STATUS_OK) {
        last->size += bytes.size;
        copy->own.size += bytes.size;
    }
    buffer_deinit(&bytes);
    return status;
}

static enum status copy_begin_segment(struct intake_copy *copy, uint64_t number,
                                      struct error *error)
{
    char path[COPY_PATH_SIZE + COPY_NAME_SIZE];
    if (copy->file != NULL) env_file_close(copy->file);
    copy->file = NULL;
    copy_path(copy, copy->own.number, number, path);
    unsigned flags = ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE;
    enum status status = env_file_open(copy->env, path, flags, &copy->file, error);
    if (status != STATUS_OK) return status;
    copy_add_segment(&copy->own, number)->end = copy->own.end;
    status = copy_write(copy, copy->own.is_adopted ? COPY_BEGIN_ADOPTED : COPY_BEGIN, copy->own.end,
                        slice_make("", 0), error);
    if (status == STATUS_OK) status = env_sync_dir(copy->env, copy->directory, error);
    return status;
}

enum status intake_copy_open(struct intake_copy *copy, uint64_t epoch, struct error *error)
{
    if (epoch <= copy->own.number) return STATUS_OK; // The state says which one is promised.
    enum status status = new_directory_make_durable(copy->env, copy->directory, error);
    if (status != STATUS_OK) return status;
    struct copy_epoch abandoned = copy->own;
    copy->own = (struct copy_epoch){.number = epoch};
    if (abandoned.is_adopted) {
        copy->older = abandoned;
        abandoned = (struct copy_epoch){.number = 0};
    }
    status = copy_begin_segment(copy, 0, error);
    // Only behind the new promise.
    if (status == STATUS_OK)
        copy_remove_epoch(copy, &abandoned);
    else
        copy_free_epoch(&abandoned);
    return status;
}

static enum status copy_check_epoch(const struct intake_copy *copy, uint64_t epoch,
                                    struct error *error)
{
    if (epoch < copy->own.number)
        return error_set(error, STATUS_CONFLICT, "another worker has taken the job's input over");
    if (epoch > copy->own.number || epoch == 0)
        return error_set(error, STATUS_NOT_FOUND, "the job's input was not opened here");
    return STATUS_OK;
}

// What was sent before, its answer lost.
static enum status copy_check_again(const struct intake_copy *copy, uint64_t offset,
                                    struct slice bytes, struct error *error)
{
    const struct copy_block *block = copy_find(&copy->own, offset);
    if (block == NULL) return error_set(error, STATUS_NOT_FOUND, "these bytes are not here");
    if (block->offset != offset || block->size != bytes.size ||
        block->checksum != checksum_xxh3(bytes, offset))
        return error_set(error, STATUS_INVALID, "other bytes are at this offset");
    return STATUS_OK;
}

enum status intake_copy_append(struct intake_copy *copy, uint64_t epoch, uint64_t previous,
                               uint64_t offset, struct slice bytes, struct error *error)
{
    struct copy_epoch *own = &copy->own;
    enum status status = copy_check_epoch(copy, epoch, error);
    if (status != STATUS_OK) return status;
    if (bytes.size == 0 || bytes.size > INTAKE_BLOCK_SIZE_MAX || offset > INT64_MAX ||
        offset < previous)
        return error_set(error, STATUS_INVALID, "a block that makes no sense");
    if (offset + bytes.size <= own->end) return copy_check_again(copy, offset, bytes, error);
    bool leaves_out = offset != own->end && !own->is_adopted && own->end != 0;
    if (previous != own->end || leaves_out)
        return error_set(error, STATUS_NOT_FOUND, "%" PRIu64 " bytes are here, not %" PRIu64,
                         own->end, leaves_out ? offset : previous);
    if (own->size + bytes.size > INTAKE_SIZE_MAX || own->block_count >= INTAKE_BLOCKS_MAX)
        return error_set(error, STATUS_OVERLOADED, "too much input of batches that are not done");
    struct copy_segment *last = &own->segments[own->segment_count - 1];
    if (last->size >= COPY_SEGMENT_SIZE) status = copy_begin_segment(copy, last->number + 1, error);
    if (status == STATUS_OK) status = copy_write(copy, COPY_BYTES, offset, bytes, error);
    if (status != STATUS_OK) return status;
    last = &own->segments[own->segment_count - 1];
    const struct copy_block block = {offset, last->size - bytes.size, (uint32_t)bytes.size,
                                     (uint32_t)(own->segment_count - 1),
                                     checksum_xxh3(bytes, offset)};
    copy_add_block(own, &block);
    env_mark(copy->env, ENV_MARK_INTAKE_STORED);
    return STATUS_OK;
}

enum status intake_copy_adopt(struct intake_copy *copy, uint64_t epoch, uint64_t offset,
                              struct error *error)
{
    struct copy_epoch *own = &copy->own;
    enum status status = copy_check_epoch(copy, epoch, error);
    if (status != STATUS_OK || own->is_adopted) return status;
    if (offset < own->end || offset > INT64_MAX)
        return error_set(error, STATUS_INVALID, "an end that makes no sense");
    status = copy_write(copy, COPY_ADOPT, offset, slice_make("", 0), error);
    if (status != STATUS_OK) return status;
    own->is_adopted = true;
    own->end = own->segments[own->segment_count - 1].end = offset;
    copy_remove_epoch(copy, &copy->older);
    env_mark(copy->env, ENV_MARK_INTAKE_ADOPTED);
    return STATUS_OK;
}

// ---- Reading, forgetting -----------------------------------------------------------------------

enum status intake_copy_read(struct intake_copy *copy, uint64_t epoch, uint64_t offset, size_t size,
                             struct buffer *bytes, struct error *error)
{
    const struct copy_epoch *from = epoch == copy->own.number ? &copy->own : &copy->older;
    const struct copy_block *block = from->number == epoch ? copy_find(from, offset) : NULL;
    if (epoch == 0 || block == NULL)
        return error_set(error, STATUS_NOT_FOUND, "these bytes are not here");
    char path[COPY_PATH_SIZE + COPY_NAME_SIZE];
    struct env_file *file;
    size_t taken = 0;
    copy_path(copy, epoch, from->segments[block->segment].number, path);
    enum status status = env_file_open(copy->env, path, ENV_OPEN_READ, &file, error);
    if (status != STATUS_OK) return status;
    buffer_clear(bytes);
    uint8_t *to = buffer_reserve(bytes, block->size);
    ASSERT(to != NULL);
    status = env_file_read(file, block->place, to, block->size, &taken, error);
    env_file_close(file);
    if (status != STATUS_OK) return status;
    if (taken < block->size ||
        checksum_xxh3(slice_make(bytes->data, block->size), block->offset) != block->checksum)
        return error_set(error, STATUS_NOT_FOUND, "%s: these bytes are damaged", path);
    buffer_consume(bytes, (size_t)(offset - block->offset));
    if (bytes->size > size) buffer_truncate(bytes, size);
    return STATUS_OK;
}

void intake_copy_forget(struct intake_copy *copy, uint64_t done)
{
    struct copy_epoch *own = &copy->own;
    size_t count = 0, block_count = 0;
    if (!own->is_adopted) return;
    while (count + 1 < own->segment_count && own->segments[count].end <= done)
        count++;
    if (count == 0) return;
    for (size_t i = 0; i < count; i++) {
        copy_remove_segment(copy, own->number, own->segments[i].number);
        own->size -= own->segments[i].size;
    }
    while (block_count < own->block_count && own->blocks[block_count].segment < count)
        block_count++;
    own->segment_count -= count;
    own->block_count -= block_count;
    memmove(own->segments, own->segments + count, own->segment_count * sizeof *own->segments);
    memmove(own->blocks, own->blocks + block_count, own->block_count * sizeof *own->blocks);
    for (size_t i = 0; i < own->block_count; i++)
        own->blocks[i].segment -= (uint32_t)count;
}

// ---- Whole jobs --------------------------------------------------------------------------------

struct copy_jobs {
    struct env *env;
    const char *directory;
    void (*each)(void *context, struct uuid job);
    void *context;
    struct uuid job; // Of what is removed.
};

static bool copy_take_job(const char *name, struct uuid *job)
{
    if (strlen(name) <= COPY_NAME_PREFIX_SIZE || name[COPY_NAME_PREFIX_SIZE] != '-') return false;
    return uuid_parse(slice_make(name, COPY_NAME_PREFIX_SIZE), job) == STATUS_OK;
}

static void copy_list_name(void *context, const char *name, bool is_dir)
{
    const struct copy_jobs *jobs = context;
    struct uuid job;
    if (!is_dir && copy_take_job(name, &job)) jobs->each(jobs->context, job);
}

static void copy_remove_name(void *context, const char *name, bool is_dir)
{
    const struct copy_jobs *jobs = context;
    char path[COPY_PATH_SIZE + COPY_NAME_SIZE];
    struct uuid job;
    if (is_dir || !copy_take_job(name, &job) || !uuid_equals(job, jobs->job)) return;
    (void)snprintf(path, sizeof path, "%s/%s", jobs->directory, name);
    if (env_remove(jobs->env, path, NULL) != STATUS_OK) return;
}

void intake_copy_list(struct env *env, const char *directory,
                      void (*each)(void *context, struct uuid job), void *context)
{
    struct copy_jobs jobs = {env, directory, each, context, {{0}}};
    // One that can not be read is looked at again.
    if (env_list_dir(env, directory, copy_list_name, &jobs, NULL) != STATUS_OK) return;
}

void intake_copy_remove(struct env *env, const char *directory, struct uuid job)
{
    struct copy_jobs jobs = {env, directory, NULL, NULL, job};
    if (env_list_dir(env, directory, copy_remove_name, &jobs, NULL) != STATUS_OK) return;
}
