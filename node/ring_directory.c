#include "node/ring_directory.h"

#include "base/assert.h"
#include "node/members.h"
#include "node/ring_certificates.h"
#include "storage/new_directory.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
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
        status = new_directory_keep(env, part, error);
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
    char *end;
    long number = strtol(text, &end, 10);
    bool is_sound = end != text && (*end == '\0' || *end == '\n') && number > 0;
    if (status == STATUS_OK && is_sound && number <= INT_MAX) *pid = (int)number;
    return status;
}

// Another that looks has a node's lock for microseconds, as we do: who has it for longer than this
// is a node. One whose process is there is believed at once.
#define LOOK_NS (20 * UINT64_C(1000000))

enum status ring_node_probe(struct env *env, struct ring_node *node, struct error *error)
{
    // The lock tells whether it runs; a pid alone may by now be another program's.
    char path[RING_PATH_SIZE];
    node->runs = false;
    node->pid = 0;
    enum status status = join(path, node->directory, "node.lock", error);
    if (status != STATUS_OK) return status;
    int pid = 0;
    uint64_t begin = env_monotonic_ns(env);
    do {
        struct env_lock *lock;
        status = env_lock(env, path, &lock, error);
        if (status == STATUS_OK) env_unlock(lock);
        if (status != STATUS_IN_USE) return status;
        status = read_pid(env, node->directory, &pid, error);
        if (status != STATUS_OK) return status;
        if (pid > 0 && env_process_signal(env, pid, 0, NULL) != STATUS_NOT_FOUND) break;
        // It may need this processor to be done.
        (void)sched_yield();
    } while (env_monotonic_ns(env) - begin < LOOK_NS);
    node->runs = true;
    node->pid = pid;
    return STATUS_OK;
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
    if (status == STATUS_OK) {
        host = node->config.listen_address;
        status =
            env_address_parse(host, (uint16_t)node->config.storage_port, &node->storage_address);
    }
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

// ---- Forming ------------------------------------------------------------------------------------

// The ring while it is formed.
struct forming {
    struct env *env;
    const char *path;
    const struct config *first;
    size_t count;
    struct topology *topology;
};

static enum status node_path(const struct forming *forming, size_t index, const char *file,
                             char *path, struct error *error)
{
    char name[64];
    (void)snprintf(name, sizeof name, "node%zu%s", index + 1, file);
    return join(path, forming->path, name, error);
}

static enum status make_member(const struct forming *forming, size_t index, struct member *member,
                               struct token *tokens, struct error *error)
{
    char address[CONFIG_TEXT_SIZE];
    uint8_t random[16];
    const struct config *first = forming->first;
    enum status status = next_address(first->listen_address, index, address, error);
    if (status != STATUS_OK) return status;
    env_random_bytes(forming->env, random, sizeof random);
    size_t token_count = (size_t)first->num_tokens;
    topology_allocate_tokens(index, forming->count, token_count, tokens);
    *member = (struct member){
        .host_id = uuid_make_random(random), .tokens = tokens, .token_count = token_count};
    (void)snprintf(member->data_center, sizeof member->data_center, "%.63s", first->data_center);
    (void)snprintf(member->rack, sizeof member->rack, "%.63s", first->rack);
    status = env_address_parse(address, (uint16_t)first->storage_port, &member->address);
    if (status != STATUS_OK) return error_set(error, status, "'%s' is no address", address);
    return env_address_parse(address, (uint16_t)first->native_transport_port, &member->rpc_address);
}

static enum status make_topology(struct forming *forming, struct error *error)
{
    struct member members[RING_NODES_MAX];
    size_t token_count = (size_t)forming->first->num_tokens;
    struct token *tokens = calloc(forming->count * token_count, sizeof *tokens);
    ASSERT(tokens != NULL);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < forming->count && status == STATUS_OK; i++)
        status = make_member(forming, i, &members[i], tokens + i * token_count, error);
    if (status == STATUS_OK)
        status = topology_make(members, forming->count, &forming->topology, error);
    free(tokens);
    return status;
}

// What an earlier forming left: its members, and whether a node ever started with them.
struct remains {
    struct topology *topology; // NULL: none, or a ring of one.
    bool has_data;
};

static enum status find_remains(const struct forming *forming, struct remains *remains,
                                struct error *error)
{
    for (size_t i = 0; i < RING_NODES_MAX; i++) {
        char path[RING_PATH_SIZE];
        struct topology *topology;
        uint16_t self;
        bool exists, is_dir;
        enum status status = node_path(forming, i, "/metadata", path, error);
        if (status == STATUS_OK)
            status = env_path_exists(forming->env, path, &exists, &is_dir, error);
        if (status == STATUS_OK) status = node_path(forming, i, "", path, error);
        if (status == STATUS_OK) status = members_read(forming->env, path, &topology, &self, error);
        if (status != STATUS_OK) return status;
        remains->has_data = remains->has_data || exists;
        if (remains->topology == NULL)
            remains->topology = topology;
        else if (topology != NULL)
            topology_destroy(topology);
    }
    return STATUS_OK;
}

static bool fits(const struct forming *forming, const struct topology *topology)
{
    struct env_address first;
    const struct config *config = forming->first;
    return topology->member_count == forming->count &&
           env_address_parse(config->listen_address, (uint16_t)config->storage_port, &first) ==
               STATUS_OK &&
           topology_find_address(topology, &first) == 0;
}

// The configurations are not durable, the data is: when a power loss took the first, the ring is
// what it was. New members would be another ring's.
static enum status take_remains(struct forming *forming, struct error *error)
{
    struct remains remains = {NULL, false};
    enum status status = find_remains(forming, &remains, error);
    size_t count = remains.topology == NULL ? 1 : remains.topology->member_count;
    bool same = remains.topology == NULL ? forming->count == 1 : fits(forming, remains.topology);
    if (status == STATUS_OK && remains.has_data && !same)
        status =
            error_set(error, STATUS_INVALID,
                      "%.300s has the data of a ring of %zu without its helenus.yaml: start it "
                      "with --nodes %zu and the --address it had, or name another --dir",
                      forming->path, count, count);
    if (status == STATUS_OK && same)
        forming->topology = remains.topology;
    else if (remains.topology != NULL)
        topology_destroy(remains.topology);
    return status;
}

static enum status remove_members(const struct forming *forming, struct error *error)
{
    for (size_t i = 0; i < RING_NODES_MAX; i++) {
        char path[RING_PATH_SIZE];
        enum status status = node_path(forming, i, "/members", path, error);
        if (status == STATUS_OK) status = env_remove(forming->env, path, error);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    }
    return STATUS_OK;
}

// Configurations of an attempt that did not come to node 1's would be taken for nodes of this one.
static enum status remove_configurations(const struct forming *forming, struct error *error)
{
    for (size_t i = 0; i < RING_NODES_MAX; i++) {
        char path[RING_PATH_SIZE];
        enum status status = node_path(forming, i, "/helenus.yaml", path, error);
        if (status == STATUS_OK) status = env_remove(forming->env, path, error);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    }
    return STATUS_OK;
}

static enum status write_configuration(const struct forming *forming, size_t index,
                                       struct error *error)
{
    char path[RING_PATH_SIZE], text[SMALL_FILE_SIZE], address[CONFIG_TEXT_SIZE];
    const struct config *first = forming->first;
    enum status status = next_address(first->listen_address, index, address, error);
    if (status == STATUS_OK) status = node_path(forming, index, "/helenus.yaml", path, error);
    if (status != STATUS_OK) return status;
    int size =
        snprintf(text, sizeof text,
                 "cluster_name: '%s'\nlisten_address: %s\nstorage_port: %" PRId64
                 "\nnative_transport_port: %" PRId64 "\nnum_tokens: %" PRId64
                 "\ncommitlog_sync: %s\nauto_snapshot: %s\n",
                 first->cluster_name, address, first->storage_port, first->native_transport_port,
                 first->num_tokens, first->commitlog_sync, first->auto_snapshot);
    // What is as always is not said: releases before it would not know it.
    if (config_authenticates(first))
        size +=
            snprintf(text + size, sizeof text - (size_t)size, "authenticator: %s\nauthorizer: %s\n",
                     first->authenticator, first->authorizer);
    if (strcmp(first->allow_clients_without_authentication, "true") == 0)
        size += snprintf(text + size, sizeof text - (size_t)size,
                         "allow_clients_without_authentication: true\n");
    if (strcmp(first->encryption.enabled, "true") == 0)
        size += snprintf(text + size, sizeof text - (size_t)size,
                         "client_encryption_options:\n  enabled: true\n"
                         "  keystore: \"%.800s/tls/node%zu.pem\"\n"
                         "  truststore: \"%.800s/tls/ca.pem\"\n  require_client_auth: false\n",
                         forming->path, index + 1, forming->path);
    return ring_write_text(forming->env, path, text, error);
}

// All of them, then one sync: a start is made of little else than syncs.
static enum status make_node_directories(const struct forming *forming, struct error *error)
{
    for (size_t i = 0; i < forming->count; i++) {
        char directory[RING_PATH_SIZE];
        enum status status = node_path(forming, i, "", directory, error);
        if (status == STATUS_OK) status = new_directory_make(forming->env, directory, error);
        if (status != STATUS_OK) return status;
    }
    return env_sync_dir(forming->env, forming->path, error);
}

// Those of an earlier attempt are replaced: nobody knows them.
static enum status make_certificates(const struct forming *forming, struct error *error)
{
    char directory[RING_PATH_SIZE];
    struct env_address address;
    const struct config *first = forming->first;
    enum status status = join(directory, forming->path, "tls", error);
    // What can not stand between quotes in a configuration, or is cut there.
    if (strpbrk(forming->path, "\"\\\n") != NULL || strlen(directory) + 32 > CONFIG_TEXT_SIZE)
        status = error_set(error, STATUS_INVALID, "%.400s: no path for --tls", forming->path);
    if (status == STATUS_OK) status = ring_make_directories(forming->env, directory, error);
    if (status != STATUS_OK) return status;
    if (env_address_parse(first->listen_address, 0, &address) != STATUS_OK)
        return error_set(error, STATUS_INVALID, "'%s' is no address", first->listen_address);
    return ring_certificates_make(forming->env, directory, &address, forming->count, error);
}

static enum status form_nodes(struct forming *forming, struct error *error)
{
    enum status status = take_remains(forming, error);
    if (status == STATUS_OK) status = remove_configurations(forming, error);
    if (status == STATUS_OK && forming->topology == NULL) status = remove_members(forming, error);
    if (status == STATUS_OK && forming->topology == NULL && forming->count > 1)
        status = make_topology(forming, error);
    if (status == STATUS_OK) status = make_node_directories(forming, error);
    for (size_t i = 0; i < forming->count && forming->count > 1 && status == STATUS_OK; i++) {
        char directory[RING_PATH_SIZE];
        status = node_path(forming, i, "", directory, error);
        if (status == STATUS_OK)
            status = members_write(forming->env, directory, forming->topology, (uint16_t)i, error);
    }
    if (status == STATUS_OK && strcmp(forming->first->encryption.enabled, "true") == 0)
        status = make_certificates(forming, error);
    for (size_t i = forming->count; i > 0 && status == STATUS_OK; i--)
        status = write_configuration(forming, i - 1, error);
    return status;
}

enum status ring_directory_form(struct env *env, struct ring_directory *ring, size_t count,
                                const struct config *first, struct error *error)
{
    ASSERT(ring->node_count == 0 && count > 0);
    if (count > RING_NODES_MAX)
        return error_set(error, STATUS_INVALID, "a ring in one box has up to %d nodes",
                         RING_NODES_MAX);
    struct forming forming = {.env = env, .path = ring->path, .first = first, .count = count};
    enum status status = form_nodes(&forming, error);
    if (forming.topology != NULL) topology_destroy(forming.topology);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = read_node(env, ring, &ring->nodes[i], (int64_t)i + 1, error);
        if (status == STATUS_OK) ring->node_count++;
    }
    return status;
}

// ---- Emptying -----------------------------------------------------------------------------------

enum { EMPTY_DEPTH_MAX = 16 };

struct emptying {
    struct env *env;
    const char *path;
    int depth;
    enum status status;
    struct error *error;
};

static void empty_entry(void *context, const char *name, bool is_dir);

static enum status empty_directory(struct env *env, const char *path, int depth,
                                   struct error *error)
{
    struct emptying emptying = {.env = env, .path = path, .depth = depth, .error = error};
    if (depth == EMPTY_DEPTH_MAX)
        return error_set(error, STATUS_INVALID, "%s: no directory of a node", path);
    enum status status = env_list_dir(env, path, empty_entry, &emptying, error);
    return status == STATUS_OK ? emptying.status : status;
}

static void empty_entry(void *context, const char *name, bool is_dir)
{
    struct emptying *emptying = context;
    char path[RING_PATH_SIZE];
    static const char *const kept[] = {"helenus.yaml", "members", "settings", "node.lock", "log"};
    if (emptying->status != STATUS_OK) return;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (emptying->depth == 0 && strcmp(name, kept[i]) == 0) return;
    enum status status = join(path, emptying->path, name, emptying->error);
    if (status == STATUS_OK && is_dir) {
        status = empty_directory(emptying->env, path, emptying->depth + 1, emptying->error);
        if (status == STATUS_OK) status = env_remove_dir(emptying->env, path, emptying->error);
    } else if (status == STATUS_OK) {
        status = env_remove(emptying->env, path, emptying->error);
    }
    emptying->status = status;
}

// A node alone begins anew, with what its configuration says now. One of several stays what the
// members say of it.
static enum status forget_settings(struct env *env, const char *directory, struct error *error)
{
    char members[RING_PATH_SIZE], settings[RING_PATH_SIZE];
    bool is_member, is_dir;
    enum status status = join(members, directory, "members", error);
    if (status == STATUS_OK) status = join(settings, directory, "settings", error);
    if (status == STATUS_OK) status = env_path_exists(env, members, &is_member, &is_dir, error);
    if (status != STATUS_OK || is_member) return status;
    status = env_remove(env, settings, error);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status ring_node_empty(struct env *env, const struct ring_node *node, struct error *error)
{
    enum status status = empty_directory(env, node->directory, 0, error);
    if (status == STATUS_OK) status = forget_settings(env, node->directory, error);
    if (status == STATUS_OK) status = env_sync_dir(env, node->directory, error);
    return status;
}

struct ring_node *ring_directory_find(struct ring_directory *ring, int64_t number)
{
    if (number < 1 || (size_t)number > ring->node_count) return NULL;
    return &ring->nodes[number - 1];
}
