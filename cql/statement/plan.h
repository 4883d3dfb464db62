// Statements after analysis: all that an execution needs, so that it only binds values and goes.
// Private to statement*.c, *_analysis.c and execution*.c.
#ifndef CQL_STATEMENT_PLAN_H
#define CQL_STATEMENT_PLAN_H

#include "cql/parser/ast.h"
#include "cql/statement/condition.h"
#include "cql/statement/json_insert.h"
#include "cql/statement/restrictions.h"
#include "cql/statement/selection.h"
#include "cql/statement/statement.h"

// ---- SELECT -------------------------------------------------------------------------------------

enum ann_similarity { ANN_COSINE, ANN_EUCLIDEAN, ANN_DOT_PRODUCT };

// ORDER BY column ANN OF vector (select_ann.h).
struct ann_order {
    const struct column *column;
    const struct term *vector;
    enum ann_similarity similarity;
};

struct select_plan {
    const struct table *table;
    struct selection selection;
    struct restrictions restrictions;
    const struct term *limit, *per_partition_limit; // NULL: none.
    bool is_distinct;
    bool reversed;
    const struct column *const *order; // The columns of ORDER BY.
    uint16_t order_count;
    bool orders_partitions; // ORDER BY over the partitions of an IN.
    bool needs_sort;        // Then the rows are sorted when all are read.
    bool is_grouped;        // GROUP BY or aggregates.
    bool has_group_by;
    uint16_t group_clustering_count; // A group ends where the partition or one of these changes.
    const struct selector *group_function; // Of the last of them: floor(c, 1h); NULL: none.
    bool with_static;                      // Static columns are selected, filtered, or make rows.
    // Cassandra reads the static row also where IN names no row at all, and looks at the keys then.
    bool may_read_static_alone;
    // system_views and the like: may be filtered, and go in the order of the keys.
    bool is_of_virtual_keyspace;
    const char *warning;         // NULL: none.
    const struct ann_order *ann; // ORDER BY … ANN OF; NULL: none. `needs_sort` then.
};

bool select_analysis_prepare(struct analysis *analysis, const struct cql_select *select,
                             struct select_plan *plan);

// ---- INSERT, UPDATE, DELETE ---------------------------------------------------------------------

enum operation_kind {
    OPERATION_SET,            // The whole column, one cell; null deletes it.
    OPERATION_INCREMENT,      // A counter.
    OPERATION_DELETE,         // The whole column.
    OPERATION_SET_COLLECTION, // The whole multi-cell column, also a user type's.
    OPERATION_APPEND,         // Elements of a list, set or map.
    OPERATION_PREPEND,        // Of a list.
    OPERATION_REMOVE,         // Elements of a set, keys of a map, values of a list.
    OPERATION_PUT_ELEMENT,    // m[key] = value, l[index] = value
    OPERATION_DELETE_ELEMENT, // m[key], s[value], l[index]
    OPERATION_PUT_FIELD,      // u.field = value; deletes it without a value.
};

struct operation {
    enum operation_kind kind;
    const struct column *column;
    const struct term *value, *key;
    bool negative;  // INCREMENT: by minus the value.
    uint16_t field; // PUT_FIELD: its index.
};

enum modification_kind { MODIFICATION_INSERT, MODIFICATION_UPDATE, MODIFICATION_DELETE };

struct modification_plan {
    enum modification_kind kind;
    const struct table *table;
    struct restrictions restrictions;
    const struct term *timestamp, *ttl; // NULL: none.
    const struct operation *operations; // Static columns first, each kind by column index.
    size_t operation_count, static_count;
    bool changes_rows;   // Not only the static row.
    bool deletes_rows;   // DELETE without columns.
    bool deletes_ranges; // … of ranges of rows, or of the whole partition.
    bool is_increment;   // An UPDATE of counters.
    bool reads_lists;    // Some operation needs the list as it is:
    size_t list_reads;   // so many.
    // IF. It is of the static row alone when neither a regular column nor a clustering is named.
    bool is_conditional, if_exists, if_not_exists, is_of_static_row;
    const struct condition *conditions;
    size_t condition_count;
};

bool modification_analysis_insert(struct analysis *analysis, const struct cql_insert *insert,
                                  struct modification_plan *plan);
bool modification_analysis_update(struct analysis *analysis, const struct cql_update *update,
                                  struct modification_plan *plan);
bool modification_analysis_delete(struct analysis *analysis, const struct cql_delete *deletion,
                                  struct modification_plan *plan);

// ---- BATCH --------------------------------------------------------------------------------------

struct batch_plan {
    enum cql_batch_type type;
    const struct term *timestamp;
    const struct modification_plan *const *parts;
    size_t part_count;
    bool is_conditional; // Some part is.
};

bool batch_analysis_prepare(struct analysis *analysis, const struct cql_batch *batch,
                            struct batch_plan *plan);
// What holds for the parts of a batch, however it was sent.
bool batch_analysis_check(enum cql_batch_type type, bool has_timestamp,
                          const struct modification_plan *const *parts, size_t count,
                          struct cql_error *error);

// ---- The rest works from the syntax tree --------------------------------------------------------

struct statement_plan {
    const struct cql_statement_ast *ast;    // In the statement's arena.
    struct slice keyspace;                  // The current one when it was prepared.
    const struct json_insert *json_inserts; // INSERT JSON of what is bound; NULL: none.
    union {
        struct select_plan select;
        struct modification_plan modification;
        struct batch_plan batch;
        const struct table *truncate;
    };
};

#endif
