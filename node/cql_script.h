// Statements of a text, one after the other, sent to a node: `ring start --init FILE.cql`.
//
// Understands what cqlsh does of a file: statements end with ';', texts 'like ''this''', names
// "like this", $$ … $$, comments (two dashes, two slashes, slash and star), BEGIN BATCH … APPLY
// BATCH.
#ifndef NODE_CQL_SCRIPT_H
#define NODE_CQL_SCRIPT_H

#include "node/login.h"

struct tls;

struct cql_script_server {
    struct env_address address;
    const struct login *login;
    struct tls *tls; // NULL: it speaks none.
};

// The next statement, without its ';'. `*text` moves behind it. False: none is left.
bool cql_script_next(struct slice *text, struct slice *statement, size_t *line);

// Runs them all, on env_uv; stops at the first that the node refuses: INVALID with `name`, the line
// and the node's words.
MUST_USE enum status cql_script_run(struct env *env, const struct cql_script_server *server,
                                    const char *name, struct slice text, struct error *error);
MUST_USE enum status cql_script_run_file(struct env *env, const struct cql_script_server *server,
                                         const char *path, struct error *error);

#endif
