// What tools ask a node beside CQL: `helenus status` and its like (org.apache.cassandra.tools
// .nodetool), and what the tests of a ring do to one.
//
//     VERB_ADMIN, body = u8 kind | what the kind has
//     answer, body     = what the kind answers; a text when the status is not OK
//
// Texts are vbytes, members their numbers (u16).
#ifndef NODE_ADMIN_PROTOCOL_H
#define NODE_ADMIN_PROTOCOL_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "ring/transport/messaging.h"

enum admin_kind {
    ADMIN_INFO = 1,  // text keyspace, or empty          -> struct admin_info
    ADMIN_AWAIT,     // u32 ms, u16 count, members       -> nothing; TIMED_OUT
    ADMIN_ENDPOINTS, // text keyspace, table, key        -> u16 count, members
    ADMIN_FLUSH,     // text keyspace, table, or empty   -> nothing
    ADMIN_DRAIN,     //                                  -> nothing
    // Only of a node that listens on a loopback address.
    ADMIN_FAULT, // member or MEMBER_NONE for all, u8 parts, fault -> nothing
    ADMIN_SKEW,  // i64 us                               -> nothing
    ADMIN_STALL, // u32 ms                               -> nothing
    // Of any node again. Tables are keyspace and name, of all if the name is empty; none: all.
    ADMIN_SNAPSHOT = 32,  // text tag, u8 skips flush, u64 ttl s, u16 count, tables -> nothing
    ADMIN_SNAPSHOT_LIST,  //   -> u64 size of all, u32 count, × { text tag, keyspace, table,
                          //      u64 true size, size on disk, created ms, expires ms, u8 whole }
    ADMIN_SNAPSHOT_CLEAR, // text tag, or empty, u16 count, keyspaces -> u32 how many went
    ADMIN_IMPORT,         // text keyspace, table, directory, u32 flags
                          //   -> u32 SSTables, imported, faults, × text
    // Of those under way -> × { u32 SSTables, imported, u64 done, total bytes of the next one }
    ADMIN_IMPORT_PROGRESS,
    // u64 ms: of those that were made before; then as ADMIN_SNAPSHOT_CLEAR
    ADMIN_SNAPSHOT_CLEAR_OLD,
    ADMIN_COMPACT = 48, // u8 splits the output, u16 count, tables -> nothing
    // -> u32 compactors, u64 bytes a second, done, bytes compacted, failed, done in 15 minutes,
    //    i64 seconds up, text what failed last, u32 count, × { text keyspace, table, u32 pending },
    //    u32 count, × { 16 id, text kind, keyspace, table, u64 completed, total }
    ADMIN_COMPACTION_STATS,
    ADMIN_COMPACTION_SET,    // u8 0: bytes a second, 1: compactors; u64 value -> nothing
    ADMIN_COMPACTION_STOP,   //                                                -> u32 how many
    ADMIN_COMPACTION_ENABLE, // u8 0: off, 1: on, 2: ask, u16 count, tables
                             //   -> u32 count, × { text keyspace, table, u8 is on }
    // u16 count, tables -> u32 count, × { text keyspace, table, u8 is leveled, 11 + 9 u64 }
    ADMIN_TABLE_STATS,
    ADMIN_TRACE_PROBABILITY = 64, // u8 sets it, u64 bits of a double -> u64 bits of what it is
    // -> u32 count, × { text name, u64 active, pending, completed, blocked, blocked ever }
    ADMIN_POOLS,
    // u16 count, tables -> u32 count, × { text keyspace, table, of reads by key, scans and writes
    // each u64 how many, us that 50, 75, 95, 98, 99 and 100 per cent of them took }
    ADMIN_TABLE_HISTOGRAMS,
};

enum {
    ADMIN_IMPORT_COPIES = 1,
    ADMIN_IMPORT_QUICK = 2,
    ADMIN_IMPORT_KEEPS_LEVEL = 4,
    ADMIN_IMPORT_KEEPS_REPAIRED = 8,
    ADMIN_IMPORT_ANY_TOKENS = 16
};

// Which part of a fault ADMIN_FAULT sets; the rest stays.
enum { ADMIN_FAULT_BLOCKS = 1, ADMIN_FAULT_DELAYS = 2 };

enum admin_member_state {
    ADMIN_MEMBER_UNKNOWN,
    ADMIN_MEMBER_UP,
    ADMIN_MEMBER_SUSPECT,
    ADMIN_MEMBER_DOWN,
};

enum { ADMIN_TEXT_SIZE = 256 };

// A node as it sees itself and its ring.
struct admin_info {
    char cluster_name[ADMIN_TEXT_SIZE], release_version[ADMIN_TEXT_SIZE];
    uint16_t self;
    bool is_ready, serves_clients;
    struct uuid schema_version;
    uint64_t log_number;
    int64_t started_us, wall_us; // Microseconds since 1970, by its own clock.
    uint64_t load_bytes, memtable_bytes, resident_bytes;
    uint64_t cpu_ns;
    // Of the keyspace that was asked for; of all users' when all are replicated alike; else false.
    bool owns_is_effective;
    struct topology *topology; // admin_info_deinit() frees it.
    // For each member.
    double *owns; // Its part of the ring, 0 to 1; with copies, if effective.
    uint8_t *states;
    // Users' keyspaces with their replication, as nodetool prints it: "name -> …".
    char *keyspaces; // Lines.
};

void admin_info_put(struct buffer *bytes, const struct admin_info *info);
// MALFORMED. What it fills belongs to the caller.
MUST_USE enum status admin_info_get(struct cursor *bytes, struct admin_info *info);
void admin_info_deinit(struct admin_info *info);

void admin_fault_put(struct buffer *bytes, const struct messaging_fault *fault);
void admin_fault_get(struct cursor *bytes, struct messaging_fault *fault);

// Reads a text into a fixed buffer; false when it does not fit or has a NUL.
MUST_USE bool admin_text_get(struct cursor *bytes, char *text, size_t size);

#endif
