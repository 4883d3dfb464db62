#include "ring/transport/request_table.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdlib.h>

enum { REQUEST_TABLE_PLACE_BITS = 18, REQUEST_TABLE_CAPACITY_MIN = 32 };

_Static_assert(REQUEST_TABLE_COUNT_MAX <= 1u << REQUEST_TABLE_PLACE_BITS, "a place fits");

void request_table_init(struct request_table *table)
{
    *table = (struct request_table){0};
}

void request_table_deinit(struct request_table *table)
{
    free(table->slots);
    uint64_t sequence = table->sequence;
    *table = (struct request_table){.sequence = sequence};
}

static void request_table_grow(struct request_table *table)
{
    uint32_t from = table->capacity == 0 ? 1 : table->capacity;
    uint32_t to = table->capacity == 0 ? REQUEST_TABLE_CAPACITY_MIN : 2 * table->capacity;
    table->slots = realloc(table->slots, to * sizeof table->slots[0]);
    ASSERT(table->slots != NULL);
    if (table->capacity == 0) table->slots[0] = (struct request_slot){0};
    for (uint32_t place = from; place < to; place++)
        table->slots[place] = (struct request_slot){.next = place + 1 < to ? place + 1 : 0};
    table->free = from;
    table->capacity = to;
}

uint64_t request_table_add(struct request_table *table, void *request)
{
    if (table->free == 0) {
        if (table->capacity == REQUEST_TABLE_COUNT_MAX) return 0;
        request_table_grow(table);
    }
    uint32_t place = table->free;
    struct request_slot *slot = &table->slots[place], *ends = &table->slots[0];
    table->free = slot->next;
    table->count++;
    *slot = (struct request_slot){.request = request,
                                  .id = ++table->sequence << REQUEST_TABLE_PLACE_BITS | place,
                                  .previous = ends->previous};
    table->slots[ends->previous].next = place;
    ends->previous = place;
    return slot->id;
}

static void *request_table_remove(struct request_table *table, uint32_t place)
{
    struct request_slot *slot = &table->slots[place];
    table->slots[slot->previous].next = slot->next;
    table->slots[slot->next].previous = slot->previous;
    slot->id = 0;
    slot->next = table->free;
    table->free = place;
    table->count--;
    return slot->request;
}

void *request_table_take(struct request_table *table, uint64_t id)
{
    uint32_t place = (uint32_t)(id & ((1u << REQUEST_TABLE_PLACE_BITS) - 1));
    if (place == 0 || place >= table->capacity || table->slots[place].id != id) return NULL;
    return request_table_remove(table, place);
}

void *request_table_take_first(struct request_table *table)
{
    if (table->count == 0) return NULL;
    return request_table_remove(table, table->slots[0].next);
}
