#include "cql/protocol/prepared_cache.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"

#include <md5.h>
#include <stdlib.h>

enum {
    SLOT_COUNT_MIN = 64, // A power of two, so that probing may mask; never more than half full.
    // What is kept, of CQL_PREPARED_MAX and CQL_PREPARED_SIZE_MAX: a part of it is for new ones.
    KEPT_COUNT_MAX = CQL_PREPARED_MAX / 5 * 4,
    KEPT_SIZE_MAX = CQL_PREPARED_SIZE_MAX / 5 * 4,
    USES_MAX = 15,
    USES_OF_PERIOD = 10 * CQL_PREPARED_MAX, // That were counted: then all are halved.
    GONE_COUNT = 16384,                     // A power of two.
};

// How often a statement was executed, as of a period: what is read later counts half for each
// period that has ended since.
struct uses {
    uint16_t period;
    uint16_t count;
};

struct entry {
    struct prepared prepared;
    struct entry *newer, *older; // Towards the most and the least recently used of its list.
    size_t size;                 // What it costs.
    struct uses uses;
    bool is_kept;
};

struct entry_list {
    struct entry *newest, *oldest;
    size_t count, size;
};

// One that left and had been executed, found by other bytes of its id.
struct gone {
    uint32_t id;
    struct uses uses;
};

struct prepared_cache {
    struct entry **slots;
    size_t slot_count;
    struct entry_list fresh, kept;
    uint16_t period;
    uint32_t uses_of_period;
    uint64_t evictions;
    struct gone *gone;
    struct prepared_keeper *keeper; // NULL: none.
};

struct prepared_cache *prepared_cache_create(void)
{
    struct prepared_cache *cache = calloc(1, sizeof *cache);
    ASSERT(cache != NULL);
    cache->slot_count = SLOT_COUNT_MIN;
    cache->slots = calloc(cache->slot_count, sizeof(struct entry *));
    cache->gone = calloc(GONE_COUNT, sizeof *cache->gone);
    ASSERT(cache->slots != NULL && cache->gone != NULL);
    return cache;
}

static void free_entries(const struct entry_list *list)
{
    for (struct entry *entry = list->newest, *older; entry != NULL; entry = older) {
        older = entry->older;
        statement_unref(entry->prepared.statement);
        free(entry);
    }
}

void prepared_cache_destroy(struct prepared_cache *cache)
{
    if (cache == NULL) return;
    free_entries(&cache->fresh);
    free_entries(&cache->kept);
    free(cache->slots);
    free(cache->gone);
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

// ---- The lists ---------------------------------------------------------------------------------

static struct entry_list *list_of(struct prepared_cache *cache, const struct entry *entry)
{
    return entry->is_kept ? &cache->kept : &cache->fresh;
}

static void unlink_entry(struct prepared_cache *cache, struct entry *entry)
{
    struct entry_list *list = list_of(cache, entry);
    *(entry->newer == NULL ? &list->newest : &entry->newer->older) = entry->older;
    *(entry->older == NULL ? &list->oldest : &entry->older->newer) = entry->newer;
    list->count--;
    list->size -= entry->size;
}

static void link_newest(struct prepared_cache *cache, struct entry *entry)
{
    struct entry_list *list = list_of(cache, entry);
    entry->newer = NULL;
    entry->older = list->newest;
    *(list->newest == NULL ? &list->oldest : &list->newest->newer) = entry;
    list->newest = entry;
    list->count++;
    list->size += entry->size;
}

// Now the most recently used of its list, or of the other one.
static void move_entry(struct prepared_cache *cache, struct entry *entry, bool is_kept)
{
    if (entry->is_kept == is_kept && entry->newer == NULL) return;
    unlink_entry(cache, entry);
    entry->is_kept = is_kept;
    link_newest(cache, entry);
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
    statement_unref(entry->prepared.statement);
    free(entry);
}

// ---- How often they are executed ---------------------------------------------------------------

static unsigned uses_now(const struct prepared_cache *cache, struct uses uses)
{
    unsigned periods = (uint16_t)(cache->period - uses.period);
    return periods >= 8 ? 0 : (unsigned)uses.count >> periods;
}

// What is executed all the time does not make time go by for the others.
static void count_use(struct prepared_cache *cache, struct entry *entry)
{
    unsigned count = uses_now(cache, entry->uses);
    bool is_full = count >= USES_MAX;
    entry->uses = (struct uses){cache->period, (uint16_t)(is_full ? USES_MAX : count + 1)};
    if (is_full || ++cache->uses_of_period < USES_OF_PERIOD) return;
    cache->uses_of_period = 0;
    cache->period++;
}

static uint32_t gone_id(const uint8_t *id)
{
    return bytes_get_u32(id + 8);
}

static struct gone *gone_place(const struct prepared_cache *cache, const uint8_t *id)
{
    return &cache->gone[bytes_get_u32(id + 12) & (GONE_COUNT - 1)];
}

// What was never executed is not worth a place.
static void remember_uses(struct prepared_cache *cache, const struct entry *entry)
{
    if (uses_now(cache, entry->uses) == 0) return;
    *gone_place(cache, entry->prepared.id) =
        (struct gone){gone_id(entry->prepared.id), entry->uses};
}

static struct uses recall_uses(const struct prepared_cache *cache, const uint8_t *id)
{
    const struct gone *gone = gone_place(cache, id);
    return gone->id == gone_id(id) ? gone->uses : (struct uses){cache->period, 0};
}

static bool has_room_to_keep(const struct prepared_cache *cache, const struct entry *entry)
{
    return cache->kept.count < KEPT_COUNT_MAX && cache->kept.size + entry->size <= KEPT_SIZE_MAX;
}

// A new one that was executed is kept, if need be instead of others that are less in use. Of those
// that are executed as much as can be counted it is the one that was executed last.
static void keep_if_worth(struct prepared_cache *cache, struct entry *entry)
{
    unsigned uses = uses_now(cache, entry->uses);
    bool is_worth = entry->size <= KEPT_SIZE_MAX;
    while (is_worth && !has_room_to_keep(cache, entry)) {
        struct entry *oldest = cache->kept.oldest;
        is_worth = uses == USES_MAX || uses_now(cache, oldest->uses) < uses;
        if (is_worth) move_entry(cache, oldest, false);
    }
    move_entry(cache, entry, is_worth);
}

static void make_room(struct prepared_cache *cache, size_t size)
{
    const struct entry_list *fresh = &cache->fresh, *kept = &cache->kept;
    while (fresh->count + kept->count > 0 &&
           (fresh->count + kept->count >= CQL_PREPARED_MAX ||
            fresh->size + kept->size + size > CQL_PREPARED_SIZE_MAX)) {
        struct entry *victim = fresh->oldest != NULL ? fresh->oldest : kept->oldest;
        remember_uses(cache, victim);
        remove_entry(cache, victim);
        cache->evictions++;
    }
}

// ---- Finding and preparing ---------------------------------------------------------------------

static struct entry *find_entry(const struct prepared_cache *cache, struct slice id)
{
    return id.size == PREPARED_ID_SIZE ? *find_slot(cache, id.data) : NULL;
}

bool prepared_cache_has(const struct prepared_cache *cache, struct slice id)
{
    return find_entry(cache, id) != NULL;
}

const struct prepared *prepared_cache_find(struct prepared_cache *cache, struct slice id)
{
    struct entry *entry = find_entry(cache, id);
    if (entry == NULL) return NULL;
    count_use(cache, entry);
    if (entry->is_kept)
        move_entry(cache, entry, true);
    else
        keep_if_worth(cache, entry);
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
    make_room(cache, size);
    if (2 * (prepared_cache_count(cache) + 1) > cache->slot_count) grow(cache);
    struct entry *entry = calloc(1, sizeof *entry);
    ASSERT(entry != NULL);
    memcpy(entry->prepared.id, id, PREPARED_ID_SIZE);
    prepared_cache_metadata_id(statement->result_columns, statement->result_column_count,
                               entry->prepared.metadata_id);
    entry->prepared.statement = statement;
    entry->size = size;
    entry->uses = recall_uses(cache, id);
    *find_slot(cache, id) = entry;
    link_newest(cache, entry);
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
    struct entry *found = *find_slot(cache, keyspace_id);
    if (found == NULL) {
        found = *find_slot(cache, bare_id);
        if (found != NULL && !found->prepared.statement->names_keyspaces) found = NULL;
    }
    if (found != NULL) {
        move_entry(cache, found, found->is_kept);
        return &found->prepared;
    }

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
    struct entry_list *list = list_of(cache, entry);
    list->size -= entry->size;
    entry->size = arena_size(&statement->arena) + sizeof *entry;
    list->size += entry->size;
    entry->prepared.statement = statement;
    statement_unref(old);
    prepared_cache_metadata_id(statement->result_columns, statement->result_column_count,
                               entry->prepared.metadata_id);
    return true;
}

static void drop_stale(struct prepared_cache *cache, const struct entry_list *list,
                       struct query_processor *processor)
{
    for (struct entry *entry = list->newest, *older; entry != NULL; entry = older) {
        older = entry->older;
        const struct statement *statement = entry->prepared.statement;
        if (statement_is_stale(statement, processor) ||
            (statement_is_outdated(statement, processor) && !prepare_anew(cache, entry, processor)))
            remove_entry(cache, entry);
    }
}

void prepared_cache_drop_stale(struct prepared_cache *cache, struct query_processor *processor)
{
    drop_stale(cache, &cache->fresh, processor);
    drop_stale(cache, &cache->kept, processor);
}

size_t prepared_cache_count(const struct prepared_cache *cache)
{
    return cache->fresh.count + cache->kept.count;
}

uint64_t prepared_cache_evictions(const struct prepared_cache *cache)
{
    return cache->evictions;
}
