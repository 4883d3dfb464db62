// The order inside a memtable: a B+tree of pointers, for partitions by token and for the rows of a
// partition by clustering. Things are added, never removed; all memory is the arena's.
//
//     branch:  | first of child 0 | first of child 1 | ...
//     leaf:    | item | item | ...  <-> the next leaf
//
// Beside each pointer stands a prefix, a number that grows with the key (or stays the same), so
// that most comparisons do not touch the item. A tree of one leaf starts small: most partitions
// have few rows.
#ifndef STORAGE_MEMTABLE_ORDER_H
#define STORAGE_MEMTABLE_ORDER_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Order of a key against an item of equal prefix: negative, zero, positive.
typedef int memtable_order_compare(const void *context, const void *key, const void *item);

struct memtable_order_leaf;

// All zero is an empty one.
struct memtable_order {
    void *root; // A leaf if `height` is 0.
    struct memtable_order_leaf *first, *last;
    size_t count;
    uint32_t height;
};

// A place between items. Good until the next insertion.
struct memtable_order_cursor {
    struct memtable_order_leaf *leaf;
    int32_t index; // Of the item behind the place.
};

enum { MEMTABLE_ORDER_HEIGHT_MAX = 16 };

// Where a key is or belongs, with the way to it from the root.
struct memtable_order_path {
    struct memtable_order_cursor at;
    void *branches[MEMTABLE_ORDER_HEIGHT_MAX];
    uint32_t children[MEMTABLE_ORDER_HEIGHT_MAX];
};

// The item of this key, or NULL. `path`, if not NULL, is where the first item not before the key
// is, or where the key belongs.
void *memtable_order_find(const struct memtable_order *order, uint64_t prefix, const void *key,
                          memtable_order_compare *compare, const void *context,
                          struct memtable_order_path *path);
// Puts an item where memtable_order_find() did not find its key.
void memtable_order_insert(struct memtable_order *order, struct arena *arena,
                           const struct memtable_order_path *path, uint64_t prefix, void *item);

// For who looks for many keys, and does not want to wait for each: asks for the memory of the top;
// then, once that is there, tells where likely the key's item is, and asks for that place. NULL:
// there is none. Good until the next insertion.
void memtable_order_prefetch(const struct memtable_order *order);
void *const *memtable_order_guess(const struct memtable_order *order, uint64_t prefix);

struct memtable_order_cursor memtable_order_begin(const struct memtable_order *order);
struct memtable_order_cursor memtable_order_end(const struct memtable_order *order);
// The item behind the place, which moves behind it; NULL at the end.
void *memtable_order_next(struct memtable_order_cursor *cursor);
// The same, but the place stays.
void *memtable_order_peek(const struct memtable_order_cursor *cursor);
// Asks for what memtable_order_begin() looks at.
void memtable_order_prefetch_begin(const struct memtable_order *order);
// The item before the place, which moves before it; NULL at the beginning.
void *memtable_order_previous(struct memtable_order_cursor *cursor);

#endif
