#include "storage/sstable/statistics_change.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/cursor.h"

enum { STATS = 2, TYPES_MAX = 16 };

static void skip(struct cursor *cursor, uint64_t size)
{
    (void)cursor_take(cursor, size);
}

static void skip_counted(struct cursor *cursor, uint64_t size)
{
    uint64_t count = cursor_u32(cursor);
    if (count > cursor_left(cursor) / size)
        cursor->failed = true;
    else
        skip(cursor, count * size);
}

// Where the body of STATS is: [start, end), its checksum behind it.
static bool find_stats(struct slice file, size_t *start, size_t *end)
{
    struct cursor cursor = cursor_make(file);
    uint32_t count = cursor_u32(&cursor);
    skip(&cursor, 4); // Checksum of the number.
    bool found = false;
    *end = file.size;
    for (uint32_t i = 0; i < count && i < TYPES_MAX && !cursor.failed; i++) {
        uint32_t type = cursor_u32(&cursor);
        size_t offset = cursor_u32(&cursor);
        if (found && offset > *start && offset < *end) *end = offset;
        if (type != STATS) continue;
        found = true;
        *start = offset;
    }
    if (cursor.failed || !found || *end < 4 || *start >= *end - 4 || *end > file.size) return false;
    *end -= 4;
    return true;
}

enum status statistics_change(uint8_t *file, size_t size, enum sstable_version version,
                              uint32_t level, int64_t repaired_at, struct error *error)
{
    size_t start = 0, end = 0;
    if (!find_stats(slice_make(file, size), &start, &end))
        return error_set(error, STATUS_CORRUPT, "Statistics.db has no STATS");
    struct slice body = slice_make(file + start, end - start);
    struct cursor cursor = cursor_make(body);
    skip_counted(&cursor, 16);          // Sizes of partitions.
    skip_counted(&cursor, 16);          // Numbers of cells.
    skip(&cursor, 12 + 16 + 8 + 8 + 8); // Commit log, timestamps, local times, TTLs, ratio.
    skip(&cursor, 4);                   // Room for drop times.
    skip_counted(&cursor, version == SSTABLE_OA ? 12 : 16);
    size_t place = body.size - cursor_left(&cursor);
    skip(&cursor, 12);
    if (cursor.failed) return error_set(error, STATUS_CORRUPT, "STATS ends too early");
    bytes_put_u32(file + start + place, level);
    bytes_put_u64(file + start + place + 4, (uint64_t)repaired_at);
    bytes_put_u32(file + end, checksum_crc32(body));
    return STATUS_OK;
}
