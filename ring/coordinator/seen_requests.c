#include "ring/coordinator/seen_requests.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

void seen_requests_init(struct seen_requests *seen)
{
    seen->sets = calloc(SEEN_SETS, sizeof *seen->sets);
    ASSERT(seen->sets != NULL);
}

void seen_requests_deinit(struct seen_requests *seen)
{
    free(seen->sets);
}

static struct request_name *find_set(struct seen_requests *seen, struct request_name name)
{
    uint64_t hash = (name.number ^ (uint64_t)name.member << 48 ^ name.run) * 0x9e3779b97f4a7c15u;
    return seen->sets[(hash >> 32) % SEEN_SETS];
}

bool seen_requests_add(struct seen_requests *seen, struct request_name name)
{
    struct request_name *set = find_set(seen, name);
    for (size_t i = 0; i < SEEN_WAYS; i++) {
        if (set[i].number == name.number && set[i].run == name.run && set[i].member == name.member)
            return true;
    }
    memmove(set + 1, set, (SEEN_WAYS - 1) * sizeof *set);
    set[0] = name;
    return false;
}
