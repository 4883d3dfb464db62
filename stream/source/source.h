// Where a job's lines come from: blocks of whole lines at byte offsets.
//
//     file      offsets of its bytes; of a .gz those of the unpacked ones
//     live      standard input ("-") or the body of an HTTP answer ("http://…"), which nobody can
//               read twice: each block is in the intake (intake.h) or on members of a ring
//               (source_store.h), synced, before it is handed out, and the offsets are theirs
//
// So the bytes of a recorded batch are there to be read again (exactly-once.md, rule 3). Reading,
// unpacking and syncing run on threads; the callbacks come on the loop. Two blocks are alive at a
// time: one is worked on while the next is read.
#ifndef STREAM_SOURCE_H
#define STREAM_SOURCE_H

#include "base/env.h"
#include "base/limits.h"
#include "storage/uuid.h"
#include "stream/source/source_store.h"

// Bytes of the largest block, unless one line is longer.
#define SOURCE_BLOCK_SIZE (2 * (size_t)MIB)

struct source_block {
    struct slice lines;  // Whole lines. Valid until the read after the next begins.
    uint64_t from, to;   // Lines that were too long are skipped: then `to` is further.
    uint64_t too_long;   // How many.
    uint64_t line_count; // Of `lines`, if the reader wanted a number of them; else 0.
    bool at_end;         // Nothing follows.
};

// What the next block shall be like.
struct source_wanted {
    uint64_t limit; // The offset at which it ends at the latest.
    size_t size;    // Bytes at most, unless one line is longer: 1 … SOURCE_BLOCK_SIZE.
    uint64_t lines; // At most; 0: any number.
};

struct source;

struct source_ops {
    void (*read)(struct source *source);
    void (*stop_waiting)(struct source *source);
    enum status (*attach)(struct source *source, struct uuid job, uint64_t from, uint64_t recorded,
                          struct error *error);
    void (*done)(struct source *source, uint64_t offset);
    void (*finished)(struct source *source);
    void (*destroy)(struct source *source);
};

// The head of each kind's struct.
struct source {
    const struct source_ops *ops;
    struct env *env;
    bool is_live;
    uint64_t identity; // Hash of what it is: the same after a restart.
    // Where a live one keeps what it read; NULL: in the spool's directory. To be set before
    // source_attach(); outlives the source.
    struct source_store *store;
    struct source_wanted wanted;
    void (*was_read)(void *context, enum status status, const struct error *error,
                     const struct source_block *block);
    void *context;
};

// Blocks for a look at the file's head. NOT_FOUND, IO, INVALID. `spool_directory` is for live ones.
MUST_USE enum status source_open(struct env *env, const char *location, const char *spool_directory,
                                 struct source **source, struct error *error);
// Before the first read: the next byte to read is `from`, none before it will be read again, and
// those before `recorded` were read before and are to be the same. Blocks.
static inline MUST_USE enum status source_attach(struct source *source, struct uuid job,
                                                 uint64_t from, uint64_t recorded,
                                                 struct error *error)
{
    return source->ops->attach(source, job, from, recorded, error);
}
// The next block. One read at a time; `was_read` comes in a later turn, for a live source when
// there is at least a line, or nothing more.
void source_read(struct source *source, const struct source_wanted *wanted,
                 void (*was_read)(void *context, enum status status, const struct error *error,
                                  const struct source_block *block),
                 void *context);
// A live source that waits for lines answers with an empty block at once.
static inline void source_stop_waiting(struct source *source)
{
    source->ops->stop_waiting(source);
}
// Bytes before `offset` are not needed any more.
static inline void source_done(struct source *source, uint64_t offset)
{
    source->ops->done(source, offset);
}
// The job has ended: nothing will be read again.
static inline void source_finished(struct source *source)
{
    source->ops->finished(source);
}
// No read is under way, and no thread works for it.
void source_destroy(struct source *source);

// How many bytes the first lines are, `lines_max` at most; the last one may lack its newline.
size_t source_lines_size(struct slice bytes, uint64_t lines_max, uint64_t *line_count);

// ---- The kinds ----------------------------------------------------------------------------------
MUST_USE enum status source_file_open(struct env *env, const char *path, struct source **source,
                                      struct error *error);
MUST_USE enum status source_live_open(struct env *env, const char *location,
                                      const char *spool_directory, struct source **source,
                                      struct error *error);

#endif
