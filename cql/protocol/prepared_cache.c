#include "cql/protocol/prepared_cache.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"

#include <md5.h>
#include <stdlib.h>

// A power of two, so that probing may mask; never more than half full.
enum { SLOT_COUNT_MIN = 64 };

struct entry {
    struct prepared prepared;
    struct entry *newer, *older; // Towards the most and the least recently used.
    size_t size;                 // What it costs.
};

struct prepared_cache {
    struct entry **slots;
    size_t slot_count, count;
    struct entry *newest, *oldest;
    size_t size;
    uint64_t evictions;
    struct prepared_keeper *keeper; // NULL: none.
};

struct prepared_cache *prepared_cache_create(void)
{
    struct prepared_cache *cache = calloc(1, sizeof *cache);
    ASSERT(cache != NULL);
    cache->slot_count = SLOT_COUNT_MIN;
    cache->slots = calloc(cache->slot_count, sizeof(struct entry *));
    ASSERT(cache->slots != NULL);
    return cache;
}

void prepared_cache_destroy(struct prepared_cache *cache)
{
    if (cache == NULL) return;
    for (struct entry *entry = cache->newest, *older; entry != NULL; entry = older) {
        older = entry->older;
        statement_unref(entry->prepared.statement);
        free(entry);
    }
    free(cache->slots);
    free(cache);
}

// ---- The hash table ----------------------------------------------------------------------------

// MD5 spreads as well as any hash, and clients cannot choose ids, only texts.
static size_t home(const struct prepared_cache *cache, const uint8_t *id)
{
    return (size_t)bytes_get_u64(id) & (cache->slot_count - 1);
}

static struct entry **find_slot(const struct prepared_cache *cache, const uint8_t *id)
{
    size_t at = home(cache, id);
    while (cache->slots[at] != NULL &&
           memcmp(cache->slots[at]->prepared.id, id, PREPARED_ID_SIZE) != 0)
        at = (at + 1) & (cache->slot_count - 1);
    return &cache->slots[at];
}

static void grow(struct prepared_cache *cache)
{
    struct entry **old = cache->slots;
    size_t old_count = cache->slot_count;
    cache->slot_count *= 2;
    cache->slots = calloc(cache->slot_count, sizeof(struct entry *));
    ASSERT(cache->slots != NULL);
    for (size_t i = 0; i < old_count; i++)
        if (old[i] != NULL) *find_slot(cache, old[i]->prepared.id) = old[i];
    free(old);
}

// Closes the gap behind a removed entry, so that probing needs no tombstones.
static void remove_slot(struct prepared_cache *cache, struct entry **slot)
{
    size_t mask = cache->slot_count - 1, gap = (size_t)(slot - cache->slots);
    for (size_t at = (gap + 1) & mask; cache->slots[at] != NULL; at = (at + 1) & mask) {
        size_t from_home = (at - home(cache, cache->slots[at]->prepared.id)) & mask;
        if (from_home < ((at - gap) & mask)) continue; // It may not move before its home.
        cache->slots[gap] = cache->slots[at];
        gap = at;
    }
    cache->slots[gap] = NULL;
}

// ---- The list ----------------------------------------------------------------------------------

static void unlink_entry(struct prepared_cache *cache, struct entry *entry)
{
    *(entry->newer == NULL ? &cache->newest : &entry->newer->older) = entry->older;
    *(entry->older == NULL ? &cache->oldest : &entry->older->newer) = entry->newer;
}

static void link_newest(struct prepared_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest == NULL ? &cache->oldest : &cache->newest->newer) = entry;
    cache->newest = entry;
}

static struct slice keyspace_of(const struct statement *statement)
{
    return statement->names_keyspaces ? slice_make("", 0) : statement->current_keyspace;
}

static void remove_entry(struct prepared_cache *cache, struct entry *entry)
{
    if (cache->keeper != NULL)
        cache->keeper->remove(cache->keeper, slice_make(entry->prepared.id, PREPARED_ID_SIZE));
    remove_slot(cache, find_slot(cache, entry->prepared.id));
    unlink_entry(cache, entry);
    cache->count--;
    cache->size -= entry->size;
    statement_unref(entry->prepared.statement);
    free(entry);
}

// ---- Finding and preparing ---------------------------------------------------------------------

const struct prepared *prepared_cache_find(struct prepared_cache *cache, struct slice id)
{
    if (id.size != PREPARED_ID_SIZE) return NULL;
    struct entry *entry = *find_slot(cache, id.data);
    if (entry == NULL) return NULL;
    if (entry != cache->newest) {
        unlink_entry(cache, entry);
        link_newest(cache, entry);
    }
    return &entry->prepared;
}

static void make_id(struct slice keyspace, struct slice text, uint8_t id[PREPARED_ID_SIZE])
{
    MD5_CTX md5;
    MD5Init(&md5);
    if (keyspace.size > 0) MD5Update(&md5, keyspace.data, keyspace.size);
    if (text.size > 0) MD5Update(&md5, text.data, text.size);
    MD5Final(id, &md5);
}

void prepared_cache_metadata_id(const struct column_spec *columns, size_t count,
                                uint8_t id[PREPARED_ID_SIZE])
{
    struct buffer bytes;
    buffer_init(&bytes, 16 * MIB);
    for (size_t i = 0; i < count; i++) {
        buffer_put(&bytes, columns[i].name.data, columns[i].name.size);
        buffer_put_u8(&bytes, 0);
        type_put_java(columns[i].type, false, &bytes);
        buffer_put_u16(&bytes, 0);
    }
    make_id(slice_make("", 0), buffer_slice(&bytes), id);
    buffer_deinit(&bytes);
}

static const struct prepared *add(struct prepared_cache *cache, const uint8_t *id,
                                  struct statement *statement, size_t size)
{
    while (cache->count > 0 &&
           (cache->count >= CQL_PREPARED_MAX || cache->size + size > CQL_PREPARED_SIZE_MAX)) {
        remove_entry(cache, cache->oldest);
        cache->evictions++;
    }
    if (2 * (cache->count + 1) > cache->slot_count) grow(cache);
    struct entry *entry = calloc(1, sizeof *entry);
    ASSERT(entry != NULL);
    memcpy(entry->prepared.id, id, PREPARED_ID_SIZE);
    prepared_cache_metadata_id(statement->result_columns, statement->result_column_count,
                               entry->prepared.metadata_id);
    entry->prepared.statement = statement;
    entry->size = size;
    *find_slot(cache, id) = entry;
    link_newest(cache, entry);
    cache->count++;
    cache->size += size;
    // Words that name passwords are not written down.
    if (cache->keeper != NULL && statement->kind != STATEMENT_ROLE)
        cache->keeper->put(cache->keeper, slice_make(id, PREPARED_ID_SIZE), keyspace_of(statement),
                           statement->text);
    return &entry->prepared;
}

const struct prepared *prepared_cache_prepare(struct prepared_cache *cache,
                                              struct query_processor *processor, struct slice text,
                                              struct slice keyspace, struct cql_error *error)
{
    uint8_t bare_id[PREPARED_ID_SIZE], keyspace_id[PREPARED_ID_SIZE];
    make_id(slice_make("", 0), text, bare_id);
    make_id(keyspace, text, keyspace_id);
    const struct prepared *found =
        prepared_cache_find(cache, slice_make(keyspace_id, PREPARED_ID_SIZE));
    if (found != NULL) return found;
    found = prepared_cache_find(cache, slice_make(bare_id, PREPARED_ID_SIZE));
    if (found != NULL && found->statement->names_keyspaces) return found;

    struct statement *statement;
    if (!statement_prepare(processor, text, keyspace, &statement, error)) return NULL;
    const uint8_t *id = statement->names_keyspaces ? bare_id : keyspace_id;
    size_t size = arena_size(&statement->arena) + sizeof(struct entry);
    if (size > CQL_PREPARED_SIZE_MAX) {
        cql_error_set(error, CQL_ERROR_INVALID,
                      "Prepared statement of size %zu bytes is larger than allowed maximum of %u "
                      "MB: %.*s...",
                      size, CQL_PREPARED_SIZE_MAX / MIB, (int)(text.size < 200 ? text.size : 200),
                      (const char *)text.data);
        statement_unref(statement);
        return NULL;
    }
    // The bare text may be known as another's: one that was prepared without a keyspace and names
    // none. Then the newer meaning stays.
    struct entry *same = *find_slot(cache, id);
    if (same != NULL) remove_entry(cache, same);
    return add(cache, id, statement, size);
}

void prepared_cache_set_keeper(struct prepared_cache *cache, struct prepared_keeper *keeper)
{
    cache->keeper = keeper;
}

// The same text, bound to the tables as they are now. False: it can not be prepared any more.
static bool prepare_anew(struct prepared_cache *cache, struct entry *entry,
                         struct query_processor *processor)
{
    struct statement *old = entry->prepared.statement, *statement;
    struct cql_error error;
    if (!statement_prepare(processor, old->text, old->current_keyspace, &statement, &error))
        return false;
    cache->size -= entry->size;
    entry->size = arena_size(&statement->arena) + sizeof *entry;
    cache->size += entry->size;
    entry->prepared.statement = statement;
    statement_unref(old);
    prepared_cache_metadata_id(statement->result_columns, statement->result_column_count,
                               entry->prepared.metadata_id);
    return true;
}

void prepared_cache_drop_stale(struct prepared_cache *cache, struct query_processor *processor)
{
    for (struct entry *entry = cache->newest, *older; entry != NULL; entry = older) {
        older = entry->older;
        const struct statement *statement = entry->prepared.statement;
        if (statement_is_stale(statement, processor) ||
            (statement_is_outdated(statement, processor) && !prepare_anew(cache, entry, processor)))
            remove_entry(cache, entry);
    }
}

size_t prepared_cache_count(const struct prepared_cache *cache)
{
    return cache->count;
}

uint64_t prepared_cache_evictions(const struct prepared_cache *cache)
{
    return cache->evictions;
}
