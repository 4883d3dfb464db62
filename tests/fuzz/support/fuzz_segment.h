// Segments of protocol v5 with right checksums, made from an input.
#ifndef TESTS_FUZZ_SUPPORT_FUZZ_SEGMENT_H
#define TESTS_FUZZ_SUPPORT_FUZZ_SEGMENT_H

#include "base/buffer.h"
#include "base/cursor.h"

// One with this payload. With LZ4 its first two bytes are the length that it claims to have plain.
void fuzz_segment_put(struct buffer *wire, struct slice payload, bool lz4, bool is_whole);
// One for each { u16 size, the top bit: not a whole one | payload } of the rest of the input.
void fuzz_segment_put_all(struct buffer *wire, struct cursor *input, bool lz4);

#endif
