#include "tests/fuzz/support/fuzz_transport.h"

#include "base/checksum.h"
#include "tests/fuzz/targets.h"

void fuzz_transport_put(struct buffer *wire, struct cursor *input)
{
    buffer_put(wire, "HLNS\0\2\0\0", 8);
    buffer_put(wire, (uint8_t[16]){0}, 16); // A worker or a tool.
    while (fuzz_goes_on(input)) {
        uint8_t type = cursor_u8(input);
        uint64_t id = cursor_u8(input);
        struct slice payload = fuzz_take(input, cursor_u16(input));
        buffer_put_u32(wire, (uint32_t)payload.size);
        buffer_put_u8(wire, type);
        buffer_put_u64(wire, id);
        buffer_put_u64(wire, checksum_xxh3(payload, id << 8 | type));
        buffer_put(wire, payload.data, payload.size);
    }
}
