#include "cql/parser/parser_state.h"

#include "cql/parser/syntax_error.h"

#include <stdarg.h>
#include <stdio.h>

void parser_init(struct parser *parser, struct slice text, struct arena *arena,
                 struct cql_error *error)
{
    // The inline tokens are left as they are: clearing them would cost more than reading most
    // statements.
    parser->text = text;
    parser->arena = arena;
    parser->error = error;
    parser->tokens = parser->inline_tokens;
    parser->token_count = 0;
    parser->token_capacity = PARSER_TOKENS_INLINE;
    parser->index = 0;
    parser->position = 0;
    parser->depth = 0;
    parser->failed = false;
    parser->has_error = false;
    parser->is_trying = false;
    parser->in_assignment = false;
    parser->allows_markers = true;
    parser->markers = NULL;
    parser->marker_count = 0;
    parser->marker_capacity = 0;
}

// ---- Tokens ------------------------------------------------------------------------------------

static void grow_tokens(struct parser *parser)
{
    uint32_t capacity = parser->token_capacity * 2;
    struct token_text *tokens = arena_alloc(parser->arena, capacity * sizeof *tokens);
    memcpy(tokens, parser->tokens, parser->token_count * sizeof *tokens);
    parser->tokens = tokens;
    parser->token_capacity = capacity;
}

// A fault of the lexer is told even by a syntactic predicate, as Cassandra does.
static struct token_text next_token(struct parser *parser)
{
    struct lexer_fault fault;
    struct token_text token = lexer_next(parser->text, parser->position, &fault);
    if (parser->token_count >= PARSER_TOKENS_MAX) token = (struct token_text){.kind = TOKEN_ERROR};
    if (token.kind != TOKEN_ERROR) return token;
    parser->failed = true;
    if (parser->has_error) return token;
    parser->has_error = true;
    if (parser->token_count >= PARSER_TOKENS_MAX)
        (void)cql_error_set(parser->error, CQL_ERROR_SYNTAX,
                            "The statement has more than %d tokens", PARSER_TOKENS_MAX);
    else
        (void)syntax_error_set_from_lexer(parser->text, &fault, parser->error);
    return token;
}

void parser_load(struct parser *parser, uint32_t count)
{
    while (parser->token_count < count) {
        if (parser->token_count == parser->token_capacity) grow_tokens(parser);
        struct token_text token = next_token(parser);
        parser->position = token.start + token.size;
        if (token.kind == TOKEN_HIDDEN) continue;
        parser->tokens[parser->token_count++] = token;
    }
}

bool parser_expect(struct parser *parser, enum token_kind kind)
{
    return parser_take(parser, kind) || parser_fail_mismatch(parser, kind);
}

struct slice parser_span(const struct parser *parser, uint32_t first)
{
    const struct token_text *from = &parser->tokens[first];
    const struct token_text *to =
        &parser->tokens[parser->index > first ? parser->index - 1 : first];
    return slice_make(parser->text.data + from->start, to->start + to->size - from->start);
}

static struct slice fold(struct parser *parser, struct slice word)
{
    size_t i = 0;
    while (i < word.size && !(word.data[i] >= 'A' && word.data[i] <= 'Z'))
        i++;
    if (i == word.size) return word;
    uint8_t *copy = arena_alloc(parser->arena, word.size);
    for (i = 0; i < word.size; i++)
        copy[i] = word.data[i] >= 'A' && word.data[i] <= 'Z' ? word.data[i] | 0x20 : word.data[i];
    return slice_make(copy, word.size);
}

struct slice parser_take_value(struct parser *parser)
{
    struct token_text token = parser->tokens[parser->index];
    struct slice raw = parser_take_raw(parser);
    if (token.kind == TOKEN_IDENT || lexer_is_keyword(token.kind)) return fold(parser, raw);
    if (token.kind == TOKEN_EMPTY_QUOTED_NAME) return slice_make(raw.data, 0);
    if (token.kind != TOKEN_STRING && token.kind != TOKEN_QUOTED_NAME) return raw;

    // Without a doubled quote the value is a part of the text.
    size_t size = syntax_error_token_value(parser->text, token, NULL, 0);
    size_t quotes = raw.data[0] == '$' ? 4 : 2;
    if (size + quotes == raw.size) return slice_make(raw.data + quotes / 2, size);
    char *value = arena_alloc(parser->arena, size);
    (void)syntax_error_token_value(parser->text, token, value, size);
    return slice_make(value, size);
}

struct slice parser_take_raw(struct parser *parser)
{
    struct slice raw = parser_token_text(parser, parser->index);
    parser_skip(parser);
    return raw;
}

// ---- Faults ------------------------------------------------------------------------------------

static bool fail(struct parser *parser, uint32_t found_index, const char *expected)
{
    bool is_told = !parser->is_trying && !parser->has_error;
    parser->failed = true;
    if (!is_told) return false;
    parser->has_error = true;
    struct syntax_error error = {
        .text = parser->text,
        .found = parser->tokens[found_index],
        .offending = parser->tokens[parser->index],
        .last = parser->tokens[parser->token_count - 1],
        .expected = expected,
    };
    return syntax_error_set(&error, parser->error);
}

bool parser_fail_no_viable(struct parser *parser, uint32_t k)
{
    (void)parser_peek(parser, k);
    return fail(parser, parser->index + k - 1, NULL);
}

bool parser_fail_mismatch(struct parser *parser, enum token_kind expected)
{
    (void)parser_peek(parser, 1);
    return fail(parser, parser->index, lexer_token_name(expected));
}

bool parser_fail_text(struct parser *parser, const char *format, ...)
{
    parser->failed = true;
    if (parser->is_trying || parser->has_error) return false;
    parser->has_error = true;
    char text[CQL_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return cql_error_set(parser->error, CQL_ERROR_SYNTAX, "%s", text);
}

bool parser_fail_invalid(struct parser *parser, const char *text)
{
    parser->failed = true;
    if (parser->is_trying || parser->has_error) return false;
    parser->has_error = true;
    return cql_error_set(parser->error, CQL_ERROR_INVALID, "%s", text);
}

bool parser_fail_exception(struct parser *parser, const char *exception)
{
    int shown_size = parser->text.size < 1024 ? (int)parser->text.size : 1024;
    return parser_fail_text(parser, "Failed parsing statement: [%.*s] reason: %s", shown_size,
                            (const char *)parser->text.data, exception);
}

bool parser_enter(struct parser *parser)
{
    parser->depth++;
    if (parser->depth <= PARSER_DEPTH_MAX) return true;
    return parser_fail_exception(parser, "StackOverflowError null");
}

// ---- Lists -------------------------------------------------------------------------------------

void *parser_list_add(struct parser *parser, struct parser_list *list, size_t item_size)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        void *items = arena_alloc(parser->arena, capacity * item_size);
        if (list->count > 0) memcpy(items, list->items, list->count * item_size);
        list->items = items;
        list->capacity = capacity;
    }
    void *item = (uint8_t *)list->items + list->count * item_size;
    memset(item, 0, item_size);
    list->count++;
    return item;
}
