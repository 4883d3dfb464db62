#include "storage/sstable/filter.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "storage/murmur3.h"
#include "storage/sstable/format.h"

#include <stdlib.h>

enum { BITS_PER_KEY_MAX = 20, HASH_COUNT_MAX = 64, EXCESS_BITS = 20 };
enum { FILTER_WORDS_MAX = (COMPONENT_SIZE_MAX - 8) / 8 };

// Chance of a false positive with B bits a key (row) and j hash functions (column, from 1), as
// org.apache.cassandra.utils.BloomCalculations has it. Rows end with 0.
static const double chances[BITS_PER_KEY_MAX + 1][15] = {
    [2] = {1, 0.393, 0.400},
    [3] = {1, 0.283, 0.237, 0.253},
    [4] = {1, 0.221, 0.155, 0.147, 0.160},
    [5] = {1, 0.181, 0.109, 0.092, 0.092, 0.101},
    [6] = {1, 0.154, 0.0804, 0.0609, 0.0561, 0.0578, 0.0638},
    [7] = {1, 0.133, 0.0618, 0.0423, 0.0359, 0.0347, 0.0364},
    [8] = {1, 0.118, 0.0489, 0.0306, 0.024, 0.0217, 0.0216, 0.0229},
    [9] = {1, 0.105, 0.0397, 0.0228, 0.0166, 0.0141, 0.0133, 0.0135, 0.0145},
    [10] = {1, 0.0952, 0.0329, 0.0174, 0.0118, 0.00943, 0.00844, 0.00819, 0.00846},
    [11] = {1, 0.0869, 0.0276, 0.0136, 0.00864, 0.0065, 0.00552, 0.00513, 0.00509},
    [12] = {1, 0.08, 0.0236, 0.0108, 0.00646, 0.00459, 0.00371, 0.00329, 0.00314},
    [13] = {1, 0.074, 0.0203, 0.00875, 0.00492, 0.00332, 0.00255, 0.00217, 0.00199, 0.00194},
    [14] = {1, 0.0689, 0.0177, 0.00718, 0.00381, 0.00244, 0.00179, 0.00146, 0.00129, 0.00121,
            0.0012},
    [15] = {1, 0.0645, 0.0156, 0.00596, 0.003, 0.00183, 0.00128, 0.001, 0.000852, 0.000775,
            0.000744},
    [16] = {1, 0.0606, 0.0138, 0.005, 0.00239, 0.00139, 0.000935, 0.000702, 0.000574, 0.000505,
            0.00047, 0.000459},
    [17] = {1, 0.0571, 0.0123, 0.00423, 0.00193, 0.00107, 0.000692, 0.000499, 0.000394, 0.000335,
            0.000302, 0.000287, 0.000284},
    [18] = {1, 0.054, 0.0111, 0.00362, 0.00158, 0.000839, 0.000519, 0.00036, 0.000275, 0.000226,
            0.000198, 0.000183, 0.000176},
    [19] = {1, 0.0513, 0.00998, 0.00312, 0.0013, 0.000663, 0.000394, 0.000264, 0.000194, 0.000155,
            0.000132, 0.000118, 0.000111, 0.000109},
    [20] = {1, 0.0488, 0.00906, 0.0027, 0.00108, 0.00053, 0.000303, 0.000196, 0.00014, 0.000108,
            8.89e-05, 7.77e-05, 7.12e-05, 6.79e-05, 6.71e-05},
};

static uint32_t best_hash_count(uint32_t bits)
{
    uint32_t best = 1;
    for (uint32_t j = 2; j < 15 && chances[bits][j] > 0; j++) {
        if (chances[bits][j] < chances[bits][best]) best = j;
    }
    return best;
}

// BloomCalculations.computeBloomSpec(): the fewest bits, then the fewest hash functions.
static void choose(double chance, uint32_t *hash_count, uint32_t *bits_per_key)
{
    if (chance >= chances[2][1]) {
        *hash_count = 2;
        *bits_per_key = 1;
        return;
    }
    uint32_t bits = 2, hashes = best_hash_count(bits);
    while (chances[bits][hashes] > chance && bits < BITS_PER_KEY_MAX)
        hashes = best_hash_count(++bits);
    while (hashes > 1 && chances[bits][hashes - 1] <= chance)
        hashes--;
    *hash_count = hashes;
    *bits_per_key = bits;
}

void filter_init(struct filter *filter, uint64_t key_count, double false_positive_chance)
{
    *filter = (struct filter){0, 0, NULL};
    if (false_positive_chance >= 1.0) return;
    uint32_t bits_per_key;
    choose(false_positive_chance, &filter->hash_count, &bits_per_key);
    // One that is too large to be read again would be worth nothing: it answers yes more often.
    uint64_t most = (uint64_t)FILTER_WORDS_MAX * 64 - EXCESS_BITS;
    if (key_count > most / bits_per_key) key_count = most / bits_per_key;
    uint64_t bits = key_count * bits_per_key + EXCESS_BITS;
    filter->word_count = ((bits - 1) >> 6) + 1;
    filter->bits = calloc(filter->word_count, 8);
    ASSERT(filter->bits != NULL);
}

void filter_deinit(struct filter *filter)
{
    free(filter->bits);
    *filter = (struct filter){0, 0, NULL};
}

// |base % size| with C's remainder: base is signed.
static inline uint64_t bit_of(uint64_t base, int64_t size)
{
    int64_t rest = (int64_t)base % size;
    return (uint64_t)(rest < 0 ? -rest : rest);
}

void filter_add(struct filter *filter, struct slice key)
{
    if (filter->hash_count == 0) return;
    struct murmur3 hash = murmur3_hash(key);
    int64_t size = (int64_t)(filter->word_count * 64);
    uint64_t base = hash.h2;
    for (uint32_t i = 0; i < filter->hash_count; i++, base += hash.h1) {
        uint64_t bit = bit_of(base, size);
        filter->bits[bit >> 3] |= (uint8_t)(1u << (bit & 7));
    }
}

bool filter_may_contain(const struct filter *filter, struct slice key)
{
    if (filter->hash_count == 0) return true;
    struct murmur3 hash = murmur3_hash(key);
    int64_t size = (int64_t)(filter->word_count * 64);
    uint64_t base = hash.h2;
    for (uint32_t i = 0; i < filter->hash_count; i++, base += hash.h1) {
        uint64_t bit = bit_of(base, size);
        if (!(filter->bits[bit >> 3] & 1u << (bit & 7))) return false;
    }
    return true;
}

void filter_encode(const struct filter *filter, struct buffer *bytes)
{
    buffer_put_u32(bytes, filter->hash_count);
    buffer_put_u32(bytes, (uint32_t)filter->word_count);
    buffer_put(bytes, filter->bits, filter->word_count * 8);
}

enum status filter_decode(struct filter *filter, struct slice bytes)
{
    struct cursor cursor = cursor_make(bytes);
    uint32_t hash_count = cursor_u32(&cursor);
    uint64_t word_count = cursor_u32(&cursor);
    if (cursor.failed || hash_count == 0 || hash_count > HASH_COUNT_MAX || word_count == 0 ||
        cursor_left(&cursor) != word_count * 8)
        return STATUS_CORRUPT;
    uint8_t *bits = malloc(word_count * 8);
    ASSERT(bits != NULL);
    memcpy(bits, cursor.next, word_count * 8);
    *filter = (struct filter){hash_count, word_count, bits};
    return STATUS_OK;
}
