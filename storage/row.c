#include "storage/row.h"

#include "base/assert.h"

// Where a place stands among those whose values are equal (weight), and against those with more
// values than it has (against_longer). The table of sstable-nb §2.4, by enum bound_kind.
static const struct {
    int8_t weight, against_longer;
} bound_traits[] = {
    [BOUND_EXCL_END] = {0, -1},
    [BOUND_INCL_START] = {0, -1},
    [BOUND_EXCL_END_INCL_START] = {0, -1},
    [BOUND_STATIC_CLUSTERING] = {1, -1},
    [BOUND_CLUSTERING] = {2, 0},
    [BOUND_INCL_END_EXCL_START] = {3, 1},
    [BOUND_INCL_END] = {3, 1},
    [BOUND_EXCL_START] = {3, 1},
};

// The first `count` values. Null stands first in either direction.
static inline int compare_values(const struct table *table, const struct slice *a,
                                 const struct slice *b, size_t count)
{
    const struct column *columns = table->columns[COLUMN_CLUSTERING];
    for (size_t i = 0; i < count; i++) {
        if (a[i].data == NULL || b[i].data == NULL) {
            int order = (a[i].data != NULL) - (b[i].data != NULL);
            if (order != 0) return order;
            continue;
        }
        int order = type_compare(columns[i].type, a[i], b[i]);
        if (order != 0) return columns[i].reversed ? (order < 0 ? 1 : -1) : order;
    }
    return 0;
}

int bound_compare(const struct table *table, const struct bound *a, const struct bound *b)
{
    uint16_t a_count = a->prefix.count, b_count = b->prefix.count;
    uint16_t count = a_count < b_count ? a_count : b_count;
    ASSERT(count <= table->column_counts[COLUMN_CLUSTERING]);
    int order = compare_values(table, a->prefix.values, b->prefix.values, count);
    if (order != 0) return order;
    if (a_count == b_count) return bound_traits[a->kind].weight - bound_traits[b->kind].weight;
    return a_count < b_count ? bound_traits[a->kind].against_longer
                             : -bound_traits[b->kind].against_longer;
}

int clustering_compare(const struct table *table, const struct clustering *a,
                       const struct clustering *b)
{
    ASSERT(a->count == b->count);
    ASSERT(a->count <= table->column_counts[COLUMN_CLUSTERING]);
    return compare_values(table, a->values, b->values, a->count);
}

void clustering_put(struct buffer *bytes, const struct clustering *clustering)
{
    buffer_put_vint(bytes, clustering->count);
    for (uint16_t i = 0; i < clustering->count; i++)
        buffer_put_nullable_bytes(bytes, clustering->values[i]);
}
