// What a node was told of itself at its first start and keeps, in DIR/settings: the data lies where
// these put it, and others know the node by them. A configuration that says otherwise later would
// do nothing, so it is refused, as Cassandra refuses it (SystemKeyspace.checkHealth(),
// StorageService.prepareForBootstrap()).
//
//     cluster_name: Helenus
//     data_center: datacenter1
//     rack: rack1
//     num_tokens: 16
//
// It is not durable: one that is missing, or has not all, is written anew, from what the node is:
// the configuration may have been changed when nobody noted it.
#ifndef NODE_SETTINGS_H
#define NODE_SETTINGS_H

#include "node/config.h"

struct node_identity;

// INVALID: the key, both values and what to do. `source` is where `config` is from. Blocks.
MUST_USE enum status settings_check(struct env *env, const char *directory,
                                    const struct config *config, const char *source,
                                    struct error *error);
// For who has the directory's lock. Blocks; a failure matters to the next start only.
void settings_keep(struct env *env, const char *directory, const struct node_identity *self);

#endif
