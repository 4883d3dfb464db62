#include "node/members.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "storage/whole_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PATH_SIZE = 4096,
    WORD_SIZE = 128,
    // A token is 20 characters and a space at most, the rest of a line a few hundred.
    TEXT_SIZE_MAX = (TOPOLOGY_TOKENS_MAX * 21 + 1024) * 64,
};

static enum status make_path(const char *directory, char path[static PATH_SIZE],
                             struct error *error)
{
    int length = snprintf(path, PATH_SIZE, "%s/members", directory);
    if (length > 0 && length < PATH_SIZE - 8) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%.400s: the path is too long", directory);
}

// ---- Writing ------------------------------------------------------------------------------------

static bool is_word(const char *text)
{
    return text[0] != '\0' && strpbrk(text, " \t\r\n") == NULL;
}

static void put_member(struct buffer *text, const struct member *member)
{
    char host_id[UUID_TEXT_SIZE], address[ENV_ADDRESS_TEXT_SIZE], rpc[ENV_ADDRESS_TEXT_SIZE];
    uuid_format(member->host_id, host_id);
    env_address_format(&member->address, address);
    env_address_format(&member->rpc_address, rpc);
    buffer_put_format(text, "member: %s %s %s %s %s", host_id, address, rpc, member->data_center,
                      member->rack);
    for (size_t i = 0; i < member->token_count; i++)
        buffer_put_format(text, " %" PRId64, member->tokens[i].value);
    buffer_put_format(text, "\n");
}

enum status members_write(struct env *env, const char *directory, const struct topology *topology,
                          uint16_t self, struct error *error)
{
    ASSERT(self < topology->member_count);
    char path[PATH_SIZE];
    enum status status = make_path(directory, path, error);
    if (status != STATUS_OK) return status;
    struct buffer text;
    buffer_init(&text, TEXT_SIZE_MAX);
    buffer_put_format(&text, "self: %u\n", self);
    for (uint16_t i = 0; i < topology->member_count && status == STATUS_OK; i++) {
        const struct member *member = &topology->members[i];
        if (!is_word(member->data_center) || !is_word(member->rack))
            status = error_set(error, STATUS_INVALID,
                               "'%s', '%s': names of a data centre and a rack have no spaces",
                               member->data_center, member->rack);
        put_member(&text, member);
    }
    if (status == STATUS_OK && text.overflow)
        status = error_set(error, STATUS_INVALID, "%s: too many members and tokens", path);
    if (status == STATUS_OK)
        status = whole_file_write(env, directory, path, buffer_slice(&text), error);
    buffer_deinit(&text);
    return status;
}

// ---- Reading ------------------------------------------------------------------------------------

// The next word of a line; false at the line's end or when it is too long.
static bool next_word(const char **at, char word[static WORD_SIZE])
{
    while (**at == ' ')
        (*at)++;
    size_t size = strcspn(*at, " \n");
    if (size == 0 || size >= WORD_SIZE) return false;
    memcpy(word, *at, size);
    word[size] = '\0';
    *at += size;
    return true;
}

// "127.0.0.1:7000", "[::1]:7000".
static bool parse_address(const char *word, struct env_address *address)
{
    char host[WORD_SIZE];
    const char *colon = strrchr(word, ':');
    if (colon == NULL || colon[1] < '0' || colon[1] > '9') return false;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    size_t size = (size_t)(colon - word);
    if (*end != '\0' || port > UINT16_MAX) return false;
    if (size > 2 && word[0] == '[' && word[size - 1] == ']') {
        word++;
        size -= 2;
    }
    memcpy(host, word, size);
    host[size] = '\0';
    return env_address_parse(host, (uint16_t)port, address) == STATUS_OK;
}

static bool parse_token(const char *word, struct token *token)
{
    char *end;
    errno = 0;
    token->value = strtoll(word, &end, 10);
    return end != word && *end == '\0' && errno == 0;
}

static bool parse_name(const char **at, char name[static TOPOLOGY_NAME_SIZE])
{
    char word[WORD_SIZE];
    if (!next_word(at, word) || strlen(word) >= TOPOLOGY_NAME_SIZE) return false;
    memcpy(name, word, strlen(word) + 1);
    return true;
}

// `tokens` has room for TOPOLOGY_TOKENS_MAX.
static bool parse_member(const char **at, struct member *member, struct token *tokens)
{
    char word[WORD_SIZE];
    if (!next_word(at, word) || uuid_parse(slice_of_text(word), &member->host_id) != STATUS_OK)
        return false;
    if (!next_word(at, word) || !parse_address(word, &member->address)) return false;
    if (!next_word(at, word) || !parse_address(word, &member->rpc_address)) return false;
    if (!parse_name(at, member->data_center) || !parse_name(at, member->rack)) return false;
    member->tokens = tokens;
    member->token_count = 0;
    while (next_word(at, word)) {
        if (member->token_count == TOPOLOGY_TOKENS_MAX) return false;
        if (!parse_token(word, &tokens[member->token_count++])) return false;
    }
    return **at == '\n';
}

static bool begins_with(const char **at, const char *key)
{
    if (strncmp(*at, key, strlen(key)) != 0) return false;
    *at += strlen(key);
    return true;
}

struct parsed_members {
    struct member *members;
    struct token *tokens; // TOPOLOGY_TOKENS_MAX for each member.
    size_t count;
    uint16_t self;
};

// The number of the first line that is wrong; 0: none. `text` ends with a NUL.
static size_t parse_lines(const char *text, struct parsed_members *parsed)
{
    size_t line = 1;
    const char *at = text;
    char word[WORD_SIZE], *end;
    if (!begins_with(&at, "self: ") || !next_word(&at, word) || word[0] < '0' || word[0] > '9')
        return line;
    unsigned long self = strtoul(word, &end, 10);
    if (*end != '\0' || *at != '\n' || self >= TOPOLOGY_MEMBERS_MAX) return line;
    parsed->self = (uint16_t)self;
    for (at++; *at != '\0'; at++) {
        line++;
        struct member *member = &parsed->members[parsed->count];
        if (parsed->count == TOPOLOGY_MEMBERS_MAX || !begins_with(&at, "member: ")) return line;
        struct token *tokens = parsed->tokens + parsed->count * TOPOLOGY_TOKENS_MAX;
        if (!parse_member(&at, member, tokens)) return line;
        parsed->count++;
    }
    return self < parsed->count ? 0 : 1;
}

static enum status parse(const char *path, const char *text, struct topology **topology,
                         uint16_t *self, struct error *error)
{
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    if (lines > TOPOLOGY_MEMBERS_MAX + 1)
        return error_set(error, STATUS_CORRUPT, "%s: more than %d members", path,
                         TOPOLOGY_MEMBERS_MAX);
    struct parsed_members parsed = {
        .members = calloc(lines + 1, sizeof *parsed.members),
        .tokens = malloc((lines + 1) * TOPOLOGY_TOKENS_MAX * sizeof *parsed.tokens),
    };
    ASSERT(parsed.members != NULL && parsed.tokens != NULL);
    size_t wrong = parse_lines(text, &parsed);
    enum status status = STATUS_OK;
    if (wrong != 0) {
        status = error_set(error, STATUS_CORRUPT,
                           "%s:%zu: not what 'helenus ring start' writes: restore the file, it is "
                           "the same for all nodes but for 'self'",
                           path, wrong);
    } else {
        struct error inner;
        status = topology_make(parsed.members, parsed.count, topology, &inner);
        if (status != STATUS_OK)
            status = error_set(error, STATUS_CORRUPT, "%s: %.400s", path, inner.text);
    }
    if (status == STATUS_OK) *self = parsed.self;
    free(parsed.members);
    free(parsed.tokens);
    return status;
}

enum status members_read(struct env *env, const char *directory, struct topology **topology,
                         uint16_t *self, struct error *error)
{
    char path[PATH_SIZE];
    enum status status = make_path(directory, path, error);
    if (status != STATUS_OK) return status;
    struct buffer text;
    buffer_init(&text, TEXT_SIZE_MAX);
    status = whole_file_read(env, path, &text, error);
    buffer_put_u8(&text, 0);
    if (status == STATUS_OK && text.overflow)
        status = error_set(error, STATUS_CORRUPT, "%s: too long", path);
    if (status == STATUS_OK) status = parse(path, (char *)text.data, topology, self, error);
    buffer_deinit(&text);
    if (status != STATUS_NOT_FOUND) return status;
    *topology = NULL;
    *self = 0;
    return STATUS_OK;
}
