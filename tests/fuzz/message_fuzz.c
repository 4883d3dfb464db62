// Bytes of a connection, read by either end: envelopes, segments, LZ4, the bodies of all messages.
//
//     u8 flags | u8 piece size | bytes        flags: 1 LZ4, 2 segmented, 4 we make the segments
//
// With bit 2 each piece becomes the payload of a segment with the right checksums, so that what
// lies behind them is reached; with LZ4 too its first two bytes are the length it claims.
#include "cql/client/answer.h"
#include "cql/protocol/message.h"
#include "storage/value.h"
#include "tests/fuzz/support/fuzz_segment.h"
#include "tests/fuzz/targets.h"

static void decode_request(const struct frame *frame, struct arena *arena)
{
    struct cql_error error;
    struct message_startup startup;
    struct message_query query;
    struct message_prepare prepare;
    struct message_batch batch;
    unsigned events;
    struct slice body = frame->body;
    if ((frame->flags & FRAME_FLAG_CUSTOM_PAYLOAD) != 0 &&
        !message_skip_custom_payload(&body, &error))
        return;
    if (frame->opcode == OPCODE_STARTUP)
        (void)message_decode_startup(body, frame->version, &startup, &error);
    else if (frame->opcode == OPCODE_REGISTER)
        (void)message_decode_register(body, &events, &error);
    else if (frame->opcode == OPCODE_QUERY)
        (void)message_decode_query(body, frame->version, arena, &query, &error);
    else if (frame->opcode == OPCODE_EXECUTE)
        (void)message_decode_execute(body, frame->version, arena, &query, &error);
    else if (frame->opcode == OPCODE_PREPARE)
        (void)message_decode_prepare(body, frame->version, &prepare, &error);
    else if (frame->opcode == OPCODE_BATCH)
        (void)message_decode_batch(body, frame->version, arena, &batch, &error);
}

static void decode_answer(const struct frame *frame, struct arena *arena)
{
    struct answer answer;
    struct error error;
    if (answer_decode(frame, arena, &answer, &error) != STATUS_OK) return;
    if (answer.opcode != OPCODE_RESULT || answer.kind != RESULT_ROWS) return;
    struct cursor rows = cursor_make(answer.rows);
    struct buffer text;
    buffer_init(&text, 1 << 16);
    for (uint32_t row = 0; row < answer.row_count && !rows.failed; row++)
        for (uint32_t i = 0; i < answer.columns.count && !rows.failed; i++) {
            struct slice cell = answer_next_cell(&rows);
            if (answer.columns.items != NULL)
                value_put_cql(answer.columns.items[i].type, cell, &text);
        }
    buffer_deinit(&text);
}

// Takes all frames that are there. False: nothing can follow.
static bool take_frames(struct frame_reader *reader, struct arena *arena)
{
    struct frame frame;
    for (;;) {
        enum frame_event event = frame_reader_next(reader, &frame);
        if (event == FRAME_NONE) return true;
        if (event == FRAME_BROKEN || event == FRAME_UNSUPPORTED) return false;
        if (event == FRAME_OVERSIZE) continue;
        (frame.is_response ? decode_answer : decode_request)(&frame, arena);
        arena_reset(arena);
    }
}

FUZZ_TARGET(message)
{
    struct cursor cursor = cursor_make(input);
    uint8_t flags = cursor_u8(&cursor);
    size_t piece_size = cursor_u8(&cursor);
    if (piece_size == 0) piece_size = SIZE_MAX;
    struct frame_reader reader;
    frame_reader_init(&reader, 64 * 1024);
    bool lz4 = (flags & 1) != 0;
    if ((flags & 2) != 0)
        frame_reader_set_segmented(&reader, lz4);
    else if (lz4)
        frame_reader_set_lz4(&reader);
    struct arena arena;
    arena_init(&arena, 4096);
    struct buffer wire;
    buffer_init(&wire, 1 << 26);
    bool goes_on = true;
    while (goes_on && fuzz_goes_on(&cursor)) {
        struct slice piece = fuzz_take(&cursor, piece_size);
        if ((flags & 6) == 6) {
            buffer_clear(&wire);
            fuzz_segment_put(&wire,
                             slice_make(piece.data, piece.size < 100000 ? piece.size : 100000), lz4,
                             (flags & 8) == 0);
            piece = buffer_slice(&wire);
        }
        frame_reader_push(&reader, piece);
        goes_on = take_frames(&reader, &arena);
        frame_reader_park(&reader);
    }
    buffer_deinit(&wire);
    arena_deinit(&arena);
    frame_reader_deinit(&reader);
}
