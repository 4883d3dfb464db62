// What an implementation of env.h provides: one member for each function there, in the same order
// and with the same contract. env.c only passes calls on through this table.
//
// The handles that env.h hands out begin with the structs below, so that env.c finds the table from
// a file, a stream, a listener or a lock. An implementation puts them first in its own structs:
//
//     struct env_uv_file { struct env_file base; int descriptor; … };
#ifndef BASE_ENV_OPS_H
#define BASE_ENV_OPS_H

#include "base/env.h"

struct env_file {
    struct env *env;
};

struct env_stream {
    struct env *env;
};

struct env_connect {
    struct env *env;
};

struct env_listener {
    struct env *env;
};

struct env_lock {
    struct env *env;
};

struct env_ops {
    int64_t (*wall_us)(struct env *env);
    void (*shift_wall)(struct env *env, int64_t offset_us); // May be NULL.
    void (*set_lane_threads)(struct env *env, enum env_lane lane, size_t count);
    void (*stall_lanes)(struct env *env, uint64_t duration_ns); // May be NULL.
    uint64_t (*monotonic_ns)(struct env *env);
    void (*random_bytes)(struct env *env, void *bytes, size_t size);

    void (*timer_start)(struct env *env, struct env_timer *timer, uint64_t delay_ns,
                        void (*fire)(struct env_timer *timer));
    void (*timer_stop)(struct env *env, struct env_timer *timer);
    void (*task_post)(struct env *env, struct env_task *task, void (*run)(struct env_task *task));
    void (*task_cancel)(struct env *env, struct env_task *task);

    // env.c has filled in the job.
    void (*offload)(struct env *env, struct env_job *job);

    enum status (*file_open)(struct env *env, const char *path, unsigned flags,
                             struct env_file **file, struct error *error);
    void (*file_close)(struct env_file *file);
    enum status (*file_read)(struct env_file *file, uint64_t offset, void *bytes, size_t size,
                             size_t *read_size, struct error *error);
    enum status (*file_read_cached)(struct env_file *file, uint64_t offset, void *bytes,
                                    size_t size, size_t *read_size, struct error *error);
    enum status (*file_write)(struct env_file *file, uint64_t offset, const void *bytes,
                              size_t size, struct error *error);
    enum status (*file_sync)(struct env_file *file, struct error *error);
    enum status (*file_truncate)(struct env_file *file, uint64_t size, struct error *error);
    enum status (*file_size)(struct env_file *file, uint64_t *size, struct error *error);

    enum status (*rename)(struct env *env, const char *from, const char *to, struct error *error);
    enum status (*link)(struct env *env, const char *from, const char *to, struct error *error);
    enum status (*remove)(struct env *env, const char *path, struct error *error);
    enum status (*make_dir)(struct env *env, const char *path, struct error *error);
    enum status (*remove_dir)(struct env *env, const char *path, struct error *error);
    enum status (*sync_dir)(struct env *env, const char *path, struct error *error);
    enum status (*list_dir)(struct env *env, const char *path,
                            void (*entry)(void *context, const char *name, bool is_dir),
                            void *context, struct error *error);
    enum status (*path_exists)(struct env *env, const char *path, bool *exists, bool *is_dir,
                               struct error *error);
    enum status (*path_time)(struct env *env, const char *path, int64_t *modified_us,
                             struct error *error);
    enum status (*free_space)(struct env *env, const char *path, uint64_t *size,
                              struct error *error);
    enum status (*lock)(struct env *env, const char *path, struct env_lock **lock,
                        struct error *error);
    void (*unlock)(struct env_lock *lock);

    enum status (*listen)(struct env *env, const struct env_address *address,
                          void (*accepted)(void *context, struct env_stream *stream), void *context,
                          struct env_listener **listener, struct error *error);
    struct env_address (*listener_address)(const struct env_listener *listener);
    void (*listener_close)(struct env_listener *listener);
    struct env_connect *(*connect)(struct env *env, const struct env_address *address,
                                   uint64_t timeout_ns,
                                   void (*connected)(void *context, enum status status,
                                                     struct env_stream *stream),
                                   void *context);
    void (*connect_cancel)(struct env_connect *connect);
    void (*stream_start)(struct env_stream *stream, const struct env_stream_events *events,
                         void *context);
    void (*stream_write)(struct env_stream *stream, struct slice bytes);
    size_t (*stream_queued)(const struct env_stream *stream);
    void (*stream_pause)(struct env_stream *stream);
    void (*stream_resume)(struct env_stream *stream);
    void (*stream_close)(struct env_stream *stream, bool flush);
    struct env_address (*stream_peer)(const struct env_stream *stream);
    // NULL: silence is not known to end.
    void (*stream_limit_silence)(struct env_stream *stream, uint64_t longest_ns);

    enum status (*process_start)(struct env *env, const struct env_process_options *options,
                                 int *pid, struct error *error);
    enum status (*process_signal)(struct env *env, int pid, int signal, struct error *error);
    enum status (*process_usage)(struct env *env, int pid, struct env_process_usage *usage,
                                 struct error *error);

    void (*mark)(struct env *env, unsigned mark); // NULL: marks are not counted.
};

#endif
