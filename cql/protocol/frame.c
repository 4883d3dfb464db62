#include "cql/protocol/frame.h"

#include "base/assert.h"
#include "base/checksum.h"

#include <lz4.h>

// Plain bytes of an LZ4 block for each of its own, at most.
enum { LZ4_EXPANSION_MAX = 255 };

const char *frame_opcode_text(uint8_t opcode)
{
    switch (opcode) {
#define X(name, code, direction)                                                                   \
    case code:                                                                                     \
        return #name;
        FRAME_OPCODE_MAP(X)
#undef X
    default:
        return NULL;
    }
}

bool frame_opcode_is_request(uint8_t opcode)
{
    enum { REQUEST, RESPONSE };
    switch (opcode) {
#define X(name, code, direction)                                                                   \
    case code:                                                                                     \
        return (direction) == REQUEST;
        FRAME_OPCODE_MAP(X)
#undef X
    default:
        return false;
    }
}

uint32_t frame_crc24(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0x875060;
    for (size_t i = 0; i < size; i++) {
        crc ^= (uint32_t)bytes[i] << 16;
        for (int bit = 0; bit < 8; bit++) {
            crc <<= 1;
            if ((crc & 0x1000000) != 0) crc ^= 0x1974F0B;
        }
    }
    return crc;
}

uint32_t frame_crc32(const uint8_t *bytes, size_t size)
{
    // The checksum of FA 2D 55 CA, which Cassandra feeds in first so that zeros do not check out.
    const uint32_t begin = 0x44777ED3;
    return checksum_crc32_more(begin, slice_make(bytes, size));
}

// ---- Reading -----------------------------------------------------------------------------------

void frame_reader_init(struct frame_reader *reader, uint32_t body_size_max)
{
    *reader = (struct frame_reader){.body_size_max = body_size_max};
    size_t limit = (size_t)body_size_max + 4 * FRAME_SEGMENT_SIZE_MAX;
    buffer_init(&reader->pending, 2 * limit);
    buffer_init(&reader->plain, limit);
    buffer_init(&reader->large, limit);
    reader->input = reader->segment = slice_make("", 0);
}

void frame_reader_deinit(struct frame_reader *reader)
{
    buffer_deinit(&reader->pending);
    buffer_deinit(&reader->plain);
    buffer_deinit(&reader->large);
}

void frame_reader_set_lz4(struct frame_reader *reader)
{
    reader->lz4 = true;
}

void frame_reader_set_segmented(struct frame_reader *reader, bool lz4)
{
    reader->segmented = true;
    reader->lz4 = lz4;
}

void frame_reader_push(struct frame_reader *reader, struct slice bytes)
{
    reader->input_is_pending = reader->pending.size > 0;
    if (reader->input_is_pending) {
        frame_pool_make_room(reader->pool, &reader->pending, bytes.size);
        buffer_put(&reader->pending, bytes.data, bytes.size);
        reader->input = buffer_slice(&reader->pending);
    } else {
        reader->input = bytes;
    }
}

void frame_reader_park(struct frame_reader *reader)
{
    if (reader->segment.size > 0 && reader->segment_is_input) {
        buffer_clear(&reader->plain);
        buffer_put(&reader->plain, reader->segment.data, reader->segment.size);
        reader->segment = buffer_slice(&reader->plain);
        reader->segment_is_input = false;
    }
    if (reader->input.size == 0)
        frame_pool_take_back(reader->pool, &reader->pending);
    else if (reader->input_is_pending)
        buffer_consume(&reader->pending, reader->pending.size - reader->input.size);
    else
        buffer_put(&reader->pending, reader->input.data, reader->input.size);
    frame_pool_trim(reader->pool, &reader->pending);
    reader->input = slice_make("", 0);
    if (reader->segment.size == 0) frame_pool_take_back(reader->pool, &reader->plain);
    if (reader->large_is_given) {
        frame_pool_take_back(reader->pool, &reader->large);
        reader->large_is_given = false;
    }
}

static struct slice take(struct slice *from, size_t size)
{
    struct slice taken = slice_make(from->data, size);
    from->data += size;
    from->size -= size;
    return taken;
}

static enum frame_event broken(struct frame_reader *reader, const char *fault)
{
    reader->fault = fault;
    return FRAME_BROKEN;
}

static void read_header(const uint8_t *bytes, struct frame *frame)
{
    frame->version = bytes[0] & 0x7f;
    frame->is_response = (bytes[0] & 0x80) != 0;
    frame->flags = bytes[1];
    frame->stream = (int16_t)bytes_get_u16(bytes + 2);
    frame->opcode = bytes[4];
    frame->size = bytes_get_u32(bytes + 5);
    frame->body = slice_make("", 0);
}

static bool version_is_supported(uint8_t version)
{
    return version >= FRAME_VERSION_MIN && version <= FRAME_VERSION_MAX;
}

// body = i32 plain size, one LZ4 block.
static enum frame_event decompress_body(struct frame_reader *reader, struct frame *frame)
{
    reader->fault_has_stream = true;
    if (frame->body.size < 5) return broken(reader, "Compressed body is too short");
    uint32_t size = bytes_get_u32(frame->body.data);
    if (size > reader->body_size_max) return broken(reader, "Compressed body is too big");
    // A byte of a block stands for 255 at most: a claim takes no memory that its bytes can not
    // fill.
    if (size / LZ4_EXPANSION_MAX > frame->body.size - 4)
        return broken(reader, "Compressed lengths mismatch");
    buffer_clear(&reader->plain);
    frame_pool_lend(reader->pool, &reader->plain);
    uint8_t *plain = buffer_reserve(&reader->plain, size + 1); // Never zero bytes.
    if (plain == NULL) return broken(reader, "Compressed body is too big");
    int done = LZ4_decompress_safe((const char *)frame->body.data + 4, (char *)plain,
                                   (int)(frame->body.size - 4), (int)size);
    if (done < 0 || (uint32_t)done != size) return broken(reader, "Compressed lengths mismatch");
    reader->fault_has_stream = false;
    frame->body = slice_make(plain, size);
    return FRAME_READY;
}

static enum frame_event next_envelope(struct frame_reader *reader, struct frame *frame)
{
    if (reader->skip > 0) {
        size_t skipped =
            reader->skip < reader->input.size ? (size_t)reader->skip : reader->input.size;
        take(&reader->input, skipped);
        reader->skip -= skipped;
    }
    if (reader->input.size == 0) return FRAME_NONE;
    // Other versions may have other headers, so the first byte is looked at alone.
    frame->version = reader->input.data[0] & 0x7f;
    if (!version_is_supported(frame->version)) return FRAME_UNSUPPORTED;
    if (reader->input.size < FRAME_HEADER_SIZE) return FRAME_NONE;
    read_header(reader->input.data, frame);
    if (frame->size > reader->body_size_max) {
        take(&reader->input, FRAME_HEADER_SIZE);
        if (frame->size > INT32_MAX) return broken(reader, "Invalid body length");
        reader->skip = frame->size;
        return FRAME_OVERSIZE;
    }
    if (reader->input.size - FRAME_HEADER_SIZE < frame->size) return FRAME_NONE;
    take(&reader->input, FRAME_HEADER_SIZE);
    frame->body = take(&reader->input, frame->size);
    bool compressed = (frame->flags & FRAME_FLAG_COMPRESSED) != 0 && reader->lz4;
    return compressed ? decompress_body(reader, frame) : FRAME_READY;
}

static enum frame_event next_in_segment(struct frame_reader *reader, struct frame *frame)
{
    if (reader->segment.size < FRAME_HEADER_SIZE)
        return broken(reader, "An envelope's header does not fit its self-contained segment");
    read_header(reader->segment.data, frame);
    if (!version_is_supported(frame->version)) return FRAME_UNSUPPORTED;
    if (reader->segment.size - FRAME_HEADER_SIZE < frame->size)
        return broken(reader, "An envelope's body does not fit its self-contained segment");
    take(&reader->segment, FRAME_HEADER_SIZE);
    frame->body = take(&reader->segment, frame->size);
    return frame->size > reader->body_size_max ? FRAME_OVERSIZE : FRAME_READY;
}

// A part of an envelope that does not fit one segment. NONE: go on with the next segment.
static enum frame_event add_part(struct frame_reader *reader, struct slice part,
                                 struct frame *frame)
{
    if (reader->skip > 0) {
        if (part.size > reader->skip) return broken(reader, "A segment goes past its envelope");
        reader->skip -= part.size;
        return FRAME_NONE;
    }
    buffer_put(&reader->large, part.data, part.size);
    if (reader->large.size < FRAME_HEADER_SIZE) return FRAME_NONE;
    read_header(reader->large.data, frame);
    if (!version_is_supported(frame->version)) return FRAME_UNSUPPORTED;
    uint64_t whole = (uint64_t)FRAME_HEADER_SIZE + frame->size;
    if (reader->large.size > whole) return broken(reader, "A segment goes past its envelope");
    if (frame->size > reader->body_size_max) {
        if (frame->size > INT32_MAX) return broken(reader, "Invalid body length");
        reader->skip = whole - reader->large.size;
        buffer_clear(&reader->large);
        return FRAME_OVERSIZE;
    }
    if (reader->large.size < whole) return FRAME_NONE;
    frame->body = slice_make(reader->large.data + FRAME_HEADER_SIZE, frame->size);
    reader->large_is_given = true;
    return FRAME_READY;
}

struct segment {
    bool self_contained;
    struct slice payload; // Plain.
};

static enum frame_event decompress_segment(struct frame_reader *reader, uint32_t plain_size,
                                           struct segment *segment)
{
    buffer_clear(&reader->plain);
    frame_pool_lend(reader->pool, &reader->plain);
    uint8_t *plain = buffer_reserve(&reader->plain, plain_size);
    if (plain == NULL) return broken(reader, "A segment is too big");
    int done = LZ4_decompress_safe((const char *)segment->payload.data, (char *)plain,
                                   (int)segment->payload.size, (int)plain_size);
    if (done < 0 || (uint32_t)done != plain_size)
        return broken(reader, "A segment's compressed payload is corrupt");
    segment->payload = slice_make(plain, plain_size);
    return FRAME_READY;
}

// header: bits 0..16 payload size, 17 self-contained, crc24;
// with LZ4: bits 0..16 payload size, 17..33 plain size or 0, 34 self-contained, crc24.
static enum frame_event next_segment(struct frame_reader *reader, struct segment *segment)
{
    const size_t bits_size = reader->lz4 ? 5 : 3, header_size = bits_size + 3;
    if (reader->input.size < header_size) return FRAME_NONE;
    uint8_t raw[8] = {0};
    memcpy(raw, reader->input.data, header_size);
    uint32_t crc24 = (uint32_t)raw[bits_size] | (uint32_t)raw[bits_size + 1] << 8 |
                     (uint32_t)raw[bits_size + 2] << 16;
    if (frame_crc24(raw, bits_size) != crc24)
        return broken(reader, "A segment's header fails its CRC24");
    memset(raw + bits_size, 0, sizeof raw - bits_size);
    uint64_t bits = bytes_get_u64_le(raw);
    uint32_t size = bits & 0x1ffff;
    uint32_t plain_size = reader->lz4 ? (bits >> 17) & 0x1ffff : 0;
    segment->self_contained = (bits >> (reader->lz4 ? 34 : 17) & 1) != 0;

    if (reader->input.size < header_size + size + 4) return FRAME_NONE;
    take(&reader->input, header_size);
    segment->payload = take(&reader->input, size);
    uint32_t crc32 = bytes_get_u32_le(take(&reader->input, 4).data);
    if (frame_crc32(segment->payload.data, size) != crc32)
        return broken(reader, "A segment's payload fails its CRC32");
    return plain_size == 0 ? FRAME_READY : decompress_segment(reader, plain_size, segment);
}

enum frame_event frame_reader_next(struct frame_reader *reader, struct frame *frame)
{
    *frame = (struct frame){.body = slice_make("", 0)};
    if (reader->pending.overflow) return broken(reader, "Too much input");
    if (reader->large_is_given) {
        frame_pool_take_back(reader->pool, &reader->large);
        reader->large_is_given = false;
    }
    if (!reader->segmented) return next_envelope(reader, frame);
    for (;;) {
        if (reader->segment.size > 0) return next_in_segment(reader, frame);
        struct segment segment;
        enum frame_event event = next_segment(reader, &segment);
        if (event != FRAME_READY) return event;
        if (!segment.self_contained) {
            event = add_part(reader, segment.payload, frame);
            if (event != FRAME_NONE) return event;
        } else if (reader->large.size > 0 || reader->skip > 0) {
            return broken(reader, "A self-contained segment amid the parts of an envelope");
        } else {
            reader->segment = segment.payload;
            reader->segment_is_input =
                reader->plain.size == 0 || segment.payload.data != reader->plain.data;
        }
    }
}

// ---- Writing -----------------------------------------------------------------------------------

void frame_writer_init(struct frame_writer *writer, uint8_t version, size_t size_max)
{
    *writer = (struct frame_writer){.version = version};
    buffer_init(&writer->envelopes, size_max);
    // Headers and checksums of segments, and bodies that LZ4 makes longer.
    buffer_init(&writer->wire, size_max + size_max / 64 + 2 * FRAME_SEGMENT_SIZE_MAX);
    buffer_init(&writer->scratch, size_max + size_max / 64 + 2 * FRAME_SEGMENT_SIZE_MAX);
}

void frame_writer_deinit(struct frame_writer *writer)
{
    buffer_deinit(&writer->envelopes);
    buffer_deinit(&writer->wire);
    buffer_deinit(&writer->scratch);
}

void frame_writer_set_lz4(struct frame_writer *writer)
{
    writer->lz4 = true;
}

void frame_writer_set_segmented(struct frame_writer *writer, bool lz4)
{
    buffer_put(&writer->wire, buffer_slice(&writer->envelopes).data, writer->envelopes.size);
    buffer_clear(&writer->envelopes);
    writer->segmented = true;
    writer->lz4 = lz4;
}

struct buffer *frame_writer_begin(struct frame_writer *writer, uint8_t flags, int16_t stream,
                                  uint8_t opcode)
{
    frame_pool_lend(writer->pool, &writer->envelopes);
    writer->start = writer->envelopes.size;
    uint8_t *header = buffer_reserve(&writer->envelopes, FRAME_HEADER_SIZE);
    if (header != NULL) {
        header[0] = writer->version;
        header[1] = flags;
        bytes_put_u16(header + 2, (uint16_t)stream);
        header[4] = opcode;
        bytes_put_u32(header + 5, 0);
    }
    return &writer->envelopes;
}

void frame_writer_cancel(struct frame_writer *writer)
{
    buffer_truncate(&writer->envelopes, writer->start);
}

// Replaces the last envelope's body by its LZ4 form where that is shorter. Both forms are legal
// answers whatever was negotiated.
static void compress_body(struct frame_writer *writer)
{
    uint8_t *header = writer->envelopes.data + writer->start, *body = header + FRAME_HEADER_SIZE;
    size_t size = writer->envelopes.size - writer->start - FRAME_HEADER_SIZE;
    if (size < 16) return;
    frame_pool_lend(writer->pool, &writer->scratch);
    uint8_t *packed = buffer_reserve(&writer->scratch, size);
    if (packed == NULL) return;
    int packed_size =
        LZ4_compress_default((const char *)body, (char *)packed, (int)size, (int)size - 5);
    if (packed_size > 0) {
        header[1] |= FRAME_FLAG_COMPRESSED;
        bytes_put_u32(body, (uint32_t)size);
        memcpy(body + 4, packed, (size_t)packed_size);
        buffer_truncate(&writer->envelopes,
                        writer->start + FRAME_HEADER_SIZE + 4 + (size_t)packed_size);
    }
    frame_pool_take_back(writer->pool, &writer->scratch);
}

bool frame_writer_end(struct frame_writer *writer)
{
    if (writer->envelopes.overflow) {
        frame_writer_cancel(writer);
        return false;
    }
    if (writer->lz4 && !writer->segmented) compress_body(writer);
    size_t size = writer->envelopes.size - writer->start - FRAME_HEADER_SIZE;
    ASSERT(size <= INT32_MAX);
    bytes_put_u32(writer->envelopes.data + writer->start + 5, (uint32_t)size);
    return true;
}

static void put_segment(struct frame_writer *writer, const uint8_t *payload, size_t size,
                        bool self_contained)
{
    const size_t bits_size = writer->lz4 ? 5 : 3;
    size_t at = writer->wire.size;
    size_t room = writer->lz4 ? (size_t)LZ4_compressBound((int)size) : size;
    uint8_t *header = buffer_reserve(&writer->wire, bits_size + 3 + room + 4);
    if (header == NULL) return; // `overflow` is set; the connection is given up.
    uint8_t *sent = header + bits_size + 3;
    size_t sent_size = size, plain_size = 0;
    if (writer->lz4) {
        // Compressed even where that makes it longer: the Python driver takes a plain segment for
        // shorter than it is (cql-server.md §1.6).
        int packed =
            LZ4_compress_default((const char *)payload, (char *)sent, (int)size, (int)room);
        ASSERT(packed > 0);
        sent_size = (size_t)packed;
        plain_size = size;
    } else {
        memcpy(sent, payload, size);
    }
    uint64_t bits = sent_size | (uint64_t)plain_size << 17;
    bits |= (uint64_t)self_contained << (writer->lz4 ? 34 : 17);
    for (size_t i = 0; i < bits_size; i++)
        header[i] = (uint8_t)(bits >> 8 * i);
    uint32_t crc24 = frame_crc24(header, bits_size);
    for (size_t i = 0; i < 3; i++)
        header[bits_size + i] = (uint8_t)(crc24 >> 8 * i);
    bytes_put_u32_le(sent + sent_size, frame_crc32(sent, sent_size));
    buffer_truncate(&writer->wire, at + bits_size + 3 + sent_size + 4);
}

// The largest plain payload: with LZ4 one that fits a segment even if it becomes longer.
static size_t payload_size_max(const struct frame_writer *writer)
{
    const size_t lz4_overhead = 1024;
    return writer->lz4 ? FRAME_SEGMENT_SIZE_MAX - lz4_overhead : FRAME_SEGMENT_SIZE_MAX;
}

// As many whole envelopes a segment as fit; one that does not fit any alone in several.
static void put_segments(struct frame_writer *writer)
{
    const size_t size_max = payload_size_max(writer);
    frame_pool_lend(writer->pool, &writer->wire);
    const uint8_t *next = writer->envelopes.data, *end = next + writer->envelopes.size;
    while (next < end) {
        size_t size = 0;
        while (next + size < end) {
            size_t more = FRAME_HEADER_SIZE + bytes_get_u32(next + size + 5);
            if (size > 0 && size + more > size_max) break;
            size += more;
        }
        if (size <= size_max) {
            put_segment(writer, next, size, true);
            next += size;
            continue;
        }
        for (const uint8_t *whole = next + size; next < whole;) {
            size_t part = (size_t)(whole - next) < size_max ? (size_t)(whole - next) : size_max;
            put_segment(writer, next, part, false);
            next += part;
        }
    }
}

struct slice frame_writer_take(struct frame_writer *writer)
{
    if (writer->segmented) {
        if (writer->envelopes.size > 0) put_segments(writer);
        frame_pool_take_back(writer->pool, &writer->envelopes);
        return buffer_slice(&writer->wire);
    }
    ASSERT(writer->wire.size == 0);
    return buffer_slice(&writer->envelopes);
}

void frame_writer_clear(struct frame_writer *writer)
{
    frame_pool_take_back(writer->pool, &writer->envelopes);
    frame_pool_take_back(writer->pool, &writer->wire);
}
