#include "cql/system/system_views.h"

#include "cql/system/system_members.h"
#include "cql/system/system_pools.h"
#include "cql/system/table_figures.h"
#include "ring/coordinator/coordinator.h"
#include "storage/engine/engine_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

static bool is_table(const struct table *table, const char *keyspace, const char *name)
{
    return slice_equals(table->keyspace, slice_of_text(keyspace)) &&
           slice_equals(table->name, slice_of_text(name));
}

// Calls `fill` for each table of users that the engine has.
static void each_table(const struct system_views *views, const struct system_row *empty,
                       void (*fill)(const struct system_views *views,
                                    const struct system_row *empty, const struct keyspace *keyspace,
                                    const struct table *table,
                                    const struct engine_table_stats *stats))
{
    const struct schema *schema = metadata_schema(views->metadata);
    const struct keyspace *keyspace;
    if (views->engine == NULL) return;
    for (size_t k = 0; (keyspace = schema_keyspace_at(schema, k)) != NULL; k++) {
        const struct table *table;
        for (size_t t = 0; (table = schema_table_at(schema, keyspace->name, t)) != NULL; t++) {
            struct engine_table_stats stats;
            if (engine_table_stats(views->engine, table->id, &stats))
                fill(views, empty, keyspace, table, &stats);
        }
    }
}

// ---- Estimates ---------------------------------------------------------------------------------

struct estimate {
    double partitions; // Of all that this node has of the table.
    double held;       // How much of the ring that is, 0 to 1.
    int64_t mean_size;
};

// What lies in several SSTables counts several times, as in Cassandra; what is in memory counts
// here, so that a new table has estimates at once.
static struct estimate estimate_table(const struct system_views *views,
                                      const struct keyspace *keyspace,
                                      const struct engine_table_stats *stats)
{
    const struct topology *topology = metadata_topology(views->metadata);
    uint64_t partitions = stats->partition_count + stats->memtable_partitions;
    uint64_t bytes = stats->uncompressed_bytes + stats->memtable_bytes;
    int factor = coordinator_replication_factor(keyspace);
    int members = topology == NULL ? 1 : topology->member_count;
    struct estimate estimate = {.partitions = (double)partitions, .held = 1};
    if (factor < members) estimate.held = (double)factor / members;
    if (partitions > 0) estimate.mean_size = (int64_t)(bytes / partitions);
    return estimate;
}

static void put_range(const struct system_row *empty, const struct table *table,
                      const char *range_type, int64_t start, int64_t end,
                      const struct estimate *estimate)
{
    char text[24];
    // The width of (start, end], which ends where the ring does when it is the last.
    uint64_t width = (uint64_t)end - (uint64_t)start;
    double share = estimate->held <= 0 ? 0 : (double)width / 18446744073709551616.0;
    double count = estimate->held <= 0 ? 0 : estimate->partitions * share / estimate->held;
    struct system_row row = *empty;
    system_row_set(&row, "keyspace_name", table->keyspace);
    system_row_set(&row, "table_name", table->name);
    if (range_type != NULL) system_row_set_text(&row, "range_type", range_type);
    (void)snprintf(text, sizeof text, "%" PRId64, start);
    system_row_set_text(&row, "range_start", text);
    (void)snprintf(text, sizeof text, "%" PRId64, end);
    system_row_set_text(&row, "range_end", text);
    system_row_set_long(&row, "mean_partition_size", estimate->mean_size);
    system_row_set_long(&row, "partitions_count", (int64_t)(count + 0.5));
    system_row_end(&row);
}

// The range that goes over the end of the ring is told as two.
static void put_ranges(const struct system_views *views, const struct system_row *empty,
                       const struct table *table, const char *range_type,
                       const struct estimate *estimate)
{
    const struct topology *topology = metadata_topology(views->metadata);
    size_t count = topology == NULL ? views->identity->token_count : topology->place_count;
    for (size_t i = 0; i < count; i++) {
        size_t before = i == 0 ? count - 1 : i - 1;
        int64_t start, end;
        if (topology == NULL) {
            start = views->identity->tokens[before].value;
            end = views->identity->tokens[i].value;
        } else {
            const struct member *member = &topology->members[topology->places[i].member];
            if (!uuid_equals(member->host_id, views->identity->host_id)) continue;
            start = topology->places[before].token.value;
            end = topology->places[i].token.value;
        }
        if (start < end) {
            put_range(empty, table, range_type, start, end, estimate);
            continue;
        }
        if (start != INT64_MIN) put_range(empty, table, range_type, start, INT64_MIN, estimate);
        if (end != INT64_MIN) put_range(empty, table, range_type, INT64_MIN, end, estimate);
    }
}

static void fill_size_estimates(const struct system_views *views, const struct system_row *empty,
                                const struct keyspace *keyspace, const struct table *table,
                                const struct engine_table_stats *stats)
{
    struct estimate estimate = estimate_table(views, keyspace, stats);
    put_ranges(views, empty, table, NULL, &estimate);
}

static void fill_table_estimates(const struct system_views *views, const struct system_row *empty,
                                 const struct keyspace *keyspace, const struct table *table,
                                 const struct engine_table_stats *stats)
{
    struct estimate estimate = estimate_table(views, keyspace, stats);
    put_ranges(views, empty, table, "local_primary", &estimate);
    put_ranges(views, empty, table, "primary", &estimate);
}

// ---- Sizes -------------------------------------------------------------------------------------

static void put_mebibytes(const struct system_row *empty, const struct table *table, uint64_t bytes)
{
    enum { MEBIBYTE = 1024 * 1024 };
    struct system_row row = *empty;
    system_row_set(&row, "keyspace_name", table->keyspace);
    system_row_set(&row, "table_name", table->name);
    system_row_set_long(&row, "mebibytes", (int64_t)((bytes + MEBIBYTE - 1) / MEBIBYTE));
    system_row_end(&row);
}

static void fill_disk_usage(const struct system_views *views, const struct system_row *empty,
                            const struct keyspace *keyspace, const struct table *table,
                            const struct engine_table_stats *stats)
{
    (void)views, (void)keyspace;
    put_mebibytes(empty, table, stats->sstable_bytes);
}

static void fill_max_sstable_size(const struct system_views *views, const struct system_row *empty,
                                  const struct keyspace *keyspace, const struct table *table,
                                  const struct engine_table_stats *stats)
{
    (void)views, (void)keyspace;
    put_mebibytes(empty, table, stats->largest_sstable_bytes);
}

static void fill_duration(const struct system_views *views, const struct system_row *empty,
                          const struct keyspace *keyspace, const struct table *table,
                          const struct engine_table_stats *stats)
{
    (void)views, (void)keyspace;
    struct system_row row = *empty;
    system_row_set(&row, "keyspace_name", table->keyspace);
    system_row_set(&row, "table_name", table->name);
    system_row_set_long(&row, "max_sstable_duration", (int64_t)(stats->longest_sstable_us / 1000));
    system_row_end(&row);
}

// ---- Storage-attached indexes ------------------------------------------------------------------

static bool is_sai(struct slice class_name)
{
    static const char *const names[] = {"sai", "storageattachedindex",
                                        "org.apache.cassandra.index.sai.storageattachedindex"};
    bool is_one = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !slice_is_null(class_name); i++)
        is_one =
            is_one || (class_name.size == strlen(names[i]) &&
                       strncasecmp((const char *)class_name.data, names[i], class_name.size) == 0);
    return is_one;
}

// As Java prints the analyzer: of options that change a text, all three.
static const char *analyzer_text(struct arena *arena, const struct options *options)
{
    static const char *const names[] = {"case_sensitive", "normalize", "ascii"};
    bool values[] = {true, false, false};
    bool is_analyzed = false;
    for (size_t i = 0; i < options->count; i++)
        for (size_t k = 0; k < 3; k++) {
            if (!slice_equals(options->items[i].key, slice_of_text(names[k]))) continue;
            values[k] = slice_equals(options->items[i].value, slice_of_text("true"));
            is_analyzed = true;
        }
    if (!is_analyzed) return "NoOpAnalyzer";
    return arena_format(arena, "NonTokenizingAnalyzer{caseSensitive=%s, normalized=%s, ascii=%s}",
                        values[0] ? "true" : "false", values[1] ? "true" : "false",
                        values[2] ? "true" : "false");
}

static void put_sai(const struct system_views *views, const struct system_row *empty,
                    const struct table *table, const struct index_definition *index)
{
    const struct column *column = table_find_column(table, index->column);
    struct system_row row = *empty;
    bool is_built = engine_index_is_built(views->engine, table->id, index->id);
    bool is_string =
        column != NULL && (column->type->kind == TYPE_TEXT || column->type->kind == TYPE_ASCII);
    system_row_set(&row, "keyspace_name", table->keyspace);
    system_row_set(&row, "index_name", index->name);
    system_row_set_text(&row, "analyzer", analyzer_text(row.arena, &index->options));
    system_row_set(&row, "column_name", index->column);
    system_row_set_bool(&row, "is_building", !is_built);
    system_row_set_bool(&row, "is_queryable", true); // Until it is built all rows are looked at.
    system_row_set_bool(&row, "is_string", is_string);
    system_row_set(&row, "table_name", table->name);
    system_row_end(&row);
}

static void fill_sai(const struct system_views *views, const struct system_row *empty,
                     const struct keyspace *keyspace, const struct table *table,
                     const struct engine_table_stats *stats)
{
    (void)keyspace, (void)stats;
    for (size_t i = 0; i < table->index_count; i++)
        if (is_sai(table->indexes[i].class_name)) put_sai(views, empty, table, &table->indexes[i]);
}

// ---- Latencies ---------------------------------------------------------------------------------

static void put_latency(const struct system_views *views, const struct system_row *empty,
                        const struct table *table, const struct table_latency *latency)
{
    struct system_row row = *empty;
    system_row_set(&row, "keyspace_name", table->keyspace);
    system_row_set(&row, "table_name", table->name);
    system_row_set_long(&row, "count", (int64_t)latency->count);
    system_row_set_double(&row, "max_ms", (double)latency->max_us / 1000);
    system_row_set_double(&row, "p50th_ms", (double)table_latency_percentile(latency, 50) / 1000);
    system_row_set_double(&row, "p99th_ms", (double)table_latency_percentile(latency, 99) / 1000);
    system_row_set_double(&row, "per_second",
                          views->up_s > 0 ? (double)latency->count / (double)views->up_s : 0);
    system_row_end(&row);
}

// What reads met of it; of those that were looked at, but the number is that of all.
static void put_numbers(const struct system_row *empty, const struct table *table,
                        const struct table_figures *figures, bool wants_rows)
{
    const struct table_latency *numbers = wants_rows ? &figures->rows : &figures->tombstones;
    struct system_row row = *empty;
    system_row_set(&row, "keyspace_name", table->keyspace);
    system_row_set(&row, "table_name", table->name);
    system_row_set_long(&row, "count",
                        (int64_t)(figures->latencies[TABLE_LATENCY_READ].count +
                                  figures->latencies[TABLE_LATENCY_SCAN].count));
    system_row_set_double(&row, "max", (double)numbers->max_us);
    system_row_set_double(&row, "p50th", (double)table_latency_percentile(numbers, 50));
    system_row_set_double(&row, "p99th", (double)table_latency_percentile(numbers, 99));
    system_row_end(&row);
}

static void put_batch(const struct system_row *empty, const char *name,
                      const struct table_latency *numbers)
{
    struct system_row row = *empty;
    system_row_set_text(&row, "name", name);
    system_row_set_long(&row, "max", (int64_t)numbers->max_us);
    system_row_set_double(&row, "p50th", (double)table_latency_percentile(numbers, 50));
    system_row_set_double(&row, "p999th", (double)table_latency_percentile(numbers, 99.9));
    system_row_set_double(&row, "p99th", (double)table_latency_percentile(numbers, 99));
    system_row_end(&row);
}

static void fill_batches(const struct system_views *views, const struct system_row *empty)
{
    static const char *const names[TABLE_BATCH_COUNT] = {"partitions_per_counter_batch",
                                                         "partitions_per_logged_batch",
                                                         "partitions_per_unlogged_batch"};
    if (views->figures == NULL) return;
    for (int kind = 0; kind < TABLE_BATCH_COUNT; kind++)
        put_batch(empty, names[kind],
                  table_figures_batches(views->figures, (enum table_batch_kind)kind));
}

enum figures_view { FIGURES_ROWS = TABLE_LATENCY_COUNT, FIGURES_TOMBSTONES };

// Of all tables of users, also of those that nobody asked for yet.
static void fill_figures(const struct system_views *views, const struct system_row *empty, int view)
{
    static const struct table_figures none;
    const struct schema *schema = metadata_schema(views->metadata);
    const struct keyspace *keyspace;
    if (views->figures == NULL) return;
    for (size_t k = 0; (keyspace = schema_keyspace_at(schema, k)) != NULL; k++) {
        const struct table *table;
        for (size_t t = 0; (table = schema_table_at(schema, keyspace->name, t)) != NULL; t++) {
            const struct table_figures *figures = table_figures_find(views->figures, table->id);
            if (figures == NULL) figures = &none;
            if (view < TABLE_LATENCY_COUNT)
                put_latency(views, empty, table, &figures->latencies[view]);
            else
                put_numbers(empty, table, figures, view == FIGURES_ROWS);
        }
    }
}

// ---- Clients -----------------------------------------------------------------------------------

static void put_metric(const struct system_row *empty, const char *name, double value)
{
    struct system_row row = *empty;
    system_row_set_text(&row, "name", name);
    system_row_set_double(&row, "value", value);
    system_row_end(&row);
}

static void fill_cql_metrics(const struct system_source *source, const struct system_row *empty)
{
    struct system_statistics statistics;
    source->statistics(source->context, &statistics);
    double prepared = (double)statistics.executions, regular = (double)statistics.queries;
    put_metric(empty, "prepared_statements_count", (double)statistics.prepared_statements);
    put_metric(empty, "prepared_statements_evicted", (double)statistics.prepared_evictions);
    put_metric(empty, "prepared_statements_executed", prepared);
    put_metric(empty, "prepared_statements_ratio",
               prepared + regular > 0 ? prepared / (prepared + regular) : 0);
    put_metric(empty, "regular_statements_executed", regular);
}

static void put_client(void *context, const struct system_client *client)
{
    const struct system_row *empty = context;
    struct system_row row = *empty;
    const struct env_address *address = &client->address;
    system_row_set(&row, "address", slice_make(address->bytes, address->size));
    system_row_set_int(&row, "port", address->port);
    system_row_set_text(&row, "connection_stage", client->stage);
    if (client->keyspace.size > 0) system_row_set(&row, "keyspace_name", client->keyspace);
    if (client->driver_name[0] != '\0')
        system_row_set_text(&row, "driver_name", client->driver_name);
    if (client->driver_version[0] != '\0')
        system_row_set_text(&row, "driver_version", client->driver_version);
    system_row_set_int(&row, "protocol_version", client->protocol_version);
    system_row_set_long(&row, "request_count", (int64_t)client->request_count);
    system_row_set_bool(&row, "ssl_enabled", client->tls_protocol != NULL);
    if (client->tls_protocol != NULL) {
        system_row_set_text(&row, "ssl_protocol", client->tls_protocol);
        system_row_set_text(&row, "ssl_cipher_suite", client->tls_cipher);
    }
    system_row_set(&row, "username",
                   client->user.size > 0 ? client->user : slice_of_text("anonymous"));
    system_row_end(&row);
}

// ---- All ---------------------------------------------------------------------------------------

bool system_views_fill(const struct system_views *views, const struct system_row *empty)
{
    const struct table *table = empty->table;
    const struct system_source *source = views->source;
    if (is_table(table, "system", "size_estimates")) {
        each_table(views, empty, fill_size_estimates);
    } else if (is_table(table, "system", "table_estimates")) {
        each_table(views, empty, fill_table_estimates);
    } else if (is_table(table, "system_views", "disk_usage")) {
        each_table(views, empty, fill_disk_usage);
    } else if (is_table(table, "system_views", "max_sstable_size")) {
        each_table(views, empty, fill_max_sstable_size);
    } else if (is_table(table, "system_views", "sai_column_indexes")) {
        each_table(views, empty, fill_sai);
    } else if (is_table(table, "system_views", "coordinator_read_latency")) {
        fill_figures(views, empty, TABLE_LATENCY_READ);
    } else if (is_table(table, "system_views", "coordinator_scan_latency")) {
        fill_figures(views, empty, TABLE_LATENCY_SCAN);
    } else if (is_table(table, "system_views", "coordinator_write_latency")) {
        fill_figures(views, empty, TABLE_LATENCY_WRITE);
    } else if (is_table(table, "system_views", "rows_per_read")) {
        fill_figures(views, empty, FIGURES_ROWS);
    } else if (is_table(table, "system_views", "tombstones_per_read")) {
        fill_figures(views, empty, FIGURES_TOMBSTONES);
    } else if (is_table(table, "system_views", "batch_metrics")) {
        fill_batches(views, empty);
    } else if (is_table(table, "system_views", "max_sstable_duration")) {
        each_table(views, empty, fill_duration);
    } else if (is_table(table, "system_views", "thread_pools")) {
        system_pools_fill(views, empty);
    } else if (is_table(table, "system_views", "cql_metrics")) {
        if (source != NULL) fill_cql_metrics(source, empty);
    } else if (is_table(table, "system_views", "clients")) {
        struct system_row row = *empty;
        if (source != NULL) source->each_client(source->context, put_client, &row);
    } else {
        return system_members_fill(views, empty);
    }
    return true;
}
