// What an earlier life left: files of hints, none of which takes more, and what was truncated.
#include "base/assert.h"
#include "base/checksum.h"
#include "ring/coordinator/hints_internal.h"
#include "storage/new_directory.h"

#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_DIGITS = 20, NAME_SIZE = UUID_TEXT_SIZE + NUMBER_DIGITS + (int)sizeof ".hints" - 1 };

static void hints_read_truncations(struct hints *hints)
{
    char path[HINTS_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/truncations", hints->directory);
    struct env_file *file;
    if (env_file_open(hints->env, path, ENV_OPEN_READ, &file, NULL) != STATUS_OK) return;
    uint64_t size = 0;
    if (env_file_size(file, &size, NULL) != STATUS_OK || size > HINTS_TRUNCATIONS_MAX * 24ull + 16)
        size = 0;
    uint8_t *bytes = malloc(size + 1);
    ASSERT(bytes != NULL);
    size_t read = 0;
    if (env_file_read(file, 0, bytes, size, &read, NULL) != STATUS_OK) read = 0;
    env_file_close(file);
    if (read >= 16 && (read - 16) % 24 == 0 && bytes_get_u64(bytes) == HINTS_TRUNCATIONS_MAGIC &&
        bytes_get_u64(bytes + read - 8) ==
            checksum_xxh3(slice_make(bytes, read - 8), HINTS_TRUNCATIONS_MAGIC)) {
        hints->truncation_count = (read - 16) / 24;
        hints->truncations = calloc(hints->truncation_count + 1, sizeof *hints->truncations);
        ASSERT(hints->truncations != NULL);
        for (size_t i = 0; i < hints->truncation_count; i++) {
            const uint8_t *entry = bytes + 8 + i * 24;
            uint64_t number = bytes_get_u64(entry + 16);
            hints->truncations[i] = (struct hints_truncation){uuid_from_bytes(entry), number};
            // Else a new file could get a number for which something is void.
            if (hints->next_number < number) hints->next_number = number;
        }
    }
    free(bytes);
}

// "<host id>-<number>.hints".
static bool hints_parse_name(const char *name, struct uuid *host, uint64_t *number)
{
    if (strlen(name) != NAME_SIZE || strcmp(name + NAME_SIZE - 6, ".hints") != 0) return false;
    if (uuid_parse(slice_make(name, UUID_TEXT_SIZE - 1), host) != STATUS_OK) return false;
    if (name[UUID_TEXT_SIZE - 1] != '-') return false;
    *number = 0;
    for (int i = 0; i < NUMBER_DIGITS; i++) {
        char digit = name[UUID_TEXT_SIZE + i];
        if (digit < '0' || digit > '9' || *number > UINT64_MAX / 10 - 10) return false;
        *number = *number * 10 + (uint64_t)(digit - '0');
    }
    return *number > 0;
}

static bool hints_look_at_file(struct hints *hints, const char *path, struct hint_file *found)
{
    struct env_file *file;
    if (env_file_open(hints->env, path, ENV_OPEN_READ, &file, NULL) != STATUS_OK) return false;
    uint8_t head[HINTS_MAGIC_SIZE + HINTS_RECORD_HEAD_SIZE] = {0};
    size_t read = 0;
    uint64_t size = 0;
    bool is_good = env_file_size(file, &size, NULL) == STATUS_OK &&
                   env_file_read(file, 0, head, sizeof head, &read, NULL) == STATUS_OK;
    env_file_close(file);
    found->written = size;
    // A time that a crash left half written only makes a hint too old, or not. One that it left
    // unwritten is no time: the member, still down, would get no more hints for its sake.
    found->first_us = (int64_t)bytes_get_u64(head + HINTS_MAGIC_SIZE + 12);
    if (found->first_us == 0) found->first_us = env_wall_us(hints->env);
    return is_good;
}

static void hints_found_entry(void *context, const char *name, bool is_dir)
{
    struct hints *hints = context;
    struct uuid host;
    struct hint_file found = {0};
    if (is_dir || !hints_parse_name(name, &host, &found.number)) return;
    const struct topology *topology = metadata_topology(hints->metadata);
    if (topology == NULL) return;
    if (found.number >= hints->next_number) hints->next_number = found.number + 1;
    struct hint_member *member = hints_member(hints, topology_find_member(topology, host));
    char path[HINTS_PATH_MAX];
    if (member == NULL) return; // Of nobody we know.
    hints_format_path(hints, member->host, found.number, path);
    if (!hints_look_at_file(hints, path, &found)) return;
    struct hint_file *file = malloc(sizeof *file);
    ASSERT(file != NULL);
    *file = found;
    buffer_init(&file->pending, 0);
    // Names come in order, so numbers of one host do.
    if (member->last == NULL)
        member->files = file;
    else
        member->last->next = file;
    member->last = file;
    member->size += file->written;
}

enum status hints_find_files(struct hints *hints, struct error *error)
{
    // Its name is durable before the first hint is.
    enum status status = new_directory_make_durable(hints->env, hints->directory, error);
    if (status != STATUS_OK) return status;
    hints_read_truncations(hints);
    return env_list_dir(hints->env, hints->directory, hints_found_entry, hints, error);
}
