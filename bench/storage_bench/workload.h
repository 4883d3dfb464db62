// The rows that all engines are measured with, and the form in which the results come out.
//
// Two tables, both made of a seed, so that each engine, in whatever language, gets the same bytes:
//
//     events    (k text, c bigint, v text, n int, PRIMARY KEY ((k), c)) WITH CLUSTERING ORDER BY (c
//     DESC) hashtags  (tag text, day text, mentions counter, PRIMARY KEY ((tag), day)) WITH … (day
//     DESC)
//
// StorageTables.java makes them too: a change here is a change there.
#ifndef BENCH_STORAGE_BENCH_WORKLOAD_H
#define BENCH_STORAGE_BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    EVENTS_IN_PARTITION = 50, // On average.
    DAYS = 60,
    FILES = 4, // What a compaction merges.
    SLICE_ROWS = 30,
    INCREMENTS_OF_PLACE = 4, // On average.
};

#define FIRST_TIMESTAMP_US 1700000000000000 // Of the first row; each has one more.

struct event {
    char k[16], v[40];
    uint8_t k_size, v_size;
    int32_t n;
    int64_t c;
};

struct place { // A row of hashtags.
    uint32_t index;
    char tag[16], day[4];
    uint8_t tag_size, day_size;
};

struct workload {
    uint64_t rows;       // Of each table; of each file in a compaction.
    uint64_t partitions; // Of events.
    uint64_t tags;       // Of hashtags.
};

struct workload workload_make(uint64_t rows);
// The generator: a 64-bit number for each index.
uint64_t workload_random(uint64_t index);
void workload_event(const struct workload *workload, uint64_t index, struct event *event);
// `count` rows one behind the other, as requests bring them; free() them. From `first` on; at
// random; at random with keys that are in no partition.
struct event *workload_events(const struct workload *workload, uint64_t first, uint64_t count);
struct event *workload_events_to_read(const struct workload *workload, uint64_t count);
struct event *workload_events_to_miss(const struct workload *workload, uint64_t count);
void workload_place(uint64_t index, struct place *place);
uint64_t workload_place_count(const struct workload *workload);
// As with events: all in order; `count` of them at random; what `count` increments count, tags by
// Zipf's law and each day as often.
struct place *workload_places(const struct workload *workload);
struct place *workload_places_to_read(const struct workload *workload, uint64_t count);
struct place *workload_increments(const struct workload *workload, uint64_t count);
// What is counted once in file `file` of a compaction, all but one place of six, another each; and
// how often a place was counted in the files before.
struct place *workload_file(const struct workload *workload, int file, uint64_t *count);
uint64_t workload_count_before(const struct place *place, int file);
// What the data of a row is worth, without any engine's own bytes.
uint64_t workload_event_size(const struct event *event);
uint64_t workload_place_size(const struct place *place);

// ---- Measuring ----------------------------------------------------------------------------------

// Processor time of all threads, bytes given to write(), and a sum over what was read, which has to
// be equal for all engines.
struct measurement {
    const char *table, *work;
    uint64_t operations, data_bytes; // Of the rows that were worked on.
    uint64_t disk_bytes, memory_bytes;
    uint64_t sum;
    double cpu_s, wall_s;
    double queued_s; // When the calling thread could have run, but other programs had the cores.
    uint64_t written_bytes;
};

void measurement_begin(struct measurement *measurement, const char *table, const char *work);
// Prints one line of JSON.
void measurement_end(struct measurement *measurement);

#endif
