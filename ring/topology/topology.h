// Who is in the ring and which tokens they have (org.apache.cassandra.tcm.ClusterMetadata's
// directory and token map). The metadata log has it (metadata.h); whoever looks borrows it for a
// turn of the loop and keeps members' numbers, never pointers.
//
// Members are fixed when the ring is formed: `ring start` writes the same list into each node's
// directory (node/members.h), and it is the state that the metadata log begins with. A member's
// number is its place in that list.
//
//     token     T1        T2        T3
//     ----------|---------|---------|------>      a key belongs to the first place at or behind its
//     member    0         2         1             token; behind the last it is the first place's
#ifndef RING_TOPOLOGY_H
#define RING_TOPOLOGY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"
#include "base/env.h"
#include "storage/token.h"
#include "storage/uuid.h"

enum { TOPOLOGY_MEMBERS_MAX = 1024, TOPOLOGY_TOKENS_MAX = 1024, TOPOLOGY_NAME_SIZE = 64 };

#define MEMBER_NONE ((uint16_t)UINT16_MAX)

struct member {
    struct uuid host_id;
    struct env_address address;     // Between nodes: listen_address and storage_port.
    struct env_address rpc_address; // For clients.
    char data_center[TOPOLOGY_NAME_SIZE], rack[TOPOLOGY_NAME_SIZE];
    const struct token *tokens; // Ascending.
    size_t token_count;
};

// One token of the ring.
struct ring_place {
    struct token token;
    uint16_t member;
};

struct topology {
    struct arena arena;
    const struct member *members; // By number.
    uint16_t member_count;
    const struct ring_place *places; // Ascending.
    size_t place_count;
};

// Copies all. INVALID: too many, two of one host id, address or token, tokens that do not ascend,
// or none with a token.
MUST_USE enum status topology_make(const struct member *members, size_t count,
                                   struct topology **topology, struct error *error);
void topology_destroy(struct topology *topology);

// The place whose range (the token before it, its own token] has the token.
size_t topology_find_place(const struct topology *topology, struct token token);
// MEMBER_NONE when there is none.
uint16_t topology_find_member(const struct topology *topology, struct uuid host_id);
uint16_t topology_find_address(const struct topology *topology, const struct env_address *address);

// The whole of it, and back. CORRUPT.
void topology_put(struct buffer *bytes, const struct topology *topology);
MUST_USE enum status topology_get(struct cursor *bytes, struct topology **topology,
                                  struct error *error);
// One member. False: it can not be read. Its tokens lie in the arena.
void topology_put_member(struct buffer *bytes, const struct member *member);
MUST_USE bool topology_take_member(struct cursor *bytes, struct arena *arena,
                                   struct member *member);

// Tokens of member `member` of `member_count`, `num_tokens` each: all together spread evenly over
// the ring, neighbours of different members, so that each member has an equal share at every
// replication factor. Ascending. The same for the same arguments.
void topology_allocate_tokens(size_t member, size_t member_count, size_t num_tokens,
                              struct token *tokens);

#endif
