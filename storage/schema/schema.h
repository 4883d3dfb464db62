// Keyspaces, tables and columns (org.apache.cassandra.schema): what the bytes of a node mean.
//
// A `struct table` never changes: ALTER TABLE makes a new one with the same id, and whoever works
// with the old one (a memtable, a prepared statement, a read) holds a reference to it. The
// `struct schema` is the map from names to the present ones; the loop owns it.
//
// Columns stand in Cassandra's order (sstable-nb §2.9): in each of the static and regular lists all
// single-cell columns first, then all multi-cell ones; inside each by name.
#ifndef STORAGE_SCHEMA_H
#define STORAGE_SCHEMA_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"
#include "storage/schema/speculative_retry.h"
#include "storage/schema/type.h"
#include "storage/schema/user_types.h"
#include "storage/uuid.h"

#include <stdbool.h>
#include <stdint.h>

enum column_kind {
    COLUMN_PARTITION_KEY,
    COLUMN_CLUSTERING,
    COLUMN_STATIC,
    COLUMN_REGULAR,
    COLUMN_KIND_COUNT
};

struct column {
    struct slice name;
    const struct type *type;
    enum column_kind kind;
    uint16_t index; // In the table's list of its kind: `position` for keys.
    bool reversed;  // CLUSTERING ORDER BY (... DESC).
};

// A string map such as `compaction` or `replication`, in the order of its keys.
struct option {
    struct slice key, value;
};
struct options {
    const struct option *items;
    size_t count;
};

// WITH …, each with Cassandra's default (org.apache.cassandra.schema.TableParams).
struct table_params {
    struct slice comment;
    struct slice additional_write_policy, speculative_retry, read_repair, memtable;
    struct options caching, compaction, compression, extensions;
    double bloom_filter_fp_chance, crc_check_chance;
    int32_t default_time_to_live, gc_grace_seconds;
    int32_t max_index_interval, min_index_interval, memtable_flush_period_in_ms;
    bool allow_auto_snapshot, cdc, incremental_backups;
};

struct dropped_column {
    struct slice name;
    const struct type *type;
    enum column_kind kind;   // STATIC or REGULAR.
    int64_t dropped_time_us; // Cells written up to then are ignored.
};

// What of a column an index is about, as it is written: (c), values(c), keys(m), entries(m),
// full(f).
enum index_target {
    INDEX_TARGET_SIMPLE,
    INDEX_TARGET_VALUES,
    INDEX_TARGET_KEYS,
    INDEX_TARGET_ENTRIES,
    INDEX_TARGET_FULL,
    INDEX_TARGET_COUNT
};

// A secondary index (org.apache.cassandra.schema.IndexMetadata).
struct index_definition {
    struct uuid id; // Of the hidden table that has its entries.
    struct slice name, column;
    enum index_target target;
    struct slice class_name; // CREATE CUSTOM INDEX … USING, as it was written; else null.
    struct options options;  // WITH OPTIONS: neither `target` nor `class_name`.
};

struct table {
    uint32_t references; // table_ref(), table_unref(): any thread.
    struct arena arena;  // Holds all that this struct points to.
    struct uuid id;
    struct slice keyspace, name;
    struct column *columns[COLUMN_KIND_COUNT];
    uint16_t column_counts[COLUMN_KIND_COUNT];
    // Of all columns but the partition key's, in order: names and types. Where it is equal, a
    // column's index means the same.
    uint64_t layout_hash;
    bool is_counter;
    bool is_virtual; // Not stored: rows are made for each read (system tables).
    const struct dropped_column *dropped_columns;
    size_t dropped_column_count;
    const struct index_definition *indexes; // By name.
    size_t index_count;
    struct table_params params;
    struct speculative_retry speculative_retry; // As `params` has it in text.
};

void table_ref(const struct table *table);
void table_unref(const struct table *table); // NULL is allowed.

// NULL when there is none.
const struct column *table_find_column(const struct table *table, struct slice name);
// NULL when there is none.
const struct index_definition *table_find_index(const struct table *table, struct slice name);
// Its `target` option: "c", "values(c)", "\"C d\"".
void index_definition_put_target(const struct index_definition *index, struct buffer *text);
// Any column type is multi-cell.
bool table_has_multi_cell(const struct table *table);

// A table under construction. All it is given is copied.
struct table_builder;
struct table_builder *table_builder_create(struct slice keyspace, struct slice name,
                                           struct uuid id);
// Begins with all that `table` has.
struct table_builder *table_builder_copy(const struct table *table);
void table_builder_destroy(struct table_builder *builder);
struct arena *table_builder_arena(struct table_builder *builder);
struct table_params *table_builder_params(struct table_builder *builder); // Defaults until changed.
// A table with a counter column is one anyway.
void table_builder_set_counter(struct table_builder *builder, bool is_counter);
void table_builder_set_virtual(struct table_builder *builder, bool is_virtual);
// Key columns in the order of the key; others in any order.
void table_builder_add_column(struct table_builder *builder, struct slice name,
                              const struct type *type, enum column_kind kind, bool reversed);
void table_builder_drop_column(struct table_builder *builder, struct slice name,
                               int64_t dropped_time_us);
// A column that was dropped already, as a decoder finds it.
void table_builder_add_dropped(struct table_builder *builder, struct slice name,
                               const struct type *type, enum column_kind kind,
                               int64_t dropped_time_us);
void table_builder_rename_column(struct table_builder *builder, struct slice from, struct slice to);
// Types of columns as the catalogue has them. False: they are so already.
bool table_builder_resolve_types(struct table_builder *builder, const struct user_types *types);
void table_builder_add_index(struct table_builder *builder, const struct index_definition *index);
bool table_builder_has_column(struct table_builder *builder, struct slice name);
void table_builder_drop_index(struct table_builder *builder, struct slice name);
// One reference, the caller's. Ends the builder.
const struct table *table_builder_finish(struct table_builder *builder);

struct table_params table_params_default(void); // Slices to constants.

struct keyspace {
    uint32_t references; // keyspace_ref(), keyspace_unref(): any thread.
    struct arena arena;
    struct slice name;
    struct options replication; // 'class' is the full Java name.
    bool durable_writes;
    bool is_virtual;
    struct user_types types;
};

// Without types.
const struct keyspace *keyspace_make(struct slice name, const struct options *replication,
                                     bool durable_writes, bool is_virtual);
const struct keyspace *keyspace_make_with_types(struct slice name,
                                                const struct options *replication,
                                                bool durable_writes, bool is_virtual,
                                                const struct user_types *types);
void keyspace_ref(const struct keyspace *keyspace);
void keyspace_unref(const struct keyspace *keyspace);

struct schema; // All keyspaces and tables. The loop's.
struct schema *schema_create(void);
void schema_destroy(struct schema *schema);
// NULL when there is none. Valid until the schema changes; take a reference to keep it.
const struct keyspace *schema_find_keyspace(const struct schema *schema, struct slice name);
const struct table *schema_find_table(const struct schema *schema, struct slice keyspace,
                                      struct slice name);
const struct table *schema_find_table_by_id(const struct schema *schema, struct uuid id);
// Adds or replaces, taking a reference of its own. OVERLOADED at the limits: nothing has changed.
// Tables of the keyspace that hold types that are others now are replaced, too.
MUST_USE enum status schema_put_keyspace(struct schema *schema, const struct keyspace *keyspace);
MUST_USE enum status schema_put_table(struct schema *schema, const struct table *table);
// A keyspace goes with its tables. Nothing happens when there is none.
void schema_remove_keyspace(struct schema *schema, struct slice name);
void schema_remove_table(struct schema *schema, struct slice keyspace, struct slice name);
// All, sorted by name. `index` from 0; NULL behind the last.
const struct keyspace *schema_keyspace_at(const struct schema *schema, size_t index);
// The tables of one keyspace, sorted by name.
const struct table *schema_table_at(const struct schema *schema, struct slice keyspace,
                                    size_t index);
// Equal for equal schemas, another after any change: a 128-bit hash (XXH3) of all definitions that
// nodes have in common (neither virtual nor of a LocalStrategy keyspace), as a version-3 uuid.
struct uuid schema_version(const struct schema *schema);

#endif
