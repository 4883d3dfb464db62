// A file of lines, packed by gzip or not. The offload job reads and unpacks one block.
//
// `rest` holds what was read behind the block's last newline: the next block begins with it.
#include "base/assert.h"
#include "base/buffer.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "stream/source/source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    SOURCE_FILE_INPUT_SIZE = 256 * 1024,
    SOURCE_FILE_HEAD_SIZE = 64 * 1024,
    SOURCE_FILE_LINE_SIZE = 1024, // A guess, until lines were seen.
};

struct source_file {
    struct source source;
    struct env_file *file;
    char *path;
    bool is_packed, stream_is_open, packed_ended;
    z_stream stream;
    uint8_t *input;       // Packed bytes.
    uint64_t file_offset; // Of what is read next from the file.
    uint64_t offset;      // Of the first byte of `rest`, in unpacked bytes.
    struct buffer rest;
    struct buffer blocks[2]; // Turn by turn.
    int turn;
    bool at_end;      // Of the file; `rest` may still hold bytes.
    bool is_skipping; // Inside of a line that is too long.
    struct env_job job;
    size_t line_size; // Of the last lines that were counted, about.
    enum status status;
    struct error error;
    struct source_block block;
};

static struct source_file *source_file_of(struct source *source)
{
    return CONTAINER_OF(source, struct source_file, source);
}

// ---- Bytes -------------------------------------------------------------------------------------

static enum status source_file_restart(struct source_file *self)
{
    self->file_offset = self->offset = 0;
    self->at_end = self->packed_ended = self->is_skipping = false;
    buffer_clear(&self->rest);
    if (!self->is_packed) return STATUS_OK;
    if (self->stream_is_open) (void)inflateEnd(&self->stream);
    self->stream = (z_stream){.next_in = self->input};
    self->stream_is_open = inflateInit2(&self->stream, 15 + 16) == Z_OK;
    return self->stream_is_open ? STATUS_OK
                                : error_set(&self->error, STATUS_OVERLOADED, "no memory for zlib");
}

static enum status source_file_read_input(struct source_file *self)
{
    size_t size;
    enum status status = env_file_read(self->file, self->file_offset, self->input,
                                       SOURCE_FILE_INPUT_SIZE, &size, &self->error);
    if (status != STATUS_OK) return status;
    self->file_offset += size;
    self->stream.next_in = self->input;
    self->stream.avail_in = (uInt)size;
    return STATUS_OK;
}

// The next member of a .gz begins here, or the packed data ends.
static void source_file_end_member(struct source_file *self)
{
    if (self->stream.avail_in > 0 && *self->stream.next_in == 0x1f)
        (void)inflateReset(&self->stream);
    else
        self->at_end = true;
}

static enum status source_file_unpack(struct source_file *self, uint8_t *to, size_t size,
                                      size_t *taken)
{
    *taken = 0;
    while (*taken == 0 && !self->at_end) {
        if (self->stream.avail_in == 0) {
            enum status status = source_file_read_input(self);
            if (status != STATUS_OK) return status;
            if (self->stream.avail_in == 0 && self->packed_ended) {
                self->at_end = true;
                break;
            }
            if (self->stream.avail_in == 0)
                return error_set(&self->error, STATUS_CORRUPT, "%s: the packed data ends too soon",
                                 self->path);
        }
        if (self->packed_ended) {
            self->packed_ended = false;
            source_file_end_member(self);
            continue;
        }
        self->stream.next_out = to;
        self->stream.avail_out = (uInt)size;
        int result = inflate(&self->stream, Z_NO_FLUSH);
        *taken = size - self->stream.avail_out;
        if (result == Z_STREAM_END)
            self->packed_ended = true;
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return error_set(&self->error, STATUS_CORRUPT,
                             "%s: packed data damaged near byte %" PRIu64, self->path,
                             self->file_offset - self->stream.avail_in);
    }
    return STATUS_OK;
}

// Some bytes, or none at the end.
static enum status source_file_more(struct source_file *self, uint8_t *to, size_t size,
                                    size_t *taken)
{
    if (self->is_packed) return source_file_unpack(self, to, size, taken);
    enum status status =
        env_file_read(self->file, self->file_offset, to, size, taken, &self->error);
    if (status != STATUS_OK) return status;
    self->file_offset += *taken;
    if (*taken < size) self->at_end = true;
    return STATUS_OK;
}

// ---- Blocks ------------------------------------------------------------------------------------

// Fills the block up to `size` bytes, or to the end of the file.
static enum status source_file_fill(struct source_file *self, struct buffer *block, size_t size)
{
    while (block->size < size && !self->at_end) {
        size_t before = block->size, wanted = size - before, taken;
        uint8_t *to = buffer_reserve(block, wanted);
        ASSERT(to != NULL);
        enum status status = source_file_more(self, to, wanted, &taken);
        buffer_truncate(block, before + (status == STATUS_OK ? taken : 0));
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static const uint8_t *source_file_last_newline(struct slice bytes)
{
    return bytes.size == 0 ? NULL : memrchr(bytes.data, '\n', bytes.size);
}

// Drops the front of the block that belongs to a line that is too long. True: its end is here.
static bool source_file_skip(struct source_file *self, struct buffer *block)
{
    const uint8_t *newline = block->size == 0 ? NULL : memchr(block->data, '\n', block->size);
    size_t size = newline == NULL ? block->size : (size_t)(newline + 1 - block->data);
    self->offset += size;
    buffer_consume(block, size);
    self->is_skipping = newline == NULL && !(self->at_end && block->size == 0);
    return newline != NULL;
}

// How much to read for a start: what the wanted lines may be, going by those before them.
static size_t source_file_first_target(const struct source_file *self)
{
    const struct source_wanted *wanted = &self->source.wanted;
    if (wanted->lines == 0 || wanted->lines > wanted->size / self->line_size) return wanted->size;
    size_t target = (size_t)wanted->lines * (self->line_size + self->line_size / 8) + KIB;
    return target < wanted->size ? target : wanted->size;
}

// Whole lines at the block's front, within `window` bytes. False: more bytes are wanted first.
static bool source_file_cut(struct source_file *self, struct slice window, bool is_last,
                            bool may_grow, size_t *size)
{
    // More than was wanted is for a line that is longer alone.
    const uint8_t *newline = window.size > self->source.wanted.size
                                 ? memchr(window.data, '\n', window.size)
                                 : source_file_last_newline(window);
    if (newline != NULL && window.size > self->source.wanted.size) is_last = false;
    *size = is_last ? window.size : newline == NULL ? 0 : (size_t)(newline + 1 - window.data);
    if (*size == 0 && !is_last) return false;
    uint64_t lines = self->source.wanted.lines;
    if (lines == 0) return true;
    *size = source_lines_size(slice_make(window.data, *size), lines, &self->block.line_count);
    if (self->block.line_count > 0) self->line_size = *size / self->block.line_count + 1;
    return self->block.line_count == lines || is_last || !may_grow;
}

// One block: whole lines from `offset`, as they are wanted.
static enum status source_file_take(struct source_file *self)
{
    struct buffer *block = &self->blocks[self->turn];
    self->block = (struct source_block){.from = self->offset};
    const struct source_wanted *wanted = &self->source.wanted;
    size_t target = source_file_first_target(self), size;
    for (;;) {
        uint64_t rest = wanted->limit - self->offset;
        bool reaches_limit = rest <= target;
        size_t window = reaches_limit ? (size_t)rest : target;
        enum status status = source_file_fill(self, block, window);
        if (status != STATUS_OK) return status;
        if (self->is_skipping) {
            (void)source_file_skip(self, block);
            target = source_file_first_target(self);
            if (self->is_skipping) continue;
            rest = wanted->limit - self->offset;
            reaches_limit = rest <= target;
            window = reaches_limit ? (size_t)rest : target;
        }
        bool has_all = self->at_end && block->size <= window;
        if (block->size < window) window = block->size;
        bool is_last = has_all || (reaches_limit && window == rest);
        bool may_grow = target < wanted->size;
        if (source_file_cut(self, slice_make(block->data, window), is_last, may_grow, &size)) break;
        if (target < STREAM_LINE_SIZE_MAX || may_grow) {
            target *= 2; // A long line, or lines that are longer than those before them.
        } else {
            self->block.too_long++;
            self->is_skipping = true;
        }
    }
    buffer_put(&self->rest, block->data + size, block->size - size);
    buffer_truncate(block, size);
    self->offset += size;
    self->block.lines = buffer_slice(block);
    self->block.to = self->offset;
    self->block.at_end = self->at_end && self->rest.size == 0;
    return STATUS_OK;
}

static void source_file_work(struct env_job *job)
{
    struct source_file *self = CONTAINER_OF(job, struct source_file, job);
    struct buffer *block = &self->blocks[self->turn];
    buffer_clear(block);
    buffer_put(block, self->rest.data, self->rest.size);
    buffer_clear(&self->rest);
    self->status = source_file_take(self);
    self->turn = 1 - self->turn;
}

static void source_file_worked(struct env_job *job)
{
    struct source_file *self = CONTAINER_OF(job, struct source_file, job);
    self->source.was_read(self->source.context, self->status, &self->error, &self->block);
}

static void source_file_read(struct source *source)
{
    struct source_file *self = source_file_of(source);
    env_offload(source->env, &self->job, ENV_LANE_READ, source_file_work, source_file_worked);
}

// ---- Opening -----------------------------------------------------------------------------------

// Goes to an offset: straight in a plain file, by unpacking all before it in a packed one.
static enum status source_file_attach(struct source *source, struct uuid job, uint64_t from,
                                      uint64_t recorded, struct error *error)
{
    struct source_file *self = source_file_of(source);
    (void)job;
    (void)recorded;
    enum status status = source_file_restart(self);
    if (!self->is_packed) {
        self->offset = self->file_offset = from;
        return status;
    }
    struct buffer *block = &self->blocks[0];
    while (status == STATUS_OK && self->offset < from) {
        uint64_t rest = from - self->offset;
        buffer_clear(block);
        status = source_file_fill(self, block,
                                  rest < SOURCE_BLOCK_SIZE ? (size_t)rest : SOURCE_BLOCK_SIZE);
        self->offset += block->size;
        if (status == STATUS_OK && self->at_end && self->offset < from)
            status = error_set(&self->error, STATUS_INVALID,
                               "%s: shorter than what the job has read of it", self->path);
    }
    if (status != STATUS_OK) *error = self->error;
    return status;
}

static void source_file_nothing(struct source *source)
{
    (void)source;
}

static void source_file_done(struct source *source, uint64_t offset)
{
    (void)source;
    (void)offset;
}

static void source_file_destroy(struct source *source)
{
    struct source_file *self = source_file_of(source);
    if (self->stream_is_open) (void)inflateEnd(&self->stream);
    if (self->file != NULL) env_file_close(self->file);
    buffer_deinit(&self->rest);
    buffer_deinit(&self->blocks[0]);
    buffer_deinit(&self->blocks[1]);
    free(self->input);
    free(self->path);
    free(self);
}

// What the file is: its name, its size and its first bytes.
static enum status source_file_identify(struct source_file *self, struct error *error)
{
    uint64_t file_size;
    size_t size;
    enum status status = env_file_size(self->file, &file_size, error);
    if (status == STATUS_OK)
        status = env_file_read(self->file, 0, self->input, SOURCE_FILE_HEAD_SIZE, &size, error);
    if (status != STATUS_OK) return status;
    self->is_packed = size >= 2 && self->input[0] == 0x1f && self->input[1] == 0x8b;
    uint64_t hash = checksum_xxh3(slice_of_text(self->path), file_size);
    self->source.identity = checksum_xxh3(slice_make(self->input, size), hash);
    return STATUS_OK;
}

enum status source_file_open(struct env *env, const char *path, struct source **source,
                             struct error *error)
{
    static const struct source_ops ops = {source_file_read,    source_file_nothing,
                                          source_file_attach,  source_file_done,
                                          source_file_nothing, source_file_destroy};
    struct source_file *self = calloc(1, sizeof *self);
    ASSERT(self != NULL);
    self->source = (struct source){.ops = &ops, .env = env};
    self->path = strdup(path);
    self->line_size = SOURCE_FILE_LINE_SIZE;
    self->input = malloc(SOURCE_FILE_INPUT_SIZE);
    ASSERT(self->path != NULL && self->input != NULL);
    // A block and what was read too much of it: two of the longest line at most.
    for (int i = 0; i < 2; i++)
        buffer_init(&self->blocks[i], 4 * (size_t)STREAM_LINE_SIZE_MAX);
    buffer_init(&self->rest, 4 * (size_t)STREAM_LINE_SIZE_MAX);
    bool exists = false, is_dir = false;
    enum status status = env_path_exists(env, path, &exists, &is_dir, error);
    if (status == STATUS_OK && is_dir)
        status = error_set(error, STATUS_INVALID, "%s is a directory", path);
    if (status == STATUS_OK) status = env_file_open(env, path, ENV_OPEN_READ, &self->file, error);
    if (status == STATUS_OK) status = source_file_identify(self, error);
    if (status == STATUS_OK)
        *source = &self->source;
    else
        source_file_destroy(&self->source);
    return status;
}
