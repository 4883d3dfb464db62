#include "stream/source/feed.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

enum status feed_open(struct env *env, const char *location, const struct feed_events *events,
                      void *context, struct feed **made, struct error *error)
{
    struct feed *feed = calloc(1, sizeof *feed);
    ASSERT(feed != NULL);
    feed->env = env;
    feed->events = *events;
    feed->context = context;
    buffer_init(&feed->pending, 2 * FEED_PENDING_MAX + 8 * (size_t)MIB);
    enum status status = STATUS_OK;
    if (strcmp(location, "-") == 0)
        feed_stdin_start(feed);
    else
        status = feed_http_start(feed, location, error);
    if (status == STATUS_OK) {
        *made = feed;
    } else {
        buffer_deinit(&feed->pending);
        free(feed);
    }
    return status;
}

bool feed_is_full(const struct feed *feed)
{
    return feed_pending(feed).size >= FEED_PENDING_MAX;
}

void feed_take(struct feed *feed, size_t size)
{
    // Moved to the front only when that is cheap beside what was taken.
    feed->taken += size;
    if (feed->taken >= feed->pending.size / 2) {
        buffer_consume(&feed->pending, feed->taken);
        feed->taken = 0;
    }
    if (!feed->has_ended && !feed_is_full(feed)) feed->resume(feed);
}

// Packed input: none of it would be a line of use, and the job would be done with nothing counted.
static bool feed_is_packed(struct feed *feed)
{
    struct slice pending = feed_pending(feed);
    if (feed->is_looked_at || pending.size < 2) return false;
    feed->is_looked_at = true;
    return pending.data[0] == 0x1f && pending.data[1] == 0x8b;
}

void feed_add(struct feed *feed, struct slice bytes)
{
    if (feed->has_ended) return;
    buffer_put(&feed->pending, bytes.data, bytes.size);
    ASSERT(!feed->pending.overflow);
    if (feed_is_packed(feed)) {
        buffer_clear(&feed->pending);
        feed->taken = 0;
        feed_end(feed, STATUS_INVALID, "the input is packed by gzip: only a file may be");
        return;
    }
    feed->events.arrived(feed->context);
}

void feed_end(struct feed *feed, enum status status, const char *text)
{
    if (feed->has_ended) return;
    feed->has_ended = true;
    feed->status = status;
    if (status != STATUS_OK) (void)error_set(&feed->error, status, "%s", text);
    feed->events.arrived(feed->context);
}

void feed_destroy(struct feed *feed)
{
    if (feed == NULL) return;
    feed->destroy(feed);
    buffer_deinit(&feed->pending);
    free(feed);
}
