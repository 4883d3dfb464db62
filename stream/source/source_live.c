// A source that can not be read twice: what the feed brings is stored in the intake first.
//
//     feed --whole lines--> intake, synced --> block           and, after a restart, what is stored
//                                                              already comes before what is new
//
// The intake is a directory of this machine, worked at on a thread, or the store that the owner
// gave, which answers with events.
//
// The end of a stored input is not its end: a resumed job reads on from the feed.
#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "stream/source/feed.h"
#include "stream/source/intake.h"
#include "stream/source/source.h"

#include <stdlib.h>
#include <string.h>

struct source_live {
    struct source source;
    char *location, *directory;
    struct feed *feed;
    struct intake *intake;   // NULL: the store is used …
    bool is_open;            // … which says when what it has can be read, …
    uint64_t stored;         // … how much that is, …
    struct error failure;    // … and whether it has failed: status is not OK.
    uint64_t offset;         // Of the next block.
    size_t stored_target;    // Bytes to be read for a line.
    struct buffer blocks[2]; // Turn by turn.
    int turn;
    bool wants_block, is_working, is_stored; // is_stored: the job reads the intake.
    bool is_skipping;                        // Inside of a line that is too long.
    uint64_t too_long;
    struct env_job job;
    struct env_task empty;
    enum status status;
    struct error error;
    struct source_block block;
};

static struct source_live *source_live_of(struct source *source)
{
    return CONTAINER_OF(source, struct source_live, source);
}

static void source_live_answer(struct source_live *self)
{
    self->wants_block = false;
    self->source.was_read(self->source.context, self->status, &self->error, &self->block);
}

static void source_live_tell(struct env_task *task)
{
    source_live_answer(CONTAINER_OF(task, struct source_live, empty));
}

// ---- On the thread -----------------------------------------------------------------------------

// What is stored already: to the limit, or the whole lines of a block's size.
static enum status source_live_read_stored(struct source_live *self, struct buffer *block)
{
    uint64_t end = intake_size(self->intake);
    const struct source_wanted *wanted_block = &self->source.wanted;
    if (wanted_block->limit < end) end = wanted_block->limit;
    bool reaches_limit = end == wanted_block->limit;
    size_t target = wanted_block->size;
    for (;;) {
        uint64_t rest = end - self->offset;
        size_t wanted = rest < target ? (size_t)rest : target, taken;
        buffer_clear(block);
        uint8_t *to = buffer_reserve(block, wanted);
        ASSERT(to != NULL);
        enum status status =
            intake_read(self->intake, self->offset, to, wanted, &taken, &self->error);
        if (status != STATUS_OK) return status;
        if (wanted == rest && (reaches_limit || rest == 0)) return STATUS_OK;
        const uint8_t *newline = memrchr(block->data, '\n', block->size);
        if (newline != NULL) {
            buffer_truncate(block, (size_t)(newline + 1 - block->data));
            return STATUS_OK;
        }
        // Blocks were stored as whole lines, so all that is left is one at least.
        if (wanted == rest) return STATUS_OK;
        target *= 2;
    }
}

// The bytes of a block are there, and safe.
static void source_live_finish_block(struct source_live *self)
{
    struct buffer *block = &self->blocks[self->turn];
    uint64_t lines = self->source.wanted.lines;
    if (self->status == STATUS_OK && lines > 0)
        buffer_truncate(block,
                        source_lines_size(buffer_slice(block), lines, &self->block.line_count));
    self->turn = 1 - self->turn;
    self->block.from = self->offset;
    self->offset += block->size;
    self->block.to = self->offset;
    self->block.lines = buffer_slice(block);
}

static void source_live_work(struct env_job *job)
{
    struct source_live *self = CONTAINER_OF(job, struct source_live, job);
    struct buffer *block = &self->blocks[self->turn];
    self->status = self->is_stored ? source_live_read_stored(self, block)
                                   : intake_append(self->intake, buffer_slice(block), &self->error);
    source_live_finish_block(self);
}

static void source_live_worked(struct env_job *job)
{
    struct source_live *self = CONTAINER_OF(job, struct source_live, job);
    self->is_working = false;
    source_live_answer(self);
}

// ---- On the loop -------------------------------------------------------------------------------

// How many pending bytes are whole lines; drops what belongs to a line that is too long.
static size_t source_live_whole_lines(struct source_live *self)
{
    struct slice pending = feed_pending(self->feed);
    if (self->is_skipping && pending.size > 0) {
        const uint8_t *newline = memchr(pending.data, '\n', pending.size);
        size_t size = newline == NULL ? pending.size : (size_t)(newline + 1 - pending.data);
        self->is_skipping = newline == NULL;
        feed_take(self->feed, size);
        pending = feed_pending(self->feed);
    }
    const struct source_wanted *wanted = &self->source.wanted;
    size_t size = pending.size;
    // What broke may have done so inside of a line.
    bool is_whole = self->feed->has_ended && self->feed->status == STATUS_OK;
    if (size == 0 || (is_whole && size <= wanted->size)) return size;
    if (size > wanted->size) size = wanted->size;
    const uint8_t *newline = memrchr(pending.data, '\n', size);
    if (newline == NULL && pending.size > size)
        newline = memchr(pending.data + size, '\n', pending.size - size);
    if (newline != NULL) return (size_t)(newline + 1 - pending.data);
    if (is_whole) return pending.size;
    if (pending.size <= STREAM_LINE_SIZE_MAX && !self->feed->has_ended) return 0;
    if (!self->feed->has_ended) {
        self->too_long++;
        self->is_skipping = true;
    }
    feed_take(self->feed, pending.size);
    return 0;
}

// How much is stored.
static uint64_t source_live_stored(const struct source_live *self)
{
    return self->intake == NULL ? self->stored : intake_size(self->intake);
}

static void source_live_read_store(struct source_live *self)
{
    uint64_t end = self->stored;
    if (self->source.wanted.limit < end) end = self->source.wanted.limit;
    uint64_t rest = end - self->offset;
    size_t size = rest < self->stored_target ? (size_t)rest : self->stored_target;
    if (size == 0) { // A limit that is reached already.
        buffer_clear(&self->blocks[self->turn]);
        source_live_finish_block(self);
        self->is_working = false;
        env_task_post(self->source.env, &self->empty, source_live_tell);
        return;
    }
    self->source.store->read(self->source.store, self->offset, size);
}

static void source_live_start_work(struct source_live *self, bool is_stored)
{
    self->is_stored = is_stored;
    self->is_working = true;
    self->status = STATUS_OK;
    if (self->intake != NULL) {
        env_offload(self->source.env, &self->job, ENV_LANE_READ, source_live_work,
                    source_live_worked);
    } else if (is_stored) {
        self->stored_target = self->source.wanted.size;
        source_live_read_store(self);
    } else {
        self->source.store->append(self->source.store, buffer_slice(&self->blocks[self->turn]));
    }
}

static void source_live_empty(struct env_task *task)
{
    struct source_live *self = CONTAINER_OF(task, struct source_live, empty);
    bool has_failed = self->failure.status != STATUS_OK;
    // Before the store is open nothing is known of the end.
    if (!self->wants_block || self->is_working || (!self->is_open && !has_failed)) return;
    self->block = (struct source_block){.from = self->offset, .to = self->offset};
    self->block.at_end = self->feed->has_ended && feed_pending(self->feed).size == 0 &&
                         self->offset >= source_live_stored(self);
    self->status = self->block.at_end ? self->feed->status : STATUS_OK;
    self->error = self->feed->error;
    if (has_failed) {
        self->error = self->failure;
        self->status = self->failure.status;
    }
    source_live_answer(self);
}

static void source_live_stop_waiting(struct source *source)
{
    struct source_live *self = source_live_of(source);
    if (self->wants_block && !self->is_working)
        env_task_post(source->env, &self->empty, source_live_empty);
}

// Gives a block as soon as there is one.
static void source_live_go_on(struct source_live *self)
{
    if (!self->wants_block || self->is_working) return;
    if (self->failure.status != STATUS_OK) {
        source_live_stop_waiting(&self->source);
        return;
    }
    if (!self->is_open) return;
    self->block = (struct source_block){.from = self->offset};
    if (self->offset < source_live_stored(self)) {
        source_live_start_work(self, true);
        return;
    }
    size_t size = source_live_whole_lines(self);
    if (size == 0) {
        if (self->feed->has_ended) source_live_stop_waiting(&self->source);
        return;
    }
    struct slice lines = slice_make(feed_pending(self->feed).data, size);
    uint64_t lines_max = self->source.wanted.lines, line_count;
    if (lines_max > 0) size = source_lines_size(lines, lines_max, &line_count);
    struct buffer *block = &self->blocks[self->turn];
    buffer_clear(block);
    buffer_put(block, lines.data, size);
    // What is stored ends with a line: the next worker's input begins another one.
    if (block->data[block->size - 1] != '\n') buffer_put_u8(block, '\n');
    self->block.too_long = self->too_long;
    self->too_long = 0;
    source_live_start_work(self, false);
    feed_take(self->feed, size);
}

static void source_live_arrived(void *context)
{
    source_live_go_on(context);
}

static void source_live_read(struct source *source)
{
    struct source_live *self = source_live_of(source);
    self->wants_block = true;
    source_live_go_on(self);
}

// ---- The store's events ------------------------------------------------------------------------

static void source_live_store_opened(void *context, uint64_t end)
{
    struct source_live *self = context;
    self->is_open = true;
    self->stored = end;
    source_live_go_on(self);
}

static void source_live_store_took(void *context)
{
    struct source_live *self = context;
    self->stored += self->blocks[self->turn].size;
    self->is_working = false;
    source_live_finish_block(self);
    source_live_answer(self);
}

static void source_live_store_read(void *context, struct slice bytes)
{
    struct source_live *self = context;
    struct buffer *block = &self->blocks[self->turn];
    uint64_t limit = self->source.wanted.limit, end = self->offset + bytes.size;
    buffer_clear(block);
    buffer_put(block, bytes.data, bytes.size);
    ASSERT(!block->overflow);
    const uint8_t *newline = memrchr(block->data, '\n', block->size);
    // Blocks were stored as whole lines, so all that is left is one at least.
    if (end != limit && newline != NULL) {
        buffer_truncate(block, (size_t)(newline + 1 - block->data));
    } else if (end != limit && end < self->stored) {
        self->stored_target *= 2;
        source_live_read_store(self);
        return;
    }
    self->is_working = false;
    source_live_finish_block(self);
    source_live_answer(self);
}

static void source_live_store_failed(void *context, const struct error *error)
{
    struct source_live *self = context;
    self->failure = *error;
    self->is_working = false;
    source_live_stop_waiting(&self->source);
}

static enum status source_live_attach(struct source *source, struct uuid job, uint64_t from,
                                      uint64_t recorded, struct error *error)
{
    static const struct feed_events events = {source_live_arrived};
    static const struct source_store_events store_events = {
        source_live_store_opened, source_live_store_took, source_live_store_read,
        source_live_store_failed};
    struct source_live *self = source_live_of(source);
    self->offset = from;
    self->is_open = source->store == NULL;
    if (source->store == NULL) {
        enum status status =
            intake_open(source->env, self->directory, job, from, recorded, &self->intake, error);
        if (status != STATUS_OK) return status;
    }
    enum status status = feed_open(source->env, self->location, &events, self, &self->feed, error);
    if (status == STATUS_OK && source->store != NULL)
        source->store->open(source->store, from, &store_events, self);
    return status;
}

static void source_live_done(struct source *source, uint64_t offset)
{
    // Between two blocks of the thread's work, and only whole segments behind them.
    struct source_live *self = source_live_of(source);
    if (self->intake == NULL)
        source->store->done(source->store, offset);
    else if (!self->is_working)
        intake_forget(self->intake, offset);
}

static void source_live_finished(struct source *source)
{
    // A store's members see by the log that the job has ended.
    struct intake *intake = source_live_of(source)->intake;
    if (intake != NULL) intake_forget(intake, UINT64_MAX);
}

static void source_live_destroy(struct source *source)
{
    struct source_live *self = source_live_of(source);
    env_task_cancel(source->env, &self->empty);
    feed_destroy(self->feed);
    intake_close(self->intake);
    buffer_deinit(&self->blocks[0]);
    buffer_deinit(&self->blocks[1]);
    free(self->location);
    free(self->directory);
    free(self);
}

enum status source_live_open(struct env *env, const char *location, const char *spool_directory,
                             struct source **source, struct error *error)
{
    static const struct source_ops ops = {source_live_read,     source_live_stop_waiting,
                                          source_live_attach,   source_live_done,
                                          source_live_finished, source_live_destroy};
    if (spool_directory == NULL)
        return error_set(error, STATUS_INVALID, "%s needs a spool directory", location);
    struct source_live *self = calloc(1, sizeof *self);
    ASSERT(self != NULL);
    self->source = (struct source){.ops = &ops, .env = env, .is_live = true};
    self->source.identity = checksum_xxh3(slice_of_text(location), 0);
    self->location = strdup(location);
    self->directory = strdup(spool_directory);
    ASSERT(self->location != NULL && self->directory != NULL);
    for (int i = 0; i < 2; i++)
        buffer_init(&self->blocks[i], FEED_PENDING_MAX + 8 * (size_t)MIB);
    *source = &self->source;
    return STATUS_OK;
}
