// The operators of a stream, as Spark names them. Each makes a dataset from its parent; functions
// are the graph's (dataset_graph_own()).
#ifndef STREAM_OPERATORS_H
#define STREAM_OPERATORS_H

#include "stream/dataset/dataset.h"

// Where records come in: whoever owns it emits from it.
MUST_USE enum status operators_source(struct dataset_graph *graph, struct dataset **made,
                                      struct error *error);
// map, flatMap: whatever the function emits.
MUST_USE enum status operators_apply(struct dataset *parent, struct function *function,
                                     struct dataset **made, struct error *error);
MUST_USE enum status operators_filter(struct dataset *parent, struct function *function,
                                      struct dataset **made, struct error *error);
// Of pairs (key, value). NULL: adds.
MUST_USE enum status operators_reduce_by_key(struct dataset *parent, struct function *function,
                                             struct dataset **made, struct error *error);
// Pairs (record, how often); a record of several values becomes a tuple.
MUST_USE enum status operators_count_by_value(struct dataset *parent, struct dataset **made,
                                              struct error *error);
// The function consumes each batch's records, also when there are none.
MUST_USE enum status operators_for_each(struct dataset *parent, struct function *function,
                                        struct dataset **made, struct error *error);
// Writes the first `count` records of each batch to standard output, under a line with its time.
MUST_USE enum status operators_print(struct dataset *parent, size_t count, struct dataset **made,
                                     struct error *error);

#endif
