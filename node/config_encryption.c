// client_encryption_options and server_encryption_options: what of them there is, and words for
// what there is not (org.apache.cassandra.config.EncryptionOptions).
#include "node/config_internal.h"

#include <inttypes.h>
#include <string.h>

// The rest of `key` behind `prefix`; NULL: it begins with something else.
static const char *behind(const char *key, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(key, prefix, size) == 0 ? key + size : NULL;
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

// Nothing is encrypted between nodes: keys that say how do not matter, one that wants it does.
static enum status check_server(const char *key, const char *name, const char *value,
                                bool *is_ignored, struct error *error)
{
    static const char *const ignored[] = {
        "optional",
        "legacy_ssl_storage_port_enabled",
        "keystore",
        "keystore_password",
        "outbound_keystore",
        "outbound_keystore_password",
        "truststore",
        "truststore_password",
        "protocol",
        "accepted_protocols",
        "algorithm",
        "store_type",
        "cipher_suites",
        "require_client_auth",
        "require_endpoint_verification",
        "ssl_context_factory.class_name",
    };
    bool wants = strcmp(name, "internode_encryption") == 0 ? strcmp(value, "none") != 0
                                                           : strcmp(value, "true") == 0;
    bool decides = strcmp(name, "internode_encryption") == 0 || strcmp(name, "enabled") == 0;
    if (decides && wants)
        return error_set(error, STATUS_INVALID,
                         "%s: nodes do not speak TLS with each other here: set "
                         "server_encryption_options.internode_encryption: none, and keep "
                         "listen_address in a network that only the ring can reach, or in a VPN",
                         key);
    *is_ignored = strcmp(name, "enabled") == 0 ||
                  is_one_of(name, ignored, sizeof ignored / sizeof ignored[0]);
    return STATUS_OK;
}

static enum status check_client(const char *name, const char *value, struct error *error)
{
    static const char *const pem_factories[] = {
        "PEMBasedSslContextFactory", "org.apache.cassandra.security.PEMBasedSslContextFactory"};
    if (behind(name, "ssl_context_factory.parameters.") != NULL)
        return error_set(error, STATUS_INVALID,
                         "client_encryption_options.%s: put PEM texts into files (mode 600) and "
                         "name them by keystore and truststore",
                         name);
    if (strcmp(name, "ssl_context_factory.class_name") == 0 && !is_one_of(value, pem_factories, 2))
        return error_set(error, STATUS_INVALID,
                         "client_encryption_options.%s: PEM files are read here, by "
                         "PEMBasedSslContextFactory, not '%s'; 'openssl pkcs12 -in store.p12 "
                         "-nodes -out store.pem' makes one of a PKCS12 keystore",
                         name, value);
    if (strcmp(name, "store_type") == 0 && strcmp(value, "PEM") != 0)
        return error_set(error, STATUS_INVALID,
                         "client_encryption_options.store_type: PEM files are read here, not '%s': "
                         "'keytool -importkeystore -srckeystore store -destkeystore store.p12 "
                         "-deststoretype PKCS12', then 'openssl pkcs12 -in store.p12 -nodes -out "
                         "store.pem', and name store.pem",
                         value);
    if (strcmp(name, "require_endpoint_verification") == 0 && strcmp(value, "false") != 0)
        return error_set(error, STATUS_INVALID,
                         "client_encryption_options.require_endpoint_verification is false here: "
                         "clients' certificates are checked by who signed them");
    return STATUS_OK;
}

enum status config_encryption_check(const char *key, const char *value, bool *is_ignored,
                                    struct error *error)
{
    const char *name = behind(key, "server_encryption_options.");
    if (name != NULL) return check_server(key, name, value, is_ignored, error);
    name = behind(key, "client_encryption_options.");
    return name == NULL ? STATUS_OK : check_client(name, value, error);
}

static bool is_true(const char *value)
{
    return strcmp(value, "true") == 0;
}

enum config_tls config_tls(struct env *env, const struct config *config)
{
    const struct config_encryption *encryption = &config->encryption;
    if (is_true(encryption->enabled))
        return is_true(encryption->optional) ? CONFIG_TLS_OPTIONAL : CONFIG_TLS_REQUIRED;
    if (is_true(encryption->optional)) return CONFIG_TLS_OPTIONAL;
    // Who has keys and does not say whether they are used is on the way to using them.
    bool exists = false, is_dir;
    if (encryption->optional[0] == '\0' && encryption->keystore[0] != '\0' &&
        env_path_exists(env, encryption->keystore, &exists, &is_dir, NULL) != STATUS_OK)
        exists = false;
    return exists ? CONFIG_TLS_OPTIONAL : CONFIG_TLS_OFF;
}

enum status config_check_encryption(struct env *env, const struct config *config,
                                    struct error *error)
{
    const struct config_encryption *encryption = &config->encryption;
    bool is_off = config_tls(env, config) == CONFIG_TLS_OFF;
    if (is_off && config->native_transport_port_ssl != 0 &&
        config->native_transport_port_ssl != config->native_transport_port)
        return error_set(error, STATUS_INVALID,
                         "Encryption must be enabled in client_encryption_options for "
                         "native_transport_port_ssl");
    if (!is_off && encryption->keystore[0] == '\0')
        return error_set(error, STATUS_INVALID,
                         "client_encryption_options.keystore: name a PEM file with the private "
                         "key and its certificates ('helenus ring start --tls' makes some)");
    return STATUS_OK;
}
