// What a node is, for ever: its host id and its tokens, in DIR/identity.
//
// Made at the first start, whole and durable before it is used, and only read after that. The file
// is text, so that a person can look:
//
//     host_id: 5b6962dd-3f90-4c93-8f61-eabfa4a803e2
//     tokens: -9223372036854775808 -8070450532247928832 …
#ifndef NODE_IDENTITY_H
#define NODE_IDENTITY_H

#include "base/env.h"
#include "storage/token.h"
#include "storage/uuid.h"

enum { IDENTITY_TOKENS_MAX = 1024 };

struct identity {
    struct uuid host_id;
    struct token tokens[IDENTITY_TOKENS_MAX]; // Ascending.
    size_t token_count;
};

// Reads DIR/identity or makes it, with `token_count` tokens spread evenly from a random place.
// Blocks: for start-up only. CORRUPT, IO, NO_SPACE.
MUST_USE enum status identity_open(struct env *env, const char *directory, size_t token_count,
                                   struct identity *identity, struct error *error);

#endif
