#include "stream/job/rendezvous.h"

#include "base/checksum.h"

static bool rendezvous_may(const bool *may, const uint16_t *chosen, uint16_t count, uint16_t member)
{
    for (uint16_t i = 0; i < count; i++)
        if (chosen[i] == member) return false;
    return may == NULL || may[member];
}

uint16_t rendezvous_choose(struct uuid job, const bool *may, uint16_t member_count, uint16_t max,
                           uint16_t *chosen)
{
    uint16_t count = 0;
    while (count < max) {
        uint64_t best = 0;
        bool is_found = false;
        for (uint16_t i = 0; i < member_count; i++) {
            uint64_t weight = checksum_xxh3(slice_make(job.bytes, sizeof job.bytes), i);
            if (weight < best || !rendezvous_may(may, chosen, count, i)) continue;
            best = weight;
            chosen[count] = i;
            is_found = true;
        }
        if (!is_found) break;
        count++;
    }
    return count;
}
