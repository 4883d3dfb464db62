// Checksums: CRC32 for Cassandra's formats (zlib's polynomial, java.util.zip.CRC32), XXH3 for ours.
//
// A part of the bytes at a time: the CRC32 of "ab" is checksum_crc32_more(checksum_crc32("a"),"b");
// XXH3 of a long file needs a `struct checksum_xxh3`.
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include "base/slice.h"

uint32_t checksum_crc32(struct slice bytes);
// Of the bytes that gave `crc`, followed by `bytes`. That of no bytes is 0.
uint32_t checksum_crc32_more(uint32_t crc, struct slice bytes);

// XXH3, 64 bits. Another seed gives another function: bytes that are right elsewhere are wrong
// here.
uint64_t checksum_xxh3(struct slice bytes, uint64_t seed);
// XXH3, 128 bits, in its canonical order of bytes: equal only for equal bytes, for all we care.
enum { CHECKSUM_XXH128_SIZE = 16 };
void checksum_xxh128(struct slice bytes, uint8_t digest[static CHECKSUM_XXH128_SIZE]);

struct checksum_xxh3; // XXH3 of bytes that come in parts.
struct checksum_xxh3 *checksum_xxh3_create(uint64_t seed);
void checksum_xxh3_destroy(struct checksum_xxh3 *checksum);
void checksum_xxh3_add(struct checksum_xxh3 *checksum, struct slice bytes);
// Of all bytes so far. More may follow.
uint64_t checksum_xxh3_value(const struct checksum_xxh3 *checksum);

#endif
