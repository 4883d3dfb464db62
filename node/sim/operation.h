// What the clients of one store (workload.h) and those of a ring (ring_workload.h) have in common
// about an operation: its kind, its rows, and the cells of the model that it touches.
#ifndef NODE_SIM_OPERATION_H
#define NODE_SIM_OPERATION_H

#include "node/sim/workload.h"

// Of rows, or of the schema; not of a register.
bool operation_is_read(enum workload_kind kind);
// Goes through Paxos.
bool operation_is_conditional(enum workload_kind kind);

// The first `count` kinds as often as their weights say.
enum workload_kind operation_pick_kind(struct random *random, const uint64_t weights[],
                                       size_t count);
// Of a partition with so many rows.
void operation_pick_rows(struct random *random, struct workload_operation *operation, size_t rows);

// Of a store with CQL: some reads of a row become reads of all rows that have its number, by the
// index on it. Those that `number` says: no dice are thrown for it.
void operation_use_index(struct workload_operation *operation, uint64_t number);

// Each cell of the model that the operation touches.
typedef void operation_visitor(void *context, struct model_cell *cell);
void operation_visit(const struct workload_operation *operation, struct model *model,
                     operation_visitor *visit, void *context);

// What a read found of this cell (0: nothing), and whether it came twice.
uint64_t operation_found(const struct workload_operation *operation, size_t partition, size_t row,
                         bool *twice);

// The read of a cell begins.
void operation_view(struct operation_views *views, struct model *model, struct model_cell *cell);

#endif
