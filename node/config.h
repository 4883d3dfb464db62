// What a node is told: a YAML file with Cassandra's own key names where the thing is the same, and
// the command line, which wins. Every key has a default that suits a laptop.
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "base/env.h"
#include "base/error.h"
#include "storage/commit_log/commit_log.h"

#include <stdbool.h>
#include <stdint.h>

enum { CONFIG_TEXT_SIZE = 256 };

// client_encryption_options. "": not said.
struct config_encryption {
    char enabled[CONFIG_TEXT_SIZE], optional[CONFIG_TEXT_SIZE]; // true, false
    char keystore[CONFIG_TEXT_SIZE], keystore_password[CONFIG_TEXT_SIZE];
    char truststore[CONFIG_TEXT_SIZE], truststore_password[CONFIG_TEXT_SIZE];
    char protocol[CONFIG_TEXT_SIZE];
    char accepted_protocols[CONFIG_TEXT_SIZE], cipher_suites[CONFIG_TEXT_SIZE]; // With commas.
    char algorithm[CONFIG_TEXT_SIZE], store_type[CONFIG_TEXT_SIZE];
    char require_client_auth[CONFIG_TEXT_SIZE];           // true, false
    char require_endpoint_verification[CONFIG_TEXT_SIZE]; // false
    char context_factory[CONFIG_TEXT_SIZE];
    char internode[CONFIG_TEXT_SIZE]; // none
};

struct config {
    // No key: our own program, which runs stream jobs that were submitted as worker processes. NULL
    // in the simulator: none is run.
    const char *program;
    char cluster_name[CONFIG_TEXT_SIZE];
    char data_center[CONFIG_TEXT_SIZE];
    char rack[CONFIG_TEXT_SIZE];
    char listen_address[CONFIG_TEXT_SIZE]; // Between nodes.
    char rpc_address[CONFIG_TEXT_SIZE];    // For clients; empty: the listen address.
    int64_t storage_port;
    int64_t native_transport_port;
    int64_t native_transport_port_ssl; // 0: none, TLS is on the other.
    int64_t num_tokens;
    char commitlog_sync[CONFIG_TEXT_SIZE]; // group, batch, periodic
    int64_t commitlog_sync_period_ms;
    char commitlog_archive_command[CONFIG_TEXT_SIZE]; // Empty: none.
    char ignore_replay_errors[CONFIG_TEXT_SIZE];      // true, false
    char auto_snapshot[CONFIG_TEXT_SIZE];             // true, false
    char incremental_backups[CONFIG_TEXT_SIZE];       // true, false
    char compaction_throughput[CONFIG_TEXT_SIZE];     // 64MiB/s
    int64_t concurrent_compactors;
    int64_t tombstone_warn_threshold, tombstone_failure_threshold;
    int64_t memtable_space_mib;
    int64_t file_cache_size_mib;
    // How long a coordinator waits for replicas.
    int64_t read_request_timeout_in_ms, range_request_timeout_in_ms;
    int64_t write_request_timeout_in_ms, counter_write_request_timeout_in_ms;
    int64_t truncate_request_timeout_in_ms;
    int64_t cas_contention_timeout_in_ms;
    char hinted_handoff_enabled[CONFIG_TEXT_SIZE]; // true, false
    int64_t max_hint_window_in_ms;
    int64_t hinted_handoff_throttle_in_kb; // In a second.
    // Cassandra's classes, by their last names.
    char authenticator[CONFIG_TEXT_SIZE]; // AllowAllAuthenticator, PasswordAuthenticator
    char authorizer[CONFIG_TEXT_SIZE];    // AllowAllAuthorizer, CassandraAuthorizer
    char role_manager[CONFIG_TEXT_SIZE];  // CassandraRoleManager
    // How old what is known of a role may be: nothing is ever old here.
    char roles_validity[CONFIG_TEXT_SIZE], permissions_validity[CONFIG_TEXT_SIZE];
    char credentials_validity[CONFIG_TEXT_SIZE];
    char allow_clients_without_authentication[CONFIG_TEXT_SIZE]; // true, false
    struct config_encryption encryption;
};

// One key: its name in the file, on the command line with dashes for underscores. A dot in it is a
// map in the file: "client_encryption_options.enabled"; these are no options.
struct config_key {
    const char *name;
    bool is_number;
    size_t offset; // In struct config: int64_t or char[CONFIG_TEXT_SIZE].
    int64_t min, max;
    const char *help;
};
const struct config_key *config_keys(size_t *count);

void config_set_defaults(struct config *config);
// INVALID with the key and what it takes.
MUST_USE enum status config_set(struct config *config, const char *key, const char *value,
                                struct error *error);
// Reads a YAML file over what is there. Lists become texts with commas. INVALID names the line;
// keys that are not known are an error too: a typo would else pass unseen.
MUST_USE enum status config_read_file(struct env *env, struct config *config, const char *path,
                                      struct error *error);
// Are hints kept for members that are down?
bool config_hints_are_enabled(const struct config *config);
bool config_ignores_replay_errors(const struct config *config);
// Bytes a second; 0: no limit.
uint64_t config_compaction_throughput(const struct config *config);
// Are snapshots taken before TRUNCATE and DROP? Are flushed files linked into backups/?
bool config_auto_snapshot(const struct config *config);
bool config_incremental_backups(const struct config *config);
// Do clients have to log in? Does each statement need permissions?
bool config_authenticates(const struct config *config);
bool config_authorizes(const struct config *config);
// INVALID: permissions without logins; or clients of other machines without, unless that was asked
// for.
MUST_USE enum status config_check_access(const struct config *config, struct error *error);
// Does the port for clients speak TLS: not at all, if they want to, always
// (org.apache.cassandra.config.EncryptionOptions.TlsEncryptionPolicy)?
enum config_tls { CONFIG_TLS_OFF, CONFIG_TLS_OPTIONAL, CONFIG_TLS_REQUIRED };
enum config_tls config_tls(struct env *env, const struct config *config);
// INVALID: a second port without TLS, or TLS without keys.
MUST_USE enum status config_check_encryption(struct env *env, const struct config *config,
                                             struct error *error);
// The sync mode that `commitlog_sync` names.
enum commit_log_sync config_commit_log_sync(const struct config *config);

#endif
