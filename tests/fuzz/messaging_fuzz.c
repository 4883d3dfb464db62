// What another member of the ring sends: requests to us, and answers to ours. Liveness is there
// too, so that its gossip is looked at.
//
//     u8 how | …     how bit 0: raw bytes follow; else the hello of member 1 and { u8 type | u8 id
//     |
//                    u16 size | payload }* with right checksums. Bit 1: the hello is a tool's. Bit
//                    2: bytes arrive in pieces. Bit 3: our log moves meanwhile.
#include "base/buffer.h"
#include "ring/liveness/liveness.h"
#include "ring/transport/transport_link.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

enum { MEMBERS = 3, REQUESTS = 4 };

struct world {
    struct topology *topology;
    uint64_t log_number;
    struct message_handler handler;
    struct messaging_request requests[REQUESTS];
    int done_count;
};

static const struct topology *world_topology(void *context)
{
    return ((struct world *)context)->topology;
}

static uint64_t world_log_number(void *context)
{
    return ((struct world *)context)->log_number;
}

static void world_behind(void *context, uint16_t member, uint64_t number)
{
    struct world *world = context;
    ASSERT(member == 1 && number > world->log_number);
}

static void world_handle(struct message_handler *handler, const struct message *message)
{
    messaging_answer(handler->messaging, message->origin, STATUS_OK, message->body);
}

static struct world *world_now;

static void world_done(struct messaging_request *request, enum status status, struct slice answer)
{
    (void)answer;
    ASSERT(request->id == 0 && status <= STATUS_CANCELED);
    world_now->done_count++;
}

static void world_make_topology(struct world *world, struct env_address peer)
{
    struct member members[MEMBERS];
    struct token tokens[MEMBERS];
    for (uint8_t i = 0; i < MEMBERS; i++) {
        tokens[i].value = i;
        members[i] = (struct member){
            .address = {.bytes = {127, 0, 0, (uint8_t)(10 + i)}, .size = 4, .port = 7000},
            .data_center = "dc",
            .rack = "r",
            .tokens = &tokens[i],
            .token_count = 1};
        members[i].host_id.bytes[0] = (uint8_t)(i + 1);
        members[i].rpc_address = members[i].address;
    }
    members[1].address = peer;
    ASSERT(topology_make(members, MEMBERS, &world->topology, NULL) == STATUS_OK);
}

static struct messaging *world_open(struct world *world, struct fuzz_sim *sim)
{
    struct messaging_options options = {.listen = world->topology->members[0].address,
                                        .topology = world_topology,
                                        .log_number = world_log_number,
                                        .behind = world_behind,
                                        .context = world};
    struct messaging *messaging;
    ASSERT(messaging_create(sim->env, &options, &messaging, NULL) == STATUS_OK);
    world->handler.handle = world_handle;
    messaging_handle(messaging, VERB_READ, &world->handler);
    return messaging;
}

static void check(struct fuzz_sim *sim, struct slice wire, bool log_moves)
{
    struct world world = {.log_number = 3};
    struct fuzz_peer asked, asking;
    world_now = &world;
    world_make_topology(&world, fuzz_peer_listen(&asked, sim, wire));
    struct messaging *messaging = world_open(&world, sim);
    struct liveness_options options = {.member_count = MEMBERS};
    struct liveness *liveness = liveness_create(sim->env, messaging, &options);
    for (int i = 0; i < REQUESTS; i++)
        messaging_send(messaging, &world.requests[i], 1, VERB_READ, slice_of_text("ask"),
                       1000000000, world_done);
    fuzz_peer_connect(&asking, sim, messaging_address(messaging));
    fuzz_peer_send(&asking, wire);
    fuzz_sim_run(sim, 0.5, NULL);
    if (log_moves) {
        world.log_number = UINT64_MAX;
        messaging_log_moved(messaging);
    }
    fuzz_sim_run(sim, 10, NULL);
    ASSERT(world.done_count == REQUESTS);
    liveness_destroy(liveness);
    messaging_close(messaging);
    fuzz_peer_close(&asked);
    fuzz_peer_close(&asking);
    fuzz_sim_run(sim, 60, NULL);
    topology_destroy(world.topology);
}

// Ids as request_table.h makes them: a number, and a place in a table.
static void put_frames(struct buffer *wire, struct cursor *input, bool is_tool)
{
    buffer_put(wire, "HLNS\0\2\0\0", 8);
    buffer_put(wire, (uint8_t[16]){is_tool ? 0 : 2}, 16);
    while (fuzz_goes_on(input)) {
        uint8_t type = cursor_u8(input), id = cursor_u8(input);
        struct slice payload = fuzz_take(input, cursor_u16(input));
        transport_link_put_frame(wire, type, (uint64_t)(id / 16 + 1) << 18 | (id % 16 + 1),
                                 slice_make("", 0), payload);
    }
}

FUZZ_TARGET(messaging)
{
    struct cursor cursor = cursor_make(input);
    uint8_t how = cursor_u8(&cursor);
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, (how & 4) != 0 ? 0.5 : 0);
    struct buffer wire;
    buffer_init(&wire, 1 << 26);
    if ((how & 1) != 0)
        buffer_put(&wire, cursor.next, cursor_left(&cursor));
    else
        put_frames(&wire, &cursor, (how & 2) != 0);
    check(&sim, buffer_slice(&wire), (how & 8) != 0);
    buffer_deinit(&wire);
    fuzz_sim_close(&sim);
}
