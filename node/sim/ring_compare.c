#include "node/sim/ring_compare.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "ring/metadata/metadata.h"
#include "storage/counter_context.h"
#include "storage/engine/engine.h"
#include "storage/merge/live_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE_MAX = 32, NODES_MAX = 64 };

static const char *const table_names[] = {"plain", "truncated", "counters", "batched", "registers"};
enum { TABLE_COUNT = sizeof table_names / sizeof table_names[0] };

// A partition as one node has it.
struct copy {
    uint8_t table;
    uint16_t node;
    char key[NAME_SIZE_MAX];
    struct token token;
    uint64_t hash;
};

struct shard {
    uint64_t name; // A hash of table, partition, row, id and clock.
    int64_t count;
};

struct comparison {
    struct sim_world *sim;
    struct copy *copies;
    size_t count, capacity;
    struct shard *shards;
    size_t shard_count, shard_capacity;
    struct arena arena;
    struct read_pins pins;
    bool loaded;
    enum status load_status;
    char *message;
};

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    return checksum_xxh3(slice_make(bytes, size), hash);
}

// ---- What one node has -------------------------------------------------------------------------

static void note_shards(struct comparison *comparison, uint64_t place, struct slice context)
{
    for (size_t i = 0; i < counter_context_shard_count(context); i++) {
        struct counter_shard shard = counter_context_shard_at(context, i);
        uint64_t name = mix(mix(place, shard.id.bytes, sizeof shard.id.bytes), &shard.clock,
                            sizeof shard.clock);
        if (comparison->shard_count == comparison->shard_capacity) {
            comparison->shard_capacity =
                comparison->shard_capacity == 0 ? 1024 : 2 * comparison->shard_capacity;
            comparison->shards = realloc(comparison->shards,
                                         comparison->shard_capacity * sizeof *comparison->shards);
            ASSERT(comparison->shards != NULL);
        }
        comparison->shards[comparison->shard_count++] = (struct shard){name, shard.count};
    }
}

static uint64_t hash_row(struct comparison *comparison, const struct table *table, uint64_t place,
                         const struct live_row *row)
{
    uint64_t hash = 0;
    for (uint16_t i = 0; i < row->clustering.count; i++) {
        hash = mix(hash, row->clustering.values[i].data, row->clustering.values[i].size);
        place = mix(place, row->clustering.values[i].data, row->clustering.values[i].size);
    }
    hash = mix(hash, &row->liveness.timestamp, sizeof row->liveness.timestamp);
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        hash = mix(hash, &cell->column, sizeof cell->column);
        hash = mix(hash, &cell->timestamp, sizeof cell->timestamp);
        hash = mix(hash, cell->value.data, cell->value.size);
        if (table->is_counter) note_shards(comparison, mix(place, &cell->column, 2), cell->value);
    }
    return hash;
}

// WOULD_BLOCK: load and begin the table anew. `*hash` 0: nothing lives in it.
static enum status hash_partition(struct comparison *comparison, uint8_t table_index,
                                  struct partition_iterator *partition, int32_t now_s,
                                  uint64_t *hash)
{
    struct live_rows rows;
    const struct table *table = partition->table;
    uint64_t place = mix(table_index, partition->key.bytes.data, partition->key.bytes.size);
    live_rows_init(&rows, partition, now_s, &comparison->arena);
    *hash = 0;
    if (rows.has_static_row)
        *hash = mix(1, &(uint64_t){hash_row(comparison, table, place, &rows.static_row)}, 8);
    for (;;) {
        const struct live_row *row;
        enum status status = live_rows_next(&rows, &row);
        if (status == STATUS_END) return STATUS_OK;
        if (status != STATUS_OK) return status;
        *hash = mix(*hash, &(uint64_t){hash_row(comparison, table, place, row)}, 8);
    }
}

static void note_copy(struct comparison *comparison, uint8_t table, uint16_t node,
                      const struct partition_key *key, uint64_t hash)
{
    if (comparison->count == comparison->capacity) {
        comparison->capacity = comparison->capacity == 0 ? 256 : 2 * comparison->capacity;
        comparison->copies =
            realloc(comparison->copies, comparison->capacity * sizeof *comparison->copies);
        ASSERT(comparison->copies != NULL);
    }
    struct copy *copy = &comparison->copies[comparison->count++];
    *copy = (struct copy){.table = table, .node = node, .token = key->token, .hash = hash};
    size_t size = key->bytes.size < NAME_SIZE_MAX - 1 ? key->bytes.size : NAME_SIZE_MAX - 1;
    memcpy(copy->key, key->bytes.data, size);
}

static enum status scan_table(struct comparison *comparison, struct engine *engine,
                              const struct table *table, uint8_t index, uint16_t node,
                              int32_t now_s)
{
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    const struct partition_filter filter = {.ranges = &all, .range_count = 1, .with_static = true};
    const struct scan_range range = SCAN_RANGE_ALL;
    struct scan_iterator *scan = NULL;
    uint64_t position = 0;
    enum status status = engine_scan(engine, table, &range, &filter, &comparison->pins,
                                     &comparison->arena, &scan, &position);
    while (status == STATUS_OK) {
        struct partition_iterator *partition = NULL;
        status = scan_iterator_next(scan, &partition);
        if (status != STATUS_OK) break;
        uint64_t hash;
        status = hash_partition(comparison, index, partition, now_s, &hash);
        if (status == STATUS_OK && hash != 0)
            note_copy(comparison, index, node, &partition->key, hash);
        partition_iterator_close(partition);
    }
    scan_iterator_close(scan);
    return status == STATUS_END ? STATUS_OK : status;
}

struct load {
    struct engine_load load;
    struct comparison *comparison;
};

static void load_is_done(struct engine_load *base, enum status status)
{
    struct load *load = CONTAINER_OF(base, struct load, load);
    load->comparison->loaded = true;
    load->comparison->load_status = status;
}

static bool read_table(struct comparison *comparison, struct engine *engine,
                       const struct table *table, uint8_t index, uint16_t node)
{
    // Nothing in these tables expires; nothing in the world is as late as this.
    const int32_t now_s = LOCAL_TIME_MAX;
    size_t begin = comparison->count;
    enum status status;
    for (;;) {
        arena_reset(&comparison->arena);
        comparison->count = begin;
        status = scan_table(comparison, engine, table, index, node, now_s);
        if (status != STATUS_WOULD_BLOCK) break;
        struct load load = {.comparison = comparison};
        comparison->loaded = false;
        engine_load(engine, &load.load, &comparison->pins, load_is_done);
        while (!comparison->loaded)
            ASSERT(sim_world_step(comparison->sim));
        if (comparison->load_status != STATUS_OK) break;
    }
    read_pins_release(&comparison->pins);
    if (status == STATUS_OK) return true;
    (void)snprintf(comparison->message, 512, "node %u: table %s can not be read: %s", node,
                   table_names[index], status_text(status));
    return false;
}

// ---- Comparing ---------------------------------------------------------------------------------

static int compare_copies(const void *left, const void *right)
{
    const struct copy *a = left, *b = right;
    if (a->table != b->table) return a->table < b->table ? -1 : 1;
    int order = strcmp(a->key, b->key);
    if (order != 0) return order;
    return a->node < b->node ? -1 : a->node > b->node;
}

static int compare_shards(const void *left, const void *right)
{
    const struct shard *a = left, *b = right;
    if (a->name != b->name) return a->name < b->name ? -1 : 1;
    return a->count < b->count ? -1 : a->count > b->count;
}

// SimpleStrategy: the next members round the ring.
static size_t find_replicas(const struct topology *topology, struct token token, size_t factor,
                            bool is_replica[static NODES_MAX])
{
    size_t found = 0, place = 0;
    if (topology == NULL) {
        is_replica[0] = true;
        return 1;
    }
    while (place < topology->place_count && topology->places[place].token.value < token.value)
        place++;
    for (size_t i = 0; i < topology->place_count && found < factor; i++) {
        uint16_t member = topology->places[(place + i) % topology->place_count].member;
        if (is_replica[member]) continue;
        is_replica[member] = true;
        found++;
    }
    return found;
}

static bool compare_partition(struct comparison *comparison, const struct copy *copies,
                              size_t count, const struct topology *topology, size_t factor)
{
    bool is_replica[NODES_MAX] = {false};
    size_t replicas = find_replicas(topology, copies[0].token, factor, is_replica);
    const char *table = table_names[copies[0].table];
    for (size_t i = 0; i < count; i++) {
        if (!is_replica[copies[i].node]) {
            (void)snprintf(comparison->message, 512, "node %u holds %s of %s and is no replica",
                           copies[i].node, copies[i].key, table);
            return false;
        }
        if (copies[i].hash != copies[0].hash) {
            (void)snprintf(comparison->message, 512, "%s of %s differs at nodes %u and %u",
                           copies[i].key, table, copies[0].node, copies[i].node);
            return false;
        }
    }
    if (count == replicas) return true;
    (void)snprintf(comparison->message, 512,
                   "%s of %s lives at node %u, and at %zu of %zu replicas", copies[0].key, table,
                   copies[0].node, count, replicas);
    return false;
}

static bool compare_all(struct comparison *comparison, const struct topology *topology,
                        size_t factor)
{
    if (comparison->count > 1)
        qsort(comparison->copies, comparison->count, sizeof *comparison->copies, compare_copies);
    for (size_t i = 0, end; i < comparison->count; i = end) {
        const struct copy *copies = comparison->copies;
        for (end = i + 1; end < comparison->count; end++)
            if (copies[end].table != copies[i].table || strcmp(copies[end].key, copies[i].key) != 0)
                break;
        if (!compare_partition(comparison, copies + i, end - i, topology, factor)) return false;
    }
    if (comparison->shard_count > 1)
        qsort(comparison->shards, comparison->shard_count, sizeof *comparison->shards,
              compare_shards);
    for (size_t i = 1; i < comparison->shard_count; i++) {
        const struct shard *a = &comparison->shards[i - 1], *b = &comparison->shards[i];
        if (a->name != b->name || a->count == b->count) continue;
        (void)snprintf(comparison->message, 512,
                       "a counter shard of one id and clock has the counts %" PRId64
                       " and %" PRId64,
                       a->count, b->count);
        return false;
    }
    return true;
}

bool ring_compare(struct sim_world *sim, struct node *const *nodes, size_t count,
                  int replication_factor, char message[static 512])
{
    struct comparison comparison = {.sim = sim, .message = message};
    bool equal = true;
    arena_init(&comparison.arena, 1 << 16);
    read_pins_init(&comparison.pins);
    for (size_t i = 0; i < count && equal; i++) {
        const struct schema *schema = metadata_schema(node_metadata(nodes[i]));
        for (uint8_t table = 0; table < TABLE_COUNT && equal; table++) {
            const struct table *found =
                schema_find_table(schema, slice_of_text("sim"), slice_of_text(table_names[table]));
            if (found == NULL) continue;
            equal = read_table(&comparison, node_engine(nodes[i]), found, table, (uint16_t)i);
        }
    }
    if (equal)
        equal = compare_all(&comparison, metadata_topology(node_metadata(nodes[0])),
                            (size_t)replication_factor);
    arena_deinit(&comparison.arena);
    free(comparison.copies);
    free(comparison.shards);
    return equal;
}
