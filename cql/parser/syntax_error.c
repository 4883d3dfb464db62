#include "cql/parser/syntax_error.h"

#include <stdio.h>
#include <string.h>

enum {
    TOKENS_BEFORE = 10,
    TOKENS_BEHIND = 2,
    VALUE_SIZE_MAX = 512, // Of a token in a message.
};

// ---- Places ------------------------------------------------------------------------------------

static bool begins_character(uint8_t byte)
{
    return (byte & 0xC0) != 0x80;
}

// Characters of Java: two for each code point past U+FFFF.
static unsigned utf16_units(const uint8_t *data, size_t size)
{
    unsigned units = 0;
    for (size_t i = 0; i < size; i++)
        units += begins_character(data[i]) ? 1u + (data[i] >= 0xF0) : 0u;
    return units;
}

// The offset `units` behind `from`, at most the end of the line.
static uint32_t advance(struct slice text, uint32_t from, unsigned units)
{
    uint32_t position = from;
    while (units > 0 && position < text.size && text.data[position] != '\n') {
        units -= text.data[position] >= 0xF0 && units > 1 ? 2 : 1;
        position++;
        while (position < text.size && !begins_character(text.data[position]))
            position++;
    }
    return position;
}

static uint32_t line_start(struct slice text, uint32_t position)
{
    while (position > 0 && text.data[position - 1] != '\n')
        position--;
    return position;
}

static unsigned line_number(struct slice text, uint32_t position)
{
    unsigned line = 1;
    for (uint32_t i = 0; i < position; i++)
        line += text.data[i] == '\n';
    return line;
}

static unsigned column_number(struct slice text, uint32_t position)
{
    uint32_t start = line_start(text, position);
    return utf16_units(text.data + start, position - start);
}

// ---- Values ------------------------------------------------------------------------------------

size_t syntax_error_token_value(struct slice text, struct token_text token, char *value,
                                size_t size)
{
    const uint8_t *data = text.data + token.start;
    size_t end = token.size, from = 0, count = 0;
    uint8_t quote = 0;
    if (token.kind == TOKEN_STRING && data[0] == '$') {
        from = 2;
        end -= 2;
    } else if (token.kind == TOKEN_STRING || token.kind == TOKEN_QUOTED_NAME) {
        quote = data[0];
        from = 1;
        end -= 1;
    }
    for (size_t i = from; i < end; i++) {
        if (count < size) value[count] = (char)data[i];
        count++;
        if (quote != 0 && data[i] == quote) i++; // The second of the two.
    }
    return count;
}

// The offset at which Cassandra believes the token ends.
static uint32_t value_end(struct slice text, struct token_text token)
{
    if (token.kind != TOKEN_STRING && token.kind != TOKEN_QUOTED_NAME)
        return token.start + token.size;
    char value[VALUE_SIZE_MAX];
    size_t size = syntax_error_token_value(text, token, value, sizeof value);
    if (size > sizeof value) return token.start + token.size;
    return advance(text, token.start, utf16_units((const uint8_t *)value, size));
}

// ---- Snippet -----------------------------------------------------------------------------------

// The tokens of the statement around the offending one, hidden ones counted.
struct window {
    struct token_text tokens[TOKENS_BEFORE + 1 + TOKENS_BEHIND]; // The last ones read.
    uint32_t count;                                              // Read so far.
};

enum { WINDOW_SIZE = TOKENS_BEFORE + 1 + TOKENS_BEHIND };

static struct token_text window_at(const struct window *window, uint32_t index)
{
    return window->tokens[index % WINDOW_SIZE];
}

// Reads up to TOKENS_BEHIND behind the offending token, or to `last`. Returns the index of the
// offending one.
static uint32_t window_fill(struct window *window, const struct syntax_error *error)
{
    uint32_t position = 0, offending = 0;
    bool is_found = false;
    struct lexer_fault fault;
    for (;;) {
        struct token_text token = lexer_next(error->text, position, &fault);
        if (token.kind == TOKEN_ERROR) break;
        if (token.start >= error->offending.start && !is_found && token.kind != TOKEN_HIDDEN) {
            offending = window->count;
            is_found = true;
        }
        window->tokens[window->count % WINDOW_SIZE] = token;
        window->count++;
        position = token.start + token.size;
        if (token.kind == TOKEN_EOF || token.start >= error->last.start) break;
        if (is_found && window->count > offending + TOKENS_BEHIND) break;
    }
    return offending;
}

struct snippet {
    uint32_t from, mark, mark_end, end; // Offsets.
};

static size_t put(char *out, size_t used, size_t size, const char *data, size_t data_size)
{
    for (size_t i = 0; i < data_size && used + 1 < size; i++)
        out[used++] = data[i];
    return used;
}

// The text of [from, end) with the marks, without the line ends, as Cassandra joins lines.
static size_t put_marked(char *out, size_t used, size_t size, struct slice text,
                         struct snippet snippet)
{
    for (uint32_t i = snippet.from; i <= snippet.end; i++) {
        if (i == snippet.mark) used = put(out, used, size, "[", 1);
        if (i == snippet.mark_end) used = put(out, used, size, "]", 1);
        if (i < snippet.end && text.data[i] != '\n')
            used = put(out, used, size, (const char *)text.data + i, 1);
    }
    return used;
}

// " (…)" or nothing, with a NUL.
static void put_snippet(const struct syntax_error *error, char *out, size_t size)
{
    out[0] = 0;
    struct window window = {.count = 0};
    uint32_t index = window_fill(&window, error);
    if (window.count == 0) return;
    struct token_text offending = window_at(&window, index);
    struct token_text to = window_at(&window, window.count - 1);
    struct token_text from = window_at(&window, index > TOKENS_BEFORE ? index - TOKENS_BEFORE : 0);
    if (to.kind == TOKEN_EOF || offending.kind == TOKEN_EOF) return;

    struct slice text = error->text;
    struct snippet snippet = {from.start, offending.start, value_end(text, offending),
                              value_end(text, to)};
    if (snippet.mark_end > snippet.end) snippet.end = snippet.mark_end;
    size_t text_end = text.size;
    while (text_end > 0 && text.data[text_end - 1] == '\n') // String.split() drops empty lines.
        text_end--;
    size_t used = put(out, 0, size, " (", 2);
    if (snippet.from != 0) used = put(out, used, size, "...", 3);
    used = put_marked(out, used, size, text, snippet);
    if (snippet.end != text_end) used = put(out, used, size, "...", 3);
    used = put(out, used, size, ")", 1);
    out[used] = 0;
}

// ---- Messages ----------------------------------------------------------------------------------

// 'text', with the escapes of ANTLR's getTokenErrorDisplay().
static void put_token(struct slice text, struct token_text token, char *out, size_t size)
{
    char value[VALUE_SIZE_MAX];
    size_t count = syntax_error_token_value(text, token, value, sizeof value);
    if (token.kind == TOKEN_EOF) {
        snprintf(out, size, "'<EOF>'");
        return;
    }
    if (count > sizeof value) count = sizeof value;
    size_t used = put(out, 0, size, "'", 1);
    for (size_t i = 0; i < count; i++) {
        const char *escape = value[i] == '\n'   ? "\\n"
                             : value[i] == '\r' ? "\\r"
                             : value[i] == '\t' ? "\\t"
                                                : NULL;
        used =
            escape != NULL ? put(out, used, size, escape, 2) : put(out, used, size, &value[i], 1);
    }
    used = put(out, used, size, "'", 1);
    out[used] = 0;
}

bool syntax_error_set(const struct syntax_error *syntax_error, struct cql_error *error)
{
    char place[32] = "line 0:-1", found[VALUE_SIZE_MAX * 2 + 3], snippet[CQL_ERROR_TEXT_SIZE];
    struct token_text token = syntax_error->found;
    if (token.kind != TOKEN_EOF)
        snprintf(place, sizeof place, "line %u:%u", line_number(syntax_error->text, token.start),
                 column_number(syntax_error->text, token.start));
    put_token(syntax_error->text, token, found, sizeof found);
    put_snippet(syntax_error, snippet, sizeof snippet);
    if (syntax_error->expected == NULL)
        return cql_error_set(error, CQL_ERROR_SYNTAX, "%s no viable alternative at input %s%s",
                             place, found, snippet);
    return cql_error_set(error, CQL_ERROR_SYNTAX, "%s mismatched input %s expecting %s%s", place,
                         found, syntax_error->expected, snippet);
}

bool syntax_error_set_from_lexer(struct slice text, const struct lexer_fault *fault,
                                 struct cql_error *error)
{
    return cql_error_set(error, CQL_ERROR_SYNTAX, "line %u:%u %s",
                         line_number(text, fault->position), column_number(text, fault->position),
                         fault->text);
}
