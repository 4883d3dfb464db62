// A session whose story has ended, as rows of system_traces.
#include "base/assert.h"
#include "base/container_of.h"
#include "cql/system/system_row.h"
#include "cql/system/tracing_internal.h"

#include <stdlib.h>

static void begin_row(const struct tracing_session *session, const struct table *table,
                      struct arena *arena, struct system_row *row)
{
    system_row_begin(row, table, NULL, arena, session->started_us + session->duration_us);
    row->ttl = TRACING_TTL_S;
    system_row_set_uuid(row, "session_id", session->trace.session);
}

static void set_address(struct system_row *row, const char *name, const struct env_address *address)
{
    system_row_set(row, name, slice_make(address->bytes, address->size));
}

static struct row session_row(const struct tracing_session *session, struct arena *arena,
                              struct partition_key *key)
{
    const struct env_address *address = &session->tracing->address;
    struct system_row row;
    begin_row(session, session->tracing->sessions, arena, &row);
    if (session->client.size > 0) set_address(&row, "client", &session->client);
    system_row_set_text(&row, "command", "QUERY");
    set_address(&row, "coordinator", address);
    system_row_set_int(&row, "coordinator_port", address->port);
    system_row_set_int(&row, "duration", session->duration_us);
    for (size_t i = 0; i < session->parameter_count; i++)
        system_row_add_entry(&row, "parameters", session->parameters[i].key,
                             session->parameters[i].value);
    system_row_set_text(&row, "request", session->request);
    system_row_set_long(&row, "started_at", session->started_us / 1000);
    return system_row_take(&row, key);
}

// Time uuids of this node, different from each other and from those of its other sessions.
static struct uuid event_id(const struct tracing_session *session, const struct trace_event *event,
                            uint64_t *last)
{
    uint64_t ticks = (uint64_t)event->at_us * 10 + UUID_EPOCH_TICKS;
    if (ticks <= *last) ticks = *last + 1;
    *last = ticks;
    return uuid_make_time(ticks, session->sequence, session->tracing->node & 0xFFFFFFFFFFFFull);
}

static struct row event_row(const struct tracing_session *session, const struct trace_event *event,
                            struct uuid id, struct arena *arena, struct partition_key *key)
{
    const struct env_address *address = &session->tracing->address;
    struct system_row row;
    begin_row(session, session->tracing->events, arena, &row);
    system_row_set_uuid(&row, "event_id", id);
    system_row_set_text(&row, "activity", event->activity);
    set_address(&row, "source", address);
    system_row_set_int(&row, "source_elapsed", event->elapsed_us);
    system_row_set_int(&row, "source_port", address->port);
    system_row_set_text(&row, "thread", event->thread);
    return system_row_take(&row, key);
}

static void is_written(struct coordinator_write *write, const struct coordinator_result *result)
{
    (void)result; // Cassandra does not tell either.
    tracing_free_session(CONTAINER_OF(write, struct tracing_session, write));
}

// The events of a trace, without any when nothing was told.
static struct mutation events_of(struct tracing_session *session)
{
    struct trace *trace = &session->trace;
    struct arena *arena = &trace->arena;
    struct mutation made = {.table = session->tracing->events, .deletion = DELETION_NONE};
    struct row *events = ARENA_NEW_ARRAY(arena, struct row, (size_t)trace->event_count + 1);
    uint64_t last = 0;
    size_t count = 0;
    for (const struct trace_event *event = trace->first; event != NULL; event = event->next) {
        struct uuid id = event_id(session, event, &last);
        events[count++] = event_row(session, event, id, arena, &made.key);
    }
    made.rows = events;
    made.row_count = count;
    return made;
}

static void write_rows(struct tracing_session *session, const struct mutation *mutations,
                       size_t count, enum consistency consistency,
                       void (*done)(struct coordinator_write *write,
                                    const struct coordinator_result *result))
{
    struct coordinator *coordinator = session->tracing->coordinator;
    if (session->tracing->is_stopped) {
        tracing_free_session(session);
        return;
    }
    // A request may end inside of the call that starts it, with its trace still the present one: of
    // a write that held that trace the end would be its end once more.
    coordinator_trace(coordinator, NULL);
    coordinator_write_start(coordinator, &session->write, mutations, count, consistency, done);
}

// The session's own row, after its events or, when not all replicas live, with them.
static void write_session_row(struct tracing_session *session, bool with_events)
{
    struct mutation mutations[2] = {
        {.table = session->tracing->sessions, .deletion = DELETION_NONE},
    };
    struct row row = session_row(session, &session->trace.arena, &mutations[0].key);
    mutations[0].rows = &row;
    mutations[0].row_count = 1;
    if (with_events) mutations[1] = events_of(session);
    write_rows(session, mutations, 1 + with_events, CONSISTENCY_ANY, is_written);
}

static void events_are_written(struct coordinator_write *write,
                               const struct coordinator_result *result)
{
    struct tracing_session *session = CONTAINER_OF(write, struct tracing_session, write);
    write_session_row(session, result->outcome == COORDINATOR_UNAVAILABLE);
}

// A driver that finds a session's row, at ONE, asks for its events once, maybe at another replica:
// they are at all replicas before it.
static void write_session(struct trace *trace)
{
    struct tracing_session *session = CONTAINER_OF(trace, struct tracing_session, trace);
    if (session->is_of_a_replica) session->duration_us = trace_elapsed_us(trace);
    struct mutation events = events_of(session);
    if (session->is_of_a_replica) {
        if (events.row_count == 0)
            tracing_free_session(session);
        else
            write_rows(session, &events, 1, CONSISTENCY_ANY, is_written);
    } else if (events.row_count == 0) {
        write_session_row(session, false);
    } else {
        write_rows(session, &events, 1, CONSISTENCY_ALL, events_are_written);
    }
}

struct tracing *tracing_create(struct env *env, struct coordinator *coordinator,
                               const struct system_tables *tables,
                               const struct env_address *coordinator_address)
{
    struct tracing *tracing = calloc(1, sizeof *tracing);
    ASSERT(tracing != NULL);
    const struct table *stored[SYSTEM_TABLES_STORED_COUNT];
    system_tables_stored(tables, stored);
    tracing->env = env;
    tracing->coordinator = coordinator;
    tracing->sessions = stored[0];
    tracing->events = stored[1];
    tracing->address = *coordinator_address;
    tracing->write = write_session;
    tracing->source.begin = tracing_begin_at_replica;
    coordinator_set_trace_source(coordinator, &tracing->source);
    // The multicast bit marks a node that is no network card's address.
    tracing->node = env_random_u64(env) | (1ull << 40);
    return tracing;
}
