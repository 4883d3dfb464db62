#include "node/sstable_tool/tool_input.h"

#include "base/assert.h"
#include "storage/sstable/format.h"

#include <stdlib.h>
#include <string.h>

struct finding {
    struct arena *arena;
    struct tool_inputs *inputs;
    size_t capacity;
    const char *directory;
    size_t found_count; // In this directory.
    const char *other;  // A Data.db there that is not ours to read.
};

static void add(struct finding *finding, uint64_t generation)
{
    struct tool_inputs *inputs = finding->inputs;
    finding->found_count++;
    for (size_t i = 0; i < inputs->count; i++)
        if (inputs->items[i].generation == generation &&
            strcmp(inputs->items[i].directory, finding->directory) == 0)
            return;
    if (inputs->count == finding->capacity) {
        struct tool_input *old = inputs->items;
        finding->capacity = finding->capacity == 0 ? 16 : 2 * finding->capacity;
        inputs->items = ARENA_NEW_ARRAY(finding->arena, struct tool_input, finding->capacity);
        if (inputs->count > 0) memcpy(inputs->items, old, inputs->count * sizeof *old);
    }
    inputs->items[inputs->count++] = (struct tool_input){finding->directory, generation};
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static void look_at(void *context, const char *name, bool is_dir)
{
    struct finding *finding = context;
    uint64_t generation;
    enum sstable_component component;
    if (is_dir) return;
    if (sstable_parse_name(name, &generation, &component)) {
        if (component == SSTABLE_DATA) add(finding, generation);
    } else if (ends_with(name, "-Data.db")) {
        finding->other = arena_copy_text(finding->arena, name);
    }
}

static int compare_inputs(const void *left, const void *right)
{
    const struct tool_input *a = left, *b = right;
    return (a->generation > b->generation) - (a->generation < b->generation);
}

static enum status find_in_directory(struct finding *finding, struct env *env, const char *path,
                                     struct error *error)
{
    finding->directory = path;
    size_t first = finding->inputs->count;
    enum status status = env_list_dir(env, path, look_at, finding, error);
    if (status != STATUS_OK) return status;
    if (finding->found_count == 0)
        return error_set(error, STATUS_NOT_FOUND,
                         "%s: no SSTable%s%s%s; give the directory of one table, such as "
                         "data/keyspace/table-0123…, or a file such as nb-1-big-Data.db",
                         path, finding->other == NULL ? "" : " of version nb (there is ",
                         finding->other == NULL ? "" : finding->other,
                         finding->other == NULL ? "" : ")");
    qsort(finding->inputs->items + first, finding->inputs->count - first,
          sizeof *finding->inputs->items, compare_inputs);
    return STATUS_OK;
}

static enum status find_file(struct finding *finding, const char *path, struct error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    uint64_t generation;
    enum sstable_component component;
    if (!sstable_parse_name(name, &generation, &component))
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: not a file of an SSTable that can be read; such a name is "
                         "nb-1-big-Data.db, with a whole number in it",
                         path);
    if (slash == NULL) {
        finding->directory = ".";
    } else {
        size_t size = slash == path ? 1 : (size_t)(slash - path);
        finding->directory = arena_format(finding->arena, "%.*s", (int)size, path);
    }
    add(finding, generation);
    return STATUS_OK;
}

enum status tool_inputs_find(struct env *env, char *const *paths, size_t path_count,
                             struct arena *arena, struct tool_inputs *inputs, struct error *error)
{
    *inputs = (struct tool_inputs){NULL, 0};
    struct finding finding = {.arena = arena, .inputs = inputs};
    for (size_t i = 0; i < path_count; i++) {
        bool exists, is_dir;
        enum status status = env_path_exists(env, paths[i], &exists, &is_dir, error);
        if (status != STATUS_OK) return status;
        if (!exists) return error_set(error, STATUS_NOT_FOUND, "%s: no such file", paths[i]);
        finding.found_count = 0;
        finding.other = NULL;
        status = is_dir ? find_in_directory(&finding, env, paths[i], error)
                        : find_file(&finding, paths[i], error);
        if (status != STATUS_OK) return status;
    }
    ASSERT(inputs->count > 0);
    return STATUS_OK;
}
