#include "base/memory.h"

#include <malloc.h>

enum { MEMORY_HEAPS_MAX = 2 };

void memory_give_back(void)
{
    (void)malloc_trim(0);
}

void memory_share_heaps(void)
{
    (void)mallopt(M_ARENA_MAX, MEMORY_HEAPS_MAX);
}
