// Connections that others make to us: of members, workers, tools.
#include "base/assert.h"
#include "ring/transport/messaging_internal.h"

#include <stdlib.h>

struct messaging_inbound *messaging_inbound_find(struct messaging *messaging,
                                                 struct message_origin origin)
{
    if (origin.slot == 0 || origin.slot >= messaging->inbound_count) return NULL;
    struct messaging_inbound *inbound = &messaging->inbounds[origin.slot];
    bool is_same = inbound->connection != NULL && inbound->generation == origin.generation;
    return is_same ? inbound : NULL;
}

static void messaging_inbound_grow(struct messaging *messaging)
{
    uint32_t from = messaging->inbound_count, to = from == 0 ? 16 : 2 * from;
    messaging->inbounds = realloc(messaging->inbounds, to * sizeof *messaging->inbounds);
    ASSERT(messaging->inbounds != NULL);
    if (from == 0) messaging->inbounds[from++] = (struct messaging_inbound){0};
    for (uint32_t slot = from; slot < to; slot++)
        messaging->inbounds[slot] =
            (struct messaging_inbound){.next_free = slot + 1 < to ? slot + 1 : 0};
    messaging->inbound_free = from;
    messaging->inbound_count = to;
}

static uint16_t messaging_inbound_peer(const struct messaging *messaging,
                                       const struct transport_connection *connection)
{
    const struct topology *topology = messaging->options.topology(messaging->options.context);
    struct uuid host_id = transport_connection_host_id(connection);
    if (topology == NULL || uuid_equals(host_id, (struct uuid){0})) return MEMBER_NONE;
    return topology_find_member(topology, host_id);
}

// The slot of a connection; it gets one with its first message.
static uint32_t messaging_inbound_admit(struct messaging *messaging,
                                        struct transport_connection *connection)
{
    uint32_t slot = transport_connection_tag(connection);
    if (slot != 0) return slot;
    if (messaging->inbound_free == 0) messaging_inbound_grow(messaging);
    slot = messaging->inbound_free;
    struct messaging_inbound *inbound = &messaging->inbounds[slot];
    messaging->inbound_free = inbound->next_free;
    inbound->connection = connection;
    inbound->member = messaging_inbound_peer(messaging, connection);
    transport_connection_set_tag(connection, slot);
    return slot;
}

void messaging_inbound_requested(void *context, struct transport_connection *connection,
                                 uint8_t type, uint64_t id, struct slice payload)
{
    struct messaging *messaging = context;
    if (type < VERB_RING) {
        if (messaging->workers.request == NULL)
            transport_connection_end(connection);
        else
            messaging->workers.request(messaging->workers_context, connection, type, id, payload);
        return;
    }
    uint32_t slot = messaging_inbound_admit(messaging, connection);
    const struct messaging_inbound *inbound = &messaging->inbounds[slot];
    struct messaging_letter letter = {
        .direction = MESSAGING_IN_REQUEST,
        .member = inbound->member,
        .type = type,
        .origin = {.slot = slot, .generation = inbound->generation, .id = id},
        .head = slice_make("", 0),
        .body = payload};
    struct messaging_member *member =
        inbound->member < messaging->member_capacity ? messaging->members[inbound->member] : NULL;
    if (member != NULL) {
        member->traffic.received_count++;
        member->traffic.received_bytes += payload.size;
    }
    if (member != NULL && member->has_fault)
        messaging_fault_pass(member, &letter);
    else
        messaging_deliver(messaging, &letter);
}

void messaging_inbound_ended(void *context, struct transport_connection *connection)
{
    struct messaging *messaging = context;
    uint32_t slot = transport_connection_tag(connection);
    uint16_t from = messaging_inbound_peer(messaging, connection);
    if (slot != 0) {
        struct messaging_inbound *inbound = &messaging->inbounds[slot];
        from = inbound->member;
        inbound->connection = NULL;
        inbound->generation++;
        inbound->next_free = messaging->inbound_free;
        messaging->inbound_free = slot;
    }
    if (from == MEMBER_NONE) {
        if (messaging->workers.request != NULL)
            messaging->workers.ended(messaging->workers_context, connection);
        return;
    }
    if (!messaging_get_fault(messaging, from).blocks_in)
        messaging_tell_lost(messaging, from, STATUS_CLOSED);
}
