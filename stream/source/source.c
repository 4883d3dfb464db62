#include "stream/source/source.h"

#include "base/assert.h"

#include <string.h>

enum status source_open(struct env *env, const char *location, const char *spool_directory,
                        struct source **source, struct error *error)
{
    bool is_live = strcmp(location, "-") == 0 || strncmp(location, "http://", 7) == 0;
    if (is_live) return source_live_open(env, location, spool_directory, source, error);
    if (strstr(location, "://") != NULL)
        return error_set(error, STATUS_INVALID, "%s: only http:// can be read", location);
    return source_file_open(env, location, source, error);
}

void source_read(struct source *source, const struct source_wanted *wanted,
                 void (*was_read)(void *context, enum status status, const struct error *error,
                                  const struct source_block *block),
                 void *context)
{
    ASSERT(wanted->size > 0 && wanted->size <= SOURCE_BLOCK_SIZE);
    source->wanted = *wanted;
    source->was_read = was_read;
    source->context = context;
    source->ops->read(source);
}

size_t source_lines_size(struct slice bytes, uint64_t lines_max, uint64_t *line_count)
{
    size_t size = 0;
    uint64_t count = 0;
    while (size < bytes.size && count < lines_max) {
        const uint8_t *newline = memchr(bytes.data + size, '\n', bytes.size - size);
        size = newline == NULL ? bytes.size : (size_t)(newline + 1 - bytes.data);
        count++;
    }
    *line_count = count;
    return size;
}

void source_destroy(struct source *source)
{
    if (source != NULL) source->ops->destroy(source);
}
