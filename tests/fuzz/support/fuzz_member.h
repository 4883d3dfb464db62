// A whole node that is member 0 of a ring of three, and the other two as an input plays them.
//
// Its keyspace ks (three copies) has the tables of fuzz_node.h. What it asks the others is answered
// at once: as the input says, or as somebody does who is well, empty and agrees to all.
#ifndef TESTS_FUZZ_SUPPORT_FUZZ_MEMBER_H
#define TESTS_FUZZ_SUPPORT_FUZZ_MEMBER_H

#include "base/buffer.h"
#include "node/config.h"
#include "ring/transport/messaging.h"
#include "tests/fuzz/support/fuzz_sim.h"

enum { FUZZ_MEMBERS = 3 };

struct fuzz_member;

// One of the others. It listens, and speaks over a connection of its own.
struct fuzz_voice {
    struct fuzz_member *member;
    uint16_t number;
    struct env_listener *listener;
    struct env_stream *stream; // The node's connection to it.
    struct buffer heard;
    bool has_greeted;
    struct fuzz_peer peer; // Its connection to the node.
    bool is_connected;
};

struct fuzz_member {
    struct fuzz_sim sim;
    struct config config;
    struct node *node;
    struct fuzz_voice voices[FUZZ_MEMBERS]; // Not of the first.
    struct slice answers[VERB_COUNT];       // u8 status | body. Borrowed.
    struct fuzz_peer client;                // Of CQL.
    bool has_client;
};

// The world and the directory, "/", as a ring of three left it. Files may be added then.
void fuzz_member_prepare(struct fuzz_member *member);
void fuzz_member_start(struct fuzz_member *member);
void fuzz_member_stop(struct fuzz_member *member); // It may be started again.
void fuzz_member_end(struct fuzz_member *member);

// A request of another member, or, from MEMBER_NONE, of a tool or a worker. `payload` as it is.
void fuzz_member_ask(struct fuzz_member *member, uint16_t from, uint8_t type, uint64_t id,
                     struct slice payload);
// The same, with the head that the ring's verbs have.
void fuzz_member_request(struct fuzz_member *member, uint16_t from, enum verb verb, uint64_t id,
                         struct slice body);
// A client's QUERY. False: the node serves no clients yet.
bool fuzz_member_query(struct fuzz_member *member, uint16_t consistency, struct slice text);

#endif
