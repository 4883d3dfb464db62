#include "stream/dataset/operators.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// One struct for all of them: they differ in what they keep until the batch ends.
struct operators_dataset {
    struct dataset dataset;
    struct function *function;
    struct combine combine; // reduceByKey, countByValue: key -> value.
    struct arena values;    // reduceByKey: what a function made, two generations at most.
    struct buffer key;      // Scratch.
    struct buffer records;  // foreachRDD, print: records of the batch.
    size_t record_count, print_count;
};

static struct operators_dataset *operators_of(struct dataset *dataset)
{
    return CONTAINER_OF(dataset, struct operators_dataset, dataset);
}

static void operators_reset(struct dataset *dataset)
{
    struct operators_dataset *op = operators_of(dataset);
    combine_clear(&op->combine);
    arena_reset(&op->values);
    buffer_clear(&op->records);
    op->record_count = 0;
}

static void operators_destroy(struct dataset *dataset)
{
    struct operators_dataset *op = operators_of(dataset);
    combine_deinit(&op->combine);
    arena_deinit(&op->values);
    buffer_deinit(&op->key);
    buffer_deinit(&op->records);
    free(op);
}

static enum status operators_add(const struct dataset_ops *ops, struct dataset_graph *graph,
                                 struct dataset *parent, struct function *function,
                                 struct dataset **made, struct error *error)
{
    struct operators_dataset *op = calloc(1, sizeof *op);
    ASSERT(op != NULL);
    op->dataset.ops = ops;
    op->function = function;
    combine_init(&op->combine);
    arena_init(&op->values, 16 * KIB);
    buffer_init(&op->key, DATASET_HELD_MAX);
    buffer_init(&op->records, DATASET_HELD_MAX);
    enum status status = dataset_add(&op->dataset, graph, parent, error);
    if (status != STATUS_OK) {
        operators_destroy(&op->dataset);
        return status;
    }
    *made = &op->dataset;
    return STATUS_OK;
}

// ---- Source, map, filter -----------------------------------------------------------------------

static enum status operators_pass(struct dataset *dataset, const struct record *record)
{
    return dataset_emit(dataset, record);
}

enum status operators_source(struct dataset_graph *graph, struct dataset **made,
                             struct error *error)
{
    static const struct dataset_ops ops = {"source", operators_pass, NULL, operators_reset,
                                           operators_destroy};
    return operators_add(&ops, graph, NULL, NULL, made, error);
}

static enum status operators_apply_process(struct dataset *dataset, const struct record *record)
{
    struct function *function = operators_of(dataset)->function;
    return function->ops->apply(function, dataset, record);
}

enum status operators_apply(struct dataset *parent, struct function *function,
                            struct dataset **made, struct error *error)
{
    static const struct dataset_ops ops = {"map", operators_apply_process, NULL, operators_reset,
                                           operators_destroy};
    ASSERT(function->ops->apply != NULL);
    return operators_add(&ops, parent->graph, parent, function, made, error);
}

static enum status operators_filter_process(struct dataset *dataset, const struct record *record)
{
    struct function *function = operators_of(dataset)->function;
    bool keep = false;
    enum status status = function->ops->test(function, dataset, record, &keep);
    return status == STATUS_OK && keep ? dataset_emit(dataset, record) : status;
}

enum status operators_filter(struct dataset *parent, struct function *function,
                             struct dataset **made, struct error *error)
{
    static const struct dataset_ops ops = {"filter", operators_filter_process, NULL,
                                           operators_reset, operators_destroy};
    ASSERT(function->ops->test != NULL);
    return operators_add(&ops, parent->graph, parent, function, made, error);
}

// ---- reduceByKey, countByValue -----------------------------------------------------------------

static enum status operators_check_held(struct dataset *dataset)
{
    struct operators_dataset *op = operators_of(dataset);
    if (combine_size(&op->combine) + arena_size(&op->values) <= DATASET_HELD_MAX) return STATUS_OK;
    return dataset_fail(dataset, STATUS_OVERLOADED,
                        "more than %zu MiB of keys in one batch; make batches smaller",
                        DATASET_HELD_MAX / MIB);
}

// The arena of reduced values grows with each call; once most of it is stale, the live ones move.
static void operators_compact_values(struct operators_dataset *op)
{
    size_t limit = 64 * (size_t)KIB + op->combine.count * 256;
    if (arena_size(&op->values) < limit) return;
    struct arena fresh;
    arena_init(&fresh, 64 * KIB);
    for (size_t i = 0; i < op->combine.capacity; i++) {
        struct combine_slot *slot = &op->combine.slots[i];
        if (!slice_is_null(slot->key)) slot->value = value_copy(&fresh, &slot->value);
    }
    arena_deinit(&op->values);
    op->values = fresh;
}

static enum status operators_reduce_values(struct dataset *dataset, struct value *held,
                                           const struct value *value)
{
    struct operators_dataset *op = operators_of(dataset);
    struct value result;
    if (op->function == NULL) {
        if (!value_add(held, value, &result))
            return dataset_fail(dataset, STATUS_INVALID, "add of %s and %s",
                                value_kind_text(held->kind), value_kind_text(value->kind));
        *held = result;
        return STATUS_OK;
    }
    enum status status = op->function->ops->reduce(op->function, dataset, held, value, &result);
    if (status != STATUS_OK) return status;
    *held = value_copy(&op->values, &result);
    operators_compact_values(op);
    return STATUS_OK;
}

static enum status operators_combine(struct dataset *dataset, const struct value *value)
{
    struct operators_dataset *op = operators_of(dataset);
    bool is_new;
    struct value *held = combine_find(&op->combine, buffer_slice(&op->key), &is_new);
    if (!is_new) return operators_reduce_values(dataset, held, value);
    *held = value_copy(&op->values, value);
    dataset_task(dataset)->keys++;
    return operators_check_held(dataset);
}

static enum status operators_reduce_process(struct dataset *dataset, const struct record *record)
{
    struct operators_dataset *op = operators_of(dataset);
    if (record->count != 2)
        return dataset_fail(dataset, STATUS_INVALID,
                            "needs pairs (key, value), not records of %zu values; a key of "
                            "several values is a table {a, b}",
                            record->count);
    buffer_clear(&op->key);
    value_put(&op->key, &record->values[0]);
    return operators_combine(dataset, &record->values[1]);
}

static enum status operators_count_process(struct dataset *dataset, const struct record *record)
{
    struct operators_dataset *op = operators_of(dataset);
    struct value whole =
        record->count == 1 ? record->values[0] : value_tuple(record->values, record->count);
    buffer_clear(&op->key);
    value_put(&op->key, &whole);
    struct value one = value_integer(1);
    return operators_combine(dataset, &one);
}

static enum status operators_reduce_finish(struct dataset *dataset)
{
    struct operators_dataset *op = operators_of(dataset);
    struct arena *arena = &dataset_task(dataset)->arena;
    for (size_t i = 0; i < op->combine.capacity; i++) {
        const struct combine_slot *slot = &op->combine.slots[i];
        if (slice_is_null(slot->key)) continue;
        arena_reset(arena);
        struct cursor cursor = cursor_make(slot->key);
        struct value pair[2] = {value_take(&cursor, arena), slot->value};
        ASSERT(!cursor.failed);
        enum status status = dataset_emit(dataset, &(struct record){pair, 2});
        if (status != STATUS_OK) return status;
    }
    operators_reset(dataset);
    return STATUS_OK;
}

enum status operators_reduce_by_key(struct dataset *parent, struct function *function,
                                    struct dataset **made, struct error *error)
{
    static const struct dataset_ops ops = {"reduceByKey", operators_reduce_process,
                                           operators_reduce_finish, operators_reset,
                                           operators_destroy};
    ASSERT(function == NULL || function->ops->reduce != NULL);
    return operators_add(&ops, parent->graph, parent, function, made, error);
}

enum status operators_count_by_value(struct dataset *parent, struct dataset **made,
                                     struct error *error)
{
    static const struct dataset_ops ops = {"countByValue", operators_count_process,
                                           operators_reduce_finish, operators_reset,
                                           operators_destroy};
    return operators_add(&ops, parent->graph, parent, NULL, made, error);
}

// ---- foreachRDD, print --------------------------------------------------------------------------

static enum status operators_hold(struct dataset *dataset, const struct record *record)
{
    struct operators_dataset *op = operators_of(dataset);
    op->record_count++;
    dataset_put_record(&op->records, record);
    if (!op->records.overflow) return STATUS_OK;
    return dataset_fail(dataset, STATUS_OVERLOADED,
                        "more than %zu MiB of records in one batch; make batches smaller",
                        DATASET_HELD_MAX / MIB);
}

static enum status operators_for_each_finish(struct dataset *dataset)
{
    struct operators_dataset *op = operators_of(dataset);
    enum status status = op->function->ops->consume(op->function, dataset,
                                                    buffer_slice(&op->records), op->record_count);
    operators_reset(dataset);
    return status;
}

enum status operators_for_each(struct dataset *parent, struct function *function,
                               struct dataset **made, struct error *error)
{
    static const struct dataset_ops ops = {"foreachRDD", operators_hold, operators_for_each_finish,
                                           operators_reset, operators_destroy};
    ASSERT(function->ops->consume != NULL);
    return operators_add(&ops, parent->graph, parent, function, made, error);
}

static enum status operators_print_process(struct dataset *dataset, const struct record *record)
{
    struct operators_dataset *op = operators_of(dataset);
    if (op->record_count < op->print_count) {
        struct value whole =
            record->count == 1 ? record->values[0] : value_tuple(record->values, record->count);
        value_put_text(&op->records, &whole);
        buffer_put_u8(&op->records, '\n');
    }
    op->record_count++;
    return STATUS_OK;
}

static enum status operators_print_finish(struct dataset *dataset)
{
    struct operators_dataset *op = operators_of(dataset);
    printf("-------------------------------------------\n"
           "Time: %" PRId64 " ms\n"
           "-------------------------------------------\n",
           dataset_task(dataset)->now_us / 1000);
    (void)fwrite(op->records.data, 1, op->records.size, stdout);
    printf(op->record_count > op->print_count ? "...\n\n" : "\n");
    (void)fflush(stdout);
    operators_reset(dataset);
    return STATUS_OK;
}

enum status operators_print(struct dataset *parent, size_t count, struct dataset **made,
                            struct error *error)
{
    static const struct dataset_ops ops = {"print", operators_print_process, operators_print_finish,
                                           operators_reset, operators_destroy};
    enum status status = operators_add(&ops, parent->graph, parent, NULL, made, error);
    if (status == STATUS_OK) operators_of(*made)->print_count = count;
    return status;
}
