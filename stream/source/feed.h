// Bytes as they come from outside: standard input, or the body of an HTTP answer (plain http, one
// GET). A feed never holds more than FEED_PENDING_MAX bytes: then the other side must wait.
#ifndef STREAM_FEED_H
#define STREAM_FEED_H

#include "base/buffer.h"
#include "base/env.h"
#include "base/limits.h"

#define FEED_PENDING_MAX (20 * (size_t)MIB)

struct feed_events {
    void (*arrived)(void *context); // Bytes, or the end, or a fault.
};

struct feed {
    struct env *env;
    struct feed_events events;
    void *context;
    struct buffer pending;        // What came …
    size_t taken;                 // … of which so much was taken already.
    bool has_ended, is_looked_at; // is_looked_at: its first bytes are none of gzip.
    enum status status;           // OK, or why it ended.
    struct error error;
    void *kind; // Of feed_stdin.c or feed_http.c.
    void (*resume)(struct feed *feed);
    void (*destroy)(struct feed *feed);
};

// "-" or "http://host:port/path". INVALID.
MUST_USE enum status feed_open(struct env *env, const char *location,
                               const struct feed_events *events, void *context, struct feed **feed,
                               struct error *error);
// What came and was not taken. Valid until the next turn or feed_take().
static inline struct slice feed_pending(const struct feed *feed)
{
    struct slice all = buffer_slice(&feed->pending);
    return slice_make(all.data + feed->taken, all.size - feed->taken);
}
// Takes the first `size` pending bytes away.
void feed_take(struct feed *feed, size_t size);
void feed_destroy(struct feed *feed);

// ---- The kinds: begin to read, and report with these. -------------------------------------------
void feed_stdin_start(struct feed *feed);
MUST_USE enum status feed_http_start(struct feed *feed, const char *url, struct error *error);
void feed_add(struct feed *feed, struct slice bytes);
bool feed_is_full(const struct feed *feed);
void feed_end(struct feed *feed, enum status status, const char *text);

#endif
