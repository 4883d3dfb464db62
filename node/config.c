#include "node/config.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "node/config_internal.h"
#include "ring/topology/topology.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum { CONFIG_FILE_SIZE_MAX = 1 << 20 };

#define TEXT(key, text)                                                                            \
    {                                                                                              \
#key, false, offsetof(struct config, key), 0, 0, text                                      \
    }
#define NESTED(key, member, text)                                                                  \
    {                                                                                              \
        key, false, offsetof(struct config, encryption.member), 0, 0, text                         \
    }
#define CLIENT(key, text) NESTED("client_encryption_options." #key, key, text)
#define NUMBER(key, min, max, text)                                                                \
    {                                                                                              \
#key, true, offsetof(struct config, key), min, max, text                                   \
    }

static const struct config_key keys[] = {
    TEXT(cluster_name, "Name of the ring"),
    TEXT(data_center, "Data centre of this node"),
    TEXT(rack, "Rack of this node"),
    TEXT(listen_address, "Address for other nodes and for stream workers"),
    TEXT(rpc_address, "Address for CQL clients, if it is another"),
    NUMBER(storage_port, 0, 65535, "Port for other nodes and for stream workers"),
    NUMBER(native_transport_port, 0, 65535, "Port for CQL clients"),
    NUMBER(native_transport_port_ssl, 0, 65535,
           "Port for clients with TLS, if it is another: then they have TLS there only"),
    NUMBER(num_tokens, 1, 1024, "Places of this node on the ring"),
    TEXT(commitlog_sync, "When a write is acknowledged: group or batch (synced), or periodic"),
    NUMBER(commitlog_sync_period_ms, 1, 3600000, "Of periodic: how long a write may be unsynced"),
    TEXT(commitlog_archive_command,
         "Run for each complete segment of the commit log: %path is the file, %name its name"),
    TEXT(ignore_replay_errors, "Start without what is damaged in the commit log: true or false"),
    TEXT(auto_snapshot, "Is a snapshot taken before TRUNCATE and DROP: true or false"),
    TEXT(incremental_backups, "Are flushed SSTables linked into backups/ too: true or false"),
    TEXT(compaction_throughput,
         "How fast compactions read, such as 64MiB/s; 0MiB/s: as fast as it goes"),
    NUMBER(concurrent_compactors, 1, 64,
           "Compactions that go on at once, each on a thread of low priority"),
    NUMBER(tombstone_warn_threshold, 1, INT32_MAX,
           "A read that meets more deleted things than this warns its client"),
    NUMBER(tombstone_failure_threshold, 1, INT32_MAX, "… and with more than this it fails"),
    NUMBER(memtable_space_mib, 1, 1 << 20, "Memory for data that is not in SSTables yet"),
    NUMBER(file_cache_size_mib, 1, 1 << 20, "Memory for pieces of SSTables that were read"),
    NUMBER(read_request_timeout_in_ms, 1, 3600000, "How long a read of keys waits for replicas"),
    NUMBER(range_request_timeout_in_ms, 1, 3600000, "The same of a read of many partitions"),
    NUMBER(write_request_timeout_in_ms, 1, 3600000, "The same of a write"),
    NUMBER(counter_write_request_timeout_in_ms, 1, 3600000, "The same of an increment"),
    NUMBER(truncate_request_timeout_in_ms, 1, 3600000, "The same of TRUNCATE"),
    NUMBER(cas_contention_timeout_in_ms, 1, 3600000, "How long a statement with IF tries"),
    TEXT(hinted_handoff_enabled, "Are writes kept for nodes that are down: true or false"),
    NUMBER(max_hint_window_in_ms, 1, 604800000, "For how long a node may be down for that"),
    NUMBER(hinted_handoff_throttle_in_kb, 1, 1 << 30, "How fast they are sent later, in a second"),
    TEXT(authenticator, "Do clients log in: AllowAllAuthenticator or PasswordAuthenticator"),
    TEXT(authorizer, "Do statements need permissions: AllowAllAuthorizer or CassandraAuthorizer"),
    TEXT(role_manager, "CassandraRoleManager"),
    TEXT(roles_validity, "Taken and not needed: what roles may do is never out of date"),
    TEXT(permissions_validity, "Likewise"),
    TEXT(credentials_validity, "Likewise"),
    TEXT(allow_clients_without_authentication,
         "Listen for clients of other machines though nobody has to log in: true or false"),
    CLIENT(enabled, "Do clients speak TLS: true or false"),
    CLIENT(optional, "May they as well speak without: true or false"),
    CLIENT(keystore, "PEM file: our private key, its certificate, and those that signed it"),
    CLIENT(keystore_password, "Of that private key, if it has one; better in a file"),
    CLIENT(truststore, "PEM file: the certificates of those who may sign clients' certificates"),
    CLIENT(truststore_password, "Taken and not needed: certificates are no secret"),
    CLIENT(require_client_auth, "Do clients need a certificate: true or false"),
    CLIENT(require_endpoint_verification, "Does it have to name the client's address: false"),
    CLIENT(protocol, "TLS, or one version alone: TLSv1.2 or TLSv1.3"),
    CLIENT(accepted_protocols, "Versions: TLSv1.2,TLSv1.3"),
    CLIENT(cipher_suites, "With commas, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    CLIENT(algorithm, "Taken and not needed: how Java manages keys"),
    CLIENT(store_type, "PEM"),
    NESTED("client_encryption_options.ssl_context_factory.class_name", context_factory,
           "PEMBasedSslContextFactory"),
    NESTED("server_encryption_options.internode_encryption", internode,
           "none: nodes do not speak TLS with each other"),
};

#undef TEXT
#undef NUMBER
#undef NESTED
#undef CLIENT

const struct config_key *config_keys(size_t *count)
{
    *count = sizeof keys / sizeof keys[0];
    return keys;
}

void config_set_defaults(struct config *config)
{
    *config = (struct config){
        .cluster_name = "Helenus",
        .data_center = "datacenter1",
        .rack = "rack1",
        .listen_address = "127.0.0.1",
        .storage_port = 7000,
        .native_transport_port = 9042,
        .num_tokens = 16,
        .commitlog_sync = "group",
        .commitlog_sync_period_ms = 10000,
        .ignore_replay_errors = "false",
        .auto_snapshot = "true",
        .incremental_backups = "false",
        .compaction_throughput = "64MiB/s",
        .concurrent_compactors = 2,
        .tombstone_warn_threshold = 1000,
        .tombstone_failure_threshold = 100000,
        .memtable_space_mib = MEMTABLE_SPACE_MAX / MIB,
        .file_cache_size_mib = CHUNK_CACHE_SIZE_MAX / MIB,
        .read_request_timeout_in_ms = 5000,
        .range_request_timeout_in_ms = 10000,
        .write_request_timeout_in_ms = 2000,
        .counter_write_request_timeout_in_ms = 5000,
        .truncate_request_timeout_in_ms = 60000,
        .cas_contention_timeout_in_ms = 1000,
        .hinted_handoff_enabled = "true",
        .max_hint_window_in_ms = 3 * 3600 * 1000,
        .hinted_handoff_throttle_in_kb = 16 * 1024,
        .authenticator = "AllowAllAuthenticator",
        .authorizer = "AllowAllAuthorizer",
        .role_manager = "CassandraRoleManager",
        .roles_validity = "2000ms",
        .permissions_validity = "2000ms",
        .credentials_validity = "2000ms",
        .allow_clients_without_authentication = "false",
        .encryption = {.internode = "none"},
    };
}

static const struct config_key *find_key(const char *name)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i].name, name) == 0) return &keys[i];
    return NULL;
}

static enum status check_sync(const char *value, struct error *error)
{
    if (strcmp(value, "group") == 0 || strcmp(value, "batch") == 0 ||
        strcmp(value, "periodic") == 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "commitlog_sync is group, batch or periodic, not '%s'",
                     value);
}

// DataRateSpec: "64MiB/s". False: it is none.
static bool parse_rate(const char *text, uint64_t *bytes_per_second)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"B/s", 1}, {"KiB/s", 1 << 10}, {"MiB/s", 1 << 20}};
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || number > UINT32_MAX) return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) != 0) continue;
        *bytes_per_second = number * units[i].bytes;
        return true;
    }
    return false;
}

static enum status check_rate(const char *key, const char *value, struct error *error)
{
    uint64_t rate;
    if (parse_rate(value, &rate)) return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "%s: Invalid data rate: %s Accepted units: MiB/s, KiB/s, B/s where case "
                     "matters and only non-negative values are valid",
                     key, value);
}

static bool is_switch(const char *key)
{
    static const char *const switches[] = {"hinted_handoff_enabled",
                                           "ignore_replay_errors",
                                           "auto_snapshot",
                                           "incremental_backups",
                                           "allow_clients_without_authentication",
                                           "client_encryption_options.enabled",
                                           "client_encryption_options.optional",
                                           "client_encryption_options.require_client_auth"};
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (strcmp(key, switches[i]) == 0) return true;
    return false;
}

static enum status check_switch(const char *key, const char *value, struct error *error)
{
    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s is true or false, not '%s'", key, value);
}

// The class of a key that names one, without its package. NULL: another key. The first of the two
// that there are is the default.
static const char *const *classes_of(const char *key)
{
    static const char *const authenticators[] = {"AllowAllAuthenticator", "PasswordAuthenticator"};
    static const char *const authorizers[] = {"AllowAllAuthorizer", "CassandraAuthorizer"};
    static const char *const role_managers[] = {"CassandraRoleManager", "CassandraRoleManager"};
    if (strcmp(key, "authenticator") == 0) return authenticators;
    if (strcmp(key, "authorizer") == 0) return authorizers;
    return strcmp(key, "role_manager") == 0 ? role_managers : NULL;
}

static enum status set_class(const char *key, const char *const *classes, const char *value,
                             char *target, struct error *error)
{
    static const char package[] = "org.apache.cassandra.auth.";
    const char *name = value;
    if (strncmp(value, package, sizeof package - 1) == 0) name += sizeof package - 1;
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(name, classes[i]) != 0) continue;
        (void)snprintf(target, CONFIG_TEXT_SIZE, "%s", name);
        return STATUS_OK;
    }
    if (strcmp(classes[0], classes[1]) == 0)
        return error_set(error, STATUS_INVALID, "%s is %s, not '%s'", key, classes[0], value);
    return error_set(error, STATUS_INVALID, "%s is %s or %s, not '%s'", key, classes[0], classes[1],
                     value);
}

// DurationSpec: "2000ms", "2s".
static enum status check_validity(const char *key, const char *value, struct error *error)
{
    static const char *const units[] = {"ms", "s", "m", "h", "d"};
    size_t digits = strspn(value, "0123456789");
    for (size_t i = 0; digits > 0 && i < sizeof units / sizeof units[0]; i++)
        if (strcmp(value + digits, units[i]) == 0) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s is a duration such as 2000ms, not '%s'", key,
                     value);
}

enum status config_set(struct config *config, const char *key, const char *value,
                       struct error *error)
{
    const struct config_key *found = find_key(key);
    bool is_ignored = false;
    if (config_encryption_check(key, value, &is_ignored, error) != STATUS_OK) return STATUS_INVALID;
    if (is_ignored) return STATUS_OK;
    if (found == NULL)
        return error_set(error, STATUS_INVALID,
                         "no key '%s'; 'helenus node --help' lists those there are", key);
    char *target = (char *)config + found->offset;
    if (!found->is_number) {
        if (strlen(value) >= CONFIG_TEXT_SIZE)
            return error_set(error, STATUS_INVALID, "%s: longer than %d bytes", key,
                             CONFIG_TEXT_SIZE - 1);
        bool is_place = strcmp(key, "data_center") == 0 || strcmp(key, "rack") == 0;
        if (is_place && strlen(value) >= TOPOLOGY_NAME_SIZE)
            return error_set(error, STATUS_INVALID, "%s: longer than %d bytes", key,
                             TOPOLOGY_NAME_SIZE - 1);
        if (strcmp(key, "commitlog_sync") == 0 && check_sync(value, error) != STATUS_OK)
            return STATUS_INVALID;
        if (is_switch(key) && check_switch(key, value, error) != STATUS_OK) return STATUS_INVALID;
        const char *end_of_key = strrchr(key, '_');
        if (end_of_key != NULL && strcmp(end_of_key, "_validity") == 0 &&
            check_validity(key, value, error) != STATUS_OK)
            return STATUS_INVALID;
        if (classes_of(key) != NULL) return set_class(key, classes_of(key), value, target, error);
        if (strcmp(key, "compaction_throughput") == 0 && check_rate(key, value, error) != STATUS_OK)
            return STATUS_INVALID;
        (void)snprintf(target, CONFIG_TEXT_SIZE, "%s", value);
        return STATUS_OK;
    }
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (*value == '\0' || *end != '\0' || errno != 0 || number < found->min || number > found->max)
        return error_set(error, STATUS_INVALID,
                         "%s takes a whole number from %" PRId64 " to %" PRId64 ", not '%s'", key,
                         found->min, found->max, value);
    *(int64_t *)(void *)target = number;
    return STATUS_OK;
}

static enum status read_text(struct env *env, const char *path, struct buffer *text,
                             struct error *error)
{
    struct env_file *file;
    enum status status = env_file_open(env, path, ENV_OPEN_READ, &file, error);
    if (status != STATUS_OK) return status;
    uint8_t *at = buffer_reserve(text, CONFIG_FILE_SIZE_MAX);
    size_t size;
    status = env_file_read(file, 0, at, CONFIG_FILE_SIZE_MAX, &size, error);
    env_file_close(file);
    if (status == STATUS_OK) buffer_truncate(text, size);
    return status;
}

enum status config_read_file(struct env *env, struct config *config, const char *path,
                             struct error *error)
{
    struct buffer text;
    buffer_init(&text, CONFIG_FILE_SIZE_MAX);
    enum status status = read_text(env, path, &text, error);
    yaml_parser_t parser;
    if (status == STATUS_OK && yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_string(&parser, text.data, text.size);
        status = config_yaml_read(&parser, config, path, error);
        yaml_parser_delete(&parser);
    }
    buffer_deinit(&text);
    return status;
}

bool config_hints_are_enabled(const struct config *config)
{
    return strcmp(config->hinted_handoff_enabled, "true") == 0;
}

bool config_ignores_replay_errors(const struct config *config)
{
    return strcmp(config->ignore_replay_errors, "true") == 0;
}

uint64_t config_compaction_throughput(const struct config *config)
{
    uint64_t rate = 0;
    (void)parse_rate(config->compaction_throughput, &rate);
    return rate;
}

bool config_auto_snapshot(const struct config *config)
{
    return strcmp(config->auto_snapshot, "true") == 0;
}

bool config_incremental_backups(const struct config *config)
{
    return strcmp(config->incremental_backups, "true") == 0;
}

enum commit_log_sync config_commit_log_sync(const struct config *config)
{
    if (strcmp(config->commitlog_sync, "periodic") == 0) return COMMIT_LOG_SYNC_PERIODIC;
    if (strcmp(config->commitlog_sync, "batch") == 0) return COMMIT_LOG_SYNC_BATCH;
    return COMMIT_LOG_SYNC_GROUP;
}

bool config_authenticates(const struct config *config)
{
    return strcmp(config->authenticator, "PasswordAuthenticator") == 0;
}

bool config_authorizes(const struct config *config)
{
    return strcmp(config->authorizer, "CassandraAuthorizer") == 0;
}

static bool is_loopback(const struct env_address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    return address->size == 4 ? address->bytes[0] == 127
                              : memcmp(address->bytes, loopback6, sizeof loopback6) == 0;
}

enum status config_check_access(const struct config *config, struct error *error)
{
    if (config_authorizes(config) && !config_authenticates(config))
        return error_set(
            error, STATUS_INVALID,
            "AllowAllAuthenticator can't be used with CassandraAuthorizer: permissions "
            "need somebody who has them; set authenticator: PasswordAuthenticator");
    const char *text =
        config->rpc_address[0] != '\0' ? config->rpc_address : config->listen_address;
    struct env_address address;
    // What is no address is said by whoever listens.
    if (env_address_parse(text, 0, &address) != STATUS_OK || is_loopback(&address) ||
        config_authenticates(config) ||
        strcmp(config->allow_clients_without_authentication, "true") == 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "%s can be reached from other machines, and nobody has to log in. Set "
                     "authenticator: PasswordAuthenticator and authorizer: CassandraAuthorizer "
                     "('helenus ring start --auth'), or, if whoever reaches it may do everything, "
                     "allow_clients_without_authentication: true",
                     text);
}
