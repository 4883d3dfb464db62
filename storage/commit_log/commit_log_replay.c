#include "storage/commit_log/commit_log_replay.h"

#include "base/assert.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "storage/commit_log/commit_log_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct replay {
    struct env *env;
    const char *directory;
    commit_log_replayer *replay;
    void *context;
    struct error *error;
    struct commit_log_segment *segments, **segments_end;
    uint64_t last_position;
    bool has_position; // A record has been seen.
    uint64_t proven;   // Records up to here had been synced, as later ones tell.
    // Where the log ends although something follows, once such a place was found.
    bool is_cut;
    uint64_t cut_id, cut_offset;
};

// ---- Which segments there are ------------------------------------------------------------------

struct id_list {
    uint64_t *ids;
    size_t count, capacity;
};

static void add_name(void *context, const char *name, bool is_dir)
{
    struct id_list *list = context;
    uint64_t id;
    if (is_dir || !commit_log_segment_parse_name(name, &id)) return;
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        list->ids = realloc(list->ids, list->capacity * sizeof *list->ids);
        ASSERT(list->ids != NULL);
    }
    list->ids[list->count++] = id;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

// ---- One segment -------------------------------------------------------------------------------

static enum status read_file(struct env_file *file, uint64_t size, uint8_t **bytes,
                             struct error *error)
{
    if (size > COMMIT_LOG_SEGMENT_SIZE + MUTATION_SIZE_MAX)
        return error_set(error, STATUS_CORRUPT, "commit log: a segment of impossible size");
    *bytes = malloc(size == 0 ? 1 : (size_t)size); // The caller frees it, whatever comes of it.
    ASSERT(*bytes != NULL);
    size_t read_size = 0;
    enum status status = env_file_read(file, 0, *bytes, (size_t)size, &read_size, error);
    if (status == STATUS_OK && read_size != size)
        status = error_set(error, STATUS_IO, "commit log: a segment ended while it was read");
    return status;
}

static enum status corrupt(const struct replay *replay, uint64_t id, uint64_t offset)
{
    char path[COMMIT_LOG_PATH_MAX];
    commit_log_segment_path(replay->directory, id, path);
    return error_set(replay->error, STATUS_CORRUPT,
                     "%s: offset %" PRIu64 ": damaged: the record of position %" PRIu64
                     " had been synced",
                     path, offset, replay->last_position + 1);
}

// The log ends at the place of the cut. Looks behind it for a proof that more had been synced;
// `*any` is set if there is any whole record.
static enum status look_behind(struct replay *replay, struct slice bytes, uint64_t id,
                               uint64_t offset, bool *any)
{
    struct commit_log_record record;
    uint64_t bad_id = replay->is_cut ? replay->cut_id : id;
    uint64_t bad_offset = replay->is_cut ? replay->cut_offset : offset;
    while (offset + COMMIT_LOG_HEADER_SIZE <= bytes.size) {
        uint64_t hash;
        memcpy(&hash, bytes.data + offset, sizeof hash);
        if (hash == 0 || !commit_log_format_get(bytes, id, offset, &record)) {
            offset += COMMIT_LOG_ALIGNMENT;
            continue;
        }
        // Without any record before, what is missing is what stood before this one.
        if (!replay->has_position) {
            replay->has_position = true;
            replay->last_position = record.position < 2 ? 0 : record.position - 2;
        }
        if (record.synced > replay->last_position) return corrupt(replay, bad_id, bad_offset);
        *any = true;
        offset += record.size;
    }
    return STATUS_OK;
}

// The next record is the one whose turn it is. The first segment tells where positions begin: those
// before it were flushed, and their segments freed.
static bool is_next(struct replay *replay, const struct commit_log_record *record)
{
    if (!replay->has_position) {
        replay->has_position = true;
        replay->last_position = record->is_mark ? record->position : record->position - 1;
    }
    return record->position == replay->last_position + (record->is_mark ? 0 : 1);
}

// Records of a segment that nothing proves to have been synced: those behind `proven`, the oldest
// first. One write's worth of them, so few.
struct unproven {
    uint64_t *offsets; // With the mark before the record, if it follows one.
    uint64_t first_position;
    size_t start, count, capacity;
};

static void unproven_add(struct unproven *unproven, uint64_t position, uint64_t offset,
                         uint64_t proven)
{
    if (unproven->start == unproven->count) {
        unproven->start = unproven->count = 0;
        unproven->first_position = position;
    }
    if (unproven->count == unproven->capacity) {
        unproven->capacity = unproven->capacity == 0 ? 64 : 2 * unproven->capacity;
        unproven->offsets =
            realloc(unproven->offsets, unproven->capacity * sizeof *unproven->offsets);
        ASSERT(unproven->offsets != NULL);
    }
    unproven->offsets[unproven->count++] = offset;
    for (; unproven->start < unproven->count && unproven->first_position <= proven;
         unproven->first_position++)
        unproven->start++;
}

static enum status replay_records(struct replay *replay, struct slice bytes,
                                  struct commit_log_segment *segment, uint64_t *unproven_offset)
{
    uint64_t offset = 0, start = 0;
    struct commit_log_record record;
    struct unproven unproven = {0};
    enum status status = STATUS_OK;
    while (!replay->is_cut && commit_log_format_get(bytes, segment->id, offset, &record)) {
        if (!is_next(replay, &record)) break;
        if (record.synced > replay->proven) replay->proven = record.synced;
        offset += record.size;
        if (record.is_mark) continue;
        status = replay->replay(replay->context, record.position, record.bytes, replay->error);
        if (status != STATUS_OK) break;
        replay->last_position = record.position;
        env_mark(replay->env, ENV_MARK_LOG_REPLAYED);
        unproven_add(&unproven, record.position, start, replay->proven);
        start = offset;
    }
    *unproven_offset = unproven.start < unproven.count ? unproven.offsets[unproven.start] : offset;
    free(unproven.offsets);
    if (status != STATUS_OK) return status;
    segment->size = offset;
    segment->last_position = replay->last_position;
    bool any = false;
    status = look_behind(replay, bytes, segment->id, offset, &any);
    if (status == STATUS_OK && any && !replay->is_cut) {
        replay->is_cut = true;
        replay->cut_id = segment->id;
        replay->cut_offset = offset;
    }
    return status;
}

// What was read may still be on its way to the disk, if it was the process that died: it counts
// only after a sync of our own. And if that process met a failed sync, the system may show what it
// will never write: so what nobody proves to be durable is written again first. What follows a cut
// goes for good, lest it be taken for valid later.
static enum status settle_file(struct replay *replay, struct commit_log_segment *segment,
                               struct slice unproven, bool cut_here, struct env_file *file)
{
    if (unproven.size > 0) {
        enum status status = env_file_write(file, segment->size - unproven.size, unproven.data,
                                            unproven.size, replay->error);
        if (status != STATUS_OK) return status;
    }
    if (cut_here) {
        env_mark(replay->env, ENV_MARK_LOG_TAIL_CUT);
        enum status status = env_file_truncate(file, segment->size, replay->error);
        if (status != STATUS_OK) return status;
        segment->file_size = segment->size;
    }
    return env_file_sync(file, replay->error);
}

static enum status replay_segment(struct replay *replay, uint64_t id)
{
    char path[COMMIT_LOG_PATH_MAX];
    commit_log_segment_path(replay->directory, id, path);
    struct env_file *file;
    enum status status =
        env_file_open(replay->env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, replay->error);
    if (status != STATUS_OK) return status;
    struct commit_log_segment *segment = commit_log_segment_create(id, COMMIT_LOG_SEGMENT_SIZE);
    segment->on_disk_id = id;
    uint8_t *bytes = NULL;
    bool was_cut = replay->is_cut;
    status = env_file_size(file, &segment->file_size, replay->error);
    if (status == STATUS_OK) status = read_file(file, segment->file_size, &bytes, replay->error);
    uint64_t unproven = 0;
    if (status == STATUS_OK)
        status = replay_records(replay, slice_make(bytes, (size_t)segment->file_size), segment,
                                &unproven);
    if (status == STATUS_OK && !was_cut)
        status = settle_file(replay, segment,
                             slice_make(bytes + unproven, (size_t)(segment->size - unproven)),
                             replay->is_cut, file);
    free(bytes);
    env_file_close(file);
    // A segment without a record may be the new name of a file that has its old one too, when a
    // crash cut a renaming in two. Used again, it would be written over the other's records.
    bool is_empty = status == STATUS_OK && segment->size == 0 && !replay->is_cut;
    if (is_empty) status = env_remove(replay->env, path, replay->error);
    if (status == STATUS_OK && !is_empty) {
        *replay->segments_end = segment;
        replay->segments_end = &segment->next;
    } else {
        commit_log_segment_destroy(segment);
    }
    return status;
}

// ---- All of them -------------------------------------------------------------------------------

// Removes the segments behind the cut. One that a crash brings back is cut off again: it follows
// the end of a log that was cut and synced. Before new records follow, the sync of the directory
// that ends the replay makes it final.
static enum status remove_behind_cut(struct replay *replay)
{
    for (;;) {
        struct commit_log_segment **place = &replay->segments;
        while (*place != NULL && (*place)->next != NULL)
            place = &(*place)->next;
        struct commit_log_segment *last = *place;
        if (last == NULL || last->id <= replay->cut_id) return STATUS_OK;
        enum status status =
            commit_log_segment_remove(replay->env, replay->directory, last, replay->error);
        if (status != STATUS_OK) return status;
        *place = NULL;
        commit_log_segment_destroy(last);
    }
}

static void destroy_segments(struct commit_log_segment *segment)
{
    while (segment != NULL) {
        struct commit_log_segment *next = segment->next;
        commit_log_segment_destroy(segment);
        segment = next;
    }
}

static enum status replay_all(struct replay *replay, const struct id_list *list,
                              uint64_t position_min)
{
    for (size_t i = 0; i < list->count; i++) {
        enum status status = replay_segment(replay, list->ids[i]);
        if (status != STATUS_OK) return status;
    }
    if (replay->is_cut) {
        enum status status = remove_behind_cut(replay);
        if (status != STATUS_OK) return status;
    }
    if (replay->has_position && replay->last_position < position_min)
        return error_set(replay->error, STATUS_CORRUPT,
                         "%s: ends at position %" PRIu64 ", but tables have data up to %" PRIu64,
                         replay->directory, replay->last_position, position_min);
    // A name may be no more durable than the bytes were.
    return list->count == 0 ? STATUS_OK
                            : env_sync_dir(replay->env, replay->directory, replay->error);
}

enum status commit_log_replay(struct env *env, const char *directory, uint64_t position_min,
                              commit_log_replayer *replay_record, void *context,
                              struct commit_log_replayed *replayed, struct error *error)
{
    struct replay replay = {.env = env,
                            .directory = directory,
                            .replay = replay_record,
                            .context = context,
                            .error = error};
    replay.segments_end = &replay.segments;
    struct id_list list = {0};
    enum status status = env_list_dir(env, directory, add_name, &list, error);
    if (status == STATUS_OK && list.count > 0)
        qsort(list.ids, list.count, sizeof list.ids[0], compare_ids);
    if (status == STATUS_OK) status = replay_all(&replay, &list, position_min);
    if (status == STATUS_OK) {
        *replayed = (struct commit_log_replayed){
            .segments = replay.segments,
            .last_position = replay.has_position ? replay.last_position : position_min,
            .last_segment_id = list.count == 0 ? 0 : list.ids[list.count - 1],
        };
    } else {
        destroy_segments(replay.segments);
    }
    free(list.ids);
    return status;
}
