// Envelopes and segments: how messages of the CQL protocol lie in the bytes of a connection
// (cql-server.md §1; org.apache.cassandra.transport.Envelope,
// org.apache.cassandra.net.FrameDecoder).
//
//     v3, v4   envelope envelope …            an envelope's body may be one LZ4 block
//     v5       envelopes up to the answer to STARTUP, then segments:
//              [header crc24 payload crc32]   payload: whole envelopes, or a part of one; may be
//              LZ4
//
// An envelope:  u8 version (bit 7: response) | u8 flags | i16 stream | u8 opcode | i32 size | body
//
// The reader takes bytes as they come, in pieces of any size, and copies only what is cut by the
// end of a piece. The writer collects the envelopes of one turn of the loop and hands them out as
// one slice. Both serve either end of a connection. Nothing that is read can make them fail an
// ASSERT or grow beyond `body_size_max` and a bit.
#ifndef CQL_PROTOCOL_FRAME_H
#define CQL_PROTOCOL_FRAME_H

#include "base/buffer.h"
#include "base/slice.h"
#include "cql/protocol/frame_pool.h"

// clang-format off
#define FRAME_OPCODE_MAP(X)           \
    X(ERROR,          0x00, RESPONSE) \
    X(STARTUP,        0x01, REQUEST)  \
    X(READY,          0x02, RESPONSE) \
    X(AUTHENTICATE,   0x03, RESPONSE) \
    X(OPTIONS,        0x05, REQUEST)  \
    X(SUPPORTED,      0x06, RESPONSE) \
    X(QUERY,          0x07, REQUEST)  \
    X(RESULT,         0x08, RESPONSE) \
    X(PREPARE,        0x09, REQUEST)  \
    X(EXECUTE,        0x0A, REQUEST)  \
    X(REGISTER,       0x0B, REQUEST)  \
    X(EVENT,          0x0C, RESPONSE) \
    X(BATCH,          0x0D, REQUEST)  \
    X(AUTH_CHALLENGE, 0x0E, RESPONSE) \
    X(AUTH_RESPONSE,  0x0F, REQUEST)  \
    X(AUTH_SUCCESS,   0x10, RESPONSE)
// clang-format on

enum frame_opcode {
#define X(name, code, direction) OPCODE_##name = (code),
    FRAME_OPCODE_MAP(X)
#undef X
};

// "QUERY"; NULL for a code that the protocol does not have.
const char *frame_opcode_text(uint8_t opcode);
bool frame_opcode_is_request(uint8_t opcode);

enum {
    FRAME_FLAG_COMPRESSED = 0x01,
    FRAME_FLAG_TRACING = 0x02,
    FRAME_FLAG_CUSTOM_PAYLOAD = 0x04,
    FRAME_FLAG_WARNING = 0x08,
    FRAME_FLAG_USE_BETA = 0x10,
};

enum {
    FRAME_HEADER_SIZE = 9,
    FRAME_VERSION_MIN = 3,
    FRAME_VERSION_MAX = 5,
    FRAME_SEGMENT_SIZE_MAX = 131071, // Payload, as sent and plain.
};

// ---- Reading -----------------------------------------------------------------------------------

struct frame {
    uint8_t version; // Without the direction bit.
    bool is_response;
    uint8_t flags;
    int16_t stream;
    uint8_t opcode;
    uint32_t size;     // Of the body, as the header tells it.
    struct slice body; // Decompressed. Valid until the next call for the reader.
};

enum frame_event {
    FRAME_NONE,        // No whole envelope: push more bytes.
    FRAME_READY,       // Here is one.
    FRAME_OVERSIZE,    // The header of one that is too big; its body will be skipped.
    FRAME_UNSUPPORTED, // The first byte names another version (frame.version). Nothing can follow.
    FRAME_BROKEN,      // The bytes make no sense (reader.fault says why). Nothing can follow.
};

struct frame_reader {
    uint32_t body_size_max;
    bool segmented, lz4;
    const char *fault;       // After BROKEN.
    bool fault_has_stream;   // The frame of BROKEN has a header worth an answer.
    struct frame_pool *pool; // NULL, or whence its memory comes: set before the first bytes.
    // The rest is the reader's.
    struct slice input; // Pushed and not yet looked at; in the caller's bytes or `pending`.
    bool input_is_pending;
    struct buffer pending; // What was left when the pushed bytes ended.
    struct slice segment;  // What is left of a self-contained segment.
    bool segment_is_input; // It lies in `input`'s bytes, not in `plain`.
    struct buffer plain;   // A decompressed body or segment.
    struct buffer large;   // An envelope put together from segments.
    bool large_is_given;   // It was handed out and goes at the next call.
    uint64_t skip;         // Bytes of an oversize body that are still to come.
};

void frame_reader_init(struct frame_reader *reader, uint32_t body_size_max);
void frame_reader_deinit(struct frame_reader *reader);
// Bodies may be LZ4 from now on (v3, v4).
void frame_reader_set_lz4(struct frame_reader *reader);
// Segments follow what was read so far (v5).
void frame_reader_set_segmented(struct frame_reader *reader, bool lz4);
// `bytes` stay valid until frame_reader_park(); empty bytes go on with what was parked.
void frame_reader_push(struct frame_reader *reader, struct slice bytes);
enum frame_event frame_reader_next(struct frame_reader *reader, struct frame *frame);
// Keeps what was not read. May be called before all whole envelopes were taken.
void frame_reader_park(struct frame_reader *reader);
// Memory of what is kept.
static inline size_t frame_reader_memory(const struct frame_reader *reader)
{
    return reader->pending.capacity + reader->plain.capacity + reader->large.capacity;
}

// ---- Writing -----------------------------------------------------------------------------------

struct frame_writer {
    uint8_t version; // With the direction bit: 0x84 writes v4 responses.
    bool segmented, lz4;
    struct frame_pool *pool; // As the reader's.
    // The rest is the writer's.
    struct buffer envelopes; // Whole ones and the one being written.
    size_t start;            // Of the one being written.
    struct buffer wire;      // Ready for the wire, and before all in `envelopes`.
    struct buffer scratch;   // For compression.
};

// Envelopes that wait may have `size_max` bytes together.
void frame_writer_init(struct frame_writer *writer, uint8_t version, size_t size_max);
void frame_writer_deinit(struct frame_writer *writer);
void frame_writer_set_lz4(struct frame_writer *writer);
// What was written so far goes out as it is, all later envelopes in segments.
void frame_writer_set_segmented(struct frame_writer *writer, bool lz4);
// Appends the header; the caller puts the body into the buffer that is returned.
struct buffer *frame_writer_begin(struct frame_writer *writer, uint8_t flags, int16_t stream,
                                  uint8_t opcode);
// Ends the envelope. False, and it is as if it had not begun, when it did not fit.
bool frame_writer_end(struct frame_writer *writer);
// Removes the envelope being written.
void frame_writer_cancel(struct frame_writer *writer);
// Bytes that wait, before compression.
static inline size_t frame_writer_size(const struct frame_writer *writer)
{
    return writer->wire.size + writer->envelopes.size;
}
// All that waits, as it goes over the wire. Valid until frame_writer_clear(), which comes next.
struct slice frame_writer_take(struct frame_writer *writer);
void frame_writer_clear(struct frame_writer *writer);

// ---- Checksums of segments ---------------------------------------------------------------------

uint32_t frame_crc24(const uint8_t *bytes, size_t size);
uint32_t frame_crc32(const uint8_t *bytes, size_t size);

#endif
