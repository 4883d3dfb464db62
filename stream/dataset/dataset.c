#include "stream/dataset/dataset.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { DATASET_TASK_BLOCK_SIZE = 16 * 1024 };

void dataset_graph_init(struct dataset_graph *graph)
{
    *graph = (struct dataset_graph){.first = NULL};
    graph->last = &graph->first;
    arena_init(&graph->task.arena, DATASET_TASK_BLOCK_SIZE);
}

void dataset_graph_deinit(struct dataset_graph *graph)
{
    for (struct dataset *dataset = graph->first, *next; dataset != NULL; dataset = next) {
        next = dataset->next;
        dataset->ops->destroy(dataset);
    }
    for (struct function *function = graph->functions, *next; function != NULL; function = next) {
        next = function->next;
        if (function->ops->destroy != NULL)
            function->ops->destroy(function);
        else
            free(function);
    }
    arena_deinit(&graph->task.arena);
}

void dataset_graph_own(struct dataset_graph *graph, struct function *function)
{
    function->next = graph->functions;
    graph->functions = function;
}

void dataset_graph_begin(struct dataset_graph *graph, uint64_t number, int64_t now_us)
{
    struct task *task = &graph->task;
    arena_reset(&task->arena);
    *task = (struct task){.now_us = now_us, .number = number, .arena = task->arena};
    for (struct dataset *dataset = graph->first; dataset != NULL; dataset = dataset->next)
        if (dataset->ops->reset != NULL) dataset->ops->reset(dataset);
}

enum status dataset_graph_finish(struct dataset_graph *graph)
{
    // Parents stand before their children, so what one emits here its children still take in.
    for (struct dataset *dataset = graph->first; dataset != NULL; dataset = dataset->next) {
        if (dataset->ops->finish == NULL) continue;
        enum status status = dataset->ops->finish(dataset);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

enum status dataset_add(struct dataset *dataset, struct dataset_graph *graph,
                        struct dataset *parent, struct error *error)
{
    ASSERT(dataset->ops != NULL);
    if (parent != NULL && parent->child_count == DATASET_CHILDREN_MAX)
        return error_set(error, STATUS_OVERLOADED, "more than %d operators on one stream",
                         DATASET_CHILDREN_MAX);
    dataset->graph = graph;
    dataset->parent = parent;
    dataset->next = NULL;
    if (parent != NULL) parent->children[parent->child_count++] = dataset;
    *graph->last = dataset;
    graph->last = &dataset->next;
    return STATUS_OK;
}

enum status dataset_emit(struct dataset *from, const struct record *record)
{
    for (size_t i = 0; i < from->child_count; i++) {
        enum status status = from->children[i]->ops->process(from->children[i], record);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

enum status dataset_fail(struct dataset *at, enum status status, const char *format, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(&dataset_task(at)->error, status, "%s: %s", at->ops->name, text);
}

enum status dataset_drop(struct dataset *at, enum json_fault fault)
{
    dataset_task(at)->faults[fault]++;
    return STATUS_OK;
}

void dataset_put_record(struct buffer *bytes, const struct record *record)
{
    buffer_put_vint(bytes, record->count);
    for (size_t i = 0; i < record->count; i++)
        value_put(bytes, &record->values[i]);
}

bool dataset_take_record(struct cursor *bytes, struct arena *arena, struct record *record)
{
    if (cursor_left(bytes) == 0) return false;
    uint64_t count = cursor_vint(bytes);
    if (count > VALUE_ITEMS_MAX) return false;
    struct value *values = ARENA_NEW_ARRAY(arena, struct value, count);
    for (size_t i = 0; i < count; i++)
        values[i] = value_take(bytes, arena);
    *record = (struct record){values, (size_t)count};
    return !bytes->failed;
}
