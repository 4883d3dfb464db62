// What hints*.c share.
//
//     hints ── member ── files, oldest first: sealed … sealed, open
//                 │         each: what is in the file, and what is still in memory
//                 └─ the replay: one block of the oldest file at a time
#ifndef RING_HINTS_INTERNAL_H
#define RING_HINTS_INTERNAL_H

#include "base/buffer.h"
#include "base/limits.h"
#include "ring/coordinator/hints.h"
#include "ring/transport/messaging.h"

enum {
    HINTS_PATH_MAX = 4096,
    HINTS_RECORD_HEAD_SIZE = 20, // Size, checksum, time.
    HINTS_MAGIC_SIZE = 8,
    HINTS_BLOCK_SIZE = 65536,
    HINTS_FILE_SIZE_MAX = 4 << 20,                  // Then another one is begun.
    HINTS_TRUNCATIONS_MAX = SCHEMA_TABLES_MAX + 64, // Tables of users, and the system's.
};

#define HINTS_MAGIC             0x484c4e5348494e54ull // "HLNSHINT"
#define HINTS_TRUNCATIONS_MAGIC 0x484c4e5354525543ull // "HLNSTRUC"
#define HINTS_WRITE_DELAY_NS    50000000ull
#define HINTS_RETRY_DELAY_NS    1000000000ull

struct hint_file {
    struct hint_file *next; // Newer.
    uint64_t number;
    uint64_t written; // Bytes in the file, durable.
    struct buffer pending;
    int64_t first_us; // When its first hint was made.
    bool is_open;     // Takes more.
    bool is_being_written;
};

enum hints_state {
    HINTS_WAITING,
    HINTS_READING,
    HINTS_SENDING,
    HINTS_PAUSING, // For the throttle, or before it is tried again.
    HINTS_REMOVING,
};

struct hint_member {
    struct hints *hints;
    uint16_t member;
    char host[UUID_TEXT_SIZE];
    struct hint_file *files; // The oldest.
    struct hint_file *last;  // The newest.
    uint64_t size;
    enum hints_state state;
    uint64_t offset; // Of the next block in the oldest file.
    struct env_timer timer;
    struct messaging_request request;
    struct buffer body;
    // The thread's, while a job is under way:
    struct env_job job;
    char path[HINTS_PATH_MAX];
    uint64_t read_offset, read_end;
    struct buffer block; // Whole, checked records.
    bool is_end;         // Nothing more is in the file.
    enum status status;
};

// What is void of a table: hints in files before `number`.
struct hints_truncation {
    struct uuid table;
    uint64_t number;
};

struct hint_append {
    struct hint_file *file;
    char path[HINTS_PATH_MAX];
    uint64_t offset;
    struct buffer bytes;
    enum status status;
};

// One go of writing.
struct hints_write {
    struct env_job job;
    struct hint_append *appends;
    size_t append_count;
    struct buffer truncations; // The whole file; empty: it stays as it is.
    enum status truncations_status;
    uint64_t position;
    bool is_running;
};

struct hints {
    struct env *env;
    struct hints_options options;
    char *directory;
    struct metadata *metadata;
    struct engine *engine;
    struct messaging *messaging;
    struct liveness *liveness;
    struct liveness_listener listener;
    struct hint_member *members[TOPOLOGY_MEMBERS_MAX];
    uint64_t next_number;
    uint64_t position, durable_position;
    uint64_t
        lost_position; // Of what was added up to here something was lost before it was written.
    size_t pending_size;
    uint64_t dropped;
    struct hints_truncation *truncations;
    size_t truncation_count;
    bool truncations_changed;
    struct hints_write write;
    struct env_timer write_timer;
    struct hints_wait *waits, **waits_end;
    struct env_task waits_task;
    void (*closed)(void *context);
    void *closed_context;
    struct env_task closed_task;
    bool is_closing;
};

// hints.c
void hints_format_path(const struct hints *hints, const char *host, uint64_t number,
                       char path[HINTS_PATH_MAX]);
// Makes it if it is not there. NULL: no such member.
struct hint_member *hints_member(struct hints *hints, uint16_t member);
// Takes the oldest file out of the list.
void hints_forget_file(struct hint_member *member);
bool hints_is_void(const struct hints *hints, uint64_t number, struct uuid table);
// Of users, else of the system. NULL: it is gone, and so is what is kept of it.
const struct table *hints_find_table(const struct hints *hints, struct uuid table);
// A step towards the end, if one was asked for.
void hints_go_on_closing(struct hints *hints);

// hints_write.c
void hints_write_start(struct hints *hints);
void hints_write_soon(struct hints *hints);
void hints_write_free(struct hints_write *write);

// hints_open.c
MUST_USE enum status hints_find_files(struct hints *hints, struct error *error);

// hints_replay.c
// Begins to send, if there is anything to send and the member is up.
void hints_replay_look(struct hint_member *member);

#endif
