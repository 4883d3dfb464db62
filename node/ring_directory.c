#include "node/ring_directory.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL_FILE_SIZE = 4096 };

// `a`/`b`, or INVALID when that is too long for any file.
static enum status join(char *path, const char *a, const char *b, struct error *error)
{
    int length = snprintf(path, RING_PATH_SIZE, "%s/%s", a, b);
    if (length > 0 && length < RING_PATH_SIZE) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%.400s: the path is too long", a);
}

enum status ring_absolute_path(const char *path, char absolute[static RING_PATH_SIZE],
                               struct error *error)
{
    char here[RING_PATH_SIZE];
    if (path[0] == '/') return join(absolute, "", path + 1, error);
    if (getcwd(here, sizeof here) == NULL)
        return error_set(error, STATUS_IO,
                         "the working directory is gone: use --dir with a whole path");
    return join(absolute, here, path, error);
}

enum status ring_make_directories(struct env *env, const char *path, struct error *error)
{
    char part[RING_PATH_SIZE];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return error_set(error, STATUS_INVALID, "%.400s: the path is too long", path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        enum status status = env_make_dir(env, part, error);
        if (status != STATUS_OK && status != STATUS_EXISTS) return status;
        // The ring's directory and the node's may have been made by a run that died before it
        // synced them.
        if (status == STATUS_EXISTS && strchr(path + i, '/') != strrchr(path + i, '/')) continue;
        char *slash = strrchr(part, '/');
        if (slash == NULL) continue;
        slash[slash == part ? 1 : 0] = '\0';
        status = env_sync_dir(env, part, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

enum status ring_write_text(struct env *env, const char *path, const char *text,
                            struct error *error)
{
    struct env_file *file;
    unsigned flags = ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE;
    enum status status = env_file_open(env, path, flags, &file, error);
    if (status != STATUS_OK) return status;
    status = env_file_write(file, 0, text, strlen(text), error);
    env_file_close(file);
    return status;
}

static enum status read_pid(struct env *env, const char *directory, int *pid, struct error *error)
{
    char path[RING_PATH_SIZE], text[SMALL_FILE_SIZE];
    struct env_file *file;
    size_t size = 0;
    *pid = 0;
    enum status status = join(path, directory, "process", error);
    if (status != STATUS_OK) return status;
    status = env_file_open(env, path, ENV_OPEN_READ, &file, error);
    if (status == STATUS_NOT_FOUND) return STATUS_OK;
    if (status != STATUS_OK) return status;
    status = env_file_read(file, 0, text, sizeof text - 1, &size, error);
    env_file_close(file);
    text[size] = '\0';
    if (status == STATUS_OK) *pid = atoi(text);
    return status;
}

enum status ring_node_probe(struct env *env, struct ring_node *node, struct error *error)
{
    // The lock tells whether it runs; a pid alone may by now be another program's.
    char path[RING_PATH_SIZE];
    struct env_lock *lock;
    node->runs = false;
    node->pid = 0;
    enum status status = join(path, node->directory, "node.lock", error);
    if (status != STATUS_OK) return status;
    status = env_lock(env, path, &lock, error);
    if (status == STATUS_OK) {
        env_unlock(lock);
        return STATUS_OK;
    }
    if (status != STATUS_IN_USE) return status;
    node->runs = true;
    return read_pid(env, node->directory, &node->pid, error);
}

static enum status read_node(struct env *env, struct ring_directory *ring, struct ring_node *node,
                             int64_t number, struct error *error)
{
    char name[64], path[RING_PATH_SIZE];
    *node = (struct ring_node){.number = number};
    (void)snprintf(name, sizeof name, "node%" PRId64, number);
    enum status status = join(node->directory, ring->path, name, error);
    if (status == STATUS_OK) status = join(path, node->directory, "helenus.yaml", error);
    if (status != STATUS_OK) return status;
    config_set_defaults(&node->config);
    status = config_read_file(env, &node->config, path, error);
    if (status != STATUS_OK) return status;
    const char *host = node->config.rpc_address[0] != '\0' ? node->config.rpc_address
                                                           : node->config.listen_address;
    status = env_address_parse(host, (uint16_t)node->config.native_transport_port, &node->address);
    if (status != STATUS_OK)
        return error_set(error, STATUS_INVALID, "%s: '%s' is no address", path, host);
    return ring_node_probe(env, node, error);
}

enum status ring_directory_read(struct env *env, const char *path, struct ring_directory *ring,
                                struct error *error)
{
    ring->node_count = 0;
    enum status status = ring_absolute_path(path, ring->path, error);
    while (status == STATUS_OK && ring->node_count < RING_NODES_MAX) {
        int64_t number = (int64_t)ring->node_count + 1;
        status = read_node(env, ring, &ring->nodes[ring->node_count], number, error);
        if (status == STATUS_NOT_FOUND) return STATUS_OK;
        if (status == STATUS_OK) ring->node_count++;
    }
    return status;
}

static enum status next_address(const char *first, size_t distance, char *text, struct error *error)
{
    struct env_address address;
    char with_port[ENV_ADDRESS_TEXT_SIZE];
    if (env_address_parse(first, 1, &address) != STATUS_OK || address.size != 4)
        return error_set(error, STATUS_INVALID, "'%s' is no IPv4 address", first);
    if (address.bytes[3] + distance > 254)
        return error_set(error, STATUS_INVALID, "no %zu addresses from %s on", distance + 1, first);
    address.bytes[3] = (uint8_t)(address.bytes[3] + distance);
    env_address_format(&address, with_port);
    *strchr(with_port, ':') = '\0';
    (void)snprintf(text, CONFIG_TEXT_SIZE, "%s", with_port);
    return STATUS_OK;
}

static enum status add_node(struct env *env, struct ring_directory *ring, int64_t number,
                            const struct config *first, struct error *error)
{
    char directory[RING_PATH_SIZE], path[RING_PATH_SIZE], name[64], address[CONFIG_TEXT_SIZE];
    char text[SMALL_FILE_SIZE];
    (void)snprintf(name, sizeof name, "node%" PRId64, number);
    enum status status = next_address(first->listen_address, (size_t)number - 1, address, error);
    if (status == STATUS_OK) status = join(directory, ring->path, name, error);
    if (status == STATUS_OK) status = join(path, directory, "helenus.yaml", error);
    if (status == STATUS_OK) status = ring_make_directories(env, directory, error);
    if (status != STATUS_OK) return status;
    (void)snprintf(text, sizeof text,
                   "cluster_name: '%s'\nlisten_address: %s\nstorage_port: %" PRId64
                   "\nnative_transport_port: %" PRId64 "\nnum_tokens: %" PRId64
                   "\ncommitlog_sync: %s\n",
                   first->cluster_name, address, first->storage_port, first->native_transport_port,
                   first->num_tokens, first->commitlog_sync);
    status = ring_write_text(env, path, text, error);
    if (status != STATUS_OK) return status;
    return read_node(env, ring, &ring->nodes[number - 1], number, error);
}

enum status ring_directory_grow(struct env *env, struct ring_directory *ring, size_t count,
                                const struct config *first, struct error *error)
{
    if (count > RING_NODES_MAX)
        return error_set(error, STATUS_INVALID, "a ring in one box has up to %d nodes",
                         RING_NODES_MAX);
    enum status status = ring_make_directories(env, ring->path, error);
    while (status == STATUS_OK && ring->node_count < count) {
        status = add_node(env, ring, (int64_t)ring->node_count + 1, first, error);
        if (status == STATUS_OK) ring->node_count++;
    }
    return status;
}

struct ring_node *ring_directory_find(struct ring_directory *ring, int64_t number)
{
    if (number < 1 || (size_t)number > ring->node_count) return NULL;
    return &ring->nodes[number - 1];
}
