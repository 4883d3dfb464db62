// Responses as a client reads them: the other direction of message.h, for cql/client/client.h and
// tests.
//
// Nothing is copied: what an answer holds points into the frame's body or the arena. Any bytes are
// taken; what makes no sense is MALFORMED.
#ifndef CQL_CLIENT_ANSWER_H
#define CQL_CLIENT_ANSWER_H

#include "base/arena.h"
#include "base/cursor.h"
#include "cql/cql_error.h"
#include "cql/protocol/frame.h"
#include "cql/statement/statement.h"

struct answer_columns {
    const struct column_spec *items; // NULL when they were left out (skip metadata).
    uint32_t count;
    bool have_one_table;
};

struct answer {
    uint8_t opcode; // OPCODE_READY, …_SUPPORTED, …_AUTHENTICATE, …_RESULT, …_ERROR, …_EVENT.
    int version;
    struct slice warnings; // [string list], undecoded; empty if none.
    // ERROR
    enum cql_error_code error_code;
    struct slice error_text;
    struct slice error_extras; // What follows, undecoded.
    // RESULT
    enum result_kind kind;
    struct answer_columns columns; // ROWS, and of a PREPARED SELECT.
    struct slice paging_state;     // Null: no more pages.
    struct slice new_metadata_id;  // ROWS in v5, when it changed; else null.
    uint32_t row_count;
    struct slice rows;        // row_count × columns × [bytes]
    struct slice keyspace;    // SET_KEYSPACE, SCHEMA_CHANGE.
    struct slice id;          // PREPARED.
    struct slice metadata_id; // PREPARED, v5.
    struct answer_columns markers;
    const uint16_t *partition_key_markers;
    uint32_t partition_key_marker_count;
    // SCHEMA_CHANGE and EVENT
    struct slice event, change, target, name;
};

MUST_USE enum status answer_decode(const struct frame *frame, struct arena *arena,
                                   struct answer *answer, struct error *error);

// The next cell of `rows`; null, or bytes. Fails like any cursor.
struct slice answer_next_cell(struct cursor *rows);

// A type [option]. NULL when it makes no sense.
const struct type *answer_read_type(struct cursor *cursor, struct arena *arena);

#endif
