// Whom a command of ours logs in as at CQL servers: --user NAME --password-file FILE.
//
// A password is never an option itself: what others run, everybody on the machine can list.
#ifndef NODE_LOGIN_H
#define NODE_LOGIN_H

#include "base/env.h"

struct login {
    const char *user; // NULL: it does not log in.
    char password[256];
};

// What the options say, which may both be NULL. The password is the first line of the file.
MUST_USE enum status login_read(struct env *env, const char *user, const char *password_file,
                                struct login *login, struct error *error);

#endif
