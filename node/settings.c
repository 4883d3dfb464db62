#include "node/settings.h"

#include "cql/system/system_tables.h"
#include "node/ring_directory.h"

#include <stdio.h>
#include <string.h>

enum { FILE_SIZE_MAX = 4096, KEPT_COUNT = 4 };

struct kept {
    const char *key;
    char value[CONFIG_TEXT_SIZE];
};

static void list_kept(const struct node_identity *self, struct kept kept[static KEPT_COUNT])
{
    const char *const values[] = {self->cluster_name, self->data_center, self->rack};
    static const char *const keys[KEPT_COUNT] = {"cluster_name", "data_center", "rack",
                                                 "num_tokens"};
    for (size_t i = 0; i < KEPT_COUNT; i++)
        kept[i].key = keys[i];
    for (size_t i = 0; i < KEPT_COUNT - 1; i++) {
        (void)snprintf(kept[i].value, sizeof kept[i].value, "%s", values[i]);
        kept[i].value[strcspn(kept[i].value, "\n")] = '\0';
    }
    (void)snprintf(kept[KEPT_COUNT - 1].value, sizeof kept[KEPT_COUNT - 1].value, "%zu",
                   self->token_count);
}

static void make_path(const char *directory, char path[static RING_PATH_SIZE + 16])
{
    (void)snprintf(path, RING_PATH_SIZE + 16, "%s/settings", directory);
}

// Empty when there is none. It ends with a NUL.
static enum status read_file(struct env *env, const char *directory,
                             char text[static FILE_SIZE_MAX], struct error *error)
{
    char path[RING_PATH_SIZE + 16];
    struct env_file *file;
    size_t size = 0;
    text[0] = '\0';
    make_path(directory, path);
    enum status status = env_file_open(env, path, ENV_OPEN_READ, &file, error);
    if (status == STATUS_NOT_FOUND) return STATUS_OK;
    if (status != STATUS_OK) return status;
    status = env_file_read(file, 0, text, FILE_SIZE_MAX - 1, &size, error);
    env_file_close(file);
    text[size] = '\0';
    return status;
}

// False: no whole line tells of it.
static bool find_value(const char *text, const char *key, char value[static CONFIG_TEXT_SIZE])
{
    size_t key_size = strlen(key);
    const char *end;
    for (const char *line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        if (strncmp(line, key, key_size) != 0 || strncmp(line + key_size, ": ", 2) != 0) continue;
        const char *begin = line + key_size + 2;
        if (end < begin || end - begin >= CONFIG_TEXT_SIZE) return false;
        memcpy(value, begin, (size_t)(end - begin));
        value[end - begin] = '\0';
        return true;
    }
    return false;
}

enum status settings_check(struct env *env, const char *directory, const struct config *config,
                           const char *source, struct error *error)
{
    char text[FILE_SIZE_MAX], before[CONFIG_TEXT_SIZE];
    struct kept kept[KEPT_COUNT];
    enum status status = read_file(env, directory, text, error);
    if (status != STATUS_OK) return status;
    const struct node_identity asked = {.cluster_name = config->cluster_name,
                                        .data_center = config->data_center,
                                        .rack = config->rack,
                                        .token_count = (size_t)config->num_tokens};
    list_kept(&asked, kept);
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        if (!find_value(text, kept[i].key, before) || strcmp(before, kept[i].value) == 0) continue;
        return error_set(error, STATUS_INVALID,
                         "%.200s: %s is '%.60s', but this node began with '%.60s' and keeps it: "
                         "set it back, or begin with an empty directory",
                         source, kept[i].key, kept[i].value, before);
    }
    return STATUS_OK;
}

void settings_keep(struct env *env, const char *directory, const struct node_identity *self)
{
    char path[RING_PATH_SIZE + 16], text[FILE_SIZE_MAX], before[CONFIG_TEXT_SIZE];
    struct kept kept[KEPT_COUNT];
    bool is_whole = read_file(env, directory, text, NULL) == STATUS_OK;
    list_kept(self, kept);
    for (size_t i = 0; i < KEPT_COUNT; i++)
        is_whole = is_whole && find_value(text, kept[i].key, before);
    if (is_whole) return;
    size_t size = 0;
    for (size_t i = 0; i < KEPT_COUNT; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s: %s\n", kept[i].key,
                                 kept[i].value);
    make_path(directory, path);
    (void)!ring_write_text(env, path, text, NULL);
}
