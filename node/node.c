#include "node/node.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "cql/auth/auth.h"
#include "cql/protocol/server.h"
#include "cql/protocol/tls.h"
#include "cql/statement/statement.h"
#include "cql/system/system_tables.h"
#include "cql/system/table_figures.h"
#include "cql/system/tracing.h"
#include "node/admin.h"
#include "node/identity.h"
#include "node/members.h"
#include "ring/coordinator/coordinator.h"
#include "ring/liveness/liveness.h"
#include "ring/metadata/metadata.h"
#include "ring/paxos/internal_tables.h"
#include "ring/paxos/paxos.h"
#include "ring/topology/placement.h"
#include "ring/transport/messaging.h"
#include "storage/engine/engine.h"
#include "stream/job/job_service.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096, MIB_SHIFT = 20 };

#define NS_PER_MS UINT64_C(1000000)
// How long a node that starts asks the others for what it missed. Later they tell it anyway: each
// request between members says how far its sender is.
#define CATCH_UP_TIMEOUT_NS (500 * NS_PER_MS)

struct node {
    struct env *env;
    char directory[PATH_SIZE], worker_log[PATH_SIZE + 16], intake_directory[PATH_SIZE + 16];
    struct env_lock *lock;
    struct log log;
    struct config config;
    struct identity identity;
    struct node_identity self; // What the system tables say; they keep a pointer to it.
    // The members as the ring was formed; the node alone, in a ring of one.
    struct topology *members;
    uint16_t number;
    bool is_in_ring;
    struct env_address listen_address, rpc_address;
    struct internal_tables internal_tables;
    struct metadata *metadata;
    struct messaging *messaging;
    struct liveness *liveness; // NULL in a ring of one, as are placement and hints.
    struct engine *engine;
    struct placement *placement;
    struct hints *hints;
    struct batch_log *batch_log;
    struct coordinator *coordinator;
    struct paxos *paxos;
    struct system_tables *system_tables;
    struct tracing *tracing;
    struct table_figures_set *figures;
    struct query_processor processor;
    struct auth auth;
    struct admin *admin;
    struct cql_server *server; // NULL when drained.
    struct tls *tls;           // NULL: clients do not speak it.
    struct job_service *job_service;
    struct liveness_listener liveness_listener;
    struct metadata_member_change member_change;
    bool is_ready, is_stopping, is_draining;
    struct env_task ready_task;
    void (*ready)(void *context);
    void *ready_context;
    struct engine_flush last_flush;
    void (*stopped)(void *context);
    void *stopped_context;
};

// ---- Who it is ----------------------------------------------------------------------------------

// Who looks whether a node runs (ring_node_probe()) holds its lock for some microseconds.
enum { LOCK_ATTEMPTS = 1000 };

static enum status lock_directory(struct node *node, struct error *error)
{
    char path[PATH_SIZE + 16];
    (void)snprintf(path, sizeof path, "%s/node.lock", node->directory);
    enum status status = STATUS_IN_USE;
    for (int i = 0; i < LOCK_ATTEMPTS && status == STATUS_IN_USE; i++) {
        // It may need this processor to be done.
        if (i > 0) (void)sched_yield();
        status = env_lock(node->env, path, &node->lock, error);
    }
    if (status == STATUS_IN_USE)
        return error_set(error, status, "%.400s is in use by another node", node->directory);
    return status;
}

static enum status address_of(const char *key, const char *text, int64_t port,
                              struct env_address *address, struct error *error)
{
    if (env_address_parse(text, (uint16_t)port, address) == STATUS_OK) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: '%s' is no IPv4 or IPv6 address", key, text);
}

static enum status find_addresses(struct node *node, struct error *error)
{
    const struct config *config = &node->config;
    const char *rpc_text =
        config->rpc_address[0] != '\0' ? config->rpc_address : config->listen_address;
    enum status status = address_of("listen_address", config->listen_address, config->storage_port,
                                    &node->listen_address, error);
    if (status != STATUS_OK) return status;
    return address_of("rpc_address", rpc_text, config->native_transport_port, &node->rpc_address,
                      error);
}

// A ring of one: the node's own identity is all there is.
static enum status make_alone(struct node *node, struct error *error)
{
    enum status status = identity_open(node->env, node->directory, (size_t)node->config.num_tokens,
                                       &node->identity, error);
    if (status != STATUS_OK) return status;
    struct member member = {
        .host_id = node->identity.host_id,
        .address = node->listen_address,
        .rpc_address = node->rpc_address,
        .tokens = node->identity.tokens,
        .token_count = node->identity.token_count,
    };
    (void)snprintf(member.data_center, sizeof member.data_center, "%.63s",
                   node->config.data_center);
    (void)snprintf(member.rack, sizeof member.rack, "%.63s", node->config.rack);
    return topology_make(&member, 1, &node->members, error);
}

static enum status find_members(struct node *node, struct error *error)
{
    enum status status =
        members_read(node->env, node->directory, &node->members, &node->number, error);
    if (status != STATUS_OK) return status;
    node->is_in_ring = node->members != NULL && node->members->member_count > 1;
    if (node->members == NULL) status = make_alone(node, error);
    if (status != STATUS_OK) return status;
    const struct member *self = &node->members->members[node->number];
    node->self = (struct node_identity){
        .cluster_name = node->config.cluster_name,
        .data_center = self->data_center,
        .rack = self->rack,
        .host_id = self->host_id,
        .broadcast_address = node->listen_address,
        .rpc_address = node->rpc_address,
        .listen_address = node->listen_address,
        .tokens = self->tokens,
        .token_count = self->token_count,
        .authenticates = config_authenticates(&node->config),
        .authorizes = config_authorizes(&node->config),
    };
    return STATUS_OK;
}

const struct node_identity *node_self(const struct node *node)
{
    return &node->self;
}

// ---- Opening ------------------------------------------------------------------------------------

static const struct topology *topology_of(void *context)
{
    const struct node *node = context;
    const struct topology *topology = metadata_topology(node->metadata);
    return topology == NULL ? node->members : topology;
}

static uint64_t log_number(void *context)
{
    const struct node *node = context;
    return metadata_number(node->metadata);
}

static void is_behind(void *context, uint16_t member, uint64_t number)
{
    struct node *node = context;
    if (node->is_in_ring) metadata_catch_up(node->metadata, member, number);
}

static enum status open_metadata(struct node *node, struct error *error)
{
    char path[PATH_SIZE + 16];
    (void)snprintf(path, sizeof path, "%s/metadata", node->directory);
    const struct metadata_options options = {
        .directory = path,
        .topology = node->is_in_ring ? node->members : NULL,
        .self = node->number,
    };
    enum status status = metadata_open(node->env, &options, &node->metadata, error);
    if (status != STATUS_OK) return status;
    const struct topology *topology = metadata_topology(node->metadata);
    if (!node->is_in_ring && topology != NULL && topology->member_count > 1)
        return error_set(error, STATUS_INVALID,
                         "%s/members is missing or names this node alone, but it is one of a ring "
                         "of %u: restore the file, it is the same for all nodes but for 'self'",
                         node->directory, topology->member_count);
    return STATUS_OK;
}

static void member_came_or_went(struct liveness_listener *listener, uint16_t member, bool is_up)
{
    struct node *node = CONTAINER_OF(listener, struct node, liveness_listener);
    const struct topology *topology = topology_of(node);
    if (node->server == NULL || node->is_stopping || member >= topology->member_count) return;
    cql_server_announce_status(node->server, &topology->members[member].rpc_address, is_up);
}

static enum status open_network(struct node *node, struct error *error)
{
    const struct messaging_options options = {
        .listen = node->listen_address,
        .self = node->number,
        .topology = topology_of,
        .log_number = log_number,
        .behind = is_behind,
        .context = node,
    };
    enum status status = messaging_create(node->env, &options, &node->messaging, error);
    if (status != STATUS_OK || !node->is_in_ring) return status;
    const struct liveness_options liveness_options = {.self = node->number,
                                                      .member_count = node->members->member_count};
    node->liveness = liveness_create(node->env, node->messaging, &liveness_options);
    node->liveness_listener.changed = member_came_or_went;
    liveness_listen(node->liveness, &node->liveness_listener);
    metadata_join(node->metadata, node->messaging, node->liveness);
    return STATUS_OK;
}

static enum status open_storage(struct node *node, struct error *error)
{
    internal_tables_init(&node->internal_tables);
    node->system_tables = system_tables_create(node->env, node->metadata, &node->self);
    const struct table *own_tables[INTERNAL_TABLE_COUNT + SYSTEM_TABLES_STORED_COUNT];
    memcpy(own_tables, node->internal_tables.tables, INTERNAL_TABLE_COUNT * sizeof *own_tables);
    system_tables_stored(node->system_tables, own_tables + INTERNAL_TABLE_COUNT);
    size_t dropped_count;
    const struct table *const *dropped = metadata_dropped_tables(node->metadata, &dropped_count);
    const struct engine_options options = {
        .directory = node->directory,
        .memtable_space_max = (size_t)node->config.memtable_space_mib << MIB_SHIFT,
        .chunk_cache_size_max = (size_t)node->config.file_cache_size_mib << MIB_SHIFT,
        .commit_log_sync = config_commit_log_sync(&node->config),
        .commit_log_period_ns = (uint64_t)node->config.commitlog_sync_period_ms * NS_PER_MS,
        .commit_log_archive_command = node->config.commitlog_archive_command,
        .skips_log_damage = config_ignores_replay_errors(&node->config),
        .log = &node->log,
        .auto_snapshot = config_auto_snapshot(&node->config),
        .incremental_backups = config_incremental_backups(&node->config),
        .compaction_throughput = config_compaction_throughput(&node->config),
        .concurrent_compactors = (size_t)node->config.concurrent_compactors,
        .internal_tables = own_tables,
        .internal_table_count = sizeof own_tables / sizeof own_tables[0],
        .dropped_tables = dropped,
        .dropped_table_count = dropped_count,
    };
    enum status status =
        engine_open(node->env, &options, metadata_schema(node->metadata), &node->engine, error);
    if (status == STATUS_OK) metadata_set_engine(node->metadata, node->engine);
    return status;
}

static enum status open_hints(struct node *node, struct error *error)
{
    char path[PATH_SIZE + 16];
    (void)snprintf(path, sizeof path, "%s/hints", node->directory);
    const struct hints_options options = {
        .directory = path,
        .window_us = (uint64_t)node->config.max_hint_window_in_ms * 1000,
        .bytes_per_s = (uint64_t)node->config.hinted_handoff_throttle_in_kb * 1024,
        .is_disabled = !config_hints_are_enabled(&node->config),
        .system_schema = system_tables_schema(node->system_tables),
    };
    return hints_open(node->env, &options, node->metadata, node->engine, node->messaging,
                      node->liveness, &node->hints, error);
}

static enum status open_coordinator(struct node *node, struct error *error)
{
    const struct config *config = &node->config;
    if (node->is_in_ring) {
        node->placement = placement_create(node->metadata, node->number);
        enum status status = open_hints(node, error);
        if (status != STATUS_OK) return status;
    }
    const struct batch_log_options batch_log_options = {
        .engine = node->engine,
        .table = node->internal_tables.tables[INTERNAL_TABLE_BATCHES],
        .schema = metadata_schema(node->metadata),
        .messaging = node->is_in_ring ? node->messaging : NULL,
        .write_timeout_ns = (uint64_t)config->write_request_timeout_in_ms * NS_PER_MS,
    };
    node->batch_log = batch_log_create(node->env, &batch_log_options);
    const struct coordinator_options options = {
        .engine = node->engine,
        .schema = metadata_schema(node->metadata),
        .placement = node->placement,
        .liveness = node->liveness,
        .messaging = node->is_in_ring ? node->messaging : NULL,
        .hints = node->hints,
        .batch_log = node->batch_log,
        .metadata = node->metadata,
        .system_schema = system_tables_schema(node->system_tables),
        .read_timeout_ns = (uint64_t)config->read_request_timeout_in_ms * NS_PER_MS,
        .range_timeout_ns = (uint64_t)config->range_request_timeout_in_ms * NS_PER_MS,
        .write_timeout_ns = (uint64_t)config->write_request_timeout_in_ms * NS_PER_MS,
        .counter_write_timeout_ns =
            (uint64_t)config->counter_write_request_timeout_in_ms * NS_PER_MS,
        .truncate_timeout_ns = (uint64_t)config->truncate_request_timeout_in_ms * NS_PER_MS,
    };
    node->coordinator = coordinator_create(node->env, &options);
    const struct paxos_options paxos_options = {
        .engine = node->engine,
        .schema = metadata_schema(node->metadata),
        .table = node->internal_tables.tables[INTERNAL_TABLE_PAXOS],
        .placement = node->placement,
        .liveness = node->liveness,
        .messaging = options.messaging,
        .hints = node->hints,
        .contention_timeout_ns = (uint64_t)config->cas_contention_timeout_in_ms * NS_PER_MS,
        .write_timeout_ns = options.write_timeout_ns,
    };
    node->paxos = paxos_create(node->env, &paxos_options);
    return STATUS_OK;
}

// ---- Ready --------------------------------------------------------------------------------------

static void tell_ready(struct env_task *task)
{
    struct node *node = CONTAINER_OF(task, struct node, ready_task);
    if (node->ready != NULL && !node->is_stopping) node->ready(node->ready_context);
    node->ready = NULL;
}

static void member_is_changed(struct metadata_member_change *change, enum status status)
{
    (void)change, (void)status; // The next start tries again.
}

static bool same_address(const struct env_address *a, const struct env_address *b)
{
    return a->size == b->size && a->port == b->port && memcmp(a->bytes, b->bytes, a->size) == 0;
}

// Addresses in the configuration may have changed since the ring was formed.
static void correct_addresses(struct node *node)
{
    struct member member = topology_of(node)->members[node->number];
    if (same_address(&member.address, &node->listen_address) &&
        same_address(&member.rpc_address, &node->rpc_address))
        return;
    member.address = node->listen_address;
    member.rpc_address = node->rpc_address;
    metadata_put_member(node->metadata, &node->member_change, node->number, &member,
                        member_is_changed);
}

static void is_caught_up(void *context)
{
    struct node *node = context;
    if (node->is_stopping) return;
    node->is_ready = true;
    cql_server_serve(node->server);
    if (node->is_in_ring) correct_addresses(node);
    admin_is_ready(node->admin);
    env_task_post(node->env, &node->ready_task, tell_ready);
}

bool node_is_ready(const struct node *node)
{
    return node->is_ready;
}

void node_when_ready(struct node *node, void (*ready)(void *context), void *context)
{
    node->ready = ready;
    node->ready_context = context;
    if (node->is_ready) env_task_post(node->env, &node->ready_task, tell_ready);
}

// ---- Services -----------------------------------------------------------------------------------

static bool admin_asks_ready(void *context)
{
    return node_is_ready(context);
}

static bool admin_asks_clients(void *context)
{
    const struct node *node = context;
    return node->is_ready && node->server != NULL && !node->is_draining;
}

static bool drain(void *context);

static void open_admin(struct node *node)
{
    const struct env_address *address = &node->listen_address;
    static const uint8_t loopback6[16] = {[15] = 1};
    const struct admin_options options = {
        .messaging = node->messaging,
        .liveness = node->liveness,
        .placement = node->placement,
        .metadata = node->metadata,
        .engine = node->engine,
        .processor = &node->processor,
        .topology = topology_of,
        .self = node->number,
        .cluster_name = node->config.cluster_name,
        .is_loopback = address->size == 4
                           ? address->bytes[0] == 127
                           : memcmp(address->bytes, loopback6, sizeof loopback6) == 0,
        .is_ready = admin_asks_ready,
        .serves_clients = admin_asks_clients,
        .drain = drain,
        .context = node,
    };
    node->admin = admin_create(node->env, &options);
}

// The other parts of the ring do not matter to it: it is the last that is opened.
static enum status open_server(struct node *node, struct error *error)
{
    enum status status =
        cql_server_create(node->env, &node->processor, &node->rpc_address, &node->server, error);
    enum config_tls kind = config_tls(node->env, &node->config);
    if (status != STATUS_OK || kind == CONFIG_TLS_OFF) return status;
    const struct config_encryption *encryption = &node->config.encryption;
    const struct tls_server_options options = {
        .keystore = encryption->keystore,
        .keystore_password = encryption->keystore_password,
        .truststore = encryption->truststore,
        .cipher_suites = encryption->cipher_suites,
        .protocols = encryption->accepted_protocols[0] != '\0' ? encryption->accepted_protocols
                                                               : encryption->protocol,
        .requires_certificate = strcmp(encryption->require_client_auth, "true") == 0,
        .log = &node->log,
    };
    struct error inner;
    status = tls_create_server(node->env, &options, &node->tls, &inner);
    if (status != STATUS_OK)
        return error_set(error, status, "client_encryption_options.%.480s", inner.text);
    struct env_address second = node->rpc_address;
    second.port = (uint16_t)node->config.native_transport_port_ssl;
    bool has_second = second.port != 0 && second.port != node->rpc_address.port;
    return cql_server_secure(node->server, node->tls, kind == CONFIG_TLS_OPTIONAL,
                             has_second ? &second : NULL, error);
}

static enum status open_services(struct node *node, struct error *error)
{
    node->tracing = tracing_create(node->env, node->coordinator, node->system_tables,
                                   &node->self.broadcast_address);
    system_tables_set_engine(node->system_tables, node->engine);
    system_tables_set_coordinator(node->system_tables, node->coordinator);
    node->figures = table_figures_create();
    system_tables_set_figures(node->system_tables, node->figures);
    node->processor = (struct query_processor){
        .env = node->env,
        .metadata = node->metadata,
        .coordinator = node->coordinator,
        .paxos = node->paxos,
        .engine = node->engine,
        .system_tables = node->system_tables,
        .tracing = node->tracing,
        .figures = node->figures,
        .tombstone_warn_threshold = (uint32_t)node->config.tombstone_warn_threshold,
        .tombstone_fail_threshold = (uint32_t)node->config.tombstone_failure_threshold,
        .cluster_name = node->config.cluster_name,
        .data_center = node->self.data_center,
    };
    node->auth = (struct auth){.env = node->env,
                               .metadata = node->metadata,
                               .authorizes = config_authorizes(&node->config)};
    if (config_authenticates(&node->config)) node->processor.auth = &node->auth;
    (void)snprintf(node->worker_log, sizeof node->worker_log, "%s/workers.log", node->directory);
    (void)snprintf(node->intake_directory, sizeof node->intake_directory, "%s/intake",
                   node->directory);
    const struct job_service_options options = {
        .program = node->config.program,
        .worker_log = node->worker_log,
        .intake_directory = node->messaging != NULL ? node->intake_directory : NULL,
        .address = node->listen_address,
        .metadata = node->metadata,
        .coordinator = node->coordinator,
        .engine = node->engine,
        .messaging = node->messaging,
        .liveness = node->liveness,
        .self = node->number,
    };
    enum status status = job_service_create(node->env, &options, &node->job_service, error);
    if (status != STATUS_OK) return status;
    open_admin(node);
    status = open_server(node, error);
    if (status != STATUS_OK) return status;
    cql_server_tell(node->server);
    cql_server_hold(node->server);
    return status;
}

static void node_free(struct node *node)
{
    env_task_cancel(node->env, &node->ready_task);
    if (node->admin != NULL) admin_destroy(node->admin);
    if (node->coordinator != NULL) coordinator_destroy(node->coordinator);
    tracing_destroy(node->tracing);
    table_figures_destroy(node->figures);
    if (node->system_tables != NULL) system_tables_destroy(node->system_tables);
    batch_log_destroy(node->batch_log);
    tls_destroy(node->tls);
    internal_tables_deinit(&node->internal_tables);
    if (node->members != NULL) topology_destroy(node->members);
    if (node->lock != NULL) env_unlock(node->lock);
    free(node);
}

static enum status open_all(struct node *node, struct error *error)
{
    enum status status = lock_directory(node, error);
    if (status == STATUS_OK) status = find_addresses(node, error);
    if (status == STATUS_OK) status = find_members(node, error);
    if (status == STATUS_OK) status = open_metadata(node, error);
    if (status == STATUS_OK) status = open_network(node, error);
    if (status == STATUS_OK) status = open_storage(node, error);
    if (status == STATUS_OK) status = open_coordinator(node, error);
    if (status == STATUS_OK) status = open_services(node, error);
    return status;
}

enum status node_start(struct env *env, const char *directory, const struct config *config,
                       struct node **node, struct error *error)
{
    if (strlen(directory) >= PATH_SIZE)
        return error_set(error, STATUS_INVALID, "%.400s: the path is too long", directory);
    struct node *started = calloc(1, sizeof *started);
    ASSERT(started != NULL);
    started->env = env;
    log_init(&started->log, env, LOG_INFO);
    started->config = *config;
    (void)snprintf(started->directory, sizeof started->directory, "%s", directory);
    enum status status = open_all(started, error);
    if (status != STATUS_OK) {
        node_abandon(started);
        return status;
    }
    if (started->is_in_ring)
        metadata_catch_up_all(started->metadata, CATCH_UP_TIMEOUT_NS, is_caught_up, started);
    else
        is_caught_up(started);
    *node = started;
    return STATUS_OK;
}

void node_abandon(struct node *node)
{
    tracing_stop(node->tracing);
    if (node->server != NULL) cql_server_abandon(node->server);
    if (node->job_service != NULL) job_service_abandon(node->job_service);
    if (node->hints != NULL) hints_abandon(node->hints);
    if (node->liveness != NULL) liveness_abandon(node->liveness);
    if (node->messaging != NULL) messaging_abandon(node->messaging);
    if (node->paxos != NULL) paxos_abandon(node->paxos);
    // What it leads for others still has pins on the engine's chunks.
    coordinator_destroy(node->coordinator);
    node->coordinator = NULL;
    batch_log_abandon(node->batch_log);
    node->batch_log = NULL;
    if (node->engine != NULL) engine_abandon(node->engine);
    if (node->placement != NULL) placement_destroy(node->placement);
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
    if (node->placement != NULL) placement_destroy(node->placement);
    node->placement = NULL;
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

// Nobody is left who asks: the other members see it by their broken connections.
static void leave_ring(struct node *node)
{
    admin_leave(node->admin);
    batch_log_stop(node->batch_log);
    if (node->is_in_ring) {
        metadata_join(node->metadata, NULL, NULL);
        liveness_unlisten(node->liveness, &node->liveness_listener);
        liveness_destroy(node->liveness);
        node->liveness = NULL;
    }
    messaging_close(node->messaging);
    node->messaging = NULL;
    paxos_destroy(node->paxos);
    node->paxos = NULL;
    engine_flush(node->engine, NULL, &node->last_flush, engine_is_flushed);
}

static void hints_are_closed(void *context)
{
    struct node *node = context;
    node->hints = NULL;
    leave_ring(node);
}

static void job_service_is_closed(void *context)
{
    struct node *node = context;
    node->job_service = NULL;
    tracing_stop(node->tracing);
    if (node->hints != NULL)
        hints_close(node->hints, hints_are_closed, node);
    else
        leave_ring(node);
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
    node->is_stopping = true;
    // A drain that is under way goes on with it, also when it has come to its flush.
    if (node->is_draining) return;
    if (node->server == NULL)
        server_is_closed(node);
    else
        cql_server_close(node->server, server_is_closed, node);
}

// ---- Draining: no clients any more, and all is in SSTables --------------------------------------

static void drain_is_flushed(struct engine_flush *flush, enum status status)
{
    struct node *node = CONTAINER_OF(flush, struct node, last_flush);
    node->is_draining = false;
    admin_drained(node->admin, status);
    if (node->is_stopping) server_is_closed(node);
}

static void drain_server_is_closed(void *context)
{
    struct node *node = context;
    node->server = NULL;
    engine_flush(node->engine, NULL, &node->last_flush, drain_is_flushed);
}

static bool drain(void *context)
{
    struct node *node = context;
    if (node->is_stopping || node->is_draining || node->server == NULL || !node->is_ready)
        return false;
    node->is_draining = true;
    cql_server_close(node->server, drain_server_is_closed, node);
    return true;
}

// ---- For checks ---------------------------------------------------------------------------------

void node_set_trace_probability(struct node *node, double probability)
{
    tracing_set_probability(node->tracing, probability);
    node->processor.sampling = probability > 0 ? node->tracing : NULL;
}

struct engine *node_engine(struct node *node)
{
    return node->engine;
}

struct metadata *node_metadata(struct node *node)
{
    return node->metadata;
}

struct messaging *node_messaging(struct node *node)
{
    return node->messaging;
}

struct liveness *node_liveness(struct node *node)
{
    return node->liveness;
}
