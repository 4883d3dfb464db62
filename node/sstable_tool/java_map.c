#include "node/sstable_tool/java_map.h"

// String.hashCode(): over UTF-16 code units.
static uint32_t hash_of(struct slice text)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < text.size;) {
        uint8_t first = text.data[i++];
        int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
        uint32_t code = more == 3   ? first & 7
                        : more == 2 ? first & 15
                        : more == 1 ? first & 31
                                    : first;
        for (; more > 0 && i < text.size; more--)
            code = code << 6 | (text.data[i++] & 63);
        if (code < 0x10000) {
            hash = 31 * hash + code;
        } else {
            hash = 31 * hash + (0xd800 + ((code - 0x10000) >> 10));
            hash = 31 * hash + (0xdc00 + ((code - 0x10000) & 0x3ff));
        }
    }
    return hash ^ hash >> 16;
}

void java_map_order(const struct slice *keys, size_t count, size_t *order)
{
    uint64_t buckets = 16;
    while (count > buckets / 4 * 3)
        buckets *= 2;
    // Of one bucket those that were put first come first: an insertion sort keeps them so.
    for (size_t i = 0; i < count; i++) {
        uint64_t bucket = hash_of(keys[i]) & (buckets - 1);
        size_t at = i;
        for (; at > 0 && (hash_of(keys[order[at - 1]]) & (buckets - 1)) > bucket; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}
