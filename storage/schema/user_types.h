// The user-defined types of a keyspace (org.apache.cassandra.schema.Types): a catalogue of them by
// name.
//
// A type that names another holds the whole of it, and a column of a table holds all of its type:
// when ALTER TYPE makes a type another, all that hold it are made anew.
#ifndef STORAGE_USER_TYPES_H
#define STORAGE_USER_TYPES_H

#include "base/arena.h"
#include "storage/schema/type.h"

struct user_types {
    const struct type *const *items; // Not frozen; sorted by name, each once.
    size_t count;
};

// NULL when there is none.
const struct type *user_types_find(const struct user_types *types, struct slice name);
bool user_types_equal(const struct user_types *a, const struct user_types *b);
// All in the arena.
struct user_types user_types_copy(struct arena *arena, const struct user_types *types);
// With `type` in place of what has its name, in the others too; or beside them.
struct user_types user_types_put(struct arena *arena, const struct user_types *types,
                                 const struct type *type);
struct user_types user_types_remove(struct arena *arena, const struct user_types *types,
                                    struct slice name);

// `type` with each user-defined one in it as the catalogue has it; those that are not in it stay.
// `type` itself when that changes nothing.
const struct type *user_types_resolve(struct arena *arena, const struct user_types *types,
                                      const struct type *type);
// Tuples in place of user-defined types, as a dropped column has them (expandUserTypes()).
const struct type *user_types_expand(struct arena *arena, const struct type *type);
// Is, or holds somewhere, the type of that name.
bool user_types_refers(const struct type *type, struct slice name);
// The indexes of all in an order in which what a type holds comes before it: `types->count` places
// in the arena.
const size_t *user_types_order(struct arena *arena, const struct user_types *types);

// The field's index, or -1.
int user_types_field(const struct type *type, struct slice name);

#endif
