#include "storage/value/inet.h"

#include "base/bytes.h"

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

void inet_put_text(struct slice address, struct buffer *text)
{
    if (address.size == 16 && memcmp(address.data, mapped_prefix, sizeof mapped_prefix) == 0)
        address = slice_make(address.data + 12, 4);
    if (address.size == 4) {
        const uint8_t *at = address.data;
        buffer_put_format(text, "%u.%u.%u.%u", at[0], at[1], at[2], at[3]);
    } else if (address.size == 16) {
        for (size_t i = 0; i < 16; i += 2)
            buffer_put_format(text, "%s%x", i == 0 ? "" : ":", bytes_get_u16(address.data + i));
    }
}

// One to four numbers, the last of which fills all bytes that are left.
static bool parse_v4(struct slice text, uint8_t bytes[static 4])
{
    uint64_t parts[4];
    size_t part_count = 0, at = 0;
    do {
        if (part_count == 4) return false;
        size_t start = at;
        uint64_t number = 0;
        for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
            number = number * 10 + (text.data[at] - (uint64_t)'0');
            if (number > UINT32_MAX) return false;
        }
        if (at == start) return false;
        parts[part_count++] = number;
    } while (at < text.size && text.data[at++] == '.');
    if (at != text.size || text.data[text.size - 1] == '.') return false;
    uint64_t last_max = UINT32_MAX >> (8 * (part_count - 1));
    uint64_t address = parts[part_count - 1];
    if (address > last_max) return false;
    for (size_t i = 0; i + 1 < part_count; i++) {
        if (parts[i] > 255) return false;
        address |= parts[i] << (24 - 8 * i);
    }
    bytes_put_u32(bytes, (uint32_t)address);
    return true;
}

// Up to eight groups; "::" once, for at least one of them; an IPv4 address may be the last two.
static bool parse_v6(struct slice text, uint8_t bytes[static 16])
{
    size_t filled = 0, gap = SIZE_MAX, at = 0;
    if (text.size < 2 || (text.data[0] == ':' && text.data[1] != ':')) return false;
    while (at < text.size) {
        if (text.data[at] == ':' && at + 1 < text.size && text.data[at + 1] == ':') {
            if (gap != SIZE_MAX) return false;
            gap = filled;
            at += 2;
            continue;
        }
        if (at > 0 && text.data[at] == ':' && text.data[at - 1] != ':') at++;
        size_t start = at;
        unsigned group = 0;
        for (; at < text.size && at - start < 4 && bytes_hex_value(text.data[at]) >= 0; at++)
            group = group << 4 | (unsigned)bytes_hex_value(text.data[at]);
        if (at == start || filled > 14) return false;
        if (at < text.size && text.data[at] == '.') {
            struct slice rest = slice_make(text.data + start, text.size - start);
            if (filled > 12 || !parse_v4(rest, bytes + filled)) return false;
            filled += 4;
            at = text.size;
            break;
        }
        if (at < text.size && text.data[at] != ':') return false;
        bytes_put_u16(bytes + filled, (uint16_t)group);
        filled += 2;
    }
    if (gap == SIZE_MAX) return filled == 16;
    if (filled > 14) return false;
    memmove(bytes + 16 - (filled - gap), bytes + gap, filled - gap);
    memset(bytes + gap, 0, 16 - filled);
    return true;
}

enum status inet_parse(struct slice text, uint8_t bytes[static 16], size_t *size)
{
    uint8_t parsed[16] = {0};
    if (text.size == 0) return STATUS_MALFORMED;
    if (memchr(text.data, ':', text.size) == NULL) {
        if (!parse_v4(text, parsed)) return STATUS_MALFORMED;
        memcpy(bytes, parsed, 4);
        *size = 4;
        return STATUS_OK;
    }
    if (text.data[0] == '[' && text.data[text.size - 1] == ']')
        text = slice_make(text.data + 1, text.size - 2);
    const uint8_t *scope = memchr(text.data, '%', text.size);
    if (scope != NULL) text.size = (size_t)(scope - text.data);
    if (!parse_v6(text, parsed)) return STATUS_MALFORMED;
    bool mapped = memcmp(parsed, mapped_prefix, sizeof mapped_prefix) == 0;
    *size = mapped ? 4 : 16;
    memcpy(bytes, mapped ? parsed + 12 : parsed, *size);
    return STATUS_OK;
}
