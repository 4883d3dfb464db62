#include "bench/storage_bench/workload.h"

#include <inttypes.h>
#include <stdlib.h>
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

static void *allocate(uint64_t count, size_t size)
{
    void *memory = malloc(count * size);
    if (memory == NULL) abort();
    return memory;
}

// ---- Events -------------------------------------------------------------------------------------

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

struct event *workload_events(const struct workload *workload, uint64_t first, uint64_t count)
{
    struct event *events = allocate(count, sizeof *events);
    for (uint64_t i = 0; i < count; i++)
        workload_event(workload, first + i, &events[i]);
    return events;
}

struct event *workload_events_to_read(const struct workload *workload, uint64_t count)
{
    struct event *events = allocate(count, sizeof *events);
    for (uint64_t i = 0; i < count; i++)
        workload_event(workload, workload_random(i) % workload->rows, &events[i]);
    return events;
}

struct event *workload_events_to_miss(const struct workload *workload, uint64_t count)
{
    struct event *events = workload_events_to_read(workload, count);
    for (uint64_t i = 0; i < count; i++)
        events[i].k[events[i].k_size++] = 'x';
    return events;
}

// ---- Hashtags -----------------------------------------------------------------------------------

uint64_t workload_place_count(const struct workload *workload)
{
    return workload->tags * DAYS;
}

void workload_place(uint64_t index, struct place *place)
{
    place->index = (uint32_t)index;
    place->tag_size =
        (uint8_t)snprintf(place->tag, sizeof place->tag, "#tag%" PRIu64, index / DAYS);
    place->day_size =
        (uint8_t)snprintf(place->day, sizeof place->day, "d%02u", (unsigned)(index % DAYS));
}

struct place *workload_places(const struct workload *workload)
{
    uint64_t count = workload_place_count(workload);
    struct place *places = allocate(count, sizeof *places);
    for (uint64_t i = 0; i < count; i++)
        workload_place(i, &places[i]);
    return places;
}

struct place *workload_places_to_read(const struct workload *workload, uint64_t count)
{
    struct place *places = allocate(count, sizeof *places);
    for (uint64_t i = 0; i < count; i++)
        workload_place(workload_random(i) % workload_place_count(workload), &places[i]);
    return places;
}

struct place *workload_increments(const struct workload *workload, uint64_t count)
{
    double *sums = allocate(workload->tags, sizeof *sums), sum = 0;
    struct place *places = allocate(count, sizeof *places);
    for (uint64_t i = 0; i < workload->tags; i++)
        sums[i] = sum += 1.0 / (double)(i + 1);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t bits = workload_random(i), low = 0, high = workload->tags - 1;
        double wanted = (double)(bits >> 11) * 0x1p-53 * sum;
        while (low < high) {
            uint64_t middle = (low + high) / 2;
            if (sums[middle] > wanted) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        workload_place(low * DAYS + (bits & 0x7ff) % DAYS, &places[i]);
    }
    free(sums);
    return places;
}

struct place *workload_file(const struct workload *workload, int file, uint64_t *count)
{
    uint64_t all = workload_place_count(workload) / 5 * 6, kept = 0;
    struct place *places = allocate(all, sizeof *places);
    for (uint64_t i = 0; i < all; i++) {
        if (i % 6 != (uint64_t)file) workload_place(i, &places[kept++]);
    }
    *count = kept;
    return places;
}

uint64_t workload_count_before(const struct place *place, int file)
{
    return (uint64_t)file - (place->index % 6 < (uint64_t)file);
}

// ---- Measuring ----------------------------------------------------------------------------------

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

// The system counts it for each thread; 0 where it does not.
static double queued_s(void)
{
    uint64_t ran_ns = 0, queued_ns = 0;
    FILE *file = fopen("/proc/thread-self/schedstat", "r");
    if (file == NULL) return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &ran_ns, &queued_ns) != 2) queued_ns = 0;
    (void)fclose(file);
    return (double)queued_ns / 1e9;
}

void measurement_begin(struct measurement *measurement, const char *table, const char *work)
{
    *measurement = (struct measurement){.table = table, .work = work};
    measurement->written_bytes = written_bytes();
    measurement->queued_s = queued_s();
    measurement->wall_s = clock_s(CLOCK_MONOTONIC);
    measurement->cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

void measurement_end(struct measurement *measurement)
{
    measurement->cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID) - measurement->cpu_s;
    measurement->wall_s = clock_s(CLOCK_MONOTONIC) - measurement->wall_s;
    measurement->queued_s = queued_s() - measurement->queued_s;
    measurement->written_bytes = written_bytes() - measurement->written_bytes;
    printf("{\"table\": \"%s\", \"work\": \"%s\", \"operations\": %" PRIu64
           ", \"data_bytes\": %" PRIu64 ", \"cpu_s\": %.6f, \"wall_s\": %.6f, "
           "\"queued_s\": %.6f, \"disk_bytes\": "
           "%" PRIu64 ", \"written_bytes\": %" PRIu64 ", \"memory_bytes\": %" PRIu64
           ", \"sum\": %" PRIu64 "}\n",
           measurement->table, measurement->work, measurement->operations, measurement->data_bytes,
           measurement->cpu_s, measurement->wall_s, measurement->queued_s, measurement->disk_bytes,
           measurement->written_bytes, measurement->memory_bytes, measurement->sum);
    (void)fflush(stdout);
}
