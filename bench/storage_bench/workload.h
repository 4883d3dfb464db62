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
    INCREMENTS_OF_PLACE = 4, // On average; the popular hashtags have more.
};

#define FIRST_TIMESTAMP_US 1700000000000000 // Of the first row; each has one more.

struct event {
    char k[16], v[40];
    uint8_t k_size, v_size;
    int32_t n;
    int64_t c;
};

struct place { // A row of hashtags.
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
// A key that is in no partition.
void workload_missing_event(const struct workload *workload, uint64_t index, struct event *event);
void workload_place(uint64_t place, struct place *row);
uint64_t workload_place_count(const struct workload *workload);
// Which place the index-th increment counts.
uint64_t workload_increment(const struct workload *workload, uint64_t index);
// File `file` of a compaction leaves out one place of six, another each.
bool workload_file_has(uint64_t place, int file);
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
    uint64_t written_bytes;
};

void measurement_begin(struct measurement *measurement, const char *table, const char *work);
// Prints one line of JSON.
void measurement_end(struct measurement *measurement);

#endif
