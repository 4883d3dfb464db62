// Who clients are: passwords, and the answer to "who is this?"
// (org.apache.cassandra.auth.PasswordAuthenticator). What they may do is permission.h's.
//
//     AUTH_RESPONSE -auth_read_plain()-> user, password -auth_check_password()-> thread: bcrypt
//     -> done on the loop: auth_login_is_right() -> connection READY, with the user's name
//
// A hash takes some 50 ms of one processor, so it is computed on a thread of its own (a lane of the
// env; in the simulator at once), one after the other, and only so many may wait. A role that is
// not there, or has no password, costs the same time as a wrong password. No password outlives its
// hash: none is in a log, a trace or an error.
#ifndef CQL_AUTH_AUTH_H
#define CQL_AUTH_AUTH_H

#include "base/env.h"
#include "cql/cql_error.h"
#include "ring/metadata/roles.h"

struct metadata;

// Of a node. NULL in its place: Cassandra's AllowAllAuthenticator and AllowAllAuthorizer.
struct auth {
    struct env *env;
    const struct metadata *metadata;
    bool authorizes; // CassandraAuthorizer; else AllowAllAuthorizer.
    size_t waiting;  // Hashes that are not done.
};

enum { AUTH_PASSWORD_SIZE_MAX = 72 }; // What bcrypt looks at; the rest is cut, as bcrypt does.

#define AUTH_AUTHENTICATOR_CLASS "org.apache.cassandra.auth.PasswordAuthenticator"

// A password that is being hashed. Lives in its owner's memory until `done`.
struct auth_password {
    void (*done)(struct auth_password *password);
    bool is_right;                 // Checked: it is that of the hash.
    char hash[ROLE_HASH_SIZE + 1]; // The one to compare with, or the one that was made.
    struct auth *auth;             // The rest is auth's.
    struct env_job job;
    bool has_hash;
    uint8_t salt[16];
    char text[AUTH_PASSWORD_SIZE_MAX + 1];
};

// False: so many wait already that it was not begun.
bool auth_check_password(struct auth *auth, struct auth_password *password, struct slice text,
                         const char *hash, void (*done)(struct auth_password *password));
bool auth_hash_password(struct auth *auth, struct auth_password *password, struct slice text,
                        void (*done)(struct auth_password *password));
// Whether a text has the form of a hash that passwords can be compared with.
bool auth_is_hash(struct slice text);

// What an AUTH_RESPONSE of SASL's PLAIN says. The slices point into `token`.
bool auth_read_plain(struct slice token, struct slice *user, struct slice *password,
                     struct cql_error *error);
// The hash to compare with: a role's, or another that costs as much.
const char *auth_hash_of(const struct auth *auth, struct slice user);
// After the comparison: `error` says why not.
bool auth_login_is_right(const struct auth *auth, struct slice user, bool password_is_right,
                         struct cql_error *error);

#endif
