// Posted tasks in the order of posting: a list through the owners' tasks, shared by env_uv and
// env_sim.
//
//     list.first ──▶ task ──next──▶ task ──next──▶ NULL
//         ▲           │ place        │ place         ▲
//         └───────────┘              └▶ (next of the one before)   list.last points at this NULL
//
// `place` points at the pointer that points at the task, so canceling needs no search; it is NULL
// in a task that does not wait.
#ifndef BASE_TASK_LIST_H
#define BASE_TASK_LIST_H

#include "base/env.h"

struct task_list {
    struct env_task *first;
    struct env_task **last;
};

// The list must not move afterwards.
void task_list_init(struct task_list *list);
// The tasks that wait do so no longer.
void task_list_deinit(struct task_list *list);

// Does nothing to a posted task.
void task_list_post(struct task_list *list, struct env_task *task,
                    void (*run)(struct env_task *task));
// Does nothing to one that does not wait.
void task_list_cancel(struct task_list *list, struct env_task *task);

// Runs the tasks that wait now, one after the other. Those that they post wait for the next call;
// those that they cancel do not run.
void task_list_run(struct task_list *list);

static inline bool task_list_is_empty(const struct task_list *list)
{
    return list->first == NULL;
}

#endif
