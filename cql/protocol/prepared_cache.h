// Prepared statements by their id (org.apache.cassandra.cql3.QueryProcessor.preparedStatements).
//
// The id is Cassandra's: MD5 of the text, with the current keyspace before it unless every table in
// it is written keyspace.table (cql-server.md §6.1). So the same text has the same id on each node
// and after each start, and two connections share one statement.
//
//     slots                       open addressing by the id's first bytes
//     new:   newest <-> … <-> oldest ---- leaves when there is no room
//             | ^ executed     | demoted: a new one is executed more
//             v |              |
//     kept:  newest <-> … <-> oldest      at most four fifths of all
//
// Bounded by CQL_PREPARED_MAX and CQL_PREPARED_SIZE_MAX: the least recently used of the new ones
// leaves, and is UNPREPARED to clients, who prepare it again by themselves. One that is executed is
// kept; when there are as many of those as may be, it takes the place of the one that was executed
// longest ago, if that was done less often. So a client that prepares thousands of texts, even when
// it executes each once, costs nobody the statements in use. Cassandra's cache (Caffeine's
// W-TinyLFU) weighs by frequency as well. How often is counted up to 15, halved after each
// CQL_PREPARED_MAX × 10 that were counted, and remembered of those that left: one that is executed
// now and then while others flood the cache is kept from its second or third time on.
//
// Each call is O(1), but for what it demotes, which was moved there one by one. A statement whose
// table changed leaves or is bound anew when the change is heard of (prepared_cache_drop_stale), so
// what is found is never out of date. What is there is written down for the next start
// (prepared_store.h).
#ifndef CQL_PROTOCOL_PREPARED_CACHE_H
#define CQL_PROTOCOL_PREPARED_CACHE_H

#include "cql/statement/statement.h"

enum { PREPARED_ID_SIZE = 16 };

struct prepared {
    uint8_t id[PREPARED_ID_SIZE];
    uint8_t metadata_id[PREPARED_ID_SIZE]; // Of the result's columns (§6.4).
    struct statement *statement;           // The cache's reference; take one to keep it.
};

struct prepared_cache;
// Where what comes and goes is written down (prepared_store.h). `keyspace` is empty where the
// statement names all of its own.
struct prepared_keeper {
    void (*put)(struct prepared_keeper *keeper, struct slice id, struct slice keyspace,
                struct slice text);
    void (*remove)(struct prepared_keeper *keeper, struct slice id);
};
struct prepared_cache *prepared_cache_create(void);
void prepared_cache_set_keeper(struct prepared_cache *cache,
                               struct prepared_keeper *keeper); // NULL: none.
void prepared_cache_destroy(struct prepared_cache *cache);

// The statement of this id, to be executed; NULL when there is none. `id` may have any size. Valid
// until the next call that changes the cache.
const struct prepared *prepared_cache_find(struct prepared_cache *cache, struct slice id);
// The same for who only wants to know.
bool prepared_cache_has(const struct prepared_cache *cache, struct slice id);
// Finds or prepares. `keyspace` is the current one, empty if none. NULL: `error` says why.
const struct prepared *prepared_cache_prepare(struct prepared_cache *cache,
                                              struct query_processor *processor, struct slice text,
                                              struct slice keyspace, struct cql_error *error);
// The statements whose tables are not what they were: lets go of those, as Cassandra does, whose
// columns or indexes are others; what only has other options is prepared anew in its place.
void prepared_cache_drop_stale(struct prepared_cache *cache, struct query_processor *processor);
size_t prepared_cache_count(const struct prepared_cache *cache);
// How many left because of the limits.
uint64_t prepared_cache_evictions(const struct prepared_cache *cache);

// MD5 over name, 0, Java type, 0, 0 of each column.
void prepared_cache_metadata_id(const struct column_spec *columns, size_t count,
                                uint8_t id[PREPARED_ID_SIZE]);

#endif
