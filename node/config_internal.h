// What the files of the configuration share.
#ifndef NODE_CONFIG_INTERNAL_H
#define NODE_CONFIG_INTERNAL_H

#include "node/config.h"

#include <yaml.h>

// Reads the file's events: keys with values, maps of such below the keys that have a dot, lists of
// values. INVALID with path and line.
MUST_USE enum status config_yaml_read(yaml_parser_t *parser, struct config *config,
                                      const char *path, struct error *error);
// A key of client_encryption_options or server_encryption_options: may it have the value?
// `*is_ignored`: yes, and it changes nothing. OK for all other keys.
MUST_USE enum status config_encryption_check(const char *key, const char *value, bool *is_ignored,
                                             struct error *error);

#endif
