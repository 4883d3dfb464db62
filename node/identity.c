#include "node/identity.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "storage/whole_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_SIZE = 4096, TEXT_SIZE_MAX = 64 * 1024 };

// Each token is one step further round the ring than the one before; where the first lies is
// chance.
static void identity_make(struct env *env, size_t token_count, struct identity *identity)
{
    uint8_t random[16];
    env_random_bytes(env, random, sizeof random);
    identity->host_id = uuid_make_random(random);
    identity->token_count = token_count;
    uint64_t step = UINT64_MAX / token_count;
    uint64_t first = env_random_u64(env) % step;
    for (size_t i = 0; i < token_count; i++) {
        // Counted from the smallest token, so that they come out ascending; MIN64 itself is
        // nobody's.
        uint64_t distance = first + step * i + 1;
        identity->tokens[i].value = (int64_t)(distance ^ (UINT64_C(1) << 63));
    }
}

static void identity_format(const struct identity *identity, struct buffer *text)
{
    char host_id[UUID_TEXT_SIZE];
    uuid_format(identity->host_id, host_id);
    buffer_put_format(text, "host_id: %s\ntokens:", host_id);
    for (size_t i = 0; i < identity->token_count; i++)
        buffer_put_format(text, " %" PRId64, identity->tokens[i].value);
    buffer_put_format(text, "\n");
}

// `text` ends with a NUL.
static bool identity_parse(const char *text, struct identity *identity)
{
    static const char host_key[] = "host_id: ", token_key[] = "\ntokens:";
    const char *tokens = strstr(text, token_key);
    if (strncmp(text, host_key, strlen(host_key)) != 0 || tokens == NULL) return false;
    const char *host_id = text + strlen(host_key);
    struct slice host_text = slice_make(host_id, (size_t)(tokens - host_id));
    if (uuid_parse(host_text, &identity->host_id) != STATUS_OK) return false;
    const char *at = tokens + strlen(token_key);
    size_t count = 0;
    while (*at == ' ') {
        if (count == IDENTITY_TOKENS_MAX) return false;
        char *end;
        errno = 0;
        int64_t token = strtoll(at, &end, 10);
        if (end == at || errno == ERANGE) return false;
        if (count > 0 && token <= identity->tokens[count - 1].value) return false;
        identity->tokens[count++].value = token;
        at = end;
    }
    identity->token_count = count;
    return *at == '\n' && count > 0;
}

static enum status identity_write(struct env *env, const char *directory, const char *path,
                                  const struct identity *identity, struct error *error)
{
    struct buffer text;
    buffer_init(&text, TEXT_SIZE_MAX);
    identity_format(identity, &text);
    ASSERT(!text.overflow);
    enum status status = whole_file_write(env, directory, path, buffer_slice(&text), error);
    buffer_deinit(&text);
    return status;
}

static enum status identity_read(struct env *env, const char *path, struct identity *identity,
                                 struct error *error)
{
    struct buffer text;
    buffer_init(&text, TEXT_SIZE_MAX);
    enum status status = whole_file_read(env, path, &text, error);
    buffer_put_u8(&text, 0);
    if (status == STATUS_OK && (text.overflow || !identity_parse((char *)text.data, identity)))
        status = error_set(error, STATUS_CORRUPT,
                           "%s: not what this program writes: restore it, or begin with an empty "
                           "directory",
                           path);
    buffer_deinit(&text);
    return status;
}

enum status identity_open(struct env *env, const char *directory, size_t token_count,
                          struct identity *identity, struct error *error)
{
    ASSERT(token_count > 0 && token_count <= IDENTITY_TOKENS_MAX);
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/identity", directory);
    if (length < 0 || (size_t)length >= sizeof path - 8)
        return error_set(error, STATUS_INVALID, "%.400s: the path is too long", directory);
    enum status status = identity_read(env, path, identity, error);
    if (status != STATUS_NOT_FOUND) return status;
    identity_make(env, token_count, identity);
    return identity_write(env, directory, path, identity, error);
}
