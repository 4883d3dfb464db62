// The directory of a ring in one box: what `helenus ring` starts, looks at and stops.
//
//     DIR/ring.lock            held by a command that starts or stops nodes, while it does
//        /node1/helenus.yaml   its configuration; written once, by the first `ring start`
//              /members        all nodes, if there are several (members.h); written before it
//              /process        "PID\n", while it runs
//              /node.lock      held by the process while it runs, whatever way it ends
//              /log            what it printed
//              /…              its data (node.h)
#ifndef NODE_RING_DIRECTORY_H
#define NODE_RING_DIRECTORY_H

#include "base/env.h"
#include "node/config.h"

enum { RING_NODES_MAX = 64, RING_PATH_SIZE = 4096 };

struct ring_node {
    int64_t number; // From 1.
    char directory[RING_PATH_SIZE];
    struct config config;
    bool runs;
    int pid;                    // 0 unless it runs.
    struct env_address address; // For CQL.
    struct env_address storage_address;
};

struct ring_directory {
    char path[RING_PATH_SIZE]; // Absolute.
    struct ring_node nodes[RING_NODES_MAX];
    size_t node_count;
};

// Reads what is there; no directory is a ring of no nodes. INVALID, IO.
MUST_USE enum status ring_directory_read(struct env *env, const char *path,
                                         struct ring_directory *ring, struct error *error);
// Forms a ring of `count` nodes in a directory that is there and has none: their directories,
// configurations and member lists. `first` is that of node 1; the addresses of the others follow
// its. A ring whose making was cut short is none: the configuration of node 1 comes last.
MUST_USE enum status ring_directory_form(struct env *env, struct ring_directory *ring, size_t count,
                                         const struct config *first, struct error *error);
// Empties a node that does not run: what ring_directory_form() wrote stays, its log, and of a ring
// of several what it began with (settings.h).
MUST_USE enum status ring_node_empty(struct env *env, const struct ring_node *node,
                                     struct error *error);
// Looks again whether the node runs.
MUST_USE enum status ring_node_probe(struct env *env, struct ring_node *node, struct error *error);
// NULL when the ring has no such node.
struct ring_node *ring_directory_find(struct ring_directory *ring, int64_t number);

// The whole path of what may be named from the working directory. INVALID: too long.
MUST_USE enum status ring_absolute_path(const char *path, char absolute[static RING_PATH_SIZE],
                                        struct error *error);
// Makes a directory and those above it that are missing, each name durable.
MUST_USE enum status ring_make_directories(struct env *env, const char *path, struct error *error);
// A small file, whole, not durable: what is in it can be found out again.
MUST_USE enum status ring_write_text(struct env *env, const char *path, const char *text,
                                     struct error *error);

#endif
