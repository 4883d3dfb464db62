// A seeded, single-threaded world behind env.h: machines with disks and clocks, processes, a
// network, and everything that can go wrong with them.
//
//     sim_world ──┬── sim_machine (disk, wall clock) ──┬── process: a `struct env`
//                 │                                    └── process …
//                 ├── events: what happens when (virtual time)
//                 └── network: streams between processes
//
// Nothing happens but in sim_world_step(): one event, which runs code of at most one process. Time
// stands still inside. The same seed and the same calls give the same run, byte for byte
// (invariant 10): sim_world_hash() says so.
//
// The disk keeps two versions of everything: what processes see, and what is durable. A name is
// durable after env_sync_dir(), a page after env_file_sync(). A crash of a process loses nothing
// that it wrote; a power loss takes for each page of 4 KiB and for each name that was not synced
// the old, the new, or (pages) sectors of 512 bytes of either. A file's size may get there before
// its data. A failed sync leaves its pages visible and not durable, whatever is synced later.
//
// Processes end by crashing at any file operation or send: from then on nothing they do has an
// effect and every file operation fails, until control comes back to the world. It drops their
// timers, tasks, jobs and streams without a call and tells the owner (`died`), who frees what the
// process held in memory (node_abandon()) and calls sim_process_destroy().
//
// Jobs run on the loop's thread: `work` at once and whole, at a moment of its own, `done` later.
// Lanes keep their order: LOG and BACKGROUND one job at a time, READ a few.
#ifndef BASE_ENV_SIM_H
#define BASE_ENV_SIM_H

#include "base/env.h"
#include "base/env_marks.h"

// clang-format off
//    fault             text
#define SIM_FAULT_MAP(X)                                                       \
    X(PROCESS_CRASH,    "process killed at an I/O step")                       \
    X(POWER_LOSS,       "power lost at an I/O step")                           \
    X(LOST_PAGE,        "unsynced page lost")                                  \
    X(TORN_PAGE,        "unsynced page torn at a sector")                      \
    X(SIZE_BEFORE_DATA, "size on the disk before the data")                    \
    X(LOST_NAME,        "unsynced name or removal lost")                       \
    X(PARTIAL_WRITE,    "write cut short by a crash or a fault")               \
    X(WRITE_ERROR,      "write failed")                                        \
    X(SYNC_ERROR,       "sync of a file failed")                               \
    X(DIR_SYNC_ERROR,   "sync of a directory failed")                          \
    X(FULL_DISK,        "disk full for a while")                               \
    X(SLOW_DISK,        "slow disk")                                           \
    X(COLD_READ,        "read that would have waited for the disk")            \
    X(CLOCK_JUMP,       "wall clock jumped")                                   \
    X(RESET,            "connection reset")                                    \
    X(SEGMENTED,        "bytes delivered in pieces")                           \
    X(REFUSED,          "connection refused")                                  \
    X(CUT,              "network cut between two machines")                    \
    X(CUT_ONE_WAY,      "network cut in one direction")                        \
    X(HELD,             "bytes held back by a cut")                            \
    X(CONNECT_LOST,     "connecting timed out")                                \
    X(SLOW_LINK,        "slow link between two machines")                      \
    X(SLOW_MACHINE,     "disk slow for a while")                               \
    X(PAUSED,           "process stopped for a while")
// clang-format on

#define X(fault, text) SIM_FAULT_##fault,
enum sim_fault { SIM_FAULT_MAP(X) SIM_FAULT_COUNT };
#undef X

const char *sim_fault_text(enum sim_fault fault);

struct sim_world;
struct sim_machine;

// What a checker may watch, in order. All may be NULL. They only look.
struct sim_observer {
    // A file was written or synced (before `work` or the caller goes on).
    void (*written)(void *context, struct env *env, const char *path);
    void (*synced)(void *context, struct env *env, const char *path);
    // Bytes left a process, and came to one, which will look at them when this returns.
    // `sent_turn`: when the other process gave them away (or later, if they had to queue).
    void (*sent)(void *context, struct env_stream *stream, struct slice bytes);
    void (*received)(void *context, struct env_stream *stream, size_t size, uint64_t sent_turn);
    void *context;
};

struct sim_options {
    uint64_t seed;
    // How often each fault strikes when it could: of a write, a page at a power loss, a send… Not
    // of PROCESS_CRASH and POWER_LOSS: those come by sim_process_crash_at() and its neighbours.
    double chances[SIM_FAULT_COUNT];
    // A line for each event; NULL for none.
    void (*trace)(void *context, uint64_t now_ns, const char *line);
    void *trace_context;
};

// Chances with which a world is rough but work gets done.
void sim_options_init(struct sim_options *options, uint64_t seed);

struct sim_world *sim_world_create(const struct sim_options *options);
// Every process must be destroyed.
void sim_world_destroy(struct sim_world *world);
// The next event. False when nothing will ever happen again.
bool sim_world_step(struct sim_world *world);
uint64_t sim_world_now(const struct sim_world *world);
// How many events there were: a clock that never stands still.
uint64_t sim_world_turn(const struct sim_world *world);
// Depends on all that happened.
uint64_t sim_world_hash(const struct sim_world *world);
void sim_world_observe(struct sim_world *world, const struct sim_observer *observer);
uint64_t sim_world_faults(const struct sim_world *world, enum sim_fault fault);
uint64_t sim_world_marks(const struct sim_world *world, enum env_mark mark);
void sim_world_set_chance(struct sim_world *world, enum sim_fault fault, double chance);
// A line for the trace, from whoever drives the world.
void sim_world_note(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Calls `run` after a time: for who drives the world from outside of its processes. Lives in the
// caller's memory until it ran.
struct sim_event { // The world's.
    struct env_timer timer;
    void (*run)(struct sim_event *event);
};
struct sim_call {
    void (*run)(struct sim_call *call);
    struct sim_event event;
};
void sim_world_call(struct sim_world *world, struct sim_call *call, uint64_t delay_ns,
                    void (*run)(struct sim_call *call));
void sim_world_cancel(struct sim_world *world, struct sim_call *call);

// With an empty disk but the directory "/".
struct sim_machine *sim_machine_create(struct sim_world *world, const char *name);
// Power loss, now: every process on it crashes, the disk keeps what is durable and some of the
// rest.
void sim_machine_crash(struct sim_machine *machine);
// All that is written becomes durable (for tests).
void sim_machine_sync(struct sim_machine *machine);
void sim_machine_jump_clock(struct sim_machine *machine, int64_t delta_us);
// Its wall clock, without the jumps that may come to whoever asks for it by env_wall_us().
int64_t sim_machine_wall_us(const struct sim_machine *machine);
// A full disk refuses writes that need new space.
void sim_machine_set_full(struct sim_machine *machine, bool full);
// For so long every job of its lanes takes long.
void sim_machine_set_slow(struct sim_machine *machine, uint64_t duration_ns);
// Bytes in files as processes see them.
uint64_t sim_machine_used_space(const struct sim_machine *machine);

// ---- The network between two machines ----------------------------------------------------------
//
// A cut holds back what is sent, in one direction or both, until it heals; who connects waits for
// his timeout. A slow link delays each direction by itself, so that what goes over one connection
// overtakes what goes over another. Machines of one world: at most SIM_MACHINES_MAX.

enum { SIM_MACHINES_MAX = 32 };

void sim_network_cut(struct sim_machine *from, struct sim_machine *to, bool both_ways);
// `delay_ns`, and up to `jitter_ns` more, for each piece of bytes, of which `bytes_per_s` pass (0:
// any number).
void sim_network_slow(struct sim_machine *from, struct sim_machine *to, uint64_t delay_ns,
                      uint64_t jitter_ns, uint64_t bytes_per_s);
// Both directions are as at first.
void sim_network_heal(struct sim_machine *a, struct sim_machine *b);
bool sim_network_is_cut(const struct sim_machine *from, const struct sim_machine *to);
// Breaks every connection between the two: both ends hear of it, also through a cut.
void sim_network_reset(struct sim_machine *a, struct sim_machine *b);

// A process that does nothing yet. `died` comes in a turn of the world after it crashed.
struct env *sim_process_start(struct sim_machine *machine, const char *name,
                              void (*died)(void *context, struct env *env), void *context);
// kill -9, now or (if code of this process is running) as soon as it returns. `died` follows.
void sim_process_crash(struct env *env);
// The same at the n-th I/O step from now, with all the machine if `power`. 0: never.
void sim_process_crash_at(struct env *env, uint64_t steps, bool power);
// The same when it is about to do its n-th env_sync_dir(), or env_file_sync(), from now: names or
// bytes are there to be seen and not durable, moments that random steps seldom hit.
void sim_process_crash_at_sync_dir(struct env *env, uint64_t count, bool power);
void sim_process_crash_at_sync_file(struct env *env, uint64_t count, bool power);
// SIGSTOP, and SIGCONT after a time: nothing of it runs; the system still takes connections for it.
void sim_process_pause(struct env *env, uint64_t duration_ns);
// False as soon as it crashed, even while its code still runs.
bool sim_process_is_alive(const struct env *env);
struct sim_machine *sim_process_machine(const struct env *env);
// I/O steps so far: changes of files and names, syncs, sends.
uint64_t sim_process_steps(const struct env *env);
// Of this process alone; compare sim_world_marks().
uint64_t sim_process_marks(const struct env *env, enum env_mark mark);
// Frees it. It has crashed and its owner was told, or it ended by itself and holds nothing.
void sim_process_destroy(struct env *env);

#endif
