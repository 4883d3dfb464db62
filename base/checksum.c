#include "base/checksum.h"

#include "base/assert.h"

#include <libdeflate.h>
#include <xxhash.h>

uint32_t checksum_crc32(struct slice bytes)
{
    return checksum_crc32_more(0, bytes);
}

uint32_t checksum_crc32_more(uint32_t crc, struct slice bytes)
{
    // libdeflate takes a null pointer as the wish for the first value.
    return bytes.size == 0 ? crc : libdeflate_crc32(crc, bytes.data, bytes.size);
}

uint64_t checksum_xxh3(struct slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.size == 0 ? "" : (const void *)bytes.data, bytes.size, seed);
}

void checksum_xxh128(struct slice bytes, uint8_t digest[static CHECKSUM_XXH128_SIZE])
{
    XXH128_hash_t hash = XXH3_128bits(bytes.size == 0 ? "" : (const void *)bytes.data, bytes.size);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    memcpy(digest, canonical.digest, CHECKSUM_XXH128_SIZE);
}

// The library's own state, whose type its header keeps hidden, under our name.
static XXH3_state_t *checksum_xxh3_state(const struct checksum_xxh3 *checksum)
{
    return (XXH3_state_t *)(uintptr_t)checksum;
}

struct checksum_xxh3 *checksum_xxh3_create(uint64_t seed)
{
    XXH3_state_t *state = XXH3_createState();
    ASSERT(state != NULL);
    ASSERT(XXH3_64bits_reset_withSeed(state, seed) == XXH_OK);
    return (struct checksum_xxh3 *)state;
}

void checksum_xxh3_destroy(struct checksum_xxh3 *checksum)
{
    (void)XXH3_freeState(checksum_xxh3_state(checksum));
}

void checksum_xxh3_add(struct checksum_xxh3 *checksum, struct slice bytes)
{
    if (bytes.size == 0) return;
    ASSERT(XXH3_64bits_update(checksum_xxh3_state(checksum), bytes.data, bytes.size) == XXH_OK);
}

uint64_t checksum_xxh3_value(const struct checksum_xxh3 *checksum)
{
    return XXH3_64bits_digest(checksum_xxh3_state(checksum));
}
