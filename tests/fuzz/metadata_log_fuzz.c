// What the members of a ring say about the metadata log, to one of them: requests, and answers to
// whatever it asked. Whatever they say, what it applied is there when it is opened again.
//
//     { u8 what | u8 member | u16 size | bytes }*
#include "ring/metadata/metadata_log_state.h"
#include "ring/metadata/metadata_state.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

enum { MEMBERS = 3, CHANGES_MAX = 16 };

struct fuzz_log {
    struct fuzz_sim sim;
    struct topology *topology;
    struct metadata *metadata;
    struct messaging *messaging;
    struct metadata_schema_change changes[CHANGES_MAX];
    size_t change_count;
};

static const struct topology *topology_of(void *context)
{
    return ((struct fuzz_log *)context)->topology;
}

static uint64_t number_of(void *context)
{
    return metadata_number(((struct fuzz_log *)context)->metadata);
}

static void behind(void *context, uint16_t member, uint64_t number)
{
    metadata_catch_up(((struct fuzz_log *)context)->metadata, member, number);
}

static struct topology *make_topology(void)
{
    struct member members[MEMBERS] = {0};
    struct token tokens[MEMBERS];
    for (uint8_t m = 0; m < MEMBERS; m++) {
        members[m].host_id.bytes[0] = (uint8_t)(m + 1);
        members[m].address =
            (struct env_address){.bytes = {127, 0, 0, (uint8_t)(m + 1)}, .size = 4, .port = 7000};
        tokens[m].value = m;
        members[m].tokens = &tokens[m];
        members[m].token_count = 1;
    }
    struct topology *topology;
    ASSERT(topology_make(members, MEMBERS, &topology, NULL) == STATUS_OK);
    return topology;
}

static void open_metadata(struct fuzz_log *log)
{
    const struct metadata_options options = {.directory = "/metadata", .topology = log->topology};
    struct error error;
    ASSERT(metadata_open(log->sim.env, &options, &log->metadata, &error) == STATUS_OK);
}

static void join(struct fuzz_log *log)
{
    const struct messaging_options options = {.listen = log->topology->members[0].address,
                                              .topology = topology_of,
                                              .log_number = number_of,
                                              .behind = behind,
                                              .context = log};
    struct error error;
    ASSERT(messaging_create(log->sim.env, &options, &log->messaging, &error) == STATUS_OK);
    metadata_join(log->metadata, log->messaging, NULL);
}

static void changed(struct metadata_schema_change *change, enum status status)
{
    (void)change, (void)status;
}

static void start_change(struct fuzz_log *log, struct slice name)
{
    if (log->change_count == CHANGES_MAX) return;
    metadata_drop_keyspace(log->metadata, &log->changes[log->change_count++], name, changed);
}

static void request(struct message_handler *handler, uint16_t member, struct slice body)
{
    // To a connection that is gone.
    const struct message message = {.from = member, .body = body, .origin = {7, 1, 1}};
    handler->handle(handler, &message);
}

// The bytes as the answer to a request that is under way.
static void answer(struct fuzz_log *log, struct messaging_request *request, struct slice bytes)
{
    if (request->id == 0) return;
    messaging_cancel(log->messaging, request);
    request->done(request, STATUS_OK, bytes);
}

static void step(struct fuzz_log *log, uint8_t what, uint16_t member, struct slice bytes)
{
    struct metadata_log *inner = log->metadata->log;
    switch (what % 10) {
    case 0:
        request(&inner->prepare_handler, member, bytes);
        break;
    case 1:
        request(&inner->accept_handler, member, bytes);
        break;
    case 2:
        request(&inner->commit_handler, member, bytes);
        break;
    case 3:
        request(&inner->fetch_handler, member, bytes);
        break;
    case 4:
        answer(log, &inner->proposer.requests[member].request, bytes);
        break;
    case 5:
        answer(log, &inner->peers[member].commit.request, bytes);
        break;
    case 6:
        answer(log, &inner->fetch.request.request, bytes);
        break;
    case 7:
        metadata_catch_up(log->metadata, member, bytes.size);
        break;
    case 8:
        start_change(log, bytes);
        break;
    default:
        fuzz_sim_run(&log->sim, (double)bytes.size / 1000, NULL);
    }
}

static void drained(void *context)
{
    *(bool *)context = true;
}

FUZZ_TARGET(metadata_log)
{
    struct fuzz_log log = {.topology = make_topology()};
    fuzz_sim_open(&log.sim, 0);
    open_metadata(&log);
    join(&log);
    struct cursor cursor = cursor_make(input);
    while (fuzz_goes_on(&cursor)) {
        uint8_t what = cursor_u8(&cursor);
        uint16_t member = cursor_u8(&cursor) % MEMBERS;
        step(&log, what, member, fuzz_take(&cursor, cursor_u16(&cursor)));
    }
    metadata_join(log.metadata, NULL, NULL);
    messaging_close(log.messaging);
    bool is_drained = false;
    metadata_drain(log.metadata, drained, &is_drained);
    fuzz_sim_run(&log.sim, 60, &is_drained);
    ASSERT(is_drained);
    fuzz_sim_run(&log.sim, 60, NULL); // Connections that were being made.
    uint64_t number = metadata_number(log.metadata);
    struct uuid version = schema_version(metadata_schema(log.metadata));
    metadata_close(log.metadata);
    open_metadata(&log);
    ASSERT(metadata_number(log.metadata) >= number);
    if (metadata_number(log.metadata) == number)
        ASSERT(uuid_equals(version, schema_version(metadata_schema(log.metadata))));
    metadata_close(log.metadata);
    topology_destroy(log.topology);
    fuzz_sim_close(&log.sim);
}
