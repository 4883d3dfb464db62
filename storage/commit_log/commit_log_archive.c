#include "storage/commit_log/commit_log_archive.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "base/container_of.h"

#include <signal.h>
#include <stdlib.h>

enum { COMMAND_SIZE_MAX = 64 * 1024 };
#define RETRY_NS (10 * UINT64_C(1000000000))

static void fire_retry(struct env_timer *timer)
{
    struct commit_log_archive *archive = CONTAINER_OF(timer, struct commit_log_archive, retry);
    archive->ended(archive->context);
}

void commit_log_archive_init(struct commit_log_archive *archive, struct env *env, struct log *log,
                             const char *command, const char *directory,
                             void (*ended)(void *context), void *context)
{
    *archive = (struct commit_log_archive){
        .env = env, .log = log, .directory = directory, .ended = ended, .context = context};
    if (command == NULL || *command == '\0') return;
    archive->command = strdup(command);
    ASSERT(archive->command != NULL);
    // Those that the start found come in the loop's first turn.
    env_timer_start(env, &archive->retry, 0, fire_retry);
}

void commit_log_archive_deinit(struct commit_log_archive *archive)
{
    env_timer_stop(archive->env, &archive->retry);
    free(archive->command);
}

// ---- The command -------------------------------------------------------------------------------

// In quotes of the shell: 'it'\''s'.
static void put_quoted(struct buffer *text, const char *word)
{
    buffer_put_u8(text, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            buffer_put_format(text, "'\\''");
        } else {
            buffer_put_u8(text, (uint8_t)*word);
        }
    }
    buffer_put_u8(text, '\'');
}

// "cp 'DIR/CommitLog-7.log' /backup", and then the word that tells of success.
static void put_command(const struct commit_log_archive *archive, const char *path,
                        struct buffer *text)
{
    const char *name = strrchr(path, '/') + 1;
    buffer_put_format(text, "{ ");
    for (const char *at = archive->command; *at != '\0'; at++) {
        if (strncmp(at, "%path", 5) == 0) {
            put_quoted(text, path);
            at += 4;
        } else if (strncmp(at, "%name", 5) == 0) {
            put_quoted(text, name);
            at += 4;
        } else {
            buffer_put_u8(text, (uint8_t)*at);
        }
    }
    // What the command leaves running must not hold the descriptor.
    buffer_put_format(text, "\n} 3>&- && echo archived >&3");
    buffer_put_u8(text, 0);
}

// ---- Its end -----------------------------------------------------------------------------------

static void command_failed(struct commit_log_archive *archive, uint64_t id, const char *why)
{
    if (archive->log != NULL)
        LOG_WARN(archive->log,
                 "commit log: %s/CommitLog-%llu.log is not archived, and tried again: %s",
                 archive->directory, (unsigned long long)id, why);
    env_timer_start(archive->env, &archive->retry, RETRY_NS, fire_retry);
}

static void command_said(void *context, struct slice bytes)
{
    struct commit_log_archive *archive = context;
    if (bytes.size > 0) {
        archive->has_succeeded = true;
        return;
    }
    struct commit_log_segment *segment = archive->running;
    archive->running = NULL;
    segment->is_archived = archive->has_succeeded;
    if (!archive->has_succeeded)
        command_failed(archive, segment->id, "the command did not end with 0");
    archive->ended(archive->context);
}

void commit_log_archive_start(struct commit_log_archive *archive,
                              struct commit_log_segment *segment)
{
    if (archive->running != NULL || env_timer_is_started(&archive->retry)) return;
    char path[COMMIT_LOG_PATH_MAX];
    commit_log_segment_path(archive->directory, segment->id, path);
    struct buffer text;
    buffer_init(&text, COMMAND_SIZE_MAX);
    put_command(archive, path, &text);
    const char *const arguments[] = {"/bin/sh", "-c", (const char *)text.data, NULL};
    const struct env_process_options options = {
        .arguments = arguments, .said = command_said, .context = archive};
    struct error error;
    archive->has_succeeded = false;
    if (text.overflow) {
        command_failed(archive, segment->id, "the command is too long");
    } else if (env_process_start(archive->env, &options, &archive->pid, &error) != STATUS_OK) {
        command_failed(archive, segment->id, error.text);
    } else {
        archive->running = segment;
    }
    buffer_deinit(&text);
}

void commit_log_archive_stop(struct commit_log_archive *archive)
{
    env_timer_stop(archive->env, &archive->retry);
    if (archive->running != NULL)
        (void)!env_process_signal(archive->env, archive->pid, SIGKILL, NULL);
}
