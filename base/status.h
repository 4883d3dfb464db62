// What an operation says when it could not do its work and no bug is to blame.
//
// One table gives the enum and the text for logs, so that the two cannot drift apart. To add a
// status, add a line to it. What a CQL client is told is another matter: see cql/cql_error.h.
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

// clang-format off
//    name         text
#define STATUS_MAP(X)                                         \
    X(OK,          "ok")                                      \
    X(END,         "no more")                                 \
    X(WOULD_BLOCK, "not in memory; load it and run again")    \
    X(NOT_FOUND,   "not found")                               \
    X(EXISTS,      "exists already")                          \
    X(CONFLICT,    "another change came first")               \
    X(INVALID,     "invalid input")                           \
    X(MALFORMED,   "malformed input")                         \
    X(CORRUPT,     "data fails its checks")                   \
    X(IO,          "input or output failed")                  \
    X(NO_SPACE,    "no space left on the device")             \
    X(OVERLOADED,  "a limit was reached")                     \
    X(TIMED_OUT,   "no answer in time")                       \
    X(REFUSED,     "connection refused")                      \
    X(CLOSED,      "closed by the other side")                \
    X(IN_USE,      "in use by another process")               \
    X(UNSUPPORTED, "not supported here")                      \
    X(CANCELED,    "canceled")
// clang-format on

#define X(name, text) STATUS_##name,
enum status { STATUS_MAP(X) };
#undef X

// The compiler complains about a caller that drops the result.
#define MUST_USE __attribute__((warn_unused_result))

// The text of the table, e.g. "ok".
const char *status_text(enum status status);

#endif
