#include "storage/sstable/drop_times.h"

#include "base/assert.h"

#include <stdlib.h>

enum { SPOOL_SIZE = 131072, SPOOL_CELLS = 2 * SPOOL_SIZE, PROBES_MAX = 100 };

// Some MiB of zeros, of which few pages are ever touched.
struct drop_times_spool {
    size_t count;
    size_t last; // The cell that was counted last: most have many neighbours.
    struct {
        uint32_t minute; // Plus one; 0: the cell is free.
        uint32_t count;
    } cells[SPOOL_CELLS];
};

void drop_times_init(struct drop_times *times)
{
    memset(times, 0, sizeof *times);
}

void drop_times_deinit(struct drop_times *times)
{
    free(times->spool);
    times->spool = NULL;
}

// ---- Points -------------------------------------------------------------------------------------

// The two points nearest to each other become their weighted mean.
static void merge_nearest(struct drop_times *times)
{
    size_t nearest = 0;
    for (size_t i = 1; i + 1 < times->count; i++) {
        if (times->points[i + 1] - times->points[i] <
            times->points[nearest + 1] - times->points[nearest])
            nearest = i;
    }
    int64_t left = times->points[nearest], right = times->points[nearest + 1];
    uint64_t count = times->counts[nearest] + times->counts[nearest + 1];
    // left + distance * share, rounded down; below 2^31 * 2^32.
    int64_t point = left + (int64_t)((uint64_t)(right - left) * times->counts[nearest + 1] / count);
    if (point == left) point++;
    int64_t rest = point % DROP_TIMES_ROUND_S;
    times->points[nearest] = rest == 0 ? point : point + DROP_TIMES_ROUND_S - rest;
    times->counts[nearest] = count;
    size_t behind = times->count - nearest - 2;
    memmove(times->points + nearest + 1, times->points + nearest + 2,
            behind * sizeof *times->points);
    memmove(times->counts + nearest + 1, times->counts + nearest + 2,
            behind * sizeof *times->counts);
    times->count--;
}

static void add_point(struct drop_times *times, int64_t point, uint64_t count)
{
    size_t low = 0, high = times->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (times->points[middle] < point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < times->count && times->points[low] == point) {
        times->counts[low] += count;
        return;
    }
    memmove(times->points + low + 1, times->points + low,
            (times->count - low) * sizeof *times->points);
    memmove(times->counts + low + 1, times->counts + low,
            (times->count - low) * sizeof *times->counts);
    times->points[low] = point;
    times->counts[low] = count;
    times->count++;
    if (times->count > DROP_TIMES_MAX) merge_nearest(times);
}

void drop_times_finish(struct drop_times *times)
{
    struct drop_times_spool *spool = times->spool;
    for (size_t i = 0; spool != NULL && spool->count > 0; i++) {
        if (spool->cells[i].minute == 0) continue;
        add_point(times, (int64_t)(spool->cells[i].minute - 1) * DROP_TIMES_ROUND_S,
                  spool->cells[i].count);
        spool->count--;
    }
    drop_times_deinit(times);
}

// ---- The spool ----------------------------------------------------------------------------------

// False: it is too full.
static bool spool_add(struct drop_times_spool *spool, uint32_t minute)
{
    if (spool->cells[spool->last].minute == minute + 1) {
        spool->cells[spool->last].count++;
        return true;
    }
    if (spool->count > SPOOL_SIZE) return false;
    uint32_t hash = minute * (uint32_t)DROP_TIMES_ROUND_S * 948701839u;
    for (size_t probe = 0; probe < PROBES_MAX; probe++) {
        size_t i = ((hash & (SPOOL_SIZE - 1)) + probe) % SPOOL_CELLS;
        if (spool->cells[i].minute != 0 && spool->cells[i].minute != minute + 1) continue;
        spool->count += spool->cells[i].minute == 0;
        spool->cells[i].minute = minute + 1;
        spool->cells[i].count++;
        spool->last = i;
        return true;
    }
    return false;
}

void drop_times_add(struct drop_times *times, int32_t local_time)
{
    // What is before 1970 is 1970.
    uint32_t minute =
        local_time <= 0 ? 0 : ((uint32_t)local_time + DROP_TIMES_ROUND_S - 1) / DROP_TIMES_ROUND_S;
    if (times->spool != NULL && spool_add(times->spool, minute)) return;
    drop_times_finish(times);
    times->spool = calloc(1, sizeof *times->spool);
    ASSERT(times->spool != NULL);
    bool added = spool_add(times->spool, minute);
    ASSERT(added);
}

void drop_times_encode(const struct drop_times *times, struct buffer *bytes)
{
    // i32 most points (Cassandra writes how many there are), i32 count, count × { f64, i64 }
    buffer_put_u32(bytes, (uint32_t)times->count);
    buffer_put_u32(bytes, (uint32_t)times->count);
    for (size_t i = 0; i < times->count; i++) {
        buffer_put_f64(bytes, (double)times->points[i]);
        buffer_put_u64(bytes, times->counts[i]);
    }
}
