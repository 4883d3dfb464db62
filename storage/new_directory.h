// Directories that are made where they are missing.
//
// A directory's own name is an entry of the directory above it, and survives a power loss only once
// that one is synced. One that is there already may have been made by a run that died before it
// synced: so whoever needs the name to be durable syncs all the same.
#ifndef STORAGE_NEW_DIRECTORY_H
#define STORAGE_NEW_DIRECTORY_H

#include "base/env.h"

// There is the directory `path`, whose name may not be durable yet. The one above it has to exist.
MUST_USE enum status new_directory_make(struct env *env, const char *path, struct error *error);
// The name of what is at `path` becomes durable: the directory above it is synced.
MUST_USE enum status new_directory_keep(struct env *env, const char *path, struct error *error);
// Both.
MUST_USE enum status new_directory_make_durable(struct env *env, const char *path,
                                                struct error *error);

#endif
