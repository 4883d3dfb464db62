#include "bench/storage_bench/workload.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

struct workload workload_make(uint64_t rows)
{
    uint64_t partitions = rows / EVENTS_IN_PARTITION, tags = rows / DAYS;
    return (struct workload){
        .rows = rows,
        .partitions = partitions == 0 ? 1 : partitions,
        .tags = tags == 0 ? 1 : tags,
    };
}

// SplitMix64.
uint64_t workload_random(uint64_t index)
{
    uint64_t z = (index + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void workload_event(const struct workload *workload, uint64_t index, struct event *event)
{
    uint64_t bits = workload_random(index), more = workload_random(~index);
    event->k_size = (uint8_t)snprintf(event->k, sizeof event->k, "tag%" PRIu64,
                                      (bits >> 1) % workload->partitions);
    event->c = (int64_t)(more >> 40);
    event->v_size = (uint8_t)snprintf(event->v, sizeof event->v, "value-%u-of-thirty-two-bytes",
                                      (unsigned)(more & 0xffffff) % 1000000);
    event->n = (int32_t)index;
}

void workload_missing_event(const struct workload *workload, uint64_t index, struct event *event)
{
    workload_event(workload, index, event);
    event->k[event->k_size++] = 'x';
}

void workload_place(uint64_t place, struct place *row)
{
    row->tag_size = (uint8_t)snprintf(row->tag, sizeof row->tag, "#tag%" PRIu64, place / DAYS);
    row->day_size = (uint8_t)snprintf(row->day, sizeof row->day, "d%02u", (unsigned)(place % DAYS));
}

uint64_t workload_place_count(const struct workload *workload)
{
    return workload->tags * DAYS;
}

uint64_t workload_increment(const struct workload *workload, uint64_t index)
{
    uint64_t bits = workload_random(index);
    double part = (double)(bits >> 11) * 0x1p-53;
    uint64_t tag = (uint64_t)((double)workload->tags * (part * part * part));
    return tag * DAYS + (bits & 0x7ff) % DAYS;
}

bool workload_file_has(uint64_t place, int file)
{
    return place % 6 != (uint64_t)file;
}

uint64_t workload_event_size(const struct event *event)
{
    return event->k_size + 8u + event->v_size + 4u;
}

uint64_t workload_place_size(const struct place *place)
{
    return place->tag_size + place->day_size + 8u;
}

static double clock_s(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t written_bytes(void)
{
    uint64_t bytes = 0;
    char line[128];
    FILE *file = fopen("/proc/self/io", "r");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "wchar: %" SCNu64, &bytes) == 1) break;
    }
    (void)fclose(file);
    return bytes;
}

void measurement_begin(struct measurement *measurement, const char *table, const char *work)
{
    *measurement = (struct measurement){.table = table, .work = work};
    measurement->written_bytes = written_bytes();
    measurement->wall_s = clock_s(CLOCK_MONOTONIC);
    measurement->cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

void measurement_end(struct measurement *measurement)
{
    measurement->cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID) - measurement->cpu_s;
    measurement->wall_s = clock_s(CLOCK_MONOTONIC) - measurement->wall_s;
    measurement->written_bytes = written_bytes() - measurement->written_bytes;
    printf("{\"table\": \"%s\", \"work\": \"%s\", \"operations\": %" PRIu64
           ", \"data_bytes\": %" PRIu64 ", \"cpu_s\": %.6f, \"wall_s\": %.6f, \"disk_bytes\": "
           "%" PRIu64 ", \"written_bytes\": %" PRIu64 ", \"memory_bytes\": %" PRIu64
           ", \"sum\": %" PRIu64 "}\n",
           measurement->table, measurement->work, measurement->operations, measurement->data_bytes,
           measurement->cpu_s, measurement->wall_s, measurement->disk_bytes,
           measurement->written_bytes, measurement->memory_bytes, measurement->sum);
    (void)fflush(stdout);
}
