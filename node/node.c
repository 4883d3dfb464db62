#include "node/node.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "cql/protocol/server.h"
#include "cql/statement/statement.h"
#include "cql/system/system_tables.h"
#include "node/identity.h"
#include "ring/coordinator/coordinator.h"
#include "ring/metadata/metadata.h"
#include "storage/engine/engine.h"
#include "stream/job/job_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096, MIB_SHIFT = 20 };

struct node {
    struct env *env;
    char directory[PATH_SIZE];
    struct env_lock *lock;
    struct config config;
    struct identity identity;
    struct node_identity self; // What the system tables say; they keep a pointer to it.
    struct metadata *metadata;
    struct engine *engine;
    struct coordinator *coordinator;
    struct system_tables *system_tables;
    struct query_processor processor;
    struct cql_server *server;
    struct job_service *job_service;
    struct engine_flush last_flush;
    void (*stopped)(void *context);
    void *stopped_context;
};

static enum status lock_directory(struct node *node, struct error *error)
{
    char path[PATH_SIZE + 16];
    (void)snprintf(path, sizeof path, "%s/node.lock", node->directory);
    enum status status = env_lock(node->env, path, &node->lock, error);
    if (status == STATUS_IN_USE)
        return error_set(error, status, "%.400s is in use by another node", node->directory);
    return status;
}

static enum status open_storage(struct node *node, struct error *error)
{
    char path[PATH_SIZE + 16];
    (void)snprintf(path, sizeof path, "%s/metadata", node->directory);
    enum status status = metadata_open(node->env, &(struct metadata_options){.directory = path},
                                       &node->metadata, error);
    if (status != STATUS_OK) return status;
    const struct engine_options options = {
        .directory = node->directory,
        .memtable_space_max = (size_t)node->config.memtable_space_mib << MIB_SHIFT,
        .chunk_cache_size_max = (size_t)node->config.file_cache_size_mib << MIB_SHIFT,
        .commit_log_sync = config_commit_log_sync(&node->config),
        .commit_log_period_ns = (uint64_t)node->config.commitlog_sync_period_ms * 1000000,
    };
    status =
        engine_open(node->env, &options, metadata_schema(node->metadata), &node->engine, error);
    if (status == STATUS_OK) metadata_set_engine(node->metadata, node->engine);
    return status;
}

static enum status address_of(const char *key, const char *text, int64_t port,
                              struct env_address *address, struct error *error)
{
    if (env_address_parse(text, (uint16_t)port, address) == STATUS_OK) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: '%s' is no IPv4 or IPv6 address", key, text);
}

static enum status open_services(struct node *node, struct error *error)
{
    const struct config *config = &node->config;
    const char *rpc_text =
        config->rpc_address[0] != '\0' ? config->rpc_address : config->listen_address;
    struct env_address listen_address, rpc_address;
    enum status status = address_of("listen_address", config->listen_address, config->storage_port,
                                    &listen_address, error);
    if (status == STATUS_OK)
        status =
            address_of("rpc_address", rpc_text, config->native_transport_port, &rpc_address, error);
    if (status != STATUS_OK) return status;
    node->self = (struct node_identity){
        .cluster_name = config->cluster_name,
        .data_center = config->data_center,
        .rack = config->rack,
        .host_id = node->identity.host_id,
        .broadcast_address = listen_address,
        .rpc_address = rpc_address,
        .listen_address = listen_address,
        .tokens = node->identity.tokens,
        .token_count = node->identity.token_count,
    };
    const struct coordinator_options coordinator_options = {
        .engine = node->engine, .schema = metadata_schema(node->metadata)};
    node->coordinator = coordinator_create(node->env, &coordinator_options);
    node->system_tables = system_tables_create(node->env, node->metadata, &node->self);
    node->processor = (struct query_processor){
        .env = node->env,
        .metadata = node->metadata,
        .coordinator = node->coordinator,
        .engine = node->engine,
        .system_tables = node->system_tables,
        .cluster_name = node->config.cluster_name,
        .data_center = node->config.data_center,
    };
    const struct job_service_options options = {
        .address = listen_address,
        .metadata = node->metadata,
        .coordinator = node->coordinator,
        .engine = node->engine,
    };
    status = job_service_create(node->env, &options, &node->job_service, error);
    if (status != STATUS_OK) return status;
    return cql_server_create(node->env, &node->processor, &rpc_address, &node->server, error);
}

static void node_free(struct node *node)
{
    if (node->system_tables != NULL) system_tables_destroy(node->system_tables);
    if (node->coordinator != NULL) coordinator_destroy(node->coordinator);
    if (node->lock != NULL) env_unlock(node->lock);
    free(node);
}

enum status node_start(struct env *env, const char *directory, const struct config *config,
                       struct node **node, struct error *error)
{
    if (strlen(directory) >= PATH_SIZE)
        return error_set(error, STATUS_INVALID, "%.400s: the path is too long", directory);
    struct node *started = calloc(1, sizeof *started);
    ASSERT(started != NULL);
    started->env = env;
    started->config = *config;
    (void)snprintf(started->directory, sizeof started->directory, "%s", directory);
    enum status status = lock_directory(started, error);
    if (status == STATUS_OK)
        status =
            identity_open(env, directory, (size_t)config->num_tokens, &started->identity, error);
    if (status == STATUS_OK) status = open_storage(started, error);
    if (status == STATUS_OK) status = open_services(started, error);
    if (status != STATUS_OK) {
        node_abandon(started);
        return status;
    }
    *node = started;
    return STATUS_OK;
}

void node_abandon(struct node *node)
{
    if (node->server != NULL) cql_server_abandon(node->server);
    if (node->job_service != NULL) job_service_abandon(node->job_service);
    if (node->engine != NULL) engine_abandon(node->engine);
    if (node->metadata != NULL) metadata_abandon(node->metadata);
    node_free(node);
}

// ---- Stopping: each part when the one that uses it is gone. -------------------------------------

static void metadata_is_drained(void *context)
{
    struct node *node = context;
    metadata_close(node->metadata);
    void (*stopped)(void *) = node->stopped;
    void *stopped_context = node->stopped_context;
    node_free(node);
    stopped(stopped_context);
}

static void engine_is_closed(void *context)
{
    struct node *node = context;
    node->engine = NULL;
    metadata_drain(node->metadata, metadata_is_drained, node);
}

// Also when the flush failed: then the commit log has what it did not write.
static void engine_is_flushed(struct engine_flush *flush, enum status status)
{
    struct node *node = CONTAINER_OF(flush, struct node, last_flush);
    (void)status;
    metadata_set_engine(node->metadata, NULL);
    engine_close(node->engine, engine_is_closed, node);
}

static void job_service_is_closed(void *context)
{
    struct node *node = context;
    node->job_service = NULL;
    engine_flush(node->engine, NULL, &node->last_flush, engine_is_flushed);
}

static void server_is_closed(void *context)
{
    struct node *node = context;
    node->server = NULL;
    job_service_close(node->job_service, job_service_is_closed, node);
}

void node_stop(struct node *node, void (*stopped)(void *context), void *context)
{
    node->stopped = stopped;
    node->stopped_context = context;
    cql_server_close(node->server, server_is_closed, node);
}

struct engine *node_engine(struct node *node)
{
    return node->engine;
}

struct metadata *node_metadata(struct node *node)
{
    return node->metadata;
}
