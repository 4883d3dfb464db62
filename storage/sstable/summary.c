#include "storage/sstable/summary.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "storage/sstable/format.h"

#include <stdlib.h>

enum { SAMPLING_LEVEL_FULL = 128 };

void summary_init(struct summary *summary, uint32_t interval)
{
    *summary = (struct summary){.interval = interval == 0 ? 128 : interval};
    buffer_init(&summary->bytes, COMPONENT_SIZE_MAX);
}

void summary_deinit(struct summary *summary)
{
    free(summary->entries);
    free(summary->memory);
    buffer_deinit(&summary->bytes);
    *summary = (struct summary){0};
}

static struct summary_entry *append_entry(struct summary *summary)
{
    if (summary->count == summary->capacity) {
        summary->capacity = summary->capacity == 0 ? 16 : 2 * summary->capacity;
        summary->entries = realloc(summary->entries, summary->capacity * sizeof *summary->entries);
        ASSERT(summary->entries != NULL);
    }
    return &summary->entries[summary->count++];
}

void summary_add(struct summary *summary, const struct partition_key *key, uint64_t position)
{
    // The bytes may move as they grow: until summary_finish() a key's data is null and only its
    // size counts. The last key stands behind them, over and over.
    if (summary->bytes.limit - summary->bytes.size < 2 * key->bytes.size) summary->is_full = true;
    if (summary->is_full) return;
    if (summary->partition_count % summary->interval == 0) {
        *append_entry(summary) =
            (struct summary_entry){{key->token, {NULL, key->bytes.size}}, position};
        buffer_put(&summary->bytes, key->bytes.data, key->bytes.size);
    }
    size_t sampled = summary->bytes.size;
    buffer_put(&summary->bytes, key->bytes.data, key->bytes.size);
    buffer_truncate(&summary->bytes, sampled);
    summary->last = (struct partition_key){key->token, {NULL, key->bytes.size}};
    summary->partition_count++;
}

void summary_finish(struct summary *summary)
{
    ASSERT(summary->count > 0);
    const uint8_t *at = summary->bytes.data;
    for (size_t i = 0; i < summary->count; i++) {
        struct slice *key = &summary->entries[i].key.bytes;
        key->data = key->size == 0 ? (const uint8_t *)"" : at;
        at += key->size;
    }
    summary->last.bytes.data = summary->last.bytes.size == 0 ? (const uint8_t *)"" : at;
    summary->first = summary->entries[0].key;
}

void summary_encode(const struct summary *summary, struct buffer *file)
{
    uint64_t size = 4 * summary->count;
    for (size_t i = 0; i < summary->count; i++)
        size += summary->entries[i].key.bytes.size + 8;
    // i32 interval, i32 count, i64 size, i32 level, i32 count at full level
    buffer_put_u32(file, summary->interval);
    buffer_put_u32(file, (uint32_t)summary->count);
    buffer_put_u64(file, size);
    buffer_put_u32(file, SAMPLING_LEVEL_FULL);
    buffer_put_u32(
        file, (uint32_t)((summary->partition_count + summary->interval - 1) / summary->interval));
    // Little-endian: count × u32 offset, from here; entries of key and u64 position.
    uint32_t offset = (uint32_t)(4 * summary->count);
    for (size_t i = 0; i < summary->count; i++) {
        uint8_t *at = buffer_reserve(file, 4);
        if (at == NULL) return;
        bytes_put_u32_le(at, offset);
        offset += (uint32_t)summary->entries[i].key.bytes.size + 8;
    }
    for (size_t i = 0; i < summary->count; i++) {
        struct slice key = summary->entries[i].key.bytes;
        buffer_put(file, key.data, key.size);
        uint8_t *at = buffer_reserve(file, 8);
        if (at == NULL) return;
        bytes_put_u64_le(at, summary->entries[i].position);
    }
    // i32 length and bytes of the first and of the last key
    buffer_put_u32(file, (uint32_t)summary->first.bytes.size);
    buffer_put(file, summary->first.bytes.data, summary->first.bytes.size);
    buffer_put_u32(file, (uint32_t)summary->last.bytes.size);
    buffer_put(file, summary->last.bytes.data, summary->last.bytes.size);
}

static enum status decode_entries(struct summary *summary, struct slice arrays, size_t count,
                                  uint64_t index_size)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = bytes_get_u32_le(arrays.data + 4 * i);
        uint64_t end = i + 1 < count ? bytes_get_u32_le(arrays.data + 4 * (i + 1)) : arrays.size;
        if (offset < 4 * count || end > arrays.size || end < offset + 8 ||
            end - offset - 8 > KEY_SIZE_MAX)
            return STATUS_CORRUPT;
        struct slice key = slice_make(arrays.data + offset, end - offset - 8);
        uint64_t position = bytes_get_u64_le(arrays.data + end - 8);
        struct summary_entry entry = {partition_key_make(key), position};
        const struct summary_entry *previous = i == 0 ? NULL : &summary->entries[i - 1];
        if (position >= index_size ||
            (previous == NULL ? position != 0
                              : position <= previous->position ||
                                    partition_key_compare(&entry.key, &previous->key) <= 0))
            return STATUS_CORRUPT;
        *append_entry(summary) = entry;
    }
    return STATUS_OK;
}

static enum status decode(struct summary *summary, struct cursor cursor, uint64_t index_size)
{
    summary->interval = cursor_u32(&cursor);
    uint64_t count = cursor_u32(&cursor);
    uint64_t size = cursor_u64(&cursor);
    (void)cursor_u64(&cursor); // Sampling level, count at the full one.
    if (cursor.failed || count == 0 || summary->interval == 0 || size > cursor_left(&cursor) ||
        count > size / 12)
        return STATUS_CORRUPT;
    struct slice arrays = cursor_take(&cursor, size);
    enum status status = decode_entries(summary, arrays, count, index_size);
    if (status != STATUS_OK) return status;
    summary->first = partition_key_make(cursor_take(&cursor, cursor_u32(&cursor)));
    summary->last = partition_key_make(cursor_take(&cursor, cursor_u32(&cursor)));
    if (cursor.failed || cursor_left(&cursor) > 0 || summary->first.bytes.size > KEY_SIZE_MAX ||
        summary->last.bytes.size > KEY_SIZE_MAX ||
        partition_key_compare(&summary->first, &summary->entries[0].key) != 0 ||
        partition_key_compare(&summary->entries[count - 1].key, &summary->last) > 0)
        return STATUS_CORRUPT;
    return STATUS_OK;
}

enum status summary_decode(struct summary *summary, struct slice file, uint64_t index_size)
{
    summary_init(summary, 0);
    summary->memory = malloc(file.size == 0 ? 1 : file.size);
    ASSERT(summary->memory != NULL);
    memcpy(summary->memory, file.data, file.size);
    summary->memory_size = file.size;
    struct cursor cursor = cursor_make(slice_make(summary->memory, file.size));
    enum status status = decode(summary, cursor, index_size);
    if (status != STATUS_OK) summary_deinit(summary);
    return status;
}

ptrdiff_t summary_find(const struct summary *summary, const struct partition_key *key)
{
    size_t low = 0, high = summary->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (partition_key_compare(&summary->entries[middle].key, key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (ptrdiff_t)low - 1;
}
