#include "ring/coordinator/coordinator_state.h"

#include "base/assert.h"
#include "base/limits.h"
#include "ring/coordinator/read_pool.h"

#include <stdlib.h>

static void set_default(uint64_t *timeout_ns, uint64_t seconds)
{
    if (*timeout_ns == 0) *timeout_ns = seconds * 1000000000;
}

static void set_defaults(struct coordinator_options *options)
{
    set_default(&options->read_timeout_ns, 5);
    set_default(&options->range_timeout_ns, 10);
    set_default(&options->write_timeout_ns, 2);
    set_default(&options->counter_write_timeout_ns, 5);
    set_default(&options->truncate_timeout_ns, 60);
}

struct coordinator *coordinator_create(struct env *env, const struct coordinator_options *options)
{
    struct coordinator *coordinator = calloc(1, sizeof *coordinator);
    ASSERT(coordinator != NULL);
    coordinator->env = env;
    coordinator->options = *options;
    coordinator->engine = options->engine;
    coordinator->schema = options->schema;
    if (options->placement != NULL) coordinator->self = placement_self(options->placement);
    set_defaults(&coordinator->options);
    buffer_init(&coordinator->record, MUTATION_SIZE_MAX);
    deliveries_init(coordinator);
    replica_writes_init(coordinator);
    replica_increments_init(coordinator);
    replica_truncations_init(coordinator);
    if (options->batch_log != NULL) batch_log_begin(options->batch_log, coordinator);
    if (options->messaging != NULL) coordinator->reads = read_pool_create(coordinator);
    replica_traces_init(coordinator);
    return coordinator;
}

void coordinator_destroy(struct coordinator *coordinator)
{
    if (coordinator == NULL) return;
    deliveries_deinit(coordinator);
    replica_writes_deinit(coordinator);
    replica_increments_deinit(coordinator);
    replica_truncations_deinit(coordinator);
    logged_batches_deinit(coordinator);
    if (coordinator->reads != NULL) read_pool_destroy(coordinator->reads);
    buffer_deinit(&coordinator->record);
    while (coordinator->free_arena_count > 0)
        arena_deinit(&coordinator->free_arenas[--coordinator->free_arena_count]);
    free(coordinator);
}

void coordinator_trace(struct coordinator *coordinator, struct trace *trace)
{
    coordinator->trace = trace;
}

struct coordinator_counts coordinator_counts(const struct coordinator *coordinator)
{
    return coordinator->counts;
}

const struct coordinator_options *coordinator_parts(const struct coordinator *coordinator)
{
    return &coordinator->options;
}

void coordinator_set_trace_source(struct coordinator *coordinator, struct trace_source *source)
{
    coordinator->replica_traces.source = source;
}

const struct keyspace *coordinator_find_keyspace(const struct coordinator *coordinator,
                                                 struct slice name)
{
    const struct schema *system = coordinator->options.system_schema;
    const struct keyspace *keyspace = schema_find_keyspace(coordinator->schema, name);
    return keyspace != NULL || system == NULL ? keyspace : schema_find_keyspace(system, name);
}

const struct table *coordinator_find_table(const struct coordinator *coordinator, struct uuid id)
{
    const struct schema *system = coordinator->options.system_schema;
    const struct table *table = schema_find_table_by_id(coordinator->schema, id);
    if (table != NULL || system == NULL) return table;
    table = schema_find_table_by_id(system, id);
    return table == NULL || table->is_virtual ? NULL : table;
}

const char *coordinator_member_text(const struct coordinator *coordinator, uint16_t member,
                                    char text[static COORDINATOR_MEMBER_TEXT_SIZE])
{
    const struct placement *placement = coordinator->options.placement;
    const struct topology *topology = placement == NULL ? NULL : placement_topology(placement);
    text[0] = '/';
    text[1] = '\0';
    if (topology != NULL && member < topology->member_count)
        env_address_format(&topology->members[member].address, text + 1);
    return text;
}

// ---- Arenas -------------------------------------------------------------------------------------

void coordinator_take_arena(struct coordinator *coordinator, struct arena *arena)
{
    if (coordinator->free_arena_count > 0)
        *arena = coordinator->free_arenas[--coordinator->free_arena_count];
    else
        arena_init(arena, COORDINATOR_ARENA_BLOCK_SIZE);
}

// The arena is empty afterwards, and may be given back again.
void coordinator_give_arena(struct coordinator *coordinator, struct arena *arena)
{
    if (arena->blocks == NULL) return;
    arena_reset(arena);
    if (arena_size(arena) > KEPT_ARENA_SIZE_MAX ||
        coordinator->free_arena_count == FREE_ARENAS_MAX) {
        arena_deinit(arena);
        return;
    }
    coordinator->free_arenas[coordinator->free_arena_count++] = *arena;
    arena_init(arena, COORDINATOR_ARENA_BLOCK_SIZE);
}

static int number_of_text(struct slice text)
{
    int number = 0;
    for (size_t i = 0; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        if (number > 1000000) break;
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

// Every option but the class is a factor: SimpleStrategy's one, or one for each data centre.
int coordinator_replication_factor(const struct keyspace *keyspace)
{
    int factor = 0;
    bool local = false;
    for (size_t i = 0; i < keyspace->replication.count; i++) {
        const struct option *option = &keyspace->replication.items[i];
        if (!slice_equals(option->key, slice_of_text("class"))) {
            factor += number_of_text(option->value);
            continue;
        }
        struct slice strategy = slice_of_text("org.apache.cassandra.locator.LocalStrategy");
        local = slice_equals(option->value, strategy);
    }
    return local ? 1 : factor;
}

// The only node alive is this one, and it is a replica of every key as soon as there is one at all.
bool coordinator_replicas_suffice(const struct coordinator *coordinator, const struct table *table,
                                  enum consistency consistency, struct coordinator_result *result)
{
    const struct keyspace *keyspace = coordinator_find_keyspace(coordinator, table->keyspace);
    int factor = keyspace == NULL ? 1 : coordinator_replication_factor(keyspace);
    int alive = factor > 0 ? 1 : 0;
    int required = consistency_required(consistency, factor);
    *result = (struct coordinator_result){
        .outcome = alive >= required ? COORDINATOR_OK : COORDINATOR_UNAVAILABLE,
        .consistency = consistency,
        .required = required,
        .alive = alive,
    };
    return alive >= required;
}

bool coordinator_is_replica(const struct coordinator *coordinator, const struct replica_plan *plan)
{
    for (uint16_t i = 0; i < plan->replicas.count; i++) {
        if (plan->replicas.members[i] == coordinator->self) return true;
    }
    return false;
}

bool coordinator_is_of_job(const struct coordinator *coordinator, struct uuid table)
{
    const struct metadata *metadata = coordinator->options.metadata;
    return !engine_waits_for_disk(coordinator->engine) && metadata != NULL &&
           jobs_find_writer(metadata_jobs(metadata), table) != NULL;
}

// Replicas with which too much waits are sent no more; enough others have to be there.
static int count_clogged(const struct coordinator *coordinator, const struct replica_plan *plan)
{
    int clogged = 0;
    for (uint16_t i = 0; i < plan->replicas.count; i++) {
        uint16_t member = plan->replicas.members[i];
        if (deliveries_are_clogged(coordinator, member) &&
            replica_plan_is_alive(coordinator, member) &&
            replica_plan_counts(coordinator, plan, member))
            clogged++;
    }
    return clogged;
}

bool coordinator_plan_write(const struct coordinator *coordinator, const struct table *table,
                            struct token token, enum consistency consistency,
                            struct replica_plan *plan, struct coordinator_result *result)
{
    if (!replica_plan_make(coordinator, table, token, consistency, false, plan, result))
        return false;
    if (consistency == CONSISTENCY_ANY) return true;
    if (!deliveries_are_full(coordinator) &&
        plan->alive - count_clogged(coordinator, plan) >= plan->required)
        return true;
    result->outcome = COORDINATOR_OVERLOADED;
    return false;
}

static int badness(enum coordinator_outcome outcome)
{
    switch (outcome) {
    case COORDINATOR_OK:
        return 0;
    case COORDINATOR_UNAVAILABLE:
        return 1;
    case COORDINATOR_OVERLOADED:
        return 2;
    case COORDINATOR_FAILED:
        return 3;
    case COORDINATOR_TIMED_OUT:
        return 4;
    }
    return 5;
}

void coordinator_result_merge(struct coordinator_result *result,
                              const struct coordinator_result *part, bool is_alone)
{
    struct coordinator_result merged = *part;
    bool wrote_nothing =
        part->outcome == COORDINATOR_UNAVAILABLE || part->outcome == COORDINATOR_OVERLOADED;
    if (!is_alone && wrote_nothing) {
        merged.outcome = COORDINATOR_FAILED;
        merged.failures++;
    }
    if (result->required == 0 || badness(merged.outcome) > badness(result->outcome))
        *result = merged;
}

static uint8_t reason_of(enum status status)
{
    enum { UNKNOWN = 0, TIMEOUT = 2, INCOMPATIBLE_SCHEMA = 3 };
    return status == STATUS_TIMED_OUT   ? TIMEOUT
           : status == STATUS_NOT_FOUND ? INCOMPATIBLE_SCHEMA
                                        : UNKNOWN;
}

void coordinator_result_blame(struct coordinator_result *result, uint16_t member,
                              enum status status)
{
    result->failures++;
    if (result->fault_count < COORDINATOR_FAULTS_MAX)
        result->faults[result->fault_count++] =
            (struct coordinator_fault){member, reason_of(status)};
}

// How a fault of the local engine looks from outside. WOULD_BLOCK never comes here.
void coordinator_result_fail(struct coordinator_result *result, enum status status)
{
    result->outcome = status == STATUS_OVERLOADED ? COORDINATOR_OVERLOADED : COORDINATOR_FAILED;
    result->failures = result->fault_count = 0;
    coordinator_result_blame(result, MEMBER_NONE, status);
}
