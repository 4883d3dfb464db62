// What the files admin*.c share: a request that is answered later, and answers.
#ifndef NODE_ADMIN_INTERNAL_H
#define NODE_ADMIN_INTERNAL_H

#include "node/admin.h"
#include "node/admin_protocol.h"

enum { ADMIN_OPS_MAX = 32, ADMIN_NAME_SIZE = 256, ADMIN_ANSWER_SIZE_MAX = 8 << 20 };

// A request that is answered later.
struct admin_op {
    struct admin *admin;
    enum admin_kind kind; // 0: free.
    struct message_origin origin;
    struct env_timer timer;    // AWAIT.
    struct engine_flush flush; // FLUSH.
    uint16_t *members;         // AWAIT.
    uint16_t member_count;
    void *work; // Of others, from malloc().
};

struct admin {
    struct env *env;
    struct admin_options options;
    struct message_handler handler;
    struct liveness_listener listener;
    bool listens, left;
    int64_t started_us;
    struct admin_op ops[ADMIN_OPS_MAX];
};

void admin_answer(struct admin *admin, struct message_origin origin, enum status status,
                  struct slice body);
void admin_answer_text(struct admin *admin, struct message_origin origin, enum status status,
                       const char *text);
// NULL, and the answer is given, when too many wait.
struct admin_op *admin_op_begin(struct admin *admin, enum admin_kind kind,
                                struct message_origin origin);
// Answers, and frees what it has.
void admin_op_end(struct admin_op *op, enum status status, struct slice body);
void admin_op_end_text(struct admin_op *op, enum status status, const char *text);

// Tables that a request names; `ids` has room for all.
enum { ADMIN_TABLES_MAX = 4096 };
struct admin_tables {
    struct uuid *ids;
    size_t count;
};

// admin_snapshot.c
// u16 count, × { text keyspace, table }; of a keyspace all, if the table is empty; none: all there
// are. NOT_FOUND, MALFORMED with a text.
MUST_USE enum status admin_choose_tables(const struct schema *schema, struct cursor *body,
                                         struct admin_tables *chosen, struct error *error);
void admin_snapshot_start(struct admin *admin, const struct message *message, struct cursor *body);
void admin_snapshot_list(struct admin *admin, const struct message *message);
// `created_before_ms` 0: whenever they were made.
void admin_snapshot_clear(struct admin *admin, const struct message *message, struct cursor *body,
                          uint64_t created_before_ms);

// admin_import.c
void admin_import_start(struct admin *admin, const struct message *message, struct cursor *body);
void admin_import_progress(struct admin *admin, const struct message *message);

// admin_compaction.c
void admin_compact_start(struct admin *admin, const struct message *message, struct cursor *body);
void admin_compaction_stats(struct admin *admin, const struct message *message);
void admin_compaction_set(struct admin *admin, const struct message *message, struct cursor *body);
void admin_compaction_stop(struct admin *admin, const struct message *message);
void admin_compaction_enable(struct admin *admin, const struct message *message,
                             struct cursor *body);
void admin_table_stats(struct admin *admin, const struct message *message, struct cursor *body);

// admin_figures.c
void admin_trace_probability(struct admin *admin, const struct message *message,
                             struct cursor *body);
void admin_pools(struct admin *admin, const struct message *message);
void admin_table_histograms(struct admin *admin, const struct message *message,
                            struct cursor *body);

#endif
