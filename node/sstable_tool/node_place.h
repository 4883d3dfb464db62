// A table's directory that belongs to a node of ours: NODE/data/KEYSPACE/TABLE-<id>, beside
// NODE/manifest, which names what the node wrote. Only who has the node's lock may change it.
#ifndef NODE_SSTABLE_TOOL_NODE_PLACE_H
#define NODE_SSTABLE_TOOL_NODE_PLACE_H

#include "storage/engine/manifest.h"

struct node_place {
    struct env *env;
    bool is_node;          // Else the directory is nobody's that we know.
    struct env_lock *lock; // While it is open.
    bool has_manifest;
    struct manifest manifest;
    char manifest_directory[SSTABLE_PATH_SIZE], manifest_path[SSTABLE_PATH_SIZE + 64];
};

// `directory` is absolute. IN_USE: a node runs on it.
MUST_USE enum status node_place_open(struct node_place *place, struct env *env,
                                     const char *directory, struct error *error);
// What a new SSTable is called behind this one: in a node's directory behind all that the node
// knows, too. What it knows as gone, its next start would remove.
uint64_t node_place_generation_behind(const struct node_place *place, uint64_t generation);
// Before the commit of a change: `outputs` will be there if it comes to pass, `inputs` else.
MUST_USE enum status node_place_prepare(struct node_place *place,
                                        const struct manifest_entry *outputs, size_t output_count,
                                        const uint64_t *inputs, size_t input_count,
                                        struct error *error);
// Behind it, when it is known which are.
MUST_USE enum status node_place_settle(struct node_place *place, bool has_changed,
                                       struct error *error);
void node_place_close(struct node_place *place);

#endif
