// What one end of TLS connections needs: the library, a key with its certificates, and whom it
// trusts (org.apache.cassandra.security.PEMBasedSslContextFactory). tls_stream.h makes connections
// of it.
//
// Versions 1.2 and 1.3. No renegotiation, no compression, no early data; sessions are kept by
// tickets at the client, so that nothing grows here.
//
// A server's files are read again when they have changed: looked at when somebody connects, not
// more often than each TLS_REFRESH_NS. Those who are connected stay as they are; files that can not
// be used are told, and what was there is used on.
#ifndef CQL_PROTOCOL_TLS_H
#define CQL_PROTOCOL_TLS_H

#include "base/env.h"
#include "base/log.h"

struct tls;

#define TLS_REFRESH_NS (10 * UINT64_C(1000000000))

struct tls_server_options {
    const char *keystore;          // PEM: the private key, our certificate, and those between it
                                   // and the client's root. In any order.
    const char *keystore_password; // Of the key; "" or NULL: it has none.
    const char *truststore;        // PEM: who may sign clients' certificates. "" or NULL: nobody.
    const char *cipher_suites;     // With commas: names of Java or of OpenSSL. "": its own choice.
    const char *protocols;         // With commas: TLSv1.2, TLSv1.3. "": both.
    bool requires_certificate;     // Of clients, signed by the truststore.
    struct log *log;               // What failed and for whom; NULL: nobody is told.
};

// The texts are copied. INVALID, NOT_FOUND: the files, with what to do; UNSUPPORTED: no library.
MUST_USE enum status tls_create_server(struct env *env, const struct tls_server_options *options,
                                       struct tls **tls, struct error *error);

struct tls_client_options {
    // PEM: who signed the server's certificate, which has to name the address too. NULL: it is not
    // looked at, and whoever sits in between reads all.
    const char *trusted;
    const char *keystore; // PEM, of a client that the server wants to know; NULL: none.
    struct log *log;      // What failed, and why; NULL: nobody is told.
};
MUST_USE enum status tls_create_client(struct env *env, const struct tls_client_options *options,
                                       struct tls **tls, struct error *error);

// Its streams are gone. NULL is fine.
void tls_destroy(struct tls *tls);

#endif
