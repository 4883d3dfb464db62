#include "storage/sstable/index_reader.h"

#include "base/assert.h"
#include "storage/sstable/vint.h"

#include <stdlib.h>

enum { WIDTH_BASE = 65536 };

// What stands before the blocks has no more than this: key, positions, deletion, numbers.
enum { ENTRY_HEAD_SIZE_MAX = 2 + KEY_SIZE_MAX + 64 };

// The head of the entry that begins at `start`; true if it is sound. The cursor fails if there are
// too few bytes.
static bool decode_entry(const struct header *header, uint64_t start, uint64_t file_end,
                         struct cursor *cursor, struct index_entry *entry)
{
    const uint8_t *first = cursor->next;
    *entry = (struct index_entry){.start = start, .deletion = DELETION_NONE};
    entry->key = cursor_take(cursor, cursor_u16(cursor));
    entry->position = vint_read(cursor);
    uint64_t size = vint_read(cursor);
    if (cursor->failed) return false;
    uint64_t head = (uint64_t)(cursor->next - first), left = file_end - start - head;
    if (size > INT32_MAX || size > left) return false;
    entry->size = head + size;
    if (size > 0) {
        entry->header_size = vint_read(cursor);
        entry->deletion = row_decoder_plain_deletion(header, cursor);
        uint64_t count = vint_read(cursor);
        if (cursor->failed) return false;
        entry->blocks = start + (uint64_t)(cursor->next - first);
        uint64_t end = start + entry->size;
        if (entry->blocks > end || count == 0 || count > (end - entry->blocks) / 4) return false;
        entry->block_count = (uint32_t)count;
        entry->offsets = end - 4 * count;
        return true;
    }
    // The next one's place is good to know, if its bytes are here.
    struct cursor behind = *cursor;
    (void)cursor_take(&behind, cursor_u16(&behind));
    uint64_t next = vint_read(&behind);
    entry->data_end = behind.failed ? 0 : next;
    return true;
}

enum status index_reader_entry(struct stream *stream, struct index_entry *entry)
{
    if (stream->position >= stream->end) return STATUS_END;
    const struct sstable_reader *reader = stream->reader;
    struct slice bytes;
    enum status status = stream_peek(stream, 1, &bytes);
    while (status == STATUS_OK) {
        struct cursor cursor = cursor_make(bytes);
        bool is_sound =
            decode_entry(&reader->header, stream->position, stream->end, &cursor, entry);
        if (is_sound && entry->position < reader->data_size) return STATUS_OK;
        if (!cursor.failed) return stream_corrupt(stream, "bad entry");
        status = stream_peek_more(stream, bytes.size, ENTRY_HEAD_SIZE_MAX, &bytes);
    }
    return status;
}

// The stretch of Index.db that has a key, if any has, and a search through it.
struct stretch {
    uint64_t start, end;
    struct index_marks *marks; // NULL: none are to be used.
    uint32_t entries_to_mark;  // Until the next one is to be noted; 0: none is.
};

// Enters it. False: none has the key.
static bool enter_stretch(struct stream *stream, const struct partition_key *key,
                          struct stretch *stretch)
{
    const struct summary *summary = &stream->reader->summary;
    ptrdiff_t sample = summary_find(summary, key);
    if (sample < 0) return false;
    *stretch = (struct stretch){
        .start = summary->entries[sample].position,
        .end = (size_t)sample + 1 < summary->count ? summary->entries[sample + 1].position
                                                   : stream->end,
    };
    stream_seek(stream, stretch->start);
    struct sstable_reader *reader = stream->reader;
    // Without a cache it may be any thread that reads.
    if (stream->access.cache == NULL || summary->interval <= INDEX_MARKS_MAX) return true;
    if (reader->marks == NULL) reader->marks = calloc(summary->count, sizeof *reader->marks);
    ASSERT(reader->marks != NULL);
    stretch->marks = &reader->marks[sample];
    return true;
}

// Moves to the last mark before the key. True if there is one.
static bool enter_mark(struct stream *stream, const struct partition_key *key,
                       struct stretch *stretch)
{
    const struct index_marks *marks = stretch->marks;
    if (marks == NULL) return false;
    size_t before = index_marks_before(marks, key->token);
    uint32_t step = stream->reader->summary.interval / (INDEX_MARKS_MAX + 1);
    if (marks->count < INDEX_MARKS_MAX)
        stretch->entries_to_mark = (uint32_t)(marks->count + 1 - before) * step;
    if (before == 0) return false;
    stream_seek(stream, stretch->start + marks->offsets[before - 1]);
    return true;
}

// Notes the entry that begins here, if all of its key does.
static void note_mark(struct stretch *stretch, uint32_t step, struct cursor entry,
                      uint64_t position)
{
    struct slice key = cursor_take(&entry, cursor_u16(&entry));
    bool is_noted = !entry.failed &&
                    index_marks_add(stretch->marks, token_of_key(key), position - stretch->start);
    stretch->entries_to_mark = is_noted && stretch->marks->count < INDEX_MARKS_MAX ? step : 0;
}

// Bytes of the vint that begins with this one.
static inline size_t vint_size_of(uint8_t first)
{
    return 1 + (size_t)__builtin_clz((unsigned)(uint8_t)~first << 24 | 1U << 23);
}

// Skips entries of other keys that lie whole in the chunk at hand: a search goes through half the
// way to the next mark of them. Whatever is damaged is left to the caller.
static enum status skip_others(struct stream *stream, struct stretch *stretch, struct slice key)
{
    struct slice bytes;
    enum status status = stream_peek(stream, 1, &bytes);
    if (status != STATUS_OK) return status;
    if (bytes.size > stretch->end - stream->position)
        bytes = slice_make(bytes.data, (size_t)(stretch->end - stream->position));
    struct cursor cursor = cursor_make(bytes);
    const uint8_t *start = cursor.next;
    for (;;) {
        if (cursor_left(&cursor) < 2) break;
        size_t key_size = bytes_get_u16(cursor.next);
        if (cursor_left(&cursor) < 2 + key_size + 2 * (size_t)VINT_SIZE_MAX) break;
        if (key_size == key.size && memcmp(cursor.next + 2, key.data, key_size) == 0) break;
        cursor.next += 2 + key_size;
        cursor.next += vint_size_of(*cursor.next);
        uint64_t size = vint_read(&cursor);
        if (size > cursor_left(&cursor)) break;
        cursor.next += size;
        start = cursor.next;
        if (stretch->entries_to_mark > 0 && --stretch->entries_to_mark == 0)
            note_mark(stretch, stream->reader->summary.interval / (INDEX_MARKS_MAX + 1), cursor,
                      stream->position + (uint64_t)(start - bytes.data));
    }
    stream->position += (uint64_t)(start - bytes.data);
    return STATUS_OK;
}

// From the stream's place to the end of the stretch.
static enum status search(struct stream *stream, struct stretch *stretch, struct slice key,
                          struct index_entry *entry)
{
    while (stream->position < stretch->end) {
        enum status status = skip_others(stream, stretch, key);
        if (status == STATUS_OK && stream->position >= stretch->end) break;
        if (status == STATUS_OK) status = index_reader_entry(stream, entry);
        if (status != STATUS_OK) return status;
        // Whether a key is past ours would cost a hash; that it is ours costs a comparison.
        if (slice_equals(entry->key, key)) return STATUS_OK;
        index_reader_advance(stream, entry);
        stretch->entries_to_mark = 0; // It was not counted.
    }
    return STATUS_END;
}

enum status index_reader_find(struct stream *stream, const struct partition_key *key,
                              struct index_entry *entry)
{
    struct stretch stretch;
    if (!enter_stretch(stream, key, &stretch)) return STATUS_END;
    bool is_by_mark = enter_mark(stream, key, &stretch);
    enum status status = search(stream, &stretch, key->bytes, entry);
    if (!is_by_mark || status == STATUS_OK || status == STATUS_WOULD_BLOCK) return status;
    stretch.entries_to_mark = 0;
    stream_seek(stream, stretch.start);
    return search(stream, &stretch, key->bytes, entry);
}

static bool is_before(const struct partition_key *key, const struct scan_bound *start)
{
    int order = token_compare(key->token, start->token);
    if (order == 0 && start->key.data != NULL) order = slice_compare(key->bytes, start->key);
    return start->inclusive ? order < 0 : order <= 0;
}

enum status index_reader_seek(struct stream *stream, const struct scan_bound *start)
{
    // The empty key is the smallest of its token: the stretch before all that are wanted.
    struct slice bytes = start->key.data == NULL ? slice_make("", 0) : start->key;
    struct partition_key key = {start->token, bytes};
    struct stretch stretch;
    if (!enter_stretch(stream, &key, &stretch)) stream_seek(stream, 0);
    for (;;) {
        struct index_entry entry;
        enum status status = index_reader_entry(stream, &entry);
        if (status != STATUS_OK) return status == STATUS_END ? STATUS_OK : status;
        struct partition_key found = partition_key_make(entry.key);
        if (!is_before(&found, start)) return STATUS_OK;
        index_reader_advance(stream, &entry);
    }
}

// ---- Blocks -------------------------------------------------------------------------------------

static bool decode_place(const struct header *header, struct cursor *cursor, struct slice *values,
                         struct bound *place)
{
    enum bound_kind kind = (enum bound_kind)cursor_u8(cursor);
    return row_decoder_place(header, kind, cursor, values, place);
}

// False: damaged; the cursor fails if there are too few bytes.
static bool decode_block(const struct header *header, struct cursor *cursor,
                         struct slice *first_values, struct slice *last_values,
                         struct index_block *block)
{
    if (!decode_place(header, cursor, first_values, &block->first) ||
        !decode_place(header, cursor, last_values, &block->last))
        return false;
    block->offset = vint_read(cursor);
    uint64_t zigzag = vint_read(cursor);
    block->width = ((zigzag >> 1) ^ (0 - (zigzag & 1))) + WIDTH_BASE;
    block->open = DELETION_NONE;
    if (cursor_u8(cursor)) block->open = row_decoder_plain_deletion(header, cursor);
    return true;
}

static enum status seek_block(struct stream *stream, const struct index_entry *entry,
                              uint32_t index)
{
    struct slice bytes;
    stream_seek(stream, entry->offsets + 4 * (uint64_t)index);
    enum status status = stream_peek(stream, 4, &bytes);
    if (status != STATUS_OK) return status;
    if (bytes.size < 4) return stream_corrupt(stream, "the file ends");
    uint64_t start = bytes_get_u32(bytes.data);
    if (start >= entry->offsets - entry->blocks)
        return stream_corrupt(stream, "bad offset of a block");
    stream_seek(stream, entry->blocks + start);
    return STATUS_OK;
}

enum status index_reader_block(struct stream *stream, const struct index_entry *entry,
                               uint32_t index, struct slice *first_values,
                               struct slice *last_values, struct index_block *block)
{
    const struct header *header = &stream->reader->header;
    enum status status = seek_block(stream, entry, index);
    if (status != STATUS_OK) return status;
    struct slice bytes;
    status = stream_peek(stream, 1, &bytes);
    while (status == STATUS_OK) {
        struct cursor cursor = cursor_make(bytes);
        bool is_sound = decode_block(header, &cursor, first_values, last_values, block);
        if (!cursor.failed) {
            uint64_t left = stream->reader->data_size - entry->position;
            if (is_sound && block->offset >= entry->header_size && block->offset < left &&
                block->width <= left - block->offset)
                return STATUS_OK;
            return stream_corrupt(stream, "bad block");
        }
        status = stream_peek_more(stream, bytes.size, HEAD_SIZE_MAX, &bytes);
    }
    return status;
}
