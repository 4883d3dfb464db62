#include "node/sim/model.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A write or an increment that is not folded into the cell yet.
struct candidate {
    uint64_t stamp;
    uint64_t certain_at; // The model's clock when it became so; 0: it is not.
    uint32_t life;
    uint8_t digit;
    bool is_delete;
};

struct model_cell {
    uint64_t floor;
    bool floor_is_delete;
    int64_t base;   // Of a counter: all that was folded in.
    uint32_t reads; // Under way: as long, candidates stay.
    struct candidate *candidates;
    size_t count, capacity;
};

struct model {
    uint64_t clock;
    uint32_t life;
    size_t table_count;
    struct model_cell *cells;
};

struct model *model_create(size_t table_count)
{
    struct model *model = calloc(1, sizeof *model);
    ASSERT(model != NULL);
    model->clock = 1;
    model->table_count = table_count;
    model->cells = calloc(table_count * MODEL_PARTITIONS * MODEL_CELLS, sizeof *model->cells);
    ASSERT(model->cells != NULL);
    return model;
}

void model_destroy(struct model *model)
{
    for (size_t i = 0; i < model->table_count * MODEL_PARTITIONS * MODEL_CELLS; i++)
        free(model->cells[i].candidates);
    free(model->cells);
    free(model);
}

struct model_cell *model_cell_at(struct model *model, size_t table, size_t partition, size_t row)
{
    ASSERT(table < model->table_count && partition < MODEL_PARTITIONS && row < MODEL_CELLS);
    return &model->cells[(table * MODEL_PARTITIONS + partition) * MODEL_CELLS + row];
}

void model_cell_place(const struct model *model, const struct model_cell *cell, size_t *partition,
                      size_t *row)
{
    size_t index = (size_t)(cell - model->cells) % (MODEL_PARTITIONS * MODEL_CELLS);
    *partition = index / MODEL_CELLS;
    *row = index % MODEL_CELLS;
}

void model_begin_life(struct model *model)
{
    model->life++;
}

// ---- Candidates --------------------------------------------------------------------------------

static struct candidate *add(struct model *model, struct model_cell *cell, uint64_t stamp)
{
    if (cell->count == cell->capacity) {
        cell->capacity = cell->capacity == 0 ? 4 : 2 * cell->capacity;
        cell->candidates = realloc(cell->candidates, cell->capacity * sizeof *cell->candidates);
        ASSERT(cell->candidates != NULL);
    }
    struct candidate *candidate = &cell->candidates[cell->count++];
    *candidate = (struct candidate){.stamp = stamp, .life = model->life};
    return candidate;
}

static struct candidate *find(struct model_cell *cell, uint64_t stamp)
{
    for (size_t i = 0; i < cell->count; i++)
        if (cell->candidates[i].stamp == stamp) return &cell->candidates[i];
    return NULL;
}

static void drop(struct model_cell *cell, struct candidate *candidate)
{
    *candidate = cell->candidates[--cell->count];
}

// What a read under way may still show stays.
static void fold(struct model_cell *cell)
{
    if (cell->reads > 0) return;
    for (size_t i = cell->count; i-- > 0;) {
        struct candidate *candidate = &cell->candidates[i];
        if (candidate->digit > 0) {
            if (candidate->certain_at == 0) continue;
            cell->base =
                (int64_t)((uint64_t)cell->base + (UINT64_C(1) << 2 * (candidate->digit - 1)));
            drop(cell, candidate);
        } else if (candidate->stamp <= cell->floor) {
            drop(cell, candidate);
        }
    }
}

static void raise_floor(struct model_cell *cell, uint64_t stamp, bool is_delete)
{
    if (stamp <= cell->floor) return;
    cell->floor = stamp;
    cell->floor_is_delete = is_delete;
}

void model_write(struct model *model, struct model_cell *cell, uint64_t stamp, bool is_delete)
{
    model->clock++;
    add(model, cell, stamp)->is_delete = is_delete;
}

int64_t model_increment(struct model *model, struct model_cell *cell, uint64_t stamp)
{
    uint64_t used = 0;
    for (size_t i = 0; i < cell->count; i++)
        used |= UINT64_C(1) << cell->candidates[i].digit;
    for (uint8_t digit = 1; digit <= MODEL_DIGITS; digit++) {
        if ((used >> digit & 1) != 0) continue;
        model->clock++;
        add(model, cell, stamp)->digit = digit;
        return INT64_C(1) << 2 * (digit - 1);
    }
    return 0;
}

size_t model_free_digits(const struct model_cell *cell)
{
    return MODEL_DIGITS - cell->count;
}

void model_acknowledge(struct model *model, struct model_cell *cell, uint64_t stamp)
{
    struct candidate *candidate = find(cell, stamp);
    model->clock++;
    if (candidate == NULL) return; // Below the floor, and folded.
    if (candidate->certain_at == 0) candidate->certain_at = model->clock;
    if (candidate->digit == 0) raise_floor(cell, stamp, candidate->is_delete);
    fold(cell);
}

void model_refuse(struct model *model, struct model_cell *cell, uint64_t stamp)
{
    struct candidate *candidate = find(cell, stamp);
    model->clock++;
    if (candidate != NULL) drop(cell, candidate);
}

// ---- Reads -------------------------------------------------------------------------------------

void model_read_begin(struct model *model, struct model_cell *cell, struct model_view *view)
{
    cell->reads++;
    *view =
        (struct model_view){cell, cell->floor, model->clock++, cell->floor_is_delete, model->life};
}

void model_read_drop(struct model *model, struct model_view *view)
{
    (void)model;
    view->cell->reads--;
    fold(view->cell);
}

// Of an earlier life and not seen: it will never be.
static void rule_out(const struct model_view *view, uint64_t above)
{
    struct model_cell *cell = view->cell;
    for (size_t i = cell->count; i-- > 0;) {
        struct candidate *candidate = &cell->candidates[i];
        if (candidate->stamp > above && candidate->certain_at == 0 && candidate->life < view->life)
            drop(cell, candidate);
    }
}

// The oldest and the newest deletion that may be what a read of nothing saw; 0: none.
static void find_deletions(const struct model_view *view, uint64_t *first, uint64_t *last)
{
    const struct model_cell *cell = view->cell;
    *first = *last = 0;
    for (size_t i = 0; i < cell->count; i++) {
        const struct candidate *candidate = &cell->candidates[i];
        if (!candidate->is_delete || candidate->stamp <= view->floor) continue;
        if (*first == 0 || candidate->stamp < *first) *first = candidate->stamp;
        if (candidate->stamp > *last) *last = candidate->stamp;
    }
}

// Whether what is certain lets a read see nothing without any deletion.
static bool floor_is_nothing(const struct model_view *view)
{
    return view->floor == 0 || view->floor_is_delete;
}

static const char *say_nothing_is_wrong(const struct model_view *view, char message[static 512])
{
    (void)snprintf(message, 512, "nothing was read, but write %" PRIu64 " is certain", view->floor);
    return message;
}

static const char *read_nothing(struct model_view *view, char message[static 512])
{
    uint64_t first, last;
    find_deletions(view, &first, &last);
    if (!floor_is_nothing(view) && first == 0) return say_nothing_is_wrong(view, message);
    if (!floor_is_nothing(view)) raise_floor(view->cell, first, true);
    rule_out(view, last > view->floor ? last : view->floor);
    return NULL;
}

const char *model_read_no_place(struct model *model, struct model_view *view,
                                char message[static 512])
{
    uint64_t first, last;
    find_deletions(view, &first, &last);
    bool is_right = floor_is_nothing(view) || first > 0;
    const char *wrong = is_right ? NULL : say_nothing_is_wrong(view, message);
    model_read_drop(model, view);
    return wrong;
}

const char *model_read_value(struct model *model, struct model_view *view, uint64_t stamp,
                             char message[static 512])
{
    struct model_cell *cell = view->cell;
    const char *wrong = NULL;
    if (stamp == 0) {
        wrong = read_nothing(view, message);
    } else if (stamp < view->floor || (stamp == view->floor && view->floor_is_delete)) {
        (void)snprintf(message, 512, "write %" PRIu64 " was read, but %s %" PRIu64 " is certain",
                       stamp, view->floor_is_delete ? "deletion" : "write", view->floor);
        wrong = message;
    } else if (stamp > view->floor) {
        struct candidate *candidate = find(cell, stamp);
        if (candidate == NULL || candidate->is_delete) {
            (void)snprintf(message, 512,
                           "write %" PRIu64 " was read, which was refused, ruled out by a read "
                           "before, or never made (certain: %" PRIu64 ")",
                           stamp, view->floor);
            wrong = message;
        } else {
            if (candidate->certain_at == 0) candidate->certain_at = model->clock;
            raise_floor(cell, stamp, false);
        }
    }
    if (wrong == NULL && stamp > 0) rule_out(view, stamp);
    model_read_drop(model, view);
    return wrong;
}

const char *model_read_counter(struct model *model, struct model_view *view, int64_t value,
                               char message[static 512])
{
    struct model_cell *cell = view->cell;
    uint64_t rest = (uint64_t)value - (uint64_t)cell->base;
    const char *wrong = NULL;
    for (size_t i = cell->count; i-- > 0 && wrong == NULL;) {
        struct candidate *candidate = &cell->candidates[i];
        unsigned shift = 2 * (candidate->digit - 1u);
        uint64_t digit = rest >> shift & 3;
        if (digit == 1) {
            rest -= digit << shift;
            if (candidate->certain_at == 0) candidate->certain_at = model->clock;
        } else if (digit != 0 ||
                   (candidate->certain_at != 0 && candidate->certain_at <= view->began)) {
            (void)snprintf(message, 512,
                           "%" PRId64 " was read; certain are %" PRId64 " and increments: %" PRIu64
                           " is in it %" PRIu64 " times",
                           value, cell->base, candidate->stamp, digit);
            wrong = message;
        } else if (candidate->certain_at == 0 && candidate->life < view->life) {
            drop(cell, candidate);
        }
    }
    if (wrong == NULL && rest != 0) {
        (void)snprintf(message, 512,
                       "%" PRId64 " was read; certain are %" PRId64
                       ", and no increments make up for %" PRId64,
                       value, cell->base, (int64_t)rest);
        wrong = message;
    }
    model_read_drop(model, view);
    return wrong;
}
