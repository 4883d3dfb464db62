#include "node/sim/linearizable.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct event {
    size_t register_index;
    enum linearizable_kind kind;
    uint64_t expected, value, seen;
    uint64_t begin, end; // `end` UINT64_MAX: no answer.
    bool applied, is_refused;
    bool is_in_chain;
};

struct linearizable {
    size_t register_count;
    struct event *events;
    size_t count, capacity;
};

struct linearizable *linearizable_create(size_t register_count)
{
    struct linearizable *history = calloc(1, sizeof *history);
    ASSERT(history != NULL);
    history->register_count = register_count;
    return history;
}

void linearizable_destroy(struct linearizable *history)
{
    free(history->events);
    free(history);
}

uint64_t linearizable_begin(struct linearizable *history, size_t register_index,
                            enum linearizable_kind kind, uint64_t expected, uint64_t value,
                            uint64_t time)
{
    ASSERT(register_index < history->register_count);
    if (history->count == history->capacity) {
        history->capacity = history->capacity == 0 ? 256 : 2 * history->capacity;
        history->events = realloc(history->events, history->capacity * sizeof *history->events);
        ASSERT(history->events != NULL);
    }
    history->events[history->count] = (struct event){.register_index = register_index,
                                                     .kind = kind,
                                                     .expected = expected,
                                                     .value = value,
                                                     .begin = time,
                                                     .end = UINT64_MAX};
    return history->count++;
}

void linearizable_end(struct linearizable *history, uint64_t event, bool applied, uint64_t seen,
                      uint64_t time)
{
    ASSERT(event < history->count);
    history->events[event].applied = applied;
    history->events[event].seen = seen;
    history->events[event].end = time;
}

void linearizable_refuse(struct linearizable *history, uint64_t event)
{
    ASSERT(event < history->count);
    history->events[event].is_refused = true;
}

// ---- The check ---------------------------------------------------------------------------------

static struct event *find_writer(const struct linearizable *history, size_t index, uint64_t value)
{
    for (size_t i = 0; i < history->count; i++) {
        struct event *event = &history->events[i];
        if (event->register_index == index && event->kind == LINEARIZABLE_COMPARE &&
            event->value == value)
            return event;
    }
    return NULL;
}

// A read, or a compare that was told what was there instead.
static bool is_sight(const struct event *event)
{
    return event->end != UINT64_MAX && !event->is_refused && !event->applied;
}

// The value was there once, so was the one before it, and so on.
static bool put_in_chain(const struct linearizable *history, size_t index, uint64_t value,
                         char message[static 512])
{
    while (value != 0) {
        struct event *writer = find_writer(history, index, value);
        if (writer == NULL || writer->is_refused || is_sight(writer)) {
            (void)snprintf(message, 512,
                           "register %zu had the value %" PRIu64 ", which nobody wrote or whose "
                           "writer was told that it was not applied",
                           index, value);
            return false;
        }
        if (writer->is_in_chain) return true;
        writer->is_in_chain = true;
        value = writer->expected;
    }
    return true;
}

static bool find_chain(const struct linearizable *history, size_t index, char message[static 512])
{
    for (size_t i = 0; i < history->count; i++) {
        struct event *event = &history->events[i];
        if (event->register_index != index || event->is_refused || event->end == UINT64_MAX)
            continue;
        if (is_sight(event) && event->kind == LINEARIZABLE_COMPARE &&
            event->seen == event->expected) {
            (void)snprintf(message, 512,
                           "register %zu: %" PRIu64 " was not applied though %" PRIu64 " was there",
                           index, event->value, event->expected);
            return false;
        }
        if (!put_in_chain(history, index, event->applied ? event->value : event->seen, message))
            return false;
    }
    return true;
}

// The one that follows a value; false: two do.
static bool find_next(const struct linearizable *history, size_t index, uint64_t value,
                      const struct event **next, char message[static 512])
{
    *next = NULL;
    for (size_t i = 0; i < history->count; i++) {
        const struct event *event = &history->events[i];
        if (event->register_index != index || event->kind != LINEARIZABLE_COMPARE ||
            !event->is_in_chain || event->expected != value)
            continue;
        if (*next != NULL) {
            (void)snprintf(message, 512,
                           "register %zu: both %" PRIu64 " and %" PRIu64
                           " were written over %" PRIu64,
                           index, (*next)->value, event->value, value);
            return false;
        }
        *next = event;
    }
    return true;
}

// The earliest moment at which the value may end, when it may begin at `begin`. False: somebody saw
// it before that.
static bool find_sights(const struct linearizable *history, size_t index, uint64_t value,
                        uint64_t begin, uint64_t *end, char message[static 512])
{
    *end = begin;
    for (size_t i = 0; i < history->count; i++) {
        const struct event *event = &history->events[i];
        if (event->register_index != index || !is_sight(event) || event->seen != value) continue;
        if (event->begin > *end) *end = event->begin;
        if (begin <= event->end) continue;
        (void)snprintf(message, 512,
                       "register %zu: %" PRIu64 " was seen from turn %" PRIu64 " to %" PRIu64
                       ", but it can not have been there before turn %" PRIu64,
                       index, value, event->begin, event->end, begin);
        return false;
    }
    return true;
}

static bool check_register(const struct linearizable *history, size_t index,
                           char message[static 512])
{
    if (!find_chain(history, index, message)) return false;
    uint64_t value = 0, begin = 0;
    for (;;) {
        uint64_t end;
        const struct event *next;
        if (!find_sights(history, index, value, begin, &end, message)) return false;
        if (!find_next(history, index, value, &next, message)) return false;
        if (next == NULL) return true;
        begin = next->begin > end ? next->begin : end;
        if (begin > next->end) {
            (void)snprintf(message, 512,
                           "register %zu: %" PRIu64 " was written until turn %" PRIu64
                           ", but %" PRIu64 " was still there in turn %" PRIu64,
                           index, next->value, next->end, value, begin);
            return false;
        }
        value = next->value;
    }
}

bool linearizable_check(const struct linearizable *history, char message[static 512])
{
    for (size_t index = 0; index < history->register_count; index++)
        if (!check_register(history, index, message)) return false;
    return true;
}
