// The fuzz targets: each is a file tests/fuzz/NAME_fuzz.c with one function of bytes.
//
// Built by clang with HELENUS_FUZZ, each is a program of libFuzzer. In every other build all of
// them are one test (replay_test.c) that gives them the inputs of tests/fuzz/regressions.
#ifndef TESTS_FUZZ_TARGETS_H
#define TESTS_FUZZ_TARGETS_H

#include "base/assert.h"
#include "base/cursor.h"
#include "base/slice.h"

// clang-format off
#define FUZZ_TARGET_MAP(X) \
    X(admin)               \
    X(client)              \
    X(commit_log)          \
    X(config)              \
    X(cql_parse)           \
    X(feed_http)           \
    X(hint)                \
    X(identity)            \
    X(intake)              \
    X(job_protocol)        \
    X(job_service)         \
    X(json)                \
    X(lua_job)             \
    X(manifest)            \
    X(member)              \
    X(members)             \
    X(message)             \
    X(messaging)           \
    X(metadata)            \
    X(metadata_log)        \
    X(mutation)            \
    X(number)              \
    X(paging_state)        \
    X(read_answer)         \
    X(read_request)        \
    X(replica)             \
    X(server)              \
    X(source)              \
    X(sstable)             \
    X(sstable_parts)       \
    X(statement)           \
    X(text)                \
    X(tls)                 \
    X(transaction_log)     \
    X(transport)           \
    X(type)                \
    X(value)
// clang-format on

#define X(name) void fuzz_##name(struct slice input);
FUZZ_TARGET_MAP(X)
#undef X

// The body of a target: FUZZ_TARGET(json) { …input… }
#ifdef HELENUS_FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
#define FUZZ_TARGET(name)                                                                          \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                   \
    {                                                                                              \
        fuzz_##name(slice_make(data == NULL ? (const uint8_t *)"" : data, size));                  \
        return 0;                                                                                  \
    }                                                                                              \
    void fuzz_##name(struct slice input)
#else
#define FUZZ_TARGET(name) void fuzz_##name(struct slice input)
#endif

// Is anything left of an input?
static inline bool fuzz_goes_on(const struct cursor *input)
{
    return !input->failed && cursor_left(input) > 0;
}

// What is left of an input.
static inline struct slice fuzz_rest(const struct cursor *input)
{
    return slice_make(input->next, cursor_left(input));
}

// Up to `size` bytes of it: fewer at its end.
static inline struct slice fuzz_take(struct cursor *input, size_t size)
{
    return cursor_take(input, size < cursor_left(input) ? size : cursor_left(input));
}

#endif
