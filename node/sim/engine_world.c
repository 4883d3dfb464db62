#include "node/sim/engine_world_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_OF_A_WAIT_MAX   2000000
#define OPERATIONS_OF_A_LIFE   2000
#define STARTS_MAX             1000
#define EVENTS_OF_A_COMPACTION 1000

// ---- What the other files use ------------------------------------------------------------------

uint64_t engine_world_below(struct engine_world *world, uint64_t count)
{
    return random_below(&world->random, count);
}

bool engine_world_chance(struct engine_world *world, double probability)
{
    return random_chance(&world->random, probability);
}

int32_t engine_world_now_s(const struct engine_world *world)
{
    return (int32_t)(sim_machine_wall_us(world->machine) / 1000000);
}

void engine_world_count(struct engine_world *world, enum workload_kind kind)
{
    world->result->done[kind]++;
}

bool engine_world_has_failed(const struct engine_world *world)
{
    return world->result->fault[0] != '\0';
}

void engine_world_fail(struct engine_world *world, const char *format, ...)
{
    if (engine_world_has_failed(world)) return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(world->result->fault, sizeof world->result->fault, format, arguments);
    va_end(arguments);
    sim_world_note(world->sim, "WRONG: %s", world->result->fault);
}

// ---- Lives -------------------------------------------------------------------------------------

static void died(void *context, struct env *env)
{
    struct engine_world *world = context;
    read_pins_release(&world->pins);
    if (world->engine != NULL) engine_abandon(world->engine);
    world->engine = NULL;
    world->flush_runs = world->compact_runs = false;
    sim_process_destroy(env);
    world->env = NULL;
}

static bool step(struct engine_world *world)
{
    world->result->events++;
    if (sim_world_step(world->sim)) return true;
    engine_world_fail(world, "nothing will ever happen again");
    return false;
}

bool engine_world_await(struct engine_world *world, const bool *done)
{
    for (uint64_t i = 0; !*done && world->env != NULL; i++) {
        if (i == EVENTS_OF_A_WAIT_MAX) engine_world_fail(world, "a wait without an end");
        if (engine_world_has_failed(world) || !step(world)) return false;
    }
    return world->env != NULL && world->engine != NULL && sim_process_is_alive(world->env);
}

static void kill_process(struct engine_world *world, bool power)
{
    if (world->env == NULL) return;
    if (power)
        sim_machine_crash(world->machine);
    else if (sim_process_is_alive(world->env))
        sim_process_crash(world->env);
    const bool never = false;
    if (world->env != NULL) (void)!engine_world_await(world, &never);
}

bool engine_world_excuses(struct engine_world *world, enum status status, const char *what)
{
    read_pins_release(&world->pins);
    sim_world_note(world->sim, "%s: %s", what, status_text(status));
    if (world->env == NULL) return true;
    bool is_dying = !sim_process_is_alive(world->env);
    if (status == STATUS_OVERLOADED && !is_dying) {
        for (int i = 0; i < 50 && world->env != NULL; i++)
            (void)!step(world);
        return true;
    }
    bool is_excused = is_dying || (world->errors_are_likely &&
                                   (status == STATUS_IO || status == STATUS_NO_SPACE));
    if (!is_excused) engine_world_fail(world, "%s: %s", what, status_text(status));
    kill_process(world, false);
    return is_excused;
}

static void plan_end(struct engine_world *world)
{
    if (world->is_ending) return;
    static const uint64_t steps[] = {60, 600, 3000, 3000, 12000, 50000};
    uint64_t choice = engine_world_below(world, 10);
    bool power = engine_world_chance(world, 0.6);
    if (choice < 6)
        sim_process_crash_at(world->env, 1 + engine_world_below(world, steps[choice]), power);
    else if (choice < 7)
        sim_process_crash_at_sync_dir(world->env, 1 + engine_world_below(world, 30), power);
    else if (choice < 8)
        sim_process_crash_at_sync_file(world->env, 1 + engine_world_below(world, 100), power);
    // Else it ends in good order, or suddenly between two steps.
}

static void start_engine(struct engine_world *world)
{
    struct error error = {0};
    world->env = sim_process_start(world->machine, "engine", died, world);
    plan_end(world);
    const struct engine_options options = {
        .directory = "/store",
        .memtable_space_max = 256 * KIB,
        .chunk_cache_size_max = 256 * KIB,
        .compaction_step_size = 16 * KIB,
        .compaction_throughput = world->compaction_throughput,
        .concurrent_compactors = 2,
        .dropped_tables = world->dropped,
        .dropped_table_count = world->dropped_count,
        .auto_snapshot = world->keeps_snapshots,
    };
    enum status status = engine_open(world->env, &options, world->schema, &world->engine, &error);
    if (status != STATUS_OK) {
        world->engine = NULL;
        (void)!engine_world_excuses(world, status, error.text);
    }
    // In some lives SSTables pile up until somebody asks for a compaction.
    if (world->engine != NULL && !world->is_ending && engine_world_chance(world, 0.25))
        ASSERT(engine_enable_compaction(world->engine, NULL, false));
    if (world->engine != NULL) engine_world_find_out(world);
}

struct pause {
    struct sim_call call;
    bool done;
};

static void pause_ends(struct sim_call *call)
{
    CONTAINER_OF(call, struct pause, call)->done = true;
}

// Whoever starts it again takes a moment for it; a disk that was full need not be so any more.
static void pause_between_lives(struct engine_world *world)
{
    struct pause pause = {.done = false};
    sim_world_call(world->sim, &pause.call, engine_world_below(world, 20000000), pause_ends);
    while (!pause.done && step(world)) {
    }
}

static void ensure_engine(struct engine_world *world)
{
    for (int i = 0; world->engine == NULL && !engine_world_has_failed(world); i++) {
        if (i == STARTS_MAX) engine_world_fail(world, "the engine does not start");
        pause_between_lives(world);
        start_engine(world);
    }
}

static void set_done(void *context)
{
    *(bool *)context = true;
}

// In good order.
static void stop_engine(struct engine_world *world)
{
    bool done = false;
    engine_world_sync(world);
    if (world->engine == NULL) return;
    engine_close(world->engine, set_done, &done);
    if (!engine_world_await(world, &done) && !done) {
        kill_process(world, false);
        return;
    }
    world->engine = NULL; // It is gone.
    world->flush_runs = world->compact_runs = false;
    if (!sim_process_is_alive(world->env)) {
        kill_process(world, false);
        return;
    }
    sim_process_destroy(world->env);
    world->env = NULL;
}

// ---- Care --------------------------------------------------------------------------------------

static void flushed(struct engine_flush *flush, enum status status)
{
    struct engine_world *world = CONTAINER_OF(flush, struct engine_world, flush);
    world->flush_runs = false;
    sim_world_note(world->sim, "flush: %s", status_text(status));
    if (status == STATUS_OK)
        engine_world_count(world, WORKLOAD_FLUSH);
    else if (!world->errors_are_likely && status != STATUS_CANCELED)
        engine_world_fail(world, "flush: %s", status_text(status));
}

static void compacted(struct engine_compact *compact, enum status status)
{
    struct engine_world *world = CONTAINER_OF(compact, struct engine_world, compact);
    world->compact_runs = false;
    sim_world_note(world->sim, "compaction: %s", status_text(status));
    if (status == STATUS_OK)
        engine_world_count(world, WORKLOAD_COMPACT);
    else if (!world->errors_are_likely && status != STATUS_CANCELED && status != STATUS_NOT_FOUND)
        engine_world_fail(world, "compaction: %s", status_text(status));
}

static void flush_table(struct engine_world *world, const struct uuid *id)
{
    if (world->flush_runs) return;
    world->flush_runs = true;
    engine_flush(world->engine, id, &world->flush, flushed);
}

static void start_flush(struct engine_world *world)
{
    struct uuid id = world->tables[engine_world_below(world, WORLD_TABLES)].table->id;
    flush_table(world, engine_world_chance(world, 0.7) ? &id : NULL);
}

// An SSTable with nothing but deletions, that are soon old enough to go.
static void make_expiring(struct engine_world *world)
{
    size_t number = (size_t)engine_world_below(world, WORLD_TABLES - 1);
    struct uuid id = world->tables[number].table->id;
    if (world->flush_runs) return;
    flush_table(world, &id);
    for (uint64_t left = 1 + engine_world_below(world, 4); left > 0 && world->engine != NULL;
         left--)
        engine_world_delete(world, number);
    if (world->engine != NULL) engine_world_sync(world);
    for (int i = 0; i < 300 && world->env != NULL && world->flush_runs; i++)
        (void)step(world);
    if (world->env == NULL || world->engine == NULL) return;
    flush_table(world, &id);
    sim_machine_jump_clock(world->machine, 11000000);
}

// At the moment when one set of SSTables takes the place of another.
static void truncate_installing(struct engine_world *world, size_t number)
{
    uint64_t before = sim_world_marks(world->sim, ENV_MARK_COMPACTION_INSTALLING);
    for (int i = 0; i < EVENTS_OF_A_COMPACTION && world->env != NULL && world->compact_runs; i++) {
        (void)!step(world);
        if (sim_world_marks(world->sim, ENV_MARK_COMPACTION_INSTALLING) == before) continue;
        if (world->engine != NULL && world->env != NULL && sim_process_is_alive(world->env))
            engine_world_truncate(world, number);
        return;
    }
}

static void start_compaction(struct engine_world *world)
{
    if (world->compact_runs) {
        if (engine_world_chance(world, 0.1)) (void)engine_stop_compactions(world->engine);
        return;
    }
    size_t number = (size_t)engine_world_below(world, WORLD_TABLES);
    struct uuid id = world->tables[number].table->id;
    world->compact_runs = true;
    engine_compact(world->engine, id, engine_world_chance(world, 0.2), &world->compact, compacted);
    if (world->truncates_installing) truncate_installing(world, number);
}

// ---- The schema --------------------------------------------------------------------------------

// The caller's schema is durable; the engine hears of it, unless it dies before.
static void tell_engine(struct engine_world *world, size_t number)
{
    struct error error = {0};
    enum status status = engine_put_table(world->engine, world->tables[number].table, &error);
    if (status != STATUS_OK) (void)!engine_world_excuses(world, status, error.text);
}

static void alter_table(struct engine_world *world)
{
    size_t number = (size_t)engine_world_below(world, WORLD_TABLES);
    engine_world_alter_table(world, number);
    tell_engine(world, number);
    engine_world_count(world, WORKLOAD_ALTER_TABLE);
}

static void drop_table(struct engine_world *world)
{
    size_t number = (size_t)engine_world_below(world, WORLD_TABLES);
    const struct table *table = world->tables[number].table;
    struct uuid id = table->id;
    engine_world_note_dropped(world, table);
    schema_remove_table(world->schema, table->keyspace, table->name);
    // The process may end before the engine hears of it.
    if (engine_world_chance(world, 0.3))
        kill_process(world, engine_world_chance(world, 0.5));
    else
        engine_drop_table(world->engine, id);
    engine_world_forget(world, number);
    engine_world_make_table(world, number);
    engine_world_count(world, WORKLOAD_DROP_TABLE);
    if (world->engine != NULL) tell_engine(world, number);
    engine_world_count(world, WORKLOAD_CREATE_TABLE);
}

// ---- The mix -----------------------------------------------------------------------------------

// Some events, so that what runs in the background gets on.
static void let_pass(struct engine_world *world)
{
    uint64_t count = 1 + engine_world_below(world, engine_world_chance(world, 0.2) ? 60 : 4);
    for (uint64_t i = 0; i < count && world->env != NULL; i++)
        (void)!step(world);
}

static void do_rare(struct engine_world *world)
{
    uint64_t choice = engine_world_below(world, 1000);
    if (choice < 300)
        start_flush(world);
    else if (choice < 400)
        make_expiring(world);
    else if (choice < 500)
        start_compaction(world);
    else if (choice < 750)
        sim_machine_jump_clock(world->machine, (int64_t)engine_world_below(world, 4000000));
    else if (choice < 920)
        alter_table(world);
    else if (choice < 970)
        engine_world_truncate(world, (size_t)engine_world_below(world, WORLD_TABLES));
    else if (choice < 975)
        drop_table(world);
    else if (choice < 980)
        stop_engine(world);
    else if (choice < 985)
        kill_process(world, engine_world_chance(world, 0.5));
    else
        sim_machine_jump_clock(world->machine, (int64_t)engine_world_below(world, 120000000));
}

static void do_operation(struct engine_world *world)
{
    arena_reset(&world->arena);
    uint64_t choice = engine_world_below(world, 1000);
    if (choice < 350)
        engine_world_write(world);
    else if (choice < 480)
        engine_world_increment(world);
    else if (choice < 850)
        engine_world_read(world);
    else if (choice < 890)
        engine_world_scan(world);
    else if (choice < 980)
        let_pass(world);
    else
        do_rare(world);
    if (world->engine == NULL || world->env == NULL) return;
    if (world->pending_count + 2 >= WORLD_PENDING_MAX || engine_world_chance(world, 0.06))
        engine_world_sync(world);
    if (world->engine != NULL && engine_world_chance(world, 0.001)) engine_check(world->engine);
}

struct remains {
    const char *keyspace; // Its directory.
    struct engine_world *world;
    char hex[33];
    bool is_found;
};

static void note_data(void *context, const char *name, bool is_dir)
{
    struct remains *remains = context;
    if (!is_dir && strstr(name, "Data.db") != NULL) remains->is_found = true;
}

static void look_for_data(void *context, const char *name, bool is_dir)
{
    struct remains *remains = context;
    const char *dash = strrchr(name, '-');
    char path[256];
    if (!is_dir || dash == NULL || strcmp(dash + 1, remains->hex) != 0) return;
    (void)snprintf(path, sizeof path, "%s/%s", remains->keyspace, name);
    (void)!env_list_dir(remains->world->env, path, note_data, remains, NULL);
}

// Of tables that were dropped no data is left but in snapshots, once the engine had time for it.
static void check_dropped(struct engine_world *world)
{
    flush_table(world, NULL);
    while (world->engine != NULL && !engine_world_has_failed(world) &&
           (world->flush_runs || !engine_is_quiet(world->engine)))
        (void)step(world);
    if (world->engine == NULL || engine_world_has_failed(world)) return;
    for (size_t i = 0; i < world->dropped_count; i++) {
        struct remains remains = {.keyspace = "/store/data/simulated", .world = world};
        for (size_t b = 0; b < sizeof world->dropped[i]->id.bytes; b++)
            (void)snprintf(remains.hex + 2 * b, 3, "%02x", world->dropped[i]->id.bytes[b]);
        (void)!env_list_dir(world->env, remains.keyspace, look_for_data, &remains, NULL);
        if (remains.is_found)
            engine_world_fail(world, "of the dropped table %s there is still data", remains.hex);
    }
}

// Everything is there after a power loss without any faults.
static void end_world(struct engine_world *world)
{
    world->is_ending = true;
    world->errors_are_likely = false;
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        if (fault != SIM_FAULT_LOST_PAGE && fault != SIM_FAULT_LOST_NAME)
            sim_world_set_chance(world->sim, (enum sim_fault)fault, 0);
    kill_process(world, true);
    for (int i = 0; i < 2 && !engine_world_has_failed(world); i++) {
        ensure_engine(world);
        if (i == 1) check_dropped(world);
        kill_process(world, true);
    }
}

// ---- One run -----------------------------------------------------------------------------------

static void make_world(struct engine_world *world)
{
    world->machine = sim_machine_create(world->sim, "machine");
    struct env *env = sim_process_start(world->machine, "operator", NULL, NULL);
    ASSERT(env_make_dir(env, "/store", NULL) == STATUS_OK);
    sim_process_destroy(env);
    sim_machine_sync(world->machine);
    world->schema = schema_create();
    struct option replication = {slice_of_text("class"),
                                 slice_of_text("org.apache.cassandra.locator.LocalStrategy")};
    struct options options = {&replication, 1};
    const struct keyspace *keyspace =
        keyspace_make(slice_of_text("simulated"), &options, true, false);
    ASSERT(schema_put_keyspace(world->schema, keyspace) == STATUS_OK);
    keyspace_unref(keyspace);
    for (size_t i = 0; i < WORLD_TABLES; i++)
        engine_world_make_table(world, i);
}

static void free_world(struct engine_world *world)
{
    if (world->env != NULL) {
        if (sim_process_is_alive(world->env)) sim_process_crash(world->env);
        while (world->env != NULL)
            ASSERT(sim_world_step(world->sim));
    }
    engine_world_forget(world, WORLD_TABLES);
    for (size_t i = 0; i < WORLD_TABLES; i++)
        table_unref(world->tables[i].table);
    for (size_t i = 0; i < world->dropped_count; i++)
        table_unref(world->dropped[i]);
    free(world->dropped);
    schema_destroy(world->schema);
    arena_deinit(&world->arena);
    free(world);
}

static void set_chances(struct engine_world *world, const double chances[SIM_FAULT_COUNT])
{
    // Half of the worlds have disks that only lose what was not synced.
    static const enum sim_fault errors[] = {SIM_FAULT_WRITE_ERROR, SIM_FAULT_SYNC_ERROR,
                                            SIM_FAULT_DIR_SYNC_ERROR, SIM_FAULT_FULL_DISK};
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        sim_world_set_chance(world->sim, (enum sim_fault)fault, chances[fault]);
    sim_world_set_chance(world->sim, SIM_FAULT_CLOCK_JUMP, 0); // It jumps by itself, and forward.
    world->errors_are_likely = engine_world_chance(world, 0.4);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0] && !world->errors_are_likely; i++)
        sim_world_set_chance(world->sim, errors[i], 0);
}

void engine_world_run(struct sim_world *sim, const double chances[SIM_FAULT_COUNT],
                      const struct run_options *options, uint64_t seed, struct run_result *result)
{
    struct engine_world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    world->sim = sim;
    world->result = result;
    random_init(&world->random, seed ^ 0x656e67696e65);
    world->compaction_throughput = seed % 4 == 1 ? 64 * KIB : 0;
    world->keeps_snapshots = seed % 3 == 0;
    world->truncates_installing = seed % 5 == 2;
    arena_init(&world->arena, 64 * KIB);
    read_pins_init(&world->pins);
    make_world(world);
    set_chances(world, chances);
    for (uint64_t i = 0; i < options->operations && !engine_world_has_failed(world); i++) {
        ensure_engine(world);
        if (world->engine != NULL) do_operation(world);
    }
    if (!engine_world_has_failed(world)) end_world(world);
    result->passed = !engine_world_has_failed(world);
    free_world(world);
}
