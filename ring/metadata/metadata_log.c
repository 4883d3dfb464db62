#include "ring/metadata/metadata_log.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/cursor.h"
#include "base/env_marks.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define FILE_MAGIC UINT64_C(0x48454c4d45544131) // "HELMETA1"

enum {
    FILE_HEADER_SIZE = 28,
    RECORD_HEADER_SIZE = 28,
    PATH_SIZE = 4096,
    // A new file begins when the records take more than this, and more than the state itself.
    ROTATE_SIZE_MIN = 1 << 20,
    // Records of one write together, unless one alone is larger. What a buffer keeps of its memory.
    WRITE_SIZE_MAX = 16 << 20,
    BUFFER_KEPT_MAX = 1 << 20,
};

struct metadata_log {
    struct env *env;
    const struct metadata_log_events *events;
    void *context;
    char directory[PATH_SIZE];
    struct env_file *file;
    uint64_t file_base;    // Number of the state at the head of the file.
    uint64_t file_size;    // Where the next record goes.
    uint64_t records_from; // Where the first record stands.
    uint64_t applied;      // Number of the newest applied record.
    uint64_t assigned;     // Number of the newest record in `writing` or before.
    struct metadata_log_append *gathering, **gathering_end; // Come since the write began.
    struct metadata_log_append *in_flight;
    struct buffer writing; // Records under way, or the head of a new file.
    bool writes;           // The job runs; then the thread has `file` and `writing`.
    bool rotates;
    void (*drained)(void *context); // Whom metadata_log_drain() was called for, or NULL.
    void *drained_context;
    struct env_task drained_task;
    struct env_job job;
    enum status job_status;
    struct error job_error;
    enum status broken; // Not OK: a write failed, the log takes no more.
};

static uint64_t record_checksum(uint64_t number, uint64_t synced, struct slice record)
{
    // The seed makes a record of another place, or of an older life of the file, fail its check.
    uint64_t seed = number * UINT64_C(0x9E3779B97F4A7C15) ^ synced;
    return XXH3_64bits_withSeed(record.data, record.size, seed);
}

static void put_record(struct buffer *bytes, uint64_t number, uint64_t synced, struct slice record)
{
    buffer_put_u32(bytes, (uint32_t)record.size);
    buffer_put_u64(bytes, number);
    buffer_put_u64(bytes, synced);
    buffer_put_u64(bytes, record_checksum(number, synced, record));
    buffer_put(bytes, record.data, record.size);
}

// Takes one whole record with the right checksum, or fails and leaves the cursor where it was.
static bool take_record(struct cursor *cursor, uint64_t *number, uint64_t *synced,
                        struct slice *record)
{
    struct cursor at = *cursor;
    uint32_t size = cursor_u32(&at);
    *number = cursor_u64(&at);
    *synced = cursor_u64(&at);
    uint64_t checksum = cursor_u64(&at);
    *record = cursor_take(&at, size);
    if (at.failed || checksum != record_checksum(*number, *synced, *record)) return false;
    *cursor = at;
    return true;
}

static void put_file_head(struct buffer *bytes, uint64_t number, struct slice state)
{
    buffer_put_u64(bytes, FILE_MAGIC);
    buffer_put_u64(bytes, number);
    buffer_put_u64(bytes, XXH3_64bits_withSeed(state.data, state.size, number));
    buffer_put_u32(bytes, (uint32_t)state.size);
    buffer_put(bytes, state.data, state.size);
}

static void log_path(const struct metadata_log *log, uint64_t base, const char *suffix,
                     char path[static PATH_SIZE])
{
    int length = snprintf(path, PATH_SIZE, "%s/log-%" PRIu64 "%s", log->directory, base, suffix);
    ASSERT(length > 0 && length < PATH_SIZE);
}

// ---- Opening ------------------------------------------------------------------------------------

struct found_files {
    uint64_t newest;
    bool any;
    size_t count;
};

// Only names that log_path() made count; "log-7.tmp" was never finished.
static bool parse_log_name(const char *name, uint64_t *base)
{
    char again[64];
    char *end;
    if (strncmp(name, "log-", 4) != 0) return false;
    *base = strtoull(name + 4, &end, 10);
    (void)snprintf(again, sizeof again, "log-%" PRIu64, *base);
    return strcmp(again, name) == 0;
}

static void note_file(void *context, const char *name, bool is_dir)
{
    struct found_files *found = context;
    uint64_t base;
    if (is_dir || !parse_log_name(name, &base)) return;
    if (!found->any || base > found->newest) found->newest = base;
    found->any = true;
    found->count++;
}

// The file under a name of its own, then renamed: it is there whole or not at all. Runs on a
// thread.
static enum status write_new_file(struct env *env, const struct metadata_log *log, uint64_t base,
                                  struct slice head, struct env_file **file, struct error *error)
{
    char path[PATH_SIZE], temporary[PATH_SIZE];
    log_path(log, base, "", path);
    log_path(log, base, ".tmp", temporary);
    unsigned flags = ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE;
    enum status status = env_file_open(env, temporary, flags, file, error);
    if (status != STATUS_OK) return status;
    status = env_file_write(*file, 0, head.data, head.size, error);
    if (status == STATUS_OK) status = env_file_sync(*file, error);
    if (status == STATUS_OK) status = env_rename(env, temporary, path, error);
    if (status == STATUS_OK) status = env_sync_dir(env, log->directory, error);
    if (status != STATUS_OK) env_file_close(*file);
    return status;
}

static enum status begin_first_file(struct metadata_log *log, struct error *error)
{
    struct buffer head;
    buffer_init(&head, METADATA_LOG_SIZE_MAX);
    put_file_head(&head, 0, slice_make("", 0));
    struct env_file *file = NULL;
    enum status status = write_new_file(log->env, log, 0, buffer_slice(&head), &file, error);
    if (status == STATUS_OK) log->file = file;
    log->file_size = log->records_from = head.size;
    buffer_deinit(&head);
    return status;
}

static enum status read_whole_file(struct metadata_log *log, const char *path, struct buffer *bytes,
                                   struct error *error)
{
    uint64_t size;
    enum status status = env_file_size(log->file, &size, error);
    if (status != STATUS_OK) return status;
    if (size > 2ull * METADATA_LOG_SIZE_MAX)
        return error_set(error, STATUS_CORRUPT, "%s: %" PRIu64 " bytes are more than it can have",
                         path, size);
    uint8_t *at = buffer_reserve(bytes, (size_t)size);
    size_t read_size = 0;
    if (size > 0) status = env_file_read(log->file, 0, at, (size_t)size, &read_size, error);
    if (status == STATUS_OK && read_size < size) buffer_truncate(bytes, read_size);
    return status;
}

// A record further on that was written when `expected` was already durable proves that `expected`
// was acknowledged and then damaged. A torn tail has none: its records were all written by one
// sync.
static bool later_record_proves(struct cursor tail, uint64_t expected)
{
    while (cursor_left(&tail) >= RECORD_HEADER_SIZE) {
        struct cursor at = tail;
        uint64_t number, synced;
        struct slice record;
        if (take_record(&at, &number, &synced, &record) && synced >= expected) return true;
        tail.next++;
    }
    return false;
}

static enum status replay(struct metadata_log *log, const char *path, struct slice bytes,
                          struct error *error)
{
    struct cursor cursor = cursor_make(bytes);
    uint64_t magic = cursor_u64(&cursor);
    uint64_t base = cursor_u64(&cursor);
    uint64_t checksum = cursor_u64(&cursor);
    struct slice state = cursor_take(&cursor, cursor_u32(&cursor));
    if (cursor.failed || magic != FILE_MAGIC || base != log->file_base ||
        checksum != XXH3_64bits_withSeed(state.data, state.size, base))
        return error_set(error, STATUS_CORRUPT,
                         "%s: its head fails its check: restore the file from a backup", path);
    log->records_from = (uint64_t)(cursor.next - bytes.data);
    log->applied = base;
    if (base > 0) {
        enum status status = log->events->restore(log->context, state, error);
        if (status != STATUS_OK) return status;
    }
    uint64_t number, synced;
    struct slice record;
    while (take_record(&cursor, &number, &synced, &record) && number == log->applied + 1) {
        (void)log->events->applied(log->context, number, record);
        log->applied = number;
        log->file_size = (uint64_t)(cursor.next - bytes.data);
    }
    if (log->file_size < log->records_from) log->file_size = log->records_from;
    struct slice tail = slice_make(bytes.data + log->file_size, bytes.size - log->file_size);
    if (later_record_proves(cursor_make(tail), log->applied + 1))
        return error_set(error, STATUS_CORRUPT,
                         "%s: offset %" PRIu64 ": record %" PRIu64
                         " is damaged and later ones are not: restore the file from a backup",
                         path, log->file_size, log->applied + 1);
    return STATUS_OK;
}

// Where the first record begins that no later one proves to have been synced.
static uint64_t unproven_from(const struct metadata_log *log, struct slice bytes)
{
    uint64_t number, synced, proven = log->file_base;
    struct slice record;
    struct slice records =
        slice_make(bytes.data + log->records_from, (size_t)(log->file_size - log->records_from));
    struct cursor cursor = cursor_make(records);
    while (take_record(&cursor, &number, &synced, &record))
        if (synced > proven) proven = synced;
    struct cursor behind = cursor_make(records);
    cursor = behind;
    while (take_record(&behind, &number, &synced, &record) && number <= proven)
        cursor = behind;
    return log->records_from + (uint64_t)(cursor.next - records.data);
}

// What was read may still be on its way to the disk, if it was the process that died: nobody is
// told of it before a sync of our own. And if that process met a failed sync, the system may show
// what it will never write: so what nobody proves to be durable is written again first. A torn tail
// goes, so that what is written over it can not be mixed with it.
static enum status settle(struct metadata_log *log, struct slice bytes, struct error *error)
{
    enum status status = STATUS_OK;
    uint64_t from = unproven_from(log, bytes);
    if (from < log->file_size)
        status = env_file_write(log->file, from, bytes.data + from, (size_t)(log->file_size - from),
                                error);
    if (log->file_size < bytes.size) env_mark(log->env, ENV_MARK_METADATA_TAIL_CUT);
    if (status == STATUS_OK && log->file_size < bytes.size)
        status = env_file_truncate(log->file, log->file_size, error);
    if (status == STATUS_OK) status = env_file_sync(log->file, error);
    // Its name may be no more durable than its bytes were.
    return status == STATUS_OK ? env_sync_dir(log->env, log->directory, error) : status;
}

static enum status open_existing(struct metadata_log *log, uint64_t base, struct error *error)
{
    char path[PATH_SIZE];
    log_path(log, base, "", path);
    log->file_base = base;
    enum status status =
        env_file_open(log->env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &log->file, error);
    if (status != STATUS_OK) return status;
    struct buffer bytes;
    buffer_init(&bytes, 2ull * METADATA_LOG_SIZE_MAX);
    status = read_whole_file(log, path, &bytes, error);
    if (status == STATUS_OK) status = replay(log, path, buffer_slice(&bytes), error);
    if (status == STATUS_OK) status = settle(log, buffer_slice(&bytes), error);
    buffer_deinit(&bytes);
    return status;
}

struct leftovers {
    struct metadata_log *log;
    uint64_t keep;
};

static void remove_leftover(void *context, const char *name, bool is_dir)
{
    const struct leftovers *leftovers = context;
    uint64_t base;
    if (is_dir || strncmp(name, "log-", 4) != 0) return;
    if (parse_log_name(name, &base) && base == leftovers->keep) return;
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/%s", leftovers->log->directory, name);
    // One that stays does no harm: the newest is taken at the next start too.
    if (length > 0 && (size_t)length < sizeof path)
        (void)!env_remove(leftovers->log->env, path, NULL);
}

static enum status open_newest(struct metadata_log *log, struct error *error)
{
    enum status status = env_make_dir(log->env, log->directory, error);
    if (status != STATUS_OK && status != STATUS_EXISTS) return status;
    struct found_files found = {0};
    status = env_list_dir(log->env, log->directory, note_file, &found, error);
    if (status != STATUS_OK) return status;
    if (!found.any) return begin_first_file(log, error);
    status = open_existing(log, found.newest, error);
    if (status != STATUS_OK) return status;
    struct leftovers leftovers = {log, found.newest};
    return env_list_dir(log->env, log->directory, remove_leftover, &leftovers, error);
}

enum status metadata_log_open(struct env *env, const struct metadata_log_options *options,
                              const struct metadata_log_events *events, void *context,
                              struct metadata_log **log, struct error *error)
{
    const char *directory = options->directory;
    if (strlen(directory) >= PATH_SIZE - 64)
        return error_set(error, STATUS_INVALID, "%s: the path is too long", directory);
    struct metadata_log *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->env = env;
    opened->events = events;
    opened->context = context;
    opened->gathering_end = &opened->gathering;
    (void)snprintf(opened->directory, sizeof opened->directory, "%s", directory);
    buffer_init(&opened->writing, METADATA_LOG_SIZE_MAX);
    enum status status = open_newest(opened, error);
    opened->assigned = opened->applied;
    if (status != STATUS_OK) {
        metadata_log_abandon(opened);
        return status;
    }
    *log = opened;
    return STATUS_OK;
}

static void run_drained(struct env_task *task)
{
    struct metadata_log *log = CONTAINER_OF(task, struct metadata_log, drained_task);
    log->drained(log->drained_context);
}

void metadata_log_join(struct metadata_log *log, struct messaging *messaging,
                       struct liveness *liveness)
{
    (void)log, (void)messaging, (void)liveness;
}

void metadata_log_catch_up(struct metadata_log *log, uint16_t member, uint64_t number)
{
    (void)log, (void)member, (void)number;
}

struct caught_up {
    struct env_task task;
    void (*done)(void *context);
    void *context;
};

static void run_caught_up(struct env_task *task)
{
    struct caught_up *caught_up = CONTAINER_OF(task, struct caught_up, task);
    caught_up->done(caught_up->context);
    free(caught_up);
}

void metadata_log_catch_up_all(struct metadata_log *log, uint64_t timeout_ns,
                               void (*done)(void *context), void *context)
{
    (void)timeout_ns;
    struct caught_up *caught_up = calloc(1, sizeof *caught_up);
    ASSERT(caught_up != NULL);
    caught_up->done = done;
    caught_up->context = context;
    env_task_post(log->env, &caught_up->task, run_caught_up);
}

static void tell_if_drained(struct metadata_log *log)
{
    if (log->drained != NULL && !log->writes && log->gathering == NULL)
        env_task_post(log->env, &log->drained_task, run_drained);
}

void metadata_log_drain(struct metadata_log *log, void (*drained)(void *context), void *context)
{
    ASSERT(log->drained == NULL);
    log->drained = drained;
    log->drained_context = context;
    tell_if_drained(log);
}

void metadata_log_close(struct metadata_log *log)
{
    ASSERT(!log->writes && log->gathering == NULL);
    env_task_cancel(log->env, &log->drained_task);
    metadata_log_abandon(log);
}

void metadata_log_abandon(struct metadata_log *log)
{
    if (log->file != NULL) env_file_close(log->file);
    buffer_deinit(&log->writing);
    free(log);
}

uint64_t metadata_log_number(const struct metadata_log *log)
{
    return log->applied;
}

// ---- Appending ----------------------------------------------------------------------------------

static void begin_write(struct metadata_log *log);

static void append_work(struct env_job *job)
{
    struct metadata_log *log = CONTAINER_OF(job, struct metadata_log, job);
    log->job_status = env_file_write(log->file, log->file_size, log->writing.data,
                                     log->writing.size, &log->job_error);
    if (log->job_status == STATUS_OK) log->job_status = env_file_sync(log->file, &log->job_error);
}

// Ends the appends of `list` with their own status, or with `status` if that is no OK.
static void end_appends(struct metadata_log_append *list, enum status status)
{
    while (list != NULL) {
        struct metadata_log_append *append = list;
        list = append->next;
        append->done(append, status == STATUS_OK ? append->status : status);
    }
}

static struct metadata_log_append *take_gathering(struct metadata_log *log)
{
    struct metadata_log_append *list = log->gathering;
    log->gathering = NULL;
    log->gathering_end = &log->gathering;
    return list;
}

// Puts as many as one write may have into `writing`; the others go with the next.
static void take_some(struct metadata_log *log)
{
    struct metadata_log_append **end = &log->in_flight;
    buffer_clear(&log->writing);
    while (log->gathering != NULL) {
        struct metadata_log_append *append = log->gathering;
        size_t size = RECORD_HEADER_SIZE + append->record.size;
        if (log->writing.size > 0 && log->writing.size + size > WRITE_SIZE_MAX) break;
        put_record(&log->writing, ++log->assigned, log->applied, append->record);
        log->gathering = append->next;
        append->next = NULL;
        *end = append;
        end = &append->next;
    }
    if (log->gathering == NULL) log->gathering_end = &log->gathering;
    ASSERT(!log->writing.overflow); // Records are bounded by what makes them.
}

// A failed write or sync is final (invariant 7): nobody knows what of it is on the disk.
static void fail_for_ever(struct metadata_log *log, enum status status)
{
    log->broken = status;
    env_mark(log->env, ENV_MARK_METADATA_FAILED);
    struct metadata_log_append *in_flight = log->in_flight;
    log->in_flight = NULL;
    end_appends(in_flight, status);
    end_appends(take_gathering(log), status);
    tell_if_drained(log);
}

static void append_done(struct env_job *job)
{
    struct metadata_log *log = CONTAINER_OF(job, struct metadata_log, job);
    log->writes = false;
    if (log->job_status != STATUS_OK) {
        fail_for_ever(log, log->job_status);
        return;
    }
    log->file_size += log->writing.size;
    if (log->writing.capacity > BUFFER_KEPT_MAX) buffer_deinit(&log->writing);
    struct metadata_log_append *list = log->in_flight;
    log->in_flight = NULL;
    for (struct metadata_log_append *append = list; append != NULL; append = append->next)
        append->status = log->events->applied(log->context, ++log->applied, append->record);
    ASSERT(log->applied == log->assigned);
    end_appends(list, STATUS_OK);
    begin_write(log);
    tell_if_drained(log);
}

static void rotate_work(struct env_job *job)
{
    struct metadata_log *log = CONTAINER_OF(job, struct metadata_log, job);
    struct env_file *file;
    log->job_status = write_new_file(log->env, log, log->applied, buffer_slice(&log->writing),
                                     &file, &log->job_error);
    if (log->job_status != STATUS_OK) return;
    char old[PATH_SIZE];
    log_path(log, log->file_base, "", old);
    env_file_close(log->file);
    log->file = file;
    (void)!env_remove(log->env, old, NULL); // It may stay: the newest is taken.
}

static void rotate_done(struct env_job *job)
{
    struct metadata_log *log = CONTAINER_OF(job, struct metadata_log, job);
    log->writes = false;
    log->rotates = false;
    if (log->job_status != STATUS_OK) {
        fail_for_ever(log, log->job_status);
        return;
    }
    env_mark(log->env, ENV_MARK_METADATA_ROTATED);
    log->file_base = log->applied;
    log->file_size = log->records_from = log->writing.size;
    if (log->writing.capacity > BUFFER_KEPT_MAX) buffer_deinit(&log->writing);
    begin_write(log);
    tell_if_drained(log);
}

static bool rotation_is_due(const struct metadata_log *log)
{
    uint64_t records = log->file_size - log->records_from;
    return records > ROTATE_SIZE_MIN && records > log->records_from;
}

static void begin_rotation(struct metadata_log *log)
{
    struct buffer state;
    buffer_init(&state, METADATA_LOG_SIZE_MAX - FILE_HEADER_SIZE);
    log->events->snapshot(log->context, &state);
    ASSERT(!state.overflow); // The limits of schema and jobs keep it below.
    buffer_clear(&log->writing);
    put_file_head(&log->writing, log->applied, buffer_slice(&state));
    buffer_deinit(&state);
    log->writes = log->rotates = true;
    env_offload(log->env, &log->job, ENV_LANE_LOG, rotate_work, rotate_done);
}

// One job at a time: what gathers meanwhile goes with the next, under one sync.
static void begin_write(struct metadata_log *log)
{
    if (log->writes) return;
    if (log->drained == NULL && rotation_is_due(log)) {
        begin_rotation(log);
        return;
    }
    if (log->gathering == NULL) return;
    take_some(log);
    log->writes = true;
    env_mark(log->env, ENV_MARK_METADATA_WRITE);
    if (log->in_flight->next != NULL) env_mark(log->env, ENV_MARK_METADATA_GROUP);
    env_offload(log->env, &log->job, ENV_LANE_LOG, append_work, append_done);
}

struct refused_append {
    struct env_task task;
    struct metadata_log_append *append;
    enum status status;
};

static void refuse_later(struct env_task *task)
{
    struct refused_append *refused = CONTAINER_OF(task, struct refused_append, task);
    refused->append->done(refused->append, refused->status);
    free(refused);
}

void metadata_log_append(struct metadata_log *log, struct metadata_log_append *append,
                         struct slice record,
                         void (*done)(struct metadata_log_append *append, enum status status))
{
    *append = (struct metadata_log_append){.done = done, .record = record};
    if (log->broken != STATUS_OK) {
        struct refused_append *refused = calloc(1, sizeof *refused);
        ASSERT(refused != NULL);
        refused->append = append;
        refused->status = log->broken;
        env_task_post(log->env, &refused->task, refuse_later);
        return;
    }
    *log->gathering_end = append;
    log->gathering_end = &append->next;
    begin_write(log);
}
