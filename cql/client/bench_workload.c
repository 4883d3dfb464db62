#include "cql/client/bench_workload.h"

#include <ctype.h>
#include <stdlib.h>

enum { LINE_SIZE_MAX = 64 * 1024 };

// What stands between two statements.
struct parse {
    struct bench_workload *workload;
    int line;
    struct bench_value values[BENCH_VALUES_MAX];
    size_t value_count;
    uint64_t weight;
    struct error *error;
};

static enum status malformed(struct parse *parse, const char *why)
{
    return error_set(parse->error, STATUS_MALFORMED, "line %d: %s", parse->line, why);
}

static enum status parse_bind(struct parse *parse, const char *text)
{
    struct error error;
    if (parse->value_count == BENCH_VALUES_MAX) return malformed(parse, "too many binds");
    if (bench_value_parse(text, &parse->values[parse->value_count], &error) != STATUS_OK)
        return malformed(parse, error.text);
    parse->value_count++;
    return STATUS_OK;
}

// Markers outside of quotes and comments: as many as binds must be there.
static size_t count_markers(const char *text)
{
    size_t count = 0;
    char quote = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (quote != 0)
            quote = *at == quote ? 0 : quote;
        else if (*at == '\'' || *at == '"')
            quote = *at;
        else if (*at == '?')
            count++;
    }
    return count;
}

static enum status parse_statement(struct parse *parse, const char *text)
{
    struct bench_workload *workload = parse->workload;
    if (workload->statement_count == BENCH_STATEMENTS_MAX)
        return malformed(parse, "too many statements");
    size_t markers = count_markers(text);
    if (markers != parse->value_count)
        return error_set(parse->error, STATUS_MALFORMED,
                         "line %d: %zu markers (?) but %zu binds before it", parse->line, markers,
                         parse->value_count);
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ';' || isspace((unsigned char)text[size - 1])))
        size--;
    struct bench_statement *statement = &workload->statements[workload->statement_count++];
    statement->text = arena_copy(&workload->arena, slice_make(text, size));
    statement->values = ARENA_NEW_ARRAY(&workload->arena, struct bench_value, markers);
    if (markers > 0) memcpy(statement->values, parse->values, markers * sizeof parse->values[0]);
    statement->value_count = markers;
    statement->weight = parse->weight;
    workload->weight_sum += parse->weight;
    parse->value_count = 0;
    parse->weight = 1;
    return STATUS_OK;
}

// What follows "-- WORD " in a line, or NULL.
static const char *after_word(const char *line, const char *word)
{
    const char *at = line + 2;
    while (*at == ' ')
        at++;
    size_t size = strlen(word);
    if (strncmp(at, word, size) != 0 || at[size] != ' ') return NULL;
    return at + size + 1;
}

static enum status parse_line(struct parse *parse, const char *line)
{
    while (isspace((unsigned char)*line))
        line++;
    if (*line == '\0') return STATUS_OK;
    if (strncmp(line, "--", 2) != 0) return parse_statement(parse, line);
    const char *text;
    if ((text = after_word(line, "bind")) != NULL) return parse_bind(parse, text);
    if ((text = after_word(line, "weight")) != NULL) {
        long long weight = atoll(text);
        if (weight < 1 || weight > 1000000) return malformed(parse, "weight is from 1 to 1000000");
        parse->weight = (uint64_t)weight;
    } else if ((text = after_word(line, "setup")) != NULL) {
        struct bench_workload *workload = parse->workload;
        if (workload->setup_count == BENCH_SETUP_MAX) return malformed(parse, "too many setups");
        workload->setup[workload->setup_count++] =
            arena_copy(&workload->arena, slice_of_text(text));
    }
    return STATUS_OK;
}

enum status bench_workload_parse(struct bench_workload *workload, struct slice text,
                                 struct error *error)
{
    *workload = (struct bench_workload){0};
    arena_init(&workload->arena, 4096);
    struct parse *parse = ARENA_NEW(&workload->arena, struct parse);
    *parse = (struct parse){.workload = workload, .weight = 1, .error = error};
    enum status status = STATUS_OK;
    for (size_t at = 0; at < text.size && status == STATUS_OK;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.size - at);
        size_t size = end == NULL ? text.size - at : (size_t)(end - (text.data + at));
        parse->line++;
        if (size > LINE_SIZE_MAX) return malformed(parse, "the line is too long");
        char *line =
            arena_format(&workload->arena, "%.*s", (int)size, (const char *)text.data + at);
        status = parse_line(parse, line);
        at += size + 1;
    }
    if (status == STATUS_OK && workload->statement_count == 0)
        return error_set(error, STATUS_MALFORMED, "there is no statement");
    if (status == STATUS_OK && parse->value_count > 0)
        return malformed(parse, "a bind without a statement behind it");
    return status;
}

void bench_workload_deinit(struct bench_workload *workload)
{
    arena_deinit(&workload->arena);
}

struct bench_statement *bench_workload_choose(struct bench_workload *workload,
                                              struct random *random)
{
    if (workload->statement_count == 1) return &workload->statements[0];
    uint64_t at = random_below(random, workload->weight_sum);
    struct bench_statement *statement = workload->statements;
    while (at >= statement->weight)
        at -= (statement++)->weight;
    return statement;
}
