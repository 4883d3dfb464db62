// A dataset that is not there yet: how its records come from another one (org.apache.spark.rdd.RDD
// and, run once a batch, org.apache.spark.streaming.dstream.DStream).
//
//     source --emit--> map --emit--> filter --emit--> reduceByKey    each line of the batch
//                                                       | finish     then, at its end
//                                                       +--emit--> save
//
// Making one only notes its parent: nothing runs before a source emits. Records are pushed, one at
// a time, through to the next operator that must see all of them (reduceByKey, save, …); that one
// combines on the way in and emits what it has when the batch ends. One thread runs a graph.
#ifndef STREAM_DATASET_H
#define STREAM_DATASET_H

#include "base/error.h"
#include "base/limits.h"
#include "stream/dataset/combine.h"
#include "stream/dataset/value.h"
#include "stream/source/json.h"

// Children of one dataset. Bytes that reduceByKey, or a collecting operator, holds of one batch:
// at the limit the batch fails, with a text that says so.
enum { DATASET_CHILDREN_MAX = 32 };
#define DATASET_HELD_MAX (512 * (size_t)MIB)

struct dataset;

// What all operators of a run share.
struct task {
    int64_t now_us; // The batch's time: the only "now" of a job (purity).
    uint64_t number;
    uint64_t records;                  // Lines read.
    uint64_t keys;                     // That its operators and outputs hold, about.
    uint64_t faults[JSON_FAULT_COUNT]; // Lines of no use, by kind.
    struct arena arena;                // Until the end of the line.
    struct error error;                // Why the run failed.
};

// A user's or a native function. `destroy` may be NULL, as may those that it is not for.
struct function;
struct function_ops {
    // map and flatMap: emits any number of records from `at`.
    enum status (*apply)(struct function *function, struct dataset *at,
                         const struct record *record);
    enum status (*test)(struct function *function, struct dataset *at, const struct record *record,
                        bool *keep);
    // The result may point to what lives until the next call.
    enum status (*reduce)(struct function *function, struct dataset *at, const struct value *a,
                          const struct value *b, struct value *result);
    // foreachRDD: all records of the batch, encoded one behind the other (dataset_take_record()).
    enum status (*consume)(struct function *function, struct dataset *at, struct slice records,
                           size_t count);
    void (*destroy)(struct function *function);
};
struct function {
    const struct function_ops *ops;
    struct function *next; // The graph's.
};

struct dataset_ops {
    const char *name;
    enum status (*process)(struct dataset *dataset, const struct record *record);
    enum status (*finish)(struct dataset *dataset); // NULL: nothing to do at the batch's end.
    void (*reset)(struct dataset *dataset);         // Forget an unfinished batch.
    void (*destroy)(struct dataset *dataset);
};

struct dataset {
    const struct dataset_ops *ops;
    struct dataset_graph *graph;
    struct dataset *parent, *children[DATASET_CHILDREN_MAX];
    size_t child_count;
    struct dataset *next; // In the order of making: a parent comes before its children.
};

// Owns its datasets and functions.
struct dataset_graph {
    struct dataset *first, **last;
    struct function *functions;
    struct task task;
};

void dataset_graph_init(struct dataset_graph *graph);
void dataset_graph_deinit(struct dataset_graph *graph);
// The function is the graph's from now on.
void dataset_graph_own(struct dataset_graph *graph, struct function *function);
// A new batch: operators are empty, counts are zero.
void dataset_graph_begin(struct dataset_graph *graph, uint64_t number, int64_t now_us);
// The batch's end: every operator that waited for it emits.
MUST_USE enum status dataset_graph_finish(struct dataset_graph *graph);

// Adds `dataset`, whose ops are set. OVERLOADED: the parent (NULL for a source) has too many.
MUST_USE enum status dataset_add(struct dataset *dataset, struct dataset_graph *graph,
                                 struct dataset *parent, struct error *error);
// Hands a record to all children. It stays the caller's.
enum status dataset_emit(struct dataset *from, const struct record *record);
// Fails the run: the task's error says why.
enum status dataset_fail(struct dataset *at, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// A line of no use: counted, dropped.
enum status dataset_drop(struct dataset *at, enum json_fault fault);

void dataset_put_record(struct buffer *bytes, const struct record *record);
// The items are in the arena. False at the end.
bool dataset_take_record(struct cursor *bytes, struct arena *arena, struct record *record);

static inline struct task *dataset_task(struct dataset *dataset)
{
    return &dataset->graph->task;
}

#endif
