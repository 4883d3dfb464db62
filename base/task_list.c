#include "base/task_list.h"

#include "base/assert.h"

void task_list_init(struct task_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

void task_list_deinit(struct task_list *list)
{
    while (list->first != NULL)
        task_list_cancel(list, list->first);
}

void task_list_post(struct task_list *list, struct env_task *task,
                    void (*run)(struct env_task *task))
{
    if (task->place != NULL) return;
    task->run = run;
    task->next = NULL;
    task->place = list->last;
    *list->last = task;
    list->last = &task->next;
}

void task_list_cancel(struct task_list *list, struct env_task *task)
{
    if (task->place == NULL) return;
    ASSERT(*task->place == task);
    *task->place = task->next;
    if (task->next != NULL) task->next->place = task->place;
    // A task of the list that task_list_run() works on is not the last of this one.
    if (list->last == &task->next) list->last = task->place;
    task->next = NULL;
    task->place = NULL;
}

void task_list_run(struct task_list *list)
{
    struct task_list running = {.first = list->first, .last = NULL};
    if (running.first == NULL) return;
    running.first->place = &running.first;
    task_list_init(list);
    while (running.first != NULL) {
        struct env_task *task = running.first;
        task_list_cancel(&running, task);
        task->run(task);
    }
}
