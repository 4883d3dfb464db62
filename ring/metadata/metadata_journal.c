#include "ring/metadata/metadata_journal.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/cursor.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "storage/new_directory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define FILE_MAGIC UINT64_C(0x48454c4d45544131) // "HELMETA1"

enum {
    FILE_HEADER_SIZE = 28,
    ENTRY_HEADER_SIZE = 28,
    KIND_SHIFT = 28,
    ENTRY_SIZE_MAX = (1 << KIND_SHIFT) - 1,
    PATH_SIZE = 4096,
    // A new file begins when the entries take more than this, and more than the state itself.
    ROTATE_SIZE_MIN = 1 << 20,
    // Entries of one write together, unless one alone is larger. What a buffer keeps of its memory.
    WRITE_SIZE_MAX = 16 << 20,
    BUFFER_KEPT_MAX = 1 << 20,
};

struct metadata_journal {
    struct env *env;
    const struct metadata_journal_events *events;
    void *context;
    char directory[PATH_SIZE];
    bool begins_with_state;
    struct env_file *file;
    uint64_t file_base;    // Number of the state at the head of the file.
    uint64_t file_size;    // Where the next entry goes.
    uint64_t entries_from; // Where the first entry stands.
    uint64_t synced;       // Place of the newest durable entry.
    uint64_t assigned;     // Place of the newest entry in `writing` or before.
    struct metadata_journal_entry *gathering, **gathering_end; // Come since the write began.
    struct metadata_journal_entry *in_flight;
    struct metadata_journal_state *replacement; // Waits, or is being written if `replaces`.
    struct buffer writing;                      // Entries under way, or the head of a new file.
    uint64_t head_size;                         // Of it.
    uint64_t new_base;
    bool writes; // The job runs; then the thread has `file` and `writing`.
    bool replaces;
    void (*drained)(void *context); // Whom metadata_journal_drain() was called for, or NULL.
    void *drained_context;
    struct env_task drained_task, refuse_task;
    struct env_job job;
    enum status job_status;
    struct error job_error;
    enum status broken; // Not OK: a write failed, the journal takes no more.
};

struct entry_head {
    unsigned kind;
    uint64_t place, synced;
};

static uint64_t entry_checksum(const struct entry_head *head, struct slice bytes)
{
    // The seed makes an entry of another place, or of an older life of the file, fail its check.
    uint64_t seed =
        head->place * UINT64_C(0x9E3779B97F4A7C15) ^ head->synced ^ (uint64_t)head->kind << 56;
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

static void put_entry(struct buffer *buffer, const struct entry_head *head, struct slice bytes)
{
    buffer_put_u32(buffer, (uint32_t)(head->kind << KIND_SHIFT) | (uint32_t)bytes.size);
    buffer_put_u64(buffer, head->place);
    buffer_put_u64(buffer, head->synced);
    buffer_put_u64(buffer, entry_checksum(head, bytes));
    buffer_put(buffer, bytes.data, bytes.size);
}

// Takes one whole entry with the right checksum, or fails and leaves the cursor where it was.
static bool take_entry(struct cursor *cursor, struct entry_head *head, struct slice *bytes)
{
    struct cursor at = *cursor;
    uint32_t word = cursor_u32(&at);
    head->kind = word >> KIND_SHIFT;
    head->place = cursor_u64(&at);
    head->synced = cursor_u64(&at);
    uint64_t checksum = cursor_u64(&at);
    *bytes = cursor_take(&at, word & ENTRY_SIZE_MAX);
    if (at.failed || checksum != entry_checksum(head, *bytes)) return false;
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

static void journal_path(const struct metadata_journal *journal, uint64_t base, const char *suffix,
                         char path[static PATH_SIZE])
{
    int length =
        snprintf(path, PATH_SIZE, "%s/log-%" PRIu64 "%s", journal->directory, base, suffix);
    ASSERT(length > 0 && length < PATH_SIZE);
}

// ---- Opening ------------------------------------------------------------------------------------

struct found_files {
    uint64_t newest;
    bool any;
    size_t count;
};

// Only names that journal_path() made count; "log-7.tmp" was never finished.
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
static enum status write_new_file(struct env *env, const struct metadata_journal *journal,
                                  uint64_t base, struct slice head, struct env_file **file,
                                  struct error *error)
{
    char path[PATH_SIZE], temporary[PATH_SIZE];
    journal_path(journal, base, "", path);
    journal_path(journal, base, ".tmp", temporary);
    unsigned flags = ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE;
    enum status status = env_file_open(env, temporary, flags, file, error);
    if (status != STATUS_OK) return status;
    status = env_file_write(*file, 0, head.data, head.size, error);
    if (status == STATUS_OK) status = env_file_sync(*file, error);
    if (status == STATUS_OK) status = env_rename(env, temporary, path, error);
    if (status == STATUS_OK) status = env_sync_dir(env, journal->directory, error);
    if (status != STATUS_OK) env_file_close(*file);
    return status;
}

static enum status begin_first_file(struct metadata_journal *journal, struct error *error)
{
    struct buffer head;
    buffer_init(&head, METADATA_LOG_SIZE_MAX);
    struct buffer state;
    buffer_init(&state, METADATA_LOG_SIZE_MAX - FILE_HEADER_SIZE);
    if (journal->begins_with_state) (void)journal->events->snapshot(journal->context, &state);
    put_file_head(&head, 0, buffer_slice(&state));
    buffer_deinit(&state);
    struct env_file *file = NULL;
    enum status status =
        write_new_file(journal->env, journal, 0, buffer_slice(&head), &file, error);
    if (status == STATUS_OK) journal->file = file;
    journal->file_size = journal->entries_from = head.size;
    buffer_deinit(&head);
    return status;
}

static enum status read_whole_file(struct metadata_journal *journal, const char *path,
                                   struct buffer *bytes, struct error *error)
{
    uint64_t size;
    enum status status = env_file_size(journal->file, &size, error);
    if (status != STATUS_OK) return status;
    if (size > 4ull * METADATA_LOG_SIZE_MAX)
        return error_set(error, STATUS_CORRUPT, "%s: %" PRIu64 " bytes are more than it can have",
                         path, size);
    uint8_t *at = buffer_reserve(bytes, (size_t)size);
    size_t read_size = 0;
    if (size > 0) status = env_file_read(journal->file, 0, at, (size_t)size, &read_size, error);
    if (status == STATUS_OK && read_size < size) buffer_truncate(bytes, read_size);
    return status;
}

// An entry further on that was written when `expected` was already durable proves that `expected`
// was acknowledged and then damaged. A torn tail has none: its entries were all written by one
// sync.
static bool later_entry_proves(struct cursor tail, uint64_t expected)
{
    while (cursor_left(&tail) >= ENTRY_HEADER_SIZE) {
        struct cursor at = tail;
        struct entry_head head;
        struct slice bytes;
        if (take_entry(&at, &head, &bytes) && head.synced >= expected) return true;
        tail.next++;
    }
    return false;
}

static enum status replay(struct metadata_journal *journal, const char *path, struct slice bytes,
                          struct error *error)
{
    struct cursor cursor = cursor_make(bytes);
    uint64_t magic = cursor_u64(&cursor);
    uint64_t base = cursor_u64(&cursor);
    uint64_t checksum = cursor_u64(&cursor);
    struct slice state = cursor_take(&cursor, cursor_u32(&cursor));
    if (cursor.failed || magic != FILE_MAGIC || base != journal->file_base ||
        checksum != XXH3_64bits_withSeed(state.data, state.size, base))
        return error_set(error, STATUS_CORRUPT,
                         "%s: its head fails its check: restore the file from a backup", path);
    journal->entries_from = (uint64_t)(cursor.next - bytes.data);
    journal->synced = base;
    if (base > 0 || state.size > 0) {
        enum status status = journal->events->restore(journal->context, base, state, error);
        if (status != STATUS_OK) return status;
    }
    struct entry_head head;
    struct slice entry;
    while (take_entry(&cursor, &head, &entry) && head.place == journal->synced + 1) {
        journal->events->replay(journal->context, head.kind, entry);
        journal->synced = head.place;
        journal->file_size = (uint64_t)(cursor.next - bytes.data);
    }
    if (journal->file_size < journal->entries_from) journal->file_size = journal->entries_from;
    struct slice tail =
        slice_make(bytes.data + journal->file_size, bytes.size - journal->file_size);
    if (later_entry_proves(cursor_make(tail), journal->synced + 1))
        return error_set(error, STATUS_CORRUPT,
                         "%s: offset %" PRIu64 ": entry %" PRIu64
                         " is damaged and later ones are not: restore the file from a backup",
                         path, journal->file_size, journal->synced + 1);
    return STATUS_OK;
}

// Where the first entry begins that no later one proves to have been synced.
static uint64_t unproven_from(const struct metadata_journal *journal, struct slice bytes)
{
    uint64_t proven = journal->file_base;
    struct entry_head head;
    struct slice entry;
    struct slice entries = slice_make(bytes.data + journal->entries_from,
                                      (size_t)(journal->file_size - journal->entries_from));
    struct cursor cursor = cursor_make(entries);
    while (take_entry(&cursor, &head, &entry))
        if (head.synced > proven) proven = head.synced;
    struct cursor behind = cursor_make(entries);
    cursor = behind;
    while (take_entry(&behind, &head, &entry) && head.place <= proven)
        cursor = behind;
    return journal->entries_from + (uint64_t)(cursor.next - entries.data);
}

// What was read may still be on its way to the disk, if it was the process that died: nobody is
// told of it before a sync of our own. And if that process met a failed sync, the system may show
// what it will never write: so what nobody proves to be durable is written again first. A torn tail
// goes, so that what is written over it can not be mixed with it.
static enum status settle(struct metadata_journal *journal, struct slice bytes, struct error *error)
{
    enum status status = STATUS_OK;
    uint64_t from = unproven_from(journal, bytes);
    if (from < journal->file_size)
        status = env_file_write(journal->file, from, bytes.data + from,
                                (size_t)(journal->file_size - from), error);
    if (journal->file_size < bytes.size) env_mark(journal->env, ENV_MARK_METADATA_TAIL_CUT);
    if (status == STATUS_OK && journal->file_size < bytes.size)
        status = env_file_truncate(journal->file, journal->file_size, error);
    if (status == STATUS_OK) status = env_file_sync(journal->file, error);
    // Its name may be no more durable than its bytes were.
    return status == STATUS_OK ? env_sync_dir(journal->env, journal->directory, error) : status;
}

static enum status open_existing(struct metadata_journal *journal, uint64_t base,
                                 struct error *error)
{
    char path[PATH_SIZE];
    journal_path(journal, base, "", path);
    journal->file_base = base;
    enum status status =
        env_file_open(journal->env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &journal->file, error);
    if (status != STATUS_OK) return status;
    struct buffer bytes;
    buffer_init(&bytes, 4ull * METADATA_LOG_SIZE_MAX);
    status = read_whole_file(journal, path, &bytes, error);
    if (status == STATUS_OK) status = replay(journal, path, buffer_slice(&bytes), error);
    if (status == STATUS_OK) status = settle(journal, buffer_slice(&bytes), error);
    buffer_deinit(&bytes);
    return status;
}

struct leftovers {
    struct metadata_journal *journal;
    uint64_t keep;
};

static void remove_leftover(void *context, const char *name, bool is_dir)
{
    const struct leftovers *leftovers = context;
    uint64_t base;
    if (is_dir || strncmp(name, "log-", 4) != 0) return;
    if (parse_log_name(name, &base) && base == leftovers->keep) return;
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/%s", leftovers->journal->directory, name);
    // One that stays does no harm: the newest is taken at the next start too.
    if (length > 0 && (size_t)length < sizeof path)
        (void)!env_remove(leftovers->journal->env, path, NULL);
}

static enum status open_newest(struct metadata_journal *journal, struct error *error)
{
    enum status status = new_directory_make(journal->env, journal->directory, error);
    if (status != STATUS_OK) return status;
    struct found_files found = {0};
    status = env_list_dir(journal->env, journal->directory, note_file, &found, error);
    if (status != STATUS_OK) return status;
    if (!found.any) return begin_first_file(journal, error);
    status = open_existing(journal, found.newest, error);
    if (status != STATUS_OK) return status;
    struct leftovers leftovers = {journal, found.newest};
    return env_list_dir(journal->env, journal->directory, remove_leftover, &leftovers, error);
}

enum status metadata_journal_open(struct env *env, const char *directory, bool begins_with_state,
                                  const struct metadata_journal_events *events, void *context,
                                  struct metadata_journal **journal, struct error *error)
{
    if (strlen(directory) >= PATH_SIZE - 64)
        return error_set(error, STATUS_INVALID, "%s: the path is too long", directory);
    struct metadata_journal *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->env = env;
    opened->events = events;
    opened->context = context;
    opened->begins_with_state = begins_with_state;
    opened->gathering_end = &opened->gathering;
    (void)snprintf(opened->directory, sizeof opened->directory, "%s", directory);
    buffer_init(&opened->writing, 2ull * METADATA_LOG_SIZE_MAX);
    enum status status = open_newest(opened, error);
    opened->assigned = opened->synced;
    if (status != STATUS_OK) {
        metadata_journal_abandon(opened);
        return status;
    }
    *journal = opened;
    return STATUS_OK;
}

static void run_drained(struct env_task *task)
{
    struct metadata_journal *journal = CONTAINER_OF(task, struct metadata_journal, drained_task);
    journal->drained(journal->drained_context);
}

static void tell_if_drained(struct metadata_journal *journal)
{
    if (journal->drained != NULL && !journal->writes && journal->gathering == NULL &&
        journal->replacement == NULL)
        env_task_post(journal->env, &journal->drained_task, run_drained);
}

void metadata_journal_drain(struct metadata_journal *journal, void (*drained)(void *context),
                            void *context)
{
    ASSERT(journal->drained == NULL);
    journal->drained = drained;
    journal->drained_context = context;
    tell_if_drained(journal);
}

void metadata_journal_close(struct metadata_journal *journal)
{
    ASSERT(!journal->writes && journal->gathering == NULL);
    env_task_cancel(journal->env, &journal->drained_task);
    metadata_journal_abandon(journal);
}

void metadata_journal_abandon(struct metadata_journal *journal)
{
    if (journal->file != NULL) env_file_close(journal->file);
    buffer_deinit(&journal->writing);
    free(journal);
}

enum status metadata_journal_fault(const struct metadata_journal *journal)
{
    return journal->broken;
}

// ---- Writing ------------------------------------------------------------------------------------

static void begin_write(struct metadata_journal *journal);

static void write_work(struct env_job *job)
{
    struct metadata_journal *journal = CONTAINER_OF(job, struct metadata_journal, job);
    journal->job_status = env_file_write(journal->file, journal->file_size, journal->writing.data,
                                         journal->writing.size, &journal->job_error);
    if (journal->job_status == STATUS_OK)
        journal->job_status = env_file_sync(journal->file, &journal->job_error);
}

static void end_entries(struct metadata_journal_entry *list, enum status status)
{
    while (list != NULL) {
        struct metadata_journal_entry *entry = list;
        list = entry->next;
        entry->done(entry, status);
    }
}

static struct metadata_journal_entry *take_gathering(struct metadata_journal *journal)
{
    struct metadata_journal_entry *list = journal->gathering;
    journal->gathering = NULL;
    journal->gathering_end = &journal->gathering;
    return list;
}

// Puts as many as one write may have into `writing`; the others go with the next.
static void take_some(struct metadata_journal *journal)
{
    struct metadata_journal_entry **end = &journal->in_flight;
    buffer_clear(&journal->writing);
    while (journal->gathering != NULL) {
        struct metadata_journal_entry *entry = journal->gathering;
        size_t size = ENTRY_HEADER_SIZE + entry->bytes.size;
        if (journal->writing.size > 0 && journal->writing.size + size > WRITE_SIZE_MAX) break;
        const struct entry_head head = {entry->kind, ++journal->assigned, journal->synced};
        put_entry(&journal->writing, &head, entry->bytes);
        journal->gathering = entry->next;
        entry->next = NULL;
        *end = entry;
        end = &entry->next;
    }
    if (journal->gathering == NULL) journal->gathering_end = &journal->gathering;
    ASSERT(!journal->writing.overflow); // Entries are bounded by what makes them.
}

static void end_replacement(struct metadata_journal *journal, enum status status)
{
    struct metadata_journal_state *state = journal->replacement;
    journal->replacement = NULL;
    journal->replaces = false;
    state->done(state, status);
}

// A failed write or sync is final (invariant 7): nobody knows what of it is on the disk.
static void fail_for_ever(struct metadata_journal *journal, enum status status)
{
    journal->broken = status;
    env_mark(journal->env, ENV_MARK_METADATA_FAILED);
    struct metadata_journal_entry *in_flight = journal->in_flight;
    journal->in_flight = NULL;
    end_entries(in_flight, status);
    end_entries(take_gathering(journal), status);
    if (journal->replacement != NULL) end_replacement(journal, status);
    journal->writes = false;
    tell_if_drained(journal);
}

// `writes` stays until all are told: nothing new begins before what is durable has taken effect,
// or a new file could begin with a state that lacks it.
static void write_done(struct env_job *job)
{
    struct metadata_journal *journal = CONTAINER_OF(job, struct metadata_journal, job);
    if (journal->job_status != STATUS_OK) {
        fail_for_ever(journal, journal->job_status);
        return;
    }
    journal->file_size += journal->writing.size;
    journal->synced = journal->assigned;
    if (journal->writing.capacity > BUFFER_KEPT_MAX) buffer_deinit(&journal->writing);
    struct metadata_journal_entry *list = journal->in_flight;
    journal->in_flight = NULL;
    end_entries(list, STATUS_OK);
    journal->writes = false;
    begin_write(journal);
    tell_if_drained(journal);
}

// ---- A new file ---------------------------------------------------------------------------------

static void rotate_work(struct env_job *job)
{
    struct metadata_journal *journal = CONTAINER_OF(job, struct metadata_journal, job);
    struct env_file *file;
    journal->job_status =
        write_new_file(journal->env, journal, journal->new_base, buffer_slice(&journal->writing),
                       &file, &journal->job_error);
    if (journal->job_status != STATUS_OK) return;
    char old[PATH_SIZE];
    journal_path(journal, journal->file_base, "", old);
    env_file_close(journal->file);
    journal->file = file;
    // It may stay: the newest is taken. One of the same number is gone already.
    if (journal->new_base != journal->file_base) (void)!env_remove(journal->env, old, NULL);
}

static void rotate_done(struct env_job *job)
{
    struct metadata_journal *journal = CONTAINER_OF(job, struct metadata_journal, job);
    if (journal->job_status != STATUS_OK) {
        fail_for_ever(journal, journal->job_status);
        return;
    }
    env_mark(journal->env, ENV_MARK_METADATA_ROTATED);
    journal->file_base = journal->new_base;
    journal->file_size = journal->writing.size;
    journal->entries_from = journal->head_size;
    journal->synced = journal->assigned;
    if (journal->writing.capacity > BUFFER_KEPT_MAX) buffer_deinit(&journal->writing);
    if (journal->replaces) end_replacement(journal, STATUS_OK);
    journal->writes = false;
    begin_write(journal);
    tell_if_drained(journal);
}

static bool rotation_is_due(const struct metadata_journal *journal)
{
    uint64_t entries = journal->file_size - journal->entries_from;
    return entries > ROTATE_SIZE_MIN && entries > journal->entries_from;
}

static void put_state(struct metadata_journal *journal)
{
    struct buffer state;
    buffer_init(&state, METADATA_LOG_SIZE_MAX - FILE_HEADER_SIZE);
    journal->new_base = journal->events->snapshot(journal->context, &state);
    ASSERT(!state.overflow); // The limits of schema and jobs keep it below.
    put_file_head(&journal->writing, journal->new_base, buffer_slice(&state));
    buffer_deinit(&state);
}

static void begin_rotation(struct metadata_journal *journal)
{
    buffer_clear(&journal->writing);
    journal->replaces = journal->replacement != NULL;
    if (journal->replaces) {
        journal->new_base = journal->replacement->number;
        put_file_head(&journal->writing, journal->new_base, journal->replacement->bytes);
    } else {
        put_state(journal);
    }
    journal->head_size = journal->writing.size;
    journal->assigned = journal->new_base;
    journal->events->carry(journal->context, journal->new_base);
    ASSERT(!journal->writing.overflow); // What is carried is bounded by the log.
    journal->writes = true;
    env_offload(journal->env, &journal->job, ENV_LANE_LOG, rotate_work, rotate_done);
}

void metadata_journal_carry(struct metadata_journal *journal, unsigned kind, struct slice bytes)
{
    const struct entry_head head = {kind, ++journal->assigned, journal->new_base};
    put_entry(&journal->writing, &head, bytes);
}

void metadata_journal_replace(struct metadata_journal *journal,
                              struct metadata_journal_state *state)
{
    ASSERT(journal->replacement == NULL && journal->broken == STATUS_OK);
    journal->replacement = state;
    begin_write(journal);
}

// One job at a time: what gathers meanwhile goes with the next, under one sync.
static void begin_write(struct metadata_journal *journal)
{
    if (journal->writes || journal->broken != STATUS_OK) return;
    if (journal->replacement != NULL || (journal->drained == NULL && rotation_is_due(journal))) {
        begin_rotation(journal);
        return;
    }
    if (journal->gathering == NULL) return;
    take_some(journal);
    journal->writes = true;
    env_mark(journal->env, ENV_MARK_METADATA_WRITE);
    if (journal->in_flight->next != NULL) env_mark(journal->env, ENV_MARK_METADATA_GROUP);
    env_offload(journal->env, &journal->job, ENV_LANE_LOG, write_work, write_done);
}

static void refuse_gathered(struct env_task *task)
{
    struct metadata_journal *journal = CONTAINER_OF(task, struct metadata_journal, refuse_task);
    end_entries(take_gathering(journal), journal->broken);
    tell_if_drained(journal);
}

void metadata_journal_put(struct metadata_journal *journal, struct metadata_journal_entry *entry,
                          unsigned kind, struct slice bytes,
                          void (*done)(struct metadata_journal_entry *entry, enum status status))
{
    ASSERT(kind < JOURNAL_KINDS && bytes.size <= ENTRY_SIZE_MAX);
    *entry = (struct metadata_journal_entry){.done = done, .bytes = bytes, .kind = kind};
    *journal->gathering_end = entry;
    journal->gathering_end = &entry->next;
    if (journal->broken != STATUS_OK)
        env_task_post(journal->env, &journal->refuse_task, refuse_gathered);
    else
        begin_write(journal);
}
