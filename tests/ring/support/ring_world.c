#include "tests/ring/support/ring_world.h"

#include "base/container_of.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

// ---- Members ------------------------------------------------------------------------------------

static const struct topology *member_topology(void *context)
{
    const struct ring_member *member = context;
    return metadata_topology(member->metadata);
}

static uint64_t member_log_number(void *context)
{
    const struct ring_member *member = context;
    return metadata_number(member->metadata);
}

static void member_behind(void *context, uint16_t from, uint64_t number)
{
    const struct ring_member *member = context;
    metadata_catch_up(member->metadata, from, number);
}

static void member_died(void *context, struct env *env)
{
    struct ring_member *member = context;
    if (member->abandon != NULL) member->abandon(member);
    hints_abandon(member->hints);
    if (member->liveness != NULL) liveness_abandon(member->liveness);
    if (member->messaging != NULL) messaging_abandon(member->messaging);
    paxos_abandon(member->paxos);
    coordinator_destroy(member->coordinator);
    batch_log_abandon(member->batch_log);
    placement_destroy(member->placement);
    engine_abandon(member->engine);
    metadata_abandon(member->metadata);
    internal_tables_deinit(&member->tables);
    member->env = NULL;
    sim_process_destroy(env);
}

static void member_open_storage(struct ring_member *member)
{
    struct error error;
    const struct metadata_options metadata_options = {
        .directory = "/metadata", .topology = member->world->topology, .self = member->number};
    ck_assert_int_eq(metadata_open(member->env, &metadata_options, &member->metadata, &error),
                     STATUS_OK);
    internal_tables_init(&member->tables);
    const struct engine_options engine_options = {
        .directory = "/engine",
        .commit_log_sync =
            member->world->options.is_periodic ? COMMIT_LOG_SYNC_PERIODIC : COMMIT_LOG_SYNC_GROUP,
        .commit_log_period_ns = UINT64_C(10000000000),
        .internal_tables = member->tables.tables,
        .internal_table_count = INTERNAL_TABLE_COUNT,
    };
    ck_assert_int_eq(engine_open(member->env, &engine_options, metadata_schema(member->metadata),
                                 &member->engine, &error),
                     STATUS_OK);
    metadata_set_engine(member->metadata, member->engine);
}

static void member_open_network(struct ring_member *member)
{
    struct error error;
    const struct messaging_options options = {
        .listen = member->world->topology->members[member->number].address,
        .self = member->number,
        .topology = member_topology,
        .log_number = member_log_number,
        .behind = member_behind,
        .context = member,
    };
    ck_assert_int_eq(messaging_create(member->env, &options, &member->messaging, &error),
                     STATUS_OK);
    const struct liveness_options liveness_options = {
        .self = member->number, .member_count = member->world->topology->member_count};
    member->liveness = liveness_create(member->env, member->messaging, &liveness_options);
    metadata_join(member->metadata, member->messaging, member->liveness);
}

static void member_open_coordinator(struct ring_member *member)
{
    struct error error;
    member->placement = placement_create(member->metadata, member->number);
    struct hints_options hints_options = member->world->options.hints;
    hints_options.directory = "/hints";
    ck_assert_int_eq(hints_open(member->env, &hints_options, member->metadata, member->engine,
                                member->messaging, member->liveness, &member->hints, &error),
                     STATUS_OK);
    const struct batch_log_options batch_log_options = {
        .engine = member->engine,
        .table = member->tables.tables[INTERNAL_TABLE_BATCHES],
        .schema = metadata_schema(member->metadata),
        .messaging = member->messaging,
    };
    member->batch_log = batch_log_create(member->env, &batch_log_options);
    const struct coordinator_options options = {
        .engine = member->engine,
        .schema = metadata_schema(member->metadata),
        .placement = member->placement,
        .liveness = member->liveness,
        .messaging = member->messaging,
        .hints = member->hints,
        .batch_log = member->batch_log,
        .metadata = member->metadata,
    };
    member->coordinator = coordinator_create(member->env, &options);
    const struct paxos_options paxos_options = {
        .engine = member->engine,
        .schema = options.schema,
        .table = member->tables.tables[INTERNAL_TABLE_PAXOS],
        .placement = member->placement,
        .liveness = member->liveness,
        .messaging = member->messaging,
        .hints = member->hints,
    };
    member->paxos = paxos_create(member->env, &paxos_options);
}

static void member_start(struct ring_world *world, size_t number)
{
    struct ring_member *member = &world->members[number];
    member->env = sim_process_start(member->machine, "member", member_died, member);
    member_open_storage(member);
    member_open_network(member);
    member_open_coordinator(member);
}

// ---- Time ---------------------------------------------------------------------------------------

struct pause {
    struct sim_call call;
    bool is_over;
};

static void pause_ends(struct sim_call *call)
{
    CONTAINER_OF(call, struct pause, call)->is_over = true;
}

void ring_world_run(struct ring_world *world, double seconds, const bool *done)
{
    struct pause pause = {0};
    sim_world_call(world->sim, &pause.call, (uint64_t)(seconds * 1e9), pause_ends);
    while (!pause.is_over && (done == NULL || !*done))
        ck_assert(sim_world_step(world->sim));
    sim_world_cancel(world->sim, &pause.call);
    if (done != NULL) ck_assert_msg(*done, "nothing happened in %f s", seconds);
}

void ring_world_wait_up(struct ring_world *world, size_t number, bool is_up)
{
    for (int turns = 0; turns < 1000; turns++) {
        bool all = true;
        for (size_t i = 0; i < world->count; i++) {
            const struct ring_member *member = &world->members[i];
            if (member->env != NULL && i != number &&
                liveness_is_up(member->liveness, (uint16_t)number) != is_up)
                all = false;
        }
        if (all) return;
        ring_world_run(world, 0.02, NULL);
    }
    ck_abort_msg("member %zu does not get %s", number, is_up ? "up" : "down");
}

void ring_world_kill(struct ring_world *world, size_t number, bool power)
{
    struct ring_member *member = &world->members[number];
    if (power)
        sim_machine_crash(member->machine);
    else
        sim_process_crash(member->env);
    while (member->env != NULL)
        ck_assert(sim_world_step(world->sim));
    ring_world_wait_up(world, number, false);
}

void ring_world_start_now(struct ring_world *world, size_t number)
{
    member_start(world, number);
}

void ring_world_start(struct ring_world *world, size_t number)
{
    member_start(world, number);
    ring_world_wait_up(world, number, true);
    for (size_t i = 0; i < world->count; i++) {
        if (world->members[i].env != NULL) ring_world_wait_up(world, i, true);
    }
}

// ---- Schema -------------------------------------------------------------------------------------

struct schema_step {
    struct metadata_schema_change change;
    enum status status;
    bool is_done;
};

static void schema_step_done(struct metadata_schema_change *change, enum status status)
{
    struct schema_step *step = CONTAINER_OF(change, struct schema_step, change);
    step->status = status;
    step->is_done = true;
}

static void put_keyspace(struct ring_world *world)
{
    const char *const *centers = world->options.centers;
    char factor[16];
    (void)snprintf(factor, sizeof factor, "%d", world->options.factor);
    struct option items[8];
    size_t count = 0;
    items[count++] = (struct option){
        slice_of_text("class"),
        slice_of_text(centers == NULL ? "org.apache.cassandra.locator.SimpleStrategy"
                                      : "org.apache.cassandra.locator.NetworkTopologyStrategy")};
    if (centers == NULL)
        items[count++] =
            (struct option){slice_of_text("replication_factor"), slice_of_text(factor)};
    for (size_t i = 0; i < world->count && centers != NULL; i++) {
        bool is_new = true;
        for (size_t k = 0; k < i; k++)
            is_new = is_new && strcmp(centers[i], centers[k]) != 0;
        if (is_new)
            items[count++] = (struct option){slice_of_text(centers[i]), slice_of_text(factor)};
    }
    const struct options replication = {items, count};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    struct schema_step step = {0};
    metadata_put_keyspace(world->members[0].metadata, &step.change, keyspace, schema_step_done);
    ring_world_run(world, 30, &step.is_done);
    ck_assert_int_eq(step.status, STATUS_OK);
    keyspace_unref(keyspace);
}

static void put_table(struct ring_world *world, const char *name, bool is_counter)
{
    struct uuid id = {{0}};
    (void)snprintf((char *)id.bytes, sizeof id.bytes, "%s", name);
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text(name), id);
    if (world->options.has_no_gc_grace) table_builder_params(builder)->gc_grace_seconds = 0;
    const struct type *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_BLOB),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), text, COLUMN_CLUSTERING, false);
    if (is_counter) {
        table_builder_add_column(builder, slice_of_text("n"), type_of_kind(TYPE_COUNTER),
                                 COLUMN_REGULAR, false);
        table_builder_set_counter(builder, true);
    } else {
        table_builder_add_column(builder, slice_of_text("s"), text, COLUMN_STATIC, false);
        table_builder_add_column(builder, slice_of_text("a"), text, COLUMN_REGULAR, false);
        table_builder_add_column(builder, slice_of_text("b"), text, COLUMN_REGULAR, false);
    }
    const struct table *table = table_builder_finish(builder);
    struct schema_step step = {0};
    metadata_put_table(world->members[0].metadata, &step.change, table, schema_step_done);
    ring_world_run(world, 30, &step.is_done);
    ck_assert_int_eq(step.status, STATUS_OK);
    table_unref(table);
}

const struct table *ring_world_table(const struct ring_world *world, size_t number,
                                     const char *name)
{
    const struct table *table = schema_find_table(metadata_schema(world->members[number].metadata),
                                                  slice_of_text("ks"), slice_of_text(name));
    ck_assert_ptr_nonnull(table);
    return table;
}

void ring_world_find_key(const struct ring_world *world, uint16_t primary, char key[16])
{
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, 16, "k%d", i);
        size_t place = topology_find_place(world->topology, token_of_key(slice_of_text(key)));
        if (world->topology->places[place].member == primary) return;
    }
    ck_abort_msg("no key of member %u", primary);
}

// ---- Operations ---------------------------------------------------------------------------------

struct written {
    struct coordinator_write write;
    struct coordinator_result result;
    bool is_done;
};

static void written_done(struct coordinator_write *write, const struct coordinator_result *result)
{
    struct written *written = CONTAINER_OF(write, struct written, write);
    written->result = *result;
    written->is_done = true;
}

struct coordinator_result ring_world_write(struct ring_world *world, size_t at, const char *key,
                                           const char *value, enum consistency consistency)
{
    struct written written = {0};
    struct slice clustering_value = slice_of_text("row");
    struct cell cell = {.local_time = LOCAL_TIME_NONE,
                        .timestamp = env_wall_us(world->members[at].env),
                        .value = slice_of_text(value)};
    struct row row = {.clustering = {1, &clustering_value},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = ring_world_table(world, at, "t"),
                                .key = partition_key_make(slice_of_text(key)),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    coordinator_write_start(world->members[at].coordinator, &written.write, &mutation, 1,
                            consistency, written_done);
    ring_world_run(world, 30, &written.is_done);
    return written.result;
}

void ring_world_read_local(const struct ring_world *world, size_t at, const char *key, char *text,
                           size_t size)
{
    struct arena arena;
    struct read_pins pins;
    arena_init(&arena, 4096);
    read_pins_init(&pins);
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {.ranges = &all, .range_count = 1};
    struct partition_key partition_key = partition_key_make(slice_of_text(key));
    struct partition_iterator *partition;
    uint64_t position = 0;
    ck_assert_int_eq(engine_read(world->members[at].engine, ring_world_table(world, at, "t"),
                                 &partition_key, &filter, &pins, &arena, &partition, &position),
                     STATUS_OK);
    (void)snprintf(text, size, "-");
    struct unfiltered unfiltered;
    while (partition != NULL && partition_iterator_next(partition, &unfiltered) == STATUS_OK) {
        if (unfiltered.is_marker || unfiltered.row->cell_count == 0) continue;
        struct slice value = unfiltered.row->cells[0].value;
        (void)snprintf(text, size, "%.*s", (int)value.size, (const char *)value.data);
    }
    partition_iterator_close(partition);
    read_pins_release(&pins);
    arena_deinit(&arena);
}

// ---- The world ----------------------------------------------------------------------------------

static void make_topology(struct ring_world *world)
{
    struct member *members = calloc(world->count, sizeof *members);
    struct token *tokens = calloc(world->count, sizeof *tokens);
    ck_assert(members != NULL && tokens != NULL);
    for (size_t i = 0; i < world->count; i++) {
        uint64_t step = UINT64_MAX / world->count;
        tokens[i].value = (int64_t)((uint64_t)INT64_MIN + step * i + step / 2);
        members[i] = (struct member){
            .address = {.bytes = {127, 0, 0, (uint8_t)(i + 1)}, .size = 4, .port = 7000},
            .rack = "rack1",
            .tokens = &tokens[i],
            .token_count = 1};
        const char *center =
            world->options.centers == NULL ? "datacenter1" : world->options.centers[i];
        (void)snprintf(members[i].data_center, sizeof members[i].data_center, "%s", center);
        members[i].rpc_address = members[i].address;
        members[i].rpc_address.port = 9042;
        members[i].host_id.bytes[0] = (uint8_t)(i + 1);
        members[i].host_id.bytes[15] = 1;
    }
    struct error error;
    ck_assert_int_eq(topology_make(members, world->count, &world->topology, &error), STATUS_OK);
    free(tokens);
    free(members);
}

void ring_world_open(struct ring_world *world, const struct ring_world_options *options)
{
    // What is not synced is at risk when power fails.
    const struct sim_options sim_options = {.seed = options->seed,
                                            .chances = {[SIM_FAULT_LOST_PAGE] = 0.5,
                                                        [SIM_FAULT_TORN_PAGE] = 0.2,
                                                        [SIM_FAULT_SIZE_BEFORE_DATA] = 0.2,
                                                        [SIM_FAULT_LOST_NAME] = 0.5}};
    *world = (struct ring_world){
        .sim = sim_world_create(&sim_options), .options = *options, .count = options->count};
    world->members = calloc(world->count, sizeof *world->members);
    ck_assert_ptr_nonnull(world->members);
    make_topology(world);
    for (size_t i = 0; i < world->count; i++) {
        struct ring_member *member = &world->members[i];
        member->world = world;
        member->number = (uint16_t)i;
        member->machine = sim_machine_create(world->sim, "box");
        member_start(world, i);
    }
    for (size_t i = 0; i < world->count; i++)
        ring_world_wait_up(world, i, true);
    put_keyspace(world);
    put_table(world, "t", false);
    put_table(world, "counts", true);
    ring_world_run(world, 1, NULL);
}

void ring_world_close(struct ring_world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct ring_member *member = &world->members[i];
        if (member->env == NULL) continue;
        sim_process_crash(member->env);
        while (member->env != NULL)
            ck_assert(sim_world_step(world->sim));
    }
    topology_destroy(world->topology);
    free(world->members);
    sim_world_destroy(world->sim);
}
