#include "node/sstable_tool/tool_input.h"

#include "base/assert.h"
#include "node/sstable_tool/unfinished.h"
#include <stdlib.h>
#include <string.h>

struct finding {
    struct arena *arena;
    struct tool_inputs *inputs;
    size_t capacity;
    const char *directory;
    size_t found_count; // In this directory.
    const char *other;  // A Data.db there that is not ours to read: what is wrong with it.
    const char *advice; // Behind that, what to do.
    struct env *env;
    struct unfinished unfinished;
    enum status status; // Of reading logs.
    struct error *error;
};

static void add(struct finding *finding, const struct sstable_name *name)
{
    struct tool_inputs *inputs = finding->inputs;
    finding->found_count++;
    for (size_t i = 0; i < inputs->count; i++)
        if (sstable_name_equals(&inputs->items[i].name, name) &&
            strcmp(inputs->items[i].directory, finding->directory) == 0)
            return;
    if (inputs->count == finding->capacity) {
        struct tool_input *old = inputs->items;
        finding->capacity = finding->capacity == 0 ? 16 : 2 * finding->capacity;
        inputs->items = ARENA_NEW_ARRAY(finding->arena, struct tool_input, finding->capacity);
        if (inputs->count > 0) memcpy(inputs->items, old, inputs->count * sizeof *old);
    }
    inputs->items[inputs->count++] = (struct tool_input){finding->directory, *name};
}

static void look_at(void *context, const char *file, bool is_dir)
{
    struct finding *finding = context;
    struct sstable_name name;
    enum sstable_component component;
    if (is_dir || finding->status != STATUS_OK) return;
    finding->status = unfinished_add(&finding->unfinished, finding->env, finding->directory, file,
                                     finding->arena, finding->error);
    struct error error;
    enum status status = sstable_name_parse(file, &name, &component, &error);
    if (status == STATUS_OK && component == SSTABLE_DATA) add(finding, &name);
    if (status == STATUS_UNSUPPORTED && component == SSTABLE_DATA)
        finding->other = arena_copy_text(finding->arena, error.text);
}

static int compare_inputs(const void *left, const void *right)
{
    const struct tool_input *a = left, *b = right;
    uint64_t x = sstable_name_generation(&a->name), y = sstable_name_generation(&b->name);
    if (x != y) return x < y ? -1 : 1;
    int order = strcmp(a->name.id, b->name.id);
    return order != 0 ? order : (int)a->name.version - (int)b->name.version;
}

// What a log is still adding, or has removed, is not one of the table's.
static void pass_over_unfinished(struct finding *finding, size_t first)
{
    struct tool_inputs *inputs = finding->inputs;
    size_t kept = first;
    for (size_t i = first; i < inputs->count; i++) {
        if (unfinished_has(&finding->unfinished, &inputs->items[i].name))
            finding->found_count--;
        else
            inputs->items[kept++] = inputs->items[i];
    }
    inputs->count = kept;
}

static enum status find_in_directory(struct finding *finding, struct env *env, const char *path,
                                     struct error *error)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    finding->directory = arena_format(finding->arena, "%.*s", (int)size, path);
    size_t first = finding->inputs->count;
    finding->unfinished = (struct unfinished){NULL, 0, 0};
    finding->env = env;
    finding->status = STATUS_OK;
    finding->error = error;
    enum status status = env_list_dir(env, path, look_at, finding, error);
    if (status == STATUS_OK) status = finding->status;
    if (status != STATUS_OK) return status;
    pass_over_unfinished(finding, first);
    // Without it rows would be missing, or be there again that it says are deleted.
    if (finding->other != NULL)
        return error_set(error, STATUS_UNSUPPORTED, "%s/%s; %s", finding->directory, finding->other,
                         finding->advice);
    if (finding->found_count == 0)
        return error_set(error, STATUS_NOT_FOUND,
                         "%s: no SSTable; give the directory of one table, such as "
                         "data/keyspace/table-0123…, or a file such as nb-1-big-Data.db",
                         path);
    qsort(finding->inputs->items + first, finding->inputs->count - first,
          sizeof *finding->inputs->items, compare_inputs);
    return STATUS_OK;
}

static enum status find_file(struct finding *finding, const char *path, struct error *error)
{
    const char *slash = strrchr(path, '/');
    struct sstable_name name;
    enum sstable_component component;
    enum status status =
        sstable_name_parse(slash == NULL ? path : slash + 1, &name, &component, error);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, STATUS_INVALID,
                         "%s: not a file of an SSTable; such a name is nb-1-big-Data.db", path);
    if (status != STATUS_OK) return status;
    if (slash == NULL) {
        finding->directory = ".";
    } else {
        size_t size = slash == path ? 1 : (size_t)(slash - path);
        finding->directory = arena_format(finding->arena, "%.*s", (int)size, path);
    }
    add(finding, &name);
    return STATUS_OK;
}

static enum status find(struct env *env, char *const *paths, size_t path_count, const char *advice,
                        struct arena *arena, struct tool_inputs *inputs, struct error *error)
{
    *inputs = (struct tool_inputs){NULL, 0};
    struct finding finding = {.arena = arena, .inputs = inputs, .advice = advice};
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

enum status tool_inputs_find(struct env *env, char *const *paths, size_t path_count,
                             struct arena *arena, struct tool_inputs *inputs, struct error *error)
{
    const char *advice = "name the files that are to be read, in place of the directory";
    return find(env, paths, path_count, advice, arena, inputs, error);
}

enum status tool_inputs_find_beside(struct env *env, char *directory, const char *advice,
                                    struct arena *arena, struct tool_inputs *inputs,
                                    struct error *error)
{
    return find(env, &directory, 1, advice, arena, inputs, error);
}

void tool_input_path(char path[static SSTABLE_PATH_SIZE], const struct tool_input *input,
                     enum sstable_component component)
{
    sstable_name_path(path, input->directory, &input->name, component);
}

void tool_input_put(const struct tool_input *input, struct buffer *text)
{
    char path[SSTABLE_PATH_SIZE];
    tool_input_path(path, input, SSTABLE_DATA);
    buffer_put(text, path, strlen(path) - strlen("-Data.db"));
}
