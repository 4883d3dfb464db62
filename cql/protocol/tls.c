#include "cql/protocol/tls.h"

#include "base/assert.h"
#include "base/limits.h"
#include "cql/protocol/tls_internal.h"
#include "storage/whole_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL_NS UINT64_C(1000000000)

// ---- Files --------------------------------------------------------------------------------------

// What Java keeps keys in begins with one of these: how to make PEM of it is said instead.
static bool is_java_store(struct slice bytes)
{
    static const uint8_t jks[] = {0xFE, 0xED, 0xFE, 0xED}, jceks[] = {0xCE, 0xCE, 0xCE, 0xCE};
    return bytes.size >= 4 &&
           (memcmp(bytes.data, jks, 4) == 0 || memcmp(bytes.data, jceks, 4) == 0);
}

static bool is_pkcs12(struct slice bytes)
{
    return bytes.size >= 2 && bytes.data[0] == 0x30 && (bytes.data[1] & 0x80) != 0;
}

static enum status check_pem(const char *key, const char *path, struct slice bytes,
                             struct error *error)
{
    const char *keys_only = strcmp(key, "truststore") == 0 ? "-nokeys" : "-nodes";
    if (is_java_store(bytes))
        return error_set(error, STATUS_INVALID,
                         "%s: %.80s is a Java keystore, and PEM is what is read here: 'keytool "
                         "-importkeystore -srckeystore %.80s -destkeystore s.p12 -deststoretype "
                         "PKCS12', then 'openssl pkcs12 -in s.p12 %s -out s.pem', and name s.pem",
                         key, path, path, keys_only);
    if (is_pkcs12(bytes))
        return error_set(error, STATUS_INVALID,
                         "%s: %.120s is a PKCS12 keystore, and PEM is what is read here: 'openssl "
                         "pkcs12 -in %.120s %s -out s.pem', and name s.pem",
                         key, path, path, keys_only);
    return STATUS_OK;
}

static enum status read_pem(struct tls *tls, const char *key, const struct tls_file *file,
                            struct buffer *bytes, struct error *error)
{
    struct error inner = {0};
    enum status status = whole_file_read(tls->env, file->path, bytes, &inner);
    if (status != STATUS_OK)
        return error_set(error, status, "%s: %.400s", key,
                         inner.text[0] != '\0' ? inner.text : file->path);
    return check_pem(key, file->path, buffer_slice(bytes), error);
}

static int give_password(char *target, int size, int writes, void *context)
{
    const char *password = context;
    size_t length = strlen(password);
    if (writes != 0 || length == 0 || length > (size_t)size) return -1;
    memcpy(target, password, length);
    return (int)length;
}

static BIO *open_bytes(const struct tls *tls, struct slice bytes)
{
    BIO *bio = tls->library.BIO_new_mem_buf(bytes.data, (int)bytes.size);
    ASSERT(bio != NULL);
    return bio;
}

// ---- A context ----------------------------------------------------------------------------------

static enum status use_key(struct tls *tls, SSL_CTX *context, struct slice pem, struct error *error)
{
    const struct tls_library *library = &tls->library;
    BIO *bio = open_bytes(tls, pem);
    EVP_PKEY *key = library->PEM_read_bio_PrivateKey(bio, NULL, give_password, tls->password);
    (void)library->BIO_free(bio);
    if (key == NULL) {
        const char *why = tls_library_reason(library);
        return error_set(error, STATUS_INVALID,
                         "keystore: %.300s: no private key in it that keystore_password opens: "
                         "%s",
                         tls->keystore.path, why);
    }
    bool fits = library->SSL_CTX_use_PrivateKey(context, key) == 1 &&
                library->SSL_CTX_check_private_key(context) == 1;
    library->EVP_PKEY_free(key);
    if (fits) return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "keystore: %.300s: the private key and the first certificate: %s",
                     tls->keystore.path, tls_library_reason(library));
}

// Ours first, then those between it and a root.
static enum status use_certificates(struct tls *tls, SSL_CTX *context, struct slice pem,
                                    struct error *error)
{
    const struct tls_library *library = &tls->library;
    BIO *bio = open_bytes(tls, pem);
    bool is_first = true, is_good = true;
    X509 *certificate;
    while (is_good &&
           (certificate = library->PEM_read_bio_X509(bio, NULL, give_password, tls->password))) {
        if (is_first) {
            is_good = library->SSL_CTX_use_certificate(context, certificate) == 1;
            library->X509_free(certificate);
        } else {
            // The context takes it over.
            is_good =
                library->SSL_CTX_ctrl(context, SSL_CTRL_EXTRA_CHAIN_CERT, 0, certificate) == 1;
            if (!is_good) library->X509_free(certificate);
        }
        is_first = false;
    }
    (void)library->BIO_free(bio);
    if (is_good && is_first)
        return error_set(error, STATUS_INVALID,
                         "keystore: %.300s: no certificate in it: put it behind the private key",
                         tls->keystore.path);
    if (is_good) {
        library->ERR_clear_error(); // Of the end.
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID, "keystore: %.300s: a certificate: %s",
                     tls->keystore.path, tls_library_reason(library));
}

static enum status use_keystore(struct tls *tls, SSL_CTX *context, struct error *error)
{
    struct buffer pem;
    buffer_init(&pem, TLS_FILE_SIZE_MAX);
    enum status status = read_pem(tls, "keystore", &tls->keystore, &pem, error);
    tls->library.ERR_clear_error();
    if (status == STATUS_OK) status = use_certificates(tls, context, buffer_slice(&pem), error);
    if (status == STATUS_OK) status = use_key(tls, context, buffer_slice(&pem), error);
    if (pem.data != NULL) explicit_bzero(pem.data, pem.capacity);
    buffer_deinit(&pem);
    return status;
}

static enum status use_truststore(struct tls *tls, SSL_CTX *context, struct error *error)
{
    const struct tls_library *library = &tls->library;
    struct buffer pem;
    buffer_init(&pem, TLS_FILE_SIZE_MAX);
    enum status status = read_pem(tls, "truststore", &tls->truststore, &pem, error);
    size_t count = 0;
    library->ERR_clear_error();
    if (status == STATUS_OK) {
        BIO *bio = open_bytes(tls, buffer_slice(&pem));
        X509 *certificate;
        char none[] = "";
        while ((certificate = library->PEM_read_bio_X509(bio, NULL, give_password, none))) {
            // One that is there twice is no fault.
            (void)library->X509_STORE_add_cert(library->SSL_CTX_get_cert_store(context),
                                               certificate);
            if (!tls->is_client) (void)library->SSL_CTX_add_client_CA(context, certificate);
            library->X509_free(certificate);
            count++;
        }
        (void)library->BIO_free(bio);
        library->ERR_clear_error();
    }
    if (status == STATUS_OK && count == 0)
        status = error_set(error, STATUS_INVALID, "truststore: %.300s: no certificate in it",
                           tls->truststore.path);
    buffer_deinit(&pem);
    return status;
}

// ---- Versions and ciphers -----------------------------------------------------------------------

// The next of a list with commas, without blanks. False: none is left.
static bool next_name(const char **list, char *name, size_t size)
{
    static const char separators[] = ", \t";
    *list += strspn(*list, separators);
    size_t length = strcspn(*list, separators);
    (void)snprintf(name, size, "%.*s", (int)(length < size ? length : size - 1), *list);
    *list += length;
    return length > 0;
}

static enum status use_protocols(struct tls *tls, SSL_CTX *context, struct error *error)
{
    bool has_2 = tls->protocols[0] == '\0', has_3 = has_2;
    const char *list = tls->protocols;
    char name[64];
    while (next_name(&list, name, sizeof name)) {
        bool is_any = strcmp(name, "TLS") == 0;
        if (!is_any && strcmp(name, "TLSv1.2") != 0 && strcmp(name, "TLSv1.3") != 0)
            return error_set(error, STATUS_INVALID,
                             "protocol, accepted_protocols: TLS, TLSv1.2 and TLSv1.3 are there, "
                             "not '%s'",
                             name);
        has_2 = has_2 || is_any || name[6] == '2';
        has_3 = has_3 || is_any || name[6] == '3';
    }
    (void)tls->library.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION,
                                    has_2 ? TLS1_2_VERSION : TLS1_3_VERSION, NULL);
    (void)tls->library.SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION,
                                    has_3 ? TLS1_3_VERSION : TLS1_2_VERSION, NULL);
    return STATUS_OK;
}

// Those of 1.3 are another list than the others, which have Java's names or OpenSSL's.
static enum status use_ciphers(struct tls *tls, SSL_CTX *context, struct error *error)
{
    const struct tls_library *library = &tls->library;
    char lists[2][sizeof tls->cipher_suites] = {"", ""};
    size_t sizes[2] = {0, 0};
    const char *list = tls->cipher_suites;
    char name[128];
    while (next_name(&list, name, sizeof name)) {
        bool is_new = strncmp(name, "TLS_", 4) == 0 && strstr(name, "_WITH_") == NULL;
        const char *own = is_new ? name : library->OPENSSL_cipher_name(name);
        if (own == NULL || strcmp(own, "(NONE)") == 0) own = name;
        int size = snprintf(lists[is_new] + sizes[is_new], sizeof lists[0] - sizes[is_new], "%s%s",
                            sizes[is_new] == 0 ? "" : ":", own);
        sizes[is_new] += (size_t)size;
        if (sizes[is_new] >= sizeof lists[0]) break;
    }
    for (size_t i = 0; i < 2; i++)
        if (sizes[i] >= sizeof lists[0])
            return error_set(error, STATUS_INVALID, "cipher_suites: the list is too long");
    if ((sizes[0] > 0 && library->SSL_CTX_set_cipher_list(context, lists[0]) != 1) ||
        (sizes[1] > 0 && library->SSL_CTX_set_ciphersuites(context, lists[1]) != 1))
        return error_set(error, STATUS_INVALID, "cipher_suites: '%.200s': %s", tls->cipher_suites,
                         tls_library_reason(library));
    return STATUS_OK;
}

static enum status make_context(struct tls *tls, SSL_CTX **made, struct error *error)
{
    static const unsigned char session_context[] = "helenus";
    const struct tls_library *library = &tls->library;
    library->ERR_clear_error();
    SSL_CTX *context = library->SSL_CTX_new(tls->is_client ? library->TLS_client_method()
                                                           : library->TLS_server_method());
    if (context == NULL)
        return error_set(error, STATUS_UNSUPPORTED, "OpenSSL: %s", tls_library_reason(library));
    (void)library->SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Nothing is kept for connections that wait; sessions are tickets.
    (void)library->SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, NULL);
    (void)library->SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    (void)library->SSL_CTX_set_session_id_context(context, session_context,
                                                  sizeof session_context - 1);
    enum status status = use_protocols(tls, context, error);
    if (status == STATUS_OK) status = use_ciphers(tls, context, error);
    if (status == STATUS_OK && tls->keystore.path[0] != '\0')
        status = use_keystore(tls, context, error);
    if (status == STATUS_OK && tls->truststore.path[0] != '\0')
        status = use_truststore(tls, context, error);
    if (status != STATUS_OK) {
        library->SSL_CTX_free(context);
        return status;
    }
    bool verifies = tls->is_client ? tls->checks_address : tls->requires_certificate;
    int mode = verifies ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE;
    library->SSL_CTX_set_verify(context, mode, NULL);
    *made = context;
    return STATUS_OK;
}

// ---- Life ---------------------------------------------------------------------------------------

static enum status keep(char *target, size_t size, const char *key, const char *text,
                        struct error *error)
{
    int length = snprintf(target, size, "%s", text == NULL ? "" : text);
    if (length >= 0 && (size_t)length < size) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: longer than %zu bytes", key, size - 1);
}

static int64_t time_of(struct tls *tls, const struct tls_file *file)
{
    int64_t modified_us = 0;
    if (file->path[0] != '\0' &&
        env_path_time(tls->env, file->path, &modified_us, NULL) != STATUS_OK)
        return 0;
    return modified_us;
}

static enum status open_all(struct tls *tls, struct error *error)
{
    enum status status = tls_library_open(&tls->library, error);
    if (status != STATUS_OK) return status;
    const struct tls_library *library = &tls->library;
    tls->input = library->BIO_new(library->BIO_s_mem());
    tls->output = library->BIO_new(library->BIO_s_mem());
    ASSERT(tls->input != NULL && tls->output != NULL);
    // Times first: files that change meanwhile are read once more.
    tls->keystore.modified_us = time_of(tls, &tls->keystore);
    tls->truststore.modified_us = time_of(tls, &tls->truststore);
    tls->looked_ns = env_monotonic_ns(tls->env);
    return make_context(tls, &tls->context, error);
}

static enum status create(struct tls *tls, enum status status, struct tls **created,
                          struct error *error)
{
    if (status == STATUS_OK) status = open_all(tls, error);
    if (status == STATUS_OK)
        *created = tls;
    else
        tls_destroy(tls);
    return status;
}

static struct tls *allocate(struct env *env, bool is_client)
{
    struct tls *tls = calloc(1, sizeof *tls);
    ASSERT(tls != NULL);
    tls->env = env;
    tls->is_client = is_client;
    tls->last_handshake = &tls->first_handshake;
    tls->handshakes_max = TLS_HANDSHAKES_MAX;
    return tls;
}

enum status tls_create_server(struct env *env, const struct tls_server_options *options,
                              struct tls **created, struct error *error)
{
    struct tls *tls = allocate(env, false);
    tls->requires_certificate = options->requires_certificate;
    tls->log = options->log;
    enum status status =
        keep(tls->keystore.path, sizeof tls->keystore.path, "keystore", options->keystore, error);
    if (status == STATUS_OK)
        status = keep(tls->password, sizeof tls->password, "keystore_password",
                      options->keystore_password, error);
    if (status == STATUS_OK)
        status = keep(tls->truststore.path, sizeof tls->truststore.path, "truststore",
                      options->truststore, error);
    if (status == STATUS_OK)
        status = keep(tls->cipher_suites, sizeof tls->cipher_suites, "cipher_suites",
                      options->cipher_suites, error);
    if (status == STATUS_OK)
        status = keep(tls->protocols, sizeof tls->protocols, "accepted_protocols",
                      options->protocols, error);
    if (status == STATUS_OK && tls->keystore.path[0] == '\0')
        status = error_set(error, STATUS_INVALID,
                           "keystore: name a PEM file with the private key and its certificates");
    if (status == STATUS_OK && tls->requires_certificate && tls->truststore.path[0] == '\0')
        status = error_set(error, STATUS_INVALID,
                           "truststore: name a PEM file with the certificates of those who may "
                           "sign clients' certificates, or set require_client_auth: false");
    return create(tls, status, created, error);
}

enum status tls_create_client(struct env *env, const struct tls_client_options *options,
                              struct tls **created, struct error *error)
{
    struct tls *tls = allocate(env, true);
    tls->checks_address = options->trusted != NULL;
    tls->log = options->log;
    enum status status = keep(tls->keystore.path, sizeof tls->keystore.path, "certificate",
                              options->keystore, error);
    if (status == STATUS_OK)
        status = keep(tls->truststore.path, sizeof tls->truststore.path, "certificates",
                      options->trusted, error);
    return create(tls, status, created, error);
}

void tls_destroy(struct tls *tls)
{
    if (tls == NULL) return;
    ASSERT(tls->stream_count == 0);
    if (tls->context != NULL) tls->library.SSL_CTX_free(tls->context);
    if (tls->input != NULL) (void)tls->library.BIO_free(tls->input);
    if (tls->output != NULL) (void)tls->library.BIO_free(tls->output);
    tls_library_close(&tls->library);
    explicit_bzero(tls, sizeof *tls);
    free(tls);
}

// ---- While it runs ------------------------------------------------------------------------------

void tls_refresh(struct tls *tls)
{
    uint64_t now_ns = env_monotonic_ns(tls->env);
    if (tls->is_client || now_ns - tls->looked_ns < TLS_REFRESH_NS) return;
    tls->looked_ns = now_ns;
    int64_t keystore_us = time_of(tls, &tls->keystore);
    int64_t truststore_us = time_of(tls, &tls->truststore);
    if (keystore_us == tls->keystore.modified_us && truststore_us == tls->truststore.modified_us)
        return;
    // Also if it fails: what can not be used is told once, and again when it has changed again.
    tls->keystore.modified_us = keystore_us;
    tls->truststore.modified_us = truststore_us;
    SSL_CTX *context;
    struct error error;
    if (make_context(tls, &context, &error) != STATUS_OK) {
        if (tls->log != NULL)
            LOG_ERROR(tls->log, "TLS: new certificates are not used, the old ones are: %s",
                      error.text);
        return;
    }
    tls->library.SSL_CTX_free(tls->context);
    tls->context = context;
    if (tls->log != NULL) LOG_INFO(tls->log, "TLS: new certificates: %s", tls->keystore.path);
}

void tls_tell(struct tls *tls, const struct env_address *peer, const char *what, const char *why)
{
    uint64_t now_ns = env_monotonic_ns(tls->env);
    if (tls->log == NULL) return;
    if (tls->told_ns != 0 && now_ns - tls->told_ns < TELL_NS) {
        tls->untold_count++;
        return;
    }
    char address[ENV_ADDRESS_TEXT_SIZE], others[64] = "";
    env_address_format(peer, address);
    if (tls->untold_count > 0)
        (void)snprintf(others, sizeof others, " (and %" PRIu64 " more before it)",
                       tls->untold_count);
    LOG_WARN(tls->log, "TLS: %s: %s: %s%s", address, what, why, others);
    tls->told_ns = now_ns;
    tls->untold_count = 0;
}
