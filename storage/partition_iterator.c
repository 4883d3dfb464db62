#include "storage/partition_iterator.h"

// Negative when the key stands before all of the bound's place, positive behind, zero on it.
static int compare_key_to_bound(const struct partition_key *key, const struct scan_bound *bound)
{
    int order = token_compare(key->token, bound->token);
    if (order != 0 || slice_is_null(bound->key)) return order;
    return slice_compare(key->bytes, bound->key);
}

bool scan_range_contains(const struct scan_range *range, const struct partition_key *key)
{
    int from_start = compare_key_to_bound(key, &range->start);
    if (from_start < 0 || (from_start == 0 && !range->start.inclusive)) return false;
    int from_end = compare_key_to_bound(key, &range->end);
    return from_end < 0 || (from_end == 0 && range->end.inclusive);
}
