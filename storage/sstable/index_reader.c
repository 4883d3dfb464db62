#include "storage/sstable/index_reader.h"

#include "storage/sstable/vint.h"

enum { WIDTH_BASE = 65536 };

// True: decoded, or damaged (then `*damaged`). False: more bytes are needed.
static bool decode_entry(const struct header *header, struct slice bytes, struct index_entry *entry,
                         bool *damaged)
{
    struct cursor cursor = cursor_make(bytes);
    *damaged = false;
    *entry = (struct index_entry){.deletion = DELETION_NONE};
    entry->key = cursor_take(&cursor, cursor_u16(&cursor));
    entry->position = vint_read(&cursor);
    uint64_t size = vint_read(&cursor);
    if (cursor.failed) return false;
    if (size > ROW_SIZE_MAX) return *damaged = true;
    struct cursor promoted = cursor_make(cursor_take(&cursor, (size_t)size));
    if (cursor.failed) return false;
    entry->size = (uint64_t)(cursor.next - bytes.data);
    if (size > 0) {
        entry->header_size = vint_read(&promoted);
        entry->deletion = row_decoder_plain_deletion(header, &promoted);
        uint64_t count = vint_read(&promoted);
        if (promoted.failed || count == 0 || count > cursor_left(&promoted) / 4)
            return *damaged = true;
        entry->block_count = (uint32_t)count;
        entry->blocks = cursor_take(&promoted, cursor_left(&promoted) - 4 * count);
        entry->offsets = cursor_take(&promoted, 4 * count);
    }
    // The next one's place is good to know, if its bytes are here.
    (void)cursor_take(&cursor, cursor_u16(&cursor));
    uint64_t next = vint_read(&cursor);
    entry->data_end = cursor.failed ? 0 : next;
    return true;
}

enum status index_reader_entry(struct stream *stream, struct index_entry *entry)
{
    if (stream->position >= stream->end) return STATUS_END;
    struct slice bytes;
    enum status status = stream_peek(stream, 1, &bytes);
    while (status == STATUS_OK) {
        bool damaged;
        if (decode_entry(&stream->reader->header, bytes, entry, &damaged)) {
            if (damaged || entry->position >= stream->reader->data_size)
                return stream_corrupt(stream, "bad entry");
            return STATUS_OK;
        }
        status = stream_peek_more(stream, bytes.size, ROW_SIZE_MAX + (size_t)HEAD_SIZE_MAX, &bytes);
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

enum status index_reader_find(struct stream *stream, const struct partition_key *key,
                              struct index_entry *entry)
{
    uint64_t end;
    if (!enter_stretch(stream, key, &end)) return STATUS_END;
    while (stream->position < end) {
        enum status status = index_reader_entry(stream, entry);
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

static bool decode_place(const struct header *header, struct cursor *cursor, struct slice *values,
                         struct bound *place)
{
    enum bound_kind kind = (enum bound_kind)cursor_u8(cursor);
    return row_decoder_place(header, kind, cursor, values, place);
}

enum status index_reader_block(struct stream *stream, const struct index_entry *entry,
                               uint32_t index, struct slice *first_values,
                               struct slice *last_values, struct index_block *block)
{
    const struct header *header = &stream->reader->header;
    uint32_t start = bytes_get_u32(entry->offsets.data + 4 * (size_t)index);
    if (start >= entry->blocks.size) return stream_corrupt(stream, "bad offset of a block");
    struct cursor cursor =
        cursor_make(slice_make(entry->blocks.data + start, entry->blocks.size - start));
    if (!decode_place(header, &cursor, first_values, &block->first) ||
        !decode_place(header, &cursor, last_values, &block->last))
        return stream_corrupt(stream, "bad place of a block");
    block->offset = vint_read(&cursor);
    uint64_t zigzag = vint_read(&cursor);
    block->width = ((zigzag >> 1) ^ (0 - (zigzag & 1))) + WIDTH_BASE;
    block->open = cursor_u8(&cursor) ? row_decoder_plain_deletion(header, &cursor) : DELETION_NONE;
    uint64_t left = stream->reader->data_size - entry->position;
    if (cursor.failed || block->offset < entry->header_size || block->offset >= left ||
        block->width > left - block->offset)
        return stream_corrupt(stream, "bad block");
    return STATUS_OK;
}
