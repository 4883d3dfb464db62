// What a client is told when its statement fails: Cassandra's code, words and fields
// (cql-server.md §2.5). Filled where the fault is found, by cql_error_set() or a sibling.
#ifndef CQL_CQL_ERROR_H
#define CQL_CQL_ERROR_H

#include "base/slice.h"
#include "ring/coordinator/coordinator.h"

// clang-format off
#define CQL_ERROR_MAP(X)                 \
    X(SERVER,          0x0000)           \
    X(PROTOCOL,        0x000A)           \
    X(BAD_CREDENTIALS, 0x0100)           \
    X(UNAVAILABLE,     0x1000)           \
    X(OVERLOADED,      0x1001)           \
    X(BOOTSTRAPPING,   0x1002)           \
    X(TRUNCATE,        0x1003)           \
    X(WRITE_TIMEOUT,   0x1100)           \
    X(READ_TIMEOUT,    0x1200)           \
    X(READ_FAILURE,    0x1300)           \
    X(FUNCTION,        0x1400)           \
    X(WRITE_FAILURE,   0x1500)           \
    X(CAS_WRITE_UNKNOWN, 0x1700)         \
    X(SYNTAX,          0x2000)           \
    X(UNAUTHORIZED,    0x2100)           \
    X(INVALID,         0x2200)           \
    X(CONFIG,          0x2300)           \
    X(ALREADY_EXISTS,  0x2400)           \
    X(UNPREPARED,      0x2500)
// clang-format on

enum cql_error_code {
#define X(name, code) CQL_ERROR_##name = (code),
    CQL_ERROR_MAP(X)
#undef X
};

enum { CQL_ERROR_TEXT_SIZE = 2048, CQL_NAME_SIZE_MAX = 256, CQL_ARGUMENTS_MAX = 4 };

struct cql_error {
    enum cql_error_code code;
    char text[CQL_ERROR_TEXT_SIZE]; // UTF-8, cut at a character.
    // UNAVAILABLE, timeouts, failures.
    struct coordinator_result result;
    // Of result.faults: where they are. v5 tells it.
    struct env_address fault_addresses[COORDINATOR_FAULTS_MAX];
    const char *write_type; // "SIMPLE", "COUNTER", "BATCH", …
    bool data_present;
    // ALREADY_EXISTS: `table` is "" for a keyspace. FUNCTION: `table` is the function's name.
    char keyspace[CQL_NAME_SIZE_MAX], table[CQL_NAME_SIZE_MAX];
    // FUNCTION: the types of its arguments, as CQL has them.
    char arguments[CQL_ARGUMENTS_MAX][CQL_NAME_SIZE_MAX];
    uint8_t argument_count;
    // UNPREPARED.
    uint8_t prepared_id[16];
};

// No text yet.
static inline void cql_error_clear(struct cql_error *error)
{
    error->text[0] = '\0';
}

static inline bool cql_error_is_set(const struct cql_error *error)
{
    return error->text[0] != '\0';
}

// Returns false, so that "cannot" is one line:  return cql_error_set(error, CQL_ERROR_INVALID, …);
bool cql_error_set(struct cql_error *error, enum cql_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The text alone; the rest has been filled.
bool cql_error_set_text(struct cql_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// The addresses of the members to blame, as far as they are known; the text of a failure names
// them. `topology` NULL: a ring of one.
void cql_error_set_fault_addresses(struct cql_error *error, const struct topology *topology,
                                   const struct env_address *own);
// From how a coordinator's operation ended. `is_write`; `write_type` as in the field.
void cql_error_set_from_result(struct cql_error *error, const struct coordinator_result *result,
                               bool is_write, const char *write_type);

#endif
