#include "storage/compaction/output_sizes.h"

#define SPLIT_SIZE_MIN 50000000u

static uint64_t level_size_max(const struct output_sizes *sizes)
{
    double size = (double)sizes->size_max;
    for (unsigned i = 0; i < sizes->level; i++)
        size *= sizes->fanout;
    if (sizes->level == 0) size *= 4;
    return size >= 9.2e18 ? INT64_MAX : (uint64_t)size;
}

static bool end_split(struct output_sizes *sizes, uint64_t size)
{
    double part = (double)sizes->input_size / (double)(UINT64_C(2) << sizes->halvings);
    // That of the smallest size has all that is left.
    if (part < SPLIT_SIZE_MIN || (double)size <= part) return false;
    sizes->halvings++;
    return true;
}

bool output_sizes_end(struct output_sizes *sizes, uint64_t size)
{
    if (sizes->is_split) return end_split(sizes, size);
    if (sizes->size_max == 0 || size <= sizes->size_max) return false;
    sizes->level_size += size;
    if (sizes->fanout > 0 && sizes->level_size > level_size_max(sizes)) {
        sizes->level++;
        sizes->level_size = 0;
    }
    return true;
}

double output_sizes_share(const struct output_sizes *sizes)
{
    if (sizes->is_split) return 1 / (double)(UINT64_C(2) << sizes->halvings);
    if (sizes->size_max == 0 || sizes->input_size < sizes->size_max) return 1;
    return 1 / (double)(sizes->input_size / sizes->size_max);
}
