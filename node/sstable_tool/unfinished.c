#include "node/sstable_tool/unfinished.h"

#include "base/limits.h"
#include "storage/sstable/file_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begins_with(struct slice text, const char *start)
{
    size_t size = strlen(start);
    return text.size >= size && memcmp(text.data, start, size) == 0;
}

static struct slice next_line(struct slice *text)
{
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    size_t size = end == NULL ? text->size : (size_t)(end - text->data);
    struct slice line = slice_make(text->data, size);
    size_t used = end == NULL ? size : size + 1;
    *text = slice_make(text->data + used, text->size - used);
    return line;
}

// The name at the end of the path in "ADD:[/data/ks/t-0011…/nb-3-big-,0,8][1234567890]".
static struct slice prefix_of(struct slice line)
{
    const uint8_t *comma = memchr(line.data, ',', line.size);
    if (comma == NULL) return slice_null();
    const uint8_t *start = comma;
    while (start > line.data && start[-1] != '/' && start[-1] != '[')
        start--;
    return slice_make(start, (size_t)(comma - start));
}

static void add(struct unfinished *unfinished, struct slice prefix, struct arena *arena)
{
    if (prefix.size == 0) return;
    if (unfinished->count == unfinished->capacity) {
        size_t capacity = unfinished->capacity == 0 ? 8 : 2 * unfinished->capacity;
        struct slice *prefixes = ARENA_NEW_ARRAY(arena, struct slice, capacity);
        if (unfinished->count > 0)
            memcpy(prefixes, unfinished->prefixes, unfinished->count * sizeof *prefixes);
        unfinished->prefixes = prefixes;
        unfinished->capacity = capacity;
    }
    unfinished->prefixes[unfinished->count++] = arena_copy(arena, prefix);
}

enum status unfinished_add(struct unfinished *unfinished, struct env *env, const char *directory,
                           const char *name, struct arena *arena, struct error *error)
{
    size_t size = strlen(name);
    if (strncmp(name, "nb_txn_", 7) != 0 || size < 4 || strcmp(name + size - 4, ".log") != 0)
        return STATUS_OK;
    char path[SSTABLE_PATH_SIZE];
    (void)snprintf(path, sizeof path, "%.3500s/%.500s", directory, name);
    struct slice file;
    enum status status = file_reader_read_file(env, path, 16 * MIB, &file, error);
    if (status == STATUS_NOT_FOUND) return STATUS_OK; // It has finished meanwhile.
    if (status != STATUS_OK) return status;
    bool is_committed = false;
    for (struct slice text = file; text.size > 0;)
        if (begins_with(next_line(&text), "COMMIT:")) is_committed = true;
    for (struct slice text = file; text.size > 0;) {
        struct slice line = next_line(&text);
        if (begins_with(line, is_committed ? "REMOVE:" : "ADD:"))
            add(unfinished, prefix_of(line), arena);
    }
    free((void *)file.data);
    return STATUS_OK;
}

bool unfinished_has(const struct unfinished *unfinished, const struct sstable_name *name)
{
    if (unfinished->count == 0) return false;
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, "", name, SSTABLE_DATA);
    // "/nb-3-big-Data.db"
    struct slice prefix = slice_make(path + 1, strlen(path + 1) - strlen("Data.db"));
    for (size_t i = 0; i < unfinished->count; i++)
        if (slice_equals(unfinished->prefixes[i], prefix)) return true;
    return false;
}
