#include "cql/protocol/connection_memory.h"

#include "base/container_of.h"
#include "base/limits.h"
#include "cql/protocol/connection.h"

void connections_memory_init(struct connections_memory *memory)
{
    *memory = (struct connections_memory){
        .input_size_max = CQL_INPUT_SIZE_MAX,
        .output_size_max = CQL_OUTPUT_SIZE_MAX,
    };
    connection_link_init_end(&memory->unfinished);
    connection_link_init_end(&memory->unread);
}

static void set_input(struct connection *connection, size_t size)
{
    struct connections_memory *all = &connection->shared->memory;
    all->input_size = all->input_size - connection->memory.input_size + size;
    connection->memory.input_size = size;
    // One that may not be read at present is not late.
    if (size > 0 && !connection->is_paused)
        connection_link_add(&all->unfinished, &connection->memory.unfinished);
    else
        connection_link_remove(&connection->memory.unfinished);
}

static void set_output(struct connection *connection, size_t size)
{
    struct connections_memory *all = &connection->shared->memory;
    all->output_size = all->output_size - connection->memory.output_size + size;
    connection->memory.output_size = size;
    if (size > 0)
        connection_link_add(&all->unread, &connection->memory.unread);
    else
        connection_link_remove(&connection->memory.unread);
}

static void shed(struct connection *connection, const char *why)
{
    connection->shared->memory.closed_count++;
    connection_shed(connection, why);
}

// Whoever began first. Only if nobody is late it is the one that came last.
static void shed_input(struct connection *last)
{
    struct connections_memory *all = &last->shared->memory;
    while (all->input_size > all->input_size_max) {
        struct connection *victim = last;
        struct connection_link *first = connection_link_first(&all->unfinished);
        if (first != NULL) victim = CONTAINER_OF(first, struct connection, memory.unfinished);
        if (victim->memory.input_size == 0) return;
        set_input(victim, 0);
        shed(victim, "Too many unfinished messages of all clients, try again later");
    }
}

void connection_memory_count_input(struct connection *connection)
{
    struct connections_memory *all = &connection->shared->memory;
    set_input(connection, frame_reader_memory(&connection->reader));
    if (all->input_size > all->input_size_max) shed_input(connection);
}

// Whoever did not read first. One alone has its own bounds.
static void shed_output(struct connections_memory *all)
{
    while (all->output_size > all->output_size_max && all->unread.newer != all->unread.older) {
        struct connection *victim =
            CONTAINER_OF(all->unread.newer, struct connection, memory.unread);
        size_t before = victim->memory.output_size;
        set_output(victim, env_stream_queued(victim->stream));
        if (victim->memory.output_size == before) shed(victim, NULL); // Nor has it read since.
    }
}

void connection_memory_count_output(struct connection *connection)
{
    struct connections_memory *all = &connection->shared->memory;
    set_output(connection, env_stream_queued(connection->stream));
    if (all->output_size > all->output_size_max) shed_output(all);
}

void connection_memory_forget(struct connection *connection)
{
    set_input(connection, 0);
    set_output(connection, 0);
}
