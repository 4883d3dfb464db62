#include "tests/fuzz/support/fuzz_segment.h"

#include "cql/protocol/frame.h"
#include "tests/fuzz/targets.h"

static void put_little(struct buffer *wire, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        buffer_put_u8(wire, (uint8_t)(value >> 8 * i));
}

void fuzz_segment_put(struct buffer *wire, struct slice payload, bool lz4, bool is_whole)
{
    uint64_t header;
    struct cursor cursor = cursor_make(payload);
    if (lz4) {
        uint64_t plain = cursor_u16(&cursor);
        payload = fuzz_rest(&cursor);
        header = payload.size | plain << 17 | (uint64_t)is_whole << 34;
    } else {
        header = payload.size | (uint64_t)is_whole << 17;
    }
    int size = lz4 ? 5 : 3;
    size_t at = wire->size;
    put_little(wire, header, size);
    put_little(wire, frame_crc24(wire->data + at, (size_t)size), 3);
    buffer_put(wire, payload.data, payload.size);
    put_little(wire, frame_crc32(payload.data, payload.size), 4);
}

void fuzz_segment_put_all(struct buffer *wire, struct cursor *input, bool lz4)
{
    while (fuzz_goes_on(input)) {
        uint16_t size = cursor_u16(input);
        fuzz_segment_put(wire, fuzz_take(input, size & 0x7fff), lz4, (size & 0x8000) == 0);
    }
}
