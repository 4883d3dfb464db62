// Which members of the ring do something for a job, when none can do it better than another: those
// with the highest hashes of job and member (Thaler, Ravishankar 1998). Everybody finds the same
// ones alone, and who was chosen stays so when another member, that was not, is lost.
#ifndef STREAM_RENDEZVOUS_H
#define STREAM_RENDEZVOUS_H

#include "storage/uuid.h"

// At most `max` of those that may (`may` NULL: all), the first choice first. Returns how many.
uint16_t rendezvous_choose(struct uuid job, const bool *may, uint16_t member_count, uint16_t max,
                           uint16_t *chosen);

#endif
