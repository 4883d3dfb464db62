// Every maximum of the program, and what happens at it. Nothing grows without one (invariant 12).
//
// A limit that a user may want to change is also a key of the configuration (node/config.h), whose
// default stands here.
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB (1024u)
#define MIB (1024u * KIB)
#define GIB (1024ull * MIB)

// ---- base ------------------------------------------------------------------------------------
// Lines of the log in a second; the rest is counted and their number told.
#define LOG_LINES_PER_SECOND_MAX 100u
// A line of the log; a longer one is cut.
#define LOG_LINE_SIZE_MAX 1024u

// ---- storage ---------------------------------------------------------------------------------
// A partition key: Cassandra's u16 length. More is refused as Cassandra refuses it.
#define KEY_SIZE_MAX 65535u
// A mutation in the commit log (Cassandra: half a segment). More is an INVALID request.
#define MUTATION_SIZE_MAX (16 * MIB)
// Bytes of a commit-log segment. A new one is begun when a record does not fit.
#define COMMIT_LOG_SEGMENT_SIZE (8 * MIB)
// Commit-log bytes not yet synced. At the limit writers get OVERLOADED.
#define COMMIT_LOG_PENDING_MAX (64 * MIB)
// Between the beginnings of two commit-log writes while more records are expected than have come.
#define COMMIT_LOG_GROUP_GAP_NS UINT64_C(1000000)
// Commit-log segments kept: at the limit the oldest dirty tables are flushed. As many bytes as
// memtables may have, so that their space and not the log says when a table is flushed; but not
// fewer than the least, and not more than are read back in some eight seconds.
#define COMMIT_LOG_SEGMENTS_MIN 8u
#define COMMIT_LOG_SEGMENTS_MAX 512u
// So many times the limit, and writers get OVERLOADED until flushes have freed some.
#define COMMIT_LOG_FULL_FACTOR 4u
// Segments that nobody needs, kept to be used again: a file that is there is not made and grown
// anew. More are removed, one with each write, which waits for it.
#define COMMIT_LOG_CLEAN_MAX 8u
// Arena bytes of all memtables: at half a flush of the largest begins, at the limit writers get
// OVERLOADED until it ends.
#define MEMTABLE_SPACE_MAX (64 * MIB)
// What has expired becomes a tombstone in compactions only this much later: more than clocks of a
// ring differ.
#define COMPACTION_EXPIRY_MARGIN_S (24 * 3600)
// Decompressed chunks kept for reads; the least recently used leaves.
#define CHUNK_CACHE_SIZE_MAX (16 * MIB)
// Shards of one counter: an increment that would add one more gets OVERLOADED. Only a node or job
// whose id was renewed this often comes there.
#define COUNTER_SHARDS_MAX 4096u
// The node's own counter shards kept over a flush; the less recently used leave. Taken as they are
// needed, 2 MiB at a time: at 18 bytes a cell, 3.7 million. As large as the memtables that it
// stands beside; Cassandra's is min(2.5 % of its heap, 50 MiB).
#define COUNTER_CACHE_SIZE_MAX (64 * MIB)
// Columns and indexes of a table, tables and keyspaces of a node: CREATE and ALTER are refused
// above.
#define TABLE_COLUMNS_MAX    4096u
#define TABLE_INDEXES_MAX    64u
#define INDEX_NAME_SIZE_MAX  200u
#define SCHEMA_TABLES_MAX    4096u
#define SCHEMA_KEYSPACES_MAX 1024u
// Bytes of all definitions together, likewise: a snapshot of the metadata log has them all.
#define SCHEMA_SIZE_MAX (24 * MIB)
// One table's, or one keyspace's with its types; and the text of one type.
#define SCHEMA_DEFINITION_SIZE_MAX (2 * MIB)
#define SCHEMA_TYPE_SIZE_MAX       (64 * KIB)
// Operations of one statement that need a list as it is.
#define LIST_READS_MAX 1000u
// Partitions' rows looked at by one engine read before it gives way to others.
#define READ_STEP_ROWS_MAX 1000u
#define READ_STEP_SIZE_MAX (256 * KIB)

// ---- cql -------------------------------------------------------------------------------------
// native_transport_max_frame_size: more is refused, skipped, and the connection lives.
#define CQL_FRAME_SIZE_MAX (16 * MIB)
// Connections. Some more may ask, to be told that they are too many; the next is closed after
// accept. An idle one takes some 2 KiB.
#define CQL_CONNECTIONS_MAX         16384u
#define CQL_CONNECTIONS_REFUSED_MAX 64u
// Requests of one connection that wait for an answer; at the limit it is not read until some leave.
#define CQL_REQUESTS_PER_CONNECTION_MAX 32768u
// For so long the messages of one connection are worked at in a row; then it is the others' turn.
#define CQL_STINT_NS_MAX UINT64_C(2000000)
// Bytes queued for a client that does not read; at the limit its requests are not read either.
#define CQL_OUTPUT_QUEUED_MAX (4 * MIB)
// Bytes queued for all clients. At the limit the one is closed that did not read first.
#define CQL_OUTPUT_SIZE_MAX (256 * MIB)
// Bytes read from all clients that are no whole messages, or wait for room. At the limit the one is
// closed, as OVERLOADED, whose message began first.
#define CQL_INPUT_SIZE_MAX (128 * MIB)
// A whole response, for SELECTs without paging. More is an error that asks for paging.
#define CQL_RESPONSE_SIZE_MAX (256 * MIB)
// Results of all SELECTs that are under way. The one that goes beyond it is OVERLOADED.
#define CQL_RESULTS_SIZE_MAX (512 * MIB)
// A file of keys or certificates for TLS. A larger one is refused.
#define TLS_FILE_SIZE_MAX MIB
// From a client's connecting to the end of its TLS handshake; then it is closed. From its first
// byte on it has some 45 KiB; once it is done some 10 KiB, idle.
#define TLS_HANDSHAKE_TIMEOUT_NS (10 * UINT64_C(1000000000))
// Handshakes that have begun and are not done. One more ends the oldest.
#define TLS_HANDSHAKES_MAX 4096u
// What is sent to a TLS client though nothing was written to it, once the handshake is done: alerts
// that it asks for. One who asks for more is closed.
#define TLS_UNASKED_SIZE_MAX (4 * KIB)
// Prepared statements of a node; the one least in use leaves and is UNPREPARED.
#define CQL_PREPARED_MAX 10000u
// Their bytes, likewise. One that is larger by itself is refused.
#define CQL_PREPARED_SIZE_MAX (32 * MIB)
// Bytes of all requests that wait for an answer, whatever their connection; at the limit
// connections are not read until half of it is free.
#define CQL_REQUESTS_SIZE_MAX (128 * MIB)
// Statements of one BATCH message that come as text, parsed. More is an INVALID request.
#define CQL_BATCH_SIZE_MAX (64 * MIB)
// Logins and new passwords whose hashes wait for their turn, 50 ms each. One more is OVERLOADED.
#define AUTH_PASSWORDS_WAITING_MAX 1024u
// 2^16 rounds of bcrypt take 3 s. Hashes of more are refused.
#define AUTH_HASH_ROUNDS_MAX 16
// Bind markers of a statement.
#define CQL_MARKERS_MAX 65535u
// Partitions that the INs of one statement name, and rows of each. More are an INVALID request.
#define CQL_ALTERNATIVES_MAX 65536u
// Ranges of rows that one slice over columns of both directions is behind them: as many as it has
// columns for each of its two sides. More are an INVALID request.
#define CQL_RANGES_MAX (256 * 1024u)
// Rows that one request changes: partitions times rows of each. More are an INVALID request.
#define CQL_CHANGED_ROWS_MAX (256 * 1024u)

// ---- ring and stream -------------------------------------------------------------------------
// A message between processes of a ring: a mutation, and what goes with it.
#define TRANSPORT_MESSAGE_SIZE_MAX (MUTATION_SIZE_MAX + MIB)
// An answer: a row that many mutations have made comes whole. (Cassandra: as many bytes as messages
// of a node may have.) A larger one is OVERLOADED.
#define TRANSPORT_ANSWER_SIZE_MAX (128 * MIB)
// Connections that others make to the storage port; the next is closed at once.
#define TRANSPORT_CONNECTIONS_MAX 2048u
// Requests that wait for answers of one member. More get OVERLOADED.
#define REQUEST_TABLE_COUNT_MAX (256 * 1024u)
// Bytes that wait to leave for one member. At the limit requests to it get OVERLOADED.
#define MESSAGING_QUEUED_MAX (64 * MIB)
// Bytes of answers that wait to leave by one connection. At the limit answers of more than a MiB
// are OVERLOADED: of small ones there are as many as requests that were read in one go.
#define MESSAGING_ANSWERS_MAX (128 * MIB)
// Requests of members whose metadata log is ahead of ours, and their bytes. More get OVERLOADED.
#define MESSAGING_PARKED_MAX      4096u
#define MESSAGING_PARKED_SIZE_MAX (32 * MIB)
// Bytes that messaging_set_fault() holds back. More are lost.
#define MESSAGING_HELD_SIZE_MAX (64 * MIB)
// Requests of Paxos that a node works at for others; one more gets OVERLOADED.
#define PAXOS_ACCEPTANCES_MAX 16384u
// What one conditional statement changes: two of them fit one message. More is an INVALID request.
#define PAXOS_CHANGE_SIZE_MAX (8 * MIB)
// Reads that a replica does for others at a time, and bytes of their answers that wait for a sync.
// More get OVERLOADED.
#define REPLICA_READS_MAX      16384u
#define REPLICA_READS_SIZE_MAX (64 * MIB)
// Bytes that replicas sent for reads that are under way here. The one that goes beyond it is
// OVERLOADED.
#define REMOTE_READS_SIZE_MAX (256 * MIB)
// Partitions, or parts of the ring, that one read asks for at a time.
#define REMOTE_PIECES_MAX 16u
// The metadata log's file; it is rewritten as a snapshot when half of it is history.
#define METADATA_LOG_SIZE_MAX (64 * MIB)
// Roles and identities of a ring, and bytes of all that is known of them. More are an INVALID
// request.
#define ROLES_MAX      10000u
#define ROLES_SIZE_MAX (8 * MIB)
// Mutations whose replicas have not all answered. More writes are OVERLOADED.
#define COORDINATOR_DELIVERIES_MAX 262144u
// Logged batches that a node keeps for coordinators. More are OVERLOADED.
#define LOGGED_BATCHES_MAX 65536u
// Increments of other members' clients that this node leads at once. More are OVERLOADED.
#define COORDINATOR_LED_MAX 65536u
// Bytes of hints not yet in their files, and in the files of one member. More are not kept: reads
// repair what they find.
#define HINTS_PENDING_MAX     (16 * MIB)
#define HINTS_MEMBER_SIZE_MAX (256 * MIB)
// Bytes of mutations that wait for one replica's answers. Above, it gets hints instead.
#define COORDINATOR_MEMBER_WAITING_MAX (16 * MIB)
// Of a job's input that can not be read twice, on each member that keeps a copy: bytes and blocks
// of batches that are not done. More is OVERLOADED: the source waits.
#define INTAKE_SIZE_MAX       (512 * MIB)
#define INTAKE_BLOCKS_MAX     (256 * 1024u)
#define INTAKE_BLOCK_SIZE_MAX (8 * MIB)
// Such jobs at a time on one member. One more is OVERLOADED.
#define INTAKE_JOBS_MAX 64u
// A line of input; a longer one is counted as malformed and skipped.
#define STREAM_LINE_SIZE_MAX (16 * MIB)

#endif
