#include "stream/source.h"

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

void source_read(struct source *source, uint64_t limit,
                 void (*was_read)(void *context, enum status status, const struct error *error,
                                  const struct source_block *block),
                 void *context)
{
    source->was_read = was_read;
    source->context = context;
    source->ops->read(source, limit);
}

void source_destroy(struct source *source)
{
    if (source != NULL) source->ops->destroy(source);
}
