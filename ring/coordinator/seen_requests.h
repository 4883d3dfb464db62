// Requests that must not be done twice: the names of those that came of late, so that a second one
// is known (exactly-once I5).
//
//     set 0    | newest | … | oldest |     a name says which set is its own
//     …
//     set 511  | newest | … | oldest |
//
// The name is the sender's: a second one may come by another connection than the first, whose own
// numbers say nothing then. A set forgets its oldest when a ninth comes, so a request is known for
// as long as some hundreds of others, all but certainly; networks do not double later than that.
// With a place for each name instead of sets, any other one could take it.
#ifndef RING_SEEN_REQUESTS_H
#define RING_SEEN_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEEN_SETS = 512, SEEN_WAYS = 8 };

// No two requests have the same one.
struct request_name {
    // When the sender started, microseconds since 1970, or the time of a ballot. 0: a place without
    // a name.
    uint64_t run;
    uint64_t number; // Grows with each of its requests; of a ballot: the verb.
    uint16_t member; // The sender.
};

struct seen_requests {
    struct request_name (*sets)[SEEN_WAYS]; // The newest first.
};

void seen_requests_init(struct seen_requests *seen);
void seen_requests_deinit(struct seen_requests *seen);
// Whether it was added before and is known still; if not it is added.
bool seen_requests_add(struct seen_requests *seen, struct request_name name);

#endif
