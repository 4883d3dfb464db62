// The bodies of the CQL protocol's messages, as a server reads requests and writes responses
// (cql-server.md §2; org.apache.cassandra.transport.messages).
//
// Decoding copies nothing: what it returns points into the body, and arrays are in the arena. A
// body that makes no sense gives false and a PROTOCOL error in Cassandra's words; bytes after the
// last field are accepted, as Cassandra accepts them. No length is trusted before it was compared
// with what is there.
//
// Encoding never fails: a buffer at its limit remembers that. What a version does not know is
// written as that version's clients understand it (types, error codes).
#ifndef CQL_PROTOCOL_MESSAGE_H
#define CQL_PROTOCOL_MESSAGE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"
#include "cql/cql_error.h"
#include "cql/statement/statement.h"

// The release that we behave like: cqlsh shows and sends it.
#define MESSAGE_CQL_VERSION "3.4.7"

// ---- Requests ----------------------------------------------------------------------------------

enum message_compression { MESSAGE_PLAIN, MESSAGE_LZ4 };

struct message_startup {
    enum message_compression compression;
    struct slice driver_name, driver_version; // Empty if not told.
    bool throw_on_overload;
};
bool message_decode_startup(struct slice body, int version, struct message_startup *startup,
                            struct cql_error *error);

enum {
    MESSAGE_TOPOLOGY_CHANGE = 1,
    MESSAGE_STATUS_CHANGE = 2,
    MESSAGE_SCHEMA_CHANGE = 4,
    MESSAGE_TRACE_COMPLETE = 8,
};
// `events`: the bits above.
bool message_decode_register(struct slice body, unsigned *events, struct cql_error *error);

// QUERY (text) and EXECUTE (id, result_metadata_id in v5).
struct message_query {
    struct slice text;
    struct slice id, result_metadata_id;
    struct query_options options; // `keyspace` null unless the message has one.
    bool skip_metadata;
    bool page_size_is_zero; // An error, but one of executing.
};
bool message_decode_query(struct slice body, int version, struct arena *arena,
                          struct message_query *query, struct cql_error *error);
bool message_decode_execute(struct slice body, int version, struct arena *arena,
                            struct message_query *query, struct cql_error *error);

struct message_prepare {
    struct slice text;
    struct slice keyspace; // Null unless the message has one.
};
bool message_decode_prepare(struct slice body, int version, struct message_prepare *prepare,
                            struct cql_error *error);

struct message_batch_entry {
    bool is_prepared;
    struct slice text_or_id;
    const struct bound_value *values;
    size_t value_count;
};
struct message_batch {
    int type; // 0 logged, 1 unlogged, 2 counter.
    const struct message_batch_entry *entries;
    size_t count;
    struct query_options options;
};
bool message_decode_batch(struct slice body, int version, struct arena *arena,
                          struct message_batch *batch, struct cql_error *error);

// Cuts the custom payload off the beginning of a body.
bool message_skip_custom_payload(struct slice *body, struct cql_error *error);

// ---- Responses ---------------------------------------------------------------------------------

void message_put_string(struct buffer *buffer, struct slice text);
void message_put_short_bytes(struct buffer *buffer, struct slice bytes);
void message_put_bytes(struct buffer *buffer, struct slice bytes); // Null: -1.
// Goes before all else of a response with FRAME_FLAG_WARNING.
void message_put_warnings(struct buffer *buffer, const char *const *warnings, size_t count);

void message_put_error(struct buffer *buffer, int version, const struct cql_error *error);
void message_put_supported(struct buffer *buffer);

enum message_metadata {
    MESSAGE_METADATA_FULL,
    MESSAGE_METADATA_NONE,    // The client has it.
    MESSAGE_METADATA_CHANGED, // In full, with its new id (v5).
};
// `metadata_id` (16 bytes) is read only for CHANGED.
void message_put_result(struct buffer *buffer, int version, const struct result *result,
                        enum message_metadata metadata, const uint8_t *metadata_id);
// `metadata_id`: 16 bytes (sent in v5).
void message_put_prepared(struct buffer *buffer, int version, const struct statement *statement,
                          const uint8_t id[16], const uint8_t metadata_id[16]);
// `table` is null or empty for a keyspace.
void message_put_schema_change_event(struct buffer *buffer, const char *change, const char *target,
                                     struct slice keyspace, struct slice table);
// "UP" or "DOWN".
// "NEW_NODE", "REMOVED_NODE", "MOVED_NODE".
void message_put_topology_change_event(struct buffer *buffer, const char *change,
                                       const struct env_address *address);
void message_put_status_change_event(struct buffer *buffer, const char *change,
                                     const struct env_address *address);
void message_put_type(struct buffer *buffer, int version, const struct type *type);

#endif
