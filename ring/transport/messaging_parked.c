#include "ring/transport/messaging_internal.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"

#include <stdlib.h>

// Who sent it has given up by then, or soon will.
#define MESSAGING_PARKED_NS UINT64_C(5000000000)

static void messaging_parking_expire(struct env_timer *timer);

void messaging_parking_init(struct messaging_parking *parking, struct messaging *messaging)
{
    *parking = (struct messaging_parking){.messaging = messaging, .last = &parking->first};
}

static struct messaging_parked *messaging_parking_take(struct messaging_parking *parking,
                                                       struct messaging_parked **place)
{
    struct messaging_parked *parked = *place;
    *place = parked->next;
    if (parked->next == NULL) parking->last = place;
    parking->count--;
    parking->size -= parked->size;
    return parked;
}

void messaging_parking_deinit(struct messaging_parking *parking)
{
    struct env *env = parking->messaging->env;
    env_timer_stop(env, &parking->timer);
    env_task_cancel(env, &parking->task);
    while (parking->first != NULL)
        free(messaging_parking_take(parking, &parking->first));
}

// All wait equally long, so the first is the first to end.
static void messaging_parking_arm(struct messaging_parking *parking)
{
    struct env *env = parking->messaging->env;
    if (parking->first == NULL) {
        env_timer_stop(env, &parking->timer);
        return;
    }
    uint64_t now_ns = env_monotonic_ns(env), deadline_ns = parking->first->deadline_ns;
    env_timer_start(env, &parking->timer, deadline_ns > now_ns ? deadline_ns - now_ns : 0,
                    messaging_parking_expire);
}

static void messaging_parking_expire(struct env_timer *timer)
{
    struct messaging_parking *parking = CONTAINER_OF(timer, struct messaging_parking, timer);
    uint64_t now_ns = env_monotonic_ns(parking->messaging->env);
    while (parking->first != NULL && parking->first->deadline_ns <= now_ns) {
        struct messaging_parked *parked = messaging_parking_take(parking, &parking->first);
        messaging_answer(parking->messaging, parked->origin, STATUS_TIMED_OUT, slice_make("", 0));
        free(parked);
    }
    messaging_parking_arm(parking);
}

bool messaging_parking_add(struct messaging_parking *parking, uint64_t log_number,
                           const struct message *message)
{
    struct slice body = message->body;
    if (parking->count == MESSAGING_PARKED_MAX ||
        body.size > MESSAGING_PARKED_SIZE_MAX - parking->size)
        return false;
    struct messaging_parked *parked = malloc(sizeof *parked + body.size);
    ASSERT(parked != NULL);
    struct env *env = parking->messaging->env;
    *parked = (struct messaging_parked){.log_number = log_number,
                                        .deadline_ns = env_monotonic_ns(env) + MESSAGING_PARKED_NS,
                                        .from = message->from,
                                        .verb = message->verb,
                                        .origin = message->origin,
                                        .size = body.size};
    if (body.size > 0) memcpy(parked->body, body.data, body.size);
    env_mark(env, ENV_MARK_MESSAGING_PARKED);
    *parking->last = parked;
    parking->last = &parked->next;
    parking->count++;
    parking->size += body.size;
    if (parking->count == 1) messaging_parking_arm(parking);
    return true;
}

static void messaging_parking_run(struct env_task *task)
{
    struct messaging_parking *parking = CONTAINER_OF(task, struct messaging_parking, task);
    struct messaging *messaging = parking->messaging;
    uint64_t log_number = messaging->options.log_number(messaging->options.context);
    struct messaging_parked **place = &parking->first;
    while (*place != NULL) {
        if ((*place)->log_number > log_number) {
            place = &(*place)->next;
            continue;
        }
        struct messaging_parked *parked = messaging_parking_take(parking, place);
        struct message message = {.from = parked->from,
                                  .verb = parked->verb,
                                  .body = slice_make(parked->body, parked->size),
                                  .origin = parked->origin};
        env_mark(messaging->env, ENV_MARK_MESSAGING_UNPARKED);
        // A handler can add to the list, at its end, but takes nothing out of it.
        messaging_dispatch(messaging, &message);
        free(parked);
    }
    messaging_parking_arm(parking);
}

void messaging_parking_moved(struct messaging_parking *parking)
{
    if (parking->first != NULL)
        env_task_post(parking->messaging->env, &parking->task, messaging_parking_run);
}
