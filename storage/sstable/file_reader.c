#include "storage/sstable/file_reader.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>

static enum status read_all(struct env_file *file, const char *path, uint64_t size_max,
                            struct slice *bytes, struct error *error)
{
    uint64_t size;
    enum status status = env_file_size(file, &size, error);
    if (status != STATUS_OK) return status;
    if (size > size_max)
        return error_set(error, STATUS_UNSUPPORTED, "%s: has %" PRIu64 " bytes, more than %" PRIu64,
                         path, size, size_max);
    uint8_t *data = malloc(size == 0 ? 1 : size);
    ASSERT(data != NULL);
    size_t read_size = 0;
    status = env_file_read(file, 0, data, size, &read_size, error);
    if (status == STATUS_OK && read_size != size)
        status = error_set(error, STATUS_IO, "%s: ends at %zu while it is read", path, read_size);
    if (status != STATUS_OK) {
        free(data);
        return status;
    }
    *bytes = slice_make(data, size);
    return STATUS_OK;
}

enum status file_reader_read_file(struct env *env, const char *path, uint64_t size_max,
                                  struct slice *bytes, struct error *error)
{
    struct env_file *file;
    enum status status = env_file_open(env, path, ENV_OPEN_READ, &file, error);
    if (status != STATUS_OK) return status;
    status = read_all(file, path, size_max, bytes, error);
    env_file_close(file);
    return status;
}
