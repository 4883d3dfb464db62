// The only door to the world: time, timers, randomness, files, sockets, threads, processes.
//
// Two implementations: env_uv is the real one (libuv and plain system calls), env_sim a seeded,
// single-threaded world with faults (base/env_sim.h). Code above this header never knows which.
//
// Threads. One thread, the loop, owns an env: all functions here are for it alone, except that file
// functions (those of "Files" below), the clock and env_random_bytes() may be called by the `work`
// of a job too. Every callback comes on the loop. No callback is made inside the call that asked
// for it, so a caller never meets itself half-way.
//
// Faults are statuses: each result is looked at. `errno` and uv_ codes stop here.
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct env;

// ---- Clock and randomness ----------------------------------------------------------------------

// Microseconds since 1970. May jump, in either direction.
int64_t env_wall_us(struct env *env);
// What a test does to this process's wall clock: from now on it is this much ahead of the
// machine's (behind it, if negative). Nothing happens in the simulator, whose machines have clocks
// of their own.
void env_shift_wall(struct env *env, int64_t offset_us);
// Nanoseconds since some moment. Never goes back.
uint64_t env_monotonic_ns(struct env *env);
// Unpredictable bytes (ids, seeds).
void env_random_bytes(struct env *env, void *bytes, size_t size);
uint64_t env_random_u64(struct env *env);

// ---- Timers and tasks --------------------------------------------------------------------------

// Lives in the memory of its owner, who stops it before that memory ends. All zero is a stopped
// one.
struct env_timer {
    void (*fire)(struct env_timer *timer);
    uint64_t deadline_ns; // Monotonic. The rest is the env's.
    uint64_t sequence;
    size_t place; // 1 + index in the env's heap; 0: not started.
};

// Starts it, anew if it ran. Fires once, not before `delay_ns` from now.
void env_timer_start(struct env *env, struct env_timer *timer, uint64_t delay_ns,
                     void (*fire)(struct env_timer *timer));
void env_timer_stop(struct env *env, struct env_timer *timer);
bool env_timer_is_started(const struct env_timer *timer);

// Work for the end of the present turn of the loop, before it waits: what a connection collected is
// written with one call. Lives in its owner's memory. All zero is one that does not wait.
struct env_task {
    void (*run)(struct env_task *task);
    struct env_task *next, **place; // The env's. `place` is NULL unless posted.
};

// Posting a posted task does nothing. A task that posts itself while it runs runs in the next turn.
void env_task_post(struct env *env, struct env_task *task, void (*run)(struct env_task *task));
void env_task_cancel(struct env *env, struct env_task *task);

// ---- Offload -----------------------------------------------------------------------------------

enum env_lane {
    ENV_LANE_LOG,        // One thread: commit-log writes and syncs, in order.
    ENV_LANE_READ,       // A few threads: reads that missed the cache.
    ENV_LANE_BACKGROUND, // One thread of low priority: flush, removal of files.
    ENV_LANE_COMPACTION, // Threads of low priority, at first one: compactions; no flush waits for
                         // it.
    ENV_LANE_PASSWORD,   // One thread of low priority: hashes of passwords, 50 ms each.
    ENV_LANE_COUNT
};
enum { ENV_LANE_THREADS_MAX = 64 };

// `work` runs on a thread of the lane and touches only what is immutable or handed over with the
// job; then `done` runs on the loop. The job lives in its owner's memory until `done`.
struct env_job {
    void (*work)(struct env_job *job);
    void (*done)(struct env_job *job);
    struct env *env; // The rest is the env's.
    struct env_job *next;
    enum env_lane lane;
};

void env_offload(struct env *env, struct env_job *job, enum env_lane lane,
                 void (*work)(struct env_job *job), void (*done)(struct env_job *job));

// So many jobs of the lane may go on at once from now on (1 … ENV_LANE_THREADS_MAX): those of one
// that has only one thread come in order.
void env_set_lane_threads(struct env *env, enum env_lane lane, size_t count);

// For tests of a ring: no job begins for so long, as with a disk that stands still. The simulator
// has slow disks of its own and does nothing.
void env_stall_lanes(struct env *env, uint64_t duration_ns);

// ---- Files -------------------------------------------------------------------------------------
//
// The file model, which env_sim enforces: a name (created, renamed, removed, linked) is durable
// only after env_sync_dir() of its directory; written pages reach the disk in any order; the size
// may arrive before the data; after a failed env_file_sync() the pages written since the last good
// one are gone though reads may still show them, and a second sync proves nothing. What is not
// synced may vanish at a crash, in part or whole.

struct env_file;

enum {
    ENV_OPEN_READ = 1,
    ENV_OPEN_WRITE = 2,
    ENV_OPEN_CREATE = 4,    // Make it if it is not there.
    ENV_OPEN_EXCLUSIVE = 8, // With CREATE: EXISTS if it is there.
    ENV_OPEN_TRUNCATE = 16,
};

// NOT_FOUND, EXISTS, IO, NO_SPACE. `error` may be NULL in all of these.
MUST_USE enum status env_file_open(struct env *env, const char *path, unsigned flags,
                                   struct env_file **file, struct error *error);
void env_file_close(struct env_file *file);
// Reads up to `size` bytes at `offset`; fewer only at the end of the file.
MUST_USE enum status env_file_read(struct env_file *file, uint64_t offset, void *bytes, size_t size,
                                   size_t *read_size, struct error *error);
// As env_file_read(), but WOULD_BLOCK instead of waiting for the disk.
MUST_USE enum status env_file_read_cached(struct env_file *file, uint64_t offset, void *bytes,
                                          size_t size, size_t *read_size, struct error *error);
// All of it, or a fault (then any part may have been written).
MUST_USE enum status env_file_write(struct env_file *file, uint64_t offset, const void *bytes,
                                    size_t size, struct error *error);
// fdatasync: data and size. A failure is final for what was written since the last success.
MUST_USE enum status env_file_sync(struct env_file *file, struct error *error);
MUST_USE enum status env_file_truncate(struct env_file *file, uint64_t size, struct error *error);
MUST_USE enum status env_file_size(struct env_file *file, uint64_t *size, struct error *error);

MUST_USE enum status env_rename(struct env *env, const char *from, const char *to,
                                struct error *error);
MUST_USE enum status env_link(struct env *env, const char *from, const char *to,
                              struct error *error);
MUST_USE enum status env_remove(struct env *env, const char *path, struct error *error);
// EXISTS if it is there already. The parent must exist.
MUST_USE enum status env_make_dir(struct env *env, const char *path, struct error *error);
// Only an empty one.
MUST_USE enum status env_remove_dir(struct env *env, const char *path, struct error *error);
MUST_USE enum status env_sync_dir(struct env *env, const char *path, struct error *error);
// Calls `entry` for each name in the directory, sorted by bytes, without "." and "..".
MUST_USE enum status env_list_dir(struct env *env, const char *path,
                                  void (*entry)(void *context, const char *name, bool is_dir),
                                  void *context, struct error *error);
MUST_USE enum status env_path_exists(struct env *env, const char *path, bool *exists, bool *is_dir,
                                     struct error *error);
// When the content of the file last changed: microseconds since 1970, by the machine's clock.
// NOT_FOUND.
MUST_USE enum status env_path_time(struct env *env, const char *path, int64_t *modified_us,
                                   struct error *error);
// Bytes free on the file system of `path`.
MUST_USE enum status env_free_space(struct env *env, const char *path, uint64_t *size,
                                    struct error *error);
// Takes the file `path` for this process until it ends or env_unlock(). IN_USE if another has it.
struct env_lock;
MUST_USE enum status env_lock(struct env *env, const char *path, struct env_lock **lock,
                              struct error *error);
void env_unlock(struct env_lock *lock);

// ---- Sockets -----------------------------------------------------------------------------------

// An IPv4 or IPv6 address and a port: what CQL calls inet plus int.
struct env_address {
    uint8_t bytes[16];
    uint8_t size; // 4 or 16.
    uint16_t port;
};

// "127.0.0.1", "::1". MALFORMED for anything else; no name is looked up.
MUST_USE enum status env_address_parse(const char *text, uint16_t port,
                                       struct env_address *address);
enum { ENV_ADDRESS_TEXT_SIZE = 64 };
// "127.0.0.1:9042", "[::1]:9042".
void env_address_format(const struct env_address *address, char text[ENV_ADDRESS_TEXT_SIZE]);

struct env_stream; // A TCP connection.

// What its owner wants to know. `context` is the owner's.
struct env_stream_events {
    // Bytes arrived; they are valid during the call.
    void (*data)(void *context, struct slice bytes);
    // All that was written has been taken by the system (only after env_stream_queued() was > 0).
    void (*drained)(void *context);
    // No more data comes and none can be sent: CLOSED when the other side closed in good order,
    // else the fault. Called at most once, and not after env_stream_close().
    void (*ended)(void *context, enum status status);
};

struct env_listener;
// `accepted` hands over a connection: the callee gives it events by env_stream_start() before
// returning, or closes it. IN_USE when the port is taken. Port 0 takes a free one.
MUST_USE enum status env_listen(struct env *env, const struct env_address *address,
                                void (*accepted)(void *context, struct env_stream *stream),
                                void *context, struct env_listener **listener, struct error *error);
struct env_address env_listener_address(const struct env_listener *listener);
void env_listener_close(struct env_listener *listener);

struct env_connect; // An attempt to connect. It is gone when `connected` is called.
// `connected` is called once, later, with the stream or a status (REFUSED, TIMED_OUT, IO) and NULL.
// NULL in a process that is dead.
struct env_connect *
env_connect(struct env *env, const struct env_address *address, uint64_t timeout_ns,
            void (*connected)(void *context, enum status status, struct env_stream *stream),
            void *context);
// Gives it up: `connected` is not called any more.
void env_connect_cancel(struct env_connect *connect);

// Begins to read. Once for each stream.
void env_stream_start(struct env_stream *stream, const struct env_stream_events *events,
                      void *context);
// Sends the bytes: at once as far as the system takes them, the rest is copied and queued. The
// caller looks at env_stream_queued() and stops producing when it is too much. Without Nagle's
// delay.
void env_stream_write(struct env_stream *stream, struct slice bytes);
size_t env_stream_queued(const struct env_stream *stream);
// Stops and goes on with reading: back-pressure on the sender.
void env_stream_pause(struct env_stream *stream);
void env_stream_resume(struct env_stream *stream);
// Ends it (TIMED_OUT) when the other side's machine has confirmed nothing of what was sent, or has
// taken nothing of what waits, for so long: it is gone, or the network is, and what the system
// tries again it tries ever more seldom. Else it ends after a quarter of an hour.
void env_stream_limit_silence(struct env_stream *stream, uint64_t longest_ns);
// No event comes after this. Queued bytes are still sent if `flush`, then the stream is freed.
void env_stream_close(struct env_stream *stream, bool flush);
struct env_address env_stream_peer(const struct env_stream *stream);

// ---- Processes (env_uv only; UNSUPPORTED in the simulator) -------------------------------------

struct env_process_options {
    const char *const *arguments; // argv, NULL at the end; [0] is the program's path.
    const char *output_path;      // Its standard output and error go there (appended).
    bool detached;                // Outlives us, in a session of its own.
    // If not NULL: called with what the child writes to its descriptor 3 ("ready …\n"), and with an
    // empty slice when it closes it or dies. How a starter waits without polling.
    void (*said)(void *context, struct slice bytes);
    void *context;
};

MUST_USE enum status env_process_start(struct env *env, const struct env_process_options *options,
                                       int *pid, struct error *error);
// Signal 0 only asks. NOT_FOUND when there is no such process.
MUST_USE enum status env_process_signal(struct env *env, int pid, int signal, struct error *error);
struct env_process_usage {
    uint64_t resident_bytes; // VmRSS
    uint64_t cpu_ns;         // User and system.
};
// Of ourselves, when `pid` is 0.
MUST_USE enum status env_process_usage(struct env *env, int pid, struct env_process_usage *usage,
                                       struct error *error);

// ---- Marks -------------------------------------------------------------------------------------

// Says that the program came by a place, an `enum env_mark` of env_marks.h. Only the simulator
// counts it.
void env_mark(struct env *env, unsigned mark);

// ---- The implementations' side -----------------------------------------------------------------

// One table a world. Its members are the functions above; see env.c, which only passes on.
struct env_ops;
struct env {
    const struct env_ops *ops;
};

#endif
