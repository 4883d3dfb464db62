// Messages of the ring's transport with right checksums, made from an input.
#ifndef TESTS_FUZZ_SUPPORT_FUZZ_TRANSPORT_H
#define TESTS_FUZZ_SUPPORT_FUZZ_TRANSPORT_H

#include "base/buffer.h"
#include "base/cursor.h"

// The hello, and for each { u8 type | u8 id | u16 size | payload } a frame.
void fuzz_transport_put(struct buffer *wire, struct cursor *input);

#endif
