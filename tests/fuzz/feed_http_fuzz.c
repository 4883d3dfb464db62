// An HTTP server's answer to a job that pulls its lines: u8 flags (bit 0: in pieces) | bytes.
#include "stream/source/feed.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/targets.h"

#include <stdio.h>

static void arrived(void *context)
{
    struct feed *feed = *(struct feed **)context;
    if (feed == NULL) return;
    struct slice pending = feed_pending(feed);
    feed_take(feed, (pending.size + 1) / 2);
}

FUZZ_TARGET(feed_http)
{
    struct cursor cursor = cursor_make(input);
    uint8_t flags = cursor_u8(&cursor);
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, (flags & 1) != 0 ? 0.5 : 0);
    struct fuzz_peer peer;
    struct env_address address = fuzz_peer_listen(&peer, &sim, fuzz_rest(&cursor));
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/x", address.port);
    static const struct feed_events events = {arrived};
    struct feed *feed = NULL;
    struct error error;
    ASSERT(feed_open(sim.env, url, &events, &feed, &feed, &error) == STATUS_OK);
    fuzz_sim_run(&sim, 5, NULL);
    fuzz_peer_close(&peer);
    fuzz_sim_run(&sim, 60, NULL);
    ASSERT(feed->has_ended);
    feed_destroy(feed);
    fuzz_sim_run(&sim, 60, NULL);
    fuzz_sim_close(&sim);
}
