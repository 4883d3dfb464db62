#include "node/cql_script.h"

#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "cql/client/client.h"
#include "storage/whole_file.h"

#include <ctype.h>

enum { SCRIPT_SIZE_MAX = 16 << 20 };

#define STATEMENT_TIMEOUT_NS (60 * UINT64_C(1000000000))

// ---- Cutting ------------------------------------------------------------------------------------

struct scan {
    struct slice text;
    size_t at, line;
};

static char char_at(const struct scan *scan, size_t distance)
{
    size_t at = scan->at + distance;
    return at < scan->text.size ? (char)scan->text.data[at] : '\0';
}

static void advance(struct scan *scan, size_t count)
{
    for (; count > 0 && scan->at < scan->text.size; count--)
        if (scan->text.data[scan->at++] == '\n') scan->line++;
}

static void skip_to(struct scan *scan, const char *end)
{
    size_t size = strlen(end);
    while (scan->at < scan->text.size) {
        bool found = scan->text.size - scan->at >= size &&
                     memcmp(scan->text.data + scan->at, end, size) == 0;
        advance(scan, found ? size : 1);
        if (found) return;
    }
}

// Past a comment, if one begins here.
static bool skip_comment(struct scan *scan)
{
    char first = char_at(scan, 0), second = char_at(scan, 1);
    if ((first == '-' && second == '-') || (first == '/' && second == '/'))
        skip_to(scan, "\n");
    else if (first == '/' && second == '*')
        skip_to(scan, "*/");
    else
        return false;
    return true;
}

// Past a text or a quoted name; a quote in it is written twice, which is two texts in a row here.
static bool skip_quoted(struct scan *scan)
{
    char first = char_at(scan, 0);
    if (first == '\'' || first == '"') {
        advance(scan, 1);
        skip_to(scan, first == '\'' ? "'" : "\"");
        return true;
    }
    if (first != '$' || char_at(scan, 1) != '$') return false;
    advance(scan, 2);
    skip_to(scan, "$$");
    return true;
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

// Is the word in `text` from `from` to `to` this one (in lower case)?
static bool is_word(const struct scan *scan, size_t from, size_t to, const char *word)
{
    if (to - from != strlen(word)) return false;
    for (size_t i = from; i < to; i++)
        if (tolower(scan->text.data[i]) != word[i - from]) return false;
    return true;
}

bool cql_script_next(struct slice *text, struct slice *statement, size_t *line)
{
    struct scan scan = {.text = *text, .line = *line};
    size_t begin = SIZE_MAX, begin_line = 0;
    bool in_batch = false, is_first = true, applies = false;
    while (scan.at < scan.text.size) {
        if (skip_comment(&scan)) continue;
        char c = char_at(&scan, 0);
        bool ends = c == ';' && !in_batch;
        if (ends && begin != SIZE_MAX) break;
        if (begin == SIZE_MAX && !isspace((unsigned char)c) && c != ';') {
            begin = scan.at;
            begin_line = scan.line;
        }
        if (skip_quoted(&scan)) continue;
        size_t word = scan.at;
        while (is_word_char(char_at(&scan, 0)))
            advance(&scan, 1);
        if (scan.at == word) {
            advance(&scan, 1);
            continue;
        }
        if (is_first && is_word(&scan, word, scan.at, "begin")) in_batch = true;
        if (applies && is_word(&scan, word, scan.at, "batch")) in_batch = false;
        applies = is_word(&scan, word, scan.at, "apply");
        is_first = false;
    }
    if (begin == SIZE_MAX) return false;
    *statement = slice_make(scan.text.data + begin, scan.at - begin);
    advance(&scan, 1); // The ';'.
    *text = slice_make(scan.text.data + scan.at, scan.text.size - scan.at);
    *line = begin_line;
    return true;
}

// ---- Running ------------------------------------------------------------------------------------

struct script {
    struct env *env;
    struct cql_client *client;
    struct cql_client_request request;
    const char *name;
    struct slice text;
    size_t line, line_end;
    enum status status;
    struct error *error;
};

static void script_end(struct script *script, enum status status, const char *what, size_t size)
{
    script->status = status;
    if (status != STATUS_OK)
        (void)error_set(script->error, status, "%s:%zu: %.*s", script->name, script->line,
                        (int)size, what);
    env_uv_stop(script->env);
}

static void script_next(struct script *script);

static void script_answered(struct cql_client_request *request, enum status status,
                            const struct answer *answer)
{
    struct script *script = CONTAINER_OF(request, struct script, request);
    if (status != STATUS_OK)
        script_end(script, status, status_text(status), strlen(status_text(status)));
    else if (answer->opcode == OPCODE_ERROR)
        script_end(script, STATUS_INVALID, (const char *)answer->error_text.data,
                   answer->error_text.size);
    else
        script_next(script);
}

static size_t lines_between(const uint8_t *from, const uint8_t *to)
{
    size_t count = 0;
    for (; from < to; from++)
        count += *from == '\n';
    return count;
}

static void script_next(struct script *script)
{
    struct slice statement;
    const uint8_t *from = script->text.data;
    script->line = script->line_end;
    if (!cql_script_next(&script->text, &statement, &script->line)) {
        script_end(script, STATUS_OK, "", 0);
        return;
    }
    script->line_end += lines_between(from, script->text.data);
    const struct query_options options = {.consistency = CONSISTENCY_QUORUM};
    enum status status =
        cql_client_query(script->client, &script->request, statement, &options, script_answered);
    if (status != STATUS_OK)
        script_end(script, status, status_text(status), strlen(status_text(status)));
}

static void script_connected(void *context, enum status status, const struct error *error)
{
    struct script *script = context;
    if (status == STATUS_OK)
        script_next(script);
    else
        script_end(script, status, error->text, strlen(error->text));
}

enum status cql_script_run(struct env *env, const struct cql_script_server *server,
                           const char *name, struct slice text, struct error *error)
{
    struct script script = {
        .env = env, .name = name, .text = text, .line = 1, .line_end = 1, .error = error};
    const struct cql_client_options options = {
        .address = server->address,
        .version = 4,
        .in_flight_max = 1,
        .timeout_ns = STATEMENT_TIMEOUT_NS,
        .user = server->login->user,
        .password = server->login->password,
        .tls = server->tls,
    };
    script.client = cql_client_create(env, &options, script_connected, &script);
    env_uv_run(env);
    cql_client_close(script.client);
    return script.status;
}

enum status cql_script_run_file(struct env *env, const struct cql_script_server *server,
                                const char *path, struct error *error)
{
    struct buffer text;
    buffer_init(&text, SCRIPT_SIZE_MAX);
    enum status status = whole_file_read(env, path, &text, error);
    if (status == STATUS_OK) status = cql_script_run(env, server, path, buffer_slice(&text), error);
    buffer_deinit(&text);
    return status;
}
