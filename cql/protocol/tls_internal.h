// What tls.c and tls_stream.c share.
#ifndef CQL_PROTOCOL_TLS_INTERNAL_H
#define CQL_PROTOCOL_TLS_INTERNAL_H

#include "cql/protocol/tls.h"
#include "cql/protocol/tls_library.h"

enum { TLS_TEXT_SIZE = 512, TLS_RECORD_SIZE = 16 * 1024 };

struct tls_stream;

struct tls_file {
    char path[TLS_TEXT_SIZE]; // "": none.
    int64_t modified_us;
};

struct tls {
    struct env *env;
    struct env stream_env; // Of its streams: the table that makes them look like any other.
    struct tls_library library;
    SSL_CTX *context;
    bool is_client, requires_certificate, checks_address;
    struct tls_file keystore, truststore;
    char password[TLS_TEXT_SIZE], cipher_suites[4 * TLS_TEXT_SIZE], protocols[TLS_TEXT_SIZE];
    uint64_t looked_ns; // At the files.
    // All streams have these together: what comes and goes is in them during one call of the
    // library only.
    BIO *input, *output;
    uint8_t plain[TLS_RECORD_SIZE], cipher[4 * TLS_RECORD_SIZE];
    struct log *log;
    uint64_t told_ns; // Of failures a line a second is told, and how many were not.
    uint64_t untold_count;
    size_t stream_count;
    // Handshakes that have begun, the oldest first; at the limit it has to go.
    struct tls_stream *first_handshake, **last_handshake;
    size_t handshake_count, handshakes_max;
};

// Reads the files again if it is time and they have changed.
void tls_refresh(struct tls *tls);
// Tells the log that a client's connection failed, and why.
void tls_tell(struct tls *tls, const struct env_address *peer, const char *what, const char *why);

#endif
