#include "storage/sstable/drop_times.h"

static int64_t round_up(int64_t seconds)
{
    int64_t rest = seconds % DROP_TIMES_ROUND_S;
    return rest == 0 ? seconds : seconds + DROP_TIMES_ROUND_S - rest;
}

void drop_times_init(struct drop_times *times)
{
    memset(times, 0, sizeof *times);
}

// The two points nearest to each other become their weighted mean.
static void merge_nearest(struct drop_times *times)
{
    size_t nearest = 0;
    for (size_t i = 1; i + 1 < times->count; i++) {
        if (times->points[i + 1] - times->points[i] <
            times->points[nearest + 1] - times->points[nearest])
            nearest = i;
    }
    uint64_t left = times->counts[nearest], right = times->counts[nearest + 1];
    int64_t distance = times->points[nearest + 1] - times->points[nearest];
    double share = (double)right / (double)(left + right);
    times->points[nearest] = round_up(times->points[nearest] + (int64_t)((double)distance * share));
    times->counts[nearest] = left + right;
    size_t behind = times->count - nearest - 2;
    memmove(times->points + nearest + 1, times->points + nearest + 2,
            behind * sizeof *times->points);
    memmove(times->counts + nearest + 1, times->counts + nearest + 2,
            behind * sizeof *times->counts);
    times->count--;
    times->last = 0;
}

void drop_times_add(struct drop_times *times, int32_t local_time)
{
    int64_t point = round_up(local_time);
    if (times->last < times->count && times->points[times->last] == point) {
        times->counts[times->last]++;
        return;
    }
    size_t low = 0, high = times->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (times->points[middle] < point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    times->last = low;
    if (low < times->count && times->points[low] == point) {
        times->counts[low]++;
        return;
    }
    memmove(times->points + low + 1, times->points + low,
            (times->count - low) * sizeof *times->points);
    memmove(times->counts + low + 1, times->counts + low,
            (times->count - low) * sizeof *times->counts);
    times->points[low] = point;
    times->counts[low] = 1;
    times->count++;
    if (times->count > DROP_TIMES_MAX) merge_nearest(times);
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

double drop_times_before(const struct drop_time *times, size_t count, int64_t moment)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double number = (double)times[i].count;
        if (times[i].point <= moment) {
            sum += number;
            continue;
        }
        if (i == 0) return 0;
        const struct drop_time *last = &times[i - 1];
        double last_number = (double)last->count;
        double weight = (double)(moment - last->point) / (double)(times[i].point - last->point);
        double middle = last_number + (number - last_number) * weight;
        return sum - last_number + (last_number + middle) * weight / 2 + last_number / 2;
    }
    return sum;
}
