#include "storage/sstable/file_writer.h"

#include "base/assert.h"
#include "base/limits.h"

enum { GATHERED_MAX = 256 * 1024, UNSYNCED_MAX = 8 * 1024 * 1024 };

enum status file_writer_init(struct file_writer *writer, struct env *env, const char *path,
                             struct error *error)
{
    *writer = (struct file_writer){0};
    enum status status = env_file_open(
        env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &writer->file, error);
    if (status != STATUS_OK) return status;
    buffer_init(&writer->gathered, GATHERED_MAX + GIB);
    writer->hash = checksum_xxh3_create(0);
    return STATUS_OK;
}

static enum status sync_written(struct file_writer *writer, struct error *error)
{
    writer->synced = writer->written;
    return env_file_sync(writer->file, error);
}

static enum status write_gathered(struct file_writer *writer, struct error *error)
{
    if (writer->gathered.size == 0) return STATUS_OK;
    struct slice bytes = buffer_slice(&writer->gathered);
    checksum_xxh3_add(writer->hash, bytes);
    enum status status =
        env_file_write(writer->file, writer->written, bytes.data, bytes.size, error);
    if (status != STATUS_OK) return status;
    writer->written += bytes.size;
    buffer_clear(&writer->gathered);
    if (writer->written - writer->synced < UNSYNCED_MAX) return STATUS_OK;
    return sync_written(writer, error);
}

enum status file_writer_put(struct file_writer *writer, struct slice bytes, struct error *error)
{
    buffer_put(&writer->gathered, bytes.data, bytes.size);
    ASSERT(!writer->gathered.overflow);
    return writer->gathered.size < GATHERED_MAX ? STATUS_OK : write_gathered(writer, error);
}

enum status file_writer_finish(struct file_writer *writer, struct error *error)
{
    enum status status = write_gathered(writer, error);
    if (status != STATUS_OK) return status;
    return sync_written(writer, error);
}

uint64_t file_writer_hash(const struct file_writer *writer)
{
    ASSERT(writer->gathered.size == 0);
    return checksum_xxh3_value(writer->hash);
}

void file_writer_deinit(struct file_writer *writer)
{
    if (writer->file == NULL) return;
    env_file_close(writer->file);
    buffer_deinit(&writer->gathered);
    checksum_xxh3_destroy(writer->hash);
    writer->file = NULL;
}

enum status file_writer_write_file(struct env *env, const char *path, struct slice bytes,
                                   uint64_t *hash, struct error *error)
{
    struct file_writer writer;
    enum status status = file_writer_init(&writer, env, path, error);
    if (status != STATUS_OK) return status;
    status = file_writer_put(&writer, bytes, error);
    if (status == STATUS_OK) status = file_writer_finish(&writer, error);
    if (status == STATUS_OK) *hash = file_writer_hash(&writer);
    file_writer_deinit(&writer);
    return status;
}
