#include "storage/commit_log/commit_log_replay.h"

#include "base/assert.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "storage/commit_log/commit_log_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// Damage that is not to be met again: a gap record is written over it.
struct repair {
    struct commit_log_segment *segment;
    uint64_t offset, size; // Size 0: the file ends there.
    uint64_t position;     // The last one that is lost.
};

struct replay {
    struct env *env;
    const char *directory;
    commit_log_replayer *replay;
    void *context;
    struct error *error;
    uint8_t *bytes; // Those of one segment; malloc
    size_t bytes_size;
    struct commit_log_segment *segments, **segments_end;
    uint64_t last_position;
    bool has_position; // A record has been seen.
    uint64_t proven;   // Records up to here had been synced, as later ones tell.
    // Where the log ends although something follows, once such a place was found.
    bool is_cut;
    uint64_t cut_id, cut_offset;
    uint64_t cut_next; // The position of the first whole record behind it.
    // Of a replay that goes on without what is damaged.
    bool skips_damage;
    struct commit_log_loss loss;
    struct repair *repairs;
    size_t repair_count, repair_capacity;
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

// Into memory that is the same for all of them: fresh memory is dear.
static enum status read_file(struct replay *replay, struct env_file *file, uint64_t size)
{
    if (size > COMMIT_LOG_SEGMENT_SIZE + MUTATION_SIZE_MAX)
        return error_set(replay->error, STATUS_CORRUPT, "commit log: a segment of impossible size");
    if (replay->bytes == NULL || size > replay->bytes_size) {
        free(replay->bytes);
        replay->bytes_size = size == 0 ? 1 : (size_t)size;
        replay->bytes = malloc(replay->bytes_size);
        ASSERT(replay->bytes != NULL);
    }
    size_t read_size = 0;
    enum status status =
        env_file_read(file, 0, replay->bytes, (size_t)size, &read_size, replay->error);
    if (status == STATUS_OK && read_size != size)
        status =
            error_set(replay->error, STATUS_IO, "commit log: a segment ended while it was read");
    return status;
}

// `next`: the position of the next record that is whole.
static enum status corrupt(const struct replay *replay, uint64_t id, uint64_t offset, uint64_t next)
{
    char path[COMMIT_LOG_PATH_MAX];
    commit_log_segment_path(replay->directory, id, path);
    return error_set(replay->error, STATUS_CORRUPT,
                     "%s: offset %" PRIu64 ": damaged: changes %" PRIu64 " to %" PRIu64
                     " had been synced and cannot be read (other replicas may have them); to start "
                     "without them, set ignore_replay_errors to true",
                     path, offset, replay->last_position + 1, next - 1);
}

// The replayer's error, with the place of the record.
static void tell_place(const struct replay *replay, uint64_t id, uint64_t offset)
{
    char path[COMMIT_LOG_PATH_MAX];
    commit_log_segment_path(replay->directory, id, path);
    const struct error why = *replay->error;
    (void)error_set(replay->error, STATUS_CORRUPT,
                    "%s: offset %" PRIu64 ": %s; to start without this change, set "
                    "ignore_replay_errors to true",
                    path, offset, why.text);
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
        if (replay->cut_next == 0)
            replay->cut_next = record.position + (record.kind == COMMIT_LOG_MARK);
        if (record.synced > replay->last_position)
            return corrupt(replay, bad_id, bad_offset, replay->cut_next);
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
        replay->last_position =
            record->kind == COMMIT_LOG_RECORD ? record->position - 1 : record->position;
    }
    switch (record->kind) {
    case COMMIT_LOG_RECORD:
        return record->position == replay->last_position + 1;
    case COMMIT_LOG_MARK:
        return record->position == replay->last_position;
    case COMMIT_LOG_GAP:
        return record->position >= replay->last_position;
    }
    return false;
}

// ---- Going on without what is damaged ----------------------------------------------------------

// Everything up to `position` behind the last one is lost, in these bytes of the segment.
static void lose(struct replay *replay, struct commit_log_segment *segment, uint64_t offset,
                 uint64_t size, uint64_t position)
{
    if (replay->repair_count == replay->repair_capacity) {
        replay->repair_capacity = replay->repair_capacity == 0 ? 8 : 2 * replay->repair_capacity;
        replay->repairs =
            realloc(replay->repairs, replay->repair_capacity * sizeof *replay->repairs);
        ASSERT(replay->repairs != NULL);
    }
    replay->repairs[replay->repair_count++] = (struct repair){segment, offset, size, position};
    struct commit_log_loss *loss = &replay->loss;
    if (loss->place_count++ == 0) {
        loss->first_segment_id = segment->id;
        loss->first_offset = offset;
    }
    loss->change_count += position - replay->last_position;
    replay->last_position = position;
}

static struct commit_log_segment *last_segment(const struct replay *replay)
{
    struct commit_log_segment *segment = replay->segments;
    while (segment != NULL && segment->next != NULL)
        segment = segment->next;
    return segment;
}

// Behind the end of the last segment before this one: what stood there is not there any more.
static void lose_behind(struct replay *replay, uint64_t position)
{
    struct commit_log_segment *before = last_segment(replay);
    lose(replay, before, before->size, COMMIT_LOG_HEADER_SIZE, position);
    before->size += COMMIT_LOG_HEADER_SIZE;
}

// From damage at `*offset` to the next whole record whose turn may still come; false: there is none
// in this segment.
static bool skip_damage(struct replay *replay, struct slice bytes,
                        struct commit_log_segment *segment, uint64_t *offset)
{
    struct commit_log_record record;
    bool any = false;
    for (uint64_t at = *offset; at + COMMIT_LOG_HEADER_SIZE <= bytes.size;
         at += COMMIT_LOG_ALIGNMENT) {
        if (!commit_log_format_get(bytes, segment->id, at, &record)) continue;
        uint64_t before = record.position - (record.kind == COMMIT_LOG_RECORD);
        any = true;
        if (replay->has_position && before < replay->last_position) continue;
        if (!replay->has_position) {
            replay->has_position = true;
            replay->last_position = before;
        }
        if (at == 0 && last_segment(replay) != NULL) {
            lose_behind(replay, before);
            return true;
        }
        // Too little room for a gap: then this record goes with it.
        if (at - *offset < COMMIT_LOG_HEADER_SIZE) continue;
        lose(replay, segment, *offset, at - *offset,
             record.kind == COMMIT_LOG_GAP ? replay->last_position : before);
        *offset = at;
        return true;
    }
    // Records that are out of all order would be met again.
    if (any) lose(replay, segment, *offset, 0, replay->last_position);
    return false;
}

static enum status write_gap(const struct replay *replay, const struct repair *repair,
                             struct env_file *file)
{
    size_t size = (size_t)repair->size, read_size = 0;
    uint8_t *bytes = calloc(1, size);
    ASSERT(bytes != NULL);
    enum status status =
        env_file_read(file, repair->offset, bytes, size, &read_size, replay->error);
    struct slice damaged =
        slice_make(bytes + COMMIT_LOG_HEADER_SIZE, size - COMMIT_LOG_HEADER_SIZE);
    commit_log_format_put(bytes, repair->segment->id, repair->offset, repair->position,
                          repair->position, COMMIT_LOG_GAP, damaged);
    if (status == STATUS_OK)
        status = env_file_write(file, repair->offset, bytes, size, replay->error);
    if (status == STATUS_OK) status = env_file_sync(file, replay->error);
    free(bytes);
    return status;
}

// Only once all segments were read: a replay that fails has changed nothing.
static enum status write_repairs(const struct replay *replay)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < replay->repair_count && status == STATUS_OK; i++) {
        const struct repair *repair = &replay->repairs[i];
        char path[COMMIT_LOG_PATH_MAX];
        commit_log_segment_path(replay->directory, repair->segment->id, path);
        struct env_file *file;
        status =
            env_file_open(replay->env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, replay->error);
        if (status != STATUS_OK) break;
        if (repair->size > 0) {
            status = write_gap(replay, repair, file);
        } else {
            status = env_file_truncate(file, repair->offset, replay->error);
            if (status == STATUS_OK) status = env_file_sync(file, replay->error);
        }
        env_file_close(file);
        env_mark(replay->env, ENV_MARK_LOG_DAMAGE_SKIPPED);
    }
    return status;
}

// ---- Records -----------------------------------------------------------------------------------

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
    while (!replay->is_cut) {
        if (!commit_log_format_get(bytes, segment->id, offset, &record) ||
            !is_next(replay, &record)) {
            if (!replay->skips_damage || !skip_damage(replay, bytes, segment, &offset)) break;
            continue;
        }
        if (record.synced > replay->proven) replay->proven = record.synced;
        offset += record.size;
        if (record.kind != COMMIT_LOG_RECORD) {
            replay->last_position = record.position;
            continue;
        }
        status = replay->replay(replay->context, record.position, record.bytes, replay->error);
        if (status == STATUS_CORRUPT && replay->skips_damage) {
            lose(replay, segment, offset - record.size, record.size, record.position);
            status = STATUS_OK;
            continue;
        }
        if (status == STATUS_CORRUPT) tell_place(replay, segment->id, offset - record.size);
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
    if (replay->skips_damage) return STATUS_OK; // Nothing behind it is of use.
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
// will never write: so what nobody proves to be durable is written again first.
static enum status settle_file(struct replay *replay, struct commit_log_segment *segment,
                               struct slice unproven, struct env_file *file)
{
    if (unproven.size > 0) {
        enum status status = env_file_write(file, segment->size - unproven.size, unproven.data,
                                            unproven.size, replay->error);
        if (status != STATUS_OK) return status;
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
    bool was_cut = replay->is_cut;
    status = env_file_size(file, &segment->file_size, replay->error);
    if (status == STATUS_OK) status = read_file(replay, file, segment->file_size);
    const uint8_t *bytes = replay->bytes;
    uint64_t unproven = 0;
    if (status == STATUS_OK)
        status = replay_records(replay, slice_make(bytes, (size_t)segment->file_size), segment,
                                &unproven);
    if (status == STATUS_OK && !was_cut)
        status =
            settle_file(replay, segment,
                        slice_make(bytes + unproven, (size_t)(segment->size - unproven)), file);
    env_file_close(file);
    if (status == STATUS_OK) {
        *replay->segments_end = segment;
        replay->segments_end = &segment->next;
    } else {
        commit_log_segment_destroy(segment);
    }
    return status;
}

// ---- All of them -------------------------------------------------------------------------------

// What follows the cut in its segment goes for good, lest it be taken for valid later. Only once
// all segments were read: one of them might have told that it is damage and not the end.
static enum status cut_tail(struct replay *replay)
{
    struct commit_log_segment *segment = replay->segments;
    while (segment != NULL && segment->id != replay->cut_id)
        segment = segment->next;
    char path[COMMIT_LOG_PATH_MAX];
    commit_log_segment_path(replay->directory, replay->cut_id, path);
    struct env_file *file;
    enum status status =
        env_file_open(replay->env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, replay->error);
    if (status != STATUS_OK) return status;
    env_mark(replay->env, ENV_MARK_LOG_TAIL_CUT);
    status = env_file_truncate(file, replay->cut_offset, replay->error);
    if (status == STATUS_OK) status = env_file_sync(file, replay->error);
    env_file_close(file);
    if (segment != NULL) segment->file_size = replay->cut_offset;
    return status;
}

// A segment without a record may be the new name of a file that has its old one too, when a crash
// cut a renaming in two. Used again, it would be written over the other's records.
static enum status remove_empty(struct replay *replay)
{
    struct commit_log_segment **place = &replay->segments;
    while (*place != NULL) {
        struct commit_log_segment *segment = *place;
        if (segment->size > 0 || (replay->is_cut && segment->id >= replay->cut_id)) {
            place = &segment->next;
            continue;
        }
        enum status status =
            commit_log_segment_remove(replay->env, replay->directory, segment, replay->error);
        if (status != STATUS_OK) return status;
        *place = segment->next;
        commit_log_segment_destroy(segment);
    }
    replay->segments_end = place;
    return STATUS_OK;
}

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
        enum status status = cut_tail(replay);
        if (status == STATUS_OK) status = remove_behind_cut(replay);
        if (status != STATUS_OK) return status;
    }
    if (replay->skips_damage && replay->segments != NULL && replay->last_position < position_min)
        lose_behind(replay, position_min);
    enum status status = write_repairs(replay);
    if (status == STATUS_OK) status = remove_empty(replay);
    if (status != STATUS_OK) return status;
    if (replay->has_position && replay->last_position < position_min)
        return error_set(replay->error, STATUS_CORRUPT,
                         "%s: ends at change %" PRIu64 ", but tables have data up to %" PRIu64
                         "; to start without what is missing, set ignore_replay_errors to true",
                         replay->directory, replay->last_position, position_min);
    // A name may be no more durable than the bytes were.
    return list->count == 0 ? STATUS_OK
                            : env_sync_dir(replay->env, replay->directory, replay->error);
}

enum status commit_log_replay(struct env *env, const struct commit_log_options *options,
                              commit_log_replayer *replay_record, void *context,
                              struct commit_log_replayed *replayed, struct error *error)
{
    struct replay replay = {.env = env,
                            .directory = options->directory,
                            .replay = replay_record,
                            .context = context,
                            .error = error,
                            .skips_damage = options->skips_damage};
    replay.segments_end = &replay.segments;
    struct id_list list = {0};
    enum status status = env_list_dir(env, options->directory, add_name, &list, error);
    if (status == STATUS_OK && list.count > 0)
        qsort(list.ids, list.count, sizeof list.ids[0], compare_ids);
    if (status == STATUS_OK) status = replay_all(&replay, &list, options->position_min);
    if (status == STATUS_OK) {
        *replayed = (struct commit_log_replayed){
            .segments = replay.segments,
            .last_position = replay.has_position ? replay.last_position : options->position_min,
            .last_segment_id = list.count == 0 ? 0 : list.ids[list.count - 1],
            .loss = replay.loss,
        };
    } else {
        destroy_segments(replay.segments);
    }
    free(replay.bytes);
    free(replay.repairs);
    free(list.ids);
    return status;
}
