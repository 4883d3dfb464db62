// Keyspaces and the map of names. Tables are in table.c.
#include "storage/schema/schema.h"

#include "base/assert.h"
#include "base/limits.h"
#include "storage/schema/options.h"
#include "storage/schema/schema_codec.h"

#include <stdlib.h>
#include <xxhash.h>

enum { DEFINITION_SIZE_MAX = 64 * 1024 * 1024 };

// ---- Keyspaces ----------------------------------------------------------------------------------

const struct keyspace *keyspace_make(struct slice name, const struct options *replication,
                                     bool durable_writes, bool is_virtual)
{
    const struct user_types none = {NULL, 0};
    return keyspace_make_with_types(name, replication, durable_writes, is_virtual, &none);
}

const struct keyspace *keyspace_make_with_types(struct slice name,
                                                const struct options *replication,
                                                bool durable_writes, bool is_virtual,
                                                const struct user_types *types)
{
    struct keyspace *keyspace = calloc(1, sizeof *keyspace);
    ASSERT(keyspace != NULL);
    arena_init(&keyspace->arena, 512);
    keyspace->references = 1;
    keyspace->name = arena_copy(&keyspace->arena, name);
    keyspace->replication = options_copy(&keyspace->arena, replication);
    keyspace->durable_writes = durable_writes;
    keyspace->is_virtual = is_virtual;
    keyspace->types = user_types_copy(&keyspace->arena, types);
    return keyspace;
}

void keyspace_ref(const struct keyspace *keyspace)
{
    // As in table_ref(): the count alone changes.
    uint32_t *references = (uint32_t *)(uintptr_t)&keyspace->references;
    __atomic_fetch_add(references, 1, __ATOMIC_RELAXED);
}

void keyspace_unref(const struct keyspace *keyspace)
{
    if (keyspace == NULL) return;
    struct keyspace *owned = (struct keyspace *)(uintptr_t)keyspace;
    uint32_t before = __atomic_fetch_sub(&owned->references, 1, __ATOMIC_ACQ_REL);
    ASSERT(before > 0);
    if (before > 1) return;
    arena_deinit(&owned->arena);
    free(owned);
}

// ---- The map ------------------------------------------------------------------------------------

// Of a definition's bytes.
struct fingerprint {
    XXH128_hash_t hash;
    size_t size;
};

struct table_entry {
    const struct table *table;
    struct fingerprint fingerprint;
};

struct keyspace_entry {
    const struct keyspace *keyspace;
    struct fingerprint fingerprint;
    struct table_entry *tables; // Sorted by name.
    size_t table_count, table_capacity;
};

struct schema {
    struct keyspace_entry *keyspaces; // Sorted by name.
    size_t keyspace_count, keyspace_capacity;
    const struct table **by_id; // All tables, sorted by id.
    size_t table_count, table_capacity;
    size_t size; // Of all definitions, in bytes.
};

struct schema *schema_create(void)
{
    struct schema *schema = calloc(1, sizeof *schema);
    ASSERT(schema != NULL);
    return schema;
}

static void free_tables(struct keyspace_entry *entry)
{
    for (size_t i = 0; i < entry->table_count; i++)
        table_unref(entry->tables[i].table);
    free(entry->tables);
}

void schema_destroy(struct schema *schema)
{
    if (schema == NULL) return;
    for (size_t i = 0; i < schema->keyspace_count; i++) {
        free_tables(&schema->keyspaces[i]);
        keyspace_unref(schema->keyspaces[i].keyspace);
    }
    free(schema->keyspaces);
    free(schema->by_id);
    free(schema);
}

// Makes room for one more at `index` of an array that grows by doubling.
static void *open_gap(void *items, size_t *count, size_t *capacity, size_t index, size_t item_size)
{
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? 8 : 2 * *capacity;
        items = realloc(items, *capacity * item_size);
        ASSERT(items != NULL);
    }
    uint8_t *at = (uint8_t *)items + index * item_size;
    memmove(at + item_size, at, (*count - index) * item_size);
    (*count)++;
    return items;
}

static void close_gap(void *items, size_t *count, size_t index, size_t item_size)
{
    uint8_t *at = (uint8_t *)items + index * item_size;
    (*count)--;
    memmove(at, at + item_size, (*count - index) * item_size);
}

static int order_keyspace(const void *name, const void *entry)
{
    const struct keyspace_entry *keyspace = entry;
    return slice_compare(*(const struct slice *)name, keyspace->keyspace->name);
}

static int order_table(const void *name, const void *entry)
{
    const struct table_entry *table = entry;
    return slice_compare(*(const struct slice *)name, table->table->name);
}

static int order_id(const void *id, const void *entry)
{
    const struct table *const *table = entry;
    return memcmp(id, (*table)->id.bytes, sizeof(struct uuid));
}

// The index where the name or id is, or would be.
static inline size_t search(const void *items, size_t count, size_t item_size,
                            int (*order)(const void *key, const void *item), const void *key,
                            bool *found)
{
    size_t low = 0, high = count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int side = order(key, (const uint8_t *)items + middle * item_size);
        if (side == 0) *found = true;
        if (side <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static size_t search_keyspace(const struct schema *schema, struct slice name, bool *found)
{
    return search(schema->keyspaces, schema->keyspace_count, sizeof *schema->keyspaces,
                  order_keyspace, &name, found);
}

static size_t search_table(const struct keyspace_entry *entry, struct slice name, bool *found)
{
    return search(entry->tables, entry->table_count, sizeof *entry->tables, order_table, &name,
                  found);
}

static size_t search_id(const struct schema *schema, struct uuid id, bool *found)
{
    return search(schema->by_id, schema->table_count, sizeof *schema->by_id, order_id, id.bytes,
                  found);
}

static struct keyspace_entry *find_entry(const struct schema *schema, struct slice name)
{
    bool found;
    size_t index = search_keyspace(schema, name, &found);
    return found ? &schema->keyspaces[index] : NULL;
}

const struct keyspace *schema_find_keyspace(const struct schema *schema, struct slice name)
{
    const struct keyspace_entry *entry = find_entry(schema, name);
    return entry == NULL ? NULL : entry->keyspace;
}

const struct table *schema_find_table(const struct schema *schema, struct slice keyspace,
                                      struct slice name)
{
    const struct keyspace_entry *entry = find_entry(schema, keyspace);
    if (entry == NULL) return NULL;
    bool found;
    size_t index = search_table(entry, name, &found);
    return found ? entry->tables[index].table : NULL;
}

const struct table *schema_find_table_by_id(const struct schema *schema, struct uuid id)
{
    bool found;
    size_t index = search_id(schema, id, &found);
    return found ? schema->by_id[index] : NULL;
}

static struct fingerprint fingerprint_of(struct buffer *bytes)
{
    ASSERT(!bytes->overflow);
    struct slice all = buffer_slice(bytes);
    struct fingerprint fingerprint = {XXH3_128bits(all.data, all.size), all.size};
    buffer_deinit(bytes);
    return fingerprint;
}

static struct fingerprint fingerprint_keyspace(const struct keyspace *keyspace)
{
    struct buffer bytes;
    buffer_init(&bytes, DEFINITION_SIZE_MAX);
    schema_codec_put_keyspace(&bytes, keyspace);
    return fingerprint_of(&bytes);
}

static struct fingerprint fingerprint_table(const struct table *table)
{
    struct buffer bytes;
    buffer_init(&bytes, DEFINITION_SIZE_MAX);
    schema_codec_put_table(&bytes, table);
    return fingerprint_of(&bytes);
}

static void forget_id(struct schema *schema, struct uuid id)
{
    bool found;
    size_t index = search_id(schema, id, &found);
    if (found) close_gap(schema->by_id, &schema->table_count, index, sizeof *schema->by_id);
}

static void remember_id(struct schema *schema, const struct table *table)
{
    bool found;
    size_t index = search_id(schema, table->id, &found);
    if (!found)
        schema->by_id = open_gap(schema->by_id, &schema->table_count, &schema->table_capacity,
                                 index, sizeof *schema->by_id);
    schema->by_id[index] = table;
}

static bool table_holds_user_type(const struct table *table)
{
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < table->column_counts[kind]; i++)
            if (type_contains_kind(table->columns[kind][i].type, TYPE_UDT)) return true;
    return false;
}

// The table with the keyspace's types; NULL when it has them.
static const struct table *table_with_types(const struct table *table,
                                            const struct user_types *types)
{
    if (!table_holds_user_type(table)) return NULL;
    struct table_builder *builder = table_builder_copy(table);
    if (table_builder_resolve_types(builder, types)) return table_builder_finish(builder);
    table_builder_destroy(builder);
    return NULL;
}

// For each table of `entry` what it is to be replaced by, or NULL; `size` as it would be then.
static struct table_entry *make_tables_with_types(const struct keyspace_entry *entry,
                                                  const struct user_types *types, size_t *size)
{
    struct table_entry *made = calloc(entry->table_count + 1, sizeof *made);
    ASSERT(made != NULL);
    for (size_t i = 0; i < entry->table_count; i++) {
        made[i].table = table_with_types(entry->tables[i].table, types);
        if (made[i].table == NULL) continue;
        made[i].fingerprint = fingerprint_table(made[i].table);
        *size += made[i].fingerprint.size - entry->tables[i].fingerprint.size;
    }
    return made;
}

static void free_made_tables(struct table_entry *made, size_t count)
{
    for (size_t i = 0; i < count; i++)
        table_unref(made[i].table);
    free(made);
}

static void take_made_tables(struct schema *schema, struct keyspace_entry *entry,
                             struct table_entry *made)
{
    for (size_t i = 0; i < entry->table_count; i++) {
        if (made[i].table == NULL) continue;
        remember_id(schema, made[i].table);
        table_unref(entry->tables[i].table);
        entry->tables[i] = made[i];
    }
    free(made);
}

enum status schema_put_keyspace(struct schema *schema, const struct keyspace *keyspace)
{
    bool found;
    size_t index = search_keyspace(schema, keyspace->name, &found);
    struct fingerprint fingerprint = fingerprint_keyspace(keyspace);
    size_t size = schema->size + fingerprint.size;
    struct keyspace_entry *old = found ? &schema->keyspaces[index] : NULL;
    struct table_entry *made = NULL;
    if (found) size -= old->fingerprint.size;
    if (found && !user_types_equal(&old->keyspace->types, &keyspace->types))
        made = make_tables_with_types(old, &keyspace->types, &size);
    if (size > SCHEMA_SIZE_MAX) {
        if (made != NULL) free_made_tables(made, old->table_count);
        return STATUS_OVERLOADED;
    }
    if (made != NULL) take_made_tables(schema, old, made);
    if (!found) {
        if (schema->keyspace_count == SCHEMA_KEYSPACES_MAX) return STATUS_OVERLOADED;
        schema->keyspaces = open_gap(schema->keyspaces, &schema->keyspace_count,
                                     &schema->keyspace_capacity, index, sizeof *schema->keyspaces);
        schema->keyspaces[index] = (struct keyspace_entry){.keyspace = NULL};
    }
    struct keyspace_entry *entry = &schema->keyspaces[index];
    keyspace_ref(keyspace);
    keyspace_unref(entry->keyspace);
    entry->keyspace = keyspace;
    entry->fingerprint = fingerprint;
    schema->size = size;
    return STATUS_OK;
}

enum status schema_put_table(struct schema *schema, const struct table *table)
{
    struct keyspace_entry *entry = find_entry(schema, table->keyspace);
    if (entry == NULL) return STATUS_NOT_FOUND;
    bool found;
    size_t index = search_table(entry, table->name, &found);
    struct fingerprint fingerprint = fingerprint_table(table);
    size_t size = schema->size + fingerprint.size;
    if (found) size -= entry->tables[index].fingerprint.size;
    if (size > SCHEMA_SIZE_MAX) return STATUS_OVERLOADED;
    if (!found) {
        if (schema->table_count == SCHEMA_TABLES_MAX) return STATUS_OVERLOADED;
        entry->tables = open_gap(entry->tables, &entry->table_count, &entry->table_capacity, index,
                                 sizeof *entry->tables);
        entry->tables[index].table = NULL;
    }
    const struct table *before = entry->tables[index].table;
    table_ref(table);
    if (before != NULL) forget_id(schema, before->id);
    remember_id(schema, table);
    table_unref(before);
    entry->tables[index] = (struct table_entry){table, fingerprint};
    schema->size = size;
    return STATUS_OK;
}

void schema_remove_table(struct schema *schema, struct slice keyspace, struct slice name)
{
    struct keyspace_entry *entry = find_entry(schema, keyspace);
    if (entry == NULL) return;
    bool found;
    size_t index = search_table(entry, name, &found);
    if (!found) return;
    const struct table *table = entry->tables[index].table;
    schema->size -= entry->tables[index].fingerprint.size;
    close_gap(entry->tables, &entry->table_count, index, sizeof *entry->tables);
    forget_id(schema, table->id);
    table_unref(table);
}

void schema_remove_keyspace(struct schema *schema, struct slice name)
{
    bool found;
    size_t index = search_keyspace(schema, name, &found);
    if (!found) return;
    struct keyspace_entry removed = schema->keyspaces[index];
    close_gap(schema->keyspaces, &schema->keyspace_count, index, sizeof *schema->keyspaces);
    schema->size -= removed.fingerprint.size;
    for (size_t i = 0; i < removed.table_count; i++) {
        forget_id(schema, removed.tables[i].table->id);
        schema->size -= removed.tables[i].fingerprint.size;
    }
    free_tables(&removed);
    keyspace_unref(removed.keyspace);
}

const struct keyspace *schema_keyspace_at(const struct schema *schema, size_t index)
{
    return index < schema->keyspace_count ? schema->keyspaces[index].keyspace : NULL;
}

const struct table *schema_table_at(const struct schema *schema, struct slice keyspace,
                                    size_t index)
{
    const struct keyspace_entry *entry = find_entry(schema, keyspace);
    return entry != NULL && index < entry->table_count ? entry->tables[index].table : NULL;
}

// ---- Its version --------------------------------------------------------------------------------

// What each node has for itself says nothing about agreement.
static bool is_common(const struct keyspace *keyspace)
{
    static const char local[] = "LocalStrategy";
    struct slice class = options_find(&keyspace->replication, "class");
    size_t size = sizeof local - 1;
    bool is_local = class.size >= size && memcmp(class.data + class.size - size, local, size) == 0;
    return !keyspace->is_virtual && !is_local;
}

static void hash_hash(XXH3_state_t *state, XXH128_hash_t hash)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    XXH3_128bits_update(state, &canonical, sizeof canonical);
}

struct uuid schema_version(const struct schema *schema)
{
    XXH3_state_t *state = XXH3_createState();
    ASSERT(state != NULL);
    XXH3_128bits_reset(state);
    for (size_t k = 0; k < schema->keyspace_count; k++) {
        const struct keyspace_entry *entry = &schema->keyspaces[k];
        if (!is_common(entry->keyspace)) continue;
        hash_hash(state, entry->fingerprint.hash);
        for (size_t t = 0; t < entry->table_count; t++)
            hash_hash(state, entry->tables[t].fingerprint.hash);
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    return uuid_make_hash(canonical.digest);
}
