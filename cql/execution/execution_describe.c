// Executing DESCRIBE (org.apache.cassandra.cql3.statements.DescribeStatement; cql-server.md §4.6).
//
// All rows are made at once, from the schema in memory; a page is a part of them. The paging state
// names the schema's version, so that a change between two pages is noticed:
//
//     u8 'D', 16 bytes schema version, u32 rows given so far
#include "base/bytes.h"
#include "base/limits.h"
#include "cql/execution/execution.h"
#include "cql/statement/analysis.h"
#include "cql/system/system_tables.h"
#include "ring/topology/placement.h"
#include "storage/schema/cql_name.h"
#include "storage/schema/schema_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { STATE_SIZE = 21, SCHEMA_COUNT = 2 };

struct describing {
    struct execution *execution;
    const struct cql_describe *raw;
    struct slice current; // Keyspace.
    uint32_t skip, take, row_count, given;
    bool has_more;
};

// ---- Rows ---------------------------------------------------------------------------------------

// Whether the next row is in this page.
static bool describing_takes_row(struct describing *describing)
{
    uint32_t index = describing->row_count++;
    if (index < describing->skip) return false;
    if (describing->given == describing->take) {
        describing->has_more = true;
        return false;
    }
    describing->given++;
    return true;
}

static void describing_put_name(struct describing *describing, struct slice name)
{
    struct buffer text;
    buffer_init(&text, 4096);
    cql_name_put(name, &text);
    execution_put_value(describing->execution, buffer_slice(&text));
    buffer_deinit(&text);
}

static void describing_put_names(struct describing *describing, struct slice keyspace,
                                 const char *type, struct slice name)
{
    describing_put_name(describing, keyspace);
    execution_put_text(describing->execution, type);
    describing_put_name(describing, name);
}

static void describing_list(struct describing *describing, struct slice keyspace, const char *type,
                            struct slice name)
{
    if (describing_takes_row(describing)) describing_put_names(describing, keyspace, type, name);
}

static void describing_put_keyspace(struct describing *describing, const struct keyspace *keyspace)
{
    if (!describing_takes_row(describing)) return;
    struct buffer text;
    buffer_init(&text, CQL_RESPONSE_SIZE_MAX);
    schema_text_put_keyspace(keyspace, &text);
    describing_put_names(describing, keyspace->name, "keyspace", keyspace->name);
    execution_put_value(describing->execution, buffer_slice(&text));
    buffer_deinit(&text);
}

static void describing_put_index(struct describing *describing, const struct table *table,
                                 const struct index_definition *index)
{
    if (!describing_takes_row(describing)) return;
    struct buffer text;
    buffer_init(&text, CQL_RESPONSE_SIZE_MAX);
    schema_text_put_index(table, index, &text);
    describing_put_names(describing, table->keyspace, "index", index->name);
    execution_put_value(describing->execution, buffer_slice(&text));
    buffer_deinit(&text);
}

static void describing_put_table_alone(struct describing *describing, const struct table *table)
{
    if (!describing_takes_row(describing)) return;
    struct buffer text;
    buffer_init(&text, CQL_RESPONSE_SIZE_MAX);
    const struct keyspace *keyspace =
        analysis_lookup_keyspace(describing->execution->processor, table->keyspace);
    bool is_stored_elsewhere = table->is_virtual && keyspace != NULL && !keyspace->is_virtual;
    if (is_stored_elsewhere) {
        // Made for each read by us, an ordinary table of the system to clients.
        struct table_builder *builder = table_builder_copy(table);
        table_builder_set_virtual(builder, false);
        const struct table *plain = table_builder_finish(builder);
        schema_text_put_table(plain, describing->raw->with_internals, &text);
        table_unref(plain);
    } else {
        schema_text_put_table(table, describing->raw->with_internals, &text);
    }
    describing_put_names(describing, table->keyspace, "table", table->name);
    execution_put_value(describing->execution, buffer_slice(&text));
    buffer_deinit(&text);
}

// What is listed is listed by name, where capitals are no matter.
static int describing_compare_names(struct slice x, struct slice y)
{
    int order =
        strncasecmp((const char *)x.data, (const char *)y.data, x.size < y.size ? x.size : y.size);
    if (order == 0) order = (x.size > y.size) - (x.size < y.size);
    return order != 0 ? order : slice_compare(x, y);
}

static int describing_compare_indexes(const void *a, const void *b)
{
    const struct index_definition *const *left = a, *const *right = b;
    return describing_compare_names((*left)->name, (*right)->name);
}

static int describing_compare_tables(const void *a, const void *b)
{
    const struct table *const *left = a, *const *right = b;
    return describing_compare_names((*left)->name, (*right)->name);
}

static int describing_compare_types(const void *a, const void *b)
{
    const struct type *const *left = a, *const *right = b;
    return describing_compare_names((*left)->name, (*right)->name);
}

// With its indexes.
static void describing_put_table(struct describing *describing, const struct table *table)
{
    describing_put_table_alone(describing, table);
    const struct index_definition **indexes = ARENA_NEW_ARRAY(
        &describing->execution->arena, const struct index_definition *, table->index_count + 1);
    for (size_t i = 0; i < table->index_count; i++)
        indexes[i] = &table->indexes[i];
    qsort(indexes, table->index_count, sizeof(struct index_definition *),
          describing_compare_indexes);
    for (size_t i = 0; i < table->index_count; i++)
        describing_put_index(describing, table, indexes[i]);
}

static void describing_put_type(struct describing *describing, const struct type *type)
{
    if (!describing_takes_row(describing)) return;
    struct buffer text;
    buffer_init(&text, CQL_RESPONSE_SIZE_MAX);
    schema_text_put_type(type, &text);
    describing_put_names(describing, type->keyspace, "type", type->name);
    execution_put_value(describing->execution, buffer_slice(&text));
    buffer_deinit(&text);
}

// Each after those that it needs.
static void describing_put_types(struct describing *describing, const struct keyspace *keyspace)
{
    const size_t *order = user_types_order(&describing->execution->arena, &keyspace->types);
    for (size_t i = 0; i < keyspace->types.count; i++)
        describing_put_type(describing, keyspace->types.items[order[i]]);
}

// ---- All keyspaces ------------------------------------------------------------------------------

// Users' and the system's own.
static const struct schema *describing_schema(const struct describing *describing, size_t index)
{
    struct query_processor *processor = describing->execution->processor;
    if (index == 0) return metadata_schema(processor->metadata);
    return processor->system_tables == NULL ? NULL : system_tables_schema(processor->system_tables);
}

// Calls `each` for every keyspace by name, of both schemas.
static void describing_each_keyspace(struct describing *describing,
                                     void (*each)(struct describing *describing,
                                                  const struct schema *schema,
                                                  const struct keyspace *keyspace))
{
    size_t at[SCHEMA_COUNT] = {0, 0};
    for (;;) {
        const struct keyspace *next[SCHEMA_COUNT] = {NULL, NULL};
        for (size_t i = 0; i < SCHEMA_COUNT; i++) {
            const struct schema *schema = describing_schema(describing, i);
            if (schema != NULL) next[i] = schema_keyspace_at(schema, at[i]);
        }
        if (next[0] == NULL && next[1] == NULL) return;
        size_t first =
            next[0] == NULL || (next[1] != NULL && slice_compare(next[1]->name, next[0]->name) < 0);
        each(describing, describing_schema(describing, first), next[first]);
        at[first]++;
    }
}

static const struct table *const *describing_tables(struct describing *describing,
                                                    const struct schema *schema,
                                                    const struct keyspace *keyspace, size_t *count)
{
    for (*count = 0; schema_table_at(schema, keyspace->name, *count) != NULL;)
        ++*count;
    const struct table **tables =
        ARENA_NEW_ARRAY(&describing->execution->arena, const struct table *, *count + 1);
    for (size_t i = 0; i < *count; i++)
        tables[i] = schema_table_at(schema, keyspace->name, i);
    qsort(tables, *count, sizeof(struct table *), describing_compare_tables);
    return tables;
}

static void describing_list_keyspace(struct describing *describing, const struct schema *schema,
                                     const struct keyspace *keyspace)
{
    (void)schema;
    describing_list(describing, keyspace->name, "keyspace", keyspace->name);
}

static void describing_list_tables(struct describing *describing, const struct schema *schema,
                                   const struct keyspace *keyspace)
{
    if (describing->current.size > 0 && !slice_equals(describing->current, keyspace->name)) return;
    size_t count;
    const struct table *const *tables = describing_tables(describing, schema, keyspace, &count);
    for (size_t i = 0; i < count; i++)
        describing_list(describing, keyspace->name, "table", tables[i]->name);
}

static void describing_list_types(struct describing *describing, const struct schema *schema,
                                  const struct keyspace *keyspace)
{
    (void)schema;
    if (describing->current.size > 0 && !slice_equals(describing->current, keyspace->name)) return;
    const struct type **types = ARENA_NEW_ARRAY(&describing->execution->arena, const struct type *,
                                                keyspace->types.count + 1);
    for (size_t i = 0; i < keyspace->types.count; i++)
        types[i] = keyspace->types.items[i];
    qsort(types, keyspace->types.count, sizeof(struct type *), describing_compare_types);
    for (size_t i = 0; i < keyspace->types.count; i++)
        describing_list(describing, keyspace->name, "type", types[i]->name);
}

static void describing_whole_keyspace(struct describing *describing, const struct schema *schema,
                                      const struct keyspace *keyspace)
{
    describing_put_keyspace(describing, keyspace);
    if (describing->raw->is_only) return;
    describing_put_types(describing, keyspace);
    size_t count;
    const struct table *const *tables = describing_tables(describing, schema, keyspace, &count);
    for (size_t i = 0; i < count; i++)
        describing_put_table(describing, tables[i]);
}

static void describing_schema_part(struct describing *describing, const struct schema *schema,
                                   const struct keyspace *keyspace)
{
    bool is_system = schema == describing_schema(describing, 1);
    if (is_system && (!describing->raw->is_full || keyspace->is_virtual)) return;
    describing_whole_keyspace(describing, schema, keyspace);
}

// ---- One thing ----------------------------------------------------------------------------------

static bool describing_refuse(struct describing *describing, const char *format, struct slice a,
                              struct slice b)
{
    struct execution *execution = describing->execution;
    return cql_error_set(&execution->error, CQL_ERROR_INVALID, "%s",
                         arena_format(&execution->arena, format, SLICE_TEXT(a), SLICE_TEXT(b)));
}

static bool describing_no_keyspace(struct describing *describing)
{
    return cql_error_set(&describing->execution->error, CQL_ERROR_INVALID,
                         "No keyspace specified and no current keyspace");
}

// The keyspace, by its name, with the schema it is in.
static const struct keyspace *describing_find(struct describing *describing, struct slice name,
                                              const struct schema **schema)
{
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        *schema = describing_schema(describing, i);
        const struct keyspace *keyspace =
            *schema == NULL ? NULL : schema_find_keyspace(*schema, name);
        if (keyspace != NULL) return keyspace;
    }
    return NULL;
}

static bool describing_keyspace(struct describing *describing)
{
    struct slice name = describing->raw->name.keyspace;
    if (slice_is_null(name)) name = describing->current;
    if (name.size == 0) return describing_no_keyspace(describing);
    const struct schema *schema;
    const struct keyspace *keyspace = describing_find(describing, name, &schema);
    if (keyspace == NULL)
        return describing_refuse(describing, "'%.*s' not found in keyspaces%.*s", name,
                                 slice_make("", 0));
    describing_whole_keyspace(describing, schema, keyspace);
    return true;
}

// A thing in a keyspace: its own or the current one, which must exist.
static bool describing_place(struct describing *describing, struct slice *keyspace)
{
    *keyspace = describing->raw->name.keyspace;
    if (slice_is_null(*keyspace)) *keyspace = describing->current;
    if (keyspace->size == 0) return describing_no_keyspace(describing);
    const struct schema *schema;
    if (describing_find(describing, *keyspace, &schema) != NULL) return true;
    return describing_refuse(describing, "'%.*s' not found in keyspaces%.*s", *keyspace,
                             slice_make("", 0));
}

static bool describing_table(struct describing *describing)
{
    struct slice keyspace, name = describing->raw->name.name;
    if (!describing_place(describing, &keyspace)) return false;
    const struct table *table =
        analysis_lookup_table(describing->execution->processor, keyspace, name);
    if (table == NULL)
        return describing_refuse(describing, "Table '%.*s' not found in keyspace '%.*s'", name,
                                 keyspace);
    describing_put_table(describing, table);
    return true;
}

static const struct type *describing_find_type(struct describing *describing,
                                               struct slice keyspace_name, struct slice name)
{
    const struct keyspace *keyspace =
        analysis_lookup_keyspace(describing->execution->processor, keyspace_name);
    return keyspace == NULL ? NULL : user_types_find(&keyspace->types, name);
}

static bool describing_type(struct describing *describing)
{
    struct slice keyspace, name = describing->raw->name.name;
    if (!describing_place(describing, &keyspace)) return false;
    const struct type *type = describing_find_type(describing, keyspace, name);
    if (type == NULL)
        return describing_refuse(describing, "User defined type '%.*s' not found in '%.*s'", name,
                                 keyspace);
    describing_put_type(describing, type);
    return true;
}

static bool describing_missing(struct describing *describing, const char *format)
{
    struct slice keyspace;
    if (!describing_place(describing, &keyspace)) return false;
    return describing_refuse(describing, format, describing->raw->name.name, keyspace);
}

// False: there is none.
static bool describing_put_found_index(struct describing *describing, struct slice keyspace)
{
    const struct schema *schema = describing_schema(describing, 0);
    const struct table *table;
    for (size_t i = 0; (table = schema_table_at(schema, keyspace, i)) != NULL; i++) {
        const struct index_definition *index = table_find_index(table, describing->raw->name.name);
        if (index == NULL) continue;
        describing_put_index(describing, table, index);
        return true;
    }
    return false;
}

static bool describing_index(struct describing *describing)
{
    struct slice keyspace;
    if (!describing_place(describing, &keyspace)) return false;
    return describing_put_found_index(describing, keyspace) ||
           describing_missing(describing, "Table for existing index '%.*s' not found in '%.*s'");
}

static bool describing_any(struct describing *describing)
{
    struct slice name = describing->raw->name.name;
    const struct schema *schema;
    if (slice_is_null(describing->raw->name.keyspace)) {
        const struct keyspace *keyspace = describing_find(describing, name, &schema);
        if (keyspace != NULL) {
            describing_whole_keyspace(describing, schema, keyspace);
            return true;
        }
        if (describing->current.size == 0)
            return describing_refuse(describing, "'%.*s' not found in keyspaces%.*s", name,
                                     slice_make("", 0));
    }
    struct slice keyspace;
    if (!describing_place(describing, &keyspace)) return false;
    const struct table *table =
        analysis_lookup_table(describing->execution->processor, keyspace, name);
    if (table != NULL)
        describing_put_table(describing, table);
    else if (!describing_put_found_index(describing, keyspace))
        return describing_refuse(describing, "'%.*s' not found in keyspace '%.*s'", name, keyspace);
    return true;
}

static bool describing_has_ranges(const struct describing *describing)
{
    const struct schema *users = describing_schema(describing, 0);
    return describing->execution->processor->system_tables != NULL &&
           describing->current.size > 0 && schema_find_keyspace(users, describing->current) != NULL;
}

// A range, by the token at its end as text: in that order they stand in the map.
struct described_range {
    char token[24];
    size_t place;
};

static int describing_compare_ranges(const void *a, const void *b)
{
    const struct described_range *left = a, *right = b;
    return strcmp(left->token, right->token);
}

static void describing_put_bytes(struct buffer *map, const char *text)
{
    buffer_put_u32(map, (uint32_t)strlen(text));
    buffer_put(map, text, strlen(text));
}

// One entry: the token, and who has the range: "/127.0.0.1:7000".
static void describing_put_range(struct buffer *map, const struct described_range *range,
                                 const struct env_address *const *addresses, uint16_t count)
{
    describing_put_bytes(map, range->token);
    size_t begin = map->size;
    buffer_put_u32(map, 0); // The list's size, known at its end.
    buffer_put_u32(map, count);
    for (uint16_t i = 0; i < count; i++) {
        char text[1 + ENV_ADDRESS_TEXT_SIZE] = "/";
        env_address_format(addresses[i], text + 1);
        describing_put_bytes(map, text);
    }
    if (!map->overflow) bytes_put_u32(map->data + begin, (uint32_t)(map->size - begin - 4));
}

// Sorted. `topology` is NULL where a node is alone, and `alone` then says which.
static struct described_range *describing_sorted_ranges(struct arena *arena,
                                                        const struct topology *topology,
                                                        const struct node_identity *alone,
                                                        size_t *count)
{
    *count = topology != NULL ? topology->place_count : alone->token_count;
    struct described_range *ranges = ARENA_NEW_ARRAY(arena, struct described_range, *count + 1);
    for (size_t i = 0; i < *count; i++) {
        struct token token = topology != NULL ? topology->places[i].token : alone->tokens[i];
        (void)snprintf(ranges[i].token, sizeof ranges[i].token, "%" PRId64, token.value);
        ranges[i].place = i;
    }
    qsort(ranges, *count, sizeof *ranges, describing_compare_ranges);
    return ranges;
}

// A map<text, list<text>> of all ranges of the keyspace in use.
static void describing_ranges(struct describing *describing)
{
    struct execution *execution = describing->execution;
    const struct topology *topology = metadata_topology(execution->processor->metadata);
    const struct node_identity *alone = system_tables_identity(execution->processor->system_tables);
    const struct keyspace *keyspace =
        schema_find_keyspace(describing_schema(describing, 0), describing->current);
    size_t count;
    struct described_range *ranges =
        describing_sorted_ranges(&execution->arena, topology, alone, &count);
    uint16_t member_count = topology == NULL ? 1 : topology->member_count, replica_count = 1;
    uint16_t *members = ARENA_NEW_ARRAY(&execution->arena, uint16_t, member_count);
    const struct env_address **addresses =
        ARENA_NEW_ARRAY(&execution->arena, const struct env_address *, member_count);
    addresses[0] = &alone->broadcast_address;
    struct buffer map;
    buffer_init(&map, CQL_RESPONSE_SIZE_MAX);
    buffer_put_u32(&map, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        if (topology != NULL)
            replica_count = placement_choose(topology, keyspace, ranges[i].place, members);
        for (uint16_t m = 0; topology != NULL && m < replica_count; m++)
            addresses[m] = &topology->members[members[m]].address;
        describing_put_range(&map, &ranges[i], addresses, replica_count);
    }
    execution_put_value(execution, buffer_slice(&map));
    buffer_deinit(&map);
}

static bool describing_cluster(struct describing *describing)
{
    struct execution *execution = describing->execution;
    const char *name = execution->processor->cluster_name;
    if (!describing_takes_row(describing)) return true;
    execution_put_text(execution, name == NULL ? "Test Cluster" : name);
    execution_put_text(execution, "Murmur3Partitioner");
    execution_put_text(execution, "DynamicEndpointSnitch");
    if (describing_has_ranges(describing)) describing_ranges(describing);
    return true;
}

static bool describing_run(struct describing *describing)
{
    switch (describing->raw->kind) {
    case CQL_DESCRIBE_CLUSTER:
        return describing_cluster(describing);
    case CQL_DESCRIBE_SCHEMA:
        describing_each_keyspace(describing, describing_schema_part);
        return true;
    case CQL_DESCRIBE_KEYSPACES:
        describing_each_keyspace(describing, describing_list_keyspace);
        return true;
    case CQL_DESCRIBE_KEYSPACE:
        return describing_keyspace(describing);
    case CQL_DESCRIBE_TABLES:
        describing_each_keyspace(describing, describing_list_tables);
        return true;
    case CQL_DESCRIBE_TABLE:
        return describing_table(describing);
    case CQL_DESCRIBE_TYPES:
        describing_each_keyspace(describing, describing_list_types);
        return true;
    case CQL_DESCRIBE_FUNCTIONS:
    case CQL_DESCRIBE_AGGREGATES:
        return true;
    case CQL_DESCRIBE_TYPE:
        return describing_type(describing);
    case CQL_DESCRIBE_FUNCTION:
        return describing_missing(describing, "User defined function '%.*s' not found in '%.*s'");
    case CQL_DESCRIBE_AGGREGATE:
        return describing_missing(describing, "User defined aggregate '%.*s' not found in '%.*s'");
    case CQL_DESCRIBE_INDEX:
        return describing_index(describing);
    case CQL_DESCRIBE_VIEW:
        return describing_missing(describing, "Materialized view '%.*s' not found in '%.*s'");
    case CQL_DESCRIBE_ANY:
        return describing_any(describing);
    }
    return true;
}

// ---- Columns and pages --------------------------------------------------------------------------

static void describing_set_columns(struct describing *describing)
{
    static const char *const names[] = {"keyspace_name", "type", "name", "create_statement"};
    static const char *const cluster_names[] = {"cluster", "partitioner", "snitch",
                                                "range_ownership"};
    struct execution *execution = describing->execution;
    enum cql_describe_kind kind = describing->raw->kind;
    bool is_cluster = kind == CQL_DESCRIBE_CLUSTER;
    bool is_list = kind == CQL_DESCRIBE_KEYSPACES || kind == CQL_DESCRIBE_TABLES ||
                   kind == CQL_DESCRIBE_TYPES || kind == CQL_DESCRIBE_FUNCTIONS ||
                   kind == CQL_DESCRIBE_AGGREGATES;
    uint16_t count = is_list || (is_cluster && !describing_has_ranges(describing)) ? 3 : 4;
    struct column_spec *columns = ARENA_NEW_ARRAY(&execution->arena, struct column_spec, 4);
    const struct type *text = type_of_kind(TYPE_TEXT);
    for (uint16_t i = 0; i < count; i++)
        columns[i] =
            (struct column_spec){slice_of_text("system"), slice_of_text("describe"),
                                 slice_of_text(is_cluster ? cluster_names[i] : names[i]), text};
    if (is_cluster && count == 4) {
        const struct type *list = type_make_list(&execution->arena, text, true);
        columns[3].type = type_make_map(&execution->arena, text, list, true);
    }
    execution->result.columns = columns;
    execution->result.column_count = count;
}

static bool describing_resume(struct describing *describing, struct uuid version)
{
    struct execution *execution = describing->execution;
    struct slice state = execution->options->paging_state;
    if (slice_is_null(state)) return true;
    if (state.size != STATE_SIZE || state.data[0] != 'D')
        return cql_error_set(&execution->error, CQL_ERROR_INVALID, "Invalid paging state.");
    if (memcmp(state.data + 1, version.bytes, sizeof version.bytes) != 0)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "The schema has changed since the previous page of the DESCRIBE "
                             "statement result. Please retry the DESCRIBE statement.");
    describing->skip = bytes_get_u32(state.data + 17);
    return true;
}

static void describing_put_state(struct describing *describing, struct uuid version)
{
    struct execution *execution = describing->execution;
    uint8_t *state = arena_alloc(&execution->arena, STATE_SIZE);
    state[0] = 'D';
    memcpy(state + 1, version.bytes, sizeof version.bytes);
    bytes_put_u32(state + 17, describing->skip + describing->given);
    execution->result.paging_state = slice_make(state, STATE_SIZE);
}

void execution_describe_start(struct execution *execution)
{
    int32_t page_size = execution->options->page_size;
    struct describing describing = {
        .execution = execution,
        .raw = &execution->statement->plan->ast->describe,
        .current = execution->options->keyspace,
        .take = page_size > 0 ? (uint32_t)page_size : UINT32_MAX,
    };
    struct uuid version = schema_version(metadata_schema(execution->processor->metadata));
    describing_set_columns(&describing);
    if (!describing_resume(&describing, version) || !describing_run(&describing)) {
        execution_fail(execution);
        return;
    }
    execution->result.row_count = describing.given;
    if (describing.has_more) describing_put_state(&describing, version);
    execution_succeed(execution, RESULT_ROWS);
}
