#include "storage/sstable/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[SSTABLE_COMPONENT_COUNT] = {
#define X(name, file) file,
    SSTABLE_COMPONENT_MAP(X)
#undef X
};

const char *sstable_component_name(enum sstable_component component)
{
    return names[component];
}

void sstable_path(char path[static SSTABLE_PATH_SIZE], const char *directory, uint64_t generation,
                  enum sstable_component component)
{
    snprintf(path, SSTABLE_PATH_SIZE, "%s/nb-%" PRIu64 "-big-%s", directory, generation,
             names[component]);
}

bool sstable_parse_name(const char *name, uint64_t *generation, enum sstable_component *component)
{
    // From 1, without zeros before it: a generation has one name.
    if (strncmp(name, "nb-", 3) != 0 || name[3] < '1' || name[3] > '9') return false;
    char *rest;
    unsigned long long number = strtoull(name + 3, &rest, 10);
    if (number > INT32_MAX || strncmp(rest, "-big-", 5) != 0) return false;
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        if (strcmp(rest + 5, names[i]) != 0) continue;
        *generation = number;
        *component = (enum sstable_component)i;
        return true;
    }
    return false;
}
