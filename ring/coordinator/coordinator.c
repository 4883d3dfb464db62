#include "ring/coordinator/coordinator_state.h"

#include "base/assert.h"

#include <stdlib.h>

struct coordinator *coordinator_create(struct env *env, const struct coordinator_options *options)
{
    struct coordinator *coordinator = calloc(1, sizeof *coordinator);
    ASSERT(coordinator != NULL);
    coordinator->env = env;
    coordinator->options = *options;
    coordinator->engine = options->engine;
    coordinator->schema = options->schema;
    if (options->placement != NULL) coordinator->self = placement_self(options->placement);
    return coordinator;
}

void coordinator_destroy(struct coordinator *coordinator)
{
    if (coordinator == NULL) return;
    while (coordinator->free_arena_count > 0)
        arena_deinit(&coordinator->free_arenas[--coordinator->free_arena_count]);
    free(coordinator);
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
    const struct keyspace *keyspace = schema_find_keyspace(coordinator->schema, table->keyspace);
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

// How a fault of the local engine looks from outside. WOULD_BLOCK never comes here.
void coordinator_result_fail(struct coordinator_result *result, enum status status)
{
    result->outcome = status == STATUS_OVERLOADED ? COORDINATOR_OVERLOADED : COORDINATOR_FAILED;
    result->failures = 1;
}
