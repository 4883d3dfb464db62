// Files of test vectors: lines of fields with a tab between them, '#' before remarks.
#ifndef TESTS_STORAGE_SUPPORT_VECTORS_H
#define TESTS_STORAGE_SUPPORT_VECTORS_H

#include "base/arena.h"
#include "base/slice.h"

enum { VECTOR_FIELDS_MAX = 12 };

struct vectors {
    struct arena arena; // All that is read ends with it.
    char *next;
    int line; // Of the line read last, from 1.
    char *fields[VECTOR_FIELDS_MAX];
    int field_count;
};

// A file of the project, by its path from the root. A test fails when it is not there.
void vectors_open(struct vectors *vectors, const char *path);
// tests/golden/vectors/`name`.
void vectors_open_golden(struct vectors *vectors, const char *name);
void vectors_close(struct vectors *vectors);
// The next line that is not empty and no remark.
bool vectors_next(struct vectors *vectors);

// In the vectors' arena. "-" is empty.
struct slice vectors_hex(struct vectors *vectors, const char *digits);
// With \n, \t, \0 and \\ replaced.
struct slice vectors_text(struct vectors *vectors, const char *escaped);
// Hexadecimal digits of the bytes, in the arena.
char *vectors_to_hex(struct vectors *vectors, struct slice bytes);

#endif
