// The certificates of a ring in one box: an authority of its own, which signs one for each node and
// one for clients. Elliptic keys (P-256), ten years.
//
//     DIR/tls/ca.pem       whom clients trust: the authority's certificate
//            /ca-key.pem   its private key
//            /nodeN.pem    private key and certificate of a node; the latter names its address
//            /client.pem   of clients, for nodes with require_client_auth
//            /cqlshrc      how cqlsh connects
//
// Private keys can be read by their owner only.
#ifndef NODE_RING_CERTIFICATES_H
#define NODE_RING_CERTIFICATES_H

#include "node/ring_directory.h"

// In `directory`, which is there; what is there of an earlier making is replaced. `first` is node
// 1's address, the others follow it. UNSUPPORTED: OpenSSL is not there; IO.
MUST_USE enum status ring_certificates_make(struct env *env, const char *directory,
                                            const struct env_address *first, size_t count,
                                            struct error *error);

#endif
