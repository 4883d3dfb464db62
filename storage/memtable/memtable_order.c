#include "storage/memtable/memtable_order.h"

#include "base/assert.h"

enum { LEAF_CAPACITY_MAX = 64, BRANCH_CAPACITY = 32 };
// What is fetched ahead of a walk: most rows and partitions have not more lines.
enum { CACHE_LINE = 64, ITEM_LINES = 3, ITEMS_AHEAD = 8 };

// Prefixes, then items, `capacity` of each: a search looks at prefixes that lie close together.
struct memtable_order_leaf {
    struct memtable_order_leaf *next, *previous;
    uint32_t count, capacity;
    uint64_t prefixes[];
};

static inline void **leaf_items(const struct memtable_order_leaf *leaf)
{
    return (void **)(uintptr_t)(leaf->prefixes + leaf->capacity);
}

struct branch_entry {
    uint64_t prefix; // Of the first item under the child; that of child 0 is never looked at.
    void *item;
    void *child;
};

struct branch {
    uint32_t count;
    struct branch_entry entries[BRANCH_CAPACITY];
};

static struct memtable_order_leaf *leaf_make(struct arena *arena, uint32_t capacity)
{
    size_t entry_size = sizeof(uint64_t) + sizeof(void *);
    struct memtable_order_leaf *leaf = arena_alloc(arena, sizeof *leaf + capacity * entry_size);
    leaf->next = leaf->previous = NULL;
    leaf->count = 0;
    leaf->capacity = capacity;
    return leaf;
}

// The room that the only leaf of an order has for this many items.
static uint32_t leaf_capacity_for(size_t count)
{
    uint32_t capacity = 1;
    while (capacity < count && capacity < LEAF_CAPACITY_MAX)
        capacity *= 4;
    return capacity;
}

// gcc takes an inline function that only prefetches for one that does nothing, and leaves it out.
#define PREFETCHES static inline __attribute__((always_inline)) void

// Memory is asked for all of a leaf at once: a search that met one miss after the other would wait
// several times as long. How large it is has to be known without looking at it.
PREFETCHES leaf_prefetch(const struct memtable_order_leaf *leaf, uint32_t capacity)
{
    const char *begin = (const char *)leaf, *end = (const char *)(leaf->prefixes + 2 * capacity);
    for (const char *line = begin; line < end; line += CACHE_LINE)
        __builtin_prefetch(line);
}

struct order_key {
    uint64_t prefix;
    const void *key;
    memtable_order_compare *compare;
    const void *context;
};

static inline int order_key_compare(const struct order_key *key, uint64_t prefix, const void *item)
{
    if (key->prefix != prefix) return key->prefix < prefix ? -1 : 1;
    return key->compare(key->context, key->key, item);
}

// The last child whose first item is not behind the key.
static uint32_t branch_search(const struct branch *branch, const struct order_key *key)
{
    uint32_t low = 1, high = branch->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct branch_entry *entry = &branch->entries[middle];
        if (order_key_compare(key, entry->prefix, entry->item) < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low - 1;
}

// The first prefix that is not below this one, or, if `behind`, that is above it. Without branches:
// nobody could foretell them.
static inline uint32_t leaf_search_prefix(const struct memtable_order_leaf *leaf, uint64_t prefix,
                                          bool behind)
{
    const uint64_t *prefixes = leaf->prefixes;
    uint32_t low = 0, count = leaf->count;
    while (count > 0) {
        uint32_t half = count / 2;
        uint64_t middle = prefixes[low + half];
        bool is_before = behind ? middle <= prefix : middle < prefix;
        low = is_before ? low + half + 1 : low;
        count = is_before ? count - half - 1 : half;
    }
    return low;
}

// The first item that is not before the key.
static uint32_t leaf_search(const struct memtable_order_leaf *leaf, const struct order_key *key,
                            bool *found)
{
    void *const *items = leaf_items(leaf);
    uint32_t low = leaf_search_prefix(leaf, key->prefix, false), high = low;
    *found = false;
    if (low < leaf->count && leaf->prefixes[low] == key->prefix) {
        // Mostly it is the only one.
        high = low + 1;
        if (high < leaf->count && leaf->prefixes[high] == key->prefix)
            high = leaf_search_prefix(leaf, key->prefix, true);
    }
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = key->compare(key->context, key->key, items[middle]);
        if (order == 0) {
            *found = true; // No other is equal to it.
            return middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

void *memtable_order_find(const struct memtable_order *order, uint64_t prefix, const void *key,
                          memtable_order_compare *compare, const void *context,
                          struct memtable_order_path *path)
{
    struct order_key wanted = {prefix, key, compare, context};
    if (order->root == NULL) {
        if (path != NULL) path->at = (struct memtable_order_cursor){NULL, 0};
        return NULL;
    }
    void *node = order->root;
    for (uint32_t level = 0; level < order->height; level++) {
        struct branch *branch = node;
        uint32_t child = branch_search(branch, &wanted);
        if (path != NULL) {
            path->branches[level] = branch;
            path->children[level] = child;
        }
        node = branch->entries[child].child;
    }
    struct memtable_order_leaf *leaf = node;
    leaf_prefetch(leaf, order->height == 0 ? leaf_capacity_for(order->count) : LEAF_CAPACITY_MAX);
    bool found;
    uint32_t index = leaf_search(leaf, &wanted, &found);
    if (path != NULL) path->at = (struct memtable_order_cursor){leaf, (int32_t)index};
    return found ? leaf_items(leaf)[index] : NULL;
}

void memtable_order_prefetch(const struct memtable_order *order)
{
    if (order->root == NULL) return;
    // Of a leaf the prefixes only.
    size_t size = order->height == 0 ? sizeof(struct memtable_order_leaf) +
                                           leaf_capacity_for(order->count) * sizeof(uint64_t)
                                     : sizeof(struct branch);
    for (size_t at = 0; at < size; at += CACHE_LINE)
        __builtin_prefetch((const char *)order->root + at);
}

void *const *memtable_order_guess(const struct memtable_order *order, uint64_t prefix)
{
    void *node = order->root;
    if (node == NULL) return NULL;
    for (uint32_t level = 0; level < order->height; level++) {
        const struct branch *branch = node;
        uint32_t child = branch->count - 1;
        while (child > 0 && branch->entries[child].prefix > prefix)
            child--;
        node = branch->entries[child].child;
    }
    const struct memtable_order_leaf *leaf = node;
    uint32_t index = leaf_search_prefix(leaf, prefix, false);
    if (index == leaf->count) return NULL;
    void *const *item = &leaf_items(leaf)[index];
    __builtin_prefetch(item);
    return item;
}

static void leaf_insert(struct memtable_order_leaf *leaf, uint32_t index, uint64_t prefix,
                        void *item)
{
    void **items = leaf_items(leaf);
    uint32_t moved = leaf->count - index;
    memmove(&leaf->prefixes[index + 1], &leaf->prefixes[index], moved * sizeof prefix);
    memmove(&items[index + 1], &items[index], moved * sizeof item);
    leaf->prefixes[index] = prefix;
    items[index] = item;
    leaf->count++;
}

// Puts the items of `from` from `first` on into an empty leaf.
static void leaf_take(struct memtable_order_leaf *leaf, const struct memtable_order_leaf *from,
                      uint32_t first)
{
    leaf->count = from->count - first;
    memcpy(leaf->prefixes, &from->prefixes[first], leaf->count * sizeof(uint64_t));
    memcpy(leaf_items(leaf), &leaf_items(from)[first], leaf->count * sizeof(void *));
}

// Splits a full leaf around the place. Items that come in order fill leaves to the end.
static struct memtable_order_leaf *leaf_split(struct memtable_order *order, struct arena *arena,
                                              struct memtable_order_leaf *leaf, uint32_t index)
{
    struct memtable_order_leaf *right = leaf_make(arena, LEAF_CAPACITY_MAX);
    uint32_t kept = index == leaf->count && leaf->next == NULL ? leaf->count : leaf->count / 2;
    leaf_take(right, leaf, kept);
    leaf->count = kept;
    right->next = leaf->next;
    right->previous = leaf;
    if (leaf->next != NULL) leaf->next->previous = right;
    leaf->next = right;
    if (order->last == leaf) order->last = right;
    return right;
}

static void branch_insert(struct branch *branch, uint32_t index, struct branch_entry entry)
{
    memmove(&branch->entries[index + 1], &branch->entries[index],
            (branch->count - index) * sizeof entry);
    branch->entries[index] = entry;
    branch->count++;
}

static struct branch *branch_split(struct arena *arena, struct branch *branch, uint32_t index)
{
    struct branch *right = ARENA_NEW(arena, struct branch);
    uint32_t kept = index == branch->count ? branch->count - 1 : branch->count / 2;
    right->count = branch->count - kept;
    memcpy(right->entries, &branch->entries[kept], right->count * sizeof right->entries[0]);
    branch->count = kept;
    return right;
}

// `entry` is a new node to the right of the one at the end of the path: adds it to the branches
// above, from the lowest up.
static void order_add_node(struct memtable_order *order, struct arena *arena,
                           const struct memtable_order_path *path, struct branch_entry entry)
{
    for (uint32_t level = order->height; level > 0; level--) {
        struct branch *branch = path->branches[level - 1];
        uint32_t index = path->children[level - 1] + 1;
        if (branch->count < BRANCH_CAPACITY) {
            branch_insert(branch, index, entry);
            return;
        }
        struct branch *right = branch_split(arena, branch, index);
        if (index > branch->count) {
            branch_insert(right, index - branch->count, entry);
        } else {
            branch_insert(branch, index, entry);
        }
        entry = (struct branch_entry){right->entries[0].prefix, right->entries[0].item, right};
    }
    struct branch *root = ARENA_NEW(arena, struct branch);
    root->count = 2;
    root->entries[0] = (struct branch_entry){0, NULL, order->root};
    root->entries[1] = entry;
    order->root = root;
    order->height++;
    ASSERT(order->height < MEMTABLE_ORDER_HEIGHT_MAX);
}

// The only leaf, with room for more.
static struct memtable_order_leaf *order_grow_leaf(struct memtable_order *order,
                                                   struct arena *arena)
{
    struct memtable_order_leaf *old = order->root;
    uint32_t capacity = old == NULL ? 1 : old->capacity * 4;
    if (capacity > LEAF_CAPACITY_MAX) capacity = LEAF_CAPACITY_MAX;
    struct memtable_order_leaf *leaf = leaf_make(arena, capacity);
    if (old != NULL) leaf_take(leaf, old, 0);
    order->root = order->first = order->last = leaf;
    return leaf;
}

void memtable_order_insert(struct memtable_order *order, struct arena *arena,
                           const struct memtable_order_path *path, uint64_t prefix, void *item)
{
    struct memtable_order_leaf *leaf = path->at.leaf;
    uint32_t index = (uint32_t)path->at.index;
    order->count++;
    if (leaf == NULL || (leaf->count == leaf->capacity && leaf->capacity < LEAF_CAPACITY_MAX)) {
        ASSERT(order->height == 0);
        leaf_insert(order_grow_leaf(order, arena), index, prefix, item);
        return;
    }
    if (leaf->count < leaf->capacity) {
        leaf_insert(leaf, index, prefix, item);
        return;
    }
    struct memtable_order_leaf *right = leaf_split(order, arena, leaf, index);
    // A place between the two halves belongs to the left one, unless that is full: then what was
    // behind it would have to be in the right one, and is.
    if (index > leaf->count || leaf->count == leaf->capacity) {
        leaf_insert(right, index - leaf->count, prefix, item);
    } else {
        leaf_insert(leaf, index, prefix, item);
    }
    order_add_node(order, arena, path,
                   (struct branch_entry){right->prefixes[0], leaf_items(right)[0], right});
}

// Items lie in memory in the order in which they were made: who walks through them asks for the one
// that he will look at some steps later.
PREFETCHES item_prefetch(const struct memtable_order_leaf *leaf, int32_t index)
{
    if (index < 0 || index >= (int32_t)leaf->count) return;
    const char *item = leaf_items(leaf)[index];
    for (int line = 0; line < ITEM_LINES; line++)
        __builtin_prefetch(item + line * CACHE_LINE);
}

struct memtable_order_cursor memtable_order_begin(const struct memtable_order *order)
{
    for (int32_t i = 0; order->first != NULL && i < ITEMS_AHEAD; i++)
        item_prefetch(order->first, i);
    return (struct memtable_order_cursor){order->first, 0};
}

struct memtable_order_cursor memtable_order_end(const struct memtable_order *order)
{
    return (struct memtable_order_cursor){order->last,
                                          order->last == NULL ? 0 : (int32_t)order->last->count};
}

void *memtable_order_next(struct memtable_order_cursor *cursor)
{
    struct memtable_order_leaf *leaf = cursor->leaf;
    if (leaf == NULL) return NULL;
    if (cursor->index == (int32_t)leaf->count) {
        if (leaf->next == NULL) return NULL;
        leaf = leaf->next;
        *cursor = (struct memtable_order_cursor){leaf, 0};
    }
    item_prefetch(leaf, cursor->index + ITEMS_AHEAD);
    return leaf_items(leaf)[cursor->index++];
}

void *memtable_order_peek(const struct memtable_order_cursor *cursor)
{
    const struct memtable_order_leaf *leaf = cursor->leaf;
    if (leaf == NULL || cursor->index == (int32_t)leaf->count) return NULL;
    return leaf_items(leaf)[cursor->index];
}

void memtable_order_prefetch_begin(const struct memtable_order *order)
{
    if (order->first == NULL) return;
    uint32_t capacity = order->height == 0 ? leaf_capacity_for(order->count) : LEAF_CAPACITY_MAX;
    const char *items = (const char *)(order->first->prefixes + capacity);
    __builtin_prefetch(order->first);
    for (size_t at = 0; at < capacity * sizeof(void *); at += CACHE_LINE)
        __builtin_prefetch(items + at);
}

void *memtable_order_previous(struct memtable_order_cursor *cursor)
{
    struct memtable_order_leaf *leaf = cursor->leaf;
    if (leaf == NULL) return NULL;
    if (cursor->index == 0) {
        if (leaf->previous == NULL) return NULL;
        leaf = leaf->previous;
        *cursor = (struct memtable_order_cursor){leaf, (int32_t)leaf->count};
    }
    item_prefetch(leaf, cursor->index - 1 - ITEMS_AHEAD);
    return leaf_items(leaf)[--cursor->index];
}
