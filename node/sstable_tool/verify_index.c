#include "node/sstable_tool/verify_index.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/format.h"

#include <inttypes.h>
#include <stdlib.h>

// i32 interval, i32 N, i64 size of table and entries, i32 level, i32 size at full sampling; then
// N × i32 LE offsets, counted from here; the entries, each key, i64 LE position; ibytes first, last
// An interval beyond any that a table is given is damage: with few keys nothing else shows it.
enum { SUMMARY_HEAD = 24, INTERVAL_MAX = 65536 };

static struct slice damaged_summary(struct verify_index *index, uint64_t offset, const char *what)
{
    verify_report_at(index->report, SSTABLE_SUMMARY, offset, "%s", what);
    return slice_null();
}

static uint64_t entry_start(const struct verify_index *index, uint32_t entry)
{
    const uint8_t *at = index->summary.data + SUMMARY_HEAD + 4 * (size_t)entry;
    return SUMMARY_HEAD + (uint64_t)(at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24);
}

static uint64_t entries_end(const struct verify_index *index)
{
    return SUMMARY_HEAD + bytes_get_u64(index->summary.data + 8);
}

static uint64_t entry_end(const struct verify_index *index, uint32_t entry)
{
    return entry + 1 < index->entry_count ? entry_start(index, entry + 1) : entries_end(index);
}

// The file, or null if it makes no sense.
static struct slice check_summary(struct verify_index *index)
{
    struct slice file = index->summary;
    if (file.size < SUMMARY_HEAD) return damaged_summary(index, file.size, "the file ends");
    index->interval = bytes_get_u32(file.data);
    index->entry_count = bytes_get_u32(file.data + 4);
    index->level = bytes_get_u32(file.data + 16);
    uint64_t size = bytes_get_u64(file.data + 8);
    if (index->interval == 0 || index->interval > INTERVAL_MAX)
        return damaged_summary(index, 0, "bad interval");
    if (index->entry_count == 0 || index->entry_count > file.size / 12)
        return damaged_summary(index, 4, "bad number of entries");
    if (size > file.size - SUMMARY_HEAD || size < 4 * (uint64_t)index->entry_count)
        return damaged_summary(index, 8, "bad size of the entries");
    if (index->level == 0 || index->level > 128) return damaged_summary(index, 16, "bad level");
    uint64_t expected = SUMMARY_HEAD + 4 * (uint64_t)index->entry_count;
    for (uint32_t i = 0; i < index->entry_count; i++) {
        uint64_t start = entry_start(index, i), end = entry_end(index, i);
        if (start < expected || (i == 0 && start != expected) || end < start + 8 ||
            end > entries_end(index))
            return damaged_summary(index, SUMMARY_HEAD + 4 * (uint64_t)i, "bad offset of an entry");
        expected = end;
    }
    return file;
}

enum status verify_index_begin(struct verify_index *index, struct env *env,
                               struct verify_report *report, struct error *error)
{
    *index = (struct verify_index){.env = env, .report = report};
    buffer_init(&index->first_key, KEY_SIZE_MAX + 1);
    buffer_init(&index->last_key, KEY_SIZE_MAX + 1);
    char path[SSTABLE_PATH_SIZE];
    tool_input_path(path, report->input, SSTABLE_SUMMARY);
    enum status status =
        file_reader_read_file(env, path, COMPONENT_SIZE_MAX, &index->summary, error);
    if (status == STATUS_OK) {
        struct slice file = index->summary;
        index->summary = check_summary(index);
        if (index->summary.data == NULL) free((void *)file.data);
    } else if (status == STATUS_NOT_FOUND) {
        verify_report_note(report, "there is no Summary.db");
        index->summary = slice_null();
    } else {
        return status;
    }
    struct slice file;
    tool_input_path(path, report->input, SSTABLE_FILTER);
    status = file_reader_read_file(env, path, COMPONENT_SIZE_MAX, &file, error);
    if (status == STATUS_NOT_FOUND) {
        verify_report_note(report, "there is no Filter.db");
        return STATUS_OK;
    }
    if (status != STATUS_OK) return status;
    if (filter_decode(&index->filter, file) != STATUS_OK) {
        verify_report_at(report, SSTABLE_FILTER, 0, "bad number of hashes or of words");
    } else {
        index->expected = index->filter;
        index->expected.bits = calloc(index->filter.word_count, 8);
        ASSERT(index->expected.bits != NULL);
    }
    free((void *)file.data);
    return STATUS_OK;
}

static void add_to_summary(struct verify_index *index, struct slice key, uint64_t position)
{
    while (index->next_entry < index->entry_count) {
        uint64_t start = entry_start(index, index->next_entry);
        uint64_t end = entry_end(index, index->next_entry);
        uint64_t place = bytes_get_u64_le(index->summary.data + end - 8);
        if (place > position) return;
        if (place < position) {
            verify_report_at(index->report, SSTABLE_SUMMARY, end - 8,
                             "at %" PRIu64 " of Index.db no entry begins", place);
        } else if (!slice_equals(slice_make(index->summary.data + start, end - 8 - start), key)) {
            verify_report_at(index->report, SSTABLE_SUMMARY, start,
                             "another key than that at %" PRIu64 " of Index.db", place);
        } else if (index->level == 128 &&
                   index->key_count != (uint64_t)index->next_entry * index->interval) {
            verify_report_at(index->report, SSTABLE_SUMMARY, start,
                             "entry %" PRIu32 " is that of partition %" PRIu64
                             "; it should be each %" PRIu32 "th",
                             index->next_entry, index->key_count, index->interval);
        }
        index->next_entry++;
        if (place >= position) return;
    }
}

void verify_index_add(struct verify_index *index, struct slice key, uint64_t position)
{
    if (index->summary.data != NULL) add_to_summary(index, key, position);
    if (filter_exists(&index->filter)) filter_add(&index->expected, key);
    if (index->key_count == 0) buffer_put(&index->first_key, key.data, key.size);
    buffer_clear(&index->last_key);
    buffer_put(&index->last_key, key.data, key.size);
    index->key_count++;
}

static void end_filter(struct verify_index *index)
{
    const uint8_t *bits = index->filter.bits, *expected = index->expected.bits;
    for (uint64_t i = 0; i < index->filter.word_count * 8; i++) {
        if (bits[i] == expected[i]) continue;
        bool is_lost = (expected[i] & ~bits[i]) != 0;
        verify_report_at(index->report, SSTABLE_FILTER, 8 + i,
                         is_lost ? "bits of keys are not set: reads would not find them"
                                 : "bits are set that no key sets: reads look here in vain");
        return;
    }
}

static void end_summary(struct verify_index *index)
{
    struct slice file = index->summary;
    uint64_t wanted = (index->key_count + index->interval - 1) / index->interval;
    if (index->next_entry < index->entry_count)
        verify_report_at(index->report, SSTABLE_SUMMARY, entry_start(index, index->next_entry),
                         "there is no such entry in Index.db");
    if (index->level == 128 && index->entry_count != wanted)
        verify_report_at(index->report, SSTABLE_SUMMARY, 4,
                         "%" PRIu32 " entries; of %" PRIu64 " partitions there should be %" PRIu64,
                         index->entry_count, index->key_count, wanted);
    if (bytes_get_u32(file.data + 20) != wanted)
        verify_report_at(index->report, SSTABLE_SUMMARY, 20,
                         "size at full sampling %" PRIu32 ", not %" PRIu64,
                         bytes_get_u32(file.data + 20), wanted);
    const struct buffer *keys[] = {&index->first_key, &index->last_key};
    uint64_t at = entries_end(index);
    for (int i = 0; i < 2; i++) {
        uint64_t size = at + 4 <= file.size ? bytes_get_u32(file.data + at) : UINT64_MAX;
        if (size > file.size - at - 4) {
            verify_report_at(index->report, SSTABLE_SUMMARY, at, "bad size of a key");
            return;
        }
        if (!slice_equals(slice_make(file.data + at + 4, (size_t)size), buffer_slice(keys[i])))
            verify_report_at(index->report, SSTABLE_SUMMARY, at + 4, "not the %s key of Index.db",
                             i == 0 ? "first" : "last");
        at += 4 + size;
    }
    if (at != file.size)
        verify_report_at(index->report, SSTABLE_SUMMARY, at, "bytes are left at the end");
}

void verify_index_end(struct verify_index *index)
{
    if (index->key_count == 0) return;
    if (filter_exists(&index->filter)) end_filter(index);
    if (index->summary.data != NULL) end_summary(index);
}

void verify_index_deinit(struct verify_index *index)
{
    filter_deinit(&index->filter);
    filter_deinit(&index->expected);
    free((void *)index->summary.data);
    buffer_deinit(&index->first_key);
    buffer_deinit(&index->last_key);
}
