// What one turn of the loop has for one member: one message, one answer. The group keeps the bytes
// until then, so that what gets lost becomes hints.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/coordinator_state.h"
#include "ring/coordinator/delivery.h"

#include <stdlib.h>

struct delivery_entry {
    struct delivery *delivery;
    uint32_t start, size; // Of its record in the body.
};

struct delivery_group {
    struct messaging_request request;
    struct coordinator *coordinator;
    struct delivery_group *next, **place;
    uint16_t member;
    enum verb verb; // VERB_TRACED of a single one whose client wants its story.
    struct buffer body;
    struct delivery_entry *entries;
    size_t count, capacity;
    size_t sent_size;
};

static void delivery_group_link(struct delivery_group **list, struct delivery_group *group)
{
    group->next = *list;
    group->place = list;
    if (*list != NULL) (*list)->place = &group->next;
    *list = group;
}

static void delivery_group_unlink(struct delivery_group *group)
{
    *group->place = group->next;
    if (group->next != NULL) group->next->place = group->place;
}

static void delivery_group_free(struct delivery_group *group)
{
    buffer_deinit(&group->body);
    free(group->entries);
    free(group);
}

static struct delivery_group *delivery_group_take(struct coordinator *coordinator)
{
    struct deliveries *all = &coordinator->deliveries;
    struct delivery_group *group = all->free_groups;
    if (group != NULL) {
        delivery_group_unlink(group);
        all->free_group_count--;
        return group;
    }
    group = calloc(1, sizeof *group);
    ASSERT(group != NULL);
    group->coordinator = coordinator;
    buffer_init(&group->body, TRANSPORT_MESSAGE_SIZE_MAX);
    return group;
}

static void delivery_group_give_back(struct delivery_group *group)
{
    struct deliveries *all = &group->coordinator->deliveries;
    if (all->free_group_count >= DELIVERY_GROUPS_KEPT ||
        group->body.capacity > 2 * DELIVERY_GROUP_SIZE_MAX) {
        delivery_group_free(group);
        return;
    }
    buffer_clear(&group->body);
    group->count = 0;
    delivery_group_link(&all->free_groups, group);
    all->free_group_count++;
}

void delivery_groups_deinit(struct coordinator *coordinator)
{
    struct deliveries *all = &coordinator->deliveries;
    struct delivery_group **lists[] = {&all->open, &all->sent, &all->free_groups};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        while (*lists[i] != NULL) {
            struct delivery_group *group = *lists[i];
            delivery_group_unlink(group);
            delivery_group_free(group);
        }
    }
}

// ---- Answers ------------------------------------------------------------------------------------

// A table that is gone needs no hint, and what does not decode never will.
static bool is_worth_a_hint(enum status status)
{
    return status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_CORRUPT &&
           status != STATUS_INVALID;
}

static enum status delivery_group_status(const struct delivery_group *group, size_t index,
                                         enum status status, struct slice answer)
{
    if (status != STATUS_OK || answer.size == 0) return status;
    // An answer that does not fit says nothing about any of them.
    if (answer.size != group->count || answer.data[index] > STATUS_CANCELED) return STATUS_CLOSED;
    return (enum status)answer.data[index];
}

static void delivery_group_answered(struct messaging_request *request, enum status status,
                                    struct slice answer)
{
    struct delivery_group *group = CONTAINER_OF(request, struct delivery_group, request);
    struct coordinator *coordinator = group->coordinator;
    delivery_group_unlink(group);
    coordinator->deliveries.members[group->member].waiting_size -= group->sent_size;
    coordinator->counts.answers++;
    if (group->verb == VERB_TRACED) replica_trace_heard(coordinator, group->member, status);
    for (size_t i = 0; i < group->count; i++) {
        const struct delivery_entry *entry = &group->entries[i];
        enum status heard = delivery_group_status(group, i, status, answer);
        if (is_worth_a_hint(heard)) {
            env_mark(coordinator->env, ENV_MARK_DELIVERY_HINTED_LATE);
            delivery_hint(entry->delivery, group->member,
                          slice_make(group->body.data + entry->start, entry->size));
        }
        delivery_hear(entry->delivery, group->member, heard);
    }
    delivery_group_give_back(group);
}

// ---- Sending ------------------------------------------------------------------------------------

static void delivery_group_send(struct delivery_group *group)
{
    struct coordinator *coordinator = group->coordinator;
    struct deliveries *all = &coordinator->deliveries;
    struct delivery_member *member = &all->members[group->member];
    if (member->open == group) member->open = NULL;
    delivery_group_unlink(group);
    delivery_group_link(&all->sent, group);
    group->sent_size = group->body.size;
    member->waiting_size += group->sent_size;
    if (group->count > 1) env_mark(coordinator->env, ENV_MARK_DELIVERY_GROUP);
    messaging_send(coordinator->options.messaging, &group->request, group->member, group->verb,
                   buffer_slice(&group->body), coordinator->options.write_timeout_ns,
                   delivery_group_answered);
}

static void delivery_groups_flush(struct env_task *task)
{
    struct deliveries *all = CONTAINER_OF(task, struct deliveries, flush);
    const struct coordinator *coordinator = CONTAINER_OF(all, struct coordinator, deliveries);
    // The node stops: nothing leaves it any more, and nobody waits.
    if (coordinator_messaging(coordinator) == NULL) return;
    while (all->open != NULL)
        delivery_group_send(all->open);
}

static void delivery_group_put(struct delivery_group *group, struct slice record,
                               struct delivery *delivery)
{
    if (group->count == group->capacity) {
        group->capacity = group->capacity == 0 ? 16 : group->capacity * 2;
        group->entries = realloc(group->entries, group->capacity * sizeof *group->entries);
        ASSERT(group->entries != NULL);
    }
    buffer_put_vint(&group->body, record.size);
    group->entries[group->count++] =
        (struct delivery_entry){delivery, (uint32_t)group->body.size, (uint32_t)record.size};
    buffer_put(&group->body, record.data, record.size);
}

static struct delivery_group *delivery_group_begin(struct coordinator *coordinator, uint16_t member)
{
    struct delivery_group *group = delivery_group_take(coordinator);
    group->member = member;
    group->verb = VERB_WRITE;
    delivery_group_link(&coordinator->deliveries.open, group);
    return group;
}

// Alone, so that the member knows whose story it is.
static void delivery_group_add_traced(struct coordinator *coordinator, uint16_t member,
                                      struct slice record, struct delivery *delivery)
{
    struct delivery_group *group = delivery_group_begin(coordinator, member);
    group->verb = replica_trace_put(coordinator, delivery->trace, member, VERB_WRITE, &group->body);
    delivery_group_put(group, record, delivery);
    env_task_post(coordinator->env, &coordinator->deliveries.flush, delivery_groups_flush);
}

void delivery_group_add(struct coordinator *coordinator, uint16_t member, struct slice record,
                        struct delivery *delivery)
{
    struct deliveries *all = &coordinator->deliveries;
    ASSERT(member < TOPOLOGY_MEMBERS_MAX && all->members != NULL);
    if (delivery->trace != NULL) {
        delivery_group_add_traced(coordinator, member, record, delivery);
        return;
    }
    struct delivery_group *group = all->members[member].open;
    if (group != NULL && group->body.size + record.size > DELIVERY_GROUP_SIZE_MAX) {
        delivery_group_send(group);
        group = NULL;
    }
    if (group == NULL)
        group = all->members[member].open = delivery_group_begin(coordinator, member);
    delivery_group_put(group, record, delivery);
    env_task_post(coordinator->env, &all->flush, delivery_groups_flush);
}
