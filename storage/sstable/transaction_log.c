#include "storage/sstable/transaction_log.h"

#include "base/assert.h"
#include "storage/sstable/transaction_record.h"

#include <stdio.h>
#include <stdlib.h>

enum { PREFIXES_BLOCK_SIZE = 1024 };

static void keep_name(struct transaction_names *names, const struct sstable_name *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity == 0 ? 8 : 2 * names->capacity;
        names->items = realloc(names->items, names->capacity * sizeof *names->items);
        ASSERT(names->items != NULL);
    }
    names->items[names->count++] = *name;
}

static enum status append(struct transaction_log *log, const struct transaction_record *record,
                          struct error *error)
{
    struct buffer line;
    buffer_init(&line, 2 * SSTABLE_PATH_SIZE);
    transaction_record_format(record, &line);
    enum status status = env_file_write(log->file, log->size, line.data, line.size, error);
    bool is_first = log->size == 0;
    if (status == STATUS_OK) status = env_file_sync(log->file, error);
    if (status == STATUS_OK) {
        log->size += line.size;
    } else {
        log->is_torn = true;
    }
    buffer_deinit(&line);
    if (status != STATUS_OK || !is_first) return status;
    return env_sync_dir(log->env, log->directory, error);
}

enum status transaction_log_begin(struct transaction_log *log, struct env *env,
                                  const char *directory, enum transaction_kind kind,
                                  struct error *error)
{
    *log = (struct transaction_log){.env = env, .directory = directory};
    uint64_t node = env_random_u64(env);
    struct uuid id = uuid_make_time_us(env_wall_us(env), 0, (uint16_t)(node >> 48), node);
    char id_text[UUID_TEXT_SIZE];
    uuid_format(id, id_text);
    snprintf(log->path, sizeof log->path, "%s/nb_txn_%s_%s.log", directory,
             kind == TRANSACTION_FLUSH ? "flush" : "compaction", id_text);
    return env_file_open(env, log->path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE,
                         &log->file, error);
}

// "DIR/nb-1-big-"
static struct slice format_prefix(const struct transaction_log *log,
                                  const struct sstable_name *name,
                                  char prefix[static SSTABLE_PATH_SIZE])
{
    sstable_name_path(prefix, log->directory, name, SSTABLE_DATA);
    size_t size = strlen(prefix), component_size = strlen(sstable_component_name(SSTABLE_DATA));
    return slice_make(prefix, size > component_size ? size - component_size : size);
}

enum status transaction_log_add(struct transaction_log *log, uint64_t generation,
                                unsigned file_count, struct error *error)
{
    const struct sstable_name name = sstable_name_of(SSTABLE_NB, generation);
    return transaction_log_add_named(log, &name, file_count, error);
}

enum status transaction_log_add_named(struct transaction_log *log, const struct sstable_name *name,
                                      unsigned file_count, struct error *error)
{
    char prefix[SSTABLE_PATH_SIZE];
    struct transaction_record record = {
        .type = TRANSACTION_ADD, .path = format_prefix(log, name, prefix), .count = file_count};
    enum status status = append(log, &record, error);
    if (status == STATUS_OK) keep_name(&log->added, name);
    return status;
}

enum status transaction_log_remove(struct transaction_log *log, const struct sstable_name *name,
                                   struct error *error)
{
    char prefix[SSTABLE_PATH_SIZE];
    struct transaction_record record = {.type = TRANSACTION_REMOVE,
                                        .path = format_prefix(log, name, prefix)};
    struct directory_names names;
    enum status status = directory_names_list(&names, log->env, log->directory, error);
    if (status != STATUS_OK) return status;
    struct directory_files files;
    status = directory_look_up(&names, log->env, log->directory, transaction_record_name(&record),
                               &files, error);
    directory_names_deinit(&names);
    if (status != STATUS_OK) return status;
    record.time_ms = (uint64_t)files.newest_ms;
    record.count = files.count;
    status = append(log, &record, error);
    if (status == STATUS_OK) keep_name(&log->removed, name);
    return status;
}

enum status transaction_log_commit(struct transaction_log *log, struct error *error)
{
    const struct transaction_record record = {.type = TRANSACTION_COMMIT};
    enum status status = append(log, &record, error);
    log->commit_failed = status != STATUS_OK;
    return status;
}

void transaction_log_leave(struct transaction_log *log)
{
    if (log->file != NULL) env_file_close(log->file);
    free(log->added.items);
    free(log->removed.items);
    *log = (struct transaction_log){0};
}

static enum status remove_removed(struct transaction_log *log, struct error *error)
{
    size_t count = log->removed.count;
    if (count == 0) return STATUS_OK;
    struct directory_names names;
    enum status status = directory_names_list(&names, log->env, log->directory, error);
    if (status != STATUS_OK) return status;
    struct arena arena;
    arena_init(&arena, PREFIXES_BLOCK_SIZE);
    struct slice *prefixes = ARENA_NEW_ARRAY(&arena, struct slice, count);
    for (size_t i = 0; i < count; i++) {
        char path[SSTABLE_PATH_SIZE];
        struct transaction_record record = {.path =
                                                format_prefix(log, &log->removed.items[i], path)};
        prefixes[i] = arena_copy(&arena, transaction_record_name(&record));
    }
    status = directory_remove_files(&names, log->env, log->directory, prefixes, count, error);
    arena_deinit(&arena);
    directory_names_deinit(&names);
    return status;
}

enum status transaction_log_finish(struct transaction_log *log, struct error *error)
{
    ASSERT(!log->commit_failed);
    enum status status = remove_removed(log, error);
    // A log that says COMMIT, and whose files are gone, is true: it does no harm if it comes back.
    if (status == STATUS_OK) status = env_remove(log->env, log->path, error);
    transaction_log_leave(log);
    return status;
}

static enum status remove_added(struct transaction_log *log, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < log->added.count && status == STATUS_OK; i++)
        status = sstable_remove(log->env, log->directory,
                                sstable_name_generation(&log->added.items[i]), error);
    return status;
}

// A log that may say COMMIT goes first, for good: from then on what was added and what was to be
// removed stand beside each other, which is the same data twice, until the former are removed.
static enum status withdraw(struct transaction_log *log, bool *is_undecided, struct error *error)
{
    *is_undecided = true;
    enum status status = env_remove(log->env, log->path, error);
    if (status == STATUS_OK) status = env_sync_dir(log->env, log->directory, error);
    *is_undecided = status != STATUS_OK;
    return status == STATUS_OK ? remove_added(log, error) : status;
}

// A log that stays. With a damaged end it is refused where any of what it wanted to remove is not
// there, and from now on others may remove that.
static bool cut_torn_end(struct transaction_log *log)
{
    if (!log->is_torn || log->removed.count == 0) return true;
    enum status status = env_file_truncate(log->file, log->size, NULL);
    if (status == STATUS_OK) status = env_file_sync(log->file, NULL);
    return status == STATUS_OK;
}

enum status transaction_log_undo(struct transaction_log *log, bool *is_undecided,
                                 struct error *error)
{
    enum status status;
    *is_undecided = false;
    if (log->commit_failed && log->removed.count > 0) {
        status = withdraw(log, is_undecided, error);
    } else {
        // Without the log nobody would know that what is left here is to go.
        status = remove_added(log, error);
        if (status == STATUS_OK) status = env_remove(log->env, log->path, error);
        if (status != STATUS_OK) *is_undecided = !cut_torn_end(log);
    }
    transaction_log_leave(log);
    return status;
}

// ---- Recovery -----------------------------------------------------------------------------------

bool transaction_log_is_name(const char *name)
{
    // ^((?:[a-z]+-)?.{2}_)?txn_(.*)_(.*).log$
    size_t size = strlen(name);
    if (size < 4 || strcmp(name + size - 4, ".log") != 0) return false;
    const char *at = strstr(name, "txn_");
    if (at == NULL || strchr(at + 4, '_') == NULL) return false;
    size_t before = (size_t)(at - name);
    if (before == 0) return true;
    if (before < 3 || name[before - 1] != '_') return false;
    if (before == 3) return true;
    // Letters and '-' before the two.
    size_t letters = 0;
    while (name[letters] >= 'a' && name[letters] <= 'z')
        letters++;
    return letters > 0 && name[letters] == '-' && letters + 4 == before;
}

struct recovered_log {
    const char *path; // For errors.
    struct slice text;
    size_t record_count;
    bool is_committed, ends_damaged;
};

// The end of a log may be damaged, as a crash leaves it.
static enum status read_records(struct recovered_log *log, struct error *error)
{
    struct slice rest = log->text;
    struct transaction_record record = {.type = TRANSACTION_ADD};
    bool is_sound = true;
    log->record_count = 0;
    while (rest.size > 0) {
        if (!is_sound)
            return error_set(error, STATUS_CORRUPT, "%s: record %zu is damaged, and not the last",
                             log->path, log->record_count);
        if (log->record_count > 0 && transaction_record_is_final(&record))
            return error_set(error, STATUS_CORRUPT, "%s: record %zu is final, and not the last",
                             log->path, log->record_count);
        is_sound = transaction_record_next(&rest, &record);
        log->record_count++;
    }
    log->ends_damaged = !is_sound;
    log->is_committed = log->record_count > 0 && is_sound && record.type == TRANSACTION_COMMIT;
    return STATUS_OK;
}

// What is on the disk must be what the log knew, or some of it.
static enum status check_removed(const struct recovered_log *log, struct env *env,
                                 const char *directory, const struct directory_names *names,
                                 struct error *error)
{
    struct slice rest = log->text;
    struct transaction_record record;
    while (rest.size > 0 && transaction_record_next(&rest, &record)) {
        if (record.type != TRANSACTION_REMOVE) continue;
        struct directory_files files;
        struct slice name = transaction_record_name(&record);
        if (slice_is_null(name)) continue;
        enum status status = directory_look_up(names, env, directory, name, &files, error);
        if (status != STATUS_OK) return status;
        // File systems and Javas differ in how exact they are: seconds are compared.
        if (files.newest_ms > 0 && (uint64_t)files.newest_ms / 1000 != record.time_ms / 1000)
            return error_set(error, STATUS_CORRUPT,
                             "%s: files %.*s… were changed after it was written", log->path,
                             (int)name.size, (const char *)name.data);
        if (log->ends_damaged && files.count < record.count)
            return error_set(error, STATUS_CORRUPT,
                             "%s: its end is damaged, and some files %.*s… are missing", log->path,
                             (int)name.size, (const char *)name.data);
    }
    return STATUS_OK;
}

// A COMMIT that was read may not be on the disk: who wrote it may have died before its sync, or met
// a failed one. Nothing is removed by its word before it is written and synced again.
static enum status settle_commit(const struct recovered_log *log, struct env *env,
                                 struct error *error)
{
    struct env_file *file;
    enum status status = env_file_open(env, log->path, ENV_OPEN_WRITE, &file, error);
    if (status != STATUS_OK) return status;
    status = env_file_write(file, 0, log->text.data, log->text.size, error);
    if (status == STATUS_OK) status = env_file_sync(file, error);
    env_file_close(file);
    return status;
}

static enum status remove_recovered(const struct recovered_log *log, struct env *env,
                                    const char *directory, const struct directory_names *names,
                                    struct error *error)
{
    enum transaction_record_type type = log->is_committed ? TRANSACTION_REMOVE : TRANSACTION_ADD;
    struct slice *prefixes = malloc((log->record_count + 1) * sizeof *prefixes);
    ASSERT(prefixes != NULL);
    size_t count = 0;
    struct slice rest = log->text;
    struct transaction_record record;
    while (rest.size > 0 && transaction_record_next(&rest, &record)) {
        if (record.type != type) continue;
        prefixes[count] = transaction_record_name(&record);
        count += !slice_is_null(prefixes[count]);
    }
    enum status status = directory_remove_files(names, env, directory, prefixes, count, error);
    free(prefixes);
    return status;
}

enum status transaction_log_recover(struct env *env, const char *directory, const char *name,
                                    const struct directory_names *names, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    struct buffer text;
    struct recovered_log log = {.path = path};
    enum status status = transaction_record_read_file(env, path, &text, error);
    if (status != STATUS_OK) return status;
    log.text = buffer_slice(&text);
    status = read_records(&log, error);
    if (status == STATUS_OK) status = check_removed(&log, env, directory, names, error);
    if (status == STATUS_OK && log.is_committed) status = settle_commit(&log, env, error);
    if (status == STATUS_OK) status = remove_recovered(&log, env, directory, names, error);
    buffer_deinit(&text);
    return status;
}
