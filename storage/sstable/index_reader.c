#include "storage/sstable/index_reader.h"

#include "storage/sstable/vint.h"

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

// Enters the stretch of Index.db that has the key, if any has. False: none has.
static bool enter_stretch(struct stream *stream, const struct partition_key *key, uint64_t *end)
{
    const struct summary *summary = &stream->reader->summary;
    ptrdiff_t sample = summary_find(summary, key);
    if (sample < 0) return false;
    stream_seek(stream, summary->entries[sample].position);
    *end =
        (size_t)sample + 1 < summary->count ? summary->entries[sample + 1].position : stream->end;
    return true;
}

// Skips entries of other keys that lie whole in the chunk at hand: a search goes through half a
// stretch of them. Whatever is damaged is left to the caller.
static enum status skip_others(struct stream *stream, uint64_t end, struct slice key)
{
    struct slice bytes;
    enum status status = stream_peek(stream, 1, &bytes);
    if (status != STATUS_OK) return status;
    if (bytes.size > end - stream->position)
        bytes = slice_make(bytes.data, (size_t)(end - stream->position));
    struct cursor cursor = cursor_make(bytes);
    const uint8_t *start = cursor.next;
    for (;;) {
        if (cursor_left(&cursor) < 2) break;
        size_t key_size = bytes_get_u16(cursor.next);
        if (cursor_left(&cursor) < 2 + key_size + 2 * (size_t)VINT_SIZE_MAX) break;
        if (key_size == key.size && memcmp(cursor.next + 2, key.data, key_size) == 0) break;
        cursor.next += 2 + key_size;
        (void)vint_read(&cursor);
        uint64_t size = vint_read(&cursor);
        if (size > cursor_left(&cursor)) break;
        cursor.next += size;
        start = cursor.next;
    }
    stream->position += (uint64_t)(start - bytes.data);
    return STATUS_OK;
}

enum status index_reader_find(struct stream *stream, const struct partition_key *key,
                              struct index_entry *entry)
{
    uint64_t end;
    if (!enter_stretch(stream, key, &end)) return STATUS_END;
    while (stream->position < end) {
        enum status status = skip_others(stream, end, key->bytes);
        if (status == STATUS_OK && stream->position >= end) break;
        if (status == STATUS_OK) status = index_reader_entry(stream, entry);
        if (status != STATUS_OK) return status;
        // Whether a key is past ours would cost a hash; that it is ours costs a comparison.
        if (slice_equals(entry->key, key->bytes)) return STATUS_OK;
        index_reader_advance(stream, entry);
    }
    return STATUS_END;
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
    uint64_t end;
    if (!enter_stretch(stream, &key, &end)) stream_seek(stream, 0);
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
