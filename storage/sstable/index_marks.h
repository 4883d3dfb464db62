// Places inside of the stretches of Index.db that are between two keys of the summary, so that a
// search need not walk through half of one.
//
//     summary:   key 0                            key 128
//     marks:      |   16    32    48  ...  112     |        token >> 32, bytes from the stretch's
//     start
//
// They are noted one by one as searches walk past them: what nobody looks for costs nothing. They
// are hints: a search that finds nothing behind a mark begins again where the stretch does.
#ifndef STORAGE_SSTABLE_INDEX_MARKS_H
#define STORAGE_SSTABLE_INDEX_MARKS_H

#include "storage/token.h"

#include <stddef.h>

enum { INDEX_MARKS_MAX = 7 };

struct index_marks { // Of one stretch.
    uint32_t tokens[INDEX_MARKS_MAX];
    uint16_t offsets[INDEX_MARKS_MAX];
    uint8_t count;
};

// In the order of tokens.
static inline uint32_t index_marks_token(struct token token)
{
    return (uint32_t)(((uint64_t)token.value ^ (uint64_t)1 << 63) >> 32);
}

// How many marks stand before the token for sure: the search may begin at the last of these.
static inline size_t index_marks_before(const struct index_marks *marks, struct token token)
{
    uint32_t wanted = index_marks_token(token);
    size_t before = 0;
    while (before < marks->count && marks->tokens[before] < wanted)
        before++;
    return before;
}

// The next one. False: it lies too far away.
static inline bool index_marks_add(struct index_marks *marks, struct token token, uint64_t offset)
{
    if (marks->count == INDEX_MARKS_MAX || offset > UINT16_MAX) return false;
    marks->tokens[marks->count] = index_marks_token(token);
    marks->offsets[marks->count] = (uint16_t)offset;
    marks->count++;
    return true;
}

#endif
