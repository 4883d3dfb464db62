// Requests that wait for their answers, by the id that travels with them.
//
//     id = sequence (46 bits) | place in the table (18 bits)
//
// Finding one needs no search: the place is in the id, and the sequence says whether who sits there
// now is still the same. An id is never given twice, so an answer that comes late, or twice, finds
// nothing. They are also chained in the order in which they came.
#ifndef RING_REQUEST_TABLE_H
#define RING_REQUEST_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request_slot {
    void *request;
    uint64_t id;             // 0: free.
    uint32_t previous, next; // Of the chain, or of the free ones. 0 is no request but its ends.
};

struct request_table {
    struct request_slot *slots; // NULL before the first.
    uint32_t count, capacity;
    uint32_t free; // First of the free slots; 0: none.
    uint64_t sequence;
};

void request_table_init(struct request_table *table);
// Those in it are forgotten.
void request_table_deinit(struct request_table *table);
// Never 0 but when REQUEST_TABLE_COUNT_MAX wait.
uint64_t request_table_add(struct request_table *table, void *request);
// NULL when there is none of this id (any more), else it is taken out.
void *request_table_take(struct request_table *table, uint64_t id);
// The one that came first; NULL when there is none.
void *request_table_take_first(struct request_table *table);

#endif
