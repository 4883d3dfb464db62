// How often tables are read and written through this node, and how long that takes
// (org.apache.cassandra.metrics.TableMetrics: coordinatorReadLatency and its like;
// system_views.coordinator_read_latency …, nodetool tablehistograms).
//
//     statement --prepared--> its table's figures --each run counted, some timed--> a histogram
//
// A run costs a counter: beyond the first of them only every TABLE_LATENCY_SAMPLE-th looks at the
// clock. Bounded: TABLE_FIGURES_MAX tables; those beyond are not counted.
#ifndef CQL_SYSTEM_TABLE_FIGURES_H
#define CQL_SYSTEM_TABLE_FIGURES_H

#include "storage/uuid.h"

#include <stdbool.h>
#include <stdint.h>

enum { TABLE_FIGURES_MAX = 8192, TABLE_LATENCY_FIRST = 64, TABLE_LATENCY_SAMPLE = 16 };

// Any numbers do, not only times. Four buckets for each power of two: a percentile is at most a
// quarter too high.
enum { TABLE_LATENCY_BUCKETS = 4 * 34 };

struct table_latency {
    uint64_t count; // Of all runs.
    uint64_t timed, max_us;
    uint32_t buckets[TABLE_LATENCY_BUCKETS]; // Of those that were timed, by microseconds.
};

enum table_latency_kind {
    TABLE_LATENCY_READ, // By key.
    TABLE_LATENCY_SCAN,
    TABLE_LATENCY_WRITE,
    TABLE_LATENCY_COUNT
};

struct table_figures {
    struct uuid table;
    struct table_latency latencies[TABLE_LATENCY_COUNT];
    struct table_latency rows, tombstones; // What reads that were timed met, instead of times.
};

// One more run. True: it is to be timed.
static inline bool table_latency_count(struct table_latency *latency)
{
    uint64_t number = latency->count++;
    return number < TABLE_LATENCY_FIRST || number % TABLE_LATENCY_SAMPLE == 0;
}
void table_latency_record(struct table_latency *latency, uint64_t elapsed_ns);
// The same of a number; counts it too.
void table_latency_note(struct table_latency *latency, uint64_t number);
// Microseconds, or the number, that so many per cent of runs did not exceed; 0: there are none.
uint64_t table_latency_percentile(const struct table_latency *latency, double percent);

// Partitions of batches, by their type.
enum table_batch_kind {
    TABLE_BATCH_COUNTER,
    TABLE_BATCH_LOGGED,
    TABLE_BATCH_UNLOGGED,
    TABLE_BATCH_COUNT
};

// Of all tables of a node.
struct table_figures_set;
struct table_figures_set *table_figures_create(void);
void table_figures_destroy(struct table_figures_set *set); // NULL is allowed.
void table_figures_note_batch(struct table_figures_set *set, enum table_batch_kind kind,
                              uint64_t partitions);
const struct table_latency *table_figures_batches(const struct table_figures_set *set,
                                                  enum table_batch_kind kind);
// Makes them if they are not there. Valid as long as the set. NULL: too many.
struct table_figures *table_figures_of(struct table_figures_set *set, struct uuid table);
// NULL: there are none.
const struct table_figures *table_figures_find(const struct table_figures_set *set,
                                               struct uuid table);

#endif
