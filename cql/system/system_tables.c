#include "cql/system/system_tables.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "cql/system/system_auth_rows.h"
#include "cql/system/system_definitions.h"
#include "cql/system/system_pools.h"
#include "cql/system/system_row.h"
#include "cql/system/system_schema_rows.h"
#include "cql/system/system_views.h"
#include "storage/engine/engine_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct system_tables {
    struct env *env;
    const struct metadata *metadata;
    const struct node_identity *identity;
    const struct engine *engine;             // NULL: none.
    const struct coordinator *coordinator;   // NULL: none.
    const struct system_source *source;      // NULL: none.
    const struct table_figures_set *figures; // NULL: none.
    struct schema *schema;
    int32_t generation; // Seconds since 1970 at the start: Cassandra's gossip generation.
};

struct system_tables *system_tables_create(struct env *env, const struct metadata *metadata,
                                           const struct node_identity *identity)
{
    struct system_tables *tables = calloc(1, sizeof *tables);
    ASSERT(tables != NULL);
    tables->env = env;
    tables->metadata = metadata;
    tables->identity = identity;
    tables->schema = system_definitions_make();
    tables->generation = (int32_t)(env_wall_us(env) / 1000000);
    return tables;
}

void system_tables_destroy(struct system_tables *tables)
{
    if (tables == NULL) return;
    schema_destroy(tables->schema);
    free(tables);
}

const struct env_address *system_tables_address(const struct system_tables *tables)
{
    return &tables->identity->broadcast_address;
}

const struct node_identity *system_tables_identity(const struct system_tables *tables)
{
    return tables->identity;
}

void system_tables_set_engine(struct system_tables *tables, const struct engine *engine)
{
    tables->engine = engine;
}

void system_tables_set_coordinator(struct system_tables *tables,
                                   const struct coordinator *coordinator)
{
    tables->coordinator = coordinator;
}

void system_tables_set_figures(struct system_tables *tables,
                               const struct table_figures_set *figures)
{
    tables->figures = figures;
}

void system_tables_set_source(struct system_tables *tables, const struct system_source *source)
{
    tables->source = source;
}

const struct schema *system_tables_schema(const struct system_tables *tables)
{
    return tables->schema;
}

void system_tables_stored(const struct system_tables *tables,
                          const struct table *stored[static SYSTEM_TABLES_STORED_COUNT])
{
    static const char *const names[SYSTEM_TABLES_STORED_COUNT][2] = {
        {"system_traces", "sessions"},
        {"system_traces", "events"},
        {"system", "prepared_statements"},
    };
    for (size_t i = 0; i < SYSTEM_TABLES_STORED_COUNT; i++)
        stored[i] = schema_find_table(tables->schema, slice_of_text(names[i][0]),
                                      slice_of_text(names[i][1]));
}

// ---- system.local ------------------------------------------------------------------------------

static void set_address(struct system_row *row, const char *name, const char *port_name,
                        const struct env_address *address)
{
    system_row_set(row, name, slice_make(address->bytes, address->size));
    system_row_set_int(row, port_name, address->port);
}

static void set_tokens(struct system_row *row, const struct token *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[24];
        int size = snprintf(text, sizeof text, "%" PRId64, tokens[i].value);
        system_row_add_element(row, "tokens", slice_make(text, (size_t)size));
    }
}

static void fill_local(const struct system_tables *tables, struct system_row *row)
{
    const struct node_identity *identity = tables->identity;
    system_row_set_text(row, "key", "local");
    system_row_set_text(row, "bootstrapped", "COMPLETED");
    set_address(row, "broadcast_address", "broadcast_port", &identity->broadcast_address);
    system_row_set_text(row, "cluster_name", identity->cluster_name);
    system_row_set_text(row, "cql_version", SYSTEM_TABLES_CQL_VERSION);
    system_row_set_text(row, "data_center", identity->data_center);
    system_row_set_int(row, "gossip_generation", tables->generation);
    system_row_set_uuid(row, "host_id", identity->host_id);
    set_address(row, "listen_address", "listen_port", &identity->listen_address);
    system_row_set_text(row, "native_protocol_version", "5");
    system_row_set_text(row, "partitioner", "org.apache.cassandra.dht.Murmur3Partitioner");
    system_row_set_text(row, "rack", identity->rack);
    system_row_set_text(row, "release_version", SYSTEM_TABLES_RELEASE_VERSION);
    set_address(row, "rpc_address", "rpc_port", &identity->rpc_address);
    system_row_set_uuid(row, "schema_version", schema_version(metadata_schema(tables->metadata)));
    set_tokens(row, identity->tokens, identity->token_count);
    system_row_end(row);
}

// ---- system.peers, system.peers_v2 --------------------------------------------------------------

static void fill_peer(const struct member *member, struct uuid version, bool is_v2,
                      struct system_row *row)
{
    const struct env_address *address = &member->address, *rpc = &member->rpc_address;
    system_row_set(row, "peer", slice_make(address->bytes, address->size));
    if (is_v2) {
        system_row_set_int(row, "peer_port", address->port);
        set_address(row, "native_address", "native_port", rpc);
    } else {
        system_row_set(row, "rpc_address", slice_make(rpc->bytes, rpc->size));
    }
    system_row_set_text(row, "data_center", member->data_center);
    system_row_set_uuid(row, "host_id", member->host_id);
    system_row_set_text(row, "rack", member->rack);
    system_row_set_text(row, "release_version", SYSTEM_TABLES_RELEASE_VERSION);
    system_row_set_uuid(row, "schema_version", version);
    set_tokens(row, member->tokens, member->token_count);
    system_row_end(row);
}

// Members that are down too, as in Cassandra.
static void fill_peers(const struct system_tables *tables, bool is_v2,
                       const struct system_row *empty)
{
    const struct topology *topology = metadata_topology(tables->metadata);
    if (topology == NULL) return;
    // A change of the schema is done when all who live have it, and who comes back gets it before
    // it serves anybody: ours is theirs, and drivers need not wait for agreement.
    struct uuid version = schema_version(metadata_schema(tables->metadata));
    for (uint16_t i = 0; i < topology->member_count; i++) {
        if (uuid_equals(topology->members[i].host_id, tables->identity->host_id)) continue;
        struct system_row row = *empty;
        fill_peer(&topology->members[i], version, is_v2, &row);
    }
}

// ---- system_views.settings ---------------------------------------------------------------------

static void put_setting(const struct system_row *empty, const char *name, const char *value)
{
    struct system_row row = *empty;
    system_row_set_text(&row, "name", name);
    system_row_set_text(&row, "value", value);
    system_row_end(&row);
}

static void put_number(const struct system_row *empty, const char *name, unsigned long value)
{
    char text[24];
    snprintf(text, sizeof text, "%lu", value);
    put_setting(empty, name, text);
}

static void put_host(const struct system_row *empty, const char *name,
                     const struct env_address *address)
{
    char text[ENV_ADDRESS_TEXT_SIZE];
    env_address_format(address, text); // "127.0.0.1:9042", "[::1]:9042"
    char *colon = strrchr(text, ':');
    if (colon != NULL) *colon = 0;
    size_t size = strlen(text);
    if (text[0] == '[' && size > 1) {
        text[size - 1] = 0;
        put_setting(empty, name, text + 1);
    } else {
        put_setting(empty, name, text);
    }
}

// Those of Cassandra's settings that are the same thing here.
static void fill_settings(const struct system_tables *tables, const struct system_row *empty)
{
    const struct node_identity *identity = tables->identity;
    put_setting(empty, "authenticator",
                identity->authenticates ? "PasswordAuthenticator" : "AllowAllAuthenticator");
    put_setting(empty, "authorizer",
                identity->authorizes ? "CassandraAuthorizer" : "AllowAllAuthorizer");
    put_host(empty, "broadcast_address", &identity->broadcast_address);
    put_setting(empty, "cluster_name", identity->cluster_name);
    put_setting(empty, "endpoint_snitch", "SimpleSnitch");
    put_host(empty, "listen_address", &identity->listen_address);
    put_number(empty, "native_transport_port", identity->rpc_address.port);
    put_number(empty, "num_tokens", identity->token_count);
    put_setting(empty, "partitioner", "org.apache.cassandra.dht.Murmur3Partitioner");
    put_host(empty, "rpc_address", &identity->rpc_address);
    put_number(empty, "storage_port", identity->listen_address.port);
}

// ---- Compactions -------------------------------------------------------------------------------

static void set_merged_counts(struct system_row *row, const struct engine_compaction_done *done)
{
    for (uint32_t i = 0; i < sizeof done->merged_counts / sizeof done->merged_counts[0]; i++) {
        uint8_t key[4], value[8];
        if (done->merged_counts[i] == 0) continue;
        bytes_put_u32(key, i + 1);
        bytes_put_u64(value, done->merged_counts[i]);
        system_row_add_entry(row, "rows_merged", slice_make(key, sizeof key),
                             slice_make(value, sizeof value));
    }
}

// The last ones since the start: Cassandra keeps those of a week.
static void fill_compaction_history(const struct engine *engine, const struct system_row *empty)
{
    static const struct option kind = {{(const uint8_t *)"compaction_type", 15},
                                       {(const uint8_t *)"Compaction", 10}};
    static const struct options properties = {&kind, 1};
    const struct engine_compaction_done *done;
    for (size_t i = 0; (done = engine_compaction_done_at(engine, i)) != NULL; i++) {
        struct system_row row = *empty;
        system_row_set_uuid(&row, "id", done->id);
        system_row_set_long(&row, "bytes_in", (int64_t)done->bytes_in);
        system_row_set_long(&row, "bytes_out", (int64_t)done->bytes_out);
        system_row_set_text(&row, "columnfamily_name", done->table);
        system_row_set_long(&row, "compacted_at", done->done_ms);
        system_row_set_options(&row, "compaction_properties", &properties);
        system_row_set_text(&row, "keyspace_name", done->keyspace);
        set_merged_counts(&row, done);
        system_row_end(&row);
    }
}

static void fill_sstable_tasks(const struct engine *engine, const struct system_row *empty)
{
    struct engine_compaction_info info;
    for (size_t i = 0; engine_compaction_at(engine, i, &info); i++) {
        struct system_row row = *empty;
        system_row_set(&row, "keyspace_name", info.table->keyspace);
        system_row_set(&row, "table_name", info.table->name);
        system_row_set_uuid(&row, "task_id", info.id);
        system_row_set_double(
            &row, "completion_ratio",
            info.total_bytes == 0 ? 1 : (double)info.read_bytes / (double)info.total_bytes);
        system_row_set_text(&row, "kind", info.kind);
        system_row_set_long(&row, "progress", (int64_t)info.read_bytes);
        system_row_set_int(&row, "sstables", (int32_t)info.input_count);
        system_row_set_long(&row, "total", (int64_t)info.total_bytes);
        system_row_set_text(&row, "unit", "bytes");
        system_row_end(&row);
    }
}

// ---- system."IndexInfo" ------------------------------------------------------------------------

static void fill_index_info(const struct system_tables *tables, const struct system_row *empty)
{
    const struct schema *schema = metadata_schema(tables->metadata);
    const struct keyspace *keyspace;
    for (size_t k = 0; (keyspace = schema_keyspace_at(schema, k)) != NULL; k++) {
        const struct table *table;
        for (size_t t = 0; (table = schema_table_at(schema, keyspace->name, t)) != NULL; t++) {
            for (size_t i = 0; i < table->index_count; i++) {
                if (!engine_index_is_built(tables->engine, table->id, table->indexes[i].id))
                    continue;
                struct system_row row = *empty;
                system_row_set(&row, "table_name", keyspace->name);
                system_row_set(&row, "index_name", table->indexes[i].name);
                system_row_end(&row);
            }
        }
    }
}

// ---- All ---------------------------------------------------------------------------------------

static bool is_table(const struct table *table, const char *keyspace, const char *name)
{
    return slice_equals(table->keyspace, slice_of_text(keyspace)) &&
           slice_equals(table->name, slice_of_text(name));
}

static struct system_views views_of(const struct system_tables *tables)
{
    return (struct system_views){tables->metadata,
                                 tables->identity,
                                 tables->engine,
                                 tables->coordinator,
                                 tables->source,
                                 tables->figures,
                                 env_wall_us(tables->env) / 1000000 - tables->generation};
}

size_t system_tables_pools(const struct system_tables *tables,
                           struct system_pool pools[static SYSTEM_POOLS_MAX])
{
    const struct system_views views = views_of(tables);
    return system_pools_tell(&views, pools);
}

static bool fill_views(const struct system_tables *tables, const struct system_row *empty)
{
    const struct system_views views = views_of(tables);
    return system_views_fill(&views, empty);
}

void system_tables_fill(const struct system_tables *tables, const struct table *table,
                        struct memtable *memtable)
{
    struct arena arena;
    arena_init(&arena, 4096);
    int64_t now = env_wall_us(tables->env);
    struct system_row row;
    system_row_begin(&row, table, memtable, &arena, now);
    if (fill_views(tables, &row)) {
        // It was one of those.
    } else if (is_table(table, "system", "local")) {
        fill_local(tables, &row);
    } else if (is_table(table, "system", "peers") || is_table(table, "system", "peers_v2")) {
        fill_peers(tables, is_table(table, "system", "peers_v2"), &row);
    } else if (is_table(table, "system_views", "settings")) {
        fill_settings(tables, &row);
    } else if (is_table(table, "system", "compaction_history")) {
        if (tables->engine != NULL) fill_compaction_history(tables->engine, &row);
    } else if (is_table(table, "system", "IndexInfo")) {
        if (tables->engine != NULL) fill_index_info(tables, &row);
    } else if (is_table(table, "system_views", "sstable_tasks")) {
        if (tables->engine != NULL) fill_sstable_tasks(tables->engine, &row);
    } else if (slice_equals(table->keyspace, slice_of_text("system_auth"))) {
        system_auth_rows_fill(metadata_roles(tables->metadata), &row);
    } else if (slice_equals(table->keyspace, slice_of_text("system_schema"))) {
        const struct schema *user_schema = metadata_schema(tables->metadata);
        system_schema_rows_fill(table, SYSTEM_SCHEMA_STORED, tables->schema, memtable, &arena, now);
        system_schema_rows_fill(table, SYSTEM_SCHEMA_STORED, user_schema, memtable, &arena, now);
    } else if (slice_equals(table->keyspace, slice_of_text("system_virtual_schema"))) {
        system_schema_rows_fill(table, SYSTEM_SCHEMA_VIRTUAL, tables->schema, memtable, &arena,
                                now);
    }
    arena_deinit(&arena);
}
