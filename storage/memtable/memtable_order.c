#include "storage/memtable/memtable_order.h"

#include "base/assert.h"

enum { LEAF_CAPACITY_MAX = 64, BRANCH_CAPACITY = 32 };

struct leaf_entry {
    uint64_t prefix;
    void *item;
};

struct memtable_order_leaf {
    struct memtable_order_leaf *next, *previous;
    uint32_t count, capacity;
    struct leaf_entry entries[];
};

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
    struct memtable_order_leaf *leaf =
        arena_alloc(arena, sizeof *leaf + sizeof leaf->entries[0] * capacity);
    leaf->next = leaf->previous = NULL;
    leaf->count = 0;
    leaf->capacity = capacity;
    return leaf;
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

// The first item that is not before the key.
static uint32_t leaf_search(const struct memtable_order_leaf *leaf, const struct order_key *key,
                            bool *found)
{
    uint32_t low = 0, high = leaf->count;
    *found = false;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order =
            order_key_compare(key, leaf->entries[middle].prefix, leaf->entries[middle].item);
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
    bool found;
    uint32_t index = leaf_search(leaf, &wanted, &found);
    if (path != NULL) path->at = (struct memtable_order_cursor){leaf, (int32_t)index};
    return found ? leaf->entries[index].item : NULL;
}

static void leaf_insert(struct memtable_order_leaf *leaf, uint32_t index, struct leaf_entry entry)
{
    memmove(&leaf->entries[index + 1], &leaf->entries[index], (leaf->count - index) * sizeof entry);
    leaf->entries[index] = entry;
    leaf->count++;
}

// Splits a full leaf around the place. Items that come in order fill leaves to the end.
static struct memtable_order_leaf *leaf_split(struct memtable_order *order, struct arena *arena,
                                              struct memtable_order_leaf *leaf, uint32_t index)
{
    struct memtable_order_leaf *right = leaf_make(arena, LEAF_CAPACITY_MAX);
    uint32_t kept = index == leaf->count && leaf->next == NULL ? leaf->count : leaf->count / 2;
    right->count = leaf->count - kept;
    memcpy(right->entries, &leaf->entries[kept], right->count * sizeof right->entries[0]);
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
    if (old != NULL) {
        memcpy(leaf->entries, old->entries, old->count * sizeof old->entries[0]);
        leaf->count = old->count;
    }
    order->root = order->first = order->last = leaf;
    return leaf;
}

void memtable_order_insert(struct memtable_order *order, struct arena *arena,
                           const struct memtable_order_path *path, uint64_t prefix, void *item)
{
    struct memtable_order_leaf *leaf = path->at.leaf;
    uint32_t index = (uint32_t)path->at.index;
    struct leaf_entry entry = {prefix, item};
    order->count++;
    if (leaf == NULL || (leaf->count == leaf->capacity && leaf->capacity < LEAF_CAPACITY_MAX)) {
        ASSERT(order->height == 0);
        leaf_insert(order_grow_leaf(order, arena), index, entry);
        return;
    }
    if (leaf->count < leaf->capacity) {
        leaf_insert(leaf, index, entry);
        return;
    }
    struct memtable_order_leaf *right = leaf_split(order, arena, leaf, index);
    // A place between the two halves belongs to the left one, unless that is full: then what was
    // behind it would have to be in the right one, and is.
    if (index > leaf->count || leaf->count == leaf->capacity) {
        leaf_insert(right, index - leaf->count, entry);
    } else {
        leaf_insert(leaf, index, entry);
    }
    order_add_node(order, arena, path,
                   (struct branch_entry){right->entries[0].prefix, right->entries[0].item, right});
}

struct memtable_order_cursor memtable_order_begin(const struct memtable_order *order)
{
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
    return leaf->entries[cursor->index++].item;
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
    return leaf->entries[--cursor->index].item;
}
