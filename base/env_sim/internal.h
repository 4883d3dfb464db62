// What the files of env_sim share: the world, its machines and processes, the disk. Not for others.
//
// A process goes through
//
//     RUNNING ──crash──▶ DOOMED ──control is back in the world──▶ DEAD ──destroy──▶ freed
//        └────────────────────────── ended by itself ──────────────destroy──▶ freed
//
// DOOMED: its code still runs; I/O fails and has no effect, the rest works as ever. DEAD: the world
// has forgotten its timers, tasks, jobs and connections without touching them (their owners' memory
// may be gone already); whatever it calls now only frees handles.
#ifndef BASE_ENV_SIM_INTERNAL_H
#define BASE_ENV_SIM_INTERNAL_H

#include "base/env_ops.h"
#include "base/env_sim.h"
#include "base/random.h"
#include "base/task_list.h"
#include "base/timer_heap.h"

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

// ---- Events ------------------------------------------------------------------------------------

// One direction between two machines.
struct sim_link {
    bool is_cut;
    uint64_t delay_ns, jitter_ns, bytes_per_s;
    uint64_t free_ns; // When what was sent before has passed a slow link.
};

struct sim_world {
    struct sim_options options;
    struct sim_observer observer;
    struct random random;
    uint64_t now_ns, turn, hash;
    struct timer_heap events;
    struct sim_machine *machines;
    size_t machine_count;
    struct sim_link links[SIM_MACHINES_MAX][SIM_MACHINES_MAX]; // [from][to]
    struct sim_listener *listeners;
    uint64_t last_stream_id;
    uint16_t last_port;
    uint64_t faults[SIM_FAULT_COUNT], marks[ENV_MARK_COUNT];
};

// Runs after `delay_ns`; the event is not started yet.
void sim_event_start(struct sim_world *world, struct sim_event *event, uint64_t delay_ns,
                     void (*run)(struct sim_event *event));
void sim_event_stop(struct sim_world *world, struct sim_event *event);
static inline bool sim_event_is_started(const struct sim_event *event)
{
    return event->timer.place != 0;
}

// True when the fault strikes now; it is counted then.
bool sim_world_strikes(struct sim_world *world, enum sim_fault fault);
void sim_world_count(struct sim_world *world, enum sim_fault fault);
// What happened, for the hash and the trace. `what` is a constant text.
void sim_world_event(struct sim_world *world, const char *what, const char *who, uint64_t a,
                     uint64_t b);
// Evenly from `from` to `to`, both included.
uint64_t sim_world_between(struct sim_world *world, uint64_t from, uint64_t to);

// ---- Disks -------------------------------------------------------------------------------------

enum { SIM_PAGE_SIZE = 4096, SIM_SECTOR_SIZE = 512 };

// `bytes` is what is seen, `durable` what is on the disk; NULL is all zeros. A page that was not
// changed since it became durable has only `bytes`.
struct sim_page {
    uint8_t *bytes, *durable;
    bool is_changed; // `durable` counts.
    bool is_dirty;   // A sync will write it. False in a changed page: a sync lost it.
};

struct sim_name;

// A file or a directory. Lives as long as a name, a durable name or a handle refers to it.
struct sim_inode {
    size_t references;
    bool is_dir;
    struct sim_process *locked_by;
    // Of a file:
    struct sim_page *pages;
    size_t page_count, page_capacity;
    uint64_t size, durable_size;
    int64_t modified_us; // Survives a power loss, as if it were written with the data.
    size_t *changed;     // Indexes of the changed pages.
    size_t changed_count, changed_capacity;
    // Of a directory: sorted by name, also those that are gone but not durably so.
    struct sim_name *names;
    size_t name_count, name_capacity;
};

enum { SIM_NAME_VERSIONS_MAX = 4 };

// What a name refers to: now (NULL: nothing), durably, and in between since the last sync.
struct sim_name {
    char *name;
    struct sim_inode *inode, *durable;
    struct sim_inode *between[SIM_NAME_VERSIONS_MAX];
    size_t between_count;
    bool is_changed;
};

struct sim_machine {
    struct sim_world *world;
    struct sim_machine *next;
    size_t index; // In the world's links.
    char name[32];
    // Where its first process listened: connections to that address lead here.
    struct env_address address;
    int64_t wall_offset_us;
    struct sim_inode *root;
    struct sim_process *processes;
    bool is_full, power_lost;
    uint64_t full_until_ns, slow_until_ns;
    uint64_t used_pages;
};

// The status for a path, as the system has it. `directory` is the inode of its parent (NOT_FOUND if
// that is missing), `name` points into `path`, `entry` is NULL if there is none of that name now.
enum status sim_disk_find(struct sim_machine *machine, const char *path,
                          struct sim_inode **directory, const char **name, struct sim_name **entry);
// Lets `name` of a directory refer to `inode` (or to nothing).
void sim_disk_set_name(struct sim_machine *machine, struct sim_inode *directory, const char *name,
                       struct sim_inode *inode);
struct sim_inode *sim_inode_create(bool is_dir);
void sim_inode_ref(struct sim_inode *inode);
void sim_inode_unref(struct sim_machine *machine, struct sim_inode *inode);
bool sim_inode_is_empty_dir(const struct sim_inode *inode);
size_t sim_inode_read(const struct sim_inode *inode, uint64_t offset, void *bytes, size_t size);
// False if the disk was full before the end; what fitted is written.
bool sim_inode_write(struct sim_machine *machine, struct sim_inode *inode, uint64_t offset,
                     const void *bytes, size_t size, bool is_full);
void sim_inode_truncate(struct sim_machine *machine, struct sim_inode *inode, uint64_t size);
// What is dirty becomes durable; if not `works`, some of it does and all is clean.
void sim_inode_sync(struct sim_machine *machine, struct sim_inode *inode, bool works);
void sim_inode_sync_names(struct sim_machine *machine, struct sim_inode *directory);
// Names and pages fall back to what is durable, or do not.
void sim_disk_lose_power(struct sim_machine *machine);
void sim_disk_sync_all(struct sim_machine *machine);
void sim_disk_free(struct sim_machine *machine);

// ---- Processes ---------------------------------------------------------------------------------

enum sim_process_state { SIM_PROCESS_RUNNING, SIM_PROCESS_DOOMED, SIM_PROCESS_DEAD };

struct sim_lane {
    struct sim_process *process;
    struct env_job *first, *last;  // Waiting.
    struct sim_lane_slot *running; // Slots in use.
    size_t running_count, threads;
    uint64_t done_ns; // When the last `done` comes: they stay in order.
};

struct sim_process {
    struct env env;
    struct sim_world *world;
    struct sim_machine *machine;
    struct sim_process *next;
    char name[32];
    enum sim_process_state state;
    bool died_is_told;
    void (*died)(void *context, struct env *env);
    void *died_context;
    uint64_t paused_until_ns;
    uint64_t marks[ENV_MARK_COUNT];
    uint64_t steps, crash_at;                 // crash_at: 0 or the step that crashes.
    uint64_t dir_syncs_left, file_syncs_left; // The one that crashes, counted down; 0: none.
    bool crash_with_power;
    struct timer_heap timers;
    struct task_list tasks;
    struct sim_event timers_event; // When the first timer fires.
    struct sim_event tasks_event;
    struct sim_event death_event;
    struct sim_lane lanes[ENV_LANE_COUNT];
    struct sim_file *files;
    struct sim_lock *locks;
    struct sim_stream *streams;
    struct sim_connect *connects;
};

static inline struct sim_process *sim_process_of(const struct env *env)
{
    return (struct sim_process *)(uintptr_t)env;
}

// Counts an I/O step; false if the process crashes at it (or has before): the caller does nothing
// more, or a part of it.
bool sim_process_step(struct sim_process *process);
void sim_process_doom(struct sim_process *process);
// True when the process is stopped; the event comes again when it goes on.
bool sim_process_defers(struct sim_process *process, struct sim_event *event,
                        void (*run)(struct sim_event *event));

// Of the files of env_sim, for the table of functions and for processes that die.
void sim_lanes_init(struct sim_process *process);
void sim_lanes_drop(struct sim_process *process);
void sim_streams_drop(struct sim_process *process);
void sim_streams_free(struct sim_process *process);
// A cut from or to its machine healed: what was held goes on.
void sim_streams_arm(struct sim_process *process);
void sim_streams_reset(struct sim_process *process, const struct sim_machine *other);
void sim_connects_drop(struct sim_process *process);
// Whoever waits for one frees what he kept for it.
void sim_connects_cancel(struct sim_process *process);
void sim_listeners_free(struct sim_process *process);

#define SIM_LATENCY_MIN_NS (10 * NS_PER_US)
#define SIM_LATENCY_MAX_NS (150 * NS_PER_US)
// How long `size` bytes are under way, beyond what the world's network takes anyway.
uint64_t sim_network_delay(struct sim_world *world, const struct sim_machine *from,
                           const struct sim_machine *to, size_t size);
// Two ends of a connection; the listener's process has not heard of it.
struct sim_stream *sim_stream_connect(struct sim_process *near, struct sim_process *far,
                                      const struct env_address *address);
struct env_stream *sim_stream_base(struct sim_stream *stream);
// Hands the far end to its listener, now or when its process runs again.
void sim_stream_accept(struct sim_stream *near);
// The listener there, if it lives.
struct sim_listener *sim_listener_find(struct sim_world *world, const struct env_address *address);
void sim_listener_accept(struct sim_listener *listener, struct env_stream *stream);
struct sim_process *sim_listener_process(const struct sim_listener *listener);
void sim_files_free(struct sim_process *process);

void sim_offload(struct env *env, struct env_job *job);
void sim_set_lane_threads(struct env *env, enum env_lane lane, size_t count);

enum status sim_file_open(struct env *env, const char *path, unsigned flags, struct env_file **file,
                          struct error *error);
void sim_file_close(struct env_file *file);
enum status sim_file_read(struct env_file *file, uint64_t offset, void *bytes, size_t size,
                          size_t *read_size, struct error *error);
enum status sim_file_read_cached(struct env_file *file, uint64_t offset, void *bytes, size_t size,
                                 size_t *read_size, struct error *error);
enum status sim_file_write(struct env_file *file, uint64_t offset, const void *bytes, size_t size,
                           struct error *error);
enum status sim_file_sync(struct env_file *file, struct error *error);
enum status sim_file_truncate(struct env_file *file, uint64_t size, struct error *error);
enum status sim_file_size(struct env_file *file, uint64_t *size, struct error *error);

enum status sim_path_rename(struct env *env, const char *from, const char *to, struct error *error);
enum status sim_path_link(struct env *env, const char *from, const char *to, struct error *error);
enum status sim_path_remove(struct env *env, const char *path, struct error *error);
enum status sim_path_make_dir(struct env *env, const char *path, struct error *error);
enum status sim_path_remove_dir(struct env *env, const char *path, struct error *error);
enum status sim_path_sync_dir(struct env *env, const char *path, struct error *error);
enum status sim_path_list_dir(struct env *env, const char *path,
                              void (*entry)(void *context, const char *name, bool is_dir),
                              void *context, struct error *error);
enum status sim_path_exists(struct env *env, const char *path, bool *exists, bool *is_dir,
                            struct error *error);
enum status sim_path_time(struct env *env, const char *path, int64_t *modified_us,
                          struct error *error);
enum status sim_path_free_space(struct env *env, const char *path, uint64_t *size,
                                struct error *error);
enum status sim_path_lock(struct env *env, const char *path, struct env_lock **lock,
                          struct error *error);
void sim_path_unlock(struct env_lock *lock);
// The disk takes no new page now. May begin a time in which it is full.
bool sim_path_disk_is_full(struct sim_process *process);

enum status sim_listen(struct env *env, const struct env_address *address,
                       void (*accepted)(void *context, struct env_stream *stream), void *context,
                       struct env_listener **listener, struct error *error);
struct env_address sim_listener_address(const struct env_listener *listener);
void sim_listener_close(struct env_listener *listener);
struct env_connect *
sim_connect(struct env *env, const struct env_address *address, uint64_t timeout_ns,
            void (*connected)(void *context, enum status status, struct env_stream *stream),
            void *context);
void sim_connect_cancel(struct env_connect *connect);
void sim_stream_start(struct env_stream *stream, const struct env_stream_events *events,
                      void *context);
void sim_stream_write(struct env_stream *stream, struct slice bytes);
size_t sim_stream_queued(const struct env_stream *stream);
void sim_stream_pause(struct env_stream *stream);
void sim_stream_resume(struct env_stream *stream);
void sim_stream_close(struct env_stream *stream, bool flush);
struct env_address sim_stream_peer(const struct env_stream *stream);

#endif
