// Open files and names of files, with their faults. Each change is an I/O step, at which a process
// may crash; a write that is cut short leaves its beginning.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_sim/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL_MIN_NS NS_PER_MS
#define FULL_MAX_NS (300 * NS_PER_MS)
#define FREE_SPACE  (UINT64_C(64) << 30)

struct sim_file {
    struct env_file base;
    struct sim_process *process;
    struct sim_file *next, **place; // In the process's list.
    struct sim_inode *inode;
    bool writes;
    char path[];
};

struct sim_lock {
    struct env_lock base;
    struct sim_process *process;
    struct sim_lock *next, **place;
    struct sim_inode *inode;
};

static struct sim_file *sim_file_of(struct env_file *file)
{
    return CONTAINER_OF(file, struct sim_file, base);
}

static enum status fail(struct error *error, enum status status, const char *path, const char *what)
{
    return error_set(error, status, "%s: %s: %s", path, what, status_text(status));
}

static enum status fail_dead(struct error *error, const char *path)
{
    return error_set(error, STATUS_IO, "%s: this process is being killed", path);
}

bool sim_path_disk_is_full(struct sim_process *process)
{
    struct sim_machine *machine = process->machine;
    struct sim_world *world = machine->world;
    if (machine->is_full || machine->full_until_ns > world->now_ns) return true;
    if (!sim_world_strikes(world, SIM_FAULT_FULL_DISK)) return false;
    machine->full_until_ns = world->now_ns + sim_world_between(world, FULL_MIN_NS, FULL_MAX_NS);
    return true;
}

static void file_event(struct sim_file *file, const char *what, uint64_t a, uint64_t b)
{
    sim_world_event(file->process->world, what, file->path, a, b);
}

// ---- Opening and closing -----------------------------------------------------------------------

static enum status open_inode(struct sim_process *process, const char *path, unsigned flags,
                              struct sim_inode **inode, struct error *error)
{
    struct sim_machine *machine = process->machine;
    struct sim_inode *directory;
    struct sim_name *entry;
    const char *name;
    enum status status = sim_disk_find(machine, path, &directory, &name, &entry);
    if (status != STATUS_OK) return fail(error, status, path, "cannot open");
    if (entry == NULL && (flags & ENV_OPEN_CREATE) == 0)
        return fail(error, STATUS_NOT_FOUND, path, "cannot open");
    if (entry != NULL && entry->inode->is_dir)
        return fail(error, STATUS_IO, path, "a directory; cannot open");
    if (entry != NULL && (flags & ENV_OPEN_EXCLUSIVE) != 0)
        return fail(error, STATUS_EXISTS, path, "cannot create");
    if (entry == NULL || (flags & ENV_OPEN_TRUNCATE) != 0) {
        if (!sim_process_step(process)) return fail_dead(error, path);
        if (entry == NULL && sim_path_disk_is_full(process))
            return fail(error, STATUS_NO_SPACE, path, "cannot create");
    }
    if (entry == NULL) {
        *inode = sim_inode_create(false);
        (*inode)->modified_us = sim_machine_wall_us(process->machine);
        sim_disk_set_name(machine, directory, name, *inode);
        return STATUS_OK;
    }
    *inode = entry->inode;
    sim_inode_ref(*inode);
    if ((flags & ENV_OPEN_TRUNCATE) != 0) {
        sim_inode_truncate(machine, *inode, 0);
        (*inode)->modified_us = sim_machine_wall_us(process->machine);
    }
    return STATUS_OK;
}

enum status sim_file_open(struct env *env, const char *path, unsigned flags,
                          struct env_file **opened, struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, path);
    struct sim_inode *inode;
    enum status status = open_inode(process, path, flags, &inode, error);
    if (status != STATUS_OK) return status;
    size_t path_size = strlen(path) + 1;
    struct sim_file *file = malloc(sizeof *file + path_size);
    ASSERT(file != NULL);
    *file = (struct sim_file){.base = {env},
                              .process = process,
                              .inode = inode,
                              .writes = (flags & ENV_OPEN_WRITE) != 0,
                              .next = process->files,
                              .place = &process->files};
    memcpy(file->path, path, path_size);
    if (file->next != NULL) file->next->place = &file->next;
    process->files = file;
    file_event(file, "open", flags, inode->size);
    *opened = &file->base;
    return STATUS_OK;
}

void sim_file_close(struct env_file *base)
{
    struct sim_file *file = sim_file_of(base);
    *file->place = file->next;
    if (file->next != NULL) file->next->place = file->place;
    sim_inode_unref(file->process->machine, file->inode);
    free(file);
}

void sim_files_free(struct sim_process *process)
{
    while (process->files != NULL)
        sim_file_close(&process->files->base);
    while (process->locks != NULL)
        sim_path_unlock(&process->locks->base);
}

// ---- Reading and writing -----------------------------------------------------------------------

enum status sim_file_read(struct env_file *base, uint64_t offset, void *bytes, size_t size,
                          size_t *read_size, struct error *error)
{
    struct sim_file *file = sim_file_of(base);
    if (file->process->state != SIM_PROCESS_RUNNING) return fail_dead(error, file->path);
    *read_size = sim_inode_read(file->inode, offset, bytes, size);
    return STATUS_OK;
}

enum status sim_file_read_cached(struct env_file *base, uint64_t offset, void *bytes, size_t size,
                                 size_t *read_size, struct error *error)
{
    struct sim_file *file = sim_file_of(base);
    if (file->process->state == SIM_PROCESS_RUNNING &&
        sim_world_strikes(file->process->world, SIM_FAULT_COLD_READ))
        return STATUS_WOULD_BLOCK;
    return sim_file_read(base, offset, bytes, size, read_size, error);
}

// The beginning of a write that did not get through.
static void write_part(struct sim_file *file, uint64_t offset, const void *bytes, size_t size)
{
    struct sim_machine *machine = file->process->machine;
    size_t part = (size_t)sim_world_between(machine->world, 0, size);
    if (part > 0) (void)sim_inode_write(machine, file->inode, offset, bytes, part, false);
    if (part > 0 && part < size) sim_world_count(machine->world, SIM_FAULT_PARTIAL_WRITE);
    file_event(file, "write is cut short", offset, part);
}

enum status sim_file_write(struct env_file *base, uint64_t offset, const void *bytes, size_t size,
                           struct error *error)
{
    struct sim_file *file = sim_file_of(base);
    struct sim_process *process = file->process;
    struct sim_world *world = process->world;
    ASSERT(file->writes);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, file->path);
    if (!sim_process_step(process)) {
        write_part(file, offset, bytes, size);
        return fail_dead(error, file->path);
    }
    if (sim_world_strikes(world, SIM_FAULT_WRITE_ERROR)) {
        write_part(file, offset, bytes, size);
        return fail(error, STATUS_IO, file->path, "cannot write");
    }
    file->inode->modified_us = sim_machine_wall_us(process->machine);
    bool fits = sim_inode_write(process->machine, file->inode, offset, bytes, size,
                                sim_path_disk_is_full(process));
    file_event(file, fits ? "write" : "no space to write", offset, size);
    if (!fits) return fail(error, STATUS_NO_SPACE, file->path, "cannot write");
    if (world->observer.written != NULL)
        world->observer.written(world->observer.context, &process->env, file->path);
    return STATUS_OK;
}

enum status sim_file_sync(struct env_file *base, struct error *error)
{
    struct sim_file *file = sim_file_of(base);
    struct sim_process *process = file->process;
    struct sim_world *world = process->world;
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, file->path);
    if (process->file_syncs_left > 0 && --process->file_syncs_left == 0)
        process->crash_at = process->steps + 1;
    // Killed before the system began with it.
    if (!sim_process_step(process)) return fail_dead(error, file->path);
    bool works = !sim_world_strikes(world, SIM_FAULT_SYNC_ERROR);
    sim_inode_sync(process->machine, file->inode, works);
    file_event(file, works ? "sync" : "sync fails", file->inode->size, 0);
    if (!works) return fail(error, STATUS_IO, file->path, "cannot sync");
    if (world->observer.synced != NULL)
        world->observer.synced(world->observer.context, &process->env, file->path);
    return STATUS_OK;
}

enum status sim_file_truncate(struct env_file *base, uint64_t size, struct error *error)
{
    struct sim_file *file = sim_file_of(base);
    ASSERT(file->writes);
    if (file->process->state != SIM_PROCESS_RUNNING || !sim_process_step(file->process))
        return fail_dead(error, file->path);
    sim_inode_truncate(file->process->machine, file->inode, size);
    file->inode->modified_us = sim_machine_wall_us(file->process->machine);
    file_event(file, "truncate", size, 0);
    return STATUS_OK;
}

enum status sim_file_size(struct env_file *base, uint64_t *size, struct error *error)
{
    struct sim_file *file = sim_file_of(base);
    if (file->process->state != SIM_PROCESS_RUNNING) return fail_dead(error, file->path);
    *size = file->inode->size;
    return STATUS_OK;
}

// ---- Names -------------------------------------------------------------------------------------

static void path_event(struct sim_process *process, const char *what, const char *path)
{
    sim_world_event(process->world, what, path, 0, 0);
}

// What `from` refers to gets the name `to` too.
static enum status put_name(struct sim_process *process, const char *from, const char *to,
                            bool replaces, struct sim_inode **inode, struct error *error)
{
    struct sim_machine *machine = process->machine;
    struct sim_inode *directory;
    struct sim_name *entry;
    const char *name;
    const char *what = replaces ? "cannot rename" : "cannot link";
    enum status status = sim_disk_find(machine, from, &directory, &name, &entry);
    if (status == STATUS_OK && entry == NULL) status = STATUS_NOT_FOUND;
    if (status != STATUS_OK) return fail(error, status, from, what);
    *inode = entry->inode;
    status = sim_disk_find(machine, to, &directory, &name, &entry);
    if (status == STATUS_OK && entry != NULL) {
        bool may_replace = replaces && (*inode)->is_dir == entry->inode->is_dir &&
                           (!entry->inode->is_dir || sim_inode_is_empty_dir(entry->inode));
        if (!may_replace) status = STATUS_EXISTS;
    }
    if (status != STATUS_OK) return fail(error, status, to, what);
    if (!sim_process_step(process)) return fail_dead(error, to);
    if (entry == NULL && sim_path_disk_is_full(process))
        return fail(error, STATUS_NO_SPACE, to, what);
    sim_disk_set_name(machine, directory, name, *inode);
    return STATUS_OK;
}

enum status sim_path_rename(struct env *env, const char *from, const char *to, struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, from);
    struct sim_inode *inode, *directory;
    struct sim_name *entry;
    const char *name;
    enum status status = put_name(process, from, to, true, &inode, error);
    if (status != STATUS_OK) return status;
    ASSERT(sim_disk_find(process->machine, from, &directory, &name, &entry) == STATUS_OK);
    if (strcmp(from, to) != 0) sim_disk_set_name(process->machine, directory, name, NULL);
    path_event(process, "rename from", from);
    path_event(process, "rename to", to);
    return STATUS_OK;
}

enum status sim_path_link(struct env *env, const char *from, const char *to, struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, from);
    struct sim_inode *inode;
    enum status status = put_name(process, from, to, false, &inode, error);
    if (status == STATUS_OK) path_event(process, "link to", to);
    return status;
}

static enum status remove_name(struct env *env, const char *path, bool is_dir, struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, path);
    struct sim_inode *directory;
    struct sim_name *entry;
    const char *name;
    enum status status = sim_disk_find(process->machine, path, &directory, &name, &entry);
    if (status == STATUS_OK && entry == NULL) status = STATUS_NOT_FOUND;
    if (status == STATUS_OK && entry->inode->is_dir != is_dir) status = STATUS_IO;
    if (status == STATUS_OK && is_dir && !sim_inode_is_empty_dir(entry->inode))
        status = STATUS_EXISTS;
    if (status != STATUS_OK) return fail(error, status, path, "cannot remove");
    if (!sim_process_step(process)) return fail_dead(error, path);
    sim_disk_set_name(process->machine, directory, name, NULL);
    path_event(process, "remove", path);
    return STATUS_OK;
}

enum status sim_path_remove(struct env *env, const char *path, struct error *error)
{
    return remove_name(env, path, false, error);
}

enum status sim_path_remove_dir(struct env *env, const char *path, struct error *error)
{
    return remove_name(env, path, true, error);
}

enum status sim_path_make_dir(struct env *env, const char *path, struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, path);
    struct sim_inode *directory;
    struct sim_name *entry;
    const char *name;
    enum status status = sim_disk_find(process->machine, path, &directory, &name, &entry);
    if (status == STATUS_OK && (entry != NULL || *name == '\0')) status = STATUS_EXISTS;
    if (status != STATUS_OK) return fail(error, status, path, "cannot make the directory");
    if (!sim_process_step(process)) return fail_dead(error, path);
    if (sim_path_disk_is_full(process))
        return fail(error, STATUS_NO_SPACE, path, "cannot make the directory");
    struct sim_inode *inode = sim_inode_create(true);
    sim_disk_set_name(process->machine, directory, name, inode);
    sim_inode_unref(process->machine, inode);
    path_event(process, "make directory", path);
    return STATUS_OK;
}

static enum status find_dir(struct sim_process *process, const char *path, struct sim_inode **inode,
                            struct error *error)
{
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, path);
    struct sim_inode *directory;
    struct sim_name *entry;
    const char *name;
    enum status status = sim_disk_find(process->machine, path, &directory, &name, &entry);
    if (status == STATUS_OK && *name == '\0') {
        *inode = process->machine->root;
        return STATUS_OK;
    }
    if (status == STATUS_OK && (entry == NULL || !entry->inode->is_dir)) status = STATUS_NOT_FOUND;
    if (status != STATUS_OK) return fail(error, status, path, "cannot open the directory");
    *inode = entry->inode;
    return STATUS_OK;
}

enum status sim_path_sync_dir(struct env *env, const char *path, struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    struct sim_world *world = process->world;
    struct sim_inode *inode;
    enum status status = find_dir(process, path, &inode, error);
    if (status != STATUS_OK) return status;
    if (process->dir_syncs_left > 0 && --process->dir_syncs_left == 0)
        process->crash_at = process->steps + 1;
    if (!sim_process_step(process)) return fail_dead(error, path);
    if (sim_world_strikes(world, SIM_FAULT_DIR_SYNC_ERROR))
        return fail(error, STATUS_IO, path, "cannot sync the directory");
    sim_inode_sync_names(process->machine, inode);
    path_event(process, "sync directory", path);
    if (world->observer.synced != NULL) world->observer.synced(world->observer.context, env, path);
    return STATUS_OK;
}

enum status sim_path_list_dir(struct env *env, const char *path,
                              void (*entry)(void *context, const char *name, bool is_dir),
                              void *context, struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    struct sim_inode *inode;
    enum status status = find_dir(process, path, &inode, error);
    if (status != STATUS_OK) return status;
    // `entry` may remove names: it gets copies.
    size_t count = 0;
    struct sim_name *names = calloc(inode->name_count + 1, sizeof *names);
    bool *is_dir = calloc(inode->name_count + 1, sizeof *is_dir);
    ASSERT(names != NULL && is_dir != NULL);
    for (size_t i = 0; i < inode->name_count; i++) {
        if (inode->names[i].inode == NULL) continue;
        is_dir[count] = inode->names[i].inode->is_dir;
        names[count].name = strdup(inode->names[i].name);
        ASSERT(names[count].name != NULL);
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        entry(context, names[i].name, is_dir[i]);
        free(names[i].name);
    }
    free(names);
    free(is_dir);
    return STATUS_OK;
}

enum status sim_path_exists(struct env *env, const char *path, bool *exists, bool *is_dir,
                            struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, path);
    struct sim_inode *directory;
    struct sim_name *entry = NULL;
    const char *name = path;
    enum status status = sim_disk_find(process->machine, path, &directory, &name, &entry);
    bool is_root = status == STATUS_OK && *name == '\0';
    *exists = entry != NULL || is_root;
    if (is_dir != NULL) *is_dir = is_root || (entry != NULL && entry->inode->is_dir);
    return STATUS_OK;
}

enum status sim_path_time(struct env *env, const char *path, int64_t *modified_us,
                          struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, path);
    struct sim_inode *directory;
    struct sim_name *entry = NULL;
    const char *name;
    enum status status = sim_disk_find(process->machine, path, &directory, &name, &entry);
    if (status == STATUS_OK && entry == NULL) status = STATUS_NOT_FOUND;
    if (status != STATUS_OK) return fail(error, status, path, "cannot look it up");
    *modified_us = entry->inode->modified_us;
    return STATUS_OK;
}

enum status sim_path_free_space(struct env *env, const char *path, uint64_t *size,
                                struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, path);
    *size = sim_path_disk_is_full(process) ? 0 : FREE_SPACE;
    return STATUS_OK;
}

// ---- Locks -------------------------------------------------------------------------------------

enum status sim_path_lock(struct env *env, const char *path, struct env_lock **taken,
                          struct error *error)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return fail_dead(error, path);
    struct sim_inode *inode;
    enum status status =
        open_inode(process, path, ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE, &inode, error);
    if (status != STATUS_OK) return status;
    struct sim_process *holder = inode->locked_by;
    if (holder != NULL && holder->state != SIM_PROCESS_DEAD) {
        sim_inode_unref(process->machine, inode);
        return error_set(error, STATUS_IN_USE, "%s: in use by another process", path);
    }
    struct sim_lock *lock = malloc(sizeof *lock);
    ASSERT(lock != NULL);
    *lock = (struct sim_lock){.base = {env},
                              .process = process,
                              .inode = inode,
                              .next = process->locks,
                              .place = &process->locks};
    if (lock->next != NULL) lock->next->place = &lock->next;
    process->locks = lock;
    inode->locked_by = process;
    *taken = &lock->base;
    return STATUS_OK;
}

void sim_path_unlock(struct env_lock *base)
{
    struct sim_lock *lock = CONTAINER_OF(base, struct sim_lock, base);
    if (lock->inode->locked_by == lock->process) lock->inode->locked_by = NULL;
    *lock->place = lock->next;
    if (lock->next != NULL) lock->next->place = lock->place;
    sim_inode_unref(lock->process->machine, lock->inode);
    free(lock);
}
