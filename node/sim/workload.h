// What simulated clients do to a store, and the check of every answer (model.h): one for all
// worlds. A world (storage_world.h, node_world.h) carries operations out and lives and dies.
//
//     slots: each does one operation after the other ──submit──▶ world ──done──▶ checked, next
//     plans: a life ends at a random I/O step, by kill -9 or by power loss, or in good order
//
// Tables: VALUES and TRUNCATED (text key, int row, static s, value v), COUNTERS (key, row, n), and
// SCHEMA, where a partition is the name of a table and its "value" the comment it was made with.
#ifndef NODE_SIM_WORKLOAD_H
#define NODE_SIM_WORKLOAD_H

#include "base/buffer.h"
#include "base/env_sim.h"
#include "base/random.h"
#include "node/sim/model.h"
#include "ring/consistency.h"

enum workload_table {
    WORKLOAD_VALUES,
    WORKLOAD_TRUNCATED,
    WORKLOAD_COUNTERS,
    WORKLOAD_SCHEMA,
    WORKLOAD_TABLE_COUNT,
    // Of a ring's clients only, and not of the model's (ring_workload.h).
    WORKLOAD_BATCHED = WORKLOAD_TABLE_COUNT,
    WORKLOAD_REGISTERS,
    WORKLOAD_EXPIRING,
};

// clang-format off
#define WORKLOAD_KIND_MAP(X)                    \
    X(INSERT,           "insert")               \
    X(SET_STATIC,       "set static")           \
    X(DELETE_ROW,       "delete row")           \
    X(DELETE_RANGE,     "delete range")         \
    X(DELETE_PARTITION, "delete partition")     \
    X(INCREMENT,        "increment")            \
    X(READ_ROW,         "read row")             \
    X(READ_PARTITION,   "read partition")       \
    X(READ_SLICE,       "read slice")           \
    X(SCAN,             "scan")                 \
    X(TRUNCATE,         "truncate")             \
    X(FLUSH,            "flush")                \
    X(CREATE_TABLE,     "create table")         \
    X(ALTER_TABLE,      "alter table")          \
    X(DROP_TABLE,       "drop table")           \
    X(READ_SCHEMA,      "read schema")          \
    X(INSERT_BATCH,     "logged batch")         \
    X(INSERT_IF,        "insert if not exists") \
    X(UPDATE_IF,        "update if")            \
    X(READ_SERIAL,      "read serial")          \
    X(INSERT_TTL,       "insert with ttl")      \
    X(COMPACT,          "compaction")           \
    X(READ_INDEX,       "read by index")
// clang-format on

#define X(kind, text) WORKLOAD_##kind,
enum workload_kind { WORKLOAD_KIND_MAP(X) WORKLOAD_KIND_COUNT };
#undef X

const char *workload_kind_text(enum workload_kind kind);

enum workload_outcome {
    WORKLOAD_DONE,     // Acknowledged; of a read: `found` is its answer.
    WORKLOAD_REFUSED,  // It never happens.
    WORKLOAD_UNKNOWN,  // It may or may not have happened.
    WORKLOAD_NOT_SENT, // The store was not there: no operation at all.
};

enum { WORKLOAD_BATCH_ROWS = 3 };

// A cell that a read found.
struct workload_found {
    uint32_t partition, row; // MODEL_STATIC: the static one.
    uint64_t stamp;          // Of its value; of a counter: the sum.
};

// The cells that a read shows, as they were when it began.
struct operation_views {
    struct model_view *items;
    size_t count, capacity;
};

struct workload_operation {
    enum workload_kind kind;
    enum workload_table table;
    size_t partition;
    size_t row, row_end; // [row, row_end)
    uint64_t stamp;
    int64_t delta;
    bool reversed, is_long;
    size_t limit;    // Rows of a partition that a read wants at most; 0: all.
    bool limits_all; // … or of all partitions together.
    size_t page_max; // The longest page that a client may ask for; 0: it chooses.
    int ttl_s;
    enum consistency consistency;
    size_t node; // Of a ring: where it was sent to.
    // Of conditional ones: the value that is to be there; whether it was, and the one that was (0:
    // none).
    uint64_t expected, seen;
    bool applied;
    // Of reads: the world adds what it finds.
    struct workload_found *found;
    size_t found_count, found_capacity;
    size_t came_count; // Rows: one that is a static one alone, too.
    void (*done)(struct workload_operation *operation, enum workload_outcome outcome);
    // The workload's.
    struct workload *workload;
    struct sim_call call;
    struct operation_views views;
    uint64_t life;
    bool is_busy;
};

void workload_found_add(struct workload_operation *operation, size_t partition, size_t row,
                        uint64_t stamp);

size_t workload_value_size(uint64_t stamp);
// Bytes of the value that a stamp stands for, and back (false: these are no value of ours).
void workload_value_put(uint64_t stamp, struct buffer *value);
bool workload_value_get(struct slice value, uint64_t *stamp);

// What a world can do. `submit`: `done` comes once, never inside. A world that dies tells all its
// operations UNKNOWN.
struct workload_world {
    // STATUS_OK, or why the store does not start; it is dead then.
    enum status (*start)(void *world, struct error *error);
    void (*submit)(void *world, struct workload_operation *operation);
    // Ends in good order; workload_stopped() follows.
    void (*stop)(void *world);
    // The process that lives now; NULL when none does.
    struct env *(*process)(void *world);
    bool has_cql; // Does DDL, too.
};

struct workload_options {
    uint64_t seed;
    uint64_t operations;
    size_t slots; // 0: by the seed.
};

struct workload;

struct workload *workload_create(struct sim_world *sim, const struct workload_options *options,
                                 const struct workload_world *world, void *context);
void workload_destroy(struct workload *workload);
// Begins: starts the store.
void workload_begin(struct workload *workload);
// All operations are done and checked, or something is wrong.
bool workload_is_over(const struct workload *workload);
// The world's own, as given to workload_create().
void *workload_context(const struct workload *workload);
// What is wrong, or NULL.
const char *workload_fault(const struct workload *workload);
// Something that a world found wrong by itself. The first is kept.
void workload_fail(struct workload *workload, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// A life begins with this process, in workload_world.start: decides how it is going to end.
void workload_plan_end(struct workload *workload, struct env *process);
// The world tells: the process crashed and is gone; it ended in good order.
void workload_died(struct workload *workload);
void workload_stopped(struct workload *workload);

// A counter shard was seen: (id, clock) of a cell never has two counts.
void workload_saw_shard(struct workload *workload, size_t partition, size_t row,
                        const uint8_t id[static 16], int64_t clock, int64_t count);

uint64_t workload_done_count(const struct workload *workload, enum workload_kind kind);

#endif
