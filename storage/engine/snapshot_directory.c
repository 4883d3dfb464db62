#include "storage/engine/snapshot_directory.h"

#include "base/assert.h"
#include "storage/new_directory.h"
#include "storage/schema/schema_text.h"
#include "storage/sstable/directory.h"
#include "storage/value/calendar.h"
#include "storage/whole_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEX_SIZE = 32, TEXT_SIZE_MAX = 16 * 1024 * 1024, PATH_SIZE = 4096 };

static const char manifest_name[] = "manifest.json", schema_name[] = "schema.cql";

MUST_USE static enum status join(char path[PATH_SIZE], const char *directory, const char *name,
                                 struct error *error)
{
    int length = snprintf(path, PATH_SIZE, "%s/%s", directory, name);
    if (length >= 0 && length < PATH_SIZE) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%.400s: the path is too long", directory);
}

// TABLE/snapshots/TAG
MUST_USE static enum status join_tag(char path[PATH_SIZE], const char *table_directory,
                                     const char *tag, struct error *error)
{
    char snapshots[PATH_SIZE];
    enum status status = join(snapshots, table_directory, "snapshots", error);
    return status == STATUS_OK ? join(path, snapshots, tag, error) : status;
}

enum status snapshot_directory_check_tag(const char *tag, struct error *error)
{
    size_t size = strlen(tag);
    if (size == 0) return error_set(error, STATUS_INVALID, "You must supply a snapshot name.");
    if (size >= SNAPSHOT_TAG_SIZE - 1 || strchr(tag, '/') != NULL || tag[0] == '.')
        return error_set(error, STATUS_INVALID,
                         "Snapshot name cannot contain /, begin with a dot "
                         "or have more than 254 bytes");
    return STATUS_OK;
}

enum status snapshot_directory_check_new(struct env *env, const char *table_directory,
                                         const char *tag, struct error *error)
{
    char path[PATH_SIZE];
    bool exists, is_dir;
    enum status status = join_tag(path, table_directory, tag, error);
    if (status == STATUS_OK) status = env_path_exists(env, path, &exists, &is_dir, error);
    if (status == STATUS_OK && exists)
        status = error_set(error, STATUS_EXISTS, "Snapshot %s already exists.", tag);
    return status;
}

// ---- Making one ---------------------------------------------------------------------------------

// All files of the SSTable, whichever components it has.
static enum status link_sstable(struct env *env, const char *from, const char *to,
                                const struct sstable_name *name, struct error *error)
{
    for (int c = 0; c < SSTABLE_COMPONENT_COUNT; c++) {
        char source[SSTABLE_PATH_SIZE], target[SSTABLE_PATH_SIZE];
        sstable_name_path(source, from, name, (enum sstable_component)c);
        sstable_name_path(target, to, name, (enum sstable_component)c);
        enum status status = env_link(env, source, target, error);
        if (status == STATUS_NOT_FOUND && c != SSTABLE_DATA) continue;
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

// As java.time.Instant prints it: without a fraction if there is none.
static void put_time(int64_t ms, struct buffer *text)
{
    size_t before = text->size;
    calendar_put_timestamp(ms, 'T', text);
    if (ms % 1000 != 0 || text->size < before + 5) return;
    buffer_truncate(text, text->size - 5);
    buffer_put_u8(text, 'Z');
}

static int compare_names(const void *left, const void *right)
{
    const struct sstable_name *a = left, *b = right;
    uint64_t first = sstable_name_generation(a), second = sstable_name_generation(b);
    if (first != second) return first < second ? -1 : 1;
    return strcmp(a->id, b->id);
}

static void put_files(const struct snapshot_source *source, struct buffer *text)
{
    struct sstable_name *names = calloc(source->name_count + 1, sizeof *names);
    ASSERT(names != NULL);
    for (size_t i = 0; i < source->name_count; i++)
        names[i] = source->names[i];
    qsort(names, source->name_count, sizeof *names, compare_names);
    buffer_put_format(text, "  \"files\" : [ ");
    for (size_t i = 0; i < source->name_count; i++) {
        char path[SSTABLE_PATH_SIZE];
        sstable_name_path(path, "", &names[i], SSTABLE_DATA);
        buffer_put_format(text, "%s\"%s\"", i == 0 ? "" : ", ", path + 1);
    }
    buffer_put_format(text, source->name_count == 0 ? "],\n" : " ],\n");
    free(names);
}

static void put_manifest(const struct snapshot_source *source, struct snapshot_times times,
                         struct buffer *text)
{
    buffer_put_format(text, "{\n");
    put_files(source, text);
    buffer_put_format(text, "  \"created_at\" : \"");
    put_time(times.created_ms, text);
    buffer_put_format(text, "\",\n  \"expires_at\" : ");
    if (times.expires_ms == 0) {
        buffer_put_format(text, "null");
    } else {
        buffer_put_u8(text, '"');
        put_time(times.expires_ms, text);
        buffer_put_u8(text, '"');
    }
    buffer_put_format(text, ",\n  \"ephemeral\" : false\n}");
}

static enum status write_text(struct env *env, const char *directory, const char *name,
                              const struct buffer *text, struct error *error)
{
    char path[PATH_SIZE];
    if (text->overflow)
        return error_set(error, STATUS_OVERLOADED, "%s: %s is too long", directory, name);
    enum status status = join(path, directory, name, error);
    return status == STATUS_OK ? whole_file_write(env, directory, path, buffer_slice(text), error)
                               : status;
}

static enum status fill(struct env *env, const struct snapshot_source *source,
                        const char *directory, struct snapshot_times times, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < source->name_count && status == STATUS_OK; i++)
        status = link_sstable(env, source->directory, directory, &source->names[i], error);
    struct buffer text;
    buffer_init(&text, TEXT_SIZE_MAX);
    schema_text_put_file(source->table, &text);
    // Its names, and so those of the links, are durable with this.
    if (status == STATUS_OK) status = write_text(env, directory, schema_name, &text, error);
    buffer_clear(&text);
    put_manifest(source, times, &text);
    if (status == STATUS_OK) status = write_text(env, directory, manifest_name, &text, error);
    buffer_deinit(&text);
    return status;
}

// TABLE/NAME, made if it is missing, and durable.
static enum status make_under(struct env *env, const char *table_directory, const char *name,
                              char path[PATH_SIZE], struct error *error)
{
    enum status status = join(path, table_directory, name, error);
    return status == STATUS_OK ? new_directory_make_durable(env, path, error) : status;
}

enum status snapshot_directory_make(struct env *env, const struct snapshot_source *source,
                                    const char *tag, struct snapshot_times times,
                                    struct error *error)
{
    char snapshots[PATH_SIZE], directory[PATH_SIZE];
    enum status status = make_under(env, source->directory, "snapshots", snapshots, error);
    if (status == STATUS_OK) status = join(directory, snapshots, tag, error);
    if (status != STATUS_OK) return status;
    status = env_make_dir(env, directory, error);
    if (status == STATUS_EXISTS)
        return error_set(error, status, "Snapshot %s already exists.", tag);
    if (status == STATUS_OK) status = fill(env, source, directory, times, error);
    if (status == STATUS_OK) status = new_directory_keep(env, directory, error);
    if (status != STATUS_OK) (void)!snapshot_directory_remove(env, source->directory, tag, NULL);
    return status;
}

enum status snapshot_directory_back_up(struct env *env, const char *table_directory,
                                       const struct sstable_name *name, struct error *error)
{
    char backups[PATH_SIZE];
    enum status status = make_under(env, table_directory, "backups", backups, error);
    if (status == STATUS_OK) status = link_sstable(env, table_directory, backups, name, error);
    return status == STATUS_OK ? env_sync_dir(env, backups, error) : status;
}

// ---- What there is ------------------------------------------------------------------------------

struct listing {
    struct env *env;
    void (*found)(void *context, const struct snapshot_info *info);
    void *context;
    struct snapshot_info info;
    char directory[PATH_SIZE];       // The one that is being listed,
    char table_directory[PATH_SIZE]; // and the table's.
    enum status status;              // The first failure.
    struct error *error;
};

static void note(struct listing *listing, enum status status)
{
    // What goes while it is looked at was not there.
    if (listing->status == STATUS_OK && status != STATUS_NOT_FOUND) listing->status = status;
}

// Lists a directory below the present one, and comes back.
static void walk_into(struct listing *listing, const char *name,
                      void (*entry)(void *context, const char *name, bool is_dir))
{
    size_t length = strlen(listing->directory);
    int added = snprintf(listing->directory + length, PATH_SIZE - length, "/%s", name);
    if (added > 0 && (size_t)added < PATH_SIZE - length)
        note(listing,
             env_list_dir(listing->env, listing->directory, entry, listing, listing->error));
    listing->directory[length] = '\0';
}

static uint64_t file_size(struct listing *listing, const char *path)
{
    struct env_file *file;
    uint64_t size = 0;
    enum status status = env_file_open(listing->env, path, ENV_OPEN_READ, &file, listing->error);
    if (status == STATUS_OK) {
        status = env_file_size(file, &size, listing->error);
        env_file_close(file);
    }
    note(listing, status);
    return size;
}

static void found_file(void *context, const char *name, bool is_dir)
{
    struct listing *listing = context;
    struct snapshot_info *info = &listing->info;
    char path[PATH_SIZE], live[PATH_SIZE];
    if (is_dir || join(path, listing->directory, name, NULL) != STATUS_OK ||
        join(live, listing->table_directory, name, NULL) != STATUS_OK)
        return;
    uint64_t size = file_size(listing, path);
    bool exists = false, live_is_dir;
    note(listing, env_path_exists(listing->env, live, &exists, &live_is_dir, listing->error));
    info->size_on_disk += size;
    if (strcmp(name, manifest_name) == 0) info->is_whole = true;
    if (exists) return;
    info->true_size += size;
    struct sstable_name parsed;
    enum sstable_component component;
    if (sstable_name_parse(name, &parsed, &component, NULL) == STATUS_OK)
        info->true_components_size += size;
}

// The time that stands behind a key of manifest.json, or 0.
static int64_t read_time(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    if (at == NULL) return 0;
    at = strchr(at + strlen(key), ':');
    if (at == NULL) return 0;
    at += strspn(at, ": ");
    if (*at != '"') return 0; // null
    const char *end = strchr(++at, '"');
    int64_t ms;
    if (end == NULL ||
        calendar_parse_timestamp(slice_make(at, (size_t)(end - at)), &ms) != STATUS_OK)
        return 0;
    return ms;
}

static void read_times(struct listing *listing, const char *directory)
{
    char path[PATH_SIZE];
    struct snapshot_times *times = &listing->info.times;
    struct buffer text;
    buffer_init(&text, TEXT_SIZE_MAX);
    if (join(path, directory, manifest_name, NULL) == STATUS_OK &&
        whole_file_read(listing->env, path, &text, NULL) == STATUS_OK) {
        buffer_put_u8(&text, 0);
        times->created_ms = read_time((const char *)text.data, "\"created_at\"");
        times->expires_ms = read_time((const char *)text.data, "\"expires_at\"");
    }
    buffer_deinit(&text);
    int64_t changed_us;
    if (times->created_ms == 0 &&
        env_path_time(listing->env, directory, &changed_us, NULL) == STATUS_OK)
        times->created_ms = changed_us / 1000;
}

static void found_tag(void *context, const char *name, bool is_dir)
{
    struct listing *listing = context;
    struct snapshot_info *info = &listing->info;
    if (!is_dir || strlen(name) >= sizeof info->tag || listing->status != STATUS_OK) return;
    info->true_size = info->size_on_disk = info->true_components_size = 0;
    info->is_whole = false;
    info->times = (struct snapshot_times){0};
    (void)snprintf(info->tag, sizeof info->tag, "%s", name);
    walk_into(listing, name, found_file);
    char directory[PATH_SIZE];
    if (join(directory, listing->directory, name, NULL) == STATUS_OK)
        read_times(listing, directory);
    if (listing->status == STATUS_OK) listing->found(listing->context, info);
}

// "NAME-0123…", with 32 digits.
static void found_table(void *context, const char *name, bool is_dir)
{
    struct listing *listing = context;
    struct snapshot_info *info = &listing->info;
    size_t length = strlen(name);
    if (!is_dir || length <= HEX_SIZE + 1 || name[length - HEX_SIZE - 1] != '-' ||
        length - HEX_SIZE - 1 >= sizeof info->table || listing->status != STATUS_OK)
        return;
    (void)snprintf(info->table, sizeof info->table, "%.*s", (int)(length - HEX_SIZE - 1), name);
    if (join(listing->table_directory, listing->directory, name, NULL) != STATUS_OK) return;
    size_t before = strlen(listing->directory);
    (void)snprintf(listing->directory, PATH_SIZE, "%s", listing->table_directory);
    walk_into(listing, "snapshots", found_tag);
    listing->directory[before] = '\0';
}

static void found_keyspace(void *context, const char *name, bool is_dir)
{
    struct listing *listing = context;
    if (!is_dir || strlen(name) >= sizeof listing->info.keyspace) return;
    (void)snprintf(listing->info.keyspace, sizeof listing->info.keyspace, "%s", name);
    walk_into(listing, name, found_table);
}

enum status snapshot_directory_list(struct env *env, const char *data_directory,
                                    void (*found)(void *context, const struct snapshot_info *info),
                                    void *context, struct error *error)
{
    struct listing *listing = calloc(1, sizeof *listing);
    ASSERT(listing != NULL);
    listing->env = env;
    listing->found = found;
    listing->context = context;
    listing->error = error;
    listing->info.table_directory = listing->table_directory;
    (void)snprintf(listing->directory, PATH_SIZE, "%s", data_directory);
    note(listing, env_list_dir(env, data_directory, found_keyspace, listing, error));
    enum status status = listing->status;
    free(listing);
    return status;
}

// ---- Its end ------------------------------------------------------------------------------------

static enum status remove_files(struct env *env, const char *directory, struct error *error)
{
    struct directory_names names;
    enum status status = directory_remove_name(env, directory, manifest_name, error);
    // For good, before any other goes: else a crash could leave a part that says it is whole.
    if (status == STATUS_OK) status = env_sync_dir(env, directory, error);
    if (status == STATUS_OK) status = directory_names_list(&names, env, directory, error);
    if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    for (const char *name = NULL;
         status == STATUS_OK && (name = directory_names_next(&names, name)) != NULL;)
        status = directory_remove_name(env, directory, name, error);
    directory_names_deinit(&names);
    return status;
}

enum status snapshot_directory_remove(struct env *env, const char *table_directory, const char *tag,
                                      struct error *error)
{
    char directory[PATH_SIZE], snapshots[PATH_SIZE];
    bool exists, is_dir;
    enum status status = join_tag(directory, table_directory, tag, error);
    if (status == STATUS_OK) status = join(snapshots, table_directory, "snapshots", error);
    if (status == STATUS_OK) status = env_path_exists(env, directory, &exists, &is_dir, error);
    if (status != STATUS_OK || !exists) return status;
    status = remove_files(env, directory, error);
    if (status == STATUS_OK) status = env_remove_dir(env, directory, error);
    if (status == STATUS_OK) status = env_sync_dir(env, snapshots, error);
    return status;
}

void snapshot_directory_leave(struct env *env, const char *table_directory)
{
    char path[PATH_SIZE];
    // What is not empty stays, and so does what is above it.
    if (join(path, table_directory, "snapshots", NULL) == STATUS_OK &&
        env_remove_dir(env, path, NULL) == STATUS_OK)
        (void)!env_remove_dir(env, table_directory, NULL);
}
