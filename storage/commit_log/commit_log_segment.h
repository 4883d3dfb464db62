// A file of the commit log and the tables whose records are in it.
//
//     new -> (created, or renamed from a clean one) -> written -> full -> clean -> recycled
//                                                                           \-> removed
//
// The loop owns it, except for what stands under "the log thread's" while a write is under way.
#ifndef STORAGE_COMMIT_LOG_SEGMENT_H
#define STORAGE_COMMIT_LOG_SEGMENT_H

#include "base/env.h"
#include "storage/schema/schema.h"

struct commit_log_dirt {
    struct uuid table;
    uint64_t position; // Of the table's newest record in the segment; 0: a free place.
};

struct commit_log_segment {
    struct commit_log_segment *next;
    uint64_t id;
    uint64_t size; // Bytes used by records.
    uint64_t capacity;
    uint64_t last_position;       // Of its newest record, or the one before its first.
    bool is_archived;             // Its command has ended well; see commit_log_archive.h.
    struct commit_log_dirt *dirt; // A hash table.
    size_t dirt_count, dirt_capacity;
    // The log thread's:
    struct env_file *file;
    uint64_t file_size;  // Bytes that the file has; more are added as they are needed.
    uint64_t on_disk_id; // The id in the file's name; 0: there is no file yet.
};

struct commit_log_segment *commit_log_segment_create(uint64_t id, uint64_t capacity);
void commit_log_segment_destroy(struct commit_log_segment *segment);
// Makes a clean segment one of another id, whose file takes the name when it is next written.
void commit_log_segment_renew(struct commit_log_segment *segment, uint64_t id);

// The table has a record at this position in the segment.
void commit_log_segment_note(struct commit_log_segment *segment, struct uuid table,
                             uint64_t position);
// Records of the table up to `position` are needed no more.
void commit_log_segment_forget(struct commit_log_segment *segment, struct uuid table,
                               uint64_t position);
// Some table of a segment that is not clean.
struct uuid commit_log_segment_any_table(const struct commit_log_segment *segment);

// ---- Files: any thread -------------------------------------------------------------------------

enum { COMMIT_LOG_PATH_MAX = 4096 };
void commit_log_segment_path(const char *directory, uint64_t id, char path[COMMIT_LOG_PATH_MAX]);
// The id in a file's name; false for other names.
bool commit_log_segment_parse_name(const char *name, uint64_t *id);
// Writes at the end of what was written before. The file is made (or renamed) at the first time;
// `*directory_changed` is then set.
MUST_USE enum status commit_log_segment_write(struct env *env, const char *directory,
                                              struct commit_log_segment *segment, uint64_t offset,
                                              struct slice bytes, bool *directory_changed,
                                              struct error *error);
void commit_log_segment_close(struct commit_log_segment *segment);
// Removes the file.
MUST_USE enum status commit_log_segment_remove(struct env *env, const char *directory,
                                               struct commit_log_segment *segment,
                                               struct error *error);

#endif
