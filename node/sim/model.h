// What a store may answer: the checker of the simulator.
//
// Every write of a simulated client has a stamp of its own, which is its timestamp too and which a
// read gives back. The model keeps for each cell what is certain (acknowledged, or seen by a read)
// and what is not (under way, or lost its answer in a crash), and so knows what a read may show:
//
//     floor: the newest certain write ── nothing older may ever be read again
//     candidates: newer ones that may or may not be there; what a read shows becomes certain
//
// A candidate of an earlier life of the store that a read does not show is not there, and may never
// come back. Counters are sums: each increment of a cell that is not certain adds another power of
// four, so the digits of a value say which are in it, and one that is in it twice shows as a 2.
#ifndef NODE_SIM_MODEL_H
#define NODE_SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MODEL_PARTITIONS = 12,
    MODEL_ROWS = 10,           // Of a partition.
    MODEL_STATIC = MODEL_ROWS, // The place of the static cell, behind the rows.
    MODEL_CELLS = MODEL_ROWS + 1,
    MODEL_DIGITS = 24, // Increments of a cell that may be uncertain at a time.
};

struct model;
struct model_cell;

struct model *model_create(size_t table_count);
void model_destroy(struct model *model);
struct model_cell *model_cell_at(struct model *model, size_t table, size_t partition, size_t row);
// Where it is in its table.
void model_cell_place(const struct model *model, const struct model_cell *cell, size_t *partition,
                      size_t *row);

// The store starts anew after a crash: what was under way will not be applied any more.
void model_begin_life(struct model *model);

// ---- Cells with values -------------------------------------------------------------------------

// A write (or a deletion) with this stamp is under way to this cell.
void model_write(struct model *model, struct model_cell *cell, uint64_t stamp, bool is_delete);
// It is acknowledged.
void model_acknowledge(struct model *model, struct model_cell *cell, uint64_t stamp);
// It was refused: it never happens.
void model_refuse(struct model *model, struct model_cell *cell, uint64_t stamp);

// ---- Counters ----------------------------------------------------------------------------------

// What to add, a power of four; 0 when too many increments of the cell are uncertain. `stamp`
// names the increment.
int64_t model_increment(struct model *model, struct model_cell *cell, uint64_t stamp);

// ---- Reads -------------------------------------------------------------------------------------

// What was certain of a cell when a read began.
struct model_view {
    struct model_cell *cell;
    uint64_t floor, began;
    bool floor_is_delete;
    uint32_t life; // In which it began: its answer may come in a later one.
};

void model_read_begin(struct model *model, struct model_cell *cell, struct model_view *view);
// The read ended without an answer.
void model_read_drop(struct model *model, struct model_view *view);
// It found this stamp (0: nothing). NULL, or what is wrong.
const char *model_read_value(struct model *model, struct model_view *view, uint64_t stamp,
                             char message[static 512]);
// It found nothing, and proves nothing by it: an index knows places of rows, and of one replica
// that has the row and one that has it deleted it may ask the second and one that never had either.
// Who reads the row itself then may see it.
const char *model_read_no_place(struct model *model, struct model_view *view,
                                char message[static 512]);
// It found this sum (0 if there is no such cell).
const char *model_read_counter(struct model *model, struct model_view *view, int64_t value,
                               char message[static 512]);

// How many digits are free to add to the cell.
size_t model_free_digits(const struct model_cell *cell);

#endif
