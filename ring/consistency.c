#include "ring/consistency.h"

#include "base/assert.h"

const char *consistency_text(enum consistency consistency)
{
    static const char *const texts[] = {
#define X(name) [CONSISTENCY_##name] = #name,
        CONSISTENCY_MAP(X)
#undef X
    };
    ASSERT(consistency < CONSISTENCY_COUNT);
    return texts[consistency];
}

int consistency_required(enum consistency consistency, int replication_factor)
{
    switch (consistency) {
    case CONSISTENCY_ANY:
    case CONSISTENCY_ONE:
    case CONSISTENCY_LOCAL_ONE:
    case CONSISTENCY_NODE_LOCAL:
        return 1;
    case CONSISTENCY_TWO:
        return 2;
    case CONSISTENCY_THREE:
        return 3;
    case CONSISTENCY_QUORUM:
    case CONSISTENCY_LOCAL_QUORUM:
    case CONSISTENCY_EACH_QUORUM:
    case CONSISTENCY_SERIAL:
    case CONSISTENCY_LOCAL_SERIAL:
        return replication_factor / 2 + 1;
    case CONSISTENCY_ALL:
        return replication_factor;
    case CONSISTENCY_COUNT:
        break;
    }
    ASSERT(false);
}

bool consistency_is_local(enum consistency consistency)
{
    return consistency == CONSISTENCY_LOCAL_ONE || consistency == CONSISTENCY_LOCAL_QUORUM ||
           consistency == CONSISTENCY_LOCAL_SERIAL;
}
