#include "node/sstable_tool/tool_output.h"

#include "base/limits.h"
#include "storage/new_directory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_SIZE = 256 * 1024 };

enum status tool_output_begin(struct tool_output *output, struct env *env, const char *path,
                              struct error *error)
{
    *output = (struct tool_output){.env = env, .path = path};
    if (path != NULL && strcmp(path, "-") == 0) output->path = NULL;
    // One value may be as large as a row.
    buffer_init(&output->text, GIB);
    if (output->path == NULL) return STATUS_OK;
    enum status status = env_file_open(
        env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &output->file, error);
    if (status == STATUS_EXISTS)
        status =
            error_set(error, status, "%s is there already: remove it or give another name", path);
    if (status != STATUS_OK) buffer_deinit(&output->text);
    return status;
}

static enum status write_out(struct tool_output *output, struct error *error)
{
    struct buffer *text = &output->text;
    if (text->overflow)
        return error_set(error, STATUS_UNSUPPORTED, "one piece of the output is larger than 1 GiB");
    enum status status = STATUS_OK;
    if (text->size == 0) return STATUS_OK;
    if (output->file != NULL) {
        status = env_file_write(output->file, output->offset, text->data, text->size, error);
    } else if (fwrite(text->data, 1, text->size, stdout) != text->size || fflush(stdout) != 0) {
        output->was_cut = errno == EPIPE;
        status = output->was_cut
                     ? STATUS_CLOSED
                     : error_set(error, STATUS_IO, "standard output: %s", strerror(errno));
    }
    output->offset += text->size;
    buffer_clear(text);
    return status;
}

enum status tool_output_step(struct tool_output *output, struct error *error)
{
    return output->text.size < PIECE_SIZE && !output->text.overflow ? STATUS_OK
                                                                    : write_out(output, error);
}

enum status tool_output_end(struct tool_output *output, enum status status, struct error *error)
{
    struct error late;
    enum status written = output->was_cut ? STATUS_CLOSED : write_out(output, &late);
    if (output->file != NULL) {
        if (written == STATUS_OK && status == STATUS_OK)
            written = env_file_sync(output->file, &late);
        if (written == STATUS_OK && status == STATUS_OK)
            written = new_directory_keep(output->env, output->path, &late);
        env_file_close(output->file);
    }
    buffer_deinit(&output->text);
    if (status != STATUS_OK || written == STATUS_OK) return status;
    if (written != STATUS_CLOSED) *error = late;
    return written;
}
