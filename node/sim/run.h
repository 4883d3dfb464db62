// One run of the simulator: a world, a seed, so many operations, and what came of it.
#ifndef NODE_SIM_RUN_H
#define NODE_SIM_RUN_H

#include "base/env_sim.h"
#include "node/sim/workload.h"

enum run_world { RUN_STORAGE, RUN_NODE, RUN_JOB, RUN_RING, RUN_PAXOS, RUN_ENGINE, RUN_WORLD_COUNT };

const char *run_world_text(enum run_world world);

struct run_options {
    enum run_world world;
    uint64_t seed;
    uint64_t operations;
    void (*trace)(void *context, uint64_t now_ns, const char *line);
    void *trace_context;
};

struct run_result {
    bool passed;
    char fault[1024];
    uint64_t hash; // Equal for equal runs.
    uint64_t events, virtual_ns;
    uint64_t faults[SIM_FAULT_COUNT], marks[ENV_MARK_COUNT], done[WORKLOAD_KIND_COUNT];
};

void run_seed(const struct run_options *options, struct run_result *result);

#endif
