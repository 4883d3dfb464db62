#include "stream/job/cut.h"

#include "base/assert.h"
#include "base/checksum.h"

bool cut_has(const struct cut *cut, uint16_t member)
{
    return member < 64 && (cut->members >> member & 1) != 0;
}

// The member of the place, or of the first behind it that is usable.
static uint16_t cut_pick(const struct job_ring *ring, size_t place, uint64_t usable)
{
    for (size_t i = 0; i < ring->place_count; i++) {
        uint16_t member = ring->places[(place + i) % ring->place_count].member;
        if ((usable >> member & 1) != 0) return member;
    }
    return ring->places[place].member; // None has a place: whoever had it.
}

void cut_make(struct cut *cut, const struct job_ring *ring, uint64_t usable)
{
    ASSERT(usable != 0 && ring->place_count <= JOB_PLACES_MAX);
    cut->members = ring->place_count == 0 ? 1 : 0;
    cut->place_count = ring->place_count;
    cut->id = ring->place_count;
    for (size_t i = 0; i < cut->place_count; i++) {
        uint16_t member = cut_pick(ring, i, usable);
        cut->places[i] = (struct job_place){ring->places[i].token, member};
        cut->members |= UINT64_C(1) << member;
        uint8_t bytes[10];
        bytes_put_u64(bytes, (uint64_t)cut->places[i].token.value);
        bytes_put_u16(bytes + 8, member);
        cut->id = checksum_xxh3(slice_make(bytes, sizeof bytes), cut->id);
    }
}

uint16_t cut_find(const struct cut *cut, struct token token)
{
    size_t low = 0, high = cut->place_count;
    if (high == 0) return 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (token_compare(cut->places[middle].token, token) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return cut->places[low == cut->place_count ? 0 : low].member;
}

void cut_put_ranges(const struct cut *cut, uint16_t member, struct buffer *ranges)
{
    size_t count = cut->place_count, first = 0;
    if ((cut->members & (cut->members - 1)) == 0) return; // One member: the whole ring.
    for (size_t i = 0; i < count; i++) {                  // Runs of places of one member.
        if (i > 0 && cut->places[i - 1].member != cut->places[i].member) first = i;
        bool run_ends = i + 1 == count || cut->places[i + 1].member != cut->places[i].member;
        if (!run_ends || cut->places[i].member != member) continue;
        size_t before = first == 0 ? count - 1 : first - 1;
        buffer_put_u64(ranges, (uint64_t)cut->places[before].token.value);
        buffer_put_u64(ranges, (uint64_t)cut->places[i].token.value);
    }
}
