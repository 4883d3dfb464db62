// Prepared statements over a restart: the table system.prepared_statements of this node's engine
// (org.apache.cassandra.db.SystemKeyspace.writePreparedStatement, QueryProcessor
// .preloadPreparedStatements).
//
//     prepared --prepared_store_put()--> written, nobody waits --evicted, stale--> removed
//     start: all of them are read, and prepared again a few at a time
//
// What a crash takes is prepared again by its client, as before. A text beyond
// PREPARED_STORE_TEXT_MAX is not kept, nor what no longer can be prepared.
#ifndef CQL_PROTOCOL_PREPARED_STORE_H
#define CQL_PROTOCOL_PREPARED_STORE_H

#include "cql/protocol/prepared_cache.h"

enum { PREPARED_STORE_TEXT_MAX = 256 * 1024 };

struct prepared_store;
// NULL: this node keeps none (it has no engine, or the engine no such table).
struct prepared_store *prepared_store_create(struct query_processor *processor);
// Only when it is not loading, or at the end of a simulated crash. NULL is allowed.
void prepared_store_destroy(struct prepared_store *store);

// Reads all and gives each to `found`, in later turns. `done` comes at the end, also of a failure.
void prepared_store_load(struct prepared_store *store,
                         void (*found)(void *context, struct slice id, struct slice keyspace,
                                       struct slice text),
                         void (*done)(void *context), void *context);
bool prepared_store_is_loading(const struct prepared_store *store); // NULL: no.

// For prepared_cache_set_keeper().
struct prepared_keeper *prepared_store_keeper(struct prepared_store *store);
void prepared_store_remove(struct prepared_store *store, struct slice id);

#endif
