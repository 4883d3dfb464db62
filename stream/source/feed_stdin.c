// Standard input: a thread waits in read(), since a pipe can not be asked for an offset.
#include "base/assert.h"
#include "base/container_of.h"
#include "stream/source/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FEED_STDIN_SIZE = 256 * 1024 };

struct feed_stdin {
    struct feed *feed;
    struct env_job job;
    bool is_reading;
    ssize_t size;
    int fault;
    uint8_t bytes[FEED_STDIN_SIZE];
};

static void feed_stdin_work(struct env_job *job)
{
    struct feed_stdin *self = CONTAINER_OF(job, struct feed_stdin, job);
    do
        self->size = read(STDIN_FILENO, self->bytes, sizeof self->bytes);
    while (self->size < 0 && errno == EINTR);
    self->fault = errno;
}

static void feed_stdin_read(struct feed *feed);

static void feed_stdin_worked(struct env_job *job)
{
    struct feed_stdin *self = CONTAINER_OF(job, struct feed_stdin, job);
    self->is_reading = false;
    if (self->size > 0) {
        feed_add(self->feed, slice_make(self->bytes, (size_t)self->size));
        feed_stdin_read(self->feed);
    } else if (self->size == 0) {
        feed_end(self->feed, STATUS_OK, "");
    } else {
        feed_end(self->feed, STATUS_IO, strerror(self->fault));
    }
}

static void feed_stdin_read(struct feed *feed)
{
    struct feed_stdin *self = feed->kind;
    if (self->is_reading || feed->has_ended || feed_is_full(feed)) return;
    self->is_reading = true;
    // The lane has few threads, one of which may wait here for long: the log's is free in a worker.
    env_offload(feed->env, &self->job, ENV_LANE_LOG, feed_stdin_work, feed_stdin_worked);
}

static void feed_stdin_destroy(struct feed *feed)
{
    free(feed->kind);
}

void feed_stdin_start(struct feed *feed)
{
    struct feed_stdin *self = calloc(1, sizeof *self);
    ASSERT(self != NULL);
    self->feed = feed;
    feed->kind = self;
    feed->resume = feed_stdin_read;
    feed->destroy = feed_stdin_destroy;
    feed_stdin_read(feed);
}
