#include "tests/storage/support/vectors.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_all(struct vectors *vectors, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return false;
    arena_init(&vectors->arena, 65536);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    ck_assert_int_ge(size, 0);
    rewind(file);
    char *text = arena_alloc(&vectors->arena, (size_t)size + 1);
    ck_assert_uint_eq(fread(text, 1, (size_t)size, file), (size_t)size);
    text[size] = '\0';
    fclose(file);
    vectors->next = text;
    vectors->line = 0;
    return true;
}

void vectors_open(struct vectors *vectors, const char *path)
{
    ck_assert_msg(read_all(vectors, path), "no file %s: run from the project's root", path);
}

void vectors_open_golden(struct vectors *vectors, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "tests/golden/vectors/%s", name);
    vectors_open(vectors, path);
}

void vectors_close(struct vectors *vectors)
{
    arena_deinit(&vectors->arena);
}

bool vectors_next(struct vectors *vectors)
{
    for (;;) {
        char *line = vectors->next;
        if (*line == '\0') return false;
        char *end = strchr(line, '\n');
        vectors->next = end == NULL ? line + strlen(line) : end + 1;
        if (end != NULL) *end = '\0';
        vectors->line++;
        if (*line == '\0' || *line == '#') continue;
        vectors->field_count = 0;
        for (char *field = line; field != NULL;) {
            ck_assert_int_lt(vectors->field_count, VECTOR_FIELDS_MAX);
            vectors->fields[vectors->field_count++] = field;
            field = strchr(field, '\t');
            if (field != NULL) *field++ = '\0';
        }
        return true;
    }
}

struct slice vectors_hex(struct vectors *vectors, const char *digits)
{
    if (strcmp(digits, "-") == 0) return slice_make("", 0);
    size_t size = strlen(digits) / 2;
    uint8_t *bytes = arena_alloc(&vectors->arena, size + 1);
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        ck_assert_int_eq(sscanf(digits + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    return slice_make(bytes, size);
}

struct slice vectors_text(struct vectors *vectors, const char *escaped)
{
    char *text = arena_alloc(&vectors->arena, strlen(escaped) + 1), *at = text;
    for (; *escaped != '\0'; escaped++) {
        if (*escaped != '\\') {
            *at++ = *escaped;
            continue;
        }
        escaped++;
        *at++ = *escaped == 'n' ? '\n' : *escaped == 't' ? '\t' : *escaped == '0' ? '\0' : *escaped;
    }
    return slice_make(text, (size_t)(at - text));
}

char *vectors_to_hex(struct vectors *vectors, struct slice bytes)
{
    char *text = arena_alloc(&vectors->arena, 2 * bytes.size + 1);
    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    text[2 * bytes.size] = '\0';
    return text;
}
