#include "storage/schema/type.h"

#include "base/assert.h"

#define X(kind, cql, java, id, size) [TYPE_##kind] = {TYPE_##kind, .frozen = false},
static const struct type scalars[TYPE_KIND_COUNT] = {TYPE_MAP(X)};
#undef X

const struct type *type_of_kind(enum type_kind kind)
{
    ASSERT(kind < TYPE_LIST || kind == TYPE_EMPTY);
    return &scalars[kind];
}

// What is frozen freezes all inside it, so that equal types are equal trees.
static struct type *make(struct arena *arena, enum type_kind kind, bool frozen,
                         const struct type *const *parameters, uint16_t count)
{
    struct type *type = ARENA_NEW(arena, struct type);
    const struct type **copies = ARENA_NEW_ARRAY(arena, const struct type *, count);
    for (uint16_t i = 0; i < count; i++)
        copies[i] = frozen ? type_freeze(arena, parameters[i]) : parameters[i];
    type->kind = kind;
    type->frozen = frozen;
    type->parameter_count = count;
    type->parameters = copies;
    return type;
}

const struct type *type_make_list(struct arena *arena, const struct type *element, bool frozen)
{
    return make(arena, TYPE_LIST, frozen, &element, 1);
}

const struct type *type_make_set(struct arena *arena, const struct type *element, bool frozen)
{
    return make(arena, TYPE_SET, frozen, &element, 1);
}

const struct type *type_make_map(struct arena *arena, const struct type *key,
                                 const struct type *value, bool frozen)
{
    const struct type *parameters[] = {key, value};
    return make(arena, TYPE_MAP, frozen, parameters, 2);
}

const struct type *type_make_tuple(struct arena *arena, const struct type *const *elements,
                                   uint16_t count)
{
    return make(arena, TYPE_TUPLE, true, elements, count);
}

const struct type *type_make_udt(struct arena *arena, struct slice keyspace, struct slice name,
                                 const struct slice *field_names,
                                 const struct type *const *field_types, uint16_t count, bool frozen)
{
    struct type *type = make(arena, TYPE_UDT, frozen, field_types, count);
    type->keyspace = keyspace;
    type->name = name;
    type->field_names = field_names;
    return type;
}

const struct type *type_make_vector(struct arena *arena, const struct type *element,
                                    uint16_t dimension)
{
    struct type *type = make(arena, TYPE_VECTOR, true, &element, 1);
    type->dimension = dimension;
    return type;
}

const struct type *type_make_custom(struct arena *arena, struct slice java_text)
{
    struct type *type = make(arena, TYPE_CUSTOM, false, NULL, 0);
    type->name = java_text;
    return type;
}

const struct type *type_freeze(struct arena *arena, const struct type *type)
{
    if (type->frozen || type->parameter_count == 0) return type;
    struct type *frozen = make(arena, type->kind, true, type->parameters, type->parameter_count);
    frozen->dimension = type->dimension;
    frozen->keyspace = type->keyspace;
    frozen->name = type->name;
    frozen->field_names = type->field_names;
    return frozen;
}

const struct type *type_copy(struct arena *arena, const struct type *type)
{
    if (type == &scalars[type->kind]) return type;
    struct type *copy = ARENA_NEW(arena, struct type);
    *copy = *type;
    copy->keyspace = arena_copy(arena, type->keyspace);
    copy->name = arena_copy(arena, type->name);
    const struct type **parameters =
        ARENA_NEW_ARRAY(arena, const struct type *, type->parameter_count);
    for (uint16_t i = 0; i < type->parameter_count; i++)
        parameters[i] = type_copy(arena, type->parameters[i]);
    copy->parameters = parameters;
    if (type->field_names == NULL) return copy;
    struct slice *field_names = ARENA_NEW_ARRAY(arena, struct slice, type->parameter_count);
    for (uint16_t i = 0; i < type->parameter_count; i++)
        field_names[i] = arena_copy(arena, type->field_names[i]);
    copy->field_names = field_names;
    return copy;
}

bool type_contains_kind(const struct type *type, enum type_kind kind)
{
    if (type->kind == kind) return true;
    for (uint16_t i = 0; i < type->parameter_count; i++)
        if (type_contains_kind(type->parameters[i], kind)) return true;
    return false;
}

bool type_equals(const struct type *a, const struct type *b)
{
    if (a == b) return true;
    if (a->kind != b->kind || type_is_multi_cell(a) != type_is_multi_cell(b) ||
        a->parameter_count != b->parameter_count || a->dimension != b->dimension ||
        !slice_equals(a->keyspace, b->keyspace) || !slice_equals(a->name, b->name))
        return false;
    for (uint16_t i = 0; i < a->parameter_count; i++) {
        if (!type_equals(a->parameters[i], b->parameters[i])) return false;
        if (a->kind == TYPE_UDT && !slice_equals(a->field_names[i], b->field_names[i]))
            return false;
    }
    return true;
}

bool type_is_multi_cell(const struct type *type)
{
    return !type->frozen && (type_is_collection(type) || type->kind == TYPE_UDT);
}

// Classes of old tables that we keep as CUSTOM but whose values have no length before them.
static size_t custom_fixed_size(struct slice java_text)
{
    static const char package[] = "org.apache.cassandra.db.marshal.";
    static const struct {
        const char *class;
        size_t size;
    } known[] = {{"LexicalUUIDType", 16}, {"DateType", 8}, {"LegacyTimeUUIDType", 16}};
    if (java_text.size < sizeof package || memcmp(java_text.data, package, sizeof package - 1) != 0)
        return 0;
    struct slice class =
        slice_make(java_text.data + sizeof package - 1, java_text.size - (sizeof package - 1));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_equals(class, slice_of_text(known[i].class))) return known[i].size;
    return 0;
}

size_t type_fixed_size(const struct type *type)
{
#define X(kind, cql, java, id, size) size,
    static const uint8_t sizes[TYPE_KIND_COUNT] = {TYPE_MAP(X)};
#undef X
    if (type->kind == TYPE_VECTOR) return type_fixed_size(type->parameters[0]) * type->dimension;
    if (type->kind == TYPE_CUSTOM) return custom_fixed_size(type->name);
    return sizes[type->kind];
}

bool type_fits(const struct type *type, struct slice value)
{
    size_t fixed = type_fixed_size(type);
    return fixed == 0 || value.size == 0 || value.size == fixed;
}
