// The corpus of CQL statements with Cassandra 5.0.4's answers (corpus/shipped of the shared
// folder): each line of a .expected.jsonl file has a statement and, when it failed, its error.
#ifndef TESTS_CQL_PARSER_CORPUS_CASES_H
#define TESTS_CQL_PARSER_CORPUS_CASES_H

#include "base/arena.h"

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

struct corpus_case {
    const char *file;
    struct slice statement;
    unsigned error_code; // 0: none.
    const char *error_text;
};

struct corpus_cases {
    struct arena arena;
    struct corpus_case *items;
    size_t count, capacity;
};

static inline unsigned corpus_hex4(const char *text)
{
    char digits[5] = {text[0], text[1], text[2], text[3], 0};
    return (unsigned)strtoul(digits, NULL, 16);
}

// Writes a code point as UTF-8.
static inline char *corpus_put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = (char)(0xE0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    } else {
        *out++ = (char)(0xF0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3F));
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    return out;
}

// The JSON string behind `"key": ` in `line`, unescaped, with a NUL; null if there is none.
static inline struct slice corpus_string(struct arena *arena, const char *line, const char *key)
{
    char pattern[64];
    (void)snprintf(pattern, sizeof pattern, "\"%s\": \"", key);
    const char *at = strstr(line, pattern);
    if (at == NULL) return slice_null();
    at += strlen(pattern);
    char *text = arena_alloc(arena, strlen(at) + 1), *out = text;
    for (; *at != '"' && *at != 0; at++) {
        if (*at != '\\') {
            *out++ = *at;
            continue;
        }
        at++;
        if (*at == 'u') {
            unsigned code = corpus_hex4(at + 1);
            at += 4;
            if (code >= 0xD800 && code < 0xDC00 && at[1] == '\\') {
                code = 0x10000 + ((code - 0xD800) << 10) + (corpus_hex4(at + 3) - 0xDC00);
                at += 6;
            }
            out = corpus_put_utf8(out, code);
        } else {
            static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
            const char *found = strchr(from, *at);
            *out++ = found != NULL ? to[found - from] : *at;
        }
    }
    *out = 0;
    return slice_make(text, (size_t)(out - text));
}

static inline void corpus_add_line(struct corpus_cases *cases, const char *file, const char *line)
{
    struct slice statement = corpus_string(&cases->arena, line, "statement");
    // The parts of a batch that was sent as a BATCH message are written as one.
    if (slice_is_null(statement) || strstr((const char *)statement.data, "\n--;\n") != NULL) return;
    if (cases->count == cases->capacity) {
        cases->capacity = cases->capacity == 0 ? 256 : cases->capacity * 2;
        cases->items = realloc(cases->items, cases->capacity * sizeof *cases->items);
    }
    struct corpus_case *item = &cases->items[cases->count++];
    *item = (struct corpus_case){.file = file, .statement = statement};
    const char *error = strstr(line, "\"error\": {");
    if (error == NULL) return;
    struct slice code = corpus_string(&cases->arena, error, "code");
    struct slice text = corpus_string(&cases->arena, error, "message");
    item->error_code = (unsigned)strtoul((const char *)code.data, NULL, 16);
    item->error_text = (const char *)text.data;
}

// All of them; none, with a line that says so, when the shared folder is not there. In CI that is a
// failure.
static inline void corpus_cases_load(struct corpus_cases *cases)
{
    *cases = (struct corpus_cases){.count = 0};
    arena_init(&cases->arena, 1 << 20);
    const char *shared = getenv("HELENUS_SHARED");
    char pattern[512];
    (void)snprintf(pattern, sizeof pattern, "%s/corpus/shipped/*.expected.jsonl",
                   shared == NULL ? "../shared" : shared);
    glob_t paths;
    if (glob(pattern, 0, NULL, &paths) != 0) {
        printf("skipped: no ../shared\n");
        const char *ci = getenv("CI");
        ck_assert_msg(ci == NULL || strcmp(ci, "true") != 0, "no ../shared in CI");
        return;
    }
    char *line = NULL;
    size_t size = 0;
    for (size_t i = 0; i < paths.gl_pathc; i++) {
        const char *name = arena_copy_text(&cases->arena, strrchr(paths.gl_pathv[i], '/') + 1);
        FILE *file = fopen(paths.gl_pathv[i], "r");
        ck_assert_ptr_nonnull(file);
        while (getline(&line, &size, file) > 0)
            corpus_add_line(cases, name, line);
        (void)fclose(file);
    }
    free(line);
    globfree(&paths);
}

static inline void corpus_cases_free(struct corpus_cases *cases)
{
    free(cases->items);
    arena_deinit(&cases->arena);
}

#endif
