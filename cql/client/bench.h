// A closed-loop benchmark of any CQL server: C connections, each with F requests in flight; every
// answer starts the next request. `helenus bench cql` runs it.
//
//     CONNECTING --all ready--> SETTING_UP --> PREPARING --> RUNNING --time or count--> ENDED
//                                                        (warm-up, then measured)
//
// A latency is from handing the request to the client until its answer was decoded, so it has the
// client's own queueing in it. CPU is that of the processes told, between the two ends of the
// measured time, over the operations in it.
#ifndef CQL_CLIENT_BENCH_H
#define CQL_CLIENT_BENCH_H

#include "base/buffer.h"
#include "base/env.h"
#include "base/histogram.h"
#include "cql/client/bench_workload.h"
#include "ring/consistency.h"

enum {
    CQL_BENCH_PIDS_MAX = 64,
    CQL_BENCH_HOSTS_MAX = 64,
    CQL_BENCH_CONNECTIONS_MAX = 1024,
    CQL_BENCH_IN_FLIGHT_MAX = 4096
};

struct cql_bench_options {
    // Connections go to them in turn; there are at least as many as hosts. Setup statements run at
    // the first.
    struct env_address hosts[CQL_BENCH_HOSTS_MAX];
    size_t host_count;
    int version; // 3, 4 or 5.
    bool lz4;
    size_t connections, in_flight; // In flight on each connection.
    uint64_t warm_up_ns, duration_ns;
    uint64_t count; // Operations to measure, instead of a duration; 0: the duration counts.
    uint64_t seed;
    enum consistency consistency;
    int pids[CQL_BENCH_PIDS_MAX];
    size_t pid_count;
};

struct cql_bench_result {
    uint64_t operations, errors, rows;
    uint64_t elapsed_ns;
    struct histogram latency; // Nanoseconds, of good answers and errors alike.
    struct {
        int pid;
        bool is_known;
        uint64_t cpu_ns, resident_bytes;
    } processes[CQL_BENCH_PIDS_MAX];
    char first_error[256]; // "" if there was none.
};

struct cql_bench;

// `done` comes once, never inside the call: OK and the result, or why it could not be done. The
// workload outlives the benchmark; its sequences go on where they are.
struct cql_bench *cql_bench_start(struct env *env, const struct cql_bench_options *options,
                                  struct bench_workload *workload,
                                  void (*done)(void *context, enum status status,
                                               const struct cql_bench_result *result,
                                               const struct error *error),
                                  void *context);
// At any time.
void cql_bench_destroy(struct cql_bench *bench);

// For people, or one JSON object in a line.
void cql_bench_put_result(const struct cql_bench_options *options,
                          const struct cql_bench_result *result, bool as_json, struct buffer *text);

#endif
