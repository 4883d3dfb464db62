#include "cql/protocol/frame.h"

#include "tests/cql/protocol/corpus_frames.h"

#include <check.h>

static void put_hex(struct buffer *buffer, const char *hex)
{
    unsigned byte;
    int at;
    while (sscanf(hex, "%2x%n", &byte, &at) == 1) {
        buffer_put_u8(buffer, (uint8_t)byte);
        hex += at;
        while (*hex == ' ' || *hex == '|')
            hex++;
    }
}

START_TEST(segments_are_those_of_the_reference)
{
    struct frame_writer writer;
    frame_writer_init(&writer, 0x85, 1 << 20);
    frame_writer_set_segmented(&writer, false);
    (void)frame_writer_begin(&writer, 0, 1, OPCODE_READY);
    ck_assert(frame_writer_end(&writer));
    struct buffer expected;
    buffer_init(&expected, 1 << 20);
    put_hex(&expected, "09 00 02 | a4 c8 c1 | 85 00 00 01 02 00 00 00 00 | ea 89 01 52");
    ck_assert(slice_equals(frame_writer_take(&writer), buffer_slice(&expected)));
    frame_writer_clear(&writer);

    writer.version = 0x05;
    (void)frame_writer_begin(&writer, 0, 1, OPCODE_OPTIONS);
    ck_assert(frame_writer_end(&writer));
    buffer_clear(&expected);
    put_hex(&expected, "09 00 02 a4 c8 c1 05 00 00 01 05 00 00 00 00 b5 55 74 86");
    ck_assert(slice_equals(frame_writer_take(&writer), buffer_slice(&expected)));

    const uint8_t header[] = {0x09, 0x00, 0x00, 0x00, 0x04};
    ck_assert_uint_eq(frame_crc24(header, 5), 0x95b8c2);
    buffer_deinit(&expected);
    frame_writer_deinit(&writer);
}
END_TEST

enum mode { PLAIN, BODY_LZ4, SEGMENTS, SEGMENTS_LZ4, MODE_COUNT };

static void set_modes(struct frame_writer *writer, struct frame_reader *reader, enum mode mode)
{
    writer->version = mode >= SEGMENTS ? 0x85 : 0x84;
    if (mode == BODY_LZ4) {
        frame_writer_set_lz4(writer);
        frame_reader_set_lz4(reader);
    } else if (mode >= SEGMENTS) {
        frame_writer_set_segmented(writer, mode == SEGMENTS_LZ4);
        frame_reader_set_segmented(reader, mode == SEGMENTS_LZ4);
    }
}

// Bodies of sizes around every edge; some compress, some do not.
static const size_t sizes[] = {0,      1,      15,     16,     100,    5000,   130036, 130047,
                               130048, 131061, 131062, 131063, 131071, 131072, 300000, 7};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static uint8_t body_byte(size_t body, size_t at)
{
    uint32_t noise = (uint32_t)(at * 2654435761u + body * 40503u);
    return body % 2 == 0 ? (uint8_t)(noise >> 13) : (uint8_t)(at / 40);
}

static void write_bodies(struct frame_writer *writer)
{
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct buffer *body = frame_writer_begin(writer, 0, (int16_t)i, OPCODE_RESULT);
        for (size_t at = 0; at < sizes[i]; at++)
            buffer_put_u8(body, body_byte(i, at));
        ck_assert(frame_writer_end(writer));
    }
}

static size_t check_bodies(struct frame_reader *reader, size_t next)
{
    struct frame frame;
    enum frame_event event;
    while ((event = frame_reader_next(reader, &frame)) != FRAME_NONE) {
        ck_assert_msg(event == FRAME_READY, "%s", reader->fault);
        ck_assert_int_eq(frame.stream, (int)next);
        ck_assert_int_eq(frame.opcode, OPCODE_RESULT);
        ck_assert(frame.is_response);
        ck_assert_uint_eq(frame.body.size, sizes[next]);
        for (size_t at = 0; at < sizes[next]; at++)
            if (frame.body.data[at] != body_byte(next, at)) ck_abort_msg("byte %zu", at);
        next++;
    }
    return next;
}

START_TEST(what_is_written_is_read_in_pieces_of_any_size)
{
    static const size_t pieces[] = {1 << 24, 65536, 1000, 7, 1};
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        struct frame_writer writer;
        struct frame_reader reader;
        frame_writer_init(&writer, 0x84, 1 << 24);
        frame_reader_init(&reader, 1 << 20);
        set_modes(&writer, &reader, (enum mode)_i);
        write_bodies(&writer);
        struct slice wire = frame_writer_take(&writer);
        size_t next = 0;
        for (size_t at = 0; at < wire.size; at += pieces[p]) {
            size_t left = wire.size - at;
            frame_reader_push(&reader,
                              slice_make(wire.data + at, left < pieces[p] ? left : pieces[p]));
            // A busy owner takes none of a piece at first: what is parked is not lost.
            if (at / pieces[p] % 3 == 1) {
                frame_reader_park(&reader);
                frame_reader_push(&reader, slice_make("", 0));
            }
            next = check_bodies(&reader, next);
            frame_reader_park(&reader);
        }
        ck_assert_uint_eq(next, SIZE_COUNT);
        frame_writer_clear(&writer);
        frame_writer_deinit(&writer);
        frame_reader_deinit(&reader);
    }
}
END_TEST

START_TEST(frames_left_in_a_segment_survive_parking)
{
    struct frame_writer writer;
    struct frame_reader reader;
    frame_writer_init(&writer, 0x84, 1 << 24);
    frame_reader_init(&reader, 1 << 20);
    set_modes(&writer, &reader, (enum mode)_i);
    for (int16_t stream = 0; stream < 10; stream++) {
        (void)frame_writer_begin(&writer, 0, stream, OPCODE_READY);
        ck_assert(frame_writer_end(&writer));
    }
    struct slice wire = frame_writer_take(&writer);
    uint8_t *copy = malloc(wire.size);
    memcpy(copy, wire.data, wire.size);
    frame_reader_push(&reader, slice_make(copy, wire.size));
    for (int16_t stream = 0; stream < 10; stream++) {
        struct frame frame;
        ck_assert_int_eq(frame_reader_next(&reader, &frame), FRAME_READY);
        ck_assert_int_eq(frame.stream, stream);
        frame_reader_park(&reader);
        if (stream == 0) free(copy);
        frame_reader_push(&reader, slice_make("", 0));
    }
    frame_reader_park(&reader);
    frame_writer_deinit(&writer);
    frame_reader_deinit(&reader);
}
END_TEST

START_TEST(a_segment_with_any_bit_flipped_is_broken)
{
    struct frame_writer writer;
    frame_writer_init(&writer, 0x85, 1 << 20);
    frame_writer_set_segmented(&writer, _i == 1);
    struct buffer *body = frame_writer_begin(&writer, 0, 1, OPCODE_RESULT);
    buffer_put(body, "some bytes, some bytes, some bytes", 34);
    ck_assert(frame_writer_end(&writer));
    struct slice wire = frame_writer_take(&writer);
    uint8_t copy[128];
    ck_assert_uint_lt(wire.size, sizeof copy);
    for (size_t bit = 0; bit < wire.size * 8; bit++) {
        memcpy(copy, wire.data, wire.size);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct frame_reader reader;
        frame_reader_init(&reader, 1 << 20);
        frame_reader_set_segmented(&reader, _i == 1);
        frame_reader_push(&reader, slice_make(copy, wire.size));
        struct frame frame;
        ck_assert_int_eq(frame_reader_next(&reader, &frame), FRAME_BROKEN);
        frame_reader_deinit(&reader);
    }
    frame_writer_deinit(&writer);
}
END_TEST

START_TEST(an_oversize_body_is_skipped_and_reading_goes_on)
{
    struct frame_writer writer;
    struct frame_reader reader;
    frame_writer_init(&writer, 0x84, 1 << 24);
    frame_reader_init(&reader, 200000);
    enum mode mode = (enum mode)_i;
    if (mode == BODY_LZ4) mode = PLAIN; // There it is the compressed size that counts.
    set_modes(&writer, &reader, mode);
    for (int16_t stream = 0; stream < 3; stream++) {
        struct buffer *body = frame_writer_begin(&writer, 0, stream, OPCODE_RESULT);
        for (int i = 0; i < (stream == 1 ? 200001 : 3); i++)
            buffer_put_u8(body, (uint8_t)i);
        ck_assert(frame_writer_end(&writer));
    }
    struct slice wire = frame_writer_take(&writer);
    static const enum frame_event expected[] = {FRAME_READY, FRAME_OVERSIZE, FRAME_READY};
    int next = 0;
    for (size_t at = 0; at < wire.size; at += 1000) {
        size_t left = wire.size - at;
        frame_reader_push(&reader, slice_make(wire.data + at, left < 1000 ? left : 1000));
        struct frame frame;
        enum frame_event event;
        while ((event = frame_reader_next(&reader, &frame)) != FRAME_NONE) {
            ck_assert_int_lt(next, 3);
            ck_assert_int_eq(event, expected[next]);
            ck_assert_int_eq(frame.stream, next);
            next++;
        }
        frame_reader_park(&reader);
    }
    ck_assert_int_eq(next, 3);
    frame_writer_deinit(&writer);
    frame_reader_deinit(&reader);
}
END_TEST

// A body of five bytes that says it is 256 MiB large.
START_TEST(a_small_block_can_not_claim_much_memory)
{
    static const uint8_t bytes[] = {0x84, 1, 0, 0, 8, 0, 0, 0, 5, 0x10, 0, 0, 0, 0};
    struct frame_reader reader;
    struct frame frame;
    frame_reader_init(&reader, 0x10000000);
    frame_reader_set_lz4(&reader);
    frame_reader_push(&reader, slice_make(bytes, sizeof bytes));
    ck_assert_int_eq(frame_reader_next(&reader, &frame), FRAME_BROKEN);
    ck_assert_str_eq(reader.fault, "Compressed lengths mismatch");
    ck_assert_uint_lt(reader.plain.capacity, 4096);
    frame_reader_deinit(&reader);
}
END_TEST

START_TEST(the_first_byte_alone_tells_an_unknown_version)
{
    for (int first = 0; first < 256; first++) {
        struct frame_reader reader;
        frame_reader_init(&reader, 1000);
        uint8_t byte = (uint8_t)first;
        frame_reader_push(&reader, slice_make(&byte, 1));
        struct frame frame;
        int version = first & 0x7f;
        bool known = version >= 3 && version <= 5;
        ck_assert_int_eq(frame_reader_next(&reader, &frame),
                         known ? FRAME_NONE : FRAME_UNSUPPORTED);
        if (!known) ck_assert_int_eq(frame.version, version);
        frame_reader_deinit(&reader);
    }
}
END_TEST

START_TEST(captured_connections_have_the_frames_that_their_comments_tell)
{
    static const size_t pieces[] = {1 << 20, 1, 13, 4096};
    if (!corpus_is_there()) return;
    struct corpus corpus;
    corpus_read(corpus_names[_i], &corpus);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        for (size_t i = 0; i < corpus.count; i++) {
            const struct corpus_side *side = &corpus.sides[i];
            struct corpus_mode mode = {0};
            int count = side->sender == 'C'
                            ? corpus_each_frame(side, &mode, pieces[p], NULL, NULL)
                            : corpus_each_response(&corpus, side, pieces[p], NULL, NULL);
            ck_assert_msg(count == side->frame_count, "connection %d %c: %d instead of %d",
                          side->connection, side->sender, count, side->frame_count);
        }
    }
    corpus_free(&corpus);
}
END_TEST

int main(void)
{
    TCase *frame = tcase_create("frame");
    tcase_set_timeout(frame, 60);
    tcase_add_test(frame, segments_are_those_of_the_reference);
    tcase_add_loop_test(frame, what_is_written_is_read_in_pieces_of_any_size, 0, MODE_COUNT);
    tcase_add_loop_test(frame, frames_left_in_a_segment_survive_parking, 0, MODE_COUNT);
    tcase_add_loop_test(frame, a_segment_with_any_bit_flipped_is_broken, 0, 2);
    tcase_add_loop_test(frame, an_oversize_body_is_skipped_and_reading_goes_on, 0, MODE_COUNT);
    tcase_add_test(frame, a_small_block_can_not_claim_much_memory);
    tcase_add_test(frame, the_first_byte_alone_tells_an_unknown_version);
    tcase_add_loop_test(frame, captured_connections_have_the_frames_that_their_comments_tell, 0,
                        CORPUS_COUNT);

    Suite *suite = suite_create("frame");
    suite_add_tcase(suite, frame);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
