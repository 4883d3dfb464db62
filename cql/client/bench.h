// A benchmark of any CQL server: C connections, each with up to F requests in flight.
// `helenus bench cql` runs it.
//
//     CONNECTING --all ready--> SETTING_UP --> PREPARING --> RUNNING --time or count--> ENDED
//                                                        (warm-up, then measured)
//
// Closed loop (no rate): every answer starts the next request. A latency is from handing the
// request to the client until its answer was decoded, so it has the client's own queueing in it.
//
// Open loop (a rate): requests are due as bench_arrivals.h says. Each goes to the next connection
// that has room, at its time or as soon after it as there is room anywhere. The latency is from the
// due time, so it has in it what a stalled server cost those that came meanwhile; the service time
// is from the sending. Requests go out with a timer of 1 ms, which is in the latency, unless the
// client spins: then it is exact, and takes a core. Measured is what was due within the measured
// time, however late its answer comes; what has none in OVERTIME goes in with the time that it has
// waited so far.
//
// CPU is that of the processes told, between the two ends of the measured time, over the operations
// in it.
#ifndef CQL_CLIENT_BENCH_H
#define CQL_CLIENT_BENCH_H

#include "base/env.h"
#include "base/histogram.h"
#include "cql/client/bench_arrivals.h"
#include "cql/client/bench_workload.h"
#include "ring/consistency.h"

enum {
    CQL_BENCH_PIDS_MAX = 64,
    CQL_BENCH_HOSTS_MAX = 64,
    CQL_BENCH_CONNECTIONS_MAX = 1024,
    CQL_BENCH_IN_FLIGHT_MAX = 4096,
    CQL_BENCH_RATE_MAX = 10 * 1000 * 1000,
    CQL_BENCH_SECONDS_MAX = 86400, // Also of those that the result tells one by one.
};

// One second of the measured time; the last one may be shorter.
struct cql_bench_second {
    uint64_t end_ns, elapsed_ns; // When it was over, since the beginning; how long it was.
    uint64_t operations, errors; // Answered in it.
    uint64_t p50_ns, p90_ns, p99_ns, p999_ns, max_ns;
    uint64_t in_flight; // At its end.
    uint64_t behind_ns; // Open loop, at its end: how long the next one has been due. 0: it is not.
};

struct cql_bench_options {
    // Connections go to them in turn; there are at least as many as hosts. Setup statements run at
    // the first.
    struct env_address hosts[CQL_BENCH_HOSTS_MAX];
    size_t host_count;
    const char *user, *password; // NULL, or for servers that ask; they outlive the benchmark.
    int version;                 // 3, 4 or 5.
    bool lz4;
    struct tls *tls;               // NULL: none. It outlives the benchmark.
    bool is_unprepared;            // Each request is the statement's text and its values.
    size_t connections, in_flight; // In flight on each connection.
    uint64_t rate;                 // Requests a second of all connections; 0: a closed loop.
    enum bench_arrival_kind arrivals;
    bool spins; // Open loop: sends at the very due time; else up to a millisecond after it.
    // Open loop: an answer that comes later after the due time is of no use any more; and what
    // finds no room is not sent, as a driver's pool refuses it. 0: none.
    uint64_t deadline_ns;
    uint64_t warm_up_ns, duration_ns;
    uint64_t count; // Operations to measure, instead of a duration; 0: the duration counts.
    uint64_t seed;
    enum consistency consistency;
    int pids[CQL_BENCH_PIDS_MAX];
    size_t pid_count;
    // NULL, or told of each second when it is over, with the context of `done`.
    void (*second)(void *context, const struct cql_bench_second *second);
};

struct cql_bench_result {
    uint64_t operations, errors, rows; // What was answered.
    uint64_t unanswered;               // Open loop: due, and not answered in time.
    uint64_t refused, good; // With a deadline: not sent; answered within it, and with no error.
    uint64_t elapsed_ns;
    struct histogram latency; // Nanoseconds, of good answers, errors and unanswered alike.
    struct histogram service; // Open loop: of the answered, from sending.
    struct {
        int pid;
        bool is_known;
        uint64_t cpu_ns, resident_bytes;
    } processes[CQL_BENCH_PIDS_MAX];
    const struct cql_bench_second *seconds; // Until cql_bench_destroy().
    size_t second_count;
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

#endif
