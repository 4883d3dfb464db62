#include "storage/schema/user_types.h"

// ---- Looking for one ----------------------------------------------------------------------------

// The index where the name is, or would be.
static size_t user_types_search(const struct user_types *types, struct slice name, bool *found)
{
    size_t low = 0, high = types->count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int side = slice_compare(name, types->items[middle]->name);
        if (side == 0) *found = true;
        if (side <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct type *user_types_find(const struct user_types *types, struct slice name)
{
    bool found;
    size_t index = user_types_search(types, name, &found);
    return found ? types->items[index] : NULL;
}

bool user_types_equal(const struct user_types *a, const struct user_types *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!type_equals(a->items[i], b->items[i])) return false;
    return true;
}

bool user_types_refers(const struct type *type, struct slice name)
{
    if (type->kind == TYPE_UDT && slice_equals(type->name, name)) return true;
    for (uint16_t i = 0; i < type->parameter_count; i++)
        if (user_types_refers(type->parameters[i], name)) return true;
    return false;
}

int user_types_field(const struct type *type, struct slice name)
{
    for (uint16_t i = 0; i < type->parameter_count; i++)
        if (slice_equals(type->field_names[i], name)) return i;
    return -1;
}

// ---- Others in place of types -------------------------------------------------------------------

// Its parameters after `change`; NULL when none of them is another then.
static const struct type **user_types_change_parameters(
    struct arena *arena, const struct type *type, const void *context,
    const struct type *(*change)(struct arena *arena, const void *context, const struct type *type))
{
    const struct type **changed = NULL;
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        const struct type *parameter = change(arena, context, type->parameters[i]);
        if (parameter != type->parameters[i] && changed == NULL) {
            changed = ARENA_NEW_ARRAY(arena, const struct type *, type->parameter_count);
            memcpy(changed, type->parameters, i * sizeof(*changed));
        }
        if (changed != NULL) changed[i] = parameter;
    }
    return changed;
}

static const struct type *user_types_with_parameters(struct arena *arena, const struct type *type,
                                                     const struct type **parameters)
{
    if (parameters == NULL) return type;
    struct type *made = ARENA_NEW(arena, struct type);
    *made = *type;
    made->parameters = parameters;
    return made;
}

static const struct type *user_types_resolve_one(struct arena *arena, const void *context,
                                                 const struct type *type)
{
    const struct user_types *types = context;
    const struct type *known = type->kind == TYPE_UDT ? user_types_find(types, type->name) : NULL;
    if (known == NULL)
        return user_types_with_parameters(
            arena, type, user_types_change_parameters(arena, type, types, user_types_resolve_one));
    if (type->frozen) known = type_freeze(arena, known);
    return type_equals(known, type) ? type : known;
}

const struct type *user_types_resolve(struct arena *arena, const struct user_types *types,
                                      const struct type *type)
{
    return user_types_resolve_one(arena, types, type);
}

static const struct type *user_types_expand_one(struct arena *arena, const void *context,
                                                const struct type *type)
{
    const struct type **parameters =
        user_types_change_parameters(arena, type, context, user_types_expand_one);
    if (type->kind != TYPE_UDT) return user_types_with_parameters(arena, type, parameters);
    return type_make_tuple(arena, parameters == NULL ? type->parameters : parameters,
                           type->parameter_count);
}

const struct type *user_types_expand(struct arena *arena, const struct type *type)
{
    return user_types_expand_one(arena, NULL, type);
}

// Puts `context`, a type, in place of those that have its name.
static const struct type *user_types_replace_one(struct arena *arena, const void *context,
                                                 const struct type *type)
{
    const struct type *with = context;
    if (type->kind == TYPE_UDT && slice_equals(type->name, with->name))
        return type->frozen ? type_freeze(arena, with) : with;
    return user_types_with_parameters(
        arena, type, user_types_change_parameters(arena, type, context, user_types_replace_one));
}

// ---- Catalogues ---------------------------------------------------------------------------------

struct user_types user_types_copy(struct arena *arena, const struct user_types *types)
{
    const struct type **items = ARENA_NEW_ARRAY(arena, const struct type *, types->count);
    for (size_t i = 0; i < types->count; i++)
        items[i] = type_copy(arena, types->items[i]);
    return (struct user_types){items, types->count};
}

struct user_types user_types_put(struct arena *arena, const struct user_types *types,
                                 const struct type *type)
{
    bool found;
    size_t place = user_types_search(types, type->name, &found), count = 0;
    const struct type **items = ARENA_NEW_ARRAY(arena, const struct type *, types->count + 1);
    for (size_t i = 0; i <= types->count; i++) {
        if (i == place) items[count++] = type;
        if (i == types->count || (i == place && found)) continue;
        items[count++] = user_types_replace_one(arena, type, types->items[i]);
    }
    return (struct user_types){items, count};
}

struct user_types user_types_remove(struct arena *arena, const struct user_types *types,
                                    struct slice name)
{
    const struct type **items = ARENA_NEW_ARRAY(arena, const struct type *, types->count);
    size_t count = 0;
    for (size_t i = 0; i < types->count; i++)
        if (!slice_equals(types->items[i]->name, name)) items[count++] = types->items[i];
    return (struct user_types){items, count};
}

struct ordering {
    const struct user_types *types;
    bool *is_placed;
    size_t *order, count;
};

static void ordering_add(struct ordering *ordering, const struct type *type)
{
    bool found = false;
    size_t index = 0;
    if (type->kind == TYPE_UDT) index = user_types_search(ordering->types, type->name, &found);
    if (found && ordering->is_placed[index]) return;
    for (uint16_t i = 0; i < type->parameter_count; i++)
        ordering_add(ordering, type->parameters[i]);
    if (!found || ordering->is_placed[index]) return;
    ordering->is_placed[index] = true;
    ordering->order[ordering->count++] = index;
}

const size_t *user_types_order(struct arena *arena, const struct user_types *types)
{
    struct ordering ordering = {.types = types};
    ordering.is_placed = ARENA_NEW_ARRAY(arena, bool, types->count);
    ordering.order = ARENA_NEW_ARRAY(arena, size_t, types->count);
    for (size_t i = 0; i < types->count; i++)
        ordering_add(&ordering, types->items[i]);
    return ordering.order;
}
