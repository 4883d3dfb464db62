// Small figures and switches of a node, for `helenus tpstats`, `settraceprobability` and their
// like.
#include "cql/statement/statement.h"
#include "cql/system/system_tables.h"
#include "cql/system/table_figures.h"
#include "cql/system/tracing.h"
#include "node/admin_internal.h"

#include "base/assert.h"

#include <stdlib.h>

void admin_trace_probability(struct admin *admin, const struct message *message,
                             struct cursor *body)
{
    struct query_processor *processor = admin->options.processor;
    bool sets = cursor_u8(body) != 0;
    uint64_t bits = cursor_u64(body);
    double probability;
    memcpy(&probability, &bits, sizeof probability);
    if (body->failed || (sets && !(probability >= 0 && probability <= 1))) {
        admin_answer_text(admin, message->origin, STATUS_INVALID,
                          "Trace probability must be between 0 and 1");
        return;
    }
    if (sets) {
        tracing_set_probability(processor->tracing, probability);
        processor->sampling = probability > 0 ? processor->tracing : NULL;
    }
    probability = tracing_probability(processor->tracing);
    memcpy(&bits, &probability, sizeof bits);
    uint8_t answer[8];
    bytes_put_u64(answer, bits);
    admin_answer(admin, message->origin, STATUS_OK, slice_make(answer, sizeof answer));
}

void admin_pools(struct admin *admin, const struct message *message)
{
    struct system_pool pools[SYSTEM_POOLS_MAX];
    size_t count = system_tables_pools(admin->options.processor->system_tables, pools);
    struct buffer bytes;
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    buffer_put_u32(&bytes, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buffer_put_vint_bytes(&bytes, slice_of_text(pools[i].name));
        buffer_put_u64(&bytes, pools[i].active);
        buffer_put_u64(&bytes, pools[i].pending);
        buffer_put_u64(&bytes, pools[i].completed);
        buffer_put_u64(&bytes, pools[i].blocked);
        buffer_put_u64(&bytes, pools[i].blocked_ever);
    }
    admin_answer(admin, message->origin, STATUS_OK, buffer_slice(&bytes));
    buffer_deinit(&bytes);
}

// ---- tablehistograms ----------------------------------------------------------------------------

static void put_histograms(struct buffer *bytes, const struct table *table,
                           const struct table_figures *figures)
{
    static const double percents[] = {50, 75, 95, 98, 99, 100};
    static const struct table_figures none;
    if (figures == NULL) figures = &none;
    buffer_put_vint_bytes(bytes, table->keyspace);
    buffer_put_vint_bytes(bytes, table->name);
    for (size_t kind = 0; kind < TABLE_LATENCY_COUNT; kind++) {
        const struct table_latency *latency = &figures->latencies[kind];
        buffer_put_u64(bytes, latency->count);
        for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++)
            buffer_put_u64(bytes, table_latency_percentile(latency, percents[i]));
    }
}

void admin_table_histograms(struct admin *admin, const struct message *message, struct cursor *body)
{
    const struct schema *schema = metadata_schema(admin->options.metadata);
    const struct table_figures_set *figures = admin->options.processor->figures;
    struct error error;
    struct admin_tables tables = {calloc(ADMIN_TABLES_MAX, sizeof *tables.ids), 0};
    ASSERT(tables.ids != NULL);
    enum status status = admin_choose_tables(schema, body, &tables, &error);
    if (status != STATUS_OK) {
        admin_answer_text(admin, message->origin, status, error.text);
        free(tables.ids);
        return;
    }
    struct buffer bytes;
    buffer_init(&bytes, ADMIN_ANSWER_SIZE_MAX);
    buffer_put_u32(&bytes, (uint32_t)tables.count);
    for (size_t i = 0; i < tables.count; i++)
        put_histograms(&bytes, schema_find_table_by_id(schema, tables.ids[i]),
                       table_figures_find(figures, tables.ids[i]));
    admin_answer(admin, message->origin, STATUS_OK, buffer_slice(&bytes));
    buffer_deinit(&bytes);
    free(tables.ids);
}
