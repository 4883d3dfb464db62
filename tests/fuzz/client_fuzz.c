// What a CQL server answers to our client: u8 flags (3 bits version, 8 LZ4, 16 in pieces, 32 READY
// and v5's segments, 64 logs in) | bytes, which arrive at once, before and between the client's
// requests.
#include "cql/client/client.h"
#include "tests/fuzz/support/fuzz_segment.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

enum { REQUESTS = 4 };

static struct cql_client *client;
static struct cql_client_request requests[REQUESTS];
static size_t begun, answered;

static void done(struct cql_client_request *request, enum status status,
                 const struct answer *answer)
{
    (void)request;
    ASSERT((status == STATUS_OK) == (answer != NULL));
    answered++;
}

static void connected(void *context, enum status status, const struct error *error)
{
    (void)context;
    (void)error;
    if (status != STATUS_OK) return;
    for (size_t i = 0; i < REQUESTS; i++) {
        struct slice text = slice_of_text("SELECT * FROM ks.t");
        enum status began = i % 2 == 0 ? cql_client_query(client, &requests[i], text, NULL, done)
                                       : cql_client_prepare(client, &requests[i], text, done);
        if (began == STATUS_OK) begun++;
    }
}

FUZZ_TARGET(client)
{
    struct cursor cursor = cursor_make(input);
    uint8_t flags = cursor_u8(&cursor);
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, (flags & 16) != 0 ? 0.5 : 0);
    struct fuzz_peer peer;
    struct buffer wire;
    buffer_init(&wire, 1 << 24);
    if ((flags & 32) != 0) {
        flags = (uint8_t)((flags & ~7u) | 2);
        buffer_put(&wire, "\x85\0\0\0\2\0\0\0\0", FRAME_HEADER_SIZE);
        fuzz_segment_put_all(&wire, &cursor, (flags & 8) != 0);
    } else {
        buffer_put(&wire, cursor.next, cursor_left(&cursor));
    }
    struct env_address address = fuzz_peer_listen(&peer, &sim, buffer_slice(&wire));
    begun = answered = 0;
    const struct cql_client_options options = {.address = address,
                                               .version = 3 + (flags & 7) % 3,
                                               .lz4 = (flags & 8) != 0,
                                               .in_flight_max = 8,
                                               .user = (flags & 64) != 0 ? "user" : NULL,
                                               .password = "password",
                                               .timeout_ns = 1000000000};
    client = cql_client_create(sim.env, &options, connected, NULL);
    fuzz_sim_run(&sim, 20, NULL);
    ASSERT(answered == begun); // Answered, or told that nothing comes.
    cql_client_close(client);
    fuzz_peer_close(&peer);
    fuzz_sim_run(&sim, 60, NULL);
    fuzz_sim_close(&sim);
    buffer_deinit(&wire);
}
