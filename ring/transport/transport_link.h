// One end of a connection: hello, frames in and out. What transport.h's two sides share.
//
//     NEW --both hellos--> OPEN --fault, close--> (owner told once)
#ifndef RING_TRANSPORT_LINK_H
#define RING_TRANSPORT_LINK_H

#include "base/buffer.h"
#include "base/env.h"
#include "storage/uuid.h"

struct transport_link;

struct transport_link_events {
    void (*opened)(struct transport_link *link); // The peer's hello came and fits.
    void (*frame)(struct transport_link *link, uint8_t type, uint64_t id, struct slice payload);
    void (*ended)(struct transport_link *link, enum status status);
};

// Lives in its owner's memory. The owner may end it (transport_link_close()) inside of any event,
// but frees its memory only in a later turn or in `ended`.
struct transport_link {
    const struct transport_link_events *events;
    struct env *env;
    struct env_stream *stream; // NULL: ended.
    struct buffer input;       // What came of a frame that is not whole.
    struct buffer output;
    struct env_task flush;
    struct uuid peer_id; // Of the hello: zeros for a worker or a tool.
    bool is_open, is_paused;
    // A server's end does not read while its answers pile up. A client's end always reads: were
    // both to stop, each would wait for the other.
    bool is_server;
};

// Sends the hello, with our id in it.
void transport_link_init(struct transport_link *link, struct env *env, struct env_stream *stream,
                         bool is_server, struct uuid self_id,
                         const struct transport_link_events *events);
// No event comes any more.
void transport_link_close(struct transport_link *link, bool flush);
// Frees the buffers.
void transport_link_deinit(struct transport_link *link);
// The payload in two parts, so that nobody has to put them together before.
void transport_link_send(struct transport_link *link, uint8_t type, uint64_t id, struct slice head,
                         struct slice body);
// Frames that transport_link_put_frame() made before there was a link.
void transport_link_send_frames(struct transport_link *link, struct slice frames);
size_t transport_link_queued(const struct transport_link *link);

// Adds a frame to the bytes. The payload is at most TRANSPORT_ANSWER_SIZE_MAX.
void transport_link_put_frame(struct buffer *bytes, uint8_t type, uint64_t id, struct slice head,
                              struct slice body);

#endif
