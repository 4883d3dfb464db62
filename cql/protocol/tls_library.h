// OpenSSL, loaded when the first of the program's TLS contexts is made: linked from the start, its
// relocations and tables would cost each process twice the memory of an idle node and 8 ms of its
// start. Its types and constants are those of its headers; its functions are called through this
// table only.
//
// Macros of those headers (SSL_CTX_set_min_proto_version() and its like) call functions by name and
// can not be used: what they stand for is SSL_CTX_ctrl() with a constant.
#ifndef CQL_PROTOCOL_TLS_LIBRARY_H
#define CQL_PROTOCOL_TLS_LIBRARY_H

#include "base/error.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// clang-format off
#define TLS_LIBRARY_MAP(X)                                                                         \
    X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_set_options)                          \
    X(SSL_CTX_set_cipher_list) X(SSL_CTX_set_ciphersuites) X(SSL_CTX_set_session_id_context)       \
    X(SSL_CTX_set_verify) X(SSL_CTX_use_PrivateKey) X(SSL_CTX_use_certificate)                     \
    X(SSL_CTX_check_private_key) X(SSL_CTX_get_cert_store) X(SSL_CTX_add_client_CA)                \
    X(TLS_server_method) X(TLS_client_method)                                                      \
    X(SSL_new) X(SSL_free) X(SSL_set0_rbio) X(SSL_set0_wbio) X(SSL_set_accept_state)               \
    X(SSL_set_connect_state) X(SSL_do_handshake) X(SSL_read) X(SSL_write) X(SSL_shutdown)          \
    X(SSL_get_error) X(SSL_get_verify_result) X(SSL_get0_param) X(SSL_get_version)                 \
    X(SSL_get_current_cipher) X(SSL_CIPHER_get_name) X(SSL_CIPHER_standard_name)                   \
    X(OPENSSL_cipher_name)                                                                         \
    X(BIO_new) X(BIO_new_mem_buf) X(BIO_free) X(BIO_up_ref) X(BIO_read) X(BIO_write) X(BIO_ctrl)   \
    X(BIO_s_mem)                                                                                   \
    X(PEM_read_bio_X509) X(PEM_read_bio_PrivateKey) X(PEM_write_bio_X509)                          \
    X(PEM_write_bio_PrivateKey)                                                                    \
    X(EVP_PKEY_free) X(EVP_PKEY_Q_keygen) X(EVP_sha256)                                            \
    X(X509_new) X(X509_free) X(X509_set_version) X(X509_get_serialNumber) X(X509_getm_notBefore)   \
    X(X509_getm_notAfter) X(X509_gmtime_adj) X(X509_set_pubkey) X(X509_get_subject_name)           \
    X(X509_set_issuer_name) X(X509_NAME_add_entry_by_txt) X(X509_sign) X(X509_add_ext)             \
    X(X509_EXTENSION_free) X(X509V3_set_ctx) X(X509V3_EXT_conf_nid) X(ASN1_INTEGER_set_uint64)     \
    X(X509_STORE_add_cert) X(X509_VERIFY_PARAM_set1_ip) X(X509_verify_cert_error_string)           \
    X(ERR_peek_error) X(ERR_peek_last_error) X(ERR_clear_error) X(ERR_reason_error_string)
// clang-format on

struct tls_library {
    void *handle;
#define X(name) __typeof__(name) *name;
    TLS_LIBRARY_MAP(X)
#undef X
};

// UNSUPPORTED: it is not on this machine, or too old.
MUST_USE enum status tls_library_open(struct tls_library *library, struct error *error);
// What was made by it is freed before.
void tls_library_close(struct tls_library *library);

// The first reason of what failed last in this thread, such as "wrong version number"; clears it.
const char *tls_library_reason(const struct tls_library *library);

#endif
