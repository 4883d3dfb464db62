#include "storage/uuid.h"

#include "base/bytes.h"

void uuid_format(struct uuid uuid, char text[static UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;
    for (size_t i = 0; i < sizeof uuid.bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
        *at++ = digits[uuid.bytes[i] >> 4];
        *at++ = digits[uuid.bytes[i] & 15];
    }
    *at = '\0';
}

enum status uuid_parse(struct slice text, struct uuid *uuid)
{
    if (text.size != UUID_TEXT_SIZE - 1) return STATUS_MALFORMED;
    struct uuid parsed;
    const uint8_t *at = text.data;
    for (size_t i = 0; i < sizeof parsed.bytes; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *at++ != '-') return STATUS_MALFORMED;
        if (!bytes_get_hex(at, 2, &parsed.bytes[i])) return STATUS_MALFORMED;
        at += 2;
    }
    *uuid = parsed;
    return STATUS_OK;
}

struct uuid uuid_make_time_raw(uint64_t ticks, uint64_t low)
{
    struct uuid uuid;
    bytes_put_u32(uuid.bytes, (uint32_t)ticks);
    bytes_put_u16(uuid.bytes + 4, (uint16_t)(ticks >> 32));
    bytes_put_u16(uuid.bytes + 6, (uint16_t)(0x1000 | (ticks >> 48 & 0x0fff)));
    bytes_put_u64(uuid.bytes + 8, low);
    return uuid;
}

struct uuid uuid_make_time(uint64_t ticks, uint16_t clock_sequence, uint64_t node)
{
    uint64_t low =
        0x8000000000000000u | (uint64_t)(clock_sequence & 0x3fff) << 48 | (node & 0xffffffffffffu);
    return uuid_make_time_raw(ticks, low);
}

struct uuid uuid_make_time_us(int64_t wall_us, unsigned tick, uint16_t clock_sequence,
                              uint64_t node)
{
    uint64_t ticks = (uint64_t)wall_us * 10 + tick + UUID_EPOCH_TICKS;
    return uuid_make_time(ticks, clock_sequence, node);
}

static struct uuid with_version(const uint8_t bytes[static 16], uint8_t version)
{
    struct uuid uuid = uuid_from_bytes(bytes);
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | version << 4);
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    return uuid;
}

struct uuid uuid_make_random(const uint8_t random[static 16])
{
    return with_version(random, 4);
}

struct uuid uuid_make_hash(const uint8_t hash[static 16])
{
    return with_version(hash, 3);
}

// time_hi | time_mid | time_low: the time as a number below the version's nibble.
static uint64_t time_with_version(struct uuid uuid)
{
    return (uint64_t)bytes_get_u16(uuid.bytes + 6) << 48 |
           (uint64_t)bytes_get_u16(uuid.bytes + 4) << 32 | bytes_get_u32(uuid.bytes);
}

uint64_t uuid_ticks(struct uuid uuid)
{
    return time_with_version(uuid) & 0x0fffffffffffffffu;
}

// 100 ns since 1970 rounded towards zero, as Java divides.
int64_t uuid_unix_us(struct uuid uuid)
{
    return ((int64_t)uuid_ticks(uuid) - UUID_EPOCH_TICKS) / 10;
}

int64_t uuid_unix_ms(struct uuid uuid)
{
    return ((int64_t)uuid_ticks(uuid) - UUID_EPOCH_TICKS) / 10000;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int uuid_compare(struct uuid a, struct uuid b)
{
    int version = uuid_version(a);
    int order = version - uuid_version(b);
    if (order != 0) return order;
    order = version == 1 ? compare_u64(uuid_ticks(a), uuid_ticks(b))
                         : compare_u64(bytes_get_u64(a.bytes), bytes_get_u64(b.bytes));
    if (order != 0) return order;
    return compare_u64(bytes_get_u64(a.bytes + 8), bytes_get_u64(b.bytes + 8));
}

int uuid_compare_time(struct uuid a, struct uuid b)
{
    int order = compare_u64(time_with_version(a), time_with_version(b));
    if (order != 0) return order;
    // Flipping each top bit turns the order of signed bytes into that of unsigned ones.
    const uint64_t top_bits = 0x8080808080808080u;
    return compare_u64(bytes_get_u64(a.bytes + 8) ^ top_bits,
                       bytes_get_u64(b.bytes + 8) ^ top_bits);
}
