#include "storage/engine/manifest.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "base/checksum.h"
#include "base/cursor.h"
#include "storage/whole_file.h"

#include <stdlib.h>

enum { MANIFEST_MAGIC = 0x484d4631, MANIFEST_VERSION = 2, HASH_SIZE = 8, FOREIGN = 0x80 };

// Far more than the SSTables that a table can have.
#define MANIFEST_SIZE_MAX (64 * MIB)

void manifest_init(struct manifest *manifest, const char *directory)
{
    *manifest = (struct manifest){.directory = strdup(directory)};
    ASSERT(manifest->directory != NULL);
}

void manifest_deinit(struct manifest *manifest)
{
    free(manifest->directory);
    free(manifest->entries);
    *manifest = (struct manifest){0};
}

void manifest_copy(struct manifest *copy, const struct manifest *manifest)
{
    manifest_init(copy, manifest->directory);
    copy->dropped = manifest->dropped;
    copy->flushed_position = manifest->flushed_position;
    copy->truncated_position = manifest->truncated_position;
    for (size_t i = 0; i < manifest->count; i++)
        manifest_add(copy, &manifest->entries[i]);
}

uint64_t manifest_position(const struct manifest *manifest)
{
    return manifest->truncated_position > manifest->flushed_position ? manifest->truncated_position
                                                                     : manifest->flushed_position;
}

struct manifest_entry *manifest_find(struct manifest *manifest, uint64_t generation)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->entries[i].generation == generation) return &manifest->entries[i];
    }
    return NULL;
}

void manifest_add(struct manifest *manifest, const struct manifest_entry *entry)
{
    if (manifest->count == manifest->capacity) {
        manifest->capacity = manifest->capacity == 0 ? 4 : manifest->capacity * 2;
        manifest->entries =
            realloc(manifest->entries, manifest->capacity * sizeof *manifest->entries);
        ASSERT(manifest->entries != NULL);
    }
    manifest->entries[manifest->count++] = *entry;
}

void manifest_remove(struct manifest *manifest, uint64_t generation)
{
    struct manifest_entry *entry = manifest_find(manifest, generation);
    if (entry == NULL) return;
    size_t behind = (size_t)(manifest->entries + manifest->count - (entry + 1));
    memmove(entry, entry + 1, behind * sizeof *entry);
    manifest->count--;
}

static void encode(const struct manifest *manifest, struct buffer *bytes)
{
    buffer_put_u32(bytes, MANIFEST_MAGIC);
    buffer_put_u32(bytes, MANIFEST_VERSION);
    buffer_put_u8(bytes, manifest->dropped);
    buffer_put_u64(bytes, manifest->flushed_position);
    buffer_put_u64(bytes, manifest->truncated_position);
    buffer_put_vint_bytes(bytes, slice_of_text(manifest->directory));
    buffer_put_vint(bytes, manifest->count);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        buffer_put_u64(bytes, entry->generation);
        buffer_put_u64(bytes, entry->log_position);
        buffer_put_u8(bytes, (uint8_t)(entry->state | (entry->check.is_foreign ? FOREIGN : 0)));
        for (int c = 0; c < SSTABLE_COMPONENT_COUNT; c++) {
            buffer_put_u64(bytes, entry->check.sizes[c]);
            buffer_put_u64(bytes, entry->check.xxh3[c]);
        }
    }
    buffer_put_u64(bytes, checksum_xxh3(buffer_slice(bytes), 0));
}

static void decode_entry(struct cursor *cursor, struct manifest_entry *entry)
{
    entry->generation = cursor_u64(cursor);
    entry->log_position = cursor_u64(cursor);
    uint8_t state = cursor_u8(cursor);
    entry->check.is_foreign = (state & FOREIGN) != 0;
    state &= (uint8_t)~FOREIGN;
    if (state >= MANIFEST_STATE_COUNT) cursor->failed = true;
    entry->state = (enum manifest_state)state;
    for (int c = 0; c < SSTABLE_COMPONENT_COUNT; c++) {
        entry->check.sizes[c] = cursor_u64(cursor);
        entry->check.xxh3[c] = cursor_u64(cursor);
    }
}

static enum status decode(struct slice bytes, const char *path, struct manifest *manifest,
                          struct error *error)
{
    if (bytes.size < HASH_SIZE ||
        checksum_xxh3(slice_make(bytes.data, bytes.size - HASH_SIZE), 0) !=
            bytes_get_u64(bytes.data + bytes.size - HASH_SIZE))
        return error_set(error, STATUS_CORRUPT, "%s: its checksum is wrong", path);
    struct cursor cursor = cursor_make(slice_make(bytes.data, bytes.size - HASH_SIZE));
    uint32_t magic = cursor_u32(&cursor), version = cursor_u32(&cursor);
    if (magic != MANIFEST_MAGIC || version == 0 || version > MANIFEST_VERSION)
        return error_set(error, STATUS_CORRUPT, "%s: not a manifest of this version", path);
    struct manifest decoded = {.dropped = cursor_u8(&cursor) != 0};
    decoded.flushed_position = cursor_u64(&cursor);
    decoded.truncated_position = cursor_u64(&cursor);
    struct slice directory = cursor_vint_bytes(&cursor);
    decoded.directory = strndup((const char *)directory.data, directory.size);
    ASSERT(decoded.directory != NULL);
    uint64_t count = cursor_vint(&cursor);
    for (uint64_t i = 0; i < count && !cursor.failed; i++) {
        struct manifest_entry entry;
        decode_entry(&cursor, &entry);
        if (!cursor.failed) manifest_add(&decoded, &entry);
    }
    if (cursor.failed || cursor_left(&cursor) > 0) {
        manifest_deinit(&decoded);
        return error_set(error, STATUS_CORRUPT, "%s: does not decode", path);
    }
    *manifest = decoded;
    return STATUS_OK;
}

enum status manifest_load(struct env *env, const char *path, struct manifest *manifest,
                          struct error *error)
{
    struct buffer bytes;
    buffer_init(&bytes, MANIFEST_SIZE_MAX);
    enum status status = whole_file_read(env, path, &bytes, error);
    if (status == STATUS_OK) status = decode(buffer_slice(&bytes), path, manifest, error);
    buffer_deinit(&bytes);
    return status;
}

enum status manifest_store(struct env *env, const char *directory, const char *path,
                           const struct manifest *manifest, struct error *error)
{
    struct buffer bytes;
    buffer_init(&bytes, MANIFEST_SIZE_MAX);
    encode(manifest, &bytes);
    enum status status =
        bytes.overflow
            ? error_set(error, STATUS_OVERLOADED, "%s: too many SSTables", manifest->directory)
            : whole_file_write(env, directory, path, buffer_slice(&bytes), error);
    buffer_deinit(&bytes);
    return status;
}
