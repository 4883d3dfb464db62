#include "node/ring_certificates.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "cql/protocol/tls_library.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DAYS = 3650, DAY_S = 24 * 3600, PEM_SIZE_MAX = 64 * 1024 };

struct authority {
    struct env *env;
    const struct tls_library *library;
    const char *directory;
    EVP_PKEY *key; // The authority's own, as is the certificate.
    X509 *certificate;
};

struct subject {
    const char *name;        // Common name.
    const char *alternative; // "IP:127.0.0.1,DNS:localhost"; NULL: none.
    const char *file;
    bool is_authority;
};

static enum status fail(const struct authority *authority, struct error *error)
{
    return error_set(error, STATUS_UNSUPPORTED, "OpenSSL makes no certificate: %s",
                     tls_library_reason(authority->library));
}

static bool add_extension(const struct authority *authority, X509 *certificate, X509 *issuer,
                          int kind, const char *value)
{
    const struct tls_library *library = authority->library;
    X509V3_CTX context;
    memset(&context, 0, sizeof context);
    library->X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = library->X509V3_EXT_conf_nid(NULL, &context, kind, value);
    if (extension == NULL) return false;
    bool done = library->X509_add_ext(certificate, extension, -1) == 1;
    library->X509_EXTENSION_free(extension);
    return done;
}

static bool fill_extensions(const struct authority *authority, const struct subject *subject,
                            X509 *certificate, X509 *issuer)
{
    bool is_authority = subject->is_authority;
    return add_extension(authority, certificate, issuer, NID_basic_constraints,
                         is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
           add_extension(authority, certificate, issuer, NID_key_usage,
                         is_authority ? "critical,keyCertSign,cRLSign"
                                      : "critical,digitalSignature") &&
           add_extension(authority, certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(authority, certificate, issuer, NID_authority_key_identifier, "keyid") &&
           (is_authority || add_extension(authority, certificate, issuer, NID_ext_key_usage,
                                          "serverAuth,clientAuth")) &&
           (subject->alternative == NULL ||
            add_extension(authority, certificate, issuer, NID_subject_alt_name,
                          subject->alternative));
}

// Signed by the authority, or by itself if there is none yet.
static bool fill(const struct authority *authority, const struct subject *subject,
                 X509 *certificate, EVP_PKEY *key)
{
    static const unsigned char organization[] = "Helenus ring";
    const struct tls_library *library = authority->library;
    X509 *issuer = authority->certificate == NULL ? certificate : authority->certificate;
    EVP_PKEY *signer = authority->key == NULL ? key : authority->key;
    X509_NAME *name = library->X509_get_subject_name(certificate);
    const long version_3 = 2;
    uint64_t serial = env_random_u64(authority->env) >> 1 | 1;
    // A day for clocks that are behind ours.
    return library->X509_set_version(certificate, version_3) == 1 &&
           library->ASN1_INTEGER_set_uint64(library->X509_get_serialNumber(certificate), serial) ==
               1 &&
           library->X509_gmtime_adj(library->X509_getm_notBefore(certificate), -DAY_S) != NULL &&
           library->X509_gmtime_adj(library->X509_getm_notAfter(certificate), (long)DAYS * DAY_S) !=
               NULL &&
           library->X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, organization, -1, -1, 0) ==
               1 &&
           library->X509_NAME_add_entry_by_txt(
               name, "CN", MBSTRING_UTF8, (const unsigned char *)subject->name, -1, -1, 0) == 1 &&
           library->X509_set_issuer_name(certificate, library->X509_get_subject_name(issuer)) ==
               1 &&
           library->X509_set_pubkey(certificate, key) == 1 &&
           fill_extensions(authority, subject, certificate, issuer) &&
           library->X509_sign(certificate, signer, library->EVP_sha256()) > 0;
}

static enum status write_bio(const struct authority *authority, const char *file, BIO *bio,
                             bool is_secret, struct error *error)
{
    char path[RING_PATH_SIZE + 64], text[PEM_SIZE_MAX];
    int size = authority->library->BIO_read(bio, text, sizeof text - 1);
    if (size <= 0) return fail(authority, error);
    text[size] = '\0';
    (void)snprintf(path, sizeof path, "%s/%s", authority->directory, file);
    // Another file than was there: that one may be open to all.
    enum status status = env_remove(authority->env, path, error);
    if (status == STATUS_NOT_FOUND) status = STATUS_OK;
    mode_t mask = umask(is_secret ? S_IRWXG | S_IRWXO : S_IWGRP | S_IWOTH);
    if (status == STATUS_OK) status = ring_write_text(authority->env, path, text, error);
    (void)umask(mask);
    explicit_bzero(text, sizeof text);
    return status;
}

// `key` or `certificate` may be NULL: the file has only the other.
static enum status write_pem(const struct authority *authority, const char *file, EVP_PKEY *key,
                             X509 *certificate, struct error *error)
{
    const struct tls_library *library = authority->library;
    BIO *bio = library->BIO_new(library->BIO_s_mem());
    ASSERT(bio != NULL);
    bool done = (key == NULL ||
                 library->PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) &&
                (certificate == NULL || library->PEM_write_bio_X509(bio, certificate) == 1);
    enum status status =
        done ? write_bio(authority, file, bio, key != NULL, error) : fail(authority, error);
    (void)library->BIO_free(bio);
    return status;
}

// The certificate and its key; the caller frees both.
static enum status make(const struct authority *authority, const struct subject *subject,
                        EVP_PKEY **key, X509 **certificate, struct error *error)
{
    const struct tls_library *library = authority->library;
    *key = library->EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    *certificate = library->X509_new();
    ASSERT(*certificate != NULL);
    if (*key != NULL && fill(authority, subject, *certificate, *key)) return STATUS_OK;
    return fail(authority, error);
}

static enum status make_authority(struct authority *authority, struct error *error)
{
    static const struct subject subject = {.name = "Helenus ring", .is_authority = true};
    EVP_PKEY *key;
    X509 *certificate;
    enum status status = make(authority, &subject, &key, &certificate, error);
    authority->key = key;
    authority->certificate = certificate;
    if (status == STATUS_OK) status = write_pem(authority, "ca-key.pem", key, NULL, error);
    return status == STATUS_OK ? write_pem(authority, "ca.pem", NULL, certificate, error) : status;
}

static enum status make_signed(const struct authority *authority, const struct subject *subject,
                               struct error *error)
{
    EVP_PKEY *key;
    X509 *certificate;
    enum status status = make(authority, subject, &key, &certificate, error);
    if (status == STATUS_OK) status = write_pem(authority, subject->file, key, certificate, error);
    authority->library->EVP_PKEY_free(key);
    authority->library->X509_free(certificate);
    return status;
}

static enum status make_node(const struct authority *authority, const struct env_address *first,
                             size_t index, struct error *error)
{
    char name[64], file[64], text[ENV_ADDRESS_TEXT_SIZE], alternative[2 * ENV_ADDRESS_TEXT_SIZE];
    struct env_address address = *first;
    address.bytes[address.size - 1] = (uint8_t)(address.bytes[address.size - 1] + index);
    env_address_format(&address, text);
    // Without port and brackets.
    *strrchr(text, ':') = '\0';
    size_t length = strlen(text);
    bool has_brackets = text[0] == '[';
    if (has_brackets) text[length - 1] = '\0';
    (void)snprintf(alternative, sizeof alternative, "IP:%s,DNS:localhost", text + has_brackets);
    (void)snprintf(name, sizeof name, "node %zu", index + 1);
    (void)snprintf(file, sizeof file, "node%zu.pem", index + 1);
    const struct subject subject = {.name = name, .alternative = alternative, .file = file};
    return make_signed(authority, &subject, error);
}

static enum status write_cqlshrc(const struct authority *authority, struct error *error)
{
    char path[RING_PATH_SIZE + 64], text[4 * RING_PATH_SIZE];
    int size = snprintf(text, sizeof text,
                        "; cqlsh --cqlshrc %s/cqlshrc IP\n"
                        "[connection]\nssl = true\n\n"
                        "[ssl]\ncertfile = %s/ca.pem\nvalidate = true\n"
                        "; For nodes with require_client_auth.\n"
                        "userkey = %s/client.pem\nusercert = %s/client.pem\n",
                        authority->directory, authority->directory, authority->directory,
                        authority->directory);
    (void)snprintf(path, sizeof path, "%s/cqlshrc", authority->directory);
    if (size < 0 || (size_t)size >= sizeof text)
        return error_set(error, STATUS_INVALID, "%.400s: the path is too long",
                         authority->directory);
    return ring_write_text(authority->env, path, text, error);
}

enum status ring_certificates_make(struct env *env, const char *directory,
                                   const struct env_address *first, size_t count,
                                   struct error *error)
{
    static const struct subject client = {.name = "client", .file = "client.pem"};
    struct tls_library library;
    enum status status = tls_library_open(&library, error);
    if (status != STATUS_OK) return status;
    struct authority authority = {.env = env, .library = &library, .directory = directory};
    library.ERR_clear_error();
    status = make_authority(&authority, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = make_node(&authority, first, i, error);
    if (status == STATUS_OK) status = make_signed(&authority, &client, error);
    if (status == STATUS_OK) status = write_cqlshrc(&authority, error);
    library.EVP_PKEY_free(authority.key);
    library.X509_free(authority.certificate);
    tls_library_close(&library);
    return status;
}
