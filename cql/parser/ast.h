// What a CQL statement says, before it is bound to a schema (Cassandra: the `Raw` classes made by
// Parser.g). The parser makes it, statements read it; it never changes, but for the names of user
// types (struct cql_type).
//
// All nodes live in the arena given to cql_parse(). Slices point into the statement's text or into
// the arena, so both must outlive the tree. A slice that is absent is null (data == NULL).
//
// Names are folded: lower case unless they were quoted, quotes removed, "" inside as one ". Each
// node keeps the `text` it was written as, for messages.
#ifndef CQL_PARSER_AST_H
#define CQL_PARSER_AST_H

#include "base/slice.h"
#include "storage/schema/type.h"

#include <stdbool.h>
#include <stdint.h>

struct cql_term;
struct cql_type;

// ---- Names -----------------------------------------------------------------------------------

struct cql_names {
    const struct slice *items;
    size_t count;
};

// Of a table, index, view, type, function or aggregate. `keyspace` is null when not written.
struct cql_qualified_name {
    struct slice keyspace, name;
};

// A bind marker, in order of appearance. `name` is null for "?".
struct cql_marker {
    struct slice name;
};

// ---- Types -----------------------------------------------------------------------------------

enum cql_type_kind {
    CQL_TYPE_NATIVE, // `native`; "varchar" is TYPE_TEXT.
    CQL_TYPE_LIST,   // parameters[0]
    CQL_TYPE_SET,    // parameters[0]
    CQL_TYPE_MAP,    // parameters[0], [1]
    CQL_TYPE_TUPLE,  // all parameters
    CQL_TYPE_VECTOR, // parameters[0], dimension
    CQL_TYPE_UDT,    // `name`
    CQL_TYPE_CUSTOM, // `java`
};

struct cql_type {
    struct slice text;
    enum cql_type_kind kind;
    bool frozen; // Written inside frozen<>. What that means is CQL3Type.Raw's matter.
    enum type_kind native;
    const struct cql_type *const *parameters;
    size_t parameter_count;
    int64_t dimension;              // May be no valid one: 0, negative, or INT64_MAX if too large.
    struct cql_qualified_name name; // UDT. When its type is found, `keyspace` is set.
    struct slice java;              // CUSTOM: the Java class text.
};

// ---- Terms and selectors ---------------------------------------------------------------------

enum cql_constant_kind {
    CQL_CONSTANT_STRING,
    CQL_CONSTANT_INTEGER,
    CQL_CONSTANT_UUID,
    CQL_CONSTANT_FLOAT, // Also NaN and Infinity, with or without "-".
    CQL_CONSTANT_BOOLEAN,
    CQL_CONSTANT_HEX, // With its "0x".
    CQL_CONSTANT_DURATION,
};

enum cql_term_kind {
    CQL_TERM_CONSTANT, // `constant`, `value`: what was written, for strings without quotes.
    CQL_TERM_NULL,
    CQL_TERM_MARKER,    // `marker`: index in the statement's markers; `value`: its name or null.
    CQL_TERM_LIST,      // items
    CQL_TERM_SET,       // items; "{}" is a SET with none, and may mean a map.
    CQL_TERM_MAP,       // items: key, value, key, value, …
    CQL_TERM_UDT,       // field_names[i] = items[i]
    CQL_TERM_TUPLE,     // items; in terms also "(x)", which Cassandra unwraps when the receiver
                        // is no tuple; in selectors "(x)" is a TUPLE of one.
    CQL_TERM_FUNCTION,  // `function`, items: arguments. count(*), count(1): `is_count_rows`, none.
    CQL_TERM_TYPE_CAST, // (type) items[0]
    CQL_TERM_CAST,      // CAST(items[0] AS type)
    CQL_TERM_NEGATE,    // - items[0]
    CQL_TERM_OPERATION, // items[0] operator items[1]: one of + - * / %
    // Only in selectors (SELECT, GROUP BY):
    CQL_TERM_COLUMN,       // `value`: its name
    CQL_TERM_FIELD,        // items[0] . value
    CQL_TERM_ELEMENT,      // items[0] [ items[1] ]
    CQL_TERM_SLICE,        // items[0] [ items[1] .. items[2] ], either may be NULL
    CQL_TERM_TTL,          // TTL(items[0]): a column, or an element, slice or field of one
    CQL_TERM_WRITETIME,    // WRITETIME(items[0])
    CQL_TERM_MAXWRITETIME, // MAXWRITETIME(items[0])
};

struct cql_term {
    struct slice text;
    enum cql_term_kind kind;
    enum cql_constant_kind constant;
    char operator;
    bool is_count_rows;
    uint16_t marker;
    struct slice value;
    const struct cql_term *const *items;
    size_t item_count;
    const struct slice *field_names;
    struct cql_qualified_name function; // Folded to lower case unless quoted.
    const struct cql_type *type;
};

// ---- WHERE and IF ----------------------------------------------------------------------------

enum cql_operator {
    CQL_OPERATOR_EQ,
    CQL_OPERATOR_LT,
    CQL_OPERATOR_LTE,
    CQL_OPERATOR_GT,
    CQL_OPERATOR_GTE,
    CQL_OPERATOR_NEQ,
    CQL_OPERATOR_IN,
    CQL_OPERATOR_CONTAINS,
    CQL_OPERATOR_CONTAINS_KEY,
    CQL_OPERATOR_LIKE,
    CQL_OPERATOR_IS_NOT,
};

enum cql_relation_kind {
    CQL_RELATION_COLUMN,     // columns[0] op …
    CQL_RELATION_ELEMENT,    // columns[0][element] op value
    CQL_RELATION_FIELD,      // columns[0].field op …          (IF only)
    CQL_RELATION_TOKEN,      // TOKEN(columns) op value
    CQL_RELATION_TUPLE,      // (columns) op …
    CQL_RELATION_EXPRESSION, // expr(index, value)
};

// A relation of WHERE, or a condition of IF (kinds COLUMN, ELEMENT and FIELD).
struct cql_relation {
    struct slice text;
    enum cql_relation_kind kind;
    enum cql_operator operator;
    struct cql_names columns;
    const struct cql_term *element;
    struct slice field;
    struct cql_qualified_name index; // EXPRESSION
    // All but IN and IS_NOT: the right side. IN with one marker for the whole list: that marker.
    const struct cql_term *value;
    // IN ( … ): `value` is NULL then.
    const struct cql_term *const *in_values;
    size_t in_value_count;
};

struct cql_relations {
    const struct cql_relation *items;
    size_t count;
};

// IF of UPDATE, DELETE, INSERT.
struct cql_conditions {
    bool if_exists, if_not_exists;
    struct cql_relations conditions;
};

// ---- Data statements -------------------------------------------------------------------------

// USING; each NULL when not written, else an integer constant or a marker.
struct cql_using {
    const struct cql_term *timestamp, *ttl;
};

struct cql_selector {
    const struct cql_term *term;
    struct slice alias; // Null when there is none.
};

struct cql_ordering {
    struct slice column;
    const struct cql_term *ann_of; // NULL unless ORDER BY column ANN OF term.
    bool descending;
};

struct cql_select {
    bool is_json, is_distinct;
    const struct cql_selector *selectors; // None: "*".
    size_t selector_count;
    struct cql_qualified_name table;
    struct cql_relations where;
    const struct cql_term *const *group_by;
    size_t group_by_count;
    const struct cql_ordering *order_by;
    size_t order_by_count;
    // Integer constants or markers; NULL when not written.
    const struct cql_term *per_partition_limit, *limit;
    bool allow_filtering;
};

struct cql_insert {
    struct cql_qualified_name table;
    struct cql_names columns;
    const struct cql_term *const *values; // As many as were written, maybe not one per column.
    size_t value_count;
    const struct cql_term *json; // INSERT JSON: a string constant or a marker; else NULL.
    bool json_default_unset;     // DEFAULT UNSET.
    struct cql_conditions conditions;
    struct cql_using using;
};

enum cql_assignment_kind {
    CQL_ASSIGN,          // column = value
    CQL_ASSIGN_ADD,      // column = column + value, column += value, column = column INTEGER
    CQL_ASSIGN_PREPEND,  // column = value + column
    CQL_ASSIGN_SUBTRACT, // column = column - value, column -= value
    CQL_ASSIGN_ELEMENT,  // column[element] = value
    CQL_ASSIGN_FIELD,    // column.field = value
};

struct cql_assignment {
    struct slice text;
    enum cql_assignment_kind kind;
    struct slice column;
    const struct cql_term *element;
    struct slice field;
    // In "n = n -1" the constant is "-1", as in Cassandra, and the kind ADD.
    const struct cql_term *value;
};

struct cql_update {
    struct cql_qualified_name table;
    struct cql_using using;
    const struct cql_assignment *assignments;
    size_t assignment_count;
    struct cql_relations where;
    struct cql_conditions conditions;
};

// What DELETE removes: a column, an element or a field of one.
struct cql_deletion {
    struct slice text;
    struct slice column;
    const struct cql_term *element; // NULL, or column[element].
    struct slice field;             // Null, or column.field.
};

struct cql_delete {
    const struct cql_deletion *deletions; // None: whole rows.
    size_t deletion_count;
    struct cql_qualified_name table;
    struct cql_using using;
    struct cql_relations where;
    struct cql_conditions conditions;
};

enum cql_batch_type { CQL_BATCH_LOGGED, CQL_BATCH_UNLOGGED, CQL_BATCH_COUNTER };

struct cql_batch {
    enum cql_batch_type type;
    struct cql_using using;
    const struct cql_statement_ast *const *statements; // INSERT, UPDATE, DELETE.
    size_t statement_count;
};

// ---- Schema statements -----------------------------------------------------------------------

// WITH name = value. Numbers, booleans and keywords are given as their text.
struct cql_property_entry {
    struct slice key, value;
};
struct cql_property {
    struct slice name;
    bool is_map;
    struct slice value;                       // !is_map
    const struct cql_property_entry *entries; // is_map; in the order written, keys differ.
    size_t entry_count;
};
struct cql_properties {
    const struct cql_property *items;
    size_t count;
};

struct cql_keyspace_change { // CREATE and ALTER KEYSPACE
    struct slice keyspace;
    bool if_exists, if_not_exists;
    struct cql_properties properties;
};

struct cql_clustering_order {
    struct slice column;
    bool descending;
};

struct cql_column_definition {
    struct slice text;
    struct slice name;
    const struct cql_type *type;
    bool is_static;
    bool is_primary_key;         // "PRIMARY KEY" stands behind it.
    const struct cql_term *mask; // MASKED WITH function(…), or NULL.
    bool has_default_mask;       // MASKED WITH DEFAULT.
};

struct cql_primary_key {
    struct cql_names partition_key, clustering;
};

// Also the tail of CREATE MATERIALIZED VIEW.
struct cql_table_options {
    struct cql_properties properties;
    const struct cql_clustering_order *clustering_order;
    size_t clustering_order_count;
    bool compact_storage;
};

struct cql_create_table {
    struct cql_qualified_name table;
    bool if_not_exists;
    const struct cql_column_definition *columns; // In the order written.
    size_t column_count;
    const struct cql_primary_key *primary_keys; // Each "PRIMARY KEY (…)", and each "x PRIMARY KEY".
    size_t primary_key_count;
    struct cql_table_options options;
};

enum cql_alter_table_kind {
    CQL_ALTER_TABLE_ADD,                  // columns, if_column
    CQL_ALTER_TABLE_DROP,                 // dropped, drop_timestamp, if_column
    CQL_ALTER_TABLE_RENAME,               // renames, if_column
    CQL_ALTER_TABLE_WITH,                 // properties
    CQL_ALTER_TABLE_ALTER_TYPE,           // columns[0]
    CQL_ALTER_TABLE_MASK,                 // columns[0].mask; neither mask: DROP MASKED
    CQL_ALTER_TABLE_DROP_COMPACT_STORAGE, //
};

struct cql_rename {
    struct slice from, to;
};

struct cql_alter_table {
    struct cql_qualified_name table;
    bool if_exists;
    enum cql_alter_table_kind kind;
    bool if_column; // ADD IF NOT EXISTS, DROP IF EXISTS, RENAME IF EXISTS.
    const struct cql_column_definition *columns;
    size_t column_count;
    struct cql_names dropped;
    struct slice drop_timestamp; // Null, or the text of an integer.
    const struct cql_rename *renames;
    size_t rename_count;
    struct cql_properties properties;
};

struct cql_type_field {
    struct slice name;
    const struct cql_type *type;
};

struct cql_create_type {
    struct cql_qualified_name name;
    bool if_not_exists;
    const struct cql_type_field *fields;
    size_t field_count;
};

enum cql_alter_type_kind { CQL_ALTER_TYPE_ADD, CQL_ALTER_TYPE_RENAME, CQL_ALTER_TYPE_ALTER };

struct cql_alter_type {
    struct cql_qualified_name name;
    bool if_exists;
    enum cql_alter_type_kind kind;
    bool if_field;               // ADD IF NOT EXISTS, RENAME IF EXISTS.
    struct cql_type_field field; // ADD, ALTER
    const struct cql_rename *renames;
    size_t rename_count;
};

enum cql_index_target_kind {
    CQL_INDEX_TARGET_PLAIN,
    CQL_INDEX_TARGET_VALUES,
    CQL_INDEX_TARGET_KEYS,
    CQL_INDEX_TARGET_ENTRIES,
    CQL_INDEX_TARGET_FULL,
};

struct cql_index_target {
    enum cql_index_target_kind kind;
    struct slice column;
};

struct cql_create_index {
    bool is_custom, if_not_exists;
    struct cql_qualified_name name; // `name.name` is null when not written.
    struct cql_qualified_name table;
    const struct cql_index_target *targets;
    size_t target_count;
    struct slice custom_class; // USING '…', or null.
    struct cql_properties properties;
};

struct cql_create_view {
    struct cql_qualified_name name;
    bool if_not_exists;
    const struct cql_selector *selectors; // None: "*".
    size_t selector_count;
    struct cql_qualified_name base_table;
    struct cql_relations where;
    struct cql_primary_key primary_key;
    struct cql_table_options options;
};

struct cql_alter_view {
    struct cql_qualified_name name;
    bool if_exists;
    struct cql_properties properties;
};

struct cql_create_function {
    struct cql_qualified_name name;
    bool or_replace, if_not_exists;
    const struct cql_type_field *arguments;
    size_t argument_count;
    bool called_on_null_input;
    const struct cql_type *return_type;
    struct slice language, body;
};

struct cql_create_aggregate {
    struct cql_qualified_name name;
    bool or_replace, if_not_exists;
    const struct cql_type *const *arguments;
    size_t argument_count;
    struct slice state_function, final_function; // The latter may be null.
    const struct cql_type *state_type;
    const struct cql_term *initial_condition; // Or NULL.
};

struct cql_drop_function { // and aggregate
    struct cql_qualified_name name;
    bool if_exists;
    bool arguments_given; // "f()" is not "f".
    const struct cql_type *const *arguments;
    size_t argument_count;
};

struct cql_trigger {
    struct slice name;
    struct cql_qualified_name table;
    bool if_exists, if_not_exists;
    struct slice trigger_class;
};

// DROP KEYSPACE (the name is in `keyspace`), TABLE, TYPE, INDEX, MATERIALIZED VIEW.
struct cql_drop {
    struct cql_qualified_name name;
    bool if_exists;
};

// ---- Roles and permissions -------------------------------------------------------------------

enum cql_resource_kind {
    CQL_RESOURCE_NONE,
    CQL_RESOURCE_ALL_KEYSPACES,
    CQL_RESOURCE_KEYSPACE, // name.keyspace
    CQL_RESOURCE_TABLE,    // name
    CQL_RESOURCE_ALL_TABLES_IN_KEYSPACE,
    CQL_RESOURCE_ALL_ROLES,
    CQL_RESOURCE_ROLE, // name.name
    CQL_RESOURCE_ALL_FUNCTIONS,
    CQL_RESOURCE_ALL_FUNCTIONS_IN_KEYSPACE,
    CQL_RESOURCE_FUNCTION, // name, arguments
    CQL_RESOURCE_ALL_MBEANS,
    CQL_RESOURCE_MBEAN,
    CQL_RESOURCE_MBEANS,
};

struct cql_resource {
    enum cql_resource_kind kind;
    struct cql_qualified_name name;
    const struct cql_type *const *arguments;
    size_t argument_count;
};

// CREATE, ALTER, DROP ROLE and USER; GRANT, REVOKE, LIST; ADD and DROP IDENTITY.
struct cql_role_statement {
    bool if_exists, if_not_exists;
    struct slice role;    // The role or user it is about; the grantee; LIST … OF; may be null.
    struct slice granted; // GRANT role TO, REVOKE role FROM: the other one.
    struct cql_properties options;
    struct cql_names permissions; // Upper case; none with `all_permissions`.
    bool all_permissions;
    struct cql_resource resource;
    bool no_recursive;
    struct slice identity;
};

// ---- DESCRIBE --------------------------------------------------------------------------------

enum cql_describe_kind {
    CQL_DESCRIBE_CLUSTER,
    CQL_DESCRIBE_SCHEMA, // is_full
    CQL_DESCRIBE_KEYSPACES,
    CQL_DESCRIBE_KEYSPACE, // name.keyspace or null; is_only
    CQL_DESCRIBE_TABLES,
    CQL_DESCRIBE_TABLE,
    CQL_DESCRIBE_TYPES,
    CQL_DESCRIBE_TYPE,
    CQL_DESCRIBE_FUNCTIONS,
    CQL_DESCRIBE_FUNCTION,
    CQL_DESCRIBE_AGGREGATES,
    CQL_DESCRIBE_AGGREGATE,
    CQL_DESCRIBE_INDEX,
    CQL_DESCRIBE_VIEW,
    CQL_DESCRIBE_ANY, // DESCRIBE [ks.]x; name.keyspace or null
};

struct cql_describe {
    enum cql_describe_kind kind;
    struct cql_qualified_name name;
    bool is_full, is_only, with_internals;
};

// ---- A statement -----------------------------------------------------------------------------

// clang-format off
//    kind              union member
#define CQL_AST_MAP(X)                        \
    X(SELECT,           select)               \
    X(INSERT,           insert)               \
    X(UPDATE,           update)               \
    X(DELETE,           delete_)              \
    X(BATCH,            batch)                \
    X(USE,              use)                  \
    X(TRUNCATE,         truncate)             \
    X(CREATE_KEYSPACE,  keyspace)             \
    X(ALTER_KEYSPACE,   keyspace)             \
    X(DROP_KEYSPACE,    drop)                 \
    X(CREATE_TABLE,     create_table)         \
    X(ALTER_TABLE,      alter_table)          \
    X(DROP_TABLE,       drop)                 \
    X(CREATE_TYPE,      create_type)          \
    X(ALTER_TYPE,       alter_type)           \
    X(DROP_TYPE,        drop)                 \
    X(CREATE_INDEX,     create_index)         \
    X(DROP_INDEX,       drop)                 \
    X(CREATE_VIEW,      create_view)          \
    X(ALTER_VIEW,       alter_view)           \
    X(DROP_VIEW,        drop)                 \
    X(CREATE_FUNCTION,  create_function)      \
    X(DROP_FUNCTION,    drop_function)        \
    X(CREATE_AGGREGATE, create_aggregate)     \
    X(DROP_AGGREGATE,   drop_function)        \
    X(CREATE_TRIGGER,   trigger)              \
    X(DROP_TRIGGER,     trigger)              \
    X(CREATE_ROLE,      role)                 \
    X(ALTER_ROLE,       role)                 \
    X(DROP_ROLE,        role)                 \
    X(CREATE_USER,      role)                 \
    X(ALTER_USER,       role)                 \
    X(DROP_USER,        role)                 \
    X(LIST_ROLES,       role)                 \
    X(LIST_USERS,       role)                 \
    X(LIST_PERMISSIONS, role)                 \
    X(GRANT_ROLE,       role)                 \
    X(REVOKE_ROLE,      role)                 \
    X(GRANT_PERMISSIONS, role)                \
    X(REVOKE_PERMISSIONS, role)               \
    X(ADD_IDENTITY,     role)                 \
    X(DROP_IDENTITY,    role)                 \
    X(DESCRIBE,         describe)
// clang-format on

enum cql_ast_kind {
#define X(kind, member) CQL_AST_##kind,
    CQL_AST_MAP(X)
#undef X
};

struct cql_statement_ast {
    enum cql_ast_kind kind;
    struct slice text; // Without what stands before its first and behind its last token.
    // Of the whole statement; a BATCH has all of its parts', which have none of their own.
    const struct cql_marker *markers;
    uint16_t marker_count;
    union {
        struct cql_select select;
        struct cql_insert insert;
        struct cql_update update;
        struct cql_delete delete_;
        struct cql_batch batch;
        struct slice use;                   // The keyspace.
        struct cql_qualified_name truncate; // The table.
        struct cql_keyspace_change keyspace;
        struct cql_drop drop;
        struct cql_create_table create_table;
        struct cql_alter_table alter_table;
        struct cql_create_type create_type;
        struct cql_alter_type alter_type;
        struct cql_create_index create_index;
        struct cql_create_view create_view;
        struct cql_alter_view alter_view;
        struct cql_create_function create_function;
        struct cql_create_aggregate create_aggregate;
        struct cql_drop_function drop_function;
        struct cql_trigger trigger;
        struct cql_role_statement role;
        struct cql_describe describe;
    };
};

#endif
